//! What this machine and the agent say to each other: one JSON object a line.

use crate::sandbox::Exit;
use serde::{Deserialize, Serialize};

/// Name of the virtio port.
pub(super) const PORT: &str = "amiforge";

/// Begins a line on the console that tells why the guest cannot go on.
pub(super) const TROUBLE: &str = "amiforge: this image cannot be booted here: ";

/// From the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub(super) enum FromGuest {
    /// It is there; the first message after each start of the machine.
    Hello {
        /// `uname -r`.
        kernel: String,
    },
    /// systemd has started what there is to start.
    Ready {
        /// In systemd's word.
        state: String,
    },
    /// A line of the job's standard output.
    Out { line: String },
    /// A line of its standard error.
    Err { line: String },
    /// The job has ended.
    Ended { exit: Exit },
}

/// To the agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "kebab-case")]
pub(super) enum ToGuest {
    /// Run this.
    Job { payload: String },
    /// For the standard input of the job that runs.
    Answer { text: String },
    /// Restart the machine in an orderly way.
    Reboot,
}

/// A message as it goes over the port.
pub(super) fn line(message: &impl Serialize) -> std::io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_lines_and_come_back_the_same() {
        let message = FromGuest::Out { line: "a\nb \u{1b}[0m ä".to_owned() };
        let text = line(&message).unwrap();
        assert_eq!(text.iter().position(|byte| *byte == b'\n'), Some(text.len() - 1));
        assert_eq!(serde_json::from_slice::<FromGuest>(&text).unwrap(), message);
        let ended = FromGuest::Ended { exit: Exit::Code(194) };
        assert_eq!(serde_json::from_slice::<FromGuest>(&line(&ended).unwrap()).unwrap(), ended);
    }
}

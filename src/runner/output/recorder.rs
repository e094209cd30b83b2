//! Writes the files while a run goes on.

use super::chaining::Chaining;
use super::console::{Console, Said};
use super::detail::Detail;
use crate::clock::Clock;
use crate::runner::model::{DocumentRequest, RunEvent};
use serde_json::Value;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use time::OffsetDateTime;

/// Up to this many bytes the result tree is written after each step, a larger one only after each phase: writing all of it
/// again and again would cost more than the steps.
const OFTEN: usize = 256 * 1024;

/// `TOE_<date>_<time>_UTC-0_<execution id>`, the folder of a run.
pub fn folder_name(at: OffsetDateTime, execution_id: &str) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    format!(
        "TOE_{:04}-{:02}-{:02}_{:02}-{:02}-{:02}_UTC-0_{execution_id}",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

/// Records a run in a folder: `console.log`, `application.log`, `detailedoutput.json`, `chaining.json`, `document.yaml`.
#[derive(Debug)]
pub struct Recorder {
    folder: PathBuf,
    clock: Clock,
    console: Console,
    console_file: Option<File>,
    application_file: Option<File>,
    detail: Detail,
    chaining: Chaining,
    tree_length: usize,
    fault: Option<String>,
}

impl Recorder {
    /// Begins a record in a folder, which is made.
    ///
    /// # Errors
    /// The folder or a file in it cannot be made. Later on nothing is an error: a full disk must not fail a run; what could
    /// not be written is told by [`Recorder::fault`].
    pub fn create(folder: &Path, execution_id: &str, documents: &[DocumentRequest], clock: &Clock) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join("document.yaml"), stream(documents))?;
        let open = |name: &str| File::create(folder.join(name));
        Ok(Self {
            console_file: Some(open("console.log")?),
            application_file: Some(open("application.log")?),
            ..Self::nowhere(folder, execution_id, clock)
        })
    }

    /// A record that is not written down, for where [`Recorder::create`] failed and the run goes on all the same.
    pub fn nowhere(folder: &Path, execution_id: &str, clock: &Clock) -> Self {
        Self {
            folder: folder.to_owned(),
            clock: clock.clone(),
            console: Console::default(),
            console_file: None,
            application_file: None,
            detail: Detail::new(execution_id),
            chaining: Chaining::default(),
            tree_length: 0,
            fault: None,
        }
    }

    /// Where the files are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What could not be written, the first time.
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// Takes an event in; the lines that it added to the console.
    pub fn event(&mut self, event: &RunEvent) -> Vec<Said> {
        let now = self.clock.now();
        self.detail.event(event, &rfc3339_offset(now));
        self.chaining.event(event);
        let said = self.console.event(event);
        for said in &said {
            self.write_line(now, &said.text);
        }
        self.log(now, event);
        match event {
            RunEvent::StepFinished { .. } if self.tree_length < OFTEN => self.write_trees(),
            RunEvent::PhaseFinished { .. } | RunEvent::DocumentFinished { .. } | RunEvent::Finished { .. } => {
                self.write_trees();
            }
            _ => {}
        }
        said
    }

    /// A line on the console that no event says.
    pub fn line(&mut self, line: &str) -> Vec<Said> {
        let now = self.clock.now();
        self.write_line(now, line);
        vec![Said { text: line.to_owned(), complaint: false }]
    }

    /// The run has ended without a result, for this reason.
    pub fn broken(&mut self, reason: &str) -> Vec<Said> {
        let now = self.clock.now();
        self.detail.broken(reason, &rfc3339_offset(now));
        self.write_line(now, reason);
        self.write_trees();
        vec![Said { text: reason.to_owned(), complaint: true }]
    }

    fn write_line(&mut self, now: OffsetDateTime, line: &str) {
        append(&mut self.console_file, &mut self.fault, &format!("{} Info {line}\n", stamp(now)));
    }

    /// Events as they are, but for the output, which the console has.
    fn log(&mut self, now: OffsetDateTime, event: &RunEvent) {
        if matches!(event, RunEvent::Output { .. }) {
            return;
        }
        let text = serde_json::to_string(event).unwrap_or_default();
        append(&mut self.application_file, &mut self.fault, &format!("{} Debug {text}\n", stamp(now)));
    }

    fn write_trees(&mut self) {
        if self.application_file.is_none() {
            return;
        }
        let detail = self.detail.json();
        self.tree_length = self.replace("detailedoutput.json", &detail);
        let chaining = self.chaining.json();
        self.replace("chaining.json", &chaining);
    }

    /// Writes beside the file and renames: whoever reads it while the run goes on finds it whole. The length.
    fn replace(&mut self, name: &str, value: &Value) -> usize {
        let text = format!("{value:#}\n");
        let part = self.folder.join(format!(".{name}.part"));
        let written = fs::write(&part, &text).and_then(|()| fs::rename(&part, self.folder.join(name)));
        if let Err(error) = written {
            note(&mut self.fault, &format!("{name}: {error}"));
        }
        text.len()
    }
}

fn append(file: &mut Option<File>, fault: &mut Option<String>, text: &str) {
    let Some(open) = file else { return };
    if let Err(error) = open.write_all(text.as_bytes()) {
        note(fault, &format!("the log of the run: {error}"));
        // Half a log that goes on later would be read as a whole one.
        *file = None;
    }
}

fn note(fault: &mut Option<String>, text: &str) {
    tracing::warn!(reason = text, "the record of a run cannot be written");
    fault.get_or_insert_with(|| text.to_owned());
}

/// The documents as one YAML stream, each after its name.
fn stream(documents: &[DocumentRequest]) -> String {
    if let [only] = documents {
        return only.text.clone();
    }
    let mut stream = String::new();
    for document in documents {
        stream.extend(["---\n# ", &document.name.replace('\n', " "), "\n", document.text.trim_start_matches("---\n")]);
        if !stream.ends_with('\n') {
            stream.push('\n');
        }
    }
    stream
}

/// `YYYY-MM-DD HH:MM:SS.mmm`.
fn stamp(at: OffsetDateTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:03}",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        at.millisecond()
    )
}

/// RFC 3339 with an offset in digits, as the real files have it.
fn rfc3339_offset(at: OffsetDateTime) -> String {
    crate::clock::rfc3339(at).replace('Z', "+00:00")
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

//! The action modules at work.

pub mod digest;
mod encoding;
mod execute;
mod files;
mod fresh;
mod owners;
mod s3;
mod transfer;
mod update;
mod web;
mod wildcard;

use super::capture::Sink;
use super::outside::Outside;
use super::process::{Limit, pause};
use super::state::StateError;
use super::values::{Inputs, ValueError};
use crate::component::modules::Action;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why an attempt failed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The action says why.
    #[error("{0}")]
    Failed(String),
    /// The time was up.
    #[error("did not end within {seconds} seconds, so it was killed{}", survivors_text(*.survivors))]
    TimedOut {
        /// The time limit.
        seconds: f64,
        /// Processes that could not be killed.
        survivors: usize,
    },
    /// An expression has no value.
    #[error(transparent)]
    Value(#[from] ValueError),
    /// The state could not be saved before a reboot.
    #[error(transparent)]
    State(#[from] StateError),
    /// An iteration of a loop failed, and with it the loop.
    #[error("iteration {index} of the loop ({value}): {source}")]
    Iteration {
        /// Counted from 0.
        index: u64,
        /// The number or item, as it may stand in a sentence.
        value: String,
        /// Why.
        source: Box<StepError>,
    },
    /// A document that the step executes failed.
    #[error("{message}")]
    Document {
        /// In the words of its summary.
        message: String,
        /// Whether a step in it ran out of time.
        timed_out: bool,
        /// The last lines of the step in it that failed.
        last_lines: Vec<String>,
    },
}

fn survivors_text(survivors: usize) -> String {
    match survivors {
        0 => String::new(),
        1 => "; one process could not be killed".to_owned(),
        many => format!("; {many} processes could not be killed"),
    }
}

impl StepError {
    /// Whether time was the reason.
    pub fn timed_out(&self) -> bool {
        match self {
            Self::TimedOut { .. } | Self::Document { timed_out: true, .. } => true,
            Self::Iteration { source, .. } => source.timed_out(),
            _ => false,
        }
    }

    /// The last lines of a step inside of this one, if that is where the failure is.
    pub fn last_lines(&self) -> Option<&[String]> {
        match self {
            Self::Document { last_lines, .. } => Some(last_lines),
            Self::Iteration { source, .. } => source.last_lines(),
            _ => None,
        }
    }

    /// `what path: reason`.
    fn io(what: &str, path: &Path, error: &std::io::Error) -> Self {
        Self::Failed(format!("{what} {}: {error}", path.display()))
    }
}

/// How an attempt ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// Go on.
    Finished,
    /// Restart the machine and run the same step again.
    RebootThenAgain,
    /// Restart the machine and go on with the next step.
    RebootThenNext,
}

/// What an action produced, one set per item of its inputs. `None` stands for a value that was too long to be kept.
pub type Outputs = Vec<BTreeMap<String, Option<String>>>;

/// The machine a step runs on.
#[derive(Debug)]
pub struct Machine {
    /// Where the machine's own files are found; `/` but in tests.
    pub root: PathBuf,
    /// Working directory of steps.
    pub directory: PathBuf,
    /// The whole environment of commands.
    pub environment: BTreeMap<String, String>,
}

impl Machine {
    /// A path of a document: absolute, or relative to the working directory.
    pub fn path(&self, text: &str) -> Result<PathBuf, StepError> {
        if text.is_empty() {
            return Err(StepError::Failed("a path is empty".to_owned()));
        }
        Ok(self.directory.join(text))
    }

    /// Where a program is found on the `PATH` of commands.
    pub fn program(&self, name: &str) -> Option<PathBuf> {
        self.search_path().map(|directory| directory.join(name)).find(|file| file.is_file())
    }

    /// The folders of the `PATH` of commands; an empty entry is the working directory.
    pub fn search_path(&self) -> impl Iterator<Item = PathBuf> {
        let path = self.environment.get("PATH").map_or("/usr/sbin:/usr/bin:/sbin:/bin", String::as_str);
        path.split(':').map(|entry| self.directory.join(entry))
    }
}

/// Runs an action once.
pub fn execute(
    action: Action,
    inputs: &[Inputs],
    machine: &Machine,
    outside: &mut dyn Outside,
    limit: Limit,
    sink: &mut Sink<'_>,
) -> Result<(Done, Outputs), StepError> {
    use Action as A;
    let first = || inputs.first().ok_or_else(|| StepError::Failed("the step has no inputs".to_owned()));
    match action {
        A::ExecuteBash => return execute::bash(first()?, machine, limit, sink),
        A::ExecuteBinary => return execute::binary(first()?, machine, limit, sink),
        A::UpdateOs => return Ok((update::update(inputs.first(), machine, limit, sink)?, Outputs::new())),
        A::Reboot => return reboot(inputs.first(), sink),
        _ => {}
    }
    let mut outputs = Outputs::new();
    for item in inputs {
        limit.check()?;
        outputs.push(match action {
            A::WebDownload => web::download(item, machine, limit, sink)?,
            A::S3Download => s3::download(item, machine, outside, limit, sink)?,
            A::S3Upload => s3::upload(item, machine, outside, limit, sink)?,
            _ => file_action(action, item, machine, sink)?,
        });
    }
    Ok((Done::Finished, outputs))
}

/// One item of an action on files.
fn file_action(
    action: Action,
    item: &Inputs,
    machine: &Machine,
    sink: &mut Sink<'_>,
) -> Result<BTreeMap<String, Option<String>>, StepError> {
    use Action as A;
    let output = |name: &str, value: String| BTreeMap::from([(name.to_owned(), Some(value))]);
    match action {
        A::AppendFile => files::append(item, machine)?,
        A::CreateFile => files::create(item, machine)?,
        A::CreateFolder => files::create_folder(item, machine)?,
        A::CreateSymlink => files::symlink(item, machine)?,
        A::DeleteFile => files::delete(item, machine)?,
        A::DeleteFolder => files::delete_folder(item, machine)?,
        A::SetFileEncoding => files::set_encoding(item, machine)?,
        A::ReadFile => return Ok(output("content", files::read(item, machine, sink)?)),
        A::ListFiles => return Ok(output("files", files::list(item, machine)?)),
        A::CopyFile | A::CopyFolder | A::MoveFile | A::MoveFolder => transfer::transfer(action, item, machine)?,
        A::SetFileOwner | A::SetFolderOwner => owners::set_owner(action, item, machine)?,
        A::SetFilePermissions | A::SetFolderPermissions => owners::set_permissions(action, item, machine)?,
        // Conditions and documents are matters of the execution itself; the rest needs Windows and was refused before.
        _ => return Err(StepError::Failed(format!("{action:?} cannot be executed here"))),
    }
    Ok(BTreeMap::new())
}

fn reboot(inputs: Option<&Inputs>, sink: &mut Sink<'_>) -> Result<(Done, Outputs), StepError> {
    let text = inputs.and_then(|inputs| inputs.text("delaySeconds")).unwrap_or("0");
    let seconds: u64 = text.parse().map_err(|_| StepError::Failed(format!("delaySeconds cannot be `{text}`")))?;
    if seconds > 0 {
        sink.say(format!("Waiting {seconds} seconds before the reboot"));
        pause(Duration::from_secs(seconds));
    }
    sink.say("Rebooting the system now");
    Ok((Done::RebootThenNext, Outputs::new()))
}

#[cfg(test)]
mod testing;
#[cfg(test)]
#[path = "tests.rs"]
mod tests;

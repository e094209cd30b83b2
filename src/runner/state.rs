//! What survives a reboot: a file in the state directory, named after the execution.

use super::hex::hex;
use super::model::{DocumentRequest, PhaseStatus, Request, StepFailure};
use super::secrets::Secrets;
use super::values::Records;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::PathBuf;

/// Version of the file.
const SCHEMA: u32 = 2;

/// Why the state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The execution id cannot name a file.
    #[error("the execution id `{0}` cannot be used: take 1 to 128 letters, digits, `-`, `_` and `.`")]
    Id(String),
    /// The file system refused.
    #[error("the saved state {path} cannot be {what}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// The reason.
        source: io::Error,
    },
    /// The file is not what was saved.
    #[error("the saved state {path} cannot be understood ({reason}); remove it to start from the beginning")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
    /// The file belongs to an execution of something else.
    #[error("the saved state {0} belongs to other documents or phases; remove it, or use another execution id")]
    Foreign(PathBuf),
}

/// How far an execution has come: its own frame and, in the step that executes it, that of a nested document.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    schema: u32,
    /// Digest of documents, parameters and phases.
    digest: String,
    /// How far it has come.
    pub frame: Frame,
    /// The secrets it has come to know, so that they are kept out of the logs after a restart, too.
    pub secrets: Secrets,
}

/// How far the documents of one level have come.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// The current document, phase and step by number; the step is the next one to run, or the one to go on with.
    pub document: usize,
    /// As above, counted over all phases of the document.
    pub phase: usize,
    /// As above.
    pub step: usize,
    /// What is known of that step.
    pub current: Current,
    /// What steps came to.
    pub counts: Counts,
    /// What the steps of the current phase came to.
    pub in_phase: Tally,
    /// What the steps of the current document came to.
    pub in_document: Tally,
    /// Whether the first failure was a step that ran out of time.
    pub timed_out: bool,
    /// The first step that failed.
    pub failure: Option<StepFailure>,
    /// What steps have produced, by number of their document.
    pub records: BTreeMap<usize, Records>,
    /// How many nested executions there were, so that each has its own id.
    pub nested: u32,
}

/// The step an execution has come to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Current {
    /// Its next attempt, from 1: a reboot is not an attempt.
    pub attempt: u32,
    /// How often it has asked for a reboot.
    pub reboots: u32,
    /// Its `if` has been answered, and is not asked again.
    pub decided: bool,
    /// The iteration its loop has come to.
    pub repeat: Option<Repeat>,
    /// The document that it executes and that has asked for a reboot.
    pub child: Option<Box<Child>>,
}

impl Default for Current {
    fn default() -> Self {
        Self { attempt: 1, reboots: 0, decided: false, repeat: None, child: None }
    }
}

/// How far a loop has come.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Repeat {
    /// Its items, if it goes over items.
    pub items: Option<Vec<String>>,
    /// The next iteration.
    pub next: u64,
    /// What the iterations before it produced, joined.
    pub outputs: Vec<BTreeMap<String, Option<String>>>,
}

/// A nested document in the middle of its work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Child {
    /// The id of its execution.
    pub id: String,
    /// Where it came from, as it is compared with its ancestors.
    pub origin: String,
    /// The document as it was read: the file may have changed since.
    pub document: DocumentRequest,
    /// Phases to run; empty for all.
    pub phases: Vec<String>,
    /// How far it has come.
    pub frame: Frame,
}

/// What steps came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Steps that ran.
    pub executed: u32,
    /// Steps that failed.
    pub failed: u32,
    /// Failures ignored.
    pub ignored: u32,
    /// Steps that did not run, or could not find out what they were to find out.
    pub skipped: u32,
}

/// What the steps of a phase or document came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// The first failure that is not ignored: whether it was for lack of time, and what it says.
    pub failed: Option<(bool, String)>,
    /// Whether there was a failure that is ignored.
    pub ignored: bool,
}

impl Tally {
    /// The status that follows from it (component-documents.md 4.3). That a failure for lack of time is not just a failure
    /// is UNCONFIRMED for phases and documents (4.4).
    pub fn status(&self) -> PhaseStatus {
        match (&self.failed, self.ignored) {
            (Some((true, _)), _) => PhaseStatus::TimedOut,
            (Some((false, _)), _) => PhaseStatus::Failed,
            (None, true) => PhaseStatus::SuccessWithIgnoredFailure,
            (None, false) => PhaseStatus::Success,
        }
    }

    /// Why it failed.
    pub fn message(&self) -> Option<String> {
        self.failed.as_ref().map(|(_, message)| message.clone())
    }
}

impl Frame {
    /// Goes on to the next step.
    pub fn advance(&mut self) {
        self.step += 1;
        self.current = Current::default();
    }

    /// Goes on to the next phase.
    pub fn next_phase(&mut self) {
        self.phase += 1;
        self.step = 0;
        self.in_phase = Tally::default();
    }

    /// Goes on to the next document.
    pub fn next_document(&mut self) {
        self.document += 1;
        self.phase = 0;
        self.in_document = Tally::default();
    }
}

/// Where the state of an execution is kept.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
    file: PathBuf,
    digest: String,
}

impl Store {
    /// The store of a request. Nothing is read or written yet.
    pub fn of(request: &Request) -> Result<Self, StateError> {
        let id = &request.execution_id;
        let legal = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if id.is_empty() || id.len() > 128 || id.starts_with('.') || !id.bytes().all(legal) {
            return Err(StateError::Id(id.clone()));
        }
        let directory = PathBuf::from(&request.state_directory);
        let file = directory.join(format!("{id}.json"));
        Ok(Self { directory, file, digest: digest(request) })
    }

    /// The state of an execution that has come this far.
    pub fn state(&self, frame: Frame, secrets: Secrets) -> State {
        State { schema: SCHEMA, digest: self.digest.clone(), frame, secrets }
    }

    /// The state that was saved; a fresh one if there is none.
    pub fn load(&self) -> Result<State, StateError> {
        let bytes = match fs::read(&self.file) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(self.state(Frame::default(), Secrets::default()));
            }
            Err(source) => return Err(self.failed("read", source)),
        };
        let unreadable = |reason: String| StateError::Unreadable { path: self.file.clone(), reason };
        let state: State = serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?;
        if state.schema != SCHEMA {
            return Err(unreadable(format!("version {}", state.schema)));
        }
        if state.digest != self.digest {
            return Err(StateError::Foreign(self.file.clone()));
        }
        Ok(state)
    }

    /// Saves a state: after a crash either the old or the new one is there. Only the owner can read it, because it
    /// holds what steps have printed.
    pub fn save(&self, state: &State) -> Result<(), StateError> {
        let failed = |source| self.failed("written", source);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.directory).map_err(failed)?;
        let temporary = self.file.with_extension("json.new");
        let bytes = serde_json::to_vec(state).map_err(|error| failed(io::Error::other(error)))?;
        let mut options = fs::OpenOptions::new();
        let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&temporary).map_err(failed)?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(failed)?;
        fs::rename(&temporary, &self.file).map_err(failed)
    }

    /// Removes what was saved, if anything was.
    pub fn clear(&self) -> Result<(), StateError> {
        match fs::remove_file(&self.file) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(self.failed("removed", source)),
            _ => Ok(()),
        }
    }

    fn failed(&self, what: &'static str, source: io::Error) -> StateError {
        StateError::Io { path: self.file.clone(), what, source }
    }
}

/// What must be the same for a saved state to be continued.
fn digest(request: &Request) -> String {
    let text = serde_json::to_vec(&(&request.documents, &request.phases)).unwrap_or_default();
    hex(&Sha256::digest(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn request(directory: &str, id: &str) -> Request {
        Request {
            execution_id: id.into(),
            documents: vec![],
            phases: vec!["build".into()],
            state_directory: directory.into(),
            working_directory: "/".into(),
            ..Request::default()
        }
    }

    #[test]
    fn saved_loaded_and_cleared() {
        let directory = tempfile::tempdir().unwrap();
        let inside = directory.path().join("a/b");
        let request = request(inside.to_str().unwrap(), "one");
        let store = Store::of(&request).unwrap();
        let mut state = store.load().unwrap();
        assert_eq!((state.frame.step, state.frame.current.attempt), (0, 1));
        state.frame.step = 7;
        store.save(&state).unwrap();
        assert_eq!(store.load().unwrap(), state);
        assert_eq!(fs::metadata(inside.join("one.json")).unwrap().permissions().mode() & 0o777, 0o600);
        store.clear().unwrap();
        store.clear().unwrap();
        assert_eq!(fs::read_dir(&inside).unwrap().count(), 0);
        assert_eq!(store.load().unwrap().frame.step, 0);
    }

    #[test]
    fn what_is_not_ours_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let mut request = request(directory.path().to_str().unwrap(), "one");
        let store = Store::of(&request).unwrap();
        store.save(&store.load().unwrap()).unwrap();
        request.phases.push("validate".into());
        assert!(matches!(Store::of(&request).unwrap().load(), Err(StateError::Foreign(_))));
        fs::write(directory.path().join("one.json"), b"{").unwrap();
        assert!(matches!(store.load(), Err(StateError::Unreadable { .. })));
        fs::write(directory.path().join("one.json"), br#"{"schema":1}"#).unwrap();
        assert!(matches!(store.load(), Err(StateError::Unreadable { .. })));
    }

    #[test]
    fn ids_that_leave_the_directory_are_refused() {
        for id in ["", "../x", "a/b", ".hidden", "a b", &"x".repeat(129)] {
            assert!(matches!(Store::of(&request("/tmp", id)), Err(StateError::Id(_))), "{id}");
        }
    }
}

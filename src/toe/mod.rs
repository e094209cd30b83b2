//! `awstoe`, played by amiforge: documents run on this machine or checked, by the same arguments and with the same answers
//! (reference/component-documents.md section 10).

mod config;
mod documents;
mod error;

pub use config::{ConfigError, ConfigFile};
pub use documents::{Loaded, Wanted, check, load, refuse_unrunnable};
pub use error::ToeError;

use crate::clock::Clock;
use crate::component::rules::{Levels, Target};
use crate::diagnostic::Diagnostic;
use crate::runner::host::{self, HostError, Stop};
use crate::runner::output::{JunitReport, Recorder, folder_name};
use crate::runner::outside::Outside;
use crate::runner::{DocumentRequest, Request, RunEvent, Summary};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// A run on this machine.
#[derive(Debug, Clone)]
pub struct Order {
    /// Documents in order.
    pub documents: Vec<Wanted>,
    /// Phases to run; all when empty.
    pub phases: Vec<String>,
    /// Values for the parameters of all documents that have them, over those of a single document.
    pub parameters: BTreeMap<String, String>,
    /// Where the folder of the run is made.
    pub log_directory: PathBuf,
    /// Where state is kept across restarts.
    pub state_directory: PathBuf,
    /// Working directory of steps.
    pub working_directory: PathBuf,
    /// Names the run.
    pub execution_id: String,
    /// Action modules that no document may use.
    pub blocked: Vec<String>,
    /// The account that must own the bucket of documents in S3.
    pub document_owner: Option<String>,
    /// The whole environment of commands.
    pub environment: BTreeMap<String, String>,
}

/// A run that may begin: documents read and checked, values given to those who want them.
#[derive(Debug)]
pub struct Ready {
    request: Request,
    log_directory: PathBuf,
    /// What the user should know before it begins.
    pub notes: Vec<String>,
    /// Findings that do not keep it from running.
    pub warnings: Vec<Diagnostic>,
}

/// How it ended.
#[derive(Debug)]
pub struct Outcome {
    /// The result.
    pub summary: Summary,
    /// The folder with its files.
    pub log: PathBuf,
    /// What of the files could not be written.
    pub fault: Option<String>,
}

/// Reads and checks everything. Nothing of it runs, and nothing is written.
///
/// # Errors
/// Whatever would make the run meaningless: documents that cannot be had or have errors, blocked actions, values nobody wants.
pub fn prepare(order: &Order, outside: &mut dyn Outside) -> Result<Ready, ToeError> {
    let loaded = load(&order.documents, order.document_owner.as_deref(), outside)?;
    let target = Target { standalone: true, platform: Some(documents::HERE), ..Target::default() };
    let warnings = check(&loaded, &target, &Levels::default(), &order.blocked)?;
    refuse_unrunnable(&loaded)?;
    let documents = with_parameters(&loaded, &order.parameters)?;
    let (phases, notes) = phases(&loaded, &order.phases);
    let text = |path: &PathBuf| path.display().to_string();
    let request = Request {
        execution_id: order.execution_id.clone(),
        documents,
        phases,
        state_directory: text(&order.state_directory),
        working_directory: text(&order.working_directory),
        environment: order.environment.clone(),
        blocked_modules: order.blocked.clone(),
        ..Request::default()
    };
    Ok(Ready { request, log_directory: order.log_directory.clone(), notes, warnings })
}

/// The phases to run. One that no document has is no error, as with awstoe, but it is said.
fn phases(loaded: &[Loaded], wanted: &[String]) -> (Vec<String>, Vec<String>) {
    let has: BTreeSet<&str> = loaded.iter().flat_map(Loaded::phases).collect();
    if wanted.is_empty() {
        return (has.into_iter().map(str::to_owned).collect(), Vec::new());
    }
    let missing = wanted.iter().filter(|phase| !has.contains(phase.as_str()));
    let notes = missing.map(|phase| format!("no document has a phase `{phase}`; it runs nothing")).collect();
    (wanted.to_vec(), notes)
}

/// Gives each document the values it has parameters for.
fn with_parameters(loaded: &[Loaded], common: &BTreeMap<String, String>) -> Result<Vec<DocumentRequest>, ToeError> {
    let known: BTreeSet<&str> = loaded.iter().flat_map(Loaded::parameters).collect();
    if let Some(name) = common.keys().find(|name| !known.contains(name.as_str())) {
        let near = crate::diagnostic::suggest(name, known.iter().copied()).map(str::to_owned);
        return Err(ToeError::Parameter { name: name.clone(), near });
    }
    let documents = loaded.iter().map(|document| {
        let mut parameters = document.given.clone();
        let wanted = |name: &&str| common.contains_key(*name);
        parameters.extend(document.parameters().filter(wanted).map(|name| (name.to_owned(), common[name].clone())));
        DocumentRequest { name: document.source.name.clone(), text: document.source.text.clone(), parameters }
    });
    Ok(documents.collect())
}

impl Ready {
    /// Names the run.
    pub fn execution_id(&self) -> &str {
        &self.request.execution_id
    }

    /// Where state is kept across restarts.
    pub fn state_directory(&self) -> &str {
        &self.request.state_directory
    }

    /// Runs it on this machine, which changes the machine. A restart that it needs is not made: the summary then says
    /// [`RebootRequired`](crate::runner::RunStatus::RebootRequired), and the same order goes on after it. What happens is
    /// written to the log, collected in `junit`, and told.
    ///
    /// # Errors
    /// The log cannot be begun, or there is no result. A step that fails is a result.
    pub fn run(
        &self,
        outside: &mut dyn Outside,
        clock: &Clock,
        stop: &Stop,
        junit: &mut JunitReport,
        tell: &mut dyn FnMut(&RunEvent),
    ) -> Result<Outcome, ToeError> {
        let id = &self.request.execution_id;
        let folder = self.log_directory.join(folder_name(clock.now(), id));
        let mut recorder = Recorder::create(&folder, id, &self.request.documents, clock)
            .map_err(|source| ToeError::Log { path: folder.clone(), source })?;
        let ended = host::run(&self.request, outside, stop, &mut |event| {
            recorder.event(event);
            junit.event(event);
            tell(event);
        });
        match ended {
            Ok(summary) => Ok(Outcome { summary, log: folder, fault: recorder.fault().map(str::to_owned) }),
            Err(error) => {
                recorder.broken(&error.to_string());
                junit.broken(&error.to_string());
                Err(ToeError::Host { error, log: folder })
            }
        }
    }
}

/// What `awstoe run` prints: the summary with the folder of its files.
pub fn summary_json(outcome: &Outcome) -> serde_json::Value {
    let mut value = serde_json::to_value(&outcome.summary).unwrap_or_default();
    value["logUrl"] = outcome.log.display().to_string().into();
    value
}

/// What `awstoe validate` prints. Match on `validationStatus`, never on the message.
pub fn validation_json(names: &[String], checked: &Result<Vec<Diagnostic>, ToeError>) -> serde_json::Value {
    match checked {
        Ok(_) => serde_json::json!({
            "validationStatus": "success",
            "message": format!("Document(s) [{}] is/are valid.", names.join(", ")),
        }),
        Err(error) => serde_json::json!({"validationStatus": "failed", "message": error.to_string()}),
    }
}

/// Whether an error means that the run was ended on request.
pub fn is_interruption(error: &ToeError) -> bool {
    matches!(error, ToeError::Host { error: HostError::Interrupted | HostError::Survivors(_), .. })
}

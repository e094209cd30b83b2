//! The order of things: documents, phases, steps, attempts, and what a failure means for the rest.

use super::actions::{self, Done, Machine, StepError};
use super::capture::Sink;
use super::clean;
use super::model::{Request, RunEvent, RunStatus, StepFailure, StepPlace, StepStatus, Stream, Summary};
use super::outside::Outside;
use super::process::Limit;
use super::state::{State, Store};
use super::values::{self, Record, Records, Scope};
use crate::component::model::{Document, OnFailure, Phase, Step};
use crate::component::{self, runnable};
use crate::diagnostic::{Severity, SourceFile, render};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// How often one step may ask for a reboot. The SSM Agent, which restarts awstoe on AWS, gives up after 15 tries of the
/// same command (its setting `Mds.CommandRetryLimit`).
const MOST_REBOOTS: u32 = 15;

/// Executes a request and tells `on_event` what happens; the last event is [`RunEvent::Finished`] with the same summary.
///
/// Nothing runs if a document does not parse, needs something that is not executed locally yet, or is given parameters
/// that do not fit. After [`RunStatus::RebootRequired`] the same request continues where it stopped.
pub fn run(request: &Request, outside: &mut dyn Outside, on_event: &mut dyn FnMut(RunEvent)) -> Summary {
    run_on(Path::new("/"), request, outside, on_event)
}

/// As [`run`], on a machine whose own files (users, package manager state) are below `root`.
pub(super) fn run_on(
    root: &Path,
    request: &Request,
    outside: &mut dyn Outside,
    on_event: &mut dyn FnMut(RunEvent),
) -> Summary {
    let summary = match prepare(root, request) {
        Ok(mut execution) => execution.run(outside, on_event),
        Err(message) => Summary::refused(&request.execution_id, message),
    };
    on_event(RunEvent::Finished { summary: summary.clone() });
    summary
}

/// A document that can be executed.
struct Loaded {
    name: String,
    source: Arc<SourceFile>,
    document: Document,
    parameters: BTreeMap<String, String>,
}

/// A step to run: document, phase and step by number.
type Work = (usize, usize, usize);

struct Execution<'a> {
    request: &'a Request,
    documents: Vec<Loaded>,
    work: Vec<Work>,
    machine: Machine,
    store: Store,
    state: State,
}

/// Where the execution goes after a step.
enum Next {
    Step,
    Stop,
    Reboot,
}

/// Checks all that can be checked before anything runs.
fn prepare<'a>(root: &Path, request: &'a Request) -> Result<Execution<'a>, String> {
    let store = Store::of(request).map_err(|error| error.to_string())?;
    let documents = request.documents.iter().map(load).collect::<Result<Vec<_>, _>>()?;
    let mut work = Vec::new();
    for (number, loaded) in documents.iter().enumerate() {
        for (at, phase) in loaded.document.phases.iter().enumerate() {
            if request.phases.contains(&phase.name) {
                work.extend((0..phase.steps.len()).map(|step| (number, at, step)));
            }
        }
    }
    let machine = Machine {
        root: root.to_owned(),
        directory: PathBuf::from(&request.working_directory),
        environment: request.environment.clone(),
    };
    let state = store.load().map_err(|error| error.to_string())?;
    clean::adopt_orphans().map_err(|errno| format!("cannot take charge of orphaned processes: {errno}"))?;
    Ok(Execution { request, documents, work, machine, store, state })
}

fn load(request: &super::DocumentRequest) -> Result<Loaded, String> {
    let name = request.name.clone();
    let source = SourceFile::new(name.as_str(), request.text.as_str());
    let parsed = component::parse(&source);
    let Some(document) = parsed.document else {
        let errors: Vec<_> =
            parsed.diagnostics.into_iter().filter(|diagnostic| diagnostic.severity == Severity::Error).collect();
        return Err(format!(
            "Document {name} failed! It is not valid, so nothing was run.\n{}",
            render::text(&errors, false)
        ));
    };
    let refused = runnable(&document, &source);
    if !refused.is_empty() {
        return Err(format!("Document {name} failed! Nothing was run.\n{}", render::text(&refused, false)));
    }
    check_parameters(&name, &document, &request.parameters)?;
    Ok(Loaded { name, source, document, parameters: request.parameters.clone() })
}

/// The checks that `CreateImageRecipe` makes: no unknown parameters, none missing.
fn check_parameters(name: &str, document: &Document, given: &BTreeMap<String, String>) -> Result<(), String> {
    let declared = |name: &String| document.parameters.iter().any(|parameter| &parameter.name == name);
    let unknown: Vec<&str> = given.keys().filter(|name| !declared(name)).map(String::as_str).collect();
    if !unknown.is_empty() {
        let unknown = unknown.join(", ");
        return Err(format!(
            "Document {name} failed! The following parameters are not defined in the provided component: {unknown}"
        ));
    }
    let missing = document.parameters.iter().filter(|parameter| parameter.default.is_none());
    let missing: Vec<&str> =
        missing.map(|parameter| parameter.name.as_str()).filter(|name| !given.contains_key(*name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let missing = missing.join(", ");
    Err(format!(
        "Document {name} failed! Nothing was run: these parameters have neither a value nor a default: {missing}"
    ))
}

impl Execution<'_> {
    fn run(&mut self, outside: &mut dyn Outside, on_event: &mut dyn FnMut(RunEvent)) -> Summary {
        while let Some(&work) = self.work.get(self.state.position) {
            match self.step(work, outside, on_event) {
                Next::Step => self.state.advance(),
                Next::Stop => break,
                Next::Reboot => return self.summary(RunStatus::RebootRequired),
            }
        }
        let status = match (self.state.failed, self.state.timed_out) {
            (0, _) => RunStatus::Success,
            (_, true) => RunStatus::TimedOut,
            (_, false) => RunStatus::Failed,
        };
        let mut summary = self.summary(status);
        if let Err(error) = self.store.clear() {
            // Left behind, it would make the next execution of this id begin in the middle.
            summary.status = RunStatus::Failed;
            let space = if summary.failure_message.is_empty() { "" } else { " " };
            summary.failure_message.extend([space, &error.to_string()]);
        }
        summary
    }

    fn summary(&self, status: RunStatus) -> Summary {
        let failure_message = self.state.failure.as_ref().map_or_else(String::new, |failure| {
            format!(
                "Document {} failed! Step {} of phase {} ({}): {}",
                failure.document, failure.step, failure.phase, failure.action, failure.message
            )
        });
        Summary {
            execution_id: self.request.execution_id.clone(),
            status,
            failed_step_count: self.state.failed,
            executed_step_count: self.state.executed,
            ignored_failed_step_count: self.state.ignored,
            // Steps are skipped by `if` only, which is refused for now.
            skipped_step_count: 0,
            failure_message,
            failure: self.state.failure.clone(),
        }
    }

    /// Runs a step with all its attempts.
    fn step(
        &mut self,
        (number, at, step_at): Work,
        outside: &mut dyn Outside,
        on_event: &mut dyn FnMut(RunEvent),
    ) -> Next {
        let phase = self.documents[number].document.phases[at].clone();
        let step = phase.steps[step_at].clone();
        let quiet = self.documents[number].document.disable_logging || phase.disable_logging || step.disable_logging;
        loop {
            on_event(self.started(number, &phase, &step));
            let begun = Instant::now();
            let mut sink = Sink::new(on_event, quiet);
            let outcome = self.attempt(number, &phase, &step, outside, &mut sink);
            if let Err(error) = &outcome
                && self.state.attempt < step.max_attempts
            {
                let attempt = self.state.attempt;
                let line = format!("amiforge: attempt {attempt} of {} failed: {error}", step.max_attempts);
                sink.line(Stream::Stderr, line);
                self.state.attempt += 1;
                continue;
            }
            let last_lines = sink.last_lines();
            let seconds = begun.elapsed().as_secs_f64();
            let (place, attempts) = (self.place(number, &phase, &step), self.state.attempt);
            let lines = last_lines.clone();
            let mut finished = |status, message| {
                on_event(RunEvent::StepFinished {
                    place: place.clone(),
                    status,
                    seconds,
                    message,
                    attempts,
                    last_lines: lines.clone(),
                    inputs: Vec::new(),
                    outputs: Vec::new(),
                    repeat: None,
                });
            };
            return match outcome {
                Ok(Done::Finished) => {
                    finished(StepStatus::Success, None);
                    self.state.executed += 1;
                    Next::Step
                }
                Ok(Done::RebootThenAgain) => Next::Reboot,
                Ok(Done::RebootThenNext) => {
                    finished(StepStatus::Success, None);
                    Next::Reboot
                }
                Err(error) => {
                    let status = self.failed(number, &phase, &step, &error, last_lines);
                    finished(status, Some(error.to_string()));
                    if step.on_failure == OnFailure::Abort { Next::Stop } else { Next::Step }
                }
            };
        }
    }

    fn started(&self, number: usize, phase: &Phase, step: &Step) -> RunEvent {
        RunEvent::StepStarted {
            place: self.place(number, phase, step),
            attempt: self.state.attempt,
            timeout_seconds: step.timeout.map_or(-1, |limit| i64::try_from(limit.as_secs()).unwrap_or(i64::MAX)),
            on_failure: format!("{:?}", step.on_failure),
            max_attempts: step.max_attempts,
        }
    }

    fn place(&self, number: usize, phase: &Phase, step: &Step) -> StepPlace {
        let loaded = &self.documents[number];
        StepPlace {
            document: loaded.name.clone(),
            phase: phase.name.clone(),
            step: step.name.clone(),
            action: step.module.name.to_owned(),
            line: loaded.source.line_column(step.span.start).0,
        }
    }

    /// Runs a step once. Before a reboot the state is saved, so that the machine is never restarted without it.
    fn attempt(
        &mut self,
        number: usize,
        phase: &Phase,
        step: &Step,
        outside: &mut dyn Outside,
        sink: &mut Sink<'_>,
    ) -> Result<Done, StepError> {
        let nothing = Records::new();
        let loaded = &self.documents[number];
        let scope = Scope {
            document: &loaded.document,
            parameters: &loaded.parameters,
            records: self.state.records.get(&number).unwrap_or(&nothing),
        };
        let limit = Limit::starting_now(step.timeout);
        let inputs = scope.inputs(step);
        let (done, record) = match inputs {
            Err(error) => (Err(StepError::from(error)), Record::default()),
            Ok(inputs) => {
                let outcome = actions::execute(step.module.action, &inputs, &self.machine, outside, limit, sink);
                let inputs = inputs.iter().map(values::Inputs::record).collect();
                match outcome {
                    Ok((done, outputs)) => (Ok(done), Record { inputs, outputs, succeeded: true }),
                    Err(error) => (Err(error), Record { inputs, ..Record::default() }),
                }
            }
        };
        self.state.records.entry(number).or_default().insert(values::key(&phase.name, &step.name), record);
        match done? {
            Done::Finished => Ok(Done::Finished),
            Done::RebootThenAgain => {
                self.state.reboots += 1;
                if self.state.reboots > MOST_REBOOTS {
                    return Err(StepError::Failed(format!("it asked for a reboot more than {MOST_REBOOTS} times")));
                }
                self.store.save(&self.state)?;
                Ok(Done::RebootThenAgain)
            }
            Done::RebootThenNext => {
                let mut next = self.state.clone();
                next.advance();
                next.executed += 1;
                self.store.save(&next)?;
                self.state = next;
                Ok(Done::RebootThenNext)
            }
        }
    }

    /// Counts a failure and keeps the first that is not ignored.
    fn failed(
        &mut self,
        number: usize,
        phase: &Phase,
        step: &Step,
        error: &StepError,
        last_lines: Vec<String>,
    ) -> StepStatus {
        self.state.executed += 1;
        if step.on_failure == OnFailure::Ignore {
            self.state.ignored += 1;
            return StepStatus::IgnoredFailure;
        }
        let timed_out = matches!(error, StepError::TimedOut { .. });
        let loaded = &self.documents[number];
        if self.state.failure.is_none() {
            self.state.timed_out = timed_out;
            self.state.failure = Some(StepFailure {
                document: loaded.name.clone(),
                phase: phase.name.clone(),
                step: step.name.clone(),
                action: step.module.name.to_owned(),
                line: loaded.source.line_column(step.span.start).0,
                message: error.to_string(),
                last_lines,
            });
        }
        self.state.failed += 1;
        if timed_out { StepStatus::TimedOut } else { StepStatus::Failed }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

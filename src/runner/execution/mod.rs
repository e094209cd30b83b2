//! The order of things: documents, phases, steps, and what a failure means for the rest.

mod load;
mod nested;
mod repeat;
mod step;

use super::actions::Machine;
use super::clean;
use super::model::{Request, RunEvent, RunStatus, Summary};
use super::outside::Outside;
use super::secrets::Secrets;
use super::state::{Child, Frame, State, StateError, Store};
use super::visible;
use crate::component::model::Phase;
use load::Loaded;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// How often one step may ask for a reboot. The SSM Agent, which restarts awstoe on AWS, gives up after 15 tries of the
/// same command (its setting `Mds.CommandRetryLimit`).
pub(super) const MOST_REBOOTS: u32 = 15;

/// Executes a request and tells `on_event` what happens; the last event is [`RunEvent::Finished`] with the same summary.
/// What is beyond the machine is asked of `outside`.
///
/// Nothing runs if a document is refused by the language or the service, needs something that Linux does not have, uses a
/// module that is blocked, or is given parameters that do not fit. After [`RunStatus::RebootRequired`] the same request
/// continues where it stopped.
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
    let summary = match prepare(root, request, outside) {
        Ok((mut execution, mut world)) => execution.run_and_clear(&mut world, on_event),
        Err(message) => Summary::refused(&request.execution_id, visible::lines(&message).into_owned()),
    };
    on_event(RunEvent::Finished { summary: summary.clone() });
    summary
}

/// What all levels of an execution share.
pub(super) struct World<'a> {
    request: &'a Request,
    machine: Machine,
    outside: &'a mut dyn Outside,
    secrets: Secrets,
    store: Store,
}

/// The documents of one level at work: those of the request, or the one that a step executes.
pub(super) struct Execution {
    /// Id of this execution.
    id: String,
    documents: Vec<Rc<Loaded>>,
    /// Phases to run; empty for all.
    phases: Vec<String>,
    frame: Frame,
    /// The documents around this one, outermost first; empty at the top.
    ancestors: Vec<Rc<Loaded>>,
    /// Whether nothing may be told of it, because the step that executes it says so.
    quiet: bool,
}

/// Where the execution goes after a step.
enum Flow {
    On,
    Stop,
    Reboot,
}

/// Checks all that can be checked before anything runs.
pub(super) fn prepare<'a>(
    root: &Path,
    request: &'a Request,
    outside: &'a mut dyn Outside,
) -> Result<(Execution, World<'a>), String> {
    let store = Store::of(request).map_err(|error| error.to_string())?;
    let loaded =
        request.documents.iter().map(|document| load::load(document, &document.name, &request.blocked_modules));
    let documents = loaded.map(|loaded| loaded.map(Rc::new)).collect::<Result<Vec<_>, _>>()?;
    let machine = Machine {
        root: root.to_owned(),
        directory: PathBuf::from(&request.working_directory),
        environment: request.environment.clone(),
    };
    let State { frame, secrets, .. } = store.load().map_err(|error| error.to_string())?;
    clean::adopt_orphans().map_err(|errno| format!("cannot take charge of orphaned processes: {errno}"))?;
    let execution = Execution {
        id: request.execution_id.clone(),
        documents,
        phases: request.phases.clone(),
        frame,
        ancestors: Vec::new(),
        quiet: false,
    };
    Ok((execution, World { request, machine, outside, secrets, store }))
}

impl Execution {
    /// Runs to the end, or to the next reboot.
    pub(super) fn run_and_clear(&mut self, world: &mut World<'_>, on_event: &mut dyn FnMut(RunEvent)) -> Summary {
        let mut summary = self.run(world, on_event);
        if summary.status == RunStatus::RebootRequired {
            return summary;
        }
        if let Err(error) = world.store.clear() {
            // Left behind, it would make the next execution of this id begin in the middle.
            summary.status = RunStatus::Failed;
            let space = if summary.failure_message.is_empty() { "" } else { " " };
            summary.failure_message.extend([space, &error.to_string()]);
        }
        summary
    }

    fn run(&mut self, world: &mut World<'_>, on_event: &mut dyn FnMut(RunEvent)) -> Summary {
        while let Some(loaded) = self.documents.get(self.frame.document).cloned() {
            let name = loaded.name.clone();
            let description = visible::lines(loaded.document.description.as_deref().unwrap_or_default()).into_owned();
            on_event(RunEvent::DocumentStarted { document: name.clone(), description });
            let flow = self.document(world, &loaded, on_event);
            if matches!(flow, Flow::Reboot) {
                return self.summary(RunStatus::RebootRequired);
            }
            let (status, message) = (self.frame.in_document.status(), self.frame.in_document.message());
            on_event(RunEvent::DocumentFinished { document: name, status, message });
            if matches!(flow, Flow::Stop) {
                // That later documents are not started is UNCONFIRMED (component-documents.md 4.3).
                break;
            }
            self.frame.next_document();
        }
        let status = match (self.frame.counts.failed, self.frame.timed_out) {
            (0, _) => RunStatus::Success,
            (_, true) => RunStatus::TimedOut,
            (_, false) => RunStatus::Failed,
        };
        self.summary(status)
    }

    /// Runs the phases of a document that were asked for, in the order of the document.
    fn document(&mut self, world: &mut World<'_>, loaded: &Rc<Loaded>, on_event: &mut dyn FnMut(RunEvent)) -> Flow {
        while let Some(phase) = loaded.document.phases.get(self.frame.phase) {
            if self.phases.is_empty() || self.phases.contains(&phase.name) {
                let (document, name) = (loaded.name.clone(), phase.name.clone());
                on_event(RunEvent::PhaseStarted { document: document.clone(), phase: name.clone() });
                let flow = self.phase(world, loaded, phase, on_event);
                if matches!(flow, Flow::Reboot) {
                    return flow;
                }
                let (status, message) = (self.frame.in_phase.status(), self.frame.in_phase.message());
                on_event(RunEvent::PhaseFinished { document, phase: name, status, message });
                if matches!(flow, Flow::Stop) {
                    return flow;
                }
            }
            self.frame.next_phase();
        }
        Flow::On
    }

    fn phase(
        &mut self,
        world: &mut World<'_>,
        loaded: &Rc<Loaded>,
        phase: &Phase,
        on_event: &mut dyn FnMut(RunEvent),
    ) -> Flow {
        while let Some(step) = phase.steps.get(self.frame.step) {
            match self.step(world, &step::At { loaded, phase, step }, on_event) {
                Flow::On => self.frame.advance(),
                flow => return flow,
            }
        }
        Flow::On
    }

    fn summary(&self, status: RunStatus) -> Summary {
        let failure_message = self.frame.failure.as_ref().map_or_else(String::new, |failure| {
            format!(
                "Document {} failed! Step {} of phase {} ({}): {}",
                failure.document, failure.step, failure.phase, failure.action, failure.message
            )
        });
        let counts = self.frame.counts;
        Summary {
            execution_id: self.id.clone(),
            status,
            failed_step_count: counts.failed,
            executed_step_count: counts.executed,
            ignored_failed_step_count: counts.ignored,
            skipped_step_count: counts.skipped,
            failure_message,
            failure: self.frame.failure.clone(),
        }
    }

    /// Gives a step of the first phase of the first document a time limit that no document could give.
    #[cfg(test)]
    pub(super) fn limit(&mut self, step: usize, limit: std::time::Duration) {
        let loaded = Rc::get_mut(&mut self.documents[0]).expect("nothing has begun");
        loaded.document.phases[0].steps[step].timeout = Some(limit);
    }

    /// Saves how far it has come, before a reboot. A nested document does not save: the step that executes it takes its
    /// frame along, and nothing else happens on the way up to the top.
    fn save(&self, world: &World<'_>) -> Result<(), StateError> {
        if !self.ancestors.is_empty() {
            return Ok(());
        }
        world.store.save(&world.store.state(self.frame.clone(), world.secrets.clone()))
    }
}

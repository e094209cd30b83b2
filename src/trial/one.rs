//! One trial: the build stage in a fresh instance, its layer, the test stage in a new instance of the result.

use super::error::sandbox_exit;
use super::explain::Explainer;
use super::fact::{self, Fact};
use super::keep::{Kept, Shelf};
use super::matrix::Trial;
use super::place::Place;
use super::record::{Recorder, Status};
use super::result::{Left, Outcome, Reason, TrialResult};
use super::roots::RootError;
use super::run::Context;
use super::{TEST_PHASE, sanitize};
use crate::clock::rfc3339;
use crate::drive::{DriveError, Told, drive};
use crate::runner::outside::{Nowhere, Outside};
use crate::runner::table::Table;
use crate::runner::{DocumentRequest, Request, RunEvent, RunStatus, Summary};
use crate::sandbox::root::{self, Obtained};
use crate::sandbox::{self, Exit, First, Instance, Line, SandboxError, Spec, VM_PATIENCE, Vm, VmSpec};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Where the runner keeps its state in the instance; part of what is removed before the image is made.
const STATE_DIRECTORY: &str = "/var/lib/amazon/toe/state";
/// Working directory of steps, the service's default.
const WORKING_DIRECTORY: &str = "/tmp";
/// Longer than this nobody cleans.
const CLEANING: Duration = Duration::from_mins(10);

/// Why a stage did not come to its end.
enum Stopped {
    /// Somebody wanted it so.
    Interrupted,
    /// For this reason.
    Because(Box<Reason>),
}

/// One trial that is being run.
pub(super) struct One<'a> {
    context: &'a Context,
    trial: &'a Trial,
    place: Place,
    recorder: Recorder,
    facts: Vec<Fact>,
    notes: Vec<String>,
    /// The instance of the last stage, stopped, its stage, and the layers it stands on.
    last: Option<(Instance, &'static str, Vec<PathBuf>)>,
    /// The layer of the build stage.
    layer: Option<PathBuf>,
    root: Option<Arc<Obtained>>,
}

/// Runs a trial to its result.
pub(super) fn run(context: &Context, trial: &Trial) -> TrialResult {
    let mut result = blank(trial);
    if let Some(why) = &trial.skip {
        result.outcome = Outcome::Skipped;
        result.notes.push(why.clone());
        return result;
    }
    let mut one = One {
        context,
        trial,
        place: Place::new(&context.world.state),
        recorder: Recorder::new(&trial.documents, &context.options.phases),
        facts: vec![],
        notes: vec![],
        last: None,
        layer: None,
        root: None,
    };
    let (ended, begun) = match one.root() {
        Ok(layers) => {
            let begun = Instant::now();
            (one.stages(layers), begun)
        }
        Err(stopped) => (Err(stopped), Instant::now()),
    };
    let ended = ended.and_then(|()| one.judge());
    (result.outcome, result.reason) = match ended {
        Ok(()) => (Outcome::Passed, None),
        Err(Stopped::Interrupted) => (Outcome::Interrupted, None),
        Err(Stopped::Because(reason)) if reason.step.is_some() => (Outcome::Failed, Some(*reason)),
        Err(Stopped::Because(reason)) => {
            let outcome = if reason.exit == 6 { Outcome::Failed } else { Outcome::Error };
            (outcome, Some(*reason))
        }
    };
    result.seconds = begun.elapsed().as_secs_f64();
    result.left = one.leave(result.outcome);
    (result.facts, result.notes) = (std::mem::take(&mut one.facts), std::mem::take(&mut one.notes));
    result.steps = one.recorder.into_steps();
    result
}

/// A trial that has not been run.
pub(super) fn blank(trial: &Trial) -> TrialResult {
    TrialResult {
        name: trial.name.clone(),
        subject: trial.subject.clone(),
        kind: trial.kind,
        row: trial.row.clone(),
        root: trial.source.as_ref().map(ToString::to_string).unwrap_or_default(),
        outcome: Outcome::NotRun,
        seconds: 0.0,
        steps: vec![],
        facts: vec![],
        notes: vec![],
        reason: None,
        left: None,
    }
}

impl One<'_> {
    fn explainer(&self) -> Explainer<'_> {
        Explainer {
            trial: self.trial,
            kept: self.context.options.keep.then(|| self.trial.name.clone()),
            offline: self.context.options.network == sandbox::Network::Loopback,
            vm: self.context.options.vm,
        }
    }

    fn broken(&self, message: &str, exit: u8) -> Stopped {
        Stopped::Because(Box::new(self.explainer().broken(message, exit)))
    }

    fn sandbox(&self, what: &str, error: &SandboxError) -> Stopped {
        if self.context.stop.is_stopped() {
            return Stopped::Interrupted;
        }
        self.broken(&format!("{what}: {error}"), sandbox_exit(error))
    }

    /// The layers of the root, which stays in use.
    fn root(&mut self) -> Result<Vec<PathBuf>, Stopped> {
        let Some(source) = &self.trial.source else { return Err(self.broken("it has no root", 1)) };
        let (events, lane) = (self.context.events.clone(), self.trial.name.clone());
        self.context.progress(&self.trial.name, format!("waiting for the root: {source}"));
        let said = move |line: String| events.lane_progress(&lane, format!("root: {line}"));
        let root = self.context.roots.obtain(source, &self.context.stop, said).map_err(|error| match error {
            RootError::Stopped => Stopped::Interrupted,
            RootError::Failed(error) => self.sandbox("the root could not be made", &error),
        })?;
        self.notes.extend(root.notes.iter().cloned());
        let layers = vec![root.path.clone()];
        self.root = Some(root);
        Ok(layers)
    }

    /// Both stages, as far as there is something to do in them.
    fn stages(&mut self, mut layers: Vec<PathBuf>) -> Result<(), Stopped> {
        let (test, build): (Vec<String>, Vec<String>) =
            self.context.options.phases.iter().cloned().partition(|phase| phase == TEST_PHASE);
        let has = |phases: &[String]| self.trial.documents.iter().any(|document| document.has(phases));
        let (builds, tests) = (has(&build), has(&test));
        if builds {
            self.stage("build", &layers, &build)?;
            if tests {
                layers.insert(0, self.image()?);
            }
        }
        if tests {
            self.stage(TEST_PHASE, &layers, &test)?;
        }
        Ok(())
    }

    /// Runs the phases of a stage in a fresh instance.
    fn stage(&mut self, stage: &'static str, layers: &[PathBuf], phases: &[String]) -> Result<(), Stopped> {
        if stage == TEST_PHASE && self.context.options.vm {
            return self.on_machine(layers, phases);
        }
        self.context.progress(&self.trial.name, format!("starting the {stage} instance"));
        let spec = self.spec(stage, layers);
        let instance =
            self.context.options.start(spec).map_err(|error| self.sandbox("the instance did not start", &error))?;
        let watched = self.context.stop.watch(&instance);
        self.facts = instance.facts();
        self.note(&instance.notes());
        let result = self.carry_out(&instance, stage, phases);
        drop(watched);
        // The last job may have left processes; what is captured or kept is at rest. The build stage's own instance is
        // needed once more, to be cleaned.
        if result.is_err() || stage == TEST_PHASE {
            instance.stop();
        }
        self.last = Some((instance, stage, layers.to_vec()));
        result
    }

    /// Runs the phases of the test stage on a machine with the image's own kernel.
    fn on_machine(&mut self, layers: &[PathBuf], phases: &[String]) -> Result<(), Stopped> {
        self.context.progress(&self.trial.name, "starting the image with its own kernel");
        let options = &self.context.options;
        let spec = VmSpec {
            layers: layers.to_vec(),
            scratch: self.place.scratch("vm"),
            offline: options.network == sandbox::Network::Loopback,
            memory: options.limits.memory,
            disk: options.limits.disk,
            patience: VM_PATIENCE,
        };
        let watched = self.context.stop.token();
        let started = Vm::start(&spec, &mut |killer| watched.on_stop(move || killer.kill()));
        let machine = started.map_err(|error| self.sandbox("the machine did not start", &error))?;
        self.facts = machine.facts();
        self.note(machine.notes());
        self.carry_out(&machine, TEST_PHASE, phases)
    }

    fn note(&mut self, notes: &[String]) {
        for note in notes {
            if !self.notes.contains(note) {
                self.notes.push(note.clone());
            }
        }
    }

    /// Has the documents executed in a place, to a verdict.
    fn carry_out(
        &mut self,
        place: &dyn crate::drive::Place,
        stage: &'static str,
        phases: &[String],
    ) -> Result<(), Stopped> {
        let options = &self.context.options;
        let beyond: Box<dyn Outside + Send> = match options.network {
            sandbox::Network::Host => (self.context.world.outside)(),
            // Without a network nothing is to be had, by no way around it.
            sandbox::Network::Loopback => Box::new(Nowhere),
        };
        let mut outside = Table::before(options.values.clone(), beyond);
        let (request, limit) = (self.request(stage, phases), options.timeout);
        let ended = drive(place, &request, &mut outside, limit, &mut |told| self.heard(told));
        self.verdict(ended)
    }

    fn spec(&self, stage: &str, layers: &[PathBuf]) -> Spec {
        let options = &self.context.options;
        Spec {
            hostname: "amiforge-test".to_owned(),
            layers: layers.to_vec(),
            scratch: self.place.scratch(stage),
            network: options.network,
            inject: sandbox::host::package_settings(),
            bind: self.context.world.bind.clone(),
            first: First::System,
            limits: options.limits,
        }
    }

    fn request(&self, stage: &str, phases: &[String]) -> Request {
        let documents = self.trial.documents.iter().filter(|document| document.has(phases));
        let documents = documents.map(|document| DocumentRequest {
            name: document.name.clone(),
            text: document.source.text.clone(),
            parameters: document.parameters.clone(),
        });
        Request {
            execution_id: format!("amiforge-test-{stage}"),
            documents: documents.collect(),
            phases: phases.to_vec(),
            state_directory: STATE_DIRECTORY.to_owned(),
            working_directory: WORKING_DIRECTORY.to_owned(),
            environment: environment(stage),
            ..Request::default()
        }
    }

    fn heard(&mut self, told: Told<'_>) {
        match told {
            Told::Stray(line) => self.context.events.lane_output(&self.trial.name, line),
            Told::Restarted => self.context.progress(&self.trial.name, "restarted"),
            Told::Restarting => self.context.progress(&self.trial.name, "restarting the instance"),
            Told::Event(event) => {
                self.recorder.event(event);
                match event {
                    RunEvent::StepStarted { place, attempt, .. } => {
                        let again = if *attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
                        let text = format!("{}: {}: {}{again}", place.document, place.phase, place.step);
                        self.context.progress(&self.trial.name, text);
                    }
                    RunEvent::Output { line, .. } => self.context.events.lane_output(&self.trial.name, line),
                    _ => {}
                }
            }
        }
    }

    /// What became of a stage.
    fn verdict(&mut self, ended: Result<Summary, DriveError>) -> Result<(), Stopped> {
        let summary = match ended {
            Ok(summary) => summary,
            Err(DriveError::Gone) if self.context.stop.is_stopped() => {
                self.recorder.cut_off(Status::Interrupted, "interrupted");
                return Err(Stopped::Interrupted);
            }
            Err(DriveError::TimedOut { seconds }) => {
                let message = format!("the stage did not end within {seconds} seconds (--timeout)");
                self.recorder.cut_off(Status::TimedOut, &message);
                let reason = self.explainer().too_long(&message, self.recorder.steps());
                return Err(Stopped::Because(Box::new(reason)));
            }
            Err(error) => {
                let message = error.to_string();
                self.recorder.cut_off(Status::Interrupted, &message);
                return Err(self.broken(&message, 6));
            }
        };
        if summary.status == RunStatus::Success {
            return Ok(());
        }
        Err(self.failed(&summary))
    }

    /// The summary names the step; without one the documents were refused as a whole.
    fn failed(&self, summary: &Summary) -> Stopped {
        let steps = self.recorder.steps();
        let named = summary.failure.as_ref().and_then(|failure| {
            let same = |step: &super::StepResult| {
                (&step.document, &step.phase, &step.step) == (&failure.document, &failure.phase, &failure.step)
            };
            steps.iter().position(same)
        });
        let bad =
            named.or_else(|| steps.iter().position(|step| matches!(step.status, Status::Failed | Status::TimedOut)));
        match bad {
            Some(number) => Stopped::Because(Box::new(self.explainer().step(number, &steps[number]))),
            None => self.broken(&summary.failure_message, 6),
        }
    }

    /// Cleans the build instance and takes its layer.
    fn image(&mut self) -> Result<PathBuf, Stopped> {
        self.context.progress(&self.trial.name, "making the image");
        let Some((instance, ..)) = &self.last else { return Err(self.broken("there is no build instance", 1)) };
        let watched = self.context.stop.watch(instance);
        let mut said = String::new();
        let cleaned = instance.run(&sanitize::job(WORKING_DIRECTORY, CLEANING), &mut |line| {
            let (Line::Out(text) | Line::Err(text)) = line;
            said = text;
        });
        drop(watched);
        match cleaned {
            Ok(Exit::Code(0)) => {}
            Ok(exit) => {
                return Err(self.broken(&format!("the build instance could not be cleaned ({exit:?}): {said}"), 6));
            }
            Err(error) => return Err(self.sandbox("the build instance could not be cleaned", &error)),
        }
        instance.power_off();
        let upper = instance.upper().to_owned();
        let layer = self.place.layer().map_err(|error| self.broken(&error.to_string(), error.exit_code()))?;
        root::capture(&upper, &layer, &[]).map_err(|error| self.sandbox("the image could not be made", &error))?;
        self.last = None;
        self.layer = Some(layer.clone());
        Ok(layer)
    }

    /// Whether what was run is enough for a pass.
    fn judge(&mut self) -> Result<(), Stopped> {
        let steps = self.recorder.steps();
        if let Some(left) = steps.iter().find(|step| step.status.is_bad()) {
            let message = format!(
                "the runner says that all is well, but step `{}` of `{}` was {}",
                left.step,
                left.document,
                left.status.word()
            );
            return Err(self.broken(&message, 6));
        }
        if !steps.iter().any(|step| matches!(step.status, Status::Passed | Status::Ignored)) {
            return Err(self.broken("no step was executed, so nothing was tested", 6));
        }
        let unmet = fact::unmet(&self.facts, &self.context.options.required);
        if unmet.is_empty() {
            return Ok(());
        }
        Err(Stopped::Because(Box::new(self.explainer().not_real(&unmet))))
    }

    /// Puts the last instance on the shelf, if it is to be kept.
    fn leave(&mut self, outcome: Outcome) -> Option<Left> {
        let (instance, stage, layers) = self.last.take()?;
        if !self.context.options.keep || outcome == Outcome::Interrupted {
            return None;
        }
        instance.stop();
        let layer = self.layer.take().filter(|_| stage == "test");
        let roots = layers.into_iter().filter(|path| Some(path) != layer.as_ref()).collect();
        let offline = self.context.options.network == sandbox::Network::Loopback;
        let at = rfc3339(self.context.world.clock.now());
        let kept = Kept::new(&self.trial.name, stage, outcome.word(), instance.mode().name(), at, offline, roots);
        let shelf = Shelf::new(&self.context.world.state);
        match shelf.put(&kept, &self.place.scratch(stage), layer.as_deref()) {
            Ok(folder) => {
                // Its root must not be pruned while the instance is on the shelf.
                if let Some(Err(error)) = self.root.as_ref().map(|root| root.pin(&folder)) {
                    self.notes.push(format!("the root of the kept instance may be pruned: {error}"));
                }
                Some(Left {
                    name: kept.name.clone(),
                    enter: format!("amiforge shell {}", kept.name),
                    folder: folder.display().to_string(),
                })
            }
            Err(error) => {
                self.notes.push(format!("the instance could not be kept: {error}"));
                None
            }
        }
    }
}

/// The clean environment of instances without `HOME`, which the service does not set either
/// (component-documents.md section 12). Of what it does set (6.5) only the phase has a meaning here; an image that does
/// not exist has no ARN, and none is made up.
fn environment(stage: &str) -> BTreeMap<String, String> {
    let mut environment = sandbox::environment();
    environment.remove("HOME");
    let phase = if stage == "build" { "BUILDING" } else { "TESTING" };
    environment.insert("IMAGE_PHASE".to_owned(), phase.to_owned());
    environment
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_caller_is_in_the_environment() {
        let environment = environment("build");
        assert_eq!(environment["IMAGE_PHASE"], "BUILDING");
        assert!(!environment.contains_key("HOME") && !environment.contains_key("TMPDIR"));
        assert_eq!(super::environment("test")["IMAGE_PHASE"], "TESTING");
    }
}

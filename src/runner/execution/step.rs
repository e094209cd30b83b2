//! One step: its `if`, its attempts, and what is told of it.

use super::load::Loaded;
use super::{Execution, Flow, MOST_REBOOTS, World};
use crate::component::condition::{Branch, Branching};
use crate::component::model::{OnFailure, Phase, Step};
use crate::component::modules::Action;
use crate::runner::actions::{self, Done, Outputs, StepError};
use crate::runner::capture::Sink;
use crate::runner::conditions;
use crate::runner::model::{LoopResult, RunEvent, StepFailure, StepPlace, StepStatus};
use crate::runner::process::Limit;
use crate::runner::values::{self, Facts, Inputs, Record, Records, Scope, Turn};
use serde_json::Value;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Instant;

/// Where the execution stands.
pub(super) struct At<'a> {
    pub(super) loaded: &'a Rc<Loaded>,
    pub(super) phase: &'a Phase,
    pub(super) step: &'a Step,
}

/// What there is to tell and to remember of an attempt, however it ends.
#[derive(Default)]
pub(super) struct Seen {
    /// Inputs as they are told.
    inputs: Vec<Value>,
    /// Inputs as later steps see them.
    pub(super) record: Vec<BTreeMap<String, String>>,
    /// What it produced, as it is told.
    pub(super) outputs: Vec<Value>,
    /// How its loop went.
    pub(super) repeat: Option<LoopResult>,
}

/// How an attempt, or an iteration of a loop, ended well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Went {
    /// Go on.
    On,
    /// Restart the machine and go on with what was saved of this step.
    Again,
    /// Restart the machine and go on behind it.
    Behind,
}

/// How a step ended.
enum Ending {
    Success,
    Skipped(String),
    Reboot(Went),
    Failed(StepError),
}

impl Execution {
    /// Runs a step with all its attempts.
    pub(super) fn step(&mut self, world: &mut World<'_>, at: &At<'_>, on_event: &mut dyn FnMut(RunEvent)) -> Flow {
        let document = &at.loaded.document;
        let quiet = self.quiet || document.disable_logging || at.phase.disable_logging || at.step.disable_logging;
        let secrets = world.secrets.clone();
        let mut sink = Sink::new(on_event, quiet).knowing(&secrets);
        let mut seen = Seen::default();
        let mut begun = Instant::now();
        sink.event(self.started(at));
        let ending = match self.decide(world, at, &mut sink) {
            Ok(None) => self.attempts(world, at, &mut begun, &mut seen, &mut sink),
            Ok(Some(reason)) => Ending::Skipped(reason),
            Err(error) => Ending::Failed(error),
        };
        self.end(world, at, ending, begun, seen, &mut sink)
    }

    fn started(&self, at: &At<'_>) -> RunEvent {
        let limit = if at.step.module.action == Action::ExecuteDocument { None } else { at.step.timeout };
        RunEvent::StepStarted {
            place: at.loaded.place(at.phase, at.step),
            attempt: self.frame.current.attempt,
            timeout_seconds: limit.map_or(-1, |limit| i64::try_from(limit.as_secs()).unwrap_or(i64::MAX)),
            on_failure: format!("{:?}", at.step.on_failure),
            max_attempts: at.step.max_attempts,
        }
    }

    /// Answers `if`, once, before the first attempt and before the loop (UNCONFIRMED); after a reboot it is not asked
    /// again. A reason is why the step is skipped.
    fn decide(&mut self, world: &mut World<'_>, at: &At<'_>, sink: &mut Sink<'_>) -> Result<Option<String>, StepError> {
        let Some(Branching { condition, then, otherwise, .. }) = &at.step.branching else { return Ok(None) };
        if self.frame.current.decided {
            return Ok(None);
        }
        let quiet = sink.quiet();
        let nothing = Records::new();
        let (mut scope, machine) = self.scope(world, at, None, &nothing, sink);
        let answer = conditions::evaluate(condition, &mut scope, machine)?;
        let (said, unsaid) = if answer.holds { (then, Branch::Execute) } else { (otherwise, Branch::Skip) };
        let branch = said.map_or(unsaid, |(branch, _)| branch);
        let why = if quiet { String::new() } else { format!(": {}", answer.explain()) };
        match branch {
            Branch::Execute => {
                self.frame.current.decided = true;
                Ok(None)
            }
            Branch::Skip => Ok(Some(format!("`if` is {}{why}", answer.holds))),
            // That `onFailure` applies then is UNCONFIRMED (component-documents.md 8.1).
            Branch::Abort => Err(StepError::Failed(format!("`if` is {} and says Abort{why}", answer.holds))),
        }
    }

    fn attempts(
        &mut self,
        world: &mut World<'_>,
        at: &At<'_>,
        begun: &mut Instant,
        seen: &mut Seen,
        sink: &mut Sink<'_>,
    ) -> Ending {
        // Without `if` there is nothing to decide, but from here on the step counts as begun.
        self.frame.current.decided = true;
        loop {
            *begun = Instant::now();
            *seen = Seen::default();
            sink.begin();
            let error = match self.attempt(world, at, seen, sink) {
                Ok(Went::On) => return sink.skipped().map_or(Ending::Success, Ending::Skipped),
                Ok(reboot) => return Ending::Reboot(reboot),
                Err(error) => error,
            };
            let (attempt, most) = (self.frame.current.attempt, at.step.max_attempts);
            if attempt >= most {
                return Ending::Failed(error);
            }
            sink.notice(&format!("attempt {attempt} of {most} failed: {error}"));
            self.frame.current.attempt += 1;
            sink.event(self.started(at));
        }
    }

    /// Runs a step once, with its loop, and remembers what came of it.
    fn attempt(
        &mut self,
        world: &mut World<'_>,
        at: &At<'_>,
        seen: &mut Seen,
        sink: &mut Sink<'_>,
    ) -> Result<Went, StepError> {
        // The steps of the other document have their own limits; one of this step is refused by the service.
        let nested = at.step.module.action == Action::ExecuteDocument;
        let limit = Limit::starting_now(at.step.timeout.filter(|_| !nested));
        let outcome = match at.step.repeat.as_ref().and_then(|repeat| Some((repeat, repeat.over.as_ref()?))) {
            None => self.once(world, at, None, limit, seen, sink),
            Some((repeat, over)) => self.iterations(world, at, (repeat, over), limit, seen, sink),
        };
        let (outcome, outputs, succeeded) = match outcome {
            Ok((went, outputs)) => (Ok(went), outputs, true),
            Err(error) => (Err(error), Outputs::new(), false),
        };
        if succeeded {
            seen.outputs = outputs_json(at, &outputs);
        }
        let key = values::key(&at.phase.name, &at.step.name);
        let record = if at.loaded.uses(&key) {
            Record { inputs: std::mem::take(&mut seen.record), outputs, succeeded }
        } else {
            Record { succeeded, ..Record::default() }
        };
        self.frame.records.entry(self.frame.document).or_default().insert(key, record);
        if outcome.as_ref().is_ok_and(|went| *went == Went::Again) && self.frame.current.reboots > MOST_REBOOTS {
            self.frame.current.repeat = None;
            return Err(StepError::Failed(format!("it asked for a reboot more than {MOST_REBOOTS} times")));
        }
        outcome
    }

    /// Runs the action once.
    pub(super) fn once(
        &mut self,
        world: &mut World<'_>,
        at: &At<'_>,
        turn: Option<&Turn>,
        limit: Limit,
        seen: &mut Seen,
        sink: &mut Sink<'_>,
    ) -> Result<(Went, Outputs), StepError> {
        if at.step.module.action == Action::Assert {
            return self.assert(world, at, turn, seen, sink);
        }
        let nothing = Records::new();
        let inputs = self.scope(world, at, turn, &nothing, sink).0.inputs(at.step)?;
        seen.inputs = inputs.iter().map(Inputs::json).collect();
        seen.record = inputs.iter().map(Inputs::record).collect();
        if at.step.module.action == Action::ExecuteDocument {
            let first = inputs.first().ok_or_else(|| StepError::Failed("the step has no inputs".to_owned()))?;
            return self.nested(world, at, first, seen, sink);
        }
        let action = at.step.module.action;
        let (done, outputs) = actions::execute(action, &inputs, &world.machine, &mut *world.outside, limit, sink)?;
        let went = match done {
            Done::Finished => Went::On,
            Done::RebootThenNext => Went::Behind,
            Done::RebootThenAgain => {
                self.frame.current.reboots += 1;
                Went::Again
            }
        };
        Ok((went, outputs))
    }

    fn assert(
        &mut self,
        world: &mut World<'_>,
        at: &At<'_>,
        turn: Option<&Turn>,
        seen: &mut Seen,
        sink: &mut Sink<'_>,
    ) -> Result<(Went, Outputs), StepError> {
        let Some(condition) = &at.step.assertion else {
            return Err(StepError::Failed("the step has no condition".to_owned()));
        };
        let quiet = sink.quiet();
        let nothing = Records::new();
        let (mut scope, machine) = self.scope(world, at, turn, &nothing, sink);
        let answer = conditions::evaluate(condition, &mut scope, machine)?;
        let texts = answer.asked.as_object().into_iter().flatten();
        seen.record = vec![texts.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()];
        seen.inputs = vec![answer.asked.clone()];
        if answer.holds {
            return Ok((Went::On, Outputs::new()));
        }
        let why = if quiet { String::new() } else { format!(": {}", answer.explain()) };
        Err(StepError::Failed(format!("the condition does not hold{why}")))
    }

    /// What an expression of a step can name, and the machine it runs on.
    pub(super) fn scope<'a, 'b>(
        &'a self,
        world: &'a mut World<'_>,
        at: &'a At<'_>,
        turn: Option<&'a Turn>,
        nothing: &'a Records,
        sink: &'a mut Sink<'b>,
    ) -> (Scope<'a, 'b>, &'a crate::runner::actions::Machine) {
        let World { request, machine, outside, secrets, .. } = world;
        let scope = Scope {
            document: &at.loaded.document,
            parameters: &at.loaded.parameters,
            records: self.frame.records.get(&self.frame.document).unwrap_or(nothing),
            environment: &request.environment,
            facts: Facts {
                execution_id: &self.id,
                context: &request.context,
                root: &machine.root,
                phase: &at.phase.name,
                step: &at.step.name,
            },
            turn,
            outside: &mut **outside,
            sink,
            secrets,
        };
        (scope, machine)
    }

    /// Counts a step, saves the state before a reboot, and tells how it ended.
    fn end(
        &mut self,
        world: &World<'_>,
        at: &At<'_>,
        ending: Ending,
        begun: Instant,
        seen: Seen,
        sink: &mut Sink<'_>,
    ) -> Flow {
        sink.finish();
        let seconds = begun.elapsed().as_secs_f64();
        let attempts = if self.frame.current.decided { self.frame.current.attempt } else { 0 };
        let place = at.loaded.place(at.phase, at.step);
        let ending = match ending {
            Ending::Reboot(went) => match self.before_reboot(world, went) {
                Ok(()) if went == Went::Again => return Flow::Reboot,
                Ok(()) => Ending::Reboot(went),
                Err(error) => Ending::Failed(error.into()),
            },
            ending => ending,
        };
        let last_lines = match &ending {
            Ending::Failed(error) if !sink.quiet() => {
                error.last_lines().map_or_else(|| sink.last_lines(), <[String]>::to_vec)
            }
            _ => sink.last_lines(),
        };
        let (status, message, flow) = match ending {
            Ending::Success => {
                self.frame.counts.executed += 1;
                (StepStatus::Success, None, Flow::On)
            }
            Ending::Reboot(_) => (StepStatus::Success, None, Flow::Reboot),
            Ending::Skipped(reason) => {
                self.skipped(at, attempts);
                (StepStatus::Skipped, Some(sink.harmless(&reason)), Flow::On)
            }
            Ending::Failed(error) => {
                let message = sink.harmless(&error.to_string());
                let failure = failure(&place, &message, &last_lines);
                let status = self.failed(at.step.on_failure, error.timed_out(), failure);
                let flow = if at.step.on_failure == OnFailure::Abort { Flow::Stop } else { Flow::On };
                (status, Some(message), flow)
            }
        };
        let (inputs, outputs) = (sink.values(seen.inputs), sink.values(seen.outputs));
        let repeat = seen.repeat;
        sink.event(RunEvent::StepFinished {
            place,
            status,
            seconds,
            message,
            attempts,
            last_lines,
            inputs,
            outputs,
            repeat,
        });
        flow
    }

    /// Saves the state, so that the machine is never restarted without it.
    fn before_reboot(&mut self, world: &World<'_>, went: Went) -> Result<(), crate::runner::state::StateError> {
        let before = self.frame.clone();
        if went == Went::Behind {
            self.frame.counts.executed += 1;
            self.frame.advance();
        }
        self.save(world).inspect_err(|_| self.frame = before)
    }

    /// Counts a step that was skipped; one whose `if` said so leaves nothing behind but that it was.
    fn skipped(&mut self, at: &At<'_>, attempts: u32) {
        self.frame.counts.skipped += 1;
        if attempts == 0 {
            let key = values::key(&at.phase.name, &at.step.name);
            self.frame.records.entry(self.frame.document).or_default().insert(key, Record::default());
        }
    }

    /// Counts a failure and keeps the first that is not ignored.
    fn failed(&mut self, on_failure: OnFailure, timed_out: bool, failure: StepFailure) -> StepStatus {
        let frame = &mut self.frame;
        frame.counts.executed += 1;
        if on_failure == OnFailure::Ignore {
            frame.counts.ignored += 1;
            frame.in_phase.ignored = true;
            frame.in_document.ignored = true;
            return StepStatus::IgnoredFailure;
        }
        let StepFailure { phase, step, message, .. } = &failure;
        let told = format!("Step {step} failed: {message}");
        frame.in_phase.failed.get_or_insert_with(|| (timed_out, told.clone()));
        frame.in_document.failed.get_or_insert_with(|| (timed_out, format!("Phase {phase} failed: {told}")));
        if frame.failure.is_none() {
            frame.timed_out = timed_out;
            frame.failure = Some(failure);
        }
        frame.counts.failed += 1;
        if timed_out { StepStatus::TimedOut } else { StepStatus::Failed }
    }
}

fn failure(place: &StepPlace, message: &str, last_lines: &[String]) -> StepFailure {
    StepFailure {
        document: place.document.clone(),
        phase: place.phase.clone(),
        step: place.step.clone(),
        action: place.action.clone(),
        line: place.line,
        message: message.to_owned(),
        last_lines: last_lines.to_vec(),
    }
}

/// Outputs in JSON. The summary of a document has numbers in it; everything else is text.
pub(super) fn outputs_json(at: &At<'_>, outputs: &Outputs) -> Vec<Value> {
    let value = |key: &str, text: &Option<String>| match text {
        None => Value::Null,
        Some(text) if at.step.module.action == Action::ExecuteDocument && key.ends_with("StepCount") => {
            text.parse::<u32>().map_or_else(|_| text.as_str().into(), Value::from)
        }
        Some(text) => text.as_str().into(),
    };
    let set = |set: &BTreeMap<String, Option<String>>| {
        set.iter().map(|(key, text)| (key.clone(), value(key, text))).collect::<serde_json::Map<_, _>>().into()
    };
    outputs.iter().map(set).collect()
}

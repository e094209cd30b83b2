//! The result tree of a run, in the form of `detailedoutput.json` (component-documents.md 11.1).
//!
//! UNCONFIRMED there, and read so: statuses other than `success` are written in the same lower camel case; `loop` holds name,
//! count, successes and the failed index; a run that did not end has the status `interrupted`.

use crate::runner::model::{LoopResult, PhaseStatus, RunEvent, RunStatus, StepPlace, StepStatus};
use serde_json::{Value, json};

/// Builds the tree from the events of a run. A step that runs again (another attempt, or after a restart) keeps its place
/// and its start, and has the latest end.
#[derive(Debug, Default)]
pub struct Detail {
    execution_id: String,
    started: Option<String>,
    ended: Option<String>,
    status: Option<RunStatus>,
    message: String,
    documents: Vec<Document>,
    current: Option<StepPlace>,
}

/// What documents, phases and steps have in common.
#[derive(Debug, Default)]
struct Span {
    name: String,
    started: String,
    ended: Option<String>,
    message: String,
}

#[derive(Debug, Default)]
struct Document {
    span: Span,
    description: String,
    status: Option<PhaseStatus>,
    phases: Vec<Phase>,
}

#[derive(Debug, Default)]
struct Phase {
    span: Span,
    status: Option<PhaseStatus>,
    steps: Vec<Step>,
}

#[derive(Debug, Default)]
struct Step {
    span: Span,
    action: String,
    timeout_seconds: i64,
    on_failure: String,
    max_attempts: u32,
    status: Option<StepStatus>,
    inputs: Vec<Value>,
    outputs: Vec<Value>,
    repeat: Option<LoopResult>,
    nested: Vec<Detail>,
}

impl Detail {
    /// The tree of an execution that begins.
    pub fn new(execution_id: &str) -> Self {
        Self { execution_id: execution_id.to_owned(), ..Self::default() }
    }

    /// Takes an event in, which happened at `now`.
    pub fn event(&mut self, event: &RunEvent, now: &str) {
        self.started.get_or_insert_with(|| now.to_owned());
        match event {
            RunEvent::DocumentStarted { document, description } => {
                description.clone_into(&mut self.document(document, now).description);
            }
            RunEvent::PhaseStarted { document, phase } => drop(self.phase(document, phase, now)),
            RunEvent::StepStarted { place, timeout_seconds, on_failure, max_attempts, .. } => {
                let step = self.step(place, now);
                place.action.clone_into(&mut step.action);
                step.timeout_seconds = *timeout_seconds;
                on_failure.clone_into(&mut step.on_failure);
                step.max_attempts = *max_attempts;
                (step.status, step.span.ended) = (None, None);
                step.nested.clear();
                self.current = Some(place.clone());
            }
            RunEvent::StepFinished { place, status, message, inputs, outputs, repeat, .. } => {
                let step = self.step(place, now);
                place.action.clone_into(&mut step.action);
                step.status = Some(*status);
                step.span.end(now, message.as_ref());
                step.inputs.clone_from(inputs);
                step.outputs.clone_from(outputs);
                step.repeat.clone_from(repeat);
            }
            RunEvent::PhaseFinished { document, phase, status, message } => {
                let phase = self.phase(document, phase, now);
                phase.status = Some(*status);
                phase.span.end(now, message.as_ref());
            }
            RunEvent::DocumentFinished { document, status, message } => {
                let document = self.document(document, now);
                document.status = Some(*status);
                document.span.end(now, message.as_ref());
            }
            RunEvent::Nested { event } => self.nested(event, now),
            RunEvent::Finished { summary } => {
                summary.execution_id.clone_into(&mut self.execution_id);
                if summary.status != RunStatus::RebootRequired {
                    self.status = Some(summary.status);
                    self.ended = Some(now.to_owned());
                    summary.failure_message.clone_into(&mut self.message);
                }
            }
            RunEvent::Output { .. } | RunEvent::Substituted { .. } => {}
        }
    }

    /// The run was ended from outside, for this reason.
    pub fn broken(&mut self, reason: &str, now: &str) {
        self.status = Some(RunStatus::Failed);
        self.ended = Some(now.to_owned());
        reason.clone_into(&mut self.message);
    }

    fn nested(&mut self, event: &RunEvent, now: &str) {
        let Some(place) = self.current.clone() else { return };
        let step = self.step(&place, now);
        if step.nested.last().is_none_or(|last| last.status.is_some()) {
            step.nested.push(Self::default());
        }
        if let Some(last) = step.nested.last_mut() {
            last.event(event, now);
        }
    }

    fn document(&mut self, name: &str, now: &str) -> &mut Document {
        entry(
            &mut self.documents,
            name,
            |known| &known.span,
            || Document { span: Span::new(name, now), ..Document::default() },
        )
    }

    fn phase(&mut self, document: &str, name: &str, now: &str) -> &mut Phase {
        let document = self.document(document, now);
        entry(
            &mut document.phases,
            name,
            |known| &known.span,
            || Phase { span: Span::new(name, now), ..Phase::default() },
        )
    }

    fn step(&mut self, place: &StepPlace, now: &str) -> &mut Step {
        let phase = self.phase(&place.document, &place.phase, now);
        let name = &place.step;
        entry(&mut phase.steps, name, |known| &known.span, || Step { span: Span::new(name, now), ..Step::default() })
    }

    /// The tree.
    pub fn json(&self) -> Value {
        let documents: Vec<Value> = self.documents.iter().map(Document::json).collect();
        json!({
            "executionId": self.execution_id,
            "status": self.status.map_or("interrupted", run_word),
            "startTime": self.started,
            "endTime": self.ended,
            "failureMessage": self.message,
            "documents": documents,
        })
    }
}

fn entry<'a, T>(list: &'a mut Vec<T>, name: &str, span: impl Fn(&T) -> &Span, make: impl FnOnce() -> T) -> &'a mut T {
    let index = list.iter().position(|known| span(known).name == name).unwrap_or_else(|| {
        list.push(make());
        list.len() - 1
    });
    &mut list[index]
}

impl Span {
    fn new(name: &str, now: &str) -> Self {
        Self { name: name.to_owned(), started: now.to_owned(), ..Self::default() }
    }

    fn end(&mut self, now: &str, message: Option<&String>) {
        self.ended = Some(now.to_owned());
        self.message = message.cloned().unwrap_or_default();
    }
}

impl Document {
    fn json(&self) -> Value {
        let phases: Vec<Value> = self.phases.iter().map(Phase::json).collect();
        json!({
            "name": self.span.name,
            "filePath": self.span.name,
            "status": self.status.map_or("interrupted", phase_word),
            "description": self.description,
            "startTime": self.span.started,
            "endTime": self.span.ended,
            "failureMessage": self.span.message,
            "phases": phases,
        })
    }
}

impl Phase {
    fn json(&self) -> Value {
        let steps: Vec<Value> = self.steps.iter().map(Step::json).collect();
        json!({
            "name": self.span.name,
            "status": self.status.map_or("interrupted", phase_word),
            "startTime": self.span.started,
            "endTime": self.span.ended,
            "failureMessage": self.span.message,
            "steps": steps,
        })
    }
}

impl Step {
    fn json(&self) -> Value {
        let text = |values: &[Value]| Value::from(values).to_string();
        let nested: Vec<Value> = self.nested.iter().map(Detail::json).collect();
        json!({
            "name": self.span.name,
            "status": self.status.map_or("interrupted", step_word),
            "failureMessage": self.span.message,
            "timeoutSeconds": self.timeout_seconds,
            "onFailure": self.on_failure,
            "maxAttempts": self.max_attempts,
            "action": self.action,
            "startTime": self.span.started,
            "endTime": self.span.ended,
            "inputs": text(&self.inputs),
            "outputs": text(&self.outputs),
            "loop": self.repeat,
            "detailedOutput": if nested.is_empty() { Value::Null } else { nested.into() },
        })
    }
}

const fn run_word(status: RunStatus) -> &'static str {
    match status {
        RunStatus::Success => "success",
        RunStatus::Failed => "failed",
        RunStatus::TimedOut => "timedOut",
        RunStatus::RebootRequired => "interrupted",
    }
}

const fn phase_word(status: PhaseStatus) -> &'static str {
    match status {
        PhaseStatus::Success => "success",
        PhaseStatus::SuccessWithIgnoredFailure => "successWithIgnoredFailure",
        PhaseStatus::Failed => "failed",
        PhaseStatus::TimedOut => "timedOut",
    }
}

const fn step_word(status: StepStatus) -> &'static str {
    match status {
        StepStatus::Success => "success",
        StepStatus::Failed => "failed",
        StepStatus::IgnoredFailure => "ignoredFailure",
        StepStatus::Skipped => "skipped",
        StepStatus::TimedOut => "timedOut",
    }
}

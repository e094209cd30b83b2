//! What the runner told, step by step, beside what was to be run: a step of which nothing was heard has not passed.

use super::document::TrialDocument;
use crate::diagnostic::Span;
use crate::runner::{RunEvent, StepPlace, StepStatus};
use serde::Serialize;
use std::collections::VecDeque;

/// How many lines are kept of a step that does not come to its own end; as many as the runner keeps of one that does.
const LAST_LINES: usize = 20;

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It succeeded.
    Passed,
    /// It failed.
    Failed,
    /// It ran out of time.
    TimedOut,
    /// It failed, and `onFailure: Ignore` said not to mind.
    Ignored,
    /// It did not run, as the document says.
    Skipped,
    /// It was running when everything was stopped, or its instance ended.
    Interrupted,
    /// It was never reached.
    NotRun,
}

impl Status {
    /// As people read it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::TimedOut => "timed out",
            Self::Ignored => "ignored",
            Self::Skipped => "skipped",
            Self::Interrupted => "interrupted",
            Self::NotRun => "not run",
        }
    }

    /// Whether the trial fails with it.
    #[must_use]
    pub const fn is_bad(self) -> bool {
        matches!(self, Self::Failed | Self::TimedOut | Self::Interrupted | Self::NotRun)
    }
}

/// A step and how it went.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StepResult {
    /// Its document.
    pub document: String,
    /// Its phase.
    pub phase: String,
    /// Its name.
    pub step: String,
    /// Its action module.
    pub action: String,
    /// The file it stands in, as excerpts name it.
    pub file: String,
    /// One-based line of the step in the document.
    pub line: usize,
    /// How it ended.
    pub status: Status,
    /// How long its last attempt took, in seconds.
    pub seconds: f64,
    /// How many attempts there were; 0 if it was not run.
    pub attempts: u32,
    /// How many it may have.
    pub max_attempts: u32,
    /// Why it failed or was skipped.
    pub message: Option<String>,
    /// The last lines of its output, oldest first; none of a step that passed.
    pub last_lines: Vec<String>,
    /// Where it stands.
    #[serde(skip)]
    pub span: Span,
}

/// Collects the steps of a trial.
#[derive(Debug)]
pub(super) struct Recorder {
    steps: Vec<StepResult>,
    /// The one that runs.
    current: Option<usize>,
    lines: VecDeque<String>,
}

impl Recorder {
    /// For the steps of these phases, none of which has run.
    pub(super) fn new(documents: &[TrialDocument], phases: &[String]) -> Self {
        let steps = documents.iter().flat_map(|document| {
            let chosen = document.steps.iter().filter(|step| phases.contains(&step.phase));
            chosen.map(|step| StepResult {
                document: document.name.clone(),
                phase: step.phase.clone(),
                step: step.step.clone(),
                action: step.action.to_owned(),
                file: document.source.name.clone(),
                line: document.source.line(step.span.start),
                status: Status::NotRun,
                seconds: 0.0,
                attempts: 0,
                max_attempts: 1,
                message: None,
                last_lines: Vec::new(),
                span: step.span,
            })
        });
        Self { steps: steps.collect(), current: None, lines: VecDeque::new() }
    }

    /// Takes what the runner says.
    pub(super) fn event(&mut self, event: &RunEvent) {
        match event {
            RunEvent::StepStarted { place, attempt, max_attempts, .. } => {
                let at = self.find(place);
                if self.current != at || *attempt == 1 {
                    self.lines.clear();
                }
                self.current = at;
                if let Some(step) = at.and_then(|at| self.steps.get_mut(at)) {
                    step.attempts = *attempt;
                    step.max_attempts = *max_attempts;
                }
            }
            RunEvent::Output { line, .. } => {
                if self.lines.len() == LAST_LINES {
                    self.lines.pop_front();
                }
                self.lines.push_back(line.clone());
            }
            RunEvent::StepFinished { place, status, seconds, message, attempts, last_lines, .. } => {
                self.current = None;
                let Some(step) = self.find(place).and_then(|at| self.steps.get_mut(at)) else { return };
                step.status = status_of(*status);
                step.seconds = *seconds;
                step.message.clone_from(message);
                step.attempts = *attempts;
                if !matches!(step.status, Status::Passed | Status::Skipped) {
                    step.last_lines.clone_from(last_lines);
                }
            }
            _ => {}
        }
    }

    /// The step that runs now does not come to its end.
    pub(super) fn cut_off(&mut self, status: Status, message: &str) {
        let lines = std::mem::take(&mut self.lines).into();
        if let Some(step) = self.current.take().and_then(|at| self.steps.get_mut(at)) {
            step.status = status;
            step.message = Some(message.to_owned());
            step.last_lines = lines;
        }
    }

    /// The steps as they are now.
    pub(super) fn steps(&self) -> &[StepResult] {
        &self.steps
    }

    /// All of it.
    pub(super) fn into_steps(self) -> Vec<StepResult> {
        self.steps
    }

    fn find(&self, place: &StepPlace) -> Option<usize> {
        let same =
            |step: &StepResult| step.document == place.document && step.phase == place.phase && step.step == place.step;
        self.steps.iter().position(same)
    }
}

fn status_of(status: StepStatus) -> Status {
    match status {
        StepStatus::Success => Status::Passed,
        StepStatus::Failed => Status::Failed,
        StepStatus::IgnoredFailure => Status::Ignored,
        StepStatus::Skipped => Status::Skipped,
        StepStatus::TimedOut => Status::TimedOut,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::SourceFile;
    use crate::runner::Stream;
    use crate::trial::document::Planned;
    use std::collections::BTreeMap;

    fn recorder() -> Recorder {
        let source = SourceFile::new("c/a.yaml", "phases:\n  - one\n  - two\n");
        let step = |step: &str, start| Planned {
            phase: "build".into(),
            step: step.into(),
            action: "ExecuteBash",
            span: Span::new(start, start + 3),
        };
        let steps = vec![step("one", 12), step("two", 20)];
        let document = TrialDocument { name: "a".into(), source, parameters: BTreeMap::new(), steps };
        Recorder::new(&[document], &["build".into()])
    }

    fn place(step: &str) -> StepPlace {
        StepPlace {
            document: "a".into(),
            phase: "build".into(),
            step: step.into(),
            action: "ExecuteBash".into(),
            line: 2,
        }
    }

    fn started(step: &str, attempt: u32) -> RunEvent {
        RunEvent::StepStarted {
            place: place(step),
            attempt,
            timeout_seconds: 1,
            on_failure: "Abort".into(),
            max_attempts: 2,
        }
    }

    fn output(line: &str) -> RunEvent {
        RunEvent::Output { stream: Stream::Stdout, line: line.into() }
    }

    #[test]
    fn what_was_not_heard_of_has_not_run() {
        let mut recorder = recorder();
        recorder.event(&started("one", 1));
        recorder.event(&output("hello"));
        recorder.event(&RunEvent::StepFinished {
            place: place("one"),
            status: StepStatus::Success,
            seconds: 0.5,
            message: None,
            attempts: 1,
            last_lines: vec!["hello".into()],
            inputs: vec![],
            outputs: vec![],
            repeat: None,
        });
        let steps = recorder.into_steps();
        assert_eq!((steps[0].status, steps[0].line, steps[0].last_lines.len()), (Status::Passed, 2, 0));
        assert_eq!((steps[1].status, steps[1].line, steps[1].attempts), (Status::NotRun, 3, 0));
        assert!(steps[1].status.is_bad());
    }

    #[test]
    fn a_step_that_is_cut_off_keeps_its_last_lines() {
        let mut recorder = recorder();
        recorder.event(&started("two", 1));
        (0..30).for_each(|number| recorder.event(&output(&number.to_string())));
        recorder.event(&started("two", 2));
        recorder.event(&output("again"));
        recorder.cut_off(Status::Interrupted, "stopped");
        let step = &recorder.steps()[1];
        assert_eq!((step.status, step.attempts, step.last_lines.len()), (Status::Interrupted, 2, LAST_LINES));
        assert_eq!(step.last_lines.last().unwrap(), "again");
    }
}

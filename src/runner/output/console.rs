//! The lines of `console.log` (component-documents.md 11.2, in the words of the newer binaries).

use crate::runner::model::{RunEvent, RunStatus, StepFailure, StepStatus, Stream, Summary};

/// A line of the console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The line.
    pub text: String,
    /// Whether it is about what went wrong, and belongs on standard error too.
    pub complaint: bool,
}

/// Turns events into lines.
#[derive(Debug, Default)]
pub struct Console {
    document: String,
    phase: String,
    action: String,
    /// How deep in executed documents.
    depth: usize,
}

impl Console {
    /// What an event says.
    pub fn event(&mut self, event: &RunEvent) -> Vec<Said> {
        let mut lines = Lines(Vec::new());
        self.tell(event, &mut lines);
        lines.0
    }

    fn tell(&mut self, event: &RunEvent, lines: &mut Lines) {
        match event {
            RunEvent::DocumentStarted { document, .. } => self.enter(document, None, lines),
            RunEvent::PhaseStarted { document, phase } => self.enter(document, Some(phase), lines),
            RunEvent::StepStarted { place, attempt, .. } => {
                self.enter(&place.document, Some(&place.phase), lines);
                lines.say(format!("Step {}", place.step));
                if *attempt > 1 {
                    lines.say(format!("Executor: attempt {attempt}"));
                }
                place.action.clone_into(&mut self.action);
                lines.say(format!("{}: STARTED EXECUTION", self.action));
            }
            RunEvent::Output { stream: Stream::Stdout, line } => lines.say(format!("Stdout: {line}")),
            RunEvent::Output { stream: Stream::Stderr, line } => lines.say(format!("Stderr: {line}")),
            RunEvent::StepFinished { place, status, message, .. } => {
                // A nested document may have been the last to say something.
                place.action.clone_into(&mut self.action);
                self.step_finished(*status, message.as_deref(), lines);
            }
            RunEvent::Nested { event } => {
                let mut inner = Self { depth: self.depth + 1, ..std::mem::take(self) };
                inner.tell(event, lines);
                *self = Self { depth: inner.depth - 1, ..inner };
            }
            RunEvent::Finished { summary } if self.depth > 0 => {
                if summary.status != RunStatus::Success {
                    lines.say(format!("ExecuteDocument: {}", summary.failure_message));
                }
                // What comes next names its document again.
                self.document.clear();
            }
            RunEvent::Finished { summary } => finished(summary, lines),
            RunEvent::Substituted { .. } | RunEvent::PhaseFinished { .. } | RunEvent::DocumentFinished { .. } => {}
        }
    }

    fn enter(&mut self, document: &str, phase: Option<&str>, lines: &mut Lines) {
        if self.document != document {
            document.clone_into(&mut self.document);
            self.phase.clear();
            lines.say(format!("Document {document}"));
        }
        if let Some(phase) = phase
            && self.phase != phase
        {
            phase.clone_into(&mut self.phase);
            lines.say(format!("Phase {phase}"));
        }
    }

    fn step_finished(&self, status: StepStatus, message: Option<&str>, lines: &mut Lines) {
        let runs_program = matches!(self.action.as_str(), "ExecuteBash" | "ExecuteBinary");
        let code = message.and_then(|message| message.strip_prefix("exit code "));
        match (status, code) {
            (StepStatus::Success, _) if runs_program => lines.say("CmdExecution: ExitCode 0"),
            (_, Some(code)) if runs_program => lines.say(format!("CmdExecution: ExitCode {code}")),
            _ => {}
        }
        if let Some(message) = message {
            lines.say(format!("{}: {message}", self.action));
        }
        let ending = match status {
            StepStatus::Success => "FINISHED EXECUTION",
            StepStatus::Skipped => "SKIPPED",
            StepStatus::IgnoredFailure => "FAILED, failure ignored",
            StepStatus::Failed => "FAILED",
            StepStatus::TimedOut => "TIMED OUT",
        };
        lines.say(format!("{}: {ending}", self.action));
    }
}

struct Lines(Vec<Said>);

impl Lines {
    /// A text of several lines is several lines; what could move a terminal's cursor is made visible elsewhere.
    fn say(&mut self, text: impl AsRef<str>) {
        self.0.extend(text.as_ref().split('\n').map(|text| Said { text: text.to_owned(), complaint: false }));
    }

    fn complain(&mut self, text: impl AsRef<str>) {
        self.0.extend(text.as_ref().split('\n').map(|text| Said { text: text.to_owned(), complaint: true }));
    }
}

fn finished(summary: &Summary, lines: &mut Lines) {
    match summary.status {
        RunStatus::RebootRequired => {
            lines.say("Getting reboot signal");
            lines.say("Rebooting the system now");
        }
        RunStatus::Success => {
            lines.say("Executor: FINISHED EXECUTION OF ALL DOCUMENTS");
            lines.say("TOE has completed execution successfully");
        }
        RunStatus::Failed | RunStatus::TimedOut => {
            match &summary.failure {
                Some(failure) => failure_block(failure, lines),
                None => lines.complain(&summary.failure_message),
            }
            lines.say("TOE has completed execution with failure - Execution failed!");
        }
    }
}

/// The block that the service prints for a component that failed.
fn failure_block(failure: &StepFailure, lines: &mut Lines) {
    lines.complain(format!("Document: {}", failure.document));
    if failure.document.starts_with("arn:") {
        lines.complain(format!("ComponentArn: {}", failure.document));
    }
    lines.complain(format!("Phase: {}", failure.phase));
    lines.complain(format!("Step: {} (line {})", failure.step, failure.line));
    lines.complain(format!("Action: {}", failure.action));
    lines.complain(format!("ErrorMessage: {}", failure.message));
    lines.complain("Stderr:");
    for line in &failure.last_lines {
        lines.complain(line);
    }
}

//! The text of a component run, in the words of `console.log` (component-documents.md 11.2), simplified.

use crate::clock::Clock;
use crate::local::compute::command::{Capture, STDERR_LIMIT, STDOUT_LIMIT};
use crate::runner::{RunEvent, RunStatus, StepFailure, StepStatus, Stream, Summary};
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// Writes the lines of a run to a file and keeps what a command record can hold.
#[derive(Debug)]
pub(super) struct Console {
    file: Option<File>,
    clock: Clock,
    out: Capture,
    err: Capture,
    document: String,
    phase: String,
    action: String,
}

impl Console {
    /// A console that writes to `path`. Without a file (a full disk must not fail a build) only the record is kept.
    pub(super) fn create(path: &Path, clock: &Clock) -> Self {
        let file = File::create(path)
            .inspect_err(|error| tracing::warn!(path = %path.display(), %error, "the build log cannot be written"))
            .ok();
        Self {
            file,
            clock: clock.clone(),
            out: Capture::new(STDOUT_LIMIT),
            err: Capture::new(STDERR_LIMIT),
            document: String::new(),
            phase: String::new(),
            action: String::new(),
        }
    }

    /// Standard output and standard error of the command record.
    pub(super) fn texts(&self) -> (String, String) {
        (self.out.text().to_owned(), self.err.text().to_owned())
    }

    /// One line.
    pub(super) fn line(&mut self, line: &str) {
        self.out.line(line);
        let now = self.clock.now();
        if let Some(file) = &mut self.file {
            let written = writeln!(
                file,
                "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:03} Info {line}",
                now.year(),
                u8::from(now.month()),
                now.day(),
                now.hour(),
                now.minute(),
                now.second(),
                now.millisecond()
            );
            if let Err(error) = written {
                tracing::warn!(%error, "the build log cannot be written any further");
                self.file = None;
            }
        }
    }

    /// A line on standard error of the record, besides the console itself.
    pub(super) fn complaint(&mut self, line: &str) {
        self.err.line(line);
        self.line(line);
    }

    /// What an event says.
    pub(super) fn event(&mut self, event: &RunEvent) {
        match event {
            RunEvent::StepStarted { place, attempt, .. } => {
                self.step_started(&place.document, &place.phase, &place.step, &place.action, *attempt);
            }
            RunEvent::Output { stream: Stream::Stdout, line } => self.line(&format!("Stdout: {line}")),
            RunEvent::Output { stream: Stream::Stderr, line } => self.line(&format!("Stderr: {line}")),
            RunEvent::StepFinished { status, message, .. } => self.step_finished(*status, message.as_deref()),
            RunEvent::Finished { summary } => self.finished(summary),
            _ => {}
        }
    }

    fn step_started(&mut self, document: &str, phase: &str, step: &str, action: &str, attempt: u32) {
        if self.document != document {
            document.clone_into(&mut self.document);
            self.phase.clear();
            self.line(&format!("Document {document}"));
        }
        if self.phase != phase {
            phase.clone_into(&mut self.phase);
            self.line(&format!("Phase {phase}"));
        }
        self.line(&format!("Step {step}"));
        if attempt > 1 {
            self.line(&format!("Executor: attempt {attempt}"));
        }
        action.clone_into(&mut self.action);
        self.line(&format!("{action}: STARTED EXECUTION"));
    }

    fn step_finished(&mut self, status: StepStatus, message: Option<&str>) {
        if let Some(message) = message {
            self.line(&format!("{}: {message}", self.action));
        }
        let ending = match status {
            StepStatus::Success => "FINISHED EXECUTION",
            StepStatus::Skipped => "SKIPPED",
            StepStatus::IgnoredFailure => "FAILED, failure ignored",
            StepStatus::Failed => "FAILED",
            StepStatus::TimedOut => "TIMED OUT",
        };
        self.line(&format!("{}: {ending}", self.action));
    }

    fn finished(&mut self, summary: &Summary) {
        match summary.status {
            RunStatus::RebootRequired => {
                self.line("Getting reboot signal");
                self.line("Rebooting the system now");
            }
            RunStatus::Success => {
                self.line("Executor: FINISHED EXECUTION OF ALL DOCUMENTS");
                self.line("TOE has completed execution successfully");
            }
            RunStatus::Failed | RunStatus::TimedOut => {
                if let Some(failure) = &summary.failure {
                    self.failure(failure);
                } else {
                    self.complaint(&summary.failure_message);
                }
                self.line("TOE has completed execution with failure - Execution failed!");
            }
        }
    }

    /// The block that the service prints for a component that failed.
    fn failure(&mut self, failure: &StepFailure) {
        self.complaint(&format!("Document: {}", failure.document));
        self.complaint(&format!("ComponentArn: {}", failure.document));
        self.complaint(&format!("Phase: {}", failure.phase));
        self.complaint(&format!("Step: {} (line {})", failure.step, failure.line));
        self.complaint(&format!("Action: {}", failure.action));
        self.complaint(&format!("ErrorMessage: {}", failure.message));
        for line in &failure.last_lines {
            self.err.line(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::StepPlace;

    fn started(document: &str, phase: &str, step: &str) -> RunEvent {
        RunEvent::StepStarted {
            place: place(document, phase, step),
            attempt: 1,
            timeout_seconds: 7200,
            on_failure: "Abort".into(),
            max_attempts: 1,
        }
    }

    fn place(document: &str, phase: &str, step: &str) -> StepPlace {
        StepPlace {
            document: document.into(),
            phase: phase.into(),
            step: step.into(),
            action: "ExecuteBash".into(),
            line: 1,
        }
    }

    fn finished(status: StepStatus) -> RunEvent {
        RunEvent::StepFinished {
            place: place("doc", "build", "S"),
            status,
            seconds: 0.1,
            message: None,
            attempts: 1,
            last_lines: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            repeat: None,
        }
    }

    fn failed_summary() -> Summary {
        Summary {
            execution_id: "e".into(),
            status: RunStatus::Failed,
            failed_step_count: 1,
            executed_step_count: 1,
            ignored_failed_step_count: 0,
            skipped_step_count: 0,
            failure_message: "Document doc failed!".into(),
            failure: Some(StepFailure {
                document: "doc".into(),
                phase: "build".into(),
                step: "Two".into(),
                action: "ExecuteBash".into(),
                line: 12,
                message: "exit status 100".into(),
                last_lines: vec!["E: no such package".into()],
            }),
        }
    }

    #[test]
    fn a_run_reads_like_the_services_log() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("console.log");
        let mut console = Console::create(&path, &Clock::fixed(time::OffsetDateTime::UNIX_EPOCH));
        console.event(&started("doc", "build", "One"));
        console.event(&RunEvent::Output { stream: Stream::Stdout, line: "hello".into() });
        console.event(&finished(StepStatus::Success));
        console.event(&started("doc", "build", "Two"));
        console.event(&finished(StepStatus::Failed));
        console.event(&RunEvent::Finished { summary: failed_summary() });
        let (out, err) = console.texts();
        let expected = "Document doc\nPhase build\nStep One\nExecuteBash: STARTED EXECUTION\nStdout: hello\n\
                        ExecuteBash: FINISHED EXECUTION\nStep Two\nExecuteBash: STARTED EXECUTION\nExecuteBash: FAILED\n";
        assert!(out.starts_with(expected), "{out}");
        assert!(out.ends_with("TOE has completed execution with failure - Execution failed!\n"));
        assert!(err.contains("Step: Two (line 12)") && err.contains("E: no such package"), "{err}");
        let file = std::fs::read_to_string(path).unwrap();
        assert!(file.starts_with("1970-01-01 00:00:00.000 Info Document doc\n"), "{file}");
    }
}

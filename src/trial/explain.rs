//! Why a trial did not pass, with its place in the document and what to do next.

use super::codes;
use super::document::TrialDocument;
use super::fact::Fact;
use super::matrix::Trial;
use super::record::{Status, StepResult};
use super::result::Reason;
use crate::diagnostic::Diagnostic;

/// A test that failed (DESIGN section 9).
const TESTS_FAILED: u8 = 6;

/// Explains failures of one trial.
#[derive(Debug)]
pub(super) struct Explainer<'a> {
    pub(super) trial: &'a Trial,
    /// The name of the instance, if it is left.
    pub(super) kept: Option<String>,
    /// Whether it had no network.
    pub(super) offline: bool,
    /// Whether it was a machine of its own, which cannot be kept.
    pub(super) vm: bool,
}

impl Explainer<'_> {
    /// A step failed.
    pub(super) fn step(&self, number: usize, step: &StepResult) -> Reason {
        let how = match (step.status, &step.message) {
            (Status::TimedOut, Some(message)) => format!("ran out of time: {message}"),
            (_, Some(message)) => message.clone(),
            (status, None) => status.word().to_owned(),
        };
        let message = format!("step `{}` of phase `{}` failed: {how}", step.step, step.phase);
        let mut diagnostic = Diagnostic::error(codes::STEP, &message);
        let attempts = match (step.attempts, step.max_attempts) {
            (_, 1) => String::new(),
            (attempts, most) => format!(", attempt {attempts} of {most}"),
        };
        let label = format!("{} on {}{attempts}", step.document, self.trial.row);
        if let Some(document) = self.document(&step.document) {
            diagnostic = diagnostic.at(&document.source, step.span, label);
        }
        if let Some(lines) = quoted(&step.last_lines) {
            diagnostic = diagnostic.note(lines);
        }
        if let Some(advice) = Self::advice(step) {
            diagnostic = diagnostic.help(advice);
        }
        self.finished(message, Some(number), diagnostic, TESTS_FAILED)
    }

    /// The documents were refused by the runner, or something kept them from their end.
    pub(super) fn broken(&self, message: &str, exit: u8) -> Reason {
        let first = message.lines().next().unwrap_or_default().to_owned();
        let mut diagnostic = Diagnostic::error(codes::BROKEN, format!("{}: {first}", self.trial.name));
        let rest: Vec<&str> = message.lines().skip(1).collect();
        if !rest.is_empty() {
            diagnostic = diagnostic.note(rest.join("\n"));
        }
        self.finished(message.to_owned(), None, diagnostic, exit)
    }

    /// Everything took too long: the step that ran then is where to look.
    pub(super) fn too_long(&self, message: &str, steps: &[StepResult]) -> Reason {
        match steps.iter().enumerate().find(|(_, step)| step.status == Status::TimedOut) {
            Some((number, step)) => self.step(number, step),
            None => self.broken(message, TESTS_FAILED),
        }
    }

    /// Something required was not real.
    pub(super) fn not_real(&self, unmet: &[Fact]) -> Reason {
        let names: Vec<&str> = unmet.iter().map(|fact| fact.name).collect();
        let message = format!("not real, and required: {}", names.join(", "));
        let mut diagnostic = Diagnostic::error(codes::NOT_REAL, format!("{}: {message}", self.trial.name));
        for fact in unmet {
            diagnostic = diagnostic.note(format!("{}: {}", fact.name, fact.why));
        }
        Reason { message, step: None, diagnostic, next: vec![], exit: TESTS_FAILED }
    }

    /// A full disk shows in many ways; its reason is among the last lines.
    fn advice(step: &StepResult) -> Option<String> {
        let full = step.last_lines.iter().any(|line| line.contains("No space left on device"));
        full.then(|| "a disk or a folder in memory was full; --disk SIZE gives the instance more".to_owned())
    }

    fn finished(&self, message: String, step: Option<usize>, diagnostic: Diagnostic, exit: u8) -> Reason {
        let next = self.next(step.is_some());
        let diagnostic = next.iter().fold(diagnostic, Diagnostic::help);
        Reason { message, step, diagnostic, next, exit }
    }

    fn next(&self, ran: bool) -> Vec<String> {
        let mut next = Vec::new();
        if self.offline && ran {
            next.push("it had no network (--offline); a step that fetches something needs one".to_owned());
        }
        match &self.kept {
            Some(name) => next.push(format!("look at it where it failed: amiforge shell {name}")),
            None if ran && !self.vm => {
                let words = [self.trial.word.as_str(), &self.trial.option, "--keep"];
                let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
                let name = &self.trial.name;
                next.push(format!(
                    "look at it where it failed: amiforge test {}, then amiforge shell {name}",
                    words.join(" ")
                ));
            }
            None => {}
        }
        next
    }

    fn document(&self, name: &str) -> Option<&TrialDocument> {
        self.trial.documents.iter().find(|document| document.name == name)
    }
}

/// Lines of output behind a bar.
fn quoted(lines: &[String]) -> Option<String> {
    let all: Vec<String> = lines.iter().map(|line| format!("| {line}")).collect();
    (!all.is_empty()).then(|| format!("the last it wrote:\n{}", all.join("\n")))
}

//! What a run of trials came to: data for reports and gates.

use super::Kind;
use super::fact::Fact;
use super::record::{Status, StepResult};
use crate::diagnostic::Diagnostic;
use serde::Serialize;

/// How a trial ended. Everything but [`Outcome::Passed`] and [`Outcome::Skipped`] fails the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// At least one step ran, and all that ran passed.
    Passed,
    /// A step failed, or something required was not real.
    Failed,
    /// It came to no result.
    Error,
    /// It was stopped.
    Interrupted,
    /// It cannot be run on this machine; nobody had asked for it by name.
    Skipped,
    /// It was not begun, because another one failed or everything was stopped.
    NotRun,
}

impl Outcome {
    /// As people read it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "FAILED",
            Self::Error => "ERROR",
            Self::Interrupted => "interrupted",
            Self::Skipped => "skipped",
            Self::NotRun => "not run",
        }
    }
}

/// Why a trial did not pass.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    /// One sentence.
    pub message: String,
    /// The step it failed at, by its number in [`TrialResult::steps`].
    pub step: Option<usize>,
    /// All of it, with its place in the document.
    pub diagnostic: Diagnostic,
    /// The probable next commands.
    pub next: Vec<String>,
    /// How the program ends when nothing worse happens; 6 for a failed test.
    pub exit: u8,
}

/// What `--keep` has left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Left {
    /// Its name for `amiforge shell`.
    pub name: String,
    /// The command that enters it.
    pub enter: String,
    /// Where its changes lie.
    pub folder: String,
}

/// One trial and how it went.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialResult {
    /// `subject@row`.
    pub name: String,
    /// The recipe, component or file.
    pub subject: String,
    /// What the subject is.
    pub kind: Kind,
    /// The row of the matrix.
    pub row: String,
    /// What the root is made of.
    pub root: String,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took, in seconds; without making the root.
    pub seconds: f64,
    /// Its steps, those of the build stage first.
    pub steps: Vec<StepResult>,
    /// What was real in the last instance, and what was not.
    pub facts: Vec<Fact>,
    /// What else is good to know about how it ran.
    pub notes: Vec<String>,
    /// Why it did not pass.
    pub reason: Option<Reason>,
    /// Where its instance was left.
    pub left: Option<Left>,
}

impl TrialResult {
    /// How many steps ended like that.
    #[must_use]
    pub fn count(&self, status: Status) -> usize {
        self.steps.iter().filter(|step| step.status == status).count()
    }

    /// How many steps were run to some end.
    #[must_use]
    pub fn executed(&self) -> usize {
        self.steps.iter().filter(|step| !matches!(step.status, Status::NotRun | Status::Skipped)).count()
    }
}

/// A whole run, in the order of the matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// When it began, RFC 3339.
    pub started: String,
    /// How long all of it took, in seconds.
    pub seconds: f64,
    /// All trials.
    pub trials: Vec<TrialResult>,
    /// Whether it was stopped.
    pub interrupted: bool,
}

impl Report {
    /// How many trials ended like that.
    #[must_use]
    pub fn count(&self, outcome: Outcome) -> usize {
        self.trials.iter().filter(|trial| trial.outcome == outcome).count()
    }

    /// Whether at least one trial ran and none ended badly.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.exit_code() == 0
    }

    /// How the program ends (DESIGN section 9): 130 when it was stopped, 6 when a test failed or nothing was run at all, the
    /// code of the error when nothing failed but something came to no result.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if self.interrupted {
            return 130;
        }
        if self.count(Outcome::Failed) > 0 {
            return 6;
        }
        let bad = self.trials.iter().filter(|trial| !matches!(trial.outcome, Outcome::Passed | Outcome::Skipped));
        let codes: Vec<u8> = bad.map(|trial| trial.reason.as_ref().map_or(6, |reason| reason.exit)).collect();
        match codes.as_slice() {
            [] if self.count(Outcome::Passed) > 0 => 0,
            [] => 6,
            [first, ..] => *first,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A trial that ended like that, without steps.
    pub(crate) fn trial(name: &str, outcome: Outcome) -> TrialResult {
        let (subject, row) = name.split_once('@').unwrap_or((name, "debian-12"));
        TrialResult {
            name: name.into(),
            subject: subject.into(),
            kind: Kind::Component,
            row: row.into(),
            root: "the folder /srv/root".into(),
            outcome,
            seconds: 1.25,
            steps: vec![],
            facts: vec![],
            notes: vec![],
            reason: None,
            left: None,
        }
    }

    fn report(outcomes: &[Outcome]) -> Report {
        let trials = outcomes.iter().map(|outcome| trial("a@b", *outcome)).collect();
        Report { started: "2026-01-02T03:04:05Z".into(), seconds: 1.0, trials, interrupted: false }
    }

    #[test]
    fn only_something_that_passed_is_a_pass() {
        use Outcome::*;
        assert_eq!(report(&[Passed, Skipped]).exit_code(), 0);
        for bad in [&[][..], &[Skipped], &[Passed, Failed], &[Passed, NotRun], &[Error, Failed]] {
            assert_eq!(report(bad).exit_code(), 6, "{bad:?}");
            assert!(!report(bad).passed());
        }
        let mut broken = report(&[Passed, Error]);
        let diagnostic = Diagnostic::error("E011", "m");
        broken.trials[1].reason = Some(Reason { message: "m".into(), step: None, diagnostic, next: vec![], exit: 12 });
        assert_eq!(broken.exit_code(), 12);
        assert_eq!(Report { interrupted: true, ..report(&[Passed]) }.exit_code(), 130);
    }
}

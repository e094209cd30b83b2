//! Errors of the rooms that speak to an environment.

use super::sentence;
use crate::aws::AwsError;
use crate::baseline::BaselineError;
use crate::build::BuildError;
use crate::build::why::Cause;
use crate::cli::exit::Exit;
use crate::cli::exit::exit;
use crate::cli::failure::Failure;
use crate::consume::ConsumeError;
use crate::evidence::EvidenceError;
use crate::gate::{Verdict, VerdictStatus};
use crate::import::ImportError;
use crate::local::LocalError;
use crate::plan::{PlanError, SavedError};
use crate::promote::{PromoteError, RefreshError};
use crate::run::{RunError, SelectError};

macro_rules! from_error {
    ($($error:ty),+ $(,)?) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                let mut failure = Self::new(exit(error.exit_code()), sentence(&error));
                failure.next.extend(error.next());
                failure
            }
        }
    )+};
}

from_error!(AwsError, ImportError, PlanError, SavedError, EvidenceError, ConsumeError, RefreshError);

impl From<PromoteError> for Failure {
    fn from(error: PromoteError) -> Self {
        let mut failure = Self::new(exit(error.exit_code()), sentence(&error)).showing(error.details());
        failure.next.extend(error.next());
        failure
    }
}

impl From<BuildError> for Failure {
    fn from(error: BuildError) -> Self {
        let mut failure = Self::new(exit(error.exit_code()), sentence(&error));
        failure.evidence = error.last_lines().to_vec();
        failure.why.extend(error.causes().iter().map(cause));
        failure.next = error.advice();
        failure
    }
}

/// A cause in one line: its code, what it is, and how it is known.
fn cause(cause: &Cause) -> String {
    format!("{} {} ({}): {}", cause.code, cause.title, cause.certainty.word(), cause.evidence)
}

impl From<BaselineError> for Failure {
    fn from(error: BaselineError) -> Self {
        let code = exit(error.exit_code());
        let (text, next) = (sentence(&error), error.next());
        match error {
            BaselineError::Named(error) => error.into(),
            BaselineError::Unusable(diagnostics) => Self { exit: code, ..Self::files(diagnostics) },
            BaselineError::Differs { difference, .. } => {
                let changes = difference.into_iter().flat_map(|difference| difference.changes);
                let failure = Self::new(code, text).showing(changes.map(|change| change.line()));
                next.into_iter().fold(failure, Self::next)
            }
            _ => next.into_iter().fold(Self::new(code, text), Self::next),
        }
    }
}

impl From<LocalError> for Failure {
    fn from(error: LocalError) -> Self {
        let mut failure = Self::new(exit(error.exit_code()), sentence(&error));
        failure.next.extend(error.next());
        failure
    }
}

/// The verdicts that do not pass, as lines.
fn open_verdicts(verdicts: &[Verdict]) -> Vec<String> {
    let open: Vec<Verdict> = verdicts.iter().filter(|verdict| verdict.status != VerdictStatus::Pass).cloned().collect();
    crate::report::verdicts(&open).lines().map(|line| line.trim_end().to_owned()).collect()
}

impl From<SelectError> for Failure {
    fn from(error: SelectError) -> Self {
        let next = error.next();
        Self::new(Exit::Usage, sentence(&error)).next(next)
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        let text = sentence(&error);
        match error {
            RunError::Files(diagnostics) => Self::files(diagnostics),
            RunError::Unreadable { .. } => Self::new(Exit::Usage, text),
            RunError::Aws(error) => error.into(),
            RunError::Plan(error) => error.into(),
            RunError::Saved(error) => error.into(),
            RunError::Build(error) => error.into(),
            RunError::Evidence(error) => error.into(),
            RunError::Promote(error) => error.into(),
            RunError::Refresh(error) => error.into(),
            RunError::Consume(error) => error.into(),
            RunError::RolledBack { recipe, channel, .. } => Self::new(Exit::NoEvidence, text)
                .why("whoever rolled back had a reason; a run only brings something new")
                .next(format!("amiforge promote {recipe} --channel {channel} promotes it all the same"))
                .next(format!("amiforge run {recipe} --fresh builds a new image with today's packages")),
            RunError::Gate { verdicts, .. } => Self::new(Exit::GateFailed, text)
                .showing(open_verdicts(&verdicts))
                .why("a gate that fails, errs or looks at stale evidence stops a promotion; no channel was touched")
                .next("mend the recipe or its components and run again; `amiforge explain A007` says more"),
            RunError::NotApproved { verdicts, recipe, .. } => Self::new(Exit::NoEvidence, text)
                .showing(open_verdicts(&verdicts))
                .why("only an image with passing, fresh evidence is promoted")
                .next(format!("amiforge validate {recipe}")),
            RunError::NoCandidate { recipe, .. } => {
                Self::new(Exit::NoEvidence, text).next(format!("amiforge build {recipe}"))
            }
            RunError::NoBase { base, .. } => Self::new(Exit::NoEvidence, text)
                .why("a base image is built before the images that start from it")
                .next(format!("amiforge build {base}")),
            RunError::NoBuild { recipe, .. } => {
                Self::new(Exit::NoEvidence, text).next(format!("amiforge build {recipe} --detach starts one"))
            }
            RunError::NoEvidence { recipe, .. } => Self::new(Exit::NoEvidence, text)
                .why("only an image with passing, fresh evidence is promoted")
                .next(format!("amiforge validate {recipe}")),
            RunError::Digest { recipe, .. } => Self::new(Exit::NoEvidence, text)
                .why("a file that was changed, or that is about an older validation, proves nothing")
                .next(format!("amiforge validate {recipe}")),
            RunError::NoChannel { known, .. } => {
                Self::new(Exit::Usage, text).next(format!("amiforge.yaml has: {}", known.join(", ")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_off_promotion_is_partly_done_and_names_the_command_that_resumes() {
        let error = PromoteError::CutOff {
            channel: "candidate".into(),
            ami: "ami-1".into(),
            holder: "host, process 1".into(),
            since: "2026-01-01T00:00:00Z".into(),
        };
        let failure = Failure::from(error);
        assert_eq!(failure.exit, Exit::Partly);
        assert!(failure.next[0].contains("amiforge promote --resume"), "{failure:?}");
    }

    #[test]
    fn a_pointer_to_an_image_that_is_gone_is_drift() {
        let error = PromoteError::Image { ami: "ami-1".into(), reason: "it is gone".into() };
        assert_eq!(Failure::from(error).exit, Exit::Drift);
    }

    #[test]
    fn a_build_that_goes_on_is_a_time_out_and_not_a_failure() {
        let error = BuildError::TimedOut {
            image_arn: "arn".into(),
            status: "BUILDING".into(),
            timed_out: crate::aws::wait::TimedOut { after: std::time::Duration::from_secs(1) },
        };
        assert_eq!(Failure::from(error).exit, Exit::TimedOut);
    }

    #[test]
    fn a_code_nobody_knows_is_unexpected() {
        assert_eq!(exit(77), Exit::Unexpected);
        assert_eq!(exit(5), Exit::BuildFailed);
    }
}

//! What a failed promotion tells besides its message: what happened elsewhere, what to do next, and the exit code.

use super::error::{Failure, PromoteError, StepError};
use super::rules;

impl PromoteError {
    /// What failed elsewhere at the same time, and what was put back: a line each.
    #[must_use]
    pub fn details(&self) -> Vec<String> {
        let (cause, others, restored): (&StepError, &[Failure], &[String]) = match self {
            Self::Failed { cause, others, restored, .. } | Self::Stuck { cause, others, restored, .. } => {
                (cause, others, restored)
            }
            Self::Unseen { left_out, .. } => {
                return left_out.iter().map(|one| format!("{}/{}: {}", one.account, one.region, one.reason)).collect();
            }
            Self::WouldBeEmpty { passed_over, .. } => return passed_over.clone(),
            _ => return vec![],
        };
        let console: &[String] = if let StepError::Canary(failure) = cause { &failure.console } else { &[] };
        let console = console.iter().map(|line| format!("its console: {line}"));
        console.chain(others.iter().map(ToString::to_string)).chain(restored.iter().cloned()).collect()
    }

    /// What to do next.
    #[must_use]
    pub fn next(&self) -> Option<String> {
        match self {
            Self::NotApproved { .. } => Some("run `amiforge validate` and look at the gates".into()),
            Self::CutOff { .. } | Self::Stuck { .. } | Self::Untidy { .. } => {
                Some("run `amiforge promote --resume` for this recipe and channel".into())
            }
            Self::Locked { .. } => Some(
                "wait until it is done; only when the process that began it is gone, run `amiforge promote --resume` for this recipe and channel"
                    .into(),
            ),
            Self::NotResumed { cause, .. } => {
                const OVERRIDE: &str = "where the channel allows it, --resume --override REASON passes over its rules";
                const BACK: &str = "take it back with `amiforge promote --abort`";
                Some(match (&**cause, cause.next()) {
                    (Self::Rule { missing, .. }, _) if missing.contains(rules::BUILDER_UNKNOWN) => {
                        format!("{BACK}; {OVERRIDE}")
                    }
                    (Self::Rule { .. }, Some(next)) => format!("{next}; or {BACK}; {OVERRIDE}"),
                    (Self::Rule { .. }, None) => format!("{BACK}; {OVERRIDE}"),
                    _ => format!("{BACK}, and promote again when it can be"),
                })
            }
            Self::Unseen { .. } => Some(
                "make them reachable, or leave them out on purpose: --quorum N says how many targets are enough".into(),
            ),
            Self::Rule { channel, recipe, ami, missing } if missing.contains("approve") => {
                Some(format!("amiforge approve {ami} --recipe {recipe} --channel {channel} --reason TEXT"))
            }
            Self::Rule { recipe, missing, .. } if missing.contains(rules::BUILDER_UNKNOWN) => {
                Some(format!("build it anew, which is written down: amiforge run {recipe} --fresh"))
            }
            Self::NeverThere { channel, .. } => {
                Some(format!("`amiforge history RECIPE --channel {channel}` says what it held"))
            }
            Self::Revoked { ami, recipe, .. } => Some(format!(
                "a new image: amiforge run {recipe} --fresh; or take the revocation back: amiforge restore {ami} --recipe {recipe} --reason TEXT; a promotion to it that was cut off ends with `amiforge promote --abort`"
            )),
            Self::UnknownRelease { .. } => {
                Some("`amiforge releases` lists AMI ids, image versions and promotion ids".into())
            }
            Self::Ambiguous { .. } => Some("name it by its AMI id".into()),
            Self::WouldBeEmpty { .. } => Some(
                "promote a good release first; or --allow-empty: the parameters are removed, and launches fail until something is promoted".into(),
            ),
            Self::Revoking { .. } => Some(
                "wait until it is done; only when the process that began it is gone, run the same command with --resume".into(),
            ),
            Self::TakenOver { .. } => Some("look at it with `amiforge channels`".into()),
            Self::NoTargets { .. } => Some("add `targets` to the environment in amiforge.yaml".into()),
            Self::NoPointers { .. } => Some("name one under `promote` of the recipe".into()),
            Self::Key { next, .. } => Some(next.clone()),
            Self::Image { .. } => Some("build and validate a new image".into()),
            Self::Failed { cause: StepError::Call(call), .. } | Self::Call(call) => call.next(),
            Self::Failed { cause: StepError::Canary(failure), .. } => Some(failure.next()),
            Self::NoCanary { .. } => Some("change `canary` of the channel, or `promote` of the recipe".into()),
            Self::Failed { cause: StepError::Locked { .. } | StepError::Changed(_), .. } => {
                Some("run the same command again".into())
            }
            Self::Unreadable { parameter, .. } => Some(format!("look at {parameter}; a newer amiforge may have written it")),
            Self::UnknownChannel { .. }
            | Self::NoReason
            | Self::NothingThere { .. }
            | Self::OverrideForbidden { .. }
            | Self::Rule { .. }
            | Self::NoEarlier { .. }
            | Self::NothingToResume { .. }
            | Self::NotRevoked { .. }
            | Self::LongReason { .. }
            | Self::Failed { .. } => None,
        }
    }

    /// The exit code of DESIGN section 9.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::UnknownChannel { .. }
            | Self::NoTargets { .. }
            | Self::NoPointers { .. }
            | Self::NoCanary { .. }
            | Self::NoEarlier { .. }
            | Self::NeverThere { .. }
            | Self::NoReason
            | Self::NothingThere { .. }
            | Self::OverrideForbidden { .. }
            | Self::UnknownRelease { .. }
            | Self::Ambiguous { .. }
            | Self::LongReason { .. }
            | Self::NotRevoked { .. }
            | Self::WouldBeEmpty { .. }
            | Self::NothingToResume { .. } => 2,
            // That it cannot be passed over does not make it a wrong command line.
            Self::NotResumed { .. } | Self::NotApproved { .. } | Self::Rule { .. } | Self::Revoked { .. } => 8,
            Self::CutOff { .. } | Self::Stuck { .. } | Self::Untidy { .. } => 9,
            Self::Key { denied: true, .. } => 12,
            Self::Image { .. } | Self::Key { .. } => 10,
            Self::Locked { .. } | Self::TakenOver { .. } | Self::Revoking { .. } => 11,
            Self::Unseen { denied, .. } => {
                if *denied {
                    12
                } else {
                    1
                }
            }
            Self::Failed { cause, .. } => match cause {
                StepError::Call(call) => call.exit_code(),
                // It is a test of the image, and the last one.
                StepError::Canary(_) => 6,
                StepError::Locked { .. } | StepError::Changed(_) => 11,
                StepError::NotSeen { .. } | StepError::Refused(_) => 1,
            },
            Self::Call(call) => call.exit_code(),
            Self::Unreadable { .. } => 1,
        }
    }
}

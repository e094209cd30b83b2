//! Why there is no image.

use super::Phase;
use super::keep::Kept;
use super::why::{Cause, Remedy};
use crate::aws::CallError;
use crate::aws::wait::TimedOut;
use crate::plan::{PlanError, build_version};

/// What is known of a failed build. Only the image and a message are always there.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Failure {
    /// Build or test.
    pub phase: Phase,
    /// Image build version ARN.
    pub image_arn: String,
    /// Step of the workflow, for example `ApplyBuildComponents`.
    pub workflow_step: Option<String>,
    /// Component document.
    pub component: Option<String>,
    /// Step of the component.
    pub step: Option<String>,
    /// One-based line of that step in the document.
    pub line: Option<usize>,
    /// Why, in one sentence or two.
    pub message: String,
    /// The last lines the step wrote, oldest first.
    pub last_lines: Vec<String>,
    /// What it may have been, the likeliest first; empty when nothing in the catalogue fits.
    pub causes: Vec<Cause>,
    /// Instances that were left to be looked at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<Kept>,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let image = build_version(&self.image_arn).unwrap_or_else(|| self.image_arn.clone());
        write!(f, "image {image} is FAILED: the {} phase failed", self.phase.word())?;
        match (&self.component, &self.step, &self.workflow_step) {
            (Some(component), Some(step), _) => write!(f, " in step `{step}` of component `{component}`")?,
            (Some(component), None, _) => write!(f, " in component `{component}`")?,
            (None, _, Some(step)) => write!(f, " in workflow step `{step}`")?,
            (None, _, None) => {}
        }
        if let Some(line) = self.line {
            write!(f, " (line {line})")?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The build or its tests failed.
    #[error("{0}")]
    Failed(Box<Failure>),
    /// It was cancelled, by somebody or by us.
    #[error("the build of {image_arn} was cancelled")]
    Cancelled {
        /// Image build version ARN.
        image_arn: String,
    },
    /// The image was withdrawn while it was waited for.
    #[error("{image_arn} is {status}")]
    Withdrawn {
        /// Image build version ARN.
        image_arn: String,
        /// As the service spells it.
        status: String,
    },
    /// It is still building.
    #[error("{image_arn} is still {status}: {timed_out}")]
    TimedOut {
        /// Image build version ARN.
        image_arn: String,
        /// Last state seen.
        status: String,
        /// How long it was waited.
        timed_out: TimedOut,
    },
    /// There is nothing to answer.
    #[error("no step of {image_arn} waits for an answer")]
    NotWaiting {
        /// Image build version ARN.
        image_arn: String,
    },
    /// The account could not be read.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// A service answered without something it always answers.
    #[error("{operation} answered without {what}")]
    Answer {
        /// The operation.
        operation: &'static str,
        /// What is missing.
        what: &'static str,
    },
}

impl BuildError {
    /// What it may have been, the likeliest first.
    #[must_use]
    pub fn causes(&self) -> &[Cause] {
        match self {
            Self::Failed(failure) => &failure.causes,
            _ => &[],
        }
    }

    /// Everything there is to do next: what helps against the likeliest cause, or what always does.
    #[must_use]
    pub fn advice(&self) -> Vec<String> {
        let Self::Failed(failure) = self else { return self.next().into_iter().collect() };
        let line = |Remedy { text, command }: &Remedy| match command {
            Some(command) => format!("{text}: {command}"),
            None => text.clone(),
        };
        let left = failure.kept.iter().map(|kept| format!("instance {}: {}", kept.text(), kept.enter));
        let mut lines: Vec<String> = left.collect();
        lines.extend(failure.causes.first().map(|cause| &cause.remedies).into_iter().flatten().map(line));
        lines.extend(self.next());
        lines.push(format!("amiforge why {}", failure.image_arn));
        lines
    }

    /// What to do next.
    #[must_use]
    pub fn next(&self) -> Option<String> {
        match self {
            Self::Failed(failure) => Some(match failure.phase {
                Phase::Build => "mend the component (or the network) and run the same command again".into(),
                Phase::Test => "mend what the test found, or the test, and run the same command again".into(),
            }),
            Self::Cancelled { .. } => Some("run the same command again to build anew".into()),
            Self::Withdrawn { .. } => Some("build with --fresh to make a new image".into()),
            Self::TimedOut { image_arn, .. } => Some(format!(
                "run the same command again, it joins the build; or only follow it: amiforge watch {image_arn}"
            )),
            Self::NotWaiting { .. } => Some("amiforge status says which builds wait".into()),
            Self::Plan(error) => error.next(),
            Self::Call(call) => call.next(),
            Self::Answer { .. } => None,
        }
    }

    /// The last lines of the step that failed, oldest first.
    #[must_use]
    pub fn last_lines(&self) -> &[String] {
        match self {
            Self::Failed(failure) => &failure.last_lines,
            _ => &[],
        }
    }

    /// The exit code of DESIGN section 9.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Failed(failure) if failure.phase == Phase::Test => 6,
            Self::Failed(_) | Self::Cancelled { .. } | Self::Withdrawn { .. } => 5,
            Self::TimedOut { .. } => 13,
            Self::NotWaiting { .. } => 11,
            Self::Plan(error) => error.exit_code(),
            Self::Call(call) => call.exit_code(),
            Self::Answer { .. } => 1,
        }
    }
}

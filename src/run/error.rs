//! Why a run ended before its end.

use crate::aws::AwsError;
use crate::build::BuildError;
use crate::component::rules;
use crate::consume::ConsumeError;
use crate::diagnostic::{Diagnostic, Severity};
use crate::evidence::EvidenceError;
use crate::gate::Verdict;
use crate::plan::{PlanError, SavedError};
use crate::promote::{PromoteError, RefreshError, Release};
use std::path::PathBuf;

/// Why a stage failed. Each room's own error, and what only the way between the rooms can say.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Project files.
    #[error("the project's files cannot be used")]
    Files(Vec<Diagnostic>),
    /// A path cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The environment.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// Planning or publishing.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Carrying out a plan from a file.
    #[error(transparent)]
    Saved(#[from] SavedError),
    /// Building or testing.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// Collecting or reading evidence.
    #[error(transparent)]
    Evidence(#[from] EvidenceError),
    /// A gate did not pass.
    #[error("{} of {} gates did not pass for {ami}", failing(verdicts), verdicts.len())]
    Gate {
        /// The image.
        ami: String,
        /// All verdicts.
        verdicts: Vec<Verdict>,
    },
    /// The evidence from before does not pass any more.
    #[error("{} of {} gates do not pass for {ami} with the evidence there is", failing(verdicts), verdicts.len())]
    NotApproved {
        /// The image.
        ami: String,
        /// Recipe.
        recipe: String,
        /// All verdicts.
        verdicts: Vec<Verdict>,
    },
    /// Nothing to validate or promote.
    #[error("there is no image of recipe `{recipe}` ({arch}) with the fingerprint of the project's files")]
    NoCandidate {
        /// Recipe.
        recipe: String,
        /// Architecture.
        arch: String,
    },
    /// The image it starts from is not built yet.
    #[error(
        "recipe `{recipe}` starts from recipe `{base}` ({arch}), of which there is no image with the fingerprint of the project's files"
    )]
    NoBase {
        /// Recipe.
        recipe: String,
        /// The recipe it starts from.
        base: String,
        /// Architecture.
        arch: String,
    },
    /// Nothing to follow.
    #[error("there is no build of recipe `{recipe}` ({arch})")]
    NoBuild {
        /// Recipe.
        recipe: String,
        /// Architecture.
        arch: String,
    },
    /// Nothing known about the image.
    #[error("there is no evidence about {ami}")]
    NoEvidence {
        /// The image.
        ami: String,
        /// Recipe.
        recipe: String,
    },
    /// The file about the image is not the one whose digest stands on it.
    #[error("the evidence about {ami} has digest {digest}, the image is tagged with {}", recorded.as_deref().unwrap_or("none"))]
    Digest {
        /// The image.
        ami: String,
        /// Recipe.
        recipe: String,
        /// Digest of the file.
        digest: String,
        /// What the tag says.
        recorded: Option<String>,
    },
    /// The project has no such channel.
    #[error("the project has no channel `{name}`")]
    NoChannel {
        /// As asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// Reading the channel.
    #[error(transparent)]
    Consume(#[from] ConsumeError),
    /// The channel was rolled back, and the candidate is not newer than that.
    #[error("channel `{channel}` was rolled back to {} at {}; {ami}, which was there already, is not promoted to it again", release.ami, release.promoted_at)]
    RolledBack {
        /// Channel.
        channel: String,
        /// Recipe.
        recipe: String,
        /// The candidate.
        ami: String,
        /// Where the channel points.
        release: Box<Release>,
    },
    /// Moving the channel.
    #[error(transparent)]
    Promote(#[from] PromoteError),
    /// Refreshing groups, told before the channel is moved.
    #[error(transparent)]
    Refresh(#[from] RefreshError),
}

impl RunError {
    /// What happened in one sentence: its own words, or the first finding's.
    #[must_use]
    pub fn sentence(&self) -> String {
        match self {
            Self::Files(diagnostics) => {
                diagnostics.first().map_or_else(|| self.to_string(), |first| first.message.clone())
            }
            other => other.to_string(),
        }
    }

    /// Whether it says something about an image and the evidence there is of it. Otherwise they could not be looked at.
    #[must_use]
    pub fn is_of_the_evidence(&self) -> bool {
        match self {
            Self::NotApproved { .. } | Self::NoEvidence { .. } | Self::Digest { .. } => true,
            Self::Evidence(error) => error.is_of_the_evidence(),
            _ => false,
        }
    }

    /// The exit code of DESIGN section 9.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Files(diagnostics) => {
                let mut errors = diagnostics.iter().filter(|one| one.severity == Severity::Error).peekable();
                let findings = errors.peek().is_some() && errors.all(|one| rules::find(one.code).is_some());
                if findings { 3 } else { 2 }
            }
            Self::Unreadable { .. } | Self::NoChannel { .. } => 2,
            Self::Aws(error) => error.exit_code(),
            Self::Plan(error) => error.exit_code(),
            Self::Saved(error) => error.exit_code(),
            Self::Build(error) => error.exit_code(),
            Self::Evidence(error) => error.exit_code(),
            Self::Consume(error) => error.exit_code(),
            Self::Promote(error) => error.exit_code(),
            Self::Refresh(error) => error.exit_code(),
            Self::Gate { .. } => 7,
            Self::NotApproved { .. }
            | Self::NoCandidate { .. }
            | Self::NoBuild { .. }
            | Self::NoBase { .. }
            | Self::NoEvidence { .. }
            | Self::Digest { .. }
            | Self::RolledBack { .. } => 8,
        }
    }
}

fn failing(verdicts: &[Verdict]) -> usize {
    verdicts.iter().filter(|verdict| !crate::gate::approved(std::slice::from_ref(verdict))).count()
}

impl From<Vec<Diagnostic>> for RunError {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Self::Files(diagnostics)
    }
}

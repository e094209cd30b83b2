//! Why a plan could not be made or carried out.

use super::model::Kind;
use super::quota::Room;
use crate::aws::CallError;
use crate::baseline::BaselineError;

/// Why the account could not be read or a plan not be carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// A component document is too long to be sent along.
    #[error("component `{component}`: the document has {characters} characters, Image Builder takes at most {limit}")]
    TooLong {
        /// Component name.
        component: String,
        /// Its length.
        characters: usize,
        /// The limit.
        limit: usize,
    },
    /// A component document is larger than the service takes at all.
    #[error("component `{component}`: the document has {bytes} bytes, Image Builder takes at most {limit}")]
    TooLarge {
        /// Component name.
        component: String,
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// Somebody else has made the version that was planned.
    #[error("{} `{name}` {version}: somebody else has made this version with other content", kind.word())]
    Conflict {
        /// What.
        kind: Kind,
        /// Resource name.
        name: String,
        /// Version, or empty.
        version: String,
    },
    /// Something that somebody else has made is in the way.
    #[error("{} `{name}` exists already and is not this project's ({arn})", kind.word())]
    Foreign {
        /// What.
        kind: Kind,
        /// Resource name.
        name: String,
        /// Its ARN.
        arn: String,
        /// This project.
        project: String,
    },
    /// A patch baseline that is not this project's is in the way, or one of AWS is not there.
    #[error("patch baseline `{name}`: {reason}")]
    BaselineInTheWay {
        /// What Systems Manager calls it.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// The patch baseline could not be looked at, created or updated.
    #[error(transparent)]
    Baseline(Box<BaselineError>),
    /// The creations do not fit into what the account may have.
    #[error("{}", over(rooms))]
    Quota {
        /// Those that would be passed.
        rooms: Vec<Room>,
    },
    /// A service answered without something it always answers.
    #[error("{operation} answered without {what}")]
    Answer {
        /// The operation.
        operation: &'static str,
        /// What is missing.
        what: &'static str,
    },
}

impl PlanError {
    /// What to do next.
    #[must_use]
    pub fn next(&self) -> Option<String> {
        match self {
            Self::Call(call) => call.next(),
            Self::TooLong { .. } => Some(
                "name a bucket for long documents, `infrastructure.document_bucket` of the environment, or split the component"
                    .into(),
            ),
            Self::TooLarge { .. } => Some("split the component in two, or move large files out of it".into()),
            Self::Conflict { .. } => Some("run the same command again: it plans anew from what is there now".into()),
            Self::Foreign { arn, project, .. } => Some(format!(
                "to hand it over to amiforge: aws imagebuilder tag-resource --resource-arn {arn} --tags amiforge:project={project}; \
                 else rename the project, the environment or the recipe"
            )),
            Self::BaselineInTheWay { .. } => {
                Some("amiforge baseline publish NAME --adopt takes over one that belongs to nobody; else choose another `Name`".into())
            }
            Self::Baseline(error) => error.next(),
            Self::Quota { .. } => Some(
                "ask for more in the console of Service Quotas (EC2 Image Builder) or remove what nobody uses; if the quota was \
                 raised already, --over-quota says so"
                    .into(),
            ),
            Self::Answer { .. } => None,
        }
    }

    /// The exit code of DESIGN section 9.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Call(call) => call.exit_code(),
            Self::TooLong { .. } | Self::TooLarge { .. } => 2,
            Self::Conflict { .. } | Self::Foreign { .. } | Self::BaselineInTheWay { .. } | Self::Quota { .. } => 11,
            Self::Baseline(error) => error.exit_code(),
            Self::Answer { .. } => 1,
        }
    }
}

impl From<BaselineError> for PlanError {
    fn from(error: BaselineError) -> Self {
        match error {
            // So that a failed call is told, counted and repeated as any other one.
            BaselineError::Call(error) => Self::Call(error),
            error => Self::Baseline(Box::new(error)),
        }
    }
}

/// Which quotas would be passed, in one sentence.
fn over(rooms: &[Room]) -> String {
    let told: Vec<String> = rooms.iter().map(Room::to_string).collect();
    format!("the plan would pass a quota of the account, and nothing was done: {}", told.join("; "))
}

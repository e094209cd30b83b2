//! Why a baseline could not be published or frozen.

use super::model::Registered;
use super::named::NamedError;
use crate::aws::CallError;
use crate::aws::wait::TimedOut;
use crate::diagnostic::Diagnostic;
use crate::patch::{BaselineDiff, OperatingSystem};
use std::path::PathBuf;

/// Why what is in an account forbids what is wanted there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// More than one baseline of that name.
    #[error("there are {} baselines `{name}` for {os}: {}", ids.len(), ids.join(", "))]
    Several {
        /// Name.
        name: String,
        /// Operating system.
        os: OperatingSystem,
        /// Their ids.
        ids: Vec<String>,
    },
    /// A baseline of that name that amiforge has not made.
    #[error("{id} has the name `{name}` and was not made by amiforge")]
    Foreign {
        /// Name.
        name: String,
        /// Its id.
        id: String,
    },
    /// A baseline of that name that belongs to another project.
    #[error("{id} has the name `{name}` and belongs to the project `{project}`")]
    OtherProject {
        /// Name.
        name: String,
        /// Its id.
        id: String,
        /// The project on its tag.
        project: String,
    },
    /// The patch group has another baseline.
    #[error("patch group `{group}` is registered with {holder} for {os}")]
    Group {
        /// The group.
        group: String,
        /// The operating system.
        os: OperatingSystem,
        /// Who has it.
        holder: Registered,
    },
    /// AWS has no such baseline in that Region.
    #[error("AWS has no baseline `{name}` for {os} in this Region")]
    NotThere {
        /// Name.
        name: String,
        /// Operating system.
        os: OperatingSystem,
    },
}

/// Why a baseline could not be published or frozen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BaselineError {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// A name that means no baseline.
    #[error(transparent)]
    Named(#[from] NamedError),
    /// What is there forbids it.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// A service answered without something it always answers, or something was to be sent that cannot be.
    #[error("{operation}: {what}")]
    Answer {
        /// The operation.
        operation: &'static str,
        /// What is wrong.
        what: String,
    },
    /// What was written does not show.
    #[error("{id} was created but cannot be read: {timed_out}")]
    NotSeen {
        /// Id of the baseline.
        id: String,
        /// How long it was waited.
        timed_out: TimedOut,
    },
    /// A name that belongs to AWS.
    #[error("`{name}` is the name of a baseline that AWS owns; it cannot be created or changed")]
    Owned {
        /// Name.
        name: String,
    },
    /// The same thing is wanted of two baselines of one operating system.
    #[error("`{first}` and `{second}` are both for {os}; only one of them can be {what}")]
    Rivals {
        /// One.
        first: String,
        /// The other.
        second: String,
        /// Their operating system.
        os: OperatingSystem,
        /// What both would be.
        what: &'static str,
    },
    /// No baseline of that name in the account.
    #[error("there is no patch baseline `{name}` in {place}")]
    Absent {
        /// Name or id.
        name: String,
        /// Account and Region.
        place: String,
    },
    /// Several baselines of that name in the account.
    #[error("there are {} baselines `{name}`: {}", ids.len(), ids.join(", "))]
    Ambiguous {
        /// Name.
        name: String,
        /// Their ids.
        ids: Vec<String>,
    },
    /// A baseline of the account that amiforge cannot use.
    #[error("the patch baseline cannot be used by amiforge")]
    Unusable(Vec<Diagnostic>),
    /// The file differs from the account's baseline.
    #[error("{} differs from {id}, and is not overwritten", file.display())]
    Differs {
        /// The file.
        file: PathBuf,
        /// Id of the account's baseline.
        id: String,
        /// From the file to the account; absent when the file cannot be read.
        difference: Option<Box<BaselineDiff>>,
    },
    /// A name that cannot be the name of a file in baselines/.
    #[error(
        "`{name}` cannot be the name of a baseline: it has 3 to 128 letters, digits, `_`, `-` and `.`, and begins with none of these three"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// A file.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl BaselineError {
    /// What to do next.
    #[must_use]
    pub fn next(&self) -> Option<String> {
        match self {
            Self::Call(call) => call.next(),
            Self::Conflict(conflict) => conflict.next(),
            Self::Named(named) => named.next(),
            Self::Owned { name } => Some(format!(
                "copy it under a name of your own: amiforge baseline show {name} --format yaml > baselines/NAME.yaml, and change `Name`"
            )),
            Self::NotSeen { .. } => Some("run the same command again: it looks what is there first".to_owned()),
            Self::Ambiguous { .. } => Some("choose one with --id".to_owned()),
            Self::Absent { .. } => Some("`aws ssm describe-patch-baselines` lists what is there".to_owned()),
            Self::Differs { .. } => Some("--force overwrites the file with what the account has".to_owned()),
            Self::Answer { .. } | Self::Rivals { .. } | Self::Unusable(_) | Self::Name { .. } | Self::File { .. } => {
                None
            }
        }
    }

    /// The exit code of DESIGN section 9.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Call(call) => call.exit_code(),
            Self::Conflict(_) => 11,
            Self::Differs { .. } => 10,
            Self::Named(_)
            | Self::Owned { .. }
            | Self::Rivals { .. }
            | Self::Absent { .. }
            | Self::Ambiguous { .. }
            | Self::Unusable(_)
            | Self::Name { .. } => 2,
            Self::Answer { .. } | Self::NotSeen { .. } | Self::File { .. } => 1,
        }
    }
}

impl Conflict {
    fn next(&self) -> Option<String> {
        match self {
            Self::Several { .. } => {
                Some("delete those that nobody uses (aws ssm delete-patch-baseline), or rename them".to_owned())
            }
            Self::Foreign { .. } => {
                Some("--adopt takes it over and replaces its content, or choose another `Name`".to_owned())
            }
            Self::OtherProject { .. } => Some("choose another `Name`".to_owned()),
            Self::Group { .. } => Some("--replace-group takes the patch group from it".to_owned()),
            Self::NotThere { .. } => None,
        }
    }
}

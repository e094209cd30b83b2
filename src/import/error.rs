//! Why nothing was imported.

use crate::aws::CallError;
use std::path::PathBuf;

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// There is no pipeline or recipe of that name.
    #[error("there is no {kind} `{name}` in {account}/{region}")]
    Missing {
        /// What.
        kind: &'static str,
        /// As asked for.
        name: String,
        /// Account.
        account: String,
        /// Region.
        region: String,
    },
    /// There is nothing at all to import.
    #[error("there is neither a pipeline nor an image recipe of your own in {account}/{region}")]
    Nothing {
        /// Account.
        account: String,
        /// Region.
        region: String,
    },
    /// Nothing of what was asked for can be imported.
    #[error("none of the recipes can be imported: {}", reasons.join("; "))]
    Refused {
        /// Why, of each.
        reasons: Vec<String>,
    },
    /// Files are there already and say something else.
    #[error("these files are there already and differ: {}", files.join(", "))]
    Conflict {
        /// Names in the folder.
        files: Vec<String>,
    },
    /// A file could not be written.
    #[error("{} cannot be written: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
}

impl ImportError {
    /// What to do next.
    #[must_use]
    pub fn next(&self) -> Option<String> {
        match self {
            Self::Call(call) => call.next(),
            Self::Missing { kind, .. } => {
                Some(format!("aws imagebuilder list-{}s shows what there is", kind.replace(' ', "-")))
            }
            Self::Nothing { .. } => Some("-e names another environment".into()),
            Self::Refused { .. } => Some("--os names the operating system where it cannot be seen".into()),
            Self::Conflict { .. } => Some("--into names another folder; --force replaces these files".into()),
            Self::File { .. } => None,
        }
    }

    /// The exit code of DESIGN section 9.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Call(call) => call.exit_code(),
            Self::Missing { .. } | Self::Nothing { .. } | Self::Refused { .. } => 2,
            Self::Conflict { .. } => 11,
            Self::File { .. } => 1,
        }
    }
}

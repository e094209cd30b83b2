//! Why nothing was checked.

use std::path::PathBuf;

/// Why nothing was checked.
#[derive(Debug, thiserror::Error)]
pub enum LintError {
    /// A path cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A path without a component document was to be checked.
    #[error("there is no component document in {}", path.display())]
    NothingToCheck {
        /// Which.
        path: PathBuf,
    },
    /// A file cannot be written.
    #[error("{} cannot be written: {source}", path.display())]
    Unwritable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl LintError {
    /// What to do next.
    #[must_use]
    pub fn next(&self) -> Vec<String> {
        match self {
            Self::Unreadable { .. } => vec![],
            Self::Unwritable { .. } => vec!["the file is as it was; `--diff` shows what would be written".to_owned()],
            Self::NothingToCheck { .. } => vec![
                "a check of nothing is not a pass: name a component document, a CloudFormation or Terraform file with one, \
                 or a folder that has any"
                    .to_owned(),
            ],
        }
    }
}

//! Why nothing was tested.

use crate::diagnostic::Diagnostic;
use crate::sandbox::SandboxError;
use std::path::{Path, PathBuf};

/// Why nothing was tested, or nothing could be entered.
#[derive(Debug, thiserror::Error)]
pub enum TrialError {
    /// A name that is neither a recipe nor a component nor a file.
    #[error("there is no {what} `{name}`")]
    Unknown {
        /// What it could have been.
        what: &'static str,
        /// The name.
        name: String,
        /// What it was probably meant to be.
        near: Option<String>,
        /// All that there is.
        known: Vec<String>,
    },
    /// A name that is both.
    #[error("`{name}` is a recipe and a component")]
    Ambiguous {
        /// The name.
        name: String,
    },
    /// Something that needs a project was asked for without one.
    #[error("there is no amiforge.yaml here or above, so {what}")]
    NoProject {
        /// What cannot be found without it.
        what: String,
    },
    /// A root that cannot be had.
    #[error("`{root}` cannot be the root of an instance: {reason}")]
    Root {
        /// As it was asked for.
        root: String,
        /// Why.
        reason: String,
        /// What to do instead.
        next: String,
    },
    /// Nothing would run.
    #[error("nothing would be tested: {why}")]
    Nothing {
        /// Why.
        why: String,
    },
    /// Documents that may not be run as they are.
    #[error("the documents cannot be run as they are")]
    Refused(Vec<Diagnostic>),
    /// No inventory came of an instance.
    #[error("there is no inventory of `{root}`: {reason}")]
    Inventory {
        /// The root.
        root: String,
        /// Why.
        reason: String,
    },
    /// An option that cannot be followed here.
    #[error("{message}")]
    Option {
        /// What is wrong.
        message: String,
        /// What to do instead.
        next: String,
    },
    /// An instance.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// A file or folder.
    #[error("{} cannot be {what}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// What was tried.
        what: &'static str,
        /// Why.
        source: std::io::Error,
    },
}

impl TrialError {
    /// For `map_err`: names what was tried and where.
    pub(super) fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { path, what, source }
    }

    /// How the program ends (DESIGN section 9).
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Refused(_) => 3,
            Self::Sandbox(error) => sandbox_exit(error),
            Self::Io { .. } => 1,
            // Without one nothing is known of the image.
            Self::Inventory { .. } => 8,
            _ => 2,
        }
    }

    /// What to do next.
    #[must_use]
    pub fn next(&self) -> Vec<String> {
        match self {
            Self::Unknown { near: Some(near), .. } => vec![format!("did you mean `{near}`?")],
            Self::Unknown { what, known, .. } if !known.is_empty() => {
                vec![format!("every {what} there is: {}", known.join(", "))]
            }
            Self::Ambiguous { name } => {
                vec![format!(
                    "write recipes/{name}.yaml, or the component's file in components/ or templates/components/"
                )]
            }
            Self::NoProject { .. } => {
                vec![
                    "name a component document by its path, go into a project, or make one: `amiforge init`".to_owned(),
                ]
            }
            Self::Root { next, .. } | Self::Option { next, .. } => vec![next.clone()],
            Self::Nothing { .. } => {
                vec!["a test of nothing is not a pass: `amiforge test --help` shows how to choose".to_owned()]
            }
            _ => vec![],
        }
    }
}

/// How the program ends for an error of the sandbox: 12 for what the machine forbids, 2 for what it lacks.
pub(super) fn sandbox_exit(error: &SandboxError) -> u8 {
    match error {
        SandboxError::Unavailable { .. } => 12,
        SandboxError::Program { .. } | SandboxError::Space { .. } => 2,
        _ => 1,
    }
}

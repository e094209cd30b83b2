//! Errors of the library become what the user sees: one place decides exit codes and next steps.

use super::exit::Exit;
use super::failure::Failure;
use crate::lint::LintError;
use crate::project::InitError;
use crate::sandbox::SandboxError;
use std::error::Error;

/// The error's own words and those of its causes, without repeating what a message already holds.
fn sentence(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

impl From<InitError> for Failure {
    fn from(error: InitError) -> Self {
        Self::new(Exit::Usage, sentence(&error))
    }
}

impl From<LintError> for Failure {
    fn from(error: LintError) -> Self {
        let failure = Self::new(Exit::Usage, sentence(&error));
        error.next().into_iter().fold(failure, Self::next)
    }
}

impl From<SandboxError> for Failure {
    fn from(error: SandboxError) -> Self {
        let exit = match &error {
            SandboxError::Unavailable { .. } => Exit::Denied,
            SandboxError::Busy { .. } => Exit::Locked,
            SandboxError::File { source, .. } if source.kind() == std::io::ErrorKind::PermissionDenied => Exit::Denied,
            SandboxError::Program { .. }
            | SandboxError::Spec(_)
            | SandboxError::Space { .. }
            | SandboxError::Source { .. }
            | SandboxError::Archive { .. } => Exit::Usage,
            _ => Exit::Unexpected,
        };
        Self::new(exit, sentence(&error))
    }
}

/// Of the rooms that speak to an environment.
#[cfg(feature = "aws")]
mod environment;

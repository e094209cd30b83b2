//! Errors of the library become what the user sees: one place decides exit codes and next steps.

use super::exit::{Exit, exit};
use super::failure::Failure;
use crate::lint::LintError;
use crate::project::InitError;
use crate::trial::TrialError;
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

impl From<TrialError> for Failure {
    fn from(error: TrialError) -> Self {
        let code = exit(error.exit_code());
        match error {
            TrialError::Refused(diagnostics) => Self { diagnostics, ..Self::new(code, "") },
            error => {
                let failure = Self::new(code, sentence(&error));
                error.next().into_iter().fold(failure, Self::next)
            }
        }
    }
}

/// Of the rooms that speak to an environment.
#[cfg(feature = "aws")]
mod environment;

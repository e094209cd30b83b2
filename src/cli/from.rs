//! Errors of the library become what the user sees: one place decides exit codes and next steps.

use super::exit::{Exit, exit};
use super::failure::Failure;
use crate::baseline::NamedError;
use crate::build::why::bundle::BundleError;
use crate::lint::LintError;
use crate::patch::{DiffError, EvaluateError};
use crate::project::InitError;
use crate::runner::table::TableError;
use crate::sandbox::SandboxError;
use crate::toe::{self, ConfigError, ToeError};
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

impl From<EvaluateError> for Failure {
    fn from(error: EvaluateError) -> Self {
        // Nothing was looked at: that is no verdict.
        let exit = match error {
            EvaluateError::OperatingSystem { .. } | EvaluateError::Unsupported { .. } => Exit::Usage,
            _ => Exit::NoEvidence,
        };
        Self::new(exit, sentence(&error))
    }
}

impl From<BundleError> for Failure {
    fn from(error: BundleError) -> Self {
        Self::new(Exit::Usage, sentence(&error)).next("save one: amiforge logs BUILD --bundle FILE.tar.gz")
    }
}

impl From<DiffError> for Failure {
    fn from(error: DiffError) -> Self {
        Self::new(Exit::NoEvidence, sentence(&error))
    }
}

impl From<NamedError> for Failure {
    fn from(error: NamedError) -> Self {
        let next = error.next();
        match error {
            NamedError::Refused(diagnostics) => Self::files(diagnostics),
            error => next.into_iter().fold(Self::new(Exit::Usage, sentence(&error)), Self::next),
        }
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

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Exit::Usage, sentence(&error))
    }
}

impl From<TableError> for Failure {
    fn from(error: TableError) -> Self {
        Self::new(Exit::Usage, sentence(&error))
    }
}

impl From<ToeError> for Failure {
    fn from(error: ToeError) -> Self {
        let text = error.to_string();
        match error {
            ToeError::Findings(diagnostics) => Self { exit: Exit::Findings, ..Self::files(diagnostics) },
            ToeError::Blocked { .. } => Self::new(Exit::Findings, text)
                .next("leave it out of --blocked-action-modules, or write the step with another action"),
            ToeError::Host { ref log, .. } if toe::is_interruption(&error) => {
                Self::new(Exit::Interrupted, text).next(format!("what had happened is in {}", log.display()))
            }
            ToeError::Host { log, .. } => {
                Self::new(Exit::Unexpected, text).next(format!("what had happened is in {}", log.display()))
            }
            ToeError::Log { .. } => Self::new(Exit::Usage, text).next("choose another folder with --log-directory"),
            ToeError::Nothing
            | ToeError::Unreadable { .. }
            | ToeError::NoSuchAction(_)
            | ToeError::Parameter { .. } => Self::new(Exit::Usage, text),
            ToeError::Unreachable { .. } => Self::new(Exit::Usage, text)
                .next("log in (`aws sso login`) or set AWS_PROFILE; or name a file that has it with --values"),
        }
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

//! Why nothing ran, or there is no result.

use crate::diagnostic::{Diagnostic, Severity, render};
use crate::runner::host::HostError;
use crate::runner::outside::OutsideError;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why nothing ran, or there is no result.
#[derive(Debug)]
pub enum ToeError {
    /// There is no document to run.
    Nothing,
    /// A document cannot be read.
    Unreadable {
        /// As it was named.
        reference: String,
        /// Why.
        source: io::Error,
    },
    /// A document cannot be had from where it is.
    Unreachable {
        /// As it was named.
        reference: String,
        /// Why.
        reason: OutsideError,
    },
    /// Documents have errors.
    Findings(Vec<Diagnostic>),
    /// A document uses an action that was blocked.
    Blocked {
        /// `document:line` of the step.
        place: String,
        /// The step.
        step: String,
        /// The action.
        action: String,
    },
    /// There is no such action to block.
    NoSuchAction(String),
    /// A value for a parameter that no document has.
    Parameter {
        /// Its name.
        name: String,
        /// One that was perhaps meant.
        near: Option<String>,
    },
    /// The files of the run cannot be written.
    Log {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is no result.
    Host {
        /// Why.
        error: HostError,
        /// What there is of the run.
        log: PathBuf,
    },
}

impl fmt::Display for ToeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => write!(f, "there is no document to run"),
            Self::Unreadable { reference, source } => write!(f, "the document {reference} cannot be read: {source}"),
            Self::Unreachable { reference, reason } => write!(f, "the document {reference} cannot be had: {reason}"),
            Self::Findings(found) => {
                let errors: Vec<Diagnostic> =
                    found.iter().filter(|finding| finding.severity == Severity::Error).cloned().collect();
                f.write_str(render::text(&errors, false).trim_end())
            }
            Self::Blocked { place, step, action } => {
                write!(f, "{place}: step {step} uses {action}, which is blocked; nothing was run")
            }
            Self::NoSuchAction(name) => write!(f, "there is no action module `{name}` to block"),
            Self::Parameter { name, near } => {
                write!(f, "no document has a parameter `{name}`")?;
                near.iter().try_for_each(|near| write!(f, "; did you mean `{near}`?"))
            }
            Self::Log { path, source } => write!(f, "the log {} cannot be written: {source}", path.display()),
            Self::Host { error, .. } => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for ToeError {}

//! Why a build failed: from "Document … failed!" to component, phase, step, exit code, last lines, and a probable cause
//! from a catalogue, with what helps.
//!
//! Pure: a [`Record`] (what the services and the runner say, collected from an environment or read from a bundle) goes
//! in, a [`Diagnosis`] comes out. The same record gives the same diagnosis, word for word.

pub mod bundle;
pub mod catalogue;
mod diagnose;
mod facts;
mod model;
pub mod record;
mod redact;
mod toe;

pub use diagnose::{Cause, Certainty, Diagnosis, Remedy, SCHEMA, diagnose};
pub use facts::{Facts, Line, Source};
pub use model::{Advice, Entry, Sign, When};
pub use record::Record;
pub use redact::redacted;
#[cfg(feature = "aws")]
pub(in crate::build) use toe::{field, summary};

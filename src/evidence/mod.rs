//! Collects and stores what is known of a candidate: one versioned JSON document with a digest.
//!
//! ```text
//!  candidate AMI ─► fresh instance ─► inventory, patch scan ─┐
//!                └► attributes ──────────────────────────────┴─► Evidence ─► file, digest ─► tag on the AMI
//! ```

mod canonical;
#[cfg(feature = "aws")]
mod collect;
pub mod difference;
#[cfg(feature = "aws")]
mod error;
pub mod file;
mod found;
pub mod hygiene;
mod model;
mod schema;
pub mod sign;
#[cfg(feature = "aws")]
mod store;

pub use canonical::digest;
#[cfg(feature = "aws")]
pub use collect::{
    CollectRequest, Collected, ScansWanted, baseline_digest, collect, inventory, record_digest, recorded_digest, sweep,
};
#[cfg(feature = "aws")]
pub use error::EvidenceError;
pub use found::{FailedRule, Finding, Fix, Hygiene, HygieneFinding, VulnerabilityScan};
pub use model::{
    Ancestor, Ancestry, Candidate, CommandOutcome, Evidence, ImageAttributes, InstalledPackage, NotReal, OwnEvaluation,
    PatchNotice, PatchScan, SCHEMA, System, TestCase, TestOutcome, TestResult, TestStep, Volume,
};
pub use schema::schema;
#[cfg(feature = "aws")]
pub use store::{Store, Wanted};

#[cfg(test)]
pub(crate) use model::tests as testing;

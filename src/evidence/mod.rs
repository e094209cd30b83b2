//! Collects and stores what is known of a candidate: one versioned JSON document with a digest.
//!
//! ```text
//!  candidate AMI ─► fresh instance ─► inventory, patch scan ─┐
//!                └► attributes ──────────────────────────────┴─► Evidence ─► file, digest ─► tag on the AMI
//! ```

mod canonical;
mod collect;
mod error;
pub mod file;
mod model;

pub use canonical::digest;
pub use collect::{CollectRequest, Collected, collect, inventory, recorded_digest};
pub use error::EvidenceError;
pub use model::{
    Candidate, Evidence, Finding, ImageAttributes, InstalledPackage, NotReal, OwnEvaluation, PatchScan, SCHEMA,
    TestResult, VulnerabilityScan,
};

#[cfg(test)]
pub(crate) use model::tests as testing;

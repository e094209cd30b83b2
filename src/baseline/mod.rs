//! Patch baselines as things of a project and of accounts: found by name, compared, published, frozen.
//!
//! ```text
//!  baselines/*.yaml ─► find ─► desired ─┐
//!                                       ├─► plan (pure) ─► apply
//!  the account ─► observe ──────────────┘
//!  the account ─► fetch ─► baselines/NAME.yaml   (a snapshot)
//! ```
//!
//! The account is the database: a published baseline is found again by its name, its operating system and our tags, so a
//! second run has nothing to do, and one that was cut off is finished by the same command.

mod list;
mod named;

#[cfg(feature = "aws")]
mod apply;
#[cfg(feature = "aws")]
mod convert;
#[cfg(feature = "aws")]
mod error;
#[cfg(feature = "aws")]
#[cfg(test)]
mod flow_tests;
#[cfg(feature = "aws")]
mod model;
#[cfg(feature = "aws")]
mod observe;
#[cfg(feature = "aws")]
mod plan;
#[cfg(feature = "aws")]
mod publish;
#[cfg(feature = "aws")]
mod snapshot;

pub use list::{LIST_SCHEMA, Listing, Row, list};
pub use named::{Named, NamedError, Origin, find};

#[cfg(feature = "aws")]
pub use error::{BaselineError, Conflict};
#[cfg(feature = "aws")]
pub use model::{
    Definition, Desired, Found, Observed, Outcome, PUBLISH_SCHEMA, Publication, PublishedRow, Registered, Step, Wishes,
};
#[cfg(feature = "aws")]
pub(crate) use observe::observe;
#[cfg(feature = "aws")]
pub use plan::plan;
#[cfg(feature = "aws")]
pub(crate) use publish::bring;
#[cfg(feature = "aws")]
pub use publish::{Planned, desired, observe_all, publish};
#[cfg(feature = "aws")]
pub use snapshot::{Frozen, SNAPSHOT_SCHEMA, SnapshotReport, Which, Written, check, fetch, write};

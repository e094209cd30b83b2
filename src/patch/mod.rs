//! Baselines, inventory, version comparison and evaluation: what a baseline says about an image. Pure.
//!
//! ```text
//!  dpkg status, apt lists ─► debian::inventory ─► Inventory ─┐
//!  predefined / baselines/*.yaml ─► Baseline ────────────────┴─► evaluate ─► Evaluation
//! ```
//!
//! The rules are those of Patch Manager as the notes in `reference/patch-baselines.md` have them; where a constant
//! or a rule of these files comes from a section there, the comment says so. Nothing here ever answers "nothing is
//! missing" because nothing was there to look at: see [`EvaluateError`].

mod apt;
mod baseline;
pub mod debian;
mod entries;
mod evaluate;
pub(crate) mod glob;
mod inventory;
mod outcome;
mod parse;
mod predefined;
pub mod rpm;
mod validate;
mod version;

pub use baseline::{
    Approval, AvailableSecurityUpdates, Baseline, Filter, FilterKey, Level, OperatingSystem, RejectedAction, Rule,
    Source,
};
pub use entries::ENTRIES;
pub use evaluate::{EvaluateError, Evaluation, evaluate};
pub use inventory::{Inventory, Offer, OtherOffers, Package, PackageSource};
pub use outcome::{Counts, PatchItem, State};
pub use parse::{Parsed, check_baseline, parse_baseline};
pub use predefined::{all_predefined, predefined};
pub use version::{DebianVersion, Evr, EvrError, Nevra, VersionError, rpmvercmp};

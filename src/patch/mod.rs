//! Baselines, inventory, version comparison and evaluation: what a baseline says about an image. Pure.
//!
//! ```text
//!  dpkg status, apt lists ─► debian::inventory ─► Inventory ─┐
//!  rpm -qa, repodata ─► rpm ─► RpmReader ────────► Inventory ─┤
//!  predefined / baselines/*.yaml ─► Baseline ────────────────┴─► evaluate ─► Evaluation (patches with reasons)
//! ```
//!
//! The rules are those of Patch Manager as the notes in `reference/patch-baselines.md` have them; where a constant
//! or a rule of these files comes from a section there, the comment says so. Nothing here ever answers "nothing is
//! missing" because nothing was there to look at: see [`EvaluateError`].
//!
//! # What is not known for certain
//!
//! * Where the sources about Patch Manager contradict each other (patch-baselines.md 14.1), [`Settings`] holds one
//!   position per conflict; the evaluation carries it, and [`Settings::lines`] names it for a report.
//! * What `PRODUCT` is called on most systems is UNCONFIRMED: without [`Context::product`] such filters pass, with a note.
//! * Whether holds and version locks are honoured is UNCONFIRMED: they are named among the reasons and change no state.
//! * How the service finds packages that others installed since the boot is UNCONFIRMED: [`PendingReboot`].
//! * Which updates need a rejected package takes a solver and is not evaluated; a note says so (conflict 6).
//! * Phased updates are not looked at; they only exist outside of security suites.
//! * That a release is at its end of life is not known here; sources that offer nothing at all are an error.

mod apt;
mod baseline;
mod baseline_diff;
mod baseline_diff_render;
pub mod collect;
mod compare;
pub mod debian;
mod diff;
mod diff_render;
mod edition;
mod entries;
mod evaluate;
mod evaluation;
mod explain;
mod export;
mod freshen;
pub(crate) mod glob;
mod install;
mod inventory;
mod inventory_json;
mod listed;
mod moment;
mod names;
mod outcome;
mod override_file;
mod override_list;
mod parse;
mod pending;
mod policy;
mod predefined;
mod reason;
mod rejected;
pub mod rpm;
mod rpm_inventory;
mod rpms;
mod service_scan;
mod settings;
mod validate;
mod version;
mod whatif;

pub use baseline::{
    Approval, AvailableSecurityUpdates, Baseline, Family, Filter, FilterKey, Level, OperatingSystem, RejectedAction,
    Rule, Source,
};
pub use baseline_diff::{BASELINE_DIFF_SCHEMA, BaselineChange, BaselineDiff, ChangeKind, baseline_diff};
pub use compare::version_order;
pub use diff::{AdvisoryRow, DiffError, PACKAGE_DIFF_SCHEMA, PackageDiff, PackageRow, package_diff};
pub use entries::ENTRIES;
pub use evaluate::{Context, EvaluateError, evaluate};
pub use evaluation::{EVALUATION_SCHEMA, Evaluation, LevelCounts, OpenCounts, Operation, Patch, Summary};
pub use freshen::OffersError;
pub use install::{Exclude, INSTALL_PLAN_SCHEMA, InstallPlan, PackageManager, PlanError, Planned, install_plan};
pub use inventory::{
    Advisory, AdvisoryPackage, Hold, Inventory, Kernel, Offer, OtherOffer, OtherOffers, Package, PackageSource, Reboot,
    Recorded, Unread,
};
pub use inventory_json::{INVENTORY_SCHEMA, InventoryJsonError};
pub use moment::{DateOrigin, Dated};
pub use outcome::{Counts, PatchItem, State};
pub use override_file::{BaselineFile, check_baseline_file};
pub use override_list::{OverrideEntry, OverrideList, ParsedOverrideList, Selected, parse_override_list};
pub use parse::{Parsed, check_baseline, parse_baseline};
pub use predefined::{all_predefined, predefined};
pub use reason::{Reason, Why};
pub use rejected::{Rejected, Words};
pub use rpm_inventory::RpmReader;
pub use service_scan::{ScanError, from_scan};
pub use settings::{
    ApprovedList, AptSecurity, DateOrder, InstalledRejected, MissingDate, MissingSeverity, NoNotices, PendingReboot,
    RejectedIds, SecurityNotice, SettingError, SettingLine, Settings, Vanished,
};
pub use version::{DebianVersion, Evr, EvrError, Nevra, VersionError, rpmvercmp};
pub use whatif::{
    COMPARISON_SCHEMA, Change, Comparison, Occasion, Rebuild, RebuildError, Side, compare, rebuild_needed,
};

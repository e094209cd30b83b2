//! Text and JSON of what users see. Pure: values in, text out.

mod access;
mod baseline;
mod cache;
mod difference;
#[cfg(feature = "aws")]
mod doctor;
pub mod evaluation;
mod files;
#[cfg(feature = "aws")]
mod fleet;
#[cfg(feature = "aws")]
mod image;
#[cfg(feature = "aws")]
mod import;
pub mod judged;
#[cfg(feature = "aws")]
mod promotion;
#[cfg(feature = "aws")]
mod publication;
#[cfg(feature = "aws")]
mod releases;
#[cfg(feature = "aws")]
mod revocation;
#[cfg(feature = "aws")]
mod serve;
pub mod trial;
#[cfg(feature = "aws")]
mod verbs;
mod why;

pub use access::{access, access_notes};
pub use baseline::{baseline, baseline_json, baselines};
pub use cache::{Listed, Pruned, cache_list, cache_prune, parse_size, size};
pub use difference::{difference, difference_markdown};
#[cfg(feature = "aws")]
pub use doctor::doctor;
pub use files::{Rendered, count_line, init, lint, mended};
#[cfg(feature = "aws")]
pub use fleet::{answered, images, images_failed, kept, status};
#[cfg(feature = "aws")]
pub use image::{Plans, change_line, channels, closing, plan, plans};
#[cfg(feature = "aws")]
pub use import::ImportReport;
pub use judged::{tests_junit, verdicts, waiver_notes, word};
#[cfg(feature = "aws")]
pub use promotion::{Drift, History, Preview, consent};
#[cfg(feature = "aws")]
pub use publication::{baseline_plan, baseline_published, failed_row, snapshot, takeover};
#[cfg(feature = "aws")]
pub use releases::Releases;
#[cfg(feature = "aws")]
pub use revocation::{restored, revoked, withdrawal};
#[cfg(feature = "aws")]
pub use serve::{Keys as ServedKeys, serving};
pub use trial::line as trial_line;
#[cfg(feature = "aws")]
pub use verbs::{Promoted, Validated, promoted, published, resumed, verified};
pub use why::{why, why_markdown};

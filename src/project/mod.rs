//! `amiforge.yaml`, recipes, baselines: read, checked, located (file, line, column).
//!
//! [`load`] reads a whole project and reports every fault of every file together. Unknown keys are errors with a
//! suggestion, everything has a default worth having, and what a later version will do is refused by this one, never
//! passed over. Files that come with amiforge are in [`builtin`]; components of the project take their place by name.

pub mod builtin;
mod canary;
pub(crate) mod check;
mod codes;
mod duration;
mod environment;
mod environment_settings;
mod fields;
mod gates;
mod init;
pub mod lineage;
mod lint;
mod load;
mod model;
pub mod names;
mod os;
mod parent;
pub(crate) mod patching;
mod pipeline;
mod policy;
mod recipe;
mod refresh;
pub mod schema;
mod settings;
#[cfg(test)]
mod tests;
mod waivers;
mod windows;
mod workflows;

pub use canary::{Canary, CanaryCheck, CanaryPlaces};
pub use codes::ENTRIES;
pub use environment::*;
pub use init::{InitError, InitReport, init};
pub use load::{Loaded, PROJECT_FILE, find, load, load_all, load_leniently};
pub use model::*;
pub use os::Family;
#[cfg(feature = "aws")]
pub(crate) use pipeline::is_schedule;
pub use policy::{
    CommandGate, Gates, HygieneGate, ImageGate, PackageGate, PackageRule, ParentGate, PatchGate, ProjectGates, Rating,
    Relation, Scanner, SizeGate, TestGate, TestName, VersionBound, VulnerabilityGate,
};
pub use refresh::Refresh;
pub(crate) use settings::INSTANCE_PROFILE;
pub use waivers::Waiver;
pub use windows::{Freeze, Window};

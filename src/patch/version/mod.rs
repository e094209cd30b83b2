//! The order of versions, as the package managers have it: dpkg's for Debian and Ubuntu, rpm's for Amazon Linux, the
//! Red Hat family and SUSE (patch-baselines.md 9).
//!
//! Both orders are total, and equality is theirs, not that of the texts: `1.0` and `1.0-0` are one Debian version,
//! `1.01` and `1.1` are one for rpm. `tests/versions.rs` compares both with the package managers themselves.

mod debian;
mod nevra;
mod rpm;

pub use debian::{DebianVersion, VersionError};
pub use nevra::Nevra;
pub use rpm::{Evr, EvrError, rpmvercmp};

//! The inventory of a system from what its own shell can tell, wherever it runs: a live instance, a root folder, the local
//! environment.
//!
//! ```text
//!  collector(scope) ─► sh, on the system ─► sections of text ─► read ─► Inventory
//! ```
//!
//! The script (`collector.sh`) needs the system's shell, dpkg or rpm and the tools beside them. It reads the package lists
//! themselves (`Packages`, `Release`, `primary.xml`, `updateinfo.xml`), refreshed into a folder of its own when it is
//! asked to, and changes nothing else. It cuts and concludes nothing: which sources should be there, whether the bytes are
//! those that `Release` and `repomd.xml` tell of, and what it all means is found out here.
//!
//! What leaves the system is small: of every record the few fields that an evaluation needs, and with
//! [`Scope::Installed`] only what concerns installed packages. Compressed that is some 10,000 characters for an image of
//! 200 packages, which one answer of Run Command (24,000 characters, patch-baselines.md 7.6) has room for.
//!
//! # Differences
//!
//! * Systems with yum and no dnf (Amazon Linux 2, RHEL 7, both past their support) keep the package lists as databases,
//!   which are not read: every repository of theirs is unread, and nothing is concluded.
//! * Streams of modules count as enabled when a package is installed from them or dnf has written them down; the defaults
//!   of `modules.yaml` are not read.
//! * What an installation with `NoReboot` recorded is read where the record has the form of patch-baselines.md 5.2, which
//!   is not documented. What was installed after the boot is known without it.

mod apt;
mod error;
mod facts;
mod kernel;
mod rpm;
mod sections;

pub use error::CollectError;

use super::debian::os_release;
use super::inventory::{Inventory, Package};
use facts::Facts;
use sections::Sections;
use std::collections::BTreeMap;

const SCRIPT: &str = include_str!("collector.sh");

/// What of the package sources is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Offers of packages that are installed. All that a verdict needs; what else could be installed is not counted.
    Installed,
    /// All offers.
    Whole,
}

/// Whether the package sources are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresh {
    /// The package lists are fetched anew, by the system's own package manager, into a folder of its own.
    Anew,
    /// The same, unless the system did it within the last hour. (With APT; elsewhere it is always done.)
    IfOld,
    /// What was fetched last is taken as it is.
    AsIs,
}

/// The collector: a script for `sh` that prints the sections which [`read`] takes. It ends with another status than 0
/// when the system is none that it knows.
#[must_use]
pub fn collector(scope: Scope, refresh: Refresh) -> String {
    let whole = if scope == Scope::Whole { "yes" } else { "no" };
    let refresh = match refresh {
        Refresh::Anew => "yes",
        Refresh::IfOld => "old",
        Refresh::AsIs => "no",
    };
    format!("refresh={refresh}\nwhole={whole}\n{SCRIPT}")
}

/// The inventory from what the collector printed.
///
/// A source that is configured and did not come is in [`Inventory::unread`]: evaluating that is an error. What was cut off,
/// damaged or is not what the sources themselves say of it is an error here.
pub fn read(text: &str) -> Result<Inventory, CollectError> {
    let sections = Sections::read(text)?;
    let facts = Facts::read(sections.text("facts").ok_or(CollectError::Missing("facts"))?);
    let os_release = sections.text("os-release").ok_or(CollectError::Missing("os-release"))?;
    let mut inventory = match (sections.text("dpkg-status"), sections.text("rpm-installed")) {
        (Some(status), _) => apt::read(&sections, os_release, status)?,
        (None, Some(installed)) => rpm::read(&sections, os_release, installed, &facts)?,
        (None, None) => return Err(CollectError::Missing("list of installed packages")),
    };
    inventory.partial = sections.name("scope") == Some("no");
    inventory.kernel = kernel::kernel(&inventory, &facts);
    inventory.reboot = facts.reboot(&inventory, sections.text("patch-states"));
    name_origins(&mut inventory);
    Ok(inventory)
}

/// Where an installed package comes from, where nothing has written it down: the source that offers just that version.
fn name_origins(inventory: &mut Inventory) {
    let sources = &inventory.sources;
    let name = |at: usize| sources.get(at).map(super::PackageSource::name).unwrap_or_default();
    let key = |package: &Package| (package.name.clone(), package.arch.clone(), package.version.clone());
    let mut offered = BTreeMap::new();
    for offer in &inventory.offered {
        offered.entry(key(&offer.package)).or_insert_with(|| name(offer.from));
    }
    for package in inventory.installed.iter_mut().filter(|package| package.repository.is_empty()) {
        if let Some(source) = offered.get(&key(package)) {
            package.repository.clone_from(source);
        }
    }
}

/// A field of os-release that has to be there.
fn field<'a>(text: &'a str, name: &'static str) -> Result<&'a str, CollectError> {
    os_release::field(text, name).ok_or(CollectError::OsRelease(name))
}

#[cfg(test)]
mod tests;

//! Baselines, inventory, version comparison and evaluation: what a baseline says about an image. Pure.

use serde::{Deserialize, Serialize};

/// What is installed in an image and what its package sources offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Inventory {
    /// `ID` of `/etc/os-release`, for example `debian`.
    pub os_id: String,
    /// `VERSION_ID`, for example `12`.
    pub os_version: String,
    /// Packages that are installed (dpkg state `install ok installed`).
    pub installed: Vec<Package>,
    /// Versions the package sources offer.
    pub offered: Vec<Offer>,
    /// The package indexes that were read; empty means that nothing can be said.
    pub sources: Vec<PackageSource>,
}

/// One installed package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, PartialOrd, Ord)]
pub struct Package {
    /// Name.
    pub name: String,
    /// Architecture, for example `amd64` or `all`.
    pub arch: String,
    /// Version in the package manager's own form.
    pub version: String,
    /// Priority, lower case; empty when unknown.
    pub priority: String,
    /// Section, with its component prefix; empty when unknown.
    pub section: String,
    /// Name of the source package.
    pub source: String,
}

/// One version in one package index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The package at that version.
    pub package: Package,
    /// Index into [`Inventory::sources`].
    pub from: usize,
}

/// One package index (a suite and component of a repository).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageSource {
    /// Host or `file:` path it came from.
    pub site: String,
    /// `Suite` of the Release file; this is what "archive" means to Patch Manager.
    pub suite: String,
    /// `Codename`.
    pub codename: String,
    /// `Label`.
    pub label: String,
    /// Whether its signature was verified or the source is declared trusted.
    pub trusted: bool,
}

/// `PatchComplianceDataState` in the spelling of the service's answers (patch-baselines.md 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum State {
    /// Approved and present.
    Installed,
    /// Present, not approved.
    InstalledOther,
    /// Installed since the last boot.
    InstalledPendingReboot,
    /// Present and rejected with BLOCK.
    InstalledRejected,
    /// Approved, newer than what is installed.
    Missing,
    /// Approved, not installed; counted, never listed.
    NotApplicable,
    /// Install attempted, still not there.
    Failed,
}

/// What a baseline says about one package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatchItem {
    /// Name.
    pub name: String,
    /// Architecture.
    pub arch: String,
    /// Version that is installed.
    pub installed: String,
    /// Highest approved version when it is newer.
    pub available: Option<String>,
    /// State.
    pub state: State,
    /// Priority or classification of the version that decided.
    pub classification: String,
    /// Compliance level of the rule that approved.
    pub level: String,
}

/// The counts of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[allow(missing_docs, reason = "one counter per State, named like it")]
pub struct Counts {
    pub installed: u32,
    pub installed_other: u32,
    pub installed_pending_reboot: u32,
    pub installed_rejected: u32,
    pub missing: u32,
    pub failed: u32,
    pub not_applicable: u32,
}

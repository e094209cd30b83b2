//! What is installed in an image and what its package sources offer.

use serde::{Deserialize, Serialize};

/// What is installed in an image and what its package sources offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Inventory {
    /// `ID` of `/etc/os-release`, for example `debian`.
    pub os_id: String,
    /// `VERSION_ID`, for example `12`.
    pub os_version: String,
    /// `VERSION_CODENAME`, for example `bookworm`; empty when unknown. Tells which sources belong to this release.
    #[serde(default)]
    pub os_codename: String,
    /// Packages that are installed (dpkg state `installed`, whatever the administrator wants next).
    pub installed: Vec<Package>,
    /// Versions the package sources offer of packages that are installed, in any architecture.
    pub offered: Vec<Offer>,
    /// What the sources offer of everything else, in the compact form that counting needs.
    #[serde(default)]
    pub others: Vec<OtherOffers>,
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

/// Offers of packages that are not installed, grouped by everything a rule can filter on.
///
/// A distribution's index has some 60,000 records in 50 MB, of which an image has a few hundred installed. The rest
/// matters for one number only, `NotApplicableCount` (approved but not installed), and for that a name, an
/// architecture and a version per record are enough: as [`Offer`]s they would take about 20 MB, as groups of lines
/// 2.3 MB (measured), and a filter is then tested once per group instead of once per record.
///
/// What the compact form gives up: a version is judged with the attributes and the source of each record on its own,
/// while for installed packages the records of one version in several sources are put together. Only the count could
/// differ, and only if two suites gave the same version different priorities; a verdict never depends on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OtherOffers {
    /// Priority, lower case; empty when unknown.
    pub priority: String,
    /// Section, with its component prefix; empty when unknown.
    pub section: String,
    /// Index into [`Inventory::sources`].
    pub from: usize,
    /// One line `name arch version` per record, each ended by a newline. (Neither of the three can hold a space.)
    pub packages: String,
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

impl PackageSource {
    /// Whether Patch Manager takes what comes from here for a security update (patch-baselines.md 4.5): the source
    /// is trusted, and its suite says `security` or it is the security host.
    ///
    /// `Codename` and `Label` are left out on purpose: the service does not look at them.
    #[must_use]
    pub fn is_security(&self) -> bool {
        let host = !self.site.starts_with("file:") && self.site.to_lowercase().contains("security.debian.org");
        self.trusted && (host || self.suite.to_lowercase().contains("security"))
    }

    /// Whether it belongs to the release called `codename`: the release itself or one of its pockets
    /// (`bookworm`, `bookworm-security`, `noble-updates`, `buster/updates`).
    #[must_use]
    pub fn belongs_to(&self, codename: &str) -> bool {
        let pocket = |name: &str| {
            name.strip_prefix(codename).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '/']))
        };
        !codename.is_empty() && (pocket(&self.codename) || pocket(&self.suite))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(site: &str, suite: &str, codename: &str, trusted: bool) -> PackageSource {
        PackageSource {
            site: site.into(),
            suite: suite.into(),
            codename: codename.into(),
            label: String::new(),
            trusted,
        }
    }

    #[test]
    fn a_security_source_is_trusted_and_says_security_in_its_suite_or_is_the_security_host() {
        assert!(source("mirror.example", "oldstable-security", "bookworm-security", true).is_security());
        assert!(source("Security.Debian.org", "stable", "bookworm", true).is_security());
        assert!(source("archive.ubuntu.com", "noble-Security", "noble", true).is_security());
        assert!(!source("mirror.example", "oldstable-security", "bookworm-security", false).is_security());
        assert!(!source("archive.ubuntu.com", "noble-updates", "noble", true).is_security());
        assert!(!source("file:/srv/security.debian.org", "stable", "bookworm", true).is_security());
        assert!(
            !source("mirror.example", "stable", "bookworm-security", true).is_security(),
            "codename does not count"
        );
    }

    #[test]
    fn pockets_belong_to_their_release_and_similar_names_do_not() {
        assert!(source("h", "oldstable-security", "bookworm-security", true).belongs_to("bookworm"));
        assert!(source("h", "noble-infra-security", "noble", true).belongs_to("noble"));
        assert!(source("h", "stable", "buster/updates", true).belongs_to("buster"));
        assert!(!source("h", "stable", "bookworms", true).belongs_to("bookworm"));
        assert!(!source("h", "stable", "trixie", true).belongs_to("bookworm"));
        assert!(!source("h", "", "", true).belongs_to(""));
    }
}

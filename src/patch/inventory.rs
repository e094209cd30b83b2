//! What is installed in an image and what its package sources offer.

use serde::{Deserialize, Serialize};

/// What is installed in an image and what its package sources offer.
///
/// As a document it carries a schema: [`Inventory::to_json`] and [`Inventory::from_json`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Inventory {
    /// `ID` of `/etc/os-release`, for example `debian`.
    pub os_id: String,
    /// `VERSION_ID`, for example `12`.
    pub os_version: String,
    /// `VERSION_CODENAME`, for example `bookworm`; empty when unknown. Tells which sources belong to this release.
    #[serde(default)]
    pub os_codename: String,
    /// `NAME`, for example `Red Hat Enterprise Linux`; empty when it was not read.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub os_name: String,
    /// Packages that are installed (dpkg state `installed`, whatever the administrator wants next; what `rpm -qa` lists).
    /// Of kernels several versions are.
    pub installed: Vec<Package>,
    /// Versions the package sources offer of packages that are installed, in any architecture.
    pub offered: Vec<Offer>,
    /// What the sources offer of everything else, in the compact form that counting needs.
    #[serde(default)]
    pub others: Vec<OtherOffers>,
    /// Offers of what is not installed were left out: a verdict does not need them, and nothing is not applicable then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// The package indexes that were read; empty means that nothing can be said.
    pub sources: Vec<PackageSource>,
    /// Sources that are configured and could not be read. Any of these makes the inventory useless for a verdict:
    /// Amazon Linux 2023 for one passes over them without an error (patch-baselines.md 3.2).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<Unread>,
    /// What the sources say about versions (`updateinfo`). APT sources say nothing; there it may come from a feed, and
    /// serves the package diff only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub advisories: Vec<Advisory>,
    /// Module streams that are enabled, as `name:stream`. What notices say of other streams is not for this image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub modules: Vec<String>,
    /// Packages the administrator wants kept as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holds: Vec<Hold>,
    /// The kernel in use and the newest one.
    #[serde(default)]
    pub kernel: Kernel,
    /// What waits for a restart.
    #[serde(default)]
    pub reboot: Reboot,
}

/// One package at one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, PartialOrd, Ord, Default)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Name.
    pub name: String,
    /// Architecture, for example `amd64`, `all`, `x86_64` or `noarch`.
    pub arch: String,
    /// Version in the package manager's own form, `[epoch:]version[-release]`. An RPM epoch of 0 may be left out.
    pub version: String,
    /// Priority, lower case; empty when unknown. Debian packages only.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub priority: String,
    /// Section, with its component prefix; empty when unknown. Debian packages only.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub section: String,
    /// Name of the source package (APT) or of the source RPM; empty when unknown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// Id of the repository it was installed from; empty when unknown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub repository: String,
    /// When it was installed, in seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installed_at: Option<i64>,
    /// When it was built, in seconds since 1970: `BUILDTIME`, or `time@build` of the package list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub built_at: Option<i64>,
}

impl Package {
    /// `name.arch`, which is the service's id of a patch on Linux (patch-baselines.md 5.5).
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}.{}", self.name, self.arch)
    }

    /// The epoch as written, `0` without one.
    #[must_use]
    pub fn epoch(&self) -> &str {
        self.version.split_once(':').map_or("0", |(epoch, _)| if epoch.is_empty() { "0" } else { epoch })
    }

    /// The version proper, without epoch and release: what Debian calls the upstream version.
    #[must_use]
    pub fn upstream(&self) -> &str {
        let rest = without_epoch(&self.version);
        rest.rsplit_once('-').map_or(rest, |(version, _)| version)
    }

    /// The release (Debian: revision); empty without one.
    #[must_use]
    pub fn release(&self) -> &str {
        without_epoch(&self.version).rsplit_once('-').map_or("", |(_, release)| release)
    }
}

/// `version[-release]` of a version text.
pub(super) fn without_epoch(version: &str) -> &str {
    version.split_once(':').map_or(version, |(_, rest)| rest)
}

/// One version in one package index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Offer {
    /// The package at that version.
    pub package: Package,
    /// Index into [`Inventory::sources`].
    pub from: usize,
}

/// A source that is configured and could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unread {
    /// Its id or file name.
    pub name: String,
    /// What went wrong.
    pub why: String,
}

/// An update notice: one `<update>` of an `updateinfo.xml` (patch-baselines.md 10.1), or one entry of a vendor's feed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Advisory {
    /// `<id>`; unique in its source only.
    pub id: String,
    /// The id of the `self` reference, which is what Patch Manager knows a notice by (patch-baselines.md 2.1). Left out
    /// when it is the same; empty when there is none, and the notice cannot be named on AWS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference_id: Option<String>,
    /// Index into [`Inventory::sources`].
    pub from: usize,
    /// `type`, as written: `security`, `bugfix`, …; on SUSE the category.
    pub kind: String,
    /// `<severity>`, as written; empty when the notice has none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub severity: String,
    /// `status`, as written; empty when absent.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub status: String,
    /// `<issued date>`, as written; empty when absent. What can be read of it is the evaluator's business.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub issued: String,
    /// `<updated date>`, as written; empty when absent.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub updated: String,
    /// Title; empty when absent.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
    /// CVE ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cves: Vec<String>,
    /// Bugzilla ids.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bugs: Vec<String>,
    /// The packages it lists, of every architecture.
    pub packages: Vec<AdvisoryPackage>,
}

impl Advisory {
    /// Whether it is in force: `final`, `stable` or without a status. Others are in testing or were withdrawn
    /// (patch-baselines.md 10.1).
    #[must_use]
    pub fn in_force(&self) -> bool {
        self.status.is_empty() || ["final", "stable"].iter().any(|word| self.status.eq_ignore_ascii_case(word))
    }
}

/// A package that a notice lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct AdvisoryPackage {
    /// Name.
    pub name: String,
    /// Architecture.
    pub arch: String,
    /// `[epoch:]version-release`.
    pub version: String,
    /// The module stream it belongs to, as `name:stream`; empty for ordinary packages.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub module: String,
    /// `reboot_suggested`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reboot_suggested: bool,
}

impl Advisory {
    /// Since when it has been known: `<issued>`, or `<updated>` without; nothing when neither can be read.
    #[must_use]
    pub fn since(&self) -> Option<time::OffsetDateTime> {
        let read = |text: &str| super::rpm::Stamp::read(text).time();
        read(&self.issued).or_else(|| read(&self.updated))
    }
}

/// A package that is to stay as it is: `apt-mark hold`, `dnf versionlock`, `zypper addlock`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, PartialOrd, Ord)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// The package's name; may have wildcards where the package manager takes them.
    pub name: String,
    /// The version it is locked to, when the lock names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Where this stands: `apt-mark`, `versionlock`, `zypper`.
    pub by: String,
}

/// The kernel in use and the newest one (patch-baselines.md 11).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Kernel {
    /// `uname -r` of the booted image; absent when it was not booted, or the kernel is a container host's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<String>,
    /// The newest installed kernel of the same stream and flavour, as `uname -r` would say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<String>,
    /// The kernel the boot loader starts by default, in the same form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_entry: Option<String>,
}

impl Kernel {
    /// Whether another kernel than the newest one runs; nothing when one of the two is unknown.
    #[must_use]
    pub fn outdated(&self) -> Option<bool> {
        Some(self.running.as_ref()? != self.newest.as_ref()?)
    }
}

/// What waits for a restart (patch-baselines.md 5.2 and 11).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct Reboot {
    /// When the system was booted, in seconds since 1970; absent when it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub booted_at: Option<i64>,
    /// Whether the system itself asks for a restart; absent when it has no means to tell: on a minimal Debian the
    /// missing `/run/reboot-required` proves nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
    /// Names of the packages it gives as the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<String>,
    /// What an installation with `NoReboot` recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recorded: Vec<Recorded>,
}

/// One entry of the state file of an installation with `NoReboot`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, PartialOrd, Ord)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// `name.arch:version`, the service's title of a patch.
    pub title: String,
    /// When it was installed, in seconds since 1970.
    pub installed_at: i64,
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
#[serde(deny_unknown_fields)]
pub struct OtherOffers {
    /// Priority, lower case; empty when unknown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub priority: String,
    /// Section, with its component prefix; empty when unknown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub section: String,
    /// Index into [`Inventory::sources`].
    pub from: usize,
    /// One line `name arch version` per record, each ended by a newline. (Neither of the three can hold a space.) RPM
    /// records may have a fourth word, the build time in seconds since 1970.
    pub packages: String,
}

/// One record of [`OtherOffers`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OtherOffer<'a> {
    /// Name.
    pub name: &'a str,
    /// Architecture.
    pub arch: &'a str,
    /// Version.
    pub version: &'a str,
    /// Build time, in seconds since 1970.
    pub built_at: Option<i64>,
}

impl OtherOffers {
    /// The records; a line that is none is passed over ([`Inventory::from_json`] refuses such lines).
    pub fn records(&self) -> impl Iterator<Item = OtherOffer<'_>> {
        self.packages.lines().filter_map(record)
    }

    /// The first line that is no record.
    pub(super) fn damage(&self) -> Option<&str> {
        self.packages.lines().find(|line| record(line).is_none())
    }

    /// Adds a record. Neither text may hold white space.
    pub fn push(&mut self, record: OtherOffer<'_>) {
        for word in [record.name, record.arch, record.version] {
            self.packages.push_str(word);
            self.packages.push(' ');
        }
        if let Some(built) = record.built_at {
            self.packages.push_str(&built.to_string());
        } else {
            self.packages.pop();
        }
        self.packages.push('\n');
    }
}

fn record(line: &str) -> Option<OtherOffer<'_>> {
    let mut words = line.split(' ');
    let (name, arch, version) = (words.next()?, words.next()?, words.next()?);
    let built_at = words.next().map(str::parse).transpose().ok()?;
    let whole = words.next().is_none() && ![name, arch, version].contains(&"");
    whole.then_some(OtherOffer { name, arch, version, built_at })
}

/// One package index: of APT a suite and component of a repository, of RPM systems a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub struct PackageSource {
    /// Id of the repository on RPM systems, for example `amazonlinux`; empty on APT systems.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// The release the repository was read at (`releasever`), where repositories are versioned: `latest`, or a point
    /// release of Amazon Linux 2023. Empty when unknown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub release: String,
    /// Host or `file:` path it came from.
    pub site: String,
    /// `Suite` of the Release file; this is what "archive" means to Patch Manager.
    pub suite: String,
    /// `Codename`.
    pub codename: String,
    /// `Label`.
    pub label: String,
    /// Whether its signature was verified or the source is declared trusted. On RPM systems: whether packages are only
    /// installed when they are signed.
    pub trusted: bool,
    /// How many notices it has, where some of them were left out of [`Inventory::advisories`] because they are about
    /// nothing that is installed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub notices: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
const fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl PackageSource {
    /// What people know it by: the id of a repository, or host and suite.
    #[must_use]
    pub fn name(&self) -> String {
        if self.id.is_empty() { format!("{} {}", self.site, self.suite).trim().to_owned() } else { self.id.clone() }
    }

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
            trusted,
            ..PackageSource::default()
        }
    }

    #[test]
    fn versions_have_three_parts() {
        let parts = |version: &str| {
            let package = Package { version: version.into(), ..Package::default() };
            [package.epoch(), package.upstream(), package.release()].map(str::to_owned)
        };
        assert_eq!(parts("1:1.12.28-1.amzn2023.0.1"), ["1", "1.12.28", "1.amzn2023.0.1"]);
        assert_eq!(parts("5.2-1-2"), ["0", "5.2-1", "2"]);
        assert_eq!(parts("9:1.18.36:5.4"), ["9", "1.18.36:5.4", ""]);
    }

    #[test]
    fn compact_records_are_read_as_they_were_written() {
        let mut group =
            OtherOffers { priority: String::new(), section: String::new(), from: 0, packages: String::new() };
        let plain = OtherOffer { name: "a", arch: "noarch", version: "1-1", built_at: None };
        let built = OtherOffer { built_at: Some(-5), ..plain };
        group.push(plain);
        group.push(built);
        assert_eq!(group.packages, "a noarch 1-1\na noarch 1-1 -5\n");
        assert_eq!(group.records().collect::<Vec<_>>(), [plain, built]);
        for bad in ["a b", "a b ", "a b c d", "a b c 1 2", ""] {
            group.packages = format!("a b c\n{bad}\n");
            assert_eq!(group.damage(), Some(bad));
        }
    }

    #[test]
    fn only_notices_in_force_count() {
        let with = |status: &str| Advisory { status: status.into(), ..Advisory::default() }.in_force();
        assert!(with("") && with("final") && with("Stable"));
        assert!(!with("testing") && !with("retracted"), "patch-baselines.md 10.1");
    }

    #[test]
    fn the_kernel_is_outdated_only_when_both_are_known() {
        let kernel = |running: Option<&str>, newest: Option<&str>| Kernel {
            running: running.map(str::to_owned),
            newest: newest.map(str::to_owned),
            default_entry: None,
        };
        assert_eq!(kernel(None, Some("6.1")).outdated(), None);
        assert_eq!(kernel(Some("6.1"), Some("6.1")).outdated(), Some(false));
        assert_eq!(kernel(Some("6.0"), Some("6.1")).outdated(), Some(true));
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

//! The exact set of packages that a baseline wants installed, for a package manager (patch-baselines.md 4.1 and 4.3).

use super::baseline::{Baseline, OperatingSystem, RejectedAction};
use super::compare::Kind;
use super::evaluate::{Context, EvaluateError, evaluate};
use super::glob;
use super::inventory::{Inventory, without_epoch};
use super::listed::Named;
use super::override_list::{OverrideEntry, OverrideList};
use super::policy::Policy;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// The schema of an install plan as a document.
pub const INSTALL_PLAN_SCHEMA: &str = "amiforge.install-plan/1";

/// Who installs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "names say it")]
pub enum PackageManager {
    Apt,
    Dnf,
    Yum,
    Zypper,
}

impl PackageManager {
    /// The package manager of an image, by the operating system of its baseline and `VERSION_ID` (patch-baselines.md 3.1);
    /// nothing for systems that are not patched with one.
    #[must_use]
    pub fn of(os: OperatingSystem, version: &str) -> Option<Self> {
        use OperatingSystem as Os;
        let seven = version == "7" || version.starts_with("7.");
        Some(match os {
            Os::Debian | Os::Ubuntu | Os::Raspbian => Self::Apt,
            Os::Suse => Self::Zypper,
            Os::AmazonLinux | Os::AmazonLinux2 => Self::Yum,
            Os::RedHatEnterpriseLinux | Os::CentOs | Os::OracleLinux if seven => Self::Yum,
            Os::Windows | Os::MacOs => return None,
            _ => Self::Dnf,
        })
    }

    /// The program.
    #[must_use]
    pub const fn program(self) -> &'static str {
        match self {
            Self::Apt => "apt-get",
            Self::Dnf => "dnf",
            Self::Yum => "yum",
            Self::Zypper => "zypper",
        }
    }

    /// What stands before the packages: nothing that is not installed yet comes in on its own, and nobody is asked.
    const fn verb(self) -> &'static [&'static str] {
        match self {
            Self::Apt => &[
                "install",
                "--yes",
                "--only-upgrade",
                "-o",
                "Dpkg::Options::=--force-confdef",
                "-o",
                "Dpkg::Options::=--force-confold",
            ],
            Self::Dnf => &["upgrade", "--assumeyes"],
            Self::Yum => &["update", "--assumeyes"],
            Self::Zypper => &["--non-interactive", "install", "--no-recommends"],
        }
    }

    /// One package at one version, as the package manager takes it. (zypper's form is that of zypper(8),
    /// `NAME[.ARCH][OP EDITION]`; it was not run against zypper here.)
    fn spec(self, name: &str, arch: &str, version: &str) -> String {
        match self {
            // A package for all architectures is the native one, and may become one in its next version.
            Self::Apt if arch == "all" => format!("{name}={version}"),
            Self::Apt => format!("{name}:{arch}={version}"),
            Self::Dnf | Self::Yum => format!("{name}-{version}.{arch}"),
            Self::Zypper => format!("{name}.{arch}={}", version.strip_prefix("0:").unwrap_or(version)),
        }
    }
}

/// What to install, and what to keep out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InstallPlan {
    /// [`INSTALL_PLAN_SCHEMA`].
    pub schema: String,
    /// Name of the baseline.
    pub baseline: String,
    /// Who installs.
    pub manager: PackageManager,
    /// The packages, each at exactly the version that is approved: where a newer one waits for its date, that one is
    /// not taken.
    pub packages: Vec<Planned>,
    /// What must not come in as a dependency either: rejected with BLOCK.
    pub excludes: Vec<Exclude>,
    /// What a reader of the plan has to know.
    pub notes: Vec<String>,
}

/// One package to bring to a version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Planned {
    /// Name.
    pub name: String,
    /// Architecture, as installed.
    pub arch: String,
    /// Version that is installed.
    pub from: String,
    /// Version to install.
    pub to: String,
}

/// A package that must not be installed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exclude {
    /// Name.
    pub name: String,
    /// Architecture.
    pub arch: String,
    /// The version; absent when no version may be installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The entry of `RejectedPatches` that says so.
    pub entry: String,
}

/// Why there is no plan. Never taken for "nothing to install".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The baseline says nothing about the image.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
    /// A name, an architecture or a version that a command line or a preferences file could read as something else.
    #[error(
        "`{text}` cannot be part of the name or version of a package, and a command line could obey it; look at the package sources of the image"
    )]
    Unsafe {
        /// The text.
        text: String,
    },
}

/// Whether a text can be nothing but a name, an architecture or a version (the characters of deb-version(7) and of RPM
/// names): what a repository offers ends up in a command line.
fn is_word(text: &str) -> bool {
    let inside = |b: u8| b.is_ascii_alphanumeric() || b"+-._~^:".contains(&b);
    text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric() || first == b'_') && text.bytes().all(inside)
}

/// What `baseline` wants installed on an image at `context.now`: exactly what [`evaluate`] calls missing.
pub fn install_plan(baseline: &Baseline, inventory: &Inventory, context: &Context) -> Result<InstallPlan, PlanError> {
    let evaluation = evaluate(baseline, inventory, context)?;
    let os = baseline.operating_system;
    let manager =
        PackageManager::of(os, &inventory.os_version).ok_or(EvaluateError::Unsupported { operating_system: os })?;
    let planned = |patch: &super::Patch| {
        let (name, arch, from) = (patch.name.clone(), patch.arch.clone(), patch.installed.clone());
        Some(Planned { name, arch, from, to: patch.available.clone()? })
    };
    let packages: Vec<Planned> = evaluation.outstanding().filter_map(planned).collect();
    let mut notes = evaluation.notes.clone();
    for package in &packages {
        let held = inventory.holds.iter().find(|hold| glob::matches(&hold.name, &package.name));
        if let Some(hold) = held {
            let (name, by) = (&package.name, &hold.by);
            notes.push(format!("{name} is held ({by}): the package manager will refuse to change it"));
        }
    }
    let excludes = excludes(baseline, inventory, context);
    let wanted = packages.iter().flat_map(|package| [&package.name, &package.arch, &package.to]);
    let kept_out =
        excludes.iter().flat_map(|exclude| [&exclude.name, &exclude.arch].into_iter().chain(&exclude.version));
    if let Some(text) = wanted.chain(kept_out).find(|text| !is_word(text)) {
        return Err(PlanError::Unsafe { text: text.clone() });
    }
    let (schema, baseline) = (INSTALL_PLAN_SCHEMA.to_owned(), baseline.name.clone());
    Ok(InstallPlan { schema, baseline, manager, packages, excludes, notes })
}

/// The versions of a package that sources offer.
#[derive(Default)]
struct Offered {
    /// Those that are rejected, each with the entry that says so.
    rejected: BTreeMap<String, String>,
    /// Whether there are others.
    others: bool,
}

/// The rejected versions among those that are offered; a package of which all are is excluded as a whole. With
/// `ALLOW_AS_DEPENDENCY` a rejected package may come in for the sake of others (patch-baselines.md 4.3).
fn excludes(baseline: &Baseline, inventory: &Inventory, context: &Context) -> Vec<Exclude> {
    if baseline.rejected_action != RejectedAction::Block || baseline.rejected.is_empty() {
        return vec![];
    }
    let policy = Policy::new(baseline, context);
    let kind = Kind::of(&inventory.os_id);
    let offered = inventory.offered.iter().map(|offer| {
        let package = &offer.package;
        Named { name: &package.name, arch: &package.arch, version: &package.version }
    });
    let records = inventory.others.iter().flat_map(super::OtherOffers::records);
    let others = records.map(|record| Named { name: record.name, arch: record.arch, version: record.version });
    let mut found: BTreeMap<(&str, &str), Offered> = BTreeMap::new();
    for named in offered.chain(others) {
        let Offered { rejected, others } = found.entry((named.name, named.arch)).or_default();
        match policy.rejected(named, None) {
            Some(hit) => {
                rejected.insert(kind.full(named.version), hit.entry);
            }
            None => *others = true,
        }
    }
    let mut excludes = vec![];
    for ((name, arch), Offered { rejected, others }) in found {
        let (name, arch) = (name.to_owned(), arch.to_owned());
        if others {
            excludes.extend(rejected.into_iter().map(|(version, entry)| Exclude {
                name: name.clone(),
                arch: arch.clone(),
                version: Some(version),
                entry,
            }));
        } else if let Some((_, entry)) = rejected.into_iter().next() {
            excludes.push(Exclude { name, arch, version: None, entry });
        }
    }
    excludes
}

impl InstallPlan {
    /// The arguments of [`PackageManager::program`]; nothing when there is nothing to install, because without packages
    /// most package managers would bring everything up to date.
    #[must_use]
    pub fn arguments(&self) -> Option<Vec<String>> {
        if self.packages.is_empty() {
            return None;
        }
        let mut arguments: Vec<String> = self.manager.verb().iter().map(|word| (*word).to_owned()).collect();
        if matches!(self.manager, PackageManager::Dnf | PackageManager::Yum) {
            arguments.extend(self.excludes.iter().map(|exclude| format!("--exclude={}", exclude.rpm_spec())));
        }
        arguments.extend(self.packages.iter().map(|p| self.manager.spec(&p.name, &p.arch, &p.to)));
        Some(arguments)
    }

    /// For APT, which has no option for it: an apt preferences file that keeps the excluded packages out. Empty without.
    #[must_use]
    pub fn apt_preferences(&self) -> String {
        let mut text = String::new();
        if self.manager == PackageManager::Apt {
            for Exclude { name, version, .. } in &self.excludes {
                let pin =
                    version.as_ref().map_or_else(|| "release *".to_owned(), |version| format!("version {version}"));
                // Writing to a String cannot fail.
                let _ = write!(text, "Package: {name}\nPin: {pin}\nPin-Priority: -1\n\n");
            }
        }
        text
    }

    /// For zypper, which has no option for it: the arguments of one `addlock` for the excluded packages (and of
    /// `removelock` with the same, afterwards). Nothing without.
    #[must_use]
    pub fn zypper_locks(&self) -> Option<Vec<String>> {
        if self.manager != PackageManager::Zypper || self.excludes.is_empty() {
            return None;
        }
        let lock = |exclude: &Exclude| match &exclude.version {
            Some(version) => format!("{} = {}", exclude.name, version.strip_prefix("0:").unwrap_or(version)),
            None => exclude.name.clone(),
        };
        let locks: BTreeSet<String> = self.excludes.iter().map(lock).collect();
        let words = ["--non-interactive", "addlock", "--type", "package"].map(str::to_owned);
        Some(words.into_iter().chain(locks).collect())
    }

    /// The same set as an install override list, which is what the component `patch-linux` takes (patch-baselines.md
    /// 7.2). The excludes are not in it: an override list says what comes in and nothing else.
    #[must_use]
    pub fn override_list(&self) -> OverrideList {
        let entry = |p: &Planned| {
            let id = format!("{}.{}", p.name, p.arch);
            let title = format!("{id}:{}", p.to);
            OverrideEntry { id, title: Some(title) }
        };
        OverrideList { entries: self.packages.iter().map(entry).collect() }
    }

    /// Names for the parameter `exclude` of the component `patch-linux`, which takes names only: of packages of which no
    /// version may come in.
    #[must_use]
    pub fn excluded_names(&self) -> Vec<String> {
        let whole = self.excludes.iter().filter(|exclude| exclude.version.is_none());
        let names: BTreeSet<&str> = whole.map(|exclude| exclude.name.as_str()).collect();
        names.into_iter().map(str::to_owned).collect()
    }
}

impl Exclude {
    /// As `--exclude` of dnf and yum takes it.
    fn rpm_spec(&self) -> String {
        match &self.version {
            // dnf reads an epoch before the name or in the middle, yum before the name only: without one both read it.
            Some(version) => format!("{}-{}.{}", self.name, without_epoch(version), self.arch),
            None => format!("{}.{}", self.name, self.arch),
        }
    }
}

#[cfg(test)]
#[path = "install_tests.rs"]
mod tests;

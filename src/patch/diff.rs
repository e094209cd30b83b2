//! What differs between the packages of two inventories, and what that fixes.

use super::compare::Kind;
use super::inventory::{Advisory, Inventory};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The schema of a package diff as a document.
pub const PACKAGE_DIFF_SCHEMA: &str = "amiforge.package-diff/1";

/// What differs between the packages of two inventories of one family of systems.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageDiff {
    /// [`PACKAGE_DIFF_SCHEMA`].
    pub schema: String,
    /// Packages, or further versions of packages, that are only in the second one.
    pub added: Vec<PackageRow>,
    /// Packages, or versions, that are only in the first one.
    pub removed: Vec<PackageRow>,
    /// Packages with a higher version in the second one.
    pub upgraded: Vec<PackageRow>,
    /// Packages with a lower version in the second one.
    pub downgraded: Vec<PackageRow>,
    /// How many versions are in both.
    pub unchanged: usize,
    /// Whether notices were known. Without them nothing is said about advisories and CVEs, which does not mean that there
    /// are none.
    pub notices_known: bool,
}

/// One package that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageRow {
    /// Name.
    pub name: String,
    /// Architecture; of the second inventory where it is there.
    pub arch: String,
    /// Version in the first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Version in the second one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Notices about the versions between the two, sorted by id: those that an upgrade brought, or a downgrade took back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub advisories: Vec<AdvisoryRow>,
    /// The CVEs of these notices, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cves: Vec<String>,
}

/// A notice, as a diff names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdvisoryRow {
    /// Its id.
    pub id: String,
    /// Its type, as the vendor writes it.
    pub kind: String,
    /// Its severity, as the vendor writes it; empty without.
    pub severity: String,
}

/// Why there is no diff. Never taken for "nothing differs".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiffError {
    /// An inventory without packages.
    #[error("the {which} inventory has no installed package; there is nothing to compare")]
    NothingInstalled {
        /// `first` or `second`.
        which: &'static str,
    },
    /// Debian packages against RPM packages.
    #[error("`{before}` and `{after}` have different kinds of packages; they cannot be compared")]
    Kinds {
        /// `ID` of the first one.
        before: String,
        /// `ID` of the second one.
        after: String,
    },
    /// A version cannot be compared.
    #[error("package {package}: `{version}` is not a version")]
    Version {
        /// Name.
        package: String,
        /// The text.
        version: String,
    },
}

/// Name and architecture; Debian packages for all architectures are the native ones.
type Key<'a> = (&'a str, &'a str);

/// Versions of one package: text and architecture, lowest first.
type Versions<'a> = Vec<(&'a str, &'a str)>;

/// Compares what is installed. The notices of both inventories are used.
pub fn package_diff(before: &Inventory, after: &Inventory) -> Result<PackageDiff, DiffError> {
    for (inventory, which) in [(before, "first"), (after, "second")] {
        if inventory.installed.is_empty() {
            return Err(DiffError::NothingInstalled { which });
        }
    }
    let kind = Kind::of(&before.os_id);
    if Kind::of(&after.os_id) != kind {
        return Err(DiffError::Kinds { before: before.os_id.clone(), after: after.os_id.clone() });
    }
    let (old, new) = (versions(kind, before)?, versions(kind, after)?);
    let notices = Notices::read(kind, [before, after]);
    let mut diff = PackageDiff {
        schema: PACKAGE_DIFF_SCHEMA.to_owned(),
        added: vec![],
        removed: vec![],
        upgraded: vec![],
        downgraded: vec![],
        unchanged: 0,
        notices_known: !notices.lines.is_empty(),
    };
    let keys: BTreeSet<&Key> = old.keys().chain(new.keys()).collect();
    for key in keys {
        let none = vec![];
        let pair = (old.get(key).unwrap_or(&none), new.get(key).unwrap_or(&none));
        compare(&notices, key.0, pair, &mut diff);
    }
    Ok(diff)
}

/// Installed versions by package, in ascending order, each once.
fn versions(kind: Kind, inventory: &Inventory) -> Result<BTreeMap<Key<'_>, Versions<'_>>, DiffError> {
    let native = (kind == Kind::Debian).then(|| super::apt::native_arch(inventory));
    let mut found: BTreeMap<Key, Versions> = BTreeMap::new();
    for package in inventory.installed.iter().filter(|package| package.name != "gpg-pubkey") {
        let (arch, version) = (package.arch.as_str(), package.version.as_str());
        if !kind.is_version(version) {
            return Err(DiffError::Version { package: package.name.clone(), version: version.to_owned() });
        }
        let key = (package.name.as_str(), native.filter(|_| arch == "all").unwrap_or(arch));
        found.entry(key).or_default().push((version, arch));
    }
    let order = |a: &str, b: &str| kind.order(a, b).unwrap_or(Ordering::Equal);
    for versions in found.values_mut() {
        versions.sort_by(|a, b| order(a.0, b.0));
        versions.dedup_by(|a, b| order(a.0, b.0).is_eq());
    }
    Ok(found)
}

/// Sorts the versions of one package into the diff. Versions in both are unchanged; of the others the highest ones are
/// pairs, and what is left over came or went.
fn compare(notices: &Notices, name: &str, (old, new): (&Versions, &Versions), diff: &mut PackageDiff) {
    let kind = notices.kind;
    let same = |a: &str, b: &str| kind.order(a, b) == Some(Ordering::Equal);
    let only = |these: &Versions, those: &Versions| -> Vec<(String, String)> {
        let alone = these.iter().filter(|(version, _)| !those.iter().any(|(other, _)| same(version, other)));
        alone.map(|(version, arch)| ((*version).to_owned(), (*arch).to_owned())).collect()
    };
    let (mut gone, mut come) = (only(old, new), only(new, old));
    diff.unchanged += new.len() - come.len();
    let highest = old.last().map(|(version, _)| *version);
    while let (Some((from, _)), Some((to, arch))) = (gone.last().cloned(), come.last().cloned()) {
        gone.pop();
        come.pop();
        let up = kind.order(&to, &from) == Some(Ordering::Greater);
        // With several versions installed, what the highest one fixed was fixed before.
        let base = highest.filter(|_| up).unwrap_or(&to);
        let top = if up { &to } else { &from };
        let row = notices.row(name, &arch, (Some(&from), Some(&to)), Some((base, top)));
        if up { diff.upgraded.push(row) } else { diff.downgraded.push(row) }
    }
    for (to, arch) in come {
        let range = highest.map(|highest| (highest, to.as_str()));
        diff.added.push(notices.row(name, &arch, (None, Some(&to)), range));
    }
    for (from, arch) in gone {
        diff.removed.push(notices.row(name, &arch, (Some(&from), None), None));
    }
}

/// The notices of both inventories, by package.
struct Notices<'a> {
    kind: Kind,
    lines: HashMap<Key<'a>, Vec<(&'a str, &'a Advisory)>>,
}

impl<'a> Notices<'a> {
    fn read(kind: Kind, inventories: [&'a Inventory; 2]) -> Self {
        let mut lines: HashMap<Key, Vec<(&str, &Advisory)>> = HashMap::new();
        for notice in inventories.into_iter().flat_map(|i| &i.advisories).filter(|notice| notice.in_force()) {
            for line in &notice.packages {
                let key = (line.name.as_str(), line.arch.as_str());
                lines.entry(key).or_default().push((line.version.as_str(), notice));
            }
        }
        Self { kind, lines }
    }

    /// A row with the notices about versions after the first and up to the second of `range`.
    fn row(
        &self,
        name: &str,
        arch: &str,
        (from, to): (Option<&String>, Option<&String>),
        range: Option<(&str, &str)>,
    ) -> PackageRow {
        let inside = |version: &str| {
            range.is_some_and(|(low, high)| {
                let above = self.kind.order(version, low) == Some(Ordering::Greater);
                above && self.kind.order(version, high).is_some_and(Ordering::is_le)
            })
        };
        let lines = self.lines.get(&(name, arch)).map_or(&[][..], Vec::as_slice);
        let found: Vec<&Advisory> =
            lines.iter().filter(|(version, _)| inside(version)).map(|(_, notice)| *notice).collect();
        let advisory = |notice: &&Advisory| AdvisoryRow {
            id: notice.id.clone(),
            kind: notice.kind.clone(),
            severity: notice.severity.clone(),
        };
        let advisories: BTreeSet<AdvisoryRow> = found.iter().map(advisory).collect();
        let cves: BTreeSet<&String> = found.iter().flat_map(|notice| &notice.cves).collect();
        let full = |version: Option<&String>| version.map(|version| self.kind.full(version));
        PackageRow {
            name: name.to_owned(),
            arch: arch.to_owned(),
            from: full(from),
            to: full(to),
            advisories: advisories.into_iter().collect(),
            cves: cves.into_iter().cloned().collect(),
        }
    }
}

impl PackageDiff {
    /// Whether nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sections().iter().all(|(_, rows)| rows.is_empty())
    }

    /// The CVEs that the second inventory no longer has, as far as notices tell.
    #[must_use]
    pub fn fixed_cves(&self) -> Vec<&str> {
        let rows = self.upgraded.iter().chain(&self.added);
        let cves: BTreeSet<&str> = rows.flat_map(|row| &row.cves).map(String::as_str).collect();
        cves.into_iter().collect()
    }

    /// The rows with their headings, in the order of reports.
    pub(super) fn sections(&self) -> [(&'static str, &[PackageRow]); 4] {
        [
            ("upgraded", &self.upgraded),
            ("downgraded", &self.downgraded),
            ("added", &self.added),
            ("removed", &self.removed),
        ]
    }
}

#[cfg(test)]
#[path = "diff_tests.rs"]
mod tests;

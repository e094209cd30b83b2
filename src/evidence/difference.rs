//! What differs between two images by the evidence about them: packages, vulnerabilities, attributes. Pure.

use super::Evidence;
use crate::patch::{DiffError, Inventory, PackageDiff, package_diff};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Schema of [`Difference`].
pub const DIFFERENCE_SCHEMA: &str = "amiforge.release-diff/1";

/// What differs between two images.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Always [`DIFFERENCE_SCHEMA`].
    pub schema: &'static str,
    /// The first image.
    pub before: Side,
    /// The second one.
    pub after: Side,
    /// Packages.
    pub packages: PackageDiff,
    /// Findings of the scanners that looked at both; absent when none did, which says nothing about either.
    pub vulnerabilities: Option<Vulnerabilities>,
    /// What patches are open: the CVEs that the package sources name for them.
    pub open_cves: OpenCves,
    /// Attributes that differ.
    pub attributes: Vec<Attribute>,
    /// What is not known, a sentence each.
    pub notes: Vec<String>,
}

/// One of the two images.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "names say it")]
pub struct Side {
    /// The channel, if it was named by one.
    pub channel: Option<String>,
    pub ami: String,
    pub image_version: Option<String>,
    /// Digest of the evidence.
    pub evidence: String,
    pub collected_at: String,
}

/// What two scans found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Vulnerabilities {
    /// Only the first image has them.
    pub fixed: Vec<Vulnerability>,
    /// Only the second one has them.
    pub new: Vec<Vulnerability>,
    /// How many both have.
    pub both: usize,
}

/// A vulnerability in a package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[allow(missing_docs, reason = "as in Finding")]
pub struct Vulnerability {
    pub id: String,
    pub package: String,
    pub severity: String,
    pub fixed_in: Option<String>,
}

/// CVEs of open patches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct OpenCves {
    /// Open in the first image only.
    pub fixed: Vec<String>,
    /// Open in the second one only.
    pub new: Vec<String>,
}

/// An attribute that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "names say it")]
pub struct Attribute {
    pub name: String,
    /// Absent: the first image has none, or it is not known.
    pub before: Option<String>,
    pub after: Option<String>,
}

/// One image, as it is compared.
#[derive(Debug, Clone, Copy)]
pub struct Compared<'a> {
    /// The channel that it was named by.
    pub channel: Option<&'a str>,
    /// The evidence about it.
    pub evidence: &'a Evidence,
    /// Its packages.
    pub inventory: &'a Inventory,
}

/// Compares two images.
///
/// # Errors
/// When their packages cannot be compared: never "nothing differs".
pub fn difference(before: Compared<'_>, after: Compared<'_>) -> Result<Difference, DiffError> {
    let mut notes = Vec::new();
    let vulnerabilities = vulnerabilities(before.evidence, after.evidence, &mut notes);
    let open = (open_cves(before.evidence), open_cves(after.evidence));
    for (side, scan) in [(before, &before.evidence.patches), (after, &after.evidence.patches)] {
        if scan.is_none() {
            notes.push(format!("the patches of {} were not scanned", side.evidence.candidate.ami));
        }
    }
    let only = |these: &[String], those: &[String]| {
        these.iter().filter(|one| !those.contains(one)).cloned().collect::<Vec<_>>()
    };
    Ok(Difference {
        schema: DIFFERENCE_SCHEMA,
        before: side(before),
        after: side(after),
        packages: package_diff(before.inventory, after.inventory)?,
        vulnerabilities,
        open_cves: OpenCves { fixed: only(&open.0, &open.1), new: only(&open.1, &open.0) },
        attributes: attributes(before.evidence, after.evidence),
        notes,
    })
}

fn side(one: Compared<'_>) -> Side {
    Side {
        channel: one.channel.map(str::to_owned),
        ami: one.evidence.candidate.ami.clone(),
        image_version: one.evidence.candidate.image_version.clone(),
        evidence: super::digest(one.evidence),
        collected_at: one.evidence.collected_at.clone(),
    }
}

/// What the scanners say that looked at both images. What only one of them was looked at with says nothing about the other.
fn vulnerabilities(before: &Evidence, after: &Evidence, notes: &mut Vec<String>) -> Option<Vulnerabilities> {
    let sources = |evidence: &Evidence| -> BTreeSet<String> {
        let done = evidence.vulnerabilities.iter().filter(|scan| scan.failed.is_none());
        done.map(|scan| scan.source.clone()).collect()
    };
    let (old, new) = (sources(before), sources(after));
    let both: BTreeSet<&String> = old.intersection(&new).collect();
    for (evidence, those, others) in [(before, &old, &new), (after, &new, &old)] {
        let ami = &evidence.candidate.ami;
        if those.is_empty() {
            notes.push(format!("{ami} was not scanned for vulnerabilities"));
        }
        for missing in others.difference(those).filter(|_| !those.is_empty()) {
            notes.push(format!(
                "{ami} was not scanned by {missing}, so what that found in the other image does not count"
            ));
        }
    }
    let found = |evidence: &Evidence| -> Found {
        let counted = evidence.vulnerabilities.iter().filter(|scan| both.contains(&scan.source));
        counted.flat_map(|scan| scan.findings.iter().map(vulnerability)).collect()
    };
    (!both.is_empty()).then(|| compare(&found(before), &found(after)))
}

/// By id and package: a scanner may tell the same of several versions, and several scanners of one.
type Found = BTreeMap<(String, String), Vulnerability>;

fn vulnerability(finding: &super::Finding) -> ((String, String), Vulnerability) {
    let vulnerability = Vulnerability {
        id: finding.id.clone(),
        package: finding.package.clone(),
        severity: finding.severity.clone(),
        fixed_in: finding.fixed_in.clone(),
    };
    ((finding.id.clone(), finding.package.clone()), vulnerability)
}

fn compare(before: &Found, after: &Found) -> Vulnerabilities {
    let both = before.keys().filter(|key| after.contains_key(*key)).count();
    let only = |these: &Found, those: &Found| {
        let alone = these.iter().filter(|(key, _)| !those.contains_key(*key));
        alone.map(|(_, one)| one.clone()).collect()
    };
    Vulnerabilities { fixed: only(before, after), new: only(after, before), both }
}

fn open_cves(evidence: &Evidence) -> Vec<String> {
    let notices = evidence.patches.iter().flat_map(|scan| scan.notices.values());
    let mut cves: Vec<String> = notices.flat_map(|notice| notice.cves.iter().cloned()).collect();
    cves.sort();
    cves.dedup();
    cves
}

fn attributes(before: &Evidence, after: &Evidence) -> Vec<Attribute> {
    let (old, new) = (listed(before), listed(after));
    let names: Vec<&String> =
        old.iter().chain(new.iter().filter(|(name, _)| !has(&old, name))).map(|one| &one.0).collect();
    let value = |all: &[(String, String)], wanted: &String| {
        all.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone())
    };
    let compared = names.into_iter().map(|name| (name, value(&old, name), value(&new, name)));
    compared
        .filter(|(_, before, after)| before != after)
        .map(|(name, before, after)| Attribute { name: name.clone(), before, after })
        .collect()
}

fn has(all: &[(String, String)], wanted: &str) -> bool {
    all.iter().any(|(name, _)| name == wanted)
}

/// Attributes by name, in the order of the evidence. What differs between any two images (ids of snapshots, names, times) is
/// left out.
fn listed(evidence: &Evidence) -> Vec<(String, String)> {
    let image = &evidence.image;
    let mut all: Vec<(&str, Option<String>)> = vec![
        ("system", evidence.os.as_ref().map(|os| format!("{} {}", os.id, os.version))),
        ("fingerprint", evidence.candidate.fingerprint.clone()),
        ("owner", Some(image.owner.clone())),
        ("architecture", Some(image.architecture.clone())),
        ("IMDSv2", Some(image.imds_v2.to_string())),
        ("encrypted", Some(image.encrypted.to_string())),
        ("public", Some(image.public.to_string())),
        ("ENA", Some(image.ena.to_string())),
        ("boot mode", image.boot_mode.clone()),
        ("shared with", image.shared_with.as_ref().map(|accounts| accounts.join(", "))),
        ("root device", Some(image.root_device.clone())),
    ];
    let ancestor = evidence.ancestry.as_ref().and_then(|ancestry| ancestry.images.first());
    all.push(("parent", ancestor.map(|one| one.ami.clone())));
    all.push(("used", evidence.used_kib.map(|kib| format!("{kib} KiB"))));
    all.push(("patch baseline", evidence.patches.as_ref().map(|scan| scan.baseline.clone())));
    all.push(("missing patches", evidence.patches.as_ref().map(|scan| scan.counts.missing.to_string())));
    all.push(("tests", evidence.tests.as_ref().map(|tests| if tests.passed { "passed" } else { "failed" }.to_owned())));
    let mut all: Vec<(String, String)> =
        all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    for volume in &image.volumes {
        let size = volume.gib.map_or_else(|| "unknown size".to_owned(), |gib| format!("{gib} GiB"));
        let kind = volume.kind.as_deref().unwrap_or("unknown type");
        let encrypted = if volume.encrypted { "encrypted" } else { "not encrypted" };
        all.push((format!("volume {}", volume.device), format!("{size}, {kind}, {encrypted}")));
    }
    all
}

#[cfg(test)]
#[path = "difference_tests.rs"]
mod tests;

//! One scan: the image's package sources are asked, in an instance of it, which vulnerabilities newer versions mend.

use super::{SCAN, ScanRecord};
use crate::clock::rfc3339;
use crate::local::Local;
use crate::local::compute::instance::{self, Order};
use crate::local::compute::patch;
use crate::local::random;
use crate::local::records::{Ami, IMAGE_SCAN, ImageFinding, ImageScan};
use crate::local::store::{Scope, StoreError};
use crate::local::wire::ServiceError;
use crate::patch::{Advisory, AdvisoryPackage, Inventory, OperatingSystem, version_order};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

const UNSUPPORTED: &str = "UNSUPPORTED_OS";
const BROKEN: &str = "INTERNAL_ERROR";

/// Scans on a thread of its own, and records how that ended.
pub(super) fn spawn(local: &Local, scope: &Scope, record: ScanRecord, ami: Ami) -> Result<(), ServiceError> {
    let (of, mut unstarted) = (scope.clone(), record.clone());
    let work = move |local: &std::sync::Arc<Local>| {
        if let Err(error) = run(local, &of, record, &ami) {
            tracing::error!(image = ami.id, %error, "the scan of an image could not be recorded");
        }
    };
    local.compute.spawn("inspector", work).map_err(|error| {
        unstarted.end(Some(BROKEN), local.config.clock.now());
        let kept = local.store.write(|tx| tx.put(scope, SCAN, &unstarted.key(), &unstarted));
        kept.err().map_or_else(|| ServiceError::new(500, "InternalServerException", error.to_string()), Into::into)
    })
}

fn run(local: &Local, scope: &Scope, mut record: ScanRecord, ami: &Ami) -> Result<(), StoreError> {
    let looked = inventory(local, scope, ami).and_then(|inventory| {
        // Sources without notices say nothing about vulnerabilities, which is not that there are none.
        let known = inventory.advisories.iter().any(|notice| !notice.cves.is_empty());
        if known { Ok(inventory) } else { Err(UNSUPPORTED) }
    });
    let now = local.config.clock.now();
    local.store.write(|tx| {
        if let Ok(inventory) = &looked {
            let before: Option<ImageScan> = tx.get(scope, IMAGE_SCAN, &ami.id)?;
            let before = before.map(|scan| scan.findings).unwrap_or_default();
            let findings = findings(inventory, &before, &rfc3339(now));
            tx.put(scope, IMAGE_SCAN, &ami.id, &ImageScan { scanned_at: rfc3339(now), findings })?;
        }
        record.end(looked.as_ref().err().copied(), now);
        tx.put(scope, SCAN, &record.key(), &record)
    })
}

/// What is installed in the image, and the notices of its sources; else the reason for which there is none.
fn inventory(local: &Local, scope: &Scope, ami: &Ami) -> Result<Inventory, &'static str> {
    if ami.layers.is_empty() {
        return Err(UNSUPPORTED);
    }
    let broken = |error: &dyn std::fmt::Display| {
        tracing::warn!(image = ami.id, %error, "the image could not be scanned");
        BROKEN
    };
    let order = order(ami).map_err(|error| broken(&error))?;
    let instance = instance::launch(local, scope, &order).map_err(|error| broken(&error))?;
    let system = OperatingSystem::of_image(&instance.os_id, &instance.os_version);
    let looked = match (system, local.compute.shared.instance(&instance.id)) {
        (Some(system), Some(live)) if !system.is_apt() => patch::collected(&live).map_err(|error| broken(&error)),
        (Some(system), None) if !system.is_apt() => Err("RESOURCE_TERMINATED"),
        _ => Err(UNSUPPORTED),
    };
    if let Err(error) = instance::terminate(local, scope, &instance.id, None) {
        tracing::error!(instance = instance.id, %error, "the instance of a scan could not be ended");
    }
    looked
}

fn order(ami: &Ami) -> Result<Order, ServiceError> {
    let name = format!("Amazon Inspector's scan of {}", ami.id);
    Ok(Order {
        ami: ami.clone(),
        reservation: random::resource_id("r")?,
        instance_type: if ami.architecture == "arm64" { "t4g.micro" } else { "m1.small" }.to_owned(),
        tags: BTreeMap::from([("Name".to_owned(), name)]),
        http_tokens: "required".to_owned(),
        hop_limit: 1,
        client_token: String::new(),
        failure: None,
    })
}

/// A finding for each CVE of a notice about a newer version of something that is installed, under the title that Amazon
/// Inspector gives to findings: the CVE and the packages.
fn findings(inventory: &Inventory, before: &[ImageFinding], now: &str) -> Vec<ImageFinding> {
    let mut found: BTreeMap<&str, (usize, BTreeSet<&str>)> = BTreeMap::new();
    for notice in inventory.advisories.iter().filter(|notice| notice.in_force()) {
        let packages: Vec<&str> = notice
            .packages
            .iter()
            .filter(|package| is_missing(inventory, package))
            .map(|one| one.name.as_str())
            .collect();
        if packages.is_empty() {
            continue;
        }
        for cve in &notice.cves {
            let (rank, all) = found.entry(cve).or_insert((0, BTreeSet::new()));
            *rank = (*rank).max(severity(notice));
            all.extend(&packages);
        }
    }
    let finding = |(cve, (rank, packages)): (&str, (usize, BTreeSet<&str>))| {
        let title = format!("{cve} - {}", packages.into_iter().collect::<Vec<_>>().join(", "));
        let first = before.iter().find(|known| known.title == title).map(|known| known.first_observed_at.clone());
        ImageFinding {
            severity: LABELS[rank].to_owned(),
            fix_available: true,
            first_observed_at: first.unwrap_or_else(|| now.to_owned()),
            updated_at: now.to_owned(),
            title,
        }
    };
    found.into_iter().map(finding).collect()
}

/// EC2's labels, the mildest first.
const LABELS: [&str; 5] = ["informational", "low", "medium", "high", "critical"];

/// By the words of vendors. A vulnerability that nobody has rated is no mild one.
fn severity(notice: &Advisory) -> usize {
    match notice.severity.to_ascii_lowercase().as_str() {
        "critical" => 4,
        "low" => 1,
        "moderate" | "medium" => 2,
        _ => 3,
    }
}

/// Whether the package is installed, in versions that are all older.
fn is_missing(inventory: &Inventory, fixed: &AdvisoryPackage) -> bool {
    let mut here = inventory.installed.iter().filter(|one| one.name == fixed.name && one.arch == fixed.arch).peekable();
    let older = |version: &str| version_order(&inventory.os_id, version, &fixed.version) == Some(Ordering::Less);
    here.peek().is_some() && here.all(|one| older(&one.version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patch::Package;

    #[test]
    fn a_finding_is_a_cve_that_a_newer_version_mends() {
        let installed = |name: &str, version: &str| Package {
            name: name.into(),
            arch: "x86_64".into(),
            version: version.into(),
            ..Package::default()
        };
        let listed = |name: &str, version: &str| AdvisoryPackage {
            name: name.into(),
            arch: "x86_64".into(),
            version: version.into(),
            module: String::new(),
            reboot_suggested: false,
        };
        let notice = |cve: &str, severity: &str, packages: Vec<AdvisoryPackage>| Advisory {
            cves: vec![cve.into()],
            severity: severity.into(),
            packages,
            ..Advisory::default()
        };
        let advisories = vec![
            notice(
                "CVE-2026-1",
                "Important",
                vec![listed("openssl", "3-2"), listed("openssl-libs", "3-2"), listed("gone", "9-1")],
            ),
            notice("CVE-2026-1", "Critical", vec![listed("curl", "8-1")]),
            notice("CVE-2026-2", "Low", vec![listed("kernel", "6-2")]),
            notice("CVE-2026-3", "", vec![listed("curl", "8-2")]),
            Advisory { status: "testing".into(), ..notice("CVE-2026-4", "Low", vec![listed("curl", "8-3")]) },
        ];
        let inventory = Inventory {
            os_id: "amzn".into(),
            installed: vec![
                installed("openssl", "3-1"),
                installed("openssl-libs", "3-1"),
                installed("curl", "8-1"),
                installed("kernel", "6-1"),
                installed("kernel", "6-2"),
            ],
            advisories,
            ..Inventory::default()
        };
        let first = findings(&inventory, &[], "2026-11-01T00:00:00Z");
        let rows: Vec<_> = first.iter().map(|one| (one.title.as_str(), one.severity.as_str())).collect();
        assert_eq!(rows, [("CVE-2026-1 - openssl, openssl-libs", "high"), ("CVE-2026-3 - curl", "high")]);
        let again = findings(&inventory, &first, "2026-11-02T00:00:00Z");
        assert_eq!(again[0].first_observed_at, "2026-11-01T00:00:00Z");
        assert_eq!(again[0].updated_at, "2026-11-02T00:00:00Z");
    }
}

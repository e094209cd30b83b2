//! What Image Builder found when it scanned the image: Amazon Inspector's findings on the test instance.
//!
//! An image that was not scanned, or whose scan has not ended well, has no findings and is not clean: the evidence then has
//! no scan, and a gate that asks for one is not passed.

use super::super::CollectRequest;
use super::super::site::Site;
use crate::clock::rfc3339;
use crate::event::Stage;
use crate::evidence::error::EvidenceError;
use crate::evidence::{Finding, Fix, VulnerabilityScan};
use crate::project::Scanner;
use aws_sdk_imagebuilder::types::{
    Image, ImageScanFinding, ImageScanFindingsFilter, ImageScanStatus, PackageVulnerabilityDetails, VulnerablePackage,
};
use time::OffsetDateTime;

/// The filter that asks for the findings of one image (image-builder.md 3).
const OF_IMAGE: &str = "imageBuildVersionArn";

/// In place of a version without the vulnerability.
const NOT_AVAILABLE: &str = "NotAvailable";

/// The findings about the image, when Image Builder has scanned it.
pub(super) async fn shown(site: &Site, request: &CollectRequest) -> Result<Option<VulnerabilityScan>, EvidenceError> {
    let Some(arn) = &request.image_arn else { return Ok(None) };
    let answer = site.imagebuilder.get_image().image_build_version_arn(arn).send().await;
    let image = answer.map_err(site.fault("GetImage"))?.image;
    let state = image.as_ref().and_then(Image::scan_state);
    let Some(status) = state.and_then(|state| state.status()) else { return Ok(None) };
    if *status != ImageScanStatus::Completed {
        let why = state.and_then(|state| state.reason()).map_or_else(String::new, |why| format!(": {why}"));
        let line = format!("the vulnerability scan of the image is {}{why}; it does not count", status.as_str());
        site.events.note(Stage::Validate, line);
        return Ok(None);
    }
    let filter = ImageScanFindingsFilter::builder().name(OF_IMAGE).values(arn).build();
    let mut pages = site.imagebuilder.list_image_scan_findings().filters(filter).into_paginator().send();
    let mut findings: Vec<Finding> = vec![];
    while let Some(page) = pages.next().await {
        let page = page.map_err(site.fault("ListImageScanFindings"))?;
        findings.extend(page.findings().iter().flat_map(read));
    }
    findings.sort_by(|a, b| (&a.id, &a.package, &a.version).cmp(&(&b.id, &b.package, &b.version)));
    findings.dedup();
    // The service does not say when it scanned; it did so after the image was begun, so its scan is never taken for younger
    // than it is.
    let scanned_at = image.and_then(|image| image.date_created).unwrap_or_default();
    let source = Scanner::ImageBuilder.word().to_owned();
    Ok(Some(VulnerabilityScan { source, scanned_at, failed: None, findings }))
}

/// A finding for each package that it is about. One that names none is about the image.
fn read(finding: &ImageScanFinding) -> Vec<Finding> {
    let details = finding.package_vulnerability_details();
    let id = details.map(PackageVulnerabilityDetails::vulnerability_id).filter(|id| !id.is_empty());
    let id = id.or(finding.title()).unwrap_or("unnamed");
    let first_seen = finding.first_observed_at().and_then(|at| OffsetDateTime::from_unix_timestamp(at.secs()).ok());
    let said = finding.fix_available().unwrap_or_default().to_ascii_uppercase();
    let one = |package: &str, version: Option<String>, fixed_in: Option<String>, fix: Fix| Finding {
        id: id.to_owned(),
        severity: finding.severity().unwrap_or("UNTRIAGED").to_owned(),
        package: package.to_owned(),
        version,
        fix,
        fixed_in,
        first_seen: first_seen.map(rfc3339),
        ..Finding::default()
    };
    // What holds for packages of which nothing is said: PARTIAL is about some of them, and not about which.
    let of_all = match said.as_str() {
        "YES" => Fix::Available,
        "NO" => Fix::None,
        _ => Fix::Unknown,
    };
    let packages = details.map(PackageVulnerabilityDetails::vulnerable_packages).unwrap_or_default();
    if packages.is_empty() {
        return vec![one("", None, None, of_all)];
    }
    let each = |package: &VulnerablePackage| {
        let (fixed_in, fix) = match package.fixed_in_version().filter(|version| !version.is_empty()) {
            Some(NOT_AVAILABLE) if of_all == Fix::Available => (None, Fix::Available),
            Some(NOT_AVAILABLE) => (None, Fix::None),
            Some(version) => (Some(version.to_owned()), Fix::Available),
            None => (None, of_all),
        };
        one(package.name().unwrap_or_default(), version(package), fixed_in, fix)
    };
    packages.iter().map(each).collect()
}

/// Epoch, version and release, as package managers write them.
fn version(package: &VulnerablePackage) -> Option<String> {
    let version = package.version().filter(|version| !version.is_empty())?;
    let epoch = package.epoch().filter(|epoch| *epoch != 0).map_or_else(String::new, |epoch| format!("{epoch}:"));
    let release = package.release().filter(|release| !release.is_empty());
    let release = release.map_or_else(String::new, |release| format!("-{release}"));
    Some(format!("{epoch}{version}{release}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_types::DateTime;

    fn finding(packages: Vec<VulnerablePackage>, fix: &str) -> Vec<Finding> {
        let details = PackageVulnerabilityDetails::builder()
            .vulnerability_id("CVE-2026-1")
            .set_vulnerable_packages(Some(packages))
            .build()
            .unwrap();
        let finding = ImageScanFinding::builder()
            .severity("HIGH")
            .fix_available(fix)
            .first_observed_at(DateTime::from_secs(1_795_435_200))
            .package_vulnerability_details(details)
            .build();
        read(&finding)
    }

    #[test]
    fn each_package_is_a_finding_with_its_version_and_its_fix() {
        let package = |name: &str| VulnerablePackage::builder().name(name).version("3.0.11");
        let openssl = package("openssl").epoch(1).release("1.el9").fixed_in_version("1:3.0.12-1.el9").build();
        let zlib = package("zlib").epoch(0).fixed_in_version("NotAvailable").build();
        let found = finding(vec![openssl, zlib], "PARTIAL");
        let rows: Vec<_> =
            found.iter().map(|f| (f.package.as_str(), f.version.as_deref(), f.fixed_in.as_deref(), f.fix)).collect();
        assert_eq!(
            rows,
            [
                ("openssl", Some("1:3.0.11-1.el9"), Some("1:3.0.12-1.el9"), Fix::Available),
                ("zlib", Some("3.0.11"), None, Fix::None)
            ]
        );
        assert_eq!(
            (found[0].id.as_str(), found[0].first_seen.as_deref()),
            ("CVE-2026-1", Some("2026-11-23T12:00:00Z"))
        );
    }

    #[test]
    fn what_is_not_said_counts_against_the_image() {
        let found = finding(vec![], "YES");
        assert_eq!((found.len(), found[0].fixed_in.as_deref(), found[0].fix), (1, None, Fix::Available));
        let unsaid = finding(vec![VulnerablePackage::builder().name("zlib").build()], "PARTIAL");
        assert!(unsaid[0].fix == Fix::Unknown && unsaid[0].may_be_fixed());
        let bare = read(&ImageScanFinding::builder().title("something").build());
        assert_eq!((bare[0].id.as_str(), bare[0].severity.as_str()), ("something", "UNTRIAGED"));
    }
}

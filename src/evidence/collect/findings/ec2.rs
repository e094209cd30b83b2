//! What EC2 shows of Amazon Inspector's newest scan of an AMI, whoever asked for it (patch-baselines.md 12.10).
//!
//! An AMI that was never scanned has no findings, as one has that is clean. The date of the scan, which `DescribeImages` has,
//! tells them apart: without it there is no scan.

use super::super::site::{RESULT, Site};
use crate::clock::rfc3339;
use crate::evidence::error::EvidenceError;
use crate::evidence::{Finding, Fix, VulnerabilityScan};
use crate::project::{Rating, Scanner};
use aws_sdk_ec2::types::{ImageFinding, ScanResults, SeverityLabel};
use aws_smithy_types::DateTime;
use time::OffsetDateTime;

/// Findings on a page: the most that EC2 gives.
const PAGE: i32 = 1000;

/// What one look has shown.
enum Look {
    Scan(VulnerabilityScan),
    /// The image was never scanned.
    Never,
    /// It is not settled, and why.
    Unsettled(String),
}

/// The newest scan of the image; nothing when it was never scanned.
pub(super) async fn shown(site: &Site, ami: &str, source: Scanner) -> Result<Option<VulnerabilityScan>, EvidenceError> {
    settled(site, ami, source, None).await
}

/// The scan that began at that time, or a later one: it is waited for until EC2 shows it.
pub(super) async fn since(
    site: &Site,
    ami: &str,
    source: Scanner,
    began: OffsetDateTime,
) -> Result<VulnerabilityScan, EvidenceError> {
    let reason = || "EC2 shows no scan".to_owned();
    let shown = settled(site, ami, source, Some(began)).await?;
    shown.ok_or_else(|| EvidenceError::Findings { ami: ami.to_owned(), reason: reason() })
}

async fn settled(
    site: &Site,
    ami: &str,
    source: Scanner,
    began: Option<OffsetDateTime>,
) -> Result<Option<VulnerabilityScan>, EvidenceError> {
    let mut waiting = site.within(RESULT).start();
    loop {
        let reason = match look(site, ami, source, began).await? {
            Look::Scan(scan) => return Ok(Some(scan)),
            Look::Never if began.is_none() => return Ok(None),
            Look::Never => "EC2 shows no scan of it".to_owned(),
            Look::Unsettled(reason) => reason,
        };
        waiting.pause().await.map_err(|_| EvidenceError::Findings { ami: ami.to_owned(), reason })?;
    }
}

async fn look(site: &Site, ami: &str, source: Scanner, began: Option<OffsetDateTime>) -> Result<Look, EvidenceError> {
    let Some((results, scanned)) = results(site, ami).await? else { return Ok(Look::Never) };
    let at = rfc3339(scanned);
    if began.is_some_and(|began| scanned < began) {
        return Ok(Look::Unsettled(format!("EC2 still shows the scan of {at}")));
    }
    let findings = findings(site, ami).await?;
    // Whoever scans it again meanwhile changes the pages that are being read.
    if self::results(site, ami).await?.is_none_or(|(_, now)| now != scanned) {
        return Ok(Look::Unsettled("it was scanned again while its findings were read".to_owned()));
    }
    let worst = results.highest_finding_severity_label().map(SeverityLabel::as_str);
    let rating = |word: &str| Rating::of(word);
    if let Some(worst) = worst.filter(|worst| !findings.iter().any(|one| rating(&one.severity) >= rating(worst))) {
        return Ok(Look::Unsettled(format!("its worst finding is {worst}, and EC2 lists none such")));
    }
    Ok(Look::Scan(VulnerabilityScan { source: source.word().to_owned(), scanned_at: at, failed: None, findings }))
}

/// What `DescribeImages` says of the newest scan, and when that was; nothing when there was none.
async fn results(site: &Site, ami: &str) -> Result<Option<(ScanResults, OffsetDateTime)>, EvidenceError> {
    let image = super::super::image::describe(site, ami).await?;
    let results = image.and_then(|image| image.scan_results);
    Ok(results.and_then(|results| Some((results.clone(), date(&results)?))))
}

/// When the newest scan was.
pub(in super::super) fn date(results: &ScanResults) -> Option<OffsetDateTime> {
    results.finding_scan_date().and_then(time)
}

fn time(at: &DateTime) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(at.as_nanos()).ok()
}

async fn findings(site: &Site, ami: &str) -> Result<Vec<Finding>, EvidenceError> {
    let call = site.ec2.get_image_findings().image_id(ami).max_results(PAGE);
    let mut pages = call.into_paginator().send();
    let mut findings: Vec<Finding> = vec![];
    while let Some(page) = pages.next().await {
        findings.extend(page.map_err(site.fault("GetImageFindings"))?.image_findings().iter().map(read));
    }
    findings.sort_by(|a, b| (&a.id, &a.title, &a.paths).cmp(&(&b.id, &b.title, &b.paths)));
    findings.dedup();
    Ok(findings)
}

/// EC2 names no package and no version. What is not said counts against the image.
fn read(finding: &ImageFinding) -> Finding {
    let title = finding.title().unwrap_or_default().trim();
    let id = cve(title).unwrap_or(if title.is_empty() { "unnamed" } else { title });
    let label = finding.severity_label().map_or("untriaged", SeverityLabel::as_str);
    let fix = match finding.fix_available() {
        Some(true) => Fix::Available,
        Some(false) => Fix::None,
        None => Fix::Unknown,
    };
    Finding {
        id: id.to_owned(),
        severity: label.to_ascii_uppercase(),
        title: (title.len() > id.len()).then(|| title.to_owned()),
        fix,
        paths: finding.paths().to_vec(),
        first_seen: finding.first_observed_at().and_then(time).map(rfc3339),
        ..Finding::default()
    }
}

/// The CVE id at the beginning of a title.
fn cve(title: &str) -> Option<&str> {
    let rest = title.strip_prefix("CVE-")?;
    let (year, number) = rest.split_once('-')?;
    let digits = number.bytes().take_while(u8::is_ascii_digit).count();
    let is_year = year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit());
    let ends = !number[digits..].starts_with(|next: char| next.is_alphanumeric());
    (is_year && digits >= 4 && ends).then(|| &title[.."CVE-2026-".len() + digits])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_the_cve_that_the_title_begins_with_or_the_title() {
        assert_eq!(cve("CVE-2026-12345 - openssl, libssl3"), Some("CVE-2026-12345"));
        assert_eq!(cve("CVE-2026-1234"), Some("CVE-2026-1234"));
        for none in
            ["", "cve-2026-1234", "CVE-26-1234", "CVE-2026-123", "CVE-2026-1234x", "see CVE-2026-1234", "ALAS-2026-1"]
        {
            assert_eq!(cve(none), None, "{none}");
        }
        let bare = read(&ImageFinding::builder().title("CVE-2026-1234").build());
        assert_eq!((bare.id.as_str(), bare.title, bare.fix), ("CVE-2026-1234", None, Fix::Unknown));
        assert_eq!(bare.severity, "UNTRIAGED");
        let other = read(&ImageFinding::builder().title("ALAS-2026-1 - curl").build());
        assert_eq!((other.id.as_str(), other.title), ("ALAS-2026-1 - curl", None));
    }
}

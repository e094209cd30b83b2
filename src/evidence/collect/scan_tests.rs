//! Vulnerability scans: what EC2 shows, and those that Amazon Inspector is asked for.

use super::fake::{Answer, Fake, ec2_error};
use super::*;
use crate::evidence::{Fix, VulnerabilityScan};
use crate::project::Scanner;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use time::macros::datetime;

fn request(by: &[Scanner]) -> CollectRequest {
    let scans = ScansWanted { by: by.to_vec(), within: Duration::from_hours(24) };
    CollectRequest { scans, ..super::tests::request() }
}

/// An AMI whose newest scan was at that time, and its worst finding.
fn image(scanned: Option<&str>, worst: &str) -> Answer {
    let results = scanned.map_or_else(String::new, |at| {
        let worst = if worst.is_empty() {
            String::new()
        } else {
            format!("<highestFindingSeverityLabel>{worst}</highestFindingSeverityLabel>")
        };
        format!("<scanResults><findingScanDate>{at}</findingScanDate>{worst}</scanResults>")
    });
    let body = format!(
        "<DescribeImagesResponse><requestId>r</requestId><imagesSet><item><imageId>ami-1</imageId><imageState>available\
         </imageState><creationDate>2026-11-23T10:00:00.000Z</creationDate>{results}</item></imagesSet></DescribeImagesResponse>"
    );
    (200, body)
}

fn finding(title: &str, label: &str, fix: &str) -> String {
    format!(
        "<item><title>{title}</title><severityLabel>{label}</severityLabel>{fix}<firstObservedAt>2026-11-20T00:00:00.000Z\
         </firstObservedAt><pathSet><item>/usr/bin/curl</item></pathSet></item>"
    )
}

fn findings(items: &str, next: &str) -> Answer {
    let next = if next.is_empty() { String::new() } else { format!("<nextToken>{next}</nextToken>") };
    let body = format!(
        "<GetImageFindingsResponse><requestId>r</requestId><imageFindingSet>{items}</imageFindingSet>{next}\
         </GetImageFindingsResponse>"
    );
    (200, body)
}

async fn scans(
    by: &[Scanner],
    answers: impl Fn(&str, usize, &str) -> Option<Answer> + Send + Sync + 'static,
) -> (Result<Vec<VulnerabilityScan>, EvidenceError>, Arc<Fake>) {
    let fake = Arc::new(Fake::new(answers));
    let collected = collect_at(&fake.site(datetime!(2026-11-23 12:00 UTC)), &request(by)).await;
    assert_eq!(fake.count("TerminateInstances"), fake.count("RunInstances"));
    (collected.map(|collected| collected.evidence.vulnerabilities), fake)
}

#[tokio::test(start_paused = true)]
async fn what_ec2_shows_is_read_page_by_page() {
    let answers = |operation: &str, _: usize, body: &str| match operation {
        "DescribeImages" => Some(image(Some("2026-11-23T09:00:00.500Z"), "high")),
        "GetImageFindings" if body.contains("NextToken=more") => {
            Some(findings(&finding("ALAS-2026-1 - curl", "low", "<fixAvailable>false</fixAvailable>"), ""))
        }
        "GetImageFindings" => {
            let first = finding("CVE-2026-1234 - curl, libcurl", "high", "<fixAvailable>true</fixAvailable>");
            Some(findings(&(first + &finding("CVE-2026-9999", "medium", "")), "more"))
        }
        _ => None,
    };
    // Nobody has to ask for what EC2 shows.
    for by in [&[][..], &[Scanner::Ec2]] {
        let (scans, fake) = scans(by, answers).await;
        let [scan] = &scans.unwrap()[..] else { panic!("one scan") };
        assert_eq!((scan.source.as_str(), scan.scanned_at.as_str()), ("ec2", "2026-11-23T09:00:00Z"));
        let rows: Vec<_> = scan
            .findings
            .iter()
            .map(|one| (one.id.as_str(), one.severity.as_str(), one.title.as_deref(), one.fix))
            .collect();
        assert_eq!(
            rows,
            [
                ("ALAS-2026-1 - curl", "LOW", None, Fix::None),
                ("CVE-2026-1234", "HIGH", Some("CVE-2026-1234 - curl, libcurl"), Fix::Available),
                ("CVE-2026-9999", "MEDIUM", None, Fix::Unknown),
            ]
        );
        let curl = &scan.findings[1];
        assert_eq!(
            (curl.paths[0].as_str(), curl.first_seen.as_deref()),
            ("/usr/bin/curl", Some("2026-11-20T00:00:00Z"))
        );
        assert_eq!(fake.count("GetImageFindings"), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn an_image_that_was_not_scanned_has_no_scan() {
    let never = |operation: &str, _: usize, _: &str| (operation == "DescribeImages").then(|| image(None, ""));
    for by in [&[][..], &[Scanner::Ec2], &[Scanner::ImageBuilder]] {
        let (scans, fake) = scans(by, never).await;
        assert_eq!((scans.unwrap(), fake.count("GetImageFindings")), (vec![], 0));
    }
}

/// A list that does not have the worst finding, or that changes while it is read, is not believed.
#[tokio::test(start_paused = true)]
async fn findings_that_do_not_fit_together_are_not_believed() {
    let lacking = |operation: &str, _: usize, _: &str| match operation {
        "DescribeImages" => Some(image(Some("2026-11-23T09:00:00Z"), "critical")),
        "GetImageFindings" => Some(findings(&finding("CVE-2026-1234", "high", ""), "")),
        _ => None,
    };
    let error = scans(&[Scanner::Ec2], lacking).await.0.unwrap_err();
    assert!(error.to_string().contains("its worst finding is critical"), "{error}");
    assert_eq!(error.exit_code(), 8);
    // The list is behind for a while.
    let late = move |operation: &str, nth: usize, body: &str| match operation {
        "GetImageFindings" if nth > 2 => Some(findings(&finding("CVE-2026-1234", "critical", ""), "")),
        _ => lacking(operation, nth, body),
    };
    assert_eq!(scans(&[Scanner::Ec2], late).await.0.unwrap()[0].findings[0].severity, "CRITICAL");
    let changing = |operation: &str, nth: usize, _: &str| match operation {
        "DescribeImages" => Some(image(Some(&format!("2026-11-23T09:00:{:02}Z", nth.min(4))), "")),
        "GetImageFindings" => Some(findings("", "")),
        _ => None,
    };
    assert_eq!(scans(&[Scanner::Ec2], changing).await.0.unwrap()[0].scanned_at, "2026-11-23T09:00:04Z");
}

#[tokio::test(start_paused = true)]
async fn who_may_not_read_findings_that_nobody_asked_for_is_told() {
    let denied = |operation: &str, _: usize, _: &str| match operation {
        "DescribeImages" => Some(image(Some("2026-11-23T09:00:00Z"), "")),
        "GetImageFindings" => Some(ec2_error("UnauthorizedOperation", "You are not authorized")),
        _ => None,
    };
    assert_eq!(scans(&[], denied).await.0.unwrap(), []);
    let error = scans(&[Scanner::Ec2], denied).await.0.unwrap_err();
    assert_eq!(error.exit_code(), 12, "{error}");
}

/// Amazon Inspector, with one scan under way from the start or not.
fn inspector(
    running: bool,
    end: &'static str,
    reason: &'static str,
) -> impl Fn(&str, usize, &str) -> Option<Answer> + Send + Sync {
    move |operation, nth, body| {
        let scan = |status: &str| {
            json!({ "scanId": "abc1", "resourceId": "ami-1", "resourceType": "AMI", "scanStatus": status,
                    "scanStatusReason": if status == "FAILED" { Some(reason) } else { None },
                    "startedAt": "2026-11-23T11:59:00.250Z" })
        };
        let ok = |answer: serde_json::Value| Some((200, answer.to_string()));
        match operation {
            // It shows the new scan some looks after the scan has ended.
            "DescribeImages" if nth > 3 => Some(image(Some("2026-11-23T11:59:40Z"), "low")),
            "DescribeImages" => Some(image(Some("2026-11-01T00:00:00Z"), "low")),
            "GetImageFindings" => Some(findings(&finding("CVE-2026-1234", "low", ""), "")),
            "ondemand/scans" if running => ok(json!({ "items": [scan("IN_PROGRESS")] })),
            "ondemand/scans" => ok(json!({ "items": [] })),
            "ondemand/scan" => {
                assert!(
                    body.contains("\"clientToken\":\"amiforge-") && body.contains("\"resourceType\":\"AMI\""),
                    "{body}"
                );
                Some((202, json!({ "scanId": "abc1" }).to_string()))
            }
            "ondemand/scan/status" if nth == 0 => {
                Some((404, json!({ "__type": "ResourceNotFoundException", "message": "no" }).to_string()))
            }
            "ondemand/scan/status" if nth < 3 => ok(scan("IN_PROGRESS")),
            "ondemand/scan/status" => ok(scan(end)),
            _ => None,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn inspector_is_asked_and_its_findings_are_waited_for() {
    for running in [false, true] {
        let (scans, fake) = scans(&[Scanner::Inspector], inspector(running, "SUCCESSFUL", "")).await;
        let [scan] = &scans.unwrap()[..] else { panic!("one scan") };
        assert_eq!((scan.source.as_str(), scan.scanned_at.as_str()), ("inspector", "2026-11-23T11:59:40Z"));
        assert_eq!(scan.findings.len(), 1);
        assert_eq!(fake.count("ondemand/scan"), usize::from(!running), "one that is under way is joined");
    }
}

#[tokio::test(start_paused = true)]
async fn a_scan_that_failed_is_no_pass_and_says_what_to_do() {
    let (scans, _) = scans(&[Scanner::Inspector], inspector(false, "FAILED", "UNSUPPORTED_OS")).await;
    let [scan] = &scans.unwrap()[..] else { panic!("one scan") };
    let failed = scan.failed.as_deref().unwrap();
    assert!(failed.starts_with("UNSUPPORTED_OS: ") && failed.contains("scanned_by"), "{failed}");
    assert_eq!((scan.findings.len(), scan.scanned_at.as_str()), (0, ""));
}

#[tokio::test(start_paused = true)]
async fn a_scan_that_does_not_end_is_still_running() {
    let error = scans(&[Scanner::Inspector], inspector(true, "IN_PROGRESS", "")).await.0.unwrap_err();
    assert_eq!(error.exit_code(), 13);
    assert!(error.to_string().contains("scan abc1 of ami-1") && error.next().unwrap().contains("joins"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_scan_that_is_new_enough_is_not_paid_for_again() {
    let fresh = |operation: &str, _: usize, _: &str| match operation {
        "DescribeImages" => Some(image(Some("2026-11-22T12:00:00Z"), "")),
        "GetImageFindings" => Some(findings("", "")),
        _ => None,
    };
    let (scans, fake) = scans(&[Scanner::Inspector], fresh).await;
    assert_eq!(scans.unwrap()[0].scanned_at, "2026-11-22T12:00:00Z");
    assert_eq!((fake.count("ondemand/scan"), fake.count("ondemand/scans")), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_conflict_is_a_scan_to_join_and_a_refusal_starts_nothing() {
    let conflict = |operation: &str, nth: usize, body: &str| match operation {
        "ondemand/scan" => Some((409, json!({ "__type": "ConflictException", "message": "x" }).to_string())),
        "ondemand/scans" => inspector(nth > 1, "SUCCESSFUL", "")(operation, nth, body),
        _ => inspector(true, "SUCCESSFUL", "")(operation, nth, body),
    };
    let (joined, fake) = scans(&[Scanner::Inspector], conflict).await;
    assert_eq!(joined.unwrap()[0].source, "inspector");
    assert_eq!((fake.count("ondemand/scan"), fake.count("ondemand/scans")), (2, 3));
    let denied = |operation: &str, nth: usize, body: &str| match operation {
        "ondemand/scan" => Some((403, json!({ "__type": "AccessDeniedException", "message": "no" }).to_string())),
        _ => inspector(false, "SUCCESSFUL", "")(operation, nth, body),
    };
    let (refused, fake) = scans(&[Scanner::Inspector], denied).await;
    assert_eq!((refused.unwrap_err().exit_code(), fake.count("RunInstances")), (12, 0), "before anything is started");
}

#[tokio::test(start_paused = true)]
async fn several_scanners_are_asked_and_each_says_its_own() {
    let (scans, _) = scans(&[Scanner::Inspector, Scanner::Ec2], inspector(false, "SUCCESSFUL", "")).await;
    let scans = scans.unwrap();
    let sources: Vec<_> = scans.iter().map(|scan| scan.source.as_str()).collect();
    assert_eq!(sources, ["ec2", "inspector"]);
}

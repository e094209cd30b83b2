//! A scan of the AMI by Amazon Inspector, on demand: no instance is needed, and Inspector need not be activated
//! (patch-baselines.md 12.10). Its findings are read from EC2.
//!
//! Each scan costs money. One that EC2 already shows and that is new enough is not repeated, and one that is under way is joined.

use super::super::CollectRequest;
use super::super::site::{IMAGE_SCAN, Site, UNKNOWN_SCAN};
use super::ec2;
use crate::aws::CallError;
use crate::aws::wait::Poller;
use crate::event::{Stage, human_duration};
use crate::evidence::VulnerabilityScan;
use crate::evidence::error::EvidenceError;
use crate::project::Scanner;
use aws_sdk_inspector2::types::{OnDemandResourceType, OnDemandScan, OnDemandScanStatus, OnDemandScanStatusReason};
use aws_smithy_types::DateTime;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

/// The scan that has been asked for.
pub(super) enum Asked {
    /// None has to be made: EC2 shows one that is new enough.
    There,
    /// This one is under way.
    Scan(String),
}

/// Asks for a scan, or joins the one that is under way.
pub(super) async fn begin(
    site: &Site,
    request: &CollectRequest,
    scanned: Option<OffsetDateTime>,
) -> Result<Asked, EvidenceError> {
    let now = site.clock.now();
    if let Some(at) = scanned.filter(|at| now - *at <= request.scans.within) {
        let at = crate::clock::rfc3339(at);
        site.events
            .note(Stage::Validate, format!("Amazon Inspector has scanned the image at {at}; it is not asked again"));
        return Ok(Asked::There);
    }
    let mut waiting = site.within(UNKNOWN_SCAN).start();
    loop {
        let scans = listed(site, &request.ami).await?;
        if let Some(running) = scans.iter().find(|scan| *scan.scan_status() == OnDemandScanStatus::InProgress) {
            site.progress(format!("joining the scan of {} that is under way", request.ami));
            return Ok(Asked::Scan(running.scan_id().to_owned()));
        }
        site.progress(format!("asking Amazon Inspector to scan {}", request.ami));
        match start(site, request, scans.first()).await {
            Ok(id) => return Ok(Asked::Scan(id)),
            // Somebody else's has begun since the list was read, and is in it soon.
            Err(error) if error.fault.is(&["ConflictException"]) => {
                if waiting.pause().await.is_err() {
                    return Err(error.into());
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// The scans of the image, the newest first.
async fn listed(site: &Site, ami: &str) -> Result<Vec<OnDemandScan>, CallError> {
    let call = site.inspector.list_on_demand_scans().resource_id(ami).resource_type(OnDemandResourceType::Ami);
    let mut pages = call.into_paginator().send();
    let mut scans: Vec<OnDemandScan> = vec![];
    while let Some(page) = pages.next().await {
        scans.extend(page.map_err(site.fault("ListOnDemandScans"))?.items);
    }
    scans.sort_by_key(|scan| std::cmp::Reverse(scan.started_at().as_nanos()));
    Ok(scans)
}

async fn start(site: &Site, request: &CollectRequest, last: Option<&OnDemandScan>) -> Result<String, CallError> {
    let call = site.inspector.start_on_demand_scan().resource_id(&request.ami);
    let call = call.resource_type(OnDemandResourceType::Ami).client_token(token(site, request, last));
    let answer = call.send().await.map_err(site.fault("StartOnDemandScan"))?;
    Ok(answer.scan_id().to_owned())
}

/// The same for whoever asks for the scan after `last`: two that ask at once, or one whose answer was lost, get one scan.
fn token(site: &Site, request: &CollectRequest, last: Option<&OnDemandScan>) -> String {
    let (place, ami) = (&site.location, &request.ami);
    let last = last.map_or("none", OnDemandScan::scan_id);
    let digest = Sha256::digest(format!("{}\n{}\n{ami}\n{last}", place.account, place.region));
    digest.iter().take(16).fold("amiforge-".to_owned(), |token, byte| format!("{token}{byte:02x}"))
}

/// Follows the scan to its end. One that failed is in the evidence with its reason, and no gate is passed by it.
pub(super) async fn finish(
    site: &Site,
    request: &CollectRequest,
    asked: Asked,
) -> Result<VulnerabilityScan, EvidenceError> {
    let source = Scanner::Inspector;
    let missing = || EvidenceError::Findings { ami: request.ami.clone(), reason: "EC2 shows no scan any more".into() };
    let Asked::Scan(id) = asked else {
        return ec2::shown(site, &request.ami, source).await?.ok_or_else(missing);
    };
    match followed(site, &request.ami, &id).await? {
        Ended::Well { began } => ec2::since(site, &request.ami, source, began).await,
        Ended::Failed(reason) => {
            let failed = Some(format!("{reason}: {}", advice(&reason)));
            Ok(VulnerabilityScan { source: source.word().to_owned(), failed, ..VulnerabilityScan::default() })
        }
    }
}

/// How a scan ended.
enum Ended {
    Well { began: OffsetDateTime },
    Failed(String),
}

async fn followed(site: &Site, ami: &str, id: &str) -> Result<Ended, EvidenceError> {
    let mut waiting = Poller { every: site.slow, deadline: IMAGE_SCAN }.start();
    loop {
        let call = site.inspector.get_on_demand_scan_status().scan_id(id).resource_id(ami);
        let answer = call.resource_type(OnDemandResourceType::Ami).send().await;
        match answer.map_err(site.fault("GetOnDemandScanStatus")) {
            Ok(scan) => match scan.scan_status() {
                OnDemandScanStatus::Successful => return Ok(Ended::Well { began: began(scan.started_at()) }),
                OnDemandScanStatus::Failed => {
                    let reason = scan.scan_status_reason().map(OnDemandScanStatusReason::as_str);
                    return Ok(Ended::Failed(reason.unwrap_or("no reason is given").to_owned()));
                }
                _ => {}
            },
            // The list may be ahead of the status.
            Err(error) if error.fault.is(&["ResourceNotFoundException"]) && waiting.elapsed() < UNKNOWN_SCAN => {}
            Err(error) => return Err(error.into()),
        }
        site.progress(format!("Amazon Inspector scans {ami}: {}", human_duration(waiting.elapsed())));
        waiting.pause().await.map_err(|timeout| EvidenceError::ImageScan {
            ami: ami.to_owned(),
            scan: id.to_owned(),
            after: timeout.after,
        })?;
    }
}

/// Whole seconds: EC2 may show the time of the scan without their fractions.
fn began(at: &DateTime) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(at.secs()).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// What to do about a scan that failed. The user guide spells some reasons with a prefix (patch-baselines.md 12.10).
fn advice(reason: &str) -> &'static str {
    match reason.trim_start_matches("AGENTLESS_INSTANCE_") {
        "ACCESS_DENIED" => {
            "Amazon Inspector may not read the image's snapshots; look at the policy of the key they are encrypted with"
        }
        "ACCESS_DENIED_TO_ENCRYPTION_KEY" => "the policy of the snapshots' key does not let Amazon Inspector use it",
        "UNSUPPORTED_OS" => {
            "Amazon Inspector does not know this operating system, which is no pass; ask for another scanner with \
             `gates.vulnerabilities.scanned_by`"
        }
        "STORAGE_LIMIT_EXCEEDED" => "the image's volumes are larger than Amazon Inspector reads",
        "EXTRACTION_COLLECTION_TIME_LIMIT_EXCEEDED" => {
            "the image has more files than Amazon Inspector reads in its time"
        }
        "RESOURCE_TERMINATED" => "the image was deregistered while it was scanned",
        _ => "run `amiforge validate` again",
    }
}

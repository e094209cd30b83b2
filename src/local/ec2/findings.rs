//! What EC2 shows of Amazon Inspector's newest scan of an AMI.

use super::super::Local;
use super::super::input::compact;
use super::super::paging;
use super::super::records::{Ami, IMAGE_SCAN, ImageFinding, ImageScan};
use super::super::store::{Scope, StoreError, Transaction};
use super::super::wire::{Caller, ServiceError};
use super::{images, input, time};
use serde_json::{Value, json};

/// Severities as EC2 writes them, the worst first.
const LABELS: [&str; 5] = ["critical", "high", "medium", "low", "informational"];

/// `GetImageFindings`. An AMI that was never scanned has none, as one that is clean.
pub(super) fn get(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let id = input.required("ImageId")?;
    images::check_ids(&[id])?;
    let size = input.page_size("MaxResults", 1..=1000, 1000)?;
    let rows = local.store.read(|tx| {
        let ami = images::visible(tx, &caller.scope, id)?.ok_or_else(|| images::not_found(&[id]))?;
        let findings = of(tx, &caller.scope, &ami)?.map(|scan| scan.findings).unwrap_or_default();
        Ok::<_, ServiceError>(findings.iter().map(|finding| render(&ami, finding)).collect::<Vec<_>>())
    })?;
    let (findings, next) = paging::page(&input, "GetImageFindings", size, paging::numbered(rows))?;
    Ok(json!({ "imageFindingSet": findings, "nextToken": next }))
}

/// The newest scan of an AMI, which is its owner's.
fn of(tx: &Transaction<'_>, scope: &Scope, ami: &Ami) -> Result<Option<ImageScan>, StoreError> {
    let owner = Scope { account: ami.owner.clone(), region: scope.region.clone() };
    tx.get(&owner, IMAGE_SCAN, &ami.id)
}

fn render(ami: &Ami, finding: &ImageFinding) -> Value {
    json!({
        "title": finding.title,
        "severityLabel": finding.severity,
        "fixAvailable": finding.fix_available,
        "firstObservedAt": time(&finding.first_observed_at),
        "updatedAt": time(&finding.updated_at),
        "snapshotId": ami.snapshot,
    })
}

/// `scanResults` of `DescribeImages`; nothing when the AMI was never scanned.
pub(super) fn results(tx: &Transaction<'_>, scope: &Scope, ami: &Ami) -> Result<Option<Value>, StoreError> {
    let Some(scan) = of(tx, scope, ami)? else { return Ok(None) };
    let with = |label: &'static str| scan.findings.iter().filter(move |finding| finding.severity == label);
    let worst = LABELS.into_iter().find(|label| with(label).next().is_some());
    let mut results = json!({ "findingScanDate": time(&scan.scanned_at), "highestFindingSeverityLabel": worst });
    for label in LABELS {
        let fixed = with(label).filter(|finding| finding.fix_available).map(|finding| &finding.first_observed_at).min();
        results[format!("{label}FixAvailableSince")] = json!(fixed.map(|at| time(at)));
    }
    Ok(Some(compact(results)))
}

//! Amazon Inspector: scans of AMIs on demand.

mod scan;

use super::process::Owner;
use crate::clock::rfc3339;
use crate::local::input::{Dialect, Input, compact};
use crate::local::records::Ami;
use crate::local::store::{Scope, StoreError, Transaction};
use crate::local::tokens::Once;
use crate::local::wire::{Caller, ServiceError};
use crate::local::{Local, paging, random};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

/// Kind of [`ScanRecord`] documents; the id is `<resource id>/<scan id>`.
pub(super) const SCAN: &str = "inspector2-scan";
/// How long records of scans are kept (patch-baselines.md 12.10).
const KEPT: Duration = Duration::days(30);

/// A scan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ScanRecord {
    id: String,
    resource: String,
    status: Status,
    reason: Option<String>,
    /// RFC 3339.
    started_at: String,
    /// RFC 3339.
    completed_at: Option<String>,
    /// The process that works on it.
    owner: Owner,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Status {
    InProgress,
    Successful,
    Failed,
}

impl ScanRecord {
    /// One that begins.
    fn new(resource: &str, now: OffsetDateTime) -> Result<Self, ServiceError> {
        let broken = |error: std::io::Error| ServiceError::new(500, "InternalServerException", error.to_string());
        Ok(Self {
            id: random::hex(32)?,
            resource: resource.to_owned(),
            status: Status::InProgress,
            reason: None,
            started_at: rfc3339(now),
            completed_at: None,
            owner: Owner::current().map_err(broken)?,
        })
    }

    fn key(&self) -> String {
        format!("{}/{}", self.resource, self.id)
    }

    fn end(&mut self, reason: Option<&str>, now: OffsetDateTime) {
        self.status = if reason.is_some() { Status::Failed } else { Status::Successful };
        self.reason = reason.map(str::to_owned);
        self.completed_at = Some(rfc3339(now));
    }

    /// As it is now: nobody works on it any more when its process is gone.
    fn now(mut self, now: OffsetDateTime) -> Self {
        if self.status == Status::InProgress && !self.owner.alive() {
            self.end(Some("INTERNAL_ERROR"), now);
        }
        self
    }

    fn json(&self) -> Value {
        compact(json!({
            "scanId": self.id,
            "resourceId": self.resource,
            "resourceType": "AMI",
            "scanStatus": self.status,
            "scanStatusReason": self.reason,
            "startedAt": self.started_at,
            "completedAt": self.completed_at,
        }))
    }
}

/// `StartOnDemandScan`: of an AMI of one's own, and one at a time.
pub(super) fn start(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = Input::new(Dialect::Ssm, request);
    let ami = resource(&input)?;
    let once =
        Once { operation: "StartOnDemandScan", token: "clientToken", input: &input, mismatch: "ConflictException" };
    let begun = local.store.write(|tx| {
        if let Some(answer) = once.answered(tx, caller)? {
            return Ok(Begun::Before(answer));
        }
        let image = own(tx, caller, ami)?;
        if records(tx, &caller.scope, ami, caller.now)?.iter().any(|record| record.status == Status::InProgress) {
            let text = format!("A scan is already in progress for {ami}.");
            return Err(ServiceError::new(409, "ConflictException", text));
        }
        let record = ScanRecord::new(ami, caller.now)?;
        tx.put(&caller.scope, SCAN, &record.key(), &record)?;
        once.remember(tx, caller, &json!({ "scanId": record.id }))?;
        Ok(Begun::Now(Box::new((record, image))))
    })?;
    match begun {
        Begun::Before(answer) => Ok(answer),
        Begun::Now(begun) => {
            let (record, image) = *begun;
            let answer = json!({ "scanId": record.id });
            scan::spawn(local, &caller.scope, record, image)?;
            Ok(answer)
        }
    }
}

/// What a call of `StartOnDemandScan` has come to.
enum Begun {
    /// It has been answered before.
    Before(Value),
    /// The scan, and the image it is of.
    Now(Box<(ScanRecord, Ami)>),
}

/// `GetOnDemandScanStatus`.
pub(super) fn status(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = Input::new(Dialect::Ssm, request);
    let ami = resource(&input)?;
    let id = input.limited("scanId", 1..=64)?.ok_or_else(|| input.missing("scanId"))?;
    if !id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
        return Err(input.invalid("scanId", "It must match [a-z0-9]+."));
    }
    let found: Option<ScanRecord> = local.store.read(|tx| tx.get(&caller.scope, SCAN, &format!("{ami}/{id}")))?;
    let absent = || ServiceError::new(404, "ResourceNotFoundException", format!("There is no scan {id} of {ami}."));
    Ok(found.ok_or_else(absent)?.now(caller.now).json())
}

/// `ListOnDemandScans`, the newest first.
pub(super) fn list(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = Input::new(Dialect::ImageBuilder, request);
    let strict = Input::new(Dialect::Ssm, request);
    let ami = resource(&strict)?;
    let size = strict.page_size("maxResults", 1..=100, 100)?;
    let scans = local.store.read(|tx| records(tx, &caller.scope, ami, caller.now))?;
    let rows = paging::numbered(scans.iter().map(ScanRecord::json));
    let refused = |error: ServiceError| ServiceError::client("ValidationException", error.message);
    let (items, next) = paging::page(&input, "ListOnDemandScans", size, rows).map_err(refused)?;
    Ok(compact(json!({ "items": items, "nextToken": next })))
}

/// The id of the AMI that a request is about.
fn resource<'a>(input: &Input<'a>) -> Result<&'a str, ServiceError> {
    let id = input.limited("resourceId", 10..=1024)?.ok_or_else(|| input.missing("resourceId"))?;
    input.one_of("resourceType", &["AMI"])?.ok_or_else(|| input.missing("resourceType"))?;
    let digits = id.strip_prefix("ami-").unwrap_or_default();
    if matches!(digits.len(), 8 | 17) && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(id)
    } else {
        Err(input.invalid("resourceId", "It must be the id of an AMI."))
    }
}

/// The AMI, which must be the caller's. Who may not scan an AMI does not learn whether it exists.
fn own(tx: &Transaction<'_>, caller: &Caller, id: &str) -> Result<Ami, ServiceError> {
    let found = crate::local::ec2::images::visible(tx, &caller.scope, id)?;
    let own = found.filter(|ami| ami.owner == caller.scope.account && ami.state == "available");
    own.ok_or_else(|| {
        let text = format!("The image {id} is not an available image of account {}.", caller.scope.account);
        ServiceError::new(403, "AccessDeniedException", text)
    })
}

/// The scans of an AMI, the newest first.
fn records(tx: &Transaction<'_>, scope: &Scope, ami: &str, now: OffsetDateTime) -> Result<Vec<ScanRecord>, StoreError> {
    let all = tx.list::<ScanRecord>(scope, SCAN, &format!("{ami}/"))?;
    let recent = |record: &ScanRecord| {
        OffsetDateTime::parse(&record.started_at, &Rfc3339).is_ok_and(|started| now - started <= KEPT)
    };
    let mut records: Vec<ScanRecord> = all.into_iter().map(|(_, record)| record.now(now)).filter(recent).collect();
    records.sort_by(|a, b| (&b.started_at, &b.id).cmp(&(&a.started_at, &a.id)));
    Ok(records)
}

#[cfg(test)]
mod tests;

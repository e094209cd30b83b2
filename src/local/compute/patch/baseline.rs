//! Which baseline applies to an instance (patch-baselines.md 7.7).

use crate::diagnostic::SourceFile;
use crate::local::Local;
use crate::local::compute::instance::InstanceRecord;
use crate::local::compute::{document, peer};
use crate::local::service::Service;
use crate::local::ssm;
use crate::local::store::Scope;
use crate::local::wire::{Caller, ServiceError};
use crate::patch::{self, Baseline, OperatingSystem};
use serde_json::{Value, json};
use time::OffsetDateTime;

/// The baseline of an instance.
#[derive(Debug)]
pub(super) struct Applicable {
    pub(super) id: String,
    /// Empty when the instance is in none.
    pub(super) patch_group: String,
    pub(super) baseline: Baseline,
    /// What `PRODUCT` filters are compared with, where that is known.
    pub(super) product: Option<String>,
    /// The moment that delays are counted to.
    pub(super) now: OffsetDateTime,
}

/// `Debian12`, `Ubuntu24.04`: the products of patch-baselines.md 1.3. Those of other systems are UNCONFIRMED, and their
/// filters pass.
pub(super) fn product(system: OperatingSystem, version: &str) -> Option<String> {
    let name = match system {
        OperatingSystem::Ubuntu => "Ubuntu",
        OperatingSystem::Raspbian => "Raspbian",
        OperatingSystem::Debian => "Debian",
        _ => return None,
    };
    Some(format!("{name}{version}"))
}

/// The baseline that is registered for the instance's patch group, else the account's default for the system.
pub(super) fn applicable(
    local: &Local,
    scope: &Scope,
    instance: &InstanceRecord,
    system: OperatingSystem,
) -> Result<Applicable, ServiceError> {
    let group = ["Patch Group", "PatchGroup"].iter().find_map(|key| instance.tags.get(*key)).cloned();
    let described = match &group {
        Some(group) => of_group(local, scope, group, system)?,
        None => default(local, scope, system)?,
    };
    let id = document::text(&described, "BaselineId").unwrap_or_default().to_owned();
    let baseline = parse(&id, &described)?;
    let product = product(system, &instance.os_version);
    let now = local.config.clock.now();
    Ok(Applicable { id, patch_group: group.unwrap_or_default(), baseline, product, now })
}

fn default(local: &Local, scope: &Scope, system: OperatingSystem) -> Result<Value, ServiceError> {
    let default = local.store.read(|tx| ssm::default_baseline(tx, scope, system.as_str()))?;
    default.ok_or_else(|| {
        let message = format!("there is no default patch baseline for {system}");
        ServiceError::new(400, "DoesNotExistException", message)
    })
}

/// The baseline of a patch group: the one registered for it, or the account's default.
fn of_group(local: &Local, scope: &Scope, group: &str, system: OperatingSystem) -> Result<Value, ServiceError> {
    let caller = Caller::of(scope.clone(), local.config.clock.now());
    let ask = |operation: &str, body: Value| peer::call(local, &caller, Service::Ssm, operation, &body);
    let registered =
        ask("GetPatchBaselineForPatchGroup", json!({"PatchGroup": group, "OperatingSystem": system.as_str()}))?;
    let id = document::text(&registered, "BaselineId").unwrap_or_default();
    ask("GetPatchBaseline", json!({"BaselineId": id}))
}

fn parse(id: &str, described: &Value) -> Result<Baseline, ServiceError> {
    let source = SourceFile::new(format!("baseline {id}"), format!("{described:#}"));
    patch::parse_baseline(&source).map_err(|diagnostics| {
        let messages: Vec<String> = diagnostics.iter().map(|diagnostic| diagnostic.message.clone()).collect();
        ServiceError::new(
            500,
            "InternalServerError",
            format!("the baseline {id} is not usable: {}", messages.join("; ")),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_the_services_where_they_are_known() {
        assert_eq!(product(OperatingSystem::Debian, "12").as_deref(), Some("Debian12"));
        assert_eq!(product(OperatingSystem::Ubuntu, "24.04").as_deref(), Some("Ubuntu24.04"));
        assert_eq!(product(OperatingSystem::AmazonLinux2023, "2023"), None);
    }

    #[test]
    fn the_baseline_of_the_patch_group_comes_before_the_default() {
        let bench = crate::local::tests::Bench::new();
        let rule = json!({ "PatchFilterGroup": { "PatchFilters": [] }, "ApproveAfterDays": 0 });
        let create = |name: &str| {
            let rules = json!({ "PatchRules": [rule] });
            let request = json!({ "Name": name, "OperatingSystem": "DEBIAN", "ApprovalRules": rules });
            bench.ssm("CreatePatchBaseline", &request).unwrap()["BaselineId"].clone()
        };
        let (web, default) = (create("of-web"), create("of-all"));
        bench.ssm("RegisterPatchBaselineForPatchGroup", &json!({ "BaselineId": web, "PatchGroup": "web" })).unwrap();
        bench.ssm("RegisterDefaultPatchBaseline", &json!({ "BaselineId": default })).unwrap();
        let name = |tags: Value| {
            let record = json!({
                "id": "i-1", "reservation": "r-1", "image": "ami-1", "architecture": "x86_64", "instance_type": "t",
                "state": "running", "state_reason": null, "launched_at": "2026-03-01T12:00:00Z", "terminated_at": null,
                "tags": tags, "http_tokens": "required", "hop_limit": 1, "client_token": "", "address": "",
                "os_id": "debian", "os_name": "Debian", "os_version": "12", "owner": { "pid": 1, "started": 1 },
            });
            let instance: InstanceRecord = serde_json::from_value(record).unwrap();
            let found = applicable(&bench.local, &bench.scope(), &instance, OperatingSystem::Debian).unwrap();
            (found.baseline.name, found.patch_group)
        };
        assert_eq!(name(json!({ "Patch Group": "web" })), ("of-web".into(), "web".into()));
        assert_eq!(name(json!({ "PatchGroup": "web" })), ("of-web".into(), "web".into()));
        assert_eq!(name(json!({ "Patch Group": "db" })), ("of-all".into(), "db".into()));
        assert_eq!(name(json!({})), ("of-all".into(), String::new()));
    }
}

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
        None => None,
    };
    let described = match described {
        Some(described) => described,
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

/// The baseline of a patch group; none when the local environment has no patch groups.
fn of_group(local: &Local, scope: &Scope, group: &str, system: OperatingSystem) -> Result<Option<Value>, ServiceError> {
    if peer::find(Service::Ssm, "GetPatchBaselineForPatchGroup").is_none() {
        return Ok(None);
    }
    let caller = Caller { scope: scope.clone(), now: local.config.clock.now() };
    let ask = |operation: &str, body: Value| peer::call(local, &caller, Service::Ssm, operation, &body);
    let wanted = json!({"PatchGroup": group, "OperatingSystem": system.as_str()});
    let registered = ask("GetPatchBaselineForPatchGroup", wanted)?;
    let id = document::text(&registered, "BaselineId").unwrap_or_default();
    ask("GetPatchBaseline", json!({"BaselineId": id})).map(Some)
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
}

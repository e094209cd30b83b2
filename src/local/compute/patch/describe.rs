//! `DescribeInstancePatchStates` and `DescribeInstancePatches`.

use super::{PATCH_STATE, PatchState, id, is_open, title};
use crate::local::Local;
use crate::local::compute::filter::{Filter, filters};
use crate::local::paging;
use crate::local::ssm::input;
use crate::local::wire::{Caller, ServiceError};
use crate::patch::{PatchItem, State};
use serde_json::{Value, json};

/// `DescribeInstancePatchStates`: instances that were never scanned are left out, as in the service.
pub(in crate::local::compute) fn describe_instance_patch_states(
    local: &Local,
    caller: &Caller,
    body: &Value,
) -> Result<Value, ServiceError> {
    let ids = input(body).texts("InstanceIds")?;
    if ids.is_empty() || ids.len() > 50 {
        let message = format!("{} instance ids were given; between 1 and 50 are possible.", ids.len());
        return Err(ServiceError::new(400, "ValidationException", message));
    }
    let states = local.store.read(|tx| {
        let mut states = Vec::new();
        for row in paging::numbered(&ids) {
            let state = tx.get::<PatchState>(&caller.scope, PATCH_STATE, row.1)?;
            states.extend(state.map(|state| (row.0, state_json(&state))));
        }
        Ok::<_, ServiceError>(states)
    })?;
    paged(body, "DescribeInstancePatchStates", "InstancePatchStates", states)
}

fn paged(body: &Value, operation: &str, member: &str, rows: Vec<(String, Value)>) -> Result<Value, ServiceError> {
    let input = input(body);
    let size = input.page_size("MaxResults", 10..=100, 100)?;
    let (items, next) = paging::page(&input, operation, size, rows)?;
    Ok(json!({ member: items, "NextToken": next }))
}

fn state_json(state: &PatchState) -> Value {
    let counts = &state.counts;
    let open = || state.items.iter().filter(|item| is_open(item.state));
    let critical = |item: &PatchItem| item.level == "CRITICAL";
    let security = |item: &PatchItem| item.classification == "Security";
    let mut json = json!({
        "InstanceId": state.instance_id,
        "PatchGroup": state.patch_group,
        "BaselineId": state.baseline_id,
        "InstalledCount": counts.installed,
        "InstalledOtherCount": counts.installed_other,
        "InstalledPendingRebootCount": counts.installed_pending_reboot,
        "InstalledRejectedCount": counts.installed_rejected,
        "MissingCount": counts.missing,
        "FailedCount": counts.failed,
        "UnreportedNotApplicableCount": -1,
        "NotApplicableCount": counts.not_applicable,
        "AvailableSecurityUpdateCount": counts.available_security_update,
        "CriticalNonCompliantCount": open().filter(|item| critical(item)).count(),
        "SecurityNonCompliantCount": open().filter(|item| security(item)).count(),
        "OtherNonCompliantCount": open().filter(|item| !critical(item) && !security(item)).count(),
        "OperationStartTime": state.started,
        "OperationEndTime": state.ended,
        "Operation": state.operation,
        "RebootOption": state.reboot_option,
    });
    if !state.snapshot_id.is_empty() {
        json["SnapshotId"] = json!(state.snapshot_id);
    }
    json
}

/// `DescribeInstancePatches`.
pub(in crate::local::compute) fn describe_instance_patches(
    local: &Local,
    caller: &Caller,
    body: &Value,
) -> Result<Value, ServiceError> {
    let input = input(body);
    let instance = input.filled("InstanceId")?.unwrap_or_default();
    let filters = filters(&input, "Filters", "Key", "Values")?;
    let state = local.store.read(|tx| tx.get::<PatchState>(&caller.scope, PATCH_STATE, instance))?;
    let mut patches = Vec::new();
    // What is not applicable is counted, never listed.
    for item in state.iter().flat_map(|state| &state.items).filter(|item| item.state != State::NotApplicable) {
        if matches(item, &filters)? {
            patches.extend(state.as_ref().map(|state| patch_json(item, state)));
        }
    }
    paged(body, "DescribeInstancePatches", "Patches", paging::numbered(patches))
}

fn matches(item: &PatchItem, filters: &[Filter]) -> Result<bool, ServiceError> {
    for filter in filters {
        let accepted = match filter.name.as_str() {
            // The documented values are CamelCase; the enum of the model is not. Both are taken.
            "State" => filter.values.iter().any(|value| State::parse(value) == Some(item.state)),
            "Classification" => filter.accepts(&item.classification),
            "Severity" => filter.accepts(&item.severity),
            "KBId" => filter.accepts(&id(item)),
            other => {
                let message = format!("The filter key {other} is not valid.");
                return Err(ServiceError::new(400, "InvalidFilter", message));
            }
        };
        if !accepted {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Classification and severity are left empty for what no rule decided about (patch-baselines.md 5.5).
fn patch_json(item: &PatchItem, state: &PatchState) -> Value {
    let decided = !matches!(item.state, State::InstalledOther | State::NotApplicable);
    let installed = !matches!(item.state, State::Missing | State::Failed);
    json!({
        "Title": title(item, state.system),
        "KBId": id(item),
        "Classification": if decided { item.classification.as_str() } else { "" },
        "Severity": if decided { item.severity.as_str() } else { "" },
        "State": item.state.as_str(),
        "InstalledTime": if installed { state.ended } else { 0 },
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::item;
    use super::*;
    use crate::patch::{Counts, OperatingSystem};
    use std::collections::BTreeSet;

    fn state(items: Vec<PatchItem>) -> PatchState {
        PatchState {
            instance_id: "i-1".into(),
            patch_group: String::new(),
            baseline_id: "pb-1".into(),
            snapshot_id: String::new(),
            system: OperatingSystem::Debian,
            operation: "Scan".into(),
            reboot_option: "NoReboot".into(),
            started: 1,
            ended: 2,
            counts: Counts { missing: 2, installed: 1, ..Counts::default() },
            items,
            pending: BTreeSet::new(),
            pending_boot: 0,
        }
    }

    #[test]
    fn open_items_are_counted_by_level_and_classification() {
        let critical =
            PatchItem { level: "CRITICAL".into(), classification: String::new(), ..item("a", State::Missing) };
        let plain = PatchItem { classification: String::new(), ..item("b", State::Missing) };
        let json = state_json(&state(vec![critical, plain, item("c", State::Missing), item("d", State::Installed)]));
        assert_eq!(json["CriticalNonCompliantCount"], 1);
        assert_eq!(json["SecurityNonCompliantCount"], 1);
        assert_eq!(json["OtherNonCompliantCount"], 1);
        assert!(json.get("SnapshotId").is_none());
    }

    #[test]
    fn the_state_filter_takes_both_spellings() {
        let filter = |value: &str| vec![Filter { name: "State".into(), values: vec![value.into()] }];
        assert!(matches(&item("a", State::InstalledOther), &filter("InstalledOther")).unwrap());
        assert!(matches(&item("a", State::InstalledOther), &filter("INSTALLED_OTHER")).unwrap());
        assert!(!matches(&item("a", State::Missing), &filter("Installed")).unwrap());
        let wrong = vec![Filter { name: "Colour".into(), values: vec![] }];
        assert_eq!(matches(&item("a", State::Missing), &wrong).unwrap_err().code, "InvalidFilter");
    }

    #[test]
    fn states_are_told_in_camel_case() {
        let json = patch_json(&item("bash", State::InstalledOther), &state(vec![]));
        assert_eq!((&json["State"], &json["Classification"]), (&json!("InstalledOther"), &json!("")));
        assert_eq!(patch_json(&item("bash", State::Missing), &state(vec![]))["InstalledTime"], 0);
    }
}

//! Instance refreshes: started, shown, cancelled, rolled back.

use super::super::Local;
use super::super::input::Input;
use super::super::paging;
use super::super::random;
use super::super::store::{Scope, StoreError, Transaction};
use super::super::wire::{Caller, ServiceError};
use super::launch::Launch;
use super::preferences::Preferences;
use super::progress::{keep, rings, roll_back};
use super::record::{Group, Phase, Refresh, Status};
use super::{input, known, page_size, refused, render};
use serde_json::{Value, json};
use time::Duration;

/// How long the history of refreshes is shown (patch-baselines.md 12.9).
const SHOWN: Duration = Duration::weeks(6);

/// `StartInstanceRefresh`.
pub(super) fn start(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    known(&input, &["AutoScalingGroupName", "DesiredConfiguration", "Preferences", "Strategy"])?;
    let name = input.required("AutoScalingGroupName")?;
    if input.one_of("Strategy", &["Rolling", "ReplaceRootVolume"])? == Some("ReplaceRootVolume") {
        return Err(refused("Strategy ReplaceRootVolume: root volumes are not in the local environment."));
    }
    let preferences = Preferences::read(&input)?;
    local.store.write(|tx| {
        let scope = &caller.scope;
        let group = Group::of(tx, scope, name)?;
        let desired = match input.object("DesiredConfiguration")? {
            None => None,
            Some(desired) => {
                known(&desired, &["LaunchTemplate", "MixedInstancesPolicy"])?;
                Launch::read(tx, scope, &desired)?
            }
        };
        check(tx, scope, &group, desired.as_ref(), &preferences)?;
        if Refresh::active(tx, scope, name)?.is_some() {
            let text = "An Instance Refresh is already in progress and blocks the execution of this Instance Refresh.";
            return Err(ServiceError::client("InstanceRefreshInProgress", text));
        }
        let left = outdated(tx, scope, &group, desired.as_ref(), &preferences)?;
        let mut refresh = Refresh {
            id: random::uuid()?,
            group: name.to_owned(),
            status: Status::Pending,
            reason: None,
            started: caller.now,
            ended: None,
            desired,
            before: group.launch.clone(),
            preferences: preferences.clone(),
            total: u32::try_from(left.len()).unwrap_or(u32::MAX),
            updated: 0,
            left,
            made: vec![],
            phase: Phase::Begin,
            due: caller.now + local.config.builds.launching(),
            rollback: None,
            doomed: None,
        };
        let answer = json!({ "InstanceRefreshId": refresh.id });
        // What takes no time is done when somebody looks at it.
        if rings(tx, scope, &refresh)?.is_some() {
            refresh.due = caller.now;
        }
        keep(tx, scope, &group, &refresh)?;
        Ok(answer)
    })
}

/// What cannot go together (patch-baselines.md 12.7 and 12.9).
fn check(
    tx: &Transaction<'_>,
    scope: &Scope,
    group: &Group,
    desired: Option<&Launch>,
    preferences: &Preferences,
) -> Result<(), ServiceError> {
    if preferences.rollback && desired.is_none() {
        return Err(refused(
            "The AutoRollback parameter cannot be set to true when the DesiredConfiguration parameter is empty. Set AutoRollback \
             to false or specify a desired configuration and try again.",
        ));
    }
    if preferences.rollback && (group.launch.tracks() || desired.is_some_and(Launch::tracks)) {
        return Err(refused(
            "The AutoRollback parameter cannot be set to true when the launch template version is $Latest or $Default.",
        ));
    }
    if !preferences.skip_matching && desired.is_none() {
        return Ok(());
    }
    let mut ways = group.launch.ways(tx, scope)?;
    if let Some(desired) = desired {
        ways.extend(desired.ways(tx, scope)?);
    }
    if ways.iter().any(|way| way.by_requirements) {
        return Err(refused(
            "Skip matching and a desired configuration are not supported for groups with attribute-based instance type selection.",
        ));
    }
    if ways.iter().any(super::launch::Way::by_parameter) {
        return Err(refused(
            "Skip matching and a desired configuration are not supported when a launch template takes its AMI from a Systems \
             Manager parameter.",
        ));
    }
    Ok(())
}

/// The instances that are to be replaced.
fn outdated(
    tx: &Transaction<'_>,
    scope: &Scope,
    group: &Group,
    desired: Option<&Launch>,
    preferences: &Preferences,
) -> Result<Vec<String>, ServiceError> {
    let ways = desired.unwrap_or(&group.launch).ways(tx, scope)?;
    let matches =
        |template: &str, version: u64| ways.iter().any(|way| way.chosen.id == template && way.chosen.number == version);
    let old = group.members.iter().filter(|one| !(preferences.skip_matching && matches(&one.template, one.version)));
    Ok(old.map(|member| member.id.clone()).collect())
}

/// `DescribeInstanceRefreshes`: the newest first.
pub(super) fn describe(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    known(&input, &["AutoScalingGroupName", "InstanceRefreshIds", "MaxRecords", "NextToken"])?;
    let (name, ids) = (input.required("AutoScalingGroupName")?, input.texts("InstanceRefreshIds")?);
    let size = page_size(&input)?;
    let all = local.store.read(|tx| {
        Group::of(tx, &caller.scope, name)?;
        Ok::<_, ServiceError>(Refresh::all(tx, &caller.scope, name)?)
    })?;
    let shown = all.iter().filter(|one| one.started > caller.now - SHOWN);
    let named = shown.filter(|one| ids.is_empty() || ids.contains(&one.id.as_str()));
    // Keys rise where times fall.
    let row = |one: &Refresh| (format!("{:020}:{}", i128::from(i64::MAX) - one.micros(), one.id), render::refresh(one));
    let mut rows: Vec<(String, Value)> = named.map(row).collect();
    rows.sort_by(|(a, _), (b, _)| a.cmp(b));
    let (refreshes, next) = paging::page(&input, "DescribeInstanceRefreshes", size, rows)?;
    Ok(json!({ "InstanceRefreshes": refreshes, "NextToken": next }))
}

/// The group and its refresh that goes on.
fn active(tx: &Transaction<'_>, caller: &Caller, input: &Input<'_>) -> Result<(Group, Refresh), ServiceError> {
    let name = input.required("AutoScalingGroupName")?;
    let group = Group::of(tx, &caller.scope, name)?;
    let missing = || {
        let text = "No in progress or pending Instance Refresh found for Auto Scaling group";
        ServiceError::client("ActiveInstanceRefreshNotFound", format!("{text} {name}"))
    };
    let refresh = Refresh::active(tx, &caller.scope, name)?.ok_or_else(missing)?;
    Ok((group, refresh))
}

/// `CancelInstanceRefresh`: nothing is put back.
pub(super) fn cancel(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    known(&input, &["AutoScalingGroupName", "WaitForTransitioningInstances"])?;
    let waits = input.flag("WaitForTransitioningInstances")?.unwrap_or(true);
    local.store.write(|tx| {
        let (group, mut refresh) = active(tx, caller, &input)?;
        refresh.status = Status::Cancelling;
        if !(waits && matches!(refresh.phase, Phase::Batch(_))) {
            refresh.due = caller.now;
        }
        refresh.phase = Phase::Cancel;
        refresh.reason = None;
        keep(tx, &caller.scope, &group, &refresh)?;
        Ok(json!({ "InstanceRefreshId": refresh.id }))
    })
}

/// `RollbackInstanceRefresh`.
pub(super) fn rollback(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    known(&input, &["AutoScalingGroupName"])?;
    local.store.write(|tx| {
        let (group, mut refresh) = active(tx, caller, &input)?;
        if !refresh.status.is_forward() {
            let text = format!("The Instance Refresh of {} is {:?} and cannot be rolled back.", group.name, refresh.status);
            return Err(ServiceError::client("ActiveInstanceRefreshNotFound", text));
        }
        let by_parameter =
            || Ok::<_, ServiceError>(refresh.before.ways(tx, &caller.scope)?.iter().any(super::launch::Way::by_parameter));
        if refresh.desired.is_none() || refresh.before.tracks() || by_parameter()? {
            let text = "The Instance Refresh has no desired configuration, or the group's launch template has the version $Latest or \
                        $Default or takes its AMI from a Systems Manager parameter.";
            return Err(ServiceError::client("IrreversibleInstanceRefresh", text));
        }
        roll_back(&mut refresh, caller.now, "Manual rollback.");
        keep(tx, &caller.scope, &group, &refresh)?;
        Ok(json!({ "InstanceRefreshId": refresh.id }))
    })
}

/// Makes the refresh fail later that a call has begun, if it has begun one.
///
/// # Errors
/// When the state cannot be read or written.
pub(in crate::local) fn spoil(local: &Local, caller: &Caller, answer: &Value) -> Result<(), ServiceError> {
    let Some(id) = answer.get("InstanceRefreshId").and_then(Value::as_str) else { return Ok(()) };
    let done: Result<(), StoreError> = local.store.write(|tx| {
        for group in Group::all(tx, &caller.scope)? {
            if let Some(mut refresh) = Refresh::active(tx, &caller.scope, &group.name)?.filter(|one| one.id == id) {
                refresh.doomed = Some("Instances did not become healthy (a fault that was asked for).".to_owned());
                refresh.put(tx, &caller.scope)?;
            }
        }
        Ok(())
    });
    Ok(done?)
}

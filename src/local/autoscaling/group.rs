//! Auto Scaling groups: made, shown, changed, removed.

use super::super::Local;
use super::super::input::Input;
use super::super::paging;
use super::super::random;
use super::super::store::{Scope, Transaction};
use super::super::wire::{Caller, ServiceError};
use super::instances::Ground;
use super::launch::Launch;
use super::record::{Group, Refresh};
use super::{input, known, page_size, refused, render, tags};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Groups per Region: the quota of an account that has not asked for more.
const MOST_GROUPS: usize = 500;
/// Names in one call, without asking for more by page size.
const MOST_NAMES: usize = 50;

const CREATE: [&str; 16] = [
    "AutoScalingGroupName",
    "AvailabilityZones",
    "DefaultCooldown",
    "DefaultInstanceWarmup",
    "DesiredCapacity",
    "HealthCheckGracePeriod",
    "HealthCheckType",
    "InstanceId",
    "LaunchConfigurationName",
    "LaunchTemplate",
    "MaxSize",
    "MinSize",
    "MixedInstancesPolicy",
    "NewInstancesProtectedFromScaleIn",
    "Tags",
    "VPCZoneIdentifier",
];

/// `CreateAutoScalingGroup`.
pub(super) fn create(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    known(&input, &CREATE)?;
    let name = group_name(&input)?;
    let tags = tags::of_creation(&input, name)?;
    local.store.write(|tx| {
        let scope = &caller.scope;
        if Group::find(tx, scope, name)?.is_some() {
            let text = "AutoScalingGroup by this name already exists - A group with the name already exists";
            return Err(ServiceError::client("AlreadyExists", format!("{text}: {name}")));
        }
        if Group::all(tx, scope)?.len() >= MOST_GROUPS {
            let text = format!("You have reached the limit of {MOST_GROUPS} Auto Scaling groups in this Region.");
            return Err(ServiceError::client("LimitExceeded", text));
        }
        let mut group = Group {
            name: name.to_owned(),
            arn: format!(
                "arn:aws:autoscaling:{}:{}:autoScalingGroup:{}:autoScalingGroupName/{name}",
                scope.region,
                scope.account,
                random::uuid()?
            ),
            launch: launch(tx, scope, &input)?.ok_or_else(|| {
                refused("Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or MixedInstancesPolicy parameter.")
            })?,
            min: 0,
            max: 0,
            desired: 0,
            cooldown: 300,
            zones: vec![],
            subnets: None,
            health_check: "EC2".to_owned(),
            grace: 0,
            warmup: None,
            protects_new: false,
            tags: tags.clone(),
            members: vec![],
            created_at: caller.now,
        };
        for size in ["MinSize", "MaxSize"] {
            input.integer(size)?.ok_or_else(|| input.missing(size))?;
        }
        settings(&mut group, &input, caller)?;
        if group.zones.is_empty() {
            return Err(refused("At least one Availability Zone or VPC Subnet is required."));
        }
        heal(local, tx, caller, &mut group)?;
        Ok(group.put(tx, scope)?)
    })?;
    Ok(Value::Null)
}

fn group_name<'a>(input: &Input<'a>) -> Result<&'a str, ServiceError> {
    let name = input.required("AutoScalingGroupName")?;
    let allowed = |c: char| ('!'..='~').contains(&c) && c != ':';
    if name.len() <= 255 && name.chars().all(allowed) {
        return Ok(name);
    }
    Err(input.invalid("AutoScalingGroupName", "It has 1 to 255 ASCII characters, without spaces and colons."))
}

/// What the group launches from, as a request says.
fn launch(tx: &Transaction<'_>, scope: &Scope, input: &Input<'_>) -> Result<Option<Launch>, ServiceError> {
    for absent in ["LaunchConfigurationName", "InstanceId"] {
        if input.get(absent).is_some() {
            return Err(refused(format!("{absent}: the local environment has launch templates only.")));
        }
    }
    Launch::read(tx, scope, input)
}

/// Brings the rest of a request into the group.
fn settings(group: &mut Group, input: &Input<'_>, caller: &Caller) -> Result<(), ServiceError> {
    let number = |name: &str| {
        Ok::<_, ServiceError>(input.between(name, 0..=i64::from(i32::MAX))?.and_then(|n| u32::try_from(n).ok()))
    };
    let desired = number("DesiredCapacity")?;
    if let Some(min) = number("MinSize")? {
        group.min = min;
        group.desired = group.desired.max(min);
    }
    if let Some(max) = number("MaxSize")? {
        group.max = max;
        group.desired = group.desired.min(max);
    }
    group.desired = desired.unwrap_or(group.desired);
    if group.min > group.max {
        return Err(refused("Max bound must be greater than or equal to min bound"));
    }
    within(group)?;
    group.cooldown = number("DefaultCooldown")?.unwrap_or(group.cooldown);
    group.grace = number("HealthCheckGracePeriod")?.unwrap_or(group.grace);
    if let Some(kind) = input.one_of("HealthCheckType", &["EC2", "ELB", "EBS", "VPC_LATTICE"])? {
        kind.clone_into(&mut group.health_check);
    }
    // Minus one takes it away again.
    match input.between("DefaultInstanceWarmup", -1..=i64::from(i32::MAX))? {
        None => {}
        Some(seconds) => group.warmup = u32::try_from(seconds).ok(),
    }
    group.protects_new = input.flag("NewInstancesProtectedFromScaleIn")?.unwrap_or(group.protects_new);
    let zones = input.texts("AvailabilityZones")?;
    if let Some(wrong) = zones.iter().find(|zone| !zone.starts_with(&*caller.scope.region)) {
        return Err(refused(format!("Invalid availability zones: [{wrong}]")));
    }
    if !zones.is_empty() {
        group.zones = zones.into_iter().map(str::to_owned).collect();
    }
    if let Some(subnets) = input.limited("VPCZoneIdentifier", 1..=5000)? {
        group.subnets = Some(subnets.to_owned());
        if group.zones.is_empty() {
            group.zones = vec![format!("{}a", caller.scope.region)];
        }
    }
    Ok(())
}

fn within(group: &Group) -> Result<(), ServiceError> {
    if (group.min..=group.max).contains(&group.desired) {
        return Ok(());
    }
    let (min, max, desired) = (group.min, group.max, group.desired);
    Err(refused(format!("Desired capacity:{desired} must be between the specified min size:{min} and max size:{max}")))
}

fn heal(local: &Local, tx: &Transaction<'_>, caller: &Caller, group: &mut Group) -> Result<(), ServiceError> {
    let refresh = Refresh::active(tx, &caller.scope, &group.name)?;
    let launching = local.config.builds.launching();
    Ground { tx, scope: &caller.scope, at: caller.now, launching }.heal(group, refresh.as_ref())
}

/// `DescribeAutoScalingGroups`.
pub(super) fn describe(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    known(
        &input,
        &["AutoScalingGroupNames", "Filters", "IncludeInstances", "IncludeManagedResources", "MaxRecords", "NextToken"],
    )?;
    let names = input.texts("AutoScalingGroupNames")?;
    let size = page_size(&input)?;
    if names.len() > MOST_NAMES.max(size) {
        return Err(input.invalid("AutoScalingGroupNames", &format!("At most {MOST_NAMES} names can be specified.")));
    }
    let filters = tags::filters(&input, &["tag-key", "tag-value", "tag:"])?;
    let instances = input.flag("IncludeInstances")?.unwrap_or(true);
    let rows = local.store.write(|tx| {
        let mut rows = BTreeMap::new();
        for mut group in Group::all(tx, &caller.scope)? {
            if !(names.is_empty() || names.contains(&group.name.as_str())) || !tags::holds(&filters, &group) {
                continue;
            }
            let before = group.members.clone();
            heal(local, tx, caller, &mut group)?;
            if group.members != before {
                group.put(tx, &caller.scope)?;
            }
            rows.insert(group.name.clone(), render::group(&group, caller.now, instances));
        }
        Ok::<_, ServiceError>(rows)
    })?;
    let (groups, next) = paging::page(&input, "DescribeAutoScalingGroups", size, rows.into_iter().collect())?;
    Ok(json!({ "AutoScalingGroups": groups, "NextToken": next }))
}

/// `UpdateAutoScalingGroup`.
pub(super) fn update(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    known(&input, &CREATE.into_iter().filter(|name| *name != "Tags").collect::<Vec<_>>())?;
    let name = input.required("AutoScalingGroupName")?;
    local.store.write(|tx| {
        let mut group = Group::of(tx, &caller.scope, name)?;
        if let Some(launch) = launch(tx, &caller.scope, &input)? {
            // patch-baselines.md 12.9: not while a refresh is to bring the group to another one.
            let active = Refresh::active(tx, &caller.scope, name)?;
            if active.is_some_and(|refresh| refresh.desired.is_some()) {
                return Err(refused(
                    "An active instance refresh with a desired configuration exists. All configuration options derived from the \
                     desired configuration are not available for update while the instance refresh is active.",
                ));
            }
            group.launch = launch;
        }
        settings(&mut group, &input, caller)?;
        heal(local, tx, caller, &mut group)?;
        Ok(group.put(tx, &caller.scope)?)
    })?;
    Ok(Value::Null)
}

/// `SetDesiredCapacity`.
pub(super) fn set_desired_capacity(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    known(&input, &["AutoScalingGroupName", "DesiredCapacity", "HonorCooldown"])?;
    let name = input.required("AutoScalingGroupName")?;
    let desired = input.between("DesiredCapacity", 0..=i64::from(i32::MAX))?;
    let desired = desired.ok_or_else(|| input.missing("DesiredCapacity"))?;
    local.store.write(|tx| {
        let mut group = Group::of(tx, &caller.scope, name)?;
        group.desired = u32::try_from(desired).unwrap_or(u32::MAX);
        within(&group)?;
        heal(local, tx, caller, &mut group)?;
        Ok::<_, ServiceError>(group.put(tx, &caller.scope)?)
    })?;
    Ok(Value::Null)
}

/// `DeleteAutoScalingGroup`.
pub(super) fn delete(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    known(&input, &["AutoScalingGroupName", "ForceDelete"])?;
    let name = input.required("AutoScalingGroupName")?;
    let force = input.flag("ForceDelete")?.unwrap_or(false);
    local.store.write(|tx| {
        let mut group = Group::of(tx, &caller.scope, name)?;
        if !force && !group.members.is_empty() {
            let text = "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) still in the group.";
            return Err(ServiceError::client("ResourceInUse", text));
        }
        let ground = Ground { tx, scope: &caller.scope, at: caller.now, launching: local.config.builds.launching() };
        let ids: Vec<String> = group.members.iter().map(|member| member.id.clone()).collect();
        for id in ids {
            ground.end(&mut group, &id)?;
        }
        Ok(group.delete(tx, &caller.scope)?)
    })?;
    Ok(Value::Null)
}

//! Groups and refreshes as answers show them.

use super::record::{Group, Member, Refresh, Status};
use crate::clock::rfc3339;
use serde_json::{Value, json};
use time::OffsetDateTime;

/// A group, with its instances if they are wanted.
pub(super) fn group(group: &Group, now: OffsetDateTime, instances: bool) -> Value {
    let members: Vec<Value> = group.members.iter().map(|one| member(group, one, now)).collect();
    let mut shown = json!({
        "AutoScalingGroupName": group.name,
        "AutoScalingGroupARN": group.arn,
        "MinSize": group.min,
        "MaxSize": group.max,
        "DesiredCapacity": group.desired,
        "DefaultCooldown": group.cooldown,
        "AvailabilityZones": group.zones,
        "LoadBalancerNames": [],
        "TargetGroupARNs": [],
        "HealthCheckType": group.health_check,
        "HealthCheckGracePeriod": group.grace,
        "Instances": if instances { members } else { vec![] },
        "CreatedTime": rfc3339(group.created_at),
        "SuspendedProcesses": [],
        "VPCZoneIdentifier": group.subnets,
        "EnabledMetrics": [],
        "Tags": tags(group),
        "TerminationPolicies": ["Default"],
        "NewInstancesProtectedFromScaleIn": group.protects_new,
        "CapacityRebalance": false,
        "DefaultInstanceWarmup": group.warmup,
        "TrafficSources": [],
    });
    let (name, value) = group.launch.render();
    shown[name] = value;
    shown
}

fn member(group: &Group, member: &Member, now: OffsetDateTime) -> Value {
    json!({
        "InstanceId": member.id,
        "InstanceType": member.instance_type,
        "AvailabilityZone": member.zone,
        "LifecycleState": if member.ready <= now { "InService" } else { "Pending" },
        "HealthStatus": "Healthy",
        "LaunchTemplate": {
            "LaunchTemplateId": member.template,
            "LaunchTemplateName": member.template_name,
            "Version": member.version.to_string(),
        },
        "ProtectedFromScaleIn": group.protects_new,
    })
}

/// The tags of a group.
pub(super) fn tags(group: &Group) -> Vec<Value> {
    let tag = |(key, (value, too)): (&String, &(String, bool))| {
        json!({
            "ResourceId": group.name,
            "ResourceType": "auto-scaling-group",
            "Key": key,
            "Value": value,
            "PropagateAtLaunch": too,
        })
    };
    group.tags.iter().map(tag).collect()
}

/// A refresh.
pub(super) fn refresh(refresh: &Refresh) -> Value {
    let begun = refresh.status != Status::Pending;
    let left = refresh.total - refresh.updated;
    let mut shown = json!({
        "InstanceRefreshId": refresh.id,
        "AutoScalingGroupName": refresh.group,
        "Status": format!("{:?}", refresh.status),
        "StatusReason": refresh.reason,
        "StartTime": begun.then(|| rfc3339(refresh.started)),
        "EndTime": refresh.ended.map(rfc3339),
        "PercentageComplete": if begun { refresh.percent() } else { 0 },
        "InstancesToUpdate": left,
        "Preferences": refresh.preferences.render(),
        "Strategy": "Rolling",
    });
    if let Some(desired) = &refresh.desired {
        let (name, value) = desired.render();
        shown["DesiredConfiguration"] = json!({ name: value });
    }
    if let Some(back) = &refresh.rollback {
        shown["RollbackDetails"] = json!({
            "RollbackReason": back.reason,
            "RollbackStartTime": rfc3339(back.started),
            "PercentageCompleteOnRollback": back.percent,
            "InstancesToUpdateOnRollback": back.left,
        });
    }
    shown
}

//! `DescribeInstances` and `DescribeInstanceStatus`.

use super::{INSTANCE, InstanceRecord, InstanceState, hostname};
use crate::local::Local;
use crate::local::compute::filter::{Filter, filters};
use crate::local::ec2::input;
use crate::local::paging;
use crate::local::wire::{Caller, ServiceError};
use serde_json::{Value, json};

/// `DescribeInstances`.
pub(in crate::local::compute) fn describe_instances(
    local: &Local,
    caller: &Caller,
    body: &Value,
) -> Result<Value, ServiceError> {
    let rows = select(local, caller, body, matches)?;
    let (records, next) = page(body, "DescribeInstances", rows)?;
    let reservations = reservations(&records, &caller.scope.account, &caller.scope.region);
    Ok(json!({ "reservationSet": reservations, "nextToken": next }))
}

/// An instance under its key: time of launch and id.
type Row = (String, InstanceRecord);

fn page(body: &Value, operation: &str, rows: Vec<Row>) -> Result<(Vec<InstanceRecord>, Option<String>), ServiceError> {
    let input = input(body);
    let size = input.page_size("MaxResults", 5..=1000, 1000)?;
    paging::page(&input, operation, size, rows)
}

/// Instances that were launched together appear together.
fn reservations(records: &[InstanceRecord], account: &str, region: &str) -> Vec<Value> {
    let mut sets: Vec<(String, Vec<Value>)> = Vec::new();
    for record in records {
        let item = instance_json(record, region);
        match sets.iter_mut().find(|(reservation, _)| *reservation == record.reservation) {
            Some((_, items)) => items.push(item),
            None => sets.push((record.reservation.clone(), vec![item])),
        }
    }
    sets.into_iter()
        .map(|(reservation, items)| {
            json!({"reservationId": reservation, "ownerId": account, "groupSet": [], "instancesSet": items})
        })
        .collect()
}

/// The instances that the request's ids and filters name, in the order of their launch.
fn select(
    local: &Local,
    caller: &Caller,
    body: &Value,
    matches: impl Fn(&InstanceRecord, &Filter) -> Result<bool, ServiceError>,
) -> Result<Vec<Row>, ServiceError> {
    let input = input(body);
    let ids = input.texts("InstanceId")?;
    let filters = filters(&input, "Filter", "Name", "Value")?;
    let records = local.store.read(|tx| {
        for id in &ids {
            super::terminate::find(tx, &caller.scope, id)?;
        }
        Ok::<_, ServiceError>(tx.list::<InstanceRecord>(&caller.scope, INSTANCE, "")?)
    })?;
    let mut selected = Vec::new();
    for (id, record) in records {
        if !ids.is_empty() && !ids.contains(&id.as_str()) {
            continue;
        }
        let mut all = true;
        for filter in &filters {
            all &= matches(&record, filter)?;
        }
        if all {
            selected.push((format!("{} {id}", record.launched_at), record));
        }
    }
    selected.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(selected)
}

fn matches(record: &InstanceRecord, filter: &Filter) -> Result<bool, ServiceError> {
    if let Some(key) = filter.name.strip_prefix("tag:") {
        return Ok(record.tags.get(key).is_some_and(|value| filter.accepts(value)));
    }
    Ok(match filter.name.as_str() {
        "tag-key" => record.tags.keys().any(|key| filter.accepts(key)),
        "instance-state-name" => filter.accepts(record.state.name()),
        "instance-state-code" => filter.accepts(&record.state.code().to_string()),
        "image-id" => filter.accepts(&record.image),
        "instance-id" => filter.accepts(&record.id),
        "instance-type" => filter.accepts(&record.instance_type),
        "architecture" => filter.accepts(&record.architecture),
        "reservation-id" => filter.accepts(&record.reservation),
        "client-token" => filter.accepts(&record.client_token),
        other => {
            return Err(ServiceError::new(400, "InvalidParameterValue", format!("The filter '{other}' is invalid")));
        }
    })
}

/// An instance as EC2 answers it.
pub(super) fn instance_json(record: &InstanceRecord, region: &str) -> Value {
    // The first Region has kept the name from before there were others.
    let domain = if region == "us-east-1" { "ec2.internal".to_owned() } else { format!("{region}.compute.internal") };
    let host = format!("{}.{domain}", hostname(&record.address));
    let tags: Vec<Value> = record.tags.iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
    let mut item = json!({
        "instanceId": record.id,
        "imageId": record.image,
        "instanceState": record.state.json(),
        "privateDnsName": host,
        "dnsName": "",
        "amiLaunchIndex": 0,
        "instanceType": record.instance_type,
        "launchTime": record.launched_at,
        "placement": {"availabilityZone": format!("{region}a"), "groupName": "", "tenancy": "default"},
        "monitoring": {"state": "disabled"},
        "privateIpAddress": record.address,
        "architecture": record.architecture,
        "rootDeviceType": "ebs",
        "virtualizationType": "hvm",
        "hypervisor": "xen",
        "ebsOptimized": false,
        "enaSupport": true,
        "sourceDestCheck": true,
        "platformDetails": "Linux/UNIX",
        "usageOperation": "RunInstances",
        "clientToken": record.client_token,
        "tagSet": tags,
        "metadataOptions": {
            "state": "applied",
            "httpTokens": record.http_tokens,
            "httpPutResponseHopLimit": record.hop_limit,
            "httpEndpoint": "enabled",
            "httpProtocolIpv6": "disabled",
            "instanceMetadataTags": "disabled",
        },
    });
    if let Some((code, message)) = &record.state_reason {
        item["stateReason"] = json!({"code": code, "message": message});
        item["reason"] = json!(message);
    }
    item
}

/// `GetConsoleOutput`, which has nothing to show: as on AWS there is no `output` then.
pub(in crate::local::compute) fn get_console_output(
    local: &Local,
    caller: &Caller,
    body: &Value,
) -> Result<Value, ServiceError> {
    let input = input(body);
    let id = input.filled("InstanceId")?.ok_or_else(|| input.missing("InstanceId"))?;
    local.store.read(|tx| super::terminate::find(tx, &caller.scope, id))?;
    if input.flag("DryRun")? == Some(true) {
        return Err(super::terminate::dry_run());
    }
    Ok(json!({ "instanceId": id, "timestamp": crate::clock::rfc3339(caller.now) }))
}

/// `DescribeInstanceStatus`: running instances only, unless all are asked for.
pub(in crate::local::compute) fn describe_instance_status(
    local: &Local,
    caller: &Caller,
    body: &Value,
) -> Result<Value, ServiceError> {
    let all = input(body).flag("IncludeAllInstances")? == Some(true);
    let mut rows = select(local, caller, body, |record, filter| {
        // The two status filters have one value each that a running instance has; the rest is as for instances.
        Ok(match filter.name.as_str() {
            "instance-status.status" | "system-status.status" => filter.accepts(status_word(record.state)),
            _ => matches(record, filter)?,
        })
    })?;
    rows.retain(|(_, record)| all || record.state == InstanceState::Running);
    let (records, next) = page(body, "DescribeInstanceStatus", rows)?;
    let items: Vec<Value> = records.iter().map(|record| status_json(record, &caller.scope.region)).collect();
    Ok(json!({ "instanceStatusSet": items, "nextToken": next }))
}

/// An instance here is either up, and then reachable, or not there.
const fn status_word(state: InstanceState) -> &'static str {
    match state {
        InstanceState::Running => "ok",
        InstanceState::Pending => "initializing",
        InstanceState::ShuttingDown | InstanceState::Terminated | InstanceState::Stopped => "not-applicable",
    }
}

fn status_json(record: &InstanceRecord, region: &str) -> Value {
    let word = status_word(record.state);
    let summary = match record.state {
        InstanceState::Running => json!({"status": word, "details": [{"name": "reachability", "status": "passed"}]}),
        _ => json!({"status": word}),
    };
    json!({
        "instanceId": record.id,
        "availabilityZone": format!("{region}a"),
        "instanceState": record.state.json(),
        "instanceStatus": summary.clone(),
        "systemStatus": summary,
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::record;
    use super::*;

    fn filter(name: &str, value: &str) -> Filter {
        Filter { name: name.into(), values: vec![value.into()] }
    }

    #[test]
    fn filters_select_by_state_image_and_tags() {
        let record = record("i-1");
        for (name, value) in
            [("tag:Name", "web"), ("tag-key", "Na*"), ("instance-state-name", "running"), ("image-id", "ami-1")]
        {
            assert!(matches(&record, &filter(name, value)).unwrap(), "{name}");
            assert!(!matches(&record, &filter(name, "other")).unwrap(), "{name}");
        }
        assert_eq!(matches(&record, &filter("colour", "red")).unwrap_err().code, "InvalidParameterValue");
    }

    #[test]
    fn instances_launched_together_share_a_reservation() {
        let mut third = record("i-3");
        third.reservation = "r-2".into();
        let sets = reservations(&[record("i-1"), record("i-2"), third], "000000000000", "us-east-1");
        assert_eq!(sets.len(), 2);
        assert_eq!(sets[0]["instancesSet"].as_array().unwrap().len(), 2);
        assert_eq!(sets[1]["instancesSet"][0]["instanceId"], "i-3");
    }

    #[test]
    fn names_end_with_the_regions_domain() {
        let name = |region: &str| instance_json(&record("i-1"), region)["privateDnsName"].as_str().unwrap().to_owned();
        assert!(name("us-east-1").ends_with(".ec2.internal"), "{}", name("us-east-1"));
        assert!(name("eu-west-1").ends_with(".eu-west-1.compute.internal"), "{}", name("eu-west-1"));
    }

    #[test]
    fn a_running_instance_passes_its_checks() {
        let status = status_json(&record("i-1"), "us-east-1");
        assert_eq!(status["instanceStatus"]["status"], "ok");
        assert_eq!(status["systemStatus"]["details"][0]["status"], "passed");
    }
}

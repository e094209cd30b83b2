//! `DescribeInstanceInformation`: the managed nodes.

use crate::local::Local;
use crate::local::compute::filter::{Filter, filters};
use crate::local::compute::instance::{INSTANCE, InstanceRecord, InstanceState, hostname};
use crate::local::paging;
use crate::local::ssm::input;
use crate::local::wire::{Caller, ServiceError};
use serde_json::{Value, json};

/// The version we report: there is no agent, its work is done by the local environment itself.
const AGENT_VERSION: &str = "3.3.0.0";

/// `DescribeInstanceInformation`. An instance is a managed node from its start until it ends.
pub(in crate::local::compute) fn describe_instance_information(
    local: &Local,
    caller: &Caller,
    body: &Value,
) -> Result<Value, ServiceError> {
    let input = input(body);
    let mut wanted = filters(&input, "Filters", "Key", "Values")?;
    wanted.extend(filters(&input, "InstanceInformationFilterList", "key", "valueSet")?);
    let records = local.store.read(|tx| tx.list::<InstanceRecord>(&caller.scope, INSTANCE, ""))?;
    let mut nodes = Vec::new();
    for (id, record) in records {
        // Nothing runs in an instance of a fleet that could be managed.
        if record.state == InstanceState::Running && !record.is_of_fleet() && matches(&record, &wanted)? {
            nodes.push((id, node_json(&record, caller.now.unix_timestamp())));
        }
    }
    let size = input.page_size("MaxResults", 5..=50, 50)?;
    let (nodes, next) = paging::page(&input, "DescribeInstanceInformation", size, nodes)?;
    Ok(json!({ "InstanceInformationList": nodes, "NextToken": next }))
}

fn matches(record: &InstanceRecord, filters: &[Filter]) -> Result<bool, ServiceError> {
    for filter in filters {
        let accepted = match filter.name.as_str() {
            "InstanceIds" => filter.values.contains(&record.id),
            "PingStatus" => filter.accepts(ping_status(record)),
            "PlatformTypes" | "PlatformType" => filter.accepts("Linux"),
            "ResourceType" => filter.accepts("EC2Instance"),
            "AgentVersion" => filter.accepts(AGENT_VERSION),
            name => match name.strip_prefix("tag:") {
                Some(key) => record.tags.get(key).is_some_and(|value| filter.accepts(value)),
                None if name == "tag-key" => record.tags.keys().any(|key| filter.accepts(key)),
                None => {
                    let message = format!("The filter key {name} is not valid.");
                    return Err(ServiceError::new(400, "InvalidFilterKey", message));
                }
            },
        };
        if !accepted {
            return Ok(false);
        }
    }
    Ok(true)
}

fn ping_status(record: &InstanceRecord) -> &'static str {
    if record.owner.alive() { "Online" } else { "ConnectionLost" }
}

fn node_json(record: &InstanceRecord, now: i64) -> Value {
    json!({
        "InstanceId": record.id,
        "PingStatus": ping_status(record),
        "LastPingDateTime": now,
        "AgentVersion": AGENT_VERSION,
        "IsLatestVersion": true,
        "PlatformType": "Linux",
        "PlatformName": record.os_name,
        "PlatformVersion": record.os_version,
        "ResourceType": "EC2Instance",
        "IPAddress": record.address,
        "ComputerName": hostname(&record.address),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::compute::instance::tests::record;

    fn filter(name: &str, value: &str) -> Vec<Filter> {
        vec![Filter { name: name.into(), values: vec![value.into()] }]
    }

    #[test]
    fn nodes_are_found_by_id_and_state() {
        let record = record("i-1");
        assert!(matches(&record, &filter("InstanceIds", "i-1")).unwrap());
        assert!(!matches(&record, &filter("InstanceIds", "i-2")).unwrap());
        assert!(matches(&record, &filter("PingStatus", "Online")).unwrap());
        assert_eq!(matches(&record, &filter("Colour", "x")).unwrap_err().code, "InvalidFilterKey");
    }

    #[test]
    fn a_node_whose_process_died_has_lost_its_connection() {
        let mut record = record("i-1");
        record.owner.started += 1;
        assert_eq!(ping_status(&record), "ConnectionLost");
    }
}

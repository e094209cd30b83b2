//! `DescribeRegions`: the Regions that tools ask for. Any Region name works here; the list is what AWS enables by default.

use super::super::Local;
use super::super::wire::{Caller, ServiceError};
use super::filters::Filters;
use super::input;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Regions that need no opting in.
const REGIONS: [&str; 17] = [
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

/// `DescribeRegions`.
pub(super) fn describe(_: &Local, _: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let names = input.texts("RegionName")?;
    if let Some(unknown) = names.iter().find(|name| !REGIONS.contains(name)) {
        return Err(ServiceError::client("InvalidParameterValue", format!("Invalid region provided: {unknown}")));
    }
    let filters = Filters::parse(&input, &["region-name", "opt-in-status"])?;
    let regions: Vec<Value> = REGIONS
        .into_iter()
        .filter(|region| names.is_empty() || names.contains(region))
        .filter(|region| {
            filters.accept(&BTreeMap::new(), |name| {
                vec![if name == "region-name" { (*region).to_owned() } else { "opt-in-not-required".to_owned() }]
            })
        })
        .map(|region| {
            json!({
                "regionName": region,
                "regionEndpoint": format!("ec2.{region}.amazonaws.com"),
                "optInStatus": "opt-in-not-required",
            })
        })
        .collect();
    Ok(json!({ "regionInfo": regions }))
}

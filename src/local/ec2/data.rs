//! Launch template data: from the form of requests to the form of answers, and what a new version inherits.
//!
//! Requests and answers name the same things differently: `BlockDeviceMapping.1.Ebs.VolumeSize` comes back as
//! `blockDeviceMappingSet/item/ebs/volumeSize`. Versions are kept in the form of answers.

use super::super::wire::ServiceError;
use serde_json::{Map, Value};

/// Members of `RequestLaunchTemplateData` as EC2's query protocol names them.
const KNOWN: [&str; 32] = [
    "BlockDeviceMapping",
    "CapacityReservationSpecification",
    "CpuOptions",
    "CreditSpecification",
    "DisableApiStop",
    "DisableApiTermination",
    "EbsOptimized",
    "ElasticGpuSpecification",
    "ElasticInferenceAccelerator",
    "EnclaveOptions",
    "HibernationOptions",
    "IamInstanceProfile",
    "ImageId",
    "InstanceInitiatedShutdownBehavior",
    "InstanceMarketOptions",
    "InstanceRequirements",
    "InstanceType",
    "KernelId",
    "KeyName",
    "LicenseSpecification",
    "MaintenanceOptions",
    "MetadataOptions",
    "Monitoring",
    "NetworkInterface",
    "NetworkPerformanceOptions",
    "Operator",
    "Placement",
    "PrivateDnsNameOptions",
    "RamDiskId",
    "SecondaryInterface",
    "SecurityGroup",
    "UserData",
];
/// The rest of them: lists of text and of tags.
const KNOWN_LISTS: [&str; 2] = ["SecurityGroupId", "TagSpecification"];

/// A request's launch template data in the form of answers.
///
/// # Errors
/// A member that the API does not have.
pub(super) fn from_request(request: &Value) -> Result<Value, ServiceError> {
    let mut data = Map::new();
    for (name, value) in request.as_object().into_iter().flatten() {
        if !KNOWN.contains(&name.as_str()) && !KNOWN_LISTS.contains(&name.as_str()) {
            let text = format!("The parameter LaunchTemplateData.{name} is not recognized");
            return Err(ServiceError::client("UnknownParameter", text));
        }
        data.insert(renamed("", name, value), converted(name, value));
    }
    Ok(Value::Object(data))
}

fn converted(parent: &str, value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(|item| converted(parent, item)).collect(),
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| (renamed(parent, name, value), converted(name, value));
            Value::Object(members.iter().map(member).collect())
        }
        other => other.clone(),
    }
}

/// `Name` → `name`; lists get the ending `Set`, with two exceptions in the API.
fn renamed(parent: &str, name: &str, value: &Value) -> String {
    if !value.is_array() {
        return lower_first(name);
    }
    match (parent, name) {
        ("", "LicenseSpecification") => "licenseSet".to_owned(),
        ("NetworkInterface", "SecurityGroupId") => "groupSet".to_owned(),
        _ => format!("{}Set", lower_first(name)),
    }
}

fn lower_first(name: &str) -> String {
    let mut characters = name.chars();
    characters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(characters).collect()
}

/// A new version that names a source version: everything of the source that `new` does not give, except snapshots, which
/// are not inherited (patch-baselines.md section 12.8).
pub(super) fn inherit(source: &Value, new: &Value) -> Value {
    let mut data = source.clone();
    let devices = data.get_mut("blockDeviceMappingSet").and_then(Value::as_array_mut);
    for device in devices.into_iter().flatten() {
        if let Some(Value::Object(ebs)) = device.get_mut("ebs") {
            ebs.remove("snapshotId");
        }
    }
    if let (Value::Object(data), Value::Object(new)) = (&mut data, new) {
        data.extend(new.clone());
    }
    data
}

/// The AMI reference of a version: an id, or `resolve:ssm:…`.
pub(super) fn image(data: &Value) -> Option<&str> {
    data.get("imageId").and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_follow_the_answer_shapes() {
        let request = json!({
            "ImageId": "ami-1",
            "BlockDeviceMapping": [{ "DeviceName": "/dev/xvda", "Ebs": { "VolumeSize": "8", "Encrypted": "true" } }],
            "NetworkInterface": [{ "DeviceIndex": "0", "SecurityGroupId": ["sg-1"], "Ipv6Addresses": [{ "Ipv6Address": "::1" }] }],
            "TagSpecification": [{ "ResourceType": "instance", "Tag": [{ "Key": "a", "Value": "b" }] }],
            "SecurityGroupId": ["sg-2"],
            "LicenseSpecification": [{ "LicenseConfigurationArn": "arn" }],
            "InstanceRequirements": { "VCpuCount": { "Min": "2" }, "CpuManufacturer": ["intel"] },
        });
        assert_eq!(
            from_request(&request).unwrap(),
            json!({
                "imageId": "ami-1",
                "blockDeviceMappingSet": [{ "deviceName": "/dev/xvda", "ebs": { "volumeSize": "8", "encrypted": "true" } }],
                "networkInterfaceSet": [{ "deviceIndex": "0", "groupSet": ["sg-1"], "ipv6AddressesSet": [{ "ipv6Address": "::1" }] }],
                "tagSpecificationSet": [{ "resourceType": "instance", "tagSet": [{ "key": "a", "value": "b" }] }],
                "securityGroupIdSet": ["sg-2"],
                "licenseSet": [{ "licenseConfigurationArn": "arn" }],
                "instanceRequirements": { "vCpuCount": { "min": "2" }, "cpuManufacturerSet": ["intel"] },
            })
        );
        assert_eq!(from_request(&json!({ "Colour": "red" })).unwrap_err().code, "UnknownParameter");
    }

    #[test]
    fn a_version_inherits_all_but_snapshots() {
        let source = json!({
            "imageId": "ami-1", "instanceType": "m7i.large",
            "blockDeviceMappingSet": [{ "ebs": { "snapshotId": "snap-1", "volumeSize": "8" } }],
        });
        assert_eq!(
            inherit(&source, &json!({ "imageId": "ami-2" })),
            json!({
                "imageId": "ami-2", "instanceType": "m7i.large",
                "blockDeviceMappingSet": [{ "ebs": { "volumeSize": "8" } }],
            })
        );
    }
}

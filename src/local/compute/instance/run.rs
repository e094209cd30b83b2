//! `RunInstances`.

use super::describe::instance_json;
use super::launch::{LaunchError, Order, launch};
use super::terminate::dry_run;
use super::{InstanceRecord, InstanceState};
use crate::local::Local;
use crate::local::compute::{ami, document, peer};
use crate::local::ec2::{MISMATCH, input, keys};
use crate::local::input::Input;
use crate::local::kms::Principal;
use crate::local::random;
use crate::local::records::Ami;
use crate::local::service::Service;
use crate::local::tokens::Once;
use crate::local::wire::{Caller, ServiceError};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// How many instances one call may start: they share one machine.
const MOST_AT_ONCE: i64 = 20;

/// `RunInstances`. An instance that cannot be started on this machine is an error of the call, where EC2 would show one that ends
/// by itself a moment later: the caller learns the reason at once. One whose keys cannot be used ends by itself.
pub(in crate::local::compute) fn run_instances(
    local: &Local,
    caller: &Caller,
    body: &Value,
) -> Result<Value, ServiceError> {
    let input = input(body);
    let once = Once { operation: "RunInstances", token: "ClientToken", input: &input, mismatch: MISMATCH };
    if let Some(answer) = local.store.read(|tx| once.answered(tx, caller))? {
        return Ok(answer);
    }
    let count = count(body)?;
    let order = order(local, caller, body, input.text("ClientToken")?.unwrap_or_default())?;
    if input.flag("DryRun")? == Some(true) {
        return Err(dry_run());
    }
    // A dry run does not come so far: EC2 does not look at keys in it.
    let who = Principal::of_ec2(caller);
    let failure = local.store.read(|tx| keys::launch_failure(tx, (&who, caller.now), &order.ami))?;
    let order = Order { failure, ..order };
    let mut records: Vec<InstanceRecord> = Vec::new();
    for _ in 0..count {
        match launch(local, &caller.scope, &order) {
            Ok(record) => records.push(record),
            Err(error) => {
                for record in &records {
                    super::terminate(local, &caller.scope, &record.id, None)?;
                }
                return Err(refusal(&error));
            }
        }
    }
    let answer = answer(&records, caller, &order);
    local.store.write(|tx| once.remember(tx, caller, &answer))?;
    Ok(answer)
}

/// EC2 answers instances as pending at first, whatever happens afterwards.
fn answer(records: &[InstanceRecord], caller: &Caller, order: &Order) -> Value {
    let items: Vec<Value> = records
        .iter()
        .enumerate()
        .map(|(index, record)| {
            let pending = InstanceRecord { state: InstanceState::Pending, ..record.clone() };
            let mut item = instance_json(&pending, &caller.scope.region);
            item["stateReason"] = json!({ "code": "pending", "message": "pending" });
            item["amiLaunchIndex"] = json!(index);
            item
        })
        .collect();
    json!({
        "reservationId": order.reservation,
        "ownerId": caller.scope.account,
        "groupSet": [],
        "instancesSet": items,
    })
}

/// What cannot run on this machine is what EC2 calls unsupported; it is not worth a retry.
fn refusal(error: &LaunchError) -> ServiceError {
    match error {
        LaunchError::Store(_) | LaunchError::Service(_) => ServiceError::new(500, "InternalError", error.to_string()),
        _ => {
            ServiceError::new(400, "Unsupported", format!("The instance could not be started on this machine: {error}"))
        }
    }
}

fn count(body: &Value) -> Result<i64, ServiceError> {
    let input = input(body);
    let bound = |key: &str| input.integer(key)?.ok_or_else(|| input.missing(key));
    let (least, most) = (bound("MinCount")?, bound("MaxCount")?);
    if least < 1 || most < least {
        let message = format!("Invalid value '{most}' for MaxCount. MinCount is {least}; both must be at least 1.");
        return Err(ServiceError::new(400, "InvalidParameterValue", message));
    }
    if least > MOST_AT_ONCE {
        let message =
            format!("You have requested {least} instances; this machine starts at most {MOST_AT_ONCE} at once.");
        return Err(ServiceError::new(400, "InstanceLimitExceeded", message));
    }
    Ok(most.min(MOST_AT_ONCE))
}

fn order(local: &Local, caller: &Caller, body: &Value, token: &str) -> Result<Order, ServiceError> {
    let input = input(body);
    let template = match input.object("LaunchTemplate")? {
        Some(specification) => Some(template_data(local, caller, &specification)?),
        None => None,
    };
    let template = template.unwrap_or_default();
    let image = input
        .filled("ImageId")?
        .or_else(|| document::text(&template, "imageId"))
        .ok_or_else(|| input.missing("ImageId"))?;
    let image = resolve_image(local, caller, image)?;
    let ami = local.store.read(|tx| ami::launchable(tx, &caller.scope, &image))?;
    if input.flag("DryRun")? != Some(true) {
        // Nothing that AWS would refuse, so a dry run does not either.
        ami::runs_here(&ami)?;
    }
    let instance_type = input.filled("InstanceType")?.or_else(|| document::text(&template, "instanceType"));
    let instance_type = instance_type.unwrap_or(default_type(&ami)).to_owned();
    same_architecture(&instance_type, &ami)?;
    let mut tags = template_tags(&template);
    tags.extend(request_tags(body)?);
    let (http_tokens, hop_limit) = metadata(body, &template, &ami)?;
    Ok(Order {
        ami,
        reservation: random::resource_id("r")?,
        instance_type,
        tags,
        http_tokens,
        hop_limit,
        client_token: token.to_owned(),
        failure: None,
    })
}

/// `launchTemplateData` of the version that `specification` names; `$Default` when it names none.
fn template_data(local: &Local, caller: &Caller, specification: &Input<'_>) -> Result<Value, ServiceError> {
    let version = specification.filled("Version")?.unwrap_or("$Default");
    let mut query = json!({"LaunchTemplateVersion": [version]});
    match (specification.filled("LaunchTemplateId")?, specification.filled("LaunchTemplateName")?) {
        (Some(id), None) => query["LaunchTemplateId"] = json!(id),
        (None, Some(name)) => query["LaunchTemplateName"] = json!(name),
        _ => {
            let message = "Specify either a launch template id or a launch template name, not both and not none.";
            return Err(ServiceError::new(400, "InvalidParameterCombination", message));
        }
    }
    let answer = peer::call(local, caller, Service::Ec2, "DescribeLaunchTemplateVersions", &query)?;
    let found = document::items(&answer, "launchTemplateVersionSet").first();
    found.and_then(|version| version.get("launchTemplateData")).cloned().ok_or_else(|| {
        let message = format!("Could not find the launch template version {version}.");
        ServiceError::new(400, "InvalidLaunchTemplateId.VersionNotFound", message)
    })
}

/// The AMI id that `resolve:ssm:NAME` stands for; an id stands for itself.
fn resolve_image(local: &Local, caller: &Caller, image: &str) -> Result<String, ServiceError> {
    let Some(name) = image.strip_prefix("resolve:ssm:") else { return Ok(image.to_owned()) };
    let answer = peer::call(local, caller, Service::Ssm, "GetParameter", &json!({"Name": name})).map_err(|error| {
        let message = format!("The AWS Systems Manager parameter '{name}' could not be resolved: {error}");
        ServiceError::new(400, "InvalidParameterValue", message)
    })?;
    let value = answer.pointer("/Parameter/Value").and_then(Value::as_str).unwrap_or_default();
    if !value.starts_with("ami-") {
        let message = format!("The value '{value}' of the parameter '{name}' is not an AMI ID.");
        return Err(ServiceError::new(400, "InvalidAMIID.Malformed", message));
    }
    Ok(value.to_owned())
}

/// Tags for instances that the template asks for.
fn template_tags(template: &Value) -> BTreeMap<String, String> {
    document::items(template, "tagSpecificationSet")
        .iter()
        .filter(|specification| document::text(specification, "resourceType") == Some("instance"))
        .flat_map(|specification| document::items(specification, "tagSet"))
        .filter_map(|tag| {
            let value = document::text(tag, "value").unwrap_or_default();
            Some((document::text(tag, "key")?.to_owned(), value.to_owned()))
        })
        .collect()
}

/// Tags for instances that the request asks for.
fn request_tags(body: &Value) -> Result<BTreeMap<String, String>, ServiceError> {
    let mut tags = BTreeMap::new();
    for specification in input(body).objects("TagSpecification")? {
        if specification.filled("ResourceType")? == Some("instance") {
            tags.extend(specification.pairs("Tag")?);
        }
    }
    Ok(tags)
}

/// `HttpTokens` and hop limit: of the request, else of the template, else what the AMI asks for.
fn metadata(body: &Value, template: &Value, ami: &Ami) -> Result<(String, i64), ServiceError> {
    let empty = json!({});
    let asked = input(body).object("MetadataOptions")?;
    let (tokens, hops) = match &asked {
        Some(asked) => (asked.filled("HttpTokens")?, asked.integer("HttpPutResponseHopLimit")?),
        None => (None, None),
    };
    let inherited = template.get("metadataOptions").unwrap_or(&empty);
    let default = if ami.imds_v2 { "required" } else { "optional" };
    let tokens = tokens.or_else(|| document::text(inherited, "httpTokens")).unwrap_or(default);
    if !matches!(tokens, "required" | "optional") {
        let message =
            format!("Value ({tokens}) for parameter HttpTokens is invalid. Valid values: optional, required.");
        return Err(ServiceError::new(400, "InvalidParameterValue", message));
    }
    let hops = hops.or_else(|| document::integer(inherited, "httpPutResponseHopLimit"));
    Ok((tokens.to_owned(), hops.unwrap_or(if ami.imds_v2 { 2 } else { 1 })))
}

fn default_type(ami: &Ami) -> &'static str {
    if ami.architecture == "arm64" { "t4g.micro" } else { "m1.small" }
}

/// Graviton families carry a `g` behind the generation (`m7g`, `c6gn`); `a1` is one too, GPU families (`g5`) are not.
fn type_architecture(instance_type: &str) -> &'static str {
    let family = instance_type.split('.').next().unwrap_or_default();
    let behind = family.trim_start_matches(|c: char| c.is_ascii_alphabetic());
    let attributes = behind.trim_start_matches(|c: char| c.is_ascii_digit());
    if family == "a1" || attributes.contains('g') { "arm64" } else { "x86_64" }
}

fn same_architecture(instance_type: &str, ami: &Ami) -> Result<(), ServiceError> {
    let wanted = type_architecture(instance_type);
    if wanted == ami.architecture {
        return Ok(());
    }
    let message = format!(
        "The architecture '{wanted}' of the specified instance type does not match the architecture '{}' of the \
         specified AMI. Specify an instance type and an AMI that have matching architectures, and try again.",
        ami.architecture
    );
    Err(ServiceError::new(400, "InvalidParameterValue", message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::compute::ami::tests::ami;

    #[test]
    fn counts_are_checked() {
        let body = |least: &str, most: &str| json!({"MinCount": least, "MaxCount": most});
        assert_eq!(count(&body("1", "3")).unwrap(), 3);
        assert_eq!(count(&body("1", "99")).unwrap(), MOST_AT_ONCE);
        assert_eq!(count(&body("2", "1")).unwrap_err().code, "InvalidParameterValue");
        assert_eq!(count(&body("99", "99")).unwrap_err().code, "InstanceLimitExceeded");
        assert_eq!(count(&json!({"MinCount": "1"})).unwrap_err().code, "MissingParameter");
    }

    #[test]
    fn the_family_tells_the_architecture() {
        for (name, architecture) in [
            ("m7i.large", "x86_64"),
            ("m7g.large", "arm64"),
            ("c6gn.large", "arm64"),
            ("g5.xlarge", "x86_64"),
            ("a1.medium", "arm64"),
            ("t3.micro", "x86_64"),
        ] {
            assert_eq!(type_architecture(name), architecture, "{name}");
        }
        assert_eq!(same_architecture("m7g.large", &ami("ami-1")).unwrap_err().code, "InvalidParameterValue");
    }

    #[test]
    fn the_request_wins_over_the_template() {
        let template = json!({
            "tagSpecificationSet": [{"resourceType": "instance", "tagSet": [{"key": "a", "value": "template"}, {"key": "b", "value": "kept"}]}],
            "metadataOptions": {"httpTokens": "optional", "httpPutResponseHopLimit": "3"},
        });
        let body = json!({
            "TagSpecification": [
                {"ResourceType": "volume", "Tag": [{"Key": "c", "Value": "x"}]},
                {"ResourceType": "instance", "Tag": [{"Key": "a", "Value": "request"}]},
            ],
            "MetadataOptions": {"HttpTokens": "required"},
        });
        let mut merged = template_tags(&template);
        merged.extend(request_tags(&body).unwrap());
        assert_eq!(merged, BTreeMap::from([("a".into(), "request".into()), ("b".into(), "kept".into())]));
        assert_eq!(metadata(&body, &template, &ami("ami-1")).unwrap(), ("required".to_owned(), 3));
        assert_eq!(metadata(&json!({}), &json!({}), &ami("ami-1")).unwrap(), ("required".to_owned(), 2));
    }
}

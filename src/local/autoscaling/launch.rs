//! From what a group launches its instances: a launch template, or a mixed instances policy with several.
//!
//! Kept as it is given, in the names that requests and answers share.

use super::super::compute::fleet;
use super::super::ec2::Chosen;
use super::super::input::Input;
use super::super::records::Ami;
use super::super::ssm;
use super::super::store::{Scope, Transaction};
use super::super::wire::ServiceError;
use super::{known, refused};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const SPECIFICATION: [&str; 3] = ["LaunchTemplateId", "LaunchTemplateName", "Version"];
const OVERRIDE: [&str; 5] =
    ["ImageId", "InstanceRequirements", "InstanceType", "LaunchTemplateSpecification", "WeightedCapacity"];
const DISTRIBUTION: [&str; 6] = [
    "OnDemandAllocationStrategy",
    "OnDemandBaseCapacity",
    "OnDemandPercentageAboveBaseCapacity",
    "SpotAllocationStrategy",
    "SpotInstancePools",
    "SpotMaxPrice",
];
/// Instance types of a policy.
const MOST_OVERRIDES: usize = 40;

/// What a group launches from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Launch {
    /// `LaunchTemplate`.
    Template(Value),
    /// `MixedInstancesPolicy`.
    Mixed(Value),
}

/// One way in which an instance can be launched.
#[derive(Debug, Clone)]
pub(super) struct Way {
    pub(super) chosen: Chosen,
    pub(super) instance_type: Option<String>,
    /// An AMI id, or `resolve:ssm:…`.
    pub(super) image: Option<String>,
    pub(super) by_requirements: bool,
}

impl Launch {
    /// What a request, or a desired configuration in it, gives; absent when it gives nothing.
    ///
    /// # Errors
    /// Two of them, unknown members, templates that do not exist, or what could not be launched.
    pub(super) fn read(tx: &Transaction<'_>, scope: &Scope, input: &Input<'_>) -> Result<Option<Self>, ServiceError> {
        let launch = match (input.object("LaunchTemplate")?, input.object("MixedInstancesPolicy")?) {
            (Some(_), Some(_)) => {
                return Err(refused(
                    "Valid requests must contain either LaunchTemplate or MixedInstancesPolicy, not both",
                ));
            }
            (Some(one), None) => Self::Template(specification(tx, scope, &one)?),
            (None, Some(policy)) => Self::Mixed(mixed(tx, scope, &policy)?),
            (None, None) => return Ok(None),
        };
        launch.check(tx, scope)?;
        Ok(Some(launch))
    }

    /// Everything could be launched as it is now.
    fn check(&self, tx: &Transaction<'_>, scope: &Scope) -> Result<(), ServiceError> {
        for way in self.ways(tx, scope)? {
            if way.instance_type.is_none() && !way.by_requirements {
                return Err(unusable("The request must contain the parameter InstanceType"));
            }
            way.ami(tx, scope).map_err(|error| unusable(&error.message))?;
        }
        Ok(())
    }

    /// The specifications of launch templates in it, the main one first.
    fn specifications(&self) -> Vec<&Value> {
        match self {
            Self::Template(one) => vec![one],
            Self::Mixed(policy) => {
                let template = &policy["LaunchTemplate"];
                let own = overrides(policy).iter().filter_map(|one| one.get("LaunchTemplateSpecification"));
                std::iter::once(&template["LaunchTemplateSpecification"]).chain(own).collect()
            }
        }
    }

    /// Whether the version in use is not a number.
    pub(super) fn tracks(&self) -> bool {
        let tracked = |one: &&Value| one["Version"].as_str().is_none_or(|version| version.starts_with('$'));
        self.specifications().iter().any(tracked)
    }

    /// The ways in which instances are launched from it now: one, or one for each override.
    ///
    /// # Errors
    /// A template or version that is not there any more.
    pub(super) fn ways(&self, tx: &Transaction<'_>, scope: &Scope) -> Result<Vec<Way>, ServiceError> {
        let plain = |one: &Value| {
            let chosen = find(tx, scope, one)?;
            let (instance_type, image) = (chosen.instance_type.clone(), chosen.image.clone());
            Ok::<_, ServiceError>(Way { by_requirements: chosen.by_requirements, chosen, instance_type, image })
        };
        let main = self.specifications()[0];
        let Self::Mixed(policy) = self else { return Ok(vec![plain(main)?]) };
        if overrides(policy).is_empty() {
            return Ok(vec![plain(main)?]);
        }
        let text = |one: &Value, name: &str| one.get(name).and_then(Value::as_str).map(str::to_owned);
        let way = |one: &Value| {
            let base = plain(one.get("LaunchTemplateSpecification").unwrap_or(main))?;
            Ok(Way {
                instance_type: text(one, "InstanceType").or(base.instance_type),
                image: text(one, "ImageId").or(base.image),
                by_requirements: base.by_requirements || one.get("InstanceRequirements").is_some(),
                chosen: base.chosen,
            })
        };
        overrides(policy).iter().map(way).collect()
    }

    /// As answers show it: the member's name and value.
    pub(super) fn render(&self) -> (&'static str, Value) {
        match self {
            Self::Template(one) => ("LaunchTemplate", one.clone()),
            Self::Mixed(policy) => ("MixedInstancesPolicy", policy.clone()),
        }
    }
}

impl Way {
    /// Whether its AMI stands in a parameter.
    pub(super) fn by_parameter(&self) -> bool {
        self.image.as_deref().is_some_and(|image| image.starts_with("resolve:"))
    }

    /// Its AMI.
    ///
    /// # Errors
    /// None, or one that cannot be launched.
    pub(super) fn ami(&self, tx: &Transaction<'_>, scope: &Scope) -> Result<Ami, ServiceError> {
        let image = self.image.as_deref();
        let image = image.ok_or_else(|| unusable("The request must contain the parameter ImageId"))?;
        match image.strip_prefix("resolve:ssm:") {
            Some(name) => fleet::launchable(tx, scope, &ssm::parameter_value(tx, scope, name)?),
            None => fleet::launchable(tx, scope, image),
        }
    }
}

fn overrides(policy: &Value) -> &[Value] {
    policy["LaunchTemplate"]["Overrides"].as_array().map_or(&[], Vec::as_slice)
}

fn unusable(why: &str) -> ServiceError {
    refused(format!("You must use a valid fully-formed launch template. {why}"))
}

fn find(tx: &Transaction<'_>, scope: &Scope, one: &Value) -> Result<Chosen, ServiceError> {
    let id = one.get("LaunchTemplateId").and_then(Value::as_str);
    Chosen::find(tx, scope, (id, None), one.get("Version").and_then(Value::as_str))
        .map_err(|error| unusable(&error.message))
}

/// A specification with both id and name, and a version, as the service shows it.
fn specification(tx: &Transaction<'_>, scope: &Scope, input: &Input<'_>) -> Result<Value, ServiceError> {
    known(input, &SPECIFICATION)?;
    let (id, name) = (input.filled("LaunchTemplateId")?, input.filled("LaunchTemplateName")?);
    if id.is_some() == name.is_some() {
        let text = "Valid requests must contain either launchTemplateId or LaunchTemplateName";
        return Err(refused(text));
    }
    let version = input.limited("Version", 1..=255)?.unwrap_or("$Default");
    let chosen = Chosen::find(tx, scope, (id, name), Some(version)).map_err(|error| unusable(&error.message))?;
    Ok(json!({ "LaunchTemplateId": chosen.id, "LaunchTemplateName": chosen.name, "Version": version }))
}

fn mixed(tx: &Transaction<'_>, scope: &Scope, input: &Input<'_>) -> Result<Value, ServiceError> {
    known(input, &["LaunchTemplate", "InstancesDistribution"])?;
    let template = input.object("LaunchTemplate")?.ok_or_else(|| input.missing("LaunchTemplate"))?;
    known(&template, &["LaunchTemplateSpecification", "Overrides"])?;
    let main = template.object("LaunchTemplateSpecification")?;
    let main = main.ok_or_else(|| template.missing("LaunchTemplateSpecification"))?;
    let mut all = Vec::new();
    for one in template.objects("Overrides")? {
        known(&one, &OVERRIDE)?;
        let mut value = one.value().clone();
        if let Some(own) = one.object("LaunchTemplateSpecification")? {
            value["LaunchTemplateSpecification"] = specification(tx, scope, &own)?;
        }
        all.push(value);
    }
    if all.len() > MOST_OVERRIDES {
        return Err(refused(format!("A mixed instances policy has at most {MOST_OVERRIDES} overrides.")));
    }
    let mut policy = json!({ "LaunchTemplate": {
        "LaunchTemplateSpecification": specification(tx, scope, &main)?,
        "Overrides": all,
    } });
    if let Some(distribution) = input.object("InstancesDistribution")? {
        known(&distribution, &DISTRIBUTION)?;
        policy["InstancesDistribution"] = distribution.value().clone();
    }
    Ok(policy)
}

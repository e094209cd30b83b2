//! Carries out the creations of a plan, in order.

use super::error::PlanError;
use super::fingerprint::token;
use super::model::{Action, Change, Desired, DesiredComponent, DesiredInfrastructure, Kind, Plan, place};
use super::observe::{find_component, find_recipe, infrastructure};
use crate::aws::{CallError, Cloud, tags};
use crate::event::{Events, Stage};
use aws_sdk_imagebuilder::types as ib;
use std::collections::{BTreeMap, HashMap};

/// Image Builder takes documents of up to this many characters in the call itself; longer ones must lie in S3.
const INLINE_DOCUMENT: usize = 16_000;

/// The answers that mean "there is something already": looked at, then decided.
const EXISTS: &[&str] =
    &["ResourceAlreadyExistsException", "IdempotentParameterMismatchException", "ResourceInUseException"];

/// What is in the account now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Component build version ARNs in run order.
    pub components: Vec<String>,
    /// Image recipe ARN.
    pub recipe: String,
    /// Infrastructure configuration ARN.
    pub infrastructure: String,
    /// How many resources were created or updated.
    pub changed: usize,
}

/// Creates what the plan says, components first. Safe to repeat at any point: every call carries a token that follows
/// from its content, and after a lost answer it is looked whether the resource is there before it is tried again.
///
/// # Errors
/// When a call fails, a document is too long, or somebody else has made the same version with other content.
pub async fn publish(cloud: &Cloud, plan: &Plan, events: &Events) -> Result<Published, PlanError> {
    let desired = plan.desired();
    check_lengths(desired)?;
    let changes = plan.changes.iter().filter(|change| change.kind == Kind::Component);
    let mut arns: BTreeMap<&str, String> = BTreeMap::new();
    for change in changes {
        let wanted = desired
            .components
            .iter()
            .find(|one| one.resource_name == change.name && one.fingerprint.starts_with(&change.fingerprint));
        let Some(wanted) = wanted else { continue };
        let arn = if let (Some(arn), Action::Keep) = (&change.arn, change.action) {
            arn.clone()
        } else {
            announce(events, change);
            create_component(cloud, wanted, change).await?
        };
        arns.insert(&wanted.fingerprint, arn);
    }
    let components: Vec<String> =
        desired.components.iter().filter_map(|one| arns.get(one.fingerprint.as_str()).cloned()).collect();
    let mut published = Published {
        components,
        recipe: String::new(),
        infrastructure: String::new(),
        changed: plan.changes.iter().filter(|change| change.action != Action::Keep).count(),
    };
    for change in &plan.changes {
        match change.kind {
            Kind::Component => {}
            Kind::Recipe => published.recipe = recipe(cloud, desired, change, &published.components, events).await?,
            Kind::Infrastructure => {
                published.infrastructure = configure(cloud, &desired.infrastructure, change, events).await?;
            }
        }
    }
    Ok(published)
}

/// Before anything is created.
fn check_lengths(desired: &Desired) -> Result<(), PlanError> {
    for component in &desired.components {
        let characters = component.content.document.chars().count();
        if characters > INLINE_DOCUMENT {
            let component = component.name.clone();
            return Err(PlanError::TooLong { component, characters, limit: INLINE_DOCUMENT });
        }
    }
    Ok(())
}

fn announce(events: &Events, change: &Change) {
    let version = change.version.map(|version| format!(" {version}")).unwrap_or_default();
    let verb = if change.action == Action::Update { "updating" } else { "creating" };
    events.progress(Stage::Publish, format!("{verb} {} {}{version}", change.kind.word(), change.name));
}

/// What a failed creation leads to.
enum Next {
    /// It is there with the desired content after all.
    There(String),
    /// It is not there and may be tried once more.
    Again,
}

/// After a failed creation: `found` is what a look into the account said.
fn look(error: CallError, change: &Change, found: Option<String>) -> Result<Next, PlanError> {
    if let Some(arn) = found {
        return Ok(Next::There(arn));
    }
    if error.fault.may_have_been_applied() {
        return Ok(Next::Again);
    }
    if error.fault.is(&["ResourceAlreadyExistsException", "IdempotentParameterMismatchException"]) {
        let version = change.version.map(|version| version.to_string()).unwrap_or_default();
        return Err(PlanError::Conflict { kind: change.kind, name: change.name.clone(), version });
    }
    Err(error.into())
}

/// Whether a failure calls for a look into the account at all.
fn doubtful(error: &CallError) -> bool {
    error.fault.may_have_been_applied() || error.fault.is(EXISTS)
}

async fn create_component(cloud: &Cloud, wanted: &DesiredComponent, change: &Change) -> Result<String, PlanError> {
    let error = match send_component(cloud, wanted, change).await {
        Ok(arn) => return Ok(arn),
        Err(PlanError::Call(error)) if doubtful(&error) => error,
        Err(error) => return Err(error),
    };
    match look(error, change, find_component(cloud, wanted).await?)? {
        Next::There(arn) => Ok(arn),
        Next::Again => send_component(cloud, wanted, change).await,
    }
}

async fn send_component(cloud: &Cloud, wanted: &DesiredComponent, change: &Change) -> Result<String, PlanError> {
    let supported = (!wanted.content.supported_os.is_empty()).then(|| wanted.content.supported_os.clone());
    let answer = cloud
        .imagebuilder()
        .create_component()
        .name(&wanted.resource_name)
        .semantic_version(change.version.map(|version| version.to_string()).unwrap_or_default())
        .set_description(described(&wanted.content.description))
        .change_description(format!("fingerprint {}", change.fingerprint))
        .platform(ib::Platform::from(wanted.platform.as_str()))
        .set_supported_os_versions(supported)
        .data(&wanted.content.document)
        .set_tags(Some(map(&wanted.tags)))
        .client_token(token_of(cloud, &wanted.resource_name, change, &wanted.fingerprint, &wanted.tags))
        .send()
        .await
        .map_err(CallError::of("CreateComponent", cloud.home()))?;
    answer
        .component_build_version_arn
        .ok_or(PlanError::Answer { operation: "CreateComponent", what: "componentBuildVersionArn" })
}

async fn recipe(
    cloud: &Cloud,
    desired: &Desired,
    change: &Change,
    components: &[String],
    events: &Events,
) -> Result<String, PlanError> {
    if let (Some(arn), Action::Keep) = (&change.arn, change.action) {
        return Ok(arn.clone());
    }
    announce(events, change);
    let error = match send_recipe(cloud, desired, change, components).await {
        Ok(arn) => return Ok(arn),
        Err(PlanError::Call(error)) if doubtful(&error) => error,
        Err(error) => return Err(error),
    };
    match look(error, change, find_recipe(cloud, desired).await?)? {
        Next::There(arn) => Ok(arn),
        Next::Again => send_recipe(cloud, desired, change, components).await,
    }
}

async fn send_recipe(
    cloud: &Cloud,
    desired: &Desired,
    change: &Change,
    components: &[String],
) -> Result<String, PlanError> {
    let recipe = &desired.recipe;
    let mut ami_tags = map(&recipe.ami_tags);
    ami_tags.insert(tags::FINGERPRINT.to_owned(), recipe.fingerprint.clone());
    let answer = cloud
        .imagebuilder()
        .create_image_recipe()
        .name(&recipe.resource_name)
        .semantic_version(change.version.map(|version| version.to_string()).unwrap_or_default())
        .set_description(described(&recipe.description))
        .parent_image(&recipe.parent_ami)
        .set_components(Some(component_uses(desired, components)?))
        .block_device_mappings(root_volume(desired))
        .working_directory(&recipe.working_directory)
        .set_additional_instance_configuration(agent(&recipe.platform))
        .set_ami_tags(Some(ami_tags))
        .set_tags(Some(map(&recipe.tags)))
        .client_token(token_of(cloud, &recipe.resource_name, change, &recipe.fingerprint, &recipe.tags))
        .send()
        .await
        .map_err(CallError::of("CreateImageRecipe", cloud.home()))?;
    answer.image_recipe_arn.ok_or(PlanError::Answer { operation: "CreateImageRecipe", what: "imageRecipeArn" })
}

fn component_uses(desired: &Desired, arns: &[String]) -> Result<Vec<ib::ComponentConfiguration>, PlanError> {
    let incomplete = |_| PlanError::Answer { operation: "CreateComponent", what: "a complete component reference" };
    let mut uses = Vec::new();
    for (component, arn) in desired.components.iter().zip(arns) {
        let mut one = ib::ComponentConfiguration::builder().component_arn(arn);
        for (name, value) in &component.parameters {
            let parameter = ib::ComponentParameter::builder().name(name).value(value).build();
            one = one.parameters(parameter.map_err(incomplete)?);
        }
        uses.push(one.build().map_err(incomplete)?);
    }
    Ok(uses)
}

fn root_volume(desired: &Desired) -> ib::InstanceBlockDeviceMapping {
    let recipe = &desired.recipe;
    let ebs = ib::EbsInstanceBlockDeviceSpecification::builder()
        .volume_size(i32::try_from(recipe.volume_gib).unwrap_or(i32::MAX))
        .volume_type(ib::EbsVolumeType::from(recipe.volume_type.as_str()))
        .encrypted(recipe.encrypted)
        .delete_on_termination(true)
        .build();
    ib::InstanceBlockDeviceMapping::builder().device_name(&recipe.root_device).ebs(ebs).build()
}

/// Keeps the SSM Agent in the image, because validation talks to an instance of it. Said explicitly, since the service
/// otherwise removes an agent that it installed itself (image-builder.md section 6); Windows refuses the setting.
fn agent(platform: &str) -> Option<ib::AdditionalInstanceConfiguration> {
    let keep = ib::SystemsManagerAgent::builder().uninstall_after_build(false).build();
    (platform == "Linux").then(|| ib::AdditionalInstanceConfiguration::builder().systems_manager_agent(keep).build())
}

async fn configure(
    cloud: &Cloud,
    wanted: &DesiredInfrastructure,
    change: &Change,
    events: &Events,
) -> Result<String, PlanError> {
    match (&change.arn, change.action) {
        (Some(arn), Action::Keep) => return Ok(arn.clone()),
        (Some(arn), _) => {
            announce(events, change);
            return update_infrastructure(cloud, wanted, change, arn).await;
        }
        (None, _) => announce(events, change),
    }
    let error = match create_infrastructure(cloud, wanted, change).await {
        Ok(arn) => return Ok(arn),
        Err(PlanError::Call(error)) if doubtful(&error) => error,
        Err(error) => return Err(error),
    };
    let known = infrastructure(cloud, &wanted.name).await?;
    let same = known.filter(|known| known.fingerprint.as_deref() == Some(&wanted.fingerprint));
    match look(error, change, same.map(|known| known.arn))? {
        Next::There(arn) => Ok(arn),
        Next::Again => create_infrastructure(cloud, wanted, change).await,
    }
}

async fn create_infrastructure(
    cloud: &Cloud,
    wanted: &DesiredInfrastructure,
    change: &Change,
) -> Result<String, PlanError> {
    let answer = cloud
        .imagebuilder()
        .create_infrastructure_configuration()
        .name(&wanted.name)
        .set_instance_types(listed(&wanted.instance_types))
        .instance_profile_name(&wanted.instance_profile)
        .set_subnet_id(wanted.subnet.clone())
        .set_security_group_ids(listed(&wanted.security_groups))
        .set_logging(logging(wanted))
        .terminate_instance_on_failure(true)
        .instance_metadata_options(metadata_options())
        .set_resource_tags(Some(map(&wanted.resource_tags)))
        .set_tags(Some(map(&wanted.tags)))
        .client_token(token_of(cloud, &wanted.name, change, &wanted.fingerprint, &wanted.tags))
        .send()
        .await
        .map_err(CallError::of("CreateInfrastructureConfiguration", cloud.home()))?;
    answer.infrastructure_configuration_arn.ok_or(PlanError::Answer {
        operation: "CreateInfrastructureConfiguration",
        what: "infrastructureConfigurationArn",
    })
}

/// Replaces the settings, then the tags: an interruption between the two is repaired by the next run.
async fn update_infrastructure(
    cloud: &Cloud,
    wanted: &DesiredInfrastructure,
    change: &Change,
    arn: &str,
) -> Result<String, PlanError> {
    // The time is in the token because going back to earlier settings is a new update, not the earlier one again;
    // the call replaces everything, so doing it twice does no harm.
    let occasion = format!("update {} {}", wanted.name, crate::clock::rfc3339(cloud.clock().now()));
    cloud
        .imagebuilder()
        .update_infrastructure_configuration()
        .infrastructure_configuration_arn(arn)
        .set_instance_types(listed(&wanted.instance_types))
        .instance_profile_name(&wanted.instance_profile)
        .set_subnet_id(wanted.subnet.clone())
        .set_security_group_ids(listed(&wanted.security_groups))
        .set_logging(logging(wanted))
        .terminate_instance_on_failure(true)
        .instance_metadata_options(metadata_options())
        .set_resource_tags(Some(map(&wanted.resource_tags)))
        .client_token(token_of(cloud, &occasion, change, &wanted.fingerprint, &wanted.tags))
        .send()
        .await
        .map_err(CallError::of("UpdateInfrastructureConfiguration", cloud.home()))?;
    cloud
        .imagebuilder()
        .tag_resource()
        .resource_arn(arn)
        .set_tags(Some(map(&wanted.tags)))
        .send()
        .await
        .map_err(CallError::of("TagResource", cloud.home()))?;
    Ok(arn.to_owned())
}

fn logging(wanted: &DesiredInfrastructure) -> Option<ib::Logging> {
    let bucket = wanted.log_bucket.as_ref()?;
    let s3 = ib::S3Logs::builder().s3_bucket_name(bucket).s3_key_prefix(&wanted.name).build();
    Some(ib::Logging::builder().s3_logs(s3).build())
}

/// Tokens required, one hop: build instances need no more (image-builder.md section 8 says to set both).
fn metadata_options() -> ib::InstanceMetadataOptions {
    ib::InstanceMetadataOptions::builder().http_tokens("required").http_put_response_hop_limit(1).build()
}

fn token_of(
    cloud: &Cloud,
    name: &str,
    change: &Change,
    fingerprint: &str,
    tagged: &BTreeMap<String, String>,
) -> String {
    let version = change.version.map(|version| version.to_string()).unwrap_or_default();
    let place = place(cloud.home());
    let mut parts = vec![change.kind.word(), name, &version, fingerprint, &place];
    for (key, value) in tagged {
        parts.extend([key.as_str(), value.as_str()]);
    }
    token(&parts)
}

/// The service refuses empty descriptions.
fn described(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn listed(items: &[String]) -> Option<Vec<String>> {
    (!items.is_empty()).then(|| items.to_vec())
}

fn map(tagged: &BTreeMap<String, String>) -> HashMap<String, String> {
    tagged.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

#[cfg(test)]
#[path = "publish_tests.rs"]
mod tests;

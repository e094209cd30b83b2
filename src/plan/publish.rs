//! Carries out the creations of a plan, in order.

use super::documents::{self, Uris};
use super::error::PlanError;
use super::fingerprint::token;
use super::model::{Action, Change, Desired, DesiredComponent, Kind, Plan, place};
use super::observe::{find_component, find_recipe};
use super::publish_configuration::carry_out;
use super::{quota, workflow};
use crate::aws::{CallError, Cloud, tags};
use crate::event::{Events, Stage};
use aws_sdk_imagebuilder::operation::create_component::builders::CreateComponentFluentBuilder;
use aws_sdk_imagebuilder::types as ib;
use std::collections::{BTreeMap, HashMap};

/// The answers that mean "there is something already": looked at, then decided.
const EXISTS: &[&str] =
    &["ResourceAlreadyExistsException", "IdempotentParameterMismatchException", "ResourceInUseException"];

/// What is in the account now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Published {
    /// Component build version ARNs in run order.
    pub components: Vec<String>,
    /// Image recipe ARN.
    pub recipe: String,
    /// Workflows in place of the service's own, in order.
    pub workflows: Vec<PublishedWorkflow>,
    /// Infrastructure configuration ARN.
    pub infrastructure: String,
    /// Distribution configuration ARN, when there is one.
    pub distribution: Option<String>,
    /// Pipeline ARN, when there is one.
    pub pipeline: Option<String>,
    /// Id of the patch baseline, when it is the project's own.
    pub baseline: Option<String>,
    /// How many resources were created, updated or deleted.
    pub changed: usize,
}

/// A workflow of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedWorkflow {
    /// Build version ARN; of one of AWS the newest version.
    pub arn: String,
    /// Parameter values.
    pub parameters: BTreeMap<String, Vec<String>>,
    /// Test workflows that run at the same time.
    pub parallel_group: Option<String>,
    /// Whether the image may become available though it failed; only said for test workflows.
    pub continue_on_failure: Option<bool>,
}

/// Creates what the plan says, components first. Safe to repeat at any point: every call carries a token that follows
/// from its content, and after a lost answer it is looked whether the resource is there before it is tried again.
///
/// # Errors
/// When a call fails, a document is too long, somebody else has made the same version with other content, or what would be
/// created does not fit into the account's quotas: that is found out before anything is created.
pub async fn publish(cloud: &Cloud, plan: &Plan, events: &Events) -> Result<Published, PlanError> {
    let desired = plan.desired();
    check_foreign(plan)?;
    documents::check(cloud, plan)?;
    check_quotas(cloud, plan).await?;
    let uris = documents::upload(cloud, plan).await?;
    dry_run(cloud, plan, &uris).await?;
    workflow::dry_run(cloud, plan).await?;
    let mut published = Published {
        components: components(cloud, plan, &uris, events).await?,
        changed: plan.changes.iter().filter(|change| change.action != Action::Keep).count(),
        ..Published::default()
    };
    for change in plan.changes.iter().filter(|change| change.kind == Kind::Workflow && change.action != Action::Keep) {
        announce(events, change);
    }
    published.workflows = workflow::publish(cloud, plan).await?;
    // The plan's order is the order in which they refer to each other.
    for change in &plan.changes {
        let arn = match change.kind {
            Kind::Component | Kind::Workflow => continue,
            Kind::Recipe => Some(recipe(cloud, desired, change, &published.components, events).await?),
            _ => {
                if change.action != Action::Keep {
                    announce(events, change);
                }
                carry_out(cloud, desired, change, &published).await?
            }
        };
        match change.kind {
            Kind::Component | Kind::Workflow => {}
            Kind::Recipe => published.recipe = arn.unwrap_or_default(),
            Kind::Infrastructure => published.infrastructure = arn.unwrap_or_default(),
            Kind::Distribution => published.distribution = arn,
            Kind::Pipeline => published.pipeline = arn,
            Kind::Baseline => published.baseline = arn.filter(|_| is_own_baseline(desired)),
        }
    }
    Ok(published)
}

fn is_own_baseline(desired: &Desired) -> bool {
    desired.baseline.as_ref().is_some_and(|baseline| baseline.definition.is_some())
}

/// Nothing is created when not all of it may be: half of a recipe is work for somebody.
async fn check_quotas(cloud: &Cloud, plan: &Plan) -> Result<(), PlanError> {
    if plan.over_quota {
        return Ok(());
    }
    let rooms = quota::rooms(cloud, std::slice::from_ref(plan)).await?;
    quota::check(&rooms)
}

/// The components' ARNs in run order, made where they are missing.
async fn components(cloud: &Cloud, plan: &Plan, uris: &Uris, events: &Events) -> Result<Vec<String>, PlanError> {
    let mut arns: BTreeMap<&str, String> = BTreeMap::new();
    for (change, wanted) in planned_components(plan) {
        let arn = if let (Some(arn), Action::Keep) = (&change.arn, change.action) {
            arn.clone()
        } else {
            announce(events, change);
            create_component(cloud, wanted, change, uris).await?
        };
        arns.insert(&wanted.fingerprint, arn);
    }
    let used = plan.desired().components.iter();
    Ok(used.filter_map(|one| arns.get(one.fingerprint.as_str()).cloned()).collect())
}

/// The component changes of a plan, each with what is desired.
pub(super) fn planned_components(plan: &Plan) -> impl Iterator<Item = (&Change, &DesiredComponent)> {
    let changes = plan.changes.iter().filter(|change| change.kind == Kind::Component);
    changes.filter_map(|change| {
        let mut all = plan.desired().components.iter();
        let wanted =
            all.find(|one| one.resource_name == change.name && one.fingerprint.starts_with(&change.fingerprint));
        wanted.map(|wanted| (change, wanted))
    })
}

/// Has the service check every component that will be created before the first one is: its own validator knows more than
/// any linter, and a recipe half published is work for somebody (image-builder.md section 3, "Dry run").
async fn dry_run(cloud: &Cloud, plan: &Plan, uris: &Uris) -> Result<(), PlanError> {
    let created = planned_components(plan).filter(|(change, _)| change.action == Action::Create);
    for (change, wanted) in created {
        let answer = component_request(cloud, wanted, change, uris)
            .dry_run(true)
            // A token of its own: it must not be remembered as the creation.
            .client_token(token(&["dry run", &wanted.fingerprint, &crate::clock::rfc3339(cloud.clock().now())]))
            .send()
            .await
            .map_err(CallError::of("CreateComponent", cloud.home()));
        match answer {
            // This is how the service says yes. That it exists already is for the creation to find out.
            Err(error) if error.fault.is(&["DryRunOperationException"]) || doubtful(&error) => {}
            Err(error) => return Err(error.into()),
            Ok(_) => {}
        }
    }
    Ok(())
}

/// Nothing is done when something that somebody else has made is in the way.
fn check_foreign(plan: &Plan) -> Result<(), PlanError> {
    let Some(change) = plan.changes.iter().find(|change| change.foreign()) else { return Ok(()) };
    let name = change.name.clone();
    if change.kind == Kind::Baseline {
        return Err(PlanError::BaselineInTheWay { name, reason: change.reason.clone() });
    }
    let (arn, project) = (change.arn.clone().unwrap_or_default(), plan.project.clone());
    Err(PlanError::Foreign { kind: change.kind, name, arn, project })
}

fn announce(events: &Events, change: &Change) {
    let version = change.version.map(|version| format!(" {version}")).unwrap_or_default();
    let verb = match change.action {
        Action::Update => "updating",
        Action::Delete => "deleting",
        Action::Create | Action::Keep | Action::Foreign => "creating",
    };
    events.progress(Stage::Publish, format!("{verb} {} {}{version}", change.kind.word(), change.name));
}

/// What a failed creation leads to.
pub(super) enum Next {
    /// It is there with the desired content after all.
    There(String),
    /// It is not there and may be tried once more.
    Again,
}

/// After a failed creation: `found` is what a look into the account said.
pub(super) fn look(error: CallError, change: &Change, found: Option<String>) -> Result<Next, PlanError> {
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
pub(super) fn doubtful(error: &CallError) -> bool {
    error.fault.may_have_been_applied() || error.fault.is(EXISTS)
}

async fn create_component(
    cloud: &Cloud,
    wanted: &DesiredComponent,
    change: &Change,
    uris: &Uris,
) -> Result<String, PlanError> {
    let error = match send_component(cloud, wanted, change, uris).await {
        Ok(arn) => return Ok(arn),
        Err(PlanError::Call(error)) if doubtful(&error) => error,
        Err(error) => return Err(error),
    };
    match look(error, change, find_component(cloud, wanted).await?)? {
        Next::There(arn) => Ok(arn),
        Next::Again => send_component(cloud, wanted, change, uris).await,
    }
}

async fn send_component(
    cloud: &Cloud,
    wanted: &DesiredComponent,
    change: &Change,
    uris: &Uris,
) -> Result<String, PlanError> {
    let token = token_of(cloud, &wanted.resource_name, change, &wanted.fingerprint, &wanted.tags);
    let answer = component_request(cloud, wanted, change, uris)
        .client_token(token)
        .send()
        .await
        .map_err(CallError::of("CreateComponent", cloud.home()))?;
    answer
        .component_build_version_arn
        .ok_or(PlanError::Answer { operation: "CreateComponent", what: "componentBuildVersionArn" })
}

fn component_request(
    cloud: &Cloud,
    wanted: &DesiredComponent,
    change: &Change,
    uris: &Uris,
) -> CreateComponentFluentBuilder {
    let uri = uris.get(&wanted.fingerprint).cloned();
    let data = uri.is_none().then(|| wanted.content.document.clone());
    let supported = (!wanted.content.supported_os.is_empty()).then(|| wanted.content.supported_os.clone());
    cloud
        .imagebuilder()
        .create_component()
        .name(&wanted.resource_name)
        .semantic_version(change.version.map(|version| version.to_string()).unwrap_or_default())
        .set_description(described(&wanted.content.description))
        .change_description(format!("fingerprint {}", change.fingerprint))
        .platform(ib::Platform::from(wanted.platform.as_str()))
        .set_supported_os_versions(supported)
        .set_data(data)
        .set_uri(uri)
        .set_tags(Some(map(&wanted.tags)))
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
        .set_kms_key_id(recipe.kms_key.clone())
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

pub(super) fn token_of(
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
pub(super) fn described(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

pub(super) fn listed(items: &[String]) -> Option<Vec<String>> {
    (!items.is_empty()).then(|| items.to_vec())
}

pub(super) fn map(tagged: &BTreeMap<String, String>) -> HashMap<String, String> {
    tagged.iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

#[cfg(test)]
#[path = "publish_tests.rs"]
pub(super) mod tests;

//! Creates, updates and deletes what Image Builder does not version.
//!
//! Every update sends everything: the calls replace all fields and clear what is left out (image-builder.md section 1).
//! Settings first, then tags: an interruption between the two is repaired by the next run, because the tag is still wrong.

use super::configuration::{METADATA, condition};
use super::error::PlanError;
use super::model::{
    Action, Change, Desired, DesiredDistribution, DesiredInfrastructure, DesiredPipeline, DesiredRegion, Kind,
};
use super::observe_configuration as observed;
use super::publish::{Next, Published, described, doubtful, listed, look, map, token_of};
use crate::aws::{CallError, Cloud, tags};
use crate::project::EnvironmentConfig;
use aws_sdk_imagebuilder::types as ib;
use std::collections::BTreeMap;

/// Role of workflows in the local environment.
const LOCAL_ROLE: &str = "amiforge-local";

/// Carries out one change of a configuration and returns its ARN; nothing when it was deleted.
pub(super) async fn carry_out(
    cloud: &Cloud,
    desired: &Desired,
    change: &Change,
    published: &Published,
) -> Result<Option<String>, PlanError> {
    if change.kind == Kind::Baseline && change.action != Action::Keep {
        return super::baseline::publish(cloud, desired).await;
    }
    match (change.action, &change.arn) {
        // What is foreign has stopped everything before.
        (Action::Keep | Action::Foreign, arn) => Ok(arn.clone()),
        (Action::Delete, Some(arn)) => delete(cloud, change.kind, arn).await.map(|()| None),
        (Action::Delete, None) => Ok(None),
        (Action::Update, Some(arn)) => {
            update(cloud, desired, change, published, arn).await?;
            Ok(Some(arn.clone()))
        }
        (Action::Create | Action::Update, _) => create(cloud, desired, change, published).await.map(Some),
    }
}

/// Creates; after a lost answer it looks before it creates again.
async fn create(cloud: &Cloud, desired: &Desired, change: &Change, published: &Published) -> Result<String, PlanError> {
    let error = match send(cloud, desired, change, published).await {
        Ok(arn) => return Ok(arn),
        Err(PlanError::Call(error)) if doubtful(&error) => error,
        Err(error) => return Err(error),
    };
    let known = match change.kind {
        Kind::Distribution => observed::distribution(cloud, &change.name).await?,
        Kind::Pipeline => observed::pipeline(cloud, &change.name).await?.map(|known| known.configuration),
        _ => observed::infrastructure(cloud, &change.name).await?,
    };
    let wanted = fingerprint(desired, change.kind);
    let same = known.filter(|known| known.fingerprint.as_deref() == Some(wanted));
    match look(error, change, same.map(|known| known.arn))? {
        Next::There(arn) => Ok(arn),
        Next::Again => send(cloud, desired, change, published).await,
    }
}

fn fingerprint(desired: &Desired, kind: Kind) -> &str {
    match kind {
        Kind::Distribution => desired.distribution.as_ref().map_or("", |wanted| &wanted.fingerprint),
        Kind::Pipeline => desired.pipeline.as_ref().map_or("", |wanted| &wanted.fingerprint),
        _ => &desired.infrastructure.fingerprint,
    }
}

async fn send(cloud: &Cloud, desired: &Desired, change: &Change, published: &Published) -> Result<String, PlanError> {
    match (change.kind, &desired.distribution, &desired.pipeline) {
        (Kind::Distribution, Some(wanted), _) => create_distribution(cloud, wanted, change).await,
        (Kind::Pipeline, _, Some(wanted)) => create_pipeline(cloud, desired, wanted, change, published).await,
        _ => create_infrastructure(cloud, &desired.infrastructure, change).await,
    }
}

async fn update(
    cloud: &Cloud,
    desired: &Desired,
    change: &Change,
    published: &Published,
    arn: &str,
) -> Result<(), PlanError> {
    let tagged = match (change.kind, &desired.distribution, &desired.pipeline) {
        (Kind::Distribution, Some(wanted), _) => {
            update_distribution(cloud, wanted, change, arn).await?;
            &wanted.tags
        }
        (Kind::Pipeline, _, Some(wanted)) => {
            update_pipeline(cloud, desired, wanted, change, published, arn).await?;
            &wanted.tags
        }
        _ => {
            update_infrastructure(cloud, &desired.infrastructure, change, arn).await?;
            &desired.infrastructure.tags
        }
    };
    let answer = cloud.imagebuilder().tag_resource().resource_arn(arn).set_tags(Some(map(tagged))).send().await;
    answer.map_err(CallError::of("TagResource", cloud.home()))?;
    Ok(())
}

/// The token of an update. The time is in it because going back to earlier settings is a new update, not the earlier one
/// again; the calls replace everything, so doing it twice does no harm.
fn update_token(cloud: &Cloud, change: &Change, fingerprint: &str, tagged: &BTreeMap<String, String>) -> String {
    let occasion = format!("update {} {}", change.name, crate::clock::rfc3339(cloud.clock().now()));
    token_of(cloud, &occasion, change, fingerprint, tagged)
}

/// The fields that `Create` and `Update` have in common: an update that leaves one out clears it.
macro_rules! infrastructure_fields {
    ($request:expr, $wanted:expr) => {
        $request
            .set_instance_types(listed(&$wanted.instance_types))
            .instance_profile_name(&$wanted.instance_profile)
            .set_subnet_id($wanted.subnet.clone())
            .set_security_group_ids(listed(&$wanted.security_groups))
            .set_logging(logging($wanted))
            .terminate_instance_on_failure($wanted.terminates)
            .instance_metadata_options(metadata_options())
            .set_resource_tags(Some(map(&$wanted.resource_tags)))
    };
}

async fn create_infrastructure(
    cloud: &Cloud,
    wanted: &DesiredInfrastructure,
    change: &Change,
) -> Result<String, PlanError> {
    let request = cloud.imagebuilder().create_infrastructure_configuration().name(&wanted.name);
    let answer = infrastructure_fields!(request, wanted)
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

async fn update_infrastructure(
    cloud: &Cloud,
    wanted: &DesiredInfrastructure,
    change: &Change,
    arn: &str,
) -> Result<(), PlanError> {
    let request = cloud.imagebuilder().update_infrastructure_configuration().infrastructure_configuration_arn(arn);
    infrastructure_fields!(request, wanted)
        .client_token(update_token(cloud, change, &wanted.fingerprint, &wanted.tags))
        .send()
        .await
        .map_err(CallError::of("UpdateInfrastructureConfiguration", cloud.home()))?;
    Ok(())
}

fn logging(wanted: &DesiredInfrastructure) -> Option<ib::Logging> {
    let bucket = wanted.log_bucket.as_ref()?;
    let s3 = ib::S3Logs::builder().s3_bucket_name(bucket).s3_key_prefix(&wanted.name).build();
    Some(ib::Logging::builder().s3_logs(s3).build())
}

fn metadata_options() -> ib::InstanceMetadataOptions {
    ib::InstanceMetadataOptions::builder().http_tokens(METADATA.0).http_put_response_hop_limit(METADATA.1).build()
}

async fn create_distribution(
    cloud: &Cloud,
    wanted: &DesiredDistribution,
    change: &Change,
) -> Result<String, PlanError> {
    let answer = cloud
        .imagebuilder()
        .create_distribution_configuration()
        .name(&wanted.name)
        .set_distributions(Some(distributions(wanted)?))
        .set_tags(Some(map(&wanted.tags)))
        .client_token(token_of(cloud, &wanted.name, change, &wanted.fingerprint, &wanted.tags))
        .send()
        .await
        .map_err(CallError::of("CreateDistributionConfiguration", cloud.home()))?;
    answer
        .distribution_configuration_arn
        .ok_or(PlanError::Answer { operation: "CreateDistributionConfiguration", what: "distributionConfigurationArn" })
}

async fn update_distribution(
    cloud: &Cloud,
    wanted: &DesiredDistribution,
    change: &Change,
    arn: &str,
) -> Result<(), PlanError> {
    cloud
        .imagebuilder()
        .update_distribution_configuration()
        .distribution_configuration_arn(arn)
        .set_distributions(Some(distributions(wanted)?))
        .client_token(update_token(cloud, change, &wanted.fingerprint, &wanted.tags))
        .send()
        .await
        .map_err(CallError::of("UpdateDistributionConfiguration", cloud.home()))?;
    Ok(())
}

fn distributions(wanted: &DesiredDistribution) -> Result<Vec<ib::Distribution>, PlanError> {
    wanted.regions.iter().map(distribution_to).collect()
}

fn distribution_to(one: &DesiredRegion) -> Result<ib::Distribution, PlanError> {
    let permission = ib::LaunchPermissionConfiguration::builder().set_user_ids(listed(&one.accounts)).build();
    let ami = ib::AmiDistributionConfiguration::builder()
        .name(&one.ami_name)
        .set_kms_key_id(one.kms_key.clone())
        .set_ami_tags((!one.ami_tags.is_empty()).then(|| map(&one.ami_tags)))
        .set_launch_permission((!one.accounts.is_empty()).then_some(permission))
        .build();
    let incomplete = |_| PlanError::Answer { operation: "a distribution", what: "its Region" };
    ib::Distribution::builder().region(&one.region).ami_distribution_configuration(ami).build().map_err(incomplete)
}

/// As [`infrastructure_fields`].
macro_rules! pipeline_fields {
    ($request:expr, $cloud:expr, $desired:expr, $wanted:expr, $published:expr) => {
        $request
            .set_description(described(&$wanted.description))
            .image_recipe_arn(&$published.recipe)
            .infrastructure_configuration_arn(&$published.infrastructure)
            .set_distribution_configuration_arn($published.distribution.clone())
            .image_tests_configuration(tests())
            .enhanced_image_metadata_enabled(true)
            .set_workflows(workflows($published)?)
            .set_execution_role(role($cloud, $published))
            .set_schedule(schedule($wanted)?)
            .status(status($wanted))
            .set_image_tags(Some(map(&image_tags($desired))))
    };
}

async fn create_pipeline(
    cloud: &Cloud,
    desired: &Desired,
    wanted: &DesiredPipeline,
    change: &Change,
    published: &Published,
) -> Result<String, PlanError> {
    // What it refers to is in the token: the same settings on a new recipe are another call.
    let occasion = format!("{} {}", wanted.name, published.recipe);
    let request = cloud.imagebuilder().create_image_pipeline().name(&wanted.name);
    let answer = pipeline_fields!(request, cloud, desired, wanted, published)
        .set_tags(Some(map(&wanted.tags)))
        .client_token(token_of(cloud, &occasion, change, &wanted.fingerprint, &wanted.tags))
        .send()
        .await
        .map_err(CallError::of("CreateImagePipeline", cloud.home()))?;
    answer.image_pipeline_arn.ok_or(PlanError::Answer { operation: "CreateImagePipeline", what: "imagePipelineArn" })
}

async fn update_pipeline(
    cloud: &Cloud,
    desired: &Desired,
    wanted: &DesiredPipeline,
    change: &Change,
    published: &Published,
    arn: &str,
) -> Result<(), PlanError> {
    let request = cloud.imagebuilder().update_image_pipeline().image_pipeline_arn(arn);
    pipeline_fields!(request, cloud, desired, wanted, published)
        .client_token(update_token(cloud, change, &wanted.fingerprint, &wanted.tags))
        .send()
        .await
        .map_err(CallError::of("UpdateImagePipeline", cloud.home()))?;
    Ok(())
}

/// The workflows of an image; none says that the service's own run.
pub(crate) fn workflows(published: &Published) -> Result<Option<Vec<ib::WorkflowConfiguration>>, PlanError> {
    let all: Result<Vec<_>, _> = published.workflows.iter().map(super::PublishedWorkflow::configuration).collect();
    Ok(Some(all?).filter(|all| !all.is_empty()))
}

/// The role for custom workflows; without them the service's own is used.
pub(crate) fn role(cloud: &Cloud, published: &Published) -> Option<String> {
    match cloud.config() {
        EnvironmentConfig::Aws(aws) if !published.workflows.is_empty() => aws.execution_role.clone(),
        // There are no roles on this machine, but the service wants one to be named.
        EnvironmentConfig::Local(_) if !published.workflows.is_empty() => Some(LOCAL_ROLE.to_owned()),
        _ => None,
    }
}

fn status(wanted: &DesiredPipeline) -> ib::PipelineStatus {
    if wanted.enabled { ib::PipelineStatus::Enabled } else { ib::PipelineStatus::Disabled }
}

fn tests() -> ib::ImageTestsConfiguration {
    ib::ImageTestsConfiguration::builder().image_tests_enabled(true).build()
}

/// Tags of the images of scheduled runs: with them `build` and `validate` find what the pipeline has built.
fn image_tags(desired: &Desired) -> BTreeMap<String, String> {
    let mut all = desired.recipe.tags.clone();
    all.insert(tags::FINGERPRINT.to_owned(), desired.fingerprint().to_owned());
    all
}

fn schedule(wanted: &DesiredPipeline) -> Result<Option<ib::Schedule>, PlanError> {
    let Some(wanted) = &wanted.schedule else { return Ok(None) };
    let policy = match wanted.disable_after.map(i32::try_from) {
        Some(Ok(count)) => {
            let incomplete = |_| PlanError::Answer { operation: "a schedule", what: "its failure count" };
            Some(ib::AutoDisablePolicy::builder().failure_count(count).build().map_err(incomplete)?)
        }
        _ => None,
    };
    let schedule = ib::Schedule::builder()
        .schedule_expression(&wanted.expression)
        .set_timezone(wanted.timezone.clone())
        .pipeline_execution_start_condition(ib::PipelineExecutionStartCondition::from(condition(wanted.always)))
        .set_auto_disable_policy(policy)
        .build();
    Ok(Some(schedule))
}

/// Deletes; one that is gone already is no failure.
async fn delete(cloud: &Cloud, kind: Kind, arn: &str) -> Result<(), PlanError> {
    let client = cloud.imagebuilder();
    let error = match kind {
        Kind::Pipeline => {
            let answer = client.delete_image_pipeline().image_pipeline_arn(arn).send().await;
            answer.map_err(CallError::of("DeleteImagePipeline", cloud.home())).err()
        }
        Kind::Distribution => {
            let answer = client.delete_distribution_configuration().distribution_configuration_arn(arn).send().await;
            answer.map_err(CallError::of("DeleteDistributionConfiguration", cloud.home())).err()
        }
        // What is versioned is never deleted, and an infrastructure configuration always desired.
        Kind::Component | Kind::Workflow | Kind::Recipe | Kind::Infrastructure | Kind::Baseline => None,
    };
    match error {
        Some(error) if !error.fault.is(&["ResourceNotFoundException"]) => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "publish_configuration_tests.rs"]
mod tests;

//! What is in the account of the things Image Builder does not version, with all their settings: whoever has changed one
//! by hand has not changed the tag that says what amiforge wrote.

use super::configuration::{FAILURES, condition, on_off, region_settings, words};
use super::error::PlanError;
use super::observe::{fingerprint, named};
use super::observed::{ObservedConfiguration, ObservedPipeline};
use super::settings::Settings;
use crate::aws::{CallError, Cloud, tags};
use aws_sdk_imagebuilder::types as ib;
use std::collections::HashMap;

type Tags = HashMap<String, String>;

/// The infrastructure configuration of that name.
pub(super) async fn infrastructure(cloud: &Cloud, name: &str) -> Result<Option<ObservedConfiguration>, PlanError> {
    let mut pages =
        cloud.imagebuilder().list_infrastructure_configurations().filters(named(name)).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(CallError::of("ListInfrastructureConfigurations", cloud.home()))?;
        for one in page.infrastructure_configuration_summary_list.unwrap_or_default() {
            if let (true, Some(arn)) = (one.name.as_deref() == Some(name), one.arn) {
                return read_infrastructure(cloud, arn).await;
            }
        }
    }
    Ok(None)
}

async fn read_infrastructure(cloud: &Cloud, arn: String) -> Result<Option<ObservedConfiguration>, PlanError> {
    let answer =
        cloud.imagebuilder().get_infrastructure_configuration().infrastructure_configuration_arn(&arn).send().await;
    let Some(answer) = there(answer.map_err(CallError::of("GetInfrastructureConfiguration", cloud.home())))? else {
        return Ok(None);
    };
    let Some(one) = answer.infrastructure_configuration else { return Ok(None) };
    let settings = infrastructure_settings(&one);
    Ok(Some(observed(arn, one.tags.as_ref(), settings)))
}

/// What was listed a moment ago may be gone.
fn there<T>(answer: Result<T, CallError>) -> Result<Option<T>, CallError> {
    match answer {
        Err(error) if error.fault.is(&["ResourceNotFoundException"]) => Ok(None),
        Err(error) => Err(error),
        Ok(answer) => Ok(Some(answer)),
    }
}

fn infrastructure_settings(one: &ib::InfrastructureConfiguration) -> Settings {
    let logs = one.logging.as_ref().and_then(|logging| logging.s3_logs.as_ref());
    let metadata = one.instance_metadata_options.as_ref().map(|options| {
        let hops = options.http_put_response_hop_limit.map_or_else(|| "unset".to_owned(), |hops| hops.to_string());
        format!("tokens {}, {hops} hops", options.http_tokens.as_deref().unwrap_or("optional"))
    });
    Settings::default()
        .with_list(words::TYPES, one.instance_types.as_deref().unwrap_or_default())
        .with(words::PROFILE, one.instance_profile_name.clone().unwrap_or_default())
        .with(words::SUBNET, one.subnet_id.clone().unwrap_or_default())
        .with_set(words::GROUPS, one.security_group_ids.as_deref().unwrap_or_default())
        .with(words::LOGS, logs.and_then(|logs| logs.s3_bucket_name.clone()).unwrap_or_default())
        .with_pairs(words::TAGS, one.resource_tags.iter().flatten())
        .with(words::METADATA, metadata.unwrap_or_default())
        .with(words::TERMINATE, on_off(one.terminate_instance_on_failure.unwrap_or(true)))
}

/// The distribution configuration of that name.
pub(super) async fn distribution(cloud: &Cloud, name: &str) -> Result<Option<ObservedConfiguration>, PlanError> {
    let mut pages =
        cloud.imagebuilder().list_distribution_configurations().filters(named(name)).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(CallError::of("ListDistributionConfigurations", cloud.home()))?;
        for one in page.distribution_configuration_summary_list.unwrap_or_default() {
            if let (true, Some(arn)) = (one.name.as_deref() == Some(name), one.arn) {
                return read_distribution(cloud, arn).await;
            }
        }
    }
    Ok(None)
}

pub(super) async fn read_distribution(cloud: &Cloud, arn: String) -> Result<Option<ObservedConfiguration>, PlanError> {
    let answer =
        cloud.imagebuilder().get_distribution_configuration().distribution_configuration_arn(&arn).send().await;
    let Some(answer) = there(answer.map_err(CallError::of("GetDistributionConfiguration", cloud.home())))? else {
        return Ok(None);
    };
    let Some(one) = answer.distribution_configuration else { return Ok(None) };
    let regions = one.distributions.iter().flatten();
    let settings = regions.fold(Settings::default(), distribution_settings);
    Ok(Some(observed(arn, one.tags.as_ref(), settings)))
}

fn distribution_settings(settings: Settings, one: &ib::Distribution) -> Settings {
    let ami = one.ami_distribution_configuration.as_ref();
    let permission = ami.and_then(|ami| ami.launch_permission.as_ref());
    let settings = region_settings(
        settings,
        &one.region,
        ami.and_then(|ami| ami.name.as_deref()).unwrap_or_default(),
        permission.and_then(|permission| permission.user_ids.as_deref()).unwrap_or_default(),
        ami.and_then(|ami| ami.kms_key_id.as_deref()),
        ami.and_then(|ami| ami.ami_tags.as_ref()).into_iter().flatten(),
    );
    // Nothing that amiforge writes: whatever stands here was added by somebody else and would be lost unsaid.
    let groups = permission.and_then(|permission| permission.user_groups.as_deref()).unwrap_or_default();
    let copies = ami.and_then(|ami| ami.target_account_ids.as_deref()).unwrap_or_default();
    let region = &one.region;
    let templates: Vec<String> = one
        .launch_template_configurations
        .iter()
        .flatten()
        .map(|template| template.launch_template_id.clone())
        .collect();
    let parameters: Vec<String> =
        one.ssm_parameter_configurations.iter().flatten().map(|parameter| parameter.parameter_name.clone()).collect();
    settings
        .with_set(format!("{region} groups that may launch"), groups)
        .with_set(format!("{region} copies to accounts"), copies)
        .with_set(format!("{region} launch templates"), &templates)
        .with_set(format!("{region} parameters"), &parameters)
}

/// The pipeline of that name.
pub(super) async fn pipeline(cloud: &Cloud, name: &str) -> Result<Option<ObservedPipeline>, PlanError> {
    let mut pages = cloud.imagebuilder().list_image_pipelines().filters(named(name)).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(CallError::of("ListImagePipelines", cloud.home()))?;
        for one in page.image_pipeline_list.unwrap_or_default() {
            if one.name.as_deref() == Some(name) {
                return Ok(observed_pipeline(one));
            }
        }
    }
    Ok(None)
}

pub(super) fn observed_pipeline(one: ib::ImagePipeline) -> Option<ObservedPipeline> {
    let settings = pipeline_settings(&one);
    Some(ObservedPipeline {
        configuration: observed(one.arn?, one.tags.as_ref(), settings),
        recipe: one.image_recipe_arn.or(one.container_recipe_arn).unwrap_or_default(),
        infrastructure: one.infrastructure_configuration_arn.unwrap_or_default(),
        distribution: one.distribution_configuration_arn,
        failures: one.consecutive_failures.and_then(|count| u32::try_from(count).ok()).unwrap_or_default(),
    })
}

fn pipeline_settings(one: &ib::ImagePipeline) -> Settings {
    let tests = one.image_tests_configuration.as_ref().and_then(|tests| tests.image_tests_enabled).unwrap_or(true);
    let settings = Settings::default()
        .with(words::DESCRIPTION, one.description.clone().unwrap_or_default())
        .with(words::STATUS, one.status.as_ref().map_or("ENABLED", ib::PipelineStatus::as_str))
        .with(words::TESTS, on_off(tests));
    let Some(schedule) = one.schedule.as_ref().filter(|schedule| schedule.schedule_expression.is_some()) else {
        return settings;
    };
    let start = schedule.pipeline_execution_start_condition.as_ref();
    // Said or filled in by the service: the same, else a pipeline without a number would differ for ever.
    let policy = schedule.auto_disable_policy.as_ref();
    let disable = policy.map_or(i64::from(FAILURES), |policy| i64::from(policy.failure_count()));
    settings
        .with(words::SCHEDULE, schedule.schedule_expression.clone().unwrap_or_default())
        .with(words::ZONE, schedule.timezone.as_deref().unwrap_or("UTC"))
        .with(words::START, start.map_or(condition(false), ib::PipelineExecutionStartCondition::as_str))
        .with(words::DISABLE, disable.to_string())
}

fn observed(arn: String, tagged: Option<&Tags>, settings: Settings) -> ObservedConfiguration {
    let project = tagged.and_then(|tagged| tagged.get(tags::PROJECT)).cloned();
    ObservedConfiguration { arn, fingerprint: fingerprint(tagged), project, settings }
}

#[cfg(test)]
mod tests {
    use super::super::model::{DesiredPipeline, DesiredSchedule};
    use super::*;

    #[test]
    fn what_the_service_fills_in_is_no_difference() {
        let desired = DesiredPipeline {
            name: "p".into(),
            description: String::new(),
            schedule: Some(DesiredSchedule {
                expression: "rate(7 days)".into(),
                timezone: None,
                always: false,
                disable_after: None,
            }),
            enabled: true,
            fingerprint: String::new(),
            tags: std::collections::BTreeMap::new(),
        };
        let policy = ib::AutoDisablePolicy::builder().failure_count(5).build().unwrap();
        for (zone, policy, differs) in [
            (None, None, false),
            (Some("UTC"), Some(policy.clone()), false),
            (None, Some(ib::AutoDisablePolicy::builder().failure_count(4).build().unwrap()), true),
            (Some("Europe/Berlin"), Some(policy), true),
        ] {
            let schedule = ib::Schedule::builder()
                .schedule_expression("rate(7 days)")
                .set_timezone(zone.map(str::to_owned))
                .set_auto_disable_policy(policy)
                .build();
            let there = pipeline_settings(&ib::ImagePipeline::builder().schedule(schedule).build());
            let differences = desired.settings().differences(&there);
            assert_eq!(!differences.is_empty(), differs, "{differences:?}");
        }
    }
}

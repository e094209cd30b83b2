//! Asks an account for what is to be imported. Nothing is changed.

use super::error::ImportError;
use super::model::{
    Account, Component, Infrastructure, Pipeline, Recipe, Region, Schedule, Use, Volume, Workflow, WorkflowUse,
};
use crate::aws::{CallError, Cloud};
use crate::plan::Version;
use aws_sdk_imagebuilder::types as ib;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Minutes that the service fills in for tests (image-builder.md section 11: the default, and not used).
const TEST_MINUTES: i32 = 720;

/// What to import.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Order {
    /// Pipelines by name or ARN.
    pub pipelines: Vec<String>,
    /// Image recipes by ARN.
    pub recipes: Vec<String>,
}

/// Reads what is asked for; all pipelines, and the newest version of recipes that belong to none, when nothing is.
///
/// # Errors
/// When a call fails, and when something named is not there.
pub async fn read(cloud: &Cloud, order: &Order) -> Result<Account, ImportError> {
    let mut account = Account::default();
    let all = order.pipelines.is_empty() && order.recipes.is_empty();
    let mut recipes = order.recipes.clone();
    if all || !order.pipelines.is_empty() {
        for arn in pipelines(cloud, &order.pipelines).await? {
            account.pipelines.push(pipeline(cloud, &arn).await?);
        }
    }
    recipes.extend(account.pipelines.iter().filter_map(|pipeline| pipeline.recipe.clone()));
    if all {
        recipes.extend(newest_recipes(cloud, &recipes).await?);
    }
    let mut seen = BTreeSet::new();
    recipes.retain(|arn| seen.insert(arn.clone()));
    for arn in &recipes {
        let recipe = recipe(cloud, arn).await?;
        for used in &recipe.components {
            if !account.components.contains_key(&used.arn) {
                account.components.insert(used.arn.clone(), component(cloud, &used.arn).await?);
            }
        }
        account.recipes.push(recipe);
    }
    surroundings(cloud, &mut account).await?;
    if account.recipes.is_empty() && account.pipelines.is_empty() {
        let home = cloud.home();
        return Err(ImportError::Nothing { account: home.account.clone(), region: home.region.clone() });
    }
    Ok(account)
}

fn missing(cloud: &Cloud, kind: &'static str, name: &str) -> ImportError {
    let home = cloud.home();
    let (account, region) = (home.account.clone(), home.region.clone());
    ImportError::Missing { kind, name: name.to_owned(), account, region }
}

/// ARNs of pipelines by name or ARN; all of them when none is named.
async fn pipelines(cloud: &Cloud, named: &[String]) -> Result<Vec<String>, ImportError> {
    if !named.is_empty() && named.iter().all(|name| name.starts_with("arn:")) {
        return Ok(named.to_vec());
    }
    let mut pages = cloud.imagebuilder().list_image_pipelines().into_paginator().send();
    let mut known = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(CallError::of("ListImagePipelines", cloud.home()))?;
        let found = page.image_pipeline_list.unwrap_or_default().into_iter();
        known.extend(found.filter_map(|one| Some((one.name?, one.arn?))));
    }
    if named.is_empty() {
        return Ok(known.into_iter().map(|(_, arn)| arn).collect());
    }
    let find = |name: &String| {
        let found = known.iter().find(|(other, arn)| other == name || arn == name);
        found.map(|(_, arn)| arn.clone()).ok_or_else(|| missing(cloud, "image pipeline", name))
    };
    named.iter().map(find).collect()
}

async fn pipeline(cloud: &Cloud, arn: &str) -> Result<Pipeline, ImportError> {
    let answer = cloud.imagebuilder().get_image_pipeline().image_pipeline_arn(arn).send().await;
    let found = answer.map_err(CallError::of("GetImagePipeline", cloud.home()))?.image_pipeline;
    let found = found.ok_or_else(|| missing(cloud, "image pipeline", arn))?;
    let mut settings = Vec::new();
    if let Some(tests) = &found.image_tests_configuration {
        let minutes = tests.timeout_minutes.map_or_else(String::new, |minutes| format!(", at most {minutes} min"));
        match (tests.image_tests_enabled, tests.timeout_minutes) {
            (Some(false), _) => settings.push("tests off; amiforge's pipelines test".to_owned()),
            // The service fills in its own limit, and does not use any.
            (_, Some(given)) if given != TEST_MINUTES => settings.push(format!("tests on{minutes}")),
            _ => {}
        }
    }
    if found.image_scanning_configuration.as_ref().and_then(|one| one.image_scanning_enabled) == Some(true) {
        settings.push("scans for vulnerabilities (Inspector)".to_owned());
    }
    Ok(Pipeline {
        name: found.name.unwrap_or_default(),
        arn: arn.to_owned(),
        recipe: found.image_recipe_arn,
        container_recipe: found.container_recipe_arn,
        infrastructure: found.infrastructure_configuration_arn,
        distribution: found.distribution_configuration_arn,
        schedule: found.schedule.and_then(schedule),
        disabled: found.status == Some(ib::PipelineStatus::Disabled),
        workflows: found.workflows.unwrap_or_default().into_iter().map(workflow_use).collect(),
        execution_role: found.execution_role,
        settings,
    })
}

fn schedule(found: ib::Schedule) -> Option<Schedule> {
    let only_new = ib::PipelineExecutionStartCondition::ExpressionMatchAndDependencyUpdatesAvailable;
    Some(Schedule {
        expression: found.schedule_expression?,
        timezone: found.timezone,
        // What the service does when nothing is said: only when something is new (image-builder.md section 10).
        always: found.pipeline_execution_start_condition.is_some_and(|condition| condition != only_new),
        disable_after: found.auto_disable_policy.map(|policy| i64::from(policy.failure_count)),
    })
}

fn workflow_use(found: ib::WorkflowConfiguration) -> WorkflowUse {
    let parameters = found.parameters.unwrap_or_default().into_iter().map(|one| (one.name, one.value)).collect();
    WorkflowUse {
        arn: found.workflow_arn,
        parameters,
        parallel_group: found.parallel_group,
        goes_on: found.on_failure == Some(ib::OnWorkflowFailure::Continue),
    }
}

/// The newest version of each recipe of which no version is in `have`.
async fn newest_recipes(cloud: &Cloud, have: &[String]) -> Result<Vec<String>, ImportError> {
    let call = cloud.imagebuilder().list_image_recipes().owner(ib::Ownership::SelfValue);
    let mut pages = call.into_paginator().send();
    let mut newest: BTreeMap<String, (Version, String)> = BTreeMap::new();
    let taken: BTreeSet<&str> = have.iter().filter_map(|arn| arn.rsplit_once('/').map(|(name, _)| name)).collect();
    while let Some(page) = pages.next().await {
        let page = page.map_err(CallError::of("ListImageRecipes", cloud.home()))?;
        for arn in page.image_recipe_summary_list.unwrap_or_default().into_iter().filter_map(|one| one.arn) {
            let Some((name, version)) = arn.rsplit_once('/') else { continue };
            let Some(version) = Version::parse(version).filter(|_| !taken.contains(name)) else { continue };
            if newest.get(name).is_none_or(|(before, _)| *before < version) {
                newest.insert(name.to_owned(), (version, arn.clone()));
            }
        }
    }
    Ok(newest.into_values().map(|(_, arn)| arn).collect())
}

async fn recipe(cloud: &Cloud, arn: &str) -> Result<Recipe, ImportError> {
    let answer = cloud.imagebuilder().get_image_recipe().image_recipe_arn(arn).send().await;
    let found = answer.map_err(CallError::of("GetImageRecipe", cloud.home()))?.image_recipe;
    let found = found.ok_or_else(|| missing(cloud, "image recipe", arn))?;
    let parent = found.parent_image.unwrap_or_default();
    let image = parent_image(cloud, &parent).await?;
    let extra = found.additional_instance_configuration;
    Ok(Recipe {
        arn: arn.to_owned(),
        name: found.name.unwrap_or_default(),
        version: found.version.unwrap_or_default(),
        platform: found.platform.map(|platform| platform.as_str().to_owned()).unwrap_or_default(),
        parent_name: image.as_ref().and_then(|image| image.name.clone()),
        parent_arch: image.and_then(|image| image.architecture).map(|arch| arch.as_str().to_owned()),
        parent,
        components: found.components.unwrap_or_default().into_iter().map(used).collect(),
        volumes: found.block_device_mappings.unwrap_or_default().into_iter().map(volume).collect(),
        working_directory: found.working_directory,
        uninstall_agent: extra
            .as_ref()
            .and_then(|one| one.systems_manager_agent.as_ref())
            .and_then(|agent| agent.uninstall_after_build),
        user_data: extra.is_some_and(|one| one.user_data_override.is_some()),
        ami_tags: sorted(found.ami_tags),
        tags: sorted(found.tags),
    })
}

fn sorted(tags: Option<HashMap<String, String>>) -> BTreeMap<String, String> {
    tags.unwrap_or_default().into_iter().collect()
}

fn used(component: ib::ComponentConfiguration) -> Use {
    let parameters = component.parameters.unwrap_or_default().into_iter().map(|one| (one.name, one.value)).collect();
    Use { arn: component.component_arn, parameters }
}

fn volume(mapping: ib::InstanceBlockDeviceMapping) -> Volume {
    let mut more: Vec<String> = mapping.virtual_name.iter().map(|name| format!("instance store {name}")).collect();
    let Some(ebs) = mapping.ebs else {
        more.extend(mapping.no_device.map(|_| "no device".to_owned()));
        return Volume { device: mapping.device_name.unwrap_or_default(), more, ..Volume::default() };
    };
    more.extend(ebs.iops.map(|iops| format!("{iops} IOPS")));
    more.extend(ebs.throughput.map(|throughput| format!("{throughput} MiB/s")));
    more.extend(ebs.kms_key_id.map(|key| format!("key {key}")));
    more.extend(ebs.snapshot_id.map(|snapshot| format!("snapshot {snapshot}")));
    more.extend(ebs.delete_on_termination.filter(|delete| !delete).map(|_| "kept on termination".to_owned()));
    Volume {
        device: mapping.device_name.unwrap_or_default(),
        size: ebs.volume_size,
        kind: ebs.volume_type.map(|kind| kind.as_str().to_owned()),
        encrypted: ebs.encrypted,
        more,
    }
}

/// The AMI that a recipe starts from, when it is one that can be looked at; it tells architecture and system.
async fn parent_image(cloud: &Cloud, parent: &str) -> Result<Option<aws_sdk_ec2::types::Image>, ImportError> {
    let home = cloud.home();
    let ami = match parent.strip_prefix("ssm:") {
        Some(parameter) => {
            let answer = cloud.ssm(home).get_parameter().name(parameter).send().await;
            match answer.map_err(CallError::of("GetParameter", home)) {
                Ok(answer) => answer.parameter.and_then(|parameter| parameter.value).unwrap_or_default(),
                // A recipe may well have outlived what it started from.
                Err(error) if error.fault.is(&["ParameterNotFound"]) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
        None => parent.to_owned(),
    };
    if !ami.starts_with("ami-") {
        return Ok(None);
    }
    let answer = cloud.ec2(home).describe_images().image_ids(ami).send().await;
    match answer.map_err(CallError::of("DescribeImages", home)) {
        Ok(answer) => Ok(answer.images.unwrap_or_default().into_iter().next()),
        Err(error) if error.fault.is(&["InvalidAMIID.NotFound", "InvalidAMIID.Unavailable"]) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn component(cloud: &Cloud, arn: &str) -> Result<Component, ImportError> {
    let answer = cloud.imagebuilder().get_component().component_build_version_arn(arn).send().await;
    let found = match answer.map_err(CallError::of("GetComponent", cloud.home())) {
        Ok(answer) => answer.component,
        // Of others' components some may be used and not read: that is told, and stops nothing.
        Err(error) if error.fault.denied && !arn.contains(&format!(":{}:", cloud.home().account)) => None,
        Err(error) => return Err(error.into()),
    };
    let Some(found) = found else { return Ok(Component { arn: arn.to_owned(), ..Component::default() }) };
    Ok(Component {
        arn: found.arn.unwrap_or_else(|| arn.to_owned()),
        name: found.name.unwrap_or_default(),
        document: found.data.filter(|data| !data.is_empty() && !found.obfuscate),
        test: found.r#type == Some(ib::ComponentType::Test),
        supported: found.supported_os_versions.unwrap_or_default(),
        tags: sorted(found.tags),
    })
}

/// What pipelines refer to besides recipes.
async fn surroundings(cloud: &Cloud, account: &mut Account) -> Result<(), ImportError> {
    for pipeline in account.pipelines.clone() {
        if let Some(arn) = pipeline.infrastructure
            && !account.infrastructure.contains_key(&arn)
        {
            let found = infrastructure(cloud, &arn).await?;
            account.infrastructure.insert(arn, found);
        }
        if let Some(arn) = pipeline.distribution
            && !account.distributions.contains_key(&arn)
        {
            let found = distribution(cloud, &arn).await?;
            account.distributions.insert(arn, found);
        }
        for used in pipeline.workflows.into_iter().filter(|used| !is_awss(&used.arn)) {
            if let Entry::Vacant(place) = account.workflows.entry(used.arn) {
                let found = workflow(cloud, place.key()).await?;
                place.insert(found);
            }
        }
    }
    Ok(())
}

async fn infrastructure(cloud: &Cloud, arn: &str) -> Result<Infrastructure, ImportError> {
    let call = cloud.imagebuilder().get_infrastructure_configuration().infrastructure_configuration_arn(arn);
    let answer = call.send().await.map_err(CallError::of("GetInfrastructureConfiguration", cloud.home()))?;
    let found =
        answer.infrastructure_configuration.ok_or_else(|| missing(cloud, "infrastructure configuration", arn))?;
    let mut more = Vec::new();
    more.extend(found.key_pair.map(|key| format!("key pair {key}")));
    more.extend(found.sns_topic_arn.map(|topic| format!("SNS topic {topic}")));
    more.extend(found.terminate_instance_on_failure.filter(|end| !end).map(|_| "failed instances are kept".to_owned()));
    if let Some(options) = found.instance_metadata_options {
        let tokens = options.http_tokens.unwrap_or_else(|| "optional".to_owned());
        let hops = options.http_put_response_hop_limit.map_or_else(String::new, |hops| format!(", {hops} hops"));
        more.push(format!("metadata tokens {tokens}{hops}"));
    }
    let logs = found.logging.and_then(|logging| logging.s3_logs);
    more.extend(
        logs.as_ref().and_then(|logs| logs.s3_key_prefix.as_ref()).map(|prefix| format!("log prefix {prefix}")),
    );
    let tags = sorted(found.resource_tags);
    more.extend(tags.iter().map(|(key, value)| format!("tag {key}={value} on instances")));
    Ok(Infrastructure {
        name: found.name.unwrap_or_default(),
        instance_types: found.instance_types.unwrap_or_default(),
        profile: found.instance_profile_name,
        subnet: found.subnet_id,
        security_groups: found.security_group_ids.unwrap_or_default(),
        log_bucket: logs.and_then(|logs| logs.s3_bucket_name),
        more,
    })
}

/// Whether a workflow is one of AWS, which recipes name and need not have.
pub(super) fn is_awss(arn: &str) -> bool {
    arn.split(':').nth(4) == Some("aws")
}

async fn workflow(cloud: &Cloud, arn: &str) -> Result<Workflow, ImportError> {
    let answer = cloud.imagebuilder().get_workflow().workflow_build_version_arn(arn).send().await;
    let found = match answer.map_err(CallError::of("GetWorkflow", cloud.home())) {
        Ok(answer) => answer.workflow,
        Err(error) if error.fault.denied && !arn.contains(&format!(":{}:", cloud.home().account)) => None,
        Err(error) => return Err(error.into()),
    };
    let Some(found) = found else { return Ok(Workflow::default()) };
    Ok(Workflow {
        name: found.name.unwrap_or_default(),
        document: found.data.filter(|data| !data.is_empty()),
        tags: sorted(found.tags),
    })
}

async fn distribution(cloud: &Cloud, arn: &str) -> Result<Vec<Region>, ImportError> {
    let call = cloud.imagebuilder().get_distribution_configuration().distribution_configuration_arn(arn);
    let answer = call.send().await.map_err(CallError::of("GetDistributionConfiguration", cloud.home()))?;
    let found = answer.distribution_configuration.ok_or_else(|| missing(cloud, "distribution configuration", arn))?;
    Ok(found.distributions.unwrap_or_default().into_iter().map(region).collect())
}

fn region(one: ib::Distribution) -> Region {
    let mut read = Region { region: one.region, ..Region::default() };
    if let Some(ami) = one.ami_distribution_configuration {
        let copied = ami.target_account_ids.unwrap_or_default();
        read.more.extend(copied.iter().map(|account| format!("copied to account {account}")));
        let tags = sorted(ami.ami_tags);
        let foreign = tags.iter().filter(|(key, _)| !key.starts_with("amiforge:"));
        read.more.extend(foreign.map(|(key, value)| format!("AMI tag {key}={value}")));
        if let Some(permission) = ami.launch_permission {
            let groups = permission.user_groups.unwrap_or_default();
            read.more.extend(groups.iter().map(|group| format!("shared with the group {group}")));
            let organizations = permission.organization_arns.unwrap_or_default();
            read.more.extend(organizations.iter().map(|arn| format!("shared with {arn}")));
            read.accounts = permission.user_ids.unwrap_or_default();
        }
        read.ami_name = ami.name;
        read.kms_key = ami.kms_key_id;
    }
    let templates = one.launch_template_configurations.unwrap_or_default();
    read.more.extend(templates.iter().map(|template| format!("launch template {}", template.launch_template_id)));
    let parameters = one.ssm_parameter_configurations.unwrap_or_default();
    read.more.extend(parameters.iter().map(|parameter| format!("parameter {}", parameter.parameter_name)));
    read
}

//! What should be there of the things Image Builder does not version: infrastructure configuration, distribution
//! configuration, pipeline. Pure.

use super::fingerprint::digest;
use super::model::{DesiredDistribution, DesiredInfrastructure, DesiredPipeline, DesiredRegion, DesiredSchedule};
use super::settings::Settings;
use crate::aws::tags;
use crate::project::{AwsConfig, EnvironmentConfig, Project, Recipe, StartCondition};
use crate::render::RenderedRecipe;
use serde_json::json;
use std::collections::BTreeMap;

/// Instance profile when the project names none: the name AWS's own guide gives it.
const DEFAULT_PROFILE: &str = "EC2InstanceProfileForImageBuilder";
/// What makes the name of each AMI of its own: AMI names are unique per account and Region (image-builder.md 9.1).
const BUILD_DATE: &str = "{{ imagebuilder:buildDate }}";

fn aws(config: &EnvironmentConfig) -> Option<&AwsConfig> {
    match config {
        EnvironmentConfig::Aws(aws) => Some(aws),
        EnvironmentConfig::Local(_) => None,
    }
}

/// The infrastructure configuration of an environment.
pub(super) fn infrastructure(
    project: &Project,
    environment: &str,
    config: &EnvironmentConfig,
) -> DesiredInfrastructure {
    let name = format!("{}-{environment}", project.name);
    let aws = aws(config);
    let text = |field: fn(&AwsConfig) -> Option<&String>| aws.and_then(field).cloned();
    let list = |field: fn(&AwsConfig) -> &Vec<String>| aws.map(field).cloned().unwrap_or_default();
    let instance_types = list(|aws| &aws.instance_types);
    let instance_profile = text(|aws| aws.instance_profile.as_ref()).unwrap_or_else(|| DEFAULT_PROFILE.to_owned());
    let subnet = text(|aws| aws.subnet.as_ref());
    let security_groups = list(|aws| &aws.security_groups);
    let log_bucket = text(|aws| aws.log_bucket.as_ref());
    let resource_tags = tagged(project, &[]);
    let fingerprint = digest(&json!({
        "schema": "amiforge.infrastructure/1",
        "name": name,
        "instance_types": instance_types,
        "instance_profile": instance_profile,
        "subnet": subnet,
        "security_groups": security_groups,
        "log_bucket": log_bucket,
        "resource_tags": resource_tags,
    }));
    let tags = tagged(project, &[(tags::FINGERPRINT, &fingerprint)]);
    DesiredInfrastructure {
        name,
        instance_types,
        instance_profile,
        subnet,
        security_groups,
        log_bucket,
        terminates: true,
        resource_tags,
        fingerprint,
        tags,
    }
}

/// The distribution configuration of a recipe, when the environment has images left elsewhere by the build. The home
/// Region is always part of it: a configuration holds at least one AMI entry for the source Region (image-builder.md 9.3).
pub(super) fn distribution(
    project: &Project,
    rendered: &RenderedRecipe,
    config: &EnvironmentConfig,
) -> Option<DesiredDistribution> {
    let aws = aws(config)?;
    let wanted = aws.distribution.as_ref()?;
    let regions = std::iter::once(&aws.home.region).chain(&wanted.regions);
    let regions = regions
        .map(|region| DesiredRegion {
            region: region.clone(),
            ami_name: format!("{} {BUILD_DATE}", rendered.resource_name),
            accounts: wanted.accounts.clone(),
            kms_key: wanted.kms_keys.get(region).cloned(),
            // The recipe's own tags are on the AMI at home; a copy has those that are named here.
            ami_tags: if *region == aws.home.region {
                BTreeMap::new()
            } else {
                tagged(project, &[(tags::RECIPE, &rendered.recipe)])
            },
        })
        .collect();
    let mut desired = DesiredDistribution {
        name: rendered.resource_name.clone(),
        regions,
        fingerprint: String::new(),
        tags: BTreeMap::new(),
    };
    let settings = desired.settings();
    desired.fingerprint = digest(&json!({
        "schema": "amiforge.distribution/1", "name": desired.name, "settings": settings.value(),
    }));
    desired.tags = tagged(project, &[(tags::RECIPE, &rendered.recipe), (tags::FINGERPRINT, &desired.fingerprint)]);
    Some(desired)
}

/// The pipeline of a recipe.
pub(super) fn pipeline(project: &Project, rendered: &RenderedRecipe, recipe: &Recipe) -> Option<DesiredPipeline> {
    let wanted = recipe.pipeline.as_ref()?;
    let schedule = wanted.schedule.as_ref().map(|schedule| DesiredSchedule {
        expression: schedule.expression.clone(),
        timezone: schedule.timezone.clone(),
        always: schedule.start == StartCondition::Always,
        disable_after: schedule.disable_after,
    });
    let mut desired = DesiredPipeline {
        name: rendered.resource_name.clone(),
        description: rendered.description.clone(),
        schedule,
        enabled: wanted.enabled,
        fingerprint: String::new(),
        tags: BTreeMap::new(),
    };
    let settings = desired.settings();
    desired.fingerprint = digest(&json!({
        "schema": "amiforge.pipeline/1", "name": desired.name, "settings": settings.value(),
    }));
    desired.tags = tagged(project, &[(tags::RECIPE, &rendered.recipe), (tags::FINGERPRINT, &desired.fingerprint)]);
    Some(desired)
}

/// The project's tags, the project's name, and `own`; amiforge's own keys win.
pub(super) fn tagged(project: &Project, own: &[(&str, &str)]) -> BTreeMap<String, String> {
    let mut all = project.tags.clone();
    all.insert(tags::PROJECT.to_owned(), project.name.clone());
    all.extend(own.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
    all
}

/// The same tags with another fingerprint.
pub(super) fn tagged_with(tagged: &BTreeMap<String, String>, fingerprint: &str) -> BTreeMap<String, String> {
    let mut all = tagged.clone();
    all.insert(tags::FINGERPRINT.to_owned(), fingerprint.to_owned());
    all
}

/// Words of the settings that are compared; what is desired and what is observed have to use the same ones.
pub(super) mod words {
    pub(in crate::plan) const TYPES: &str = "instance types";
    pub(in crate::plan) const PROFILE: &str = "instance profile";
    pub(in crate::plan) const SUBNET: &str = "subnet";
    pub(in crate::plan) const GROUPS: &str = "security groups";
    pub(in crate::plan) const LOGS: &str = "log bucket";
    pub(in crate::plan) const TAGS: &str = "tags of instances";
    pub(in crate::plan) const METADATA: &str = "metadata options";
    pub(in crate::plan) const TERMINATE: &str = "terminates failed instances";
    pub(in crate::plan) const DESCRIPTION: &str = "description";
    pub(in crate::plan) const STATUS: &str = "status";
    pub(in crate::plan) const SCHEDULE: &str = "schedule";
    pub(in crate::plan) const ZONE: &str = "time zone";
    pub(in crate::plan) const START: &str = "start condition";
    pub(in crate::plan) const DISABLE: &str = "disabled after failures";
    pub(in crate::plan) const TESTS: &str = "tests";
}

/// Tokens required, one hop: build instances need no more (image-builder.md section 8 says to set both).
pub(super) const METADATA: (&str, i32) = ("required", 1);

/// Failed runs that disable a pipeline when nobody said how many: what the service fills in (image-builder.md section 10).
pub(super) const FAILURES: u32 = 5;

/// The start condition, as the service spells it.
pub(super) const fn condition(always: bool) -> &'static str {
    if always { "EXPRESSION_MATCH_ONLY" } else { "EXPRESSION_MATCH_AND_DEPENDENCY_UPDATES_AVAILABLE" }
}

/// What a setting that is on says.
pub(super) fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

impl DesiredInfrastructure {
    /// What is compared with the account.
    #[must_use]
    pub fn settings(&self) -> Settings {
        Settings::default()
            .with_list(words::TYPES, &self.instance_types)
            .with(words::PROFILE, &self.instance_profile)
            .with(words::SUBNET, self.subnet.clone().unwrap_or_default())
            .with_set(words::GROUPS, &self.security_groups)
            .with(words::LOGS, self.log_bucket.clone().unwrap_or_default())
            .with_pairs(words::TAGS, &self.resource_tags)
            .with(words::METADATA, format!("tokens {}, {} hops", METADATA.0, METADATA.1))
            .with(words::TERMINATE, on_off(self.terminates))
    }
}

impl DesiredDistribution {
    /// What is compared with the account: each Region's settings under its name.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.regions.iter().fold(Settings::default(), |settings, one| {
            region_settings(
                settings,
                &one.region,
                &one.ami_name,
                &one.accounts,
                one.kms_key.as_deref(),
                one.ami_tags.iter(),
            )
        })
    }
}

/// One Region of a distribution configuration, desired or observed.
pub(super) fn region_settings<'a>(
    settings: Settings,
    region: &str,
    name: &str,
    accounts: &[String],
    key: Option<&str>,
    tags: impl IntoIterator<Item = (&'a String, &'a String)>,
) -> Settings {
    settings
        .with(format!("{region} AMI name"), name)
        .with_set(format!("{region} accounts that may launch"), accounts)
        .with(format!("{region} key"), key.unwrap_or_default())
        .with_pairs(format!("{region} AMI tags"), tags)
}

impl DesiredPipeline {
    /// What is compared with the account; what it refers to is compared apart.
    #[must_use]
    pub fn settings(&self) -> Settings {
        let settings = Settings::default()
            .with(words::DESCRIPTION, &self.description)
            .with(words::STATUS, if self.enabled { "ENABLED" } else { "DISABLED" })
            .with(words::TESTS, on_off(true));
        let Some(schedule) = &self.schedule else { return settings };
        settings
            .with(words::SCHEDULE, &schedule.expression)
            .with(words::ZONE, schedule.timezone.as_deref().unwrap_or("UTC"))
            .with(words::START, condition(schedule.always))
            .with(words::DISABLE, schedule.disable_after.unwrap_or(FAILURES).to_string())
    }
}

#[cfg(test)]
#[path = "configuration_tests.rs"]
mod tests;

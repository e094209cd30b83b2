//! What an account has, as far as an import looks at it.

use std::collections::BTreeMap;

/// What was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Account {
    /// Pipelines that were asked for.
    pub pipelines: Vec<Pipeline>,
    /// Image recipes, each once.
    pub recipes: Vec<Recipe>,
    /// Components of the recipes by the ARN they are referred to.
    pub components: BTreeMap<String, Component>,
    /// Infrastructure configurations by ARN.
    pub infrastructure: BTreeMap<String, Infrastructure>,
    /// Distribution configurations by ARN.
    pub distributions: BTreeMap<String, Vec<Region>>,
    /// Workflows of pipelines by the ARN they are referred to; those of AWS are not among them.
    pub workflows: BTreeMap<String, Workflow>,
}

/// A pipeline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pipeline {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// Its image recipe.
    pub recipe: Option<String>,
    /// Its container recipe, which cannot be imported.
    pub container_recipe: Option<String>,
    /// Its infrastructure configuration.
    pub infrastructure: Option<String>,
    /// Its distribution configuration.
    pub distribution: Option<String>,
    /// When it starts by itself.
    pub schedule: Option<Schedule>,
    /// Whether it is disabled.
    pub disabled: bool,
    /// Workflows in place of the service's own, in order.
    pub workflows: Vec<WorkflowUse>,
    /// The role that they run with.
    pub execution_role: Option<String>,
    /// What else is set, in words: tests, scanning.
    pub settings: Vec<String>,
}

/// When a pipeline starts by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schedule {
    /// `cron(…)` or `rate(…)`.
    pub expression: String,
    /// IANA name; UTC when absent.
    pub timezone: Option<String>,
    /// Whether it starts without anything new.
    pub always: bool,
    /// Failed runs in a row that disable it.
    pub disable_after: Option<i64>,
}

/// A workflow in a pipeline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkflowUse {
    /// ARN as the pipeline has it; may hold wildcards.
    pub arn: String,
    /// Parameters.
    pub parameters: BTreeMap<String, Vec<String>>,
    /// Test workflows that run at the same time.
    pub parallel_group: Option<String>,
    /// Whether the image may become available though it failed.
    pub goes_on: bool,
}

/// A workflow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Workflow {
    /// Its name.
    pub name: String,
    /// Its document; absent when it may not be read.
    pub document: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// What a distribution configuration does in one Region.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Region {
    /// Which.
    pub region: String,
    /// Name of the AMI, with the service's placeholders.
    pub ami_name: Option<String>,
    /// Accounts that may launch it.
    pub accounts: Vec<String>,
    /// Key of the copy.
    pub kms_key: Option<String>,
    /// What else it does, in words.
    pub more: Vec<String>,
}

/// An image recipe.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recipe {
    /// Its ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// `1.0.3`.
    pub version: String,
    /// `Linux`, `Windows` or `macOS`.
    pub platform: String,
    /// As the recipe has it.
    pub parent: String,
    /// Name of the parent AMI, where one could be looked at.
    pub parent_name: Option<String>,
    /// Architecture of the parent AMI, where one could be looked at.
    pub parent_arch: Option<String>,
    /// Components in order.
    pub components: Vec<Use>,
    /// Volumes.
    pub volumes: Vec<Volume>,
    /// Working directory of components.
    pub working_directory: Option<String>,
    /// Whether the SSM Agent is removed after the build.
    pub uninstall_agent: Option<bool>,
    /// Whether it has user data of its own.
    pub user_data: bool,
    /// Tags of its AMIs.
    pub ami_tags: BTreeMap<String, String>,
    /// Its own tags.
    pub tags: BTreeMap<String, String>,
}

/// A component in a recipe.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Use {
    /// ARN as the recipe has it; may hold wildcards.
    pub arn: String,
    /// Parameters; each may have several values.
    pub parameters: BTreeMap<String, Vec<String>>,
}

/// A volume of a recipe.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Volume {
    /// Device name.
    pub device: String,
    /// GiB.
    pub size: Option<i32>,
    /// Type.
    pub kind: Option<String>,
    /// Whether it is encrypted.
    pub encrypted: Option<bool>,
    /// What else is set, in words.
    pub more: Vec<String>,
}

/// A component.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Component {
    /// Its build version ARN.
    pub arn: String,
    /// Its name.
    pub name: String,
    /// Its document; absent when it may not be read.
    pub document: Option<String>,
    /// Whether it has only a test phase.
    pub test: bool,
    /// Operating systems it is for.
    pub supported: Vec<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// An infrastructure configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Infrastructure {
    /// Its name.
    pub name: String,
    /// Instance types.
    pub instance_types: Vec<String>,
    /// Instance profile.
    pub profile: Option<String>,
    /// Subnet.
    pub subnet: Option<String>,
    /// Security groups.
    pub security_groups: Vec<String>,
    /// Bucket of logs.
    pub log_bucket: Option<String>,
    /// What else is set, in words.
    pub more: Vec<String>,
}

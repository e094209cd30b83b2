//! What should be there, and what to do to have it. What is there stands in `observed`.

use super::arn::Version;
use super::quota::Room;
use crate::project::Location;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Schema of [`Plan`] as JSON.
pub const SCHEMA: &str = "amiforge.plan/1";

/// What should be there for one recipe and architecture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Desired {
    /// Project name.
    pub project: String,
    /// Environment name.
    pub environment: String,
    /// `x86_64` or `arm64`.
    pub arch: String,
    /// Components in run order.
    pub components: Vec<DesiredComponent>,
    /// The image recipe.
    pub recipe: DesiredRecipe,
    /// Workflows in place of the service's own, in order; empty: those of the service.
    #[serde(default)]
    pub workflows: Vec<DesiredWorkflow>,
    /// The infrastructure configuration.
    pub infrastructure: DesiredInfrastructure,
    /// The distribution configuration, when builds leave images elsewhere.
    #[serde(default)]
    pub distribution: Option<DesiredDistribution>,
    /// The pipeline, when Image Builder is to build by itself.
    #[serde(default)]
    pub pipeline: Option<DesiredPipeline>,
    /// The patch baseline that images are judged by; absent where nobody asks for it.
    #[serde(default)]
    pub baseline: Option<DesiredBaseline>,
}

impl Desired {
    /// The fingerprint of the image: the recipe's, which covers everything that goes in.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.recipe.fingerprint
    }
}

/// A component as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredComponent {
    /// Name in the project.
    pub name: String,
    /// Resource name.
    pub resource_name: String,
    /// `Linux` or `Windows`.
    pub platform: String,
    /// What makes up its content.
    pub content: ComponentContent,
    /// Parameter values the recipe passes: part of the recipe, not of the component.
    pub parameters: BTreeMap<String, String>,
    /// Over platform and content.
    pub fingerprint: String,
    /// Tags of the resource.
    pub tags: BTreeMap<String, String>,
}

/// The parts of a component that a new version is made for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentContent {
    /// The document's text.
    pub document: String,
    /// Description.
    pub description: String,
    /// OS prefixes; empty: not restricted.
    pub supported_os: Vec<String>,
}

/// An image recipe as it should be. Its components are [`Desired::components`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredRecipe {
    /// Name in the project.
    pub name: String,
    /// Resource name.
    pub resource_name: String,
    /// Major and minor number.
    pub version: (u32, u32),
    /// Description.
    pub description: String,
    /// `Linux` or `Windows`.
    pub platform: String,
    /// AMI id of the parent image.
    pub parent_ami: String,
    /// Device name of the root volume.
    pub root_device: String,
    /// Size of the root volume.
    pub volume_gib: u32,
    /// Type of the root volume.
    pub volume_type: String,
    /// Whether the root volume is encrypted.
    pub encrypted: bool,
    /// The key in KMS that it is encrypted with; the account's default one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key: Option<String>,
    /// Working directory of components.
    pub working_directory: String,
    /// Tags of the AMIs it makes, without the fingerprint.
    pub ami_tags: BTreeMap<String, String>,
    /// Over all of the above, the components in order with their parameters, and the instance types it is built on.
    pub fingerprint: String,
    /// Tags of the resource.
    pub tags: BTreeMap<String, String>,
}

/// The infrastructure configuration as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields of the same name in amiforge.yaml")]
pub struct DesiredInfrastructure {
    pub name: String,
    pub instance_types: Vec<String>,
    pub instance_profile: String,
    pub subnet: Option<String>,
    pub security_groups: Vec<String>,
    pub log_bucket: Option<String>,
    /// Whether an instance whose build failed is ended.
    #[serde(default = "yes")]
    pub terminates: bool,
    /// Tags of instances and volumes while they build.
    pub resource_tags: BTreeMap<String, String>,
    /// Over all of the above.
    pub fingerprint: String,
    /// Tags of the resource.
    pub tags: BTreeMap<String, String>,
}

fn yes() -> bool {
    true
}

/// A workflow as it should be used, and unless it is one of AWS, as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredWorkflow {
    /// Name in the project, or of the managed workflow.
    pub name: String,
    /// `BUILD`, `TEST` or `DISTRIBUTION`.
    pub kind: String,
    /// Resource name.
    pub resource_name: String,
    /// The document's text; absent for one of AWS.
    pub document: Option<String>,
    /// Parameter values.
    pub parameters: BTreeMap<String, Vec<String>>,
    /// Test workflows that run at the same time.
    pub parallel_group: Option<String>,
    /// Whether the image may become available though it failed.
    pub continue_on_failure: bool,
    /// Over name, type and document.
    pub fingerprint: String,
    /// Tags of the resource.
    pub tags: BTreeMap<String, String>,
}

/// A distribution configuration as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredDistribution {
    /// Resource name.
    pub name: String,
    /// The home Region and those that get a copy.
    pub regions: Vec<DesiredRegion>,
    /// Over the name and all settings.
    pub fingerprint: String,
    /// Tags of the resource.
    pub tags: BTreeMap<String, String>,
}

/// What a build leaves in one Region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredRegion {
    /// Which.
    pub region: String,
    /// Name of the AMI, with the service's placeholders.
    pub ami_name: String,
    /// Accounts that may launch it.
    pub accounts: Vec<String>,
    /// Key of a copy.
    pub kms_key: Option<String>,
    /// Tags of a copy.
    pub ami_tags: BTreeMap<String, String>,
}

/// A pipeline as it should be. What it refers to is the rest of [`Desired`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredPipeline {
    /// Resource name.
    pub name: String,
    /// Description.
    pub description: String,
    /// When it starts by itself.
    pub schedule: Option<DesiredSchedule>,
    /// Whether it does.
    pub enabled: bool,
    /// Over the name and all settings, without what it refers to.
    pub fingerprint: String,
    /// Tags of the resource.
    pub tags: BTreeMap<String, String>,
}

/// When a pipeline starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredSchedule {
    /// `cron(…)` or `rate(…)`.
    pub expression: String,
    /// IANA name; UTC when absent.
    pub timezone: Option<String>,
    /// Whether it starts without anything new.
    pub always: bool,
    /// Failed runs in a row that disable it; the service's default when absent.
    pub disable_after: Option<u32>,
}

/// A patch baseline as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DesiredBaseline {
    /// What the recipe calls it.
    pub name: String,
    /// What Systems Manager calls it.
    pub resource_name: String,
    /// What it says, as `CreatePatchBaseline` takes it; absent for one of AWS, which is only looked for.
    pub definition: Option<serde_json::Value>,
    /// Over name and content.
    pub fingerprint: String,
    /// Tags of the resource.
    pub tags: BTreeMap<String, String>,
}

/// What to do to have what is desired.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Plan {
    /// Always [`SCHEMA`].
    pub schema: &'static str,
    /// Project name.
    pub project: String,
    /// Environment name.
    pub environment: String,
    /// Recipe name.
    pub recipe: String,
    /// Architecture.
    pub arch: String,
    /// Fingerprint of the image, in full.
    pub fingerprint: String,
    /// Parent AMI.
    pub parent_image: String,
    /// One per component (in run order), recipe and infrastructure configuration, kept ones too.
    pub changes: Vec<Change>,
    /// What happens about the image.
    pub image: ImagePlan,
    /// How much of the account's quotas the creations take; empty when nothing is created or nobody looked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub quotas: Vec<Room>,
    /// What the build will take; absent when there is nothing to build or nobody looked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Estimate>,
    /// What the changes lead to.
    #[serde(skip)]
    pub(crate) desired: Desired,
    /// Whether the documented quotas do not count, because they were raised.
    #[serde(skip)]
    pub(crate) over_quota: bool,
}

impl Plan {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.publishes_nothing() && matches!(self.image, ImagePlan::Keep { .. })
    }

    /// Whether every resource is there already; an image build may still be needed.
    #[must_use]
    pub fn publishes_nothing(&self) -> bool {
        self.changes.iter().all(|change| change.action == Action::Keep)
    }

    /// What should be there.
    #[must_use]
    pub fn desired(&self) -> &Desired {
        &self.desired
    }

    /// The same plan, to be carried out although a documented quota would be passed if `yes`: the account's was raised.
    #[must_use]
    pub fn despite_quotas(self, yes: bool) -> Self {
        Self { over_quota: yes, ..self }
    }
}

/// What a build is expected to take.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// Seconds from its start to the image, the shortest and the longest; the same when one number is known.
    pub seconds: (u64, u64),
    /// Where that is known from.
    pub basis: String,
    /// Instance type it is built and tested on, when the project names one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_type: Option<String>,
    /// What its instances cost in that time, by the `hourly_cost` of the environment; absent when the project states none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<(f64, f64)>,
}

/// One resource of a [`Plan`].
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Change {
    /// What is done.
    pub action: Action,
    /// What it is done to.
    pub kind: Kind,
    /// Resource name.
    pub name: String,
    /// Version it has or gets; absent for what has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// First twelve digits of the fingerprint.
    pub fingerprint: String,
    /// Why.
    pub reason: String,
    /// ARN when it exists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// What somebody has changed by hand since amiforge wrote it last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<String>,
}

impl Change {
    /// Whether something that is not this project's is in the way.
    #[must_use]
    pub fn foreign(&self) -> bool {
        self.action == Action::Foreign
    }
}

/// What is done to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// A new version is made.
    Create,
    /// It is changed in place (what Image Builder does not version).
    Update,
    /// It is there already.
    #[default]
    Keep,
    /// It is deleted, once nothing refers to it any more (what Image Builder does not version).
    Delete,
    /// Something that is not this project's is in the way: it is not touched, and nothing else is done either.
    Foreign,
}

/// Kinds of resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "Image Builder's own nouns")]
pub enum Kind {
    #[default]
    Component,
    Workflow,
    Recipe,
    Infrastructure,
    Distribution,
    Pipeline,
    Baseline,
}

impl Kind {
    /// Every kind, in the order in which they are made.
    pub const ALL: [Self; 7] = [
        Self::Component,
        Self::Workflow,
        Self::Recipe,
        Self::Infrastructure,
        Self::Distribution,
        Self::Pipeline,
        Self::Baseline,
    ];

    /// The noun in messages.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Component => "component",
            Self::Workflow => "workflow",
            Self::Recipe => "image recipe",
            Self::Infrastructure => "infrastructure configuration",
            Self::Distribution => "distribution configuration",
            Self::Pipeline => "image pipeline",
            Self::Baseline => "patch baseline",
        }
    }
}

/// What happens about the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "action", rename_all = "lowercase")]
pub enum ImagePlan {
    /// It must be built.
    Build {
        /// Why.
        reason: String,
    },
    /// A build of the same fingerprint is under way.
    Join {
        /// Image build version ARN.
        arn: String,
        /// Its state.
        status: String,
    },
    /// It is there already.
    Keep {
        /// Image build version ARN.
        arn: String,
        /// `1.0.3/1`.
        version: String,
        /// AMI in the home Region.
        ami: String,
    },
}

/// Text that names a place in tokens.
pub(super) fn place(location: &Location) -> String {
    format!("{}/{}", location.account, location.region)
}

//! Documents of the local environment that more than one service reads.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Kind of [`Ami`] documents in the store; the id is the AMI id.
pub const AMI: &str = "ami";

/// An AMI: a stack of read-only root-filesystem layers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are DescribeImages' own")]
pub struct Ami {
    pub id: String,
    pub name: String,
    pub description: String,
    /// Owner account; public parents belong to an account of their publisher.
    pub owner: String,
    pub public: bool,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// `available`, `pending`, `failed`, `disabled`, `deregistered`.
    pub state: String,
    /// RFC 3339.
    pub created_at: String,
    pub root_device: String,
    pub snapshot: String,
    pub volume_size: u32,
    pub volume_type: String,
    pub encrypted: bool,
    /// Whether `imdsSupport` is `v2.0`.
    pub imds_v2: bool,
    pub platform: String,
    pub tags: BTreeMap<String, String>,
    /// Topmost first; host paths.
    pub layers: Vec<PathBuf>,
    /// Accounts that may launch it, besides the owner.
    pub launch_permissions: Vec<String>,
    /// The AMI it was built or copied from.
    pub source: Option<String>,
    /// The Region of [`Ami::source`], of a copy.
    #[serde(default)]
    pub source_region: Option<String>,
    /// ARN of the customer-managed key of its snapshot; absent: its owner's AWS-managed key for EBS, when it is encrypted.
    #[serde(default)]
    pub kms_key: Option<String>,
    /// Code and message of why it is in its state.
    #[serde(default)]
    pub state_reason: Option<(String, String)>,
}

impl Ami {
    /// Whether its snapshot is encrypted with the AWS-managed key, which no other account can use.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.encrypted && self.kms_key.is_none()
    }
}

/// Kind of [`ComponentRecord`] documents; the id is the component build version ARN.
pub const COMPONENT: &str = "imagebuilder-component";

/// A component build version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are GetComponent's own")]
pub struct ComponentRecord {
    pub arn: String,
    pub name: String,
    /// `1.0.3`.
    pub version: String,
    pub build: u32,
    pub description: String,
    pub change_description: String,
    pub platform: String,
    pub supported_os_versions: Vec<String>,
    /// `BUILD` or `TEST`, derived from the document's phases.
    pub kind: String,
    pub data: String,
    pub created_at: String,
    pub tags: BTreeMap<String, String>,
}

/// Kind of [`RecipeRecord`] documents; the id is the recipe ARN.
pub const RECIPE: &str = "imagebuilder-recipe";

/// An image recipe version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are GetImageRecipe's own")]
pub struct RecipeRecord {
    pub arn: String,
    pub name: String,
    pub version: String,
    pub description: String,
    pub platform: String,
    /// As given: `ami-…`, `ssm:…` or an image ARN.
    pub parent_image: String,
    /// Component ARN as given (wildcards allowed) and parameter values.
    pub components: Vec<(String, BTreeMap<String, Vec<String>>)>,
    /// As given, JSON of the API.
    pub block_device_mappings: serde_json::Value,
    pub working_directory: String,
    pub ami_tags: BTreeMap<String, String>,
    /// As given, JSON of the API; null when absent.
    #[serde(default)]
    pub additional_instance_configuration: serde_json::Value,
    pub created_at: String,
    pub tags: BTreeMap<String, String>,
}

/// Kind of [`InfrastructureRecord`] documents; the id is the ARN.
pub const INFRASTRUCTURE: &str = "imagebuilder-infrastructure";

/// An infrastructure configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are GetInfrastructureConfiguration's own")]
pub struct InfrastructureRecord {
    pub arn: String,
    pub name: String,
    /// The request's fields as given (JSON of the API), without token and tags.
    pub body: serde_json::Value,
    pub created_at: String,
    pub updated_at: Option<String>,
    pub tags: BTreeMap<String, String>,
}

/// Kind of [`DistributionRecord`] documents; the id is the ARN.
pub const DISTRIBUTION: &str = "imagebuilder-distribution";

/// A distribution configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are GetDistributionConfiguration's own")]
pub struct DistributionRecord {
    pub arn: String,
    pub name: String,
    pub description: String,
    /// As given, JSON of the API.
    pub distributions: serde_json::Value,
    pub created_at: String,
    pub updated_at: Option<String>,
    pub tags: BTreeMap<String, String>,
}

/// Kind of [`PipelineRecord`] documents; the id is the ARN.
pub const PIPELINE: &str = "imagebuilder-pipeline";

/// An image pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are GetImagePipeline's own")]
pub struct PipelineRecord {
    pub arn: String,
    pub name: String,
    pub platform: String,
    /// The request's fields as given (JSON of the API), without token and tags.
    pub body: serde_json::Value,
    pub created_at: String,
    pub updated_at: Option<String>,
    /// When it was started last, and the image build version ARN.
    pub last_run: Option<(String, String)>,
    pub tags: BTreeMap<String, String>,
}

impl PipelineRecord {
    /// Whether it names that resource.
    #[must_use]
    pub fn refers_to(&self, arn: &str) -> bool {
        let members = self.body.as_object().into_iter().flatten();
        members.filter_map(|(_, value)| value.as_str()).any(|value| value == arn)
    }

    /// The ARNs of its workflows as given.
    pub fn workflows(&self) -> impl Iterator<Item = &str> {
        let entries = self.body.get("workflows").and_then(serde_json::Value::as_array);
        entries.into_iter().flatten().filter_map(|entry| entry.get("workflowArn")?.as_str())
    }
}

/// Kind of [`WorkflowRecord`] documents; the id is the workflow build version ARN.
pub const WORKFLOW_DOCUMENT: &str = "imagebuilder-workflow";

/// A workflow build version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are GetWorkflow's own")]
pub struct WorkflowRecord {
    pub arn: String,
    pub name: String,
    pub version: String,
    pub build: u32,
    /// `BUILD`, `TEST` or `DISTRIBUTION`.
    pub kind: String,
    pub description: String,
    pub change_description: String,
    pub data: String,
    pub created_at: String,
    pub tags: BTreeMap<String, String>,
}

/// Kind of [`ImageScan`] documents; the id is the AMI id.
pub const IMAGE_SCAN: &str = "ec2-image-scan";

/// The newest scan of an AMI by Amazon Inspector, as EC2 shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageScan {
    /// RFC 3339.
    pub scanned_at: String,
    /// What was found.
    pub findings: Vec<ImageFinding>,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields are GetImageFindings' own")]
pub struct ImageFinding {
    pub title: String,
    /// `informational`, `low`, `medium`, `high` or `critical`.
    pub severity: String,
    pub fix_available: bool,
    /// RFC 3339.
    pub first_observed_at: String,
    /// RFC 3339.
    pub updated_at: String,
}

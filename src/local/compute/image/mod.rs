//! Image Builder images: their records, the operations on them, and the build itself.
//!
//! | file | what it is for |
//! |---|---|
//! | `create` | `CreateImage`: checks, the next build number, the record, the build's thread |
//! | `operations` | get, list, cancel, delete |
//! | `workflow` | workflow executions and their steps, and the operations that tell them |
//! | `build` | the build from PENDING to AVAILABLE |
//! | `stage`, `actions` | one workflow: its steps and its instances |
//! | `failure` | why a build did not succeed, as `state.reason` and `failureContext` |
//! | `resolve` | what a recipe stands for when the build starts: parent AMI, component versions |
//! | `apply` | running component documents in an instance |
//! | `outside` | what components may ask for |
//! | `output` | the new AMI |
//! | `distribute` | names, copies, launch templates and parameters of a distribution configuration |
//! | `undistributed` | why that did not succeed |
//! | `pipeline` | what a pipeline starts |
//! | `flow`, `condition` | what workflows are made of |
//! | `waiting` | steps that wait for somebody |
//! | `scripted` | builds that follow a script instead |

mod actions;
mod apply;
mod build;
mod condition;
mod create;
mod distribute;
mod failure;
mod flow;
mod notify;
mod operations;
mod output;
mod outside;
mod pipeline;
mod resolve;
mod sanitize;
pub(in crate::local) mod scripted;
mod stage;
mod undistributed;
mod waiting;
mod workflow;

pub(super) use build::close;
pub(super) use create::create_image;
pub(super) use operations::{
    cancel_image_creation, delete_image, get_image, list_image_build_versions, list_image_scan_findings, list_images,
};
pub(super) use output::{IMAGE_ARN_TAG, discard as discard_ami, instance_tags};
pub(super) use workflow::{
    WORKFLOW, WorkflowExecution, WorkflowStatus, get_workflow_execution, get_workflow_step_execution,
    list_workflow_executions, list_workflow_step_executions,
};

pub(super) use pipeline::{list_image_pipeline_images, start_image_pipeline_execution};
pub(super) use waiting::{list_waiting_workflow_steps, send_workflow_step_action};

use super::process::Owner;
use crate::local::input::compact;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Kind of [`ImageRecord`] documents; the id is the image build version ARN.
pub(super) const IMAGE: &str = "imagebuilder-image";

/// An image build version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ImageRecord {
    pub(super) arn: String,
    pub(super) name: String,
    /// `1.0.3`, the recipe's.
    pub(super) version: String,
    pub(super) build: u32,
    pub(super) status: ImageStatus,
    /// Why it failed or was cancelled.
    pub(super) reason: Option<String>,
    /// `failureContext` of the API.
    pub(super) failure: Option<Value>,
    pub(super) recipe_arn: String,
    pub(super) infrastructure_arn: String,
    /// `imageRecipe` and `infrastructureConfiguration` as they were when the build was asked for.
    pub(super) recipe: Value,
    pub(super) infrastructure: Value,
    pub(super) tests_enabled: bool,
    pub(super) tests_timeout_minutes: i64,
    pub(super) enhanced_metadata: bool,
    /// For example `Debian GNU/Linux 12`; known once the build instance runs.
    pub(super) os_version: String,
    /// RFC 3339.
    pub(super) created_at: String,
    pub(super) tags: BTreeMap<String, String>,
    /// The AMI it produced; told at AVAILABLE only, as the service does.
    pub(super) ami: Option<OutputAmi>,
    /// The process that builds it.
    pub(super) owner: Owner,
    /// Set by `CancelImageCreation`; the building process sees it within a moment.
    pub(super) cancel_requested: bool,
    /// What else was asked for.
    #[serde(default)]
    pub(super) wishes: Wishes,
}

/// What an image may have and need not.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Wishes {
    /// `distributionConfiguration` as it was when the build was asked for; null without one.
    pub(super) distribution: Value,
    /// ARN and name of the pipeline that was started.
    pub(super) pipeline: Option<(String, String)>,
    /// `workflows` as given; null for the managed ones.
    pub(super) workflows: Value,
    pub(super) execution_role: Option<String>,
    /// AMIs in other Regions and accounts.
    pub(super) copies: Vec<OutputAmi>,
}

/// The AMI of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OutputAmi {
    pub(super) region: String,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) account: String,
}

/// `ImageStatus`, as far as it occurs here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum ImageStatus {
    Pending,
    Creating,
    Building,
    Testing,
    Distributing,
    Integrating,
    Available,
    Failed,
    Cancelled,
}

impl ImageStatus {
    /// The service's word.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Creating => "CREATING",
            Self::Building => "BUILDING",
            Self::Testing => "TESTING",
            Self::Distributing => "DISTRIBUTING",
            Self::Integrating => "INTEGRATING",
            Self::Available => "AVAILABLE",
            Self::Failed => "FAILED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// Whether the build has ended.
    pub(super) const fn is_final(self) -> bool {
        matches!(self, Self::Available | Self::Failed | Self::Cancelled)
    }

    /// Whether the service goes from here to `next` (image-builder.md 11.1).
    pub(super) fn may_become(self, next: Self) -> bool {
        match next {
            Self::Failed | Self::Cancelled => !self.is_final(),
            Self::Creating => self == Self::Pending,
            Self::Building => self == Self::Creating,
            Self::Testing => self == Self::Building,
            Self::Distributing => matches!(self, Self::Building | Self::Testing),
            Self::Integrating => self == Self::Distributing,
            Self::Available => matches!(self, Self::Distributing | Self::Integrating),
            Self::Pending => false,
        }
    }
}

impl ImageRecord {
    /// `state` of an answer.
    pub(super) fn state_json(&self) -> Value {
        let mut state = json!({"status": self.status.word()});
        if let Some(reason) = &self.reason {
            state["reason"] = json!(reason);
        }
        if let Some(failure) = &self.failure {
            state["failureContext"] = failure.clone();
        }
        state
    }

    /// `outputResources` of an answer.
    pub(super) fn output_json(&self) -> Value {
        let told = self.status == ImageStatus::Available;
        let amis: Vec<Value> = self
            .ami
            .iter()
            .chain(&self.wishes.copies)
            .filter(|_| told)
            .map(|ami| {
                compact(json!({
                    "region": ami.region,
                    "image": ami.id,
                    "name": ami.name,
                    "description": ami.description,
                    "accountId": ami.account,
                    "state": {"status": self.status.word()},
                }))
            })
            .collect();
        json!({"amis": amis})
    }
}

/// The ARN of an image version: the build version's without its build number.
pub(super) fn version_arn(build_version_arn: &str) -> &str {
    build_version_arn.rsplit_once('/').map_or(build_version_arn, |(version, _)| version)
}

/// A version's three numbers, for ordering.
pub(super) fn version_numbers(version: &str) -> Option<[u32; 3]> {
    let mut numbers = version.split('.').map(str::parse);
    let parsed = [numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?];
    numbers.next().is_none().then_some(parsed)
}

/// Whether a version is one of those that `pattern` (`1.2.x`, `x.x.x`, `1.2.3`) means.
pub(super) fn version_matches(pattern: &str, version: &str) -> bool {
    let (pattern, version): (Vec<&str>, Vec<&str>) = (pattern.split('.').collect(), version.split('.').collect());
    pattern.len() == version.len() && pattern.iter().zip(&version).all(|(want, have)| *want == "x" || want == have)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An image that is being built, for tests of record logic.
    pub(in super::super) fn record(version: &str, build: u32) -> ImageRecord {
        ImageRecord {
            arn: format!("arn:aws:imagebuilder:us-east-1:000000000000:image/web/{version}/{build}"),
            name: "web".into(),
            version: version.into(),
            build,
            status: ImageStatus::Building,
            reason: None,
            failure: None,
            recipe_arn: format!("arn:aws:imagebuilder:us-east-1:000000000000:image-recipe/web/{version}"),
            infrastructure_arn: "arn:aws:imagebuilder:us-east-1:000000000000:infrastructure-configuration/i".into(),
            recipe: json!({}),
            infrastructure: json!({}),
            tests_enabled: true,
            tests_timeout_minutes: 720,
            enhanced_metadata: true,
            os_version: String::new(),
            created_at: "2026-01-02T03:04:05Z".into(),
            tags: BTreeMap::new(),
            ami: None,
            owner: Owner::current().unwrap(),
            cancel_requested: false,
            wishes: Wishes::default(),
        }
    }

    #[test]
    fn states_follow_the_services_order() {
        use ImageStatus::*;
        let order = [Pending, Creating, Building, Testing, Distributing, Integrating, Available];
        for pair in order.windows(2) {
            assert!(pair[0].may_become(pair[1]), "{pair:?}");
            assert!(!pair[1].may_become(pair[0]), "{pair:?}");
            assert!(pair[0].may_become(Failed) && pair[0].may_become(Cancelled));
        }
        assert!(Building.may_become(Distributing), "without tests");
        assert!(Distributing.may_become(Available), "without anything to integrate");
        for ended in [Available, Failed, Cancelled] {
            assert!(!ended.may_become(Failed) && !ended.may_become(Cancelled));
        }
    }

    #[test]
    fn the_output_is_told_at_the_end_only() {
        let ami = OutputAmi {
            region: "us-east-1".into(),
            id: "ami-1".into(),
            name: "web".into(),
            description: String::new(),
            account: "000000000000".into(),
        };
        let mut image = ImageRecord { ami: Some(ami), ..record("1.0.0", 1) };
        assert_eq!(image.output_json()["amis"].as_array().unwrap().len(), 0);
        image.status = ImageStatus::Available;
        assert_eq!(image.output_json()["amis"][0]["image"], "ami-1");
    }

    #[test]
    fn versions_are_numbers_and_match_wildcards() {
        assert!(version_numbers("1.10.0") > version_numbers("1.9.9"));
        assert_eq!(version_numbers("1.0"), None);
        assert_eq!(version_numbers("1.0.0.0"), None);
        assert!(version_matches("1.x.x", "1.9.2") && version_matches("x.x.x", "0.0.1"));
        assert!(!version_matches("1.2.x", "1.3.0") && !version_matches("1.2.x", "1.2"));
        assert_eq!(version_arn("a:image/web/1.0.0/3"), "a:image/web/1.0.0");
    }
}

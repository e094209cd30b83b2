//! What is in the account, as far as plans look at it.

use super::arn::Version;
use super::model::ComponentContent;
use super::settings::Settings;
use crate::baseline;
use std::collections::BTreeMap;

/// What is in the account.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observed {
    /// Component versions by resource name, in any order. Old versions may be left out once one with the desired
    /// fingerprint was seen; the highest version is always there.
    pub components: BTreeMap<String, Vec<ObservedComponent>>,
    /// Versions of the desired workflows, in any order.
    pub workflows: Vec<ObservedComponent>,
    /// Versions of the image recipe, in any order.
    pub recipes: Vec<ObservedRecipe>,
    /// The infrastructure configuration.
    pub infrastructure: Option<ObservedConfiguration>,
    /// The distribution configuration of that name.
    pub distribution: Option<ObservedConfiguration>,
    /// The pipeline of that name.
    pub pipeline: Option<ObservedPipeline>,
    /// Patch baselines of that name in the home Region, and the default of the operating system; absent when nobody looked.
    pub baseline: Option<baseline::Observed>,
    /// Image builds with the desired fingerprint, in any order.
    pub images: Vec<ObservedImage>,
}

/// A component version that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedComponent {
    /// Its version.
    pub version: Version,
    /// Build version ARN.
    pub arn: String,
    /// From its tag; absent when amiforge did not make it or it can no longer be used.
    pub fingerprint: Option<String>,
    /// Its content, read for the newest when that is not the desired one: to say what changed.
    pub content: Option<ComponentContent>,
}

/// An image recipe version that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedRecipe {
    /// Its version.
    pub version: Version,
    /// Its ARN.
    pub arn: String,
    /// From its tag.
    pub fingerprint: Option<String>,
    /// Parent image as given.
    pub parent_image: String,
    /// Read for the newest when that is not the desired one.
    pub content: Option<RecipeContent>,
}

/// The parts of a recipe version that explain a change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RecipeContent {
    /// Component build version ARNs in order, each with its parameters.
    pub components: Vec<(String, BTreeMap<String, String>)>,
}

/// An infrastructure or distribution configuration that exists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObservedConfiguration {
    /// Its ARN.
    pub arn: String,
    /// From its tag.
    pub fingerprint: Option<String>,
    /// The project its tag names; absent when amiforge did not make it.
    pub project: Option<String>,
    /// What it really says.
    pub settings: Settings,
}

/// A pipeline that exists.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObservedPipeline {
    /// ARN, tags and settings.
    pub configuration: ObservedConfiguration,
    /// Image recipe it builds.
    pub recipe: String,
    /// Infrastructure configuration it builds on.
    pub infrastructure: String,
    /// Distribution configuration it uses.
    pub distribution: Option<String>,
    /// Scheduled runs that failed in a row.
    pub failures: u32,
}

/// An image build with the desired fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedImage {
    /// Image build version ARN.
    pub arn: String,
    /// `1.0.3/1`.
    pub version: String,
    /// As the service spells it, for example `AVAILABLE`.
    pub status: String,
    /// Its AMI in the home Region.
    pub ami: Option<String>,
}

impl ObservedImage {
    /// Whether it can be used.
    #[must_use]
    pub fn available(&self) -> bool {
        self.status == "AVAILABLE" && self.ami.is_some()
    }

    /// Whether it is still being built. States this version does not know count as such: they have not ended.
    #[must_use]
    pub fn in_flight(&self) -> bool {
        !matches!(self.status.as_str(), "AVAILABLE" | "FAILED" | "CANCELLED" | "DEPRECATED" | "DISABLED" | "DELETED")
    }
}

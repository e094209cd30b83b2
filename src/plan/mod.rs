//! Desired resources against the account: fingerprints, versions, the list of changes.
//!
//! [`desired`] says what should be there (pure), [`observe`] what is there, [`diff`] what to do about it (pure), and
//! [`publish`] does it. What is published is never edited: the same fingerprint anywhere among the versions of a
//! resource means that nothing is created, another one becomes the next version. Only what Image Builder does not version
//! is updated in place: infrastructure and distribution configurations, pipelines. What refers to others is changed after
//! they exist, and deleted before they are.

mod arn;
mod baseline;
mod configuration;
mod desired;
mod diff;
mod diff_configuration;
mod documents;
mod error;
mod fingerprint;
pub(crate) mod keep;
mod lists;
mod model;
mod observe;
mod observe_configuration;
mod observed;
mod publish;
mod publish_configuration;
pub mod quota;
mod saved;
mod settings;
mod workflow;

pub use arn::Version;
pub use desired::desired;
pub use diff::diff;
pub use error::PlanError;
pub use keep::keeping;
pub use model::{
    Action, Change, ComponentContent, Desired, DesiredBaseline, DesiredComponent, DesiredDistribution,
    DesiredInfrastructure, DesiredPipeline, DesiredRecipe, DesiredRegion, DesiredSchedule, DesiredWorkflow, Estimate,
    ImagePlan, Kind, Plan, SCHEMA,
};
pub use observe::{observe, observe_many};
pub use observed::{
    Observed, ObservedComponent, ObservedConfiguration, ObservedImage, ObservedPipeline, ObservedRecipe, RecipeContent,
};
pub use publish::{Published, PublishedWorkflow, publish};
pub use saved::{SAVED_SCHEMA, SavedError, SavedPlan};
pub use settings::Settings;

pub(crate) use arn::{build_version, normalise, resource};
pub(crate) use fingerprint::{digest, token};
pub(crate) use observe::images;
pub(crate) use publish_configuration::{role, workflows};

/// A desired state for tests of other rooms.
#[cfg(test)]
pub(crate) fn fixture() -> Desired {
    desired::tests::of(&[("a", "one")], "ami-0")
}

/// A project with one recipe for tests of other rooms.
#[cfg(test)]
pub(crate) fn project_fixture() -> (crate::project::Project, crate::project::Recipe) {
    let (project, _, recipe) = desired::tests::fixture(&[("a", "one")]);
    (project, recipe)
}

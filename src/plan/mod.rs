//! Desired resources against the account: fingerprints, versions, the list of changes.
//!
//! [`desired`] says what should be there (pure), [`observe`] what is there, [`diff`] what to do about it (pure), and
//! [`publish`] does it. What is published is never edited: the same fingerprint anywhere among the versions of a
//! resource means that nothing is created, another one becomes the next version. Only the infrastructure
//! configuration, which Image Builder does not version, is updated in place.

mod arn;
mod desired;
mod diff;
mod error;
mod fingerprint;
mod model;
mod observe;
mod publish;

pub use arn::Version;
pub use desired::desired;
pub use diff::diff;
pub use error::PlanError;
pub use model::{
    Action, Change, ComponentContent, Desired, DesiredComponent, DesiredInfrastructure, DesiredRecipe, ImagePlan, Kind,
    Observed, ObservedComponent, ObservedImage, ObservedInfrastructure, ObservedRecipe, Plan, RecipeContent, SCHEMA,
};
pub use observe::observe;
pub use publish::{Published, publish};

pub(crate) use arn::{build_version, normalise, resource};
pub(crate) use fingerprint::{digest, token};
pub(crate) use observe::images;

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

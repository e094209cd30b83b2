//! How much of a kind an account may have, and how much it has: what a plan would create must fit before anything is created.
//!
//! The quotas are those that are documented; that one was raised is not seen here. They count per account and Region.

use super::error::PlanError;
use super::model::{Action, Kind, Plan};
use crate::aws::{CallError, Cloud};
use aws_sdk_imagebuilder::types::Ownership;
use serde::Serialize;
use std::collections::BTreeSet;

/// What is used of a quota, and what a plan needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Room {
    /// Of what.
    pub kind: Kind,
    /// How many there are.
    pub used: usize,
    /// How many the plan creates.
    pub create: usize,
    /// How many there may be.
    pub limit: usize,
}

impl Room {
    /// Whether the creations do not fit.
    #[must_use]
    pub const fn passed(&self) -> bool {
        self.used + self.create > self.limit
    }
}

impl std::fmt::Display for Room {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { kind, used, create, limit } = self;
        write!(f, "{used} of {limit} {}s are used, {create} to create", kind.word())
    }
}

/// The documented quota of a kind: image-builder.md 16 as of mid 2026, patch baselines by general knowledge of AWS.
#[must_use]
pub const fn limit(kind: Kind) -> usize {
    match kind {
        Kind::Component | Kind::Workflow | Kind::Recipe | Kind::Infrastructure | Kind::Distribution => 1_000,
        Kind::Pipeline => 75,
        Kind::Baseline => 50,
    }
}

/// How many of a kind the home account and Region have.
///
/// # Errors
/// When a call fails.
pub async fn used(cloud: &Cloud, kind: Kind) -> Result<usize, CallError> {
    let (client, home) = (cloud.imagebuilder(), cloud.home());
    macro_rules! count {
        ($call:expr, $operation:literal, $list:ident) => {{
            let mut pages = $call.into_paginator().send();
            let mut count = 0;
            while let Some(page) = pages.next().await {
                count += page.map_err(CallError::of($operation, home))?.$list().len();
            }
            count
        }};
    }
    let own = Ownership::SelfValue;
    Ok(match kind {
        Kind::Component => count!(client.list_components().owner(own), "ListComponents", component_version_list),
        Kind::Workflow => count!(client.list_workflows().owner(own), "ListWorkflows", workflow_version_list),
        Kind::Recipe => count!(client.list_image_recipes().owner(own), "ListImageRecipes", image_recipe_summary_list),
        Kind::Infrastructure => count!(
            client.list_infrastructure_configurations(),
            "ListInfrastructureConfigurations",
            infrastructure_configuration_summary_list
        ),
        Kind::Distribution => count!(
            client.list_distribution_configurations(),
            "ListDistributionConfigurations",
            distribution_configuration_summary_list
        ),
        Kind::Pipeline => count!(client.list_image_pipelines(), "ListImagePipelines", image_pipeline_list),
        Kind::Baseline => {
            let own = aws_sdk_ssm::types::PatchOrchestratorFilter::builder().key("OWNER").values("Self").build();
            let call = cloud.ssm(home).describe_patch_baselines().filters(own);
            count!(call, "DescribePatchBaselines", baseline_identities)
        }
    })
}

/// The quotas that plans take something of; what two of them create together counts once.
///
/// # Errors
/// When a call fails.
pub async fn rooms(cloud: &Cloud, plans: &[Plan]) -> Result<Vec<Room>, CallError> {
    let mut rooms = Vec::new();
    for kind in Kind::ALL {
        let create = created(plans, kind);
        if create > 0 {
            rooms.push(Room { kind, used: used(cloud, kind).await?, create, limit: limit(kind) });
        }
    }
    Ok(rooms)
}

/// Refuses what does not fit.
///
/// # Errors
/// [`PlanError::Quota`] with all that would be passed.
pub fn check(rooms: &[Room]) -> Result<(), PlanError> {
    let rooms: Vec<Room> = rooms.iter().copied().filter(Room::passed).collect();
    if rooms.is_empty() { Ok(()) } else { Err(PlanError::Quota { rooms }) }
}

fn created(plans: &[Plan], kind: Kind) -> usize {
    let changes = plans.iter().flat_map(|plan| &plan.changes);
    let new = changes.filter(|change| change.kind == kind && change.action == Action::Create);
    new.map(|change| (&change.name, change.version, &change.fingerprint)).collect::<BTreeSet<_>>().len()
}

#[cfg(test)]
mod tests {
    use super::super::model::Change;
    use super::super::observed::Observed;
    use super::super::{diff, fixture};
    use super::*;

    #[test]
    fn what_several_plans_create_counts_once() {
        let plan = diff(&fixture(), &Observed::default());
        assert_eq!(created(std::slice::from_ref(&plan), Kind::Component), 1);
        let mut other = plan.clone();
        other.changes.push(Change { action: Action::Create, name: "more".into(), ..Change::default() });
        assert_eq!(created(&[plan.clone(), other], Kind::Component), 2);
        assert_eq!(created(&[plan], Kind::Pipeline), 0);
    }

    #[test]
    fn the_last_one_fits_and_the_next_does_not() {
        let room =
            |used: usize, create: usize| Room { kind: Kind::Pipeline, used, create, limit: limit(Kind::Pipeline) };
        assert!(!room(74, 1).passed() && !room(75, 0).passed());
        assert!(room(75, 1).passed() && room(74, 2).passed());
        assert_eq!(room(74, 2).to_string(), "74 of 75 image pipelines are used, 2 to create");
    }
}

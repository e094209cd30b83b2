//! Channels, releases, promotion, rollback, revocation.
//!
//! A promotion moves one channel to one release. What it will do is a value first: [`plan`] is a pure function from
//! what is wanted and what is there to a [`Plan`], whose [`steps`](Plan::steps) stand in DESIGN section 8's order, each
//! with its undo. [`execute`] carries them out without a choice of its own. Everything needed to finish or to undo is
//! in the journal before anything is touched, so a program that dies anywhere leaves what [`resume`] needs.
//!
//! The channel's record is the point of no return: before it is written, a failure puts every pointer back; once it is
//! written, the promotion has happened and only cleaning up is left.

mod approve;
mod canary;
mod document;
mod drift;
mod encryption;
mod error;
mod execute;
mod image;
mod model;
mod names;
mod older;
mod perform;
mod planner;
mod previous;
mod refresh;
mod releases;
mod remedy;
mod resume;
mod revoke;
mod rollback;
mod rules;
mod state;
mod steps;
mod store;
mod supply;
mod template;
mod undo;

pub use approve::{Consent, approve};
pub use drift::{Difference, drift, prepare_repair, repair};
pub use error::{CanaryFailure, Failure, PromoteError, StepError};
pub use execute::execute;
pub use model::{
    Approval, Canary, Candidate, Decision, How, LeftOut, Move, Order, ParameterMove, ParameterPointer, Placed, Plan,
    Promotion, Release, Supply, TemplateBefore, TemplateMove, TemplatePointer,
};
pub use planner::plan;
pub use previous::previous;
pub use refresh::{
    Outcome as RefreshOutcome, Preview as GroupPreview, RefreshError, Refreshed, Wanted,
    exit_code as refresh_exit_code, preview as preview_groups, refresh as refresh_groups, resume_command,
    survey as survey_groups,
};
pub use releases::{KnownRelease, Stay, releases};
pub use resume::{Direction, Resumed, resume};
pub use revoke::{
    ChannelEnd, ChannelMove, ImageEnd, ImageNow, NamingTemplate, Progress, Restored, RestoredImage, Revocation,
    Revoked, RunningInstance, Users, Withdraw, Withdrawal, prepare as prepare_revocation, restore, revoke, standing,
    standings,
};
pub use rollback::{history, prepare as prepare_rollback, rollback};
pub use state::{State, observe};
pub use steps::{Step, Undo};

pub(crate) use encryption::{KeyNow, foresee as foresee_keys, foreseen as foreseen_keys};
pub(crate) use names::record as record_name;
pub(crate) use state::default_image;
pub(crate) use store::{get as get_parameter, get_many as get_parameters, release as read_release};

use crate::aws::Cloud;
use crate::event::Events;

/// The reason in the record of a channel that was moved back on purpose.
pub const ROLLED_BACK: &str = "rolled back";

/// Moves a channel to a candidate: looks, plans, executes. Nothing is done when the channel is there already.
///
/// # Errors
/// When it is refused (not approved, a rule of the channel, locked), or fails; then what was moved was put back, unless
/// the error says otherwise.
pub async fn promote(
    cloud: &Cloud,
    order: &Order<'_>,
    candidate: &Candidate,
    approval: &Approval,
    events: &Events,
) -> Result<Promotion, PromoteError> {
    match prepare(cloud, order, candidate, approval).await? {
        Decision::Nothing(release) => Ok(Promotion::unchanged(*release)),
        Decision::Go(plan) => execute(cloud, &plan, events).await,
    }
}

/// What [`promote`] would do. Changes nothing.
///
/// # Errors
/// Every reason not to promote.
pub async fn prepare(
    cloud: &Cloud,
    order: &Order<'_>,
    candidate: &Candidate,
    approval: &Approval,
) -> Result<Decision, PromoteError> {
    let builder = approve::builder(cloud, order, candidate.image_arn.as_deref()).await?;
    let state = State { builder, ..observe(cloud, order, candidate).await? };
    plan(order, candidate, Some(approval), &state, cloud.clock().now())
}

#[cfg(test)]
mod many_tests;

#[cfg(test)]
#[path = "flow_tests.rs"]
mod flow_tests;

//! All of it in one go, each stage through the room that owns it.
//!
//! DESIGN gives the verbs one call into the library each. The calls that need more than one room (a build publishes
//! first, a promotion needs verdicts) live here, so that `run` and the single verbs do the same work.

mod before;
mod channel;
mod commands;
mod compare;
mod error;
mod fleet;
mod inspector;
mod judge;
mod planned;
mod revoke;
mod saved;
pub mod schedule;
mod select;
mod settle;
mod stages;
mod stored;
mod verify;

pub use channel::Moving;
use channel::holder;
pub use error::RunError;
pub use fleet::{
    Fleet, FleetOptions, FleetReport, ImageResult, ImageRow, StatusReport, StatusRow, after, builds_of, worst,
};
use inspector::{inspector, is_gone};
pub use planned::{Planned, plans};
pub use revoke::Withdrawing;
pub use saved::publish_saved;
pub use select::{Item, SelectError, Wanted, select};
pub use stages::{Candidate, Judged, Work, inventory};
pub use verify::{Verified, asks_kms, verify_file, verify_image};

use crate::build::Built;
use crate::event::Events;
use crate::evidence::Evidence;
use crate::gate::Verdict;
use crate::plan::{Desired, ImagePlan, Plan};
use crate::promote::{self, Promotion};
use serde::Serialize;
use std::path::PathBuf;

/// What a run has made or found.
#[derive(Debug, Serialize)]
pub struct RunReport {
    /// Always `amiforge.run/1`.
    pub schema: &'static str,
    /// Project name.
    pub project: String,
    /// Recipe name.
    pub recipe: String,
    /// Architecture.
    pub arch: String,
    /// Environment name.
    pub environment: String,
    /// Home Region.
    pub region: String,
    /// Whether anything was created or moved.
    pub changed: bool,
    /// What was planned.
    pub plan: Plan,
    /// The image.
    pub image: Built,
    /// What is known of it.
    pub evidence: Evidence,
    /// Digest of the evidence.
    pub digest: String,
    /// Where the evidence lies.
    pub evidence_file: PathBuf,
    /// The gates' verdicts.
    pub verdicts: Vec<Verdict>,
    /// Where it was promoted to.
    pub promotion: Promotion,
}

/// Runs every stage for one image and moves the first channel.
///
/// # Errors
/// The first stage that fails ends the run; what it had made stays and is found by the next run.
pub async fn all(work: &Work<'_>, fresh: bool, over_quota: bool, events: &Events) -> Result<RunReport, RunError> {
    let rendered = work.check(events)?;
    let plan = work.plan(&rendered, fresh, events).await?.despite_quotas(over_quota);
    if let (ImagePlan::Build { .. }, Desired { recipe, .. }) = (&plan.image, plan.desired())
        && recipe.encrypted
    {
        // A build takes half an hour, and what it makes could go nowhere.
        promote::foresee_keys(work.cloud, &recipe.name, recipe.kms_key.as_deref()).await?;
    }
    let image = work.build(&rendered, &plan, fresh, events).await?;
    work.respect_revocation(&image.ami).await?;
    let judged = work.validate(&image, &plan.fingerprint, events).await?;
    let channel = work.first_channel()?;
    work.respect_rollback(&image, channel).await?;
    let promotion = work.promote(&image, &judged, channel, &Moving::default(), events).await?;
    let changed = !plan.is_empty() || !image.reused || !judged.reused || promotion.changed;
    Ok(RunReport {
        schema: "amiforge.run/1",
        project: work.project.name.clone(),
        recipe: work.recipe.name.clone(),
        arch: work.arch.name().to_owned(),
        environment: work.cloud.environment().to_owned(),
        region: work.cloud.home().region.clone(),
        changed,
        plan,
        image,
        digest: judged.digest,
        evidence: judged.evidence,
        evidence_file: judged.file,
        verdicts: judged.verdicts,
        promotion,
    })
}

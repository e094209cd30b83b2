//! Takes a revocation back.
//!
//! Every image can be launched again, by those who could before, and carries the mark of approval again if its evidence
//! is right. No channel is moved: who restores says that the release may be used, not that it should be. The record goes
//! last: until everything else is done, nothing is promoted.

use super::copies::{Copies, Copy};
use super::execute::{taken, unrecorded};
use super::record::{self, Progress, Revocation, standing};
use super::{Known, Withdraw, images, lock, survey};
use crate::aws::Cloud;
use crate::event::{Events, Stage};
use crate::promote::error::{PromoteError, StepError};
use crate::promote::image;
use crate::promote::model::{Approval, LeftOut, Order};
use crate::promote::rules;
use crate::promote::state::LANES;
use crate::promote::steps::Step;
use futures_util::{StreamExt as _, stream};
use serde::Serialize;

/// What restoring has led to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// Always `amiforge.restored/1`.
    pub schema: &'static str,
    /// The revocation that was taken back.
    pub revocation: Revocation,
    /// Why it was taken back.
    pub reason: String,
    /// Its images.
    pub images: Vec<RestoredImage>,
    /// Why they do not carry the mark of approval.
    pub unapproved: Option<String>,
    /// Places where images could not be looked for.
    pub unseen: Vec<LeftOut>,
    /// Whether the release can be used everywhere again.
    pub complete: bool,
}

/// An image that was restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "names say it")]
pub struct RestoredImage {
    pub account: String,
    pub region: String,
    pub ami: String,
    /// Whether it carries the mark of approval again.
    pub approved: bool,
    /// Who may launch it again besides the owner.
    pub launched_by: Vec<String>,
    /// Why it could not be restored.
    pub failed: Option<String>,
}

/// Restores a release. `approval` is what is known of its evidence, or why it may not be used; its error is that nobody
/// knows.
///
/// # Errors
/// That of `approval`. When there is no such release, it is not revoked, somebody else is at it, or nothing can be written
/// down.
pub async fn restore<E: From<PromoteError>>(
    cloud: &Cloud,
    order: &Withdraw<'_>,
    approval: impl AsyncFnOnce(&str) -> Result<Result<Approval, String>, E>,
    events: &Events,
) -> Result<Restored, E> {
    order.check()?;
    let first = order.first()?;
    let histories = survey::histories(cloud, order).await?;
    let release = survey::find(cloud, order, &histories).await?;
    let (project, recipe, arch) = (first.project.name.as_str(), first.recipe, first.arch);
    let revocation = standing(cloud, project, recipe, arch, &release.ami).await?;
    let copies = survey::find_copies(cloud, &release, &histories).await;
    let revocation = match revocation {
        Some(revocation) => revocation,
        None if copies.found.iter().any(|found| found.tagged) => lost(first, &release),
        None => {
            lock::clear(cloud, first, &release.ami, order.resume).await?;
            return Err(PromoteError::NotRevoked { ami: release.ami }.into());
        }
    };
    let revocation = Revocation { progress: Progress::Restoring, ..revocation };
    let unapproved = approved(cloud, &release.ami, approval).await?;
    let held = lock::take(cloud, first, &revocation.id, order.resume).await?;
    let run = Run { cloud, order, events, revocation, unapproved };
    let ended = run.run(&held, copies).await;
    match (ended, held.release(cloud).await) {
        (Ok(_), Err(cause)) => Err(PromoteError::Untidy { step: Step::Unlock, cause }.into()),
        (ended, _) => Ok(ended?),
    }
}

/// A revocation whose record is gone, and of which only tags are left.
fn lost(order: &Order<'_>, release: &Known) -> Revocation {
    Revocation {
        schema: record::SCHEMA.to_owned(),
        id: crate::plan::token(&["restore", &release.ami, &order.holder]),
        project: order.project.name.clone(),
        recipe: release.recipe.clone(),
        arch: release.arch.clone(),
        ami: release.ami.clone(),
        image_arn: release.image_arn.clone(),
        image_version: release.image_version.clone(),
        progress: Progress::Restoring,
        channels: vec![],
        reason: "its record is gone; its images say that it was revoked".to_owned(),
        at: "unknown".to_owned(),
        by: "unknown".to_owned(),
        caller: None,
    }
}

/// Why an image may not carry the mark of approval: what was found out about its evidence, held against its tag. That it could not
/// be looked at is no reason: then nothing is restored yet, because afterwards nobody would give it the mark again.
async fn approved<E: From<PromoteError>>(
    cloud: &Cloud,
    ami: &str,
    approval: impl AsyncFnOnce(&str) -> Result<Result<Approval, String>, E>,
) -> Result<Option<String>, E> {
    let approval = match approval(ami).await? {
        Ok(approval) => approval,
        Err(why) => return Ok(Some(why)),
    };
    let image = image::look(cloud, cloud.home(), ami).await.map_err(PromoteError::from)?;
    Ok(rules::approved(ami, &approval, &image).err().map(|error| error.to_string()))
}

/// A restoration being carried out.
struct Run<'a> {
    cloud: &'a Cloud,
    order: &'a Withdraw<'a>,
    events: &'a Events,
    revocation: Revocation,
    unapproved: Option<String>,
}

impl Run<'_> {
    async fn run(self, held: &lock::Held, copies: Copies) -> Result<Restored, PromoteError> {
        record::write(self.cloud, &self.revocation).await.map_err(unrecorded)?;
        let first = self.order.first()?;
        let mut all = record::images(self.cloud, first, &self.revocation.ami).await?;
        for found in copies.found {
            if !all.iter().any(|one| one.ami == found.copy.ami && one.region == found.copy.region) {
                all.push(found.copy);
            }
        }
        held.check(self.cloud).await.map_err(|cause| taken(&self.revocation, cause))?;
        let this = &self;
        let works = all.iter().map(|copy| async move {
            let result = this.one(copy).await;
            RestoredImage {
                account: copy.account.clone(),
                region: copy.region.clone(),
                ami: copy.ami.clone(),
                approved: result.is_ok() && this.mark(copy).is_some(),
                launched_by: copy.launched_by.clone(),
                failed: result.err().map(|error| error.to_string()),
            }
        });
        let images: Vec<RestoredImage> = stream::iter(works.collect::<Vec<_>>()).buffered(LANES).collect().await;
        let complete = copies.unseen.is_empty() && images.iter().all(|one| one.failed.is_none());
        if complete {
            record::remove(self.cloud, &self.revocation).await.map_err(unrecorded)?;
        }
        Ok(Restored {
            schema: "amiforge.restored/1",
            reason: first.reason.clone(),
            revocation: self.revocation,
            images,
            unapproved: self.unapproved,
            unseen: copies.unseen,
            complete,
        })
    }

    /// The mark that an image gets back: the one it had.
    fn mark<'c>(&self, copy: &'c Copy) -> Option<&'c str> {
        copy.approved.as_deref().filter(|_| self.unapproved.is_none())
    }

    async fn one(&self, copy: &Copy) -> Result<(), StepError> {
        let Copy { account, region, ami, .. } = copy;
        self.events.progress(Stage::Promote, format!("{account}/{region}: enabling {ami}"));
        images::enable(self.cloud, copy).await?;
        images::share_again(self.cloud, copy).await?;
        images::approve_again(self.cloud, copy, self.mark(copy)).await
    }
}

//! Carries out a revocation.

use super::copies::{Copies, Copy, Found};
use super::planner::{self, Action, Withdrawal, action, held, ids, is_busy, is_withdrawn};
use super::record::{self, Progress, Revocation};
use super::survey::{self, Seen, Survey, survey};
use super::users::Users;
use super::{Withdraw, images, lock};
use crate::aws::Cloud;
use crate::clock::rfc3339;
use crate::event::{Events, Stage};
use crate::plan::token;
use crate::promote::error::{PromoteError, StepError};
use crate::promote::model::{Candidate, Decision, LeftOut, Order};
use crate::promote::resume::settle;
use crate::promote::state::{LANES, observe};
use crate::promote::steps::Step;
use crate::promote::{drift, execute, planner as channel_planner, rollback};
use futures_util::{StreamExt as _, stream};
use serde::Serialize;
use std::collections::BTreeSet;

/// What a revocation has led to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Revoked {
    /// Always `amiforge.revoked/1`.
    pub schema: &'static str,
    /// Whether anything was changed.
    pub changed: bool,
    /// What is written down.
    pub revocation: Revocation,
    /// What became of the channels that had to do with it.
    pub channels: Vec<ChannelEnd>,
    /// What became of its images.
    pub images: Vec<ImageEnd>,
    /// Who uses it still.
    pub users: Users,
    /// Places where images could not be looked for.
    pub unseen: Vec<LeftOut>,
}

/// What became of a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "names say it")]
pub struct ChannelEnd {
    pub channel: String,
    /// What it points at now; absent when it is empty, or was not moved.
    pub to: Option<String>,
    pub to_version: Option<String>,
    /// Whether it is empty now.
    pub empty: bool,
    /// Targets that it was moved without.
    pub left_out: Vec<LeftOut>,
    /// Why it was not moved.
    pub failed: Option<String>,
}

/// What became of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "names say it")]
pub struct ImageEnd {
    pub account: String,
    pub region: String,
    pub ami: String,
    /// Whether it is without mark, tagged and disabled now.
    pub withdrawn: bool,
    /// Why not.
    pub failed: Option<String>,
}

impl Revoked {
    /// Whether something is left to be done, for the same command.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.revocation.progress != Progress::Done
    }
}

/// What [`revoke`] would do. Changes nothing.
///
/// # Errors
/// When there is no such release, a channel would become empty, or somebody is at a channel.
pub async fn prepare(cloud: &Cloud, order: &Withdraw<'_>) -> Result<Withdrawal, PromoteError> {
    order.check()?;
    let survey = survey(cloud, order).await?;
    let plan = planner::plan(&survey, order.allow_empty, order.resume)?;
    Ok(Withdrawal { users: survey::users(cloud, order, &survey.copies).await, ..plan })
}

/// Revokes a release. What fails after it is written down does not stop the rest: [`Revoked::is_partial`] says whether
/// something is left, and the same command goes on with it.
///
/// # Errors
/// As [`prepare`]; when somebody else is at it; when it cannot be written down.
pub async fn revoke(cloud: &Cloud, order: &Withdraw<'_>, events: &Events) -> Result<Revoked, PromoteError> {
    // The futures of whole promotions are large; on the heap they move cheaply.
    let begun = match Box::pin(begin(cloud, order)).await? {
        Beginning::Unchanged(revoked) => return Ok(*revoked),
        Beginning::Begun(begun) => begun,
    };
    let run = Run { cloud, order, events, begun: &begun };
    let ended = Box::pin(run.run()).await;
    run.close(ended).await
}

/// A revocation that nobody else is at: what was seen before it, and what is written down of it.
#[derive(Debug, Clone)]
pub(super) struct Begun {
    pub(super) survey: Survey,
    pub(super) revocation: Revocation,
    pub(super) held: lock::Held,
}

/// What there is to do.
pub(super) enum Beginning {
    /// Nothing: it is revoked already.
    Unchanged(Box<Revoked>),
    /// Something.
    Begun(Box<Begun>),
}

/// Looks at everything, and takes the lock if something has to be done.
pub(super) async fn begin(cloud: &Cloud, order: &Withdraw<'_>) -> Result<Beginning, PromoteError> {
    order.check()?;
    let survey = survey(cloud, order).await?;
    let plan = planner::plan(&survey, order.allow_empty, order.resume)?;
    let first = order.first()?;
    if let (false, Some(revocation)) = (plan.changes, &survey.standing) {
        lock::clear(cloud, first, &revocation.id, order.resume).await?;
        let users = survey::users(cloud, order, &survey.copies).await;
        return Ok(Beginning::Unchanged(Box::new(unchanged(revocation.clone(), &survey, users))));
    }
    let revocation = begun(cloud, first, &survey, &plan);
    let held = lock::take(cloud, first, &revocation.id, order.resume).await?;
    Ok(Beginning::Begun(Box::new(Begun { survey, revocation, held })))
}

fn unchanged(revocation: Revocation, survey: &Survey, users: Users) -> Revoked {
    let images = survey.copies.found.iter().map(|found| image_end(&found.copy, None)).collect();
    Revoked {
        schema: "amiforge.revoked/1",
        changed: false,
        revocation,
        channels: vec![],
        images,
        users,
        unseen: vec![],
    }
}

/// What is written down first. One that was begun before stays what it is, with what is found besides.
fn begun(cloud: &Cloud, order: &Order<'_>, survey: &Survey, plan: &Withdrawal) -> Revocation {
    let moving = plan.channels.iter().filter(|one| !one.repair).map(|one| one.channel.clone());
    if let Some(standing) = &survey.standing {
        let channels: BTreeSet<String> = standing.channels.iter().cloned().chain(moving).collect();
        let channels = order.project.channels.iter().map(|one| one.name.clone()).filter(|one| channels.contains(one));
        return Revocation { progress: Progress::Begun, channels: channels.collect(), ..standing.clone() };
    }
    let at = rfc3339(cloud.clock().now());
    let known = &survey.release;
    let id = token(&["revoke", &order.project.name, order.recipe, order.arch, &known.ami, &at, &order.holder]);
    Revocation {
        schema: record::SCHEMA.to_owned(),
        id: id.replace('-', "").chars().take(16).collect(),
        project: order.project.name.clone(),
        recipe: order.recipe.to_owned(),
        arch: order.arch.to_owned(),
        ami: known.ami.clone(),
        image_arn: known.image_arn.clone(),
        image_version: known.image_version.clone(),
        progress: Progress::Begun,
        channels: moving.collect(),
        reason: order.reason.clone(),
        at,
        by: order.holder.clone(),
        caller: order.caller.clone(),
    }
}

/// A revocation being carried out.
pub(super) struct Run<'a> {
    pub(super) cloud: &'a Cloud,
    pub(super) order: &'a Withdraw<'a>,
    pub(super) events: &'a Events,
    pub(super) begun: &'a Begun,
}

impl Run<'_> {
    async fn run(&self) -> Result<Revoked, PromoteError> {
        self.write_down().await?;
        let mut channels = Vec::new();
        // The last channel has the most users.
        for index in (0..self.order.orders.len()).rev() {
            channels.extend(self.settle(index).await);
        }
        channels.reverse();
        self.withdraw_all(channels).await
    }

    /// From here on nothing moves to the release.
    pub(super) async fn write_down(&self) -> Result<(), PromoteError> {
        record::write(self.cloud, &self.begun.revocation).await.map_err(unrecorded)
    }

    /// Withdraws every image, once the channels are what they are to be.
    pub(super) async fn withdraw_all(&self, channels: Vec<ChannelEnd>) -> Result<Revoked, PromoteError> {
        let Begun { survey, revocation, .. } = self.begun;
        let copies = merged(survey::find_copies(self.cloud, &survey.release, &[]).await, &survey.copies);
        let settled = channels.iter().all(|one| one.failed.is_none());
        let images = self.images(&copies, settled).await?;
        let done = settled && copies.unseen.is_empty() && images.iter().all(|one| one.withdrawn);
        let mut revocation = revocation.clone();
        if done {
            revocation.progress = Progress::Done;
            record::write(self.cloud, &revocation).await.map_err(unrecorded)?;
        }
        let users = survey::users(self.cloud, self.order, &copies).await;
        let unseen = copies.unseen;
        Ok(Revoked { schema: "amiforge.revoked/1", changed: true, revocation, channels, images, users, unseen })
    }

    /// Gives the lock back.
    pub(super) async fn close(&self, ended: Result<Revoked, PromoteError>) -> Result<Revoked, PromoteError> {
        match (ended, self.begun.held.release(self.cloud).await) {
            (Ok(_), Err(cause)) => Err(PromoteError::Untidy { step: Step::Unlock, cause }),
            (ended, _) => ended,
        }
    }

    /// Moves a channel off the release; nothing when it has nothing to do with it.
    pub(super) async fn settle(&self, index: usize) -> Option<ChannelEnd> {
        let (order, seen) = (self.order.orders.get(index)?, self.begun.survey.channels.get(index)?);
        let end = ChannelEnd {
            channel: order.channel.to_owned(),
            to: None,
            to_version: None,
            empty: false,
            left_out: vec![],
            failed: None,
        };
        match self.moved(order, seen, end.clone()).await {
            Ok(end) => end,
            Err(error) => {
                let why = error.to_string();
                self.events.note(Stage::Promote, format!("channel {} is not moved: {why}", order.channel));
                Some(ChannelEnd { failed: Some(why), ..end })
            }
        }
    }

    async fn moved(
        &self,
        order: &Order<'_>,
        before: &Seen,
        end: ChannelEnd,
    ) -> Result<Option<ChannelEnd>, PromoteError> {
        let (ami, cloud) = (self.begun.revocation.ami.as_str(), self.cloud);
        let seen = self.looked_again(order, before).await?;
        let ids = ids(&self.begun.survey.copies.found, ami);
        let Some(action) = action(&seen, ami, &ids) else { return Ok(None) };
        let order = Order { reason: format!("{ami} is revoked"), ..order.clone() };
        let decision = match action {
            Action::Back(release) => rollback::prepare(cloud, &order, Some(&release.id)).await?,
            Action::Repair => drift::prepare_repair(cloud, &order).await?,
            Action::Empty if self.order.allow_empty => {
                let candidate = Candidate { ami: ami.to_owned(), image_arn: None, image_version: None };
                let state = observe(cloud, &order, &candidate).await?;
                Decision::Go(Box::new(channel_planner::emptying(&order, &state, cloud.clock().now())?))
            }
            Action::Empty => {
                let (ami, channels) = (ami.to_owned(), vec![seen.channel]);
                return Err(PromoteError::WouldBeEmpty { ami, channels, passed_over: seen.passed_over });
            }
        };
        let release = match decision {
            Decision::Nothing(release) => *release,
            Decision::Go(plan) => Box::pin(execute::execute(cloud, &plan, self.events)).await?.release,
        };
        Ok(Some(ChannelEnd {
            to: (!release.empty).then(|| release.ami.clone()),
            to_version: release.image_version.clone().filter(|_| !release.empty),
            empty: release.empty,
            left_out: release.left_out,
            ..end
        }))
    }

    /// The channel as it is now that nobody can move it to the release any more. Who had it locked before that may still do
    /// so: that is waited for by whoever runs the command again.
    async fn looked_again(&self, order: &Order<'_>, before: &Seen) -> Result<Seen, PromoteError> {
        let ami = &self.begun.revocation.ami;
        let mut seen = self.fresh(order, before).await?;
        if seen.busy.is_some() && self.order.resume {
            let settling = Order { reason: format!("{ami} is revoked"), ..order.clone() };
            match Box::pin(settle(self.cloud, &settling, ami, self.events)).await {
                Ok(_) | Err(PromoteError::NothingToResume { .. }) => {}
                Err(error) => return Err(error),
            }
            seen = survey::look(self.cloud, order, &rollback::history(self.cloud, order).await?, ami).await?;
        }
        if seen.busy.is_some() { Err(is_busy(&seen, ami)) } else { Ok(seen) }
    }

    /// Looks at everything anew only if the record is not what it was.
    async fn fresh(&self, order: &Order<'_>, before: &Seen) -> Result<Seen, PromoteError> {
        let (project, recipe, arch) = (order.project.name.as_str(), order.recipe, order.arch);
        let books = crate::promote::state::books(self.cloud, project, recipe, arch, order.channel).await?;
        let busy = survey::busy(self.cloud, &books);
        if books.record.as_ref().map(|(_, text)| text) == before.text.as_ref() {
            return Ok(Seen { busy, ..before.clone() });
        }
        let history = rollback::history(self.cloud, order).await?;
        survey::look(self.cloud, order, &history, &self.begun.revocation.ami).await
    }

    /// Withdraws the images that no channel points at. While a channel is not settled none is touched: it may be moving.
    async fn images(&self, copies: &Copies, settled: bool) -> Result<Vec<ImageEnd>, PromoteError> {
        let found = &copies.found;
        let mut why: Vec<Option<String>> = if settled {
            held(found, &self.proof().await?, self.cloud.home())
        } else {
            let text = "a channel is not settled, which may point at it";
            found.iter().map(|one| (!is_withdrawn(one)).then(|| text.to_owned())).collect()
        };
        let open = |why: &[Option<String>]| -> Vec<usize> {
            (0..found.len()).filter(|index| why[*index].is_none() && !is_withdrawn(&found[*index])).collect()
        };
        if !open(&why).is_empty() {
            self.remember(found).await?;
            self.begun.held.check(self.cloud).await.map_err(|cause| taken(&self.begun.revocation, cause))?;
            let text = self.begun.revocation.tag();
            for (index, result) in self.each(found, &open(&why), |copy| self.withdraw(copy, &text)).await {
                why[index] = result.err().map(|error| error.to_string());
            }
            for (index, result) in self.each(found, &open(&why), |copy| self.disable(copy)).await {
                why[index] = result.err().map(|error| error.to_string());
            }
        }
        Ok(found.iter().zip(why).map(|(one, why)| image_end(&one.copy, why)).collect())
    }

    /// Does the same with several images at the same time.
    async fn each<'f, F>(
        &self,
        found: &'f [Found],
        which: &[usize],
        work: impl Fn(&'f Copy) -> F,
    ) -> Vec<(usize, Result<(), StepError>)>
    where
        F: Future<Output = Result<(), StepError>>,
    {
        let works = which.iter().map(|index| {
            let work = work(&found[*index].copy);
            async move { (*index, work.await) }
        });
        stream::iter(works.collect::<Vec<_>>()).buffered(LANES).collect().await
    }

    async fn withdraw(&self, copy: &Copy, text: &str) -> Result<(), StepError> {
        let Copy { account, region, ami, .. } = copy;
        self.events.progress(Stage::Promote, format!("{account}/{region}: taking the mark of approval from {ami}"));
        images::withdraw(self.cloud, copy, text).await
    }

    async fn disable(&self, copy: &Copy) -> Result<(), StepError> {
        let Copy { account, region, ami, .. } = copy;
        self.events.progress(Stage::Promote, format!("{account}/{region}: disabling {ami}"));
        images::disable(self.cloud, copy).await
    }

    /// What every channel points at now.
    async fn proof(&self) -> Result<Vec<Seen>, PromoteError> {
        let mut all = Vec::new();
        for order in &self.order.orders {
            all.push(survey::look(self.cloud, order, &[], &self.begun.revocation.ami).await?);
        }
        Ok(all)
    }

    /// Writes down what the images are like, for `restore`. What an earlier attempt has written stands: it may have changed
    /// some of them since.
    async fn remember(&self, found: &[Found]) -> Result<(), PromoteError> {
        let first = self.order.first()?;
        let mut all = record::images(self.cloud, first, &self.begun.revocation.ami).await?;
        let before = all.len();
        for one in found {
            if !all.iter().any(|known| known.ami == one.copy.ami && known.region == one.copy.region) {
                all.push(one.copy.clone());
            }
        }
        if all.len() == before {
            return Ok(());
        }
        record::write_images(self.cloud, first, &self.begun.revocation.ami, &all).await.map_err(unrecorded)
    }
}

/// Copies that were found now, and those that were found before and are not any more because somebody has hidden them.
fn merged(mut now: Copies, before: &Copies) -> Copies {
    for one in &before.found {
        let same = |other: &Found| other.copy.ami == one.copy.ami && other.copy.region == one.copy.region;
        if !now.found.iter().any(same) {
            now.found.push(one.clone());
        }
    }
    now
}

fn image_end(copy: &Copy, failed: Option<String>) -> ImageEnd {
    ImageEnd {
        account: copy.account.clone(),
        region: copy.region.clone(),
        ami: copy.ami.clone(),
        withdrawn: failed.is_none(),
        failed,
    }
}

/// What it says when nothing can be written down.
pub(super) fn unrecorded(cause: StepError) -> PromoteError {
    match cause {
        StepError::Call(call) => call.into(),
        cause => PromoteError::Failed { step: Step::Record, cause, others: vec![], restored: vec![] },
    }
}

/// Somebody has taken the lock.
pub(super) fn taken(revocation: &Revocation, cause: StepError) -> PromoteError {
    let recipe = revocation.recipe.clone();
    match cause {
        StepError::Locked { holder, since } => PromoteError::Revoking { recipe, holder, since },
        cause => unrecorded(cause),
    }
}

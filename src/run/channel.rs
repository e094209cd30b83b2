//! Channels: promotion, resumption and rollback of one image.

use super::error::RunError;
use super::settle;
use super::stages::{Judged, Work};
use crate::aws;
use crate::build::Built;
use crate::consume;
use crate::event::{Ending, Events, Stage};
use crate::gate;
use crate::project::{Channel, PointerName};
use crate::promote::{
    self, Approval, Candidate, Consent, Decision, Difference, Direction, GroupPreview, Order, PromoteError, Promotion,
    Release, Resumed, Wanted,
};
use crate::render;

/// The reason in the record of a channel whose pointers were put right.
const REPAIRED: &str = "repaired";

/// How a channel is moved.
#[derive(Debug, Clone, Default)]
pub struct Moving {
    /// Targets that fail before anything is moved are left out, if that many are left.
    pub quorum: Option<usize>,
    /// Why the channel's rules are passed over.
    pub override_reason: Option<String>,
    /// Auto Scaling groups that are refreshed when the channel is moved.
    pub refresh: Option<Wanted>,
}

impl Work<'_> {
    /// Evidence from before, if its digest stands on the AMI and every gate passes now.
    pub async fn approved(&self, ami: &str) -> Result<Judged, RunError> {
        let judged = self.known(ami).await?;
        if gate::approved(&judged.verdicts) {
            return Ok(judged);
        }
        Err(RunError::NotApproved { ami: ami.to_owned(), recipe: self.recipe.name.clone(), verdicts: judged.verdicts })
    }

    /// Moves a channel to an image.
    pub async fn promote(
        &self,
        built: &Built,
        judged: &Judged,
        channel: &Channel,
        how: &Moving,
        events: &Events,
    ) -> Result<Promotion, RunError> {
        settle::tagged(self.cloud, &built.ami, &judged.digest).await;
        events.started(Stage::Promote, format!("channel {}", channel.name));
        let (candidate, approval) = asked(built, judged);
        let moved = async {
            let order = self.moving(channel, "promoted", how).await?;
            self.survey(&order, how).await?;
            let promotion = promote::promote(self.cloud, &order, &candidate, &approval, events).await?;
            Ok((order, promotion))
        };
        self.refreshed(moved.await, how, events).await
    }

    /// Whether there are groups to refresh, before anything is moved.
    async fn survey(&self, order: &Order<'_>, how: &Moving) -> Result<(), RunError> {
        if let Some(wanted) = &how.refresh {
            promote::survey_groups(self.cloud, order, wanted).await?;
        }
        Ok(())
    }

    /// Tells how a channel was moved, and then refreshes the groups that are to be.
    async fn refreshed(
        &self,
        moved: Result<(Order<'_>, Promotion), RunError>,
        how: &Moving,
        events: &Events,
    ) -> Result<Promotion, RunError> {
        let (order, promotion) = match moved {
            Ok((order, promotion)) => (Some(order), Ok(promotion)),
            Err(error) => (None, Err(error)),
        };
        let mut promotion = told(events, promotion)?;
        if let (Some(wanted), Some(order)) = (&how.refresh, order) {
            promotion.refreshes = promote::refresh_groups(self.cloud, &order, &promotion.release, wanted, events).await;
        }
        Ok(promotion)
    }

    /// What would become of the groups that are to be refreshed; nothing when none are.
    pub async fn groups(
        &self,
        channel: &Channel,
        decision: &Decision,
        how: &Moving,
    ) -> Result<Option<Vec<GroupPreview>>, RunError> {
        let Some(wanted) = &how.refresh else { return Ok(None) };
        let order = Order { quorum: how.quorum, ..self.order(channel, "")? };
        Ok(Some(promote::preview_groups(self.cloud, &order, decision, wanted).await?))
    }

    async fn moving<'a>(&'a self, channel: &'a Channel, reason: &str, how: &Moving) -> Result<Order<'a>, RunError> {
        let caller = aws::caller(self.cloud).await.map_err(PromoteError::from)?;
        let (quorum, override_reason) = (how.quorum, how.override_reason.clone());
        Ok(Order { quorum, override_reason, caller: Some(caller), ..self.order(channel, reason)? })
    }

    /// Writes down that a person approves an image for a channel. Only what has passing evidence can be approved.
    pub async fn approve(&self, channel: &Channel, ami: &str, reason: &str) -> Result<Consent, RunError> {
        self.respect_revocation(ami).await?;
        let judged = self.approved(ami).await?;
        Ok(promote::approve(self.cloud, &self.order(channel, reason)?, ami, &judged.digest).await?)
    }

    /// What [`Work::promote`] would do.
    pub async fn promotion(
        &self,
        built: &Built,
        judged: &Judged,
        channel: &Channel,
        how: &Moving,
    ) -> Result<Decision, RunError> {
        let (candidate, approval) = asked(built, judged);
        let order = self.moving(channel, "promoted", how).await?;
        Ok(promote::prepare(self.cloud, &order, &candidate, &approval).await?)
    }

    /// Refuses to move a channel off a release it was rolled back to, onto an image that was there before: a nightly run
    /// would otherwise release again what somebody took back. A new image, or `promote` by name, moves it.
    pub async fn respect_rollback(&self, built: &Built, channel: &Channel) -> Result<(), RunError> {
        if !built.reused {
            return Ok(());
        }
        let listing = consume::channels(self.cloud, self.project, Some(self.recipe)).await?;
        let mut entries = listing.channels.into_iter();
        let entry = entries.find(|entry| entry.channel == channel.name && entry.arch == self.arch.name());
        match entry.and_then(|entry| entry.release) {
            Some(release) if release.reason == promote::ROLLED_BACK && release.ami != built.ami => {
                Err(RunError::RolledBack {
                    channel: channel.name.clone(),
                    recipe: self.recipe.name.clone(),
                    ami: built.ami.clone(),
                    release: Box::new(release),
                })
            }
            _ => Ok(()),
        }
    }

    /// Finishes or undoes a promotion that was cut off. It is finished only if the image is approved now and the channel's rules
    /// hold, or are passed over.
    pub async fn resume(
        &self,
        channel: &Channel,
        direction: Direction,
        override_reason: Option<String>,
        events: &Events,
    ) -> Result<Resumed, RunError> {
        let how = Moving { override_reason, ..Moving::default() };
        let order = match direction {
            Direction::Finish => self.moving(channel, "resumed", &how).await?,
            Direction::Undo => self.order(channel, "resumed")?,
        };
        // New evidence would be none for what was begun with this one, so that is not the advice to give.
        let judge = async |ami: &str| match self.known(ami).await {
            Ok(judged) => Ok(approval(&judged)),
            Err(error) if error.is_of_the_evidence() => {
                let cause = PromoteError::NotApproved { ami: ami.to_owned(), reason: error.sentence() };
                Err(RunError::from(cause.of_resuming(&channel.name)))
            }
            Err(error) => Err(error),
        };
        Box::pin(promote::resume(self.cloud, &order, direction, judge, events)).await
    }

    /// What [`Work::rollback`] would do.
    pub async fn back(&self, channel: &Channel, to: Option<&str>, quorum: Option<usize>) -> Result<Decision, RunError> {
        let order = Order { quorum, ..self.order(channel, promote::ROLLED_BACK)? };
        Ok(promote::prepare_rollback(self.cloud, &order, to).await?)
    }

    /// Whether the pointers of a channel still say what its release says; nothing when nothing was promoted to it.
    pub async fn drift(&self, channel: &Channel) -> Result<Option<(Release, Vec<Difference>)>, RunError> {
        Ok(promote::drift(self.cloud, &self.order(channel, "drift")?).await?)
    }

    /// What [`Work::repair`] would do.
    pub async fn repairs(&self, channel: &Channel) -> Result<Decision, RunError> {
        Ok(promote::prepare_repair(self.cloud, &self.order(channel, REPAIRED)?).await?)
    }

    /// Makes the pointers of a channel say again what its release says.
    pub async fn repair(&self, channel: &Channel, events: &Events) -> Result<Promotion, RunError> {
        events.started(Stage::Promote, format!("channel {}, repair", channel.name));
        let moved = match self.moving(channel, REPAIRED, &Moving::default()).await {
            Ok(order) => promote::repair(self.cloud, &order, events).await.map_err(RunError::from),
            Err(error) => Err(error),
        };
        told(events, moved)
    }

    /// What was ever in a channel, newest first.
    pub async fn history(&self, channel: &Channel) -> Result<Vec<Release>, RunError> {
        Ok(promote::history(self.cloud, &self.order(channel, "history")?).await?)
    }

    /// The release before the one that a channel holds. Those that do not come into question are told.
    pub async fn previous(&self, channel: &Channel, events: &Events) -> Result<Release, RunError> {
        let (found, passed_over) = promote::previous(self.cloud, &self.order(channel, "previous")?).await?;
        for why in passed_over {
            events.note(Stage::Promote, format!("passed over: {why}"));
        }
        Ok(found.ok_or_else(|| PromoteError::NoEarlier { channel: channel.name.clone() })?)
    }

    /// Moves a channel back to its previous release, or to an earlier one.
    pub async fn rollback(
        &self,
        channel: &Channel,
        to: Option<&str>,
        how: &Moving,
        events: &Events,
    ) -> Result<Promotion, RunError> {
        events.started(Stage::Promote, format!("channel {}, back", channel.name));
        let moved = async {
            let order = self.moving(channel, promote::ROLLED_BACK, how).await?;
            self.survey(&order, how).await?;
            let promotion = promote::rollback(self.cloud, &order, to, events).await?;
            Ok((order, promotion))
        };
        self.refreshed(moved.await, how, events).await
    }

    pub(super) fn order<'a>(&'a self, channel: &'a Channel, reason: &str) -> Result<Order<'a>, RunError> {
        let names = |templates: &[PointerName]| {
            render::promote_names(templates, self.recipe, self.arch, &channel.name)
                .map_err(|error| RunError::Files(vec![error]))
        };
        Ok(Order {
            project: self.project,
            recipe: &self.recipe.name,
            arch: self.arch.name(),
            channel: &channel.name,
            launch_templates: names(&self.recipe.promote.launch_templates)?,
            parameters: names(&self.recipe.promote.parameters)?,
            reason: reason.to_owned(),
            holder: holder(),
            quorum: None,
            caller: None,
            override_reason: None,
        })
    }
}

fn asked(built: &Built, judged: &Judged) -> (Candidate, Approval) {
    let candidate = Candidate {
        ami: built.ami.clone(),
        image_arn: Some(built.image_arn.clone()),
        image_version: Some(built.image_version.clone()),
    };
    (candidate, approval(judged))
}

fn approval(judged: &Judged) -> Approval {
    Approval { digest: judged.digest.clone(), verdicts: judged.verdicts.clone() }
}

/// Who we are, for locks and tokens: host and process.
pub(super) fn holder() -> String {
    let host =
        nix::unistd::gethostname().map_or_else(|_| "unknown".to_owned(), |name| name.to_string_lossy().into_owned());
    format!("{host}, process {}", std::process::id())
}

fn told(events: &Events, moved: Result<Promotion, RunError>) -> Result<Promotion, RunError> {
    match &moved {
        Ok(promotion) if promotion.changed => {
            let message = format!("channel {} points at {}", promotion.channel, promotion.release.ami);
            events.finished(Stage::Promote, Ending::Done, message);
        }
        Ok(promotion) => {
            let message = format!("channel {} points at {} already", promotion.channel, promotion.release.ami);
            events.finished(Stage::Promote, Ending::Unchanged, message);
        }
        Err(error) => events.finished(Stage::Promote, Ending::Failed, error.to_string()),
    }
    moved
}

#[cfg(test)]
#[path = "channel_tests.rs"]
mod tests;

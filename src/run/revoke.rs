//! Releases are revoked and restored, and listed.

use super::error::RunError;
use super::stages::Work;
use crate::aws;
use crate::event::{Ending, Events, Stage};
use crate::promote::{self, Approval, KnownRelease, Order, PromoteError, Restored, Revoked, Withdraw, Withdrawal};

/// How a release is revoked or restored.
#[derive(Debug, Clone, Default)]
pub struct Withdrawing {
    /// AMI id at home, image version, or id of a promotion.
    pub release: String,
    /// Why.
    pub reason: String,
    /// Channels may become empty.
    pub allow_empty: bool,
    /// Channels are moved without targets that fail before anything is moved, if that many are left.
    pub quorum: Option<usize>,
    /// Who began what is locked is gone.
    pub resume: bool,
}

impl Work<'_> {
    /// What [`Work::revoke`] would do.
    pub async fn revocation(&self, how: &Withdrawing) -> Result<Withdrawal, RunError> {
        let order = self.withdraw(how).await?;
        Ok(promote::prepare_revocation(self.cloud, &order).await?)
    }

    /// Revokes a release of this recipe and architecture.
    pub async fn revoke(&self, how: &Withdrawing, events: &Events) -> Result<Revoked, RunError> {
        events.started(Stage::Promote, format!("revoking {}", how.release));
        let order = self.withdraw(how).await?;
        let revoked = Box::pin(promote::revoke(self.cloud, &order, events)).await;
        let (ending, message) = match &revoked {
            Ok(one) if one.is_partial() => (Ending::Failed, format!("{} is revoked in part", one.revocation.ami)),
            Ok(one) if one.changed => (Ending::Done, format!("{} is revoked", one.revocation.ami)),
            Ok(one) => (Ending::Unchanged, format!("{} is revoked already", one.revocation.ami)),
            Err(error) => (Ending::Failed, error.to_string()),
        };
        events.finished(Stage::Promote, ending, message);
        Ok(revoked?)
    }

    /// Takes a revocation back. The mark of approval comes back only with evidence that passes now.
    pub async fn restore(&self, how: &Withdrawing, events: &Events) -> Result<Restored, RunError> {
        events.started(Stage::Promote, format!("restoring {}", how.release));
        let order = self.withdraw(how).await?;
        // What could not be looked at is no judgement: the mark would be lost for want of an answer.
        let approval = async |ami: &str| match self.approved(ami).await {
            Ok(judged) => Ok(Ok(Approval { digest: judged.digest, verdicts: judged.verdicts })),
            Err(error) if error.is_of_the_evidence() => Ok(Err(error.sentence())),
            Err(error) => Err(error),
        };
        let restored: Result<_, RunError> = Box::pin(promote::restore(self.cloud, &order, approval, events)).await;
        let (ending, message) = match &restored {
            Ok(one) if one.complete => (Ending::Done, format!("{} is restored", one.revocation.ami)),
            Ok(one) => (Ending::Failed, format!("{} is restored in part", one.revocation.ami)),
            Err(error) => (Ending::Failed, error.sentence()),
        };
        events.finished(Stage::Promote, ending, message);
        restored
    }

    /// The releases of this recipe and architecture, newest first.
    pub async fn releases(&self) -> Result<Vec<KnownRelease>, RunError> {
        let orders = self.orders("releases")?;
        Ok(promote::releases(self.cloud, &orders).await?)
    }

    /// One order for each channel.
    fn orders(&self, reason: &str) -> Result<Vec<Order<'_>>, RunError> {
        self.project.channels.iter().map(|channel| self.order(channel, reason)).collect()
    }

    /// Whether a channel ever held a release of that name.
    pub async fn has_held(&self, release: &str) -> Result<bool, RunError> {
        for channel in &self.project.channels {
            if self.history(channel).await?.iter().any(|one| one.is_named(release)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Refuses an image that was revoked: nothing is validated, promoted or built on it.
    pub async fn respect_revocation(&self, ami: &str) -> Result<(), RunError> {
        let (project, recipe, arch) = (&self.project.name, &self.recipe.name, self.arch.name());
        match promote::standing(self.cloud, project, recipe, arch, ami).await? {
            None => Ok(()),
            Some(found) => Err(found.refusal().into()),
        }
    }

    async fn withdraw<'a>(&'a self, how: &Withdrawing) -> Result<Withdraw<'a>, RunError> {
        let caller = aws::caller(self.cloud).await.map_err(PromoteError::from)?;
        let orders = self.orders(&how.reason)?.into_iter();
        let orders = orders.map(|order| Order { quorum: how.quorum, caller: Some(caller.clone()), ..order }).collect();
        let (release, allow_empty, resume) = (how.release.clone(), how.allow_empty, how.resume);
        Ok(Withdraw { orders, release, allow_empty, resume })
    }
}

//! A revocation part by part, for tests that begin in the middle of one: it is what [`revoke`](super::revoke) does.

use super::Withdraw;
use super::execute::{Beginning, Begun, ChannelEnd, Revoked, Run, begin as look};
use super::planner::{action, ids};
use crate::aws::Cloud;
use crate::event::Events;
use crate::promote::error::PromoteError;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// Where a revocation is between two parts.
#[derive(Debug, Clone)]
pub(in crate::promote) struct Middle {
    begun: Begun,
    /// What became of channels, the last one first.
    channels: Vec<Option<ChannelEnd>>,
}

/// What a part has led to.
pub(in crate::promote) enum Point {
    Middle(Box<Middle>),
    End(Result<Box<Revoked>, PromoteError>),
}

fn ended(end: Result<Revoked, PromoteError>) -> Point {
    Point::End(end.map(Box::new))
}

/// The first part: a look at everything, and the lock.
pub(in crate::promote) async fn begin(cloud: &Cloud, order: &Withdraw<'_>) -> Point {
    match look(cloud, order).await {
        Ok(Beginning::Begun(begun)) => Point::Middle(Box::new(Middle { begun: *begun, channels: vec![] })),
        Ok(Beginning::Unchanged(revoked)) => Point::End(Ok(revoked)),
        Err(error) => Point::End(Err(error)),
    }
}

impl Middle {
    /// The next part: a channel, or the images once no channel is left.
    pub(in crate::promote) async fn next(&self, cloud: &Cloud, order: &Withdraw<'_>) -> Point {
        let events = Events::none();
        let run = Run { cloud, order, events: &events, begun: &self.begun };
        let mut channels = self.channels.clone();
        if channels.is_empty()
            && let Err(error) = run.write_down().await
        {
            return ended(run.close(Err(error)).await);
        }
        if let Some(index) = (order.orders.len() - channels.len()).checked_sub(1) {
            channels.push(run.settle(index).await);
            return Point::Middle(Box::new(Self { begun: self.begun.clone(), channels }));
        }
        let end = run.withdraw_all(channels.into_iter().rev().flatten().collect()).await;
        ended(run.close(end).await)
    }

    /// A number that tells apart what leads to different next parts. Of channels only what has to be done with each counts, and
    /// whether that has failed: not why, nor which target could not be seen.
    pub(in crate::promote) fn print(&self) -> u64 {
        let Begun { survey, revocation, held } = &self.begun;
        let ids = ids(&survey.copies.found, &revocation.ami);
        let tasks = survey.channels.iter().map(|seen| (&seen.text, &seen.busy, action(seen, &revocation.ami, &ids)));
        let failed = self.channels.iter().map(|one| one.as_ref().map(|one| one.failed.is_some()));
        let (tasks, failed): (Vec<_>, Vec<_>) = (tasks.collect(), failed.collect());
        let mut hasher = DefaultHasher::new();
        format!("{tasks:?} {failed:?} {:?} {:?} {revocation:?} {held:?}", survey.release, survey.copies.found)
            .hash(&mut hasher);
        hasher.finish()
    }
}

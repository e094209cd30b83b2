//! What there is before a release is revoked or restored. Changes nothing.

use super::copies::{self, Copies};
use super::record::{Revocation, standing};
use super::users::{self, Users};
use super::{Known, Withdraw};
use crate::aws::{CallError, Cloud};
use crate::project::Location;
use crate::promote::error::PromoteError;
use crate::promote::image;
use crate::promote::model::{Order, Release};
use crate::promote::planner::expired;
use crate::promote::previous::earlier;
use crate::promote::rollback::history;
use crate::promote::state::{Books, LANES, Pointers, books, pointers};
use futures_util::{StreamExt as _, stream};
use std::collections::{BTreeMap, BTreeSet};

/// What was seen.
#[derive(Debug, Clone)]
pub(super) struct Survey {
    pub(super) release: Known,
    pub(super) standing: Option<Revocation>,
    /// In the orders' order.
    pub(super) channels: Vec<Seen>,
    pub(super) copies: Copies,
}

/// A channel.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) channel: String,
    /// What its record says, unless it is empty.
    pub(super) record: Option<Release>,
    /// The record's text.
    pub(super) text: Option<String>,
    /// The release to go back to, when it has to leave the one that is revoked.
    pub(super) back_to: Option<Release>,
    /// Why releases between the two do not come into question.
    pub(super) passed_over: Vec<String>,
    /// Why it cannot be moved now: somebody moves it, or was cut off.
    pub(super) busy: Option<Busy>,
    /// What every target points at.
    pub(super) pointers: Vec<Look>,
}

/// Somebody has, or had, a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Busy {
    pub(super) holder: String,
    pub(super) since: String,
    /// Where it was going; absent when that is not known.
    pub(super) to: Option<String>,
    /// Whether a lock still holds.
    pub(super) locked: bool,
}

/// What a target points at, or why that could not be seen.
#[derive(Debug, Clone)]
pub(super) struct Look {
    pub(super) place: Location,
    pub(super) seen: Result<Pointers, CallError>,
}

/// Looks at all of it.
pub(super) async fn survey(cloud: &Cloud, order: &Withdraw<'_>) -> Result<Survey, PromoteError> {
    let histories = histories(cloud, order).await?;
    let release = find(cloud, order, &histories).await?;
    let first = order.first()?;
    let standing = standing(cloud, &first.project.name, first.recipe, first.arch, &release.ami).await?;
    let mut channels = Vec::new();
    for (order, history) in order.orders.iter().zip(&histories) {
        channels.push(look(cloud, order, history, &release.ami).await?);
    }
    let copies = find_copies(cloud, &release, &histories).await;
    Ok(Survey { release, standing, channels, copies })
}

/// Who uses the images, besides the project's own launch templates.
pub(super) async fn users(cloud: &Cloud, order: &Withdraw<'_>, copies: &Copies) -> Users {
    let own: BTreeSet<String> = order.orders.iter().flat_map(|order| order.launch_templates.clone()).collect();
    users::find(cloud, &copies.found, &own).await
}

/// What was ever in each channel.
pub(super) async fn histories(cloud: &Cloud, order: &Withdraw<'_>) -> Result<Vec<Vec<Release>>, PromoteError> {
    let mut all = Vec::new();
    for order in &order.orders {
        all.push(history(cloud, order).await?);
    }
    Ok(all)
}

/// The images of the release.
pub(super) async fn find_copies(cloud: &Cloud, release: &Known, histories: &[Vec<Release>]) -> Copies {
    let home = cloud.home();
    let mut known: BTreeMap<Location, BTreeSet<String>> = BTreeMap::new();
    let held = histories.iter().flatten().filter(|one| one.ami == release.ami);
    for placed in held.flat_map(|one| &one.targets) {
        // It belongs to the target's account, or to the home account in the same Region.
        for account in [&placed.account, &home.account] {
            let place = Location { account: account.clone(), region: placed.region.clone() };
            known.entry(place).or_default().insert(placed.ami.clone());
        }
    }
    copies::find(cloud, &release.ami, release.image_arn.as_deref(), known).await
}

/// The release of that name, in any channel; or an image of the recipe that never was in one.
pub(super) async fn find(
    cloud: &Cloud,
    order: &Withdraw<'_>,
    histories: &[Vec<Release>],
) -> Result<Known, PromoteError> {
    let name = &order.release;
    let named: Vec<&Release> = histories.iter().flatten().filter(|release| release.is_named(name)).collect();
    let amis: BTreeSet<&String> = named.iter().map(|release| &release.ami).collect();
    if amis.len() > 1 {
        let amis = amis.into_iter().cloned().collect();
        return Err(PromoteError::Ambiguous { release: name.clone(), amis });
    }
    let first = order.first()?;
    let (recipe, arch) = (first.recipe.to_owned(), first.arch.to_owned());
    if let Some(found) = named.first() {
        let (image_arn, image_version) = (found.image_arn.clone(), found.image_version.clone());
        return Ok(Known { recipe, arch, ami: found.ami.clone(), image_arn, image_version });
    }
    if name.starts_with("ami-") {
        let image = image::look(cloud, cloud.home(), name).await?;
        if image.state.is_some() && image.recipe.as_deref() == Some(first.recipe) {
            return Ok(Known { recipe, arch, ami: name.clone(), image_arn: None, image_version: None });
        }
    }
    Err(PromoteError::UnknownRelease { release: name.clone(), recipe, arch })
}

/// One channel.
pub(super) async fn look(
    cloud: &Cloud,
    order: &Order<'_>,
    history: &[Release],
    ami: &str,
) -> Result<Seen, PromoteError> {
    let (project, recipe, arch) = (order.project.name.as_str(), order.recipe, order.arch);
    let books = books(cloud, project, recipe, arch, order.channel).await?;
    let busy = busy(cloud, &books);
    let (record, text) = match books.record {
        Some((record, text)) => (Some(record).filter(|record| !record.empty), Some(text)),
        None => (None, None),
    };
    let (back_to, passed_over) = match &record {
        Some(record) if record.ami == ami => earlier(cloud, order, record, history).await?,
        _ => (None, vec![]),
    };
    let pointers = looks(cloud, order).await;
    Ok(Seen { channel: order.channel.to_owned(), record, text, back_to, passed_over, busy, pointers })
}

/// Whoever has the channel now. A lock that has expired and left no journal is nobody's.
pub(super) fn busy(cloud: &Cloud, books: &Books) -> Option<Busy> {
    let lock = books.lock.as_ref().filter(|lock| !expired(lock, cloud.clock().now()));
    let journal = books.journal.as_ref().map(|plan| &plan.release);
    let to = journal.filter(|release| !release.empty).map(|release| release.ami.clone());
    match (lock, journal) {
        (Some(lock), _) => Some(Busy { holder: lock.holder.clone(), since: lock.since.clone(), to, locked: true }),
        (None, Some(release)) => {
            Some(Busy { holder: release.by.clone(), since: release.promoted_at.clone(), to, locked: false })
        }
        (None, None) => None,
    }
}

/// What every target of a channel points at.
pub(super) async fn looks(cloud: &Cloud, order: &Order<'_>) -> Vec<Look> {
    let places = cloud.targets().iter().map(|target| target.location.clone());
    let looks = places.map(|place| async move {
        let seen = pointers(cloud, &place, &order.launch_templates, &order.parameters).await;
        Look { place, seen }
    });
    stream::iter(looks.collect::<Vec<_>>()).buffered(LANES).collect().await
}

//! The release before the one that a channel holds: what app teams that stay one behind pin, and what a channel goes back to when
//! its own is revoked.

use super::error::PromoteError;
use super::image;
use super::model::{Order, Release};
use super::revoke::standing;
use super::rollback::history;
use super::state::books;
use crate::aws::Cloud;
use std::collections::BTreeSet;

/// The newest release before the channel's own that can be launched and is not revoked, and why newer ones do not come into
/// question, a line each. Nothing when there is none, or the channel is empty.
///
/// # Errors
/// When a call fails, or a record cannot be read.
pub async fn previous(cloud: &Cloud, order: &Order<'_>) -> Result<(Option<Release>, Vec<String>), PromoteError> {
    let books = books(cloud, &order.project.name, order.recipe, order.arch, order.channel).await?;
    match books.record {
        Some((record, _)) if !record.empty => earlier(cloud, order, &record, &history(cloud, order).await?).await,
        _ => Ok((None, vec![])),
    }
}

/// The newest release before the current one that can take its place. It follows what each release has recorded as the one
/// before it, as `rollback` does: what a channel was once rolled back from is not gone back to.
pub(super) async fn earlier(
    cloud: &Cloud,
    order: &Order<'_>,
    current: &Release,
    history: &[Release],
) -> Result<(Option<Release>, Vec<String>), PromoteError> {
    let (mut passed_over, mut seen) = (Vec::new(), BTreeSet::new());
    let mut next = current.previous.as_deref();
    while let Some(release) = next {
        // Only what is in the history knows what was before it.
        let whole = history.iter().find(|one| one.id == release.id);
        if !seen.insert(release.id.clone()) {
            break;
        }
        if release.ami != current.ami {
            match unusable(cloud, order, release).await? {
                None => return Ok((Some(release.clone()), passed_over)),
                Some(why) => passed_over.push(format!("{} in channel {}: {why}", release.ami, order.channel)),
            }
        }
        next = whole.and_then(|whole| whole.previous.as_deref());
    }
    Ok((None, passed_over))
}

/// Why a channel cannot go to a release.
async fn unusable(cloud: &Cloud, order: &Order<'_>, release: &Release) -> Result<Option<String>, PromoteError> {
    let found = standing(cloud, &order.project.name, order.recipe, order.arch, &release.ami).await?;
    if let Some(revocation) = found {
        return Ok(Some(format!("was revoked at {}: {}", revocation.at, revocation.reason)));
    }
    let image = image::look(cloud, cloud.home(), &release.ami).await?;
    Ok(match (image.state.as_deref(), image.revoked) {
        (_, Some(tag)) => Some(format!("its tag says that it was revoked: {tag}")),
        (Some("available"), None) => None,
        (Some(state), None) => Some(format!("its state is `{state}`")),
        (None, None) => Some("the image is not there any more".to_owned()),
    })
}

//! Every release that is known of: what channels have ever held, and what was revoked of it.
//!
//! It is put together from the histories of the channels' records. Systems Manager keeps the newest hundred versions of a
//! parameter, so what was in a channel before its last hundred moves is not known any more.

use super::error::PromoteError;
use super::model::{Order, Release};
use super::revoke::{Revocation, standings};
use super::rollback::history;
use crate::aws::Cloud;
use serde::Serialize;
use std::collections::BTreeMap;

/// A release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "as in Release")]
pub struct KnownRelease {
    pub recipe: String,
    pub arch: String,
    /// AMI id in the home Region.
    pub ami: String,
    pub image_version: Option<String>,
    pub image_arn: Option<String>,
    /// Digest of the evidence that it was first promoted by.
    pub evidence: String,
    /// When it first came into a channel, RFC 3339.
    pub promoted_at: String,
    /// Who brought it there.
    pub by: String,
    /// Where it is and was, in the channels' order.
    pub channels: Vec<Stay>,
    /// That it was revoked.
    pub revoked: Option<Revocation>,
}

/// A release in a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "names say it")]
pub struct Stay {
    pub channel: String,
    /// RFC 3339; of several stays the newest.
    pub since: String,
    /// RFC 3339; absent when it is there now.
    pub until: Option<String>,
    /// How often it came there.
    pub times: usize,
}

/// The releases of one recipe and architecture, newest first. `orders` are of its channels, in the project's order.
///
/// # Errors
/// When a call fails, or a record cannot be read.
pub async fn releases(cloud: &Cloud, orders: &[Order<'_>]) -> Result<Vec<KnownRelease>, PromoteError> {
    let mut histories = Vec::new();
    for order in orders {
        histories.push((order.channel.to_owned(), history(cloud, order).await?));
    }
    let Some(first) = orders.first() else { return Ok(vec![]) };
    let mut known = collect(&histories);
    let amis: Vec<String> = known.iter().map(|one| one.ami.clone()).collect();
    let revoked = standings(cloud, &first.project.name, first.recipe, first.arch, &amis).await?;
    for one in revoked {
        if let Some(release) = known.iter_mut().find(|release| release.ami == one.ami) {
            release.revoked = Some(one);
        }
    }
    Ok(known)
}

/// What the histories of channels, each newest first, say together. Pure.
fn collect(histories: &[(String, Vec<Release>)]) -> Vec<KnownRelease> {
    let mut known: BTreeMap<&str, KnownRelease> = BTreeMap::new();
    for (channel, history) in histories {
        let mut until: Option<&str> = None;
        for (index, release) in history.iter().enumerate() {
            // Putting pointers right writes the record again, and nothing has moved.
            let again = index.checked_sub(1).and_then(|newer| history.get(newer));
            let repaired =
                again.is_some_and(|newer| newer.ami == release.ami && newer.promoted_at == release.promoted_at);
            if !release.empty && !repaired {
                let entry = known.entry(&release.ami).or_insert_with(|| first_seen(release));
                if release.promoted_at < entry.promoted_at {
                    let channels = std::mem::take(&mut entry.channels);
                    *entry = KnownRelease { channels, ..first_seen(release) };
                }
                stay(entry, channel, &release.promoted_at, until);
            }
            until = Some(&release.promoted_at);
        }
    }
    let mut all: Vec<KnownRelease> = known.into_values().collect();
    all.sort_by(|a, b| b.promoted_at.cmp(&a.promoted_at).then_with(|| a.ami.cmp(&b.ami)));
    all
}

fn first_seen(release: &Release) -> KnownRelease {
    KnownRelease {
        recipe: release.recipe.clone(),
        arch: release.arch.clone(),
        ami: release.ami.clone(),
        image_version: release.image_version.clone(),
        image_arn: release.image_arn.clone(),
        evidence: release.evidence.clone(),
        promoted_at: release.promoted_at.clone(),
        by: release.who().to_owned(),
        channels: vec![],
        revoked: None,
    }
}

/// Histories are read from the newest on, so the first stay that is seen is the newest.
fn stay(release: &mut KnownRelease, channel: &str, since: &str, until: Option<&str>) {
    match release.channels.iter_mut().find(|stay| stay.channel == channel) {
        Some(stay) => stay.times += 1,
        None => release.channels.push(Stay {
            channel: channel.to_owned(),
            since: since.to_owned(),
            until: until.map(str::to_owned),
            times: 1,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(ami: &str, promoted_at: &str, empty: bool) -> Release {
        let value = serde_json::json!({
            "schema": "amiforge.release/1", "id": format!("{ami}{promoted_at}"), "project": "acme", "recipe": "web",
            "arch": "x86_64", "channel": "any", "ami": ami, "image_arn": null, "image_version": "1.0.0/1",
            "evidence": "sha256:e", "targets": [], "promoted_at": promoted_at, "by": "host", "reason": "promoted",
            "empty": empty,
        });
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn releases_are_listed_newest_first_with_every_channel_they_are_and_were_in() {
        let candidate = vec![release("ami-2", "2026-01-03", false), release("ami-1", "2026-01-01", false)];
        let production = vec![
            release("ami-2", "2026-01-06", true),
            // Put right.
            release("ami-2", "2026-01-05", false),
            release("ami-2", "2026-01-05", false),
            release("ami-1", "2026-01-04", false),
            release("ami-2", "2026-01-03T12", false),
            release("ami-1", "2026-01-02", false),
        ];
        let known = collect(&[("candidate".into(), candidate), ("production".into(), production)]);
        let told: Vec<_> = known
            .iter()
            .map(|one| {
                let stays = one
                    .channels
                    .iter()
                    .map(|stay| (stay.channel.as_str(), stay.since.as_str(), stay.until.as_deref(), stay.times));
                (one.ami.as_str(), one.promoted_at.as_str(), stays.collect::<Vec<_>>())
            })
            .collect();
        assert_eq!(
            told,
            [
                (
                    "ami-2",
                    "2026-01-03",
                    vec![("candidate", "2026-01-03", None, 1), ("production", "2026-01-05", Some("2026-01-06"), 2)]
                ),
                (
                    "ami-1",
                    "2026-01-01",
                    vec![
                        ("candidate", "2026-01-01", Some("2026-01-03"), 1),
                        ("production", "2026-01-04", Some("2026-01-05"), 2)
                    ]
                ),
            ]
        );
    }
}

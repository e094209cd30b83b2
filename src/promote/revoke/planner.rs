//! From what was seen to what is done. Pure.

use super::copies::Found;
use super::record::{Progress, Revocation};
use super::survey::{Busy, Look, Seen, Survey};
use super::users::Users;
use crate::project::Location;
use crate::promote::error::PromoteError;
use crate::promote::model::{LeftOut, Release, place};
use serde::Serialize;
use std::collections::BTreeSet;

/// What is done with a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// It goes back to this release.
    Back(Box<Release>),
    /// It has nothing to go back to, and becomes empty.
    Empty,
    /// Its release is another one, but some of its pointers name an image of the revoked one: they are put right.
    Repair,
}

/// What revoking would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Withdrawal {
    /// Always `amiforge.revocation-plan/1`.
    pub schema: &'static str,
    /// Whether anything would be changed.
    pub changes: bool,
    /// Recipe name.
    pub recipe: String,
    /// Architecture.
    pub arch: String,
    /// AMI id in the home Region.
    pub ami: String,
    /// For example `1.0.3/1`.
    pub image_version: Option<String>,
    /// That it was revoked before, as a whole or in part.
    pub standing: Option<Revocation>,
    /// Channels that would be moved.
    pub channels: Vec<ChannelMove>,
    /// Every image of it, as it is.
    pub images: Vec<ImageNow>,
    /// Who uses it.
    pub users: Users,
    /// Places where images could not be looked for.
    pub unseen: Vec<LeftOut>,
}

/// What would become of a channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "names say it")]
pub struct ChannelMove {
    pub channel: String,
    /// The release to go back to, or the one whose pointers are put right; absent: it becomes empty.
    pub to: Option<String>,
    pub to_version: Option<String>,
    /// Whether the channel is at another release already, and only some pointers are not.
    pub repair: bool,
    /// Why releases in between are passed over, a line each.
    pub passed_over: Vec<String>,
}

/// An image as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "names say it")]
pub struct ImageNow {
    pub account: String,
    pub region: String,
    pub ami: String,
    /// As the service spells it.
    pub state: String,
    /// Whether it carries the mark of approval.
    pub approved: bool,
    /// Who may launch it besides the owner.
    pub launched_by: Vec<String>,
}

/// Decides what is done. Who uses the release has no part in that, and is for the caller to add.
///
/// # Errors
/// When a channel would become empty and may not, or somebody is at a channel.
pub(super) fn plan(survey: &Survey, allow_empty: bool, resume: bool) -> Result<Withdrawal, PromoteError> {
    let ami = &survey.release.ami;
    let ids = ids(&survey.copies.found, ami);
    if !resume && let Some(seen) = survey.channels.iter().find(|seen| seen.busy.is_some()) {
        return Err(is_busy(seen, ami));
    }
    let actions: Vec<(&Seen, Action)> =
        survey.channels.iter().filter_map(|seen| Some((seen, action(seen, ami, &ids)?))).collect();
    let empty: Vec<&Seen> = actions.iter().filter(|(_, one)| *one == Action::Empty).map(|(seen, _)| *seen).collect();
    if !empty.is_empty() && !allow_empty {
        return Err(PromoteError::WouldBeEmpty {
            ami: ami.clone(),
            channels: empty.iter().map(|seen| seen.channel.clone()).collect(),
            passed_over: empty.iter().flat_map(|seen| seen.passed_over.clone()).collect(),
        });
    }
    let channels: Vec<ChannelMove> = actions.into_iter().map(|(seen, action)| channel_move(seen, action)).collect();
    let images: Vec<ImageNow> = survey.copies.found.iter().map(image_now).collect();
    let done = survey.standing.as_ref().is_some_and(|standing| standing.progress == Progress::Done);
    let open = survey.copies.found.iter().any(|found| !is_withdrawn(found));
    Ok(Withdrawal {
        schema: "amiforge.revocation-plan/1",
        changes: !done || open || !channels.is_empty() || !survey.copies.unseen.is_empty(),
        recipe: survey.release.recipe.clone(),
        arch: survey.release.arch.clone(),
        ami: ami.clone(),
        image_version: survey.release.image_version.clone(),
        standing: survey.standing.clone(),
        channels,
        images,
        users: Users::default(),
        unseen: survey.copies.unseen.clone(),
    })
}

/// The ids of all images of the release.
pub(super) fn ids(found: &[Found], ami: &str) -> BTreeSet<String> {
    found.iter().map(|one| one.copy.ami.clone()).chain([ami.to_owned()]).collect()
}

/// Nobody can launch it, nothing says that it is approved, and it says itself that it was revoked.
pub(super) fn is_withdrawn(found: &Found) -> bool {
    found.state == "disabled" && found.copy.approved.is_none() && found.tagged
}

/// What has to be done with a channel; nothing when it has nothing to do with the release.
pub(super) fn action(seen: &Seen, ami: &str, ids: &BTreeSet<String>) -> Option<Action> {
    let record = seen.record.as_ref()?;
    if record.ami == ami {
        return Some(seen.back_to.clone().map_or(Action::Empty, |release| Action::Back(Box::new(release))));
    }
    let names = |look: &Look| look.seen.as_ref().is_ok_and(|seen| seen.named().any(|id| ids.contains(id)));
    seen.pointers.iter().any(names).then_some(Action::Repair)
}

/// That somebody is at a channel.
pub(super) fn is_busy(seen: &Seen, ami: &str) -> PromoteError {
    let channel = seen.channel.clone();
    match seen.busy.clone() {
        Some(Busy { holder, since, to, locked: false }) => {
            PromoteError::CutOff { channel, ami: to.unwrap_or_else(|| ami.to_owned()), holder, since }
        }
        Some(Busy { holder, since, .. }) => PromoteError::Locked { channel, holder, since },
        None => PromoteError::NothingToResume { channel },
    }
}

/// For each image why it must stay as it is; nothing when no channel points at it.
///
/// A pointer that names it holds it. The default version of a launch template whose channel is empty does not: EC2 has no
/// template without one, and that nothing can be launched from it any more is what emptying is for. A target that could not
/// be looked at holds every image that it may use.
pub(super) fn held(found: &[Found], channels: &[Seen], home: &Location) -> Vec<Option<String>> {
    found
        .iter()
        .map(|one| channels.iter().find_map(|seen| held_by(&one.copy.location(), &one.copy.ami, seen, home)))
        .collect()
}

fn held_by(at: &Location, id: &str, seen: &Seen, home: &Location) -> Option<String> {
    let channel = &seen.channel;
    seen.pointers.iter().find_map(|look| {
        let there = place(&look.place);
        match &look.seen {
            Ok(pointers) => {
                let template =
                    seen.record.is_some() && pointers.templates.iter().any(|one| one.ami.as_deref() == Some(id));
                let parameter = pointers.parameters.iter().flatten().any(|value| value == id);
                match (template, parameter) {
                    (true, _) => Some(format!("a launch template of channel {channel} in {there} names it")),
                    (_, true) => Some(format!("a parameter of channel {channel} in {there} names it")),
                    _ => None,
                }
            }
            Err(error) => {
                let may_use =
                    at.region == look.place.region && (at.account == look.place.account || at.account == home.account);
                may_use.then(|| format!("{there} may use it and could not be looked at: {error}"))
            }
        }
    })
}

fn channel_move(seen: &Seen, action: Action) -> ChannelMove {
    let (to, repair) = match action {
        Action::Back(release) => (Some(*release), false),
        Action::Empty => (None, false),
        Action::Repair => (seen.record.clone(), true),
    };
    ChannelMove {
        channel: seen.channel.clone(),
        to_version: to.as_ref().and_then(|release| release.image_version.clone()),
        to: to.map(|release| release.ami),
        repair,
        passed_over: seen.passed_over.clone(),
    }
}

fn image_now(found: &Found) -> ImageNow {
    ImageNow {
        account: found.copy.account.clone(),
        region: found.copy.region.clone(),
        ami: found.copy.ami.clone(),
        state: found.state.clone(),
        approved: found.copy.approved.is_some(),
        launched_by: found.copy.launched_by.clone(),
    }
}

#[cfg(test)]
#[path = "planner_tests.rs"]
mod tests;

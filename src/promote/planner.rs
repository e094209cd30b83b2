//! From what is wanted and what is there to what is done. Pure.

use super::error::PromoteError;
use super::model::{
    Approval, Candidate, Decision, JOURNAL_SCHEMA, LeftOut, Lock, Move, Order, Plan, RELEASE_SCHEMA, Release,
    instance_type,
};
use super::rules;
use super::state::{Pointers, State, unseen};
use super::supply::supplies;
use crate::clock::rfc3339;
use crate::plan::digest;
use crate::project::{Channel, Location};
use serde_json::json;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Digits of a promotion's id.
const ID: usize = 16;

/// Decides what is done. `approval` is absent for a rollback, which goes to what was approved before and is not held up
/// by the rules of the channel.
///
/// # Errors
/// Every reason not to promote.
pub fn plan(
    order: &Order<'_>,
    candidate: &Candidate,
    approval: Option<&Approval>,
    state: &State,
    now: OffsetDateTime,
) -> Result<Decision, PromoteError> {
    let channel = find_channel(order)?;
    let (places, left_out) = reached(order, state)?;
    check_free(order, state, now)?;
    if let Some(release) = already_there(order, &candidate.ami, state, &places) {
        return Ok(Decision::Nothing(Box::new(release)));
    }
    let ami = &candidate.ami;
    check_image(ami, state)?;
    if let Some(approval) = approval {
        rules::approved(ami, approval, &state.image)?;
    }
    let evidence = approval.map(|one| &*one.digest);
    let overridden = match (approval, rules::channel(channel, (order.recipe, ami), state, evidence, now)) {
        (None, _) | (_, Ok(())) => None,
        (Some(_), Err(missing)) => Some(rules::overridden(order, channel, missing)?),
    };
    let release = Release { overridden, ..release(order, candidate, approval, state, now) };
    let evidence_tag = approval.map(|approval| approval.digest.clone());
    let (record, record_before) = match &state.record {
        Some((release, text)) => (Some(release.clone()), Some(text.clone())),
        None => (None, None),
    };
    let locations: Vec<_> = places.iter().map(|(place, _)| (*place).clone()).collect();
    let (supplies, indices) = supplies(&state.config, &state.home, ami, &locations, &state.copies);
    let moves = places.iter().zip(indices);
    Ok(Decision::Go(Box::new(Plan {
        schema: JOURNAL_SCHEMA.to_owned(),
        previous: record.map(|record| Release { previous: None, targets: vec![], ..record }),
        evidence_tag,
        from: state.record.as_ref().map(|(record, _)| record.ami.clone()),
        supplies,
        moves: moves.map(|((place, pointers), supply)| one_move(order, state, place, pointers, supply)).collect(),
        quorum: order.quorum,
        left_out,
        release,
        record_before,
    })))
}

pub(super) fn find_channel<'a>(order: &Order<'a>) -> Result<&'a Channel, PromoteError> {
    let mut channels = order.project.channels.iter();
    channels.find(|channel| channel.name == order.channel).ok_or_else(|| PromoteError::UnknownChannel {
        channel: order.channel.to_owned(),
        known: order.project.channels.iter().map(|channel| channel.name.clone()).collect(),
    })
}

/// A target and what it points to.
type Reached<'a> = (&'a Location, &'a Pointers);

/// The targets that could be looked at, and those that are left out because they could not. Without a quorum every one
/// has to be seen: a promotion holds everywhere or nowhere.
fn reached<'a>(order: &Order<'_>, state: &'a State) -> Result<(Vec<Reached<'a>>, Vec<LeftOut>), PromoteError> {
    if state.targets.is_empty() {
        return Err(PromoteError::NoTargets { environment: state.environment.clone() });
    }
    let (mut places, mut left_out, mut denied) = (vec![], vec![], false);
    for (target, seen) in state.targets.iter().zip(&state.seen) {
        match seen {
            Ok(pointers) => places.push((&target.location, pointers)),
            Err(error) => {
                denied |= error.fault.denied;
                left_out.push(unseen(&target.location, error));
            }
        }
    }
    let enough = left_out.is_empty() || order.quorum.is_some_and(|quorum| places.len() >= quorum.max(1));
    if enough {
        Ok((places, left_out))
    } else {
        Err(PromoteError::Unseen { left_out, of: state.targets.len(), denied })
    }
}

/// No promotion is under way or left over. One is under way as long as a lock holds: whether the process behind it still
/// lives cannot be seen from here, and only a person who knows that it does not may resume it before the lock expires. A
/// journal that no lock holds is of a promotion that was cut off. An expired lock without a journal is what a program left
/// that died before it began or after it ended: the lock step takes it over.
fn check_free(order: &Order<'_>, state: &State, now: OffsetDateTime) -> Result<(), PromoteError> {
    let channel = order.channel.to_owned();
    if let Some(lock) = state.lock.as_ref().filter(|lock| !expired(lock, now)) {
        return Err(PromoteError::Locked { channel, holder: lock.holder.clone(), since: lock.since.clone() });
    }
    let Some(Plan { release, .. }) = &state.journal else { return Ok(()) };
    Err(PromoteError::CutOff {
        channel,
        ami: release.ami.clone(),
        holder: release.by.clone(),
        since: release.promoted_at.clone(),
    })
}

/// A time that cannot be read never counts as past.
pub(super) fn expired(lock: &Lock, now: OffsetDateTime) -> bool {
    OffsetDateTime::parse(&lock.expires, &Rfc3339).is_ok_and(|expires| expires < now)
}

/// The release, when the record says so and every target's pointers agree.
fn already_there(order: &Order<'_>, ami: &String, state: &State, places: &[Reached<'_>]) -> Option<Release> {
    let (record, _) = state.record.as_ref()?;
    let at =
        |place: &Location| record.targets.iter().find(|one| one.account == place.account && one.region == place.region);
    let agrees = |(place, pointers): &Reached<'_>| {
        at(place).is_some_and(|placed| {
            pointers.template_ami.as_ref() == Some(&placed.ami)
                && pointers.parameter.as_ref() == Some(&placed.ami)
                && placed.launch_template.name == order.launch_template
                && placed.parameter.name == order.parameter
        })
    };
    let there = record.ami == *ami && places.len() == state.targets.len() && places.iter().all(agrees);
    there.then(|| record.clone())
}

fn check_image(ami: &str, state: &State) -> Result<(), PromoteError> {
    let reason = match state.image.state.as_deref() {
        Some("available") => return Ok(()),
        Some(other) => format!("its state is `{other}`"),
        None => "there is no such AMI in the home account and Region".to_owned(),
    };
    Err(PromoteError::Image { ami: ami.to_owned(), reason })
}

fn release(
    order: &Order<'_>,
    candidate: &Candidate,
    approval: Option<&Approval>,
    state: &State,
    now: OffsetDateTime,
) -> Release {
    let promoted_at = rfc3339(now);
    let evidence = approval.map(|approval| approval.digest.clone()).or_else(|| state.image.evidence.clone());
    let mut id = digest(&json!([
        order.project.name,
        order.recipe,
        order.arch,
        order.channel,
        candidate.ami,
        state.record.as_ref().map(|(record, _)| &record.id),
        order.holder,
        promoted_at,
    ]));
    id.truncate(ID);
    Release {
        schema: RELEASE_SCHEMA.to_owned(),
        id,
        project: order.project.name.clone(),
        recipe: order.recipe.to_owned(),
        arch: order.arch.to_owned(),
        channel: order.channel.to_owned(),
        ami: candidate.ami.clone(),
        image_arn: candidate.image_arn.clone(),
        image_version: candidate.image_version.clone(),
        evidence: evidence.unwrap_or_default(),
        targets: vec![],
        left_out: vec![],
        promoted_at,
        by: order.holder.clone(),
        caller: order.caller.clone(),
        reason: order.reason.clone(),
        overridden: None,
        previous: None,
    }
}

fn one_move(order: &Order<'_>, state: &State, place: &Location, pointers: &Pointers, supply: usize) -> Move {
    Move {
        account: place.account.clone(),
        region: place.region.clone(),
        supply,
        launch_template: order.launch_template.clone(),
        template_before: pointers.template.clone(),
        parameter: order.parameter.clone(),
        parameter_before: pointers.parameter.clone(),
        instance_type: instance_type(&state.config, order.arch),
    }
}

#[cfg(test)]
#[path = "planner_tests.rs"]
mod tests;

//! From what is wanted and what is there to what is done. Pure.

use super::error::PromoteError;
use super::model::{
    Approval, Canary, Candidate, Decision, JOURNAL_SCHEMA, LeftOut, Lock, Move, Order, ParameterMove, Plan,
    RELEASE_SCHEMA, Release, TemplateMove, instance_type,
};
use super::rules;
use super::state::{Pointers, State, unseen};
use super::supply::supplies;
use crate::clock::rfc3339;
use crate::plan::digest;
use crate::project::{self, CanaryPlaces, Channel, Location};
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
    if order.launch_templates.is_empty() && order.parameters.is_empty() {
        return Err(PromoteError::NoPointers { recipe: order.recipe.to_owned() });
    }
    let (places, left_out) = reached(order, state)?;
    check_free(order, state, now)?;
    check_standing(order, &candidate.ami, state)?;
    if let Some(release) = already_there(order, &candidate.ami, state, &places) {
        return Ok(Decision::Nothing(Box::new(release)));
    }
    let ami = &candidate.ami;
    check_image(ami, state)?;
    state.keys.iter().try_for_each(|key| key.check(ami))?;
    if let Some(approval) = approval {
        rules::approved(ami, approval, &state.image)?;
    }
    let evidence = approval.map(|one| &*one.digest);
    let overridden = match (approval, rules::channel(channel, (order.recipe, ami), state.into(), evidence, now)) {
        (None, _) | (_, Ok(())) => None,
        (Some(_), Err(missing)) => Some(rules::overridden(order, channel, missing)?),
    };
    let release = Release { overridden, ..release(order, candidate, approval, state, now) };
    let evidence_tag = approval.map(|approval| approval.digest.clone());
    let (record, record_before) = before(state);
    let locations: Vec<_> = places.iter().map(|(place, _)| (*place).clone()).collect();
    let (supplies, indices) = supplies(&state.config, &state.home, ami, &locations, &state.copies);
    // Going back is not held up by it, as by no other rule of the channel: what is gone back to has been there.
    let canary = channel.canary.as_ref().filter(|_| approval.is_some());
    let moves = places.iter().zip(indices).map(|((place, pointers), supply)| Move {
        canary: canary.is_some_and(|canary| lands_in(canary, place, &state.home)),
        ..one_move(order, state, place, pointers, supply)
    });
    let moves: Vec<Move> = moves.collect();
    if canary.is_some() {
        check_canary(order, &moves)?;
    }
    Ok(Decision::Go(Box::new(Plan {
        schema: JOURNAL_SCHEMA.to_owned(),
        previous: record.map(|record| Release { previous: None, targets: vec![], ..record }),
        evidence_tag,
        from: record_in_use(state).map(|record| record.ami.clone()),
        supplies,
        moves,
        canary: canary.map(|canary| Canary {
            check: canary.check,
            timeout: canary.timeout.as_secs(),
            instance_type: canary.instance_type.clone(),
            subnet: canary.subnet.clone(),
        }),
        quorum: order.quorum,
        left_out,
        release,
        record_before,
    })))
}

/// The record as it was: the release in it, if the channel is not empty, and its text.
fn before(state: &State) -> (Option<Release>, Option<String>) {
    (record_in_use(state).cloned(), state.record.as_ref().map(|(_, text)| text.clone()))
}

fn record_in_use(state: &State) -> Option<&Release> {
    state.record.as_ref().map(|(record, _)| record).filter(|record| !record.empty)
}

/// Takes a release out of a channel that has nothing else to point at. The parameters go; launch templates keep their
/// default version, because EC2 has none without. `reason` is in the order.
///
/// # Errors
/// When a target could not be looked at, or the channel is locked.
pub(super) fn emptying(order: &Order<'_>, state: &State, now: OffsetDateTime) -> Result<Plan, PromoteError> {
    find_channel(order)?;
    let (places, left_out) = reached(order, state)?;
    check_free(order, state, now)?;
    let (record, record_before) = before(state);
    let record = record.ok_or_else(|| PromoteError::NoEarlier { channel: order.channel.to_owned() })?;
    let candidate = Candidate {
        ami: record.ami.clone(),
        image_arn: record.image_arn.clone(),
        image_version: record.image_version.clone(),
    };
    let made = release(order, &candidate, None, state, now);
    Ok(Plan {
        schema: JOURNAL_SCHEMA.to_owned(),
        release: Release { empty: true, evidence: record.evidence.clone(), ..made },
        previous: None,
        evidence_tag: None,
        from: Some(record.ami),
        supplies: vec![],
        moves: places.iter().map(|(place, pointers)| one_move(order, state, place, pointers, 0)).collect(),
        canary: None,
        quorum: order.quorum,
        left_out,
        record_before,
    })
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

/// It was not revoked. The record of it and the tag on the image are looked at both: either of them is enough.
fn check_standing(order: &Order<'_>, ami: &str, state: &State) -> Result<(), PromoteError> {
    match (&state.revoked, &state.image.revoked) {
        (Some(record), _) => Err(record.refusal()),
        (None, Some(tag)) => Err(PromoteError::Revoked {
            ami: ami.to_owned(),
            recipe: order.recipe.to_owned(),
            at: "an unknown time".to_owned(),
            by: "somebody".to_owned(),
            reason: tag.clone(),
        }),
        (None, None) => Ok(()),
    }
}

/// A time that cannot be read never counts as past.
pub(super) fn expired(lock: &Lock, now: OffsetDateTime) -> bool {
    OffsetDateTime::parse(&lock.expires, &Rfc3339).is_ok_and(|expires| expires < now)
}

/// The release, when the record says so and every target's pointers agree.
fn already_there(order: &Order<'_>, ami: &String, state: &State, places: &[Reached<'_>]) -> Option<Release> {
    let record = record_in_use(state)?;
    let at =
        |place: &Location| record.targets.iter().find(|one| one.account == place.account && one.region == place.region);
    let agrees = |(place, pointers): &Reached<'_>| {
        at(place).is_some_and(|placed| {
            let to = Some(&placed.ami);
            pointers.templates.iter().all(|now| now.ami.as_ref() == to)
                && pointers.parameters.iter().all(|now| now.as_ref() == to)
                && placed.launch_templates.iter().map(|one| &one.name).eq(&order.launch_templates)
                && placed.parameters.iter().map(|one| &one.name).eq(&order.parameters)
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
        resumed_by: vec![],
        empty: false,
        previous: None,
    }
}

fn one_move(order: &Order<'_>, state: &State, place: &Location, pointers: &Pointers, supply: usize) -> Move {
    let templates = order.launch_templates.iter().zip(&pointers.templates);
    let parameters = order.parameters.iter().zip(&pointers.parameters);
    Move {
        account: place.account.clone(),
        region: place.region.clone(),
        supply,
        launch_templates: templates
            .map(|(name, now)| TemplateMove { name: name.clone(), before: now.before.clone() })
            .collect(),
        parameters: parameters.map(|(name, now)| ParameterMove { name: name.clone(), before: now.clone() }).collect(),
        instance_type: instance_type(&state.config, order.arch),
        canary: false,
    }
}

/// A canary that is asked for is launched somewhere: nothing proven is no proof.
fn check_canary(order: &Order<'_>, moves: &[Move]) -> Result<(), PromoteError> {
    let why = if order.launch_templates.is_empty() {
        format!("recipe `{}` moves no launch template to launch it from", order.recipe)
    } else if !moves.iter().any(|one| one.canary) {
        "none of the targets is among its places".to_owned()
    } else {
        return Ok(());
    };
    Err(PromoteError::NoCanary { channel: order.channel.to_owned(), why })
}

/// Whether a canary is launched in a place.
fn lands_in(canary: &project::Canary, place: &Location, home: &Location) -> bool {
    match &canary.places {
        CanaryPlaces::All => true,
        CanaryPlaces::Home => place == home,
        CanaryPlaces::Regions(regions) => regions.contains(&place.region),
    }
}

#[cfg(test)]
#[path = "planner_tests.rs"]
mod tests;

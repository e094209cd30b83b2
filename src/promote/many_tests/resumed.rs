//! What was cut off is finished only if it may be promoted now, and it is known who has finished it.

use super::super::*;
use super::end::End;
use super::eyes::Eyes;
use super::world::*;
use crate::gate::VerdictStatus;
use crate::local::Fault;
use crate::project::{Channel, Distribute, Freeze, Project};
use std::sync::atomic::{AtomicU64, Ordering};
use time::macros::date;

/// A world in which the second release was cut off: after so many launch templates were moved.
async fn cut(after: u64) -> (World, End) {
    let world = World::new(Distribute::Share);
    world.promote(AMIS[0]).await.unwrap();
    let old = End::of(&world.local.store.picture());
    stop(&world, after);
    assert!(world.promote(AMIS[1]).await.is_err());
    world.calm();
    (world, old)
}

fn stop(world: &World, after: u64) {
    let count = AtomicU64::new(0);
    world.faults(move |_, operation, _| {
        let here = operation == "ModifyLaunchTemplate" && count.fetch_add(1, Ordering::SeqCst) == after;
        here.then_some(Fault::Stop)
    });
}

/// The project as somebody has frozen its channel since.
fn frozen(override_forbidden: bool) -> Project {
    let freeze = Freeze { from: date!(2026 - 01 - 01), to: date!(2026 - 01 - 31), reason: "year end".into() };
    let channel = Channel { name: "candidate".into(), freezes: vec![freeze], override_forbidden, ..Channel::default() };
    Project { channels: vec![channel], ..project() }
}

async fn approving(ami: &str) -> Result<Approval, PromoteError> {
    Ok(approval(ami))
}

#[tokio::test(start_paused = true)]
async fn it_is_not_finished_while_a_rule_of_the_channel_does_not_hold() {
    for after in [0, 5] {
        let (world, old) = cut(after).await;
        let before = world.local.store.picture();
        let (frozen, strict) = (frozen(false), frozen(true));
        let order = |reason: Option<&str>| Order {
            project: &frozen,
            override_reason: reason.map(str::to_owned),
            caller: Some("arn:who-finishes".into()),
            ..world.order()
        };
        let error = world.resume_as(&order(None), Direction::Finish, approving).await.unwrap_err();
        assert!(
            matches!(&error, PromoteError::NotResumed { cause, .. } if matches!(**cause, PromoteError::Rule { .. }))
        );
        assert_eq!(error.exit_code(), 8);
        assert!(error.to_string().contains("year end"), "{error}");
        let next = error.next().unwrap();
        assert!(next.contains("--abort") && next.contains("--override"), "{next}");
        let forbidden = Order { project: &strict, ..order(Some("no")) };
        let error = world.resume_as(&forbidden, Direction::Finish, approving).await.unwrap_err();
        assert!(
            matches!(&error, PromoteError::NotResumed { cause, .. } if matches!(**cause, PromoteError::OverrideForbidden { .. }))
        );
        assert!(error.exit_code() == 8 && !error.next().unwrap().contains("--override"), "{error}");
        assert!(before.differences(&world.local.store.picture()).is_empty(), "{after}: nothing is changed");
        // Back it goes in any case, and on when somebody says why.
        let (start, turn) = (world.local.store.picture(), 9);
        world.resume_as(&order(None), Direction::Undo, approving).await.unwrap();
        assert_eq!(End::of(&world.local.store.picture()).swept(&old), old, "{after}");
        world.back_to(&start, turn);
        let finished =
            world.resume_as(&order(Some("half of it is there")), Direction::Finish, approving).await.unwrap();
        let Resumed::Finished(Promotion { release, .. }) = finished else { panic!("{finished:?}") };
        let why = release.overridden.as_deref().unwrap();
        assert!(why.contains("half of it is there") && why.contains("year end"), "{why}");
        assert_eq!(release.resumed_by, ["arn:who-finishes"]);
        assert_eq!(history(&world.cloud, &world.order()).await.unwrap()[0], release, "it is written down");
        let targets = Eyes::on(&world.local.store.picture()).targets();
        assert!(targets.values().all(|one| one.parameter.as_deref() == Some(AMIS[1])));
    }
}

#[tokio::test(start_paused = true)]
async fn it_is_not_finished_without_evidence_that_passes_now() {
    let (world, old) = cut(5).await;
    let before = world.local.store.picture();
    let failing = async |ami: &str| {
        let mut failing = approval(ami);
        (failing.verdicts[0].status, failing.verdicts[0].summary) = (VerdictStatus::Stale, "too old".into());
        Ok(failing)
    };
    let error = world.resume_as(&world.order(), Direction::Finish, failing).await.unwrap_err();
    assert!(error.to_string().contains("too old"), "{error}");
    assert_eq!(error.exit_code(), 8);
    // Nobody has looked at what is promoted with other evidence than it was begun with.
    let other = async |ami: &str| Ok(Approval { digest: "sha256:other".into(), ..approval(ami) });
    let error = world.resume_as(&world.order(), Direction::Finish, other).await.unwrap_err();
    assert!(error.to_string().contains("there is other evidence now: sha256:other"), "{error}");
    assert!(error.next().unwrap().contains("--abort"));
    let none = async |ami: &str| {
        Err(PromoteError::NotApproved { ami: ami.to_owned(), reason: "no evidence is kept here".into() })
    };
    let error = world.resume_as(&world.order(), Direction::Finish, none).await.unwrap_err();
    assert!(error.to_string().contains("no evidence is kept here"), "{error}");
    assert!(before.differences(&world.local.store.picture()).is_empty(), "nothing is changed");
    let judge = async |_: &str| panic!("nobody asks what it was judged by when it goes back");
    world.resume_as(&world.order(), Direction::Undo, judge).await.unwrap();
    assert_eq!(End::of(&world.local.store.picture()).swept(&old), old);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_a_rollback_is_not_held_up() {
    let world = World::new(Distribute::Share);
    for ami in &AMIS[..2] {
        world.promote(ami).await.unwrap();
    }
    stop(&world, 5);
    assert!(world.rollback().await.is_err());
    world.calm();
    let frozen = frozen(true);
    let order = Order { project: &frozen, ..world.order() };
    let judge = async |_: &str| panic!("it has been there");
    let finished = world.resume_as(&order, Direction::Finish, judge).await.unwrap();
    assert!(matches!(&finished, Resumed::Finished(promotion) if promotion.release.ami == AMIS[0]), "{finished:?}");
}

/// Rules that were passed over when it was begun, and others when it was finished.
#[tokio::test(start_paused = true)]
async fn what_was_passed_over_is_all_written_down() {
    let world = World::new(Distribute::Share);
    let frozen = frozen(false);
    let order = |why: &str| Order { project: &frozen, override_reason: Some(why.into()), ..world.order() };
    let count = AtomicU64::new(0);
    world.faults(move |_, operation, _| {
        (operation == "PutParameter" && count.fetch_add(1, Ordering::SeqCst) == 6).then_some(Fault::Stop)
    });
    let begun = promote(&world.cloud, &order("first"), &candidate(AMIS[0]), &approval(AMIS[0]), &Events::none()).await;
    assert!(begun.is_err());
    world.calm();
    let finished = world.resume_as(&order("second"), Direction::Finish, approving).await.unwrap();
    let Resumed::Finished(Promotion { release, .. }) = finished else { panic!("{finished:?}") };
    let why = release.overridden.unwrap();
    assert!(why.starts_with("first (although") && why.contains("; when it was finished: second (although"), "{why}");
    // Without a caller that AWS knows it is the process.
    assert!(release.resumed_by[0].starts_with("host/"));
}

/// Whoever passes over a rule and is cut off in turn stays written down.
#[tokio::test(start_paused = true)]
async fn of_several_who_go_on_with_it_each_is_written_down() {
    let (world, _) = cut(3).await;
    let frozen = frozen(false);
    let first = Order {
        project: &frozen,
        override_reason: Some("half of it is there".into()),
        caller: Some("arn:first".into()),
        ..world.order()
    };
    stop(&world, 4);
    assert!(world.resume_as(&first, Direction::Finish, approving).await.is_err());
    world.calm();
    let second = Order { caller: Some("arn:second".into()), ..world.order() };
    let finished = world.resume_as(&second, Direction::Finish, approving).await.unwrap();
    let Resumed::Finished(Promotion { release, .. }) = finished else { panic!("{finished:?}") };
    assert_eq!(release.resumed_by, ["arn:first", "arn:second"]);
    assert!(release.overridden.as_ref().is_some_and(|why| why.starts_with("half of it is there")), "{release:?}");
}

/// A reason stands in the lock, too.
#[tokio::test(start_paused = true)]
async fn a_reason_that_has_no_room_is_refused() {
    let (world, _) = cut(3).await;
    let frozen = frozen(false);
    let order = Order { project: &frozen, override_reason: Some("x".repeat(1_001)), ..world.order() };
    let error = world.resume_as(&order, Direction::Finish, approving).await.unwrap_err();
    assert!(matches!(error, PromoteError::LongReason { bytes: 1_001, .. }), "{error}");
}

/// While evidence is looked at somebody else takes the promotion back, and even begins another one.
#[tokio::test(start_paused = true)]
async fn what_somebody_else_has_ended_meanwhile_is_not_gone_on_with() {
    for another in [false, true] {
        let (world, _) = cut(5).await;
        let meanwhile = async |ami: &str| {
            world.resume(Direction::Undo).await?;
            if another {
                world.promote(AMIS[2]).await?;
            }
            Ok(approval(ami))
        };
        let error = world.resume_as(&world.order(), Direction::Finish, meanwhile).await.unwrap_err();
        assert!(matches!(error, PromoteError::TakenOver { .. }), "{another}: {error}");
        assert_eq!(error.exit_code(), 11);
        let picture = world.local.store.picture();
        let wanted = if another { AMIS[2] } else { AMIS[0] };
        assert_eq!(End::of(&picture).books, Vec::<String>::new(), "{another}: no lock is left");
        assert!(Eyes::on(&picture).targets().values().all(|one| one.parameter.as_deref() == Some(wanted)), "{another}");
    }
}

fn withdraw<'a>(world: &'a World, ami: &str) -> Withdraw<'a> {
    let order = Order { reason: "a key is in it".into(), ..world.order() };
    Withdraw { orders: vec![order], release: ami.to_owned(), allow_empty: false, resume: true }
}

/// Stops a promotion in the middle of its flips.
async fn cut_off(world: &World, ami: &str) {
    stop(world, 5);
    assert!(world.promote(ami).await.is_err());
    world.calm();
}

/// While evidence is looked at the release is revoked: by somebody who is done, and by somebody who has only written it down.
#[tokio::test(start_paused = true)]
async fn what_is_revoked_meanwhile_is_not_gone_on_to() {
    let world = World::new(Distribute::Share);
    for ami in [AMIS[1], AMIS[0]] {
        world.promote(ami).await.unwrap();
    }
    let (start, turn) = (world.local.store.picture(), 9);
    cut_off(&world, AMIS[1]).await;
    let meanwhile = async |ami: &str| {
        let revoked = Box::pin(revoke(&world.cloud, &withdraw(&world, AMIS[1]), &Events::none())).await?;
        assert!(!revoked.is_partial(), "{revoked:?}");
        Ok(approval(ami))
    };
    let error = world.resume_as(&world.order(), Direction::Finish, meanwhile).await.unwrap_err();
    assert!(matches!(error, PromoteError::TakenOver { .. }), "{error}");
    let leads = || Eyes::on(&world.local.store.picture()).targets().into_values().map(|one| one.parameter);
    assert!(leads().all(|ami| ami.as_deref() == Some(AMIS[0])));
    let name = names::revocation("acme", "debian-12", "x86_64", AMIS[1]);
    let written = store::get(&world.cloud, world.cloud.home(), &name).await.unwrap().unwrap().value;
    world.back_to(&start, turn);
    cut_off(&world, AMIS[1]).await;
    let meanwhile = async |ami: &str| {
        store::put_document(&world.cloud, &name, &written).await?;
        Ok(approval(ami))
    };
    let found = world.holder();
    let error = world.resume_as(&world.order(), Direction::Finish, meanwhile).await.unwrap_err();
    assert!(matches!(error, PromoteError::Revoked { .. }), "{error}");
    assert!(found.is_some() && world.holder() == found, "whoever comes next finds it as it was");
    world.resume(Direction::Undo).await.unwrap();
    assert!(leads().all(|ami| ami.as_deref() == Some(AMIS[0])));
}

/// Somebody is refused in between.
#[tokio::test(start_paused = true)]
async fn who_is_refused_does_not_make_others_forgotten() {
    let (world, _) = cut(3).await;
    let order = |caller: &str| Order { caller: Some(caller.to_owned()), ..world.order() };
    stop(&world, 4);
    assert!(world.resume_as(&order("arn:first"), Direction::Finish, approving).await.is_err());
    world.calm();
    for direction in [Direction::Finish, Direction::Undo] {
        // The second look is denied, after the lock was taken.
        let count = AtomicU64::new(0);
        world.faults(move |_, operation, _| {
            (operation == "GetParameters" && count.fetch_add(1, Ordering::SeqCst) == 1).then_some(Fault::Deny)
        });
        let error = world.resume_as(&order("arn:second"), direction, approving).await.unwrap_err();
        world.calm();
        assert_eq!(error.exit_code(), 12, "{error}");
    }
    let finished = world.resume_as(&order("arn:third"), Direction::Finish, approving).await.unwrap();
    let Resumed::Finished(Promotion { release, .. }) = finished else { panic!("{finished:?}") };
    assert_eq!(release.resumed_by, ["arn:first", "arn:third"]);
}

/// While evidence is looked at somebody else goes on with it, copies, stages, and dies in turn.
#[tokio::test(start_paused = true)]
async fn what_somebody_else_has_gone_on_with_meanwhile_is_looked_at_anew() {
    let world = World::new(Distribute::Copy);
    world.promote(AMIS[0]).await.unwrap();
    let old = End::of(&world.local.store.picture());
    world.faults(|_, operation, _| (operation == "CopyImage").then_some(Fault::Stop));
    assert!(world.promote(AMIS[1]).await.is_err());
    world.calm();
    let meanwhile = async |ami: &str| {
        stop(&world, 5);
        assert!(world.resume(Direction::Finish).await.is_err());
        world.calm();
        Ok(approval(ami))
    };
    let error = world.resume_as(&world.order(), Direction::Finish, meanwhile).await.unwrap_err();
    assert!(matches!(error, PromoteError::TakenOver { .. }), "{error}");
    world.resume(Direction::Undo).await.unwrap();
    assert_eq!(End::of(&world.local.store.picture()).swept(&old), old);
}

/// What leads away from one revoked release to another one is taken back.
#[tokio::test(start_paused = true)]
async fn a_revocation_does_not_finish_what_leads_to_another_revoked_release() {
    let world = World::new(Distribute::Share);
    for ami in [AMIS[0], AMIS[2], AMIS[1]] {
        world.promote(ami).await.unwrap();
    }
    let (start, turn) = (world.local.store.picture(), 9);
    Box::pin(revoke(&world.cloud, &withdraw(&world, AMIS[2]), &Events::none())).await.unwrap();
    let name = names::revocation("acme", "debian-12", "x86_64", AMIS[2]);
    let written = store::get(&world.cloud, world.cloud.home(), &name).await.unwrap().unwrap().value;
    world.back_to(&start, turn);
    cut_off(&world, AMIS[2]).await;
    store::put_document(&world.cloud, &name, &written).await.unwrap();
    let done = Box::pin(revoke(&world.cloud, &withdraw(&world, AMIS[1]), &Events::none())).await.unwrap();
    assert!(!done.is_partial(), "{done:?}");
    let targets = Eyes::on(&world.local.store.picture()).targets();
    assert!(targets.values().all(|one| one.parameter.as_deref() == Some(AMIS[0])), "{targets:?}");
}

/// A revocation settles what was cut off: what leads away from the release is finished, which is written down, and what has nothing to
/// do with it is taken back.
#[tokio::test(start_paused = true)]
async fn a_revocation_finishes_nothing_but_what_leads_away_from_the_release() {
    for (revoked, end) in [(AMIS[0], AMIS[1]), (AMIS[1], AMIS[2])] {
        let world = World::new(Distribute::Share);
        for ami in &AMIS[..2] {
            world.promote(ami).await.unwrap();
        }
        cut_off(&world, AMIS[2]).await;
        let done = Box::pin(revoke(&world.cloud, &withdraw(&world, revoked), &Events::none())).await.unwrap();
        assert!(!done.is_partial(), "{done:?}");
        let targets = Eyes::on(&world.local.store.picture()).targets();
        assert!(targets.values().all(|one| one.parameter.as_deref() == Some(end)), "{revoked}: {targets:?}");
        let release = history(&world.cloud, &world.order()).await.unwrap().remove(0);
        let (finished, why) = (end == AMIS[2], release.overridden.unwrap_or_default());
        assert_eq!(
            why,
            if finished { format!("{revoked} is revoked (it was not judged again)") } else { String::new() }
        );
        assert_eq!(release.resumed_by.len(), usize::from(finished));
    }
}

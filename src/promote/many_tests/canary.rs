//! Canaries: launched in proving, and never left.

use super::*;
use crate::project::{self, CanaryCheck, CanaryPlaces};
use std::collections::BTreeMap;

/// A world whose channel asks for a canary, with the first release in it.
async fn world(canary: project::Canary) -> World {
    let mut world = World::scripted(Distribute::Share);
    world.promote(AMIS[0]).await.unwrap();
    world.project.channels[0].canary = Some(canary);
    world
}

/// States of all instances by account and Region, with the reason.
fn instances(world: &World) -> BTreeMap<String, Vec<(String, String)>> {
    let eyes = Eyes::on(&world.local.store.picture());
    let mut all = BTreeMap::new();
    for place in places() {
        let found = eyes.of(&place, "ec2-instance").map(|(_, one)| {
            let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            (text(&one["state"]), text(&one["state_reason"][0]))
        });
        let found: Vec<_> = found.collect();
        if !found.is_empty() {
            all.insert(format!("{}/{}", place.account, place.region), found);
        }
    }
    all
}

fn none_runs(world: &World, case: &str) {
    let up = instances(world);
    assert!(up.values().flatten().all(|(state, _)| state == "terminated"), "{case}: {up:#?}");
}

/// Where every pointer is, whatever instances there were.
fn end(world: &World) -> End {
    Eyes::on(&world.local.store.picture()).end()
}

/// The nth call of an operation goes wrong.
fn wrong(world: &World, operation: &'static str, nth: u64, fault: Fault) {
    let count = AtomicU64::new(0);
    world.faults(move |_, name, _| {
        let this = name == operation && count.fetch_add(1, Ordering::SeqCst) + 1 == nth;
        this.then_some(fault)
    });
}

#[tokio::test(start_paused = true)]
async fn an_instance_is_launched_in_every_place_and_ended_before_anything_is_moved() {
    let world = world(project::Canary::default()).await;
    let (before, local) = (end(&world), Arc::downgrade(&world.local));
    let old = before.targets.clone();
    world.faults(move |_, operation, _| {
        if matches!(operation, "RunInstances" | "TerminateInstances") {
            let now = Eyes::on(&local.upgrade().unwrap().store.picture()).end();
            let defaults = |end: &BTreeMap<String, plain::Target>| {
                end.values().map(|one| (one.template.clone(), one.parameter.clone())).collect::<Vec<_>>()
            };
            assert_eq!(defaults(&now.targets), defaults(&old), "nothing is moved yet");
        }
        None
    });
    assert!(world.promote(AMIS[1]).await.unwrap().changed);
    world.calm();
    let all = instances(&world);
    assert_eq!(all.len(), 12);
    let ended = ("terminated".to_owned(), "Client.UserInitiatedShutdown".to_owned());
    assert!(all.values().all(|here| *here == [ended.clone()]), "{all:#?}");
    // Going back is not held up.
    world.rollback().await.unwrap();
    assert_eq!(instances(&world), all);
}

#[tokio::test(start_paused = true)]
async fn places_are_those_that_are_asked_for() {
    let regions = CanaryPlaces::Regions(vec![REGIONS[1].to_owned(), REGIONS[3].to_owned()]);
    for (places, count) in [(CanaryPlaces::Home, 1), (regions, 6)] {
        let canary = project::Canary { places, check: CanaryCheck::Status, ..project::Canary::default() };
        let world = world(canary).await;
        world.promote(AMIS[1]).await.unwrap();
        assert_eq!(instances(&world).len(), count);
        none_runs(&world, "places");
    }
    let nowhere = CanaryPlaces::Regions(vec!["us-gov-west-1".to_owned()]);
    let lost = world(project::Canary { places: nowhere, ..project::Canary::default() }).await;
    let error = lost.promote(AMIS[1]).await.unwrap_err();
    assert!(error.exit_code() == 2 && error.to_string().contains("none of the targets"), "{error}");
    let lost = world(project::Canary::default()).await;
    let order = Order { launch_templates: vec![], ..lost.order() };
    let bare = promote(&lost.cloud, &order, &candidate(AMIS[1]), &approval(AMIS[1]), &Events::none()).await;
    assert_eq!(bare.unwrap_err().exit_code(), 2, "there is nothing to launch one from");
}

#[tokio::test(start_paused = true)]
async fn one_that_ends_by_itself_fails_the_promotion_with_its_reason() {
    let world = world(project::Canary::default()).await;
    let old = end(&world);
    wrong(&world, "RunInstances", 17, Fault::Spoil);
    let error = world.promote(AMIS[1]).await.unwrap_err();
    world.calm();
    let text = error.to_string();
    assert!(text.contains("Client.InternalError: Client error on launch"), "{text}");
    assert!(text.contains("version 2 of debian-12-x86_64"), "{text}");
    assert_eq!(error.exit_code(), 6);
    assert!(error.next().is_some_and(|next| next.contains("KMS key")), "{:?}", error.next());
    assert_eq!(end(&world), old, "every staged version is removed");
    none_runs(&world, "spoilt");
}

#[tokio::test(start_paused = true)]
async fn one_that_does_not_come_up_in_time_is_ended_and_told() {
    let canary = project::Canary { timeout: Duration::from_secs(10), ..project::Canary::default() };
    let world = world(canary).await;
    let old = end(&world);
    let error = world.promote(AMIS[1]).await.unwrap_err();
    assert!(error.to_string().contains("it does not run after 10.0 s (state: pending)"), "{error}");
    assert_eq!(end(&world), old);
    none_runs(&world, "late");
}

#[tokio::test(start_paused = true)]
async fn a_quorum_does_without_the_place_whose_canary_failed() {
    let world = world(project::Canary::default()).await;
    wrong(&world, "RunInstances", 17, Fault::Spoil);
    let order = Order { quorum: Some(11), ..world.order() };
    let done = promote(&world.cloud, &order, &candidate(AMIS[1]), &approval(AMIS[1]), &Events::none()).await.unwrap();
    world.calm();
    assert_eq!((done.release.targets.len(), done.release.left_out.len()), (11, 1));
    assert!(done.release.left_out[0].reason.contains("Client.InternalError"), "{:?}", done.release.left_out);
    none_runs(&world, "quorum");
}

/// Every call about instances goes wrong once, in a few of the places.
#[tokio::test(start_paused = true)]
async fn whatever_goes_wrong_no_instance_is_left() {
    let world = world(project::Canary::default()).await;
    let (start, old) = (world.local.store.picture(), end(&world));
    // The first twelve launches are dry runs.
    let calls = [("RunInstances", [13, 1, 18]), ("DescribeInstances", [5, 1, 30]), ("TerminateInstances", [7, 1, 12])];
    for (operation, numbers) in calls {
        for (index, fault) in FAULTS.into_iter().enumerate() {
            for nth in numbers {
                if !everything() && (nth != numbers[0] || index > 1) {
                    continue;
                }
                world.local.store.restore(&start);
                wrong(&world, operation, nth, fault);
                let result = world.promote(AMIS[1]).await;
                world.calm();
                let case = format!("{fault:?} at call {nth} of {operation}: {result:?}");
                none_runs(&world, &case);
                match result {
                    Ok(_) => assert!(end(&world).books.is_empty(), "{case}"),
                    Err(error) => {
                        assert!(fault == Fault::Deny, "{case}");
                        assert!(matches!(error, PromoteError::Failed { .. }), "{case}");
                        assert_eq!(end(&world), old, "{case}");
                    }
                }
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_cannot_be_ended_is_said_loudly_and_ended_by_whoever_resumes() {
    let world = world(project::Canary::default()).await;
    let old = end(&world);
    world.faults(|_, operation, _| (operation == "TerminateInstances").then_some(Fault::Deny));
    let error = world.promote(AMIS[1]).await.unwrap_err();
    world.calm();
    assert!(matches!(error, PromoteError::Stuck { .. }), "{error}");
    assert!(error.to_string().contains("STILL RUNS") && error.to_string().contains("canary i-"), "{error}");
    assert_eq!(error.exit_code(), 9);
    assert!(instances(&world).values().flatten().any(|(state, _)| state == "running"));
    let resumed = world.resume(Direction::Undo).await.unwrap();
    assert!(
        matches!(&resumed, Resumed::Undone { restored, .. } if restored.iter().any(|line| line.contains("canary i-"))),
        "{resumed:?}"
    );
    none_runs(&world, "resumed");
    assert_eq!(end(&world), old);
}

/// The work is dropped while canaries are pending, as by Ctrl-C.
#[tokio::test(start_paused = true)]
async fn who_is_interrupted_leaves_no_instance() {
    for millis in [0, 5_000, 12_000] {
        let world = world(project::Canary::default()).await;
        let old = end(&world);
        let (launched, tell) = (Arc::new(tokio::sync::Notify::new()), Arc::new(AtomicU64::new(0)));
        let (notify, count) = (Arc::clone(&launched), Arc::clone(&tell));
        world.faults(move |_, operation, _| {
            if operation == "RunInstances" && count.fetch_add(1, Ordering::SeqCst) == 12 {
                notify.notify_one();
            }
            None
        });
        let interrupted = async {
            launched.notified().await;
            tokio::time::sleep(Duration::from_millis(millis)).await;
        };
        tokio::select! {
            result = world.promote(AMIS[1]) => panic!("it ended before: {result:?}"),
            () = interrupted => {}
        }
        tokio::time::sleep(Duration::from_mins(2)).await;
        world.calm();
        assert!(tell.load(Ordering::SeqCst) >= 12);
        none_runs(&world, &format!("after {millis} ms"));
        let resumed = world.resume(Direction::Undo).await.unwrap();
        assert!(matches!(resumed, Resumed::Undone { .. }), "{resumed:?}");
        assert_eq!(end(&world), old);
    }
}

/// Killed before calls all over it: whoever finishes or undoes it leaves no instance.
#[tokio::test(start_paused = true)]
async fn who_resumes_after_a_crash_finds_the_instances() {
    let world = world(project::Canary::default()).await;
    let old = end(&world);
    let (moments, local) = (Arc::new(Mutex::new(Vec::new())), Arc::downgrade(&world.local));
    let seen = Arc::clone(&moments);
    world.faults(move |_, operation, _| {
        seen.lock().unwrap().push((operation.to_owned(), local.upgrade().unwrap().store.picture()));
        None
    });
    world.promote(AMIS[1]).await.unwrap();
    world.calm();
    let moments = std::mem::take(&mut *moments.lock().unwrap());
    let about = |name: &str| matches!(name, "RunInstances" | "DescribeInstances" | "TerminateInstances");
    let mut tried = 0;
    for (nth, (operation, moment)) in moments.iter().enumerate() {
        if !(everything() || about(operation) && nth % 12 == 0) {
            continue;
        }
        for direction in [Direction::Finish, Direction::Undo] {
            world.local.store.restore(moment);
            let case = format!("killed before call {} ({operation}), {direction:?}", nth + 1);
            match world.resume(direction).await {
                Ok(Resumed::Finished(_)) => assert_ne!(end(&world), old, "{case}"),
                Ok(_) | Err(PromoteError::NothingToResume { .. }) => {
                    assert!(end(&world).books.is_empty(), "{case}");
                }
                Err(error) => panic!("{case}: {error}"),
            }
            none_runs(&world, &case);
            tried += 1;
        }
    }
    assert!(tried > 4, "{tried}");
}

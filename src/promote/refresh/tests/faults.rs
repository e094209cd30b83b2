//! Refreshes stopped and disturbed at every single call, and then done again.

use super::*;
use crate::local::Fault;
use crate::local::picture::Picture as Dump;
use crate::promote::Release;
use std::sync::{Arc, Mutex};

const FAULTS: [Fault; 4] = [Fault::Deny, Fault::LoseResponse, Fault::Fail, Fault::Throttle];
const GROUPS: [(&str, &str, &str); 3] =
    [("a", "$Default", REGIONS[0]), ("b", "2", REGIONS[0]), ("c", "$Latest", REGIONS[1])];

/// A world in which a release was promoted and nothing refreshed.
async fn promoted() -> (World, Release) {
    let world = World::new(Refresh { warmup: None, ..with_alarm() }).await;
    world.promote(OLD).await;
    for (name, version, region) in GROUPS {
        world.group(region, name, version, 2).await;
    }
    let release = world.promote(NEW).await;
    (world, release)
}

fn ends(world: &World) -> Vec<Seen> {
    GROUPS.map(|(name, _, region)| world.seen(region, name)).to_vec()
}

fn new_ends() -> Vec<Seen> {
    vec![Seen::at(&["$Default"], &[3, 3]), Seen::at(&["3"], &[3, 3]), Seen::at(&["$Latest"], &[3, 3])]
}

/// Whatever a group is at: what it tracked is known.
fn nothing_is_forgotten(seen: &[Seen], case: &str) {
    for (seen, (name, tracked, _)) in seen.iter().zip(GROUPS) {
        let known = seen.launches == [tracked] || seen.note.is_some() || !tracked.starts_with('$');
        assert!(known, "{case}: group {name} has forgotten {tracked}: {seen:?}");
    }
}

/// Everything, or what runs in seconds: `AMIFORGE_EVERY_CALL=1` tries every fault at every call.
fn every(else_every: usize) -> usize {
    if std::env::var_os("AMIFORGE_EVERY_CALL").is_some_and(|value| value == "1") { 1 } else { else_every }
}

/// What the world was like at every call of an undisturbed refresh.
async fn moments(world: &World, release: &Release) -> Vec<Dump> {
    let moments = Arc::new(Mutex::new(Vec::new()));
    let (seen, local) = (Arc::clone(&moments), Arc::downgrade(&world.local));
    world.faults(move |_, _, _| {
        seen.lock().unwrap().push(local.upgrade().unwrap().store.picture());
        None
    });
    let done = world.refresh(release).await;
    world.calm();
    assert!(done.iter().all(|one| one.outcome == Outcome::Refreshed), "{done:#?}");
    assert_eq!(ends(world), new_ends());
    std::mem::take(&mut *moments.lock().unwrap())
}

#[tokio::test(start_paused = true)]
async fn killed_at_any_call_the_same_again_ends_the_same() {
    let (world, release) = promoted().await;
    let moments = moments(&world, &release).await;
    assert!(moments.len() > 40, "{} calls", moments.len());
    for (nth, moment) in moments.iter().enumerate().step_by(every(7)) {
        world.local.store.restore(moment);
        let case = format!("killed before call {}", nth + 1);
        nothing_is_forgotten(&ends(&world), &case);
        let done = world.refresh(&release).await;
        assert!(done.iter().all(|one| one.outcome.is_done()), "{case}: {done:#?}");
        assert_eq!(ends(&world), new_ends(), "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_call_may_go_wrong_and_the_same_again_ends_the_same() {
    let (world, release) = promoted().await;
    let start = world.local.store.picture();
    let calls = moments(&world, &release).await.len();
    for nth in (1..=calls).step_by(every(11)) {
        for fault in FAULTS {
            world.local.store.restore(&start);
            let case = format!("{fault:?} at call {nth}");
            let nth = u64::try_from(nth).unwrap();
            world.faults(move |_, _, call| (call == nth).then_some(fault));
            let done = world.refresh(&release).await;
            world.calm();
            nothing_is_forgotten(&ends(&world), &case);
            let whole = done.iter().all(|one| one.outcome.is_done());
            // What passes is tried again by the SDK; what is refused is told.
            assert!(whole || fault == Fault::Deny, "{case}: {done:#?}");
            assert_eq!(whole, ends(&world) == new_ends(), "{case}: {done:#?}");
            assert_eq!(exit_code(&done), if whole { 0 } else { 12 }, "{case}: {done:#?}");
            // A refresh that nobody follows any more goes on by itself.
            let again = world.refresh(&release).await;
            assert!(again.iter().all(|one| one.outcome.is_done()), "{case}: {again:#?}");
            assert_eq!(ends(&world), new_ends(), "{case}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn killed_while_it_rolls_back_the_same_again_knows_what_was_tracked() {
    let (world, release) = promoted().await;
    for region in REGIONS {
        world.alarm(region, true);
    }
    let moments = Arc::new(Mutex::new(Vec::new()));
    let (seen, local) = (Arc::clone(&moments), Arc::downgrade(&world.local));
    world.faults(move |_, _, _| {
        seen.lock().unwrap().push(local.upgrade().unwrap().store.picture());
        None
    });
    let done = world.refresh(&release).await;
    world.calm();
    assert_eq!(outcomes(&done), [Outcome::RolledBack, Outcome::RolledBack, Outcome::LeftAlone], "{done:#?}");
    let moments = std::mem::take(&mut *moments.lock().unwrap());
    for (nth, moment) in moments.iter().enumerate().step_by(every(3)) {
        world.local.store.restore(moment);
        let case = format!("killed before call {}", nth + 1);
        nothing_is_forgotten(&ends(&world), &case);
        for region in REGIONS {
            world.alarm(region, false);
        }
        let mut done = world.refresh(&release).await;
        // A refresh that was rolling back is followed to its end; then another one is needed.
        if done.iter().any(|one| !one.outcome.is_done()) {
            done = world.refresh(&release).await;
        }
        assert!(done.iter().all(|one| one.outcome.is_done()), "{case}: {done:#?}");
        assert_eq!(ends(&world), new_ends(), "{case}");
    }
}

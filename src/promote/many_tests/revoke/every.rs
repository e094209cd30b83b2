//! Stopped and disturbed at every call.

#![allow(clippy::cast_possible_truncation, reason = "numbers of calls")]

use super::super::world::{Frame, alone, everything, spread};
use super::*;
use std::collections::HashSet;
use std::sync::atomic::AtomicUsize;

/// What goes wrong with a call and does no harm when the call is made again.
const PASSING: [Fault; 3] = [Fault::LoseResponse, Fault::Fail, Fault::Throttle];
/// How many of each such fault are tried alone, and how many calls of a revocation are denied, when not all are: it has six hundred
/// calls, and all of them denied take minutes.
const SOME: (usize, usize) = (2, 24);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Revoke,
    Restore,
}

/// One thing to try.
#[derive(Debug, Clone, Copy)]
enum Job {
    /// Killed in the world of that frame; the same command is given again.
    Again(usize),
    /// Killed in the world of that frame; a revocation is taken back.
    TakenBack(usize),
    /// One call goes wrong.
    One(Fault, u64),
    /// Every other call goes wrong, the first one or the second one first.
    Half(Fault, u64),
}

/// What a revocation or restoration is like undisturbed, and where its trials have been.
struct Withdrawal {
    way: Way,
    start: Dump,
    old: State,
    new: State,
    /// The world before every call, and at the end.
    film: Vec<Frame>,
    /// Worlds in which the command was given again: it knows nothing else.
    again: Mutex<HashSet<u64>>,
    cases: AtomicUsize,
}

impl Withdrawal {
    async fn new(way: Way, world: &World) -> Self {
        prepared(world).await;
        if way == Way::Restore {
            assert!(!go(world, AMIS[1]).await.unwrap().is_partial());
        }
        let start = world.local.store.picture();
        let (film, done) = world.filmed(Box::pin(way.go(world))).await;
        assert!(done.unwrap(), "{way:?}");
        let (old, new) = (State::of(&Eyes::on(&start)), State::now(world));
        assert_ne!(old, new);
        Self { way, start, old, new, film, again: Mutex::default(), cases: AtomicUsize::new(0) }
    }

    /// Calls of it undisturbed.
    fn calls(&self) -> usize {
        self.film.len() - 1
    }

    fn jobs(&self) -> Vec<Job> {
        let worlds: Vec<usize> =
            (0..self.film.len()).filter(|at| *at == 0 || self.film[*at].picture != self.film[at - 1].picture).collect();
        let again = worlds.iter().map(|at| Job::Again(*at));
        let back = worlds.iter().map(|at| Job::TakenBack(*at)).filter(|_| self.way == Way::Revoke);
        let halves = PASSING.into_iter().flat_map(|fault| [0, 1].map(|first| Job::Half(fault, first)));
        let (others, denied) = if everything() { (usize::MAX, usize::MAX) } else { SOME };
        let denied = if self.way == Way::Restore { usize::MAX } else { denied };
        let stride = |many: usize| self.calls().div_ceil(many).max(1);
        let ones = |fault, many: usize, first: usize| {
            let numbers = (1 + first..=self.calls()).step_by(stride(many));
            numbers.map(move |nth| Job::One(fault, nth as u64))
        };
        let passing = PASSING.into_iter().enumerate();
        let passing = passing.flat_map(|(index, fault)| ones(fault, others, index * stride(others) / 4));
        again.chain(back).chain(halves).chain(ones(Fault::Deny, denied, 0)).chain(passing).collect()
    }

    async fn one(&self, world: &World, job: Job) {
        self.cases.fetch_add(1, Ordering::Relaxed);
        let case = format!("{:?}, {job:?}", self.way);
        match job {
            Job::Again(at) => {
                safe(&Eyes::on(&self.film[at].picture), &case);
                world.back_to(&self.film[at].picture, 1000);
                self.finish(world, &case).await;
            }
            Job::TakenBack(at) => {
                world.back_to(&self.film[at].picture, 1000);
                self.taken_back(world, &case).await;
            }
            Job::One(fault, nth) => self.disturbed(world, fault, move |call| call == nth, &case).await,
            Job::Half(fault, first) => self.disturbed(world, fault, move |call| call % 2 == first, &case).await,
        }
    }

    /// The same command once more, by somebody who knows that the first one is gone.
    async fn finish(&self, world: &World, case: &str) {
        if !self.again.lock().unwrap().insert(world.local.store.picture().print()) {
            return;
        }
        watched(world, case, |_| None);
        match self.way {
            Way::Revoke => {
                let ended = again(world, AMIS[1]).await;
                assert!(ended.as_ref().is_ok_and(|ended| !ended.is_partial()), "{case}: {ended:?}");
            }
            Way::Restore => match back(world, AMIS[1], true).await {
                Ok(restored) => assert!(restored.complete, "{case}: {restored:?}"),
                // It had been done.
                Err(PromoteError::NotRevoked { .. }) => {}
                Err(error) => panic!("{case}: {error}"),
            },
        }
        world.calm();
        assert_eq!(State::now(world), self.new, "{case}");
    }

    async fn taken_back(&self, world: &World, case: &str) {
        let begun = State::now(world).books.iter().any(|name| name.contains("/revocations/"));
        watched(world, case, |_| None);
        let restored = back(world, AMIS[1], true).await;
        world.calm();
        let end = State::now(world);
        match restored {
            Err(PromoteError::NotRevoked { .. }) => assert!(!begun, "{case}"),
            Ok(restored) => assert!(begun && restored.complete, "{case}: {restored:?}"),
            Err(error) => panic!("{case}: {error}"),
        }
        assert_eq!(end.images, self.old.images, "{case}");
        assert!(!end.books.iter().any(|name| name.contains("/revocations/")), "{case}: {:?}", end.books);
    }

    /// Some calls go wrong.
    async fn disturbed(
        &self,
        world: &World,
        fault: Fault,
        wrong: impl Fn(u64) -> bool + Send + Sync + 'static,
        case: &str,
    ) {
        world.back_to(&self.start, 500);
        watched(world, case, move |call| wrong(call).then_some(fault));
        let ended = self.way.go(world).await;
        world.calm();
        match &ended {
            Ok(true) => assert_eq!(State::now(world), self.new, "{case}"),
            Ok(false) | Err(PromoteError::Untidy { .. }) => {}
            Err(_) => assert_eq!(fault, Fault::Deny, "{case}: {ended:?}"),
        }
        self.finish(world, case).await;
    }
}

impl Way {
    /// Does it; whether it is complete.
    async fn go(self, world: &World) -> Result<bool, PromoteError> {
        match self {
            Self::Revoke => go(world, AMIS[1]).await.map(|ended| !ended.is_partial()),
            Self::Restore => back(world, AMIS[1], false).await.map(|restored| restored.complete),
        }
    }
}

/// Every change is looked at before the next call, and `fault` says what goes wrong with that.
fn watched(world: &World, case: &str, fault: impl Fn(u64) -> Option<Fault> + Send + Sync + 'static) {
    let (local, case) = (Arc::downgrade(&world.local), case.to_owned());
    let wrote = AtomicU64::new(0);
    world.faults(move |_, operation, nth| {
        if wrote.swap(u64::from(CHANGES.contains(&operation)), Ordering::SeqCst) == 1 {
            safe(&Eyes::on(&local.upgrade().unwrap().store.picture()), &case);
        }
        fault(nth)
    });
}

/// Kills it in every world that it passes through, and goes on from there in every way; denies calls; and lets every call go
/// wrong in ways that do no harm, together with every other one, and some alone: with `AMIFORGE_EVERY_CALL=1` all of them.
fn try_all(way: Way, distribute: Distribute) {
    let began = std::time::Instant::now();
    let case = alone(async { Box::pin(Withdrawal::new(way, &world(distribute))).await });
    let jobs = case.jobs();
    spread(|| world(distribute), &jobs, async |world, job| case.one(world, *job).await);
    let (calls, took) = (case.calls(), began.elapsed().as_secs_f64());
    let worlds = jobs.iter().filter(|job| matches!(job, Job::Again(_))).count();
    let cases = case.cases.into_inner();
    println!("{way:?} {distribute:?}: {cases} cases in {took:.1} s: {calls} calls, {worlds} different worlds");
    assert_eq!(cases, jobs.len());
    assert!(worlds > 20, "{way:?} {distribute:?}: {worlds} worlds over {calls} calls");
}

#[test]
fn a_revocation_is_stopped_and_disturbed_at_every_call() {
    try_all(Way::Revoke, Distribute::Share);
}

#[test]
fn a_revocation_of_copies_is_stopped_and_disturbed_at_every_call() {
    try_all(Way::Revoke, Distribute::Copy);
}

#[test]
fn a_restoration_is_stopped_and_disturbed_at_every_call() {
    try_all(Way::Restore, Distribute::Share);
}

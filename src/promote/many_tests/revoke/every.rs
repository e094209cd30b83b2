//! Stopped and disturbed at every call.

#![allow(clippy::cast_possible_truncation, reason = "numbers of calls")]

use super::super::world::{Frame, alone, everything, spread};
use super::*;
use crate::promote::revoke::parts::{self, Middle, Point};
use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize};

/// What goes wrong with a call and does no harm when the call is made again.
const PASSING: [Fault; 3] = [Fault::LoseResponse, Fault::Fail, Fault::Throttle];
/// At most how many calls such a fault is tried at alone, unless all are, as those are that change something and whose answers are lost.
const SOME: usize = 24;
/// Whose turn it is in whatever begins as the filmed one did.
const TURN: u64 = 500;

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
    /// Where it can be begun in the middle: a restoration nowhere.
    marks: Vec<Mark>,
    /// Where trials have been between two parts: what comes after that is tried already.
    passed: Mutex<HashSet<(u64, u64, bool)>>,
    /// Worlds in which the command was given again: it knows nothing else.
    again: Mutex<HashSet<u64>>,
    /// Worlds that were looked at and are as they should be.
    seen: Arc<Mutex<HashSet<u64>>>,
    cases: AtomicUsize,
}

/// Between two parts of a revocation.
struct Mark {
    /// Calls before it.
    calls: usize,
    picture: Dump,
    middle: Box<Middle>,
}

impl Withdrawal {
    async fn new(way: Way, world: &World) -> Self {
        prepared(world).await;
        if way == Way::Restore {
            assert!(!go(world, AMIS[1]).await.unwrap().is_partial());
        }
        let start = world.local.store.picture();
        world.back_to(&start, TURN);
        let (film, done) = world.filmed(Box::pin(way.go(world))).await;
        assert!(done.unwrap(), "{way:?}");
        let (old, new) = (State::of(&Eyes::on(&start)), State::now(world));
        assert_ne!(old, new);
        let marks = if way == Way::Revoke { marks(world, &start, &film).await } else { vec![] };
        let passed = marks.iter().map(|mark| mark.passed(false)).collect();
        let (passed, cases) = (Mutex::new(passed), AtomicUsize::new(0));
        Self { way, start, old, new, film, marks, passed, again: Mutex::default(), seen: Arc::default(), cases }
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
        let all = everything() || self.way == Way::Restore;
        let stride = if all { 1 } else { self.calls().div_ceil(SOME) };
        let ones = |fault, stride: usize, first: usize| {
            let numbers = (1 + first..=self.calls()).step_by(stride);
            numbers.map(move |nth| Job::One(fault, nth as u64))
        };
        // Of a call that only looks a lost answer is a failure like any other.
        let changes = |job: &Job| matches!(job, Job::One(_, nth) if !self.film[*nth as usize - 1].reads());
        let lost = ones(Fault::LoseResponse, 1, 0).filter(|job| all || changes(job));
        let passing = [(Fault::Fail, 0), (Fault::Throttle, stride / 2)].into_iter();
        let passing = passing.flat_map(|(fault, first)| ones(fault, stride, first));
        again.chain(back).chain(halves).chain(ones(Fault::Deny, 1, 0)).chain(lost).chain(passing).collect()
    }

    async fn one(&self, world: &World, job: Job) {
        self.cases.fetch_add(1, Ordering::Relaxed);
        let case = format!("{:?}, {job:?}", self.way);
        match job {
            Job::Again(at) => {
                world.back_to(&self.film[at].picture, 1000);
                self.finish(world, &case).await;
            }
            Job::TakenBack(at) => {
                world.back_to(&self.film[at].picture, 1000);
                self.taken_back(world, &case).await;
            }
            Job::One(fault, nth) if self.way == Way::Revoke => self.disturbed_once(world, fault, nth, &case).await,
            Job::One(fault, nth) => self.disturbed(world, fault, move |call| call == nth, &case).await,
            Job::Half(fault, first) => self.disturbed(world, fault, move |call| call % 2 == first, &case).await,
        }
    }

    /// The same command once more, by somebody who knows that the first one is gone.
    async fn finish(&self, world: &World, case: &str) {
        if !self.again.lock().unwrap().insert(world.local.store.picture().print()) {
            return;
        }
        self.watched(world, case, |_| None);
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
        self.watched(world, case, |_| None);
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

    /// Every world is looked at before the call that is made in it, and `fault` says what goes wrong with that.
    fn watched(&self, world: &World, case: &str, fault: impl Fn(u64) -> Option<Fault> + Send + Sync + 'static) {
        let (local, seen, case) = (Arc::downgrade(&world.local), Arc::clone(&self.seen), case.to_owned());
        world.faults(move |_, _, nth| {
            let picture = local.upgrade().unwrap().store.picture();
            if seen.lock().unwrap().insert(picture.print()) {
                safe(&Eyes::on(&picture), &case);
            }
            fault(nth)
        });
    }

    /// Some calls go wrong.
    async fn disturbed(
        &self,
        world: &World,
        fault: Fault,
        wrong: impl Fn(u64) -> bool + Send + Sync + 'static,
        case: &str,
    ) {
        world.back_to(&self.start, TURN);
        self.watched(world, case, move |call| wrong(call).then_some(fault));
        let ended = self.way.go(world).await;
        self.ended(world, fault, ended, case).await;
    }

    async fn ended(&self, world: &World, fault: Fault, ended: Result<bool, PromoteError>, case: &str) {
        world.calm();
        match &ended {
            Ok(true) => assert_eq!(State::now(world), self.new, "{case}"),
            Ok(false) | Err(PromoteError::Untidy { .. }) => {}
            Err(_) => assert_eq!(fault, Fault::Deny, "{case}: {ended:?}"),
        }
        self.finish(world, case).await;
    }

    /// One call of a revocation goes wrong. It begins at the last mark before that call, and ends where it has come to a place in
    /// which a trial was before: what comes next follows from the place.
    async fn disturbed_once(&self, world: &World, fault: Fault, nth: u64, case: &str) {
        let mark = self.marks.iter().rev().find(|mark| (mark.calls as u64) < nth);
        let (picture, before) = mark.map_or((&self.start, 0), |mark| (&mark.picture, mark.calls as u64));
        world.back_to(picture, TURN);
        let order = withdraw(world, AMIS[1]);
        let done = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&done);
        self.watched(world, case, move |call| {
            (call + before == nth).then(|| told.store(true, Ordering::SeqCst)).map(|()| fault)
        });
        let mut point = match mark {
            Some(mark) => mark.middle.next(&world.cloud, &order).await,
            None => Box::pin(parts::begin(&world.cloud, &order)).await,
        };
        let ended = loop {
            assert!(done.load(Ordering::SeqCst), "{case}: nothing went wrong");
            match point {
                Point::End(ended) => break ended,
                Point::Middle(middle) => {
                    let place = (world.local.store.picture().print(), middle.print(), fault == Fault::Deny);
                    if !self.passed.lock().unwrap().insert(place) {
                        return world.calm();
                    }
                    point = Box::pin(middle.next(&world.cloud, &order)).await;
                }
            }
        };
        self.ended(world, fault, ended.map(|ended| !ended.is_partial()), case).await;
    }
}

impl Mark {
    /// What a trial that comes by is known by, and whether something was denied before.
    fn passed(&self, denied: bool) -> (u64, u64, bool) {
        (self.picture.print(), self.middle.print(), denied)
    }
}

/// A revocation part by part makes the same calls in the same worlds as one at a stretch.
async fn marks(world: &World, start: &Dump, film: &[Frame]) -> Vec<Mark> {
    world.back_to(start, TURN);
    let order = withdraw(world, AMIS[1]);
    let by_parts = async {
        let mut marks = Vec::new();
        let mut point = Box::pin(parts::begin(&world.cloud, &order)).await;
        while let Point::Middle(middle) = point {
            let (calls, picture) = (world.frames(), world.local.store.picture());
            point = Box::pin(middle.next(&world.cloud, &order)).await;
            marks.push(Mark { calls, picture, middle });
        }
        marks
    };
    let (parts, marks) = world.filmed(by_parts).await;
    let worlds = |film: &[Frame]| film.iter().map(|frame| frame.picture.print()).collect::<Vec<_>>();
    assert_eq!(worlds(&parts), worlds(film));
    marks
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

/// Kills it in every world that it passes through, and goes on from there in every way; denies every call; loses the answer of every
/// call that changes something; and lets every call go wrong in ways that do no harm, together with every other one, and some alone:
/// of a restoration, and with `AMIFORGE_EVERY_CALL=1`, all of them.
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

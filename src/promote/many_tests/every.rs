//! A deed stopped before and after every call, and disturbed at every call.

#![allow(clippy::cast_possible_truncation, reason = "numbers of calls")]

use super::super::*;
use super::case::{Case, DOER, Leg, Passed, Solo};
use super::deed::Deed;
use super::end::End;
use super::eyes::Eyes;
use super::world::*;
use crate::local::Fault;
use crate::local::picture::Picture;
use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// What goes wrong with a call and does no harm when the call is made again.
const PASSING: [Fault; 3] = [Fault::LoseResponse, Fault::Fail, Fault::Throttle];
const DIRECTIONS: [Direction; 2] = [Direction::Finish, Direction::Undo];

/// How much is tried beside every kill and every fault.
#[derive(Debug, Clone, Copy)]
pub(super) struct Samples {
    /// Of how many worlds in which the deed was killed the recovery is killed, too.
    second: usize,
    /// Of how many calls that are denied the undo is killed.
    undo: usize,
    /// In how many different worlds that is done, of each.
    worlds: usize,
    /// How many faults are tried on the whole deed and not on a part of it.
    whole: usize,
}

impl Samples {
    /// What runs in seconds; with `AMIFORGE_EVERY_CALL=1` the second kill is at every call, too.
    fn chosen() -> Self {
        if everything() {
            return Self { second: usize::MAX, undo: usize::MAX, worlds: usize::MAX, whole: usize::MAX };
        }
        Self { second: 4, undo: 4, worlds: 3, whole: 6 }
    }
}

/// Every how manyth of `all` is taken, for about so `many`.
fn stride(all: usize, many: usize) -> usize {
    all.div_ceil(many.max(1)).max(1)
}

/// One thing to try.
#[derive(Clone, Copy)]
enum Job<'a> {
    /// Killed in a world, by the first and last frame that shows it.
    Kill { first: usize, last: usize },
    /// A call goes wrong while it is planned.
    Plan { nth: u64, fault: Fault },
    /// A call of a step goes wrong, which is made again.
    Step { leg: &'a Leg, solo: &'a Solo, nth: u64, fault: Fault },
    /// A call of a phase is denied.
    Deny { leg: &'a Leg, nth: u64 },
    /// A call of the deed as a whole goes wrong.
    Whole { nth: u64, fault: Fault },
    /// What follows on a kill is killed.
    Second { frame: usize },
    /// What follows on a denial is killed.
    Undo { leg: &'a Leg, nth: u64 },
}

/// What was tried.
#[derive(Debug, Default)]
struct Tally {
    kills: AtomicU64,
    worlds: AtomicU64,
    faults: AtomicU64,
    alike: AtomicU64,
    before: AtomicU64,
    whole: AtomicU64,
    second: AtomicU64,
}

fn count(of: &AtomicU64, number: usize) {
    of.fetch_add(number as u64, Ordering::Relaxed);
}

/// A case, and where its trials have been.
struct Every<D> {
    case: Case<D>,
    tally: Tally,
    samples: Samples,
    /// Worlds from which somebody has gone on, and in which direction: who goes on knows nothing but the world.
    gone_on: Mutex<HashSet<(u64, bool)>>,
}

/// Kills the deed before and after every call, lets every call go wrong once, and kills what follows for a part of these.
///
/// A kill is tried once for each world that it leaves: who goes on knows nothing else. A fault that passes is tried on the step that
/// makes the call: when that ends as it ended undisturbed, so does all that follows. A denied call is tried with all of its
/// phase and the undo, unless the same was undone in the same world before. That parts stand for the whole is checked: of every
/// phase when it is filmed, and by faults on the whole deed.
pub(super) fn call_of<D: Deed>(deed: D) {
    let began = std::time::Instant::now();
    let case = alone(async {
        let world = deed.world();
        Case::new(deed, &world).await
    });
    let every = Every { case, tally: Tally::default(), samples: Samples::chosen(), gone_on: Mutex::default() };
    // Second kills come last, because they are not tried in worlds in which somebody was killed already.
    let (first, second): (Vec<_>, Vec<_>) =
        every.jobs().into_iter().partition(|job| !matches!(job, Job::Second { .. } | Job::Undo { .. }));
    for jobs in [first, second] {
        spread(|| deed.world(), &jobs, async |world, job| every.one(world, *job).await);
    }
    let calls = every.case.calls();
    let Tally { kills, worlds, faults, alike, before, whole, second } = every.tally;
    let [kills, worlds, faults, alike, before, whole, second] =
        [kills, worlds, faults, alike, before, whole, second].map(AtomicU64::into_inner);
    println!(
        "{deed:?}: {} cases in {:.1} s: {calls} calls; {kills} kills in {worlds} different worlds; {faults} faults, {alike} of which \
         left no trace and {before} what others had left; {whole} faults on the whole; {second} second kills",
        kills + faults + whole + second,
        began.elapsed().as_secs_f64(),
    );
    assert_eq!(kills, 4 * calls, "{deed:?}: killed before and after every call, and gone on in both directions");
    if every.case.plan.is_some() {
        assert_eq!(faults, 4 * calls, "{deed:?}: every fault at every call");
    }
}

impl<D: Deed> Every<D> {
    fn jobs(&self) -> Vec<Job<'_>> {
        let (case, samples) = (&self.case, self.samples);
        let mut jobs = self.kills();
        let worlds = jobs.len();
        for nth in 1..case.planning.len() as u64 {
            jobs.push(Job::Plan { nth, fault: Fault::Deny });
            jobs.extend(PASSING.map(|fault| Job::Plan { nth, fault }));
        }
        for leg in &case.legs {
            jobs.extend((1..leg.film.len() as u64).map(|nth| Job::Deny { leg, nth }));
            for solo in &leg.solos {
                let calls = 1..solo.film.len() as u64;
                jobs.extend(calls.flat_map(|nth| PASSING.map(|fault| Job::Step { leg, solo, nth, fault })));
            }
        }
        // What has no plan can be tried as a whole only.
        let whole = if case.plan.is_some() { samples.whole } else { usize::MAX };
        let all: Vec<_> = (1..=case.calls())
            .flat_map(|nth| {
                [&[Fault::Deny][..], &PASSING].concat().into_iter().map(move |fault| Job::Whole { nth, fault })
            })
            .collect();
        jobs.extend(all.iter().skip(3).step_by(stride(all.len(), whole)));
        let kills = jobs[..worlds].iter().filter_map(|job| match job {
            Job::Kill { first, .. } => Some(Job::Second { frame: *first }),
            _ => None,
        });
        let kills: Vec<_> = kills.skip(1).step_by(stride(worlds, samples.second)).collect();
        let denied = case.legs.iter().flat_map(|leg| (1..leg.film.len() as u64).map(move |nth| Job::Undo { leg, nth }));
        let denied: Vec<_> = denied.collect();
        let undone = denied.iter().rev().step_by(stride(denied.len(), samples.undo));
        jobs.extend(kills.iter().chain(undone));
        jobs
    }

    /// One for each world that looks the same from one call to another.
    fn kills(&self) -> Vec<Job<'_>> {
        let (film, mut jobs, mut first) = (&self.case.film, Vec::new(), 0);
        for last in 0..film.len() {
            if film.get(last + 1).is_none_or(|next| next.picture != film[last].picture) {
                jobs.push(Job::Kill { first, last });
                first = last + 1;
            }
        }
        jobs
    }

    async fn one(&self, world: &World, job: Job<'_>) {
        match job {
            Job::Kill { first, last } => self.killed(world, first, last).await,
            Job::Plan { nth, fault } => {
                let case = format!("{:?} {fault:?} at call {nth} of the planning", self.case.deed);
                if self.is_counted(&self.case.planning, nth, fault) {
                    self.passed(world, self.case.planned(world, &case, nth, fault).await, fault, &case).await;
                }
            }
            Job::Step { leg, solo, nth, fault } => {
                let case = format!("{:?} {fault:?} at call {nth} of {solo}", self.case.deed);
                if self.is_counted(&solo.film, nth, fault) {
                    let passed = self.case.stepped(world, (leg, solo), &case, nth, fault).await;
                    self.passed(world, passed, fault, &case).await;
                }
            }
            Job::Deny { leg, nth } => {
                let case = format!("{:?} denied call {nth} of {leg}", self.case.deed);
                count(&self.tally.faults, 1);
                let passed = self.case.phased(world, leg, &case, nth, Fault::Deny).await;
                self.passed(world, passed, Fault::Deny, &case).await;
            }
            Job::Whole { nth, fault } => self.whole(world, nth, fault).await,
            Job::Second { frame } => self.second(world, frame).await,
            Job::Undo { leg, nth } => self.undo(world, leg, nth).await,
        }
    }

    /// Counts a fault; whether it has to be tried, because it is not the same as another one.
    fn is_counted(&self, film: &[Frame], nth: u64, fault: Fault) -> bool {
        count(&self.tally.faults, 1);
        // The answer is the same failure, and there was nothing to be done.
        let is_same = fault == Fault::LoseResponse && film[nth as usize - 1].reads();
        count(&self.tally.alike, usize::from(is_same));
        !is_same
    }

    /// Killed in a world: before each of the calls from `first` on, counted from 0, and after the ones before these.
    async fn killed(&self, world: &World, first: usize, last: usize) {
        let calls = self.case.calls() as usize;
        let kills = (first..=last).map(|at| usize::from(at < calls) + usize::from(at > 0)).sum::<usize>();
        count(&self.tally.kills, kills * DIRECTIONS.len());
        count(&self.tally.worlds, 1);
        let case = format!("{:?} killed before call {}", self.case.deed, first + 1);
        for direction in DIRECTIONS {
            self.go_on(world, &self.case.film[first].picture, direction, DOER + 1, &case).await;
        }
    }

    /// Goes on from a world in a direction, and looks at the end; what the world was like before every call.
    async fn go_on(&self, world: &World, from: &Picture, direction: Direction, turn: u64, case: &str) -> Vec<Frame> {
        let case = format!("{case}, {direction:?}");
        self.gone_on.lock().unwrap().insert((from.print(), direction == Direction::Finish));
        self.case.look(from, &case);
        world.back_to(from, turn);
        self.case.disturb(world, &case, |_| None);
        let (film, done) = world.filmed(self.case.deed.recover(world, direction)).await;
        world.calm();
        let (cut, is_new) = (End::of(from), self.case.is_new(world, &case));
        match done {
            Err(PromoteError::NothingToResume { .. }) => assert!(cut.books.is_empty(), "{case}"),
            Err(other) => panic!("{case}: {other}"),
            Ok(()) => {}
        }
        assert_eq!(is_new, self.case.deed.ends_new(&cut, &self.case.old, direction), "{case}");
        film
    }

    /// What follows on a kill is killed.
    async fn second(&self, world: &World, frame: usize) {
        for direction in DIRECTIONS {
            let case = format!("{:?} killed before call {}", self.case.deed, frame + 1);
            let film = self.go_on(world, &self.case.film[frame].picture, direction, DOER + 1, &case).await;
            self.follow(world, &film, direction == Direction::Undo, &format!("{case}, {direction:?}")).await;
        }
    }

    /// The undo of a phase of which a call is denied is killed.
    async fn undo(&self, world: &World, leg: &Leg, nth: u64) {
        let case = format!("{:?} denied call {nth} of {leg}", self.case.deed);
        self.case.forget();
        let (film, _) = world.filmed(self.case.phased(world, leg, &case, nth, Fault::Deny)).await;
        self.follow(world, &film, true, &case).await;
    }

    /// Kills what was filmed in some of the worlds and goes on from there, unless somebody has gone on from the same world.
    async fn follow(&self, world: &World, film: &[Frame], undone: bool, case: &str) {
        let is_new = |(_, frame): &(usize, &Frame)| {
            let gone_on = self.gone_on.lock().unwrap();
            DIRECTIONS.iter().any(|way| !gone_on.contains(&(frame.picture.print(), *way == Direction::Finish)))
        };
        let mut frames: Vec<_> = film.iter().enumerate().filter(is_new).collect();
        frames.dedup_by(|(_, a), (_, b)| a.picture == b.picture);
        let every = stride(frames.len(), self.samples.worlds);
        for (at, frame) in frames.into_iter().skip(every / 2).step_by(every) {
            for direction in DIRECTIONS {
                let key = (frame.picture.print(), direction == Direction::Finish);
                if self.gone_on.lock().unwrap().insert(key) {
                    count(&self.tally.second, 1);
                    let case = format!("{case}, killed again before call {}", at + 1);
                    if undone && direction == Direction::Finish {
                        self.change_of_mind(world, &frame.picture, &case).await;
                    } else {
                        self.go_on(world, &frame.picture, direction, DOER + 2, &case).await;
                    }
                }
            }
        }
    }

    /// What an undo has left half done is finished. What it had removed is made anew, under other numbers and ids: so only where
    /// pointers lead is compared.
    async fn change_of_mind(&self, world: &World, from: &Picture, case: &str) {
        let case = format!("{case}, Finish after all");
        self.case.look(from, &case);
        world.back_to(from, DOER + 2);
        self.case.disturb(world, &case, |_| None);
        let (_, done) = world.filmed(self.case.deed.recover(world, Direction::Finish)).await;
        world.calm();
        let (cut, end) = (End::of(from), End::of(&world.local.store.picture()));
        match done {
            Err(PromoteError::NothingToResume { .. }) => assert!(cut.books.is_empty(), "{case}"),
            Err(other) => panic!("{case}: {other}"),
            Ok(()) => {}
        }
        assert_eq!(end.books, Vec::<String>::new(), "{case}");
        let leads = |picture: &Picture| -> Vec<_> {
            let targets = Eyes::on(picture).targets().into_values();
            targets.map(|one| (one.template.map(|(_, ami)| ami), one.parameter)).collect()
        };
        let (old, now) = (leads(&self.case.start), leads(&world.local.store.picture()));
        let new = leads(&self.case.film.last().unwrap().picture);
        let left_out = end.record.is_some_and(|release| !release.left_out.is_empty());
        if left_out {
            let either = now.iter().zip(old.iter().zip(&new)).all(|(now, (old, new))| now == old || now == new);
            assert!(either, "{case}: {now:?}");
            return;
        }
        let wanted = if self.case.deed.ends_new(&cut, &self.case.old, Direction::Finish) { new } else { old };
        assert_eq!(now, wanted, "{case}");
    }

    /// A part that was disturbed is over.
    async fn passed(&self, world: &World, passed: Passed, fault: Fault, case: &str) {
        match passed {
            Passed::Alike => count(&self.tally.alike, 1),
            Passed::AsBefore => count(&self.tally.before, 1),
            Passed::Otherwise => self.ended(world, fault, None, case).await,
            Passed::Failed(error) => self.ended(world, fault, Some(*error), case).await,
        }
        world.calm();
    }

    /// One call of the whole deed goes wrong once.
    async fn whole(&self, world: &World, nth: u64, fault: Fault) {
        let case = format!("{:?} {fault:?} at call {nth} of the whole", self.case.deed);
        count(&self.tally.whole, 1);
        world.back_to(&self.case.start, DOER);
        self.case.disturb(world, &case, move |call| (call == nth).then_some(fault));
        let done = self.case.deed.go(world).await;
        self.ended(world, fault, done.err(), &case).await;
    }

    /// It ended, or failed: what is left is finished, and once more undone, and the end must be the right one each time.
    async fn ended(&self, world: &World, fault: Fault, error: Option<PromoteError>, case: &str) {
        world.calm();
        let left = world.local.store.picture();
        let is_right = |is_new: bool, case: &str| match &error {
            None | Some(PromoteError::Untidy { .. }) => assert!(is_new, "{case}"),
            Some(error) => assert!(fault == Fault::Deny && !is_new, "{case}: {error:?}"),
        };
        if End::of(&left).books.is_empty() {
            return is_right(self.case.is_new(world, case), case);
        }
        for direction in DIRECTIONS {
            let case = format!("{case}, {direction:?} after it");
            world.back_to(&left, DOER + 1);
            let resumed = self.case.deed.recover(world, direction).await;
            resumed.unwrap_or_else(|error| panic!("{case}: {error}"));
            is_right(self.case.is_new(world, &case), &case);
        }
    }
}

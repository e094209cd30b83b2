//! Promoters at the same time: they are slow, calls fail, and some of them die.

use super::super::*;
use super::end::End;
use super::eyes::{Eyes, Watch};
use super::world::*;
use crate::local::picture::Picture;
use crate::local::{Fault, foretold};
use crate::project::Distribute;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

mod revoking;

/// What one of them does.
#[derive(Debug, Clone, Copy)]
enum Act {
    Promote(&'static str),
    Rollback,
    Repair,
    Revoke(&'static str),
    /// Goes on with what another one has begun, who is dead.
    Resume(Direction),
}

impl Act {
    async fn perform(self, world: &World) -> Result<bool, PromoteError> {
        match self {
            Self::Promote(ami) => world.promote(ami).await.map(|done| done.changed),
            Self::Rollback => world.rollback().await.map(|done| done.changed),
            Self::Repair => repair(&world.cloud, &world.order(), &Events::none()).await.map(|done| done.changed),
            Self::Revoke(ami) => revoking::perform(world, ami, false).await,
            Self::Resume(direction) => world.resume(direction).await.map(|_| true),
        }
    }
}

/// Numbers by a seed.
struct Chance(Mutex<u64>);

impl Chance {
    fn below(&self, bound: u64) -> u64 {
        foretold::splitmix(&mut self.0.lock().unwrap()) % bound
    }

    fn seconds(&self, most: u64) -> Duration {
        Duration::from_millis(self.below(most * 1000))
    }

    fn act(&self) -> Act {
        match self.below(8) {
            0..=2 => Act::Promote(AMIS[1]),
            3..=4 => Act::Promote(AMIS[2]),
            5..=6 => Act::Rollback,
            _ => Act::Repair,
        }
    }

    fn direction(&self) -> Direction {
        if self.below(2) == 0 { Direction::Finish } else { Direction::Undo }
    }

    fn fault(&self, wild: bool) -> Fault {
        let late = Fault::Delay(Duration::from_millis(self.below(2000)));
        if !wild {
            return late;
        }
        match self.below(200) {
            0 => Fault::Deny,
            1..=2 => Fault::Throttle,
            3..=4 => Fault::Fail,
            5..=6 => Fault::LoseResponse,
            _ => late,
        }
    }
}

/// What a seed makes of a world.
struct Schedule<'a> {
    world: &'a World,
    start: &'a Picture,
    seed: u64,
    chance: Arc<Chance>,
}

impl<'a> Schedule<'a> {
    fn new(world: &'a World, start: &'a Picture, seed: u64) -> Self {
        world.back_to(start, seed * 10);
        Self { world, start, seed, chance: Arc::new(Chance(Mutex::new(seed))) }
    }

    fn name(&self) -> String {
        format!("AMIFORGE_SEED={}", self.seed)
    }

    /// From now on every call is late, and in a `wild` world some fail; every world on the way is looked at.
    fn disturb(&self, wild: bool) {
        let (local, watch, name) = (Arc::downgrade(&self.world.local), Watch::from(self.start), self.name());
        let (chance, last) = (Arc::clone(&self.chance), Mutex::new(self.start.clone()));
        self.world.faults(move |_, _, _| {
            let now = local.upgrade().unwrap().store.picture();
            let last = std::mem::replace(&mut *last.lock().unwrap(), now.clone());
            if Eyes::concerns(&last, &now) {
                Eyes::on(&now).check(&watch, &name);
                revoking::launchable(&now, &name);
            }
            Some(chance.fault(wild))
        });
    }

    /// At the end all targets are at one release, and the record says which.
    fn ended(&self) -> (End, String) {
        let (picture, case) = (self.world.local.store.picture(), self.name());
        Eyes::on(&picture).check(&Watch::from(self.start), &case);
        let end = End::of(&picture);
        let books: Vec<_> = end.books.iter().filter(|name| !name.contains(revoking::REVOCATIONS)).collect();
        assert!(books.is_empty(), "{case}: {books:?}");
        let targets = Eyes::on(&picture).targets().into_values();
        let stands: Vec<_> = targets.map(|one| (one.template.unwrap().1, one.parameter)).collect();
        assert!(stands.iter().all(|one| *one == stands[0] && one.1.as_deref() == Some(&*one.0)), "{case}: {stands:?}");
        assert_eq!(end.record.as_ref().unwrap().ami, stands[0].0, "{case}");
        (end, stands[0].0.clone())
    }

    /// Nobody dies and no call fails: who moves the channel says so, and the others are told why they could not.
    async fn calm(&self) {
        self.disturb(false);
        let world = self.world;
        let third = if self.seed.is_multiple_of(2) { Act::Rollback } else { Act::Promote(AMIS[1]) };
        let acts = [Act::Promote(AMIS[1]), Act::Promote(AMIS[2]), third];
        let (one, two, three) = tokio::join!(acts[0].perform(world), acts[1].perform(world), acts[2].perform(world));
        world.calm();
        let case = self.name();
        let mut moved = false;
        for result in [&one, &two, &three] {
            match result {
                Ok(changed) => moved |= changed,
                // Nobody dies here, so nobody is told that somebody was cut off (9).
                Err(error) => assert!(matches!(error.exit_code(), 2 | 11), "{case}: {error}"),
            }
        }
        let (end, ami) = self.ended();
        let unmoved = ami == AMIS[0] && end.id() == End::of(self.start).id();
        assert_eq!(!moved, unmoved, "{case}: {one:?} {two:?} {three:?}");
    }

    /// Calls fail, the first dies at some time, and then somebody goes on with what it left, while others come and go.
    async fn wild(&self) {
        self.disturb(true);
        let (world, chance) = (self.world, &self.chance);
        let (acts, direction) = ([chance.act(), chance.act()], chance.direction());
        let (life, later, then) = (chance.seconds(60), chance.seconds(40), chance.seconds(20));
        let dead = AtomicBool::new(false);
        let first = async {
            // What is dropped has made its last call, which may have been done.
            let done = tokio::time::timeout(life, acts[0].perform(world)).await;
            dead.store(true, Ordering::SeqCst);
            done.ok()
        };
        let second = async {
            tokio::time::sleep(later).await;
            acts[1].perform(world).await
        };
        let third = async {
            while !dead.load(Ordering::SeqCst) {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            tokio::time::sleep(then).await;
            // Whoever resumes has looked whose it was.
            if world.holder() != Some(format!("host/{}", 10 * self.seed)) {
                return None;
            }
            Some(Act::Resume(direction).perform(world).await)
        };
        let told = tokio::join!(first, second, third);
        world.calm();
        let case = format!("{}: {acts:?}, {direction:?}: {told:?}", self.name());
        if !End::of(&world.local.store.picture()).books.is_empty() {
            let last = world.resume(chance.direction()).await;
            assert!(last.is_ok(), "{case}: {last:?}");
        }
        self.ended();
    }
}

/// The seeds to try: the one in `AMIFORGE_SEED`, or so many, and twenty times as many when everything is tried.
fn seeds(count: u64) -> Vec<u64> {
    match std::env::var("AMIFORGE_SEED").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => vec![seed],
        None => (1..=if everything() { 20 * count } else { count }).collect(),
    }
}

fn promoted() -> Picture {
    alone(async {
        let world = World::new(Distribute::Share);
        world.promote(AMIS[0]).await.unwrap();
        world.local.store.picture()
    })
}

#[test]
fn promoters_at_the_same_time_never_mix() {
    let (start, seeds) = (promoted(), seeds(24));
    spread(
        || World::new(Distribute::Share),
        &seeds,
        async |world, seed| Box::pin(Schedule::new(world, &start, *seed).calm()).await,
    );
    println!("{} seeds from {}", seeds.len(), seeds[0]);
}

#[test]
fn promoters_that_fail_and_die_never_mix() {
    let (start, seeds) = (promoted(), seeds(96));
    spread(
        || World::new(Distribute::Share),
        &seeds,
        async |world, seed| Box::pin(Schedule::new(world, &start, *seed).wild()).await,
    );
    println!("{} seeds from {}", seeds.len(), seeds[0]);
}

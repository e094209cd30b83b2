//! Promotions in a world in which EC2 shows a change a second later, stopped and disturbed.

use super::super::*;
use super::deed::{Deed, What};
use super::eyes::{Eyes, Target, Watch};
use super::world::*;
use crate::aws::tags;
use crate::clock::Clock;
use crate::local::Fault;
use crate::local::picture::Picture;
use crate::local::records::AMI;
use crate::project::Distribute;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

const LAG: Duration = Duration::from_secs(1);
const DEEDS: [What; 3] = [What::First(Distribute::Copy), What::Next(Distribute::Share), What::Back(Distribute::Share)];

/// What there is at an end, by what does not depend on the time.
#[derive(Debug, PartialEq)]
struct Stand {
    targets: BTreeMap<String, Target>,
    /// Images by the one at home, owner and Region: how many, and how many of them with the mark of approval.
    images: BTreeMap<(String, String, String), (usize, usize)>,
    /// Image and parameters of our books.
    record: Option<String>,
    books: Vec<String>,
}

impl Stand {
    fn of(picture: &Picture) -> Self {
        let (eyes, end) = (Eyes::on(picture), super::end::End::of(picture));
        let mut images: BTreeMap<_, (usize, usize)> = BTreeMap::new();
        for row in picture.rows().filter(|row| row.key.kind == AMI) {
            let key = (eyes.source(&row.key.id), row.key.account.clone(), row.key.region.clone());
            let (all, approved) = images.entry(key).or_default();
            *all += 1;
            *approved += usize::from(row.value()["tags"].get(tags::APPROVED).is_some());
        }
        let record = end.record.map(|release| release.ami);
        Self { targets: eyes.targets(), images, record, books: end.books }
    }

    /// Without copies that nobody approves, which an undone promotion leaves; there are never two of one image in one place.
    fn swept(mut self, old: &Self, case: &str) -> Self {
        assert!(self.images.values().all(|(all, _)| *all == 1), "{case}: copied twice: {:?}", self.images);
        self.images.retain(|key, (_, approved)| old.images.contains_key(key) || *approved > 0);
        self
    }
}

/// A deed in a world that lags, and its two ends.
struct Lagging {
    deed: What,
    world: World,
    start: Picture,
    old: Stand,
    new: Stand,
    calls: u64,
}

impl Lagging {
    async fn new(deed: What) -> Self {
        let world = World::by(&Clock::with_tokio(START), deed.distribute());
        world.local.set_lag(LAG);
        deed.prepare(&world).await;
        tokio::time::sleep(LAG).await;
        let start = world.local.store.picture();
        let (film, done) = Box::pin(world.filmed(deed.go(&world))).await;
        done.unwrap();
        let (old, new) = (Stand::of(&start), Stand::of(&film.last().unwrap().picture));
        Self { deed, world, start, old, new, calls: film.len() as u64 - 1 }
    }

    /// Whether it is the new end; it must be one of the two.
    fn is_new(&self, case: &str) -> bool {
        let picture = self.world.local.store.picture();
        Eyes::on(&picture).check(&Watch::from(&self.start), case);
        let stand = Stand::of(&picture).swept(&self.old, case);
        let is_new = stand == self.new;
        assert!(is_new || stand == self.old, "{case}:\n{stand:#?}\nis neither\n{:#?}\nnor\n{:#?}", self.old, self.new);
        is_new
    }

    /// Killed before or after a call; somebody goes on at once, who sees nothing of what was done last.
    async fn killed(&self, nth: u64, after: bool, direction: Direction) {
        let world = &self.world;
        let case =
            format!("{:?} killed {} call {nth}, {direction:?}", self.deed, if after { "after" } else { "before" });
        world.back_to(&self.start, 100);
        let (died, death) = (Arc::new(Notify::new()), if after { Fault::StopAfter } else { Fault::Stop });
        let dies = Arc::clone(&died);
        world.faults(move |_, _, call| {
            if call == nth {
                dies.notify_one();
            }
            (call == nth).then_some(death)
        });
        tokio::select! {
            biased;
            () = died.notified() => {}
            done = self.deed.go(world) => panic!("{case}: it has {} calls: {done:?}", self.calls),
        }
        world.calm();
        let recorded = Stand::of(&world.local.store.picture()).record != self.old.record;
        let begun = world.local.store.picture().rows().any(|row| row.key.id == JOURNAL);
        match world.resume(direction).await {
            Err(PromoteError::NothingToResume { .. }) => assert!(!begun, "{case}"),
            other => drop(other.unwrap_or_else(|error| panic!("{case}: {error}"))),
        }
        // What comes late has come now.
        tokio::time::sleep(2 * LAG).await;
        drop(world.cloud.ec2(world.cloud.home()).describe_regions().send().await.unwrap());
        let is_new = self.is_new(&case);
        assert_eq!(is_new, recorded || (begun && direction == Direction::Finish), "{case}");
    }

    /// Every answer to an operation is lost, for as long as the deed takes; what is left is finished.
    async fn unanswered(&self, operation: &'static str) {
        let world = &self.world;
        let case = format!("{:?} without answers to {operation}", self.deed);
        world.back_to(&self.start, 100);
        let lost = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&lost);
        world.faults(move |_, called, _| {
            let is_lost = called == operation;
            count.fetch_add(u64::from(is_lost), Ordering::SeqCst);
            is_lost.then_some(Fault::LoseResponse)
        });
        let done = self.deed.go(world).await;
        world.calm();
        if done.is_err() && world.local.store.picture().rows().any(|row| [JOURNAL, LOCK].contains(&&*row.key.id)) {
            world.resume(Direction::Finish).await.unwrap_or_else(|error| panic!("{case}: {done:?}: {error}"));
        }
        tokio::time::sleep(2 * LAG).await;
        drop(world.cloud.ec2(world.cloud.home()).describe_regions().send().await.unwrap());
        let is_new = self.is_new(&case);
        assert!(is_new || done.is_err(), "{case}");
        assert!(lost.load(Ordering::SeqCst) > 0 || !self.makes(operation), "{case}");
    }

    fn makes(&self, operation: &str) -> bool {
        let first = matches!(self.deed, What::First(_));
        match operation {
            "CreateLaunchTemplate" => first,
            "CreateLaunchTemplateVersion" => !first,
            "CopyImage" => !matches!(self.deed, What::Back(_)),
            "PutParameter" | "ModifyLaunchTemplate" => !first || operation == "PutParameter",
            _ => false,
        }
    }
}

#[test]
fn killed_in_a_world_that_lags_it_can_be_finished_and_undone_at_once() {
    let (count, every) = (AtomicU64::new(0), if everything() { 1 } else { 37 });
    spread(
        || World::new(Distribute::Share),
        &DEEDS,
        async |_, deed| {
            let lagging = Box::pin(Lagging::new(*deed)).await;
            for nth in (1..=lagging.calls).filter(|nth| nth % every == every / 2) {
                for (after, direction) in [(false, Direction::Undo), (true, Direction::Undo), (true, Direction::Finish)]
                {
                    lagging.killed(nth, after, direction).await;
                    count.fetch_add(1, Ordering::SeqCst);
                }
            }
        },
    );
    println!("{} cases", count.into_inner());
}

#[test]
fn answers_that_never_come_in_a_world_that_lags_leave_nothing_behind() {
    const OPERATIONS: [&str; 7] = [
        "CreateLaunchTemplate",
        "CreateLaunchTemplateVersion",
        "CopyImage",
        "CreateTags",
        "ModifyImageAttribute",
        "ModifyLaunchTemplate",
        "PutParameter",
    ];
    spread(
        || World::new(Distribute::Share),
        &DEEDS,
        async |_, deed| {
            let lagging = Box::pin(Lagging::new(*deed)).await;
            for operation in OPERATIONS {
                lagging.unanswered(operation).await;
            }
        },
    );
}

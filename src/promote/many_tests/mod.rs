//! Promotions over three accounts and four Regions, stopped and disturbed at every single call.

mod canary;
mod eyes;
mod pointers;
mod revoke;
mod world;

use super::*;
use crate::clock::Clock;
use crate::local::store::Dump;
use crate::local::{DEFAULT_ACCOUNT, Fault};
use crate::project::{Distribute, Location};
use eyes::{End, Eyes};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use world::*;

/// A world, what it was like before, and what it is like after an undisturbed promotion.
struct Case {
    world: World,
    what: What,
    start: Dump,
    before: Arc<Eyes>,
    old: End,
    new: End,
    /// What the world was like at every call of it.
    moments: Vec<Dump>,
}

impl Case {
    async fn new(what: What, distribute: Distribute) -> Self {
        let world = World::new(distribute);
        what.prepare(&world).await;
        let start = world.local.store.dump();
        let before = Arc::new(Eyes::on(&start));
        let moments = Arc::new(Mutex::new(Vec::new()));
        let (seen, local) = (Arc::clone(&moments), Arc::downgrade(&world.local));
        world.faults(move |_, _, _| {
            seen.lock().unwrap().push(local.upgrade().unwrap().store.dump());
            None
        });
        world.go(what).await.unwrap();
        world.calm();
        let last = world.local.store.dump();
        let (old, new) = (before.end(), Eyes::on(&last).end());
        let moments = [std::mem::take(&mut *moments.lock().unwrap()), vec![last]].concat();
        Self { world, what, start, before, old, new, moments }
    }

    fn end(&self) -> End {
        Eyes::on(&self.world.local.store.dump()).end()
    }

    /// One of the two ends that there may be. Records have the id of the promotion, which only the undisturbed one shares.
    fn allowed(&self, end: &End, case: &str) -> bool {
        let moved = End { record: end.record.clone(), ..self.new.clone() };
        let is_new = *end == moved && end.record != self.old.record;
        // The mark may also be there of an attempt that ended well.
        assert!(*end == self.old || is_new, "{case}:\n{end:#?}\nis neither\n{:#?}\nnor\n{:#?}", self.old, self.new);
        is_new
    }

    /// Killed at each call: whatever the world was like then, it can be finished and undone.
    async fn killed(&self, every: usize, offset: usize) -> usize {
        let mut count = 0;
        for (nth, moment) in self.moments.iter().enumerate().skip(offset).step_by(every) {
            let cut = Eyes::on(moment);
            let case = format!("{:?} killed before call {}", self.what, nth + 1);
            cut.check(&self.before, &case);
            let journal = cut.end().books.iter().any(|name| name == JOURNAL);
            let recorded = cut.end().record != self.old.record;
            for direction in [Direction::Finish, Direction::Undo] {
                self.world.local.store.restore(moment);
                let case = format!("{case}, {direction:?}");
                self.watch(&case);
                let resumed = self.world.resume(direction).await;
                self.world.calm();
                let is_new = self.allowed(&self.end(), &case);
                match resumed {
                    Err(PromoteError::NothingToResume { .. }) => assert!(!journal, "{case}"),
                    Err(other) => panic!("{case}: {other}"),
                    Ok(_) if journal => {
                        assert_eq!(is_new, direction == Direction::Finish || recorded, "{case}");
                    }
                    Ok(_) => assert_eq!(is_new, recorded, "{case}"),
                }
                count += 1;
            }
        }
        count
    }

    /// From now on every write to a pointer is looked at before the next call.
    fn watch(&self, case: &str) {
        self.disturb(case, |_| None);
    }

    fn disturb(&self, case: &str, fault: impl Fn(u64) -> Option<Fault> + Send + Sync + 'static) {
        let (local, before, case) = (Arc::downgrade(&self.world.local), Arc::clone(&self.before), case.to_owned());
        let wrote = AtomicU64::new(0);
        self.world.faults(move |_, operation, nth| {
            if wrote.swap(u64::from(WRITES.contains(&operation)), Ordering::SeqCst) == 1 {
                Eyes::on(&local.upgrade().unwrap().store.dump()).check(&before, &case);
            }
            fault(nth)
        });
    }

    /// One call goes wrong once.
    async fn disturbed(&self, fault: Fault, nth: u64) {
        let case = format!("{:?} {fault:?} at call {nth}", self.what);
        self.world.local.store.restore(&self.start);
        self.disturb(&case, move |call| (call == nth).then_some(fault));
        let result = self.world.go(self.what).await;
        self.world.calm();
        let is_new = self.allowed_after(&case).await;
        match &result {
            Ok(_) | Err(PromoteError::Untidy { .. }) => assert!(is_new, "{case}"),
            Err(_) => assert!(fault == Fault::Deny && !is_new, "{case}: {result:?}"),
        }
    }

    /// The end, after resuming what is left.
    async fn allowed_after(&self, case: &str) -> bool {
        if !self.end().books.is_empty() {
            let resumed = self.world.resume(Direction::Finish).await;
            assert!(resumed.is_ok(), "{case}: {}", resumed.unwrap_err());
        }
        self.allowed(&self.end(), case)
    }
}

const JOURNAL: &str = "/amiforge/acme/journal/debian-12/x86_64/candidate";
const WRITES: [&str; 4] = ["ModifyLaunchTemplate", "PutParameter", "DeleteTags", "DeleteLaunchTemplateVersions"];
const FAULTS: [Fault; 4] = [Fault::Deny, Fault::LoseResponse, Fault::Fail, Fault::Throttle];

/// Everything, or what runs in seconds: `AMIFORGE_EVERY_CALL=1` tries every fault at every call.
fn everything() -> bool {
    std::env::var_os("AMIFORGE_EVERY_CALL").is_some_and(|value| value == "1")
}

async fn try_everything(what: What, distribute: Distribute) {
    let case = Case::new(what, distribute).await;
    let calls = case.moments.len() as u64 - 1;
    let every = if everything() { 1 } else { 7 };
    let mut count = case.killed(every, 0).await;
    for nth in 1..=calls {
        for (index, fault) in FAULTS.into_iter().enumerate() {
            if everything() || nth % 20 == 5 * index as u64 {
                case.disturbed(fault, nth).await;
                count += 1;
            }
        }
    }
    println!("{what:?} {distribute:?}: {count} cases, {calls} calls undisturbed");
    assert!(count as u64 > calls / 4, "{what:?} {distribute:?}: {count} cases over {calls} calls");
}

#[tokio::test(start_paused = true)]
async fn a_first_promotion_is_stopped_and_disturbed_at_every_call() {
    try_everything(What::First, Distribute::Copy).await;
}

#[tokio::test(start_paused = true)]
async fn a_promotion_is_stopped_and_disturbed_at_every_call() {
    try_everything(What::Next, Distribute::Share).await;
}

#[tokio::test(start_paused = true)]
async fn a_rollback_is_stopped_and_disturbed_at_every_call() {
    try_everything(What::Back, Distribute::Share).await;
}

#[tokio::test(start_paused = true)]
async fn every_target_gets_the_image_of_its_own_account_and_region() {
    for distribute in [Distribute::Share, Distribute::Copy] {
        let world = World::new(distribute);
        let first = world.promote(AMIS[0]).await.unwrap();
        let eyes = Eyes::on(&world.local.store.dump());
        assert_eq!(first.release.targets.len(), 12);
        for placed in &first.release.targets {
            let place = Location { account: placed.account.clone(), region: placed.region.clone() };
            let owner = if distribute == Distribute::Copy { &*placed.account } else { DEFAULT_ACCOUNT };
            assert_eq!(eyes.ami(&placed.ami)["owner"], owner, "{placed:?}");
            assert_eq!(eyes.source(&placed.ami), AMIS[0]);
            assert_eq!(eyes.parameter(&place, PARAMETER).as_deref(), Some(&*placed.ami));
            let (default, versions) = eyes.template(&place).unwrap();
            assert_eq!(versions[&default], placed.ami);
        }
        let again = world.promote(AMIS[0]).await.unwrap();
        assert!(!again.changed && again.release == first.release);
    }
}

#[tokio::test(start_paused = true)]
async fn a_region_that_is_denied_holds_everything_or_is_left_out_by_a_quorum() {
    let world = World::new(Distribute::Share);
    world.promote(AMIS[0]).await.unwrap();
    let old = Eyes::on(&world.local.store.dump()).end();
    // The staging of one target fails for good.
    let deny = || {
        let count = AtomicU64::new(0);
        world.faults(move |_, operation, _| {
            let third = operation == "CreateLaunchTemplateVersion" && count.fetch_add(1, Ordering::SeqCst) == 2;
            third.then_some(Fault::Deny)
        });
    };
    deny();
    let error = world.promote(AMIS[1]).await.unwrap_err();
    assert_eq!(error.exit_code(), 12, "{error}");
    assert_eq!(Eyes::on(&world.local.store.dump()).end(), old);
    let quorum = async |quorum: usize| {
        deny();
        let order = Order { quorum: Some(quorum), ..world.order() };
        let result = promote(&world.cloud, &order, &candidate(AMIS[1]), &approval(AMIS[1]), &Events::none()).await;
        world.calm();
        result
    };
    assert!(quorum(12).await.is_err());
    let done = quorum(11).await.unwrap();
    assert!(done.is_partial());
    assert_eq!((done.release.targets.len(), done.release.left_out.len()), (11, 1));
    assert!(done.release.left_out[0].reason.contains("UnauthorizedOperation"), "{:?}", done.release.left_out);
    let end = Eyes::on(&world.local.store.dump()).end();
    let behind: Vec<_> = end.targets.iter().filter(|(_, one)| one.parameter.as_deref() == Some(AMIS[0])).collect();
    assert_eq!(behind.len(), 1, "{behind:?}");
    assert_eq!(behind[0].1, &old.targets[behind[0].0], "it is as it was");
    // The next promotion of the same image takes it along.
    let whole = world.promote(AMIS[1]).await.unwrap();
    assert!(whole.changed && !whole.is_partial());
    assert!(
        Eyes::on(&world.local.store.dump()).end().targets.values().all(|one| one.parameter.as_deref() == Some(AMIS[1]))
    );
}

#[tokio::test(start_paused = true)]
async fn pointers_that_were_moved_by_hand_are_seen_and_put_right() {
    let world = World::new(Distribute::Share);
    assert_eq!(drift(&world.cloud, &world.order()).await.unwrap(), None);
    assert_eq!(repair(&world.cloud, &world.order(), &Events::none()).await.unwrap_err().exit_code(), 2);
    let first = world.promote(AMIS[0]).await.unwrap().release;
    let clean = drift(&world.cloud, &world.order()).await.unwrap().unwrap();
    assert_eq!((clean.0.id.as_str(), clean.1.len()), (first.id.as_str(), 0));
    let (one, two) = (&first.targets[3], &first.targets[7]);
    let at = |placed: &Placed| Location { account: placed.account.clone(), region: placed.region.clone() };
    let ec2 = world.cloud.ec2(&at(one));
    let version =
        ec2.create_launch_template_version().launch_template_id(&one.launch_templates[0].id).source_version("1");
    let data = aws_sdk_ec2::types::RequestLaunchTemplateData::builder().image_id(AMIS[2]).build();
    version.launch_template_data(data).send().await.unwrap();
    let moved = ec2.modify_launch_template().launch_template_id(&one.launch_templates[0].id).default_version("2");
    moved.send().await.unwrap();
    store::delete(&world.cloud, &at(two), PARAMETER).await.unwrap();
    let seen = drift(&world.cloud, &world.order()).await.unwrap().unwrap().1;
    let told: Vec<_> = seen.iter().map(|one| (one.region.as_str(), one.what)).collect();
    assert_eq!(told, [(&*one.region, "launch template"), (&*two.region, "parameter")]);
    assert!(seen[0].found.contains("default version 2 with ami-00000000000000003"), "{seen:?}");
    let repaired = repair(&world.cloud, &world.order(), &Events::none()).await.unwrap();
    assert!(repaired.changed);
    assert_eq!((&repaired.release.ami, &repaired.release.promoted_at), (&first.ami, &first.promoted_at));
    assert_eq!(drift(&world.cloud, &world.order()).await.unwrap().unwrap().1, []);
    assert!(!repair(&world.cloud, &world.order(), &Events::none()).await.unwrap().changed);
}

/// EC2 shows what was written five seconds later.
#[tokio::test(start_paused = true)]
async fn what_does_not_show_yet_is_waited_for() {
    const LAG: Duration = Duration::from_secs(5);
    for distribute in [Distribute::Share, Distribute::Copy] {
        let world = World::by(&Clock::with_tokio(START), distribute);
        world.local.set_lag(LAG);
        for (what, ami, versions) in [(What::First, 0, 1), (What::Next, 1, 2), (What::Back, 0, 3)] {
            let before = Eyes::on(&world.local.store.dump());
            let began = tokio::time::Instant::now();
            let moved = world.go(what).await;
            let case = format!("{distribute:?} {what:?}");
            assert!(moved.as_ref().is_ok_and(|moved| moved.changed && !moved.is_partial()), "{case}: {moved:?}");
            assert!(began.elapsed() >= LAG, "{case}: the lag was not felt");
            let eyes = Eyes::on(&world.local.store.dump());
            eyes.check(&before, &case);
            let end = eyes.end();
            assert!(end.books.is_empty(), "{case}: {:?}", end.books);
            for (place, target) in &end.targets {
                assert_eq!(target.template.as_ref().map(|(_, ami)| ami.as_str()), Some(AMIS[ami]), "{case}: {place}");
                assert_eq!(
                    (target.parameter.as_deref(), target.versions),
                    (Some(AMIS[ami]), versions),
                    "{case}: {place}"
                );
            }
        }
    }
}

/// Numbers that look like chance and are the same for the same seed (splitmix64).
fn chance(state: &AtomicU64) -> u64 {
    let mut z = state.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Two or three promoters at once, every call delayed by chance.
#[tokio::test(start_paused = true)]
async fn promoters_at_the_same_time_never_mix() {
    let world = World::new(Distribute::Share);
    world.promote(AMIS[0]).await.unwrap();
    let start = world.local.store.dump();
    let before = Arc::new(Eyes::on(&start));
    let first = std::env::var("AMIFORGE_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    let seeds = if everything() { 200 } else { 6 };
    for seed in first..first + seeds {
        world.local.store.restore(&start);
        let case = format!("AMIFORGE_SEED={seed}");
        let (state, local, before) = (AtomicU64::new(seed), Arc::downgrade(&world.local), Arc::clone(&before));
        let (wrote, name) = (AtomicU64::new(0), case.clone());
        world.faults(move |_, operation, _| {
            if wrote.swap(u64::from(WRITES.contains(&operation)), Ordering::SeqCst) == 1 {
                Eyes::on(&local.upgrade().unwrap().store.dump()).check(&before, &name);
            }
            Some(Fault::Delay(Duration::from_millis(chance(&state) % 2000)))
        });
        let back = async { if seed % 2 == 0 { world.go(What::Back).await } else { world.promote(AMIS[1]).await } };
        let (one, two, three) = tokio::join!(world.promote(AMIS[1]), world.promote(AMIS[2]), back);
        world.calm();
        let mut moved = 0;
        for result in [&one, &two, &three] {
            match result {
                Ok(promotion) => moved += usize::from(promotion.changed),
                // Nobody dies here, so nobody is told that somebody was cut off (9).
                Err(error) => assert!(matches!(error.exit_code(), 2 | 11), "{case}: {error}"),
            }
        }
        let end = Eyes::on(&world.local.store.dump()).end();
        assert!(end.books.is_empty(), "{case}: {:?}", end.books);
        let stands: Vec<_> =
            end.targets.values().map(|one| (one.template.clone().unwrap().1, one.parameter.clone())).collect();
        assert!(stands.iter().all(|one| *one == stands[0] && one.1.as_deref() == Some(&*one.0)), "{case}: {stands:?}");
        assert_eq!(
            moved == 0,
            stands[0].0 == AMIS[0] && end.record == before_record(&start),
            "{case}: {one:?} {two:?} {three:?}"
        );
    }
}

fn before_record(start: &Dump) -> Option<String> {
    Eyes::on(start).end().record
}

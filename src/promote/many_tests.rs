//! Promotions over three accounts and four Regions, stopped and disturbed at every single call.

use super::*;
use crate::aws::{tags, testing};
use crate::clock::Clock;
use crate::gate::{Verdict, VerdictStatus};
use crate::local::records::{AMI, Ami};
use crate::local::store::{Dump, Scope, StoreError};
use crate::local::{Config, DEFAULT_ACCOUNT, DEFAULT_REGION, Fault, Local};
use crate::project::{Channel, Distribute, EnvironmentConfig, LocalConfig, Location, Project};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const START: time::OffsetDateTime = time::macros::datetime!(2026-01-02 03:04:05 UTC);
const ACCOUNTS: [&str; 3] = [DEFAULT_ACCOUNT, "111111111111", "222222222222"];
const REGIONS: [&str; 4] = [DEFAULT_REGION, "eu-west-1", "ap-south-1", "sa-east-1"];
const AMIS: [&str; 3] = ["ami-00000000000000001", "ami-00000000000000002", "ami-00000000000000003"];
const TEMPLATE: &str = "debian-12-x86_64";
const PARAMETER: &str = "/golden/debian-12/x86_64/candidate";

/// A local environment whose targets are every account in every Region.
struct World {
    local: Arc<Local>,
    project: Project,
    cloud: Cloud,
    promotions: AtomicU64,
    _folder: tempfile::TempDir,
}

fn places() -> Vec<Location> {
    let all = ACCOUNTS.into_iter().flat_map(|account| REGIONS.into_iter().map(move |region| (account, region)));
    all.map(|(account, region)| Location { account: account.into(), region: region.into() }).collect()
}

fn project() -> Project {
    let channel = Channel { name: "candidate".into(), ..Channel::default() };
    Project {
        root: "/p".into(),
        name: "acme".into(),
        environments: BTreeMap::new(),
        channels: vec![channel],
        tags: BTreeMap::new(),
        lint: crate::project::LintConfig::default(),
        recipes: BTreeMap::new(),
        components: BTreeMap::new(),
        partials: BTreeMap::new(),
        warnings: vec![],
        workflows: BTreeMap::new(),
        baselines: BTreeMap::new(),
        gates: crate::project::ProjectGates::default(),
        waivers: vec![],
        signing: crate::project::Signing::default(),
    }
}

impl World {
    fn new(distribute: Distribute) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let local = Local::open(Config {
            state: folder.path().join("state"),
            cache: folder.path().join("cache"),
            clock: Clock::fixed(START),
            events: Events::none(),
            mirror: None,
            bind: vec![],
            beyond: crate::local::Beyond::default(),
            builds: crate::local::Builds::Real,
        })
        .unwrap();
        let served = Arc::clone(&local);
        let handler = move |request| served.handle(request);
        let config = EnvironmentConfig::Local(LocalConfig { distribute, ..LocalConfig::default() });
        let cloud = testing::across_as(Arc::new(handler), Clock::fixed(START), &places(), &config);
        let world = Self { local, project: project(), cloud, promotions: AtomicU64::new(0), _folder: folder };
        AMIS.iter().for_each(|ami| world.image(ami));
        world
    }

    fn image(&self, id: &str) {
        let scope = Scope { account: DEFAULT_ACCOUNT.into(), region: DEFAULT_REGION.into() };
        let ami = Ami {
            id: id.into(),
            name: format!("image {id}"),
            owner: DEFAULT_ACCOUNT.into(),
            architecture: "x86_64".into(),
            state: "available".into(),
            created_at: "2026-01-01T00:00:00Z".into(),
            root_device: "/dev/xvda".into(),
            snapshot: format!("snap-{}", &id[4..]),
            volume_size: 8,
            volume_type: "gp3".into(),
            imds_v2: true,
            platform: "Linux/UNIX".into(),
            tags: BTreeMap::from([(tags::EVIDENCE.to_owned(), digest(id))]),
            ..Ami::default()
        };
        let done: Result<(), StoreError> = self.local.store.write(|tx| tx.put(&scope, AMI, id, &ami));
        done.unwrap();
    }

    fn order(&self) -> Order<'_> {
        Order {
            project: &self.project,
            recipe: "debian-12",
            arch: "x86_64",
            channel: "candidate",
            launch_template: TEMPLATE.into(),
            parameter: PARAMETER.into(),
            reason: "test".into(),
            holder: format!("host/{}", self.promotions.fetch_add(1, Ordering::SeqCst)),
            quorum: None,
            caller: None,
            override_reason: None,
        }
    }

    async fn promote(&self, ami: &str) -> Result<Promotion, PromoteError> {
        promote(&self.cloud, &self.order(), &candidate(ami), &approval(ami), &Events::none()).await
    }

    async fn go(&self, what: What) -> Result<Promotion, PromoteError> {
        match what {
            What::First => self.promote(AMIS[0]).await,
            What::Next => self.promote(AMIS[1]).await,
            What::Back => rollback(&self.cloud, &self.order(), None, &Events::none()).await,
        }
    }

    async fn resume(&self, direction: Direction) -> Result<Resumed, PromoteError> {
        resume(&self.cloud, &self.order(), direction, &Events::none()).await
    }

    fn faults(&self, plan: impl Fn(&str, &str, u64) -> Option<Fault> + Send + Sync + 'static) {
        self.local.set_faults(Some(Box::new(plan)));
    }

    fn calm(&self) {
        self.local.set_faults(None);
    }
}

/// What is promoted, and where it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    /// The first release of all.
    First,
    /// The second release over the first.
    Next,
    /// Back from the second to the first.
    Back,
}

impl What {
    /// A world in which it can begin.
    async fn prepare(self, world: &World) {
        let before: &[&str] = match self {
            Self::First => &[],
            Self::Next => &AMIS[..1],
            Self::Back => &AMIS[..2],
        };
        for ami in before {
            world.promote(ami).await.unwrap();
        }
    }
}

fn digest(ami: &str) -> String {
    format!("sha256:{ami}")
}

fn candidate(ami: &str) -> Candidate {
    Candidate { ami: ami.into(), image_arn: None, image_version: Some("1.0.0/1".into()) }
}

fn approval(ami: &str) -> Approval {
    let passed = Verdict {
        gate: "patches".into(),
        status: VerdictStatus::Pass,
        summary: String::new(),
        details: vec![],
        findings: vec![],
    };
    Approval { digest: digest(ami), verdicts: vec![passed] }
}

/// What the database says, read without a call.
struct Eyes {
    rows: BTreeMap<(String, String, String, String), Value>,
}

/// What a target points to, by the images at home.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    /// The default version, and its image.
    template: Option<(u64, String)>,
    parameter: Option<String>,
    versions: usize,
}

/// What there is at an end.
#[derive(Debug, Clone, PartialEq, Eq)]
struct End {
    targets: BTreeMap<String, Target>,
    record: Option<String>,
    /// Parameters of journals and locks: none.
    books: Vec<String>,
    /// Images with the mark of approval, as copies of which image and where.
    approved: Vec<(String, String)>,
}

impl Eyes {
    fn on(dump: &Dump) -> Self {
        let parse = |row: &[String; 5]| {
            let [account, region, kind, id, body] = row.clone();
            ((account, region, kind, id), serde_json::from_str(&body).unwrap())
        };
        Self { rows: dump.iter().map(parse).collect() }
    }

    fn of(&self, place: &Location, kind: &str) -> impl Iterator<Item = (&str, &Value)> {
        let (account, region, kind) = (place.account.clone(), place.region.clone(), kind.to_owned());
        self.rows
            .iter()
            .filter(move |((a, r, k, _), _)| *a == account && *r == region && *k == kind)
            .map(|((_, _, _, id), value)| (id.as_str(), value))
    }

    fn amis(&self) -> impl Iterator<Item = &Value> {
        self.rows.iter().filter(|((_, _, kind, _), _)| kind == AMI).map(|(_, value)| value)
    }

    fn ami(&self, id: &str) -> &Value {
        self.amis().find(|ami| ami["id"] == id).unwrap_or_else(|| panic!("no image {id}"))
    }

    /// The image at home that an image is, or is a copy of.
    fn source(&self, id: &str) -> String {
        self.ami(id)["tags"][tags::SOURCE].as_str().unwrap_or(id).to_owned()
    }

    fn parameter(&self, place: &Location, name: &str) -> Option<String> {
        let found = self.of(place, "ssm-parameter").find(|(id, _)| *id == name)?.1;
        Some(found["versions"].as_array()?.last()?["value"].as_str()?.to_owned())
    }

    /// Number and image of every version of a target's template, and the default.
    fn template(&self, place: &Location) -> Option<(u64, BTreeMap<u64, String>)> {
        let (id, template) = self.of(place, "ec2-launch-template").find(|(_, one)| one["name"] == TEMPLATE)?;
        let versions = self.of(place, "ec2-launch-template-version").filter(|(key, _)| key.starts_with(id));
        let image = |one: &Value| one["data"]["imageId"].as_str().unwrap().to_owned();
        let versions = versions.map(|(_, one)| (one["number"].as_u64().unwrap(), image(one))).collect();
        Some((template["default_version"].as_u64().unwrap(), versions))
    }

    fn end(&self) -> End {
        let home = &places()[0];
        let target = |place: &Location| {
            let template = self.template(place);
            let (versions, default) = match &template {
                Some((default, all)) => (all.len(), Some((*default, self.source(&all[default])))),
                None => (0, None),
            };
            let parameter = self.parameter(place, PARAMETER).map(|ami| self.source(&ami));
            (format!("{}/{}", place.account, place.region), Target { template: default, parameter, versions })
        };
        let books = self.of(home, "ssm-parameter").map(|(id, _)| id.to_owned());
        let record = self.of(home, "ssm-parameter").find(|(id, _)| *id == "/amiforge/acme/debian-12/x86_64/candidate");
        let amis = self.amis().filter(|ami| ami["tags"].get(tags::APPROVED).is_some());
        let mut approved: Vec<(String, String)> = amis
            .map(|ami| (self.source(ami["id"].as_str().unwrap()), ami["owner"].as_str().unwrap().to_owned()))
            .collect();
        approved.sort();
        End {
            targets: places().iter().map(target).collect(),
            record: record.map(|(_, one)| self.recorded(one)),
            books: books.filter(|id| id.contains("/journal/") || id.contains("/locks/")).collect(),
            approved,
        }
    }

    /// The release that the record is about: the id of its promotion stands in it also when it is packed.
    fn recorded(&self, parameter: &Value) -> String {
        let text = parameter["versions"].as_array().unwrap().last().unwrap()["value"].as_str().unwrap();
        let head: Value = serde_json::from_str(text).unwrap();
        head["id"].as_str().unwrap().to_owned()
    }

    /// Nothing that anybody can see is unproven: whatever a target points to besides `before` is an available image with
    /// its evidence and the mark of approval, the target may launch it, and it is staged in every other target as well.
    fn check(&self, before: &Eyes, place_of_case: &str) {
        for place in places() {
            let old = before.template(&place).map(|(default, all)| all[&default].clone());
            let now = self.template(&place).map(|(default, all)| all[&default].clone());
            let old_parameter = before.parameter(&place, PARAMETER);
            let new_parameter = self.parameter(&place, PARAMETER);
            // A template that was made for the promotion is there before anything is flipped, as DESIGN's staging has it.
            let created = old.is_none();
            let flipped = [(old, now.filter(|_| !created)), (old_parameter, new_parameter)];
            for ami in flipped.into_iter().filter(|(old, now)| old != now).filter_map(|(_, now)| now) {
                self.proven(&place, &ami, place_of_case);
            }
        }
    }

    fn proven(&self, place: &Location, id: &str, case: &str) {
        let ami = self.ami(id);
        let at = format!("{case}: {id} at {place:?}: {ami}");
        assert_eq!(ami["state"], "available", "{at}");
        let permitted = ami["launch_permissions"].as_array().unwrap().iter().any(|one| *one == *place.account);
        assert!(ami["owner"] == *place.account || permitted, "{at}");
        let source = self.source(id);
        assert_eq!(ami["tags"][tags::EVIDENCE], digest(&source), "{at}");
        assert!(ami["tags"].get(tags::APPROVED).is_some(), "{at}");
        for other in places() {
            let staged =
                self.template(&other).is_some_and(|(_, all)| all.values().any(|ami| self.source(ami) == source));
            assert!(staged, "{at}: nothing is staged at {other:?}");
        }
    }
}

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
            Ok(_) => assert!(is_new, "{case}"),
            Err(PromoteError::Untidy { .. }) => assert!(is_new, "{case}"),
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
    let version = ec2.create_launch_template_version().launch_template_id(&one.launch_template.id).source_version("1");
    let data = aws_sdk_ec2::types::RequestLaunchTemplateData::builder().image_id(AMIS[2]).build();
    version.launch_template_data(data).send().await.unwrap();
    let moved = ec2.modify_launch_template().launch_template_id(&one.launch_template.id).default_version("2");
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
                Err(error) => assert!(matches!(error.exit_code(), 2 | 9 | 11), "{case}: {error}"),
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

//! A local environment with three accounts and four Regions.

use super::super::*;
use crate::aws::{tags, testing};
use crate::clock::Clock;
use crate::gate::{Verdict, VerdictStatus};
use crate::local::foretold;
use crate::local::picture::Picture;
use crate::local::records::{AMI, Ami};
use crate::local::store::{Scope, StoreError};
use crate::local::{Config, DEFAULT_ACCOUNT, DEFAULT_REGION, Fault, Local};
use crate::project::{Channel, Distribute, Encryption, EnvironmentConfig, LocalConfig, Location, Project};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::future::Future;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

pub(super) const START: time::OffsetDateTime = time::macros::datetime!(2026-01-02 03:04:05 UTC);
pub(super) const ACCOUNTS: [&str; 3] = [DEFAULT_ACCOUNT, "111111111111", "222222222222"];
pub(super) const REGIONS: [&str; 4] = [DEFAULT_REGION, "eu-west-1", "ap-south-1", "sa-east-1"];
pub(super) const AMIS: [&str; 3] = ["ami-00000000000000001", "ami-00000000000000002", "ami-00000000000000003"];
pub(super) const TEMPLATE: &str = "debian-12-x86_64";
pub(super) const PARAMETER: &str = "/golden/debian-12/x86_64/candidate";

/// The books at home.
pub(super) const RECORD: &str = "/amiforge/acme/debian-12/x86_64/candidate";
pub(super) const JOURNAL: &str = "/amiforge/acme/journal/debian-12/x86_64/candidate";
pub(super) const LOCK: &str = "/amiforge/acme/locks/debian-12/x86_64/candidate";
pub(super) const TARGETS: usize = ACCOUNTS.len() * REGIONS.len();

/// A local environment whose targets are every account in every Region. Nothing in it is left to chance: the same calls in the
/// same order make the same world.
pub(super) struct World {
    pub(super) local: Arc<Local>,
    pub(super) project: Project,
    pub(super) cloud: Cloud,
    /// Whose turn it is: the holder of the next order.
    pub(super) turn: AtomicU64,
    film: Arc<Film>,
    _folder: tempfile::TempDir,
}

/// What the world was like before every call, while somebody films it.
type Film = Mutex<Option<Vec<Frame>>>;

/// What the world was like before a call.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub(super) picture: Picture,
    /// Name of the operation; nothing at the end.
    call: String,
}

impl Frame {
    /// Whether the call only reads. When such a call fails it makes no difference whether it was done.
    pub(super) fn reads(&self) -> bool {
        self.call.starts_with("Get") || self.call.starts_with("Describe")
    }
}

/// Where the day stands in a credential: `KEY/DAY/REGION/SERVICE/aws4_request` (AWS's signature version 4).
const DATE: usize = 1;

/// What is drawn while a request is answered follows from who asks for what, and not from the day on which that is signed.
fn seed(request: &http::Request<Bytes>) -> u64 {
    let mut hasher = DefaultHasher::new();
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let who = header("authorization").split(',').next().unwrap_or_default();
    let who: Vec<&str> = who.split('/').enumerate().filter(|(part, _)| *part != DATE).map(|(_, part)| part).collect();
    (request.uri().to_string(), header("x-amz-target"), who, request.body()).hash(&mut hasher);
    hasher.finish()
}

/// The operation that is asked for: the end of a header in Systems Manager's protocol, the beginning of the body in EC2's.
fn operation(request: &http::Request<Bytes>) -> String {
    let target = request.headers().get("x-amz-target").and_then(|value| value.to_str().ok());
    let form = || std::str::from_utf8(request.body()).ok()?.strip_prefix("Action=")?.split('&').next();
    let name = target.and_then(|target| target.rsplit('.').next()).or_else(form);
    name.unwrap_or_default().to_owned()
}

/// Whether what is sampled otherwise is tried as a whole, which takes long: `AMIFORGE_EVERY_CALL=1`.
pub(super) fn everything() -> bool {
    std::env::var_os("AMIFORGE_EVERY_CALL").is_some_and(|value| value == "1")
}

/// Runs `work` in virtual time.
pub(super) fn alone<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.unwrap().block_on(work)
}

/// Does `work` with every job, on all processors, each with a world of its own.
pub(super) fn spread<J: Sync>(new: impl Fn() -> World + Sync, jobs: &[J], work: impl AsyncFn(&World, &J) + Sync) {
    let next = AtomicUsize::new(0);
    let worker = async || {
        let world = new();
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            work(&world, job).await;
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..workers).map(|_| scope.spawn(|| alone(worker()))).collect();
        for one in all {
            // What a worker has to say of its failure is what the test has to say.
            one.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    });
}

pub(super) fn places() -> Vec<Location> {
    let all = ACCOUNTS.into_iter().flat_map(|account| REGIONS.into_iter().map(move |region| (account, region)));
    all.map(|(account, region)| Location { account: account.into(), region: region.into() }).collect()
}

pub(in crate::promote) fn project() -> Project {
    let channel = Channel { name: "candidate".into(), ..Channel::default() };
    Project {
        root: "/p".into(),
        name: "acme".into(),
        environments: BTreeMap::new(),
        channels: vec![channel],
        tags: BTreeMap::new(),
        lint: crate::project::LintConfig::default(),
        gates: crate::project::ProjectGates::default(),
        waivers: vec![],
        signing: crate::project::Signing::default(),
        recipes: BTreeMap::new(),
        components: BTreeMap::new(),
        partials: BTreeMap::new(),
        warnings: vec![],
        memory: std::sync::Arc::default(),
        workflows: BTreeMap::new(),
        baselines: BTreeMap::new(),
    }
}

/// An order of a project's.
pub(in crate::promote) fn order(project: &Project) -> Order<'_> {
    Order {
        project,
        recipe: "debian-12",
        arch: "x86_64",
        channel: "candidate",
        launch_templates: vec![TEMPLATE.into()],
        parameters: vec![PARAMETER.into()],
        reason: "test".into(),
        holder: "host/1".into(),
        quorum: None,
        caller: None,
        override_reason: None,
    }
}

impl World {
    /// Its clock stands.
    pub(super) fn new(distribute: Distribute) -> Self {
        Self::by(&Clock::fixed(START), distribute)
    }

    pub(super) fn by(clock: &Clock, distribute: Distribute) -> Self {
        Self::over(&places(), clock, distribute)
    }

    /// With other targets.
    pub(super) fn over(places: &[Location], clock: &Clock, distribute: Distribute) -> Self {
        Self::of(places, clock, LocalConfig { distribute, ..LocalConfig::default() }, crate::local::Builds::Real)
    }

    /// With settings about encryption.
    pub(super) fn encrypting(distribute: Distribute, encryption: Encryption) -> Self {
        let config = LocalConfig { distribute, encryption, ..LocalConfig::default() };
        Self::of(&places(), &Clock::fixed(START), config, crate::local::Builds::Real)
    }

    /// Its instances are records whose states follow the clock, which goes on.
    pub(super) fn scripted(distribute: Distribute) -> Self {
        Self::scripted_by(LocalConfig { distribute, ..LocalConfig::default() })
    }

    /// The same with these settings.
    pub(super) fn scripted_by(config: LocalConfig) -> Self {
        let builds = crate::local::Builds::scripted(|_| crate::local::Script::default());
        let world = Self::of(&places(), &Clock::with_tokio(START), config, builds);
        // Copies are there already: thousands of looks at those under way are not what is tried.
        for (number, ami) in AMIS.into_iter().enumerate() {
            for (index, region) in REGIONS.into_iter().enumerate().skip(1) {
                world.copy(ami, &format!("ami-{:017x}", 0xc0 + number * 16 + index), region);
            }
        }
        world
    }

    /// A copy of an image in another Region of the home account.
    fn copy(&self, source: &str, id: &str, region: &str) {
        let home = Scope { account: DEFAULT_ACCOUNT.into(), region: DEFAULT_REGION.into() };
        let there = Scope { account: DEFAULT_ACCOUNT.into(), region: region.into() };
        let done: Result<(), StoreError> = self.local.store.write(|tx| {
            let ami: Option<Ami> = tx.get(&home, AMI, source)?;
            let mut ami = ami.unwrap();
            ami.id = id.to_owned();
            ami.name = format!("copy {id}");
            ami.snapshot = format!("snap-{}", &id[4..]);
            ami.tags.insert(tags::SOURCE.to_owned(), source.to_owned());
            (ami.source, ami.source_region) = (Some(source.to_owned()), Some(home.region.clone()));
            tx.put(&there, AMI, id, &ami)
        });
        done.unwrap();
    }

    fn of(places: &[Location], clock: &Clock, config: LocalConfig, builds: crate::local::Builds) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let local = Local::open(Config {
            state: folder.path().join("state"),
            cache: folder.path().join("cache"),
            clock: clock.clone(),
            events: Events::none(),
            mirror: None,
            bind: vec![],
            beyond: crate::local::Beyond::default(),
            builds,
        })
        .unwrap();
        let film = Arc::new(Film::default());
        let (served, frames) = (Arc::clone(&local), Arc::clone(&film));
        let handler = move |request: http::Request<Bytes>| {
            if let Some(frames) = &mut *frames.lock().unwrap() {
                frames.push(Frame { picture: served.store.picture(), call: operation(&request) });
            }
            foretold::by(seed(&request), || served.handle(request))
        };
        let cloud = testing::foreseeable(&local, Arc::new(handler), places, &EnvironmentConfig::Local(config));
        let world = Self { local, project: project(), cloud, turn: AtomicU64::new(0), film, _folder: folder };
        for ami in AMIS {
            world.image(ami);
        }
        world
    }

    pub(super) fn image(&self, id: &str) {
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

    pub(super) fn order(&self) -> Order<'_> {
        let holder = format!("host/{}", self.turn.fetch_add(1, Ordering::SeqCst));
        Order { holder, ..order(&self.project) }
    }

    pub(super) async fn promote(&self, ami: &str) -> Result<Promotion, PromoteError> {
        promote(&self.cloud, &self.order(), &candidate(ami), &approval(ami), &Events::none()).await
    }

    pub(super) async fn rollback(&self) -> Result<Promotion, PromoteError> {
        rollback(&self.cloud, &self.order(), None, &Events::none()).await
    }

    pub(super) async fn resume(&self, direction: Direction) -> Result<Resumed, PromoteError> {
        self.resume_as(&self.order(), direction, async |ami: &str| Ok(approval(ami))).await
    }

    pub(super) async fn resume_as(
        &self,
        order: &Order<'_>,
        direction: Direction,
        judge: impl AsyncFnOnce(&str) -> Result<Approval, PromoteError>,
    ) -> Result<Resumed, PromoteError> {
        resume(&self.cloud, order, direction, judge, &Events::none()).await
    }

    pub(super) fn faults(&self, plan: impl Fn(&str, &str, u64) -> Option<Fault> + Send + Sync + 'static) {
        self.local.set_faults(Some(Box::new(plan)));
    }

    pub(super) fn calm(&self) {
        self.local.set_faults(None);
    }

    /// Puts everything back as it was; the next order is that holder's.
    pub(super) fn back_to(&self, picture: &Picture, turn: u64) {
        self.calm();
        self.local.store.restore(picture);
        self.turn.store(turn, Ordering::SeqCst);
    }

    /// Does `work`; what the world was like before every call, and at the end.
    pub(super) async fn filmed<T>(&self, work: impl Future<Output = T>) -> (Vec<Frame>, T) {
        *self.film.lock().unwrap() = Some(Vec::new());
        let done = work.await;
        let mut film = self.film.lock().unwrap().take().unwrap();
        film.push(Frame { picture: self.local.store.picture(), call: String::new() });
        (film, done)
    }

    /// How many calls have been filmed.
    pub(super) fn frames(&self) -> usize {
        self.film.lock().unwrap().as_ref().map_or(0, Vec::len)
    }

    /// Who holds the lock.
    pub(super) fn holder(&self) -> Option<String> {
        let picture = self.local.store.picture();
        let row = picture.rows().find(|row| row.key.id == LOCK)?.value();
        let lock: serde_json::Value = serde_json::from_str(row["versions"][0]["value"].as_str()?).unwrap();
        lock["holder"].as_str().map(str::to_owned)
    }
}

pub(in crate::promote) fn digest(ami: &str) -> String {
    format!("sha256:{ami}")
}

pub(super) fn candidate(ami: &str) -> Candidate {
    Candidate { ami: ami.into(), image_arn: None, image_version: Some("1.0.0/1".into()) }
}

pub(in crate::promote) fn approval(ami: &str) -> Approval {
    let passed = Verdict {
        gate: "patches".into(),
        status: VerdictStatus::Pass,
        summary: String::new(),
        details: vec![],
        findings: vec![],
    };
    Approval { digest: digest(ami), verdicts: vec![passed] }
}

/// Takes away from everybody the permission to launch an image of the home account and Region.
pub(super) fn unshare(local: &Local, id: &str) {
    let scope = Scope { account: DEFAULT_ACCOUNT.into(), region: DEFAULT_REGION.into() };
    let done: Result<(), StoreError> = local.store.write(|tx| {
        let ami: Option<Ami> = tx.get(&scope, AMI, id)?;
        tx.put(&scope, AMI, id, &Ami { launch_permissions: vec![], ..ami.unwrap() })
    });
    done.unwrap();
}

#[test]
fn what_is_drawn_does_not_depend_on_the_day() {
    let request = |day: &str, region: &str| {
        let by = format!(
            "AWS4-HMAC-SHA256 Credential=KEY/{day}/{region}/ec2/aws4_request, SignedHeaders=host, Signature=00"
        );
        let request = http::Request::builder().uri("https://ec2/").header("authorization", by);
        request.body(Bytes::from_static(b"Action=CopyImage")).unwrap()
    };
    let one = seed(&request("20260102", "us-east-1"));
    assert_eq!(one, seed(&request("20260103", "us-east-1")));
    assert_ne!(one, seed(&request("20260102", "eu-west-1")));
}

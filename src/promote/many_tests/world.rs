//! A local environment with three accounts and four Regions.

use super::super::*;
use crate::aws::{tags, testing};
use crate::clock::Clock;
use crate::gate::{Verdict, VerdictStatus};
use crate::local::records::{AMI, Ami};
use crate::local::store::{Scope, StoreError};
use crate::local::{Config, DEFAULT_ACCOUNT, DEFAULT_REGION, Fault, Local};
use crate::project::{Channel, Distribute, EnvironmentConfig, LocalConfig, Location, Project};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(super) const START: time::OffsetDateTime = time::macros::datetime!(2026-01-02 03:04:05 UTC);
pub(super) const ACCOUNTS: [&str; 3] = [DEFAULT_ACCOUNT, "111111111111", "222222222222"];
pub(super) const REGIONS: [&str; 4] = [DEFAULT_REGION, "eu-west-1", "ap-south-1", "sa-east-1"];
pub(super) const AMIS: [&str; 3] = ["ami-00000000000000001", "ami-00000000000000002", "ami-00000000000000003"];
pub(super) const TEMPLATE: &str = "debian-12-x86_64";
pub(super) const PARAMETER: &str = "/golden/debian-12/x86_64/candidate";

/// A local environment whose targets are every account in every Region.
pub(super) struct World {
    pub(super) local: Arc<Local>,
    pub(super) project: Project,
    pub(super) cloud: Cloud,
    pub(super) promotions: AtomicU64,
    pub(super) _folder: tempfile::TempDir,
}

pub(super) fn places() -> Vec<Location> {
    let all = ACCOUNTS.into_iter().flat_map(|account| REGIONS.into_iter().map(move |region| (account, region)));
    all.map(|(account, region)| Location { account: account.into(), region: region.into() }).collect()
}

pub(super) fn project() -> Project {
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

impl World {
    /// Its clock stands.
    pub(super) fn new(distribute: Distribute) -> Self {
        Self::by(&Clock::fixed(START), distribute)
    }

    pub(super) fn by(clock: &Clock, distribute: Distribute) -> Self {
        Self::of(clock, distribute, crate::local::Builds::Real)
    }

    /// Its instances are records whose states follow the clock, which goes on.
    pub(super) fn scripted(distribute: Distribute) -> Self {
        let builds = crate::local::Builds::scripted(|_| crate::local::Script::default());
        Self::of(&Clock::with_tokio(START), distribute, builds)
    }

    fn of(clock: &Clock, distribute: Distribute, builds: crate::local::Builds) -> Self {
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
        let served = Arc::clone(&local);
        let handler = move |request| served.handle(request);
        let config = EnvironmentConfig::Local(LocalConfig { distribute, ..LocalConfig::default() });
        let cloud = testing::across_as(Arc::new(handler), clock.clone(), &places(), &config);
        let world = Self { local, project: project(), cloud, promotions: AtomicU64::new(0), _folder: folder };
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
        Order {
            project: &self.project,
            recipe: "debian-12",
            arch: "x86_64",
            channel: "candidate",
            launch_templates: vec![TEMPLATE.into()],
            parameters: vec![PARAMETER.into()],
            reason: "test".into(),
            holder: format!("host/{}", self.promotions.fetch_add(1, Ordering::SeqCst)),
            quorum: None,
            caller: None,
            override_reason: None,
        }
    }

    pub(super) async fn promote(&self, ami: &str) -> Result<Promotion, PromoteError> {
        promote(&self.cloud, &self.order(), &candidate(ami), &approval(ami), &Events::none()).await
    }

    pub(super) async fn go(&self, what: What) -> Result<Promotion, PromoteError> {
        match what {
            What::First => self.promote(AMIS[0]).await,
            What::Next => self.promote(AMIS[1]).await,
            What::Back => rollback(&self.cloud, &self.order(), None, &Events::none()).await,
        }
    }

    pub(super) async fn resume(&self, direction: Direction) -> Result<Resumed, PromoteError> {
        resume(&self.cloud, &self.order(), direction, &Events::none()).await
    }

    pub(super) fn faults(&self, plan: impl Fn(&str, &str, u64) -> Option<Fault> + Send + Sync + 'static) {
        self.local.set_faults(Some(Box::new(plan)));
    }

    pub(super) fn calm(&self) {
        self.local.set_faults(None);
    }
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

/// What is promoted, and where it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// The first release of all.
    First,
    /// The second release over the first.
    Next,
    /// Back from the second to the first.
    Back,
}

impl What {
    /// A world in which it can begin.
    pub(super) async fn prepare(self, world: &World) {
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

pub(super) fn digest(ami: &str) -> String {
    format!("sha256:{ami}")
}

pub(super) fn candidate(ami: &str) -> Candidate {
    Candidate { ami: ami.into(), image_arn: None, image_version: Some("1.0.0/1".into()) }
}

pub(super) fn approval(ami: &str) -> Approval {
    let passed = Verdict {
        gate: "patches".into(),
        status: VerdictStatus::Pass,
        summary: String::new(),
        details: vec![],
        findings: vec![],
    };
    Approval { digest: digest(ami), verdicts: vec![passed] }
}

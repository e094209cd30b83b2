//! Two Regions with a launch template and Auto Scaling groups, in virtual time: instances take half a minute to launch.

use crate::aws::{tags, testing};
use crate::clock::Clock;
use crate::event::Events;
use crate::gate::{Verdict, VerdictStatus};
use crate::local::records::{AMI, Ami};
use crate::local::store::{Scope, StoreError};
use crate::local::{Builds, Config, DEFAULT_ACCOUNT, DEFAULT_REGION, Fault, Local, Script};
use crate::project::{AwsConfig, Channel, EnvironmentConfig, Location, Project, Refresh};
use crate::promote::{
    self, Approval, Candidate, Decision, Order, Promotion, Refreshed, Release, Wanted, promote, refresh_groups,
    rollback,
};
use aws_sdk_autoscaling::types::LaunchTemplateSpecification;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const START: time::OffsetDateTime = time::macros::datetime!(2026-01-02 03:04:05 UTC);
pub(super) const REGIONS: [&str; 2] = [DEFAULT_REGION, "eu-west-1"];
pub(super) const OLD: &str = "ami-00000000000000001";
pub(super) const NEW: &str = "ami-00000000000000002";
pub(super) const TEMPLATE: &str = "web-x86_64";

pub(super) struct World {
    pub(super) local: Arc<Local>,
    pub(super) project: Project,
    pub(super) cloud: crate::aws::Cloud,
    promotions: AtomicU64,
    _folder: tempfile::TempDir,
}

pub(super) fn place(region: &str) -> Location {
    Location { account: DEFAULT_ACCOUNT.into(), region: region.into() }
}

fn scope(region: &str) -> Scope {
    Scope { account: DEFAULT_ACCOUNT.into(), region: region.into() }
}

fn project(refresh: Refresh) -> Project {
    let channel = Channel { name: "candidate".into(), refresh, ..Channel::default() };
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
        memory: Arc::default(),
        workflows: BTreeMap::new(),
        baselines: BTreeMap::new(),
    }
}

impl World {
    /// Both Regions, each with the template at version 1, which has the old image. No groups yet.
    pub(super) async fn new(refresh: Refresh) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::with_tokio(START);
        let local = Local::open(Config {
            state: folder.path().join("state"),
            cache: folder.path().join("cache"),
            clock: clock.clone(),
            events: Events::none(),
            mirror: None,
            bind: vec![],
            beyond: crate::local::Beyond::default(),
            builds: Builds::scripted(|_| Script::default()),
        })
        .unwrap();
        let served = Arc::clone(&local);
        let config = EnvironmentConfig::Aws(AwsConfig::at(place(DEFAULT_REGION)));
        let places = REGIONS.map(place);
        let cloud = testing::across_as(Arc::new(move |request| served.handle(request)), clock, &places, &config);
        let world = Self { local, project: project(refresh), cloud, promotions: AtomicU64::new(0), _folder: folder };
        for ami in [OLD, NEW] {
            world.image(DEFAULT_REGION, ami);
        }
        world.image(REGIONS[1], OLD);
        for region in REGIONS {
            world.template(region, TEMPLATE).await;
        }
        world
    }

    fn image(&self, region: &str, id: &str) {
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
            tags: BTreeMap::from([(tags::EVIDENCE.to_owned(), format!("sha256:{id}"))]),
            ..Ami::default()
        };
        let done: Result<(), StoreError> = self.local.store.write(|tx| tx.put(&scope(region), AMI, id, &ami));
        done.unwrap();
    }

    pub(super) async fn template(&self, region: &str, name: &str) {
        use aws_sdk_ec2::types::{InstanceType, RequestLaunchTemplateData};
        let data = RequestLaunchTemplateData::builder().image_id(OLD).instance_type(InstanceType::M7iLarge).build();
        let request = self.cloud.ec2(&place(region)).create_launch_template().launch_template_name(name);
        request.launch_template_data(data).send().await.unwrap();
    }

    /// A group of so many instances that launches from this version.
    pub(super) async fn group(&self, region: &str, name: &str, version: &str, size: i32) {
        let template = LaunchTemplateSpecification::builder().launch_template_name(TEMPLATE).version(version).build();
        let request = self.cloud.autoscaling(&place(region)).create_auto_scaling_group().auto_scaling_group_name(name);
        let request = request.launch_template(template).min_size(0).max_size(10).desired_capacity(size);
        request.availability_zones(format!("{region}a")).send().await.unwrap();
    }

    pub(super) fn order(&self) -> Order<'_> {
        Order {
            project: &self.project,
            recipe: "web",
            arch: "x86_64",
            channel: "candidate",
            launch_templates: vec![TEMPLATE.into()],
            parameters: vec!["/golden/web".into()],
            reason: "test".into(),
            holder: format!("host/{}", self.promotions.fetch_add(1, Ordering::SeqCst)),
            quorum: None,
            caller: None,
            override_reason: None,
        }
    }

    fn asked(ami: &str) -> (Candidate, Approval) {
        let passed = Verdict {
            gate: "patches".into(),
            status: VerdictStatus::Pass,
            summary: String::new(),
            details: vec![],
            findings: vec![],
        };
        let approval = Approval { digest: format!("sha256:{ami}"), verdicts: vec![passed] };
        (Candidate { ami: ami.into(), image_arn: None, image_version: Some("1.0.0/1".into()) }, approval)
    }

    pub(super) async fn decision(&self, ami: &str) -> Decision {
        let (candidate, approval) = Self::asked(ami);
        promote::prepare(&self.cloud, &self.order(), &candidate, &approval).await.unwrap()
    }

    pub(super) async fn promote(&self, ami: &str) -> Release {
        let (candidate, approval) = Self::asked(ami);
        let promotion = promote(&self.cloud, &self.order(), &candidate, &approval, &Events::none()).await;
        promotion.unwrap().release
    }

    pub(super) async fn back(&self) -> Release {
        let order = Order { reason: promote::ROLLED_BACK.into(), ..self.order() };
        let promotion: Promotion = rollback(&self.cloud, &order, None, &Events::none()).await.unwrap();
        promotion.release
    }

    pub(super) async fn refresh(&self, release: &Release) -> Vec<Refreshed> {
        self.refresh_some(release, &Wanted::All).await
    }

    pub(super) async fn refresh_some(&self, release: &Release, wanted: &Wanted) -> Vec<Refreshed> {
        refresh_groups(&self.cloud, &self.order(), release, wanted, &Events::none()).await
    }

    pub(super) fn alarm(&self, region: &str, rings: bool) {
        self.local.set_alarm(&scope(region), "errors", rings).unwrap();
    }

    pub(super) fn faults(&self, plan: impl Fn(&str, &str, u64) -> Option<Fault> + Send + Sync + 'static) {
        self.local.set_faults(Some(Box::new(plan)));
    }

    pub(super) fn calm(&self) {
        self.local.set_faults(None);
    }

    /// A group as the database has it.
    pub(super) fn seen(&self, region: &str, name: &str) -> Seen {
        let group = self.local.store.read(|tx| tx.get::<Value>(&scope(region), "autoscaling-group", name));
        let group = group.map_err(|error: StoreError| error).unwrap().unwrap_or_else(|| panic!("no group {name}"));
        Seen::of(&group)
    }
}

/// What matters of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// The versions in its configuration, the main one first.
    pub(super) launches: Vec<String>,
    pub(super) note: Option<String>,
    /// Versions of its instances.
    pub(super) versions: Vec<u64>,
}

impl Seen {
    pub(super) fn of(group: &Value) -> Self {
        let mut launches = Vec::new();
        collect(&group["launch"], &mut launches);
        let mut versions: Vec<u64> =
            group["members"].as_array().unwrap().iter().map(|one| one["version"].as_u64().unwrap()).collect();
        versions.sort_unstable();
        let note = group["tags"]["amiforge:refresh"][0].as_str().map(str::to_owned);
        Self { launches, note, versions }
    }

    pub(super) fn at(launches: &[&str], versions: &[u64]) -> Self {
        Self {
            launches: launches.iter().map(|one| (*one).to_owned()).collect(),
            note: None,
            versions: versions.to_vec(),
        }
    }
}

/// Every `Version` in a configuration, main ones before overrides.
fn collect(value: &Value, into: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            if let Some(version) = members.get("Version").and_then(Value::as_str) {
                into.push(version.to_owned());
            }
            members.values().for_each(|value| collect(value, into));
        }
        Value::Array(items) => items.iter().for_each(|value| collect(value, into)),
        _ => {}
    }
}

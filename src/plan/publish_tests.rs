//! Publishing to the local environment, with every call going wrong.

use super::super::arn::Version;
use super::super::desired::tests::of;
use super::super::model::Observed;
use super::super::{diff, observe};
use super::*;
use crate::aws::testing;
use crate::clock::Clock;
use crate::local::records::{AMI, Ami};
use crate::local::store::{Scope, StoreError};
use crate::local::{Config, DEFAULT_ACCOUNT, DEFAULT_REGION, Fault, Local};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub(in crate::plan) const PARENT: &str = "ami-00000000000000001";

pub(in crate::plan) struct House {
    pub(in crate::plan) local: Arc<Local>,
    pub(in crate::plan) cloud: Cloud,
    _folder: tempfile::TempDir,
}

impl House {
    pub(in crate::plan) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::with_tokio(time::macros::datetime!(2026-01-02 03:04:05 UTC));
        let local = Local::open(Config {
            state: folder.path().join("state"),
            cache: folder.path().join("cache"),
            clock: clock.clone(),
            events: Events::none(),
            mirror: None,
            bind: vec![],
            beyond: crate::local::Beyond::default(),
            builds: crate::local::Builds::Real,
        })
        .unwrap();
        let served = Arc::clone(&local);
        let cloud = testing::over(Arc::new(move |request| served.handle(request)), clock);
        let house = Self { local, cloud, _folder: folder };
        house.parent();
        house
    }

    fn parent(&self) {
        let scope = Scope { account: DEFAULT_ACCOUNT.into(), region: DEFAULT_REGION.into() };
        let ami = Ami {
            id: PARENT.into(),
            name: "parent".into(),
            description: String::new(),
            owner: DEFAULT_ACCOUNT.into(),
            public: false,
            architecture: "x86_64".into(),
            state: "available".into(),
            created_at: "2026-01-01T00:00:00Z".into(),
            root_device: "/dev/xvda".into(),
            snapshot: "snap-0123456789abcdef0".into(),
            volume_size: 8,
            volume_type: "gp3".into(),
            encrypted: true,
            imds_v2: true,
            platform: "Linux/UNIX".into(),
            tags: BTreeMap::new(),
            layers: vec![],
            launch_permissions: vec![],
            source: None,
            ..Ami::default()
        };
        let done: Result<(), StoreError> = self.local.store.write(|tx| tx.put(&scope, AMI, PARENT, &ami));
        done.unwrap();
    }

    pub(in crate::plan) async fn plan(&self, desired: &Desired) -> Result<Plan, PlanError> {
        Ok(diff(desired, &observe(&self.cloud, desired).await?))
    }

    pub(in crate::plan) async fn publish(&self, desired: &Desired) -> Result<Published, PlanError> {
        publish(&self.cloud, &self.plan(desired).await?, &Events::none()).await
    }

    /// Versions and build numbers of everything there is.
    async fn there(&self, desired: &Desired) -> Vec<String> {
        let Observed { components, recipes, infrastructure, .. } = observe(&self.cloud, desired).await.unwrap();
        let mut all: Vec<String> = components.into_values().flatten().map(|one| one.arn).collect();
        all.extend(recipes.into_iter().map(|one| one.arn));
        all.extend(infrastructure.map(|one| one.arn));
        all
    }
}

pub(in crate::plan) fn document(text: &str) -> String {
    format!(
        "name: x\nschemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - name: Say\n        action: ExecuteBash\n        \
         inputs:\n          commands:\n            - echo {text}\n"
    )
}

pub(in crate::plan) fn two(first: &str) -> Desired {
    of(&[("first", &document(first)), ("second", &document("two"))], PARENT)
}

#[tokio::test(start_paused = true)]
async fn what_is_published_is_found_again_and_kept() {
    let house = House::new();
    let desired = two("one");
    let published = house.publish(&desired).await.unwrap();
    assert_eq!((published.changed, published.components.len()), (4, 2));
    assert!(published.components[0].ends_with(":component/acme-first/1.0.0/1"), "{published:?}");
    let plan = house.plan(&desired).await.unwrap();
    assert!(plan.publishes_nothing(), "{:?}", plan.changes);
    let again = publish(&house.cloud, &plan, &Events::none()).await.unwrap();
    assert_eq!(again, Published { changed: 0, ..published });
}

#[tokio::test(start_paused = true)]
async fn a_changed_document_is_explained_and_makes_the_next_versions() {
    let house = House::new();
    house.publish(&two("one")).await.unwrap();
    let changed = two("ONE");
    let plan = house.plan(&changed).await.unwrap();
    let told: Vec<_> = plan
        .changes
        .iter()
        .filter(|change| change.action != Action::Keep)
        .map(|change| (change.name.as_str(), change.version, change.reason.as_str()))
        .collect();
    let next = Some(Version::new(1, 0, 1));
    let expected =
        [("acme-first", next, "document changed"), ("acme-debian-12-x86-64", next, "uses first 1.0.0 -> 1.0.1")];
    assert_eq!(told, expected);
    let published = publish(&house.cloud, &plan, &Events::none()).await.unwrap();
    assert!(published.recipe.ends_with("/1.0.1"), "{published:?}");
    assert!(house.plan(&two("one")).await.unwrap().publishes_nothing(), "the old one is still there");
}

#[tokio::test(start_paused = true)]
async fn other_settings_update_the_infrastructure_configuration_in_place() {
    let house = House::new();
    let desired = two("one");
    house.publish(&desired).await.unwrap();
    for bucket in [Some("logs"), None, Some("logs")] {
        let mut other = desired.clone();
        other.infrastructure.log_bucket = bucket.map(Into::into);
        other.infrastructure.fingerprint = format!("{bucket:?}");
        other.infrastructure.tags.insert(tags::FINGERPRINT.into(), format!("{bucket:?}"));
        let plan = house.plan(&other).await.unwrap();
        assert_eq!(plan.changes.iter().filter(|change| change.action == Action::Update).count(), 1);
        publish(&house.cloud, &plan, &Events::none()).await.unwrap();
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        assert!(house.plan(&other).await.unwrap().publishes_nothing());
    }
}

/// Calls of planning and publishing.
async fn calls(desired: &Desired) -> u64 {
    let house = House::new();
    let count = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&count);
    house.local.set_faults(Some(Box::new(move |_, _, nth| {
        counter.store(nth, Ordering::SeqCst);
        None
    })));
    house.publish(desired).await.unwrap();
    count.load(Ordering::SeqCst)
}

#[tokio::test(start_paused = true)]
async fn whatever_call_fails_the_next_run_ends_with_one_version_of_each() {
    let desired = two("one");
    let house = House::new();
    house.publish(&desired).await.unwrap();
    let clean = house.there(&desired).await;
    let attempts = crate::aws::ATTEMPTS;
    for nth in 1..=calls(&desired).await {
        for (fault, times) in [
            (Fault::LoseResponse, 1),
            (Fault::LoseResponse, attempts),
            (Fault::LoseResponse, 2 * attempts),
            (Fault::Fail, attempts),
            (Fault::StopAfter, 1),
        ] {
            let house = House::new();
            house
                .local
                .set_faults(Some(Box::new(move |_, _, call| (nth..nth + times).contains(&call).then_some(fault))));
            let first = house.publish(&desired).await;
            house.local.set_faults(None);
            let place = format!("{fault:?} {times} times from call {nth}: {first:?}");
            assert!(times > 1 || fault != Fault::LoseResponse || first.is_ok(), "{place}");
            house.publish(&desired).await.unwrap();
            assert_eq!(house.there(&desired).await, clean, "{place}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_document_that_is_too_long_is_refused_before_anything_is_made() {
    let house = House::new();
    let long =
        of(&[("a", &document("x")), ("b", &document(&"x".repeat(super::super::documents::INLINE_DOCUMENT)))], PARENT);
    let error = house.publish(&long).await.unwrap_err();
    assert!(matches!(&error, PlanError::TooLong { component, .. } if component == "b"), "{error}");
    assert!(house.there(&long).await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_version_that_somebody_else_made_meanwhile_is_never_used() {
    let house = House::new();
    let (mine, theirs) = (two("mine"), two("theirs"));
    let late = house.plan(&mine).await.unwrap();
    house.publish(&theirs).await.unwrap();
    match publish(&house.cloud, &late, &Events::none()).await {
        Ok(published) => {
            // The service made another build of the component's version; the recipe's version was taken.
            panic!("the recipe version was taken: {published:?}");
        }
        Err(error) => assert!(matches!(error, PlanError::Conflict { kind: Kind::Recipe, .. }), "{error}"),
    }
    let published = house.publish(&mine).await.unwrap();
    assert!(published.recipe.ends_with("/1.0.1"), "{published:?}");
}

#[tokio::test(start_paused = true)]
async fn after_a_lost_answer_it_is_looked_before_anything_is_repeated() {
    // The service has forgotten the token, as it may: the repetition is refused because the resource is there.
    for operation in ["/CreateComponent", "/CreateImageRecipe", "/CreateInfrastructureConfiguration"] {
        let house = House::new();
        let (served, calls) = (Arc::clone(&house.local), Arc::new(AtomicU64::new(0)));
        let counter = Arc::clone(&calls);
        let forgetful = move |request: http::Request<bytes::Bytes>| {
            let dry_run = String::from_utf8_lossy(request.body()).contains("\"dryRun\":true");
            if request.uri().path() != operation || dry_run {
                return served.handle(request);
            }
            let (status, code) = match counter.fetch_add(1, Ordering::SeqCst) {
                0 => {
                    assert!(served.handle(request).status().is_success());
                    (500, "ServiceException")
                }
                _ => (400, "ResourceAlreadyExistsException"),
            };
            let builder = http::Response::builder().status(status).header("x-amzn-errortype", code);
            builder.body(bytes::Bytes::from_static(b"{}")).unwrap()
        };
        let cloud = testing::over(Arc::new(forgetful), house.cloud.clock().clone());
        let desired = of(&[("only", &document("one"))], PARENT);
        let plan = diff(&desired, &observe(&cloud, &desired).await.unwrap());
        let published = publish(&cloud, &plan, &Events::none()).await;
        assert!(published.is_ok(), "{operation}: {}", published.unwrap_err());
        assert_eq!(calls.load(Ordering::SeqCst), 2, "{operation}");
        assert!(house.plan(&desired).await.unwrap().publishes_nothing(), "{operation}");
    }
}

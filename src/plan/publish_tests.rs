//! Publishing to the local environment, with every call going wrong.

use super::super::arn::Version;
use super::super::desired::tests::of;
use super::super::observed::Observed;
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
async fn the_key_of_the_root_volume_is_in_the_recipe() {
    let house = House::new();
    let mut desired = two("one");
    let key = |recipe: &str| house.cloud.imagebuilder().get_image_recipe().image_recipe_arn(recipe).send();
    for wanted in [None, Some("alias/golden")] {
        desired.recipe.kms_key = wanted.map(str::to_owned);
        desired.recipe.fingerprint.push_str(wanted.unwrap_or_default());
        let published = house.publish(&desired).await.unwrap();
        let recipe = key(&published.recipe).await.unwrap().image_recipe.unwrap();
        let ebs = recipe.block_device_mappings()[0].ebs().unwrap();
        assert_eq!((ebs.encrypted(), ebs.kms_key_id()), (Some(true), wanted));
    }
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

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_into_a_quota_is_refused_before_anything_is_made() {
    let house = House::new();
    let desired = two("one");
    let scope = Scope { account: DEFAULT_ACCOUNT.into(), region: DEFAULT_REGION.into() };
    let first = house.publish(&of(&[("other", &document("x"))], PARENT)).await.unwrap();
    // As many recipes as there may be, but for one: what is listed is what counts.
    let done: Result<(), StoreError> = house.local.store.write(|tx| {
        let record: serde_json::Value = tx.get(&scope, crate::local::records::RECIPE, &first.recipe)?.unwrap();
        for number in 1..quota::limit(Kind::Recipe) {
            let mut record = record.clone();
            let arn = first.recipe.replace("1.0.0", &format!("9.9.{number}"));
            record["arn"] = arn.as_str().into();
            record["version"] = format!("9.9.{number}").into();
            record["tags"] = serde_json::json!({});
            tx.put(&scope, crate::local::records::RECIPE, &arn, &record)?;
        }
        Ok(())
    });
    done.unwrap();
    let plan = house.plan(&desired).await.unwrap();
    let rooms = quota::rooms(&house.cloud, std::slice::from_ref(&plan)).await.unwrap();
    let full = rooms.iter().find(|room| room.kind == Kind::Recipe).unwrap();
    assert_eq!((full.used, full.create, full.passed()), (1_000, 1, true));
    let error = publish(&house.cloud, &plan, &Events::none()).await.unwrap_err();
    assert_eq!(error.exit_code(), 11);
    assert!(error.to_string().contains("1000 of 1000 image recipes are used, 1 to create"), "{error}");
    assert!(error.next().unwrap().contains("--over-quota"), "{error}");
    let there = observe(&house.cloud, &desired).await.unwrap();
    assert!(there.components.values().all(Vec::is_empty), "nothing was made: {:?}", there.components);
    // Whoever says that it was raised is believed; whether it was, the service says.
    let refused = publish(&house.cloud, &plan.despite_quotas(true), &Events::none()).await.unwrap_err();
    assert!(
        matches!(&refused, PlanError::Call(call) if call.fault.is(&["ServiceQuotaExceededException"])),
        "{refused}"
    );
    assert_eq!((refused.exit_code(), refused.next().unwrap().contains("Service Quotas")), (11, true));
}

#[tokio::test(start_paused = true)]
async fn plans_of_many_images_see_what_plans_of_one_see() {
    let house = House::new();
    let named = |name: &str, text: &str| {
        let mut desired = of(&[("first", &document(text)), ("second", &document("two"))], PARENT);
        desired.recipe.resource_name = format!("acme-{name}");
        desired
    };
    let all = [
        named("kept", "one"),
        named("changed", "one"),
        named("new", "one"),
        named("other", "one"),
        named("last", "one"),
    ];
    house.publish(&all[0]).await.unwrap();
    house.publish(&all[1]).await.unwrap();
    let mut wanted = all.to_vec();
    wanted[1].components[0].content.document = document("changed");
    wanted[1].components[0].fingerprint = "changed".into();
    wanted[1].recipe.fingerprint = "changed".into();
    let many = super::super::observe_many(&house.cloud, &wanted).await.unwrap();
    for (desired, observed) in wanted.iter().zip(&many) {
        let alone = observe(&house.cloud, desired).await.unwrap();
        assert_eq!(diff(desired, observed), diff(desired, &alone), "{}", desired.recipe.resource_name);
    }
    // However many there are, the lists are read once.
    let count = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&count);
    house.local.set_faults(Some(Box::new(move |_, _, nth| {
        counter.store(nth, Ordering::SeqCst);
        None
    })));
    let many: Vec<Desired> = (0..40).map(|number| named(&format!("n{number}"), "one")).collect();
    super::super::observe_many(&house.cloud, &many).await.unwrap();
    assert!(count.load(Ordering::SeqCst) < 20, "{} calls", count.load(Ordering::SeqCst));
}

/// A project whose recipe is judged by a baseline of its own.
fn judged(rejected: &str) -> Desired {
    let (mut project, rendered, mut recipe) = super::super::desired::tests::fixture(&[("first", &document("one"))]);
    let aws = crate::patch::predefined("AWS-DebianDefaultPatchBaseline").unwrap();
    let own = crate::patch::Baseline { name: "acme-golden".into(), id: None, rejected: vec![rejected.into()], ..aws };
    let source = crate::diagnostic::SourceFile::new("baselines/golden.json", own.to_create_request().to_string());
    project.baselines.insert("golden".into(), source);
    recipe.baseline = "golden".into();
    super::super::desired(&project, &rendered, &recipe, &super::super::desired::tests::local(), PARENT)
}

async fn baselines(house: &House) -> Vec<String> {
    let own = aws_sdk_ssm::types::PatchOrchestratorFilter::builder().key("OWNER").values("Self").build();
    let listed = house.cloud.ssm(house.cloud.home()).describe_patch_baselines().filters(own).send().await.unwrap();
    listed.baseline_identities().iter().map(|one| one.baseline_name().unwrap().to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn the_projects_patch_baseline_is_published_with_the_recipe() {
    let house = House::new();
    let published = house.publish(&judged("curl")).await.unwrap();
    assert!(published.baseline.as_ref().is_some_and(|id| id.starts_with("pb-")), "{published:?}");
    assert_eq!(baselines(&house).await, ["acme-golden"]);
    let plan = house.plan(&judged("curl")).await.unwrap();
    assert!(plan.publishes_nothing(), "{:?}", plan.changes);
    let kept = plan.changes.last().unwrap();
    assert!(kept.reason.contains("the default of DEBIAN is AWS-DebianDefaultPatchBaseline"), "{kept:?}");

    let plan = house.plan(&judged("vim")).await.unwrap();
    let change = plan.changes.last().unwrap();
    assert_eq!((change.kind, change.action), (Kind::Baseline, Action::Update));
    assert!(change.reason.starts_with("rules differ: "), "{change:?}");
    assert_eq!(plan.changes.iter().filter(|change| change.action != Action::Keep).count(), 1, "no other resource");
    let again = publish(&house.cloud, &plan, &Events::none()).await.unwrap();
    assert_eq!(again.baseline, published.baseline, "changed in place");
    assert!(house.plan(&judged("vim")).await.unwrap().publishes_nothing());
}

#[tokio::test(start_paused = true)]
async fn a_patch_baseline_of_somebody_else_stops_everything() {
    let house = House::new();
    let home = house.cloud.home().clone();
    let request = house.cloud.ssm(&home).create_patch_baseline().name("acme-golden").operating_system("DEBIAN".into());
    request.send().await.unwrap();
    let plan = house.plan(&judged("curl")).await.unwrap();
    assert!(plan.changes.last().unwrap().foreign(), "{:?}", plan.changes);
    let error = publish(&house.cloud, &plan, &Events::none()).await.unwrap_err();
    assert_eq!(error.exit_code(), 11);
    assert!(error.next().unwrap().contains("--adopt"), "{error}");
    assert!(house.there(&judged("curl")).await.is_empty(), "nothing else was made");
}

#[tokio::test(start_paused = true)]
async fn whatever_call_fails_there_is_one_patch_baseline_after_the_next_run() {
    let desired = judged("curl");
    for nth in 1..=calls(&desired).await {
        for (fault, times) in [
            (Fault::LoseResponse, 1),
            (Fault::LoseResponse, crate::aws::ATTEMPTS),
            (Fault::Throttle, crate::aws::ATTEMPTS),
            (Fault::Fail, crate::aws::ATTEMPTS),
            (Fault::Stop, 1),
            (Fault::StopAfter, 1),
        ] {
            let house = House::new();
            house
                .local
                .set_faults(Some(Box::new(move |_, _, call| (nth..nth + times).contains(&call).then_some(fault))));
            let first = house.publish(&desired).await;
            house.local.set_faults(None);
            house.publish(&desired).await.unwrap();
            assert_eq!(baselines(&house).await, ["acme-golden"], "{fault:?} {times} times from call {nth}: {first:?}");
            assert!(house.plan(&desired).await.unwrap().publishes_nothing());
        }
    }
}

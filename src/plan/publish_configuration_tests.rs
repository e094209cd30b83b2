//! Configurations, pipelines and workflows published to the local environment, with every call going wrong.

use super::super::configuration::words;
use super::super::fingerprint::digest;
use super::super::model::{DesiredSchedule, DesiredWorkflow};
use super::super::publish::tests::{House, two};
use super::*;
use crate::local::Fault;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const TEST_WORKFLOW: &str =
    "schemaVersion: 1.0\nsteps:\n  - { name: Launch, action: LaunchInstance, inputs: { waitFor: ssmAgent } }\n";
const BUILD_WORKFLOW: &str = "schemaVersion: 1.0\nsteps:\n  - { name: Launch, action: LaunchInstance, inputs: { waitFor: ssmAgent } }\n  \
    - { name: Create, action: CreateImage, inputs: { instanceId.$: \"$.stepOutputs.Launch.instanceId\" } }\noutputs:\n  \
    - { name: ImageId, value: \"$.stepOutputs.Create.imageId\" }\n";

fn tagged(fingerprint: &str) -> BTreeMap<String, String> {
    [(tags::PROJECT, "acme"), (tags::FINGERPRINT, fingerprint)]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

/// Everything a recipe can have. What is wished stands in the fingerprints, as `configuration` makes them.
fn full(schedule: &str, accounts: &[&str]) -> Desired {
    let mut desired = two("one");
    let mut distribution = DesiredDistribution {
        name: desired.recipe.resource_name.clone(),
        regions: vec![DesiredRegion {
            region: "us-east-1".into(),
            ami_name: "acme {{ imagebuilder:buildDate }}".into(),
            accounts: accounts.iter().map(|account| (*account).to_owned()).collect(),
            kms_key: None,
            ami_tags: BTreeMap::new(),
        }],
        fingerprint: String::new(),
        tags: BTreeMap::new(),
    };
    distribution.fingerprint = digest(&distribution.settings().value());
    distribution.tags = tagged(&distribution.fingerprint);
    let mut pipeline = DesiredPipeline {
        name: desired.recipe.resource_name.clone(),
        description: "Debian".into(),
        schedule: Some(DesiredSchedule {
            expression: schedule.into(),
            timezone: Some("Europe/Berlin".into()),
            always: true,
            disable_after: Some(3),
        }),
        enabled: true,
        fingerprint: String::new(),
        tags: BTreeMap::new(),
    };
    pipeline.fingerprint = digest(&pipeline.settings().value());
    pipeline.tags = tagged(&pipeline.fingerprint);
    desired.distribution = Some(distribution);
    desired.pipeline = Some(pipeline);
    let workflow = |name: &str, kind: &str, text: &str| {
        let fingerprint = digest(&json!([name, kind, text]));
        DesiredWorkflow {
            name: name.into(),
            kind: kind.into(),
            resource_name: format!("acme-{name}"),
            document: Some(text.into()),
            parameters: BTreeMap::new(),
            parallel_group: None,
            continue_on_failure: false,
            tags: tagged(&fingerprint),
            fingerprint,
        }
    };
    desired.workflows = vec![workflow("image", "BUILD", BUILD_WORKFLOW), workflow("try", "TEST", TEST_WORKFLOW)];
    desired
}

/// ARNs of everything there is of the desired resources.
async fn there(house: &House, desired: &Desired) -> Vec<String> {
    let observed = super::super::observe(&house.cloud, desired).await.unwrap();
    let mut all: Vec<String> = observed.components.into_values().flatten().map(|one| one.arn).collect();
    all.extend(observed.workflows.into_iter().map(|one| one.arn));
    all.extend(observed.recipes.into_iter().map(|one| one.arn));
    all.extend(observed.infrastructure.map(|one| one.arn));
    all.extend(observed.distribution.map(|one| one.arn));
    all.extend(observed.pipeline.map(|one| one.configuration.arn));
    all
}

#[tokio::test(start_paused = true)]
async fn everything_is_made_kept_changed_and_deleted_in_order() {
    let house = House::new();
    let desired = full("rate(7 days)", &["444455556666"]);
    let published = house.publish(&desired).await.unwrap();
    assert_eq!((published.changed, published.workflows.len()), (8, 2));
    assert!(published.pipeline.as_ref().is_some_and(|arn| arn.contains(":image-pipeline/")), "{published:?}");
    let plan = house.plan(&desired).await.unwrap();
    assert!(plan.publishes_nothing(), "{:?}", plan.changes);

    // Another schedule, one account less: both in place.
    let changed = full("rate(1 day)", &[]);
    let plan = house.plan(&changed).await.unwrap();
    let told: Vec<(Action, Kind, &str)> = plan
        .changes
        .iter()
        .filter(|change| change.action != Action::Keep)
        .map(|change| (change.action, change.kind, change.reason.as_str()))
        .collect();
    let expected = [
        (Action::Update, Kind::Distribution, "us-east-1 accounts that may launch 444455556666 removed"),
        (Action::Update, Kind::Pipeline, "schedule rate(7 days) -> rate(1 day)"),
    ];
    assert_eq!(told, expected);
    house.publish(&changed).await.unwrap();
    assert!(house.plan(&changed).await.unwrap().publishes_nothing());

    // The project gives both up: the pipeline goes before what it refers to.
    let bare = Desired { distribution: None, pipeline: None, ..changed.clone() };
    house.publish(&bare).await.unwrap();
    let left = there(&house, &bare).await;
    assert!(!left.iter().any(|arn| arn.contains("pipeline") || arn.contains("distribution")), "{left:?}");
    assert!(house.plan(&bare).await.unwrap().publishes_nothing());
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_is_pointed_to_a_new_recipe_and_loses_nothing() {
    let house = House::new();
    let desired = full("rate(7 days)", &[]);
    house.publish(&desired).await.unwrap();
    let changed = Desired { components: two("other").components, recipe: two("other").recipe, ..desired };
    let published = house.publish(&changed).await.unwrap();
    let answer =
        house.cloud.imagebuilder().get_image_pipeline().image_pipeline_arn(published.pipeline.clone().unwrap());
    let pipeline = answer.send().await.unwrap().image_pipeline.unwrap();
    assert_eq!(pipeline.image_recipe_arn.as_deref(), Some(published.recipe.as_str()));
    assert!(published.recipe.ends_with("/1.0.1"), "{published:?}");
    assert_eq!(pipeline.distribution_configuration_arn, published.distribution);
    assert_eq!(pipeline.workflows.map(|all| all.len()), Some(2));
    let schedule = pipeline.schedule.unwrap();
    assert_eq!(schedule.timezone.as_deref(), Some("Europe/Berlin"));
    assert_eq!(schedule.auto_disable_policy.map(|policy| policy.failure_count), Some(3));
    assert_eq!(pipeline.image_tags.unwrap()[tags::FINGERPRINT], changed.fingerprint());
}

#[tokio::test(start_paused = true)]
async fn what_was_changed_by_hand_is_shown_and_put_back() {
    let house = House::new();
    let desired = full("rate(7 days)", &[]);
    let published = house.publish(&desired).await.unwrap();
    let client = house.cloud.imagebuilder();
    client
        .update_infrastructure_configuration()
        .infrastructure_configuration_arn(&published.infrastructure)
        .instance_types("t3.micro")
        .instance_profile_name("Other")
        .client_token("by-hand")
        .send()
        .await
        .unwrap();
    let plan = house.plan(&desired).await.unwrap();
    let change = plan.changes.iter().find(|change| change.kind == Kind::Infrastructure).unwrap();
    assert_eq!(change.action, Action::Update);
    assert!(change.drift.contains(&format!("{} t3.micro added", words::TYPES)), "{:?}", change.drift);
    assert!(change.drift.iter().any(|text| text.starts_with("instance profile ")), "{:?}", change.drift);
    house.publish(&desired).await.unwrap();
    assert!(house.plan(&desired).await.unwrap().publishes_nothing());
}

#[tokio::test(start_paused = true)]
async fn what_somebody_else_has_made_stops_everything_before_it_begins() {
    let house = House::new();
    let desired = full("rate(7 days)", &[]);
    let region = aws_sdk_imagebuilder::types::Distribution::builder()
        .region("us-east-1")
        .ami_distribution_configuration(
            ib::AmiDistributionConfiguration::builder().name("theirs {{ imagebuilder:buildDate }}").build(),
        )
        .build()
        .unwrap();
    let client = house.cloud.imagebuilder();
    let theirs = client.create_distribution_configuration().name(&desired.recipe.resource_name).distributions(region);
    theirs.client_token("theirs").send().await.unwrap();
    let error = house.publish(&desired).await.unwrap_err();
    assert_eq!(error.exit_code(), 11);
    assert!(error.next().unwrap().contains("--tags amiforge:project=acme"), "{error}");
    assert_eq!(there(&house, &desired).await.len(), 1, "only theirs");
}

#[tokio::test(start_paused = true)]
async fn whatever_call_fails_everything_is_there_once_after_the_next_run() {
    let desired = full("rate(7 days)", &["444455556666"]);
    let house = House::new();
    house.publish(&desired).await.unwrap();
    let clean = there(&house, &desired).await;
    let house = House::new();
    let count = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&count);
    house.local.set_faults(Some(Box::new(move |_, _, nth| {
        counter.store(nth, Ordering::SeqCst);
        None
    })));
    house.publish(&desired).await.unwrap();
    let (calls, attempts) = (count.load(Ordering::SeqCst), crate::aws::ATTEMPTS);
    assert!(calls > 15, "{calls}");
    for nth in 1..=calls {
        for (fault, times) in [
            (Fault::LoseResponse, 1),
            (Fault::LoseResponse, attempts),
            (Fault::Throttle, attempts),
            (Fault::Fail, attempts),
            (Fault::Stop, 1),
            (Fault::StopAfter, 1),
        ] {
            let house = House::new();
            house
                .local
                .set_faults(Some(Box::new(move |_, _, call| (nth..nth + times).contains(&call).then_some(fault))));
            let first = house.publish(&desired).await;
            house.local.set_faults(None);
            let place = format!("{fault:?} {times} times from call {nth}: {first:?}");
            house.publish(&desired).await.unwrap_or_else(|error| panic!("{place}\n{error}"));
            assert_eq!(there(&house, &desired).await, clean, "{place}");
            let plan = super::super::diff(&desired, &super::super::observe(&house.cloud, &desired).await.unwrap());
            assert!(plan.publishes_nothing(), "{place}: {:?}", plan.changes);
        }
    }
}

use super::super::desired::tests::of;
use super::super::model::{DesiredDistribution, DesiredRegion, DesiredSchedule};
use super::super::{Plan, diff};
use super::*;
use std::collections::BTreeMap;

fn desired() -> Desired {
    let mut desired = of(&[("a", "one")], "ami-0");
    desired.distribution = Some(DesiredDistribution {
        name: "acme-debian-12-x86-64".into(),
        regions: vec![DesiredRegion {
            region: "us-east-1".into(),
            ami_name: "acme {{ imagebuilder:buildDate }}".into(),
            accounts: vec!["444455556666".into()],
            kms_key: None,
            ami_tags: BTreeMap::new(),
        }],
        fingerprint: "d".repeat(64),
        tags: BTreeMap::new(),
    });
    desired.pipeline = Some(DesiredPipeline {
        name: "acme-debian-12-x86-64".into(),
        description: "Debian".into(),
        schedule: Some(DesiredSchedule {
            expression: "rate(7 days)".into(),
            timezone: None,
            always: false,
            disable_after: None,
        }),
        enabled: true,
        fingerprint: "e".repeat(64),
        tags: BTreeMap::new(),
    });
    desired
}

fn there(fingerprint: &str, settings: Settings, arn: &str) -> ObservedConfiguration {
    ObservedConfiguration {
        arn: arn.into(),
        fingerprint: Some(fingerprint.into()),
        project: Some("acme".into()),
        settings,
    }
}

/// Everything as desired, except that the recipe is new.
fn observed(desired: &Desired) -> Observed {
    let (infrastructure, distribution) = (&desired.infrastructure, desired.distribution.as_ref().unwrap());
    let pipeline = desired.pipeline.as_ref().unwrap();
    Observed {
        infrastructure: Some(there(&infrastructure.fingerprint, infrastructure.settings(), "arn:i")),
        distribution: Some(there(&distribution.fingerprint, distribution.settings(), "arn:d")),
        pipeline: Some(ObservedPipeline {
            configuration: there(&pipeline.fingerprint, pipeline.settings(), "arn:p"),
            recipe: "arn:r".into(),
            infrastructure: "arn:i".into(),
            distribution: Some("arn:d".into()),
            failures: 0,
        }),
        ..Observed::default()
    }
}

fn kept_recipe() -> Change {
    Change { kind: Kind::Recipe, name: "r".into(), arn: Some("arn:r".into()), ..Change::default() }
}

fn told(changes: &[Change]) -> Vec<(Action, Kind, &str)> {
    changes.iter().map(|change| (change.action, change.kind, change.reason.as_str())).collect()
}

#[test]
fn what_is_as_desired_is_kept_in_the_order_of_its_use() {
    let desired = desired();
    let changes = configurations(&desired, &observed(&desired), &kept_recipe());
    let expected = [
        (Action::Keep, Kind::Infrastructure, "unchanged"),
        (Action::Keep, Kind::Distribution, "unchanged"),
        (Action::Keep, Kind::Pipeline, "unchanged"),
    ];
    assert_eq!(told(&changes), expected);
    let first = configurations(&desired, &Observed::default(), &kept_recipe());
    assert!(first.iter().all(|change| change.action == Action::Create && change.reason == "new"));
    assert_eq!(first.iter().map(|change| change.kind).collect::<Vec<_>>(), expected.map(|(_, kind, _)| kind));
}

#[test]
fn a_pipeline_follows_a_new_recipe_after_that_was_made() {
    let desired = desired();
    let plan: Plan = diff(&desired, &observed(&desired));
    let kinds: Vec<Kind> = plan.changes.iter().map(|change| change.kind).collect();
    assert_eq!(kinds, [Kind::Component, Kind::Recipe, Kind::Infrastructure, Kind::Distribution, Kind::Pipeline]);
    let pipeline = &plan.changes[4];
    assert_eq!(pipeline.action, Action::Update);
    assert_eq!(pipeline.reason, "is pointed to image recipe acme-debian-12-x86-64 1.0.0");
}

#[test]
fn drift_is_told_from_a_change_of_the_project() {
    let desired = desired();
    let mut there = observed(&desired);
    let hand = desired.infrastructure.settings().with("instance types", "t3.micro").with("subnet", "subnet-1");
    there.infrastructure.as_mut().unwrap().settings = hand.clone();
    let changes = configurations(&desired, &there, &kept_recipe());
    assert_eq!(changes[0].drift, ["instance types t3.micro added", "subnet subnet-1 added"]);
    assert!(changes[0].reason.starts_with("changed by hand, is put back: "), "{}", changes[0].reason);
    // The same difference, but the tag says that amiforge itself wrote it so.
    there.infrastructure.as_mut().unwrap().fingerprint = Some("older".into());
    let changes = configurations(&desired, &there, &kept_recipe());
    assert!(changes[0].drift.is_empty());
    assert_eq!(changes[0].reason, "instance types t3.micro removed; subnet subnet-1 removed");
    // Interrupted between settings and tags.
    there.infrastructure.as_mut().unwrap().settings = desired.infrastructure.settings();
    let changes = configurations(&desired, &there, &kept_recipe());
    assert_eq!(changes[0].action, Action::Update);
}

#[test]
fn a_pipeline_that_the_service_disabled_says_so() {
    let desired = desired();
    let mut there = observed(&desired);
    let pipeline = there.pipeline.as_mut().unwrap();
    pipeline.failures = 5;
    pipeline.configuration.settings = desired.pipeline.as_ref().unwrap().settings().with("status", "DISABLED");
    let changes = configurations(&desired, &there, &kept_recipe());
    assert_eq!(changes[2].drift, ["status ENABLED -> DISABLED (5 scheduled runs failed in a row)"]);
    assert!(changes[2].reason.contains("5 scheduled runs"), "{}", changes[2].reason);
}

#[test]
fn what_the_project_has_no_more_is_deleted_last_and_only_if_it_is_ours() {
    let mut desired = desired();
    let mut there = observed(&desired);
    desired.distribution = None;
    let changes = configurations(&desired, &there, &kept_recipe());
    let expected = [
        (Action::Keep, Kind::Infrastructure, "unchanged"),
        (Action::Update, Kind::Pipeline, "no longer uses a distribution configuration"),
        (Action::Delete, Kind::Distribution, "the project has none any more"),
    ];
    assert_eq!(told(&changes), expected);
    desired.pipeline = None;
    let changes = configurations(&desired, &there, &kept_recipe());
    assert_eq!(
        changes.iter().map(|change| change.kind).collect::<Vec<_>>(),
        [Kind::Infrastructure, Kind::Pipeline, Kind::Distribution]
    );
    for whose in [None, Some("other".to_owned())] {
        there.pipeline.as_mut().unwrap().configuration.project.clone_from(&whose);
        there.distribution.as_mut().unwrap().project = whose;
        assert_eq!(configurations(&desired, &there, &kept_recipe()).len(), 1);
    }
}

#[test]
fn what_somebody_else_made_is_not_touched() {
    let desired = desired();
    let mut there = observed(&desired);
    there.pipeline.as_mut().unwrap().configuration.project = None;
    there.distribution.as_mut().unwrap().project = Some("other".into());
    let changes = configurations(&desired, &there, &kept_recipe());
    assert!(!changes[0].foreign() && changes[1].foreign() && changes[2].foreign());
    assert_eq!(changes[1].reason, "exists already and belongs to the project other: it is left alone");
    assert_eq!(changes[2].reason, "exists already and was not made by amiforge: it is left alone");
}

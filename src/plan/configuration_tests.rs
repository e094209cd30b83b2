use super::super::desired::tests::{fixture, local};
use super::*;
use crate::project::{Distribution, Location, Pipeline, Schedule};

fn aws_with(distribution: Option<Distribution>) -> EnvironmentConfig {
    EnvironmentConfig::Aws(AwsConfig {
        distribution,
        ..AwsConfig::at(Location { account: "111122223333".into(), region: "us-east-1".into() })
    })
}

#[test]
fn there_is_a_distribution_only_where_it_is_asked_for() {
    let (project, rendered, _) = fixture(&[("a", "one")]);
    assert_eq!(distribution(&project, &rendered, &local()), None);
    assert_eq!(distribution(&project, &rendered, &aws_with(None)), None);
    let wanted = Distribution {
        regions: vec!["eu-west-1".into()],
        accounts: vec!["444455556666".into()],
        kms_keys: [("eu-west-1".to_owned(), "alias/golden".to_owned())].into(),
    };
    let made = distribution(&project, &rendered, &aws_with(Some(wanted.clone()))).unwrap();
    let regions: Vec<(&str, Option<&str>)> =
        made.regions.iter().map(|one| (one.region.as_str(), one.kms_key.as_deref())).collect();
    assert_eq!(regions, [("us-east-1", None), ("eu-west-1", Some("alias/golden"))]);
    assert!(made.regions.iter().all(|one| one.ami_name == "acme-debian-12-x86-64 {{ imagebuilder:buildDate }}"));
    assert!(made.regions[0].ami_tags.is_empty() && made.regions[1].ami_tags[tags::RECIPE] == "debian-12");
    let fewer = Distribution { accounts: vec![], ..wanted };
    let other = distribution(&project, &rendered, &aws_with(Some(fewer))).unwrap();
    assert_ne!(made.fingerprint, other.fingerprint);
    let told = other.settings().differences(&made.settings());
    let expected = [
        "eu-west-1 accounts that may launch 444455556666 removed",
        "us-east-1 accounts that may launch 444455556666 removed",
    ];
    assert_eq!(told, expected);
}

#[test]
fn every_setting_of_a_pipeline_is_in_its_fingerprint() {
    let (project, rendered, mut recipe) = fixture(&[("a", "one")]);
    assert_eq!(pipeline(&project, &rendered, &recipe), None);
    let schedule = Schedule {
        expression: "rate(7 days)".into(),
        timezone: None,
        start: StartCondition::WhenUpdated,
        disable_after: None,
    };
    let by_hand = Pipeline { schedule: None, enabled: true };
    let weekly = Pipeline { schedule: Some(schedule.clone()), enabled: true };
    let with = |change: fn(&mut Schedule)| {
        let mut changed = schedule.clone();
        change(&mut changed);
        Pipeline { schedule: Some(changed), enabled: true }
    };
    let all = [
        by_hand,
        Pipeline { enabled: false, ..weekly.clone() },
        weekly,
        with(|schedule| schedule.expression = "rate(1 day)".into()),
        with(|schedule| schedule.timezone = Some("Europe/Berlin".into())),
        with(|schedule| schedule.start = StartCondition::Always),
        with(|schedule| schedule.disable_after = Some(3)),
    ];
    let mut seen = std::collections::BTreeSet::new();
    for one in all {
        recipe.pipeline = Some(one.clone());
        let made = pipeline(&project, &rendered, &recipe).unwrap();
        assert_eq!(made.tags[tags::FINGERPRINT], made.fingerprint);
        assert!(seen.insert(made.fingerprint), "{one:?}");
    }
}

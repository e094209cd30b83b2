//! What is done with a group, from what is seen of it.

use super::super::configuration::Launch;
use super::super::model::{Active, Group, Instance, Point, Version, Work};
use super::super::note::Note;
use super::super::plan::plan;
use super::world::place;
use crate::project::Refresh;
use aws_sdk_autoscaling::types::{
    LaunchTemplate, LaunchTemplateOverrides, LaunchTemplateSpecification, MixedInstancesPolicy,
};
use std::collections::BTreeMap;

fn point() -> Point {
    let version = |image: &str| Version { image: Some(image.into()), by_attributes: false };
    Point {
        place: place("us-east-1"),
        template: "web".into(),
        template_id: Some("lt-1".into()),
        to: Some(3),
        ami: Some("ami-new".into()),
        previous: Some(2),
        versions: BTreeMap::from([(1, version("ami-old")), (2, version("ami-old")), (3, version("ami-new"))]),
    }
}

fn specification(version: &str) -> LaunchTemplateSpecification {
    LaunchTemplateSpecification::builder()
        .launch_template_id("lt-1")
        .launch_template_name("web")
        .version(version)
        .build()
}

fn group(version: &str, instances: &[i64]) -> Group {
    let instance = |number: &i64| Instance { id: format!("i-{number}"), from: Some(("lt-1".into(), *number)) };
    Group {
        name: "fleet".into(),
        launch: Launch::Template(specification(version)),
        instances: instances.iter().map(instance).collect(),
        note: None,
        active: None,
    }
}

fn work(group: &Group) -> Work {
    plan(&point(), group, &Refresh::default()).work
}

fn why(work: Work) -> String {
    match work {
        Work::Cannot(why) | Work::Busy(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_tracks_is_pinned_to_what_most_of_it_runs() {
    assert_eq!(work(&group("$Default", &[1, 2, 2, 3])), Work::Start { pin: Some(2) });
    assert_eq!(work(&group("$Latest", &[1])), Work::Start { pin: Some(1) });
    assert_eq!(work(&group("2", &[2])), Work::Start { pin: None });
    let foreign = Group { instances: vec![Instance { id: "i".into(), from: None }], ..group("$Default", &[]) };
    assert_eq!(work(&foreign), Work::Start { pin: Some(2) }, "the default version before");
    let unknown = plan(&Point { previous: None, ..point() }, &foreign, &Refresh::default());
    assert!(why(unknown.work).contains("not known"));
    let without = Refresh { rollback: false, ..Refresh::default() };
    assert_eq!(plan(&Point { previous: None, ..point() }, &foreign, &without).work, Work::Start { pin: None });
}

#[test]
fn what_runs_the_image_is_only_configured() {
    assert_eq!(work(&group("$Default", &[3, 3])), Work::Nothing);
    assert_eq!(work(&group("3", &[3])), Work::Nothing);
    assert_eq!(work(&group("$Latest", &[])), Work::Nothing);
    assert_eq!(work(&group("2", &[])), Work::Settle);
    let mut same = point();
    same.versions.get_mut(&1).unwrap().image = Some("ami-new".into());
    assert_eq!(plan(&same, &group("$Default", &[1, 3]), &Refresh::default()).work, Work::Nothing);
    assert_eq!(plan(&same, &group("1", &[1, 3]), &Refresh::default()).work, Work::Settle);
}

#[test]
fn a_note_says_what_a_pinned_group_tracked_until_somebody_configures_it() {
    let note = Note { to: 2, from: Some(1), tracks: BTreeMap::from([(0, "$Latest".to_owned())]) };
    let noted = |version: &str, instances: &[i64]| Group { note: Some(note.clone()), ..group(version, instances) };
    let planned = plan(&point(), &noted("1", &[1]), &Refresh::default());
    assert_eq!(
        (planned.work, planned.tracks.get(&0).map(String::as_str)),
        (Work::Start { pin: None }, Some("$Latest"))
    );
    let planned = plan(&point(), &noted("3", &[3]), &Refresh::default());
    assert_eq!((planned.work, planned.tracks.len()), (Work::Settle, 1), "the program died before it put that back");
    assert_eq!(work(&noted("$Latest", &[3])), Work::Settle, "or before it removed the note");
    let planned = plan(&point(), &noted("5", &[5]), &Refresh::default());
    assert_eq!((planned.work, planned.tracks.len()), (Work::Start { pin: None }, 0), "5 is neither of its numbers");
}

#[test]
fn a_refresh_under_way_is_joined_when_it_goes_to_the_same_version() {
    let active = |version: &str| Active {
        id: "r-1".into(),
        status: "InProgress".into(),
        desired: Launch::Template(specification(version)),
    };
    let running = |active| Group { active: Some(active), ..group("2", &[2]) };
    assert_eq!(work(&running(active("3"))), Work::Join("r-1".into()));
    assert!(why(work(&running(active("2")))).contains("r-1 to another version is InProgress"));
    let nothing = Active { desired: Launch::Nothing, ..active("3") };
    assert!(matches!(work(&running(nothing)), Work::Busy(_)));
    let planned = plan(&Point { to: None, ..point() }, &running(active("3")), &Refresh::default());
    assert!(matches!(planned.work, Work::Busy(_)), "before a promotion there is no version to go to");
}

#[test]
fn why_groups_cannot_be_refreshed() {
    let old = Group { launch: Launch::Configuration("lc".into()), ..group("1", &[1]) };
    assert!(why(work(&old)).contains("launch configuration lc"));
    assert!(why(work(&Group { launch: Launch::Nothing, ..group("1", &[1]) })).contains("does not use"));
    let by_parameter = |settings: &Refresh, group: &Group| {
        let mut point = point();
        point.versions.get_mut(&2).unwrap().image = Some("resolve:ssm:/golden".into());
        plan(&point, group, settings).work
    };
    let without = Refresh { rollback: false, ..Refresh::default() };
    assert!(why(by_parameter(&Refresh::default(), &group("$Default", &[2]))).contains("`rollback: none`"));
    assert_eq!(by_parameter(&without, &group("$Default", &[2])), Work::Start { pin: None });
    assert!(why(by_parameter(&without, &group("2", &[2]))).contains("from a parameter"));
    let mut point = point();
    point.versions.get_mut(&3).unwrap().by_attributes = true;
    assert!(why(plan(&point, &group("2", &[2]), &Refresh::default()).work).contains("by attributes"));
}

#[test]
fn overrides_of_a_policy_may_stand_in_the_way() {
    let mixed = |one: LaunchTemplateOverrides| {
        let template =
            LaunchTemplate::builder().launch_template_specification(specification("$Default")).overrides(one);
        let policy = MixedInstancesPolicy::builder().launch_template(template.build()).build();
        Group { launch: Launch::Mixed(Box::new(policy)), ..group("1", &[2]) }
    };
    let own = LaunchTemplateOverrides::builder();
    assert!(why(work(&mixed(own.clone().image_id("ami-1").build()))).contains("an image of its own"));
    let other = |version: &str| {
        let other = LaunchTemplateSpecification::builder().launch_template_id("lt-2").version(version).build();
        LaunchTemplateOverrides::builder().launch_template_specification(other)
    };
    assert!(why(work(&mixed(other("$Default").build()))).contains("another launch template without a number"));
    assert_eq!(work(&mixed(other("4").image_id("ami-1").build())), Work::Start { pin: Some(2) }, "not ours");
    let main_only = mixed(own.instance_type("m7i.large").build());
    assert_eq!(work(&main_only), Work::Start { pin: Some(2) });
    let moved = main_only.launch.with(&BTreeMap::from([(0, "3".to_owned())]));
    assert_eq!(moved.versions(Some("lt-1"), "web"), "3");
    assert!(moved.parts().1.is_some_and(|policy| policy.launch_template.is_some()));
}

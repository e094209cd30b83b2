//! Groups refreshed in the local environment, in virtual time.

mod faults;
mod planning;
mod world;

use super::*;
use crate::project::Refresh;
use crate::promote::{Order, preview_groups, survey_groups};
use aws_sdk_autoscaling::types as sdk;
use std::time::Duration;
use world::*;

fn outcomes(refreshed: &[Refreshed]) -> Vec<Outcome> {
    refreshed.iter().map(|one| one.outcome).collect()
}

fn with_alarm() -> Refresh {
    Refresh { alarms: vec!["errors".into()], warmup: Some(Duration::from_mins(1)), ..Refresh::default() }
}

#[tokio::test(start_paused = true)]
async fn groups_are_refreshed_and_track_what_they_tracked() {
    let world = World::new(Refresh { bake: Some(Duration::from_mins(10)), ..Refresh::default() }).await;
    for (name, version) in [("default", "$Default"), ("latest", "$Latest"), ("numbered", "1")] {
        world.group(REGIONS[0], name, version, 3).await;
    }
    world.group(REGIONS[1], "other", "$Default", 1).await;
    let release = world.promote(NEW).await;
    assert_eq!(
        world.seen(REGIONS[0], "default"),
        Seen::at(&["$Default"], &[1; 3]),
        "the promotion alone replaces nothing"
    );
    // What a group is while its refresh is under way.
    let (local, moments) =
        (std::sync::Arc::downgrade(&world.local), std::sync::Arc::new(std::sync::Mutex::new(vec![])));
    let sink = std::sync::Arc::clone(&moments);
    world.faults(move |_, operation, _| {
        if operation == "DescribeInstanceRefreshes" {
            sink.lock().unwrap().push(local.upgrade().unwrap().store.picture());
        }
        None
    });
    let done = world.refresh(&release).await;
    world.calm();
    assert_eq!(outcomes(&done), [Outcome::Refreshed; 4], "{done:#?}");
    assert_eq!(exit_code(&done), 0);
    let launches: Vec<_> = done.iter().map(|one| one.launches.clone().unwrap()).collect();
    assert_eq!(launches, ["$Default", "$Latest", "2", "$Default"]);
    assert!(done.iter().all(|one| (one.from, one.to, one.percent) == (Some(1), Some(2), Some(100))), "{done:#?}");
    assert_eq!(world.seen(REGIONS[0], "default"), Seen::at(&["$Default"], &[2; 3]));
    assert_eq!(world.seen(REGIONS[0], "latest"), Seen::at(&["$Latest"], &[2; 3]));
    assert_eq!(world.seen(REGIONS[0], "numbered"), Seen::at(&["2"], &[2; 3]));
    assert_eq!(world.seen(REGIONS[1], "other"), Seen::at(&["$Default"], &[2]));
    let moments = std::mem::take(&mut *moments.lock().unwrap());
    let rows = moments.iter().flat_map(crate::local::picture::Picture::rows);
    let pinned = rows.filter(|row| row.key.kind == "autoscaling-group" && row.key.id == "default");
    let pinned: Vec<Seen> = pinned.map(|row| Seen::of(&serde_json::from_str(row.body()).unwrap())).collect();
    assert!(pinned.iter().any(|seen| seen.launches == ["1"] && seen.note.as_deref() == Some("2 from 1, tracks 0=D")));
    // A second time there is nothing to do.
    let again = world.refresh(&release).await;
    assert_eq!(outcomes(&again), [Outcome::Unchanged; 4], "{again:#?}");
}

#[tokio::test(start_paused = true)]
async fn of_a_policy_only_the_places_with_the_template_are_moved() {
    let world = World::new(Refresh::default()).await;
    world.template(REGIONS[0], "other-x86_64").await;
    let named = |name: &str, version: &str| {
        sdk::LaunchTemplateSpecification::builder().launch_template_name(name).version(version).build()
    };
    let way = |kind: &str, own: Option<sdk::LaunchTemplateSpecification>| {
        sdk::LaunchTemplateOverrides::builder().instance_type(kind).set_launch_template_specification(own).build()
    };
    let template = sdk::LaunchTemplate::builder()
        .launch_template_specification(named(TEMPLATE, "$Default"))
        .overrides(way("c7i.large", None))
        .overrides(way("m7i.large", Some(named(TEMPLATE, "$Latest"))))
        .overrides(way("r7i.large", Some(named("other-x86_64", "1"))))
        .build();
    let policy = sdk::MixedInstancesPolicy::builder().launch_template(template).build();
    let request = world.cloud.autoscaling(&place(REGIONS[0])).create_auto_scaling_group();
    let request = request.auto_scaling_group_name("mixed").mixed_instances_policy(policy).min_size(2).max_size(2);
    request.availability_zones("us-east-1a").send().await.unwrap();
    let release = world.promote(NEW).await;
    let done = world.refresh(&release).await;
    assert_eq!(outcomes(&done), [Outcome::Refreshed], "{done:#?}");
    assert_eq!(done[0].launches.as_deref(), Some("$Default, $Latest"));
    let mut seen = world.seen(REGIONS[0], "mixed");
    seen.launches.sort();
    assert_eq!(seen, Seen::at(&["$Default", "$Latest", "1"], &[2, 2]));
}

#[tokio::test(start_paused = true)]
async fn an_alarm_rolls_back_and_stops_what_follows() {
    let world = World::new(with_alarm()).await;
    for region in REGIONS {
        world.group(region, "fleet", "$Default", 4).await;
    }
    let release = world.promote(NEW).await;
    let ring = async {
        tokio::time::sleep(Duration::from_mins(3)).await;
        world.alarm(REGIONS[0], true);
    };
    let (done, ()) = tokio::join!(world.refresh(&release), ring);
    assert_eq!(outcomes(&done), [Outcome::RolledBack, Outcome::LeftAlone], "{done:#?}");
    assert_eq!((exit_code(&done), done[0].launches.as_deref()), (9, Some("1")));
    let reason = done[0].reason.as_deref().unwrap();
    assert!(
        reason.contains("RollbackSuccessful") && reason.contains("errors") && !reason.contains("not on it"),
        "{reason}"
    );
    let rolled_back = world.seen(REGIONS[0], "fleet");
    let note = Some("2 from 1, tracks 0=D".to_owned());
    assert_eq!(rolled_back, Seen { note, ..Seen::at(&["1"], &[1; 4]) }, "launches nothing new until somebody decides");
    assert_eq!(world.seen(REGIONS[1], "fleet"), Seen::at(&["$Default"], &[1; 4]), "was not touched");
    // When it is quiet, the same again goes through.
    world.alarm(REGIONS[0], false);
    let done = world.refresh(&release).await;
    assert_eq!(outcomes(&done), [Outcome::Refreshed; 2], "{done:#?}");
    for region in REGIONS {
        assert_eq!(world.seen(region, "fleet"), Seen::at(&["$Default"], &[2; 4]));
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_the_channel_is_rolled_back_with_its_groups() {
    let world = World::new(with_alarm()).await;
    world.group(REGIONS[0], "fleet", "$Default", 2).await;
    world.promote(OLD).await;
    let release = world.promote(NEW).await;
    world.alarm(REGIONS[0], true);
    let done = world.refresh(&release).await;
    assert_eq!(outcomes(&done), [Outcome::RolledBack], "{done:#?}");
    let back = world.back().await;
    let again = world.refresh(&back).await;
    // It runs the image already, by another version: nothing is replaced, and it tracks again.
    assert_eq!(outcomes(&again), [Outcome::Settled], "{again:#?}");
    assert_eq!(world.seen(REGIONS[0], "fleet"), Seen::at(&["$Default"], &[1, 1]));
    assert_eq!(outcomes(&world.refresh(&back).await), [Outcome::Unchanged]);
}

#[tokio::test(start_paused = true)]
async fn without_a_rollback_nothing_is_pinned_and_a_failure_leaves_both() {
    let world = World::new(Refresh { rollback: false, ..with_alarm() }).await;
    world.group(REGIONS[0], "fleet", "$Default", 4).await;
    let release = world.promote(NEW).await;
    let ring = async {
        tokio::time::sleep(Duration::from_mins(3)).await;
        world.alarm(REGIONS[0], true);
    };
    let (done, ()) = tokio::join!(world.refresh(&release), ring);
    assert_eq!(outcomes(&done), [Outcome::Failed], "{done:#?}");
    assert!(done[0].reason.as_deref().unwrap().starts_with("Failed: "), "{done:#?}");
    let seen = world.seen(REGIONS[0], "fleet");
    assert!(seen.launches == ["$Default"] && seen.note.is_none(), "{seen:?}");
    assert!(seen.versions.contains(&1) && seen.versions.contains(&2), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn one_that_takes_too_long_is_left_to_itself_and_joined_later() {
    let refresh =
        Refresh { bake: Some(Duration::from_mins(90)), deadline: Some(Duration::from_mins(100)), ..Refresh::default() };
    let world = World::new(Refresh { warmup: Some(Duration::from_mins(10)), ..refresh }).await;
    for region in REGIONS {
        world.group(region, "fleet", "$Default", 4).await;
    }
    let release = world.promote(NEW).await;
    let done = world.refresh(&release).await;
    assert_eq!(outcomes(&done), [Outcome::TimedOut, Outcome::LeftAlone], "{done:#?}");
    assert_eq!(exit_code(&done), 13);
    let first = done[0].refresh.clone().unwrap();
    let done = world.refresh_some(&release, &Wanted::Named(vec!["fleet".into()])).await;
    assert_eq!(done[0].refresh.as_ref(), Some(&first), "no second one was started");
    assert_eq!(done[0].outcome, Outcome::Refreshed, "{done:#?}");
    assert_eq!(world.seen(REGIONS[0], "fleet"), Seen::at(&["$Default"], &[2; 4]));
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_refresh_is_left_alone() {
    let world = World::new(Refresh::default()).await;
    world.group(REGIONS[0], "fleet", "1", 4).await;
    let release = world.promote(NEW).await;
    let start = world.cloud.autoscaling(&place(REGIONS[0])).start_instance_refresh();
    start.auto_scaling_group_name("fleet").send().await.unwrap();
    let done = world.refresh(&release).await;
    assert_eq!(outcomes(&done), [Outcome::Busy], "{done:#?}");
    assert_eq!((exit_code(&done), world.seen(REGIONS[0], "fleet").launches), (11, vec!["1".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn groups_that_cannot_be_refreshed_are_told_and_keep_no_other_from_it() {
    let world = World::new(Refresh::default()).await;
    let main = sdk::LaunchTemplateSpecification::builder().launch_template_name(TEMPLATE).build();
    let count = sdk::VCpuCountRequest::builder().min(1).build();
    let memory = sdk::MemoryMiBRequest::builder().min(512).build();
    let wish = sdk::InstanceRequirements::builder().v_cpu_count(count).memory_mib(memory).build();
    let way = sdk::LaunchTemplateOverrides::builder().instance_requirements(wish).build();
    let template = sdk::LaunchTemplate::builder().launch_template_specification(main).overrides(way).build();
    let policy = sdk::MixedInstancesPolicy::builder().launch_template(template).build();
    let request = world.cloud.autoscaling(&place(REGIONS[0])).create_auto_scaling_group();
    let request = request.auto_scaling_group_name("attributes").mixed_instances_policy(policy).min_size(1).max_size(1);
    request.availability_zones("us-east-1a").send().await.unwrap();
    world.group(REGIONS[0], "fleet", "$Default", 1).await;
    world.group(REGIONS[1], "fleet", "$Default", 1).await;
    let release = world.promote(NEW).await;
    let done = world.refresh(&release).await;
    assert_eq!(outcomes(&done), [Outcome::Cannot, Outcome::Refreshed, Outcome::Refreshed], "{done:#?}");
    assert!(done[0].reason.as_deref().unwrap().contains("by attributes"), "{done:#?}");
    assert_eq!((exit_code(&done), exit_code(&done[1..])), (9, 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_asked_for_must_be_there_before_anything_moves() {
    let world = World::new(Refresh::default()).await;
    let survey = async |wanted: Wanted| survey_groups(&world.cloud, &world.order(), &wanted).await;
    let error = survey(Wanted::All).await.unwrap_err();
    assert!(matches!(&error, RefreshError::NoGroups { template } if template == TEMPLATE), "{error}");
    assert_eq!(error.exit_code(), 2);
    world.group(REGIONS[0], "fleet", "$Default", 2).await;
    survey(Wanted::All).await.unwrap();
    survey(Wanted::Named(vec!["fleet".into()])).await.unwrap();
    let error = survey(Wanted::Named(vec!["flett".into()])).await.unwrap_err();
    assert_eq!(error, RefreshError::NoSuchGroup { name: "flett".into(), known: vec!["fleet".into()] });
    // A recipe that moves parameters only has no groups, named or not: nothing refreshed is no success.
    for wanted in [Wanted::All, Wanted::Named(vec!["fleet".into()])] {
        let order = Order { launch_templates: vec![], ..world.order() };
        let error = survey_groups(&world.cloud, &order, &wanted).await.unwrap_err();
        assert_eq!((error.exit_code(), error), (2, RefreshError::NoTemplates));
    }
    world.faults(|_, operation, _| (operation == "DescribeAutoScalingGroups").then_some(crate::local::Fault::Deny));
    let error = survey(Wanted::All).await.unwrap_err();
    assert_eq!(error.exit_code(), 12, "{error}");
    world.calm();

    let decided = world.decision(NEW).await;
    let before = preview_groups(&world.cloud, &world.order(), &decided, &Wanted::All).await.unwrap();
    let what: Vec<&str> = before.iter().map(|one| one.what.as_str()).collect();
    assert_eq!(what, ["is pinned to version 1, refreshed to the new version, then tracks $Default again"]);
    assert_eq!((before[0].instances, before[0].launches.as_str(), before[0].refreshes), (2, "$Default", true));
    let release = world.promote(NEW).await;
    let there = crate::promote::Decision::Nothing(Box::new(release.clone()));
    let after = preview_groups(&world.cloud, &world.order(), &there, &Wanted::All).await.unwrap();
    assert_eq!(after[0].what, "is pinned to version 1, refreshed to version 2, then tracks $Default again");
    assert_eq!(world.seen(REGIONS[0], "fleet"), Seen::at(&["$Default"], &[1, 1]), "looking changes nothing");
    world.refresh(&release).await;
    let after = preview_groups(&world.cloud, &world.order(), &there, &Wanted::All).await.unwrap();
    assert_eq!(after[0].what, "runs the image already");
    let same = world.decision(NEW).await;
    let after = preview_groups(&world.cloud, &world.order(), &same, &Wanted::All).await.unwrap();
    assert_eq!(after[0].what, "runs the image already");
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_was_moved_since_is_not_refreshed_to_what_it_was() {
    let world = World::new(Refresh::default()).await;
    world.group(REGIONS[0], "fleet", "$Default", 1).await;
    let old = world.promote(NEW).await;
    world.promote(OLD).await;
    let done = world.refresh(&old).await;
    assert_eq!(done[0].outcome, Outcome::Failed);
    assert!(done[0].reason.as_deref().unwrap().contains("moved since"), "{done:#?}");
    assert_eq!(world.seen(REGIONS[0], "fleet"), Seen::at(&["$Default"], &[1]));
}

#[tokio::test(start_paused = true)]
async fn all_targets_at_once_when_that_is_wanted() {
    let world = World::new(Refresh { parallel: true, ..with_alarm() }).await;
    for region in REGIONS {
        world.group(region, "fleet", "$Default", 2).await;
    }
    let release = world.promote(NEW).await;
    world.alarm(REGIONS[0], true);
    let done = world.refresh(&release).await;
    assert_eq!(outcomes(&done), [Outcome::RolledBack, Outcome::Refreshed], "{done:#?}");
}

#[test]
fn the_exit_code_is_that_of_all_or_partly_done() {
    use Outcome as O;
    let one = |outcome| Refreshed::new(&place("r"), "g", outcome);
    let code = |outcomes: &[Outcome]| exit_code(&outcomes.iter().map(|outcome| one(*outcome)).collect::<Vec<_>>());
    assert_eq!([code(&[]), code(&[O::Refreshed, O::Unchanged, O::Settled])], [0, 0]);
    assert_eq!([code(&[O::Refreshed, O::TimedOut]), code(&[O::TimedOut, O::TimedOut, O::LeftAlone])], [13, 13]);
    assert_eq!([code(&[O::Busy]), code(&[O::Busy, O::TimedOut])], [11, 9]);
    assert_eq!([code(&[O::Cannot]), code(&[O::RolledBack, O::LeftAlone])], [9, 9]);
    let denied = Refreshed { denied: true, ..one(O::Failed) };
    assert_eq!(exit_code(&[denied, one(O::LeftAlone)]), 12);
}

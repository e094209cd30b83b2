//! Builds that fail and leave their instance: it is told, marked, and ended when its time has passed, whatever goes wrong.

use super::*;
use crate::build::{Kept, Reap, kept, reap};
use crate::local::Fault;
use std::sync::atomic::{AtomicU64, Ordering};

const TIME: Duration = Duration::from_hours(2);

fn keeping() -> FleetOptions {
    FleetOptions { build: BuildOptions { keep: Some(TIME), ..BuildOptions::default() }, ..FleetOptions::default() }
}

async fn left(house: &House) -> Vec<Kept> {
    kept(&house.cloud, "acme").await.unwrap()
}

async fn ended(house: &House, which: Reap) -> usize {
    reap(&house.cloud, "acme", which, &Events::none()).await.unwrap().len()
}

/// Ids of instances that are there, whatever tags they have.
async fn instances(house: &House) -> Vec<String> {
    let listed = house.cloud.ec2(house.cloud.home()).describe_instances().send().await.unwrap();
    let all = listed.reservations().iter().flat_map(aws_sdk_ec2::types::Reservation::instances);
    let running = all.filter(|one| one.state().and_then(aws_sdk_ec2::types::InstanceState::code) != Some(48));
    running.filter_map(|one| one.instance_id()).map(str::to_owned).collect()
}

/// Names of the infrastructure configurations.
async fn places(house: &House) -> Vec<String> {
    let listed = house.cloud.imagebuilder().list_infrastructure_configurations().send().await.unwrap();
    let rows = listed.infrastructure_configuration_summary_list();
    rows.iter().filter_map(|one| one.name()).map(str::to_owned).collect()
}

#[tokio::test(start_paused = true)]
async fn the_instance_of_a_failed_build_is_kept_told_and_ended_when_its_time_has_passed() {
    let house = House::new(&["bad"], half_an_hour).await;
    let report = house.build(&keeping()).await;
    assert_eq!(results(&report), [("bad", ImageResult::Failed, Some(5))]);
    let Some(RunError::Build(BuildError::Failed(failure))) = &report.images[0].error else { panic!("{report:?}") };
    let [only] = failure.kept.as_slice() else { panic!("{:?}", failure.kept) };
    assert_eq!(only.image_arn.as_deref(), Some(failure.image_arn.as_str()));
    assert_eq!((only.expired, only.enter.clone()), (false, format!("amiforge shell {}", only.instance)));
    assert!(report.images[0].next[0].starts_with(&format!("instance {} of image 1.0.0/1, kept until", only.instance)));
    assert_eq!(left(&house).await, failure.kept);
    let status = house.fleet().status().await.unwrap();
    let text = crate::report::status(&status);
    assert!(text.contains(&format!("kept instance {}", only.instance)), "{text}");
    assert_eq!(ended(&house, Reap::Expired).await, 0, "its time has not passed");
    tokio::time::advance(TIME).await;
    assert!(left(&house).await[0].expired);
    assert_eq!((ended(&house, Reap::Expired).await, instances(&house).await.len()), (1, 0));
    assert_eq!(left(&house).await, []);

    // Without the wish nothing stays, and the configuration that ends instances is used, as before.
    let report = house.build(&FleetOptions::default()).await;
    assert_eq!((report.exit_code, instances(&house).await.len()), (5, 0));
    assert_eq!(places(&house).await, ["acme-local", "acme-local-keep-120m"]);
    assert_eq!(ended(&house, Reap::All).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_build_that_succeeds_leaves_nothing_although_it_might_have() {
    let house = House::new(&["web"], half_an_hour).await;
    assert_eq!(house.build(&keeping()).await.exit_code, 0);
    assert_eq!((instances(&house).await.len(), left(&house).await.len()), (0, 0));
    // What is there is not built again, and needs no other configuration.
    let house = House::new(&["web"], half_an_hour).await;
    house.build(&FleetOptions::default()).await;
    assert_eq!(house.build(&keeping()).await.exit_code, 0);
    assert_eq!(places(&house).await, ["acme-local"]);
}

#[tokio::test(start_paused = true)]
async fn an_instance_whose_build_nobody_followed_is_found_marked_and_ended() {
    let house = House::new(&["bad"], half_an_hour).await;
    house.build(&FleetOptions { detach: true, ..keeping() }).await;
    assert_eq!(left(&house).await, [], "it is being built");
    assert_eq!(ended(&house, Reap::All).await, 0, "what is being built is not touched");
    tokio::time::advance(Duration::from_hours(1)).await;
    let found = left(&house).await;
    assert_eq!((found.len(), found[0].expires_at.as_ref()), (1, None));
    assert_eq!(ended(&house, Reap::Expired).await, 0, "marked now, and not before");
    assert!(left(&house).await[0].expires_at.is_some());
    tokio::time::advance(TIME).await;
    assert_eq!(ended(&house, Reap::Expired).await, 1);
    assert_eq!(left(&house).await, []);
}

#[tokio::test(start_paused = true)]
async fn instances_of_other_projects_are_nobody_elses_business() {
    let house = House::new(&["bad"], half_an_hour).await;
    house.build(&keeping()).await;
    assert_eq!(kept(&house.cloud, "other").await.unwrap(), []);
    assert_eq!(reap(&house.cloud, "other", Reap::All, &Events::none()).await.unwrap(), []);
    assert_eq!(
        (ended(&house, Reap::All).await, instances(&house).await.len()),
        (1, 0),
        "all means before its time, too"
    );
}

#[tokio::test(start_paused = true)]
async fn whatever_answer_is_lost_there_is_one_instance_and_in_the_end_none() {
    let operations =
        ["CreateInfrastructureConfiguration", "CreateImage", "CreateTags", "DescribeInstances", "TerminateInstances"];
    for operation in operations {
        for (fault, times) in
            [(Fault::LoseResponse, 1), (Fault::Throttle, 1), (Fault::Fail, 1), (Fault::Fail, crate::aws::ATTEMPTS)]
        {
            let house = House::new(&["bad"], half_an_hour).await;
            let count = AtomicU64::new(0);
            house.cloud.local().unwrap().set_faults(Some(Box::new(move |_, called, _| {
                let strikes = called == operation && count.fetch_add(1, Ordering::SeqCst) < times;
                strikes.then_some(fault)
            })));
            let place = format!("{fault:?} {times} times at {operation}");
            let report = house.build(&keeping()).await;
            if report.exit_code != 5 {
                // It could not begin; the next run does.
                assert_eq!((report.exit_code, times), (1, crate::aws::ATTEMPTS), "{place}: {:?}", results(&report));
                assert_eq!(house.build(&keeping()).await.exit_code, 5, "{place}");
            }
            assert_eq!(instances(&house).await.len(), 1, "{place}");
            assert_eq!(places(&house).await.len(), 2, "{place}");
            // Marked by the build, or by whoever cleans up next.
            let _ = reap(&house.cloud, "acme", Reap::Expired, &Events::none()).await;
            let _ = reap(&house.cloud, "acme", Reap::Expired, &Events::none()).await;
            assert_eq!(instances(&house).await.len(), 1, "{place}: ended before its time");
            tokio::time::advance(TIME).await;
            if reap(&house.cloud, "acme", Reap::Expired, &Events::none()).await.is_err() {
                ended(&house, Reap::Expired).await;
            }
            assert_eq!((instances(&house).await.len(), left(&house).await.len()), (0, 0), "{place}");
        }
    }
}

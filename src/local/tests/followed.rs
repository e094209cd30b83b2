//! The product's own following of builds that follow a script.

use super::Bench;
use super::scripted::{self, BUILD, START};
use crate::aws::testing;
use crate::build::{BuildError, BuildOptions, Phase, cancel, ensure};
use crate::clock::Clock;
use crate::event::{Event, Events};
use crate::local::{Builds, Script};
use crate::plan::{Observed, Plan, Published, diff, publish};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What follows a build, in tokio's stopped time.
struct House {
    bench: Bench,
    cloud: crate::aws::Cloud,
    plan: Plan,
    published: Published,
    seen: Arc<Mutex<Vec<Event>>>,
}

impl House {
    async fn new(script: Script) -> Self {
        let bench = Bench::scripted(Clock::with_tokio(START), Builds::scripted(move |_| script.clone()));
        bench.add_ami("ami-0", |ami| ami.layers.clear());
        let cloud = testing::on(&bench.local);
        let mut desired = crate::plan::fixture();
        BUILD.clone_into(&mut desired.components[0].content.document);
        let plan = diff(&desired, &Observed::default());
        let published = publish(&cloud, &plan, &Events::none()).await.unwrap();
        Self { bench, cloud, plan, published, seen: Arc::default() }
    }

    async fn build(&self, options: BuildOptions) -> Result<crate::build::Built, BuildError> {
        let sink = Arc::clone(&self.seen);
        let events = Events::new(move |event| sink.lock().unwrap().push(event));
        ensure(&self.cloud, &self.plan, &self.published, options, &events).await
    }
}

#[tokio::test(start_paused = true)]
async fn eight_hours_are_followed_in_no_time() {
    let house = House::new(Script::lasting(Duration::from_hours(8))).await;
    let began = tokio::time::Instant::now();
    let options = BuildOptions { deadline: Duration::from_hours(9), ..BuildOptions::default() };
    let built = house.build(options.clone()).await.unwrap();
    let took = began.elapsed();
    assert!(took >= Duration::from_hours(8) && took < Duration::from_hours(8) + Duration::from_mins(1), "{took:?}");
    assert!(built.tests.as_ref().is_some_and(|tests| tests.passed), "{built:?}");
    let again = house.build(options).await.unwrap();
    assert!(again.reused && again.ami == built.ami);
    let told: Vec<String> = house
        .seen
        .lock()
        .unwrap()
        .iter()
        .filter_map(|event| match event {
            Event::Step { stage, step } => Some(format!("{}: {}", stage.word(), step.name)),
            _ => None,
        })
        .collect();
    for step in ["build: LaunchBuildInstance", "build: ApplyBuildComponents", "test: ApplyTestComponents"] {
        assert!(told.iter().any(|line| line == step), "{step} in {told:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failure_after_hours_is_explained() {
    let script = Script::lasting(Duration::from_hours(4)).failing("CreateOutputImage", "Not enough room.");
    let house = House::new(script).await;
    let error = house.build(BuildOptions::default()).await.unwrap_err();
    let BuildError::Failed(failure) = error else { panic!("{error}") };
    assert_eq!((failure.phase, failure.workflow_step.as_deref()), (Phase::Build, Some("CreateOutputImage")));
    assert!(failure.message.contains("Not enough room."), "{failure:?}");
}

#[tokio::test(start_paused = true)]
async fn a_deadline_passes_and_the_build_is_cancelled() {
    let house = House::new(Script::lasting(Duration::from_hours(8))).await;
    let options = BuildOptions { deadline: Duration::from_hours(1), ..BuildOptions::default() };
    let error = house.build(options).await.unwrap_err();
    let BuildError::TimedOut { image_arn, status, .. } = error else { panic!("{error}") };
    assert_eq!(status, "BUILDING");
    cancel(&house.cloud, &image_arn).await.unwrap();
    assert_eq!(scripted::status(&house.bench, &image_arn), "CANCELLED");
    cancel(&house.cloud, &image_arn).await.unwrap();
}

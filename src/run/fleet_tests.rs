//! Many images in a rehearsed environment: builds follow a script in virtual time, calls are paced as those to AWS.

use super::*;
use crate::aws::Options;
use crate::build::{Answer, approve};
use crate::clock::Clock;
use crate::event::{Event, human_minutes};
use crate::local::{Builds, Script};
use crate::project::Arch;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// A project on disk, and its environment.
struct House {
    project: Project,
    cloud: Cloud,
    _folder: tempfile::TempDir,
}

impl House {
    async fn new(recipes: &[&str], script: impl Fn(&str) -> Script + Send + Sync + 'static) -> Self {
        Self::with(recipes, Builds::scripted(script)).await
    }

    async fn with(recipes: &[&str], builds: Builds) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let project = written(folder.path(), recipes);
        Self::of(project, folder, builds).await
    }

    /// The same project in an environment of its own.
    async fn again(&self, script: impl Fn(&str) -> Script + Send + Sync + 'static) -> Self {
        Self::of(self.project.clone(), tempfile::tempdir().unwrap(), Builds::scripted(script)).await
    }

    async fn of(project: Project, folder: tempfile::TempDir, builds: Builds) -> Self {
        let options = Options {
            clock: Clock::with_tokio(time::macros::datetime!(2026-03-01 12:00 UTC)),
            events: Events::none(),
            state: folder.path().join("state"),
            cache: folder.path().join("cache"),
        };
        let cloud = Cloud::rehearse(&project, "local", options, builds).await.unwrap();
        Self { project, cloud, _folder: folder }
    }

    fn fleet(&self) -> Fleet<'_> {
        let items = self.project.recipes.values().map(|recipe| Item { recipe, arch: Arch::X86_64 }).collect();
        Fleet { cloud: &self.cloud, project: &self.project, items }
    }

    async fn build(&self, options: &FleetOptions) -> FleetReport {
        self.fleet().build(options, &Events::none()).await
    }

    /// ARNs of everything there is: builds, recipes, components, infrastructure configurations.
    async fn there(&self) -> Vec<String> {
        let client = self.cloud.imagebuilder();
        let mut all = Vec::new();
        let images = client.list_image_build_versions().send().await.unwrap();
        all.extend(images.image_summary_list().iter().filter_map(|one| one.arn()).map(str::to_owned));
        let recipes = client.list_image_recipes().send().await.unwrap();
        all.extend(recipes.image_recipe_summary_list().iter().filter_map(|one| one.arn()).map(str::to_owned));
        let components = client.list_components().send().await.unwrap();
        all.extend(components.component_version_list().iter().filter_map(|one| one.arn()).map(str::to_owned));
        let places = client.list_infrastructure_configurations().send().await.unwrap();
        let places = places.infrastructure_configuration_summary_list();
        all.extend(places.iter().filter_map(|one| one.arn()).map(str::to_owned));
        all
    }
}

fn written(folder: &std::path::Path, recipes: &[&str]) -> Project {
    let write = |path: String, text: String| {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("amiforge.yaml".into(), "project: acme\n".into());
    write(
        "components/motd.yaml".into(),
        "name: motd\ndescription: Says hello\nschemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - name: Say\n        \
         action: CreateFile\n        inputs:\n          - path: /etc/motd\n            content: hello\n"
            .into(),
    );
    for name in recipes {
        write(
            format!("recipes/{name}.yaml"),
            format!(
                "name: {name}\nos: debian-12\nversion: \"1.0\"\nparent:\n  ssm: \
                 /aws/service/debian/release/12/latest/{{{{ debian_arch }}}}\n  local: {{ bootstrap: bookworm }}\nbuild: [motd]\ntest: \
                 [boots]\n"
            ),
        );
    }
    crate::project::load(folder).unwrap()
}

fn half_an_hour(arn: &str) -> Script {
    let script = Script::default();
    if arn.contains("bad") { script.failing("ApplyBuildComponents", "Document x failed!") } else { script }
}

fn results(report: &FleetReport) -> Vec<(&str, ImageResult, Option<u8>)> {
    report.images.iter().map(|row| (row.recipe.as_str(), row.result, row.exit_code)).collect()
}

#[test]
fn the_worst_code_counts_and_says_most_about_us() {
    assert_eq!(worst([]), 0);
    assert_eq!(worst([0, 0]), 0);
    assert_eq!(worst([0, 6, 13, 5]), 5);
    assert_eq!(worst([13, 6]), 6);
    assert_eq!(worst([5, 12]), 12);
    assert_eq!(worst([12, 1, 3]), 1);
    assert_eq!(worst([5, 77]), 77, "a code that nobody knows is no mild one");
}

#[tokio::test(start_paused = true)]
async fn images_are_built_side_by_side_and_one_that_fails_stops_no_other() {
    let house = House::new(&["app", "bad", "web"], half_an_hour).await;
    let started = Instant::now();
    let report = house.build(&FleetOptions::default()).await;
    let took = human_minutes(started.elapsed());
    let (built, failed) = ((ImageResult::Built, Some(0)), (ImageResult::Failed, Some(5)));
    let expected = [("app", built.0, built.1), ("bad", failed.0, failed.1), ("web", built.0, built.1)];
    assert_eq!(results(&report), expected);
    assert_eq!(report.exit_code, 5);
    assert!(started.elapsed() < Duration::from_mins(70), "two at a time: {took}");
    let mut text = crate::report::images(&report);
    for row in &report.images {
        text = text.replace(row.ami.as_deref().unwrap_or("-no-"), "[ami]");
    }
    insta::assert_snapshot!(text, @r"
    image       result   version  AMI, build or reason
    app/x86_64  built    1.0.0/1  [ami]
    bad/x86_64  FAILED   1.0.0/1  image 1.0.0/1 is FAILED: the build phase failed in workflow step `ApplyBuildComponents`: Document x failed!
    web/x86_64  built    1.0.0/1  [ami]
    2 of 3 images are there
    next for app/x86_64: amiforge validate app --arch x86_64
    next for bad/x86_64: amiforge why arn:aws:imagebuilder:us-east-1:000000000000:image/acme-bad-x86-64/1.0.0/1
    next for web/x86_64: amiforge validate web --arch x86_64
    ");
    let (message, lines) = crate::report::images_failed(&report);
    assert_eq!((message.as_str(), lines.len()), ("1 of 3 images are not there", 1));

    // What is there is kept; what failed is built anew.
    let before = house.there().await.len();
    let again = house.build(&FleetOptions::default()).await;
    let reused = (ImageResult::Reused, Some(0));
    assert_eq!(
        results(&again),
        [("app", reused.0, reused.1), ("bad", failed.0, failed.1), ("web", reused.0, reused.1)]
    );
    assert_eq!(house.there().await.len(), before + 1);
}

#[tokio::test(start_paused = true)]
async fn where_the_account_builds_all_it_may_a_build_waits_for_its_turn() {
    let house = House::with(&["app", "web"], Builds::scripted(half_an_hour).with_quota(1)).await;
    let started = Instant::now();
    let report = house.build(&FleetOptions::default()).await;
    assert_eq!(report.exit_code, 0, "{:?}", results(&report));
    assert!(started.elapsed() > Duration::from_hours(1), "one after the other");
    let house = House::with(&["web"], Builds::scripted(half_an_hour).with_quota(0)).await;
    let build = BuildOptions { deadline: Duration::from_mins(5), ..BuildOptions::default() };
    let report = house.build(&FleetOptions { build, ..FleetOptions::default() }).await;
    assert_eq!(report.exit_code, 11);
    assert!(report.images[0].message.as_ref().unwrap().contains("quota"), "{:?}", report.images[0]);
}

#[tokio::test(start_paused = true)]
async fn the_first_failure_stops_what_has_not_begun_if_wanted() {
    let house = House::new(&["bad", "web"], half_an_hour).await;
    let report = house.build(&FleetOptions { jobs: Some(1), fail_fast: true, ..FleetOptions::default() }).await;
    assert_eq!(results(&report), [("bad", ImageResult::Failed, Some(5)), ("web", ImageResult::Skipped, None)]);
    assert_eq!(report.exit_code, 5);
}

#[tokio::test(start_paused = true)]
async fn a_detached_build_is_found_followed_and_told_as_it_ended() {
    let house = House::new(&["web"], half_an_hour).await;
    let first = house.build(&FleetOptions { detach: true, ..FleetOptions::default() }).await;
    assert_eq!(results(&first), [("web", ImageResult::Started, Some(0))]);
    let arn = first.images[0].image_arn.clone().unwrap();
    assert_eq!(first.images[0].next, [format!("amiforge watch {arn}")]);
    let second = house.build(&FleetOptions { detach: true, ..FleetOptions::default() }).await;
    assert_eq!(results(&second), [("web", ImageResult::Joined, Some(0))]);
    assert_eq!(second.images[0].image_arn.as_ref(), Some(&arn));

    tokio::time::advance(Duration::from_mins(10)).await;
    let status = house.fleet().status().await.unwrap();
    insta::assert_snapshot!(crate::report::status(&status), @r"
    web/x86_64
      under way       1.0.0/1  BUILDING  10 min  at ApplyBuildComponents, 7 min
                      arn:aws:imagebuilder:us-east-1:000000000000:image/acme-web-x86-64/1.0.0/1
      last available  none
      last failed     none
    1 build under way in environment local
    next: amiforge watch
    ");
    assert_eq!(house.fleet().in_flight().await.unwrap().items.len(), 1);
    let items = builds_of(&house.project, std::slice::from_ref(&arn)).unwrap();
    assert_eq!(items[0].name(), "web/x86_64");
    let watched =
        house.fleet().watch(Some(std::slice::from_ref(&arn)), &BuildOptions::default(), &Events::none()).await;
    assert_eq!(results(&watched), [("web", ImageResult::Built, Some(0))]);
    assert_eq!(house.fleet().in_flight().await.unwrap().items.len(), 0);
    let watched = house.fleet().watch(None, &BuildOptions::default(), &Events::none()).await;
    assert_eq!(watched.images[0].image_arn.as_ref(), Some(&arn));
    assert!(matches!(builds_of(&house.project, &["arn:x".into()]), Err(SelectError::Foreign { .. })));
}

#[tokio::test(start_paused = true)]
async fn what_was_never_built_cannot_be_watched() {
    let house = House::new(&["web"], half_an_hour).await;
    let report = house.fleet().watch(None, &BuildOptions::default(), &Events::none()).await;
    assert_eq!(results(&report), [("web", ImageResult::Failed, Some(8))]);
}

#[tokio::test(start_paused = true)]
async fn the_second_build_knows_how_long_the_steps_of_the_first_took() {
    let house = House::new(&["web"], half_an_hour).await;
    house.build(&FleetOptions::default()).await;
    let told = Arc::new(Mutex::new(vec![]));
    let sink = Arc::clone(&told);
    let events = Events::new(move |event| {
        if let Event::Step { step, .. } = event {
            sink.lock().unwrap().push(step);
        }
    });
    let fresh =
        FleetOptions { build: BuildOptions { fresh: true, ..BuildOptions::default() }, ..FleetOptions::default() };
    house.fleet().build(&fresh, &events).await;
    let told = told.lock().unwrap();
    let apply: Vec<_> = told.iter().filter(|step| step.name == "ApplyBuildComponents").collect();
    assert!(apply.len() > 10, "told as it goes on: {told:?}");
    assert!(apply.iter().all(|step| step.expected_seconds == Some(675)), "6/16 of half an hour: {apply:?}");
    assert!(apply.last().unwrap().elapsed_seconds.unwrap() > 600, "{apply:?}");
}

#[tokio::test(start_paused = true)]
async fn a_build_that_waits_is_shown_with_its_answer_and_goes_on_with_it() {
    let house = House::new(&["web"], |_| Script::default().waiting("ApplyBuildComponents", "ApproveIt")).await;
    let begun = house.build(&FleetOptions { detach: true, ..FleetOptions::default() }).await;
    let arn = begun.images[0].image_arn.clone().unwrap();
    tokio::time::advance(Duration::from_mins(50)).await;
    let status = house.fleet().status().await.unwrap();
    let text = crate::report::status(&status);
    assert!(text.contains("ApproveIt waits for an answer"), "{text}");
    assert!(text.contains(&format!("answer: amiforge approve {arn}")), "{text}");
    let notes = Arc::new(Mutex::new(vec![]));
    let sink = Arc::clone(&notes);
    let events = Events::new(move |event| {
        if let Event::Note { message, .. } = event {
            sink.lock().unwrap().push(message);
        }
    });
    let fleet = house.fleet();
    let options = BuildOptions::default();
    let answer = async {
        tokio::time::sleep(Duration::from_mins(5)).await;
        approve(&house.cloud, &arn, &Answer { stop: false, reason: Some("fine".into()) }).await.unwrap()
    };
    let (report, answered) = tokio::join!(fleet.watch(None, &options, &events), answer);
    assert_eq!((report.exit_code, answered.len()), (0, 1));
    let notes = notes.lock().unwrap();
    let asked = notes.iter().filter(|note| note.ends_with(&format!("answer: amiforge approve {arn}"))).count();
    assert_eq!(asked, 1, "told once: {notes:?}");
}

#[path = "fleet_fault_tests.rs"]
mod faults;
#[path = "fleet_keep_tests.rs"]
mod keep;

//! Following 1,000 builds at once, in virtual time: the calls it takes against what the pace allows, how late ends are seen, and the
//! memory it takes.
//!
//! `cargo bench --profile dev --bench follow` (`--profile dev` saves a release build of the SDK; nothing here is measured in real
//! time). The builds follow scripts in the local environment, and calls are paced as those to AWS. It says so when the calls per
//! minute are over the limit, an end is seen later than one interval, or the memory is above its bound.

#![allow(clippy::print_stdout, reason = "a benchmark prints its result")]
#![allow(clippy::cast_precision_loss, reason = "counts of calls")]

use amiforge::aws::{Cloud, Options, READING};
use amiforge::build::finish;
use amiforge::clock::Clock;
use amiforge::event::{Ending, Event, Events, Stage};
use amiforge::local::{Builds, Script};
use amiforge::project::{self, Arch};
use amiforge::run::Work;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

/// Builds that are followed.
const BUILDS: usize = 1000;
/// Longest time from one look to the next that image-builder.md section 4 advises.
const INTERVAL: Duration = Duration::from_secs(30);
/// Bound of the memory that following takes.
const MEMORY_MIB: f64 = 100.0;

/// How long the n-th build takes: 20 minutes to an hour.
fn lasting(number: usize) -> Duration {
    Duration::from_secs(20 * 60 + (number as u64 * 7919) % 2400)
}

fn number(arn: &str) -> usize {
    arn.rsplit('/').next().and_then(|number| number.parse().ok()).expect("a build number")
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    let result = runtime.expect("a runtime").block_on(run());
    let wide = |what: &str, value: f64, limit: f64, unit: &str| {
        let word = if value <= limit { "" } else { "  OVER THE LIMIT" };
        println!("{what:<44} {value:>8.1} of {limit:>6.1} {unit:<12} ratio {:>5.2}{word}", value / limit);
    };
    let limit = READING * 60.0;
    println!("{BUILDS} builds of 20 to 60 minutes, followed over {:.0} virtual minutes", result.minutes);
    wide("API calls per minute, mean", result.mean, limit, "calls/min");
    wide("API calls per minute, the busiest", result.busiest, limit, "calls/min");
    println!("mean against one GetImage per build and 15 s   ratio {:>5.3}", result.mean / (BUILDS as f64 * 4.0));
    wide("end seen after, median", result.late[BUILDS / 2].as_secs_f64(), INTERVAL.as_secs_f64(), "s");
    wide("end seen after, 99 of 100", result.late[BUILDS * 99 / 100].as_secs_f64(), INTERVAL.as_secs_f64(), "s");
    wide("end seen after, the latest", result.late[BUILDS - 1].as_secs_f64(), INTERVAL.as_secs_f64(), "s");
    wide("peak memory above the start", result.memory, MEMORY_MIB, "MiB");
}

struct Measured {
    minutes: f64,
    mean: f64,
    busiest: f64,
    /// In order.
    late: Vec<Duration>,
    memory: f64,
}

async fn run() -> Measured {
    let folder = tempfile::tempdir().expect("a folder");
    let project = fixture(folder.path());
    let options = Options {
        clock: Clock::with_tokio(time::macros::datetime!(2026-03-01 12:00 UTC)),
        events: Events::none(),
        state: folder.path().join("state"),
        cache: folder.path().join("cache"),
    };
    let builds = Builds::scripted(|arn| Script::lasting(lasting(number(arn)))).with_quota(BUILDS);
    let cloud = Cloud::rehearse(&project, "local", options, builds).await.expect("a local environment");
    let started = start(&project, &cloud).await;
    let before = memory("VmRSS");
    let began = Instant::now();
    let calls = Arc::new(Mutex::new(Vec::new()));
    let counter = Arc::clone(&calls);
    let local = cloud.local().expect("the local environment");
    local.set_faults(Some(Box::new(move |_, _, _| {
        counter.lock().expect("a list").push(began.elapsed());
        None
    })));
    let followers: Vec<_> =
        started.into_iter().map(|(arn, end)| tokio::spawn(follow(cloud.clone(), arn, end))).collect();
    let mut late = Vec::new();
    for follower in followers {
        late.push(follower.await.expect("a follower"));
    }
    late.sort();
    let minutes = began.elapsed().as_secs_f64() / 60.0;
    let calls = calls.lock().expect("a list");
    let mut by_minute = std::collections::BTreeMap::<u64, usize>::new();
    for at in calls.iter() {
        *by_minute.entry(at.as_secs() / 60).or_default() += 1;
    }
    Measured {
        minutes,
        mean: calls.len() as f64 / minutes,
        busiest: by_minute.values().max().copied().unwrap_or_default() as f64,
        late,
        memory: memory("VmHWM") - before,
    }
}

/// Follows one build; how long after its end that was seen.
async fn follow(cloud: Cloud, arn: String, end: Instant) -> Duration {
    let seen = Arc::new(Mutex::new(None));
    let sink = Arc::clone(&seen);
    let events = Events::new(move |event| {
        if let Event::StageFinished { stage: Stage::Test, ending: Ending::Done, .. } = event {
            *sink.lock().expect("a time") = Some(Instant::now());
        }
    });
    let built = finish(&cloud, &arn, "web", Duration::from_hours(4), &events).await;
    built.expect("an image");
    let seen = seen.lock().expect("a time").expect("the end was told");
    seen.saturating_duration_since(end)
}

/// Publishes one recipe and starts the builds of it; with the moment at which each ends.
async fn start(project: &project::Project, cloud: &Cloud) -> Vec<(String, Instant)> {
    let work = Work { cloud, project, recipe: &project.recipes["web"], arch: Arch::X86_64 };
    let events = Events::none();
    let rendered = work.check(&events).expect("a recipe");
    let plan = work.plan(&rendered, false, &events).await.expect("a plan");
    work.parent(&rendered, &events).await.expect("a parent image");
    let published = work.publish(&plan, &events).await.expect("resources");
    let mut started = Vec::new();
    for build in 0..BUILDS {
        let request = cloud
            .imagebuilder()
            .create_image()
            .image_recipe_arn(&published.recipe)
            .infrastructure_configuration_arn(&published.infrastructure)
            .client_token(format!("bench-{build:032}"));
        let arn = request.send().await.expect("a build").image_build_version_arn.expect("its ARN");
        let end = Instant::now() + lasting(number(&arn));
        started.push((arn, end));
    }
    started
}

fn fixture(folder: &std::path::Path) -> project::Project {
    let write = |path: &str, text: &str| {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    };
    write("amiforge.yaml", "project: acme\n");
    write(
        "recipes/web.yaml",
        "name: web\nos: debian-12\nversion: \"1.0\"\nparent:\n  ssm: /p/{{ debian_arch }}\n  local: { bootstrap: bookworm }\nbuild: \
         [baseline-config]\ntest: [boots]\n",
    );
    project::load(folder).expect("a project")
}

/// A line of `/proc/self/status`, in MiB.
fn memory(field: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc");
    let line = status.lines().find(|line| line.starts_with(field)).expect("a line on memory");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).expect("a number") / 1024.0
}

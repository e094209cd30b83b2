//! A promotion to 100 targets (20 Regions x 5 accounts), in virtual time: how long it takes against the floor that AWS's limits
//! set, the calls it takes, and the memory.
//!
//! `cargo bench --profile dev --bench promote` (`--profile dev` saves a release build of the SDK; nothing here is measured in real
//! time). The local environment copies AMIs as slowly as AWS does, every call takes 50 ms, and calls are paced as those to AWS.
//! The floor is one copy, because all Regions copy at the same time, and the calls that must follow on each other. Above
//! 1.2 times the floor it ends with 1: the time is virtual, and the same on every machine.

#![allow(clippy::print_stdout, reason = "a benchmark prints its result")]
#![allow(clippy::cast_precision_loss, reason = "counts of calls")]

use amiforge::aws::{Cloud, Options};
use amiforge::build::{Begun, BuildOptions, finish};
use amiforge::clock::Clock;
use amiforge::event::Events;
use amiforge::gate::{Verdict, VerdictStatus};
use amiforge::local::{Builds, Fault, Script};
use amiforge::project::{self, Arch};
use amiforge::promote::{self, Approval, Candidate, Order};
use amiforge::run::Work;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;

const ACCOUNTS: [&str; 5] = ["000000000000", "111111111111", "222222222222", "333333333333", "444444444444"];
const REGIONS: [&str; 20] = [
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "ca-central-1",
    "sa-east-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "af-south-1",
];
/// Size of the image in GiB, and how long a copy of it takes in the local environment.
const SIZE: u32 = 8;
/// How long one call takes.
const CALL: Duration = Duration::from_millis(50);
/// Calls that must follow on each other, whatever program makes them: lock, journal, mark, copy, stage, try a launch, move the
/// template, move the parameter, record. Nine calls are within what every published limit lets through at once.
const CHAIN: u32 = 9;
/// How far the time may be above the floor.
const LIMIT: f64 = 1.2;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    let within = runtime.expect("a runtime").block_on(run());
    if !within {
        std::process::exit(1);
    }
}

/// Calls by operation.
type Calls = Arc<Mutex<BTreeMap<String, u64>>>;

/// Whether the time is within the limit.
async fn run() -> bool {
    let folder = tempfile::tempdir().expect("a folder");
    let project = fixture(folder.path());
    let options = Options {
        clock: Clock::with_tokio(time::macros::datetime!(2026-03-01 12:00 UTC)),
        events: Events::none(),
        state: folder.path().join("state"),
        cache: folder.path().join("cache"),
    };
    let builds = Builds::scripted(|_| Script::default());
    let copy = builds.copying(SIZE);
    let cloud = Cloud::rehearse(&project, "local", options, builds).await.expect("a local environment");
    let ami = built(&project, &cloud).await;
    let before = memory("VmRSS");
    let local = cloud.local().expect("the local environment");
    let (calls, counter) = (Calls::default(), Calls::default());
    let mut within = false;
    for (what, sink) in [("first", &calls), ("again", &counter)] {
        let sink = Arc::clone(sink);
        local.set_faults(Some(Box::new(move |service, operation, _| {
            *sink.lock().expect("a map").entry(format!("{service}.{operation}")).or_default() += 1;
            Some(Fault::Delay(CALL))
        })));
        let began = Instant::now();
        let promotion = promote(&project, &cloud, &ami, what).await;
        let took = began.elapsed();
        let changed = if promotion.changed { "moved" } else { "nothing to do" };
        println!(
            "{} targets, {changed}, in {:.1} virtual seconds",
            promotion.release.targets.len(),
            took.as_secs_f64()
        );
        if promotion.changed {
            within = report(took, copy, &calls.lock().expect("a map"));
        }
    }
    println!(
        "calls of the second promotion, which finds everything as it is: {}",
        total(&counter.lock().expect("a map"))
    );
    println!("peak memory above the start {:.1} MiB", memory("VmHWM") - before);
    within
}

fn total(calls: &BTreeMap<String, u64>) -> u64 {
    calls.values().sum()
}

/// Tells it; whether the time is within the limit.
fn report(took: Duration, copy: Duration, calls: &BTreeMap<String, u64>) -> bool {
    let targets = (ACCOUNTS.len() * REGIONS.len()) as f64;
    let floor = (copy + CALL * CHAIN).as_secs_f64();
    let ratio = took.as_secs_f64() / floor;
    let word = if ratio <= LIMIT { "" } else { "  OVER THE LIMIT" };
    println!("floor {floor:.1} s (one copy takes {:.0} s), ratio {ratio:.2} of {LIMIT}{word}", copy.as_secs_f64());
    println!("{} calls, {:.1} per target", total(calls), total(calls) as f64 / targets);
    for (name, count) in calls {
        println!("  {name:<44} {count:>6}");
    }
    ratio <= LIMIT
}

async fn promote(project: &project::Project, cloud: &Cloud, ami: &str, holder: &str) -> promote::Promotion {
    let order = Order {
        project,
        recipe: "web",
        arch: "x86_64",
        channel: "candidate",
        launch_templates: vec!["web-x86_64".into()],
        parameters: vec!["/golden/web/x86_64/candidate".into()],
        reason: "bench".into(),
        holder: holder.into(),
        quorum: None,
        caller: None,
        override_reason: None,
    };
    let candidate = Candidate { ami: ami.into(), image_arn: None, image_version: None };
    let pass = Verdict {
        gate: "g".into(),
        status: VerdictStatus::Pass,
        summary: String::new(),
        details: vec![],
        findings: vec![],
    };
    let approval = Approval { digest: "sha256:bench".into(), verdicts: vec![pass] };
    promote::promote(cloud, &order, &candidate, &approval, &Events::none()).await.expect("a promotion")
}

/// Builds an image by a script, and says that there is evidence about it.
async fn built(project: &project::Project, cloud: &Cloud) -> String {
    let work = Work { cloud, project, recipe: &project.recipes["web"], arch: Arch::X86_64 };
    let begun = work.begin(&BuildOptions::default(), None, &Events::none()).await.expect("a build");
    let ami = match begun {
        Begun::Available(built) => built.ami,
        Begun::Building { arn, .. } => {
            finish(cloud, &arn, "web", Duration::from_hours(4), &Events::none()).await.expect("an image").ami
        }
    };
    let tag = aws_sdk_ec2::types::Tag::builder().key("amiforge:evidence").value("sha256:bench").build();
    cloud.ec2(cloud.home()).create_tags().resources(&ami).tags(tag).send().await.expect("a tag");
    ami
}

fn fixture(folder: &std::path::Path) -> project::Project {
    let write = |path: &str, text: &str| {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    };
    let target = |account: &&str| format!("      - {{ account: \"{account}\", regions: [{}] }}\n", REGIONS.join(", "));
    let targets: String = ACCOUNTS.iter().map(target).collect();
    write("amiforge.yaml", &format!("project: acme\nenvironments:\n  local:\n    targets:\n{targets}"));
    write(
        "recipes/web.yaml",
        &format!(
            "name: web\nos: debian-12\nversion: \"1.0\"\nparent:\n  ssm: /p/{{{{ debian_arch }}}}\n  local: {{ bootstrap: bookworm }}\n\
             build: [baseline-config]\ntest: [boots]\nroot_volume: {{ size_gib: {SIZE}, encrypted: false }}\n"
        ),
    );
    project::load(folder).expect("a project")
}

/// A line of `/proc/self/status`, in MiB.
fn memory(field: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc");
    let line = status.lines().find(|line| line.starts_with(field)).expect("a line on memory");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).expect("a number") / 1024.0
}

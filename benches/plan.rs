//! `plan` of a project with 200 recipes against an account that has all of them, and against an empty one.
//!
//! `cargo bench --bench plan`. Two numbers each: the pure part (rendering, what is desired, what is to be done about what was
//! observed), and the whole with the local environment in this process, every call through the SDK's client as to AWS. It says so
//! when the whole takes longer than 200 ms.

#![allow(clippy::print_stdout, reason = "a benchmark prints its result")]

use amiforge::aws::{Cloud, Options};
use amiforge::clock::Clock;
use amiforge::event::Events;
use amiforge::local::{Builds, Script};
use amiforge::plan::{self, Desired, Observed};
use amiforge::project::{self, Arch, Project};
use amiforge::run::{Work, plans};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Recipes of the project.
const RECIPES: usize = 200;
/// Times that each is measured; the median counts.
const RUNS: usize = 15;
/// What is asked of it.
const BOUND: Duration = Duration::from_millis(200);

fn main() {
    // Time stands: what calls wait for their turn at the pace of AWS is not measured, what they take is.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    runtime.expect("a runtime").block_on(run());
}

async fn run() {
    let folder = tempfile::tempdir().expect("a folder");
    write(folder.path());
    let loading = Instant::now();
    let project = project::load(folder.path()).expect("a project");
    println!("{RECIPES} recipes, 4 components each; reading the files takes {:.1} ms", millis(loading.elapsed()));
    let options = Options {
        clock: Clock::with_tokio(time::macros::datetime!(2026-03-01 12:00 UTC)),
        events: Events::none(),
        state: folder.path().join("state"),
        cache: folder.path().join("cache"),
    };
    let builds = Builds::scripted(|_| Script::lasting(Duration::ZERO)).with_quota(RECIPES);
    let cloud = Cloud::rehearse(&project, "local", options, builds).await.expect("a local environment");
    let works: Vec<Work<'_>> = project
        .recipes
        .values()
        .map(|recipe| Work { cloud: &cloud, project: &project, recipe, arch: Arch::X86_64 })
        .collect();
    measure("an empty account", &works, &cloud, &project).await;
    for work in &works {
        let rendered = work.check(&Events::none()).expect("a recipe that renders");
        work.parent(&rendered, &Events::none()).await.expect("a parent image");
        let plan = work.plan(&rendered, false, &Events::none()).await.expect("a plan");
        work.publish(&plan, &Events::none()).await.expect("resources");
    }
    measure("everything is published", &works, &cloud, &project).await;
    for work in &works {
        let rendered = work.check(&Events::none()).expect("a recipe that renders");
        let plan = work.plan(&rendered, false, &Events::none()).await.expect("a plan");
        work.build(&rendered, &plan, false, &Events::none()).await.expect("an image");
    }
    measure("and built", &works, &cloud, &project).await;
}

async fn measure(what: &str, works: &[Work<'_>], cloud: &Cloud, project: &Project) {
    let calls = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&calls);
    let local = cloud.local().expect("the local environment");
    local.set_faults(Some(Box::new(move |_, _, _| {
        counter.fetch_add(1, Ordering::SeqCst);
        None
    })));
    plans(works).await.expect("plans");
    local.set_faults(None);
    let calls = calls.load(Ordering::SeqCst);
    let mut whole = Vec::new();
    for _ in 0..RUNS {
        let begun = Instant::now();
        plans(works).await.expect("plans");
        whole.push(begun.elapsed());
    }
    let (desired, observed) = state(works, project).await;
    let mut pure = Vec::new();
    for _ in 0..RUNS {
        let begun = Instant::now();
        for (work, (wanted, known)) in works.iter().zip(desired.iter().zip(&observed)) {
            let rendered = amiforge::render::recipe(project, work.recipe, work.arch).expect("a recipe that renders");
            let again = plan::desired(project, &rendered, work.recipe, cloud.config(), &wanted.recipe.parent_ami);
            let made = plan::diff(&again, known);
            assert_eq!(made.fingerprint, wanted.recipe.fingerprint);
        }
        pure.push(begun.elapsed());
    }
    let (whole, pure) = (median(whole), median(pure));
    let word = if whole <= BOUND { "" } else { "  OVER THE LIMIT" };
    println!(
        "{what:<24} pure {:>6.1} ms   whole {:>6.1} ms of {} ms  ratio {:>5.2}   {calls} calls{word}",
        millis(pure),
        millis(whole),
        BOUND.as_millis(),
        millis(whole) / millis(BOUND)
    );
}

async fn state(works: &[Work<'_>], project: &Project) -> (Vec<Desired>, Vec<Observed>) {
    let mut desired = Vec::new();
    for work in works {
        let rendered = work.check(&Events::none()).expect("a recipe that renders");
        let parent = work.plan(&rendered, false, &Events::none()).await.expect("a plan").parent_image;
        desired.push(plan::desired(project, &rendered, work.recipe, work.cloud.config(), &parent));
    }
    let observed = plan::observe_many(works[0].cloud, &desired).await.expect("an account");
    (desired, observed)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

fn write(folder: &Path) {
    let write = |path: String, text: String| {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    };
    write("amiforge.yaml".into(), "project: acme\n".into());
    for name in ["motd", "agent", "hardening"] {
        write(
            format!("components/{name}.yaml"),
            format!(
                "name: {name}\ndescription: Writes a file\nschemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - name: Write\n        \
                 action: CreateFile\n        inputs:\n          - path: /etc/{name}\n            content: hello\n"
            ),
        );
    }
    for number in 0..RECIPES {
        write(
            format!("recipes/image-{number:03}.yaml"),
            format!(
                "name: image-{number:03}\nos: debian-12\nparent:\n  ssm: /aws/service/debian/release/12/latest/{{{{ debian_arch }}}}\n  \
                 local: {{ bootstrap: bookworm }}\nbuild: [motd, agent, hardening]\ntest: [boots]\n"
            ),
        );
    }
}

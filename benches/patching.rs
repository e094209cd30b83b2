//! How much a run of amiforge costs over a hand-written script that patches the same root with the same packages.
//!
//! `cargo bench --profile dev --bench patching` (as root, network to the package mirrors; `--profile dev` saves a release
//! build of the SDK, and next to all of the time is spent in apt and dpkg anyway). Prints wall times and their ratio for `debian-12`:
//! a whole fresh run (build, tests, validation, promotion) and its build stage alone, against `benches/by-hand.sh`.

#![allow(clippy::print_stdout, reason = "a benchmark prints its result")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Runs per figure; the median is reported.
const ROUNDS: usize = 3;

fn main() {
    let base = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("bench-patching");
    let project = base.join("project");
    let _ = std::fs::remove_dir_all(&project);
    std::fs::create_dir_all(&project).expect("a project folder");
    amiforge(&base, &project, &["init", "--name", "bench"]);
    // The first run makes and caches the parent image; it is not measured.
    let first = timed(|| amiforge(&base, &project, &["run", "debian-12"]));
    let idle = timed(|| amiforge(&base, &project, &["run", "debian-12"]));
    let build = median(|| amiforge(&base, &project, &["build", "debian-12", "--fresh"]));
    let run = median(|| amiforge(&base, &project, &["run", "debian-12", "--fresh"]));
    let hand = median(|| by_hand(&base));
    println!("first run (parent image made or cached)   {:>8.2} s", first.as_secs_f64());
    println!("second run (nothing to do)                {:>8.2} s", idle.as_secs_f64());
    println!("build and test stages, median of {ROUNDS}         {:>8.2} s", build.as_secs_f64());
    println!("whole fresh run, median of {ROUNDS}               {:>8.2} s", run.as_secs_f64());
    println!("hand-written script, median of {ROUNDS}           {:>8.2} s", hand.as_secs_f64());
    println!("ratio build and test / script             {:>8.2}", build.as_secs_f64() / hand.as_secs_f64());
    println!("ratio whole run / script                  {:>8.2}", run.as_secs_f64() / hand.as_secs_f64());
}

fn amiforge(base: &Path, project: &Path, arguments: &[&str]) {
    let status = Command::new(env!("CARGO_BIN_EXE_amiforge"))
        .args(arguments)
        .args(["--progress", "none"])
        .env("AMIFORGE_CACHE", base.join("cache"))
        .current_dir(project)
        .stdout(std::process::Stdio::null())
        .status()
        .expect("the binary starts");
    assert!(status.success(), "amiforge {} failed", arguments.join(" "));
}

/// The root that amiforge cached as the parent of debian-12.
fn parent(base: &Path) -> PathBuf {
    let roots = std::fs::read_dir(base.join("cache/roots")).expect("cached roots").flatten().map(|entry| entry.path());
    roots.into_iter().find(|root| root.join("etc/debian_version").exists()).expect("the cached parent root")
}

fn by_hand(base: &Path) {
    let scratch = base.join("by-hand");
    let status = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/by-hand.sh"))
        .args([parent(base), scratch])
        .status()
        .expect("the script starts");
    assert!(status.success(), "the hand-written script failed");
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

fn median(mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..ROUNDS).map(|_| timed(&mut work)).collect();
    times.sort();
    times[ROUNDS / 2]
}

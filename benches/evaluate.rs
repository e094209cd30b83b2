//! How long a baseline takes over a large inventory, and how much memory.
//!
//! `cargo bench --no-default-features --bench evaluate` prints the medians of evaluating 3,000 installed packages against
//! 60,000 offered ones and 20,000 notices, for an RPM system and an APT one; how the time grows with the input; and the
//! largest memory of a process that read one inventory from its document and evaluated it. Then the same data is written
//! as the files that package managers read, and dnf, apt and python-apt do the closest they can with them, each in a process
//! of its own beside ours. Ratios are of whole processes that begin with the files; nothing is asserted about time.

#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a benchmark prints its result, and cannot go on without data"
)]

#[path = "evaluate/apt_peers.rs"]
mod apt_peers;
#[path = "evaluate/rpm_peers.rs"]
mod rpm_peers;

use amiforge::patch::{
    Advisory, AdvisoryPackage, Baseline, Context, Evaluation, Inventory, OtherOffer, OtherOffers, Package,
    PackageSource, evaluate, predefined,
};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use time::macros::datetime;

/// Installed packages.
const INSTALLED: usize = 3_000;
/// Offered packages.
const OFFERED: usize = 60_000;
/// Notices.
const NOTICES: usize = 20_000;
/// Packages in a notice: an RPM notice lists every subpackage.
const PER_NOTICE: usize = 5;
/// Runs per figure; the median is reported.
const ROUNDS: usize = 11;
/// Runs of a peer, which takes seconds.
const ROUNDS_OF_PEERS: usize = 5;
/// With this variable the program does one job with the place it names, and prints its largest memory and what it found.
const CHILD: &str = "AMIFORGE_BENCH_CHILD";

fn main() {
    if let Ok(job) = std::env::var(CHILD) {
        let (job, place) = job.split_once(':').expect("a job and a place");
        let found = be_child(job, Path::new(place));
        println!("{} {found}", peak());
        return;
    }
    println!("{INSTALLED} installed, {OFFERED} offered, {NOTICES} notices, median of {ROUNDS}");
    for system in ["rhel", "debian"] {
        let whole = inventory(system, 1);
        let half = inventory(system, 2);
        let baseline = baseline(&whole);
        let found = run(&baseline, &whole);
        let counts = found.counts;
        println!(
            "{system}: {} missing, {} installed, {} not applicable",
            counts.missing, counts.installed, counts.not_applicable
        );
        let time = median(|| drop(run(&baseline, &whole)));
        let half_time = median(|| drop(run(&baseline, &half)));
        row(&format!("{system}, evaluated"), time);
        row(&format!("{system}, half of everything, evaluated"), half_time);
        let server = inventory(system, 6);
        row(
            &format!("{system}, a sixth (500 installed): a server, evaluated"),
            median(|| drop(run(&baseline, &server))),
        );
        ratio("  ratio whole / half (2 is linear)", time, half_time);
        let text = whole.to_json().expect("a document");
        row(&format!("{system}, read from its document"), median(|| drop(Inventory::from_json(&text))));
        memory(system, &text);
    }
    rpm_peers::compare(&inventory("rhel", 1));
    apt_peers::compare(&inventory("debian", 1));
}

/// Does one job; what it found.
fn be_child(job: &str, place: &Path) -> u32 {
    match job {
        "rpm" => rpm_peers::whole(place),
        "updateinfo" => rpm_peers::stream(place),
        "apt" => apt_peers::whole(place),
        _ => {
            let text = std::fs::read_to_string(place).expect("the document");
            let inventory = Inventory::from_json(&text).expect("an inventory");
            drop(text);
            run(&baseline(&inventory), &inventory).counts.missing
        }
    }
}

/// What a process of its own has found, and its largest memory in KiB.
struct Said {
    peak: String,
    count: String,
}

/// Does a job in a process of its own.
fn child(job: &str, place: &Path) -> Said {
    let program = std::env::current_exe().expect("this program");
    let output = Command::new(program).env(CHILD, format!("{job}:{}", place.display())).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut words = said.split_whitespace().map(str::to_owned);
    let mut next = || words.next().unwrap_or_else(|| panic!("{job}: {}", String::from_utf8_lossy(&output.stderr)));
    Said { peak: next(), count: next() }
}

/// The largest memory of a process of its own.
fn memory(system: &str, text: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("inventory.json");
    std::fs::write(&path, text).expect("the document");
    memory_row(&format!("{system}, largest memory, document read and evaluated"), &child("document", &path).peak);
    memory_row(&format!("{system}, size of the document"), &(text.len() / 1_024).to_string());
}

/// `VmHWM` of this process, in KiB.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("?");
    line.split_whitespace().next().unwrap_or("?").to_owned()
}

fn baseline(inventory: &Inventory) -> Baseline {
    let name =
        if inventory.os_id == "debian" { "AWS-DebianDefaultPatchBaseline" } else { "AWS-RedHatDefaultPatchBaseline" };
    predefined(name).expect("it is predefined")
}

fn run(baseline: &Baseline, inventory: &Inventory) -> Evaluation {
    evaluate(baseline, inventory, &Context::new(datetime!(2025-12-01 0:00 UTC))).expect("an evaluation")
}

/// A system with everything divided by `divisor`.
fn inventory(system: &str, divisor: usize) -> Inventory {
    let debian = system == "debian";
    let arch = if debian { "amd64" } else { "x86_64" };
    let name = |number: usize| format!("lib{}-package-{number}", number % 97);
    let version = |number: usize, release: usize| format!("{}:1.{}.0-{release}", number % 2, number % 13);
    let suite = |suite: &str| PackageSource {
        suite: suite.into(),
        codename: suite.into(),
        trusted: true,
        ..PackageSource::default()
    };
    let mut made = Inventory {
        os_id: system.into(),
        os_version: if debian { "12".into() } else { "9.4".into() },
        os_codename: if debian { "bookworm".into() } else { String::new() },
        sources: vec![suite("bookworm"), suite("bookworm-security")],
        ..Inventory::default()
    };
    // Every fifth installed package has something newer.
    for number in 0..INSTALLED / divisor {
        made.installed.push(Package {
            name: name(number),
            arch: arch.into(),
            version: version(number, 1),
            priority: "optional".into(),
            section: "libs".into(),
            source: name(number),
            installed_at: Some(1_760_000_000),
            ..Package::default()
        });
    }
    let mut group =
        OtherOffers { priority: "optional".into(), section: "libs".into(), from: 1, packages: String::new() };
    for number in 0..OFFERED / divisor {
        let (name, version) = (name(number), version(number, 1 + usize::from(number.is_multiple_of(5))));
        group.push(OtherOffer { name: &name, arch, version: &version, built_at: (!debian).then_some(1_750_000_000) });
    }
    made.others.push(group);
    for number in 0..NOTICES / divisor {
        let line = |index: usize| {
            let number = (number * PER_NOTICE + index) % (OFFERED / divisor);
            AdvisoryPackage {
                name: name(number),
                arch: arch.into(),
                version: version(number, 1 + usize::from(number.is_multiple_of(5))),
                ..AdvisoryPackage::default()
            }
        };
        made.advisories.push(Advisory {
            id: format!("RHSA-2025:{number:05}"),
            from: 0,
            kind: ["security", "bugfix", "enhancement"][number % 3].into(),
            severity: ["Critical", "Important", "Moderate", "Low"][number % 4].into(),
            status: "final".into(),
            issued: format!("2025-{:02}-{:02} 12:00", number % 11 + 1, number % 28 + 1),
            cves: vec![format!("CVE-2025-{number}"), format!("CVE-2024-{number}")],
            packages: (0..PER_NOTICE).map(line).collect(),
            ..Advisory::default()
        });
    }
    made
}

fn row(what: &str, time: Duration) {
    println!("{what:<62}{:>10.1} ms", time.as_secs_f64() * 1_000.0);
}

fn median(mut work: impl FnMut()) -> Duration {
    work();
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    times.sort();
    times[ROUNDS / 2]
}

fn ratio(what: &str, one: Duration, other: Duration) {
    println!("{what:<62}{:>10.2}", one.as_secs_f64() / other.as_secs_f64());
}

fn memory_row(what: &str, kib: &str) {
    println!("{what:<62}{kib:>10} KiB");
}

/// The median of a few runs, and what the last of them said.
fn time_of<T>(mut work: impl FnMut() -> T) -> (Duration, T) {
    let mut said = work();
    let mut times = vec![];
    for _ in 0..ROUNDS_OF_PEERS {
        let start = Instant::now();
        said = work();
        times.push(start.elapsed());
    }
    times.sort();
    (times[ROUNDS_OF_PEERS / 2], said)
}

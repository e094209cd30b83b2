//! The sandbox for real: instances, jobs, reboots, kills, package upgrades; as root and as an ordinary user.
//!
//! A program of its own and not libtest's, because the sandbox executes the running program again as its init.

#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, clippy::exit, reason = "a test program")]

#[path = "support/mod.rs"]
mod support;

#[path = "sandbox/bench.rs"]
mod bench;
#[path = "sandbox/boot.rs"]
mod boot;
#[path = "sandbox/builtin.rs"]
mod builtin;
#[path = "sandbox/channel.rs"]
mod channel;
#[path = "sandbox/collect.rs"]
mod collect;
#[path = "sandbox/ends.rs"]
mod ends;
#[path = "sandbox/files.rs"]
mod files;
#[path = "sandbox/groups.rs"]
mod groups;
#[path = "sandbox/hostile.rs"]
mod hostile;
#[path = "sandbox/jobs.rs"]
mod jobs;
#[path = "sandbox/limits.rs"]
mod limits;
#[path = "sandbox/modes.rs"]
mod modes;
#[path = "sandbox/packages.rs"]
mod packages;
#[path = "sandbox/patching.rs"]
mod patching;
#[path = "sandbox/registries.rs"]
mod registries;
#[path = "sandbox/roots.rs"]
mod roots;
#[path = "sandbox/rpm.rs"]
mod rpm;
#[path = "sandbox/shipped.rs"]
mod shipped;
#[allow(dead_code, reason = "the other half of it is for the unit tests of downloads")]
#[path = "../src/runner/actions/web/site.rs"]
mod site;
#[path = "sandbox/user.rs"]
mod user;
#[path = "sandbox/walls.rs"]
mod walls;

use std::panic::catch_unwind;
use std::time::Instant;

/// A test: its name, and what fails by panicking.
type Test = (&'static str, fn());

fn main() {
    if let Some(code) = amiforge::sandbox::init::main(builtin::handle) {
        std::process::exit(code);
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["--victim", folder] => ends::victim(folder),
        ["--system-victim", folder] => groups::victim(folder),
        ["--obtain", folder, source] => roots::obtain_in_child(folder, source),
        ["--on-overlay", folder] => files::on_overlay(folder),
        ["--as-user", folder] => run("as an ordinary user", user::TESTS, &[], &mut || bench::set_base(folder)),
        ["--with-one-id", folder] => run("with a single id", user::TESTS, &[], &mut || user::with_one_id(folder)),
        ["--in-container", folder] => run("in a container", &modes::in_container(), &[], &mut || modes::set_up(folder)),
        ["--in-strict-container", folder] => {
            run("in a strict container", modes::STRICT, &[], &mut || modes::set_up(folder));
        }
        ["--with-keys", places] => half(places, hostile::with_keys),
        ["--on-terminal", places] => half(places, hostile::on_terminal),
        ["--without-group", folder] => groups::without_group(folder),
        ["--probe", folder] => user::say_what_the_probe_says(folder),
        ["--list", ..] => all().iter().for_each(|(name, _)| println!("{name}: test")),
        _ => run("", &all(), &words, &mut || ()),
    }
}

fn all() -> Vec<Test> {
    [user::TESTS, user::AS_ROOT, modes::AS_ROOT, rpm::TESTS, collect::TESTS, shipped::TESTS, patching::TESTS].concat()
}

/// The other half of a test, in a process of its own.
fn half(places: &str, body: fn()) {
    bench::be_half(places);
    body();
    bench::clean();
}

/// Runs what the words (a part of a name; flags are ignored) choose, and says it as libtest does.
fn run(what: &str, tests: &[Test], words: &[&str], prepare: &mut dyn FnMut()) {
    prepare();
    let filters: Vec<&&str> = words.iter().filter(|word| !word.starts_with('-')).collect();
    let chosen: Vec<&Test> = tests
        .iter()
        .filter(|(name, _)| filters.is_empty() || filters.iter().any(|word| name.contains(**word)))
        .collect();
    println!("\nrunning {} tests {what}", chosen.len());
    let start = Instant::now();
    let mut failed = Vec::new();
    for (name, test) in &chosen {
        let start = Instant::now();
        let result = catch_unwind(test);
        bench::tidy();
        let (word, took) = (if result.is_ok() { "ok" } else { "FAILED" }, start.elapsed());
        println!("test {name} ... {word} ({:.2}s)", took.as_secs_f64());
        if result.is_err() {
            failed.push(*name);
        }
    }
    bench::clean();
    let (passed, filtered) = (chosen.len() - failed.len(), tests.len() - chosen.len());
    println!(
        "\ntest result: {}. {passed} passed; {} failed; 0 ignored; 0 measured; {filtered} filtered out; finished in {:.2}s\n",
        if failed.is_empty() { "ok" } else { "FAILED" },
        failed.len(),
        start.elapsed().as_secs_f64()
    );
    if !failed.is_empty() {
        println!("failures: {}", failed.join(", "));
        std::process::exit(101);
    }
}

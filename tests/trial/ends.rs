//! Runs that do not come to their end: interrupted, killed. Nothing is left, or the next start removes it.

use crate::harness::{Env, Test, component, eventually, processes_with, root, unique_seconds};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader, Read};
use std::process::Child;

pub const TESTS: &[Test] = &[
    ("an_interrupt_ends_everything_and_reports_it", interrupted),
    ("what_a_killed_run_leaves_is_swept_by_the_next", killed),
];

/// Two components, the second of which hangs; the running program, and what it sleeps for.
fn hanging(env: &Env) -> (Child, String) {
    let seconds = unique_seconds();
    let hangs = format!("echo going to sleep\ntrap '' INT TERM\n(setsid sleep {seconds} &)\nsleep {seconds}");
    env.write(
        "components/hangs.yaml",
        &component(&[("build", &[("First", "true"), ("Hang", &hangs), ("Never", "true")])]),
    );
    let mut child = env.start(&["test", "hangs", "--offline", "--root", &root(), "--progress", "plain"]);
    eventually("the step runs", || processes_with(&seconds).len() >= 2);
    // So that a full pipe never holds it up.
    let stderr = child.stderr.take().unwrap();
    std::thread::spawn(move || BufReader::new(stderr).lines().for_each(drop));
    (child, seconds)
}

fn interrupted() {
    let env = Env::new(&[]);
    let (mut child, seconds) = hanging(&env);
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{text}");
    assert!(text.contains("hangs@root-12  interrupted 1 step passed, 1 interrupted, 1 not run"), "{text}");
    assert_eq!(processes_with(&seconds), Vec::<String>::new());
    assert_eq!(env.trials(), 0, "folders are left");
}

fn killed() {
    let env = Env::new(&[("good", &component(&[("build", &[("Good", "true")])]))]);
    let (mut child, seconds) = hanging(&env);
    child.kill().unwrap();
    child.wait().unwrap();
    eventually("its processes end", || processes_with(&seconds).is_empty());
    assert!(env.trials() > 0, "a killed program cannot clean up");
    env.expect(0, &["test", "good", "--offline", "--root", &root()]);
    assert_eq!(env.trials(), 0, "what it left was not swept");
}

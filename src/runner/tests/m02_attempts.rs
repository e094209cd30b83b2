//! Matrix item 2: time limits, then attempts, then `onFailure`.

use super::*;
use crate::runner::execution::prepare;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::time::Duration;

#[test]
fn a_step_is_tried_as_often_as_it_may_be() {
    let count = "echo x >> count; test $(wc -l < count) -ge 3";
    let mut bench = bench();
    let summary = bench.steps(&[&bash("Flaky", count, ", maxAttempts: 3")]);
    assert_eq!((summary.status, summary.executed_step_count), (RunStatus::Success, 1));
    let attempts: Vec<u32> = bench
        .events
        .iter()
        .filter_map(|event| match event {
            RunEvent::StepStarted { attempt, .. } => Some(*attempt),
            _ => None,
        })
        .collect();
    assert_eq!(attempts, [1, 2, 3]);
    assert_eq!(bench.lines()[0], "amiforge: attempt 1 of 3 failed: exit code 1");
    fs::remove_file(bench.path("count")).unwrap();
    assert_eq!(bench.steps(&[&bash("Flaky", count, ", maxAttempts: 2")]).status, RunStatus::Failed);
}

/// Runs a helper of this file in a process of its own: a step out of time takes all processes along that were started
/// since it began, also those of other tests.
fn alone(helper: &str) {
    let directory = tempfile::tempdir().unwrap();
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("runner::tests::m02_attempts::{helper}"), "--nocapture"])
        .env("AMIFORGE_TEST_TIMEOUT", directory.path())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

/// A machine for a helper; none if it was not started by [`alone`].
fn helped() -> Option<Bench> {
    let directory = std::env::var("AMIFORGE_TEST_TIMEOUT").ok()?;
    Some(Bench { directory: tempfile::tempdir_in(directory).unwrap(), ..bench() })
}

/// Runs steps of which some have a time limit.
fn limited(bench: &mut Bench, steps: &str, limits: &[(usize, Duration)]) -> Summary {
    let request = bench.request(&[&document(steps)]);
    let (mut execution, mut world) = prepare(bench.directory.path(), &request, &mut bench.outside).unwrap();
    for (step, limit) in limits {
        execution.limit(*step, *limit);
    }
    let events = &mut bench.events;
    execution.run_and_clear(&mut world, &mut |event| events.push(event))
}

/// Not a test of its own: the other side of the next one.
#[test]
fn helper_run_out_of_time() {
    let Some(mut bench) = helped() else { return };
    let stubborn = "trap \"\" TERM; setsid sh -c \"trap \\\"\\\" TERM; echo \\$\\$ >> pids; tail -f /dev/null\" & \
                    (tail -f /dev/null & echo $! >> pids); echo $$ >> pids; echo started; tail -f /dev/null";
    let keep = bash("Daemon", "tail -f /dev/null & echo $! > daemon", "");
    let steps = keep
        + &bash("Hang", stubborn, ", onFailure: Continue")
        + &bash("Again", "tail -f /dev/null", ", maxAttempts: 2");
    // Long enough for a busy machine to start everything that must be killed.
    let limits = [(1, Duration::from_secs(2)), (2, Duration::from_millis(50))];
    let summary = limited(&mut bench, &steps, &limits);
    assert_eq!(summary.status, RunStatus::TimedOut);
    assert_eq!(summary.failed_step_count, 2);
    let failure = summary.failure.unwrap();
    assert_eq!(failure.message, "did not end within 2 seconds, so it was killed");
    assert!(failure.last_lines.contains(&"started".to_owned()));
    let timed_out = StepStatus::TimedOut;
    assert_eq!(bench.statuses()[1..], [("Hang".to_owned(), timed_out), ("Again".to_owned(), timed_out)]);
    assert!(matches!(bench.events.last(), Some(RunEvent::DocumentFinished { status: PhaseStatus::TimedOut, .. })));
    let pids = bench.read("pids");
    assert_eq!(pids.len(), 3, "{pids:?}");
    let attempts = |event: &&RunEvent| matches!(event, RunEvent::StepStarted { place, .. } if place.step == "Again");
    assert_eq!(bench.events.iter().filter(attempts).count(), 2);
    for pid in pids {
        assert!(kill(Pid::from_raw(pid.parse().unwrap()), None).is_err(), "{pid} is alive");
    }
    // What an earlier step left running is not of this step.
    let daemon = Pid::from_raw(bench.read("daemon")[0].parse().unwrap());
    kill(daemon, Signal::SIGKILL).unwrap();
}

#[test]
fn a_step_out_of_time_is_killed_with_all_it_has_started() {
    alone("helper_run_out_of_time");
}

/// Not a test of its own: the other side of the next one.
#[test]
fn helper_loop_out_of_time() {
    let Some(mut bench) = helped() else { return };
    let command = "echo {{ loop.value }} >> runs; test {{ loop.index }} = 0 || exec tail -f /dev/null";
    let steps = bash("Loop", command, ", maxAttempts: 2, loop: { forEach: [a, b, c] }, onFailure: Ignore")
        + &bash("Last", "echo end", "");
    let summary = limited(&mut bench, &steps, &[(0, Duration::from_secs(1))]);
    assert_eq!((summary.status, summary.ignored_failed_step_count), (RunStatus::Success, 1));
    // The limit is for all iterations of an attempt, and each attempt begins with the first one.
    assert_eq!(bench.read("runs"), ["a", "b", "a", "b"]);
    assert_eq!(
        bench.message("Loop"),
        "iteration 1 of the loop (\"b\"): did not end within 1 seconds, so it was killed"
    );
    let RunEvent::StepFinished { repeat, attempts, status, .. } = bench.finished("Loop") else { unreachable!() };
    let expected = LoopResult { name: "loop".into(), iterations: 3, succeeded: 1, failed: Some(1) };
    assert_eq!((repeat.as_ref(), *attempts, *status), (Some(&expected), 2, StepStatus::IgnoredFailure));
}

#[test]
fn the_time_limit_is_for_all_iterations_of_an_attempt() {
    alone("helper_loop_out_of_time");
}

#[test]
fn what_an_attempt_needs_is_told_with_it() {
    let mut bench = bench();
    let steps = bash("Limited", "true", ", timeoutSeconds: 60, maxAttempts: 2, onFailure: Ignore")
        + &bash("Endless", "true", ", timeoutSeconds: -1")
        + &bash("Plain", "true", "");
    bench.steps(&[&steps]);
    let started = |event: &RunEvent| match event {
        RunEvent::StepStarted { timeout_seconds, on_failure, max_attempts, .. } => {
            Some((*timeout_seconds, on_failure.clone(), *max_attempts))
        }
        _ => None,
    };
    let started: Vec<_> = bench.events.iter().filter_map(started).collect();
    assert_eq!(started, [(60, "Ignore".into(), 2), (-1, "Abort".into(), 1), (7200, "Abort".into(), 1)]);
}

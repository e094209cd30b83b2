//! Matrix item 3: reboots, saved state, and where the execution goes on.

use super::*;
use crate::runner::execution::MOST_REBOOTS;
use PhaseStatus as P;

#[test]
fn exit_194_reboots_and_runs_the_same_step_again() {
    let mut bench = bench();
    let text = document(
        &(bash("Before", "echo x >> before; echo secret", "")
            + &bash(
                "Again",
                "test -e marker && echo {{ build.Before.outputs.stdout }} || { touch marker; exit 194; }",
                "",
            )
            + &bash("After", "echo x >> after", "")),
    );
    let request = bench.request(&[&text]);
    let summary = bench.run(&request);
    assert_eq!((summary.status, summary.executed_step_count), (RunStatus::RebootRequired, 1));
    assert!(summary.failure.is_none() && summary.failure_message.is_empty());
    assert!(bench.path("state/test.json").exists());
    assert_eq!(bench.statuses().len(), 1);
    let summary = bench.run(&request);
    assert_eq!((summary.status, summary.executed_step_count), (RunStatus::Success, 3));
    assert_eq!(bench.lines(), ["secret"]);
    let lines = |name: &str| fs::read_to_string(bench.path(name)).unwrap().lines().count();
    assert_eq!((lines("before"), lines("after")), (1, 1));
    assert!(!bench.path("state/test.json").exists());
}

#[test]
fn reboot_goes_on_with_the_next_step() {
    let mut bench = bench();
    let text =
        document("- { name: Restart, action: Reboot, inputs: { delaySeconds: 0 } }\n- { name: Last, action: Reboot }");
    let request = bench.request(&[&text]);
    assert_eq!(bench.run(&request).status, RunStatus::RebootRequired);
    assert_eq!(bench.statuses(), [("Restart".to_owned(), StepStatus::Success)]);
    assert_eq!(bench.run(&request).status, RunStatus::RebootRequired);
    assert_eq!(bench.statuses(), [("Last".to_owned(), StepStatus::Success)]);
    let summary = bench.run(&request);
    assert_eq!((summary.status, summary.executed_step_count), (RunStatus::Success, 2));
}

#[test]
fn a_step_that_always_asks_for_a_reboot_fails_in_the_end() {
    let mut bench = bench();
    let text = document(&bash("Forever", "exit 194", ", maxAttempts: 2"));
    let request = bench.request(&[&text]);
    let runs = (0..40).take_while(|_| bench.run(&request).status == RunStatus::RebootRequired).count();
    assert_eq!(runs, MOST_REBOOTS as usize);
}

#[test]
fn a_state_of_other_documents_is_not_continued() {
    let mut bench = bench();
    let first = document(&bash("One", "exit 194", ""));
    let request = bench.request(&[&first]);
    bench.run(&request);
    let summary = bench.steps(&[&bash("Other", "touch ran", "")]);
    assert_eq!(summary.status, RunStatus::Failed);
    assert!(summary.failure_message.contains("belongs to other documents"), "{}", summary.failure_message);
    assert!(!bench.path("ran").exists());
}

#[test]
fn a_condition_is_not_asked_again_after_a_restart() {
    let mut bench = bench();
    let command = "echo x >> runs; test -e marker || { touch marker; exit 194; }";
    let text = document(&bash("Once", command, ", if: { not: { fileExists: marker } }"));
    let request = bench.request(&[&text]);
    assert_eq!(bench.run(&request).status, RunStatus::RebootRequired);
    let summary = bench.run(&request);
    assert_eq!((summary.status, summary.executed_step_count), (RunStatus::Success, 1));
    assert_eq!(bench.read("runs").len(), 2);
}

#[test]
fn a_reboot_is_not_an_attempt() {
    let mut bench = bench();
    let command = "echo x >> runs; case $(wc -l < runs) in 1) exit 1;; 2) exit 194;; 3) exit 1;; esac";
    let text = document(&bash("Flaky", command, ", maxAttempts: 3"));
    let request = bench.request(&[&text]);
    assert_eq!(bench.run(&request).status, RunStatus::RebootRequired);
    assert_eq!(bench.run(&request).status, RunStatus::Success);
    assert!(matches!(bench.finished("Flaky"), RunEvent::StepFinished { attempts: 3, .. }));
}

#[test]
fn an_iteration_that_asks_for_a_reboot_is_run_again_and_those_before_it_are_not() {
    let mut bench = bench();
    let command = "echo {{ loop.value }} >> runs; \
                   if test {{ loop.value }} = b -a ! -e marker; then touch marker; exit 194; fi; echo {{ loop.value }}";
    let steps = bash("Items", "echo a,b,c", "")
        + &bash("Loop", command, ", loop: { forEach: { list: \"{{ build.Items.outputs.stdout }}\" } }")
        + &bash("Last", "echo \"{{ build.Loop.outputs.stdout }}\" > last", "");
    let text = document(&steps);
    let request = bench.request(&[&text]);
    assert_eq!(bench.run(&request).status, RunStatus::RebootRequired);
    assert_eq!(bench.read("runs"), ["a", "b"]);
    assert_eq!(bench.run(&request).status, RunStatus::Success);
    assert_eq!(bench.read("runs"), ["a", "b", "b", "c"]);
    assert_eq!(bench.read("last"), ["a", "b", "c"], "what was done before the reboot is not lost");
    let RunEvent::StepFinished { repeat: Some(repeat), .. } = bench.finished("Loop") else { panic!() };
    assert_eq!((repeat.iterations, repeat.succeeded, repeat.failed), (3, 3, None));
}

#[test]
fn a_loop_of_reboots_reboots_as_often_as_it_says() {
    let mut bench = bench();
    let steps = "- { name: Restart, action: Reboot, loop: { for: { start: 1, end: 20, updateBy: 1 } } }\n".to_owned()
        + &bash("Last", "touch last", "");
    let text = document(&steps);
    let request = bench.request(&[&text]);
    let runs = (0..40).take_while(|_| bench.run(&request).status == RunStatus::RebootRequired).count();
    assert_eq!((runs, bench.path("last").exists()), (20, true));
}

#[test]
fn phases_and_documents_go_on_where_they_were() {
    let mut bench = bench();
    let first = document(&(bash("Fail", "exit 1", ", onFailure: Continue") + "- { name: Restart, action: Reboot }\n"))
        + &phase("validate", &bash("Check", "true", ""));
    let request = bench.request(&[&first, &document(&bash("Other", "true", ""))]);
    assert_eq!(bench.run(&request).status, RunStatus::RebootRequired);
    let begun = |event: &RunEvent| match event {
        RunEvent::DocumentStarted { document, .. } => Some(document.clone()),
        RunEvent::PhaseStarted { phase, .. } => Some(phase.clone()),
        _ => None,
    };
    assert_eq!(bench.events.iter().filter_map(begun).collect::<Vec<_>>(), ["doc0", "build"]);
    let summary = bench.run(&request);
    assert_eq!((summary.status, summary.failed_step_count, summary.executed_step_count), (RunStatus::Failed, 1, 4));
    assert_eq!(
        bench.events.iter().filter_map(begun).collect::<Vec<_>>(),
        ["doc0", "build", "validate", "doc1", "build"]
    );
    let ended = |event: &RunEvent| match event {
        RunEvent::PhaseFinished { status, .. } | RunEvent::DocumentFinished { status, .. } => Some(*status),
        _ => None,
    };
    // The failure before the restart still counts.
    let expected = [P::Failed, P::Success, P::Failed, P::Success, P::Success];
    assert_eq!(bench.events.iter().filter_map(ended).collect::<Vec<_>>(), expected);
}

#[test]
fn a_restart_without_saved_state_is_a_failure_and_not_a_reboot() {
    let mut bench = bench();
    // A file where the folder of the state would be.
    let text = document(&(bash("Restart", "touch state; exit 194", "") + &bash("Last", "touch last", "")));
    let request = bench.request(&[&text]);
    let summary = bench.run(&request);
    assert_eq!(summary.status, RunStatus::Failed);
    assert!(bench.message("Restart").contains("the saved state"), "{}", bench.message("Restart"));
    assert!(!bench.path("last").exists());
    fs::remove_file(bench.path("state")).unwrap();
    let text = document(&(bash("Break", "touch state", "") + "- { name: Restart, action: Reboot }\n"));
    let request = bench.request(&[&text]);
    let summary = bench.run(&request);
    assert_eq!((summary.status, summary.executed_step_count, summary.failed_step_count), (RunStatus::Failed, 2, 1));
}

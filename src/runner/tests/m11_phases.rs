//! Matrix item 11: which phases run, and in which order.

use super::*;

fn three() -> String {
    document(&bash("One", "echo build >> ran", ""))
        + &phase("validate", &bash("Two", "echo validate >> ran", ""))
        + &phase("custom-phase", &bash("Three", "echo custom >> ran", ""))
}

#[test]
fn the_order_of_the_document_decides() {
    let mut bench = bench();
    let mut request = bench.request(&[&three()]);
    request.phases = vec!["validate".into(), "build".into()];
    assert_eq!(bench.run(&request).status, RunStatus::Success);
    assert_eq!(bench.read("ran"), ["build", "validate"]);
}

#[test]
fn no_phases_are_all_phases() {
    let mut bench = bench();
    let mut request = bench.request(&[&three()]);
    request.phases = vec![];
    assert_eq!(bench.run(&request).executed_step_count, 3);
    assert_eq!(bench.read("ran"), ["build", "validate", "custom"]);
}

#[test]
fn a_phase_that_no_document_has_succeeds_with_no_steps() {
    let mut bench = bench();
    let mut request = bench.request(&[&three()]);
    request.phases = vec!["absent".into()];
    let summary = bench.run(&request);
    assert_eq!((summary.status, summary.executed_step_count), (RunStatus::Success, 0));
    assert!(!bench.path("ran").exists());
    let ended = |event: &RunEvent| matches!(event, RunEvent::DocumentFinished { status: PhaseStatus::Success, .. });
    assert!(bench.events.iter().any(ended));
}

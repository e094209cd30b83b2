//! Every format over the same report: a trial that passed, one with every kind of step, one of a recipe that cannot be run
//! here, one that came to no result, one that was never begun.

use super::*;
use crate::diagnostic::{Diagnostic, SourceFile, Span};
use crate::trial::result::tests::trial;
use crate::trial::{Fact, Kind, Left, Outcome, Reason, Report, StepResult};

const TEXT: &str =
    "name: motd\nphases:\n  - name: build\n    steps:\n      - name: Write\n        action: ExecuteBash\n";

fn span() -> Span {
    let start = TEXT.find("Write").unwrap();
    Span::new(start, start + "Write".len())
}

fn step(step: &str, status: Status) -> StepResult {
    StepResult {
        document: "motd".into(),
        phase: "build".into(),
        step: step.into(),
        action: "ExecuteBash".into(),
        file: "components/motd.yaml".into(),
        line: 5,
        status,
        seconds: 0.25,
        attempts: u32::from(status != Status::NotRun),
        max_attempts: 2,
        message: None,
        last_lines: vec![],
        span: span(),
    }
}

fn facts() -> Vec<Fact> {
    vec![
        Fact { name: "kernel", real: false, why: "the kernel is this machine's".into() },
        Fact { name: "init", real: true, why: "process 1 is the image's systemd".into() },
    ]
}

fn failed() -> TrialResult {
    let source = SourceFile::new("components/motd.yaml", TEXT);
    let lines = vec!["one <two> & ]]>".to_owned(), "``` \u{1b}[31mred".to_owned()];
    let message = "step `Write` of phase `build` failed: exit code 3";
    let mut step_failed = step("Write", Status::Failed);
    step_failed.attempts = 2;
    step_failed.message = Some("exit code 3".into());
    step_failed.last_lines.clone_from(&lines);
    let mut ignored = step("Tolerated", Status::Ignored);
    ignored.message = Some("exit code 1".into());
    let mut skipped = step("OnlyOnRpm", Status::Skipped);
    skipped.message = Some("its `if` is not fulfilled".into());
    let next = "look at it where it failed: amiforge shell motd@debian-13".to_owned();
    let diagnostic = Diagnostic::error("E010", message)
        .at(&source, span(), "motd on debian-13, attempt 2 of 2")
        .note(format!("the last it wrote:\n| {}\n| {}", lines[0], lines[1]))
        .help(next.clone());
    TrialResult {
        steps: vec![step("First", Status::Passed), ignored, skipped, step_failed, step("Never", Status::NotRun)],
        facts: facts(),
        reason: Some(Reason { message: message.into(), step: Some(3), diagnostic, next: vec![next], exit: 6 }),
        left: Some(Left {
            name: "motd@debian-13".into(),
            enter: "amiforge shell motd@debian-13".into(),
            folder: "/p/.amiforge/kept/_motd@debian-13".into(),
        }),
        ..trial("motd@debian-13", Outcome::Failed)
    }
}

fn report() -> Report {
    let passed = TrialResult {
        steps: vec![step("First", Status::Passed)],
        facts: facts(),
        ..trial("motd@debian-12", Outcome::Passed)
    };
    let why = "its `parent` has no `local` root; give one: amiforge test rhel-9 --root rhel-9=FOLDER";
    let elsewhere = TrialResult {
        kind: Kind::Recipe,
        notes: vec![why.into()],
        seconds: 0.0,
        ..trial("rhel-9@rhel-9", Outcome::Skipped)
    };
    let message = "the root could not be made: no mirror";
    let diagnostic = Diagnostic::error("E011", format!("web@debian-12: {message}"));
    let broken = TrialResult {
        reason: Some(Reason { message: message.into(), step: None, diagnostic, next: vec![], exit: 1 }),
        ..trial("web@debian-12", Outcome::Error)
    };
    let trials = vec![passed, failed(), elsewhere, broken, trial("last@debian-12", Outcome::NotRun)];
    Report { started: "2026-01-02T03:04:05Z".into(), seconds: 3.5, trials, interrupted: false }
}

#[test]
fn text_for_people() {
    insta::assert_snapshot!(text(&report(), false));
}

#[test]
fn json_for_programs() {
    insta::assert_snapshot!(json(&report()));
}

#[test]
fn ndjson_for_who_cannot_wait() {
    let report = report();
    let lines: String = report.trials.iter().map(ndjson_trial).chain([ndjson_end(&report)]).collect();
    let parsed: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(parsed.len(), report.trials.len() + 1);
    assert!(parsed.iter().all(|line| line["schema"] == "amiforge.test/1"));
    let last = parsed.last().unwrap();
    assert_eq!((&last["event"], &last["passed"], &last["exit"]), (&"end".into(), &false.into(), &6.into()));
    let whole: serde_json::Value = serde_json::from_str(&json(&report)).unwrap();
    for (line, trial) in parsed.iter().zip(whole["trials"].as_array().unwrap()) {
        assert_eq!((&line["event"], &line["reason"]), (&"trial".into(), &trial["reason"]));
        assert_eq!(line["steps"], trial["steps"]);
    }
}

#[test]
fn junit_for_pipelines() {
    insta::assert_snapshot!(junit(&report()));
}

#[test]
fn markdown_for_summaries() {
    insta::assert_snapshot!(markdown(&report()));
}

#[test]
fn what_a_step_wrote_cannot_end_its_frame_nor_reach_the_terminal() {
    let report = report();
    assert!(markdown(&report).contains("````text\n"), "the fence is longer than what was written");
    for drawn in [text(&report, false), junit(&report), markdown(&report)] {
        assert!(!drawn.contains('\u{1b}'));
    }
}

#[test]
fn nothing_that_was_not_run_looks_like_a_pass() {
    let report = Report { trials: vec![], ..report() };
    assert!(text(&report, false).ends_with("no trial; 0 steps executed in 3.5 s\n"));
    assert!(markdown(&report).starts_with("## amiforge test: did not pass"));
    assert!(json(&report).contains("\"passed\": false"));
    let suites = junit(&super::tests::report());
    assert_eq!(suites.matches("<testsuite ").count(), 5);
    assert!(!suites.contains("tests=\"0\""), "a suite without a case: {suites}");
}

use super::super::junit::{JunitReport, Machine};
use super::*;
use crate::runner::model::{LoopResult, PhaseStatus, RunStatus, StepFailure, StepPlace, StepStatus, Stream, Summary};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use tempfile::TempDir;

/// A clock that goes on by a second each time it is looked at.
fn clock() -> Clock {
    let seconds = AtomicI64::new(1_596_196_630); // 2020-07-31 11:57:10
    Clock::ticking(move || OffsetDateTime::from_unix_timestamp(seconds.fetch_add(1, Ordering::SeqCst)).unwrap())
}

fn place(phase: &str, step: &str, action: &str) -> StepPlace {
    StepPlace { document: "doc.yaml".into(), phase: phase.into(), step: step.into(), action: action.into(), line: 7 }
}

fn started(place: &StepPlace, attempt: u32) -> RunEvent {
    let (on_failure, max_attempts) = ("Abort".into(), 2);
    RunEvent::StepStarted { place: place.clone(), attempt, timeout_seconds: 7200, on_failure, max_attempts }
}

fn finished(place: &StepPlace, status: StepStatus, message: Option<&str>) -> RunEvent {
    RunEvent::StepFinished {
        place: place.clone(),
        status,
        seconds: 1.5,
        message: message.map(str::to_owned),
        attempts: 1,
        last_lines: vec!["E: no such \u{1b}[31mpackage".into()],
        inputs: vec![json!({"commands": ["echo hi"]})],
        outputs: vec![json!({"stdout": "hi"})],
        repeat: Some(LoopResult { name: "loop".into(), iterations: 3, succeeded: 1, failed: Some(1) }),
    }
}

fn output(stream: Stream, line: &str) -> RunEvent {
    RunEvent::Output { stream, line: line.into() }
}

fn summary(status: RunStatus, failure: Option<StepFailure>) -> RunEvent {
    let summary = Summary {
        execution_id: "e-1".into(),
        status,
        failed_step_count: 1,
        executed_step_count: 2,
        ignored_failed_step_count: 0,
        skipped_step_count: 0,
        failure_message: "Document doc.yaml failed!".into(),
        failure,
    };
    RunEvent::Finished { summary }
}

fn failure() -> StepFailure {
    StepFailure {
        document: "arn:aws:imagebuilder:eu-west-1:1:component/x/1.0.0/1".into(),
        phase: "build".into(),
        step: "Two".into(),
        action: "ExecuteBash".into(),
        line: 7,
        message: "exit code 100".into(),
        last_lines: vec!["E: no such package".into()],
    }
}

/// A run as the runner tells it: one good step, a nested document, a failing step.
fn run() -> Vec<RunEvent> {
    let (one, nest, two) = (
        place("build", "One", "ExecuteBash"),
        place("build", "Nest", "ExecuteDocument"),
        place("build", "Two", "ExecuteBash"),
    );
    let inner = StepPlace { document: "child.yaml".into(), ..place("build", "Inner", "CreateFile") };
    let nested = |event| RunEvent::Nested { event: Box::new(event) };
    vec![
        RunEvent::DocumentStarted { document: "doc.yaml".into(), description: "What it does".into() },
        RunEvent::PhaseStarted { document: "doc.yaml".into(), phase: "build".into() },
        started(&one, 1),
        RunEvent::Substituted { expression: "Version".into(), value: "1.4.2".into() },
        output(Stream::Stdout, "hello"),
        finished(&one, StepStatus::Success, None),
        started(&nest, 1),
        nested(RunEvent::DocumentStarted { document: "child.yaml".into(), description: String::new() }),
        nested(RunEvent::PhaseStarted { document: "child.yaml".into(), phase: "build".into() }),
        nested(started(&inner, 1)),
        nested(finished(&inner, StepStatus::Success, None)),
        nested(RunEvent::PhaseFinished {
            document: "child.yaml".into(),
            phase: "build".into(),
            status: PhaseStatus::Success,
            message: None,
        }),
        nested(RunEvent::DocumentFinished {
            document: "child.yaml".into(),
            status: PhaseStatus::Success,
            message: None,
        }),
        nested(summary(RunStatus::Success, None)),
        finished(&nest, StepStatus::Success, None),
        started(&two, 1),
        output(Stream::Stderr, "E: no such package"),
        finished(&two, StepStatus::Failed, Some("exit code 100")),
        RunEvent::PhaseFinished {
            document: "doc.yaml".into(),
            phase: "build".into(),
            status: PhaseStatus::Failed,
            message: Some("step Two failed".into()),
        },
        RunEvent::DocumentFinished {
            document: "doc.yaml".into(),
            status: PhaseStatus::Failed,
            message: Some("phase build failed".into()),
        },
        summary(RunStatus::Failed, Some(failure())),
    ]
}

struct Bench {
    folder: TempDir,
    recorder: Recorder,
}

fn documents() -> Vec<DocumentRequest> {
    vec![DocumentRequest {
        name: "doc.yaml".into(),
        text: "schemaVersion: 1.0\n".into(),
        parameters: BTreeMap::default(),
    }]
}

fn bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::create(&folder.path().join("log"), "e-1", &documents(), &clock()).unwrap();
    Bench { folder, recorder }
}

impl Bench {
    fn record(&mut self, events: &[RunEvent]) -> Vec<Said> {
        events.iter().flat_map(|event| self.recorder.event(event)).collect()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join("log").join(name)).unwrap()
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }
}

#[test]
fn the_folder_is_named_as_awstoe_names_it() {
    let at = time::macros::datetime!(2020-07-31 13:57:10 +2);
    assert_eq!(folder_name(at, "f707fdba"), "TOE_2020-07-31_11-57-10_UTC-0_f707fdba");
}

#[test]
fn the_console_reads_like_awstoes() {
    let mut bench = bench();
    let said = bench.record(&run());
    insta::assert_snapshot!("console", bench.read("console.log"));
    let complaints: Vec<&str> = said.iter().filter(|said| said.complaint).map(|said| said.text.as_str()).collect();
    assert_eq!(complaints[0], "Document: arn:aws:imagebuilder:eu-west-1:1:component/x/1.0.0/1");
    assert_eq!(complaints.last(), Some(&"E: no such package"));
}

#[test]
fn the_tree_has_awstoes_form() {
    let mut bench = bench();
    bench.record(&run());
    let tree = bench.json("detailedoutput.json");
    insta::assert_snapshot!("detail", format!("{tree:#}"));
    // Strings that hold JSON arrays.
    let step = &tree["documents"][0]["phases"][0]["steps"][0];
    let inputs: Vec<Value> = serde_json::from_str(step["inputs"].as_str().unwrap()).unwrap();
    assert_eq!(inputs[0]["commands"][0], "echo hi");
    let outputs: Vec<Value> = serde_json::from_str(step["outputs"].as_str().unwrap()).unwrap();
    assert_eq!(outputs[0]["stdout"], "hi");
}

#[test]
fn expressions_and_documents_are_kept() {
    let mut bench = bench();
    bench.record(&run());
    let chaining = bench.json("chaining.json");
    assert_eq!(chaining["schema"], "amiforge/chaining/1");
    assert_eq!(
        chaining["substitutions"],
        json!([{"document": "doc.yaml", "phase": "build", "step": "One", "expression": "Version", "value": "1.4.2"}])
    );
    assert_eq!(bench.read("document.yaml"), "schemaVersion: 1.0\n");
    let log = bench.read("application.log");
    assert!(log.lines().all(|line| line.contains(" Debug {\"type\":")), "{log}");
    assert!(!log.contains("hello"), "the output is in the console only");
    assert_eq!(bench.recorder.fault(), None);
}

#[test]
fn several_documents_are_one_stream() {
    let document = |name: &str, text: &str| DocumentRequest {
        name: name.into(),
        text: text.into(),
        parameters: BTreeMap::default(),
    };
    let text = stream(&[document("a", "---\nx: 1"), document("b", "y: 2\n")]);
    assert_eq!(text, "---\n# a\nx: 1\n---\n# b\ny: 2\n");
}

#[test]
fn a_run_that_is_cut_off_leaves_what_happened() {
    let mut bench = bench();
    let one = place("build", "One", "ExecuteBash");
    bench.record(&[started(&one, 1), output(Stream::Stdout, "hello"), finished(&one, StepStatus::Success, None)]);
    bench.record(&[started(&place("build", "Two", "ExecuteBash"), 1), output(Stream::Stdout, "half")]);
    assert!(bench.read("console.log").ends_with("Info Stdout: half\n"));
    let tree = bench.json("detailedoutput.json");
    assert_eq!(
        (&tree["status"], &tree["documents"][0]["phases"][0]["steps"][0]["status"]),
        (&json!("interrupted"), &json!("success"))
    );
    // Whoever has cut it off may say why.
    bench.recorder.broken("the instance was terminated");
    let tree = bench.json("detailedoutput.json");
    assert_eq!((&tree["status"], &tree["failureMessage"]), (&json!("failed"), &json!("the instance was terminated")));
    assert_eq!(tree["documents"][0]["phases"][0]["steps"][1]["status"], "interrupted");
    assert!(bench.read("console.log").ends_with("Info the instance was terminated\n"));
}

#[test]
fn a_step_that_runs_again_is_told_once_and_a_restart_is_not_the_end() {
    let mut bench = bench();
    let one = place("build", "One", "ExecuteBash");
    bench.record(&[started(&one, 1), summary(RunStatus::RebootRequired, None)]);
    assert_eq!(bench.json("detailedoutput.json")["status"], "interrupted");
    bench.record(&[started(&one, 2), finished(&one, StepStatus::Success, None), summary(RunStatus::Success, None)]);
    let tree = bench.json("detailedoutput.json");
    assert_eq!(tree["status"], "success");
    let steps = tree["documents"][0]["phases"][0]["steps"].as_array().unwrap();
    assert_eq!(steps.len(), 1);
    assert_eq!((&steps[0]["startTime"], &steps[0]["status"]), (&tree["startTime"], &json!("success")));
    let console = bench.read("console.log");
    assert!(console.contains("Info Rebooting the system now\n") && console.contains("Info Executor: attempt 2\n"));
}

#[test]
fn a_record_that_cannot_be_written_does_not_end_the_run() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    assert!(Recorder::create(&folder.path().join("file/log"), "e", &[], &clock()).is_err());
    let mut recorder = Recorder::nowhere(&folder.path().join("none"), "e", &clock());
    assert!(run().iter().flat_map(|event| recorder.event(event)).any(|said| said.text == "Step One"));
    assert!(!folder.path().join("none").exists());
    // A folder that goes away in the middle.
    let mut bench = bench();
    fs::remove_dir_all(bench.folder.path().join("log")).unwrap();
    bench.record(&run());
    assert!(bench.recorder.fault().unwrap().starts_with("detailedoutput.json: "), "{:?}", bench.recorder.fault());
}

#[test]
fn junit_has_a_suite_for_each_phase_and_a_case_for_each_step() {
    let mut report = JunitReport::new("e-1");
    for event in run() {
        report.event(&event);
    }
    let skipped = place("validate", "Skip", "Assert");
    report.event(&started(&skipped, 1));
    report.event(&finished(&skipped, StepStatus::Skipped, Some("`if` is false")));
    report.event(&started(&place("validate", "Cut", "ExecuteBash"), 1));
    let machine = Machine { hostname: "host".into(), os: "Debian 12".into() };
    let xml = report.xml(&machine);
    insta::with_settings!({filters => vec![(r#"uuid="[0-9a-f-]+""#, r#"uuid="…""#), (r#"timestamp="[^"]+""#, r#"timestamp="…""#)]}, {
        insta::assert_snapshot!("junit", xml);
    });
}

#[test]
fn junit_of_nothing_is_no_pass() {
    let machine = Machine { hostname: "host".into(), os: "os".into() };
    let xml = JunitReport::new("e").xml(&machine);
    assert!(xml.contains("errors=\"1\"") && xml.contains("no step ran"), "{xml}");
    let mut refused = JunitReport::new("e");
    refused.event(&summary(RunStatus::Failed, None));
    assert!(refused.xml(&machine).contains("Document doc.yaml failed!"));
    let mut broken = JunitReport::new("e");
    broken.broken("killed");
    assert!(broken.xml(&machine).contains("<error message=\"killed\">"), "{}", broken.xml(&machine));
}

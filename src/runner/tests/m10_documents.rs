//! Matrix item 10: documents inside of documents.

use super::*;

fn include(name: &str, document: &str, more: &str) -> String {
    format!("- {{ name: {name}, action: ExecuteDocument, inputs: {{ document: {document}{more} }} }}\n")
}

/// A chain of files: `level1.yaml` executes `level2.yaml`, and so on; the last one makes a file.
fn chain(bench: &Bench, length: usize) {
    for level in 1..=length {
        let next = format!("level{}.yaml", level + 1);
        let step = if level == length { bash("Touch", "touch reached", "") } else { include("Next", &next, "") };
        bench.write(&format!("level{level}.yaml"), &document(&step));
    }
}

#[test]
fn four_documents_on_a_path_are_taken_and_five_are_refused() {
    for (below, reached) in [(3, true), (4, false)] {
        let mut bench = bench();
        chain(&bench, below);
        let summary = bench.steps(&[&include("First", "level1.yaml", "")]);
        assert_eq!(bench.path("reached").exists(), reached, "{}", summary.failure_message);
        assert_eq!(summary.status == RunStatus::Success, reached);
        if !reached {
            let expected = "level4.yaml would be nested 4 deep; documents can be nested 3 deep below the first one";
            assert!(summary.failure_message.ends_with(expected), "{}", summary.failure_message);
        }
    }
}

#[test]
fn a_document_that_includes_itself_or_what_is_around_it_fails() {
    let mut bench = bench();
    let folder = bench.directory.path().to_str().unwrap().to_owned();
    bench.write("self.yaml", &document(&include("Again", &format!("{folder}/self.yaml"), "")));
    let summary = bench.steps(&[&include("First", "self.yaml", "")]);
    let message = summary.failure_message;
    assert!(message.contains("is the document self.yaml, which is being executed"), "{message}");
    bench.write("one.yaml", &document(&include("Two", "two.yaml", "")));
    bench.write("two.yaml", &document(&include("One", &format!("{folder}/link.yaml"), "")));
    std::os::unix::fs::symlink(bench.path("one.yaml"), bench.path("link.yaml")).unwrap();
    let message = bench.steps(&[&include("First", "one.yaml", "")]).failure_message;
    assert!(message.contains("is the document one.yaml, which is being executed"), "{message}");
    // The first document has no path here, but the same text.
    let top = document(&include("Top", "top.yaml", ""));
    bench.write("top.yaml", &top);
    let request = bench.request(&[&top]);
    let message = bench.run(&request).failure_message;
    assert!(message.contains("is the document doc0"), "{message}");
}

#[test]
fn one_document_can_be_executed_many_times_in_a_row() {
    let mut bench = bench();
    let child = format!(
        "parameters: [{{ Who: {{ type: string }} }}]\n{}",
        document(&bash("Say", "echo {{ Who }} >> said", ""))
    );
    bench.write("child.yaml", &child);
    let steps = "- { name: Each, action: ExecuteDocument, loop: { forEach: [a, b] }, \
                 inputs: { document: child.yaml, parameters: [{ name: Who, value: '{{ loop.value }}' }] } }\n";
    let summary = bench.steps(&[steps]);
    assert_eq!((summary.status, summary.executed_step_count), (RunStatus::Success, 1), "{}", summary.failure_message);
    assert_eq!(bench.read("said"), ["a", "b"]);
    let ids = |event: &RunEvent| match event {
        RunEvent::Finished { summary } => Some(summary.execution_id.clone()),
        _ => None,
    };
    assert_eq!(inside(&bench.events).iter().filter_map(ids).collect::<Vec<_>>(), ["test.1", "test.2"]);
}

#[test]
fn phases_can_be_chosen_and_the_summary_is_the_output() {
    let mut bench = bench();
    let child = document(&bash("Build", "echo build >> ran", ""))
        + &phase("validate", &(bash("Check", "echo validate >> ran; exit 1", ", onFailure: Ignore")))
        + &phase("custom-phase", &bash("Own", "echo custom >> ran", ""));
    bench.write("child.yaml", &child);
    let steps = include("Some", "child.yaml", ", phases: 'custom-phase, validate'")
        + &include("None", "child.yaml", ", phases: absent")
        + &include("All", "child.yaml", "")
        + &bash(
            "Use",
            "echo {{ build.Some.outputs[0].status }} {{ build.Some.outputs.executedStepCount }} {{ build.None.outputs.executedStepCount }}",
            "",
        );
    let summary = bench.steps(&[&steps]);
    assert_eq!(summary.status, RunStatus::Success, "{}", summary.failure_message);
    assert_eq!(bench.read("ran"), ["validate", "custom", "build", "validate", "custom"], "document order");
    assert_eq!(bench.lines().last().map(String::as_str), Some("success 2 0"));
    assert_eq!(
        bench.told("Some").1,
        r#"[{"executedStepCount":2,"executionId":"test.1","failedStepCount":0,"failureMessage":"","ignoredFailedStepCount":1,"logUrl":"","status":"success"}]"#
    );
    assert_eq!(
        (summary.executed_step_count, summary.ignored_failed_step_count),
        (4, 0),
        "the others are counted inside"
    );
}

#[test]
fn what_happens_inside_is_told_inside() {
    let mut bench = bench();
    chain(&bench, 2);
    bench.steps(&[&include("First", "level1.yaml", "")]);
    let one = inside(&bench.events);
    let two = inside(&one);
    assert!(matches!(&one[0], RunEvent::DocumentStarted { document, .. } if document == "level1.yaml"));
    assert!(matches!(&two[0], RunEvent::DocumentStarted { document, .. } if document == "level2.yaml"));
    assert!(matches!(one.last(), Some(RunEvent::Finished { summary }) if summary.execution_id == "test.1"));
    assert!(matches!(two.last(), Some(RunEvent::Finished { summary }) if summary.execution_id == "test.1.1"));
    assert!(matches!(bench.events.last(), Some(RunEvent::Finished { summary }) if summary.execution_id == "test"));
    let places = two.iter().any(|event| matches!(event, RunEvent::StepFinished { place, .. } if place.line == 5));
    assert!(places, "lines are those of the file itself");
}

#[test]
fn a_failure_inside_is_a_failure_of_the_step_with_the_lines_of_the_inner_one() {
    let mut bench = bench();
    bench.write("child.yaml", &document(&bash("Inner", "echo because; exit 5", "")));
    let steps = include("Outer", "child.yaml", "").replace(" } }\n", " }, onFailure: Continue }\n")
        + &bash("Use", "echo \"[{{ build.Outer.outputs.status }}]\"", "");
    let summary = bench.steps(&[&steps]);
    assert_eq!((summary.status, summary.failed_step_count, summary.executed_step_count), (RunStatus::Failed, 1, 2));
    let failure = summary.failure.unwrap();
    assert_eq!((failure.step.as_str(), failure.line, failure.last_lines), ("Outer", 5, vec!["because".to_owned()]));
    let expected = "Document child.yaml failed! Step Inner of phase build (ExecuteBash): exit code 5";
    assert_eq!(failure.message, expected);
    assert!(bench.told("Outer").1.contains(r#""status":"failed""#), "{}", bench.told("Outer").1);
    assert_eq!(bench.lines().last().map(String::as_str), Some("[]"));
}

#[test]
fn a_restart_inside_goes_on_inside() {
    let mut bench = bench();
    let inner = document(
        &(bash("Before", "echo before >> ran", "")
            + &bash("Again", "echo again >> ran; test -e marker || { touch marker; exit 194; }", "")
            + "- { name: Restart, action: Reboot }\n"
            + &bash("After", "echo after >> ran", "")),
    );
    bench.write("inner.yaml", &inner);
    bench.write(
        "middle.yaml",
        &document(&(include("Inner", "inner.yaml", "") + &bash("Behind", "echo middle >> ran", ""))),
    );
    let text = document(&(bash("First", "echo first >> ran", "") + &include("Middle", "middle.yaml", "")));
    let request = bench.request(&[&text]);
    assert_eq!(bench.run(&request).status, RunStatus::RebootRequired);
    // What is executed is what was read, whatever becomes of the file.
    bench.write("inner.yaml", "gone");
    assert_eq!(bench.run(&request).status, RunStatus::RebootRequired);
    let summary = bench.run(&request);
    assert_eq!((summary.status, summary.executed_step_count), (RunStatus::Success, 2), "{}", summary.failure_message);
    assert_eq!(bench.read("ran"), ["first", "before", "again", "again", "after", "middle"]);
    assert!(bench.told("Middle").1.contains(r#""executedStepCount":2"#));
    assert!(!bench.path("state/test.json").exists());
}

#[test]
fn a_restart_inside_of_a_loop_goes_on_in_that_iteration() {
    let mut bench = bench();
    let command = "echo {{ Who }} >> ran; test -e m{{ Who }} || { touch m{{ Who }}; exit 194; }";
    let child = format!("parameters: [{{ Who: {{ type: string }} }}]\n{}", document(&bash("Again", command, "")));
    bench.write("child.yaml", &child);
    let text = document(
        "- { name: Each, action: ExecuteDocument, loop: { forEach: [a, b] }, \
         inputs: { document: child.yaml, parameters: [{ name: Who, value: '{{ loop.value }}' }] } }\n",
    );
    let request = bench.request(&[&text]);
    assert_eq!(bench.run(&request).status, RunStatus::RebootRequired);
    assert_eq!(bench.run(&request).status, RunStatus::RebootRequired);
    let summary = bench.run(&request);
    assert_eq!((summary.status, summary.executed_step_count), (RunStatus::Success, 1), "{}", summary.failure_message);
    assert_eq!(bench.read("ran"), ["a", "a", "b", "b"]);
    assert!(bench.told("Each").1.contains(r#""executionId":"test.1\ntest.2""#), "{}", bench.told("Each").1);
}

#[test]
fn a_document_is_checked_when_its_turn_comes() {
    let mut bench = bench();
    bench.write("bad.yaml", "schemaVersion: 1.0\nphases: []\n");
    bench.write(
        "windows.yaml",
        &document("- { name: Windows, action: ExecutePowerShell, inputs: { commands: [dir] } }\n"),
    );
    bench.write(
        "refused.yaml",
        &document("- { name: Match, action: Assert, inputs: { patternMatches: '(?=a)', value: a } }\n"),
    );
    bench.write(
        "needs.yaml",
        &format!("parameters: [{{ Must: {{ type: string }} }}]\n{}", document(&bash("Say", "true", ""))),
    );
    fs::write(bench.path("binary.yaml"), b"\xff\xfe").unwrap();
    nix::unistd::mkfifo(&bench.path("pipe.yaml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    for (document, more, expected) in [
        ("bad.yaml", "", "error[D003]"),
        ("windows.yaml", "", "error[E001]: ExecutePowerShell cannot be executed on Linux"),
        ("refused.yaml", "", "error[C006]"),
        ("needs.yaml", "", "neither a value nor a default: Must"),
        ("needs.yaml", ", parameters: [{ name: Must, value: a }, { name: More, value: b }]", "component: More"),
        ("none.yaml", "", "cannot read the document none.yaml: No such file"),
        ("binary.yaml", "", "cannot read the document binary.yaml: stream did not contain valid UTF-8"),
        ("pipe.yaml", "", "cannot read the document pipe.yaml: it is not a file"),
        ("DIR", "", "it is not a file"),
        (
            "s3://bucket/none.yaml",
            "",
            "cannot read the document s3://bucket/none.yaml: s3://bucket/none.yaml is not in the table",
        ),
    ] {
        let summary = bench.steps(&[&(bash("First", "touch ran", "") + &include("Include", document, more))]);
        let failure = summary.failure.unwrap();
        assert!(failure.message.contains(expected), "{document}: {}", failure.message);
        assert!(bench.path("ran").exists(), "the document around it was fine");
    }
}

#[test]
fn documents_beyond_the_machine_are_asked_for() {
    let mut bench = bench();
    let arn = "arn:aws:imagebuilder:us-east-1:111122223333:component/hello/1.0.0/1";
    bench.outside.documents.insert(arn.into(), document(&bash("Arn", "echo arn", "")));
    bench.outside.documents.insert("s3://bucket/key.yaml111122223333".into(), document(&bash("Key", "echo s3", "")));
    let steps = include("Arn", arn, "")
        + &include("Key", "s3://bucket/key.yaml", ", document-s3-bucket-owner: \"111122223333\"");
    assert_eq!(bench.steps(&[&steps]).status, RunStatus::Success);
    assert_eq!(lines(&inside(&bench.events)), ["arn", "s3"]);
}

#[test]
fn nothing_is_told_of_what_a_quiet_step_executes() {
    let mut bench = bench();
    bench.write("child.yaml", &document(&bash("Inner", "echo hidden; exit 1", "")));
    let steps = include("Outer", "child.yaml", "").replace(" } }\n", " }, disableLogging: true }\n");
    let summary = bench.steps(&[&steps]);
    assert_eq!((summary.status, summary.failure.unwrap().last_lines), (RunStatus::Failed, vec![]));
    assert!(!bench.heard().contains("hidden"));
}

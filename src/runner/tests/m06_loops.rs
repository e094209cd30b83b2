//! Matrix item 6: loops over ranges, lists and texts that are split.

use super::*;

/// Runs a loop that prints its index and value.
fn looped(repeat: &str) -> Vec<String> {
    let mut bench = bench();
    let steps = format!(
        "- {{ name: Loop, action: ExecuteBinary, loop: {repeat}, inputs: {{ path: echo, arguments: ['{{{{ loop.index }}}}={{{{ loop.value }}}}'] }} }}\n"
    );
    let summary = bench.steps(&[&steps]);
    assert_eq!(summary.status, RunStatus::Success, "{repeat}: {}", summary.failure_message);
    bench.lines()
}

#[test]
fn ranges_include_both_ends_and_may_run_backwards() {
    for (range, expected) in [
        ("start: 0, end: 3, updateBy: 1", &["0=0", "1=1", "2=2", "3=3"][..]),
        ("start: 3, end: -3, updateBy: -3", &["0=3", "1=0", "2=-3"]),
        ("start: 1, end: 6, updateBy: 2", &["0=1", "1=3", "2=5"]),
        ("start: 7, end: 7, updateBy: 5", &["0=7"]),
    ] {
        assert_eq!(looped(&format!("{{ for: {{ {range} }} }}")), expected, "{range}");
    }
}

#[test]
fn texts_are_split_at_each_of_the_nine_delimiters() {
    for delimiter in crate::component::repeat::DELIMITERS {
        let yaml = serde_json::to_string(delimiter).unwrap();
        let list = serde_json::to_string(&["a", "b b", "c"].join(delimiter).replace(' ', "~")).unwrap();
        let list = if delimiter == " " { "\"a b~b c\"".to_owned() } else { list };
        let lines = looped(&format!("{{ forEach: {{ list: {list}, delimiter: {yaml} }} }}"));
        assert_eq!(lines, ["0=a", "1=b~b", "2=c"], "{delimiter:?}");
    }
    assert_eq!(looped("{ forEach: { list: 'a,b' } }"), ["0=a", "1=b"], "a comma when nothing is said");
    assert_eq!(looped("{ forEach: { list: 'a,,b,' } }"), ["0=a", "1=", "2=b", "3="]);
    assert_eq!(looped("{ forEach: { list: 'a\\nb', delimiter: '\\n' } }"), ["0=a\\nb"].map(|_| "0=a\\nb"));
}

#[test]
fn lists_keep_their_order_and_loops_may_have_names() {
    let mut bench = bench();
    let text = "constants: [{ Second: { type: string, value: two } }]\n".to_owned()
        + &document(
            "- { name: Loop, action: ExecuteBinary, loop: { name: each, forEach: [one, '{{ Second }}', 3] }, inputs: { path: echo, \
             arguments: ['{{ each.index }}{{ loop.index }} {{ each.value }} {{ loop.value }}'] } }\n",
        );
    let request = bench.request(&[&text]);
    bench.run(&request);
    assert_eq!(bench.lines(), ["00 one one", "11 two two", "22 3 3"]);
    let RunEvent::StepFinished { repeat, inputs, outputs, .. } = bench.finished("Loop") else { unreachable!() };
    let expected = LoopResult { name: "each".into(), iterations: 3, succeeded: 3, failed: None };
    assert_eq!(repeat.as_ref(), Some(&expected));
    assert_eq!(serde_json::to_string(inputs).unwrap(), r#"[{"arguments":["22 3 3"],"path":"echo"}]"#);
    assert_eq!(serde_json::to_string(outputs).unwrap(), r#"[{"stdout":"00 one one\n11 two two\n22 3 3"}]"#);
}

#[test]
fn the_first_iteration_that_fails_ends_the_loop_and_a_retry_begins_anew() {
    let mut bench = bench();
    let command = "echo {{ loop.value }} >> runs; test {{ loop.value }} != b";
    let steps = bash("Loop", command, ", maxAttempts: 2, onFailure: Continue, loop: { forEach: [a, b, c] }")
        + &bash("Use", "echo \"[{{ build.Loop.outputs.stdout }}]\"", "");
    let summary = bench.steps(&[&steps]);
    assert_eq!((summary.status, summary.failed_step_count), (RunStatus::Failed, 1));
    assert_eq!(bench.read("runs"), ["a", "b", "a", "b"]);
    assert_eq!(bench.message("Loop"), "iteration 1 of the loop (\"b\"): exit code 1");
    let RunEvent::StepFinished { repeat: Some(repeat), .. } = bench.finished("Loop") else { panic!() };
    assert_eq!((repeat.iterations, repeat.succeeded, repeat.failed), (3, 1, Some(1)));
    assert_eq!(bench.lines().last().map(String::as_str), Some("[]"));
}

#[test]
fn a_retry_that_succeeds_has_only_its_own_outputs() {
    let mut bench = bench();
    let command = "echo x >> runs; echo {{ loop.value }}; test $(wc -l < runs) != 2";
    let steps = bash("Loop", command, ", maxAttempts: 2, loop: { forEach: [a, b] }");
    assert_eq!(bench.steps(&[&steps]).status, RunStatus::Success);
    assert_eq!(bench.told("Loop").1, r#"[{"stdout":"a\nb"}]"#);
}

#[test]
fn a_loop_over_nothing_succeeds_and_says_so() {
    let mut bench = bench();
    let steps = "- { name: List, action: ListFiles, inputs: [{ path: DIR, fileNamePattern: '*.none' }] }\n".to_owned()
        + &bash("Loop", "touch ran", ", loop: { forEach: { list: \"{{ build.List.outputs[0].files }}\" } }")
        + &bash("Use", "echo \"[{{ build.Loop.outputs.stdout }}]\"", "");
    let summary = bench.steps(&[&steps]);
    assert_eq!((summary.status, summary.executed_step_count), (RunStatus::Success, 3));
    assert_eq!(bench.lines(), ["amiforge: the loop has nothing to go over", "[]"]);
    assert!(!bench.path("ran").exists());
}

#[test]
fn a_condition_is_answered_once_before_the_loop() {
    let mut bench = bench();
    let steps =
        bash("Loop", "touch marker; echo x", ", if: { not: { fileExists: marker } }, loop: { forEach: [a, b] }")
            + &bash(
                "Own",
                "true",
                ", onFailure: Ignore, if: { stringEquals: a, value: \"{{ loop.value }}\" }, loop: { forEach: [a] }",
            );
    bench.steps(&[&steps]);
    assert_eq!(bench.lines(), ["x", "x"]);
    assert!(bench.message("Own").contains("loop variables are known in the inputs of their own step only"));
}

#[test]
fn list_modules_loop_as_a_whole() {
    let mut bench = bench();
    bench.write("a", "1");
    bench.write("b", "2");
    let steps = "- { name: Read, action: ReadFile, loop: { forEach: [a, b] }, inputs: [{ path: '{{ loop.value }}' }, { path: a }] }\n";
    assert_eq!(bench.steps(&[steps]).status, RunStatus::Success);
    assert_eq!(bench.told("Read").1, r#"[{"content":"1\n2"},{"content":"1\n1"}]"#);
}

//! Matrix item 5: every operator at its documented examples (8.3), nesting, and where evaluation stops.

use super::*;
use StepStatus as S;

/// A condition, and whether it holds.
const OPERATORS: &[(&str, bool)] = &[
    ("stringIsEmpty: ''", true),
    ("stringIsEmpty: ' '", false),
    ("stringIsEmpty: a", false),
    ("stringIsWhitespace: ' '", true),
    ("stringIsWhitespace: ''", false),
    ("stringIsWhitespace: ' a '", false),
    ("stringEquals: 'Testing, testing...', value: 'Testing, testing...'", true),
    ("stringEquals: 'Testing, testing...', value: 'TESTING, TESTING...'", true),
    ("stringEquals: 'Testing, testing...', value: 'TESTING, TESTING....'", false),
    ("stringEquals: 'Hello again.', value: 'hello again'", false),
    ("stringEquals: a, value: ' a'", false),
    ("stringEquals: 22.04, value: '22.04'", true),
    ("stringLessThan: B, value: A", true),
    ("stringLessThan: a, value: A", false),
    ("stringLessThan: A, value: a", false),
    ("stringLessThan: b, value: '0'", true),
    ("stringLessThan: '2', value: '10'", true),
    ("stringLessThanEquals: a, value: a", true),
    ("stringLessThanEquals: A, value: a", true),
    ("stringLessThanEquals: a, value: b", false),
    ("stringGreaterThan: a, value: b", true),
    ("stringGreaterThan: a, value: A", false),
    ("stringGreaterThan: b, value: a", false),
    ("stringGreaterThanEquals: a, value: A", true),
    ("stringGreaterThanEquals: a, value: b", true),
    ("stringGreaterThanEquals: b, value: a", false),
    ("patternMatches: '^[a-z]+$', value: ThisIsValue", true),
    ("patternMatches: '^[a-z]+$', value: 'This is value'", false),
    ("patternMatches: '(?-i)^[a-z]+$', value: ThisIsValue", false),
    (r"patternMatches: '^\d+\.\d+$', value: 22.04", true),
    (r"patternMatches: 'b\Q.\Ec', value: ab.cd", true),
    ("numberEquals: 1, value: 1", true),
    ("numberEquals: 1.0, value: '1'", true),
    ("numberEquals: 1e3, value: 1000", true),
    ("numberEquals: 0x10, value: 16", true),
    ("numberEquals: 0.1, value: '0.10000000000000000000000001'", false),
    ("numberEquals: 9007199254740992, value: '9007199254740993'", false),
    ("numberLessThan: 2, value: 1", true),
    ("numberLessThan: 2, value: 2", false),
    ("numberLessThan: 10, value: 9", true),
    ("numberLessThan: 0, value: '-0.5'", true),
    ("numberLessThanEquals: 2, value: 2", true),
    ("numberLessThanEquals: 2, value: '+2.01'", false),
    ("numberGreaterThan: 1, value: 2", true),
    ("numberGreaterThan: 1, value: 1", false),
    ("numberGreaterThanEquals: 1, value: 1", true),
    ("numberGreaterThanEquals: 1, value: 0", false),
    ("numberGreaterThan: 1, value: two", false),
    ("numberLessThan: 1, value: two", false),
    ("numberEquals: 1000, value: '1e3'", false),
    ("binaryExists: bash", true),
    ("binaryExists: no-such-program", false),
    ("binaryExists: ''", false),
    ("binaryExists: DIR/program", true),
    ("binaryExists: DIR/abc", false),
    ("fileExists: DIR/abc", true),
    ("fileExists: abc", true),
    ("fileExists: DIR", false),
    ("fileExists: DIR/none", false),
    ("fileExists: ''", false),
    ("folderExists: DIR", true),
    ("folderExists: DIR/abc", false),
    ("folderExists: DIR/none", false),
    ("fileMD5Equals: 900150983cd24fb0d6963f7d28e17f72, path: abc", true),
    ("fileMD5Equals: 900150983CD24FB0D6963F7D28E17F72, path: DIR/abc", true),
    ("fileMD5Equals: 900150983cd24fb0d6963f7d28e17f73, path: abc", false),
    ("fileMD5Equals: 900150983cd24fb0d6963f7d28e17f72, path: none", false),
    ("fileSHA1Equals: a9993e364706816aba3e25717850c26c9cd0d89d, path: abc", true),
    ("fileSHA1Equals: a9993e364706816aba3e25717850c26c9cd0d89e, path: abc", false),
    ("fileSHA256Equals: ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad, path: abc", true),
    ("fileSHA256Equals: ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad, path: DIR", false),
    (
        "fileSHA512Equals: ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd\
         454d4423643ce80e2a9ac94fa54ca49f, path: abc",
        true,
    ),
    // The truth tables of `and`, `or` and `not`.
    ("and: [{ stringIsEmpty: '' }, { stringIsEmpty: '' }]", true),
    ("and: [{ stringIsEmpty: '' }, { stringIsEmpty: a }]", false),
    ("and: [{ stringIsEmpty: a }, { stringIsEmpty: '' }]", false),
    ("and: [{ stringIsEmpty: '' }]", true),
    ("or: [{ stringIsEmpty: a }, { stringIsEmpty: '' }]", true),
    ("or: [{ stringIsEmpty: '' }, { stringIsEmpty: a }]", true),
    ("or: [{ stringIsEmpty: a }, { stringIsEmpty: a }]", false),
    ("not: { stringIsEmpty: '' }", false),
    ("not: [{ stringIsEmpty: a }]", true),
    ("not: { and: [{ or: [{ not: { stringIsEmpty: a } }] }] }", false),
];

fn machine() -> Bench {
    let bench = bench();
    bench.write("abc", "abc");
    bench.write("program", "#!/bin/sh\n");
    let permissions = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(bench.path("program"), permissions).unwrap();
    bench
}

#[test]
fn every_operator_answers_in_if_and_in_assert() {
    let mut bench = machine();
    let both = |(number, (condition, _)): (usize, &(&str, bool))| {
        let assert = "action: Assert, onFailure: Ignore";
        format!(
            "- {{ name: Assert{number}, {assert}, inputs: {{ {condition} }} }}
"
        ) + &bash(&format!("Branch{number}"), "true", &format!(", if: {{ {condition} }}"))
    };
    let steps: Vec<String> = OPERATORS.iter().enumerate().map(both).collect();
    let summary = bench.steps(&[&steps.concat()]);
    assert_eq!(summary.status, RunStatus::Success, "{}", summary.failure_message);
    let statuses: BTreeMap<_, _> = bench.statuses().into_iter().collect();
    for (number, (condition, holds)) in OPERATORS.iter().enumerate() {
        let asserted = if *holds { StepStatus::Success } else { StepStatus::IgnoredFailure };
        let branched = if *holds { StepStatus::Success } else { StepStatus::Skipped };
        assert_eq!(statuses[&format!("Assert{number}")], asserted, "{condition}");
        assert_eq!(statuses[&format!("Branch{number}")], branched, "{condition}");
    }
}

#[test]
fn all_operators_are_in_the_list() {
    for operator in crate::component::condition::OPERATORS {
        for answer in [true, false] {
            let asked = |(condition, holds): &&(&str, bool)| {
                condition.starts_with(&format!("{}:", operator.name)) && *holds == answer
            };
            let lacks = operator.name == "fileSHA512Equals" && !answer;
            assert!(lacks || OPERATORS.iter().any(|row| asked(&row)), "{} {answer}", operator.name);
        }
    }
}

#[test]
fn four_levels_are_taken_and_five_are_refused() {
    let nested = |levels: usize| {
        let condition = (0..levels).fold("stringIsEmpty: ''".to_owned(), |inner, _| format!("not: {{ {inner} }}"));
        bash("Deep", "touch ran", &format!(", if: {{ {condition} }}"))
    };
    let mut bench = bench();
    assert_eq!(bench.steps(&[&nested(4)]).status, RunStatus::Success);
    assert!(bench.path("ran").exists());
    let summary = bench.steps(&[&nested(5)]);
    assert!(summary.failure_message.contains("error[C001]"), "{}", summary.failure_message);
}

#[test]
fn what_is_decided_is_not_looked_at_further() {
    let mut bench = bench();
    // A name that is not in the table would be an error.
    let unknown = "{ stringEquals: a, value: '{{ aws:ssm:/unknown }}' }";
    let steps = bash("Both", "true", &format!(", if: {{ and: [{{ stringIsEmpty: a }}, {unknown}], else: Execute }}"))
        + &bash("Any", "true", &format!(", if: {{ or: [{{ stringIsEmpty: '' }}, {unknown}] }}"))
        + &bash("All", "true", &format!(", onFailure: Ignore, if: {{ and: [{{ stringIsEmpty: '' }}, {unknown}] }}"));
    let summary = bench.steps(&[&steps]);
    assert_eq!(summary.status, RunStatus::Success, "{}", summary.failure_message);
    let statuses: Vec<S> = bench.statuses().into_iter().map(|(_, status)| status).collect();
    assert_eq!(statuses, [S::Success, S::Success, S::IgnoredFailure]);
    assert_eq!(bench.message("All"), "`aws:ssm:/unknown` has no value: /unknown is not in the table");
}

#[test]
fn what_cannot_be_compared_is_a_failure_and_not_an_answer() {
    let mut bench = bench();
    let text = "parameters: [{ Given: { type: string, default: many } }]\n".to_owned()
        + &document(
            "- { name: Number, action: Assert, onFailure: Ignore, inputs: { not: { numberEquals: '{{ Given }}', value: 1 } } }\n\
             - { name: Pattern, action: Assert, onFailure: Ignore, inputs: { not: { patternMatches: '[{{ Given }}', value: a } } }\n",
        );
    let request = bench.request(&[&text]);
    let summary = bench.run(&request);
    assert_eq!(
        (summary.status, summary.ignored_failed_step_count),
        (RunStatus::Success, 2),
        "{}",
        summary.failure_message
    );
    assert_eq!(bench.message("Number"), "`numberEquals` cannot be answered: \"many\" is not a number");
    assert!(bench.message("Pattern").starts_with("`patternMatches` cannot be answered: the pattern is refused at `[`"));
}

#[test]
fn a_condition_that_does_not_hold_says_what_was_compared() {
    let mut bench = bench();
    let steps = bash("Version", "echo 24.04", "")
        + "- { name: Release, action: Assert, inputs: { stringEquals: '22.04', value: '{{ build.Version.outputs.stdout }}' } }\n";
    let summary = bench.steps(&[&steps]);
    assert_eq!(
        summary.failure.unwrap().message,
        "the condition does not hold: stringEquals \"22.04\" with value \"24.04\" is false"
    );
}

#[test]
fn assert_is_tried_as_often_as_it_may_be_and_in_loops() {
    let mut bench = bench();
    let steps = "- { name: Loop, action: Assert, inputs: { numberLessThan: 2, value: '{{ loop.value }}' }, loop: { forEach: ['0', '1', '2'] } }\n";
    let summary = bench.steps(&[steps]);
    assert_eq!(
        summary.failure.unwrap().message,
        "iteration 2 of the loop (\"2\"): the condition does not hold: numberLessThan \"2\" with value \"2\" is false"
    );
    let steps = "- { name: Twice, action: Assert, maxAttempts: 2, inputs: { fileExists: none } }\n";
    bench.steps(&[steps]);
    assert!(matches!(bench.finished("Twice"), RunEvent::StepFinished { attempts: 2, .. }));
}

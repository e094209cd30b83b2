//! What must not leave the machine.

use super::*;

#[test]
fn secrets_stay_on_the_machine() {
    for (head, more) in [("disableLogging: true\n", ""), ("", ", disableLogging: true")] {
        let mut bench = bench();
        let text = format!("{head}{}", document(&bash("Secret", "echo secret; echo secret >&2; exit 1", more)));
        let request = bench.request(&[&text]);
        let summary = bench.run(&request);
        assert_eq!((summary.status, summary.failure.unwrap().last_lines), (RunStatus::Failed, vec![]));
        assert!(!serde_json::to_string(&bench.events).unwrap().contains("secret"));
    }
}

fn keeper() -> Bench {
    let mut bench = bench();
    bench.outside.parameters.insert("/secret".into(), ("hunter2-and-more".into(), true));
    bench.outside.parameters.insert("/aws/reference/secretsmanager/key".into(), ("s3cr\u{e9}t key".into(), true));
    bench.outside.parameters.insert("/lines".into(), ("-----BEGIN KEY\nMIIEow".into(), true));
    bench
}

#[test]
fn secrets_are_used_and_never_told() {
    let mut bench = keeper();
    let steps = bash("Write", "printf %s \"{{ aws:ssm:/secret }}\" > secret", "")
        + &bash(
            "Print",
            "cat secret; echo; cat secret >&2; echo \"{{ aws:ssm:/aws/reference/secretsmanager/key }}\"",
            "",
        )
        + &bash(
            "Chain",
            "echo \"{{ build.Print.outputs.stdout }}\" > chained; echo \"{{ build.Write.inputs.commands }}\"",
            "",
        )
        + "- { name: Assert, action: Assert, onFailure: Ignore, inputs: { stringEquals: a, value: \"{{ aws:ssm:/secret }}\" } }\n"
        + &bash("Skip", "true", ", if: { stringEquals: \"x\", value: \"{{ aws:ssm:/secret }}\" }")
        + "- { name: Name, action: ExecuteBinary, onFailure: Ignore, inputs: { path: \"./{{ aws:ssm:/secret }}\" } }\n"
        + &bash(
            "Loop",
            "echo {{ loop.value }}; exit 1",
            ", onFailure: Ignore, loop: { forEach: [\"{{ aws:ssm:/secret }}\"] }",
        )
        + &bash("Fail", "cat secret; exit 3", "");
    let summary = bench.steps(&[&steps]);
    assert_eq!(summary.status, RunStatus::Failed);
    assert_eq!(bench.read("secret"), ["hunter2-and-more"]);
    assert_eq!(bench.read("chained"), ["hunter2-and-more", "s3cr\u{e9}t key"], "what is chained stays real");
    let heard = bench.heard() + &serde_json::to_string(&summary).unwrap();
    for secret in ["hunter2", "s3cr\u{e9}t"] {
        assert!(!heard.contains(secret), "{heard}");
    }
    assert_eq!(summary.failure.unwrap().last_lines, ["***"]);
    assert_eq!(bench.told("Write").0, r#"[{"commands":["printf %s \"***\" > secret"]}]"#);
    assert!(bench.message("Assert").contains("with value \"***\" is false"), "{}", bench.message("Assert"));
    assert!(bench.message("Name").starts_with("cannot run ./***"), "{}", bench.message("Name"));
    assert!(bench.message("Loop").contains("(\"***\")"), "{}", bench.message("Loop"));
    assert!(!heard.contains(r#""expression":"aws:ssm"#), "that a secret was put in place is not told with it");
}

#[test]
fn secrets_are_still_known_after_a_restart() {
    let mut bench = keeper();
    let steps = bash("Write", "printf %s \"{{ aws:ssm:/secret }}\" > secret", "")
        + "- { name: Restart, action: Reboot }\n"
        + &bash("Print", "cat secret", "");
    let text = document(&steps);
    let request = bench.request(&[&text]);
    assert_eq!(bench.run(&request).status, RunStatus::RebootRequired);
    assert_eq!(bench.run(&request).status, RunStatus::Success);
    assert_eq!(bench.lines(), ["***"]);
}

#[test]
fn secrets_of_a_nested_document_are_secrets_of_all() {
    let mut bench = keeper();
    bench
        .write("child.yaml", &document(&bash("Inner", "printf %s \"{{ aws:ssm:/secret }}\" > secret; cat secret", "")));
    let steps = "- { name: Include, action: ExecuteDocument, inputs: { document: child.yaml } }\n".to_owned()
        + &bash("Print", "cat secret", "");
    assert_eq!(bench.steps(&[&steps]).status, RunStatus::Success);
    assert_eq!((lines(&inside(&bench.events)), bench.lines()), (vec!["***".to_owned()], vec!["***".to_owned()]));
    assert!(!bench.heard().contains("hunter2"));
}

#[test]
fn a_secret_of_several_lines_is_refused_without_telling_it() {
    let mut bench = keeper();
    let summary = bench.steps(&[&bash("Print", "echo \"{{ aws:ssm:/lines }}\"", "")]);
    assert!(summary.failure.unwrap().message.contains("several lines"));
    assert!(!bench.heard().contains("BEGIN") && !bench.heard().contains("MIIEow"));
}

#[test]
fn quiet_steps_tell_neither_values_nor_reasons() {
    let mut bench = bench();
    let steps = bash("Print", "echo hidden", ", disableLogging: true")
        + "- { name: Assert, action: Assert, disableLogging: true, onFailure: Ignore, inputs: { stringEquals: a, value: hidden } }\n"
        + &bash("Skip", "true", ", disableLogging: true, if: { stringEquals: a, value: hidden }")
        + &bash("Said", "echo \"amiforge: skipped: hidden\"", ", disableLogging: true");
    let summary = bench.steps(&[&steps]);
    assert_eq!((summary.status, summary.skipped_step_count), (RunStatus::Success, 2));
    assert!(!bench.heard().contains("hidden"), "{}", bench.heard());
    assert_eq!(bench.told("Print"), ("[]".into(), "[]".into()));
    assert_eq!(bench.message("Assert"), "the condition does not hold");
    let text =
        document(&bash("Print", "echo hidden", "")).replace("    steps:", "    disableLogging: true\n    steps:");
    let request = bench.request(&[&text]);
    assert_eq!(bench.run(&request).status, RunStatus::Success);
    assert!(!bench.heard().contains("hidden"), "a phase can be quiet as well");
}

#[test]
fn secrets_are_replaced_before_anything_is_cut_or_escaped() {
    let mut bench = keeper();
    bench.outside.parameters.insert("/quoted".into(), ("pass\"word\\(x[".into(), true));
    bench.outside.documents.insert("s3://bucket/hunter2-and-more".into(), document(&bash("Inner", "true", "")));
    let padding = "x".repeat(112);
    let ignored = "action: Assert, onFailure: Ignore";
    let steps = format!(
        "- {{ name: Cut, {ignored}, inputs: {{ stringEquals: a, value: '{padding}{{{{ aws:ssm:/secret }}}}' }} }}\n\
         - {{ name: Escaped, {ignored}, inputs: {{ stringEquals: a, value: '{{{{ aws:ssm:/quoted }}}}' }} }}\n\
         - {{ name: Pattern, {ignored}, inputs: {{ patternMatches: '{{{{ aws:ssm:/quoted }}}}', value: a }} }}\n\
         - {{ name: Number, {ignored}, inputs: {{ numberEquals: '{{{{ aws:ssm:/quoted }}}}', value: 1 }} }}\n\
         - {{ name: Loop, action: ExecuteBinary, onFailure: Ignore, inputs: {{ path: 'false' }}, loop: {{ forEach: ['{padding}{{{{ aws:ssm:/secret }}}}'] }} }}\n\
         - {{ name: Named, action: ExecuteDocument, inputs: {{ document: 's3://bucket/{{{{ aws:ssm:/secret }}}}' }} }}\n"
    );
    let summary = bench.steps(&[&steps]);
    assert_eq!(
        (summary.status, summary.ignored_failed_step_count),
        (RunStatus::Success, 5),
        "{}",
        summary.failure_message
    );
    for part in ["hunter2", "pass", "x["] {
        assert!(!bench.heard().contains(part), "{part}: {}", bench.heard());
    }
    assert!(bench.message("Escaped").ends_with("with value \"***\" is false"), "{}", bench.message("Escaped"));
    assert!(bench.message("Pattern").ends_with("holds a secret, so the reason is not told"));
}

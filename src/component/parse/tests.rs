use super::*;
use crate::component::condition::Branch;
use crate::component::expression::Template;
use crate::component::model::{OnFailure, Value};
use crate::component::runnable;
use crate::diagnostic::render;
use proptest::prelude::*;

#[path = "scalar_tests.rs"]
mod scalars;

/// A document with these lines in front of `phases`, and these steps (without their first indentation) in phase `build`.
fn document(head: &str, steps: &str) -> String {
    let steps = steps.lines().flat_map(|line| ["      ", line, "\n"]).collect::<String>();
    format!("schemaVersion: 1.0\n{head}phases:\n  - name: build\n    steps:\n{steps}")
}

fn read(text: &str) -> Parsed {
    parse(&SourceFile::new("c.yaml", text))
}

fn places(diagnostics: &[Diagnostic]) -> Vec<String> {
    let place = |diagnostic: &Diagnostic| diagnostic.place().unwrap().trim_start_matches("c.yaml:").to_owned();
    diagnostics.iter().map(|diagnostic| format!("{} {}", diagnostic.code, place(diagnostic))).collect()
}

/// `code line:column` of everything reported.
fn faults(text: &str) -> Vec<String> {
    places(&read(text).diagnostics)
}

fn good(text: &str) -> Document {
    let parsed = read(text);
    assert_eq!(parsed.diagnostics, vec![], "{}", render::text(&parsed.diagnostics, false));
    parsed.document.expect("no errors")
}

const FULL: &str = r#"name: InstallThing
description: What it does
schemaVersion: 1.0
disableLogging: false
parameters:
  - Version:
      type: string
      default: "1.2.3"
      description: Which one
  - Mandatory: { type: string }
constants:
  - InstallDir:
      type: string
      value: /opt/thing
phases:
  - name: build
    steps:
      - name: InstallThing
        action: ExecuteBash
        timeoutSeconds: 600
        onFailure: Ignore
        maxAttempts: 3
        inputs:
          commands:
            - 'install.sh --version "{{ Version }}" --dir "{{InstallDir}}"'
            - echo done
      - name: Write
        action: CreateFile
        timeoutSeconds: -1
        inputs:
          - path: "{{ build.InstallThing.outputs.stdout }}/x"
            content: |
              a {{ Version }}
              b {{ Mandatory }}
            permissions: 0644
            overwrite: false
      - name: Restart
        action: Reboot
  - name: validate
    disableLogging: true
    steps:
      - name: Look
        action: ExecuteBinary
        inputs: { path: "{{ build.Write.inputs[0].path }}", arguments: [] }
"#;

#[test]
fn a_document_becomes_data() {
    let document = good(FULL);
    assert_eq!(document.name.as_deref(), Some("InstallThing"));
    assert_eq!(document.parameters[0].default.as_deref(), Some("1.2.3"));
    assert_eq!((document.parameters[1].name.as_str(), document.parameters[1].default.as_deref()), ("Mandatory", None));
    assert_eq!(document.constants[0].value, "/opt/thing");
    let steps: Vec<_> = document.steps().map(|(phase, step)| format!("{}.{}", phase.name, step.name)).collect();
    assert_eq!(steps, ["build.InstallThing", "build.Write", "build.Restart", "validate.Look"]);
    let install = &document.phases[0].steps[0];
    assert_eq!((install.on_failure, install.max_attempts), (OnFailure::Ignore, 3));
    assert_eq!(install.timeout, Some(std::time::Duration::from_mins(10)));
    let write = &document.phases[0].steps[1];
    assert_eq!(write.timeout, None);
    assert_eq!(write.inputs[0].get("overwrite"), Some(&Value::Boolean(false)));
    let Some(Value::Text(permissions)) = write.inputs[0].get("permissions") else { panic!() };
    assert_eq!(permissions.literal().as_deref(), Some("0644"));
    assert!(document.phases[1].disable_logging && document.phases[0].steps[2].inputs.is_empty());
    assert!(!document.only_test());
    assert!(runnable(&document, &SourceFile::new("c.yaml", FULL)).is_empty());
}

#[test]
fn expressions_are_located_inside_blocks() {
    let document = good(FULL);
    let places: Vec<&str> = document
        .steps()
        .flat_map(|(_, step)| step.templates())
        .flat_map(Template::expressions)
        .map(|(_, span)| &FULL[span.start..span.end])
        .collect();
    assert_eq!(
        places,
        [
            "{{ Version }}",
            "{{InstallDir}}",
            "{{ build.InstallThing.outputs.stdout }}",
            "{{ Version }}",
            "{{ Mandatory }}",
            "{{ build.Write.inputs[0].path }}",
        ]
    );
}

#[test]
fn json_and_all_spellings_of_the_version_are_read() {
    let json = r#"{"schemaVersion": "1", "phases": [{"name": "test", "steps": [
        {"name": "Run", "action": "ExecuteBash", "inputs": {"commands": ["true"]}}]}], "constants": []}"#;
    assert!(good(json).only_test());
    for version in ["1", "1.0", "\"1.0\""] {
        good(&format!("schemaVersion: {version}\nphases: [{{name: test, steps: [{{name: Run, action: Reboot}}]}}]\n"));
    }
}

#[test]
fn faults_of_the_document_have_their_code_and_place() {
    let run = "- { name: Run, action: Reboot }";
    for (head, expected) in [
        ("phases: []\n", "D002 1:1"),
        ("schemaVersion: 2.0\nphases: [{name: test, steps: [{name: Run, action: Reboot}]}]\n", "D002 1:16"),
        ("schemaVersion: 1.0\n", "D003 1:1"),
        ("schemaVersion: 1.0\nphases:\n", "D003 2:1"),
        ("schemaVersion: 1.0\nphases: {name: build}\n", "D003 2:9"),
        ("- a\n", "D020 1:1"),
    ] {
        assert_eq!(faults(head).first().map(String::as_str), Some(expected), "{head}");
    }
    for (head, expected) in [
        ("nmae: x\n", "D004 2:1"),
        ("disableLogging: \"no\"\n", "D020 2:17"),
        ("name: [a]\n", "D020 2:7"),
        ("parameters: { Abc: { type: string } }\n", "D011 2:13"),
        ("parameters:\n  - Abc: { type: string }\n    Def: { type: string }\n", "D011 3:5"),
        ("parameters:\n  - Ab: { type: string }\n", "D011 3:5"),
        ("parameters:\n  - Abc: { type: string }\nconstants:\n  - Abc: { type: string, value: x }\n", "D011 5:5"),
        ("parameters:\n  - Abc: { type: Integer }\n", "D012 3:18"),
        ("parameters:\n  - Abc: { default: x }\n", "D012 3:5"),
        ("constants:\n  - Abc: { type: string }\n", "D012 3:5"),
        ("parameters:\n  - Abc: { type: string, defualt: x }\n", "D004 3:26"),
        ("parameters:\n  - Abc: { type: string, default: 1.10 }\n", "D019 3:35"),
    ] {
        assert_eq!(faults(&document(head, run)), [expected], "{head}");
    }
    let many: Vec<String> = (0..26).map(|n| format!("  - Name{n}: {{ type: string }}\n")).collect();
    let many = many.concat();
    assert_eq!(faults(&document(&format!("parameters:\n{many}"), run)), ["D011 28:5"]);
}

#[test]
fn faults_of_phases_have_their_code_and_place() {
    let one = |phases: &str| faults(&format!("schemaVersion: 1.0\nphases:\n{phases}"));
    let steps = "    steps: [{ name: Run, action: Reboot }]\n";
    assert_eq!(one(&format!("  - name: install\n{steps}")), ["D005 2:1"]);
    assert_eq!(one(&format!("  - name: my phase\n{steps}  - name: build\n{steps}")), ["D006 3:11"]);
    assert_eq!(one(&format!("  - name: build\n{steps}  - name: build\n{steps}")), ["D006 5:11"]);
    // It may have been meant as `build`: one fault, not two.
    assert_eq!(one("  - steps: [{ name: Run, action: Reboot }]\n"), ["D006 3:5"]);
    assert_eq!(one(&format!("  - name: null\n{steps}  - name: build\n{steps}")), ["D006 3:5"]);
    assert_eq!(one("  - name: build\n"), ["D020 3:11"]);
    assert_eq!(one("  - name: build\n    steps: []\n"), ["D020 4:12"]);
    assert_eq!(one(&format!("  - name: build\n{steps}    action: Reboot\n")), ["D004 5:5"]);
}

#[test]
fn faults_of_steps_have_their_code_and_place() {
    let mut wrong = vec![];
    for (steps, expected) in [
        ("- name: Loading ssh keys\n  action: Reboot", "D007 5:15"),
        ("- action: Reboot", "D007 5:9"),
        ("- { name: Run, action: Reboot }\n- { name: Run, action: Reboot }", "D007 6:17"),
        ("- just text", "D020 5:9"),
        ("- { name: Run, action: Reboot, retries: 2 }", "D004 5:38"),
        ("- { name: Run, action: ExecuteBahs, inputs: { commands: [a] } }", "S001 5:30"),
        ("- { name: Run }", "S001 5:9"),
        ("- { name: Run, action: ExecuteBash }", "S003 5:30"),
        ("- { name: Run, action: S3Download, inputs: [] }", "S003 5:42"),
        ("- { name: Run, action: Assert }", "S003 5:30"),
        ("- { name: Run, action: ExecuteBash, inputs: [{ commands: [a] }] }", "S004 5:51"),
        ("- { name: Run, action: CreateFile, inputs: { path: /a } }", "S004 5:50"),
        ("- { name: Run, action: ExecuteBash, inputs: { command: [a] } }", "S005 5:53"),
        ("- { name: Run, action: ExecuteBash, inputs: { commands: a } }", "S005 5:63"),
        ("- { name: Run, action: ExecuteBash, inputs: { commands: [] } }", "S005 5:63"),
        ("- { name: Run, action: CreateFile, inputs: [{ content: a }] }", "S005 5:51"),
        ("- { name: Run, action: CreateFile, inputs: [{ path: /a, overwrite: \"yes\" }] }", "S005 5:74"),
        ("- { name: Run, action: CreateFile, inputs: [{ path: /a, permissions: u+x }] }", "S005 5:76"),
        ("- { name: Run, action: Reboot, inputs: { delaySeconds: -1 } }", "S005 5:62"),
        ("- { name: Run, action: Reboot, onFailure: abort }", "S007 5:49"),
        ("- { name: Run, action: CreateFile, inputs: [{ path: /a, encoding: latin1 }] }", "S007 5:73"),
        ("- { name: Run, action: UpdateOS, timeoutSeconds: 0 }", "S006 5:56"),
        ("- { name: Run, action: UpdateOS, timeoutSeconds: 1.5 }", "S006 5:56"),
        ("- { name: Run, action: UpdateOS, timeoutSeconds: \"600\" }", "D019 5:56"),
        ("- { name: Run, action: UpdateOS, maxAttempts: 0 }", "S008 5:53"),
        ("- { name: Run, action: UpdateOS, maxAttempts: 010 }", "D019 5:53"),
        ("- { name: Run, action: UpdateOS, maxAttempts: 0b11 }", "D019 5:53"),
        ("- { name: Run, action: UpdateOS, disableLogging: yes }", "D019 5:56"),
        ("- { name: Run, action: UpdateOS, disableLogging: \"yes\" }", "D020 5:56"),
        ("- { name: Run, action: UpdateOS, inputs: { include: [yes] } }", "D019 5:60"),
        ("- { name: Run, action: CreateFile, inputs: [{ path: /a, overwrite: off }] }", "D019 5:74"),
        ("- { name: Run, action: S3Upload, inputs: [{ source: a, destination: b, recurse: n }] }", "D019 5:87"),
        ("- { name: Run, action: Reboot, inputs: { delaySeconds: \"5\" } }", "D019 5:62"),
        ("- { name: Run, action: Reboot, if: { stringEquals: 1.10, value: '{{ context:date }}' } }", "D019 5:58"),
        ("- { name: Run, action: Reboot, loop: { forEach: [a, 2026-07-28] } }", "D019 5:59"),
        (
            "- { name: Run, action: SetRegistry, inputs: [{ path: 'HKLM:\\a', name: b, value: 1.0, type: SZ }] }",
            "D019 5:87",
        ),
        ("- { name: 2026, action: Reboot }", "D019 5:17"),
        ("- { name: Run, action: Assert, inputs: {} }", "S003 5:38"),
        ("- { name: Run, action: ExecutePowerShell, inputs: { commands: [] } }", "S010 5:59"),
        ("- { name: Run, action: Reboot, timeoutSeconds: 60 }", "S011 5:38"),
        ("- { name: Run, action: ExecutePowerShell, inputs: { commands: [a], file: b.ps1 } }", "S010 5:59"),
        ("- { name: Run, action: WebDownload, inputs: [{ source: a, destination: b, checksum: c }] }", "M007 5:81"),
        ("- { name: Run, action: Reboot, loop: { for: {}, forEach: [] } }", "L001 5:55"),
        ("- { name: Run, action: Reboot, if: { stringEqual: a, value: b } }", "C001 5:44"),
        ("- { name: Run, action: Reboot, if: { value: b } }", "C001 5:42"),
        ("- { name: Run, action: Reboot, if: [a] }", "C001 5:42"),
        ("- { name: Run, action: Reboot, if: { stringEquals: a } }", "C001 5:44"),
        ("- { name: Run, action: Reboot, if: { stringEquals: a, path: b } }", "C001 5:61"),
        ("- { name: Run, action: Reboot, if: { fileExists: a, binaryExists: b } }", "C001 5:59"),
        ("- { name: Run, action: Reboot, if: { fileExists: a, then: Run } }", "C002 5:65"),
        ("- { name: Run, action: Reboot, if: { not: { fileExists: a, then: Skip } } }", "C002 5:66"),
        ("- { name: Run, action: Reboot, if: { not: [{ fileExists: a }, { fileExists: b }] } }", "C001 5:49"),
        ("- { name: Run, action: Reboot, if: { and: [] } }", "C001 5:49"),
        ("- { name: Run, action: Reboot, if: { numberEquals: one, value: 1 } }", "C001 5:58"),
        ("- { name: Run, action: Reboot, if: { fileMD5Equals: abc, path: /a } }", "C001 5:59"),
        ("- { name: Run, action: Assert, inputs: { fileExists: a, else: Skip } }", "C002 5:63"),
        ("- { name: Run, action: Reboot, if: { fileExists: '{{ env:X }}' } }", "X007 5:56"),
        (
            "- { name: Run, action: Reboot, if: { not: { not: { not: { not: { not: { fileExists: a } } } } } } }",
            "C001 5:72",
        ),
        ("- { name: Run, action: '{{ env:X }}' }", "X007 5:30"),
        ("- { name: '{{ env:X }}', action: Reboot }", "X007 5:17"),
        ("- { name: Run, action: Reboot, maxAttempts: '{{ env:X }}' }", "X007 5:51"),
        ("- { name: Run, action: Reboot, onFailure: '{{ env:X }}' }", "X007 5:49"),
        ("- { name: Run, action: Reboot, loop: {} }", "L001 5:44"),
        ("- { name: Run, action: Reboot, loop: { for: { start: 0, end: 4 } } }", "L001 5:51"),
        ("- { name: Run, action: Reboot, loop: { for: { start: 0, end: 4, updateBy: 0 } } }", "L001 5:81"),
        ("- { name: Run, action: Reboot, loop: { for: { start: 0, end: 4, updateBy: -1 } } }", "L001 5:81"),
        ("- { name: Run, action: Reboot, loop: { for: { start: 0, end: '{{ env:X }}', updateBy: 1 } } }", "L002 5:68"),
        ("- { name: Run, action: Reboot, loop: { forEach: [] } }", "L001 5:55"),
        ("- { name: Run, action: Reboot, loop: { forEach: { list: 'a|b', delimiter: '|' } } }", "L002 5:81"),
        ("- { name: Run, action: Reboot, loop: { name: loop, forEach: [a] } }", "L003 5:52"),
        ("- { name: null, action: Reboot }", "D007 5:9"),
        (
            "- { name: Run, action: SetRegistry, inputs: [{ path: 'HKLM:\\a', name: b, value: [a, [b]], type: MULTI_SZ }] }",
            "S005 5:91",
        ),
        (
            "- { name: Run, action: ExecuteDocument, inputs: { document: /a, parameters: [{ name: ~, value: b }] } }",
            "S005 5:83",
        ),
    ] {
        let found = faults(&document("", steps));
        if found != [expected] {
            wrong.push(format!("{steps}: {found:?} and not {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn loops_and_conditions_become_data() {
    let steps = "\
- name: Run
  action: ExecuteBash
  if:
    or:
      - not: [{ binaryExists: curl }]
      - and:
          - { numberGreaterThan: 1, value: '{{ build.Next.inputs.commands }}' }
          - { fileSHA1Equals: DA39A3EE5E6B4B0D3255BFEF95601890AFD80709, path: /etc/motd }
    then: Abort
    else: Execute
  loop:
    name: each
    forEach: { list: 'a b', delimiter: ' ' }
  inputs: { commands: ['echo {{ each.value }}'] }
- { name: Next, action: ExecuteBash, loop: { for: { start: 3, end: -3, updateBy: -2 } }, inputs: { commands: ['true'] } }";
    let document = good(&document("", steps));
    let step = &document.phases[0].steps[0];
    let branching = step.branching.as_ref().unwrap();
    assert_eq!(branching.then.map(|(branch, _)| branch), Some(Branch::Abort));
    assert_eq!(branching.otherwise.map(|(branch, _)| branch), Some(Branch::Execute));
    let names: Vec<_> = branching.condition.tests().iter().map(|test| test.operator.name).collect();
    assert_eq!(names, ["binaryExists", "numberGreaterThan", "fileSHA1Equals"]);
    let each = step.repeat.as_ref().unwrap();
    assert_eq!((each.name.as_ref().map(|(name, _)| name.as_str()), each.iterations()), (Some("each"), Some(2)));
    assert_eq!(document.phases[0].steps[1].repeat.as_ref().unwrap().iterations(), Some(4));
}

#[test]
fn faults_of_expressions_have_their_code_and_place() {
    let steps = "\
- { name: First, action: ExecuteBash, inputs: { commands: ['true'] } }
- { name: Files, action: ReadFile, inputs: [{ path: /a }, { path: /b }] }
- name: Check
  action: ExecuteBash
  inputs:
    commands:
      - |
        set -e
        echo EXPRESSION
- { name: Later, action: ExecuteBash, inputs: { commands: ['true'] } }";
    let text = document("parameters: [{ Version: { type: string } }]\n", steps)
        + "  - { name: test, steps: [{ name: Try, action: ExecuteBash, inputs: { commands: ['a'] } }] }\n";
    for (expression, expected) in [
        ("{{ Versoin }}", "X001"),
        ("{{ biuld.First.outputs.stdout }}", "X001"),
        ("{{ build.Frist.outputs.stdout }}", "X001"),
        ("{{ build.First.outputs.stdotu }}", "X002"),
        ("{{ build.First.inputs.command }}", "X002"),
        ("{{ build.Files.inputs[0].encoding }}", "X002"),
        ("{{ build.Files.inputs.path }}", "X003"),
        ("{{ build.Files.outputs[2].content }}", "X003"),
        ("{{ build.First.outputs[0].stdout }}", "X003"),
        ("{{ test.Try.outputs.stdout }}", "X004"),
        ("{{ build.Check.outputs.stdout }}", "X005"),
        ("{{ build.Later.outputs.stdout }}", "X005"),
        ("{{ .Field }}", "X017"),
        ("{{ Version", "X008"),
        ("{{ env: }}", "X010"),
        ("{{ context:dat }}", "X010"),
        ("{{ aws:imds:iam/info }}", "X009"),
        ("{{ loop.value }}", "X015"),
    ] {
        assert_eq!(faults(&text.replace("EXPRESSION", expression)), [format!("{expected} 14:20")], "{expression}");
    }
    for expression in [
        "{{ Version }}",
        "{{build.First.outputs.stdout}}",
        "{{ build.First.inputs.commands }}",
        "{{ build.Files.outputs[1].content }}",
        "{{ build.Files.outputs.content }}",
        "{{ build.Files.inputs[1].path }}",
        "}}",
        "{{ context:date }}",
        "{{ env:A(b) }}",
    ] {
        good(&text.replace("EXPRESSION", expression));
    }
}

#[test]
fn one_fault_is_reported_once() {
    // A step that could not be read is not blamed again by those who refer to it.
    let steps = "- { name: First, action: ExecuteBahs, inputs: { commands: ['true'] } }\n\
                 - { name: Next, action: ExecuteBash, inputs: { commands: ['{{ build.First.outputs.foo }}'] } }";
    assert_eq!(faults(&document("", steps)), ["S001 5:32"]);
    let steps = "- { name: Next, action: ExecuteBash, inputs: { commands: ['{{ Version }}'] } }";
    assert_eq!(faults(&document("parameters: { Version: { type: string } }\n", steps)), ["D011 2:13"]);
}

#[test]
fn everything_is_reported_at_once() {
    let text = document(
        "nmae: x\n",
        "- name: a b\n  action: Rebot\n  maxAttempts: none\n- { name: Run, action: ExecuteBash }",
    );
    assert_eq!(faults(&text), ["D004 2:1", "D007 6:15", "S001 7:17", "S008 8:22", "S003 9:30"]);
}

#[test]
fn broken_yaml_is_reported_too() {
    let parsed = read("phases:\n\t- name: build\n");
    assert!(parsed.has_errors());
    assert_eq!(places(&parsed.diagnostics), ["D001 2:1"]);
}

#[test]
fn messages_help() {
    let text = document(
        "parameters:\n  - Version: { type: string, default: '1' }\n",
        "- name: Loading ssh keys\n  action: ExecuteBahs\n- { name: Fetch, action: S3Download, inputs: [] }\n\
         - { name: Show, action: ExecuteBash, inputs: { commands: ['echo {{ Versoin }}'], timeout: 5 } }",
    );
    insta::assert_snapshot!(render::text(&read(&text).diagnostics, false), @r"
    error[D007]: Invalid step name 'Loading ssh keys' in phase 'build'. Allowed characters are combinations of numbers [0-9], english letters [a-z,A-Z] and special characters [-_].
     --> c.yaml:7:15
      |
    7 |       - name: Loading ssh keys
      |               ^^^^^^^^^^^^^^^^ a blank cannot be part of a name
      |
      = help: for example `Loading-ssh-keys`

    error[S001]: unknown action `ExecuteBahs`
     --> c.yaml:8:17
      |
    8 |         action: ExecuteBahs
      |                 ^^^^^^^^^^^ no action module has this name
      |
      = help: did you mean `ExecuteBash`?

    error[S003]: Parsing step 'Fetch' in phase 'build' failed. Error: Action S3Download has no inputs; it requires an 'inputs'
     --> c.yaml:9:44
      |
    9 |       - { name: Fetch, action: S3Download, inputs: [] }
      |                                            ^^^^^^ without inputs there is nothing to do
      |
      = help: write an item below `inputs:` with source and destination

    error[X001]: no parameter or constant is named `Versoin`
      --> c.yaml:10:71
       |
    10 |       - { name: Show, action: ExecuteBash, inputs: { commands: ['echo {{ Versoin }}'], timeout: 5 } }
       |                                                                       ^^^^^^^^^^^^^ undeclared
       |
       = help: did you mean `Version`?

    error[S005]: unknown key `timeout` in the inputs of ExecuteBash
      --> c.yaml:10:88
       |
    10 |       - { name: Show, action: ExecuteBash, inputs: { commands: ['echo {{ Versoin }}'], timeout: 5 } }
       |                                                                                        ^^^^^^^ not a known key
       |
       = help: known keys: commands
    ");
}

#[test]
fn what_is_not_executed_yet_is_named() {
    let text = document(
        "",
        "- { name: Windows, action: ExecutePowerShell, inputs: { commands: [dir] } }\n\
         - { name: Fetch, action: S3Download, inputs: [{ source: s3://a/b, destination: /b }] }\n\
         - { name: Holds, action: Assert, inputs: { stringEquals: a, value: '{{ context:date }}' } }\n\
         - name: Loop\n  action: ExecuteBash\n  if: { fileExists: /a }\n  loop: { forEach: [a] }\n  inputs: { commands: ['{{ loop.value }} {{ aws:ssm:/a }} {{ env:A }}'] }",
    );
    let source = SourceFile::new("c.yaml", text.as_str());
    let document = good(&text);
    let refused = runnable(&document, &source);
    assert!(refused.iter().all(|diagnostic| diagnostic.code == "E001"));
    let what: Vec<_> =
        refused.iter().map(|diagnostic| diagnostic.message.replace(" is not executed locally yet", "")).collect();
    assert_eq!(
        what,
        [
            "ExecutePowerShell, which needs Windows,",
            "Assert",
            "a `context:` expression",
            "`if`",
            "`loop`",
            "an `aws:ssm:` expression",
            "an `env:` expression",
        ]
    );
    assert_eq!(places(&refused[..2]), ["E001 5:34", "E001 7:32"]);
}

#[test]
fn inputs_of_a_later_step_are_not_known_yet() {
    let text = document(
        "",
        "- { name: Now, action: ExecuteBash, inputs: { commands: ['{{ build.Later.inputs.path }}'] } }\n\
         - { name: Later, action: ExecuteBinary, inputs: { path: /bin/true } }",
    );
    let refused = runnable(&good(&text), &SourceFile::new("c.yaml", text.as_str()));
    assert_eq!(places(&refused), ["E001 5:65"]);
}

proptest! {
    #[test]
    fn no_document_makes_it_panic(steps in prop::collection::vec(prop::sample::select(vec![
        "- name: A b\n", "- name: Run\n", "  action: ExecuteBash\n", "  action: CreateFile\n", "  inputs:\n", "  inputs: []\n",
        "    commands:\n", "      - 'a {{ build.Run.outputs.stdout }}'\n", "    - path: '{{'\n", "      content: {}\n",
        "  timeoutSeconds: ~\n", "  if: {}\n", "  loop: x\n", "  onFailure: []\n", "- x\n", "-\n",
    ]), 0..16)) {
        let parsed = read(&document("parameters: [{}]\n", &steps.concat()));
        prop_assert!(parsed.has_errors());
        prop_assert!(parsed.diagnostics.iter().all(|diagnostic| diagnostic.primary.is_some()));
    }
}

//! Matrix item 4: values that flow from step to step.

use super::*;

#[test]
fn values_flow_from_step_to_step() {
    let mut bench = bench();
    let text = r#"schemaVersion: 1.0
parameters:
  - Greeting: { type: string, default: hello }
  - Name: { type: string }
constants:
  - Mark: { type: string, value: "!" }
phases:
  - name: build
    steps:
      - name: Say
        action: ExecuteBash
        inputs: { commands: ['printf "%s\n\n" "{{ Greeting }}, {{Name}}{{ Mark }}"'] }
      - name: Fails
        action: ExecuteBash
        onFailure: Ignore
        inputs: { commands: ['echo lost; exit 1'] }
      - name: Files
        action: CreateFile
        inputs:
          - { path: one, content: "1" }
          - { path: two, content: "<{{ build.Say.outputs.stdout }}|{{ build.Fails.outputs.stdout }}>" }
      - name: Read
        action: ReadFile
        inputs: [{ path: one }, { path: "{{ build.Files.inputs[1].path }}" }]
  - name: unused
    steps: [{ name: Never, action: ExecuteBash, inputs: { commands: ['touch never'] } }]
  - name: validate
    steps:
      - name: Check
        action: ExecuteBinary
        inputs: { path: echo, arguments: ["{{ build.Read.outputs[1].content }}", "$HOME  x"] }
"#;
    let mut request = bench.request(&[text]);
    request.documents[0].parameters = BTreeMap::from([("Name".to_owned(), "world".to_owned())]);
    assert_eq!(bench.run(&request).status, RunStatus::Success);
    assert_eq!(bench.lines().last().map(String::as_str), Some("<hello, world!|> $HOME  x"));
    assert!(!bench.path("never").exists());
}

#[test]
fn a_step_of_a_phase_that_is_not_run_has_no_values() {
    let mut bench = bench();
    let text = document(&bash("One", "echo a", ""))
        + "  - name: validate\n    steps:\n      "
        + &bash("Two", "echo {{ build.One.outputs.stdout }}", "");
    let mut request = bench.request(&[&text]);
    request.phases = vec!["validate".into()];
    let summary = bench.run(&request);
    assert!(summary.failure.unwrap().message.contains("`build.One` has not run"));
}

#[test]
fn inputs_of_map_and_list_modules_can_be_used() {
    let mut bench = bench();
    bench.write("one", "1");
    let steps = r#"- { name: Map, action: ExecuteBinary, inputs: { path: echo, arguments: [a, "b c"] } }
- { name: List, action: ReadFile, inputs: [{ path: one }, { path: "{{ build.Map.outputs.stdout }}/../one", encoding: utf8 }], onFailure: Ignore }
- name: Use
  action: ExecuteBinary
  inputs:
    path: echo
    arguments:
      - "{{ build.Map.inputs.path }} {{ build.Map.inputs.arguments }}"
      - "{{ build.List.inputs[1].path }} {{ build.List.inputs[1].encoding }} {{ build.List.inputs[0].path }}"
- { name: Condition, action: Assert, inputs: { stringEquals: "a b c", value: "{{ build.Map.outputs.stdout }}" } }
- { name: Asserted, action: ExecuteBinary, inputs: { path: echo, arguments: ["{{ build.Condition.inputs.value }}"] } }
"#;
    let summary = bench.steps(&[steps]);
    assert_eq!(summary.status, RunStatus::Success, "{}", summary.failure_message);
    let lines = bench.lines();
    assert!(lines.contains(&"echo a,b c a b c/../one utf8 one".to_owned()), "{lines:?}");
    assert_eq!(lines.last().map(String::as_str), Some("a b c"));
}

#[test]
fn outputs_can_be_items_of_a_loop() {
    let mut bench = bench();
    for name in ["x.txt", "y.txt", "z.md"] {
        bench.write(name, name);
    }
    let steps = r#"- { name: List, action: ListFiles, inputs: [{ path: DIR, fileNamePattern: "*.txt" }] }
- name: Read
  action: ReadFile
  loop: { name: file, forEach: { list: "{{ build.List.outputs[0].files }}" } }
  inputs: [{ path: "{{ file.value }}" }]
- name: Each
  action: ExecuteBinary
  loop: { forEach: ["<{{ build.List.outputs.files }}>", "<{{ build.Read.outputs[0].content }}>"] }
  inputs: { path: echo, arguments: ["{{ loop.index }} {{ loop.value }}"] }
"#;
    let summary = bench.steps(&[steps]);
    assert_eq!(summary.status, RunStatus::Success, "{}", summary.failure_message);
    let folder = format!("{}/", bench.directory.path().display());
    let lines: Vec<String> = bench.lines().iter().map(|line| line.replace(&folder, "")).collect();
    assert_eq!(lines, ["0 <x.txt,y.txt>", "1 <x.txt", "y.txt>"]);
}

#[test]
fn outputs_of_steps_without_success_are_empty_and_that_is_said() {
    let mut bench = bench();
    let steps = bash("Skipped", "echo a", ", if: { fileExists: none }")
        + &bash("Failed", "echo b; exit 1", ", onFailure: Ignore")
        + &bash("Use", "echo \"[{{ build.Skipped.outputs.stdout }}{{ build.Failed.outputs.stdout }}]\"", "");
    assert_eq!(bench.steps(&[&steps]).status, RunStatus::Success);
    let lines = bench.lines();
    assert_eq!(
        lines[lines.len() - 3..],
        [
            "amiforge: warning: `build.Skipped.outputs.stdout` is empty, because that step did not succeed",
            "amiforge: warning: `build.Failed.outputs.stdout` is empty, because that step did not succeed",
            "[]"
        ]
    );
}

#[test]
fn static_inputs_of_a_later_step_are_known_beforehand() {
    let mut bench = bench();
    let text = "constants: [{ Folder: { type: string, value: DIR } }]\n".to_owned()
        + &document(
            r#"- name: Before
  action: ExecuteBinary
  inputs: { path: echo, arguments: ["{{ build.Later.inputs[1].path }}", "{{ validate.Never.inputs.commands }}"] }
- { name: Skipped, action: CreateFile, inputs: [{ path: "{{ Folder }}/c" }], if: { fileExists: none } }
- { name: Later, action: CreateFile, inputs: [{ path: a }, { path: "{{ Folder }}/b", content: "{{ build.Skipped.inputs[0].path }}" }] }
- { name: After, action: ExecuteBinary, onFailure: Ignore, inputs: { path: echo, arguments: ["{{ validate.Moving.inputs.path }}"] } }
"#,
        )
        + &phase(
            "validate",
            &(bash("Never", "true", "")
                + "- { name: Moving, action: ExecuteBinary, inputs: { path: \"{{ validate.Never.outputs.stdout }}\" } }\n"),
        );
    let mut request = bench.request(&[&text]);
    request.phases = vec!["build".into()];
    let summary = bench.run(&request);
    assert_eq!(summary.status, RunStatus::Success, "{}", summary.failure_message);
    let folder = bench.directory.path().display().to_string();
    assert_eq!(bench.lines(), [format!("{folder}/b true")]);
    assert_eq!(bench.read("b"), [format!("{folder}/c")]);
    assert_eq!(
        bench.message("After"),
        "`validate.Moving.inputs.path` is not known before that step has run: it is made from other steps or a loop; \
         write its parts here"
    );
}

#[test]
fn inputs_and_outputs_are_told_in_the_shapes_of_the_language() {
    let mut bench = bench();
    let steps = r#"- { name: Bash, action: ExecuteBash, inputs: { commands: ["echo {{ context:step }}"] } }
- { name: Files, action: CreateFile, inputs: [{ path: a, content: x, overwrite: false }, { path: b }] }
- { name: Read, action: ReadFile, inputs: [{ path: a }, { path: b }] }
- { name: Restart, action: ExecuteBinary, inputs: { path: "true" } }
- { name: Holds, action: Assert, inputs: { and: [{ fileExists: a }, { not: { numberEquals: 1, value: 2 } }] } }
- { name: Wait, action: Reboot, inputs: { delaySeconds: 0 } }
"#;
    assert_eq!(bench.steps(&[steps]).status, RunStatus::RebootRequired);
    let told = |name: &str| bench.told(name);
    assert_eq!(told("Bash"), (r#"[{"commands":["echo Bash"]}]"#.into(), r#"[{"stdout":"Bash"}]"#.into()));
    let files = r#"[{"content":"x","overwrite":false,"path":"a"},{"path":"b"}]"#;
    assert_eq!(told("Files"), (files.into(), "[{},{}]".into()));
    assert_eq!(told("Read").1, r#"[{"content":"x"},{"content":""}]"#);
    assert_eq!(told("Restart"), (r#"[{"path":"true"}]"#.into(), r#"[{"stdout":""}]"#.into()));
    let holds = r#"[{"and":[{"fileExists":"a"},{"not":{"numberEquals":"1","value":"2"}}]}]"#;
    assert_eq!(told("Holds"), (holds.into(), "[]".into()));
    assert_eq!(told("Wait").0, r#"[{"delaySeconds":0}]"#);
}

#[test]
fn output_that_is_too_long_to_be_kept_is_told_as_null_and_cannot_be_used() {
    let mut bench = bench();
    let steps =
        bash("Long", "head -c 17000000 /dev/zero", "") + &bash("Use", "echo {{ build.Long.outputs.stdout }}", "");
    let summary = bench.steps(&[&steps]);
    assert_eq!(bench.told("Long").1, r#"[{"stdout":null}]"#);
    assert!(summary.failure.unwrap().message.contains("longer than 16 MiB"));
}

//! `amiforge lint` as users and pipelines see it: what is selected, what is printed in each format, what is mended, and how
//! it ends.

mod harness;

use harness::Env;
use std::io::Write as _;
use std::process::Stdio;

const CLEAN: &str = "\
name: motd
description: Says what this image is
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: WriteMotd
        action: CreateFile
        timeoutSeconds: 60
        inputs:
          - path: /etc/motd
            permissions: \"0644\"
            content: |
              golden
";

fn doubtful() -> String {
    CLEAN.replace("        timeoutSeconds: 60\n", "        timeoutSeconds: 60\n        onFailure: Continue\n")
}

/// An environment whose files are in no project.
fn env() -> Env {
    let env = Env::new();
    env.write("motd.yaml", CLEAN);
    env
}

/// A project around the component.
fn project(settings: &str) -> Env {
    let env = Env::new();
    env.write("amiforge.yaml", &format!("project: acme\n{settings}"));
    env.write("components/motd.yaml", CLEAN);
    env.write("recipes/web.yaml", "os: debian-12\nparent: { ssm: /a/b }\nbuild: [motd]\ntest: [boots]\n");
    env
}

#[test]
fn clean_ends_with_0_findings_with_3_and_what_cannot_be_used_with_2() {
    let env = env();
    assert_eq!(env.expect(0, &["lint", "motd.yaml"]).stdout, "1 component document checked: nothing found\n");
    env.write("doubtful.yaml", &doubtful());
    assert!(env.expect(0, &["lint", "doubtful.yaml"]).stdout.contains("warning[S014]"));
    env.expect(3, &["lint", "doubtful.yaml", "--fail-on", "warning"]);
    env.write("broken.yaml", &CLEAN.replace("CreateFile", "CreatFile"));
    let found = env.expect(3, &["lint", "broken.yaml", "motd.yaml"]);
    assert!(
        found.stdout.contains("error[S001]: unknown action `CreatFile`") && found.stdout.contains("broken.yaml:8:17")
    );
    assert!(found.stdout.ends_with("2 component documents checked: 1 error\n"), "{}", found.stdout);
    assert_eq!(found.stderr, "");
    std::fs::create_dir(env.project().join("empty")).expect("a folder");
    for unusable in [&["lint", "absent.yaml"][..], &["lint", "motd.yaml", "empty"], &["lint", "--only", "S999"]] {
        env.expect(2, unusable);
    }
}

#[test]
fn selecting_nothing_is_an_error() {
    let env = Env::new();
    env.write("notes.txt", "phases: of the moon\n");
    let outcome = env.expect(2, &["lint", "."]);
    assert!(outcome.stderr.contains("there is no component document in ."), "{}", outcome.stderr);
    env.write("main.tf", "resource \"aws_instance\" \"x\" {}\n");
    env.expect(2, &["lint", "main.tf"]);
    env.write("template.yaml", "Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n");
    env.expect(2, &["lint", "template.yaml"]);
}

#[test]
fn standard_input_is_a_document() {
    let env = env();
    let lint = |text: &str| {
        let mut command = env.command(&["lint", "-"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        child.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("it reads");
        let output = child.wait_with_output().expect("it ends");
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    assert_eq!(lint(CLEAN).0, Some(0));
    let (code, text) = lint(&CLEAN.replace("path:", "paht:"));
    assert_eq!(code, Some(3));
    assert!(text.contains("<stdin>:11:13") && text.contains("did you mean `path`?"), "{text}");
}

#[test]
fn levels_come_from_the_project_and_from_the_command_line() {
    let env = project("lint: { fail_on: warning, rules: { on-failure-continue: note } }\n");
    env.expect(0, &["lint"]);
    env.write("components/motd.yaml", &doubtful());
    assert!(env.expect(0, &["lint"]).stdout.contains("note[S014]"));
    assert!(env.expect(0, &["lint", "components/motd.yaml"]).stdout.contains("note[S014]"));
    env.expect(3, &["lint", "--rule", "S014=warning"]);
    env.expect(3, &["lint", "--rule", "S014=error", "--fail-on", "error"]);
    assert!(!env.expect(0, &["lint", "--rule", "S014=off"]).stdout.contains("S014"));
    assert!(!env.expect(0, &["lint", "--only", "S015"]).stdout.contains("S014"));
    let refused = env.expect(2, &["lint", "--rule", "S001=off"]);
    assert!(refused.stderr.contains("the service refuses"), "{}", refused.stderr);
}

#[test]
fn settings_that_cannot_be_meant_are_refused() {
    for (settings, place) in [
        ("lint: { rules: { S999: off } }\n", "amiforge.yaml:2:18"),
        ("lint: { rules: { S001: off } }\n", "amiforge.yaml:2:24"),
        ("lint: { rules: { S014: of } }\n", "amiforge.yaml:2:24"),
        ("lint: { fail_on: never }\n", "amiforge.yaml:2:18"),
        ("lint: { accounts: [\"12\"] }\n", "amiforge.yaml:2:20"),
        ("lint: { rulse: {} }\n", "amiforge.yaml:2:9"),
    ] {
        let env = project(settings);
        let outcome = env.expect(2, &["lint"]);
        assert!(outcome.stdout.contains(place), "{settings}{}", outcome.stdout);
        env.expect(2, &["lint", "components/motd.yaml"]);
    }
}

#[test]
fn what_is_allowed_in_place_is_not_told() {
    let env = env();
    env.write(
        "motd.yaml",
        &doubtful().replace("Continue", "Continue # amiforge: allow[S014] it is checked at the end"),
    );
    assert!(env.expect(0, &["lint", "motd.yaml"]).stdout.contains("nothing found"));
    env.write("motd.yaml", &CLEAN.replace("60\n", "60 # amiforge: allow[S014] it was there once\n"));
    assert!(env.expect(0, &["lint", "motd.yaml"]).stdout.contains("warning[U001]"));
    env.expect(0, &["lint", "motd.yaml", "--fix"]);
    assert_eq!(env.read("motd.yaml"), CLEAN);
}

#[test]
fn recipes_are_checked_against_their_components() {
    let env = project("");
    let lint = |recipe: &str| {
        env.write("recipes/web.yaml", &format!("os: debian-12\nparent: {{ ssm: /a/b }}\n{recipe}"));
        let outcome = env.run(&["lint"]);
        (outcome.code, outcome.stdout)
    };
    let parameter = "parameters:\n  - Text:\n      type: string\n      description: What it says\nphases:";
    let document = CLEAN.replace("phases:", parameter).replace("golden", "{{ Text }}");
    env.write("components/motd.yaml", &document);
    for (recipe, code, text) in [
        ("build: [motd: { Text: x }]\ntest: [boots]\n", 0, "nothing found"),
        ("build: [motd]\ntest: [boots]\n", 2, "error[P019]: `motd` needs the parameter `Text`"),
        ("build: [motd: { Text: x, Txt: y }]\ntest: [boots]\n", 2, "error[P019]: `motd` has no parameter `Txt`"),
        ("build: [boots]\ntest: [hygiene]\n", 2, "error[P017]"),
        ("build: [patch-linux]\ntest: [boots]\n", 0, "warning[P024]: no recipe uses the component `motd`"),
    ] {
        let (found, output) = lint(recipe);
        assert!(found == code && output.contains(text), "{recipe}{found}\n{output}");
    }
    let many: Vec<String> = (0..21).map(|n| format!("c{n:02}")).collect();
    let many = many.join(", ");
    for n in 0..21 {
        env.write(&format!("components/c{n:02}.yaml"), CLEAN);
    }
    assert!(lint(&format!("build: [{many}]\ntest: [boots]\n")).1.contains("error[P010]"));
}

#[test]
fn the_platform_of_a_recipe_is_that_of_its_components() {
    let env = project("");
    env.write("components/motd.yaml", &CLEAN.replace("            permissions: \"0644\"\n", ""));
    env.write(
        "recipes/web.yaml",
        "os: windows-server-2022\nparent: { ssm: /a/b }\nbuild: [motd]\ntest: [boots-windows]\n",
    );
    env.expect(0, &["lint"]);
    let bash = "\
name: greet
description: Greets
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: Greet
        action: ExecuteBash
        timeoutSeconds: 60
        inputs:
          commands: [echo hello]
";
    env.write("components/motd.yaml", bash);
    let outcome = env.expect(3, &["lint"]);
    assert!(outcome.stdout.contains("error[S002]"), "{}", outcome.stdout);
    assert!(env.run(&["render", "web"]).code == 3, "what is refused is not rendered");
}

#[test]
fn fixes_keep_comments_and_layout() {
    let env = env();
    let text = CLEAN
        .replace("schemaVersion: 1.0", "schemaVersion: 1   # old habit")
        .replace("permissions: \"0644\"", "permissions: 0644 # octal");
    env.write("motd.yaml", &text);
    let diff = env.expect(3, &["lint", "motd.yaml", "--diff"]).stdout;
    assert!(
        diff.contains("-            permissions: 0644 # octal\n+            permissions: \"0644\" # octal"),
        "{diff}"
    );
    assert_eq!(env.read("motd.yaml"), text, "--diff changes nothing");
    let outcome = env.expect(0, &["lint", "motd.yaml", "--fix"]);
    assert!(outcome.stderr.contains("motd.yaml"), "{}", outcome.stderr);
    let mended = env.read("motd.yaml");
    assert!(
        mended.contains("schemaVersion: 1.0   # old habit") && mended.contains("permissions: \"0644\" # octal"),
        "{mended}"
    );
    assert_eq!(env.expect(0, &["lint", "motd.yaml", "--diff"]).stdout, "");
    // An empty diff is no pass.
    env.write("broken.yaml", "phases: {\n");
    let outcome = env.expect(3, &["lint", "broken.yaml", "--diff"]);
    assert!(outcome.stdout.is_empty() && outcome.stderr.contains("no fix mends"), "{}", outcome.stderr);
}

#[test]
fn every_format_names_the_rule_and_the_place() {
    let env = env();
    env.write("motd.yaml", &doubtful());
    for (format, marks) in [
        ("text", &["warning[S014]", "motd.yaml:10:20"][..]),
        ("json", &["\"schema\": \"amiforge.lint/1\"", "\"code\": \"S014\"", "\"line\": 10"]),
        ("sarif", &["\"version\": \"2.1.0\"", "\"ruleId\": \"S014\"", "\"startLine\": 10"]),
        ("junit", &["<testsuite", "S014"]),
        ("github", &["::warning file=motd.yaml,line=10,", "title=S014"]),
    ] {
        let stdout = env.expect(0, &["lint", "motd.yaml", "--format", format]).stdout;
        for mark in marks {
            assert!(stdout.contains(mark), "{format}: {mark}\n{stdout}");
        }
    }
}

#[test]
fn documents_inside_of_other_files_are_found() {
    let env = Env::new();
    let data: String = doubtful().lines().flat_map(|line| ["        ", line, "\n"]).collect::<String>();
    let template = format!(
        "Resources:\n  Motd:\n    Type: AWS::ImageBuilder::Component\n    Properties:\n      Name: motd\n      Platform: Linux\n      Version: 1.0.0\n      Data: !Sub |\n{data}"
    );
    env.write("stacks/template.yaml", &template);
    let resource = format!(
        "resource \"aws_imagebuilder_component\" \"motd\" {{\n  platform = \"Linux\"\n  data = <<-EOT\n{data}  EOT\n}}\n"
    );
    env.write("infra/main.tf", &resource);
    let outcome = env.expect(0, &["lint", "."]);
    assert!(outcome.stdout.contains("stacks/template.yaml:18:28"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("infra/main.tf:13:28"), "{}", outcome.stdout);
    assert!(outcome.stdout.ends_with("2 component documents checked: 2 warnings\n"), "{}", outcome.stdout);
}

#[test]
fn rules_are_explained_and_listed() {
    let env = Env::new();
    let page = env.expect(0, &["explain", "on-failure-continue"]).stdout;
    assert!(page.starts_with("S014: on-failure-continue (warning)") && page.contains("Instead:"), "{page}");
    let list = env.expect(0, &["explain"]).stdout;
    for code in ["A005", "P001", "Y001", "U001", "S014", "M027"] {
        assert!(list.lines().any(|line| line.starts_with(code)), "{code}");
        assert!(env.expect(0, &["explain", code]).stdout.starts_with(code));
    }
    assert!(env.expect(0, &["explain", "createfile"]).stdout.starts_with("CreateFile: Writes a file."));
    assert!(env.expect(2, &["explain", "S0144"]).stderr.contains("did you mean `S014`?"));
}

#[test]
fn the_page_of_all_rules_is_current() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rules.md");
    let page = std::fs::read_to_string(path).expect("docs/rules.md");
    let current = amiforge::component::rules::markdown();
    assert!(page == current, "docs/rules.md is out of date: amiforge explain --markdown > docs/rules.md");
}

#[test]
fn what_this_repository_ships_is_clean_at_the_strictest_level() {
    let root = env!("CARGO_MANIFEST_DIR");
    let outcome = Env::new().run(&["lint", "-C", root, "--fail-on", "note"]);
    assert_eq!(outcome.code, 0, "{}", outcome.stdout);
    assert!(outcome.stdout.contains("nothing found"), "{}", outcome.stdout);
}

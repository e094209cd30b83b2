//! What a user sees when something is wrong with their files or their command line: a located error, the right exit code,
//! and nothing created.

mod harness;

use harness::Env;

const RECIPE: &str = "\
name: web
os: debian-12
version: \"1.0\"
parent:
  ssm: /aws/service/debian/release/12/latest/{{ debian_arch }}
  local: { bootstrap: bookworm }
build:
  - patch-linux: { scope: security }
  - motd
test: [boots]
";

const MOTD: &str = "\
name: motd
description: Says hello to whoever logs in
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: WriteMotd
        action: CreateFile
        inputs:
          - path: /etc/motd
            content: hello
";

fn env() -> Env {
    let env = Env::new();
    env.write("amiforge.yaml", "project: acme\n");
    env.write("recipes/web.yaml", RECIPE);
    env.write("components/motd.yaml", MOTD);
    env
}

/// Runs `plan`, insists on the code, and that no state was made.
fn refused(env: &Env, code: i32) -> String {
    let outcome = env.expect(code, &["plan", "web"]);
    assert_eq!(outcome.stdout, "", "errors do not belong on stdout");
    assert!(!env.project().join(".amiforge").exists(), "something was created");
    outcome.stderr
}

#[test]
fn a_recipe_with_an_unknown_key_is_refused_with_a_suggestion() {
    let env = env();
    env.write("recipes/web.yaml", &RECIPE.replace("version:", "verson:"));
    let text = refused(&env, 2);
    assert!(text.contains("recipes/web.yaml:3:1"), "{text}");
    assert!(text.contains("verson") && text.contains("did you mean `version`"), "{text}");
}

#[test]
fn a_recipe_with_an_unknown_component_is_refused_with_a_suggestion() {
    let env = env();
    env.write("recipes/web.yaml", &RECIPE.replace("- motd", "- motdd"));
    let text = refused(&env, 2);
    assert!(text.contains("recipes/web.yaml:9:5"), "{text}");
    assert!(text.contains("motdd") && text.contains("`motd`"), "{text}");
}

#[test]
fn a_component_with_an_unknown_action_is_refused_with_a_suggestion() {
    let env = env();
    env.write("components/motd.yaml", &MOTD.replace("CreateFile", "CreatFile"));
    let text = refused(&env, 3);
    assert!(text.contains("components/motd.yaml:8:17"), "{text}");
    assert!(text.contains("CreatFile") && text.contains("`CreateFile`"), "{text}");
}

#[test]
fn a_wrong_type_is_refused_where_it_stands() {
    let env = env();
    env.write("recipes/web.yaml", &RECIPE.replace("test: [boots]", "test: boots"));
    let text = refused(&env, 2);
    assert!(text.contains("recipes/web.yaml:10:7"), "{text}");
}

#[test]
fn what_is_bootstrapped_cannot_be_an_option_or_another_release() {
    let env = env();
    for (wrong, place) in [
        ("{ bootstrap: bokworm }", ":6:23"),
        ("{ bootstrap: bookworm, packages: [\"-oDir::Bin::dpkg=/tmp/x\"] }", ":6:44"),
        ("{ bootstrap: bookworm, packages: [\"cron; touch /tmp/x\"] }", ":6:44"),
    ] {
        env.write("recipes/web.yaml", &RECIPE.replace("{ bootstrap: bookworm }", wrong));
        let text = refused(&env, 2);
        assert!(text.contains(&format!("recipes/web.yaml{place}")), "{text}");
    }
}

#[test]
fn an_error_is_the_last_object_of_an_ndjson_stream() {
    let env = env();
    env.write("components/motd.yaml", &MOTD.replace("CreateFile", "CreatFile"));
    let outcome = env.expect(3, &["run", "web", "--progress", "ndjson"]);
    let parse = |line| serde_json::from_str::<serde_json::Value>(line).expect("JSON on every line");
    let events: Vec<serde_json::Value> = outcome.stderr.lines().map(parse).collect();
    let last = events.last().expect("an event");
    assert_eq!(
        (last["event"].as_str(), last["code"].as_str(), last["exit"].as_u64()),
        (Some("error"), Some("A003"), Some(3))
    );
    assert_eq!(last["findings"][0]["place"], "components/motd.yaml:8:17");
}

#[test]
fn broken_yaml_is_refused_where_it_breaks() {
    let env = env();
    env.write("recipes/web.yaml", &RECIPE.replace("build:", "build: ["));
    let text = refused(&env, 2);
    assert!(text.contains("recipes/web.yaml:"), "{text}");
}

#[test]
fn a_parameter_that_no_component_declares_is_refused() {
    let env = env();
    env.write("recipes/web.yaml", &RECIPE.replace("scope: security", "scoop: security"));
    let text = env.expect(2, &["plan", "web"]).stderr;
    assert!(text.contains("scoop"), "{text}");
    assert!(!env.project().join(".amiforge").exists(), "something was created");
}

#[test]
fn errors_of_several_files_are_told_together() {
    let env = env();
    env.write("amiforge.yaml", "project: acme\nchanels: {}\n");
    env.write("recipes/web.yaml", &RECIPE.replace("version:", "verson:"));
    let text = refused(&env, 2);
    assert!(text.contains("amiforge.yaml:2:1") && text.contains("recipes/web.yaml:3:1"), "{text}");
}

#[test]
fn lint_ends_with_3_on_findings_and_0_without() {
    let env = env();
    let clean = env.expect(0, &["lint"]);
    assert!(clean.stdout.contains("checked"), "{}", clean.stdout);
    env.write("components/motd.yaml", &MOTD.replace("name: WriteMotd", "name: Write Motd"));
    let found = env.expect(3, &["lint"]);
    assert!(found.stdout.contains("components/motd.yaml:7:15"), "{}", found.stdout);
    assert!(!env.project().join(".amiforge").exists(), "lint created something");
}

#[test]
fn lint_of_a_file_needs_no_project() {
    let env = Env::new();
    env.write("motd.yaml", MOTD);
    env.expect(0, &["lint", "motd.yaml"]);
    env.write("motd.yaml", &MOTD.replace("action: CreateFile", "action: Nothing"));
    env.expect(3, &["lint", "motd.yaml"]);
    env.expect(2, &["lint", "absent.yaml"]);
}

#[test]
fn outside_of_a_project_the_error_says_how_to_make_one() {
    // Elsewhere than the other tests: above target/ there is the project of this repository.
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    let outcome = Env::new().expect(2, &["-C", &elsewhere.path().display().to_string(), "plan", "web"]);
    assert!(outcome.stderr.contains("amiforge init"), "{}", outcome.stderr);
}

#[test]
fn an_unknown_recipe_channel_or_environment_is_refused() {
    let env = env();
    assert!(env.expect(2, &["plan", "wep"]).stderr.contains("did you mean `web`?"));
    assert!(env.expect(2, &["resolve", "web", "--channel", "nowhere"]).stderr.contains("nowhere"));
    assert!(env.expect(2, &["plan", "web", "-e", "moon"]).stderr.contains("moon"));
}

#[test]
fn usage_errors_end_with_2_and_help_with_0() {
    let env = Env::new();
    env.expect(2, &["frobnicate"]);
    env.expect(2, &[]);
    assert!(env.expect(0, &["--help"]).stdout.contains("Exit codes"));
    assert!(env.expect(0, &["--version"]).stdout.starts_with("amiforge "));
}

#[test]
fn explain_knows_every_code_it_lists() {
    let env = Env::new();
    let list = env.expect(0, &["explain"]).stdout;
    assert!(list.lines().count() > 30, "{list}");
    for code in ["A005", "P001", "D002", "Y001"] {
        assert!(env.expect(0, &["explain", code]).stdout.starts_with(code));
    }
    env.expect(2, &["explain", "Z999"]);
}

#[test]
fn init_makes_a_project_that_lints_and_never_overwrites() {
    let env = Env::new();
    env.expect(0, &["init", "--name", "acme"]);
    env.expect(0, &["lint"]);
    let before = env.read("recipes/debian-12.yaml");
    env.write("amiforge.yaml", "project: mine\n");
    assert!(env.expect(2, &["init"]).stderr.contains("already there"));
    assert_eq!(env.read("amiforge.yaml"), "project: mine\n");
    assert_eq!(env.read("recipes/debian-12.yaml"), before);
}

#[test]
fn render_prints_the_documents_for_every_operating_system() {
    let env = Env::new();
    let root = env!("CARGO_MANIFEST_DIR");
    for recipe in ["debian-12", "debian-13", "ubuntu-24.04", "amazon-linux-2023", "rhel-9", "windows-server-2022"] {
        let text = env.expect(0, &["-C", root, "render", recipe, "--arch", "x86_64"]).stdout;
        assert!(text.contains("schemaVersion") && text.contains("# parent image"), "{text}");
    }
}

#[test]
fn missing_mmdebstrap_is_named_with_the_command_that_installs_it() {
    let env = env();
    // In a mount namespace of its own, with a whiteout where the program would be: /usr/bin without mmdebstrap.
    let script = "mkdir \"$1/hide\" && mknod \"$1/hide/mmdebstrap\" c 0 0 && \
        mount -t overlay overlay -o \"lowerdir=$1/hide:/usr/bin\" /usr/bin && exec \"$2\" run web";
    let base = env.base().display().to_string();
    let amiforge = env.command(&[]).get_program().to_owned();
    let mut command = std::process::Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, "sh", &base]).arg(amiforge).current_dir(env.project());
    for (name, value) in env.command(&[]).get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    let output = command.output().expect("unshare starts");
    let text = env.normal(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("mmdebstrap") && text.contains("apt-get install -y mmdebstrap"), "{text}");
}

#[test]
fn what_a_user_sees_of_a_misspelled_key() {
    let env = env();
    env.write("recipes/web.yaml", &RECIPE.replace("version:", "verson:"));
    insta::assert_snapshot!(refused(&env, 2), @r#"
    error[P002]: `verson` is not a key of this file
     --> recipes/web.yaml:3:1
      |
    3 | verson: "1.0"
      | ^^^^^^ did you mean `version`?
      |
      = help: known: name, os, architectures, version, parent, build, test, baseline, patch_overrides, hooks, root_volume, gates, workflows, pipeline, promote

    1 error
    "#);
}

#[test]
fn what_a_user_sees_of_an_unknown_action() {
    let env = env();
    env.write("components/motd.yaml", &MOTD.replace("CreateFile", "CreatFile"));
    insta::assert_snapshot!(refused(&env, 3), @"
    error[S001]: unknown action `CreatFile`
     --> components/motd.yaml:8:17
      |
    8 |         action: CreatFile
      |                 ^^^^^^^^^ no action module has this name
      |
      = help: did you mean `CreateFile`?

    1 error
    ");
}

/// Fingerprints and ids follow from content that may change; their places and lengths may not.
fn without_digests(text: &str) -> String {
    let text = replace_hex(text, "ami-", "ami-(17 digits)");
    let text = replace_hex(&text, "[", "[(12 digits)");
    replace_hex(&text, "fingerprint ", "fingerprint (12 digits)")
}

/// Replaces `pattern` and the hexadecimal digits (12 or 17) that follow it.
fn replace_hex(text: &str, pattern: &str, replacement: &str) -> String {
    let mut parts = text.split(pattern);
    let mut out = parts.next().unwrap_or("").to_owned();
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_hexdigit).count();
        out.push_str(if matches!(digits, 12 | 17) { replacement } else { pattern });
        out.push_str(if matches!(digits, 12 | 17) { &part[digits..] } else { part });
    }
    out
}

#[test]
fn what_a_user_sees_of_a_plan() {
    let env = env();
    let plan = env.expect(0, &["plan", "web"]).stdout;
    insta::assert_snapshot!(without_digests(&plan), @"
    plan for web (x86_64) in environment local
      parent image ami-(17 digits), fingerprint (12 digits)

      + component acme-web-patch-linux 1.0.0  [(12 digits)]  new
      + component acme-motd 1.0.0  [(12 digits)]  new
      + component acme-boots 1.0.0  [(12 digits)]  new
      + image recipe acme-web-x86-64 1.0.0  [(12 digits)]  new
      + infrastructure configuration acme-local  [(12 digits)]  new
      = patch baseline AWS-DebianDefaultPatchBaseline  [(12 digits)]  AWS's own, default of DEBIAN
      + image  no image with this fingerprint
      takes  unknown: nothing like it was built here yet

    5 to create, 0 to update, 1 kept.
    ");
}

#[test]
fn every_shipped_recipe_can_be_planned_without_an_account() {
    let env = Env::new();
    for name in ["amiforge.yaml", "recipes", "components", "templates", "baselines"] {
        let from = format!("{}/{name}", env!("CARGO_MANIFEST_DIR"));
        let copied = std::process::Command::new("cp").arg("-r").arg(from).arg(env.project()).status().expect("cp");
        assert!(copied.success());
    }
    for recipe in ["debian-12", "debian-13", "ubuntu-24.04", "amazon-linux-2023", "rhel-9", "windows-server-2022"] {
        let plan = env.expect(4, &["plan", recipe, "--arch", "x86_64", "--detailed-exitcode"]).stdout;
        assert!(plan.contains("+ image recipe amiforge-demo-"), "{plan}");
    }
    let refused = env.expect(2, &["build", "amazon-linux-2023", "--arch", "x86_64"]).stderr;
    assert!(refused.contains("local"), "{refused}");
}

#[test]
fn a_build_of_nothing_is_an_error_that_says_how_something_is_selected() {
    let env = env();
    for (arguments, words) in [
        (&["build"][..], &["no recipe was named", "web", "--all"][..]),
        (&["build", "wep"], &["no recipe `wep`", "did you mean `web`"]),
        (&["build", "--all", "--except", "w*"], &["nothing is left of the project's 1 recipes", "--except"]),
        (&["build", "web", "--detach"], &["a build ends with the command that runs it", "--environment"]),
        (&["build", "web", "--jobs", "0"], &["--jobs"]),
        (&["status", "--only", "z*"], &["nothing is left"]),
        (&["watch", "web", "arn:aws:imagebuilder:r:1:image/x/1.0.0/1"], &["cannot be watched in one command"]),
        (&["watch", "arn:aws:imagebuilder:r:1:image/x/1.0.0/1"], &["is a build of no recipe of this project"]),
        (&["approve"], &["no build was named", "amiforge status"]),
    ] {
        let outcome = env.expect(2, arguments);
        assert_eq!(outcome.stdout, "", "{arguments:?}");
        for word in words {
            assert!(outcome.stderr.contains(word), "`{word}` is missing after {arguments:?} in:\n{}", outcome.stderr);
        }
    }
    assert!(!env.project().join(".amiforge").exists(), "something was created");
}

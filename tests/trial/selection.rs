//! What is chosen, and what is refused before anything runs.

use crate::harness::{Env, Test, component, root};
use std::process::Command;

pub const TESTS: &[Test] = &[
    ("a_document_that_fails_lint_does_not_run", lint),
    ("what_cannot_be_executed_here_does_not_run", not_executable),
    ("nothing_selected_is_an_error", nothing),
    ("names_that_are_unknown_are_answered_with_a_suggestion", unknown),
    ("recipes_without_a_root_are_skipped_unless_named", without_root),
    ("a_file_needs_no_project", without_project),
    ("a_place_for_the_report_is_tried_first", unwritable),
    ("a_mode_of_the_sandbox_can_be_insisted_on", mode),
];

/// Nothing was started: there is no state.
fn untouched(env: &Env) {
    assert!(!env.project().join(".amiforge").exists(), "something was made");
}

fn lint() {
    let good = component(&[("build", &[("Good", "true")])]);
    let env = Env::new(&[("good", &good)]);
    env.write("bad.yaml", &good.replace("ExecuteBash", "ExecuteBahs"));
    let outcome = env.expect(3, &["test", "good", "bad.yaml", "--root", &root()]);
    assert_eq!(outcome.stdout, "");
    assert!(outcome.stderr.contains("bad.yaml:8:17") && outcome.stderr.contains("`ExecuteBash`"), "{}", outcome.stderr);
    untouched(&env);
}

fn not_executable() {
    let windows = "name: w\ndescription: w\nschemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - name: One\n        \
        action: ExecutePowerShell\n        timeoutSeconds: 60\n        inputs:\n          commands: ['exit 0']\n";
    let env = Env::new(&[]);
    env.write("windows.yaml", windows);
    let outcome = env.expect(3, &["test", "windows.yaml", "--root", &root()]);
    assert!(outcome.stderr.contains("windows.yaml:8:17"), "{}", outcome.stderr);
    untouched(&env);
}

fn nothing() {
    let env = Env::new(&[("good", &component(&[("build", &[("Good", "true")])]))]);
    for (arguments, says) in [
        (&["test"][..], "the project has no recipe"),
        (&["test", "good", "--phases", "test"], "`good` has none of the phases test"),
        (&["test", "good", "--phases", "biuld,test"], "did you mean `build`?"),
        (&["test", "x-*"], "there is no recipe, component or file `x-*`"),
    ] {
        let outcome = env.expect(2, &[arguments, &["--root", &root()]].concat());
        assert!(outcome.stderr.contains(says), "{}", outcome.stderr);
        assert_eq!(outcome.stdout, "");
    }
    untouched(&env);
}

fn unknown() {
    let env = Env::new(&[("motd", &component(&[("build", &[("Good", "true")])]))]);
    for (arguments, says) in [(["test", "modt"], "did you mean `motd`?"), (["test", "bots"], "did you mean `boots`?")] {
        assert!(env.expect(2, &arguments).stderr.contains(says));
    }
    let text = env.expect(2, &["test", "motd", "--os", "debian-21"]).stderr;
    assert!(text.contains("there is no operating system `debian-21`") && text.contains("did you mean"), "{text}");
    let text = env.expect(2, &["test", "motd", "--os", "rhel-9"]).stderr;
    assert!(text.contains("--root rhel-9=oci:REFERENCE"), "{text}");
    assert!(env.expect(2, &["test", "motd", "--os", "windows-server-2022"]).stderr.contains("run Linux"));
    assert!(env.expect(2, &["test", "motd", "--root", "/nonexistent"]).stderr.contains("there is no such folder"));
    untouched(&env);
}

fn without_root() {
    let env = Env::new(&[("good", &component(&[("build", &[("Good", "true")])]))]);
    let recipe = |name: &str, os: &str, local: &str| {
        let text = format!(
            "name: {name}\nos: {os}\nversion: \"1.0\"\nparent: {{ ssm: \"/x/{{{{ arch }}}}\"{local} }}\nbuild: [good]\ntest: [boots]\n\
             architectures: [x86_64, arm64]\npromote: {{ launch_template: \"{name}-{{{{ arch }}}}-{{{{ channel }}}}\", \
             parameter: \"/golden/{name}/{{{{ arch }}}}/{{{{ channel }}}}\" }}\n"
        );
        env.write(&format!("recipes/{name}.yaml"), &text);
    };
    recipe("local", "debian-12", &format!(", local: {{ directory: {} }}", root()));
    recipe("remote", "rhel-9", "");
    let text = env.expect(0, &["test", "--offline", "--progress", "none"]).stdout;
    assert!(text.contains("1 trial passed, 1 skipped") && text.contains("remote@rhel-9"), "{text}");
    // The same from elsewhere, with a relative project.
    let mut command: Command = env.command(&["test", "local", "-C", "project", "--offline", "--progress", "none"]);
    assert!(command.current_dir(&env.base).output().unwrap().status.success());
    let text = env.expect(2, &["test", "remote"]).stderr;
    assert!(text.contains("nothing would be tested: remote: its `parent` has no `local` root"), "{text}");
    let text = env.expect(0, &["test", "remote", "--offline", "--root", &format!("rhel-9={}", root())]).stdout;
    assert!(text.contains("remote@rhel-9  passed"), "{text}");
}

fn without_project() {
    let env = Env::new(&[]);
    let folder = env.base.join("elsewhere");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("loose.yaml"), component(&[("build", &[("Good", "true")])])).unwrap();
    let run = |words: &[&str]| {
        let mut command: Command = env.command(words);
        let output = command.current_dir(&folder).output().unwrap();
        (output.status.code(), env.normal(&output.stdout) + &env.normal(&output.stderr))
    };
    let (code, text) = run(&["test", "loose.yaml", "--offline", "--root", &root(), "--progress", "none"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("loose@root-12  passed"), "{text}");
    let (code, text) = run(&["test", "boots"]);
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("there is no amiforge.yaml here or above"), "{text}");
}

fn unwritable() {
    let env = Env::new(&[("good", &component(&[("build", &[("Good", "true")])]))]);
    let outcome = env.expect(2, &["test", "good", "--root", &root(), "--junit", "no/such/folder.xml"]);
    assert!(outcome.stderr.contains("no/such/folder.xml cannot be written"), "{}", outcome.stderr);
    untouched(&env);
}

fn mode() {
    let env = Env::new(&[("good", &component(&[("build", &[("Good", "true")])]))]);
    let arguments = ["test", "good", "--offline", "--root", &root(), "--sandbox"];
    let mode = amiforge::sandbox::probe(&env.base).unwrap();
    env.expect(0, &[&arguments[..], &[mode.name()]].concat());
    let outcome = env.expect(2, &[&arguments[..], &["no-such-mode"]].concat());
    assert!(outcome.stderr.contains(mode.name()) && outcome.stdout.is_empty(), "{}", outcome.stderr);
}

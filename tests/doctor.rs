//! `doctor` in the local environment, by the binary.

mod harness;

use harness::Env;
use serde_json::Value;

const RECIPE: &str = "\
os: debian-12
parent:
  ssm: /aws/service/debian/release/12/latest/{{ debian_arch }}
  local: { tar: roots/base.tar }
build: [patch-linux]
test: [boots]
";

fn env() -> Env {
    let env = Env::new();
    env.write("amiforge.yaml", "project: acme\n");
    env.write("recipes/web.yaml", RECIPE);
    env.write("roots/base.tar", "");
    env
}

fn check<'a>(report: &'a Value, id: &str) -> &'a Value {
    let all = report["checks"].as_array().expect("checks");
    all.iter().find(|check| check["id"] == id).unwrap_or_else(|| panic!("no check {id}"))
}

#[test]
fn a_machine_that_builds_is_told_what_it_has() {
    let env = env();
    let outcome = env.expect(0, &["doctor", "--format", "json"]);
    let report: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    assert_eq!((&report["schema"], &report["environment"]), (&"amiforge.doctor/1".into(), &"local".into()));
    for id in ["namespaces", "limits", "room", "programs", "sources", "image-keys", "state"] {
        let status = check(&report, id)["status"].as_str().expect("a status");
        assert!(matches!(status, "ok" | "warning"), "{id} is {status}: {report:#}");
    }
    let text = env.expect(0, &["doctor"]).stdout;
    assert!(text.contains("environment local of acme") && text.contains("instances run in mode"), "{text}");
    // Nothing is left running, mounted or lying about.
    let left = std::fs::read_dir(env.project().join(".amiforge")).expect("the state");
    let left: Vec<_> = left.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    assert!(!left.iter().any(|name| name.starts_with(".probe") || name.starts_with(".limits")), "{left:?}");
}

#[test]
fn what_a_recipe_names_and_is_not_there_is_a_problem() {
    let env = env();
    std::fs::remove_file(env.project().join("roots/base.tar")).expect("the tar");
    let outcome = env.expect(2, &["doctor", "--only", "sources,programs"]);
    assert!(outcome.stdout.contains("roots/base.tar does not exist"), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("correct `parent.local` in the recipe"), "{}", outcome.stdout);
    assert!(!outcome.stdout.contains("namespaces"), "only what was asked for: {}", outcome.stdout);
    // One that makes no root of a file is not asked for it.
    env.write("recipes/web.yaml", &RECIPE.replace("{ tar: roots/base.tar }", "{ oci: \"debian:12\" }"));
    let outcome = env.run(&["doctor", "--only", "sources,programs", "--format", "json"]);
    let report: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    assert_eq!(check(&report, "sources")["status"], "ok");
    let programs = check(&report, "programs");
    let what = programs["findings"][0]["what"].as_str().expect("a finding");
    let there = ["skopeo", "podman", "docker"].iter().any(|name| {
        ["/usr/local/bin", "/usr/bin", "/bin"].iter().any(|folder| std::path::Path::new(folder).join(name).is_file())
    });
    assert_eq!(programs["status"], if there { "ok" } else { "problem" }, "{what}");
}

#[test]
fn a_state_that_cannot_be_opened_is_a_problem_and_not_the_end() {
    let env = env();
    env.write(".amiforge", "a file in the way\n");
    let outcome = env.run(&["doctor", "--format", "json"]);
    assert_ne!(outcome.code, 0, "{}", outcome.stdout);
    let report: Value = serde_json::from_str(&outcome.stdout).expect("a report all the same");
    assert_eq!(check(&report, "state")["status"], "problem", "{report:#}");
    assert_eq!(check(&report, "namespaces")["status"], "problem", "{report:#}");
}

#[test]
fn unknown_checks_and_environments_are_refused() {
    let env = env();
    let text = env.expect(2, &["doctor", "--only", "namspaces"]).stderr;
    assert!(text.contains("did you mean `namespaces`?"), "{text}");
    let text = env.expect(2, &["-e", "prod", "doctor"]).stderr;
    assert!(text.contains("there is no environment `prod`"), "{text}");
}

#[test]
fn without_credentials_all_of_aws_is_unknown_and_it_ends_with_12() {
    let env = env();
    let aws = "project: acme\nenvironments:\n  prod:\n    home: { account: \"111122223333\", region: eu-central-1 }\n";
    env.write("amiforge.yaml", aws);
    let mut command = env.command(&["-e", "prod", "doctor", "--format", "json"]);
    // A machine of EC2 would have credentials; this one is told that it is none.
    let output = command.env("AWS_EC2_METADATA_DISABLED", "true").output().expect("the binary starts");
    assert_eq!(output.status.code(), Some(12), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let credentials = check(&report, "credentials");
    assert_eq!(credentials["status"], "problem");
    let what = credentials["findings"][0]["what"].as_str().expect("a sentence");
    assert!(what.starts_with("no AWS credentials") && !what.contains('\n') && what.len() < 200, "{what}");
    assert!(report["checks"].as_array().expect("checks")[1..].iter().all(|check| check["status"] == "unknown"));
}

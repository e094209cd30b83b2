//! The table behind `iam-policy` is held against the code: what the source calls is in it and nothing else, and what the
//! verbs call in the local environment is among their rows.

mod harness;
mod support;

use amiforge::access::{Verb, needs};
use harness::Env;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Operations of the table, `service.Operation`, of some verbs.
fn listed(verbs: impl IntoIterator<Item = Verb>) -> BTreeSet<String> {
    verbs.into_iter().flat_map(needs).filter_map(|need| need.operation).map(str::to_owned).collect()
}

fn everything() -> BTreeSet<String> {
    listed(Verb::ENVIRONMENT.into_iter().chain([Verb::Component]))
}

fn bare(operations: &BTreeSet<String>) -> BTreeSet<String> {
    operations.iter().filter_map(|name| name.split_once('.')).map(|(_, name)| name.to_owned()).collect()
}

/// Source files that are part of the program and call AWS: not the local environment, which answers calls, and no tests.
fn sources(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of sources").flatten() {
        let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        if path.is_dir() {
            if !(name.ends_with("tests") || path.ends_with("src/local")) {
                sources(&path, into);
            }
        } else if path.extension().is_some_and(|end| end == "rs") && !name.ends_with("tests.rs") && name != "fake.rs" {
            into.push(path);
        }
    }
}

fn code() -> String {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    assert!(files.len() > 200, "the sources were not found");
    let text = |path: &PathBuf| {
        let text = fs::read_to_string(path).expect("a source file");
        text.split("#[cfg(test)]\nmod ").next().unwrap_or_default().to_owned()
    };
    files.iter().map(text).collect()
}

/// `list_objects_v2` of `ListObjectsV2`.
fn snake(name: &str) -> String {
    let mut out = String::new();
    for c in name.replace("V2", "_v2").chars() {
        if c.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(c.to_ascii_lowercase());
    }
    out
}

#[test]
fn the_table_has_every_operation_that_the_code_calls_and_no_other() {
    let (code, table) = (code(), bare(&everything()));
    let mut known: BTreeSet<String> = table.clone();
    known.extend(amiforge::local::operations().into_iter().map(|(_, name)| name.to_owned()));
    // What is called on `self` is no client of a service.
    let is_called = |name: &String| {
        let call = format!(".{}()", snake(name));
        code.match_indices(&call).any(|(at, _)| !code[..at].ends_with("self"))
    };
    let called: BTreeSet<String> = known.into_iter().filter(is_called).collect();
    let missing: Vec<_> = called.difference(&table).collect();
    assert!(missing.is_empty(), "called, but not in src/access/table.rs: {missing:?}");
    let idle: Vec<_> = table.difference(&called).collect();
    assert!(idle.is_empty(), "in src/access/table.rs, but never called: {idle:?}");
}

#[test]
fn operations_that_errors_name_are_in_the_table() {
    // A call of a service that the local environment has not would escape the test above; but every call names its
    // operation for its error.
    let (code, table) = (code(), bare(&everything()));
    let mut named = BTreeSet::new();
    for head in ["CallError::of(\"", "fault(\"", "failed(\"", "asked(\""] {
        let operations = code.split(head).skip(1).filter_map(|rest| rest.split('"').next());
        let camel = |name: &&str| {
            name.starts_with(|c: char| c.is_ascii_uppercase()) && name.contains(|c: char| c.is_ascii_lowercase())
        };
        named.extend(operations.filter(camel).map(str::to_owned));
    }
    assert!(named.len() > 40, "{named:?}");
    let missing: Vec<_> = named.difference(&table).collect();
    assert!(missing.is_empty(), "named by errors, but not in src/access/table.rs: {missing:?}");
}

#[test]
fn permissions_belong_to_the_service_of_their_operation() {
    for verb in Verb::ENVIRONMENT.into_iter().chain([Verb::Component]) {
        for need in needs(verb) {
            let Some((service, operation)) = need.operation.and_then(|name| name.split_once('.')) else { continue };
            let (prefix, action) = need.action.split_once(':').expect("an action");
            assert_eq!(prefix, service, "{}", need.action);
            assert!(service == "s3" || action == operation, "{} for {operation}", need.action);
        }
    }
}

fn project() -> Env {
    let env = Env::new();
    let parent = support::fixture::parent(env.base());
    let settings = format!(
        "project: acme\nenvironments:\n  local: {{ bind: [\"{}\"] }}\nchannels:\n  candidate: {{}}\n",
        parent.repository.display()
    );
    env.write("amiforge.yaml", &settings);
    let recipe = format!(
        "name: web\nos: debian-12\nversion: \"1.0\"\nparent:\n  ssm: /aws/service/debian/x\n  local: {{ directory: \"{}\" }}\n\
         build:\n  - motd\ntest: [boots]\ngates:\n  tests: required\n",
        parent.root.display()
    );
    env.write("recipes/web.yaml", &recipe);
    env.write(
        "recipes/app.yaml",
        "os: debian-12\nparent: { recipe: web }\nbuild: [motd]\ntest: [boots]\ngates:\n  tests: required\n",
    );
    env.write("components/motd.yaml", include_str!("strangers/motd.yaml"));
    env
}

/// Runs a verb and returns what it called.
fn calls(env: &Env, arguments: &[&str]) -> (BTreeSet<String>, String) {
    let output = env
        .command(arguments)
        .env("AMIFORGE_LOG", "amiforge=debug")
        .env("NO_COLOR", "1")
        .output()
        .expect("the binary starts");
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let field = |line: &str, name: &str| {
        let rest = line.split(&format!("{name}=")).nth(1)?;
        Some(rest.split_whitespace().next()?.trim_matches('"').to_owned())
    };
    let lines = text.lines().filter(|line| line.contains("local call"));
    let called = lines.filter_map(|line| Some(format!("{}.{}", field(line, "service")?, field(line, "operation")?)));
    (called.collect(), text)
}

/// The image whose evidence lies in the project; empty without.
fn evidence_of(env: &Env) -> String {
    let files = fs::read_dir(env.project().join(".amiforge/evidence/web/x86_64")).into_iter().flatten().flatten();
    let names = files.map(|file| file.file_name().to_string_lossy().into_owned());
    let mut amis = names.filter_map(|name| name.strip_suffix(".json").map(str::to_owned));
    amis.find(|name| !name.contains('.')).unwrap_or_default()
}

#[test]
fn verbs_call_nothing_that_their_policy_does_not_allow() {
    let env = project();
    let verbs: [(Verb, &[&str]); 15] = [
        (Verb::Plan, &["plan", "web"]),
        (Verb::Publish, &["publish", "web"]),
        (Verb::Build, &["build", "web"]),
        (Verb::Plan, &["plan", "app"]),
        (Verb::Publish, &["publish", "app"]),
        (Verb::Validate, &["validate", "web"]),
        (Verb::Verify, &["verify", "AMI"]),
        (Verb::Promote, &["promote", "web"]),
        (Verb::Resolve, &["resolve", "web", "--channel", "candidate"]),
        (Verb::Channels, &["channels"]),
        (Verb::Logs, &["logs", "--recipe", "web"]),
        (Verb::Rollback, &["rollback", "web", "--yes"]),
        (Verb::Run, &["run", "web"]),
        (Verb::Resolve, &["resolve", "web", "--channel", "candidate", "--previous"]),
        (Verb::Import, &["import", "--recipe", "RECIPE", "--into", "copy", "--os", "debian-12"]),
    ];
    let mut refused: Vec<String> = Vec::new();
    let recipe = "arn:aws:imagebuilder:us-east-1:000000000000:image-recipe/acme-web-x86-64/1.0.0";
    for (verb, arguments) in verbs {
        let ami = evidence_of(&env);
        let placed = |word: &&'static str| match *word {
            "RECIPE" => recipe,
            "AMI" => ami.as_str(),
            word => word,
        };
        let arguments: Vec<&str> = arguments.iter().map(placed).collect();
        let (called, text) = calls(&env, &arguments);
        assert!(!called.is_empty(), "{} called nothing: {text}", verb.name());
        let allowed = listed([verb]);
        refused.extend(called.difference(&allowed).map(|name| format!("{} {name}", verb.name())));
    }
    assert!(refused.is_empty(), "called, but not among the rows of the verb: {refused:?}");
}

const SETTINGS: &str = "\
project: acme
environments:
  aws:
    home: { account: \"111122223333\", region: eu-central-1 }
    infrastructure: { instance_profile: build, log_bucket: acme-logs }
    targets:
      - { account: \"111122223333\", regions: [eu-central-1] }
      - { account: \"444455556666\", regions: [eu-central-1, us-east-1], role: amiforge-target }
";

fn settled() -> Env {
    let env = Env::new();
    env.write("amiforge.yaml", SETTINGS);
    env.write(
        "recipes/web.yaml",
        "os: debian-12\nparent:\n  ssm: /aws/service/debian/release/12/latest/{{ debian_arch }}\nbuild: [patch-linux]\ntest: [boots]\n",
    );
    env
}

#[test]
fn the_policy_of_a_verb_is_printed_as_iam_takes_it() {
    let env = settled();
    let outcome = env.expect(0, &["-e", "aws", "iam-policy", "validate"]);
    let policy: serde_json::Value = serde_json::from_str(&outcome.stdout).expect("JSON and nothing else");
    assert_eq!(policy["Version"], "2012-10-17");
    assert!(outcome.stderr.contains("amiforge:project=acme"), "{}", outcome.stderr);
    insta::assert_snapshot!("validate", outcome.stdout);
}

#[test]
fn roles_are_told_for_people() {
    let env = settled();
    let text = env.expect(0, &["-e", "aws", "iam-policy", "promote", "--for", "target", "--format", "text"]).stdout;
    insta::assert_snapshot!("target", text);
    let text = env.expect(0, &["-e", "aws", "iam-policy", "--for", "instance", "--format", "text"]).stdout;
    insta::assert_snapshot!("instance", text);
    let trust = env.expect(0, &["-e", "aws", "iam-policy", "--for", "distribution", "--trust"]).stdout;
    assert!(trust.contains("arn:aws:iam::111122223333:root"), "{trust}");
    let trust = env.expect(0, &["-e", "aws", "iam-policy", "--for", "execution", "--trust"]).stdout;
    assert!(trust.contains("imagebuilder.amazonaws.com"), "{trust}");
}

#[test]
fn what_has_no_policy_is_refused_with_a_way_out() {
    let env = settled();
    let text = env.expect(2, &["iam-policy"]).stderr;
    assert!(text.contains("-e names one in AWS: aws"), "{text}");
    let text = env.expect(2, &["-e", "aws", "iam-policy", "--trust"]).stderr;
    assert!(text.contains("--for instance"), "{text}");
    let text = env.expect(2, &["-e", "aws", "iam-policy", "biuld"]).stderr;
    assert!(text.contains("did you mean `build`?"), "{text}");
    let text = env.expect(2, &["-e", "aws", "iam-policy", "--for", "target", "--account", "999999999999"]).stderr;
    assert!(text.contains("no target is reached through a role"), "{text}");
}

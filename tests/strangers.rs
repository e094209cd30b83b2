//! Strangers check the local cloud: boto3 and the AWS CLI drive it, botocore's models validate every answer, and moto plays
//! the same scripts beside it.
//!
//! The scripts are `strangers/scripts/*.yaml`, in the order of their names; the programs that play them are
//! `strangers/*.py`. What moto does otherwise is written down in `strangers/differences.yaml`, what AWS itself does otherwise
//! than its models say in `strangers/models.yaml`.

#[path = "strangers/cli.rs"]
mod cli;
#[path = "strangers/doctor.rs"]
mod doctor;
mod harness;
#[path = "strangers/programs.rs"]
mod programs;
mod support;

use harness::Env;
use programs::{Moto, Served, python};
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

/// The account that asks, when a step does not name another one.
const ACCOUNT: &str = "111122223333";
/// The parameter that names the parent image.
const PARENT: &str = "/aws/service/debian/release/12/latest/fixture";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/strangers")
}

fn yaml(path: &Path) -> Value {
    let text = fs::read_to_string(path).expect("a file of the test");
    let read = || {
        let mut value: serde_yaml::Value = serde_yaml::from_str(&text)?;
        value.apply_merge()?;
        serde_yaml::from_value(value)
    };
    read().unwrap_or_else(|error: serde_yaml::Error| panic!("{}: {error}", path.display()))
}

/// The scripts in the order of their names, each with its file's name.
fn scripts() -> Vec<Value> {
    let entries = fs::read_dir(folder().join("scripts")).expect("the folder of scripts").flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
        .iter()
        .map(|path| {
            let mut script = yaml(path);
            script["file"] = json!(path.file_name().map(|name| name.to_string_lossy()));
            if script.get("account").is_none() {
                script["account"] = json!(ACCOUNT);
            }
            script
        })
        .collect()
}

/// A project of which the parent image and one image exist, made by the product itself.
fn project() -> Env {
    let env = Env::new();
    let parent = support::fixture::parent(env.base());
    let settings = format!(
        "project: acme\nenvironments:\n  local: {{ bind: [\"{}\"] }}\nchannels:\n  candidate: {{}}\n",
        parent.repository.display()
    );
    env.write("amiforge.yaml", &settings);
    let recipe = format!(
        "name: web\nos: debian-12\nversion: \"1.0\"\nparent:\n  ssm: {PARENT}\n  local: {{ directory: \"{}\" }}\nbuild:\n  - motd\ntest: [boots]\n",
        parent.root.display()
    );
    env.write("recipes/web.yaml", &recipe);
    env.write("components/motd.yaml", include_str!("strangers/motd.yaml"));
    env.expect(0, &["build", "web"]);
    env
}

/// Plays all scripts; what the players report.
fn report(env: &Env) -> Value {
    let (served, moto) = (Served::start(env), Moto::start());
    let operations: Vec<String> =
        amiforge::local::operations().iter().map(|(service, name)| format!("{service}.{name}")).collect();
    let orders = json!({
        "local": served.address(),
        "moto": moto.address(),
        "keys": [served.keys().0, served.keys().1],
        "region": "us-east-1",
        "operations": operations,
        "never_fail": ["sts.GetCallerIdentity", "s3.ListBuckets"],
        "names": { "account": ACCOUNT, "parent": PARENT },
        "scripts": scripts(),
        "models": yaml(&folder().join("models.yaml")),
        "differences": yaml(&folder().join("differences.yaml")),
    });
    let mut players = python()
        .arg("-B")
        .arg(folder().join("main.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let mut stdin = players.stdin.take().expect("standard input");
    stdin.write_all(orders.to_string().as_bytes()).expect("the orders are read");
    drop(stdin);
    let output = players.wait_with_output().expect("Python ends");
    assert!(output.status.success(), "the players broke off");
    serde_json::from_slice(&output.stdout).expect("a report")
}

#[test]
fn strangers_find_nothing_wrong() {
    let env = project();
    let report = report(&env);
    let parts = [
        ("scripts", "steps that did not go as they must"),
        ("models", "answers that botocore's models do not allow"),
        ("coverage", "operations that the scripts do not exercise"),
        ("probe", "meaningless requests that break a service"),
        ("absent", "operations that are not there and do not say so"),
        ("moto", "differences from moto that are not written down, or written down and gone"),
    ];
    let mut found = String::new();
    for (part, title) in parts {
        let rows = report[part].as_array().expect("a list");
        if !rows.is_empty() {
            let rows: Vec<&str> = rows.iter().filter_map(Value::as_str).collect();
            found.extend(["\n=== ", &rows.len().to_string(), " ", title, "\n", &rows.join("\n"), "\n"]);
        }
    }
    println!("seconds: {} {} {}", report["seconds_local"], report["seconds_absent"], report["seconds"]);
    assert!(found.is_empty(), "{found}");
}

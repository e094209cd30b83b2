//! Recipes and `amiforge.yaml`.

use crate::{Schema, as_editor, mutate, report};
use amiforge::diagnostic::Diagnostic;
use amiforge::project::{self, builtin};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

static RECIPE: LazyLock<Schema> = LazyLock::new(|| Schema::new(&project::schema::recipe()));
static PROJECT: LazyLock<Schema> = LazyLock::new(|| Schema::new(&project::schema::project()));

/// What a schema cannot see because it needs other files or another place, by words of the message.
const BEYOND: &[&str] = &[
    "there is no component `",
    "would do nothing under `",
    "has no parameter `",
    "needs the parameter `",
    "there is no patch baseline `",
    "are both called `",
    "cannot follow `",
    "which does not exist",
    "cannot be read: ",
    "needs a patch component",
    "say what to do",
    "begins with a drive",
    "there is no recipe `",
    "would start from itself",
    "is not built for ",
    "the project has no channel `",
    "is the home Region",
    "is not one of the Regions that get a copy",
];

/// What it sees in some cases: that two are equal in all, but not that they only have the same name; that a name cannot be
/// one, but not what the file is called.
const HALF: &[&str] = &["the recipe names `", "is a target twice", "but its file `"];

fn is_one_of(found: &Diagnostic, words: &[&str]) -> bool {
    words.iter().any(|words| found.message.contains(words))
}

const STOP_APP: &str = "schemaVersion: 1.0\nparameters: [{ Seconds: { type: string, default: '1' } }]\nphases:\n  - name: build\n    \
    steps:\n      - name: Stop\n        action: ExecuteBash\n        timeoutSeconds: 60\n        inputs:\n          commands: ['sleep {{ Seconds }}']\n";
const LIST: &str = "patches:\n  - id: 'openssl.*'\n";

/// A folder with a project of one recipe, written anew for each question.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("recipes")).unwrap();
        fs::write(folder.path().join("amiforge.yaml"), "project: acme\n").unwrap();
        let base = "os: debian-13\narchitectures: [x86_64, arm64]\nparent: { ssm: /p }\ntest: [boots]\n";
        fs::write(folder.path().join("recipes/base.yaml"), base).unwrap();
        for (file, text) in [("components/stop-app.yaml", STOP_APP), ("overrides/cve-2026-1234.yaml", LIST)] {
            let path = folder.path().join(file);
            fs::create_dir(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self(folder)
    }

    /// What is wrong with the project once this file is in it.
    fn faults(&self, file: &str, text: &str) -> Vec<Diagnostic> {
        fs::write(self.0.path().join(file), text).unwrap();
        project::load(self.0.path()).err().unwrap_or_default()
    }
}

/// What reader and schema say differently about a file.
fn disagreement(folder: &Folder, schema: &Schema, file: &str, what: &str, text: &str, seen: &Value) -> Option<String> {
    let found = folder.faults(file, text);
    let refusals: Vec<String> = found
        .iter()
        .filter(|found| !is_one_of(found, BEYOND) && !is_one_of(found, HALF))
        .map(|found| format!("  reader {} {}", found.code, found.message))
        .collect();
    let half = found.iter().any(|found| is_one_of(found, HALF));
    match (refusals.is_empty(), schema.accepts(seen)) {
        (true, false) if half => None,
        (true, true) | (false, false) => None,
        (true, false) => Some(format!("{what}: only the schema refuses it\n{}\n{text}", schema.refusals(seen))),
        (false, true) => Some(format!("{what}: only the reader refuses it\n{}\n{text}", refusals.join("\n"))),
    }
}

fn full_recipe() -> Value {
    json!({
        "name": "web",
        "os": "debian-13",
        "architectures": ["x86_64", "arm64"],
        "version": "1.10",
        "parent": {
            "ssm": "/p/{{ arch }}",
            "local": { "bootstrap": "trixie", "packages": ["curl", "g++"], "mirror": "http://localhost/debian" },
        },
        "build": [{ "patch-linux": { "scope": "all" } }, "baseline-config"],
        "test": ["boots", { "hygiene": null }],
        "baseline": "AWS-DebianDefaultPatchBaseline",
        "patch_overrides": "overrides/cve-2026-1234.yaml",
        "hooks": { "before_patch": { "stop-app": { "Seconds": 5 } }, "after_patch": "/opt/app/start" },
        "root_volume": { "size_gib": 20, "type": "gp2", "encrypted": false },
        "gates": {
            "patches": { "missing": 2, "rejected": 1, "scanned_within": "1h30m" },
            "vulnerabilities": { "max_severity": "high", "with_fix_only": true, "scanned_within": "2d" },
            "image": { "imds_v2": true, "encrypted": false },
            "tests": "required",
            "age": { "max": "2w" },
        },
        "pipeline": {
            "schedule": "cron(0 4 ? * TUE *)", "timezone": "Europe/Berlin", "start": "always", "disable_after": 3,
            "enabled": false,
        },
        "promote": { "launch_template": "{{ name }}-{{ arch }}-{{ channel }}", "parameter": "/g/{{ name }}/{{ arch }}/{{ channel }}" },
    })
}

fn full_project() -> Value {
    json!({
        "project": "acme-golden",
        "environments": {
            "local": { "mirror": "http://localhost/debian", "bind": ["fixtures/repo"] },
            "aws": {
                "home": { "account": "111122223333", "region": "us-east-1", "role": "amiforge" },
                "infrastructure": {
                    "instance_types": ["m7i.large"], "instance_profile": "Builder", "subnet": "subnet-1",
                    "security_groups": ["sg-1"], "log_bucket": "logs", "document_bucket": "documents",
                    "execution_role": "ImageBuilder",
                },
                "distribution": {
                    "regions": ["eu-west-1"], "accounts": ["444455556666"], "kms_keys": { "eu-west-1": "alias/golden" },
                },
                "targets": [{ "account": "444455556666", "regions": ["us-gov-west-1", "eu-west-1"], "role": "target" }],
            },
        },
        "channels": { "candidate": null, "staging": { "after": "candidate", "soak": "1h", "approval": "required" } },
        "tags": { "owner": "platform" },
    })
}

#[test]
fn what_the_repository_ships_is_accepted() {
    for file in builtin::FILES.iter().filter(|file| file.path.starts_with("recipes/") || file.path == "amiforge.yaml") {
        let schema = if file.path.starts_with("recipes/") { &RECIPE } else { &PROJECT };
        let seen = as_editor(file.text).unwrap();
        assert!(schema.accepts(&seen), "{}\n{}", file.path, schema.refusals(&seen));
    }
}

/// Recipes that have all keys between them.
fn recipes() -> [Value; 10] {
    let mut directory = full_recipe();
    directory["parent"] =
        json!({ "ami": "ami-0123456789abcdef0", "local": { "directory": "roots/web", "packages": [] } });
    directory["architectures"] = json!(["x86_64"]);
    let mut image = full_recipe();
    let mut named = full_recipe();
    named["parent"] = json!({ "name": "debian-12-*", "owner": "136693071363" });
    let mut based = full_recipe();
    based["parent"] = json!({ "recipe": "base", "channel": "candidate" });
    image["parent"] = json!({ "image": "arn:aws:imagebuilder:us-east-1:aws:image/x/x.x.x" });
    let local = |key: &str, value: &str| {
        let mut recipe = full_recipe();
        recipe["parent"] = json!({ "ssm": "/p/{{ arch }}", "local": { key: value } });
        recipe
    };
    let oci = local("oci", "localhost:5000/web/base:1.2");
    let mut by_url = full_recipe();
    by_url["patch_overrides"] = json!({ "url": "https://host/list", "sha256": "0123456789abcdef".repeat(4) });
    let mut by_s3 = full_recipe();
    by_s3["patch_overrides"] = json!({ "s3": "s3://bucket/key", "owner": "111122223333" });
    [
        full_recipe(),
        by_url,
        by_s3,
        directory,
        named,
        based,
        image,
        oci,
        local("image", "roots/saved.tar#app:1"),
        local("tar", "roots/web.tar.gz"),
    ]
}

#[test]
fn both_agree_on_recipes_when_anything_is_changed() {
    agree("recipes/web.yaml", &RECIPE, &recipes());
}

#[test]
fn both_agree_on_project_files_when_anything_is_changed() {
    agree("amiforge.yaml", &PROJECT, &[full_project()]);
}

/// Full files are accepted by both, and nothing that can be changed in them is judged differently.
fn agree(file: &str, schema: &Schema, full: &[Value]) {
    let folder = Folder::new();
    let (mut accepted, mut refused, mut disagreements) = (0, 0, vec![]);
    for (at, full) in full.iter().enumerate() {
        assert!(schema.accepts(full), "{}", schema.refusals(full));
        assert_eq!(folder.faults(file, &full.to_string()), vec![], "{full}");
        for mutant in mutate::all(full) {
            // What the further ones have in common with the first has been tried.
            if at > 0 && !mutant.path.starts_with("parent") && !mutant.path.starts_with("patch_overrides") {
                continue;
            }
            *(if schema.accepts(&mutant.document) { &mut accepted } else { &mut refused }) += 1;
            let text = mutant.document.to_string();
            disagreements.extend(disagreement(&folder, schema, file, &mutant.what, &text, &mutant.document));
        }
    }
    assert!(accepted > 100 && refused > 500, "{accepted} accepted, {refused} refused");
    report(&disagreements);
}

/// Every key in a schema, as JSON pointers into a file that has it in the first item of each list.
fn keys(schema: &Value, above: &str) -> Vec<String> {
    let below = |(name, schema): (&String, &Value)| {
        let path = format!("{above}/{name}");
        let mut found = keys(schema, &path);
        found.push(path);
        found
    };
    let mut found: Vec<String> = schema["properties"].as_object().into_iter().flatten().flat_map(below).collect();
    if schema["items"].is_object() {
        found.extend(keys(&schema["items"], &format!("{above}/0")));
    }
    found
}

/// Each key of the schema, misspelled by one letter in a file that is good otherwise, is refused by both.
#[test]
fn every_key_is_known_to_both_and_no_misspelled_one() {
    let folder = Folder::new();
    let any = |key: &str| project::schema::project()["properties"][key]["additionalProperties"].clone();
    let environment = keys(&any("environments"), "/environments/aws");
    let channel = keys(&any("channels"), "/channels/staging");
    assert_eq!((environment.len(), channel.len()), (20, 3));
    for (file, schema, rules, files, more) in [
        ("recipes/web.yaml", project::schema::recipe(), &RECIPE, recipes().to_vec(), vec![]),
        ("amiforge.yaml", project::schema::project(), &PROJECT, vec![full_project()], [environment, channel].concat()),
    ] {
        for path in keys(&schema, "").into_iter().chain(more) {
            let full = files.iter().find(|file| file.pointer(&path).is_some());
            let mut misspelled = full.unwrap_or_else(|| panic!("{path} is in no file that is tried")).clone();
            let (above, key) = path.rsplit_once('/').unwrap();
            let mapping = misspelled.pointer_mut(above).and_then(Value::as_object_mut).unwrap();
            let value = mapping.remove(key).unwrap();
            mapping.insert(format!("{key}x"), value);
            assert!(!rules.accepts(&misspelled), "the schema does not mind {path} misspelled");
            let faults = folder.faults(file, &misspelled.to_string());
            assert!(!faults.is_empty(), "the reader does not mind {path} misspelled");
        }
    }
}

fn recipe(lines: &str) -> String {
    format!("os: debian-12\nparent: {{ ssm: /p }}\ntest: [boots]\n{lines}")
}

#[test]
fn both_agree_on_recipes_by_hand() {
    let many = |count: usize| {
        let names: Vec<String> = (0..count).map(|number| format!("component-{number}")).collect();
        format!("build: [{}]\n", names.join(", "))
    };
    let long = |length: usize| format!("build: [{{ patch-linux: {{ scope: {} }} }}]\n", "x".repeat(length));
    let mut files = vec![];
    for (good, lines) in [
        (true, String::new()),
        (true, many(19)),
        (false, many(21)),
        (true, long(1_024)),
        (false, long(1_025)),
        (false, "build: [{ patch-linux: { scope: '' } }]".into()),
        (true, "build: [{ patch-linux: { scope: 12, other: true } }]".into()),
        (false, "build: [{ patch-linux: { scope: [] } }]".into()),
        (false, "build: [{ patch-linux: }, { patch-linux: }]".into()),
        (false, "build: [{ a-b: {}, c-d: {} }]".into()),
        (false, "build: [12]".into()),
        (false, "build: boots".into()),
        (true, "version: '1.0'".into()),
        (true, "version: '1073741823.1073741823'".into()),
        (false, "version: '1073741824.0'".into()),
        (false, "version: 1.0".into()),
        (false, "version: '1'".into()),
        (false, "version: '01.0'".into()),
        (false, "version: '1.0.0'".into()),
        (false, "version: 'x.y'".into()),
        (true, "architectures: [arm64]".into()),
        (false, "architectures: [arm64, arm64]".into()),
        (false, "architectures: [amd64]".into()),
        (false, "architectures: []".into()),
        (true, "root_volume:".into()),
        (true, "root_volume: { size_gib: 16000 }".into()),
        (false, "root_volume: { size_gib: 16001 }".into()),
        (false, "root_volume: { size_gib: 0 }".into()),
        (false, "root_volume: { size_gib: '8' }".into()),
        (false, "root_volume: { type: st1 }".into()),
        (false, "gates:".into()),
        (false, "gates: {}".into()),
        (true, "gates: { patches: }".into()),
        (true, "gates: { patches: {} }".into()),
        (false, "gates: { age: }".into()),
        (false, "gates: { age: {} }".into()),
        (true, "gates: { image: { imds_v2: false } }".into()),
        (false, "gates: { image: { imds_v2: false, encrypted: false } }".into()),
        (false, "gates: { tests: optional }".into()),
        (false, "gates: { waivers: [] }".into()),
        (true, "hooks:".into()),
        (true, "hooks: {}".into()),
        (true, "build: [patch-linux]\nhooks: { before_patch: /a b }".into()),
        (false, "build: [patch-linux]\nhooks: { before_patch: / }".into()),
        (false, "build: [patch-linux]\nhooks: { before_patch: \"/a\\nb\" }".into()),
        (false, "build: [patch-linux]\nhooks: { before_patch: [/a] }".into()),
        (false, "build: [patch-linux]\nhooks: { before_patch: { a-b: {}, c-d: {} } }".into()),
        (false, format!("build: [patch-linux]\nhooks: {{ after_patch: /{} }}", "x".repeat(1_024))),
        (true, "build: [patch-linux]\npatch_overrides: overrides/cve-2026-1234.yaml".into()),
        (false, "build: [patch-linux]\npatch_overrides: ../x.yaml".into()),
        (false, "build: [patch-linux]\npatch_overrides: overrides/./cve-2026-1234.yaml".into()),
        (false, "build: [patch-linux]\npatch_overrides: /etc/x".into()),
        (false, "build: [patch-linux]\npatch_overrides: https://host/list".into()),
        (false, "build: [patch-linux]\npatch_overrides: { url: http://host/list, sha256: x }".into()),
        (false, "build: [patch-linux]\npatch_overrides: { s3: s3://bucket, owner: '111122223333' }".into()),
        (false, "build: [patch-linux]\npatch_overrides: { s3: s3://bucket/key, owner: 111122223333 }".into()),
        (false, "patch_overrides:".into()),
        (false, "waivers: x".into()),
        (true, "promote:".into()),
        (true, "pipeline:".into()),
        (true, "pipeline: { enabled: false }".into()),
        (true, "pipeline: { schedule: rate(7 days) }".into()),
        (true, "pipeline: { schedule: cron(0 4 ? * MON-FRI *), timezone: Etc/GMT+5 }".into()),
        (false, "pipeline: { schedule: cron(0 4 * * * *) }".into()),
        (false, "pipeline: { schedule: daily }".into()),
        (false, "pipeline: { timezone: UTC }".into()),
        (false, "pipeline: { start: always }".into()),
        (false, "pipeline: { schedule: rate(7 days), timezone: +2 }".into()),
        (false, "pipeline: { schedule: rate(7 days), disable_after: 11 }".into()),
        (false, "pipeline: { schedule: rate(7 days), start: sometimes }".into()),
        (false, "promote: { parameter: 12 }".into()),
    ] {
        files.push((good, recipe(&lines)));
    }
    for (good, duration) in [
        (true, "24h"),
        (true, "1w2d3h4m5s"),
        (true, "0d5h"),
        (true, "010m"),
        (false, "0h"),
        (false, "24"),
        (false, "h"),
        (false, "1h1h"),
        (false, "1m1h"),
        (false, "1.5h"),
        (false, "'24 h'"),
        (false, "''"),
        (false, "1y"),
        (false, "~"),
    ] {
        files.push((good, recipe(&format!("gates: {{ age: {{ max: {duration} }} }}"))));
    }
    for (good, parent) in [
        (true, "{ ssm: /p }"),
        (false, "{ ssm: p }"),
        (true, "{ ami: ami-12345678 }"),
        (true, "{ ami: ami-0123456789ABCDEF0 }"),
        (false, "{ ami: ami-123456789 }"),
        (false, "{ ami: i-12345678 }"),
        (true, "{ name: 'debian-12-*', owner: '136693071363' }"),
        (true, "{ name: 'debian-12-*', owner: self }"),
        (false, "{ name: 'debian-12-*' }"),
        (false, "{ name: '', owner: self }"),
        (false, "{ name: 'debian-12-*', owner: everybody }"),
        (false, "{ name: 'debian-12-*', owner: 136693071363 }"),
        (false, "{ ssm: /p, owner: self }"),
        (false, "{ ssm: /p, channel: candidate }"),
        (false, "{ recipe: other, ssm: /p }"),
        (true, "{ image: 'arn:aws:imagebuilder:us-east-1:aws:image/x/1.0.0' }"),
        (false, "{ image: 'arn:aws:imagebuilder:us-east-1:aws:component/x/1.0.0' }"),
        (false, "{ ssm: /p, ami: ami-12345678 }"),
        (false, "{}"),
        (false, ""),
        (false, "{ local: { bootstrap: bookworm } }"),
        (true, "{ ssm: /p, local: { bootstrap: bookworm } }"),
        (false, "{ ssm: /p, local: { bootstrap: trixie } }"),
        (false, "{ ssm: /p, local: { bootstrap: bookworm, packages: ['-y'] } }"),
        (false, "{ ssm: /p, local: { bootstrap: bookworm, packages: [x] } }"),
        (true, "{ ssm: /p, local: { directory: d } }"),
        (true, "{ ssm: /p, local: { directory: d, packages: [] } }"),
        (false, "{ ssm: /p, local: { directory: d, packages: [curl] } }"),
        (false, "{ ssm: /p, local: { directory: d, bootstrap: bookworm, packages: [curl] } }"),
        (true, "{ ssm: /p, local: { oci: 'amazonlinux:2023' } }"),
        (false, "{ ssm: /p, local: { oci: --help } }"),
        (false, "{ ssm: /p, local: { oci: 'a:1', tar: x.tar } }"),
        (false, "{ ssm: /p, local: { oci: 'a:1', packages: [curl] } }"),
        (true, "{ ssm: /p, local: { image: 'saved.tar#app:1' } }"),
        (true, "{ ssm: /p, local: { tar: r.tar.gz } }"),
        (false, "{ ssm: /p, local: { tar: r.tar.gz, mirror: 'http://m/debian' } }"),
        (true, "{ ssm: /p, local: { bootstrap: bookworm, mirror: 'http://m/debian' } }"),
        (false, "{ ssm: /p, local: { bootstrap: bookworm, mirror: 'm/debian' } }"),
        (false, "{ ssm: /p, local: {} }"),
        (false, "{ ssm: /p, local: }"),
    ] {
        files.push((good, format!("os: debian-12\nparent: {parent}\ntest: [boots]\n")));
    }
    for (good, text) in [
        (false, "os: debian-12\nparent: { ssm: /p }\n"),
        (false, "os: debian-12\nparent: { ssm: /p }\ntest: []\n"),
        (true, "os: debian-12\nparent: { ssm: /p }\ntest: []\ngates: { age: { max: 1d } }\n"),
        (false, "os: debian-12\nparent: { ssm: /p }\ngates: { tests: required }\n"),
        (false, "os: Debian-12\nparent: { ssm: /p }\ntest: [boots]\n"),
        (false, "parent: { ssm: /p }\ntest: [boots]\n"),
        (false, "os: debian-12\ntest: [boots]\n"),
        (false, "os: debian-12\nparent: { ami: ami-12345678 }\narchitectures: [x86_64, arm64]\ntest: [boots]\n"),
        (false, "os: windows-server-2022\nparent: { ssm: /p }\narchitectures: [arm64]\ntest: [boots]\n"),
        (false, "os: rhel-9\nparent: { ssm: /p, local: { bootstrap: bookworm } }\ntest: [boots]\n"),
        (true, "os: rhel-9\nparent: { ssm: /p, local: { directory: d } }\ntest: [boots]\n"),
        (true, "os: ubuntu-24.04\nparent: { ssm: /p, local: { bootstrap: noble } }\ntest: [boots]\n"),
        (false, "name: Web\nos: debian-12\nparent: { ssm: /p }\ntest: [boots]\n"),
        (false, "- os\n"),
        (false, "text\n"),
    ] {
        files.push((good, text.to_owned()));
    }
    by_hand("recipes/web.yaml", &RECIPE, &files);
}

#[test]
fn both_agree_on_project_files_by_hand() {
    let home = "home: { account: '111122223333', region: us-east-1 }";
    let tag = |key: usize, value: usize| format!("tags: {{ {}: {} }}", "k".repeat(key), "v".repeat(value));
    let mut files = vec![];
    for (good, lines) in [
        (true, String::new()),
        (true, "environments:".into()),
        (true, "environments: { local: }".into()),
        (true, format!("environments: {{ prod: {{ {home} }} }}")),
        (false, "environments: { prod: }".into()),
        (false, "environments: { prod: {} }".into()),
        (false, format!("environments: {{ Prod: {{ {home} }} }}")),
        (false, "environments: { prod: { home: { account: 111122223333, region: us-east-1 } } }".into()),
        (false, "environments: { prod: { home: { account: '11112222333', region: us-east-1 } } }".into()),
        (false, "environments: { prod: { home: { account: '111122223333', region: us-east } } }".into()),
        (false, "environments: { prod: { home: { account: '111122223333', region: US-east-1 } } }".into()),
        (true, "environments: { prod: { home: { account: '111122223333', region: us-gov-west-1 } } }".into()),
        (true, format!("environments: {{ prod: {{ {home}, infrastructure: }} }}")),
        (false, format!("environments: {{ prod: {{ {home}, infrastructure: {{ subnet: subnet-1 }} }} }}")),
        (false, format!("environments: {{ prod: {{ {home}, infrastructure: {{ security_groups: [sg-1] }} }} }}")),
        (true, format!("environments: {{ prod: {{ {home}, infrastructure: {{ security_groups: [] }} }} }}")),
        (false, format!("environments: {{ prod: {{ {home}, targets: [] }} }}")),
        (
            false,
            format!("environments: {{ prod: {{ {home}, targets: [{{ account: '111122223333', regions: [] }}] }} }}"),
        ),
        (true, "channels: { one: }".into()),
        (false, "channels:".into()),
        (false, "channels: {}".into()),
        (false, "channels: { One: }".into()),
        (false, "channels: { one: { soak: 1h } }".into()),
        (true, "channels: { one: , two: { after: one, soak: 1h, approval: none } }".into()),
        (false, "channels: { one: { approval: yes } }".into()),
        (true, "tags:".into()),
        (true, tag(128, 256)),
        (false, tag(129, 1)),
        (false, tag(1, 257)),
        (false, "tags: { 'aws:x': y }".into()),
        (false, "tags: { 'amiforge:x': y }".into()),
        (false, "tags: { '': y }".into()),
        (false, "tags: { x: 12 }".into()),
        (true, "tags: { x: '12' }".into()),
        (false, "chanels: {}".into()),
    ] {
        files.push((good, format!("project: acme\n{lines}\n")));
    }
    for (good, name) in [
        (true, "a2"),
        (false, "a"),
        (false, "Acme"),
        (false, "a.b"),
        (false, "-ab"),
        (false, "ab-"),
        (false, "12"),
        (true, "'12'"),
        (false, "~"),
        (false, "[a]"),
    ] {
        files.push((good, format!("project: {name}\n")));
    }
    files.push((true, format!("project: {}\n", "a".repeat(50))));
    files.push((false, format!("project: {}\n", "a".repeat(51))));
    files.push((false, "channels: { one: }\n".to_owned()));
    by_hand("amiforge.yaml", &PROJECT, &files);
}

fn by_hand(file: &str, schema: &Schema, files: &[(bool, String)]) {
    let folder = Folder::new();
    let mut disagreements = vec![];
    for (good, text) in files {
        let seen = as_editor(text).unwrap();
        disagreements.extend(disagreement(&folder, schema, file, "by hand", text, &seen));
        if schema.accepts(&seen) != *good {
            disagreements.push(format!("expected {good}\n{}\n{text}", schema.refusals(&seen)));
        }
    }
    report(&disagreements);
}

/// A default that is written out changes nothing.
#[test]
fn defaults_are_those_of_the_reader() {
    let folder = Folder::new();
    let load = |recipe: &Value| {
        fs::write(folder.0.path().join("recipes/web.yaml"), recipe.to_string()).unwrap();
        let project = project::load(Path::new(folder.0.path())).unwrap();
        let recipe = &project.recipes["web"];
        format!(
            "{:?} {:?} {:?} {:?} {:?} {:?}",
            recipe.architectures, recipe.version, recipe.baseline, recipe.root_volume, recipe.gates, recipe.promote
        )
    };
    let schema = project::schema::recipe();
    let mut tried = 0;
    let bare = json!({
        "os": "debian-12", "parent": { "ssm": "/p" }, "test": ["boots"],
        "gates": { "patches": {}, "vulnerabilities": {}, "image": {}, "age": { "max": "1d" } },
    });
    let usual = load(&bare);
    for path in keys(&schema, "") {
        let property = schema.pointer(&path.replace('/', "/properties/"));
        let Some(default) = property.and_then(|property| property.get("default")) else { continue };
        let mut written = bare.clone();
        let mut place = &mut written;
        for key in path.split('/').skip(1) {
            place = &mut place[key];
        }
        *place = default.clone();
        assert_eq!(load(&written), usual, "{path}");
        tried += 1;
    }
    assert!(tried >= 12, "{tried}");
}

//! Recipes and `amiforge.yaml`.

use crate::{Schema, as_editor, mutate, report};
use amiforge::diagnostic::Diagnostic;
use amiforge::project::{self, builtin};
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

pub static RECIPE: LazyLock<Schema> = LazyLock::new(|| Schema::new(&project::schema::recipe()));
pub static WAIVERS: LazyLock<Schema> = LazyLock::new(|| Schema::new(&project::schema::waivers()));
pub static PROJECT: LazyLock<Schema> = LazyLock::new(|| Schema::new(&project::schema::project()));

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
    "has no build workflow",
    "an image has one ",
    "is for test workflows only",
    "no test workflow that would run them",
    "there is no workflow `",
    "is the home Region",
    "is not one of the Regions ",
    "but it is not among the gates of this file",
    "which amiforge.yaml does not have",
    "cannot be left out",
    "the recipe names no test, and ",
    "asks for less than amiforge.yaml requires",
    "a waiver is for recipe `",
    "is waived twice",
    "it ends before it begins",
    "the freeze ends before it begins",
    "has to be at most 48h",
    "has to be at most 14d",
    "more than 100 apart",
    "is not 100, so instances",
    "can never be kept",
];

/// What it sees in some cases: that two are equal in all, but not that they only have the same name; that a name cannot be
/// one, but not what the file is called.
const HALF: &[&str] = &["the recipe names `", "is a target twice", "but its file `", "not in ascending order"];

fn is_one_of(found: &Diagnostic, words: &[&str]) -> bool {
    words.iter().any(|words| found.message.contains(words))
}

const STOP_APP: &str = "schemaVersion: 1.0\nparameters: [{ Seconds: { type: string, default: '1' } }]\nphases:\n  - name: build\n    \
    steps:\n      - name: Stop\n        action: ExecuteBash\n        timeoutSeconds: 60\n        inputs:\n          commands: ['sleep {{ Seconds }}']\n";
const LIST: &str = "patches:\n  - id: 'openssl.*'\n";

/// A folder with a project of one recipe, written anew for each question.
pub struct Folder(tempfile::TempDir);

impl Folder {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("recipes")).unwrap();
        fs::write(
            folder.path().join("amiforge.yaml"),
            "project: acme\ngates: { tests: required, size: { max_growth: 500 } }\n",
        )
        .unwrap();
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
pub fn disagreement(
    folder: &Folder,
    schema: &Schema,
    file: &str,
    what: &str,
    text: &str,
    seen: &Value,
) -> Option<String> {
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
            "without": ["size"], "validated_within": "36h",
            "patches": {
                "missing": 2, "rejected": 1, "scanned_within": "1h30m",
                "levels": { "low": 9, "medium": 5, "high": 1, "critical": 0, "unrated": 0 },
                "grace": { "low": "30d", "medium": "14d", "high": "7d", "critical": "2d", "unrated": "1d" },
            },
            "vulnerabilities": {
                "max_severity": "high", "with_fix_only": true, "only_new": true, "scanned_within": "2d",
                "scanned_by": ["ec2", "inspector"],
            },
            "image": {
                "imds_v2": true, "encrypted": false, "ena": true, "accounts": ["111122223333"], "boot_modes": ["uefi"],
                "max_root_gib": 20, "max_volumes": 2,
            },
            "tests": "required",
            "packages": { "must_have": ["openssl >= 3.0.11, < 4", "chrony"], "must_not_have": ["telnet*"] },
            "size": { "max_mib": 4096, "max_growth": 10 },
            "age": { "max": "2w" },
            "parent": { "owners": ["136693071363", "self"], "max_age": "45d" },
            "hygiene": { "allow": ["logs", "package-caches"] },
            "commands": {
                "licences": { "run": ["scripts/licences", "--all"], "timeout": "90s" }, "banner": { "shell": "test -e x" },
            },
        },
        "workflows": [
            "aws/build/build-image",
            {
                "aws/test/test-image": {
                    "parameters": { "level": ["high"], "most": 3 }, "parallel_group": "a", "on_failure": "continue",
                },
            },
        ],
        "pipeline": {
            "schedule": "cron(0 4 ? * TUE *)", "timezone": "Europe/Berlin", "start": "always", "disable_after": 3,
            "enabled": false,
        },
        "promote": {
            "launch_template": "{{ name }}-{{ arch }}-{{ channel }}",
            "parameter": ["/g/{{ name }}/{{ arch }}/{{ channel }}", "/h/{{ name }}/{{ arch }}/{{ channel }}"],
        },
    })
}

fn full_project() -> Value {
    json!({
        "project": "acme-golden",
        "environments": {
            "local": { "mirror": "http://localhost/debian", "bind": ["fixtures/repo"], "distribute": "share",
                "evidence": { "bucket": "acme-evidence", "prefix": "golden", "region": "us-east-1", "kms_key": "alias/evidence" },
                "encryption": { "kms_keys": { "us-east-1": "alias/golden" }, "grants": ["account", "role/deploy"] },
                "targets": [{ "account": "444455556666", "regions": ["us-east-1"], "role": "target" }],
            },
            "aws": {
                "home": { "account": "111122223333", "region": "us-east-1", "role": "amiforge" },
                "infrastructure": {
                    "instance_types": ["m7i.large"], "instance_profile": "Builder", "subnet": "subnet-1",
                    "security_groups": ["sg-1"], "log_bucket": "logs", "document_bucket": "documents",
                    "execution_role": "ImageBuilder", "hourly_cost": "0.1008",
                },
                "distribution": {
                    "regions": ["eu-west-1"], "accounts": ["444455556666"], "kms_keys": { "eu-west-1": "alias/golden" },
                },
                "distribute": "copy",
                "evidence": { "bucket": "acme-evidence", "prefix": "golden/images", "region": "eu-west-1",
                    "kms_key": "alias/evidence" },
                "encryption": { "kms_keys": { "us-east-1": "alias/golden" }, "grants": ["autoscaling"] },
                "targets": [{ "account": "444455556666", "regions": ["us-gov-west-1", "eu-west-1"], "role": "target" }],
            },
        },
        "channels": { "candidate": null, "staging": { "after": "candidate", "soak": "1h", "approval": "by-another",
            "canary": {
                "places": "home", "check": "ssm", "timeout": "15m", "instance_type": "m7i.large", "subnet": "subnet-1",
            },
            "windows": ["Mon-Thu 08:00-16:00"], "override": "forbidden",
            "freezes": [{ "from": "2026-12-20", "to": "2027-01-03", "reason": "holidays" }],
            "refresh": {
                "min_healthy": 90, "max_healthy": 110, "warmup": "2m", "checkpoints": [10, 50, 100],
                "checkpoint_delay": "15m", "bake": "30m", "alarms": ["errors"], "rollback": "none",
                "skip_matching": false, "parallel": true, "deadline": "6h",
            },
        } },
        "tags": { "owner": "platform" },
        "signing": { "kms": "alias/evidence", "trusted": ["keys/evidence.pub"], "trusted_kms": ["alias/evidence"] },
        "gates": {
            "required": ["patches", "image", "tests"], "waivable": false,
            "patches": { "missing": 2, "levels": { "high": 0 }, "grace": { "critical": "7d" } },
            "vulnerabilities": { "only_new": true, "scanned_by": "inspector" }, "hygiene": "required", "image": { "imds_v2": true, "encrypted": true, "accounts": [] },
            "tests": { "real": ["kernel"], "max_skipped": 0 }, "packages": { "must_not_have": ["telnetd"] },
            "size": { "max_growth": 10 }, "age": { "max": "30d" }, "parent": { "owners": ["amazon"] },
            "commands": { "licences": { "run": ["scripts/licences"] } },
        },
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

#[test]
fn both_agree_on_waivers_when_anything_is_changed() {
    let full = json!({ "waivers": [{
        "gate": "vulnerabilities", "finding": "CVE-2026-1234", "recipe": "base", "package": "openssl", "version": "3.0.11",
        "owner": "platform", "reason": "not reachable", "expires": "2026-12-28",
    }] });
    let folder = Folder::new();
    assert_eq!(folder.faults("waivers.yaml", &full.to_string()), vec![]);
    let (mut accepted, mut refused, mut disagreements) = (0, 0, vec![]);
    for mutant in mutate::all(&full) {
        *(if WAIVERS.accepts(&mutant.document) { &mut accepted } else { &mut refused }) += 1;
        let text = mutant.document.to_string();
        disagreements.extend(disagreement(&folder, &WAIVERS, "waivers.yaml", &mutant.what, &text, &mutant.document));
    }
    assert!(accepted > 10 && refused > 50, "{accepted} accepted, {refused} refused");
    report(&disagreements);
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

/// Project files that have all keys between them.
fn projects() -> Vec<Value> {
    let mut gated = full_project();
    let mut gates = full_recipe()["gates"].clone();
    gates.as_object_mut().unwrap().remove("without");
    gated["gates"] = gates;
    gated["signing"] = json!({ "key": "evidence.pem", "trusted": ["keys/evidence.pub"] });
    vec![full_project(), gated]
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
    assert_eq!((environment.len(), channel.len()), (30, 22));
    for (file, schema, rules, files, more) in [
        ("recipes/web.yaml", project::schema::recipe(), &RECIPE, recipes().to_vec(), vec![]),
        ("amiforge.yaml", project::schema::project(), &PROJECT, projects(), [environment, channel].concat()),
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

/// What a recipe moves, wherever it stands in the file.
fn names(promote: &project::Promote) -> Vec<&str> {
    promote.launch_templates.iter().chain(&promote.parameters).map(|name| name.text.as_str()).collect()
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
            "{:?} {:?} {:?} {:?} {:?} {:?} {:?}",
            recipe.architectures,
            recipe.version,
            recipe.baseline,
            recipe.root_volume,
            recipe.gates,
            recipe.pipeline,
            names(&recipe.promote)
        )
    };
    let schema = project::schema::recipe();
    let mut tried = 0;
    let bare = json!({
        "os": "debian-12", "parent": { "ssm": "/p" }, "test": ["boots"],
        "gates": { "patches": {}, "vulnerabilities": {}, "image": {}, "age": { "max": "1d" } },
        "pipeline": { "schedule": "rate(7 days)" },
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

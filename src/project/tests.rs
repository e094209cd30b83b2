use super::*;
use crate::diagnostic::{Diagnostic, Severity};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

pub(super) const SETTINGS: (&str, &str) = ("amiforge.yaml", "project: acme\n");
pub(super) const RECIPE: &str = "\
name: web
os: debian-12
parent: { ssm: /aws/service/debian/release/12/latest/amd64 }
build: [patch-linux]
test: [boots]
";

/// A project in a temporary folder.
pub(super) fn write(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

pub(super) fn faults(files: &[(&str, &str)]) -> Vec<Diagnostic> {
    let folder = write(files);
    load(folder.path()).err().unwrap_or_default()
}

/// `code file:line:column message`, then the help, one line each.
pub(super) fn shown(found: &[Diagnostic]) -> String {
    let line = |diagnostic: &Diagnostic| {
        let label = diagnostic.primary.as_ref().map(|label| format!(" [{}]", label.message)).unwrap_or_default();
        let help = diagnostic.help.iter().fold(String::new(), |all, help| all + "\n  help: " + help);
        format!("{} {} {}{label}{help}", diagnostic.code, diagnostic.place().unwrap_or_default(), diagnostic.message)
    };
    found.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Codes and places of what is wrong with a recipe made of the usual one with one text replaced.
pub(super) fn recipe_with(from: &str, to: &str) -> Vec<(&'static str, String)> {
    assert!(RECIPE.contains(from), "{from}");
    places(&faults(&[SETTINGS, ("recipes/web.yaml", &RECIPE.replace(from, to))]))
}

fn settings_with(more: &str) -> Vec<(&'static str, String)> {
    places(&faults(&[("amiforge.yaml", &format!("project: acme\n{more}"))]))
}

pub(super) fn places(found: &[Diagnostic]) -> Vec<(&'static str, String)> {
    found.iter().map(|diagnostic| (diagnostic.code, diagnostic.place().unwrap_or_default())).collect()
}

pub(super) fn at(code: &'static str, place: &str) -> Vec<(&'static str, String)> {
    vec![(code, place.to_owned())]
}

#[test]
fn the_repository_is_a_project_without_a_fault() {
    let project = load(Path::new(env!("CARGO_MANIFEST_DIR"))).unwrap_or_else(|found| panic!("{}", shown(&found)));
    assert_eq!(project.name, "amiforge-demo");
    assert_eq!(project.recipes.len(), Os::all().len());
    assert!(project.recipes.values().all(|recipe| recipe.name == recipe.os.name()));
    assert_eq!(shown(&project.warnings), "");
    assert!(project.channels.iter().map(|channel| channel.name.as_str()).eq(["candidate", "staging", "production"]));
    assert!(!project.is_built_in("boots"), "the repository's own file takes the place of the embedded one");
}

#[test]
fn the_built_in_files_are_a_project_without_a_fault() {
    let files: Vec<_> = builtin::FILES.iter().map(|file| (file.path, file.text)).collect();
    assert_eq!(shown(&faults(&files)), "");
    // And without its own copies of the components and templates: the embedded ones serve.
    let files: Vec<_> = files.into_iter().filter(|(path, _)| !path.contains("components/")).collect();
    let folder = write(&files);
    assert!(load(folder.path()).unwrap().is_built_in("boots"));
}

#[test]
fn everything_has_a_default_worth_having() {
    let folder = write(&[SETTINGS, ("recipes/web.yaml", RECIPE)]);
    let project = load(folder.path()).unwrap();
    assert_eq!(project.environments.keys().collect::<Vec<_>>(), ["local"]);
    assert_eq!(project.channels.len(), 1);
    assert_eq!(project.channels[0].name, "candidate");
    let recipe = &project.recipes["web"];
    assert_eq!((recipe.architectures.as_slice(), recipe.version), ([Arch::X86_64].as_slice(), (1, 0)));
    assert_eq!(recipe.baseline, "AWS-DebianDefaultPatchBaseline");
    assert_eq!(recipe.root_volume, RootVolume { size_gib: 8, volume_type: "gp3".into(), encrypted: true });
    let day = Duration::from_hours(24);
    assert_eq!(recipe.gates.patches, Some(super::gates::patches_default()));
    assert_eq!(super::gates::patches_default().scanned_within, day);
    assert!(recipe.gates.tests.is_some());
    assert_eq!(recipe.gates.max_age, Some(14 * day));
    assert_eq!((recipe.gates.image.as_ref(), recipe.gates.vulnerabilities.as_ref()), (None, None));
    assert_eq!(recipe.promote.launch_templates, ["{{ name }}-{{ arch }}-{{ channel }}".into()]);
    assert_eq!(recipe.promote.parameters, ["/golden/{{ name }}/{{ arch }}/{{ channel }}".into()]);
}

#[test]
fn a_recipe_names_one_pointer_of_a_kind_or_many_but_not_none_of_both() {
    let recipe = |promote: &str| {
        let text = format!("os: debian-12\nparent: {{ ssm: /p }}\ntest: [boots]\npromote: {promote}\n");
        let folder = write(&[("amiforge.yaml", "project: acme\n"), ("recipes/web.yaml", &text)]);
        load(folder.path()).map(|project| project.recipes["web"].promote.clone())
    };
    let texts = |names: &[PointerName]| names.iter().map(|name| name.text.clone()).collect::<Vec<_>>();
    let many = recipe("{ launch_template: [a-b, c-d], parameter: /p/q }").unwrap();
    assert_eq!(
        (texts(&many.launch_templates), texts(&many.parameters)),
        (vec!["a-b".into(), "c-d".into()], vec!["/p/q".into()])
    );
    let one = recipe("{ launch_template: [] }").unwrap();
    assert_eq!((one.launch_templates.len(), one.parameters.len()), (0, 1), "the parameter has its usual name");
    for (promote, code, place, says) in [
        ("{ launch_template: [], parameter: [] }", "P005", "recipes/web.yaml:4:12", "names neither"),
        ("{ parameter: [/a, /b, /a] }", "P009", "recipes/web.yaml:4:32", "`promote.parameter` names `/a` twice"),
        ("{ parameter: [/a, 12] }", "P003", "recipes/web.yaml:4:28", "has to be text"),
        ("{ parameter: { a: /a } }", "P003", "recipes/web.yaml:4:23", "has to be text"),
    ] {
        let found = recipe(promote).unwrap_err();
        let first = &found[0];
        assert_eq!((found.len(), first.code, first.place().as_deref()), (1, code, Some(place)), "{promote}");
        assert!(first.message.contains(says), "{}", first.message);
    }
}

#[test]
fn everything_can_be_written_out() {
    let settings = r#"
project: acme-golden
environments:
  local: { mirror: "http://localhost/debian", bind: [fixtures/repo] }
  aws:
    home: { account: "111122223333", region: us-east-1, role: amiforge }
    infrastructure: { instance_types: [m7i.large], instance_profile: Builder, subnet: subnet-1,
                      security_groups: [sg-1], log_bucket: logs, hourly_cost: "0.1008" }
    targets:
      - { account: "111122223333", regions: [us-east-1, eu-west-1] }
      - { account: "444455556666", regions: [us-gov-west-1], role: amiforge-target }
channels:
  candidate:
  staging: { after: candidate, soak: 1h }
  production: { after: staging, soak: 72h, approval: required }
tags: { owner: platform }
"#;
    let recipe = r#"
name: web.2
os: debian-13
architectures: [x86_64, arm64]
version: "1.10"
parent: { ssm: "/p/{{ arch }}", local: { bootstrap: trixie, packages: [curl] } }
build:
  - patch-linux: { scope: all }
  - own: { Port: 0080, Debug: no }
test:
  - boots:
baseline: mine
root_volume: { size_gib: 20, type: gp2, encrypted: false }
gates:
  patches: { missing: 2, rejected: 1, scanned_within: 1h30m }
  vulnerabilities: { max_severity: high, with_fix_only: true, scanned_within: 2d }
  image: { imds_v2: true, encrypted: false }
  tests: required
  age: { max: 2w }
promote: { launch_template: "{{ name }}-{{ channel }}", parameter: "/g/{{ name }}/{{ channel }}" }
"#;
    let own = "schemaVersion: 1.0\nparameters:\n  - Port: { type: string }\n  - Debug: { type: string, default: off }\nphases:\n  \
               - name: build\n    steps:\n      - name: RunIt\n        action: ExecuteBash\n        inputs:\n          commands:\n            \
               - echo \"{{ Port }} {{ Debug }}\"\n";
    let baseline = crate::patch::all_predefined();
    assert!(!baseline.is_empty());
    let folder = write(&[
        ("amiforge.yaml", settings),
        ("recipes/web.2.yaml", recipe),
        ("components/own.yaml", own),
        ("baselines/mine.json", MINE),
    ]);
    let project = load(folder.path()).unwrap_or_else(|found| panic!("{}", shown(&found)));
    let EnvironmentConfig::Aws(aws) = &project.environments["aws"] else { panic!("not AWS") };
    assert_eq!((aws.role.as_deref(), aws.targets.len()), (Some("amiforge"), 3));
    assert_eq!(aws.targets[2].role.as_deref(), Some("amiforge-target"));
    assert_eq!((aws.subnet.as_deref(), aws.log_bucket.as_deref()), (Some("subnet-1"), Some("logs")));
    assert_eq!(aws.hourly_cost, Some(0.1008));
    let EnvironmentConfig::Local(local) = &project.environments["local"] else { panic!("not local") };
    assert_eq!(local.bind, [Path::new("fixtures/repo")]);
    assert_eq!(project.channels[2].soak, Some(Duration::from_hours(72)));
    assert!(project.channels[2].approval_required && !project.channels[1].approval_required);
    let recipe = &project.recipes["web.2"];
    assert_eq!(recipe.version, (1, 10));
    // As written: no number is normalised, no word becomes a boolean.
    assert_eq!(recipe.build[1].parameters["Port"], "0080");
    assert_eq!(recipe.build[1].parameters["Debug"], "no");
    assert_eq!(recipe.gates.patches.as_ref().unwrap().scanned_within, Duration::from_mins(90));
    assert_eq!(recipe.gates.vulnerabilities.as_ref().unwrap().max_severity, "high");
    assert_eq!(
        recipe.parent.local,
        Some(LocalParent::Bootstrap { release: "trixie".into(), packages: vec!["curl".into()], mirror: None })
    );
}

/// A patch baseline as `aws ssm get-patch-baseline` answers it.
const MINE: &str = r#"{
  "Name": "mine", "OperatingSystem": "DEBIAN",
  "GlobalFilters": { "PatchFilters": [] },
  "ApprovalRules": { "PatchRules": [ {
    "PatchFilterGroup": { "PatchFilters": [ { "Key": "PRIORITY", "Values": ["Required"] } ] },
    "ComplianceLevel": "HIGH", "ApproveAfterDays": 7, "EnableNonSecurity": false } ] },
  "ApprovedPatches": [], "RejectedPatches": []
}"#;

#[test]
fn all_faults_of_all_files_are_reported_together() {
    let found = faults(&[
        ("amiforge.yaml", "project: Acme\nchanels: {}\n"),
        (
            "recipes/web.yaml",
            "name: web\nos: debian12\nparnet: {}\nbuild: [patch-lunix]\ntest: [boots]\nversion: 1.10\n",
        ),
        ("recipes/broken.yaml", "name: [\n"),
        (
            "components/own.yaml",
            "schemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - name: RunIt\n        action: ExecuteBahs\n",
        ),
    ]);
    let files: BTreeSet<&str> = found.iter().map(|d| d.primary.as_ref().unwrap().source.name.as_str()).collect();
    assert_eq!(
        files.into_iter().collect::<Vec<_>>(),
        ["amiforge.yaml", "components/own.yaml", "recipes/broken.yaml", "recipes/web.yaml"]
    );
    let ours: Vec<_> = found.into_iter().filter(|d| d.code.starts_with('P')).collect();
    insta::assert_snapshot!(shown(&ours), @r#"
    P013 amiforge.yaml:1:10 `Acme` cannot be used as `project`: only lower-case letters, digits and hyphens are allowed [not a usable name]
      help: for example `acme`
    P002 amiforge.yaml:2:1 `chanels` is not a key of this file [did you mean `channels`?]
      help: known: project, environments, channels, tags, lint, gates, signing
    P004 recipes/web.yaml:1:1 `parent` is missing [`parent` is needed here]
    P005 recipes/web.yaml:2:5 `debian12` is not an operating system amiforge knows [did you mean `debian-12`?]
      help: known: debian-12, debian-13, ubuntu-24.04, amazon-linux-2023, rhel-9, sles-15, windows-server-2022
    P002 recipes/web.yaml:3:1 `parnet` is not a key of this file [did you mean `parent`?]
      help: known: name, os, architectures, version, parent, build, test, baseline, patch_overrides, hooks, root_volume, gates, workflows, pipeline, promote
    P007 recipes/web.yaml:6:10 the version 1.10 has to stand in quotes [YAML readers take this for a number]
      help: write `version: "1.10"`
    "#);
}

#[test]
fn files_that_cannot_be_read_are_errors() {
    let found = faults(&[("other.yaml", "")]);
    assert_eq!(found[0].code, "P001");
    assert!(found[0].help[0].contains("amiforge init"));
    let folder = write(&[SETTINGS]);
    fs::create_dir(folder.path().join("recipes")).unwrap();
    fs::write(folder.path().join("recipes/web.yaml"), b"name: \xff\n").unwrap();
    fs::write(folder.path().join("recipes/other.yml"), "").unwrap();
    fs::write(folder.path().join("recipes/README.md"), "").unwrap();
    fs::write(folder.path().join("recipes/.hidden.yaml"), "").unwrap();
    let found = load(folder.path()).unwrap_err();
    assert_eq!(found.iter().map(|d| d.code).collect::<Vec<_>>(), ["P001", "P001"]);
    assert!(found[1].message.contains("UTF-8") || found[0].message.contains("UTF-8"));
    let file = write(&[SETTINGS, ("recipes", "not a folder")]);
    assert_eq!(load(file.path()).unwrap_err()[0].code, "P001");
}

#[test]
fn keys_and_types() {
    assert_eq!(recipe_with("test:", "tset:")[1], ("P002", "recipes/web.yaml:5:1".into()));
    assert_eq!(
        recipe_with("test: [boots]", "test: [boots]\nroot_volume: { size: 8 }"),
        at("P002", "recipes/web.yaml:6:16")
    );
    assert_eq!(recipe_with("os: debian-12", "os: [debian-12]"), at("P003", "recipes/web.yaml:2:5"));
    assert_eq!(recipe_with("build: [patch-linux]", "build: patch-linux"), at("P003", "recipes/web.yaml:4:8"));
    assert_eq!(recipe_with("build: [patch-linux]", "build: [{ a: {}, b: {} }]"), at("P003", "recipes/web.yaml:4:9"));
    assert_eq!(recipe_with("[patch-linux]", "[patch-linux: { scope: [a] }]"), at("P003", "recipes/web.yaml:4:31"));
    assert_eq!(recipe_with("os: debian-12\n", ""), at("P004", "recipes/web.yaml:1:1"));
    assert_eq!(recipe_with("os: debian-12", "os: debian-21"), at("P005", "recipes/web.yaml:2:5"));
    assert_eq!(recipe_with("test:", "architectures: [amd64]\ntest:"), at("P005", "recipes/web.yaml:5:17"));
    assert_eq!(recipe_with("test:", "root_volume: { size_gib: 0 }\ntest:"), at("P005", "recipes/web.yaml:5:26"));
    assert_eq!(recipe_with("test:", "root_volume: { encrypted: yes }\ntest:"), at("P003", "recipes/web.yaml:5:27"));
    assert_eq!(recipe_with("test:", "gates: { age: { max: 24 } }\ntest:"), at("P006", "recipes/web.yaml:5:22"));
    assert_eq!(recipe_with("test:", "gates: { age: {} }\ntest:"), at("P004", "recipes/web.yaml:5:15"));
    // What is not there yet is refused and not ignored.
    assert_eq!(recipe_with("test:", "waivers: []\ntest:"), at("P015", "recipes/web.yaml:5:1"));
}

#[test]
fn versions_are_text() {
    let found = faults(&[SETTINGS, ("recipes/web.yaml", &format!("{RECIPE}version: 1.10\n"))]);
    insta::assert_snapshot!(shown(&found), @r#"
    P007 recipes/web.yaml:6:10 the version 1.10 has to stand in quotes [YAML readers take this for a number]
      help: write `version: "1.10"`
    "#);
    for version in ["\"1\"", "\"1.0.0\"", "\"1.x\"", "\"01.0\"", "\"1.1073741824\"", "\"+1.0\"", "\"\"", "[1]"] {
        let found = faults(&[SETTINGS, ("recipes/web.yaml", &format!("{RECIPE}version: {version}\n"))]);
        assert_eq!(found.len(), 1, "{version}");
        assert_eq!(found[0].place().as_deref(), Some("recipes/web.yaml:6:10"));
    }
}

#[test]
fn components_of_a_recipe() {
    let found = faults(&[
        SETTINGS,
        ("recipes/web.yaml", &RECIPE.replace("patch-linux", "patch-lunix")),
        ("components/own.yaml", TEST_ONLY),
    ]);
    insta::assert_snapshot!(shown(&found), @r"
    P008 recipes/web.yaml:4:9 there is no component `patch-lunix` [did you mean `patch-linux`?]
      help: components of the project: own
      help: components that come with amiforge: agents-present, assertions, baseline-config, boots, boots-windows, hygiene, hygiene-windows, no-failed-units, no-pending-reboot, no-pending-reboot-windows, patch-linux, patch-windows, patched, patched-windows, running-newest-kernel, services-windows, time-in-sync, time-in-sync-windows
    ");
    assert_eq!(
        recipe_with("[patch-linux]", "[boots]"),
        [("P009", "recipes/web.yaml:5:8".into()), ("P017", "recipes/web.yaml:4:9".into())]
    );
    assert_eq!(recipe_with("[boots]", "[baseline-config]"), at("P017", "recipes/web.yaml:5:8"));
    assert_eq!(recipe_with("[boots]", "[boots: { fast: 1 }]"), at("P019", "recipes/web.yaml:5:8"));
    assert_eq!(recipe_with("[patch-linux]", &format!("[patch-linux: {{ scope: {} }}]", "x".repeat(1025)))[0].0, "P019");
    let many: Vec<String> = (0..21).map(|n| format!("c{n:02}")).collect();
    let found = recipe_with("[patch-linux]", &format!("[{}]", many.join(", ")));
    let too_many: Vec<_> = found.iter().filter(|(code, _)| *code == "P010").map(|(_, place)| place.as_str()).collect();
    assert_eq!(too_many, ["recipes/web.yaml:4:109"]);
    assert_eq!(found.iter().filter(|(code, _)| *code == "P008").count(), 21);
    let needs = TEST_ONLY
        .replace("phases:", "parameters:\n  - Port: { type: string }\nphases:")
        .replace("exit 0", "\"echo {{ Port }}\"");
    let found =
        faults(&[SETTINGS, ("recipes/web.yaml", &RECIPE.replace("boots", "own")), ("components/own.yaml", &needs)]);
    assert_eq!(places(&found), at("P019", "recipes/web.yaml:5:8"));
}

const TEST_ONLY: &str = "\
schemaVersion: 1.0
phases:
  - name: test
    steps:
      - name: LookAtIt
        action: ExecuteBash
        timeoutSeconds: 60
        inputs:
          commands: [exit 0]
";

#[test]
fn names_and_files() {
    assert_eq!(recipe_with("name: web", "name: wob"), at("P012", "recipes/web.yaml:1:7"));
    assert_eq!(faults(&[SETTINGS, ("recipes/Web.yaml", &RECIPE.replace("name: web\n", ""))])[0].code, "P013");
    assert_eq!(places(&faults(&[("amiforge.yaml", "project: my_project\n")])), at("P013", "amiforge.yaml:1:10"));
    let twice = [SETTINGS, ("components/own.yaml", TEST_ONLY), ("templates/components/own.yaml.hbs", TEST_ONLY)];
    assert_eq!(faults(&twice)[0].code, "P020");
    let near = RECIPE.replace("name: web\n", "");
    let collide = [SETTINGS, ("recipes/web.1.yaml", near.as_str()), ("recipes/web-1.yaml", near.as_str())];
    assert!(faults(&collide).iter().all(|d| d.code == "P020"));
    assert!(!faults(&collide).is_empty());
    let windows = "os: windows-server-2022\nparent: { ssm: /p }\nbuild: [patch-windows]\ntest: [boots]\n";
    let both = faults(&[SETTINGS, ("recipes/web.yaml", RECIPE), ("recipes/win.yaml", windows)]);
    assert_eq!(places(&both), at("P022", "recipes/win.yaml:4:8"));
    let arm = windows.replace("build:", "architectures: [arm64]\nbuild:").replace("[boots]", "[boots-windows]");
    assert_eq!(places(&faults(&[SETTINGS, ("recipes/win.yaml", &arm)])), at("P005", "recipes/win.yaml:3:17"));
}

#[test]
fn gates_and_baselines() {
    assert_eq!(recipe_with("test:", "gates: {}\ntest:"), at("P016", "recipes/web.yaml:5:8"));
    assert_eq!(recipe_with("test:", "gates: { image: { imds_v2: false, encrypted: false } }\ntest:")[0].0, "P016");
    assert_eq!(recipe_with("test: [boots]", ""), at("P016", "recipes/web.yaml:1:7"));
    assert_eq!(recipe_with("test: [boots]", "gates: { tests: required }"), at("P016", "recipes/web.yaml:5:10"));
    assert_eq!(recipe_with("test:", "gates: { tests: yes }\ntest:"), at("P005", "recipes/web.yaml:5:17"));
    assert_eq!(recipe_with("test:", "gates: { tests: { real: [kernel] } }\ntest:"), []);
    assert_eq!(
        recipe_with("test:", "gates: { tests: { real: [kernle] } }\ntest:"),
        at("P005", "recipes/web.yaml:5:26")
    );
    assert_eq!(recipe_with("test:", "gates: { tests: { real: [] } }\ntest:"), at("P016", "recipes/web.yaml:5:19"));
    assert_eq!(recipe_with("test:", "gates: { tests: {} }\ntest:")[0].0, "P016");
    assert_eq!(recipe_with("test:", "baseline: AWS-DebianPatchBaseline\ntest:"), at("P018", "recipes/web.yaml:5:11"));
    let broken = faults(&[SETTINGS, ("baselines/mine.yaml", "- nonsense\n")]);
    assert_eq!(broken[0].primary.as_ref().unwrap().source.name, "baselines/mine.yaml");
    let twice = faults(&[SETTINGS, ("baselines/mine.json", MINE), ("baselines/mine.yaml", MINE)]);
    assert_eq!(twice[0].code, "P020");
}

#[test]
fn parents() {
    let parent = "{ ssm: /aws/service/debian/release/12/latest/amd64 }";
    for (text, column) in [
        ("{ ssm: aws/service }", 16),
        ("{ ami: ami-123 }", 16),
        ("{ image: image/x }", 18),
        ("{}", 9),
        ("{ local: { bootstrap: bookworm } }", 11),
        ("{ ssm: /p, ami: ami-0123456789abcdef0 }", 20),
        ("{ ssm: /p, local: { bootstrap: a, directory: b } }", 29),
        ("{ ssm: /p, local: {} }", 27),
        ("{ ssm: /p, local: { directory: d, packages: [cron] } }", 43),
    ] {
        let found = recipe_with(parent, text);
        assert_eq!(found.iter().map(|(code, _)| *code).collect::<Vec<_>>(), ["P021"], "{text}");
        assert!(found[0].1.starts_with("recipes/web.yaml:3:"), "{text}: {} (about {column})", found[0].1);
    }
    let both = recipe_with(parent, "{ ami: ami-0123456789abcdef0 }\narchitectures: [x86_64, arm64]");
    assert_eq!(both, at("P021", "recipes/web.yaml:3:16"));
    assert_eq!(recipe_with(parent, "{ ami: ami-0123456789abcdef0 }"), []);
    assert_eq!(recipe_with(parent, "{ image: \"arn:aws:imagebuilder:us-east-1:aws:image/x/x.x.x\" }"), []);
    let rhel = recipe_with(
        "debian-12\nparent: { ssm: /aws/service/debian/release/12/latest/amd64 }",
        "rhel-9\nparent: { ssm: /p, local: { bootstrap: x } }",
    );
    assert_eq!(rhel[0].0, "P021");
}

#[test]
fn environments_and_channels() {
    let aws = |text: &str| settings_with(&format!("environments:\n  aws: {text}\n"));
    assert_eq!(aws("{ home: { account: \"111122223333\", region: us-east-1 } }"), []);
    assert_eq!(aws("{}"), at("P004", "amiforge.yaml:3:8"));
    assert_eq!(aws("{ home: { account: 111122223333, region: us-east-1 } }"), at("P003", "amiforge.yaml:3:27"));
    assert_eq!(aws("{ home: { account: \"1111\", region: us-east-1 } }"), at("P014", "amiforge.yaml:3:27"));
    assert_eq!(aws("{ home: { account: \"111122223333\", region: us-east } }"), at("P014", "amiforge.yaml:3:51"));
    let home = "home: { account: \"111122223333\", region: us-east-1 }";
    assert_eq!(aws(&format!("{{ {home}, infrastructure: {{ subnet: s }} }}"))[0].0, "P004");
    assert_eq!(aws(&format!("{{ {home}, infrastructure: {{ security_groups: [s] }} }}"))[0].0, "P004");
    assert_eq!(aws(&format!("{{ {home}, targets: [] }}"))[0].0, "P004");
    let twice = "targets: [{ account: \"111122223333\", regions: [us-east-1, us-east-1] }]";
    assert_eq!(aws(&format!("{{ {home}, {twice} }}"))[0].0, "P009");
    assert_eq!(settings_with("environments: { local: { home: {} } }\n"), at("P002", "amiforge.yaml:2:26"));
    assert_eq!(settings_with("channels: {}\n"), at("P004", "amiforge.yaml:2:11"));
    assert_eq!(settings_with("channels: { a1: { after: a2 }, a2: {} }\n"), at("P011", "amiforge.yaml:2:26"));
    assert_eq!(settings_with("channels: { dev: {}, prod: { after: dve } }\n"), at("P011", "amiforge.yaml:2:37"));
    assert_eq!(settings_with("channels: { dev: { soak: 1h } }\n"), at("P011", "amiforge.yaml:2:20"));
    assert_eq!(settings_with("channels: { dev: { approval: yes } }\n"), at("P005", "amiforge.yaml:2:30"));
    assert_eq!(settings_with("tags: { \"amiforge:x\": y }\n"), at("P005", "amiforge.yaml:2:9"));
    assert_eq!(settings_with("tags: { cost: 0815 }\n"), at("P003", "amiforge.yaml:2:15"));
}

#[test]
fn rules_are_set_by_id_or_name_but_not_below_what_the_service_refuses() {
    let folder = write(&[(
        "amiforge.yaml",
        "project: acme\nlint:\n  fail_on: note\n  accounts: [\"111122223333\"]\n  rules: { S014: off }\n",
    )]);
    let project = load(folder.path()).unwrap();
    assert_eq!((project.lint.fail_on, project.lint.accounts.len()), (Severity::Note, 1));
    assert!(!project.lint.levels.is_on(crate::component::rules::find("S014").unwrap()));
    assert_eq!(settings_with("lint: { rules: { S001: warning } }\n"), at("P023", "amiforge.yaml:2:24"));
    assert_eq!(settings_with("lint: { rules: { unknwon-action: off } }\n"), at("P023", "amiforge.yaml:2:18"));
    assert_eq!(settings_with("lint: { rules: { S014: loud } }\n"), at("P005", "amiforge.yaml:2:24"));
    assert_eq!(settings_with("lint: { accounts: [me] }\n"), at("P014", "amiforge.yaml:2:20"));
}

#[test]
fn a_component_in_no_recipe_is_pointed_out() {
    let document = "schemaVersion: 1.0\nphases: [{ name: build, steps: [{ name: Run, action: UpdateOS }] }]\n";
    let folder = write(&[SETTINGS, ("recipes/web.yaml", RECIPE), ("components/own.yaml", document)]);
    assert_eq!(places(&load(folder.path()).unwrap().warnings), at("P024", "components/own.yaml:1:1"));
}

#[test]
fn every_code_is_explained_and_used_here() {
    let text = [
        include_str!("tests.rs"),
        include_str!("patching_tests.rs"),
        include_str!("pipeline.rs"),
        include_str!("workflows.rs"),
        include_str!("waivers.rs"),
        include_str!("gates/tests.rs"),
    ]
    .concat();
    for entry in ENTRIES {
        assert!(text.contains(entry.code), "{} is not tested", entry.code);
    }
}

#[test]
fn a_project_is_found_from_below() {
    let folder = write(&[SETTINGS, ("recipes/deep/er/x", "")]);
    assert_eq!(find(&folder.path().join("recipes/deep/er")).as_deref(), Some(folder.path()));
    assert_eq!(find(&folder.path().join("recipes/not/there")).as_deref(), Some(folder.path()));
    assert_eq!(find(Path::new("/")), None);
}

#[path = "init_tests.rs"]
mod init_files;

#[test]
fn only_errors_stop_a_project() {
    let doubtful = TEST_ONLY.replace("        timeoutSeconds: 60\n", "");
    let folder = write(&[SETTINGS, ("components/own.yaml", &doubtful)]);
    let project = load(folder.path()).unwrap_or_else(|found| panic!("{}", shown(&found)));
    assert!(project.warnings.iter().all(|diagnostic| diagnostic.severity != Severity::Error));
}

use super::*;
use crate::diagnostic::SourceFile;
use crate::project::{self, Arch};
use crate::render;
use std::fmt::Write as _;
use std::sync::Arc;

const LIST: &str = "patches:\n  - id: openssl.*\n    title: '*3.0.15-1*'\n  - id: 'libssl*'\n";

/// A project with one recipe of a system; `files` are more files of it.
fn load(os: &str, lines: &str, files: &[(&str, &str)]) -> Project {
    let windows = os.starts_with("windows");
    let (patch, boots) = if windows { ("patch-windows", "patched-windows") } else { ("patch-linux", "patched") };
    let build = if lines.contains("build:") { String::new() } else { format!("build: [{patch}]\n") };
    let recipe = format!("os: {os}\nparent: {{ ssm: /p }}\n{build}test: [{boots}]\n{lines}\n");
    let mut all = vec![("amiforge.yaml", "project: acme\n"), ("recipes/web.yaml", recipe.as_str())];
    all.extend(files);
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in all {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    project::load(folder.path()).unwrap_or_else(|found| panic!("{found:#?}"))
}

fn rendered(project: &Project) -> Vec<(String, Arc<SourceFile>)> {
    let rendered =
        render::recipe(project, &project.recipes["web"], Arch::X86_64).unwrap_or_else(|found| panic!("{found:#?}"));
    rendered.components.into_iter().map(|one| (one.name, one.document)).collect()
}

/// A baseline of a system that rejects some patches.
fn baseline(system: &str, action: &str, rejected: &str, more: bool) -> String {
    let filter = match system {
        "DEBIAN" => r#""Key": "PRIORITY", "Values": ["*"]"#,
        "WINDOWS" => r#""Key": "CLASSIFICATION", "Values": ["SecurityUpdates"]"#,
        _ => r#""Key": "CLASSIFICATION", "Values": ["Security"]"#,
    };
    format!(
        r#"{{ "Name": "mine", "OperatingSystem": "{system}", "ApprovalRules": {{ "PatchRules": [ {{ "PatchFilterGroup": {{
        "PatchFilters": [ {{ {filter} }} ] }}, "ApproveAfterDays": 0, "EnableNonSecurity": {more} }} ] }},
        "RejectedPatches": [{rejected}], "RejectedPatchesAction": "{action}" }}"#
    )
}

const SYSTEMS: [(&str, &str); 4] = [
    ("debian-12", "DEBIAN"),
    ("rhel-9", "REDHAT_ENTERPRISE_LINUX"),
    ("sles-15", "SUSE"),
    ("windows-server-2022", "WINDOWS"),
];

/// The lines of a document that are not in the one of the same recipe without these lines.
fn differences(os: &str, lines: &str, files: &[(&str, &str)]) -> String {
    let (with, without) = (rendered(&load(os, lines, files)), rendered(&load(os, "", &[])));
    let mut shown = String::new();
    for (name, document) in with {
        let before = without.iter().find(|(other, _)| *other == name).map(|(_, document)| document.text.as_str());
        let diff = similar::TextDiff::from_lines(before.unwrap_or_default(), &document.text);
        let _ = write!(shown, "# {name}\n{}", diff.unified_diff().context_radius(0));
        let parsed = crate::component::parse(&document);
        assert_eq!(parsed.diagnostics, [], "{}", document.text);
    }
    shown.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

#[test]
fn patch_overrides_are_written_into_the_image_and_proved() {
    insta::assert_snapshot!(differences(
        "debian-12",
        "patch_overrides: overrides/cve.yaml",
        &[("overrides/cve.yaml", LIST)]
    ));
    let windows = [("overrides/cve.yaml", "patches:\n  - id: KB5034441\n")];
    insta::assert_snapshot!(
        "windows_overrides",
        differences("windows-server-2022", "patch_overrides: overrides/cve.yaml", &windows)
    );
}

#[test]
fn a_changed_list_is_a_changed_document_and_a_comment_is_none() {
    let text = |list: &str| {
        let project = load("rhel-9", "patch_overrides: overrides/cve.yaml", &[("overrides/cve.yaml", list)]);
        rendered(&project)[0].1.text.clone()
    };
    assert_ne!(text(LIST), text(&LIST.replace("3.0.15", "3.0.16")));
    assert_eq!(text(LIST), text(&format!("# why\n{LIST}")));
}

#[test]
fn a_list_that_makes_the_document_too_long_has_a_place() {
    let long = (0..600).fold(String::new(), |text, n| text + &format!("  - id: package-{n}.x86_64\n"));
    let files = [("overrides/cve.yaml", format!("patches:\n{long}"))];
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
    let project = load("rhel-9", "patch_overrides: overrides/cve.yaml", &files);
    let found = render::recipe(&project, &project.recipes["web"], Arch::X86_64).unwrap_err();
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!((found[0].code, found[0].secondary[0].source.name.as_str()), ("D010", "recipes/web.yaml"));
    assert!(found[0].help.iter().any(|help| help.contains("shorten overrides/cve.yaml")), "{found:#?}");
}

const HOOK: &str = "schemaVersion: 1.0\nphases: [{ name: build, steps: [{ name: Run, action: ExecuteBash, timeoutSeconds: 60, inputs: { commands: [\"true\"] } }] }]\n";

#[test]
fn hooks_are_components_or_parameters() {
    let files = [("components/stop-app.yaml", HOOK), ("components/start-app.yaml", HOOK)];
    let project = load("debian-12", "hooks: { before_patch: stop-app, after_patch: start-app }", &files);
    let names: Vec<String> = rendered(&project).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["stop-app", "patch-linux", "start-app", "patched"]);
    let paths = "hooks: { before_patch: /opt/stop, after_patch: \"/opt/it's on\" }";
    insta::assert_snapshot!(differences("rhel-9", paths, &[]));
}

#[test]
fn what_the_baseline_rejects_is_kept_out() {
    for (os, system) in SYSTEMS {
        let rejected = match system {
            "WINDOWS" => r#""KB123", "KB456""#,
            "SUSE" => r#""telnet*", "pkg = 1:1-1""#,
            _ => r#""telnet*", "pkg-1.2-3""#,
        };
        for action in ["BLOCK", "ALLOW_AS_DEPENDENCY"] {
            let baseline = baseline(system, action, rejected, false);
            let shown = differences(os, "baseline: mine", &[("baselines/mine.json", &baseline)]);
            insta::assert_snapshot!(
                format!("rejected_{}_{}", os.replace(['-', '.'], "_"), action.to_lowercase()),
                shown
            );
        }
    }
}

fn parameters(project: &Project, index: usize) -> String {
    let recipe = &project.recipes["web"];
    let used = recipe.build.iter().chain(&recipe.test).nth(index).unwrap();
    format!("{:?}", completed(project, recipe, used).parameters)
}

#[test]
fn the_scope_follows_a_baseline_of_the_project_unless_the_recipe_says_otherwise() {
    let of = |os: &str, system: &str, more: bool, lines: &str, index: usize| {
        let baseline = baseline(system, "BLOCK", "", more);
        parameters(&load(os, &format!("baseline: mine\n{lines}"), &[("baselines/mine.json", &baseline)]), index)
    };
    for index in [0, 1] {
        assert_eq!(of("debian-12", "DEBIAN", false, "", index), "{}");
        assert_eq!(of("debian-12", "DEBIAN", true, "", index), r#"{"scope": "all"}"#);
    }
    let explicit = of("debian-12", "DEBIAN", true, "build: [patch-linux: { scope: security }]", 0);
    assert_eq!(explicit, r#"{"scope": "security"}"#);
    assert_eq!(parameters(&load("rhel-9", "", &[]), 0), "{}", "AWS-owned baselines change nothing");
}

#[test]
fn a_list_is_followed_whatever_the_baseline_says_and_exclude_is_added_to() {
    let debian = baseline("DEBIAN", "BLOCK", "\"openssl\"", true);
    let files = [("baselines/mine.json", debian.as_str()), ("overrides/cve.yaml", LIST)];
    let project = load("debian-12", "baseline: mine\npatch_overrides: overrides/cve.yaml", &files);
    assert!(!parameters(&project, 0).contains("blocked"), "{}", parameters(&project, 0));
    assert_eq!(parameters(&project, 1), r#"{"override_list": "overrides/cve.yaml"}"#);
    let windows = baseline("WINDOWS", "BLOCK", "\"KB1\"", false);
    let lines = "baseline: mine\nbuild: [patch-windows: { exclude: '*Defender*' }]";
    let project = load("windows-server-2022", lines, &[("baselines/mine.json", &windows)]);
    assert_eq!(parameters(&project, 0), r#"{"exclude": "*Defender* KB1"}"#);
    assert_eq!(parameters(&project, 1), r#"{"exclude": "KB1"}"#);
}

#[test]
fn components_of_the_project_get_only_what_they_ask_for() {
    let own = HOOK.replace("Run,", "Patch,");
    let debian = baseline("DEBIAN", "BLOCK", "\"openssl\"", true);
    let files = [("baselines/mine.json", debian.as_str()), ("components/patch-linux.yaml", &own)];
    let project = load("debian-12", "baseline: mine", &files);
    assert_eq!(parameters(&project, 0), "{}");
    assert_eq!(rendered(&project)[0].1.name, "components/patch-linux.yaml");
}

use crate::project::tests::{RECIPE, SETTINGS, at, faults, places, recipe_with, shown, write};
use crate::project::{Project, load};

const LIST: (&str, &str) =
    ("overrides/cve.yaml", "patches:\n  - id: openssl.*\n    title: '*3.0.15-1*'\n  - id: 'libssl*'\n");
const STOP: &str = "\
schemaVersion: 1.0
parameters:
  - Seconds: { type: string, default: \"5\" }
phases:
  - name: build
    steps:
      - name: StopIt
        action: ExecuteBash
        timeoutSeconds: 60
        inputs:
          commands: [\"sleep {{ Seconds }}\"]
";

/// The usual recipe with lines more, and files more; what is wrong, or the project.
fn project(lines: &str, more: &[(&str, &str)]) -> Result<Project, String> {
    let recipe = format!("{RECIPE}{lines}\n");
    let mut files = vec![SETTINGS, ("recipes/web.yaml", recipe.as_str())];
    files.extend(more);
    load(write(&files).path()).map_err(|found| shown(&found))
}

fn build(project: &Project) -> Vec<String> {
    let shown = |used: &crate::project::ComponentUse| format!("{} {:?}", used.name, used.parameters);
    project.recipes["web"].build.iter().map(shown).collect()
}

#[test]
fn a_list_of_the_project_becomes_a_table_of_the_patch_component() {
    let project = project("patch_overrides: overrides/cve.yaml", &[LIST]).unwrap();
    assert_eq!(
        build(&project),
        [
            r#"patch-linux {"override_entries": "openssl.*\t*3.0.15-1*\nlibssl*\t\n", "override_list": "overrides/cve.yaml"}"#
        ]
    );
    assert_eq!(project.recipes["web"].patch_overrides.as_ref().unwrap().from, "overrides/cve.yaml");
    // Doubtful entries are warnings of the list.
    let doubtful = [("overrides/cve.yaml", "patches:\n  - id: openssl\n")];
    let folder = self::project("patch_overrides: overrides/cve.yaml", &doubtful).unwrap();
    assert_eq!(places(&folder.warnings), at("B012", "overrides/cve.yaml:2:9"));
}

#[test]
fn a_list_of_another_place_comes_with_its_proof() {
    let sum = "0123456789abcdef".repeat(4);
    let url =
        project(&format!("patch_overrides: {{ url: https://host/l, sha256: {sum}a }}").replace("fa }", "f }"), &[]);
    assert_eq!(
        build(&url.unwrap()),
        [format!(r#"patch-linux {{"override_list": "https://host/l", "override_list_sha256": "{sum}"}}"#)]
    );
    let s3 = project("patch_overrides: { s3: s3://b/k, owner: \"111122223333\" }", &[]);
    assert_eq!(
        build(&s3.unwrap()),
        [r#"patch-linux {"override_list": "s3://b/k", "override_list_owner": "111122223333"}"#]
    );
}

#[test]
fn lists_that_cannot_be_followed_have_a_place() {
    let with = |value: &str| recipe_with("test:", &format!("patch_overrides: {value}\ntest:"));
    let here = |code: &'static str, column: u32| at(code, &format!("recipes/web.yaml:5:{column}"));
    for outside in ["../x.yaml", "/etc/x.yaml", "a/../../x.yaml", "./x.yaml", "''", "https://h/l", "s3://b/k"] {
        assert_eq!(with(outside), here("P005", 18), "{outside}");
    }
    assert_eq!(with("overrides/none.yaml"), here("P001", 18));
    assert_eq!(with("[x]"), here("P003", 18));
    assert_eq!(with("{ url: https://h/l }"), here("P004", 20));
    assert_eq!(with("{ url: http://h/l, sha256: x }")[0], ("P005", "recipes/web.yaml:5:25".into()));
    assert_eq!(with("{ s3: s3://b, owner: '1' }").len(), 2);
    assert_eq!(with(&format!("{{ url: https://h/l, sha256: {}, owner: x }}", "a".repeat(64)))[0].0, "P002");
    let list =
        |text: &str| project("patch_overrides: overrides/cve.yaml", &[("overrides/cve.yaml", text)]).unwrap_err();
    insta::assert_snapshot!(list("patches: []\n"), @"B011 overrides/cve.yaml:1:10 this install override list names nothing, so nothing would be installed []");
    insta::assert_snapshot!(list("patches:\n  - id: a.*\n  - id: \"{{ b }}.*\"\n"), @"B011 overrides/cve.yaml:3:9 an id or a title has a character that no package's name or version has [in this entry]");
    let none = RECIPE.replace("[patch-linux]", "[baseline-config]") + "patch_overrides: overrides/cve.yaml\n";
    insta::assert_snapshot!(shown(&faults(&[SETTINGS, ("recipes/web.yaml", &none), LIST])), @r"
    P025 recipes/web.yaml:6:18 `patch_overrides` needs a patch component, and this recipe has none [would do nothing]
      help: add `patch-linux` to `build`, or remove `patch_overrides`
    ");
    let twice = RECIPE.replace("[patch-linux]", "[patch-linux: { override_list: /x }]")
        + "patch_overrides: overrides/cve.yaml\n";
    insta::assert_snapshot!(shown(&faults(&[SETTINGS, ("recipes/web.yaml", &twice), LIST])), @r"
    P025 recipes/web.yaml:6:18 both `patch_overrides` and the parameter `override_list` of `patch-linux` say what to do [said here]
      help: keep one of them
    ");
}

#[test]
fn a_link_may_not_lead_out_of_the_project() {
    let recipe = format!("{RECIPE}patch_overrides: overrides/cve.yaml\n");
    let (folder, other) = (write(&[SETTINGS, ("recipes/web.yaml", &recipe)]), write(&[LIST]));
    std::os::unix::fs::symlink(other.path().join("overrides"), folder.path().join("overrides")).unwrap();
    let found = load(folder.path()).unwrap_err();
    assert_eq!(places(&found), at("P001", "recipes/web.yaml:6:18"));
    assert!(found[0].message.contains("leads out of the project"), "{}", found[0].message);
}

const WINDOWS: &str = "os: windows-server-2022\nparent: { ssm: /p }\nbuild: [patch-windows]\ntest: [boots-windows]\n";

#[test]
fn windows_takes_kb_numbers() {
    let load = |lines: &str, list: &str| {
        let recipe = format!("{WINDOWS}{lines}\n");
        load(write(&[SETTINGS, ("recipes/web.yaml", &recipe), ("overrides/cve.yaml", list)]).path())
            .map_err(|found| shown(&found))
    };
    let project =
        load("patch_overrides: overrides/cve.yaml", "patches:\n  - id: KB5034441\n  - id: KB5034439\n").unwrap();
    assert_eq!(build(&project), [r#"patch-windows {"only": "KB5034441 KB5034439"}"#]);
    insta::assert_snapshot!(load("patch_overrides: overrides/cve.yaml", "patches:\n  - id: KB5034441\n  - id: MS10-048\n").unwrap_err(), @r"
    P025 overrides/cve.yaml:3:9 the update agent of Windows knows updates by their KB numbers only [not a KB number]
      help: name the update as `KB5034441`
    ");
    let s3 = load("patch_overrides: { s3: s3://b/k, owner: \"111122223333\" }", "").unwrap_err();
    assert!(s3.starts_with("P025 recipes/web.yaml:5:18 on Windows"), "{s3}");
    let hooks = load("hooks: { before_patch: 'C:\\stop.ps1', after_patch: 'D:/start.ps1' }", "").unwrap();
    assert_eq!(build(&hooks), [r#"patch-windows {"after_hook": "D:/start.ps1", "before_hook": "C:\\stop.ps1"}"#]);
    let slash = load("hooks: { before_patch: /stop.ps1 }", "").unwrap_err();
    assert!(slash.starts_with("P005 recipes/web.yaml:5:24 on Windows") && slash.contains("C:\\stop.ps1"), "{slash}");
}

#[test]
fn hooks_stand_around_the_patch_component() {
    let files =
        [("components/stop-app.yaml", STOP), ("components/start-app.yaml", STOP), ("components/early.yaml", STOP)];
    let recipe = RECIPE.replace("[patch-linux]", "[early, patch-linux, baseline-config]");
    let load = |hooks: &str| {
        let recipe = format!("{recipe}hooks: {hooks}\n");
        let mut all = vec![SETTINGS, ("recipes/web.yaml", recipe.as_str())];
        all.extend(files);
        load(write(&all).path()).map_err(|found| shown(&found))
    };
    let both = load("{ before_patch: { stop-app: { Seconds: 9 } }, after_patch: start-app }").unwrap();
    assert_eq!(
        build(&both),
        ["early {}", r#"stop-app {"Seconds": "9"}"#, "patch-linux {}", "start-app {}", "baseline-config {}"]
    );
    let paths = load("{ before_patch: /opt/stop it, after_patch: /opt/start }").unwrap();
    let patch = r#"patch-linux {"after_hook": "/opt/start", "before_hook": "/opt/stop it"}"#;
    assert_eq!(build(&paths), ["early {}", patch, "baseline-config {}"]);
    let mixed = load("{ after_patch: start-app, before_patch: /opt/stop }").unwrap();
    assert_eq!(build(&mixed)[1..3], [r#"patch-linux {"before_hook": "/opt/stop"}"#, "start-app {}"]);
    assert_eq!(build(&load("").unwrap()).len(), 3);
    let unknown = load("{ before_patch: stop-ap }").unwrap_err();
    assert!(
        unknown.starts_with("P008 recipes/web.yaml:6:24 there is no component `stop-ap` [did you mean `stop-app`?]"),
        "{unknown}"
    );
    assert!(load("{ before_patch: early }").unwrap_err().starts_with("P009 "), "twice in a recipe");
    assert!(load("{ before_patch: stop-app: }").is_err());
    assert!(
        load("{ before_patch: { stop-app: { Second: 9 } } }").unwrap_err().starts_with("P019 recipes/web.yaml:6:26")
    );
}

#[test]
fn hooks_that_would_do_nothing_have_a_place() {
    let with = |value: &str| recipe_with("test:", &format!("hooks: {value}\ntest:"));
    let here = |code: &'static str, column: u32| at(code, &format!("recipes/web.yaml:5:{column}"));
    assert_eq!(with("{ before_path: /x }"), here("P002", 10));
    assert_eq!(with("{ before_patch: [a] }"), here("P003", 24));
    assert_eq!(with("{ before_patch: / }"), here("P005", 24));
    assert_eq!(with("{ before_patch: \"/a\\nb\" }"), here("P005", 24));
    assert_eq!(with("{ after_patch: hygiene }"), here("P017", 23));
    let set = recipe_with("[patch-linux]", "[patch-linux: { after_hook: /x }]\nhooks: { after_patch: /y }");
    assert_eq!(set, here("P025", 23));
    assert_eq!(recipe_with("[patch-linux]", "[]\nhooks: { after_patch: /y }"), here("P025", 23));
}

#[test]
fn what_a_build_cannot_keep_out_is_told_once() {
    let baseline = r#"{ "Name": "mine", "OperatingSystem": "SUSE", "ApprovalRules": { "PatchRules": [ {
        "PatchFilterGroup": { "PatchFilters": [ { "Key": "CLASSIFICATION", "Values": ["Security"] } ] }, "ApproveAfterDays": 0 } ] },
        "RejectedPatches": ["telnet", "pkg < 2"], "RejectedPatchesAction": "BLOCK" }"#;
    let recipe = "os: sles-15\nparent: { ssm: /p }\nbuild: [patch-linux]\ntest: [boots]\nbaseline: mine\n";
    let files =
        [SETTINGS, ("recipes/one.yaml", recipe), ("recipes/two.yaml", recipe), ("baselines/mine.json", baseline)];
    let project = load(write(&files).path()).unwrap_or_else(|found| panic!("{}", shown(&found)));
    assert_eq!(
        shown(&project.warnings),
        "P026 baselines/mine.json:3:39 zypper has no words for all that `pkg < 2` rejects: it is not kept out of a build [judged after the build]"
    );
    let unused =
        [SETTINGS, ("recipes/one.yaml", &recipe.replace("[patch-linux]", "[]")), ("baselines/mine.json", baseline)];
    assert_eq!(shown(&load(write(&unused).path()).unwrap().warnings), "");
}

//! Plans of several images, plans in files, and images that start from other recipes, through the binary.

mod harness;
mod support;

use harness::Env;
use serde_json::Value;

fn project() -> Env {
    let env = Env::new();
    let parent = support::fixture::parent(env.base());
    let settings = format!(
        "project: acme\nenvironments:\n  local: {{ bind: [\"{}\"] }}\nchannels:\n  candidate: {{}}\n",
        parent.repository.display()
    );
    env.write("amiforge.yaml", &settings);
    let base = format!(
        "os: debian-12\nparent:\n  ssm: /aws/service/debian/x\n  local: {{ directory: \"{}\" }}\nbuild:\n  - motd\ntest: [boots]\n\
         gates:\n  tests: required\npipeline: {{ schedule: \"rate(7 days)\" }}\n",
        parent.root.display()
    );
    env.write("recipes/base.yaml", &base);
    env.write(
        "recipes/web.yaml",
        "os: debian-12\nparent: { recipe: base }\nbuild: [motd]\ntest: [boots]\ngates:\n  tests: required\n",
    );
    env.write("components/motd.yaml", include_str!("strangers/motd.yaml"));
    env
}

fn changes(plan: &Value) -> Vec<String> {
    let word = |change: &Value, key: &str| change[key].as_str().unwrap_or_default().to_owned();
    plan["changes"]
        .as_array()
        .expect("a list of changes")
        .iter()
        .map(|change| format!("{} {}", word(change, "action"), word(change, "kind")))
        .collect()
}

#[test]
fn a_plan_in_a_file_is_carried_out_as_it_was_shown_or_not_at_all() {
    let env = project();
    let shown = env.expect(4, &["plan", "base", "--out", "plan.json", "--detailed-exitcode", "--format", "json"]);
    let plan: Value = serde_json::from_str(&shown.stdout).unwrap();
    let expected = [
        "create component",
        "create component",
        "create recipe",
        "create infrastructure",
        "create pipeline",
        "keep baseline",
    ];
    assert_eq!(changes(&plan), expected);
    assert!(shown.stderr.contains("amiforge publish plan.json"), "{}", shown.stderr);

    // Another change of the project does not matter to the file; somebody else's work in the account does.
    env.write("components/other.yaml", &env.read("components/motd.yaml").replace("motd", "other"));
    let done = env.expect(0, &["publish", "plan.json"]).stdout;
    assert!(done.contains("5 resources changed") && done.contains(":image-pipeline/acme-base-x86-64"), "{done}");
    let again = env.expect(0, &["publish", "plan.json"]).stdout;
    assert!(again.contains("Nothing to do"), "{again}");

    let text = env.read("components/motd.yaml");
    env.write("components/motd.yaml", &text.replace("schemaVersion", "# one\nschemaVersion"));
    env.expect(0, &["plan", "base", "--out", "late.json"]);
    env.write("components/motd.yaml", &text.replace("schemaVersion", "# two\nschemaVersion"));
    env.expect(0, &["publish", "base"]);
    let stale = env.expect(11, &["publish", "late.json"]).stderr;
    assert!(
        stale.contains("the account has changed since the plan")
            && stale.contains("planned  create component acme-motd 1.0.1"),
        "{stale}"
    );
    assert!(stale.contains("amiforge plan RECIPE --out FILE"), "{stale}");

    let changed = env.read("late.json").replacen("rate(7 days)", "rate(1 day)", 1);
    env.write("late.json", &changed);
    let refused = env.expect(2, &["publish", "late.json"]).stderr;
    assert!(refused.contains("its digest does not match"), "{refused}");
}

#[test]
fn a_base_image_is_built_before_what_starts_from_it() {
    let env = project();
    let none = env.expect(8, &["plan", "web"]).stderr;
    assert!(none.contains("starts from recipe `base`") && none.contains("amiforge build base"), "{none}");
    let built = env.expect(0, &["build", "--all", "--format", "json"]).stdout;
    let report: Value = serde_json::from_str(&built).unwrap();
    let recipes: Vec<&str> =
        report["images"].as_array().unwrap().iter().map(|row| row["recipe"].as_str().unwrap()).collect();
    assert_eq!(recipes, ["base", "web"], "{built}");
    let base = report["images"][0]["ami"].as_str().expect(&built).to_owned();
    let plans = env.expect(0, &["plan", "--all", "--detailed-exitcode", "--format", "json"]).stdout;
    let plans: Value = serde_json::from_str(&plans).unwrap();
    assert_eq!(plans["schema"], "amiforge.plans/1");
    let web = plans["plans"].as_array().unwrap().iter().find(|plan| plan["recipe"] == "web").unwrap();
    assert_eq!(web["parent_image"], base.as_str());
    assert_eq!(web["image"]["action"], "keep");
    // Another channel's release is asked for by name, and there is none yet.
    env.write(
        "recipes/web.yaml",
        &env.read("recipes/web.yaml").replace("{ recipe: base }", "{ recipe: base, channel: candidate }"),
    );
    let empty = env.expect(8, &["plan", "web"]).stderr;
    assert!(empty.contains("nothing is promoted to channel `candidate` of base"), "{empty}");
}

const FAILS: &str = "\
name: fails
description: Leaves something behind and fails
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: Leave
        action: ExecuteBash
        inputs:
          commands:
            - echo 'was here' > /root/left
            - exit 7
";

#[test]
fn the_instance_of_a_failed_build_is_entered_and_ended() {
    let env = project();
    env.write("components/fails.yaml", FAILS);
    env.write("recipes/base.yaml", &env.read("recipes/base.yaml").replace("  - motd\n", "  - motd\n  - fails\n"));
    let failed = env.expect(5, &["build", "base", "--on-failure", "keep=2h"]).stderr;
    let instance = failed
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .find(|word| word.starts_with("i-") && word.len() == 19)
        .unwrap_or_else(|| panic!("no instance in {failed}"))
        .to_owned();
    assert!(failed.contains(&format!("amiforge shell {instance}")), "{failed}");
    // The process that built it has ended; every later command in the project tells of what it has left.
    let later = env.expect(0, &["plan", "base"]).stderr;
    assert!(later.contains(&format!("kept instance {instance} of image 1.0.0/1, kept until")), "{later}");
    let inside = env.expect(0, &["shell", &instance, "--", "cat", "/root/left"]);
    assert_eq!(inside.stdout.trim(), "was here");
    let status: Value = serde_json::from_str(&env.expect(0, &["status", "--format", "json"]).stdout).unwrap();
    assert_eq!(status["kept"][0]["instance"], instance.as_str(), "{status}");
    let early = env.expect(0, &["status", "--cleanup", "--format", "json"]).stdout;
    assert!(early.contains(&instance), "its time has not passed: {early}");
    let ended = env.expect(0, &["status", "--cleanup", "all", "--format", "json"]).stdout;
    assert!(!ended.contains("kept"), "{ended}");
    env.expect(2, &["shell", &instance, "--", "true"]);
    // Without the wish nothing is left.
    env.expect(5, &["build", "base"]);
    assert!(!env.expect(0, &["status"]).stdout.contains("kept instance"));
    env.expect(2, &["build", "base", "--on-failure", "keep"]);
}

#[test]
fn the_patch_baseline_of_the_project_is_planned_and_published() {
    let env = project();
    let baseline = "Name: acme-golden\nOperatingSystem: DEBIAN\nApprovalRules:\n  PatchRules:\n    - ApproveAfterDays: 0\n      PatchFilterGroup:\n        \
                    PatchFilters:\n          - { Key: PRODUCT, Values: [\"*\"] }\n";
    env.write("baselines/golden.yaml", baseline);
    env.write("recipes/base.yaml", &(env.read("recipes/base.yaml") + "baseline: golden\n"));
    let plan = env.expect(0, &["plan", "base"]).stdout;
    assert!(
        plan.contains("+ patch baseline acme-golden  [") && plan.contains("]  new; the default of DEBIAN is"),
        "{plan}"
    );
    let done = env.expect(0, &["publish", "base"]).stdout;
    assert!(done.contains("  patch baseline pb-"), "{done}");
    let kept = env.expect(0, &["plan", "base"]).stdout;
    assert!(kept.contains("= patch baseline acme-golden  [") && kept.contains("  unchanged"), "{kept}");
    env.write("baselines/golden.yaml", &format!("{baseline}RejectedPatches: [vim]\n"));
    let changed = env.expect(0, &["plan", "base"]).stdout;
    assert!(changed.contains("~ patch baseline acme-golden  [") && changed.contains("rules differ: "), "{changed}");
    // One of another project is not touched.
    env.write("amiforge.yaml", &env.read("amiforge.yaml").replace("project: acme", "project: other"));
    let foreign = env.expect(0, &["plan", "base"]).stdout;
    assert!(foreign.contains("! foreign patch baseline acme-golden"), "{foreign}");
    let refused = env.expect(11, &["publish", "base"]).stderr;
    assert!(refused.contains("belongs to the project `acme`"), "{refused}");
}

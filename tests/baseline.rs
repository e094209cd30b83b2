//! Patch baselines through the binary: listed, shown, compared, published and frozen, in the local environment and, over
//! `amiforge local serve`, in several accounts and Regions with roles.

mod harness;

use harness::{Door, Env, Outcome};
use serde_json::Value;
use std::io::BufReader;
use std::process::{Child, Stdio};

/// A baseline of the project.
const GOLDEN: &str = "\
Name: acme-golden
OperatingSystem: DEBIAN
Description: What our servers get
ApprovalRules:
  PatchRules:
    - PatchFilterGroup:
        PatchFilters:
          - { Key: PRIORITY, Values: [Required, Important] }
      ApproveAfterDays: 0
      ComplianceLevel: HIGH
RejectedPatches: [curl]
";

const RECIPE: &str = "\
name: web
os: debian-12
version: \"1.0\"
parent:
  ssm: /aws/service/debian/release/12/latest/{{ debian_arch }}
  local: { bootstrap: bookworm }
build:
  - patch-linux: { scope: security }
test: [boots]
baseline: golden
";

fn env() -> Env {
    let env = Env::new();
    env.write("amiforge.yaml", "project: acme\n");
    env.write("recipes/web.yaml", RECIPE);
    env.write("baselines/golden.yaml", GOLDEN);
    env
}

fn json(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.stdout).expect("JSON on stdout")
}

/// Ids of baselines differ from run to run.
fn without_ids(text: &str) -> String {
    let mut parts = text.split("pb-");
    let mut out = parts.next().unwrap_or("").to_owned();
    for part in parts {
        let digits = part.bytes().take_while(u8::is_ascii_hexdigit).count();
        out.push_str("pb-");
        out.push_str(if digits == 17 { "…" } else { &part[..digits] });
        out.push_str(&part[digits..]);
    }
    out
}

#[test]
fn the_list_has_the_projects_and_awss() {
    let env = env();
    let text = env.expect(0, &["baseline", "list"]).stdout;
    insta::assert_snapshot!(text.lines().take(5).collect::<Vec<_>>().join("\n"), @"
    golden                                              DEBIAN                   Required/Important, 1 rejected by name
                                                        baselines/golden.yaml, in accounts acme-golden; used by web
    AWS-AlmaLinuxDefaultPatchBaseline                   ALMA_LINUX               Security + Critical/Important or Bugfix, after 7 days
    AWS-AmazonLinux2022DefaultPatchBaseline             AMAZON_LINUX_2022        Security + Critical/Important or Bugfix, after 7 days
    AWS-AmazonLinux2023DefaultPatchBaseline             AMAZON_LINUX_2023        Security + Critical/Important or Bugfix, after 7 days
    ");
    let list = json(&env.expect(0, &["baseline", "list", "--format", "json"]));
    assert_eq!(
        (list["schema"].as_str(), list["baselines"].as_array().map(Vec::len)),
        (Some("amiforge.baselines/1"), Some(18))
    );
    assert_eq!(list["baselines"][0]["used_by"][0], "web");
    assert!(!env.project().join(".amiforge").exists(), "something was created");
}

#[test]
fn without_a_project_there_are_awss() {
    // Elsewhere than the other tests: above target/ there is the project of this repository.
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    let mut command = Env::new().command(&["baseline", "list", "--format", "json"]);
    let output = command.current_dir(elsewhere.path()).output().expect("the binary starts");
    let list: Value = serde_json::from_slice(&output.stdout).expect("JSON on stdout");
    assert_eq!(list["baselines"].as_array().map(Vec::len), Some(17));
}

#[test]
fn a_baseline_is_shown_in_sentences() {
    let env = env();
    insta::assert_snapshot!(env.expect(0, &["baseline", "show", "golden"]).stdout, @"
    acme-golden  for DEBIAN
    What our servers get
    from baselines/golden.yaml

      Rule 1 approves security updates whose PRIORITY is Required or Important, at once (the delay of 0 days has no effect on DEBIAN); a missing one counts as HIGH.
      Only installed when another package needs it (ALLOW_AS_DEPENDENCY): curl.
    ");
    let shown = json(&env.expect(0, &["baseline", "show", "golden", "--format", "json"]));
    assert_eq!(
        (shown["schema"].as_str(), shown["origin"]["file"].as_str()),
        (Some("amiforge.baseline/1"), Some("baselines/golden.yaml"))
    );
    let unknown = env.expect(2, &["baseline", "show", "goldn"]).stderr;
    assert!(unknown.contains("did you mean `golden`?"), "{unknown}");
}

#[test]
fn every_form_that_is_printed_is_read_and_means_the_same() {
    let env = env();
    for (format, file) in [("yaml", "a.yaml"), ("create-request", "b.json"), ("override", "c.json")] {
        env.write(file, &env.expect(0, &["baseline", "show", "golden", "--format", format]).stdout);
        // An override file has no description.
        let same = format != "override";
        let code = if same { 0 } else { 4 };
        let diff = env.expect(code, &["baseline", "diff", "golden", file, "--detailed-exitcode"]).stdout;
        assert!(
            if same { diff.contains("mean the same") } else { diff.contains("1 difference\n  - Description:") },
            "{diff}"
        );
    }
}

#[test]
fn a_baseline_can_be_copied_into_the_project_by_the_shell() {
    let env = env();
    // What `> baselines/copy.yaml` makes before the program runs.
    env.write("baselines/copy.yaml", "");
    let text = env.expect(0, &["baseline", "show", "AWS-DefaultPatchBaseline", "--format", "yaml"]).stdout;
    let empty = env.expect(2, &["baseline", "show", "copy"]).stderr;
    assert!(empty.contains("baselines/copy.yaml:1:1"), "{empty}");
    env.expect(2, &["baseline", "list"]);
    env.write("baselines/copy.yaml", &text.replace("AWS-DefaultPatchBaseline", "acme-windows"));
    env.expect(0, &["baseline", "diff", "AWS-DefaultPatchBaseline", "copy", "--detailed-exitcode"]);
    env.expect(0, &["baseline", "publish", "copy", "--default", "--yes", "--patch-group", "Größe 1"]);
    assert!(env.expect(0, &["baseline", "publish", "copy", "--default"]).stdout.contains("Nothing to do"));
}

#[test]
fn a_file_with_several_needs_a_system() {
    let env = env();
    let of = |name: &str| json(&env.expect(0, &["baseline", "show", name, "--format", "override"]))[0].clone();
    let both = Value::from(vec![of("golden"), of("AWS-RedHatDefaultPatchBaseline")]);
    env.write("both.json", &both.to_string());
    let several = env.expect(2, &["baseline", "show", "both.json"]).stderr;
    assert!(several.contains("DEBIAN, REDHAT_ENTERPRISE_LINUX") && several.contains("--os DEBIAN"), "{several}");
    let chosen = env.expect(0, &["baseline", "show", "both.json", "--os", "redhat-enterprise-linux"]).stdout;
    assert!(chosen.starts_with("override-redhat-enterprise-linux  for REDHAT_ENTERPRISE_LINUX\n"), "{chosen}");
    let unknown = env.expect(2, &["baseline", "show", "both.json", "--os", "DEBAIN"]).stderr;
    assert!(unknown.contains("did you mean `DEBIAN`?"), "{unknown}");
    env.write("both.json", &Value::from(vec![of("golden"), of("golden")]).to_string());
    let twice = env.expect(2, &["baseline", "show", "both.json"]).stderr;
    assert!(twice.contains("error[B014]: there are several definitions for DEBIAN"), "{twice}");
}

#[test]
fn a_difference_is_told_in_three_forms() {
    let env = env();
    let arguments = ["baseline", "diff", "AWS-DebianDefaultPatchBaseline", "golden"];
    insta::assert_snapshot!(env.expect(0, &arguments).stdout, @"
    AWS-DebianDefaultPatchBaseline → golden: 6 differences
      + Description: What our servers get
      - PRODUCT: *
      ~ rule 1, PRIORITY: Extra, Important, Optional, Required, Standard → Important, Required
      ~ rule 1, Approval: after 7 days → after 0 days (no effect on this system)
      ~ rule 1, ComplianceLevel: UNSPECIFIED → HIGH
      + RejectedPatches: curl
    ");
    let with = |more: &[&'static str]| [&arguments[..], more].concat();
    env.expect(4, &with(&["--detailed-exitcode"]));
    let diff = json(&env.expect(0, &with(&["--format", "json"])));
    assert_eq!(diff["schema"], "amiforge.baseline-diff/1");
    assert!(env.expect(0, &with(&["--format", "markdown"])).stdout.contains("| added | RejectedPatches | curl |"));
    env.expect(0, &["baseline", "diff", "golden", "baselines/golden.yaml", "--detailed-exitcode"]);
}

#[test]
fn publishing_twice_does_nothing_the_second_time() {
    let env = env();
    let plan = env.expect(4, &["baseline", "publish", "golden", "--plan", "--detailed-exitcode"]).stdout;
    insta::assert_snapshot!(plan, @"
    plan for patch baselines in environment local

      + acme-golden for DEBIAN in 000000000000/us-east-1
          create

    1 to do.
    ");
    let first = env.expect(0, &["baseline", "publish", "golden"]).stdout;
    insta::assert_snapshot!(without_ids(&first), @"
    acme-golden for DEBIAN in 000000000000/us-east-1: done  pb-…
          create
    ");
    let second = env.expect(0, &["baseline", "publish", "golden"]).stdout;
    insta::assert_snapshot!(without_ids(&second), @"
    acme-golden for DEBIAN in 000000000000/us-east-1: nothing to do  pb-…
    Nothing to do: everything was published already.
    ");
    env.expect(0, &["baseline", "publish", "golden", "--plan", "--detailed-exitcode"]);
}

#[test]
fn a_changed_baseline_is_updated_in_place() {
    let env = env();
    let first = json(&env.expect(0, &["baseline", "publish", "golden", "--format", "json"]));
    env.write(
        "baselines/golden.yaml",
        &GOLDEN.replace("ApproveAfterDays: 0", "ApproveAfterDays: 3").replace("curl", "vim"),
    );
    let plan = env.expect(0, &["baseline", "publish", "golden", "--plan"]).stdout;
    insta::assert_snapshot!(without_ids(&plan), @"
    plan for patch baselines in environment local

      ~ acme-golden for DEBIAN in 000000000000/us-east-1  pb-…
          update, 3 differences
            ~ rule 1, Approval: after 0 days → after 3 days (no effect on this system)
            - RejectedPatches: curl
            + RejectedPatches: vim

    1 to do.
    ");
    let second = json(&env.expect(0, &["baseline", "publish", "golden", "--format", "json"]));
    assert_eq!(
        (&second["schema"], &second["rows"][0]["outcome"]),
        (&"amiforge.baseline-publish/1".into(), &"done".into())
    );
    assert_eq!(second["rows"][0]["id"], first["rows"][0]["id"]);
    assert!(env.expect(0, &["baseline", "publish", "golden"]).stdout.contains("Nothing to do"));
}

#[test]
fn a_default_is_only_taken_over_with_consent() {
    let env = env();
    let refused = env.expect(2, &["baseline", "publish", "golden", "--default"]);
    insta::assert_snapshot!(without_ids(&refused.stderr.lines().filter(|line| !line.contains(" s)")).collect::<Vec<_>>().join("\n")), @"
        plan  patch baselines in environment local
        plan  … acme-golden in 000000000000/us-east-1
    error[A002]: not confirmed, nothing was changed
      | acme-golden for DEBIAN in 000000000000/us-east-1: default of DEBIAN, instead of AWS-DebianDefaultPatchBaseline (arn:aws:ssm:us-east-1:075727635805:patchbaseline/pb-…)
      why: there is no terminal to ask on
      next: --yes says it in advance
    ");
    env.expect(4, &["baseline", "publish", "golden", "--plan", "--detailed-exitcode"]);
    let done = env.expect(0, &["baseline", "publish", "golden", "--default", "--yes"]).stdout;
    assert!(done.contains("default of DEBIAN, instead of AWS-DebianDefaultPatchBaseline (arn:"), "{done}");
    let again = env.expect(0, &["baseline", "publish", "golden", "--default"]).stdout;
    assert!(again.contains("Nothing to do"), "{again}");
    env.expect(0, &["baseline", "publish", "AWS-DebianDefaultPatchBaseline", "--default", "--yes"]);
    let back = env.expect(0, &["baseline", "snapshot", "--default-for", "debian", "--as", "now"]).stdout;
    assert!(back.contains("from AWS-DebianDefaultPatchBaseline  arn:"), "{back}");
}

#[test]
fn a_patch_group_belongs_to_one_baseline() {
    let env = env();
    env.write("baselines/other.yaml", &GOLDEN.replace("acme-golden", "acme-other"));
    let done = env.expect(0, &["baseline", "publish", "golden", "--patch-group", "web", "--patch-group", "db"]).stdout;
    assert!(done.contains("patch group db\n") && done.contains("patch group web\n"), "{done}");
    let taken = env.expect(11, &["baseline", "publish", "other", "--patch-group", "web"]);
    assert!(taken.stderr.contains("patch group `web` is registered with acme-golden (pb-"), "{}", taken.stderr);
    assert!(taken.stderr.contains("next: --replace-group"), "{}", taken.stderr);
    env.expect(2, &["baseline", "publish", "other", "--patch-group", "web", "--replace-group"]);
    let moved = env.expect(0, &["baseline", "publish", "other", "--patch-group", "web", "--replace-group", "--yes"]);
    assert!(moved.stdout.contains("patch group web, instead of acme-golden (pb-"), "{}", moved.stdout);
    assert!(moved.stdout.contains("undo in 000000000000: aws ssm deregister-patch-baseline-for-"), "{}", moved.stdout);
    env.expect(2, &["baseline", "publish", "golden", "other", "--patch-group", "both"]);
}

#[test]
fn what_cannot_be_published_is_said_before_anything_is_done() {
    let env = env();
    let owned = env.expect(2, &["baseline", "publish", "AWS-DebianDefaultPatchBaseline"]).stderr;
    assert!(owned.contains("a baseline that AWS owns") && owned.contains("--format yaml"), "{owned}");
    env.expect(2, &["baseline", "publish", "goldn"]);
    env.expect(2, &["baseline", "publish"]);
    env.expect(2, &["baseline", "publish", "golden", "--replace-group"]);
    assert!(!env.project().join(".amiforge").exists(), "something was created");
}

#[test]
fn a_snapshot_freezes_what_the_account_has() {
    let env = env();
    env.expect(0, &["baseline", "publish", "golden"]);
    env.expect(10, &["baseline", "snapshot", "acme-golden", "--check"]);
    let made = env.expect(0, &["baseline", "snapshot", "acme-golden"]).stdout;
    insta::assert_snapshot!(without_ids(&made), @"
    wrote baselines/acme-golden.yaml
      from acme-golden  pb-…  in 000000000000/us-east-1
    ");
    let file = env.read("baselines/acme-golden.yaml");
    assert!(
        file.starts_with("# Snapshot of patch baseline pb-")
            && file.contains("# of account 000000000000 in us-east-1, taken 20"),
        "{file}"
    );
    env.expect(0, &["baseline", "diff", "golden", "acme-golden", "--detailed-exitcode"]);
    env.expect(0, &["baseline", "snapshot", "acme-golden", "--check"]);
    assert!(env.expect(0, &["baseline", "snapshot", "acme-golden"]).stdout.contains("means the same already"));

    // The account's moves on.
    env.write("baselines/golden.yaml", &GOLDEN.replace("curl", "vim"));
    env.expect(0, &["baseline", "publish", "golden"]);
    let drift = env.expect(10, &["baseline", "snapshot", "acme-golden", "--check"]);
    insta::assert_snapshot!(without_ids(&drift.stdout), @"
    baselines/acme-golden.yaml differs
      from acme-golden  pb-…  in 000000000000/us-east-1
      - RejectedPatches: curl
      + RejectedPatches: vim
    ");
    insta::assert_snapshot!(without_ids(&drift.stderr), @"
    error[A010]: baselines/acme-golden.yaml differs from the account
      next: amiforge -e local baseline snapshot acme-golden --force writes what the account has
    ");
    let refused = env.expect(10, &["baseline", "snapshot", "acme-golden"]).stderr;
    assert!(refused.contains("is not overwritten") && refused.contains("+ RejectedPatches: vim"), "{refused}");
    assert_eq!(env.read("baselines/acme-golden.yaml"), file);
    env.expect(0, &["baseline", "snapshot", "acme-golden", "--force"]);
    env.expect(0, &["baseline", "snapshot", "acme-golden", "--check"]);
}

#[test]
fn a_snapshot_can_be_the_first_file_of_a_baseline_that_a_recipe_names() {
    let env = env();
    std::fs::remove_file(env.project().join("baselines/golden.yaml")).expect("the file is there");
    env.expect(2, &["lint"]);
    env.expect(0, &["baseline", "snapshot", "AWS-DebianDefaultPatchBaseline", "--as", "golden"]);
    env.expect(0, &["lint"]);
    let again = env.read("baselines/golden.yaml");
    let command =
        again.lines().find_map(|line| line.split("since: amiforge ").nth(1)).expect("the command of the header");
    env.expect(0, &command.split(' ').collect::<Vec<_>>());
    let owned = env.expect(2, &["baseline", "publish", "golden"]).stderr;
    assert!(owned.contains("a baseline that AWS owns"), "{owned}");
    env.expect(2, &["baseline", "snapshot", "AWS-DebianDefaultPatchBaseline", "--as", "../golden"]);
    env.expect(2, &["baseline", "snapshot", "nobody-has-it"]);
    env.expect(2, &["baseline", "snapshot"]);
}

/// `amiforge local serve` in the background, ended on drop.
struct Served {
    child: Child,
    door: Door,
}

impl Served {
    fn start(env: &Env) -> Self {
        let arguments = ["local", "serve", "--account", "111122223333"];
        let mut child = env.command(&arguments).stdout(Stdio::piped()).spawn().expect("the binary starts");
        let door = Door::read(BufReader::new(child.stdout.take().expect("stdout")));
        Self { child, door }
    }

    /// Runs the binary in the environment `aws` of the project, whose accounts are played by the served one.
    fn run(&self, env: &Env, arguments: &[&str]) -> Outcome {
        let output = env
            .command(&[&["-e", "aws"], arguments].concat())
            .env("AWS_ENDPOINT_URL", self.door.address())
            .env("AWS_ACCESS_KEY_ID", &self.door.keys[0].0)
            .env("AWS_SECRET_ACCESS_KEY", &self.door.keys[0].1)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .output()
            .expect("the binary starts");
        let code = output.status.code().unwrap_or(-1);
        Outcome { code, stdout: env.normal(&output.stdout), stderr: env.normal(&output.stderr) }
    }

    fn expect(&self, env: &Env, code: i32, arguments: &[&str]) -> Outcome {
        let outcome = self.run(env, arguments);
        assert_eq!(outcome.code, code, "{}\n{}\n{}", arguments.join(" "), outcome.stdout, outcome.stderr);
        outcome
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const ACCOUNTS: &str = "\
project: acme
environments:
  aws:
    home: { account: \"111122223333\", region: us-east-1 }
    targets:
      - { account: \"111122223333\", regions: [us-east-1, eu-west-1] }
      - { account: \"444455556666\", regions: [us-east-1], role: deploy }
";

#[test]
fn every_target_account_and_region_gets_it() {
    let env = env();
    env.write("amiforge.yaml", ACCOUNTS);
    let served = Served::start(&env);
    let first =
        served.expect(&env, 0, &["baseline", "publish", "golden", "--default", "--yes", "--patch-group", "web"]);
    insta::assert_snapshot!(without_ids(&first.stdout), @"
    acme-golden for DEBIAN in 111122223333/us-east-1: done  pb-…
          create
          default of DEBIAN, instead of AWS-DebianDefaultPatchBaseline (arn:aws:ssm:us-east-1:075727635805:patchbaseline/pb-…)
          patch group web
    acme-golden for DEBIAN in 111122223333/eu-west-1: done  pb-…
          create
          default of DEBIAN, instead of AWS-DebianDefaultPatchBaseline (arn:aws:ssm:eu-west-1:075727635805:patchbaseline/pb-…)
          patch group web
    acme-golden for DEBIAN in 444455556666/us-east-1: done  pb-…
          create
          default of DEBIAN, instead of AWS-DebianDefaultPatchBaseline (arn:aws:ssm:us-east-1:075727635805:patchbaseline/pb-…)
          patch group web
    undo in 111122223333: aws ssm register-default-patch-baseline --region us-east-1 --baseline-id arn:aws:ssm:us-east-1:075727635805:patchbaseline/pb-…
    undo in 111122223333: aws ssm register-default-patch-baseline --region eu-west-1 --baseline-id arn:aws:ssm:eu-west-1:075727635805:patchbaseline/pb-…
    undo in 444455556666: aws ssm register-default-patch-baseline --region us-east-1 --baseline-id arn:aws:ssm:us-east-1:075727635805:patchbaseline/pb-…
    ");
    let again = served.expect(&env, 0, &["baseline", "publish", "golden", "--default", "--patch-group", "web"]);
    assert!(again.stdout.contains("Nothing to do: everything was published already."), "{}", again.stdout);
    let frozen = served.expect(&env, 0, &["baseline", "snapshot", "--default-for", "DEBIAN"]).stdout;
    assert!(frozen.contains("from acme-golden  pb-") && frozen.contains("in 111122223333/us-east-1"), "{frozen}");
}

#[test]
fn a_place_that_fails_does_not_stop_the_others_and_the_same_command_finishes() {
    let env = env();
    env.write("amiforge.yaml", ACCOUNTS);
    let served = Served::start(&env);
    // In one Region somebody else has the patch group.
    env.write("baselines/other.yaml", &GOLDEN.replace("acme-golden", "acme-other"));
    let elsewhere = ACCOUNTS.replace("region: us-east-1 }\n    targets", "region: eu-west-1 }\n    unused");
    let only = elsewhere.lines().take_while(|line| !line.contains("unused")).collect::<Vec<_>>().join("\n");
    env.write("amiforge.yaml", &only);
    served.expect(&env, 0, &["baseline", "publish", "other", "--patch-group", "web"]);
    env.write("amiforge.yaml", ACCOUNTS);

    let partly = served.expect(&env, 9, &["baseline", "publish", "golden", "--patch-group", "web"]);
    insta::assert_snapshot!(without_ids(&partly.stdout), @"
    acme-golden for DEBIAN in 111122223333/us-east-1: done  pb-…
          create
          patch group web
    acme-golden for DEBIAN in 111122223333/eu-west-1: FAILED
          error: patch group `web` is registered with acme-other (pb-…) for DEBIAN
    acme-golden for DEBIAN in 444455556666/us-east-1: done  pb-…
          create
          patch group web
    ");
    let said = partly.stderr.lines().skip_while(|line| !line.starts_with("error")).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!(without_ids(&said), @"
    error[A009]: 1 of 3 could not be published
      | acme-golden for DEBIAN in 111122223333/eu-west-1: patch group `web` is registered with acme-other (pb-…) for DEBIAN
      next: --replace-group takes the patch group from it
      next: the same command finishes it: what is done is not done again
    ");
    let finish =
        ["baseline", "publish", "golden", "--patch-group", "web", "--replace-group", "--yes", "--format", "json"];
    let finished = json(&served.expect(&env, 0, &finish));
    let outcomes: Vec<&str> =
        finished["rows"].as_array().expect("rows").iter().filter_map(|row| row["outcome"].as_str()).collect();
    assert_eq!(outcomes, ["unchanged", "done", "unchanged"]);
    assert_eq!(
        (&finished["rows"][1]["region"], &finished["rows"][2]["account"]),
        (&"eu-west-1".into(), &"444455556666".into())
    );
}

#[test]
fn the_new_codes_are_explained() {
    let env = Env::new();
    assert!(env.expect(0, &["explain", "B014"]).stdout.contains("BaselineOverride"));
    assert!(env.expect(0, &["explain", "A010"]).stdout.contains("baseline snapshot"));
}

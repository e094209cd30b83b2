//! What is found out about an image on the whole way, kept, signed and judged.

use super::{Fixture, MOTD, recipe};
use std::process::Command;

const POLICY: &str = "\
signing: { key: evidence.pem, trusted: [evidence.pub] }
gates:
  required: [image, packages]
  patches: {}
  image: { accounts: [], ena: true }
  tests: { required: [patched, motd-works/MotdIsThere] }
  packages: { must_have: [bash], must_not_have: [telnetd] }
  size: { max_growth: 50, max_mib: 100000 }
  age: { max: 7d }
  parent: { max_age: 30d }
  commands:
    names-the-image: { shell: 'grep -q \"$AMIFORGE_AMI\" \"$AMIFORGE_EVIDENCE\"' }
";

/// The project's policy over real evidence, signed, with its image, until somebody touches it.
#[test]
fn gates_of_the_project_judge_evidence_that_is_signed() {
    let fixture = Fixture::new();
    let settings = fixture.env.project().join("amiforge.yaml");
    let plain = std::fs::read_to_string(&settings).expect("settings");
    fixture.env.write("amiforge.yaml", &format!("{plain}{POLICY}"));
    for arguments in [
        &["genpkey", "-algorithm", "ed25519", "-out", "evidence.pem"][..],
        &["pkey", "-in", "evidence.pem", "-pubout", "-out", "evidence.pub"],
    ] {
        let made =
            Command::new("openssl").args(arguments).current_dir(fixture.env.project()).output().expect("openssl");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
    let test = MOTD.replace("name: motd\n", "name: motd-works\n");
    let test = test[..test.find("  - name: build").unwrap()].to_owned() + &test[test.find("  - name: test").unwrap()..];
    fixture.env.write("components/motd-works.yaml", &test);
    fixture.env.write("recipes/web.yaml", &recipe(&fixture.env.base().join("root"), "[boots, patched, motd-works]"));
    fixture.env.expect(0, &["run", "web"]);
    let ami = fixture.resolve("candidate");
    let file = fixture.env.project().join(format!(".amiforge/evidence/web/x86_64/{ami}.json"));
    let text = std::fs::read_to_string(&file).expect("evidence");
    let evidence: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(evidence["schema"], "amiforge.evidence/4");
    assert_eq!((&evidence["os"]["id"], &evidence["image"]["shared_with"]), (&"debian".into(), &serde_json::json!([])));
    assert_eq!(evidence["ancestry"]["images"][0]["seen"], true, "{}", evidence["ancestry"]);
    assert_eq!(evidence["commands"][0]["exit"], 0);
    assert!(evidence["used_kib"].as_u64().is_some_and(|used| used > 1024), "{}", evidence["used_kib"]);
    let steps = evidence["tests"]["cases"][0]["steps"].as_array().expect("steps");
    assert!(steps.iter().any(|step| step["component"] == "motd-works" && step["outcome"] == "passed"), "{steps:?}");
    let tests = std::fs::read_to_string(file.with_extension("tests.xml")).expect("the tests beside the evidence");
    assert!(tests.contains("<testcase name=\"MotdIsThere\" classname=\"motd-works\""), "{tests}");
    assert_eq!(evidence["hygiene"]["failed"], serde_json::Value::Null, "{}", evidence["hygiene"]);
    assert!(evidence["patches"]["baseline_digest"].is_string() && evidence["tests"]["cases"][0]["passed"] == true);

    let verified = fixture.env.expect(0, &["verify", &ami]).stdout;
    assert!(verified.contains("evidence.pub)") && verified.contains("carries this digest"), "{verified}");
    // A byte that changes nothing of what it says is a byte that nobody signed.
    std::fs::write(&file, format!("{text} ")).expect("evidence");
    fixture.env.expect(8, &["verify", &ami]);
    let refused = fixture.env.expect(8, &["promote", "web", "--channel", "production"]);
    assert!(refused.stderr.contains("signed for something else"), "{}", refused.stderr);
    std::fs::write(&file, &text).expect("evidence");
    fixture.env.expect(0, &["verify", &file.display().to_string()]);

    // The next policy asks for more than the image has, and a waiver accepts that, for a while.
    let stricter = POLICY.replace("must_have: [bash]", "must_have: [bash, nonesuch]");
    fixture.env.write("amiforge.yaml", &format!("{plain}{stricter}"));
    fixture.env.expect(7, &["validate", "web", "--format", "junit", "--output", "report.xml"]);
    let junit = std::fs::read_to_string(fixture.env.project().join("report.xml")).expect("a report");
    assert!(junit.contains("nonesuch is not installed") && junit.contains("failures=\"1\""), "{junit}");
    let waiver = "waivers:\n  - { gate: packages, finding: nonesuch, owner: platform, reason: comes next week, expires: 2099-12-31 }\n  \
        - { gate: packages, finding: other, owner: platform, reason: forgotten, expires: 2099-12-31 }\n";
    fixture.env.write("waivers.yaml", waiver);
    let waived = fixture.env.expect(0, &["validate", "web", "--format", "markdown"]).stdout;
    assert!(waived.contains("waived") && waived.contains("for other (packages, platform) accepts nothing"), "{waived}");
    fixture.env.expect(0, &["promote", "web", "--channel", "production"]);
    fixture.env.write("waivers.yaml", &waiver.replace("2099-12-31", "2020-12-31"));
    let expired = fixture.env.expect(8, &["promote", "web"]).stderr;
    assert!(expired.contains("the waiver in waivers.yaml:2 expired on 2020-12-31"), "{expired}");

    let recipe = recipe(&fixture.env.base().join("root"), "[boots, patched, motd-works]");
    fixture.env.write("recipes/web.yaml", &format!("{recipe}gates:\n  image: {{ ena: false }}\n"));
    let weaker = fixture.env.expect(2, &["lint"]).stdout;
    assert!(weaker.contains("error[P040]: `gates.image.ena` asks for less"), "{weaker}");
    fixture.nothing_is_left();
}

const DIRTY: &str = "\
name: dirty
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: LeaveAKey
        action: ExecuteBash
        timeoutSeconds: 30
        inputs:
          commands:
            - mkdir -p /root/.aws
            - printf '[default]\\n' >/root/.aws/credentials
";

/// What an image carries is in its evidence and is judged; a scan that is asked for and comes to nothing is no pass.
#[test]
fn what_an_image_carries_and_who_has_scanned_it_is_judged() {
    let fixture = Fixture::new();
    let root = fixture.env.base().join("root");
    fixture.env.write("components/dirty.yaml", DIRTY);
    let recipe = recipe(&root, "[boots, patched]").replace("  - motd\n", "  - motd\n  - dirty\n");
    fixture.env.write("recipes/web.yaml", &recipe);
    // Without a gate it is told, and stops nobody.
    let told = fixture.env.expect(0, &["run", "web"]).stderr;
    assert!(told.contains("credentials") && told.contains("no gate looks at `hygiene`"), "{told}");
    let gates = "gates:\n  tests: required\n  hygiene: required\n  vulnerabilities: { scanned_by: [ec2, inspector] }\n";
    fixture.env.write("recipes/web.yaml", &format!("{recipe}{gates}"));
    let judged = fixture.env.expect(7, &["validate", "web", "--format", "json", "--output", "judged.json"]);
    let report: serde_json::Value = serde_json::from_str(&fixture.env.read("judged.json")).expect("JSON");
    let verdict = |gate: &str| {
        let verdicts = report["verdicts"].as_array().expect("verdicts");
        verdicts
            .iter()
            .find(|one| one["gate"] == gate)
            .unwrap_or_else(|| panic!("no {gate}: {}", judged.stderr))
            .clone()
    };
    let hygiene = verdict("hygiene");
    assert_eq!(hygiene["status"], "fail", "{hygiene}");
    let ids: Vec<_> = hygiene["findings"].as_array().expect("findings").iter().map(|one| one["id"].clone()).collect();
    assert!(ids.contains(&"credentials:/root/.aws/credentials".into()), "{ids:?}");
    // EC2 has nothing to show, because the scan that was asked for failed: Debian's sources name no vulnerabilities.
    let vulnerabilities = verdict("vulnerabilities");
    assert_eq!(vulnerabilities["status"], "error", "{vulnerabilities}");
    fixture.env.write("recipes/web.yaml", &format!("{recipe}{}", gates.replace("[ec2, inspector]", "inspector")));
    let failed = fixture.env.expect(7, &["validate", "web"]).stderr;
    assert!(failed.contains("scan by inspector failed: UNSUPPORTED_OS"), "{failed}");
    fixture.env.expect(8, &["promote", "web", "--channel", "production"]);
    fixture.nothing_is_left();
}

/// Evidence about another image, written over or rewritten, is never that of the candidate.
#[test]
fn evidence_of_another_image_or_an_edited_one_never_promotes() {
    let fixture = Fixture::new();
    fixture.env.expect(0, &["run", "web"]);
    let first = fixture.resolve("candidate");
    fixture.env.write("components/motd.yaml", &MOTD.replace("hello", "hello again"));
    fixture.env.expect(0, &["run", "web"]);
    let second = fixture.resolve("candidate");
    assert_ne!(first, second);
    let file = |ami: &str| format!(".amiforge/evidence/web/x86_64/{ami}.json");
    let (of_first, of_second) = (fixture.env.read(&file(&first)), fixture.env.read(&file(&second)));
    let refused = |text: &str, why: &str| {
        fixture.env.write(&file(&second), text);
        let said = fixture.env.expect(8, &["promote", "web", "--channel", "production"]).stderr;
        assert!(said.contains(why), "{why}: {said}");
    };
    refused(&of_first, "is evidence of");
    refused(&of_first.replace(&first, &second), "digest");
    refused(&of_second.replace("\"passed\": true", "\"passed\": false"), "digest");
    refused(&of_second.replace("evidence/4", "evidence/3"), "has schema `amiforge.evidence/3`");
    fixture.env.write(&file(&second), &of_second);
    fixture.env.expect(0, &["promote", "web", "--channel", "production"]);
    assert_eq!(fixture.resolve("production"), second);
    fixture.nothing_is_left();
}

const GOLDEN: &str = "\
Name: acme-golden
OperatingSystem: DEBIAN
ApprovalRules:
  PatchRules:
    - PatchFilterGroup: { PatchFilters: [{ Key: PRIORITY, Values: ['*'] }] }
      ApproveAfterDays: 0
";

/// A baseline of the project goes by the name that stands in it, whatever its file is called.
#[test]
fn a_baseline_whose_file_has_another_name_judges_what_it_was_scanned_with() {
    let fixture = Fixture::new();
    fixture.env.write("baselines/golden.yaml", GOLDEN);
    let recipe = recipe(&fixture.env.base().join("root"), "[boots, patched]");
    fixture.env.write("recipes/web.yaml", &format!("{recipe}baseline: golden\ngates:\n  patches: {{}}\n"));
    fixture.env.expect(0, &["baseline", "publish", "golden", "--default", "--yes"]);
    fixture.env.expect(0, &["run", "web"]);
    let report = fixture.json(&["validate", "web", "--format", "json"]);
    let patches = report["verdicts"].as_array().expect("verdicts").iter().find(|one| one["gate"] == "patches");
    assert_eq!(patches.expect("patches")["status"], "pass", "{patches:?}");
    fixture.nothing_is_left();
}

use super::*;
use crate::evidence::testing::evidence;
use crate::evidence::{TestCase, TestOutcome, TestStep};
use crate::gate::{Found, WaivedBy, WaiverState};

/// A verdict of each kind.
fn some() -> (Evidence, Vec<Verdict>, Vec<WaiverReport>) {
    let found = |id: &str, what: &str, waived: bool| Found {
        id: id.into(),
        package: Some("openssl".into()),
        version: None,
        what: what.into(),
        waived: waived.then(|| WaivedBy {
            place: "waivers.yaml:2".into(),
            owner: "platform".into(),
            reason: "not reachable".into(),
            expires: "2026-12-31".into(),
        }),
        fixed: false,
    };
    let verdict = |gate: &str, status, summary: &str, details: &[&str], findings: Vec<Found>| Verdict {
        gate: gate.into(),
        status,
        summary: summary.into(),
        details: details.iter().map(|line| (*line).to_owned()).collect(),
        findings,
    };
    let mut evidence = evidence();
    let case = |name: &str, passed| TestCase {
        name: name.into(),
        passed,
        executed_steps: 2,
        failed_steps: u32::from(!passed),
        skipped_steps: 0,
        message: if passed { String::new() } else { "Document x failed! <b>".into() },
        steps: None,
    };
    let step = |step: &str, outcome, message: &str| TestStep {
        component: "boots".into(),
        phase: "test".into(),
        step: step.into(),
        outcome,
        message: message.into(),
    };
    let steps = vec![
        step("Ready", TestOutcome::Passed, ""),
        step("Time", TestOutcome::Skipped, "there is no clock"),
        step("Units", TestOutcome::Failed, "exit code 1"),
        step("Last", TestOutcome::Unknown, ""),
    ];
    let told = TestCase { steps: Some(steps), ..case("Told", false) };
    evidence.tests.as_mut().unwrap().cases = vec![case("ExecuteTests", true), case("MoreTests", false), told];
    let verdicts = vec![
        verdict("patches", VerdictStatus::Pass, "no patch missing", &["looked at: scan"], vec![]),
        verdict(
            "vulnerabilities",
            VerdictStatus::Fail,
            "1 of 9 findings are worse than allowed",
            &["HIGH CVE-2026-1 in openssl, fixed in 2"],
            vec![
                found("CVE-2026-1", "HIGH CVE-2026-1 in openssl, fixed in 2", false),
                found("CVE-2026-2", "LOW", true),
            ],
        ),
        verdict(
            "image",
            VerdictStatus::Waived,
            "1 finding accepted",
            &["waived"],
            vec![found("imds_v2", "IMDSv1", true)],
        ),
        verdict("tests", VerdictStatus::Error, "nothing was tested", &["name \u{1b}[31mcomponents|"], vec![]),
        verdict("age", VerdictStatus::Stale, "too old", &[], vec![]),
    ];
    let waivers = vec![WaiverReport {
        place: "waivers.yaml:9".into(),
        gate: "patches".into(),
        finding: "bash".into(),
        owner: "platform".into(),
        expires: "2026-10-01".into(),
        state: WaiverState::Expired,
    }];
    (evidence, verdicts, waivers)
}

fn drawn(draw: fn(&Judged<'_>) -> String) -> String {
    let (evidence, verdicts, waivers) = some();
    draw(&Judged { evidence: &evidence, digest: "sha256:0", verdicts: &verdicts, waivers: &waivers })
}

#[test]
fn markdown_has_a_table_of_gates_and_why() {
    insta::assert_snapshot!(drawn(markdown), @r##"
    ## debian-12 (x86\_64) ami-0123456789abcdef0 does not pass

    `ami-0123456789abcdef0` in us-east-1 of account 000000000000, evidence `sha256:0` of 2026-11-23T11:00:00Z

    | gate | result | what was found |
    |---|---|---|
    | patches | ✅ pass | no patch missing |
    | vulnerabilities | ❌ fail | 1 of 9 findings are worse than allowed |
    | image | ⚠️ waived | 1 finding accepted |
    | tests | ❌ error | nothing was tested |
    | age | ❌ stale | too old |

    ### vulnerabilities

    * HIGH CVE-2026-1 in openssl, fixed in 2

    ### image

    * waived

    ### tests

    * name ␛\[31mcomponents\|

    ### Waivers

    * the waiver in waivers.yaml:9 for bash (patches, platform) expired on 2026-10-01; what it accepted counts again
    "##);
}

#[test]
fn junit_has_a_case_for_each_gate_and_each_run_of_tests() {
    insta::assert_snapshot!(drawn(junit), @r##"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="amiforge validate" tests="11" skipped="1" failures="3" errors="3">
        <testsuite name="debian-12 (x86_64) ami-0123456789abcdef0" tests="5" skipped="0" errors="2" failures="1">
            <properties>
                <property name="evidence" value="sha256:0"/>
                <property name="waiver" value="the waiver in waivers.yaml:9 for bash (patches, platform) expired on 2026-10-01; what it accepted counts again"/>
            </properties>
            <testcase name="patches" classname="debian-12 (x86_64) ami-0123456789abcdef0">
                <properties>
                    <property name="status" value="pass"/>
                </properties>
                <system-out>no patch missing
    looked at: scan</system-out>
            </testcase>
            <testcase name="vulnerabilities" classname="debian-12 (x86_64) ami-0123456789abcdef0">
                <properties>
                    <property name="status" value="fail"/>
                </properties>
                <failure message="1 of 9 findings are worse than allowed" type="fail">HIGH CVE-2026-1 in openssl, fixed in 2</failure>
                <system-out>1 of 9 findings are worse than allowed
    HIGH CVE-2026-1 in openssl, fixed in 2</system-out>
            </testcase>
            <testcase name="image" classname="debian-12 (x86_64) ami-0123456789abcdef0">
                <properties>
                    <property name="status" value="waived"/>
                </properties>
                <system-out>1 finding accepted
    waived</system-out>
            </testcase>
            <testcase name="tests" classname="debian-12 (x86_64) ami-0123456789abcdef0">
                <properties>
                    <property name="status" value="error"/>
                </properties>
                <error message="nothing was tested" type="error">name ␛[31mcomponents|</error>
                <system-out>nothing was tested
    name ␛[31mcomponents|</system-out>
            </testcase>
            <testcase name="age" classname="debian-12 (x86_64) ami-0123456789abcdef0">
                <properties>
                    <property name="status" value="stale"/>
                </properties>
                <error message="too old" type="stale"></error>
                <system-out>too old
    </system-out>
            </testcase>
        </testsuite>
        <testsuite name="tests of debian-12 (x86_64) ami-0123456789abcdef0: ExecuteTests" tests="1" skipped="0" errors="0" failures="0">
            <testcase name="ExecuteTests">
                <system-out>2 steps executed, 0 failed, 0 skipped</system-out>
            </testcase>
        </testsuite>
        <testsuite name="tests of debian-12 (x86_64) ami-0123456789abcdef0: MoreTests" tests="1" skipped="0" errors="0" failures="1">
            <testcase name="MoreTests">
                <failure message="Document x failed! &lt;b&gt;">2 steps executed, 1 failed, 0 skipped</failure>
                <system-out>2 steps executed, 1 failed, 0 skipped</system-out>
            </testcase>
        </testsuite>
        <testsuite name="tests of debian-12 (x86_64) ami-0123456789abcdef0: Told" tests="4" skipped="1" errors="1" failures="1">
            <testcase name="Ready" classname="boots"/>
            <testcase name="Time" classname="boots">
                <skipped message="there is no clock"/>
            </testcase>
            <testcase name="Units" classname="boots">
                <failure message="exit code 1"/>
            </testcase>
            <testcase name="Last" classname="boots">
                <error message="it is not known what became of it"/>
            </testcase>
        </testsuite>
    </testsuites>
    "##);
}

#[test]
fn sarif_has_a_result_for_each_finding() {
    let log: serde_json::Value = serde_json::from_str(&drawn(sarif)).unwrap();
    let results: Vec<String> = log["runs"][0]["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| {
            let waived = if result.get("suppressions").is_some() { " suppressed" } else { "" };
            let (rule, level) = (result["ruleId"].as_str().unwrap(), result["level"].as_str().unwrap());
            format!("{rule} {level}{waived}: {}", result["message"]["text"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        results,
        [
            "vulnerabilities error: HIGH CVE-2026-1 in openssl, fixed in 2",
            "vulnerabilities error suppressed: LOW",
            "image error suppressed: IMDSv1",
            "tests error: nothing was tested\nname ␛[31mcomponents|",
            "age error: too old",
        ]
    );
    let notes = &log["runs"][0]["invocations"][0]["toolExecutionNotifications"];
    assert!(notes[0]["message"]["text"].as_str().unwrap().contains("expired on 2026-10-01"));
}

#[test]
fn nothing_evaluated_looks_like_nothing_good() {
    let evidence = evidence();
    let judged = Judged { evidence: &evidence, digest: "sha256:0", verdicts: &[], waivers: &[] };
    assert!(!judged.approved());
    assert!(markdown(&judged).contains("does not pass") && junit(&judged).contains("errors=\"1\""));
    let log: serde_json::Value = serde_json::from_str(&sarif(&judged)).unwrap();
    assert_eq!(log["runs"][0]["invocations"][0]["executionSuccessful"], false);
}

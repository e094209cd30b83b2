//! Every entry of the catalogue of causes, provoked: an excerpt as it stands in real logs must be explained by that entry
//! and by no other before it. And the forms in which an explanation is printed.

use amiforge::build::why::record::{
    Command, DistributionFailure, FailureContext, Image, Place, RegionFailure, State, Workflow, WorkflowStep,
};
use amiforge::build::why::{Diagnosis, Record, catalogue, diagnose};
use amiforge::report;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write as _;

const ARN: &str = "arn:aws:imagebuilder:eu-central-1:111122223333:image/acme-web-x86-64/1.0.3/1";
const COMPONENT: &str = "arn:aws:imagebuilder:eu-central-1:111122223333:component/acme-agent/1.0.0/1";

/// An excerpt: `## CODE key=value…`, then `reason:`, `message:` and `distribution:` lines, and output after `| `.
#[derive(Debug, Default, Clone)]
struct Case {
    code: String,
    keys: BTreeMap<String, String>,
    reason: String,
    message: String,
    distribution: Vec<String>,
    output: Vec<String>,
}

fn cases() -> Vec<Case> {
    let mut all: Vec<Case> = Vec::new();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/why");
    let mut files: Vec<_> = std::fs::read_dir(folder).expect("the cases").flatten().map(|file| file.path()).collect();
    files.sort();
    for file in files.iter().filter(|file| file.extension().is_some_and(|end| end == "txt")) {
        for line in std::fs::read_to_string(file).expect("a file of cases").lines() {
            if let Some(head) = line.strip_prefix("## ") {
                let mut words = head.split_whitespace();
                let code = words.next().expect("a code").to_owned();
                let pair = |word: &str| {
                    word.split_once('=').map_or((word.to_owned(), String::new()), |(k, v)| (k.into(), v.into()))
                };
                all.push(Case { code, keys: words.map(pair).collect(), ..Case::default() });
            } else if let Some(case) = all.last_mut() {
                case.line(line);
            }
        }
    }
    all
}

impl Case {
    fn line(&mut self, line: &str) {
        if let Some(text) = line.strip_prefix("reason: ") {
            text.clone_into(&mut self.reason);
        } else if let Some(text) = line.strip_prefix("message: ") {
            text.clone_into(&mut self.message);
        } else if let Some(text) = line.strip_prefix("distribution: ") {
            self.distribution.push(text.to_owned());
        } else if let Some(text) = line.strip_prefix("| ") {
            self.output.push(text.to_owned());
        } else {
            assert!(line.is_empty(), "{line}");
        }
    }

    fn key(&self, key: &str) -> Option<&str> {
        self.keys.get(key).map(String::as_str)
    }

    fn testing(&self) -> bool {
        self.key("stage") == Some("test")
    }

    /// The message of the runner for the step.
    fn said(&self) -> String {
        match (self.key("exit"), self.key("killed")) {
            _ if !self.message.is_empty() => self.message.clone(),
            (Some(code), _) => format!("exit code {code}"),
            (_, Some(signal)) => format!("killed by signal {signal}"),
            _ if self.keys.contains_key("timeout") => "did not end within 60 seconds, so it was killed".to_owned(),
            _ => "it asked for a reboot".to_owned(),
        }
    }

    /// `console.log` as the newer binaries write it.
    fn console(&self) -> String {
        let (phase, step) = (self.key("phase").unwrap_or("build"), "Install");
        let mut log = String::new();
        let mut say = |text: &str| writeln!(log, "2026-11-02 10:11:12.345 Info {text}").expect("a string");
        say(&format!("Document {COMPONENT}"));
        say(&format!("Phase {phase}"));
        say("Step Before");
        say("ExecuteBash: STARTED EXECUTION");
        say("Stdout: this step was fine: No such file or directory is only printed");
        say("CmdExecution: ExitCode 0");
        say(&format!("Step {step}"));
        let action = self.key("action").unwrap_or("ExecuteBash");
        say(&format!("{action}: STARTED EXECUTION"));
        for _ in 0..self.key("restarts").and_then(|count| count.parse().ok()).unwrap_or(0) {
            say("Getting reboot signal");
            say("Rebooting the system now");
        }
        self.output.iter().for_each(|line| say(&format!("Stderr: {line}")));
        if let Some(code) = self.key("exit") {
            say(&format!("CmdExecution: ExitCode {code}"));
        }
        say(&format!("{action}: {}", self.said()));
        say(&format!("{action}: {}", if self.keys.contains_key("timeout") { "TIMED OUT" } else { "FAILED" }));
        say("TOE has completed execution with failure - Execution failed!");
        log
    }

    fn ran(&self) -> bool {
        !self.output.is_empty() || !self.message.is_empty()
    }

    fn record(&self) -> Record {
        let kind = if self.testing() { "TEST" } else { "BUILD" };
        let step =
            self.key("workflow").unwrap_or(if self.testing() { "ApplyTestComponents" } else { "ApplyBuildComponents" });
        let said = if self.reason.is_empty() { format!("Document {COMPONENT} failed!") } else { self.reason.clone() };
        let outputs = serde_json::json!({"runCommandId": "cmd-1", "status": "Failed", "output": serde_json::json!({
            "status": "failed", "failedStepCount": 1, "failureMessage": format!("Document {COMPONENT} failed!"),
        }).to_string()});
        let workflow_step = WorkflowStep {
            name: step.into(),
            action: "ExecuteComponents".into(),
            status: "FAILED".into(),
            message: said.clone(),
            outputs: if self.ran() { outputs.to_string() } else { "{}".into() },
            ..WorkflowStep::default()
        };
        let workflow = Workflow {
            workflow_execution_id: "wf-1".into(),
            r#type: kind.into(),
            status: "ROLLBACK_COMPLETED".into(),
            steps: vec![workflow_step],
            ..Workflow::default()
        };
        let mut logs = BTreeMap::new();
        if self.ran() {
            logs.insert(format!("{}/console.log", kind.to_lowercase()), self.console());
        }
        let status = self.key("status").unwrap_or("FAILED");
        let state = State {
            status: status.into(),
            reason: format!("Workflow Execution ID: 'wf-1' failed with reason: {said}"),
            failure_context: self.context(),
        };
        Record {
            image: Image { arn: ARN.into(), name: "acme-web-x86-64".into(), state, ..Image::default() },
            workflows: vec![workflow],
            logs,
            ..Record::default()
        }
    }

    fn context(&self) -> Option<FailureContext> {
        let region = |line: &String| {
            let (region, message) = line.split_once(": ").expect("a Region");
            RegionFailure { region: region.into(), error_message: message.into(), ..RegionFailure::default() }
        };
        let region_failures: Vec<RegionFailure> = self.distribution.iter().map(region).collect();
        (!region_failures.is_empty()).then(|| FailureContext {
            image_status: "DISTRIBUTING".into(),
            distribution_failure: Some(DistributionFailure { region_failures, ..DistributionFailure::default() }),
            ..FailureContext::default()
        })
    }
}

fn codes(diagnosis: &Diagnosis) -> Vec<&str> {
    diagnosis.causes.iter().map(|cause| cause.code).collect()
}

#[test]
fn every_case_is_explained_by_its_own_entry_first() {
    let mut wrong = String::new();
    for case in cases() {
        let diagnosis = diagnose(&case.record(), Some("web"));
        if codes(&diagnosis).first() != Some(&case.code.as_str()) {
            writeln!(wrong, "{} {:?}: {:?}\n{:#?}", case.code, case.keys, codes(&diagnosis), diagnosis.causes.first())
                .expect("a string");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_entry_of_the_catalogue_has_a_case() {
    let provoked: Vec<String> = cases().into_iter().map(|case| case.code).collect();
    let missing: Vec<&str> = catalogue::all()
        .iter()
        .map(|entry| entry.code)
        .filter(|code| !provoked.iter().any(|one| one == code))
        .collect();
    assert!(missing.is_empty(), "without a case: {missing:?}");
}

#[test]
fn the_catalogue_is_well_formed_and_its_codes_are_nobody_elses() {
    let all = catalogue::all();
    assert!(all.windows(2).all(|pair| pair[0].code < pair[1].code), "sorted, and no code twice");
    for entry in all {
        let code = entry.code;
        assert!(
            code.len() == 4 && code.starts_with('W') && code[1..].bytes().all(|byte| byte.is_ascii_digit()),
            "{code}"
        );
        assert!(!entry.signs.is_empty() && !entry.remedies.is_empty() && entry.why.len() > 9, "{code}");
        for sign in entry.signs {
            assert!((1..=99).contains(&sign.weight), "{code}");
            for expression in [sign.line, sign.also] {
                regex_lite::Regex::new(expression).unwrap_or_else(|error| panic!("{code}: {error}"));
            }
        }
        assert!(
            amiforge::component::rules::find(code).is_none()
                && amiforge::diagnostic::catalogue::explain(code).is_none()
        );
        assert_eq!(catalogue::find(entry.name).map(|found| found.code), Some(code), "a name is used twice");
        let text = catalogue::explain(entry);
        assert!(text.contains(entry.title) && !text.contains("{recipe}") && !text.contains("{what}"), "{text}");
    }
}

/// What only a command's output is known of: 24,000 characters of it.
#[test]
fn without_the_log_the_output_of_the_command_is_enough() {
    for case in cases().into_iter().filter(Case::ran) {
        let mut record = case.record();
        let said = record.logs.values().flat_map(|log| log.lines());
        let log = said.fold(String::new(), |text, line| text + &line[29..] + "\n");
        record.logs.clear();
        record.commands =
            vec![Command { command_id: "cmd-1".into(), standard_output_content: log, ..Command::default() }];
        let diagnosis = diagnose(&record, None);
        assert_eq!(codes(&diagnosis).first(), Some(&case.code.as_str()), "{:?}", case.keys);
        assert_eq!(diagnosis.step.as_deref(), Some("Install"), "{}", case.code);
        assert_eq!(diagnosis.component.as_deref(), Some("acme-agent"));
    }
}

#[test]
fn the_line_before_in_a_step_that_succeeded_is_no_evidence() {
    let case = Case { keys: [("exit".into(), "3".into())].into(), output: vec!["bye".into()], ..Case::default() };
    let diagnosis = diagnose(&case.record(), None);
    assert_eq!(codes(&diagnosis), Vec::<&str>::new());
    assert_eq!((diagnosis.exit, diagnosis.last_lines.last().map(String::as_str)), (Some(3), Some("bye")));
}

#[test]
fn a_word_from_a_log_does_not_become_part_of_a_command() {
    let mut case = cases().into_iter().find(|case| case.code == "W048").expect("the case");
    case.output = vec!["E: Unable to locate package $(reboot)".into()];
    let diagnosis = diagnose(&case.record(), Some("web; rm -rf /"));
    assert_eq!(codes(&diagnosis).first(), Some(&"W048"));
    let said = format!("{:?}", diagnosis.causes[0].remedies);
    assert!(!said.contains("reboot)") && !said.contains("rm -rf") && said.contains("RECIPE"), "{said}");
}

/// A case, with a place and a gap, so that a snapshot shows everything.
fn shown(code: &str) -> Diagnosis {
    let case = cases().into_iter().find(|case| case.code == code).expect("the case");
    let mut record = case.record();
    record.places.push(Place { what: "the whole log".into(), command: "aws logs tail /aws/imagebuilder/web".into() });
    record.gaps.push("GetCommandInvocation: it is older than 30 days".into());
    diagnose(&record, Some("web"))
}

#[test]
fn text_is_for_people() {
    insta::assert_snapshot!("text", report::why(&shown("W060")));
}

#[test]
fn json_names_its_schema() {
    insta::assert_snapshot!("json", serde_json::to_string_pretty(&shown("W043")).expect("JSON"));
}

#[test]
fn markdown_is_for_tickets() {
    insta::assert_snapshot!("markdown", report::why_markdown(&shown("W031")));
}

#[test]
fn an_unknown_failure_is_said_to_be_unknown_with_its_last_lines() {
    let output = vec!["frobnicating".to_owned(), "the frob is not nicated".to_owned()];
    let case = Case { keys: [("exit".into(), "42".into())].into(), output, ..Case::default() };
    let text = report::why(&diagnose(&case.record(), Some("web")));
    insta::assert_snapshot!("unknown", text);
}

#[test]
fn what_has_not_failed_is_not_explained() {
    for status in ["AVAILABLE", "BUILDING"] {
        let mut record = Record::default();
        (record.image.arn, record.image.state.status) = (ARN.into(), status.into());
        record.image.state.reason = "No space left on device".into();
        let diagnosis = diagnose(&record, None);
        assert_eq!(codes(&diagnosis), Vec::<&str>::new());
        assert!(report::why(&diagnosis).contains("nothing of it has failed"), "{status}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The same lines give the same causes, in the same order, however often; sorted by how sure they are, without repeats.
    #[test]
    fn ranking_is_deterministic_and_ordered(picks in prop::collection::vec(any::<prop::sample::Index>(), 1..6), exit in prop::sample::select(vec![1, 2, 100, 126, 127, 137, 139])) {
        let all = cases();
        let mut case = Case { keys: [("exit".to_owned(), exit.to_string())].into(), ..Case::default() };
        for pick in picks {
            case.output.extend(pick.get(&all).output.iter().cloned());
        }
        case.output.push("the end".into());
        let record = case.record();
        let first = diagnose(&record, Some("web"));
        prop_assert_eq!(&first, &diagnose(&record, Some("web")));
        let certainty: Vec<_> = first.causes.iter().map(|cause| cause.certainty as u8).collect();
        prop_assert!(certainty.windows(2).all(|pair| pair[0] <= pair[1]), "{certainty:?}");
        let mut codes: Vec<_> = codes(&first);
        codes.sort_unstable();
        codes.dedup();
        prop_assert_eq!(codes.len(), first.causes.len());
    }

    /// Anything may stand in a log.
    #[test]
    fn any_log_is_survived(log in "(?s).{0,400}", reason in "\\PC{0,80}") {
        let mut record = Record::default();
        record.image.state.status = "FAILED".into();
        record.image.state.reason = reason;
        record.logs.insert("build/console.log".into(), log.clone());
        record.logs.insert("build/detailedoutput.json".into(), log);
        let diagnosis = diagnose(&record, None);
        prop_assert!(!report::why(&diagnosis).is_empty() && !report::why_markdown(&diagnosis).is_empty());
    }
}

//! What the component runner left in the outputs of a workflow step.

use super::why;
use crate::evidence::{NotReal, TestOutcome, TestStep};
use crate::runner::StepFailure;
use serde::Deserialize;
use serde_json::Value;

/// The outputs of an `ExecuteComponents` step, as far as they could be read (image-builder.md section 14).
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Outputs {
    /// Id of the command that ran the components.
    pub(super) command: Option<String>,
    /// The runner's own result.
    pub(super) summary: Option<Summary>,
}

/// The runner's result (component-documents.md 10.3). Fields that came later are allowed to be missing. Our own runner
/// adds `failure`; AWS's does not, and then the command's output is looked at instead.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Summary {
    pub(super) status: String,
    pub(super) executed_step_count: u32,
    pub(super) failed_step_count: u32,
    pub(super) skipped_step_count: u32,
    /// Only our own local environment has something to say here.
    pub(super) not_real: Vec<NotReal>,
    pub(super) failure_message: String,
    pub(super) failure: Option<StepFailure>,
    /// What became of each step. Only our own local environment says so here.
    pub(super) steps: Option<Vec<StepEnd>>,
}

/// What became of a step of a component.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct StepEnd {
    document: String,
    phase: String,
    step: String,
    status: String,
    message: String,
}

impl From<StepEnd> for TestStep {
    fn from(end: StepEnd) -> Self {
        let StepEnd { document, phase, step, status, message } = end;
        let name = document.split_once(":component/").and_then(|(_, path)| path.split('/').next());
        Self {
            component: name.map_or_else(|| document.clone(), str::to_owned),
            phase,
            step,
            outcome: outcome(&status),
            message,
        }
    }
}

/// By the status in a result tree. Of them only `success` has been seen in real files, so the others are read by what they
/// have in common (component-documents.md 11.1).
fn outcome(status: &str) -> TestOutcome {
    let word = status.to_ascii_lowercase().replace(['_', ' '], "");
    match word.as_str() {
        "success" | "succeeded" => TestOutcome::Passed,
        "skipped" => TestOutcome::Skipped,
        word if word.contains("fail") || word.contains("timedout") => TestOutcome::Failed,
        _ => TestOutcome::Unknown,
    }
}

/// What became of each step, by the tree of results (`detailedoutput.json`); nothing when it cannot be read.
pub(super) fn steps(json: &str) -> Option<Vec<TestStep>> {
    let tree: Value = serde_json::from_str(json).ok()?;
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let list = |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let mut ends = vec![];
    for document in tree.get("documents")?.as_array()? {
        for phase in list(document, "phases") {
            ends.extend(list(&phase, "steps").iter().map(|step| StepEnd {
                document: text(document, "name"),
                phase: text(&phase, "name"),
                step: text(step, "name"),
                status: text(step, "status"),
                message: text(step, "failureMessage"),
            }));
        }
    }
    Some(ends.into_iter().map(TestStep::from).collect())
}

/// Reads the `outputs` text of a step. What cannot be read is absent: this only serves to explain.
pub(super) fn outputs(text: &str) -> Outputs {
    let Ok(value) = serde_json::from_str::<Value>(text) else { return Outputs::default() };
    let command = value.get("runCommandId").and_then(Value::as_str).map(str::to_owned);
    Outputs { command, summary: why::summary(text).and_then(lenient) }
}

/// A `failure` or `steps` in a form this version does not know must not hide the counts.
fn lenient(mut value: Value) -> Option<Summary> {
    if let Ok(summary) = serde_json::from_value(value.clone()) {
        return Some(summary);
    }
    let members = value.as_object_mut()?;
    members.remove("failure");
    members.remove("steps");
    serde_json::from_value(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_summary_is_found_in_the_output_string() {
        let summary = json!({
            "executionId": "x", "status": "failed", "failedStepCount": 1, "executedStepCount": 3,
            "failureMessage": "Document arn:c failed!",
            "failure": {
                "document": "arn:c", "phase": "build", "step": "Install", "action": "ExecuteBash", "line": 7,
                "message": "exit code 100", "lastLines": ["E: no network"]
            }
        });
        let text = json!({"runCommandId": "cmd", "status": "Failed", "output": summary.to_string()}).to_string();
        let read = outputs(&text);
        assert_eq!(read.command.as_deref(), Some("cmd"));
        let found = read.summary.unwrap();
        assert_eq!((found.executed_step_count, found.failed_step_count), (3, 1));
        let failure = found.failure.unwrap();
        assert_eq!((failure.step.as_str(), failure.line), ("Install", 7));
    }

    #[test]
    fn the_official_summary_has_no_failure_and_old_ones_fewer_counts() {
        let text =
            json!({"output": r#"{"status":"failed","failedStepCount":1,"failureMessage":"Document x failed!"}"#});
        let found = outputs(&text.to_string()).summary.unwrap();
        assert_eq!((found.executed_step_count, found.failed_step_count, found.failure), (0, 1, None));
    }

    #[test]
    fn an_unknown_form_of_failure_does_not_hide_the_counts() {
        let text = json!({"output": r#"{"status":"failed","executedStepCount":2,"failure":{"new":true}}"#});
        assert_eq!(outputs(&text.to_string()).summary.unwrap().executed_step_count, 2);
    }

    #[test]
    fn what_became_of_each_step_is_read_from_outputs_and_trees() {
        let arn = "arn:aws:imagebuilder:us-east-1:1:component/acme-boots/1.0.0/1";
        let end =
            |status: &str| json!({"document": arn, "phase": "test", "step": "S", "status": status, "message": "m"});
        let read = |status: &str| {
            let output = json!({"status": "success", "steps": [end(status)]}).to_string();
            let summary = outputs(&json!({ "output": output }).to_string()).summary.unwrap();
            TestStep::from(summary.steps.unwrap().remove(0))
        };
        assert_eq!((read("success").component.as_str(), read("success").outcome), ("acme-boots", TestOutcome::Passed));
        for (status, outcome) in [
            ("failed", TestOutcome::Failed),
            ("IgnoredFailure", TestOutcome::Failed),
            ("timedOut", TestOutcome::Failed),
            ("Skipped", TestOutcome::Skipped),
            ("interrupted", TestOutcome::Unknown),
            ("", TestOutcome::Unknown),
        ] {
            assert_eq!(read(status).outcome, outcome, "{status}");
        }
        let step = |name: &str, status: &str| json!({"name": name, "status": status, "failureMessage": ""});
        let tree = json!({"documents": [{"name": "boots", "phases": [
            {"name": "test", "steps": [step("A", "success"), step("B", "skipped")]}]}]});
        let found = steps(&tree.to_string()).unwrap();
        assert_eq!((found.len(), found[1].component.as_str(), found[1].outcome), (2, "boots", TestOutcome::Skipped));
        assert_eq!((steps("{}"), steps("nonsense")), (None, None));
    }

    #[test]
    fn nonsense_is_nothing() {
        for text in ["", "null", "[]", "{", r#"{"output": "plain text"}"#, r#"{"output": 3}"#] {
            assert_eq!(outputs(text), Outputs::default(), "{text}");
        }
    }
}

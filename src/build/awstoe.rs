//! What the component runner left in the outputs of a workflow step.

use super::why;
use crate::evidence::NotReal;
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
}

/// Reads the `outputs` text of a step. What cannot be read is absent: this only serves to explain.
pub(super) fn outputs(text: &str) -> Outputs {
    let Ok(value) = serde_json::from_str::<Value>(text) else { return Outputs::default() };
    let command = value.get("runCommandId").and_then(Value::as_str).map(str::to_owned);
    Outputs { command, summary: why::summary(text).and_then(lenient) }
}

/// A `failure` in a form this version does not know must not hide the counts.
fn lenient(mut value: Value) -> Option<Summary> {
    if let Ok(summary) = serde_json::from_value(value.clone()) {
        return Some(summary);
    }
    value.as_object_mut()?.remove("failure");
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
    fn nonsense_is_nothing() {
        for text in ["", "null", "[]", "{", r#"{"output": "plain text"}"#, r#"{"output": 3}"#] {
            assert_eq!(outputs(text), Outputs::default(), "{text}");
        }
    }
}

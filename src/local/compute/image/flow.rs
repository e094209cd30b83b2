//! The workflows of an image: what they are made of, and the references between their steps.

use super::workflow::{self, StepKind};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A workflow as it is carried out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Flow {
    /// Workflow build version ARN.
    pub(super) arn: String,
    /// `BUILD` or `TEST`.
    pub(super) kind: String,
    /// Its steps, in order.
    pub(super) steps: Vec<FlowStep>,
}

/// A step of a workflow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct FlowStep {
    pub(super) name: String,
    pub(super) action: String,
    /// `Abort` or `Continue`.
    pub(super) on_failure: String,
    pub(super) timeout_seconds: u64,
    /// As in the document: keys that end in `.$` hold references.
    pub(super) inputs: Value,
}

impl Flow {
    /// The managed workflow `build-image` (image-builder.md section 13).
    pub(super) fn managed_build(region: &str) -> Self {
        use workflow::{APPLY_BUILD, CREATE_IMAGE, LAUNCH_BUILD, SANITIZE, TERMINATE_BUILD};
        Self::managed(region, "BUILD", &[LAUNCH_BUILD, APPLY_BUILD, SANITIZE, CREATE_IMAGE, TERMINATE_BUILD])
    }

    /// The managed workflow `test-image`.
    pub(super) fn managed_test(region: &str) -> Self {
        use workflow::{APPLY_TEST, LAUNCH_TEST, TERMINATE_TEST};
        Self::managed(region, "TEST", &[LAUNCH_TEST, APPLY_TEST, TERMINATE_TEST])
    }

    fn managed(region: &str, kind: &str, kinds: &[StepKind]) -> Self {
        let launch = kinds.first().map_or("", |kind| kind.name);
        let step = |kind: &StepKind| FlowStep {
            name: kind.name.to_owned(),
            action: kind.action.to_owned(),
            on_failure: kind.on_failure.to_owned(),
            timeout_seconds: kind.timeout_seconds,
            inputs: match kind.action {
                "LaunchInstance" => json!({"waitFor": "ssmAgent"}),
                _ => json!({"instanceId.$": format!("$.stepOutputs.{launch}.instanceId")}),
            },
        };
        let steps = kinds.iter().map(step).collect();
        Self { arn: workflow::managed_arn(region, kind), kind: kind.to_owned(), steps }
    }
}

/// Inputs with their references replaced by what these mean in `context`, whose members are `parameters`, `stepOutputs`,
/// `workflowOutputs` and `imagebuilder`.
///
/// # Errors
/// A reference that leads nowhere.
pub(super) fn resolved(inputs: &Value, context: &Value) -> Result<Value, String> {
    match inputs {
        Value::Object(members) => {
            let mut out = Map::new();
            for (key, value) in members {
                let (key, value) = match (key.strip_suffix(".$"), value) {
                    (Some(key), Value::String(reference)) => (key, referred(reference, context)?),
                    _ => (key.as_str(), resolved(value, context)?),
                };
                out.insert(key.to_owned(), value);
            }
            Ok(Value::Object(out))
        }
        Value::Array(items) => {
            Ok(Value::Array(items.iter().map(|item| resolved(item, context)).collect::<Result<_, _>>()?))
        }
        Value::String(text) => Ok(Value::String(filled(text, context)?)),
        other => Ok(other.clone()),
    }
}

/// What `$.stepOutputs.Launch.instanceId` or `$.parameters.names[0]` means.
pub(super) fn referred(reference: &str, context: &Value) -> Result<Value, String> {
    let nowhere = || format!("The reference '{reference}' leads nowhere.");
    let path = reference.trim().strip_prefix("$.").ok_or_else(nowhere)?;
    let pointer = format!("/{}", path.replace(['.', '['], "/").replace(']', ""));
    context.pointer(&pointer).cloned().ok_or_else(nowhere)
}

/// Text in which `{{ $.parameters.X }}` is replaced; other things in braces stay.
fn filled(text: &str, context: &Value) -> Result<String, String> {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, (inside, after))) =
        rest.split_once("{{").and_then(|(before, tail)| Some((before, tail.split_once("}}")?)))
    {
        out.push_str(before);
        if inside.trim().starts_with("$.") {
            let value = referred(inside, context)?;
            out.push_str(value.as_str().map_or_else(|| value.to_string(), str::to_owned).as_str());
        } else {
            out.push_str("{{");
            out.push_str(inside);
            out.push_str("}}");
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_replaced_wherever_they_stand() {
        let context = json!({
            "parameters": {"names": ["a", "b"], "who": "me", "count": 3},
            "stepOutputs": {"Launch": {"instanceId": "i-1"}},
        });
        let inputs = json!({
            "instanceId.$": "$.stepOutputs.Launch.instanceId",
            "first.$": "$.parameters.names[0]",
            "all": {"commands": ["echo {{ $.parameters.who }} {{ $.parameters.count }} {{ imagebuilder:buildDate }}"]},
            "flag": true,
        });
        assert_eq!(
            resolved(&inputs, &context).unwrap(),
            json!({
                "instanceId": "i-1", "first": "a", "flag": true,
                "all": {"commands": ["echo me 3 {{ imagebuilder:buildDate }}"]},
            })
        );
        let error = resolved(&json!({"x.$": "$.stepOutputs.None.y"}), &context).unwrap_err();
        assert_eq!(error, "The reference '$.stepOutputs.None.y' leads nowhere.");
    }

    #[test]
    fn the_managed_workflows_name_the_instance_they_launch() {
        let flow = Flow::managed_test("eu-west-1");
        assert_eq!(flow.arn, "arn:aws:imagebuilder:eu-west-1:aws:workflow/test/test-image/1.0.3/1");
        let inputs = &flow.steps[1].inputs;
        assert_eq!(inputs["instanceId.$"], "$.stepOutputs.LaunchTestInstance.instanceId");
    }
}

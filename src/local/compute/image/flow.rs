//! The workflows of an image: what they are made of, and the references between their steps.

use super::workflow::{self, StepKind};
use super::{ImageRecord, condition};
use crate::local::compute::document;
use crate::local::imagebuilder::{resolve_workflow, workflow_arn};
use crate::local::store::{Scope, Transaction};
use crate::local::wire::ServiceError;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A workflow as it is carried out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Flow {
    /// Workflow build version ARN.
    pub(super) arn: String,
    /// `BUILD`, `TEST` or `DISTRIBUTION`.
    pub(super) kind: String,
    /// `parallelGroup`: tests of one run together.
    #[serde(default)]
    pub(super) group: Option<String>,
    /// Its steps, in order.
    pub(super) steps: Vec<FlowStep>,
    /// Values of its parameters.
    pub(super) parameters: Value,
    /// Names and references of its outputs.
    pub(super) outputs: Vec<(String, String)>,
    /// Whether the build goes on when it fails; of tests only.
    pub(super) continues: bool,
}

/// What to do with a step.
pub(super) enum Turn {
    /// Its condition does not hold.
    Skip,
    /// It runs with these inputs.
    Run(Value),
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
    /// `if`.
    pub(super) condition: Option<Value>,
    /// Seconds to wait before it begins.
    pub(super) wait_seconds: u64,
}

impl FlowStep {
    /// Whether the step runs in `context`, and with which inputs.
    ///
    /// # Errors
    /// A reference that leads nowhere.
    pub(super) fn turn(&self, context: &Value) -> Result<Turn, String> {
        match &self.condition {
            Some(condition) if !condition::holds(condition, context)? => Ok(Turn::Skip),
            _ => resolved(&self.inputs, context).map(Turn::Run),
        }
    }

    /// A step that waits for somebody, as scripts add one.
    pub(super) fn waiting(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            action: "WaitForAction".to_owned(),
            on_failure: "Abort".to_owned(),
            timeout_seconds: WAIT_SECONDS,
            inputs: json!({}),
            condition: None,
            wait_seconds: 0,
        }
    }
}

/// Seconds that a `WaitForAction` step waits: three days (image-builder.md section 14).
const WAIT_SECONDS: u64 = 259_200;

/// What the steps of the local environment can do. Others are refused when their turn comes.
pub(super) const ACTIONS: [&str; 12] = [
    "LaunchInstance",
    "ExecuteComponents",
    "CollectImageMetadata",
    "SanitizeInstance",
    "CreateImage",
    "RunCommand",
    "WaitForSSMAgent",
    "WaitForAction",
    "TerminateInstance",
    "DistributeImage",
    "ModifyImageAttributes",
    "ApplyImageConfigurations",
];

/// Why a step of another action fails.
pub(super) fn absent(action: &str) -> String {
    format!("The local environment does not have the workflow action {action}.")
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
            condition: None,
            wait_seconds: 0,
        };
        let steps = kinds.iter().map(step).collect();
        let made = kinds.iter().find(|kind| kind.action == "CreateImage");
        let output = |made: &StepKind| ("ImageId".to_owned(), format!("$.stepOutputs.{}.imageId", made.name));
        Self {
            arn: workflow::managed_arn(region, kind),
            kind: kind.to_owned(),
            group: None,
            steps,
            parameters: json!({}),
            outputs: made.into_iter().map(output).collect(),
            continues: false,
        }
    }

    /// What `workflowOutputs` gets from it when it has ended.
    ///
    /// # Errors
    /// An output that leads nowhere, and an `ImageId` that is no AMI id.
    pub(super) fn results(&self, context: &mut Value) -> Result<(), String> {
        for (name, reference) in &self.outputs {
            let value = referred(reference, context)?;
            if name == "ImageId" && self.kind == "BUILD" && !value.as_str().is_some_and(|id| id.starts_with("ami-")) {
                return Err("Invalid ImageId output value, must be AMI ID as a string.".to_owned());
            }
            if name == "ImageId" {
                context["imagebuilder"]["imageId"] = value.clone();
            }
            context["workflowOutputs"][name] = value;
        }
        Ok(())
    }

    /// `context` for its steps.
    pub(super) fn enter(&self, context: &mut Value) {
        context["parameters"] = self.parameters.clone();
        context["stepOutputs"] = json!({});
        context["imagebuilder"]["workflowPhase"] = json!(self.kind);
    }
}

/// Test workflows of a parallel group that run at a time (image-builder.md section 12).
pub(super) const TOGETHER: usize = 5;

/// Flows as they run: those of a parallel group together, where the first of them stands; any other by itself.
pub(super) fn batches<'a>(flows: impl IntoIterator<Item = &'a Flow>) -> Vec<Vec<&'a Flow>> {
    let mut batches: Vec<Vec<&Flow>> = Vec::new();
    for flow in flows {
        let of_group = |batch: &&mut Vec<&Flow>| flow.group.is_some() && batch[0].group == flow.group;
        match batches.iter_mut().find(of_group) {
            Some(batch) => batch.push(flow),
            None => batches.push(vec![flow]),
        }
    }
    batches
}

/// The workflows of an image, in the order in which they run: the build, then tests, then distribution. The managed distribution
/// workflow is none: it is what is done without one.
///
/// # Errors
/// A workflow that is gone or cannot be read.
pub(super) fn of(tx: &Transaction<'_>, scope: &Scope, image: &ImageRecord) -> Result<Vec<Flow>, ServiceError> {
    let configured = image.wishes.workflows.as_array().map_or(&[][..], Vec::as_slice);
    let mut flows = Vec::new();
    for one in configured {
        flows.extend(configured_flow(tx, scope, one)?);
    }
    if configured.is_empty() {
        flows = vec![Flow::managed_build(&scope.region), Flow::managed_test(&scope.region)];
    }
    flows.retain(|flow| image.tests_enabled || flow.kind != "TEST");
    flows.sort_by_key(|flow| workflow::rank(&flow.kind));
    Ok(flows)
}

fn configured_flow(tx: &Transaction<'_>, scope: &Scope, configured: &Value) -> Result<Option<Flow>, ServiceError> {
    let text = document::text(configured, "workflowArn").unwrap_or_default();
    let refuse =
        |why: &str| ServiceError::client("InvalidParameterValueException", format!("the workflow {text} {why}"));
    let arn = workflow_arn::WorkflowArn::parse(text).ok_or_else(|| refuse("is no workflow"))?;
    let continues = document::text(configured, "onFailure") == Some("CONTINUE");
    let group = document::text(configured, "parallelGroup").map(str::to_owned);
    if arn.is_managed() {
        return Ok(match arn.kind.as_str() {
            "TEST" => Some(Flow { group, continues, ..Flow::managed_test(&scope.region) }),
            "BUILD" => Some(Flow::managed_build(&scope.region)),
            _ => None,
        });
    }
    let record = resolve_workflow(tx, scope, text)?.ok_or_else(|| refuse("does not exist"))?;
    let read = crate::workflow::read(&record.data, &record.kind).map_err(|errors| refuse(&errors.join(" ")))?;
    let given = document::items(configured, "parameters");
    let mut parameters = Map::new();
    for parameter in &read.parameters {
        let own = given.iter().find(|one| document::text(one, "name") == Some(&parameter.name));
        let values: Option<Vec<&str>> =
            own.map(|one| document::items(one, "value").iter().filter_map(Value::as_str).collect());
        let value = values.and_then(|values| parameter.typed(&values)).or_else(|| parameter.default.clone());
        parameters.insert(parameter.name.clone(), value.unwrap_or_default());
    }
    let step = |step: &crate::workflow::Step| FlowStep {
        name: step.name.clone(),
        action: step.action.clone(),
        on_failure: step.on_failure.clone(),
        timeout_seconds: step.timeout_seconds,
        inputs: step.inputs.clone(),
        condition: step.condition.clone(),
        wait_seconds: step.wait_seconds,
    };
    Ok(Some(Flow {
        arn: record.arn,
        kind: record.kind,
        group,
        steps: read.steps.iter().map(step).collect(),
        parameters: Value::Object(parameters),
        outputs: read.outputs,
        continues,
    }))
}

/// `$.imagebuilder` of an image, and nothing else yet.
pub(super) fn context(image: &ImageRecord) -> Value {
    let text = |document: &Value, key: &str| document::text(document, key).unwrap_or_default().to_owned();
    json!({
        "workflowOutputs": {},
        "stepOutputs": {},
        "parameters": {},
        "imagebuilder": {
            "collectImageMetadata": image.enhanced_metadata,
            "collectImageScanFindings": false,
            "imageBuildNumber": image.build,
            "imageName": image.name,
            "imageType": "AMI",
            "imageVersionNumber": image.version,
            "instanceProfileName": text(&image.infrastructure, "instanceProfileName"),
            "platform": "Linux",
            "securityGroups": document::items(&image.infrastructure, "securityGroupIds"),
            "sourceImageARN": image.arn,
            "subnetId": text(&image.infrastructure, "subnetId"),
            "terminateInstanceOnFailure": true,
            "workingDirectory": document::text(&image.recipe, "workingDirectory").unwrap_or("/tmp"),
        },
    })
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

use super::*;
use crate::aws::testing;
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::Arc;

const ARN: &str = "arn:aws:imagebuilder:us-east-1:000000000000:image/acme-debian-12/1.0.0/1";
const COMPONENT: &str = "arn:aws:imagebuilder:us-east-1:000000000000:component/acme-patch-linux/1.0.3/1";

fn ok(value: &Value) -> http::Response<Bytes> {
    http::Response::builder().status(200).body(Bytes::from(value.to_string())).unwrap()
}

/// A cloud with one failed workflow of `kind` whose failed step has `outputs`, and a command output.
fn cloud(kind: &'static str, status: &'static str, outputs: Value) -> Cloud {
    testing::cloud(Arc::new(move |request| match request.uri().path() {
        "/ListWorkflowExecutions" => ok(&json!({"workflowExecutions": [
            {"workflowExecutionId": "wf-1", "type": "BUILD", "status": "COMPLETED", "startTime": "2026-01-01T00:00:00Z"},
            {"workflowExecutionId": "wf-2", "type": kind, "status": status, "startTime": "2026-01-01T01:00:00Z"},
        ]})),
        "/ListWorkflowStepExecutions" => ok(&json!({"steps": [
            {"name": "LaunchInstance", "status": "COMPLETED", "outputs": r#"{"instanceId":"i-0abc"}"#},
            {"name": "ApplyComponents", "status": "FAILED", "message": "step message", "outputs": outputs.to_string(),
             "inputs": r#"{"instanceId.$":"$.stepOutputs.LaunchInstance.instanceId"}"#},
        ]})),
        _ => {
            let body: Value = serde_json::from_slice(request.body()).unwrap();
            assert_eq!((&body["CommandId"], &body["InstanceId"]), (&json!("cmd-1"), &json!("i-0abc")));
            let text = (1..=30).map(|number| format!("line {number}\n")).collect::<Vec<_>>().join("\n");
            ok(&json!({"StandardOutputContent": text, "StandardErrorContent": "E: it broke\n"}))
        }
    }))
}

fn failed(reason: &str) -> ib::ImageState {
    ib::ImageState::builder().status(ib::ImageStatus::Failed).reason(reason).build()
}

#[tokio::test]
async fn our_runners_failure_names_component_step_line_and_last_lines() {
    let summary = json!({"status": "failed", "failure": {
        "document": COMPONENT, "phase": "build", "step": "Upgrade", "action": "ExecuteBash", "line": 12,
        "message": "exit code 100", "lastLines": ["Err:1 http://mirror", "E: Failed to fetch"]}});
    let cloud = cloud("BUILD", "ROLLBACK_COMPLETED", json!({"runCommandId": "cmd-1", "output": summary.to_string()}));
    let found = failure(&cloud, ARN, Phase::Build, Some(&failed("Document failed!")), None).await;
    assert_eq!(found.component.as_deref(), Some("acme-patch-linux"));
    assert_eq!((found.step.as_deref(), found.line), (Some("Upgrade"), Some(12)));
    assert_eq!(found.workflow_step.as_deref(), Some("ApplyComponents"));
    assert_eq!(found.last_lines, ["Err:1 http://mirror", "E: Failed to fetch"]);
    let text = found.to_string();
    assert!(
        text.contains("FAILED") && text.contains("`Upgrade` of component `acme-patch-linux` (line 12): exit code 100"),
        "{text}"
    );
}

#[tokio::test]
async fn without_it_the_commands_last_lines_are_shown() {
    let output = r#"{"status":"failed","failureMessage":"Document x failed!"}"#;
    let cloud = cloud("TEST", "FAILED", json!({"runCommandId": "cmd-1", "output": output}));
    let found = failure(&cloud, ARN, Phase::Build, Some(&failed("reason")), None).await;
    assert_eq!(found.phase, Phase::Test, "the failed workflow decides");
    assert_eq!(found.message, "Document x failed!");
    assert_eq!(found.last_lines.len(), 20);
    assert_eq!(found.last_lines.last().map(String::as_str), Some("E: it broke"));
}

#[tokio::test]
async fn a_step_that_ran_no_components_gives_its_message() {
    let cloud = cloud("BUILD", "FAILED", json!({}));
    let found = failure(&cloud, ARN, Phase::Build, Some(&failed("reason")), None).await;
    assert_eq!((found.message.as_str(), found.component), ("step message", None));
}

#[tokio::test]
async fn the_images_own_context_is_used_when_the_workflow_cannot_be_read() {
    let cloud = testing::cloud(Arc::new(|_| {
        let denied = http::Response::builder().status(403).header("x-amzn-errortype", "AccessDeniedException");
        denied.body(Bytes::from_static(b"{\"message\":\"no\"}")).unwrap()
    }));
    let component = ib::ComponentFailureContext::builder().component_arn(COMPONENT).step_name("S").error_message("why");
    let context = ib::ImageFailureContext::builder()
        .image_status(ib::ImageStatus::Testing)
        .failed_step("ApplyTestComponents")
        .component_failure(component.build());
    let state = ib::ImageState::builder().status(ib::ImageStatus::Failed).failure_context(context.build()).build();
    let found = failure(&cloud, ARN, Phase::Build, Some(&state), None).await;
    assert_eq!(found.phase, Phase::Test);
    assert_eq!(found.component.as_deref(), Some("acme-patch-linux"));
    assert_eq!((found.step.as_deref(), found.message.as_str()), (Some("S"), "why"));
    assert!(found.last_lines[0].contains("AccessDeniedException"), "{:?}", found.last_lines);
}

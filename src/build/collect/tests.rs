use super::*;
use crate::aws::testing;
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::Arc;

const ARN: &str = "arn:aws:imagebuilder:us-east-1:000000000000:image/acme-web-x86-64/1.0.3/1";

fn ok(value: &Value) -> http::Response<Bytes> {
    http::Response::builder().status(200).body(Bytes::from(value.to_string())).unwrap()
}

fn xml(text: &str) -> http::Response<Bytes> {
    http::Response::builder().status(200).body(Bytes::from(text.to_owned())).unwrap()
}

fn image() -> Value {
    json!({"image": {
        "arn": ARN, "name": "acme-web-x86-64", "version": "1.0.3/1", "dateCreated": "2026-01-01T00:00:00Z",
        "state": {"status": "FAILED", "reason": "Document x failed!"},
        "infrastructureConfiguration": {"logging": {"s3Logs": {"s3BucketName": "acme-logs", "s3KeyPrefix": "builds/"}}},
    }})
}

/// What AWS answers about a failed build whose instance wrote to a log bucket.
fn aws(request: &http::Request<Bytes>) -> http::Response<Bytes> {
    let uri = request.uri();
    match uri.path() {
        "/GetImage" => ok(&image()),
        "/ListWorkflowExecutions" => ok(&json!({"workflowExecutions": [
            {"workflowExecutionId": "wf-1", "type": "BUILD", "status": "ROLLBACK_COMPLETED", "startTime": "2026-01-01T00:00:00Z"},
        ]})),
        "/ListWorkflowStepExecutions" => ok(&json!({"steps": [
            {"name": "LaunchBuildInstance", "status": "COMPLETED", "outputs": r#"{"instanceId":"i-0abc"}"#},
            {"name": "ApplyBuildComponents", "stepExecutionId": "step-2", "action": "ExecuteComponents", "status": "FAILED",
             "outputs": r#"{"runCommandId":"cmd-1"}"#},
        ]})),
        "/GetWorkflowStepExecution" => ok(&json!({"name": "ApplyBuildComponents", "timeoutSeconds": 43200})),
        path if path.ends_with("console.log") => xml("2026-01-01 00:00:00.000 Info Step Install\n"),
        path if path.ends_with("application.log") => panic!("not asked for"),
        "/" | "/acme-logs/" | "/acme-logs" if uri.query().is_some_and(|query| query.contains("list-type=2")) => {
            let query = uri.query().unwrap();
            let prefix = "builds%2Facme-web-x86-64%2F1.0.3%2F1%2Fwf-1%2FApplyBuildComponents%2F";
            assert!(query.contains(prefix), "{query}");
            let key = |name: &str| {
                format!(
                    "<Contents><Key>builds/acme-web-x86-64/1.0.3/1/wf-1/ApplyBuildComponents/TOE_x/{name}</Key><Size>9</Size></Contents>"
                )
            };
            let keys = key("console.log") + &key("application.log");
            xml(&format!("<ListBucketResult><IsTruncated>false</IsTruncated>{keys}</ListBucketResult>"))
        }
        _ => ok(
            &json!({"StandardOutputContent": "out", "StandardErrorContent": "err", "ResponseCode": 1, "Status": "Failed"}),
        ),
    }
}

fn read(image: &Value) -> ib::Image {
    let logs = &image["image"]["infrastructureConfiguration"]["logging"]["s3Logs"];
    let text = |key: &str| logs[key].as_str().unwrap().to_owned();
    let logs = ib::S3Logs::builder().s3_bucket_name(text("s3BucketName")).s3_key_prefix(text("s3KeyPrefix")).build();
    let infrastructure = ib::InfrastructureConfiguration::builder();
    let infrastructure = infrastructure.logging(ib::Logging::builder().s3_logs(logs).build()).build();
    ib::Image::builder().arn(ARN).infrastructure_configuration(infrastructure).build()
}

#[tokio::test]
async fn what_the_services_say_is_in_the_record() {
    let cloud = testing::cloud(Arc::new(|request| aws(&request)));
    let record = collect(&cloud, ARN).await.unwrap();
    assert_eq!((record.image.state.status.as_str(), record.image.version.as_str()), ("FAILED", "1.0.3/1"));
    let run = record.failed_workflow().unwrap();
    assert_eq!(run.failed_step().unwrap().timeout_seconds, Some(43200));
    assert_eq!(record.commands[0].standard_error_content, "err");
    assert_eq!((record.commands[0].instance_id.as_str(), record.commands[0].response_code), ("i-0abc", 1));
    assert_eq!(record.gaps, Vec::<String>::new());
}

#[tokio::test]
async fn the_log_bucket_is_read_below_the_step_that_failed() {
    let cloud = testing::cloud(Arc::new(|request| aws(&request)));
    let mut record = collect(&cloud, ARN).await.unwrap();
    let image = read(&image());
    logs::bucket(&cloud, &mut record, &image).await;
    logs::group(&cloud, &mut record, &image);
    assert_eq!(record.logs["build/console.log"], "2026-01-01 00:00:00.000 Info Step Install\n");
    assert_eq!(record.logs.len(), 1, "{:?}", record.logs);
    let commands: Vec<&str> = record.places.iter().map(|place| place.command.as_str()).collect();
    assert!(commands[0].contains("s3://acme-logs/builds/acme-web-x86-64/1.0.3/1/"), "{commands:?}");
    assert!(commands[1].contains("--log-group-name /aws/imagebuilder/acme-web-x86-64 --log-stream-name 1.0.3/1"));
}

#[tokio::test]
async fn what_cannot_be_had_is_a_gap_but_for_the_build_itself() {
    let denied = |_: &http::Request<Bytes>| {
        let denied = http::Response::builder().status(403).header("x-amzn-errortype", "AccessDeniedException");
        denied.body(Bytes::from_static(b"{\"message\":\"no\"}")).unwrap()
    };
    let cloud = testing::cloud(Arc::new(move |request| denied(&request)));
    assert!(matches!(collect(&cloud, ARN).await, Err(BuildError::Call(_))));
    let cloud = testing::cloud(Arc::new(move |request| match request.uri().path() {
        "/GetImage" => ok(&image()),
        _ => denied(&request),
    }));
    let mut record = collect(&cloud, ARN).await.unwrap();
    assert!(record.gaps[0].contains("AccessDeniedException"), "{:?}", record.gaps);
    record.workflows.push(Workflow {
        status: "FAILED".into(),
        steps: vec![crate::build::why::record::WorkflowStep {
            name: "ApplyBuildComponents".into(),
            action: "ExecuteComponents".into(),
            status: "FAILED".into(),
            ..Default::default()
        }],
        ..Workflow::default()
    });
    logs::bucket(&cloud, &mut record, &read(&image())).await;
    assert!(record.gaps.last().unwrap().starts_with("s3://acme-logs/builds/"), "{:?}", record.gaps);
}

use super::*;
use crate::aws::testing;
use crate::evidence::TestOutcome;
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::Arc;

const ARN: &str = "arn:aws:imagebuilder:us-east-1:000000000000:image/acme-debian-12/1.0.0/1";

fn ok(body: impl Into<Bytes>) -> http::Response<Bytes> {
    http::Response::builder().status(200).body(body.into()).unwrap()
}

/// What Image Builder answers about one workflow of this kind whose step has these outputs.
fn answer(path: &str, kind: &str, status: &str, outputs: &Value) -> http::Response<Bytes> {
    match path {
        "/ListWorkflowExecutions" => ok(json!({"workflowExecutions": [
            {"workflowExecutionId": "wf-1", "type": "BUILD", "status": "COMPLETED", "startTime": "2026-01-01T00:00:00Z"},
            {"workflowExecutionId": "wf-2", "type": kind, "status": status, "startTime": "2026-01-01T01:00:00Z"},
        ]})
        .to_string()),
        "/ListWorkflowStepExecutions" => ok(json!({"steps": [
            {"name": "LaunchInstance", "status": "COMPLETED", "outputs": r#"{"instanceId":"i-0abc"}"#},
            {"name": "ApplyTestComponents", "status": "COMPLETED", "outputs": outputs.to_string()},
        ]})
        .to_string()),
        other => panic!("{other} is not asked for"),
    }
}

fn cloud(kind: &'static str, status: &'static str, outputs: Value) -> Cloud {
    testing::cloud(Arc::new(move |request| answer(request.uri().path(), kind, status, &outputs)))
}

fn summary(failed: u32, status: &str) -> Value {
    json!({"output": json!({"status": status, "executedStepCount": 5, "failedStepCount": failed}).to_string()})
}

#[tokio::test]
async fn tests_are_counted_over_the_test_workflows() {
    let passed = tests(&cloud("TEST", "COMPLETED", summary(0, "success")), ARN).await.unwrap().unwrap();
    assert_eq!((passed.passed, passed.executed_steps, passed.failed_steps), (true, 5, 0));
    let broken = tests(&cloud("TEST", "COMPLETED", summary(1, "failed")), ARN).await.unwrap().unwrap();
    assert!(!broken.passed);
    let unfinished = tests(&cloud("TEST", "ROLLBACK_COMPLETED", summary(0, "success")), ARN).await.unwrap().unwrap();
    assert!(!unfinished.passed);
    assert_eq!(tests(&cloud("BUILD", "COMPLETED", summary(0, "success")), ARN).await.unwrap(), None);
}

/// A cloud as in AWS, whose builds keep their files in a bucket.
fn with_bucket(tree: Option<Value>) -> Cloud {
    let handler = move |request: http::Request<Bytes>| {
        let (host, path) = (request.uri().host().unwrap_or_default().to_owned(), request.uri().path().to_owned());
        if host.contains("logs") || path.contains("logs") {
            let Some(tree) = &tree else {
                return http::Response::builder()
                    .status(403)
                    .body(Bytes::from_static(b"<Error><Code>AccessDenied</Code></Error>"))
                    .unwrap();
            };
            if path.ends_with("detailedoutput.json") {
                return ok(tree.to_string());
            }
            let key = "p/acme-debian-12/1.0.0/1/wf-2/ApplyTestComponents/x/detailedoutput.json";
            let query = request.uri().query().unwrap_or_default();
            assert!(query.contains("wf-2%2FApplyTestComponents%2F"), "{query}");
            return ok(format!(
                "<ListBucketResult><Contents><Key>{key}</Key><Size>10</Size></Contents></ListBucketResult>"
            ));
        }
        match path.as_str() {
            "/GetImage" => ok(json!({"image": {"arn": ARN, "infrastructureConfiguration": {"logging": {"s3Logs":
                {"s3BucketName": "logs", "s3KeyPrefix": "/p/"}}}}})
            .to_string()),
            path => answer(path, "TEST", "COMPLETED", &summary(0, "success")),
        }
    };
    testing::paced(Arc::new(handler), crate::clock::Clock::fixed(time::macros::datetime!(2026-01-02 3:04 UTC)))
}

#[tokio::test]
async fn steps_that_the_outputs_do_not_tell_are_in_the_log_bucket() {
    let step = json!({"name": "Ready", "status": "success", "failureMessage": ""});
    let tree = json!({"documents": [{"name": "boots", "phases": [{"name": "test", "steps": [step]}]}]});
    let cloud = with_bucket(Some(tree));
    let mut tested = tests(&cloud, ARN).await.unwrap().unwrap();
    assert_eq!(tested.cases[0].steps, None);
    assert_eq!(add_steps(&cloud, ARN, &mut tested).await.unwrap(), Vec::<String>::new());
    let steps = tested.cases[0].steps.clone().unwrap();
    assert_eq!((steps[0].component.as_str(), steps[0].outcome), ("boots", TestOutcome::Passed));
    // What cannot be read is said, and is not known.
    let cloud = with_bucket(None);
    let mut tested = tests(&cloud, ARN).await.unwrap().unwrap();
    let gaps = add_steps(&cloud, ARN, &mut tested).await.unwrap();
    assert!(gaps[0].contains("s3://logs/p/acme-debian-12/1.0.0/1/wf-2/ApplyTestComponents/"), "{gaps:?}");
    assert_eq!(tested.cases[0].steps, None);
}

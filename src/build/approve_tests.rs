//! Answers, against a scripted service.

use super::*;
use crate::aws::testing;
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

const ARN: &str = "arn:aws:imagebuilder:us-east-1:000000000000:image/acme-web-x86-64/1.0.0/1";
const OTHER: &str = "arn:aws:imagebuilder:us-east-1:000000000000:image/acme-db-x86-64/1.0.0/1";

/// A service where a step of each build waits. The first answers are lost: `applied` says whether they had their effect.
fn cloud(lost: usize, applied: bool) -> (Cloud, Arc<Mutex<Vec<Value>>>) {
    let sent: Arc<Mutex<Vec<Value>>> = Arc::default();
    let seen = Arc::clone(&sent);
    let cloud = testing::cloud(Arc::new(move |request: http::Request<Bytes>| {
        let mut sent = seen.lock().unwrap();
        let (status, answer) = match request.uri().path() {
            "/ListWaitingWorkflowSteps" => {
                let gone = sent.len() > lost || (applied && !sent.is_empty());
                let step = |id: &str, arn: &str| json!({"stepExecutionId": id, "imageBuildVersionArn": arn, "name": "Approve"});
                let mut steps = vec![step("step-2", OTHER)];
                steps.extend((!gone).then(|| step("step-1", ARN)));
                (200, json!({"steps": steps}))
            }
            "/SendWorkflowStepAction" => {
                sent.push(serde_json::from_slice(request.body()).unwrap());
                (if sent.len() <= lost { 500 } else { 200 }, json!({}))
            }
            other => panic!("unexpected call {other}"),
        };
        http::Response::builder().status(status).body(Bytes::from(answer.to_string())).unwrap()
    }));
    (cloud, sent)
}

fn yes() -> Answer {
    Answer { stop: false, reason: Some("looked at".into()) }
}

#[tokio::test(start_paused = true)]
async fn only_the_named_build_is_answered() {
    let (cloud, sent) = cloud(0, false);
    let steps = approve(&cloud, ARN, &yes()).await.unwrap();
    assert_eq!((steps.len(), steps[0].step_execution_id.as_str()), (1, "step-1"));
    let sent = sent.lock().unwrap();
    assert_eq!((sent.len(), &sent[0]["action"], &sent[0]["reason"]), (1, &json!("RESUME"), &json!("looked at")));
    assert_eq!(steps[0].answer, format!("amiforge approve {ARN}"));
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_another_request_than_a_resume() {
    let token = async |stop| {
        let (cloud, sent) = cloud(0, false);
        approve(&cloud, ARN, &Answer { stop, reason: None }).await.unwrap();
        let sent = sent.lock().unwrap()[0].clone();
        (sent["action"].clone(), sent["clientToken"].clone())
    };
    let (resume, stop) = (token(false).await, token(true).await);
    assert_eq!((resume.0, stop.0), (json!("RESUME"), json!("STOP")));
    assert_ne!(resume.1, stop.1);
    assert_eq!(stop.1, token(true).await.1, "a repetition is the same request");
}

#[tokio::test(start_paused = true)]
async fn after_a_lost_answer_it_is_looked_before_it_is_repeated() {
    let attempts = usize::try_from(crate::aws::ATTEMPTS).unwrap();
    let (service, sent) = cloud(attempts, true);
    approve(&service, ARN, &yes()).await.unwrap();
    assert_eq!(sent.lock().unwrap().len(), attempts, "it does not wait any more");
    let (service, sent) = cloud(attempts, false);
    approve(&service, ARN, &yes()).await.unwrap();
    let sent = sent.lock().unwrap();
    assert_eq!(sent.len(), attempts + 1);
    assert!(sent.iter().all(|request| request["clientToken"] == sent[0]["clientToken"]));
}

#[tokio::test(start_paused = true)]
async fn a_build_that_does_not_wait_is_no_success() {
    let (cloud, sent) = cloud(0, false);
    let error = approve(&cloud, &ARN.replace("/1.0.0/1", "/1.0.0/2"), &yes()).await.unwrap_err();
    assert!(matches!(error, BuildError::NotWaiting { .. }));
    assert_eq!(error.exit_code(), 11);
    assert!(sent.lock().unwrap().is_empty());
}

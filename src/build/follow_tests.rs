//! Builds against a scripted service, in virtual time.

use super::super::start::{BuildOptions, Built, ensure};
use super::*;
use crate::aws::testing;
use crate::build::Phase;
use crate::event::Event;
use crate::plan::{Action, Change, Kind, Observed, Plan, Published, diff};
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const ARN: &str = "arn:aws:imagebuilder:us-east-1:000000000000:image/acme-debian-12-x86-64/1.0.0/1";

/// What the service says: the n-th look at the image gets the n-th word, the last one for ever.
#[derive(Clone, Default)]
struct Script {
    words: Vec<&'static str>,
    /// Builds that `ListImageBuildVersions` shows, with their status.
    listed: Vec<(&'static str, &'static str)>,
    /// Creation time of images.
    created: &'static str,
    log: Arc<Mutex<Vec<String>>>,
}

fn answer(status: u16, value: &Value) -> http::Response<Bytes> {
    http::Response::builder().status(status).body(Bytes::from(value.to_string())).unwrap()
}

impl Script {
    fn of(words: &[&'static str]) -> Self {
        Self { words: words.to_vec(), created: "2026-01-02T03:04:00Z", ..Self::default() }
    }

    fn count(&self, word: &str) -> usize {
        self.log.lock().unwrap().iter().filter(|line| line.starts_with(word)).count()
    }

    fn image(&self, status: &str) -> Value {
        let mut image = json!({
            "arn": ARN, "version": "1.0.0", "dateCreated": self.created, "state": {"status": status},
        });
        if status == "AVAILABLE" {
            image["outputResources"] = json!({"amis": [
                {"region": "eu-west-1", "image": "ami-elsewhere"}, {"region": testing::REGION, "image": "ami-1"}]});
        }
        image
    }

    fn cloud(&self, plan: &Plan) -> Cloud {
        let (script, fingerprint) = (self.clone(), plan.fingerprint.clone());
        testing::cloud(Arc::new(move |request: http::Request<Bytes>| {
            let path = request.uri().path().to_owned();
            script.log.lock().unwrap().push(path.clone());
            match path.as_str() {
                "/GetImage" => {
                    let word = script.words[(script.count("/GetImage") - 1).min(script.words.len() - 1)];
                    if word == "down" {
                        return answer(503, &json!({"message": "down"}));
                    }
                    answer(200, &json!({"image": script.image(word)}))
                }
                "/ListImages" if script.listed.is_empty() => answer(200, &json!({"imageVersionList": []})),
                "/ListImages" => answer(
                    200,
                    &json!({"imageVersionList": [{"name": "acme-debian-12-x86-64", "version": "1.0.0", "arn": "arn:v"}]}),
                ),
                "/ListImageBuildVersions" => {
                    let builds: Vec<Value> = script
                        .listed
                        .iter()
                        .map(|(arn, status)| {
                            let mut image = script.image(status);
                            image["arn"] = json!(arn);
                            image["tags"] = json!({"amiforge:fingerprint": fingerprint});
                            image
                        })
                        .collect();
                    answer(200, &json!({"imageSummaryList": builds}))
                }
                "/CreateImage" => {
                    let body: Value = serde_json::from_slice(request.body()).unwrap();
                    script.log.lock().unwrap().push(format!("token {}", body["clientToken"]));
                    answer(200, &json!({"imageBuildVersionArn": ARN}))
                }
                "/ListWorkflowExecutions" => answer(
                    200,
                    &json!({"workflowExecutions": [
                    {"workflowExecutionId": "wf-1", "type": "BUILD", "status": "RUNNING"}]}),
                ),
                "/ListWorkflowStepExecutions" => answer(
                    200,
                    &json!({"steps": [
                    {"name": "ApplyBuildComponents", "status": "RUNNING"}]}),
                ),
                other => panic!("unexpected call {other}"),
            }
        }))
    }

    fn tokens(&self) -> Vec<String> {
        self.log.lock().unwrap().iter().filter(|line| line.starts_with("token")).cloned().collect()
    }
}

fn plan() -> Plan {
    diff(&crate::plan::fixture(), &Observed::default())
}

async fn run(script: &Script, options: BuildOptions) -> (Result<Built, BuildError>, Vec<Event>) {
    let plan = plan();
    assert!(plan.changes.iter().any(|change: &Change| change.kind == Kind::Recipe && change.action == Action::Create));
    let published = Published { recipe: "arn:r".into(), infrastructure: "arn:i".into(), ..Published::default() };
    let seen = Arc::new(Mutex::new(vec![]));
    let sink = Arc::clone(&seen);
    let events = Events::new(move |event| sink.lock().unwrap().push(event));
    let result = ensure(&script.cloud(&plan), &plan, &published, options, &events).await;
    let events = seen.lock().unwrap().clone();
    (result, events)
}

fn stages(events: &[Event]) -> Vec<String> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::StageStarted { stage, .. } => Some(format!("{} started", stage.word())),
            Event::StageFinished { stage, ending, .. } => Some(format!("{} {ending:?}", stage.word())),
            _ => None,
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_build_is_followed_through_its_stages() {
    let script =
        Script::of(&["PENDING", "PENDING", "CREATING", "BUILDING", "BUILDING", "TESTING", "INTEGRATING", "AVAILABLE"]);
    let (built, events) = run(&script, BuildOptions::default()).await;
    let built = built.unwrap();
    assert_eq!((built.ami.as_str(), built.image_version.as_str(), built.reused), ("ami-1", "1.0.0/1", false));
    assert_eq!(stages(&events), ["build started", "build Done", "test started", "test Done"]);
    let steps: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Step { step, .. } => Some(step.name.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(steps, ["ApplyBuildComponents"], "told once while nothing changes: {events:?}");
}

#[tokio::test(start_paused = true)]
async fn without_tests_the_build_stage_ends_with_the_image() {
    let (built, events) = run(&Script::of(&["PENDING", "BUILDING", "AVAILABLE"]), BuildOptions::default()).await;
    assert!(built.is_ok());
    assert_eq!(stages(&events), ["build started", "build Done"]);
}

#[tokio::test(start_paused = true)]
async fn a_state_nobody_knows_is_waited_out_until_the_deadline() {
    let script = Script::of(&["PENDING", "BUILDING", "SOMETHING_NEW"]);
    let started = tokio::time::Instant::now();
    let options = BuildOptions { deadline: Duration::from_secs(20), ..BuildOptions::default() };
    let (result, events) = run(&script, options).await;
    let error = result.unwrap_err();
    assert!(matches!(&error, BuildError::TimedOut { status, .. } if status == "SOMETHING_NEW"), "{error}");
    assert_eq!(error.exit_code(), 13);
    assert_eq!(started.elapsed().as_secs(), 20);
    assert_eq!(stages(&events), ["build started", "build Failed"]);
}

#[tokio::test(start_paused = true)]
async fn a_passing_outage_does_not_end_the_wait_and_a_lasting_one_does() {
    let mut words = vec!["PENDING", "BUILDING"];
    words.extend(["down"; 30]);
    words.push("AVAILABLE");
    let (built, _) = run(&Script::of(&words), BuildOptions::default()).await;
    assert!(built.is_ok(), "{built:?}");
    let (result, _) = run(&Script::of(&["PENDING", "BUILDING", "down"]), BuildOptions::default()).await;
    assert!(matches!(result, Err(BuildError::Call(_))), "{result:?}");
}

#[tokio::test(start_paused = true)]
async fn ends_that_are_no_image_are_told_apart() {
    let (result, events) =
        run(&Script::of(&["PENDING", "BUILDING", "TESTING", "CANCELLED"]), BuildOptions::default()).await;
    assert!(matches!(result, Err(BuildError::Cancelled { .. })));
    assert_eq!(stages(&events), ["build started", "build Done", "test started", "test Failed"]);
    let (result, _) = run(&Script::of(&["PENDING", "DELETED"]), BuildOptions::default()).await;
    assert!(matches!(result, Err(BuildError::Withdrawn { status, .. }) if status == "DELETED"));
    let (result, _) = run(&Script::of(&["PENDING", "TESTING", "FAILED"]), BuildOptions::default()).await;
    let Err(BuildError::Failed(failure)) = result else { panic!("{result:?}") };
    assert_eq!(failure.phase, Phase::Test);
    assert_eq!(BuildError::Failed(failure).exit_code(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_build_in_flight_is_joined_and_an_available_one_kept() {
    let mut script = Script::of(&["BUILDING", "AVAILABLE"]);
    script.listed = vec![(ARN, "BUILDING")];
    let (built, _) = run(&script, BuildOptions::default()).await;
    assert_eq!((built.unwrap().reused, script.count("/CreateImage")), (false, 0));

    let mut script = Script::of(&["AVAILABLE"]);
    script.listed = vec![(ARN, "AVAILABLE")];
    let (built, events) = run(&script, BuildOptions::default()).await;
    assert_eq!((built.unwrap().reused, script.count("/CreateImage")), (true, 0));
    assert_eq!(stages(&events), ["build started", "build Unchanged"]);

    let (built, _) = run(&script, BuildOptions { fresh: true, ..BuildOptions::default() }).await;
    assert_eq!((built.unwrap().reused, script.count("/CreateImage")), (false, 1));
}

#[tokio::test(start_paused = true)]
async fn tokens_follow_the_number_of_builds_and_old_answers_are_not_taken() {
    let token = async |listed: Vec<(&'static str, &'static str)>| {
        let script = Script { listed, ..Script::of(&["PENDING", "AVAILABLE"]) };
        run(&script, BuildOptions { fresh: true, ..BuildOptions::default() }).await.0.unwrap();
        script.tokens()
    };
    let none = token(vec![]).await;
    assert_eq!(none, token(vec![]).await, "a repetition is the same request");
    assert_ne!(none, token(vec![(ARN, "FAILED")]).await, "after a failure it is another");

    // The list lags: the token is that of a build that failed yesterday, and the service answers with that build.
    let mut script = Script::of(&["FAILED", "PENDING", "AVAILABLE"]);
    script.created = "2026-01-01T00:00:00Z";
    let (built, _) = run(&script, BuildOptions::default()).await;
    assert!(built.is_ok(), "{built:?}");
    assert_eq!(script.tokens().len(), 2);
    assert_ne!(script.tokens()[0], script.tokens()[1]);
}

//! Interruptions, against scripted services.

use super::*;
use crate::aws::testing;
use crate::clock::Clock;
use bytes::Bytes;
use std::sync::{Arc, Mutex};

const ARNS: [&str; 2] = ["arn:aws:imagebuilder:r:1:image/a/1.0.0/1", "arn:aws:imagebuilder:r:1:image/b/1.0.0/1"];

fn answer(text: String) -> http::Response<Bytes> {
    http::Response::builder().status(200).body(Bytes::from(text)).unwrap()
}

/// A service whose builds are in these states once they were cancelled; what it was asked.
fn cloud(ends: &'static str) -> (Cloud, Arc<Mutex<Vec<String>>>) {
    let log = Arc::new(Mutex::new(vec![]));
    let seen = Arc::clone(&log);
    let handler = move |request: http::Request<Bytes>| {
        seen.lock().unwrap().push(request.uri().path().to_owned());
        match request.uri().path() {
            "/CancelImageCreation" => answer("{}".into()),
            "/GetImage" => answer(format!(r#"{{"image": {{"state": {{"status": "{ends}"}}}}}}"#)),
            other => panic!("unexpected call {other}"),
        }
    };
    let clock = Clock::fixed(time::macros::datetime!(2026-01-02 03:04:05 UTC));
    (testing::paced(Arc::new(handler), clock), log)
}

fn arns() -> Vec<String> {
    ARNS.map(str::to_owned).to_vec()
}

#[tokio::test(start_paused = true)]
async fn the_first_interruption_leaves_the_builds_alone_and_says_how_to_follow_them() {
    let (cloud, log) = cloud("BUILDING");
    let failure = interrupted(Some(&cloud), "Ctrl-C", &arns(), false, false, async { false }).await;
    assert_eq!(failure.exit, Exit::Interrupted);
    assert_eq!(failure.message, "interrupted by Ctrl-C; 2 builds go on in AWS");
    assert_eq!(failure.next, ARNS.map(|arn| format!("amiforge watch {arn}")));
    assert!(log.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_second_one_cancels_what_was_started_and_waits_for_its_end() {
    for (cancel, second) in [(false, true), (true, false)] {
        let (cloud, log) = cloud("CANCELLED");
        let failure = interrupted(Some(&cloud), "Ctrl-C", &arns(), cancel, false, async move { second }).await;
        assert_eq!(failure.exit, Exit::Interrupted);
        assert_eq!(failure.message, "interrupted by Ctrl-C; what it had started has ended");
        assert_eq!(failure.evidence, ARNS.map(|arn| format!("{arn} CANCELLED")));
        assert_eq!(log.lock().unwrap().iter().filter(|path| *path == "/CancelImageCreation").count(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_build_that_does_not_end_in_time_is_told() {
    let (cloud, _) = cloud("BUILDING");
    let failure = interrupted(Some(&cloud), "SIGTERM", &arns(), true, false, async { false }).await;
    assert_eq!(failure.message, "interrupted by SIGTERM; 2 of 2 builds may still run");
    assert_eq!(failure.next.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn where_nothing_was_started_nothing_is_cancelled() {
    let (cloud, log) = cloud("BUILDING");
    let failure = interrupted(Some(&cloud), "Ctrl-C", &[], true, true, async { true }).await;
    assert!(failure.message.ends_with("had started no build"), "{}", failure.message);
    let local = testing::cloud(Arc::new(|_| panic!("no request may be sent")));
    let failure = interrupted(Some(&local), "Ctrl-C", &arns(), true, true, async { true }).await;
    assert!(failure.message.ends_with("nothing is left running or mounted"), "{}", failure.message);
    assert!(log.lock().unwrap().is_empty());
}

#[test]
fn refreshes_go_on_and_are_told_with_the_command_that_follows_them() {
    let groups = ["1/r a", "1/r b"].map(|group| (group.to_owned(), "amiforge promote web --refresh".to_owned()));
    let failure = refreshing("Ctrl-C", &groups.into());
    assert_eq!(
        (failure.exit, &*failure.message),
        (Exit::Interrupted, "interrupted by Ctrl-C; 2 instance refreshes go on")
    );
    assert_eq!(
        (failure.evidence, failure.next),
        (vec!["1/r a".into(), "1/r b".into()], vec!["amiforge promote web --refresh".into()])
    );
}

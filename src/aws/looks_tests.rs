//! Many builds, few calls.

use super::*;
use crate::aws::testing;
use crate::clock::Clock;
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};

fn arn(number: usize) -> String {
    format!("arn:aws:imagebuilder:us-east-1:000000000000:image/i{number}/1.0.0/1")
}

/// A paced cloud that lists `builds` build versions, 25 a page.
fn cloud(builds: usize, refuses: bool) -> (Cloud, Arc<AtomicUsize>) {
    failing(builds, if refuses { 400 } else { 200 })
}

/// The same with the status of every answer.
fn failing(builds: usize, status: u16) -> (Cloud, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&calls);
    let handler = move |request: http::Request<Bytes>| {
        assert_eq!(request.uri().path(), "/ListImageBuildVersions");
        counter.fetch_add(1, Ordering::SeqCst);
        if status != 200 {
            return http::Response::builder().status(status).body(Bytes::from_static(b"{}")).unwrap();
        }
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        let from: usize = body["nextToken"].as_str().map_or(0, |token| token.parse().unwrap());
        let page: Vec<Value> = (from..builds.min(from + 25))
            .map(|number| json!({"arn": arn(number), "state": {"status": "BUILDING"}}))
            .collect();
        let mut answer = json!({"imageSummaryList": page});
        if from + 25 < builds {
            answer["nextToken"] = json!((from + 25).to_string());
        }
        http::Response::builder().status(200).body(Bytes::from(answer.to_string())).unwrap()
    };
    let clock = Clock::fixed(time::macros::datetime!(2026-01-02 03:04:05 UTC));
    (testing::paced(Arc::new(handler), clock), calls)
}

const SHORTEST: Duration = Duration::from_secs(15);

#[tokio::test(start_paused = true)]
async fn few_builds_are_asked_for_one_by_one() {
    let (cloud, calls) = cloud(3, false);
    let follows: Vec<_> = (0..3).map(|number| cloud.looks().follow(&arn(number))).collect();
    assert_eq!(follows[0].glance(&cloud).await, Glance::Ask);
    assert_eq!(follows[0].interval(SHORTEST), SHORTEST);
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    drop(follows);
    assert_eq!(cloud.looks().count(), 0);
}

#[tokio::test(start_paused = true)]
async fn many_builds_are_read_together_once_per_interval() {
    let (cloud, calls) = cloud(100, false);
    let follows: Vec<_> = (0..101).map(|number| cloud.looks().follow(&arn(number))).collect();
    for follow in &follows[..100] {
        assert_eq!(follow.glance(&cloud).await, Glance::Going("BUILDING".into()));
    }
    assert_eq!(follows[100].glance(&cloud).await, Glance::New, "not listed yet");
    assert_eq!(calls.load(Ordering::SeqCst), 4);
    assert_eq!(follows[0].interval(SHORTEST), SWEEP);
    tokio::time::advance(SWEEP).await;
    follows[0].glance(&cloud).await;
    assert_eq!(calls.load(Ordering::SeqCst), 8);
    tokio::time::advance(LAG).await;
    assert_eq!(follows[100].glance(&cloud).await, Glance::Ask, "it should be listed by now");
}

#[tokio::test(start_paused = true)]
async fn an_account_with_a_long_history_is_not_read_again() {
    let (cloud, calls) = cloud(1000, false);
    let follows: Vec<_> = (0..30).map(|number| cloud.looks().follow(&arn(number))).collect();
    follows[0].glance(&cloud).await;
    assert_eq!(calls.load(Ordering::SeqCst), 40);
    tokio::time::advance(SWEEP).await;
    assert_eq!(follows[0].glance(&cloud).await, Glance::Ask);
    assert_eq!(calls.load(Ordering::SeqCst), 40);
    assert_eq!(follows[0].interval(SHORTEST), SWEEP, "30 calls at 2 per second take that long");
}

#[tokio::test(start_paused = true)]
async fn where_it_is_refused_each_is_asked_for_more_seldom() {
    let (cloud, calls) = cloud(0, true);
    let follows: Vec<_> = (0..200).map(|number| cloud.looks().follow(&arn(number))).collect();
    for follow in &follows {
        assert_eq!(follow.glance(&cloud).await, Glance::Ask);
    }
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    assert_eq!(follows[0].interval(SHORTEST), Duration::from_secs(100));
}

#[tokio::test(start_paused = true)]
async fn steps_are_looked_up_within_their_share_of_the_calls() {
    let (cloud, _) = cloud(0, true);
    let follows: Vec<_> = (0..100).map(|number| cloud.looks().follow(&arn(number))).collect();
    let mut shown = vec![0; follows.len()];
    for _ in 0..60 {
        for (follow, shown) in follows.iter().zip(&mut shown) {
            *shown += usize::from(follow.may_show_steps());
        }
        tokio::time::advance(Duration::from_secs(30)).await;
    }
    // Every 200 s in half an hour.
    assert!(shown.iter().all(|count| (6..=9).contains(count)), "{shown:?}");
}

#[tokio::test(start_paused = true)]
async fn an_end_wakes_who_waits_for_it_before_the_reading_is_over() {
    let handler = |request: http::Request<Bytes>| {
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        // The first page has an end; the last one comes much later.
        let answer = match body["nextToken"].as_str().map_or(0, |token| token.parse::<usize>().unwrap()) {
            0 => json!({"imageSummaryList": [{"arn": arn(0), "state": {"status": "AVAILABLE"}}], "nextToken": "1"}),
            25 => json!({"imageSummaryList": [{"arn": arn(1), "state": {"status": "BUILDING"}}]}),
            page => json!({"imageSummaryList": [], "nextToken": (page + 1).to_string()}),
        };
        http::Response::builder().status(200).body(Bytes::from(answer.to_string())).unwrap()
    };
    let clock = Clock::fixed(time::macros::datetime!(2026-01-02 03:04:05 UTC));
    let cloud = testing::paced(Arc::new(handler), clock);
    let follows: Vec<_> = (0..30).map(|number| cloud.looks().follow(&arn(number))).collect();
    let started = Instant::now();
    let reading = async {
        let glance = follows[1].glance(&cloud).await;
        (glance, started.elapsed())
    };
    let waiting = async {
        follows[0].ended().await;
        (follows[0].glance(&cloud).await, started.elapsed())
    };
    let (read, woken) = tokio::join!(reading, waiting);
    assert_eq!((read.0, woken.0), (Glance::Going("BUILDING".into()), Glance::Ask));
    assert!(
        woken.1 < Duration::from_secs(1) && read.1 > Duration::from_secs(2),
        "{woken:?} {read:?}",
        woken = woken.1,
        read = read.1
    );
}

#[tokio::test(start_paused = true)]
async fn a_passing_trouble_is_met_by_one_follower_and_not_by_all() {
    let (cloud, calls) = failing(100, 503);
    let follows: Vec<_> = (0..100).map(|number| cloud.looks().follow(&arn(number))).collect();
    assert_eq!(follows[0].glance(&cloud).await, Glance::Ask);
    let first = calls.load(Ordering::SeqCst);
    for follow in &follows[1..] {
        assert_eq!(follow.glance(&cloud).await, Glance::New);
    }
    assert_eq!(calls.load(Ordering::SeqCst), first);
    tokio::time::advance(SWEEP).await;
    follows[0].glance(&cloud).await;
    assert!(calls.load(Ordering::SeqCst) > first, "it is tried again");
}

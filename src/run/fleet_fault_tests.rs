//! Every call of publishing and building, of one image and of two, goes wrong in every way. Whatever does, the exit code says so,
//! and the next run ends with one of each: nothing is there twice, and nothing is left over.

use super::*;
use crate::local::Fault;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

/// A minute, so that a build has few looks.
fn a_minute(_: &str) -> Script {
    Script::lasting(Duration::from_mins(1))
}

/// What may go wrong with a call, how often in a row, and whether the SDK's repetitions are to get over it.
fn kinds() -> [(Fault, u64, bool); 8] {
    let attempts = crate::aws::ATTEMPTS;
    [
        (Fault::LoseResponse, 1, true),
        (Fault::LoseResponse, attempts, false),
        (Fault::Throttle, 1, true),
        (Fault::Throttle, attempts, false),
        (Fault::Fail, 1, true),
        (Fault::Fail, attempts, false),
        (Fault::Stop, 1, false),
        (Fault::StopAfter, 1, false),
    ]
}

/// The calls of a build that nothing disturbs, in order, and the house with what is there afterwards.
async fn undisturbed(recipes: &[&str]) -> (House, Vec<String>, Vec<String>) {
    let house = House::new(recipes, a_minute).await;
    let calls = Arc::new(Mutex::new(vec![]));
    let sink = Arc::clone(&calls);
    let local = house.cloud.local().unwrap();
    local.set_faults(Some(Box::new(move |service, operation, _| {
        sink.lock().unwrap().push(format!("{service}.{operation}"));
        None
    })));
    assert_eq!(house.build(&FleetOptions::default()).await.exit_code, 0);
    local.set_faults(None);
    let calls = calls.lock().unwrap().clone();
    let clean = sorted(house.there().await);
    (house, calls, clean)
}

fn sorted(mut all: Vec<String>) -> Vec<String> {
    all.sort();
    all
}

#[tokio::test(start_paused = true)]
async fn whatever_call_of_a_build_goes_wrong_the_next_run_ends_with_one_image() {
    let (house, calls, clean) = undisturbed(&["web"]).await;
    assert!(calls.len() > 20, "{calls:?}");
    for nth in 1..=calls.len() as u64 {
        for kind in kinds() {
            one_fault(&house, nth, kind, &clean).await;
        }
    }
}

/// Which calls are tried: every one that changes something; of each reading call the first two (one of each image, or before and
/// after something) and the last one. Those between are looks at the same thing, and have been tried at one image.
fn telling(calls: &[String]) -> Vec<u64> {
    let reading = |call: &str| call.contains(".Get") || call.contains(".List") || call.contains(".Describe");
    let mut seen: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, call) in calls.iter().enumerate() {
        seen.entry(call).or_default().push(index);
    }
    let between = |index: usize, call: &str| {
        let all = &seen[call];
        let place = all.iter().position(|other| *other == index).unwrap_or_default();
        reading(call) && place >= 2 && place + 1 < all.len()
    };
    let told = calls.iter().enumerate().filter(|(index, call)| !between(*index, call));
    told.map(|(index, _)| index as u64 + 1).collect()
}

#[tokio::test(start_paused = true)]
async fn whatever_call_of_two_images_goes_wrong_the_next_run_ends_with_one_of_each() {
    let (house, calls, clean) = undisturbed(&["app", "web"]).await;
    let told = telling(&calls);
    let changing = |call: &String| call.contains(".Create");
    assert!(told.len() >= calls.iter().filter(|call| changing(call)).count() + 15, "{told:?} of {calls:?}");
    for nth in told {
        // Throttled, failed, answered and not heard, killed before and after; each once, and what the SDK does not get over.
        for kind in [kinds()[0], kinds()[3], kinds()[5], kinds()[6], kinds()[7]] {
            one_fault(&house, nth, kind, &clean).await;
        }
    }
}

/// Builds with one fault, then without.
async fn one_fault(house: &House, nth: u64, (fault, times, overcome): (Fault, u64, bool), clean: &[String]) {
    let house = house.again(a_minute).await;
    let local = house.cloud.local().unwrap();
    let struck = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&struck);
    local.set_faults(Some(Box::new(move |_, _, call| {
        let strikes = (nth..nth + times).contains(&call);
        counter.fetch_add(u64::from(strikes), Ordering::SeqCst);
        strikes.then_some(fault)
    })));
    let first = house.build(&FleetOptions::default()).await;
    local.set_faults(None);
    let place = format!("{fault:?} {times} times from call {nth}: {:?}", results(&first));
    assert!(struck.load(Ordering::SeqCst) > 0, "the fault never struck: {place}");
    let code = first.exit_code;
    assert!(code == 0 || (code == 1 && !overcome), "{place}");
    for row in &first.images {
        assert_eq!(row.exit_code == Some(0), row.ami.is_some(), "{place}: {row:?}");
    }
    let second = house.build(&FleetOptions::default()).await;
    assert_eq!(second.exit_code, 0, "{place}, then {:?}", results(&second));
    assert_eq!(sorted(house.there().await), clean, "{place}");
}

use super::{Bench, open};
use crate::local::DEFAULT_ACCOUNT;
use crate::local::store::StoreError;
use serde_json::json;
use std::sync::{Arc, Barrier};

fn handles(first: &Bench, count: usize) -> Vec<Bench> {
    let others = (1..count).map(|_| Bench {
        region: first.region.clone(),
        local: open(first.folder()),
        account: DEFAULT_ACCOUNT.to_owned(),
        folder: Arc::clone(&first.folder),
    });
    others.collect()
}

#[test]
fn two_handles_that_write_at_once_lose_nothing() {
    let first = Bench::new();
    let second = handles(&first, 2).remove(0);
    first.ssm("PutParameter", &json!({ "Name": "shared", "Type": "String", "Value": "0" })).unwrap();
    std::thread::scope(|scope| {
        for (who, bench) in [("a", &first), ("b", &second)] {
            scope.spawn(move || {
                for number in 0..40 {
                    let request = json!({ "Name": format!("/{who}/{number}"), "Type": "String", "Value": "x" });
                    bench.ssm("PutParameter", &request).unwrap();
                    // Both change the same document: every change must be built on the one before.
                    let request = json!({ "Name": "shared", "Value": format!("{who}{number}"), "Overwrite": true });
                    bench.ssm("PutParameter", &request).unwrap();
                }
            });
        }
    });
    let shared = first.ssm("GetParameter", &json!({ "Name": "shared" })).unwrap();
    assert_eq!(shared["Parameter"]["Version"], 81);
    for who in ["a", "b"] {
        for number in 0..40 {
            assert!(second.ssm("GetParameter", &json!({ "Name": format!("/{who}/{number}") })).is_ok());
        }
    }
}

#[test]
fn of_two_that_lock_with_a_parameter_one_wins() {
    let first = Bench::new();
    let second = handles(&first, 2).remove(0);
    let barrier = Barrier::new(2);
    let request = json!({ "Name": "/lock", "Type": "String", "Value": "me" });
    let wins: usize = std::thread::scope(|scope| {
        let racers = [&first, &second].map(|bench| {
            let (barrier, request) = (&barrier, &request);
            scope.spawn(move || {
                barrier.wait();
                usize::from(bench.ssm("PutParameter", request).is_ok())
            })
        });
        racers.into_iter().map(|racer| racer.join().unwrap()).sum()
    });
    assert_eq!(wins, 1);
}

#[test]
fn many_may_open_a_new_state_at_once() {
    for _ in 0..10 {
        let folder = tempfile::tempdir().unwrap();
        let barrier = Barrier::new(6);
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    barrier.wait();
                    // The last one that closes the file tidies it up, which must not disturb one that opens it.
                    for _ in 0..5 {
                        let local = open(folder.path());
                        let scopes = local.store.read(|tx| tx.scopes("none"));
                        assert!(scopes.map_err(|error: StoreError| error).unwrap().is_empty());
                    }
                });
            }
        });
    }
}

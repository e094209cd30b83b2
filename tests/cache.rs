//! `amiforge cache`, as its users see it.

mod harness;

use harness::Env;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

/// Puts an entry into the cache as the program leaves one, used so many days ago.
fn entry(env: &Env, letter: &str, source: &str, bytes: u64, days: u64) -> PathBuf {
    let roots = env.base().join("cache/roots");
    let key = letter.repeat(64);
    let folder = roots.join(&key);
    fs::create_dir_all(folder.join("root/etc")).expect("an entry");
    let record = format!(
        r#"{{"schema":"amiforge.root/1","source":"{source}","survey":{{"entries":1,"bytes":{bytes},"listing":"x"}},"notes":[]}}"#
    );
    fs::write(folder.join("entry.json"), record).expect("its record");
    let lock = fs::File::create(roots.join(format!("{key}.lock"))).expect("its lock");
    lock.set_modified(SystemTime::now() - Duration::from_secs(days * 86_400 + 60)).expect("its time");
    folder
}

#[test]
fn an_empty_cache_is_listed_and_pruned() {
    let env = Env::new();
    assert_eq!(env.expect(0, &["cache", "list"]).stdout, "the cache is empty ([base]/cache)\n");
    assert_eq!(env.expect(0, &["cache", "prune"]).stdout, "0 entries, 0 B removed from [base]/cache\n");
    let json: serde_json::Value =
        serde_json::from_str(&env.expect(0, &["cache", "list", "--format", "json"]).stdout).expect("JSON");
    assert_eq!((&json["schema"], &json["entries"]), (&"amiforge.cache/1".into(), &serde_json::json!([])));
}

#[test]
fn what_is_old_goes_and_what_is_used_stays() {
    let env = Env::new();
    let new = entry(&env, "a", "debian-12", 150_000_000, 1);
    let old = entry(&env, "b", "oci:amazonlinux:2023", 2_000_000_000, 40);
    let used = entry(&env, "c", "tar:/r.tar", 10, 50);
    // Another process uses it: this one.
    let lock = fs::File::open(used.with_extension("lock")).expect("its lock");
    lock.lock_shared().expect("a lock");
    let leftover = env.base().join("cache/roots/.dead.partial-4294967295");
    fs::create_dir(&leftover).expect("what a killed process leaves");
    insta::assert_snapshot!(env.expect(0, &["cache", "list"]).stdout, @r"
    ROOT               SIZE  USED      STATE      SOURCE
    .dead.partial         -  now       left over  -
    aaaaaaaaaaaa   150.0 MB  1 d ago   idle       debian-12
    bbbbbbbbbbbb     2.0 GB  40 d ago  idle       oci:amazonlinux:2023
    cccccccccccc       10 B  50 d ago  in use     tar:/r.tar

    4 entries, 2.1 GB in [base]/cache
    ");
    let dry = env.expect(0, &["cache", "prune", "--older-than", "30d", "--dry-run"]).stdout;
    insta::assert_snapshot!(dry, @r"
    would be removed .dead.partial: a process that is no more has left it half-made
    kept aaaaaaaaaaaa (debian-12), 150.0 MB: nothing asks for its removal
    would be removed bbbbbbbbbbbb (oci:amazonlinux:2023), 2.0 GB: it was not used for 30days
    kept cccccccccccc (tar:/r.tar), 10 B: a process uses it
    2 entries, 2.0 GB would be removed from [base]/cache
    ");
    assert!(old.exists() && leftover.exists());
    env.expect(0, &["cache", "prune", "--older-than", "30d"]);
    assert!(new.exists() && used.exists() && !old.exists() && !leftover.exists());
    env.expect(0, &["cache", "prune", "--max-size", "1MB"]);
    assert!(!new.exists() && used.exists());
    drop(lock);
    let text = env.expect(0, &["cache", "prune", "--all", "--format", "json"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((json["removed_size"].as_u64(), &json["entries"][0]["removed"]), (Some(10), &true.into()));
    assert_eq!(fs::read_dir(env.base().join("cache/roots")).expect("the cache").count(), 0);
}

#[test]
fn what_is_no_time_or_size_is_refused() {
    let env = Env::new();
    let text = env.expect(2, &["cache", "prune", "--max-size", "10 parsecs"]).stderr;
    assert!(text.contains("`10 parsecs` is no size; write a number with B, KB"), "{text}");
    env.expect(2, &["cache", "prune", "--older-than", "yesterday"]);
}

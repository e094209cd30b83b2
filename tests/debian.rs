//! The real thing, as `make run` does it: a bookworm root from the release pocket, real security updates from the real
//! mirrors, promoted; then nothing to do. Needs the package mirrors; fails rather than skips without them.

mod harness;

use harness::Env;
use std::time::{Duration, Instant};

#[test]
fn a_real_debian_is_patched_tested_validated_and_promoted() {
    let env = Env::new();
    env.expect(0, &["init", "--name", "acme"]);
    let first = env.expect(0, &["run", "debian-12"]).stdout;
    assert!(first.contains("no patch missing"), "{first}");
    let patched =
        first.lines().find_map(|line| line.trim().strip_prefix("patched")).expect("a line that counts patches");
    let count: usize = patched.split_whitespace().next().and_then(|word| word.parse().ok()).expect("a number");
    assert!(count > 0, "the release pocket had nothing to patch:\n{first}");

    // The same image against its own parent: what was patched is what was missing there.
    let parent = env.expect(7, &["validate", "debian-12", "--parent"]).stderr;
    assert!(parent.contains("missing"), "{parent}");

    let start = Instant::now();
    let second = env.expect(0, &["run", "debian-12", "--progress", "none"]).stdout;
    assert!(second.starts_with("Nothing to do"), "{second}");
    // A generous bound, not a benchmark: a run that builds anything takes many times as long.
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

//! What the tests share: a folder, a cloned root, short ways to say things.

use crate::support;
use amiforge::sandbox::{Exit, First, Injected, Instance, Job, Limits, Line, Network, Spec, environment, root};
use nix::poll::{PollTimeout, poll};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{LazyLock, OnceLock};
use std::time::{Duration, Instant};

static FOLDER: OnceLock<PathBuf> = OnceLock::new();
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// Uses a folder that someone else has made.
pub fn set_base(folder: &str) {
    FOLDER.set(PathBuf::from(folder)).unwrap();
}

/// The folder of this run.
pub fn folder() -> &'static Path {
    FOLDER.get_or_init(|| {
        let folder = roomy().join(format!("amiforge-sandbox-test-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    })
}

/// Memory if there is enough of it: writing thousands of small files takes seconds on a busy disk. The run as an
/// ordinary user is always on disk, so that both are tested.
fn roomy() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let enough = nix::sys::statvfs::statvfs(memory)
        .is_ok_and(|space| space.blocks_available() * space.fragment_size() > 3 << 30);
    if enough { memory.to_owned() } else { std::env::temp_dir() }
}

/// Removes the folder of this run and everything in it.
pub fn clean() {
    if let Some(folder) = FOLDER.get() {
        root::remove(folder).unwrap();
    }
}

/// A new path for something of one test.
pub fn place(name: &str) -> PathBuf {
    folder().join(format!("{name}-{}", NUMBER.fetch_add(1, Ordering::Relaxed)))
}

/// A root cloned from this machine, made once; nobody writes to it.
pub fn base() -> PathBuf {
    static BASE: LazyLock<PathBuf> = LazyLock::new(|| {
        let path = place("base");
        support::root::clone_from_host(&path, &[]);
        path
    });
    BASE.clone()
}

/// An instance of layers that reaches nothing.
pub fn spec(layers: Vec<PathBuf>) -> Spec {
    Spec {
        hostname: "ip-172-31-0-1".into(),
        layers,
        scratch: place("scratch"),
        network: Network::Loopback,
        inject: BTreeMap::new(),
        bind: Vec::new(),
        first: First::Ours,
        limits: Limits::default(),
    }
}

/// An instance of the cloned root that reaches nothing.
pub fn instance() -> Instance {
    Instance::start(&spec(vec![base()])).unwrap()
}

/// A file to inject.
pub fn injected(path: &str, content: &str) -> (PathBuf, Injected) {
    (PathBuf::from(path), Injected { content: content.into(), mode: 0o644 })
}

/// A command line for the shell of the image.
pub fn shell(script: &str) -> Job {
    Job::Command {
        argv: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
        environment: environment(),
        directory: "/".into(),
        stdin: Vec::new(),
        timeout: None,
    }
}

/// The same with a limit.
pub fn limited(script: &str, limit: Duration) -> Job {
    match shell(script) {
        Job::Command { argv, environment, directory, stdin, .. } => {
            Job::Command { argv, environment, directory, stdin, timeout: Some(limit) }
        }
        other @ Job::Builtin { .. } => other,
    }
}

/// Our own code inside.
pub fn builtin(payload: &str) -> Job {
    Job::Builtin { payload: payload.into(), timeout: None }
}

/// How a job ended and what it wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub exit: Exit,
    pub out: Vec<String>,
    pub err: Vec<String>,
}

/// Runs a job and collects its output.
pub fn run(instance: &Instance, job: &Job) -> Outcome {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let exit = instance
        .run(job, &mut |line| match line {
            Line::Out(text) => out.push(text),
            Line::Err(text) => err.push(text),
        })
        .unwrap();
    Outcome { exit, out, err }
}

/// Runs a shell script that must succeed; returns its output as one text.
pub fn sh(instance: &Instance, script: &str) -> String {
    let outcome = run(instance, &shell(script));
    assert_eq!(outcome.exit, Exit::Code(0), "{script}: {outcome:?}");
    outcome.out.join("\n")
}

/// Waits for something to become true, at most ten seconds.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(10), "{what}: not within ten seconds");
        poll(&mut [], PollTimeout::from(5_u8)).unwrap();
    }
}

/// Processes of this machine whose command line contains a text.
pub fn processes_with(text: &str) -> Vec<String> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(text) && !line.contains("--victim"))
        .collect()
}

/// A number that no other process has in its command line.
pub fn unique_seconds() -> String {
    format!("{}", 900_000_000 + u64::from(std::process::id()) * 100 + u64::from(NUMBER.fetch_add(1, Ordering::Relaxed)))
}

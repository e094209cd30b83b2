//! What a step of a component costs over the same command in a script, what entering a sandbox costs, and how much memory
//! the output of a step takes.
//!
//! `./scripts/bench-prerequisites && cargo bench --no-default-features --bench runner` (as root) prints medians and ratios,
//! all of one run: a document of twenty steps against one bash script in a chroot and against ansible-playbook on a local
//! connection; an instance against bubblewrap and systemd-nspawn; the largest process of a run whose step writes a
//! megabyte and a gigabyte.

#![allow(clippy::print_stdout, clippy::exit, reason = "a benchmark prints its result")]

#[path = "../tests/support/mod.rs"]
mod support;

use amiforge::sandbox::{Exit, Instance, Job, Limits, Line, Network, Spec, environment, root};
use amiforge::{runner, sandbox};
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// Steps of the document, commands of the script, tasks of the playbook.
const STEPS: u32 = 20;
/// Runs per figure; the median is reported.
const ROUNDS: usize = 21;
/// Runs of what takes seconds.
const FEW: usize = 3;

fn main() {
    if let Some(code) = sandbox::init::main(runner::serve) {
        std::process::exit(code);
    }
    if !nix::unistd::geteuid().is_root() {
        println!("chroot, which this compares with, needs root");
        return;
    }
    let bench = Bench::new();
    bench.steps();
    bench.entering();
    bench.memory();
    root::remove(&bench.folder).expect("the folder of the benchmark goes");
}

struct Bench {
    folder: PathBuf,
    base: PathBuf,
    number: AtomicU32,
}

impl Bench {
    /// In memory: what is measured is not the disk.
    fn new() -> Self {
        let folder = PathBuf::from(format!("/dev/shm/amiforge-bench-{}", std::process::id()));
        let base = folder.join("base");
        support::root::clone_from_host(&base, &[]);
        let script: String = (1..=STEPS).map(command).collect();
        fs::write(base.join("script.sh"), script).expect("the script");
        Self { folder, base, number: AtomicU32::new(0) }
    }

    fn spec(&self) -> Spec {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        Spec {
            hostname: "bench".into(),
            layers: vec![self.base.clone()],
            scratch: self.folder.join(format!("scratch-{number}")),
            network: Network::Loopback,
            inject: BTreeMap::new(),
            bind: Vec::new(),
            limits: Limits::default(),
        }
    }

    /// A fresh instance in which a document is run; the instance is gone afterwards.
    fn run(&self, document: &str) {
        let payload = request(document);
        let instance = Instance::start(&self.spec()).expect("an instance");
        let job = Job::Builtin { payload, timeout: None };
        let mut last = String::new();
        let exit = instance.run(&job, &mut |line| {
            if let Line::Out(line) = line {
                last = line;
            }
        });
        assert_eq!(exit.expect("the runner runs"), Exit::Code(0), "{last}");
        instance.stop();
    }

    fn steps(&self) {
        let document = document();
        let ours = median(ROUNDS, || self.run(&document));
        let script = median(ROUNDS, || self.chroot(&["bash", "/script.sh"]));
        let each = median(ROUNDS, || {
            for number in 1..=STEPS {
                self.chroot(&["sh", "-c", &command(number)]);
            }
        });
        row(&format!("{STEPS} steps in a fresh instance, start to end"), ours);
        row(&format!("{STEPS} commands, one bash script in one chroot"), script);
        row(&format!("{STEPS} commands, one chroot and shell each"), each);
        row("  a step more than a command of the script", ours.saturating_sub(script) / STEPS);
        ratio("  steps / one chroot and shell each", ours, each);
        self.ansible(ours);
    }

    fn ansible(&self, ours: Duration) {
        let mut playbook = "- hosts: localhost\n  gather_facts: false\n  tasks:\n".to_owned();
        for number in 1..=STEPS {
            let _ = writeln!(playbook, "    - ansible.builtin.shell: {}", command(number).trim_end());
        }
        let path = self.folder.join("playbook.yaml");
        fs::write(&path, playbook).expect("the playbook");
        let path = path.display().to_string();
        // The interpreter it runs on itself; the one it would look for is another on some machines.
        let python = "ansible_python_interpreter={{ ansible_playbook_python }}";
        let arguments = ["-i", "localhost,", "-c", "local", "-e", python, &path];
        let Some(theirs) = peer("ansible-playbook", FEW, &arguments) else { return };
        row(&format!("ansible-playbook, {STEPS} shell tasks, local connection"), theirs);
        ratio("  ansible-playbook / amiforge", theirs, ours);
    }

    fn entering(&self) {
        let command = Job::Command {
            argv: vec!["/bin/true".into()],
            environment: environment(),
            directory: "/".into(),
            stdin: Vec::new(),
            timeout: None,
        };
        let enter = || {
            let instance = Instance::start(&self.spec()).expect("an instance");
            assert_eq!(instance.run(&command, &mut |_| ()).expect("true runs"), Exit::Code(0));
            instance.stop();
        };
        let ours = median(ROUNDS, enter);
        row("instance: start, true, stop", ours);
        let instance = Instance::start(&self.spec()).expect("an instance");
        row(
            "another job in a running instance",
            median(ROUNDS, || {
                assert_eq!(instance.run(&command, &mut |_| ()).expect("true runs"), Exit::Code(0));
            }),
        );
        drop(instance);
        let base = self.base.display().to_string();
        let bwrap = ["--unshare-all", "--bind", &base, "/", "--proc", "/proc", "--dev", "/dev", "/bin/true"];
        let nspawn = ["--quiet", "--register=no", "--keep-unit", "--volatile=overlay", "-D", &base, "/bin/true"];
        for (name, arguments) in [("bwrap", &bwrap[..]), ("systemd-nspawn", &nspawn[..])] {
            let Some(theirs) = peer(name, ROUNDS, arguments) else { continue };
            row(&format!("{name}: enter, true, leave"), theirs);
            ratio(&format!("  {name} / amiforge"), theirs, ours);
        }
    }

    fn memory(&self) {
        for (size, count) in [("1 MB", 16), ("1 GB", 16 * 1024)] {
            let script = format!(
                "head -c 65536 /dev/zero | tr '\\\\0' x | fold -w 80 > b; for i in $(seq {count}); do cat b; done"
            );
            let text = format!(
                "schemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - name: Write\n        action: ExecuteBash\n        \
                 inputs:\n          commands:\n            - \"{script}\"\n"
            );
            let took = timed(|| self.run(&text));
            row(&format!("a step that writes {size}"), took);
            println!("{:<58}{:>10.1} MiB", "  largest process of the instance so far", children_mib());
        }
        println!("{:<58}{:>10.1} MiB", "  this process at its largest", own_mib());
    }

    fn chroot(&self, arguments: &[&str]) {
        let status = Command::new("chroot")
            .arg(&self.base)
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .stdout(Stdio::null())
            .status();
        assert!(status.expect("chroot starts").success());
    }
}

fn command(number: u32) -> String {
    format!("echo step {number} >/dev/null\n")
}

fn document() -> String {
    let mut text = "schemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n".to_owned();
    for number in 1..=STEPS {
        let command = command(number);
        let _ = write!(
            text,
            "      - name: Step{number}\n        action: ExecuteBash\n        timeoutSeconds: 60\n        inputs:\n          \
             commands:\n            - {command}"
        );
    }
    text
}

fn request(document: &str) -> Vec<u8> {
    let request = json!({
        "execution_id": "bench",
        "documents": [{"name": "bench.yaml", "text": document, "parameters": {}}],
        "phases": ["build"],
        "state_directory": "/var/lib/amiforge/state",
        "working_directory": "/tmp",
        "environment": environment(),
    });
    request.to_string().into_bytes()
}

/// Times a peer; says so when it is not there.
fn peer(program: &str, rounds: usize, arguments: &[&str]) -> Option<Duration> {
    let path = find(program)?;
    let run = || {
        let status = Command::new(&path).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.expect("the peer starts").success()
    };
    if !run() {
        println!("{program} does not work on this machine");
        return None;
    }
    Some(median(rounds, || assert!(run())))
}

fn find(program: &str) -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap_or(Path::new(".")).join("bench-peers/bin");
    let path = std::env::var("PATH").unwrap_or_default();
    let found = std::iter::once(own)
        .chain(path.split(':').map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|path| path.is_file());
    if found.is_none() {
        println!("{program} is not installed: ./scripts/bench-prerequisites");
    }
    found
}

/// The largest resident size of any process that has ended below this one.
fn children_mib() -> f64 {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN).expect("usage");
    mib(usage.max_rss())
}

fn own_mib() -> f64 {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF).expect("usage");
    mib(usage.max_rss())
}

#[expect(clippy::cast_precision_loss, reason = "a size in kibibytes")]
fn mib(kib: i64) -> f64 {
    kib as f64 / 1024.0
}

fn timed(work: impl FnOnce()) -> Duration {
    let begun = Instant::now();
    work();
    begun.elapsed()
}

fn median(rounds: usize, mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..rounds).map(|_| timed(&mut work)).collect();
    times.sort();
    times[rounds / 2]
}

fn row(what: &str, time: Duration) {
    println!("{what:<58}{:>10.2} ms", time.as_secs_f64() * 1000.0);
}

fn ratio(what: &str, theirs: Duration, ours: Duration) {
    println!("{what:<58}{:>10.1}", theirs.as_secs_f64() / ours.as_secs_f64());
}

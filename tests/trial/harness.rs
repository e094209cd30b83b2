//! Names, a filter, panics as failures; two cloned roots for all tests; a project of its own for each.

use crate::support;
use amiforge::sandbox::root;
use std::fmt::Write as _;
use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// A test.
pub type Test = (&'static str, fn());

/// Runs the tests whose name contains one of the arguments (all without arguments), one after another.
pub fn run(tests: &[Test]) -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    if std::env::args().any(|word| word == "--list") {
        for (name, _) in tests {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    let chosen: Vec<&Test> = tests.iter().filter(|(name, _)| wanted(name)).collect();
    println!("\nrunning {} tests", chosen.len());
    let mut failed = Vec::new();
    for (name, test) in &chosen {
        let begun = Instant::now();
        let passed = catch_unwind(test).is_ok();
        println!("test {name} ... {} ({:.2} s)", if passed { "ok" } else { "FAILED" }, begun.elapsed().as_secs_f64());
        if !passed {
            failed.push(*name);
        }
    }
    let word = if failed.is_empty() { "ok" } else { "FAILED" };
    println!("\ntest result: {word}. {} passed; {} failed\n", chosen.len() - failed.len(), failed.len());
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| {
    // Removed by `clean`: statics are not dropped.
    tempfile::Builder::new().prefix("trial-").tempdir_in(roomy()).unwrap().keep()
});

/// Memory if there is enough of it: writing thousands of small files takes seconds on a busy disk. Else the build's own
/// disk: roots are too big for some /tmp.
fn roomy() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let enough = nix::sys::statvfs::statvfs(memory)
        .is_ok_and(|space| space.blocks_available() * space.fragment_size() > 3 << 30);
    if enough { memory.to_owned() } else { PathBuf::from(env!("CARGO_TARGET_TMPDIR")) }
}

/// Two roots that differ in what they say about themselves.
pub static ROOTS: LazyLock<[PathBuf; 2]> = LazyLock::new(|| {
    [("debian", "12"), ("debian", "13")].map(|(id, version)| {
        let root = FOLDER.join(format!("root-{version}"));
        support::root::clone_from_host(&root, &[]);
        let release = format!("ID={id}\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"{version}\"\n");
        fs::write(root.join("usr/lib/os-release"), release).unwrap();
        root
    })
});

/// A root with systemd, made by the first test that needs it.
pub static SYSTEM: LazyLock<PathBuf> = LazyLock::new(|| {
    let root = FOLDER.join("root-system");
    support::root::clone_from_host(&root, &["systemd", "systemd-sysv", "dbus", "procps"]);
    root
});

/// Removes what all tests share.
pub fn clean() {
    root::remove(&FOLDER).unwrap();
}

/// A new folder below the shared one.
pub fn folder(prefix: &str) -> PathBuf {
    tempfile::Builder::new().prefix(prefix).tempdir_in(&*FOLDER).unwrap().keep()
}

/// A project folder of its own, with a HOME and a cache beside it.
pub struct Env {
    pub base: PathBuf,
}

/// What a command left.
#[derive(Debug)]
pub struct Outcome {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Env {
    /// A project without recipes and with these components.
    pub fn new(components: &[(&str, &str)]) -> Self {
        let env = Self { base: folder("env-") };
        for folder in ["project", "home", "cache"] {
            fs::create_dir(env.base.join(folder)).unwrap();
        }
        env.write("amiforge.yaml", "project: acme\n");
        for (name, text) in components {
            env.write(&format!("components/{name}.yaml"), text);
        }
        env
    }

    pub fn project(&self) -> PathBuf {
        self.base.join("project")
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.project().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The command with these arguments, not started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_amiforge"));
        command
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", self.base.join("home"))
            .env("AMIFORGE_CACHE", self.base.join("cache"))
            .current_dir(self.project())
            .stdin(Stdio::null());
        command
    }

    /// Runs the binary to its end and insists on its exit code.
    pub fn expect(&self, code: i32, arguments: &[&str]) -> Outcome {
        let output = self.command(arguments).output().unwrap();
        let outcome = Outcome {
            code: output.status.code().unwrap_or(-1),
            stdout: self.normal(&output.stdout),
            stderr: self.normal(&output.stderr),
        };
        let (words, Outcome { stdout, stderr, .. }) = (arguments.join(" "), &outcome);
        assert_eq!(outcome.code, code, "amiforge {words}\n--- stdout\n{stdout}\n--- stderr\n{stderr}");
        outcome
    }

    /// Starts the binary, with its progress on stderr.
    pub fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Output as text, with this environment's folder and the roots' replaced.
    pub fn normal(&self, bytes: &[u8]) -> String {
        let text = String::from_utf8_lossy(bytes).replace(&self.base.display().to_string(), "[base]");
        text.replace(&FOLDER.display().to_string(), "[roots]")
    }

    /// Folders of trials that are there now.
    pub fn trials(&self) -> usize {
        fs::read_dir(self.project().join(".amiforge/trials")).map_or(0, Iterator::count)
    }
}

/// `--root` for the first of the two roots.
pub fn root() -> String {
    ROOTS[0].display().to_string()
}

/// A component document with these phases, each a list of steps `Name: shell command`.
pub fn component(phases: &[(&str, &[(&str, &str)])]) -> String {
    let mut text = "name: c\ndescription: a fixture\nschemaVersion: 1.0\nphases:\n".to_owned();
    for (phase, steps) in phases {
        let _ = write!(text, "  - name: {phase}\n    steps:\n");
        for (step, script) in *steps {
            let _ = write!(text, "      - name: {step}\n        action: ExecuteBash\n        timeoutSeconds: 600\n");
            text += "        inputs:\n          commands:\n            - |\n              set -euo pipefail\n";
            for line in script.lines() {
                let _ = writeln!(text, "              {line}");
            }
        }
    }
    text
}

/// Waits for something to become true, at most a minute.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_mins(1), "{what}: not within a minute");
        nix::poll::poll(&mut [], nix::poll::PollTimeout::from(20_u8)).unwrap();
    }
}

/// Command lines of this machine's processes that contain a word.
pub fn processes_with(word: &str) -> Vec<String> {
    let lines = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
        let line = fs::read(entry.path().join("cmdline")).ok()?;
        Some(String::from_utf8_lossy(&line).replace('\0', " "))
    });
    lines.filter(|line| line.contains(word)).collect()
}

/// A number of seconds that no other process sleeps for.
pub fn unique_seconds() -> String {
    static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    format!("{}.{number:04}", 600_000 + std::process::id())
}

/// A JSON document of a file.
pub fn json(path: &Path) -> serde_json::Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

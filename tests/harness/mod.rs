//! Runs the binary hermetically: its own HOME and cache, no variable of the caller, colours and bars off.

#![allow(dead_code, reason = "each test binary uses its part")]

use std::io::BufRead;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A project folder of its own, with a HOME and a cache beside it.
pub struct Env {
    base: tempfile::TempDir,
}

/// What a command left.
#[derive(Debug)]
pub struct Outcome {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Env {
    /// An empty environment. On the build's own disk: roots are too big for some /tmp.
    pub fn new() -> Self {
        let base = tempfile::Builder::new()
            .prefix("amiforge-")
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .expect("a temporary folder");
        for folder in ["project", "home", "cache"] {
            std::fs::create_dir(base.path().join(folder)).expect("a folder in the temporary folder");
        }
        Self { base }
    }

    pub fn project(&self) -> PathBuf {
        self.base.path().join("project")
    }

    pub fn base(&self) -> &Path {
        self.base.path()
    }

    /// Writes a file of the project.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.project().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent folder")).expect("the folder of a project file");
        std::fs::write(path, text).expect("a project file");
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.project().join(path)).expect("a project file")
    }

    /// The command with these arguments, not started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_amiforge"));
        command
            .args(arguments)
            .env_clear()
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .env("HOME", self.base.path().join("home"))
            .env("AMIFORGE_CACHE", self.base.path().join("cache"))
            .current_dir(self.project())
            .stdin(Stdio::null());
        command
    }

    /// Runs the binary to its end.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        let output = self.command(arguments).output().expect("the binary starts");
        Outcome {
            code: output.status.code().unwrap_or(-1),
            stdout: self.normal(&output.stdout),
            stderr: self.normal(&output.stderr),
        }
    }

    /// Runs the binary and insists on its exit code.
    pub fn expect(&self, code: i32, arguments: &[&str]) -> Outcome {
        let outcome = self.run(arguments);
        assert_eq!(
            outcome.code,
            code,
            "amiforge {}\n--- stdout\n{}\n--- stderr\n{}",
            arguments.join(" "),
            outcome.stdout,
            outcome.stderr
        );
        outcome
    }

    /// Output as text, with the temporary folder's name replaced.
    pub fn normal(&self, bytes: &[u8]) -> String {
        let base = self.base.path().display().to_string();
        String::from_utf8_lossy(bytes).replace(&base, "[base]")
    }
}

/// Where `local serve` listens, and the keys that it takes.
#[derive(Debug)]
pub struct Door {
    pub port: u16,
    /// Access key id and secret, one of each account asked for.
    pub keys: Vec<(String, String)>,
}

impl Door {
    /// Reads what `local serve` says first.
    pub fn read(lines: impl BufRead) -> Self {
        let (mut port, mut keys) = (None, Vec::new());
        for line in lines.lines().map_while(Result::ok) {
            let after = |text: &str| Some(line.split_once(text)?.1.split(' ').next()?.to_owned());
            if let (Some(key), Some(secret)) = (after("AWS_ACCESS_KEY_ID="), after("AWS_SECRET_ACCESS_KEY=")) {
                keys.push((key, secret));
            } else if port.is_none() {
                port = after("127.0.0.1:").and_then(|port| port.parse().ok());
            } else if line.starts_with("aws ") {
                break;
            }
        }
        Self { port: port.expect("the server says where it listens"), keys }
    }

    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

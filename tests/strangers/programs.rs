//! The programs of the test: the server under test, moto, Python and the AWS CLI.

use crate::harness::{Door, Env};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// `amiforge local serve` in the background, ended on drop.
pub struct Served {
    child: Child,
    door: Door,
    address: String,
}

impl Served {
    pub fn start(env: &Env) -> Self {
        Self::with(env, &[])
    }

    /// The same with more arguments.
    pub fn with(env: &Env, more: &[&str]) -> Self {
        let mut command = env.command(&[&["local", "serve"], more].concat());
        // Its standard error is the progress of builds.
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the binary starts");
        let door = Door::read(BufReader::new(child.stdout.take().expect("stdout")));
        Self { child, address: door.address(), door }
    }

    /// Access key id and secret of the first account that was asked for.
    pub fn keys(&self) -> (&str, &str) {
        let (key, secret) = &self.door.keys[0];
        (key, secret)
    }

    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // Asked, not killed: its instances end with it.
        let asked = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        if !asked.is_ok_and(|status| status.success()) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// moto in the background, ended on drop.
pub struct Moto {
    child: Child,
    address: String,
}

/// Ends moto when its standard input is closed, also when the test is killed.
const WATCHED: &str = r#"
import os, sys, threading
from moto.server import main
def watch():
    sys.stdin.read()
    os._exit(0)
threading.Thread(target=watch, daemon=True).start()
main(["-p", "0"])
"#;

impl Moto {
    pub fn start() -> Self {
        let mut child = python()
            .args(["-c", WATCHED])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("moto starts");
        let mut lines = BufReader::new(child.stderr.take().expect("stderr"));
        let address = address(&mut lines).expect("moto says where it listens");
        // The log of its requests is read and dropped, or it would wait for a reader.
        std::thread::spawn(move || lines.lines().for_each(drop));
        Self { child, address }
    }

    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// The loopback address in what a server says first.
fn address(lines: impl BufRead) -> Option<String> {
    lines.lines().map_while(Result::ok).find_map(|line| {
        let (_, rest) = line.split_once("127.0.0.1:")?;
        let port: String = rest.chars().take_while(char::is_ascii_digit).collect();
        Some(format!("http://127.0.0.1:{port}"))
    })
}

fn installed(program: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../aws-cli/bin").join(program)
}

/// The Python that has boto3 and moto, without anybody's AWS configuration.
pub fn python() -> Command {
    let python = installed("python");
    assert!(python.exists(), "this test needs boto3: run scripts/test-prerequisites with the same CARGO_TARGET_DIR");
    without_configuration(Command::new(python))
}

/// The AWS CLI; `make test` installs it into the build folder when the machine has none.
pub fn aws_cli() -> Command {
    let own = installed("aws");
    without_configuration(Command::new(if own.exists() { own } else { PathBuf::from("aws") }))
}

fn without_configuration(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("AWS_EC2_METADATA_DISABLED", "true");
    command
}

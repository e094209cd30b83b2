//! A folder with programs that stand in for those of an image: what a step calls is recorded, what it is told is written in
//! the test. Needs nothing but bash and the usual commands.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

pub struct Machine {
    folder: tempfile::TempDir,
    /// Texts that are paths of this folder instead when a script runs.
    moved: Vec<(String, String)>,
}

/// How a script ended.
#[derive(Debug)]
pub struct Outcome {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    /// What the programs of the machine were called with, one call per line.
    pub calls: Vec<String>,
}

impl Machine {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("bin")).expect("bin");
        Self { folder, moved: vec![] }.with_moved("/usr/share/amiforge")
    }

    /// A path of the image becomes a folder of this machine.
    pub fn with_moved(mut self, path: &str) -> Self {
        let here = self.path(path);
        fs::create_dir_all(&here).expect("a folder");
        self.moved.push((path.to_owned(), here.display().to_string()));
        self
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join("root").join(path.trim_start_matches('/'))
    }

    /// A file of the image.
    pub fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(&path, text).expect("a file");
        path
    }

    /// A program that records its call and then does what `script` says.
    pub fn program(&self, name: &str, script: &str) {
        let path = self.folder.path().join("bin").join(name);
        let log = self.folder.path().join("calls");
        let text = format!("#!/bin/bash\nprintf '%s\\n' \"{name} $*\" >>'{}'\n{script}\n", log.display());
        fs::write(&path, text).expect("a program");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it can be executed");
    }

    /// Runs a script as the runner of components does: in bash, without HOME, as if systemd had started the machine.
    pub fn run(&self, script: &str) -> Outcome {
        let mut script =
            script.replace("$(cat /proc/1/comm)", "systemd").replace("/run/systemd/container", "/nonexistent");
        for (from, to) in &self.moved {
            script = script.replace(from, to);
        }
        let file = self.folder.path().join("script.sh");
        fs::write(&file, script).expect("the script");
        let log = self.folder.path().join("calls");
        let _ = fs::remove_file(&log);
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", self.folder.path().join("bin").display());
        let out = Command::new("bash")
            .arg(&file)
            .env_clear()
            .env("PATH", path)
            .env("TMPDIR", self.folder.path())
            .current_dir(self.folder.path())
            .output()
            .expect("bash runs");
        Outcome {
            code: out.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&out.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&out.stderr).into_owned(),
            calls: fs::read_to_string(&log).unwrap_or_default().lines().map(str::to_owned).collect(),
        }
    }

    pub fn root(&self) -> &Path {
        self.folder.path()
    }
}

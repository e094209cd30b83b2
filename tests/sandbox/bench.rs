//! What the tests share: a folder, a cloned root, short ways to say things.

use crate::support;
use amiforge::sandbox::{Exit, Injected, Instance, Job, Limits, Line, MODES, Network, Spec, environment, root};
use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollTimeout, poll};
use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

static FOLDER: OnceLock<PathBuf> = OnceLock::new();
static BASE: OnceLock<PathBuf> = OnceLock::new();
static MODE: OnceLock<&str> = OnceLock::new();
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// Uses a folder that someone else has made.
pub fn set_base(folder: &str) {
    FOLDER.set(PathBuf::from(folder)).unwrap();
}

/// The mode that this run is about.
pub fn mode() -> &'static str {
    MODE.get().copied().unwrap_or(if nix::unistd::geteuid().is_root() { "root-ident" } else { "userns-subid" })
}

/// Says so, for one that is not the usual of its user.
pub fn set_mode(name: &'static str) {
    MODE.set(name).unwrap();
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
pub fn roomy() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let enough = nix::sys::statvfs::statvfs(memory)
        .is_ok_and(|space| space.blocks_available() * space.fragment_size() > 3 << 30);
    if enough { memory.to_owned() } else { std::env::temp_dir() }
}

/// Removes what a test has left, where it is a whole copy each time.
pub fn tidy() {
    if mode() == "chroot-copy" {
        for entry in fs::read_dir(folder()).unwrap().flatten() {
            if entry
                .file_name()
                .to_str()
                .is_some_and(|name| ["scratch-", "layer-"].iter().any(|start| name.starts_with(start)))
            {
                root::remove(&entry.path()).unwrap();
            }
        }
    }
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
    let make = || {
        let path = place("base");
        support::root::clone_from_host(&path, &[]);
        path
    };
    BASE.get_or_init(make).clone()
}

/// An instance of layers that reaches nothing.
pub fn spec(layers: Vec<PathBuf>) -> Spec {
    Spec {
        hostname: "ip-172-31-0-1".into(),
        layers,
        scratch: place("scratch"),
        network: if mode() == "chroot-copy" { Network::Host } else { Network::Loopback },
        inject: BTreeMap::new(),
        bind: Vec::new(),
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

/// Runs this program again for the other half of a test, if need be behind the words of another program that takes it as
/// one text; returns what it has said.
pub fn on_its_own(half: &str, before: &[&str]) -> String {
    let folder = place("half").display().to_string();
    let base = base().display().to_string();
    let program = std::env::current_exe().unwrap().display().to_string();
    let words = [program, half.to_owned(), format!("{folder}|{base}|{}", mode())];
    let mut command = match before {
        [] => {
            let mut command = Command::new(&words[0]);
            command.args(&words[1..]);
            command
        }
        [other, options @ ..] => {
            let mut command = Command::new(other);
            command.args(options).arg(words.map(|word| format!("'{word}'")).join(" ")).arg("/dev/null");
            command
        }
    };
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    said
}

/// The beginning of the other half.
pub fn be_half(places: &str) {
    let words: Vec<&str> = places.split('|').collect();
    set_base(words[0]);
    fs::create_dir_all(words[0]).unwrap();
    BASE.set(PathBuf::from(words[1])).unwrap();
    if let Some(name) = MODES.into_iter().find(|name| *name == words[2]) {
        set_mode(name);
    }
}

/// Gives this process a session keyring of its own, with a key in it, whose number is returned.
#[expect(unsafe_code, reason = "keys have no safe wrapper")]
pub fn add_key(name: &str) -> nix::Result<libc::c_long> {
    let (kind, name, value) = (c"user", CString::new(name).unwrap(), [0_u8; 4]);
    // SAFETY: 1 is KEYCTL_JOIN_SESSION_KEYRING, and a null name asks for an anonymous one.
    Errno::result(unsafe { libc::syscall(libc::SYS_keyctl, 1, std::ptr::null::<libc::c_char>()) })?;
    // SAFETY: the texts are terminated, the value has the length given; -3 is the session keyring.
    let key =
        unsafe { libc::syscall(libc::SYS_add_key, kind.as_ptr(), name.as_ptr(), value.as_ptr(), value.len(), -3) };
    Errno::result(key)
}

/// What a key answers when it is asked for its content.
#[expect(unsafe_code, reason = "keys have no safe wrapper")]
pub fn read_key(key: libc::c_long) -> String {
    let mut value = [0_u8; 64];
    // SAFETY: 11 is KEYCTL_READ; the buffer has the length given.
    let answer = unsafe { libc::syscall(libc::SYS_keyctl, 11, key, value.as_mut_ptr(), value.len()) };
    Errno::result(answer).map_or_else(|errno| format!("refused: {errno}"), |length| format!("{length} bytes"))
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

/// The inits of this process.
pub fn inits() -> Vec<i32> {
    inits_of(std::process::id())
}

/// The inits that a process has started, and their supervisors.
pub fn inits_of(parent: u32) -> Vec<i32> {
    let argument = format!("--parent={parent}\0");
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let mut pids: Vec<i32> = entries
        .filter(|entry| {
            let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(&argument)
        })
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    pids.sort_unstable();
    pids
}

/// A number that no other process has in its command line.
pub fn unique_seconds() -> String {
    format!("{}", 900_000_000 + u64::from(std::process::id()) * 100 + u64::from(NUMBER.fetch_add(1, Ordering::Relaxed)))
}

//! How instances end: stopped, killed, orphaned. Nothing is ever left.

use crate::Test;
use crate::bench::{self, instance, sh, shell, spec};
use crate::limits;
use amiforge::sandbox::{Instance, Limits, SandboxError, root};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

pub const TESTS: &[Test] = &[
    ("ends::stop_and_drop_leave_nothing", stop_and_drop_leave_nothing),
    ("ends::a_kill_from_another_thread_ends_a_job", a_kill_from_another_thread_ends_a_job),
    ("ends::an_instance_outlives_the_thread_that_started_it", an_instance_outlives_the_thread_that_started_it),
    ("ends::a_killed_parent_leaves_nothing", a_killed_parent_leaves_nothing),
    ("ends::an_init_that_is_killed_is_noticed", an_init_that_is_killed_is_noticed),
];

/// Where there are no namespaces.
pub const COPIED: &[Test] =
    &[("ends::a_killed_parent_leaves_nothing_without_namespaces", a_killed_copy_leaves_nothing)];

fn sleeper(instance: &Instance) -> String {
    let seconds = bench::unique_seconds();
    sh(
        instance,
        &format!(
            "setsid sleep {seconds} >/dev/null 2>&1 & (setsid sh -c 'trap \"\" TERM; sleep {seconds}' >/dev/null 2>&1 &)"
        ),
    );
    seconds
}

fn stop_and_drop_leave_nothing() {
    let instance = instance();
    let seconds = sleeper(&instance);
    bench::eventually("the sleepers run", || bench::processes_with(&seconds).len() >= 2);
    let root = instance.root();
    instance.stop();
    assert_eq!(bench::processes_with(&seconds), Vec::<String>::new());
    assert!(!root.exists() || bench::mode() == "chroot-copy");
    assert!(matches!(instance.run(&shell("true"), &mut |_| ()), Err(SandboxError::Gone)));
    assert!(matches!(instance.reboot(), Err(SandboxError::Gone)));
    instance.stop();
    let other = bench::instance();
    let seconds = sleeper(&other);
    drop(other);
    assert_eq!(bench::processes_with(&seconds), Vec::<String>::new());
    assert!(!inits_of_this_process(), "an init is left");
}

fn inits_of_this_process() -> bool {
    let argument = format!("__amiforge-sandbox-init --parent={} ", std::process::id());
    !bench::processes_with(&argument).is_empty()
}

fn a_kill_from_another_thread_ends_a_job() {
    let instance = instance();
    let killer = instance.killer();
    let seconds = bench::unique_seconds();
    let job = shell(&format!("trap '' TERM; echo ready; sleep {seconds}"));
    let start = Instant::now();
    thread::scope(|scope| {
        let mut kill = Some(killer.clone());
        let result = instance.run(&job, &mut |_| {
            if let Some(killer) = kill.take() {
                scope.spawn(move || killer.kill());
            }
        });
        assert!(matches!(result, Err(SandboxError::Gone)), "{result:?}");
    });
    assert!(start.elapsed() < Duration::from_secs(5));
    assert_eq!(bench::processes_with(&seconds), Vec::<String>::new());
    assert!(matches!(instance.reboot(), Err(SandboxError::Gone)), "a killed instance was started again");
    killer.kill();
    drop(instance);
    killer.kill();
}

/// The kernel's "kill me with my parent" means the parent's thread; those of a pool come and go.
fn an_instance_outlives_the_thread_that_started_it() {
    let instance = thread::spawn(bench::instance).join().unwrap();
    assert_eq!(sh(&instance, "echo alive"), "alive");
    let instance = thread::spawn(move || {
        instance.reboot().unwrap();
        instance
    })
    .join()
    .unwrap();
    assert_eq!(sh(&instance, "sleep 0.1; echo alive"), "alive");
}

/// Another process with an instance in `folder`; and what its sleepers sleep, and its root.
fn start_victim(folder: &Path) -> (Child, String, PathBuf) {
    let mut victim = Command::new("/proc/self/exe")
        .arg("--victim")
        .arg(format!("{}|{}|{}", folder.display(), bench::base().display(), bench::mode()))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let seconds = lines.next().unwrap().unwrap();
    let root = PathBuf::from(lines.next().unwrap().unwrap());
    bench::eventually("the sleepers run", || bench::processes_with(&seconds).len() >= 2);
    (victim, seconds, root)
}

fn kill_victim(mut victim: Child) {
    kill(Pid::from_raw(victim.id().cast_signed()), Signal::SIGKILL).unwrap();
    victim.wait().unwrap();
}

fn a_killed_parent_leaves_nothing() {
    let folder = bench::place("victim");
    let (victim, seconds, root) = start_victim(&folder);
    assert!(root.join("etc").exists());
    assert!(root::sweep(&folder).unwrap().is_empty(), "a living instance was swept");
    kill_victim(victim);
    bench::eventually("its processes end", || bench::processes_with(&seconds).is_empty());
    bench::eventually("its first process ends", || !root.exists());
    let own = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!own.contains(&*folder.to_string_lossy()), "mounted: {own}");
    let groups = limits::groups_of(&folder.join("scratch"));
    assert_eq!(root::sweep(&folder).unwrap(), [folder.join("scratch")]);
    assert!(groups.iter().all(|group| !group.exists()), "{groups:?}");
    if bench::mode() == "root-ident" {
        assert!(!groups.is_empty(), "there was no group to remove");
    }
}

fn a_killed_copy_leaves_nothing() {
    // By the outer process, which hears of the end of its parent.
    let folder = bench::place("victim");
    let (victim, seconds, _) = start_victim(&folder);
    kill_victim(victim);
    bench::eventually("its processes end", || bench::processes_with(&seconds).is_empty());
    assert_eq!(root::sweep(&folder).unwrap(), [folder.join("scratch")]);
    // By the next start, when that is killed as well.
    let (victim, seconds, _) = start_victim(&folder);
    let inits = bench::inits_of(victim.id());
    assert!(!inits.is_empty());
    // Stopped first, so that it does not get to it.
    for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
        for pid in &inits {
            let _ = kill(Pid::from_raw(*pid), signal);
        }
    }
    kill_victim(victim);
    assert!(!bench::processes_with(&seconds).is_empty(), "there is nobody left to find");
    assert_eq!(root::sweep(&folder).unwrap(), [folder.join("scratch")]);
    assert_eq!(bench::processes_with(&seconds), Vec::<String>::new());
}

/// Starts an instance, says where, runs a long job, and waits to be killed.
pub fn victim(places: &str) {
    bench::be_half(places);
    let mut spec = spec(vec![bench::base()]);
    spec.scratch = bench::folder().join("scratch");
    spec.limits = Limits { memory: Some(1 << 30), processes: Some(1000), disk: None };
    let instance = Instance::start(&spec).unwrap();
    let seconds = sleeper(&instance);
    println!("{seconds}\n{}", instance.root().display());
    std::io::stdout().flush().unwrap();
    instance.run(&shell(&format!("trap '' TERM; sleep {seconds}")), &mut |_| ()).unwrap();
}

fn an_init_that_is_killed_is_noticed() {
    let instance = instance();
    let root = instance.root();
    let pid: i32 = root.iter().nth(2).unwrap().to_str().unwrap().parse().unwrap();
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    // A signal is only sent when kill(2) returns; on a busy machine the end may come later.
    bench::eventually("the init ends", || !root.exists());
    let answer = instance.run(&shell("true"), &mut |_| ());
    assert!(matches!(answer, Err(SandboxError::Gone)), "{answer:?}");
    // As a machine that was switched off can be switched on again.
    instance.reboot().unwrap();
    assert_eq!(sh(&instance, "echo alive"), "alive");
}

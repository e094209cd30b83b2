//! How instances end: stopped, killed, orphaned. Nothing is ever left.

use crate::Test;
use crate::bench::{self, instance, sh, shell, spec};
use amiforge::sandbox::{Instance, SandboxError, root};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

pub const TESTS: &[Test] = &[
    ("ends::stop_and_drop_leave_nothing", stop_and_drop_leave_nothing),
    ("ends::a_kill_from_another_thread_ends_a_job", a_kill_from_another_thread_ends_a_job),
    ("ends::an_instance_outlives_the_thread_that_started_it", an_instance_outlives_the_thread_that_started_it),
    ("ends::a_killed_parent_leaves_nothing", a_killed_parent_leaves_nothing),
    ("ends::an_init_that_is_killed_is_noticed", an_init_that_is_killed_is_noticed),
];

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
    assert!(!root.exists());
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

fn a_killed_parent_leaves_nothing() {
    let folder = bench::place("victim");
    let base = bench::base();
    let mut victim = Command::new("/proc/self/exe")
        .arg("--victim")
        .arg(format!("{}|{}", folder.display(), base.display()))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let seconds = lines.next().unwrap().unwrap();
    let root = PathBuf::from(lines.next().unwrap().unwrap());
    bench::eventually("the sleepers run", || bench::processes_with(&seconds).len() >= 2);
    assert!(root.join("etc").exists());
    assert!(root::sweep(&folder).unwrap().is_empty(), "a living instance was swept");
    kill(Pid::from_raw(victim.id().cast_signed()), Signal::SIGKILL).unwrap();
    victim.wait().unwrap();
    bench::eventually("its processes end", || bench::processes_with(&seconds).is_empty());
    bench::eventually("its first process ends", || !root.exists());
    let own = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!own.contains(&*folder.to_string_lossy()), "mounted: {own}");
    assert_eq!(root::sweep(&folder).unwrap(), [folder.join("scratch")]);
}

/// Starts an instance, says where, runs a long job, and waits to be killed.
pub fn victim(places: &str) {
    let (folder, base) = places.split_once('|').unwrap();
    bench::set_base(folder);
    let mut spec = spec(vec![PathBuf::from(base)]);
    spec.scratch = Path::new(folder).join("scratch");
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
    assert!(matches!(instance.run(&shell("true"), &mut |_| ()), Err(SandboxError::Gone)));
    // As a machine that was switched off can be switched on again.
    instance.reboot().unwrap();
    assert_eq!(sh(&instance, "echo alive"), "alive");
}

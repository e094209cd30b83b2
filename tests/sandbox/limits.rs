//! Limits on memory, processes and disk: what exceeds them ends, says so, and harms nobody.

use crate::Test;
use crate::bench::{self, base, limited, run, sh, shell, spec};
use amiforge::sandbox::{Exit, Instance, Limits, Machine, root};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub const TESTS: &[Test] = &[
    ("limits::memory_is_limited_and_that_is_said", memory_is_limited_and_that_is_said),
    ("limits::processes_are_limited", processes_are_limited),
    ("limits::a_fork_bomb_ends_with_its_job", a_fork_bomb_ends_with_its_job),
    ("limits::the_disk_is_limited_and_that_is_said", the_disk_is_limited_and_that_is_said),
    (
        "limits::a_daemon_that_fills_the_disk_is_killed_between_jobs",
        a_daemon_that_fills_the_disk_is_killed_between_jobs,
    ),
    ("limits::defaults_are_no_hindrance_and_leave_nothing", defaults_are_no_hindrance_and_leave_nothing),
];

/// Where the image's own systemd runs.
pub const WITH_SYSTEM: &[Test] = &[
    ("limits::memory_is_limited_with_systemd", || bench::with_system(memory_is_limited_and_that_is_said)),
    ("limits::processes_are_limited_with_systemd", || bench::with_system(processes_are_limited)),
    ("limits::a_fork_bomb_ends_with_its_job_with_systemd", || bench::with_system(a_fork_bomb_ends_with_its_job)),
    ("limits::a_service_that_forks_is_limited", || bench::with_system(a_service_that_forks_is_limited)),
    ("limits::the_disk_is_limited_with_systemd", || bench::with_system(the_disk_is_limited_and_that_is_said)),
    ("limits::a_daemon_that_fills_the_disk_is_killed_with_systemd", || {
        bench::with_system(a_daemon_that_fills_the_disk_is_killed_between_jobs);
    }),
    ("limits::an_image_that_fills_the_disk_at_its_start_does_not_start", || {
        bench::with_system(an_image_that_fills_the_disk_at_its_start);
    }),
    ("limits::defaults_are_no_hindrance_to_systemd", || {
        bench::with_system(defaults_are_no_hindrance_and_leave_nothing);
    }),
];

const MIB: u64 = 1 << 20;

fn start(limits: Limits) -> Instance {
    let mut spec = spec(vec![base()]);
    spec.limits = limits;
    bench::start(&spec)
}

/// Whether control groups could be made: by root on a machine, as a rule.
fn grouped(instance: &Instance) -> bool {
    !groups_of(instance.upper().parent().unwrap()).is_empty()
}

fn memory_is_limited_and_that_is_said() {
    let instance = start(Limits { memory: Some(128 * MIB), ..Limits::default() });
    // tail keeps a line whole, and this one has no end.
    let outcome = run(&instance, &shell("head -c 1073741824 /dev/zero | tail -n 1 > /dev/null"));
    assert_ne!(outcome.exit, Exit::Code(0), "{outcome:?}");
    let said = outcome.err.join("\n");
    if grouped(&instance) {
        assert!(said.contains("amiforge: the memory limit of 128 MiB was reached; processes killed: 1"), "{said}");
    } else {
        assert!(said.contains("memory exhausted") || said.contains("annot allocate"), "{said}");
    }
    let quiet = run(&instance, &shell("echo alive"));
    assert_eq!((quiet.out, quiet.err), (vec!["alive".to_owned()], Vec::new()));
    // Files in memory count, too.
    if bench::mode() != "chroot-copy" {
        let outcome = run(&instance, &shell("head -c 100000000 /dev/zero > /tmp/big"));
        assert_ne!(outcome.exit, Exit::Code(0), "{outcome:?}");
    }
}

fn processes_are_limited() {
    let instance = start(Limits { processes: Some(40), ..Limits::default() });
    let seconds = bench::unique_seconds();
    let script = format!("i=0; while [ $i -lt 100 ]; do sleep {seconds} & i=$((i+1)); done; wait");
    let outcome = run(&instance, &limited(&script, Duration::from_secs(2)));
    if instance.notes().iter().any(|note| note.contains("processes are not limited")) {
        assert_eq!(bench::mode(), "chroot-copy");
        return;
    }
    assert!(outcome.err.join("\n").contains("fork"), "{outcome:?}");
    let running = bench::processes_with(&seconds).iter().filter(|line| line.starts_with("sleep")).count();
    assert!(running <= 40, "{running} run");
    if grouped(&instance) {
        let said = outcome.err.last().unwrap();
        assert!(said.starts_with("amiforge: the limit of 40 processes was reached"), "{outcome:?}");
    }
    instance.stop();
    assert_eq!(bench::processes_with(&seconds), Vec::<String>::new());
}

fn a_fork_bomb_ends_with_its_job() {
    let instance = start(Limits { processes: Some(200), ..Limits::default() });
    if instance.notes().iter().any(|note| note.contains("processes are not limited")) {
        return; // A container has a limit of its own, or none.
    }
    let outcome =
        run(&instance, &limited("bomb() { bomb | bomb & bomb; }; bomb 2>/dev/null", Duration::from_millis(700)));
    assert_ne!(outcome.exit, Exit::Code(0));
    instance.reboot().unwrap();
    assert_eq!(sh(&instance, "echo alive"), "alive");
}

fn the_disk_is_limited_and_that_is_said() {
    let instance = start(Limits { disk: Some(64 * MIB), ..Limits::default() });
    assert_eq!(sh(&instance, "head -c 30000000 /dev/urandom > /srv/some; echo written"), "written");
    let script = "while :; do head -c 10000000 /dev/urandom >> /srv/much; done";
    let outcome = run(&instance, &shell(script));
    assert_eq!(outcome.exit, Exit::Signal(9), "{outcome:?}");
    let said = outcome.err.join("\n");
    assert!(said.contains("amiforge: ") && said.contains("the limit is 64 MiB: the job was killed"), "{said}");
    // It can be mended from inside, and is noticed again.
    assert_eq!(sh(&instance, "rm /srv/much; echo alive"), "alive");
    let outcome = run(&instance, &shell(script));
    assert!(outcome.err.join("\n").contains("the limit is 64 MiB"), "{outcome:?}");
}

fn a_daemon_that_fills_the_disk_is_killed_between_jobs() {
    let instance = start(Limits { disk: Some(16 * MIB), ..Limits::default() });
    let seconds = bench::unique_seconds();
    sh(
        &instance,
        &format!(
            "sh -c 'sleep {seconds} & while :; do head -c 5000000 /dev/urandom >> /srv/much; done' >/dev/null 2>&1 &"
        ),
    );
    bench::eventually("it is killed", || bench::processes_with(&seconds).is_empty());
    let outcome = run(&instance, &shell("echo alive"));
    assert_eq!(outcome.out, ["alive"]);
    assert!(
        outcome.err.join("\n").contains("before this job") && outcome.err[0].contains("the limit is 16 MiB"),
        "{outcome:?}"
    );
}

/// The groups of a scratch folder that are there.
pub fn groups_of(scratch: &Path) -> Vec<PathBuf> {
    let text = fs::read_to_string(scratch.join("groups")).unwrap_or_default();
    text.lines().map(PathBuf::from).filter(|folder| folder.exists()).collect()
}

fn defaults_are_no_hindrance_and_leave_nothing() {
    let mut spec = spec(vec![base()]);
    spec.limits = Limits::for_machine(&Machine::here(bench::folder()).unwrap());
    let instance = bench::start(&spec);
    if nix::unistd::geteuid().is_root() && bench::mode() == "root-ident" {
        assert!(!groups_of(&spec.scratch).is_empty(), "{:?}", instance.notes());
    }
    instance.reboot().unwrap();
    assert_eq!(sh(&instance, "head -c 50000000 /dev/zero > /srv/x; (sleep 0.1 &); wait; echo fine"), "fine");
    instance.stop();
    assert_eq!(groups_of(&spec.scratch), Vec::<PathBuf>::new());
    drop(instance);
    root::remove(&spec.scratch).unwrap();
}

/// What the image's own systemd has started is within the limits, too.
fn a_service_that_forks_is_limited() {
    let instance = start(Limits { processes: Some(60), ..Limits::default() });
    let seconds = bench::unique_seconds();
    let script = format!("i=0; while [ $i -lt 100 ]; do sleep {seconds} & i=$((i+1)); done; wait");
    sh(&instance, &format!("systemd-run --quiet --unit=many /bin/sh -c '{script}'"));
    bench::eventually("it is refused more", || {
        // Jobs find no place for more processes either as long as it runs.
        instance.run(&shell(":"), &mut |_| ()).is_ok_and(|exit| exit != Exit::Code(0))
            || run(&instance, &shell("exec systemctl is-failed --quiet many")).exit == Exit::Code(0)
    });
    let running = bench::processes_with(&seconds).iter().filter(|line| line.starts_with("sleep")).count();
    assert!(running <= 60, "{running} run");
    instance.stop();
    assert_eq!(bench::processes_with(&seconds), Vec::<String>::new());
}

/// The disk is watched before anything of the image runs.
fn an_image_that_fills_the_disk_at_its_start() {
    let layer = bench::place("filler");
    let wants = layer.join("etc/systemd/system/multi-user.target.wants");
    fs::create_dir_all(&wants).unwrap();
    let unit = "[Service]\nType=oneshot\nTimeoutStartSec=infinity\n\
        ExecStart=/bin/sh -c 'while :; do head -c 10000000 /dev/urandom >> /srv/much; done'\n";
    fs::write(layer.join("etc/systemd/system/fill.service"), unit).unwrap();
    std::os::unix::fs::symlink("/etc/systemd/system/fill.service", wants.join("fill.service")).unwrap();
    let mut spec = spec(vec![layer, base()]);
    spec.limits = Limits { disk: Some(32 * MIB), ..Limits::default() };
    let error = Instance::start(&spec).unwrap_err().to_string();
    assert!(error.contains("while the image started, ") && error.contains("the limit is 32 MiB"), "{error}");
    assert_eq!(groups_of(&spec.scratch), Vec::<PathBuf>::new());
}

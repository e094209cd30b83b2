//! How a mode is chosen, and the one without namespaces: root in an ordinary container.
//!
//! The container is made of what every machine with the other tests has: processes and mounts of its own, a changed root
//! (in which the kernel refuses new user namespaces, as the filter of a container's runtime does), and the capabilities
//! that Docker leaves.

use crate::Test;
use crate::bench::{self, base, instance, run, sh, shell, spec};
use crate::{ends, files, hostile, jobs, limits, packages, walls};
use amiforge::sandbox::{Exit, Instance, MODES, Mode, Network, SandboxError, layers, probe, root};
use std::fs;
use std::path::Path;
use std::process::Command;

/// What every user runs.
pub const MEASURED: &[Test] = &[("modes::the_start_of_each_mode_is_measured", the_start_of_each_mode_is_measured)];

/// What root runs.
pub const AS_ROOT: &[Test] = &[
    ("modes::everything_works_in_a_container", everything_works_in_a_container),
    ("modes::a_container_without_device_nodes_works_too", a_container_without_device_nodes_works_too),
    ("modes::a_mode_can_be_asked_for", a_mode_can_be_asked_for),
];

const OWN: &[Test] = &[
    ("modes::without_walls_it_is_said", without_walls_it_is_said),
    ("modes::offline_is_refused_without_a_network_of_its_own", offline_is_refused_without_a_network_of_its_own),
    ("modes::a_copy_is_captured_as_an_overlay_would_be", a_copy_is_captured_as_an_overlay_would_be),
    ("modes::nothing_survives_the_outer_process", nothing_survives_the_outer_process),
];

/// What runs where device nodes cannot be made.
pub const STRICT: &[Test] = &[
    ("modes::missing_devices_are_said", missing_devices_are_said),
    ("files::a_captured_layer_is_the_next_parent", files::a_captured_layer_is_the_next_parent),
    ("packages::a_root_is_upgraded_and_captured", packages::a_root_is_upgraded_and_captured),
];

/// Tests of what only namespaces give: a /proc, mounts, a network, other process numbers.
const ELSEWHERE: [&str; 11] = [
    "jobs::the_environment_is_exactly_what_was_given",
    "jobs::builtins_run_our_own_code",
    "jobs::hundreds_of_jobs_in_one_instance",
    "walls::the_host_is_not_visible",
    "walls::the_host_cannot_be_changed",
    "walls::the_usual_devices_and_folders_are_there",
    "walls::loopback_has_no_way_out",
    "walls::bound_folders_are_read_only",
    "files::a_file_system_without_room_for_a_layer",
    "ends::an_init_that_is_killed_is_noticed",
    "ends::a_killed_parent_leaves_nothing",
];

/// What root in a container runs.
pub fn in_container() -> Vec<Test> {
    let groups = [
        OWN,
        jobs::TESTS,
        walls::TESTS,
        hostile::EVERYWHERE,
        limits::TESTS,
        files::TESTS,
        ends::TESTS,
        ends::COPIED,
        packages::TESTS,
    ];
    groups.concat().into_iter().filter(|(name, _)| !ELSEWHERE.contains(name)).collect()
}

pub fn set_up(folder: &str) {
    bench::set_base(folder);
    bench::set_mode("chroot-copy");
}

/// The default of Docker, moby's profiles/capabilities; names as setpriv(1) wants them.
const CAPABILITIES: &str = "-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+setpcap,\
    +net_bind_service,+net_raw,+sys_chroot,+audit_write,+setfcap";

fn in_a_container(half: &str, capabilities: &str) {
    if !nix::unistd::geteuid().is_root() {
        return; // An ordinary user cannot make the container.
    }
    let folder = bench::roomy().join(format!("amiforge{half}-{}", std::process::id()));
    let (jail, work) = (folder.join("jail"), folder.join("work"));
    fs::create_dir_all(&jail).unwrap();
    let script = format!(
        "mount --make-rprivate / && mount --rbind / {0} && mount -t proc proc {0}/proc && \
         chroot {0} setpriv --bounding-set={capabilities} {1} {half} {2}",
        jail.display(),
        std::env::current_exe().unwrap().display(),
        work.display(),
    );
    // The shell is process 1, and takes orphans.
    let output = Command::new("unshare")
        .args(["--mount", "--pid", "--fork", "--kill-child", "--", "/bin/sh", "-c"])
        .arg(format!("{script}; exit $?"))
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("RUST_BACKTRACE", "1")
        .output()
        .unwrap();
    print!("{}", String::from_utf8_lossy(&output.stdout));
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    let left = fs::read_dir(&work).map_or(0, Iterator::count);
    fs::remove_dir_all(&folder).unwrap();
    assert!(output.status.success(), "{half}: {}", output.status);
    assert_eq!(left, 0, "something is left");
}

fn everything_works_in_a_container() {
    in_a_container("--in-container", &format!("{CAPABILITIES},+mknod"));
}

fn a_container_without_device_nodes_works_too() {
    in_a_container("--in-strict-container", CAPABILITIES);
}

fn without_walls_it_is_said() {
    let instance = instance();
    assert_eq!(instance.mode().name(), "chroot-copy");
    let notes = instance.notes().join("\n");
    for words in ["only the container is a wall", "/proc and /sys are empty", "docker run --privileged"] {
        assert!(notes.contains(words), "{notes}");
    }
    assert!(!notes.contains("device nodes"), "{notes}");
    assert_eq!(sh(&instance, "id -u; echo x > /dev/null; head -c 2 /dev/urandom | wc -c"), "0\n2");
    // No right is gained by the bits of a program any more, and none is there that the container has not.
    assert_eq!(sh(&instance, "touch /srv/x; chown 33:65534 /srv/x; stat -c %u:%g /srv/x"), "33:65534");
}

fn offline_is_refused_without_a_network_of_its_own() {
    let mut spec = spec(vec![base()]);
    spec.network = Network::Loopback;
    let error = Instance::start(&spec).unwrap_err();
    assert!(matches!(error, SandboxError::Unavailable { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("a network of its own") && text.contains("without --offline"), "{text}");
    assert!(text.contains("mend it with: docker run --privileged"), "{text}");
}

fn a_copy_is_captured_as_an_overlay_would_be() {
    let first = instance();
    sh(
        &first,
        "echo own > /etc/own; rm /etc/debian_version; touch /etc/passwd; chmod 600 /etc/shells; ln /etc/group /srv/group",
    );
    sh(&first, "echo x > /tmp/x; echo x > /dev/shm/x; cp -p /etc/issue /srv/issue; cp -p /srv/issue /etc/issue");
    first.reboot().unwrap();
    assert_eq!(
        sh(&first, "cat /etc/own; ls /tmp /dev/shm; test -e /etc/debian_version || echo gone"),
        "own\n/dev/shm:\n\n/tmp:\ngone"
    );
    first.stop();
    let layer = bench::place("layer");
    root::capture(first.upper(), &layer, &[]).unwrap();
    assert!(!first.upper().exists(), "the copy is left");
    let mut names: Vec<String> = listing(&layer, Path::new(""));
    names.sort();
    assert_eq!(
        names,
        ["etc", "etc/debian_version", "etc/own", "etc/passwd", "etc/shells", "srv", "srv/group", "srv/issue"]
    );
    let stack = [layer, base()];
    assert_eq!(layers::read_file(&stack, Path::new("/etc/debian_version")).unwrap(), None);
    // And is the parent of the next.
    let second = Instance::start(&spec(stack.to_vec())).unwrap();
    assert_eq!(sh(&second, "cat /etc/own; stat -c %a /etc/shells"), "own\n600");
    assert_eq!(run(&second, &shell("test -e /etc/debian_version")).exit, Exit::Code(1));
}

fn listing(root: &Path, inside: &Path) -> Vec<String> {
    let entries = fs::read_dir(root.join(inside)).unwrap().map(|entry| inside.join(entry.unwrap().file_name()));
    entries
        .flat_map(|path| {
            let is_folder = fs::symlink_metadata(root.join(&path)).unwrap().is_dir();
            let below = if is_folder { listing(root, &path) } else { Vec::new() };
            std::iter::once(path.display().to_string()).chain(below)
        })
        .collect()
}

/// Jobs can see it here, and kill it.
fn nothing_survives_the_outer_process() {
    let instance = instance();
    let seconds = bench::unique_seconds();
    sh(&instance, &format!("setsid sleep {seconds} >/dev/null 2>&1 &"));
    bench::eventually("the sleeper runs", || bench::processes_with(&seconds).len() == 1);
    let inits = bench::inits();
    for pid in &inits {
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(*pid), nix::sys::signal::Signal::SIGKILL);
    }
    assert!(!inits.is_empty());
    assert!(matches!(instance.run(&shell("true"), &mut |_| ()), Err(SandboxError::Gone)));
    assert_eq!(bench::processes_with(&seconds).len(), 1, "the test is of no use");
    instance.stop();
    assert_eq!(bench::processes_with(&seconds), Vec::<String>::new());
}

fn missing_devices_are_said() {
    let instance = instance();
    let notes = instance.notes().join("\n");
    assert!(notes.contains("/dev/null is an ordinary file"), "{notes}");
    assert!(notes.contains("device nodes that are missing: zero, full, random, urandom, tty"), "{notes}");
    assert_eq!(sh(&instance, "echo x > /dev/null; echo fine"), "fine");
}

fn a_mode_can_be_asked_for() {
    let folder = bench::place("asked");
    fs::create_dir_all(&folder).unwrap();
    let refusal = |name| Mode::named(name).unwrap_err().to_string();
    assert!(refusal("docker").contains("there are: root-ident, userns-subid, userns-fake, chroot-copy"));
    if !nix::unistd::geteuid().is_root() {
        assert!(refusal("root-ident").contains("is for root") && refusal("chroot-copy").contains("is for root"));
        return;
    }
    assert!(refusal("userns-subid").contains("is for an ordinary user"));
    // One id, though all could be had: as root, too, all belongs to it.
    let fake = Instance::start_as(&spec(vec![base()]), &Mode::named("userns-fake").unwrap()).unwrap();
    assert_eq!(fake.mode().name(), "userns-fake");
    assert!(fake.notes()[0].contains("belong to root"), "{:?}", fake.notes());
    assert_eq!(sh(&fake, "touch /srv/x; chown 33 /srv/x; stat -c %u /srv/x"), "0");
    // The mode without walls is taken by itself only in a container, and this is none: the machine's root may ask for it.
    assert_eq!(probe(&folder).unwrap().name(), "root-ident");
    let mut copied = spec(vec![base()]);
    copied.network = Network::Host;
    let copied = Instance::start_as(&copied, &Mode::named("chroot-copy").unwrap()).unwrap();
    assert!(copied.notes()[0].contains("only the container is a wall"), "{:?}", copied.notes());
    assert_eq!(sh(&copied, "cat /etc/debian_version"), sh(&fake, "cat /etc/debian_version"));
}

fn the_start_of_each_mode_is_measured() {
    let names: &[&str] = if nix::unistd::geteuid().is_root() {
        &["root-ident", "userns-fake", "chroot-copy"]
    } else {
        &["userns-subid", "userns-fake"]
    };
    for name in MODES.into_iter().filter(|name| names.contains(name)) {
        let Ok(mode) = Mode::named(name) else { continue };
        let mut times: Vec<_> = (0..7)
            .map(|_| {
                let mut spec = spec(vec![base()]);
                spec.network = Network::Host;
                let start = std::time::Instant::now();
                let instance = Instance::start_as(&spec, &mode).unwrap();
                assert_eq!(run(&instance, &shell(":")).exit, Exit::Code(0));
                let time = start.elapsed();
                drop(instance);
                root::remove(&spec.scratch).unwrap();
                time
            })
            .collect();
        times.sort();
        println!("    {name}: started and ran a job in {:?} (median of 7; least {:?})", times[3], times[0]);
    }
}

//! What an instance sees of the machine, and what it cannot do to it.

use crate::Test;
use crate::bench::{self, base, builtin, injected, instance, run, sh, shell, spec};
use amiforge::sandbox::{Exit, Instance, Network, SandboxError, probe};
use std::fs;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::fs::symlink;
use std::path::PathBuf;

pub const TESTS: &[Test] = &[
    ("walls::the_host_is_not_visible", the_host_is_not_visible),
    ("walls::the_host_cannot_be_changed", the_host_cannot_be_changed),
    ("walls::the_usual_devices_and_folders_are_there", the_usual_devices_and_folders_are_there),
    ("walls::loopback_has_no_way_out", loopback_has_no_way_out),
    ("walls::the_hosts_network_resolves_names", the_hosts_network_resolves_names),
    ("walls::bound_folders_are_read_only", bound_folders_are_read_only),
    ("walls::what_cannot_be_started_is_said", what_cannot_be_started_is_said),
    ("walls::the_probe_really_does_it_and_leaves_nothing", the_probe_really_does_it_and_leaves_nothing),
];

fn the_host_is_not_visible() {
    let marker = bench::place("marker");
    fs::write(&marker, "of the host").unwrap();
    let instance = instance();
    assert_eq!(run(&instance, &shell(&format!("test -e {}", marker.display()))).exit, Exit::Code(1));
    let sources = env!("CARGO_MANIFEST_DIR");
    assert_eq!(run(&instance, &shell(&format!("test -e {sources}"))).exit, Exit::Code(1));
    let mounts = sh(&instance, "cat /proc/self/mountinfo");
    let scratch = bench::folder().display().to_string();
    assert!(!mounts.contains(&scratch), "{mounts}");
    let root_lines = mounts.lines().filter(|line| line.split(' ').nth(4) == Some("/")).count();
    assert_eq!(root_lines, 1, "{mounts}");
    assert_eq!(sh(&instance, "hostname"), "ip-172-31-0-1");
    // Process 1, the supervisor and the shell, which counts by itself: of a pipeline not all parts need to be there yet.
    assert_eq!(sh(&instance, "set -- /proc/[0-9]*; echo $#"), "3");
    assert_eq!(sh(&instance, "ls /tmp /run"), "/run:\nlock\n\n/tmp:");
    let seen = fs::read_to_string(instance.root().join("etc/os-release")).unwrap();
    assert_eq!(seen, fs::read_to_string("/etc/os-release").unwrap());
}

fn the_host_cannot_be_changed() {
    let instance = instance();
    for script in [
        "mknod /dev/disk b 254 0; test -e /dev/disk || { echo none >&2; false; }",
        "mknod /root/mem c 1 1; test -e /root/mem || { echo none >&2; false; }",
        "echo x > /proc/sys/kernel/core_pattern",
        "echo b > /proc/sysrq-trigger",
        "echo 1 > /sys/kernel/uevent_seqnum",
        "mount -o remount,rw /proc/sys",
        "mkdir /sys/fs/cgroup/x",
        "date -s 2000-01-01",
    ] {
        let outcome = run(&instance, &shell(script));
        assert_ne!(outcome.exit, Exit::Code(0), "{script} was possible");
        assert!(!outcome.err.is_empty(), "{script}: {outcome:?}");
    }
}

fn the_usual_devices_and_folders_are_there() {
    let instance = instance();
    let script = "for node in null zero full random urandom tty; do test -c /dev/$node || echo $node; done; \
                  test -d /dev/pts && test -c /dev/ptmx && test -d /dev/shm && echo x > /dev/null && echo ok | cat /dev/stdin";
    assert_eq!(sh(&instance, script), "ok");
    assert_eq!(
        sh(&instance, "stat -c %a / /tmp /run /run/lock /dev /dev/shm /etc /root | tr '\\n' ' '"),
        "755 1777 755 1777 755 1777 755 700 "
    );
    assert_eq!(sh(&instance, "cat /etc/hosts | head -n 1"), "127.0.0.1\tlocalhost");
    assert_eq!(sh(&instance, "head -c 4 /dev/urandom | wc -c"), "4");
}

fn loopback_has_no_way_out() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let instance = instance();
    let outcome = run(&instance, &builtin(&format!("connect {}", listener.local_addr().unwrap())));
    assert!(outcome.out[0].starts_with("refused"), "{outcome:?}");
    // Nor to an address of the outside: no packet is sent by asking for the way there.
    let outside = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect("192.0.2.1:9")?;
        socket.local_addr()
    });
    let outside = outside.unwrap_or_else(|_| SocketAddr::from(([192, 0, 2, 1], 9)));
    let outcome = run(&instance, &builtin(&format!("connect {}:9", outside.ip())));
    assert!(outcome.out[0].contains("unreachable"), "{outcome:?}");
    assert_eq!(sh(&instance, "tail -n +2 /proc/net/route | wc -l"), "0");
    assert_eq!(sh(&instance, "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '"), "lo");
    assert_eq!(run(&instance, &builtin("loop-back")).out, ["connected"]);
}

fn the_hosts_network_resolves_names() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let layer = bench::place("resolver");
    fs::create_dir_all(layer.join("etc")).unwrap();
    // As in images with systemd-resolved: a link to where nothing is yet.
    symlink("../run/systemd/resolve/stub-resolv.conf", layer.join("etc/resolv.conf")).unwrap();
    for layers in [vec![base()], vec![layer, base()]] {
        let mut spec = spec(layers);
        spec.network = Network::Host;
        let instance = Instance::start(&spec).unwrap();
        assert_eq!(sh(&instance, "cat /etc/resolv.conf"), fs::read_to_string("/etc/resolv.conf").unwrap().trim_end());
        let outcome = run(&instance, &builtin(&format!("connect {}", listener.local_addr().unwrap())));
        assert_eq!(outcome.out, ["connected"]);
        instance.stop();
        // A copy has it until it is captured.
        assert!(!instance.upper().join("etc/resolv.conf").exists() || bench::mode() == "chroot-copy");
    }
}

fn bound_folders_are_read_only() {
    let shared = bench::place("shared");
    fs::create_dir_all(&shared).unwrap();
    fs::write(shared.join("file"), "shared").unwrap();
    let mut spec = spec(vec![base()]);
    spec.bind = vec![shared.clone(), PathBuf::from("/nonexistent-folder"), shared.join("file")];
    let instance = Instance::start(&spec).unwrap();
    assert_eq!(sh(&instance, &format!("cat {}/file", shared.display())), "shared");
    assert_ne!(run(&instance, &shell(&format!("echo x > {}/file", shared.display()))).exit, Exit::Code(0));
    assert_ne!(run(&instance, &shell(&format!("touch {}/new", shared.display()))).exit, Exit::Code(0));
    instance.stop();
    assert_eq!(fs::read_dir(instance.upper()).unwrap().count(), 0, "mount points are in the image");
}

fn what_cannot_be_started_is_said() {
    let refusal = |spec| Instance::start(&spec).unwrap_err().to_string();
    assert!(refusal(spec(Vec::new())).contains("it has no layer"));
    assert!(refusal(spec(vec!["/nonexistent".into()])).contains("/nonexistent is not a folder"));
    let mut relative = spec(vec![base()]);
    relative.inject.extend([injected("etc/x", "")]);
    assert!(refusal(relative).contains("etc/x is not absolute"));
    let first = spec(vec![base()]);
    let _running = Instance::start(&first).unwrap();
    assert!(refusal(first).contains("in use by another instance"));
    // A file where a folder must be: the step is named.
    let odd = bench::place("odd");
    fs::create_dir_all(&odd).unwrap();
    fs::write(odd.join("proc"), "").unwrap();
    let error = Instance::start(&spec(vec![odd])).unwrap_err();
    assert!(matches!(&error, SandboxError::Start { step, .. } if step.contains("/proc")), "{error}");
}

fn the_probe_really_does_it_and_leaves_nothing() {
    let folder = bench::place("probe");
    fs::create_dir_all(&folder).unwrap();
    let mode = probe(&folder).unwrap();
    assert_eq!(mode.name(), bench::mode());
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
}

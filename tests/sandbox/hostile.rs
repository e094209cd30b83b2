//! Components that want out, or want to do harm. Each test shows that the machine is untouched.
//!
//! What is tried here must do no harm where it works: modes are set to what they are, values are written back.

use crate::Test;
use crate::bench::{self, base, builtin, injected, instance, limited, on_its_own, run, sh, shell, spec};
use amiforge::sandbox::{Exit, Instance, Network, layers, root};
use std::fs;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// For every mode that has walls.
pub const TESTS: &[Test] = &[
    ("hostile::what_protects_the_kernel_cannot_be_undone", what_protects_the_kernel_cannot_be_undone),
    ("hostile::a_new_proc_or_sys_shows_no_more_than_the_old", a_new_proc_or_sys_shows_no_more_than_the_old),
    ("hostile::control_groups_of_the_machine_are_out_of_reach", control_groups_of_the_machine_are_out_of_reach),
    ("hostile::what_is_shown_read_only_stays_so", what_is_shown_read_only_stays_so),
    ("hostile::device_nodes_of_the_machine_keep_their_modes", device_nodes_of_the_machine_keep_their_modes),
    ("hostile::process_1_is_closed_to_jobs", process_1_is_closed_to_jobs),
    ("hostile::signals_reach_nobody_outside", signals_reach_nobody_outside),
    ("hostile::there_is_nothing_above_the_root", there_is_nothing_above_the_root),
    ("hostile::sockets_without_a_file_are_out_of_reach", sockets_without_a_file_are_out_of_reach),
    ("hostile::keys_of_the_caller_stay_outside", keys_of_the_caller_stay_outside),
    ("hostile::the_callers_terminal_stays_outside", the_callers_terminal_stays_outside),
    ("hostile::a_covered_proc_hides_nobody_from_a_timeout", a_covered_proc_hides_nobody_from_a_timeout),
    ("hostile::who_stops_everyone_is_ended_in_time", who_stops_everyone_is_ended_in_time),
    ("hostile::jobs_are_root_of_their_own_namespaces", jobs_are_root_of_their_own_namespaces),
];

/// For every mode.
pub const EVERYWHERE: &[Test] = &[
    ("hostile::links_lead_nowhere_from_outside", links_lead_nowhere_from_outside),
    ("hostile::programs_that_would_make_root_are_out_of_reach", programs_that_would_make_root_are_out_of_reach),
    ("hostile::folders_deeper_than_any_path_are_removed", folders_deeper_than_any_path_are_removed),
    ("hostile::kill_them_all", kill_them_all),
];

/// Where the image's own systemd runs.
pub const WITH_SYSTEM: &[Test] = &[
    ("hostile::what_protects_the_kernel_holds_with_systemd", || {
        bench::with_system(what_protects_the_kernel_cannot_be_undone);
    }),
    ("hostile::a_new_proc_shows_no_more_with_systemd", || {
        bench::with_system(a_new_proc_or_sys_shows_no_more_than_the_old);
    }),
    ("hostile::control_groups_with_systemd", || bench::with_system(control_groups_of_the_machine_are_out_of_reach)),
    ("hostile::read_only_stays_so_with_systemd", || bench::with_system(what_is_shown_read_only_stays_so)),
    ("hostile::device_nodes_with_systemd", || bench::with_system(device_nodes_of_the_machine_keep_their_modes)),
    ("hostile::our_own_processes_are_closed_to_all", || bench::with_system(our_own_processes_are_closed_to_all)),
    ("hostile::signals_reach_nobody_outside_with_systemd", || bench::with_system(signals_reach_nobody_outside)),
    ("hostile::nothing_above_the_root_with_systemd", || bench::with_system(there_is_nothing_above_the_root)),
    ("hostile::sockets_without_a_file_with_systemd", || bench::with_system(sockets_without_a_file_are_out_of_reach)),
    ("hostile::keys_stay_outside_with_systemd", || bench::with_system(keys_of_the_caller_stay_outside)),
    ("hostile::the_terminal_stays_outside_with_systemd", || bench::with_system(the_callers_terminal_stays_outside)),
    ("hostile::a_covered_proc_with_systemd", || bench::with_system(a_covered_proc_hides_nobody_from_a_timeout)),
    ("hostile::who_stops_everyone_with_systemd", || bench::with_system(who_stops_everyone_is_ended_in_time)),
    ("hostile::root_of_their_own_namespaces_with_systemd", || {
        bench::with_system(jobs_are_root_of_their_own_namespaces);
    }),
    ("hostile::links_lead_nowhere_with_systemd", || bench::with_system(links_lead_nowhere_from_outside)),
    ("hostile::programs_that_would_make_root_with_systemd", || {
        bench::with_system(programs_that_would_make_root_are_out_of_reach);
    }),
    ("hostile::kill_them_all_with_systemd", || bench::with_system(kill_them_all)),
];

const NONE: &str = "none";
/// mount(2).
const REMOUNT_BIND: u64 = 32 | 4096;
const BIND: u64 = 4096;

fn attempt(instance: &Instance, words: &[&str]) -> String {
    let outcome = run(instance, &builtin(&words.join(" ")));
    assert_eq!(outcome.exit, Exit::Code(0), "{words:?}: {outcome:?}");
    outcome.out.join("\n")
}

fn remount(instance: &Instance, place: &str) -> String {
    attempt(instance, &["mount", NONE, place, NONE, &REMOUNT_BIND.to_string()])
}

/// Whether a file of the kernel can be written to: with what it has, so that nothing happens if it can.
fn can_write_back(instance: &Instance, path: &str) -> bool {
    run(instance, &shell(&format!("v=$(cat {path}) && printf '%s\n' \"$v\" > {path}"))).exit == Exit::Code(0)
}

const SETTING: &str = "/proc/sys/kernel/core_pattern";

fn what_protects_the_kernel_cannot_be_undone() {
    let instance = instance();
    for place in ["/proc/sys", "/proc", "/sys", "/proc/sysrq-trigger", "/proc/irq", "/dev/null"] {
        let answer = attempt(&instance, &["unmount", place]);
        assert!(answer.starts_with("refused"), "{place} was unmounted");
        let answer = remount(&instance, place);
        // A file system of its own may be changed, with all that protects it still on top; that of /proc is one.
        assert!(answer.starts_with("refused") || place == "/proc", "{place} was made writable");
    }
    assert!(!can_write_back(&instance, SETTING));
    // By another way to the same place.
    sh(&instance, "mkdir /mnt/a");
    if attempt(&instance, &["mount", "/proc/sys", "/mnt/a", NONE, &BIND.to_string()]) == "done" {
        assert!(remount(&instance, "/mnt/a").starts_with("refused"));
        assert!(!can_write_back(&instance, "/mnt/a/kernel/core_pattern"));
    }
    // Nothing of the kernel's own is writable, whatever drivers this machine has.
    // Opened only: what would be written is never sent.
    let writable = sh(
        &instance,
        "for f in $(find /proc /sys/kernel -maxdepth 1 -type f -perm /222; find /proc/sys/kernel /proc/sys/vm -type f | head -n 20); \
         do test -f $f && (: >> $f) 2> /dev/null && echo $f; done; :",
    );
    assert_eq!(writable, "");
}

fn a_new_proc_or_sys_shows_no_more_than_the_old() {
    let instance = instance();
    sh(&instance, "mkdir /mnt/p");
    let answer = attempt(&instance, &["mount", "proc", "/mnt/p", "proc", "0"]);
    assert!(answer.starts_with("refused"), "a new /proc: {answer}");
    let answer = attempt(&instance, &["mount", "sysfs", "/mnt/p", "sysfs", "0"]);
    assert!(answer.starts_with("refused"), "a new, writable /sys: {answer}");
    for kind in ["cgroup2", "debugfs", "tracefs", "securityfs", "devtmpfs", "ext4", "bpf"] {
        // Some are the instance's own; none may show what is the machine's. `memory` is a controller of the first version.
        let answer = attempt(&instance, &["mount", "/dev/vda", "/mnt/p", kind, "0"]);
        assert!(answer.starts_with("refused") || kind == "bpf", "{kind}: {answer}");
        attempt(&instance, &["unmount", "/mnt/p"]);
    }
    // Neither in namespaces that it makes itself.
    let answer = attempt(&instance, &["inner-proc", "/mnt/p"]);
    assert!(answer.starts_with("refused"), "a new /proc in new namespaces: {answer}");
}

/// Not even in a namespace of its own, whose maker sees the group it is in at the top, which may be the machine's.
fn control_groups_of_the_machine_are_out_of_reach() {
    let instance = instance();
    sh(&instance, "mkdir /mnt/g");
    let own = sh(&instance, "readlink /proc/self/ns/cgroup");
    for (kind, options) in
        [("cgroup", "-o none,name=systemd"), ("cgroup", "-o freezer"), ("cgroup", "-o memory"), ("cgroup2", "")]
    {
        for before in ["", "unshare --cgroup ", "unshare --user --map-root-user --cgroup --mount "] {
            let script =
                format!("{before}/bin/mount -t {kind} {options} none /mnt/g && echo mounted; umount /mnt/g; :");
            let outcome = run(&instance, &shell(&script));
            assert_eq!(outcome.out, Vec::<String>::new(), "{script}: {outcome:?}");
        }
    }
    // Who has been put into one cannot leave it by making another.
    let made = run(&instance, &shell("unshare --cgroup readlink /proc/self/ns/cgroup"));
    assert!(made.exit != Exit::Code(0) || made.out == [own], "{made:?}");
}

fn what_is_shown_read_only_stays_so() {
    let shared = bench::place("shared");
    fs::create_dir_all(&shared).unwrap();
    fs::write(shared.join("file"), "shared").unwrap();
    let mut spec = spec(vec![base()]);
    spec.bind = vec![shared.clone()];
    let instance = bench::start(&spec);
    let place = shared.display().to_string();
    assert!(remount(&instance, &place).starts_with("refused"));
    assert!(attempt(&instance, &["unmount", &place]).starts_with("refused"));
    assert_ne!(run(&instance, &shell(&format!("echo x > {place}/file"))).exit, Exit::Code(0));
    assert_eq!(fs::read_to_string(shared.join("file")).unwrap(), "shared");
}

fn device_nodes_of_the_machine_keep_their_modes() {
    let instance = instance();
    for node in ["null", "zero", "full", "random", "urandom", "tty"] {
        // Nothing would change, and yet it is a write to the machine's own node.
        let script = format!("chmod $(stat -c %a /dev/{node}) /dev/{node}");
        assert_ne!(run(&instance, &shell(&script)).exit, Exit::Code(0), "{node} was changed");
        assert_ne!(
            run(&instance, &shell(&format!("touch -c -a /dev/{node}"))).exit,
            Exit::Code(0),
            "{node} was touched"
        );
    }
    assert_eq!(sh(&instance, "echo x > /dev/null; head -c 3 /dev/zero | wc -c; : 2> /dev/full"), "3");
}

fn process_1_is_closed_to_jobs() {
    let instance = instance();
    // Its program is ours, on the machine; its descriptors, memory and environment are the caller's neighbours.
    for path in ["exe", "root", "cwd"] {
        assert_ne!(run(&instance, &shell(&format!("readlink /proc/1/{path}"))).exit, Exit::Code(0), "{path}");
    }
    for path in ["environ", "mem", "maps", "auxv"] {
        assert_ne!(run(&instance, &shell(&format!("cat /proc/1/{path} > /dev/null"))).exit, Exit::Code(0), "{path}");
    }
    let script =
        "for f in /proc/1/fd/*; do readlink $f; test -e $f && echo $f; (: < $f) 2> /dev/null && echo $f; done; :";
    assert_eq!(sh(&instance, script), "");
    assert_ne!(run(&instance, &shell("chmod 755 /proc/1/exe")).exit, Exit::Code(0));
    assert_ne!(run(&instance, &shell(": >> /proc/1/exe")).exit, Exit::Code(0));
    assert_ne!(run(&instance, &shell("ls /proc/1/ns/mnt && readlink /proc/1/ns/mnt")).exit, Exit::Code(0));
    // Neither does a job get any of it by inheritance.
    assert_eq!(sh(&instance, "ls -l /proc/self/fd | grep -c -e socket -e /dev/shm -e /home || :"), "0");
    assert_eq!(sh(&instance, "tr '\\0' '\\n' < /proc/self/environ | grep -c -e CARGO -e SSH || :"), "0");
}

/// The supervisors of jobs are among the processes of the instance; their program is ours, on the machine.
fn our_own_processes_are_closed_to_all() {
    let instance = instance();
    let script = "for p in /proc/[0-9]*; do \
        if readlink $p/exe > /dev/null || (: < $p/environ) || (: < $p/mem) || readlink $p/ns/mnt > /dev/null; \
        then echo open $(readlink $p/exe); else echo closed $(cat $p/comm); fi; done 2> /dev/null; :";
    let seen = sh(&instance, script);
    let own = std::env::current_exe().unwrap();
    let closed: Vec<&str> = seen.lines().filter(|line| line.starts_with("closed")).collect();
    assert_eq!(closed.len(), 1, "the supervisor, and it alone: {seen}");
    assert!(!seen.contains(&*own.file_name().unwrap().to_string_lossy()), "{seen}");
    assert!(seen.contains("open /usr/lib/systemd/systemd\n"), "{seen}");
}

fn signals_reach_nobody_outside() {
    let instance = instance();
    // Every process that a job can name is of its own namespace.
    let seen = sh(&instance, "for p in /proc/[0-9]*; do cat $p/comm; done 2>/dev/null | sort -u");
    let own = fs::read_to_string("/proc/self/comm").unwrap();
    let known = ["sh", "sort", "cat", own.trim(), "exe", "(sd-pam)", "agetty", "dbus-daemon"];
    assert!(seen.lines().all(|name| known.contains(&name) || name.starts_with("systemd")), "{seen}");
    let mut witness = Command::new("sleep").arg(bench::unique_seconds()).spawn().unwrap();
    run(&instance, &shell(&format!("kill -9 {} 1 -1; kill -9 -1; :", witness.id())));
    assert!(witness.try_wait().unwrap().is_none(), "a process of the machine was killed");
    witness.kill().unwrap();
    witness.wait().unwrap();
    assert_eq!(sh(&instance, "echo alive"), "alive");
}

fn there_is_nothing_above_the_root() {
    let marker = bench::place("above");
    fs::write(&marker, "of the machine").unwrap();
    let instance = instance();
    let answer = attempt(&instance, &["escape", &marker.display().to_string()]);
    assert_eq!(answer, "not there");
    assert_eq!(
        run(&instance, &shell(&format!("cat /proc/*/root{} /proc/*/cwd{0} 2>/dev/null", marker.display()))).out.len(),
        0
    );
}

fn sockets_without_a_file_are_out_of_reach() {
    let name = format!("amiforge-{}", bench::unique_seconds());
    let _listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let answer = attempt(&instance(), &["abstract", &name]);
    assert!(answer.starts_with("refused"), "{answer}");
    // With the machine's network it is there, as the documentation of `Network` says.
    let mut spec = spec(vec![base()]);
    spec.network = Network::Host;
    spec.first = amiforge::sandbox::First::Ours;
    assert_eq!(attempt(&bench::start(&spec), &["abstract", &name]), "connected");
}

fn keys_of_the_caller_stay_outside() {
    let said = on_its_own("--with-keys", &[]);
    let (outside, inside) = said.split_once("inside:").unwrap();
    assert!(outside.contains("amiforge-secret") && outside.contains("read: 4 bytes"), "the test has no key: {said}");
    assert!(!inside.contains("amiforge-secret") && inside.contains("read: refused"), "{said}");
}

/// The other half of the test above: a process with a session keyring of its own, as a login makes it.
pub fn with_keys() {
    let key = bench::add_key("amiforge-secret").unwrap();
    println!("{}", fs::read_to_string("/proc/keys").unwrap());
    println!("read: {}", bench::read_key(key));
    let instance = instance();
    println!("inside: {}", sh(&instance, "cat /proc/keys"));
    println!("read: {}", attempt(&instance, &["read-key", &key.to_string()]));
}

fn the_callers_terminal_stays_outside() {
    let said = on_its_own("--on-terminal", &["script", "-qec"]);
    assert!(said.contains("caller has one"), "the test has no terminal: {said}");
    assert!(said.contains("process 1: 0"), "{said}");
    assert!(said.contains("job: 0"), "{said}");
}

/// The other half of the test above. The seventh field of `proc_pid_stat(5)` is the terminal.
pub fn on_terminal() {
    let own = fs::read_to_string("/proc/self/stat").unwrap();
    let terminal = own.rsplit_once(')').unwrap().1.split_whitespace().nth(4).unwrap().to_owned();
    println!("caller has {}", if terminal == "0" { "none" } else { "one" });
    let instance = instance();
    println!("process 1: {}", sh(&instance, "sed 's/.*) //' /proc/1/stat | cut -d ' ' -f 5"));
    println!("job: {}", sh(&instance, "sed 's/.*) //' /proc/self/stat | cut -d ' ' -f 5"));
}

fn a_covered_proc_hides_nobody_from_a_timeout() {
    let instance = instance();
    attempt(&instance, &["mount", "tmpfs", "/proc", "tmpfs", "0"]);
    let seconds = bench::unique_seconds();
    let script =
        format!("(setsid sleep {seconds} &); (setsid sh -c 'sleep {seconds}; :' &); echo started; sleep {seconds}");
    let outcome = run(&instance, &limited(&script, Duration::from_millis(500)));
    assert_eq!((outcome.exit, outcome.out.len()), (Exit::TimedOut, 1), "{outcome:?}");
    assert_eq!(bench::processes_with(&seconds), Vec::<String>::new());
}

fn who_stops_everyone_is_ended_in_time() {
    let instance = instance();
    let seconds = bench::unique_seconds();
    let script =
        format!("(setsid sh -c 'while :; do kill -STOP -1; done' {seconds} &); while :; do kill -STOP -1; done");
    let outcome = run(&instance, &limited(&script, Duration::from_millis(300)));
    assert_eq!(outcome.exit, Exit::TimedOut, "{outcome:?}");
    assert_eq!(bench::processes_with(&seconds), Vec::<String>::new());
    assert_eq!(sh(&instance, "echo alive"), "alive");
}

fn jobs_are_root_of_their_own_namespaces() {
    let instance = instance();
    assert_eq!(sh(&instance, "id -u; hostname other && hostname"), "0\nother");
    sh(&instance, "mkdir /mnt/t");
    assert_eq!(attempt(&instance, &["mount", "tmpfs", "/mnt/t", "tmpfs", "0"]), "done");
    assert_eq!(sh(&instance, "echo x > /mnt/t/file; cat /mnt/t/file"), "x");
    assert_eq!(attempt(&instance, &["unmount", "/mnt/t"]), "done");
    assert_ne!(fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim(), "other");
}

fn links_lead_nowhere_from_outside() {
    let outside = bench::place("outside");
    fs::create_dir_all(&outside).unwrap();
    fs::write(outside.join("file"), "of the machine").unwrap();
    let place = outside.display();
    let mut spec = spec(vec![base()]);
    spec.inject.extend([injected("/srv/out/injected", "x"), injected("/etc/secret.d/x", "x")]);
    let instance = bench::start(&spec);
    sh(
        &instance,
        &format!(
            "rm -rf /srv/out /etc/secret.d; ln -s {place} /srv/out; ln -s {place} /etc/secret.d; ln -s {place}/file /srv/secret; \
             ln -s ../../../../../../../..{place}/file /srv/up; rm -rf /tmp /var/lib/apt/lists; \
             ln -s {place} /var/lib/apt/lists; rm -rf /var/cache/apt/archives; ln -s {place} /var/cache/apt/archives"
        ),
    );
    let read = |path: &str| layers::read_file(&[instance.upper().to_owned(), base()], Path::new(path)).unwrap();
    assert_eq!((read("/srv/secret"), read("/srv/up"), read("/srv/out/file")), (None, None, None));
    // Injected again, over the links.
    instance.reboot().unwrap();
    instance.stop();
    let layer = bench::place("layer");
    root::capture(instance.upper(), &layer, &["/srv/out/file", "/etc/secret.d/file", "/../outside"]).unwrap();
    root::remove(&layer).unwrap();
    root::remove(&spec.scratch).unwrap();
    let left: Vec<_> = fs::read_dir(&outside).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["file"]);
    assert_eq!(fs::read_to_string(outside.join("file")).unwrap(), "of the machine");
}

fn programs_that_would_make_root_are_out_of_reach() {
    let instance = instance();
    sh(&instance, "cp /usr/bin/id /srv/id; chmod 4755 /srv/id");
    let program = instance.upper().join("srv/id");
    assert_eq!(fs::metadata(&program).unwrap().mode() & 0o7777, 0o4755);
    let scratch = instance.upper().parent().unwrap();
    assert_eq!(fs::metadata(scratch).unwrap().permissions().mode() & 0o777, 0o700);
    if nix::unistd::geteuid().is_root() {
        let other = ["--reuid=54321", "--regid=54321", "--clear-groups"];
        let output = Command::new("setpriv").args(other).args(["/bin/sh", "-c"]).arg(&program).output().unwrap();
        assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

fn folders_deeper_than_any_path_are_removed() {
    let spec = spec(vec![base()]);
    let instance = bench::start(&spec);
    sh(&instance, "perl -e 'chdir \"/srv\"; for (1..1500) { mkdir \"deep\" or die; chdir \"deep\" or die }'");
    instance.stop();
    let layer = bench::place("layer");
    root::capture(instance.upper(), &layer, &[]).unwrap();
    drop(instance);
    root::remove(&layer).unwrap();
    root::remove(&spec.scratch).unwrap();
    assert!(!layer.exists() && !spec.scratch.exists());
}

fn kill_them_all() {
    let instance = instance();
    run(&instance, &shell("kill -9 -1; :"));
    assert_eq!(sh(&instance, "echo alive"), "alive");
}

//! The image's own systemd as process 1: services, timers, restarts and ends are real.

use crate::Test;
use crate::bench::{self, Outcome, base, limited, run, sh, shell, spec};
use crate::{groups, support};
use amiforge::sandbox::{Exit, First, Instance, Job, Network, SandboxError, Spec, facts};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

pub const TESTS: &[Test] = &[
    ("boot::the_system_is_up_and_jobs_see_it", the_system_is_up_and_jobs_see_it),
    ("boot::services_ports_and_their_journal_are_real", services_ports_and_their_journal_are_real),
    ("boot::timers_and_enabled_units_work", timers_and_enabled_units_work),
    ("boot::units_that_fail_are_named", units_that_fail_are_named),
    ("boot::a_restart_from_inside_ends_the_job_and_comes_back", a_restart_from_inside_ends_the_job_and_comes_back),
    ("boot::a_restart_that_nobody_waits_for_comes_back_by_itself", a_restart_that_nobody_waits_for_comes_back),
    ("boot::a_restart_from_outside_stops_services_first", a_restart_from_outside_stops_services_first),
    ("boot::switching_off_ends_it_until_it_is_switched_on", switching_off_ends_it_until_it_is_switched_on),
    ("boot::a_timeout_kills_the_job_and_no_service", a_timeout_kills_the_job_and_no_service),
    ("boot::a_killed_program_leaves_nothing", groups::a_killed_program_leaves_nothing),
    ("boot::groups_of_the_dead_are_swept", groups::groups_of_the_dead_are_swept),
    ("boot::a_system_that_breaks_down_is_an_error_with_its_last_lines", a_system_that_breaks_down_is_an_error),
    ("boot::a_system_that_dies_later_is_gone", a_system_that_dies_later_is_gone),
    ("boot::a_network_of_its_own_has_a_way_out", a_network_of_its_own_has_a_way_out),
    ("boot::an_image_without_systemd_says_so", an_image_without_systemd_says_so),
    ("boot::without_systemd_restarts_come_from_outside_only", without_systemd_restarts_come_from_outside_only),
];

static ROOT: OnceLock<PathBuf> = OnceLock::new();

/// A root cloned from this machine with systemd and its tools, made once; nobody writes to it.
pub fn system_root() -> PathBuf {
    let make = || {
        let path = bench::place("system");
        support::root::clone_from_host(&path, &["systemd", "systemd-sysv", "dbus", "procps"]);
        path
    };
    ROOT.get_or_init(make).clone()
}

/// Uses one that someone else has made.
pub fn set_system_root(path: &str) {
    ROOT.set(PathBuf::from(path)).unwrap();
}

/// An instance of that root with units of ours, which are enabled.
fn system_spec(units: &[(&str, &str)]) -> Spec {
    let mut layers = vec![system_root()];
    if !units.is_empty() {
        let layer = bench::place("units");
        let wants = layer.join("etc/systemd/system/multi-user.target.wants");
        fs::create_dir_all(&wants).unwrap();
        for (name, text) in units {
            fs::write(layer.join("etc/systemd/system").join(name), text).unwrap();
            symlink(format!("/etc/systemd/system/{name}"), wants.join(name)).unwrap();
        }
        let program = layer.join("usr/local/bin/web");
        fs::create_dir_all(program.parent().unwrap()).unwrap();
        fs::write(&program, WEB_PROGRAM).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        layers.insert(0, layer);
    }
    Spec { first: First::System, ..spec(layers) }
}

pub fn start(units: &[(&str, &str)]) -> Instance {
    let instance = Instance::start(&system_spec(units)).unwrap();
    assert_eq!(instance.first(), First::System, "{:?}", instance.notes());
    instance
}

/// With a single id nobody can become another user. Services that must are few, and fail; most run as root.
const OF_OTHER_USERS: &str = "systemd-networkd.service, systemd-networkd.socket";

/// What a system says of itself when all is as it should be.
fn running() -> &'static str {
    if bench::mode() == "userns-fake" { "degraded" } else { "running" }
}

/// The notes that are not about the mode.
fn notes(instance: &Instance) -> Vec<String> {
    let mut notes = instance.notes();
    if bench::mode() == "userns-fake" {
        assert!(notes.remove(0).contains("belong to root"));
        notes.retain(|note| !note.contains(&format!("at its start: {OF_OTHER_USERS} (")));
        for note in &mut notes {
            *note = note.replace(&format!(", {OF_OTHER_USERS}"), "");
        }
    }
    notes
}

/// A server that answers with its own number on port 80, and is there as soon as its start has succeeded. Each start and
/// stop leaves a line in the image.
const WEB: &str = r"[Service]
Type=forking
ExecStartPre=/bin/sh -c 'echo started >> /var/lib/web; echo preparing the web'
ExecStart=/usr/local/bin/web
ExecStop=/bin/sh -c 'echo stopped >> /var/lib/web; kill $MAINPID'
[Install]
WantedBy=multi-user.target
";

const WEB_PROGRAM: &str = r#"#!/usr/bin/perl
use IO::Socket::INET;
$server = IO::Socket::INET->new(Listen => 5, LocalPort => 80, ReuseAddr => 1) or die "no port: $@";
exit if fork;
while ($client = $server->accept) { print $client "web $$\n"; close $client }
"#;

const ASK: &str = "exec 3<>/dev/tcp/127.0.0.1/80 && cat <&3";

fn bash(script: &str) -> Job {
    match shell(script) {
        Job::Command { environment, directory, stdin, timeout, .. } => Job::Command {
            argv: ["/bin/bash", "-c", script].map(str::to_owned).to_vec(),
            environment,
            directory,
            stdin,
            timeout,
        },
        other @ Job::Builtin { .. } => other,
    }
}

fn the_system_is_up_and_jobs_see_it() {
    system_root();
    let begun = Instant::now();
    let instance = start(&[]);
    println!("    start to running: {:?}", begun.elapsed());
    assert_eq!(notes(&instance), Vec::<String>::new());
    assert_eq!(
        sh(&instance, "systemctl is-system-running; cat /proc/1/comm; hostname"),
        format!("{}\nsystemd\nip-172-31-0-1", running())
    );
    assert_eq!(sh(&instance, "cat /run/systemd/container"), "amiforge");
    if running() == "running" {
        assert_eq!(sh(&instance, "systemctl --failed --no-legend"), "");
    }
    // The group of jobs is none of systemd's, and all that is shown is this instance's own.
    assert_eq!(
        sh(&instance, "grep ^0: /proc/self/cgroup; ls -d /sys/fs/cgroup/system.slice"),
        "0::/amiforge-jobs\n/sys/fs/cgroup/system.slice"
    );
    assert_eq!(
        sh(&instance, "echo $PPID > /run/x; readlink /proc/$$/ns/pid /proc/$$/ns/mnt /proc/$$/ns/cgroup"),
        sh(&instance, "readlink /proc/1/ns/pid /proc/1/ns/mnt /proc/1/ns/cgroup")
    );
    let begun = Instant::now();
    (0..50).for_each(|_| assert_eq!(sh(&instance, ":"), ""));
    println!("    50 jobs: {:?} each", begun.elapsed() / 50);
    // needs-restarting takes the time of boot from here.
    assert_eq!(sh(&instance, "stat -c %y /proc/1"), sh(&instance, "stat -c %y /proc/1"));
    let mounts = sh(&instance, "cat /proc/self/mountinfo");
    assert!(!mounts.contains(&bench::folder().display().to_string()), "{mounts}");
    let first = instance.process().unwrap();
    assert_eq!(fs::read_to_string(format!("/proc/{first}/comm")).unwrap(), "systemd\n");
    let names: Vec<&str> = instance.facts().iter().filter(|fact| fact.real).map(|fact| fact.name).collect();
    assert_eq!(names, [facts::INIT]);
    // What is masked for the instance is not masked in the image.
    instance.power_off();
    assert!(!instance.upper().join("run/systemd").exists());
    assert!(!instance.upper().join("etc/systemd/system/console-getty.service").exists());
}

fn services_ports_and_their_journal_are_real() {
    let (instance, other) = (start(&[("web.service", WEB)]), start(&[("web.service", WEB)]));
    let answer = |instance: &Instance| run(instance, &bash(ASK));
    let first = answer(&instance);
    assert_eq!(first.exit, Exit::Code(0), "{first:?}");
    assert!(first.out[0].starts_with("web "), "{first:?}");
    // Another one on the same port does not get in the way.
    assert_eq!(answer(&other).exit, Exit::Code(0));
    assert_eq!(
        sh(&instance, "systemctl is-active web; systemctl show -P MainPID web"),
        format!("active\n{}", &first.out[0][4..])
    );
    sh(&instance, "systemctl restart web");
    let second = answer(&instance);
    assert_ne!(second.out, first.out);
    sh(&instance, "systemctl stop web");
    assert_eq!(sh(&instance, "systemctl is-active web || true"), "inactive");
    assert!(matches!(answer(&instance), Outcome { exit: Exit::Code(1), .. }));
    assert_eq!(sh(&instance, "cat /var/lib/web"), "started\nstopped\nstarted\nstopped");
    let journal = sh(&instance, "journalctl --sync; journalctl -u web -o cat");
    assert_eq!(journal.matches("preparing the web").count(), 2, "{journal}");
}

fn timers_and_enabled_units_work() {
    let instance = start(&[]);
    sh(
        &instance,
        "printf '[Service]\\nType=oneshot\\nExecStart=/bin/sh -c \"echo tick >> /run/ticks\"\\n' > /etc/systemd/system/tick.service",
    );
    sh(
        &instance,
        "printf '[Timer]\\nOnActiveSec=50ms\\nAccuracySec=1ms\\n[Install]\\nWantedBy=timers.target\\n' > /etc/systemd/system/tick.timer",
    );
    sh(&instance, "systemctl daemon-reload && systemctl enable --now tick.timer 2>/dev/null");
    let ticked = run(
        &instance,
        &limited("until grep -q tick /run/ticks 2>/dev/null; do sleep 0.05; done", Duration::from_mins(1)),
    );
    assert_eq!(ticked.exit, Exit::Code(0));
    assert_eq!(sh(&instance, "systemctl is-enabled tick.timer"), "enabled");
    sh(&instance, "systemctl disable --now tick.timer 2>/dev/null");
    assert_eq!(
        sh(&instance, "systemctl is-enabled tick.timer || true; systemctl is-active tick.timer || true"),
        "disabled\ninactive"
    );
    let user = if bench::mode() == "userns-fake" { "root" } else { "nobody" };
    // A process of a user's own, started and awaited by systemd.
    assert_eq!(sh(&instance, "systemd-run --quiet --wait --pipe -p User=nobody id -un"), user);
    // systemd takes its own place, as an upgrade of its package has it do.
    sh(&instance, "systemctl daemon-reexec");
    assert_eq!(sh(&instance, "systemctl is-system-running || true"), running());
}

fn units_that_fail_are_named() {
    let instance = start(&[
        ("broken.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n"),
        ("missing.service", "[Service]\nExecStart=/no/such/program\nType=exec\n"),
        ("fine.service", "[Service]\nType=oneshot\nExecStart=/bin/true\n"),
    ]);
    let notes = notes(&instance);
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(
        notes[0].contains("units of the image failed at its start: broken.service, missing.service ("),
        "{notes:?}"
    );
    assert_eq!(sh(&instance, "systemctl is-system-running || true"), "degraded");
}

/// What shows whether a machine has started anew.
const MARKS: &str =
    "cat /proc/sys/kernel/random/boot_id; ls /run/reboot-required /tmp/mark /var/lib/mark 2>/dev/null; true";

fn a_restart_from_inside_ends_the_job_and_comes_back() {
    let instance = start(&[("web.service", WEB)]);
    let mut ids = vec![sh(&instance, "cat /proc/sys/kernel/random/boot_id")];
    let mut times = Vec::new();
    let commands = [
        "systemctl reboot",
        "reboot; echo called; sleep 60; exit 9",
        "shutdown -r now",
        "kill -INT 1; sleep 60; exit 9",
    ];
    for (restarts, command) in (1_u32..).zip(commands) {
        sh(&instance, "touch /run/reboot-required /tmp/mark /var/lib/mark");
        let begun = Instant::now();
        let outcome = run(&instance, &shell(command));
        println!("    {command}: {:?}", begun.elapsed());
        times.push(begun.elapsed());
        assert_eq!(outcome.exit, Exit::Restarted, "{command}: {outcome:?}");
        assert_eq!(instance.boots(), restarts + 1);
        let marks = sh(&instance, MARKS);
        let (id, files) = marks.split_once('\n').unwrap();
        assert_eq!(files, "/var/lib/mark", "{command}");
        assert!(!ids.contains(&id.to_owned()), "{command}: the same boot id");
        ids.push(id.to_owned());
        // It was stopped in an orderly way, and is there again.
        assert_eq!(sh(&instance, "tail -n 2 /var/lib/web; systemctl is-active web"), "stopped\nstarted\nactive");
        assert_eq!(run(&instance, &bash(ASK)).exit, Exit::Code(0));
        assert_eq!(sh(&instance, "systemctl is-system-running; cat /proc/1/comm"), format!("{}\nsystemd", running()));
    }
    // However busy the machine is: none of them has waited for the ten seconds that systemd gives to what does not end.
    let (fastest, slowest) = (times.iter().min().unwrap(), times.iter().max().unwrap());
    assert!(slowest.saturating_sub(*fastest) < Duration::from_secs(9), "{times:?}");
    let hosts = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    assert!(!ids.contains(&hosts.trim().to_owned()), "the host's own boot id was shown");
    assert!(ids.iter().all(|id| id.len() == 36), "{ids:?}");
    // The journal takes the id for that of the machine's.
    let boots = sh(&instance, "journalctl --list-boots --no-pager");
    assert!(boots.contains(&ids.last().unwrap().replace('-', "")), "{boots}");
}

fn a_restart_that_nobody_waits_for_comes_back() {
    let instance = start(&[("web.service", WEB)]);
    let root = instance.root();
    sh(&instance, "systemd-run --quiet --on-active=100ms --timer-property=AccuracySec=1ms systemctl reboot");
    bench::eventually("it comes back", || instance.boots() == 2);
    assert_ne!(instance.root(), root);
    assert_eq!(fs::read_to_string(instance.root().join("var/lib/web")).unwrap(), "started\nstopped\nstarted\n");
    assert_eq!(run(&instance, &bash(ASK)).exit, Exit::Code(0));
}

fn a_restart_from_outside_stops_services_first() {
    let instance = start(&[("web.service", WEB)]);
    let id = sh(&instance, "cat /proc/sys/kernel/random/boot_id");
    let begun = Instant::now();
    instance.reboot().unwrap();
    println!("    restart: {:?}", begun.elapsed());
    assert_eq!(instance.boots(), 2);
    assert_ne!(sh(&instance, "cat /proc/sys/kernel/random/boot_id"), id);
    assert_eq!(sh(&instance, "cat /var/lib/web"), "started\nstopped\nstarted");
    instance.power_off();
    assert_eq!(
        fs::read_to_string(instance.upper().join("var/lib/web")).unwrap(),
        "started\nstopped\nstarted\nstopped\n"
    );
    assert!(matches!(instance.run(&shell("true"), &mut |_| ()), Err(SandboxError::Gone)));
    assert!(matches!(instance.reboot(), Err(SandboxError::Gone)));
}

fn switching_off_ends_it_until_it_is_switched_on() {
    let instance = start(&[]);
    for command in ["systemctl poweroff", "shutdown -h now; sleep 60; exit 9", "halt; sleep 60; exit 9"] {
        let result = instance.run(&shell(command), &mut |_| ());
        assert!(matches!(result, Err(SandboxError::SwitchedOff)), "{command}: {result:?}");
        let again = instance.run(&shell("true"), &mut |_| ());
        assert!(matches!(again, Err(SandboxError::SwitchedOff)), "{command}: {again:?}");
        assert!(!instance.root().exists());
        instance.reboot().unwrap();
        assert_eq!(sh(&instance, "systemctl is-system-running || true"), running());
    }
}

fn a_timeout_kills_the_job_and_no_service() {
    let (service, daemon, stubborn) = (bench::unique_seconds(), bench::unique_seconds(), bench::unique_seconds());
    let unit = format!("[Service]\nExecStart=/bin/sleep {service}\n");
    let instance = start(&[("sleeper.service", &unit)]);
    sh(&instance, &format!("setsid sleep {daemon} >/dev/null 2>&1 &"));
    // What a job leaves behind belongs to systemd, as on every machine.
    let parent = format!(
        "until test \"$(ps -o ppid= $(pgrep -f 'sleep {daemon}' | head -n 1) | tr -d ' ')\" = 1; do sleep 0.01; done"
    );
    assert_eq!(run(&instance, &limited(&parent, Duration::from_mins(1))).exit, Exit::Code(0));
    let script = format!(
        "trap '' TERM HUP INT; (setsid sleep {stubborn} &); (setsid sh -c 'trap \"\" TERM; (nohup sleep {stubborn} &); sleep {stubborn}' &); \
         echo started; while :; do sleep {stubborn}; done"
    );
    let outcome = run(&instance, &limited(&script, Duration::from_secs(1)));
    assert_eq!((outcome.exit, outcome.out), (Exit::TimedOut, vec!["started".to_owned()]));
    assert_eq!(bench::processes_with(&stubborn), Vec::<String>::new());
    assert_eq!((bench::processes_with(&service).len(), bench::processes_with(&daemon).len()), (1, 1));
    // A job that kills all it can see takes neither systemd nor the instance with it.
    run(&instance, &shell("kill -9 -1; sleep 5"));
    assert_eq!(sh(&instance, "cat /proc/1/comm"), "systemd");
}

fn a_system_that_breaks_down_is_an_error() {
    let layer = bench::place("broken");
    let program = layer.join("usr/lib/systemd/systemd");
    fs::create_dir_all(program.parent().unwrap()).unwrap();
    let refusal = |script: &str| {
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let spec = Spec { first: First::System, ..spec(vec![layer.clone(), system_root()]) };
        Instance::start(&spec).unwrap_err().to_string()
    };
    let ended = refusal("#!/bin/sh\nfor i in 1 2 3; do echo line $i; done\necho out of order >&2\nexit 7\n");
    assert!(ended.contains("start the image's systemd: it ended before it was up, with exit code 7"), "{ended}");
    assert!(ended.ends_with("\n  | line 2\n  | line 3\n  | out of order"), "{ended}");
    let no_program = refusal("neither a script nor a program");
    assert!(
        no_program.contains("start /usr/lib/systemd/systemd") && no_program.contains("Exec format error"),
        "{no_program}"
    );
    let off = refusal("#!/bin/sh\nexec /bin/systemctl --force --force poweroff\n");
    assert!(off.contains("the image switched itself off before it was up"), "{off}");
    let round = refusal("#!/bin/sh\nexec /bin/systemctl --force --force reboot\n");
    assert!(round.contains("it restarted 5 times in a row"), "{round}");
}

fn a_system_that_dies_later_is_gone() {
    let instance = start(&[]);
    let outer = instance.root().iter().nth(2).unwrap().to_str().unwrap().parse().unwrap();
    // Ours, and the image's, which nobody inside can kill.
    for boots in [2, 3] {
        let pid: u32 = if boots == 2 { outer } else { instance.process().unwrap() };
        kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL).unwrap();
        // Longer than the end takes to arrive.
        assert!(matches!(instance.run(&shell("sleep 600"), &mut |_| ()), Err(SandboxError::Gone)));
        // As a machine that was switched off can be switched on again.
        instance.reboot().unwrap();
        assert_eq!(sh(&instance, "systemctl is-system-running || true"), running());
        assert_eq!(instance.boots(), boots);
    }
}

/// Two instances listen on the same low port, reach this machine from there, and start again. Where there can be no such
/// network (its device is root's alone on some machines) no service is started, and that is said.
fn a_network_of_its_own_has_a_way_out() {
    let units = [("web.service", WEB)];
    let spec = |number: u32| Spec { network: Network::Host, hostname: format!("ip-{number}"), ..system_spec(&units) };
    let instances = [1, 2].map(|number| Instance::start(&spec(number)).unwrap());
    let network = |instance: &Instance| instance.facts().into_iter().find(|fact| fact.name == facts::NETWORK).unwrap();
    if fs::File::options().read(true).write(true).open("/dev/net/tun").is_err() {
        for instance in &instances {
            assert_eq!(instance.first(), First::Ours);
            assert!(
                instance.notes().iter().any(|note| note.contains("mend it with: sudo apt-get install -y slirp4netns"))
            );
            assert!(network(instance).why.contains("the host's"));
        }
        return;
    }
    // An address of this machine that is not the loopback interface's: that stays closed.
    let listener = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let outside = std::net::UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect("192.0.2.1:9")?;
        socket.local_addr()
    });
    for instance in &instances {
        assert_eq!(instance.first(), First::System, "{:?}", instance.notes());
        instance.reboot().unwrap();
        assert_eq!(sh(instance, "systemctl is-active web.service"), "active");
        assert!(network(instance).why.contains("slirp4netns"));
        assert_eq!(sh(instance, "cat /etc/resolv.conf"), "nameserver 10.0.2.3");
        let resolved = "systemctl is-enabled systemd-resolved.service 2>/dev/null || true";
        assert_eq!(sh(instance, resolved), "masked-runtime");
        if let Ok(outside) = &outside {
            let outcome = run(instance, &bench::builtin(&format!("connect {}:{port}", outside.ip())));
            assert_eq!(outcome.out, ["connected"]);
        }
    }
}

fn an_image_without_systemd_says_so() {
    let instance = Instance::start(&Spec { first: First::System, ..spec(vec![base()]) }).unwrap();
    assert_eq!(instance.first(), First::Ours);
    assert_eq!(
        notes(&instance),
        ["services of the image are not started, and `systemctl` does not work: the image has no systemd"]
    );
    assert_eq!(sh(&instance, "echo alive"), "alive");
    let init = instance.facts().into_iter().find(|fact| fact.name == facts::INIT).unwrap();
    assert!(!init.real && init.why.contains("no service is started"), "{init:?}");
    assert_eq!(instance.facts().iter().filter(|fact| fact.real).count(), 0);
    assert_eq!(
        fs::read_to_string(instance.root().join("etc/hostname")).ok(),
        fs::read_to_string(base().join("etc/hostname")).ok()
    );
}

fn without_systemd_restarts_come_from_outside_only() {
    let instance = Instance::start(&spec(vec![system_root()])).unwrap();
    assert_eq!(instance.first(), First::Ours);
    let id = sh(&instance, "cat /proc/sys/kernel/random/boot_id");
    assert_eq!(sh(&instance, "cat /proc/sys/kernel/random/boot_id"), id);
    sh(&instance, "touch /tmp/mark /var/lib/mark");
    for command in ["reboot", "poweroff"] {
        let refused = run(&instance, &shell(&format!("systemctl --force --force {command}")));
        assert_eq!(refused.exit, Exit::Code(1), "{refused:?}");
    }
    assert_eq!((sh(&instance, "ls /tmp"), instance.boots()), ("mark".to_owned(), 1));
    instance.reboot().unwrap();
    let marks = sh(&instance, MARKS);
    let (new, files) = marks.split_once('\n').unwrap();
    assert_eq!((files, instance.boots()), ("/var/lib/mark", 2));
    assert_ne!(new, id);
}

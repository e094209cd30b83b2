//! Machines with the image's own kernel, through the library: what they are, and every way in which they do not come up.
//! What `amiforge test --vm` makes of them is in `trial/machine.rs`; both use the same root, kept in the build's folder.
//!
//! Without the standard harness, because the machine's process 1 is this very program. A start costs five to ten seconds
//! without acceleration: what can be seen on one machine is looked at on one.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "a test program")]

#[allow(dead_code, reason = "the other half of it is for the tests of trials")]
#[path = "trial/harness.rs"]
mod harness;
#[path = "support/mod.rs"]
mod support;

use amiforge::sandbox::root::{self, Cache, Source};
use amiforge::sandbox::{Exit, Job, Line, SandboxError, Vm, VmKiller, VmSpec};
use harness::{Env, Test, component, folder};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::LazyLock;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

const TESTS: &[Test] = &[
    ("what_it_is_and_how_it_ends", what_it_is_and_how_it_ends),
    ("starts_that_fail_say_how", starts_that_fail_say_how),
    ("a_start_can_be_stopped", a_start_can_be_stopped),
    ("a_full_disk_of_this_machine_is_told", a_full_disk_of_this_machine_is_told),
    ("a_full_disk_of_the_machine_is_told", a_full_disk_of_the_machine_is_told),
    ("without_an_emulator_its_package_is_named", without_an_emulator_its_package_is_named),
];

fn main() -> ExitCode {
    if let Some(code) = amiforge::sandbox::init::main(shell) {
        return ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX));
    }
    let code = harness::run(TESTS);
    harness::clean();
    code
}

/// The handler of this program's jobs: a line for the shell.
fn shell(payload: &[u8], out: &mut dyn Write) -> i32 {
    let text = String::from_utf8_lossy(payload).into_owned();
    let output = Command::new("/bin/sh").args(["-c", &text]).output().unwrap();
    out.write_all(&output.stdout).and_then(|()| out.write_all(&output.stderr)).unwrap();
    output.status.code().unwrap_or(255)
}

fn cache() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("machine-cache")
}

/// Debian with systemd and its kernel for virtual machines, as `--os debian-12 --vm` asks for it.
static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
    let kernel = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    let text = format!("debian-12:ca-certificates:iproute2:procps:systemd:systemd-sysv:linux-image-cloud-{kernel}");
    let source: Source = text.parse().unwrap();
    root::obtain(&source, &Cache::new(cache()), &mut |_| ()).unwrap().path.clone()
});

fn spec(top: Option<PathBuf>) -> VmSpec {
    VmSpec {
        layers: top.into_iter().chain([ROOT.clone()]).collect(),
        scratch: folder("vm-"),
        offline: true,
        memory: None,
        disk: None,
        patience: Duration::from_mins(3),
    }
}

/// A layer in which this stands in the place of the image's systemd.
fn instead_of_systemd(script: &str) -> PathBuf {
    let layer = folder("layer-");
    let path = layer.join("usr/lib/systemd/systemd");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    layer
}

fn start(spec: &VmSpec) -> Result<Vm, SandboxError> {
    Vm::start(spec, &mut |_| ())
}

/// What a line for the shell says in the machine, and how it ends.
fn ask(vm: &Vm, script: &str) -> (String, Result<Exit, SandboxError>) {
    let mut said = Vec::new();
    let job = Job::Builtin { payload: script.as_bytes().to_vec(), timeout: Some(Duration::from_mins(1)) };
    let ended = vm.run_answering(&job, &mut |line| {
        let (Line::Out(line) | Line::Err(line)) = line;
        said.push(line);
        None
    });
    (said.join("\n"), ended)
}

fn answer(vm: &Vm, script: &str) -> String {
    let (said, ended) = ask(vm, script);
    assert_eq!(ended.unwrap(), Exit::Code(0), "{script}: {said}");
    said
}

/// Emulators whose disk is in this folder.
fn emulators(scratch: &Path) -> Vec<String> {
    harness::processes_with(&scratch.join("disk").display().to_string())
}

fn what_it_is_and_how_it_ends() {
    let spec = spec(None);
    let vm = start(&spec).unwrap();
    let kernel = answer(&vm, "uname -r");
    assert!(kernel == vm.kernel() && kernel.contains("cloud"), "{kernel}");
    assert_eq!(answer(&vm, "ls /lib/modules"), kernel);
    let accelerated = !vm.notes().iter().any(|note| note.contains("emulated, without the processor's help ("));
    assert!(accelerated == vm.notes().is_empty(), "{:?}", vm.notes());
    assert!(vm.console().iter().any(|line| line.contains("Multi-User System")), "{:#?}", vm.console());
    assert_eq!(answer(&vm, "ls /sys/class/net; cat /proc/1/comm; systemctl is-system-running"), "lo\nsystemd\nrunning");
    // What the image does not bring along is not there: no file of ours, and owners are those of the image.
    assert_eq!(answer(&vm, "find / -xdev -iname '*amiforge*'; stat -c %u:%a /etc/shadow"), "0:640");
    assert!(ask(&vm, "exit 7").1.unwrap() == Exit::Code(7));
    let boot_id = "cat /proc/sys/kernel/random/boot_id";
    let first = answer(&vm, &format!("touch /run/of-this-boot /var/kept; {boot_id}"));
    let begun = Instant::now();
    vm.reboot().unwrap();
    println!("  a restart took {:.1} s", begun.elapsed().as_secs_f64());
    assert_ne!(answer(&vm, boot_id), first);
    assert_eq!(answer(&vm, "ls /var/kept; test ! -e /run/of-this-boot"), "/var/kept");
    let (killer, (tell, hear)) = (vm.killer(), channel());
    let killing = thread::spawn(move || {
        hear.recv().unwrap();
        VmKiller::kill(&killer);
    });
    let job = Job::Builtin { payload: b"echo began".to_vec(), timeout: None };
    let ended = vm.run_answering(&job, &mut |_| {
        tell.send(()).unwrap();
        None
    });
    // It is either over by then, or cut off.
    assert!(matches!(ended, Ok(Exit::Code(0)) | Err(SandboxError::Gone)), "{ended:?}");
    killing.join().unwrap();
    assert!(matches!(ask(&vm, "true").1, Err(SandboxError::Gone)));
    drop(vm);
    assert_eq!(emulators(&spec.scratch), Vec::<String>::new());
    root::remove(&spec.scratch).unwrap();
}

fn starts_that_fail_say_how() {
    let refused = |top: PathBuf, patience: u64| {
        let spec = VmSpec { patience: Duration::from_secs(patience), ..spec(Some(top)) };
        let error = start(&spec).unwrap_err();
        assert_eq!(emulators(&spec.scratch), Vec::<String>::new(), "{error}");
        root::remove(&spec.scratch).unwrap();
        error
    };
    // It hangs: the time is up, and the last that its console said is told.
    let hangs = refused(instead_of_systemd("echo and then nothing >/dev/console; exec sleep 600"), 60).to_string();
    let told = hangs.starts_with("it did not boot within 60 seconds\n") && hangs.ends_with("| and then nothing");
    assert!(told, "{hangs}");
    let panics = refused(instead_of_systemd("exit 3"), 120).to_string();
    assert!(panics.starts_with("Kernel panic - not syncing: Attempted to kill init!"), "{panics}");
    let off = refused(instead_of_systemd("mount -t proc proc /proc; echo o >/proc/sysrq-trigger; exec sleep 600"), 120);
    assert!(matches!(off, SandboxError::SwitchedOff), "{off}");
    let emergency = folder("layer-");
    fs::create_dir_all(emergency.join("etc/systemd/system")).unwrap();
    let target = emergency.join("etc/systemd/system/default.target");
    std::os::unix::fs::symlink("/usr/lib/systemd/system/emergency.target", target).unwrap();
    let stopped = refused(emergency, 120).to_string();
    assert!(stopped.starts_with("it did not boot: its systemd stopped in emergency or rescue mode"), "{stopped}");
    // Neither of these is started at all.
    let empty = VmSpec { layers: vec![folder("empty-")], ..spec(None) };
    assert!(start(&empty).unwrap_err().to_string().contains("it has no systemd"));
    fs::create_dir_all(empty.layers[0].join("usr/lib/systemd")).unwrap();
    fs::write(empty.layers[0].join("usr/lib/systemd/systemd"), "").unwrap();
    assert!(start(&empty).unwrap_err().to_string().contains("it has no kernel"));
}

fn a_start_can_be_stopped() {
    let spec = spec(Some(instead_of_systemd("exec sleep 600")));
    let begun = Instant::now();
    let ended = Vm::start(&spec, &mut |killer| killer.kill());
    assert!(matches!(ended, Err(SandboxError::Gone)), "{ended:?}");
    assert!(begun.elapsed() < Duration::from_mins(1));
    assert_eq!(emulators(&spec.scratch), Vec::<String>::new());
}

fn a_full_disk_of_this_machine_is_told() {
    if !nix::unistd::geteuid().is_root() {
        println!("  not run: only root can make a file system that is full");
        return;
    }
    let spec = spec(None);
    let size = tree_size(&ROOT) + (160 << 20);
    mount(Some("tmpfs"), &spec.scratch, Some("tmpfs"), MsFlags::empty(), Some(format!("size={size}").as_str()))
        .unwrap();
    let ended = std::panic::catch_unwind(|| {
        let vm = start(&spec).unwrap();
        ask(&vm, "dd if=/dev/zero of=/var/big bs=1M count=1024; sync; sleep 50").1
    });
    umount2(&spec.scratch, MntFlags::MNT_DETACH).unwrap();
    let text = ended.unwrap().unwrap_err().to_string();
    assert!(text.starts_with("its disk failed, most likely because the file system that holds it is full"), "{text}");
    let small = VmSpec { scratch: folder("small-"), ..spec };
    mount(Some("tmpfs"), &small.scratch, Some("tmpfs"), MsFlags::empty(), Some("size=100m")).unwrap();
    let refused = start(&small).map(drop);
    umount2(&small.scratch, MntFlags::MNT_DETACH).unwrap();
    assert!(matches!(refused, Err(SandboxError::Space { .. })), "{refused:?}");
}

fn tree_size(folder: &Path) -> u64 {
    let output = Command::new("du").args(["-sB1", "--apparent-size"]).arg(folder).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.split_whitespace().next().unwrap().parse().unwrap()
}

fn vm_command(env: &Env) -> Command {
    let mut command = env.command(&["test", "fills", "--vm", "--os", "debian-12", "--disk", "64M", "--offline"]);
    command.env("AMIFORGE_CACHE", cache());
    command
}

fn fills() -> Env {
    let script = "dd if=/dev/zero of=/var/big bs=1M count=4000";
    Env::new(&[("fills", &component(&[("test", &[("Fill", script)])]))])
}

fn a_full_disk_of_the_machine_is_told() {
    let env = fills();
    let output = vm_command(&env).output().unwrap();
    let text = env.normal(&[output.stdout, output.stderr].concat());
    assert_eq!(output.status.code(), Some(6), "{text}");
    assert!(text.contains("No space left on device") && text.contains("--disk SIZE gives"), "{text}");
    // A machine cannot be kept, so nobody is sent there.
    assert!(!text.contains("--keep"), "{text}");
}

fn without_an_emulator_its_package_is_named() {
    if !nix::unistd::geteuid().is_root() {
        println!("  not run: only root can hide a program");
        return;
    }
    for (program, package) in [(emulator(), "qemu-system-x86"), ("mke2fs".to_owned(), "e2fsprogs")] {
        let env = fills();
        let inner = vm_command(&env);
        let words = inner.get_args().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ");
        let hide = format!(
            "for f in /usr/bin/{program} /usr/sbin/{program}; do [ ! -e $f ] || mount --bind /dev/null $f; done; \
             exec {} {words}",
            inner.get_program().to_string_lossy()
        );
        let mut command = Command::new("unshare");
        command.args(["-m", "sh", "-c", &hide]).env_clear().current_dir(env.project());
        command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let output = command.output().unwrap();
        let text = env.normal(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(&format!("{program} is not installed")) && text.contains(package), "{text}");
    }
}

fn emulator() -> String {
    format!("qemu-system-{}", std::env::consts::ARCH)
}

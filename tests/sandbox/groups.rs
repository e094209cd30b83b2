//! Control groups of instances that run the image's own systemd, and that nothing is left of them.

use crate::bench::{self, sh, shell, spec};
use crate::boot::{start, system_root};
use amiforge::sandbox::{First, Instance, Spec};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Where control groups are, and the one that a process is in.
fn group(process: &str) -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    let mount =
        mounts.lines().find(|line| line.split(' ').nth(2) == Some("cgroup2")).and_then(|line| line.split(' ').nth(1));
    let groups = fs::read_to_string(format!("/proc/{process}/cgroup")).ok()?;
    let own = groups.lines().find_map(|line| line.strip_prefix("0::/"))?;
    Some(Path::new(mount.unwrap()).join(own))
}

/// The control group that this process is in.
pub fn own_group() -> PathBuf {
    group("self").unwrap()
}

/// The control group of the process in an instance that has that text in its command line.
fn group_of(text: &str) -> Option<PathBuf> {
    fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let line = fs::read(entry.path().join("cmdline")).ok()?;
        let is_it = String::from_utf8_lossy(&line).contains(text);
        let group = is_it.then(|| group(&entry.file_name().to_string_lossy()))??;
        group.to_string_lossy().contains("amiforge-").then_some(group)
    })
}

pub fn groups_of_the_dead_are_swept() {
    // No process can have this number; the kernel's limit is 4194304.
    let dead = own_group().join("amiforge-4294967295");
    let alive = own_group().join(format!("amiforge-{}", std::process::id()));
    fs::create_dir_all(dead.join("box/system.slice")).unwrap();
    fs::create_dir(&alive).unwrap();
    let instance = start(&[]);
    let root = instance.root();
    let outer = root.iter().nth(2).unwrap().to_str().unwrap();
    let own = own_group().join(format!("amiforge-{outer}"));
    assert!(!dead.exists() && alive.exists() && own.exists());
    fs::remove_dir(&alive).unwrap();
    drop(instance);
    assert!(!own.exists());
}

/// A process that ends with the test, however that ends.
struct Victim(std::process::Child);

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub fn a_killed_program_leaves_nothing() {
    let folder = bench::place("system-victim");
    let victim = Command::new("/proc/self/exe")
        .arg("--system-victim")
        .arg(format!("{}|{}", folder.display(), system_root().display()))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut victim = Victim(victim);
    let seconds = BufReader::new(victim.0.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    bench::eventually("its service runs", || group_of(&format!("sleep\0{seconds}")).is_some());
    let group = group_of(&format!("sleep\0{seconds}")).unwrap();
    let own = group.ancestors().find(|path| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("amiforge-") && name != "amiforge-jobs")
    });
    let own = own.unwrap().to_owned();
    assert!(own.join("box/system.slice").exists());
    let begun = Instant::now();
    kill(Pid::from_raw(victim.0.id().cast_signed()), Signal::SIGKILL).unwrap();
    victim.0.wait().unwrap();
    bench::eventually("its processes end", || bench::processes_with(&seconds).is_empty());
    bench::eventually("its control group is removed", || !own.exists());
    println!("    nothing left after {:?}", begun.elapsed());
    let mounted = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert!(!mounted.contains(&*folder.to_string_lossy()), "mounted: {mounted}");
    bench::eventually("its folder can be swept", || {
        amiforge::sandbox::root::sweep(&folder).unwrap() == [folder.join("scratch")]
    });
}

/// Starts an instance with a service, says how it can be told, and waits to be killed.
pub fn victim(places: &str) {
    let (folder, root) = places.split_once('|').unwrap();
    bench::set_base(folder);
    let seconds = bench::unique_seconds();
    let units = Path::new(folder).join("units/etc/systemd/system/multi-user.target.wants");
    fs::create_dir_all(&units).unwrap();
    let unit = Path::new(folder).join("units/etc/systemd/system/sleeper.service");
    fs::write(unit, format!("[Service]\nExecStart=/bin/sleep {seconds}\n")).unwrap();
    symlink("/etc/systemd/system/sleeper.service", units.join("sleeper.service")).unwrap();
    let mut spec = spec(vec![Path::new(folder).join("units"), PathBuf::from(root)]);
    spec.scratch = Path::new(folder).join("scratch");
    spec.first = First::System;
    let instance = Instance::start(&spec).unwrap();
    println!("{seconds}");
    std::io::stdout().flush().unwrap();
    instance.run(&shell(&format!("trap '' TERM; sleep {seconds}")), &mut |_| ()).unwrap();
}

/// The other half of a test of [`crate::user`].
pub fn without_group(places: &str) {
    let (folder, root) = places.split_once('|').unwrap();
    bench::set_base(folder);
    let instance = Instance::start(&Spec { first: First::System, ..spec(vec![PathBuf::from(root)]) }).unwrap();
    println!("{:?}, {}", instance.first(), sh(&instance, "echo alive"));
    instance.notes().iter().for_each(|note| println!("{note}"));
    drop(instance);
    bench::clean();
}

//! Layers: what lands in the upper one, what is captured, what is stacked.

use crate::Test;
use crate::bench::{self, base, injected, run, sh, shell, spec};
use amiforge::sandbox::{Exit, Instance, layers, root};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

pub const TESTS: &[Test] = &[
    ("files::a_captured_layer_is_the_next_parent", a_captured_layer_is_the_next_parent),
    ("files::injected_files_never_land_in_the_image", injected_files_never_land_in_the_image),
    ("files::a_reboot_keeps_the_disk_and_nothing_else", a_reboot_keeps_the_disk_and_nothing_else),
    ("files::many_layers_with_odd_names", many_layers_with_odd_names),
    ("files::a_file_system_without_room_for_a_layer", a_file_system_without_room_for_a_layer),
];

pub fn a_captured_layer_is_the_next_parent() {
    let first = Instance::start(&spec(vec![base()])).unwrap();
    let script = "echo new > /etc/new; rm /etc/debian_version; mkdir -p /srv/d; chown 33:33 /srv/d; echo x > /tmp/gone; \
                  rm -r /etc/apt/apt.conf.d; mkdir /etc/apt/apt.conf.d; echo own > /etc/apt/apt.conf.d/own; \
                  mkdir -p /var/lib/state/x; echo gone > /var/lib/apt/lists/index";
    sh(&first, script);
    first.stop();
    let layer = bench::place("layer");
    root::capture(first.upper(), &layer, &["/var/lib/state"]).unwrap();
    drop(first);
    let stack = [layer.clone(), base()];
    let read = |path: &str| layers::read_file(&stack, Path::new(path)).unwrap();
    assert_eq!(read("/etc/new").as_deref(), Some(b"new\n".as_slice()));
    assert_eq!(read("/etc/debian_version"), None);
    assert!(read("/etc/os-release").is_some());
    assert!(!layer.join("tmp/gone").exists() && !layer.join("var/lib/state").exists());
    assert!(!layer.join("var/lib/apt/lists/index").exists());
    let second = Instance::start(&spec(stack.to_vec())).unwrap();
    let owner = if bench::mode() == "userns-fake" { "0:0" } else { "33:33" };
    assert_eq!(
        sh(&second, "cat /etc/new; ls /etc/apt/apt.conf.d | grep -v amiforge; stat -c %u:%g /srv/d"),
        format!("new\nown\n{owner}")
    );
    assert_eq!(run(&second, &shell("test -e /etc/debian_version")).exit, Exit::Code(1));
    sh(&second, "rm /etc/new");
    second.stop();
    let above = bench::place("layer");
    root::capture(second.upper(), &above, &[]).unwrap();
    let third = [above, layer, base()];
    assert_eq!(layers::read_file(&third, Path::new("/etc/new")).unwrap(), None);
    assert_eq!(
        sh(&Instance::start(&spec(third.to_vec())).unwrap(), "ls /etc/new 2>&1 || echo none").lines().last(),
        Some("none")
    );
}

fn injected_files_never_land_in_the_image() {
    let mut spec = spec(vec![base()]);
    spec.inject.extend([
        injected("/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n"),
        injected("/etc/apt/apt.conf.d/99amiforge", "// x\n"),
    ]);
    spec.inject.extend([injected("/etc/changed", "ours\n"), injected("/opt/new/folder/file", "x")]);
    let modes = |root: &Path| {
        ["", "usr", "usr/sbin", "etc", "etc/apt"].map(|path| fs::metadata(root.join(path)).unwrap().mode())
    };
    let instance = Instance::start(&spec).unwrap();
    assert_eq!(modes(&instance.root()), modes(&base()), "folders of the image look different");
    assert_eq!(sh(&instance, "cat /usr/sbin/policy-rc.d | tail -n 1"), "exit 101");
    // Touched, removed, and really changed.
    sh(
        &instance,
        "chmod 700 /usr/sbin/policy-rc.d; rm /etc/apt/apt.conf.d/99amiforge; echo theirs > /etc/changed; touch /usr/sbin/own",
    );
    instance.stop();
    let layer = bench::place("layer");
    root::capture(instance.upper(), &layer, &[]).unwrap();
    assert!(fs::symlink_metadata(layer.join("usr/sbin/policy-rc.d")).is_err());
    assert!(fs::symlink_metadata(layer.join("etc/apt/apt.conf.d/99amiforge")).is_err());
    assert!(!layer.join("opt").exists());
    assert!(layer.join("usr/sbin/own").exists());
    assert_eq!(fs::read_to_string(layer.join("etc/changed")).unwrap(), "theirs\n");
}

fn a_reboot_keeps_the_disk_and_nothing_else() {
    let instance = bench::instance();
    let seconds = bench::unique_seconds();
    sh(
        &instance,
        &format!(
            "echo kept > /etc/kept; touch /run/reboot-required /tmp/x /dev/shm/x; setsid sleep {seconds} >/dev/null 2>&1 &"
        ),
    );
    let before = instance.root();
    instance.reboot().unwrap();
    assert!(before != instance.root() || bench::mode() == "chroot-copy");
    assert_eq!(sh(&instance, "cat /etc/kept; ls /run /tmp /dev/shm"), "kept\n/dev/shm:\n\n/run:\nlock\n\n/tmp:");
    assert_eq!(bench::processes_with(&seconds), Vec::<String>::new());
    instance.reboot().unwrap();
    assert_eq!(sh(&instance, "cat /etc/kept"), "kept");
}

fn many_layers_with_odd_names() {
    let folder = bench::place("odd, names: with\\everything");
    let mut layers: Vec<PathBuf> =
        (0..60).map(|number| folder.join(format!("a rather long name of a layer, number:{number}"))).collect();
    for (number, layer) in layers.iter().enumerate() {
        fs::create_dir_all(layer.join("layers")).unwrap();
        fs::set_permissions(layer, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(layer.join("layers").join(number.to_string()), "x").unwrap();
    }
    layers.push(base());
    let mut spec = spec(layers);
    spec.scratch = folder.join("scratch, too:");
    let instance = Instance::start(&spec).unwrap();
    assert_eq!(sh(&instance, "ls /layers | wc -l"), "60");
}

/// In a container `/` is an overlay, which cannot hold the upper layer of another.
fn a_file_system_without_room_for_a_layer() {
    if !nix::unistd::geteuid().is_root() {
        return; // An ordinary user cannot make the overlay to try it on.
    }
    let folder = std::env::temp_dir().join(format!("amiforge-container-{}", std::process::id()));
    let places = format!("{}|{}", folder.display(), base().display());
    let output = Command::new("/proc/self/exe").args(["--on-overlay", &places]).output().unwrap();
    root::remove(&folder).unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

/// The other half of the test above, in a process with mounts of its own.
pub fn on_overlay(places: &str) {
    let (folder, base) = places.split_once('|').unwrap();
    bench::set_base(folder);
    let folder = Path::new(folder);
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
    let path = |name: &str| folder.join(name);
    for name in ["lower", "upper", "work", "merged"] {
        fs::create_dir_all(path(name)).unwrap();
    }
    let options = format!("lowerdir={0}/lower,upperdir={0}/upper,workdir={0}/work", folder.display());
    mount(Some("overlay"), &path("merged"), Some("overlay"), MsFlags::empty(), Some(options.as_str())).unwrap();
    let mut spec = spec(vec![PathBuf::from(base)]);
    spec.scratch = path("merged").join("scratch");
    let instance = Instance::start(&spec).unwrap();
    assert!(instance.notes()[0].contains("cannot hold an overlay's upper layer"), "{:?}", instance.notes());
    assert!(instance.upper().starts_with("/dev/shm"), "{}", instance.upper().display());
    sh(&instance, "echo kept > /etc/kept");
    instance.reboot().unwrap();
    assert_eq!(sh(&instance, "cat /etc/kept"), "kept");
    instance.stop();
    let layer = path("layer");
    root::capture(instance.upper(), &layer, &[]).unwrap();
    assert_eq!(fs::read_to_string(layer.join("etc/kept")).unwrap(), "kept\n");
    let memory = instance.upper().parent().unwrap().to_owned();
    drop(instance);
    root::remove(&spec.scratch).unwrap();
    assert!(!memory.exists() && !spec.scratch.exists());
}

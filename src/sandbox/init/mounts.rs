//! The file systems of an instance.

use super::inject::InjectLayer;
use crate::sandbox::sys;
use crate::sandbox::tree;
use crate::sandbox::wire::{Failure, InstanceSetup, Step, Walls};
use nix::fcntl::OFlag;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::stat::Mode;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};

/// Device nodes of the host that every program may expect. New ones cannot be made in a user namespace, so the host's
/// are bound.
pub(super) const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// The option string of mount(2) must fit into one page.
const OPTIONS: usize = 4095;

/// Bytes that a file system in memory has at least: none would be no limit (tmpfs(5)).
const FRESH: u64 = 1 << 20;

const BASIC_HOSTS: &[u8] = b"127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";

pub(super) type Result<T> = std::result::Result<T, Failure>;

/// What an instance has at /sys/fs/cgroup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Groups {
    /// Nothing: the host's are not shown.
    None,
    /// The tree of the control group namespace, for the image's systemd.
    Own,
}

/// Makes the root of an instance and moves into it; returns notes for the user.
pub(super) fn instance(setup: &InstanceSetup, walls: Walls, body: &[u8], groups: Groups) -> Result<Vec<String>> {
    make_private()?;
    let mut stack = vec![upper_layer(setup)?];
    stack.extend(setup.layers.iter().cloned());
    let merged = setup.scratch.join("merged");
    let plan = prepare(setup, body, &stack, &merged)?;
    overlay(setup, &plan.inject, &merged)?;
    let mut notes = Vec::new();
    processes(&plan.proc)?;
    kernel_objects(&plan.sys, groups, &mut notes)?;
    let memory = setup.limits.memory;
    devices(&plan.dev, walls, memory)?;
    fresh(&plan.tmp, "mode=1777", memory)?;
    fresh(&plan.run, "mode=755", memory)?;
    make_folder(&plan.run.join("lock"), 0o1777)?;
    boot_id(&plan.proc, &plan.run)?;
    for (source, target) in &plan.binds {
        show(source, target)?;
    }
    pivot(&merged)?;
    if let (Some(place), Some(text)) = (&plan.resolver_place, &setup.resolver) {
        write_fresh(place, text.as_bytes()).map_err(failed(Step::File, "write", place))?;
    }
    Ok(notes)
}

/// Takes back what [`instance`] has mounted before it failed with [`Step::Group`], and so before it changed the root.
pub(super) fn undo(setup: &InstanceSetup) {
    let _ = umount2(&setup.scratch.join("merged"), MntFlags::MNT_DETACH);
}

/// What belongs to the namespaces that jobs are master of: the name and the network.
pub(super) fn finish(setup: &InstanceSetup) -> Result<()> {
    nix::unistd::sethostname(&setup.hostname).map_err(Failure::os(Step::Other, "set the host name"))?;
    if setup.loopback_only {
        sys::loopback_up().map_err(Failure::io(Step::Network, "bring the loopback interface up"))?;
    }
    Ok(())
}

/// The host's files as they are, with a /proc that fits the new pid namespace.
pub(super) fn workshop() -> Result<Vec<String>> {
    make_private()?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), flags, None::<&str>)
        .map_err(Failure::os(Step::Proc, "mount a new /proc"))?;
    Ok(Vec::new())
}

/// Where everything goes, on paths of the host, once the overlay is mounted.
pub(super) struct Places {
    pub(super) inject: PathBuf,
    pub(super) proc: PathBuf,
    pub(super) sys: PathBuf,
    pub(super) dev: PathBuf,
    pub(super) run: PathBuf,
    pub(super) tmp: PathBuf,
    pub(super) binds: Vec<(PathBuf, PathBuf)>,
    /// Inside: where resolv.conf leads to when that is on a fresh file system.
    pub(super) resolver_place: Option<PathBuf>,
}

fn make_private() -> Result<()> {
    let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, flags, None::<&str>)
        .map_err(Failure::os(Step::Mount, "keep mounts to ourselves"))
}

/// The upper layer; when new, its root looks like the image's.
fn upper_layer(setup: &InstanceSetup) -> Result<PathBuf> {
    let upper = setup.scratch.join("upper");
    if !upper.exists() {
        let top = setup.layers.first().ok_or_else(|| Failure::other("find the image", "it has no layer"))?;
        let like = fs::metadata(top).map_err(failed(Step::File, "read", top))?;
        make_folder(&upper, like.mode() & 0o7777)?;
        lchown(&upper, Some(like.uid()), Some(like.gid())).map_err(failed(Step::File, "give away", &upper))?;
    }
    Ok(upper)
}

pub(super) fn prepare(setup: &InstanceSetup, body: &[u8], stack: &[PathBuf], merged: &Path) -> Result<Places> {
    let folder = setup.scratch.join("inject");
    let mut layer = InjectLayer::new(folder.clone(), stack).map_err(failed(Step::File, "make", &folder))?;
    let mut rest = body;
    for file in &setup.inject {
        let (content, after) = rest.split_at_checked(file.length).unwrap_or((rest, &[]));
        rest = after;
        layer.file(&file.path, file.mode, content).map_err(failed(Step::File, "inject", &file.path))?;
    }
    let hosts = Path::new("/etc/hosts");
    layer.default_file(hosts, 0o644, BASIC_HOSTS).map_err(failed(Step::File, "inject", hosts))?;
    let mut resolver_place = None;
    if let Some(text) = &setup.resolver {
        let path = Path::new("/etc/resolv.conf");
        resolver_place = layer.file_behind(path, 0o644, text.as_bytes()).map_err(failed(Step::File, "inject", path))?;
    }
    let mut place = |path: &Path, is_folder: bool| {
        let inside = layer.mount_point(path, is_folder).map_err(failed(Step::File, "make room for", path))?;
        Ok(merged.join(inside.strip_prefix("/").unwrap_or(&inside)))
    };
    let places = |layer_place: &mut dyn FnMut(&Path, bool) -> Result<PathBuf>| -> Result<Places> {
        let mut binds = Vec::new();
        for path in &setup.bind {
            binds.push((path.clone(), layer_place(path, path.is_dir())?));
        }
        Ok(Places {
            inject: folder.clone(),
            proc: layer_place(Path::new("/proc"), true)?,
            sys: layer_place(Path::new("/sys"), true)?,
            dev: layer_place(Path::new("/dev"), true)?,
            run: layer_place(Path::new("/run"), true)?,
            tmp: layer_place(Path::new("/tmp"), true)?,
            binds,
            resolver_place,
        })
    };
    let places = places(&mut place)?;
    layer.finish().map_err(failed(Step::File, "finish", &folder))?;
    Ok(places)
}

/// Mounts the layers. They are named by descriptors and not by paths: no character in a path needs escaping, and
/// many more fit into the option string.
fn overlay(setup: &InstanceSetup, inject: &Path, merged: &Path) -> Result<()> {
    let work = setup.scratch.join("work");
    // An overlay mounted `volatile` leaves a mark in its work folder that forbids to use it again.
    tree::remove_if_there(&work).map_err(failed(Step::File, "remove", &work))?;
    make_folder(&work, 0o700)?;
    if !merged.exists() {
        make_folder(merged, 0o755)?;
    }
    let lower: Vec<OwnedFd> =
        std::iter::once(inject).chain(setup.layers.iter().map(PathBuf::as_path)).map(hold).collect::<Result<_>>()?;
    let (upper, work) = (hold(&setup.scratch.join("upper"))?, hold(&work)?);
    let name = |fd: &OwnedFd| format!("/proc/self/fd/{}", fd.as_raw_fd());
    let lower: Vec<String> = lower.iter().map(name).collect();
    let options =
        format!("lowerdir={},upperdir={},workdir={},userxattr,volatile", lower.join(":"), name(&upper), name(&work));
    if options.len() > OPTIONS {
        return Err(Failure::other("mount the layers", format!("{} layers are too many", setup.layers.len())));
    }
    mount(Some("overlay"), merged, Some("overlay"), MsFlags::empty(), Some(options.as_str()))
        .map_err(Failure::os(Step::Overlay, "mount the layers as an overlay"))
}

fn hold(folder: &Path) -> Result<OwnedFd> {
    nix::fcntl::open(folder, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(|errno| failed(Step::File, "open", folder)(errno.into()))
}

fn processes(proc: &Path) -> Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), proc, Some("proc"), flags, None::<&str>).map_err(Failure::os(Step::Proc, "mount /proc"))?;
    forbid_group_namespaces(proc)?;
    protect_kernel(proc)?;
    // Names the keys of everyone who has our id, the machine's root included.
    let keys = proc.join("keys");
    if keys.exists() { show(Path::new("/dev/null"), &keys) } else { Ok(()) }
}

/// Lets nobody below the present user namespace make namespaces of control groups, which would show the machine's
/// (`lock`). `namespaces(7)`, "The /proc/sys/user directory".
fn forbid_group_namespaces(proc: &Path) -> Result<()> {
    let path = proc.join("sys/user/max_cgroup_namespaces");
    match fs::write(&path, "0") {
        // A kernel without control groups has no such file, and nothing to forbid.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.map_err(failed(Step::Proc, "write", &path)),
    }
}

/// Makes all of /proc read-only that is not a process's: root in here has the id of the machine's root when that runs us,
/// and the kernel compares just ids when a file of /proc is written to. Which files there are depends on its drivers.
fn protect_kernel(proc: &Path) -> Result<()> {
    for path in kernels_own(proc).map_err(failed(Step::File, "read", proc))? {
        bind(&path, &path)?;
        sys::mount_read_only(&path, false).map_err(failed(Step::Mount, "make read-only", &path))?;
    }
    Ok(())
}

/// The folders and the writable files of /proc that are not a process's. `self`, `mounts` and `net` are links.
fn kernels_own(proc: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(proc)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let is_process = entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit);
        if !is_process && (kind.is_dir() || kind.is_file() && entry.metadata()?.mode() & 0o222 != 0) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// The host's /sys, read-only, without its control groups. Where that is not to be had (Linux before 5.12), an empty one.
fn kernel_objects(sys: &Path, groups: Groups, notes: &mut Vec<String>) -> Result<()> {
    let shown = bind(Path::new("/sys"), sys)
        .and_then(|()| sys::mount_read_only(sys, true).map_err(failed(Step::Mount, "make read-only", sys)));
    if let Err(failure) = shown {
        // A writable one must not stay.
        let _ = umount2(sys, MntFlags::MNT_DETACH);
        if groups == Groups::Own {
            return Err(Failure { step: Step::Group, ..failure });
        }
        notes.push(format!("/sys is empty inside ({}: {})", failure.what, failure.reason));
        return empty(sys);
    }
    let folder = sys.join("fs/cgroup");
    match groups {
        Groups::None if folder.is_dir() => empty(&folder),
        Groups::None => Ok(()),
        Groups::Own => {
            let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
            mount(Some("cgroup2"), &folder, Some("cgroup2"), flags, None::<&str>)
                .map_err(|errno| failed(Step::Group, "mount control groups at", &folder)(errno.into()))
        }
    }
}

/// Another id for each start, as a machine has; the host's would say that nothing ever restarted.
fn boot_id(proc: &Path, run: &Path) -> Result<()> {
    let (shown, source) = (proc.join("sys/kernel/random/boot_id"), run.join("boot-id"));
    // Every look at this file finds another id in it.
    let fresh = Path::new("/proc/sys/kernel/random/uuid");
    let id = fs::read(fresh).map_err(failed(Step::File, "read", fresh))?;
    fs::write(&source, id).map_err(failed(Step::File, "write", &source))?;
    bind(&source, &shown)?;
    sys::mount_read_only(&shown, false).map_err(failed(Step::Mount, "make read-only", &shown))?;
    // What is bound stays.
    fs::remove_file(&source).map_err(failed(Step::File, "remove", &source))
}

fn empty(folder: &Path) -> Result<()> {
    let flags = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("tmpfs"), folder, Some("tmpfs"), flags, Some("mode=755,size=4k"))
        .map_err(|errno| failed(Step::Mount, "cover", folder)(errno.into()))
}

fn devices(dev: &Path, walls: Walls, memory: Option<u64>) -> Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC;
    let mounted = |what: &str, errno| failed(Step::Mount, what, dev)(io::Error::from(errno));
    mount(Some("tmpfs"), dev, Some("tmpfs"), flags, Some("mode=755")).map_err(|errno| mounted("mount", errno))?;
    for name in DEVICES {
        let node = dev.join(name);
        File::create(&node).map_err(failed(Step::File, "make", &node))?;
        bind(&Path::new("/dev").join(name), &node)?;
        // It is the machine's own node: who has the id of its owner could else change its mode for everyone. What is
        // behind it can be written to nevertheless.
        sys::mount_read_only(&node, false).map_err(failed(Step::Mount, "bind read-only", &node))?;
    }
    let links =
        [("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"), ("stderr", "fd/2"), ("ptmx", "pts/ptmx")];
    for (name, target) in links {
        symlink(target, dev.join(name)).map_err(failed(Step::File, "link", &dev.join(name)))?;
    }
    make_folder(&dev.join("pts"), 0o755)?;
    // Group 5 is `tty` in every distribution; where there is one id, there is no such group.
    let group = if walls == Walls::OneId { "" } else { ",gid=5" };
    let options = format!("newinstance,ptmxmode=0666,mode=0620{group}");
    mount(Some("devpts"), &dev.join("pts"), Some("devpts"), flags, Some(options.as_str()))
        .map_err(|errno| mounted("mount terminals in", errno))?;
    make_folder(&dev.join("shm"), 0o1777)?;
    fresh(&dev.join("shm"), "mode=1777", memory)
}

/// An empty file system in memory; of a limit of memory it may take half, as it may of the machine's without one.
fn fresh(folder: &Path, options: &str, memory: Option<u64>) -> Result<()> {
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    let size = memory.map_or(String::new(), |bytes| format!(",size={}", (bytes / 2).max(FRESH)));
    mount(Some("tmpfs"), folder, Some("tmpfs"), flags, Some(format!("{options}{size}").as_str()))
        .map_err(|errno| failed(Step::Mount, "mount memory at", folder)(errno.into()))
}

fn bind(source: &Path, target: &Path) -> Result<()> {
    mount(Some(source), target, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>)
        .map_err(|errno| failed(Step::Mount, "bind", source)(errno.into()))
}

/// Shows something of the host, read-only.
fn show(source: &Path, target: &Path) -> Result<()> {
    if !target.exists() {
        // On one of the fresh file systems; everywhere else the inject layer has made room.
        let (folder, is_folder) = (target.parent().unwrap_or(target), source.is_dir());
        fs::create_dir_all(if is_folder { target } else { folder }).map_err(failed(
            Step::File,
            "make room for",
            target,
        ))?;
        if !is_folder {
            File::create(target).map_err(failed(Step::File, "make room for", target))?;
        }
    }
    bind(source, target)?;
    sys::mount_read_only(target, true).map_err(failed(Step::Mount, "bind read-only", target))
}

/// Makes `root` the root and drops the old one: `pivot_root(2)`, the section on `pivot_root(".", ".")`.
fn pivot(root: &Path) -> Result<()> {
    let step = |errno| failed(Step::Mount, "change the root to", root)(io::Error::from(errno));
    nix::unistd::chdir(root).map_err(step)?;
    nix::unistd::pivot_root(".", ".").map_err(step)?;
    umount2(".", MntFlags::MNT_DETACH).map_err(step)?;
    nix::unistd::chdir("/").map_err(step)
}

pub(super) fn make_folder(path: &Path, mode: u32) -> Result<()> {
    fs::create_dir_all(path).and_then(|()| fs::set_permissions(path, Permissions::from_mode(mode))).map_err(failed(
        Step::File,
        "make the folder",
        path,
    ))
}

pub(super) fn write_fresh(place: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(parent) = place.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(place, content)
}

pub(super) fn failed(step: Step, what: &str, path: &Path) -> impl FnOnce(io::Error) -> Failure {
    Failure::io(step, format!("{what} {}", path.display()))
}

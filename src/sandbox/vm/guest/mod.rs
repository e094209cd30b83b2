//! The other side: process 1 in the memory of a machine that boots, and the agent that stays when the image's own takes over.

mod agent;
mod network;

use super::message::{PORT, TROUBLE};
use crate::sandbox::init::Builtin;
use nix::mount::{MsFlags, mount};
use nix::unistd::ForkResult;
use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Argument by which a copy of this program knows that it is process 1 of a machine. Private: no user ever types it.
pub(in crate::sandbox) const ARGUMENT: &str = "__amiforge-vm-guest";

/// Where the disk is mounted before it becomes the root.
const NEW: &str = "/new";
const DISK: &str = "/dev/vda";
/// How long a device may take to be there.
const PATIENCE: Duration = Duration::from_mins(1);
/// Where images have their process 1.
pub(super) const SYSTEMD: [&str; 2] = ["/usr/lib/systemd/systemd", "/lib/systemd/systemd"];
/// Where the emulator answers questions for names.
const RESOLVER: &str = "nameserver 10.0.2.3\n";

/// What failed, for the console.
type Trouble = String;

fn because(what: impl Into<String>) -> impl FnOnce(io::Error) -> Trouble {
    let what = what.into();
    move |error| format!("{what}: {error}")
}

fn os(what: impl Into<String>) -> impl FnOnce(nix::Error) -> Trouble {
    let what = what.into();
    move |errno| format!("{what}: {}", errno.desc())
}

/// Process 1: readies the disk, leaves the agent behind and becomes the image's systemd. Never returns while all goes well.
pub(in crate::sandbox) fn main(builtin: Builtin) -> i32 {
    if nix::unistd::getpid().as_raw() != 1 {
        return 2;
    }
    let Err(trouble) = boot(builtin);
    // The console is the standard output. What reads it there ends the machine.
    let _ = writeln!(io::stdout(), "\n{TROUBLE}{trouble}");
    loop {
        nix::unistd::pause();
    }
}

fn boot(builtin: Builtin) -> Result<std::convert::Infallible, Trouble> {
    for (kind, place) in [("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev")] {
        attach(kind, kind, place, MsFlags::MS_NOSUID)?;
    }
    load_modules()?;
    await_path(Path::new(DISK))?;
    attach(DISK, "ext4", NEW, MsFlags::empty())?;
    let systemd = SYSTEMD.into_iter().find(|path| Path::new(NEW).join(&path[1..]).exists());
    let systemd = systemd.ok_or("it has no systemd, so nothing would start in it; install systemd and systemd-sysv")?;
    attach("tmpfs", "tmpfs", &format!("{NEW}/run"), MsFlags::MS_NOSUID | MsFlags::MS_NODEV)?;
    if Path::new("/sys/class/net/eth0").exists() {
        network::up().map_err(because("the network"))?;
        resolve().map_err(because("/etc/resolv.conf"))?;
    }
    let port = port()?;
    let root = File::open(NEW).map_err(because(NEW))?;
    match crate::sandbox::sys::fork().map_err(os("the agent cannot be started"))? {
        ForkResult::Child => agent::main(port, &root, builtin),
        ForkResult::Parent { .. } => become_first(systemd),
    }
}

fn attach(source: &str, kind: &str, place: &str, flags: MsFlags) -> Result<(), Trouble> {
    mount(Some(source), place, Some(kind), flags, None::<&str>)
        .map_err(os(format!("{source} cannot be mounted at {place}")))
}

fn load_modules() -> Result<(), Trouble> {
    let folder = Path::new("/modules");
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.sort();
    for file in files {
        let bytes = fs::read(&file).map_err(because(file.display().to_string()))?;
        match nix::kmod::init_module(&bytes, c"") {
            // Another one has brought it, or the processor lacks what it is for: what is needed shows below.
            Ok(()) | Err(nix::Error::EEXIST | nix::Error::ENODEV) => {}
            Err(errno) => return Err(os(format!("the module {} cannot be loaded", file.display()))(errno)),
        }
    }
    Ok(())
}

/// The kernel finds devices in its own time.
fn await_path(path: &Path) -> Result<(), Trouble> {
    await_that(|| path.exists().then_some(())).ok_or_else(|| format!("{} did not appear", path.display()))
}

fn await_that<T>(mut find: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    loop {
        if let Some(found) = find() {
            return Some(found);
        }
        if begun.elapsed() > PATIENCE {
            return None;
        }
        let _ = nix::poll::poll(&mut [], nix::poll::PollTimeout::from(20_u8));
    }
}

/// The port to this program's other half, by its name.
fn port() -> Result<File, Trouble> {
    let named = || {
        let entries = fs::read_dir("/sys/class/virtio-ports").ok()?.flatten();
        let is_ours = |path: &PathBuf| fs::read_to_string(path.join("name")).is_ok_and(|name| name.trim() == PORT);
        let path = entries.map(|entry| entry.path()).find(is_ours)?;
        Some(Path::new("/dev").join(path.file_name()?))
    };
    let path = await_that(|| named().filter(|path| path.exists())).ok_or("there is no port to the outside")?;
    File::options().read(true).write(true).open(&path).map_err(because(path.display().to_string()))
}

/// Shows the emulator's resolver at the image's place for it, for as long as the machine runs.
fn resolve() -> io::Result<()> {
    let (ours, theirs) = (Path::new(NEW).join("run/amiforge-resolv.conf"), Path::new(NEW).join("etc/resolv.conf"));
    match fs::symlink_metadata(&theirs) {
        Ok(found) if found.is_file() => {
            fs::write(&ours, RESOLVER)?;
            mount(Some(&ours), &theirs, None::<&str>, MsFlags::MS_BIND, None::<&str>)?;
        }
        // To a service's own file, mostly, that is not there yet and that the service would write.
        Ok(_) => {
            let target = fs::read_link(&theirs)?;
            let inside = Path::new("/etc").join(&target);
            let inside: PathBuf =
                inside.strip_prefix("/").unwrap_or(&inside).iter().fold(PathBuf::new(), |path, part| {
                    if part == ".." { path.parent().unwrap_or(Path::new("")).to_owned() } else { path.join(part) }
                });
            if inside.starts_with("run") {
                let place = Path::new(NEW).join(inside);
                fs::create_dir_all(place.parent().unwrap_or(Path::new(NEW)))?;
                fs::write(place, RESOLVER)?;
            }
        }
        // Without the file nothing finds a name: a link into what is gone with the machine.
        Err(_) => {
            fs::write(&ours, RESOLVER)?;
            symlink("/run/amiforge-resolv.conf", &theirs)?;
        }
    }
    Ok(())
}

/// Makes the disk the root and executes the image's systemd.
fn become_first(systemd: &str) -> Result<std::convert::Infallible, Trouble> {
    let moved = "the root cannot be changed";
    for place in ["/dev", "/proc", "/sys"] {
        let target = format!("{NEW}{place}");
        mount(Some(place), target.as_str(), None::<&str>, MsFlags::MS_MOVE, None::<&str>).map_err(os(moved))?;
    }
    nix::unistd::chdir(NEW).map_err(os(moved))?;
    mount(Some("."), "/", None::<&str>, MsFlags::MS_MOVE, None::<&str>).map_err(os(moved))?;
    nix::unistd::chroot(".").map_err(os(moved))?;
    nix::unistd::chdir("/").map_err(os(moved))?;
    let text = |text: &str| CString::new(text).map_err(|error| error.to_string());
    let (path, name) = (text(systemd)?, text("/sbin/init")?);
    let environment = [text("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")?, text("TERM=linux")?];
    crate::sandbox::sys::default_signals();
    nix::unistd::execve(&path, &[name], &environment).map_err(os(format!("{systemd} cannot be executed")))
}

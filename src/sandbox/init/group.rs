//! The control group of an instance that runs the image's systemd, which cannot work without one of its own.
//!
//! It is made inside the group that this program is in. Root may do that everywhere; an ordinary user may where the group
//! was handed over to them ("delegated").

use nix::dir::{Dir, Type};
use nix::fcntl::{OFlag, open, openat};
use nix::poll::{PollTimeout, poll};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, getpid, unlinkat};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Before the number of the outer process that a group belongs to.
const PREFIX: &str = "amiforge-";

/// The group inside of ours that is the root of all that the instance sees. Limits stand in ours, out of its reach.
const BOX: &str = "box";

/// How deep and how many groups may be made inside; a system with hundreds of services needs 6 and a few hundred. Without
/// a limit an image could make more of them than can be removed.
const LIMITS: [(&str, &str); 2] = [("cgroup.max.depth", "32"), ("cgroup.max.descendants", "4096")];

/// How often to try to remove a group whose processes have just ended, with a pause of a millisecond each.
const TRIES: usize = 1000;

const FOLDER: OFlag = OFlag::O_RDONLY.union(OFlag::O_DIRECTORY).union(OFlag::O_CLOEXEC).union(OFlag::O_NOFOLLOW);

/// The control groups of the machine, held for when their mount is out of sight: the root of the outer process becomes
/// the instance's. And which of them is this process's own, which changes when the parent sets limits.
#[derive(Debug)]
pub(super) struct Tree {
    top: OwnedFd,
    /// Which group the top is.
    root: PathBuf,
    cgroup: File,
    /// Of the group that is made for the instance.
    name: String,
}

impl Tree {
    /// To be called by the outer process, before it starts process 1.
    ///
    /// # Errors
    /// Why there is none, and what mends that, as a part of a sentence.
    pub(super) fn find() -> Result<Self, String> {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let missing = || format!("no cgroup2 file system is mounted that shows this process; {}", remedy());
        let own = read("/proc/self/cgroup");
        let found = place(&read("/proc/self/mountinfo"), &own).ok_or_else(missing)?;
        let opened = || -> io::Result<Self> {
            let top = open(&found.point, FOLDER, Mode::empty())?;
            let name = format!("{PREFIX}{}", getpid());
            Ok(Self { top, root: found.root.clone(), cgroup: File::open("/proc/self/cgroup")?, name })
        };
        opened().map_err(|error| format!("{} cannot be read: {error}; {}", found.point.display(), remedy()))
    }

    /// The group that the outer process is in at this moment.
    fn own(&self) -> io::Result<OwnedFd> {
        let mut text = vec![0; 64 * 1024];
        // Read at a place: the file's position is shared with the other processes that hold it.
        let length = self.cgroup.read_at(&mut text, 0)?;
        let text = String::from_utf8_lossy(&text[..length]).into_owned();
        let own = within(&text, &self.root).ok_or(ErrorKind::NotFound)?;
        let path = if own.as_os_str().is_empty() { Path::new(".") } else { &own };
        Ok(openat(&self.top, path, FOLDER, Mode::empty())?)
    }

    /// Removes the group of the instance and all that was made in it, once its processes have ended.
    pub(super) fn clear(&self) {
        let Ok(own) = self.own() else { return };
        for _ in 0..TRIES {
            match remove(own.as_fd(), &self.name) {
                Err(nix::Error::EBUSY) => pause(),
                // Whatever else it says, trying again would not help; the next start sweeps.
                _ => return,
            }
        }
    }
}

/// The control group of an instance; removed with [`Tree::clear`].
#[derive(Debug)]
pub(super) struct Group {
    path: PathBuf,
    own: OwnedFd,
}

impl Group {
    /// Makes a group inside of this process's own, and removes those that dead processes have left there.
    ///
    /// # Errors
    /// Why there can be none, and what mends that, as a part of a sentence.
    pub(super) fn make(tree: &Tree) -> Result<Self, String> {
        let made = tree.own().and_then(|own| {
            sweep(own.as_fd());
            match furnish(own.as_fd(), &tree.name) {
                Ok(()) => Ok(Self { path: PathBuf::from(&tree.name), own }),
                Err(error) => {
                    let _ = remove(own.as_fd(), &tree.name);
                    Err(error)
                }
            }
        });
        made.map_err(|error| {
            let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
            let own = place(&read("/proc/self/mountinfo"), &read("/proc/self/cgroup")).map(Found::path);
            let own = own.unwrap_or_default();
            format!("the control group {} is not ours to divide: {error}; {}", own.display(), remedy())
        })
    }

    /// Moves this process into the group.
    pub(super) fn enter(&self) -> io::Result<()> {
        write_to(self.own.as_fd(), &self.path.join(BOX).join("cgroup.procs"), "0")
    }
}

fn pause() {
    let _ = poll(&mut [], PollTimeout::from(1_u8));
}

fn write_to(folder: BorrowedFd<'_>, path: &Path, text: &str) -> io::Result<()> {
    File::from(openat(folder, path, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?).write_all(text.as_bytes())
}

fn furnish(own: BorrowedFd<'_>, name: &str) -> io::Result<()> {
    let (group, folder) = (Path::new(name), Mode::from_bits_truncate(0o755));
    mkdirat(own, group, folder)?;
    LIMITS.into_iter().try_for_each(|(file, limit)| write_to(own, &group.join(file), limit))?;
    mkdirat(own, &group.join(BOX), folder)?;
    // Whoever may make a group must be able to move processes out of the present one, too.
    Ok(openat(own, "cgroup.procs", OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty()).map(drop)?)
}

/// Moves this process into a group below the one that is the root here.
pub(super) fn join(root: &Path, name: &str) -> io::Result<()> {
    fs::write(root.join(name).join("cgroup.procs"), "0")
}

/// Removes groups of processes that are no more. One that is in use cannot be removed, whatever its name.
fn sweep(folder: BorrowedFd<'_>) {
    for name in folders(folder).unwrap_or_default() {
        let owner = name.strip_prefix(PREFIX).and_then(|text| text.parse::<u32>().ok());
        if owner.is_some_and(|owner| !Path::new("/proc").join(owner.to_string()).exists()) {
            let _ = remove(folder, &name);
        }
    }
}

/// Names of the groups in one.
fn folders(group: BorrowedFd<'_>) -> nix::Result<Vec<String>> {
    let mut folder = Dir::openat(group, ".", FOLDER, Mode::empty())?;
    let entries = folder.iter().flatten().filter(|entry| entry.file_type() == Some(Type::Directory));
    let names = entries.filter_map(|entry| Some(entry.file_name().to_str().ok()?.to_owned()));
    Ok(names.filter(|name| name != "." && name != "..").collect())
}

/// Removes a group and those below it. The files in it go by themselves.
fn remove(folder: BorrowedFd<'_>, name: &str) -> nix::Result<()> {
    let group = openat(folder, name, FOLDER, Mode::empty())?;
    folders(group.as_fd())?.iter().try_for_each(|below| remove(group.as_fd(), below))?;
    unlinkat(folder, name, UnlinkatFlags::RemoveDir)
}

/// A mount of control groups that shows the group of a process.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    point: PathBuf,
    /// Which group stands at the mount point.
    root: PathBuf,
    /// The process's, below it.
    own: PathBuf,
}

impl Found {
    fn path(self) -> PathBuf {
        self.point.join(self.own)
    }
}

/// Where the group that a process is in can be found, from its `mountinfo` and `cgroup` (`proc_pid_mountinfo(5)`,
/// cgroups(7)).
fn place(mountinfo: &str, cgroup: &str) -> Option<Found> {
    mountinfo.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        if after.split(' ').next() != Some("cgroup2") {
            return None;
        }
        let mut fields = before.split(' ').skip(3);
        let (root, point) = (PathBuf::from(unescape(fields.next()?)), PathBuf::from(unescape(fields.next()?)));
        let own = within(cgroup, &root)?;
        Some(Found { point, root, own })
    })
}

/// The process's group of the second version, below another one.
fn within(cgroup: &str, root: &Path) -> Option<PathBuf> {
    let own = cgroup.lines().find_map(|line| line.strip_prefix("0::"))?;
    Path::new(own).strip_prefix(root).ok().map(Path::to_owned)
}

/// Spaces and their like are written as `\040` there.
fn unescape(text: &str) -> String {
    ["\\040", "\\011", "\\012", "\\134"]
        .into_iter()
        .zip([" ", "\t", "\n", "\\"])
        .fold(text.to_owned(), |text, (code, plain)| text.replace(code, plain))
}

/// What gives this user a group of their own.
pub(super) fn remedy() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let own = place(&read("/proc/self/mountinfo"), &read("/proc/self/cgroup")).map(Found::path);
    let mend = match own {
        _ if is_root_outside(&read("/proc/self/uid_map")) => crate::sandbox::mode::PRIVILEGED.to_owned(),
        _ if Path::new("/run/systemd/system").is_dir() => {
            "systemd-run --user --scope -p Delegate=yes amiforge …".to_owned()
        }
        // A shell expands `$USER` and `$$` before root sees them: the group becomes the caller's, and their shell moves.
        Some(own) => {
            let group = own.join("amiforge").display().to_string();
            format!("sudo sh -c \"mkdir -p {group} && chown -R $USER {group} && echo $$ > {group}/cgroup.procs\"")
        }
        None => "sudo amiforge …".to_owned(),
    };
    format!("mend it with: {mend}")
}

/// Whether who is root in this user namespace is root outside of it, too: lines of `inside outside count`.
fn is_root_outside(map: &str) -> bool {
    map.lines().next().is_some_and(|line| line.split_whitespace().nth(1) == Some("0"))
}

/// Makes a group below the one that is the root here.
pub(super) fn make_below(root: &Path, name: &str) -> io::Result<()> {
    let path = root.join(name);
    fs::create_dir(&path)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_group_is_found_in_every_layout() {
        let place = |mountinfo: &str, cgroup: &str| super::place(mountinfo, cgroup).map(Found::path);
        let unified = "22 1 0:20 / /sys rw - sysfs sysfs rw\n26 22 0:24 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw\n";
        let user = "0::/user.slice/user-1000.slice/run-1.scope\n";
        let expected = "/sys/fs/cgroup/user.slice/user-1000.slice/run-1.scope";
        assert_eq!(place(unified, user).as_deref(), Some(Path::new(expected)));
        // Version 1 with a version 2 tree beside it, as this program's own CI machine.
        let hybrid = "30 22 0:26 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n40 22 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        assert_eq!(place(hybrid, "8:pids:/\n0::/\n").as_deref(), Some(Path::new("/sys/fs/cgroup/unified")));
        // A container sees a part of the tree.
        let part = "50 1 0:30 /docker/a\\040b /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
        assert_eq!(place(part, "0::/docker/a b/x\n").as_deref(), Some(Path::new("/sys/fs/cgroup/x")));
        assert_eq!(place(part, "0::/other\n"), None);
        assert_eq!(place(hybrid, "8:pids:/\n"), None);
        assert_eq!(place("", "0::/\n"), None);
    }

    #[test]
    fn who_is_root_outside_is_told_by_the_map() {
        assert!(is_root_outside("         0          0      65536\n"));
        assert!(!is_root_outside("         0       1000          1\n         1     100000      65535\n"));
        assert!(!is_root_outside(""));
    }
}

//! The control group of an instance that runs the image's systemd, which cannot work without one of its own.
//!
//! It is made inside the group that this program is in. Root may do that everywhere; an ordinary user may where the group
//! was handed over to them ("delegated").

use nix::poll::{PollTimeout, poll};
use nix::unistd::getpid;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Before the number of the process that a group belongs to.
const PREFIX: &str = "amiforge-";

/// The group inside of ours that is the root of all that the instance sees. Limits stand in ours, out of its reach.
const BOX: &str = "box";

/// How deep and how many groups may be made inside; a system with hundreds of services needs 6 and a few hundred. Without
/// a limit an image could make more of them than can be removed.
const LIMITS: [(&str, &str); 2] = [("cgroup.max.depth", "32"), ("cgroup.max.descendants", "4096")];

/// How often to try to remove a group whose processes have just ended, with a pause of a millisecond each.
const TRIES: usize = 1000;

/// A control group of our own; removed with [`Group::remove`].
#[derive(Debug)]
pub(super) struct Group {
    path: PathBuf,
}

impl Group {
    /// Makes a group inside of this process's own, and removes those that dead processes have left there.
    ///
    /// # Errors
    /// Why there can be none, and what mends that, as a part of a sentence.
    pub(super) fn make() -> Result<Self, String> {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let own = place(&read("/proc/self/mountinfo"), &read("/proc/self/cgroup"))
            .ok_or_else(|| format!("no cgroup2 file system is mounted that shows this process; {}", remedy()))?;
        sweep(&own);
        let path = own.join(format!("{PREFIX}{}", getpid()));
        match furnish(&path, &own) {
            Ok(()) => Ok(Self { path }),
            Err(error) => {
                let _ = remove(&path);
                Err(format!("the control group {} is not ours to divide: {error}; {}", own.display(), remedy()))
            }
        }
    }

    /// Moves this process into the group.
    pub(super) fn enter(&self) -> io::Result<()> {
        fs::write(self.path.join(BOX).join("cgroup.procs"), "0")
    }

    /// Removes the group and all that was made in it, once its processes have ended.
    pub(super) fn remove(&self) {
        for _ in 0..TRIES {
            match remove(&self.path) {
                Err(error) if error.kind() == ErrorKind::ResourceBusy => pause(),
                // Whatever else it says, trying again would not help; the next start sweeps.
                _ => return,
            }
        }
    }
}

fn pause() {
    let _ = poll(&mut [], PollTimeout::from(1_u8));
}

fn furnish(path: &Path, own: &Path) -> io::Result<()> {
    fs::create_dir(path)?;
    LIMITS.into_iter().try_for_each(|(file, limit)| fs::write(path.join(file), limit))?;
    fs::create_dir(path.join(BOX))?;
    // Whoever may make a group must be able to move processes out of the present one, too.
    fs::File::options().write(true).open(own.join("cgroup.procs")).map(drop)
}

/// Moves this process into a group below the one that is the root here.
pub(super) fn join(root: &Path, name: &str) -> io::Result<()> {
    fs::write(root.join(name).join("cgroup.procs"), "0")
}

/// Groups of processes that are no more. One that is in use cannot be removed, whatever its name.
fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX)).and_then(|text| text.parse::<u32>().ok());
        if owner.is_some_and(|owner| !Path::new("/proc").join(owner.to_string()).exists()) {
            let _ = remove(&entry.path());
        }
    }
}

/// Removes a group and those below it. The files in it go by themselves.
fn remove(group: &Path) -> io::Result<()> {
    for entry in fs::read_dir(group)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        }
    }
    fs::remove_dir(group)
}

/// The folder of the group that a process is in, from its `mountinfo` and `cgroup` (`proc_pid_mountinfo(5)`,
/// cgroups(7)).
fn place(mountinfo: &str, cgroup: &str) -> Option<PathBuf> {
    let own = cgroup.lines().find_map(|line| line.strip_prefix("0::"))?;
    mountinfo.lines().find_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        if after.split(' ').next() != Some("cgroup2") {
            return None;
        }
        let mut fields = before.split(' ').skip(3);
        let (root, point) = (unescape(fields.next()?), unescape(fields.next()?));
        let rest = Path::new(own).strip_prefix(root).ok()?;
        Some(Path::new(&point).join(rest))
    })
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
    let own = place(&read("/proc/self/mountinfo"), &read("/proc/self/cgroup"));
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

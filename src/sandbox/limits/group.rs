//! Control groups made for one instance.
//!
//! A group is made below the one this process is in, so that limits from outside go on to hold, or else below the
//! nearest one above it that permits it: a group of the second version that has processes cannot hand controllers to
//! groups below it. Nothing that exists is changed.
//!
//! The limits are on the outer of two groups and the processes in the inner one: what an instance may see as its own
//! is the inner one, whose limits it may change as it likes.

use super::mebibytes;
use crate::sandbox::Limits;
use nix::poll::{PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// File in a scratch folder that names the groups of its instance, one a line; to be removed with it.
const RECORD: &str = "groups";

const PREFIX: &str = "amiforge-";

/// Where the processes are, in each group.
const INNER: &str = "all";

/// Ours: the outer process, process 1 and the supervisor of a job.
const OURS: u64 = 3;

/// Milliseconds to wait for the end of processes in a group that is to be removed.
const PATIENCE: u32 = 2000;

/// The two versions of control groups, cgroups(7). A machine may have both, each with other controllers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

/// Where a controller is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hierarchy {
    version: Version,
    mount: PathBuf,
    /// Our own group below `mount`; without a leading slash.
    own: PathBuf,
}

/// The groups of an instance. They are not removed by dropping: its processes end first.
#[derive(Debug)]
pub(in crate::sandbox) struct Group {
    folders: Vec<(PathBuf, Version)>,
    limits: Limits,
    /// Which of the limits these groups hold.
    memory: bool,
    processes: bool,
}

/// How often limits were reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::sandbox) struct Reached {
    killed: u64,
    refused: u64,
}

impl Group {
    /// Makes groups for what limits there are, and notes them in the scratch folder.
    ///
    /// # Errors
    /// When the record cannot be written; a group that nobody could find again is not made.
    pub(in crate::sandbox) fn make(limits: Limits, scratch: &Path) -> io::Result<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("{PREFIX}{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        let mut group = Self::none(limits);
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let (mounts, groups) = (read("/proc/self/mountinfo"), read("/proc/self/cgroup"));
        let record = scratch.join(RECORD);
        if let Some(bytes) = limits.memory {
            group.memory = group.hold(find(&mounts, &groups, "memory"), &name, &record, &|version| match version {
                // The second file is there only where the kernel counts swap.
                Version::One => {
                    vec![("memory.limit_in_bytes", bytes, true), ("memory.memsw.limit_in_bytes", bytes, false)]
                }
                Version::Two => vec![("memory.max", bytes, true), ("memory.swap.max", 0, false)],
            })?;
        }
        if let Some(count) = limits.processes {
            let wanted = |_| vec![("pids.max", count.saturating_add(OURS), true)];
            group.processes = group.hold(find(&mounts, &groups, "pids"), &name, &record, &wanted)?;
        }
        Ok(group)
    }

    /// No group, for limits that none can hold.
    pub(in crate::sandbox) fn none(limits: Limits) -> Self {
        Self { folders: Vec::new(), limits, memory: false, processes: false }
    }

    /// Makes one group with limits: files, values, and whether it is worth anything without.
    fn hold(
        &mut self,
        hierarchy: Option<Hierarchy>,
        name: &str,
        record: &Path,
        files: &dyn Fn(Version) -> Vec<(&'static str, u64, bool)>,
    ) -> io::Result<bool> {
        let Some(hierarchy) = hierarchy else { return Ok(false) };
        for above in hierarchy.own.ancestors() {
            let folder = hierarchy.mount.join(above).join(name);
            let new = !folder.exists();
            if new && !may_make(&folder) {
                continue;
            }
            note(record, &folder)?;
            let made = (!new || fs::create_dir(&folder).is_ok())
                && files(hierarchy.version).into_iter().all(|(file, value, needed)| {
                    // A group of the second version lacks the file when the one above does not hand on the controller.
                    fs::write(folder.join(file), value.to_string()).is_ok() || !needed
                })
                && (folder.join(INNER).is_dir() || fs::create_dir(folder.join(INNER)).is_ok());
            if made {
                if new {
                    self.folders.push((folder, hierarchy.version));
                }
                return Ok(true);
            }
            if new {
                remove(&folder);
            }
        }
        Ok(false)
    }

    /// Moves processes into the groups.
    pub(in crate::sandbox) fn enter(&self, pids: &[Pid]) -> io::Result<()> {
        for (folder, _) in &self.folders {
            for pid in pids {
                fs::write(folder.join(INNER).join("cgroup.procs"), pid.to_string())?;
            }
        }
        Ok(())
    }

    /// Which limits it does not hold: memory, processes.
    pub(in crate::sandbox) fn lacks(&self) -> (bool, bool) {
        (self.limits.memory.is_some() && !self.memory, self.limits.processes.is_some() && !self.processes)
    }

    /// How often limits have been reached so far.
    pub(in crate::sandbox) fn reached(&self) -> Reached {
        let mut reached = Reached::default();
        for (folder, version) in &self.folders {
            let counter = |file: &str, key| number(&fs::read_to_string(folder.join(file)).unwrap_or_default(), key);
            let memory = if *version == Version::One { "memory.oom_control" } else { "memory.events" };
            // The first version counts a kill in the group of the process, the second one in those above it as well.
            let inner = if *version == Version::One { counter(&format!("{INNER}/{memory}"), "oom_kill") } else { 0 };
            reached.killed += counter(memory, "oom_kill") + inner;
            // Counted in the group of the process, or since Linux 6.11 in the one whose limit it is.
            let refused = counter(&format!("{INNER}/pids.events"), "max").max(counter("pids.events", "max"));
            reached.refused += refused;
        }
        reached
    }

    /// What has happened since `before`, in words for the output of a job.
    pub(in crate::sandbox) fn said_since(&self, before: Reached) -> Vec<String> {
        said(self.limits, before, self.reached())
    }

    /// Removes the groups; whoever is still in them is killed.
    pub(in crate::sandbox) fn remove(&self) {
        self.folders.iter().for_each(|(folder, _)| remove(folder));
    }
}

fn said(limits: Limits, before: Reached, now: Reached) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(limit) = limits.memory.filter(|_| now.killed > before.killed) {
        let count = now.killed - before.killed;
        lines
            .push(format!("amiforge: the memory limit of {} was reached; processes killed: {count}", mebibytes(limit)));
    }
    if let Some(limit) = limits.processes.filter(|_| now.refused > before.refused) {
        let count = now.refused - before.refused;
        lines.push(format!("amiforge: the limit of {limit} processes was reached; starts refused: {count}"));
    }
    lines
}

/// Removes the groups that a scratch folder names and kills who is left in them. Only what can be a group of ours is
/// believed.
pub(in crate::sandbox) fn remove_recorded(scratch: &Path) {
    let text = fs::read_to_string(scratch.join(RECORD)).unwrap_or_default();
    text.lines().map(Path::new).filter(|folder| is_ours(folder)).for_each(remove);
}

fn is_ours(folder: &Path) -> bool {
    let named = folder.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(PREFIX));
    let plain = !folder.components().any(|part| part == std::path::Component::ParentDir);
    named && plain && folder.join("cgroup.procs").exists()
}

fn may_make(folder: &Path) -> bool {
    folder.parent().is_some_and(|parent| nix::unistd::access(parent, nix::unistd::AccessFlags::W_OK).is_ok())
}

/// Before the group is made: one that is noted and not there is no harm.
fn note(record: &Path, folder: &Path) -> io::Result<()> {
    use std::io::Write;
    let mut file = fs::File::options().create(true).append(true).open(record)?;
    file.write_all(format!("{}\n", folder.display()).as_bytes())
}

fn remove(folder: &Path) {
    let inner = folder.join(INNER);
    for _ in 0..PATIENCE {
        for place in [&inner, folder] {
            let members = fs::read_to_string(place.join("cgroup.procs")).unwrap_or_default();
            for pid in members.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
        // Groups that were made inside of it, for instance by the image's systemd.
        below(&inner);
        let _ = fs::remove_dir(&inner);
        if fs::remove_dir(folder).is_ok() || !folder.exists() {
            return;
        }
        let _ = poll(&mut [], PollTimeout::from(1_u8));
    }
}

/// Removes the groups below one, innermost first.
fn below(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let members = fs::read_to_string(entry.path().join("cgroup.procs")).unwrap_or_default();
            for pid in members.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
            below(&entry.path());
            let _ = fs::remove_dir(entry.path());
        }
    }
}

/// The hierarchy of a controller, from the texts of /proc/self/mountinfo and /proc/self/cgroup. One of the first version
/// wins: a controller that is in use there is not available in the second.
fn find(mountinfo: &str, groups: &str, controller: &str) -> Option<Hierarchy> {
    let own = |wanted: &dyn Fn(&str) -> bool| {
        groups.lines().find_map(|line| {
            let mut fields = line.splitn(3, ':');
            let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
            wanted(controllers).then_some(path)
        })
    };
    let mounted = |kind: &str, option: Option<&str>| mountinfo.lines().find_map(|line| mounted(line, kind, option));
    let first = || {
        let (root, mount) = mounted("cgroup", Some(controller))?;
        let own = own(&|controllers| controllers.split(',').any(|name| name == controller))?;
        Some(Hierarchy { version: Version::One, own: relative(own, &root)?, mount })
    };
    let second = || {
        let (root, mount) = mounted("cgroup2", None)?;
        Some(Hierarchy { version: Version::Two, own: relative(own(&str::is_empty)?, &root)?, mount })
    };
    first().or_else(second)
}

/// The root within the hierarchy and the place of a mount, if a line of `proc_pid_mountinfo(5)` is of that kind.
fn mounted(line: &str, kind: &str, option: Option<&str>) -> Option<(PathBuf, PathBuf)> {
    let (before, after) = line.split_once(" - ")?;
    let mut fields = before.split(' ').skip(3);
    let (root, mount) = (fields.next()?, fields.next()?);
    let mut fields = after.split(' ');
    let (found, options) = (fields.next()?, fields.nth(1)?);
    let fits = found == kind && option.is_none_or(|option| options.split(',').any(|name| name == option));
    // Spaces and the like are written as \040; no control group has them.
    (fits && !mount.contains('\\')).then(|| (root.into(), mount.into()))
}

/// Our own group below the one that is mounted; `None` when that is another branch.
fn relative(own: &str, root: &Path) -> Option<PathBuf> {
    Path::new(own).strip_prefix(root).ok().map(Path::to_owned)
}

/// The number behind a key, one pair a line; 0 where it is not counted.
fn number(text: &str, key: &str) -> u64 {
    let value = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
    value.and_then(|value| value.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "24 1 254:0 / / rw - ext4 /dev/vda rw\n\
        30 26 0:26 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
        31 26 0:27 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n\
        34 26 0:28 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n\
        36 26 0:30 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
    const GROUPS: &str = "8:pids:/\n4:memory:/jobs/one\n1:cpu:/\n0::/\n";

    fn hierarchy(version: Version, mount: &str, own: &str) -> Hierarchy {
        Hierarchy { version, mount: mount.into(), own: own.into() }
    }

    #[test]
    fn controllers_are_found_in_both_versions() {
        assert_eq!(find(MOUNTS, GROUPS, "memory"), Some(hierarchy(Version::One, "/sys/fs/cgroup/memory", "jobs/one")));
        assert_eq!(find(MOUNTS, GROUPS, "pids"), Some(hierarchy(Version::One, "/sys/fs/cgroup/pids", "")));
        assert_eq!(find(MOUNTS, GROUPS, "io"), Some(hierarchy(Version::Two, "/sys/fs/cgroup/unified", "")));
        let laptop = "30 23 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
        let own = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/term.scope\n";
        let found = find(laptop, own, "memory").unwrap();
        assert_eq!(found.version, Version::Two);
        assert_eq!(found.own.ancestors().count(), 6);
        assert_eq!(find("", own, "memory"), None);
    }

    #[test]
    fn in_a_container_the_mount_is_a_branch_of_the_tree() {
        let mounts = "30 23 0:26 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n";
        let found = find(mounts, "4:memory:/docker/abc/inner\n", "memory");
        assert_eq!(found, Some(hierarchy(Version::One, "/sys/fs/cgroup/memory", "inner")));
        assert_eq!(find(mounts, "4:memory:/elsewhere\n", "memory"), None);
    }

    #[test]
    fn what_was_reached_is_said_with_the_limit() {
        let limits = Limits { memory: Some(512 << 20), processes: Some(100), disk: None };
        let before = Reached { killed: 1, refused: 7 };
        assert_eq!(said(limits, before, before), Vec::<String>::new());
        assert_eq!(
            said(limits, before, Reached { killed: 3, refused: 9 }),
            [
                "amiforge: the memory limit of 512 MiB was reached; processes killed: 2",
                "amiforge: the limit of 100 processes was reached; starts refused: 2"
            ]
        );
    }

    #[test]
    fn counters_are_read_by_their_names() {
        let text = "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n";
        assert_eq!(number(text, "oom_kill"), 4);
        assert_eq!(number("low 0\nmax 12\n", "max"), 12);
        assert_eq!(number("", "max"), 0);
    }

    #[test]
    fn only_groups_of_ours_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = folder.path();
        for name in ["amiforge-1-1", "user.slice"] {
            fs::create_dir_all(scratch.join(name)).unwrap();
            fs::write(scratch.join(name).join("cgroup.procs"), "").unwrap();
        }
        assert!(is_ours(&scratch.join("amiforge-1-1")));
        assert!(!is_ours(&scratch.join("user.slice")));
        assert!(!is_ours(&scratch.join("x/../amiforge-1-1")));
        assert!(!is_ours(&scratch.join("amiforge-none")));
        // A record that names others does no harm.
        fs::write(scratch.join(RECORD), format!("{}\n/\n", scratch.join("user.slice").display())).unwrap();
        remove_recorded(scratch);
        assert!(scratch.join("user.slice").is_dir());
    }
}

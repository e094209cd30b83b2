//! The ways in which this machine lets us make namespaces.

use super::SandboxError;
use super::subid::{self, NEEDED, Range};
use nix::unistd::Pid;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What works when instances do not.
pub(super) const WITHOUT: &str =
    "init, lint, render and plan need no instance, and neither does an environment that is an AWS account";

/// What mends a container that forbids too much.
pub(super) const PRIVILEGED: &str = "docker run --privileged … (or `privileged: true` in the CI job)";

/// `CAP_SYS_ADMIN` in the masks of /proc/self/status; linux/capability.h.
const CAP_SYS_ADMIN: u32 = 21;

/// Ids that exist inside when root maps them one to one.
const IDENTITY: u64 = 65_536;

/// How namespaces are made; found out by [`super::probe()`], which does it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// As root, with the first 65536 ids mapped to themselves: ownership in images is exact, and yet the host's
    /// devices and mounts are out of reach.
    RootIdentity,
    /// As an ordinary user whose subordinate ids are mapped by newuidmap and newgidmap.
    SubordinateIds(Subordinate),
}

/// What `newuidmap` and `newgidmap` need to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subordinate {
    uid: u32,
    gid: u32,
    uids: (u64, u64),
    gids: (u64, u64),
    newuidmap: PathBuf,
    newgidmap: PathBuf,
}

impl Mode {
    /// The name used in messages and reports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::RootIdentity => "root-ident",
            Self::SubordinateIds(_) => "userns-subid",
        }
    }

    /// The mode this process would use, or what is missing for it. Whether the kernel permits it, only trying tells.
    pub(super) fn of_this_process() -> Result<Self, SandboxError> {
        let (uid, gid) = (nix::unistd::geteuid(), nix::unistd::getegid());
        if uid.is_root() {
            return root(&read("/proc/self/status"));
        }
        let facts = Facts {
            uid: uid.as_raw(),
            gid: gid.as_raw(),
            user: name_of(uid),
            subuid: read("/etc/subuid"),
            subgid: read("/etc/subgid"),
            newuidmap: program("newuidmap"),
            newgidmap: program("newgidmap"),
            os_release: read("/etc/os-release"),
        };
        subordinate(facts)
    }

    /// Whether files of an instance belong to ids that are not this user's.
    pub(super) fn has_foreign_files(&self) -> bool {
        matches!(self, Self::SubordinateIds(_))
    }

    /// Writes the maps of the user namespace that `pid` has just made.
    pub(super) fn write_maps(&self, pid: Pid) -> Result<(), SandboxError> {
        match self {
            Self::RootIdentity => {
                let map = format!("0 0 {IDENTITY}\n");
                for file in ["uid_map", "gid_map"] {
                    let path = PathBuf::from(format!("/proc/{pid}/{file}"));
                    fs::write(&path, &map).map_err(|error| SandboxError::Unavailable {
                        missing: format!("the first {IDENTITY} user and group ids"),
                        reason: format!("cannot write {}: {error} (a container that has fewer?)", path.display()),
                        mend: PRIVILEGED.into(),
                        without: WITHOUT.into(),
                    })?;
                }
                Ok(())
            }
            Self::SubordinateIds(ids) => {
                map_with(&ids.newuidmap, pid, ids.uid, ids.uids)?;
                map_with(&ids.newgidmap, pid, ids.gid, ids.gids)
            }
        }
    }
}

/// Root is 0 inside, the subordinate ids are 1 to 65535.
fn map_with(program: &Path, pid: Pid, own: u32, (start, count): (u64, u64)) -> Result<(), SandboxError> {
    let output = Command::new(program)
        .args([pid.to_string(), "0".into(), own.to_string(), "1".into()])
        .args(["1".into(), start.to_string(), count.to_string()])
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .map_err(SandboxError::file("cannot run", program))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(SandboxError::Unavailable {
        missing: "the right to map subordinate ids".into(),
        reason: format!("{} said: {said}", program.display()),
        mend: format!("sudo chmod u+s {0}/newuidmap {0}/newgidmap", program.parent().unwrap_or(program).display()),
        without: WITHOUT.into(),
    })
}

fn root(status: &str) -> Result<Mode, SandboxError> {
    if has_capability(status, CAP_SYS_ADMIN) {
        return Ok(Mode::RootIdentity);
    }
    Err(SandboxError::Unavailable {
        missing: "the capability CAP_SYS_ADMIN".into(),
        reason: "this process is root without the right to make mounts, as in an ordinary container".into(),
        mend: PRIVILEGED.into(),
        without: WITHOUT.into(),
    })
}

fn has_capability(status: &str, number: u32) -> bool {
    let mask = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("CapEff:")?.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> number & 1 == 1)
}

struct Facts {
    uid: u32,
    gid: u32,
    user: String,
    subuid: String,
    subgid: String,
    newuidmap: Option<PathBuf>,
    newgidmap: Option<PathBuf>,
    os_release: String,
}

fn subordinate(facts: Facts) -> Result<Mode, SandboxError> {
    let (Some(newuidmap), Some(newgidmap)) = (facts.newuidmap, facts.newgidmap) else {
        return Err(SandboxError::Unavailable {
            missing: "newuidmap and newgidmap".into(),
            reason: "an ordinary user can use subordinate ids only through these two programs".into(),
            mend: install_shadow(&facts.os_release),
            without: WITHOUT.into(),
        });
    };
    let uids = subid::range_of(&facts.subuid, &facts.user, facts.uid);
    let gids = subid::range_of(&facts.subgid, &facts.user, facts.uid);
    let (Some(uids), Some(gids)) = (uids, gids) else {
        let start = subid::free_start(&[&facts.subuid, &facts.subgid]);
        let end = start + NEEDED;
        let file = if uids.is_none() { "/etc/subuid" } else { "/etc/subgid" };
        return Err(SandboxError::Unavailable {
            missing: format!("subordinate ids of the user {} in {file}", facts.user),
            reason: format!("the files of an image belong to many users; {NEEDED} ids are needed to keep them apart"),
            mend: format!("sudo usermod --add-subuids {start}-{end} --add-subgids {start}-{end} {}", facts.user),
            without: WITHOUT.into(),
        });
    };
    let pair = |range: Range| (range.start, NEEDED);
    let (uid, gid) = (facts.uid, facts.gid);
    Ok(Mode::SubordinateIds(Subordinate { uid, gid, uids: pair(uids), gids: pair(gids), newuidmap, newgidmap }))
}

fn install_shadow(os_release: &str) -> String {
    let like = |word: &str| {
        let values = os_release.lines().filter_map(|line| line.strip_prefix("ID=").or(line.strip_prefix("ID_LIKE=")));
        values.flat_map(|value| value.trim_matches('"').split_whitespace()).any(|id| id == word)
    };
    let command = if ["fedora", "rhel", "amzn"].into_iter().any(like) {
        "sudo dnf install -y shadow-utils"
    } else if like("arch") {
        "sudo pacman -S --needed shadow"
    } else if like("suse") || like("opensuse") {
        "sudo zypper install -y shadow"
    } else {
        "sudo apt-get install -y uidmap"
    };
    command.into()
}

/// A program in the usual folders; the caller's PATH is not asked.
pub(super) fn program(name: &str) -> Option<PathBuf> {
    ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        .into_iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|path| path.is_file())
}

fn name_of(uid: nix::unistd::Uid) -> String {
    if let Some(name) = subid::user_name(&read("/etc/passwd"), uid.as_raw()) {
        return name.to_owned();
    }
    // Users of a directory service are not in the file.
    nix::unistd::User::from_uid(uid).ok().flatten().map_or_else(|| uid.to_string(), |user| user.name)
}

/// Files that may be absent say the same as empty ones here: no entry.
fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            uid: 1000,
            gid: 1000,
            user: "ann".into(),
            subuid: "ann:100000:65536\n".into(),
            subgid: "ann:100000:65536\n".into(),
            newuidmap: Some("/usr/bin/newuidmap".into()),
            newgidmap: Some("/usr/bin/newgidmap".into()),
            os_release: "ID=debian\n".into(),
        }
    }

    fn refusal(facts: Facts) -> String {
        subordinate(facts).unwrap_err().to_string()
    }

    #[test]
    fn a_user_with_everything_gets_subordinate_ids() {
        assert_eq!(subordinate(facts()).unwrap().name(), "userns-subid");
    }

    #[test]
    fn a_missing_program_is_named_with_the_command_of_the_distribution() {
        let text = refusal(Facts { newuidmap: None, ..facts() });
        assert!(text.contains("newuidmap and newgidmap"), "{text}");
        assert!(text.contains("mend it with: sudo apt-get install -y uidmap"), "{text}");
        assert!(text.contains("without it: init, lint, render and plan"), "{text}");
        let fedora = Facts { newgidmap: None, os_release: "ID=\"rocky\"\nID_LIKE=\"rhel fedora\"\n".into(), ..facts() };
        assert!(refusal(fedora).contains("sudo dnf install -y shadow-utils"));
    }

    #[test]
    fn missing_ids_are_named_with_a_range_that_is_free() {
        let text = refusal(Facts { subuid: "bob:100000:65536\n".into(), ..facts() });
        assert!(text.contains("subordinate ids of the user ann in /etc/subuid"), "{text}");
        assert!(text.contains("--add-subuids 165536-231071 --add-subgids 165536-231071 ann"), "{text}");
        let text = refusal(Facts { subgid: String::new(), ..facts() });
        assert!(text.contains("in /etc/subgid"), "{text}");
    }

    #[test]
    fn root_needs_the_right_to_mount() {
        assert_eq!(root("CapEff:\t000001ffffffffff\n").unwrap(), Mode::RootIdentity);
        let text = root("CapEff:\t00000000a80425fb\n").unwrap_err().to_string();
        assert!(text.contains("CAP_SYS_ADMIN") && text.contains("--privileged"), "{text}");
        assert!(root("").is_err());
    }
}

//! The ways in which this machine lets us make namespaces.

use super::SandboxError;
use super::container;
use super::subid::{self, NEEDED, Range};
use super::wire::Walls;
use nix::unistd::Pid;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What works when instances do not.
pub(super) const WITHOUT: &str =
    "init, lint, render and plan need no instance, and neither does an environment that is an AWS account";

/// What mends a container that forbids too much.
pub(super) const PRIVILEGED: &str = "docker run --privileged … (or `privileged: true` in the CI job)";

/// Ids that exist inside when root maps them one to one.
const IDENTITY: u64 = 65_536;

/// How instances are kept apart from this machine; found out by [`super::probe()`], which does it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// As root, with the first 65536 ids mapped to themselves: ownership in images is exact, and yet the host's
    /// devices and mounts are out of reach.
    RootIdentity,
    /// As an ordinary user whose subordinate ids are mapped by newuidmap and newgidmap.
    SubordinateIds(Subordinate),
    /// With the own id alone, mapped to root: changes of owner are answered as done, and all files belong to root.
    OneId(Own),
    /// Without namespaces, as root of an ordinary container: the layers are copied, and jobs run in a `chroot(2)` on the
    /// copy. No wall: a hostile component can leave it, and only the container is around it then.
    Copy,
}

/// The ids of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Own {
    uid: u32,
    gid: u32,
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

/// The names of all modes, in the order in which they are tried.
pub const NAMES: [&str; 4] = ["root-ident", "userns-subid", "userns-fake", "chroot-copy"];

/// The modes this process may try, best first, and why a better one is not among them.
#[derive(Debug)]
pub(super) struct Candidates {
    pub(super) modes: Vec<Mode>,
    pub(super) missing: Option<SandboxError>,
}

impl Mode {
    /// The name used in messages and reports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::RootIdentity => NAMES[0],
            Self::SubordinateIds(_) => NAMES[1],
            Self::OneId(_) => NAMES[2],
            Self::Copy => NAMES[3],
        }
    }

    /// The mode of a name, for those who want a certain one; whether the kernel permits it, only a start tells.
    ///
    /// # Errors
    /// [`SandboxError::Spec`] for a name that is none and for a mode that is not for this user,
    /// [`SandboxError::Unavailable`] with what the mode needs and this machine lacks.
    pub fn named(name: &str) -> Result<Self, SandboxError> {
        let root = nix::unistd::geteuid().is_root();
        let only_for = |who: &str| {
            SandboxError::Spec(format!(
                "the mode {name} is for {who}; leave it out, or choose one of: {}",
                NAMES.join(", ")
            ))
        };
        match NAMES.iter().position(|known| *known == name) {
            Some(0 | 3) if !root => Err(only_for("root")),
            Some(0) => Ok(Self::RootIdentity),
            Some(1) if root => Err(only_for("an ordinary user")),
            Some(1) => subordinate(Facts::of_this_process()),
            Some(2) => Ok(Self::OneId(Own::of_this_process())),
            Some(3) => Ok(Self::Copy),
            _ => Err(SandboxError::Spec(format!("there is no mode {name}; there are: {}", NAMES.join(", ")))),
        }
    }

    /// What this process may try, best first: walls come before exact ownership, and the mode without walls only where
    /// a container stands around it. Whether the kernel permits one, only trying tells.
    pub(super) fn candidates() -> Candidates {
        let one = Self::OneId(Own::of_this_process());
        if !nix::unistd::geteuid().is_root() {
            return match subordinate(Facts::of_this_process()) {
                Ok(best) => Candidates { modes: vec![best, one], missing: None },
                Err(missing) => Candidates { modes: vec![one], missing: Some(missing) },
            };
        }
        let mut modes = vec![Self::RootIdentity, one];
        if container::holds_us() {
            modes.push(Self::Copy);
        }
        Candidates { modes, missing: None }
    }

    /// The mode for work on trees of files that instances of any mode of this user have left.
    pub(super) fn of_this_process() -> Result<Self, SandboxError> {
        let candidates = Self::candidates();
        candidates.modes.into_iter().next().ok_or_else(|| SandboxError::Spec("there is no mode for this user".into()))
    }

    /// Whether files of an instance are out of this user's reach: they belong to other ids, or their mode forbids it,
    /// which only the root of a namespace may ignore.
    pub(super) fn has_foreign_files(&self) -> bool {
        matches!(self, Self::SubordinateIds(_) | Self::OneId(_)) && !nix::unistd::geteuid().is_root()
    }

    /// What the init has to know of it.
    pub(super) fn walls(&self) -> Walls {
        match self {
            Self::RootIdentity | Self::SubordinateIds(_) => Walls::Ids,
            Self::OneId(_) => Walls::OneId,
            Self::Copy => Walls::None,
        }
    }

    /// What a user should know of it; `missing` is why it is not a better one.
    pub(super) fn notes(&self, missing: Option<&SandboxError>) -> Vec<String> {
        match self {
            Self::RootIdentity | Self::SubordinateIds(_) => Vec::new(),
            Self::OneId(_) => {
                let why = missing.map_or(String::new(), |error| match error {
                    SandboxError::Unavailable { missing, mend, .. } => {
                        format!("; {missing} would make them exact: {mend}")
                    }
                    other => format!("; {other}"),
                });
                vec![format!(
                    "all files of the image belong to root, whoever they were given to (mode {}){why}",
                    self.name()
                )]
            }
            Self::Copy => vec![format!(
                "processes, network and host name are those of this container, and a hostile component can leave its \
                 root: only the container is a wall (mode {}); real walls: {PRIVILEGED}",
                self.name()
            )],
        }
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
            Self::OneId(own) => map_own(pid, *own),
            Self::Copy => Ok(()),
        }
    }
}

/// The own id is 0 inside. A group may be mapped without a right only when nobody inside can leave groups any more
/// (`user_namespaces(7)`).
fn map_own(pid: Pid, own: Own) -> Result<(), SandboxError> {
    let maps = [
        ("setgroups", "deny".to_owned()),
        ("uid_map", format!("0 {} 1\n", own.uid)),
        ("gid_map", format!("0 {} 1\n", own.gid)),
    ];
    for (file, text) in maps {
        let path = PathBuf::from(format!("/proc/{pid}/{file}"));
        // Where namespaces can be made and not used, it is refused here.
        fs::write(&path, text).map_err(|error| refused_map(&path, &error))?;
    }
    Ok(())
}

fn refused_map(path: &Path, error: &std::io::Error) -> SandboxError {
    let failure = super::wire::Failure {
        step: super::wire::Step::Identity,
        what: format!("map the own id in {}", path.display()),
        errno: error.raw_os_error(),
        reason: error.to_string(),
    };
    super::probe::explain(super::launch::LaunchError::Failed(failure))
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

impl Facts {
    fn of_this_process() -> Self {
        let own = Own::of_this_process();
        Self {
            uid: own.uid,
            gid: own.gid,
            user: name_of(nix::unistd::geteuid()),
            subuid: read("/etc/subuid"),
            subgid: read("/etc/subgid"),
            newuidmap: program("newuidmap"),
            newgidmap: program("newgidmap"),
            os_release: read("/etc/os-release"),
        }
    }
}

impl Own {
    fn of_this_process() -> Self {
        Self { uid: nix::unistd::geteuid().as_raw(), gid: nix::unistd::getegid().as_raw() }
    }
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
    fn modes_have_names_and_other_names_are_refused_with_the_list() {
        let one = Mode::OneId(Own { uid: 1, gid: 1 });
        let modes = [Mode::RootIdentity, subordinate(facts()).unwrap(), one.clone(), Mode::Copy];
        assert_eq!(modes.map(|mode| mode.name()), NAMES);
        assert_eq!(Mode::named("userns-fake").unwrap().name(), "userns-fake");
        let text = Mode::named("docker").unwrap_err().to_string();
        assert!(text.contains("no mode docker") && text.contains("root-ident, userns-subid, userns-fake, chroot-copy"));
        let other = if nix::unistd::geteuid().is_root() { "userns-subid" } else { "chroot-copy" };
        assert!(Mode::named(other).unwrap_err().to_string().contains("is for"));
    }

    #[test]
    fn a_mode_that_is_not_exact_says_so_and_what_mends_it() {
        let one = Mode::OneId(Own { uid: 1, gid: 1 });
        let missing = subordinate(Facts { newuidmap: None, ..facts() }).unwrap_err();
        let notes = one.notes(Some(&missing));
        assert!(
            notes[0].contains("belong to root") && notes[0].ends_with("sudo apt-get install -y uidmap"),
            "{notes:?}"
        );
        assert!(Mode::Copy.notes(None)[0].contains("only the container is a wall"));
        assert!(subordinate(facts()).unwrap().notes(None).is_empty());
    }
}

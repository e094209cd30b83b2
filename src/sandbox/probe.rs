//! What this machine permits, found out by doing it.

use super::launch::LaunchError;
use super::mode::{Candidates, Mode, PRIVILEGED, WITHOUT};
use super::wire::{Failure, Step};
use super::{First, Instance, Limits, Machine, Network, SandboxError, Spec, root};
use nix::errno::Errno;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Ubuntu's switch that takes all rights from new user namespaces; only read to word the advice.
const APPARMOR_SWITCH: &str = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns";

/// Debian's switch that forbids user namespaces to users; only read to word the advice.
const DEBIAN_SWITCH: &str = "/proc/sys/kernel/unprivileged_userns_clone";

/// Starts an instance of nothing under `scratch`, makes a file in it and gives that away; returns the mode that worked.
///
/// # Errors
/// [`SandboxError::Unavailable`] with what is missing, why, the one command that mends it, and what works without.
pub fn probe(scratch: &Path) -> Result<Mode, SandboxError> {
    let Candidates { modes, missing } = Mode::candidates();
    let mut refused = None;
    for mode in modes {
        let folder = scratch.join(format!(".probe-{}-{:?}", std::process::id(), std::thread::current().id()));
        let result = attempt(&folder, mode.clone());
        let removed = root::remove(&folder);
        match result {
            Ok(()) => return removed.map(|()| mode),
            Err(error) if error.is_refusal() => {
                refused.get_or_insert(error);
            }
            Err(error) => return Err(explain(error)),
        }
    }
    Err(refused.map(explain).or(missing).unwrap_or_else(|| SandboxError::Spec("there is no mode to try".into())))
}

/// Starts an instance of nothing with the limits that instances get, and returns what does not hold of them on this machine;
/// nothing when all of them do.
///
/// # Errors
/// As [`probe`].
pub fn limits_hold(scratch: &Path) -> Result<Vec<String>, SandboxError> {
    let mode = probe(scratch)?;
    let limits = Limits::for_machine(&Machine::here(scratch)?);
    let folder = scratch.join(format!(".limits-{}-{:?}", std::process::id(), std::thread::current().id()));
    let result = bare(&folder, &mode).and_then(|spec| {
        let instance = Instance::start_in(&Spec { limits, ..spec }, mode)?;
        let notes = instance.notes();
        instance.stop();
        Ok(notes)
    });
    root::remove(&folder)?;
    result.map_err(explain)
}

/// An instance of nothing, with the folders that every root has.
fn bare(folder: &Path, mode: &Mode) -> Result<Spec, LaunchError> {
    let layer = folder.join("layer");
    for name in ["proc", "sys", "dev", "run", "tmp"] {
        let path = layer.join(name);
        fs::create_dir_all(&path).map_err(SandboxError::file("cannot make the folder", &path))?;
    }
    let network = if *mode == Mode::Copy { Network::Host } else { Network::Loopback };
    Ok(nothing(folder, layer, network))
}

fn attempt(folder: &Path, mode: Mode) -> Result<(), LaunchError> {
    let instance = Instance::start_in(&bare(folder, &mode)?, mode)?;
    let proof = instance.prove();
    instance.stop();
    proof
}

fn nothing(folder: &Path, layer: PathBuf, network: Network) -> Spec {
    Spec {
        hostname: "probe".into(),
        layers: vec![layer],
        scratch: folder.to_owned(),
        network,
        inject: BTreeMap::new(),
        bind: Vec::new(),
        first: First::Ours,
        limits: Limits::default(),
    }
}

/// Turns a step that the system refused into what mends it; other failures stay what they are.
pub(super) fn explain(error: LaunchError) -> SandboxError {
    let failure = match error {
        LaunchError::Failed(failure) => failure,
        LaunchError::Other(error) => return error,
    };
    let facts = Facts {
        root: nix::unistd::geteuid().is_root(),
        apparmor: on(APPARMOR_SWITCH, "1"),
        forbidden: on(DEBIAN_SWITCH, "0"),
        program: std::env::current_exe().unwrap_or_else(|_| PathBuf::from("amiforge")),
    };
    advise(failure, &facts)
}

struct Facts {
    root: bool,
    apparmor: bool,
    forbidden: bool,
    program: PathBuf,
}

fn advise(failure: Failure, facts: &Facts) -> SandboxError {
    let refused = matches!(failure.errno.map(Errno::from_raw), Some(Errno::EPERM | Errno::EACCES));
    let unavailable = |missing: &str, mend: String| SandboxError::Unavailable {
        missing: missing.to_owned(),
        reason: format!("{}: {}", failure.what, failure.reason),
        mend,
        without: WITHOUT.to_owned(),
    };
    let errno = failure.errno.map(Errno::from_raw);
    match failure.step {
        Step::Unshare if matches!(errno, Some(Errno::ENOSPC | Errno::EUSERS)) => {
            unavailable("free user namespaces", "sudo sysctl -w user.max_user_namespaces=16384".into())
        }
        Step::Unshare | Step::Identity | Step::Overlay | Step::Mount | Step::Network if refused => {
            let missing = "the permission to make namespaces and mounts";
            if facts.root {
                unavailable(missing, PRIVILEGED.into())
            } else if facts.forbidden {
                unavailable(missing, "sudo sysctl -w kernel.unprivileged_userns_clone=1".into())
            } else if facts.apparmor {
                // Root is not restricted by it; the whole command may be run that way instead.
                unavailable(missing, "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0".into())
            } else {
                unavailable(missing, format!("sudo {} …", facts.program.display()))
            }
        }
        Step::Proc if refused => unavailable("a /proc of which nothing is hidden", PRIVILEGED.into()),
        Step::Overlay if matches!(errno, Some(Errno::ENODEV)) => {
            unavailable("the overlay file system", "sudo modprobe overlay".into())
        }
        Step::Overlay if matches!(errno, Some(Errno::EINVAL)) => unavailable(
            "an overlay file system for user namespaces (Linux 5.11 or later)",
            "sudo apt-get install -y linux-image-amd64 && sudo reboot".into(),
        ),
        _ => SandboxError::Start { step: failure.what, reason: failure.reason },
    }
}

fn on(switch: &str, value: &str) -> bool {
    fs::read_to_string(switch).is_ok_and(|text| text.trim() == value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(step: Step, errno: Errno, facts: &Facts) -> String {
        advise(Failure::os(step, "make namespaces")(errno), facts).to_string()
    }

    fn user() -> Facts {
        Facts { root: false, apparmor: false, forbidden: false, program: "/opt/amiforge".into() }
    }

    #[test]
    fn each_refusal_has_its_own_remedy() {
        let cases = [
            (Step::Unshare, Errno::EPERM, user(), "sudo /opt/amiforge …"),
            (Step::Unshare, Errno::ENOSPC, user(), "user.max_user_namespaces"),
            (Step::Unshare, Errno::EPERM, Facts { forbidden: true, ..user() }, "unprivileged_userns_clone=1"),
            (Step::Mount, Errno::EACCES, Facts { apparmor: true, ..user() }, "apparmor_restrict_unprivileged_userns=0"),
            (Step::Unshare, Errno::EPERM, Facts { root: true, ..user() }, "--privileged"),
            (Step::Proc, Errno::EPERM, Facts { root: true, ..user() }, "of which nothing is hidden"),
            (Step::Overlay, Errno::ENODEV, user(), "modprobe overlay"),
            (Step::Overlay, Errno::EINVAL, user(), "5.11"),
        ];
        for (step, errno, facts, expected) in cases {
            let text = text(step, errno, &facts);
            assert!(text.contains(expected), "{expected} is not in: {text}");
            assert!(text.contains("make namespaces: "), "the reason is missing: {text}");
            assert!(text.contains("without it: "), "{text}");
        }
    }

    #[test]
    fn a_full_disk_is_not_a_missing_permission() {
        let error = advise(Failure::os(Step::File, "write /x")(Errno::ENOSPC), &user());
        assert!(matches!(error, SandboxError::Start { .. }), "{error}");
    }
}

//! Removing what dead processes have left.

use crate::sandbox::SandboxError;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Name of the file in a folder that its process holds locked. The kernel releases it with the process, however that
/// ends, and no number of a process can be mistaken for another's.
const LOCK: &str = "lock";

/// What stands between the name of a root and the number of the process that makes it, while it does.
pub(super) const PARTIAL: &str = ".partial-";

/// Removes the scratch folders and half-made roots in `folder` whose process is no more, and returns them. Folders
/// without a lock file are nobody's and stay, but for half-made roots, whose name tells the process: one that was killed
/// while it cleaned up may have taken the lock file away first. A missing `folder` has nothing in it.
pub fn sweep(folder: &Path) -> Result<Vec<PathBuf>, SandboxError> {
    let read = SandboxError::file("cannot read", folder);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(read(error)),
    };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    let mut removed = Vec::new();
    for path in paths {
        // Held until the folder is gone: two sweepers do not get into each other's way.
        let lock = lock_of_the_dead(&path);
        if lock.is_none() && !is_orphan(&path) {
            continue;
        }
        super::remove(&path)?;
        removed.push(path);
    }
    Ok(removed)
}

/// The lock of a folder whose process is no more.
pub(super) fn lock_of_the_dead(folder: &Path) -> Option<Flock<File>> {
    let file = File::options().read(true).open(folder.join(LOCK)).ok()?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).ok()
}

/// Whether a half-made root is one that its process has left.
pub(super) fn is_left(folder: &Path) -> bool {
    lock_of_the_dead(folder).is_some() || is_orphan(folder)
}

/// Whether this is a half-made root without a lock file, of a process that is no more.
fn is_orphan(folder: &Path) -> bool {
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let process = name.rsplit_once(PARTIAL).and_then(|(_, number)| number.parse::<u32>().ok());
    process.is_some_and(|process| !folder.join(LOCK).exists() && !Path::new("/proc").join(process.to_string()).exists())
}

/// Makes a folder and marks it as in use by this process.
pub(super) fn claim(folder: &Path) -> Result<Flock<File>, SandboxError> {
    fs::create_dir_all(folder).map_err(SandboxError::file("cannot make the folder", folder))?;
    let path = folder.join(LOCK);
    let file = File::options().create(true).append(true).open(&path);
    let file = file.map_err(SandboxError::file("cannot open", &path))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
        Errno::EWOULDBLOCK => {
            SandboxError::Spec(format!("the folder {} is in use by another instance", folder.display()))
        }
        errno => SandboxError::file("cannot lock", &path)(errno.into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_dead_have_left_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let alive = claim(&path("alive")).unwrap();
        drop(claim(&path("dead")).unwrap());
        fs::write(path("dead").join("file"), "x").unwrap();
        fs::create_dir(path("nobody's")).unwrap();
        // No process can have this number (the kernel's limit is 4194304); the other one is this test's own.
        let orphan = path(".root.partial-4294967295");
        let own = path(&format!(".root.partial-{}", std::process::id()));
        fs::create_dir(&orphan).unwrap();
        fs::create_dir(&own).unwrap();
        assert_eq!(sweep(folder.path()).unwrap(), [orphan, path("dead")]);
        assert!(own.exists());
        assert!(path("alive").exists() && path("nobody's").exists() && !path("dead").exists());
        assert!(claim(&path("alive")).unwrap_err().to_string().contains("in use"));
        drop(alive);
        assert_eq!(sweep(folder.path()).unwrap(), [path("alive")]);
        assert!(sweep(&path("absent")).unwrap().is_empty());
    }
}

//! Locks between processes: a file beside what it protects, and the kernel's lock on it, which ends with the process.

use crate::sandbox::SandboxError;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A lock that is held; released when dropped.
#[derive(Debug)]
pub(in crate::sandbox::root) struct Hold {
    file: Flock<File>,
    path: PathBuf,
}

impl Hold {
    /// Together with others that only use what it protects; waits for whoever has it alone.
    pub(super) fn shared(path: &Path) -> Result<Self, SandboxError> {
        acquire(path, FlockArg::LockShared)?.ok_or_else(|| SandboxError::Busy { what: path.display().to_string() })
    }

    /// Alone; waits until nobody else has it.
    pub(super) fn alone(path: &Path) -> Result<Self, SandboxError> {
        acquire(path, FlockArg::LockExclusive)?.ok_or_else(|| SandboxError::Busy { what: path.display().to_string() })
    }

    /// Alone, if nobody has it now.
    pub(super) fn try_alone(path: &Path) -> Result<Option<Self>, SandboxError> {
        acquire(path, FlockArg::LockExclusiveNonblock)
    }

    /// Notes that what it protects was used.
    pub(super) fn used(&self, now: SystemTime) -> Result<(), SandboxError> {
        self.file.set_modified(now).map_err(SandboxError::file("cannot note the time on", &self.path))
    }

    /// Removes the file: to be called with the lock held alone, when what it protects is gone.
    pub(super) fn remove(self) -> Result<(), SandboxError> {
        fs::remove_file(&self.path).map_err(SandboxError::file("cannot remove", &self.path))
    }
}

/// `None` when somebody has it and waiting is not wanted.
fn acquire(path: &Path, how: FlockArg) -> Result<Option<Hold>, SandboxError> {
    loop {
        let file = File::options().create(true).append(true).open(path);
        let file = file.map_err(SandboxError::file("cannot open", path))?;
        let file = match Flock::lock(file, how) {
            Ok(file) => file,
            Err((_, Errno::EWOULDBLOCK)) => return Ok(None),
            Err((_, Errno::EINTR)) => continue,
            Err((_, errno)) => return Err(SandboxError::file("cannot lock", path)(errno.into())),
        };
        // Whoever held it before may have removed the file: then this is a lock on nothing.
        let opened = file.metadata().map_err(SandboxError::file("cannot read", path))?;
        match fs::metadata(path) {
            Ok(named) if (named.dev(), named.ino()) == (opened.dev(), opened.ino()) => {
                return Ok(Some(Hold { file, path: path.to_owned() }));
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(SandboxError::file("cannot read", path)(error));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_share_and_removers_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.lock");
        let (first, second) = (Hold::shared(&path).unwrap(), Hold::shared(&path).unwrap());
        assert!(Hold::try_alone(&path).unwrap().is_none());
        drop(first);
        assert!(Hold::try_alone(&path).unwrap().is_none());
        drop(second);
        let alone = Hold::try_alone(&path).unwrap().unwrap();
        assert!(Hold::try_alone(&path).unwrap().is_none());
        alone.remove().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_lock_on_a_file_that_was_removed_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.lock");
        let alone = Hold::alone(&path).unwrap();
        let waiting = std::thread::spawn({
            let path = path.clone();
            move || Hold::alone(&path).map(|hold| hold.file.metadata().unwrap().ino())
        });
        alone.remove().unwrap();
        // Whether it waited on the old file or came later: what it has is the file that is there now.
        let got = waiting.join().unwrap().unwrap();
        assert_eq!(got, fs::metadata(&path).unwrap().ino());
    }
}

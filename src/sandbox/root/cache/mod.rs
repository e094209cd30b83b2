//! The cache of roots: one folder, used by any number of processes at once.
//!
//! ```text
//! roots/KEY/entry.json    what it was made of, and a survey of it
//! roots/KEY/root/         the root
//! roots/KEY.lock          held together by all who use it, alone by who makes or removes it; its time is the last use
//! roots/KEY.users/        which folders have something that stands on it
//! roots/.KEY.partial-PID/ being made
//! references/             which image a reference led to, which digest a file had
//! ```
//!
//! The key is a digest of what determines the root. An entry is there whole or not at all: it is made beside its place and
//! renamed. The folder is closed to other users, because roots hold programs that run with their owner's rights.

mod entry;
mod list;
mod lock;
mod prune;
mod references;

pub(super) use entry::Wanted;
pub use list::{Entry, State};
pub use prune::{Decision, Policy};

use super::sweep;
use crate::sandbox::SandboxError;
use lock::Hold;
use sha2::{Digest, Sha256};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// A folder with roots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    folder: PathBuf,
}

/// A root that is there, whole, and stays there until this is dropped.
#[derive(Debug)]
pub struct Obtained {
    /// The root filesystem; nobody writes to it.
    pub path: PathBuf,
    /// The same for the same content made the same way: hexadecimal digits of a SHA-256.
    pub digest: String,
    /// Bytes of all its files; 0 for a folder that is used where it is.
    pub size: u64,
    /// What a user should know of it, such as what could not be kept of an image.
    pub notes: Vec<String>,
    /// Where it came from, as text.
    pub source: String,
    hold: Option<(Hold, PathBuf)>,
}

impl Obtained {
    /// A root that is no part of a cache.
    pub(super) fn elsewhere(path: PathBuf, digest: String, source: String) -> Self {
        Self { path, digest, size: 0, notes: Vec::new(), source, hold: None }
    }

    /// Notes that something in the folder `user` stands on this root for longer than this process lives: pruning leaves
    /// the root alone until that folder is gone.
    ///
    /// # Errors
    /// When the cache cannot be written.
    pub fn pin(&self, user: &Path) -> Result<(), SandboxError> {
        let Some((_, users)) = &self.hold else { return Ok(()) };
        let user = super::absolute(user)?;
        make(users)?;
        let path = users.join(&super::hex(&Sha256::digest(user.as_os_str().as_bytes()))[..32]);
        if path.exists() {
            return Ok(());
        }
        fs::write(&path, user.as_os_str().as_bytes()).map_err(SandboxError::file("cannot write", &path))
    }
}

impl Cache {
    /// Of a folder, which is made when something is put there.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Removes what processes that were killed have left half-made; returns what was removed.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn sweep(&self) -> Result<Vec<PathBuf>, SandboxError> {
        sweep::sweep(&self.roots())
    }

    fn roots(&self) -> PathBuf {
        self.folder.join("roots")
    }

    fn lock_of(&self, key: &str) -> PathBuf {
        self.roots().join(format!("{key}.lock"))
    }

    fn users_of(&self, key: &str) -> PathBuf {
        self.roots().join(format!("{key}.users"))
    }

    /// The folders that have something that stands on a root, and are still there.
    fn users(&self, key: &str) -> Vec<PathBuf> {
        let files = fs::read_dir(self.users_of(key)).into_iter().flatten().flatten();
        let mut users: Vec<PathBuf> = files
            .filter_map(|file| fs::read(file.path()).ok())
            .map(|bytes| PathBuf::from(std::ffi::OsStr::from_bytes(&bytes)))
            .filter(|user| user.exists())
            .collect();
        users.sort();
        users
    }
}

/// A folder of this process for something on its way into the cache; gone with the process, however that ends.
pub(super) struct Workplace {
    path: PathBuf,
    // Held, not read: its release tells other processes that the folder may be swept.
    _lock: nix::fcntl::Flock<fs::File>,
}

impl Workplace {
    /// Where it is; `lock` in it is not to be touched.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        // What cannot be removed is left to the next sweep.
        let _ = super::remove(&self.path);
    }
}

impl Cache {
    /// Makes a workplace; `key` keeps those of one process apart.
    pub(super) fn workplace(&self, key: &str) -> Result<Workplace, SandboxError> {
        make(&self.roots())?;
        let path = self.partial(key);
        super::remove(&path)?;
        let lock = sweep::claim(&path)?;
        Ok(Workplace { path, _lock: lock })
    }
}

/// Makes a folder that only its owner may enter.
fn make(folder: &Path) -> Result<(), SandboxError> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(SandboxError::file("cannot make the folder", folder))
}

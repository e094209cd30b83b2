//! What the cache remembers of names: which image a reference led to, which digest a file had.

use super::lock::Hold;
use super::{Cache, make};
use crate::sandbox::SandboxError;
use crate::sandbox::root::{hex, key_of_image};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// A file that was written to within so short a time before it was read may have been written to again since, without a
/// trace: times have the grain of the kernel's clock.
const GRAIN: Duration = Duration::from_secs(2);

#[derive(Debug, Serialize, Deserialize)]
struct Remembered {
    name: String,
    digest: String,
}

impl Cache {
    /// The digest that a name led to, if it is remembered.
    pub(in crate::sandbox::root) fn remembered(&self, name: &str) -> Option<String> {
        let text = fs::read(self.reference_of(name)).ok()?;
        let found: Remembered = serde_json::from_slice(&text).ok()?;
        let whole = found.name == name && found.digest.len() == 64;
        whole.then_some(found.digest).filter(|digest| digest.bytes().all(|byte| byte.is_ascii_hexdigit()))
    }

    /// Remembers where a name led to.
    pub(in crate::sandbox::root) fn remember(&self, name: &str, digest: &str) -> Result<(), SandboxError> {
        let path = self.reference_of(name);
        if let Some(folder) = path.parent() {
            make(folder)?;
        }
        let remembered = Remembered { name: name.to_owned(), digest: digest.to_owned() };
        let text = serde_json::to_vec(&remembered).map_err(|error| SandboxError::Protocol(error.to_string()))?;
        // Another process may read it at any moment: whole or not at all.
        let partial = path.with_extension(format!("partial-{}", std::process::id()));
        let written = fs::File::create(&partial).and_then(|mut file| file.write_all(&text));
        written.and_then(|()| fs::rename(&partial, &path)).map_err(SandboxError::file("cannot write", &path))
    }

    /// The SHA-256 of a file, which is read only if it may have changed since it was last read.
    pub(in crate::sandbox::root) fn digest_of(
        &self,
        path: &Path,
        read: impl FnOnce() -> Result<String, SandboxError>,
    ) -> Result<String, SandboxError> {
        let found = fs::metadata(path).map_err(SandboxError::file("cannot read", path))?;
        let (time, nanoseconds) = (found.ctime(), found.ctime_nsec());
        // The time of change cannot be set back by programs that write to a file.
        let name = format!("{}:{}:{}:{time}.{nanoseconds}:{}", found.dev(), found.ino(), found.len(), path.display());
        if let Some(digest) = self.remembered(&name) {
            return Ok(digest);
        }
        let digest = read()?;
        let seconds = Duration::from_secs(u64::try_from(time).unwrap_or(0));
        let age = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH + seconds);
        if age.is_ok_and(|age| age > GRAIN) {
            self.remember(&name, &digest)?;
        }
        Ok(digest)
    }

    /// The lock of a name: whoever wants to find out where it leads waits for whoever is finding out.
    pub(in crate::sandbox::root) fn lock_reference(&self, name: &str) -> Result<Hold, SandboxError> {
        let path = self.reference_of(name).with_extension("lock");
        if let Some(folder) = path.parent() {
            make(folder)?;
        }
        Hold::alone(&path)
    }

    /// Forgets the names whose roots are gone.
    pub(super) fn forget_references(&self) {
        for file in fs::read_dir(self.folder.join("references")).into_iter().flatten().flatten() {
            let path = file.path();
            if path.extension().is_some() {
                continue;
            }
            let read = fs::read(&path).ok().and_then(|text| serde_json::from_slice::<Remembered>(&text).ok());
            let of_image = read.as_ref().is_some_and(|read| read.name.starts_with("oci:"));
            if read.is_none_or(|read| of_image && !self.has(&key_of_image(&read.digest))) {
                let _ = fs::remove_file(&path);
                if let Ok(Some(alone)) = Hold::try_alone(&path.with_extension("lock")) {
                    let _ = alone.remove();
                }
            }
        }
    }

    fn reference_of(&self, name: &str) -> PathBuf {
        self.folder.join("references").join(&hex(&Sha256::digest(name))[..32])
    }
}

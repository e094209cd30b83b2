//! The folders in which trials work. Each has a lock of its own, so that the next start can tell what a killed process has
//! left (`sandbox::root::sweep`).

use super::error::TrialError;
use crate::sandbox::root;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Numbers the trials of this process.
static NUMBER: AtomicU32 = AtomicU32::new(0);

/// The folder that holds those of all trials.
pub(super) fn trials(state: &Path) -> PathBuf {
    state.join("trials")
}

/// Removes what killed processes have left, and says what it was.
///
/// # Errors
/// When something of it cannot be removed.
pub fn sweep(state: &Path) -> Result<Vec<PathBuf>, TrialError> {
    Ok(root::sweep(&trials(state))?)
}

/// The folders of one trial; removed when dropped.
#[derive(Debug)]
pub(super) struct Place {
    prefix: PathBuf,
    /// Held, not read.
    lock: Option<File>,
}

impl Place {
    /// A new one; its folders are made by who uses them.
    pub(super) fn new(state: &Path) -> Self {
        let name = format!("{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        Self { prefix: trials(state).join(name), lock: None }
    }

    /// The scratch folder of an instance.
    pub(super) fn scratch(&self, stage: &str) -> PathBuf {
        let mut name = self.prefix.clone().into_os_string();
        name.push(format!("-{stage}"));
        name.into()
    }

    /// Where the layer of the build stage goes: in a folder that is marked as in use.
    pub(super) fn layer(&mut self) -> Result<PathBuf, TrialError> {
        let folder = self.scratch("image");
        fs::create_dir_all(&folder).map_err(TrialError::io("made", &folder))?;
        let path = folder.join("lock");
        let file = File::options().create(true).append(true).open(&path).map_err(TrialError::io("opened", &path))?;
        file.lock().map_err(TrialError::io("locked", &path))?;
        self.lock = Some(file);
        Ok(folder.join("layer"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for stage in ["build", "image", "test", "vm", "shell"] {
            let folder = self.scratch(stage);
            if let Err(error) = root::remove(&folder) {
                // The next start tries again.
                tracing::warn!(folder = %folder.display(), %error, "the folder of a trial could not be removed");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_not_swept_while_it_is_used_and_removed_afterwards() {
        let state = tempfile::tempdir().unwrap();
        let mut place = Place::new(state.path());
        let layer = place.layer().unwrap();
        fs::create_dir(&layer).unwrap();
        assert!(sweep(state.path()).unwrap().is_empty());
        assert!(layer.is_dir());
        drop(place);
        assert_eq!(fs::read_dir(trials(state.path())).unwrap().count(), 0);
        assert!(Place::new(state.path()).scratch("x") != Place::new(state.path()).scratch("x"));
    }
}

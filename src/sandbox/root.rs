//! Root filesystems: made, captured, removed, swept.

use super::SandboxError;
use super::copied::{self, Copied};
use super::instance::other_half;
use super::launch;
use super::limits;
use super::mode::Mode;
use super::tree;
use super::wire::Operation;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

mod bootstrap;
mod mirror;
mod sweep;

pub(super) use bootstrap::finish;
pub use bootstrap::{BootstrapSpec, bootstrap};
pub use sweep::sweep;

/// Turns the upper layer of a stopped instance into an immutable layer at `destination`, which must not exist: by
/// renaming on the same file system, by copying otherwise. Left out are what belongs to one boot only (`/run`, `/tmp`,
/// `/dev`), package indexes and downloads, injected files, and `drop` (paths inside).
///
/// # Errors
/// [`SandboxError::File`]; the upper layer may have lost what is left out by then, and nothing else.
pub fn capture(upper: &Path, destination: &Path, drop: &[&str]) -> Result<(), SandboxError> {
    let (upper, destination) = (absolute(upper)?, absolute(destination)?);
    let drop: Vec<String> = drop.iter().map(|path| (*path).to_owned()).collect();
    let place = upper.parent().unwrap_or(&upper);
    if let Some(copied) = Copied::at(place).map_err(SandboxError::file("cannot read what was copied to", &upper))? {
        let layer = copied.difference()?;
        tree::capture(&layer, &destination, &drop)?;
        return copied.forget();
    }
    let mode = Mode::of_this_process()?;
    if mode.has_foreign_files() {
        return launch::operate(&mode, Operation::Capture { upper, destination, drop });
    }
    tree::capture(&upper, &destination, &drop)
}

/// Removes a tree, also one whose files belong to ids of a user namespace; nothing there is fine. Of a scratch folder
/// whose layer is kept in memory, that goes too, and so do control groups and, where there were no namespaces, processes
/// that its instance has left.
pub fn remove(path: &Path) -> Result<(), SandboxError> {
    let path = absolute(path)?;
    copied::end_processes(&path);
    limits::remove_recorded(&path);
    if let Some(other) = other_half(&path) {
        remove_tree(&other)?;
    }
    remove_tree(&path)
}

fn remove_tree(path: &Path) -> Result<(), SandboxError> {
    match tree::remove_if_there(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            let mode = Mode::of_this_process()?;
            if mode.has_foreign_files() {
                return launch::operate(&mode, Operation::Remove { path: path.to_owned() });
            }
            Err(SandboxError::file("cannot remove", path)(error))
        }
        Err(error) => Err(SandboxError::file("cannot remove", path)(error)),
    }
}

/// Takes the lock of a folder that is this process's own; see [`sweep`].
pub(super) fn claim(folder: &Path) -> Result<nix::fcntl::Flock<File>, SandboxError> {
    sweep::claim(folder)
}

fn absolute(path: &Path) -> Result<PathBuf, SandboxError> {
    std::path::absolute(path).map_err(SandboxError::file("cannot find", path))
}

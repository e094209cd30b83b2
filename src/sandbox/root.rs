//! Root filesystems: where they come from, how they are made and kept, captured, removed and swept.
//!
//! | file | what it is for |
//! |---|---|
//! | `source` | where a root comes from, as one word |
//! | [`obtain`] | from that word to a root that is there |
//! | `release`, `mirror`, `bootstrap` | releases of Debian and Ubuntu, made by mmdebstrap |
//! | `oci` | images: of registries, layouts, archives of `docker save` |
//! | `unpack` | archives that nobody vouches for |
//! | `directory` | folders that are used where they are |
//! | `cache`, `survey` | the cache, and how it notices damage |
//! | `sweep` | what dead processes have left |

use super::SandboxError;
use super::copied::{self, Copied};
use super::instance::other_half;
use super::launch;
use super::limits;
use super::mode::Mode;
use super::tree;
use super::wire::Operation;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

mod bootstrap;
mod cache;
mod directory;
mod mirror;
mod obtain;
mod oci;
mod release;
mod source;
mod survey;
mod sweep;
mod unpack;

pub use bootstrap::{BootstrapSpec, bootstrap};
pub(super) use bootstrap::{Sources, finish};
pub use cache::{Cache, Decision, Entry, Obtained, Policy, State};
pub use obtain::{equipped, obtain, planned};
pub(crate) use source::is_package;
pub use source::{FORMS, Source, SourceError};
pub(super) use survey::survey_here;
pub use sweep::sweep;
pub(super) use unpack::{Order, answer as unpack_here};

/// A file of this machine without its compression, if it has one: gzip, zstd or xz, by its first bytes.
pub(super) fn decoded(path: &Path) -> Result<impl std::io::Read + use<>, SandboxError> {
    unpack::Blob::whole(path)?.decoded()
}

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

/// Bytes that this user may still write to the file system of a folder.
fn free_bytes(folder: &Path) -> Result<u64, SandboxError> {
    let space = nix::sys::statvfs::statvfs(folder)
        .map_err(|errno| SandboxError::file("cannot see the free space of", folder)(errno.into()))?;
    // The field types differ between architectures.
    #[expect(clippy::useless_conversion, reason = "u64 on this one, u32 elsewhere")]
    Ok(u64::from(space.blocks_available()).saturating_mul(u64::from(space.fragment_size())))
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

/// Raised when roots are made in another way, so that those made before are not taken for the new ones.
const MAKING: &str = "2";

/// The key of what is made of these words; which word ends where counts.
fn key(words: &[&str]) -> String {
    let mut hash = Sha256::new();
    for word in [MAKING].iter().chain(words) {
        hash.update(word.len().to_le_bytes());
        hash.update(word);
    }
    hex(&hash.finalize())
}

/// The key of the root of an image.
fn key_of_image(id: &str) -> String {
    key(&["image", id])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_know_where_words_end() {
        assert_ne!(key(&["ab", "c"]), key(&["a", "bc"]));
        assert_eq!(key(&["a"]), key(&["a"]));
        assert_eq!(hex(&[0, 0x1f, 0xab]), "001fab");
    }
}

//! An upper layer in memory, for scratch folders on a file system that cannot hold one.

use crate::sandbox::SandboxError;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// File in a scratch folder that says where its other half is.
const MARKER: &str = "elsewhere";

/// The file system in memory that every Linux machine has.
const MEMORY: &str = "/dev/shm";

const PREFIX: &str = "amiforge-";

/// Where the layer of a scratch folder is kept: in it, or where an earlier start has moved it.
pub(super) fn current(scratch: &Path) -> PathBuf {
    other_half(scratch).filter(|place| place.is_dir()).unwrap_or_else(|| scratch.to_owned())
}

/// The folder in memory that belongs to a scratch folder, if it has one; to be removed with it. What the marker says is
/// believed only if it names a folder of ours.
pub(in crate::sandbox) fn other_half(scratch: &Path) -> Option<PathBuf> {
    let place = PathBuf::from(fs::read_to_string(scratch.join(MARKER)).ok()?);
    let ours = place.file_name()?.to_str()?.starts_with(PREFIX) && place.parent() == Some(Path::new(MEMORY));
    ours.then_some(place)
}

/// Makes a folder in memory for a scratch folder and notes it there.
pub(super) fn make(scratch: &Path) -> Result<PathBuf, SandboxError> {
    let place = (0_u32..)
        .map(|number| Path::new(MEMORY).join(format!("{PREFIX}{}-{number}", std::process::id())))
        .find_map(|place| match fs::DirBuilder::new().mode(0o700).create(&place) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => None,
            done => Some(done.map(|()| place.clone()).map_err(SandboxError::file("cannot make the folder", &place))),
        })
        .unwrap_or_else(|| Err(SandboxError::Spec(format!("{MEMORY} is full of folders"))))?;
    let marker = scratch.join(MARKER);
    fs::write(&marker, place.as_os_str().as_encoded_bytes()).map_err(SandboxError::file("cannot write", &marker))?;
    Ok(place)
}

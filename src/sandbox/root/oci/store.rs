//! Where the parts of an image lie: in a folder, or in a tar that is read where it is.

use crate::sandbox::SandboxError;
use crate::sandbox::root::unpack::{self, Blob};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};

/// The parts of an image by name.
#[derive(Debug)]
pub(in crate::sandbox::root) enum Store {
    /// A folder with `index.json` and `blobs/sha256`.
    Folder(PathBuf),
    /// What `skopeo copy … dir:` writes: blobs by their digits, without folders.
    Flat(PathBuf),
    /// A tar of either kind.
    Archive(BTreeMap<PathBuf, Blob>),
}

impl Store {
    /// Of a folder or a tar. One that is compressed as a whole is decompressed into `temporary` first.
    pub(in crate::sandbox::root) fn open(path: &Path, temporary: &Path) -> Result<Self, SandboxError> {
        let metadata = fs::metadata(path).map_err(SandboxError::file("cannot read", path))?;
        if metadata.is_dir() {
            return Ok(Self::Folder(path.to_owned()));
        }
        let mut blob = Blob::whole(path)?;
        if blob.is_compressed()? {
            let plain = temporary.join("archive.tar");
            let mut file = File::create(&plain).map_err(SandboxError::file("cannot make", &plain))?;
            io::copy(&mut blob.decoded()?, &mut file).map_err(SandboxError::file("cannot decompress", path))?;
            blob = Blob::whole(&plain)?;
        }
        // A later member of the same name replaces an earlier one, as it does when a tar is unpacked.
        Ok(Self::Archive(unpack::index(&blob)?.into_iter().collect()))
    }

    /// A part by its name in the layout. A name that would lead out of it is none of its.
    pub(super) fn get(&self, name: &str) -> Option<Blob> {
        let path = Path::new(name.strip_prefix("./").unwrap_or(name));
        if !path.components().all(|part| matches!(part, Component::Normal(_))) {
            return None;
        }
        match self {
            Self::Folder(folder) | Self::Flat(folder) => {
                // A link could lead anywhere, to a file of somebody else that we may read.
                let inside = path.iter().scan(folder.clone(), |at, part| {
                    at.push(part);
                    Some(fs::symlink_metadata(&*at).is_ok_and(|found| !found.is_symlink()))
                });
                if inside.into_iter().all(|plain| plain) { Blob::whole(&folder.join(path)).ok() } else { None }
            }
            Self::Archive(members) => members.get(path).cloned(),
        }
    }

    /// A blob by the digits of its SHA-256.
    pub(super) fn blob(&self, digits: &str) -> Option<Blob> {
        match self {
            Self::Flat(_) => self.get(digits),
            Self::Folder(_) | Self::Archive(_) => self.get(&format!("blobs/sha256/{digits}")),
        }
    }
}

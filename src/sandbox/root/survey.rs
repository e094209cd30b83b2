//! What a root consists of, told cheaply: names, kinds, modes, sizes and times of all its files, not what is in them.
//!
//! A survey notices files that were removed, added, cut off or written to: what clean-up jobs, full disks, power cuts and
//! people do to a cache. It does not notice a disk that answers with other bytes; reading everything at every start would
//! cost more than the root itself.

use crate::sandbox::SandboxError;
use crate::sandbox::launch;
use crate::sandbox::mode::Mode;
use crate::sandbox::wire::Operation;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// What a root consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sandbox) struct Survey {
    /// Files, folders and links.
    pub(in crate::sandbox) entries: u64,
    /// Bytes of all files, each counted once however many names it has.
    pub(in crate::sandbox) bytes: u64,
    /// SHA-256 of the list, in hexadecimal digits.
    pub(in crate::sandbox) listing: String,
}

/// Surveys a root, inside of the user namespace when its files belong to that.
pub(super) fn survey(root: &Path) -> Result<Survey, SandboxError> {
    let mode = Mode::of_this_process()?;
    if mode.has_foreign_files() {
        return launch::ask(&mode, Operation::Survey { root: root.to_owned() }, "the survey of a root");
    }
    survey_here(root)
}

/// The same in this process.
pub(in crate::sandbox) fn survey_here(root: &Path) -> Result<Survey, SandboxError> {
    let mut walk = Walk { hash: Sha256::new(), entries: 0, bytes: 0, seen: HashSet::new() };
    walk.folder(root, Path::new("")).map_err(SandboxError::file("cannot look through", root))?;
    Ok(Survey { entries: walk.entries, bytes: walk.bytes, listing: super::hex(&walk.hash.finalize()) })
}

struct Walk {
    hash: Sha256,
    entries: u64,
    bytes: u64,
    /// Files with several names.
    seen: HashSet<(u64, u64)>,
}

impl Walk {
    fn folder(&mut self, folder: &Path, inside: &Path) -> io::Result<()> {
        let mut names: Vec<_> = fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<_>>()?;
        names.sort_unstable();
        for name in names {
            let path = folder.join(&name);
            let inside = inside.join(&name);
            let metadata = fs::symlink_metadata(&path)?;
            self.note(&inside, &metadata, &if metadata.is_symlink() { fs::read_link(&path)? } else { PathBuf::new() });
            if metadata.is_dir() {
                self.folder(&path, &inside)?;
            }
        }
        Ok(())
    }

    fn note(&mut self, inside: &Path, metadata: &fs::Metadata, target: &Path) {
        self.entries += 1;
        // The size of a folder is the file system's own affair.
        let size = if metadata.is_dir() { 0 } else { metadata.len() };
        let first = metadata.nlink() < 2 || metadata.is_dir() || self.seen.insert((metadata.dev(), metadata.ino()));
        if first {
            self.bytes += size;
        }
        for text in [inside.as_os_str().as_bytes(), target.as_os_str().as_bytes()] {
            self.hash.update(text.len().to_le_bytes());
            self.hash.update(text);
        }
        let (seconds, nanoseconds) = (metadata.mtime(), metadata.mtime_nsec());
        self.hash.update(metadata.mode().to_le_bytes());
        self.hash.update(size.to_le_bytes());
        self.hash.update(seconds.to_le_bytes());
        self.hash.update(nanoseconds.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_that_shows_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/file"), "content").unwrap();
        fs::hard_link(root.join("a/file"), root.join("a/same")).unwrap();
        std::os::unix::fs::symlink("file", root.join("a/link")).unwrap();
        let first = survey_here(root).unwrap();
        assert_eq!((first.entries, first.bytes), (5, 7 + 4));
        assert_eq!(survey_here(root).unwrap(), first);
        let different = |what: &str| assert_ne!(survey_here(root).unwrap().listing, first.listing, "{what}");
        let time = fs::metadata(root.join("a")).unwrap().modified().unwrap();
        let back = || fs::File::open(root.join("a")).unwrap().set_modified(time).unwrap();
        fs::write(root.join("a/more"), "").unwrap();
        back();
        different("a file was added");
        fs::remove_file(root.join("a/more")).unwrap();
        back();
        assert_eq!(survey_here(root).unwrap(), first);
        fs::write(root.join("a/file"), "other!!").unwrap();
        different("a file was written to");
    }
}

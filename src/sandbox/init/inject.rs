//! The layer of files that are visible inside and never part of the image.
//!
//! It lies above the image's layers and below the upper one. In an overlay the topmost folder of a merged one decides
//! over mode and owner, so every folder made here copies those of the image's folder.

use crate::sandbox::layers::{self, Node};
use crate::sandbox::tree;
use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

pub(super) struct InjectLayer<'a> {
    folder: PathBuf,
    /// The upper layer and the image's, topmost first.
    stack: &'a [PathBuf],
    /// Folders made, with the time of last change they shall show in the end.
    made: BTreeMap<PathBuf, Option<SystemTime>>,
}

impl<'a> InjectLayer<'a> {
    /// An empty layer at `folder`; what an earlier start has left there is removed.
    pub(super) fn new(folder: PathBuf, stack: &'a [PathBuf]) -> io::Result<Self> {
        tree::remove_if_there(&folder)?;
        let mut layer = Self { folder, stack, made: BTreeMap::new() };
        layer.folder_at(Path::new("/"))?;
        Ok(layer)
    }

    /// Where a path of the image leads when the symbolic links on the way are followed.
    fn place(&self, path: &Path, follow_last: bool) -> io::Result<layers::Resolved> {
        layers::resolve(self.stack, path, follow_last)
    }

    /// Puts a file at its place. A symbolic link that the image has there is replaced, links on the way are followed.
    pub(super) fn file(&mut self, path: &Path, mode: u32, content: &[u8]) -> io::Result<()> {
        let place = self.place(path, false)?.path;
        self.write(&place, mode, content)
    }

    /// Puts a file where a path leads in the end, if it does so to a place on disk; else returns that place, which is
    /// on one of the fresh file systems of every start.
    pub(super) fn file_behind(&mut self, path: &Path, mode: u32, content: &[u8]) -> io::Result<Option<PathBuf>> {
        let place = self.place(path, true)?.path;
        if is_fresh(&place) {
            return Ok(Some(place));
        }
        self.write(&place, mode, content)?;
        Ok(None)
    }

    /// Puts a file at its place unless the image has something there.
    pub(super) fn default_file(&mut self, path: &Path, mode: u32, content: &[u8]) -> io::Result<()> {
        let place = self.place(path, true)?;
        if place.node.is_some() { Ok(()) } else { self.write(&place.path, mode, content) }
    }

    /// Makes sure that something can be mounted at a path; returns where it leads.
    pub(super) fn mount_point(&mut self, path: &Path, is_folder: bool) -> io::Result<PathBuf> {
        let place = self.place(path, true)?;
        match place.node {
            Some(Node::Folder { .. }) if is_folder => {}
            Some(Node::File { .. }) if !is_folder => {}
            Some(_) => return Err(io::Error::other("the image has something else in its place")),
            None if is_fresh(&place.path) => {}
            None if is_folder => self.folder_at(&place.path).map(drop)?,
            None => self.write(&place.path, 0o644, b"")?,
        }
        Ok(place.path)
    }

    fn write(&mut self, place: &Path, mode: u32, content: &[u8]) -> io::Result<()> {
        let (Some(parent), Some(name)) = (place.parent(), place.file_name()) else {
            return Err(io::Error::other("the root itself cannot be a file"));
        };
        let path = self.folder_at(parent)?.join(name);
        fs::write(&path, content)?;
        fs::set_permissions(&path, Permissions::from_mode(mode))
    }

    /// The folder of this layer that stands for one of the image; its ancestors are made too.
    fn folder_at(&mut self, inside: &Path) -> io::Result<PathBuf> {
        let path = self.folder.join(inside.strip_prefix("/").unwrap_or(inside));
        if self.made.contains_key(&path) {
            return Ok(path);
        }
        if let Some(parent) = inside.parent() {
            self.folder_at(parent)?;
        }
        fs::create_dir(&path)?;
        let of_image = layers::resolve(self.stack, inside, false)?.node;
        let changed = match &of_image {
            Some(node) => {
                let metadata = node.metadata();
                lchown(&path, Some(metadata.uid()), Some(metadata.gid()))?;
                fs::set_permissions(&path, Permissions::from_mode(metadata.mode() & 0o7777))?;
                metadata.modified().ok()
            }
            None => None,
        };
        self.made.insert(path.clone(), changed);
        Ok(path)
    }

    /// Gives the folders the times of those they stand for.
    pub(super) fn finish(self) -> io::Result<PathBuf> {
        for (path, changed) in &self.made {
            if let Some(changed) = changed {
                File::open(path)?.set_modified(*changed)?;
            }
        }
        Ok(self.folder)
    }
}

/// Whether a path lies on one of the file systems that are new at every start.
fn is_fresh(path: &Path) -> bool {
    ["/run", "/tmp", "/dev"].iter().any(|fresh| path.starts_with(fresh) && path != Path::new(fresh))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn folders_copy_the_images_mode_and_links_are_followed() {
        let temporary = tempfile::tempdir().unwrap();
        let base = temporary.path().join("base");
        fs::create_dir_all(base.join("usr/sbin")).unwrap();
        fs::create_dir_all(base.join("etc")).unwrap();
        fs::set_permissions(base.join("usr/sbin"), Permissions::from_mode(0o2751)).unwrap();
        symlink("usr/sbin", base.join("sbin")).unwrap();
        symlink("../run/resolve/stub", base.join("etc/resolv.conf")).unwrap();
        let stack = [base];
        let mut layer = InjectLayer::new(temporary.path().join("inject"), &stack).unwrap();
        layer.file(Path::new("/sbin/policy-rc.d"), 0o755, b"x").unwrap();
        layer.default_file(Path::new("/etc/hosts"), 0o644, b"hosts").unwrap();
        let fresh = layer.file_behind(Path::new("/etc/resolv.conf"), 0o644, b"r").unwrap();
        assert_eq!(fresh.as_deref(), Some(Path::new("/run/resolve/stub")));
        assert_eq!(layer.mount_point(Path::new("/proc"), true).unwrap(), Path::new("/proc"));
        assert!(layer.mount_point(Path::new("/usr/sbin"), false).is_err());
        let folder = layer.finish().unwrap();
        let mode = |path: &str| fs::metadata(folder.join(path)).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode("usr/sbin"), 0o2751);
        assert_eq!(mode("usr/sbin/policy-rc.d"), 0o755);
        assert_eq!(fs::read(folder.join("etc/hosts")).unwrap(), b"hosts");
        assert!(folder.join("proc").is_dir());
        assert!(!folder.join("sbin").exists() && !folder.join("run").exists());
    }
}

//! Copying a stack of layers into one tree, as an overlay would show it.

use crate::sandbox::layers;
use crate::sandbox::tree::{self, Links};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Copies layers, topmost first, to a new folder. Blocks are shared where the file system can (the kernel sees to it
/// when it copies from file to file); hard links to the layers are never made: writing to one would write to both.
pub(in crate::sandbox) fn merge(layers: &[PathBuf], to: &Path) -> io::Result<()> {
    let bottom = layers.last().ok_or_else(|| io::Error::other("there is no layer"))?;
    let mut folders = Vec::new();
    for layer in layers.iter().rev() {
        let mut links = Links::new();
        // The layer's own path may lead over symbolic links: it is the host's.
        let metadata = fs::metadata(layer)?;
        folder(layer, to, &metadata, layer == bottom)?;
        folders.push((to.to_owned(), metadata));
        tree::walk(layer, &mut |path, metadata| {
            let target = to.join(path.strip_prefix(layer).unwrap_or(path));
            if metadata.is_dir() {
                folder(path, &target, metadata, false)?;
                folders.push((target, metadata.clone()));
                return Ok(());
            }
            tree::remove_if_there(&target)?;
            if layers::is_whiteout(metadata) { Ok(()) } else { tree::copy_one(path, &target, metadata, &mut links) }
        })?;
    }
    // Making their content has changed their times: the topmost layer's were noted last.
    for (folder, metadata) in &folders {
        if fs::symlink_metadata(folder).is_ok_and(|found| found.is_dir()) {
            tree::set_times(folder, metadata)?;
        }
    }
    Ok(())
}

/// Makes a folder, or makes what lower layers have there look like this one.
fn folder(from: &Path, to: &Path, metadata: &Metadata, first: bool) -> io::Result<()> {
    let found = fs::symlink_metadata(to);
    match found {
        Ok(found) if found.is_dir() && !first => {
            if layers::is_opaque(from)? {
                tree::empty(to)?;
            }
            tree::dress(from, to, metadata)
        }
        _ => {
            tree::remove_if_there(to)?;
            tree::copy_one(from, to, metadata, &mut Links::new())
        }
    }
}

/// Whether two places of a tree look the same but for what is in them.
pub(super) fn alike(one: &Metadata, other: &Metadata) -> bool {
    (one.mode(), one.uid(), one.gid(), one.rdev()) == (other.mode(), other.uid(), other.gid(), other.rdev())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::sys;
    use nix::sys::stat::{Mode, SFlag, mknod};
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn write(path: &Path, content: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    #[test]
    fn the_copy_is_what_an_overlay_would_show() {
        let folder = tempfile::tempdir().unwrap();
        let (top, base, to) = (folder.path().join("top"), folder.path().join("base"), folder.path().join("to"));
        for file in ["etc/kept", "etc/changed", "etc/gone", "opaque/old", "was-folder/x", "was-file", "link-target/y"] {
            write(&base.join(file), "base");
        }
        fs::hard_link(base.join("etc/kept"), base.join("etc/same")).unwrap();
        symlink("link-target", base.join("was-link")).unwrap();
        write(&top.join("etc/changed"), "top");
        mknod(&top.join("etc/gone"), SFlag::S_IFCHR, Mode::empty(), 0).unwrap();
        write(&top.join("opaque/new"), "top");
        sys::set_attribute(&top.join("opaque"), layers::OPAQUE[0], b"y").unwrap();
        write(&top.join("was-folder"), "file");
        write(&top.join("was-file/z"), "top");
        write(&top.join("was-link/z"), "top");
        fs::set_permissions(top.join("etc"), fs::Permissions::from_mode(0o2750)).unwrap();
        merge(&[top, base.clone()], &to).unwrap();
        let read = |path: &str| fs::read_to_string(to.join(path)).ok();
        assert_eq!(read("etc/kept").as_deref(), Some("base"));
        assert_eq!(read("etc/changed").as_deref(), Some("top"));
        assert_eq!(read("etc/gone"), None);
        assert_eq!((read("opaque/old"), read("opaque/new").as_deref()), (None, Some("top")));
        assert_eq!(read("was-folder").as_deref(), Some("file"));
        assert_eq!(read("was-file/z").as_deref(), Some("top"));
        assert_eq!(read("was-link/z").as_deref(), Some("top"));
        assert!(!to.join("link-target/z").exists(), "written over a link of a lower layer");
        assert_eq!(fs::metadata(to.join("etc")).unwrap().mode() & 0o7777, 0o2750);
        let inode = |path: &Path| fs::metadata(path).unwrap().ino();
        assert_eq!(inode(&to.join("etc/kept")), inode(&to.join("etc/same")));
        assert_ne!(inode(&to.join("etc/kept")), inode(&base.join("etc/kept")), "linked to the layer");
        assert_eq!(sys::attribute(&to.join("opaque"), layers::OPAQUE[0]).unwrap(), None);
    }
}

//! Removing, copying and capturing trees of files. Runs in this process, or inside a user namespace when files belong
//! to its ids.

use super::SandboxError;
use super::layers::{self, OPAQUE};
use super::sys;
use std::collections::BTreeMap;
use std::fs::{self, Metadata, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};

mod remove;

/// Folders whose content is no part of an image: of this boot only, or fetched again when needed.
const EMPTIED: [&str; 5] = ["run", "tmp", "dev", "var/lib/apt/lists", "var/cache/apt/archives"];

/// Of those, the ones where what lower layers have must not come to light again: an index of packages that is older
/// than the packages would be worse than none.
const OPAQUE_WHEN_EMPTIED: [&str; 2] = ["var/lib/apt/lists", "var/cache/apt/archives"];

/// Files that are no part of an image.
const DROPPED: [&str; 2] = ["var/cache/apt/pkgcache.bin", "var/cache/apt/srcpkgcache.bin"];

/// Removes a tree; nothing there is fine too.
pub(super) fn remove(path: &Path) -> Result<(), SandboxError> {
    remove_if_there(path).map_err(SandboxError::file("cannot remove", path))
}

pub(super) use remove::remove_if_there;

/// Turns the upper layer of a stopped instance into a layer of an image at `destination`: by renaming on the same file
/// system, else by copying. What belongs in no image, and `drop` (paths inside), is left out.
///
/// Nothing is forced to the disk: that would take seconds on a busy machine, for every image. What a power cut within
/// the next half minute destroys can be built again.
pub(super) fn capture(upper: &Path, destination: &Path, drop: &[String]) -> Result<(), SandboxError> {
    clean(upper, drop).map_err(SandboxError::file("cannot clean", upper))?;
    let failed = || SandboxError::file("cannot make the layer", destination);
    match fs::rename(upper, destination) {
        Ok(()) => return Ok(()),
        Err(error) if error.kind() == ErrorKind::CrossesDevices => {}
        Err(error) => return Err(failed()(error)),
    }
    // Copied beside its place first: a layer is there whole or not at all.
    let mut name = destination.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let partial = destination.with_file_name(name);
    remove(&partial)?;
    let copied = copy(upper, &partial).and_then(|()| fs::rename(&partial, destination));
    if copied.is_err() {
        let _ = remove_if_there(&partial);
    }
    copied.map_err(failed())?;
    remove(upper)
}

/// Has the file system of a tree write everything to the disk.
pub(super) fn write_out(tree: &Path) -> io::Result<()> {
    Ok(nix::unistd::syncfs(fs::File::open(tree)?)?)
}

fn clean(upper: &Path, drop: &[String]) -> io::Result<()> {
    drop_injected(upper)?;
    for folder in EMPTIED {
        let path = upper.join(folder);
        if fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir()) {
            empty(&path)?;
            if OPAQUE_WHEN_EMPTIED.contains(&folder) {
                sys::set_attribute(&path, OPAQUE[0], b"y")?;
            }
        }
    }
    for file in DROPPED.into_iter().chain(drop.iter().map(String::as_str)) {
        if let Some(path) = below(upper, file) {
            remove_if_there(&path)?;
        }
    }
    Ok(())
}

/// A path inside as one below the layer; `None` for one that would lead out of it or is the layer itself.
fn below(upper: &Path, inside: &str) -> Option<PathBuf> {
    let relative = Path::new(inside.trim_start_matches('/'));
    let plain = relative.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    if !plain || relative.as_os_str().is_empty() {
        return None;
    }
    // Nor over a symbolic link on the way.
    let mut path = upper.to_owned();
    for part in relative.components() {
        if path != upper && !fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir()) {
            return None;
        }
        path.push(part);
    }
    Some(path)
}

/// Removes what is in a folder.
pub(super) fn empty(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        remove_if_there(&entry?.path())?;
    }
    Ok(())
}

/// Injected files land in the upper layer when a job touches them: the inject layer, which lies beside the upper one,
/// tells which. One that a job has given another content is the job's own and stays.
pub(super) fn drop_injected(upper: &Path) -> io::Result<()> {
    let Some(inject) = upper.parent().map(|scratch| scratch.join("inject")) else { return Ok(()) };
    if !inject.is_dir() {
        return Ok(());
    }
    walk(&inject, &mut |path, metadata| {
        let relative = path.strip_prefix(&inject).unwrap_or(path).to_string_lossy().into_owned();
        let Some(above) = below(upper, &relative).filter(|_| metadata.is_file()) else { return Ok(()) };
        let Ok(found) = fs::symlink_metadata(&above) else { return Ok(()) };
        let same = found.is_file() && found.len() == metadata.len() && fs::read(&above)? == fs::read(path)?;
        if same || layers::is_whiteout(&found) { fs::remove_file(&above) } else { Ok(()) }
    })
}

/// Calls `visit` for everything below a folder, parents first.
pub(super) fn walk(folder: &Path, visit: &mut dyn FnMut(&Path, &Metadata) -> io::Result<()>) -> io::Result<()> {
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    entries.sort();
    for path in entries {
        let metadata = fs::symlink_metadata(&path)?;
        visit(&path, &metadata)?;
        if metadata.is_dir() {
            walk(&path, visit)?;
        }
    }
    Ok(())
}

/// Copies a tree with owners, modes, times, attributes, hard links, devices and whiteouts.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut links = BTreeMap::new();
    let mut folders = Vec::new();
    let root = fs::symlink_metadata(from)?;
    copy_one(from, to, &root, &mut links)?;
    folders.push((to.to_owned(), root));
    walk(from, &mut |path, metadata| {
        let target = to.join(path.strip_prefix(from).unwrap_or(path));
        copy_one(path, &target, metadata, &mut links)?;
        if metadata.is_dir() {
            if layers::is_opaque(path)? {
                sys::set_attribute(&target, OPAQUE[0], b"y")?;
            }
            folders.push((target, metadata.clone()));
        }
        Ok(())
    })?;
    // Making their content has changed the times of the folders: those last, innermost first.
    for (folder, metadata) in folders.iter().rev() {
        set_times(folder, metadata)?;
    }
    Ok(())
}

/// The first names of files that have several, by device and inode.
pub(super) type Links = BTreeMap<(u64, u64), PathBuf>;

pub(super) fn copy_one(from: &Path, to: &Path, metadata: &Metadata, links: &mut Links) -> io::Result<()> {
    let kind = metadata.file_type();
    let identity = (metadata.dev(), metadata.ino());
    if !kind.is_dir() && metadata.nlink() > 1 {
        if let Some(first) = links.get(&identity) {
            return fs::hard_link(first, to);
        }
        links.insert(identity, to.to_owned());
    }
    if kind.is_dir() {
        fs::DirBuilder::new().mode(0o700).create(to)?;
    } else if kind.is_symlink() {
        symlink(fs::read_link(from)?, to)?;
    } else if kind.is_file() {
        fs::copy(from, to)?;
    } else {
        make_node(to, metadata)?;
    }
    dress(from, to, metadata)?;
    if kind.is_dir() { Ok(()) } else { set_times(to, metadata) }
}

/// Gives owner, attributes and mode of one thing to another.
pub(super) fn dress(from: &Path, to: &Path, metadata: &Metadata) -> io::Result<()> {
    lchown(to, Some(metadata.uid()), Some(metadata.gid()))?;
    for name in image_attributes(from)? {
        if let Some(value) = sys::attribute(from, &name)? {
            sys::set_attribute(to, &name, &value)?;
        }
    }
    if metadata.is_symlink() {
        return Ok(());
    }
    // After the owner: a change of owner takes set-user-id bits away.
    fs::set_permissions(to, Permissions::from_mode(metadata.mode() & 0o7777))
}

/// The extended attributes that belong to an image. Labels of a security module are the machine's, which gives them to
/// new files by itself; marks of an overlay mean something only where it has made them.
pub(super) fn image_attributes(path: &Path) -> io::Result<Vec<String>> {
    let foreign =
        |name: &String| name == "security.selinux" || name == "security.apparmor" || name.contains(".overlay.");
    Ok(sys::attributes(path)?.into_iter().filter(|name| !foreign(name)).collect())
}

fn make_node(to: &Path, metadata: &Metadata) -> io::Result<()> {
    use nix::sys::stat::{Mode, SFlag, mknod};
    let kind = metadata.file_type();
    let flag = match () {
        () if kind.is_char_device() => SFlag::S_IFCHR,
        () if kind.is_block_device() => SFlag::S_IFBLK,
        () if kind.is_fifo() => SFlag::S_IFIFO,
        () => SFlag::S_IFSOCK,
    };
    Ok(mknod(to, flag, Mode::from_bits_truncate(metadata.mode() & 0o7777), metadata.rdev())?)
}

pub(super) fn set_times(path: &Path, metadata: &Metadata) -> io::Result<()> {
    use nix::sys::stat::{UtimensatFlags, utimensat};
    use nix::sys::time::TimeSpec;
    let accessed = TimeSpec::new(metadata.atime(), metadata.atime_nsec());
    let modified = TimeSpec::new(metadata.mtime(), metadata.mtime_nsec());
    Ok(utimensat(nix::fcntl::AT_FDCWD, path, &accessed, &modified, UtimensatFlags::NoFollowSymlink)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, content: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    #[test]
    fn what_belongs_in_no_image_is_left_out() {
        let scratch = tempfile::tempdir().unwrap();
        let upper = scratch.path().join("upper");
        for path in
            ["run/x", "tmp/y", "var/lib/apt/lists/l", "var/lib/apt/lists/partial/p", "var/cache/apt/pkgcache.bin"]
        {
            write(&upper, path, "gone");
        }
        write(&upper, "etc/kept", "kept");
        write(&upper, "var/lib/amiforge/state", "gone");
        write(&upper, "usr/sbin/policy-rc.d", "injected");
        write(&upper, "etc/apt/own", "changed by a job");
        write(&scratch.path().join("inject"), "usr/sbin/policy-rc.d", "injected");
        write(&scratch.path().join("inject"), "etc/apt/own", "injected");
        let layer = scratch.path().join("layer");
        capture(&upper, &layer, &["/var/lib/amiforge".into(), "/../outside".into(), "/".into()]).unwrap();
        assert!(!upper.exists());
        assert_eq!(fs::read_to_string(layer.join("etc/kept")).unwrap(), "kept");
        assert_eq!(fs::read_to_string(layer.join("etc/apt/own")).unwrap(), "changed by a job");
        for path in ["run/x", "tmp/y", "var/lib/apt/lists/l", "var/cache/apt/pkgcache.bin", "var/lib/amiforge"] {
            assert!(!layer.join(path).exists(), "{path}");
        }
        assert!(!layer.join("usr/sbin/policy-rc.d").exists());
        let opaque = sys::attribute(&layer.join("var/lib/apt/lists"), OPAQUE[0]).unwrap();
        assert_eq!(opaque.as_deref(), Some(b"y".as_slice()));
    }

    #[test]
    fn nothing_is_dropped_over_a_link_that_leads_out() {
        let scratch = tempfile::tempdir().unwrap();
        let upper = scratch.path().join("upper");
        write(scratch.path(), "outside/file", "safe");
        fs::create_dir_all(&upper).unwrap();
        symlink("../outside", upper.join("link")).unwrap();
        capture(&upper, &scratch.path().join("layer"), &["/link/file".into()]).unwrap();
        assert!(scratch.path().join("outside/file").exists());
    }

    #[test]
    fn a_copy_is_the_same_tree() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        write(&from, "a/file", "content");
        fs::set_permissions(from.join("a/file"), Permissions::from_mode(0o4751)).unwrap();
        fs::hard_link(from.join("a/file"), from.join("a/same")).unwrap();
        symlink("nowhere", from.join("a/link")).unwrap();
        nix::unistd::mkfifo(&from.join("pipe"), nix::sys::stat::Mode::from_bits_truncate(0o640)).unwrap();
        sys::set_attribute(&from.join("a"), "user.test", b"value").unwrap();
        copy(&from, &to).unwrap();
        let (old, new) = (fs::metadata(from.join("a/file")).unwrap(), fs::metadata(to.join("a/file")).unwrap());
        assert_eq!((old.mode(), old.mtime(), old.mtime_nsec()), (new.mode(), new.mtime(), new.mtime_nsec()));
        assert_eq!(new.ino(), fs::metadata(to.join("a/same")).unwrap().ino());
        assert_eq!(fs::read_link(to.join("a/link")).unwrap(), Path::new("nowhere"));
        assert!(fs::metadata(to.join("pipe")).unwrap().file_type().is_fifo());
        assert_eq!(sys::attribute(&to.join("a"), "user.test").unwrap().as_deref(), Some(b"value".as_slice()));
        assert_eq!(fs::metadata(from.join("a")).unwrap().mtime(), fs::metadata(to.join("a")).unwrap().mtime());
    }

    #[test]
    fn removing_nothing_is_fine_and_a_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "target/file", "safe");
        symlink("target", folder.path().join("link")).unwrap();
        remove(&folder.path().join("absent")).unwrap();
        remove(&folder.path().join("link")).unwrap();
        assert!(folder.path().join("target/file").exists());
        remove(&folder.path().join("target")).unwrap();
        assert!(!folder.path().join("target").exists());
    }
}

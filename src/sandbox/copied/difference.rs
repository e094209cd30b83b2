//! From a changed copy back to a layer: what an overlay would have written.

use super::merge::alike;
use crate::sandbox::layers::{self, Node};
use crate::sandbox::{sys, tree};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// In an instance with namespaces, file systems of their own are mounted here, so nothing of it is ever in a layer.
const MOUNTED: [&str; 5] = ["proc", "sys", "dev", "run", "tmp"];

struct Comparison<'a> {
    upper: &'a Path,
    layer: &'a Path,
    inject: &'a Path,
    /// Inside, not looked at.
    skipped: BTreeSet<PathBuf>,
    since: (i64, i64),
}

/// Moves what is new or changed in `upper` since `since` to `layer`, and marks there what has been removed.
pub(super) fn make(
    upper: &Path,
    layer: &Path,
    layers: &[PathBuf],
    shown: &[PathBuf],
    since: (i64, i64),
    inject: &Path,
) -> io::Result<()> {
    let mut skipped: BTreeSet<PathBuf> = MOUNTED.into_iter().map(PathBuf::from).collect();
    skipped.extend(shown.iter().map(|path| path.strip_prefix("/").unwrap_or(path).to_owned()));
    let comparison = Comparison { upper, layer, inject, skipped, since };
    let root = layers::root(layers)?;
    comparison.folder(Path::new(""), &places(&root))?;
    // The root is always there, and looks as it does in the copy.
    comparison.make_folder(Path::new(""))
}

fn places(node: &Node) -> Vec<PathBuf> {
    match node {
        Node::Folder { places, .. } => places.clone(),
        Node::File { .. } => Vec::new(),
    }
}

impl Comparison<'_> {
    fn folder(&self, inside: &Path, below: &[PathBuf]) -> io::Result<()> {
        let mut names = names(&self.upper.join(inside))?;
        for place in below {
            names.extend(self::names(place)?);
        }
        for name in names {
            let path = inside.join(&name);
            if !self.skipped.contains(&path) {
                self.entry(&path, layers::child(below, &name)?.as_ref())?;
            }
        }
        Ok(())
    }

    fn entry(&self, inside: &Path, before: Option<&Node>) -> io::Result<()> {
        let path = self.upper.join(inside);
        let now = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return if before.is_some() { self.whiteout(inside) } else { Ok(()) };
            }
            Err(error) => return Err(error),
        };
        match before {
            Some(Node::Folder { places, metadata }) if now.is_dir() => {
                if !alike(&now, metadata) || self.is_doubtful(&now) && !same_attributes(&path, &places[0])? {
                    self.make_folder(inside)?;
                }
                self.folder(inside, places)
            }
            Some(Node::File { path: old, metadata }) if !now.is_dir() => {
                if self.is_same(&path, &now, old, metadata)? {
                    Ok(())
                } else {
                    self.take(inside)
                }
            }
            // Only made to hold an injected file.
            None if now.is_dir() && self.inject.join(inside).is_dir() => self.folder(inside, &[]),
            // A new folder above what was no folder hides it by itself, and so does a file above a folder.
            _ => self.take(inside),
        }
    }

    /// Whether a file is what it was. A file that nobody has touched since the copy was made has kept the time of its
    /// last change, which no program can set; of all others the content decides when the rest looks the same.
    fn is_same(&self, path: &Path, now: &Metadata, old: &Path, before: &Metadata) -> io::Result<bool> {
        let times = |metadata: &Metadata| (metadata.mtime(), metadata.mtime_nsec());
        if !alike(now, before) || now.len() != before.len() || times(now) != times(before) {
            return Ok(false);
        }
        if now.is_symlink() {
            return Ok(fs::read_link(path)? == fs::read_link(old)?);
        }
        if !self.is_doubtful(now) {
            return Ok(true);
        }
        Ok(same_attributes(path, old)? && (!now.is_file() || same_content(path, old)?))
    }

    fn is_doubtful(&self, metadata: &Metadata) -> bool {
        (metadata.ctime(), metadata.ctime_nsec()) >= self.since
    }

    /// Moves something with all that is in it.
    fn take(&self, inside: &Path) -> io::Result<()> {
        self.make_parents(inside)?;
        fs::rename(self.upper.join(inside), self.layer.join(inside))
    }

    /// Says that something is gone. Linux 5.8: everyone may make this one device.
    fn whiteout(&self, inside: &Path) -> io::Result<()> {
        use nix::sys::stat::{Mode, SFlag, mknod};
        self.make_parents(inside)?;
        Ok(mknod(&self.layer.join(inside), SFlag::S_IFCHR, Mode::empty(), 0)?)
    }

    fn make_parents(&self, inside: &Path) -> io::Result<()> {
        inside.parent().map_or(Ok(()), |parent| self.make_folder(parent))
    }

    /// Makes a folder that looks like the copy's.
    fn make_folder(&self, inside: &Path) -> io::Result<()> {
        let (from, to) = (self.upper.join(inside), self.layer.join(inside));
        if to.is_dir() {
            return Ok(());
        }
        if !inside.as_os_str().is_empty() {
            self.make_parents(inside)?;
        }
        let metadata = fs::symlink_metadata(&from)?;
        tree::copy_one(&from, &to, &metadata, &mut tree::Links::new())
    }
}

fn names(folder: &Path) -> io::Result<BTreeSet<OsString>> {
    match fs::read_dir(folder) {
        Ok(entries) => entries.map(|entry| Ok(entry?.file_name())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(error),
    }
}

fn same_attributes(one: &Path, other: &Path) -> io::Result<bool> {
    let all = |path: &Path| -> io::Result<Vec<(String, Option<Vec<u8>>)>> {
        let mut names = tree::image_attributes(path)?;
        names.sort();
        names.into_iter().map(|name| Ok((name.clone(), sys::attribute(path, &name)?))).collect()
    };
    Ok(all(one)? == all(other)?)
}

fn same_content(one: &Path, other: &Path) -> io::Result<bool> {
    let (mut one, mut other) = (io::BufReader::new(File::open(one)?), io::BufReader::new(File::open(other)?));
    let (mut left, mut right) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        let length = one.read(&mut left)?;
        if length == 0 {
            return Ok(other.read(&mut right)? == 0);
        }
        if other.read_exact(&mut right[..length]).is_err() || left[..length] != right[..length] {
            return Ok(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Copied;
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn write(path: &Path, content: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Everything in a tree: path and what it is.
    fn listing(root: &Path) -> Vec<String> {
        let mut lines = Vec::new();
        tree::walk(root, &mut |path, metadata| {
            let name = path.strip_prefix(root).unwrap().display();
            let kind = match () {
                () if metadata.is_dir() => "/".into(),
                () if layers::is_whiteout(metadata) => " gone".into(),
                () if metadata.is_symlink() => format!(" -> {}", fs::read_link(path)?.display()),
                () => format!(": {}", fs::read_to_string(path)?),
            };
            lines.push(format!("{name}{kind}"));
            Ok(())
        })
        .unwrap();
        lines
    }

    #[test]
    fn only_what_has_changed_is_in_the_layer_and_the_stack_shows_the_copy() {
        let folder = tempfile::tempdir().unwrap();
        let (base, place) = (folder.path().join("base"), folder.path().join("place"));
        for file in
            ["etc/kept", "etc/gone", "etc/changed", "etc/mode", "etc/sneaky", "old/a/b", "dir/x", "tmp/t", "file"]
        {
            write(&base.join(file), "base");
        }
        symlink("kept", base.join("etc/link")).unwrap();
        fs::create_dir(&place).unwrap();
        Copied::make(&place, std::slice::from_ref(&base), &["/shown".into()]).unwrap();
        let upper = place.join("upper");
        let untouched = Copied::at(&place).unwrap().unwrap();
        fs::remove_file(upper.join("etc/gone")).unwrap();
        write(&upper.join("etc/changed"), "new!");
        fs::set_permissions(upper.join("etc/mode"), fs::Permissions::from_mode(0o600)).unwrap();
        // Same length, and the old time put back: as `cp -p` and `touch -r` do.
        let time = fs::metadata(upper.join("etc/sneaky")).unwrap().modified().unwrap();
        write(&upper.join("etc/sneaky"), "BASE");
        File::options().write(true).open(upper.join("etc/sneaky")).unwrap().set_modified(time).unwrap();
        fs::remove_dir_all(upper.join("old")).unwrap();
        fs::remove_dir_all(upper.join("dir")).unwrap();
        write(&upper.join("dir"), "now a file");
        fs::remove_file(upper.join("file")).unwrap();
        write(&upper.join("file/inside"), "now a folder");
        write(&upper.join("srv/new/file"), "new");
        write(&upper.join("tmp/new"), "not of the image");
        write(&upper.join("shown/file"), "of the machine");
        fs::remove_file(upper.join("etc/link")).unwrap();
        symlink("mode", upper.join("etc/link")).unwrap();
        let layer = untouched.difference().unwrap();
        assert_eq!(
            listing(&layer),
            [
                "dir: now a file",
                "etc/",
                "etc/changed: new!",
                "etc/gone gone",
                "etc/link -> mode",
                "etc/mode: base",
                "etc/sneaky: BASE",
                "file/",
                "file/inside: now a folder",
                "old gone",
                "srv/",
                "srv/new/",
                "srv/new/file: new",
            ]
        );
        let stack = [layer, base];
        let read = |path: &str| layers::read_file(&stack, Path::new(path)).unwrap();
        assert_eq!(read("/etc/kept").as_deref(), Some(b"base".as_slice()));
        assert_eq!((read("/etc/gone"), read("/old/a/b"), read("/dir/x")), (None, None, None));
    }

    #[test]
    fn an_unchanged_copy_is_an_empty_layer() {
        let folder = tempfile::tempdir().unwrap();
        let (base, place) = (folder.path().join("base"), folder.path().join("place"));
        write(&base.join("etc/a"), "a");
        fs::hard_link(base.join("etc/a"), base.join("etc/b")).unwrap();
        fs::set_permissions(&base, fs::Permissions::from_mode(0o751)).unwrap();
        fs::create_dir(&place).unwrap();
        Copied::make(&place, std::slice::from_ref(&base), &[]).unwrap();
        let copied = Copied::at(&place).unwrap().unwrap();
        // The copy alone is a layer, too: complete.
        assert_eq!(
            layers::read_file(&[place.join("upper")], Path::new("/etc/b")).unwrap().as_deref(),
            Some(b"a".as_slice())
        );
        let layer = copied.difference().unwrap();
        assert_eq!(listing(&layer), Vec::<String>::new());
        assert_eq!(fs::metadata(&layer).unwrap().mode() & 0o7777, 0o751);
        assert_eq!(tree::image_attributes(&layer).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_removed_file_hides_what_the_layer_has_as_soon_as_it_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let (base, place) = (folder.path().join("base"), folder.path().join("place"));
        write(&base.join("etc/a"), "a");
        fs::create_dir(&place).unwrap();
        assert!(Copied::make(&place, std::slice::from_ref(&base), &[]).unwrap());
        fs::remove_file(place.join("upper/etc/a")).unwrap();
        assert_eq!(layers::read_file(&[place.join("upper"), base], Path::new("/etc/a")).unwrap(), None);
    }
}

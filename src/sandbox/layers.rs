//! Reading files through a stack of layers, as an overlay would show them, without mounting one.

use super::sys;
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Component, Path, PathBuf};

/// Symbolic links followed on one path; `MAXSYMLINKS` of Linux.
const LINKS: usize = 40;

/// Longest file that is read; a component can make one of any length in no time (truncate(1)).
const LONGEST: u64 = 256 << 20;

/// Reads a file through stacked layers, topmost first. Whiteouts and opaque folders are honoured; symbolic links are
/// followed inside of the layers and never out of them, also when the topmost belongs to a running instance that
/// replaces folders by links meanwhile. `None` when there is no such file.
///
/// # Errors
/// Too many symbolic links; a folder in its place; a file of more than 256 MiB; whatever reading answers, for example permission denied for a file
/// that belongs to a subordinate id.
pub fn read_file(layers: &[PathBuf], path: &Path) -> io::Result<Option<Vec<u8>>> {
    match resolve(layers, path, true)?.node {
        None => Ok(None),
        Some(Node::Folder { .. }) => Err(io::Error::new(ErrorKind::IsADirectory, "is a folder")),
        Some(Node::File { path, metadata }) if metadata.is_file() => read_plain(layers, &path).map(Some),
        Some(Node::File { .. }) => Err(io::Error::new(ErrorKind::InvalidInput, "is not a regular file")),
    }
}

/// Reads a file of a running instance by its [`root`](super::Instance::root): symbolic links lead where they lead inside,
/// also when they change meanwhile. `None` when there is no such file.
///
/// # Errors
/// As [`read_file`]; also when the instance has ended.
pub fn read_inside(root: &Path, path: &Path) -> io::Result<Option<Vec<u8>>> {
    use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2};
    let folder = open(root, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, nix::sys::stat::Mode::empty())?;
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let resolve = ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS;
    match openat2(folder, path, OpenHow::new().flags(flags).resolve(resolve)) {
        Ok(file) => read_open(File::from(file)).map(Some),
        Err(nix::Error::ENOENT | nix::Error::ENOTDIR) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Reads a file that was found in one of the layers, over folders only: no link is followed any more.
fn read_plain(layers: &[PathBuf], path: &Path) -> io::Result<Vec<u8>> {
    use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2};
    let (layer, inside) = layers
        .iter()
        .find_map(|layer| Some((layer, path.strip_prefix(layer).ok()?)))
        .ok_or_else(|| io::Error::other("is in no layer"))?;
    let folder = open(layer, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, nix::sys::stat::Mode::empty())?;
    // Should it have become a pipe, opening must not wait for a writer.
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NONBLOCK;
    let resolve = ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_BENEATH;
    read_open(File::from(openat2(folder, inside, OpenHow::new().flags(flags).resolve(resolve))?))
}

/// Reads a file that was opened without waiting, if it is one and is not without end.
fn read_open(file: File) -> io::Result<Vec<u8>> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "is not a regular file"));
    }
    if metadata.len() > LONGEST {
        let text = format!("has {} bytes, more than is ever read", metadata.len());
        return Err(io::Error::new(ErrorKind::FileTooLarge, text));
    }
    let mut content = Vec::new();
    // It may grow while it is read.
    file.take(LONGEST).read_to_end(&mut content)?;
    Ok(content)
}

/// What a stack of layers has at a path.
#[derive(Debug, Clone)]
pub(super) enum Node {
    /// Anything that is no folder; where it lies on this machine.
    File { path: PathBuf, metadata: Metadata },
    /// A folder: the places it is merged of, topmost first, and the metadata of the topmost.
    Folder { places: Vec<PathBuf>, metadata: Metadata },
}

impl Node {
    /// The metadata an instance would see.
    pub(super) fn metadata(&self) -> &Metadata {
        match self {
            Self::File { metadata, .. } | Self::Folder { metadata, .. } => metadata,
        }
    }
}

/// A path without symbolic links, and what is there.
#[derive(Debug)]
pub(super) struct Resolved {
    /// Absolute, as seen inside.
    pub(super) path: PathBuf,
    pub(super) node: Option<Node>,
}

/// Follows a path through the layers; with `follow_last` a symbolic link at its end too. What is missing is taken
/// literally.
pub(super) fn resolve(layers: &[PathBuf], path: &Path, follow_last: bool) -> io::Result<Resolved> {
    let root = root(layers)?;
    let mut trail: Vec<(OsString, Option<Node>)> = Vec::new();
    let mut pending: VecDeque<OsString> = names(path).collect();
    let mut links = 0;
    while let Some(name) = pending.pop_front() {
        if name == ".." {
            trail.pop();
            continue;
        }
        let here = trail.last().map_or(Some(&root), |(_, node)| node.as_ref());
        let node = match here {
            Some(Node::Folder { places, .. }) => child(places, &name)?,
            _ => None,
        };
        match &node {
            Some(Node::File { path, metadata }) if metadata.is_symlink() && (follow_last || !pending.is_empty()) => {
                links += 1;
                if links > LINKS {
                    return Err(io::Error::from_raw_os_error(nix::libc::ELOOP));
                }
                let target = fs::read_link(path)?;
                if target.is_absolute() {
                    trail.clear();
                }
                for name in names(&target).collect::<Vec<_>>().into_iter().rev() {
                    pending.push_front(name);
                }
            }
            _ => trail.push((name, node)),
        }
    }
    let path = trail.iter().fold(PathBuf::from("/"), |path, (name, _)| path.join(name));
    let node = trail.pop().map_or(Some(root), |(_, node)| node);
    Ok(Resolved { path, node })
}

fn names(path: &Path) -> impl Iterator<Item = OsString> + '_ {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        _ => None,
    })
}

pub(super) fn root(layers: &[PathBuf]) -> io::Result<Node> {
    let mut places = Vec::new();
    let mut metadata = None;
    for layer in layers {
        // The layer's own path may lead over symbolic links: it is the host's.
        let found = fs::metadata(layer)?;
        if !found.is_dir() {
            return Err(io::Error::new(ErrorKind::NotADirectory, format!("{} is not a folder", layer.display())));
        }
        metadata.get_or_insert(found);
        places.push(layer.clone());
        if is_opaque(layer)? {
            break;
        }
    }
    match metadata {
        Some(metadata) => Ok(Node::Folder { places, metadata }),
        None => Err(io::Error::new(ErrorKind::InvalidInput, "there is no layer")),
    }
}

/// One name in a folder that is merged of `places`.
pub(super) fn child(places: &[PathBuf], name: &OsStr) -> io::Result<Option<Node>> {
    let mut merged: Option<(Vec<PathBuf>, Metadata)> = None;
    for place in places {
        let path = place.join(name);
        let metadata = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => continue,
            Err(error) => return Err(error),
        };
        if metadata.is_dir() {
            let last = is_opaque(&path)?;
            merged.get_or_insert_with(|| (Vec::new(), metadata)).0.push(path);
            if last {
                break;
            }
        } else if merged.is_some() || is_whiteout(&metadata) {
            // A folder above hides it; or it says that there is nothing, here and below.
            break;
        } else {
            return Ok(Some(Node::File { path, metadata }));
        }
    }
    Ok(merged.map(|(places, metadata)| Node::Folder { places, metadata }))
}

/// An overlay marks a removed file with a character device 0:0.
pub(super) fn is_whiteout(metadata: &Metadata) -> bool {
    metadata.file_type().is_char_device() && metadata.rdev() == 0
}

/// Names of the attribute that hides what lower layers have in a folder: of overlays mounted by users, and by root.
pub(super) const OPAQUE: [&str; 2] = ["user.overlay.opaque", "trusted.overlay.opaque"];

/// Whether a folder hides what lower layers have in it.
pub(super) fn is_opaque(folder: &Path) -> io::Result<bool> {
    for name in OPAQUE {
        if sys::attribute(folder, name)?.as_deref() == Some(b"y") {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    struct Stack {
        _folder: tempfile::TempDir,
        layers: Vec<PathBuf>,
    }

    impl Stack {
        fn new(layers: usize) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let layers: Vec<PathBuf> = (0..layers).map(|number| folder.path().join(number.to_string())).collect();
            for layer in &layers {
                fs::create_dir(layer).unwrap();
            }
            Self { _folder: folder, layers }
        }

        fn write(&self, layer: usize, path: &str, content: &str) -> &Self {
            let path = self.layers[layer].join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
            self
        }

        fn link(&self, layer: usize, path: &str, target: &str) -> &Self {
            let path = self.layers[layer].join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            symlink(target, path).unwrap();
            self
        }

        fn read(&self, path: &str) -> Option<String> {
            self.try_read(path).unwrap()
        }

        fn try_read(&self, path: &str) -> io::Result<Option<String>> {
            Ok(read_file(&self.layers, Path::new(path))?.map(|bytes| String::from_utf8(bytes).unwrap()))
        }
    }

    #[test]
    fn the_topmost_file_wins_and_folders_are_merged() {
        let stack = Stack::new(2);
        stack.write(0, "etc/a", "top").write(1, "etc/a", "base").write(1, "etc/b", "base");
        assert_eq!(stack.read("/etc/a").as_deref(), Some("top"));
        assert_eq!(stack.read("etc/b").as_deref(), Some("base"));
        assert_eq!(stack.read("/etc/c"), None);
        assert_eq!(stack.read("/etc/a/below"), None);
        assert!(stack.try_read("/etc").is_err());
    }

    #[test]
    fn a_file_above_a_folder_and_a_folder_above_a_file_hide_it() {
        let stack = Stack::new(2);
        stack.write(0, "x", "file").write(1, "x/y", "hidden").write(0, "d/n", "new").write(1, "d", "old file");
        assert_eq!(stack.read("/x/y"), None);
        assert_eq!(stack.read("/d/n").as_deref(), Some("new"));
    }

    #[test]
    fn links_are_followed_inside_only() {
        let stack = Stack::new(2);
        stack.write(1, "usr/lib/os-release", "ID=debian").link(1, "etc/os-release", "../usr/lib/os-release");
        stack.link(1, "lib", "usr/lib").link(0, "etc/abs", "/lib/os-release");
        stack.link(0, "etc/out", "../../../../../../../../etc/passwd").link(0, "etc/passwd2", "/etc/passwd");
        stack.link(0, "loop", "loop");
        assert_eq!(stack.read("/etc/os-release").as_deref(), Some("ID=debian"));
        assert_eq!(stack.read("/etc/abs").as_deref(), Some("ID=debian"));
        assert_eq!(stack.read("/lib/../lib/os-release").as_deref(), Some("ID=debian"));
        assert_eq!(stack.read("/etc/out"), None);
        assert_eq!(stack.read("/etc/passwd2"), None);
        assert!(stack.try_read("/loop").is_err());
    }

    #[test]
    fn paths_are_resolved_even_where_nothing_is() {
        let stack = Stack::new(1);
        stack.write(0, "usr/sbin/x", "").link(0, "sbin", "usr/sbin").link(0, "etc/resolv.conf", "../run/r/stub");
        let path = |path: &str, follow| resolve(&stack.layers, Path::new(path), follow).unwrap().path;
        assert_eq!(path("/sbin/policy-rc.d", false), Path::new("/usr/sbin/policy-rc.d"));
        assert_eq!(path("/etc/resolv.conf", true), Path::new("/run/r/stub"));
        assert_eq!(path("/etc/resolv.conf", false), Path::new("/etc/resolv.conf"));
        assert_eq!(path("/", true), Path::new("/"));
    }

    #[test]
    fn opaque_folders_end_the_merge() {
        let stack = Stack::new(2);
        stack.write(0, "var/lists/new", "new").write(1, "var/lists/old", "old");
        assert_eq!(stack.read("/var/lists/old").as_deref(), Some("old"));
        sys::set_attribute(&stack.layers[0].join("var/lists"), OPAQUE[0], b"y").unwrap();
        assert_eq!(stack.read("/var/lists/old"), None);
        assert_eq!(stack.read("/var/lists/new").as_deref(), Some("new"));
    }

    #[test]
    fn a_folder_that_has_become_a_link_meanwhile_is_not_followed() {
        let stack = Stack::new(1);
        stack.write(0, "etc/passwd", "inside");
        let path = stack.layers[0].join("etc/passwd");
        assert_eq!(read_plain(&stack.layers, &path).unwrap(), b"inside");
        fs::remove_dir_all(stack.layers[0].join("etc")).unwrap();
        symlink("/etc", stack.layers[0].join("etc")).unwrap();
        assert_eq!(read_plain(&stack.layers, &path).unwrap_err().raw_os_error(), Some(nix::libc::ELOOP));
    }

    #[test]
    fn links_of_a_running_root_lead_where_they_lead_inside() {
        let stack = Stack::new(1);
        let root = &stack.layers[0];
        stack.write(0, "usr/lib/os-release", "inside").link(0, "etc/os-release", "/usr/lib/os-release");
        stack.link(0, "etc/up", "../../../../../../../../usr/lib/os-release").link(0, "etc/passwd", "/etc/passwd");
        for path in ["/etc/os-release", "etc/up"] {
            assert_eq!(read_inside(root, Path::new(path)).unwrap().as_deref(), Some(b"inside".as_slice()), "{path}");
        }
        assert!(read_inside(root, Path::new("/etc/passwd")).is_err(), "a link to itself");
        assert_eq!(read_inside(root, Path::new("/etc/none")).unwrap(), None);
        nix::unistd::mkfifo(&root.join("pipe"), nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
        assert!(read_inside(root, Path::new("/pipe")).is_err());
    }

    #[test]
    fn files_without_end_are_refused() {
        let stack = Stack::new(1);
        stack.write(0, "big", "");
        File::options().write(true).open(stack.layers[0].join("big")).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(stack.try_read("/big").unwrap_err().kind(), ErrorKind::FileTooLarge);
    }

    #[test]
    fn an_opaque_layer_hides_all_below_it() {
        let stack = Stack::new(2);
        stack.write(0, "a", "top").write(1, "b", "base");
        assert_eq!(stack.read("/b").as_deref(), Some("base"));
        sys::set_attribute(&stack.layers[0], OPAQUE[0], b"y").unwrap();
        assert_eq!((stack.read("/a").as_deref(), stack.read("/b")), (Some("top"), None));
    }

    #[test]
    fn no_layer_and_a_layer_that_is_not_there_are_errors() {
        assert!(read_file(&[], Path::new("/x")).is_err());
        assert!(read_file(&[PathBuf::from("/nonexistent-layer")], Path::new("/x")).is_err());
    }
}

//! Where a member of an archive goes: always below the root that is being made, whatever its name and whatever lies there.
//!
//! The kernel resolves the folder of a member with that root as its `/` (openat2(2), `RESOLVE_IN_ROOT`): neither `..` nor a
//! symbolic link that an earlier member has made leads out of it. The last part of a name is never followed.

use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat2};
use nix::sys::stat::Mode;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

/// The root that is being made.
pub(super) struct Tree {
    root: OwnedFd,
    /// Where it lies, as the kernel tells it.
    path: PathBuf,
    /// The folder of the last member: most members share it with the one before.
    last: Option<(PathBuf, Folder)>,
}

/// A folder inside, held open.
#[derive(Clone)]
pub(super) struct Folder {
    fd: std::sync::Arc<OwnedFd>,
    /// Inside the root, without symbolic links; empty for the root itself.
    path: PathBuf,
}

/// Where one member goes.
#[derive(Clone)]
pub(super) struct Place {
    folder: Folder,
    name: OsString,
}

impl Place {
    /// A path for system calls that do not follow its last part.
    pub(super) fn path(&self) -> PathBuf {
        // Through the descriptor: whatever happens to the names above, it is this folder.
        Path::new("/proc/self/fd").join(self.folder.fd.as_raw_fd().to_string()).join(&self.name)
    }

    /// Inside the root, without symbolic links: two places are the same when these are.
    pub(super) fn inside(&self) -> PathBuf {
        self.folder.path.join(&self.name)
    }

    /// A sibling.
    pub(super) fn beside(&self, name: &OsStr) -> Self {
        Self { folder: self.folder.clone(), name: name.to_owned() }
    }

    /// The folder it is in.
    pub(super) fn folder(&self) -> &Path {
        &self.folder.path
    }
}

/// The parts of a member's name; a leading slash or `./` means nothing, and the root itself has no parts.
pub(super) fn parts(name: &[u8]) -> io::Result<PathBuf> {
    if name.contains(&0) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "its name has a zero byte"));
    }
    let mut path = PathBuf::new();
    for part in Path::new(OsStr::from_bytes(name)).components() {
        match part {
            Component::Normal(part) => path.push(part),
            Component::RootDir | Component::CurDir => {}
            Component::ParentDir | Component::Prefix(_) => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "its name has `..` in it"));
            }
        }
    }
    Ok(path)
}

impl Tree {
    /// Of a folder that is there.
    pub(super) fn new(folder: &Path) -> io::Result<Self> {
        let root = open(folder, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
        let path = true_path(&root)?;
        Ok(Self { root, path, last: None })
    }

    /// A path of the root itself, for system calls.
    pub(super) fn root(&self) -> PathBuf {
        Path::new("/proc/self/fd").join(self.root.as_raw_fd().to_string()).join(".")
    }

    /// Where a member of this name goes; folders above it that no member has made are made. `None` is the root itself.
    pub(super) fn place(&mut self, path: &Path, made: &mut dyn FnMut(&Path)) -> io::Result<Option<Place>> {
        let Some(name) = path.file_name() else { return Ok(None) };
        let above = path.parent().unwrap_or(Path::new(""));
        let folder = self.folder(above, made)?;
        Ok(Some(Place { folder, name: name.to_owned() }))
    }

    /// The same for something that has to be there already.
    pub(super) fn existing(&mut self, path: &Path) -> io::Result<Place> {
        let name = path.file_name().ok_or_else(|| io::Error::other("it is the root itself"))?;
        let folder = self.enter(path.parent().unwrap_or(Path::new("")))?;
        Ok(Place { folder, name: name.to_owned() })
    }

    /// To be called when a folder or a link has gone: what is known of the last member may be wrong.
    pub(super) fn forget(&mut self) {
        self.last = None;
    }

    fn folder(&mut self, path: &Path, made: &mut dyn FnMut(&Path)) -> io::Result<Folder> {
        if let Some((last, folder)) = &self.last
            && last == path
        {
            return Ok(folder.clone());
        }
        let folder = match self.enter(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => self.make(path, made)?,
            found => found?,
        };
        self.last = Some((path.to_owned(), folder.clone()));
        Ok(folder)
    }

    fn make(&self, path: &Path, made: &mut dyn FnMut(&Path)) -> io::Result<Folder> {
        let mut folder = self.enter(Path::new(""))?;
        let mut so_far = PathBuf::new();
        for part in path {
            so_far.push(part);
            folder = match self.enter(&so_far) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let place = Place { folder, name: part.to_owned() };
                    // A symbolic link that leads nowhere is in the way; what it means to reach is not guessed.
                    fs::create_dir(place.path()).map_err(|error| match error.kind() {
                        io::ErrorKind::AlreadyExists => io::Error::other("its folder is a link that leads nowhere"),
                        _ => error,
                    })?;
                    made(&place.inside());
                    self.enter(&so_far)?
                }
                found => found?,
            };
        }
        Ok(folder)
    }

    fn enter(&self, path: &Path) -> io::Result<Folder> {
        let how = OpenHow::new()
            .flags(OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC)
            .resolve(ResolveFlag::RESOLVE_IN_ROOT | ResolveFlag::RESOLVE_NO_MAGICLINKS);
        let wanted = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        let fd = openat2(&self.root, wanted, how).map_err(|errno| match errno {
            Errno::ENOSYS => io::Error::other("this kernel is older than Linux 5.6 and has no openat2"),
            Errno::ENOTDIR => io::Error::other("something on the way to it is no folder"),
            Errno::ELOOP => io::Error::other("links on the way to it lead in circles"),
            errno => errno.into(),
        })?;
        let found = true_path(&fd)?;
        // Said by the kernel already; said again, because everything hangs on it.
        let inside =
            found.strip_prefix(&self.path).map_err(|_| io::Error::other("it would lie outside of the root"))?;
        Ok(Folder { path: inside.to_owned(), fd: std::sync::Arc::new(fd) })
    }
}

fn true_path(fd: &OwnedFd) -> io::Result<PathBuf> {
    let link = Path::new("/proc/self/fd").join(fd.as_raw_fd().to_string());
    Ok(PathBuf::from(OsString::from_vec(fs::read_link(link)?.into_os_string().into_vec())))
}

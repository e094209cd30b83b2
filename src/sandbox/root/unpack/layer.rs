//! Applying one archive to a root: a whole root filesystem, or a layer of an image with its marks for what it removes.
//!
//! The marks are those of the OCI image specification (layer.md, "Whiteouts"): a file `.wh.NAME` removes NAME of the layers
//! below, `.wh..wh..opq` in a folder removes all that they have in it. What the same layer brings stays in either case,
//! wherever in the layer the mark stands.

use super::attributes::{self, Tally};
use super::member::{Kind, Member, Reader};
use super::place::{Place, Tree, parts};
use crate::sandbox::tree::remove_if_there;
use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};

const WHITEOUT: &[u8] = b".wh.";
/// Marks of the storage driver itself (aufs), and the one that empties a folder.
const SPECIAL: &[u8] = b".wh..wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

/// Most members of all archives of a root; the largest images have a few hundred thousand.
const MOST_MEMBERS: u64 = 5_000_000;

/// A root that is being filled.
pub(super) struct Filling {
    tree: Tree,
    /// What the folders shall look like in the end, by their place inside: while they are filled they are ours to write.
    folders: BTreeMap<PathBuf, Member>,
    /// What the layer at hand has brought, by its place inside, with all folders above.
    brought: HashSet<PathBuf>,
    /// Bytes that may still be written.
    room: u64,
    pub(super) tally: Tally,
}

/// A member that cannot be placed: its name and why.
pub(super) struct Refused {
    pub(super) member: Option<String>,
    pub(super) why: String,
}

impl Filling {
    /// Fills `folder`, which is there and empty, with at most `room` bytes.
    pub(super) fn new(folder: &Path, room: u64) -> io::Result<Self> {
        let tree = Tree::new(folder)?;
        Ok(Self { tree, folders: BTreeMap::new(), brought: HashSet::new(), room, tally: Tally::default() })
    }

    /// Applies an archive; with `marks` as a layer of an image.
    pub(super) fn apply(&mut self, archive: impl Read, marks: bool) -> Result<(), Refused> {
        self.brought.clear();
        let mut reader = Reader::new(archive);
        loop {
            let member = reader.next().map_err(|error| Refused { member: None, why: error.to_string() })?;
            let Some(member) = member else { break };
            let refused = |error: io::Error| Refused {
                member: Some(String::from_utf8_lossy(&member.path).chars().take(200).collect()),
                why: error.to_string(),
            };
            self.take(&member, &mut reader, marks).map_err(refused)?;
        }
        reader.drain().map_err(|error| Refused { member: None, why: error.to_string() })
    }

    /// Gives the folders the looks they shall have. Nothing can be applied any more.
    pub(super) fn finish(mut self) -> Result<Tally, Refused> {
        // The innermost first: a folder may end up closed to us.
        for (path, member) in std::mem::take(&mut self.folders).iter().rev() {
            let done = self.dress(path, member);
            done.map_err(|error| Refused { member: Some(path.display().to_string()), why: error.to_string() })?;
        }
        Ok(self.tally)
    }

    fn dress(&mut self, path: &Path, member: &Member) -> io::Result<()> {
        if path.as_os_str().is_empty() {
            return attributes::apply(&self.tree.root(), member, &mut self.tally);
        }
        let place = self.tree.existing(path)?;
        if !fs::symlink_metadata(place.path())?.is_dir() {
            return Err(io::Error::other("it is no folder any more"));
        }
        attributes::apply(&place.path(), member, &mut self.tally)
    }

    fn take(&mut self, member: &Member, content: &mut impl Read, marks: bool) -> io::Result<()> {
        self.tally.members += 1;
        if self.tally.members > MOST_MEMBERS {
            return Err(io::Error::other(format!("more than {MOST_MEMBERS} members are not believed")));
        }
        let path = parts(&member.path)?;
        let mut made = Vec::new();
        let place = self.tree.place(&path, &mut |inside| made.push(inside.to_owned()))?;
        for folder in made {
            self.bring(&folder);
            self.folders.insert(folder, ordinary_folder());
        }
        let Some(place) = place else {
            if member.kind != Kind::Folder {
                return Err(io::Error::other("it takes the place of the root itself"));
            }
            self.folders.insert(PathBuf::new(), member.clone());
            return Ok(());
        };
        let name = path.file_name().unwrap_or_default().as_bytes();
        if marks && name.starts_with(WHITEOUT) {
            return self.mark(&place, name);
        }
        self.put(&place, member, content)
    }

    fn mark(&mut self, place: &Place, name: &[u8]) -> io::Result<()> {
        if name == OPAQUE {
            let folder = place.folder().to_owned();
            self.tree.forget();
            return self.empty_of_older(&place.beside(OsStr::new(".")).path(), &folder);
        }
        if name.starts_with(SPECIAL) {
            return Ok(());
        }
        let removed = &name[WHITEOUT.len()..];
        if removed.is_empty() || removed == b"." || removed == b".." {
            return Err(io::Error::other("it would remove a folder itself"));
        }
        let removed = place.beside(OsStr::from_bytes(removed));
        self.tree.forget();
        self.remove_older(&removed.path(), &removed.inside())
    }

    /// Removes what older layers have at a place, and nothing that this one has brought.
    fn remove_older(&mut self, at: &Path, inside: &Path) -> io::Result<()> {
        if !self.brought.contains(inside) {
            self.gone(inside);
            return remove_if_there(at);
        }
        if fs::symlink_metadata(at).is_ok_and(|metadata| metadata.is_dir()) {
            return self.empty_of_older(at, inside);
        }
        Ok(())
    }

    fn empty_of_older(&mut self, folder: &Path, inside: &Path) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            self.remove_older(&folder.join(entry.file_name()), &inside.join(entry.file_name()))?;
        }
        Ok(())
    }

    /// Forgets the looks of folders that are no more.
    fn gone(&mut self, inside: &Path) {
        let below: Vec<PathBuf> = self
            .folders
            .range(inside.to_owned()..)
            .map(|(path, _)| path)
            .take_while(|path| path.starts_with(inside))
            .cloned()
            .collect();
        for path in below {
            self.folders.remove(&path);
        }
    }

    fn bring(&mut self, inside: &Path) {
        let mut at = Some(inside);
        while let Some(path) = at.filter(|path| !path.as_os_str().is_empty()) {
            if !self.brought.insert(path.to_owned()) {
                break;
            }
            at = path.parent();
        }
    }

    fn put(&mut self, place: &Place, member: &Member, content: &mut impl Read) -> io::Result<()> {
        let (at, inside) = (place.path(), place.inside());
        if member.kind == Kind::Device {
            self.tally.devices += 1;
            return Ok(());
        }
        let found = fs::symlink_metadata(&at).ok();
        let is_folder = found.as_ref().is_some_and(fs::Metadata::is_dir);
        let source = if member.kind == Kind::Hard { Some(self.hard_target(member, &inside)?) } else { None };
        if found.is_some() && !(member.kind == Kind::Folder && is_folder) {
            self.gone(&inside);
            self.tree.forget();
            remove_if_there(&at)?;
        }
        match member.kind {
            Kind::Folder => {
                if !is_folder {
                    fs::DirBuilder::new().mode(0o700).create(&at)?;
                }
                self.folders.insert(inside.clone(), member.clone());
            }
            Kind::File => self.file(&at, member, content)?,
            Kind::Hard => {
                let source = source.ok_or_else(|| io::Error::other("it leads nowhere"))?;
                fs::hard_link(source.path(), &at)?;
            }
            Kind::Soft => {
                symlink(OsStr::from_bytes(&member.target), &at)?;
                attributes::apply(&at, member, &mut self.tally)?;
            }
            Kind::Pipe => {
                nix::unistd::mkfifo(&at, nix::sys::stat::Mode::from_bits_truncate(0o600))?;
                attributes::apply(&at, member, &mut self.tally)?;
            }
            Kind::Device => {}
        }
        self.bring(&inside);
        Ok(())
    }

    fn hard_target(&mut self, member: &Member, inside: &Path) -> io::Result<Place> {
        let wrong = |why: &str| {
            let target = String::from_utf8_lossy(&member.target).chars().take(200).collect::<String>();
            io::Error::other(format!("it is another name of `{target}`, {why}"))
        };
        let path = parts(&member.target).map_err(|_| wrong("which would lie outside"))?;
        let target = self.tree.existing(&path).map_err(|_| wrong("which is not there"))?;
        match fs::symlink_metadata(target.path()) {
            Err(_) => Err(wrong("which is not there")),
            Ok(found) if found.is_dir() => Err(wrong("which is a folder")),
            Ok(_) if target.inside() == inside => Err(wrong("which is itself")),
            Ok(_) => Ok(target),
        }
    }

    fn file(&mut self, at: &Path, member: &Member, content: &mut impl Read) -> io::Result<()> {
        let most = self.room;
        let full = || io::Error::other(format!("it does not fit into the {} MiB that the root may have", most >> 20));
        // What it claims is checked before a byte is written.
        self.room = self.room.checked_sub(member.size).ok_or_else(full)?;
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(nix::libc::O_NOFOLLOW)
            .open(at)?;
        let written = io::copy(content, &mut file)?;
        if written != member.size {
            return Err(io::Error::other("its content is cut off"));
        }
        self.tally.bytes += written;
        drop(file);
        attributes::apply(at, member, &mut self.tally)
    }
}

/// What a folder looks like that no member describes.
fn ordinary_folder() -> Member {
    Member {
        path: Vec::new(),
        kind: Kind::Folder,
        size: 0,
        mode: 0o755,
        uid: 0,
        gid: 0,
        modified: (0, 0),
        target: Vec::new(),
        attributes: Vec::new(),
    }
}

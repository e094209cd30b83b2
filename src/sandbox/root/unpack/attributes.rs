//! Owner, mode, times and extended attributes of what an archive has brought: kept where this process may, counted where
//! it may not.

use super::member::{Kind, Member};
use crate::sandbox::sys;
use nix::errno::Errno;
use nix::fcntl::AtFlags;
use nix::sys::stat::{UtimensatFlags, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::{Gid, Uid, fchownat};
use serde::{Deserialize, Serialize};
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The owner of what belongs to an id that does not exist here; the kernel's own choice (`overflowuid`).
const NOBODY: u32 = 65_534;

/// What was unpacked, and what could not be kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::sandbox) struct Tally {
    /// Members of all archives.
    pub(in crate::sandbox) members: u64,
    /// Bytes of all files.
    pub(in crate::sandbox) bytes: u64,
    /// Device nodes, which are never made: an instance has a /dev of its own.
    pub(in crate::sandbox) devices: u64,
    /// Files whose owner does not exist here, or may not be given away.
    pub(in crate::sandbox) owners: u64,
    /// Attributes that were left out.
    pub(in crate::sandbox) attributes: u64,
}

impl Tally {
    /// What a user should know.
    pub(in crate::sandbox) fn notes(&self) -> Vec<String> {
        let note = |count: u64, text: &str| (count > 0).then(|| format!("{count} {text}"));
        [
            note(self.devices, "device nodes are left out: an instance has a /dev of its own"),
            note(self.owners, "files have another owner than in the image: theirs does not exist for this user"),
            note(
                self.attributes,
                "extended attributes are left out (labels and marks that only the host's kernel may set)",
            ),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// Gives something that was just made its looks. A symbolic link is not followed.
pub(super) fn apply(at: &Path, member: &Member, tally: &mut Tally) -> io::Result<()> {
    own(at, member, tally)?;
    for (name, value) in &member.attributes {
        if !is_kept(name) || !set(at, name, value)? {
            tally.attributes += 1;
        }
    }
    if member.kind != Kind::Soft {
        // After the owner: a change of owner takes set-id bits away.
        fs::set_permissions(at, Permissions::from_mode(member.mode))?;
    }
    let time = TimeSpec::new(member.modified.0, i64::from(member.modified.1));
    match utimensat(nix::fcntl::AT_FDCWD, at, &time, &time, UtimensatFlags::NoFollowSymlink) {
        // A time that the file system cannot hold is no reason to fail.
        Ok(()) | Err(Errno::EINVAL | Errno::EOVERFLOW) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

fn own(at: &Path, member: &Member, tally: &mut Tally) -> io::Result<()> {
    let id = |id: u64| u32::try_from(id).ok().filter(|id| *id != u32::MAX);
    let give = |uid: u32, gid: u32| {
        let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        fchownat(nix::fcntl::AT_FDCWD, at, uid, gid, AtFlags::AT_SYMLINK_NOFOLLOW)
    };
    let given = match (id(member.uid), id(member.gid)) {
        (Some(uid), Some(gid)) => give(uid, gid),
        _ => Err(Errno::EINVAL),
    };
    match given {
        Ok(()) => Ok(()),
        // An id that is not mapped here. Nobody's file is readable for all that its mode says so; ours would be writable.
        Err(Errno::EINVAL) => {
            tally.owners += 1;
            match give(NOBODY, NOBODY) {
                Ok(()) | Err(Errno::EINVAL | Errno::EPERM) => Ok(()),
                Err(errno) => Err(errno.into()),
            }
        }
        Err(Errno::EPERM) => {
            tally.owners += 1;
            Ok(())
        }
        Err(errno) => Err(errno.into()),
    }
}

/// Rights of programs, access lists and what users have set. Not labels of the host's security module, and above all not
/// the marks of overlays: in a layer they could show a file in another's place.
fn is_kept(name: &str) -> bool {
    match name.split_once('.') {
        Some(("user", rest)) => !rest.starts_with("overlay."),
        Some(("security", "capability") | ("system", "posix_acl_access" | "posix_acl_default")) => true,
        _ => false,
    }
}

/// Whether it could be set: some file systems have no attributes, and some values are not ours to give.
fn set(at: &Path, name: &str, value: &[u8]) -> io::Result<bool> {
    match sys::set_attribute(at, name, value) {
        Ok(()) => Ok(true),
        Err(error) => match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EOPNOTSUPP | Errno::EPERM | Errno::EINVAL | Errno::E2BIG | Errno::ERANGE | Errno::ENOSPC) => {
                Ok(false)
            }
            _ => Err(error),
        },
    }
}

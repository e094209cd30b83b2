//! Removing trees of any depth.

use nix::errno::Errno;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Folders in folders that are removed at once. The library holds one descriptor for each, of which a process has 1024
/// as a rule; and the path, of names with 255 bytes at most, stays one that the system takes (with `/`, in a lift of 8).
const DEEP: usize = 256;

/// Longest path below the tree that is followed at once, in bytes; `PATH_MAX` is 4096 with what stands before.
const LONG: usize = 2048;

/// Removes whatever is at a path, without following a symbolic link. Trees may be deeper than any path can name: a
/// component can make such, and must not be able to make something that stays.
pub(in crate::sandbox) fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
        Ok(metadata) if metadata.is_dir() => remove_folder(path),
        Ok(_) => fs::remove_file(path),
    }
}

fn remove_folder(path: &Path) -> io::Result<()> {
    for number in 0_u64.. {
        match fs::remove_dir_all(path) {
            Err(error) if is_too_deep(&error) && lift(path, number)? => {}
            result => return result,
        }
    }
    Ok(())
}

fn is_too_deep(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw);
    matches!(errno, Some(Errno::EMFILE | Errno::ENFILE | Errno::ENAMETOOLONG))
}

/// Moves deep folders up to the top; returns whether there were any.
fn lift(top: &Path, number: u64) -> io::Result<bool> {
    let mut lifted = 0_u64;
    let mut pending = vec![(top.to_owned(), 0)];
    while let Some((folder, depth)) = pending.pop() {
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            if !entry.file_type()?.is_dir() {
                continue;
            }
            let path = entry.path();
            if depth < DEEP && path.as_os_str().len() < top.as_os_str().len() + LONG {
                pending.push((path, depth + 1));
                continue;
            }
            fs::rename(path, free_name(top, number, lifted))?;
            lifted += 1;
        }
    }
    Ok(lifted > 0)
}

fn free_name(top: &Path, round: u64, number: u64) -> PathBuf {
    let names = (0_u64..).map(|other| top.join(format!(".lifted-{round}-{number}-{other}")));
    let free = names.into_iter().find(|path| fs::symlink_metadata(path).is_err());
    free.unwrap_or_else(|| top.join(".lifted"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::fcntl::{OFlag, open, openat};
    use nix::sys::stat::{Mode, mkdirat};

    #[test]
    fn trees_deeper_than_any_path_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().join("deep");
        fs::create_dir(&top).unwrap();
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let mut at = open(&top, flags, Mode::empty()).unwrap();
        for number in 0..3000 {
            let name = format!("{number}-a name that is not short");
            mkdirat(&at, name.as_str(), Mode::from_bits_truncate(0o755)).unwrap();
            at = openat(&at, name.as_str(), flags, Mode::empty()).unwrap();
        }
        drop(at);
        remove_if_there(&top).unwrap();
        assert!(!top.exists());
    }
}

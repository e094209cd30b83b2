//! Copying and moving.

use super::{Machine, StepError, wildcard};
use crate::component::modules::Action;
use crate::runner::values::Inputs;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, lchown, symlink};
use std::path::{Path, PathBuf};

/// `CopyFile`, `CopyFolder`, `MoveFile`, `MoveFolder`.
///
/// Missing folders of the destination are made. A destination that ends with a separator keeps the name of the source;
/// if a pattern fits more than one source it must end so.
pub fn transfer(action: Action, item: &Inputs, machine: &Machine) -> Result<(), StepError> {
    let folders = matches!(action, Action::CopyFolder | Action::MoveFolder);
    let moves = matches!(action, Action::MoveFile | Action::MoveFolder);
    let source = machine.path(item.required("source").trim_end_matches('/'))?;
    let pattern = wildcard::is_pattern(&source);
    let mut sources = wildcard::expand(&source)?;
    if pattern {
        sources.retain(|path| path.is_dir() == folders);
    }
    let destination = item.required("destination");
    let into = destination.ends_with('/');
    if sources.is_empty() {
        return Err(StepError::Failed(format!("nothing fits {}", source.display())));
    }
    if sources.len() > 1 && !into {
        let message = format!("{} sources fit, so the destination must end with `/`: {destination}", sources.len());
        return Err(StepError::Failed(message));
    }
    let destination = machine.path(destination)?;
    for source in sources {
        let target = match source.file_name() {
            Some(name) if into => destination.join(name),
            _ => destination.clone(),
        };
        one(&source, &target, folders, moves, item.flag("overwrite"))?;
    }
    Ok(())
}

fn one(source: &Path, target: &Path, folder: bool, moves: bool, overwrite: bool) -> Result<(), StepError> {
    let found = fs::metadata(source).map_err(|error| StepError::io("cannot read", source, &error))?;
    if found.is_dir() != folder {
        let (is, action) =
            if folder { ("not a folder", "CopyFile or MoveFile") } else { ("a folder", "CopyFolder or MoveFolder") };
        return Err(StepError::Failed(format!("{} is {is}: use {action}", source.display())));
    }
    if fs::symlink_metadata(target).is_ok() {
        if !overwrite {
            return Err(StepError::Failed(format!("{} exists, and `overwrite` is false", target.display())));
        }
        if target.is_dir() != folder {
            let is = if folder { "is not a folder" } else { "is a folder; end the destination with `/` to go into it" };
            return Err(StepError::Failed(format!("{} {is}", target.display())));
        }
    }
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent).map_err(|error| StepError::io("cannot make the folder", parent, &error))?;
    }
    refuse_itself(source, target)?;
    let failed = |error| {
        let what = if moves { "move" } else { "copy" };
        StepError::Failed(format!("cannot {what} {} to {}: {error}", source.display(), target.display()))
    };
    if moves { relocate(source, target) } else { copy(source, target, Keep::Permissions) }.map_err(failed)
}

/// A file copied onto itself would be emptied; a folder copied into itself would never end.
fn refuse_itself(source: &Path, target: &Path) -> Result<(), StepError> {
    let real = |path: &Path| -> io::Result<PathBuf> {
        match (fs::canonicalize(path), path.parent(), path.file_name()) {
            (Ok(real), ..) => Ok(real),
            (Err(_), Some(parent), Some(name)) => Ok(fs::canonicalize(parent)?.join(name)),
            (Err(error), ..) => Err(error),
        }
    };
    let (from, to) = (real(source), real(target));
    match (from, to) {
        (Ok(from), Ok(to)) if to.starts_with(&from) => {
            Err(StepError::Failed(format!("{} lies in {} itself", target.display(), source.display())))
        }
        (Ok(_), Ok(_)) => Ok(()),
        (Err(error), _) => Err(StepError::io("cannot read", source, &error)),
        (_, Err(error)) => Err(StepError::io("cannot reach", target, &error)),
    }
}

/// What a copy keeps besides the content.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// Permission bits; it belongs to who copies.
    Permissions,
    /// Permission bits and owner, because it is the same thing in another place. Links are moved, not followed.
    Everything,
}

/// Renames; where that is not possible (another file system, a folder that exists) copies and deletes.
fn relocate(source: &Path, target: &Path) -> io::Result<()> {
    match fs::rename(source, target) {
        Err(error) if matches!(error.kind(), ErrorKind::CrossesDevices | ErrorKind::DirectoryNotEmpty) => {
            copy(source, target, Keep::Everything)?;
            if source.is_dir() && !source.is_symlink() { fs::remove_dir_all(source) } else { fs::remove_file(source) }
        }
        result => result,
    }
}

fn copy(source: &Path, target: &Path, keep: Keep) -> io::Result<()> {
    let found = if keep == Keep::Everything { fs::symlink_metadata(source)? } else { fs::metadata(source)? };
    if found.is_dir() { copy_folder(source, target, keep) } else { copy_entry(source, target, &found, keep) }
}

fn copy_folder(source: &Path, target: &Path, keep: Keep) -> io::Result<()> {
    let found = fs::metadata(source)?;
    fs::create_dir_all(target)?;
    for entry in fs::read_dir(source)? {
        let entry = entry?;
        let to = target.join(entry.file_name());
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_folder(&entry.path(), &to, keep)?;
        } else {
            copy_entry(&entry.path(), &to, &entry.metadata()?, keep)?;
        }
    }
    own(target, &found, keep)?;
    fs::set_permissions(target, found.permissions())
}

/// Copies a file or link. Links inside folders stay links.
fn copy_entry(source: &Path, target: &Path, found: &fs::Metadata, keep: Keep) -> io::Result<()> {
    if found.is_symlink() {
        match fs::remove_file(target) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => symlink(fs::read_link(source)?, target)?,
        }
        return own(target, found, keep);
    }
    if !found.is_file() {
        return Err(io::Error::other(format!("{} is neither file, folder nor link", source.display())));
    }
    fs::copy(source, target)?;
    own(target, found, keep)?;
    // A change of owner drops the set-user-id bit.
    fs::set_permissions(target, found.permissions())
}

fn own(target: &Path, found: &fs::Metadata, keep: Keep) -> io::Result<()> {
    if keep == Keep::Everything { lchown(target, Some(found.uid()), Some(found.gid())) } else { Ok(()) }
}

#[cfg(test)]
#[path = "transfer_tests.rs"]
mod tests;

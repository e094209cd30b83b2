//! A file that appears whole or not at all.

use super::StepError;
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::{Path, PathBuf};

/// A file in the making, beside the one it becomes; gone if it does not.
#[derive(Debug)]
pub struct Fresh {
    file: File,
    path: PathBuf,
    target: PathBuf,
    kept: bool,
}

impl Fresh {
    /// Begins a file that is to be `target`; the folders it needs are made. Where `target` is a link, what it points to is
    /// replaced, and not the link.
    pub fn create(target: &Path) -> Result<Self, StepError> {
        if target.is_dir() {
            let message = format!("{} is a folder; end the destination with `/` to go into it", target.display());
            return Err(StepError::Failed(message));
        }
        let target = fs::canonicalize(target).unwrap_or_else(|_| target.to_owned());
        let folder = target.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(folder).map_err(|error| StepError::io("cannot make the folder", folder, &error))?;
        let process = std::process::id();
        for number in 0..1000 {
            let path = folder.join(format!(".amiforge-{process}-{number}.part"));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok(Self { file, path, target, kept: false }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(StepError::io("cannot write", &path, &error)),
            }
        }
        Err(StepError::Failed(format!("a thousand files .amiforge-{process}-… are left in {}", folder.display())))
    }

    /// Where to write to.
    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Puts it in its place. One that was there before gives it its owner and permissions, as if it had been overwritten.
    pub fn keep(mut self) -> Result<(), StepError> {
        let failed = |error| StepError::io("cannot write", &self.target, &error);
        if let Ok(before) = fs::metadata(&self.target) {
            fchown(&self.file, Some(before.uid()), Some(before.gid())).map_err(failed)?;
            self.file.set_permissions(before.permissions()).map_err(failed)?;
        }
        fs::rename(&self.path, &self.target).map_err(failed)?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        if !self.kept {
            // The error that led here is the one to tell.
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    #[test]
    fn what_is_not_kept_leaves_nothing_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a/b");
        let mut fresh = Fresh::create(&target).unwrap();
        fresh.file().write_all(b"half").unwrap();
        drop(fresh);
        assert_eq!(fs::read_dir(folder.path().join("a")).unwrap().count(), 0);
    }

    #[test]
    fn what_was_there_gives_its_permissions_and_links_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        fs::write(&real, "old").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o750)).unwrap();
        symlink(&real, &link).unwrap();
        let mut fresh = Fresh::create(&link).unwrap();
        fresh.file().write_all(b"new").unwrap();
        assert_eq!(fs::read_to_string(&link).unwrap(), "old");
        fresh.keep().unwrap();
        assert_eq!(fs::read_to_string(&real).unwrap(), "new");
        assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o750);
        assert!(link.is_symlink());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_folder_in_its_place_is_said_with_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let error = Fresh::create(folder.path()).unwrap_err().to_string();
        assert!(error.ends_with("is a folder; end the destination with `/` to go into it"), "{error}");
    }
}

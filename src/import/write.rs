//! Puts files into a folder: all of them or none, and nothing that is there is replaced without consent.

use super::error::ImportError;
use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Ending of what is not finished.
const PART: &str = ".amiforge-part";

/// What happened to the files.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Written {
    /// Made, or replaced with consent.
    pub written: Vec<String>,
    /// There already, with the same text.
    pub unchanged: Vec<String>,
    /// `amiforge.yaml` that was there and is left as it is.
    pub kept: Vec<String>,
}

/// Writes files below `folder`. An `amiforge.yaml` that is there is the user's and is never replaced.
///
/// # Errors
/// [`ImportError::Conflict`] before anything is written when files differ and `force` is not set;
/// [`ImportError::File`] when one cannot be written, and then those that were new are gone again.
pub fn write(folder: &Path, files: &BTreeMap<String, String>, force: bool) -> Result<Written, ImportError> {
    let (mut done, mut wanted, mut conflicts) = (Written::default(), Vec::new(), Vec::new());
    for (name, text) in files {
        match present(&folder.join(name))? {
            Some(bytes) if bytes == text.as_bytes() => done.unchanged.push(name.clone()),
            Some(_) if name == crate::project::PROJECT_FILE => done.kept.push(name.clone()),
            Some(_) if !force => conflicts.push(name.clone()),
            found => wanted.push((name, text, found.is_none())),
        }
    }
    if !conflicts.is_empty() {
        return Err(ImportError::Conflict { files: conflicts });
    }
    let mut made = Made::default();
    let result = wanted.iter().try_for_each(|(name, text, _)| made.stage(&folder.join(name), text));
    let result =
        result.and_then(|()| wanted.iter().try_for_each(|(name, _, new)| made.place(&folder.join(name), *new)));
    if let Err(error) = result {
        made.undo();
        return Err(error);
    }
    done.written.extend(wanted.into_iter().map(|(name, ..)| name.clone()));
    Ok(done)
}

fn present(path: &Path) -> Result<Option<Vec<u8>>, ImportError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ImportError::File { path: path.to_owned(), error }),
    }
}

fn part(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(PART);
    name.into()
}

/// What was made so far.
#[derive(Default)]
struct Made {
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
}

impl Made {
    /// Writes a file beside its place.
    fn stage(&mut self, path: &Path, text: &str) -> Result<(), ImportError> {
        let failed = |error| ImportError::File { path: path.to_owned(), error };
        let folder = path.parent().unwrap_or(path);
        let missing: Vec<&Path> =
            folder.ancestors().take_while(|one| !one.as_os_str().is_empty() && !one.exists()).collect();
        for one in missing.into_iter().rev() {
            fs::create_dir(one).map_err(failed)?;
            self.folders.push(one.to_owned());
        }
        let part = part(path);
        self.files.push(part.clone());
        fs::write(part, text).map_err(failed)
    }

    /// Moves it to its place.
    fn place(&mut self, path: &Path, new: bool) -> Result<(), ImportError> {
        fs::rename(part(path), path).map_err(|error| ImportError::File { path: path.to_owned(), error })?;
        if new {
            self.files.push(path.to_owned());
        }
        Ok(())
    }

    /// Best effort: the failure that led here is the one to tell.
    fn undo(&self) {
        for file in self.files.iter().rev() {
            let _ = fs::remove_file(file);
        }
        for folder in self.folders.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
    }
}

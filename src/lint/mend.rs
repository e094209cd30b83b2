//! Mending files: what fixes would make of them, shown or written.

use super::{Checked, LintError, diff, fix, read, source};
use crate::diagnostic::SourceFile;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The files that fixes would change.
#[derive(Debug, Default)]
pub struct Mended {
    /// Each changed file, in the order in which they were checked.
    pub files: Vec<MendedFile>,
    /// The files whose fixes undo each other without end. They stay as they are.
    pub unsettled: Vec<String>,
}

/// A file that fixes would change.
#[derive(Debug)]
pub struct MendedFile {
    /// Its name in diagnostics.
    pub name: String,
    /// How many fixes were applied.
    pub fixes: usize,
    path: PathBuf,
    before: String,
    after: String,
}

/// What the fixes of all checked files would make of them. Nothing is written yet.
///
/// # Errors
/// When a file cannot be read any more.
pub fn mend(checked: &Checked, unsafe_too: bool) -> Result<Mended, LintError> {
    let mut mended = Mended::default();
    for file in &checked.files {
        let unreadable = |source| LintError::Unreadable { path: file.path.clone(), source };
        let bytes = fs::read(&file.path).map_err(unreadable)?;
        let Ok(before) = read::decode(&file.name, bytes) else { continue };
        let lint = |text: &str| {
            source::check(&SourceFile::new(file.name.clone(), text), &file.target, &file.levels).diagnostics
        };
        let fixed = fix::fix_until_stable(&before.text, lint, unsafe_too);
        if !fixed.settled {
            mended.unsettled.push(file.name.clone());
        } else if fixed.text != before.text {
            mended.files.push(MendedFile {
                name: file.name.clone(),
                fixes: fixed.applied,
                path: file.path.clone(),
                before: before.text.clone(),
                after: fixed.text,
            });
        }
    }
    Ok(mended)
}

impl Mended {
    /// Whether there is nothing to mend.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// What would change, as a unified diff.
    #[must_use]
    pub fn diff(&self) -> String {
        self.files.iter().map(|file| diff::diff(&file.name, &file.before, &file.after)).collect()
    }

    /// Writes the files. Each one is either as it was or mended, never something in between.
    ///
    /// # Errors
    /// The first file that cannot be written; those before it are written, those after it are not.
    pub fn write(&self) -> Result<(), LintError> {
        for file in &self.files {
            replace(&file.path, &file.after)
                .map_err(|source| LintError::Unwritable { path: file.path.clone(), source })?;
        }
        Ok(())
    }
}

/// Puts a text in the place of a file's, keeping its permissions. A link keeps pointing where it did.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let path = fs::canonicalize(path)?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let part = folder.join(format!(".{name}.amiforge-part"));
    let written = fs::File::create(&part).and_then(|mut file| {
        file.set_permissions(fs::metadata(&path)?.permissions())?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    let done = written.and_then(|()| fs::rename(&part, &path));
    if done.is_err() {
        // What was begun is taken away; the failure itself is what is told.
        let _ = fs::remove_file(&part);
    }
    done
}

//! `amiforge init`: a first project, from the files that come with amiforge.

use super::load::PROJECT_FILE;
use super::{builtin, names};
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

/// The entry in `.gitignore`: state and caches of the local environment are not part of a project.
const IGNORED: &str = ".amiforge/";
/// The name of a project whose folder has none that could be used.
const FALLBACK: &str = "golden-images";
/// Files copied as they are.
const EXAMPLES: [&str; 2] = ["recipes/debian-12.yaml", "components/baseline-config.yaml"];

/// What [`init`] has done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitReport {
    /// The folder.
    pub root: PathBuf,
    /// The project's name.
    pub name: String,
    /// The files written, relative to the folder.
    pub created: Vec<PathBuf>,
}

/// Why [`init`] has done nothing.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// Nothing is ever overwritten.
    #[error("already there: {}", list(.0))]
    Exists(Vec<PathBuf>),
    /// The name cannot become part of resource names.
    #[error("`{name}` cannot be the name of a project: {why}")]
    Name {
        /// The name that was given or follows from the folder.
        name: String,
        /// Why not.
        why: &'static str,
    },
    /// The operating system refused.
    #[error("cannot write {}: {error}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What it said.
        #[source]
        error: io::Error,
    },
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Writes a first project into `dir`, which is made if it is not there. Without a name the folder's is taken, as near as
/// it can be used.
///
/// # Errors
/// See [`InitError`]; whatever had been written until then is removed again.
pub fn init(dir: &Path, name: Option<&str>) -> Result<InitReport, InitError> {
    let name = match name {
        Some(name) => name.to_owned(),
        None => name_of(dir)?,
    };
    if let Some(why) = names::fault(&name, false) {
        return Err(InitError::Name { name, why });
    }
    let settings = builtin::text(PROJECT_FILE).replacen("project: amiforge-demo", &format!("project: {name}"), 1);
    let mut files = vec![(PROJECT_FILE, settings)];
    files.extend(EXAMPLES.map(|path| (path, builtin::text(path).to_owned())));
    let existing: Vec<PathBuf> = files
        .iter()
        .map(|(path, _)| PathBuf::from(path))
        .filter(|path| dir.join(path).symlink_metadata().is_ok())
        .collect();
    if !existing.is_empty() {
        return Err(InitError::Exists(existing));
    }
    let mut undo = Undo::default();
    let result = write(dir, &files, &mut undo);
    if result.is_err() {
        undo.run();
    }
    result.map(|created| InitReport { root: dir.to_path_buf(), name, created })
}

fn name_of(dir: &Path) -> Result<String, InitError> {
    let full = std::path::absolute(dir).map_err(|error| InitError::Io { path: dir.to_path_buf(), error })?;
    let name = names::nearest(&full.file_name().unwrap_or_default().to_string_lossy(), false);
    // The name stands in one line of one file and is easily changed; no reason to stop for it.
    Ok(if names::fault(&name, false).is_none() { name } else { FALLBACK.to_owned() })
}

fn write(dir: &Path, files: &[(&str, String)], undo: &mut Undo) -> Result<Vec<PathBuf>, InitError> {
    let mut created = vec![];
    for (name, text) in files {
        let path = dir.join(name);
        make_folder(path.parent().unwrap_or(dir), undo)?;
        create(&path, text, undo)?;
        created.push(PathBuf::from(name));
    }
    // Last, because it alone may change a file of the user's; the change is one rename.
    if ignore(dir, undo)? {
        created.push(PathBuf::from(".gitignore"));
    }
    Ok(created)
}

/// Makes a folder and those above it, remembering which are new.
fn make_folder(path: &Path, undo: &mut Undo) -> Result<(), InitError> {
    let missing: Vec<&Path> =
        path.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists()).collect();
    for folder in missing.into_iter().rev() {
        fs::create_dir(folder).map_err(|error| InitError::Io { path: folder.to_path_buf(), error })?;
        undo.folders.push(folder.to_path_buf());
    }
    Ok(())
}

fn create(path: &Path, text: &str, undo: &mut Undo) -> Result<(), InitError> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| match error.kind() {
        // Somebody else was faster; theirs stays.
        ErrorKind::AlreadyExists => InitError::Exists(vec![path.to_path_buf()]),
        _ => InitError::Io { path: path.to_path_buf(), error },
    })?;
    undo.files.push(path.to_path_buf());
    file.write_all(text.as_bytes()).map_err(|error| InitError::Io { path: path.to_path_buf(), error })
}

/// Adds the entry to `.gitignore`; says whether there was anything to do.
fn ignore(dir: &Path, undo: &mut Undo) -> Result<bool, InitError> {
    let path = dir.join(".gitignore");
    let failed = |error| InitError::Io { path: path.clone(), error };
    let before = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            create(&path, &format!("{IGNORED}\n"), undo)?;
            return Ok(true);
        }
        Err(error) => return Err(failed(error)),
    };
    let there = |line: &str| line.trim().trim_matches('/') == IGNORED.trim_end_matches('/');
    if before.lines().any(there) {
        return Ok(false);
    }
    let end = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    let part = dir.join(".gitignore.amiforge-part");
    create(&part, &format!("{before}{end}{IGNORED}\n"), undo)?;
    fs::rename(&part, &path).map_err(failed)?;
    Ok(true)
}

/// What has been made so far, to be taken away again after a failure.
#[derive(Default)]
struct Undo {
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
}

impl Undo {
    fn run(&self) {
        // Best effort: the failure that led here is the one worth telling.
        for file in self.files.iter().rev() {
            let _ = fs::remove_file(file);
        }
        for folder in self.folders.iter().rev() {
            let _ = fs::remove_dir(folder);
        }
    }
}

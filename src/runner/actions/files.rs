//! Files, folders and links: everything but copying, moving and owners.

use super::encoding::Encoding;
use super::{Machine, StepError, owners, wildcard};
use crate::runner::capture::{MOST_KEPT, Sink};
use crate::runner::values::Inputs;
use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

fn encoding(item: &Inputs) -> Result<Encoding, StepError> {
    let name = item.required("encoding");
    Encoding::parse(name).ok_or_else(|| StepError::Failed(format!("unknown encoding `{name}`")))
}

/// `CreateFile`. The folder must exist.
pub fn create(item: &Inputs, machine: &Machine) -> Result<(), StepError> {
    let path = machine.path(item.required("path"))?;
    let bytes = encoding(item)?.encode(item.required("content"));
    let mut options = OpenOptions::new();
    options.write(true);
    if item.flag("overwrite") {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    let written = options.open(&path).and_then(|mut file| file.write_all(&bytes));
    written.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => StepError::Failed(format!("{} exists, and `overwrite` is false", path.display())),
        _ => StepError::io("cannot write", &path, &error),
    })?;
    owners::apply(&path, item, machine)
}

/// `AppendFile`. The file must exist.
pub fn append(item: &Inputs, machine: &Machine) -> Result<(), StepError> {
    let path = machine.path(item.required("path"))?;
    let bytes = encoding(item)?.encode(item.required("content"));
    let written = OpenOptions::new().append(true).open(&path).and_then(|mut file| file.write_all(&bytes));
    written.map_err(|error| StepError::io("cannot append to", &path, &error))
}

/// `CreateFolder`, with those above it. A folder that exists keeps what it holds: the documentation does not say what
/// overwriting does to it, and emptying it could not be undone.
pub fn create_folder(item: &Inputs, machine: &Machine) -> Result<(), StepError> {
    let path = machine.path(item.required("path"))?;
    if path.is_dir() && !item.flag("overwrite") {
        return Err(StepError::Failed(format!("{} exists, and `overwrite` is false", path.display())));
    }
    fs::create_dir_all(&path).map_err(|error| StepError::io("cannot make the folder", &path, &error))?;
    owners::apply(&path, item, machine)
}

/// `CreateSymlink`. The target must exist; only a link may be replaced, and only with `force`.
pub fn symlink(item: &Inputs, machine: &Machine) -> Result<(), StepError> {
    let path = machine.path(item.required("path"))?;
    let target = item.required("target");
    let failed = |error: &std::io::Error| StepError::io("cannot make the link", &path, error);
    // A relative target is seen from the folder of the link.
    let seen = path.parent().unwrap_or(&machine.directory).join(target);
    if target.is_empty() || !seen.exists() {
        return Err(StepError::Failed(format!("the target {} does not exist", seen.display())));
    }
    match fs::symlink_metadata(&path) {
        Ok(found) if !found.is_symlink() => {
            return Err(StepError::Failed(format!("{} exists and is not a link", path.display())));
        }
        Ok(_) if !item.flag("force") => {
            return Err(StepError::Failed(format!("the link {} exists, and `force` is false", path.display())));
        }
        Ok(_) => fs::remove_file(&path).map_err(|error| failed(&error))?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(failed(&error)),
    }
    std::os::unix::fs::symlink(target, &path).map_err(|error| failed(&error))
}

/// `DeleteFile`. A file that is not there is deleted already: the documentation lists no error for it.
pub fn delete(item: &Inputs, machine: &Machine) -> Result<(), StepError> {
    let path = machine.path(item.required("path"))?;
    let pattern = wildcard::is_pattern(&path);
    for file in wildcard::expand(&path)? {
        // A pattern for files does not mean the folders beside them.
        if pattern && file.is_dir() && !file.is_symlink() {
            continue;
        }
        match fs::remove_file(&file) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(StepError::io("cannot delete", &file, &error));
            }
            _ => {}
        }
    }
    Ok(())
}

/// `DeleteFolder`. As with files, one that is not there is no error.
pub fn delete_folder(item: &Inputs, machine: &Machine) -> Result<(), StepError> {
    let path = machine.path(item.required("path"))?;
    let removed = if item.flag("force") && path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_dir(&path) };
    match removed {
        Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => {
            Err(StepError::Failed(format!("the folder {} is not empty, and `force` is false", path.display())))
        }
        Err(error) if error.kind() != ErrorKind::NotFound => Err(StepError::io("cannot delete", &path, &error)),
        _ => Ok(()),
    }
}

/// `ReadFile`: the text of a file.
pub fn read(item: &Inputs, machine: &Machine, sink: &mut Sink<'_>) -> Result<String, StepError> {
    let path = machine.path(item.required("path"))?;
    let text = decoded(&path, encoding(item)?, item.required("encoding"))?;
    if item.flag("printFileContent") {
        text.lines().for_each(|line| sink.say(line));
    }
    Ok(text)
}

/// `SetFileEncoding`: from UTF-8 to another encoding.
pub fn set_encoding(item: &Inputs, machine: &Machine) -> Result<(), StepError> {
    let path = machine.path(item.required("path"))?;
    let text = decoded(&path, Encoding::Utf8, "utf-8")?;
    fs::write(&path, encoding(item)?.encode(&text)).map_err(|error| StepError::io("cannot write", &path, &error))
}

fn decoded(path: &Path, encoding: Encoding, name: &str) -> Result<String, StepError> {
    let length = fs::metadata(path).map_err(|error| StepError::io("cannot read", path, &error))?.len();
    if length > MOST_KEPT as u64 {
        return Err(StepError::Failed(format!("{} is larger than 16 MiB", path.display())));
    }
    let bytes = fs::read(path).map_err(|error| StepError::io("cannot read", path, &error))?;
    encoding.decode(&bytes).ok_or_else(|| StepError::Failed(format!("{} is not {name} text", path.display())))
}

/// `ListFiles`: paths of the files in a folder, sorted, separated by commas.
pub fn list(item: &Inputs, machine: &Machine) -> Result<String, StepError> {
    let folder = machine.path(item.required("path"))?;
    let mut found = Vec::new();
    collect(&folder, item.required("fileNamePattern"), item.flag("recursive"), &mut found)?;
    found.sort();
    let names: Vec<String> = found.iter().map(|path| path.display().to_string()).collect();
    Ok(names.join(","))
}

fn collect(folder: &Path, pattern: &str, recursive: bool, found: &mut Vec<PathBuf>) -> Result<(), StepError> {
    let failed = |error| StepError::io("cannot list", folder, &error);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        // A link to a folder is a file here: following it could go round in circles.
        if entry.file_type().map_err(failed)?.is_dir() {
            if recursive {
                collect(&entry.path(), pattern, recursive, found)?;
            }
        } else if wildcard::fits(pattern, &entry.file_name().to_string_lossy()) {
            found.push(entry.path());
        }
    }
    Ok(())
}

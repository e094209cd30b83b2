//! `S3Download` and `S3Upload` (reference/component-documents.md 9.2).

use super::fresh::Fresh;
use super::{Machine, StepError, wildcard};
use crate::runner::capture::Sink;
use crate::runner::outside::{Object, Outside, OutsideError};
use crate::runner::process::Limit;
use crate::runner::values::Inputs;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::{Component, Path, PathBuf};

/// Bytes that an upload reads at once.
const PIECE: usize = 1 << 20;

/// These actions produce nothing.
type Nothing = BTreeMap<String, Option<String>>;

/// Fetches one object, or all below a prefix that ends in `/*`.
pub fn download(
    item: &Inputs,
    machine: &Machine,
    outside: &mut dyn Outside,
    limit: Limit,
    sink: &mut Sink<'_>,
) -> Result<Nothing, StepError> {
    let object = object(item.required("source"), item)?;
    let destination = item.required("destination");
    let path = machine.path(destination)?;
    let overwrite = item.flag("overwrite");
    let Some(prefix) = object.key.strip_suffix("/*").or_else(|| (object.key == "*").then_some("")) else {
        // UNCONFIRMED: a destination that ends with a separator keeps the last part of the key, as it does for all others.
        let name = object.key.rsplit('/').next().unwrap_or_default();
        let path = if destination.ends_with('/') { path.join(checked(name, &object.key)?) } else { path };
        fetch(outside, &object, &path, overwrite, limit)?;
        sink.say(format!("{} is in {}", address(&object), path.display()));
        return Ok(Nothing::new());
    };
    // The bare prefix, as awstoe asks for it; policies that name it with its slash do not match there either.
    let bare = Object { key: prefix.to_owned(), ..object.clone() };
    let keys = outside.list(&bare).map_err(|error| failed(&bare, &error))?;
    let below = |key: &str| {
        if prefix.is_empty() {
            Some(key.to_owned())
        } else {
            Some(key.strip_prefix(prefix)?.strip_prefix('/')?.to_owned())
        }
    };
    let found: Vec<(String, String)> =
        keys.into_iter().filter_map(|key| Some((below(&key)?, key))).filter(|(rest, _)| !rest.is_empty()).collect();
    if found.is_empty() {
        return Err(StepError::Failed(format!("{}: there is no object below this prefix", address(&object))));
    }
    // All of them before the first is written: a key that leads out of the folder is no accident.
    let targets = found.iter().map(|(rest, key)| Ok((path.join(checked(rest, key)?), rest, key)));
    for (target, rest, key) in targets.collect::<Result<Vec<_>, StepError>>()? {
        if rest.ends_with('/') {
            // What consoles make for an empty folder.
            fs::create_dir_all(&target).map_err(|error| StepError::io("cannot make the folder", &target, &error))?;
            continue;
        }
        fetch(outside, &Object { key: key.clone(), ..object.clone() }, &target, overwrite, limit)?;
    }
    let count = found.iter().filter(|(rest, _)| !rest.ends_with('/')).count();
    sink.say(format!("{count} objects of {} are in {}", address(&object), path.display()));
    Ok(Nothing::new())
}

/// Stores a file, the files that fit a pattern, or with `recurse` all files of a folder.
pub fn upload(
    item: &Inputs,
    machine: &Machine,
    outside: &mut dyn Outside,
    limit: Limit,
    sink: &mut Sink<'_>,
) -> Result<Nothing, StepError> {
    let target = object(item.required("destination"), item)?;
    let source = machine.path(item.required("source"))?;
    let recurse = item.flag("recurse");
    let files = files(&source, recurse, sink)?;
    let several = wildcard::is_pattern(&source) || source.is_dir();
    for (path, name) in &files {
        limit.check()?;
        // UNCONFIRMED: a key that ends with a slash, or none at all, is a prefix for one file too.
        let key = match target.key.as_str() {
            "" => name.clone(),
            key if key.ends_with('/') => format!("{key}{name}"),
            key if several => format!("{key}/{name}"),
            key => key.to_owned(),
        };
        let object = Object { key, ..target.clone() };
        store(outside, path, &object, limit)?;
        sink.say(format!("{} is in {}", path.display(), address(&object)));
    }
    Ok(Nothing::new())
}

/// `s3://bucket/key`.
fn object(text: &str, item: &Inputs) -> Result<Object, StepError> {
    let wrong = || StepError::Failed(format!("`{text}` is no address of S3: s3://bucket/key"));
    let (bucket, key) = text.trim().strip_prefix("s3://").and_then(|rest| rest.split_once('/')).ok_or_else(wrong)?;
    if bucket.is_empty() {
        return Err(wrong());
    }
    let owner = item.text("expectedBucketOwner").map(str::to_owned);
    Ok(Object { bucket: bucket.to_owned(), key: key.to_owned(), owner })
}

fn address(object: &Object) -> String {
    format!("s3://{}/{}", object.bucket, object.key)
}

fn failed(object: &Object, error: &OutsideError) -> StepError {
    StepError::Failed(format!("{}: {error}", address(object)))
}

/// The part of a key that is below the prefix, as a path that stays in its folder.
fn checked<'a>(rest: &'a str, key: &str) -> Result<&'a Path, StepError> {
    let path = Path::new(rest);
    let stays = path.components().all(|part| matches!(part, Component::Normal(_)));
    if stays && !rest.is_empty() && !rest.contains('\0') {
        return Ok(path);
    }
    Err(StepError::Failed(format!("the key `{key}` would lead out of the destination folder; nothing was downloaded")))
}

fn fetch(
    outside: &mut dyn Outside,
    object: &Object,
    target: &Path,
    overwrite: bool,
    limit: Limit,
) -> Result<(), StepError> {
    limit.check()?;
    if !overwrite && fs::symlink_metadata(target).is_ok() {
        // awstoe's own words, which people look for.
        let message = "Error: S3Download: File already exists and \"overwrite\" property for \"destination\" file is set \
                       to false. Cannot download.";
        return Err(StepError::Failed(format!("{message} ({})", target.display())));
    }
    let mut fresh = None;
    let (mut offset, mut version) = (0, None);
    loop {
        let part = outside.read(object, offset, version.as_deref()).map_err(|error| failed(object, &error))?;
        limit.check()?;
        // Only now: an object that is not there leaves no folder behind.
        let fresh = match &mut fresh {
            Some(fresh) => fresh,
            none => none.insert(Fresh::create(target)?),
        };
        fresh.file().write_all(&part.bytes).map_err(|error| StepError::io("cannot write", target, &error))?;
        offset += part.bytes.len() as u64;
        if offset >= part.total {
            break;
        }
        if part.bytes.is_empty() {
            let message = format!("{}: it ends after {offset} of {} bytes", address(object), part.total);
            return Err(StepError::Failed(message));
        }
        version = Some(part.etag);
    }
    fresh.map_or(Ok(()), Fresh::keep)
}

/// The files to store, with their names below the folder they were found in; at least one.
fn files(source: &Path, recurse: bool, sink: &mut Sink<'_>) -> Result<Vec<(PathBuf, String)>, StepError> {
    let mut files = Vec::new();
    let pattern = wildcard::is_pattern(source);
    for path in wildcard::expand(source)? {
        let found = fs::metadata(&path).map_err(|error| StepError::io("cannot read", &path, &error))?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if found.is_dir() && recurse {
            collect(&path, if pattern { &name } else { "" }, &mut files, sink)?;
        } else if found.is_dir() && pattern {
            sink.say(format!("{} is a folder and `recurse` is false; it is left out", path.display()));
        } else if found.is_dir() {
            return Err(StepError::Failed(format!("{} is a folder: `recurse` must be true", path.display())));
        } else {
            files.push((path, name));
        }
    }
    if files.is_empty() {
        return Err(StepError::Failed(format!("there is no file to store: {}", source.display())));
    }
    Ok(files)
}

/// All files below a folder, sorted. Links to files are stored as files; links to folders may lead round in a circle.
fn collect(
    folder: &Path,
    below: &str,
    files: &mut Vec<(PathBuf, String)>,
    sink: &mut Sink<'_>,
) -> Result<(), StepError> {
    let failed = |error| StepError::io("cannot list", folder, &error);
    let mut entries = fs::read_dir(folder).map_err(failed)?.collect::<io::Result<Vec<_>>>().map_err(failed)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        let name = if below.is_empty() { name } else { format!("{below}/{name}") };
        let kind = entry.file_type().map_err(failed)?;
        let found = fs::metadata(&path).map_err(|error| StepError::io("cannot read", &path, &error))?;
        if kind.is_dir() {
            collect(&path, &name, files, sink)?;
        } else if found.is_dir() {
            sink.say(format!("{} is a link to a folder; it is left out", path.display()));
        } else {
            files.push((path, name));
        }
    }
    Ok(())
}

fn store(outside: &mut dyn Outside, path: &Path, object: &Object, limit: Limit) -> Result<(), StepError> {
    let regular = fs::metadata(path).is_ok_and(|found| found.is_file());
    if !regular {
        return Err(StepError::Failed(format!("{} is not a file", path.display())));
    }
    let mut file = File::open(path).map_err(|error| StepError::io("cannot read", path, &error))?;
    let written = outside.write(object, &mut || {
        limit.check().map_err(|error| io::Error::other(error.to_string()))?;
        let mut piece = Vec::new();
        (&mut file).take(PIECE as u64).read_to_end(&mut piece)?;
        Ok(piece)
    });
    limit.check()?;
    written.map_err(|error| failed(object, &error))
}

#[cfg(test)]
#[path = "s3_tests.rs"]
mod tests;

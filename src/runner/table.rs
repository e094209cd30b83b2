//! A world outside that the user has written down: for runs without AWS, and for tests of components.

use super::outside::{Chunk, Object, Outside, OutsideError, Parameter};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Component, Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Bytes of an object in one answer.
const CHUNK: u64 = 4 << 20;

/// Keys below a prefix at most (reference/component-documents.md section 13).
const MOST_KEYS: usize = 1000;

/// Why a file of values cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// It cannot be read.
    #[error("the values in {} cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not written as it should be; the reason names line and column.
    #[error("the values in {} cannot be used: {reason}; its keys are ssm, ssm_secret, imds, s3 and documents", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// Values given by the user; what is not among them is asked of the world beyond.
///
/// ```yaml
/// ssm: { /golden/version: 1.4.2 }
/// ssm_secret: { /golden/password: hunter2 }
/// imds: { placement/region: eu-west-1 }
/// s3:
///   s3://bucket/tool.tar: fixtures/tool.tar   # one object
///   s3://bucket/out/: /tmp/out                # a folder: also takes uploads
/// documents: { s3://bucket/child.yaml: child.yaml }
/// ```
///
/// Paths are relative to the file they stand in.
#[derive(Debug)]
pub struct Table<'a> {
    values: Values,
    beyond: Box<dyn Outside + Send + 'a>,
}

/// The content of a file of values.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Values {
    /// Parameters by name.
    pub ssm: BTreeMap<String, String>,
    /// Parameters that are secret.
    pub ssm_secret: BTreeMap<String, String>,
    /// Instance metadata by path below `meta-data/`.
    pub imds: BTreeMap<String, String>,
    /// Objects by address; an address that ends with `/` is a folder.
    pub s3: BTreeMap<String, PathBuf>,
    /// Component documents by address or ARN.
    pub documents: BTreeMap<String, PathBuf>,
}

impl Values {
    /// Reads a file of values.
    pub fn read(path: &Path) -> Result<Self, TableError> {
        let unreadable = |source| TableError::Unreadable { path: path.to_owned(), source };
        let text = fs::read_to_string(path).map_err(unreadable)?;
        let values: Option<Self> = serde_yaml::from_str(&text)
            .map_err(|error| TableError::Malformed { path: path.to_owned(), reason: error.to_string() })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let mut values = values.unwrap_or_default();
        for file in values.s3.values_mut().chain(values.documents.values_mut()) {
            *file = folder.join(&*file);
        }
        Ok(values)
    }

    /// The file or folder behind an object; `true` for one that takes uploads.
    fn place(&self, object: &Object) -> Option<(PathBuf, bool)> {
        let address = format!("s3://{}/{}", object.bucket, object.key);
        if let Some(path) = self.s3.get(&address) {
            return Some((path.clone(), false));
        }
        let folders = self.s3.iter().filter(|(known, _)| known.ends_with('/'));
        // The longest is the most specific.
        let (known, folder) =
            folders.filter(|(known, _)| address.starts_with(*known)).max_by_key(|(known, _)| known.len())?;
        let rest = Path::new(&address[known.len()..]);
        let stays = rest.components().all(|part| matches!(part, Component::Normal(_)));
        (stays && rest.file_name().is_some()).then(|| (folder.join(rest), true))
    }

    fn is_about(&self, bucket: &str) -> bool {
        let begin = format!("s3://{bucket}/");
        self.s3.keys().any(|known| known.starts_with(&begin))
    }
}

impl<'a> Table<'a> {
    /// Values before another world.
    pub fn new(values: Values, beyond: impl Outside + Send + 'a) -> Self {
        Self::before(values, Box::new(beyond))
    }

    /// As [`Table::new`], before a world that was chosen while the program runs.
    pub fn before(values: Values, beyond: Box<dyn Outside + Send + 'a>) -> Self {
        Self { values, beyond }
    }
}

fn refused(what: &Path, error: &io::Error) -> OutsideError {
    OutsideError(format!("{}: {error}", what.display()))
}

/// What changes when the file does.
fn version(file: &fs::Metadata) -> String {
    let modified = file.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
    format!("\"{:x}-{:x}\"", file.len(), modified.as_nanos())
}

fn read_at(path: &Path, offset: u64, etag: Option<&str>) -> Result<Chunk, OutsideError> {
    let failed = |error: io::Error| refused(path, &error);
    let mut file = File::open(path).map_err(failed)?;
    let found = file.metadata().map_err(failed)?;
    let version = version(&found);
    if etag.is_some_and(|etag| etag != version) {
        return Err(OutsideError(format!("{} has changed while it was read", path.display())));
    }
    file.seek(SeekFrom::Start(offset)).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(CHUNK).read_to_end(&mut bytes).map_err(failed)?;
    Ok(Chunk { bytes, etag: version, total: found.len() })
}

/// All files below a folder as keys.
fn keys(folder: &Path, below: &str, found: &mut Vec<String>) -> io::Result<()> {
    let mut entries = match fs::read_dir(folder) {
        Ok(entries) => entries.collect::<io::Result<Vec<_>>>()?,
        // A folder for uploads that is not there yet is empty.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let key = format!("{below}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            keys(&entry.path(), &format!("{key}/"), found)?;
        } else {
            found.push(key);
        }
    }
    Ok(())
}

impl Outside for Table<'_> {
    fn parameter(&mut self, name: &str) -> Result<Parameter, OutsideError> {
        if let Some(value) = self.values.ssm_secret.get(name) {
            return Ok(Parameter { value: value.clone(), secret: true });
        }
        match self.values.ssm.get(name) {
            Some(value) => Ok(Parameter { value: value.clone(), secret: false }),
            None => self.beyond.parameter(name),
        }
    }

    fn metadata(&mut self, path: &str) -> Result<String, OutsideError> {
        match self.values.imds.get(path.trim_matches('/')) {
            Some(value) => Ok(value.clone()),
            None => self.beyond.metadata(path),
        }
    }

    fn document(&mut self, reference: &str, owner: Option<&str>) -> Result<String, OutsideError> {
        let known = self.values.documents.get(reference).or_else(|| self.values.s3.get(reference));
        match known {
            Some(path) => fs::read_to_string(path).map_err(|error| refused(path, &error)),
            None => self.beyond.document(reference, owner),
        }
    }

    fn list(&mut self, prefix: &Object) -> Result<Vec<String>, OutsideError> {
        if !self.values.is_about(&prefix.bucket) {
            return self.beyond.list(prefix);
        }
        let begin = format!("s3://{}/", prefix.bucket);
        let mut found = Vec::new();
        for (address, path) in &self.values.s3 {
            let Some(key) = address.strip_prefix(&begin) else { continue };
            if address.ends_with('/') {
                keys(path, key, &mut found).map_err(|error| refused(path, &error))?;
            } else {
                found.push(key.to_owned());
            }
        }
        found.retain(|key| key.starts_with(&prefix.key));
        found.sort();
        found.dedup();
        if found.len() > MOST_KEYS {
            return Err(OutsideError(format!("more than {MOST_KEYS} objects begin with {begin}{}", prefix.key)));
        }
        Ok(found)
    }

    fn read(&mut self, object: &Object, offset: u64, etag: Option<&str>) -> Result<Chunk, OutsideError> {
        match self.values.place(object) {
            Some((path, _)) => read_at(&path, offset, etag),
            None => self.beyond.read(object, offset, etag),
        }
    }

    fn write(&mut self, object: &Object, next: &mut dyn FnMut() -> io::Result<Vec<u8>>) -> Result<(), OutsideError> {
        let Some((path, uploads)) = self.values.place(object) else { return self.beyond.write(object, next) };
        if !uploads {
            return Err(OutsideError(format!(
                "s3://{}/{} stands for the one file {}, which is only read; name a folder that ends with `/` for uploads",
                object.bucket,
                object.key,
                path.display()
            )));
        }
        save(&path, next).map_err(|error| refused(&path, &error))
    }
}

/// Writes beside the file and renames, so that nobody finds a half one.
fn save(path: &Path, next: &mut dyn FnMut() -> io::Result<Vec<u8>>) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(folder)?;
    let part = folder.join(format!(".amiforge-{}.part", std::process::id()));
    let written = (|| {
        let mut file = File::create(&part)?;
        loop {
            let piece = next()?;
            if piece.is_empty() {
                return fs::rename(&part, path);
            }
            file.write_all(&piece)?;
        }
    })();
    if written.is_err() {
        // The error that led here is the one to tell.
        let _ = fs::remove_file(&part);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::outside::Nowhere;

    fn object(bucket: &str, key: &str) -> Object {
        Object { bucket: bucket.into(), key: key.into(), owner: None }
    }

    fn table(text: &str, folder: &Path) -> Table<'static> {
        let path = folder.join("values.yaml");
        fs::write(&path, text).unwrap();
        Table::new(Values::read(&path).unwrap(), Nowhere)
    }

    #[test]
    fn values_are_found_and_everything_else_is_asked_of_the_world_beyond() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("child.yaml"), "child").unwrap();
        let mut table = table(
            "ssm: { /a: 1.4.2 }\nssm_secret: { /b: s }\nimds: { placement/region: r }\n\
             documents: { 'arn:x': child.yaml }\n",
            folder.path(),
        );
        assert_eq!(table.parameter("/a").unwrap(), Parameter { value: "1.4.2".into(), secret: false });
        assert_eq!(table.parameter("/b").unwrap(), Parameter { value: "s".into(), secret: true });
        assert_eq!(table.metadata("/placement/region").unwrap(), "r");
        assert_eq!(table.document("arn:x", None).unwrap(), "child");
        assert!(table.parameter("/c").unwrap_err().0.contains("no connection to AWS"));
        assert!(table.metadata("x").is_err() && table.document("y", None).is_err());
        assert!(table.list(&object("b", "")).is_err());
    }

    #[test]
    fn a_file_of_values_that_is_wrong_is_said_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v.yaml");
        fs::write(&path, "ssm: {}\nsssm: {}\n").unwrap();
        let error = Values::read(&path).unwrap_err().to_string();
        assert!(error.contains("v.yaml") && error.contains("sssm") && error.contains("line 2"), "{error}");
        fs::write(&path, "").unwrap();
        assert_eq!(Values::read(&path).unwrap(), Values::default());
        assert!(matches!(Values::read(&folder.path().join("none")), Err(TableError::Unreadable { .. })));
    }

    #[test]
    fn objects_are_files_and_folders() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("tree/sub")).unwrap();
        for name in ["one", "tree/a", "tree/sub/b"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        let mut table = table("s3: { s3://b/x/one: one, s3://b/x/t/: tree, s3://b/out/: out }", folder.path());
        assert_eq!(table.list(&object("b", "x")).unwrap(), ["x/one", "x/t/a", "x/t/sub/b"]);
        let chunk = table.read(&object("b", "x/t/sub/b"), 5, None).unwrap();
        assert_eq!((chunk.bytes.as_slice(), chunk.total), (&b"sub/b"[..], 10));
        fs::write(folder.path().join("tree/sub/b"), "changed!").unwrap();
        assert!(table.read(&object("b", "x/t/sub/b"), 0, Some(&chunk.etag)).unwrap_err().0.contains("has changed"));
        // A folder is no way out of itself.
        assert!(table.read(&object("b", "x/t/../one"), 0, None).is_err());
        let mut pieces = vec![vec![], b"two".to_vec(), b"one".to_vec()];
        table.write(&object("b", "out/new/file"), &mut || Ok(pieces.pop().unwrap())).unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("out/new/file")).unwrap(), "onetwo");
        let error = table.write(&object("b", "x/one"), &mut || Ok(vec![])).unwrap_err().0;
        assert!(error.contains("name a folder that ends with `/`"), "{error}");
        let broken = table.write(&object("b", "out/half"), &mut || Err(io::Error::other("gone")));
        assert!(broken.unwrap_err().0.contains("gone"));
        assert_eq!(table.list(&object("b", "out/")).unwrap(), ["out/new/file"]);
    }
}

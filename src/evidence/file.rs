//! Evidence on disk: one JSON file per candidate, `<dir>/<recipe>/<arch>/<ami>.json`. Blocking.

use super::canonical::sha256;
use super::{Candidate, Evidence, SCHEMA};
use crate::patch::Inventory;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Why evidence could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A file or folder.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is no evidence.
    #[error("{path} is not a readable evidence document: {reason}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The file was written by another version of the program.
    #[error("{path} has schema `{found}`, this program reads `{SCHEMA}`")]
    Schema {
        /// Which.
        path: PathBuf,
        /// What it says.
        found: String,
    },
    /// The file is about something else than its name says.
    #[error("{path} is evidence of {ami}, not of what its name says")]
    Misplaced {
        /// Which.
        path: PathBuf,
        /// The AMI it is about.
        ami: String,
    },
    /// More than one file for one AMI.
    #[error("there is more than one evidence document for {ami}: {} and {}", first.display(), second.display())]
    Ambiguous {
        /// AMI id.
        ami: String,
        /// One.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
    /// A name that cannot be a file name.
    #[error("`{name}` cannot be part of the path of an evidence document")]
    Name {
        /// The name.
        name: String,
    },
}

impl FileError {
    /// What to do next.
    #[must_use]
    pub fn next(&self) -> Option<String> {
        match self {
            Self::Io { .. } | Self::Name { .. } => None,
            Self::Ambiguous { .. } => Some("remove the one that is wrong".to_owned()),
            _ => Some("run `amiforge validate` again: it replaces the file".to_owned()),
        }
    }
}

/// Makes temporary files of this process differ, so that two writers of one candidate do not share one.
static WRITES: AtomicU32 = AtomicU32::new(0);

/// Writes the document below `dir`, replacing an older one of the same candidate, and returns its path.
///
/// A reader sees the old or the new document, never a part: the text is written to a file beside it, synced, and renamed.
pub fn save(dir: &Path, evidence: &Evidence) -> Result<PathBuf, FileError> {
    let path = place(dir, &evidence.candidate, "json")?;
    let mut text = serde_json::to_string_pretty(evidence)
        .map_err(|error| FileError::Unreadable { path: path.clone(), reason: error.to_string() })?;
    text.push('\n');
    replace(path, &text)
}

/// Writes the inventory of a candidate beside its evidence, in the same way.
pub fn save_inventory(dir: &Path, evidence: &Evidence, json: &str) -> Result<PathBuf, FileError> {
    replace(place(dir, &evidence.candidate, "inventory.json")?, json)
}

/// Where the inventory that the evidence in this file is about lies: beside it.
#[must_use]
pub fn inventory_of(file: &Path) -> PathBuf {
    file.with_extension("inventory.json")
}

/// Writes a document that is there already, with what belongs to it, byte for byte: itself last, so that whoever finds it finds
/// the rest.
#[cfg(feature = "aws")]
pub(super) fn adopt(
    dir: &Path,
    evidence: &Evidence,
    document: &str,
    inventory: Option<&str>,
    envelope: Option<&str>,
) -> Result<PathBuf, FileError> {
    let path = place(dir, &evidence.candidate, "json")?;
    if let Some(inventory) = inventory {
        replace(inventory_of(&path), inventory)?;
    }
    save_envelope(&path, envelope)?;
    replace(path, document)
}

/// Whether an inventory is the one that the evidence is about.
#[cfg(feature = "aws")]
pub(super) fn is_inventory_of(evidence: &Evidence, text: &str) -> bool {
    evidence.inventory.as_deref() == Some(sha256(text).as_str())
}

/// Where the signed statement about the evidence in this file lies: beside it.
#[must_use]
pub fn envelope_of(file: &Path) -> PathBuf {
    file.with_extension("dsse.json")
}

/// Writes the signed statement about the evidence in this file, or takes away an older one when there is none.
pub fn save_envelope(file: &Path, envelope: Option<&str>) -> Result<(), FileError> {
    keep_beside(envelope_of(file), envelope)
}

/// Writes the image's own tests (`JUnit`) beside the evidence in this file, or takes away older ones when there are none.
pub fn save_tests(file: &Path, junit: Option<&str>) -> Result<(), FileError> {
    keep_beside(file.with_extension("tests.xml"), junit)
}

fn keep_beside(path: PathBuf, text: Option<&str>) -> Result<(), FileError> {
    match text {
        Some(text) => replace(path, text).map(drop),
        None => match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error(&path, error)),
            _ => Ok(()),
        },
    }
}

/// The bytes of a file, as they were signed.
pub fn bytes(path: &Path) -> Result<Vec<u8>, FileError> {
    fs::read(path).map_err(|source| io_error(path, source))
}

fn place(dir: &Path, candidate: &Candidate, ending: &str) -> Result<PathBuf, FileError> {
    let folder = dir.join(part(&candidate.recipe)?).join(part(&candidate.arch)?);
    Ok(folder.join(format!("{}.{ending}", part(&candidate.ami)?)))
}

fn replace(path: PathBuf, text: &str) -> Result<PathBuf, FileError> {
    let folder = path.parent().unwrap_or(&path).to_owned();
    fs::create_dir_all(&folder).map_err(|source| io_error(&folder, source))?;
    let count = WRITES.fetch_add(1, Ordering::Relaxed);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let unique = format!(".{name}.{}.{count}.tmp", std::process::id());
    let temporary = folder.join(unique);
    let written = write_synced(&temporary, text.as_bytes())
        .and_then(|()| fs::rename(&temporary, &path))
        .and_then(|()| File::open(&folder)?.sync_all());
    if let Err(source) = written {
        // Best effort: what counts is the first error.
        let _ = fs::remove_file(&temporary);
        return Err(io_error(&path, source));
    }
    Ok(path)
}

fn write_synced(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Reads the document of an AMI; nothing when there is none. What cannot be understood is an error.
pub fn load(dir: &Path, ami: &str) -> Result<Option<Evidence>, FileError> {
    find(dir, ami)?.map(|path| read(&path)).transpose()
}

/// Reads the inventory that lies beside the evidence of an AMI; nothing when there is none. It has to be the one that the
/// evidence has the digest of.
pub fn load_inventory(dir: &Path, ami: &str) -> Result<Option<Inventory>, FileError> {
    let Some(path) = find(dir, ami)? else { return Ok(None) };
    let evidence = read(&path)?;
    let Some(digest) = evidence.inventory else { return Ok(None) };
    let path = path.with_extension("inventory.json");
    let unreadable = |reason: String| FileError::Unreadable { path: path.clone(), reason };
    let text = fs::read_to_string(&path).map_err(|source| io_error(&path, source))?;
    if sha256(&text) != digest {
        return Err(unreadable(format!("it is not the inventory with the digest {digest}")));
    }
    Inventory::from_json(&text).map(Some).map_err(|error| unreadable(error.to_string()))
}

/// The one document of an AMI; nothing when there is none.
pub fn find(dir: &Path, ami: &str) -> Result<Option<PathBuf>, FileError> {
    let name = format!("{}.json", part(ami)?);
    let mut found: Option<PathBuf> = None;
    for recipe in folders(dir)? {
        for arch in folders(&recipe)? {
            let path = arch.join(&name);
            if !path.try_exists().map_err(|source| io_error(&path, source))? {
                continue;
            }
            if let Some(first) = found {
                return Err(FileError::Ambiguous { ami: ami.to_owned(), first, second: path });
            }
            found = Some(path);
        }
    }
    Ok(found)
}

/// Reads one document.
pub fn read(path: &Path) -> Result<Evidence, FileError> {
    parse(path, &fs::read_to_string(path).map_err(|source| io_error(path, source))?)
}

/// The document that a file of that name would be.
pub(super) fn parse(path: &Path, text: &str) -> Result<Evidence, FileError> {
    let unreadable = |reason: String| FileError::Unreadable { path: path.to_owned(), reason };
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?;
    let schema = value.get("schema").and_then(serde_json::Value::as_str).unwrap_or_default();
    if schema != SCHEMA {
        return Err(FileError::Schema { path: path.to_owned(), found: schema.to_owned() });
    }
    let evidence: Evidence = serde_json::from_value(value).map_err(|error| unreadable(error.to_string()))?;
    let candidate = &evidence.candidate;
    let place = Path::new(&candidate.recipe).join(&candidate.arch).join(format!("{}.json", candidate.ami));
    if !path.ends_with(place) {
        return Err(FileError::Misplaced { path: path.to_owned(), ami: candidate.ami.clone() });
    }
    Ok(evidence)
}

/// The folders in a folder, sorted; none when it does not exist.
fn folders(dir: &Path) -> Result<Vec<PathBuf>, FileError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
        Err(source) => return Err(io_error(dir, source)),
    };
    let mut folders = vec![];
    for entry in entries {
        let path = entry.map_err(|source| io_error(dir, source))?.path();
        if path.is_dir() {
            folders.push(path);
        }
    }
    folders.sort();
    Ok(folders)
}

/// A name as one part of a path: it must not lead anywhere else.
fn part(name: &str) -> Result<&str, FileError> {
    let plain = !name.is_empty() && !name.starts_with('.') && !name.contains(['/', '\\', '\0']);
    if plain { Ok(name) } else { Err(FileError::Name { name: name.to_owned() }) }
}

fn io_error(path: &Path, source: io::Error) -> FileError {
    FileError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::digest;
    use crate::evidence::testing::evidence;

    #[test]
    fn what_is_saved_is_loaded_and_nothing_else_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let mut evidence = evidence();
        assert_eq!(load(&dir.path().join("none"), "ami-1").unwrap(), None);
        let path = save(dir.path(), &evidence).unwrap();
        assert!(path.ends_with("debian-12/x86_64/ami-0123456789abcdef0.json"));
        let loaded = load(dir.path(), &evidence.candidate.ami).unwrap().unwrap();
        assert_eq!((digest(&loaded), &loaded), (digest(&evidence), &evidence));
        evidence.collected_at = "2026-11-24T00:00:00Z".into();
        assert_eq!(save(dir.path(), &evidence).unwrap(), path, "replaced");
        assert_eq!(load(dir.path(), &evidence.candidate.ami).unwrap().unwrap(), evidence);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        assert_eq!(load(dir.path(), "ami-other").unwrap(), None);
    }

    #[test]
    fn the_inventory_beside_it_has_to_be_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let package = crate::patch::Package { name: "bash".into(), version: "1".into(), ..Default::default() };
        let inventory = Inventory { os_id: "debian".into(), installed: vec![package], ..Inventory::default() };
        let json = inventory.to_json().unwrap();
        let evidence = Evidence { inventory: Some(sha256(&json)), ..evidence() };
        let ami = &evidence.candidate.ami;
        assert_eq!(load_inventory(dir.path(), ami).unwrap(), None);
        save(dir.path(), &evidence).unwrap();
        assert!(matches!(load_inventory(dir.path(), ami), Err(FileError::Io { .. })), "it is missing");
        let path = save_inventory(dir.path(), &evidence, &json).unwrap();
        assert_eq!(load_inventory(dir.path(), ami).unwrap(), Some(inventory));
        assert_eq!(load(dir.path(), ami).unwrap(), Some(evidence.clone()), "nobody takes it for evidence");
        fs::write(path, json.replace("bash", "dash")).unwrap();
        assert!(load_inventory(dir.path(), ami).unwrap_err().to_string().contains("digest"));
    }

    #[test]
    fn what_cannot_be_understood_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let evidence = evidence();
        let ami = evidence.candidate.ami.clone();
        let path = save(dir.path(), &evidence).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let after = |text: &str| {
            fs::write(&path, text).unwrap();
            load(dir.path(), &ami).unwrap_err()
        };
        assert!(matches!(after(""), FileError::Unreadable { .. }));
        assert!(matches!(after(&text[..text.len() / 2]), FileError::Unreadable { .. }));
        assert!(matches!(after(&text.replace("evidence/4", "evidence/3")), FileError::Schema { .. }));
        assert!(matches!(after("{}"), FileError::Schema { .. }));
        assert!(matches!(after(&text.replace("\"tests\"", "\"test\"")), FileError::Unreadable { .. }));
        assert!(matches!(after(&text.replace(&ami, "ami-other")), FileError::Misplaced { .. }));
        fs::write(&path, &text).unwrap();
        let other = dir.path().join("debian-13/x86_64");
        fs::create_dir_all(&other).unwrap();
        fs::copy(&path, other.join(path.file_name().unwrap())).unwrap();
        assert!(matches!(load(dir.path(), &ami), Err(FileError::Ambiguous { .. })));
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["../x", "", "..", ".hidden", "a/b"] {
            let mut evidence = evidence();
            evidence.candidate.recipe = name.into();
            assert!(matches!(save(dir.path(), &evidence), Err(FileError::Name { .. })), "{name}");
            assert!(load(dir.path(), name).is_err());
        }
    }
}

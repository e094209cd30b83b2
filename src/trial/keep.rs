//! Instances that were left to be looked at, each with a note of what it is.

use super::error::TrialError;
use crate::sandbox::root;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Name and version of the note's format.
const SCHEMA: &str = "amiforge.kept/1";
/// The note, in the folder of an instance.
const NOTE: &str = "kept.json";
/// The scratch folder of the instance, beside the note.
const INSTANCE: &str = "instance";
/// The layer that the build stage made, beside the note; not there if the build stage itself was left.
const LAYER: &str = "layer";

/// An instance that was left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    schema: String,
    /// `subject@row`.
    pub name: String,
    /// `build` or `test`: the stage whose instance it is.
    pub stage: String,
    /// How the trial ended.
    pub outcome: String,
    /// The sandbox's mode; its files belong to the ids of that mode.
    pub mode: String,
    /// When, RFC 3339.
    pub at: String,
    /// Whether it has no network.
    pub offline: bool,
    /// The layers of its root, topmost first; one made by the build stage is not among them.
    pub root: Vec<PathBuf>,
}

impl Kept {
    /// A note about an instance.
    pub(crate) fn new(
        name: &str,
        stage: &str,
        outcome: &str,
        mode: &str,
        at: String,
        offline: bool,
        root: Vec<PathBuf>,
    ) -> Self {
        let [schema, name, stage, outcome, mode] = [SCHEMA, name, stage, outcome, mode].map(str::to_owned);
        Self { schema, name, stage, outcome, mode, at, offline, root }
    }
}

/// Where instances are left.
#[derive(Debug, Clone)]
pub struct Shelf {
    folder: PathBuf,
}

impl Shelf {
    /// The one below a folder of state.
    #[must_use]
    pub fn new(state: &Path) -> Self {
        Self { folder: state.join("kept") }
    }

    /// The folder of an instance.
    #[must_use]
    pub fn folder(&self, name: &str) -> PathBuf {
        // No name may lead elsewhere: neither by a slash nor by dots alone.
        self.folder.join(format!("_{}", name.replace('/', "-")))
    }

    /// All that were left, by name. What cannot be read is not taken for an instance.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn list(&self) -> Result<Vec<Kept>, TrialError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(vec![]),
            Err(error) => return Err(TrialError::io("read", &self.folder)(error)),
        };
        let mut all: Vec<Kept> = entries.filter_map(|entry| read(&entry.ok()?.path())).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }

    /// The one of that name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Kept> {
        read(&self.folder(name)).filter(|kept| kept.name == name)
    }

    /// Its layers, topmost first, and its scratch folder.
    #[must_use]
    pub fn parts(&self, kept: &Kept) -> (Vec<PathBuf>, PathBuf) {
        let folder = self.folder(&kept.name);
        let made = Some(folder.join(LAYER)).filter(|layer| layer.is_dir());
        (made.into_iter().chain(kept.root.iter().cloned()).collect(), folder.join(INSTANCE))
    }

    /// Removes one, with all it holds.
    ///
    /// # Errors
    /// When somebody is in it, or its files cannot be removed.
    pub fn remove(&self, name: &str) -> Result<(), TrialError> {
        let folder = self.folder(name);
        if is_in_use(&folder.join(INSTANCE)) {
            return Err(TrialError::Option {
                message: format!("`{name}` cannot be removed: somebody is in it"),
                next: "leave its shell first".to_owned(),
            });
        }
        root::remove(&folder.join(INSTANCE))?;
        Ok(root::remove(&folder)?)
    }

    /// Puts a stopped instance on the shelf, in the place of one of the same name. Its scratch folder has to be locked
    /// until this is done.
    pub(crate) fn put(&self, kept: &Kept, scratch: &Path, layer: Option<&Path>) -> Result<PathBuf, TrialError> {
        self.remove(&kept.name)?;
        let folder = self.folder(&kept.name);
        fs::create_dir_all(&folder).map_err(TrialError::io("made", &folder))?;
        fs::rename(scratch, folder.join(INSTANCE)).map_err(TrialError::io("moved", scratch))?;
        if let Some(layer) = layer {
            fs::rename(layer, folder.join(LAYER)).map_err(TrialError::io("moved", layer))?;
        }
        let note = folder.join(NOTE);
        let text = serde_json::to_string_pretty(kept).unwrap_or_default() + "\n";
        fs::write(&note, text).map_err(TrialError::io("written", &note))?;
        Ok(folder)
    }
}

fn read(folder: &Path) -> Option<Kept> {
    let text = fs::read_to_string(folder.join(NOTE)).ok()?;
    serde_json::from_str::<Kept>(&text).ok().filter(|kept| kept.schema == SCHEMA)
}

/// Whether a process holds the lock of a scratch folder (`sandbox::root::sweep` says more about it).
fn is_in_use(scratch: &Path) -> bool {
    let Ok(file) = fs::File::open(scratch.join("lock")) else { return false };
    matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(name: &str) -> Kept {
        Kept::new(name, "test", "FAILED", "root-ident", "2026-01-02T03:04:05Z".into(), false, vec!["/srv/root".into()])
    }

    fn scratch(folder: &Path, file: &str) -> PathBuf {
        let scratch = folder.join("scratch");
        fs::create_dir_all(&scratch).unwrap();
        fs::write(scratch.join("lock"), "").unwrap();
        fs::write(scratch.join(file), "").unwrap();
        scratch
    }

    #[test]
    fn what_is_put_is_found_replaced_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(folder.path());
        assert!(shelf.list().unwrap().is_empty());
        let layer = folder.path().join("layer");
        fs::create_dir(&layer).unwrap();
        shelf.put(&kept("motd@debian-12"), &scratch(folder.path(), "first"), Some(&layer)).unwrap();
        let (layers, place) = shelf.parts(&shelf.find("motd@debian-12").unwrap());
        assert_eq!(layers, [shelf.folder("motd@debian-12").join("layer"), "/srv/root".into()]);
        assert!(place.join("first").exists());
        shelf.put(&kept("motd@debian-12"), &scratch(folder.path(), "second"), None).unwrap();
        let (layers, place) = shelf.parts(&shelf.list().unwrap()[0]);
        assert_eq!(layers, [PathBuf::from("/srv/root")]);
        assert!(place.join("second").exists() && !place.join("first").exists());
        shelf.remove("motd@debian-12").unwrap();
        assert!(shelf.list().unwrap().is_empty() && shelf.find("motd@debian-12").is_none());
    }

    #[test]
    fn one_that_is_in_use_stays() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::new(folder.path());
        shelf.put(&kept("a@b"), &scratch(folder.path(), "x"), None).unwrap();
        let lock = fs::File::open(shelf.folder("a@b").join(INSTANCE).join("lock")).unwrap();
        lock.lock().unwrap();
        assert!(shelf.remove("a@b").unwrap_err().to_string().contains("somebody is in it"));
        drop(lock);
        shelf.remove("a@b").unwrap();
    }

    #[test]
    fn no_name_leads_elsewhere() {
        let shelf = Shelf::new(Path::new("/state"));
        assert_eq!(shelf.folder("../../etc"), Path::new("/state/kept/_..-..-etc"));
        assert!(shelf.find("..").is_none());
    }
}

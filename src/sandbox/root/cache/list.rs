//! What is in the cache.

use super::entry::{self, Found};
use super::lock::Hold;
use super::{Cache, sweep};
use crate::sandbox::SandboxError;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A root in the cache, or what is left of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Name of its folder; for a root its digest.
    pub key: String,
    /// Where it came from, as users write it; `None` when it does not say.
    pub source: Option<String>,
    /// Bytes of all its files, as counted when it was made; `None` when it does not say.
    pub size: Option<u64>,
    /// When it was made.
    pub made: SystemTime,
    /// When it was last asked for.
    pub used: SystemTime,
    /// Whether it may be removed.
    pub state: State,
}

/// Whether an entry may be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Nobody uses it.
    Idle,
    /// A process uses it.
    InUse,
    /// Images of these folders stand on it.
    StoodOn(Vec<PathBuf>),
    /// A process makes it.
    Making,
    /// It is no whole entry: why.
    Damaged(String),
    /// A process that is no more has left it half-made.
    Leftover,
    /// An earlier version of this program has made it, without a record.
    Old,
}

impl Cache {
    /// What is in it, the last used first. A missing folder has nothing in it. Files are not looked at: whether an entry
    /// is whole is found out when it is used.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn list(&self) -> Result<Vec<Entry>, SandboxError> {
        let roots = self.roots();
        let folder = match fs::read_dir(&roots) {
            Ok(folder) => folder,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(SandboxError::file("cannot read", &roots)(error)),
        };
        let mut entries = Vec::new();
        for file in folder {
            let file = file.map_err(SandboxError::file("cannot read", &roots))?;
            let (name, path) = (file.file_name(), file.path());
            let Some(name) = name.to_str().filter(|_| path.is_dir()) else { continue };
            if let Some(entry) = self.one(name, &path)? {
                entries.push(entry);
            }
        }
        entries.sort_by(|a, b| b.used.cmp(&a.used).then_with(|| a.key.cmp(&b.key)));
        Ok(entries)
    }

    fn one(&self, name: &str, path: &Path) -> Result<Option<Entry>, SandboxError> {
        if name.contains(sweep::PARTIAL) {
            let state = if sweep::is_left(path) { State::Leftover } else { State::Making };
            let made = time_of(path);
            let key = name.to_owned();
            return Ok(Some(Entry { key, source: None, size: None, made, used: made, state }));
        }
        if !is_key(name) {
            return Ok(None);
        }
        let made = time_of(&path.join("entry.json"));
        let used = fs::metadata(self.lock_of(name)).and_then(|file| file.modified()).unwrap_or(made);
        let entry = |source, size, state| Some(Entry { key: name.to_owned(), source, size, made, used, state });
        Ok(match entry::record(path) {
            Ok(record) => entry(Some(record.source), Some(record.survey.bytes), self.state(name)?),
            Err(Found::Damaged(why)) if path.join("entry.json").exists() => entry(None, None, State::Damaged(why)),
            // Of the time before there were records: the root itself.
            Err(_) if path.join("etc").is_dir() => entry(None, None, State::Old),
            Err(Found::Damaged(why)) => entry(None, None, State::Damaged(why)),
            // Removed while we looked.
            Err(_) => None,
        })
    }

    fn state(&self, key: &str) -> Result<State, SandboxError> {
        // Held for a moment only; whoever wants it in that moment waits or sees it in use.
        if Hold::try_alone(&self.lock_of(key))?.is_none() {
            return Ok(State::InUse);
        }
        let users = self.users(key);
        Ok(if users.is_empty() { State::Idle } else { State::StoodOn(users) })
    }
}

/// Names of entries: the digits of a digest, all or (earlier) the first half.
fn is_key(name: &str) -> bool {
    [32, 64].contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn time_of(path: &Path) -> SystemTime {
    let time = |path: &Path| fs::metadata(path).and_then(|file| file.modified()).ok();
    time(path).or_else(|| path.parent().and_then(time)).unwrap_or(SystemTime::UNIX_EPOCH)
}

//! Getting an entry: the one that is there if it is whole, else a new one.

use super::lock::Hold;
use super::{Cache, Obtained, make};
use crate::sandbox::root::survey::{self, Survey};
use crate::sandbox::root::{self, sweep};
use crate::sandbox::{Line, SandboxError};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// How often to begin again when others remove what was just made.
const ATTEMPTS: u32 = 5;

/// What an entry says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    schema: String,
    /// Where it came from, as users write it.
    pub(super) source: String,
    pub(super) survey: Survey,
    pub(super) notes: Vec<String>,
}

/// The version of the record and of how roots are made.
const SCHEMA: &str = "amiforge.root/1";

/// What is asked of the cache.
pub(in crate::sandbox::root) struct Wanted<'a> {
    /// A digest of what determines the root.
    pub(in crate::sandbox::root) key: &'a str,
    /// Where it comes from, as users write it.
    pub(in crate::sandbox::root) source: &'a str,
}

/// Makes the root at the first path, which is not there yet, with the second for temporary files; returns notes.
pub(in crate::sandbox::root) type Making<'a> =
    &'a mut dyn FnMut(&Path, &Path, &mut dyn FnMut(Line)) -> Result<Vec<String>, SandboxError>;

impl Cache {
    /// Whether an entry is there; it may turn out to be damaged.
    pub(in crate::sandbox::root) fn has(&self, key: &str) -> bool {
        self.roots().join(key).join("entry.json").exists()
    }

    /// The entry of a key, made by `making` when it is absent or damaged.
    pub(in crate::sandbox::root) fn entry(
        &self,
        wanted: &Wanted<'_>,
        making: Making<'_>,
        on_line: &mut dyn FnMut(Line),
    ) -> Result<Obtained, SandboxError> {
        make(&self.roots())?;
        let place = self.roots().join(wanted.key);
        let lock = self.lock_of(wanted.key);
        for _ in 0..ATTEMPTS {
            let hold = Hold::shared(&lock)?;
            match look(&place) {
                Found::Whole(record) => {
                    hold.used(SystemTime::now())?;
                    return Ok(self.obtained(wanted, record, &place, hold));
                }
                Found::Absent => {}
                Found::Damaged(why) => {
                    on_line(Line::Err(format!("the root of {} is damaged ({why}) and made again", wanted.source)));
                }
            }
            drop(hold);
            self.make_again(wanted, &place, &lock, making, on_line)?;
        }
        Err(SandboxError::Busy { what: format!("the root of {}", wanted.source) })
    }

    fn obtained(&self, wanted: &Wanted<'_>, record: Record, place: &Path, hold: Hold) -> Obtained {
        Obtained {
            path: place.join("root"),
            digest: wanted.key.to_owned(),
            size: record.survey.bytes,
            notes: record.notes,
            source: wanted.source.to_owned(),
            hold: Some((hold, self.users_of(wanted.key))),
        }
    }

    fn make_again(
        &self,
        wanted: &Wanted<'_>,
        place: &Path,
        lock: &Path,
        making: Making<'_>,
        on_line: &mut dyn FnMut(Line),
    ) -> Result<(), SandboxError> {
        let alone = if let Some(alone) = Hold::try_alone(lock)? {
            alone
        } else {
            // Damaged and in use: whoever uses it would lose its files under its feet.
            if place.exists() && matches!(look(place), Found::Damaged(_)) {
                return Err(SandboxError::Busy { what: format!("the damaged root of {}", wanted.source) });
            }
            on_line(Line::Err(format!("waiting for another process that makes the root of {}", wanted.source)));
            Hold::alone(lock)?
        };
        if matches!(look(place), Found::Whole(_)) {
            return Ok(());
        }
        let partial = self.partial(wanted.key);
        if place.exists() {
            take_away(place, &partial)?;
        }
        let claim = sweep::claim(&partial)?;
        let made = Self::fill(wanted, &partial, making, on_line)
            .and_then(|entry| fs::rename(&entry, place).map_err(SandboxError::file("cannot move the root to", place)));
        let removed = root::remove(&partial);
        drop((claim, alone));
        made.and(removed)
    }

    pub(super) fn partial(&self, key: &str) -> PathBuf {
        self.roots().join(format!(".{key}{}{}", sweep::PARTIAL, std::process::id()))
    }

    /// Makes an entry in a folder of this process; returns it.
    fn fill(
        wanted: &Wanted<'_>,
        partial: &Path,
        making: Making<'_>,
        on_line: &mut dyn FnMut(Line),
    ) -> Result<PathBuf, SandboxError> {
        let (entry, temporary) = (partial.join("entry"), partial.join("temporary"));
        make(&entry)?;
        make(&temporary)?;
        let tree = entry.join("root");
        let notes = making(&tree, &temporary, on_line)?;
        let record =
            Record { schema: SCHEMA.into(), source: wanted.source.to_owned(), survey: survey::survey(&tree)?, notes };
        let path = entry.join("entry.json");
        let text = serde_json::to_vec_pretty(&record).map_err(|error| SandboxError::Protocol(error.to_string()))?;
        fs::write(&path, text).map_err(SandboxError::file("cannot write", &path))?;
        Ok(entry)
    }

    /// Removes an entry that nobody uses, with its lock.
    pub(super) fn take_out(&self, key: &str, alone: Hold) -> Result<(), SandboxError> {
        let (place, partial) = (self.roots().join(key), self.partial(key));
        if fs::symlink_metadata(&place).is_ok() {
            take_away(&place, &partial)?;
        }
        root::remove(&partial)?;
        root::remove(&self.users_of(key))?;
        alone.remove()
    }
}

/// Renames an entry into the folder of this process, so that it is gone at once and whole.
fn take_away(place: &Path, partial: &Path) -> Result<(), SandboxError> {
    make(partial)?;
    let target = partial.join("removed");
    root::remove(&target)?;
    fs::rename(place, &target).map_err(SandboxError::file("cannot move away", place))?;
    root::remove(&target)
}

pub(super) enum Found {
    Absent,
    Whole(Record),
    Damaged(String),
}

/// What is at the place of an entry.
pub(super) fn look(place: &Path) -> Found {
    let record = match record(place) {
        Ok(record) => record,
        Err(found) => return found,
    };
    match survey::survey(&place.join("root")) {
        Ok(survey) if survey == record.survey => Found::Whole(record),
        Ok(survey) if survey.entries != record.survey.entries => {
            Found::Damaged(format!("it has {} files, and had {}", survey.entries, record.survey.entries))
        }
        Ok(_) => Found::Damaged("files in it were changed".into()),
        Err(error) => Found::Damaged(error.to_string()),
    }
}

/// What an entry says of itself.
pub(super) fn record(place: &Path) -> Result<Record, Found> {
    let text = match fs::read(place.join("entry.json")) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound && !place.exists() => return Err(Found::Absent),
        Err(error) => return Err(Found::Damaged(format!("entry.json: {error}"))),
    };
    match serde_json::from_slice::<Record>(&text) {
        Ok(record) if record.schema == SCHEMA => Ok(record),
        Ok(record) => Err(Found::Damaged(format!("it is of another version, {}", record.schema))),
        Err(error) => Err(Found::Damaged(format!("entry.json: {error}"))),
    }
}

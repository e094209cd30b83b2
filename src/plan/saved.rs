//! A plan in a file: what was looked at and approved is what is carried out, or nothing is.
//!
//! The file holds what is desired, in full, and the changes as they were shown. Whoever carries it out looks at the account
//! again: if the same changes come out, they are made; if not, somebody was faster, and it is said what differs. Nothing in the
//! file is trusted to be as amiforge wrote it: it has a digest.

use super::fingerprint::digest;
use super::model::{Change, Desired, Plan};
use crate::project::Location;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// Schema of [`SavedPlan`].
pub const SAVED_SCHEMA: &str = "amiforge.saved-plan/1";

/// A plan to be carried out later, perhaps by somebody else.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedPlan {
    schema: String,
    /// Version of amiforge that made it: another one may render differently, and read differently.
    amiforge: String,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// Environment it is for.
    pub environment: String,
    /// Home account and Region it was made for.
    pub home: Location,
    /// One per recipe and architecture, in the order in which they are carried out.
    pub plans: Vec<Saved>,
    digest: String,
}

/// One recipe for one architecture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saved {
    /// What should be there.
    pub desired: Desired,
    /// The changes, as they were shown.
    changes: Value,
}

/// Why a saved plan is not carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SavedError {
    /// The file cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no plan, or not one of this version.
    #[error("{path} is not a plan that this version of amiforge can carry out: {reason}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// It is for another place.
    #[error("the plan was made for {planned}, and this is {here}")]
    OtherPlace {
        /// Where it was made for.
        planned: String,
        /// Where it was to be carried out.
        here: String,
    },
    /// The account is not as it was.
    #[error("the account has changed since the plan of {created_at} was made, and nothing was done:\n  {}", differences.join("\n  "))]
    Stale {
        /// When it was made.
        created_at: String,
        /// What differs, one line each.
        differences: Vec<String>,
    },
}

impl SavedError {
    /// What to do next.
    #[must_use]
    pub fn next(&self) -> Option<String> {
        match self {
            Self::Io { .. } => None,
            Self::Unreadable { .. } | Self::Stale { .. } => {
                Some("make the plan again: amiforge plan RECIPE --out FILE".into())
            }
            Self::OtherPlace { .. } => Some("choose the environment it was made for with -e".into()),
        }
    }

    /// The exit code of DESIGN section 9.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Io { .. } | Self::Unreadable { .. } | Self::OtherPlace { .. } => 2,
            Self::Stale { .. } => 11,
        }
    }
}

impl SavedPlan {
    /// Plans of one environment, to be saved.
    #[must_use]
    pub fn new(plans: &[Plan], environment: &str, home: &Location, created_at: String) -> Self {
        let saved = |plan: &Plan| Saved { desired: plan.desired().clone(), changes: shown(&plan.changes) };
        let mut made = Self {
            schema: SAVED_SCHEMA.to_owned(),
            amiforge: env!("CARGO_PKG_VERSION").to_owned(),
            created_at,
            environment: environment.to_owned(),
            home: home.clone(),
            plans: plans.iter().map(saved).collect(),
            digest: String::new(),
        };
        made.digest = made.own_digest();
        made
    }

    fn own_digest(&self) -> String {
        let bare = Self { digest: String::new(), ..self.clone() };
        digest(&serde_json::to_value(&bare).unwrap_or_default())
    }

    /// Writes it; a file that is there is replaced as a whole or not at all. Only the owner may read it: documents may
    /// say more about a house than everybody should know.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), SavedError> {
        let io = |source| SavedError::Io { path: path.to_owned(), source };
        let text = serde_json::to_string_pretty(self).map_err(|error| io(error.into()))?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let beside = folder.join(format!(".{name}.{}.new", std::process::id()));
        let done = write_private(&beside, &text).and_then(|()| std::fs::rename(&beside, path));
        if done.is_err() {
            // What is left of it is of no use to anybody.
            let _ = std::fs::remove_file(&beside);
        }
        done.map_err(io)
    }

    /// Reads it and checks that nobody has changed it.
    ///
    /// # Errors
    /// When there is none, or it is another one than amiforge wrote.
    pub fn read(path: &Path) -> Result<Self, SavedError> {
        let bytes = std::fs::read(path).map_err(|source| SavedError::Io { path: path.to_owned(), source })?;
        let unreadable = |reason: String| SavedError::Unreadable { path: path.to_owned(), reason };
        // First what it is: a plan of another version would be refused for a reason that says nothing.
        let value: Value = serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?;
        match value["schema"].as_str() {
            Some(SAVED_SCHEMA) => {}
            Some(other) => return Err(unreadable(format!("its schema is {other}, not {SAVED_SCHEMA}"))),
            None => return Err(unreadable("it names no schema".to_owned())),
        }
        let read: Self = serde_json::from_value(value).map_err(|error| unreadable(error.to_string()))?;
        let (theirs, ours) = (read.amiforge.as_str(), env!("CARGO_PKG_VERSION"));
        if theirs != ours {
            return Err(unreadable(format!("amiforge {theirs} made it, and this is {ours}")));
        }
        if read.digest != read.own_digest() {
            return Err(unreadable("it was changed after it was made: its digest does not match".to_owned()));
        }
        Ok(read)
    }

    /// Whether it is for this place.
    ///
    /// # Errors
    /// When it is not.
    pub fn check_place(&self, environment: &str, home: &Location) -> Result<(), SavedError> {
        if self.environment == environment && self.home == *home {
            return Ok(());
        }
        let words = |name: &str, home: &Location| format!("environment {name} ({} in {})", home.account, home.region);
        Err(SavedError::OtherPlace { planned: words(&self.environment, &self.home), here: words(environment, home) })
    }

    /// Whether planning again gives the changes that were shown. That everything is there already is as good: the plan was
    /// carried out before.
    ///
    /// # Errors
    /// When the account has changed.
    pub fn check(&self, saved: &Saved, now: &Plan) -> Result<(), SavedError> {
        if now.publishes_nothing() {
            return Ok(());
        }
        let (planned, present) = (lines(&saved.changes), lines(&shown(&now.changes)));
        let mut differences: Vec<String> = vec![];
        differences
            .extend(planned.iter().filter(|line| !present.contains(line)).map(|line| format!("planned  {line}")));
        differences
            .extend(present.iter().filter(|line| !planned.contains(line)).map(|line| format!("now      {line}")));
        // What the same plan has done before it was interrupted is there now, and no reason to stop.
        let own_work = |line: &&String| line.starts_with("now      keep");
        if differences.iter().filter(|line| line.starts_with("now")).all(|line| own_work(&line)) {
            return Ok(());
        }
        Err(SavedError::Stale { created_at: self.created_at.clone(), differences })
    }
}

/// What is compared: what is done to what, and which version comes out. ARNs and reasons may differ.
fn shown(changes: &[Change]) -> Value {
    serde_json::to_value(changes).unwrap_or_default()
}

fn lines(changes: &Value) -> Vec<String> {
    let text = |change: &Value, key: &str| change[key].as_str().unwrap_or_default().to_owned();
    let line = |change: &Value| {
        let words = ["action", "kind", "name", "version", "fingerprint"].map(|key| text(change, key));
        words.iter().filter(|word| !word.is_empty()).cloned().collect::<Vec<_>>().join(" ")
    };
    changes.as_array().map(|all| all.iter().map(line).collect()).unwrap_or_default()
}

#[cfg(unix)]
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(not(unix))]
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    std::fs::write(path, text)
}

#[cfg(test)]
mod tests {
    use super::super::observed::Observed;
    use super::super::{diff, fixture};
    use super::*;

    fn home() -> Location {
        Location { account: "111122223333".into(), region: "us-east-1".into() }
    }

    fn saved() -> (SavedPlan, Plan) {
        let plan = diff(&fixture(), &Observed::default());
        (SavedPlan::new(std::slice::from_ref(&plan), "prod", &home(), "2026-01-02T03:04:05Z".into()), plan)
    }

    #[test]
    fn what_was_written_is_read_and_only_its_owner_can() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        let (plan, _) = saved();
        plan.write(&path).unwrap();
        plan.write(&path).unwrap();
        assert_eq!(SavedPlan::read(&path).unwrap(), plan);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing beside it");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn what_was_changed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        saved().0.write(&path).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        for (from, to, expected) in [
            ("111122223333", "444455556666", "digest does not match"),
            ("amiforge.saved-plan/1", "amiforge.saved-plan/2", "its schema is amiforge.saved-plan/2"),
            ("\"schema\"", "\"scheme\"", "names no schema"),
            ("\"created_at\"", "\"created\"", "unknown field"),
            ("{", "[", "expected"),
        ] {
            std::fs::write(&path, text.replacen(from, to, 1)).unwrap();
            let error = SavedPlan::read(&path).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(expected), "{from}: {error}");
        }
        assert!(matches!(SavedPlan::read(&folder.path().join("none")).unwrap_err(), SavedError::Io { .. }));
    }

    #[test]
    fn it_is_for_one_place_and_one_state_of_the_account() {
        let (saved, plan) = saved();
        saved.check_place("prod", &home()).unwrap();
        let other = Location { region: "eu-west-1".into(), ..home() };
        assert_eq!(saved.check_place("prod", &other).unwrap_err().exit_code(), 2);
        assert!(saved.check_place("test", &home()).is_err());
        saved.check(&saved.plans[0], &plan).unwrap();

        let mut later = plan.clone();
        later.changes[0].version = Some(super::super::Version::new(1, 0, 7));
        let error = saved.check(&saved.plans[0], &later).unwrap_err();
        assert_eq!(error.exit_code(), 11);
        assert!(error.to_string().contains("now      create component acme-a 1.0.7"), "{error}");
        // Its own first half.
        let mut half = plan.clone();
        half.changes[0].action = super::super::Action::Keep;
        saved.check(&saved.plans[0], &half).unwrap();
        for change in &mut half.changes {
            change.action = super::super::Action::Keep;
        }
        saved.check(&saved.plans[0], &half).unwrap();
    }
}

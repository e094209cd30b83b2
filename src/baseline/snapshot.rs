//! A baseline of the account, frozen into a file of the project.

use super::error::BaselineError;
use super::{convert, observe};
use crate::aws::Cloud;
use crate::clock::rfc3339;
use crate::diagnostic::SourceFile;
use crate::patch::{self, Baseline, BaselineDiff, OperatingSystem, baseline_diff};
use crate::project::Location;
use serde::Serialize;
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use time::OffsetDateTime;

/// The schema of the result of `baseline snapshot` as a document.
pub const SNAPSHOT_SCHEMA: &str = "amiforge.baseline-snapshot/1";

/// Which baseline of the account is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// The one of that name.
    Name(String),
    /// The one of that id or ARN.
    Id(String),
    /// The default of an operating system.
    DefaultFor(OperatingSystem),
}

/// A baseline as the account has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Frozen {
    /// Its id; an ARN for one of AWS's.
    pub id: String,
    /// Account and Region.
    pub location: Location,
    /// The baseline.
    pub baseline: Baseline,
}

/// What a snapshot did or found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SnapshotReport {
    /// [`SNAPSHOT_SCHEMA`].
    pub schema: &'static str,
    /// The file, relative to the project.
    pub file: PathBuf,
    /// Id of the account's baseline.
    pub id: String,
    /// Its name.
    pub baseline: String,
    /// Account and Region.
    #[serde(flatten)]
    pub location: Location,
    /// What was done or found.
    pub outcome: Written,
    /// From the file, as it was, to the account; absent where there was no readable file.
    pub difference: Option<BaselineDiff>,
}

/// What a snapshot did or found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Written {
    /// The file is new.
    Created,
    /// The file has a new content.
    Replaced,
    /// The file means the same as the account's baseline, and is left as it is.
    Unchanged,
    /// The file means something else (only of a check).
    Differs,
    /// There is no file (only of a check).
    Missing,
}

/// Reads a baseline of the home account and Region.
///
/// # Errors
/// There is none, there are several of that name, or it is one that amiforge cannot use.
pub async fn fetch(cloud: &Cloud, which: &Which) -> Result<Frozen, BaselineError> {
    let place = cloud.home();
    let text = format!("{}/{}", place.account, place.region);
    let (id, asked) = match which {
        Which::Id(id) => (Some(id.clone()), id.clone()),
        Which::DefaultFor(os) => {
            let default = observe::default(cloud, place, *os).await?;
            (default.map(|default| default.id), format!("default for {os}"))
        }
        Which::Name(name) => (the_one_named(cloud, place, name).await?, name.clone()),
    };
    let absent = || BaselineError::Absent { name: asked.clone(), place: text.clone() };
    let answer = observe::get(cloud, place, &id.ok_or_else(absent)?).await?.ok_or_else(absent)?;
    let baseline = convert::read(&answer).map_err(BaselineError::Unusable)?;
    let id = answer.baseline_id.ok_or_else(absent)?;
    Ok(Frozen { id, location: place.clone(), baseline })
}

async fn the_one_named(cloud: &Cloud, place: &Location, name: &str) -> Result<Option<String>, BaselineError> {
    let mut ids = observe::named(cloud, place, name, None, None).await?;
    if ids.len() > 1 {
        return Err(BaselineError::Ambiguous { name: name.to_owned(), ids });
    }
    Ok(ids.pop())
}

impl Frozen {
    /// The text of the file. `again` is the command that compares the two later.
    #[must_use]
    pub fn to_yaml(&self, taken_at: OffsetDateTime, again: &str) -> String {
        let Location { account, region } = &self.location;
        format!(
            "# Snapshot of patch baseline {}\n# of account {account} in {region}, taken {}.\n# Whether the account's has changed since: {again}\n{}",
            self.id,
            rfc3339(taken_at),
            self.baseline.to_yaml()
        )
    }
}

/// Compares the account's baseline with the file of that name.
pub fn check(project: &Path, name: &str, frozen: &Frozen) -> Result<SnapshotReport, BaselineError> {
    let (file, there) = read(project, name)?;
    let difference = there.as_ref().and_then(|text| difference(&file, text, frozen));
    let outcome = match (&there, &difference) {
        (None, _) => Written::Missing,
        (Some(_), Some(difference)) if difference.is_empty() => Written::Unchanged,
        (Some(_), _) => Written::Differs,
    };
    Ok(report(frozen, file, outcome, difference))
}

/// Writes the file of that name, unless it means the same already. One that means something else is only overwritten by
/// `force`.
pub fn write(
    project: &Path,
    name: &str,
    frozen: &Frozen,
    text: &str,
    force: bool,
) -> Result<SnapshotReport, BaselineError> {
    let checked = check(project, name, frozen)?;
    let outcome = match checked.outcome {
        Written::Unchanged => return Ok(checked),
        Written::Missing => Written::Created,
        _ if force => Written::Replaced,
        _ => {
            let SnapshotReport { file, id, difference, .. } = checked;
            return Err(BaselineError::Differs { file, id, difference: difference.map(Box::new) });
        }
    };
    // A file in JSON stays one; a second file of the name would be refused with the whole project.
    let json = checked.file.extension().is_some_and(|ending| ending == "json");
    let text = if json { format!("{:#}\n", frozen.baseline.to_create_request()) } else { text.to_owned() };
    replace(&project.join(&checked.file), text.as_bytes())
        .map_err(|source| BaselineError::File { path: checked.file.clone(), source })?;
    Ok(SnapshotReport { outcome, ..checked })
}

fn report(frozen: &Frozen, file: PathBuf, outcome: Written, difference: Option<BaselineDiff>) -> SnapshotReport {
    SnapshotReport {
        schema: SNAPSHOT_SCHEMA,
        file,
        id: frozen.id.clone(),
        baseline: frozen.baseline.name.clone(),
        location: frozen.location.clone(),
        outcome,
        difference,
    }
}

/// The file of a name, relative to the project, and its text if it is there.
fn read(project: &Path, name: &str) -> Result<(PathBuf, Option<String>), BaselineError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if !(3..=128).contains(&name.len())
        || !name.chars().all(plain)
        || !name.starts_with(|c: char| c.is_ascii_alphanumeric())
    {
        return Err(BaselineError::Name { name: name.to_owned() });
    }
    let [yaml, json] = ["yaml", "json"].map(|ending| Path::new("baselines").join(format!("{name}.{ending}")));
    let there = |file: &Path| project.join(file).exists();
    let path = if !there(&yaml) && there(&json) { json } else { yaml };
    match fs::read_to_string(project.join(&path)) {
        Ok(text) => Ok((path, Some(text))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok((path, None)),
        Err(source) => Err(BaselineError::File { path, source }),
    }
}

fn difference(file: &Path, text: &str, frozen: &Frozen) -> Option<BaselineDiff> {
    let source = SourceFile::new(file.display().to_string(), text);
    let there = patch::parse_baseline(&source).ok()?;
    Some(baseline_diff(&there, &frozen.baseline).called(&file.file_name()?.to_string_lossy(), &frozen.id))
}

/// A reader sees the old or the new file, never a part.
fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let temporary = folder.join(format!(".snapshot.{}.tmp", std::process::id()));
    let written = File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&temporary, path))
        .and_then(|()| File::open(folder)?.sync_all());
    if written.is_err() {
        // Best effort: what counts is the first error.
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patch::predefined;

    const AT: OffsetDateTime = time::macros::datetime!(2026-03-01 12:00 UTC);

    fn frozen() -> Frozen {
        Frozen {
            id: "pb-0123456789abcdef0".into(),
            location: Location { account: "111122223333".into(), region: "eu-west-1".into() },
            baseline: Baseline {
                name: "golden".into(),
                id: None,
                ..predefined("AWS-SuseDefaultPatchBaseline").unwrap()
            },
        }
    }

    #[test]
    fn a_snapshot_is_written_once_and_overwritten_only_by_force() {
        let folder = tempfile::tempdir().unwrap();
        let (root, mut frozen) = (folder.path(), frozen());
        assert_eq!(check(root, "golden", &frozen).unwrap().outcome, Written::Missing);
        let text = frozen.to_yaml(AT, "amiforge baseline snapshot golden --check");
        let report = write(root, "golden", &frozen, &text, false).unwrap();
        assert_eq!(
            (report.outcome, fs::read_to_string(root.join(&report.file)).unwrap()),
            (Written::Created, text.clone())
        );
        insta::assert_snapshot!(text.lines().take(4).collect::<Vec<_>>().join("\n"), @"
        # Snapshot of patch baseline pb-0123456789abcdef0
        # of account 111122223333 in eu-west-1, taken 2026-03-01T12:00:00Z.
        # Whether the account's has changed since: amiforge baseline snapshot golden --check
        ApprovalRules:
        ");
        let again = write(root, "golden", &frozen, "never written", true).unwrap();
        assert_eq!((again.outcome, fs::read_to_string(root.join(&report.file)).unwrap()), (Written::Unchanged, text));
        frozen.baseline.rejected.push("curl".into());
        let refused = write(root, "golden", &frozen, "x", false).unwrap_err();
        assert!(
            matches!(&refused, BaselineError::Differs { difference: Some(d), .. } if d.changes.len() == 1),
            "{refused}"
        );
        let checked = check(root, "golden", &frozen).unwrap();
        assert_eq!(
            (checked.outcome, checked.difference.unwrap().headline()),
            (Written::Differs, "golden.yaml → pb-0123456789abcdef0: 1 difference".into())
        );
        assert_eq!(write(root, "golden", &frozen, "new", true).unwrap().outcome, Written::Replaced);
        assert_eq!(fs::read_to_string(root.join(&report.file)).unwrap(), "new");
        assert_eq!(fs::read_dir(root.join("baselines")).unwrap().count(), 1, "nothing else is left");
        // What cannot be read differs, and there is nothing to compare.
        let checked = check(root, "golden", &frozen).unwrap();
        assert_eq!((checked.outcome, checked.difference), (Written::Differs, None));
    }

    #[test]
    fn a_file_in_json_stays_one() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("baselines")).unwrap();
        let file = folder.path().join("baselines/golden.json");
        fs::write(&file, frozen().baseline.to_create_request().to_string()).unwrap();
        assert_eq!(check(folder.path(), "golden", &frozen()).unwrap().outcome, Written::Unchanged);
        let mut other = frozen();
        other.baseline.rejected.push("curl".into());
        write(folder.path(), "golden", &other, "not this", true).unwrap();
        assert!(fs::read_to_string(&file).unwrap().starts_with('{'));
        assert_eq!(check(folder.path(), "golden", &other).unwrap().outcome, Written::Unchanged);
        assert!(!folder.path().join("baselines/golden.yaml").exists());
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["../x", "a/b", "", "..", ".hidden", "ab", "a b c"] {
            let refused = write(folder.path(), name, &frozen(), "x", true).unwrap_err();
            assert!(matches!(refused, BaselineError::Name { .. }), "{name}");
        }
    }

    #[test]
    fn a_place_that_cannot_be_written_is_an_error_that_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("baselines"), "a file").unwrap();
        assert!(matches!(write(folder.path(), "golden", &frozen(), "x", false), Err(BaselineError::File { .. })));
    }
}

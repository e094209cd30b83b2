//! Which baseline a name on the command line means.

use crate::diagnostic::{Diagnostic, Severity, SourceFile, suggest};
use crate::patch::{self, Baseline, OperatingSystem};
use crate::project::Project;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where a baseline comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Origin {
    /// A file of the project.
    Project {
        /// Relative to the project.
        file: String,
    },
    /// AWS's own, as amiforge knows it.
    Predefined,
    /// A file that was named.
    File {
        /// Its path, as given.
        file: String,
    },
    /// A `BaselineOverride` file that was named.
    Override {
        /// Its path, as given.
        file: String,
    },
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Project { file } | Self::File { file } => f.write_str(file),
            Self::Predefined => f.write_str("predefined by AWS"),
            Self::Override { file } => write!(f, "{file} (a BaselineOverride file)"),
        }
    }
}

/// A baseline that was found.
#[derive(Debug, Clone)]
pub struct Named {
    /// Where it comes from.
    pub origin: Origin,
    /// The baseline.
    pub baseline: Baseline,
    /// What is doubtful about it.
    pub warnings: Vec<Diagnostic>,
}

/// Why no baseline was found.
#[derive(Debug, thiserror::Error)]
pub enum NamedError {
    /// Nothing has that name.
    #[error("there is no patch baseline `{name}`: the project has none, AWS has none, and it is no file")]
    Unknown {
        /// As asked for.
        name: String,
        /// The nearest name there is.
        near: Option<String>,
    },
    /// A file that cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file that is not in UTF-8.
    #[error("{} is not UTF-8", path.display())]
    NotText {
        /// Which.
        path: PathBuf,
    },
    /// A file that holds no usable baseline.
    #[error("the file holds no usable patch baseline")]
    Refused(Vec<Diagnostic>),
    /// A file with several, and none was chosen.
    #[error("`{name}` has baselines for several operating systems: {}", list(systems))]
    Several {
        /// As asked for.
        name: String,
        /// For which.
        systems: Vec<OperatingSystem>,
    },
    /// None for the operating system that was asked for.
    #[error("`{name}` has no baseline for {wanted}; it has: {}", list(systems))]
    OtherSystem {
        /// As asked for.
        name: String,
        /// The system asked for.
        wanted: OperatingSystem,
        /// For which it has one.
        systems: Vec<OperatingSystem>,
    },
}

impl NamedError {
    /// What to do next.
    #[must_use]
    pub fn next(&self) -> Option<String> {
        match self {
            Self::Unknown { near: Some(near), .. } => Some(format!("did you mean `{near}`?")),
            Self::Unknown { near: None, .. } => Some("`amiforge baseline list` lists all of them".to_owned()),
            Self::Several { systems, .. } => {
                let first = systems.first().map_or("DEBIAN", |os| os.as_str());
                Some(format!("choose one with --os, for example --os {first}"))
            }
            Self::Unreadable { .. } | Self::NotText { .. } | Self::Refused(_) | Self::OtherSystem { .. } => None,
        }
    }
}

fn list(systems: &[OperatingSystem]) -> String {
    systems.iter().map(|os| os.as_str()).collect::<Vec<_>>().join(", ")
}

/// The baseline that `name` means: one of the project, one of AWS's, or a file; `os` chooses one of several.
pub fn find(project: Option<&Project>, name: &str, os: Option<OperatingSystem>) -> Result<Named, NamedError> {
    if let Some(source) = project.and_then(|project| project.baselines.get(name)) {
        return one(source, Origin::Project { file: source.name.clone() }, name, os);
    }
    if let Some(baseline) = patch::predefined(name) {
        return chosen(Origin::Predefined, vec![baseline], vec![], name, os);
    }
    let path = Path::new(name);
    if !path.is_file() {
        return Err(unknown(project, name));
    }
    let bytes = std::fs::read(path).map_err(|source| NamedError::Unreadable { path: path.to_owned(), source })?;
    let text = String::from_utf8(bytes).map_err(|_| NamedError::NotText { path: path.to_owned() })?;
    one(&SourceFile::new(name, text), Origin::File { file: name.to_owned() }, name, os)
}

/// A baseline of the project or one of AWS's; no file.
#[cfg(feature = "aws")]
pub(super) fn find_known(project: &Project, name: &str) -> Result<Named, NamedError> {
    if !project.baselines.contains_key(name) && patch::predefined(name).is_none() {
        return Err(unknown(Some(project), name));
    }
    find(Some(project), name, None)
}

fn one(source: &Arc<SourceFile>, origin: Origin, name: &str, os: Option<OperatingSystem>) -> Result<Named, NamedError> {
    let file = patch::check_baseline_file(source);
    if file.diagnostics.iter().any(|found| found.severity == Severity::Error) {
        return Err(NamedError::Refused(file.diagnostics));
    }
    let origin = match origin {
        Origin::File { file: path } if file.is_override => Origin::Override { file: path },
        other => other,
    };
    chosen(origin, file.baselines, file.diagnostics, name, os)
}

/// Of several the one for `os`. An `os` that does not fit the only one is an error, too: it says what was expected.
fn chosen(
    origin: Origin,
    mut baselines: Vec<Baseline>,
    warnings: Vec<Diagnostic>,
    name: &str,
    os: Option<OperatingSystem>,
) -> Result<Named, NamedError> {
    let systems: Vec<OperatingSystem> = baselines.iter().map(|baseline| baseline.operating_system).collect();
    if let Some(wanted) = os {
        baselines.retain(|baseline| baseline.operating_system == wanted);
    }
    match (baselines.pop(), baselines.is_empty(), os) {
        (Some(baseline), true, _) => Ok(Named { origin, baseline, warnings }),
        (None, _, Some(wanted)) => Err(NamedError::OtherSystem { name: name.to_owned(), wanted, systems }),
        _ => Err(NamedError::Several { name: name.to_owned(), systems }),
    }
}

fn unknown(project: Option<&Project>, name: &str) -> NamedError {
    let own = project.iter().flat_map(|project| project.baselines.keys()).map(String::as_str);
    let known = own.chain(patch::all_predefined().iter().map(|baseline| baseline.name.as_str()));
    NamedError::Unknown { name: name.to_owned(), near: suggest(name, known).map(str::to_owned) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn predefined_ones_need_no_project() {
        let found = find(None, "AWS-DefaultPatchBaseline", None).unwrap();
        assert_eq!((found.origin, found.baseline.operating_system), (Origin::Predefined, OperatingSystem::Windows));
        let error = find(None, "AWS-DefaultPatchBaseline", Some(OperatingSystem::Debian)).unwrap_err();
        assert!(error.to_string().contains("no baseline for DEBIAN; it has: WINDOWS"), "{error}");
        let error = find(None, "AWS-DebainDefaultPatchBaseline", None).unwrap_err();
        assert_eq!(error.next().unwrap(), "did you mean `AWS-DebianDefaultPatchBaseline`?");
    }

    #[test]
    fn a_file_may_have_one_or_several() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.json").display().to_string();
        let of = |names: &[&str]| names.iter().map(|name| patch::predefined(name).unwrap()).collect::<Vec<_>>();
        let both = of(&["AWS-DebianDefaultPatchBaseline", "AWS-DefaultPatchBaseline"]);
        std::fs::write(&path, Baseline::to_override_file(&both).to_string()).unwrap();
        let error = find(None, &path, None).unwrap_err();
        assert!(matches!(&error, NamedError::Several { systems, .. } if systems.len() == 2), "{error}");
        assert!(error.next().unwrap().contains("--os WINDOWS"));
        let debian = find(None, &path, Some(OperatingSystem::Debian)).unwrap();
        assert_eq!(debian.baseline.name, "override-debian");
        assert!(matches!(debian.origin, Origin::Override { .. }));
        std::fs::write(&path, "{}").unwrap();
        assert!(matches!(find(None, &path, None), Err(NamedError::Refused(found)) if !found.is_empty()));
        std::fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(matches!(find(None, &path, None), Err(NamedError::NotText { .. })));
    }
}

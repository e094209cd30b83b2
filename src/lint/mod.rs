//! Checks files without touching any environment.

pub mod diff;
pub mod embedded;
pub mod fix;

use crate::component;
use crate::diagnostic::{Diagnostic, Severity, SourceFile};
use crate::project::Project;
use crate::render;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why nothing was checked.
#[derive(Debug, thiserror::Error)]
pub enum LintError {
    /// A path cannot be read.
    #[error("{} cannot be read: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A folder without a component document was to be checked.
    #[error("there is no component document in {}", path.display())]
    NothingToCheck {
        /// Which.
        path: PathBuf,
    },
}

impl LintError {
    /// What to do next.
    pub fn next(&self) -> Vec<String> {
        match self {
            Self::Unreadable { .. } => vec![],
            Self::NothingToCheck { .. } => vec![
                "name a YAML or JSON document, or a folder that has one; a check of nothing is not a pass".to_owned(),
            ],
        }
    }
}

/// What a check looked at and found.
#[derive(Debug, Default)]
pub struct Checked {
    /// Component documents, rendered ones included.
    pub components: usize,
    /// Recipes.
    pub recipes: usize,
    /// Findings, each once.
    pub diagnostics: Vec<Diagnostic>,
}

impl Checked {
    /// Whether anything is refused.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|finding| finding.severity == Severity::Error)
    }

    fn document(&mut self, source: &Arc<SourceFile>) {
        self.components += 1;
        self.add(component::parse(source).diagnostics);
    }

    /// The same document is rendered for several recipes; its findings are told once.
    fn add(&mut self, findings: Vec<Diagnostic>) {
        for finding in findings {
            if !self.diagnostics.contains(&finding) {
                self.diagnostics.push(finding);
            }
        }
    }
}

/// Checks a loaded project: its component documents, and every recipe rendered for each of its architectures.
#[must_use]
pub fn project(project: &Project) -> Checked {
    let mut checked = Checked::default();
    for source in project.components.values().filter(|source| !source.template) {
        checked.document(&source.source);
    }
    let mut seen = BTreeSet::new();
    for recipe in project.recipes.values() {
        checked.recipes += 1;
        for &arch in &recipe.architectures {
            match render::recipe(project, recipe, arch) {
                Ok(rendered) => {
                    for one in rendered.components {
                        let template = project.components.get(&one.name).is_some_and(|source| source.template);
                        if template && seen.insert((one.name.clone(), one.document.text.clone())) {
                            checked.document(&one.document);
                        }
                    }
                }
                Err(findings) => checked.add(findings),
            }
        }
    }
    checked
}

/// Checks component documents by path: files as they are, folders by the documents in them.
///
/// # Errors
/// When a path cannot be read, or a folder has no component document: selecting nothing is never a pass.
pub fn files(paths: &[PathBuf]) -> Result<Checked, LintError> {
    let mut checked = Checked::default();
    for path in paths {
        let found = if path.is_dir() { documents(path)? } else { vec![path.clone()] };
        if found.is_empty() {
            return Err(LintError::NothingToCheck { path: path.clone() });
        }
        for file in found {
            let text = read(&file)?;
            checked.document(&SourceFile::new(file.display().to_string(), text));
        }
    }
    Ok(checked)
}

/// Component documents below a folder, in order of their names.
fn documents(folder: &Path) -> Result<Vec<PathBuf>, LintError> {
    let unreadable = |source| LintError::Unreadable { path: folder.to_owned(), source };
    let mut entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(unreadable)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.path();
        if path.is_dir() {
            found.extend(documents(&path)?);
        } else if is_document(&path)? {
            found.push(path);
        }
    }
    Ok(found)
}

/// A YAML or JSON file that speaks of phases; recipes and project files in the same tree do not.
fn is_document(path: &Path) -> Result<bool, LintError> {
    let extension = path.extension().and_then(|extension| extension.to_str());
    if !matches!(extension, Some("yaml" | "yml" | "json")) {
        return Ok(false);
    }
    let text = read(path)?;
    Ok(text.lines().any(|line| line.trim_start().trim_start_matches('"').starts_with("phases")))
}

fn read(path: &Path) -> Result<String, LintError> {
    fs::read_to_string(path).map_err(|source| LintError::Unreadable { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "name: a\ndescription: a\nschemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - name: One\n        action: UpdateOS\n";

    #[test]
    fn a_folder_is_searched_for_documents_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("deep")).unwrap();
        fs::write(folder.path().join("deep/a.yaml"), GOOD).unwrap();
        fs::write(folder.path().join("recipe.yaml"), "name: x\n").unwrap();
        fs::write(folder.path().join("notes.txt"), "phases: of the moon\n").unwrap();
        assert_eq!(files(&[folder.path().to_owned()]).unwrap().components, 1);
    }

    #[test]
    fn selecting_nothing_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(files(&[folder.path().to_owned()]), Err(LintError::NothingToCheck { .. })));
        assert!(matches!(files(&[folder.path().join("absent.yaml")]), Err(LintError::Unreadable { .. })));
    }
}

//! What is to be checked, found in files, folders and projects, and checked by the rules of
//! [`component::rules`](crate::component::rules).
//!
//! The rules themselves are pure and know one document; here is what knows the world: paths, projects and what their
//! recipes say about where a component will run, levels from `amiforge.yaml` and the command line, all processors at work.

mod codes;
pub mod diff;
pub mod embedded;
mod error;
pub mod fix;
mod mend;
mod parallel;
mod paths;
mod project;
mod read;
mod source;

pub use codes::ENTRIES;
pub use error::LintError;
pub use mend::{Mended, MendedFile, mend};
pub use paths::{STDIN, paths};
pub use project::project;
pub(crate) use read::decode;
pub use source::{check, document};

use crate::component::rules::{Levels, Target};
use crate::diagnostic::{Diagnostic, Severity};
use std::path::PathBuf;

/// What the command line adds to what files say.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Levels of rules, over those of `amiforge.yaml`.
    pub levels: Levels,
    /// What is known about the target; what a project knows better is taken from there.
    pub target: Target,
}

/// What a check looked at and found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Checked {
    /// Component documents, rendered and embedded ones included.
    pub components: usize,
    /// Recipes.
    pub recipes: usize,
    /// The names of the files with documents, also of those in which nothing was found.
    pub documents: Vec<String>,
    /// Findings, each once, in the order of files and places.
    pub diagnostics: Vec<Diagnostic>,
    /// What a project says about which findings fail.
    pub fail_on: Option<Severity>,
    /// The files that can be mended, with the name they have in diagnostics.
    pub files: Vec<Checkable>,
}

/// A file that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkable {
    /// Its name in diagnostics.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// What is known about where its documents will run.
    pub target: Target,
    /// The levels that hold for it.
    pub levels: Levels,
}

impl Checked {
    /// Whether anything is refused.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// How many findings there are at a level.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.diagnostics.iter().filter(|finding| finding.severity == severity).count()
    }

    /// Adds findings that are not there yet: the same document is rendered for several recipes, and told once.
    fn add(&mut self, findings: Vec<Diagnostic>) {
        for finding in findings {
            if !self.diagnostics.contains(&finding) {
                self.diagnostics.push(finding);
            }
        }
    }

    /// Adds all that another check looked at and found.
    fn merge(&mut self, other: Self) {
        self.components += other.components;
        self.recipes += other.recipes;
        self.fail_on = self.fail_on.or(other.fail_on);
        self.files.extend(other.files);
        self.documents.extend(other.documents);
        self.diagnostics.extend(other.diagnostics);
    }
}

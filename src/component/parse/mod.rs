//! From the YAML tree to the model, collecting everything that is wrong.

mod blocks;
mod context;
mod document;
mod inputs;
mod step;

use super::model::Document;
use super::resolve;
use crate::diagnostic::{Diagnostic, Severity, SourceFile};
use crate::yaml;
use context::Context;
use std::sync::Arc;

/// The outcome of [`parse`].
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The document; absent if anything in it is refused.
    pub document: Option<Document>,
    /// Errors and warnings, in file order.
    pub diagnostics: Vec<Diagnostic>,
}

impl Parsed {
    /// Whether anything is refused.
    pub fn has_errors(&self) -> bool {
        self.document.is_none()
    }
}

/// Reads a component document. Everything that is wrong with it is reported at once.
pub fn parse(source: &Arc<SourceFile>) -> Parsed {
    let root = match yaml::parse(source) {
        Ok(root) => root,
        Err(diagnostics) => return Parsed { document: None, diagnostics },
    };
    let mut context = Context::new(source);
    let draft = document::read(&mut context, &root);
    if let Some(draft) = &draft {
        resolve::check(&mut context.diagnostics, source, draft);
    }
    let mut diagnostics = context.diagnostics;
    diagnostics.sort_by_key(|diagnostic| diagnostic.primary.as_ref().map(|label| (label.span.start, label.span.end)));
    let refused = diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    let document = if refused { None } else { draft.and_then(Draft::finish) };
    Parsed { document, diagnostics }
}

/// A document in which steps may have been unreadable, so that references can still be checked.
pub struct Draft {
    /// The document without its phases.
    pub document: Document,
    /// Whether the names of parameters and constants are all known.
    pub names_known: bool,
    /// Its phases.
    pub phases: Vec<DraftPhase>,
}

/// A phase of a [`Draft`].
pub struct DraftPhase {
    /// The phase without its steps.
    pub phase: super::model::Phase,
    /// Its steps.
    pub steps: Vec<DraftStep>,
}

/// A step of a [`Draft`].
pub struct DraftStep {
    /// Its name, readable or not.
    pub name: Option<String>,
    /// The step, unless its name or action is unusable.
    pub step: Option<super::model::Step>,
    /// Whether anything in it was refused, so that what refers to it cannot be judged.
    pub faulty: bool,
}

impl Draft {
    /// The document, if every step could be read.
    fn finish(self) -> Option<Document> {
        let mut document = self.document;
        for draft in self.phases {
            let mut phase = draft.phase;
            phase.steps = draft.steps.into_iter().map(|step| step.step).collect::<Option<Vec<_>>>()?;
            document.phases.push(phase);
        }
        Some(document)
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

//! From the YAML tree to the model, collecting everything that is wrong.

mod condition;
mod context;
mod document;
mod edits;
mod inputs;
mod repeat;
mod scalar;
mod step;

use super::model::Document;
use super::resolve;
use crate::diagnostic::{Diagnostic, Edit, Severity, SourceFile};
use crate::yaml::{self, Node};
use context::Context;
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) use condition::is_number;

/// The outcome of [`parse`].
#[derive(Debug, Clone, PartialEq)]
pub struct Parsed {
    /// The document; absent if anything in it is refused.
    pub document: Option<Document>,
    /// What of the document could be read, without the steps that could not.
    pub readable: Option<Document>,
    /// Whether nothing is missing from `readable`. It may have faults that are errors only by inference.
    pub complete: bool,
    /// The tree of the file; absent if it is not valid YAML.
    pub root: Option<Node>,
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
    let reading = yaml::read(source, yaml::Options::default());
    let anchors = anchors(source, &reading.diagnostics);
    let mut diagnostics: Vec<Diagnostic> =
        reading.diagnostics.into_iter().map(|found| as_rule(source, &anchors, found)).collect();
    // Of what is not there or only half there, nothing further can be said. Neither of aliases: they are not followed.
    let is_gap = |found: &Diagnostic| found.severity == Severity::Error && (!found.inferred || found.code == "D021");
    let broken = diagnostics.iter().any(is_gap);
    let Some(root) = reading.root.filter(|_| !broken) else {
        return Parsed { document: None, readable: None, complete: false, root: None, diagnostics };
    };
    let mut context = Context::new(source);
    let draft = document::read(&mut context, &root);
    if let Some(draft) = &draft {
        resolve::check(&mut context.diagnostics, source, draft);
    }
    diagnostics.append(&mut context.diagnostics);
    diagnostics.sort_by_key(|found| (found.span().start, found.span().end));
    let refused = diagnostics.iter().any(|found| found.severity == Severity::Error);
    let (readable, complete) = draft.map_or((None, false), |draft| {
        let (document, complete) = draft.finish();
        (Some(document), complete)
    });
    let document = readable.clone().filter(|_| complete && !refused);
    Parsed { document, readable, complete, root: Some(root), diagnostics }
}

/// The names of the anchors of a file.
fn anchors<'a>(source: &'a SourceFile, found: &[Diagnostic]) -> BTreeSet<&'a str> {
    found
        .iter()
        .filter(|found| found.code == "Y004")
        .filter_map(|found| source.slice(found.span()).strip_prefix('&'))
        .collect()
}

/// What is wrong with a file's YAML is a matter of rules, too, where the file is a component document.
fn as_rule(source: &Arc<SourceFile>, anchors: &BTreeSet<&str>, diagnostic: Diagnostic) -> Diagnostic {
    let text = source.slice(diagnostic.span());
    // An alias for which there is no anchor was never meant as one.
    let is_pattern = text.strip_prefix('*').is_some_and(|name| !anchors.contains(name));
    let code = match diagnostic.code {
        "Y004" if is_pattern => return asterisk(source, &diagnostic, text),
        // Alone it is not even an alias.
        "Y001" if text == "*" && diagnostic.message.contains("alias") => return asterisk(source, &diagnostic, text),
        "Y004" | "Y005" | "Y007" => "D021",
        "Y008" => "X008",
        "Y011" => "D015",
        _ => "D001",
    };
    // That the service refuses aliases and tags is not documented; it is not documented that it takes them, either.
    let inferred = diagnostic.inferred || code == "D021";
    Diagnostic { code, inferred, ..diagnostic }
}

/// An alias is what YAML sees in a text that begins with `*`; what was meant is nearly always a pattern of file names.
fn asterisk(source: &Arc<SourceFile>, diagnostic: &Diagnostic, text: &str) -> Diagnostic {
    let span = diagnostic.span();
    let told = Diagnostic::error("M021", format!("`{text}` is not in quotes"))
        .at(source, span, "YAML reads this as an alias, a reference to another value")
        .help(format!("put it in quotes: '{text}'"))
        .help("if an alias is meant, write the value out");
    if text.contains('\'') {
        return told;
    }
    told.unsafe_fix("put it in quotes", vec![Edit::insert(span.start, "'"), Edit::insert(span.end, "'")])
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
    /// The document with the steps that could be read, and whether these are all.
    fn finish(self) -> (Document, bool) {
        let mut document = self.document;
        let mut whole = true;
        for draft in self.phases {
            let mut phase = draft.phase;
            let count = draft.steps.len();
            phase.steps = draft.steps.into_iter().filter_map(|step| step.step).collect();
            whole &= phase.steps.len() == count;
            document.phases.push(phase);
        }
        (document, whole)
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

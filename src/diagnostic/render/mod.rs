//! Everything a diagnostic can be turned into. Each format is one pure function in a file of its own.
//!
//! | function | for |
//! |---|---|
//! | [`text`] | people: drawn the way rustc does |
//! | [`concise`] | people and editors: one line each |
//! | [`json`] | programs: `amiforge.lint/1` |
//! | [`sarif`] | code scanning, editors: SARIF 2.1.0 |
//! | [`junit`] | CI systems that show test results |
//! | [`github`] | annotations of a GitHub workflow |
//!
//! All of them show findings in the same order: by file, place and code; what has no place comes last.

mod concise;
mod excerpt;
mod github;
mod json;
mod junit;
mod place;
mod printable;
mod sarif;
mod text;
mod uri;

pub use concise::concise;
pub use github::github;
pub use json::json;
pub use junit::junit;
pub use printable::{markdown_cell, printable};
pub use sarif::sarif;
pub use text::text;

use super::{Diagnostic, Severity};
use crate::component::rules;

/// What was looked at and what was found, for formats that tell both: a check that looked at nothing is not a pass.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// The names of all documents that were looked at, those without a finding too.
    pub documents: &'a [String],
    /// What was found.
    pub findings: &'a [Diagnostic],
    /// From which level on a finding is a failure, in the formats that know failures.
    pub fail_on: Severity,
}

/// Diagnostics in the order in which they are shown.
fn sorted(diagnostics: &[Diagnostic]) -> Vec<&Diagnostic> {
    let mut sorted: Vec<&Diagnostic> = diagnostics.iter().collect();
    sorted.sort_by_key(|diagnostic| (position(diagnostic), diagnostic.code, diagnostic.message.as_str()));
    sorted
}

/// File, start, end; nothing to point at sorts last.
fn position(diagnostic: &Diagnostic) -> (bool, &str, usize, usize) {
    diagnostic
        .primary
        .as_ref()
        .map_or((true, "", 0, 0), |label| (false, label.source.name.as_str(), label.span.start, label.span.end))
}

/// The word for a level.
fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

/// `S014 on-failure-continue`; the code alone where there is no rule.
fn title(diagnostic: &Diagnostic) -> String {
    rules::find(diagnostic.code).map_or_else(|| diagnostic.code.to_owned(), |rule| format!("{} {}", rule.id, rule.name))
}

/// Message, notes and help as lines of plain text, for formats that show one text.
fn whole_message(diagnostic: &Diagnostic) -> String {
    let label = diagnostic.primary.as_ref().map(|label| label.message.as_str()).filter(|label| !label.is_empty());
    let mut lines = vec![printable::message(&diagnostic.message)];
    lines.extend(label.map(|label| format!("here: {}", printable::line(label))));
    lines.extend(diagnostic.notes.iter().map(|note| format!("note: {}", printable::message(note))));
    lines.extend(diagnostic.help.iter().map(|help| format!("help: {}", printable::message(help))));
    lines.join("\n")
}

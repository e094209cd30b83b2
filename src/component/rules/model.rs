//! What a rule is.

use super::subject::{Subject, Target};
use crate::diagnostic::{Diagnostic, Severity, SourceFile, Span};
use std::sync::Arc;

/// What a rule rests on, which decides whether it can be switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Basis {
    /// The specification or the service refuses it, or it cannot work. Cannot be switched off.
    Service,
    /// As before, but inferred from the documentation and not quoted from it.
    Inferred,
    /// Advice of our own.
    Advice,
}

/// Where a rule finds what it reports.
#[derive(Clone, Copy)]
pub enum Check {
    /// While the document is read.
    Reading,
    /// In the text as it is, whether or not it can be read as a document.
    Text(fn(&Arc<SourceFile>, &Target, &mut Findings<'_>)),
    /// In the document, as far as it could be read.
    Document(fn(&Subject<'_>, &mut Findings<'_>)),
}

/// A rule.
#[derive(Clone, Copy)]
pub struct Rule {
    /// For example `S014`.
    pub id: &'static str,
    /// For example `on-failure-continue`.
    pub name: &'static str,
    /// How bad it is unless the project says otherwise.
    pub level: Severity,
    /// What it rests on.
    pub basis: Basis,
    /// What it reports, in one sentence.
    pub summary: &'static str,
    /// Why that is bad, and where the rule comes from.
    pub why: &'static str,
    /// A piece of a document that breaks it.
    pub example: &'static str,
    /// The same piece put right.
    pub instead: &'static str,
    /// Rules that say nothing at a place where this one has spoken: the same fault, seen less precisely.
    pub supersedes: &'static [&'static str],
    /// Where it is found.
    pub check: Check,
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.id, self.name)
    }
}

impl Rule {
    /// Whether nothing of it may be switched off.
    pub fn is_firm(&self) -> bool {
        self.basis == Basis::Service && !self.is_mixed()
    }

    /// Whether it reports both what the service refuses and what is only inferred or doubtful. The former stays.
    pub fn is_mixed(&self) -> bool {
        // D001: duplicate keys; S007: words that differ in letter case alone; X007: places that are not documented; M020:
        // how many files match is not known.
        self.basis == Basis::Service && ["D001", "S007", "X007", "M020"].contains(&self.id)
    }

    /// The letter its family goes by.
    pub fn family(&self) -> &'static str {
        match self.id.as_bytes().first() {
            Some(b'D') => "Document",
            Some(b'S') => "Steps",
            Some(b'X') => "Expressions",
            Some(b'L') => "Loops",
            Some(b'C') => "Conditions",
            _ => "Action modules",
        }
    }
}

/// What one rule reports about one file.
pub struct Findings<'a> {
    rule: &'static Rule,
    source: &'a Arc<SourceFile>,
    list: Vec<Diagnostic>,
}

impl<'a> Findings<'a> {
    /// Nothing found yet.
    pub(super) fn new(rule: &'static Rule, source: &'a Arc<SourceFile>) -> Self {
        Self { rule, source, list: Vec::new() }
    }

    /// A diagnostic of the rule at a place of the file, to be completed and [added](Self::add).
    #[must_use]
    pub fn at(&self, span: Span, message: impl Into<String>, label: impl Into<String>) -> Diagnostic {
        let diagnostic = Diagnostic::new(self.rule.id, self.rule.level, message).at(self.source, span, label);
        Diagnostic { inferred: self.rule.basis == Basis::Inferred, ..diagnostic }
    }

    /// Reports it.
    pub fn add(&mut self, diagnostic: Diagnostic) {
        self.list.push(diagnostic);
    }

    /// The file.
    pub fn source(&self) -> &'a Arc<SourceFile> {
        self.source
    }

    /// Everything reported.
    pub(super) fn into_list(self) -> Vec<Diagnostic> {
        self.list
    }
}

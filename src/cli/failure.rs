//! What goes wrong, as the user sees it: a code, one sentence, where, why, and what to do next.

use super::exit::Exit;
use crate::component::rules;
use crate::diagnostic::{Diagnostic, Severity, render};

/// An error on its way to the terminal.
#[derive(Debug, Clone)]
pub struct Failure {
    /// How the program ends.
    pub exit: Exit,
    /// One sentence; empty when the diagnostics say it all.
    pub message: String,
    /// Located findings, if files are at fault.
    pub diagnostics: Vec<Diagnostic>,
    /// Lines that show what happened: output of a step, items of a list.
    pub evidence: Vec<String>,
    /// Why.
    pub why: Vec<String>,
    /// What to do next.
    pub next: Vec<String>,
}

impl Failure {
    /// A failure with one sentence.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into(), diagnostics: vec![], evidence: vec![], why: vec![], next: vec![] }
    }

    /// Project files that cannot be used. Component findings end with 3, everything else with 2.
    #[must_use]
    pub fn files(diagnostics: Vec<Diagnostic>) -> Self {
        let errors = diagnostics.iter().filter(|d| d.severity == Severity::Error);
        let only_components = errors.clone().count() > 0 && errors.into_iter().all(|d| rules::find(d.code).is_some());
        let exit = if only_components { Exit::Findings } else { Exit::Usage };
        Self { diagnostics, ..Self::new(exit, "") }
    }

    /// Adds a reason.
    #[must_use]
    pub fn why(mut self, why: impl Into<String>) -> Self {
        self.why.push(why.into());
        self
    }

    /// Adds a next step.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next.push(next.into());
        self
    }

    /// Adds lines that show what happened.
    #[must_use]
    pub fn showing(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.evidence.extend(lines);
        self
    }

    /// One JSON object, the last event of an NDJSON stream.
    #[must_use]
    pub fn json(&self) -> String {
        let finding = |finding: &Diagnostic| {
            serde_json::json!({
                "code": finding.code, "severity": finding.severity, "message": finding.message,
                "place": finding.place(), "why": finding.notes, "next": finding.help,
            })
        };
        let findings: Vec<serde_json::Value> = self.diagnostics.iter().map(finding).collect();
        serde_json::json!({
            "event": "error", "code": self.exit.catalogue(), "exit": self.exit.code(), "message": self.message,
            "findings": findings, "lines": self.evidence, "why": self.why, "next": self.next,
        })
        .to_string()
    }

    /// The whole text for stderr, with a final newline.
    #[must_use]
    pub fn text(&self, color: bool) -> String {
        use std::fmt::Write as _;
        let mut text = String::new();
        if !self.diagnostics.is_empty() {
            text.push_str(&render::text(&self.diagnostics, color));
            let errors = self.diagnostics.iter().filter(|d| d.severity == Severity::Error).count();
            let warnings = self.diagnostics.iter().filter(|d| d.severity == Severity::Warning).count();
            let _ = writeln!(text, "\n{}", crate::report::count_line(errors, warnings));
        }
        if !self.message.is_empty() {
            let _ = writeln!(text, "error[{}]: {}", self.exit.catalogue(), self.message);
        }
        for line in &self.evidence {
            let _ = writeln!(text, "  | {line}");
        }
        for why in &self.why {
            let _ = writeln!(text, "  why: {why}");
        }
        for next in &self.next {
            let _ = writeln!(text, "  next: {next}");
        }
        text
    }
}

impl From<Vec<Diagnostic>> for Failure {
    fn from(diagnostics: Vec<Diagnostic>) -> Self {
        Self::files(diagnostics)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(Exit::Unexpected, error.to_string())
    }
}

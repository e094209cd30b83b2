//! A baseline diff as text and Markdown.

use super::baseline_diff::{BaselineChange, BaselineDiff, ChangeKind};
use super::diff_render::plain;
use crate::diagnostic::render::markdown_cell;
use std::fmt::Write as _;

impl BaselineChange {
    /// Sign, place, and what was and is, for a terminal.
    #[must_use]
    pub fn line(&self) -> String {
        let sign = match self.kind {
            ChangeKind::Added => '+',
            ChangeKind::Removed => '-',
            ChangeKind::Changed => '~',
        };
        format!("{sign} {}: {}", plain(&self.place()), plain(&self.text))
    }

    fn place(&self) -> String {
        match (self.rule, self.field.as_str()) {
            (Some(rule), "PatchRule") => format!("rule {rule}"),
            (Some(rule), field) => format!("rule {rule}, {field}"),
            (None, field) => field.to_owned(),
        }
    }
}

impl BaselineDiff {
    /// One line that sums up.
    #[must_use]
    pub fn headline(&self) -> String {
        let (from, to) = (plain(&self.from), plain(&self.to));
        match self.changes.len() {
            0 => format!("{from} and {to} mean the same"),
            1 => format!("{from} → {to}: 1 difference"),
            count => format!("{from} → {to}: {count} differences"),
        }
    }

    /// As text for a terminal.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("{}\n", self.headline());
        for change in &self.changes {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "  {}", change.line());
        }
        text
    }

    /// As Markdown: the sum, and a table.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut text = format!("{}\n", markdown_cell(&self.headline()));
        if !self.is_empty() {
            text.push_str("\n| | where | what |\n|---|---|---|\n");
        }
        for change in &self.changes {
            let kind = match change.kind {
                ChangeKind::Added => "added",
                ChangeKind::Removed => "removed",
                ChangeKind::Changed => "changed",
            };
            let _ = writeln!(text, "| {kind} | {} | {} |", markdown_cell(&change.place()), markdown_cell(&change.text));
        }
        text
    }
}

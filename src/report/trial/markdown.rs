//! For the summary of a pipeline.

use super::{not_real, steps};
use crate::diagnostic::render;
use crate::trial::{Outcome, Report};
use std::fmt::Write as _;

/// Markdown: a table of trials, then why those that did not pass did not, and what was not real.
#[must_use]
pub fn markdown(report: &Report) -> String {
    let verdict = if report.passed() { "passed" } else { "did not pass" };
    let mut text = format!("## amiforge test: {verdict}\n\n| trial | result | steps | seconds |\n|---|---|---|---:|\n");
    for trial in &report.trials {
        let mark = match trial.outcome {
            Outcome::Passed => "✅",
            Outcome::Failed | Outcome::Error => "❌",
            Outcome::Interrupted | Outcome::Skipped | Outcome::NotRun => "⚪",
        };
        let what = match trial.notes.first().filter(|_| trial.outcome == Outcome::Skipped) {
            Some(note) => cell(note),
            None => steps(trial),
        };
        let (name, word) = (cell(&trial.name), trial.outcome.word().to_lowercase());
        let _ = writeln!(text, "| {name} | {mark} {word} | {what} | {:.1} |", trial.seconds);
    }
    for trial in &report.trials {
        if let Some(reason) = &trial.reason {
            let drawn = render::text(std::slice::from_ref(&reason.diagnostic), false);
            let fence = fence(&drawn);
            let _ = write!(text, "\n### {}\n\n{fence}text\n{drawn}{fence}\n", cell(&trial.name));
        }
    }
    let facts = not_real(report);
    if !facts.is_empty() {
        text.push_str("\n### Skipped, because it was not real\n\n");
        for (name, why, _) in facts {
            let _ = writeln!(text, "* **{name}**: {}", cell(why));
        }
    }
    text
}

/// Text that stays in its cell and means nothing to Markdown.
fn cell(text: &str) -> String {
    let mut out = String::new();
    for c in render::printable(text).replace('\n', " ").chars() {
        if matches!(c, '|' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '\\' | '#') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// A fence that is longer than any in the text: what a step wrote must not end it.
fn fence(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat((longest + 1).max(3))
}

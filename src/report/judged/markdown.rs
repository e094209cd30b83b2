//! For the summary of a pipeline.

use super::Judged;
use crate::diagnostic::render::markdown_cell;
use crate::gate::{Verdict, VerdictStatus};
use std::fmt::Write as _;

/// Markdown: a table of gates, then the details of those that did not simply pass, and what is to be known of waivers.
#[must_use]
pub fn markdown(judged: &Judged<'_>) -> String {
    let verdict = if judged.approved() { "passes" } else { "does not pass" };
    let candidate = &judged.evidence.candidate;
    let mut text = format!(
        "## {} {verdict}\n\n`{}` in {} of account {}, evidence `{}` of {}\n\n| gate | result | what was found |\n|---|---|---|\n",
        markdown_cell(&judged.image()),
        candidate.ami.replace('`', ""),
        markdown_cell(&candidate.region),
        markdown_cell(&candidate.account),
        judged.digest,
        markdown_cell(&judged.evidence.collected_at),
    );
    for verdict in judged.verdicts {
        let mark = match verdict.status {
            VerdictStatus::Pass => "✅",
            VerdictStatus::Waived => "⚠️",
            VerdictStatus::Fail | VerdictStatus::Error | VerdictStatus::Stale => "❌",
        };
        let (gate, summary) = (markdown_cell(&verdict.gate), markdown_cell(&verdict.summary));
        let _ = writeln!(text, "| {gate} | {mark} {} | {summary} |", verdict.status.word());
    }
    if judged.verdicts.is_empty() {
        text.push_str("| none | ❌ error | no gate was evaluated |\n");
    }
    let told = |verdict: &&Verdict| verdict.status != VerdictStatus::Pass && !verdict.details.is_empty();
    for verdict in judged.verdicts.iter().filter(told) {
        let _ = writeln!(text, "\n### {}\n", markdown_cell(&verdict.gate));
        for detail in &verdict.details {
            let _ = writeln!(text, "* {}", markdown_cell(detail));
        }
    }
    let notes: Vec<String> = judged.notes().collect();
    if !notes.is_empty() {
        text.push_str("\n### Waivers\n\n");
        for note in notes {
            let _ = writeln!(text, "* {}", markdown_cell(&note));
        }
    }
    text
}

//! What the gates say of an image, for people, for CI systems and for code scanning. Pure.

mod junit;
mod markdown;
mod sarif;

pub use junit::{junit, tests_junit};
pub use markdown::markdown;
pub use sarif::sarif;

use crate::diagnostic::render::printable;
use crate::evidence::Evidence;
use crate::gate::{Verdict, VerdictStatus, WaiverReport, approved};
use std::fmt::Write as _;

/// What there is to report about one image.
#[derive(Debug, Clone, Copy)]
pub struct Judged<'a> {
    /// What is known of it.
    pub evidence: &'a Evidence,
    /// Digest of that.
    pub digest: &'a str,
    /// The gates' verdicts.
    pub verdicts: &'a [Verdict],
    /// What became of the waivers.
    pub waivers: &'a [WaiverReport],
}

impl Judged<'_> {
    /// Whether it may be promoted.
    #[must_use]
    pub fn approved(&self) -> bool {
        approved(self.verdicts)
    }

    fn image(&self) -> String {
        let candidate = &self.evidence.candidate;
        format!("{} ({}) {}", candidate.recipe, candidate.arch, candidate.ami)
    }

    /// What is to be known of waivers that do not do their work.
    fn notes(&self) -> impl Iterator<Item = String> {
        self.waivers.iter().filter_map(WaiverReport::note)
    }
}

/// The gates' verdicts, one line each, details indented below those that do not pass.
#[must_use]
pub fn verdicts(verdicts: &[Verdict]) -> String {
    let mut text = String::new();
    for verdict in verdicts {
        let summary = printable(&verdict.summary);
        let _ = writeln!(text, "  {:<6} {:<16} {summary}", word(verdict.status), verdict.gate);
        if verdict.status != VerdictStatus::Pass {
            for detail in &verdict.details {
                let _ = writeln!(text, "         {:<16} {}", "", printable(detail));
            }
        }
    }
    text
}

/// The lines about waivers that are unused, expired or refused.
#[must_use]
pub fn waiver_notes(waivers: &[WaiverReport]) -> String {
    waivers.iter().filter_map(WaiverReport::note).fold(String::new(), |mut text, note| {
        let _ = writeln!(text, "  note: {}", printable(&note));
        text
    })
}

/// The word of a status.
#[must_use]
pub fn word(status: VerdictStatus) -> &'static str {
    match status {
        VerdictStatus::Pass => "pass",
        VerdictStatus::Fail => "FAIL",
        VerdictStatus::Waived => "waived",
        VerdictStatus::Error => "ERROR",
        VerdictStatus::Stale => "STALE",
    }
}

#[cfg(test)]
mod tests;

//! A package diff as text, Markdown and JSON.

use super::diff::{PackageDiff, PackageRow};
use crate::diagnostic::render::{markdown_cell, printable};
use std::fmt::Write as _;

impl PackageDiff {
    /// One line that sums up.
    #[must_use]
    pub fn headline(&self) -> String {
        let counts: Vec<String> = self.sections().iter().map(|(word, rows)| format!("{} {word}", rows.len())).collect();
        let fixed = self.fixed_cves().len();
        let cves = match (self.notices_known, fixed) {
            (false, _) => "no notices are known, so nothing can be said about CVEs".to_owned(),
            (true, 1) => "1 CVE fixed".to_owned(),
            (true, fixed) => format!("{fixed} CVEs fixed"),
        };
        format!("{}, {} unchanged; {cves}", counts.join(", "), self.unchanged)
    }

    /// As text for a terminal. What the inventories bring along is made harmless for one.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("{}\n", self.headline());
        for (heading, rows) in self.sections().into_iter().filter(|(_, rows)| !rows.is_empty()) {
            // Writing to a String cannot fail.
            let _ = write!(text, "\n{heading}\n");
            let rows: Vec<[String; 3]> = rows.iter().map(|row| cells(row, plain)).collect();
            let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
            let (first, second) = (width(0), width(1));
            for [name, versions, notices] in &rows {
                let line = format!("  {name:first$}  {versions:second$}  {notices}");
                text.push_str(line.trim_end());
                text.push('\n');
            }
        }
        text
    }

    /// As Markdown: the sum, and a table per kind of change.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut text = format!("{}\n", self.headline());
        for (heading, rows) in self.sections().into_iter().filter(|(_, rows)| !rows.is_empty()) {
            let _ = write!(
                text,
                "\n### {} ({})\n\n| package | version | notices and CVEs |\n|---|---|---|\n",
                title(heading),
                rows.len()
            );
            for row in rows {
                let [name, versions, notices] = cells(row, markdown_cell);
                let _ = writeln!(text, "| {name} | {versions} | {notices} |");
            }
        }
        text
    }

    /// As one JSON object with a schema.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }
}

/// Package, versions, notices.
fn cells(row: &PackageRow, safe: fn(&str) -> String) -> [String; 3] {
    let versions = match (&row.from, &row.to) {
        (Some(from), Some(to)) => format!("{} → {}", safe(from), safe(to)),
        (from, to) => safe(from.as_ref().or(to.as_ref()).map_or("", String::as_str)),
    };
    let advisory = |advisory: &super::AdvisoryRow| {
        let kind = safe(&advisory.kind);
        let severity =
            if advisory.severity.is_empty() { String::new() } else { format!(", {}", safe(&advisory.severity)) };
        format!("{} ({kind}{severity})", safe(&advisory.id))
    };
    let advisories = row.advisories.iter().map(advisory);
    let notices: Vec<String> = advisories.chain(row.cves.iter().map(|cve| safe(cve))).collect();
    [safe(&format!("{}.{}", row.name, row.arch)), versions, notices.join(", ")]
}

pub(super) fn plain(text: &str) -> String {
    printable(text).replace(['\n', '\t'], " ")
}

fn title(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

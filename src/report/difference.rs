//! What `diff` prints of two channels.

use crate::diagnostic::render::{markdown_cell, printable};
use crate::evidence::difference::{Attribute, Difference, Side, Vulnerability};
use std::fmt::Write as _;

/// `candidate (ami-1, 1.0.0/1)`.
fn name(side: &Side) -> String {
    let version = side.image_version.as_ref().map_or_else(String::new, |version| format!(", {version}"));
    match &side.channel {
        Some(channel) => format!("{channel} ({}{version})", side.ami),
        None => format!("{}{version}", side.ami),
    }
}

/// For people.
#[must_use]
pub fn difference(found: &Difference) -> String {
    let mut text = format!("{} → {}\n", name(&found.before), name(&found.after));
    if found.before.ami == found.after.ami {
        text.push_str("it is the same image\n");
    }
    let _ = write!(text, "\npackages: {}", found.packages.to_text());
    if let Some(all) = &found.vulnerabilities {
        let (fixed, new) = (all.fixed.len(), all.new.len());
        let _ = writeln!(text, "\nvulnerabilities: {fixed} fixed, {new} new, {} in both", all.both);
        for (sign, list) in [('-', &all.fixed), ('+', &all.new)] {
            for one in list {
                let _ = writeln!(text, "  {sign} {}", vulnerability(one));
            }
        }
    }
    let (fixed, new) = (&found.open_cves.fixed, &found.open_cves.new);
    if !fixed.is_empty() || !new.is_empty() {
        let _ = writeln!(text, "\nCVEs of open patches: {} fixed, {} new", fixed.len(), new.len());
        for (sign, list) in [('-', fixed), ('+', new)] {
            for one in list {
                let _ = writeln!(text, "  {sign} {}", printable(one));
            }
        }
    }
    let _ = writeln!(text, "\nattributes: {} differ", found.attributes.len());
    for one in &found.attributes {
        let (before, after) = values(one, printable);
        let _ = writeln!(text, "  {:<16} {before} → {after}", printable(&one.name));
    }
    for note in &found.notes {
        let _ = writeln!(text, "note: {}", printable(note));
    }
    text
}

fn vulnerability(one: &Vulnerability) -> String {
    let fixed = one.fixed_in.as_ref().map_or_else(|| "no fix".to_owned(), |version| format!("fixed in {version}"));
    printable(&format!("{} {} ({}, {fixed})", one.id, one.package, one.severity))
}

fn values(one: &Attribute, safe: impl Fn(&str) -> String) -> (String, String) {
    let value = |value: &Option<String>| value.as_deref().map_or_else(|| "-".to_owned(), &safe);
    (value(&one.before), value(&one.after))
}

/// Markdown, for the summary of a pipeline or a pull request.
#[must_use]
pub fn difference_markdown(found: &Difference) -> String {
    let mut text = format!("## {} → {}\n\n", markdown_cell(&name(&found.before)), markdown_cell(&name(&found.after)));
    text.push_str(&found.packages.to_markdown());
    if let Some(all) = &found.vulnerabilities {
        let (fixed, new) = (all.fixed.len(), all.new.len());
        let _ = writeln!(text, "\n### Vulnerabilities: {fixed} fixed, {new} new, {} in both", all.both);
        if fixed + new > 0 {
            text.push_str("\n| | id | package | severity | fixed in |\n|---|---|---|---|---|\n");
        }
        for (word, list) in [("fixed", &all.fixed), ("new", &all.new)] {
            for one in list {
                let cells = [&one.id, &one.package, &one.severity].map(|cell| markdown_cell(cell));
                let fixed_in = markdown_cell(one.fixed_in.as_deref().unwrap_or("-"));
                let _ = writeln!(text, "| {word} | {} | {fixed_in} |", cells.join(" | "));
            }
        }
    }
    let (fixed, new) = (&found.open_cves.fixed, &found.open_cves.new);
    if !fixed.is_empty() || !new.is_empty() {
        let list = |list: &[String]| list.iter().map(|one| markdown_cell(one)).collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "\n### CVEs of open patches\n\nfixed: {}\n\nnew: {}", list(fixed), list(new));
    }
    if !found.attributes.is_empty() {
        text.push_str("\n### Attributes\n\n| attribute | before | after |\n|---|---|---|\n");
        for one in &found.attributes {
            let (before, after) = values(one, markdown_cell);
            let _ = writeln!(text, "| {} | {before} | {after} |", markdown_cell(&one.name));
        }
    }
    for note in &found.notes {
        let _ = writeln!(text, "\n> {}", markdown_cell(note));
    }
    text
}

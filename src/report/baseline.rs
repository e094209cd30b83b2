//! Patch baselines, as text and JSON.

use crate::baseline::{Listing, Named};
use crate::diagnostic::render::printable;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// What `baseline list` prints.
#[must_use]
pub fn baselines(listing: &Listing) -> String {
    let mut text = String::new();
    let width = listing.baselines.iter().map(|row| row.name.chars().count()).max().unwrap_or(0);
    for row in &listing.baselines {
        let os = row.operating_system.as_str();
        let _ = writeln!(text, "{:width$}  {os:23}  {}", printable(&row.name), plain(&row.gist));
        let called = if row.account_name == row.name {
            String::new()
        } else {
            format!(", in accounts {}", plain(&row.account_name))
        };
        let used = if row.used_by.is_empty() { String::new() } else { format!("; used by {}", row.used_by.join(", ")) };
        // AWS's own say so by their names.
        if !called.is_empty() || !used.is_empty() || row.name != row.account_name || !row.name.starts_with("AWS-") {
            let _ = writeln!(text, "{:width$}  {}{called}{used}", "", plain(&row.origin.to_string()));
        }
    }
    text
}

/// What `baseline show` prints for people.
#[must_use]
pub fn baseline(found: &Named) -> String {
    let baseline = &found.baseline;
    let mut text = format!("{}  for {}\n", plain(&baseline.name), baseline.operating_system);
    if let Some(description) = &baseline.description {
        let _ = writeln!(text, "{}", plain(description));
    }
    let _ = writeln!(text, "from {}\n", plain(&found.origin.to_string()));
    for sentence in baseline.sentences() {
        let _ = writeln!(text, "  {}", plain(&sentence));
    }
    text
}

/// The JSON of `baseline show`.
#[must_use]
pub fn baseline_json(found: &Named) -> Value {
    let baseline = &found.baseline;
    json!({
        "schema": "amiforge.baseline/1",
        "name": baseline.name,
        "operating_system": baseline.operating_system,
        "origin": found.origin,
        "gist": baseline.gist(),
        "sentences": baseline.sentences(),
        "baseline": baseline.to_create_request(),
    })
}

/// One line that moves no cursor.
pub(super) fn plain(text: &str) -> String {
    printable(text).replace(['\n', '\t'], " ")
}

//! The catalogue of causes, as data. One file for each place where things go wrong.
//!
//! Codes are stable: scripts and people refer to them. What is retired leaves a gap.

mod access;
mod archives;
mod launch;
mod machine;
mod packages;
mod patching;
mod scripts;
mod service;

use super::model::{Advice, Entry};
use std::fmt::Write as _;
use std::sync::LazyLock;

static ALL: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let rooms = [
        launch::ENTRIES,
        access::ENTRIES,
        archives::ENTRIES,
        packages::ENTRIES,
        machine::ENTRIES,
        scripts::ENTRIES,
        service::ENTRIES,
        patching::ENTRIES,
    ];
    let mut all = rooms.concat();
    all.sort_by_key(|entry| entry.code);
    all
});

/// Every entry, sorted by code.
pub fn all() -> &'static [Entry] {
    &ALL
}

/// The entry with this code or name; letter case does not matter.
#[must_use]
pub fn find(word: &str) -> Option<&'static Entry> {
    let word = word.trim();
    all().iter().find(|entry| entry.code.eq_ignore_ascii_case(word) || entry.name.eq_ignore_ascii_case(word))
}

/// What `amiforge explain CODE` shows.
#[must_use]
pub fn explain(entry: &Entry) -> String {
    let mut text = format!("{} {}: {}\n\n{}\n\nWhat helps:\n", entry.code, entry.name, entry.title, entry.why);
    for Advice { text: what, command } in entry.remedies {
        let _ = writeln!(text, "  - {}", shown(what));
        if !command.is_empty() {
            let _ = writeln!(text, "      $ {}", shown(command));
        }
    }
    text
}

/// What `why` fills in is shown as the name of what it stands for.
fn shown(text: &str) -> String {
    let names = ["recipe", "component", "step", "region", "arn"].map(|name| (name, name.to_uppercase()));
    let what = ("what", "NAME".to_owned());
    names
        .into_iter()
        .chain([what])
        .fold(text.to_owned(), |text, (name, word)| text.replace(&format!("{{{name}}}"), &word))
}

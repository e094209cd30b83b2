//! The catalogue of codes: what `amiforge explain CODE` shows, offline.
//!
//! Each room keeps the entries of its own codes; this is where they come together.

use std::sync::LazyLock;

/// One code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The code: `A0xx` exit codes, `B0xx` patch baselines, `E0xx` execution, `P0xx` project files, `R0xx` rendering,
    /// `U0xx` allowances, `Y0xx` YAML. Rules for component documents have their own register, [`crate::component::rules`].
    pub code: &'static str,
    /// What is wrong, in a few words.
    pub title: &'static str,
    /// Why it is refused or doubtful, where the rule comes from, and what to do about it.
    pub explanation: &'static str,
}

/// The rooms that report diagnostics, one line each.
const ROOMS: &[&[Entry]] = &[
    crate::cli::codes::ENTRIES,
    crate::component::ENTRIES,
    crate::lint::ENTRIES,
    crate::patch::ENTRIES,
    crate::project::ENTRIES,
    crate::render::ENTRIES,
    crate::trial::ENTRIES,
    crate::yaml::ENTRIES,
];

static ALL: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    let mut all: Vec<Entry> = ROOMS.concat();
    all.sort_by_key(|entry| entry.code);
    all
});

/// Every entry, sorted by code.
pub fn all() -> &'static [Entry] {
    &ALL
}

/// The entry of a code; letter case does not matter.
pub fn explain(code: &str) -> Option<&'static Entry> {
    all().iter().find(|entry| entry.code.eq_ignore_ascii_case(code.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_well_formed_unique_and_sorted() {
        assert!(!all().is_empty());
        for entry in all() {
            let (letter, digits) = entry.code.split_at(1);
            assert!(["A", "B", "E", "P", "R", "U", "Y"].contains(&letter), "{}", entry.code);
            assert!(digits.len() == 3 && digits.bytes().all(|b| b.is_ascii_digit()), "{}", entry.code);
            assert!(!entry.title.is_empty() && entry.explanation.len() > 40, "{} says too little", entry.code);
        }
        assert!(all().windows(2).all(|pair| pair[0].code < pair[1].code), "a code is used twice");
    }

    #[test]
    fn explaining_ignores_case_and_does_not_guess() {
        assert_eq!(explain(" y001 ").map(|entry| entry.code), Some("Y001"));
        assert_eq!(explain("Y01"), None);
        assert_eq!(explain(""), None);
    }
}

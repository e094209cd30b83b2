//! Rejected patches for whoever installs without an inventory at hand: what the entries of `RejectedPatches`
//! (patch-baselines.md 2) are called in the words of a package manager.
//!
//! An entry is compared with several names of a version, so it can mean several things: `a-1.2` is a package of that name, or
//! version 1.2 of `a`. All of them are kept out; those that do not exist do no harm.

use super::baseline::{Baseline, FilterKey, RejectedAction};
use super::glob::is_pattern;
use super::names;
use std::collections::BTreeSet;

/// Who installs, as far as its words for packages are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    /// `Package` of apt preferences, `=` and a version to pin: `curl`, `libc6:amd64`, `curl=7.88-10`.
    Apt,
    /// What `--exclude` of dnf takes: `dbus*`, `dbus-1:1.12.28-1.amzn2023.0.1.x86_64`.
    Dnf,
    /// `solvable_name` of a lock of zypper, or the name of a patch, `=` and an edition: `dbus`, `dbus=1.12.28-1`.
    Zypper,
    /// KB numbers.
    Windows,
}

/// What a list of rejected patches becomes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rejected {
    /// The package manager's words, in the order of the list, each once. They have no blanks and nothing that a shell or a
    /// preferences file reads as something else.
    pub words: Vec<String>,
    /// Positions of the entries that the package manager has no words for, or not for all they may mean.
    pub beyond: Vec<usize>,
}

/// Architectures that an entry can end in.
const ARCHITECTURES: [&str; 10] =
    ["amd64", "arm64", "i386", "armhf", "all", "x86_64", "aarch64", "i686", "noarch", "ppc64le"];

impl Words {
    /// The words for entries of `RejectedPatches`.
    #[must_use]
    pub fn of(self, entries: &[String]) -> Rejected {
        let (mut rejected, mut seen) = (Rejected::default(), BTreeSet::new());
        for (index, entry) in entries.iter().enumerate() {
            let (words, whole) = self.of_one(entry);
            if !whole || !words.iter().all(|word| is_safe(word)) {
                rejected.beyond.push(index);
            }
            rejected.words.extend(words.into_iter().filter(|word| is_safe(word) && seen.insert(word.clone())));
        }
        rejected
    }

    /// The words for one entry, and whether they are all it means.
    fn of_one(self, entry: &str) -> (Vec<String>, bool) {
        match self {
            Self::Apt => (apt(entry), true),
            Self::Dnf => (dnf(entry), true),
            Self::Zypper => zypper(entry),
            Self::Windows => {
                let is_kb = names::is_windows_id(entry) && entry.starts_with("KB");
                (is_kb.then(|| entry.to_owned()).into_iter().collect(), is_kb)
            }
        }
    }
}

/// Characters of names, versions and globs only.
fn is_safe(word: &str) -> bool {
    let inside = |b: u8| b.is_ascii_alphanumeric() || b"+-._~^:=*?[]!".contains(&b);
    word.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric() || b"*?[_".contains(&first))
        && word.bytes().all(inside)
}

/// Whether a text reads as a version and hardly as a name: `1.12.28-1`, `2:1.0`.
fn is_version(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_digit()) && text.contains(['.', ':'])
}

/// Every way to cut a text into a name and a version at a hyphen with a digit behind it.
fn cuts(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.match_indices('-')
        .map(|(at, _)| (&text[..at], &text[at + 1..]))
        .filter(|(name, version)| !name.is_empty() && version.starts_with(|c: char| c.is_ascii_digit()))
}

/// `name.arch` cut apart, for architectures that exist.
fn with_arch(text: &str) -> Option<(&str, &str)> {
    text.rsplit_once('.')
        .filter(|(name, arch)| !name.is_empty() && ARCHITECTURES.contains(&arch.to_lowercase().as_str()))
}

/// The six names of patch-baselines.md 2.2. Names are in lower case on such systems, so case is no matter.
fn apt(entry: &str) -> Vec<String> {
    // `*` alone would be the general form, which knows no versions.
    let package = |name: &str| if name == "*" { "?*".to_owned() } else { name.to_lowercase() };
    // Packages for all architectures are the native one's.
    let of_arch = |name: &str, arch: &str| {
        if arch.eq_ignore_ascii_case("all") {
            package(name)
        } else {
            format!("{}:{}", package(name), arch.to_lowercase())
        }
    };
    if let Some((left, version)) = entry.split_once(':').filter(|(left, _)| !left.bytes().all(|b| b.is_ascii_digit())) {
        if ARCHITECTURES.contains(&left.to_lowercase().as_str()) {
            return vec![format!("{}={version}", of_arch("*", left))];
        }
        if let Some((name, arch)) = with_arch(left) {
            return vec![format!("{}={version}", of_arch(name, arch))];
        }
        // A version with an epoch behind a name.
        let cuts = cuts(entry).filter(|(name, _)| !name.contains(':'));
        return cuts.map(|(name, version)| format!("{}={version}", package(name))).collect();
    }
    let mut words = vec![];
    if !entry.contains(':') {
        words.push(package(entry));
        words.extend(with_arch(entry).map(|(name, arch)| of_arch(name, arch)));
        words.extend(cuts(entry).map(|(name, version)| format!("{}={version}", package(name))));
    }
    if is_version(entry) {
        words.push(format!("?*={entry}"));
    }
    words
}

/// The twelve names of patch-baselines.md 2.1; dnf understands most of them as they are.
fn dnf(entry: &str) -> Vec<String> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    // Ids of bugs, and of CVEs and notices, reject nothing (said where the baseline is read).
    if digits(entry) || names::is_notice(entry) {
        return vec![];
    }
    if is_version(entry) && !entry.split(':').nth(1).is_some_and(|rest| rest.starts_with(|c: char| c.is_alphabetic())) {
        let mut words = vec![format!("*-{entry}")];
        if !entry.contains(':') {
            words.insert(0, entry.to_owned());
        }
        return words;
    }
    match entry.split_once(':') {
        // epoch:name-version-release.arch
        Some((epoch, rest)) if digits(epoch) => match two_cuts(rest) {
            Some((name, build)) => vec![format!("{name}-{epoch}:{build}")],
            None => vec![entry.to_owned()],
        },
        // name.arch:epoch:version-release
        Some((left, full)) if full.contains(':') => match left.rsplit_once('.') {
            Some((name, arch)) => vec![format!("{name}-{full}.{arch}")],
            None => vec![entry.to_owned()],
        },
        _ => vec![entry.to_owned()],
    }
}

/// Name, and version with release, cut at the hyphen before the last.
fn two_cuts(text: &str) -> Option<(&str, &str)> {
    let (front, _) = text.rsplit_once('-')?;
    let (name, _) = front.rsplit_once('-')?;
    Some((name, &text[name.len() + 1..]))
}

/// The names of patch-baselines.md 2.3. A lock knows names with wildcards and exact editions.
fn zypper(entry: &str) -> (Vec<String>, bool) {
    let compact: String = entry.chars().filter(|c| *c != ' ').collect();
    if let Some((name, edition)) = compact.split_once('=').filter(|(name, _)| !name.ends_with('!')) {
        let whole = !name.is_empty() && !edition.is_empty() && !is_pattern(edition);
        return (if whole { vec![compact.clone()] } else { vec![] }, whole);
    }
    if compact.contains(['<', '>', '=']) {
        return (vec![], false);
    }
    if let Some(build) = entry.strip_suffix(".rpm") {
        let parts = build.rsplit_once('.').and_then(|(build, _)| two_cuts(build));
        return match parts.filter(|(_, edition)| !is_pattern(edition)) {
            Some((name, edition)) => (vec![format!("{name}={edition}")], true),
            None => (vec![], false),
        };
    }
    // With a wildcard behind what may be a version it could mean the name of a file, too.
    let may_be_file = is_pattern(entry) && cuts(entry).next().is_some() && !entry.to_uppercase().starts_with("SUSE-");
    (vec![entry.to_owned()], !may_be_file)
}

impl Baseline {
    /// Whether what it rejects may not come in for the sake of others either (patch-baselines.md 4.3).
    #[must_use]
    pub fn blocks(&self) -> bool {
        self.rejected_action == RejectedAction::Block && !self.rejected.is_empty()
    }

    /// Whether one of its rules asks for more than security updates: what is in no notice, or in a notice of another class.
    /// On systems without classes everything that is no security update is of the first kind (patch-baselines.md 3.1).
    #[must_use]
    pub fn asks_for_more_than_security(&self) -> bool {
        let classes = !self.operating_system.is_apt();
        let security_only = |values: &[String]| values.iter().all(|value| value.eq_ignore_ascii_case("security"));
        self.rules.iter().any(|rule| {
            let filters = rule.filters.iter().chain(&self.global_filters);
            let mut of_class = filters.filter(|filter| filter.key == FilterKey::Classification);
            rule.enable_non_security || (classes && !of_class.any(|filter| security_only(&filter.values)))
        })
    }
}

#[cfg(test)]
#[path = "rejected_tests.rs"]
mod tests;

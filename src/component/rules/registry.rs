//! All rules together, and how they are applied to a document.

use super::levels::Levels;
use super::model::{Check, Findings, Rule};
use super::subject::{Subject, Target};
use super::{conditions, expressions, files, loops, shell, steps, structure, suppress, transfers, windows};
use crate::component::parse::Parsed;
use crate::diagnostic::{Diagnostic, SourceFile, Span};
use crate::yaml;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

/// The families, one line each.
const FAMILIES: &[&[Rule]] = &[
    structure::RULES,
    steps::RULES,
    expressions::RULES,
    loops::RULES,
    conditions::RULES,
    files::RULES,
    transfers::RULES,
    windows::RULES,
    shell::first::RULES,
    shell::second::RULES,
];

/// The order of the letters in everything that lists rules.
const ORDER: &str = "DSXLCM";

static ALL: LazyLock<Vec<&'static Rule>> = LazyLock::new(|| {
    let mut all: Vec<&'static Rule> = FAMILIES.iter().flat_map(|family| family.iter()).collect();
    all.sort_by_key(|rule| (ORDER.find(&rule.id[..1]), rule.id));
    all
});

/// Every rule: documents first, then steps, expressions, loops, conditions, action modules.
pub fn all() -> &'static [&'static Rule] {
    &ALL
}

/// The rule of an id or a name; letter case does not matter.
pub fn find(id_or_name: &str) -> Option<&'static Rule> {
    let wanted = id_or_name.trim();
    all().iter().copied().find(|rule| rule.id.eq_ignore_ascii_case(wanted) || rule.name.eq_ignore_ascii_case(wanted))
}

/// Everything there is to say about a document: what its reading found, and what the rules find. In file order.
pub fn check(source: &Arc<SourceFile>, parsed: &Parsed, target: &Target) -> Vec<Diagnostic> {
    let mut found = parsed.diagnostics.clone();
    // Only Image Builder demands phases of certain names; awstoe alone runs any.
    found.retain(|diagnostic| diagnostic.code != "D005" || !target.standalone);
    let comments = parsed.root.as_ref().map(|root| yaml::comments(source, root)).unwrap_or_default();
    let subject = parsed
        .root
        .as_ref()
        .zip(parsed.readable.as_ref())
        .map(|(root, document)| Subject::new(source, root, document, parsed.complete, &comments, target));
    for rule in all() {
        let mut findings = Findings::new(rule, source);
        match (rule.check, &subject) {
            (Check::Text(check), _) => check(source, target, &mut findings),
            (Check::Document(check), Some(subject)) => check(subject, &mut findings),
            (Check::Reading, _) | (Check::Document(_), None) => {}
        }
        found.extend(findings.into_list());
    }
    supersede(&mut found);
    found.sort_by_key(|diagnostic| (diagnostic.span().start, diagnostic.span().end));
    found
}

/// What is to be told about a document where these levels hold: [`check`], without what the file allows in place.
pub fn lint(source: &Arc<SourceFile>, parsed: &Parsed, target: &Target, levels: &Levels) -> Vec<Diagnostic> {
    let mut found = levels.apply(check(source, parsed, target));
    if let Some(root) = &parsed.root {
        found = suppress::apply(source, root, &yaml::comments(source, root), levels, found);
        found.sort_by_key(|diagnostic| (diagnostic.span().start, diagnostic.span().end));
    }
    found
}

/// Of one fault, seen by several rules, only the most specific is told.
fn supersede(found: &mut Vec<Diagnostic>) {
    let mut over: BTreeMap<&str, Places> = BTreeMap::new();
    for diagnostic in found.iter() {
        for code in find(diagnostic.code).map_or(&[][..], |rule| rule.supersedes) {
            over.entry(code).or_default().spans.push(diagnostic.span());
        }
    }
    over.values_mut().for_each(Places::sort);
    found.retain(|diagnostic| over.get(diagnostic.code).is_none_or(|places| !places.meet(diagnostic.span())));
}

/// Places of a file, to be asked whether one of them meets another: files with many findings are no reason to compare
/// each with each.
#[derive(Default)]
struct Places {
    /// In order of their beginnings.
    spans: Vec<Span>,
    /// How far the spans up to each of them reach.
    reach: Vec<usize>,
}

impl Places {
    fn sort(&mut self) {
        self.spans.sort_unstable_by_key(|span| span.start);
        let mut furthest = 0;
        for span in &self.spans {
            furthest = furthest.max(span.end.max(span.start + 1));
            self.reach.push(furthest);
        }
    }

    /// Whether one of them [overlaps](Span::overlaps) a place.
    fn meet(&self, span: Span) -> bool {
        let before = self.spans.partition_point(|other| other.start < span.end.max(span.start + 1));
        before.checked_sub(1).is_some_and(|last| self.reach[last] > span.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::rules::Basis;
    use crate::diagnostic::Severity;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    #[test]
    fn ids_and_names_are_well_formed_and_unique() {
        let (mut ids, mut names) = (BTreeSet::new(), BTreeSet::new());
        for rule in all() {
            let (letter, digits) = rule.id.split_at(1);
            assert!(
                ORDER.contains(letter) && digits.len() == 3 && digits.bytes().all(|b| b.is_ascii_digit()),
                "{rule:?}"
            );
            assert!(rule.name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'), "{rule:?}");
            assert!(ids.insert(rule.id) && names.insert(rule.name), "{rule:?} is there twice");
            assert!(rule.supersedes.iter().all(|other| find(other).is_some()), "{rule:?} supersedes an unknown rule");
        }
    }

    #[test]
    fn every_rule_says_what_why_and_what_instead() {
        for rule in all() {
            assert!(rule.summary.ends_with('.') && rule.summary.len() > 20, "{rule:?}: {}", rule.summary);
            assert!(rule.why.ends_with('.') && rule.why.len() > 40, "{rule:?}: {}", rule.why);
            assert!(!rule.example.trim().is_empty() && !rule.instead.trim().is_empty(), "{rule:?}");
            assert_eq!(rule.basis == Basis::Advice, rule.level != Severity::Error, "{rule:?}");
        }
    }

    proptest! {
        #[test]
        fn asking_all_places_at_once_says_what_asking_each_says(
            spans in prop::collection::vec((0usize..30, 0usize..6), 0..12), start in 0usize..36, length in 0usize..6,
        ) {
            let spans: Vec<Span> = spans.into_iter().map(|(start, length)| Span::new(start, start + length)).collect();
            let asked = Span::new(start, start + length);
            let mut places = Places { spans: spans.clone(), reach: vec![] };
            places.sort();
            prop_assert_eq!(places.meet(asked), spans.iter().any(|span| span.overlaps(asked)));
        }
    }
}

//! Carries out the fixes that diagnostics propose. Pure: a text comes in, a text goes out.

use crate::diagnostic::{Diagnostic, Edit, Fix, Severity};
use std::collections::{BTreeMap, BTreeSet};

/// Rules mend each other's fixes; two or three rounds settle everything, more than this is going in circles.
const ROUNDS: usize = 10;

/// A text after some fixes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The text.
    pub text: String,
    /// How many of the fixes were carried out.
    pub applied: usize,
    /// How many were not, because they are in the way of an earlier one or do not fit the text.
    pub skipped: usize,
}

/// Carries out fixes, in this order, each completely or not at all.
///
/// Of two that touch the same text the first wins; the other is left for another round, when its diagnostic, if there
/// still is one, knows the new text. Edits outside of the text, inside of a character or overlapping others of their own
/// fix make the fix one that does not fit.
pub fn apply(text: &str, fixes: &[&Fix]) -> Applied {
    let mut taken = Taken::new();
    let mut edits: Vec<&Edit> = Vec::new();
    let mut applied = 0;
    for fix in fixes {
        if fits(text, fix) && !fix.edits.iter().any(|edit| in_the_way(&taken, edit)) {
            applied += 1;
            edits.extend(&fix.edits);
            remember(&mut taken, fix);
        }
    }
    edits.sort_by_key(|edit| (edit.span.start, edit.span.end));
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for edit in edits {
        out.push_str(&text[at..edit.span.start]);
        out.push_str(&edit.text);
        at = edit.span.end;
    }
    out.push_str(&text[at..]);
    Applied { text: out, applied, skipped: fixes.len() - applied }
}

/// Whether a fix can be carried out on this text at all.
fn fits(text: &str, fix: &Fix) -> bool {
    let mut edits: Vec<&Edit> = fix.edits.iter().collect();
    edits.sort_by_key(|edit| (edit.span.start, edit.span.end));
    !edits.is_empty()
        && edits.iter().all(|edit| text.get(edit.span.start..edit.span.end).is_some())
        && edits.windows(2).all(|pair| pair[0].span.end <= pair[1].span.start)
}

/// Where edits are that were taken.
type Taken = BTreeSet<(usize, usize)>;

fn remember(taken: &mut Taken, fix: &Fix) {
    taken.extend(fix.edits.iter().map(|edit| (edit.span.start, edit.span.end)));
}

/// Whether an edit changes what one that was taken changes. Two that only touch are apart, unless one of them inserts:
/// which of the texts should come first is then nobody's to say.
fn in_the_way(taken: &Taken, edit: &Edit) -> bool {
    let (start, end) = (edit.span.start, edit.span.end);
    let conflict = |&(other_start, other_end): &(usize, usize)| {
        if start == end || other_start == other_end {
            other_start <= end && start <= other_end
        } else {
            other_start < end && start < other_end
        }
    };
    // What was taken does not overlap, so of everything that begins before only the last can reach as far as here.
    taken.range((start, 0)..=(end, usize::MAX)).any(conflict)
        || taken.range(..(start, 0)).next_back().is_some_and(conflict)
}

/// A text after all the fixes there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixed {
    /// The text.
    pub text: String,
    /// How many fixes were carried out.
    pub applied: usize,
    /// In how many rounds.
    pub rounds: usize,
    /// What there is to say about the text now, the fixes that were refused among it.
    pub remaining: Vec<Diagnostic>,
    /// Fixes that were undone, because with them the document could not be read or had errors that it had not before:
    /// faults of amiforge, which a user should hear of.
    pub refused: Vec<Diagnostic>,
    /// Whether nothing is left to do; otherwise the fixes went in circles and the last text is as good as any.
    pub settled: bool,
}

/// Mends a text again and again until there is nothing left to mend, at most ten times.
///
/// `lint` says what there is to say about a text; only fixes in that text are looked at, and of those only safe ones
/// unless `unsafe_too`. A fix that makes the document unreadable or brings an error that was not there is undone and not
/// tried again; the others of its round stay.
pub fn fix_until_stable(source: &str, lint: impl Fn(&str) -> Vec<Diagnostic>, unsafe_too: bool) -> Fixed {
    let mut state = State { text: source.to_owned(), findings: lint(source), applied: 0 };
    let mut refused: Vec<Diagnostic> = Vec::new();
    let mut blocked: BTreeSet<(&'static str, String, String)> = BTreeSet::new();
    let mut rounds = 0;
    loop {
        let open =
            |finding: &&Diagnostic| is_wanted(finding, &state.text, unsafe_too) && !blocked.contains(&key(finding));
        let wanted: Vec<Diagnostic> = state.findings.iter().filter(open).cloned().collect();
        if wanted.is_empty() || rounds == ROUNDS {
            let State { text, findings: remaining, applied } = state;
            return Fixed { text, applied, rounds, remaining, refused, settled: wanted.is_empty() };
        }
        rounds += 1;
        let bad = state.advance(&wanted, &lint);
        blocked.extend(bad.iter().map(key));
        refused.extend(bad);
    }
}

/// By what a finding is known again after a change, when it stands somewhere else.
fn key(finding: &Diagnostic) -> (&'static str, String, String) {
    let title = finding.fix.as_ref().map(|fix| fix.title.clone()).unwrap_or_default();
    (finding.code, finding.message.clone(), title)
}

fn is_wanted(finding: &Diagnostic, text: &str, unsafe_too: bool) -> bool {
    let here = finding.primary.as_ref().is_some_and(|label| label.source.text == text);
    here && finding.fix.as_ref().is_some_and(|fix| (fix.safe || unsafe_too) && fits(text, fix))
}

/// A text and what is known about it.
struct State {
    text: String,
    findings: Vec<Diagnostic>,
    applied: usize,
}

impl State {
    /// One round: carries out as many of the fixes as do no harm; those that do.
    fn advance(&mut self, wanted: &[Diagnostic], lint: &impl Fn(&str) -> Vec<Diagnostic>) -> Vec<Diagnostic> {
        // Those in the way of earlier ones wait for the next round: what harm the others do must not be put down to them.
        let mut fixes: Vec<&Diagnostic> = Vec::new();
        let mut taken = Taken::new();
        for finding in wanted {
            let Some(fix) = &finding.fix else { continue };
            if !fix.edits.iter().any(|edit| in_the_way(&taken, edit)) {
                remember(&mut taken, fix);
                fixes.push(finding);
            }
        }
        let mut good: Vec<&Diagnostic> = Vec::new();
        let mut bad: Vec<&Diagnostic> = Vec::new();
        let mut tried = None;
        separate(&fixes, &mut good, &mut bad, &mut |some| {
            let next = self.with(some, lint);
            let harmless = !is_harm(&self.findings, &next.findings);
            if harmless {
                tried = Some(next);
            }
            harmless
        });
        if let Some(next) = tried {
            *self = next;
        }
        bad.into_iter().cloned().collect()
    }

    fn with(&self, some: &[&Diagnostic], lint: &impl Fn(&str) -> Vec<Diagnostic>) -> Self {
        let fixes: Vec<&Fix> = some.iter().filter_map(|finding| finding.fix.as_ref()).collect();
        let Applied { text, applied, .. } = apply(&self.text, &fixes);
        let findings = lint(&text);
        Self { text, findings, applied: self.applied + applied }
    }
}

/// Finds those that do harm, by trying all, and then the halves where that went wrong. `harmless` is asked about sets
/// that hold the good ones so far, so the last set it agreed to is that of all good ones.
fn separate<'a>(
    some: &[&'a Diagnostic],
    good: &mut Vec<&'a Diagnostic>,
    bad: &mut Vec<&'a Diagnostic>,
    harmless: &mut impl FnMut(&[&'a Diagnostic]) -> bool,
) {
    if some.is_empty() {
        return;
    }
    let together: Vec<&Diagnostic> = good.iter().chain(some).copied().collect();
    if harmless(&together) {
        good.extend(some);
    } else if let [one] = some {
        bad.push(one);
    } else {
        let (first, second) = some.split_at(some.len() / 2);
        separate(first, good, bad, harmless);
        separate(second, good, bad, harmless);
    }
}

/// Whether a text is worse than the one before: it cannot be read and could be before, or has more errors of a kind.
/// Errors that come to light because the text can be read at last are no harm.
fn is_harm(before: &[Diagnostic], after: &[Diagnostic]) -> bool {
    let (was, is) = (errors(before), errors(after));
    let unreadable = |errors: &BTreeMap<&str, usize>| errors.keys().any(|code| code.starts_with('Y'));
    if unreadable(&was) && !unreadable(&is) {
        return false;
    }
    is.iter().any(|(code, count)| was.get(code).is_none_or(|known| count > known))
}

/// How many errors there are of each kind.
fn errors(findings: &[Diagnostic]) -> BTreeMap<&'static str, usize> {
    let mut errors = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.severity == Severity::Error) {
        *errors.entry(finding.code).or_insert(0) += 1;
    }
    errors
}

#[cfg(test)]
mod tests;

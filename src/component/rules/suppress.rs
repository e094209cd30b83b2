//! What a file allows in place: `# amiforge: allow[S014] reason`.
//!
//! Behind something it counts for its line (and for the block of lines that begins there); alone in a line, for what begins
//! in the next one: a step, a phase, a key, a line of a script. `allow-file[…]` counts for the whole file. A reason is
//! asked for, and what allows nothing is reported, so that old ones do not hide new faults.

use super::levels::{Levels, is_firm};
use super::model::Rule;
use super::registry;
use crate::diagnostic::{Diagnostic, Edit, SourceFile, Span, suggest};
use crate::yaml::{Comment, Kind, Node};
use std::sync::Arc;

/// What an allowance begins with, behind the `#`.
const MARK: &str = "amiforge:";

/// One rule that is allowed somewhere.
struct Allowance {
    rule: &'static Rule,
    /// Where it is allowed.
    scope: Scope,
    /// Where the rule's id stands.
    place: Span,
    /// The whole comment, if it allows nothing else: what would be removed.
    removable: Option<Span>,
    used: bool,
}

enum Scope {
    File,
    /// What begins in this line, or in one of these places.
    Line(usize, Vec<Span>),
}

/// Leaves out what the file allows, and adds what is wrong with the allowances themselves.
pub(super) fn apply(
    source: &Arc<SourceFile>,
    root: &Node,
    comments: &[Comment],
    levels: &Levels,
    found: Vec<Diagnostic>,
) -> Vec<Diagnostic> {
    if !source.text.contains(MARK) {
        return found;
    }
    let mut faults = Vec::new();
    let mut allowances = read(source, root, comments, &mut faults);
    let mut kept: Vec<Diagnostic> =
        found.into_iter().filter(|diagnostic| !is_allowed(source, &mut allowances, diagnostic)).collect();
    let unused = allowances.iter().filter(|allowance| !allowance.used && levels.is_on(allowance.rule));
    faults.extend(unused.map(|allowance| report_unused(source, allowance)));
    kept.append(&mut faults);
    kept
}

fn is_allowed(source: &SourceFile, allowances: &mut [Allowance], diagnostic: &Diagnostic) -> bool {
    let Some(rule) = registry::find(diagnostic.code).filter(|rule| !is_firm(rule, diagnostic)) else { return false };
    let span = diagnostic.span();
    let line = source.line(span.start);
    let mut allowed = false;
    for allowance in allowances.iter_mut().filter(|allowance| allowance.rule.id == rule.id) {
        let covers = match &allowance.scope {
            Scope::File => true,
            Scope::Line(own, places) => *own == line || places.iter().any(|place| place.contains(span)),
        };
        allowance.used |= covers;
        allowed |= covers;
    }
    allowed
}

fn report_unused(source: &Arc<SourceFile>, allowance: &Allowance) -> Diagnostic {
    let message = format!("{} reports nothing here that would have to be allowed", allowance.rule.id);
    let diagnostic = Diagnostic::warning("U001", message)
        .at(source, allowance.place, "allows nothing")
        .help("remove it, so that it does not hide a later fault");
    match allowance.removable {
        Some(span) => diagnostic.safe_fix("remove the comment", vec![Edit::delete(span)]),
        None => diagnostic,
    }
}

/// All allowances of a file.
fn read(source: &Arc<SourceFile>, root: &Node, comments: &[Comment], faults: &mut Vec<Diagnostic>) -> Vec<Allowance> {
    let mut allowances = Vec::new();
    for comment in comments {
        let scope = |source: &SourceFile| yaml_scope(source, root, comment);
        one(source, comment.span, comment.alone, &scope, &mut allowances, faults);
    }
    for span in blocks(root) {
        for line in source.line(span.start)..=source.line(span.end.saturating_sub(1)) {
            let Some((place, alone)) = script_comment(source, line) else { continue };
            let scope = |_: &SourceFile| Scope::Line(if alone { line + 1 } else { line }, Vec::new());
            one(source, place, alone, &scope, &mut allowances, faults);
        }
    }
    allowances
}

/// The comment of a line of a script, if it is one for us, and whether it is alone in its line.
fn script_comment(source: &SourceFile, line: usize) -> Option<(Span, bool)> {
    let span = source.line_span(line);
    let text = source.slice(span);
    let at = text.match_indices('#').map(|(at, _)| at).find(|at| text[at + 1..].trim_start().starts_with(MARK))?;
    let before = &text[..at];
    let begins = before.is_empty() || before.ends_with([' ', '\t']);
    begins.then(|| (Span::new(span.start + at, span.end), before.trim().is_empty()))
}

/// Where a comment between the values of the file counts.
fn yaml_scope(source: &SourceFile, root: &Node, comment: &Comment) -> Scope {
    if !comment.alone {
        let block =
            |span: &Span| source.slice(Span::new(comment.span.end, span.start.max(comment.span.end))).trim().is_empty();
        let places = blocks(root).into_iter().filter(|span| span.start > comment.span.end && block(span)).collect();
        return Scope::Line(comment.line, places);
    }
    let rest = &source.text[comment.span.end..];
    let skipped =
        rest.lines().skip(1).take_while(|line| line.trim().is_empty() || line.trim().starts_with('#')).count();
    let line = comment.line + skipped + 1;
    let mut places = Vec::new();
    starting(source, root, line, &mut places);
    Scope::Line(line, places)
}

/// The entries and items that begin in a line.
fn starting(source: &SourceFile, node: &Node, line: usize, into: &mut Vec<Span>) {
    let mut visit = |start: usize, end: usize, children: &[&Node]| {
        if source.line(start) == line {
            into.push(Span::new(start, end));
        } else if source.line(start) < line && line <= source.line(end) {
            children.iter().for_each(|child| starting(source, child, line, into));
        }
    };
    match &node.kind {
        Kind::Scalar(_) => {}
        Kind::Sequence(items) => items.iter().for_each(|item| visit(item.span.start, item.span.end, &[item])),
        Kind::Mapping(entries) => {
            entries.iter().for_each(|(key, value)| visit(key.span.start, value.span.end.max(key.span.end), &[value]));
        }
    }
}

/// Where the blocks of lines of a file stand.
fn blocks(node: &Node) -> Vec<Span> {
    match &node.kind {
        Kind::Scalar(scalar) if scalar.style.is_block() => vec![node.span],
        Kind::Scalar(_) => vec![],
        Kind::Sequence(items) => items.iter().flat_map(blocks).collect(),
        Kind::Mapping(entries) => entries.iter().flat_map(|(_, value)| blocks(value)).collect(),
    }
}

/// Reads one comment.
fn one(
    source: &Arc<SourceFile>,
    comment: Span,
    alone: bool,
    scope: &dyn Fn(&SourceFile) -> Scope,
    allowances: &mut Vec<Allowance>,
    faults: &mut Vec<Diagnostic>,
) {
    let text = source.slice(comment);
    let Some(directive) = text.trim_start_matches('#').trim_start().strip_prefix(MARK) else { return };
    let mut fault = |message: &str, label: &str| {
        faults.push(
            Diagnostic::warning("U002", message)
                .at(source, comment, label)
                .help("write `# amiforge: allow[S014] the reason`, or `allow-file[…]` for the whole file"),
        );
    };
    let directive = directive.trim();
    let (whole_file, rest) = match (directive.strip_prefix("allow-file["), directive.strip_prefix("allow[")) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => (false, rest),
        _ => return fault("this comment for amiforge is not understood", "neither `allow[…]` nor `allow-file[…]`"),
    };
    let Some((list, reason)) = rest.split_once(']') else {
        return fault("an allowance is never closed", "the `]` is missing");
    };
    if reason.trim().trim_matches(['-', ':', ' ']).is_empty() {
        return fault("an allowance has no reason", "why is it all right here?");
    }
    // `rest` is the end of the comment, so its length tells where it begins.
    let mut at = comment.end - rest.len() - (text.len() - text.trim_end().len());
    let single = list.split(',').count() == 1;
    for word in list.split(',') {
        let place = Span::new(at + (word.len() - word.trim_start().len()), at + word.trim_end().len());
        at += word.len() + 1;
        match registry::find(word) {
            Some(rule) if rule.is_firm() => faults.push(
                Diagnostic::warning("U002", format!("{} cannot be allowed", rule.id))
                    .at(source, place, "the service refuses what it reports")
                    .help("mend what it reports, and remove this"),
            ),
            Some(rule) => allowances.push(Allowance {
                rule,
                scope: if whole_file { Scope::File } else { scope(source) },
                place,
                removable: single.then(|| removable(source, comment, alone)),
                used: false,
            }),
            None => faults.push(unknown(source, place, word.trim())),
        }
    }
}

/// A comment with what goes with it: its line if it is alone there, else the blanks before it.
fn removable(source: &SourceFile, comment: Span, alone: bool) -> Span {
    if alone {
        let line = source.line_span(source.line(comment.start));
        let end = source.text[line.end..].find('\n').map_or(source.text.len(), |at| line.end + at + 1);
        return Span::new(line.start, end);
    }
    let before = &source.text[..comment.start];
    Span::new(before.trim_end_matches([' ', '\t']).len(), comment.end)
}

fn unknown(source: &Arc<SourceFile>, place: Span, word: &str) -> Diagnostic {
    let diagnostic =
        Diagnostic::warning("U002", format!("there is no rule `{word}`")).at(source, place, "allows nothing");
    let names = registry::all().iter().flat_map(|rule| [rule.id, rule.name]);
    match suggest(word, names) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help("`amiforge explain` lists all rules"),
    }
}

#[cfg(test)]
mod tests {
    use crate::component;
    use crate::component::rules::{Levels, Target, lint};
    use crate::diagnostic::{Severity, SourceFile};

    /// `code line:column` of everything at or above a warning that is about S014 or about allowances.
    fn faults(text: &str) -> Vec<String> {
        let source = SourceFile::new("c.yaml", text);
        let found = lint(&source, &component::parse(&source), &Target::default(), &Levels::default());
        found
            .iter()
            .filter(|found| {
                ["S014", "S001", "U001", "U002"].contains(&found.code) && found.severity >= Severity::Warning
            })
            .map(|found| format!("{} {}", found.code, found.place().unwrap().trim_start_matches("c.yaml:")))
            .collect()
    }

    fn document(before: &str, behind: &str, top: &str) -> String {
        format!(
            "{top}schemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n{before}      - name: Run\n        action: Reboot\n        onFailure: Continue{behind}\n      - name: Again\n        action: Reboot\n        onFailure: Continue\n"
        )
    }

    #[test]
    fn a_line_a_step_or_a_file_is_allowed() {
        assert_eq!(faults(&document("", "", "")), ["S014 7:20", "S014 10:20"]);
        assert_eq!(faults(&document("", " # amiforge: allow[S014] it is known", "")), ["S014 10:20"]);
        assert_eq!(faults(&document("      # amiforge: allow[on-failure-continue] known\n", "", "")), ["S014 11:20"]);
        assert_eq!(faults(&document("", "", "# amiforge: allow-file[s014]: known\n")), Vec::<String>::new());
    }

    #[test]
    fn what_allows_nothing_is_reported() {
        assert_eq!(
            faults(&document("", "", "# amiforge: allow[S014] here is nothing\n")),
            ["U001 1:19", "S014 8:20", "S014 11:20"]
        );
        assert_eq!(faults(&document("", " # amiforge: allow[S014, S012] known", "")), ["U001 7:53", "S014 10:20"]);
    }

    #[test]
    fn faulty_allowances_are_reported_and_allow_nothing() {
        for (comment, place) in [
            ("# amiforge: allow[S014]", "7:29"),
            ("# amiforge: allow[S014 known", "7:29"),
            ("# amiforge: ignore S014", "7:29"),
            ("# amiforge: allow[S999] known", "7:47"),
        ] {
            let found = faults(&document("", &format!(" {comment}"), ""));
            assert_eq!(found, ["S014 7:20".to_owned(), format!("U002 {place}"), "S014 10:20".to_owned()], "{comment}");
        }
    }

    #[test]
    fn what_the_service_refuses_cannot_be_allowed() {
        let text = document("", "", "").replace(
            "Reboot\n        onFailure: Continue\n      - name: Again",
            "Rebot # amiforge: allow[S001] no\n      - name: Again",
        );
        assert_eq!(faults(&text), ["S001 6:17", "U002 6:41", "S014 9:20"]);
    }
}

//! Changes of the file that put a fault right.

use crate::diagnostic::{Diagnostic, Edit, SourceFile, Span};
use crate::yaml::Node;

/// Says which word was probably meant by the one at a place.
pub fn meant(diagnostic: Diagnostic, source: &SourceFile, span: Span, near: &str) -> Diagnostic {
    let written = source.slice(span);
    let quoted = written.len() >= 2 && written.starts_with(['"', '\'']) && written.ends_with(['"', '\'']);
    let word = if quoted { Span::new(span.start + 1, span.end - 1) } else { span };
    diagnostic
        .help(format!("did you mean `{near}`?"))
        .unsafe_fix(format!("write `{near}`"), vec![Edit::replace(word, near)])
}

/// Takes a key with its value out of a mapping; `None` where other things stand in the same lines.
pub fn removal(source: &SourceFile, mapping: &Node, key: &str) -> Option<Edit> {
    let entries = mapping.entries()?;
    let at = entries.iter().position(|(other, _)| other.as_str() == Some(key))?;
    let (key, value) = &entries[at];
    let (start, end) = (key.span.start, value.span.end.max(key.span.end));
    if !is_flow(source, mapping) {
        let first = source.line_span(source.line(start));
        let last = source.line_span(source.line(end));
        let alone = source.slice(Span::new(first.start, start)).trim().is_empty();
        let rest = source.slice(Span::new(end, last.end)).trim_start_matches(':').trim_start();
        let next = (last.end + line_break(&source.text[last.end..])).min(source.text.len());
        return (alone && (rest.is_empty() || rest.starts_with('#')))
            .then(|| Edit::delete(Span::new(first.start, next)));
    }
    let span = match (entries.get(at + 1), at.checked_sub(1).map(|before| &entries[before])) {
        (Some((next, _)), _) => Span::new(start, next.span.start),
        (None, Some((_, before))) => Span::new(before.span.end, end),
        (None, None) => Span::new(start, end),
    };
    Some(Edit::delete(span))
}

/// Whether a list or mapping is written with brackets or braces.
pub fn is_flow(source: &SourceFile, node: &Node) -> bool {
    node.style().is_none() && source.slice(node.span).starts_with(['{', '['])
}

fn line_break(text: &str) -> usize {
    if text.starts_with("\r\n") { 2 } else { usize::from(text.starts_with('\n')) }
}

/// Makes a mapping the only item of a list.
pub fn into_list(source: &SourceFile, mapping: &Node) -> Vec<Edit> {
    if is_flow(source, mapping) {
        return vec![Edit::insert(mapping.span.start, "["), Edit::insert(mapping.span.end, "]")];
    }
    let (first, last) = (source.line(mapping.span.start), source.line(mapping.span.end));
    let deeper = (first + 1..=last)
        .map(|line| source.line_span(line))
        .filter(|line| !source.slice(*line).trim().is_empty())
        .map(|line| Edit::insert(line.start, "  "));
    std::iter::once(Edit::insert(mapping.span.start, "- ")).chain(deeper).collect()
}

/// Takes the only item out of its list; `None` if there are others.
pub fn out_of_list(source: &SourceFile, list: &Node) -> Option<Vec<Edit>> {
    let [item] = list.items()? else { return None };
    if is_flow(source, list) {
        return Some(vec![
            Edit::delete(Span::new(list.span.start, item.span.start)),
            Edit::delete(Span::new(item.span.end, list.span.end)),
        ]);
    }
    // A blank in the place of the dash leaves everything where it is.
    let before = source.text.get(..item.span.start)?.trim_end();
    before.ends_with('-').then(|| vec![Edit::replace(Span::new(before.len() - 1, before.len()), " ")])
}

/// Makes a text the only item of a list; `None` where that takes more than a dash in front of it.
pub fn text_into_list(source: &SourceFile, mapping: &Node, key: &Node, text: &Node) -> Option<Vec<Edit>> {
    let style = text.style()?;
    if is_flow(source, mapping) {
        return Some(vec![Edit::insert(text.span.start, "["), Edit::insert(text.span.end, "]")])
            .filter(|_| style != crate::yaml::Style::Plain);
    }
    let line = source.line_span(source.line(key.span.start));
    let column = key.span.start - line.start;
    let colon = source.text[key.span.end..].find(':').map(|at| key.span.end + at + 1)?;
    let header = source.text[colon..].find(|c: char| c != ' ').map(|at| colon + at)?;
    // A block begins behind its `|`, all others at their first character.
    let begins_here = if style.is_block() { header < text.span.start } else { header == text.span.start };
    let same_line = source.line(header) == source.line(key.span.start);
    (begins_here && same_line)
        .then(|| vec![Edit::replace(Span::new(colon, header), format!("\n{}- ", " ".repeat(column)))])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    fn apply(text: &str, mut edits: Vec<Edit>) -> String {
        edits.sort_by_key(|edit| std::cmp::Reverse(edit.span.start));
        edits.into_iter().fold(text.to_owned(), |mut text, edit| {
            text.replace_range(edit.span.start..edit.span.end, &edit.text);
            text
        })
    }

    /// The file after a change of what stands under `k`.
    fn changed(text: &str, change: impl Fn(&SourceFile, &Node, &Node, &Node) -> Option<Vec<Edit>>) -> Option<String> {
        let source = SourceFile::new("t.yaml", text);
        let root = yaml::parse(&source).unwrap();
        let (key, value) = root.entry("k").unwrap();
        let changed = apply(text, change(&source, &root, key, value)?);
        assert!(yaml::parse(&SourceFile::new("t.yaml", changed.as_str())).is_ok(), "{changed}");
        Some(changed)
    }

    #[test]
    fn keys_are_taken_out() {
        let removed =
            |text: &str| changed(text, |source, root, _, _| removal(source, root, "k").map(|edit| vec![edit]));
        assert_eq!(removed("a: 1\nk: 2 # why\nb: 3\n").as_deref(), Some("a: 1\nb: 3\n"));
        assert_eq!(removed("a: 1\r\nk:\r\n  - 2\r\nb: 3\r\n").as_deref(), Some("a: 1\r\nb: 3\r\n"));
        assert_eq!(removed("a: 1\nk:\n").as_deref(), Some("a: 1\n"));
        assert_eq!(removed("{ a: 1, k: 2, b: 3 }\n").as_deref(), Some("{ a: 1, b: 3 }\n"));
        assert_eq!(removed("{\"a\": 1, \"k\": 2}\n").as_deref(), Some("{\"a\": 1}\n"));
        assert_eq!(removed("{ k: 2 }\n").as_deref(), Some("{  }\n"));
    }

    #[test]
    fn a_mapping_becomes_a_list_and_back() {
        let listed = |text: &str| changed(text, |source, _, _, value| Some(into_list(source, value)));
        assert_eq!(
            listed("k:\n  path: a\n  content: |\n    x\n\n    y\n").as_deref(),
            Some("k:\n  - path: a\n    content: |\n      x\n\n      y\n")
        );
        assert_eq!(listed("k: { path: a }\n").as_deref(), Some("k: [{ path: a }]\n"));
        let single = |text: &str| changed(text, |source, _, _, value| out_of_list(source, value));
        assert_eq!(single("k:\n- path: a\n  b: c\n").as_deref(), Some("k:\n  path: a\n  b: c\n"));
        assert_eq!(single("k: [ { path: a } ]\n").as_deref(), Some("k: { path: a }\n"));
        assert_eq!(single("k: [{ path: a }, { path: b }]\n"), None);
    }

    #[test]
    fn a_text_becomes_a_list() {
        let listed = |text: &str| changed(text, text_into_list);
        assert_eq!(listed("k: a b\n").as_deref(), Some("k:\n- a b\n"));
        assert_eq!(listed("k: |-\n  a\n  b\n").as_deref(), Some("k:\n- |-\n  a\n  b\n"));
        assert_eq!(listed("{ k: 'a, b' }\n").as_deref(), Some("{ k: ['a, b'] }\n"));
        assert_eq!(listed("{ k: a b }\n"), None);
        assert_eq!(listed("k:\n  a b\n"), None);
    }
}

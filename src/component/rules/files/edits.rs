//! Changes of inputs that keep the layout of the file, in block and in flow style.

use crate::component::model::{Item, Step};
use crate::diagnostic::{Edit, SourceFile, Span};
use crate::yaml::Node;

/// The mapping that stands at a place.
pub fn mapping(root: &Node, span: Span) -> Option<&Node> {
    if root.span == span && root.entries().is_some() {
        return Some(root);
    }
    let inside = |node: &&Node| node.span.contains(span);
    match (root.entries(), root.items()) {
        (Some(entries), _) => entries.iter().map(|(_, value)| value).find(inside).and_then(|node| mapping(node, span)),
        (_, Some(items)) => items.iter().find(inside).and_then(|node| mapping(node, span)),
        _ => None,
    }
}

/// Whether an input is not given at all. One that is misspelled or of the wrong type has been reported by the parser, and
/// is not missed a second time.
pub fn is_absent(root: &Node, step: &Step, item: &Item, name: &str) -> bool {
    let entries = mapping(root, item.span).and_then(Node::entries).unwrap_or_default();
    entries.iter().all(|(key, _)| key.as_str().is_some_and(|key| key != name && step.module.input(key).is_some()))
}

/// The change that adds an input behind the last one; `None` where the layout leaves no plain way. `value` is YAML.
pub fn add(source: &SourceFile, item: &Item, name: &str, value: &str) -> Option<Vec<Edit>> {
    let first = item.fields.first()?;
    let end = item.fields.iter().map(|field| field.value_span.end).max()?;
    if source.text[item.span.start..].starts_with('{') {
        let quote = if source.slice(first.span).starts_with('"') { "\"" } else { "" };
        return Some(vec![Edit::insert(end, format!(", {quote}{name}{quote}: {value}"))]);
    }
    let line = source.line_span(source.line(item.span.start));
    let before = &source.text[line.start..item.span.start];
    let end = source.line_span(source.line(end)).end;
    let plain = before.chars().all(|c| c == ' ' || c == '-');
    plain.then(|| vec![Edit::insert(end, format!("\n{}{name}: {value}", " ".repeat(before.len())))])
}

/// The changes that take keys out of a mapping; `None` if nothing would be left, or if something would go that is not
/// theirs, such as a comment.
pub fn remove(source: &SourceFile, node: &Node, keys: &[&str]) -> Option<Vec<Edit>> {
    let entries = node.entries()?;
    let goes = |index: usize| entries[index].0.as_str().is_some_and(|key| keys.contains(&key));
    let blank = |start: usize, end: usize| {
        source.text.get(start..end).is_some_and(|text| text.chars().all(|c| c.is_whitespace() || c == ','))
    };
    let mut edits = Vec::new();
    let mut index = 0;
    while index < entries.len() {
        if !goes(index) {
            index += 1;
            continue;
        }
        let first = index;
        while index + 1 < entries.len() && goes(index + 1) {
            index += 1;
        }
        let (start, end) = (entries[first].0.span.start, entries[index].1.span.end);
        let span = if let Some((next, _)) = entries.get(index + 1) {
            blank(end, next.span.start).then_some(Span::new(start, next.span.start))
        } else {
            let (_, previous) = &entries[first.checked_sub(1)?];
            blank(previous.span.end, start).then_some(Span::new(previous.span.end, end))
        };
        edits.push(Edit::delete(span?));
        index += 1;
    }
    Some(edits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component;
    use crate::component::modules::Platform;
    use crate::component::rules::{self, Target};
    use crate::diagnostic::Diagnostic;
    use crate::yaml;

    fn apply(text: &str, edits: &[Edit]) -> String {
        let mut out = text.to_owned();
        for edit in edits.iter().rev() {
            out.replace_range(edit.span.start..edit.span.end, &edit.text);
        }
        out
    }

    #[test]
    fn keys_are_taken_out_with_their_lines() {
        for (before, keys, after) in [
            ("- a: 1\n  b: 2\n  c: 3\n", &["b"][..], Some("- a: 1\n  c: 3\n")),
            ("- a: 1\n  b: 2\n  c: 3\n", &["a"], Some("- b: 2\n  c: 3\n")),
            ("- a: 1\n  b: 2\n  c: 3\n", &["b", "c"], Some("- a: 1\n")),
            ("- a: 1\n  b: 2\n  c: 3\n  d: 4\n", &["a", "c"], Some("- b: 2\n  d: 4\n")),
            ("- {a: 1, b: 2, c: 3}\n", &["b"], Some("- {a: 1, c: 3}\n")),
            ("- {a: 1, b: 2, c: 3}\n", &["c"], Some("- {a: 1, b: 2}\n")),
            ("- a: 1\n", &["a"], None),
            ("- a: 1 # why\n  b: 2\n", &["a"], None),
            ("- a: 1 # why\n  b: 2\n", &["b"], None),
        ] {
            let source = SourceFile::new("t.yaml", before);
            let root = yaml::parse(&source).unwrap();
            let node = mapping(&root, root.items().unwrap()[0].span).unwrap();
            assert_eq!(remove(&source, node, keys).map(|edits| apply(before, &edits)).as_deref(), after, "{before}");
        }
    }

    #[test]
    fn an_input_is_added_in_the_style_of_its_neighbours() {
        let head = "schemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - name: One\n        action: DeleteFile\n        inputs:\n";
        for (before, after) in [
            ("          - path: /a # why\n", "          - path: /a # why\n            x: \"1\"\n"),
            ("          - {path: /a}\n", "          - {path: /a, x: \"1\"}\n"),
            ("          - {\"path\": \"/a\"}\n", "          - {\"path\": \"/a\", \"x\": \"1\"}\n"),
            ("          -\n            path: /a", "          -\n            path: /a\n            x: \"1\""),
        ] {
            let text = format!("{head}{before}");
            let source = SourceFile::new("t.yaml", text.clone());
            let document = component::parse(&source).document.unwrap();
            let item = &document.phases[0].steps[0].inputs[0];
            assert_eq!(apply(&text, &add(&source, item, "x", "\"1\"").unwrap()), format!("{head}{after}"));
        }
    }

    /// The fixtures of the rules about modules; each fix that is offered for one must mend what it is about.
    fn fixtures() -> Vec<std::path::PathBuf> {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/rules");
        let families = [super::super::RULES, rules::transfers::RULES, rules::windows::RULES];
        let rules = families.into_iter().flatten();
        let files = rules.flat_map(|rule| std::fs::read_dir(folder.join(rule.id)).unwrap());
        files
            .map(|file| file.unwrap().path())
            .filter(|path| path.extension().is_some_and(|ending| ending == "yaml" || ending == "json"))
            .collect()
    }

    fn target(text: &str) -> Target {
        let windows = text.starts_with("# lint: platform=windows");
        let account = text.starts_with("# lint: accounts=111122223333\n");
        Target {
            platform: windows.then_some(Platform::Windows),
            accounts: if account { vec!["111122223333".to_owned()] } else { vec![] },
            ..Target::default()
        }
    }

    fn check(text: &str) -> Vec<Diagnostic> {
        let source = SourceFile::new("t.yaml", text);
        rules::check(&source, &component::parse(&source), &target(text))
    }

    #[test]
    fn fixes_mend_what_they_are_about_and_nothing_else() {
        let mut fixed = std::collections::BTreeSet::new();
        for path in fixtures() {
            let text = std::fs::read_to_string(&path).unwrap();
            let before = check(&text);
            for finding in &before {
                let Some(fix) = &finding.fix else { continue };
                let after = check(&apply(&text, &fix.edits));
                assert_eq!(after.len() + 1, before.len(), "{}: {} {after:?}", path.display(), fix.title);
                fixed.insert(finding.code);
            }
        }
        let expected = ["M006", "M008", "M010", "M011", "M016", "M020", "M021", "M022", "M023", "M024"];
        assert_eq!(fixed.into_iter().collect::<Vec<_>>(), expected);
    }
}

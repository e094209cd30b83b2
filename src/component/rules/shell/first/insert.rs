//! A new first line of a script.

use crate::component::rules::shell::Commands;
use crate::diagnostic::Edit;
use crate::yaml::Style;

/// The change that puts a line before everything else in a script, in the way the list of commands is written; `None`
/// where that cannot be told.
pub fn first_line<S>(commands: &Commands<'_, S>, line: &str) -> Option<Edit> {
    let (source, first) = (commands.source, commands.templates.first()?);
    let item = first.span();
    let newline = if source.text.contains("\r\n") { "\r\n" } else { "\n" };
    if first.node.style() == Some(Style::Literal) {
        // What the line must be indented by is what stands before the text, whatever the block says about it.
        let lines = first.text().lines().position(|line| !line.is_empty())?;
        let begin = first.text().split_inclusive('\n').take(lines).map(str::len).sum::<usize>();
        let shebang = first.text()[begin..].starts_with("#!").then(|| first.text()[begin..].find('\n')).flatten();
        let at = commands.start_of(begin + shebang.map_or(0, |end| end + 1))?;
        let indent = before(&source.text, at);
        return indent.bytes().all(|byte| byte == b' ').then(|| Edit::insert(at, format!("{line}{newline}{indent}")));
    }
    let lead = before(&source.text, item.start);
    // A block scalar's place begins in the line below its dash: there is no telling what stands before that.
    if first.node.style().is_some_and(Style::is_block) {
        return None;
    }
    let text = if first.node.style() == Some(Style::Double) { format!("\"{line}\"") } else { quoted(line) };
    if lead.trim_start_matches(' ') == "- " {
        let indent = &lead[..lead.len() - 2];
        return Some(Edit::insert(item.start - 2, format!("- {text}{newline}{indent}")));
    }
    let flow = source.text.get(..item.start)?.trim_end().ends_with('[');
    flow.then(|| Edit::insert(item.start, format!("{text}, ")))
}

/// A line as a YAML scalar; most need no quotes.
fn quoted(line: &str) -> String {
    if line.contains('\'') { format!("\"{line}\"") } else { line.to_owned() }
}

/// What stands before a byte in its line.
fn before(text: &str, at: usize) -> &str {
    let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
    &text[start..at]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::rules::{Subject, Target};
    use crate::component::{self};
    use crate::diagnostic::SourceFile;

    fn inserted(commands: &str) -> Option<String> {
        let head = "schemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - name: Run\n        action: ExecuteBash\n        inputs:\n";
        let source = SourceFile::new("t.yaml", format!("{head}{commands}"));
        let parsed = component::parse(&source);
        let target = Target::default();
        let (root, document) = (parsed.root.as_ref().unwrap(), parsed.readable.as_ref().unwrap());
        let subject = Subject::new(&source, root, document, true, &[], &target);
        let edit = first_line(&subject.scripts()[0], "set -e")?;
        let mut text = source.text.clone();
        text.replace_range(edit.span.start..edit.span.end, &edit.text);
        let mended = SourceFile::new("t.yaml", text.clone());
        assert!(component::parse(&mended).readable.is_some(), "{text}");
        Some(text[head.len()..].to_owned())
    }

    #[test]
    fn the_line_comes_first_however_the_list_is_written() {
        for (commands, expected) in [
            (
                "          commands:\n            - |\n              a\n              b\n",
                Some("          commands:\n            - |\n              set -e\n              a\n              b\n"),
            ),
            (
                "          commands:\n            - |\n\n              #!/bin/bash\n              b\n",
                Some(
                    "          commands:\n            - |\n\n              #!/bin/bash\n              set -e\n              b\n",
                ),
            ),
            (
                "          commands:\r\n            - |\r\n              a\r\n              b\r\n",
                Some(
                    "          commands:\r\n            - |\r\n              set -e\r\n              a\r\n              b\r\n",
                ),
            ),
            (
                "          commands:\n          - a\n          - 'b'\n",
                Some("          commands:\n          - set -e\n          - a\n          - 'b'\n"),
            ),
            ("          commands: [\"a\", b]\n", Some("          commands: [\"set -e\", \"a\", b]\n")),
            ("          commands: [a, b]\n", Some("          commands: [set -e, a, b]\n")),
            ("          commands:\n            - >\n              a\n", None),
        ] {
            assert_eq!(inserted(commands).as_deref(), expected, "{commands}");
        }
    }
}

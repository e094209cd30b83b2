//! Comments: what a file says to people.

use super::tree::{Kind, Node};
use crate::diagnostic::{SourceFile, Span};

/// A comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comment {
    /// From its `#` to the end of the line.
    pub span: Span,
    /// Number of its line, from one.
    pub line: usize,
    /// Whether nothing else stands in its line.
    pub alone: bool,
}

impl Comment {
    /// What it says, without `#` and white space around it.
    pub fn text<'a>(&self, source: &'a SourceFile) -> &'a str {
        source.slice(self.span).trim_start_matches('#').trim()
    }
}

/// The comments of a file whose tree is `root`, in file order. What looks like one inside of a text is none.
pub fn comments(source: &SourceFile, root: &Node) -> Vec<Comment> {
    let mut scalars = Vec::new();
    spans(root, &mut scalars);
    scalars.sort_unstable_by_key(|span| span.start);
    let inside = |at: usize| {
        let next = scalars.partition_point(|span| span.start <= at);
        next.checked_sub(1).is_some_and(|index| at < scalars[index].end)
    };
    let mut found = Vec::new();
    let mut start = 0;
    for (number, line) in source.text.split_inclusive('\n').enumerate() {
        let content = line.trim_end();
        let begins =
            |(at, _): &(usize, &str)| (*at == 0 || content[..*at].ends_with([' ', '\t'])) && !inside(start + at);
        if let Some((at, _)) = content.match_indices('#').find(begins) {
            found.push(Comment {
                span: Span::new(start + at, start + content.len()),
                line: number + 1,
                alone: content[..at].trim().is_empty(),
            });
        }
        start += line.len();
    }
    found
}

fn spans(node: &Node, into: &mut Vec<Span>) {
    match &node.kind {
        Kind::Scalar(_) => into.push(node.span),
        Kind::Sequence(items) => items.iter().for_each(|item| spans(item, into)),
        Kind::Mapping(entries) => {
            for (key, value) in entries {
                spans(key, into);
                spans(value, into);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml;

    #[test]
    fn comments_are_told_from_text() {
        let file = "# one\na: b # two\nc: 'x # no'\nd: |  # three\n  # no\n  y # no\n# four\ne: a#no\nf:\n  - >\n    # no\n\n  # five\n  - x\n";
        let source = SourceFile::new("t.yaml", file);
        let root = yaml::parse(&source).unwrap();
        let all = comments(&source, &root);
        let texts: Vec<&str> = all.iter().map(|comment| comment.text(&source)).collect();
        assert_eq!(texts, ["one", "two", "three", "four", "five"]);
        assert_eq!(all.iter().map(|comment| comment.alone).collect::<Vec<_>>(), [true, false, false, true, true]);
        assert_eq!(all[4].line, 13);
    }
}

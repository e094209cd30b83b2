//! From places in the text of a scalar to places in the file.

use super::tree::{Kind, Node, Style};
use crate::diagnostic::{Edit, Span};
use std::ops::Range;

/// Where the text of one scalar stands in its file: what is said about byte 17 of a shell script is said about line 9,
/// column 15 of the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offsets {
    /// Where the whole scalar stands.
    whole: Span,
    style: Style,
    /// Pieces of the text in order; between them stands what a line break was read as. None at all if text and file could
    /// not be brought together.
    runs: Vec<Run>,
}

/// A piece of text and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Run {
    text: Range<usize>,
    source: Range<usize>,
}

impl Run {
    /// Whether it stands in the file as it is in the text; an escape sequence does not.
    fn verbatim(&self) -> bool {
        self.text.len() == self.source.len()
    }
}

impl Offsets {
    /// The offsets of a scalar in the file whose text is `source`; for lists and mappings everything is the whole node.
    pub fn new(source: &str, node: &Node) -> Self {
        let Kind::Scalar(scalar) = &node.kind else {
            return Self { whole: node.span, style: Style::Plain, runs: Vec::new() };
        };
        let raw = source.get(node.span.start..node.span.end).unwrap_or_default();
        let aligner = Aligner { text: &scalar.text, raw, base: node.span.start, style: scalar.style, runs: Vec::new() };
        let runs = if scalar.style == Style::Literal { Some(aligner.lines()) } else { aligner.flowing() };
        Self { whole: node.span, style: scalar.style, runs: runs.unwrap_or_default() }
    }

    /// The offset in the file of a byte of the text.
    pub fn source(&self, at: usize) -> usize {
        let next = self.runs.partition_point(|run| run.text.start <= at);
        let Some(run) = next.checked_sub(1).map(|index| &self.runs[index]) else {
            return self.runs.first().map_or(self.whole.start, |run| run.source.start);
        };
        if at < run.text.end && !run.verbatim() {
            return run.source.start;
        }
        (run.source.start + (at - run.text.start)).min(run.source.end)
    }

    /// The place in the file of a piece of the text.
    pub fn span(&self, range: &Range<usize>) -> Span {
        if self.runs.is_empty() {
            return self.whole;
        }
        let start = self.source(range.start);
        if range.is_empty() {
            return Span::new(start, start);
        }
        let last = self.runs.partition_point(|run| run.text.start < range.end).saturating_sub(1);
        let run = &self.runs[last];
        let end = if range.end >= run.text.end || !run.verbatim() {
            run.source.end
        } else {
            run.source.start + (range.end - run.text.start)
        };
        Span::new(start, end.max(start))
    }

    /// The change of the file that puts `new` in the place of a piece of the text; `None` where it cannot be written there
    /// as it is: over a line break, in an escape sequence, or with characters that the quotes around it would change.
    pub fn edit(&self, range: &Range<usize>, new: &str) -> Option<Edit> {
        let run = self.runs.iter().find(|run| run.text.start <= range.start && range.end <= run.text.end)?;
        let harmful: &[char] = match self.style {
            Style::Literal | Style::Folded => &['\n', '\r'],
            Style::Single => &['\n', '\r', '\''],
            Style::Double => &['\n', '\r', '"', '\\'],
            // In plain text any of these may begin or end something.
            Style::Plain => &['\n', '\r', '#', ':', ',', '[', ']', '{', '}', '"', '\''],
        };
        (run.verbatim() && !new.contains(harmful)).then(|| Edit::replace(self.span(range), new))
    }
}

/// Walks text and file together.
struct Aligner<'a> {
    text: &'a str,
    raw: &'a str,
    base: usize,
    style: Style,
    runs: Vec<Run>,
}

impl Aligner<'_> {
    /// A literal block: each line of the text is the end of a line of the file.
    fn lines(mut self) -> Vec<Run> {
        // Empty lines in front belong to the text, but not to the place of the block.
        let mut text = leading(self.text, &['\n']);
        let mut raw = 0;
        for line in self.raw.split_inclusive('\n') {
            let content = line.trim_end_matches(['\n', '\r']);
            let Some(wanted) = self.text.get(text..).filter(|rest| !rest.is_empty()) else { break };
            let wanted = wanted.split('\n').next().unwrap_or_default();
            if content.ends_with(wanted) {
                let start = raw + content.len() - wanted.len();
                self.push(text..text + wanted.len(), start..raw + content.len(), true);
            }
            text += wanted.len();
            // The line break belongs to its line, so that a place that ends with it does not begin the next one.
            if text < self.text.len() && content.len() < line.len() {
                self.push(text..text + 1, raw + content.len()..raw + line.len(), line.len() - content.len() == 1);
            }
            text += 1;
            raw += line.len();
        }
        self.runs
    }

    /// Every other style: text and file are walked together; line breaks and escapes are what differs.
    fn flowing(mut self) -> Option<Vec<Run>> {
        let quoted = matches!(self.style, Style::Single | Style::Double);
        let (mut text, mut raw) = if quoted { (0, 1) } else { (leading(self.text, &['\n']), 0) };
        let end = if quoted { self.raw.len().checked_sub(1)? } else { self.raw.len() };
        while raw < end && text < self.text.len() {
            let blank = self.blank_with_break(raw, end);
            if blank > 0 {
                text = self.after_break(text, &self.raw[raw..raw + blank]);
                raw += blank;
            } else if let Some((used, made)) = self.escape(raw) {
                self.push(text..text + made, raw..raw + used, false);
                text += made;
                raw += used;
                if made == 0 {
                    raw += leading(&self.raw[raw..end.max(raw)], &[' ', '\t']);
                }
            } else {
                let length = self.raw[raw..].chars().next()?.len_utf8();
                if self.text.get(text..text + length)? != &self.raw[raw..raw + length] {
                    return None;
                }
                self.push(text..text + length, raw..raw + length, true);
                text += length;
                raw += length;
            }
        }
        Some(self.runs)
    }

    /// Adds a piece, to the one before where it continues it.
    fn push(&mut self, text: Range<usize>, raw: Range<usize>, verbatim: bool) {
        if text.is_empty() {
            return;
        }
        let source = self.base + raw.start..self.base + raw.end;
        match self.runs.last_mut() {
            Some(last)
                if verbatim && last.verbatim() && last.text.end == text.start && last.source.end == source.start =>
            {
                last.text.end = text.end;
                last.source.end = source.end;
            }
            _ => self.runs.push(Run { text, source }),
        }
    }

    /// The length of the white space at an offset of the file, if there is a line break in it.
    fn blank_with_break(&self, raw: usize, end: usize) -> usize {
        let rest = &self.raw[raw..end];
        let length = leading(rest, &[' ', '\t', '\n', '\r']);
        if rest[..length].contains(['\n', '\r']) { length } else { 0 }
    }

    /// Where the text goes on after white space with a line break in the file: one break is a blank, each further one a
    /// line break. In folded blocks lines that are indented more keep theirs, so all white space is taken.
    fn after_break(&self, text: usize, blank: &str) -> usize {
        if self.style == Style::Folded {
            return text + leading(&self.text[text..], &[' ', '\n', '\t']);
        }
        let breaks = blank.matches('\n').count();
        (text + breaks.saturating_sub(1).max(1)).min(self.text.len())
    }

    /// An escape sequence at an offset of the file: its length there and in the text.
    fn escape(&self, raw: usize) -> Option<(usize, usize)> {
        let rest = &self.raw[raw..];
        if self.style == Style::Single {
            return rest.starts_with("''").then_some((2, 1));
        }
        let after = rest.strip_prefix('\\').filter(|_| self.style == Style::Double)?;
        Some(match after.chars().next()? {
            'x' => (4, decoded(after.get(1..3)?)?),
            // JSON writes what does not fit into four digits as a pair.
            'u' if after.get(5..7) == Some("\\u") && decoded(after.get(1..5)?).is_none() => (12, 4),
            'u' => (6, decoded(after.get(1..5)?)?),
            'U' => (10, decoded(after.get(1..9)?)?),
            'N' | '_' => (2, 2),
            'L' | 'P' => (2, 3),
            '\n' => (2, 0),
            '\r' => (if after.starts_with("\r\n") { 3 } else { 2 }, 0),
            other => (1 + other.len_utf8(), 1),
        })
    }
}

/// The length in UTF-8 of a character given by its number in hexadecimal.
fn decoded(digits: &str) -> Option<usize> {
    u32::from_str_radix(digits, 16).ok().and_then(char::from_u32).map(char::len_utf8)
}

/// How many bytes of these a text begins with.
fn leading(text: &str, of: &[char]) -> usize {
    text.len() - text.trim_start_matches(of).len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::SourceFile;
    use crate::yaml;
    use proptest::prelude::*;

    fn offsets(file: &str) -> (String, Offsets) {
        let source = SourceFile::new("t.yaml", file);
        let root = yaml::parse(&source).unwrap_or_else(|found| panic!("{found:?}"));
        let node = root.get("k").unwrap().clone();
        (node.as_str().unwrap().to_owned(), Offsets::new(file, &node))
    }

    /// The text of the file that stands for a word of the scalar.
    fn find<'a>(file: &'a str, word: &str) -> &'a str {
        let (text, offsets) = offsets(file);
        let at = text.find(word).unwrap_or_else(|| panic!("{word:?} is not in {text:?}"));
        let span = offsets.span(&(at..at + word.len()));
        &file[span.start..span.end]
    }

    #[test]
    fn words_are_found_in_every_style() {
        assert_eq!(find("k: a bc d\n", "bc"), "bc");
        assert_eq!(find("k: 'it''s bc'\n", "bc"), "bc");
        assert_eq!(find("k: 'it''s'\n", "'s"), "''s");
        assert_eq!(find("k: \"a\\tbc \\u00e9 \\\n   de\"\n", "bc"), "bc");
        assert_eq!(find("k: \"a\\tbc \\u00e9 \\\n   de\"\n", "é"), "\\u00e9");
        assert_eq!(find("k: \"a\\tbc \\u00e9 \\\n   de\"\n", "de"), "de");
        assert_eq!(find("k: \"\\ud83d\\ude00 bc\"\n", "bc"), "bc");
        assert_eq!(find("k: a\n  b\n\n  bc\n", "bc"), "bc");
        assert_eq!(find("k: |\n    one\n      two\n\n    bc\n", "bc"), "bc");
        assert_eq!(find("k: |\n    one\n      two\n\n    bc\n", "  two"), "  two");
        assert_eq!(find("k: |\r\n    one\r\n    bc\r\n", "bc"), "bc");
        assert_eq!(find("k: >\n    one\n    two\n\n      more\n    bc\n", "bc"), "bc");
        assert_eq!(find("k: >\n    one\n    two\n\n      more\n    bc\n", "more"), "more");
        assert_eq!(find("k: |2\n    one\n  bc\n", "bc"), "bc");
        assert_eq!(find("k: |\n\n\n    bc\n", "bc"), "bc");
    }

    #[test]
    fn a_piece_over_a_line_break_reaches_from_first_to_last() {
        assert_eq!(find("k: |\n    one\n    two\n", "one\ntwo"), "one\n    two");
        assert_eq!(find("k: |\n    one\n    two\n", "one\n"), "one\n");
    }

    #[test]
    fn edits_are_refused_where_they_would_not_say_what_they_say() {
        let edit = |file: &str, word: &str, new: &str| {
            let (text, offsets) = offsets(file);
            let at = text.find(word).unwrap();
            offsets.edit(&(at..at + word.len()), new).map(|edit| {
                let mut out = file.to_owned();
                out.replace_range(edit.span.start..edit.span.end, &edit.text);
                out
            })
        };
        assert_eq!(edit("k: |\n    a b\n", "b", "\"c\"").as_deref(), Some("k: |\n    a \"c\"\n"));
        assert_eq!(edit("k: \"a b\"\n", "b", "\"c\""), None);
        assert_eq!(edit("k: 'a b'\n", "b", "\"c\"").as_deref(), Some("k: 'a \"c\"'\n"));
        assert_eq!(edit("k: a b\n", "b", "c: d"), None);
        assert_eq!(edit("k: |\n    a\n    b\n", "a\nb", "c"), None);
    }

    proptest! {
        #[test]
        fn what_stands_at_a_verbatim_place_is_the_text(
            words in prop::collection::vec("[a-z'\"\\\\#: é]{1,8}", 1..6), style in 0..5usize, blank in any::<bool>(),
        ) {
            let words: Vec<String> = words.into_iter().map(|word| format!("w{}w", word.trim())).collect();
            let gap = if blank { "\n\n" } else { "\n" };
            let file = match style {
                0 => format!("k: |\n  {}\n", words.join(&format!("{gap}  "))),
                1 => format!("k: >\n  {}\n", words.join(&format!("{gap}  "))),
                2 => format!("k: '{}'\n", words.join(&format!("{gap}  ")).replace('\'', "''")),
                3 => format!("k: \"{}\"\n", words.join(&format!("{gap}  ")).replace('\\', "\\\\").replace('"', "\\\"")),
                _ => format!("k: {}\n", words.join(&format!("{gap}  ")).replace([':', '#', '\'', '"'], "x")),
            };
            let (text, offsets) = offsets(&file);
            for (at, c) in text.char_indices().filter(|(_, c)| !c.is_whitespace()) {
                let span = offsets.span(&(at..at + c.len_utf8()));
                let there = &file[span.start..span.end];
                prop_assert!(there == c.to_string() || there == format!("\\{c}") || there == "''", "{c:?} {there:?} {file:?}");
            }
        }

        #[test]
        fn any_place_of_any_scalar_can_be_asked_for(file in "k: (?s).{0,40}", from in 0usize..50, length in 0usize..50) {
            let source = SourceFile::new("t.yaml", file.clone());
            if let Some(node) = yaml::parse(&source).ok().and_then(|root| root.get("k").cloned()) {
                let span = Offsets::new(&file, &node).span(&(from..from + length));
                prop_assert!(span.start <= span.end && span.end <= file.len());
            }
        }
    }
}

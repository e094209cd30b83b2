//! The items as one text, and the way back from it to places in the items.

use std::ops::Range;

/// Takes the place of each byte of an expression while the text is read: to every shell it is just a letter, yet it is
/// not one of those that names and keywords are made of.
pub(super) const MASK: u8 = 0x1a;

/// A stretch of one item.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    /// Which item of `commands`, counted from zero.
    pub item: usize,
    /// Which bytes of it; always on character boundaries.
    pub range: Range<usize>,
}

/// What stands around an expression `{{ … }}`. The runner pastes the value into the text before any shell sees it, so
/// unlike a variable it is split at blanks wherever no quotes stand around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Context {
    /// No quotes.
    Unquoted,
    /// No quotes, in the value of an assignment. A blank in the value ends the assignment and begins a command.
    Assignment,
    /// No quotes, inside `[[ … ]]`.
    Test,
    /// Inside `((…))` or `$((…))`.
    Arithmetic,
    /// Inside double quotes.
    DoubleQuoted,
    /// Inside single quotes (and the here-strings `@'…'@` of PowerShell).
    SingleQuoted,
    /// Inside a here-document of bash.
    Heredoc {
        /// Whether its delimiter is quoted, so that the shell expands nothing in it.
        quoted: bool,
    },
    /// Inside a comment.
    Comment,
}

/// The joined items.
#[derive(Debug)]
pub(super) struct Text {
    /// As written.
    pub original: String,
    /// The same, byte for byte, with every expression replaced by [`MASK`].
    pub masked: Vec<u8>,
    /// The expressions, in order.
    pub expressions: Vec<Range<usize>>,
    starts: Vec<usize>,
}

impl Text {
    /// Joins the items by line breaks, as the runner does when it writes the script file.
    pub fn new(items: &[&str]) -> Self {
        let original = items.join("\n");
        let mut masked = original.clone().into_bytes();
        let mut starts = Vec::with_capacity(items.len());
        let mut expressions = Vec::new();
        let mut start = 0;
        for item in items {
            starts.push(start);
            // Looked for item by item: the runner replaces expressions before it joins.
            expressions.extend(expressions_in(item).map(|range| range.start + start..range.end + start));
            start += item.len() + 1;
        }
        for range in &expressions {
            masked[range.clone()].fill(MASK);
        }
        Self { original, masked, expressions, starts }
    }

    /// Where a stretch of the text stands. One that runs over the end of an item is cut there.
    pub fn place(&self, range: &Range<usize>) -> Place {
        let item = self.starts.partition_point(|start| *start <= range.start).saturating_sub(1);
        let start = self.starts.get(item).copied().unwrap_or(0);
        let end = self.starts.get(item + 1).map_or(self.original.len(), |next| next - 1);
        let from = range.start.clamp(start, end);
        let to = range.end.clamp(from, end);
        Place { item, range: from - start..to - start }
    }

    /// The stretch as it was written.
    pub fn slice(&self, range: Range<usize>) -> &str {
        self.original.get(range).unwrap_or_default()
    }

    /// The numbers of the expressions that begin inside a stretch.
    pub fn expressions_within(&self, range: &Range<usize>) -> Range<usize> {
        let from = self.expressions.partition_point(|e| e.start < range.start);
        let to = self.expressions.partition_point(|e| e.start < range.end);
        from..to.max(from)
    }

    /// The text between the braces of an expression, without the blanks around it.
    pub fn inside(&self, number: usize) -> &str {
        self.expressions.get(number).map_or("", |range| self.slice(range.start + 2..range.end - 2).trim())
    }
}

/// The expressions of one item. An unclosed `{{` is none: the rest of the item stays what it is.
fn expressions_in(item: &str) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let open = at + item[at..].find("{{")?;
        let close = open + 2 + item[open + 2..].find("}}")?;
        at = close + 2;
        Some(open..at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_lead_back_to_the_items() {
        let text = Text::new(&["ab", "", "cdé"]);
        assert_eq!(text.original, "ab\n\ncdé");
        for (range, item, expected) in
            [(0..2, 0, 0..2), (1..6, 0, 1..2), (2..3, 0, 2..2), (3..3, 1, 0..0), (4..8, 2, 0..4), (8..8, 2, 4..4)]
        {
            assert_eq!(text.place(&range), Place { item, range: expected }, "{range:?}");
        }
        assert_eq!(Text::new(&[]).place(&(0..0)), Place { item: 0, range: 0..0 });
    }

    #[test]
    fn expressions_are_masked_item_by_item() {
        let text = Text::new(&["a {{ Name }} {{", "}} {{\nx }}"]);
        assert_eq!(text.expressions, [2..12, 19..26]);
        assert_eq!(text.inside(0), "Name");
        assert_eq!(text.inside(1), "x");
        assert_eq!(text.masked.len(), text.original.len());
        assert_eq!(text.masked[2..12], [MASK; 10]);
        assert_eq!(text.expressions_within(&(0..19)), 0..1);
        assert_eq!(text.expressions_within(&(3..40)), 1..2);
    }
}

//! Text of other people's files, made harmless for a terminal.

/// Longer texts of a message are cut: a value of ten megabytes in a sentence explains nothing.
const LONGEST: usize = 4000;

/// Marks a place that is filled in after drawing. Never in a text that went through [`printable`].
pub(super) const MARK: char = '\u{fdd0}';

/// The text with everything that a terminal would obey instead of showing made visible: control characters become their
/// pictures (`␛`), characters that turn the direction of the text become `�`. Tabs and line breaks stay. The number of
/// characters stays the same.
///
/// A document is not trusted: with the escape sequences of a terminal it could hide its findings, or write others.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars().map(visible).collect()
}

/// The text as one cell of a Markdown table: nothing in it ends the cell, begins markup or a link.
#[must_use]
pub fn markdown_cell(text: &str) -> String {
    let mut safe = String::new();
    for c in printable(text).replace(['\n', '\t'], " ").chars() {
        match c {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '!' => safe.extend(['\\', c]),
            c => safe.push(c),
        }
    }
    safe
}

/// As [`printable`], and cut to a length that a person may read.
pub(super) fn message(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => printable(&text[..end]) + "…",
        None => printable(text),
    }
}

/// As [`message`], in one line.
pub(super) fn line(text: &str) -> String {
    message(text).replace(['\n', '\t'], " ")
}

fn visible(c: char) -> char {
    match c {
        '\n' | '\t' => c,
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or(char::REPLACEMENT_CHARACTER),
        '\u{7f}' => '␡',
        // C1 controls (one of them begins escape sequences too), marks and overrides of direction, and characters that are
        // none and that XML refuses.
        '\u{80}'..='\u{9f}'
        | '\u{61c}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{fdd0}'..='\u{fdef}'
        | '\u{fffe}'
        | '\u{ffff}' => char::REPLACEMENT_CHARACTER,
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_terminal_obeys_is_shown() {
        let cases = [
            ("a\tb\nc", "a\tb\nc"),
            ("\u{1b}[31mred\u{1b}[0m", "␛[31mred␛[0m"),
            ("\u{9b}31m", "�31m"),
            ("over\rwritten\u{8}", "over␍written␈"),
            ("\u{202e}txt.exe", "�txt.exe"),
            ("\0\u{7f}", "␀␡"),
            ("größe 日本 🙂", "größe 日本 🙂"),
        ];
        for (text, shown) in cases {
            assert_eq!(printable(text), shown);
        }
    }

    #[test]
    fn long_messages_are_cut() {
        assert_eq!(message(&"ä".repeat(LONGEST)), "ä".repeat(LONGEST));
        assert_eq!(message(&"ä".repeat(LONGEST + 1)), "ä".repeat(LONGEST) + "…");
        assert_eq!(line("a\nb\u{7}"), "a b␇");
    }

    proptest! {
        #[test]
        fn nothing_is_left_to_obey(text in "(?s).{0,60}") {
            let shown = printable(&text);
            prop_assert!(!shown.chars().any(|c| (c.is_control() && c != '\n' && c != '\t') || c == MARK));
            prop_assert_eq!(shown.chars().count(), text.chars().count());
        }
    }
}

//! Text of steps made harmless for those who show it.

use std::borrow::Cow;
use std::fmt::Write;

/// A line in which nothing acts on a terminal: control characters but the tab, and characters that turn the direction of
/// writing, are spelled out (`\x1b`, `\u{202e}`). A step cannot recolour, overwrite or reorder what is told of it.
pub fn line(text: &str) -> Cow<'_, str> {
    spelled_out(text, |c| c == '\t')
}

/// As [`line`], for text of several lines.
pub fn lines(text: &str) -> Cow<'_, str> {
    spelled_out(text, |c| matches!(c, '\t' | '\n'))
}

fn spelled_out(text: &str, allowed: impl Fn(char) -> bool) -> Cow<'_, str> {
    let acts = |c: char| {
        (c.is_control() && !allowed(c))
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(acts) {
        return Cow::Borrowed(text);
    }
    let mut harmless = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        let number = u32::from(c);
        // Writing to a string cannot fail.
        let _ = match acts(c) {
            false => harmless.write_char(c),
            true if number < 0x80 => write!(harmless, "\\x{number:02x}"),
            true => write!(harmless, "\\u{{{number:x}}}"),
        };
    }
    Cow::Owned(harmless)
}

/// Longest text that is shown of a value, in bytes.
const LONGEST_VALUE: usize = 64 * 1024;

/// The beginning of a long value; the rest is only counted.
pub fn beginning(text: &mut String) {
    if text.len() > LONGEST_VALUE {
        let whole = text.len();
        text.truncate(text.floor_char_boundary(LONGEST_VALUE));
        let rest = whole - text.len();
        // Writing to a string cannot fail.
        let _ = write!(text, "… ({rest} more bytes)");
    }
}

/// As [`beginning`], for all texts in a JSON value.
pub fn beginnings(value: &mut serde_json::Value) {
    use serde_json::Value;
    match value {
        Value::String(text) => beginning(text),
        Value::Array(items) => items.iter_mut().for_each(beginnings),
        Value::Object(entries) => entries.values_mut().for_each(beginnings),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A value in a sentence: in quotes, in one line, and not long.
pub fn quoted(text: &str) -> String {
    const LONGEST: usize = 120;
    let cut = text.char_indices().nth(LONGEST).map_or(text, |(end, _)| &text[..end]);
    format!("{cut:?}{}", if cut.len() < text.len() { "…" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_acts_on_a_terminal_is_spelled_out() {
        assert_eq!(line("plain é\ttext"), "plain é\ttext");
        assert_eq!(line("\x1b[31mred\x07 10%\r20%"), "\\x1b[31mred\\x07 10%\\x0d20%");
        assert_eq!(line("\u{9b}2J \u{202e}abc\u{2066}\n"), "\\u{9b}2J \\u{202e}abc\\u{2066}\\x0a");
        assert_eq!(lines("a\nb\0"), "a\nb\\x00");
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        let mut value = serde_json::json!([{ "stdout": "é".repeat(LONGEST_VALUE), "n": 1 }]);
        beginnings(&mut value);
        let shown = value[0]["stdout"].as_str().unwrap();
        assert!(shown.len() < LONGEST_VALUE + 40 && shown.ends_with("é… (65536 more bytes)"), "{}", shown.len());
        assert_eq!(quoted("a\nb"), "\"a\\nb\"");
        assert_eq!(quoted(&"x".repeat(500)).chars().count(), 123);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_acts(text in ".{0,40}") {
            let shown = line(&text);
            prop_assert!(shown.chars().all(|c| c == '\t' || !c.is_control()));
            prop_assert!(shown.chars().count() >= text.chars().count());
        }
    }
}

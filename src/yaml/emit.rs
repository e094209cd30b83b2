//! Writing YAML that every reader reads alike, be it one of YAML 1.1 (the AWS CLI, most of Python, Ruby and Go) or of 1.2.
//!
//! Text is written plain only where no reader of either version takes it for anything else, as a `|` block where it has
//! lines and the block loses nothing, and in double quotes otherwise. In doubt it is quoted.

use serde_json::{Map, Number, Value};

/// How much deeper each level is indented.
const STEP: usize = 2;

/// Readers look for the `:` of a key no further than 1024 characters; a longer key is announced by a `?`.
const LONGEST_KEY: usize = 1_000;

/// Words that some reader takes for a boolean, for nothing, for a merge key or for a default, in any letter case.
const WORDS: [&str; 12] = ["y", "yes", "n", "no", "true", "false", "on", "off", "null", "~", "<<", "="];

/// Writes a value as a YAML document in block style, with a line break at its end.
///
/// The same value gives the same text, byte for byte. Keys come in the order of the value's own map.
pub fn emit(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Array(items) if !items.is_empty() => sequence(&mut out, items, 0),
        Value::Object(entries) if !entries.is_empty() => mapping(&mut out, entries, 0),
        leaf => leaf_line(&mut out, leaf, STEP),
    }
    out
}

/// The entries of a mapping; the place of the first one has been indented already.
fn mapping(out: &mut String, entries: &Map<String, Value>, indent: usize) {
    for (number, (key, value)) in entries.iter().enumerate() {
        if number > 0 {
            pad(out, indent);
        }
        let key = line(key);
        if key.len() > LONGEST_KEY {
            out.push_str("? ");
            out.push_str(&key);
            out.push('\n');
            pad(out, indent);
            out.push(':');
        } else {
            out.push_str(&key);
            out.push(':');
        }
        match value {
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                pad(out, indent + STEP);
                sequence(out, items, indent + STEP);
            }
            Value::Object(entries) if !entries.is_empty() => {
                out.push('\n');
                pad(out, indent + STEP);
                mapping(out, entries, indent + STEP);
            }
            leaf => {
                out.push(' ');
                leaf_line(out, leaf, indent + STEP);
            }
        }
    }
}

/// The items of a list; the place of the first dash has been indented already.
fn sequence(out: &mut String, items: &[Value], indent: usize) {
    for (number, item) in items.iter().enumerate() {
        if number > 0 {
            pad(out, indent);
        }
        out.push_str("- ");
        match item {
            Value::Array(items) if !items.is_empty() => sequence(out, items, indent + STEP),
            Value::Object(entries) if !entries.is_empty() => mapping(out, entries, indent + STEP),
            leaf => leaf_line(out, leaf, indent + STEP),
        }
    }
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

/// What has nothing inside, and the line break behind it; `indent` is that of the lines of a block.
fn leaf_line(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(value) => out.push_str(&number(value)),
        Value::String(text) if is_block(text) => return block(out, text, indent),
        Value::String(text) => out.push_str(&line(text)),
        Value::Array(_) => out.push_str("[]"),
        Value::Object(_) => out.push_str("{}"),
    }
    out.push('\n');
}

/// A number in the form that both versions take for the same: a float has a point, and its exponent a sign.
fn number(number: &Number) -> String {
    let text = number.to_string();
    if number.is_i64() || number.is_u64() {
        return text;
    }
    let (mantissa, exponent) = text.split_once(['e', 'E']).map_or((text.as_str(), None), |(m, e)| (m, Some(e)));
    let point = if mantissa.contains('.') { "" } else { ".0" };
    let exponent = exponent.map_or_else(String::new, |digits| {
        format!("e{}{digits}", if digits.starts_with(['-', '+']) { "" } else { "+" })
    });
    format!("{mantissa}{point}{exponent}")
}

/// Text in one line: plain if that is safe, in double quotes otherwise.
fn line(text: &str) -> String {
    if is_plain(text) { text.to_owned() } else { quoted(text) }
}

/// Whether no reader takes the text, written without quotes, for anything else.
fn is_plain(text: &str) -> bool {
    let Some(first) = text.chars().next() else { return false };
    let begins_well = first.is_alphanumeric() || matches!(first, '_' | '/' | '.' | '$' | '(' | '^');
    let ends_well = !text.ends_with([' ', ':']);
    let is_quiet = !text.contains(": ") && !text.contains(" #") && !text.contains("{{") && !text.starts_with("..");
    begins_well
        && ends_well
        && is_quiet
        && !text.chars().any(|c| c == '\t' || c == '\n' || is_escaped(c))
        && !WORDS.iter().any(|word| word.eq_ignore_ascii_case(text))
        && !is_like_a_number(text)
}

/// Whether a reader might take the text for a number, a date, a time or a number to the base of 60: it begins like one,
/// and holds nothing that none of them can.
fn is_like_a_number(text: &str) -> bool {
    let begins = text.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    // Hexadecimal digits, `0x`, `0o`, `0b`, `.inf`, `.nan`, `T` and `Z` of dates, what groups digits (Ruby: a comma, too).
    let belongs = |c: char| c.is_ascii_hexdigit() || "xXoOtTzZiInN_,.:+- ".contains(c);
    begins && text.chars().all(belongs)
}

/// Whether a character cannot be written as it is: not printable in one of the versions, a line break in one of them, or
/// nothing that can be seen.
fn is_escaped(c: char) -> bool {
    match c {
        '\t' | '\n' | ' '..='~' => false,
        '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'.. => {
            c.is_whitespace()
                || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
                    | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
                || (u32::from(c) & 0xfffe) == 0xfffe
        }
        _ => true,
    }
}

/// A text in double quotes, so that no reader, 1.1 or 1.2, takes it for anything else than text. What either version does
/// not print or counts as a line break is escaped, and the text stays in one line.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\0' => out.push_str("\\0"),
            c if !is_escaped(c) => out.push(c),
            c => out.push_str(&escaped(u32::from(c))),
        }
    }
    out.push('"');
    out
}

/// The escape of a character by its number, in the shortest of the three forms.
fn escaped(number: u32) -> String {
    match number {
        0..=0xff => format!("\\x{number:02X}"),
        0x100..=0xffff => format!("\\u{number:04X}"),
        _ => format!("\\U{number:08X}"),
    }
}

/// Whether text is written as a `|` block: it has lines, and each reader gets them back as they are.
///
/// A first line that begins with white space would have to state its indentation, and white space at the end of the last
/// line would look like none.
fn is_block(text: &str) -> bool {
    let has_lines = text.trim_end_matches('\n').contains('\n') || (text.len() > 1 && text.ends_with('\n'));
    let first = text.trim_start_matches('\n');
    let last = text.trim_end_matches('\n');
    has_lines
        && !first.is_empty()
        && !first.starts_with([' ', '\t'])
        && !last.ends_with([' ', '\t'])
        && !text.chars().any(is_escaped)
}

fn block(out: &mut String, text: &str, indent: usize) {
    let kept = text.len() - text.trim_end_matches('\n').len();
    // Line breaks at the end: none, one, or as many as there are.
    out.push_str(match kept {
        0 => "|-\n",
        1 => "|\n",
        _ => "|+\n",
    });
    let lines = text.strip_suffix('\n').unwrap_or(text);
    for line in lines.split('\n') {
        if !line.is_empty() {
            pad(out, indent);
            out.push_str(line);
        }
        out.push('\n');
    }
}

#[cfg(test)]
#[path = "emit_tests.rs"]
mod tests;

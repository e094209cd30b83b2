//! A scanner for Terraform's configuration language: as much of it as it takes to find attributes of resources.
//!
//! It takes any text, reads each byte a bounded number of times, and keeps what is open on a list of its own, so that
//! neither length nor depth of the input can harm it.

use std::ops::Range;

/// A piece of a configuration. White space and comments are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// A name, keyword or number.
    Word,
    /// `"…"`, with the quotes.
    Quoted,
    /// `<<EOT … EOT`.
    Heredoc,
    /// Any other byte.
    Sign(u8),
    /// The end of a line.
    Break,
}

/// A token and its place.
pub(super) type Located = (Token, Range<usize>);

/// The beginning of a heredoc.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Heredoc {
    /// The word that ends it.
    pub marker: Range<usize>,
    /// `<<-`: the common indentation of its lines is taken away.
    pub flush: bool,
    /// Where its first line begins.
    pub body: usize,
}

/// What is open while something is skipped.
enum Open {
    /// An expression in braces, with the number of further braces open in it.
    Code(usize),
    Quotes,
    Lines(Range<usize>),
}

/// The tokens of a configuration.
pub(super) fn tokens(text: &str) -> Vec<Located> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        if let Some(end) = comment(text, at) {
            at = end;
            continue;
        }
        let (token, end) = match byte {
            b' ' | b'\t' | b'\r' => {
                at += 1;
                continue;
            }
            b'\n' => (Token::Break, at + 1),
            b'"' => (Token::Quoted, close(text, at + 1, Open::Quotes)),
            _ if is_word(byte) => (Token::Word, at + bytes[at..].iter().take_while(|byte| is_word(**byte)).count()),
            _ => match heredoc(text, at) {
                Some(heredoc) => (Token::Heredoc, close(text, heredoc.body, Open::Lines(heredoc.marker))),
                None => (Token::Sign(byte), at + 1),
            },
        };
        found.push((token, at..end));
        at = end;
    }
    found
}

/// The end of the `${ … }` or `%{ … }` whose expression begins at an offset.
pub(super) fn end_of_expression(text: &str, at: usize) -> usize {
    close(text, at, Open::Code(0))
}

/// The heredoc that begins at an offset.
pub(super) fn heredoc(text: &str, at: usize) -> Option<Heredoc> {
    let after = text.get(at..)?.strip_prefix("<<")?;
    let flush = after.starts_with('-');
    let start = at + 2 + usize::from(flush);
    let length = text.as_bytes()[start..].iter().take_while(|byte| is_word(**byte)).count();
    let rest = &text[start + length..];
    let line_end = if rest.starts_with("\r\n") { 2 } else { usize::from(rest.starts_with('\n')) };
    (length > 0 && line_end > 0).then(|| Heredoc {
        marker: start..start + length,
        flush,
        body: start + length + line_end,
    })
}

/// Where the line begins that ends a heredoc whose token ends at `end`; `None` if nothing ends it.
pub(super) fn last_line(text: &str, heredoc: &Heredoc, end: usize) -> Option<usize> {
    let start = text[..end].rfind('\n').map_or(0, |at| at + 1);
    (start >= heredoc.body && text[start..end].trim() == &text[heredoc.marker.clone()]).then_some(start)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-' || !byte.is_ascii()
}

/// The end of the comment that begins at an offset.
fn comment(text: &str, at: usize) -> Option<usize> {
    let rest = &text.as_bytes()[at..];
    let until = |needle: &str, keep: usize| text[at..].find(needle).map_or(text.len(), |end| at + end + keep);
    match rest {
        [b'#', ..] | [b'/', b'/', ..] => Some(until("\n", 0)),
        [b'/', b'*', ..] => Some(text[at + 2..].find("*/").map_or(text.len(), |end| at + end + 4)),
        _ => None,
    }
}

/// The offset behind the end of what is open at an offset; the end of the text if it is never closed.
fn close(text: &str, mut at: usize, open: Open) -> usize {
    let mut stack = vec![open];
    while at < text.len() {
        at = match stack.last() {
            None => return at,
            Some(Open::Code(_)) => code(text, at, &mut stack),
            Some(Open::Quotes) => quotes(text, at, &mut stack),
            Some(Open::Lines(marker)) => {
                let marker = marker.clone();
                lines(text, at, &marker, &mut stack)
            }
        };
    }
    at.min(text.len())
}

fn code(text: &str, at: usize, stack: &mut Vec<Open>) -> usize {
    let byte = text.as_bytes()[at];
    if !byte.is_ascii() {
        return at + 1;
    }
    if let Some(end) = comment(text, at) {
        return end;
    }
    match (byte, stack.last_mut()) {
        (b'"', _) => stack.push(Open::Quotes),
        (b'{', Some(Open::Code(depth))) => *depth += 1,
        (b'}', Some(Open::Code(0))) => {
            stack.pop();
        }
        (b'}', Some(Open::Code(depth))) => *depth -= 1,
        (b'<', _) => {
            if let Some(heredoc) = heredoc(text, at) {
                stack.push(Open::Lines(heredoc.marker));
                return heredoc.body;
            }
        }
        _ => {}
    }
    at + 1
}

fn quotes(text: &str, at: usize, stack: &mut Vec<Open>) -> usize {
    match text.as_bytes()[at..] {
        [b'"', ..] => {
            stack.pop();
            at + 1
        }
        // A quote does not reach over its line; whatever follows is read again.
        [b'\n', ..] => {
            stack.pop();
            at
        }
        [b'\\', b'\n', ..] => at + 1,
        [b'\\', ..] => at + 2,
        _ => literal(text, at, stack),
    }
}

fn lines(text: &str, at: usize, marker: &Range<usize>, stack: &mut Vec<Open>) -> usize {
    let bytes = text.as_bytes();
    if at == 0 || bytes[at - 1] == b'\n' {
        let end = bytes[at..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |length| at + length);
        if text[at..end].trim() == &text[marker.clone()] {
            stack.pop();
            return at + text[at..end].trim_end().len();
        }
    }
    literal(text, at, stack)
}

/// One step in the text of a template.
fn literal(text: &str, at: usize, stack: &mut Vec<Open>) -> usize {
    match text.as_bytes()[at..] {
        [b'$', b'$', b'{', ..] | [b'%', b'%', b'{', ..] => at + 3,
        [b'$' | b'%', b'{', ..] => {
            stack.push(Open::Code(0));
            at + 2
        }
        _ => at + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str) -> Vec<String> {
        let shown = |(token, range): Located| match token {
            Token::Break => "⏎".to_owned(),
            _ => text[range].to_owned(),
        };
        tokens(text).into_iter().map(shown).collect()
    }

    #[test]
    fn tokens_are_told_apart() {
        assert_eq!(shown("a-b = \"x\" # c \"\n// d\nf(1)"), ["a-b", "=", "\"x\"", "⏎", "⏎", "f", "(", "1", ")"]);
        assert_eq!(shown("a /* \"\n*/ b"), ["a", "b"]);
        assert_eq!(shown(r#""a ${f("}", { x = "\"" })} \" b" c"#), [r#""a ${f("}", { x = "\"" })} \" b""#, "c"]);
        assert_eq!(shown(r#""$${x" y"#), [r#""$${x""#, "y"]);
        assert_eq!(shown("x = <<-EOT\n  a \"${b}\n  EOT \ny"), ["x", "=", "<<-EOT\n  a \"${b}\n  EOT", "⏎", "y"]);
        assert_eq!(shown("<<EOT\n${<<X\n}\nX\n}\nEOT\ny"), ["<<EOT\n${<<X\n}\nX\n}\nEOT", "⏎", "y"]);
        assert_eq!(shown("\"open\ny \"a\\\nz"), ["\"open", "⏎", "y", "\"a\\", "⏎", "z"]);
        assert_eq!(shown("a << b"), ["a", "<", "<", "b"]);
    }

    #[test]
    fn it_ends_on_megabytes() {
        for part in ["{", "\"", "\"${", "<<E\n${", "${\"", "/*", "\\", "<<", "<<-", "é"] {
            let text = part.repeat(1_000_000 / part.len());
            assert!(tokens(&text).len() <= text.len());
        }
    }

    proptest! {
        #[test]
        fn tokens_are_in_order_and_inside(parts in prop::collection::vec(prop::sample::select(vec![
            "a", "\"", "${", "$${", "%{", "}", "{", "<<EOT\n", "<<-E\n", "EOT\n", "E\n", "\n", "\\", "#", "//", "/*", "*/", "é", " ", "=", "\r\n",
        ]), 0..30)) {
            let text = parts.concat();
            let mut last = 0;
            for (_, range) in tokens(&text) {
                prop_assert!(last <= range.start && range.start < range.end && range.end <= text.len());
                prop_assert!(text.is_char_boundary(range.start) && text.is_char_boundary(range.end));
                last = range.end;
            }
        }
    }
}

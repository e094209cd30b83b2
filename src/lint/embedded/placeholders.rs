//! What CloudFormation replaces in the text of a property before Image Builder sees it.

use std::ops::Range;

/// A piece of such a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// Taken as it is.
    Literal(Range<usize>),
    /// `${!` of `${!Name}`, which stands for `${`.
    Dollar(Range<usize>),
    /// `${Name}` in a text of `Fn::Sub`, or a dynamic reference `{{resolve:…}}` in any text.
    Unknown(Range<usize>),
}

/// Splits a text. `sub`: it is the text of `Fn::Sub`.
pub(super) fn pieces(text: &str, sub: bool) -> Vec<Piece> {
    let last_brace = text.rfind('}').unwrap_or(0);
    let mut found = Vec::new();
    let (mut literal, mut at) = (0, 0);
    while let Some(offset) = text[at..].find(['$', '{']) {
        at += offset;
        let rest = &text[at..];
        let piece = if sub && rest.starts_with("${!") && at < last_brace {
            Some(Piece::Dollar(at..at + 3))
        } else {
            let length = if sub { variable(rest) } else { None }.or_else(|| reference(rest));
            length.map(|length| Piece::Unknown(at..at + length))
        };
        let Some(piece) = piece else {
            at += 1;
            continue;
        };
        if literal < at {
            found.push(Piece::Literal(literal..at));
        }
        let (Piece::Literal(range) | Piece::Dollar(range) | Piece::Unknown(range)) = &piece;
        at = range.end;
        literal = at;
        found.push(piece);
    }
    if literal < text.len() {
        found.push(Piece::Literal(literal..text.len()));
    }
    found
}

/// The length of a `${Name}` that a text begins with.
fn variable(text: &str) -> Option<usize> {
    let inside = text.strip_prefix("${")?;
    let length = inside.bytes().take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b':' | b'_')).count();
    (length > 0 && inside[length..].starts_with('}')).then_some(length + 3)
}

/// The length of a dynamic reference that a text begins with.
fn reference(text: &str) -> Option<usize> {
    let inside = text.strip_prefix("{{resolve:")?;
    // References are short; a limit keeps the search linear where the braces are never closed.
    let window = &inside[..inside.floor_char_boundary(2048.min(inside.len()))];
    let line = window.split('\n').next()?;
    Some("{{resolve:".len() + line.find("}}")? + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str, sub: bool) -> Vec<String> {
        let show = |piece: Piece| match piece {
            Piece::Literal(range) => format!("={}", &text[range]),
            Piece::Dollar(range) => format!("${}", &text[range]),
            Piece::Unknown(range) => format!("?{}", &text[range]),
        };
        pieces(text, sub).into_iter().map(show).collect()
    }

    #[test]
    fn what_is_replaced_is_told_from_what_stays() {
        assert_eq!(shown("a ${B} c", true), ["=a ", "?${B}", "= c"]);
        assert_eq!(shown("a ${B} c", false), ["=a ${B} c"]);
        assert_eq!(shown("${AWS::Region}${x.y}", true), ["?${AWS::Region}", "?${x.y}"]);
        assert_eq!(shown("${!HOME}/${!a[@]}", true), ["$${!", "=HOME}/", "$${!", "=a[@]}"]);
        assert_eq!(shown("${A:-b} ${} $x { ${", true), ["=${A:-b} ${} $x { ${"], "CloudFormation takes no such names");
        assert_eq!(shown("${!open", true), ["=${!open"]);
        assert_eq!(shown("{{ A }} {{resolve:ssm:x:1}}", false), ["={{ A }} ", "?{{resolve:ssm:x:1}}"]);
        assert_eq!(shown("{{resolve:ssm:x\n}}", true), ["={{resolve:ssm:x\n}}"]);
    }

    #[test]
    fn it_ends_on_a_megabyte_of_openings() {
        for opening in ["${", "${!", "${a", "{{resolve:"] {
            let text = opening.repeat(300_000);
            assert!(!pieces(&text, true).is_empty());
        }
    }
}

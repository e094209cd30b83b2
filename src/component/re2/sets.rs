//! Sets of characters, as Go's `regexp` understands them.
//!
//! `\d`, `\s`, `\w` and the names in `[:name:]` are of ASCII. Where letter case does not count, each of them is widened by
//! the other cases first (so that `(?i)\w` takes the Kelvin sign) and negated afterwards.

use super::found::PatternError;
use super::names;
use super::pieces::{Member, Set};
use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};

/// The characters of a set that stands in `pattern`.
pub(super) fn characters(set: &Set, pattern: &str) -> Result<ClassUnicode, PatternError> {
    let mut all = ClassUnicode::empty();
    for member in &set.members {
        all.union(&characters_of(member, set.fold, pattern)?);
    }
    if set.negated {
        all.negate();
    }
    Ok(all)
}

/// A single character, with its other cases if they do not count. Numbers of halves of characters (surrogates) are in no
/// text.
pub(super) fn character(number: u32, fold: bool) -> ClassUnicode {
    folded(range(number, number), fold)
}

fn characters_of(member: &Member, fold: bool, pattern: &str) -> Result<ClassUnicode, PatternError> {
    match member {
        Member::Range(low, high) => Ok(folded(range(*low, *high), fold)),
        Member::Escape(letter) => {
            let ranges = match letter.to_ascii_lowercase() {
                b'd' => names::ranges("digit"),
                // Unlike `[:space:]`, `\s` does not take the vertical tab.
                b's' => &[('\t', '\n'), ('\u{c}', '\r'), (' ', ' ')],
                _ => names::ranges("word"),
            };
            Ok(turned(folded(ascii(ranges), fold), letter.is_ascii_uppercase()))
        }
        Member::Posix(place) => {
            let name = &pattern[place.clone()];
            let set = ascii(names::ranges(name.trim_start_matches('^')));
            Ok(turned(folded(set, fold), name.starts_with('^')))
        }
        Member::Property(place) => property(&pattern[place.clone()], fold),
    }
}

/// `\pN`, `\p{Name}`, `\P{^Name}`.
fn property(text: &str, fold: bool) -> Result<ClassUnicode, PatternError> {
    let name = text[2..].trim_start_matches('{').trim_end_matches('}');
    let negated = text.starts_with("\\P") != name.starts_with('^');
    let unknown = || PatternError::Property(text.to_owned());
    let (known, category) = names::property(name.trim_start_matches('^')).ok_or_else(unknown)?;
    let kind = match known {
        "Any" | "ASCII" | "Assigned" => format!("\\p{{{known}}}"),
        // Halves of characters are in no text.
        "Cs" | "Surrogate" => return Ok(turned(ClassUnicode::empty(), negated)),
        _ if category => format!("\\p{{gc={known}}}"),
        _ => format!("\\p{{sc={known}}}"),
    };
    let parsed = regex_syntax::parse(&kind).map_err(|_| unknown())?;
    match parsed.into_kind() {
        HirKind::Class(Class::Unicode(set)) => Ok(turned(folded(set, fold), negated)),
        // A set of one character is read as that character.
        HirKind::Literal(literal) => {
            let single = std::str::from_utf8(&literal.0).ok().and_then(|text| text.chars().next());
            single.map(|c| turned(folded(range(c.into(), c.into()), fold), negated)).ok_or_else(unknown)
        }
        _ => Err(unknown()),
    }
}

fn range(low: u32, high: u32) -> ClassUnicode {
    // The gap between the two is that of the surrogates.
    let low = char::from_u32(low).unwrap_or('\u{e000}');
    let high = char::from_u32(high).unwrap_or('\u{d7ff}');
    if low > high { ClassUnicode::empty() } else { ClassUnicode::new([ClassUnicodeRange::new(low, high)]) }
}

fn ascii(ranges: &[(char, char)]) -> ClassUnicode {
    ClassUnicode::new(ranges.iter().map(|(low, high)| ClassUnicodeRange::new(*low, *high)))
}

fn folded(mut set: ClassUnicode, fold: bool) -> ClassUnicode {
    if fold {
        set.case_fold_simple();
    }
    set
}

fn turned(mut set: ClassUnicode, negated: bool) -> ClassUnicode {
    if negated {
        set.negate();
    }
    set
}

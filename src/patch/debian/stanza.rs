//! The stanza format of dpkg and apt: `Field: value` lines, continuation lines that begin with a space, a blank line
//! between stanzas.

use deb822_fast::borrowed::{BorrowedField, iter_paragraphs_borrowed};

/// A line that is neither a field nor a continuation of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Malformed {
    /// The beginning of the line.
    pub(super) line: String,
}

/// The values of the `N` fields named `wanted` of every stanza: the first line of the value, `None` when absent. Field
/// names match without regard to case, as dpkg reads them; when a field stands twice, the first counts.
///
/// Nothing is copied out of the text: it can be a package list of 50 MB and 60,000 stanzas.
pub(super) fn stanzas<'a, const N: usize>(
    text: &'a str,
    wanted: [&'static str; N],
) -> impl Iterator<Item = Result<[Option<&'a str>; N], Malformed>> {
    iter_paragraphs_borrowed(text).map(move |stanza| match stanza {
        Ok(stanza) => {
            let mut values = [None; N];
            for field in stanza.iter() {
                take(field, &wanted, &mut values);
            }
            Ok(values)
        }
        Err(deb822_fast::Error::UnexpectedToken(line)) => Err(Malformed { line: line.chars().take(60).collect() }),
        Err(other) => Err(Malformed { line: other.to_string() }),
    })
}

/// Remembers the value when the field is one of those `wanted`.
fn take<'a, const N: usize>(field: &BorrowedField<'a>, wanted: &[&str; N], values: &mut [Option<&'a str>; N]) {
    let position = wanted.iter().position(|name| name.eq_ignore_ascii_case(field.name()));
    if let Some(value) = position.and_then(|position| values.get_mut(position)) {
        value.get_or_insert(field.lines().first().map_or("", |line| line.trim_ascii()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<[Option<&str>; 2]> {
        stanzas(text, ["Package", "Version"]).collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn stanzas_end_at_blank_lines_and_at_the_end_of_the_text() {
        let text = "\n\nPackage: a\nVersion: 1\n\n \nPackage: b\nVersion:2\n\nPackage: c";
        assert_eq!(read(text), [[Some("a"), Some("1")], [Some("b"), Some("2")], [Some("c"), None]]);
        assert!(read("").is_empty());
    }

    #[test]
    fn continuation_lines_comments_and_similar_names_are_not_fields() {
        let text = "Package: a\nDescription: x\n Version: 9\n\tVersion: 8\n#Version: 7\nVersion-Of: 6\nversion: 1\nVersion: 2\n";
        assert_eq!(read(text), [[Some("a"), Some("1")]]);
    }

    #[test]
    fn a_damaged_text_is_an_error_that_shows_the_line() {
        let mut read = stanzas("Package: a\n\nPackage: b\nVersi", ["Package"]);
        assert_eq!(read.next(), Some(Ok([Some("a")])));
        assert_eq!(read.next(), Some(Err(Malformed { line: "Versi".into() })));
        assert_eq!(read.next(), None);
    }
}

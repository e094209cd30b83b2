//! How large a document may be.

use crate::component::rules::model::Findings;
use crate::component::rules::subject::Target;
use crate::diagnostic::{SourceFile, Span};
use std::sync::Arc;

/// Most characters of a document that is given as text (the API counts characters).
const INLINE: usize = 16_000;
/// Most bytes of any document; a KB is taken as 1,024 bytes.
const QUOTA: usize = 64 * 1024;

/// `D010`
pub(super) fn too_large(source: &Arc<SourceFile>, target: &Target, found: &mut Findings<'_>) {
    let text = source.text.as_str();
    if text.len() > QUOTA {
        let message = format!("the document has {} bytes, {QUOTA} (64 KB) are allowed", text.len());
        found.add(
            found
                .at(character(text, text.floor_char_boundary(QUOTA)), message, "too much from here on")
                .note("the quota for the size of a component can be raised")
                .help("move scripts into files that S3Download or WebDownload fetches, or make several components"),
        );
    } else if target.inline
        && let Some((at, _)) = text.char_indices().nth(INLINE)
    {
        let message = format!("the document has {} characters, {INLINE} are allowed as text", text.chars().count());
        found.add(
            found
                .at(character(text, at), message, "too much from here on")
                .note("`data` of CreateComponent takes 16,000 characters, a file in S3 (`uri`) 64 KB")
                .help("give it through S3, or move scripts into files that S3Download fetches"),
        );
    }
}

/// The place of one character.
fn character(text: &str, at: usize) -> Span {
    let width = text[at..].chars().next().map_or(0, char::len_utf8);
    Span::new(at, at + width)
}

#[cfg(test)]
mod tests {
    use crate::component;
    use crate::component::rules::{self, Target};
    use crate::diagnostic::SourceFile;

    fn is_too_large(text: &str, inline: bool) -> bool {
        let source = SourceFile::new("c.yaml", text);
        let target = Target { inline, ..Target::default() };
        rules::check(&source, &component::parse(&source), &target).iter().any(|found| found.code == "D010")
    }

    #[test]
    fn the_limits_are_inclusive_and_count_what_they_say() {
        let comment = |characters: usize, c: &str| format!("#{}", c.repeat(characters - 1));
        assert!(!is_too_large(&comment(16_000, "x"), true) && is_too_large(&comment(16_001, "x"), true));
        assert!(!is_too_large(&comment(16_000, "é"), true), "characters, not bytes");
        assert!(!is_too_large(&comment(16_001, "x"), false));
        assert!(!is_too_large(&comment(65_536, "x"), false) && is_too_large(&comment(65_537, "x"), false));
        assert!(is_too_large(&comment(40_000, "é"), false), "bytes, not characters");
    }
}

//! Turns what the parser stumbled over into something a person can act on.

use crate::diagnostic::{Diagnostic, SourceFile, Span};
use granit_parser::{ErrorKind, ScanError};
use std::sync::Arc;

/// The diagnostic for a syntax error.
pub fn syntax(source: &Arc<SourceFile>, error: &ScanError) -> Diagnostic {
    let at = error.marker().byte_offset().unwrap_or(source.text.len()).min(source.text.len());
    if let Some(span) = unquoted_expression(&source.text, at) {
        return expression(source, span);
    }
    if let Some(tab) = tab_before(&source.text, at) {
        let (code, message, label, help) = words(&ErrorKind::TabInIndentation);
        let diagnostic = Diagnostic::error(code, message.unwrap_or_default()).at(source, tab, label);
        return help.into_iter().fold(diagnostic, Diagnostic::help);
    }
    if let ErrorKind::UnexpectedCharacter { character } = error.kind()
        && character.is_control()
    {
        return control_character(source, at, *character);
    }
    let width = source.text[source.text.floor_char_boundary(at)..].chars().next().map_or(0, char::len_utf8);
    let (code, message, label, help) = words(error.kind());
    let message = message.map_or_else(|| format!("not valid YAML: {}", error.info()), str::to_owned);
    let diagnostic = Diagnostic::error(code, message).at(source, Span::new(at, at + width), label);
    help.into_iter().fold(diagnostic, Diagnostic::help)
}

/// An expression without quotes, which YAML reads as a mapping.
pub fn expression(source: &Arc<SourceFile>, span: Span) -> Diagnostic {
    Diagnostic::error("Y008", "a value that begins with `{{` must be quoted")
        .at(source, span, "YAML reads a mapping here")
        .help("put the whole value in quotes: \"{{ Name }}\"")
}

type Words = (&'static str, Option<&'static str>, &'static str, Option<&'static str>);

/// Code, message, label and help for a kind of error; without a message the parser's own words are used.
fn words(kind: &ErrorKind) -> Words {
    use ErrorKind as K;
    match kind {
        K::TabNotAllowed
        | K::TabInBlockIndentation
        | K::TabInIndentation
        | K::TabAtBlockScalarStart
        | K::InvalidBlockEntryWhitespace => (
            "Y002",
            Some("a tab is used for indentation"),
            "a tab",
            Some("indent with spaces; most editors can convert the whole file"),
        ),
        K::MappingValueNotAllowed | K::InvalidColonPlacement => (
            "Y001",
            Some("not valid YAML: a second `:` in this line, or a key that is indented wrongly"),
            "no value can begin here",
            Some("quote a value that contains `: `, or line the key up with its neighbours"),
        ),
        K::UnclosedQuotedScalar => (
            "Y001",
            Some("not valid YAML: a quote is never closed"),
            "it begins here",
            Some("close it; inside single quotes a single quote is written twice"),
        ),
        K::UnclosedFlowCollection { .. } => {
            ("Y001", Some("not valid YAML: a bracket is never closed"), "opened here", Some("add the closing bracket"))
        }
        K::UnexpectedCharacter { .. } => (
            "Y001",
            Some("not valid YAML: no value can begin with this character"),
            "this one",
            Some("put the value in quotes"),
        ),
        K::MissingAnchorOrAliasName => (
            "Y001",
            Some("not valid YAML: `*` and `&` begin an alias or an anchor"),
            "the name is missing",
            Some("put a text that begins with `*` or `&` in quotes: '*'"),
        ),
        K::ExpectedBlockMappingKey | K::SimpleKeyExpected | K::InvalidSimpleKey => (
            "Y001",
            Some("not valid YAML: a `key: value` was expected"),
            "this does not continue what stands above",
            Some("look for a missing `:` or for indentation that differs from the lines above"),
        ),
        K::ExpectedBlockSequenceEntry | K::BlockSequenceEntryNotAllowed => (
            "Y001",
            Some("not valid YAML: a list item stands where none can"),
            "this does not continue what stands above",
            Some("line the dashes of a list up, and do not mix list items and keys at one depth"),
        ),
        K::InvalidIndentation | K::InvalidBlockScalarIndent | K::InvalidQuotedScalarIndent => (
            "Y001",
            Some("not valid YAML: the indentation does not fit"),
            "indented differently from what it belongs to",
            Some("line it up with its neighbours, using spaces"),
        ),
        K::RecursionLimitExceeded => (
            "Y001",
            Some("lists and mappings are nested more than 255 levels deep"),
            "too deep",
            Some("no file used here needs such depth; look for brackets that are never closed"),
        ),
        _ => ("Y001", None, "", None),
    }
}

/// A character that cannot be seen. The parser may report it where the text around it begins.
fn control_character(source: &Arc<SourceFile>, at: usize, character: char) -> Diagnostic {
    let from = source.text.floor_char_boundary(at.min(source.text.len()));
    let found = source.text[from..].find(character).map_or(from, |found| from + found);
    let span = Span::new(found, (found + character.len_utf8()).min(source.text.len()));
    Diagnostic::error("Y001", format!("not valid YAML: a control character (U+{:04X})", u32::from(character)))
        .at(source, span, "this character cannot be seen, and cannot stand here")
        .help("remove it; the file may not be UTF-8 text")
}

/// The first tab of the indentation of an error's line: the parser may get past it and stumble over what follows.
fn tab_before(text: &str, at: usize) -> Option<Span> {
    let line_start = text[..text.floor_char_boundary(at)].rfind('\n').map_or(0, |position| position + 1);
    let indentation = text[line_start..].find(|c| c != ' ' && c != '\t').unwrap_or(0);
    let tab = line_start + text[line_start..line_start + indentation].find('\t')?;
    Some(Span::new(tab, tab + 1))
}

/// If the line of an error holds a value that begins with `{{`, that value: it is the cause more often than not.
fn unquoted_expression(text: &str, at: usize) -> Option<Span> {
    let at = text.floor_char_boundary(at.min(text.len()));
    let line_start = text[..at].rfind('\n').map_or(0, |position| position + 1);
    let line = text[line_start..].split(['\n', '\r']).next()?;
    let braces = line.find("{{")?;
    let mut before = line[..braces].trim();
    while let Some(rest) = before.strip_prefix('-') {
        before = rest.trim_start();
    }
    let key = before.strip_suffix(':');
    let introduces_value = before.is_empty() || key.is_some_and(|key| !key.contains([':', '"', '\'', '{', '[', '#']));
    introduces_value.then(|| Span::new(line_start + braces, line_start + line.trim_end().len()))
}

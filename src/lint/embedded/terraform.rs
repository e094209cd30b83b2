//! Component documents in Terraform configurations.

use super::hcl::{self, Heredoc, Located, Token};
use super::map::Draft;
use super::unknown::Words;
use super::writing::{Interpolation, Lines, Writing};
use super::{Embedded, Extraction, Resource, embed, platform, unseen};
use crate::diagnostic::{Diagnostic, SourceFile, Span};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// The resources that have a document in their attribute `data`.
const RESOURCES: &[&str] = &["aws_imagebuilder_component", "awscc_imagebuilder_component"];

/// The attributes of a block: the tokens of each value.
type Attributes<'t> = BTreeMap<&'t str, &'t [Located]>;

/// Takes the documents of all component resources of a configuration.
pub(super) fn extract(source: &Arc<SourceFile>, into: &mut Extraction) {
    let text = source.text.as_str();
    let tokens = hcl::tokens(text);
    let mut rest = tokens.as_slice();
    let mut depth = 0usize;
    while let [(token, range), after @ ..] = rest {
        rest = after;
        match token {
            Token::Sign(b'{' | b'(' | b'[') => depth += 1,
            Token::Sign(b'}' | b')' | b']') => depth = depth.saturating_sub(1),
            Token::Word if depth == 0 && &text[range.clone()] == "resource" => {
                if let [kind, name, (Token::Sign(b'{'), _), body @ ..] = after {
                    let (attributes, end) = attributes(text, body);
                    rest = end;
                    let (kind, name) = (label(text, kind), label(text, name));
                    if RESOURCES.contains(&kind)
                        && let Some(found) = component(source, &format!("{kind}.{name}"), &attributes)
                    {
                        into.add(found);
                    }
                }
            }
            _ => {}
        }
    }
}

/// A label of a block, with or without quotes.
fn label<'t>(text: &'t str, (_, range): &Located) -> &'t str {
    text[range.clone()].trim_matches('"')
}

/// The attributes of a block whose body begins here, and what follows the block.
fn attributes<'t>(text: &'t str, body: &'t [Located]) -> (Attributes<'t>, &'t [Located]) {
    let mut found = Attributes::new();
    let mut begins = true;
    let mut at = 0;
    let mut depth = 0usize;
    while let Some((token, range)) = body.get(at) {
        match token {
            Token::Sign(b'{' | b'(' | b'[') => depth += 1,
            Token::Sign(b'}') if depth == 0 => return (found, &body[at + 1..]),
            Token::Sign(b'}' | b')' | b']') => depth = depth.saturating_sub(1),
            Token::Word if depth == 0 && begins && matches!(body.get(at + 1), Some((Token::Sign(b'='), _))) => {
                let value = value(&body[at + 2..]);
                at += 2 + value.len();
                found.entry(&text[range.clone()]).or_insert(value);
                continue;
            }
            _ => {}
        }
        begins = *token == Token::Break;
        at += 1;
    }
    (found, &[])
}

/// The tokens of a value: up to the end of its line, or of the block around it.
fn value(tokens: &[Located]) -> &[Located] {
    let mut depth = 0usize;
    let ends = |(token, _): &Located| {
        match token {
            Token::Break => return depth == 0,
            Token::Sign(b'{' | b'(' | b'[') => depth += 1,
            Token::Sign(b'}' | b')' | b']') if depth == 0 => return true,
            Token::Sign(b'}' | b')' | b']') => depth -= 1,
            _ => {}
        }
        false
    };
    let end = tokens.iter().position(ends).unwrap_or(tokens.len());
    &tokens[..end]
}

/// The document of a resource; `None` if it has none in the file, as with `uri`.
fn component(
    source: &Arc<SourceFile>,
    name: &str,
    attributes: &Attributes<'_>,
) -> Option<Result<Embedded, Box<Diagnostic>>> {
    let text = source.text.as_str();
    let value = *attributes.get("data")?;
    let (first, last) = (value.first()?, value.last()?);
    let place = Span::new(first.1.start, last.1.end);
    let word = match attributes.get("platform") {
        Some([(Token::Quoted, range)]) => platform(text[range.clone()].trim_matches('"')),
        _ => None,
    };
    let resource = Resource { name, platform: word, place };
    Some(match value {
        [(Token::Heredoc, range)] => heredoc(source, &resource, range),
        [(Token::Quoted, range)] => quoted(source, &resource, range),
        [(Token::Word, range), ..] => Err(made_by(source, &resource, &text[range.clone()])),
        _ => Err(not_plain(source, &resource, place, "an expression")),
    })
}

/// The note for a value that is called by a function or is that of something else.
fn made_by(source: &Arc<SourceFile>, resource: &Resource<'_>, word: &str) -> Box<Diagnostic> {
    let (label, help) = match word {
        "file" | "templatefile" => (format!("`{word}` reads it from another file"), "run `amiforge lint` on that file"),
        "yamlencode" | "jsonencode" => (
            format!("made by `{word}`"),
            "write the document as text, `data = <<-EOT`, or in a file of its own that `file` reads",
        ),
        _ => (
            "an expression".to_owned(),
            "write the document as text, `data = <<-EOT`, or in a file of its own that `file` reads",
        ),
    };
    Box::new(unseen(source, resource.place, resource.name, label).help(help))
}

fn not_plain(source: &Arc<SourceFile>, resource: &Resource<'_>, span: Span, label: &str) -> Box<Diagnostic> {
    Box::new(
        unseen(source, span, resource.name, label)
            .help("check the document as a file of its own, as it is when it is deployed"),
    )
}

/// A piece of the text of a template.
enum Piece<'a> {
    /// Taken as it is.
    Literal(Range<usize>),
    /// An escape sequence and what it stands for.
    Escape(Range<usize>, &'a str),
    /// An escape sequence of a character.
    Character(Range<usize>, char),
    /// `${…}`.
    Expression(Range<usize>),
}

impl Piece<'_> {
    fn range(&self) -> &Range<usize> {
        match self {
            Self::Literal(range) | Self::Escape(range, _) | Self::Character(range, _) | Self::Expression(range) => {
                range
            }
        }
    }
}

/// Splits the text of a template; each literal ends with its line. The error is a place whose text is not known before
/// the configuration is applied, with what it is.
fn pieces(text: &str, body: &Range<usize>, quoted: bool) -> Result<Vec<Piece<'static>>, (Range<usize>, &'static str)> {
    let mut found = Vec::new();
    let (mut literal, mut at) = (body.start, body.start);
    while at < body.end {
        let Some(offset) = text[at..body.end].find(['$', '%', '\n', '\\']) else { break };
        at += offset;
        let piece = match text.as_bytes()[at..body.end] {
            [b'\n', ..] => Some(Piece::Literal(literal..at + 1)),
            [b'$', b'$', b'{', ..] => Some(Piece::Escape(at..at + 3, "${")),
            [b'%', b'%', b'{', ..] => Some(Piece::Escape(at..at + 3, "%{")),
            [b'%', b'{', ..] => return Err((at..at + 2, "a directive decides what it says")),
            [b'$', b'{', ..] => Some(Piece::Expression(expression(text, at, body.end)?)),
            [b'\\', ..] if quoted => character(text, at, body.end),
            _ => None,
        };
        let Some(piece) = piece else {
            at += 1;
            continue;
        };
        if literal < at && !matches!(piece, Piece::Literal(_)) {
            found.push(Piece::Literal(literal..at));
        }
        at = piece.range().end;
        literal = at;
        found.push(piece);
    }
    if literal < body.end {
        found.push(Piece::Literal(literal..body.end));
    }
    Ok(found)
}

/// The place of a `${…}`.
fn expression(text: &str, at: usize, end: usize) -> Result<Range<usize>, (Range<usize>, &'static str)> {
    let range = at..hcl::end_of_expression(text, at + 2).min(end);
    let inside = &text[range.clone()];
    if inside.starts_with("${~") || inside.ends_with("~}") {
        return Err((range, "takes white space around it away"));
    }
    if !inside.ends_with('}') || inside.len() < 4 {
        return Err((range, "not an expression"));
    }
    Ok(range)
}

/// The escape sequence that begins at an offset.
fn character(text: &str, at: usize, end: usize) -> Option<Piece<'static>> {
    let simple = |c| Some(Piece::Character(at..at + 2, c));
    let coded = |digits: usize| {
        let range = at..at + 2 + digits;
        let code = text.get(at + 2..range.end).filter(|_| range.end <= end)?;
        u32::from_str_radix(code, 16).ok().and_then(char::from_u32).map(|c| Piece::Character(range, c))
    };
    match text.as_bytes()[at + 1..end].first()? {
        b'n' => simple('\n'),
        b'r' => simple('\r'),
        b't' => simple('\t'),
        b'"' => simple('"'),
        b'\\' => simple('\\'),
        b'u' => coded(4),
        b'U' => coded(8),
        _ => None,
    }
}

fn quoted(
    source: &Arc<SourceFile>,
    resource: &Resource<'_>,
    range: &Range<usize>,
) -> Result<Embedded, Box<Diagnostic>> {
    let text = source.text.as_str();
    let whole = &text[range.clone()];
    if whole.len() < 2 || !whole.ends_with('"') {
        return Err(not_plain(source, resource, resource.place, "a quote that is never closed"));
    }
    let body = range.start + 1..range.end - 1;
    let pieces = pieces(text, &body, true)
        .map_err(|(range, label)| not_plain(source, resource, Span::new(range.start, range.end), label))?;
    let (draft, words) = assemble(text, &pieces, 0, &body);
    let writing = Writing::Quoted(Interpolation::Terraform);
    embed(source, resource, draft, words, Span::new(body.start, body.end), writing)
}

fn heredoc(
    source: &Arc<SourceFile>,
    resource: &Resource<'_>,
    range: &Range<usize>,
) -> Result<Embedded, Box<Diagnostic>> {
    let text = source.text.as_str();
    let opened = hcl::heredoc(text, range.start);
    let Some((opened, end)) =
        opened.and_then(|opened| hcl::last_line(text, &opened, range.end).map(|end| (opened, end)))
    else {
        return Err(not_plain(source, resource, resource.place, "a text that is never closed"));
    };
    let body = opened.body..end;
    let pieces = pieces(text, &body, false)
        .map_err(|(range, label)| not_plain(source, resource, Span::new(range.start, range.end), label))?;
    let common = if opened.flush { indentation(text, &pieces) } else { 0 };
    let (draft, words) = assemble(text, &pieces, common, &body);
    let writing = Writing::Lines(lines(text, &opened, common));
    embed(source, resource, draft, words, Span::new(body.start, body.end), writing)
}

fn lines(text: &str, opened: &Heredoc, common: usize) -> Lines {
    Lines {
        indentation: " ".repeat(common),
        derived: opened.flush,
        marker: Some(text[opened.marker.clone()].to_owned()),
        carriage_return: false,
        interpolation: Interpolation::Terraform,
    }
}

/// The pieces with which lines begin.
fn line_starts<'p>(text: &'p str, pieces: &'p [Piece<'_>]) -> impl Iterator<Item = (usize, &'p Piece<'p>)> {
    let ends_line = |piece: &Piece<'_>| matches!(piece, Piece::Literal(range) if text[range.clone()].ends_with('\n'));
    pieces.iter().enumerate().filter(move |(index, _)| *index == 0 || ends_line(&pieces[*index - 1]))
}

/// How many characters of white space all lines begin with, empty ones aside: what `<<-` takes away.
fn indentation(text: &str, pieces: &[Piece<'_>]) -> usize {
    let spaces = line_starts(text, pieces).filter_map(|(_, piece)| match piece {
        Piece::Literal(range) => {
            let line = &text[range.clone()];
            (!is_blank_line(line)).then(|| line.chars().take_while(|c| c.is_whitespace()).count())
        }
        _ => Some(0),
    });
    spaces.min().unwrap_or(0)
}

fn is_blank_line(line: &str) -> bool {
    line.ends_with('\n') && line.trim().is_empty()
}

/// Puts the document together.
fn assemble(text: &str, pieces: &[Piece<'_>], common: usize, body: &Range<usize>) -> (Draft, Words) {
    let mut words = Words::new(&text[body.clone()]);
    let mut draft = Draft::default();
    let mut starts = line_starts(text, pieces).map(|(index, _)| index).peekable();
    for (index, piece) in pieces.iter().enumerate() {
        let begins = starts.next_if_eq(&index).is_some();
        match piece {
            Piece::Literal(range) => {
                let line = &text[range.clone()];
                let skipped: usize = if begins && !is_blank_line(line) {
                    line.chars().take(common).map(char::len_utf8).sum()
                } else {
                    0
                };
                draft.verbatim(&line[skipped..], range.start + skipped);
            }
            Piece::Escape(range, stands_for) => draft.escaped(stands_for, range.clone()),
            Piece::Character(range, c) => draft.escaped(c.encode_utf8(&mut [0; 4]), range.clone()),
            Piece::Expression(range) => draft.unknown(&words.word(&text[range.clone()]), range.clone()),
        }
    }
    (draft, words)
}

//! Component documents in CloudFormation templates.

use super::map::Draft;
use super::placeholders::{Piece, pieces};
use super::unknown::Words;
use super::writing::{Interpolation, Lines, Writing};
use super::{Embedded, Extraction, RESOURCE, Resource, embed, platform, scalar, unseen};
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::yaml::{Kind, Node, Style};
use std::sync::Arc;

/// Takes the documents of all component resources of a template.
pub(super) fn extract(source: &Arc<SourceFile>, root: &Node, into: &mut Extraction) {
    let mut open: Vec<(&Node, bool)> = root.get("Resources").map(|node| (node, false)).into_iter().collect();
    while let Some((resources, repeated)) = open.pop() {
        for (key, resource) in resources.entries().unwrap_or_default() {
            let name = format!("Resources.{}", key.as_str().unwrap_or_default());
            // `Fn::ForEach::Name: [variable, values, resources]`
            if key.as_str().is_some_and(|key| key.starts_with("Fn::ForEach")) {
                open.extend(resource.items().and_then(|items| items.get(2)).map(|body| (body, true)));
            } else if resource.get("Type").and_then(Node::as_str) == Some(RESOURCE) {
                if repeated {
                    let label = "made by `Fn::ForEach`, which may replace anything in it";
                    into.diagnostics.push(with_way_out(unseen(source, key.span, &name, label)));
                } else if let Some(found) = component(source, resource, &name) {
                    into.add(found);
                }
            }
        }
    }
    into.documents.sort_by_key(|found| found.map.whole.start);
}

/// The document of a resource; `None` if it has none in the template, as with `Uri`.
fn component(source: &Arc<SourceFile>, resource: &Node, name: &str) -> Option<Result<Embedded, Box<Diagnostic>>> {
    let (properties_key, properties) = resource.entry("Properties")?;
    if is_alias(source, properties) {
        return Some(Err(not_seen(source, properties, name, "an alias for properties that stand elsewhere")));
    }
    if let Some(function) = function(properties) {
        return Some(Err(not_seen(source, properties_key, name, &format!("the properties are made by `{function}`"))));
    }
    let Some((data_key, data)) = properties.entry("Data") else {
        let (merge, _) = properties.entry("<<").filter(|_| properties.get("Uri").is_none())?;
        return Some(Err(not_seen(source, merge, name, "properties that stand elsewhere are merged in here")));
    };
    let word = properties.get("Platform").filter(|node| function(node).is_none()).and_then(Node::as_str);
    let resource = Resource { name, platform: word.and_then(platform), place: data_key.span };
    Some(match text_of(source, data) {
        Ok((text, sub)) => document(source, &resource, text, sub),
        Err(label) => Err(not_seen(source, data_key, name, &label)),
    })
}

/// The scalar with the text of a document, and whether it is a text of `Fn::Sub`; otherwise what makes the text.
fn text_of<'n>(source: &SourceFile, data: &'n Node) -> Result<(&'n Node, bool), String> {
    if is_alias(source, data) {
        return Err("an alias for a text that stands elsewhere".to_owned());
    }
    let (value, sub) = match function(data) {
        None => (data, false),
        Some("Fn::Sub") if data.tag.is_some() => (data, true),
        Some("Fn::Sub") => (data.get("Fn::Sub").unwrap_or(data), true),
        Some(_) if data.tag.is_some() => return Err(made_by_tag(data)),
        Some(function) => return Err(format!("made by `{function}`")),
    };
    let text = match (sub, value.items()) {
        (true, Some([text, ..])) => text,
        _ => value,
    };
    if !sub && text.as_str().is_none() {
        return Err(format!("this is {} and not text", text.describe()));
    }
    let inner = function(text).filter(|_| !std::ptr::eq(text, data));
    if text.as_str().is_none() || inner.is_some() || is_alias(source, text) {
        return Err("`Fn::Sub` gets its text from somewhere else".to_owned());
    }
    Ok((text, sub))
}

fn made_by_tag(node: &Node) -> String {
    format!("made by `!{}`", node.tag.as_deref().unwrap_or_default())
}

/// The intrinsic function that makes a value, by its long name where that matters.
fn function(node: &Node) -> Option<&str> {
    match node.tag.as_deref() {
        None | Some("" | "str" | "map" | "seq") => {}
        Some("Sub") => return Some("Fn::Sub"),
        Some(tag) => return Some(tag),
    }
    match node.entries()? {
        [(key, _)] => key.as_str().filter(|key| key.starts_with("Fn::") || matches!(*key, "Ref" | "Condition")),
        _ => None,
    }
}

/// Whether a value is only the name of another one: the reader gives it as text, as it is written.
fn is_alias(source: &SourceFile, node: &Node) -> bool {
    node.style() == Some(Style::Single) && source.slice(node.span).starts_with('*')
}

fn not_seen(source: &Arc<SourceFile>, at: &Node, name: &str, label: &str) -> Box<Diagnostic> {
    Box::new(with_way_out(unseen(source, at.span, name, label)))
}

fn with_way_out(diagnostic: Diagnostic) -> Diagnostic {
    diagnostic.help("write the document as a block, `Data: |` or `Data: !Sub |`, or check it as a file of its own")
}

/// Makes a document of a scalar.
fn document(
    source: &Arc<SourceFile>,
    resource: &Resource<'_>,
    node: &Node,
    sub: bool,
) -> Result<Embedded, Box<Diagnostic>> {
    let base = scalar::draft(source, node);
    let aligned = base.is_some();
    let base = base.unwrap_or_else(|| Draft::of(node.as_str().unwrap_or_default(), node.span));
    let mut words = Words::new(&base.text);
    let mut draft = Draft::default();
    let mut next = 0;
    for piece in pieces(&base.text, sub) {
        let (Piece::Literal(range) | Piece::Dollar(range) | Piece::Unknown(range)) = &piece;
        let word = match &piece {
            Piece::Literal(_) => {
                draft.copy(&base, range, &mut next);
                continue;
            }
            Piece::Dollar(_) => "${".to_owned(),
            Piece::Unknown(_) => words.word(&base.text[range.clone()]),
        };
        match base.outer(range, &mut next) {
            Some(outer) if matches!(piece, Piece::Unknown(_)) => draft.unknown(&word, outer),
            Some(outer) => draft.escaped(&word, outer),
            None => draft.nowhere(&word),
        }
    }
    let interpolation = if sub { Interpolation::Sub } else { Interpolation::None };
    let writing = if aligned { writing(source, node, &draft, interpolation) } else { Writing::Closed };
    embed(source, resource, draft, words, node.span, writing)
}

/// How a scalar is written.
fn writing(source: &SourceFile, node: &Node, draft: &Draft, interpolation: Interpolation) -> Writing {
    let raw = source.slice(node.span);
    let Kind::Scalar(scalar) = &node.kind else { return Writing::Closed };
    match scalar.style {
        Style::Literal => Writing::Lines(Lines {
            indentation: indentation(source, draft),
            derived: true,
            marker: None,
            carriage_return: raw.contains("\r\n"),
            interpolation,
        }),
        Style::Double if !raw.contains('\n') => Writing::Quoted(interpolation),
        Style::Single if !raw.contains('\n') => Writing::Single(interpolation),
        Style::Double | Style::Single | Style::Plain | Style::Folded => Writing::Closed,
    }
}

/// What stands before each line of a block: what stands before its first line that is not empty.
fn indentation(source: &SourceFile, draft: &Draft) -> String {
    let text = |run: &super::map::Run| draft.text.get(run.inner.clone()).unwrap_or_default();
    let first = draft.runs.iter().find(|run| !text(run).starts_with('\n')).map_or(0, |run| run.outer.start);
    let line = source.text[..first].rfind('\n').map_or(0, |at| at + 1);
    source.text[line..first].to_owned()
}

//! From the parser's events to the tree.

use super::fault;
use super::tree::{Kind, Node, Scalar, Style};
use crate::diagnostic::{Diagnostic, Edit, Severity, SourceFile, Span};
use granit_parser::{Event, Parser, ScalarStyle, StructureStyle};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How a file is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// The file is not one of ours, but for example a CloudFormation template: tags, anchors, aliases and merge keys are
    /// taken as they come. Tags are kept in the tree, an alias is the text it is written as.
    pub foreign: bool,
}

/// What was read of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The tree; absent if nothing could be read. Complete if there are no errors but duplicate keys, of which it has
    /// the last, as most readers do.
    pub root: Option<Node>,
    /// Everything that is wrong; only what follows a syntax error is not looked at.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads a file that holds exactly one YAML (or JSON) document.
///
/// # Errors
/// All of them, each at its place.
pub fn parse(source: &Arc<SourceFile>) -> Result<Node, Vec<Diagnostic>> {
    let reading = read(source, Options::default());
    let refused = reading.diagnostics.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    match reading.root {
        Some(root) if !refused => Ok(root),
        _ => Err(reading.diagnostics),
    }
}

/// Reads a file and returns what could be read together with what is wrong.
pub fn read(source: &Arc<SourceFile>, options: Options) -> Reading {
    let mut builder = Builder::new(source, options);
    // Comments are skipped here: the tree has no use for them, and the parser limits how many it will buffer.
    let options =
        granit_parser::options! { emit_anchor_events: true, emit_unresolved_aliases: true, emit_comments: false };
    for event in Parser::new_from_str_with_options(&source.text, options) {
        match event {
            Ok((event, span)) => {
                if let Some(tag) = span.tag_span() {
                    builder.tag(bytes(&tag));
                }
                if !builder.event(event, bytes(&span)) {
                    break;
                }
            }
            Err(error) => {
                builder.syntax(&error);
                break;
            }
        }
    }
    builder.finish()
}

/// The byte range of the parser's span. Offsets are always known when reading from text.
fn bytes(span: &granit_parser::Span) -> Span {
    let range = span.byte_range().unwrap_or(0..0);
    Span::new(range.start, range.end)
}

/// A collection whose end is not reached yet.
struct Frame {
    start: usize,
    tag: Option<Box<str>>,
    /// End of the last child, which is where a block collection ends.
    last: usize,
    flow: bool,
    /// `{{`: this flow mapping has a flow mapping as key right behind its brace, an expression without quotes.
    braces: bool,
    content: Content,
}

enum Content {
    Sequence(Vec<Node>),
    Mapping { entries: Vec<(Node, Node)>, key: Option<Node>, seen: BTreeMap<String, Span>, twice: bool },
}

struct Builder<'a> {
    source: &'a Arc<SourceFile>,
    options: Options,
    open: Vec<Frame>,
    root: Option<Node>,
    documents: usize,
    /// Where a second document begins, until it is known whether there is anything in it.
    second: Option<Span>,
    /// The tag of the node whose event comes next.
    tag: Option<Box<str>>,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Builder<'a> {
    fn new(source: &'a Arc<SourceFile>, options: Options) -> Self {
        Self {
            source,
            options,
            open: Vec::new(),
            root: None,
            documents: 0,
            second: None,
            tag: None,
            diagnostics: Vec::new(),
        }
    }

    /// Takes one event; `false` stops the reading.
    fn event(&mut self, event: Event<'_>, span: Span) -> bool {
        if let Some(start) = self.second {
            return self.second_document(start, &event);
        }
        match event {
            Event::DocumentStart(..) => self.document(span),
            Event::Scalar(text, style, _, _) => {
                let node = self.scalar(text.into_owned(), style, span);
                self.add(node);
            }
            Event::SequenceStart(style, ..) => self.begin(style, span, Content::Sequence(Vec::new())),
            Event::MappingStart(style, ..) => {
                let content = Content::Mapping { entries: Vec::new(), key: None, seen: BTreeMap::new(), twice: false };
                self.begin(style, span, content);
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span),
            Event::Anchor(_, name) => self.alias(span, &format!("the anchor `&{name}` marks a value for repetition")),
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                let text = self.source.slice(span).to_owned();
                self.alias(span, &format!("`{text}` is an alias: it repeats a value marked elsewhere"));
                self.add(Node::new(span, Kind::Scalar(Scalar { text, style: Style::Single })));
            }
            _ => {}
        }
        true
    }

    fn document(&mut self, span: Span) {
        self.documents += 1;
        if self.documents > 1 {
            self.second = Some(span);
        }
    }

    /// A separator at the end of a file, with nothing after it, is superfluous; a document that nobody reads is a fault.
    fn second_document(&mut self, start: Span, event: &Event<'_>) -> bool {
        match event {
            Event::Scalar(_, ScalarStyle::Plain, _, _) if self.blank_after(start) => {
                self.diagnostics.push(
                    Diagnostic::warning("Y011", "a document separator with nothing after it")
                        .at(self.source, start, "begins a second, empty document")
                        .help("remove the `---`")
                        .safe_fix("remove the separator", self.separators(start)),
                );
                false
            }
            Event::DocumentEnd => false,
            _ => {
                self.diagnostics.push(
                    Diagnostic::error("Y006", "a file holds one document")
                        .at(self.source, start, "a second one begins here")
                        .help("move it to a file of its own, or remove the `---`"),
                );
                false
            }
        }
    }

    /// Whether nothing but separators, comments and white space follows.
    fn blank_after(&self, start: Span) -> bool {
        let rest = self.source.text.get(start.end..).unwrap_or_default();
        rest.lines().all(|line| {
            let line = line.trim();
            line.is_empty() || line.starts_with('#') || line == "---" || line == "..."
        })
    }

    /// Takes away the separators from a place to the end of the file; comments between them stay. Without the separator before
    /// it, a blank line and an indented comment would be text of a block scalar at the end of the document.
    fn separators(&self, from: Span) -> Vec<Edit> {
        let first = self.source.line(from.start);
        let last = self.source.line(self.source.text.len());
        let superfluous = |line: usize| {
            let span = self.source.line_span(line);
            let text = self.source.slice(span);
            if text.starts_with("---") || text.starts_with("...") || text.trim().is_empty() {
                return self.line_of(span);
            }
            Span::new(span.start, span.start + (text.len() - text.trim_start().len()))
        };
        (first..=last).map(superfluous).filter(|span| span.start < span.end).map(Edit::delete).collect()
    }

    /// How many bytes stand before an offset in its line.
    fn column(&self, offset: usize) -> usize {
        let before = &self.source.text[..offset];
        before.len() - before.rfind('\n').map_or(0, |at| at + 1)
    }

    /// The whole line a place stands in, with its line break.
    fn line_of(&self, span: Span) -> Span {
        let line = self.source.line_span(self.source.line(span.start));
        let end = self.source.text[line.end..].find('\n').map_or(self.source.text.len(), |at| line.end + at + 1);
        Span::new(line.start, end)
    }

    fn alias(&mut self, span: Span, message: &str) {
        if self.options.foreign {
            return;
        }
        self.diagnostics.push(
            Diagnostic::error("Y004", message)
                .at(self.source, span, "anchors and aliases are not used here")
                .help("write the value out; put a text that begins with `*` or `&` in quotes"),
        );
    }

    fn tag(&mut self, span: Span) {
        if self.options.foreign {
            self.tag = Some(self.source.slice(span).trim_start_matches('!').into());
            return;
        }
        self.diagnostics.push(
            Diagnostic::error("Y007", "tags are not used here")
                .at(self.source, span, "a tag")
                .help("remove it; quote a value that must stay text"),
        );
    }

    fn syntax(&mut self, error: &granit_parser::ScanError) {
        let diagnostic = fault::syntax(self.source, error);
        let line = |diagnostic: &Diagnostic| {
            diagnostic.primary.as_ref().map(|label| self.source.line_column(label.span.start).0)
        };
        // What follows an expression without quotes in its line is the same fault.
        let known = self.diagnostics.iter().any(|known| known.code == "Y008" && line(known) == line(&diagnostic));
        if !known {
            self.diagnostics.push(diagnostic);
        }
    }

    fn scalar(&mut self, text: String, style: ScalarStyle, span: Span) -> Node {
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted => Style::Single,
            ScalarStyle::DoubleQuoted => Style::Double,
            ScalarStyle::Literal => Style::Literal,
            ScalarStyle::Folded => Style::Folded,
        };
        // The parser reports an absent value as `~` of no width; here it stays what it is: nothing.
        let text = if style == Style::Plain && span.start == span.end { String::new() } else { text };
        // The span of a block reaches to the next token; what belongs to it ends with its last line of text.
        let span = if style.is_block() {
            Span::new(span.start, span.start + block_length(self.source.slice(span), self.column(span.start), &text))
        } else {
            span
        };
        Node { span, kind: Kind::Scalar(Scalar { text, style }), tag: self.tag.take() }
    }

    fn begin(&mut self, style: StructureStyle, span: Span, content: Content) {
        let flow = style == StructureStyle::Flow;
        let tag = self.tag.take();
        self.open.push(Frame { start: span.start, tag, last: span.end.max(span.start), flow, braces: false, content });
    }

    fn end(&mut self, span: Span) {
        let Some(frame) = self.open.pop() else { return };
        let end = if frame.flow { span.end } else { frame.last };
        let span = Span::new(frame.start, end.max(frame.start));
        if frame.braces {
            self.diagnostics.push(fault::expression(self.source, span));
        }
        let kind = match frame.content {
            Content::Sequence(items) => Kind::Sequence(items),
            Content::Mapping { entries, twice: true, .. } => Kind::Mapping(last_of_each(entries)),
            Content::Mapping { entries, .. } => Kind::Mapping(entries),
        };
        self.add(Node { span, kind, tag: frame.tag });
    }

    /// Puts a finished node where it belongs: document root, list item, key or value.
    fn add(&mut self, node: Node) {
        let Some(frame) = self.open.last_mut() else {
            self.root.get_or_insert(node);
            return;
        };
        frame.last = frame.last.max(node.span.end);
        match &mut frame.content {
            Content::Sequence(items) => items.push(node),
            Content::Mapping { entries, key, seen, twice } => {
                if let Some(key) = key.take() {
                    entries.push((key, node));
                    return;
                }
                match key_fault(self.source, self.options, seen, &node) {
                    None => {}
                    Some(_) if frame.flow && node.entries().is_some() && node.span.start == frame.start + 1 => {
                        frame.braces = true;
                    }
                    Some(fault) => {
                        *twice |= fault.code == "Y003";
                        self.diagnostics.push(fault);
                    }
                }
                *key = Some(node);
            }
        }
    }

    fn finish(mut self) -> Reading {
        let empty = self.root.as_ref().is_none_or(|root| root.is_null() && root.span.start == root.span.end);
        let refused = self.diagnostics.iter().any(|found| found.severity == Severity::Error);
        if empty && !refused {
            self.diagnostics.push(
                Diagnostic::error("Y009", "the file is empty")
                    .at(self.source, Span::new(0, 0), "")
                    .help("write it, or remove the file and what refers to it"),
            );
        }
        Reading { root: self.root.filter(|_| !empty), diagnostics: self.diagnostics }
    }
}

/// Of duplicate keys the last one counts, as with most readers.
fn last_of_each(entries: Vec<(Node, Node)>) -> Vec<(Node, Node)> {
    let mut last = BTreeMap::new();
    for (at, (key, _)) in entries.iter().enumerate() {
        last.insert(key.as_str().map(str::to_owned), at);
    }
    let is_last = |at: usize, key: &Node| last.get(&key.as_str().map(str::to_owned)) == Some(&at);
    entries.into_iter().enumerate().filter(|(at, (key, _))| is_last(*at, key)).map(|(_, entry)| entry).collect()
}

/// The length of a block of lines in what reaches from its first line to the next token: comments that are indented less
/// than the block are not part of it.
fn block_length(raw: &str, column: usize, text: &str) -> usize {
    let first = text.trim_start_matches('\n');
    let deeper = first.len() - first.trim_start_matches(' ').len();
    let indentation = column.saturating_sub(deeper);
    let mut length = 0;
    let mut start = 0;
    for line in raw.split_inclusive('\n') {
        let content = line.trim_end();
        let spaces = line.len() - line.trim_start_matches(' ').len();
        if start > 0 && !content.is_empty() && spaces < indentation {
            break;
        }
        if !content.is_empty() {
            length = start + content.len();
        }
        start += line.len();
    }
    length
}

/// What is wrong with a key; notes it in `seen` otherwise.
fn key_fault(
    source: &Arc<SourceFile>,
    options: Options,
    seen: &mut BTreeMap<String, Span>,
    key: &Node,
) -> Option<Diagnostic> {
    let Kind::Scalar(scalar) = &key.kind else {
        return Some(
            Diagnostic::error("Y010", "a key must be plain text")
                .at(source, key.span, format!("this is {}", key.describe()))
                .help("quote it if it is meant as text"),
        );
    };
    if scalar.style == Style::Plain && scalar.text == "<<" {
        if options.foreign {
            return None;
        }
        return Some(
            Diagnostic::error("Y005", "merge keys are not used here")
                .at(source, key.span, "readers differ on what this means")
                .help("write the keys out"),
        );
    }
    if let Some(first) = seen.get(&scalar.text) {
        return Some(
            Diagnostic::error("Y003", format!("the key `{}` appears twice", scalar.text))
                .at(source, key.span, "again here")
                .also_at(source, *first, "first here")
                .help("remove or rename one of the two")
                .inferred(),
        );
    }
    seen.insert(scalar.text.clone(), key.span);
    None
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

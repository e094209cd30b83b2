//! From the parser's events to the tree.

use super::fault;
use super::tree::{Kind, Node, Scalar};
use crate::diagnostic::{Diagnostic, SourceFile, Span};
use granit_parser::{Event, Parser, ScalarStyle, StructureStyle};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Reads a file that holds exactly one YAML (or JSON) document.
///
/// All errors are returned, each at its place; only what follows a syntax error is not looked at.
pub fn parse(source: &Arc<SourceFile>) -> Result<Node, Vec<Diagnostic>> {
    let mut builder = Builder::new(source);
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
    /// End of the last child, which is where a block collection ends.
    last: usize,
    flow: bool,
    /// `{{`: this flow mapping has a flow mapping as key right behind its brace, an expression without quotes.
    braces: bool,
    content: Content,
}

enum Content {
    Sequence(Vec<Node>),
    Mapping { entries: Vec<(Node, Node)>, key: Option<Node>, seen: BTreeMap<String, Span> },
}

struct Builder<'a> {
    source: &'a Arc<SourceFile>,
    open: Vec<Frame>,
    root: Option<Node>,
    documents: usize,
    diagnostics: Vec<Diagnostic>,
}

impl<'a> Builder<'a> {
    fn new(source: &'a Arc<SourceFile>) -> Self {
        Self { source, open: Vec::new(), root: None, documents: 0, diagnostics: Vec::new() }
    }

    /// Takes one event; `false` stops the reading.
    fn event(&mut self, event: Event<'_>, span: Span) -> bool {
        match event {
            Event::DocumentStart(..) => return self.document(span),
            Event::Scalar(text, style, _, _) => {
                let node = self.scalar(text.into_owned(), style, span);
                self.add(node);
            }
            Event::SequenceStart(style, ..) => self.begin(style, span, Content::Sequence(Vec::new())),
            Event::MappingStart(style, ..) => {
                let content = Content::Mapping { entries: Vec::new(), key: None, seen: BTreeMap::new() };
                self.begin(style, span, content);
            }
            Event::SequenceEnd | Event::MappingEnd => self.end(span),
            Event::Anchor(_, name) => self.alias(span, &format!("the anchor `&{name}` marks a value for repetition")),
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                let text = self.source.text.get(span.start..span.end).unwrap_or_default().to_owned();
                self.alias(span, &format!("`{text}` is an alias: it repeats a value marked elsewhere"));
                self.add(Node { span, kind: Kind::Scalar(Scalar { text, plain: false, block: false }) });
            }
            _ => {}
        }
        true
    }

    fn document(&mut self, span: Span) -> bool {
        self.documents += 1;
        if self.documents == 1 {
            return true;
        }
        self.diagnostics.push(
            Diagnostic::error("Y006", "a file holds one document")
                .at(self.source, span, "a second one begins here")
                .help("move it to a file of its own, or remove the `---`"),
        );
        false
    }

    fn alias(&mut self, span: Span, message: &str) {
        self.diagnostics.push(
            Diagnostic::error("Y004", message)
                .at(self.source, span, "anchors and aliases are not used here")
                .help("write the value out; put a text that begins with `*` or `&` in quotes"),
        );
    }

    fn tag(&mut self, span: Span) {
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

    fn scalar(&self, text: String, style: ScalarStyle, span: Span) -> Node {
        let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        let plain = matches!(style, ScalarStyle::Plain);
        // The parser reports an absent value as `~` of no width; here it stays what it is: nothing.
        let text = if plain && span.start == span.end { String::new() } else { text };
        // The span of a block reaches to the next token; what belongs to it ends with its last line of text.
        let span = if block {
            let raw = self.source.text.get(span.start..span.end).unwrap_or_default();
            Span::new(span.start, span.start + raw.trim_end().len())
        } else {
            span
        };
        Node { span, kind: Kind::Scalar(Scalar { text, plain, block }) }
    }

    fn begin(&mut self, style: StructureStyle, span: Span, content: Content) {
        let flow = style == StructureStyle::Flow;
        self.open.push(Frame { start: span.start, last: span.end.max(span.start), flow, braces: false, content });
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
            Content::Mapping { entries, .. } => Kind::Mapping(entries),
        };
        self.add(Node { span, kind });
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
            Content::Mapping { entries, key, seen } => {
                if let Some(key) = key.take() {
                    entries.push((key, node));
                    return;
                }
                match key_fault(self.source, seen, &node) {
                    None => {}
                    Some(_) if frame.flow && node.entries().is_some() && node.span.start == frame.start + 1 => {
                        frame.braces = true;
                    }
                    Some(fault) => self.diagnostics.push(fault),
                }
                *key = Some(node);
            }
        }
    }

    fn finish(mut self) -> Result<Node, Vec<Diagnostic>> {
        match self.root {
            Some(root) if self.diagnostics.is_empty() && !(root.is_null() && root.span.start == root.span.end) => {
                Ok(root)
            }
            _ => {
                if self.diagnostics.is_empty() {
                    self.diagnostics.push(
                        Diagnostic::error("Y009", "the file is empty")
                            .at(self.source, Span::new(0, 0), "")
                            .help("write it, or remove the file and what refers to it"),
                    );
                }
                Err(self.diagnostics)
            }
        }
    }
}

/// What is wrong with a key; notes it in `seen` otherwise.
fn key_fault(source: &Arc<SourceFile>, seen: &mut BTreeMap<String, Span>, key: &Node) -> Option<Diagnostic> {
    let Kind::Scalar(scalar) = &key.kind else {
        return Some(
            Diagnostic::error("Y010", "a key must be plain text")
                .at(source, key.span, format!("this is {}", key.describe()))
                .help("quote it if it is meant as text"),
        );
    };
    if scalar.plain && scalar.text == "<<" {
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
                .help("remove or rename one of the two"),
        );
    }
    seen.insert(scalar.text.clone(), key.span);
    None
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;

//! What every part of the parser needs: the file, the collected diagnostics, and the checks all mappings share.

use crate::component::expression::{self, ExpressionError, Template};
use crate::diagnostic::{Diagnostic, SourceFile, Span, suggest};
use crate::yaml::Node;
use std::sync::Arc;

/// Collects diagnostics while a document is read.
pub struct Context<'a> {
    pub source: &'a Arc<SourceFile>,
    pub diagnostics: Vec<Diagnostic>,
}

impl<'a> Context<'a> {
    pub fn new(source: &'a Arc<SourceFile>) -> Self {
        Self { source, diagnostics: Vec::new() }
    }

    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Reports an error at a place.
    pub fn error(&mut self, code: &'static str, span: Span, message: impl Into<String>, label: impl Into<String>) {
        self.push(Diagnostic::error(code, message).at(self.source, span, label));
    }

    /// The entries of a mapping with known keys. Reports anything that is not a mapping (`C009`) and every key that is
    /// not known (`C003`). `what` is the thing with its article, such as `a step`.
    pub fn mapping<'n>(&mut self, node: &'n Node, what: &str, known: &[&str]) -> Option<&'n [(Node, Node)]> {
        let Some(entries) = node.entries() else {
            self.error("C009", node.span, format!("{what} must be a mapping"), format!("this is {}", node.describe()));
            return None;
        };
        for (key, _) in entries {
            let name = key.as_str().unwrap_or_default();
            if !known.contains(&name) {
                self.push(unknown_key(self.source, key.span, name, what, known));
            }
        }
        Some(entries)
    }

    /// The items of a list; anything else is reported (`C009`).
    pub fn list<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [Node]> {
        let items = node.items();
        if items.is_none() {
            self.error("C009", node.span, format!("{what} must be a list"), format!("this is {}", node.describe()));
        }
        items
    }

    /// A text without expressions, such as a name or a description. Numbers and booleans are taken as written.
    pub fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        let text = node.as_str().filter(|_| !node.is_null());
        if text.is_none() {
            self.error("C009", node.span, format!("{what} must be text"), format!("this is {}", node.describe()));
        }
        text
    }

    /// A boolean; anything else is reported (`C009`).
    pub fn boolean(&mut self, node: &Node, what: &str) -> bool {
        node.as_bool().unwrap_or_else(|| {
            let label = format!("this is {}", node.describe());
            self.error("C009", node.span, format!("{what} must be true or false"), label);
            false
        })
    }

    /// Warns when a text is written so that a reader may take it for a number or boolean and change it (`C040`).
    pub fn warn_typed(&mut self, node: &Node, what: &str) {
        if node.is_typed() && !node.is_null() {
            let text = node.as_str().unwrap_or_default().to_owned();
            self.push(
                Diagnostic::warning("C040", format!("{what} is text, but this is written as {}", node.describe()))
                    .at(self.source, node.span, "a reader may change it, for example drop zeros")
                    .help(format!("put it in quotes: \"{text}\"")),
            );
        }
    }

    /// A text with expressions. Faulty expressions are reported (`C025`, `C026`).
    pub fn template(&mut self, node: &Node) -> Option<Template> {
        let text = node.as_str()?;
        let places = places(self.source, node, text);
        let place = |number: usize| places.get(number).copied().unwrap_or(node.span);
        let mut faults = Vec::new();
        let parts = expression::split(text, place, |number, error| faults.push((number, error)));
        for (number, error) in faults {
            self.push(faulty(self.source, place(number), &error));
        }
        Some(Template { parts, span: node.span })
    }

    /// All texts in a part of the document that contain expressions.
    pub fn templates(&mut self, node: &Node) -> Vec<Template> {
        if let Some(entries) = node.entries() {
            return entries.iter().flat_map(|(_, value)| self.templates(value)).collect();
        }
        if let Some(items) = node.items() {
            return items.iter().flat_map(|item| self.templates(item)).collect();
        }
        self.template(node).filter(|template| template.literal().is_none()).into_iter().collect()
    }
}

/// The diagnostic for a key that does not belong there.
pub fn unknown_key(source: &Arc<SourceFile>, span: Span, name: &str, what: &str, known: &[&str]) -> Diagnostic {
    let diagnostic =
        Diagnostic::error("C003", format!("unknown key `{name}` in {what}")).at(source, span, "not a known key");
    match suggest(name, known) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help(format!("known keys: {}", known.join(", "))),
    }
}

fn faulty(source: &Arc<SourceFile>, span: Span, error: &ExpressionError) -> Diagnostic {
    match error {
        ExpressionError::Unclosed => Diagnostic::error("C025", error.to_string())
            .at(source, span, "opened here")
            .help("add `}}`; there is no way to write a literal `{{`"),
        ExpressionError::Unknown(_) | ExpressionError::Empty(_) => Diagnostic::error("C025", error.to_string())
            .at(source, span, "neither a name, nor `phase.step.outputs.key`, nor a known prefix")
            .help("write a parameter or constant, `phase.step.inputs.key`, `phase.step.outputs.key`, `loop.value` or `context:key`")
            .note("text for another template engine cannot stand in double braces: there is no escape for them"),
        ExpressionError::Context(key) => {
            let diagnostic = Diagnostic::error("C026", error.to_string()).at(source, span, "unknown key");
            match suggest(key, expression::CONTEXT_KEYS) {
                Some(near) => diagnostic.help(format!("did you mean `context:{near}`?")),
                None => diagnostic.help(format!("known keys: {}", expression::CONTEXT_KEYS.join(", "))),
            }
        }
        ExpressionError::Imds(_) => Diagnostic::error("C026", error.to_string())
            .at(source, span, "refused by the service")
            .help("use another metadata path, or the instance profile through the AWS CLI"),
    }
}

/// Where the expressions of a text stand in the file, in order. Empty if the text is written so that they cannot be told
/// (an escaped brace in double quotes), and then the whole text stands for each of them.
fn places(source: &Arc<SourceFile>, node: &Node, text: &str) -> Vec<Span> {
    let raw = source.text.get(node.span.start..node.span.end).unwrap_or_default();
    let mut places = Vec::new();
    let mut from = 0;
    while let Some(open) = raw[from..].find("{{") {
        let start = from + open;
        let end = raw[start..].find("}}").map_or(start + 2, |close| start + close + 2);
        places.push(Span::new(node.span.start + start, node.span.start + end));
        from = end;
    }
    if raw.matches("{{").count() == text.matches("{{").count() { places } else { Vec::new() }
}

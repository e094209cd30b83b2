//! What every part of the parser needs: the file, the collected diagnostics, and the checks all mappings share.

use crate::component::expression::{self, ExpressionError, Template};
use crate::component::keys::{self, Key};
use crate::diagnostic::{Diagnostic, SourceFile, Span, suggest};
use crate::yaml::{self, Node};
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

    /// The entries of a mapping with known keys. Reports anything that is not a mapping (`D020`) and every key that is
    /// not known (`D004`). `what` is the thing with its article, such as `a step`.
    pub fn mapping<'n>(&mut self, node: &'n Node, what: &str, known: &'static [Key]) -> Option<&'n [(Node, Node)]> {
        let Some(entries) = node.entries() else {
            self.error("D020", node.span, format!("{what} must be a mapping"), format!("this is {}", node.describe()));
            return None;
        };
        for (key, _) in entries {
            let name = key.as_str().unwrap_or_default();
            if !keys::has(known, name) {
                self.push(unknown_key(self.source, key.span, name, what, &keys::names(known)));
            }
        }
        Some(entries)
    }

    /// The items of a list; anything else is reported (`D020`).
    pub fn list<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [Node]> {
        let items = node.items();
        if items.is_none() {
            self.error("D020", node.span, format!("{what} must be a list"), format!("this is {}", node.describe()));
        }
        items
    }

    /// A text without expressions, such as a name or a description. Numbers and booleans are taken as written.
    pub fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        let text = node.as_str().filter(|_| !node.is_null());
        if text.is_none() {
            self.error("D020", node.span, format!("{what} must be text"), format!("this is {}", node.describe()));
        }
        text
    }

    /// A boolean; anything else is reported (`D020`).
    pub fn boolean(&mut self, node: &Node, what: &str) -> bool {
        node.as_bool().unwrap_or_else(|| {
            let label = format!("this is {}", node.describe());
            self.error("D020", node.span, format!("{what} must be true or false"), label);
            false
        })
    }

    /// Warns when a text is written so that a reader may take it for a number or boolean and change it (`D019`).
    pub fn warn_typed(&mut self, node: &Node, what: &str) {
        if node.is_typed() && !node.is_null() {
            let text = node.as_str().unwrap_or_default().to_owned();
            self.push(
                Diagnostic::warning("D019", format!("{what} is text, but this is written as {}", node.describe()))
                    .at(self.source, node.span, "a reader may change it, for example drop zeros")
                    .help(format!("put it in quotes: \"{text}\"")),
            );
        }
    }

    /// A text with expressions. Faulty expressions are reported (`X008` to `X010`, `X017`).
    pub fn template(&mut self, node: &Node) -> Option<Template> {
        let text = node.as_str()?;
        let places = places(self.source, node, text);
        let place = |number: usize| places.get(number).copied().unwrap_or(node.span);
        let mut faults = Vec::new();
        let parts = expression::split(text, place, |number, error| faults.push((number, error)));
        for (number, error) in faults {
            self.push(faulty(self.source, place(number), &error));
        }
        Some(Template { parts, node: node.clone() })
    }

    /// A text or number with expressions, anything else is reported under `code`.
    pub fn scalar_template(&mut self, key: &Node, node: &Node, what: &str, code: &'static str) -> Option<Template> {
        if node.as_str().is_none() || node.is_null() {
            let span = if node.span.start == node.span.end { key.span } else { node.span };
            self.error(code, span, format!("{what} must be text"), format!("this is {}", node.describe()));
            return None;
        }
        self.warn_typed(node, what);
        self.template(node)
    }

    /// A mapping whose faults, unknown keys included, are reported under `code`.
    pub fn shape<'n>(
        &mut self,
        node: &'n Node,
        what: &str,
        known: &'static [Key],
        code: &'static str,
    ) -> Option<&'n [(Node, Node)]> {
        let before = self.diagnostics.len();
        let entries = self.mapping(node, what, known);
        for diagnostic in &mut self.diagnostics[before..] {
            diagnostic.code = code;
        }
        entries
    }

    /// An expression where none is replaced (`X007`).
    pub fn misplaced_expression(&mut self, node: &Node, what: &str) {
        self.push(
            Diagnostic::error("X007", format!("{what} cannot hold an expression"))
                .at(self.source, node.span, "taken as it is written")
                .note("expressions are replaced in `inputs`, in `loop.forEach` and in the value of a condition")
                .help("write the value out"),
        );
    }
}

/// The diagnostic for a key that does not belong there.
pub fn unknown_key(source: &Arc<SourceFile>, span: Span, name: &str, what: &str, known: &[&str]) -> Diagnostic {
    let diagnostic =
        Diagnostic::error("D004", format!("unknown key `{name}` in {what}")).at(source, span, "not a known key");
    match suggest(name, known) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help(format!("known keys: {}", known.join(", "))),
    }
}

fn faulty(source: &Arc<SourceFile>, span: Span, error: &ExpressionError) -> Diagnostic {
    let diagnostic = |code| Diagnostic::error(code, error.to_string());
    match error {
        ExpressionError::Unclosed => diagnostic("X008")
            .at(source, span, "opened here")
            .help("add `}}`; there is no way to write a literal `{{`"),
        ExpressionError::Unknown(_) => diagnostic("X017")
            .at(source, span, "neither a name, nor `phase.step.outputs.key`, nor a known prefix")
            .help("write a parameter or constant, `phase.step.inputs.key`, `phase.step.outputs.key`, `loop.value` or `context:key`")
            .note("text for another template engine cannot stand in double braces: there is no escape for them"),
        ExpressionError::Empty(_) | ExpressionError::Resolve(_) => diagnostic("X010")
            .at(source, span, "incomplete")
            .help("write for example `aws:ssm:/path/name`, `aws:ssm:resolve(Parameter)`, `aws:imds:instance-id` or `env:HOME`"),
        ExpressionError::Context(key) => {
            let diagnostic = diagnostic("X010").at(source, span, "unknown key").inferred();
            match suggest(key, expression::CONTEXT_KEYS) {
                Some(near) => diagnostic.help(format!("did you mean `context:{near}`?")),
                None => diagnostic.help(format!("known keys: {}", expression::CONTEXT_KEYS.join(", "))),
            }
        }
        ExpressionError::Imds(_) => diagnostic("X009")
            .at(source, span, "refused by the service")
            .help("use another metadata path, or the instance profile through the AWS CLI"),
    }
}

/// Where the expressions of a text stand in the file, in order.
fn places(source: &Arc<SourceFile>, node: &Node, text: &str) -> Vec<Span> {
    if !text.contains("{{") {
        return Vec::new();
    }
    let offsets = yaml::Offsets::new(&source.text, node);
    let mut places = Vec::new();
    let mut from = 0;
    while let Some(open) = text[from..].find("{{") {
        let start = from + open;
        let end = text[start..].find("}}").map_or(start + 2, |close| start + close + 2);
        places.push(offsets.span(&(start..end)));
        from = end;
    }
    places
}

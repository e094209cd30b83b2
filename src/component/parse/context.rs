//! What every part of the parser needs: the file, the collected diagnostics, and the checks all mappings share.

use super::edits::meant;
use crate::component::expression::{self, ExpressionError, Template};
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
    pub fn mapping<'n>(&mut self, node: &'n Node, what: &str, known: &[&str]) -> Option<&'n [(Node, Node)]> {
        let Some(entries) = node.entries() else {
            self.wrong_form(
                node,
                &format!("{what} must be a mapping"),
                "write `key: value`, each in a line of its own",
            );
            return None;
        };
        for (key, _) in entries {
            let name = key.as_str().unwrap_or_default();
            if !known.contains(&name) {
                let mut diagnostic = unknown_key(self.source, key.span, name, what, known);
                // A second key of the right name would only be another fault.
                let taken =
                    suggest(name, known).is_some_and(|near| entries.iter().any(|(key, _)| key.as_str() == Some(near)));
                diagnostic.fix = diagnostic.fix.filter(|_| !taken);
                self.push(diagnostic);
            }
        }
        Some(entries)
    }

    /// The items of a list; anything else is reported (`D020`).
    pub fn list<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [Node]> {
        let items = node.items();
        if items.is_none() {
            self.wrong_form(node, &format!("{what} must be a list"), "put a dash before each item");
        }
        items
    }

    /// Reports a value that has another form than the one that is needed (`D020`).
    pub fn wrong_form(&mut self, node: &Node, message: &str, help: &str) {
        let label = format!("this is {}", node.describe());
        self.push(Diagnostic::error("D020", message).at(self.source, self.visible(node), label).help(help));
    }

    /// Where a value stands; for one that is not there, which has no width, the word it should follow.
    pub fn visible(&self, node: &Node) -> Span {
        if node.span.start < node.span.end {
            return node.span;
        }
        let before = self.source.text[..node.span.start].trim_end();
        let word = before.bytes().rev().take(130).take_while(|byte| !byte.is_ascii_whitespace()).count();
        Span::new(before.ceil_char_boundary(before.len() - word), before.len())
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
        known: &[&str],
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
        Some(near) => meant(diagnostic, source, span, near),
        None => diagnostic.help(format!("known keys: {}", known.join(", "))),
    }
}

/// What keeps a text from being a name, for the label at its place.
pub fn not_a_name(node: &Node) -> String {
    let Some(text) = node.as_str() else { return format!("this is {}", node.describe()) };
    let allowed = |c: &char| c.is_ascii_alphanumeric() || *c == '-' || *c == '_';
    match text.chars().find(|c| !allowed(c)) {
        Some(' ') => "a blank cannot be part of a name".to_owned(),
        Some(c) if c.is_whitespace() || c.is_control() => "white space cannot be part of a name".to_owned(),
        Some(c) => format!("`{c}` cannot be part of a name"),
        None if text.len() < 3 => "shorter than 3 characters".to_owned(),
        None => "longer than 128 characters".to_owned(),
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
        // What is never closed is the last one: nothing behind it is read.
        let close = text[start..].find("}}");
        let end = close.map_or(start + 2, |close| start + close + 2);
        places.push(offsets.span(&(start..end)));
        if close.is_none() {
            break;
        }
        from = end;
    }
    places
}

//! What every part of the parser needs: the file, the collected diagnostics, and the checks all mappings share.

use super::edits::meant;
use crate::component::expression::{self, ExpressionError, Template};
use crate::component::keys::{self, Key};
use crate::diagnostic::{Diagnostic, SourceFile, Span, suggest};
use crate::yaml::{self, Node};
use std::ops::Range;
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
            self.wrong_form(
                node,
                &format!("{what} must be a mapping"),
                "write `key: value`, each in a line of its own",
            );
            return None;
        };
        for (key, _) in entries {
            let name = key.as_str().unwrap_or_default();
            let known_names = keys::names(known);
            if !keys::has(known, name) {
                let mut diagnostic = unknown_key(self.source, key.span, name, what, &known_names);
                // A second key of the right name would only be another fault.
                let taken = suggest(name, known_names.iter().copied())
                    .is_some_and(|near| entries.iter().any(|(key, _)| key.as_str() == Some(near)));
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
        // Most texts hold no expression, and need no places.
        let offsets = text.contains("{{").then(|| yaml::Offsets::new(&self.source.text, node));
        let place = |range: Range<usize>| offsets.as_ref().map_or(node.span, |offsets| offsets.span(&range));
        let mut faults = Vec::new();
        let parts = expression::split(text, place, |range, error| faults.push((place(range), error)));
        for (span, error) in faults {
            self.push(faulty(self.source, span, &error));
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
        ExpressionError::Unclosed => {
            diagnostic("X008").at(source, span, "opened here").help("add `}}`; there is no way to write a literal `{{`")
        }
        ExpressionError::Unknown(text) => {
            let diagnostic = diagnostic("X017").at(source, span, "nothing that the language knows");
            match expression::meant(text) {
                Some(meant) => diagnostic.help(meant),
                None if expression::is_foreign(text) => diagnostic
                    .note("text for another template engine cannot stand in double braces: there is no escape for them")
                    .help("download it as a file, or put the braces together in the script: `b='{'`, then `\"$b$b …\"`"),
                None => diagnostic
                    .help("write a parameter or constant, `phase.step.inputs.key`, `phase.step.outputs.key`, `loop.value` or `context:key`"),
            }
        }
        ExpressionError::Empty(prefix) => diagnostic("X010")
            .at(source, span, "incomplete")
            .help(format!("write for example `{}`", example(prefix)))
            .inferred(),
        ExpressionError::Resolve(_) => diagnostic("X010")
            .at(source, span, "no parameter is named here")
            .help("write `aws:ssm:resolve(Name)` with a parameter of this document, or `aws:ssm:/path/name` itself")
            .inferred(),
        ExpressionError::Ssm(_) => diagnostic("X010")
            .at(source, span, "letters, digits and `_ . - /` can stand in a name")
            .help("write the name alone, as in `aws:ssm:/path/name`")
            .inferred(),
        ExpressionError::Context(key) => {
            let diagnostic = diagnostic("X010").at(source, span, "unknown key").inferred();
            match suggest(key.trim(), expression::CONTEXT_KEYS) {
                Some(near) => diagnostic.help(format!("did you mean `context:{near}`?")),
                None => diagnostic.help(format!("known keys: {}", expression::CONTEXT_KEYS.join(", "))),
            }
        }
        ExpressionError::Imds(_) => diagnostic("X009")
            .at(source, span, "refused by the service")
            .help("use another metadata path, or the instance profile through the AWS CLI"),
    }
}

/// A whole expression with a prefix.
fn example(prefix: &str) -> &'static str {
    match prefix {
        "aws:ssm:" => "aws:ssm:/path/name",
        "aws:imds:" => "aws:imds:placement/region",
        "env:" => "env:PATH",
        _ => "context:region",
    }
}

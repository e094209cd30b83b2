//! Reading a mapping key by key: each reader says what it expects, collects what is wrong, and goes on, so that one run
//! shows all faults of all files. Keys nobody asked for are errors.

use super::{codes, duration};
use crate::diagnostic::{Diagnostic, Severity, SourceFile, Span, suggest};
use crate::yaml::{Kind, Node};
use std::sync::Arc;
use std::time::Duration;

/// The faults found so far in one file.
pub(super) struct Findings {
    /// The file they are in.
    pub source: Arc<SourceFile>,
    /// In the order in which they were found.
    pub list: Vec<Diagnostic>,
}

impl Findings {
    pub fn new(source: &Arc<SourceFile>) -> Self {
        Self { source: Arc::clone(source), list: vec![] }
    }

    /// Everything found, in the order of the file.
    pub fn into_list(mut self) -> Vec<Diagnostic> {
        self.list.sort_by_key(|found| found.primary.as_ref().map_or(0, |label| label.span.start));
        self.list
    }

    /// Adds an error at a place; what it returns is for chaining notes and help.
    pub fn error(
        &mut self,
        code: &'static str,
        span: Span,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> &mut Diagnostic {
        let found = Diagnostic::new(code, Severity::Error, message).at(&self.source, span, label);
        self.list.push(found);
        self.list.last_mut().unwrap_or_else(|| unreachable!("one was just pushed"))
    }

    /// "expected X, found Y" at a value.
    pub fn wrong_type(&mut self, what: &str, expected: &str, node: &Node) {
        let found = node.describe();
        self.error(
            codes::WRONG_TYPE,
            node.span,
            format!("`{what}` has to be {expected}, not {found}"),
            format!("{found} here"),
        );
    }

    /// A name that is not one of those known, with the nearest as a suggestion.
    pub fn unknown(&mut self, code: &'static str, span: Span, message: String, word: &str, known: &[&str]) {
        let near = suggest(word, known.iter().copied()).map(str::to_owned);
        let label = near.as_ref().map_or_else(|| "not known".to_owned(), |near| format!("did you mean `{near}`?"));
        let found = self.error(code, span, message, label);
        if !known.is_empty() {
            found.help.push(format!("known: {}", known.join(", ")));
        }
    }
}

/// One mapping being read. Dropping it unfinished would let unknown keys pass, so every reader ends with
/// [`Fields::finish`].
pub(super) struct Fields<'a> {
    node: &'a Node,
    /// What the mapping is, for messages: `gates.patches`; empty at the top of a file.
    path: String,
    asked: Vec<&'static str>,
    /// Keys that were refused already; not offered as suggestions.
    refused: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// Starts reading; something else than a mapping is an error. Nothing at all counts as an empty mapping where
    /// `empty` allows it.
    pub fn new(node: &'a Node, path: &str, empty: bool, out: &mut Findings) -> Option<Self> {
        if node.entries().is_none() && !(empty && node.is_null()) {
            let what = if path.is_empty() { "the file" } else { path };
            out.wrong_type(what, "a mapping", node);
            return None;
        }
        Some(Self { node, path: path.to_owned(), asked: vec![], refused: vec![] })
    }

    /// The path of a key, for messages.
    pub fn path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    /// The place of the mapping as a whole: its first key, which is where a reader looks.
    pub fn span(&self) -> Span {
        self.node.entries().and_then(<[_]>::first).map_or(self.node.span, |(key, _)| key.span)
    }

    /// The value of a key, marking the key as known.
    pub fn take(&mut self, key: &'static str) -> Option<&'a Node> {
        self.asked.push(key);
        self.node.get(key)
    }

    /// As [`Fields::take`]; a missing key is an error.
    pub fn required(&mut self, key: &'static str, out: &mut Findings) -> Option<&'a Node> {
        let found = self.take(key);
        if found.is_none() {
            let message = format!("`{}` is missing", self.path(key));
            out.error(codes::MISSING, self.span(), message, format!("`{key}` is needed here"));
        }
        found
    }

    /// Text, in quotes or not. Numbers, booleans and nothing are refused: another reader would change them.
    pub fn text(&mut self, key: &'static str, out: &mut Findings) -> Option<String> {
        let node = self.take(key)?;
        text(node, &self.path(key), out)
    }

    /// A boolean.
    pub fn boolean(&mut self, key: &'static str, default: bool, out: &mut Findings) -> bool {
        let Some(node) = self.take(key) else { return default };
        node.as_bool().unwrap_or_else(|| {
            out.wrong_type(&self.path(key), "true or false", node);
            default
        })
    }

    /// A whole number within limits.
    pub fn number(&mut self, key: &'static str, default: u32, limits: (u32, u32), out: &mut Findings) -> u32 {
        let Some(node) = self.take(key) else { return default };
        let Some(value) = node.as_int() else {
            out.wrong_type(&self.path(key), "a whole number", node);
            return default;
        };
        match u32::try_from(value) {
            Ok(value) if (limits.0..=limits.1).contains(&value) => value,
            _ => {
                let message = format!("`{}` has to be from {} to {}", self.path(key), limits.0, limits.1);
                out.error(codes::NOT_ALLOWED, node.span, message, "out of range");
                default
            }
        }
    }

    /// A duration such as `24h`.
    pub fn duration(&mut self, key: &'static str, out: &mut Findings) -> Option<Duration> {
        let node = self.take(key)?;
        let Some(text) = node.as_str().filter(|_| !node.is_null()) else {
            out.wrong_type(&self.path(key), "a duration such as 24h", node);
            return None;
        };
        match duration::parse(text) {
            Ok(value) => Some(value),
            Err(why) => {
                let message = format!("`{text}` is not a duration: {why}");
                let found = out.error(codes::DURATION, node.span, message, "not a duration");
                found.help.push("write a number and a unit, for example 90m, 24h, 14d or 1h30m".to_owned());
                None
            }
        }
    }

    /// One word of a fixed set.
    pub fn choice(&mut self, key: &'static str, allowed: &[&'static str], out: &mut Findings) -> Option<&'static str> {
        let node = self.take(key)?;
        let path = self.path(key);
        let word = text(node, &path, out)?;
        let found = allowed.iter().find(|candidate| **candidate == word).copied();
        if found.is_none() {
            out.unknown(codes::NOT_ALLOWED, node.span, format!("`{path}` cannot be `{word}`"), &word, allowed);
        }
        found
    }

    /// A list of texts; absent is empty.
    pub fn texts(&mut self, key: &'static str, out: &mut Findings) -> Vec<(String, Span)> {
        let path = self.path(key);
        self.list(key, out).iter().filter_map(|item| text(item, &path, out).map(|text| (text, item.span))).collect()
    }

    /// The items of a list; absent is empty.
    pub fn list(&mut self, key: &'static str, out: &mut Findings) -> &'a [Node] {
        let Some(node) = self.take(key) else { return &[] };
        node.items().unwrap_or_else(|| {
            out.wrong_type(&self.path(key), "a list", node);
            &[]
        })
    }

    /// A key that users look for here and that stands in another file: to pass over it would be a lie.
    pub fn elsewhere(&mut self, key: &'static str, file: &str, out: &mut Findings) {
        self.refused.push(key);
        if let Some((name, _)) = self.node.entry(key) {
            let message = format!("`{}` does not stand here but in {file}", self.path(key));
            let found = out.error(codes::ELSEWHERE, name.span, message, "stands in another file");
            found.help.push(format!("move it to {file}; `amiforge explain {}` says how it looks there", codes::WAIVER));
        }
    }

    /// Ends the reading: whatever was not asked for is unknown.
    pub fn finish(self, out: &mut Findings) {
        for (name, _) in self.node.entries().unwrap_or_default() {
            let word = name.as_str().unwrap_or_default();
            if !self.asked.contains(&word) && !self.refused.contains(&word) {
                let message = if self.path.is_empty() {
                    format!("`{word}` is not a key of this file")
                } else {
                    format!("`{word}` is not a key of `{}`", self.path)
                };
                out.unknown(codes::UNKNOWN_KEY, name.span, message, word, &self.asked);
            }
        }
    }
}

/// Text, in quotes or not.
pub(super) fn text(node: &Node, path: &str, out: &mut Findings) -> Option<String> {
    match node.as_str() {
        Some(_) if node.is_typed() => {
            let shown = node.as_str().unwrap_or_default();
            out.wrong_type(path, "text", node);
            if let (false, Some(last)) = (node.is_null(), out.list.last_mut()) {
                last.help.push(format!("write it in quotes: \"{shown}\""));
            }
            None
        }
        Some(text) => Some(text.to_owned()),
        None => {
            out.wrong_type(path, "text", node);
            None
        }
    }
}

/// The text of any scalar that is not null, as written; for values that are handed on as text.
pub(super) fn scalar(node: &Node, path: &str, out: &mut Findings) -> Option<String> {
    match &node.kind {
        Kind::Scalar(scalar) if !node.is_null() => Some(scalar.text.clone()),
        _ => {
            out.wrong_type(path, "a single value", node);
            None
        }
    }
}

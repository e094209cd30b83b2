//! Single values: text, booleans and numbers, and what is said about those that readers take differently (`D019`).
//!
//! What is wanted decides: `yes` is a fault where text is wanted, because a reader may see a boolean, and where a boolean
//! is wanted, because a reader may see text. One value has one finding.

use super::context::Context;
use crate::diagnostic::{Diagnostic, Edit};
use crate::yaml::Node;

impl Context<'_> {
    /// A text without expressions, such as a name or a description. Numbers and booleans are taken as written.
    pub fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        let text = node.as_str().filter(|_| !node.is_null());
        if text.is_none() {
            self.wrong_form(node, &format!("{what} must be text"), "write one text; \"\" is one without characters");
        }
        self.warn_typed(node, what);
        text
    }

    /// A boolean; anything else is reported (`D020`).
    pub fn boolean(&mut self, node: &Node, what: &str) -> bool {
        self.as_boolean(node, what).unwrap_or_else(|| {
            self.wrong_form(node, &format!("{what} must be true or false"), "write `true` or `false`, without quotes");
            false
        })
    }

    /// The boolean a value is; `yes` and its like are accepted with a warning.
    pub fn as_boolean(&mut self, node: &Node, what: &str) -> Option<bool> {
        if let Some(value) = node.as_bool() {
            return Some(value);
        }
        let value = node.as_old_bool()?;
        let written = node.as_str().unwrap_or_default();
        self.push(
            Diagnostic::warning("D019", format!("{what} is true or false, but this is written as `{written}`"))
                .at(self.source, node.span, "a boolean to readers of YAML 1.1, text to others")
                .help(format!("write `{value}`"))
                .safe_fix(format!("write `{value}`"), vec![Edit::replace(node.span, value.to_string())]),
        );
        Some(value)
    }

    /// The whole number a value is. One in quotes, and one that readers do not agree on, is accepted with a warning.
    pub fn as_integer(&mut self, node: &Node, what: &str) -> Option<i64> {
        match (node.as_int(), node.as_old_int()) {
            (Some(number), Some(old)) if number == old => Some(number),
            (Some(number), Some(old)) => {
                let label =
                    format!("{number} to some readers, {old} to others: a zero in front means octal in YAML 1.1");
                let message = format!("{what} is a number that readers do not agree on");
                self.push(
                    Diagnostic::warning("D019", message)
                        .at(self.source, node.span, label)
                        .help(format!("write {number} or {old}, whichever is meant"))
                        .unsafe_fix(format!("write {number}"), vec![Edit::replace(node.span, number.to_string())]),
                );
                Some(number)
            }
            (Some(number), None) | (None, Some(number)) => {
                let message = format!("{what} is a number, but some readers take this for text");
                self.push(
                    Diagnostic::warning("D019", message)
                        .at(self.source, node.span, format!("{number} to the others"))
                        .help(format!("write {number}"))
                        .safe_fix(format!("write {number}"), vec![Edit::replace(node.span, number.to_string())]),
                );
                Some(number)
            }
            (None, None) => self.quoted_integer(node, what),
        }
    }

    fn quoted_integer(&mut self, node: &Node, what: &str) -> Option<i64> {
        let number: i64 = node.as_str()?.trim().parse().ok()?;
        self.push(
            Diagnostic::warning("D019", format!("{what} is a number, but this is written as text"))
                .at(self.source, node.span, "a reader may refuse it")
                .help("remove the quotes")
                .safe_fix("remove the quotes", vec![Edit::replace(node.span, number.to_string())]),
        );
        Some(number)
    }

    /// As [`warn_typed`](Self::warn_typed), for texts that may be written as numbers (section 8.3): a number that every
    /// reader turns back into the very same text is left alone.
    pub fn warn_changed(&mut self, node: &Node, what: &str) {
        let same = |number: Option<i64>| number.is_some_and(|number| node.as_str() == Some(&number.to_string()));
        if !same(node.as_int()) || !same(node.as_old_int()) {
            self.warn_typed(node, what);
        }
    }

    /// Warns when a text is written so that a reader may take it for a number, a boolean or a date and change it.
    pub fn warn_typed(&mut self, node: &Node, what: &str) {
        let Some(reading) = node.misread() else { return };
        let text = node.as_str().unwrap_or_default();
        self.push(
            Diagnostic::warning("D019", format!("{what} is text, but without quotes `{text}` is {reading}"))
                .at(self.source, node.span, "a reader may change it")
                .help(format!("put it in quotes: \"{text}\""))
                .safe_fix("put it in quotes", vec![Edit::replace(node.span, format!("\"{text}\""))]),
        );
    }
}

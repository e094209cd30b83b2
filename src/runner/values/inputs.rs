//! Inputs without expressions.

use crate::component::modules::{Module, Type};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// An input without expressions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Resolved {
    Text(String),
    Texts(Vec<String>),
    Flag(bool),
    /// A number, and its text.
    Count(u64, String),
    Pairs(Vec<(String, String)>),
}

impl Resolved {
    /// As one text, which is what a chain sees: lists are joined with commas.
    pub(super) fn joined(&self) -> String {
        match self {
            Self::Text(text) | Self::Count(_, text) => text.clone(),
            Self::Texts(texts) => texts.join(","),
            Self::Flag(value) => value.to_string(),
            Self::Pairs(pairs) => {
                pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(",")
            }
        }
    }

    fn json(&self, kind: Option<Type>) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Texts(texts) => json!(texts),
            Self::Flag(value) => json!(value),
            Self::Count(value, _) => json!(value),
            Self::Pairs(pairs) if kind == Some(Type::Parameters) => {
                pairs.iter().map(|(name, value)| json!({"name": name, "value": value})).collect()
            }
            Self::Pairs(pairs) => {
                pairs.iter().map(|(name, value)| (name.clone(), json!(value))).collect::<Map<_, _>>().into()
            }
        }
    }
}

/// One set of inputs without expressions; what is not given has the default of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inputs {
    module: &'static Module,
    values: BTreeMap<&'static str, Resolved>,
}

impl Inputs {
    pub(super) fn new(module: &'static Module, values: BTreeMap<&'static str, Resolved>) -> Self {
        Self { module, values }
    }

    /// A text, or its default.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.values.get(name) {
            Some(Resolved::Text(text) | Resolved::Count(_, text)) => Some(text),
            Some(Resolved::Flag(value)) => Some(if *value { "true" } else { "false" }),
            Some(Resolved::Texts(_) | Resolved::Pairs(_)) => None,
            None => self.module.input(name).and_then(|input| input.default),
        }
    }

    /// A text that the table requires or has a default for; empty if there is none.
    pub fn required(&self, name: &str) -> &str {
        self.text(name).unwrap_or_default()
    }

    /// A list of texts; empty if not given.
    pub fn texts(&self, name: &str) -> &[String] {
        match self.values.get(name) {
            Some(Resolved::Texts(texts)) => texts,
            _ => &[],
        }
    }

    /// Names and values; empty if not given.
    pub fn pairs(&self, name: &str) -> &[(String, String)] {
        match self.values.get(name) {
            Some(Resolved::Pairs(pairs)) => pairs,
            _ => &[],
        }
    }

    /// A boolean, or its default.
    pub fn flag(&self, name: &str) -> bool {
        self.text(name) == Some("true")
    }

    /// What is remembered of them: lists are joined with commas.
    pub fn record(&self) -> BTreeMap<String, String> {
        self.values.iter().map(|(name, value)| ((*name).to_owned(), value.joined())).collect()
    }

    /// As they stand in a document.
    pub fn json(&self) -> Value {
        let kind = |name: &str| self.module.input(name).map(|input| input.kind);
        let entries = self.values.iter().map(|(name, value)| ((*name).to_owned(), value.json(kind(name))));
        entries.collect::<Map<_, _>>().into()
    }
}

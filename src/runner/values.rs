//! Puts values in place of expressions.

use crate::component::expression::{Chain, Expression, Part, Side, Template};
use crate::component::model::{Document, Item, Step, Value};
use crate::component::modules::Module;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Why an expression has no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// A parameter without a default that the request does not give.
    #[error("parameter `{0}` has no value: give one, or a default in the document")]
    Parameter(String),
    /// The step has not run in this execution.
    #[error("step `{0}.{1}` has not run in this execution, so nothing of it can be used")]
    NotRun(String, String),
    /// The step did not produce it, or it was too long to be kept.
    #[error("`{0}` has no value here: it was not produced, or is longer than 16 MiB")]
    Missing(String),
    /// An expression of a kind that the runner does not execute; refused before anything runs.
    #[error("the expression `{0}` is not executed locally yet")]
    Unsupported(String),
}

/// What is remembered of a step that has run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its inputs after their expressions were replaced, one set per item.
    pub inputs: Vec<BTreeMap<String, String>>,
    /// What it produced, one set per item. A failed step has produced nothing.
    pub outputs: Vec<BTreeMap<String, Option<String>>>,
    /// Whether it succeeded.
    pub succeeded: bool,
}

/// What is remembered of a document: records by `phase.step`.
pub type Records = BTreeMap<String, Record>;

/// Everything an expression can name.
pub struct Scope<'a> {
    /// The document.
    pub document: &'a Document,
    /// The values given for its parameters.
    pub parameters: &'a BTreeMap<String, String>,
    /// The steps that have run.
    pub records: &'a Records,
}

impl Scope<'_> {
    /// A text with all expressions replaced.
    pub fn text(&self, template: &Template) -> Result<String, ValueError> {
        let mut text = String::new();
        for part in &template.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Expression(expression, _) => text.push_str(&self.value(expression)?),
            }
        }
        Ok(text)
    }

    fn value(&self, expression: &Expression) -> Result<String, ValueError> {
        match expression {
            Expression::Name(name) => self.name(name),
            Expression::Chain(chain) => self.chain(chain),
            Expression::Loop { name, field } => Err(ValueError::Unsupported(format!("{name}.{field}"))),
            Expression::Ssm(rest) => Err(ValueError::Unsupported(format!("aws:ssm:{rest}"))),
            Expression::Imds(rest) => Err(ValueError::Unsupported(format!("aws:imds:{rest}"))),
            Expression::Environment(rest) => Err(ValueError::Unsupported(format!("env:{rest}"))),
            Expression::Context(rest) => Err(ValueError::Unsupported(format!("context:{rest}"))),
        }
    }

    fn name(&self, name: &str) -> Result<String, ValueError> {
        if let Some(constant) = self.document.constants.iter().find(|constant| constant.name == name) {
            return Ok(constant.value.clone());
        }
        let default = self.document.parameters.iter().find(|parameter| parameter.name == name);
        let value = self.parameters.get(name).cloned().or_else(|| default?.default.clone());
        value.ok_or_else(|| ValueError::Parameter(name.to_owned()))
    }

    fn chain(&self, chain: &Chain) -> Result<String, ValueError> {
        let record = self
            .records
            .get(&key(&chain.phase, &chain.step))
            .ok_or_else(|| ValueError::NotRun(chain.phase.clone(), chain.step.clone()))?;
        let index = chain.index.unwrap_or(0);
        let missing = || {
            let (phase, step, side, key) = (&chain.phase, &chain.step, chain.side.word(), &chain.key);
            ValueError::Missing(format!("{phase}.{step}.{side}.{key}"))
        };
        match chain.side {
            Side::Inputs => record.inputs.get(index).and_then(|set| set.get(&chain.key)).cloned().ok_or_else(missing),
            // A step whose failure was ignored has no outputs; like those of a skipped step they read as nothing.
            Side::Outputs if !record.succeeded => Ok(String::new()),
            Side::Outputs => {
                let value = record.outputs.get(index).and_then(|set| set.get(&chain.key));
                value.cloned().flatten().ok_or_else(missing)
            }
        }
    }

    /// All inputs of a step, resolved.
    pub fn inputs(&self, step: &Step) -> Result<Vec<Inputs>, ValueError> {
        step.inputs.iter().map(|item| self.item(step.module, item)).collect()
    }

    fn item(&self, module: &'static Module, item: &Item) -> Result<Inputs, ValueError> {
        let mut values = BTreeMap::new();
        for field in &item.fields {
            let texts = |templates: &[Template]| -> Result<Vec<String>, ValueError> {
                templates.iter().map(|template| self.text(template)).collect()
            };
            let value = match &field.value {
                Value::Text(template) => Resolved::Text(self.text(template)?),
                Value::Texts(templates) => Resolved::Texts(texts(templates)?),
                Value::Boolean(value) => Resolved::Text(value.to_string()),
                Value::Count(value) => Resolved::Text(value.to_string()),
                Value::Pairs(pairs) => {
                    let texts: Result<Vec<String>, ValueError> =
                        pairs.iter().map(|(name, value)| Ok(format!("{name}={}", self.text(value)?))).collect();
                    Resolved::Texts(texts?)
                }
            };
            values.insert(field.name, value);
        }
        Ok(Inputs { module, values })
    }
}

/// The key of a step in [`Records`].
pub fn key(phase: &str, step: &str) -> String {
    format!("{phase}.{step}")
}

/// An input without expressions.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Resolved {
    Text(String),
    Texts(Vec<String>),
}

/// One set of inputs without expressions; what is not given has the default of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inputs {
    module: &'static Module,
    values: BTreeMap<&'static str, Resolved>,
}

impl Inputs {
    /// A text, or its default.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.values.get(name) {
            Some(Resolved::Text(text)) => Some(text),
            Some(Resolved::Texts(_)) => None,
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

    /// A boolean, or its default.
    pub fn flag(&self, name: &str) -> bool {
        self.text(name) == Some("true")
    }

    /// What is remembered of them: lists are joined with commas.
    pub fn record(&self) -> BTreeMap<String, String> {
        let text = |value: &Resolved| match value {
            Resolved::Text(text) => text.clone(),
            Resolved::Texts(texts) => texts.join(","),
        };
        self.values.iter().map(|(name, value)| ((*name).to_owned(), text(value))).collect()
    }
}

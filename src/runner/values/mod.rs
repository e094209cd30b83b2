//! Puts values in place of expressions (reference/component-documents.md section 6).

mod facts;
mod inputs;

use super::capture::Sink;
use super::outside::{Outside, OutsideError};
use super::secrets::Secrets;
use crate::component::expression::{Chain, Expression, Part, Side, Template};
use crate::component::model::{Document, Item, Step, Value};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

pub use facts::{Facts, FactsError};
pub use inputs::Inputs;

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
    /// An input of a step that has not run, and that is not known before it runs.
    #[error("`{0}` is not known before that step has run: it is made from other steps or a loop; write its parts here")]
    NotStatic(String),
    /// A loop variable where there is no loop, or where it has not begun.
    #[error("`{0}` has no value here: loop variables are known in the inputs of their own step only")]
    Loop(String),
    /// A variable that is not set. Whether awstoe fails is UNCONFIRMED; an empty text instead would be made up.
    #[error("`env:{0}` has no value: the environment of commands has no such variable")]
    Environment(String),
    /// A fact that is not known.
    #[error(transparent)]
    Facts(#[from] FactsError),
    /// What is beyond the machine could not be had.
    #[error("`{expression}` has no value: {source}")]
    Outside {
        /// The expression.
        expression: String,
        /// Why.
        source: OutsideError,
    },
    /// Values of Parameter Store have to be one line (reference 6.4).
    #[error("`{0}` has a value of several lines, which cannot be put in its place; fetch it in a script instead")]
    Lines(String),
}

/// What is remembered of a step that is over.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its inputs after their expressions were replaced, one set per item; of a loop those of its last iteration
    /// (UNCONFIRMED). None if it was skipped or failed before they were known.
    pub inputs: Vec<BTreeMap<String, String>>,
    /// What it produced, one set per item. A failed step has produced nothing.
    pub outputs: Vec<BTreeMap<String, Option<String>>>,
    /// Whether it succeeded.
    pub succeeded: bool,
}

/// What is remembered of a document: records by `phase.step`.
pub type Records = BTreeMap<String, Record>;

/// An iteration of a loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// The loop's own name.
    pub name: Option<String>,
    /// Counted from 0.
    pub index: u64,
    /// The number or item.
    pub value: String,
}

/// Everything an expression can name.
pub struct Scope<'a, 'b> {
    /// The document.
    pub document: &'a Document,
    /// The values given for its parameters.
    pub parameters: &'a BTreeMap<String, String>,
    /// The steps that are over.
    pub records: &'a Records,
    /// The environment of commands.
    pub environment: &'a BTreeMap<String, String>,
    /// What `context:` tells.
    pub facts: Facts<'a>,
    /// The iteration that begins; `None` outside of a loop.
    pub turn: Option<&'a Turn>,
    /// The world beyond the machine.
    pub outside: &'a mut dyn Outside,
    /// Who is told what was replaced, and which secrets there are.
    pub sink: &'a mut Sink<'b>,
    /// As the sink knows them.
    pub secrets: &'a Secrets,
}

impl Scope<'_, '_> {
    /// A text with all expressions replaced.
    pub fn text(&mut self, template: &Template) -> Result<String, ValueError> {
        let mut text = String::new();
        for part in &template.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Expression(expression, _) => text.push_str(&self.value(expression)?),
            }
        }
        Ok(text)
    }

    fn value(&mut self, expression: &Expression) -> Result<String, ValueError> {
        let value = match expression {
            Expression::Name(name) => self.name(name)?,
            Expression::Chain(chain) => self.chain(chain)?,
            Expression::Loop { name, field } => self.loop_variable(name, field)?,
            Expression::Ssm(rest) => {
                let (value, secret) = self.stored(rest, expression)?;
                if secret {
                    return Ok(value);
                }
                value
            }
            Expression::Imds(path) => self.outside.metadata(path).map_err(|source| beyond(expression, source))?,
            Expression::Environment(name) => {
                self.environment.get(name).cloned().ok_or_else(|| ValueError::Environment(name.clone()))?
            }
            Expression::Context(key) => self.facts.tell(key)?,
        };
        self.sink.substituted(&expression.to_string(), &value);
        Ok(value)
    }

    fn name(&self, name: &str) -> Result<String, ValueError> {
        if let Some(constant) = self.document.constants.iter().find(|constant| constant.name == name) {
            return Ok(constant.value.clone());
        }
        let default = self.document.parameters.iter().find(|parameter| parameter.name == name);
        let value = self.parameters.get(name).cloned().or_else(|| default?.default.clone());
        value.ok_or_else(|| ValueError::Parameter(name.to_owned()))
    }

    fn loop_variable(&self, name: &str, field: &str) -> Result<String, ValueError> {
        let own = |turn: &&Turn| name == "loop" || turn.name.as_deref() == Some(name);
        let turn = self.turn.filter(own).ok_or_else(|| ValueError::Loop(format!("{name}.{field}")))?;
        Ok(if field == "index" { turn.index.to_string() } else { turn.value.clone() })
    }

    /// A value of Parameter Store or Secrets Manager, and whether it is a secret. What `resolve(…)` is given names another
    /// parameter: a parameter of the document (a constant as well; UNCONFIRMED), or one of Parameter Store.
    fn stored(&mut self, rest: &str, expression: &Expression) -> Result<(String, bool), ValueError> {
        let inner = rest.strip_prefix("resolve(").and_then(|inner| inner.strip_suffix(')')).map(str::trim);
        let name = match inner {
            None => rest.to_owned(),
            Some(inner) => match inner.strip_prefix("aws:ssm:") {
                Some(other) => self.parameter(other, expression)?.0,
                None => self.name(inner)?,
            },
        };
        self.parameter(&name, expression)
    }

    fn parameter(&mut self, name: &str, expression: &Expression) -> Result<(String, bool), ValueError> {
        let parameter = self.outside.parameter(name).map_err(|source| beyond(expression, source))?;
        if parameter.secret {
            self.secrets.learn(&parameter.value);
        }
        if parameter.value.contains(['\n', '\r']) {
            return Err(ValueError::Lines(expression.to_string()));
        }
        Ok((parameter.value, parameter.secret))
    }

    fn chain(&mut self, chain: &Chain) -> Result<String, ValueError> {
        let index = chain.index.unwrap_or(0);
        let record = self.records.get(&key(&chain.phase, &chain.step));
        let missing = || ValueError::Missing(Expression::Chain(chain.clone()).to_string());
        if chain.side == Side::Inputs {
            // What was resolved when the step ran; of one that has not run, what is known beforehand (UNCONFIRMED, X006).
            let Some(record) = record.filter(|record| !record.inputs.is_empty()) else {
                return self.beforehand(chain, index);
            };
            return record.inputs.get(index).and_then(|set| set.get(&chain.key)).cloned().ok_or_else(missing);
        }
        let record = record.ok_or_else(|| ValueError::NotRun(chain.phase.clone(), chain.step.clone()))?;
        if !record.succeeded {
            // UNCONFIRMED for both: a step that was skipped, and one whose failure does not end the run.
            let chain = Expression::Chain(chain.clone());
            self.sink.notice(&format!("warning: `{chain}` is empty, because that step did not succeed"));
            return Ok(String::new());
        }
        let value = record.outputs.get(index).and_then(|set| set.get(&chain.key));
        value.cloned().flatten().ok_or_else(missing)
    }

    /// An input of a step that has not run, if nothing in it comes from a step or a loop.
    fn beforehand(&mut self, chain: &Chain, index: usize) -> Result<String, ValueError> {
        let not_run = || ValueError::NotRun(chain.phase.clone(), chain.step.clone());
        let phase = self.document.phase(&chain.phase).ok_or_else(not_run)?;
        let step = phase.steps.iter().find(|step| step.name == chain.step).ok_or_else(not_run)?;
        let value = step.inputs.get(index).and_then(|item| item.get(&chain.key)).ok_or_else(not_run)?;
        let moving = |expression: &Expression| matches!(expression, Expression::Chain(_) | Expression::Loop { .. });
        if value.templates().into_iter().flat_map(Template::expressions).any(|(expression, _)| moving(expression)) {
            return Err(ValueError::NotStatic(Expression::Chain(chain.clone()).to_string()));
        }
        Ok(self.resolve(value)?.joined())
    }

    /// All inputs of a step, resolved.
    pub fn inputs(&mut self, step: &Step) -> Result<Vec<Inputs>, ValueError> {
        step.inputs.iter().map(|item| self.item(step, item)).collect()
    }

    fn item(&mut self, step: &Step, item: &Item) -> Result<Inputs, ValueError> {
        let mut values = BTreeMap::new();
        for field in &item.fields {
            values.insert(field.name, self.resolve(&field.value)?);
        }
        Ok(Inputs::new(step.module, values))
    }

    fn resolve(&mut self, value: &Value) -> Result<inputs::Resolved, ValueError> {
        use inputs::Resolved;
        Ok(match value {
            Value::Text(template) => Resolved::Text(self.text(template)?),
            Value::Texts(templates) => {
                Resolved::Texts(templates.iter().map(|template| self.text(template)).collect::<Result<_, _>>()?)
            }
            Value::Boolean(value) => Resolved::Flag(*value),
            Value::Count(value) => Resolved::Count(*value, value.to_string()),
            Value::Pairs(pairs) => {
                let pairs = pairs.iter().map(|(name, value)| Ok((name.clone(), self.text(value)?)));
                Resolved::Pairs(pairs.collect::<Result<_, ValueError>>()?)
            }
        })
    }
}

fn beyond(expression: &Expression, source: OutsideError) -> ValueError {
    ValueError::Outside { expression: expression.to_string(), source }
}

/// The key of a step in [`Records`].
pub fn key(phase: &str, step: &str) -> String {
    format!("{phase}.{step}")
}

//! Expressions: `{{ … }}` inside text (reference/component-documents.md 6.1 and 6.6).

use super::is_name;
use crate::diagnostic::Span;
use crate::yaml::Node;

/// A text with expressions in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Its parts in order; adjacent parts are joined without anything in between. A faulty expression is no part.
    pub parts: Vec<Part>,
    /// The scalar it was read from: the whole text, how it is written and where.
    pub node: Node,
}

/// A part of a [`Template`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Taken as it is.
    Literal(String),
    /// Replaced when the step runs.
    Expression(Expression, Span),
}

/// What can stand between the braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    /// A parameter or constant.
    Name(String),
    /// An input or output of another step.
    Chain(Chain),
    /// `loop.index`, `loop.value`, or the same of a named loop.
    Loop {
        /// `loop`, or the loop's name.
        name: String,
        /// `index` or `value`.
        field: String,
    },
    /// A value of Parameter Store or Secrets Manager: what follows `aws:ssm:`.
    Ssm(String),
    /// Instance metadata: what follows `aws:imds:`.
    Imds(String),
    /// An environment variable: what follows `env:`.
    Environment(String),
    /// A fact about the execution: what follows `context:`.
    Context(String),
}

/// Which side of a step is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// What it was given, after its own expressions were replaced.
    Inputs,
    /// What it produced.
    Outputs,
}

impl Side {
    /// The word in the document.
    pub fn word(self) -> &'static str {
        match self {
            Self::Inputs => "inputs",
            Self::Outputs => "outputs",
        }
    }
}

/// `phase.step.inputs.key`, `phase.step.outputs[0].key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// The phase of the other step.
    pub phase: String,
    /// The other step.
    pub step: String,
    /// Which side of it.
    pub side: Side,
    /// Which item, counted from zero.
    pub index: Option<usize>,
    /// Which value.
    pub key: String,
}

/// What is wrong with the text of an expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// `{{` without `}}`.
    #[error("`{{{{` is never closed by `}}}}`")]
    Unclosed,
    /// Nothing that can stand between the braces.
    #[error("`{0}` is not an expression")]
    Unknown(String),
    /// A key of `context:` that does not exist.
    #[error("`context:{0}` does not exist")]
    Context(String),
    /// Metadata that is never handed out.
    #[error("`aws:imds:{0}` is refused: it would reveal credentials")]
    Imds(String),
    /// `resolve` without its name or its closing parenthesis.
    #[error("`{0}` is not complete: `aws:ssm:resolve(Name)` is")]
    Resolve(String),
    /// A prefix with nothing behind it.
    #[error("nothing follows `{0}`")]
    Empty(&'static str),
}

/// The keys of `context:` (reference/component-documents.md 6.5).
pub const CONTEXT_KEYS: &[&str] = &[
    "executionId",
    "accountId",
    "region",
    "osPlatform",
    "osName",
    "osVersion",
    "date",
    "dateTime",
    "uuid",
    "hostname",
    "phase",
    "step",
];

/// Splits a text into literals and expressions, and hands each faulty expression (with its number in the text, from
/// zero) to `fault`. `place` tells where the expression of a number stands.
pub fn split(text: &str, place: impl Fn(usize) -> Span, mut fault: impl FnMut(usize, ExpressionError)) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = text;
    let mut number = 0;
    while let Some(open) = rest.find("{{") {
        if open > 0 {
            parts.push(Part::Literal(rest[..open].to_owned()));
        }
        let inside = &rest[open + 2..];
        let Some(close) = inside.find("}}") else {
            fault(number, ExpressionError::Unclosed);
            return parts;
        };
        match parse(inside[..close].trim()) {
            Ok(expression) => parts.push(Part::Expression(expression, place(number))),
            Err(error) => fault(number, error),
        }
        rest = &inside[close + 2..];
        number += 1;
    }
    if !rest.is_empty() {
        parts.push(Part::Literal(rest.to_owned()));
    }
    parts
}

/// Reads the text between the braces, trimmed.
pub fn parse(text: &str) -> Result<Expression, ExpressionError> {
    for (prefix, make) in [
        ("aws:ssm:", ssm as fn(&str) -> Result<Expression, ExpressionError>),
        ("aws:imds:", imds),
        ("env:", environment),
        ("context:", context),
    ] {
        if let Some(rest) = text.strip_prefix(prefix) {
            return if rest.trim().is_empty() { Err(ExpressionError::Empty(prefix)) } else { make(rest) };
        }
    }
    let parts: Vec<&str> = text.split('.').collect();
    match parts.as_slice() {
        [name] if is_name(name) => Some(Expression::Name((*name).to_owned())),
        [name, field @ ("index" | "value")] if !name.is_empty() && name.chars().all(is_word) => {
            Some(Expression::Loop { name: (*name).to_owned(), field: (*field).to_owned() })
        }
        [phase, step, side, key] => chain(phase, step, side, key),
        _ => None,
    }
    .ok_or_else(|| ExpressionError::Unknown(text.to_owned()))
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

fn chain(phase: &str, step: &str, side: &str, key: &str) -> Option<Expression> {
    let (side, index) = match side.split_once('[') {
        None => (side, None),
        Some((side, index)) => {
            let digits = index.strip_suffix(']')?;
            let numeric = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            (side, Some(if numeric { digits.parse().ok()? } else { return None }))
        }
    };
    let side = match side {
        "inputs" => Side::Inputs,
        "outputs" => Side::Outputs,
        _ => return None,
    };
    let well_formed = is_name(phase) && is_name(step) && !key.is_empty() && key.chars().all(is_word);
    well_formed.then(|| {
        Expression::Chain(Chain { phase: phase.to_owned(), step: step.to_owned(), side, index, key: key.to_owned() })
    })
}

fn ssm(rest: &str) -> Result<Expression, ExpressionError> {
    let resolved =
        rest.strip_prefix("resolve(").map(|inner| inner.strip_suffix(')').is_some_and(|name| !name.is_empty()));
    match resolved {
        Some(false) => Err(ExpressionError::Resolve(format!("aws:ssm:{rest}"))),
        _ => Ok(Expression::Ssm(rest.to_owned())),
    }
}

fn imds(rest: &str) -> Result<Expression, ExpressionError> {
    let path = rest.trim_start_matches('/');
    let secret =
        ["iam", "identity-credentials"].iter().any(|root| path == *root || path.starts_with(&format!("{root}/")));
    if secret { Err(ExpressionError::Imds(rest.to_owned())) } else { Ok(Expression::Imds(rest.to_owned())) }
}

#[expect(clippy::unnecessary_wraps, reason = "one of four functions of the same type")]
fn environment(rest: &str) -> Result<Expression, ExpressionError> {
    Ok(Expression::Environment(rest.to_owned()))
}

fn context(rest: &str) -> Result<Expression, ExpressionError> {
    if CONTEXT_KEYS.contains(&rest) {
        Ok(Expression::Context(rest.to_owned()))
    } else {
        Err(ExpressionError::Context(rest.to_owned()))
    }
}

impl Template {
    /// The expressions in it, with their places.
    pub fn expressions(&self) -> impl Iterator<Item = (&Expression, Span)> {
        self.parts.iter().filter_map(|part| match part {
            Part::Expression(expression, span) => Some((expression, *span)),
            Part::Literal(_) => None,
        })
    }

    /// The whole text as it is written, expressions in their braces.
    pub fn text(&self) -> &str {
        self.node.as_str().unwrap_or_default()
    }

    /// Where it stands.
    pub fn span(&self) -> Span {
        self.node.span
    }

    /// Its text, if there is no expression in it.
    pub fn literal(&self) -> Option<String> {
        self.parts
            .iter()
            .map(|part| match part {
                Part::Literal(text) => Some(text.as_str()),
                Part::Expression(..) => None,
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn classification_follows_the_reference() {
        let chain = |side, index| {
            Expression::Chain(Chain {
                phase: "build".into(),
                step: "Get-It_1".into(),
                side,
                index,
                key: "stdout".into(),
            })
        };
        for (text, expected) in [
            ("Version", Expression::Name("Version".into())),
            ("build.Get-It_1.outputs.stdout", chain(Side::Outputs, None)),
            ("build.Get-It_1.inputs[12].stdout", chain(Side::Inputs, Some(12))),
            ("loop.index", Expression::Loop { name: "loop".into(), field: "index".into() }),
            ("f.value", Expression::Loop { name: "f".into(), field: "value".into() }),
            ("aws:ssm:/a/b", Expression::Ssm("/a/b".into())),
            ("aws:ssm:resolve(Name)", Expression::Ssm("resolve(Name)".into())),
            ("aws:imds:placement/region", Expression::Imds("placement/region".into())),
            ("env:ProgramFiles(x86)", Expression::Environment("ProgramFiles(x86)".into())),
            ("context:date", Expression::Context("date".into())),
        ] {
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn everything_else_is_an_error() {
        for text in [
            "",
            "ab",
            ".Field",
            "a b c",
            "build.Step",
            "build.Step.outputs",
            "build.Step.output.x",
            "build.Step.outputs[].x",
            "build.Step.outputs[+1].x",
            "build.Step.outputs[1.x",
            "build.Step.outputs.",
            "bu.Step.outputs.x",
            "aws:ssm:",
            "aws:ssm:resolve(",
            "aws:imds:iam/info",
            "aws:imds:/identity-credentials/ec2",
            "context:nope",
            "loop.count",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    fn split_all(text: &str) -> (Vec<Part>, Vec<ExpressionError>) {
        let mut faults = Vec::new();
        let parts = split(text, |number| Span::new(number, number), |_, error| faults.push(error));
        (parts, faults)
    }

    #[test]
    fn texts_are_split() {
        let (parts, faults) = split_all("a{{Name}} }} {{ env:X }}");
        assert!(faults.is_empty());
        assert_eq!(parts.len(), 4);
        assert_eq!(parts[0], Part::Literal("a".into()));
        assert_eq!(parts[2], Part::Literal(" }} ".into()));
        assert_eq!(parts[3], Part::Expression(Expression::Environment("X".into()), Span::new(1, 1)));
        assert_eq!(split_all("x {{ open").1, [ExpressionError::Unclosed]);
        assert_eq!(split_all("{{ .A }}{{ }}").1.len(), 2);
    }

    proptest! {
        #[test]
        fn text_without_braces_is_one_literal(text in "[^{]{1,40}") {
            prop_assert_eq!(split_all(&text), (vec![Part::Literal(text)], vec![]));
        }

        #[test]
        fn splitting_never_panics(text in r"[{}a-z. :\[\]é0-9]{0,60}") {
            split_all(&text);
        }
    }
}

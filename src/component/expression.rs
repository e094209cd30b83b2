//! Expressions: `{{ … }}` inside text (reference/component-documents.md 6.1 and 6.6).

mod guess;

use super::is_name;
use crate::diagnostic::Span;
use crate::yaml::Node;
use std::fmt;
use std::ops::Range;

pub use guess::{is_foreign, meant};

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
    #[error("{}", not_an_expression(.0))]
    Unknown(String),
    /// A key of `context:` that does not exist.
    #[error("`context:{0}` does not exist")]
    Context(String),
    /// Metadata that is never handed out.
    #[error("`aws:imds:{0}` is refused: it would reveal credentials")]
    Imds(String),
    /// `resolve` of something else than a parameter of the document or of Parameter Store.
    #[error("`{0}` resolves nothing")]
    Resolve(String),
    /// What cannot be the name of a parameter of Parameter Store.
    #[error("`aws:ssm:{0}` cannot be the name of a parameter")]
    Ssm(String),
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

/// Splits a text into literals and expressions, and hands each faulty expression to `fault`, with where it stands in the
/// text. `place` tells where such a piece of the text stands in the file.
pub fn split(
    text: &str,
    place: impl Fn(Range<usize>) -> Span,
    mut fault: impl FnMut(Range<usize>, ExpressionError),
) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut from = 0;
    while let Some(open) = text[from..].find("{{").map(|at| from + at) {
        if open > from {
            parts.push(Part::Literal(text[from..open].to_owned()));
        }
        let Some(close) = text[open + 2..].find("}}").map(|at| open + 2 + at) else {
            fault(open..open + 2, ExpressionError::Unclosed);
            return parts;
        };
        from = close + 2;
        let inside = &text[open + 2..close];
        if let Some(inner) = inside.rfind("{{").map(|at| open + 2 + at) {
            // The first braces are the fault. What the inner ones hold is read, but not blamed as well.
            fault(open..open + 2, ExpressionError::Unclosed);
            let read = parse(text[inner + 2..close].trim()).ok();
            parts.extend(read.map(|expression| Part::Expression(expression, place(inner..from))));
            continue;
        }
        match parse(inside.trim()) {
            Ok(expression) => parts.push(Part::Expression(expression, place(open..from))),
            Err(error) => fault(open..from, error),
        }
    }
    if from < text.len() {
        parts.push(Part::Literal(text[from..].to_owned()));
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
    let Some(inner) = rest.strip_prefix("resolve(") else {
        return if is_ssm_name(rest) {
            Ok(Expression::Ssm(rest.to_owned()))
        } else {
            Err(ExpressionError::Ssm(rest.to_owned()))
        };
    };
    let resolvable = |name: &str| is_name(name) || name.strip_prefix("aws:ssm:").is_some_and(is_ssm_name);
    match inner.strip_suffix(')').map(str::trim) {
        Some(name) if resolvable(name) => Ok(Expression::Ssm(rest.to_owned())),
        _ => Err(ExpressionError::Resolve(format!("aws:ssm:{rest}"))),
    }
}

/// Whether a text may name a parameter of Parameter Store, with its version or label, or a secret.
fn is_ssm_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-/:+=@,".contains(&b))
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

impl fmt::Display for Expression {
    /// As it stands between the braces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Chain(Chain { phase, step, side, index, key }) => {
                write!(f, "{phase}.{step}.{}", side.word())?;
                if let Some(index) = index {
                    write!(f, "[{index}]")?;
                }
                write!(f, ".{key}")
            }
            Self::Loop { name, field } => write!(f, "{name}.{field}"),
            Self::Ssm(rest) => write!(f, "aws:ssm:{rest}"),
            Self::Imds(rest) => write!(f, "aws:imds:{rest}"),
            Self::Environment(rest) => write!(f, "env:{rest}"),
            Self::Context(rest) => write!(f, "context:{rest}"),
        }
    }
}

impl Expression {
    /// The parameter or constant of the document that it needs.
    pub fn declared(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Ssm(name) => {
                let inner = name.strip_prefix("resolve(")?.strip_suffix(')')?.trim();
                is_name(inner).then_some(inner)
            }
            _ => None,
        }
    }
}

/// The sentence for what is not an expression; a long one is cut, and kept in one line.
fn not_an_expression(text: &str) -> String {
    const LONGEST: usize = 60;
    let mut words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.is_empty() {
        return "nothing stands between the braces".to_owned();
    }
    if let Some((cut, _)) = words.char_indices().nth(LONGEST) {
        words.truncate(cut);
        words.push('…');
    }
    format!("`{words}` is not an expression")
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

    /// As [`literal`](Self::literal), but the text as it stands in the file.
    pub fn fixed(&self) -> Option<&str> {
        self.node.as_str().filter(|text| !text.contains("{{"))
    }

    /// Its text, if there is no expression in it; a faulty one counts, too, because nothing can be said of such a text.
    pub fn literal(&self) -> Option<String> {
        let mut literal = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => literal.push_str(text),
                Part::Expression(..) => return None,
            }
        }
        // An expression that could not be read left no part.
        (!self.text().contains("{{")).then_some(literal)
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
            ("aws:ssm:resolve(aws:ssm:/other)", Expression::Ssm("resolve(aws:ssm:/other)".into())),
            ("aws:ssm:name:3", Expression::Ssm("name:3".into())),
            (
                "aws:ssm:/aws/reference/secretsmanager/a/b-c_d+e=f@g",
                Expression::Ssm("/aws/reference/secretsmanager/a/b-c_d+e=f@g".into()),
            ),
            ("aws:imds:placement/region", Expression::Imds("placement/region".into())),
            ("env:ProgramFiles(x86)", Expression::Environment("ProgramFiles(x86)".into())),
            ("context:date", Expression::Context("date".into())),
        ] {
            assert_eq!(expected.to_string(), text);
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
            "aws:ssm:resolve()",
            "aws:ssm:resolve(/a/b)",
            "aws:ssm:resolve(aws:ssm:)",
            "aws:ssm:resolve(Name",
            "aws:ssm:/a b",
            "aws:ssm:/a | default",
            "aws:ssm:'/a'",
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
        let parts = split(text, |range| Span::new(range.start, range.end), |_, error| faults.push(error));
        (parts, faults)
    }

    #[test]
    fn texts_are_split() {
        let (parts, faults) = split_all("a{{Name}} }} {{ env:X }}");
        assert!(faults.is_empty());
        assert_eq!(parts.len(), 4);
        assert_eq!(parts[0], Part::Literal("a".into()));
        assert_eq!(parts[2], Part::Literal(" }} ".into()));
        assert_eq!(parts[3], Part::Expression(Expression::Environment("X".into()), Span::new(13, 24)));
        assert_eq!(split_all("x {{ open").1, [ExpressionError::Unclosed]);
        assert_eq!(split_all("{{ .A }}{{ }}").1.len(), 2);
    }

    #[test]
    fn white_space_in_the_braces_does_not_matter() {
        for text in
            ["{{Name}}", "{{ Name }}", "{{\n  Name\n}}", "{{\tName }}", "{{ Name\r\n}}", "{{\u{a0}Name\u{3000}}}"]
        {
            let expected = Part::Expression(Expression::Name("Name".into()), Span::new(0, text.len()));
            assert_eq!(split_all(text), (vec![expected], vec![]), "{text:?}");
        }
        for text in [
            "{{ Na me }}",
            "{{ build . Step.outputs.x }}",
            "{{ aws:ssm: /a }}",
            "{{ context: date }}",
            "{{ loop. value }}",
        ] {
            assert_eq!(split_all(text).1.len(), 1, "{text}");
        }
    }

    #[test]
    fn braces_in_braces_are_one_fault() {
        for text in ["{{ open {{ Name }}", "{{{{ Name }}}}", "{{ '{{ Name }}' }}", "{{ open\n{{ .Field }}", "{{{{{{"] {
            assert_eq!(split_all(text).1, [ExpressionError::Unclosed], "{text}");
        }
        let (parts, _) = split_all("{{ open {{ Name }} b");
        assert_eq!(parts[0], Part::Expression(Expression::Name("Name".into()), Span::new(8, 18)));
        for text in ["{{{ Name }}}", "{{ Name } }}", "{{ a } {{}"] {
            assert_eq!(split_all(text).1.len(), 1, "{text}");
        }
    }

    #[test]
    fn messages_stay_in_one_line() {
        let message = |text: &str| ExpressionError::Unknown(text.to_owned()).to_string();
        assert_eq!(message("a\n  b"), "`a b` is not an expression");
        assert_eq!(message(" "), "nothing stands between the braces");
        let long = message(&"é x".repeat(50));
        assert!(long.contains('…') && long.chars().count() < 90, "{long}");
    }

    #[test]
    fn the_parameter_behind_an_expression_is_known() {
        for (text, expected) in [
            ("Version", Some("Version")),
            ("aws:ssm:resolve(Version)", Some("Version")),
            ("aws:ssm:resolve( Version )", Some("Version")),
            ("aws:ssm:resolve(aws:ssm:/other)", None),
            ("aws:ssm:/Version", None),
            ("env:Version", None),
        ] {
            assert_eq!(parse(text).unwrap().declared(), expected, "{text}");
        }
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

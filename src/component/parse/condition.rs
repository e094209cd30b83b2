//! What stands below `if`, and below the inputs of Assert.

use super::context::{Context, unknown_key};
use super::inputs::not_a_choice;
use crate::component::condition::{
    Branch, Branching, Comparison, Condition, DEEPEST, OPERATORS, Operands, Operator, Test, find,
};
use crate::component::expression::Template;
use crate::component::keys::{self, BRANCHES};
use crate::diagnostic::{Diagnostic, Edit, Span};
use crate::yaml::Node;

/// Reads `if`: a condition with `then` and `else` beside it.
pub fn branching(context: &mut Context<'_>, key: &Node, node: &Node) -> Option<Branching> {
    let condition = condition(context, key, node, &Level { depth: 0, branches: true, first_operand: false });
    let mut branch = |name: &str| {
        let value = node.get(name)?;
        let word = value.as_str().unwrap_or_default();
        if word.contains("{{") {
            context.misplaced_expression(value, &format!("`{name}`"));
            return None;
        }
        let branch = Branch::parse(word);
        if branch.is_none() {
            not_a_choice(context, "C002", value, &format!("`{name}`"), &Branch::NAMES);
        }
        branch.map(|branch| (branch, value.span))
    };
    let (then, otherwise) = (branch("then"), branch("else"));
    Some(Branching { condition: condition?, then, otherwise, key: key.span })
}

/// Reads the condition below the inputs of Assert.
pub fn assertion(context: &mut Context<'_>, key: &Node, node: &Node) -> Option<Condition> {
    condition(context, key, node, &Level { depth: 0, branches: false, first_operand: true })
}

/// Where in a condition the reading is.
#[derive(Clone, Copy)]
struct Level {
    /// How many of `and`, `or` and `not` stand around it.
    depth: usize,
    /// Whether `then` and `else` may stand here.
    branches: bool,
    /// Whether expressions may stand under an operator (documented for the inputs of a step, not for `if`).
    first_operand: bool,
}

impl Level {
    fn inside(self) -> Self {
        Self { depth: self.depth + 1, branches: false, ..self }
    }
}

fn condition(context: &mut Context<'_>, key: &Node, node: &Node, level: &Level) -> Option<Condition> {
    let Some(entries) = node.entries() else {
        let label = format!("this is {}", node.describe());
        context.push(
            Diagnostic::error("C001", "a condition must be a mapping with exactly one operator")
                .at(context.source, something(key, node), label)
                .help("write an operator and what it takes: `stringEquals: x`, and beside it `value: y`"),
        );
        return None;
    };
    let mut operators = Vec::new();
    for (key, value) in entries {
        if let Some(operator) = key.as_str().and_then(find) {
            operators.push((operator, key, value));
        }
    }
    keys(context, entries, operators.first().map(|(operator, ..)| *operator), level);
    match operators.as_slice() {
        [(operator, key, value)] => one(context, operator, key, value, node, level),
        [] => {
            // A misspelled operator has been reported as a key that is not known.
            let known = ["value", "path", "then", "else"];
            if entries.iter().all(|(key, _)| key.as_str().is_some_and(|key| known.contains(&key))) {
                context.push(
                    Diagnostic::error("C001", "a condition has exactly one operator")
                        .at(context.source, something(key, node), "here is none")
                        .help("add one: `stringEquals: x` compares `value` with x"),
                );
            }
            None
        }
        [(_, first, _), (_, second, _), ..] => {
            context.push(
                Diagnostic::error("C001", "a condition has exactly one operator")
                    .at(context.source, second.span, format!("here are {}", operators.len()))
                    .also_at(context.source, first.span, "the first one")
                    .help("put them below `and` or `or`, each as a list item"),
            );
            None
        }
    }
}

/// Reports the keys that do not belong beside the operator.
fn keys(context: &mut Context<'_>, entries: &[(Node, Node)], operator: Option<&Operator>, level: &Level) {
    let beside = operator.map_or(Some("value"), |operator| operator.operands.beside());
    for (key, _) in entries {
        let name = key.as_str().unwrap_or_default();
        let known = match name {
            name if keys::has(BRANCHES, name) => {
                if !level.branches {
                    context.push(nested_branch(context, key, name, level));
                }
                continue;
            }
            "value" | "path" => beside == Some(name) || operator.is_none(),
            _ => find(name).is_some(),
        };
        if known {
            continue;
        }
        let mut words: Vec<&str> = beside.into_iter().collect();
        if operator.is_none() {
            words.extend(OPERATORS.iter().map(|operator| operator.name));
        }
        let what = operator.map_or_else(|| "a condition".to_owned(), |operator| format!("`{}`", operator.name));
        let fault = unknown_key(context.source, key.span, name, &what, &words);
        // `path` for `value`, or the reverse, is a mix-up and not a slip of the pen.
        let fault = match beside.filter(|_| matches!(name, "value" | "path")) {
            Some(beside) => Diagnostic { help: vec![format!("write `{beside}` here")], ..fault }
                .unsafe_fix(format!("write `{beside}`"), vec![Edit::replace(key.span, beside)]),
            None => fault,
        };
        context.push(Diagnostic { code: "C001", ..fault });
    }
}

fn nested_branch(context: &Context<'_>, key: &Node, name: &str, level: &Level) -> Diagnostic {
    let diagnostic = Diagnostic::error("C002", format!("`{name}` cannot stand here"));
    if level.first_operand && level.depth == 0 {
        return diagnostic
            .at(context.source, key.span, "Assert either succeeds or fails")
            .help("put the condition below `if` of a step to choose what happens");
    }
    diagnostic
        .at(context.source, key.span, "inside of an operator")
        .note("the syntax summary of the documentation draws it here, its examples do not; the examples work")
        .help("move it to the same depth as the outermost operator")
        .inferred()
}

fn one(
    context: &mut Context<'_>,
    operator: &'static Operator,
    key: &Node,
    value: &Node,
    node: &Node,
    level: &Level,
) -> Option<Condition> {
    match operator.operands {
        Operands::Many | Operands::One if level.depth == DEEPEST => {
            context.push(
                Diagnostic::error("C001", format!("conditions can be nested {DEEPEST} levels deep at most"))
                    .at(context.source, key.span, format!("this `{}` is one level too deep", operator.name))
                    .help("decide a part of it in a script, and compare its output"),
            );
            None
        }
        Operands::Many => {
            let all = many(context, operator, key, value, level)?;
            Some(match operator.comparison {
                Comparison::And => Condition::And(all, node.span),
                _ => Condition::Or(all, node.span),
            })
        }
        Operands::One => {
            let inner = match value.items() {
                Some([only]) => only,
                Some(items) => {
                    let label = format!("here are {}", items.len());
                    context.push(
                        Diagnostic::error("C001", "`not` takes exactly one condition")
                            .at(context.source, something(key, value), label)
                            .help("put several below `and` or `or`, and that below `not`"),
                    );
                    return None;
                }
                None => value,
            };
            condition(context, key, inner, &level.inside()).map(|inner| Condition::Not(Box::new(inner), node.span))
        }
        _ => test(context, operator, key, value, node, level).map(|test| Condition::Test(Box::new(test))),
    }
}

fn many(
    context: &mut Context<'_>,
    operator: &Operator,
    key: &Node,
    value: &Node,
    level: &Level,
) -> Option<Vec<Condition>> {
    match value.items() {
        Some([]) | None => {
            let label = if value.items().is_some() {
                "an empty list".to_owned()
            } else {
                format!("this is {}", value.describe())
            };
            let message = format!("`{}` takes a list of conditions", operator.name);
            context.push(
                Diagnostic::error("C001", message)
                    .at(context.source, something(key, value), label)
                    .help("write each condition as a list item, with a dash in front of its operator"),
            );
            None
        }
        Some(items) => {
            let inner = level.inside();
            let read: Vec<_> = items.iter().map(|item| condition(context, key, item, &inner)).collect();
            read.into_iter().collect()
        }
    }
}

fn test(
    context: &mut Context<'_>,
    operator: &'static Operator,
    key: &Node,
    node: &Node,
    whole: &Node,
    level: &Level,
) -> Option<Test> {
    let operand = operand(context, operator, key, node, level);
    let value = match operator.operands.beside() {
        None => None,
        Some(beside) => {
            let Some((key, node)) = whole.entry(beside) else {
                // `path` where `value` belongs has been reported as a key that does not.
                if whole.get("value").or_else(|| whole.get("path")).is_some() {
                    return None;
                }
                context.push(
                    Diagnostic::error("C001", format!("`{}` needs `{beside}` beside it", operator.name))
                        .at(context.source, key.span, format!("no `{beside}` here"))
                        .help(format!("add `{beside}:` at the same depth, with what is to be compared")),
                );
                return None;
            };
            Some(scalar(context, key, node, &format!("`{beside}`"))?)
        }
    };
    if operator.operands != Operands::Numbers {
        context.warn_changed(node, &format!("`{}`", operator.name));
        if let Some((beside, node)) = operator.operands.beside().and_then(|beside| Some((beside, whole.get(beside)?))) {
            context.warn_changed(node, &format!("`{beside}`"));
        }
    }
    Some(Test { operator, operand: operand?, value, key: key.span, span: whole.span })
}

/// What stands under the operator itself.
fn operand(context: &mut Context<'_>, operator: &Operator, key: &Node, node: &Node, level: &Level) -> Option<Template> {
    let template = scalar(context, key, node, &format!("`{}`", operator.name))?;
    if template.expressions().next().is_some() {
        if !level.first_operand {
            context.push(
                Diagnostic::warning("X007", format!("an expression under `{}` is not documented", operator.name))
                    .at(context.source, node.span, "may be taken literally")
                    .help("compare the other way round: put the expression under `value` or `path`"),
            );
        }
        return Some(template);
    }
    let text = template.text();
    let (wanted, help) = match operator.operands {
        Operands::Numbers if !is_number(node) => {
            ("a number".to_owned(), "write digits, with a sign and a decimal point at most")
        }
        Operands::Hash(digits) if text.len() != digits || !text.bytes().all(|b| b.is_ascii_hexdigit()) => {
            (format!("a sum of {digits} hexadecimal digits"), "write it as `sha256sum` and its like print it")
        }
        _ => return Some(template),
    };
    context.push(
        Diagnostic::error("C001", format!("`{}` takes {wanted}", operator.name))
            .at(context.source, something(key, node), format!("this is {}", described(node)))
            .help(help),
    );
    None
}

fn described(node: &Node) -> String {
    node.as_str().filter(|text| !text.is_empty()).map_or_else(|| node.describe(), |text| format!("`{text}`"))
}

/// A text or number with expressions.
fn scalar(context: &mut Context<'_>, key: &Node, node: &Node, what: &str) -> Option<Template> {
    let empty = node.style() == Some(crate::yaml::Style::Plain) && node.is_null();
    if node.as_str().is_none() || empty {
        let label = format!("this is {}", node.describe());
        context.push(
            Diagnostic::error("C001", format!("{what} must be text or a number"))
                .at(context.source, something(key, node), label)
                .help("write it out; an empty text is written as \"\""),
        );
        return None;
    }
    context.template(node)
}

/// A number as conditions read it: a YAML number, or text `[-+]?([0-9]+[.])?[0-9]+` (section 8.3).
pub fn is_number(node: &Node) -> bool {
    node.as_float().is_some() || node.as_str().is_some_and(is_number_text)
}

/// Whether a text is a number as conditions read it.
pub fn is_number_text(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let whole = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    match digits.split_once('.') {
        Some((before, after)) => whole(before) && whole(after),
        None => whole(digits),
    }
}

/// Something to point at: an absent value has no width.
fn something(key: &Node, node: &Node) -> Span {
    if node.span.start == node.span.end { key.span } else { node.span }
}

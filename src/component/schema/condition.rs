//! Conditions. One definition for each level, because no more than [`DEEPEST`] of `and`, `or` and `not` may stand inside of
//! each other.

use super::{EXPRESSION, closed, property, set, text, words};
use crate::component::condition::{Branch, DEEPEST, OPERATORS, Operands, Operator};
use crate::component::keys::BRANCHES;
use serde_json::{Map, Value, json};

/// What stands below `if`: a condition with `then` and `else` beside it.
pub fn branching() -> Value {
    condition(0, true)
}

/// What stands below the inputs of Assert.
pub fn assertion() -> Value {
    condition(0, false)
}

/// `then` and `else`.
pub fn branch() -> Value {
    words(&Branch::NAMES, &Branch::SUMMARIES)
}

/// The conditions inside of others.
pub fn definitions() -> Value {
    (1..=DEEPEST).map(|depth| (label(depth), condition(depth, false))).collect::<Map<_, _>>().into()
}

fn label(depth: usize) -> String {
    format!("condition{depth}")
}

/// A condition with this many of `and`, `or` and `not` around it.
fn condition(depth: usize, branches: bool) -> Value {
    let nests = |operator: &&Operator| matches!(operator.operands, Operands::Many | Operands::One);
    let operators = || OPERATORS.iter().filter(|operator| depth < DEEPEST || !nests(operator));
    let mut properties: Map<String, Value> =
        operators().map(|operator| (operator.name.to_owned(), described(operator, depth))).collect();
    for (beside, summary) in
        [("value", "What is compared: \"`value` operator operand\"."), ("path", "The file whose sum is compared.")]
    {
        let mut schema = text();
        set(&mut schema, "description", summary);
        properties.insert(beside.to_owned(), schema);
    }
    if branches {
        properties.extend(BRANCHES.iter().map(|key| (key.name.to_owned(), property(key))));
    }
    let mut schema = closed(&properties, &[]);
    let exactly_one: Vec<Value> = operators().map(|operator| json!({ "required": [operator.name] })).collect();
    set(&mut schema, "oneOf", exactly_one);
    let beside: Map<String, Value> = operators().map(|operator| (operator.name.to_owned(), beside(operator))).collect();
    set(&mut schema, "dependencies", beside);
    schema
}

/// What must and what cannot stand beside an operator.
fn beside(operator: &Operator) -> Value {
    match operator.operands.beside() {
        Some("value") => json!({ "required": ["value"], "properties": { "path": false } }),
        Some(beside) => json!({ "required": [beside], "properties": { "value": false } }),
        None => json!({ "properties": { "value": false, "path": false } }),
    }
}

fn described(operator: &Operator, depth: usize) -> Value {
    let mut schema = operand(operator.operands, depth);
    set(&mut schema, "description", operator.summary);
    schema
}

fn operand(operands: Operands, depth: usize) -> Value {
    let inner = json!({ "$ref": format!("#/definitions/{}", label(depth + 1)) });
    match operands {
        Operands::Many => json!({ "type": "array", "minItems": 1, "items": inner }),
        Operands::One => json!({
            "if": { "type": "array" },
            "then": { "minItems": 1, "maxItems": 1, "items": inner },
            "else": inner,
        }),
        Operands::Text | Operands::Texts | Operands::Pattern => text(),
        Operands::Numbers => {
            let pattern = format!("^[-+]?([0-9]+[.])?[0-9]+$|{EXPRESSION}");
            json!({ "type": ["number", "string"], "pattern": pattern })
        }
        Operands::Hash(digits) => {
            json!({ "type": "string", "pattern": format!("^[0-9A-Fa-f]{{{digits}}}$|{EXPRESSION}") })
        }
    }
}

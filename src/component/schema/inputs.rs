//! The inputs of the action modules.

use super::{EXPRESSION, closed, condition, object, set, text};
use crate::component::keys;
use crate::component::modules::{ENCODINGS, Input, Module, Rule, Shape, Type};
use serde_json::{Map, Value, json};

/// Permission bits as text: 3 or 4 octal digits, with or without one more zero or `0o` in front.
const PERMISSIONS: &str = "^(0o)?0?[0-7]{3,4}$";

/// What `inputs` of a module looks like.
pub fn inputs(module: &Module) -> Value {
    match module.shape {
        Shape::Condition => condition::assertion(),
        Shape::List => {
            json!({ "type": "array", "minItems": usize::from(module.needs_inputs()), "items": item(module) })
        }
        Shape::Map => {
            let mut schema = item(module);
            if !module.needs_inputs() {
                set(&mut schema, "type", ["object", "null"].as_slice());
            }
            schema
        }
    }
}

/// One set of inputs.
fn item(module: &Module) -> Value {
    let properties: Map<String, Value> =
        module.inputs.iter().map(|input| (input.name.to_owned(), property(input))).collect();
    let required: Vec<&str> = module.inputs.iter().filter(|input| input.required).map(|input| input.name).collect();
    let mut schema = closed(&properties, &required);
    for rule in module.rules {
        match rule {
            Rule::ExactlyOne(keys) => {
                // An empty list is nothing to choose.
                let given = |key: &&str| json!({ "required": [key], "properties": { *key: { "minItems": 1 } } });
                let one: Vec<Value> = keys.iter().map(given).collect();
                set(&mut schema, "oneOf", one);
            }
            Rule::Together(keys) => {
                let others = |key: &str| keys.iter().copied().filter(|other| *other != key).collect::<Vec<_>>();
                let all: Map<String, Value> = keys.iter().map(|key| ((*key).to_owned(), others(key).into())).collect();
                set(&mut schema, "dependencies", all);
            }
        }
    }
    schema
}

fn property(input: &Input) -> Value {
    let mut schema = value(input);
    set(&mut schema, "description", input.summary);
    if let Some(default) = input.default {
        let typed = match input.kind {
            Type::Boolean | Type::BooleanText | Type::Count => serde_json::from_str(default).unwrap_or(Value::Null),
            _ => Value::from(default),
        };
        set(&mut schema, "default", typed);
    }
    schema
}

fn value(input: &Input) -> Value {
    match input.kind {
        Type::Text => text(),
        Type::Texts => json!({ "type": "array", "minItems": usize::from(input.required), "items": text() }),
        Type::Boolean => json!({ "type": "boolean" }),
        Type::BooleanText => json!({
            "type": ["boolean", "string"], "pattern": format!("^({})$", any_case(&["true", "false"])),
        }),
        Type::Count => json!({
            "type": ["integer", "string"], "minimum": 0, "maximum": i64::MAX, "pattern": r"^\s*\+?[0-9]{1,18}\s*$",
        }),
        Type::OneOf(words) => json!({ "anyOf": [{ "enum": words }, expression()] }),
        Type::Encoding => json!({ "anyOf": [
            { "enum": ENCODINGS },
            { "type": "string", "pattern": format!("^({})$", any_case(ENCODINGS)) },
            expression(),
        ] }),
        // A number was text once: 644 is `0644` to some readers, and 420 to others.
        Type::Permissions => json!({
            "type": ["string", "integer"], "minimum": 0, "maximum": 7777,
            "pattern": format!("{PERMISSIONS}|{EXPRESSION}"),
        }),
        Type::Properties => json!({ "type": "object", "additionalProperties": text() }),
        Type::Parameters => json!({ "type": "array", "items": object(keys::VALUE) }),
        Type::Registry => json!({
            "type": ["string", "number", "boolean", "array"], "items": text(),
        }),
    }
}

fn expression() -> Value {
    json!({ "type": "string", "pattern": EXPRESSION })
}

/// A pattern for these words in any letter case.
fn any_case(words: &[&str]) -> String {
    let letter = |c: char| {
        if c.is_ascii_alphabetic() {
            format!("[{}{}]", c.to_ascii_lowercase(), c.to_ascii_uppercase())
        } else {
            c.to_string()
        }
    };
    words.iter().map(|word| word.chars().map(letter).collect::<String>()).collect::<Vec<_>>().join("|")
}

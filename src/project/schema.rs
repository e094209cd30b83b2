//! The JSON Schemas of recipes and of `amiforge.yaml`, for editors. Draft-07, as that of components and for the same
//! reason ([`component::schema`](crate::component::schema)).
//!
//! What the readers allow is said here a second time, as data. That both agree is proved by tests/schema.rs: each key,
//! limit and demand, on files that keep and files that break it. A schema cannot see what needs other files or two places
//! at once (components that exist, the file's name, the order of channels); `amiforge lint` does.

mod gates;
mod recipe;
mod refresh;
mod settings;
mod waivers;

pub use recipe::recipe;
pub use settings::project;
pub use waivers::waivers;

use super::duration::UNITS;
use super::names::LONGEST;
use crate::component::DIALECT;
use serde_json::{Map, Value, json};

/// The outermost mapping of a file.
fn file(title: &str, description: &str, mut schema: Value) -> Value {
    for (key, value) in [("$schema", DIALECT), ("title", title), ("description", description)] {
        schema[key] = value.into();
    }
    schema
}

/// A mapping with these keys and no others.
fn mapping<const N: usize>(required: &[&str], properties: [(&str, Value); N]) -> Value {
    let properties: Map<String, Value> = properties.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        schema["required"] = required.into();
    }
    schema
}

/// The same, or nothing at all, which gives all defaults.
fn or_nothing(mut schema: Value) -> Value {
    schema["type"] = json!(["object", "null"]);
    schema
}

fn described(summary: &str, mut schema: Value) -> Value {
    schema["description"] = summary.into();
    schema
}

fn default(value: impl Into<Value>, mut schema: Value) -> Value {
    schema["default"] = value.into();
    schema
}

/// Text; what a reader may take for a number, a boolean or nothing has to stand in quotes.
fn text() -> Value {
    json!({ "type": "string" })
}

fn matching(pattern: impl Into<String>) -> Value {
    json!({ "type": "string", "pattern": pattern.into() })
}

fn flag(default: bool) -> Value {
    json!({ "type": "boolean", "default": default })
}

fn number(limits: (u32, u32)) -> Value {
    json!({ "type": "integer", "minimum": limits.0, "maximum": limits.1 })
}

fn texts(items: &Value) -> Value {
    json!({ "type": "array", "items": items })
}

/// A duration: numbers with units, larger ones first, together more than nothing.
fn duration() -> Value {
    let units: Vec<String> = UNITS.iter().map(|(unit, _)| format!("([0-9]+{unit})?")).collect();
    json!({ "type": "string", "pattern": format!("^{}$", units.concat()), "allOf": [{ "pattern": "[1-9]" }] })
}

/// The pattern of names that become part of resource names.
fn name(dots: bool) -> String {
    let inner = if dots { "a-z0-9.-" } else { "a-z0-9-" };
    format!("^[a-z0-9][{inner}]{{0,{}}}[a-z0-9]$", LONGEST - 2)
}

//! The JSON Schema of component documents, for editors. Everything in it comes from the tables that the parser reads:
//! [`keys`](super::keys), [`modules`](super::modules), [`condition::OPERATORS`](super::condition::OPERATORS),
//! [`repeat::DELIMITERS`](super::repeat::DELIMITERS).
//!
//! It is written in draft-07. The YAML language server, which nearly every editor uses, knows that draft completely, and
//! of the later ones only parts; nothing here needs a later one.
//!
//! It accepts what the parser accepts: text may be written as a number, numbers as text, and an expression may stand for a
//! word of a fixed set. It cannot see what needs two places at once (unique names, references, where a range ends), nor
//! how a number was written: `0o17` and `15` are the same to it. That is left to `amiforge lint`. One thing it refuses
//! and the parser does not: a hash sum of digits alone without quotes, because no editor can tell how many there were.

mod condition;
mod inputs;

use super::keys::{self, Key, Kind};
use super::model::{MOST_PARAMETERS, OnFailure, REQUIRED_PHASES};
use super::modules::{MODULES, Module, Platform};
use super::repeat::{DELIMITERS, ESCAPED_DELIMITERS, RESERVED_NAME};
use serde_json::{Map, Value, json};

/// The draft the schemas of this program are written in.
pub const DIALECT: &str = "http://json-schema.org/draft-07/schema#";

/// What [`is_name`](super::is_name) accepts.
const NAME: &str = "^[A-Za-z0-9_-]{3,128}$";

/// A text with an expression in it, whose value is not known before the step runs.
const EXPRESSION: &str = r"\{\{[\s\S]*\}\}";

/// The schema of component documents.
pub fn schema() -> Value {
    let mut schema = object(keys::DOCUMENT);
    set(&mut schema, "$schema", DIALECT);
    set(&mut schema, "title", "EC2 Image Builder component document");
    set(
        &mut schema,
        "description",
        "What a component does to an image. `amiforge lint` also checks what a schema cannot express: references, unique \
         names, and what scripts do.",
    );
    set(&mut schema, "definitions", condition::definitions());
    schema
}

fn set(schema: &mut Value, key: &str, value: impl Into<Value>) {
    if let Value::Object(map) = schema {
        map.insert(key.to_owned(), value.into());
    }
}

/// A mapping with these keys and no others.
fn object(keys: &[Key]) -> Value {
    let properties: Map<String, Value> = keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    let required: Vec<&str> = keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    closed(&properties, &required)
}

/// A mapping with these properties and no others.
fn closed(properties: &Map<String, Value>, required: &[&str]) -> Value {
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        set(&mut schema, "required", required);
    }
    schema
}

fn property(key: &Key) -> Value {
    let mut schema = value(key.kind);
    set(&mut schema, "description", key.summary);
    if let Some(default) = key.default {
        let typed = match key.kind {
            Kind::Flag | Kind::Timeout | Kind::Attempts => serde_json::from_str(default).unwrap_or(Value::Null),
            _ => Value::from(default),
        };
        set(&mut schema, "default", typed);
    }
    schema
}

/// Text; a number or boolean is taken as it is written.
fn text() -> Value {
    json!({ "type": ["string", "number", "boolean"] })
}

fn value(kind: Kind) -> Value {
    match kind {
        Kind::Text => text(),
        Kind::Name => name(),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Integer => json!({ "type": "integer" }),
        Kind::Stride => json!({ "type": "integer", "not": { "const": 0 } }),
        Kind::SchemaVersion => json!({ "enum": [1.0, "1.0", "1"] }),
        Kind::Parameters => declarations(keys::PARAMETER, Some(MOST_PARAMETERS)),
        Kind::Constants => declarations(keys::CONSTANT, None),
        Kind::Declared => json!({ "const": "string" }),
        Kind::Phases => phases(),
        Kind::Steps => json!({ "type": "array", "minItems": 1, "items": step() }),
        Kind::Action => actions(),
        Kind::If => condition::branching(),
        Kind::Loop => repeat(),
        Kind::Timeout => json!({
            "type": ["integer", "string"], "minimum": -1, "maximum": i64::MAX, "not": { "const": 0 },
            "pattern": r"^\s*(-1|\+?0*[1-9][0-9]{0,17})\s*$",
        }),
        Kind::Attempts => json!({
            "type": ["integer", "string"], "minimum": 1, "maximum": u32::MAX,
            "pattern": r"^\s*\+?0*[1-9][0-9]{0,8}\s*$",
        }),
        Kind::OnFailure => words(&OnFailure::NAMES, &OnFailure::SUMMARIES),
        // What they look like follows from the action.
        Kind::Inputs => json!({}),
        Kind::LoopName => {
            let reserved = format!(r"^{RESERVED_NAME}$|\{{\{{");
            json!({ "type": ["string", "number", "boolean"], "not": { "type": "string", "pattern": reserved } })
        }
        Kind::For => object(keys::FOR),
        Kind::ForEach => json!({
            "type": ["array", "object"],
            "if": { "type": "array" },
            "then": { "minItems": 1, "items": text() },
            "else": object(keys::FOR_EACH),
        }),
        Kind::Delimiter => {
            let escaped = ESCAPED_DELIMITERS.iter().map(|(escaped, _)| *escaped);
            json!({ "enum": DELIMITERS.into_iter().chain(escaped).collect::<Vec<_>>() })
        }
        Kind::Branch => condition::branch(),
    }
}

/// A name. One written as a number is taken as text, and is then as long as it must be if it is not near zero.
fn name() -> Value {
    json!({
        "type": ["string", "integer", "boolean"],
        "pattern": NAME,
        "not": { "type": "integer", "minimum": -9, "maximum": 99 },
    })
}

/// One of some words, each with what it means.
fn words(names: &[&str], summaries: &[&str]) -> Value {
    let word = |(name, summary): (&&str, &&str)| json!({ "const": name, "description": summary });
    json!({ "anyOf": names.iter().zip(summaries).map(word).collect::<Vec<_>>() })
}

/// A list of mappings of one name to these keys.
fn declarations(keys: &[Key], most: Option<usize>) -> Value {
    let mut schema = json!({
        "type": "array",
        "items": {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "propertyNames": { "pattern": NAME },
            "additionalProperties": object(keys),
        },
    });
    if let Some(most) = most {
        set(&mut schema, "maxItems", most);
    }
    schema
}

fn phases() -> Value {
    let run = json!({ "required": ["name"], "properties": { "name": { "enum": REQUIRED_PHASES } } });
    json!({ "type": "array", "minItems": 1, "items": object(keys::PHASE), "contains": run })
}

fn step() -> Value {
    let mut schema = object(keys::STEP);
    set(&mut schema, "allOf", MODULES.iter().map(for_action).collect::<Vec<_>>());
    schema
}

/// What a step with this action looks like besides.
fn for_action(module: &Module) -> Value {
    let mut then = json!({ "properties": {
        "action": { "description": described(module) },
        "inputs": inputs::inputs(module),
    } });
    if !module.has_timeout() {
        then["properties"]["timeoutSeconds"] = false.into();
    }
    if module.needs_inputs() {
        set(&mut then, "required", ["inputs"].as_slice());
    }
    json!({ "if": { "required": ["action"], "properties": { "action": { "const": module.name } } }, "then": then })
}

fn actions() -> Value {
    let action = |module: &Module| json!({ "const": module.name, "description": described(module) });
    json!({ "anyOf": MODULES.iter().map(action).collect::<Vec<_>>() })
}

/// What an action does, where it runs and what it gives.
fn described(module: &Module) -> String {
    let platform = |platform: &Platform| match platform {
        Platform::Linux => "Linux",
        Platform::Windows => "Windows",
        Platform::MacOs => "macOS",
    };
    let platforms: Vec<&str> = module.platforms.iter().map(platform).collect();
    let runs = format!("{} Runs on {}.", module.summary, platforms.join(", "));
    let outputs: Vec<String> = module.outputs.iter().map(|output| format!("`{}`", output.name)).collect();
    if outputs.is_empty() { runs } else { format!("{runs} Outputs: {}.", outputs.join(", ")) }
}

fn repeat() -> Value {
    let mut schema = object(keys::LOOP);
    let over = keys::LOOP.iter().filter(|key| matches!(key.kind, Kind::For | Kind::ForEach));
    set(&mut schema, "oneOf", over.map(|key| json!({ "required": [key.name] })).collect::<Vec<_>>());
    schema
}

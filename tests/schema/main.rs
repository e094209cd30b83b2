//! The schemas for editors and the readers agree: what one accepts the other accepts, what one refuses the other refuses.
//!
//! Agreement is sought on three kinds of files: those the repository ships, those written to break or keep a rule, and
//! those made from full ones by changing one thing, and several things, at every place.

#![expect(clippy::unwrap_used, reason = "a test may end where something is missing")]

mod component;
mod mutate;
mod project;

use serde_json::Value;

/// A schema, ready to be asked.
struct Schema(jsonschema::Validator);

impl Schema {
    fn new(schema: &Value) -> Self {
        jsonschema::draft7::meta::validate(schema).unwrap_or_else(|error| panic!("not a schema: {error}"));
        Self(jsonschema::draft7::new(schema).unwrap())
    }

    fn accepts(&self, value: &Value) -> bool {
        self.0.is_valid(value)
    }

    /// Why it refuses a value.
    fn refusals(&self, value: &Value) -> String {
        let refusals = self.0.iter_errors(value).map(|error| format!("  schema {}: {error}", error.instance_path()));
        refusals.collect::<Vec<_>>().join("\n")
    }
}

/// A file as an editor sees it: numbers are numbers, whatever they were written as; keys are text.
fn as_editor(text: &str) -> Option<Value> {
    serde_yaml::from_str::<serde_yaml::Value>(text).ok().map(json)
}

fn json(value: serde_yaml::Value) -> Value {
    match value {
        serde_yaml::Value::Sequence(items) => items.into_iter().map(json).collect(),
        serde_yaml::Value::Mapping(entries) => {
            let key = |key| match json(key) {
                Value::String(text) => text,
                other => other.to_string(),
            };
            Value::Object(entries.into_iter().map(|(name, value)| (key(name), json(value))).collect())
        }
        other => serde_json::to_value(other).unwrap(),
    }
}

/// What is wrong with all of these, if anything.
fn report(disagreements: &[String]) {
    let shown: Vec<&str> = disagreements.iter().take(20).map(String::as_str).collect();
    assert!(disagreements.is_empty(), "{} disagreements, for example\n{}", disagreements.len(), shown.join("\n\n"));
}

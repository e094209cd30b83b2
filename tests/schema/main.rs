//! The schemas for editors and the readers agree: what one accepts the other accepts, what one refuses the other refuses.
//!
//! Agreement is sought on three kinds of files: those the repository ships, those written to break or keep a rule, and
//! those made from full ones by changing one thing, and several things, at every place.

#![expect(clippy::unwrap_used, reason = "a test may end where something is missing")]

mod by_hand;
mod component;
mod evidence;
mod mutate;
mod project;

use amiforge::project::schema;
use serde_json::Value;

/// A schema, ready to be asked.
struct Schema(jsonschema::Validator);

impl Schema {
    fn new(schema: &Value) -> Self {
        // Validated first: a schema that is none would accept everything.
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

#[test]
fn an_editor_can_show_what_everything_means() {
    fn undescribed(value: &Value, path: &str, found: &mut Vec<String>) {
        let Value::Object(map) = value else {
            value.as_array().into_iter().flatten().for_each(|item| undescribed(item, path, found));
            return;
        };
        for (key, below) in map {
            // Below `if`, `contains` and the like stand demands, not descriptions of keys.
            if ["if", "contains", "dependencies", "oneOf", "not"].contains(&key.as_str())
                && !path.ends_with("properties")
            {
                continue;
            }
            let described = |schema: &Value| {
                schema.is_boolean() || schema.get("description").is_some() || schema.get("const").is_some()
            };
            if key == "properties" && !path.ends_with("properties") {
                for (name, schema) in below.as_object().into_iter().flatten() {
                    let by_action = name == "inputs" && path.ends_with("then");
                    if !described(schema) && !by_action {
                        found.push(format!("{path}/{name}"));
                    }
                }
            }
            undescribed(below, &format!("{path}/{key}"), found);
        }
    }
    for schema in [amiforge::component::schema(), schema::recipe(), schema::project(), schema::waivers()] {
        let mut found = vec![];
        undescribed(&schema, "", &mut found);
        // What only refines a key that is described elsewhere.
        found.retain(|path| !path.starts_with("/allOf") && !path.contains("/infrastructure/"));
        assert!(found.is_empty(), "without a description: {found:#?}");
        assert!(schema["title"].is_string() && schema["description"].is_string() && schema["$id"].is_null());
    }
}

#[test]
fn the_program_prints_them() {
    let run = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_amiforge")).args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    for (of, schema) in [
        ("component", amiforge::component::schema()),
        ("recipe", schema::recipe()),
        ("project", schema::project()),
        ("waivers", schema::waivers()),
        ("evidence", amiforge::evidence::schema()),
    ] {
        let printed = run(&["schema", of]);
        assert_eq!(serde_json::from_str::<Value>(&printed).unwrap(), schema);
        assert!(printed.ends_with("}\n"));
    }
    assert!(run(&["schema", "--help"]).contains("# yaml-language-server: $schema="));
}

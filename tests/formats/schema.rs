//! Checks a document against the SARIF schema of the standard.
//!
//! The schema is that in the package `serde-sarif`, found where cargo has put it. It is checked with the few words that it
//! uses; a word that is not known here fails the test instead of being passed over. (The validators in the registry change
//! the features of crates that the SDK is built on, which would compile the SDK a second time.)

use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;

/// The schema.
pub fn schema() -> Value {
    let text = std::fs::read_to_string(package("serde-sarif").join("src/schema.json")).unwrap();
    let schema: Value = serde_json::from_str(&text).unwrap();
    assert!(schema["title"].as_str().unwrap().contains("SARIF") && schema["definitions"]["result"].is_object());
    schema
}

/// Where cargo keeps the source of a package that the tests depend on.
fn package(name: &str) -> PathBuf {
    let host = Command::new("rustc").arg("-vV").output().unwrap().stdout;
    let host = String::from_utf8(host).unwrap();
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).unwrap();
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", host])
        .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let package = metadata["packages"].as_array().unwrap().iter().find(|package| package["name"] == name).unwrap();
    PathBuf::from(package["manifest_path"].as_str().unwrap()).parent().unwrap().to_owned()
}

/// What is wrong with a document, each with the place it is wrong at.
pub fn faults(schema: &Value, document: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    check(schema, schema, document, "", &mut faults);
    faults
}

fn check(root: &Value, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    for (word, wanted) in schema.as_object().unwrap() {
        match word.as_str() {
            "$schema" | "$id" | "title" | "description" | "default" | "definitions" => {}
            "$ref" => {
                let pointer = wanted.as_str().unwrap().strip_prefix('#').unwrap();
                check(root, root.pointer(pointer).unwrap(), value, at, faults);
            }
            "properties" => {
                for (name, schema) in wanted.as_object().unwrap() {
                    if let Some(inner) = value.get(name) {
                        check(root, schema, inner, &format!("{at}/{name}"), faults);
                    }
                }
            }
            "additionalProperties" => others(root, schema, wanted, value, at, faults),
            "items" => {
                for (index, inner) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, wanted, inner, &format!("{at}/{index}"), faults);
                }
            }
            "anyOf" | "oneOf" => {
                let fitting = wanted.as_array().unwrap().iter().filter(|one| {
                    let mut inner = Vec::new();
                    check(root, one, value, at, &mut inner);
                    inner.is_empty()
                });
                let count = fitting.count();
                if count == 0 || (word == "oneOf" && count > 1) {
                    faults.push(format!("{at}: {count} of {word} fit"));
                }
            }
            _ if simple(word, wanted, value) => {}
            _ => faults.push(format!("{at}: {word} {wanted}: {value}")),
        }
    }
}

/// Properties that the schema does not name.
fn others(root: &Value, schema: &Value, wanted: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    let known = schema.get("properties").and_then(Value::as_object);
    for (name, inner) in value.as_object().into_iter().flatten() {
        if known.is_some_and(|known| known.contains_key(name)) {
            continue;
        }
        match wanted {
            Value::Bool(true) => {}
            Value::Bool(false) => faults.push(format!("{at}: {name} is not known")),
            schema => check(root, schema, inner, &format!("{at}/{name}"), faults),
        }
    }
}

/// The words that look at one value only. As the standard of schemas has it, a word for one type says nothing of others.
fn simple(word: &str, wanted: &Value, value: &Value) -> bool {
    match word {
        "type" => match wanted.as_str().unwrap() {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            other => panic!("the type {other} is not known"),
        },
        "enum" => wanted.as_array().unwrap().contains(value),
        "required" => value.as_object().is_none_or(|object| {
            wanted.as_array().unwrap().iter().all(|name| object.contains_key(name.as_str().unwrap()))
        }),
        "minimum" => value.as_f64().is_none_or(|number| number >= wanted.as_f64().unwrap()),
        "maximum" => value.as_f64().is_none_or(|number| number <= wanted.as_f64().unwrap()),
        "minItems" => value.as_array().is_none_or(|list| list.len() as u64 >= wanted.as_u64().unwrap()),
        "uniqueItems" => {
            let unique = |list: &Vec<Value>| list.iter().enumerate().all(|(at, item)| !list[..at].contains(item));
            wanted == &Value::Bool(false) || value.as_array().is_none_or(unique)
        }
        "pattern" => {
            let pattern = regex_lite::Regex::new(wanted.as_str().unwrap()).unwrap();
            value.as_str().is_none_or(|text| pattern.is_match(text))
        }
        "format" => value.as_str().is_none_or(|text| format(wanted.as_str().unwrap(), text)),
        other => panic!("the schema says {other}, which is not known here"),
    }
}

/// The formats that are written; the others of the schema must not appear unchecked.
fn format(name: &str, text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(c);
    let scheme = text.split(['/', '?', '#']).next().unwrap().split_once(':').map(|(scheme, _)| scheme);
    let escaped = text
        .split('%')
        .skip(1)
        .all(|rest| rest.get(..2).is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit())));
    let reference =
        text.chars().all(allowed) && escaped && scheme.is_none_or(|scheme| scheme.starts_with(char::is_alphabetic));
    match name {
        "uri-reference" => reference,
        "uri" => reference && scheme.is_some(),
        other => panic!("the format {other} is not known here"),
    }
}

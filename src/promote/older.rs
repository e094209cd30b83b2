//! Documents that older versions wrote, brought to today's form. Pure.
//!
//! A channel's history lives as long as its parameter, and a promotion that was cut off may be finished by a newer version than
//! the one that began it. Before `amiforge.release/2` and `amiforge.journal/3` a place had one launch template and one parameter.

use super::error::PromoteError;
use super::model::{JOURNAL_SCHEMA, Plan, RELEASE_SCHEMA, Release};
use super::store;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

const OLD_RELEASE: &str = "amiforge.release/1";
const OLD_JOURNAL: &str = "amiforge.journal/2";

/// Reads a channel's record.
pub(super) fn release(parameter: &str, text: &str) -> Result<Release, PromoteError> {
    read(parameter, text, RELEASE_SCHEMA, OLD_RELEASE, renew_release)
}

/// Reads a journal.
pub(super) fn journal(parameter: &str, text: &str) -> Result<Plan, PromoteError> {
    read(parameter, text, JOURNAL_SCHEMA, OLD_JOURNAL, renew_journal)
}

fn read<T: DeserializeOwned>(
    parameter: &str,
    text: &str,
    schema: &str,
    old: &str,
    renew: fn(&mut Value),
) -> Result<T, PromoteError> {
    let unreadable = |reason: String| PromoteError::Unreadable { parameter: parameter.to_owned(), reason };
    let mut value: Value = serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?;
    if value.get("schema").and_then(Value::as_str) == Some(old) {
        renew(&mut value);
    }
    store::of_schema(parameter, value, schema)
}

/// With the release before it, which it was written with.
fn renew_release(release: &mut Value) {
    if release.get("schema").and_then(Value::as_str) != Some(OLD_RELEASE) {
        return;
    }
    release["schema"] = RELEASE_SCHEMA.into();
    for target in release.get_mut("targets").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(target) = target.as_object_mut() {
            listed(target, "launch_template", "launch_templates");
            listed(target, "parameter", "parameters");
        }
    }
    if let Some(previous) = release.get_mut("previous") {
        renew_release(previous);
    }
}

fn renew_journal(plan: &mut Value) {
    plan["schema"] = JOURNAL_SCHEMA.into();
    for key in ["release", "previous"] {
        if let Some(release) = plan.get_mut(key) {
            renew_release(release);
        }
    }
    for one in plan.get_mut("moves").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(one) = one.as_object_mut() {
            moved(one, "launch_template", "template_before", "launch_templates");
            moved(one, "parameter", "parameter_before", "parameters");
        }
    }
}

/// One becomes a list of one. What is not there is not made up: then the document cannot be read.
fn listed(fields: &mut Map<String, Value>, old: &str, new: &str) {
    if let Some(one) = fields.remove(old) {
        fields.insert(new.to_owned(), json!([one]));
    }
}

fn moved(fields: &mut Map<String, Value>, old: &str, before: &str, new: &str) {
    if let Some(name) = fields.remove(old) {
        let before = fields.remove(before).unwrap_or(Value::Null);
        fields.insert(new.to_owned(), json!([{ "name": name, "before": before }]));
    }
}

#[cfg(test)]
#[path = "older_tests.rs"]
mod tests;

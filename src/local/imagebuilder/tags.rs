//! Tags of Image Builder resources, whichever half of the local environment keeps them: any document whose id is the ARN
//! and that has a `tags` object.

use super::super::Local;
use super::super::store::{Scope, Transaction};
use super::super::wire::{Caller, ServiceError};
use super::{input, not_found};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Most tags a resource can have.
const MAX_TAGS: usize = 50;

/// Refuses tags that Image Builder refuses: `TagKey` is `^(?!aws:)[a-zA-Z0-9\s_.:/=+\-@]*$`, 1 to 128 characters.
pub(super) fn check(tags: &BTreeMap<String, String>) -> Result<(), ServiceError> {
    let refuse = |text: String| Err(ServiceError::client("InvalidParameterException", text));
    for (key, value) in tags {
        let allowed = |c: char| c.is_ascii_alphanumeric() || c.is_whitespace() || "_.:/=+-@".contains(c);
        if key.is_empty() || key.chars().count() > 128 || key.starts_with("aws:") || !key.chars().all(allowed) {
            return refuse(format!(
                "The value supplied for parameter 'tags' is not valid. The key '{key}' must have 1 to 128 letters, digits, spaces, \
                 or _ . : / = + - @ characters, and must not start with aws:."
            ));
        }
        if value.chars().count() > 256 {
            let text = format!(
                "The value supplied for parameter 'tags' is not valid. The value of '{key}' has more than 256 characters."
            );
            return refuse(text);
        }
    }
    if tags.len() > MAX_TAGS {
        let count = tags.len();
        return refuse(format!(
            "The value supplied for parameter 'tags' is not valid. A resource can have at most {MAX_TAGS} tags; it would have {count}."
        ));
    }
    Ok(())
}

fn find(tx: &Transaction<'_>, scope: &Scope, arn: &str) -> Result<(String, Value), ServiceError> {
    if !arn.starts_with("arn:aws:imagebuilder:") {
        let text = format!(
            "The value supplied for parameter 'resourceArn' is not valid. '{arn}' is not the ARN of an Image Builder resource."
        );
        return Err(ServiceError::client("InvalidParameterException", text));
    }
    tx.list_any(scope, arn)?
        .into_iter()
        .find(|(_, id, document)| id == arn && document.get("tags").is_some_and(Value::is_object))
        .map(|(kind, _, document)| (kind, document))
        .ok_or_else(|| not_found(arn))
}

fn change(
    local: &Local,
    caller: &Caller,
    arn: &str,
    change: impl FnOnce(&mut BTreeMap<String, String>),
) -> Result<Value, ServiceError> {
    local.store.write(|tx| {
        let (kind, mut document) = find(tx, &caller.scope, arn)?;
        let mut tags = tags_of(&document);
        change(&mut tags);
        check(&tags)?;
        document["tags"] = json!(tags);
        tx.put(&caller.scope, &kind, arn, &document)?;
        Ok(json!({}))
    })
}

fn tags_of(document: &Value) -> BTreeMap<String, String> {
    let members = document.get("tags").and_then(Value::as_object).into_iter().flatten();
    members.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// `TagResource`.
pub(super) fn tag(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let new = input.map("tags")?;
    if new.is_empty() {
        return Err(input.missing("tags"));
    }
    change(local, caller, input.required("resourceArn")?, |tags| tags.extend(new))
}

/// `UntagResource`.
pub(super) fn untag(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let keys = input.texts("tagKeys")?;
    if keys.is_empty() {
        return Err(input.missing("tagKeys"));
    }
    change(local, caller, input.required("resourceArn")?, |tags| tags.retain(|key, _| !keys.contains(&key.as_str())))
}

/// `ListTagsForResource`.
pub(super) fn list(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let arn = input(request).required("resourceArn")?;
    let (_, document) = local.store.read(|tx| find(tx, &caller.scope, arn))?;
    Ok(json!({ "tags": tags_of(&document) }))
}

//! Tags of EC2 resources, whichever half of the local environment keeps them: any document whose id is the resource id
//! and that has a `tags` object.

use super::super::Local;
use super::super::paging;
use super::super::records::Ami;
use super::super::store::{Scope, StoreError, Transaction};
use super::super::wire::{Caller, ServiceError};
use super::filters::Filters;
use super::snapshots::{self, SNAPSHOT};
use super::{images, input};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A resource's tags as they stand in documents and answers.
pub(super) type Tags = BTreeMap<String, String>;

/// Kind of documents with an account's tags on AMIs of others; the id is the AMI's.
const FOREIGN: &str = "ec2-foreign-tags";
/// Most tags a resource can have.
const MAX_TAGS: usize = 50;
/// Prefixes of resource ids, the resource type, and the error when there is none of that id.
const TYPES: [(&str, &str, &str); 4] = [
    ("ami-", "image", "InvalidAMIID.NotFound"),
    ("i-", "instance", "InvalidInstanceID.NotFound"),
    ("lt-", "launch-template", "InvalidLaunchTemplateId.NotFound"),
    ("snap-", "snapshot", "InvalidSnapshot.NotFound"),
];

/// Tags as EC2 answers them.
pub(super) fn render(tags: &Tags) -> Value {
    tags.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect()
}

/// The tags that `scope` sees on an AMI: the owner's tags are the owner's, other accounts have their own
/// (image-builder.md section 9.1: tags are not visible to accounts an AMI is shared with).
pub(super) fn of_ami(tx: &Transaction<'_>, scope: &Scope, ami: &Ami) -> Result<Tags, StoreError> {
    if ami.owner == scope.account {
        return Ok(ami.tags.clone());
    }
    let own: Option<Value> = tx.get(scope, FOREIGN, &ami.id)?;
    Ok(own.map(|document| tags_of(&document)).unwrap_or_default())
}

fn tags_of(document: &Value) -> Tags {
    let members = document.get("tags").and_then(Value::as_object).into_iter().flatten();
    members.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// Refuses tags that EC2 refuses.
pub(super) fn check(tags: &Tags) -> Result<(), ServiceError> {
    for (key, value) in tags {
        let invalid = |text: String| Err(ServiceError::client("InvalidParameterValue", text));
        if key.to_ascii_lowercase().starts_with("aws:") {
            return invalid(format!("Tag keys starting with 'aws:' are reserved for internal use: {key}"));
        }
        if key.is_empty() || key.chars().count() > 128 {
            return invalid(format!("Tag key '{key}' is invalid: it must have 1 to 128 characters"));
        }
        if value.chars().count() > 256 {
            return invalid(format!("The value of tag '{key}' exceeds the maximum of 256 characters"));
        }
    }
    check_count(tags)
}

fn check_count(tags: &Tags) -> Result<(), ServiceError> {
    if tags.len() <= MAX_TAGS {
        return Ok(());
    }
    let text = format!("A resource can have at most {MAX_TAGS} tags; it would have {}.", tags.len());
    Err(ServiceError::client("TagLimitExceeded", text))
}

/// A tagged document in the store.
struct Tagged {
    kind: String,
    document: Value,
}

fn find(tx: &Transaction<'_>, scope: &Scope, id: &str) -> Result<Tagged, ServiceError> {
    let Some((_, resource, code)) = TYPES.iter().find(|(prefix, ..)| id.starts_with(prefix)) else {
        let text = format!(
            "The ID '{id}' is not valid: the local environment tags images, instances, launch templates and snapshots"
        );
        return Err(ServiceError::client("InvalidID", text));
    };
    if *resource == "snapshot" {
        return Ok(Tagged { kind: SNAPSHOT.to_owned(), document: snapshots::document(tx, scope, id)? });
    }
    let own = tx
        .list_any(scope, id)?
        .into_iter()
        .find(|(kind, found, document)| found == id && kind != FOREIGN && is_tagged(document));
    if let Some((kind, _, document)) = own {
        return Ok(Tagged { kind, document });
    }
    if images::visible(tx, scope, id)?.is_some() {
        let document = tx.get(scope, FOREIGN, id)?.unwrap_or_else(|| json!({ "tags": {} }));
        return Ok(Tagged { kind: FOREIGN.to_owned(), document });
    }
    Err(match *resource {
        "image" => images::not_found(&[id]),
        resource => ServiceError::client(code, format!("The {resource} ID '{id}' does not exist")),
    })
}

fn is_tagged(document: &Value) -> bool {
    document.get("tags").is_some_and(Value::is_object)
        && document.get("state").and_then(Value::as_str) != Some(images::DEREGISTERED)
        && document.get("deleted").and_then(Value::as_bool) != Some(true)
}

fn change(
    local: &Local,
    caller: &Caller,
    ids: &[&str],
    change: impl Fn(&mut Tags) -> Result<(), ServiceError>,
) -> Result<Value, ServiceError> {
    local.store.write(|tx| {
        for id in ids {
            let Tagged { kind, mut document } = find(tx, &caller.scope, id)?;
            let mut tags = tags_of(&document);
            change(&mut tags)?;
            document["tags"] = json!(tags);
            tx.put(&caller.scope, &kind, id, &document)?;
        }
        Ok(json!({ "return": true }))
    })
}

/// `CreateTags`: all resources or none.
pub(super) fn create(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let ids = input.texts("ResourceId")?;
    let new = input.pairs("Tag")?;
    if ids.is_empty() {
        return Err(input.missing("ResourceId"));
    }
    if new.is_empty() {
        return Err(input.missing("Tag"));
    }
    check(&new)?;
    change(local, caller, &ids, |tags| {
        tags.extend(new.clone());
        check_count(tags)
    })
}

/// `DeleteTags`: a tag without a value goes whatever its value is; no tags at all means every tag.
pub(super) fn delete(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let ids = input.texts("ResourceId")?;
    if ids.is_empty() {
        return Err(input.missing("ResourceId"));
    }
    let mut unwanted = Vec::new();
    for tag in input.objects("Tag")? {
        // Here, and only here, an empty value differs from no value: it deletes the tag only if its value is empty.
        let value = tag.value().get("Value").and_then(Value::as_str);
        unwanted.push((tag.required("Key")?.to_owned(), value.map(str::to_owned)));
    }
    change(local, caller, &ids, |tags| {
        tags.retain(|key, value| {
            let goes =
                |(name, only): &(String, Option<String>)| name == key && only.as_ref().is_none_or(|v| v == value);
            !unwanted.is_empty() && !unwanted.iter().any(goes)
        });
        Ok(())
    })
}

/// `DescribeTags`.
pub(super) fn describe(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let filters = Filters::parse(&input, &["key", "resource-id", "resource-type", "tag:", "value"])?;
    let size = input.page_size("MaxResults", 1..=1000, 1000)?;
    let rows = local.store.read(|tx| {
        let mut rows = BTreeMap::new();
        for (prefix, kind, _) in TYPES {
            for (_, id, document) in tx.list_any(&caller.scope, prefix)? {
                if id.contains('/') || !is_tagged(&document) {
                    continue;
                }
                for (key, value) in tags_of(&document) {
                    let field = |name: &str| {
                        vec![match name {
                            "key" => key.clone(),
                            "resource-id" => id.clone(),
                            "resource-type" => kind.to_owned(),
                            _ => value.clone(),
                        }]
                    };
                    if filters.accept(&BTreeMap::from([(key.clone(), value.clone())]), field) {
                        let row = json!({ "key": key, "resourceId": id, "resourceType": kind, "value": value });
                        rows.insert(format!("{id} {key}"), row);
                    }
                }
            }
        }
        Ok::<_, StoreError>(rows)
    })?;
    let (tags, next) = paging::page(&input, "DescribeTags", size, rows.into_iter().collect())?;
    Ok(json!({ "tagSet": tags, "nextToken": next }))
}

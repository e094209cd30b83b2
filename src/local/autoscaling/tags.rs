//! Tags of groups, and filters by them.

use super::super::Local;
use super::super::input::Input;
use super::super::paging;
use super::super::wire::{Caller, ServiceError};
use super::record::Group;
use super::{input, known, page_size, refused, render};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Tags of a group.
const MOST_TAGS: usize = 50;
/// What a tag of a request consists of.
const MEMBERS: [&str; 5] = ["Key", "PropagateAtLaunch", "ResourceId", "ResourceType", "Value"];

/// Tags by key: value, and whether instances get it too.
type Tags = BTreeMap<String, (String, bool)>;

/// A tag of a request: its group, key, value and whether instances get it.
fn read<'a>(one: &Input<'a>) -> Result<(Option<&'a str>, &'a str, &'a str, bool), ServiceError> {
    known(one, &MEMBERS)?;
    one.one_of("ResourceType", &["auto-scaling-group"])?;
    let key = one.limited("Key", 1..=128)?.ok_or_else(|| one.missing("Key"))?;
    if key.to_ascii_lowercase().starts_with("aws:") {
        return Err(refused("Invalid tag key: tag keys beginning with aws: are reserved."));
    }
    let value = one.limited("Value", 0..=256)?.unwrap_or_default();
    Ok((one.filled("ResourceId")?, key, value, one.flag("PropagateAtLaunch")?.unwrap_or(false)))
}

/// The tags that a new group gets.
///
/// # Errors
/// What the service refuses, or tags of another group.
pub(super) fn of_creation(input: &Input<'_>, name: &str) -> Result<Tags, ServiceError> {
    let mut tags = Tags::new();
    for one in input.objects("Tags")? {
        let (group, key, value, too) = read(&one)?;
        if group.is_some_and(|group| group != name) {
            return Err(refused("Tag resource id does not match the group's name."));
        }
        tags.insert(key.to_owned(), (value.to_owned(), too));
    }
    check_count(&tags)?;
    Ok(tags)
}

fn check_count(tags: &Tags) -> Result<(), ServiceError> {
    if tags.len() <= MOST_TAGS {
        return Ok(());
    }
    Err(ServiceError::client("LimitExceeded", format!("A group can have at most {MOST_TAGS} tags.")))
}

/// Changes tags of groups, all or none.
fn change(
    local: &Local,
    caller: &Caller,
    request: &Value,
    change: impl Fn(&mut Tags, &str, (String, bool)),
) -> Result<Value, ServiceError> {
    let input = input(request);
    known(&input, &["Tags"])?;
    let wanted = input.objects("Tags")?;
    if wanted.is_empty() {
        return Err(input.missing("Tags"));
    }
    local.store.write(|tx| {
        for one in &wanted {
            let (group, key, value, too) = read(one)?;
            let mut group = Group::of(tx, &caller.scope, group.ok_or_else(|| one.missing("ResourceId"))?)?;
            change(&mut group.tags, key, (value.to_owned(), too));
            check_count(&group.tags)?;
            group.put(tx, &caller.scope)?;
        }
        Ok::<_, ServiceError>(())
    })?;
    Ok(Value::Null)
}

/// `CreateOrUpdateTags`.
pub(super) fn create_or_update(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    change(local, caller, request, |tags, key, tag| drop(tags.insert(key.to_owned(), tag)))
}

/// `DeleteTags`. One that is not there is none to delete.
pub(super) fn delete(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    change(local, caller, request, |tags, key, _| drop(tags.remove(key)))
}

/// Names and values of filters.
pub(super) type Filters = Vec<(String, Vec<String>)>;

/// Reads `Filters` of a request; a name of `names` that ends with a colon is a prefix.
pub(super) fn filters(input: &Input<'_>, names: &[&str]) -> Result<Filters, ServiceError> {
    let read = |filter: Input<'_>| {
        let name = filter.required("Name")?;
        let fits = |one: &str| one == name || (one.ends_with(':') && name.starts_with(one));
        if !names.iter().any(|one| fits(one)) {
            return Err(refused(format!(
                "Filter type {name} is not correct. Allowed Filter types are: {}",
                names.join(" ")
            )));
        }
        Ok((name.to_owned(), filter.texts("Values")?.into_iter().map(str::to_owned).collect()))
    };
    input.objects("Filters")?.into_iter().map(read).collect()
}

/// Whether a group is among those that filters by tags let through.
pub(super) fn holds(filters: &Filters, group: &Group) -> bool {
    filters.iter().all(|(name, wanted)| {
        let has = |value: &String| wanted.contains(value);
        match name.strip_prefix("tag:") {
            Some(key) => group.tags.get(key).is_some_and(|(value, _)| has(value)),
            None if name == "tag-key" => group.tags.keys().any(has),
            None => group.tags.values().any(|(value, _)| has(value)),
        }
    })
}

/// `DescribeTags`.
pub(super) fn describe(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    known(&input, &["Filters", "IncludeManagedResources", "MaxRecords", "NextToken"])?;
    let filters = filters(&input, &["auto-scaling-group", "key", "value", "propagate-at-launch"])?;
    let size = page_size(&input)?;
    let groups = local.store.read(|tx| Ok::<_, ServiceError>(Group::all(tx, &caller.scope)?))?;
    let member = |tag: &Value, filter: &str| match filter {
        "auto-scaling-group" => tag["ResourceId"].as_str().unwrap_or_default().to_owned(),
        "key" => tag["Key"].as_str().unwrap_or_default().to_owned(),
        "value" => tag["Value"].as_str().unwrap_or_default().to_owned(),
        _ => tag["PropagateAtLaunch"].to_string(),
    };
    let fits = |tag: &Value| filters.iter().all(|(name, wanted)| wanted.contains(&member(tag, name)));
    let all = groups.iter().flat_map(render::tags).filter(fits);
    let mut rows: Vec<(String, Value)> =
        all.map(|tag| (format!("{}:{}", member(&tag, "auto-scaling-group"), member(&tag, "key")), tag)).collect();
    rows.sort_by(|(a, _), (b, _)| a.cmp(b));
    let (tags, next) = paging::page(&input, "DescribeTags", size, rows)?;
    Ok(json!({ "Tags": tags, "NextToken": next }))
}

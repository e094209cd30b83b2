//! Listing parameters: by path and by filters.

use super::super::Local;
use super::super::input::Input;
use super::super::paging::Window;
use super::super::wire::{Caller, ServiceError};
use super::input;
use super::names::{self, Selector};
use super::parameter_record::{Parameter, Version};
use serde_json::{Value, json};
use std::ops::ControlFlow;

/// A `ParameterStringFilter`.
struct Filter {
    key: String,
    option: String,
    values: Vec<String>,
}

/// The keys that the API knows at all, whichever operation takes them; the model has them as a pattern.
const KEYS: [&str; 8] = ["tag:", "Name", "Type", "KeyId", "Path", "Label", "Tier", "DataType"];

/// Reads `ParameterFilters`, and the older `Filters` that know no option.
fn filters(input: &Input<'_>, keys: &[&str]) -> Result<Vec<Filter>, ServiceError> {
    let mut filters = Vec::new();
    for (member, otherwise) in [("ParameterFilters", "Equals"), ("Filters", "BeginsWith")] {
        for filter in input.objects(member)? {
            let key = filter.required("Key")?;
            let known = if key.starts_with("tag:") { "tag:" } else { key };
            if !KEYS.contains(&known) {
                let why = format!("`{key}` is none of: {}.", KEYS.join(", "));
                return Err(filter.invalid("Key", &why));
            }
            if !keys.contains(&known) {
                let text = format!("The filter key {key} is not valid. This operation has: {}.", keys.join(", "));
                return Err(ServiceError::client("InvalidFilterKey", text));
            }
            let values: Vec<String> = filter.texts("Values")?.into_iter().map(str::to_owned).collect();
            if values.is_empty() && !key.starts_with("tag:") {
                let text = format!("The filter {key} has no values.");
                return Err(ServiceError::client("InvalidFilterValue", text));
            }
            let allowed: &[&str] = match key {
                "Name" => &["Equals", "BeginsWith", "Contains"],
                "Path" => &["Recursive", "OneLevel"],
                _ => &["Equals", "BeginsWith"],
            };
            let standard = if key == "Path" { "OneLevel" } else { otherwise };
            let option = filter.text("Option")?.unwrap_or(standard);
            if !allowed.contains(&option) {
                let text =
                    format!("The filter option {option} is not valid for {key}; allowed: {}.", allowed.join(", "));
                return Err(ServiceError::client("InvalidFilterOption", text));
            }
            filters.push(Filter { key: key.to_owned(), option: option.to_owned(), values });
        }
    }
    Ok(filters)
}

impl Filter {
    fn accepts(&self, parameter: &Parameter, version: &Version) -> bool {
        match self.key.as_str() {
            "Name" => self.compare(&parameter.name),
            "Path" => self.values.iter().any(|path| is_below(&parameter.name, path, self.option == "Recursive")),
            "Type" => self.compare(&parameter.kind),
            "KeyId" => self.compare(&version.key_id),
            "Tier" => self.compare(&version.tier),
            "DataType" => self.compare(&version.data_type),
            "Label" => parameter.versions.iter().flat_map(|version| &version.labels).any(|label| self.compare(label)),
            key => {
                let value = key.strip_prefix("tag:").and_then(|key| parameter.tags.get(key));
                value.is_some_and(|value| self.values.is_empty() || self.compare(value))
            }
        }
    }

    fn compare(&self, text: &str) -> bool {
        self.values.iter().any(|value| match self.option.as_str() {
            "BeginsWith" => text.starts_with(value.as_str()),
            "Contains" => text.contains(value.as_str()),
            _ => text == value,
        })
    }
}

/// Whether a name lies below a path, directly or at any depth.
fn is_below(name: &str, path: &str, recursive: bool) -> bool {
    let rest = name.strip_prefix(path.trim_end_matches('/')).and_then(|rest| rest.strip_prefix('/'));
    rest.is_some_and(|rest| !rest.is_empty() && (recursive || !rest.contains('/')))
}

/// `GetParametersByPath`.
pub(super) fn by_path(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let path = input.required("Path")?;
    if !path.starts_with('/') {
        let why = "The parameter path must be a fully qualified name: it starts with a slash.";
        return Err(input.invalid("Path", why));
    }
    let recursive = input.flag("Recursive")?.unwrap_or(false);
    let decrypt = input.flag("WithDecryption")?.unwrap_or(false);
    let filters = filters(&input, &["Type", "KeyId", "Label", "DataType"])?;
    let size = input.page_size("MaxResults", 1..=10, 10)?;
    let prefix = format!("{}/", path.trim_end_matches('/'));
    let label = filters.iter().find(|filter| filter.key == "Label").and_then(|filter| filter.values.first());
    let selector = label.map_or(Selector::Latest, |label| Selector::Label(label.clone()));
    let mut window = Window::new(&input, "GetParametersByPath", size)?;
    select(local, caller, &prefix, &mut window, |parameter| {
        let version = parameter.select(&selector).ok()?;
        let accepted = is_below(&parameter.name, path, recursive)
            && filters.iter().all(|filter| filter.accepts(parameter, version));
        accepted.then(|| parameter.render(&caller.scope, version, &selector, decrypt))
    })?;
    let (parameters, next) = window.finish();
    Ok(json!({ "Parameters": parameters, "NextToken": next }))
}

/// Fills a page with the rows of parameters, which come in the order of their names: no more of them are read than it takes.
fn select(
    local: &Local,
    caller: &Caller,
    prefix: &str,
    window: &mut Window<Value>,
    mut row: impl FnMut(&Parameter) -> Option<Value>,
) -> Result<(), ServiceError> {
    let after = window.after().map(str::to_owned);
    local.store.read(|tx| {
        Parameter::each(tx, &caller.scope, prefix, after.as_deref(), |parameter| {
            if let Some(row) = row(&parameter) {
                window.offer(parameter.name, |_| row);
            }
            if window.is_full() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    })?;
    Ok(())
}

/// `DescribeParameters`: the caller's own; public parameters are not listed, as on AWS.
pub(super) fn describe(local: &Local, caller: &Caller, request: &Value) -> Result<Value, ServiceError> {
    let input = input(request);
    let filters = filters(&input, &["Name", "Path", "Type", "KeyId", "Tier", "DataType", "Label", "tag:"])?;
    let size = input.page_size("MaxResults", 1..=50, 50)?;
    let mut window = Window::new(&input, "DescribeParameters", size)?;
    select(local, caller, "", &mut window, |parameter| {
        let version = parameter.latest()?;
        filters.iter().all(|filter| filter.accepts(parameter, version)).then(|| {
            let mut row = parameter.metadata(version);
            row["ARN"] = json!(names::arn(&caller.scope, &parameter.name));
            row
        })
    })?;
    let (parameters, next) = window.finish();
    Ok(json!({ "Parameters": parameters, "NextToken": next }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_a_path() {
        for (name, path, recursive, expected) in [
            ("/a/b", "/a", false, true),
            ("/a/b", "/a/", false, true),
            ("/a/b/c", "/a", false, false),
            ("/a/b/c", "/a", true, true),
            ("/ab/c", "/a", true, false),
            ("/a", "/a", true, false),
            ("/a", "/", false, true),
            ("a", "/", true, false),
        ] {
            assert_eq!(is_below(name, path, recursive), expected, "{name} {path} {recursive}");
        }
    }
}

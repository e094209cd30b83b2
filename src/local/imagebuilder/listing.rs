//! What all list operations share: owner, filters, pages.

use super::super::input::Input;
use super::super::paging::Window;
use super::super::wire::ServiceError;
use super::arn::Pattern;
use serde_json::{Value, json};

/// Filters of a list operation: all must hold; one holds when one of its values is equal.
pub(super) struct Filters(Vec<(String, Vec<String>)>);

impl Filters {
    /// Reads `filters`; at most ten, with one to ten values each.
    pub(super) fn parse(input: &Input<'_>, known: &[&str]) -> Result<Self, ServiceError> {
        let filters = input.objects("filters")?;
        if filters.len() > 10 {
            return Err(invalid(format!("{} filters are given; at most 10 are allowed.", filters.len())));
        }
        let filters = filters.into_iter().map(|filter| {
            let name = filter.required("name")?;
            if !known.contains(&name) {
                return Err(invalid(format!("The filter '{name}' is not valid; allowed: {}.", known.join(", "))));
            }
            let values = filter.texts("values")?;
            if !(1..=10).contains(&values.len()) {
                return Err(invalid(format!("The filter '{name}' has {} values; 1 to 10 are allowed.", values.len())));
            }
            Ok((name.to_owned(), values.into_iter().map(str::to_owned).collect()))
        });
        Ok(Self(filters.collect::<Result<_, ServiceError>>()?))
    }

    /// Whether all hold for something whose fields are the members of `row` (text or a list of text).
    pub(super) fn accept(&self, row: &Value) -> bool {
        self.0.iter().all(|(name, values)| {
            let has = match row.get(if name == "supportedOsVersion" { "supportedOsVersions" } else { name }) {
                Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
                Some(Value::String(text)) => vec![text.as_str()],
                _ => Vec::new(),
            };
            has.iter().any(|has| values.iter().any(|value| value == has || (name == "version" && fits(value, has))))
        })
    }
}

fn fits(pattern: &str, version: &str) -> bool {
    Pattern::parse(pattern).zip(super::arn::version(version)).is_some_and(|(pattern, version)| pattern.accepts(version))
}

fn invalid(text: String) -> ServiceError {
    ServiceError::client("InvalidRequestException", text)
}

/// Whether the caller's own resources are listed: there are none of other owners here.
pub(in crate::local) fn lists_own(input: &Input<'_>) -> Result<bool, ServiceError> {
    let owner = input.one_of("owner", &["Self", "Shared", "Amazon", "ThirdParty", "AWSMarketplace"])?;
    Ok(owner.is_none_or(|owner| owner == "Self"))
}

/// The answer of a list operation: rows, sorted by their keys, as `member`.
pub(in crate::local) fn answer(
    input: &Input<'_>,
    operation: &str,
    member: &str,
    rows: Vec<(String, Value)>,
) -> Result<Value, ServiceError> {
    let mut window = window(input, operation)?;
    for (key, row) in rows {
        window.offer(key, |_| row);
    }
    Ok(page(window, member))
}

/// The page that is asked for, to be filled.
pub(in crate::local) fn window(input: &Input<'_>, operation: &str) -> Result<Window<Value>, ServiceError> {
    Window::new(input, operation, input.page_size("maxResults", 1..=25, 25)?)
}

/// The answer of a list operation from the page, as `member`.
pub(in crate::local) fn page(window: Window<Value>, member: &str) -> Value {
    let (rows, next) = window.finish();
    let mut answer = json!({ member: rows });
    if let Some(next) = next {
        answer["nextToken"] = json!(next);
    }
    answer
}

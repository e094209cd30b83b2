//! Filters of list operations, and targets of commands, which have the same form.

use super::super::ec2;
use super::super::input::Input;
use super::super::wire::ServiceError;

/// A filter of a list operation: any of its values must match.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Filter {
    /// Name.
    pub(super) name: String,
    /// Values.
    pub(super) values: Vec<String>,
}

impl Filter {
    /// Whether one of the values is `text`, with EC2's wildcards.
    pub(super) fn accepts(&self, text: &str) -> bool {
        self.values.iter().any(|pattern| ec2::fits(pattern, text))
    }
}

/// The filters at `list`, whose members are called `name` and `values`.
///
/// # Errors
/// A filter without a name, or whose values are not text, in the service's words.
pub(super) fn filters(input: &Input<'_>, list: &str, name: &str, values: &str) -> Result<Vec<Filter>, ServiceError> {
    let filter = |filter: Input<'_>| {
        let values = filter.texts(values)?.into_iter().map(str::to_owned).collect();
        Ok(Filter { name: filter.required(name)?.to_owned(), values })
    };
    input.objects(list)?.into_iter().map(filter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn filters_take_wildcards() {
        let request = json!({"Filter": [{"Name": "tag:Name", "Value": ["web-*", "db?"]}]});
        let filters = filters(&ec2::input(&request), "Filter", "Name", "Value").unwrap();
        assert!(filters[0].accepts("web-1") && filters[0].accepts("db2"));
        assert!(!filters[0].accepts("db22") && !filters[0].accepts("aweb-"));
    }

    #[test]
    fn a_filter_without_a_name_is_not_passed_over() {
        let request = json!({"Filter": [{"Value": ["web"]}]});
        let refused = filters(&ec2::input(&request), "Filter", "Name", "Value");
        assert_eq!(refused.unwrap_err().code, "MissingParameter");
    }
}

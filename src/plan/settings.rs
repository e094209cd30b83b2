//! The settings of what Image Builder does not version, in a form that can be compared and told.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Settings by the words people know them by. What is not set is not there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Settings(BTreeMap<String, String>);

impl Settings {
    /// Adds a setting; an empty value is none.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let value = value.into();
        if !value.is_empty() {
            self.0.insert(name.into(), value);
        }
        self
    }

    /// Adds a list whose order matters.
    #[must_use]
    pub fn with_list(self, name: impl Into<String>, values: &[String]) -> Self {
        self.with(name, values.join(", "))
    }

    /// Adds a list whose order does not matter.
    #[must_use]
    pub fn with_set<'a>(self, name: impl Into<String>, values: impl IntoIterator<Item = &'a String>) -> Self {
        let mut values: Vec<&str> = values.into_iter().map(String::as_str).collect();
        values.sort_unstable();
        self.with(name, values.join(", "))
    }

    /// Adds pairs, each as `key=value`, in order of the keys.
    #[must_use]
    pub fn with_pairs<'a>(
        self,
        name: impl Into<String>,
        pairs: impl IntoIterator<Item = (&'a String, &'a String)>,
    ) -> Self {
        let mut pairs: Vec<String> = pairs.into_iter().map(|(key, value)| format!("{key}={value}")).collect();
        pairs.sort_unstable();
        self.with(name, pairs.join(", "))
    }

    /// What has to change to get from `before` to these, one part of a sentence each, by name.
    #[must_use]
    pub fn differences(&self, before: &Self) -> Vec<String> {
        let mut names: Vec<&String> = self.0.keys().chain(before.0.keys()).collect();
        names.sort();
        names.dedup();
        let told = |settings: &Self, name: &str| settings.0.get(name).cloned();
        names
            .into_iter()
            .filter_map(|name| match (told(before, name), told(self, name)) {
                (Some(old), Some(new)) if old != new => Some(format!("{name} {old} -> {new}")),
                (Some(old), None) => Some(format!("{name} {old} removed")),
                (None, Some(new)) => Some(format!("{name} {new} added")),
                _ => None,
            })
            .collect()
    }

    /// As JSON, for fingerprints.
    #[must_use]
    pub fn value(&self) -> serde_json::Value {
        self.0.iter().map(|(key, value)| (key.clone(), serde_json::Value::from(value.as_str()))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_told_by_name_and_nothing_is_no_difference() {
        let before = Settings::default().with("subnet", "subnet-1").with("profile", "P").with("bucket", "");
        let after = Settings::default().with("profile", "Q").with_list("types", &["b".into(), "a".into()]);
        let told = after.differences(&before);
        assert_eq!(told, ["profile P -> Q", "subnet subnet-1 removed", "types b, a added"]);
        assert_eq!(after.differences(&after), Vec::<String>::new());
    }

    #[test]
    fn sets_and_pairs_do_not_depend_on_their_order() {
        let (a, b) = ("a".to_owned(), "b".to_owned());
        let one = Settings::default().with_set("s", [&a, &b]).with_pairs("p", [(&a, &b), (&b, &a)]);
        let two = Settings::default().with_set("s", [&b, &a]).with_pairs("p", [(&b, &a), (&a, &b)]);
        assert_eq!(one, two);
    }
}

//! A baseline in the API's shape (patch-baselines.md 1.1 and 7.3). Reading the same is [`super::parse_baseline`]'s.

use super::baseline::{Approval, Baseline, Family, Filter, Rule, Source};
use serde_json::{Map, Value, json};

impl Baseline {
    /// The body of `CreatePatchBaseline`: every field of the definition, without those that only Create or only Get have
    /// (`ClientToken`, `Tags`, `BaselineId`, dates).
    #[must_use]
    pub fn to_create_request(&self) -> Value {
        let mut body = self.definition();
        body.insert("Name".to_owned(), json!(self.name));
        if let Some(description) = &self.description {
            body.insert("Description".to_owned(), json!(description));
        }
        Value::Object(body)
    }

    /// The answer of `GetPatchBaseline`, as far as a definition has it: `PatchGroups` is empty, and there are no dates.
    #[must_use]
    pub fn to_get_answer(&self) -> Value {
        let mut body = self.to_create_request();
        if let Some(id) = &self.id {
            body["BaselineId"] = json!(id);
        }
        body["PatchGroups"] = json!([]);
        body
    }

    /// The file for `BaselineOverride` of AWS-RunPatchBaseline: a list of definitions, at most one per operating system
    /// (patch-baselines.md 7.3). Of several for one system the last one is taken.
    #[must_use]
    pub fn to_override_file(baselines: &[Self]) -> Value {
        let mut bodies = std::collections::BTreeMap::new();
        for baseline in baselines {
            bodies.insert(baseline.operating_system, Value::Object(baseline.definition()));
        }
        Value::Array(bodies.into_values().collect())
    }

    /// The same as a file of `baselines/`.
    #[must_use]
    pub fn to_yaml(&self) -> String {
        crate::yaml::emit(&self.to_create_request())
    }

    fn definition(&self) -> Map<String, Value> {
        let mut body = Map::new();
        let mut put = |key: &str, value: Value| {
            body.insert(key.to_owned(), value);
        };
        put("OperatingSystem", json!(self.operating_system));
        put("GlobalFilters", json!({ "PatchFilters": filters(&self.global_filters) }));
        put("ApprovalRules", json!({ "PatchRules": self.rules.iter().map(rule).collect::<Vec<_>>() }));
        put("ApprovedPatches", json!(self.approved));
        put("ApprovedPatchesComplianceLevel", json!(self.approved_level));
        put("ApprovedPatchesEnableNonSecurity", json!(self.approved_non_security));
        put("RejectedPatches", json!(self.rejected));
        put("RejectedPatchesAction", json!(self.rejected_action));
        // On Windows the fields of the other systems are refused.
        if self.operating_system.family() != Family::Windows {
            put("Sources", json!(self.sources.iter().map(source).collect::<Vec<_>>()));
        }
        if let Some(status) = self.available_security_updates {
            put("AvailableSecurityUpdatesComplianceStatus", json!(status));
        }
        body
    }
}

pub(super) fn rule(rule: &Rule) -> Value {
    let mut body = json!({
        "PatchFilterGroup": { "PatchFilters": filters(&rule.filters) },
        "ComplianceLevel": rule.level,
        "EnableNonSecurity": rule.enable_non_security,
    });
    match rule.approval {
        Approval::AfterDays(days) => body["ApproveAfterDays"] = json!(days),
        Approval::UntilDate(date) => body["ApproveUntilDate"] = json!(date.to_string()),
    }
    body
}

fn filters(filters: &[Filter]) -> Vec<Value> {
    filters.iter().map(|filter| json!({ "Key": filter.key, "Values": filter.values })).collect()
}

fn source(source: &Source) -> Value {
    json!({ "Name": source.name, "Products": source.products, "Configuration": source.configuration })
}

#[cfg(test)]
pub(in crate::patch) mod tests {
    use crate::diagnostic::SourceFile;
    use crate::patch::{
        Approval, Baseline, Filter, FilterKey, Level, RejectedAction, Rule, Source, all_predefined, parse_baseline,
        predefined,
    };
    use proptest::prelude::*;

    fn read(text: String) -> Baseline {
        parse_baseline(&SourceFile::new("x", text)).unwrap()
    }

    #[test]
    fn every_predefined_baseline_survives_every_shape() {
        for baseline in all_predefined() {
            assert_eq!(&read(baseline.to_get_answer().to_string()), baseline);
            let created = Baseline { id: None, ..baseline.clone() };
            assert_eq!(read(baseline.to_create_request().to_string()), created);
            assert_eq!(read(baseline.to_yaml()), created);
        }
    }

    #[test]
    fn an_override_file_has_one_definition_per_system_and_no_names() {
        let redhat = predefined("AWS-RedHatDefaultPatchBaseline").unwrap();
        let other = Baseline { approved: vec!["bash".into()], ..redhat.clone() };
        let debian = predefined("AWS-DebianDefaultPatchBaseline").unwrap();
        let file = Baseline::to_override_file(&[redhat, debian, other]);
        let entries = file.as_array().unwrap();
        assert_eq!(entries.len(), 2);
        assert!(entries.iter().all(|entry| entry.get("Name").is_none()));
        assert_eq!(entries[1]["ApprovedPatches"][0], "bash");
    }

    pub(in crate::patch) fn some_baseline() -> impl Strategy<Value = Baseline> {
        let texts = || prop::collection::vec("[a-z*.:-]{1,20}", 0..3);
        let approval = prop_oneof![
            (0_u16..=360).prop_map(Approval::AfterDays),
            (2000_i32..2100, 1_u16..365)
                .prop_map(|(year, day)| { Approval::UntilDate(time::Date::from_ordinal_date(year, day).unwrap()) }),
        ];
        let level = || prop::sample::select(Level::ALL);
        let key = prop::sample::select(vec![FilterKey::Product, FilterKey::Classification, FilterKey::Severity]);
        let filter = (key, prop::collection::vec("\\PC{1,12}", 1..4)).prop_map(|(key, values)| Filter { key, values });
        let filters = prop::collection::vec(filter, 0..3);
        let rule = (filters.clone(), approval, level(), any::<bool>())
            .prop_map(|(filters, approval, level, flag)| Rule { filters, approval, level, enable_non_security: flag });
        let source = ("[a-z]{3,8}", "\\PC{1,30}").prop_map(|(name, configuration)| Source {
            name,
            products: vec!["*".into()],
            configuration,
        });
        let lists = (texts(), texts(), level(), any::<bool>(), any::<bool>());
        let rest = ("[a-zA-Z0-9_.-]{3,20}", prop::option::of("\\PC{1,40}"), prop::collection::vec(source, 0..3));
        (filters, prop::collection::vec(rule, 1..4), lists, rest).prop_map(|(global_filters, rules, lists, rest)| {
            Baseline {
                name: rest.0,
                description: rest.1,
                sources: rest.2,
                global_filters,
                rules,
                approved: lists.0,
                rejected: lists.1,
                approved_level: lists.2,
                approved_non_security: lists.3,
                rejected_action: if lists.4 { RejectedAction::Block } else { RejectedAction::AllowAsDependency },
                id: None,
                ..predefined("AWS-RedHatDefaultPatchBaseline").unwrap()
            }
        })
    }

    proptest! {
        #[test]
        fn any_baseline_is_read_back_exactly(baseline in some_baseline()) {
            prop_assert_eq!(&read(baseline.to_yaml()), &baseline);
            prop_assert_eq!(&read(baseline.to_create_request().to_string()), &baseline);
            prop_assert_eq!(&read(format!("{:#}", baseline.to_get_answer())), &baseline);
        }
    }
}

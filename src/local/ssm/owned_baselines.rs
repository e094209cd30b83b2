//! The patch baselines that AWS owns, as Systems Manager answers them.

use crate::patch::{Approval, Baseline, Filter, Rule, all_predefined};
use serde_json::{Value, json};

/// Account that owns them in us-east-1; it differs per Region on AWS, and is the same everywhere here.
const OWNER: &str = "075727635805";

/// All of them, by name.
pub(super) fn all() -> impl Iterator<Item = Owned> {
    all_predefined().iter().map(Owned)
}

/// The default for an operating system while no other is registered. Windows has three to choose from.
pub(super) fn default_for(os: &str) -> Option<Owned> {
    all().find(|owned| owned.os() == os && owned.name().ends_with("DefaultPatchBaseline"))
}

/// The baseline with that ARN; their bare ids are not accepted (patch-baselines.md section 1.1).
pub(super) fn by_arn(arn: &str, region: &str) -> Option<Owned> {
    all().find(|owned| owned.arn(region) == arn)
}

/// A baseline of AWS's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owned(&'static Baseline);

impl Owned {
    /// Name.
    pub(super) fn name(self) -> &'static str {
        &self.0.name
    }

    /// Operating system.
    pub(super) fn os(self) -> &'static str {
        self.0.operating_system.as_str()
    }

    /// Its ARN, which is also its id in answers.
    pub(super) fn arn(self, region: &str) -> String {
        format!("arn:aws:ssm:{region}:{OWNER}:patchbaseline/{}", self.0.id.as_deref().unwrap_or_default())
    }

    /// Description.
    pub(super) fn description(self) -> String {
        format!("Default Patch Baseline for {} Provided by AWS.", self.os())
    }

    /// The members of `GetPatchBaseline` that come from the definition.
    pub(super) fn body(self) -> Value {
        let baseline = self.0;
        let security = baseline.available_security_updates.map(crate::patch::AvailableSecurityUpdates::as_str);
        json!({
            "GlobalFilters": { "PatchFilters": filters(&baseline.global_filters) },
            "ApprovalRules": { "PatchRules": baseline.rules.iter().map(rule).collect::<Vec<_>>() },
            "ApprovedPatches": baseline.approved,
            "ApprovedPatchesComplianceLevel": baseline.approved_level.as_str(),
            "ApprovedPatchesEnableNonSecurity": baseline.approved_non_security,
            "RejectedPatches": baseline.rejected,
            "RejectedPatchesAction": baseline.rejected_action.as_str(),
            "Sources": [],
            "AvailableSecurityUpdatesComplianceStatus": security,
            "Description": self.description(),
        })
    }
}

fn rule(rule: &Rule) -> Value {
    let mut answer = json!({
        "PatchFilterGroup": { "PatchFilters": filters(&rule.filters) },
        "ComplianceLevel": rule.level.as_str(),
        "EnableNonSecurity": rule.enable_non_security,
    });
    match rule.approval {
        Approval::AfterDays(days) => answer["ApproveAfterDays"] = json!(days),
        Approval::UntilDate(date) => answer["ApproveUntilDate"] = json!(date.to_string()),
    }
    answer
}

fn filters(filters: &[Filter]) -> Vec<Value> {
    filters.iter().map(|filter| json!({ "Key": filter.key.as_str(), "Values": filter.values })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::SourceFile;

    #[test]
    fn each_operating_system_has_one_default() {
        for owned in all() {
            let defaults = all()
                .filter(|other| other.os() == owned.os() && other.name().ends_with("DefaultPatchBaseline"))
                .count();
            assert_eq!(defaults, 1, "{}", owned.os());
        }
        assert_eq!(default_for("DEBIAN").unwrap().name(), "AWS-DebianDefaultPatchBaseline");
        assert_eq!(default_for("WINDOWS").unwrap().name(), "AWS-DefaultPatchBaseline");
    }

    #[test]
    fn the_answers_mean_what_the_definitions_mean() {
        for owned in all() {
            let mut answer = owned.body();
            answer["Name"] = json!(owned.name());
            answer["OperatingSystem"] = json!(owned.os());
            // The service answers an empty list for Windows too, where a definition may not have it.
            answer["Sources"] = Value::Null;
            let text = super::super::super::input::compact(answer).to_string();
            let read = crate::patch::parse_baseline(&SourceFile::new(owned.name(), text)).unwrap();
            assert_eq!(
                (&read.rules, &read.global_filters),
                (&owned.0.rules, &owned.0.global_filters),
                "{}",
                owned.name()
            );
        }
    }
}

//! The patch baselines that AWS owns, from `baselines/aws-owned.jsonl` (patch-baselines.md section 6).

use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::LazyLock;

/// Account that owns them in us-east-1; it differs per Region on AWS, and is the same everywhere here.
const OWNER: &str = "075727635805";

/// One line of the file.
#[derive(Debug, Deserialize)]
pub(super) struct Owned {
    pub(super) name: String,
    pub(super) os: String,
    id_us_east_1: String,
    global: Vec<(String, Vec<String>)>,
    rules: Vec<Rule>,
    rejected_action: String,
    available_security_updates: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Rule {
    filters: Vec<(String, Vec<String>)>,
    approve_after_days: u32,
    enable_non_security: bool,
    compliance_level: String,
}

/// All of them, by name.
pub(super) fn all() -> &'static [Owned] {
    static ALL: LazyLock<Vec<Owned>> = LazyLock::new(|| {
        let lines = include_str!("../../../baselines/aws-owned.jsonl").lines().filter(|line| !line.trim().is_empty());
        // A line that cannot be read would be a fault of this program's own data; a test reads every line.
        let mut all: Vec<Owned> = lines.filter_map(|line| serde_json::from_str(line).ok()).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    });
    &ALL
}

/// Whether it is the default of its operating system while no other is registered. Windows has three.
fn is_default(owned: &Owned) -> bool {
    owned.name.ends_with("DefaultPatchBaseline")
}

/// The default for an operating system.
pub(super) fn default_for(os: &str) -> Option<&'static Owned> {
    all().iter().find(|owned| owned.os == os && is_default(owned))
}

/// The baseline with that ARN; their bare ids are not accepted (patch-baselines.md section 1.1).
pub(super) fn by_arn(arn: &str, region: &str) -> Option<&'static Owned> {
    all().iter().find(|owned| owned.arn(region) == arn)
}

impl Owned {
    /// Its ARN, which is also its id in answers.
    pub(super) fn arn(&self, region: &str) -> String {
        format!("arn:aws:ssm:{region}:{OWNER}:patchbaseline/{}", self.id_us_east_1)
    }

    /// As `DescribePatchBaselines` describes it.
    pub(super) fn description(&self) -> String {
        format!("Default Patch Baseline for {} Provided by AWS.", self.os)
    }

    /// The members of `GetPatchBaseline` that come from the definition.
    pub(super) fn body(&self) -> Value {
        let rules: Vec<Value> = self
            .rules
            .iter()
            .map(|rule| {
                json!({
                    "PatchFilterGroup": { "PatchFilters": filters(&rule.filters) },
                    "ComplianceLevel": rule.compliance_level,
                    "ApproveAfterDays": rule.approve_after_days,
                    "EnableNonSecurity": rule.enable_non_security,
                })
            })
            .collect();
        json!({
            "GlobalFilters": { "PatchFilters": filters(&self.global) },
            "ApprovalRules": { "PatchRules": rules },
            "ApprovedPatches": [],
            "ApprovedPatchesComplianceLevel": "UNSPECIFIED",
            "ApprovedPatchesEnableNonSecurity": false,
            "RejectedPatches": [],
            "RejectedPatchesAction": self.rejected_action,
            "Sources": [],
            "AvailableSecurityUpdatesComplianceStatus": self.available_security_updates,
            "Description": self.description(),
        })
    }
}

fn filters(filters: &[(String, Vec<String>)]) -> Vec<Value> {
    filters.iter().map(|(key, values)| json!({ "Key": key, "Values": values })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_read() {
        let text = include_str!("../../../baselines/aws-owned.jsonl");
        assert_eq!(all().len(), text.lines().count());
        assert_eq!(all().len(), 17);
    }

    #[test]
    fn each_operating_system_has_one_default() {
        for owned in all() {
            let defaults = all().iter().filter(|other| other.os == owned.os && is_default(other)).count();
            assert_eq!(defaults, 1, "{}", owned.os);
        }
        assert_eq!(default_for("DEBIAN").unwrap().name, "AWS-DebianDefaultPatchBaseline");
        assert_eq!(default_for("WINDOWS").unwrap().name, "AWS-DefaultPatchBaseline");
    }
}

//! The baselines that AWS owns, as of December 2025 (patch-baselines.md section 6).

use super::baseline::{
    Approval, AvailableSecurityUpdates, Baseline, Filter, FilterKey, Level, OperatingSystem, RejectedAction, Rule,
};
use serde::Deserialize;
use std::sync::LazyLock;

/// One JSON object per line, frozen; the file is what `amiforge init` shows to the user too.
const TEXT: &str = include_str!("../../baselines/aws-owned.jsonl");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    name: String,
    os: OperatingSystem,
    id_us_east_1: String,
    global: Vec<(FilterKey, Vec<String>)>,
    rules: Vec<LineRule>,
    rejected_action: RejectedAction,
    available_security_updates: Option<AvailableSecurityUpdates>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LineRule {
    filters: Vec<(FilterKey, Vec<String>)>,
    approve_after_days: u16,
    enable_non_security: bool,
    compliance_level: Level,
}

/// All predefined baselines, sorted by name.
///
/// # Panics
/// Never: the text is part of the program, and a test reads all of it.
#[must_use]
pub fn all_predefined() -> &'static [Baseline] {
    static ALL: LazyLock<Vec<Baseline>> = LazyLock::new(|| {
        let read = |line| serde_json::from_str::<Line>(line).map(Baseline::from);
        let mut all: Vec<_> =
            TEXT.lines().map(read).collect::<Result<_, _>>().expect("the embedded file is read whole by a unit test");
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    });
    &ALL
}

/// The predefined baseline of that name.
#[must_use]
pub fn predefined(name: &str) -> Option<Baseline> {
    all_predefined().iter().find(|baseline| baseline.name == name).cloned()
}

fn filters(pairs: Vec<(FilterKey, Vec<String>)>) -> Vec<Filter> {
    pairs.into_iter().map(|(key, values)| Filter { key, values }).collect()
}

impl From<LineRule> for Rule {
    fn from(rule: LineRule) -> Self {
        Self {
            filters: filters(rule.filters),
            approval: Approval::AfterDays(rule.approve_after_days),
            level: rule.compliance_level,
            enable_non_security: rule.enable_non_security,
        }
    }
}

impl From<Line> for Baseline {
    fn from(line: Line) -> Self {
        Self {
            name: line.name,
            id: Some(line.id_us_east_1),
            operating_system: line.os,
            description: None,
            global_filters: filters(line.global),
            rules: line.rules.into_iter().map(Rule::from).collect(),
            approved: vec![],
            approved_level: Level::Unspecified,
            approved_non_security: false,
            rejected: vec![],
            rejected_action: line.rejected_action,
            sources: vec![],
            available_security_updates: line.available_security_updates,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_embedded_file_is_a_baseline_with_a_name_of_its_own() {
        let all = all_predefined();
        assert_eq!(all.len(), 17);
        assert_eq!(all.len(), TEXT.lines().count());
        assert!(all.windows(2).all(|pair| pair[0].name < pair[1].name));
        assert!(all.iter().all(|b| b.id.as_deref().is_some_and(|id| id.starts_with("pb-") && id.len() == 20)));
    }

    #[test]
    fn every_operating_system_has_one() {
        for &os in OperatingSystem::ALL {
            assert!(all_predefined().iter().any(|b| b.operating_system == os), "{os}");
        }
    }

    #[test]
    fn debians_default_approves_security_updates_of_every_priority() {
        let baseline = predefined("AWS-DebianDefaultPatchBaseline").unwrap();
        assert_eq!(baseline.operating_system, OperatingSystem::Debian);
        assert_eq!(baseline.rules.len(), 1);
        assert_eq!(baseline.rules[0].filters[0].key, FilterKey::Priority);
        assert_eq!(baseline.rules[0].filters[0].values.len(), 5);
        assert!(!baseline.approves_non_security());
        assert!(predefined("AWS-CentOSDefaultPatchBaseline").unwrap().approves_non_security());
        assert_eq!(predefined("AWS-Debian"), None);
    }
}

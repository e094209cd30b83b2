//! A baseline in sentences: what it approves, when, and what it does not.

use super::baseline::{
    Approval, AvailableSecurityUpdates, Baseline, Family, Filter, FilterKey, Level, OperatingSystem, RejectedAction,
    Rule,
};

/// The values of PRIORITY (patch-baselines.md 1.3): a filter with all of them is none.
const PRIORITIES: [&str; 5] = ["Required", "Important", "Standard", "Optional", "Extra"];

impl Baseline {
    /// One line: what the rules approve and after which delay.
    #[must_use]
    pub fn gist(&self) -> String {
        let os = self.operating_system;
        let delays: Vec<String> = self.rules.iter().map(|rule| delay(os, rule.approval)).collect();
        let same = delays.windows(2).all(|pair| pair[0] == pair[1]);
        let mut rules: Vec<String> = vec![];
        for (rule, delay) in self.rules.iter().zip(&delays) {
            let what = short(os, rule);
            rules.push(if same || delay.is_empty() { what } else { format!("{what} {delay}") });
        }
        let mut parts = vec![];
        match (rules.is_empty(), delays.first().filter(|delay| same && !delay.is_empty())) {
            (true, _) => {}
            (false, Some(delay)) => parts.push(format!("{}, {delay}", rules.join(" or "))),
            (false, None) => parts.push(rules.join(" or ")),
        }
        for (list, word) in [(&self.approved, "approved"), (&self.rejected, "rejected")] {
            if !list.is_empty() {
                parts.push(format!("{} {word} by name", list.len()));
            }
        }
        parts.join(", ")
    }

    /// What it means, a sentence for each part, in the order in which the service applies them.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let os = self.operating_system;
        let mut said = vec![];
        let global = conditions(&self.global_filters);
        if !global.is_empty() {
            said.push(format!("Only patches are looked at {}.", global.join(" and ")));
        }
        said.extend(self.rules.iter().enumerate().map(|(index, rule)| sentence(os, index + 1, rule)));
        if self.rules.is_empty() {
            said.push("There is no rule: only what is approved by name is ever installed.".to_owned());
        }
        if !self.approved.is_empty() {
            said.push(self.approved_sentence());
        }
        if !self.rejected.is_empty() {
            let what = match self.rejected_action {
                RejectedAction::Block => "Never installed, not even when another package needs it",
                RejectedAction::AllowAsDependency => "Only installed when another package needs it",
            };
            said.push(format!("{what} ({}): {}.", self.rejected_action, self.rejected.join(", ")));
        }
        if !self.sources.is_empty() {
            let source = |source: &super::Source| format!("{} (for {})", source.name, any_of(&source.products, "and"));
            let sources: Vec<String> = self.sources.iter().map(source).collect();
            said.push(format!("Only these repositories are used while patching: {}.", sources.join(", ")));
        }
        if let Some(status) = self.available_security_updates {
            let word = if status == AvailableSecurityUpdates::Compliant { "do not count" } else { "count" };
            said.push(format!("Security updates that are there and not approved {word} against a node ({status})."));
        }
        said
    }

    fn approved_sentence(&self) -> String {
        let kind = match (Notion::of(self.operating_system), self.approved_non_security) {
            (Notion::None, _) => "",
            (Notion::Suite, true) => ", security updates or not",
            (Notion::Suite, false) => ", as far as they are security updates",
            (Notion::Advisory, true) => ", with an advisory or without",
            (Notion::Advisory, false) => ", as far as they have an advisory",
        };
        let level = level(self.approved_level);
        format!("Approved by name, whatever the rules say{kind}{level}: {}.", self.approved.join(", "))
    }
}

/// One rule as a sentence.
fn sentence(os: OperatingSystem, number: usize, rule: &Rule) -> String {
    let what = match (Notion::of(os), rule.enable_non_security) {
        (Notion::None, _) => "updates",
        (Notion::Suite, true) => "updates, security or not,",
        (Notion::Suite, false) => "security updates",
        (Notion::Advisory, true) => "updates, with an advisory or without,",
        (Notion::Advisory, false) => "updates with an advisory",
    };
    let conditions = conditions(&rule.filters);
    let which = if conditions.is_empty() { "of every kind".to_owned() } else { conditions.join(" and ") };
    let when = when(os, rule.approval);
    format!("Rule {number} approves {what} {which}{when}{}.", level(rule.level))
}

fn level(level: Level) -> String {
    if level == Level::Unspecified { String::new() } else { format!("; a missing one counts as {level}") }
}

fn when(os: OperatingSystem, approval: Approval) -> String {
    match approval {
        Approval::AfterDays(days) if os.is_apt() => {
            format!(", at once (the delay of {} has no effect on {os})", days_of(days))
        }
        Approval::UntilDate(date) if os.is_apt() => format!(", at once (the date {date} has no effect on {os})"),
        Approval::AfterDays(0) => ", as soon as they are there".to_owned(),
        Approval::AfterDays(days) => format!(", {} after their date", days_of(days)),
        Approval::UntilDate(date) => format!(", dated up to and including {date}"),
    }
}

/// The delay in a gist; empty where it has no effect.
fn delay(os: OperatingSystem, approval: Approval) -> String {
    match approval {
        _ if os.is_apt() => String::new(),
        Approval::AfterDays(0) => "at once".to_owned(),
        Approval::AfterDays(days) => format!("after {}", days_of(days)),
        Approval::UntilDate(date) => format!("until {date}"),
    }
}

pub(super) fn days_of(days: u16) -> String {
    if days == 1 { "1 day".to_owned() } else { format!("{days} days") }
}

/// A rule in a few words: the values of its filters.
pub(super) fn short(os: OperatingSystem, rule: &Rule) -> String {
    let values = |filter: &Filter| match filter.key {
        // Its values say by themselves what they are about; these do not.
        FilterKey::Product | FilterKey::ProductFamily | FilterKey::PatchSet | FilterKey::Section => {
            format!("{} {}", filter.key, filter.values.join("/"))
        }
        _ => filter.values.join("/"),
    };
    let parts: Vec<String> = rule.filters.iter().filter(|filter| narrows(filter)).map(values).collect();
    match (parts.is_empty(), Notion::of(os), rule.enable_non_security) {
        (true, Notion::Suite, false) => "every security update".to_owned(),
        (true, Notion::Advisory, false) => "everything with an advisory".to_owned(),
        (true, _, _) => "everything".to_owned(),
        (false, Notion::Suite, true) => format!("{} (security or not)", parts.join(" + ")),
        (false, Notion::Advisory, true) => format!("{} (or without an advisory)", parts.join(" + ")),
        (false, _, _) => parts.join(" + "),
    }
}

/// The filters that shut something out, as clauses.
fn conditions(filters: &[Filter]) -> Vec<String> {
    let clause = |filter: &Filter| format!("whose {} is {}", filter.key, any_of(&filter.values, "or"));
    filters.iter().filter(|filter| narrows(filter)).map(clause).collect()
}

/// Whether a filter shuts anything out.
fn narrows(filter: &Filter) -> bool {
    let has = |value: &str| filter.values.iter().any(|own| own == value);
    !(has("*") || (filter.key == FilterKey::Priority && PRIORITIES.iter().all(|priority| has(priority))))
}

fn any_of(values: &[String], word: &str) -> String {
    match values {
        [] => "nothing".to_owned(),
        [only] if only == "*" => "everything".to_owned(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} {word} {last}", first.join(", ")),
    }
}

/// What `EnableNonSecurity` is about (patch-baselines.md 3.1): on RPM systems every update in a notice counts as security,
/// bug fixes too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Notion {
    /// Nothing: the vendor's classification says all.
    None,
    /// Updates from security suites.
    Suite,
    /// Updates that a notice is about.
    Advisory,
}

impl Notion {
    const fn of(os: OperatingSystem) -> Self {
        match os.family() {
            Family::Windows | Family::MacOs => Self::None,
            Family::Apt => Self::Suite,
            Family::Rpm | Family::Suse => Self::Advisory,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::patch::{Approval, Baseline, Level, RejectedAction, Source, all_predefined, predefined};

    #[test]
    fn every_predefined_baseline_in_one_line() {
        let lines: Vec<String> = all_predefined().iter().map(|b| format!("{}: {}", b.name, b.gist())).collect();
        insta::assert_snapshot!(lines.join("\n"), @"
        AWS-AlmaLinuxDefaultPatchBaseline: Security + Critical/Important or Bugfix, after 7 days
        AWS-AmazonLinux2022DefaultPatchBaseline: Security + Critical/Important or Bugfix, after 7 days
        AWS-AmazonLinux2023DefaultPatchBaseline: Security + Critical/Important or Bugfix, after 7 days
        AWS-AmazonLinux2DefaultPatchBaseline: Security + Critical/Important or Bugfix, after 7 days
        AWS-AmazonLinuxDefaultPatchBaseline: Security + Critical/Important or Bugfix, after 7 days
        AWS-CentOSDefaultPatchBaseline: everything, after 7 days
        AWS-DebianDefaultPatchBaseline: every security update
        AWS-DefaultPatchBaseline: CriticalUpdates/SecurityUpdates + Critical/Important, after 7 days
        AWS-MacOSDefaultPatchBaseline: softwareupdate/installer/brew/brew_cask, after 7 days
        AWS-OracleLinuxDefaultPatchBaseline: Security + Critical/Important/Moderate or Enhancement/Bugfix, after 7 days
        AWS-RaspbianDefaultPatchBaseline: every security update
        AWS-RedHatDefaultPatchBaseline: Security + Critical/Important or Bugfix, after 7 days
        AWS-RockyLinuxDefaultPatchBaseline: Security + Critical/Important or Bugfix, after 7 days
        AWS-SuseDefaultPatchBaseline: Security + Critical/Important, after 7 days
        AWS-UbuntuDefaultPatchBaseline: every security update
        AWS-WindowsPredefinedPatchBaseline-OS: PATCH_SET OS + CriticalUpdates/SecurityUpdates + Critical/Important, after 7 days
        AWS-WindowsPredefinedPatchBaseline-OS-Applications: PATCH_SET OS + CriticalUpdates/SecurityUpdates + Critical/Important or PATCH_SET APPLICATION, after 7 days
        ");
    }

    #[test]
    fn every_predefined_baseline_in_sentences() {
        let text = |name: &str| predefined(name).unwrap().sentences().join("\n");
        insta::assert_snapshot!(text("AWS-RedHatDefaultPatchBaseline"), @"
        Rule 1 approves updates with an advisory whose CLASSIFICATION is Security and whose SEVERITY is Critical or Important, 7 days after their date.
        Rule 2 approves updates with an advisory whose CLASSIFICATION is Bugfix, 7 days after their date.
        ");
        insta::assert_snapshot!(text("AWS-DebianDefaultPatchBaseline"), @"Rule 1 approves security updates of every kind, at once (the delay of 7 days has no effect on DEBIAN).");
        insta::assert_snapshot!(text("AWS-CentOSDefaultPatchBaseline"), @"Rule 1 approves updates, with an advisory or without, of every kind, 7 days after their date.");
        insta::assert_snapshot!(text("AWS-WindowsPredefinedPatchBaseline-OS-Applications"), @"
        Rule 1 approves updates whose PATCH_SET is OS and whose CLASSIFICATION is CriticalUpdates or SecurityUpdates and whose MSRC_SEVERITY is Critical or Important, 7 days after their date.
        Rule 2 approves updates whose PATCH_SET is APPLICATION, 7 days after their date.
        Security updates that are there and not approved count against a node (NON_COMPLIANT).
        ");
    }

    #[test]
    fn what_the_predefined_ones_do_not_have() {
        let mut baseline = predefined("AWS-RedHatDefaultPatchBaseline").unwrap();
        baseline.global_filters[0].values = vec!["RedhatEnterpriseLinux9".into()];
        baseline.rules[0].approval = Approval::UntilDate(time::macros::date!(2026 - 01 - 31));
        baseline.rules[0].level = Level::Critical;
        baseline.rules[1].approval = Approval::AfterDays(0);
        baseline.approved = vec!["bash".into(), "curl".into()];
        baseline.approved_level = Level::High;
        baseline.rejected = vec!["kernel*".into()];
        baseline.rejected_action = RejectedAction::Block;
        baseline.sources =
            vec![Source { name: "own".into(), products: vec!["*".into()], configuration: "[own]".into() }];
        insta::assert_snapshot!(baseline.gist(), @"Security + Critical/Important until 2026-01-31 or Bugfix at once, 2 approved by name, 1 rejected by name");
        insta::assert_snapshot!(baseline.sentences().join("\n"), @"
        Only patches are looked at whose PRODUCT is RedhatEnterpriseLinux9.
        Rule 1 approves updates with an advisory whose CLASSIFICATION is Security and whose SEVERITY is Critical or Important, dated up to and including 2026-01-31; a missing one counts as CRITICAL.
        Rule 2 approves updates with an advisory whose CLASSIFICATION is Bugfix, as soon as they are there.
        Approved by name, whatever the rules say, as far as they have an advisory; a missing one counts as HIGH: bash, curl.
        Never installed, not even when another package needs it (BLOCK): kernel*.
        Only these repositories are used while patching: own (for everything).
        ");
        let bare = Baseline { rules: vec![], ..baseline };
        assert_eq!(bare.gist(), "2 approved by name, 1 rejected by name");
        assert!(bare.sentences()[1].starts_with("There is no rule"));
    }
}

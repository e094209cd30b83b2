//! Systems that the service evaluates itself: its states are taken over and explained (patch-baselines.md 4.7, 4.8, 5.3).

use super::baseline::{Approval, Baseline, Family, FilterKey, Level, OperatingSystem, RejectedAction};
use super::evaluate::{Context, assemble};
use super::evaluation::{Evaluation, Patch};
use super::listed::{List, Named};
use super::outcome::{Counts, PatchItem, State};
use super::reason::{Reason, Why};

/// Why a scan of the service says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScanError {
    /// The system is evaluated here.
    #[error("{operating_system} is evaluated from an inventory, not from a scan of the service")]
    Evaluated {
        /// Operating system of the baseline.
        operating_system: OperatingSystem,
    },
    /// Not one patch was looked at.
    #[error("the scan lists no patch and counts none; nothing was looked at")]
    NothingScanned,
    /// The scan counts more open patches than it lists, so what is open is not known.
    #[error("the scan counts {counted} patches that are {state} and lists {listed}; read it again, all pages")]
    Incomplete {
        /// The state.
        state: &'static str,
        /// `…Count` of the scan.
        counted: u32,
        /// How many are listed.
        listed: u32,
    },
}

/// The result of AWS-RunPatchBaseline on Windows or macOS as an evaluation: every state as the service gave it, with
/// what the baseline has to do with it. Nothing is inferred that the scan does not say: which rule approved a patch is
/// only told where the scan's classification and severity leave no doubt.
pub fn from_scan(
    baseline: &Baseline,
    items: &[PatchItem],
    counts: Counts,
    context: &Context,
) -> Result<Evaluation, ScanError> {
    let operating_system = baseline.operating_system;
    let family = operating_system.family();
    if !matches!(family, Family::Windows | Family::MacOs) {
        return Err(ScanError::Evaluated { operating_system });
    }
    if State::ALL.into_iter().all(|state| counts.of(state) == 0) {
        return Err(ScanError::NothingScanned);
    }
    for state in State::OPEN {
        let listed = items.iter().filter(|item| item.state == state).count();
        let listed = u32::try_from(listed).unwrap_or(u32::MAX);
        if counts.of(state) != listed {
            return Err(ScanError::Incomplete { state: state.as_str(), counted: counts.of(state), listed });
        }
    }
    let lists = (List::new(family, &baseline.approved), List::new(family, &baseline.rejected));
    let mut patches: Vec<Patch> = items.iter().map(|item| patch(baseline, &lists, item)).collect();
    patches.sort_by(|a, b| (&a.name, &a.arch).cmp(&(&b.name, &b.arch)));
    let mut evaluation = assemble(baseline, context, patches, 0, notes(baseline));
    // The service counts what it does not list.
    evaluation.counts = counts;
    Ok(evaluation)
}

fn patch(baseline: &Baseline, (approved, rejected): &(List, List), item: &PatchItem) -> Patch {
    let named = Named { name: &item.name, arch: &item.arch, version: &item.installed };
    let mut reasons = vec![Reason::from(Why::Scanned)];
    if let Some(hit) = rejected.names(named) {
        let action = baseline.rejected_action;
        reasons.push(Why::Rejected { entry: hit.entry, matched: hit.matched, action }.into());
        if item.state == State::InstalledRejected && action == RejectedAction::Block {
            reasons.push(Why::Blocked.into());
        }
    } else if let Some(hit) = approved.names(named) {
        let level = baseline.approved_level;
        reasons.push(Why::Listed { entry: hit.entry, matched: hit.matched, level }.into());
    }
    reasons.extend(explain(baseline, item).map(|text| Why::ListNote { text }.into()));
    Patch {
        name: item.name.clone(),
        arch: item.arch.clone(),
        installed: item.installed.clone(),
        available: item.available.clone(),
        state: item.state,
        classification: item.classification.clone(),
        severity: item.severity.clone(),
        level: Level::parse(&item.level).unwrap_or(Level::Unspecified),
        installed_at: None,
        advisories: vec![],
        cves: vec![],
        reasons,
    }
}

/// What can be said about a state without the catalogue.
fn explain(baseline: &Baseline, item: &PatchItem) -> Option<String> {
    match item.state {
        State::AvailableSecurityUpdate => Some(format!(
            "it is a security update that no rule approves, or not yet; the baseline counts such updates as {}",
            baseline
                .available_security_updates
                .map_or("neither compliant nor not", super::AvailableSecurityUpdates::as_str)
        )),
        State::Missing | State::Failed | State::Installed => {
            let fitting = fitting(baseline, item);
            (!fitting.is_empty()).then(|| {
                let rules = if fitting.len() == 1 { "rule" } else { "rules" };
                let numbers: Vec<String> = fitting.iter().map(ToString::to_string).collect();
                format!("its classification and severity fit {rules} {}", numbers.join(", "))
            })
        }
        State::NotApplicable => Some("its feature is not there, or it was superseded".to_owned()),
        _ => None,
    }
}

/// Numbers of the rules whose filters on classification and severity the item passes. The product and the date of a
/// Windows update are not in a scan.
fn fitting(baseline: &Baseline, item: &PatchItem) -> Vec<usize> {
    let accepts = |values: &[String], attribute: &str| {
        values.iter().any(|value| value == "*" || value.eq_ignore_ascii_case(attribute))
    };
    let passes = |filter: &super::Filter| match filter.key {
        FilterKey::Classification => accepts(&filter.values, &item.classification),
        FilterKey::MsrcSeverity | FilterKey::Severity => accepts(&filter.values, &item.severity),
        _ => true,
    };
    let rules = baseline.rules.iter().enumerate();
    rules.filter(|(_, rule)| rule.filters.iter().all(passes)).map(|(index, _)| index + 1).collect()
}

fn notes(baseline: &Baseline) -> Vec<String> {
    let mut notes = vec!["the states are the service's own: they were taken over, not evaluated here".to_owned()];
    if baseline.operating_system != OperatingSystem::Windows {
        return notes;
    }
    let long = |rule: &super::Rule| matches!(rule.approval, Approval::AfterDays(days) if days > LONG_DELAY);
    if baseline.rules.iter().any(long) {
        notes.push(format!(
            "a rule waits longer than {LONG_DELAY} days: superseded updates vanish from the catalogue, so neither the old nor \
             the new one may be approved while the node counts as compliant (patch-baselines.md 3.7)"
        ));
    }
    if !baseline.rejected.is_empty() {
        notes
            .push("of bundled updates only the parent's KB id counts in the lists (patch-baselines.md 2.5)".to_owned());
    }
    notes
}

/// Days after which an update may have been superseded before it is approved (patch-baselines.md 3.7).
pub(super) const LONG_DELAY: u16 = 28;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patch::predefined;
    use time::OffsetDateTime;

    fn item(name: &str, state: State) -> PatchItem {
        PatchItem {
            name: name.into(),
            arch: String::new(),
            installed: String::new(),
            available: None,
            state,
            classification: "SecurityUpdates".into(),
            severity: "Critical".into(),
            level: "UNSPECIFIED".into(),
        }
    }

    fn context() -> Context {
        Context::new(OffsetDateTime::UNIX_EPOCH)
    }

    #[test]
    fn states_are_taken_over_and_explained() {
        let mut baseline = predefined("AWS-DefaultPatchBaseline").unwrap();
        baseline.rejected = vec!["KB3".into()];
        baseline.rejected_action = RejectedAction::Block;
        let items = [
            item("KB1", State::Missing),
            item("KB2", State::AvailableSecurityUpdate),
            item("KB3", State::InstalledRejected),
            item("KB4", State::InstalledOther),
        ];
        let counts = Counts {
            missing: 1,
            available_security_update: 1,
            installed_rejected: 1,
            installed_other: 40,
            not_applicable: 7,
            ..Counts::default()
        };
        let evaluation = from_scan(&baseline, &items, counts, &context()).unwrap();
        let states: Vec<State> = evaluation.patches.iter().map(|patch| patch.state).collect();
        assert_eq!(states, items.iter().map(|item| item.state).collect::<Vec<_>>());
        assert_eq!(evaluation.counts, counts);
        assert!(evaluation.patches[0].sentence().contains("fit rule 1"));
        assert!(evaluation.patches[1].sentence().contains("counts such updates as NON_COMPLIANT"));
        assert!(evaluation.patches[2].sentence().contains("rejected by the entry `KB3`"));
        assert!(!evaluation.compliant());
        assert_eq!(evaluation.open.security, 1, "5.3: an available security update is always one");
    }

    #[test]
    fn section_5_3_available_security_updates_count_as_the_baseline_says() {
        let mut baseline = predefined("AWS-DefaultPatchBaseline").unwrap();
        let items = [item("KB2", State::AvailableSecurityUpdate)];
        let counts = Counts { available_security_update: 1, ..Counts::default() };
        let compliant = |baseline: &Baseline| from_scan(baseline, &items, counts, &context()).unwrap().compliant();
        assert!(!compliant(&baseline));
        baseline.available_security_updates = Some(crate::patch::AvailableSecurityUpdates::Compliant);
        assert!(compliant(&baseline));
    }

    #[test]
    fn a_scan_that_looked_at_nothing_or_lists_too_little_is_an_error() {
        let baseline = predefined("AWS-DefaultPatchBaseline").unwrap();
        let scan = |counts| from_scan(&baseline, &[], counts, &context()).unwrap_err();
        assert_eq!(scan(Counts::default()), ScanError::NothingScanned);
        let missing = Counts { missing: 2, ..Counts::default() };
        assert_eq!(scan(missing), ScanError::Incomplete { state: "Missing", counted: 2, listed: 0 });
        let debian = predefined("AWS-DebianDefaultPatchBaseline").unwrap();
        assert!(matches!(from_scan(&debian, &[], missing, &context()), Err(ScanError::Evaluated { .. })));
    }

    #[test]
    fn a_long_delay_on_windows_is_noted() {
        let mut baseline = predefined("AWS-DefaultPatchBaseline").unwrap();
        baseline.rules[0].approval = Approval::AfterDays(29);
        let counts = Counts { installed: 1, ..Counts::default() };
        let evaluation = from_scan(&baseline, &[], counts, &context()).unwrap();
        assert!(evaluation.notes.iter().any(|note| note.contains("3.7")));
    }
}

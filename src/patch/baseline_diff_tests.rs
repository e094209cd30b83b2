use super::*;
use crate::patch::export::tests::some_baseline;
use crate::patch::{FilterKey, Level, RejectedAction, predefined};
use proptest::prelude::*;

fn redhat() -> Baseline {
    predefined("AWS-RedHatDefaultPatchBaseline").unwrap()
}

#[test]
fn names_ids_and_orders_mean_nothing() {
    let mut other = Baseline { name: "other".into(), id: None, ..redhat() };
    other.rules[0].filters.reverse();
    other.rules[0].filters[0].values.reverse();
    other.approved = vec!["a".into(), "b".into()];
    let mut same = other.clone();
    same.approved = vec!["b".into(), "a".into(), "a".into()];
    assert_eq!(baseline_diff(&other, &same).changes, []);
    same.approved.clear();
    other.approved.clear();
    assert!(baseline_diff(&redhat(), &other).is_empty());
}

#[test]
fn everything_that_differs_is_named() {
    let from = redhat();
    let mut to = Baseline { name: "golden".into(), description: Some("ours".into()), ..redhat() };
    to.global_filters.clear();
    to.rules[0].filters[1].values.push("Moderate".into());
    to.rules[0].approval = Approval::AfterDays(3);
    to.rules[0].level = Level::Critical;
    to.rules[1].enable_non_security = true;
    to.rules.push(Rule {
        filters: vec![],
        approval: Approval::UntilDate(time::macros::date!(2026 - 01 - 31)),
        ..to.rules[0].clone()
    });
    to.approved = vec!["bash".into()];
    to.approved_level = Level::High;
    to.approved_non_security = true;
    to.rejected = vec!["kernel*".into()];
    to.rejected_action = RejectedAction::Block;
    to.sources = vec![Source { name: "own".into(), products: vec!["*".into()], configuration: "[own]".into() }];
    let diff = baseline_diff(&from, &to);
    insta::assert_snapshot!(diff.to_text(), @"
    AWS-RedHatDefaultPatchBaseline → golden: 13 differences
      + Description: ours
      - PRODUCT: *
      ~ rule 1, SEVERITY: Critical, Important → Critical, Important, Moderate
      ~ rule 1, Approval: after 7 days → after 3 days
      ~ rule 1, ComplianceLevel: UNSPECIFIED → CRITICAL
      ~ rule 2, EnableNonSecurity: false → true
      + rule 3: everything with an advisory until 2026-01-31
      + ApprovedPatches: bash
      ~ ApprovedPatchesComplianceLevel: UNSPECIFIED → HIGH
      ~ ApprovedPatchesEnableNonSecurity: false → true
      + RejectedPatches: kernel*
      ~ RejectedPatchesAction: ALLOW_AS_DEPENDENCY → BLOCK
      + Sources: own
    ");
    insta::assert_snapshot!(baseline_diff(&to, &from).to_markdown(), @r#"
    golden → AWS-RedHatDefaultPatchBaseline: 13 differences

    | | where | what |
    |---|---|---|
    | removed | Description | ours |
    | added | PRODUCT | \* |
    | changed | rule 1, SEVERITY | Critical, Important, Moderate → Critical, Important |
    | changed | rule 1, Approval | after 3 days → after 7 days |
    | changed | rule 1, ComplianceLevel | CRITICAL → UNSPECIFIED |
    | changed | rule 2, EnableNonSecurity | true → false |
    | removed | rule 3 | everything with an advisory until 2026-01-31 |
    | removed | ApprovedPatches | bash |
    | changed | ApprovedPatchesComplianceLevel | HIGH → UNSPECIFIED |
    | changed | ApprovedPatchesEnableNonSecurity | true → false |
    | removed | RejectedPatches | kernel\* |
    | changed | RejectedPatchesAction | BLOCK → ALLOW\_AS\_DEPENDENCY |
    | removed | Sources | own |
    "#);
    let json = serde_json::to_value(&diff).unwrap();
    assert_eq!(json["schema"], "amiforge.baseline-diff/1");
    assert_eq!(json["changes"][2]["rule"], 1);
    assert_eq!(serde_json::from_value::<BaselineDiff>(json).unwrap(), diff);
}

#[test]
fn a_rule_in_front_is_one_rule_more_and_not_three_changes() {
    let mut to = redhat();
    let first = Rule { level: Level::High, approval: Approval::AfterDays(0), ..to.rules[0].clone() };
    to.rules.insert(0, first);
    let diff = baseline_diff(&redhat(), &to);
    assert_eq!((diff.changes.len(), diff.changes[0].kind, diff.changes[0].rule), (1, ChangeKind::Added, Some(1)));
    let back = baseline_diff(&to, &redhat());
    assert_eq!((back.changes.len(), back.changes[0].kind, back.changes[0].rule), (1, ChangeKind::Removed, Some(1)));
}

#[test]
fn a_delay_that_has_no_effect_is_said_to_have_none() {
    let debian = predefined("AWS-DebianDefaultPatchBaseline").unwrap();
    let mut other = debian.clone();
    other.rules[0].approval = Approval::AfterDays(1);
    let diff = baseline_diff(&debian, &other);
    assert_eq!(diff.changes[0].line(), "~ rule 1, Approval: after 7 days → after 1 day (no effect on this system)");
}

#[test]
fn two_filters_of_one_key_are_not_one_with_all_their_values() {
    let mut one = redhat();
    let filter =
        |values: &[&str]| Filter { key: FilterKey::Severity, values: values.iter().map(ToString::to_string).collect() };
    one.rules[1].filters = vec![filter(&["Low", "Critical"])];
    let mut two = one.clone();
    two.rules[1].filters = vec![filter(&["Low"]), filter(&["Critical"])];
    let diff = baseline_diff(&one, &two);
    assert_eq!(diff.changes[0].to, Some(json!([["Critical"], ["Low"]])));
    assert_eq!(diff.changes[0].text, "Critical, Low → Critical and Low");
}

#[test]
fn nothing_of_a_baseline_moves_the_cursor_or_breaks_a_table() {
    let mut other = redhat();
    other.rejected = vec!["a|b\u{1b}[2J".into()];
    let diff = baseline_diff(&redhat(), &other);
    assert!(!diff.to_text().contains('\u{1b}') && !diff.to_markdown().contains('\u{1b}'));
    assert!(diff.to_markdown().contains("a\\|b"));
}

proptest! {
    #[test]
    fn a_baseline_means_what_it_means(baseline in some_baseline()) {
        prop_assert_eq!(baseline_diff(&baseline, &baseline).changes, vec![]);
    }

    #[test]
    fn it_does_not_matter_who_comes_first(one in some_baseline(), two in some_baseline()) {
        prop_assert_eq!(baseline_diff(&one, &two).is_empty(), baseline_diff(&two, &one).is_empty());
    }

    /// Any one change is seen: the diff says "the same" for nothing else.
    #[test]
    fn no_change_goes_unseen(baseline in some_baseline(), which in 0_usize..8) {
        let mut other = baseline.clone();
        match which {
            0 => other.rules[0].enable_non_security ^= true,
            1 => other.rules[0].level = if other.rules[0].level == Level::Low { Level::High } else { Level::Low },
            2 => other.approved.push("unheard-of".into()),
            3 => other.rejected.push("unheard-of".into()),
            4 => other.rules.push(Rule { filters: vec![Filter { key: FilterKey::Product, values: vec!["unheard-of".into()] }], ..other.rules[0].clone() }),
            5 => other.approved_non_security ^= true,
            6 => other.sources.push(Source { name: "unheard-of".into(), products: vec!["*".into()], configuration: "x".into() }),
            _ => other.global_filters.push(Filter { key: FilterKey::Product, values: vec!["unheard-of".into()] }),
        }
        prop_assert!(!baseline_diff(&baseline, &other).is_empty());
    }
}

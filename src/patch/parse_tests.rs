use super::*;
use crate::patch::evaluate;

/// As `aws ssm get-patch-baseline` prints one.
const JSON: &str = r#"{
    "BaselineId": "pb-0123456789abcdef0",
    "Name": "acme-debian",
    "OperatingSystem": "DEBIAN",
    "GlobalFilters": {"PatchFilters": [{"Key": "PRODUCT", "Values": ["*"]}]},
    "ApprovalRules": {"PatchRules": [{
        "PatchFilterGroup": {"PatchFilters": [{"Key": "PRIORITY", "Values": ["Required", "Important"]}]},
        "ComplianceLevel": "HIGH", "ApproveAfterDays": 7, "EnableNonSecurity": true}]},
    "ApprovedPatches": ["curl"],
    "ApprovedPatchesComplianceLevel": "CRITICAL",
    "ApprovedPatchesEnableNonSecurity": false,
    "RejectedPatches": ["telnet"],
    "RejectedPatchesAction": "BLOCK",
    "PatchGroups": [],
    "CreatedDate": "2026-01-01T00:00:00+00:00",
    "ModifiedDate": 1767225600.0,
    "Description": "ours",
    "Sources": []
}"#;

const YAML: &str = "Name: acme-debian
OperatingSystem: DEBIAN
ApprovalRules:
  PatchRules:
    - PatchFilterGroup:
        PatchFilters:
          - Key: SECTION
            Values: [libs]
      ApproveUntilDate: 2026-01-31
";

fn check(text: &str) -> Parsed {
    check_baseline(&SourceFile::new("baselines/acme.yaml", text))
}

/// Code and place of everything that is said about a text.
fn said(text: &str) -> Vec<String> {
    let said = check(text).diagnostics;
    said.iter()
        .map(|d| format!("{} {}", d.code, d.place().unwrap().trim_start_matches("baselines/acme.yaml:")))
        .collect()
}

#[test]
fn reads_what_the_cli_prints() {
    let Parsed { baseline, diagnostics } = check(JSON);
    assert_eq!(diagnostics, []);
    let baseline = baseline.unwrap();
    assert_eq!((baseline.name.as_str(), baseline.id.as_deref()), ("acme-debian", Some("pb-0123456789abcdef0")));
    assert_eq!(baseline.operating_system, OperatingSystem::Debian);
    assert_eq!(baseline.global_filters, [Filter { key: FilterKey::Product, values: vec!["*".into()] }]);
    assert_eq!(
        baseline.rules,
        [Rule {
            filters: vec![Filter { key: FilterKey::Priority, values: vec!["Required".into(), "Important".into()] }],
            approval: Approval::AfterDays(7),
            level: Level::High,
            enable_non_security: true
        }]
    );
    assert_eq!((baseline.approved_level, baseline.rejected_action), (Level::Critical, RejectedAction::Block));
    assert_eq!((baseline.approved, baseline.rejected), (vec!["curl".to_owned()], vec!["telnet".to_owned()]));
}

#[test]
fn absent_fields_have_the_services_defaults() {
    let baseline = parse_baseline(&SourceFile::new("x", YAML)).unwrap();
    assert_eq!(baseline.rules[0].approval, Approval::UntilDate(time::macros::date!(2026 - 01 - 31)));
    assert_eq!((baseline.rules[0].level, baseline.rules[0].enable_non_security), (Level::Unspecified, false));
    assert_eq!(baseline.rejected_action, RejectedAction::AllowAsDependency);
    assert!(!baseline.approved_non_security && baseline.sources.is_empty() && baseline.id.is_none());
}

#[test]
fn errors_have_a_code_and_a_place() {
    let case = |from: &str, to: &str, expected: &[&str]| {
        assert!(YAML.contains(from), "{from}");
        assert_eq!(said(&YAML.replace(from, to)), expected, "{to}");
    };
    case("ApprovalRules", "ApprovalRule", &["B008 1:1", "B002 3:1"]);
    case("OperatingSystem: DEBIAN\n", "", &["B003 1:1"]);
    case("DEBIAN", "debian", &["B004 2:18"]);
    case("acme-debian", "a b", &["B004 1:7"]);
    case("SECTION", "CLASSIFICATION", &["B005 7:18"]);
    case("SECTION", "SECTON", &["B004 7:18"]);
    case("[libs]", "[]", &["B006 8:21"]);
    case("[libs]", "libs", &["B001 8:21", "B006 8:21"]);
    case("      ApproveUntilDate: 2026-01-31\n", "", &["B007 5:7"]);
    case("ApproveUntilDate: 2026-01-31", "ApproveUntilDate: 2026-02-31", &["B004 9:25"]);
    case("ApproveUntilDate: 2026-01-31", "ApproveAfterDays: 361", &["B004 9:25"]);
    case("ApproveUntilDate: 2026-01-31", "ApproveAfterDays: \"7\"", &["B004 9:25"]);
    case("ApproveUntilDate", "EnableNonSecurity: yes\n      ApproveUntilDate", &["B001 9:26"]);
    case("ApproveUntilDate", "ApproveAfterDays: 1\n      ApproveUntilDate", &["B007 5:7"]);
    assert_eq!(said("- a\n"), ["B001 1:1"]);
    assert!(said("Name: [\n")[0].starts_with('Y'));
    assert!(parse_baseline(&SourceFile::new("x", "{}")).is_err());
}

#[test]
fn near_misses_get_a_suggestion() {
    let help = |text: &str| check(text).diagnostics[0].help.clone();
    assert_eq!(
        help(&YAML.replace("OperatingSystem", "OperatingSytem"))[0],
        "add for example `OperatingSystem: DEBIAN`"
    );
    assert_eq!(help(&YAML.replace("PatchFilters", "PatchFilter"))[0], "did you mean `PatchFilters`?");
    assert_eq!(help(&YAML.replace("DEBIAN", "DEBAIN"))[0], "did you mean `DEBIAN`?");
    let warned = check(&YAML.replace("SECTION", "PRIORITY").replace("libs", "Optionel"));
    assert_eq!(warned.diagnostics[0].help[0], "did you mean `Optional`?");
    assert!(warned.baseline.is_some(), "an unknown value is a warning");
}

#[test]
fn limits_of_the_service_are_errors() {
    let long = |count: usize| (0..count).map(|i| format!("p{i}")).collect::<Vec<_>>().join(", ");
    assert_eq!(said(&format!("{YAML}ApprovedPatches: [{}]\n", long(51))), ["B006 10:18"]);
    assert_eq!(
        said(&format!("{YAML}RejectedPatches: [\"\", {}]\n", "x".repeat(101))).len(),
        3,
        "one empty and so no name, one too long"
    );
    assert_eq!(said(&YAML.replace("libs", &long(21))), ["B006 8:21"]);
    let filter = "{Key: PRODUCT, Values: ['*']}, ".repeat(5);
    assert_eq!(said(&format!("{YAML}GlobalFilters: {{PatchFilters: [{filter}]}}\n")), ["B006 10:16"]);
}

#[test]
fn entries_that_do_nothing_are_warned_about() {
    assert_eq!(said(&format!("{YAML}ApprovedPatches: [curl]\nRejectedPatches: [curl]\n")), ["B010 10:19"]);
    assert_eq!(said(&format!("{YAML}RejectedPatches: [CVE-2026-1, lib*, g++]\n")), ["B010 10:19", "B010 10:31"]);
    assert_eq!(said(&YAML.replace("libs", "'lib*'")), ["B009 8:22"]);
    assert_eq!(said(&format!("{YAML}AvailableSecurityUpdatesComplianceStatus: COMPLIANT\n")), ["B005 10:1"]);
}

#[test]
fn sources_and_descriptions_have_their_limits() {
    let with = |source: &str| said(&format!("{YAML}Sources:\n  - {source}\n"));
    assert_eq!(with("{Name: own, Products: ['*'], Configuration: x}"), [] as [&str; 0]);
    assert_eq!(with("{Name: a b c, Products: ['*'], Configuration: x}"), ["B004 11:12"]);
    assert_eq!(with("{Name: own, Configuration: x}"), ["B006 11:5"]);
    assert_eq!(with(&format!("{{Name: own, Products: ['*'], Configuration: {}}}", "x".repeat(1025))), ["B006 11:49"]);
    assert_eq!(said(&format!("{YAML}Description: ''\n")), ["B006 10:14"]);
}

#[test]
fn names_of_other_systems_are_checked_too() {
    let rpm =
        YAML.replace("DEBIAN", "AMAZON_LINUX_2023").replace("SECTION", "CLASSIFICATION").replace("libs", "Security");
    assert_eq!(
        said(&format!("{rpm}ApprovedPatches: [CVE-2026-12345, dbus*]\nRejectedPatches: [CVE-2026-12345]\n")),
        ["B010 10:19", "B010 11:19"]
    );
    let windows = rpm.replace("AMAZON_LINUX_2023", "WINDOWS").replace("Security", "SecurityUpdates");
    assert_eq!(said(&windows.replace("ApproveUntilDate: 2026-01-31", "ApproveAfterDays: 29")), ["B013 9:25"]);
    assert_eq!(said(&format!("{windows}ApprovedPatches: [KB123, bash]\n")), ["B010 10:26"]);
    assert_eq!(said(&format!("{windows}Sources: []\n")), [] as [&str; 0], "the service answers an empty list");
    assert_eq!(said(&format!("{windows}Sources: [{{Name: own, Products: ['*'], Configuration: x}}]\n")), ["B005 10:1"]);
}

#[test]
fn what_create_takes_beside_the_definition_is_passed_over() {
    let text = format!("{YAML}ClientToken: abc\nTags: [{{Key: a, Value: b}}]\n");
    assert_eq!(said(&text), [] as [&str; 0]);
}

#[test]
fn a_baseline_with_sources_of_its_own_is_read_but_not_evaluated_here() {
    let text =
        format!("{YAML}Sources:\n  - {{Name: own, Products: ['*'], Configuration: 'deb http://example.org x main'}}\n");
    let baseline = check(&text).baseline.unwrap();
    assert_eq!(baseline.sources.len(), 1);
    let image = crate::patch::Inventory { os_id: "debian".into(), ..Default::default() };
    let error = evaluate(&baseline, &image, &crate::patch::Context::new(time::OffsetDateTime::UNIX_EPOCH)).unwrap_err();
    assert!(error.to_string().contains("replaces the package sources"), "{error}");
}

#[test]
fn the_catalogue_has_every_code_once() {
    let codes: Vec<_> = crate::patch::ENTRIES.iter().map(|entry| entry.code).collect();
    assert_eq!(codes, (1..=14).map(|n| format!("B{n:03}")).collect::<Vec<_>>());
    assert!(crate::patch::ENTRIES.iter().all(|entry| entry.explanation.len() > 80));
}

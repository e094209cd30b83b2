//! Tables of what must be reported, and what must not.

use crate::component::rules::expressions::tests::reported;

/// The codes reported about a condition.
fn found(condition: &str) -> Vec<String> {
    let head = "parameters: [{ Given: { type: string } }]\n";
    let step = format!("- {{ name: Run, action: Reboot, if: {{ {condition} }} }}");
    reported('C', head, &step).into_iter().map(|found| found[..4].to_owned()).collect()
}

const GIVEN: &str = "value: '{{ Given }}'";

#[test]
fn comparisons_that_never_change() {
    for (condition, expected) in [
        ("stringEquals: a, value: b", "C003"),
        ("stringEquals: '', value: ''", "C003"),
        ("patternMatches: a, value: b", "C003"),
        ("numberEquals: 1, value: 1", "C003"),
        ("numberEquals: 1, value: '1'", "C003"),
        ("stringIsEmpty: a", "C003"),
        ("stringIsWhitespace: ' '", "C003"),
        ("and: [{ stringEquals: a, value: b }, { fileExists: /a }]", "C003"),
        // More specific.
        ("numberEquals: 1, value: one", "C005"),
        ("numberEquals: 1, value: ''", "C005"),
        ("numberEquals: 1, value: ' 1'", "C005"),
        ("numberEquals: 1, value: '.5'", "C005"),
        ("patternMatches: '(', value: b", "C006"),
    ] {
        assert_eq!(found(condition), [expected], "{condition}");
    }
    for condition in [
        "stringEquals: a, value: '{{ Given }}'",
        "numberEquals: 1, value: '{{ Given }}'",
        "numberEquals: 1, value: '-{{ Given }}.0'",
        "patternMatches: a, value: 'x {{ Given }}'",
        "binaryExists: curl",
        "fileExists: /a",
        "folderExists: /a",
        "fileMD5Equals: d41d8cd98f00b204e9800998ecf8427e, path: /a",
    ] {
        assert!(found(condition).is_empty(), "{condition}: {:?}", found(condition));
    }
    // A faulty expression is not taken for literal text.
    assert!(found("stringEquals: a, value: '{{ .X }}'").is_empty());
    assert!(found("numberEquals: 1, value: '{{ .X }}'").is_empty());
}

#[test]
fn letter_case_is_reported_where_it_is_spelled_out() {
    for condition in [
        "stringLessThan: b",
        "stringLessThanEquals: b",
        "stringGreaterThan: b",
        "stringGreaterThanEquals: 1.2.3-rc1",
        "patternMatches: '[a-z]'",
        "patternMatches: '^[A-Z0-9]+$'",
        "patternMatches: '[[:upper:]]'",
        "patternMatches: '(?i:a)[a-z]'",
    ] {
        assert_eq!(found(&format!("{condition}, {GIVEN}")), ["C004"], "{condition}");
    }
    for condition in [
        "stringEquals: Linux",
        "stringGreaterThan: '22.04'",
        "patternMatches: '^ubuntu'",
        "patternMatches: '(?i)[a-z]'",
        "patternMatches: '[a-zA-Z]'",
        "patternMatches: '[A-Za-z0-9_.-]+'",
        r"patternMatches: '^\w+\d$'",
        "patternMatches: '[Yy]es'",
    ] {
        let condition = format!("{condition}, {GIVEN}");
        assert!(found(&condition).is_empty(), "{condition}: {:?}", found(&condition));
    }
    let two = |one: &str, other: &str, value: &str| {
        found(&format!("or: [{{ stringEquals: {one}, {GIVEN} }}, {{ stringEquals: {other}, value: '{value}' }}]"))
    };
    assert_eq!(two("Linux", "linux", "{{ Given }}"), ["C004"]);
    assert!(two("linux", "linux", "{{ Given }}").is_empty());
    assert!(two("linux", "darwin", "{{ Given }}").is_empty());
    assert!(two("Linux", "linux", "{{ context:osName }}").is_empty());
}

#[test]
fn branches_that_are_alike() {
    for (branches, expected) in [
        ("then: Skip", true),
        ("else: Execute", true),
        ("then: Skip, else: Skip", true),
        ("then: Execute, else: Execute", true),
        ("then: Abort, else: Abort", true),
        ("then: Execute", false),
        ("else: Skip", false),
        ("then: Abort", false),
        ("then: Abort, else: Execute", false),
        ("then: Execute, else: Abort", false),
    ] {
        let wanted: &[&str] = if expected { &["C007"] } else { &[] };
        assert_eq!(found(&format!("fileExists: /a, {branches}")), wanted, "{branches}");
    }
    assert!(found("fileExists: /a").is_empty());
}

#[test]
fn patterns_with_expressions_are_left_to_the_run() {
    assert_eq!(found(&format!("patternMatches: 'a(?=b)', {GIVEN}")), ["C006"]);
    assert!(found(&format!("patternMatches: '({{{{ Given }}}}', {GIVEN}")).is_empty());
    assert!(found(&format!(r"patternMatches: '\Q(\E|[[:alpha:]]|\pL', {GIVEN}")).is_empty());
}

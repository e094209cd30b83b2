use super::*;
use crate::diagnostic::{SourceFile, render};
use crate::yaml::{self, Kind, Node, Style};
use proptest::prelude::*;
use regex_lite::Regex;
use serde_json::json;
use std::sync::LazyLock;

/// What plain scalars are in YAML 1.1, in the order in which they are tried: the patterns of the type repository of the
/// specification, of `PyYAML` and of Ruby, whichever takes more. What none of them takes is text.
static RESOLVED: LazyLock<Vec<(&str, Regex)>> = LazyLock::new(|| {
    [
        ("null", r"^(~|null|Null|NULL|)$"),
        ("true", r"^(y|Y|yes|Yes|YES|true|True|TRUE|on|On|ON)$"),
        ("false", r"^(n|N|no|No|NO|false|False|FALSE|off|Off|OFF)$"),
        ("integer", r"^[-+]?(0|[1-9][0-9_,]*)$"),
        ("other integer", r"^[-+]?(0b[01_]+|0o?[0-7_,]+|0x[0-9a-fA-F_,]+|[0-9][0-9_]*(:[0-5]?[0-9])+)$"),
        ("float", r"^[-+]?[0-9][0-9_]*\.[0-9_]*([eE][-+][0-9]+)?$"),
        ("other float", r"^[-+]?(\.[0-9][0-9_]*([eE][-+]?[0-9]+)?|[0-9][0-9_,]*(\.[0-9_]*)?([eE][-+]?[0-9]+)?|[0-9][0-9_]*(:[0-5]?[0-9])+\.[0-9_]*|\.(inf|Inf|INF))$"),
        ("not a number", r"^\.(nan|NaN|NAN)$"),
        ("date", r"^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(([Tt]|[ \t]+)[0-9]{1,2}:.*)?$"),
        ("merge or value", r"^(<<|=)$"),
    ]
    .map(|(kind, pattern)| (kind, Regex::new(pattern).unwrap()))
    .into()
});

fn resolved(text: &str) -> &'static str {
    RESOLVED.iter().find(|(_, pattern)| pattern.is_match(text)).map_or("text", |(kind, _)| kind)
}

/// The number of a text. JSON's own reader may miss floats by a hair.
fn number(text: &str) -> Value {
    let whole = || text.parse().map(|number: u64| json!(number));
    let integer = text.parse().map(|number: i64| json!(number)).or_else(|_| whole());
    integer.unwrap_or_else(|_| json!(text.parse::<f64>().unwrap()))
}

/// A tree as a reader of YAML 1.1 understands its scalars.
fn old(node: &Node) -> Value {
    match &node.kind {
        Kind::Sequence(items) => items.iter().map(old).collect(),
        Kind::Mapping(entries) => {
            let key = |key: &Node| match old(key) {
                Value::String(text) => text,
                other => panic!("{other} is no key"),
            };
            Value::Object(entries.iter().map(|(name, value)| (key(name), old(value))).collect())
        }
        Kind::Scalar(scalar) if scalar.style != Style::Plain => Value::String(scalar.text.clone()),
        Kind::Scalar(scalar) => match resolved(&scalar.text) {
            "text" => Value::String(scalar.text.clone()),
            "null" => Value::Null,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "integer" | "float" => number(&scalar.text),
            other => panic!("`{}` is {other} to some reader", scalar.text),
        },
    }
}

/// A tree as YAML 1.2 understands it, with our own readings.
fn new(node: &Node) -> Value {
    match &node.kind {
        Kind::Sequence(items) => items.iter().map(new).collect(),
        Kind::Mapping(entries) => {
            Value::Object(entries.iter().map(|(name, value)| (name.as_str().unwrap().to_owned(), new(value))).collect())
        }
        Kind::Scalar(scalar) if !node.is_typed() => Value::String(scalar.text.clone()),
        Kind::Scalar(_) if node.is_null() => Value::Null,
        Kind::Scalar(scalar) => node.as_bool().map_or_else(|| number(&scalar.text), Value::Bool),
    }
}

/// Every reader gives back what was written.
fn survives(value: &Value) -> Result<(), TestCaseError> {
    let text = emit(value);
    prop_assert!(text.ends_with('\n'), "{text}");
    let source = SourceFile::new("t.yaml", text.as_str());
    let root = match yaml::parse(&source) {
        Ok(root) => root,
        Err(faults) => return Err(TestCaseError::fail(format!("{text}\n{}", render::text(&faults, false)))),
    };
    prop_assert_eq!(&new(&root), value, "our own reader\n{}", text);
    prop_assert_eq!(&old(&root), value, "a reader of YAML 1.1\n{}", text);
    let read: Value = serde_yaml::from_str(&text).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
    prop_assert_eq!(&read, value, "serde\n{}", text);
    Ok(())
}

#[test]
fn a_document_reads_well() {
    let value = json!({
        "schemaVersion": "1.0",
        "name": "Install it",
        "parameters": [],
        "nested": [[1, [2]], [], {}, { "a": { "b": null } }],
        "phases": [{
            "name": "build",
            "steps": [{
                "action": "ExecuteBash",
                "timeoutSeconds": -1,
                "disableLogging": false,
                "inputs": { "commands": ["set -euo pipefail\n\n\techo \"{{ Version }}\" # shown\n", "echo a\necho b", "x\n\n"] },
            }],
        }],
        "no": "yes",
        "a: b": "{{ build.Step.outputs.stdout }}",
    });
    insta::assert_snapshot!(emit(&value), @r#"
    "a: b": "{{ build.Step.outputs.stdout }}"
    name: Install it
    nested:
      - - 1
        - - 2
      - []
      - {}
      - a:
          b: null
    "no": "yes"
    parameters: []
    phases:
      - name: build
        steps:
          - action: ExecuteBash
            disableLogging: false
            inputs:
              commands:
                - |
                  set -euo pipefail

                  	echo "{{ Version }}" # shown
                - |-
                  echo a
                  echo b
                - |+
                  x

            timeoutSeconds: -1
    schemaVersion: "1.0"
    "#);
    survives(&value).unwrap();
}

#[test]
fn what_is_plain_and_what_is_not() {
    for text in [
        "a",
        "Install it",
        "/opt/thing",
        "http://localhost:80/x",
        "a#b",
        "a:b",
        "$HOME/bin",
        "é",
        "it's",
        "a, b",
        "s3://bucket/key",
        "a \"b\"",
        "debian-12",
        "x86_64",
        "7zip-full",
        "m7i.large",
        "_x",
        "don't: not".trim_end_matches(": not"),
    ] {
        assert_eq!(emit(&json!(text)), format!("{text}\n"));
    }
    for text in [
        "",
        " ",
        "~",
        "null",
        "Null",
        "NULL",
        "yes",
        "No",
        "on",
        "OFF",
        "y",
        "N",
        "True",
        "<<",
        "=",
        "1",
        "0644",
        "0o17",
        "0x1F",
        "0b1",
        "1_000",
        "1.0",
        "1e3",
        "1.5e-3",
        ".5",
        ".inf",
        ".NaN",
        "-1",
        "+1",
        "12:30",
        "12:30:45.5",
        "2026-01-31",
        "2026-01-31T10:00:00Z",
        "2026-01-31 10:00:00 +1",
        "- a",
        "-",
        "--flag",
        "?",
        "? a",
        ":",
        ": a",
        "a:",
        "a: b",
        "a #b",
        "#a",
        "@a",
        "`a",
        "%a",
        "&a",
        "*a",
        "!a",
        "|",
        ">",
        "'a'",
        "\"a\"",
        "[a]",
        "{a}",
        "{{ X }}",
        "x {{ Y }}",
        "a ",
        " a",
        "a\tb",
        "...",
        "--- a",
        "... a",
        ",a",
        "\u{a0}a",
        "a\u{85}b",
        "a\u{2028}b",
        "\u{feff}a",
        "a\u{200b}b",
        "\0",
        "\u{1b}[0m",
        "a\rb",
        "\n",
        "\n\n",
        " a\nb\n",
        "\ta\nb",
        "a\nb ",
        "a\r\nb\r\n",
        "\u{10ffff}",
    ] {
        assert!(emit(&json!(text)).starts_with('"'), "{text:?} is written as {}", emit(&json!(text)));
    }
    for (text, header) in [
        ("a\nb\n", "|\n"),
        ("a\nb", "|-\n"),
        ("a\nb\n\n", "|+\n"),
        ("a\n", "|\n"),
        ("\na\n b\n", "|\n"),
        ("a\n\tb\n", "|\n"),
        ("a\n \nb", "|-\n"),
    ] {
        assert!(emit(&json!(text)).starts_with(header), "{text:?} is written as {}", emit(&json!(text)));
    }
}

#[test]
fn numbers_are_the_same_to_all() {
    for value in [
        json!(0),
        json!(-7),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(0.0),
        json!(-0.5),
        json!(1e16),
        json!(1e100),
        json!(1.5e-7),
        json!(f64::MAX),
        json!(f64::MIN_POSITIVE),
    ] {
        survives(&json!([value])).unwrap();
    }
    assert_eq!(emit(&json!(1e100)), "1.0e+100\n");
    assert_eq!(emit(&json!(1.5e-7)), "1.5e-7\n");
}

#[test]
fn long_keys_and_deep_values_survive() {
    for length in [999, 1_000, 1_001, 1_024, 1_025, 5_000] {
        let key = "k".repeat(length);
        survives(&json!({ &key: { &key: [1, { &key: "a\nb\n" }], "x": key }, "b": [] })).unwrap();
        survives(&json!({ "\u{1}".repeat(length): null })).unwrap();
    }
    let deep =
        (0..60).fold(
            json!("x"),
            |inner, depth| if depth % 2 == 0 { json!([inner, 1]) } else { json!({ "k": inner, "z": {} }) },
        );
    survives(&deep).unwrap();
}

/// Texts of which many mean something in YAML.
fn text() -> impl Strategy<Value = String> {
    let pieces = vec![
        "a",
        "B",
        "é",
        "0",
        "1",
        "7",
        "8",
        "9",
        ".",
        "-",
        "+",
        "_",
        ":",
        ": ",
        " #",
        "#",
        "\n",
        "\n\n",
        " ",
        "  ",
        "\t",
        "e",
        "x",
        "o",
        "y",
        "no",
        "true",
        "null",
        "~",
        "<<",
        "=",
        ".inf",
        ".nan",
        "2026-01-31",
        "12:30",
        "T",
        "Z",
        "{{",
        "}}",
        "{",
        "}",
        "[",
        "]",
        ",",
        "&",
        "*",
        "!",
        "|",
        ">",
        "'",
        "\"",
        "\\",
        "%",
        "@",
        "`",
        "?",
        "---",
        "...",
        "\r",
        "\0",
        "\u{7f}",
        "\u{85}",
        "\u{a0}",
        "\u{2028}",
        "\u{feff}",
        "\u{fffe}",
        "\u{1f600}",
        "\u{200b}",
    ];
    prop_oneof![
        prop::collection::vec(prop::sample::select(pieces), 0..8).prop_map(|parts| parts.concat()),
        "[-+.0-9_:eExobTZ ]{1,12}",
        "[a-zA-Z]{1,6}",
        "(?s).{0,20}",
    ]
}

/// Any value. Floats are those that JSON has.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::num::f64::NORMAL.prop_map(Value::from),
        text().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(text(), inner, 0..5)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, ..ProptestConfig::default() })]

    #[test]
    fn every_text_survives(text in text()) {
        survives(&json!(text))?;
        survives(&json!({ text.clone(): [text.clone(), { "k": text }] }))?;
    }

    #[test]
    fn every_value_survives(value in value()) {
        survives(&value)?;
    }
}

//! What `yaml::emit` writes is read by `PyYAML`, an independent reader of YAML 1.1, as what it was.

#![expect(clippy::unwrap_used, reason = "a test may end where something is missing")]

use amiforge::yaml;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Reads pairs of a value and its YAML, one a line, and prints those that differ. Types count: 1, 1.0 and true are three
/// things, though Python takes them for equal.
const COMPARE: &str = r#"
import json, sys, yaml
loaders = [yaml.SafeLoader] + ([yaml.CSafeLoader] if yaml.__with_libyaml__ else [])
def same(a, b):
    if type(a) is not type(b): return False
    if isinstance(a, dict): return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list): return len(a) == len(b) and all(map(same, a, b))
    return a == b
count = 0
for line in sys.stdin.buffer:
    value, text = json.loads(line)
    count += 1
    for loader in loaders:
        try: read = yaml.load(text, Loader=loader)
        except yaml.YAMLError as error: read = error
        if not same(read, value): print(f"{loader.__name__} {value!r}\n{text!r}\n{read!r}\n")
print(count, "compared")
"#;

/// The Python that `scripts/test-prerequisites` makes; it has `PyYAML`.
fn python() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let python = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(target).join("aws-cli/bin/python");
    assert!(
        python.exists(),
        "this test needs Python with PyYAML: run scripts/test-prerequisites with the same CARGO_TARGET_DIR, or `make test`"
    );
    python
}

fn text() -> impl Strategy<Value = String> {
    let pieces = vec![
        "a",
        "B",
        "é",
        "0",
        "1",
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
        "\t",
        "e",
        "x",
        "o",
        "y",
        "no",
        "True",
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
        "[-+.0-9_:,eExobTZ ]{1,12}",
        "[a-zA-Z]{1,6}",
        "(?s).{0,20}",
        // Scripts, as they stand in components.
        "(set -eu\n)?([ \t]{0,3}[a-z#: ]{0,9}\n){1,6}",
    ]
}

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

/// Values by chance, the same each time, and those in which chance may never hit.
fn values() -> Vec<Value> {
    let mut runner = TestRunner::deterministic();
    let strategy = value();
    let mut values: Vec<Value> = (0..4_000).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect();
    for length in [999, 1_000, 1_001, 1_024, 1_025, 5_000] {
        values.push(json!({ "k".repeat(length): { "é".repeat(length): ["a\nb\n"] }, "b": null }));
    }
    values.push(json!([0.0, 1e16, 1e100, 1.5e-7, f64::MAX, f64::MIN_POSITIVE, u64::MAX, i64::MIN]));
    values.extend(
        ["y", "NO", "on", "1_0", "0b1", "1:30", "0o17", "017", "0x1f", "1e3", "2026-1-1", "="].map(Value::from),
    );
    values
}

#[test]
fn pyyaml_reads_what_was_written() {
    let mut child = Command::new(python())
        .args(["-c", COMPARE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    let values = values();
    let lines: String = values.iter().map(|value| json!([value, yaml::emit(value)]).to_string() + "\n").collect();
    let mut input = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{}", output.status);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{} compared\n", values.len()));
}

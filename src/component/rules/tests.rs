//! Whatever a file holds, its check ends, and says where it found what it found.

use super::subject::Target;
use super::{Role, check};
use crate::component;
use crate::component::modules::Platform;
use crate::diagnostic::{Diagnostic, SourceFile, render};
use proptest::prelude::*;

fn target() -> Target {
    Target {
        platform: Some(Platform::Linux),
        os: Some("amazon-linux-2023".into()),
        role: Some(Role::Build),
        inline: true,
        old_awstoe: true,
        accounts: vec!["111122223333".into()],
        ..Target::default()
    }
}

/// Checks a text and everything that was said about it.
fn checked(text: &str) -> Vec<Diagnostic> {
    let source = SourceFile::new("c.yaml", text);
    let parsed = component::parse(&source);
    let found = check(&source, &parsed, &target());
    for diagnostic in &found {
        let labels = diagnostic.primary.iter().chain(&diagnostic.secondary);
        assert!(diagnostic.primary.is_some(), "{diagnostic:?}");
        for label in labels {
            assert!(
                label.span.start <= label.span.end && text.get(label.span.start..label.span.end).is_some(),
                "{diagnostic:?}"
            );
        }
        let mut edits: Vec<_> = diagnostic.fix.iter().flat_map(|fix| &fix.edits).map(|edit| edit.span).collect();
        edits.sort_by_key(|span| (span.start, span.end));
        assert!(edits.iter().all(|span| text.get(span.start..span.end).is_some()), "{diagnostic:?}");
        assert!(edits.windows(2).all(|pair| pair[0].end <= pair[1].start), "{diagnostic:?}");
        assert!(!diagnostic.message.is_empty(), "{diagnostic:?}");
    }
    assert!(parsed.document.is_some() || !found.is_empty());
    found
}

fn codes(text: &str) -> Vec<&'static str> {
    checked(text).iter().map(|found| found.code).collect()
}

/// A document of one phase with these steps.
fn steps(steps: &str) -> String {
    format!("name: a\ndescription: b\nschemaVersion: 1.0\nphases:\n- name: build\n  steps:\n{steps}")
}

const BIG: usize = 10_000_000;

#[test]
fn bombs_of_aliases_are_refused_and_not_followed() {
    let level = |level: usize| {
        let list = vec![format!("*a{}", level - 1); 9].join(", ");
        format!("a{level}: &a{level} [{list}]\n")
    };
    let text: Vec<String> = (1..40).map(level).collect();
    assert!(codes(&format!("a0: &a0 [x, x, x]\n{}", text.concat())).contains(&"D021"));
}

#[test]
fn depth_is_limited() {
    for (open, close) in [("[", "]"), ("{a: ", "}"), ("- ", "")] {
        for depth in [254, 255, 256, 300, 20_000] {
            let text = format!("{}x{}\n", open.repeat(depth), close.repeat(depth));
            assert!(!codes(&text).is_empty());
        }
    }
    let conditions = format!(
        "  - {{ name: One, action: Reboot, if: {}{{ fileExists: /a }}{} }}\n",
        "{ not: ".repeat(200),
        " }".repeat(200)
    );
    assert!(codes(&steps(&conditions)).contains(&"C001"));
}

#[test]
fn long_lines_end() {
    for text in [
        "x".repeat(BIG),
        "#".repeat(BIG),
        format!("# {}", "# ".repeat(BIG / 2)),
        format!("description: {}\n", "y ".repeat(BIG / 2)),
        format!("description: \"{}\n", "\\n".repeat(BIG / 2)),
        "\t".repeat(BIG / 10),
        "\r".repeat(BIG / 10),
    ] {
        let source = SourceFile::new("c.yaml", text);
        let found = check(&source, &component::parse(&source), &target());
        assert!(found.iter().any(|found| found.code == "D010"));
    }
}

#[test]
fn expressions_that_never_close_are_read_once() {
    let braces = steps(&format!(
        "  - {{ name: One, action: ExecuteBash, inputs: {{ commands: ['{}'] }} }}\n",
        "{".repeat(BIG / 10)
    ));
    assert!(codes(&braces).contains(&"X008"));
}

#[test]
fn many_of_everything_is_no_reason_to_compare_each_with_each() {
    let many = |count: usize, line: &dyn Fn(usize) -> String| (0..count).map(line).collect::<Vec<_>>().concat();
    // Duplicate keys, unknown keys, names, steps with findings, comments.
    let twice = many(100_000, &|at| format!("k{}: 1\n", at % 50_000));
    assert!(codes(&twice).contains(&"D001"));
    let parameters = many(5_000, &|at| format!("- Name{at}: {{ type: string }}\n"));
    assert!(codes(&format!("schemaVersion: 1.0\nparameters:\n{parameters}phases: []\n")).contains(&"D014"));
    let nested = many(5_000, &|at| {
        format!("  - {{ name: Step{at}, action: ExecuteDocument, timeoutSeconds: \"5\", onFailure: Ignore }} # x\n")
    });
    assert!(codes(&steps(&nested)).contains(&"S009"));
    let chained = many(5_000, &|at| {
        format!(
            "  - {{ name: Step{at}, action: ReadFile, inputs: [{{ path: '{{{{ build.Step{}.outputs[0].content }}}}' }}] }}\n",
            at / 2
        )
    });
    assert!(!codes(&steps(&chained)).contains(&"X001"));
    let slips = many(1_000, &|at| {
        format!(
            "  - {{ name: Step{at}, action: ReadFile, inputs: [{{ path: '{{{{ build.Pets{at}.outputs.a }}}}{{{{ Nmae{at} }}}}' }}] }}\n"
        )
    });
    assert!(codes(&steps(&slips)).contains(&"X001"));
}

#[test]
fn odd_bytes_have_a_place() {
    let text = steps("  - { name: One, action: UpdateOS, timeoutSeconds: 60 }\n");
    for (odd, expected) in [
        (text.replace("name: a", "name: a\0"), "D001"),
        (text.replace('\n', "\r\n"), "D015"),
        (text.replace('\n', "\r"), "D015"),
        (format!("\u{feff}{text}"), "D015"),
        (text.replace("description: b", "description: 'b\u{7f}'"), "D001"),
        (text.replace("description: b", "description: b\u{2028}c"), "D015"),
        (text.replace("description: b", "description: 'b\u{feff}'"), "D015"),
        (String::new(), "D001"),
        ("\u{feff}".into(), "D001"),
        ("---\n---\n---\n".into(), "D001"),
        ("%YAML 9.9\n---\na: b\n".into(), "D001"),
    ] {
        let found = codes(&odd);
        assert!(found.contains(&expected), "{odd:?}: {found:?}");
    }
}

const WORDS: &[&str] = &[
    "name: build\n",
    "schemaVersion: 1.0\n",
    "schemaVersion: \"1\"\n",
    "phases:\n",
    "- name: build\n",
    "  steps:\n",
    "  - name: One\n",
    "    action: ExecuteBash\n",
    "    action: CreateFile\n",
    "    action: ExecuteDocument\n",
    "    action: Assert\n",
    "    action: UpdateOS\n",
    "    inputs:\n",
    "    inputs: []\n",
    "      commands:\n",
    "      - |\n        set -e\n\t\techo\n",
    "      commands: |\n        x\n",
    "      - path: *x\n",
    "        content: 0777\n",
    "    timeoutSeconds: -1\n",
    "    timeoutSeconds: \"010\"\n",
    "    onFailure: Ignore\n",
    "    onFailure:\n",
    "    maxAttempts: yes\n",
    "    if:\n      not:\n",
    "    loop: { forEach: [1, b] }\n",
    "parameters:\n",
    "- Abc: { type: string }\n",
    "- a: {}\n",
    "constants: []\n",
    "disableLogging: on\n",
    "&a ",
    "!!str ",
    "<<: {}\n",
    "{{ X }}",
    "{{",
    "}}",
    "\t",
    "\r\n",
    "\u{feff}",
    "\u{2028}",
    "---\n",
    "# c\n",
    "\n",
    "  ",
    "'",
    "\"",
    "é",
    "\0",
    "[",
    "]",
    "{",
    "}",
    ": ",
    "- ",
    "~",
    "2026-07-28\n",
    "1_0\n",
];

proptest! {
    #[test]
    fn any_bytes_can_be_checked(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        let found = checked(&String::from_utf8_lossy(&bytes));
        render::text(&found, false);
    }

    #[test]
    fn anything_like_a_document_can_be_checked(words in prop::collection::vec(prop::sample::select(WORDS), 0..40), head in any::<bool>()) {
        let text = words.concat();
        let found = checked(&if head { steps(&text) } else { text });
        render::text(&found, false);
    }

    #[test]
    fn a_document_with_a_slip_can_be_checked(at in 0usize..2_000, slip in prop::sample::select(WORDS), gone in 0usize..12) {
        let good = include_str!("../../../tests/valid/everything.yaml");
        let start = good.floor_char_boundary(at % good.len());
        let end = good.ceil_char_boundary((start + gone).min(good.len()));
        let found = checked(&format!("{}{slip}{}", &good[..start], &good[end..]));
        render::text(&found, false);
    }
}

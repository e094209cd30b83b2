//! What a rule says to a script, for tests.

use crate::component;
use crate::component::rules::{self, Target};
use crate::diagnostic::{Diagnostic, SourceFile};

/// What a rule reports about a document whose only step runs the script, which is the list item of a literal block.
pub fn findings(id: &str, action: &str, extra: &str, script: &str) -> Vec<Diagnostic> {
    let body = script.lines().map(|line| format!("              {line}\n")).collect::<Vec<_>>().concat();
    let text = format!(
        "{extra}schemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - name: Run\n        action: {action}\n        \
         inputs:\n          commands:\n            - |\n{body}"
    );
    in_document(id, &text)
}

/// What a rule reports about a document.
pub fn in_document(id: &str, text: &str) -> Vec<Diagnostic> {
    let source = SourceFile::new("t.yaml", text);
    let parsed = component::parse(&source);
    assert!(parsed.readable.is_some(), "{:?}", parsed.diagnostics);
    let found = rules::check(&source, &parsed, &Target::default());
    found.into_iter().filter(|one| one.code == id).collect()
}

/// The text at the place of a finding.
pub fn place(one: &Diagnostic) -> String {
    one.primary.as_ref().map(|label| label.source.slice(label.span).to_owned()).unwrap_or_default()
}

/// The places at which a rule reports something about a bash script.
pub fn bash(id: &str, script: &str) -> Vec<String> {
    findings(id, "ExecuteBash", "", script).iter().map(place).collect()
}

/// The same of a PowerShell script.
pub fn powershell(id: &str, script: &str) -> Vec<String> {
    findings(id, "ExecutePowerShell", "", script).iter().map(place).collect()
}

/// The file after the fix of a finding was applied; only the script.
pub fn mended(one: &Diagnostic) -> Option<String> {
    let fix = one.fix.as_ref()?;
    let mut text = one.primary.as_ref()?.source.text.clone();
    let mut edits = fix.edits.clone();
    edits.sort_by_key(|edit| std::cmp::Reverse(edit.span.start));
    for edit in edits {
        text.replace_range(edit.span.start..edit.span.end, &edit.text);
    }
    let (_, script) = text.split_once("            - |\n")?;
    Some(script.lines().map(str::trim_start).collect::<Vec<_>>().join("\n"))
}

mod any_script {
    use super::*;
    use proptest::prelude::*;

    const PIECES: &[&str] = &[
        "set -e\n",
        "exit 194",
        "exit 3010",
        "curl x",
        " | ",
        "sh",
        "{{ Name }}",
        "{{ loop.value }}",
        "\"",
        "'",
        "$(",
        ")",
        "; ",
        " && ",
        " || ",
        "apt-get install a",
        "f() { ",
        " }\n",
        "f\n",
        "if ",
        "; then ",
        "; fi\n",
        "[ -e a ]",
        "é",
        "<<E\n",
        "\nE\n",
        "x=",
        "`",
        "sudo ",
        "-y ",
        "iwr x",
        "iex ",
        "$ErrorActionPreference = 'Stop'\n",
        "Copy-Item a b\n",
        "reboot",
        "yes",
        "=~ ",
        "[[ ",
        " ]]",
        "\n",
        "choco install a",
        "-o a ",
        "bash ",
        "*",
        "\\",
        "#",
    ];

    proptest! {
        #[test]
        fn every_script_can_be_looked_at_and_every_edit_lies_in_the_file(
            pieces in prop::collection::vec(0..PIECES.len(), 1..24), bash in any::<bool>(), block in any::<bool>(), cut in 0usize..24,
        ) {
            let script: String = pieces.iter().map(|piece| PIECES[*piece]).collect();
            let cut = script.floor_char_boundary(cut.min(script.len()));
            let (first, second) = script.split_at(cut);
            let action = if bash { "ExecuteBash" } else { "ExecutePowerShell" };
            let items = if block {
                let line = |line: &str| format!("              {line}\n");
                format!("\n            - |\n              :\n{}", script.lines().map(line).collect::<Vec<_>>().concat())
            } else {
                format!(" [{}, {}]\n", serde_json::to_string(first).unwrap(), serde_json::to_string(second).unwrap())
            };
            let text = format!(
                "schemaVersion: 1.0\nparameters: [{{Name: {{type: string}}}}]\nphases:\n  - name: build\n    steps:\n      - name: Run\n        \
                 action: {action}\n        loop: {{forEach: [a, b c]}}\n        inputs:\n          commands:{items}"
            );
            let source = SourceFile::new("t.yaml", text);
            let found = rules::check(&source, &component::parse(&source), &Target::default());
            for edit in found.iter().filter_map(|one| one.fix.as_ref()).flat_map(|fix| &fix.edits) {
                prop_assert!(source.text.get(edit.span.start..edit.span.end).is_some(), "{edit:?}");
            }
        }
    }
}

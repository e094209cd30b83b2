//! What a rule says to a script, for tests.

use super::facts::{Facts, scripts};
use crate::component;
use crate::component::rules::files::testing::in_document;
use crate::component::rules::subject::Subject;
use crate::component::rules::{Target, check};
use crate::diagnostic::SourceFile;

const HEAD: &str = "schemaVersion: 1.0\nparameters: [{Given: {type: string, default: given}}]\nconstants: [{Folder: {type: string, value: /opt/app}}]\nphases:\n";

/// A document with one step that runs a script.
pub fn document(phase: &str, action: &str, attempts: u32, script: &str) -> String {
    let indent = "              ";
    let lines = script.replace('\n', &format!("\n{indent}"));
    format!(
        "{HEAD}  - name: {phase}\n    steps:\n      - name: Run\n        action: {action}\n        maxAttempts: {attempts}\n        inputs:\n          commands:\n            - |\n{indent}{lines}\n"
    )
}

/// What a rule reports about a script of phase `build`, as the text at each place.
pub fn bash(id: &str, script: &str) -> Vec<String> {
    in_document(id, &Target::default(), &document("build", "ExecuteBash", 1, script))
}

/// The same in another phase, or with another number of attempts.
pub fn bash_in(id: &str, phase: &str, attempts: u32, script: &str) -> Vec<String> {
    in_document(id, &Target::default(), &document(phase, "ExecuteBash", attempts, script))
}

/// The same for PowerShell.
pub fn powershell(id: &str, phase: &str, attempts: u32, script: &str) -> Vec<String> {
    in_document(id, &Target::default(), &document(phase, "ExecutePowerShell", attempts, script))
}

/// The messages of a rule about a whole document.
pub fn messages(id: &str, text: &str) -> Vec<String> {
    let source = SourceFile::new("t.yaml", text);
    let found = check(&source, &component::parse(&source), &Target::default());
    found.into_iter().filter(|one| one.code == id).map(|one| one.message).collect()
}

/// A document after the first fix of a rule was applied to it.
pub fn mended(id: &str, text: &str) -> Option<String> {
    let source = SourceFile::new("t.yaml", text);
    let found = check(&source, &component::parse(&source), &Target::default());
    let fix = found.into_iter().find(|one| one.code == id)?.fix?;
    let mut out = text.to_owned();
    for edit in fix.edits.iter().rev() {
        out.replace_range(edit.span.start..edit.span.end, &edit.text);
    }
    Some(out)
}

/// Asks something of a script of phase `build`.
pub fn with_script<T>(script: &str, ask: impl Fn(&Facts<'_, '_>) -> T) -> T {
    let source = SourceFile::new("t.yaml", document("build", "ExecuteBash", 1, script));
    let parsed = component::parse(&source);
    let target = Target::default();
    let (root, document) = (parsed.root.as_ref().unwrap(), parsed.readable.as_ref().unwrap());
    let subject = Subject::new(&source, root, document, true, &[], &target);
    let facts = scripts(&subject).next().unwrap();
    ask(&facts)
}

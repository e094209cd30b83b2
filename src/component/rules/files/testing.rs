//! What a rule says to a few steps, for tests.

use crate::component;
use crate::component::rules::{self, Target};
use crate::diagnostic::SourceFile;

/// The places at which a rule reports something about the steps of phase `build`, one step a line, as the text there.
pub fn places(id: &str, target: &Target, steps: &[&str]) -> Vec<String> {
    let steps = steps.join("\n      - ");
    in_document(id, target, &format!("schemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - {steps}\n"))
}

/// The same for a whole document.
pub fn in_document(id: &str, target: &Target, text: &str) -> Vec<String> {
    let source = SourceFile::new("t.yaml", text);
    let parsed = component::parse(&source);
    assert!(parsed.readable.is_some(), "{:?}", parsed.diagnostics);
    let found = rules::check(&source, &parsed, target);
    found.iter().filter(|one| one.code == id).map(|one| source.slice(one.span()).to_owned()).collect()
}

//! What the service needs to know of a component document: its type and its parameters.

use crate::component::{self, Document};
use crate::diagnostic::{Diagnostic, Severity, SourceFile};

/// Reads a document as the service's validator does.
///
/// # Errors
/// Everything that is wrong with it, each with its line.
pub(super) fn read(data: &str) -> Result<Document, Vec<String>> {
    let parsed = component::parse(&SourceFile::new("data", data));
    let errors: Vec<String> =
        parsed.diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).map(sentence).collect();
    match parsed.document {
        Some(document) if errors.is_empty() => Ok(document),
        _ if errors.is_empty() => Err(vec!["The document cannot be read.".to_owned()]),
        _ => Err(errors),
    }
}

fn sentence(diagnostic: &Diagnostic) -> String {
    match &diagnostic.primary {
        Some(label) => {
            let (line, column) = label.source.line_column(label.span.start);
            format!("{} (line {line}, column {column}).", diagnostic.message.trim_end_matches('.'))
        }
        None => diagnostic.message.clone(),
    }
}

/// `BUILD` or `TEST`: a document whose only phase is `test` makes a test component.
pub(super) fn kind(document: &Document) -> &'static str {
    if document.only_test() { "TEST" } else { "BUILD" }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: &str = "steps: [{ name: Say, action: ExecuteBash, inputs: { commands: [\"true\"] } }]";

    fn document(phases: &[&str]) -> String {
        let phases: Vec<String> = phases.iter().map(|name| format!("  - name: {name}\n    {STEPS}\n")).collect();
        format!("name: a\nschemaVersion: 1.0\nphases:\n{}", phases.concat())
    }

    #[test]
    fn the_phases_make_the_kind() {
        let kind = |phases: &[&str]| kind(&read(&document(phases)).unwrap());
        assert_eq!(kind(&["test"]), "TEST");
        assert_eq!(kind(&["build", "test"]), "BUILD");
        assert_eq!(kind(&["validate"]), "BUILD");
    }

    #[test]
    fn errors_have_their_place() {
        let data = document(&["build"]).replace("ExecuteBash", "ExecuteBush");
        let errors = read(&data).unwrap_err();
        assert!(errors[0].contains("(line 5, column "), "{errors:?}");
        assert!(read("a: [").is_err());
        assert!(read("").is_err());
    }
}

//! What is found in documents inside of other files is told where the user wrote it.
//!
//! Each file in tests/embedded/ has the same document with the same faults, in another form; the snapshot beside it is
//! what the user sees.

#![expect(clippy::unwrap_used, reason = "a test may end where something is missing")]

use amiforge::component::{self, rules};
use amiforge::diagnostic::{Diagnostic, Severity, SourceFile, render};
use amiforge::lint::embedded::{self, Embedded, Extraction, Kind};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The faults of the document, each with the word that is underlined.
const FAULTS: &[(&str, &str)] =
    &[("D007", "Install agent"), ("D004", "timeoutSecond"), ("X001", "{{ Absent }}"), ("S001", "DeleteFlie")];

/// The forms, each with whether the document stands there byte for byte, its indentation aside.
const FORMS: &[(&str, Kind, bool)] = &[
    ("block.yaml", Kind::CloudFormation, true),
    ("sub.yaml", Kind::CloudFormation, true),
    ("sub-list.yaml", Kind::CloudFormation, true),
    ("one-line.json", Kind::CloudFormation, false),
    ("quoted.yaml", Kind::CloudFormation, false),
    ("heredoc.tf", Kind::Terraform, true),
    ("heredoc-indented.tf", Kind::Terraform, true),
    ("quoted.tf", Kind::Terraform, false),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/embedded")
}

fn read(name: &str) -> (Arc<SourceFile>, Extraction) {
    let source = SourceFile::new(name, fs::read_to_string(folder().join(name)).unwrap());
    let extraction = embedded::extract(&source);
    (source, extraction)
}

/// The document of a file and the errors in it, in places of the document. Advice has tests of its own.
fn check(extraction: &Extraction) -> (&Embedded, Vec<Diagnostic>) {
    let [embedded] = extraction.documents.as_slice() else { panic!("one document was expected") };
    let parsed = component::parse(&embedded.document);
    let target = rules::Target { platform: embedded.platform, inline: embedded.inline, ..rules::Target::default() };
    let mut found = rules::check(&embedded.document, &parsed, &target);
    found.retain(|finding| finding.severity == Severity::Error);
    (embedded, found)
}

fn snapshot(name: &str, text: &str) {
    insta::with_settings!({
        snapshot_path => folder(),
        prepend_module_to_snapshot => false,
        omit_expression => true,
    }, {
        insta::assert_snapshot!(name.replace('.', "-"), text);
    });
}

#[test]
fn what_is_underlined_is_the_offending_word_of_the_file() {
    for (name, kind, _) in FORMS {
        let (source, extraction) = read(name);
        assert_eq!((extraction.kind, extraction.documents.len()), (*kind, 1), "{name}");
        assert!(extraction.diagnostics.is_empty(), "{name}");
        let (embedded, inner) = check(&extraction);
        let outer = embedded.report(inner);
        let underlined: Vec<(&str, &str)> = outer
            .iter()
            .map(|found| {
                let label = found.primary.as_ref().unwrap();
                assert!(Arc::ptr_eq(&label.source, &source), "{name}");
                (found.code, label.source.slice(label.span))
            })
            .collect();
        assert_eq!(underlined, FAULTS, "{name}");
        snapshot(name, &render::text(&outer, false));
    }
}

#[test]
fn where_the_text_is_verbatim_every_label_shows_it() {
    for (name, ..) in FORMS.iter().filter(|(_, _, verbatim)| *verbatim) {
        let (_, extraction) = read(name);
        let (embedded, found) = check(&extraction);
        assert!(!found.is_empty(), "{name}");
        for inner in found {
            let outer = embedded.map.relocate(inner.clone());
            let first_lines = |found: &Diagnostic| {
                let labels = found.primary.iter().chain(&found.secondary);
                labels.map(|label| label.source.slice(label.span).lines().next().map(str::to_owned)).collect::<Vec<_>>()
            };
            assert_eq!(first_lines(&inner), first_lines(&outer), "{name}");
        }
    }
}

#[test]
fn what_cannot_be_looked_at_is_said() {
    for name in ["unseen.yaml", "unseen.tf"] {
        let (_, extraction) = read(name);
        assert!(extraction.documents.is_empty(), "{name}");
        snapshot(name, &render::text(&extraction.diagnostics, false));
    }
}

#[test]
fn every_file_of_the_folder_is_checked() {
    for entry in fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy();
        let snapshot = path.extension().is_some_and(|ending| ending == "snap");
        let known = snapshot || name.starts_with("unseen.") || FORMS.iter().any(|(form, ..)| *form == name);
        assert!(known, "{name} belongs to no test");
    }
}

//! Documents that AWS accepts are not refused, whatever they look like, and together they use all there is to use.

#![expect(clippy::unwrap_used, reason = "a test may end where something is missing")]

use amiforge::component::condition::{Branch, Condition, OPERATORS};
use amiforge::component::expression::{CONTEXT_KEYS, Expression, Template};
use amiforge::component::model::{OnFailure, Value};
use amiforge::component::modules::{ENCODINGS, MODULES, Type};
use amiforge::component::repeat::{DELIMITERS, Over};
use amiforge::component::rules::{self, Target};
use amiforge::component::{self, Document, Step};
use amiforge::diagnostic::{Severity, SourceFile, render};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/valid");
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn source(path: &Path) -> Arc<SourceFile> {
    SourceFile::new(path.file_name().unwrap().to_string_lossy(), fs::read_to_string(path).unwrap())
}

fn documents() -> Vec<Document> {
    let parsed = files().into_iter().map(|path| component::parse(&source(&path)));
    parsed.map(|parsed| parsed.document.expect("told by the other test")).collect()
}

fn steps(documents: &[Document]) -> Vec<&Step> {
    documents.iter().flat_map(Document::steps).map(|(_, step)| step).collect()
}

#[test]
fn nothing_that_works_is_refused() {
    assert!(files().len() >= 25);
    let mut refused = String::new();
    for path in files() {
        let source = source(&path);
        let parsed = component::parse(&source);
        let mut errors = rules::check(&source, &parsed, &Target::default());
        errors.retain(|found| found.severity == Severity::Error);
        refused.push_str(&render::text(&errors, false));
        if parsed.document.is_none() && errors.is_empty() {
            refused.push_str(&source.name);
            refused.push_str(": no document, and nothing says why\n");
        }
    }
    assert!(refused.is_empty(), "\n{refused}");
}

#[test]
fn a_large_document_is_taken_through_s3() {
    let comment = format!("# {}\n", "x".repeat(60));
    let text = fs::read_to_string(files().first().unwrap()).unwrap() + &comment.repeat(900);
    assert!((16_001..65_536).contains(&text.len()));
    let source = SourceFile::new("large.yaml", text);
    let found = rules::check(&source, &component::parse(&source), &Target::default());
    assert!(found.iter().all(|found| found.severity != Severity::Error), "{}", render::text(&found, false));
}

/// What of `wanted` is in none of the documents.
fn missing<'a>(wanted: impl IntoIterator<Item = &'a str>, used: &BTreeSet<String>) -> Vec<&'a str> {
    wanted.into_iter().filter(|name| !used.contains(*name)).collect()
}

#[test]
fn all_modules_with_all_their_inputs_are_used() {
    let documents = documents();
    let mut used = BTreeSet::new();
    for step in steps(&documents) {
        used.insert(step.module.name.to_owned());
        for field in step.inputs.iter().flat_map(|item| &item.fields) {
            used.insert(format!("{}.{}", step.module.name, field.name));
        }
    }
    let inputs = MODULES
        .iter()
        .flat_map(|module| module.inputs.iter().map(move |input| format!("{}.{}", module.name, input.name)));
    let wanted: Vec<String> = MODULES.iter().map(|module| module.name.to_owned()).chain(inputs).collect();
    assert_eq!(missing(wanted.iter().map(String::as_str), &used), [""; 0]);
}

#[test]
fn all_words_that_inputs_take_are_used() {
    let documents = documents();
    let mut used = BTreeSet::new();
    for step in steps(&documents) {
        for field in step.inputs.iter().flat_map(|item| &item.fields) {
            if let Value::Text(text) = &field.value {
                used.insert(text.text().to_owned());
            }
        }
    }
    let kinds = MODULES.iter().flat_map(|module| module.inputs).map(|input| input.kind);
    let words: Vec<&str> =
        kinds.flat_map(|kind| if let Type::OneOf(words) = kind { words } else { &[] }).copied().collect();
    assert_eq!(missing(words.into_iter().chain(ENCODINGS.iter().copied()), &used), [""; 0]);
}

fn operators(condition: &Condition, into: &mut BTreeSet<String>) {
    match condition {
        Condition::And(all, _) | Condition::Or(all, _) => {
            into.insert(if matches!(condition, Condition::And(..)) { "and" } else { "or" }.to_owned());
            for inner in all {
                operators(inner, into);
            }
        }
        Condition::Not(inner, _) => {
            into.insert("not".to_owned());
            operators(inner, into);
        }
        Condition::Test(test) => {
            into.insert(test.operator.name.to_owned());
        }
    }
}

#[test]
fn all_operators_and_branches_are_used() {
    let documents = documents();
    let (mut used, mut branches, mut failures) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for step in steps(&documents) {
        let asked = step.branching.iter().map(|branching| &branching.condition).chain(&step.assertion);
        asked.for_each(|condition| operators(condition, &mut used));
        for (branch, _) in step.branching.iter().flat_map(|branching| branching.then.iter().chain(&branching.otherwise))
        {
            branches.insert(format!("{branch:?}"));
        }
        failures.insert(format!("{:?}", step.on_failure));
    }
    assert_eq!(missing(OPERATORS.iter().map(|operator| operator.name), &used), [""; 0]);
    assert_eq!(missing(Branch::NAMES, &branches), [""; 0]);
    assert_eq!(missing(OnFailure::NAMES, &failures), [""; 0]);
}

#[test]
fn all_kinds_of_loops_and_expressions_are_used() {
    let documents = documents();
    let (mut loops, mut expressions) = (BTreeSet::new(), BTreeSet::new());
    for step in steps(&documents) {
        loops.extend(step.repeat.iter().flat_map(|repeat| &repeat.over).map(|over| match over {
            Over::Range { step, .. } => if *step < 0 { "down" } else { "up" }.to_owned(),
            Over::Items(_) => "items".to_owned(),
            Over::Split { delimiter, .. } => delimiter.clone(),
        }));
        expressions.extend(step.templates().into_iter().flat_map(Template::expressions).map(|(expression, _)| {
            match expression {
                Expression::Name(_) => "name".to_owned(),
                Expression::Chain(chain) => format!("{} {}", chain.side.word(), chain.index.is_some()),
                Expression::Loop { name, field } => {
                    format!("{} {field}", if name == "loop" { "loop" } else { "named" })
                }
                Expression::Ssm(_) => "ssm".to_owned(),
                Expression::Imds(_) => "imds".to_owned(),
                Expression::Environment(_) => "env".to_owned(),
                Expression::Context(key) => key.clone(),
            }
        }));
    }
    assert_eq!(missing(DELIMITERS.into_iter().chain(["up", "down", "items"]), &loops), [""; 0]);
    let kinds = [
        "name",
        "inputs true",
        "inputs false",
        "outputs true",
        "outputs false",
        "loop index",
        "loop value",
        "named index",
        "named value",
        "ssm",
        "imds",
        "env",
    ];
    assert_eq!(missing(kinds.into_iter().chain(CONTEXT_KEYS.iter().copied()), &expressions), [""; 0]);
}

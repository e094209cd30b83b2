//! Component documents.

use crate::mutate::{self, Mutant};
use crate::{Schema, as_editor, report};
use amiforge::component;
use amiforge::component::condition::{OPERATORS, Operands};
use amiforge::component::model::OnFailure;
use amiforge::component::modules::{ENCODINGS, Input, MODULES, Module, Rule, Shape, Type};
use amiforge::component::repeat::DELIMITERS;
use amiforge::diagnostic::{Diagnostic, Severity, SourceFile};
use amiforge::{project, render};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

static SCHEMA: LazyLock<Schema> = LazyLock::new(|| Schema::new(&component::schema()));

/// Rules about the form of a document, which a schema can express whole.
const FORM: &[&str] = &[
    "C001", "C002", "D002", "D003", "D004", "D005", "D006", "D007", "D011", "D012", "D020", "L001", "L002", "L003",
    "M007", "S001", "S003", "S004", "S005", "S006", "S007", "S008", "S010", "S011", "X007",
];

/// What of these rules needs two places at once, by words of the message.
const BEYOND: &[&str] = &["declared twice", "there are two", "never reaches"];

/// Where the parser looks no further, and the schema may find more; and how a value is written, which only the parser sees:
/// `yes` without quotes is a boolean to some readers and accepted with a warning, in quotes it is refused.
const UNREAD: [&str; 3] =
    ["declared twice", "is true or false, but this is written as", "is a number, but some readers take this for text"];

fn is_of_form(diagnostic: &Diagnostic) -> bool {
    diagnostic.severity == Severity::Error
        && FORM.contains(&diagnostic.code)
        && !BEYOND.iter().any(|words| diagnostic.message.contains(words))
}

/// What the parser and the schema say differently about a document, given as the parser and as an editor sees it.
fn disagreement(name: &str, text: &str, seen: &Value) -> Option<String> {
    let found = component::parse(&SourceFile::new(name, text)).diagnostics;
    let refusals: Vec<String> = found
        .iter()
        .filter(|found| is_of_form(found))
        .map(|found| format!("  parser {} {}", found.code, found.message))
        .collect();
    match (refusals.is_empty(), SCHEMA.accepts(seen)) {
        (true, false) if found.iter().any(|found| UNREAD.iter().any(|words| found.message.contains(words))) => None,
        (true, true) | (false, false) => None,
        (true, false) => Some(format!("{name}: only the schema refuses it\n{}\n{text}", SCHEMA.refusals(seen))),
        (false, true) => Some(format!("{name}: only the parser refuses it\n{}\n{text}", refusals.join("\n"))),
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return vec![] };
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .filter(|path| matches!(path.extension().and_then(|ending| ending.to_str()), Some("yaml" | "yml" | "json")))
        .collect();
    found.sort();
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn what_the_repository_ships_is_accepted() {
    let project = project::load(root()).unwrap();
    let rendered = project.recipes.values().flat_map(|recipe| {
        recipe.architectures.iter().flat_map(|arch| render::recipe(&project, recipe, *arch).unwrap().components)
    });
    let plain = project.components.values().filter(|component| !component.template);
    let documents: Vec<Arc<SourceFile>> = rendered
        .map(|component| component.document)
        .chain(plain.map(|component| Arc::clone(&component.source)))
        .collect();
    assert!(documents.len() > 20);
    for document in documents {
        let seen = as_editor(&document.text).unwrap();
        assert!(SCHEMA.accepts(&seen), "{}\n{}", document.name, SCHEMA.refusals(&seen));
    }
}

#[test]
fn both_agree_on_all_fixtures() {
    let (mut checked, mut disagreements) = (0, vec![]);
    for path in files(&root().join("tests/rules")).into_iter().chain(files(&root().join("tests/valid"))) {
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        let text = std::fs::read(&path).unwrap();
        let Ok(text) = String::from_utf8(text) else { continue };
        // What is not valid YAML is seen by neither.
        if let (Some(seen), true) = (as_editor(&text), amiforge::yaml::parse(&SourceFile::new("f", &*text)).is_ok()) {
            checked += 1;
            disagreements.extend(disagreement(&name, &text, &seen));
        }
    }
    assert!(checked > 1, "no fixture was found");
    report(&disagreements);
}

/// A value for an input, and further ones that are as good.
fn values(input: &Input) -> Vec<Value> {
    match input.kind {
        Type::Text => vec![json!("/some/text"), json!("{{ Version }}"), json!(12), json!(false)],
        Type::Texts => vec![json!(["one", "{{ Version }}", 3])],
        Type::Boolean => vec![json!(true), json!(false)],
        Type::BooleanText => vec![json!(true), json!("false"), json!("true")],
        Type::Count => vec![json!(0), json!(30)],
        Type::OneOf(words) => words.iter().map(|word| json!(word)).chain([json!("{{ Version }}")]).collect(),
        Type::Encoding => {
            let upper = ENCODINGS.iter().map(|word| json!(word.to_uppercase()));
            ENCODINGS.iter().map(|word| json!(word)).chain(upper).chain([json!("{{ Version }}")]).collect()
        }
        Type::Permissions => ["0644", "777", "07777", "0o755", "1777", "{{ Version }}"]
            .map(Value::from)
            .into_iter()
            .chain([644.into()])
            .collect(),
        Type::Properties => vec![json!({ "KEY": "value", "OTHER": 1 }), json!({})],
        Type::Parameters => vec![json!([{ "name": "One", "value": "{{ Version }}" }]), json!([])],
        Type::Registry => vec![json!("text"), json!(1), json!(["a", "b"])],
    }
}

/// Inputs of a module, each key with the first of its values; keys of which one is enough are given one by one.
fn inputs(module: &Module) -> Vec<Map<String, Value>> {
    let all: Map<String, Value> =
        module.inputs.iter().map(|input| (input.name.to_owned(), values(input).swap_remove(0))).collect();
    let mut sets = vec![all];
    for rule in module.rules {
        let Rule::ExactlyOne(keys) = rule else { continue };
        let without = |kept: &str| {
            let others = |name: &String| name == kept || !keys.contains(&name.as_str());
            sets[0].clone().into_iter().filter(|(name, _)| others(name)).collect()
        };
        sets = keys.iter().map(|key| without(key)).collect();
    }
    sets
}

fn document(step: &Value) -> Value {
    json!({
        "schemaVersion": "1.0",
        "parameters": [{ "Version": { "type": "string", "default": "1" } }],
        "phases": [{ "name": "build", "steps": [step] }],
    })
}

fn step(module: &Module, inputs: &Value) -> Value {
    let mut step = json!({ "name": "Step", "action": module.name, "inputs": inputs });
    if module.has_timeout() {
        step["timeoutSeconds"] = json!(60);
    }
    step
}

fn shaped(module: &Module, item: Map<String, Value>) -> Value {
    match module.shape {
        Shape::List => json!([item]),
        Shape::Map => Value::Object(item),
        Shape::Condition => json!({ "stringEquals": "a", "value": "{{ Version }}" }),
    }
}

/// A condition with every operator in it.
fn condition() -> Value {
    let tests: Vec<Value> = OPERATORS
        .iter()
        .filter_map(|operator| {
            let operand = match operator.operands {
                Operands::Many | Operands::One => return None,
                Operands::Text | Operands::Texts | Operands::Pattern => json!("text"),
                Operands::Numbers => json!("1.5"),
                Operands::Hash(digits) => json!("0a".repeat(digits / 2)),
            };
            let mut test = json!({ operator.name: operand });
            if let Some(beside) = operator.operands.beside() {
                test[beside] = json!("{{ Version }}");
            }
            Some(test)
        })
        .collect();
    json!({ "and": [{ "or": tests }, { "not": [{ "fileExists": "/a" }] }, { "not": { "and": [{ "fileExists": "/a" }] } }] })
}

/// Documents in which everything occurs.
static FULL: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let mut documents = vec![];
    for module in MODULES {
        for item in inputs(module) {
            documents.push(document(&step(module, &shaped(module, item))));
        }
    }
    let mut branching = condition();
    branching["then"] = json!("Skip");
    branching["else"] = json!("Execute");
    let bash = json!({ "commands": ["true"] });
    for over in [
        json!({ "name": "each", "forEach": ["a", "{{ Version }}"] }),
        json!({ "forEach": { "list": "a b", "delimiter": " " } }),
        json!({ "name": "count", "for": { "start": 0, "end": 4, "updateBy": 2 } }),
    ] {
        documents.push(document(&json!({ "name": "Step", "action": "ExecuteBash", "loop": over, "inputs": bash })));
    }
    documents.push(document(&json!({ "name": "Step", "action": "Reboot", "if": branching })));
    documents.push(document(&json!({ "name": "Step", "action": "Assert", "inputs": condition() })));
    documents.push(json!({
        "name": "Full", "description": "Everything", "schemaVersion": 1.0, "disableLogging": false,
        "parameters": [{ "Version": { "type": "string", "default": "1", "description": "Which" } }, { "Other": { "type": "string" } }],
        "constants": [{ "Folder": { "type": "string", "value": "/opt" } }],
        "phases": [
            { "name": "build", "disableLogging": true, "steps": [{
                "name": "Step", "action": "ExecuteBash", "timeoutSeconds": -1, "onFailure": "Ignore", "maxAttempts": 3,
                "disableLogging": true, "inputs": { "commands": ["echo {{ Version }} {{ Folder }}"] },
            }] },
            { "name": "test", "steps": [{ "name": "Step", "action": "UpdateOS" }, { "name": "Other", "action": "Reboot" }] },
        ],
    }));
    documents
});

fn check(what: &str, document: &Value) -> Option<String> {
    // JSON is YAML; the text of each number is the one an editor would see.
    disagreement(what, &document.to_string(), document)
}

#[test]
fn full_documents_are_accepted_by_both() {
    for full in &*FULL {
        let parsed = component::parse(&SourceFile::new("full", full.to_string()));
        let refused = parsed.diagnostics.iter().find(|found| found.severity == Severity::Error);
        assert!(refused.is_none(), "{full}: {refused:?}");
        assert!(SCHEMA.accepts(full), "{full}\n{}", SCHEMA.refusals(full));
    }
    assert!(FULL.len() > MODULES.len());
}

#[test]
fn every_value_of_every_input_is_accepted_by_both() {
    let mut disagreements = vec![];
    for module in MODULES {
        for item in inputs(module) {
            for (name, value) in
                module.inputs.iter().flat_map(|input| values(input).into_iter().map(|value| (input.name, value)))
            {
                if item.contains_key(name) {
                    let mut item = item.clone();
                    item.insert(name.to_owned(), value);
                    let document = document(&step(module, &shaped(module, item)));
                    disagreements.extend(check(module.name, &document));
                    if !SCHEMA.accepts(&document) {
                        disagreements.push(format!("{document} is refused\n{}", SCHEMA.refusals(&document)));
                    }
                }
            }
        }
    }
    for word in OnFailure::NAMES {
        disagreements.extend(check(word, &document(&json!({ "name": "Step", "action": "Reboot", "onFailure": word }))));
    }
    for delimiter in DELIMITERS.into_iter().chain(["\\n", "\\t", "\\r", "|", "ab"]) {
        let repeat = json!({ "forEach": { "list": "a b", "delimiter": delimiter } });
        disagreements
            .extend(check(delimiter, &document(&json!({ "name": "Step", "action": "Reboot", "loop": repeat }))));
    }
    report(&disagreements);
}

/// What a schema cannot see: a number instead of permission bits has lost how it was written.
fn is_blind(mutant: &Mutant) -> bool {
    mutant.path.ends_with("permissions") && mutant.now.is_i64()
}

#[test]
fn both_agree_when_anything_is_changed() {
    let (mut accepted, mut refused, mut disagreements) = (0, 0, vec![]);
    for (at, full) in FULL.iter().enumerate() {
        // The last one has all there is around a step; of the others the step is enough.
        let last = at + 1 == FULL.len();
        let matters = |mutant: &&Mutant| !is_blind(mutant) && (last || mutant.path.starts_with("phases.0.steps.0."));
        for mutant in mutate::all(full).iter().filter(matters) {
            *(if SCHEMA.accepts(&mutant.document) { &mut accepted } else { &mut refused }) += 1;
            disagreements.extend(check(&mutant.what, &mutant.document));
        }
    }
    assert!(accepted > 1_000 && refused > 10_000, "{accepted} accepted, {refused} refused");
    report(&disagreements);
}

#[test]
fn conditions_may_be_nested_four_levels_deep_for_both() {
    let nested = |depth: usize, operator: &str| {
        (0..depth).fold(json!({ "fileExists": "/a" }), |inner, _| {
            if operator == "not" { json!({ operator: inner }) } else { json!({ operator: [inner] }) }
        })
    };
    for (depth, operator) in (0..7).flat_map(|depth| ["and", "or", "not"].map(|operator| (depth, operator))) {
        for (key, action) in [("if", "Reboot"), ("inputs", "Assert")] {
            let document = document(&json!({ "name": "Step", "action": action, key: nested(depth, operator) }));
            report(&Vec::from_iter(check("nesting", &document)));
            assert_eq!(SCHEMA.accepts(&document), depth <= 4, "{depth} times {operator} below {key}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn both_agree_when_several_things_are_changed(
        which in any::<Index>(), changes in prop::collection::vec(any::<(Index, Index)>(), 2..5)
    ) {
        let mut document = which.get(&FULL).clone();
        for (place, change) in changes {
            let mutant = mutate::one(&document, place, change);
            if !is_blind(&mutant) {
                document = mutant.document;
            }
        }
        prop_assert_eq!(check("several changes", &document), None);
    }
}

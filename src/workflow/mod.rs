//! Workflow documents, read as the service's validator does (image-builder.md sections 13 and 14).

mod actions;

use self::actions::Action;
use crate::diagnostic::SourceFile;
use crate::yaml::{self, Kind, Node, Style};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Most parameters and outputs of a document.
const MAX_PARAMETERS: usize = 25;
/// Most steps of a document.
const MAX_STEPS: usize = 15;
/// Levels of a condition.
const MAX_DEPTH: usize = 4;

/// A workflow document.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WorkflowDocument {
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) steps: Vec<Step>,
    /// Names and references.
    pub(crate) outputs: Vec<(String, String)>,
}

/// A parameter of a workflow.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    /// `string`, `integer`, `boolean` or `stringList`.
    pub(crate) kind: String,
    pub(crate) default: Option<Value>,
    pub(crate) description: Option<String>,
}

impl Parameter {
    /// A value of the API as the document means it; none when it does not fit the type.
    pub(crate) fn typed(&self, values: &[&str]) -> Option<Value> {
        match (self.kind.as_str(), values) {
            ("stringList", items) => Some(json!(items)),
            ("integer", [one]) => one.parse::<i64>().ok().map(|number| json!(number)),
            ("boolean", [one]) => one.parse::<bool>().ok().map(|flag| json!(flag)),
            ("string", [one]) => Some(json!(one)),
            _ => None,
        }
    }
}

/// A step of a workflow.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) action: String,
    /// `if`, as written.
    pub(crate) condition: Option<Value>,
    pub(crate) inputs: Value,
    /// `Abort` or `Continue`.
    pub(crate) on_failure: String,
    pub(crate) timeout_seconds: u64,
    pub(crate) wait_seconds: u64,
    pub(crate) description: String,
}

/// Reads a document of a workflow of that type (`BUILD`, `TEST`, `DISTRIBUTION`).
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn read(data: &str, kind: &str) -> Result<WorkflowDocument, Vec<String>> {
    let node = yaml::parse(&SourceFile::new("data", data))
        .map_err(|found| found.into_iter().map(|one| one.message.clone()).collect::<Vec<_>>())?;
    let document = plain(&node);
    let mut wrong = Vec::new();
    let known = ["name", "description", "schemaVersion", "parameters", "steps", "outputs"];
    keys(&document, "the document", &known, &mut wrong);
    if document.get("schemaVersion").and_then(Value::as_f64).is_none_or(|version| (version - 1.0).abs() > 0.0) {
        wrong.push("schemaVersion must be 1.0.".to_owned());
    }
    let parameters = list(&document, "parameters", MAX_PARAMETERS, &mut wrong);
    let parameters: Vec<Parameter> = parameters.iter().filter_map(|one| parameter(one, &mut wrong)).collect();
    let rows = list(&document, "steps", MAX_STEPS, &mut wrong);
    if rows.is_empty() {
        wrong.push("steps must have at least one step.".to_owned());
    }
    let steps: Vec<Step> = rows.iter().filter_map(|one| step(one, kind, &mut wrong)).collect();
    let mut names = BTreeSet::new();
    for step in &steps {
        check_references(&step.inputs, &names, &parameters, &step.name, &mut wrong);
        if !names.insert(step.name.as_str()) {
            wrong.push(format!("The step name {} is not unique.", step.name));
        }
    }
    let outputs = list(&document, "outputs", MAX_PARAMETERS, &mut wrong);
    let outputs: Vec<(String, String)> = outputs.iter().filter_map(|one| output(one, &mut wrong)).collect();
    if kind == "BUILD" && !outputs.iter().any(|(name, _)| name == "ImageId") {
        wrong.push("Build workflow must have output named ImageId to build AMI.".to_owned());
    }
    for (name, reference) in &outputs {
        check_reference(reference, &names, &parameters, &format!("the output {name}"), &mut wrong);
    }
    if wrong.is_empty() { Ok(WorkflowDocument { parameters, steps, outputs }) } else { Err(wrong) }
}

/// A tree of plain values: numbers and booleans where they are written without quotes.
fn plain(node: &Node) -> Value {
    match &node.kind {
        Kind::Mapping(entries) => {
            let entry = |(key, value): &(Node, Node)| Some((key.as_str()?.to_owned(), plain(value)));
            Value::Object(entries.iter().filter_map(entry).collect::<Map<_, _>>())
        }
        Kind::Sequence(items) => items.iter().map(plain).collect(),
        Kind::Scalar(scalar) if scalar.style == Style::Plain => {
            if node.is_null() {
                Value::Null
            } else if let Some(flag) = node.as_bool() {
                json!(flag)
            } else if let Some(number) = node.as_int() {
                json!(number)
            } else if let Some(number) = node.as_float() {
                json!(number)
            } else {
                json!(scalar.text)
            }
        }
        Kind::Scalar(scalar) => json!(scalar.text),
    }
}

fn keys(value: &Value, place: &str, known: &[&str], wrong: &mut Vec<String>) {
    let Some(members) = value.as_object() else {
        wrong.push(format!("{place} must be a mapping."));
        return;
    };
    for key in members.keys().filter(|key| !known.contains(&key.as_str())) {
        wrong.push(format!("{place} has the unknown key '{key}'."));
    }
}

fn list<'a>(document: &'a Value, key: &str, most: usize, wrong: &mut Vec<String>) -> &'a [Value] {
    let Some(value) = document.get(key) else { return &[] };
    let Some(items) = value.as_array() else {
        wrong.push(format!("{key} must be a list."));
        return &[];
    };
    if items.len() > most {
        wrong.push(format!("{key} has {} entries; at most {most} are allowed.", items.len()));
    }
    items
}

fn text<'a>(value: &'a Value, key: &str, place: &str, wrong: &mut Vec<String>) -> Option<&'a str> {
    let found = value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    if found.is_none() {
        wrong.push(format!("{place} needs '{key}' as text."));
    }
    found
}

fn parameter(value: &Value, wrong: &mut Vec<String>) -> Option<Parameter> {
    keys(value, "a parameter", &["name", "type", "default", "description"], wrong);
    let name = text(value, "name", "a parameter", wrong)?;
    let kind = text(value, "type", &format!("the parameter {name}"), wrong)?;
    if !["string", "integer", "boolean", "stringList"].contains(&kind) {
        wrong.push(format!("The parameter {name} has the unknown type '{kind}'."));
    }
    let default = value.get("default").cloned();
    let fits = default.as_ref().is_none_or(|default| match kind {
        "integer" => default.is_i64(),
        "boolean" => default.is_boolean(),
        "stringList" => default.as_array().is_some_and(|items| items.iter().all(Value::is_string)),
        _ => default.is_string(),
    });
    if !fits {
        wrong.push(format!("The default of the parameter {name} is no {kind}."));
    }
    let description = value.get("description").and_then(Value::as_str).map(str::to_owned);
    Some(Parameter { name: name.to_owned(), kind: kind.to_owned(), default, description })
}

/// The name of a step, which other steps refer to.
fn step_name<'a>(value: &'a Value, wrong: &mut Vec<String>) -> Option<&'a str> {
    let name = text(value, "name", "a step", wrong)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic());
    if !(3..=100).contains(&name.len()) || !begins || !name.chars().all(allowed) {
        wrong.push(format!(
            "The step {name} must have a name of 3 to 100 letters, digits and _, beginning with a letter."
        ));
    }
    Some(name)
}

/// How long a step may take, and how long it waits before it begins, in seconds.
fn times(value: &Value, action: &str, known: &actions::Action, place: &str, wrong: &mut Vec<String>) -> (u64, u64) {
    let timeout = seconds(value, "timeoutSeconds", known.default_seconds(), place, wrong);
    if timeout > known.most_seconds() || timeout == 0 {
        wrong.push(format!("{place}: timeoutSeconds must be 1 to {} for {action}.", known.most_seconds()));
    }
    let wait = seconds(value, "waitSeconds", 0, place, wrong);
    if wait >= timeout {
        wrong.push(format!("{place}: waitSeconds must be less than timeoutSeconds."));
    }
    (timeout, wait)
}

fn step(value: &Value, kind: &str, wrong: &mut Vec<String>) -> Option<Step> {
    let known = [
        "name",
        "action",
        "description",
        "if",
        "inputs",
        "onFailure",
        "rollbackEnabled",
        "timeoutSeconds",
        "waitSeconds",
    ];
    let name = step_name(value, wrong)?;
    let place = format!("The step {name}");
    keys(value, &place, &known, wrong);
    let action = text(value, "action", &place, wrong)?;
    let Some(known) = actions::find(action) else {
        wrong.push(format!("{place} has the unknown action '{action}'."));
        return None;
    };
    if !known.is_allowed_in(kind) {
        wrong.push(format!("{place}: the action {action} is not allowed in {kind} workflows."));
    }
    let on_failure = value.get("onFailure").map_or(Some("Abort"), Value::as_str).unwrap_or_default();
    if !["Abort", "Continue"].contains(&on_failure) {
        wrong.push(format!("{place}: onFailure is Abort or Continue."));
    }
    if let Some(condition) = value.get("if") {
        check_condition(condition, 1, &place, wrong);
    }
    let inputs = value.get("inputs").cloned().unwrap_or_else(|| json!({}));
    check_inputs(&inputs, known, &place, wrong);
    let (timeout, wait) = times(value, action, known, &place, wrong);
    Some(Step {
        name: name.to_owned(),
        action: action.to_owned(),
        condition: value.get("if").cloned(),
        inputs,
        on_failure: on_failure.to_owned(),
        timeout_seconds: timeout,
        wait_seconds: wait,
        description: value.get("description").and_then(Value::as_str).unwrap_or_default().to_owned(),
    })
}

fn seconds(value: &Value, key: &str, otherwise: u64, place: &str, wrong: &mut Vec<String>) -> u64 {
    let Some(given) = value.get(key) else { return otherwise };
    given.as_u64().unwrap_or_else(|| {
        wrong.push(format!("{place}: {key} must be a whole number of seconds."));
        otherwise
    })
}

fn check_inputs(inputs: &Value, action: &Action, place: &str, wrong: &mut Vec<String>) {
    let Some(members) = inputs.as_object() else {
        wrong.push(format!("{place}: inputs must be a mapping."));
        return;
    };
    let plain: BTreeSet<&str> = members.keys().map(|key| key.strip_suffix(".$").unwrap_or(key)).collect();
    for key in plain.iter().filter(|key| !action.inputs.contains(key)) {
        wrong.push(format!("{place}: the action {} has no input '{key}'.", action.name));
    }
    for key in action.required.iter().filter(|key| !plain.contains(*key)) {
        wrong.push(format!("{place}: the action {} needs the input '{key}'.", action.name));
    }
}

/// `if`: one operator; `and` and `or` have 1 to 10 parts, and there are at most four levels.
fn check_condition(condition: &Value, depth: usize, place: &str, wrong: &mut Vec<String>) {
    const COMPARISONS: [&str; 7] = [
        "booleanEquals",
        "numberEquals",
        "numberGreaterThan",
        "numberGreaterThanEquals",
        "numberLessThan",
        "numberLessThanEquals",
        "stringEquals",
    ];
    if depth > MAX_DEPTH {
        wrong.push(format!("{place}: if has more than {MAX_DEPTH} levels."));
        return;
    }
    let members = condition.as_object();
    let operators: Vec<&String> = members.into_iter().flat_map(Map::keys).filter(|key| *key != "value").collect();
    let [operator] = operators.as_slice() else {
        wrong.push(format!("{place}: if needs exactly one operator."));
        return;
    };
    match (operator.as_str(), &condition[operator.as_str()]) {
        ("and" | "or", Value::Array(parts)) if (1..=10).contains(&parts.len()) => {
            for part in parts {
                check_condition(part, depth + 1, place, wrong);
            }
        }
        ("not", inner) => check_condition(inner, depth + 1, place, wrong),
        (operator, _) if COMPARISONS.contains(&operator) => {
            let value = condition.get("value").and_then(Value::as_str);
            if value.is_none_or(|value| !value.starts_with("$.")) {
                wrong.push(format!("{place}: {operator} needs a reference as its value."));
            }
        }
        (operator, _) => wrong.push(format!("{place}: if has the unknown or empty operator '{operator}'.")),
    }
}

fn output(value: &Value, wrong: &mut Vec<String>) -> Option<(String, String)> {
    keys(value, "an output", &["name", "value"], wrong);
    let name = text(value, "name", "an output", wrong)?;
    let reference = text(value, "value", &format!("the output {name}"), wrong)?;
    Some((name.to_owned(), reference.to_owned()))
}

fn check_references(
    inputs: &Value,
    steps: &BTreeSet<&str>,
    parameters: &[Parameter],
    step: &str,
    wrong: &mut Vec<String>,
) {
    match inputs {
        Value::Object(members) => {
            for (key, value) in members {
                match (key.ends_with(".$"), value.as_str()) {
                    (true, Some(reference)) => check_reference(reference, steps, parameters, step, wrong),
                    (true, None) => wrong.push(format!("{step}: '{key}' must hold a reference.")),
                    (false, _) => check_references(value, steps, parameters, step, wrong),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| check_references(item, steps, parameters, step, wrong)),
        _ => {}
    }
}

/// A reference leads to a parameter that there is, or to a step that comes before.
fn check_reference(
    reference: &str,
    steps: &BTreeSet<&str>,
    parameters: &[Parameter],
    place: &str,
    wrong: &mut Vec<String>,
) {
    let path = reference.strip_prefix("$.").unwrap_or_default();
    let mut parts = path.split(['.', '[']);
    let (root, name) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let leads = match root {
        "parameters" => parameters.iter().any(|parameter| parameter.name == name),
        "stepOutputs" => steps.contains(name),
        "workflowOutputs" | "imagebuilder" => !name.is_empty(),
        _ => false,
    };
    if !leads {
        wrong.push(format!("{place}: the reference '{reference}' leads nowhere."));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "name: my-build
schemaVersion: 1.0
parameters:
  - { name: topic, type: string, default: '' }
  - { name: many, type: stringList, default: [a, b] }
steps:
  - name: Launch
    action: LaunchInstance
    inputs: { waitFor: ssmAgent }
  - name: Apply
    action: ExecuteComponents
    timeoutSeconds: 600
    if: { not: { stringEquals: '', value: \"$.parameters.topic\" } }
    inputs: { instanceId.$: \"$.stepOutputs.Launch.instanceId\" }
  - name: Make
    action: CreateImage
    inputs: { instanceId.$: \"$.stepOutputs.Launch.instanceId\" }
  - name: End
    action: TerminateInstance
    onFailure: Continue
    inputs: { instanceId.$: \"$.stepOutputs.Launch.instanceId\" }
outputs:
  - { name: ImageId, value: \"$.stepOutputs.Make.imageId\" }
";

    #[test]
    fn a_document_is_read() {
        let document = read(GOOD, "BUILD").unwrap();
        assert_eq!(document.steps.len(), 4);
        assert_eq!((document.steps[0].timeout_seconds, document.steps[1].timeout_seconds), (4_500, 600));
        assert_eq!((&*document.steps[0].on_failure, &*document.steps[3].on_failure), ("Abort", "Continue"));
        assert_eq!(document.parameters[1].default, Some(json!(["a", "b"])));
        assert_eq!(document.outputs, [("ImageId".to_owned(), "$.stepOutputs.Make.imageId".to_owned())]);
    }

    #[test]
    fn every_rule_is_a_reason_to_refuse() {
        for (from, to, said) in [
            ("1.0", "2.0", "schemaVersion must be 1.0."),
            ("type: stringList", "type: list", "has the unknown type 'list'"),
            ("default: [a, b]", "default: 3", "is no stringList"),
            ("action: CreateImage", "action: MakeImage", "has the unknown action 'MakeImage'"),
            ("action: CreateImage", "action: DistributeImage", "is not allowed in BUILD workflows"),
            ("timeoutSeconds: 600", "timeoutSeconds: 86401", "timeoutSeconds must be 1 to 86400"),
            ("timeoutSeconds: 600", "timeoutSeconds: 600\n    waitSeconds: 600", "waitSeconds must be less"),
            ("onFailure: Continue", "onFailure: Ignore", "onFailure is Abort or Continue"),
            ("name: End", "name: Make", "The step name Make is not unique."),
            ("name: End", "name: E d", "3 to 100 letters"),
            ("waitFor: ssmAgent", "wait: ssmAgent", "has no input 'wait'"),
            ("{ waitFor: ssmAgent }", "{}", "needs the input 'waitFor'"),
            ("stepOutputs.Launch", "stepOutputs.Nothing", "leads nowhere"),
            ("value: \"$.stepOutputs.Make", "value: \"$.parameters.none", "leads nowhere"),
            ("name: ImageId", "name: Image", "Build workflow must have output named ImageId to build AMI."),
            ("stringEquals", "stringIs", "unknown or empty operator 'stringIs'"),
            ("    onFailure: Continue", "    retries: 3", "has the unknown key 'retries'"),
        ] {
            assert!(GOOD.contains(from), "{from}");
            let errors = read(&GOOD.replace(from, to), "BUILD").unwrap_err();
            assert!(errors.iter().any(|error| error.contains(said)), "{said}: {errors:?}");
        }
        let long =
            GOOD.replace("outputs:", &format!("{}outputs:", "  - { name: Abc, action: WaitForAction }\n".repeat(12)));
        assert!(read(&long, "BUILD").unwrap_err().iter().any(|error| error.contains("steps has 16 entries")));
    }
}

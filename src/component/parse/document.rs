//! Document, parameters, constants and phases.

use super::context::Context;
use super::{Draft, DraftPhase, step};
use crate::component::is_name;
use crate::component::keys;
use crate::component::model::{Constant, Document, MOST_PARAMETERS, Parameter, Phase, REQUIRED_PHASES};
use crate::diagnostic::{Diagnostic, Span};
use crate::yaml::Node;
use std::collections::BTreeMap;

/// Names of parameters and constants, with their places.
type Names = BTreeMap<String, Span>;

/// Reads the root of a document; `None` if it is no mapping.
pub fn read(context: &mut Context<'_>, root: &Node) -> Option<Draft> {
    context.mapping(root, "a component document", keys::DOCUMENT)?;
    let name = root.get("name").and_then(|node| context.text(node, "`name`")).map(str::to_owned);
    let description = root.get("description").and_then(|node| context.text(node, "`description`")).map(str::to_owned);
    let disable_logging = root.get("disableLogging").is_some_and(|node| context.boolean(node, "`disableLogging`"));
    schema_version(context, root);
    let before = context.diagnostics.len();
    let mut names = Names::new();
    let parameters = root.get("parameters").map(|node| parameters(context, node, &mut names)).unwrap_or_default();
    let constants = root.get("constants").map(|node| constants(context, node, &mut names)).unwrap_or_default();
    let names_known =
        !context.diagnostics[before..].iter().any(|diagnostic| matches!(diagnostic.code, "D004" | "D011" | "D020"));
    let phases = phases(context, root);
    let document = Document { name, description, disable_logging, parameters, constants, phases: Vec::new() };
    Some(Draft { document, names_known, phases })
}

fn schema_version(context: &mut Context<'_>, root: &Node) {
    match root.get("schemaVersion") {
        None => context.push(
            Diagnostic::error("D002", "`schemaVersion` is missing")
                .at(context.source, root.span, "in this document")
                .help("add `schemaVersion: 1.0`"),
        ),
        Some(node) if matches!(node.as_str(), Some("1.0" | "1")) => {}
        Some(node) => context.push(
            Diagnostic::error("D002", "`schemaVersion` must be 1.0")
                .at(context.source, node.span, "no other version exists")
                .help("write `schemaVersion: 1.0`"),
        ),
    }
}

/// The entries of `parameters` or `constants`: a list of mappings with one key each.
fn declarations<'n>(
    context: &mut Context<'_>,
    node: &'n Node,
    what: &str,
    names: &mut Names,
) -> Vec<(String, &'n Node, &'n Node)> {
    let Some(items) = node.items() else {
        context.push(
            Diagnostic::error("D011", format!("`{what}` must be a list"))
                .at(context.source, node.span, format!("this is {}", node.describe()))
                .help("write each as a list item with one key: `- Name: { type: string }`"),
        );
        return Vec::new();
    };
    let mut found = Vec::new();
    for item in items {
        let Some([(key, value)]) = item.entries() else {
            context.push(
                Diagnostic::error("D011", format!("each item of `{what}` must be a mapping with one key, its name"))
                    .at(context.source, item.span, format!("this is {}", describe_entries(item)))
                    .help("write `- Name: { type: string }`; indent what belongs to it deeper than its name"),
            );
            continue;
        };
        let name = key.as_str().unwrap_or_default();
        if !is_name(name) {
            let message = format!("`{name}` cannot be the name of a parameter or constant");
            context.push(name_fault("D011", context, key.span, message));
        } else if let Some(first) = names.insert(name.to_owned(), key.span) {
            context.push(
                Diagnostic::error("D011", format!("`{name}` is declared twice"))
                    .at(context.source, key.span, "again here")
                    .also_at(context.source, first, "first here")
                    .note("parameters and constants share their names"),
            );
            continue;
        }
        found.push((name.to_owned(), key, value));
    }
    found
}

fn describe_entries(node: &Node) -> String {
    node.entries().map_or_else(|| node.describe(), |entries| format!("a mapping with {} keys", entries.len()))
}

fn name_fault(code: &'static str, context: &Context<'_>, span: Span, message: String) -> Diagnostic {
    Diagnostic::error(code, message)
        .at(context.source, span, "not a valid name")
        .help("use 3 to 128 letters, digits, `-` and `_`")
}

fn parameters(context: &mut Context<'_>, node: &Node, names: &mut Names) -> Vec<Parameter> {
    let mut parameters = Vec::new();
    for (name, key, value) in declarations(context, node, "parameters", names) {
        let what = format!("parameter `{name}`");
        if context.mapping(value, &what, keys::PARAMETER).is_none() {
            continue;
        }
        declared_type(context, value, key.span, &what);
        let default = value.get("default").and_then(|node| {
            context.warn_typed(node, &format!("the default of {what}"));
            context.text(node, &format!("the default of {what}"))
        });
        let description = value.get("description").and_then(|node| context.text(node, "`description`"));
        parameters.push(Parameter {
            name,
            default: default.map(str::to_owned),
            description: description.map(str::to_owned),
            span: key.span,
            default_span: value.get("default").map(|node| node.span),
        });
    }
    if let Some(extra) = parameters.get(MOST_PARAMETERS) {
        let message = format!("a component can have {MOST_PARAMETERS} parameters, this one has {}", parameters.len());
        context.error("D011", extra.span, message, "one too many");
    }
    parameters
}

fn constants(context: &mut Context<'_>, node: &Node, names: &mut Names) -> Vec<Constant> {
    let mut constants = Vec::new();
    for (name, key, value) in declarations(context, node, "constants", names) {
        let what = format!("constant `{name}`");
        if context.mapping(value, &what, keys::CONSTANT).is_none() {
            continue;
        }
        declared_type(context, value, key.span, &what);
        let Some(node) = value.get("value") else {
            context.error("D012", key.span, format!("{what} has no `value`"), "a constant is nothing without one");
            continue;
        };
        context.warn_typed(node, &format!("the value of {what}"));
        if let Some(value) = context.text(node, &format!("the value of {what}")) {
            constants.push(Constant { name, value: value.to_owned(), span: key.span, value_span: node.span });
        }
    }
    constants
}

fn declared_type(context: &mut Context<'_>, declaration: &Node, name: Span, what: &str) {
    match declaration.get("type") {
        None => context.push(
            Diagnostic::error("D012", format!("{what} has no `type`"))
                .at(context.source, name, "")
                .help("add `type: string`"),
        ),
        Some(node) if node.as_str() == Some("string") => {}
        Some(node) => context.push(
            Diagnostic::error("D012", format!("the type of {what} must be `string`"))
                .at(context.source, node.span, "no other type exists")
                .help("write `type: string`"),
        ),
    }
}

fn phases(context: &mut Context<'_>, root: &Node) -> Vec<DraftPhase> {
    // The service's own words, so that a search finds them.
    let empty = "Document has 0 phases. Phases list must not be empty.";
    let Some((key, node)) = root.entry("phases") else {
        let label = "no `phases` in this document";
        context.push(
            Diagnostic::error("D003", empty)
                .at(context.source, root.span, label)
                .help("add `phases:` with at least one of build, validate and test"),
        );
        return Vec::new();
    };
    let items = match node.items() {
        Some(items) if !items.is_empty() => items,
        Some(_) => {
            context.error("D003", node.span, empty, "an empty list");
            return Vec::new();
        }
        None => {
            let span = if node.is_null() { key.span } else { node.span };
            let message = if node.is_null() { empty } else { "`phases` must be a list" };
            context.error("D003", span, message, format!("this is {}", node.describe()));
            return Vec::new();
        }
    };
    let mut seen = BTreeMap::new();
    let phases: Vec<DraftPhase> = items.iter().filter_map(|item| phase(context, item, &mut seen)).collect();
    let run = |name: &str| REQUIRED_PHASES.contains(&name);
    if phases.len() == items.len() && !phases.iter().any(|phase| run(&phase.phase.name)) {
        context.push(
            Diagnostic::error("D005", "none of the phases is named build, validate or test")
                .at(context.source, key.span, "nothing here would be run")
                .help("name a phase `build`, `validate` or `test`"),
        );
    }
    phases
}

fn phase(context: &mut Context<'_>, node: &Node, seen: &mut BTreeMap<String, Span>) -> Option<DraftPhase> {
    context.mapping(node, "a phase", keys::PHASE)?;
    let (name, span) = match node.get("name") {
        None => {
            context.error("D006", node.span, "a phase has no name", "this one");
            (String::new(), node.span)
        }
        Some(value) => (phase_name(context, value, seen), value.span),
    };
    let disable_logging = node.get("disableLogging").is_some_and(|node| context.boolean(node, "`disableLogging`"));
    let steps = match node.entry("steps") {
        None => {
            context.error("D020", span, format!("phase `{name}` has no `steps`"), "this phase");
            Vec::new()
        }
        Some((_, steps)) => match context.list(steps, "`steps`") {
            Some([]) => {
                context.error("D020", steps.span, format!("phase `{name}` has no steps"), "an empty list");
                Vec::new()
            }
            items => step::read_all(context, &name, items.unwrap_or_default()),
        },
    };
    Some(DraftPhase { phase: Phase { name, disable_logging, steps: Vec::new(), span }, steps })
}

fn phase_name(context: &mut Context<'_>, node: &Node, seen: &mut BTreeMap<String, Span>) -> String {
    let Some(name) = node.as_str().filter(|name| is_name(name) && !node.is_null()) else {
        let text = node.as_str().unwrap_or_default();
        if text.contains("{{") {
            context.misplaced_expression(node, "the name of a phase");
            return text.to_owned();
        }
        let message = format!(
            "Invalid phase name '{text}'. Allowed characters are combinations of numbers [0-9], english letters [a-z,A-Z] and special characters [-_]."
        );
        context.push(name_fault("D006", context, node.span, message));
        return text.to_owned();
    };
    if let Some(first) = seen.insert(name.to_owned(), node.span) {
        context.push(
            Diagnostic::error("D006", format!("there are two phases named `{name}`"))
                .at(context.source, node.span, "again here")
                .also_at(context.source, first, "first here")
                .help("put the steps of both into one phase"),
        );
    }
    name.to_owned()
}

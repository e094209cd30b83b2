//! Document, parameters, constants and phases.

use super::context::{Context, not_a_name};
use super::edits::is_flow;
use super::{Draft, DraftPhase, step};
use crate::component::is_name;
use crate::component::keys;
use crate::component::model::{Constant, Document, MOST_PARAMETERS, Parameter, Phase, REQUIRED_PHASES};
use crate::diagnostic::{Diagnostic, Edit, Span};
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
    let names_known = !context.diagnostics[before..]
        .iter()
        .any(|diagnostic| matches!(diagnostic.code, "D004" | "D011" | "D012" | "D020"));
    let phases = phases(context, root);
    let document = Document { name, description, disable_logging, parameters, constants, phases: Vec::new() };
    Some(Draft { document, names_known, phases })
}

fn schema_version(context: &mut Context<'_>, root: &Node) {
    match root.get("schemaVersion") {
        None => {
            let diagnostic = Diagnostic::error("D002", "`schemaVersion` is missing")
                .at(context.source, root.span, "in this document")
                .help("add `schemaVersion: 1.0`");
            context.push(if is_flow(context.source, root) {
                diagnostic
            } else {
                let edit = Edit::insert(root.span.start, "schemaVersion: 1.0\n");
                diagnostic.unsafe_fix("add `schemaVersion: 1.0`", vec![edit])
            });
        }
        Some(node) if matches!(node.as_str(), Some("1.0" | "1")) => {}
        Some(node) => context.push(
            Diagnostic::error("D002", "`schemaVersion` must be 1.0")
                .at(context.source, context.visible(node), format!("this is {}; no other version exists", shown(node)))
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
                    .at(context.source, context.visible(item), format!("this is {}", describe_entries(item)))
                    .help(declaration_help(item)),
            );
            continue;
        };
        let name = key.as_str().unwrap_or_default();
        context.warn_typed(key, "the name of a parameter or constant");
        if !is_name(name) {
            let message = format!("`{name}` cannot be the name of a parameter or constant");
            context.push(name_fault("D011", context, key, message));
        } else if let Some(first) = names.insert(name.to_owned(), key.span) {
            context.push(
                Diagnostic::error("D011", format!("`{name}` is declared twice"))
                    .at(context.source, key.span, "again here")
                    .also_at(context.source, first, "first here")
                    .note("parameters and constants share their names")
                    .help("remove or rename one of the two"),
            );
            continue;
        }
        found.push((name.to_owned(), key, value));
    }
    found
}

/// How an item that is no declaration is put right.
fn declaration_help(item: &Node) -> String {
    let first = item.entries().and_then(<[_]>::first).and_then(|(key, value)| Some((key.as_str()?, value)));
    match first {
        Some(("name", value)) if value.as_str().is_some_and(is_name) => {
            let name = value.as_str().unwrap_or_default();
            format!("the name is the key, and the rest belongs below it: `- {name}: {{ type: string }}`")
        }
        Some((name, value)) if value.is_null() => format!("indent what stands below `{name}` deeper than `{name}`"),
        _ => "write `- Name: { type: string }`".to_owned(),
    }
}

fn describe_entries(node: &Node) -> String {
    node.entries().map_or_else(|| node.describe(), |entries| format!("a mapping with {} keys", entries.len()))
}

fn name_fault(code: &'static str, context: &Context<'_>, node: &Node, message: String) -> Diagnostic {
    Diagnostic::error(code, message)
        .at(context.source, context.visible(node), not_a_name(node))
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
        let default = value.get("default").and_then(|node| context.text(node, &format!("the default of {what}")));
        let description =
            value.get("description").and_then(|node| context.text(node, &format!("the description of {what}")));
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
        context.push(
            Diagnostic::error("D011", message)
                .at(context.source, extra.span, "one too many")
                .help("make constants of those that no recipe sets, or read several values from one file"),
        );
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
            context.push(
                Diagnostic::error("D012", format!("{what} has no `value`"))
                    .at(context.source, key.span, "a constant is nothing without one")
                    .help("add `value:`, or make it a parameter that the recipe gives"),
            );
            continue;
        };
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
                .at(context.source, name, "no `type` below this")
                .help("add `type: string`"),
        ),
        Some(node) if node.as_str() == Some("string") => {}
        Some(node) => {
            let label = format!("this is {}; no other type exists", shown(node));
            let diagnostic = Diagnostic::error("D012", format!("the type of {what} must be `string`"))
                .at(context.source, context.visible(node), label)
                .help("write `type: string`, and lists and numbers as text");
            let scalar = node.as_str().is_some() && node.span.start < node.span.end;
            context.push(if scalar {
                diagnostic.unsafe_fix("write `string`", vec![Edit::replace(node.span, "string")])
            } else {
                diagnostic
            });
        }
    }
}

/// A word as it is written, or what stands there instead.
fn shown(node: &Node) -> String {
    node.as_str().filter(|text| !text.is_empty()).map_or_else(|| node.describe(), |text| format!("`{text}`"))
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
            context.push(
                Diagnostic::error("D003", empty)
                    .at(context.source, node.span, "an empty list")
                    .help("add at least one of build, validate and test, each with its steps"),
            );
            return Vec::new();
        }
        None => {
            let span = if node.is_null() { key.span } else { node.span };
            let message = if node.is_null() { empty } else { "`phases` must be a list" };
            let label =
                if node.is_null() { "nothing follows".to_owned() } else { format!("this is {}", node.describe()) };
            context.push(
                Diagnostic::error("D003", message)
                    .at(context.source, span, label)
                    .help("write each phase as an item of a list: `- name: build`, and its `steps:` below"),
            );
            return Vec::new();
        }
    };
    let mut seen = BTreeMap::new();
    let phases: Vec<DraftPhase> = items.iter().filter_map(|item| phase(context, item, &mut seen)).collect();
    let run = |name: &str| REQUIRED_PHASES.contains(&name);
    // A phase whose name is refused may have been meant as one of them.
    let names_known = phases.len() == items.len() && phases.iter().all(|phase| is_name(&phase.phase.name));
    if names_known && !phases.iter().any(|phase| run(&phase.phase.name)) {
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
    let (name, span) = match node.get("name").filter(|value| !value.is_null()) {
        None => {
            context.push(
                Diagnostic::error("D006", "a phase has no name")
                    .at(context.source, node.span, "this one")
                    .help("add `name:` with build, validate or test"),
            );
            (String::new(), node.span)
        }
        Some(value) => (phase_name(context, value, seen), value.span),
    };
    let disable_logging = node.get("disableLogging").is_some_and(|node| context.boolean(node, "`disableLogging`"));
    let source = context.source;
    let no_steps = |span, label| {
        Diagnostic::error("D020", format!("phase `{name}` has no steps"))
            .at(source, span, label)
            .help("add at least one step below `steps:`, or remove the phase")
    };
    let steps = match node.entry("steps") {
        None => {
            context.push(no_steps(span, "no `steps` in this phase"));
            Vec::new()
        }
        Some((key, steps)) if steps.is_null() => {
            context.push(no_steps(key.span, "nothing follows"));
            Vec::new()
        }
        Some((_, steps)) => match context.list(steps, "`steps`") {
            Some([]) => {
                context.push(no_steps(steps.span, "an empty list"));
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
        if node.as_str().is_none() {
            context.push(name_fault("D006", context, node, "the name of a phase must be text".to_owned()));
            return String::new();
        }
        let message = format!(
            "Invalid phase name '{text}'. Allowed characters are combinations of numbers [0-9], english letters [a-z,A-Z] and special characters [-_]."
        );
        context.push(name_fault("D006", context, node, message));
        return text.to_owned();
    };
    context.warn_typed(node, "the name of a phase");
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

//! Steps: everything but their inputs.

use super::context::{Context, not_a_name};
use super::edits::{meant, removal};
use super::{DraftStep, condition, inputs, repeat};
use crate::component::is_name;
use crate::component::keys;
use crate::component::model::{DEFAULT_TIMEOUT, OnFailure, Places, Step};
use crate::component::modules::{self, Module, Shape};
use crate::diagnostic::{Diagnostic, Edit, Severity, Span, suggest};
use crate::yaml::Node;
use std::collections::BTreeMap;
use std::time::Duration;

/// Reads the steps of a phase.
pub fn read_all(context: &mut Context<'_>, phase: &str, items: &[Node]) -> Vec<DraftStep> {
    let mut taken = Taken::default();
    items.iter().map(|item| read(context, phase, item, &mut taken)).collect()
}

/// The names that are taken in a phase, with their places.
#[derive(Default)]
struct Taken {
    steps: BTreeMap<String, Span>,
    loops: BTreeMap<String, Span>,
}

fn read(context: &mut Context<'_>, phase: &str, node: &Node, taken: &mut Taken) -> DraftStep {
    let before = context.diagnostics.len();
    if context.mapping(node, "a step", keys::STEP).is_none() {
        return DraftStep { name: None, step: None, faulty: true };
    }
    let name = name(context, phase, node, &mut taken.steps);
    let step = body(context, phase, node, name.clone(), &mut taken.loops);
    let faulty = context.diagnostics[before..].iter().any(|diagnostic| diagnostic.severity == Severity::Error);
    DraftStep { name, step, faulty }
}

/// The name of a step, also when it is refused.
fn name(context: &mut Context<'_>, phase: &str, node: &Node, seen: &mut BTreeMap<String, Span>) -> Option<String> {
    let Some(value) = node.get("name").filter(|value| !value.is_null()) else {
        context.push(
            Diagnostic::error("D007", format!("a step of phase `{phase}` has no name"))
                .at(context.source, node.span, "this one")
                .help("add `name:` with 3 to 128 letters, digits, `-` and `_`"),
        );
        return None;
    };
    let name = value.as_str().filter(|_| !value.is_null()).unwrap_or_default();
    context.warn_typed(value, "the name of a step");
    if name.contains("{{") {
        context.misplaced_expression(value, "the name of a step");
    } else if !is_name(name) {
        let message = if value.as_str().is_none() {
            format!("the name of a step of phase `{phase}` must be text")
        } else {
            invalid_name(name, phase)
        };
        let legal: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' }).collect();
        let diagnostic = Diagnostic::error("D007", message).at(context.source, value.span, not_a_name(value));
        let scalar = value.style().is_some_and(|style| !style.is_block());
        context.push(if is_name(&legal) && scalar {
            let edit = Edit::replace(value.span, legal.as_str());
            diagnostic.help(format!("for example `{legal}`")).unsafe_fix(format!("name it `{legal}`"), vec![edit])
        } else {
            diagnostic.help("use 3 to 128 letters, digits, `-` and `_`")
        });
    } else if let Some(first) = seen.insert(name.to_owned(), value.span) {
        context.push(
            Diagnostic::error("D007", format!("there are two steps named `{name}` in phase `{phase}`"))
                .at(context.source, value.span, "again here")
                .also_at(context.source, first, "first here")
                .help("give one of them another name"),
        );
    }
    Some(name.to_owned())
}

/// The service's own words, so that a search finds them.
fn invalid_name(name: &str, phase: &str) -> String {
    format!(
        "Invalid step name '{name}' in phase '{phase}'. Allowed characters are combinations of numbers [0-9], english letters [a-z,A-Z] and special characters [-_]."
    )
}

fn body(
    context: &mut Context<'_>,
    phase: &str,
    node: &Node,
    name: Option<String>,
    loops: &mut BTreeMap<String, Span>,
) -> Option<Step> {
    let shown = name.clone().unwrap_or_default();
    let module = action(context, &shown, node);
    let timeout = timeout(context, node, module);
    let on_failure = on_failure(context, node);
    let max_attempts = max_attempts(context, node);
    let disable_logging = node.get("disableLogging").is_some_and(|node| context.boolean(node, "`disableLogging`"));
    let branching = node.entry("if").and_then(|(key, value)| condition::branching(context, key, value));
    let repeat = node.entry("loop").map(|(key, value)| repeat::repeat(context, key, value, loops));
    let module = module?;
    let span = node.get("name").map_or(node.span, |name| name.span);
    let action_span = node.get("action").map_or(span, |action| action.span);
    let given = node.entry("inputs").filter(|(_, value)| !value.is_null());
    let (assertion, inputs) = match (module.shape, given) {
        (Shape::Condition, Some((key, value))) if !inputs::is_empty(value) => {
            (condition::assertion(context, key, value), Vec::new())
        }
        _ => (None, inputs::read(context, &inputs::Place { phase, step: &shown, action_span }, module, given)),
    };
    Some(Step {
        name: name?,
        module,
        timeout,
        on_failure,
        max_attempts,
        disable_logging,
        inputs,
        branching,
        assertion,
        repeat,
        span,
        action_span,
        places: places(node),
    })
}

fn places(node: &Node) -> Places {
    let place = |key: &str| node.entry(key).map(|(key, value)| (key.span, value.span));
    Places {
        whole: node.span,
        timeout: place("timeoutSeconds"),
        on_failure: place("onFailure"),
        max_attempts: place("maxAttempts"),
        inputs: place("inputs"),
    }
}

fn action(context: &mut Context<'_>, step: &str, node: &Node) -> Option<&'static Module> {
    let Some(value) = node.get("action").filter(|value| !value.is_null()) else {
        context.push(
            Diagnostic::error("S001", format!("step `{step}` has no `action`"))
                .at(context.source, node.span, "this step")
                .help("add `action:` with the name of an action module, such as ExecuteBash"),
        );
        return None;
    };
    let name = value.as_str().unwrap_or_default();
    let module = modules::find(name);
    if name.contains("{{") {
        context.misplaced_expression(value, "`action`");
    } else if module.is_none() {
        let diagnostic = Diagnostic::error("S001", format!("unknown action `{name}`")).at(
            context.source,
            value.span,
            "no action module has this name",
        );
        let names: Vec<&str> = modules::names().collect();
        context.push(match suggest(name, &names) {
            Some(near) => meant(diagnostic, context.source, value.span, near),
            None => diagnostic.help(format!("the action modules are {}", names.join(", "))),
        });
    }
    module
}

/// A whole number; an expression cannot stand for one.
fn integer(context: &mut Context<'_>, node: &Node, what: &str) -> Option<i64> {
    if node.as_str().is_some_and(|text| text.contains("{{")) {
        context.misplaced_expression(node, what);
        return Some(1);
    }
    context.as_integer(node, what)
}

fn timeout(context: &mut Context<'_>, node: &Node, module: Option<&Module>) -> Option<Duration> {
    let Some((key, value)) = node.entry("timeoutSeconds") else { return Some(DEFAULT_TIMEOUT) };
    if module.is_some_and(|module| !module.has_timeout()) {
        let diagnostic = Diagnostic::error("S011", "`timeoutSeconds` is not supported on Reboot")
            .at(context.source, key.span, "has no meaning here")
            .help("remove it")
            .inferred();
        context.push(match removal(context.source, node, "timeoutSeconds") {
            Some(edit) => diagnostic.unsafe_fix("remove it", vec![edit]),
            None => diagnostic,
        });
        return None;
    }
    match integer(context, value, "`timeoutSeconds`") {
        Some(-1) => None,
        Some(seconds) if seconds > 0 => Some(Duration::from_secs(seconds.unsigned_abs())),
        _ => {
            context.push(
                Diagnostic::error("S006", "`timeoutSeconds` must be a whole number of seconds from 1, or -1")
                    .at(context.source, context.visible(value), format!("this is {}", value.describe()))
                    .help("-1 means no limit"),
            );
            Some(DEFAULT_TIMEOUT)
        }
    }
}

fn on_failure(context: &mut Context<'_>, node: &Node) -> OnFailure {
    let Some(value) = node.get("onFailure") else { return OnFailure::default() };
    let text = value.as_str().unwrap_or_default();
    OnFailure::parse(text).unwrap_or_else(|| {
        if text.contains("{{") {
            context.misplaced_expression(value, "`onFailure`");
        } else {
            inputs::not_a_choice(context, "S007", value, "`onFailure`", &OnFailure::NAMES);
        }
        OnFailure::default()
    })
}

fn max_attempts(context: &mut Context<'_>, node: &Node) -> u32 {
    let Some(value) = node.get("maxAttempts") else { return 1 };
    // No upper bound is documented; what does not fit here is for ever anyway.
    let attempts = integer(context, value, "`maxAttempts`").filter(|number| *number >= 1);
    if let Some(number) = attempts {
        return u32::try_from(number).unwrap_or(u32::MAX);
    }
    context.push(
        Diagnostic::error("S008", "`maxAttempts` must be a whole number from 1")
            .at(context.source, context.visible(value), format!("this is {}", value.describe()))
            .help("it counts all attempts: 1 means that the step is not repeated")
            .inferred(),
    );
    1
}

//! Inputs, checked against the table of modules.

use super::context::{Context, unknown_key};
use super::edits::{into_list, is_flow, meant, out_of_list, text_into_list};
use crate::component::expression::Template;
use crate::component::keys;
use crate::component::model::{Field, Item, Value};
use crate::component::modules::{ENCODINGS, Input, Module, Rule, Shape, Type};
use crate::diagnostic::{Diagnostic, Span, suggest};
use crate::yaml::Node;

/// Whose inputs are read.
pub struct Place<'a> {
    pub phase: &'a str,
    pub step: &'a str,
    pub action_span: Span,
}

/// Reads `inputs`: one item for modules that take a mapping, any number for those that take a list.
pub fn read(
    context: &mut Context<'_>,
    place: &Place<'_>,
    module: &'static Module,
    given: Option<(&Node, &Node)>,
) -> Vec<Item> {
    let Some((key, node)) = given else {
        if module.needs_inputs() {
            missing(context, place, module, place.action_span);
        }
        return Vec::new();
    };
    if is_empty(node) && module.needs_inputs() {
        missing(context, place, module, key.span);
        return Vec::new();
    }
    match (module.shape, node.items()) {
        (Shape::List, Some(items)) => items.iter().filter_map(|node| item(context, place, module, node)).collect(),
        (Shape::Map, None) => match node.entries() {
            Some(_) => item(context, place, module, node).into_iter().collect(),
            None => wrong_shape(context, module, node, "a mapping"),
        },
        (Shape::List, None) => wrong_shape(context, module, node, "a list of mappings"),
        _ => wrong_shape(context, module, node, "a mapping"),
    }
}

/// Whether a list or mapping has nothing in it.
pub fn is_empty(node: &Node) -> bool {
    node.items().is_some_and(<[Node]>::is_empty) || node.entries().is_some_and(<[_]>::is_empty)
}

fn missing(context: &mut Context<'_>, place: &Place<'_>, module: &Module, span: Span) {
    // The service's own words, so that a search finds them.
    let message = format!(
        "Parsing step '{}' in phase '{}' failed. Error: Action {} has no inputs; it requires an 'inputs'",
        place.step, place.phase, module.name
    );
    let required: Vec<&str> = module.inputs.iter().filter(|input| input.required).map(|input| input.name).collect();
    let diagnostic =
        Diagnostic::error("S003", message).at(context.source, span, "without inputs there is nothing to do");
    context.push(diagnostic.help(match (module.shape, required.as_slice()) {
        (Shape::Condition, _) => "write a condition below `inputs:`, such as `fileExists: /path`".to_owned(),
        (Shape::List, keys) => format!("write an item below `inputs:` with {}", keys.join(" and ")),
        (_, []) => format!("write one of these below `inputs:`: {}", names(module)),
        (_, keys) => format!("write {} below `inputs:`", keys.join(" and ")),
    }));
}

fn names(module: &Module) -> String {
    module.inputs.iter().map(|input| input.name).collect::<Vec<_>>().join(", ")
}

fn wrong_shape(context: &mut Context<'_>, module: &Module, node: &Node, wanted: &str) -> Vec<Item> {
    let source = context.source;
    let label = format!("this is {}", node.describe());
    let diagnostic = Diagnostic::error("S004", format!("the inputs of {} must be {wanted}", module.name)).at(
        source,
        context.visible(node),
        label,
    );
    let example = module.inputs.iter().find(|input| input.required).map_or("key", |input| input.name);
    let edits = match module.shape {
        Shape::List => node.entries().map(|_| into_list(source, node)),
        _ => out_of_list(source, node),
    };
    let help = match (module.shape, node.items().map(<[Node]>::len)) {
        (Shape::List, _) if node.entries().is_some() => format!("put a dash before the first key: `- {example}: …`"),
        (Shape::List, _) => format!("write `- {example}: …`"),
        (_, Some(0 | 1)) => "remove the dash before the first key".to_owned(),
        (_, Some(_)) => "make a step of each item".to_owned(),
        (_, None) => format!("write `{example}: …` below `inputs:`"),
    };
    let diagnostic = diagnostic.help(help.as_str());
    context.push(match edits {
        Some(edits) => diagnostic.unsafe_fix(help, edits),
        None => diagnostic,
    });
    Vec::new()
}

fn item(context: &mut Context<'_>, place: &Place<'_>, module: &'static Module, node: &Node) -> Option<Item> {
    let Some(entries) = node.entries() else {
        wrong_shape(context, module, node, "a list of mappings");
        return None;
    };
    let parent = node;
    let known: Vec<&str> = module.inputs.iter().map(|input| input.name).collect();
    let mut fields = Vec::new();
    let mut misspelled = Vec::new();
    for (key, node) in entries {
        let name = key.as_str().unwrap_or_default();
        let Some(input) = module.input(name) else {
            let fault = unknown_key(context.source, key.span, name, &format!("the inputs of {}", module.name), &known);
            context.push(Diagnostic { code: "S005", ..fault });
            misspelled.extend(suggest(name, &known));
            continue;
        };
        if let Some(value) = value(context, module, input, parent, (key, node)) {
            fields.push(Field { name: input.name, span: key.span, value_span: node.span, value });
        }
    }
    // A misspelled input is one fault, not an unknown one and a missing one.
    let given = |name: &str| node.get(name).is_some() || misspelled.contains(&name);
    for input in module.inputs.iter().filter(|input| input.required && !given(input.name)) {
        let message = format!("{} needs the input `{}`", module.name, input.name);
        let label = format!("`{}` of step `{}` is missing", input.name, place.step);
        let help = format!("add `{}:`. {}", input.name, input.summary);
        context.push(Diagnostic::error("S005", message).at(context.source, node.span, label).help(help));
    }
    for rule in module.rules {
        several(context, module, rule, node, &given);
    }
    Some(Item { fields, span: node.span })
}

/// A demand on several inputs together.
fn several(context: &mut Context<'_>, module: &Module, rule: &Rule, node: &Node, given: &dyn Fn(&str) -> bool) {
    let (Rule::ExactlyOne(keys) | Rule::Together(keys)) = rule;
    // An empty list is nothing to choose.
    let is_given = |name: &str| given(name) && !node.get(name).is_some_and(is_empty);
    let absent: Vec<&str> = keys.iter().copied().filter(|key| !is_given(key)).collect();
    let count = keys.len() - absent.len();
    let first = keys.iter().find_map(|key| node.entry(key)).map_or(node.span, |(key, _)| key.span);
    let all = keys.join(", ");
    match rule {
        Rule::ExactlyOne(_) if count != 1 => {
            let message = format!("{} takes exactly one of these inputs: {all}", module.name);
            let diagnostic = Diagnostic::error("S010", message).at(context.source, first, format!("here are {count}"));
            context.push(diagnostic.help(if count == 0 {
                format!("give one of them: {}", keys.join(" or "))
            } else {
                "remove all but one".to_owned()
            }));
        }
        Rule::Together(_) if count != 0 && count != keys.len() => {
            let absent = absent.join("`, `");
            let message = format!("{} takes all of these inputs or none: {all}", module.name);
            context.push(
                Diagnostic::error("M007", message)
                    .at(context.source, first, format!("given without `{absent}`"))
                    .note("with only one of them nothing is verified, without a word")
                    .help(format!("add `{absent}`, or remove this one")),
            );
        }
        _ => {}
    }
}

fn value(
    context: &mut Context<'_>,
    module: &Module,
    input: &Input,
    parent: &Node,
    (key, node): (&Node, &Node),
) -> Option<Value> {
    let what = format!("`{}` of {}", input.name, module.name);
    let wanted = match input.kind {
        Type::Text | Type::Permissions | Type::Encoding | Type::OneOf(_) => {
            return text(context, &what, key, node).and_then(|template| chosen(context, input, &what, node, template));
        }
        Type::Texts => {
            if let Some(items) = node.items() {
                let each = format!("each item of {what}");
                return Some(Value::Texts(items.iter().filter_map(|item| text(context, &each, item, item)).collect()))
                    .filter(|_| !refuse_empty(context, input, &what, node));
            }
            if node.as_str().is_some() && !node.is_null() {
                text_for_list(context, &what, parent, key, node);
                return None;
            }
            "a list of texts"
        }
        Type::Boolean | Type::BooleanText => {
            let quoted =
                || node.as_str().filter(|_| input.kind == Type::BooleanText)?.to_ascii_lowercase().parse().ok();
            if let Some(value) = context.as_boolean(node, &what).or_else(quoted) {
                return Some(Value::Boolean(value));
            }
            "true or false, without quotes"
        }
        Type::Count => {
            if let Some(value) = context.as_integer(node, &what).and_then(|number| u64::try_from(number).ok()) {
                return Some(Value::Count(value));
            }
            "a whole number from 0"
        }
        Type::Properties => match node.entries() {
            Some(entries) => return Some(Value::Pairs(pairs(context, &what, entries))),
            None => "a mapping of names to texts",
        },
        Type::Parameters => match named_values(context, &what, node) {
            Some(pairs) => return Some(Value::Pairs(pairs)),
            None => "a list of mappings with `name` and `value`",
        },
        Type::Registry => match node.items() {
            Some(items) => {
                let texts = items.iter().filter_map(|item| element(context, &what, item));
                return Some(Value::Texts(texts.collect()));
            }
            None => return registry(context, &what, parent, (key, node)).map(Value::Text),
        },
    };
    wrong_type(context, &what, wanted, key, node);
    None
}

fn wrong_type(context: &mut Context<'_>, what: &str, wanted: &str, key: &Node, node: &Node) {
    let span = if node.span.start == node.span.end { key.span } else { node.span };
    let message = format!("{what} must be {wanted}");
    let diagnostic =
        Diagnostic::error("S005", message).at(context.source, span, format!("this is {}", node.describe()));
    // A line such as `- echo "a: b"` is a mapping, which nobody means.
    let stray = wanted == "text" && node.entries().is_some_and(|entries| entries.len() == 1);
    let help = if stray && !is_flow(context.source, node) {
        "a text with `: ` in it must be quoted, or written as a block below `|`"
    } else if node.is_null() && wanted == "text" {
        "write the text; \"\" is one without characters"
    } else if node.is_null() {
        "write the value, or remove the key"
    } else if node.entries().is_some() && wanted.ends_with("`name` and `value`") {
        "write each as an item of a list: `- name: Version`, and `value:` below it"
    } else {
        context.push(diagnostic);
        return;
    };
    context.push(diagnostic.help(help));
}

/// One text where a list of texts belongs, as in `commands: |`.
fn text_for_list(context: &mut Context<'_>, what: &str, parent: &Node, key: &Node, node: &Node) {
    let diagnostic = Diagnostic::error("S005", format!("{what} must be a list of texts"))
        .at(context.source, node.span, format!("this is {}", node.describe()))
        .help("make it an item of a list: put a dash before it, in a line of its own");
    context.push(match text_into_list(context.source, parent, key, node) {
        Some(edits) => diagnostic.unsafe_fix("make it an item of a list", edits),
        None => diagnostic,
    });
}

/// A registry value: numbers are welcome, unless the type says that it is text.
fn registry(context: &mut Context<'_>, what: &str, parent: &Node, (key, node): (&Node, &Node)) -> Option<Template> {
    let numeric = parent.get("type").and_then(Node::as_str).is_none_or(|kind| !kind.ends_with("SZ"));
    if numeric && node.as_str().is_some() && !node.is_null() {
        return context.template(node);
    }
    text(context, what, key, node)
}

fn refuse_empty(context: &mut Context<'_>, input: &Input, what: &str, node: &Node) -> bool {
    let empty = input.required && node.items().is_some_and(<[Node]>::is_empty);
    if empty {
        context.push(
            Diagnostic::error("S005", format!("{what} must have at least one item"))
                .at(context.source, node.span, "an empty list")
                .help("write what is to be run, or remove the step"),
        );
    }
    empty
}

/// A text; numbers and booleans are taken as written, with a warning. Permissions are always written like numbers.
fn text(context: &mut Context<'_>, what: &str, key: &Node, node: &Node) -> Option<Template> {
    if node.as_str().is_none() || node.is_null() {
        wrong_type(context, what, "text", key, node);
        return None;
    }
    if !what.starts_with("`permissions`") {
        context.warn_typed(node, what);
    }
    context.template(node)
}

/// An item of a list of registry data: text or a number, whichever the type of the value asks for.
fn element(context: &mut Context<'_>, what: &str, node: &Node) -> Option<Template> {
    if node.as_str().is_none() || node.is_null() {
        wrong_type(context, &format!("each item of {what}"), "text or a number", node, node);
        return None;
    }
    context.template(node)
}

/// Checks a text against what may be written there, unless an expression decides it later.
fn chosen(context: &mut Context<'_>, input: &Input, what: &str, node: &Node, template: Template) -> Option<Value> {
    if let Some(text) = template.literal() {
        match input.kind {
            Type::OneOf(words) if !words.contains(&text.as_str()) => {
                not_a_choice(context, "S007", node, what, words);
                return None;
            }
            Type::Encoding if !ENCODINGS.iter().any(|name| name.eq_ignore_ascii_case(&text)) => {
                not_a_choice(context, "S007", node, what, ENCODINGS);
                return None;
            }
            Type::Permissions if !is_octal(&text) => {
                wrong_type(context, what, "permission bits in octal, such as \"0644\"", node, node);
                return None;
            }
            _ => {}
        }
    }
    Some(Value::Text(template))
}

/// Whether a text is permission bits: 3 or 4 octal digits, optionally behind `0o`.
fn is_octal(text: &str) -> bool {
    let digits = text.strip_prefix("0o").unwrap_or(text);
    (3..=5).contains(&digits.len())
        && digits.bytes().all(|b| (b'0'..=b'7').contains(&b))
        && u32::from_str_radix(digits, 8).is_ok_and(|bits| bits <= 0o7777)
}

/// Reports a word outside the allowed ones.
pub fn not_a_choice(context: &mut Context<'_>, code: &'static str, node: &Node, what: &str, words: &[&str]) {
    let all = format!("one of {}", words.join(", "));
    let place = context.visible(node);
    let Some(text) = node.as_str().filter(|_| !node.is_null()) else {
        let label = format!("this is {}", node.describe());
        let message = format!("{what} must be {all}");
        context.push(Diagnostic::error(code, message).at(context.source, place, label).help("write one of them"));
        return;
    };
    let message = format!("{what} cannot be `{text}`");
    let mut diagnostic = Diagnostic::error(code, message).at(context.source, place, "not a known value");
    // Whether letter case counts is not documented; the documentation always writes the words as they stand here.
    diagnostic.inferred = words.iter().any(|word| word.eq_ignore_ascii_case(text));
    context.push(match suggest(text, words) {
        Some(near) => meant(diagnostic, context.source, node.span, near),
        None => diagnostic.help(all),
    });
}

fn pairs(context: &mut Context<'_>, what: &str, entries: &[(Node, Node)]) -> Vec<(String, Template)> {
    let mut pairs = Vec::new();
    for (key, value) in entries {
        let name = key.as_str().unwrap_or_default().to_owned();
        if let Some(template) = text(context, &format!("{what}, property `{name}`,"), key, value) {
            pairs.push((name, template));
        }
    }
    pairs
}

fn named_values(context: &mut Context<'_>, what: &str, node: &Node) -> Option<Vec<(String, Template)>> {
    let mut pairs = Vec::new();
    for item in node.items()? {
        context.mapping(item, &format!("an item of {what}"), keys::VALUE)?;
        let (name, value) = (item.get("name").filter(|name| !name.is_null())?.as_str()?.to_owned(), item.get("value")?);
        pairs.push((name, text(context, what, value, value)?));
    }
    Some(pairs)
}

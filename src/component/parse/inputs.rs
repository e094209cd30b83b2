//! Inputs, checked against the table of modules.

use super::context::{Context, unknown_key};
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
    let empty = node.items().is_some_and(<[Node]>::is_empty) || node.entries().is_some_and(<[_]>::is_empty);
    if empty && module.needs_inputs() {
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

fn missing(context: &mut Context<'_>, place: &Place<'_>, module: &Module, span: Span) {
    // The service's own words, so that a search finds them.
    let message = format!(
        "Parsing step '{}' in phase '{}' failed. Error: Action {} has no inputs; it requires an 'inputs'",
        place.step, place.phase, module.name
    );
    let required: Vec<&str> = module.inputs.iter().filter(|input| input.required).map(|input| input.name).collect();
    let diagnostic =
        Diagnostic::error("S003", message).at(context.source, span, "without inputs there is nothing to do");
    context.push(match required.as_slice() {
        [] => diagnostic.help("add `inputs:`"),
        keys => diagnostic.help(format!("add `inputs:` with {}", keys.join(", "))),
    });
}

fn wrong_shape(context: &mut Context<'_>, module: &Module, node: &Node, wanted: &str) -> Vec<Item> {
    let diagnostic = Diagnostic::error("S004", format!("the inputs of {} must be {wanted}", module.name)).at(
        context.source,
        node.span,
        format!("this is {}", node.describe()),
    );
    context.push(match module.shape {
        Shape::List => diagnostic.help("put a dash before the first key: `- path: …`"),
        _ => diagnostic.help("remove the dash before the first key"),
    });
    Vec::new()
}

fn item(context: &mut Context<'_>, place: &Place<'_>, module: &'static Module, node: &Node) -> Option<Item> {
    let Some(entries) = node.entries() else {
        wrong_shape(context, module, node, "a list of mappings");
        return None;
    };
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
        if let Some(value) = value(context, module, input, key, node) {
            fields.push(Field { name: input.name, span: key.span, value_span: node.span, value });
        }
    }
    // A misspelled input is one fault, not an unknown one and a missing one.
    let given = |name: &str| node.get(name).is_some() || misspelled.contains(&name);
    for input in module.inputs.iter().filter(|input| input.required && !given(input.name)) {
        let message = format!("{} needs the input `{}`", module.name, input.name);
        let label = format!("`{}` of step `{}` is missing", input.name, place.step);
        context.push(Diagnostic::error("S005", message).at(context.source, node.span, label).help(input.summary));
    }
    for rule in module.rules {
        let (Rule::ExactlyOne(keys) | Rule::Together(keys)) = rule;
        let count = keys.iter().filter(|key| given(key)).count();
        let (broken, code, message) = match rule {
            Rule::ExactlyOne(_) => (count != 1, "S010", "exactly one of these inputs"),
            Rule::Together(_) => (count != 0 && count != keys.len(), "M007", "all of these inputs or none"),
        };
        if broken {
            let first = keys.iter().find_map(|key| node.entry(key)).map_or(node.span, |(key, _)| key.span);
            let message = format!("{} takes {message}: {}", module.name, keys.join(", "));
            let diagnostic = Diagnostic::error(code, message).at(context.source, first, format!("here are {count}"));
            context.push(match rule {
                Rule::Together(_) => diagnostic.note("with only one of them nothing is verified, without a word"),
                Rule::ExactlyOne(_) => diagnostic,
            });
        }
    }
    Some(Item { fields, span: node.span })
}

fn value(context: &mut Context<'_>, module: &Module, input: &Input, key: &Node, node: &Node) -> Option<Value> {
    let what = format!("`{}` of {}", input.name, module.name);
    let wanted = match input.kind {
        Type::Text | Type::Permissions | Type::Encoding | Type::OneOf(_) => {
            return text(context, &what, key, node).and_then(|template| chosen(context, input, &what, node, template));
        }
        Type::Texts => {
            if let Some(items) = node.items() {
                let what = format!("each item of {what}");
                return Some(Value::Texts(items.iter().filter_map(|item| text(context, &what, item, item)).collect()))
                    .filter(|_| !refuse_empty(context, input, &what, node));
            }
            "a list of texts"
        }
        Type::Boolean | Type::BooleanText => {
            let quoted = || node.as_str().filter(|_| input.kind == Type::BooleanText)?.parse().ok();
            if let Some(value) = node.as_bool().or_else(quoted) {
                return Some(Value::Boolean(value));
            }
            "true or false, without quotes"
        }
        Type::Count => {
            if let Some(value) = node.as_int().and_then(|number| u64::try_from(number).ok()) {
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
            None => return text(context, &what, key, node).map(Value::Text),
        },
    };
    wrong_type(context, &what, wanted, key, node);
    None
}

fn wrong_type(context: &mut Context<'_>, what: &str, wanted: &str, key: &Node, node: &Node) {
    let span = if node.span.start == node.span.end { key.span } else { node.span };
    context.error("S005", span, format!("{what} must be {wanted}"), format!("this is {}", node.describe()));
}

fn refuse_empty(context: &mut Context<'_>, input: &Input, what: &str, node: &Node) -> bool {
    let empty = input.required && node.items().is_some_and(<[Node]>::is_empty);
    if empty {
        context.error("S005", node.span, format!("{what} is needed"), "an empty list");
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
    let text = node.as_str().unwrap_or_default();
    let diagnostic = Diagnostic::error(code, format!("{what} cannot be `{text}`")).at(
        context.source,
        node.span,
        "not a known value",
    );
    context.push(match suggest(text, words) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help(format!("one of {}", words.join(", "))),
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

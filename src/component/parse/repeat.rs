//! What stands below `loop`.

use super::context::Context;
use crate::component::keys;
use crate::component::repeat::{DEFAULT_DELIMITER, DELIMITERS, ESCAPED_DELIMITERS, Loop, Over, RESERVED_NAME, count};
use crate::diagnostic::{Diagnostic, Span};
use crate::yaml::Node;
use std::collections::BTreeMap;

/// Reads a loop; `names` are the loops of the phase so far.
pub fn repeat(context: &mut Context<'_>, key: &Node, node: &Node, names: &mut BTreeMap<String, Span>) -> Loop {
    let mut read = Loop { name: None, over: None, key: key.span, span: node.span };
    if node.entries().is_none() {
        context.push(
            Diagnostic::error("L001", "a loop must be a mapping with `for` or `forEach`")
                .at(context.source, something(key, node), format!("this is {}", node.describe()))
                .help("write for example `loop: { forEach: [a, b] }`"),
        );
        return read;
    }
    context.mapping(node, "a loop", keys::LOOP);
    read.name =
        node.get("name").and_then(|node| name(context, node, names)).zip(node.get("name").map(|node| node.span));
    read.over = match (node.entry("for"), node.entry("forEach")) {
        (Some((key, node)), None) => range(context, key, node),
        (None, Some((key, node))) => items(context, key, node),
        (Some(_), Some((key, _))) => {
            context.push(
                Diagnostic::error("L001", "a loop has either `for` or `forEach`")
                    .at(context.source, key.span, "both are here")
                    .help("keep one of them; for a loop in a loop, run a document of its own with ExecuteDocument"),
            );
            None
        }
        (None, None) => {
            context.push(
                Diagnostic::error("L001", "a loop has neither `for` nor `forEach`")
                    .at(context.source, something(key, node), "nothing to go over")
                    .help("add `forEach: [a, b]` or `for: { start: 0, end: 4, updateBy: 1 }`"),
            );
            None
        }
    };
    read
}

fn name(context: &mut Context<'_>, node: &Node, names: &mut BTreeMap<String, Span>) -> Option<String> {
    let name = context.text(node, "the name of a loop")?;
    if name.contains("{{") {
        context.misplaced_expression(node, "the name of a loop");
        return None;
    }
    if name == RESERVED_NAME {
        context.push(
            Diagnostic::error("L003", "a loop cannot be named `loop`")
                .at(context.source, node.span, "means every loop")
                .note("`loop.value` is the value of whichever loop the step has")
                .help("leave the name out, or choose another one")
                .inferred(),
        );
    } else if let Some(first) = names.insert(name.to_owned(), node.span) {
        context.push(
            Diagnostic::error("L003", format!("there are two loops named `{name}` in this phase"))
                .at(context.source, node.span, "again here")
                .also_at(context.source, first, "first here")
                .help("give one of them another name, or none"),
        );
    }
    Some(name.to_owned())
}

fn range(context: &mut Context<'_>, key: &Node, node: &Node) -> Option<Over> {
    context.shape(node, "`for`", keys::FOR, "L001")?;
    let mut number = |name: &str| number(context, key, node, name);
    let (start, end, step) = (number("start"), number("end"), number("updateBy"));
    let (start, end, step) = (start?, end?, step?);
    let span = node.get("updateBy").map_or(node.span, |node| node.span);
    if step == 0 {
        context.push(
            Diagnostic::error("L001", "`updateBy` cannot be 0")
                .at(context.source, span, "would never end")
                .help("write 1 to count up, -1 to count down"),
        );
        return None;
    }
    if count(start, end, step) == 0 {
        let message = format!("counting from {start} by {step} never reaches {end}");
        let diagnostic = Diagnostic::error("L001", message).at(context.source, span, "leads away from the end");
        context.push(diagnostic.help("change the sign of `updateBy`, or exchange `start` and `end`"));
        return None;
    }
    Some(Over::Range { start, end, step, span: node.span })
}

/// One of the three numbers of a range.
fn number(context: &mut Context<'_>, key: &Node, node: &Node, name: &str) -> Option<i64> {
    let example = "write for example `for: { start: 0, end: 4, updateBy: 1 }`";
    let Some(value) = node.get(name) else {
        context.push(
            Diagnostic::error("L001", format!("`for` needs `{name}`"))
                .at(context.source, something(key, node), format!("`{name}` is missing"))
                .help(format!("{example}; both ends are included")),
        );
        return None;
    };
    if value.as_str().is_some_and(|text| text.contains("{{")) {
        context.push(
            Diagnostic::error("L002", format!("`{name}` of `for` takes no expression"))
                .at(context.source, value.span, "must be a number")
                .help("write the number out, or use `forEach` with a list, which may hold expressions"),
        );
        return None;
    }
    let number = value.as_int();
    if number.is_none() {
        context.push(
            Diagnostic::error("L001", format!("`{name}` of `for` must be a whole number"))
                .at(context.source, something(node, value), format!("this is {}", value.describe()))
                .help(format!("{example}, without quotes")),
        );
    }
    number
}

fn items(context: &mut Context<'_>, key: &Node, node: &Node) -> Option<Over> {
    if let Some(items) = node.items() {
        if items.is_empty() {
            context.push(
                Diagnostic::error("L001", "`forEach` has nothing to go over")
                    .at(context.source, node.span, "an empty list")
                    .help("add items, or remove the step"),
            );
            return None;
        }
        let read: Vec<_> =
            items.iter().map(|item| context.scalar_template(key, item, "each item of `forEach`", "L001")).collect();
        return read.into_iter().collect::<Option<Vec<_>>>().map(Over::Items);
    }
    if node.entries().is_none() {
        context.push(
            Diagnostic::error("L001", "`forEach` must be a list, or a mapping with `list` and `delimiter`")
                .at(context.source, something(key, node), format!("this is {}", node.describe()))
                .help("to split a text, write `forEach: { list: \"a,b\", delimiter: \",\" }`"),
        );
        return None;
    }
    context.shape(node, "`forEach`", keys::FOR_EACH, "L001")?;
    let Some((list_key, list)) = node.entry("list") else {
        context.push(
            Diagnostic::error("L001", "`forEach` needs `list`")
                .at(context.source, something(key, node), "nothing to go over")
                .help("write `forEach: { list: \"a,b\", delimiter: \",\" }`"),
        );
        return None;
    };
    let list = context.scalar_template(list_key, list, "`list` of `forEach`", "L001")?;
    let delimiter = match node.get("delimiter") {
        None => DEFAULT_DELIMITER.to_owned(),
        Some(node) => delimiter(context, node)?,
    };
    Some(Over::Split { list, delimiter })
}

fn delimiter(context: &mut Context<'_>, node: &Node) -> Option<String> {
    let text = node.as_str().unwrap_or_default();
    let text = ESCAPED_DELIMITERS.iter().find(|(escaped, _)| *escaped == text).map_or(text, |(_, meant)| meant);
    if DELIMITERS.contains(&text) {
        return Some(text.to_owned());
    }
    let diagnostic = if text.contains("{{") {
        Diagnostic::error("L002", "`delimiter` takes no expression").at(
            context.source,
            node.span,
            "must be a character",
        )
    } else {
        Diagnostic::error(
            "L002",
            format!("`delimiter` cannot be {}", if text.is_empty() { "empty".to_owned() } else { format!("`{text}`") }),
        )
        .at(context.source, node.span, "not one of the nine")
    };
    context.push(diagnostic.help("one of . , ; : - _, a blank, \"\\n\" and \"\\t\""));
    None
}

/// Something to point at: an absent value has no width.
fn something(key: &Node, node: &Node) -> Span {
    if node.span.start == node.span.end { key.span } else { node.span }
}

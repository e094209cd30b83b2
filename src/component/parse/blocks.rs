//! `if` and `loop`: their outer form. What they mean is not interpreted yet.

use super::context::{Context, unknown_key};
use crate::component::model::Raw;
use crate::diagnostic::{Diagnostic, Span};
use crate::yaml::Node;

/// The operators of conditions (reference/component-documents.md section 8).
const OPERATORS: &[&str] = &[
    "and",
    "or",
    "not",
    "stringIsEmpty",
    "stringIsWhitespace",
    "stringEquals",
    "stringLessThan",
    "stringLessThanEquals",
    "stringGreaterThan",
    "stringGreaterThanEquals",
    "patternMatches",
    "numberEquals",
    "numberLessThan",
    "numberLessThanEquals",
    "numberGreaterThan",
    "numberGreaterThanEquals",
    "binaryExists",
    "fileExists",
    "folderExists",
    "fileMD5Equals",
    "fileSHA1Equals",
    "fileSHA256Equals",
    "fileSHA512Equals",
];

/// Keeps a condition; `branches` tells whether `then` and `else` may stand beside the operator.
pub fn condition(context: &mut Context<'_>, key: &Node, node: &Node, branches: bool) -> Raw {
    let beside: &[&str] = if branches { &["value", "path", "then", "else"] } else { &["value", "path"] };
    let known: Vec<&str> = OPERATORS.iter().chain(beside).copied().collect();
    match node.entries() {
        None => {
            let label = format!("this is {}", node.describe());
            context.error("C031", node_or_key(key, node), "a condition must be a mapping with one operator", label);
        }
        Some(entries) => {
            let name = |entry: &(Node, Node)| entry.0.as_str().unwrap_or_default().to_owned();
            let unknown: Vec<_> = entries.iter().filter(|entry| !known.contains(&name(entry).as_str())).collect();
            for entry in &unknown {
                let fault = unknown_key(context.source, entry.0.span, &name(entry), "a condition", &known);
                context.push(Diagnostic { code: "C031", ..fault });
            }
            let operators = entries.iter().filter(|entry| OPERATORS.contains(&name(entry).as_str())).count();
            if operators != 1 && unknown.is_empty() {
                let label = format!("here are {operators}");
                context.error("C031", node.span, "a condition has exactly one operator", label);
            }
        }
    }
    Raw { key: key.span, node: node.clone(), templates: context.templates(node) }
}

/// Keeps a loop.
pub fn repeat(context: &mut Context<'_>, key: &Node, node: &Node) -> Raw {
    if node.entries().is_none() {
        let label = format!("this is {}", node.describe());
        context.error("C030", node_or_key(key, node), "a loop must be a mapping with `for` or `forEach`", label);
    } else {
        context.mapping(node, "a loop", &["name", "for", "forEach"]);
        if node.get("for").is_some() == node.get("forEach").is_some() {
            context.error("C030", node.span, "a loop has either `for` or `forEach`", "exactly one of them");
        }
    }
    Raw { key: key.span, node: node.clone(), templates: context.templates(node) }
}

/// Something to point at: an absent value has no width.
fn node_or_key(key: &Node, node: &Node) -> Span {
    if node.span.start == node.span.end { key.span } else { node.span }
}

//! Parameters and constants.

use crate::component::expression;
use crate::component::is_name;
use crate::component::rules::model::Findings;
use crate::component::rules::subject::Subject;
use crate::diagnostic::{Span, suggest};
use crate::yaml::{Kind, Node};
use std::collections::BTreeSet;

/// `D013`
pub(super) fn undocumented(subject: &Subject<'_>, found: &mut Findings<'_>) {
    let is_said = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.trim().is_empty());
    for parameter in &subject.document.parameters {
        if !is_name(&parameter.name) || parameter.default_span.is_some() || is_said(&parameter.description) {
            continue;
        }
        let message = format!("parameter `{}` must be given, but nothing says what it is for", parameter.name);
        found.add(
            found
                .at(parameter.span, message, "neither a default nor a description")
                .help("add `description:` with an example of a value, or a `default:`"),
        );
    }
}

/// `D014`
pub(super) fn unused(subject: &Subject<'_>, found: &mut Findings<'_>) {
    let mut used = BTreeSet::new();
    names_in(subject.root, &mut used);
    let document = subject.document;
    let parameters = document.parameters.iter().map(|parameter| ("parameter", &parameter.name, parameter.span));
    let constants = document.constants.iter().map(|constant| ("constant", &constant.name, constant.span));
    let declared: Vec<(&str, &String, Span)> = parameters.chain(constants).collect();
    let names: BTreeSet<&str> = declared.iter().map(|(_, name, _)| name.as_str()).collect();
    // A name that is used with a slip has been reported where it is used.
    let slips: Vec<&str> = used.iter().map(String::as_str).filter(|name| !names.contains(name)).take(50).collect();
    for (what, name, span) in declared {
        if !is_name(name) || used.contains(name) || slips.iter().any(|slip| suggest(slip, [name.as_str()]).is_some()) {
            continue;
        }
        let diagnostic =
            found.at(span, format!("{what} `{name}` is not used"), format!("no `{{{{ {name} }}}}` in this document"));
        found.add(diagnostic.help(if what == "constant" {
            "use it, or remove it"
        } else {
            "use it, or remove it here and from the recipes that give it"
        }));
    }
}

/// All names that stand in double braces, in whatever part of a document: a place where they are not replaced is another
/// fault.
fn names_in(node: &Node, into: &mut BTreeSet<String>) {
    match &node.kind {
        Kind::Scalar(scalar) => {
            let mut rest = scalar.text.as_str();
            while let Some((inside, after)) = rest.split_once("{{").and_then(|(_, rest)| rest.split_once("}}")) {
                into.extend(names_of(inside.trim()));
                rest = after;
            }
        }
        Kind::Sequence(items) => items.iter().for_each(|item| names_in(item, into)),
        Kind::Mapping(entries) => entries.iter().for_each(|(_, value)| names_in(value, into)),
    }
}

fn names_of(inside: &str) -> Vec<String> {
    match expression::parse(inside) {
        Ok(expression) => expression.declared().map(str::to_owned).into_iter().collect(),
        // Whatever was meant, its words may be names.
        Err(_) => inside
            .split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_')
            .filter(|word| !word.is_empty())
            .map(str::to_owned)
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_every_kind_of_expression() {
        for (inside, expected) in [
            ("Version", vec!["Version"]),
            ("aws:ssm:resolve(Path)", vec!["Path"]),
            ("aws:ssm:/Path", vec![]),
            ("build.Version.outputs.stdout", vec![]),
            ("env:Version", vec![]),
            ("Version | upper", vec!["Version", "upper"]),
        ] {
            assert_eq!(names_of(inside), expected, "{inside}");
        }
    }
}

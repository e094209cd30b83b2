//! Where expressions are not replaced.

use crate::component::expression;
use crate::component::rules::model::Findings;
use crate::component::rules::subject::Subject;
use crate::diagnostic::{Diagnostic, Severity, Span};

/// X007, of which the rest is found while the document is read: a default or constant with an expression in it.
///
/// The service takes such a document, so it is a warning. Braces for somebody else's template are none of our business.
pub(super) fn in_declarations(subject: &Subject<'_>, found: &mut Findings<'_>) {
    let defaults = subject.document.parameters.iter().filter_map(|parameter| {
        let text = parameter.default.as_deref()?;
        Some((format!("the default of parameter `{}`", parameter.name), text, parameter.default_span?))
    });
    let constants = subject.document.constants.iter().map(|constant| {
        (format!("the value of constant `{}`", constant.name), constant.value.as_str(), constant.value_span)
    });
    for (what, _, span) in defaults.chain(constants).filter(|(_, text, _)| holds_expression(text)) {
        let diagnostic = found
            .at(span, format!("{what} holds an expression"), "most likely taken as it is written")
            .note("expressions are replaced in `inputs`, in `loop.forEach` and in the value of a condition")
            .help("write the value out, or put the two parts together where they are used");
        found.add(Diagnostic { severity: Severity::Warning, ..diagnostic });
    }
}

fn holds_expression(text: &str) -> bool {
    let parts = expression::split(text, |_| Span::default(), |_, _| {});
    parts.iter().any(|part| matches!(part, expression::Part::Expression(..)))
}

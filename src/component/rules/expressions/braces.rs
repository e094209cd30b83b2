//! Double braces that were meant for somebody else.

use crate::component::expression::{Expression, Template};
use crate::component::rules::model::Findings;
use crate::component::rules::subject::Subject;
use crate::yaml::Offsets;
use std::ops::Range;

/// X014
///
/// Text in double braces that is no expression is an error of its own. Here stands what happens to be one: `${{ … }}` as
/// GitHub Actions writes it, and names in a text that has `{% … %}` of Jinja.
pub(super) fn looks_like_another_template(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for template in subject.steps().flat_map(|(_, step)| step.templates()) {
        let offsets = || Offsets::new(&found.source().text, &template.node);
        if template.expressions().next().is_none() {
            continue;
        }
        let diagnostic = if let Some(dollar) = dollar(template.text()) {
            let offsets = offsets();
            let place = offsets.span(&dollar);
            let (start, end) = (place.start, place.end);
            let diagnostic = found
                .at(
                    crate::diagnostic::Span::new(start, end),
                    "the `$` stays in front of the value",
                    "`${{` is GitHub Actions",
                )
                .help("write `{{ … }}` without the `$`");
            match offsets.edit(&dollar, "") {
                Some(edit) => diagnostic.unsafe_fix("remove the `$`", vec![edit]),
                None => diagnostic,
            }
        } else if let Some((tag, span)) = tag(template.text()).zip(name(template)) {
            found
                .at(
                    span,
                    "this is replaced before the template engine reads the text",
                    "an expression of the component",
                )
                .also_at(found.source(), offsets().span(&tag), "a tag of Jinja")
                .note("there is no way to write a literal `{{`")
                .help("keep the template in a file of its own and download it, or store it as base64")
        } else {
            continue;
        };
        found.add(diagnostic);
    }
}

/// The `$` of `${{ … }}`. The one of `$${{`, which GitHub Actions does not have, is a dollar sign on purpose.
fn dollar(text: &str) -> Option<Range<usize>> {
    let places = text.match_indices("${{").map(|(at, _)| at);
    places.filter(|at| !text[..*at].ends_with(['$', '\\'])).map(|at| at..at + 1).next()
}

/// The words with which tags of Jinja begin.
const TAGS: &[&str] = &[
    "if",
    "elif",
    "else",
    "endif",
    "for",
    "endfor",
    "set",
    "block",
    "endblock",
    "extends",
    "include",
    "import",
    "from",
    "macro",
    "endmacro",
    "raw",
    "endraw",
    "filter",
    "endfilter",
    "with",
    "endwith",
    "call",
    "endcall",
];

/// The first tag of Jinja: `{%`, perhaps a `-`, a known word, and a `%}` in the same line.
fn tag(text: &str) -> Option<Range<usize>> {
    text.match_indices("{%").find_map(|(at, _)| {
        let line = text[at..].lines().next()?;
        let inside = &line[2..line.find("%}")?];
        let word = inside.trim_start_matches(['-', '+']).split_whitespace().next()?.trim_end_matches(['-', '+']);
        TAGS.contains(&word).then(|| at..at + inside.len() + 4)
    })
}

/// The first expression that Jinja would read, too: a name, or a name with a field.
fn name(template: &Template) -> Option<crate::diagnostic::Span> {
    let named = |expression: &Expression| matches!(expression, Expression::Name(_) | Expression::Loop { .. });
    template.expressions().find(|(expression, _)| named(expression)).map(|(_, span)| span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_and_tags_are_found_and_nothing_else() {
        for (text, expected) in [
            ("a ${{ Name }}", Some(2)),
            ("a $${{ Name }}", None),
            (r"a \${{ Name }}", None),
            ("$ {{ Name }} ${ x }", None),
            ("$5 {{ Name }}", None),
        ] {
            assert_eq!(dollar(text).map(|range| range.start), expected, "{text}");
        }
        for (text, expected) in [
            ("{% if x %}\n{{ Name }}", Some("{% if x %}")),
            ("a {%- endfor -%} b", Some("{%- endfor -%}")),
            ("{%endif%}", Some("{%endif%}")),
            ("curl -w '{%{http_code}}'", None),
            ("printf '{%s}' a; echo ${a%}", None),
            ("{% now %}", None),
            ("{% if x", None),
            ("{%", None),
        ] {
            assert_eq!(tag(text).map(|range| &text[range]), expected, "{text}");
        }
    }
}

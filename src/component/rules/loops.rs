//! `L`: loops.

use super::model::{Basis, Check, Findings, Rule};
use super::subject::Subject;
use crate::component::model::Step;
use crate::component::repeat::{Loop, Over};
use crate::diagnostic::{Severity, Span};
use std::time::Duration;

/// The rules of this family.
pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "L001",
        name: "invalid-loop",
        level: Severity::Error,
        basis: Basis::Service,
        summary: "A loop is incomplete, goes over nothing, or would never end.",
        why: "A loop has either `for`, with the whole numbers start, end and updateBy, or `forEach`, with items. Both ends \
            of a range are included, and a range whose steps lead away from its end is refused. Section 7.",
        example: "loop:\n  for: { start: 0, end: 4, updateBy: -1 }",
        instead: "loop:\n  for: { start: 0, end: 4, updateBy: 1 }",
        supersedes: &[],
        check: Check::Reading,
    },
    Rule {
        id: "L002",
        name: "invalid-delimiter",
        level: Severity::Error,
        basis: Basis::Service,
        summary: "The delimiter of a list is not one of the nine, or an expression stands in it or in a range.",
        why: "A list can be split at `.` `,` `;` `:` `-` `_`, a blank, a line break or a tab, and at nothing else. Neither \
            the delimiter nor the numbers of a range are replaced when the step runs. Section 7.",
        example: "loop:\n  forEach: { list: \"a|b\", delimiter: \"|\" }",
        instead: "loop:\n  forEach: { list: \"a,b\", delimiter: \",\" }",
        supersedes: &[],
        check: Check::Reading,
    },
    Rule {
        id: "L003",
        name: "loop-name-taken",
        level: Severity::Error,
        basis: Basis::Service,
        summary: "Two loops of a phase have the same name, or a loop is named `loop`.",
        why: "The name of a loop must be unique in its phase. `loop.value` already means the value of the step's own loop, \
            so that a loop of that name could not be told from any other; this half is inferred. Section 7.",
        example: "loop:\n  name: loop\n  forEach: [a, b]",
        instead: "loop:\n  name: packages\n  forEach: [a, b]",
        supersedes: &[],
        check: Check::Reading,
    },
    Rule {
        id: "L004",
        name: "odd-number-of-iterations",
        level: Severity::Warning,
        basis: Basis::Advice,
        summary: "A loop runs once or not at all, or more than 1000 times.",
        why: "A loop that runs once usually has a wrong end, a wrong delimiter, or a list where a text should be split: an \
            item of forEach is never split. More than 1000 iterations are one step with one time limit and one entry in \
            the log; when one fails, all are run again. Section 7.",
        example: "loop:\n  forEach: [\"{{ build.Find.outputs[0].files }}\"]",
        instead: "loop:\n  forEach: { list: \"{{ build.Find.outputs[0].files }}\", delimiter: \",\" }",
        supersedes: &[],
        check: Check::Document(iterations),
    },
    Rule {
        id: "L005",
        name: "little-time-for-a-loop",
        level: Severity::Warning,
        basis: Basis::Advice,
        summary: "The time limit of a step leaves less than a second for each iteration of its loop.",
        why: "`timeoutSeconds` covers all iterations of an attempt together. Starting a shell or a program takes a good \
            part of a second on a busy instance, so such a limit runs out before the loop has ended. Section 7.",
        example: "timeoutSeconds: 30\nloop:\n  for: { start: 1, end: 100, updateBy: 1 }",
        instead: "timeoutSeconds: 600\nloop:\n  for: { start: 1, end: 100, updateBy: 1 }",
        supersedes: &[],
        check: Check::Document(little_time),
    },
];

/// More iterations than this belong into a script.
const MANY: u64 = 1000;

fn loops<'a>(subject: &Subject<'a>) -> impl Iterator<Item = (&'a Step, &'a Loop, &'a Over)> + use<'a> {
    subject.steps().filter_map(|(_, step)| {
        let repeat = step.repeat.as_ref()?;
        Some((step, repeat, repeat.over.as_ref()?))
    })
}

/// L004
fn iterations(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for (step, repeat, over) in loops(subject) {
        let Some(count) = repeat.iterations() else { continue };
        let span = place(over);
        if count > MANY {
            let message = format!("the loop of step `{}` runs {count} times", step.name);
            let diagnostic = found.at(span, message, format!("more than {MANY}"));
            found.add(diagnostic.help("put the loop into a script, which can go on where it has failed"));
        } else if let Some((label, help)) = once(over).filter(|_| count < 2) {
            let times = if count == 0 { "never runs" } else { "runs only once" };
            let message = format!("the loop of step `{}` {times}", step.name);
            found.add(found.at(span, message, label).help(help));
        }
    }
}

/// Where the number of iterations comes from.
fn place(over: &Over) -> Span {
    match over {
        Over::Range { span, .. } => *span,
        Over::Split { list, .. } => list.span(),
        Over::Items(items) => {
            let ends = items.first().zip(items.last());
            ends.map_or_else(Span::default, |(first, last)| Span::new(first.span().start, last.span().end))
        }
    }
}

/// What to say of a loop that runs once or not at all; `None` where that may well be meant: a list that has one item for
/// now, and is there to get more.
fn once(over: &Over) -> Option<(String, String)> {
    match over {
        Over::Range { start, end, step, .. } if start == end => {
            Some((format!("begins and ends with {start}"), format!("correct `end`, or use `{start}` without a loop")))
        }
        Over::Range { start, end, step, .. } => Some((
            format!("the next number, {}, is beyond {end}", start.saturating_add(*step)),
            "correct `end` or `updateBy`; both ends are included".to_owned(),
        )),
        Over::Split { list, delimiter } => {
            let label = if list.text().is_empty() {
                "an empty list".to_owned()
            } else {
                format!("{} is nowhere in it", named(delimiter))
            };
            Some((label, "write what stands between the items under `delimiter`; without one it is `,`".to_owned()))
        }
        Over::Items(items) => {
            let [item] = items.as_slice() else { return None };
            let several = item.fixed().is_none_or(|text| text.contains([',', ';', '\n']));
            let label = "one item, which is not split".to_owned();
            several.then(|| (label, "write `forEach: { list: …, delimiter: \",\" }` to split it".to_owned()))
        }
    }
}

/// A delimiter as it is spoken of.
fn named(delimiter: &str) -> String {
    match delimiter {
        "\n" => "a line break".to_owned(),
        "\t" => "a tab".to_owned(),
        " " => "a blank".to_owned(),
        other => format!("`{other}`"),
    }
}

/// L005
fn little_time(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for (step, repeat, over) in loops(subject) {
        let (Some((_, value)), Some(limit), Some(count)) = (step.places.timeout, step.timeout, repeat.iterations())
        else {
            continue;
        };
        if count < 2 || limit >= Duration::from_secs(count) {
            continue;
        }
        let message = format!("step `{}` has {} seconds for {count} iterations together", step.name, limit.as_secs());
        found.add(
            found
                .at(value, message, "less than a second for each")
                .also_at(found.source(), place(over), format!("{count} iterations"))
                .help(format!("allow at least {count} seconds, better what the slowest iteration takes times {count}")),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::component::rules::expressions::tests::reported;

    fn found(keys: &str) -> Vec<String> {
        let head = "parameters: [{ Given: { type: string } }]\n";
        let step = format!("- {{ name: Run, action: ExecuteBash, {keys}, inputs: {{ commands: ['true'] }} }}");
        let found = reported('L', head, &step).into_iter().map(|found| found[..4].to_owned());
        found.filter(|code| code != "L006").collect()
    }

    #[test]
    fn odd_numbers_of_iterations() {
        for (repeat, expected) in [
            ("for: { start: 0, end: 0, updateBy: 1 }", true),
            ("for: { start: 0, end: 5, updateBy: 6 }", true),
            ("for: { start: 0, end: -5, updateBy: -9 }", true),
            ("for: { start: 0, end: 1, updateBy: 1 }", false),
            ("for: { start: 1, end: 1000, updateBy: 1 }", false),
            ("for: { start: 0, end: 1000, updateBy: 1 }", true),
            ("for: { start: -9223372036854775808, end: 9223372036854775807, updateBy: 1 }", true),
            ("forEach: [a]", false),
            ("forEach: [a, b]", false),
            ("forEach: ['a,b']", true),
            ("forEach: ['{{ Given }}']", true),
            ("forEach: ['{{ Given }}', a]", false),
            ("forEach: { list: '' }", true),
            ("forEach: { list: a }", true),
            ("forEach: { list: 'a b' }", true),
            ("forEach: { list: 'a b', delimiter: ' ' }", false),
            ("forEach: { list: '{{ Given }}' }", false),
            ("forEach: { list: '{{ Given }}', delimiter: ';' }", false),
        ] {
            let wanted: &[&str] = if expected { &["L004"] } else { &[] };
            assert_eq!(found(&format!("loop: {{ {repeat} }}")), wanted, "{repeat}");
        }
    }

    #[test]
    fn time_limits_that_are_too_short() {
        for (keys, expected) in [
            ("timeoutSeconds: 9, loop: { for: { start: 1, end: 10, updateBy: 1 } }", true),
            ("timeoutSeconds: 10, loop: { for: { start: 1, end: 10, updateBy: 1 } }", false),
            ("timeoutSeconds: 1, loop: { forEach: [a, b] }", true),
            ("timeoutSeconds: 1, loop: { forEach: [a] }", false),
            ("timeoutSeconds: 1, loop: { forEach: { list: '{{ Given }}' } }", false),
            ("timeoutSeconds: -1, loop: { forEach: [a, b] }", false),
            ("loop: { forEach: [a, b] }", false),
        ] {
            let wanted: &[&str] = if expected { &["L005"] } else { &[] };
            assert_eq!(found(keys), wanted, "{keys}");
        }
    }
}

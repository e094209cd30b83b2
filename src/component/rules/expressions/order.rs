//! What is not there yet, and what may never be.

use crate::component::condition::{Branch, Branching, Condition, Test};
use crate::component::expression::{Chain, Expression, Side, Template};
use crate::component::model::{OnFailure, Step};
use crate::component::rules::model::Findings;
use crate::component::rules::subject::Subject;
use crate::diagnostic::Span;
use std::collections::BTreeSet;

/// The references of a step to other steps, in document order, with their places.
fn chains(step: &Step) -> impl Iterator<Item = (&Chain, Span)> {
    let expressions = step.templates().into_iter().flat_map(Template::expressions);
    expressions.filter_map(|(expression, span)| match expression {
        Expression::Chain(chain) => Some((chain, span)),
        _ => None,
    })
}

fn names(chain: &Chain, phase: &str, step: &Step) -> bool {
    chain.phase == phase && chain.step == step.name
}

/// X006
pub(super) fn inputs_not_known_yet(subject: &Subject<'_>, found: &mut Findings<'_>) {
    let steps: Vec<_> = subject.steps().collect();
    for (at, (_, step)) in steps.iter().enumerate() {
        for (chain, span) in chains(step).filter(|(chain, _)| chain.side == Side::Inputs) {
            let target = steps.iter().position(|(phase, step)| names(chain, &phase.name, step));
            let (message, label) = match target {
                Some(target) if target == at => {
                    (format!("step `{}` uses its own inputs", step.name), "may not be known yet")
                }
                Some(target) if target > at => {
                    (format!("step `{}` runs later than this one", chain.step), "its inputs may not be known yet")
                }
                _ => continue,
            };
            found.add(
                found
                    .at(span, message, label)
                    .note("whether inputs are known before their step runs is not documented")
                    .help("put the value into `constants`, and use it in both places"),
            );
        }
    }
}

/// X012
pub(super) fn output_may_be_empty(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for (_, step) in subject.steps() {
        let mut told = BTreeSet::new();
        let own = step.branching.as_ref().map(|branching| branching.condition.span());
        // A condition is the place to look at a value that may be empty.
        let used = chains(step).filter(|(_, span)| own.is_none_or(|own| !own.contains(*span)));
        for (chain, span) in used.filter(|(chain, _)| chain.side == Side::Outputs) {
            let Some((_, target)) = subject.steps().find(|(phase, step)| names(chain, &phase.name, step)) else {
                continue;
            };
            let Some((why, place)) = doubtful(target) else { continue };
            // Once for each step that is referred to: the remedy is the same for all places.
            if is_guarded(step, chain, target) || !told.insert((&chain.phase, &chain.step)) {
                continue;
            }
            let diagnostic = found.at(span, format!("step `{}` {why}", target.name), "most likely empty then");
            found.add(
                diagnostic
                    .also_at(found.source(), place, "because of this")
                    .help("give this step an `if` that looks at the other step, or a default: `${value:-default}`"),
            );
        }
    }
}

/// Why a step may have no output although steps after it run, and where that is written.
fn doubtful(step: &Step) -> Option<(&'static str, Span)> {
    if step.on_failure == OnFailure::Ignore {
        let (key, value) = step.places.on_failure?;
        return Some((
            "may have failed without ending the build, and then has no output",
            Span::new(key.start, value.end),
        ));
    }
    step.branching
        .as_ref()
        .filter(|branching| may_skip(branching))
        .map(|branching| ("may be skipped, and then has no output", branching.key))
}

fn may_skip(branching: &Branching) -> bool {
    let then = branching.then.map_or(Branch::Execute, |(branch, _)| branch);
    let otherwise = branching.otherwise.map_or(Branch::Skip, |(branch, _)| branch);
    then == Branch::Skip || otherwise == Branch::Skip
}

/// Whether a step runs only when it is known what became of the other.
fn is_guarded(step: &Step, chain: &Chain, target: &Step) -> bool {
    let Some(own) = &step.branching else { return false };
    let looks = own.condition.tests().into_iter().flat_map(Test::templates).flat_map(Template::expressions).any(
        |(expression, _)| {
            matches!(expression, Expression::Chain(other) if other.phase == chain.phase && other.step == chain.step)
        },
    );
    let alike = target.branching.as_ref().is_some_and(|other| {
        let branches = |branching: &Branching| (branching.then.map(|it| it.0), branching.otherwise.map(|it| it.0));
        branches(own) == branches(other) && same(&own.condition, &other.condition)
    });
    looks || (alike && target.on_failure != OnFailure::Ignore)
}

/// Whether two conditions say the same.
fn same(one: &Condition, other: &Condition) -> bool {
    let all = |ones: &[Condition], others: &[Condition]| {
        ones.len() == others.len() && ones.iter().zip(others).all(|(one, other)| same(one, other))
    };
    match (one, other) {
        (Condition::And(ones, _), Condition::And(others, _)) | (Condition::Or(ones, _), Condition::Or(others, _)) => {
            all(ones, others)
        }
        (Condition::Not(one, _), Condition::Not(other, _)) => same(one, other),
        (Condition::Test(one), Condition::Test(other)) => {
            one.operator == other.operator
                && one.templates().map(Template::text).eq(other.templates().map(Template::text))
        }
        _ => false,
    }
}

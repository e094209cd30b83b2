//! What follows from a condition.

use crate::component::condition::Branch;
use crate::component::rules::model::Findings;
use crate::component::rules::subject::Subject;

/// C007
pub(super) fn alike(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for (_, step) in subject.steps() {
        let Some(branching) = &step.branching else { continue };
        let (then, otherwise) = (branching.then, branching.otherwise);
        let branch = then.map_or(Branch::Execute, |(branch, _)| branch);
        if branch != otherwise.map_or(Branch::Skip, |(branch, _)| branch) {
            continue;
        }
        let Some((_, span)) = otherwise.or(then) else { continue };
        let (always, label, help) = match (branch, then, otherwise) {
            (Branch::Execute, ..) => ("is always run", "`then` is Execute, too", "remove `if`, or write `else: Skip`"),
            (Branch::Skip, Some(_), None) => {
                ("is never run", "`else` is Skip unless something else is written", "add `else: Execute`")
            }
            (Branch::Skip, ..) => ("is never run", "`then` is Skip, too", "write `then: Execute` or `else: Execute`"),
            (Branch::Abort, ..) => ("always fails", "`then` is Abort, too", "write Execute for one of the two"),
        };
        let message = format!("step `{}` {always}, whatever its condition says", step.name);
        let diagnostic = found.at(span, message, label).help(help);
        found.add(match then.filter(|_| otherwise.is_some()) {
            Some((_, other)) => diagnostic.also_at(found.source(), other, ""),
            None => diagnostic,
        });
    }
}

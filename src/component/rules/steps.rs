//! `S`: steps.

use super::model::{Basis, Check, Findings, Rule};
use super::subject::Subject;
use crate::component::model::OnFailure;
use crate::diagnostic::Severity;

/// The rules of this family.
pub(super) const RULES: &[Rule] = &[Rule {
    id: "S014",
    name: "on-failure-continue",
    level: Severity::Warning,
    basis: Basis::Advice,
    summary: "A step has `onFailure: Continue`.",
    why: "`Continue` runs the remaining steps and then fails the build all the same: it does not tolerate the failure, it \
        only delays it. Whoever writes it often means `Ignore`. Section 4.3.",
    example: "- name: CleanUp\n  action: DeleteFile\n  onFailure: Continue\n  inputs:\n    - path: /tmp/x",
    instead: "- name: CleanUp\n  action: DeleteFile\n  onFailure: Ignore # the file may be absent\n  inputs:\n    - path: /tmp/x",
    supersedes: &[],
    check: Check::Document(on_failure_continue),
}];

fn on_failure_continue(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for (_, step) in subject.steps().filter(|(_, step)| step.on_failure == OnFailure::Continue) {
        let Some((_, value)) = step.places.on_failure else { continue };
        found.add(
            found
                .at(value, format!("a failure of step `{}` still fails the build", step.name), "only at its end")
                .help("write `Ignore` to tolerate the failure, or `Abort` (the default) to fail at once"),
        );
    }
}

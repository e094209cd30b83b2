//! Time limits, and what a failure leads to.

use crate::component::model::{OnFailure, Step};
use crate::component::modules::Action;
use crate::component::rules::model::Findings;
use crate::component::rules::subject::Subject;

/// Whether a step may have a time limit at all.
fn takes_timeout(step: &Step) -> bool {
    !matches!(step.module.action, Action::ExecuteDocument | Action::Reboot)
}

/// `S012`
pub(super) fn no_timeout(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for (_, step) in subject.steps().filter(|(_, step)| step.places.timeout.is_none() && takes_timeout(step)) {
        let message = format!("step `{}` has no time limit of its own", step.name);
        found.add(
            found
                .at(step.span, message, "may hang for 2 hours")
                .help("add `timeoutSeconds:` with what the step takes at worst, all repetitions of a loop included"),
        );
    }
}

/// `S013`
pub(super) fn endless(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for (_, step) in subject.steps().filter(|(_, step)| step.timeout.is_none() && takes_timeout(step)) {
        let Some((_, value)) = step.places.timeout else { continue };
        found.add(
            found
                .at(value, format!("step `{}` has no time limit", step.name), "may hang until the whole build ends")
                .help("write what the step takes at worst, in seconds"),
        );
    }
}

/// `S014`
pub(super) fn on_failure_continue(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for (_, step) in subject.steps().filter(|(_, step)| step.on_failure == OnFailure::Continue) {
        let Some((_, value)) = step.places.on_failure else { continue };
        found.add(
            found
                .at(value, format!("a failure of step `{}` still fails the build", step.name), "only at its end")
                .help("write `Ignore` to tolerate the failure, or `Abort` (the default) to fail at once"),
        );
    }
}

/// `S015`
pub(super) fn on_failure_ignore(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for (_, step) in subject.steps().filter(|(_, step)| step.on_failure == OnFailure::Ignore) {
        let Some((key, value)) = step.places.on_failure else { continue };
        if subject.is_commented(key) || subject.is_commented(value) {
            continue;
        }
        found.add(
            found
                .at(
                    value,
                    format!("a failure of step `{}` is ignored, and nothing says why", step.name),
                    "hides failures",
                )
                .help("say why in a comment in this line or in the one above, or write `Abort`"),
        );
    }
}

#[cfg(test)]
mod tests {
    use crate::component;
    use crate::component::rules::{self, Target};
    use crate::diagnostic::SourceFile;

    fn codes(step: &str) -> Vec<&'static str> {
        let text = format!(
            "name: a\ndescription: b\nschemaVersion: 1.0\nphases:\n- name: build\n  steps:\n  - name: One\n{step}"
        );
        let source = SourceFile::new("c.yaml", text);
        let found = rules::check(&source, &component::parse(&source), &Target::default());
        let ours = ["S012", "S013", "S014", "S015"];
        found.into_iter().map(|found| found.code).filter(|code| ours.contains(code)).collect()
    }

    #[test]
    fn time_limits() {
        let update = "    action: UpdateOS\n";
        for (step, expected) in [
            (update.to_owned(), vec!["S012"]),
            (format!("{update}    timeoutSeconds: -1\n"), vec!["S013"]),
            (format!("{update}    timeoutSeconds: \"-1\"\n"), vec!["S013"]),
            (format!("{update}    timeoutSeconds: 5\n"), vec![]),
            (format!("{update}    timeoutSeconds: 0\n"), vec![]),
            ("    action: Reboot\n".to_owned(), vec![]),
            ("    action: ExecuteDocument\n    inputs: { document: a.yaml }\n".to_owned(), vec![]),
            (
                "    action: ExecuteDocument\n    timeoutSeconds: -1\n    inputs: { document: a.yaml }\n".to_owned(),
                vec![],
            ),
        ] {
            assert_eq!(codes(&step), expected, "{step}");
        }
    }

    #[test]
    fn an_ignored_failure_needs_a_reason() {
        let step = |tail: &str| format!("    action: UpdateOS\n    timeoutSeconds: 5\n{tail}");
        for (tail, expected) in [
            ("    onFailure: Ignore\n", vec!["S015"]),
            ("    # x\n    maxAttempts: 2\n    onFailure: Ignore\n", vec!["S015"]),
            ("    onFailure: Ignore # mirrors may be down\n", vec![]),
            ("    # mirrors may be down\n    onFailure: Ignore\n", vec![]),
            ("    onFailure: Abort\n", vec![]),
            ("    onFailure: Continue\n", vec!["S014"]),
        ] {
            assert_eq!(codes(&step(tail)), expected, "{tail}");
        }
    }
}

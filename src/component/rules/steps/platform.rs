//! What runs where.

use crate::component::model::Step;
use crate::component::modules::{Action, Platform};
use crate::component::rules::model::Findings;
use crate::component::rules::subject::Subject;
use crate::diagnostic::Severity;

const PLATFORMS: [Platform; 3] = [Platform::Linux, Platform::Windows, Platform::MacOs];

fn name(platform: Platform) -> &'static str {
    match platform {
        Platform::Linux => "Linux",
        Platform::Windows => "Windows",
        Platform::MacOs => "macOS",
    }
}

/// `Linux and macOS`
fn listed(platforms: &[Platform]) -> String {
    platforms.iter().map(|platform| name(*platform)).collect::<Vec<_>>().join(" and ")
}

/// `S002`
pub(super) fn wrong(subject: &Subject<'_>, found: &mut Findings<'_>) {
    match subject.target.platform {
        Some(platform) => {
            for (_, step) in subject.steps().filter(|(_, step)| !step.module.runs_on(platform)) {
                let message = format!("{} does not run on {}", step.module.name, name(platform));
                let label = format!("runs on {} only", listed(step.module.platforms));
                let diagnostic = found.at(step.action_span, message, label);
                found.add(match instead(step, platform) {
                    Some(other) => diagnostic.help(format!("use {other} there")),
                    None => diagnostic.help("leave the component out of recipes for this platform"),
                });
            }
        }
        None => nowhere(subject, found),
    }
}

/// The action that does the same on the other platform.
fn instead(step: &Step, platform: Platform) -> Option<&'static str> {
    match (step.module.action, platform) {
        (Action::ExecuteBash, Platform::Windows) => Some("ExecutePowerShell"),
        (Action::ExecutePowerShell, Platform::Linux | Platform::MacOs) | (Action::UpdateOs, Platform::MacOs) => {
            Some("ExecuteBash")
        }
        _ => None,
    }
}

/// A document of which no platform runs all steps: reported at the step that leaves none, with one that excludes it.
fn nowhere(subject: &Subject<'_>, found: &mut Findings<'_>) {
    let mut left: Vec<Platform> = PLATFORMS.to_vec();
    let mut before: Vec<&Step> = Vec::new();
    for (_, step) in subject.steps() {
        let remaining: Vec<Platform> = left.iter().copied().filter(|platform| step.module.runs_on(*platform)).collect();
        if remaining.is_empty() {
            let message = format!("no platform runs both {} and what stands above it", step.module.name);
            let label = format!("runs on {} only", listed(step.module.platforms));
            let mut diagnostic = found.at(step.action_span, message, label);
            for other in before {
                let label = format!("{} runs on {} only", other.module.name, listed(other.module.platforms));
                diagnostic = diagnostic.also_at(subject.source, other.action_span, label);
            }
            found.add(
                diagnostic
                    .help("make a document of its own for each platform; `if` does not help, all steps are checked"),
            );
            return;
        }
        if remaining.len() < left.len() {
            before.push(step);
        }
        left = remaining;
    }
}

/// `S018`
pub(super) fn update_os(subject: &Subject<'_>, found: &mut Findings<'_>) {
    if subject.target.os.as_deref() != Some("amazon-linux-2023") {
        return;
    }
    for (_, step) in subject.steps_of(Action::UpdateOs) {
        let mut diagnostic = found
            .at(step.action_span, "UpdateOS does not support Amazon Linux 2023", "the parent image is one")
            .help("use ExecuteBash with `dnf upgrade -y --releasever=latest`");
        // It cannot work there; the level of the rule is for who reads of it without knowing the system.
        diagnostic.severity = Severity::Error;
        found.add(diagnostic);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component;
    use crate::component::rules::{self, Target};
    use crate::diagnostic::SourceFile;

    fn count(actions: &[&str], platform: Option<Platform>) -> usize {
        let step = |(at, action): (usize, &&str)| {
            let inputs = match *action {
                "ExecuteBash" | "ExecutePowerShell" => ", inputs: { commands: [a] }",
                "CreateSymlink" => ", inputs: [{ path: a, target: b }]",
                _ => "",
            };
            format!("  - {{ name: Step{at}, action: {action}{inputs} }}\n")
        };
        let steps: Vec<String> = actions.iter().enumerate().map(step).collect();
        let text = format!("schemaVersion: 1.0\nphases:\n- name: build\n  steps:\n{}", steps.concat());
        let source = SourceFile::new("c.yaml", text);
        let target = Target { platform, ..Target::default() };
        let found = rules::check(&source, &component::parse(&source), &target);
        found.iter().filter(|found| found.code == "S002").count()
    }

    #[test]
    fn platforms_are_those_of_the_table() {
        for (actions, platform, expected) in [
            (vec!["ExecuteBash", "ExecutePowerShell"], Some(Platform::Linux), 1),
            (vec!["ExecuteBash", "ExecutePowerShell"], Some(Platform::Windows), 1),
            (vec!["CreateSymlink"], Some(Platform::Windows), 1),
            (vec!["Reboot", "UpdateOS"], Some(Platform::MacOs), 2),
            (vec!["Reboot", "UpdateOS", "ExecuteBash"], Some(Platform::Linux), 0),
            (vec!["ExecuteBash", "ExecutePowerShell", "ExecuteBash"], None, 1),
            (vec!["Reboot", "ExecuteBash"], None, 0),
            (vec!["ExecuteBash", "CreateSymlink"], None, 0),
            (vec![], None, 0),
        ] {
            assert_eq!(count(&actions, platform), expected, "{actions:?} {platform:?}");
        }
    }
}

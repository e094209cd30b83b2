//! M004 and L006: exit codes that ask for a restart.

use super::values;
use crate::component::modules::Action;
use crate::component::rules::model::Findings;
use crate::component::rules::shell::{Commands, PowerShellCommands};
use crate::component::rules::subject::Subject;
use crate::component::shell::{Command, Guard, PackageAction, Place, PowerShellCommand, Script};
use crate::diagnostic::Diagnostic;
use std::collections::BTreeSet;

/// M004.
pub fn unmarked(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for commands in subject.scripts() {
        for (index, place) in exits(subject, commands) {
            if !is_checked(subject, commands, index, &mut BTreeSet::new()) {
                let help = "ask for a marker first: `if [ -e /var/tmp/restarted ]; then exit 0; fi; touch /var/tmp/restarted; exit 194`";
                let diagnostic = unmarked_at(found, commands, &place, help);
                found.add(diagnostic);
            }
        }
    }
    for commands in subject.powershell() {
        for (index, place) in powershell_exits(subject, commands) {
            if !is_checked_in_powershell(commands, index) {
                let help = "ask for a marker first: `$marker = Join-Path $env:SystemDrive 'restarted'; if (Test-Path $marker) { exit 0 }; \
                    New-Item $marker | Out-Null; exit 3010`";
                let diagnostic = unmarked_at(found, commands, &place, help);
                found.add(diagnostic);
            }
        }
    }
}

fn unmarked_at<S>(found: &Findings<'_>, commands: &Commands<'_, S>, place: &Place, help: &str) -> Diagnostic {
    let message = format!("`{}` restarts the machine each time the step runs", commands.text(place));
    let diagnostic = found
        .at(commands.span(place), message, "nothing tells the second run from the first")
        .note("after the restart the same step runs again, from its first line");
    let diagnostic = match &commands.step.branching {
        Some(_) => diagnostic.note("the `if` of the step is not evaluated again after a restart"),
        None => diagnostic,
    };
    diagnostic.help(help).help("or end the step without it, and put a step with the action Reboot behind it")
}

/// L006.
pub fn looped(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for commands in subject.scripts().iter().filter(|commands| commands.step.repeat.is_some()) {
        for (_, place) in exits(subject, commands) {
            let diagnostic = looped_at(found, commands, &place);
            found.add(diagnostic);
        }
    }
    for commands in subject.powershell().iter().filter(|commands| commands.step.repeat.is_some()) {
        for (_, place) in powershell_exits(subject, commands) {
            let diagnostic = looped_at(found, commands, &place);
            found.add(diagnostic);
        }
    }
    for (_, step) in subject.steps_of(Action::Reboot).filter(|(_, step)| step.repeat.is_some()) {
        let message = format!("step `{}` restarts the machine inside a loop", step.name);
        let diagnostic = found.at(step.action_span, message, "where the loop goes on after that is not documented");
        found.add(diagnostic.help("take the loop away, or restart in a step of its own behind the loop"));
    }
}

fn looped_at<S>(found: &Findings<'_>, commands: &Commands<'_, S>, place: &Place) -> Diagnostic {
    let message = format!("`{}` restarts the machine inside a loop", commands.text(place));
    let label = "the loop may begin again or be cut short: that is not documented";
    let diagnostic = found.at(commands.span(place), message, label);
    let diagnostic = match &commands.step.repeat {
        Some(repeat) => diagnostic.also_at(found.source(), repeat.key, "the loop of the step"),
        None => diagnostic,
    };
    diagnostic.help("restart in a step of its own behind the loop, with a marker or the action Reboot")
}

/// The commands of a bash script that end it with exit code 194. Bash takes codes modulo 256: 3010 is 194 as well.
fn exits(subject: &Subject<'_>, commands: &Commands<'_>) -> Vec<(usize, Place)> {
    let script = &commands.script;
    let found = script.commands.iter().enumerate().filter(|(index, command)| {
        let here = command.scope.parent.is_none() && !command.scope.in_subshell;
        here && command.name() == Some("exit")
            && code(subject, script, *index, command).is_some_and(|code| code % 256 == 194)
    });
    found.map(|(index, command)| (index, command.place.clone())).collect()
}

/// The code of an `exit`, also if it stands in a variable or a constant.
fn code(subject: &Subject<'_>, script: &Script, index: usize, command: &Command) -> Option<u32> {
    let word = command.words.get(1)?;
    let name = word.text.strip_prefix('$').map(|name| name.trim_start_matches('{').trim_end_matches('}'));
    match name.and_then(|name| script.variable(name, index)) {
        Some(value) => values::resolved(subject.document, &value.text)?.parse().ok(),
        None => values::resolved(subject.document, &word.text)?.parse().ok(),
    }
}

/// Whether something decides in a run whether the script gets to an `exit`.
fn is_checked(subject: &Subject<'_>, commands: &Commands<'_>, index: usize, seen: &mut BTreeSet<usize>) -> bool {
    let script = &commands.script;
    let command = &script.commands[index];
    if script.guards_of(&command.scope).any(|guard| asks(script, guard)) {
        return true;
    }
    let ends_before = script.commands[..index].iter().enumerate().any(|(at, other)| {
        let ends = matches!(other.name(), Some("exit" | "return")) && other.scope.function == command.scope.function;
        let failed = code(subject, script, at, other).is_some_and(|code| code % 256 != 0);
        ends && !failed && script.guards_of(&other.scope).any(|guard| asks(script, guard))
    });
    if ends_before {
        return true;
    }
    // In a function it depends on how that is called.
    let Some(number) = command.scope.function else { return false };
    // Functions may call one another in circles.
    let Some(function) = script.functions.get(number).filter(|_| seen.insert(number)) else { return true };
    let mut calls = script.commands.iter().enumerate().filter(|(_, other)| other.name() == Some(&function.name));
    calls.all(|(call, other)| {
        other.scope.function == command.scope.function || is_checked(subject, commands, call, seen)
    })
}

/// Whether a condition is a question. That packages were installed without an error is none: they will be again.
fn asks(script: &Script, guard: &Guard) -> bool {
    let conditions = script.commands.get(guard.conditions.clone()).unwrap_or_default();
    let installs = |command: &Command| command.package_call().is_some_and(|call| call.action != PackageAction::Other);
    conditions.is_empty() || !conditions.iter().all(installs)
}

/// The commands of a PowerShell script that end it with exit code 3010.
fn powershell_exits(subject: &Subject<'_>, commands: &PowerShellCommands<'_>) -> Vec<(usize, Place)> {
    let script = &commands.script;
    let value = |word: &str| values::resolved(subject.document, word).map(|text| text.trim().to_owned());
    let code = |command: &PowerShellCommand| {
        let word = command.arguments().first()?;
        let name = word.text.strip_prefix('$');
        let assigned = name.and_then(|name| {
            let mut all = script.assignments.iter().filter(|assignment| assignment.name.eq_ignore_ascii_case(name));
            // Only a variable that is set once says what it is.
            all.next().filter(|_| all.next().is_none())?.value.as_ref()
        });
        value(&assigned.unwrap_or(word).text)
    };
    let found =
        script.commands.iter().enumerate().filter(|(_, command)| {
            command.name().as_deref() == Some("exit") && code(command).as_deref() == Some("3010")
        });
    found.map(|(index, command)| (index, command.place.clone())).collect()
}

fn is_checked_in_powershell(commands: &PowerShellCommands<'_>, index: usize) -> bool {
    let decided = |command: &PowerShellCommand| {
        let scope = command.scope;
        scope.conditional || scope.in_loop || scope.in_function
    };
    let script = &commands.script;
    decided(&script.commands[index])
        || script.commands[..index].iter().any(|other| {
            let ends = matches!(other.name().as_deref(), Some("exit" | "return"));
            let fails = other
                .arguments()
                .first()
                .is_some_and(|word| word.literal().is_some_and(|text| text.parse::<i64>().is_ok_and(|code| code != 0)));
            ends && !fails && decided(other)
        })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bash, findings, in_document, place, powershell};

    #[test]
    fn restarts_without_a_question_are_reported() {
        for (script, expected) in [
            ("exit 194", "exit 194"),
            ("set -e\nyum update -y\nexit 194", "exit 194"),
            ("yum update -y && exit 194", "exit 194"),
            ("cp a b || exit 1\nexit 194", "exit 194"),
            ("exit 3010", "exit 3010"),
            ("code=194\nexit \"$code\"", "exit \"$code\""),
            ("restart() { exit 194; }\nrestart", "exit 194"),
            ("touch /var/tmp/marker\nexit 194", "exit 194"),
            ("for a in b; do exit 194; done", "exit 194"),
            ("a() { b; exit 194; }\nb() { a; }\na", "exit 194"),
        ] {
            assert_eq!(bash("M004", script), [expected], "{script}");
        }
        for (script, expected) in [
            ("exit 3010", "exit 3010"),
            ("Install-WindowsFeature a\nexit 3010", "exit 3010"),
            ("if ($failed) { exit 1 }\nexit 3010", "exit 3010"),
            ("$code = 3010\nexit $code", "exit $code"),
        ] {
            assert_eq!(powershell("M004", script), [expected], "{script}");
        }
    }

    #[test]
    fn restarts_that_are_decided_are_left_alone() {
        for script in [
            "if [ -e /var/tmp/m ]; then exit 0; fi\ntouch /var/tmp/m\nexit 194",
            "if [ ! -e /var/tmp/m ]; then touch /var/tmp/m; exit 194; fi",
            "[ -f /var/run/reboot-required ] && exit 194",
            "[ -e /m ] && exit 0\ntouch /m\nexit 194",
            "needs-restarting -r || exit 194",
            "if ! dnf -q needs-restarting -r; then exit 194; fi",
            "if dnf check-update; then echo no; else exit 194; fi",
            "case $state in done) ;; *) exit 194;; esac",
            "restart() { exit 194; }\nif [ ! -e /m ]; then restart; fi",
            "restart() { [ -e /m ] && return; exit 194; }\nrestart",
            "a() { b; exit 194; }\nb() { a; }\nif [ ! -e /m ]; then a; fi",
            "exit 0",
            "exit \"$code\"",
            "(exit 194)",
            "bash -c 'exit 194'",
            "echo exit 194",
        ] {
            assert_eq!(bash("M004", script), [""; 0], "{script}");
        }
        for script in [
            "if (Test-Path $m) { exit 0 }\nNew-Item $m\nexit 3010",
            "if (-not (Test-Path $m)) { New-Item $m; exit 3010 }",
            "exit 194",
            "exit $LASTEXITCODE",
            "if ($p.ExitCode -eq 3010) { exit 3010 }",
        ] {
            assert_eq!(powershell("M004", script), [""; 0], "{script}");
        }
    }

    #[test]
    fn constants_are_looked_up_and_the_condition_of_the_step_is_no_marker() {
        let constants = "constants: [{Restart: {type: string, value: '194'}}]\n";
        let found = findings("M004", "ExecuteBash", constants, "exit {{ Restart }}");
        assert_eq!(found.iter().map(place).collect::<Vec<_>>(), ["exit {{ Restart }}"]);
        let step = "{name: Run, action: ExecuteBash, if: {fileExists: /a}, inputs: {commands: [exit 194]}}";
        let found = in_document("M004", &format!("schemaVersion: 1.0\nphases: [{{name: build, steps: [{step}]}}]\n"));
        assert_eq!(found[0].notes.len(), 2);
    }

    #[test]
    fn restarts_in_loops_are_reported_once() {
        let steps = |step: &str| format!("schemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - {step}\n");
        let loops = "loop: {forEach: [a, b]}";
        for (step, expected) in [
            (
                format!("{{name: Run, action: ExecuteBash, {loops}, inputs: {{commands: [exit 194]}}}}"),
                &["exit 194"][..],
            ),
            (
                format!("{{name: Run, action: ExecuteBash, {loops}, inputs: {{commands: ['[ -e /m ] || exit 194']}}}}"),
                &["exit 194"],
            ),
            (
                format!("{{name: Run, action: ExecutePowerShell, {loops}, inputs: {{commands: [exit 3010]}}}}"),
                &["exit 3010"],
            ),
            (format!("{{name: Run, action: Reboot, {loops}, inputs: {{delaySeconds: 0}}}}"), &["Reboot"]),
            (format!("{{name: Run, action: ExecuteBash, {loops}, inputs: {{commands: [exit 1]}}}}"), &[]),
            ("{name: Run, action: ExecuteBash, inputs: {commands: [exit 194]}}".to_owned(), &[]),
        ] {
            let found: Vec<_> = in_document("L006", &steps(&step)).iter().map(place).collect();
            assert_eq!(found, expected, "{step}");
            if !expected.is_empty() {
                assert!(in_document("M004", &steps(&step)).is_empty(), "{step}");
            }
        }
    }
}

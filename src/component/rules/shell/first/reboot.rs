//! M005: commands that restart the machine behind the back of the runner.

use crate::component::expression::Template;
use crate::component::model::Value;
use crate::component::modules::Action;
use crate::component::rules::model::Findings;
use crate::component::rules::subject::Subject;
use crate::diagnostic::Span;

/// What becomes of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    Restarts,
    TurnsOff,
}

/// M005.
pub fn commands(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for commands in subject.scripts() {
        let script = &commands.script;
        for command in &script.commands {
            let Some(call) = command.invocation() else { continue };
            let arguments: Vec<&str> = call.arguments.iter().map(|word| word.text.as_str()).collect();
            let own = || script.functions.iter().any(|function| function.name == call.program);
            if let Some(effect) = effect(call.program, &arguments).filter(|_| !own()) {
                report(
                    found,
                    commands.span(&command.place),
                    title(commands.text(&command.place), call.program),
                    effect,
                    "exit 194",
                );
            }
        }
    }
    for commands in subject.powershell() {
        for command in &commands.script.commands {
            let Some(name) = command.name() else { continue };
            let arguments: Vec<&str> = command.arguments().iter().map(|word| word.text.as_str()).collect();
            if let Some(effect) = windows_effect(&name, &arguments) {
                report(
                    found,
                    commands.span(&command.place),
                    title(commands.text(&command.place), &name),
                    effect,
                    "exit 3010",
                );
            }
        }
    }
    binaries(subject, found);
}

/// The same through `ExecuteBinary`.
fn binaries(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for (_, step) in subject.steps_of(Action::ExecuteBinary) {
        let Some(Value::Text(path)) = step.input("path") else { continue };
        let arguments: Vec<&str> = match step.input("arguments") {
            Some(Value::Texts(arguments)) => arguments.iter().map(Template::text).collect(),
            _ => Vec::new(),
        };
        let name = path.text().rsplit(['/', '\\']).next().unwrap_or_default().to_ascii_lowercase();
        let name = name.strip_suffix(".exe").unwrap_or(&name);
        if let Some(effect) = effect(name, &arguments).or_else(|| windows_effect(name, &arguments)) {
            report(found, path.span(), name, effect, "an exit code of 194 or 3010");
        }
    }
}

/// What to call a command: all of it, unless that is long.
fn title<'a>(whole: &'a str, name: &'a str) -> &'a str {
    if whole.len() <= 40 && !whole.contains('\n') { whole } else { name }
}

fn report(found: &mut Findings<'_>, span: Span, name: &str, effect: Effect, code: &str) {
    let diagnostic = match effect {
        Effect::Restarts => found
            .at(span, format!("`{name}` restarts the machine without telling the runner"), "the build may fail here")
            .note("the agent that runs the build sees a lost command, not a wanted restart")
            .help("put a step with the action Reboot behind this one")
            .help(format!("or end the step with {code}, behind the check of a marker file")),
        Effect::TurnsOff => found
            .at(span, format!("`{name}` turns the machine off in the middle of the build"), "the build fails here")
            .help("leave it out: Image Builder stops the instance when all steps are done"),
    };
    found.add(diagnostic);
}

fn effect(program: &str, arguments: &[&str]) -> Option<Effect> {
    let has = |options: &[&str]| arguments.iter().any(|argument| options.contains(argument));
    let cluster = |letter: char| {
        arguments
            .iter()
            .any(|a| a.strip_prefix('-').is_some_and(|rest| !rest.starts_with('-') && rest.contains(letter)))
    };
    if has(&["--help", "--version"]) {
        return None;
    }
    match program {
        // `-w` only writes the record.
        "reboot" | "poweroff" | "halt" if cluster('w') || has(&["--wtmp-only"]) => None,
        "reboot" => Some(if has(&["-p", "--poweroff"]) { Effect::TurnsOff } else { Effect::Restarts }),
        "poweroff" | "halt" => Some(if has(&["--reboot"]) { Effect::Restarts } else { Effect::TurnsOff }),
        // `-c` takes one back, `-k` only warns.
        "shutdown" if cluster('c') || cluster('k') || has(&["--show"]) || arguments.is_empty() => None,
        // The options of Windows.
        "shutdown" if arguments.iter().any(|argument| argument.starts_with('/')) => None,
        "shutdown" => Some(if cluster('r') || has(&["--reboot"]) { Effect::Restarts } else { Effect::TurnsOff }),
        "systemctl" => {
            let verb = arguments.iter().find(|argument| !argument.starts_with('-'))?;
            match *verb {
                "reboot" | "kexec" | "soft-reboot" => Some(Effect::Restarts),
                "poweroff" | "halt" => Some(Effect::TurnsOff),
                // Sleep loses the instance just as well, but nobody writes that.
                _ => None,
            }
        }
        "init" | "telinit" => match *arguments.first()? {
            "6" => Some(Effect::Restarts),
            "0" => Some(Effect::TurnsOff),
            _ => None,
        },
        _ => None,
    }
}

fn windows_effect(name: &str, arguments: &[&str]) -> Option<Effect> {
    let has =
        |options: &[&str]| arguments.iter().any(|argument| options.iter().any(|o| argument.eq_ignore_ascii_case(o)));
    match name {
        "restart-computer" | "stop-computer" => {
            let other = arguments.windows(2).any(|pair| {
                let computer = pair[0].to_ascii_lowercase();
                ["-computername", "-cn"].contains(&computer.as_str())
                    && !matches!(
                        pair[1].to_ascii_lowercase().as_str(),
                        "." | "localhost" | "127.0.0.1" | "$env:computername"
                    )
            });
            let effect = if name == "restart-computer" { Effect::Restarts } else { Effect::TurnsOff };
            (!other && !has(&["-WhatIf"])).then_some(effect)
        }
        "shutdown" if has(&["/r", "-r", "/g", "-g"]) => Some(Effect::Restarts),
        "shutdown" if has(&["/s", "-s", "/p", "-p"]) => Some(Effect::TurnsOff),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bash, in_document, place, powershell};

    #[test]
    fn restarts_are_reported_wherever_they_stand() {
        for (script, expected) in [
            ("reboot", "reboot"),
            ("set -e\nsudo reboot", "sudo reboot"),
            ("/sbin/shutdown -r now", "/sbin/shutdown -r now"),
            ("shutdown --reboot +1", "shutdown --reboot +1"),
            ("shutdown -h now", "shutdown -h now"),
            ("systemctl --no-block reboot", "systemctl --no-block reboot"),
            ("init 6", "init 6"),
            ("telinit 6", "telinit 6"),
            ("if [ -f /var/run/reboot-required ]; then reboot; fi", "reboot"),
            ("nohup bash -c 'sleep 5; reboot' &", "reboot"),
            ("later() { reboot -f; }\nlater", "reboot -f"),
            ("poweroff", "poweroff"),
        ] {
            assert_eq!(bash("M005", script), [expected], "{script}");
        }
        for (script, expected) in [
            ("Restart-Computer -Force", "Restart-Computer -Force"),
            ("restart-computer", "restart-computer"),
            ("shutdown.exe /r /t 0", "shutdown.exe /r /t 0"),
            ("shutdown -r -t 0", "shutdown -r -t 0"),
            ("Stop-Computer", "Stop-Computer"),
            ("if ($pending) { Restart-Computer }", "Restart-Computer"),
        ] {
            assert_eq!(powershell("M005", script), [expected], "{script}");
        }
    }

    #[test]
    fn what_only_speaks_of_a_restart_is_left_alone() {
        for script in [
            "echo reboot",
            "# reboot",
            "ls /var/run/reboot-required",
            "shutdown -c",
            "shutdown -k now",
            "reboot --help",
            "systemctl restart nginx",
            "systemctl enable reboot.target",
            "systemctl list-units reboot",
            "init 3",
            "reboot() { echo no; }\nreboot",
            "cat <<'E' >/usr/local/bin/restart\nreboot\nE",
            "exit 194",
            "needs-restarting -r",
        ] {
            assert_eq!(bash("M005", script), [""; 0], "{script}");
        }
        for script in [
            "Write-Host 'Restart-Computer'",
            "Restart-Computer -ComputerName other",
            "Restart-Computer -WhatIf",
            "shutdown /a",
            "Restart-Service W3SVC",
            "Install-WindowsFeature a -Restart:$false",
        ] {
            assert_eq!(powershell("M005", script), [""; 0], "{script}");
        }
    }

    #[test]
    fn binaries_are_looked_at() {
        let found = |inputs: &str| {
            let step = format!("{{name: Run, action: ExecuteBinary, inputs: {inputs}}}");
            let text = format!("schemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - {step}\n");
            in_document("M005", &text).iter().map(place).collect::<Vec<_>>()
        };
        assert_eq!(found("{path: /sbin/reboot}"), ["/sbin/reboot"]);
        assert_eq!(found("{path: 'C:\\Windows\\System32\\shutdown.exe', arguments: [/r]}").len(), 1);
        assert_eq!(found("{path: /sbin/shutdown, arguments: [-c]}"), [""; 0]);
        assert_eq!(found("{path: /usr/bin/true}"), [""; 0]);
    }
}

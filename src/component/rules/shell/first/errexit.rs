//! M001: commands whose failure nobody sees.

use super::insert;
use crate::component::rules::model::Findings;
use crate::component::rules::shell::Commands;
use crate::component::rules::subject::Subject;
use crate::component::shell::{Command, CommandKind, Coverage, Embedding, Script, ShellOption};

/// M001. Of a script the first command is told whose failure is lost: the cause is one, and so is what to do.
pub fn unguarded(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for commands in subject.scripts() {
        let Some(index) = lost(commands) else { continue };
        let script = &commands.script;
        let name = title(&script.commands[index]);
        let late = script.settings.iter().find(|setting| setting.option == ShellOption::Errexit && setting.on);
        let span = commands.span(&script.commands[index].place);
        let mut diagnostic =
            found.at(span, format!("a failure of {name} goes unnoticed"), "the script goes on after it");
        if let Some(setting) = late.filter(|setting| setting.lasting) {
            let place = commands.span(&script.commands[setting.command].place);
            diagnostic = diagnostic.also_at(subject.source, place, "from here on failures end the script");
        }
        if commands.templates.first().is_some_and(|first| first.text().trim_start().starts_with("#!")) {
            diagnostic = diagnostic.note("the `#!` line and its options are not used: the runner starts `bash <file>`");
        }
        diagnostic = diagnostic
            .note(if commands.templates.len() > 1 {
                "the items are one script, and the exit code of its last command alone decides whether the step fails"
            } else {
                "the exit code of the last command alone decides whether the step fails"
            })
            .help("begin the script with `set -euo pipefail`");
        let edit = insert::first_line(commands, "set -euo pipefail");
        found.add(match edit {
            Some(edit) => diagnostic.unsafe_fix("begin with `set -euo pipefail`", vec![edit]),
            None => diagnostic,
        });
    }
}

/// The first command whose failure neither ends the script nor is looked at, although something runs after it.
pub fn lost(commands: &Commands<'_>) -> Option<usize> {
    let script = &commands.script;
    if !is_readable(script) {
        return None;
    }
    (0..script.commands.len()).find(|index| is_lost(commands, *index))
}

/// Whether a script was read to its end and makes sense.
pub fn is_readable(script: &Script) -> bool {
    script.coverage == Coverage::Complete && script.errors.is_empty()
}

fn is_lost(commands: &Commands<'_>, index: usize) -> bool {
    let script = &commands.script;
    let command = &script.commands[index];
    let looked_at = command.in_condition || command.background || command.scope.parent.is_some();
    if looked_at || is_guarded(script, index) || is_left_of_pipe(script, index) || is_harmless(script, index) {
        return false;
    }
    let Some(next) = successor(script, index) else { return command.scope.in_loop && !asks(commands, index, None) };
    !asks(commands, index, Some(next)) && !fails_anyway(&script.commands[next])
}

/// What runs next after a command, in its own list or where that ends.
fn successor(script: &Script, index: usize) -> Option<usize> {
    let command = &script.commands[index];
    let pipeline = script.pipelines.iter().find(|pipeline| {
        pipeline.stages.iter().any(|stage| stage.inside.contains(&index))
            && command.scope.parent == pipeline.scope.parent
    });
    let end = pipeline
        .and_then(|pipeline| pipeline.stages.last())
        .map_or(index + 1, |stage| if stage.inside.contains(&index) { index + 1 } else { stage.inside.end });
    (end..script.commands.len()).find(|later| {
        let scope = &script.commands[*later].scope;
        scope.parent.is_none()
            && scope.function == command.scope.function
            && (scope.guard.is_none() || guards(script, command).any(|guard| Some(guard) == scope.guard))
    })
}

/// The conditions a command runs under, as indices.
fn guards<'a>(script: &'a Script, command: &Command) -> impl Iterator<Item = usize> + use<'a> {
    std::iter::successors(command.scope.guard, |guard| script.guards.get(*guard).and_then(|guard| guard.parent))
}

/// Whether errors end the script at a command, or were told not to.
pub fn is_guarded(script: &Script, index: usize) -> bool {
    let command = &script.commands[index];
    // When a function runs is not known; it is most likely called below.
    let at = if command.scope.function.is_some() { script.commands.len() } else { index };
    if script.holds(ShellOption::Errexit, at) {
        return true;
    }
    let own = script.settings.iter().any(|setting| {
        let scope = &script.commands[setting.command].scope;
        let inside = (command.scope.in_subshell && scope.in_subshell)
            || (scope.function.is_some() && scope.function == command.scope.function);
        // Whoever switches it off has decided what failures mean from there on.
        setting.option == ShellOption::Errexit
            && setting.command < index
            && (!setting.on || (!setting.lasting && inside))
    });
    own || script.commands[..at].iter().any(|other| {
        let traps = other.name() == Some("trap") && other.is_top_level();
        traps && other.words.iter().skip(2).any(|word| word.is("ERR"))
    })
}

/// Whether it is, or stands in, a stage of a pipeline whose exit code does not count. That is M003's matter.
fn is_left_of_pipe(script: &Script, index: usize) -> bool {
    script.pipelines.iter().any(|pipeline| {
        let stages = pipeline.stages.split_last().map_or(&[][..], |(_, left)| left);
        stages.iter().any(|stage| stage.inside.contains(&index))
    })
}

/// Whether what comes between a command and the end of the next one asks for its exit code.
fn asks(commands: &Commands<'_>, index: usize, next: Option<usize>) -> bool {
    let place = &commands.script.commands[index].place;
    let end = next.map(|next| &commands.script.commands[next].place);
    let between = commands.templates.iter().enumerate().skip(place.item).map(|(item, template)| {
        let from = if item == place.item { place.range.end } else { 0 };
        let to = match end {
            Some(end) if end.item == item => end.range.end,
            Some(end) if end.item < item => from,
            _ => template.text().len(),
        };
        template.text().get(from..to).unwrap_or_default()
    });
    between.into_iter().any(|text| text.contains("$?") || text.contains("PIPESTATUS"))
}

/// `exit 1`: the script fails whatever came before. Exit code 194 asks for a restart and is no failure.
fn fails_anyway(command: &Command) -> bool {
    let code = command.words.get(1).and_then(|word| word.literal()).and_then(|text| text.parse::<u32>().ok());
    matches!(command.name(), Some("exit" | "return")) && code.is_some_and(|code| code % 256 != 0 && code % 256 != 194)
}

/// Commands that cannot fail in a way that matters.
const HARMLESS: &[&str] = &[
    ":", "alias", "break", "clear", "continue", "date", "declare", "df", "echo", "env", "exit", "export", "free",
    "history", "hostname", "id", "local", "logger", "printenv", "printf", "ps", "pwd", "readonly", "return", "set",
    "shift", "shopt", "sleep", "sync", "trap", "true", "type", "typeset", "umask", "uname", "unset", "uptime", "wait",
    "whoami",
];

/// Whether a failure of a command is of no interest: it only tells or remembers something.
pub fn is_harmless(script: &Script, index: usize) -> bool {
    let command = &script.commands[index];
    let writes = command.redirects.iter().any(|redirect| {
        matches!(redirect.operator, ">" | ">>" | ">|" | "&>") && !redirect.target.text.starts_with("/dev/")
    });
    if command.kind == CommandKind::Arithmetic {
        return true;
    }
    if command.kind == CommandKind::Test || writes {
        return false;
    }
    if command.words.is_empty() {
        // An assignment fails as the substitution in it does.
        let inside = |other: &Command| other.scope.parent == Some((index, Embedding::Substitution));
        return !(0..script.commands.len()).any(|other| {
            inside(&script.commands[other]) && !script.commands[other].in_condition && !is_quiet(script, other)
        });
    }
    is_quiet(script, index)
}

fn is_quiet(script: &Script, index: usize) -> bool {
    let command = &script.commands[index];
    match command.name() {
        Some(name) => HARMLESS.contains(&name),
        None => command.kind == CommandKind::Arithmetic || (command.words.is_empty() && is_harmless(script, index)),
    }
}

/// What to call a command in a message: by the program that `sudo` and the like start.
pub fn title(command: &Command) -> String {
    let program = command.invocation().map(|call| call.path.text.as_str());
    let name = program.or_else(|| command.words.first().map(|word| word.text.as_str()));
    match (command.kind, name) {
        (CommandKind::Test, _) => "the test".to_owned(),
        (_, Some(name)) if name.chars().count() <= 40 && !name.contains('\n') => format!("`{name}`"),
        (_, None) if !command.assignments.is_empty() => "the command in this assignment".to_owned(),
        _ => "this command".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bash, findings, mended};

    #[test]
    fn lost_failures_are_reported_once_a_script() {
        for (script, expected) in [
            ("mkdir /opt/a\ncp b /opt/a", "mkdir /opt/a"),
            ("echo start\nyum install -y nginx\nsystemctl enable nginx\necho done", "yum install -y nginx"),
            ("cd /opt; tar xf a.tar; rm a.tar", "cd /opt"),
            ("apt-get update && apt-get install -y nginx\necho done", "apt-get install -y nginx"),
            ("if [ -f a ]; then\n  cp a b\nfi\ncp c d", "cp a b"),
            ("if [ -f a ]; then\n  cp a b\n  cp c d\nfi", "cp a b"),
            ("for name in a b; do\n  cp \"$name\" /opt\ndone", "cp \"$name\" /opt"),
            ("x=$(curl -fsSL a)\necho \"$x\"", "x=$(curl -fsSL a)"),
            ("set -u\nset -o pipefail\ncp a b\ncp c d", "cp a b"),
            ("cp a b\nset -e\ncp c d", "cp a b"),
            ("install() { cp a b; cp c d; }\ninstall", "cp a b"),
            ("[ -f a ]\necho ok", "[ -f a ]"),
            ("echo a >/etc/a.conf\nsystemctl restart a", "echo a >/etc/a.conf"),
            ("cp a b; exit 0", "cp a b"),
            ("#!/bin/bash -e\ncp a b\ncp c d", "cp a b"),
            ("if true; then set -e; fi\ncp a b\ncp c d", "cp a b"),
            ("case $ID in\n  debian) cp a b;;\n  *) cp c d;;\nesac\nldconfig", "cp a b"),
            ("(cd a; make)\nldconfig", "cd a"),
            ("bash -c 'cp a b; cp c d'\ntouch e", "bash -c 'cp a b; cp c d'"),
            ("cp a b\nif [ \"$x\" = 1 ]; then exit 1; fi", "cp a b"),
        ] {
            assert_eq!(bash("M001", script), [expected], "{script}");
        }
    }

    #[test]
    fn scripts_that_see_their_failures_are_left_alone() {
        for script in [
            "yum install -y nginx",
            "set -e\ncp a b\ncp c d",
            "set -euo pipefail\ncp a b\ncp c d",
            "set -o errexit\ncp a b\ncp c d",
            "echo start\nset -e\ncp a b\ncp c d",
            "export A=1\nx=1\ncp a b",
            "apt-get update && apt-get install -y nginx && systemctl enable nginx",
            "cp a b || exit 1\ncp c d || { echo no; exit 1; }\nmake",
            "if ! cp a b; then exit 1; fi\nmake",
            "cp a b\nif [ $? -ne 0 ]; then exit 1; fi\nmake",
            "cp a b\ncode=$?\necho done\nexit \"$code\"",
            "cp a b\ncase $? in 0) ;; *) exit 1;; esac\nmake",
            "trap 'exit 1' ERR\ncp a b\ncp c d",
            "set -e\ncp a b\nset +e\ncp c d\ncp e f",
            "if [ -f a ]; then cp a b; else cp c d; fi",
            "case $ID in\n  debian) cp a b;;\n  *) cp c d;;\nesac",
            "until curl -f x; do sleep 5; done",
            "curl -fsSL x | tar xz",
            "cat <<'E' >/etc/a.conf\na\nb\nE",
            "sudo -u bob bash <<'E'\nset -e\ncp a b\ncp c d\nE",
            "main() {\n  set -e\n  cp a b\n  cp c d\n}\nmain",
            "(set -e; cp a b; cp c d)",
            "echo a; echo b; printf c",
            "rm -f a || true\necho done",
            "sleep 600 &\necho done",
            "echo 'is not closed\ncp a b\ncp c d",
            "echo \"missing\" >&2\nexit 1",
            "kill 1\nexit 1",
        ] {
            assert_eq!(bash("M001", script), [""; 0], "{script}");
        }
    }

    #[test]
    fn messages_name_the_program() {
        for (script, expected) in [
            ("sudo -u bob /opt/a/install x\nls", "a failure of `/opt/a/install` goes unnoticed"),
            ("\"$tool\" x\nls", "a failure of `$tool` goes unnoticed"),
            ("x=$(cat a)\nls", "a failure of the command in this assignment goes unnoticed"),
            ("[[ -f a ]]\nls", "a failure of the test goes unnoticed"),
            (">/etc/a\nls", "a failure of this command goes unnoticed"),
        ] {
            assert_eq!(findings("M001", "ExecuteBash", "", script)[0].message, expected, "{script}");
        }
    }

    #[test]
    fn the_fix_makes_failures_seen() {
        let found = findings("M001", "ExecuteBash", "", "cp a b\ncp c d");
        assert_eq!(mended(&found[0]).as_deref(), Some("set -euo pipefail\ncp a b\ncp c d"));
        assert!(found[0].fix.as_ref().is_some_and(|fix| !fix.safe));
    }
}

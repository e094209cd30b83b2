//! M003: pipelines whose left side fails unseen.

use super::{errexit, insert};
use crate::component::rules::model::Findings;
use crate::component::rules::shell::Commands;
use crate::component::rules::subject::Subject;
use crate::component::shell::{Command, Embedding, Invocation, Pipeline, Script, ShellOption};
use crate::diagnostic::Edit;

/// M003. Where nothing looks at failures at all, M001 says it for the pipelines too: both need the same line.
pub fn pipes(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for commands in subject.scripts() {
        let script = &commands.script;
        let by_hand = commands.templates.iter().any(|template| template.text().contains("PIPESTATUS"));
        if !errexit::is_readable(script) || by_hand || errexit::lost(commands).is_some() {
            continue;
        }
        let mut lost = script.pipelines.iter().filter_map(|pipeline| Some((pipeline, culprit(script, pipeline)?)));
        let Some((pipeline, command)) = lost.next() else { continue };
        let name = errexit::title(&script.commands[command]);
        let mut diagnostic = found
            .at(
                commands.span(&script.commands[command].place),
                format!("a failure of {name} left of `|` goes unnoticed"),
                "only the exit code of the last command of the pipeline counts",
            )
            .help("begin the script with `set -euo pipefail`");
        for (_, other) in lost.take(3) {
            let span = commands.span(&script.commands[other].place);
            diagnostic = diagnostic.also_at(subject.source, span, "the same here");
        }
        found.add(match fix(commands, pipeline) {
            Some((title, edit)) => diagnostic.unsafe_fix(title, vec![edit]),
            None => diagnostic,
        });
    }
}

/// The first command left of a `|` whose failure would matter and is lost.
fn culprit(script: &Script, pipeline: &Pipeline) -> Option<usize> {
    let (last, left) = pipeline.stages.split_last()?;
    let first = left.first()?.inside.start;
    let function = pipeline.scope.function.is_some();
    let at = if function { script.commands.len() } else { first };
    let ignored = match pipeline.scope.parent {
        // The exit code of `x=$(a | b)` is that of the pipeline; that of `echo "$(a | b)"` is not.
        Some((parent, Embedding::Substitution)) => {
            script.commands.get(parent).is_none_or(|parent| !parent.words.is_empty() || parent.in_condition)
        }
        Some(_) => true,
        None => false,
    };
    if ignored || pipeline.checked || pipeline.negated || is_on(script, at, pipeline) || is_strict(script, last.command)
    {
        return None;
    }
    let background = script.commands.get(first).is_some_and(|command| command.background);
    let decided = script.settings.iter().any(|setting| {
        let option = matches!(setting.option, ShellOption::Pipefail | ShellOption::Errexit);
        option && !setting.on && setting.command < first
    });
    if background || decided {
        return None;
    }
    left.iter().flat_map(|stage| stage.inside.clone()).find(|index| matters(script, *index, pipeline))
}

/// Whether `pipefail` holds for a pipeline: for the script, or for the subshell or function it stands in.
fn is_on(script: &Script, at: usize, pipeline: &Pipeline) -> bool {
    let own = script.settings.iter().any(|setting| {
        let scope = &script.commands[setting.command].scope;
        let inside = (scope.in_subshell && scope.parent == pipeline.scope.parent)
            || (scope.function.is_some() && scope.function == pipeline.scope.function);
        setting.option == ShellOption::Pipefail && setting.on && !setting.lasting && inside && setting.command < at
    });
    own || script.holds(ShellOption::Pipefail, at)
}

fn matters(script: &Script, index: usize, pipeline: &Pipeline) -> bool {
    let command = &script.commands[index];
    let inside = command.scope.parent == pipeline.scope.parent;
    let looked_at = command.in_condition && command.pipeline.is_none();
    inside && !looked_at && !errexit::is_harmless(script, index) && !is_source(command)
}

/// Commands that end because the right side has enough, or have nothing to fail on.
fn is_source(command: &Command) -> bool {
    let Some(call) = command.invocation() else { return false };
    match call.program {
        "yes" | "seq" | "set" | "echo" | "printf" | "dmesg" | "lsmod" | "mount" | "jobs" => true,
        // Here-documents and here-strings.
        "cat" => call.operands().next().is_none(),
        _ => false,
    }
}

/// Whether the last command fails by itself when nothing comes in from the left: `grep` finds nothing then.
fn is_strict(script: &Script, last: Option<usize>) -> bool {
    let call = last.and_then(|index| script.commands.get(index)).and_then(Command::invocation);
    let grep = |call: &Invocation<'_>| matches!(call.program, "grep" | "egrep" | "fgrep");
    call.is_some_and(|call| grep(&call) && !call.has_option(&["-v", "--invert-match"]))
}

/// `-o pipefail` behind the options that are set, or a line of its own.
fn fix(commands: &Commands<'_>, pipeline: &Pipeline) -> Option<(&'static str, Edit)> {
    let script = &commands.script;
    let first = pipeline.stages.first()?.inside.start;
    let set = script.settings.iter().find(|setting| {
        setting.option == ShellOption::Errexit && setting.on && setting.lasting && setting.command < first
    });
    let Some(setting) = set else {
        return Some(("begin with `set -o pipefail`", insert::first_line(commands, "set -o pipefail")?));
    };
    let command = &script.commands[setting.command];
    let mut end = command.place.clone();
    end.range.start = end.range.end;
    Some(("set `pipefail` as well", commands.edit(&end, " -o pipefail")?))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bash, findings, mended};

    #[test]
    fn lost_failures_left_of_a_pipe_are_reported() {
        for (script, expected) in [
            ("curl -fsSL https://x/a.tgz | tar xz -C /opt", "curl -fsSL https://x/a.tgz"),
            ("set -e\nmake install 2>&1 | tee /var/log/make.log", "make install 2>&1"),
            ("set -eu\nversion=$(curl -fsSL https://x | jq -r .tag)\necho \"$version\"", "curl -fsSL https://x"),
            ("set -e\ncat list | while read -r name; do touch \"$name\"; done", "cat list"),
            ("set -e\necho a | gpg --dearmor | tee /etc/apt/keyrings/a.gpg", "gpg --dearmor"),
            ("set -e\n{ cat a; cat b; } | sort >c", "cat a"),
            ("set -e\nf() { dpkg -l | awk '{print $2}'; }\nf", "dpkg -l"),
            ("set -e\n(rpm -qa | sort >a)", "rpm -qa"),
            ("set -e\nrpm -qa | grep -v gpg >a", "rpm -qa"),
        ] {
            assert_eq!(bash("M003", script), [expected], "{script}");
        }
    }

    #[test]
    fn pipes_that_lose_nothing_are_left_alone() {
        for script in [
            "set -euo pipefail\ncurl -fsSL https://x/a.tgz | tar xz",
            "set -e\nset -o pipefail\ncurl -fsSL https://x/a.tgz | tar xz",
            "set -e -o pipefail\ncurl x | tar xz",
            "shopt -so pipefail\ncurl x | tar xz",
            "echo secret | chpasswd",
            "printf '%s\\n' a b | xargs touch",
            "set -e\nyes | ./install.sh",
            "set -e\ncat <<'E' | tee /etc/a.conf\na\nE",
            "set -e\nif rpm -qa | sort | uniq -d; then exit 1; fi",
            "set -e\n! rpm -qa | sort | uniq -d",
            "set -e\nrpm -qa | sort || true",
            "set -e\ncurl x | tar xz && echo ok",
            "set -e\nsystemctl status a | grep -q running",
            "set -e\nsystemctl status a | grep running",
            "set -e\necho \"there are $(rpm -qa | wc -l)\"",
            "set -e\nset +e\nrpm -qa | sort\nset -e",
            "set -e\nmake | tee log; exit \"${PIPESTATUS[0]}\"",
            "set -e\n(set -o pipefail; rpm -qa | sort)",
            "set -e\nbash -c 'rpm -qa | sort'",
            "set -e\nx=$(echo a | tr a b)",
            "set -e\nx=$(uname -r | cut -d- -f1)",
            "set -e\n# a | b\necho 'a | b'",
        ] {
            assert_eq!(bash("M003", script), [""; 0], "{script}");
        }
    }

    #[test]
    fn one_cause_gives_one_finding() {
        let script = "cp a b\nrpm -qa | sort >c\ncp d e";
        assert_eq!((bash("M001", script).len(), bash("M003", script).len()), (1, 0));
        let found = findings("M003", "ExecuteBash", "", "set -e\nrpm -qa | sort >c\ndpkg -l | sort >d");
        assert_eq!((found.len(), found[0].secondary.len()), (1, 1));
        assert!(mended(&found[0]).is_some_and(|text| text.starts_with("set -e -o pipefail\nrpm")), "{found:?}");
        let found = findings("M003", "ExecuteBash", "", "curl x | tar xz");
        assert_eq!(mended(&found[0]).as_deref(), Some("set -o pipefail\ncurl x | tar xz"));
    }
}

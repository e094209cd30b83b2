//! Secrets of Parameter Store that a script prints into the log.

use crate::component::model::{Document, Phase, Step};
use crate::component::rules::model::Findings;
use crate::component::rules::shell::PowerShellCommands;
use crate::component::rules::shell::second::facts::{Facts, scripts};
use crate::component::rules::subject::Subject;
use crate::component::shell::{
    Command, Context, Embedding, Expansion, Place, PowerShellCommand, ShellOption, Variable, Word,
};
use crate::diagnostic::Span;
use std::collections::BTreeMap;

/// The part of M014 about output. Where logging is off there is nothing to see.
pub fn shown(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for facts in scripts(subject).filter(|facts| is_logged(subject.document, facts.phase(), facts.step())) {
        for place in printed(&facts) {
            report(found, facts.span(place));
        }
        if let Some(place) = traced(&facts) {
            let message = "`set -x` writes every command to the log, with the secrets put in";
            let diagnostic = found.at(facts.span(place), message, "switch it off before a secret is used");
            found.add(diagnostic.help("write `set +x` before the first use of `aws:ssm:`, or leave `set -x` out"));
        }
    }
    for commands in subject.powershell() {
        if !is_logged(subject.document, commands.phase, commands.step) {
            continue;
        }
        for (index, command) in commands.script.commands.iter().enumerate() {
            if let Some(place) = powershell(commands, index, command) {
                report(found, commands.span(place));
            }
        }
    }
}

fn is_logged(document: &Document, phase: &Phase, step: &Step) -> bool {
    !(document.disable_logging || phase.disable_logging || step.disable_logging)
}

fn report(found: &mut Findings<'_>, span: Span) {
    found.add(
        found
            .at(span, "a value of Parameter Store is printed into the log", "may be a secret")
            .help("do not print it; hand it on through a pipe or a file that only root may read")
            .help("if the output is needed, set `disableLogging: true` on the step"),
    );
}

fn is_ssm(expression: &Expansion) -> bool {
    let name = expression.text.strip_prefix("aws:ssm:");
    name.is_some_and(|name| !name.trim().is_empty()) && expression.context != Context::Comment
}

/// Whether the text of a word holds a value of Parameter Store.
fn holds_ssm(word: &Word) -> bool {
    word.text.split("{{").skip(1).any(|rest| rest.trim_start().starts_with("aws:ssm:"))
}

/// Where secrets are printed.
fn printed<'s>(facts: &Facts<'s, '_>) -> Vec<&'s Place> {
    let script = facts.script();
    let mut found = Vec::new();
    let secrets = secret_variables(facts);
    if !script.expressions.iter().any(is_ssm) || is_sent_away(facts) {
        return found;
    }
    for (index, command, invocation) in facts.invocations() {
        let speaks = match invocation.program {
            "echo" | "cat" | "tee" => true,
            "printf" => !invocation.has_option(&["-v"]),
            _ => false,
        };
        if !speaks || !is_seen(facts, command) {
            continue;
        }
        let expressions = script.expressions.iter().filter(|one| one.command == Some(index) && is_ssm(one));
        let variables =
            script.variables.iter().filter(|one| one.command == Some(index) && gives_away(facts, &secrets, one, index));
        let own = |place: &&Place| !in_other_program(command, place);
        found.extend(expressions.map(|one| &one.place).chain(variables.map(|one| &one.place)).filter(own).take(1));
    }
    found
}

/// Whether a place is only the name of the file that a command writes to.
fn in_other_program(command: &Command, place: &Place) -> bool {
    command.redirects.iter().any(|redirect| {
        let target = &redirect.target.place;
        redirect.operator.starts_with('>')
            && target.item == place.item
            && target.range.start <= place.range.start
            && place.range.end <= target.range.end
    })
}

/// The variables that hold a value of Parameter Store, with the command from which on they do.
fn secret_variables<'s>(facts: &Facts<'s, '_>) -> BTreeMap<&'s str, usize> {
    let mut found = BTreeMap::new();
    for (index, command) in facts.each() {
        for assignment in command.assignments.iter().filter(|assignment| holds_ssm(&assignment.value)) {
            found.entry(assignment.name.as_str()).or_insert(index);
        }
    }
    found
}

/// Whether a use of a variable gives the value of a secret away.
fn gives_away(facts: &Facts<'_, '_>, secrets: &BTreeMap<&str, usize>, variable: &Variable, index: usize) -> bool {
    let place = &variable.place;
    let longer = Place { item: place.item, range: place.range.start..place.range.end + 2 };
    let written = facts.commands.text(&longer);
    // `${A:+set}` and `${#A}` tell only that there is one, and how long it is.
    let harmless = written.ends_with(":+") || written.starts_with("${#");
    secrets.get(variable.name.as_str()).is_some_and(|since| *since < index) && !harmless
}

/// Whether the script redirects its own output, or that of a block. Which commands a block is about is not known, so all.
fn is_sent_away(facts: &Facts<'_, '_>) -> bool {
    let script = facts.script();
    let blocks = script.block_redirects.iter().any(|redirect| redirect.operator.starts_with('>'));
    blocks
        || script.commands.iter().any(|one| {
            let writes = || one.redirects.iter().any(|redirect| redirect.operator.starts_with('>'));
            one.name() == Some("exec") && one.words.len() == 1 && writes()
        })
}

/// Whether what a command writes ends up in the log: it is not redirected, captured or handed to another program.
fn is_seen(facts: &Facts<'_, '_>, command: &Command) -> bool {
    let script = facts.script();
    let captured = script.parents_of(&command.scope).any(|(_, how)| how != Embedding::Script);
    !(captured || is_redirected(command) || is_piped(facts, command))
}

fn is_redirected(command: &Command) -> bool {
    command.redirects.iter().any(|redirect| {
        let out = matches!(redirect.operator, ">" | ">>" | ">|" | "&>" | "&>>");
        let screen = matches!(redirect.target.text.as_str(), "/dev/stdout" | "/dev/stderr" | "/dev/console");
        out && redirect.descriptor.is_none_or(|number| number == 1) && !screen
    })
}

/// Whether another program reads it. `tee` and `cat` at the end of a pipeline write it to the log all the same.
fn is_piped(facts: &Facts<'_, '_>, command: &Command) -> bool {
    let script = facts.script();
    let Some(pipeline) = command.pipeline.and_then(|number| script.pipelines.get(number)) else { return false };
    let Some(last) = pipeline.stages.last() else { return false };
    let Some(last) = last.command.and_then(|index| script.commands.get(index)) else { return true };
    if std::ptr::eq(last, command) {
        return false;
    }
    let speaks = last.invocation().is_some_and(|invocation| matches!(invocation.program, "tee" | "cat"));
    !speaks || is_redirected(last)
}

/// The `set -x` under which a secret is used.
fn traced<'s>(facts: &Facts<'s, '_>) -> Option<&'s Place> {
    let script = facts.script();
    let uses = script.expressions.iter().filter(|expression| is_ssm(expression)).filter_map(|one| one.command);
    let used = uses.into_iter().find(|index| script.holds(ShellOption::Xtrace, *index))?;
    let on = script.settings.iter().rfind(|one| one.option == ShellOption::Xtrace && one.on && one.command < used)?;
    script.commands.get(on.command).map(|command| &command.place)
}

fn powershell<'c>(
    commands: &'c PowerShellCommands<'_>,
    index: usize,
    command: &'c PowerShellCommand,
) -> Option<&'c Place> {
    let speaks = ["Write-Host", "Write-Output", "Write-Information", "Write-Verbose", "Write-Warning", "Out-Host"];
    if command.pipeline.is_some() || command.parent.is_some() || !speaks.iter().any(|name| command.runs(name)) {
        return None;
    }
    let script = &commands.script;
    let direct = script.expressions.iter().find(|one| one.command == Some(index) && is_ssm(one)).map(|one| &one.place);
    let secret = |word: &&Word| {
        script.assignments.iter().filter(|one| one.before <= index).any(|assignment| {
            assignment.value.as_ref().is_some_and(holds_ssm) && mentions(&word.text, &assignment.name) && word.dynamic
        })
    };
    direct.or_else(|| command.arguments().iter().find(secret).map(|word| &word.place))
}

/// Whether a text holds `$name`.
fn mentions(text: &str, name: &str) -> bool {
    let (text, name) = (text.to_ascii_lowercase(), format!("${}", name.to_ascii_lowercase()));
    text.match_indices(&name).any(|(at, _)| {
        let next = text[at + name.len()..].chars().next();
        next.is_none_or(|c| !(c.is_ascii_alphanumeric() || c == '_'))
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::testing::{bash, document, powershell};
    use crate::component::rules::Target;
    use crate::component::rules::files::testing::in_document;

    #[test]
    fn printed_secrets_are_found() {
        for (script, expected) in [
            ("echo \"{{ aws:ssm:/db }}\"", "{{ aws:ssm:/db }}"),
            ("printf '%s\\n' \"{{aws:ssm:/db}}\" >&2", "{{aws:ssm:/db}}"),
            ("DB=\"{{ aws:ssm:/db }}\"\necho \"value: $DB\"", "$DB"),
            ("export DB=\"{{ aws:ssm:/db }}\"\necho \"${DB}\"", "${DB"),
            ("cat <<END\n{{ aws:ssm:/db }}\nEND", "{{ aws:ssm:/db }}"),
            ("echo \"{{ aws:ssm:/db }}\" | tee /etc/db", "{{ aws:ssm:/db }}"),
            ("tee /etc/db <<<\"{{ aws:ssm:/db }}\"", "{{ aws:ssm:/db }}"),
            ("set -x\nlogin \"{{ aws:ssm:/db }}\"", "set -x"),
            ("set -euxo pipefail\nDB=\"{{ aws:ssm:/db }}\"", "set -euxo pipefail"),
        ] {
            assert_eq!(bash("M014", script), [expected], "{script}");
        }
    }

    #[test]
    fn what_stays_out_of_the_log_is_silent() {
        for script in [
            "echo \"{{ aws:ssm:/db }}\" >/etc/db",
            "echo \"{{ aws:ssm:/db }}\" | docker login -u a --password-stdin example.com",
            "echo \"{{ aws:ssm:/db }}\" | tee /etc/db >/dev/null",
            "tee /etc/db >/dev/null <<<\"{{ aws:ssm:/db }}\"",
            "cat >/etc/db <<END\n{{ aws:ssm:/db }}\nEND",
            "hash=$(printf '%s' \"{{ aws:ssm:/db }}\" | sha256sum)",
            "x=$(echo \"{{ aws:ssm:/db }}\")",
            "DB=\"{{ aws:ssm:/db }}\"\necho \"$OTHER\"",
            "DB=\"{{ aws:ssm:/db }}\"\necho \"${DB:+set}\" \"${#DB}\"",
            "DB=\"{{ aws:ssm:/db }}\"\nlogin \"$DB\"",
            "echo '$DB'\nDB=\"{{ aws:ssm:/db }}\"",
            "{ echo \"{{ aws:ssm:/db }}\"; } >/etc/db",
            "# echo {{ aws:ssm:/db }}\ntrue",
            "set -x\nset +x\nlogin \"{{ aws:ssm:/db }}\"",
            "login \"{{ aws:ssm:/db }}\"\nset -x\ntrue",
            "echo \"{{ Given }}\"",
        ] {
            assert_eq!(bash("M014", script), [""; 0], "{script}");
        }
    }

    #[test]
    fn without_a_log_there_is_nothing_to_see() {
        let text = document("build", "ExecuteBash", 1, "echo \"{{ aws:ssm:/db }}\"");
        let reported = |text: &str| in_document("M014", &Target::default(), text).len();
        assert_eq!(reported(&text), 1);
        assert_eq!(
            reported(&text.replace("        maxAttempts", "        disableLogging: true\n        maxAttempts")),
            0
        );
        assert_eq!(reported(&text.replace("  - name: build\n", "  - name: build\n    disableLogging: true\n")), 0);
        assert_eq!(reported(&format!("disableLogging: true\n{text}")), 0);
        let literal = document("build", "ExecuteBash", 1, "DB_PASSWORD=hunter2");
        assert_eq!(reported(&format!("disableLogging: true\n{literal}")), 1, "it stands in the document");
    }

    #[test]
    fn powershell_is_looked_at() {
        for (script, reported) in [
            ("Write-Host '{{ aws:ssm:/db }}'", true),
            ("$db = '{{ aws:ssm:/db }}'\nWrite-Output \"value: $db\"", true),
            ("$db = '{{ aws:ssm:/db }}'\nWrite-Output \"value: $dbName\"", false),
            ("$db = '{{ aws:ssm:/db }}'\nConnect-App $db", false),
            ("Write-Output '{{ aws:ssm:/db }}' | Out-File C:\\db", false),
        ] {
            assert_eq!(!powershell("M014", "build", 1, script).is_empty(), reported, "{script}");
        }
    }
}

//! X011: values that are pasted into a shell command without quotes around them.

use super::values;
use crate::component::expression::{self, Expression, Template};
use crate::component::rules::model::Findings;
use crate::component::rules::shell::{Commands, PowerShellCommands};
use crate::component::rules::subject::Subject;
use crate::component::shell::{Command, Context, Coverage, Expansion, Place, Quoting, Script, Word};
use crate::diagnostic::{Diagnostic, Edit};
use crate::yaml::Style;

/// X011.
pub fn unquoted(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for commands in subject.scripts().iter().filter(|commands| commands.script.coverage == Coverage::Complete) {
        for expansion in &commands.script.expressions {
            let harmless = || values::is_harmless(subject.document, commands.step, &expansion.text);
            if let Some(spot) = spot(commands, expansion).filter(|_| !harmless()) {
                let diagnostic = report(subject, found, commands, expansion, &spot);
                found.add(diagnostic);
            }
        }
    }
    for commands in subject.powershell().iter().filter(|commands| commands.script.coverage == Coverage::Complete) {
        for expansion in &commands.script.expressions {
            let harmless = || values::is_harmless(subject.document, commands.step, &expansion.text);
            if let Some(word) = powershell_word(commands, expansion).filter(|_| !harmless()) {
                let diagnostic = report_in_powershell(found, commands, expansion, word);
                found.add(diagnostic);
            }
        }
    }
}

/// Where an expression stands that quotes would protect.
struct Spot<'a> {
    /// The word it is part of.
    word: Option<&'a Word>,
    /// Whether it may be meant as several words, so that quotes may change what the command does.
    may_be_list: bool,
    /// Whether a blank in the value breaks the syntax or has no sense there at all.
    breaks: bool,
}

/// `None` where quotes are there, or where the value is split by intent.
fn spot<'a>(commands: &'a Commands<'_>, expansion: &Expansion) -> Option<Spot<'a>> {
    let script = &commands.script;
    let command = expansion.command.and_then(|index| script.commands.get(index));
    match expansion.context {
        Context::Assignment => {
            let word = command.and_then(|command| command.assignments.iter().map(|a| &a.value).find(within(expansion)));
            Some(Spot { word, may_be_list: false, breaks: true })
        }
        Context::Test => {
            let words = command.map(|command| command.words.as_slice()).unwrap_or_default();
            let at = words.iter().position(|word| within(expansion)(&word))?;
            // A pattern means something else in quotes.
            let pattern = at > 0 && words[at - 1].is("=~");
            (!pattern).then(|| Spot { word: words.get(at), may_be_list: false, breaks: true })
        }
        Context::Unquoted => match command {
            Some(command) => argument(script, command, expansion),
            // The words of a `for` are meant to be several; anything else stands in a header of one word.
            None => (!is_for(commands, expansion)).then_some(Spot { word: None, may_be_list: false, breaks: true }),
        },
        _ => None,
    }
}

fn within(expansion: &Expansion) -> impl Fn(&&Word) -> bool + use<'_> {
    move |word| {
        let (outer, inner) = (&word.place, &expansion.place);
        outer.item == inner.item && outer.range.start <= inner.range.start && inner.range.end <= outer.range.end
    }
}

fn argument<'a>(script: &'a Script, command: &'a Command, expansion: &Expansion) -> Option<Spot<'a>> {
    if let Some(redirect) = command.redirects.iter().find(|redirect| within(expansion)(&&redirect.target)) {
        return Some(Spot { word: Some(&redirect.target), may_be_list: false, breaks: true });
    }
    // The elements of an array: that is how a list is split by intent.
    if command.assignments.iter().any(|assignment| within(expansion)(&&assignment.value)) {
        return None;
    }
    let Some(at) = command.words.iter().position(|word| within(expansion)(&word)) else {
        let inside_block = script.block_redirects.iter().find(|redirect| within(expansion)(&&redirect.target));
        return Some(Spot { word: inside_block.map(|r| &r.target), may_be_list: false, breaks: true });
    };
    let word = &command.words[at];
    let alone = word.place == expansion.place;
    // A command line that is a value as a whole is meant to be run as it is.
    let whole_line = alone && at == 0 && command.words.len() == 1;
    (!whole_line).then_some(Spot { word: Some(word), may_be_list: alone, breaks: false })
}

/// Whether an expression is one of the words of a `for`, which is no command of its own.
fn is_for(commands: &Commands<'_>, expansion: &Expansion) -> bool {
    let Place { item, range } = &expansion.place;
    let text = commands.templates.get(*item).map(Template::text).unwrap_or_default();
    let before = text.get(..range.start).unwrap_or_default();
    let statement = before.rsplit(['\n', ';']).next().unwrap_or_default();
    let mut words = statement.split_whitespace().skip_while(|word| matches!(*word, "do" | "then" | "else" | "{"));
    matches!(words.next(), Some("for" | "select"))
}

fn report(
    subject: &Subject<'_>,
    found: &Findings<'_>,
    commands: &Commands<'_>,
    expansion: &Expansion,
    spot: &Spot<'_>,
) -> Diagnostic {
    let text = commands.text(&expansion.place);
    let label = if spot.breaks {
        "a blank in its value breaks the command"
    } else {
        "a blank in its value makes several words of it"
    };
    let diagnostic = found
        .at(commands.span(&expansion.place), format!("`{text}` stands without quotes in a shell command"), label)
        .note("the value is put in before bash reads the line: what is in it is split, expanded and run like the rest");
    let diagnostic = diagnostic.help("put it in double quotes");
    let diagnostic = if spot.may_be_list {
        diagnostic.help(format!(
            "if it is a list, read it first: `read -ra items <<<\"{text}\"`, then write `\"${{items[@]}}\"`"
        ))
    } else {
        diagnostic
    };
    let Some(edit) = quote(commands, expansion, spot.word) else { return diagnostic };
    let title = "put it in quotes";
    let one = spot.breaks || !spot.may_be_list || is_one_word(subject, commands, expansion);
    let pattern = expansion.context == Context::Test;
    if one && !pattern { diagnostic.safe_fix(title, vec![edit]) } else { diagnostic.unsafe_fix(title, vec![edit]) }
}

/// Whether a parameter shows by its default that it is one word, and the command takes no lists there.
fn is_one_word(subject: &Subject<'_>, commands: &Commands<'_>, expansion: &Expansion) -> bool {
    let Ok(Expression::Name(name)) = expression::parse(&expansion.text) else { return false };
    let parameter = subject.document.parameters.iter().find(|parameter| parameter.name == name);
    let default = parameter.and_then(|parameter| parameter.default.as_deref());
    let command = expansion.command.and_then(|index| commands.script.commands.get(index));
    let lists = command.is_none_or(|command| command.package_call().is_some());
    !lists && default.is_some_and(|text| values::is_word(text) && !text.starts_with('-'))
}

/// Quotes around the word, or around as much of it as they do not change.
fn quote(commands: &Commands<'_>, expansion: &Expansion, word: Option<&Word>) -> Option<Edit> {
    let mut place = expansion.place.clone();
    if let Some(word) = word.filter(|word| word.quoting == Quoting::Bare && word.place.item == place.item) {
        let start = word.place.range.start;
        let before = commands.text(&word.place).get(..place.range.start - start).unwrap_or_default();
        // `--name="value"` is how people write it.
        let from = start + before.rfind('=').map_or(0, |at| at + 1);
        let whole = Place { item: place.item, range: from..word.place.range.end };
        if is_plain(commands.text(&whole)) {
            place = whole;
        }
    }
    let text = commands.text(&place).to_owned();
    let style = commands.templates.get(place.item)?.node.style()?;
    if style == Style::Plain && place.range.start > 0 {
        // Quotes in the middle of plain text mean nothing to YAML.
        let span = commands.span(&place);
        return (commands.source.slice(span) == text).then(|| Edit::replace(span, format!("\"{text}\"")));
    }
    commands.edit(&place, &format!("\"{text}\"")).or_else(|| commands.edit(&place, &format!("'{text}'")))
}

/// Whether a piece of a word is expressions and letters only, so that quotes change nothing else.
fn is_plain(text: &str) -> bool {
    let mut rest = text;
    while let Some(open) = rest.find("{{") {
        let Some(close) = rest[open..].find("}}") else { return false };
        if open > 0 && !values::is_word(&rest[..open]) {
            return false;
        }
        rest = &rest[open + close + 2..];
    }
    rest.is_empty() || values::is_word(rest)
}

/// The argument of a named PowerShell command that an expression is part of, without quotes.
fn powershell_word<'a>(commands: &'a PowerShellCommands<'_>, expansion: &Expansion) -> Option<&'a Word> {
    let command = expansion.command.and_then(|index| commands.script.commands.get(index))?;
    command.name()?;
    let word = command.arguments().iter().find(within(expansion))?;
    // `${{ Flag }}` makes `$true`, `-Confirm:{{ Flag }}` takes what quotes would turn into text.
    let text = commands.text(&word.place);
    let begins = expansion.place.range.start - word.place.range.start;
    let before = text.get(..begins).unwrap_or_default();
    let plain = expansion.context == Context::Unquoted && word.quoting == Quoting::Bare;
    (plain && !before.ends_with(['$', ':', '(', '{', ','])).then_some(word)
}

fn report_in_powershell(
    found: &Findings<'_>,
    commands: &PowerShellCommands<'_>,
    expansion: &Expansion,
    word: &Word,
) -> Diagnostic {
    let text = commands.text(&expansion.place);
    let diagnostic = found
        .at(
            commands.span(&expansion.place),
            format!("`{text}` stands without quotes in a PowerShell command"),
            "a blank in its value makes several arguments of it",
        )
        .note("the value is put in before PowerShell reads the line: what is in it is split and run like the rest")
        .help("put it in quotes");
    let whole = commands.text(&word.place);
    let new = if whole.contains(['\'', '"']) { None } else { Some(format!("\"{whole}\"")) };
    let edit = new
        .and_then(|new| commands.edit(&word.place, &new).or_else(|| commands.edit(&word.place, &format!("'{whole}'"))));
    match edit {
        Some(edit) => diagnostic.unsafe_fix("put it in quotes", vec![edit]),
        None => diagnostic,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{findings, in_document, mended, place};

    const NAMES: &str = "\
parameters:
  - Version: {type: string, default: '1.2', description: a}
  - Packages: {type: string, default: 'git jq', description: b}
  - Options: {type: string, default: '', description: c}
  - Token: {type: string, description: d}
constants:
  - Folder: {type: string, value: /opt/app}
  - Title: {type: string, value: My App}
";

    fn bash(script: &str) -> Vec<String> {
        findings("X011", "ExecuteBash", NAMES, script).iter().map(place).collect()
    }

    #[test]
    fn values_without_quotes_are_reported() {
        for (script, expected) in [
            ("cp {{ Version }} a", &["{{ Version }}"][..]),
            ("curl -o a https://x/{{ Version }}/a.tgz", &["{{ Version }}"]),
            ("./i --version={{ Version }} --title {{ Title }}", &["{{ Version }}", "{{ Title }}"]),
            ("version={{ Version }}", &["{{ Version }}"]),
            ("export VERSION={{ Version }}", &["{{ Version }}"]),
            ("[ {{ Version }} = a ]", &["{{ Version }}"]),
            ("[[ {{ Version }} == 1.* ]]", &["{{ Version }}"]),
            ("echo a >{{ Version }}", &["{{ Version }}"]),
            ("while read -r a; do echo; done <{{ Version }}", &["{{ Version }}"]),
            ("case {{ Version }} in 1) a;; esac", &["{{ Version }}"]),
            ("x=\"$(cat {{ Version }})\"", &["{{ Version }}"]),
            ("apt-get install -y {{ Packages }}", &["{{ Packages }}"]),
            ("./i {{ Options }}", &["{{ Options }}"]),
            ("echo {{ aws:ssm:/a }}", &["{{ aws:ssm:/a }}"]),
            (
                "echo {{ context:osName }} {{ env:IMAGE_PIPELINE_ARN }}",
                &["{{ context:osName }}", "{{ env:IMAGE_PIPELINE_ARN }}"],
            ),
            ("{{ Version }} --help", &["{{ Version }}"]),
        ] {
            assert_eq!(bash(script), expected, "{script}");
        }
    }

    #[test]
    fn quotes_and_plain_values_are_left_alone() {
        for script in [
            "cp \"{{ Version }}\" '{{ Version }}' \"a/{{ Token }}/b\"",
            "version=\"{{ Version }}\"",
            "cat <<E\n{{ Version }}\nE",
            "cat <<'E'\n{{ Version }}\nE",
            "# {{ Version }}",
            "cd {{ Folder }}/bin",
            "echo {{ context:region }} {{ context:date }} {{ aws:imds:instance-id }} {{ aws:imds:placement/region }}",
            "for name in {{ Packages }}; do echo \"$name\"; done",
            "if true; then for name in {{ Packages }}; do echo \"$name\"; done; fi",
            "packages=({{ Packages }})",
            "{{ Token }}",
            "[[ $x =~ {{ Version }} ]]",
            "echo $(( {{ Version }} * 2 ))",
            "bash -c 'echo {{ Version }}'",
            "read -ra packages <<<\"{{ Packages }}\"",
            "[ \"{{ Version }}\" = a ]",
        ] {
            assert_eq!(bash(script), [""; 0], "{script}");
        }
    }

    #[test]
    fn loops_and_inputs_are_looked_up() {
        let steps = |steps: &[&str]| {
            let steps = steps.join("\n      - ");
            let text = format!("schemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - {steps}\n");
            in_document("X011", &text).iter().map(place).collect::<Vec<_>>()
        };
        let run = |repeat: &str, command: &str| {
            format!("{{name: Run, action: ExecuteBash, loop: {repeat}, inputs: {{commands: ['{command}']}}}}")
        };
        for (repeat, command, expected) in [
            ("{for: {start: 0, end: 3, updateBy: 1}}", "echo {{ loop.value }} {{ loop.index }}", &[][..]),
            ("{name: one, forEach: [a, b-1]}", "echo {{ one.value }} {{ loop.value }}", &[]),
            ("{forEach: {list: \"a,b\", delimiter: \",\"}}", "echo {{ loop.value }}", &[]),
            ("{forEach: [a, b c]}", "echo {{ loop.value }}", &["{{ loop.value }}"]),
            ("{forEach: {list: \"a b,c\"}}", "echo {{ loop.value }} {{ loop.index }}", &["{{ loop.value }}"]),
        ] {
            assert_eq!(steps(&[&run(repeat, command)]), expected, "{repeat}");
        }
        let make = |path: &str| format!("{{name: Make, action: CreateFile, inputs: [{{path: '{path}'}}]}}");
        let use_it = "{name: Use, action: ExecuteBash, inputs: {commands: ['cat {{ build.Make.inputs[0].path }}']}}";
        assert_eq!(steps(&[&make("/opt/a"), use_it]), [""; 0]);
        assert_eq!(steps(&[&make("/opt/a b"), use_it]), ["{{ build.Make.inputs[0].path }}"]);
        let own = "{name: Own, action: ExecuteBash, inputs: {commands: ['cat {{ build.Own.inputs.path }}']}}";
        assert_eq!(steps(&[own]).len(), 1);
        let output = "{name: Out, action: ExecuteBash, inputs: {commands: ['echo a']}}";
        let chained = "{name: In, action: ExecuteBash, inputs: {commands: ['cat {{ build.Out.outputs.stdout }}']}}";
        assert_eq!(steps(&[output, chained]).len(), 1);
    }

    #[test]
    fn fixes_put_quotes_where_people_would() {
        for (script, expected, safe) in [
            ("cp {{ Version }} a", "cp \"{{ Version }}\" a", true),
            ("cp a /opt/{{ Version }}/b", "cp a \"/opt/{{ Version }}/b\"", true),
            ("./i --v={{ Version }}/a", "./i --v=\"{{ Version }}/a\"", true),
            ("cp {{ Version }}/*.conf a", "cp \"{{ Version }}\"/*.conf a", true),
            ("cp {{ Version }}/\"$x\" a", "cp \"{{ Version }}\"/\"$x\" a", true),
            ("v={{ Version }}", "v=\"{{ Version }}\"", true),
            ("v={{ Packages }}", "v=\"{{ Packages }}\"", true),
            ("apt-get install -y {{ Packages }}", "apt-get install -y \"{{ Packages }}\"", false),
            ("yum install -y {{ Version }}", "yum install -y \"{{ Version }}\"", false),
            ("./i {{ Options }}", "./i \"{{ Options }}\"", false),
            ("./i {{ Token }}", "./i \"{{ Token }}\"", false),
            ("[[ {{ Version }} == a ]]", "[[ \"{{ Version }}\" == a ]]", false),
            ("echo a >{{ Token }}", "echo a >\"{{ Token }}\"", true),
        ] {
            let found = findings("X011", "ExecuteBash", NAMES, script);
            assert_eq!(mended(&found[0]).as_deref(), Some(expected), "{script}");
            assert_eq!(found[0].fix.as_ref().map(|fix| fix.safe), Some(safe), "{script}");
        }
    }

    #[test]
    fn the_quotes_suit_the_scalar() {
        let head = "schemaVersion: 1.0\nparameters: [{Version: {type: string, default: a}}]\nphases:\n  - name: build\n    steps:\n      \
                    - name: Run\n        action: ExecuteBash\n        inputs:\n          commands:\n            - ";
        for (item, expected) in [
            ("cp {{ Version }} a", "cp \"{{ Version }}\" a"),
            ("'cp {{ Version }} a'", "'cp \"{{ Version }}\" a'"),
            ("\"cp {{ Version }} a\"", "\"cp '{{ Version }}' a\""),
        ] {
            let found = in_document("X011", &format!("{head}{item}\n"));
            let edit = &found[0].fix.as_ref().unwrap().edits[0];
            let mut text = format!("{head}{item}\n");
            text.replace_range(edit.span.start..edit.span.end, &edit.text);
            assert_eq!(text[head.len()..].trim_end(), expected);
            assert!(in_document("X011", &text).is_empty(), "{text}");
        }
    }

    #[test]
    fn powershell_arguments_are_looked_at() {
        for (script, expected) in [
            ("Copy-Item {{ Version }} a", &["{{ Version }}"][..]),
            ("Copy-Item a C:\\{{ Version }}\\b", &["{{ Version }}"]),
            ("msiexec /i a.msi VERSION={{ Version }}", &["{{ Version }}"]),
            ("Copy-Item \"{{ Version }}\" '{{ Version }}'", &[]),
            ("$x = {{ Version }}", &[]),
            ("if ({{ Version }} -gt 1) { exit 1 }", &[]),
            ("Set-Thing -Flag:{{ Version }} ${{ Version }}", &[]),
            ("Set-Location {{ Folder }}", &[]),
            ("# {{ Version }}", &[]),
        ] {
            let found = findings("X011", "ExecutePowerShell", NAMES, script);
            assert_eq!(found.iter().map(place).collect::<Vec<_>>(), expected, "{script}");
        }
    }
}

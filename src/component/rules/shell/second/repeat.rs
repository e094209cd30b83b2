//! S017: what does not bear to be run a second time.

use super::facts::{Facts, filled, is_below, scripts};
use crate::component::model::Value;
use crate::component::modules::Action;
use crate::component::rules::model::Findings;
use crate::component::rules::subject::Subject;
use crate::component::shell::{Invocation, Place, PowerShellCommand, Redirect};
use crate::diagnostic::Span;

/// What happens when something is run again, and what to write instead.
pub struct Again {
    /// Where.
    place: Place,
    /// What the second run does.
    message: String,
    /// How to mend it.
    help: &'static str,
}

/// S017.
pub fn again(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for facts in scripts(subject).filter(|facts| facts.step().max_attempts > 1) {
        for one in all(&facts) {
            report(found, facts.span(&one.place), one.message, one.help);
        }
    }
    for commands in subject.powershell().iter().filter(|commands| commands.step.max_attempts > 1) {
        for command in &commands.script.commands {
            if let Some((message, help)) = powershell(command) {
                report(found, commands.span(&command.place), message, help);
            }
        }
    }
    for (_, step) in subject.steps_of(Action::AppendFile).filter(|(_, step)| step.max_attempts > 1) {
        let temporary = step.inputs.iter().all(|item| match item.get("path") {
            Some(Value::Text(path)) => is_passing(&filled(subject.document, path.text())),
            _ => true,
        });
        if !temporary {
            let help = "write the whole file with CreateFile, or leave the step at one attempt";
            report(found, step.action_span, "a second attempt appends the same text again".to_owned(), help);
        }
    }
}

fn report(found: &mut Findings<'_>, span: Span, message: String, help: &str) {
    found.add(found.at(span, message, "`maxAttempts` runs all of it again").help(help));
}

/// The first thing in a script that does not bear a second run.
pub fn first(facts: &Facts<'_, '_>) -> Option<Again> {
    all(facts).into_iter().next()
}

fn all(facts: &Facts<'_, '_>) -> Vec<Again> {
    let mut found = Vec::new();
    for (index, command, invocation) in facts.invocations() {
        if let Some((message, help)) = once_only(facts, index, &invocation)
            && !facts.is_guarded(index)
        {
            found.push(Again { place: command.place.clone(), message, help });
        }
    }
    for (index, redirect) in facts.script().redirects() {
        let appends = matches!(redirect.operator, ">>" | "&>>") && stays(facts, index, redirect);
        if appends && !index.is_some_and(|index| facts.is_guarded(index)) {
            let message = format!("a second attempt appends to `{}` again", redirect.target.text);
            found.push(Again { place: redirect.target.place.clone(), message, help: APPEND });
        }
    }
    found
}

const APPEND: &str =
    "write the whole file with `>`, or append only what is missing: `grep -qx … file || echo … >>file`";
const MOVE: &str = "ask first: `if [ -e SOURCE ]; then mv …; fi`";

/// Whether text is appended to a file that is there from one attempt to the next.
fn stays(facts: &Facts<'_, '_>, index: Option<usize>, redirect: &Redirect) -> bool {
    let before = index.unwrap_or(facts.script().commands.len());
    appended(facts, before, &facts.text(&redirect.target, before))
}

fn appended(facts: &Facts<'_, '_>, before: usize, path: &str) -> bool {
    let known = path.starts_with('/') && !path.contains(['$', '`', '{']);
    known && !is_passing(path) && !made_anew(facts, before, path)
}

/// Logs, devices and temporary files: twice there does no harm.
fn is_passing(path: &str) -> bool {
    is_below(path, &["/dev", "/var/log", "/tmp", "/var/tmp", "/proc", "/run"]) || path.rsplit('.').next() == Some("log")
}

/// Whether the script begins the file, or clears it away, before it comes to a command.
fn made_anew(facts: &Facts<'_, '_>, before: usize, path: &str) -> bool {
    let earlier = || facts.each().take_while(|(at, _)| *at < before);
    facts.is_tired()
        || earlier().any(|(at, command)| {
            let truncates = command.redirects.iter().any(|redirect| {
                matches!(redirect.operator, ">" | ">|" | "&>") && facts.text(&redirect.target, at) == path
            });
            let program = command.invocation().map(|invocation| invocation.program);
            let edits = matches!(program, Some("rm" | "cp" | "mv" | "install" | "truncate" | "tee" | "sed" | "unlink"));
            let names = |word: &crate::component::shell::Word| {
                let text = facts.text(word, at);
                path == text || is_below(path, &[text.trim_end_matches("/*").trim_end_matches('/')])
            };
            truncates || (edits && command.words.iter().skip(1).filter(|word| word.text.len() > 1).any(names))
        })
}

/// Commands that fail, or do harm, when what they make is there already.
fn once_only(facts: &Facts<'_, '_>, index: usize, invocation: &Invocation<'_>) -> Option<(String, &'static str)> {
    let operands: Vec<String> = invocation.operands().map(|word| facts.text(word, index)).collect();
    let known = |path: &str| !path.contains(['$', '`', '{', '*', '?']);
    let fails = |what: &str| format!("a second attempt of `{}` fails: {what}", invocation.program);
    match invocation.program {
        "useradd" | "adduser" => Some((fails("the user exists"), "ask first: `id NAME || useradd … NAME`")),
        "groupadd" | "addgroup" if !invocation.has_option(&["-f", "--force"]) => {
            Some((fails("the group exists"), "ask first: `getent group NAME || groupadd NAME`"))
        }
        "mkdir" if !invocation.has_option(&["-p", "--parents"]) => {
            let path = operands.iter().find(|path| path.starts_with('/') && known(path))?;
            let stays = !made_anew(facts, index, path);
            stays.then(|| (fails("the folder exists"), "add `-p`"))
        }
        "ln" if invocation.has_option(&["-s", "--symbolic"]) && !invocation.has_option(&["-f", "--force", "-b"]) => {
            let path = operands.last().filter(|path| known(path))?;
            (!made_anew(facts, index, path)).then(|| (fails("the link exists"), "use `ln -sfn`"))
        }
        "git" => clone(facts, index, &operands),
        "mv" => moved(facts, index, &operands),
        "tee" if invocation.has_option(&["-a", "--append"]) => {
            let path = operands.iter().find(|path| appended(facts, index, path))?;
            Some((format!("a second attempt appends to `{path}` again"), APPEND))
        }
        _ => None,
    }
}

fn clone(facts: &Facts<'_, '_>, index: usize, operands: &[String]) -> Option<(String, &'static str)> {
    let at = operands.iter().position(|text| text == "clone")?;
    let folder = operands.last().filter(|folder| at + 2 < operands.len() && folder.starts_with('/'))?;
    let unknown = folder.contains(['$', '`', '{']);
    (!unknown && !made_anew(facts, index, folder)).then(|| {
        let message = format!("a second attempt of `git clone` fails: `{folder}` is not empty");
        (message, "delete the folder first: `rm -rf` it in the same script")
    })
}

/// A file that is moved away and not made again by the script is missing at the second attempt.
fn moved(facts: &Facts<'_, '_>, index: usize, operands: &[String]) -> Option<(String, &'static str)> {
    let [source, _] = operands else { return None };
    let folder = source.rsplit_once('/').map(|(folder, _)| folder).filter(|folder| !folder.is_empty())?;
    let fixed = source.starts_with('/') && !source.contains(['$', '`', '{', '*', '?', '[']);
    let earlier = || facts.each().take_while(|(at, _)| *at < index);
    let made = || {
        facts.is_tired()
            || earlier().any(|(at, command)| {
                let targets = command.redirects.iter().map(|redirect| &redirect.target);
                let values = command.assignments.iter().map(|assignment| &assignment.value);
                let mut words = command.words.iter().chain(targets).chain(values);
                words.any(|word| {
                    let text = facts.text(word, at);
                    text.contains(source.as_str()) || text.trim_end_matches('/').ends_with(folder)
                })
            })
    };
    (fixed && !made()).then(|| (format!("a second attempt of `mv` fails: `{source}` has gone"), MOVE))
}

fn powershell(command: &PowerShellCommand) -> Option<(String, &'static str)> {
    let words: Vec<String> = command.arguments().iter().map(|word| word.text.to_ascii_lowercase()).collect();
    let has = |option: &str| words.iter().any(|word| word.starts_with(option));
    if command.scope.conditional || has("-erroraction") || has("-ea") {
        return None;
    }
    if command.runs("New-LocalUser") {
        let help = "ask first: `if (-not (Get-LocalUser NAME -ErrorAction Ignore)) { … }`";
        return Some(("a second attempt of `New-LocalUser` fails: the user exists".to_owned(), help));
    }
    if command.runs("Add-Content") && words.iter().any(|word| word.contains(":\\") && !word.contains("temp")) {
        let help = "write the whole file with `Set-Content`";
        return Some(("a second attempt appends the same text again".to_owned(), help));
    }
    let folder = words.iter().any(|word| word == "directory") && !has("-force");
    (command.runs("New-Item") && folder)
        .then(|| ("a second attempt of `New-Item` fails: the folder exists".to_owned(), "add `-Force`"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bash_in, powershell};
    use crate::component::rules::Target;
    use crate::component::rules::files::testing::places;

    #[test]
    fn what_cannot_be_repeated_is_found() {
        for (script, expected) in [
            ("echo a=1 >>/etc/app.conf", "/etc/app.conf"),
            ("cat <<'END' >> /etc/app.conf\na\nEND", "/etc/app.conf"),
            ("{ echo a; echo b; } >>/etc/app.conf", "/etc/app.conf"),
            ("CONF=/etc/app.conf\necho a >>\"$CONF\"", "\"$CONF\""),
            ("echo a | sudo tee -a /etc/app.conf", "sudo tee -a /etc/app.conf"),
            ("useradd --system app", "useradd --system app"),
            ("apt-get update && useradd app", "useradd app"),
            ("groupadd app", "groupadd app"),
            ("mkdir /opt/app", "mkdir /opt/app"),
            ("mkdir -m 0755 \"{{ Folder }}\"", "mkdir -m 0755 \"{{ Folder }}\""),
            ("ln -s /opt/app/run /usr/bin/run", "ln -s /opt/app/run /usr/bin/run"),
            ("git clone https://example.com/a.git /opt/a", "git clone https://example.com/a.git /opt/a"),
            ("mv /etc/app.conf /etc/app.conf.orig", "mv /etc/app.conf /etc/app.conf.orig"),
        ] {
            let found: Vec<String> = bash_in("S017", "build", 3, script);
            assert_eq!(found.len(), 1, "{script}: {found:?}");
            assert!(found[0].starts_with(expected), "{script}: {found:?}");
            assert_eq!(bash_in("S017", "build", 1, script), [""; 0], "{script}");
        }
    }

    #[test]
    fn what_can_be_repeated_is_silent() {
        for script in [
            "echo a >/etc/app.conf",
            "echo a >>/var/log/build.log",
            "echo a >>\"$(mktemp)\"",
            ": >/etc/app.conf\necho a >>/etc/app.conf",
            "rm -f /etc/app.conf\necho a >>/etc/app.conf",
            "cp /opt/app.conf /etc/app.conf\necho a >>/etc/app.conf",
            "grep -qx a /etc/app.conf || echo a >>/etc/app.conf",
            "if ! grep -q a /etc/app.conf; then echo a >>/etc/app.conf; fi",
            "id app >/dev/null 2>&1 || useradd --system app",
            "useradd app || true",
            "getent group app >/dev/null || groupadd app",
            "groupadd -f app",
            "mkdir -p /opt/app",
            "mkdir \"$(mktemp -d)/a\"",
            "[ -d /opt/app ] || mkdir /opt/app",
            "rm -rf /opt/app\nmkdir /opt/app",
            "ln -sfn /opt/app/run /usr/bin/run",
            "rm -rf /opt/a\ngit clone https://example.com/a.git /opt/a",
            "[ -d /opt/a ] || git clone https://example.com/a.git /opt/a",
            "work=$(mktemp -d)\ngit clone https://example.com/a.git \"$work/a\"",
            "curl -fo /opt/a.tmp https://example.com/a\nmv /opt/a.tmp /opt/a",
            "tar -C /opt -xf a.tar\nmv /opt/a-1.2 /opt/a",
            "mv \"$list.part\" \"$list\"",
            "if [ -e /etc/app.done ]; then exit 0; fi\nmkdir /opt/app",
            "apt-get -y install nginx=1.2",
        ] {
            assert_eq!(bash_in("S017", "build", 3, script), [""; 0], "{script}");
        }
    }

    #[test]
    fn modules_and_windows_are_looked_at() {
        let append = "{name: Add, action: AppendFile, maxAttempts: 2, inputs: [{path: /etc/app.conf, content: a}]}";
        assert_eq!(places("S017", &Target::default(), &[append]), ["AppendFile"]);
        assert_eq!(places("S017", &Target::default(), &[append.replace("/etc", "/tmp").as_str()]), [""; 0]);
        for (script, reported) in [
            ("New-LocalUser -Name app -NoPassword", true),
            ("if (-not (Get-LocalUser app)) { New-LocalUser -Name app }", false),
            ("Add-Content C:\\app\\app.ini 'a=1'", true),
            ("New-Item -ItemType Directory C:\\app", true),
            ("New-Item -ItemType Directory -Force C:\\app", false),
            ("Set-Content C:\\app\\app.ini 'a=1'", false),
        ] {
            assert_eq!(!powershell("S017", "build", 3, script).is_empty(), reported, "{script}");
        }
    }
}

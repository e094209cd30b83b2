//! M018: scripts that count on `HOME`, which is not set.

use super::facts::{Facts, scripts};
use crate::component::rules::model::Findings;
use crate::component::rules::subject::Subject;
use crate::component::shell::{Command, Embedding, Invocation, Place, ShellOption, Variable, Word};

/// Programs that keep something in the home of their user, or read it from there.
const READERS: &[&str] = &[
    "ansible",
    "aws",
    "bundle",
    "cargo",
    "composer",
    "docker",
    "gem",
    "git",
    "go",
    "gpg",
    "helm",
    "kubectl",
    "node",
    "npm",
    "npx",
    "nvm",
    "pip",
    "pip3",
    "pipx",
    "pnpm",
    "podman",
    "poetry",
    "python",
    "python3",
    "rustup",
    "ssh",
    "terraform",
    "uv",
    "yarn",
];

const EXPORT: &str = "write `export HOME=/root` before it";

/// From where on `HOME` has a value in a script, wherever it gets it: what sets it under a condition looks first.
struct Since {
    command: usize,
    /// `: "${HOME:=/root}"`
    place: Option<Place>,
}

impl Since {
    fn of(facts: &Facts<'_, '_>) -> Self {
        let assigns = |(_, command): &(usize, &Command)| command.assignments.iter().any(|one| one.name == "HOME");
        let mut given = facts.script().variables.iter().filter(|variable| variable.name == "HOME");
        let place = given.find(|variable| written(facts, &variable.place, 2).ends_with('='));
        Self {
            command: facts.each().find(assigns).map_or(usize::MAX, |(index, _)| index),
            place: place.map(|variable| variable.place.clone()),
        }
    }

    fn holds(&self, command: Option<usize>, place: &Place) -> bool {
        let before = |other: &Place| (other.item, other.range.start) < (place.item, place.range.start);
        self.command != usize::MAX && command.is_none_or(|index| self.command <= index)
            || self.place.as_ref().is_some_and(before)
    }
}

/// A place with what stands behind it, so many bytes.
fn written<'f>(facts: &'f Facts<'_, '_>, place: &Place, more: usize) -> &'f str {
    facts.commands.text(&Place { item: place.item, range: place.range.start..place.range.end + more })
}

/// M018.
pub fn home(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for facts in scripts(subject) {
        let since = Since::of(&facts);
        for variable in facts.script().variables.iter().filter(|one| one.name == "HOME" && !one.has_default) {
            uses_variable(&facts, &since, found, variable);
        }
        for (index, command, invocation) in facts.invocations() {
            let given = invocation.environment.iter().any(|word| word.text.starts_with("HOME="));
            if !given && !since.holds(Some(index), &command.place) {
                goes_home(&facts, found, command, &invocation);
                tilde_of_sh(&facts, found, command);
                other_user(&facts, found, index, command, &invocation);
            }
        }
    }
}

/// `$HOME`.
fn uses_variable(facts: &Facts<'_, '_>, since: &Since, found: &mut Findings<'_>, variable: &Variable) {
    let command = variable.command.and_then(|index| facts.script().commands.get(index));
    let index = variable.command.unwrap_or(usize::MAX);
    let harmless = |command: &Command| has_own(facts, command) || only_asks(command) || has_prefix(command);
    if since.holds(variable.command, &variable.place) || command.is_some_and(harmless) {
        return;
    }
    let strict = command.is_some() && facts.script().holds(ShellOption::Nounset, index);
    let label = if strict { "ends the script under `set -u`" } else { "expands to nothing" };
    let place = whole(facts, &variable.place);
    let diagnostic = found
        .at(facts.span(&place), "`HOME` is not set when awstoe runs a script", label)
        .help(EXPORT)
        .help("the script runs as root; if another user's home is meant, write its path");
    let written = facts.commands.text(&place);
    let edit = matches!(written, "$HOME" | "${HOME}").then(|| facts.commands.edit(&place, "/root")).flatten();
    found.add(match edit {
        Some(edit) => diagnostic.unsafe_fix("write `/root`", vec![edit]),
        None => diagnostic,
    });
}

/// The place of a variable with the closing brace, where it is nothing but a name.
fn whole(facts: &Facts<'_, '_>, place: &Place) -> Place {
    let longer = Place { item: place.item, range: place.range.start..place.range.end + 1 };
    let closes = facts.commands.text(place).starts_with("${") && facts.commands.text(&longer).ends_with('}');
    if closes { longer } else { place.clone() }
}

/// `env HOME=/root npm ci`
fn has_prefix(command: &Command) -> bool {
    command.invocation().is_some_and(|one| one.environment.iter().any(|word| word.text.starts_with("HOME=")))
}

/// Whether a command stands in a script that another user's shell runs, or in one that got a `HOME` of its own.
fn has_own(facts: &Facts<'_, '_>, command: &Command) -> bool {
    facts.runs_as_user(command)
        || facts.script().parents_of(&command.scope).any(|(parent, how)| {
            let given = |invocation: Invocation<'_>| {
                let login = invocation.is_shell() && invocation.has_option(&["-l", "--login", "-i"]);
                login || invocation.environment.iter().any(|word| word.text.starts_with("HOME="))
            };
            how == Embedding::Script
                && (parent.assignments.iter().any(|assignment| assignment.name == "HOME")
                    || parent.invocation().is_some_and(given))
        })
}

/// `[ -z "$HOME" ]` is how a script finds out.
fn only_asks(command: &Command) -> bool {
    command.words.iter().any(|word| matches!(word.text.as_str(), "-z" | "-n"))
}

/// `cd` alone, and what git keeps for the user.
fn goes_home(facts: &Facts<'_, '_>, found: &mut Findings<'_>, command: &Command, invocation: &Invocation<'_>) {
    let message = match (invocation.program, invocation.arguments) {
        ("cd", []) => "`cd` without a folder goes to `HOME`, which is not set",
        ("git", [config, rest @ ..]) if config.is("config") && rest.iter().any(|word| word.is("--global")) => {
            "`git config --global` writes to `HOME`, which is not set"
        }
        _ => return,
    };
    if has_own(facts, command) {
        return;
    }
    found.add(found.at(facts.span(&command.place), message, "fails").help(EXPORT));
}

/// `~` in a script for `sh`. bash asks the user database when `HOME` is not set, so there `~` works.
fn tilde_of_sh(facts: &Facts<'_, '_>, found: &mut Findings<'_>, command: &Command) {
    let begins = |word: &Word| word.tilde && (word.text == "~" || word.text.starts_with("~/"));
    let values = command.assignments.iter().map(|assignment| &assignment.value);
    let words: Vec<&Word> = command.words.iter().chain(values).filter(|word| begins(word)).collect();
    if words.is_empty() || has_own(facts, command) {
        return;
    }
    let plain = facts.script().parents_of(&command.scope).any(|(parent, how)| {
        how == Embedding::Script
            && parent.invocation().is_some_and(|invocation| matches!(invocation.program, "sh" | "dash" | "ash"))
    });
    for word in words.into_iter().filter(|_| plain) {
        let message = "`~` stays as it is where `sh` runs a script and `HOME` is not set";
        found.add(found.at(facts.span(&word.place), message, "names a folder `~`").help(EXPORT));
    }
}

/// `sudo -u app npm install`.
fn other_user(
    facts: &Facts<'_, '_>,
    found: &mut Findings<'_>,
    index: usize,
    command: &Command,
    invocation: &Invocation<'_>,
) {
    let (Some(user), [.., "sudo"] | ["sudo", ..]) = (invocation.user, invocation.wrappers.as_slice()) else { return };
    if invocation.sets_home || matches!(user, "root" | "#0") || has_own(facts, command) {
        return;
    }
    let inside = |(_, other): &(usize, &Command)| other.scope.parent == Some((index, Embedding::Script));
    let shell = invocation.is_shell() && !facts.is_tired();
    let script_reads = shell
        && facts.each().skip(index + 1).filter(inside).any(|(at, other)| {
            let program = other.invocation().map(|one| one.program);
            let mentions = facts.script().variables.iter().any(|v| v.name == "HOME" && v.command == Some(at));
            program.is_some_and(|program| READERS.contains(&program) || (program == "cd" && other.words.len() == 1))
                || mentions
                || other.words.iter().any(|word| word.tilde)
        });
    if !script_reads && !READERS.contains(&invocation.program) {
        return;
    }
    let message = format!("which `HOME` `{}` gets from `sudo -u {user}` is up to the sudoers file", invocation.program);
    let diagnostic = found
        .at(facts.span(&command.place), message, "may be that of nobody, or of root")
        .help("write `sudo -H -u …`: it always sets the home of that user");
    let sudo = command.words.iter().find(|word| word.text.rsplit('/').next() == Some("sudo"));
    let edit = sudo.and_then(|word| {
        let end = Place { item: word.place.item, range: word.place.range.end..word.place.range.end };
        facts.commands.edit(&end, " -H")
    });
    found.add(match edit {
        Some(edit) => diagnostic.unsafe_fix("add `-H`", vec![edit]),
        None => diagnostic,
    });
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bash, document, mended};

    #[test]
    fn what_needs_home_is_found() {
        for (script, expected) in [
            ("cp a \"$HOME/b\"", &["$HOME"][..]),
            ("cp a ${HOME}/b", &["${HOME}"]),
            ("cp a ${HOME%/}/b", &["${HOME"]),
            ("cat >/etc/x <<END\n$HOME\nEND", &["$HOME"]),
            ("cd", &["cd"]),
            ("git config --global user.name x", &["git config --global user.name x"]),
            ("bash -c 'echo $HOME'", &["$HOME"]),
            ("sh -c 'cp a ~/b'", &["~/b"]),
            ("sudo -u app npm install", &["sudo -u app npm install"]),
            ("sudo -u app bash -c 'cd ~/src && make'", &["sudo -u app bash -c 'cd ~/src && make'"]),
            ("sudo -u app bash -c 'npm ci'", &["sudo -u app bash -c 'npm ci'"]),
            ("cp \"$HOME/a\" b\nexport HOME=/root", &["$HOME"]),
        ] {
            assert_eq!(bash("M018", script), expected, "{script}");
        }
    }

    #[test]
    fn fixes_put_it_right() {
        for (script, expected) in [
            ("cp a \"$HOME/b\"", Some("cp a \"/root/b\"")),
            ("cp a ${HOME}/b", Some("cp a /root/b")),
            ("cp a ${HOME%/}/b", None),
            ("sudo -u app npm ci", Some("sudo -H -u app npm ci")),
        ] {
            let text = document("build", "ExecuteBash", 3, script);
            let after = mended("M018", &text);
            assert_eq!(after, expected.map(|fixed| text.replace(script, fixed)), "{script}");
        }
    }

    #[test]
    fn what_has_home_or_needs_none_is_silent() {
        for script in [
            "export HOME=/root\ncp a \"$HOME/b\"\ncd",
            "HOME=/root\ncd",
            "HOME=/root npm ci --prefix \"$HOME\"",
            "[ -n \"${HOME:-}\" ] || export HOME=/root\ncd",
            "if [ -z \"$HOME\" ]; then export HOME=/root; fi\ncp a \"$HOME\"",
            ": \"${HOME:=/root}\"\ncp a \"$HOME\"",
            "cp a \"${HOME:-/root}/b\"",
            "cp a ~/b",
            "cp a ~app/b",
            "echo '$HOME'",
            "cat >/etc/profile.d/x.sh <<'END'\nexport PATH=$HOME/bin:$PATH\nEND",
            "printf '%s\\n' 'export GOPATH=$HOME/go' >>/etc/profile.d/go.sh",
            "su - app -c 'cp a $HOME/b'",
            "sudo -i -u app bash -c 'cp a $HOME/b'",
            "sudo -Hu app npm ci",
            "sudo -u app HOME=/home/app npm ci",
            "sudo npm ci",
            "sudo -u postgres psql -c 'select 1'",
            "sudo -u nobody test -r /etc/app.conf",
            "runuser -u app -- npm ci",
            "export HOME=/root\nsudo -u app npm ci",
            "cd /opt",
            "git config --system a b",
            "git -C x config a b",
        ] {
            assert_eq!(bash("M018", script), [""; 0], "{script}");
        }
    }
}

//! M017: programs that ask a question nobody answers.

use crate::component::rules::model::Findings;
use crate::component::rules::shell::Commands;
use crate::component::rules::subject::Subject;
use crate::component::shell::{Command, PackageAction, PackageCall, PackageManager, Place, Script};
use crate::diagnostic::{Edit, Span};

/// M017.
pub fn asking(subject: &Subject<'_>, found: &mut Findings<'_>) {
    // Such lines make package managers agree to everything, wherever they are written to.
    let says = |word: &str| texts(subject).any(|text| text.contains(word));
    let settled = Settled {
        apt: says("Assume-Yes"),
        rpm: says("assumeyes=") || says("assumeyes ="),
        debconf: says("debconf/frontend"),
        choco: says("allowGlobalConfirmation"),
    };
    for commands in subject.scripts() {
        let script = &commands.script;
        let mut silent_frontend = Vec::new();
        for (index, command) in script.commands.iter().enumerate() {
            match question(command, &settled) {
                Some(_) if is_answered(script, index) => {}
                Some(Question { option, verb }) => {
                    let both =
                        apt(command).is_some() && !settled.debconf && frontend(script, index) != Frontend::Silent;
                    let diagnostic = unanswered(found, commands, command, (option, &verb), both);
                    found.add(diagnostic);
                }
                None if asks_debconf(command) && !settled.debconf => match frontend(script, index) {
                    Frontend::Silent => {}
                    state => silent_frontend.push((index, state)),
                },
                None => {}
            }
        }
        debconf(commands, &silent_frontend, found);
    }
    chocolatey(subject, &settled, found);
}

/// Questions that a file or an earlier command has settled for good.
struct Settled {
    apt: bool,
    rpm: bool,
    debconf: bool,
    choco: bool,
}

fn texts<'a>(subject: &'a Subject<'_>) -> impl Iterator<Item = &'a str> {
    subject.steps().flat_map(|(_, step)| step.templates()).map(crate::component::expression::Template::text)
}

/// An option that is missing, and the word behind which it goes.
struct Question {
    option: &'static str,
    verb: Place,
}

/// What a command would ask.
fn question(command: &Command, settled: &Settled) -> Option<Question> {
    let call = command.invocation()?;
    let first = |option: &'static str| Some(Question { option, verb: call.path.place.clone() });
    match call.program {
        "add-apt-repository" | "apt-add-repository" if !call.has_option(&["-y", "--yes", "-h", "--help"]) => {
            return first("-y");
        }
        "amazon-linux-extras" if !call.has_option(&["-y"]) => {
            let verb = call.operands().next().filter(|word| word.is("install"))?;
            return Some(Question { option: "-y", verb: verb.place.clone() });
        }
        _ => {}
    }
    let call = command.package_call().filter(|call| !call.assume_yes)?;
    let done = match call.manager {
        PackageManager::Apt | PackageManager::AptGet => settled.apt,
        PackageManager::Dnf | PackageManager::Yum | PackageManager::Microdnf => settled.rpm,
        _ => false,
    };
    let asks = matches!(call.action, PackageAction::Install | PackageAction::Upgrade | PackageAction::Remove);
    if done || !asks || only_shows(&call) || may_hold_options(command) {
        return None;
    }
    match call.manager {
        // Options of its own stand before the verb.
        PackageManager::Zypper => first("--non-interactive"),
        _ => Some(Question { option: "-y", verb: call.verb.place.clone() }),
    }
}

/// Options with which nothing is done, or with which it says no by itself.
fn only_shows(call: &PackageCall<'_>) -> bool {
    match call.manager {
        PackageManager::Apt | PackageManager::AptGet => call.invocation.has_option(&[
            "-s",
            "--simulate",
            "--just-print",
            "--dry-run",
            "--recon",
            "--no-act",
            "--print-uris",
            "--assume-no",
            "--help",
        ]),
        PackageManager::Zypper => call.invocation.has_option(&["-D", "--dry-run", "--help"]),
        _ => call.invocation.has_option(&["--assumeno", "--help", "--downloadonly"]),
    }
}

/// Whether an argument is put in that may hold options: a list, or a variable that is named after them.
fn may_hold_options(command: &Command) -> bool {
    command.words.iter().skip(1).filter(|word| word.dynamic).any(|word| {
        let text = word.text.to_ascii_lowercase();
        text.contains("[@]")
            || text.contains("[*]")
            || text.contains("$@")
            || text.contains("$*")
            || ["opt", "arg", "flag", "yes"].iter().any(|name| text.contains(name))
    })
}

/// Whether something answers: `yes | apt-get …`, or input from a file.
fn is_answered(script: &Script, index: usize) -> bool {
    let command = &script.commands[index];
    let fed = script.pipelines.iter().any(|pipeline| {
        let at = pipeline.stages.iter().position(|stage| stage.inside.contains(&index));
        let before = pipeline.stages.iter().take(at.unwrap_or_default()).filter_map(|stage| stage.command);
        before
            .filter_map(|stage| script.commands.get(stage))
            .any(|other| matches!(other.name(), Some("yes" | "echo" | "printf")))
    });
    let asked = |program: Option<&str>| matches!(program, Some("xargs"));
    let wrapped = command.invocation().is_some_and(|call| call.wrappers.iter().any(|name| asked(Some(name))));
    // What `xargs` starts gets its input from nowhere, which is no answer.
    (fed && !wrapped)
        || command.redirects.iter().any(|redirect| redirect.operator == "<<<" || redirect.operator == "<<")
}

fn unanswered(
    found: &Findings<'_>,
    commands: &Commands<'_>,
    command: &Command,
    (option, verb): (&str, &Place),
    both: bool,
) -> crate::diagnostic::Diagnostic {
    let program = command.invocation().map_or("it", |call| call.program);
    let message = if both {
        format!("`{program}` may ask, for a yes and for settings, and nobody answers")
    } else {
        format!("`{program}` may ask for a yes, and nobody answers")
    };
    let label = "the step fails, or hangs until its timeout";
    let diagnostic = found.at(commands.span(&command.place), message, label).help(format!("add `{option}`"));
    let diagnostic =
        if both { diagnostic.help("and set `export DEBIAN_FRONTEND=noninteractive` above it") } else { diagnostic };
    let mut end = verb.clone();
    end.range.start = end.range.end;
    let mut edits = vec![commands.edit(&end, &format!(" {option}"))];
    let mut title = format!("add `{option}`");
    if both {
        edits.push(prefix(commands, command));
        title.push_str(" and set `DEBIAN_FRONTEND`");
    }
    match edits.into_iter().collect() {
        Some(edits) => diagnostic.unsafe_fix(title, edits),
        None => diagnostic,
    }
}

/// The call, if it is one of apt.
fn apt(command: &Command) -> Option<PackageCall<'_>> {
    command.package_call().filter(|call| matches!(call.manager, PackageManager::Apt | PackageManager::AptGet))
}

/// Whether packages are set up, which may ask for settings.
fn asks_debconf(command: &Command) -> bool {
    let reconfigures = command.invocation().is_some_and(|call| {
        let named = call.arguments.iter().any(|word| word.text.to_ascii_lowercase().contains("noninteractive"));
        call.program == "dpkg-reconfigure" && !named && !call.has_option(&["--help"])
    });
    let sets_up = apt(command).is_some_and(|call| {
        matches!(call.action, PackageAction::Install | PackageAction::Upgrade)
            && !only_shows(&call)
            && !call.invocation.has_option(&["-d", "--download-only"])
    });
    reconfigures || sets_up
}

/// What debconf knows of where to ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Frontend {
    Silent,
    Unset,
    /// Assigned in the shell, and not exported.
    Kept,
    /// Exported, but `sudo` starts with a clean environment.
    Dropped,
}

const FRONTEND: &str = "DEBIAN_FRONTEND";

fn frontend(script: &Script, index: usize) -> Frontend {
    let command = &script.commands[index];
    let Some(call) = command.invocation() else { return Frontend::Silent };
    let prefixed = command.assignments.iter().any(|assignment| assignment.name == FRONTEND);
    let passed = call.environment.iter().any(|word| word.text.starts_with(FRONTEND));
    let sudo = call.wrappers.contains(&"sudo");
    // In a function or a branch it may be set in ways that are not followed: any mention before counts.
    let exported = script.export(FRONTEND, index).is_some()
        || script.commands[..index].iter().any(|other| {
            !other.is_top_level()
                && (other.assignments.iter().any(|assignment| assignment.name == FRONTEND))
                && matches!(other.name(), Some("export" | "declare" | "typeset"))
        });
    let keeps = command.words.iter().take_while(|word| word.place != call.path.place).any(|word| {
        let short =
            word.text.strip_prefix('-').is_some_and(|letters| !letters.starts_with('-') && letters.contains('E'));
        short || word.text.starts_with("--preserve-env")
    });
    match (passed, prefixed || exported, sudo) {
        (true, _, _) => Frontend::Silent,
        (_, true, true) if !keeps => Frontend::Dropped,
        (_, true, _) => Frontend::Silent,
        _ if script.variable(FRONTEND, index).is_some() => Frontend::Kept,
        _ => Frontend::Unset,
    }
}

/// One finding for a script: the variable is missing once.
fn debconf(commands: &Commands<'_>, asking: &[(usize, Frontend)], found: &mut Findings<'_>) {
    let Some(((first, state), others)) = asking.split_first() else { return };
    let script = &commands.script;
    let command = &script.commands[*first];
    let program = command.invocation().map_or("it", |call| call.program);
    let label = match state {
        Frontend::Kept => "`DEBIAN_FRONTEND` is set, but not exported",
        Frontend::Dropped => "`sudo` does not pass `DEBIAN_FRONTEND` on",
        Frontend::Silent | Frontend::Unset => "`DEBIAN_FRONTEND` is not set",
    };
    let message = format!("a package that `{program}` sets up may ask for settings, and nobody answers");
    let mut diagnostic = found.at(commands.span(&command.place), message, label);
    for (other, _) in others.iter().take(3) {
        diagnostic = diagnostic.also_at(found.source(), commands.span(&script.commands[*other].place), "the same here");
    }
    let help = match state {
        Frontend::Dropped => {
            "write `sudo DEBIAN_FRONTEND=noninteractive …`, or leave `sudo` out: the step runs as root"
        }
        _ => "set `export DEBIAN_FRONTEND=noninteractive` above it",
    };
    let edits: Option<Vec<Edit>> = asking.iter().map(|(index, _)| prefix(commands, &script.commands[*index])).collect();
    let diagnostic = diagnostic.help(help);
    found.add(match edits {
        Some(edits) => diagnostic.unsafe_fix("set `DEBIAN_FRONTEND` for these commands", edits),
        None => diagnostic,
    });
}

/// The variable in front of a command, or behind its `sudo`.
fn prefix(commands: &Commands<'_>, command: &Command) -> Option<Edit> {
    let call = command.invocation()?;
    let mut place = match call.wrappers.last() {
        Some(&("sudo" | "env")) => call.path.place.clone(),
        _ if call.wrappers.contains(&"sudo") => return None,
        _ => command.words.first()?.place.clone(),
    };
    place.range.end = place.range.start;
    commands.edit(&place, "DEBIAN_FRONTEND=noninteractive ")
}

/// `choco install` without `-y`.
fn chocolatey(subject: &Subject<'_>, settled: &Settled, found: &mut Findings<'_>) {
    for commands in subject.powershell() {
        for command in &commands.script.commands {
            let name = command.name();
            let verb = command.arguments().iter().find(|word| !word.text.starts_with('-'));
            let Some(verb) = verb.filter(|word| matches!(word.text.as_str(), "install" | "upgrade" | "uninstall"))
            else {
                continue;
            };
            let agrees = command.arguments().iter().any(|word| {
                matches!(word.text.as_str(), "-y" | "--yes" | "--confirm" | "--noop" | "--what-if")
                    || word.text.starts_with(['$', '@'])
            });
            if !matches!(name.as_deref(), Some("choco" | "chocolatey")) || agrees || settled.choco {
                continue;
            }
            let span: Span = commands.span(&command.place);
            let label = "the step fails, or hangs until its timeout";
            let diagnostic = found.at(span, "`choco` may ask for a yes, and nobody answers", label).help("add `-y`");
            let mut end = verb.place.clone();
            end.range.start = end.range.end;
            found.add(match commands.edit(&end, " -y") {
                Some(edit) => diagnostic.unsafe_fix("add `-y`", vec![edit]),
                None => diagnostic,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bash, findings, mended, powershell};

    #[test]
    fn questions_are_reported() {
        for (script, expected) in [
            ("export DEBIAN_FRONTEND=noninteractive\napt-get install nginx", "apt-get install nginx"),
            ("yum install nginx", "yum install nginx"),
            ("sudo dnf upgrade --refresh", "sudo dnf upgrade --refresh"),
            ("zypper install vim", "zypper install vim"),
            ("apt-get autoremove", "apt-get autoremove"),
            ("pip uninstall flask", "pip uninstall flask"),
            ("add-apt-repository ppa:a/b", "add-apt-repository ppa:a/b"),
            ("amazon-linux-extras install nginx1", "amazon-linux-extras install nginx1"),
            ("apt-get install -y nginx", "apt-get install -y nginx"),
            ("apt-get install nginx", "apt-get install nginx"),
            ("DEBIAN_FRONTEND=noninteractive\napt-get install -y nginx", "apt-get install -y nginx"),
            ("export DEBIAN_FRONTEND=noninteractive\nsudo apt-get install -y a", "sudo apt-get install -y a"),
            ("dpkg-reconfigure tzdata", "dpkg-reconfigure tzdata"),
            ("if [ -f a ]; then yum remove a; fi", "yum remove a"),
        ] {
            assert_eq!(bash("M017", script), [expected], "{script}");
        }
        assert_eq!(powershell("M017", "choco install git"), ["choco install git"]);
    }

    #[test]
    fn commands_that_ask_nothing_are_left_alone() {
        for script in [
            "export DEBIAN_FRONTEND=noninteractive\napt-get update\napt-get install -y nginx",
            "DEBIAN_FRONTEND=noninteractive apt-get install -y nginx",
            "sudo DEBIAN_FRONTEND=noninteractive apt-get -yq install nginx",
            "export DEBIAN_FRONTEND=noninteractive\nsudo -E apt-get install -y nginx",
            "sudo env DEBIAN_FRONTEND=noninteractive apt-get dist-upgrade -y",
            "apt-get update",
            "apt-get clean",
            "apt-get -s install nginx",
            "apt-get install -y --download-only nginx",
            "yum -y update",
            "dnf install -y nginx",
            "dnf check-update",
            "dnf makecache",
            "yum clean all",
            "zypper --non-interactive install vim",
            "zypper -n in vim",
            "apk add --no-cache curl",
            "npm install -g a",
            "pip install a",
            "yes | yum install nginx",
            "options=(-y)\nyum \"${options[@]}\" install a",
            "yum install \"$@\"",
            "yum install $YUM_OPTS nginx",
            "echo 'APT::Get::Assume-Yes \"true\";' >/etc/apt/apt.conf.d/90\nexport DEBIAN_FRONTEND=noninteractive\napt-get install a",
            "echo 'assumeyes=True' >>/etc/dnf/dnf.conf\ndnf install a",
            "echo 'debconf debconf/frontend select Noninteractive' | debconf-set-selections\napt-get install -y a",
            "dpkg-reconfigure -f noninteractive tzdata",
            "echo yum install nginx",
            "add-apt-repository -y ppa:a/b",
            "amazon-linux-extras enable nginx1",
            "if x; then export DEBIAN_FRONTEND=noninteractive; fi\napt-get install -y a",
        ] {
            assert_eq!(bash("M017", script), [""; 0], "{script}");
        }
        for script in
            ["choco install git -y", "choco list", "choco install git --confirm", "Write-Host 'choco install'"]
        {
            assert_eq!(powershell("M017", script), [""; 0], "{script}");
        }
    }

    #[test]
    fn fixes_answer() {
        for (script, expected) in [
            ("yum install nginx", "yum install -y nginx"),
            ("zypper install vim", "zypper --non-interactive install vim"),
            ("apt-get install a", "DEBIAN_FRONTEND=noninteractive apt-get install -y a"),
            ("apt-get install -y a", "DEBIAN_FRONTEND=noninteractive apt-get install -y a"),
            (
                "sudo apt-get install -y a\napt-get upgrade -y",
                "sudo DEBIAN_FRONTEND=noninteractive apt-get install -y a\nDEBIAN_FRONTEND=noninteractive apt-get upgrade -y",
            ),
        ] {
            let found = findings("M017", "ExecuteBash", "", script);
            assert_eq!(found.len(), 1, "{script}");
            assert_eq!(mended(&found[0]).as_deref(), Some(expected), "{script}");
        }
    }
}

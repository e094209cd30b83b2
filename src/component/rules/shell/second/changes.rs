//! S019: checks that change what they check.

use super::facts::{Facts, filled, is_below, scripts};
use crate::component::model::{Item, Phase, Step, Value};
use crate::component::modules::Action;
use crate::component::rules::model::Findings;
use crate::component::rules::subject::Subject;
use crate::component::shell::{Command, Invocation, PackageAction, PackageCall, PackageManager, PowerShellCommand};
use crate::diagnostic::Span;

/// Where an image keeps what it is made of.
const SYSTEM: &[&str] = &[
    "/bin",
    "/boot",
    "/etc",
    "/home",
    "/lib",
    "/lib64",
    "/opt",
    "/root",
    "/sbin",
    "/srv",
    "/usr",
    "/var/lib",
    "/var/cache",
    "/var/www",
];

/// S019.
pub fn changes(subject: &Subject<'_>, found: &mut Findings<'_>) {
    for facts in scripts(subject) {
        let Some(check) = Check::of(facts.phase()) else { continue };
        for (index, command) in facts.each() {
            if let Some(what) = changed(&facts, check, index, command) {
                report(found, check, facts.span(&command.place), &what);
            }
        }
    }
    for commands in subject.powershell() {
        let Some(check) = Check::of(commands.phase) else { continue };
        for command in &commands.script.commands {
            if let Some(what) = powershell(command) {
                report(found, check, commands.span(&command.place), &what);
            }
        }
    }
    for (phase, step) in subject.steps() {
        let Some(check) = Check::of(phase) else { continue };
        if modifies(subject, check, step) {
            report(found, check, step.action_span, &format!("{} changes the system", step.module.name));
        }
    }
}

/// The two kinds of checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    /// On the instance that becomes the image.
    Validate,
    /// On an instance of the image.
    Test,
}

impl Check {
    fn of(phase: &Phase) -> Option<Self> {
        match phase.name.as_str() {
            "validate" => Some(Self::Validate),
            // `container-host-test` runs on a host that nobody keeps.
            "test" => Some(Self::Test),
            _ => None,
        }
    }
}

fn report(found: &mut Findings<'_>, check: Check, span: Span, what: &str) {
    let (label, help) = match check {
        Check::Validate => (
            "in `validate`: this ships with the image, and nothing checks it",
            "do it in phase `build`; where it is meant to be the last thing, allow it here with the reason",
        ),
        Check::Test => (
            "in `test`: this is not in the image, and what is tested is no longer the image",
            "do it in phase `build`, or work on a copy in a folder from `mktemp -d`",
        ),
    };
    found.add(found.at(span, what.to_owned(), label).help(help));
}

/// What a command changes, as a sentence.
fn changed(facts: &Facts<'_, '_>, check: Check, index: usize, command: &Command) -> Option<String> {
    let written = command.redirects.iter().find_map(|redirect| {
        let writes = matches!(redirect.operator, ">" | ">>" | ">|" | "&>" | "&>>" | "<>");
        let path = facts.text(&redirect.target, index);
        (writes && is_system(&path) && !is_undone(facts, &path, index)).then_some(path)
    });
    if let Some(path) = written {
        return Some(format!("a check writes to `{path}`"));
    }
    if let Some(call) = command.package_call() {
        return packages(check, &call);
    }
    let invocation = command.invocation()?;
    let operands: Vec<String> = invocation.operands().map(|word| facts.text(word, index)).collect();
    let program = invocation.program;
    if settings(&invocation, &operands) {
        return Some(match operands.first().filter(|verb| program == "systemctl" && !verb.is_empty()) {
            Some(verb) => format!("a check runs `systemctl {verb}`"),
            None => format!("a check runs `{program}`"),
        });
    }
    let path = files(&invocation, &operands)?;
    (!is_undone(facts, path, index)).then(|| format!("a check changes `{path}` with `{program}`"))
}

fn is_system(path: &str) -> bool {
    is_below(path, SYSTEM) && !path.contains("/../")
}

/// Whether the script makes a file only to look whether it can, and takes it away again.
fn is_undone(facts: &Facts<'_, '_>, path: &str, index: usize) -> bool {
    let removes = |(at, command): (usize, &Command)| {
        let program = command.invocation().map(|invocation| invocation.program);
        let later = at > index && matches!(program, Some("rm" | "rmdir" | "unlink"));
        let made = at < index && makes(facts, at, command, path);
        let trapped = program == Some("trap") && command.words.iter().any(|word| word.text.contains(path));
        (later && command.words.iter().any(|word| facts.text(word, at) == path)) || made || trapped
    };
    facts.is_tired() || facts.each().any(removes)
}

/// Whether a command makes a file.
fn makes(facts: &Facts<'_, '_>, at: usize, command: &Command, path: &str) -> bool {
    let writes = command
        .redirects
        .iter()
        .any(|redirect| redirect.operator.starts_with('>') && facts.text(&redirect.target, at) == path);
    let program = command.invocation().map(|invocation| invocation.program);
    writes
        || (matches!(program, Some("touch" | "mkdir" | "cp" | "tee"))
            && command.words.iter().any(|word| facts.text(word, at) == path))
}

fn packages(check: Check, call: &PackageCall<'_>) -> Option<String> {
    let has = |text: &str| call.invocation.arguments.iter().any(|word| word.text.starts_with(text));
    let dry =
        ["--dry-run", "--simulate", "--just-print", "--assumeno", "--download-only", "--downloadonly", "--target"];
    let distribution = !matches!(call.manager, PackageManager::Pip | PackageManager::Npm | PackageManager::Gem);
    let simulated = matches!(call.manager, PackageManager::AptGet | PackageManager::Apt)
        && call.invocation.has_option(&["-s", "-d"]);
    // Packages for a language go where the script says, often into a folder of its own.
    let elsewhere = !distribution && (has("-t") || has("--prefix") || has("--user") || has("--install-dir"));
    if simulated
        || elsewhere
        || dry.iter().any(|option| has(option))
        || call.invocation.path.text.contains('/') && !distribution
    {
        return None;
    }
    let verb = match call.action {
        PackageAction::Install => "installs",
        PackageAction::Upgrade => "upgrades",
        PackageAction::Remove => "removes",
        PackageAction::Other if call.verb.is("clean") && check == Check::Validate && distribution => {
            return Some(format!("a check clears the caches of `{}`", call.invocation.program));
        }
        PackageAction::Refresh | PackageAction::Other => return None,
    };
    Some(format!("a check {verb} packages with `{}`", call.invocation.program))
}

/// Commands that change what the system does from then on.
fn settings(invocation: &Invocation<'_>, operands: &[String]) -> bool {
    let first = operands.first().map(String::as_str).unwrap_or_default();
    match invocation.program {
        "systemctl" => {
            let verbs = ["enable", "disable", "mask", "unmask", "set-default", "edit", "link", "preset", "revert"];
            verbs.contains(&first) && !invocation.has_option(&["--runtime"])
        }
        "useradd" | "adduser" | "usermod" | "userdel" | "deluser" | "groupadd" | "addgroup" | "groupmod"
        | "groupdel" | "chpasswd" => true,
        "passwd" => !invocation.has_option(&["-S", "--status"]),
        "dpkg" => invocation.has_option(&["-i", "-r", "-P", "--install", "--remove", "--purge"]),
        "rpm" => {
            let query = invocation.has_option(&["-q", "-V", "--query", "--verify", "--test"]);
            !query && invocation.has_option(&["-i", "-U", "-F", "-e", "--install", "--upgrade", "--erase"])
        }
        "update-alternatives" | "alternatives" => ["--set", "--install", "--remove"]
            .contains(&invocation.arguments.first().map(|word| word.text.as_str()).unwrap_or_default()),
        "hostnamectl" => matches!(first, "set-hostname" | "hostname") && operands.len() > 1,
        "timedatectl" => first.starts_with("set-"),
        "setsebool" => invocation.has_option(&["-P"]),
        "ufw" => matches!(first, "enable" | "disable" | "allow" | "deny" | "reset"),
        "crontab" => !invocation.has_option(&["-l"]),
        _ => false,
    }
}

/// A path of the system that a command writes to or takes away.
fn files<'o>(invocation: &Invocation<'_>, operands: &'o [String]) -> Option<&'o String> {
    let system = |path: &&String| is_system(path);
    match invocation.program {
        "tee" | "touch" | "mkdir" | "rm" | "rmdir" | "unlink" | "shred" | "truncate" | "mv" => {
            operands.iter().find(system)
        }
        "chmod" | "chown" | "chgrp" | "setfacl" => operands.iter().skip(1).find(system),
        "cp" | "ln" | "rsync" | "install" => operands.last().filter(system),
        "sed" | "perl" => {
            let in_place = invocation
                .arguments
                .iter()
                .any(|word| word.text.starts_with("-i") || word.text.starts_with("--in-place") || word.is("-pi"));
            operands.iter().skip(1).find(|path| in_place && is_system(path))
        }
        "find" => {
            let words: Vec<&str> = invocation.arguments.iter().map(|word| word.text.as_str()).collect();
            let changes = words.contains(&"-delete")
                || words.windows(2).any(|pair| {
                    pair[0].starts_with("-exec") && matches!(pair[1], "rm" | "chmod" | "chown" | "mv" | "sed" | "shred")
                });
            operands.iter().take(1).find(|path| changes && is_system(path))
        }
        _ => None,
    }
}

fn powershell(command: &PowerShellCommand) -> Option<String> {
    let name = command.name()?;
    let path = |word: &crate::component::shell::Word| is_windows_system(&word.text);
    let first = command.arguments().first().map(|word| word.text.to_ascii_lowercase()).unwrap_or_default();
    let changes = match name.as_str() {
        "install-windowsfeature"
        | "remove-windowsfeature"
        | "uninstall-windowsfeature"
        | "add-windowsfeature"
        | "enable-windowsoptionalfeature"
        | "disable-windowsoptionalfeature"
        | "install-module"
        | "install-package"
        | "uninstall-package"
        | "new-localuser"
        | "remove-localuser"
        | "set-localuser"
        | "set-service"
        | "new-service"
        | "rename-computer"
        | "set-executionpolicy" => true,
        "choco" | "winget" => matches!(first.as_str(), "install" | "uninstall" | "upgrade"),
        "set-itemproperty"
        | "new-itemproperty"
        | "remove-itemproperty"
        | "new-item"
        | "remove-item"
        | "set-content"
        | "add-content"
        | "out-file"
        | "copy-item"
        | "move-item"
        | "rm"
        | "del"
        | "ri"
        | "cp"
        | "copy" => {
            let target = if matches!(name.as_str(), "copy-item" | "cp" | "copy") {
                command.arguments().last()
            } else {
                command.arguments().iter().find(|word| path(word))
            };
            target.is_some_and(path)
        }
        _ => false,
    };
    changes
        .then(|| format!("a check runs `{}`", command.words.first().map(|word| word.text.as_str()).unwrap_or_default()))
}

/// Whether a module changes the system, and not only temporary files.
fn modifies(subject: &Subject<'_>, check: Check, step: &Step) -> bool {
    let path = match step.module.action {
        Action::InstallMsi | Action::UninstallMsi | Action::UpdateOs | Action::SetRegistry => return true,
        // A test may well ask whether the image comes up again.
        Action::Reboot => return check == Check::Validate,
        Action::AppendFile
        | Action::CreateFile
        | Action::CreateFolder
        | Action::CreateSymlink
        | Action::DeleteFile
        | Action::DeleteFolder
        | Action::SetFileEncoding
        | Action::SetFileOwner
        | Action::SetFilePermissions
        | Action::SetFolderOwner
        | Action::SetFolderPermissions => "path",
        Action::CopyFile
        | Action::CopyFolder
        | Action::MoveFile
        | Action::MoveFolder
        | Action::S3Download
        | Action::WebDownload => "destination",
        _ => return false,
    };
    let deletes = matches!(step.module.action, Action::DeleteFile | Action::DeleteFolder);
    step.inputs.iter().any(|item| {
        let Some(text) = input(subject, item, path) else { return false };
        let undone = !deletes && is_deleted(subject, step, &text);
        let made = deletes && is_made(subject, step, &text);
        (is_system(&text) || is_windows_system(&text)) && !undone && !made
    })
}

fn input(subject: &Subject<'_>, item: &Item, name: &str) -> Option<String> {
    match item.get(name) {
        Some(Value::Text(template)) => Some(filled(subject.document, template.text())),
        _ => None,
    }
}

fn is_windows_system(path: &str) -> bool {
    let lower = path.to_ascii_lowercase().replace('/', "\\");
    let system = ["c:\\windows", "c:\\program files", "c:\\programdata", "hklm:", "hkcu:", "registry::"];
    system.iter().any(|root| lower.starts_with(root)) && !lower.contains("\\temp")
}

/// Whether another step of the same phase deletes a path, so that nothing of it is left.
fn is_deleted(subject: &Subject<'_>, step: &Step, path: &str) -> bool {
    beside(subject, step, path, |action| matches!(action, Action::DeleteFile | Action::DeleteFolder), "path")
}

/// Whether another step of the same phase made what is deleted.
fn is_made(subject: &Subject<'_>, step: &Step, path: &str) -> bool {
    beside(subject, step, path, |action| matches!(action, Action::CreateFile | Action::CreateFolder), "path")
        || beside(
            subject,
            step,
            path,
            |action| matches!(action, Action::S3Download | Action::WebDownload | Action::CopyFile | Action::CopyFolder),
            "destination",
        )
}

fn beside(subject: &Subject<'_>, step: &Step, path: &str, of: impl Fn(Action) -> bool, name: &str) -> bool {
    let phase = subject.document.phases.iter().find(|phase| phase.steps.iter().any(|one| std::ptr::eq(one, step)));
    let steps = phase.into_iter().flat_map(|phase| &phase.steps).filter(|other| of(other.module.action));
    steps.flat_map(|other| &other.inputs).any(|item| input(subject, item, name).is_some_and(|other| other == path))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bash_in, powershell};
    use crate::component::rules::Target;
    use crate::component::rules::files::testing::in_document;

    #[test]
    fn changes_are_found() {
        for (phase, script) in [
            ("test", "apt-get install -y jq"),
            ("validate", "dnf -y upgrade"),
            ("validate", "apt-get clean"),
            ("validate", "find /var/lib/apt/lists -mindepth 1 -type f -delete"),
            ("validate", "rm -f /var/cache/apt/pkgcache.bin"),
            ("test", "echo a >/etc/app.conf"),
            ("test", "echo a | tee /etc/app.conf"),
            ("test", "sed -i 's/a/b/' /etc/app.conf"),
            ("test", "cp a /usr/local/bin/a"),
            ("validate", "chmod 0755 /usr/local/bin/a"),
            ("test", "systemctl enable nginx"),
            ("test", "useradd app"),
            ("validate", "rpm -i a.rpm"),
            ("test", "CONF=/etc/app.conf\necho a >\"$CONF\""),
            ("test", "ln -s a /etc/b"),
            ("test", "pip install pytest==8"),
        ] {
            assert_eq!(bash_in("S019", phase, 1, script).len(), 1, "{script}");
            assert_eq!(bash_in("S019", "build", 1, script), [""; 0], "{script}");
        }
    }

    #[test]
    fn checks_that_only_look_are_silent() {
        for (phase, script) in [
            ("test", "grep -q a /etc/app.conf"),
            ("test", "probe=$(mktemp /var/tmp/x.XXXXXX)\necho a >\"$probe\"\nrm -f \"$probe\""),
            ("test", "touch /etc/probe\nrm -f /etc/probe"),
            ("test", "trap 'rm -f /etc/probe' EXIT\necho a >/etc/probe"),
            ("test", "echo a >/tmp/x"),
            ("test", "systemctl start nginx"),
            ("test", "systemctl is-enabled nginx"),
            ("test", "dnf -q check-update --security"),
            ("test", "apt-get update"),
            ("test", "apt-get -s upgrade"),
            ("test", "apt-get clean"),
            ("test", "dpkg --audit"),
            ("test", "rpm -qa | wc -l"),
            ("test", "rpm -qi nginx"),
            ("validate", "mkdir -p /run/sshd"),
            ("validate", "work=$(mktemp -d)\nssh-keygen -q -N '' -f \"$work/key\""),
            ("test", "cp /etc/app.conf /tmp/app.conf"),
            ("test", "sed -n '1p' /etc/app.conf"),
            ("test", "find /etc -name '*.conf'"),
            ("test", "python3 -m venv /tmp/v\n/tmp/v/bin/pip install pytest==8"),
            ("test", "cat /etc/x 2>/dev/null"),
            ("test", "passwd -S root"),
            ("test", "systemctl reboot"),
        ] {
            assert_eq!(bash_in("S019", phase, 1, script), [""; 0], "{script}");
        }
    }

    fn steps(phase: &str, steps: &[&str]) -> usize {
        let steps = steps.join("\n      - ");
        let text = format!("schemaVersion: 1.0\nphases:\n  - name: {phase}\n    steps:\n      - {steps}\n");
        in_document("S019", &Target::default(), &text).len()
    }

    #[test]
    fn modules_and_windows_are_looked_at() {
        let make = "{name: Make, action: CreateFile, inputs: [{path: /etc/probe}]}";
        let gone = "{name: Gone, action: DeleteFile, inputs: [{path: /etc/probe}]}";
        assert_eq!(steps("test", &[make]), 1);
        assert_eq!(steps("test", &[make, gone]), 0, "nothing is left of it");
        assert_eq!(steps("test", &[gone]), 1);
        assert_eq!(steps("build", &[make]), 0);
        assert_eq!(steps("test", &[&make.replace("/etc", "/tmp")]), 0);
        assert_eq!(steps("validate", &["{name: Boot, action: Reboot, inputs: {delaySeconds: 0}}"]), 1);
        assert_eq!(steps("test", &["{name: Boot, action: Reboot, inputs: {delaySeconds: 0}}"]), 0);
        assert_eq!(steps("test", &["{name: Make, action: CreateFolder, inputs: [{path: 'C:\\tests'}]}"]), 0);
        assert_eq!(steps("test", &["{name: Make, action: CreateFolder, inputs: [{path: 'C:\\ProgramData\\app'}]}"]), 1);
        assert_eq!(steps("validate", &["{name: Upd, action: UpdateOS}"]), 1);
        for (script, reported) in [
            ("Install-WindowsFeature Web-Server", true),
            ("Get-WindowsFeature Web-Server", false),
            ("Set-ItemProperty -Path HKLM:\\SOFTWARE\\App -Name A -Value 1", true),
            ("Get-ItemProperty -Path HKLM:\\SOFTWARE\\App", false),
            ("Set-Content C:\\Windows\\Temp\\x a", false),
            ("Set-Content \"C:\\Program Files\\App\\x\" a", true),
            ("Copy-Item 'C:\\Program Files\\App\\x' C:\\Temp\\x", false),
        ] {
            assert_eq!(!powershell("S019", "test", 1, script).is_empty(), reported, "{script}");
        }
    }
}

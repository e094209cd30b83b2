//! M019: what is installed or downloaded without saying which version.

use super::facts::{Facts, filled, scripts};
use super::network::is_own;
use crate::component::expression::Template;
use crate::component::model::{Phase, Step, Value};
use crate::component::modules::Action;
use crate::component::rules::model::Findings;
use crate::component::rules::subject::Subject;
use crate::component::shell::{
    Command, PackageAction, PackageCall, PackageManager, PackageName, PowerShellCommand, Word,
};
use crate::diagnostic::Span;

/// Packages that serve the build, and whose version hardly shows in the image.
const HELPERS: &[&str] = &[
    "apt-transport-https",
    "autoconf",
    "automake",
    "build-essential",
    "bzip2",
    "ca-certificates",
    "cmake",
    "curl",
    "dirmngr",
    "dnf-plugins-core",
    "epel-release",
    "g++",
    "gcc",
    "gcc-c++",
    "git",
    "gnupg",
    "gnupg2",
    "gpg",
    "gzip",
    "jq",
    "less",
    "libtool",
    "lsb-release",
    "make",
    "patch",
    "pip",
    "pkg-config",
    "rsync",
    "setuptools",
    "software-properties-common",
    "sudo",
    "tar",
    "unzip",
    "virtualenv",
    "wget",
    "wheel",
    "which",
    "xz",
    "xz-utils",
    "yum-utils",
    "zip",
];

/// M019. Tests install nothing that ships; what they may change is S019's.
pub fn versions(subject: &Subject<'_>, found: &mut Findings<'_>) {
    let frozen = has_frozen_sources(subject);
    for facts in scripts(subject).filter(|facts| ships(facts.phase())) {
        for (index, command) in facts.each() {
            if let Some(call) = command.package_call() {
                let open = open_packages(subject, &facts, index, &call);
                let standing = frozen && is_distribution(call.manager);
                if !(standing || open.is_empty()) {
                    packages(found, facts.span(&command.place), &call, &open);
                }
            } else if let Some(word) = latest(&facts, index, command) {
                address(found, facts.span(&word.place));
            }
        }
    }
    for commands in subject.powershell().iter().filter(|commands| ships(commands.phase)) {
        for command in &commands.script.commands {
            powershell(found, command, |place| commands.span(place));
        }
    }
    for (_, step) in subject.steps().filter(|(phase, _)| ships(phase)) {
        for span in modules(subject, step) {
            address(found, span);
        }
    }
}

fn ships(phase: &Phase) -> bool {
    !matches!(phase.name.as_str(), "validate" | "test" | "container-host-test")
}

fn is_distribution(manager: PackageManager) -> bool {
    use PackageManager::{Apk, Apt, AptGet, Dnf, Microdnf, Yum, Zypper};
    matches!(manager, Apk | Apt | AptGet | Dnf | Microdnf | Yum | Zypper)
}

/// Whether the package sources stand still: Amazon Linux 2023 stays on its release, and a snapshot of a mirror on its day.
fn has_frozen_sources(subject: &Subject<'_>) -> bool {
    let mentions = |text: &str| ["://snapshot.", "--snapshot", "APT::Snapshot"].iter().any(|word| text.contains(word));
    subject.target.os.as_deref() == Some("amazon-linux-2023")
        || subject.steps().any(|(_, step)| step.templates().iter().any(|template| mentions(template.text())))
}

fn packages(found: &mut Findings<'_>, span: Span, call: &PackageCall<'_>, open: &[&str]) {
    let how = match call.manager {
        PackageManager::AptGet | PackageManager::Apt | PackageManager::Apk | PackageManager::Zypper => "NAME=VERSION",
        PackageManager::Yum | PackageManager::Dnf | PackageManager::Microdnf => "NAME-VERSION",
        PackageManager::Pip => "NAME==VERSION",
        PackageManager::Npm => "NAME@VERSION",
        PackageManager::Gem => "-v VERSION NAME",
        PackageManager::Snap => "--channel=TRACK NAME",
    };
    let named = match open {
        [one] => format!("`{one}` is installed without a version"),
        [one, two] => format!("`{one}` and `{two}` are installed without a version"),
        [one, rest @ ..] => format!("`{one}` and {} other packages are installed without a version", rest.len()),
        [] => return,
    };
    found.add(
        found
            .at(span, named, "another build may install another one")
            .help(format!("write `{how}`, with the version from a parameter of the component")),
    );
}

fn address(found: &mut Findings<'_>, span: Span) {
    found.add(
        found
            .at(span, "this address means another file with every release", "whatever is the latest that day")
            .help("use the address of one version, with the version from a parameter of the component"),
    );
}

/// The packages of a call whose version is left open.
fn open_packages<'p>(
    subject: &Subject<'_>,
    facts: &Facts<'_, '_>,
    index: usize,
    call: &PackageCall<'p>,
) -> Vec<&'p str> {
    let has = |option: &str| {
        call.invocation.arguments.iter().any(|word| {
            word.text == option || word.text.strip_prefix(option).is_some_and(|rest| rest.starts_with(['=', '/']))
        })
    };
    let settled = match call.manager {
        PackageManager::Pip => {
            ["-c", "--constraint", "-U", "--upgrade", "--require-hashes", "-e", "--no-index", "--find-links"]
                .iter()
                .any(|option| has(option))
        }
        PackageManager::AptGet | PackageManager::Apt => {
            ["--only-upgrade", "--download-only", "--simulate", "-s", "--dry-run"].iter().any(|option| has(option))
        }
        PackageManager::Yum | PackageManager::Dnf | PackageManager::Microdnf => {
            let fixed = call.invocation.arguments.iter().any(|word| {
                word.text
                    .strip_prefix("--releasever=")
                    .is_some_and(|release| release != "latest" && release.contains('.'))
            });
            fixed || has("--downloadonly")
        }
        _ => false,
    };
    let verb = matches!(call.verb.text.as_str(), "build-dep" | "ci" | "groupinstall");
    if call.action != PackageAction::Install || settled || verb {
        return Vec::new();
    }
    let open = |name: &&PackageName<'p>| {
        let text = filled(subject.document, &name.word.text);
        let text = if name.word.dynamic { facts.text(name.word, index) } else { text };
        !name.has_version && !name.is_file && is_open(call.manager, &text)
    };
    call.packages.iter().filter(open).map(|name| name.word.text.as_str()).collect()
}

/// Whether a name leaves the version open: it is known, is no group, no helper, and does not hold a version itself.
fn is_open(manager: PackageManager, name: &str) -> bool {
    let unknown = name.contains(['$', '`', '{', '*', '[', '%']) || name.is_empty();
    let group = name.starts_with(['@', '.', '/']) && manager != PackageManager::Npm;
    let local = name.contains('/') && manager != PackageManager::Npm;
    let removal = name.ends_with('-') || name.ends_with('+');
    let sources = ["-release", "-keyring", "-repo", "-repository"].iter().any(|end| name.ends_with(end));
    let bounded = manager == PackageManager::Pip && name.contains(['<', '=']);
    // `java-17-amazon-corretto`, `python39`, `libssl-dev`: the distribution keeps to what the name says.
    let numbered = name.bytes().any(|byte| byte.is_ascii_digit()) || name.ends_with("-devel") || name.ends_with("-dev");
    let promised = is_distribution(manager) && numbered;
    !(unknown || group || local || removal || sources || bounded || promised || HELPERS.contains(&name))
}

/// A word of a command that is the address of whatever is newest.
fn latest<'c>(facts: &Facts<'_, '_>, index: usize, command: &'c Command) -> Option<&'c Word> {
    let assigned = command.assignments.iter().map(|assignment| &assignment.value);
    let is_address = |word: &&Word| is_latest(&filled(facts.document, &word.text));
    let Some(invocation) = command.invocation() else {
        return assigned.into_iter().find(is_address);
    };
    let words = command.words.iter();
    match invocation.program {
        "curl" | "wget" | "aria2c" => words.into_iter().find(|word| {
            let text = facts.text(word, index);
            // An address that stands in an assignment has been reported there.
            is_latest(&text) && (is_latest(&word.text) || !is_latest_assigned(facts, index))
        }),
        "go" if invocation.arguments.first().is_some_and(|verb| verb.is("install") || verb.is("get")) => {
            invocation.arguments.iter().find(|word| word.text.ends_with("@latest"))
        }
        "docker" | "podman" if invocation.arguments.first().is_some_and(|verb| verb.is("pull")) => {
            invocation.operands().nth(1).filter(|image| {
                let name = image.text.rsplit('/').next().unwrap_or_default();
                !image.dynamic && (name.ends_with(":latest") || !name.contains([':', '@']))
            })
        }
        "export" | "declare" | "readonly" | "local" => assigned.into_iter().find(is_address),
        _ => None,
    }
}

/// Whether an assignment before a command holds such an address.
fn is_latest_assigned(facts: &Facts<'_, '_>, before: usize) -> bool {
    let mut values = facts.each().take_while(|(at, _)| *at < before).flat_map(|(_, command)| &command.assignments);
    facts.is_tired() || values.any(|assignment| is_latest(&filled(facts.document, &assignment.value.text)))
}

/// `https://example.com/latest/a.zip`, `https://example.com/a-latest.zip`.
fn is_latest(text: &str) -> bool {
    let Some(start) = ["https://", "http://", "ftp://"].iter().find_map(|scheme| text.find(scheme)) else {
        return false;
    };
    let end =
        text[start..].find(|c: char| c.is_whitespace() || "\"'|;".contains(c)).map_or(text.len(), |at| start + at);
    let address = &text[start..end];
    let path = address.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
    let lower = path.to_ascii_lowercase();
    let whole = |at: usize| {
        let edge = |c: Option<char>| c.is_none_or(|c| !c.is_ascii_alphanumeric());
        edge(lower[..at].chars().next_back()) && edge(lower[at + "latest".len()..].chars().next())
    };
    !is_own(address) && lower.match_indices("latest").any(|(at, _)| whole(at))
}

fn powershell(
    found: &mut Findings<'_>,
    command: &PowerShellCommand,
    span: impl Fn(&crate::component::shell::Place) -> Span,
) {
    let words: Vec<String> = command.arguments().iter().map(|word| word.text.to_ascii_lowercase()).collect();
    let has = |option: &str| words.iter().any(|word| word.starts_with(option));
    let unknown = command.arguments().iter().any(|word| word.text.starts_with('@'));
    let how = match command.name().as_deref() {
        Some("choco")
            if words.first().is_some_and(|verb| verb == "install") && !has("--version") && !has("-version") =>
        {
            "choco install NAME --version VERSION"
        }
        Some("install-module" | "install-package") if !has("-requiredversion") && !has("-maximumversion") => {
            "Install-Module NAME -RequiredVersion VERSION"
        }
        Some("winget") if words.first().is_some_and(|verb| verb == "install") && !has("--version") && !has("-v") => {
            "winget install NAME --version VERSION"
        }
        _ => {
            if let Some(word) = command.arguments().iter().find(|word| is_latest(&word.text)) {
                address(found, span(&word.place));
            }
            return;
        }
    };
    if unknown || words.iter().any(|word| word.contains(".config")) {
        return;
    }
    found.add(
        found
            .at(
                span(&command.place),
                "a package is installed without a version",
                "another build may install another one",
            )
            .help(format!("write `{how}`")),
    );
}

/// Addresses in the inputs of modules. With a checksum the file cannot change unnoticed.
fn modules(subject: &Subject<'_>, step: &Step) -> Vec<Span> {
    let name = match step.module.action {
        Action::WebDownload => "source",
        Action::InstallMsi => "path",
        _ => return Vec::new(),
    };
    let items = step.inputs.iter().filter(|item| item.get("checksum").is_none());
    let addresses = items.filter_map(|item| match item.get(name) {
        Some(Value::Text(template)) => Some(template),
        _ => None,
    });
    addresses.filter(|template| is_latest(&filled(subject.document, template.text()))).map(Template::span).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{bash, bash_in, powershell};
    use super::is_latest;
    use crate::component::rules::Target;
    use crate::component::rules::files::testing::{in_document, places};

    #[test]
    fn open_versions_are_found() {
        for script in [
            "apt-get install -y nginx",
            "apt-get install -y curl nginx=1.2 postgresql",
            "dnf -y install nginx",
            "yum install -y httpd mariadb-server",
            "apk add --no-cache nginx",
            "pip install ansible",
            "python3 -m pip install 'requests[socks]' boto3",
            "npm install -g pm2",
            "npm i -g @angular/cli",
            "gem install rake",
            "snap install code",
            "docker pull example/app",
            "docker pull example/app:latest",
            "go install example.com/a/b@latest",
            "PACKAGE=nginx\napt-get -y install \"$PACKAGE\"",
        ] {
            assert_eq!(bash("M019", script).len(), 1, "{script}");
            assert_eq!(bash_in("M019", "test", 1, script), [""; 0], "{script}");
        }
        for (script, expected) in [
            ("curl -fsSLO https://example.com/latest/a.zip", "https://example.com/latest/a.zip"),
            ("URL=https://example.com/latest/a.zip\ncurl -fsSLO \"$URL\"", "https://example.com/latest/a.zip"),
            (
                "curl -fsSLO \"https://example.com/{{ Given }}/latest/a\"",
                "\"https://example.com/{{ Given }}/latest/a\"",
            ),
        ] {
            assert_eq!(bash("M019", script), [expected], "{script}");
        }
    }

    #[test]
    fn what_is_settled_or_unknown_is_silent() {
        for script in [
            "apt-get install -y nginx=1.24.0-1",
            "apt-get install -y \"nginx={{ Given }}\"",
            "apt-get install -y ca-certificates curl gnupg unzip jq",
            "apt-get install -y ./a.deb /opt/b.deb",
            "yum install -y java-17-amazon-corretto gcc openssl-devel python39",
            "apt-get install -y --only-upgrade openssl",
            "apt-get -y upgrade",
            "apt-get -y dist-upgrade",
            "apt-get install -y \"${packages[@]}\"",
            "apt-get install -y \"$1\"",
            "dnf install -y nginx-1.24.0",
            "dnf install -y epel-release mysql80-community-release",
            "dnf install -y https://example.com/a-1.2.rpm",
            "dnf install -y @development",
            "dnf install -y --releasever=2023.4.20240401 nginx",
            "dnf -y upgrade",
            "pip install -r requirements.txt",
            "pip install --upgrade pip",
            "pip install 'a>=1,<2'",
            "pip install a==1.2 b~=2.0",
            "pip install .",
            "pip install -c constraints.txt a",
            "npm ci",
            "npm install",
            "npm install -g pm2@5.3.0",
            "gem install -v 1.2 rake",
            "snap install --channel=1.2/stable code",
            "docker pull example/app:1.2",
            "docker pull example/app@sha256:abc",
            "apt-get remove -y nginx",
            "curl -fsS http://169.254.169.254/latest/meta-data/ami-id",
            "curl -fsSLO https://example.com/v1.2/a.zip",
            "curl -fsSLO https://example.com/greatest/a.zip",
            "echo https://example.com/latest/a.zip",
            "echo deb https://snapshot.example.com/20240101 stable main >/etc/apt/sources.list\napt-get -y install nginx",
        ] {
            assert_eq!(bash("M019", script), [""; 0], "{script}");
        }
    }

    #[test]
    fn releases_that_stand_still_are_known() {
        let text = super::super::testing::document("build", "ExecuteBash", 1, "dnf -y install nginx\npip install a");
        let target = Target { os: Some("amazon-linux-2023".to_owned()), ..Target::default() };
        assert_eq!(in_document("M019", &target, &text), ["pip install a"]);
    }

    #[test]
    fn modules_and_windows_are_looked_at() {
        let web =
            "{name: Get, action: WebDownload, inputs: [{source: 'https://example.com/latest/a', destination: /opt/a}]}";
        assert_eq!(places("M019", &Target::default(), &[web]), ["'https://example.com/latest/a'"]);
        let sure = web.replace("destination", "checksum: ab, algorithm: SHA256, destination");
        assert_eq!(places("M019", &Target::default(), &[sure.as_str()]), [""; 0]);
        for (script, reported) in [
            ("choco install -y git", true),
            ("choco install -y git --version 2.44.0", false),
            ("Install-Module AWSPowerShell -Force", true),
            ("Install-Module AWSPowerShell -RequiredVersion 4.1.1 -Force", false),
            ("Invoke-WebRequest https://example.com/latest/a.msi -OutFile a.msi", true),
            ("Invoke-WebRequest https://example.com/1.2/a.msi -OutFile a.msi", false),
        ] {
            assert_eq!(!powershell("M019", "build", 1, script).is_empty(), reported, "{script}");
        }
    }

    #[test]
    fn addresses_of_the_newest_are_known() {
        for (text, expected) in [
            ("https://example.com/releases/latest/download/a", true),
            ("https://example.com/a-latest-amd64.deb", true),
            ("https://example.com/a_latest.zip", true),
            ("https://example.com/LATEST", true),
            ("https://latest.example.com/a-1.2", false),
            ("https://example.com/platest/a", false),
            ("s3://bucket/latest/a", false),
            ("/opt/latest/a", false),
        ] {
            assert_eq!(is_latest(text), expected, "{text}");
        }
    }
}

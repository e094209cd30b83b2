//! Calls of package managers.

use super::invocation::is_option;
use super::{Command, Invocation, Quoting, Word};

/// A package manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PackageManager {
    /// `apt-get`
    AptGet,
    /// `apt`
    Apt,
    /// `yum`
    Yum,
    /// `dnf`
    Dnf,
    /// `microdnf`
    Microdnf,
    /// `zypper`
    Zypper,
    /// `apk`
    Apk,
    /// `pip`, also as `python -m pip`
    Pip,
    /// `npm`
    Npm,
    /// `gem`
    Gem,
    /// `snap`
    Snap,
}

/// What it is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PackageAction {
    /// Packages are added.
    Install,
    /// Packages are replaced by newer ones.
    Upgrade,
    /// Packages are taken away.
    Remove,
    /// The lists of what there is are fetched.
    Refresh,
    /// Something else: `clean`, `list` and so on.
    Other,
}

/// A call of a package manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageCall<'a> {
    /// Which one.
    pub manager: PackageManager,
    /// What it is asked to do.
    pub action: PackageAction,
    /// The word that says so.
    pub verb: &'a Word,
    /// Whether it asks nothing: `-y` or the like is given, or it never does.
    pub assume_yes: bool,
    /// The packages that are named. A variable counts as one.
    pub packages: Vec<PackageName<'a>>,
    /// How it is started.
    pub invocation: Invocation<'a>,
}

/// A package that is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackageName<'a> {
    /// The word.
    pub word: &'a Word,
    /// Whether it says which version: `nginx=1.24.0-1`, `requests==2.31`, also `name={{ Version }}`.
    pub has_version: bool,
    /// Whether it is a file or an address and no name.
    pub is_file: bool,
}

impl PackageManager {
    fn of(invocation: &Invocation<'_>) -> Option<Self> {
        Some(match invocation.program {
            "apt-get" => Self::AptGet,
            "apt" => Self::Apt,
            "yum" => Self::Yum,
            "dnf" | "dnf5" | "dnf-3" => Self::Dnf,
            "microdnf" => Self::Microdnf,
            "zypper" => Self::Zypper,
            "apk" => Self::Apk,
            "npm" => Self::Npm,
            "gem" => Self::Gem,
            "snap" => Self::Snap,
            name if is_numbered(name, "pip") => Self::Pip,
            name if is_numbered(name, "python") => match invocation.arguments {
                [option, module, ..] if option.is("-m") && module.is("pip") => Self::Pip,
                _ => return None,
            },
            _ => return None,
        })
    }

    /// Its options that take the next argument as their value.
    fn valued(self) -> &'static [&'static str] {
        match self {
            Self::AptGet | Self::Apt => {
                &["-o", "-t", "-c", "-a", "--option", "--target-release", "--default-release", "--config-file"]
            }
            Self::Yum | Self::Dnf | Self::Microdnf => {
                &["-c", "-x", "-d", "-e", "-R", "--exclude", "--enablerepo", "--disablerepo", "--repo", "--setopt"]
            }
            Self::Zypper => &["-R", "-r", "-t", "-c", "--root", "--repo", "--from", "--type", "--config"],
            Self::Apk => &["-p", "-X", "-t", "--root", "--repository", "--virtual"],
            Self::Pip => {
                &["-r", "-c", "-i", "-t", "-e", "-m", "--requirement", "--constraint", "--index-url", "--target"]
            }
            Self::Npm => &["--prefix", "--registry", "-C"],
            Self::Gem => &["-v", "-i", "-n", "--version", "--install-dir", "--bindir"],
            Self::Snap => &["--channel", "--revision"],
        }
    }

    fn action(self, verb: &str) -> PackageAction {
        match verb {
            "install" | "reinstall" | "localinstall" | "groupinstall" | "add" | "i" | "in" | "ci" | "build-dep" => {
                PackageAction::Install
            }
            "upgrade" | "dist-upgrade" | "full-upgrade" | "distro-sync" | "up" | "dup" | "patch"
            | "upgrade-minimal" | "update-minimal" | "refresh" => match (self, verb) {
                (Self::Zypper, "refresh") => PackageAction::Refresh,
                _ => PackageAction::Upgrade,
            },
            "update" => match self {
                Self::AptGet | Self::Apt | Self::Apk => PackageAction::Refresh,
                _ => PackageAction::Upgrade,
            },
            "remove" | "erase" | "purge" | "autoremove" | "auto-remove" | "uninstall" | "del" | "rm" | "un" => {
                PackageAction::Remove
            }
            "makecache" | "ref" => PackageAction::Refresh,
            _ => PackageAction::Other,
        }
    }

    /// The options by which it asks nothing; empty if it never asks.
    fn assent(self, verb: &str) -> &'static [&'static str] {
        match self {
            // Two of `-q` imply `-y`.
            Self::AptGet | Self::Apt => &["-y", "--yes", "--assume-yes", "-qq"],
            Self::Yum | Self::Dnf | Self::Microdnf => &["-y", "--assumeyes"],
            Self::Zypper => &["-n", "-y", "--non-interactive", "--no-confirm"],
            Self::Pip if verb == "uninstall" => &["-y", "--yes"],
            Self::Apk | Self::Pip | Self::Npm | Self::Gem | Self::Snap => &[],
        }
    }

    fn has_version(self, name: &str, invocation: &Invocation<'_>) -> bool {
        match self {
            Self::AptGet | Self::Apt | Self::Zypper if name.contains(['=', '/']) => true,
            Self::Yum | Self::Dnf | Self::Microdnf | Self::Zypper => rpm_version(name),
            Self::AptGet | Self::Apt => false,
            Self::Apk => name.contains(['=', '~']),
            Self::Pip => name.contains("==") || name.contains("~=") || name.contains('@'),
            Self::Npm => name.trim_start_matches('@').rsplit_once('@').is_some_and(|(_, tag)| tag != "latest"),
            Self::Gem => invocation.has_option(&["-v", "--version"]) || name.contains(':'),
            Self::Snap => invocation.has_option(&["--channel", "--revision"]),
        }
    }
}

impl Command {
    /// What it asks of a package manager, if it starts one with a verb.
    pub fn package_call(&self) -> Option<PackageCall<'_>> {
        let invocation = self.invocation()?;
        let manager = PackageManager::of(&invocation)?;
        let skipped = if manager == PackageManager::Pip && invocation.program.starts_with("python") { 2 } else { 0 };
        let mut operands = operands(&invocation.arguments[skipped..], manager.valued()).into_iter();
        let verb = operands.next()?;
        let action = manager.action(&verb.text);
        let assent = manager.assent(&verb.text);
        let assume_yes = assent.is_empty() || agrees(&invocation, assent);
        let packages = operands.map(|word| PackageName {
            word,
            has_version: manager.has_version(&word.text, &invocation),
            is_file: is_file(&word.text),
        });
        let packages = packages.collect();
        Some(PackageCall { manager, action, verb, assume_yes, packages, invocation })
    }
}

fn agrees(invocation: &Invocation<'_>, assent: &[&str]) -> bool {
    invocation.has_option(assent)
        // `-qq` in a cluster, or `-q` given twice over, or `-q=2`.
        || (assent.contains(&"-qq")
            && invocation.arguments.iter().any(|word| {
                word.text == "-q=2"
                    || (is_option(&word.text, "-q") && word.text.bytes().filter(|byte| *byte == b'q').count() > 1)
            }))
        || invocation.arguments.iter().any(|word| {
            matches!(word.text.as_str(), "APT::Get::Assume-Yes=true" | "-oAPT::Get::Assume-Yes=true")
        })
}

/// The arguments that are neither options nor the values of options.
fn operands<'a>(arguments: &'a [Word], valued: &[&str]) -> Vec<&'a Word> {
    let mut found = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(word) = arguments.next() {
        if word.quoting == Quoting::Bare && word.text.starts_with('-') && word.text.len() > 1 {
            if valued.contains(&word.text.as_str()) {
                arguments.next();
            }
        } else {
            found.push(word);
        }
    }
    found
}

/// `name`, `name3`, `name3.11`.
fn is_numbered(program: &str, name: &str) -> bool {
    program.strip_prefix(name).is_some_and(|rest| rest.bytes().all(|byte| byte == b'.' || byte.is_ascii_digit()))
}

/// `name-1.2` with something like a version behind the dash.
fn rpm_version(name: &str) -> bool {
    name.match_indices('-').any(|(at, _)| {
        let rest = &name[at + 1..];
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        rest.starts_with(['$', '{']) || (digits > 0 && matches!(rest.as_bytes().get(digits), Some(b'.' | b':' | b'*')))
    })
}

fn is_file(name: &str) -> bool {
    let package = |extension: &str| name.to_ascii_lowercase().ends_with(extension);
    name.contains("://")
        || name.starts_with(['/', '.'])
        || [".rpm", ".deb", ".whl", ".apk", ".tgz"].into_iter().any(package)
}

#[cfg(test)]
mod tests {
    use super::super::Script;
    use super::PackageAction::{Install, Other, Refresh, Remove, Upgrade};
    use super::PackageManager::{Apk, Apt, AptGet, Dnf, Gem, Microdnf, Npm, Pip, Snap, Yum, Zypper};

    #[test]
    fn calls_are_understood() {
        for (text, manager, action, assume_yes, packages) in [
            ("apt-get update", AptGet, Refresh, false, ""),
            ("apt-get install -y nginx=1.2 curl", AptGet, Install, true, "nginx=1.2! curl"),
            ("apt-get -o A::B=c -t bookworm install -yq nginx", AptGet, Install, true, "nginx"),
            ("apt-get -qq install nginx", AptGet, Install, true, "nginx"),
            ("apt-get -q install nginx", AptGet, Install, false, "nginx"),
            ("apt-get install ./a.deb", AptGet, Install, false, "./a.deb!@"),
            ("sudo DEBIAN_FRONTEND=noninteractive apt install vim", Apt, Install, false, "vim"),
            ("apt full-upgrade --yes", Apt, Upgrade, true, ""),
            ("yum -y update", Yum, Upgrade, true, ""),
            (
                "yum install -y nginx-1.20.1 jq java-17-amazon-corretto",
                Yum,
                Install,
                true,
                "nginx-1.20.1! jq java-17-amazon-corretto",
            ),
            ("dnf install --assumeyes 'nginx-{{ Version }}'", Dnf, Install, true, "nginx-{{ Version }}!"),
            ("microdnf clean all", Microdnf, Other, false, "all"),
            ("zypper --non-interactive in vim", Zypper, Install, true, "vim"),
            ("zypper refresh", Zypper, Refresh, false, ""),
            ("apk add --no-cache curl=8.0", Apk, Install, true, "curl=8.0!"),
            ("pip3.11 install -r r.txt requests==2.1 flask", Pip, Install, true, "requests==2.1! flask"),
            ("python3 -m pip uninstall -y flask", Pip, Remove, true, "flask"),
            ("pip uninstall flask", Pip, Remove, false, "flask"),
            ("npm i -g @a/b @a/c@1.0 d@latest", Npm, Install, true, "@a/b @a/c@1.0! d@latest"),
            ("gem install -v 1.2 rake", Gem, Install, true, "rake!"),
            ("snap install --classic code", Snap, Install, true, "code"),
        ] {
            let script = Script::bash(&[text]);
            let call = script.commands[0].package_call().expect(text);
            let named: Vec<_> = call
                .packages
                .iter()
                .map(|name| {
                    let (version, file) =
                        (if name.has_version { "!" } else { "" }, if name.is_file { "@" } else { "" });
                    format!("{}{version}{file}", name.word.text)
                })
                .collect();
            assert_eq!((call.manager, call.action, call.assume_yes), (manager, action, assume_yes), "{text}");
            assert_eq!(named.join(" "), packages, "{text}");
        }
        for text in ["echo apt-get install", "python3 x.py", "apt-get", "pipx install a"] {
            assert_eq!(Script::bash(&[text]).commands[0].package_call(), None, "{text}");
        }
    }
}

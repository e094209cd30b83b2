//! What instances need to know of this machine: how its package manager reaches its sources.

use super::{Injected, environment};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Files for [`Spec::inject`](super::Spec::inject) that make package managers behave in an instance: no service is
/// started by a package's script, no question is asked, and downloads take the way they take on this machine (its
/// proxies, its patience, its doubts about clocks).
pub fn package_settings() -> BTreeMap<PathBuf, Injected> {
    [
        ("/usr/sbin/policy-rc.d", POLICY.to_owned(), 0o755),
        ("/etc/apt/apt.conf.d/99amiforge", apt_settings(&acquire_settings()), 0o644),
        ("/etc/dpkg/dpkg.cfg.d/99amiforge", DPKG.to_owned(), 0o644),
    ]
    .into_iter()
    .map(|(path, text, mode)| (PathBuf::from(path), Injected { content: text.into_bytes(), mode }))
    .collect()
}

/// invoke-rc.d(8): 101 means "action forbidden by policy".
const POLICY: &str = "#!/bin/sh\n# No service is started while an image is built.\nexit 101\n";

/// Keep the configuration files that are there, take the package's default where there is none.
const DPKG: &str = "force-confdef\nforce-confold\n";

/// One of the host's settings: its name and value.
pub(super) type Setting = (String, String);

fn apt_settings(host: &[Setting]) -> String {
    let mut text = String::from("Dpkg::Use-Pty \"0\";\nDPkg::Lock::Timeout \"120\";\nAPT::Color \"0\";\n");
    for (name, value) in host {
        let _ = writeln!(text, "{name} \"{value}\";");
    }
    text
}

/// How apt on this machine fetches; nothing when there is no apt.
pub(super) fn acquire_settings() -> Vec<Setting> {
    let output = Command::new("apt-config").arg("dump").env_clear().envs(environment()).stdin(Stdio::null()).output();
    output.map_or_else(|_| Vec::new(), |output| wanted(&String::from_utf8_lossy(&output.stdout)))
}

/// From the output of `apt-config dump`: lines of `Name "value";`.
fn wanted(dump: &str) -> Vec<Setting> {
    dump.lines()
        .filter_map(|line| {
            let (name, value) = line.split_once(' ')?;
            let value = value.strip_prefix('"')?.strip_suffix("\";")?;
            let usable = !value.is_empty() && !value.contains(['"', '\\']);
            (usable && is_wanted(name)).then(|| (name.to_owned(), value.to_owned()))
        })
        .collect()
}

/// Proxies, and how strict and patient apt is. Not the scripts that find proxies: they are files of this machine.
fn is_wanted(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let Some(rest) = name.strip_prefix("acquire::") else { return false };
    match rest.split("::").collect::<Vec<_>>()[..] {
        ["check-valid-until" | "check-date" | "retries"] | [_, "proxy"] => true,
        [_, "proxy", host] => !host.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = r#"APT "";
Acquire "";
Acquire::Retries "3";
Acquire::Check-Valid-Until "false";
Acquire::check-date "false";
Acquire::http "";
Acquire::http::Proxy "http://proxy:3128/";
Acquire::http::Proxy::mirror.example "DIRECT";
Acquire::http::Proxy-Auto-Detect "/usr/bin/auto-apt-proxy";
Acquire::https::Proxy "";
Acquire::https::CAInfo "/etc/x.pem";
Acquire::cdrom::mount "/media/cdrom/";
DPkg::Post-Invoke:: "rm -f \"x\"";
"#;

    #[test]
    fn only_the_way_to_the_sources_is_taken_over() {
        let names: Vec<String> = wanted(DUMP).into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            names,
            [
                "Acquire::Retries=3",
                "Acquire::Check-Valid-Until=false",
                "Acquire::check-date=false",
                "Acquire::http::Proxy=http://proxy:3128/",
                "Acquire::http::Proxy::mirror.example=DIRECT",
            ]
        );
        assert!(wanted("").is_empty());
    }

    #[test]
    fn settings_are_written_as_apt_reads_them() {
        let text = apt_settings(&[("Acquire::Retries".into(), "3".into())]);
        assert!(text.ends_with("Acquire::Retries \"3\";\n"), "{text}");
        assert!(text.contains("Dpkg::Use-Pty \"0\";"));
    }

    #[test]
    fn services_are_not_started() {
        let settings = package_settings();
        let policy = &settings[&PathBuf::from("/usr/sbin/policy-rc.d")];
        assert_eq!(policy.mode, 0o755);
        assert!(policy.content.ends_with(b"exit 101\n"));
    }
}

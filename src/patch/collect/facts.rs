//! What the system says of itself beside its packages: boot, kernel, restart.

use crate::patch::glob;
use crate::patch::inventory::{Inventory, Reboot, Recorded};

/// Packages after whose installation the Red Hat family advises a restart: dnf-plugins-core, `needs_restarting.py`
/// (patch-baselines.md 11).
const RESTART: [&str; 9] =
    ["kernel", "kernel-core", "kernel-rt", "glibc", "linux-firmware", "systemd", "dbus", "dbus-broker", "dbus-daemon"];

/// Lines of the section `facts`.
#[derive(Debug, Default)]
pub(super) struct Facts {
    booted_at: Option<i64>,
    required: bool,
    reasons: Vec<String>,
    pub(super) arch: String,
    /// `uname -r`, of an image that has the modules of that kernel.
    pub(super) running: Option<String>,
    /// The kernel that the boot loader takes.
    pub(super) default_entry: Option<String>,
}

impl Facts {
    pub(super) fn read(text: &str) -> Self {
        let (mut facts, mut now, mut uptime, mut first) = (Self::default(), None, None, None);
        for (key, value) in text.lines().filter_map(|line| line.split_once(' ')) {
            let whole = || value.split('.').next().and_then(|text| text.parse::<i64>().ok());
            match key {
                "now" => now = whole(),
                "uptime" => uptime = whole(),
                "first-process" => first = whole(),
                "arch" => value.clone_into(&mut facts.arch),
                "running-kernel" => facts.running = Some(value.to_owned()),
                "default-kernel" => facts.default_entry = Some(value.to_owned()),
                "reboot-required" => facts.required = true,
                "reboot-package" => facts.reasons.push(value.to_owned()),
                _ => {}
            }
        }
        // The later of the two: the clock may have been wrong at the beginning, and a container's host is older than it.
        facts.booted_at = first.max(now.zip(uptime).map(|(now, uptime)| now - uptime));
        facts
    }

    /// What waits for a restart. `states` is the record of an installation with `NoReboot`.
    pub(super) fn reboot(&self, inventory: &Inventory, states: Option<&str>) -> Reboot {
        let mut packages = self.reasons.clone();
        let apt = inventory.offered.iter().any(|offer| !offer.package.priority.is_empty());
        let after_boot: Vec<String> = inventory
            .installed
            .iter()
            .filter(|package| !apt && RESTART.iter().any(|name| glob::matches(name, &package.name)))
            .filter(|package| package.installed_at.zip(self.booted_at).is_some_and(|(at, boot)| at > boot))
            .map(|package| package.name.clone())
            .collect();
        // On a minimal Debian nothing writes the file.
        let knows = !apt || inventory.installed.iter().any(|package| package.name == "update-notifier-common");
        let required = self.required || !after_boot.is_empty();
        packages.extend(after_boot);
        packages.dedup();
        Reboot {
            booted_at: self.booted_at,
            required: (required || knows).then_some(required),
            packages,
            recorded: states.map(recorded).unwrap_or_default(),
        }
    }
}

/// Entries `title: {"installedTime": seconds, …}`, wherever they stand. What is no number is nothing that can be compared.
fn recorded(text: &str) -> Vec<Recorded> {
    fn walk(value: &serde_json::Value, found: &mut Vec<Recorded>) {
        let Some(object) = value.as_object() else { return };
        for (title, entry) in object {
            match entry.get("installedTime").and_then(seconds) {
                Some(installed_at) => found.push(Recorded { title: title.clone(), installed_at }),
                None => walk(entry, found),
            }
        }
    }
    let mut found = vec![];
    if let Ok(value) = serde_json::from_str(text) {
        walk(&value, &mut found);
    }
    found.sort();
    found
}

fn seconds(value: &serde_json::Value) -> Option<i64> {
    let text = || value.as_str()?.split('.').next()?.parse().ok();
    #[allow(clippy::cast_possible_truncation, reason = "seconds since 1970")]
    let number = || value.as_f64().map(|seconds| seconds as i64);
    value.as_i64().or_else(number).or_else(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patch::inventory::Package;

    const FACTS: &str = "now 1000\nuptime 300.52\nfirst-process 690\narch x86_64\nrunning-kernel 6.1.0-25-amd64\n";

    fn installed(name: &str, at: i64) -> Inventory {
        let package = Package { name: name.into(), installed_at: Some(at), ..Package::default() };
        Inventory { installed: vec![package], ..Inventory::default() }
    }

    #[test]
    fn the_boot_is_the_later_of_the_two() {
        assert_eq!(Facts::read(FACTS).booted_at, Some(700));
        assert_eq!(Facts::read("now 1000\nuptime 500\nfirst-process 690\n").booted_at, Some(690));
        assert_eq!(Facts::read("now 1000\nuptime \nfirst-process \n").booted_at, None);
    }

    #[test]
    fn a_kernel_that_came_after_the_boot_asks_for_a_restart() {
        let facts = Facts::read(FACTS);
        let reboot = facts.reboot(&installed("kernel-core", 701), None);
        assert_eq!((reboot.required, &reboot.packages[..]), (Some(true), &["kernel-core".to_owned()][..]));
        assert_eq!(facts.reboot(&installed("kernel-core", 700), None).required, Some(false));
        assert_eq!(facts.reboot(&installed("bash", 900), None).required, Some(false));
        let asked = Facts::read("now 1\nreboot-required /run/reboot-required\nreboot-package libc6\n");
        assert_eq!(asked.reboot(&installed("bash", 1), None).packages, ["libc6"]);
    }

    #[test]
    fn records_of_an_installation_without_restart() {
        let text = r#"{"lastNoRebootInstallOperationTime": 5, "patchStates": {"bash.x86_64:0:5-1": {"id": "bash.x86_64",
            "state": "InstalledPendingReboot", "installedTime": "1700000000.25"}, "odd": {"installedTime": "never"}}}"#;
        assert_eq!(recorded(text), [Recorded { title: "bash.x86_64:0:5-1".into(), installed_at: 1_700_000_000 }]);
        assert_eq!(recorded("{"), []);
    }
}

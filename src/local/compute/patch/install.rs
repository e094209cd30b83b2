//! `Operation=Install`: the missing versions, with the real package manager.

use super::baseline::Applicable;
use super::scan::{self, ScanError};
use super::{change, title};
use crate::local::compute::command::Capture;
use crate::local::compute::state::Live;
use crate::patch::{self, InstallPlan, Inventory, OperatingSystem, State, Summary};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

/// What an install did.
#[derive(Debug)]
pub(super) struct Installed {
    pub(super) evaluation: Summary,
    /// Titles of what is there now and was missing before.
    pub(super) titles: BTreeSet<String>,
}

/// Installs what is missing from `before` and evaluates again. Whatever is still missing has failed: an install report
/// knows no missing patch (patch-baselines.md 5.1).
pub(super) fn install(
    live: &Live,
    applicable: &Applicable,
    before: &Inventory,
    timeout: Duration,
    out: &mut Capture,
    err: &mut Capture,
) -> Result<Installed, ScanError> {
    let system = applicable.baseline.operating_system;
    let context = scan::context(applicable);
    let plan = patch::install_plan(&applicable.baseline, before, &context)?;
    let Some(script) = script(&plan, system) else {
        let evaluation = patch::evaluate(&applicable.baseline, before, &context)?.summary();
        return Ok(Installed { evaluation, titles: BTreeSet::new() });
    };
    let exit = scan::run(live, &script, timeout, out, err, &mut |_| ())?;
    if exit != crate::sandbox::Exit::Code(0) {
        err.line(&format!("{} ended with {exit:?}", plan.manager.program()));
    }
    let after = scan::taken(live, applicable)?;
    let mut evaluation = patch::evaluate(&applicable.baseline, &after, &context)?.summary();
    for item in &mut evaluation.items {
        if item.state == State::Missing {
            change(item, &mut evaluation.counts, State::Failed);
        }
    }
    let wanted: BTreeSet<(&str, &str, &str)> = plan
        .packages
        .iter()
        .map(|package| (package.name.as_str(), package.arch.as_str(), package.to.as_str()))
        .collect();
    let present = evaluation.items.iter().filter(|item| item.state != State::Failed);
    let installed = present.filter(|item| wanted.contains(&(&item.name, &item.arch, &item.installed)));
    let titles = installed.map(|item| title(item, system)).collect();
    Ok(Installed { evaluation, titles })
}

/// The package manager's command, and what keeps rejected packages out while it runs. Nothing when nothing is missing.
fn script(plan: &InstallPlan, system: OperatingSystem) -> Option<String> {
    let arguments = plan.arguments()?;
    let mut script = "set -eu\n".to_owned();
    let pins = plan.apt_preferences();
    if !pins.is_empty() {
        let file = "/etc/apt/preferences.d/amiforge-rejected";
        // Writing to a String cannot fail.
        let _ = write!(script, "trap 'rm -f {file}' EXIT\ncat >{file} <<'END'\n{pins}END\n");
    }
    if let Some(locks) = plan.zypper_locks() {
        let add = words(&locks);
        let remove = add.replacen("'addlock'", "'removelock'", 1);
        let _ = write!(script, "trap \"zypper {remove}\" EXIT\nzypper {add}\n");
    }
    // What is offered was read at the newest release, whatever the image is locked to.
    let newest = if system == OperatingSystem::AmazonLinux2023 { "--releasever=latest " } else { "" };
    let _ = writeln!(script, "{} {newest}{}", plan.manager.program(), words(&arguments));
    Some(script)
}

/// Words for a shell. A plan has no quotes in it: what is installed are names and versions.
fn words(words: &[String]) -> String {
    words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patch::{Exclude, INSTALL_PLAN_SCHEMA, PackageManager, Planned};

    fn plan(manager: PackageManager, excludes: Vec<Exclude>) -> InstallPlan {
        let package =
            |name: &str| Planned { name: name.into(), arch: "amd64".into(), from: "1.0".into(), to: "1.1".into() };
        InstallPlan {
            schema: INSTALL_PLAN_SCHEMA.into(),
            baseline: "b".into(),
            manager,
            packages: vec![package("bash"), package("libc6")],
            excludes,
            notes: vec![],
        }
    }

    #[test]
    fn exact_versions_are_installed() {
        let apt = script(&plan(PackageManager::Apt, vec![]), OperatingSystem::Debian).unwrap();
        assert!(apt.ends_with("'bash:amd64=1.1' 'libc6:amd64=1.1'\n"), "{apt}");
        let dnf = script(&plan(PackageManager::Dnf, vec![]), OperatingSystem::AmazonLinux2023).unwrap();
        assert!(dnf.contains("dnf --releasever=latest 'upgrade' '--assumeyes' 'bash-1.1.amd64'"), "{dnf}");
        let nothing = InstallPlan { packages: vec![], ..plan(PackageManager::Apt, vec![]) };
        assert_eq!(script(&nothing, OperatingSystem::Debian), None);
    }

    #[test]
    fn what_is_rejected_is_kept_out_while_it_runs() {
        let exclude = Exclude { name: "nginx".into(), arch: "amd64".into(), version: None, entry: "nginx".into() };
        let apt = script(&plan(PackageManager::Apt, vec![exclude.clone()]), OperatingSystem::Debian).unwrap();
        assert!(
            apt.contains("Package: nginx\nPin: release *\nPin-Priority: -1\n") && apt.contains("trap 'rm -f"),
            "{apt}"
        );
        let zypper = script(&plan(PackageManager::Zypper, vec![exclude]), OperatingSystem::Suse).unwrap();
        assert!(zypper.contains("'addlock'") && zypper.contains("'removelock'"), "{zypper}");
    }
}

//! Restarts, holds and kernels: what an inventory says beside its packages.

use super::baseline::{Baseline, OperatingSystem};
use super::evaluate::Context;
use super::evaluation::Patch;
use super::glob;
use super::inventory::Inventory;
use super::outcome::State;
use super::reason::{Reason, Why};
use super::settings::PendingReboot;
use time::OffsetDateTime;

/// Marks what was installed after the last boot (patch-baselines.md 5.2). An image that was not booted has a boot before
/// it: nothing is pending.
pub(super) fn mark(patches: &mut [Patch], inventory: &Inventory, context: &Context) {
    let Some(booted_at) = inventory.reboot.booted_at else { return };
    let moment = |seconds| OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    for patch in patches.iter_mut().filter(|p| matches!(p.state, State::Installed | State::InstalledOther)) {
        let title = patch.title();
        let record = inventory.reboot.recorded.iter().find(|record| record.title == title).map(|r| r.installed_at);
        let own = patch.installed_at.filter(|_| context.settings.pending_reboot == PendingReboot::InstallTime);
        let recorded = record.filter(|at| *at > booted_at);
        if let Some(at) = recorded.or_else(|| own.filter(|at| *at > booted_at)) {
            patch.state = State::InstalledPendingReboot;
            let (installed, booted, recorded) = (moment(at), moment(booted_at), recorded.is_some());
            patch.reasons.push(Why::SinceBoot { installed, booted, recorded }.into());
        }
    }
}

/// Says of missing patches that their package is held. Whether Patch Manager honours holds is UNCONFIRMED
/// (patch-baselines.md 14.2), so the state stays as it is.
pub(super) fn name_holds(patches: &mut [Patch], inventory: &Inventory) {
    for patch in patches.iter_mut().filter(|patch| patch.state == State::Missing) {
        let holds = |name: &str| glob::matches(name, &patch.name);
        if let Some(hold) = inventory.holds.iter().find(|hold| holds(&hold.name)) {
            let why = Why::Held { by: hold.by.clone() };
            patch.reasons.push(Reason::from(why));
        }
    }
}

/// What a reader of the result has to know about the image.
pub(super) fn notes(baseline: &Baseline, inventory: &Inventory, notes: &mut Vec<String>) {
    if !inventory.holds.is_empty() {
        notes.push(format!(
            "held or locked: {}; whether Patch Manager honours that is UNCONFIRMED, so it was not looked at",
            inventory.holds.iter().map(|hold| hold.name.as_str()).collect::<Vec<_>>().join(", ")
        ));
    }
    if let (Some(true), Some(running), Some(newest)) =
        (inventory.kernel.outdated(), &inventory.kernel.running, &inventory.kernel.newest)
    {
        notes.push(format!("the kernel {running} runs and {newest} is installed: the newest one counts here, the running one for vulnerability scanners"));
    }
    let livepatch = inventory.installed.iter().any(|package| package.name.starts_with("kernel-livepatch-"));
    if livepatch {
        notes.push(
            "kernel live patches are installed: a kernel may count as installed while an older one runs".to_owned(),
        );
    }
    if inventory.reboot.required == Some(true) {
        notes.push("the system itself asks for a restart".to_owned());
    }
    let unknown = inventory.sources.iter().any(|source| source.release.is_empty());
    if baseline.operating_system == OperatingSystem::AmazonLinux2023 && unknown {
        notes.push(
            "it is not known at which release the repositories were read; Patch Manager looks at the latest one"
                .to_owned(),
        );
    }
}

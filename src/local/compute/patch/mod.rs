//! AWS-RunPatchBaseline on an instance, and what it found.
//!
//! A scan is real: the package lists are fetched anew from the instance's own sources, they and the package database are
//! read as they lie in the instance, and [`crate::patch`] evaluates the baseline that is registered for the instance. With
//! APT the lists are the instance's own, as on AWS, and are read from outside; elsewhere the collector reads them.

mod baseline;
mod describe;
mod install;
mod run;
mod scan;

pub(super) use describe::{describe_instance_patch_states, describe_instance_patches};
pub(super) use run::run;
pub(super) use scan::collected;

use crate::patch::{Counts, OperatingSystem, PatchItem, State};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Kind of [`PatchState`] documents; the id is the instance id. Only the last operation is kept, as in the service.
pub(super) const PATCH_STATE: &str = "ssm-patch-state";

/// The result of the last patch operation on an instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct PatchState {
    pub(super) instance_id: String,
    /// Empty when the instance is in none.
    pub(super) patch_group: String,
    pub(super) baseline_id: String,
    pub(super) snapshot_id: String,
    pub(super) system: OperatingSystem,
    /// `Scan` or `Install`.
    pub(super) operation: String,
    pub(super) reboot_option: String,
    /// Seconds since 1970, as the other times.
    pub(super) started: i64,
    pub(super) ended: i64,
    pub(super) counts: Counts,
    pub(super) items: Vec<PatchItem>,
    /// `name.arch:version` of what was installed without a restart since, and in which boot that was.
    pub(super) pending: BTreeSet<String>,
    pub(super) pending_boot: u32,
}

/// `Title` of a patch (patch-baselines.md 5.5): `name.arch:version`, of RPM packages always with their epoch.
pub(super) fn title(item: &PatchItem, system: OperatingSystem) -> String {
    let version = item.available.as_deref().unwrap_or(&item.installed);
    let epoch = if system.is_apt() || version.contains(':') { "" } else { "0:" };
    format!("{}:{epoch}{version}", id(item))
}

/// `KBId` of a patch on Linux.
pub(super) fn id(item: &PatchItem) -> String {
    format!("{}.{}", item.name, item.arch)
}

/// Whether an item in that state makes the instance non-compliant (patch-baselines.md 5.6).
pub(super) const fn is_open(state: State) -> bool {
    matches!(state, State::Missing | State::Failed | State::InstalledPendingReboot | State::InstalledRejected)
}

/// Changes an item's state and moves its count along.
pub(super) fn change(item: &mut PatchItem, counts: &mut Counts, state: State) {
    match item.state {
        State::Installed => counts.installed -= 1,
        State::InstalledOther => counts.installed_other -= 1,
        State::Missing => counts.missing -= 1,
        _ => return,
    }
    item.state = state;
    counts.add(state);
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// One item, for tests of record logic.
    pub(in super::super) fn item(name: &str, state: State) -> PatchItem {
        PatchItem {
            name: name.into(),
            arch: "amd64".into(),
            installed: "1.0".into(),
            available: (state == State::Missing).then(|| "1.1".into()),
            state,
            classification: "Security".into(),
            severity: "optional".into(),
            level: "UNSPECIFIED".into(),
        }
    }

    #[test]
    fn titles_name_the_version_that_is_wanted() {
        let (apt, rpm) = (OperatingSystem::Debian, OperatingSystem::AmazonLinux2023);
        assert_eq!(title(&item("bash", State::Missing), apt), "bash.amd64:1.1");
        assert_eq!(title(&item("bash", State::Installed), apt), "bash.amd64:1.0");
        assert_eq!(title(&item("bash", State::Installed), rpm), "bash.amd64:0:1.0");
        let with_epoch = PatchItem { installed: "2:9-1".into(), ..item("vim", State::Installed) };
        assert_eq!(title(&with_epoch, rpm), "vim.amd64:2:9-1");
    }

    #[test]
    fn a_changed_state_is_counted_once() {
        let mut counts = Counts { missing: 1, ..Counts::default() };
        let mut bash = item("bash", State::Missing);
        change(&mut bash, &mut counts, State::Failed);
        assert_eq!((counts.missing, counts.failed, bash.state), (0, 1, State::Failed));
    }
}

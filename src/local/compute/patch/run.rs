//! One run of AWS-RunPatchBaseline.

use super::baseline::{self, Applicable};
use super::install::install;
use super::scan::{self, ScanError};
use super::{PATCH_STATE, PatchState, change, title};
use crate::local::Local;
use crate::local::compute::command::{Capture, CommandRecord, Outcome};
use crate::local::compute::instance::{INSTANCE, InstanceRecord};
use crate::local::compute::state::Live;
use crate::local::store::{Scope, StoreError};
use crate::local::wire::ServiceError;
use crate::patch::{self, OperatingSystem, State, Summary};
use crate::sandbox::SandboxError;
use std::collections::BTreeSet;
use std::time::Duration;

/// Exit codes of patch-baselines.md 7.5.
const GENERAL_FAILURE: i32 = 1;
const BASELINE_FAILURE: i32 = 135;
const UNSUPPORTED_SYSTEM: i32 = 146;

/// The step's time limit when the caller names none.
const DEFAULT_TIMEOUT: u64 = 7_200;

/// Why a run did not get to its end.
enum Stopped {
    Service(ServiceError),
    Unsupported(String),
    Scan(ScanError),
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self::Service(error.into())
    }
}

impl From<ServiceError> for Stopped {
    fn from(error: ServiceError) -> Self {
        Self::Service(error)
    }
}

impl From<ScanError> for Stopped {
    fn from(error: ScanError) -> Self {
        Self::Scan(error)
    }
}

impl From<SandboxError> for Stopped {
    fn from(error: SandboxError) -> Self {
        Self::Scan(error.into())
    }
}

/// Scans or installs as `record` says and keeps the result. An image that is not compliant is a success of the command.
pub(in crate::local::compute) fn run(
    local: &Local,
    scope: &Scope,
    live: &Live,
    record: &CommandRecord,
    out: &mut Capture,
    err: &mut Capture,
) -> Outcome {
    match operate(local, scope, live, record, out, err) {
        Ok(()) => Outcome::Code(0),
        Err(Stopped::Scan(ScanError::TimedOut)) => Outcome::TimedOut,
        Err(Stopped::Scan(ScanError::Sandbox(SandboxError::Gone))) => {
            err.line("The instance was terminated while the command ran.");
            Outcome::Gone
        }
        Err(stopped) => {
            let (message, code) = match stopped {
                Stopped::Scan(error) => (error.to_string(), GENERAL_FAILURE),
                Stopped::Service(error) => (error.to_string(), BASELINE_FAILURE),
                Stopped::Unsupported(message) => (message, UNSUPPORTED_SYSTEM),
            };
            err.line(&format!("[ERROR]: {message}"));
            err.line(&format!("failed to run commands: exit status {code}"));
            Outcome::Code(code)
        }
    }
}

fn operate(
    local: &Local,
    scope: &Scope,
    live: &Live,
    record: &CommandRecord,
    out: &mut Capture,
    err: &mut Capture,
) -> Result<(), Stopped> {
    let started = local.config.clock.now().unix_timestamp();
    let applicable = applicable(local, scope, &record.instance_id)?;
    out.line(&format!("[INFO]: Baseline: {} ({})", applicable.baseline.name, applicable.id));
    let seconds = record.parameter("StepTimeoutSeconds").and_then(|text| text.parse().ok()).unwrap_or(DEFAULT_TIMEOUT);
    let timeout = Duration::from_secs(seconds);
    let system = applicable.baseline.operating_system;
    scan::refresh(live, &applicable, timeout, out, err)?;
    let inventory = scan::taken(live, &applicable)?;
    let operation = record.parameter("Operation").unwrap_or("Scan");
    let reboot_option = record.parameter("RebootOption").unwrap_or("RebootIfNeeded");
    let mut pending = still_pending(local, scope, live, &record.instance_id)?;
    let mut evaluation = if operation == "Install" {
        let installed = install(live, &applicable, &inventory, timeout, out, err)?;
        pending.extend(installed.titles);
        if reboot_option == "RebootIfNeeded" && !pending.is_empty() {
            out.line("[INFO]: Rebooting the instance to finish the installation");
            live.reboot()?;
            pending.clear();
        }
        installed.evaluation
    } else {
        let evaluation = patch::evaluate(&applicable.baseline, &inventory, &scan::context(&applicable));
        evaluation.map_err(ScanError::from)?.summary()
    };
    mark_pending(&mut evaluation, &pending, system);
    let state = PatchState {
        instance_id: record.instance_id.clone(),
        patch_group: applicable.patch_group,
        baseline_id: applicable.id,
        snapshot_id: record.parameter("SnapshotId").unwrap_or_default().to_owned(),
        system,
        operation: operation.to_owned(),
        reboot_option: reboot_option.to_owned(),
        started,
        ended: local.config.clock.now().unix_timestamp(),
        counts: evaluation.counts,
        items: evaluation.items,
        pending,
        pending_boot: live.boots(),
    };
    local.store.write(|tx| tx.put(scope, PATCH_STATE, &state.instance_id, &state))?;
    out.line(&summary(&state));
    Ok(())
}

fn applicable(local: &Local, scope: &Scope, instance: &str) -> Result<Applicable, Stopped> {
    let instance = local
        .store
        .read(|tx| tx.get::<InstanceRecord>(scope, INSTANCE, instance))?
        .ok_or_else(|| Stopped::Scan(SandboxError::Gone.into()))?;
    let system = OperatingSystem::of_image(&instance.os_id, &instance.os_version).ok_or_else(|| {
        let name = format!("{} {}", instance.os_id, instance.os_version);
        Stopped::Unsupported(format!(
            "Unsupported operating system: '{}'. Patch Manager has no baselines for it.",
            name.trim()
        ))
    })?;
    Ok(baseline::applicable(local, scope, &instance, system)?)
}

/// What an earlier install without a restart left pending, unless the instance was restarted since.
fn still_pending(local: &Local, scope: &Scope, live: &Live, instance: &str) -> Result<BTreeSet<String>, StoreError> {
    let last = local.store.read(|tx| tx.get::<PatchState>(scope, PATCH_STATE, instance))?;
    Ok(last.filter(|last| last.pending_boot == live.boots()).map(|last| last.pending).unwrap_or_default())
}

fn mark_pending(evaluation: &mut Summary, pending: &BTreeSet<String>, system: OperatingSystem) {
    for item in &mut evaluation.items {
        let installed = matches!(item.state, State::Installed | State::InstalledOther);
        if installed && pending.contains(&title(item, system)) {
            change(item, &mut evaluation.counts, State::InstalledPendingReboot);
        }
    }
}

/// The line of patch-baselines.md 7.6, as it is on APT systems.
fn summary(state: &PatchState) -> String {
    let counts = &state.counts;
    format!(
        "[INFO]: Operation: {} Installed count: {} Installed other count: {} Installed pending reboot count: {} \
         Installed rejected count: {} Missing count: {} Not Applicable count: {} Failed count: {}",
        state.operation,
        counts.installed,
        counts.installed_other,
        counts.installed_pending_reboot,
        counts.installed_rejected,
        counts.missing,
        counts.not_applicable,
        counts.failed
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::item;
    use super::*;
    use crate::patch::Counts;

    #[test]
    fn what_was_installed_since_the_last_boot_is_pending() {
        let items = vec![item("bash", State::Installed), item("libc6", State::Installed), item("gone", State::Missing)];
        let counts = Counts { installed: 2, missing: 1, ..Counts::default() };
        let mut evaluation = Summary { items, counts };
        mark_pending(
            &mut evaluation,
            &BTreeSet::from(["bash.amd64:1.0".to_owned(), "gone.amd64:1.1".to_owned()]),
            OperatingSystem::Debian,
        );
        assert_eq!(evaluation.items[0].state, State::InstalledPendingReboot);
        assert_eq!(evaluation.items[2].state, State::Missing);
        assert_eq!((evaluation.counts.installed, evaluation.counts.installed_pending_reboot), (1, 1));
    }
}

//! The patch scan: AWS-RunPatchBaseline with the operation Scan, and what Patch Manager then says.

use super::CollectRequest;
use super::command::{self, Command, Output};
use super::instance::Running;
use super::inventory::Packages;
use super::site::{RESULT, SCAN, Site};
use crate::clock::rfc3339;
use crate::evidence::error::EvidenceError;
use crate::evidence::model::PatchScan;
use crate::patch::{Counts, PatchItem, State};
use aws_sdk_ssm::types::{InstancePatchState, PatchComplianceData, PatchOperationType, PatchOrchestratorFilter};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use time::OffsetDateTime;

/// States that are fetched one by one; the others are thousands and compliant.
const OPEN: [State; 5] = [
    State::Missing,
    State::Failed,
    State::InstalledPendingReboot,
    State::InstalledRejected,
    State::AvailableSecurityUpdate,
];

/// Text by which a scan that "succeeded" tells that it did not see a repository (patch-baselines.md 8.3 step 6).
const REPOSITORY_ERRORS: [&str; 5] =
    ["Error:", "No more mirrors", "skip_if_unavailable", "Failed to download metadata", "Failed to fetch"];
/// How apt begins a line that tells an error.
const APT_ERROR: &str = "E: ";

/// What the service says about a scan.
pub(super) struct Scan {
    baseline: String,
    expected: String,
    baseline_id: String,
    scanned_at: String,
    counts: Counts,
    open: Vec<Open>,
}

/// A patch that is neither installed nor other.
struct Open {
    /// `name.arch`.
    id: String,
    /// `name.arch:version`.
    title: String,
    state: State,
    classification: String,
    severity: String,
}

/// Scans the instance, and believes the result only when it is this scan's, with the right baseline, of something.
pub(super) async fn run(
    site: &Site,
    request: &CollectRequest,
    instance: &Running,
    plugin: &str,
) -> Result<Scan, EvidenceError> {
    let snapshot = snapshot_id(&request.ami, site.clock.now());
    let command = Command {
        what: "the patch scan",
        document: "AWS-RunPatchBaseline",
        parameters: vec![("Operation", "Scan".to_owned()), ("SnapshotId", snapshot.clone())],
        plugin: Some(plugin),
        deadline: SCAN,
    };
    let output = command::run(site, instance, &command).await?;
    let unsound = |reason: String| EvidenceError::ScanUnsound { instance: instance.id().to_owned(), reason };
    if let Some(line) = repository_error(&output) {
        return Err(unsound(format!("a package source could not be read: {line}")));
    }
    let state = state_of(site, instance, &snapshot).await?;
    let counts = counts(&state).map_err(unsound)?;
    if counts.installed == 0 && counts.installed_other == 0 {
        return Err(unsound("it looked at no installed package".to_owned()));
    }
    let baseline = baseline_name(site, state.baseline_id()).await?;
    let expected = request.expected_baseline.clone();
    if baseline != expected {
        return Err(EvidenceError::Baseline { used: baseline, id: state.baseline_id, expected });
    }
    let open = open_patches(site, instance, &counts).await?;
    let scanned_at = OffsetDateTime::from_unix_timestamp(state.operation_end_time().secs())
        .map(rfc3339)
        .map_err(|error| unsound(error.to_string()))?;
    Ok(Scan { baseline, expected, baseline_id: state.baseline_id, scanned_at, counts, open })
}

/// A GUID for one scan of one candidate: the same for the same candidate and moment, and no other's.
fn snapshot_id(ami: &str, at: OffsetDateTime) -> String {
    let digest = Sha256::digest(format!("{ami}\n{}", at.unix_timestamp_nanos()));
    let hex = digest.iter().take(16).fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}

fn repository_error(output: &Output) -> Option<&str> {
    let mut lines = output.stdout.lines().chain(output.stderr.lines());
    lines.find(|line| line.starts_with(APT_ERROR) || REPOSITORY_ERRORS.iter().any(|mark| line.contains(mark)))
}

/// The state that carries the snapshot id: older ones belong to another scan.
async fn state_of(site: &Site, instance: &Running, snapshot: &str) -> Result<InstancePatchState, EvidenceError> {
    let mut waiting = site.within(RESULT).start();
    loop {
        let answer = site.ssm.describe_instance_patch_states().instance_ids(instance.id()).send().await;
        let answer = answer.map_err(site.fault("DescribeInstancePatchStates"))?;
        let ours = |state: &&InstancePatchState| {
            state.instance_id() == instance.id()
                && state.snapshot_id() == Some(snapshot)
                && *state.operation() == PatchOperationType::Scan
        };
        if let Some(state) = answer.instance_patch_states().iter().find(ours) {
            return Ok(state.clone());
        }
        waiting.pause().await.map_err(|timeout| EvidenceError::NoScanResult {
            snapshot: snapshot.to_owned(),
            instance: instance.id().to_owned(),
            after: timeout.after,
        })?;
    }
}

/// The counters; a negative one means that the service does not know.
fn counts(state: &InstancePatchState) -> Result<Counts, String> {
    let count = |name: &str, value: i32| u32::try_from(value).map_err(|_| format!("its {name} count is {value}"));
    Ok(Counts {
        installed: count("installed", state.installed_count())?,
        installed_other: count("installed other", state.installed_other_count())?,
        installed_pending_reboot: count("pending reboot", state.installed_pending_reboot_count().unwrap_or(0))?,
        installed_rejected: count("rejected", state.installed_rejected_count().unwrap_or(0))?,
        missing: count("missing", state.missing_count())?,
        failed: count("failed", state.failed_count())?,
        not_applicable: count("not applicable", state.not_applicable_count())?,
        available_security_update: count(
            "available security update",
            state.available_security_update_count().unwrap_or(0),
        )?,
    })
}

/// The name of a baseline, by its id. Predefined ones are addressed by ARN in some answers and by bare id in others.
async fn baseline_name(site: &Site, id: &str) -> Result<String, EvidenceError> {
    let bare = |id: &str| id.rsplit('/').next().unwrap_or(id).to_owned();
    let mut pages = site.ssm.describe_patch_baselines().max_results(100).into_paginator().send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(site.fault("DescribePatchBaselines"))?;
        let found =
            page.baseline_identities().iter().find(|known| known.baseline_id().is_some_and(|k| bare(k) == bare(id)));
        if let Some(name) = found.and_then(|known| known.baseline_name()) {
            return Ok(name.to_owned());
        }
    }
    let answer = site.ssm.get_patch_baseline().baseline_id(id).send().await.map_err(site.fault("GetPatchBaseline"))?;
    Ok(answer.name().unwrap_or_default().to_owned())
}

/// Every patch in one of the open states. The service's lists follow its counters with a delay, so they are read again
/// until both agree.
async fn open_patches(site: &Site, instance: &Running, counts: &Counts) -> Result<Vec<Open>, EvidenceError> {
    let mut waiting = site.within(RESULT).start();
    loop {
        let mut open = vec![];
        for state in OPEN {
            open.extend(patches_in(site, instance, state).await?);
        }
        let listed = |state: State| open.iter().filter(|patch| patch.state == state).count();
        let differs = OPEN.into_iter().find(|&state| u32::try_from(listed(state)) != Ok(counts.of(state)));
        let Some(state) = differs else { return Ok(open) };
        if waiting.pause().await.is_err() {
            return Err(EvidenceError::ScanUnsound {
                instance: instance.id().to_owned(),
                reason: format!("it counts {} {} and lists {}", counts.of(state), state.as_str(), listed(state)),
            });
        }
    }
}

async fn patches_in(site: &Site, instance: &Running, state: State) -> Result<Vec<Open>, EvidenceError> {
    let filter = PatchOrchestratorFilter::builder().key("State").values(state.as_str()).build();
    let call = site.ssm.describe_instance_patches().instance_id(instance.id()).filters(filter).max_results(100);
    let mut pages = call.into_paginator().send();
    let mut open = vec![];
    while let Some(page) = pages.next().await {
        for patch in page.map_err(site.fault("DescribeInstancePatches"))?.patches() {
            open.push(read(instance, patch)?);
        }
    }
    Ok(open)
}

fn read(instance: &Running, patch: &PatchComplianceData) -> Result<Open, EvidenceError> {
    let state = State::parse(patch.state().as_str()).ok_or_else(|| EvidenceError::ScanUnsound {
        instance: instance.id().to_owned(),
        reason: format!("{} is in state `{}`, which is not known", patch.title(), patch.state().as_str()),
    })?;
    Ok(Open {
        id: patch.kb_id().to_owned(),
        title: patch.title().to_owned(),
        state,
        classification: patch.classification().to_owned(),
        severity: patch.severity().to_owned(),
    })
}

impl Scan {
    /// The scan as it stands in the evidence. The service names one version per patch; what is installed tells the list
    /// of packages of the same instance.
    pub(super) fn into_patch_scan(self, packages: &Packages) -> PatchScan {
        let mut open: Vec<PatchItem> = self.open.into_iter().map(|patch| item(patch, packages)).collect();
        open.sort_by(|a, b| (&a.name, &a.arch, a.state).cmp(&(&b.name, &b.arch, b.state)));
        PatchScan {
            baseline: self.baseline,
            expected_baseline: self.expected,
            baseline_id: self.baseline_id,
            baseline_digest: None,
            scanned_at: self.scanned_at,
            counts: self.counts,
            open,
            notices: BTreeMap::new(),
        }
    }
}

fn item(patch: Open, packages: &Packages) -> PatchItem {
    // Names may have dots (`python3.11.amd64`), architectures have none.
    let (name, arch) = patch.id.rsplit_once('.').unwrap_or((&patch.id, ""));
    let version = patch.title.strip_prefix(&patch.id).and_then(|rest| rest.strip_prefix(':'));
    // Of an RPM package the service always writes the epoch, rpm itself only one that is not 0.
    let version = version.map(|version| version.strip_prefix("0:").unwrap_or(version).to_owned());
    let present = packages.iter().find(|package| package.name == name && package.arch == arch);
    let installed = match (present, patch.state) {
        (Some(package), _) => package.version.clone(),
        // Only of a missing patch the title's version is another one.
        (None, State::Missing | State::Failed) => String::new(),
        (None, _) => version.clone().unwrap_or_default(),
    };
    PatchItem {
        name: name.to_owned(),
        arch: arch.to_owned(),
        installed,
        available: version.filter(|_| matches!(patch.state, State::Missing | State::Failed)),
        state: patch.state,
        classification: patch.classification,
        severity: patch.severity,
        // `DescribeInstancePatches` does not tell the level of the rule that approved.
        level: "UNSPECIFIED".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::InstalledPackage;
    use time::macros::datetime;

    #[test]
    fn the_snapshot_id_is_a_guid_of_candidate_and_time() {
        let at = datetime!(2026-11-23 12:00 UTC);
        let id = snapshot_id("ami-1", at);
        let lengths: Vec<usize> = id.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert!(id.chars().all(|c| c == '-' || c.is_ascii_hexdigit()));
        assert_eq!(snapshot_id("ami-1", at), id);
        assert_ne!(snapshot_id("ami-2", at), id);
        assert_ne!(snapshot_id("ami-1", at + time::Duration::seconds(1)), id);
    }

    #[test]
    fn repository_errors_are_seen_in_both_outputs() {
        let seen = |stdout: &str, stderr: &str| {
            repository_error(&Output { stdout: stdout.into(), stderr: stderr.into() }).map(str::to_owned)
        };
        assert_eq!(seen("root [INFO]: Summary: {}\n", ""), None);
        assert!(seen("", "Errors during downloading metadata: Failed to download metadata for repo 'x'\n").is_some());
        assert!(seen("ok\nE: Failed to fetch http://x\n", "").is_some());
        assert_eq!(seen("NOTE: fine\n", ""), None, "apt's mark counts at the beginning of a line only");
    }

    #[test]
    fn versions_come_from_the_title_and_the_list_of_packages() {
        let packages =
            vec![InstalledPackage { name: "python3.11".into(), arch: "amd64".into(), version: "3.11.2-6".into() }];
        let open = |id: &str, title: &str, state| Open {
            id: id.into(),
            title: title.into(),
            state,
            classification: "Security".into(),
            severity: "optional".into(),
        };
        let missing = item(open("python3.11.amd64", "python3.11.amd64:3.11.2-6+deb12u9", State::Missing), &packages);
        assert_eq!((missing.name.as_str(), missing.arch.as_str()), ("python3.11", "amd64"));
        assert_eq!((missing.installed.as_str(), missing.available.as_deref()), ("3.11.2-6", Some("3.11.2-6+deb12u9")));
        let rejected = item(open("telnet.amd64", "telnet.amd64:0.17", State::InstalledRejected), &packages);
        assert_eq!((rejected.installed.as_str(), rejected.available), ("0.17", None));
        let epoch = item(open("dbus.x86_64", "dbus.x86_64:1:1.12.28-1", State::Missing), &packages);
        assert_eq!((epoch.installed.as_str(), epoch.available.as_deref()), ("", Some("1:1.12.28-1")));
    }
}

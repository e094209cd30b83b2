//! The document.

use super::found::{Hygiene, VulnerabilityScan};
use crate::patch::{Counts, PackageDiff, PatchItem};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The schema this program writes and reads.
pub const SCHEMA: &str = "amiforge.evidence/4";

/// Everything known about one candidate. The digest is the SHA-256 of its canonical JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The candidate.
    pub candidate: Candidate,
    /// When it was collected (RFC 3339, UTC).
    pub collected_at: String,
    /// The system in the image; absent when its os-release does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<System>,
    /// Packages installed on a fresh instance.
    pub packages: Vec<InstalledPackage>,
    /// Digest of the inventory that the packages are from, `sha256:` over its JSON; it lies beside the evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inventory: Option<String>,
    /// What the build changed, when the image recorded what it had before.
    pub changes: Option<PackageDiff>,
    /// The patch scan; absent when it could not be made.
    pub patches: Option<PatchScan>,
    /// What amiforge itself says of the inventory; absent when it does not know the baseline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<OwnEvaluation>,
    /// The build's tests; absent when none ran.
    pub tests: Option<TestResult>,
    /// Attributes of the image.
    pub image: ImageAttributes,
    /// The images it descends from, the nearest first, as far as the account may see them; absent when not even the
    /// parent is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ancestry: Option<Ancestry>,
    /// What its files take on a fresh instance, in KiB; absent when that was not measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_kib: Option<u64>,
    /// Vulnerability scans, one for each scanner; none when the image was not scanned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub vulnerabilities: Vec<VulnerabilityScan>,
    /// What the image carries that it should not; absent when nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hygiene: Option<Hygiene>,
    /// What became of the project's own commands, in the order in which they were run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commands: Vec<CommandOutcome>,
}

/// The system in an image, by its os-release.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct System {
    /// `ID`, for example `debian`.
    pub id: String,
    /// `VERSION_ID`; empty without.
    pub version: String,
}

/// Which image it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the names are the words of DESIGN section 2")]
pub struct Candidate {
    pub project: String,
    pub recipe: String,
    pub arch: String,
    pub account: String,
    pub region: String,
    pub ami: String,
    /// Image build version ARN; absent when an AMI was validated directly.
    pub image_arn: Option<String>,
    /// For example `1.0.3/1`.
    pub image_version: Option<String>,
    pub fingerprint: Option<String>,
    /// RFC 3339 creation time of the AMI.
    pub created_at: String,
}

/// A package in the image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, PartialOrd, Ord)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "names say it")]
pub struct InstalledPackage {
    pub name: String,
    pub arch: String,
    pub version: String,
}

/// What amiforge itself makes of baseline and inventory. Gates look at what the service says; this has the reasons.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnEvaluation {
    /// Name of the baseline.
    pub baseline: String,
    /// How many patches are in which state; absent when there is no evaluation.
    pub counts: Option<Counts>,
    /// Why each open patch is open, a sentence each.
    pub open: Vec<String>,
    /// Where the service says something else, a sentence each.
    pub differences: Vec<String>,
    /// What a reader has to know.
    pub notes: Vec<String>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// The result of AWS-RunPatchBaseline (Scan) on a fresh instance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatchScan {
    /// Name of the baseline that was applied.
    pub baseline: String,
    /// Name of the baseline the recipe asked for when the evidence was collected.
    pub expected_baseline: String,
    /// Its id.
    pub baseline_id: String,
    /// Digest of its content when the evidence was collected, where that was known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline_digest: Option<String>,
    /// When the scan ended (RFC 3339).
    pub scanned_at: String,
    /// Counts as the service reports them.
    pub counts: Counts,
    /// Every item that is not `Installed`/`InstalledOther`, with versions.
    pub open: Vec<PatchItem>,
    /// What the package sources say of open patches, by `name.arch`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub notices: BTreeMap<String, PatchNotice>,
}

/// What the package sources say of an open patch.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatchNotice {
    /// Since when there has been a newer version (RFC 3339): the date of the oldest notice that it brings. Absent when a
    /// notice has no date that can be read, or there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub released: Option<String>,
    /// Compliance level of the rule that approved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    /// CVEs that it mends.
    pub cves: Vec<String>,
}

/// What the test phase said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "names say it")]
pub struct TestResult {
    pub passed: bool,
    pub executed_steps: u32,
    pub failed_steps: u32,
    /// Steps whose condition was false, or that had nothing real to look at.
    #[serde(default)]
    pub skipped_steps: u32,
    /// What was not real where the tests ran; empty on AWS.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_real: Vec<NotReal>,
    pub message: String,
    /// The runs of test components, one for each workflow step that ran some.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cases: Vec<TestCase>,
}

/// One run of test components.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "names say it")]
pub struct TestCase {
    /// Name of the workflow step.
    pub name: String,
    pub passed: bool,
    pub executed_steps: u32,
    pub failed_steps: u32,
    pub skipped_steps: u32,
    pub message: String,
    /// What became of each step of the components; absent when that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<TestStep>>,
}

/// A step of a test component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestStep {
    /// The component, by its name in the project where it is one of the project's.
    pub component: String,
    /// Phase of the component's document.
    pub phase: String,
    /// Name of the step.
    pub step: String,
    /// What became of it.
    pub outcome: TestOutcome,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// What became of a test step. Only the first is a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TestOutcome {
    /// It ran and succeeded.
    Passed,
    /// It failed, whether that was ignored or not, or ran out of time.
    Failed,
    /// It was not run: its condition was false, or there was nothing real to look at.
    Skipped,
    /// It did not come to an end, or to one that is not known.
    Unknown,
}

/// Something that was not a machine's own where tests ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotReal {
    /// For example `kernel`.
    pub name: String,
    /// What it was instead.
    pub why: String,
}

/// Attributes of the AMI that gates look at.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageAttributes {
    /// Name.
    pub name: String,
    /// State, for example `available`.
    pub state: String,
    /// Account of the owner.
    pub owner: String,
    /// Whether its instances require version 2 of the metadata service.
    pub imds_v2: bool,
    /// Whether it has volumes, all of them encrypted.
    pub encrypted: bool,
    /// Whether everybody may launch it.
    pub public: bool,
    /// CPU architecture.
    pub architecture: String,
    /// Whether it supports ENA.
    pub ena: bool,
    /// Boot mode; absent: that of the instance type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_mode: Option<String>,
    /// Accounts that may launch it besides the owner, sorted; absent when that is not for us to see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shared_with: Option<Vec<String>>,
    /// Device of the root volume.
    pub root_device: String,
    /// Its volumes.
    pub volumes: Vec<Volume>,
}

impl ImageAttributes {
    /// The root volume.
    #[must_use]
    pub fn root(&self) -> Option<&Volume> {
        self.volumes.iter().find(|volume| volume.device == self.root_device)
    }
}

/// A volume in a block device mapping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// Device name.
    pub device: String,
    /// Size in GiB; absent when the mapping does not say.
    pub gib: Option<u32>,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// Volume type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Snapshot it is made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<String>,
}

/// The images that an image descends from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ancestry {
    /// The nearest first. What is known of one ends with its id when the account may not see it any more.
    pub images: Vec<Ancestor>,
}

/// An image that another one descends from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ancestor {
    /// AMI id.
    pub ami: String,
    /// Whether it is there and may be looked at.
    pub seen: bool,
    /// Account of the owner; empty when not seen.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// Alias of the owner, for example `amazon`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_alias: Option<String>,
    /// Name; empty when not seen.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Creation time (RFC 3339); empty when not seen.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub created_at: String,
}

/// What became of one of the project's own commands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandOutcome {
    /// Its name in the policy.
    pub name: String,
    /// Digest of what was run: program, arguments, time limit.
    pub digest: String,
    /// Exit status; absent when it did not end by itself.
    pub exit: Option<i32>,
    /// Why it has no exit status; empty when it has one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub failed: String,
    /// The last lines that it wrote.
    pub last_lines: Vec<String>,
    /// How long it took, in milliseconds.
    pub milliseconds: u64,
    /// When it ended (RFC 3339).
    pub ended_at: String,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::hygiene;
    use super::*;
    use crate::patch::State;

    /// Evidence of a candidate that passes every gate at 2026-11-23T12:00:00Z.
    pub(crate) fn evidence() -> Evidence {
        Evidence {
            schema: SCHEMA.into(),
            candidate: Candidate {
                project: "acme".into(),
                recipe: "debian-12".into(),
                arch: "x86_64".into(),
                account: "000000000000".into(),
                region: "us-east-1".into(),
                ami: "ami-0123456789abcdef0".into(),
                image_arn: Some("arn:aws:imagebuilder:us-east-1:000000000000:image/acme-debian-12/1.0.3/1".into()),
                image_version: Some("1.0.3/1".into()),
                fingerprint: Some("ab".repeat(32)),
                created_at: "2026-11-23T10:00:00Z".into(),
            },
            collected_at: "2026-11-23T11:00:00Z".into(),
            os: Some(System { id: "debian".into(), version: "12".into() }),
            packages: vec![InstalledPackage { name: "bash".into(), arch: "amd64".into(), version: "5.2-1".into() }],
            inventory: None,
            changes: None,
            evaluation: None,
            patches: Some(PatchScan {
                baseline: "AWS-DebianDefaultPatchBaseline".into(),
                expected_baseline: "AWS-DebianDefaultPatchBaseline".into(),
                baseline_id: "pb-09a5f8eb62bde80b1".into(),
                baseline_digest: None,
                scanned_at: "2026-11-23T11:00:00Z".into(),
                counts: Counts { installed: 1, not_applicable: 7, ..Counts::default() },
                open: vec![],
                notices: BTreeMap::new(),
            }),
            tests: Some(TestResult {
                passed: true,
                executed_steps: 4,
                failed_steps: 0,
                skipped_steps: 0,
                not_real: vec![],
                message: String::new(),
                cases: vec![],
            }),
            image: ImageAttributes {
                name: "acme-debian-12 1.0.3".into(),
                state: "available".into(),
                owner: "000000000000".into(),
                imds_v2: true,
                encrypted: true,
                public: false,
                architecture: "x86_64".into(),
                ena: true,
                boot_mode: Some("uefi".into()),
                shared_with: Some(vec![]),
                root_device: "/dev/xvda".into(),
                volumes: vec![Volume {
                    device: "/dev/xvda".into(),
                    gib: Some(8),
                    encrypted: true,
                    kind: Some("gp3".into()),
                    snapshot: Some("snap-0123456789abcdef0".into()),
                }],
            },
            ancestry: Some(Ancestry {
                images: vec![Ancestor {
                    ami: "ami-0aaaaaaaaaaaaaaaa".into(),
                    seen: true,
                    owner: "136693071363".into(),
                    owner_alias: None,
                    name: "debian-12-amd64-20261101-1".into(),
                    created_at: "2026-11-01T00:00:00Z".into(),
                }],
            }),
            used_kib: Some(1_000_000),
            vulnerabilities: vec![VulnerabilityScan {
                scanned_at: "2026-11-23T11:00:00Z".into(),
                source: "inspector".into(),
                ..VulnerabilityScan::default()
            }],
            hygiene: Some(Hygiene {
                version: hygiene::VERSION,
                looked_at: "2026-11-23T11:00:00Z".into(),
                rules: hygiene::RULES.iter().map(|rule| rule.name.to_owned()).collect(),
                ..Hygiene::default()
            }),
            commands: vec![],
        }
    }

    /// An item of a patch scan.
    pub(crate) fn item(name: &str, state: State) -> PatchItem {
        PatchItem {
            name: name.into(),
            arch: "amd64".into(),
            installed: "1".into(),
            available: (state == State::Missing).then(|| "2".into()),
            state,
            classification: "Security".into(),
            severity: "optional".into(),
            level: "UNSPECIFIED".into(),
        }
    }

    #[test]
    fn unknown_fields_are_refused() {
        let mut value = serde_json::to_value(evidence()).unwrap();
        assert!(serde_json::from_value::<Evidence>(value.clone()).is_ok());
        value["waived"] = true.into();
        assert!(serde_json::from_value::<Evidence>(value).is_err());
    }
}

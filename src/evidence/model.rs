//! The document.

use crate::patch::{Counts, PackageDiff, PatchItem};
use serde::{Deserialize, Serialize};

/// The schema this program writes and reads.
pub const SCHEMA: &str = "amiforge.evidence/2";

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
    /// Vulnerability scan; absent when none was made.
    pub vulnerabilities: Option<VulnerabilityScan>,
}

/// Which image it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// When the scan ended (RFC 3339).
    pub scanned_at: String,
    /// Counts as the service reports them.
    pub counts: Counts,
    /// Every item that is not `Installed`/`InstalledOther`, with versions.
    pub open: Vec<PatchItem>,
}

/// What the test phase said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "names say it")]
pub struct ImageAttributes {
    pub name: String,
    pub state: String,
    pub imds_v2: bool,
    pub encrypted: bool,
    pub public: bool,
    pub architecture: String,
}

/// Findings of a vulnerability scan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "names say it")]
pub struct VulnerabilityScan {
    pub scanned_at: String,
    pub findings: Vec<Finding>,
}

/// One vulnerability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "names say it")]
pub struct Finding {
    pub id: String,
    pub severity: String,
    pub package: String,
    pub fixed_in: Option<String>,
}

#[cfg(test)]
pub(crate) mod tests {
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
            packages: vec![InstalledPackage { name: "bash".into(), arch: "amd64".into(), version: "5.2-1".into() }],
            inventory: None,
            changes: None,
            evaluation: None,
            patches: Some(PatchScan {
                baseline: "AWS-DebianDefaultPatchBaseline".into(),
                expected_baseline: "AWS-DebianDefaultPatchBaseline".into(),
                baseline_id: "pb-09a5f8eb62bde80b1".into(),
                scanned_at: "2026-11-23T11:00:00Z".into(),
                counts: Counts { installed: 1, not_applicable: 7, ..Counts::default() },
                open: vec![],
            }),
            tests: Some(TestResult {
                passed: true,
                executed_steps: 4,
                failed_steps: 0,
                skipped_steps: 0,
                not_real: vec![],
                message: String::new(),
            }),
            image: ImageAttributes {
                name: "acme-debian-12 1.0.3".into(),
                state: "available".into(),
                imds_v2: true,
                encrypted: true,
                public: false,
                architecture: "x86_64".into(),
            },
            vulnerabilities: Some(VulnerabilityScan { scanned_at: "2026-11-23T11:00:00Z".into(), findings: vec![] }),
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

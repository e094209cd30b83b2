//! What was found on an image: vulnerabilities, and what it carries and should not.

use serde::{Deserialize, Serialize};

/// What one scanner says of the image.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VulnerabilityScan {
    /// The scanner, in the word that a policy names it by: `image-builder`, `ec2` or `inspector`.
    pub source: String,
    /// When it ended (RFC 3339); empty when it failed.
    pub scanned_at: String,
    /// Why it came to nothing. Then it says nothing about the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// One vulnerability, in one package where the scanner names it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// CVE id, or that of the scanner.
    pub id: String,
    /// Severity in the scanner's word.
    pub severity: String,
    /// What else the scanner calls it, where that says more than the id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Name of the package; empty when the scanner does not name it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub package: String,
    /// Version that is installed; absent when the scanner does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Whether there is a version without it.
    #[serde(default)]
    pub fix: Fix,
    /// First version without it, where the scanner names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed_in: Option<String>,
    /// Files that it is in, as far as the scanner names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// When the scanner saw it first (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<String>,
}

impl Finding {
    /// Whether it can be mended, as far as is known: what is not known counts against the image.
    #[must_use]
    pub fn may_be_fixed(&self) -> bool {
        self.fixed_in.is_some() || self.fix != Fix::None
    }
}

/// Whether there is a version without a vulnerability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Fix {
    /// The scanner does not say.
    #[default]
    Unknown,
    /// There is none yet.
    None,
    /// There is one, named or not.
    Available,
}

/// What an image carries that it should not: shared identities, secrets, open doors, leftovers. Looked for on a fresh instance,
/// before anything else was done there; what the instance made of itself when it booted does not count.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hygiene {
    /// Version of the rules.
    pub version: u32,
    /// When it was looked (RFC 3339).
    pub looked_at: String,
    /// The rules that were looked at to their end.
    pub rules: Vec<String>,
    /// Those that were not, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<FailedRule>,
    /// What was found.
    pub findings: Vec<HygieneFinding>,
}

/// A rule of hygiene that could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailedRule {
    /// Its name.
    pub rule: String,
    /// Why.
    pub why: String,
}

/// Something that an image should not carry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HygieneFinding {
    /// Name of the rule.
    pub rule: String,
    /// `high`, `medium` or `low`.
    pub severity: String,
    /// What it is about: a file or folder, or a user.
    pub path: String,
    /// Why it should not be there.
    pub why: String,
}

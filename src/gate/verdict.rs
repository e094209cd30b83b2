//! What a gate says.

use serde::{Deserialize, Serialize};

/// How a gate decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VerdictStatus {
    /// The policy holds.
    Pass,
    /// The policy does not hold.
    Fail,
    /// It does not hold, and a waiver accepts that.
    Waived,
    /// Nothing can be said: something was not looked at, or cannot be understood.
    Error,
    /// What was looked at is too old.
    Stale,
}

impl VerdictStatus {
    /// Whether a candidate with this verdict may go on.
    #[must_use]
    pub const fn approves(self) -> bool {
        matches!(self, Self::Pass | Self::Waived)
    }

    /// The word shown to users and written to JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Waived => "waived",
            Self::Error => "error",
            Self::Stale => "stale",
        }
    }
}

/// The verdict of one gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The gate's name in the policy, for example `patches`.
    pub gate: String,
    /// How it decided.
    pub status: VerdictStatus,
    /// One sentence: what was found.
    pub summary: String,
    /// What it looked at, one line each: findings first, then where they come from and what to do.
    pub details: Vec<String>,
    /// What speaks against the image, whether that is too much or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Found>,
}

/// One thing that speaks against an image.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Found {
    /// What a waiver names: a CVE id, the name of a patch or of a package, the name of a rule.
    pub id: String,
    /// The package it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<String>,
    /// The version that is meant: of a missing patch the one that is missing, else the one that is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// One line for people.
    pub what: String,
    /// The waiver that accepts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waived: Option<WaivedBy>,
    /// No waiver can accept it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fixed: bool,
}

/// The waiver that accepts a finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaivedBy {
    /// Where it stands.
    pub place: String,
    /// Who answers for it.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// The last day on which it counts.
    pub expires: String,
}

impl Found {
    pub(super) fn new(id: impl Into<String>, what: impl Into<String>) -> Self {
        Self { id: id.into(), what: what.into(), ..Self::default() }
    }

    pub(super) fn in_package(mut self, package: &str, version: Option<&str>) -> Self {
        self.package = Some(package.to_owned());
        self.version = version.filter(|version| !version.is_empty()).map(str::to_owned);
        self
    }

    /// The line, with the waiver if there is one.
    pub(super) fn line(&self) -> String {
        match &self.waived {
            Some(by) => {
                format!("waived until {} by {} ({}): {}; {}", by.expires, by.owner, by.place, by.reason, self.what)
            }
            None => self.what.clone(),
        }
    }
}

impl Verdict {
    pub(super) fn new(gate: &str, status: VerdictStatus, summary: impl Into<String>) -> Self {
        Self { gate: gate.to_owned(), status, summary: summary.into(), details: vec![], findings: vec![] }
    }

    pub(super) fn error(gate: &str, summary: impl Into<String>) -> Self {
        Self::new(gate, VerdictStatus::Error, summary)
    }

    pub(super) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.details.push(detail.into());
        self
    }
}

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
    /// The gate's name in the policy: `patches`, `vulnerabilities`, `image`, `tests` or `age`.
    pub gate: String,
    /// How it decided.
    pub status: VerdictStatus,
    /// One sentence: what was found.
    pub summary: String,
    /// What it looked at, one line each: findings first, then where they come from and what to do.
    pub details: Vec<String>,
}

impl Verdict {
    pub(super) fn new(gate: &str, status: VerdictStatus, summary: impl Into<String>) -> Self {
        Self { gate: gate.to_owned(), status, summary: summary.into(), details: vec![] }
    }

    pub(super) fn error(gate: &str, summary: impl Into<String>) -> Self {
        Self::new(gate, VerdictStatus::Error, summary)
    }

    pub(super) fn detail(mut self, detail: impl Into<String>) -> Self {
        self.details.push(detail.into());
        self
    }
}

//! What checks find.

use crate::access::Policy;
use crate::aws::CallError;
use serde::Serialize;

/// Schema of [`Report`] as JSON.
pub const SCHEMA: &str = "amiforge.doctor/1";

/// How it stands, from best to worst. What is not known is worse than what may go wrong, and better than what does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// It works, or will for some; a person should look at it.
    Warning,
    /// Nobody could look, so it is not ok.
    Unknown,
    /// It will fail.
    Problem,
}

impl Status {
    /// The word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Unknown => "unknown",
            Self::Problem => "problem",
        }
    }
}

/// One thing that a check has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How it stands.
    pub status: Status,
    /// What was seen.
    pub what: String,
    /// Why that matters, or why it is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What to do: a command where there is one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub next: Vec<String>,
    /// The allowance that is missing, to be added as it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// It is about credentials or a permission.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub denied: bool,
}

impl Finding {
    fn new(status: Status, what: impl Into<String>) -> Self {
        Self { status, what: what.into(), why: None, next: vec![], policy: None, denied: false }
    }

    /// As it should be.
    pub fn ok(what: impl Into<String>) -> Self {
        Self::new(Status::Ok, what)
    }

    /// Something to look at.
    pub fn warning(what: impl Into<String>) -> Self {
        Self::new(Status::Warning, what)
    }

    /// Something that will fail.
    pub fn problem(what: impl Into<String>) -> Self {
        Self::new(Status::Problem, what)
    }

    /// Something that could not be looked at.
    pub fn unknown(what: impl Into<String>) -> Self {
        Self::new(Status::Unknown, what)
    }

    /// Says why.
    #[must_use]
    pub fn why(self, why: impl Into<String>) -> Self {
        Self { why: Some(why.into()), ..self }
    }

    /// Adds something to do.
    #[must_use]
    pub fn next(mut self, next: impl Into<String>) -> Self {
        self.next.push(next.into());
        self
    }

    /// Names the allowance that is missing.
    #[must_use]
    pub fn allow(self, policy: Policy) -> Self {
        let policy = Some(policy).filter(|policy| !policy.statement.is_empty());
        Self { policy, denied: true, ..self }
    }

    /// Marks it as a matter of credentials or permissions.
    #[must_use]
    pub fn denied(self) -> Self {
        Self { denied: true, ..self }
    }

    /// Takes over what a failed call says of itself.
    #[must_use]
    pub fn of_call(mut self, error: &CallError) -> Self {
        self.next.extend(error.next());
        self.denied |= error.fault.denied;
        self
    }
}

/// What one check has found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// The check's id.
    pub id: &'static str,
    /// What it looked at.
    pub title: &'static str,
    /// The worst of its findings; unknown when it found nothing at all.
    pub status: Status,
    /// Its findings.
    pub findings: Vec<Finding>,
}

impl CheckReport {
    pub(super) fn new(id: &'static str, title: &'static str, mut findings: Vec<Finding>) -> Self {
        if findings.is_empty() {
            findings.push(Finding::unknown("the check has found nothing to look at"));
        }
        let status = findings.iter().map(|finding| finding.status).max().unwrap_or(Status::Unknown);
        Self { id, title, status, findings }
    }
}

/// What all checks have found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    schema: &'static str,
    /// Project name.
    pub project: String,
    /// Environment name.
    pub environment: String,
    /// The worst of all.
    pub status: Status,
    /// In the order of the checks.
    pub checks: Vec<CheckReport>,
}

impl Report {
    pub(super) fn new(project: String, environment: String, checks: Vec<CheckReport>) -> Self {
        let status = checks.iter().map(|check| check.status).max().unwrap_or(Status::Unknown);
        Self { schema: SCHEMA, project, environment, status, checks }
    }

    /// How often a status occurs among the checks.
    #[must_use]
    pub fn count(&self, status: Status) -> usize {
        self.checks.iter().filter(|check| check.status == status).count()
    }

    /// The exit code of DESIGN section 9: 0 when all is ok, warnings included; 12 when credentials or permissions are
    /// missing, as far as that made a problem or kept something unknown; 2 for another problem; 1 when something is unknown.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let mut bad = self.checks.iter().flat_map(|check| &check.findings).filter(|one| one.status > Status::Warning);
        match self.status {
            Status::Ok | Status::Warning => 0,
            _ if bad.any(|finding| finding.denied) => 12,
            Status::Problem => 2,
            Status::Unknown => 1,
        }
    }
}

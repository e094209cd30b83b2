//! Verbs of the command line that call AWS.

/// A verb that calls AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the verbs of the command line")]
pub enum Verb {
    Plan,
    Publish,
    Build,
    Validate,
    Verify,
    Promote,
    Rollback,
    Revoke,
    Restore,
    Resolve,
    Channels,
    History,
    Releases,
    Diff,
    Drift,
    Repair,
    Run,
    Logs,
    Why,
    Baseline,
    Doctor,
    Import,
    Status,
    Watch,
    Approve,
    /// `component run` and `component validate` of documents outside: not in an environment, so only on request.
    Component,
}

impl Verb {
    /// Those that work in an environment: what a policy covers when no verb is named.
    pub const ENVIRONMENT: [Self; 25] = [
        Self::Plan,
        Self::Publish,
        Self::Build,
        Self::Validate,
        Self::Verify,
        Self::Promote,
        Self::Rollback,
        Self::Revoke,
        Self::Restore,
        Self::Resolve,
        Self::Channels,
        Self::History,
        Self::Releases,
        Self::Diff,
        Self::Drift,
        Self::Repair,
        Self::Run,
        Self::Logs,
        Self::Why,
        Self::Baseline,
        Self::Doctor,
        Self::Import,
        Self::Status,
        Self::Watch,
        Self::Approve,
    ];

    /// As on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Publish => "publish",
            Self::Build => "build",
            Self::Validate => "validate",
            Self::Verify => "verify",
            Self::Promote => "promote",
            Self::Rollback => "rollback",
            Self::Revoke => "revoke",
            Self::Restore => "restore",
            Self::Resolve => "resolve",
            Self::Channels => "channels",
            Self::History => "history",
            Self::Releases => "releases",
            Self::Diff => "diff",
            Self::Drift => "drift",
            Self::Repair => "repair",
            Self::Run => "run",
            Self::Logs => "logs",
            Self::Why => "why",
            Self::Baseline => "baseline",
            Self::Doctor => "doctor",
            Self::Import => "import",
            Self::Status => "status",
            Self::Watch => "watch",
            Self::Approve => "approve",
            Self::Component => "component",
        }
    }
}

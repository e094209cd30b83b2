//! Groups as they are, and what becomes of them.

use super::configuration::Launch;
use super::note::{Note, Tracks};
use crate::project::Location;
use serde::Serialize;
use std::collections::BTreeMap;

/// Which groups are to be refreshed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// All that use the launch template.
    All,
    /// These.
    Named(Vec<String>),
}

impl Wanted {
    /// Whether a group is among them.
    pub(super) fn has(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.iter().any(|one| one == name),
        }
    }
}

/// The launch template of a target, and the version its groups are brought to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) place: Location,
    pub(super) template: String,
    /// Absent: there is no such template yet.
    pub(super) template_id: Option<String>,
    /// The version; absent: one that is yet to be made.
    pub(super) to: Option<i64>,
    /// Its image; absent as above.
    pub(super) ami: Option<String>,
    /// The default version before.
    pub(super) previous: Option<i64>,
    /// What is known of versions of the template.
    pub(super) versions: BTreeMap<i64, Version>,
}

/// What of a version matters here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Version {
    /// An AMI id, or `resolve:ssm:…`.
    pub(super) image: Option<String>,
    /// Whether it chooses instance types by attributes.
    pub(super) by_attributes: bool,
}

/// An Auto Scaling group as it is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) launch: Launch,
    pub(super) instances: Vec<Instance>,
    pub(super) note: Option<Note>,
    /// The refresh that is under way.
    pub(super) active: Option<Active>,
}

/// An instance of a group that is not about to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Instance {
    pub(super) id: String,
    /// Id of its launch template, and the version's number.
    pub(super) from: Option<(String, i64)>,
}

/// A refresh that is under way.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Active {
    pub(super) id: String,
    pub(super) status: String,
    /// What it brings the group to.
    pub(super) desired: Launch,
}

/// What is to be done with a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Work {
    /// It cannot be refreshed.
    Cannot(String),
    /// Another refresh is under way.
    Busy(String),
    /// It runs the release, and is configured as it was.
    Nothing,
    /// It runs the release; only its configuration is to be put right.
    Settle,
    /// A refresh to the same version is under way.
    Join(String),
    /// One is started.
    Start {
        /// The number that it is pinned to first, because it tracks.
        pin: Option<i64>,
    },
}

/// A group and what is to be done with it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Planned {
    pub(super) group: Group,
    /// The version that it runs; absent when that is not known.
    pub(super) from: Option<i64>,
    /// What it tracks in the end; empty: numbers.
    pub(super) tracks: Tracks,
    pub(super) work: Work,
}

/// What became of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Its instances run the release.
    Refreshed,
    /// They did before.
    Unchanged,
    /// They did before, and its configuration was put right.
    Settled,
    /// It cannot be refreshed.
    Cannot,
    /// Another refresh is under way.
    Busy,
    /// The refresh failed, or a call did.
    Failed,
    /// The refresh failed, and the group is on its old version again.
    RolledBack,
    /// Somebody has cancelled the refresh.
    Cancelled,
    /// The refresh still runs.
    TimedOut,
    /// Not begun, because another target failed.
    LeftAlone,
}

impl Outcome {
    /// In one or two words.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Refreshed => "refreshed",
            Self::Unchanged => "unchanged",
            Self::Settled => "settled",
            Self::Cannot => "cannot be refreshed",
            Self::Busy => "busy",
            Self::Failed => "failed",
            Self::RolledBack => "rolled back",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "still running",
            Self::LeftAlone => "left alone",
        }
    }

    /// Whether the group runs the release now.
    #[must_use]
    pub const fn is_done(self) -> bool {
        matches!(self, Self::Refreshed | Self::Unchanged | Self::Settled)
    }

    /// Whether the targets behind it are left alone: it is not known to be good there, and something was tried.
    pub(super) const fn stops(self) -> bool {
        !self.is_done() && !matches!(self, Self::Cannot)
    }
}

/// A group, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "names say it")]
pub struct Refreshed {
    pub account: String,
    pub region: String,
    pub group: String,
    pub outcome: Outcome,
    /// Id of the instance refresh.
    pub refresh: Option<String>,
    /// The version it ran before; absent when that is not known.
    pub from: Option<i64>,
    /// The version it was to run.
    pub to: Option<i64>,
    /// Instances of the refresh that were replaced, as far as it is known.
    pub percent: Option<i32>,
    /// What the group launches from now: `$Default`, `$Latest` or a number.
    pub launches: Option<String>,
    /// Why it is not done, in the service's words where it has some.
    pub reason: Option<String>,
    /// Whether credentials or permissions are missing.
    #[serde(skip)]
    pub denied: bool,
}

impl Refreshed {
    pub(super) fn new(place: &Location, group: &str, outcome: Outcome) -> Self {
        Self {
            account: place.account.clone(),
            region: place.region.clone(),
            group: group.to_owned(),
            outcome,
            refresh: None,
            from: None,
            to: None,
            percent: None,
            launches: None,
            reason: None,
            denied: false,
        }
    }

    pub(super) fn because(self, reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..self }
    }

    /// DESIGN section 9.
    pub(super) fn exit_code(&self) -> u8 {
        match self.outcome {
            outcome if outcome.is_done() => 0,
            Outcome::Failed if self.denied => 12,
            Outcome::Busy => 11,
            Outcome::TimedOut => 13,
            _ => 9,
        }
    }
}

/// What would become of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "names say it")]
pub struct Preview {
    pub account: String,
    pub region: String,
    pub group: String,
    pub instances: usize,
    /// What it launches from now: `$Default`, `$Latest` or a number.
    pub launches: String,
    /// The version it runs; absent when that is not known.
    pub from: Option<i64>,
    /// Whether it would be refreshed.
    pub refreshes: bool,
    /// What would be done with it, or why nothing would.
    pub what: String,
}

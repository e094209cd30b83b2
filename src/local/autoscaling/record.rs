//! Groups, their instances and their refreshes in the store.

use super::super::store::{Scope, StoreError, Transaction};
use super::super::wire::ServiceError;
use super::launch::Launch;
use super::preferences::Preferences;
use super::refused;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use time::OffsetDateTime;

/// Kind of [`Group`] documents; the id is the name.
const GROUP: &str = "autoscaling-group";
/// Kind of [`Refresh`] documents; the id is `GROUP:START:ID`. A colon cannot be part of a group's name.
const REFRESH: &str = "autoscaling-refresh";

/// An Auto Scaling group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) arn: String,
    pub(super) launch: Launch,
    pub(super) min: u32,
    pub(super) max: u32,
    pub(super) desired: u32,
    pub(super) cooldown: u32,
    pub(super) zones: Vec<String>,
    pub(super) subnets: Option<String>,
    pub(super) health_check: String,
    /// Seconds.
    pub(super) grace: u32,
    /// Seconds; absent: not set.
    pub(super) warmup: Option<u32>,
    pub(super) protects_new: bool,
    /// Value, and whether instances get it too.
    pub(super) tags: BTreeMap<String, (String, bool)>,
    pub(super) members: Vec<Member>,
    #[serde(with = "time::serde::rfc3339")]
    pub(super) created_at: OffsetDateTime,
}

/// An instance of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Member {
    pub(super) id: String,
    pub(super) template: String,
    pub(super) template_name: String,
    pub(super) version: u64,
    pub(super) image: String,
    pub(super) instance_type: String,
    pub(super) zone: String,
    /// From then on it is in service.
    #[serde(with = "time::serde::rfc3339")]
    pub(super) ready: OffsetDateTime,
}

/// An instance refresh.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Refresh {
    pub(super) id: String,
    pub(super) group: String,
    pub(super) status: Status,
    pub(super) reason: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    pub(super) started: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub(super) ended: Option<OffsetDateTime>,
    /// What the group becomes when it succeeds; absent: what it is.
    pub(super) desired: Option<Launch>,
    /// What the group was.
    pub(super) before: Launch,
    pub(super) preferences: Preferences,
    /// Instances to update when it began, those done since, and those that are left.
    pub(super) total: u32,
    pub(super) updated: u32,
    pub(super) left: Vec<String>,
    /// Instances that it has launched.
    pub(super) made: Vec<String>,
    /// What it waits for.
    pub(super) phase: Phase,
    /// Until when.
    #[serde(with = "time::serde::rfc3339")]
    pub(super) due: OffsetDateTime,
    pub(super) rollback: Option<Rollback>,
    /// It is to fail at its first batch, for this reason.
    pub(super) doomed: Option<String>,
}

/// How a refresh was rolled back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rollback {
    pub(super) reason: String,
    #[serde(with = "time::serde::rfc3339")]
    pub(super) started: OffsetDateTime,
    pub(super) percent: u32,
    pub(super) left: u32,
}

/// Statuses as the service names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Status {
    Pending,
    InProgress,
    Baking,
    Successful,
    Failed,
    Cancelling,
    Cancelled,
    RollbackInProgress,
    RollbackFailed,
    RollbackSuccessful,
}

impl Status {
    /// Whether it goes on.
    pub(super) const fn is_active(self) -> bool {
        matches!(self, Self::Pending | Self::InProgress | Self::Baking | Self::Cancelling | Self::RollbackInProgress)
    }

    /// Whether it goes forward.
    pub(super) const fn is_forward(self) -> bool {
        matches!(self, Self::Pending | Self::InProgress | Self::Baking)
    }
}

/// What a refresh waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Phase {
    /// To begin.
    Begin,
    /// For so many instances to be launched and warm.
    Batch(u32),
    /// The time of a checkpoint.
    Checkpoint,
    /// The bake time.
    Bake,
    /// For an hour, because nothing can be launched.
    Stalled,
    /// For the instances of a cancelled batch.
    Cancel,
}

impl Group {
    /// The group of that name.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn of(tx: &Transaction<'_>, scope: &Scope, name: &str) -> Result<Self, ServiceError> {
        let missing = || refused(format!("AutoScalingGroup name not found - AutoScalingGroup '{name}' not found"));
        Self::find(tx, scope, name)?.ok_or_else(missing)
    }

    pub(super) fn find(tx: &Transaction<'_>, scope: &Scope, name: &str) -> Result<Option<Self>, StoreError> {
        tx.get(scope, GROUP, name)
    }

    pub(super) fn all(tx: &Transaction<'_>, scope: &Scope) -> Result<Vec<Self>, StoreError> {
        Ok(tx.list(scope, GROUP, "")?.into_iter().map(|(_, group)| group).collect())
    }

    pub(super) fn put(&self, tx: &Transaction<'_>, scope: &Scope) -> Result<(), StoreError> {
        tx.put(scope, GROUP, &self.name, self)
    }

    /// Removes it with the history of its refreshes.
    pub(super) fn delete(&self, tx: &Transaction<'_>, scope: &Scope) -> Result<(), StoreError> {
        for refresh in Refresh::all(tx, scope, &self.name)? {
            tx.delete(scope, REFRESH, &refresh.key())?;
        }
        tx.delete(scope, GROUP, &self.name).map(drop)
    }
}

impl Refresh {
    /// Those of a group, oldest first.
    pub(super) fn all(tx: &Transaction<'_>, scope: &Scope, group: &str) -> Result<Vec<Self>, StoreError> {
        let all = tx.list(scope, REFRESH, &format!("{group}:"))?;
        Ok(all.into_iter().map(|(_, refresh)| refresh).collect())
    }

    /// The one that goes on, if one does.
    pub(super) fn active(tx: &Transaction<'_>, scope: &Scope, group: &str) -> Result<Option<Self>, StoreError> {
        Ok(Self::all(tx, scope, group)?.into_iter().rev().find(|refresh| refresh.status.is_active()))
    }

    pub(super) fn put(&self, tx: &Transaction<'_>, scope: &Scope) -> Result<(), StoreError> {
        tx.put(scope, REFRESH, &self.key(), self)
    }

    fn key(&self) -> String {
        format!("{}:{:020}:{}", self.group, self.micros(), self.id)
    }

    /// Its start, in microseconds since 1970.
    pub(super) fn micros(&self) -> i128 {
        self.started.unix_timestamp_nanos() / 1000
    }

    /// How much of it is done.
    pub(super) fn percent(&self) -> u32 {
        (100 * self.updated).checked_div(self.total).unwrap_or(100)
    }
}

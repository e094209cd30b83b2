//! An account's own patch baselines in the store, and which baseline is the default.

use super::super::store::{Scope, StoreError, Transaction};
use super::epoch;
use super::owned_baselines::{self, Owned};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use time::OffsetDateTime;

/// Kind of [`Baseline`] documents; the id is `pb-…`.
const KIND: &str = "ssm-patch-baseline";
/// Kind of the registered defaults; the id is the operating system, the document the baseline's id.
const DEFAULT: &str = "ssm-default-patch-baseline";
/// Kind of [`Registration`] documents.
const GROUP: &str = "ssm-patch-group";

/// A baseline of an account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Baseline {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) os: String,
    /// The other members of `GetPatchBaseline`.
    pub(super) body: Value,
    pub(super) tags: BTreeMap<String, String>,
    #[serde(with = "time::serde::rfc3339")]
    pub(super) created_at: OffsetDateTime,
    /// Absent when it was never updated.
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub(super) modified_at: Option<OffsetDateTime>,
}

impl Baseline {
    /// The account's baseline of that id or ARN.
    pub(super) fn own(tx: &Transaction<'_>, scope: &Scope, id: &str) -> Result<Option<Self>, StoreError> {
        let prefix = format!("arn:aws:ssm:{}:{}:patchbaseline/", scope.region, scope.account);
        tx.get(scope, KIND, id.strip_prefix(prefix.as_str()).unwrap_or(id))
    }

    /// All of the account's baselines, by id.
    pub(super) fn all(tx: &Transaction<'_>, scope: &Scope) -> Result<Vec<Self>, StoreError> {
        Ok(tx.list(scope, KIND, "")?.into_iter().map(|(_, baseline)| baseline).collect())
    }

    /// Writes it.
    pub(super) fn put(&self, tx: &Transaction<'_>, scope: &Scope) -> Result<(), StoreError> {
        tx.put(scope, KIND, &self.id, self)
    }

    /// Removes it.
    pub(super) fn delete(&self, tx: &Transaction<'_>, scope: &Scope) -> Result<(), StoreError> {
        tx.delete(scope, KIND, &self.id)?;
        Ok(())
    }
}

/// A baseline of either origin.
pub(super) enum Found {
    /// AWS's.
    Owned(Owned),
    /// The account's.
    Own(Baseline),
}

impl Found {
    /// The baseline of that id (the account's) or ARN.
    pub(super) fn by_id(tx: &Transaction<'_>, scope: &Scope, id: &str) -> Result<Option<Self>, StoreError> {
        if let Some(owned) = owned_baselines::by_arn(id, &scope.region) {
            return Ok(Some(Self::Owned(owned)));
        }
        Ok(Baseline::own(tx, scope, id)?.map(Self::Own))
    }

    /// The default of an operating system; none for a system that has no baseline.
    pub(super) fn default_for(tx: &Transaction<'_>, scope: &Scope, os: &str) -> Result<Option<Self>, StoreError> {
        let registered: Option<String> = tx.get(scope, DEFAULT, os)?;
        match registered {
            Some(id) => Self::by_id(tx, scope, &id),
            None => Ok(owned_baselines::default_for(os).map(Self::Owned)),
        }
    }

    /// Makes it the default of its operating system.
    pub(super) fn register(&self, tx: &Transaction<'_>, scope: &Scope) -> Result<(), StoreError> {
        tx.put(scope, DEFAULT, self.os(), &self.id(scope))
    }

    /// Its id in answers: an ARN if it is AWS's.
    pub(super) fn id(&self, scope: &Scope) -> String {
        match self {
            Self::Owned(owned) => owned.arn(&scope.region),
            Self::Own(baseline) => baseline.id.clone(),
        }
    }

    /// Name.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Owned(owned) => owned.name(),
            Self::Own(baseline) => &baseline.name,
        }
    }

    /// Operating system.
    pub(super) fn os(&self) -> &str {
        match self {
            Self::Owned(owned) => owned.os(),
            Self::Own(baseline) => &baseline.os,
        }
    }

    /// Description.
    pub(super) fn description(&self) -> String {
        match self {
            Self::Owned(owned) => owned.description(),
            Self::Own(baseline) => baseline.body["Description"].as_str().unwrap_or_default().to_owned(),
        }
    }

    /// `PatchBaselineIdentity`, as lists answer it.
    pub(super) fn identity(&self, tx: &Transaction<'_>, scope: &Scope) -> Result<Value, StoreError> {
        let default = Self::default_for(tx, scope, self.os())?;
        let id = self.id(scope);
        Ok(super::super::input::compact(json!({
            "BaselineId": id,
            "BaselineName": self.name(),
            "OperatingSystem": self.os(),
            "BaselineDescription": self.description(),
            "DefaultBaseline": default.is_some_and(|default| default.id(scope) == id),
        })))
    }

    /// As `GetPatchBaseline` answers it.
    pub(super) fn render(&self, tx: &Transaction<'_>, scope: &Scope) -> Result<Value, StoreError> {
        let (mut answer, created, modified) = match self {
            // AWS's baselines are older than any state of the local environment.
            Self::Owned(owned) => (owned.body(), OffsetDateTime::UNIX_EPOCH, None),
            Self::Own(baseline) => (baseline.body.clone(), baseline.created_at, baseline.modified_at),
        };
        let id = self.id(scope);
        answer["PatchGroups"] = json!(Registration::of(tx, scope, &id)?);
        answer["BaselineId"] = json!(id);
        answer["Name"] = json!(self.name());
        answer["OperatingSystem"] = json!(self.os());
        answer["CreatedDate"] = epoch(created);
        answer["ModifiedDate"] = epoch(modified.unwrap_or(created));
        Ok(super::super::input::compact(answer))
    }
}

/// A patch group with the baseline that is registered for it; the id is operating system and group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Registration {
    pub(super) group: String,
    pub(super) os: String,
    /// The baseline's id, as answers have it.
    pub(super) baseline: String,
}

impl Registration {
    /// What is registered for a group and an operating system.
    pub(super) fn get(tx: &Transaction<'_>, scope: &Scope, os: &str, group: &str) -> Result<Option<Self>, StoreError> {
        tx.get(scope, GROUP, &format!("{os}/{group}"))
    }

    /// All of them, by operating system and group.
    pub(super) fn all(tx: &Transaction<'_>, scope: &Scope) -> Result<Vec<Self>, StoreError> {
        Ok(tx.list(scope, GROUP, "")?.into_iter().map(|(_, registration)| registration).collect())
    }

    /// The groups of a baseline.
    pub(super) fn of(tx: &Transaction<'_>, scope: &Scope, baseline: &str) -> Result<Vec<String>, StoreError> {
        let all = Self::all(tx, scope)?.into_iter();
        Ok(all
            .filter(|registration| registration.baseline == baseline)
            .map(|registration| registration.group)
            .collect())
    }

    /// Writes it.
    pub(super) fn put(&self, tx: &Transaction<'_>, scope: &Scope) -> Result<(), StoreError> {
        tx.put(scope, GROUP, &format!("{}/{}", self.os, self.group), self)
    }

    /// Removes it.
    pub(super) fn delete(&self, tx: &Transaction<'_>, scope: &Scope) -> Result<(), StoreError> {
        tx.delete(scope, GROUP, &format!("{}/{}", self.os, self.group))?;
        Ok(())
    }
}

/// The baseline that a patch scan of `os` uses, in the form of `GetPatchBaseline`'s answer; none for a system that has no
/// baseline.
///
/// # Errors
/// A database error.
pub(crate) fn default_baseline(tx: &Transaction<'_>, scope: &Scope, os: &str) -> Result<Option<Value>, StoreError> {
    Found::default_for(tx, scope, os)?.map(|found| found.render(tx, scope)).transpose()
}

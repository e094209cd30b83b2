//! Parameters of the data type `aws:ec2:image`, whose value is checked after the call: it takes effect when it is found to name
//! an AMI that can be launched, and never when it is not. How long that takes is the environment's lag.

use super::super::Local;
use super::super::ec2::images;
use super::super::store::{Scope, StoreError, Transaction};
use super::super::wire::ServiceError;
use super::parameter_record::{Parameter, Version};
use super::put::forget_oldest;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use time::OffsetDateTime;

/// Kind of [`Checking`] documents; ids are in the order in which they are due, and then in that of the calls. All are in one place.
const KIND: &str = "ssm-checking";

/// A version that is being checked.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Checking {
    pub(super) account: String,
    pub(super) region: String,
    #[serde(with = "time::serde::rfc3339")]
    pub(super) due: OffsetDateTime,
    pub(super) name: String,
    /// Type of the parameter.
    pub(super) kind: String,
    /// Of a parameter that is made.
    pub(super) tags: BTreeMap<String, String>,
    pub(super) version: Version,
}

fn everywhere() -> Scope {
    Scope { account: "*".to_owned(), region: "*".to_owned() }
}

impl Checking {
    /// Keeps it until it is due.
    pub(super) fn begin(&self, tx: &Transaction<'_>) -> Result<(), ServiceError> {
        let others = tx.list::<serde_json::Value>(&everywhere(), KIND, "")?;
        let number = |id: &str| id.rsplit_once(' ').and_then(|(_, number)| number.parse::<u64>().ok());
        let next = others.iter().filter_map(|(id, _)| number(id)).max().map_or(0, |last| last + 1);
        let id = format!("{:020} {next:020}", self.due.unix_timestamp_nanos());
        Ok(tx.put(&everywhere(), KIND, &id, self)?)
    }

    /// Gives the parameter its version, if that names an AMI.
    fn end(self, tx: &Transaction<'_>) -> Result<(), ServiceError> {
        let scope = Scope { account: self.account, region: self.region };
        if !images::is_launchable(tx, &scope, &self.version.value)? {
            tracing::info!(parameter = self.name, value = self.version.value, "the value of a parameter names no AMI");
            return Ok(());
        }
        let new = Parameter { name: self.name.clone(), kind: self.kind.clone(), tags: self.tags, versions: Vec::new() };
        let mut parameter = Parameter::get(tx, &scope, &self.name)?.unwrap_or(new);
        if parameter.kind != self.kind {
            return Ok(());
        }
        let number = parameter.latest().map_or(1, |version| version.number + 1);
        parameter.versions.push(Version { number, ..self.version });
        if forget_oldest(&mut parameter).is_err() {
            // Too late for an answer: the oldest version has a label and stays, so the new one does not come.
            return Ok(());
        }
        Ok(parameter.put(tx, &scope)?)
    }
}

/// Whether the time of a check has come.
///
/// # Errors
/// A database error.
pub(in crate::local) fn is_due(tx: &Transaction<'_>, now: OffsetDateTime) -> Result<bool, StoreError> {
    Ok(tx.list::<Checking>(&everywhere(), KIND, "")?.iter().any(|(_, checking)| checking.due <= now))
}

/// Ends the checks whose time has come.
///
/// # Errors
/// When the state cannot be read or written.
pub(in crate::local) fn settle(local: &Local, now: OffsetDateTime) -> Result<(), ServiceError> {
    local.store.write(|tx| {
        for (id, checking) in tx.list::<Checking>(&everywhere(), KIND, "")? {
            if checking.due <= now {
                tx.delete(&everywhere(), KIND, &id)?;
                checking.end(tx)?;
            }
        }
        Ok(())
    })
}

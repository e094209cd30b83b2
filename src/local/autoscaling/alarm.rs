//! Alarms: what `CloudWatch` would tell a refresh. It is not here; whoever tries a rollback sets them.

use super::super::Local;
use super::super::store::{Scope, StoreError, Transaction};
use super::progress;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Kind of documents with the time since which an alarm is in ALARM; the id is its name.
const ALARM: &str = "autoscaling-alarm";

impl Local {
    /// Puts an alarm of an account and Region into the state ALARM, as of now, or takes it out of it. Instance refreshes that
    /// name it fail from then on.
    ///
    /// # Errors
    /// When the state cannot be written.
    pub fn set_alarm(&self, scope: &Scope, name: &str, rings: bool) -> Result<(), StoreError> {
        let now = self.config.clock.now();
        self.store.write(|tx| {
            if !rings {
                return tx.delete(scope, ALARM, name).map(drop);
            }
            if since(tx, scope, name)?.is_none() {
                tx.put(scope, ALARM, name, &now.format(&Rfc3339).unwrap_or_default())?;
            }
            progress::wake(tx, scope, now)
        })
    }
}

/// Since when the alarm is in the state ALARM.
pub(super) fn since(tx: &Transaction<'_>, scope: &Scope, name: &str) -> Result<Option<OffsetDateTime>, StoreError> {
    let at: Option<String> = tx.get(scope, ALARM, name)?;
    Ok(at.and_then(|at| OffsetDateTime::parse(&at, &Rfc3339).ok()))
}

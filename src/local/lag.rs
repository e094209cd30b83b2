//! Calls of EC2 that come too early: what was made a moment ago is not there yet for who names it.

use super::Local;
use super::ec2;
use super::past::{Lag, behind};
use super::wire::{Caller, ServiceError};
use serde_json::Value;
use std::time::Duration;

impl Local {
    /// Makes EC2 eventually consistent, as it is on AWS: for so long after a change readers see what was before it, and what
    /// has been made does not exist for calls that name it; and Systems Manager takes so long to check values of the data type
    /// `aws:ec2:image`. By the environment's clock; zero ends that.
    pub fn set_lag(&self, time: Duration) {
        let lag = Lag { clock: self.config.clock.clone(), time };
        self.store.set_lag((!time.is_zero()).then_some(lag));
    }

    /// That time; zero when there is none.
    #[must_use]
    pub fn lag(&self) -> Duration {
        self.store.lag().unwrap_or_default()
    }

    /// Does an operation of EC2 as one who is behind.
    pub(super) fn lagging(
        &self,
        caller: &Caller,
        operation: &str,
        request: &Value,
        work: impl FnOnce() -> Result<Value, ServiceError>,
    ) -> Result<Value, ServiceError> {
        if self.store.lag().is_none() {
            return work();
        }
        // The one operation that names what is not there yet.
        if operation == "CreateLaunchTemplate" {
            return behind(work);
        }
        // What is there by now and was not for those who are behind is answered as they would see it. What is not there at all is
        // the operation's own affair.
        let now = self.store.read(|tx| Ok::<_, ServiceError>(ec2::named(tx, &caller.scope, request)))?;
        if now.is_ok() {
            behind(|| self.store.read(|tx| ec2::named(tx, &caller.scope, request)))?;
        }
        behind(work)
    }
}

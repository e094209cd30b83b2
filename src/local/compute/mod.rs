//! What runs: instances, image builds, commands and patch scans of the local environment.

use super::Local;
use super::wire::Operation;

/// State of this process's running instances and builds; the durable part is in the store.
#[derive(Debug, Default)]
pub struct Compute {}

/// The operations of `service` (`ec2`, `ssm`, `imagebuilder`) that this part implements.
pub fn operation(service: &str, name: &str) -> Option<Operation> {
    let _ = (service, name);
    None
}

impl Compute {
    /// Called once when the local environment is opened: ends what a dead process left behind.
    pub fn recover(local: &Local) -> Result<(), super::LocalError> {
        let _ = local;
        Ok(())
    }

    /// Stops every instance and build of this process.
    pub fn shutdown(local: &Local) {
        let _ = local;
    }
}

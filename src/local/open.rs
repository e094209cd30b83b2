//! Opening and closing the local environment.

use super::faults::Faults;
use super::store::Store;
use super::{Config, Local, LocalError, compute};
use std::path::Path;
use std::sync::Arc;

/// Name of the database in the state folder.
const DATABASE: &str = "local.sqlite";

impl Local {
    /// Opens the local environment: makes its folders, opens the database and ends what a dead process left behind.
    ///
    /// Any number of processes may have the same state open at once.
    ///
    /// # Errors
    /// When a folder cannot be made, the database cannot be opened, or leftovers cannot be cleared away.
    pub fn open(config: Config) -> Result<Arc<Self>, LocalError> {
        for folder in [&config.state, &config.cache] {
            make(folder)?;
        }
        let store = Store::open(&config.state.join(DATABASE))?;
        let local = Arc::new(Self { config, store, compute: compute::Compute::default(), faults: Faults::default() });
        compute::Compute::recover(&local)?;
        Ok(local)
    }

    /// Stops every instance and build of this process. What is in the database stays.
    pub fn shutdown(&self) {
        compute::Compute::shutdown(self);
    }
}

fn make(folder: &Path) -> Result<(), LocalError> {
    std::fs::create_dir_all(folder).map_err(|source| LocalError::Io { path: folder.to_owned(), source })
}

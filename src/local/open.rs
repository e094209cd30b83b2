//! Opening and closing the local environment.

use super::faults::Faults;
use super::store::Store;
use super::{Config, Local, LocalError, compute};
use std::path::{Path, PathBuf};
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
        let keys = keys(&store)?;
        let compute = compute::Compute::default();
        let local = Arc::new(Self { config, store, compute, faults: Faults::default(), keys });
        compute::Compute::recover(&local)?;
        Ok(local)
    }

    /// Access key id and secret of an account in this environment: calls signed with them are made by that account. Every account
    /// has such keys, and they are the same as long as the state is.
    #[must_use]
    pub fn credentials(&self, account: &str) -> (String, String) {
        self.keys.account(account)
    }

    /// Where the component runner's files about a build are, and those of its tests in `test` below:
    /// `logs/<image name>/<version>/<build>` of the state.
    #[must_use]
    pub fn build_logs(&self, image_arn: &str) -> PathBuf {
        let path = image_arn.split_once('/').map_or("", |(_, path)| path);
        // What an ARN cannot hold leads nowhere.
        let parts = path.split('/').filter(|part| !part.is_empty() && !part.starts_with('.'));
        parts.fold(self.config.state.join("logs"), |folder, part| folder.join(part))
    }

    /// Stops every instance and build of this process. What is in the database stays.
    pub fn shutdown(&self) {
        compute::Compute::shutdown(self);
    }
}

#[cfg(not(test))]
fn keys(store: &Store) -> Result<super::credentials::Keys, LocalError> {
    super::credentials::Keys::of(store)
}

/// Unit tests sign before they have an environment, so their environments have keys that are known.
#[cfg(test)]
fn keys(store: &Store) -> Result<super::credentials::Keys, LocalError> {
    super::credentials::Keys::of(store)?;
    Ok(super::credentials::Keys::known())
}

fn make(folder: &Path) -> Result<(), LocalError> {
    std::fs::create_dir_all(folder).map_err(|source| LocalError::Io { path: folder.to_owned(), source })
}

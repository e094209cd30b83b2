//! The local environment behind the SDK clients.

use super::connector::Handler;
use super::error::AwsError;
use crate::local::{Config, DEFAULT_ACCOUNT, DEFAULT_REGION, Local, credentials};
use crate::project::{LocalConfig, LocalParent, Location, Project};
use std::sync::Arc;

/// Folder of the local environment in the project's state folder.
const FOLDER: &str = "local";

/// The local environment of this process. What it does may take its time, so it is done on the blocking pool.
#[derive(Debug, Clone)]
pub(super) struct Embedded(Arc<Local>);

impl Embedded {
    /// Opens it; ends what a process that died left behind.
    pub(super) async fn open(
        project: &Project,
        config: &LocalConfig,
        options: &super::Options,
    ) -> Result<Self, AwsError> {
        let config = Config {
            state: options.state.join(FOLDER),
            cache: options.cache.clone(),
            clock: options.clock.clone(),
            events: options.events.clone(),
            mirror: config.mirror.clone(),
            bind: config.bind.iter().map(|path| project.root.join(path)).collect(),
        };
        blocking(move || Local::open(config)).await?.map(Self).map_err(AwsError::from)
    }

    pub(super) fn home(&self) -> Location {
        Location { account: DEFAULT_ACCOUNT.to_owned(), region: DEFAULT_REGION.to_owned() }
    }

    pub(super) fn credentials(&self) -> (String, String) {
        credentials(DEFAULT_ACCOUNT)
    }

    pub(super) fn handler(&self) -> Handler {
        let local = Arc::clone(&self.0);
        Arc::new(move |request| local.handle(request))
    }

    pub(super) fn local(&self) -> &Arc<Local> {
        &self.0
    }

    /// Makes the parent image when it is missing; its AMI id.
    pub(super) async fn parent(
        &self,
        _name: &str,
        _parameter: &str,
        _arch: &str,
        _source: LocalParent,
        _say: impl Fn(String) + Send + Sync + 'static,
    ) -> Result<String, AwsError> {
        Err(AwsError::Internal(
            "parent images are made by a part of the local environment that is not merged yet".into(),
        ))
    }

    /// Ends what runs in it. A panic there is only logged: the process is about to end.
    pub(super) async fn shutdown(&self) {
        let local = Arc::clone(&self.0);
        if let Err(error) = blocking(move || local.shutdown()).await {
            tracing::warn!(%error, "the local environment did not shut down properly");
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, AwsError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| AwsError::Internal(error.to_string()))
}

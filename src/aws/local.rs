//! The local environment behind the SDK clients.

use super::Options;
use super::connector::Handler;
use super::error::AwsError;
use crate::local::compute::ParentSpec;
use crate::local::{self, DEFAULT_ACCOUNT, DEFAULT_REGION, Local, LocalError};
use crate::project::{LocalConfig, LocalParent, Location, Project};
use std::sync::Arc;

/// The local environment of this process.
#[derive(Debug)]
pub(super) struct Embedded {
    local: Arc<Local>,
}

impl Embedded {
    pub(super) async fn open(
        project: &Project,
        config: &LocalConfig,
        options: &Options,
        builds: local::Builds,
    ) -> Result<Self, AwsError> {
        let config = local::Config {
            state: options.state.join("local"),
            cache: options.cache.clone(),
            clock: options.clock.clone(),
            events: options.events.clone(),
            mirror: config.mirror.clone(),
            bind: config.bind.iter().map(|path| project.root.join(path)).collect(),
            beyond: local::Beyond::new(|| Box::new(super::Sdk::new())),
            builds,
        };
        let local = blocking(move || Local::open(config)).await?;
        Ok(Self { local })
    }

    /// The same of an environment that is open already.
    #[cfg(test)]
    pub(super) fn over(local: Arc<Local>) -> Self {
        Self { local }
    }

    /// Whether nothing is really built in it.
    pub(super) fn is_scripted(&self) -> bool {
        self.local.config.builds.are_scripted()
    }

    pub(super) fn home() -> Location {
        Location { account: DEFAULT_ACCOUNT.to_owned(), region: DEFAULT_REGION.to_owned() }
    }

    pub(super) fn credentials(&self) -> (String, String) {
        self.local.credentials(DEFAULT_ACCOUNT)
    }

    pub(super) fn handler(&self) -> Handler {
        let local = Arc::clone(&self.local);
        Arc::new(move |request| local.handle(request))
    }

    pub(super) fn local(&self) -> Arc<Local> {
        Arc::clone(&self.local)
    }

    /// Makes a parent image, or finds the one that is there.
    pub(super) async fn parent(
        &self,
        name: &str,
        parameter: &str,
        arch: &str,
        source: LocalParent,
        say: impl Fn(String) + Send + Sync + 'static,
    ) -> Result<String, AwsError> {
        let (local, spec) = (self.local(), spec(name, parameter, arch, source));
        blocking(move || local.ensure_parent(&spec, &say)).await
    }

    /// The id a parent image has or will have; nothing is made.
    pub(super) async fn parent_id(
        &self,
        name: &str,
        parameter: &str,
        arch: &str,
        source: LocalParent,
    ) -> Result<String, AwsError> {
        let (local, spec) = (self.local(), spec(name, parameter, arch, source));
        blocking(move || local.parent_id(&spec)).await
    }

    pub(super) async fn shutdown(&self) {
        let local = self.local();
        // A panic in there has been told already; there is nobody else to tell.
        let _ = tokio::task::spawn_blocking(move || local.shutdown()).await;
    }
}

fn spec(name: &str, parameter: &str, arch: &str, source: LocalParent) -> ParentSpec {
    ParentSpec { parameter: Some(parameter.to_owned()), name: name.to_owned(), arch: arch.to_owned(), source }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LocalError> + Send + 'static,
) -> Result<T, AwsError> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|error| AwsError::Internal(error.to_string()))?;
    done.map_err(AwsError::from)
}

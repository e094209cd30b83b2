//! The local environment behind the SDK clients.

use super::connector::Handler;
use super::error::AwsError;
use crate::local::{DEFAULT_ACCOUNT, DEFAULT_REGION};
use crate::project::{LocalConfig, LocalParent, Location, Project};

/// The local environment of this process.
#[derive(Debug)]
pub(super) struct Embedded {}

impl Embedded {
    pub(super) async fn open(
        _project: &Project,
        _config: &LocalConfig,
        _options: &super::Options,
    ) -> Result<Self, AwsError> {
        Err(AwsError::Internal("the local environment is not merged yet".into()))
    }

    pub(super) fn home(&self) -> Location {
        Location { account: DEFAULT_ACCOUNT.to_owned(), region: DEFAULT_REGION.to_owned() }
    }

    pub(super) fn credentials(&self) -> (String, String) {
        (String::new(), String::new())
    }

    pub(super) fn handler(&self) -> Handler {
        std::sync::Arc::new(|_| http::Response::new(bytes::Bytes::new()))
    }

    pub(super) async fn parent(
        &self,
        _name: &str,
        _parameter: &str,
        _arch: &str,
        _source: LocalParent,
        _say: impl Fn(String) + Send + Sync + 'static,
    ) -> Result<String, AwsError> {
        Err(AwsError::Internal("the local environment is not merged yet".into()))
    }

    pub(super) async fn shutdown(&self) {}
}

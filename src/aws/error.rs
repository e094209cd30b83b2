//! Why the cloud could not be reached or prepared.

use super::fault::{ServiceFault, describe};
use crate::project::Location;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

/// A call that failed: which, where, why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{operation} in {}/{}: {fault}", location.account, location.region)]
pub struct CallError {
    /// The operation, for example `CreateComponent`.
    pub operation: &'static str,
    /// Account and Region.
    pub location: Location,
    /// What it answered.
    pub fault: Box<ServiceFault>,
}

impl CallError {
    /// Makes a call error of an SDK error; meant for `map_err`.
    pub fn of<E>(operation: &'static str, location: &Location) -> impl FnOnce(SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let location = location.clone();
        move |error| Self { operation, location, fault: Box::new(describe(&error)) }
    }

    /// What to do next, when the kind of failure says it.
    #[must_use]
    pub fn next(&self) -> Option<String> {
        let Location { account, region } = &self.location;
        if self.fault.denied {
            Some(format!("check the credentials and that they may call {} in {account}/{region}", self.operation))
        } else if self.fault.throttled {
            Some("too many calls at once; run the same command again in a minute, it continues where it stopped".into())
        } else if self.fault.unreachable {
            Some("check the network and run the same command again, it continues where it stopped".into())
        } else if self.over_quota() {
            Some("ask for more in the console of Service Quotas, or remove what nobody uses; then run the same command again".into())
        } else {
            None
        }
    }

    /// Whether the account has as many as it may have.
    fn over_quota(&self) -> bool {
        self.fault.is(&["ServiceQuotaExceededException", "ResourceLimitExceededException", "InstanceLimitExceeded"])
    }

    /// DESIGN section 9: 12 for credentials and permission, 11 for a quota that is in the way, else 1.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match (self.fault.denied, self.over_quota()) {
            (true, _) => 12,
            (false, true) => 11,
            (false, false) => 1,
        }
    }
}

/// Why an environment could not be connected to, or its parent image not be prepared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AwsError {
    /// `amiforge.yaml` has no such environment.
    #[error("there is no environment `{name}` in this project; it has: {}", known.join(", "))]
    UnknownEnvironment {
        /// As asked for.
        name: String,
        /// The project's own.
        known: Vec<String>,
    },
    /// No credentials.
    #[error("no AWS credentials for environment `{environment}`: {reason}")]
    NoCredentials {
        /// Environment.
        environment: String,
        /// The provider chain's own words.
        reason: String,
    },
    /// The credentials belong to another account than the environment says.
    #[error("the credentials belong to account {found}, environment `{environment}` needs account {expected}")]
    WrongAccount {
        /// Environment.
        environment: String,
        /// The environment's home account.
        expected: String,
        /// The credentials' account.
        found: String,
    },
    /// A target in another account without a role.
    #[error("target account {account} differs from the home account {home}, and the target names no role to assume")]
    NoRole {
        /// The target's account.
        account: String,
        /// The home account.
        home: String,
    },
    /// The local environment.
    #[error(transparent)]
    Local(#[from] crate::local::LocalError),
    /// The recipe does not say how to make its parent image here.
    #[error("recipe `{recipe}` does not say how to make its parent image in the local environment")]
    NoLocalParent {
        /// The recipe.
        recipe: String,
    },
    /// The parent image is not there or cannot be used.
    #[error("the parent image {reference} of recipe `{recipe}`: {reason}")]
    Parent {
        /// The recipe.
        recipe: String,
        /// As the recipe names it.
        reference: String,
        /// Why.
        reason: String,
    },
    /// A call failed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Work handed to another thread did not end properly.
    #[error("internal error: {0}")]
    Internal(String),
}

impl AwsError {
    /// What to do next.
    #[must_use]
    pub fn next(&self) -> Option<String> {
        match self {
            Self::NoCredentials { .. } => Some("log in (`aws sso login`) or set AWS_PROFILE, then try again".into()),
            Self::WrongAccount { .. } => {
                Some("set AWS_PROFILE to the right account, or name a `role` under `home` in amiforge.yaml".into())
            }
            Self::NoRole { .. } => Some("add `role: …` to that target in amiforge.yaml".into()),
            Self::NoLocalParent { .. } => {
                Some("add `local: { bootstrap: … }` under `parent` in the recipe, or choose an AWS environment".into())
            }
            Self::Parent { .. } => Some("check `parent` in the recipe".into()),
            Self::Call(call) => call.next(),
            Self::Local(local) => local.next(),
            Self::UnknownEnvironment { .. } | Self::Internal(_) => None,
        }
    }

    /// The exit code of DESIGN section 9.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::UnknownEnvironment { .. } | Self::NoLocalParent { .. } | Self::NoRole { .. } => 2,
            Self::NoCredentials { .. } | Self::WrongAccount { .. } => 12,
            Self::Call(call) => call.exit_code(),
            Self::Local(local) => local.exit_code(),
            Self::Parent { .. } | Self::Internal(_) => 1,
        }
    }
}

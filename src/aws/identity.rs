//! SDK configurations: whose credentials, which Region, how often a call is tried.

use super::connector::{self, Handler};
use super::error::AwsError;
use super::retry::RateLimit;
use crate::project::{AwsConfig, Location};
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_credential_types::{Credentials, provider};
use aws_sdk_ssm::config::retry::{RetryPartition, TokenBucket};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use std::collections::BTreeMap;
use std::time::Duration;

/// Attempts per call, the first one included. Image Builder's throttle is slow to lift; with the SDK's exponential
/// backoff (at most 20 s each) five attempts ride out about a minute.
pub(super) const ATTEMPTS: u32 = 5;
/// A single attempt that takes longer is given up: no call amiforge makes waits on the server's side.
pub(super) const ATTEMPT_TIMEOUT: Duration = Duration::from_mins(1);
/// Session name of assumed roles, as it stands in the accounts' audit trails.
const SESSION: &str = "amiforge";

/// SDK configurations by place, and what to make one of for a place that is not among them.
#[derive(Debug)]
pub(super) struct Identities {
    known: BTreeMap<Location, SdkConfig>,
    home: Location,
    retries: Option<RetryPartition>,
}

impl Identities {
    /// One place, answered by `handler` in this process, with fixed credentials.
    pub(super) fn in_process(home: Location, key: (String, String), handler: Handler) -> Self {
        let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS);
        Self::answered(home, key, connector::client(handler), retries)
    }

    /// The same on the thread of whoever calls and without chance, so that a test sees the same calls in the same order each
    /// time: what the SDK adds to its waits by chance is less than the least that tokio's clock can tell.
    #[cfg(test)]
    pub(super) fn in_thread(home: Location, key: (String, String), handler: Handler) -> Self {
        let retries = RetryConfig::standard().with_max_attempts(ATTEMPTS).with_max_backoff(Duration::from_micros(100));
        Self::answered(home, key, connector::in_thread(handler), retries)
    }

    fn answered(home: Location, key: (String, String), http: SharedHttpClient, retries: RetryConfig) -> Self {
        let config = SdkConfig::builder()
            .behavior_version(behavior())
            .region(Region::new(home.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::from_keys(key.0, key.1, None)))
            .http_client(http)
            .retry_config(retries)
            .build();
        // The SDK's budget of retries protects a service that many clients call, and is one for the whole process.
        // There is nobody to protect here, and what one piece of work uses up must not change what another one sees.
        let retries = RetryPartition::custom("in-process").token_bucket(TokenBucket::unlimited()).build();
        Self { known: BTreeMap::from([(home.clone(), config)]), home, retries: Some(retries) }
    }

    /// The same with one place more, by another account's credentials.
    pub(super) fn and(mut self, place: &Location, key: (String, String)) -> Self {
        let base = self.settings(&self.home).into_builder().region(Region::new(place.region.clone()));
        let keys = Credentials::from_keys(key.0, key.1, None);
        self.known.insert(place.clone(), base.credentials_provider(SharedCredentialsProvider::new(keys)).build());
        self
    }

    /// The home place and every target, from the default credential chain and the roles the environment names.
    pub(super) async fn aws(environment: &str, config: &AwsConfig) -> Result<Self, AwsError> {
        let home = &config.home;
        let base = aws_config::defaults(behavior())
            .region(Region::new(home.region.clone()))
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).build())
            .load()
            .await;
        let found = credentials(environment, &base).await?;
        if let (None, Some(account)) = (&config.role, found.account_id())
            && account.as_str() != home.account
        {
            return Err(AwsError::WrongAccount {
                environment: environment.to_owned(),
                expected: home.account.clone(),
                found: account.as_str().to_owned(),
            });
        }
        let mut known = BTreeMap::from([(home.clone(), assume(&base, home, config.role.as_deref()).await)]);
        for target in &config.targets {
            let role = match &target.role {
                Some(role) => Some(role.as_str()),
                None if target.location.account == home.account => config.role.as_deref(),
                None => {
                    return Err(AwsError::NoRole {
                        account: target.location.account.clone(),
                        home: home.account.clone(),
                    });
                }
            };
            let settings = assume(&base, &target.location, role).await;
            known.entry(target.location.clone()).or_insert(settings);
        }
        Ok(Self { known, home: home.clone(), retries: None })
    }

    /// The budget of retries; the SDK's own when absent.
    pub(super) fn retries(&self) -> Option<RetryPartition> {
        self.retries.clone()
    }

    /// The configuration for a place. Other Regions of the home account share the home credentials; for any other
    /// account there are none, and calls fail saying so: they must never run in the wrong account.
    pub(super) fn settings(&self, place: &Location) -> SdkConfig {
        if let Some(config) = self.known.get(place) {
            return config.clone();
        }
        let builder = SdkConfig::builder().behavior_version(behavior());
        let home = self.known.get(&self.home).map_or(builder, |config| config.clone().into_builder());
        let home = home.region(Region::new(place.region.clone()));
        if place.account == self.home.account {
            return home.build();
        }
        home.credentials_provider(SharedCredentialsProvider::new(Foreign(place.account.clone()))).build()
    }
}

/// What the environment variables and the profile say, with our patience; nothing is asked of AWS.
pub(super) async fn ambient() -> SdkConfig {
    aws_config::defaults(behavior())
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
        .timeout_config(TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).build())
        .load()
        .await
}

/// The SDK's defaults are pinned to a date, so that an update of the SDK alone changes nothing.
pub(super) fn behavior() -> BehaviorVersion {
    BehaviorVersion::v2026_01_12()
}

async fn credentials(environment: &str, base: &SdkConfig) -> Result<Credentials, AwsError> {
    let missing = |reason: String| AwsError::NoCredentials { environment: environment.to_owned(), reason };
    let chain = base.credentials_provider().ok_or_else(|| missing("the credential chain is empty".to_owned()))?;
    chain
        .provide_credentials()
        .await
        .map_err(|error| missing(aws_smithy_types::error::display::DisplayErrorContext(&error).to_string()))
}

async fn assume(base: &SdkConfig, place: &Location, role: Option<&str>) -> SdkConfig {
    let config = base.clone().into_builder().region(Region::new(place.region.clone())).build();
    let Some(role) = role else { return config };
    let provider = AssumeRoleProvider::builder(place.role_arn(role)).configure(&config).session_name(SESSION).build();
    config.into_builder().credentials_provider(SharedCredentialsProvider::new(provider.await)).build()
}

/// Stands where credentials for an account are missing.
#[derive(Debug)]
struct Foreign(String);

impl ProvideCredentials for Foreign {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let text = format!("account {} is neither home nor a target of this environment", self.0);
        let answer: provider::Result = Err(CredentialsError::not_loaded(text));
        future::ProvideCredentials::ready(answer)
    }
}

/// The configuration of a client: the place's, plus the classifier every client needs.
macro_rules! client {
    ($service:ident, $identities:expr, $place:expr) => {{
        let mut builder = $service::config::Builder::from(&$identities.settings($place));
        builder.set_retry_partition($identities.retries());
        $service::Client::from_conf(builder.retry_classifier($crate::aws::identity::rate_limit()).build())
    }};
}
pub(super) use client;

pub(super) fn rate_limit() -> RateLimit {
    RateLimit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_name_becomes_an_arn_of_the_targets_account_and_partition() {
        let place = |region: &str| Location { account: "111122223333".into(), region: region.into() };
        assert_eq!(place("eu-west-1").role_arn("amiforge"), "arn:aws:iam::111122223333:role/amiforge");
        assert_eq!(place("cn-north-1").role_arn("amiforge"), "arn:aws-cn:iam::111122223333:role/amiforge");
        assert_eq!(place("us-gov-west-1").role_arn("path/r"), "arn:aws-us-gov:iam::111122223333:role/path/r");
        assert_eq!(place("eu-west-1").role_arn("arn:aws:iam::1:role/x"), "arn:aws:iam::1:role/x");
    }
}

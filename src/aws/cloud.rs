//! One environment, connected: SDK clients per account and Region.

use super::connector;
use super::duty::Duties;
use super::error::AwsError;
use super::identity::{ATTEMPT_TIMEOUT, Identities, client};
use super::local::Embedded;
use super::looks::Looks;
use super::pace::Pace;
use crate::clock::Clock;
use crate::event::Events;
use crate::local::Builds;
use crate::project::{EnvironmentConfig, LocalConfig, Location, Project, Target};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A client that keeps a pace. The pace's own connector watches the time of each attempt.
macro_rules! paced {
    ($service:ident, $identities:expr, $place:expr, $pace:expr) => {{
        let settings = $identities.settings($place);
        let http = connector::paced(settings.http_client(), $pace, ATTEMPT_TIMEOUT);
        let timeouts =
            settings.timeout_config().map(|known| known.to_builder().disable_operation_attempt_timeout().build());
        let mut builder = $service::config::Builder::from(&settings).http_client(http);
        builder.set_timeout_config(timeouts);
        builder.set_retry_partition($identities.retries());
        $service::Client::from_conf(builder.retry_classifier(super::identity::rate_limit()).build())
    }};
}

/// Time between two looks at something in AWS: Image Builder asks for 15 to 30 s (image-builder.md section 4).
const POLL_AWS: Duration = Duration::from_secs(15);
/// The same in the local environment, where nobody is in the way.
const POLL_LOCAL: Duration = Duration::from_millis(200);

/// How long after a change EC2 may show what was before it. AWS names no time and asks clients to look again for a while
/// (EC2's guide on eventual consistency); it is seconds as a rule, and this is the same patience as for a pointer.
const SETTLES_AWS: Duration = Duration::from_mins(1);

/// What a [`Cloud`] needs besides the project.
#[derive(Debug, Clone)]
pub struct Options {
    /// The time.
    pub clock: Clock,
    /// Where the local environment's own progress goes.
    pub events: Events,
    /// Folder of the local environment's state: `.amiforge` in the project.
    pub state: PathBuf,
    /// Folder of parent roots, shared by projects.
    pub cache: PathBuf,
}

/// One environment, connected. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Cloud(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    environment: String,
    config: EnvironmentConfig,
    root: PathBuf,
    home: Location,
    targets: Vec<Target>,
    clock: Clock,
    identities: Identities,
    imagebuilder: aws_sdk_imagebuilder::Client,
    looks: Looks,
    /// Whether calls to EC2 and Systems Manager keep a pace, each account and Region its own.
    paces_targets: bool,
    clients: Mutex<BTreeMap<Location, Clients>>,
    duties: Duties,
    embedded: Option<Embedded>,
}

#[derive(Debug, Clone)]
struct Clients {
    ec2: aws_sdk_ec2::Client,
    ssm: aws_sdk_ssm::Client,
}

impl Cloud {
    /// Connects to one of the project's environments. For AWS the credentials are fetched here, so that their absence
    /// is told before any work; nothing is created.
    ///
    /// # Errors
    /// Unknown environment, missing or wrong credentials, a local environment that cannot be opened.
    pub async fn connect(project: &Project, environment: &str, options: Options) -> Result<Self, AwsError> {
        let Some(config) = project.environments.get(environment) else {
            let known = project.environments.keys().cloned().collect();
            return Err(AwsError::UnknownEnvironment { name: environment.to_owned(), known });
        };
        match config {
            EnvironmentConfig::Local(local) => {
                Self::here(project, environment, (config, local), options, Builds::Real, None).await
            }
            EnvironmentConfig::Aws(aws) => {
                let identities = Identities::aws(environment, aws).await?;
                let (home, targets) = (aws.home.clone(), aws.targets.clone());
                let pace = Some(Pace::new());
                Ok(Self::assemble(
                    environment,
                    config,
                    &project.root,
                    home,
                    targets,
                    options.clock,
                    identities,
                    None,
                    pace,
                ))
            }
        }
    }

    /// Connects to a local environment in which nothing is really built: builds follow a script by the options' clock, and calls are
    /// paced as those to AWS. For tests and benchmarks of what drives many builds.
    ///
    /// # Errors
    /// An environment that is unknown, not local, or cannot be opened.
    pub async fn rehearse(
        project: &Project,
        environment: &str,
        options: Options,
        builds: Builds,
    ) -> Result<Self, AwsError> {
        let Some(config @ EnvironmentConfig::Local(local)) = project.environments.get(environment) else {
            let known = project.environments.keys().cloned().collect();
            return Err(AwsError::UnknownEnvironment { name: environment.to_owned(), known });
        };
        Self::here(project, environment, (config, local), options, builds, Some(Pace::new())).await
    }

    /// The local environment of this process.
    async fn here(
        project: &Project,
        environment: &str,
        (config, local): (&EnvironmentConfig, &LocalConfig),
        options: Options,
        builds: Builds,
        pace: Option<Pace>,
    ) -> Result<Self, AwsError> {
        let embedded = Embedded::open(project, local, &options, builds).await?;
        let home = Embedded::home();
        let mut identities = Identities::in_process(home.clone(), embedded.credentials(), embedded.handler());
        let mut targets = local.targets.clone();
        for target in targets.iter().filter(|target| target.location.account != home.account) {
            let account = &target.location.account;
            identities = identities.and(&target.location, embedded.local().credentials(account));
        }
        if targets.is_empty() {
            targets.push(Target { location: home.clone(), role: None });
        }
        let (root, clock) = (&project.root, options.clock);
        Ok(Self::assemble(environment, config, root, home, targets, clock, identities, Some(embedded), pace))
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one private struct, named at both call sites")]
    fn assemble(
        environment: &str,
        config: &EnvironmentConfig,
        root: &Path,
        home: Location,
        targets: Vec<Target>,
        clock: Clock,
        identities: Identities,
        embedded: Option<Embedded>,
        pace: Option<Pace>,
    ) -> Self {
        let imagebuilder = match &pace {
            None => client!(aws_sdk_imagebuilder, identities, &home),
            Some(pace) => paced!(aws_sdk_imagebuilder, identities, &home, pace.clone()),
        };
        Self(Arc::new(Inner {
            environment: environment.to_owned(),
            config: config.clone(),
            root: root.to_owned(),
            home,
            targets,
            clock,
            identities,
            imagebuilder,
            paces_targets: pace.is_some(),
            looks: Looks::new(pace),
            clients: Mutex::default(),
            duties: Duties::default(),
            embedded,
        }))
    }

    /// Image Builder in the home account and Region.
    #[must_use]
    pub fn imagebuilder(&self) -> &aws_sdk_imagebuilder::Client {
        &self.0.imagebuilder
    }

    /// The builds that this process follows.
    pub(crate) fn looks(&self) -> &Looks {
        &self.0.looks
    }

    /// EC2 in an account and Region. In an account that is neither home nor a target every call fails for want of
    /// credentials.
    #[must_use]
    pub fn ec2(&self, place: &Location) -> aws_sdk_ec2::Client {
        self.clients(place).ec2
    }

    /// Systems Manager in an account and Region; see [`Cloud::ec2`].
    #[must_use]
    pub fn ssm(&self, place: &Location) -> aws_sdk_ssm::Client {
        self.clients(place).ssm
    }

    /// S3 in the home account and Region, for what builds leave in their log bucket.
    #[must_use]
    pub fn s3(&self) -> aws_sdk_s3::Client {
        self.s3_in(&self.home().region)
    }

    /// S3 in a Region, as the home account.
    #[must_use]
    pub fn s3_in(&self, region: &str) -> aws_sdk_s3::Client {
        let (identities, home) = (&self.0.identities, self.home());
        let place = Location { account: home.account.clone(), region: region.to_owned() };
        let settings = identities.settings(&place);
        let mut builder = aws_sdk_s3::config::Builder::from(&settings);
        // Neither the local environment nor what stands in for AWS under one address has names of hosts for buckets.
        builder.set_force_path_style((self.is_local() || settings.endpoint_url().is_some()).then_some(true));
        builder.set_retry_partition(identities.retries());
        aws_sdk_s3::Client::from_conf(builder.retry_classifier(super::identity::rate_limit()).build())
    }

    /// Identity and Access Management of the home account, for what `doctor` asks of it. The local environment has none.
    #[must_use]
    pub fn iam(&self) -> aws_sdk_iam::Client {
        client!(aws_sdk_iam, self.0.identities, self.home())
    }

    /// Amazon Inspector in an account and Region; see [`Cloud::ec2`].
    #[must_use]
    pub fn inspector(&self, place: &Location) -> aws_sdk_inspector2::Client {
        client!(aws_sdk_inspector2, self.0.identities, place)
    }

    /// Key Management Service in an account and Region; see [`Cloud::ec2`].
    #[must_use]
    pub fn kms(&self, place: &Location) -> aws_sdk_kms::Client {
        client!(aws_sdk_kms, self.0.identities, place)
    }

    /// The token service as seen from an account and Region; see [`Cloud::ec2`].
    #[must_use]
    pub fn sts(&self, place: &Location) -> aws_sdk_sts::Client {
        client!(aws_sdk_sts, self.0.identities, place)
    }

    /// EC2 Auto Scaling in an account and Region; see [`Cloud::ec2`].
    #[must_use]
    pub fn autoscaling(&self, place: &Location) -> aws_sdk_autoscaling::Client {
        client!(aws_sdk_autoscaling, self.0.identities, place)
    }

    fn clients(&self, place: &Location) -> Clients {
        // A panic while the map was held leaves it whole: entries are inserted complete.
        let mut clients = self.0.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = clients.get(place) {
            return found.clone();
        }
        let identities = &self.0.identities;
        let made = if self.0.paces_targets {
            Clients {
                ec2: paced!(aws_sdk_ec2, identities, place, Pace::ec2()),
                ssm: paced!(aws_sdk_ssm, identities, place, Pace::ssm()),
            }
        } else {
            Clients { ec2: client!(aws_sdk_ec2, identities, place), ssm: client!(aws_sdk_ssm, identities, place) }
        };
        clients.insert(place.clone(), made.clone());
        made
    }

    /// What this process has started and has to end.
    #[must_use]
    pub fn duties(&self) -> &Duties {
        &self.0.duties
    }

    /// Where images are built.
    #[must_use]
    pub fn home(&self) -> &Location {
        &self.0.home
    }

    /// Where promotions move pointers.
    #[must_use]
    pub fn targets(&self) -> &[Target] {
        &self.0.targets
    }

    /// The environment's name.
    #[must_use]
    pub fn environment(&self) -> &str {
        &self.0.environment
    }

    /// The environment's settings.
    #[must_use]
    pub fn config(&self) -> &EnvironmentConfig {
        &self.0.config
    }

    /// Whether it is this machine.
    #[must_use]
    pub fn is_local(&self) -> bool {
        matches!(self.0.config, EnvironmentConfig::Local(_))
    }

    /// The time.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Time between two looks at something that takes a while. Scripted builds take as long as those of AWS.
    #[must_use]
    pub fn poll(&self) -> Duration {
        let scripted = self.0.embedded.as_ref().is_some_and(Embedded::is_scripted);
        if self.is_local() && !scripted { POLL_LOCAL } else { POLL_AWS }
    }

    /// How long after a change the services may still show what was before it: who looks for what somebody else may have made
    /// a moment ago has to look until then.
    #[must_use]
    pub fn settles(&self) -> Duration {
        match &self.0.embedded {
            Some(embedded) => embedded.local().lag(),
            None if self.is_local() => Duration::ZERO,
            None => SETTLES_AWS,
        }
    }

    /// Folder of the project.
    pub(super) fn root(&self) -> &Path {
        &self.0.root
    }

    /// The local environment, when it is this machine's.
    pub(super) fn embedded(&self) -> Option<&Embedded> {
        self.0.embedded.as_ref()
    }

    /// The local environment itself, to serve it; nothing for AWS.
    #[must_use]
    pub fn local(&self) -> Option<Arc<crate::local::Local>> {
        self.0.embedded.as_ref().map(Embedded::local)
    }

    /// Ends what runs in this process: instances and builds of the local environment. Nothing to do for AWS.
    pub async fn shutdown(&self) {
        if let Some(embedded) = &self.0.embedded {
            embedded.shutdown().await;
        }
    }
}

#[cfg(test)]
#[path = "cloud_testing.rs"]
pub(crate) mod testing;

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[tokio::test]
    async fn a_foreign_account_gets_no_credentials_and_no_request() {
        let cloud = testing::cloud(Arc::new(|_| panic!("no request may be sent")));
        let place = Location { account: "999999999999".into(), region: "us-east-1".into() };
        let error = cloud.ec2(&place).describe_images().send().await.unwrap_err();
        let fault = crate::aws::describe(&error);
        assert!(fault.denied, "{fault:?}");
        assert!(fault.message.contains("999999999999"), "{}", fault.message);
    }

    #[tokio::test]
    async fn requests_carry_the_region_of_their_place() {
        let cloud = testing::cloud(Arc::new(|request: http::Request<Bytes>| {
            let scope = request.headers()["authorization"].to_str().unwrap().to_owned();
            assert!(scope.contains("/eu-west-1/ec2/"), "{scope}");
            http::Response::builder().status(200).body(Bytes::from_static(b"<DescribeImagesResponse/>")).unwrap()
        }));
        let place = Location { account: testing::ACCOUNT.into(), region: "eu-west-1".into() };
        cloud.ec2(&place).describe_images().send().await.unwrap();
    }
}

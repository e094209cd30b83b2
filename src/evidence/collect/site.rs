//! Where the work is done and how long it may take.

use super::CollectRequest;
use crate::aws::wait::Poller;
use crate::aws::{CallError, Cloud, Duties};
use crate::clock::Clock;
use crate::event::{Events, Stage};
use crate::project::{EnvironmentConfig, Location};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::time::Duration;

/// One account and Region, with what an instance needs there.
#[derive(Debug, Clone)]
pub(super) struct Site {
    pub(super) ec2: aws_sdk_ec2::Client,
    pub(super) ssm: aws_sdk_ssm::Client,
    pub(super) imagebuilder: aws_sdk_imagebuilder::Client,
    pub(super) inspector: aws_sdk_inspector2::Client,
    pub(super) location: Location,
    pub(super) clock: Clock,
    pub(super) events: Events,
    /// What has to be ended, whatever happens.
    pub(super) duties: Duties,
    /// Time between two looks at something quick.
    pub(super) poll: Duration,
    /// Time between two looks at something that takes minutes.
    pub(super) slow: Duration,
    pub(super) launch: LaunchSettings,
}

/// What `RunInstances` is told besides the image.
#[derive(Debug, Clone, Default)]
pub(super) struct LaunchSettings {
    /// In order of preference; empty: the service's own default.
    pub(super) instance_types: Vec<String>,
    pub(super) instance_profile: Option<String>,
    pub(super) subnet: Option<String>,
    pub(super) security_groups: Vec<String>,
}

/// Registration takes 1 to 3 minutes; 10 to 15 are to be budgeted (patch-baselines.md 8.3 step 2).
pub(super) const ONLINE: Duration = Duration::from_mins(15);
/// A Linux scan takes 0.5 to 5 minutes, one of Windows up to 30 (8.3 step 4).
pub(super) const SCAN: Duration = Duration::from_mins(30);
/// A list of packages is a matter of seconds; an agent under load is not.
pub(super) const LIST: Duration = Duration::from_mins(5);
/// Compliance data is eventually consistent: "up to a few minutes" (8.3 step 5).
pub(super) const RESULT: Duration = Duration::from_mins(5);
/// How long EC2 may say that there is no such instance after it was started. It is eventually consistent: seconds as a rule.
/// Its developer guide ("Eventual consistency") advises to ask again for up to five minutes; nobody waits so long unless
/// something went wrong before.
pub(super) const UNKNOWN_INSTANCE: Duration = Duration::from_mins(5);
/// How long a command may be unknown after it was sent.
pub(super) const UNKNOWN_COMMAND: Duration = Duration::from_mins(1);

/// How long Amazon Inspector may take for an AMI. Its guide names no time (UNCONFIRMED); what it does, copying snapshots and
/// reading their files, is a matter of minutes. Who stops to wait joins the scan the next time.
pub(super) const IMAGE_SCAN: Duration = Duration::from_hours(1);
/// How long a scan may be unknown after it was asked for, or another one hidden that is in its way.
pub(super) const UNKNOWN_SCAN: Duration = Duration::from_mins(2);

/// Commands and results are there after seconds, so the pace of image builds would be too slow.
const QUICKEST_POLL_ON_AWS: Duration = Duration::from_secs(3);

/// Instance types that Systems Manager and a scan are content with, by architecture.
const DEFAULT_TYPES: [(&str, &str); 2] = [("x86_64", "t3.medium"), ("arm64", "t4g.medium")];

impl Site {
    pub(super) fn of(cloud: &Cloud, request: &CollectRequest, events: &Events) -> Self {
        let launch = match cloud.config() {
            EnvironmentConfig::Local(_) => LaunchSettings::default(),
            EnvironmentConfig::Aws(aws) => LaunchSettings {
                instance_types: if aws.instance_types.is_empty() {
                    let fitting = DEFAULT_TYPES.iter().filter(|(arch, _)| *arch == request.arch);
                    fitting.map(|(_, name)| (*name).to_owned()).collect()
                } else {
                    aws.instance_types.clone()
                },
                instance_profile: aws.instance_profile.clone(),
                subnet: aws.subnet.clone(),
                security_groups: aws.security_groups.clone(),
            },
        };
        Self {
            ec2: cloud.ec2(&request.location),
            ssm: cloud.ssm(&request.location),
            imagebuilder: cloud.imagebuilder().clone(),
            inspector: cloud.inspector(&request.location),
            location: request.location.clone(),
            clock: cloud.clock().clone(),
            events: events.clone(),
            duties: cloud.duties().clone(),
            poll: cloud.poll().min(QUICKEST_POLL_ON_AWS),
            slow: cloud.poll(),
            launch,
        }
    }

    pub(super) fn progress(&self, message: impl Into<String>) {
        self.events.progress(Stage::Validate, message);
    }

    pub(super) fn within(&self, deadline: Duration) -> Poller {
        Poller { every: self.poll, deadline }
    }

    /// Makes a call error; meant for `map_err`.
    pub(super) fn fault<E>(&self, operation: &'static str) -> impl FnOnce(SdkError<E, HttpResponse>) -> CallError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        CallError::of(operation, &self.location)
    }
}

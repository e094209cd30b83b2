//! The instance of the candidate: started for the inspection, ended whatever happens.

use super::CollectRequest;
use super::site::{self, Site};
use crate::aws::wait::Waiting;
use crate::aws::{CallError, Duty, tags};
use crate::clock::rfc3339;
use crate::event::Stage;
use crate::evidence::error::EvidenceError;
use crate::project::Location;
use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::types::{
    Filter, HttpTokensState, IamInstanceProfileSpecification, InstanceMetadataOptionsRequest, InstanceStateName,
    InstanceType, Reservation, ResourceType, ShutdownBehavior, Tag, TagSpecification,
};
use aws_sdk_ssm::types::{InstanceInformationStringFilter, PingStatus, PlatformType};
use base64::Engine as _;
use sha2::{Digest, Sha256};
use std::sync::atomic::{AtomicBool, Ordering};

/// Keeps the instance as the image is: no package is updated at first boot (patch-baselines.md 8.4).
const USER_DATA: &str = "#cloud-config
repo_upgrade: none
package_update: false
package_upgrade: false
bootcmd:
  - [systemctl, mask, --now, apt-daily.timer, apt-daily-upgrade.timer, apt-daily.service, apt-daily-upgrade.service, unattended-upgrades.service]
";

/// Error codes that may be another instance type's business.
const TRY_ANOTHER_TYPE: &[&str] =
    &["Unsupported", "InvalidParameterValue", "InsufficientInstanceCapacity", "InvalidInstanceType"];
/// EC2 knows no such instance: not yet, or not any more.
const UNKNOWN: &[&str] = &["InvalidInstanceID.NotFound"];

/// An instance that has to be terminated. Dropping it begins to: when the inspection is cancelled nobody is left to wait.
#[derive(Debug)]
pub(super) struct Running {
    ec2: aws_sdk_ec2::Client,
    location: Location,
    id: String,
    /// EC2 or Systems Manager has shown it since it was started.
    seen: AtomicBool,
    /// How long "there is no such instance" may mean "not yet".
    unknown: Waiting,
    ended: bool,
    /// To be fulfilled by ending it.
    duty: Option<Duty>,
}

/// The command that ends an instance.
fn by_hand(place: &Location, id: &str) -> String {
    format!("aws ec2 terminate-instances --instance-ids {id} --region {}", place.region)
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            tracing::error!(instance = %self.id, "no runtime is left to terminate the instance of the candidate");
            return;
        };
        let mut rest = Self {
            ec2: self.ec2.clone(),
            location: self.location.clone(),
            id: std::mem::take(&mut self.id),
            seen: AtomicBool::new(*self.seen.get_mut()),
            unknown: self.unknown.clone(),
            ended: true,
            duty: self.duty.take(),
        };
        runtime.spawn(async move {
            if let Err(error) = rest.finish().await {
                let id = &rest.id;
                tracing::error!(instance = %id, %error, "the instance of the candidate could not be terminated");
            }
        });
    }
}

/// Starts an instance. The call runs in a task of its own: when the caller is dropped while it is under way, the
/// instance that comes of it is dropped there, and so terminated.
pub(super) async fn launch(site: &Site, request: &CollectRequest) -> Result<Running, EvidenceError> {
    let started = rfc3339(site.clock.now());
    let types: Vec<Option<String>> = if site.launch.instance_types.is_empty() {
        vec![None]
    } else {
        site.launch.instance_types.iter().cloned().map(Some).collect()
    };
    let mut last = None;
    for instance_type in types {
        let token = client_token(request, &started, instance_type.as_deref());
        let call = order(site, request, &token).set_instance_type(instance_type.as_deref().map(InstanceType::from));
        let (site, ami) = (site.clone(), request.ami.clone());
        // Until there is an answer nobody knows its name.
        let order =
            site.duties.take(format!("an instance of {ami} that was just ordered (client token {token})"), None);
        let task = tokio::spawn(async move {
            let answer = match call.send().await.map_err(CallError::of("RunInstances", &site.location)) {
                Ok(answer) => answer,
                Err(error) => {
                    if error.fault.may_have_been_applied() && !error.fault.is(TRY_ANOTHER_TYPE) {
                        end_by_token(&site, &token).await;
                    }
                    order.done();
                    return Err(EvidenceError::Call(error));
                }
            };
            let id = answer.instances().first().and_then(|instance| instance.instance_id());
            let running = id.map(|id| Running::of(&site, id));
            order.done();
            running.ok_or(EvidenceError::NoInstance { ami })
        });
        match task.await.map_err(|error| EvidenceError::Internal(error.to_string()))? {
            Err(EvidenceError::Call(error)) if error.fault.is(TRY_ANOTHER_TYPE) => {
                last = Some(EvidenceError::Call(error));
            }
            other => return other,
        }
    }
    Err(last.unwrap_or(EvidenceError::NoInstance { ami: request.ami.clone() }))
}

/// The same for every attempt of the SDK to send one order, so that a lost answer does not leave a second instance.
fn client_token(request: &CollectRequest, started: &str, instance_type: Option<&str>) -> String {
    let (ami, caller) = (&request.ami, &request.caller);
    let digest = Sha256::digest(format!("{ami}\n{caller}\n{started}\n{}", instance_type.unwrap_or_default()));
    digest.iter().take(16).fold("amiforge-".to_owned(), |token, byte| format!("{token}{byte:02x}"))
}

fn order(site: &Site, request: &CollectRequest, token: &str) -> RunInstancesFluentBuilder {
    let launch = &site.launch;
    let profile =
        launch.instance_profile.as_ref().map(|name| IamInstanceProfileSpecification::builder().name(name).build());
    let tag = |key: &str, value: &str| Tag::builder().key(key).value(value).build();
    let tagged = |resource| {
        TagSpecification::builder()
            .resource_type(resource)
            .tags(tag("Name", &format!("amiforge validate {}", request.ami)))
            .tags(tag(tags::PROJECT, &request.project))
            .tags(tag(tags::RECIPE, &request.recipe))
            .tags(tag(tags::INSPECTS, &request.ami))
            .tags(tag(tags::HOLDER, &request.caller))
            .build()
    };
    site.ec2
        .run_instances()
        .image_id(&request.ami)
        .min_count(1)
        .max_count(1)
        .client_token(token)
        .metadata_options(InstanceMetadataOptionsRequest::builder().http_tokens(HttpTokensState::Required).build())
        .instance_initiated_shutdown_behavior(ShutdownBehavior::Terminate)
        .tag_specifications(tagged(ResourceType::Instance))
        .tag_specifications(tagged(ResourceType::Volume))
        .user_data(base64::engine::general_purpose::STANDARD.encode(USER_DATA))
        .set_iam_instance_profile(profile)
        .set_subnet_id(launch.subnet.clone())
        .set_security_group_ids(Some(launch.security_groups.clone()).filter(|groups| !groups.is_empty()))
}

/// Ends what an order without an answer may have started. It is looked for until it shows or would have shown by now; what
/// went wrong is told by the order's own error.
async fn end_by_token(site: &Site, token: &str) {
    let mut waiting = site.within(site::UNKNOWN_INSTANCE).start();
    loop {
        let filter = Filter::builder().name("client-token").values(token).build();
        let answer = site.ec2.describe_instances().filters(filter).send().await;
        let looked = answer.is_ok();
        let instances = answer.map(|answer| answer.reservations.unwrap_or_default()).unwrap_or_default();
        let instances = instances.iter().flat_map(Reservation::instances);
        let mut found: Vec<Running> = instances.filter_map(|one| Some(Running::of(site, one.instance_id()?))).collect();
        for instance in &mut found {
            *instance.seen.get_mut() = true;
            // One that cannot be ended is tried once more where it is dropped.
            let _ = instance.finish().await;
        }
        if !found.is_empty() {
            return;
        }
        let waited = waiting.elapsed().as_secs();
        site.progress(format!("looking for what an order without an answer may have started ({waited} s)"));
        if waiting.pause().await.is_err() {
            if !looked {
                let text = format!("look for an instance with the client token {token}: it may have been started");
                site.events.note(Stage::Validate, text);
            }
            return;
        }
    }
}

impl Running {
    /// One that was started a moment ago.
    fn of(site: &Site, id: &str) -> Self {
        Self {
            ec2: site.ec2.clone(),
            location: site.location.clone(),
            id: id.to_owned(),
            seen: AtomicBool::new(false),
            unknown: site.within(site::UNKNOWN_INSTANCE).start(),
            ended: false,
            duty: Some(site.duties.take(format!("instance {id}"), Some(by_hand(&site.location, id)))),
        }
    }

    /// Has it terminated. When EC2 knows no such instance, that is an instance that it does not show yet, as long as that may
    /// be; later it is one that ended by itself and is forgotten, if it was ever seen.
    async fn end(&mut self) -> Result<(), CallError> {
        loop {
            let answer = self.ec2.terminate_instances().instance_ids(&self.id).send().await;
            match answer.map_err(CallError::of("TerminateInstances", &self.location)) {
                Err(error) if error.fault.is(UNKNOWN) => match self.unknown.pause().await {
                    Ok(()) => {}
                    Err(_) if *self.seen.get_mut() => return Ok(()),
                    Err(_) => return Err(error),
                },
                answer => return answer.map(drop),
            }
        }
    }

    /// Ends it, and with that the duty to.
    async fn finish(&mut self) -> Result<(), CallError> {
        self.end().await?;
        self.ended = true;
        if let Some(duty) = self.duty.take() {
            duty.done();
        }
        Ok(())
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Waits until Systems Manager reaches the instance; the answer is the patch document's step for its platform.
    pub(super) async fn wait_online(&self, site: &Site) -> Result<&'static str, EvidenceError> {
        let mut waiting = site.within(site::ONLINE).start();
        loop {
            if let Some(platform) = self.online(site).await? {
                return match platform {
                    PlatformType::Linux => Ok("PatchLinux"),
                    other => {
                        Err(EvidenceError::Platform { platform: other.as_str().to_owned(), instance: self.id.clone() })
                    }
                };
            }
            self.still_runs(site).await?;
            let waited = waiting.elapsed().as_secs();
            site.progress(format!("waiting for {} to register with Systems Manager ({waited} s)", self.id));
            waiting
                .pause()
                .await
                .map_err(|timeout| EvidenceError::NotOnline { instance: self.id.clone(), after: timeout.after })?;
        }
    }

    async fn online(&self, site: &Site) -> Result<Option<PlatformType>, EvidenceError> {
        let filter = InstanceInformationStringFilter::builder().key("InstanceIds").values(&self.id).build();
        let filter = filter.map_err(|error| EvidenceError::Internal(error.to_string()))?;
        let answer = site.ssm.describe_instance_information().filters(filter).send().await;
        let answer = answer.map_err(site.fault("DescribeInstanceInformation"))?;
        let online = answer
            .instance_information_list()
            .iter()
            .find(|node| node.instance_id() == Some(&self.id) && node.ping_status() == Some(&PingStatus::Online));
        self.seen.fetch_or(online.is_some(), Ordering::Relaxed);
        Ok(online.map(|node| node.platform_type().cloned().unwrap_or(PlatformType::Linux)))
    }

    /// An instance that ended by itself will never register.
    async fn still_runs(&self, site: &Site) -> Result<(), EvidenceError> {
        let answer = match site.ec2.describe_instances().instance_ids(&self.id).send().await {
            Ok(answer) => answer,
            Err(error) => {
                let error = site.fault("DescribeInstances")(error);
                // A new instance is not known everywhere at once.
                return if error.fault.is(UNKNOWN) { Ok(()) } else { Err(error.into()) };
            }
        };
        let Some(instance) = answer.reservations().iter().flat_map(Reservation::instances).next() else {
            return Ok(());
        };
        self.seen.store(true, Ordering::Relaxed);
        match instance.state().and_then(|state| state.name()) {
            Some(
                state @ (InstanceStateName::ShuttingDown
                | InstanceStateName::Stopped
                | InstanceStateName::Stopping
                | InstanceStateName::Terminated),
            ) => Err(EvidenceError::InstanceEnded {
                instance: self.id.clone(),
                state: state.as_str().to_owned(),
                reason: instance
                    .state_reason()
                    .and_then(|reason| reason.message())
                    .unwrap_or("no reason is given")
                    .to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// Ends the instance. When that fails it is tried once more in the background, and the error says which it is.
    pub(super) async fn terminate(mut self) -> Result<(), EvidenceError> {
        let ended = self.finish().await;
        ended.map_err(|source| EvidenceError::Terminate { instance: self.id.clone(), source })
    }
}

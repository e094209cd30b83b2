//! An instance that is there for a look and has to be ended, whatever happens.

use super::CallError;
use super::wait::Waiting;
use crate::project::Location;
use aws_sdk_ec2::Client;
use aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder;
use aws_sdk_ec2::types::{Filter, Instance, Reservation};

/// EC2 knows no such instance: not yet, or not any more.
const UNKNOWN: [&str; 1] = ["InvalidInstanceID.NotFound"];

/// The instance. Dropping it begins to end it: when the work is cancelled nobody is left to wait.
#[derive(Debug)]
pub(crate) struct Temporary {
    ec2: Client,
    location: Location,
    id: String,
    ended: bool,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            tracing::error!(instance = %self.id, "no runtime is left to terminate the instance");
            return;
        };
        let (ec2, location, id) = (self.ec2.clone(), self.location.clone(), std::mem::take(&mut self.id));
        runtime.spawn(async move {
            if let Err(error) = terminate(&ec2, &location, &id).await {
                tracing::error!(instance = %id, %error, "the instance could not be terminated");
            }
        });
    }
}

/// What EC2 shows of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shown {
    /// As EC2 spells it.
    pub(crate) state: String,
    /// Code and message of the last change of state, if EC2 gives them.
    pub(crate) reason: Option<(String, String)>,
}

impl Temporary {
    /// Starts an instance. The call runs in a task of its own: when the caller is dropped while it is under way, the instance that
    /// comes of it is dropped there, and so terminated. When the answer is lost it is looked, by the `token` that the order has, for
    /// what it may have started.
    ///
    /// # Errors
    /// When the call fails, or its answer is lost and no instance shows. Nothing when the answer names no instance.
    pub(crate) async fn launch(
        (ec2, location): (Client, Location),
        order: RunInstancesFluentBuilder,
        token: &str,
        looking: Waiting,
    ) -> Result<Option<Self>, CallError> {
        let token = token.to_owned();
        let task = tokio::spawn(async move {
            let id = match order.send().await.map_err(CallError::of("RunInstances", &location)) {
                Ok(answer) => answer.instances().first().and_then(Instance::instance_id).map(str::to_owned),
                Err(error) if error.fault.may_have_been_applied() => {
                    Some(by_token(&ec2, &location, &token, looking).await?.ok_or(error)?)
                }
                Err(error) => return Err(error),
            };
            Ok(id.map(|id| Self { ec2, location, id, ended: false }))
        });
        // A task that is gone with its runtime has nobody who would be told.
        task.await.unwrap_or(Ok(None))
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// What EC2 shows of it: nothing for a while after it was started.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub(crate) async fn look(&self) -> Result<Option<Shown>, CallError> {
        let answer = self.ec2.describe_instances().instance_ids(&self.id).send().await;
        let answer = answer.map_err(CallError::of("DescribeInstances", &self.location));
        if answer.as_ref().is_err_and(|error| error.fault.is(&UNKNOWN)) {
            return Ok(None);
        }
        let found = answer?.reservations.unwrap_or_default();
        Ok(found.iter().flat_map(Reservation::instances).next().map(shown))
    }

    /// Ends it. While EC2 does not show it yet, as long as `waiting` lasts, that is tried again.
    ///
    /// # Errors
    /// When it cannot be ended. It is tried once more in the background.
    pub(crate) async fn end(mut self, mut waiting: Waiting) -> Result<(), CallError> {
        loop {
            match terminate(&self.ec2, &self.location, &self.id).await {
                Err(error) if error.fault.is(&UNKNOWN) && waiting.pause().await.is_ok() => {}
                result => {
                    self.ended = result.is_ok();
                    return result;
                }
            }
        }
    }
}

fn shown(instance: &Instance) -> Shown {
    let state = instance.state().and_then(|state| state.name()).map_or("unknown", |name| name.as_str());
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let reason = instance.state_reason().map(|reason| (text(reason.code()), text(reason.message())));
    Shown { state: state.to_owned(), reason: reason.filter(|(code, message)| !(code.is_empty() && message.is_empty())) }
}

/// Ends an instance, whoever has started it.
///
/// # Errors
/// When that fails.
pub(crate) async fn terminate(ec2: &Client, location: &Location, id: &str) -> Result<(), CallError> {
    let answer = ec2.terminate_instances().instance_ids(id).send().await;
    answer.map(drop).map_err(CallError::of("TerminateInstances", location))
}

/// Instances with a tag that have not ended, nor are about to.
///
/// # Errors
/// When they cannot be looked for.
pub(crate) async fn tagged(
    ec2: &Client,
    location: &Location,
    key: &str,
    value: &str,
) -> Result<Vec<String>, CallError> {
    let tag = Filter::builder().name(format!("tag:{key}")).values(value).build();
    let states = ["pending", "running", "stopping", "stopped"].map(str::to_owned).to_vec();
    let up = Filter::builder().name("instance-state-name").set_values(Some(states)).build();
    ids(ec2, location, [tag, up]).await
}

async fn by_token(
    ec2: &Client,
    location: &Location,
    token: &str,
    mut waiting: Waiting,
) -> Result<Option<String>, CallError> {
    loop {
        let filter = Filter::builder().name("client-token").values(token).build();
        if let Some(found) = ids(ec2, location, [filter]).await?.into_iter().next() {
            return Ok(Some(found));
        }
        if waiting.pause().await.is_err() {
            return Ok(None);
        }
    }
}

async fn ids<const N: usize>(
    ec2: &Client,
    location: &Location,
    filters: [Filter; N],
) -> Result<Vec<String>, CallError> {
    let mut pages = ec2.describe_instances().set_filters(Some(filters.to_vec())).into_paginator().send();
    let mut all = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(CallError::of("DescribeInstances", location))?;
        let found = page.reservations.unwrap_or_default();
        all.extend(found.iter().flat_map(Reservation::instances).filter_map(|one| one.instance_id.clone()));
    }
    Ok(all)
}

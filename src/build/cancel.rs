//! Cancels builds.

use super::error::BuildError;
use super::follow::look;
use crate::aws::wait::Poller;
use crate::aws::{CallError, Cloud};
use crate::plan::token;
use std::time::Duration;

/// Asks the service to cancel a build. The instance it runs on is the service's to end.
///
/// # Errors
/// When the call fails; a build that has ended already is no failure.
pub async fn cancel(cloud: &Cloud, image_arn: &str) -> Result<(), BuildError> {
    let answer = cloud
        .imagebuilder()
        .cancel_image_creation()
        .image_build_version_arn(image_arn)
        .client_token(token(&["cancel", image_arn]))
        .send()
        .await;
    let Err(error) = answer.map_err(CallError::of("CancelImageCreation", cloud.home())) else {
        return Ok(());
    };
    let ended = look(cloud, image_arn).await?.ended();
    if ended { Ok(()) } else { Err(error.into()) }
}

/// What became of a build that was to be cancelled.
#[derive(Debug)]
pub struct Cancelled {
    /// Image build version ARN.
    pub image_arn: String,
    /// Its state in the end, or why it is not known.
    pub end: Result<String, BuildError>,
}

/// Cancels builds and waits until they have ended, all together until one deadline. A build that will not end in time is told as
/// timed out; every build is told of.
pub async fn cancel_all(cloud: &Cloud, image_arns: &[String], deadline: Duration) -> Vec<Cancelled> {
    let mut asked = Vec::new();
    for arn in image_arns {
        asked.push((arn, cancel(cloud, arn).await));
    }
    let mut waiting = Poller { every: cloud.poll(), deadline }.start();
    let mut all = Vec::new();
    for (arn, asked) in asked {
        let end = match asked {
            Err(error) => Err(error),
            Ok(()) => loop {
                match look(cloud, arn).await {
                    Err(error) => break Err(error),
                    Ok(seen) if seen.ended() => break Ok(seen.status),
                    Ok(seen) => {
                        if let Err(timed_out) = waiting.pause().await {
                            break Err(BuildError::TimedOut { image_arn: arn.clone(), status: seen.status, timed_out });
                        }
                    }
                }
            },
        };
        all.push(Cancelled { image_arn: arn.clone(), end });
    }
    all
}

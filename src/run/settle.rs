//! EC2 is eventually consistent: what one call has made, the next may not see yet. Stages that build on what an earlier one has done
//! wait here until it shows; whether it ever does is for the stage itself to judge.

use crate::aws::wait::Poller;
use crate::aws::{CallError, Cloud};
use crate::evidence;
use aws_sdk_ec2::types::ImageState;
use std::time::Duration;

/// How long it is waited: EC2 speaks of seconds, minutes at worst.
const PATIENCE: Duration = Duration::from_mins(1);
/// Longest time between two looks.
const EVERY: Duration = Duration::from_secs(2);

/// Waits until an image that was made is known, and no longer shown as the pending one that it was.
pub(super) async fn visible(cloud: &Cloud, ami: &str) {
    let mut waiting = waiting(cloud);
    while !shown(cloud, ami).await && waiting.pause().await.is_ok() {}
}

/// Whether it can be seen as it is; what goes wrong otherwise is for the stage to find out.
async fn shown(cloud: &Cloud, ami: &str) -> bool {
    let answer = cloud.ec2(cloud.home()).describe_images().image_ids(ami).send().await;
    match answer.map_err(CallError::of("DescribeImages", cloud.home())) {
        Ok(answer) => answer.images().first().is_some_and(|image| image.state() != Some(&ImageState::Pending)),
        Err(error) => !error.fault.is(&["InvalidAMIID.NotFound"]),
    }
}

/// Waits until the digest of its evidence, which was written, can be read on an image.
pub(super) async fn tagged(cloud: &Cloud, ami: &str, digest: &str) {
    let mut waiting = waiting(cloud);
    loop {
        match evidence::recorded_digest(cloud, cloud.home(), ami).await {
            Ok(found) if found.as_deref() == Some(digest) => return,
            Ok(_) if waiting.pause().await.is_ok() => {}
            _ => return,
        }
    }
}

fn waiting(cloud: &Cloud) -> crate::aws::wait::Waiting {
    Poller { every: cloud.poll().min(EVERY), deadline: PATIENCE }.start()
}

//! EC2 is eventually consistent: what one call has made, the next may not see yet. Stages that build on what an earlier one has done
//! wait here until it shows; whether it ever does is for the stage itself to judge.

use crate::aws::Cloud;
use crate::aws::wait::Poller;
use crate::evidence;
use std::time::Duration;

/// How long it is waited: EC2 speaks of seconds, minutes at worst.
const PATIENCE: Duration = Duration::from_mins(1);
/// Longest time between two looks.
const EVERY: Duration = Duration::from_secs(2);

/// Waits until an image that was made is known.
pub(super) async fn visible(cloud: &Cloud, ami: &str) {
    let unknown = async || {
        let error = evidence::recorded_digest(cloud, cloud.home(), ami).await.err();
        error.is_some_and(|error| match error {
            evidence::EvidenceError::Call(call) => call.fault.is(&["InvalidAMIID.NotFound"]),
            _ => false,
        })
    };
    let mut waiting = waiting(cloud);
    while unknown().await && waiting.pause().await.is_ok() {}
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

//! Instances that inspections have left whose process is gone: killed, or on a machine that was switched off.
//!
//! Each carries who has started it. One whose process can be seen to be gone is ended, and so is one that is older than any
//! inspection gets, whoever has started it. All others are somebody's work.

use crate::aws::{CallError, Cloud, tags};
use aws_sdk_ec2::types::{Filter, Instance, Reservation, Tag};
use time::{Duration, OffsetDateTime};

/// No inspection takes as long: it waits at most for registration (15 minutes), the scan (30), its result (5) and a handful of
/// commands (5 each).
const LONGEST: Duration = Duration::hours(3);
/// States in which an instance costs something.
const THERE: [&str; 4] = ["pending", "running", "stopping", "stopped"];

/// Ends what is left of inspections of a project in the home Region; the instances' ids. `is_gone` says of a holder whether its
/// process has certainly ended.
///
/// # Errors
/// When a call fails; what was ended until then is ended.
pub async fn sweep(cloud: &Cloud, project: &str, is_gone: impl Fn(&str) -> bool) -> Result<Vec<String>, CallError> {
    let filter = |name: &str, values: &[&str]| {
        Filter::builder().name(name).set_values(Some(values.iter().map(|value| (*value).to_owned()).collect())).build()
    };
    let call = cloud.ec2(cloud.home()).describe_instances();
    let call = call.filters(filter(&format!("tag:{}", tags::PROJECT), &[project]));
    let call = call.filters(filter("tag-key", &[tags::INSPECTS])).filters(filter("instance-state-name", &THERE));
    let mut pages = call.into_paginator().send();
    let mut over = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(CallError::of("DescribeInstances", cloud.home()))?;
        let listed = page.reservations().iter().flat_map(Reservation::instances);
        let left = listed.filter(|instance| is_left(instance, cloud.clock().now(), &is_gone));
        over.extend(left.filter_map(|instance| instance.instance_id().map(str::to_owned)));
    }
    for id in &over {
        let answer = cloud.ec2(cloud.home()).terminate_instances().instance_ids(id).send().await;
        match answer.map_err(CallError::of("TerminateInstances", cloud.home())) {
            // Somebody was faster.
            Err(error) if !error.fault.is(&["InvalidInstanceID.NotFound"]) => return Err(error),
            _ => {}
        }
    }
    Ok(over)
}

fn is_left(instance: &Instance, now: OffsetDateTime, is_gone: impl Fn(&str) -> bool) -> bool {
    let holder = instance.tags().iter().find(|tag| tag.key() == Some(tags::HOLDER)).and_then(Tag::value);
    let launched = instance.launch_time().and_then(|at| OffsetDateTime::from_unix_timestamp(at.secs()).ok());
    launched.is_some_and(|at| now - at > LONGEST) || holder.is_some_and(is_gone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn only_what_nobody_can_be_at_is_left() {
        let now = datetime!(2026-11-23 12:00 UTC);
        let instance = |holder: Option<&str>, minutes: i64| {
            let launched = aws_sdk_ec2::primitives::DateTime::from_secs(now.unix_timestamp() - minutes * 60);
            let tag = holder.map(|holder| Tag::builder().key(tags::HOLDER).value(holder).build());
            Instance::builder().launch_time(launched).set_tags(tag.map(|tag| vec![tag])).build()
        };
        let gone = |holder: &str| holder == "gone";
        assert!(is_left(&instance(Some("gone"), 1), now, gone));
        assert!(!is_left(&instance(Some("alive"), 179), now, gone));
        assert!(is_left(&instance(Some("alive"), 181), now, gone));
        assert!(!is_left(&instance(None, 1), now, gone), "nobody knows whose it is");
    }
}

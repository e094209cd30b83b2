//! The infrastructure configuration of builds whose instances stay when they fail.
//!
//! Whether a failed instance is ended is a setting of the configuration, not of the build, and builds that run must not see it
//! change. So there is one configuration for each time that instances are kept, beside the one that ends them; it is made when a
//! build first asks for it. Its instances carry that time in a tag: whoever finds one knows that it was left on purpose.

use super::configuration::tagged_with;
use super::diff_configuration;
use super::error::PlanError;
use super::fingerprint::digest;
use super::model::{Desired, DesiredInfrastructure, Kind};
use super::observe_configuration::infrastructure;
use super::publish::Published;
use super::publish_configuration::carry_out;
use crate::aws::{Cloud, tags};
use serde_json::json;
use std::time::Duration;

/// The configuration's ARN; it is created or updated when it is not there as it should be.
///
/// # Errors
/// When one of that name is not the project's, or a call fails.
pub async fn keeping(cloud: &Cloud, desired: &Desired, keep: Duration) -> Result<String, PlanError> {
    let infrastructure_wanted = wanted(&desired.infrastructure, keep);
    let name = infrastructure_wanted.name.clone();
    let desired = Desired { infrastructure: infrastructure_wanted, ..desired.clone() };
    let known = infrastructure(cloud, &name).await?;
    let change = diff_configuration::infrastructure(&desired, known.as_ref());
    if change.foreign() {
        let (arn, project) = (change.arn.unwrap_or_default(), desired.project);
        return Err(PlanError::Foreign { kind: Kind::Infrastructure, name, arn, project });
    }
    let arn = carry_out(cloud, &desired, &change, &Published::default()).await?;
    arn.ok_or(PlanError::Answer {
        operation: "CreateInfrastructureConfiguration",
        what: "infrastructureConfigurationArn",
    })
}

/// The same as `usual`, with other manners.
fn wanted(usual: &DesiredInfrastructure, keep: Duration) -> DesiredInfrastructure {
    let time = minutes(keep);
    let mut wanted = usual.clone();
    wanted.name = format!("{}-keep-{time}", usual.name);
    wanted.terminates = false;
    wanted.resource_tags.insert(tags::KEEP.to_owned(), time);
    wanted.fingerprint = digest(&json!({
        "schema": "amiforge.infrastructure-keep/1", "name": wanted.name, "settings": wanted.settings().value(),
    }));
    wanted.tags = tagged_with(&usual.tags, &wanted.fingerprint);
    wanted
}

/// A time as it stands in names and tags: `120m`, at least one minute.
pub(crate) fn minutes(time: Duration) -> String {
    format!("{}m", time.as_secs().div_ceil(60).max(1))
}

/// The time that a tag says.
pub(crate) fn time_of(text: &str) -> Option<Duration> {
    text.strip_suffix('m')?.parse().ok().filter(|minutes| *minutes > 0).map(Duration::from_mins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_time_has_its_own_configuration_with_the_same_machine() {
        let usual = super::super::fixture().infrastructure;
        let (short, long) = (wanted(&usual, Duration::from_mins(30)), wanted(&usual, Duration::from_hours(2)));
        assert_eq!((short.name.as_str(), long.name.as_str()), ("acme-local-keep-30m", "acme-local-keep-120m"));
        assert!(!short.terminates && usual.terminates);
        assert_eq!(short.instance_profile, usual.instance_profile);
        assert_eq!(long.resource_tags[tags::KEEP], "120m");
        assert_eq!(long.tags[tags::FINGERPRINT], long.fingerprint);
        assert_eq!(long.tags[tags::PROJECT], "acme");
        assert!(short.fingerprint != long.fingerprint && long.fingerprint != usual.fingerprint);
        for time in [Duration::from_secs(1), Duration::from_secs(90), Duration::from_hours(49)] {
            assert!(time_of(&minutes(time)).unwrap() >= time);
        }
        assert_eq!((time_of("2h"), time_of("0m"), time_of("m")), (None, None, None));
    }
}

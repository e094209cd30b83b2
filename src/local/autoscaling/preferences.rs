//! What may be asked of a refresh, within the limits of the service's model.

use super::super::input::Input;
use super::super::wire::ServiceError;
use super::{known, refused};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::time::Duration;

const KNOWN: [&str; 11] = [
    "AlarmSpecification",
    "AutoRollback",
    "BakeTime",
    "CheckpointDelay",
    "CheckpointPercentages",
    "InstanceWarmup",
    "MaxHealthyPercentage",
    "MinHealthyPercentage",
    "ScaleInProtectedInstances",
    "SkipMatching",
    "StandbyInstances",
];
/// Longest delay and bake time, in seconds.
const LONGEST: i64 = 172_800;
/// Alarms that can be named.
const MOST_ALARMS: usize = 10;

/// `RefreshPreferences`, with the service's defaults.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Preferences {
    pub(super) min: u32,
    pub(super) max: Option<u32>,
    /// Seconds; absent: the group's.
    pub(super) warmup: Option<u32>,
    pub(super) checkpoints: Vec<u32>,
    /// Seconds.
    pub(super) delay: u32,
    pub(super) skip_matching: bool,
    pub(super) rollback: bool,
    pub(super) protected: String,
    pub(super) standby: String,
    pub(super) alarms: Vec<String>,
    /// Seconds.
    pub(super) bake: u32,
}

impl Preferences {
    /// Reads `Preferences` of a request.
    ///
    /// # Errors
    /// What the service refuses.
    pub(super) fn read(request: &Input<'_>) -> Result<Self, ServiceError> {
        let empty = json!({});
        let input = request.object("Preferences")?.unwrap_or_else(|| super::input(&empty));
        known(&input, &KNOWN)?;
        let word = |name: &str, allowed: [&str; 3]| {
            Ok::<_, ServiceError>(input.one_of(name, &allowed)?.unwrap_or("Wait").to_owned())
        };
        let checkpoints = checkpoints(&input)?;
        let delay = number(&input, "CheckpointDelay", LONGEST)?;
        if delay.is_some() && checkpoints.is_empty() {
            return Err(refused("CheckpointDelay cannot be specified without CheckpointPercentages."));
        }
        let (min, max) = healthy(&input)?;
        Ok(Self {
            min,
            max,
            warmup: number(&input, "InstanceWarmup", i64::from(i32::MAX))?,
            checkpoints,
            delay: delay.unwrap_or(3600),
            skip_matching: input.flag("SkipMatching")?.unwrap_or(false),
            rollback: input.flag("AutoRollback")?.unwrap_or(false),
            protected: word("ScaleInProtectedInstances", ["Refresh", "Ignore", "Wait"])?,
            standby: word("StandbyInstances", ["Terminate", "Ignore", "Wait"])?,
            alarms: alarms(&input)?,
            bake: number(&input, "BakeTime", LONGEST)?.unwrap_or(0),
        })
    }

    /// As answers show them.
    pub(super) fn render(&self) -> Value {
        let mut shown = json!({
            "MinHealthyPercentage": self.min,
            "MaxHealthyPercentage": self.max,
            "InstanceWarmup": self.warmup,
            "SkipMatching": self.skip_matching,
            "AutoRollback": self.rollback,
            "ScaleInProtectedInstances": self.protected,
            "StandbyInstances": self.standby,
            "BakeTime": self.bake,
        });
        if !self.checkpoints.is_empty() {
            shown["CheckpointPercentages"] = json!(self.checkpoints);
            shown["CheckpointDelay"] = json!(self.delay);
        }
        if !self.alarms.is_empty() {
            shown["AlarmSpecification"] = json!({ "Alarms": self.alarms });
        }
        shown
    }

    /// Instances of `desired` that are replaced at once: at least one, or nothing would ever happen.
    pub(super) fn batch(&self, desired: u32) -> u32 {
        let below = desired - (desired * self.min).div_ceil(100);
        let above = (desired * self.max.unwrap_or(100)) / 100 - desired;
        (below + above).max(1)
    }

    /// Time for which it waits after a checkpoint.
    pub(super) fn delay(&self) -> Duration {
        Duration::from_secs(self.delay.into())
    }
}

fn number(input: &Input<'_>, name: &str, most: i64) -> Result<Option<u32>, ServiceError> {
    Ok(input.between(name, 0..=most)?.and_then(|value| u32::try_from(value).ok()))
}

fn healthy(input: &Input<'_>) -> Result<(u32, Option<u32>), ServiceError> {
    let min = number(input, "MinHealthyPercentage", 100)?;
    let max = input.between("MaxHealthyPercentage", 100..=200)?.and_then(|value| u32::try_from(value).ok());
    match (min, max) {
        (None, Some(_)) => Err(refused("MaxHealthyPercentage cannot be specified without MinHealthyPercentage.")),
        (Some(min), Some(max)) if max - min > 100 => Err(refused(
            "The difference between MaxHealthyPercentage and MinHealthyPercentage cannot be greater than 100.",
        )),
        (min, max) => Ok((min.unwrap_or(90), max)),
    }
}

fn checkpoints(input: &Input<'_>) -> Result<Vec<u32>, ServiceError> {
    let texts = input.texts("CheckpointPercentages")?;
    let all: Option<Vec<u32>> = texts.iter().map(|text| text.parse().ok().filter(|n| (1..=100).contains(n))).collect();
    let all = all.ok_or_else(|| input.invalid("CheckpointPercentages", "Every item must be from 1 to 100."))?;
    if !all.is_sorted_by(|a, b| a < b) {
        return Err(refused("CheckpointPercentages must be unique and in ascending order."));
    }
    Ok(all)
}

fn alarms(input: &Input<'_>) -> Result<Vec<String>, ServiceError> {
    let Some(specification) = input.object("AlarmSpecification")? else { return Ok(vec![]) };
    let names = specification.texts("Alarms")?;
    if names.len() > MOST_ALARMS || names.iter().any(|name| name.is_empty() || name.chars().count() > 255) {
        let why = format!("At most {MOST_ALARMS} alarms with names of 1 to 255 characters can be specified.");
        return Err(specification.invalid("Alarms", &why));
    }
    Ok(names.into_iter().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(preferences: &Value) -> Result<Preferences, ServiceError> {
        let request = json!({ "Preferences": preferences });
        Preferences::read(&super::super::input(&request))
    }

    #[test]
    fn what_the_service_refuses_is_refused() {
        for (preferences, said) in [
            (json!({ "MaxHealthyPercentage": "110" }), "without MinHealthyPercentage"),
            (json!({ "MinHealthyPercentage": "50", "MaxHealthyPercentage": "151" }), "greater than 100"),
            (json!({ "MinHealthyPercentage": "101" }), "between 0 and 100"),
            (json!({ "MinHealthyPercentage": "90", "MaxHealthyPercentage": "99" }), "between 100 and 200"),
            (json!({ "CheckpointPercentages": ["50", "20"] }), "ascending"),
            (json!({ "CheckpointPercentages": ["20", "20"] }), "unique"),
            (json!({ "CheckpointPercentages": ["0"] }), "from 1 to 100"),
            (json!({ "CheckpointDelay": "60" }), "without CheckpointPercentages"),
            (json!({ "BakeTime": "172801" }), "between 0 and 172800"),
            (json!({ "StandbyInstances": "Leave" }), "not one of"),
            (
                json!({ "AlarmSpecification": { "Alarms": (0..11).map(|n| n.to_string()).collect::<Vec<_>>() } }),
                "At most 10",
            ),
            (json!({ "Colour": "red" }), "Colour is not in the local environment"),
        ] {
            let error = read(&preferences).unwrap_err();
            assert!(error.code == "ValidationError" && error.message.contains(said), "{preferences}: {error}");
        }
    }

    #[test]
    fn batches_keep_within_the_healthy_percentages() {
        let batch = |min: &str, max: Option<&str>, desired| {
            let mut preferences = json!({ "MinHealthyPercentage": min });
            if let Some(max) = max {
                preferences["MaxHealthyPercentage"] = json!(max);
            }
            read(&preferences).unwrap().batch(desired)
        };
        assert_eq!([batch("90", None, 10), batch("90", None, 4), batch("50", None, 4)], [1, 1, 2]);
        assert_eq!([batch("100", None, 4), batch("100", Some("150"), 4), batch("0", None, 4)], [1, 2, 4]);
        assert_eq!(batch("90", Some("110"), 20), 4);
        assert_eq!(batch("90", None, 0), 1);
    }
}

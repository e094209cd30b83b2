//! The schema of `refresh` of a channel.

use super::{default, described, duration, flag, mapping, number, or_nothing};
use crate::project::refresh::{CHECKPOINT, LONGEST_ALARM, MAX_HEALTHY, MIN_HEALTHY, MOST_ALARMS, ROLLBACKS};
use serde_json::{Value, json};

/// How Auto Scaling groups are refreshed.
pub fn refresh() -> Value {
    let checkpoints = json!({ "type": "array", "minItems": 1, "uniqueItems": true, "items": number(CHECKPOINT) });
    let alarm = json!({ "type": "string", "minLength": 1, "maxLength": LONGEST_ALARM });
    let alarms = json!({ "type": "array", "maxItems": MOST_ALARMS, "items": alarm });
    let rollback = default("auto", json!({ "enum": ROLLBACKS }));
    let mut schema = mapping(
        &[],
        [
            ("min_healthy", described("Percentage of the group that stays in service.", number(MIN_HEALTHY))),
            (
                "max_healthy",
                described("Percentage that may be in service or pending; needs `min_healthy`.", number(MAX_HEALTHY)),
            ),
            ("warmup", described("Time until a new instance counts; the group's own when not given.", duration())),
            ("checkpoints", described("Percentages at which it waits, ascending; the last one is 100.", checkpoints)),
            ("checkpoint_delay", described("For how long; an hour when not given.", duration())),
            ("bake", described("Time to wait at the end.", duration())),
            ("alarms", described("CloudWatch alarms that fail it.", alarms)),
            ("rollback", described("What becomes of a group whose refresh fails.", rollback)),
            ("skip_matching", described("Whether instances stay that run the version already.", flag(true))),
            ("parallel", described("Whether all targets are refreshed at once.", flag(false))),
            ("deadline", described("How long a refresh is followed before it is left to itself.", duration())),
        ],
    );
    schema["dependencies"] = json!({ "max_healthy": ["min_healthy"], "checkpoint_delay": ["checkpoints"] });
    described("How Auto Scaling groups are brought to a release, with --refresh.", or_nothing(schema))
}

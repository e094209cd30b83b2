//! `channels.NAME.refresh`: how Auto Scaling groups are brought to a release of the channel. The limits are those of the service's
//! model (patch-baselines.md 12.9), so that what it would refuse is refused before anything has moved.

use super::codes;
use super::fields::{Fields, Findings, text};
use crate::diagnostic::Span;
use crate::yaml::Node;
use std::time::Duration;

/// What `rollback` may be.
pub(super) const ROLLBACKS: [&str; 2] = ["auto", "none"];
/// Limits of `min_healthy`.
pub(super) const MIN_HEALTHY: (u32, u32) = (0, 100);
/// Limits of `max_healthy`.
pub(super) const MAX_HEALTHY: (u32, u32) = (100, 200);
/// Limits of a checkpoint.
pub(super) const CHECKPOINT: (u32, u32) = (1, 100);
/// Alarms that can be named.
pub(super) const MOST_ALARMS: usize = 10;
/// Most characters of an alarm's name.
pub(super) const LONGEST_ALARM: usize = 255;
/// Longest time to wait at a checkpoint and at the end.
const LONGEST_WAIT: Duration = Duration::from_hours(48);
/// The service ends a refresh after this time.
const LONGEST_REFRESH: Duration = Duration::from_hours(14 * 24);
/// Time that the service waits at a checkpoint by itself.
const CHECKPOINT_DELAY: Duration = Duration::from_hours(1);
/// How long a refresh is followed, not counting the times that it is told to wait.
const FOLLOWED: Duration = Duration::from_hours(4);

/// How groups are refreshed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refresh {
    /// Percentage of the desired capacity that stays in service; absent: as the group says, or 90.
    pub min_healthy: Option<u32>,
    /// Percentage that may be in service or pending; absent: as the group says, or 100.
    pub max_healthy: Option<u32>,
    /// Time until a new instance counts; absent: the group's own.
    pub warmup: Option<Duration>,
    /// Percentages at which it is waited; the last one is 100.
    pub checkpoints: Vec<u32>,
    /// For how long; absent: an hour.
    pub checkpoint_delay: Option<Duration>,
    /// Time to wait at the end.
    pub bake: Option<Duration>,
    /// Names of `CloudWatch` alarms that fail it.
    pub alarms: Vec<String>,
    /// Whether a refresh that fails is rolled back.
    pub rollback: bool,
    /// Whether instances stay that run the version already.
    pub skip_matching: bool,
    /// How long a refresh is followed.
    pub deadline: Option<Duration>,
    /// Whether all targets are refreshed at once, and not one after the other.
    pub parallel: bool,
}

impl Default for Refresh {
    fn default() -> Self {
        Self {
            min_healthy: None,
            max_healthy: None,
            warmup: None,
            checkpoints: vec![],
            checkpoint_delay: None,
            bake: None,
            alarms: vec![],
            rollback: true,
            skip_matching: true,
            deadline: None,
            parallel: false,
        }
    }
}

impl Refresh {
    /// Time that it is told to wait: at checkpoints and at the end.
    #[must_use]
    pub fn waits(&self) -> Duration {
        let stops = u32::try_from(self.checkpoints.len()).unwrap_or(u32::MAX);
        self.checkpoint_delay.unwrap_or(CHECKPOINT_DELAY).saturating_mul(stops) + self.bake.unwrap_or_default()
    }

    /// How long one is followed before it is left to itself: four hours more than it is told to wait, unless the project says
    /// otherwise.
    #[must_use]
    pub fn deadline(&self) -> Duration {
        self.deadline.unwrap_or_else(|| FOLLOWED + self.waits())
    }
}

/// Reads `refresh` of a channel.
pub(super) fn read(node: &Node, path: &str, out: &mut Findings) -> Refresh {
    let mut read = Refresh::default();
    let Some(mut fields) = Fields::new(node, path, true, out) else { return read };
    let given = |key: &str| node.entry(key);
    let mut number = |key: &'static str, limits: (u32, u32), out: &mut Findings| {
        let value = fields.number(key, limits.0, limits, out);
        given(key).map(|_| value)
    };
    read.min_healthy = number("min_healthy", MIN_HEALTHY, out);
    read.max_healthy = number("max_healthy", MAX_HEALTHY, out);
    read.warmup = fields.duration("warmup", out);
    let (delays, bakes) = (fields.path("checkpoint_delay"), fields.path("bake"));
    read.checkpoint_delay = fields.duration("checkpoint_delay", out);
    read.bake = fields.duration("bake", out);
    for (key, path, value) in [("checkpoint_delay", delays, read.checkpoint_delay), ("bake", bakes, read.bake)] {
        if let (Some((_, node)), true) = (given(key), value.is_some_and(|value| value > LONGEST_WAIT)) {
            out.error(codes::NOT_ALLOWED, node.span, format!("`{path}` has to be at most 48h"), "too long");
        }
    }
    read.checkpoints = checkpoints(&mut fields, out);
    read.alarms = alarms(&mut fields, out);
    read.rollback = fields.choice("rollback", &ROLLBACKS, out) != Some("none");
    read.skip_matching = fields.boolean("skip_matching", true, out);
    read.parallel = fields.boolean("parallel", false, out);
    read.deadline = fields.duration("deadline", out);
    together(&read, node, path, out);
    fields.finish(out);
    read
}

/// What does not go together.
fn together(read: &Refresh, node: &Node, path: &str, out: &mut Findings) {
    let span = |key: &str| node.entry(key).map_or(node.span, |(key, _)| key.span);
    match (read.min_healthy, read.max_healthy) {
        (None, Some(_)) => {
            let message = format!("`{path}.max_healthy` needs `{path}.min_healthy`");
            out.error(codes::MISSING, span("max_healthy"), message, "`min_healthy` is missing");
        }
        (Some(min), Some(max)) if max - min > 100 => {
            let message = format!("`{path}.min_healthy` and `{path}.max_healthy` are more than 100 apart");
            let found = out.error(codes::NOT_ALLOWED, span("max_healthy"), message, "too far apart");
            found.help.push(format!("with min_healthy {min}, max_healthy is at most {}", min + 100));
        }
        _ => {}
    }
    if read.checkpoint_delay.is_some() && read.checkpoints.is_empty() && node.entry("checkpoints").is_none() {
        let message = format!("`{path}.checkpoint_delay` needs `{path}.checkpoints`");
        let found = out.error(codes::MISSING, span("checkpoint_delay"), message, "`checkpoints` is missing");
        found.help.push("for a time to wait at the end there is `bake`".to_owned());
    }
    let Some(deadline) = read.deadline else { return };
    if deadline <= read.waits() || deadline > LONGEST_REFRESH {
        let message = format!("`{path}.deadline` can never be kept: checkpoints and bake time alone take as long");
        let message = if deadline > LONGEST_REFRESH {
            format!("`{path}.deadline` has to be at most 14d: the service ends a refresh then")
        } else {
            message
        };
        out.error(codes::NOT_ALLOWED, span("deadline"), message, "not a deadline");
    }
}

fn checkpoints(fields: &mut Fields<'_>, out: &mut Findings) -> Vec<u32> {
    let path = fields.path("checkpoints");
    let Some(node) = fields.take("checkpoints") else { return vec![] };
    let Some(items) = node.items() else {
        out.wrong_type(&path, "a list", node);
        return vec![];
    };
    if items.is_empty() {
        out.error(codes::MISSING, node.span, format!("`{path}` is empty"), "no checkpoint");
    }
    let mut all = vec![];
    for item in items {
        let Some(value) = item.as_int() else {
            out.wrong_type(&path, "a list of whole numbers", item);
            continue;
        };
        match u32::try_from(value).ok().filter(|value| (CHECKPOINT.0..=CHECKPOINT.1).contains(value)) {
            None => {
                let message = format!("`{path}` has to be from {} to {}", CHECKPOINT.0, CHECKPOINT.1);
                out.error(codes::NOT_ALLOWED, item.span, message, "out of range");
            }
            Some(value) if all.last().is_some_and(|last| *last >= value) => {
                let message = format!("`{path}` is not in ascending order");
                out.error(codes::NOT_ALLOWED, item.span, message, "not more than the one before");
            }
            Some(value) => all.push(value),
        }
    }
    if let Some((last, item)) = all.last().zip(items.last())
        && *last != CHECKPOINT.1
    {
        let message = format!("the last one of `{path}` is not 100, so instances with the old image would stay");
        out.error(codes::NOT_ALLOWED, item.span, message, "100 has to be the last one");
    }
    all
}

fn alarms(fields: &mut Fields<'_>, out: &mut Findings) -> Vec<String> {
    let path = fields.path("alarms");
    let items = fields.list("alarms", out);
    if let Some(first) = items.get(MOST_ALARMS) {
        let message = format!("`{path}` has more than {MOST_ALARMS} alarms");
        out.error(codes::TOO_MANY, first.span, message, "one too many");
    }
    let read = |item: &Node| alarm(text(item, &path, out)?, item.span, &path, out);
    let mut read = read;
    items.iter().filter_map(&mut read).collect()
}

fn alarm(name: String, span: Span, path: &str, out: &mut Findings) -> Option<String> {
    if (1..=LONGEST_ALARM).contains(&name.chars().count()) {
        return Some(name);
    }
    let message = format!("an alarm of `{path}` has a name of 1 to {LONGEST_ALARM} characters");
    out.error(codes::NOT_ALLOWED, span, message, "not a name");
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::SourceFile;

    fn read_text(text: &str) -> (Refresh, Vec<String>) {
        let source = SourceFile::new("amiforge.yaml", text);
        let node = crate::yaml::parse(&source).unwrap();
        let mut out = Findings::new(&source);
        let read = read(&node, "channels.a.refresh", &mut out);
        (read, out.into_list().into_iter().map(|found| found.message).collect())
    }

    #[test]
    fn everything_has_a_default() {
        let (read, faults) = read_text("{}");
        assert!(faults.is_empty() && read == Refresh::default(), "{faults:?}");
        assert_eq!(read.deadline(), Duration::from_hours(4));
        let (read, faults) = read_text(
            "{ min_healthy: 100, max_healthy: 150, warmup: 2m, checkpoints: [10, 50, 100], checkpoint_delay: 15m, bake: 30m,\n\
             alarms: [errors], rollback: none, skip_matching: false, parallel: true }",
        );
        assert!(faults.is_empty(), "{faults:?}");
        assert_eq!((read.min_healthy, read.max_healthy, read.rollback), (Some(100), Some(150), false));
        assert_eq!(read.deadline(), Duration::from_mins(240 + 45 + 30));
    }

    #[test]
    fn what_the_service_would_refuse_is_refused() {
        for (text, said) in [
            ("{ min_healthy: 101 }", "has to be from 0 to 100"),
            ("{ max_healthy: 150 }", "needs `channels.a.refresh.min_healthy`"),
            ("{ min_healthy: 40, max_healthy: 150 }", "more than 100 apart"),
            ("{ checkpoints: [] }", "is empty"),
            ("{ checkpoints: [50, 10, 100] }", "not in ascending order"),
            ("{ checkpoints: [50, 50, 100] }", "not in ascending order"),
            ("{ checkpoints: [10, 50] }", "is not 100"),
            ("{ checkpoints: [0, 100] }", "from 1 to 100"),
            ("{ checkpoints: [half] }", "whole number"),
            ("{ checkpoint_delay: 5m }", "needs `channels.a.refresh.checkpoints`"),
            ("{ checkpoints: [10, 100], checkpoint_delay: 3d }", "at most 48h"),
            ("{ bake: 49h }", "at most 48h"),
            ("{ alarms: [a, b, c, d, e, f, g, h, i, j, k] }", "more than 10"),
            ("{ alarms: [''] }", "1 to 255"),
            ("{ rollback: sometimes }", "cannot be `sometimes`"),
            ("{ deadline: 30m, bake: 1h }", "can never be kept"),
            ("{ deadline: 15d }", "at most 14d"),
            ("{ colour: red }", "not a key"),
        ] {
            let (_, faults) = read_text(text);
            assert!(faults.len() == 1 && faults[0].contains(said), "{text}: {faults:?}");
        }
    }
}

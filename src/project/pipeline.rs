//! `pipeline:` of a recipe: Image Builder builds it by itself, at the times that are given.

use super::fields::{Fields, Findings};
use super::{Pipeline, Schedule, StartCondition, codes};
use crate::diagnostic::Span;
use crate::yaml::Node;
use regex_lite::Regex;
use std::sync::LazyLock;

/// What `start` may be: image-builder.md section 10, `pipelineExecutionStartCondition`.
pub(super) const STARTS: [&str; 2] = ["when-updated", "always"];
/// Limits of `autoDisablePolicy.failureCount` (image-builder.md section 10).
pub(super) const FAILURES: (u32, u32) = (1, 10);
/// IANA names, as the service's model takes them (pattern `Timezone`, image-builder.md section 22).
pub(super) const TIMEZONE: &str = r"^[a-zA-Z0-9]{2,}(/[a-zA-Z0-9_+-]+)*$";
/// Lengths of a time zone's name.
pub(super) const TIMEZONE_LENGTH: (usize, usize) = (3, 100);

/// What the six fields of a schedule hold: minutes, hours, day of the month, month, day of the week, year.
const MINUTE: &str = "[1-5]?[0-9]";
const HOUR: &str = "1?[0-9]|2[0-3]";
const DAY: &str = "[1-9]|[12][0-9]|3[01]";
const MONTH: &str = "[1-9]|1[0-2]|JAN|FEB|MAR|APR|MAY|JUN|JUL|AUG|SEP|OCT|NOV|DEC";
const WEEKDAY: &str = "[1-7]|SUN|MON|TUE|WED|THU|FRI|SAT";
const YEAR: &str = "19[7-9][0-9]|20[0-9]{2}|21[0-9]{2}";

/// A list of values and ranges, each with steps: `*/2`, `1,5-9`.
fn list(value: &str) -> String {
    let item = format!(r"(\*|({value})(-({value}))?)(/[1-9][0-9]?)?");
    format!("{item}(,{item})*")
}

/// The pattern of `schedule`: `cron(…)` with six fields of which exactly one of the two days is `?`, or `rate(n unit)`
/// (image-builder.md section 10). Readers and schema share it.
pub(super) fn schedule_pattern() -> String {
    let day = format!("({}|L|LW|({DAY})W)", list(DAY));
    let weekday = format!("({}|({WEEKDAY})?L|({WEEKDAY})#[1-5])", list(WEEKDAY));
    let (minute, hour, month, year) = (list(MINUTE), list(HOUR), list(MONTH), list(YEAR));
    let days = format!(r"({day} ({month}) \?|\? ({month}) {weekday})");
    format!(
        r"^(cron\(({minute}) ({hour}) {days} ({year})\)|rate\((1 (minute|hour|day)|([2-9]|[1-9][0-9]+) (minutes|hours|days))\))$"
    )
}

static SCHEDULE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(&schedule_pattern()).ok());
static ZONE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(TIMEZONE).ok());

fn fits(pattern: &LazyLock<Option<Regex>>, text: &str) -> bool {
    pattern.as_ref().is_some_and(|pattern| pattern.is_match(text))
}

/// Whether a text is a schedule that recipes take.
#[must_use]
#[cfg(feature = "aws")]
pub(crate) fn is_schedule(text: &str) -> bool {
    fits(&SCHEDULE, text)
}

/// Reads `pipeline`.
pub(super) fn read(node: &Node, out: &mut Findings) -> Option<Pipeline> {
    let mut fields = Fields::new(node, "pipeline", true, out)?;
    let expression = fields.text("schedule", out);
    let place = node.entry("schedule").map_or(node.span, |(_, value)| value.span);
    let given = fields.text("timezone", out);
    let zone = node.entry("timezone").map_or(node.span, |(_, value)| value.span);
    let start = fields.choice("start", &STARTS, out);
    let disable_after = node.get("disable_after").map(|_| fields.number("disable_after", 5, FAILURES, out));
    if disable_after.is_none() {
        fields.take("disable_after");
    }
    let enabled = fields.boolean("enabled", true, out);
    fields.finish(out);
    if let Some(text) = &expression {
        check_schedule(text, place, out);
    }
    if let Some(text) = &given {
        check_zone(text, zone, out);
    }
    // The service's own default, however it is said.
    let timezone = given.filter(|zone| zone != "UTC");
    let Some(expression) = expression else {
        alone(node, out);
        return Some(Pipeline { schedule: None, enabled });
    };
    let start = if start == Some("always") { StartCondition::Always } else { StartCondition::WhenUpdated };
    Some(Pipeline { schedule: Some(Schedule { expression, timezone, start, disable_after }), enabled })
}

/// What says more about a schedule needs one.
fn alone(node: &Node, out: &mut Findings) {
    if node.get("schedule").is_some() {
        return;
    }
    for key in ["timezone", "start", "disable_after"] {
        if let Some((name, _)) = node.entry(key) {
            let message = format!("`pipeline.{key}` has no meaning without `schedule`");
            let found = out.error(codes::MISSING, name.span, message, "for which schedule?");
            found.help.push(
                "for example `schedule: cron(0 4 ? * TUE *)`; without one the pipeline is started by hand".into(),
            );
        }
    }
}

fn check_schedule(text: &str, span: Span, out: &mut Findings) {
    if fits(&SCHEDULE, text) {
        return;
    }
    let found =
        out.error(codes::SCHEDULE, span, format!("`{text}` is not a schedule of EventBridge"), "not a schedule");
    found.notes.push(
        "six fields: minutes, hours, day of the month, month, day of the week, year; one of the two days is ?".into(),
    );
    found.help.push("for example cron(0 4 ? * TUE *), every Tuesday at four, or rate(7 days)".into());
}

fn check_zone(text: &str, span: Span, out: &mut Findings) {
    if !fits(&ZONE, text) || !(TIMEZONE_LENGTH.0..=TIMEZONE_LENGTH.1).contains(&text.len()) {
        let found = out.error(codes::SCHEDULE, span, format!("`{text}` is not a time zone"), "not an IANA name");
        found.help.push("for example Europe/Berlin; UTC when absent".into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::SourceFile;

    #[test]
    fn schedules_are_those_of_the_service() {
        for good in [
            "cron(0 4 ? * TUE *)",
            "cron(0 0 * * ? *)",
            "cron(*/15 8-17 ? * MON-FRI 2026)",
            "cron(0 10 LW * ? *)",
            "cron(0 10 15W 1,7 ? *)",
            "cron(0 10 ? * 3#2 *)",
            "cron(0 10 ? * 6L *)",
            "cron(59 23 31 DEC ? 2026-2030)",
            "rate(1 day)",
            "rate(7 days)",
            "rate(12 hours)",
        ] {
            assert!(fits(&SCHEDULE, good), "{good}");
        }
        for bad in [
            "",
            "daily",
            "cron(0 4 * * TUE *)",
            "cron(0 4 ? * ? *)",
            "cron(0 4 * * *)",
            "cron(60 4 ? * TUE *)",
            "cron(0 24 ? * TUE *)",
            "cron(0 4 32 * ? *)",
            "cron(0 4 ? 13 TUE *)",
            "cron(0 4 ? * TUE)",
            "cron(0 4 ? * tue *)",
            "cron(0  4 ? * TUE *)",
            "rate(0 days)",
            "rate(1 days)",
            "rate(2 day)",
            "rate(2 weeks)",
            "cron(0 4 ? * TUE *) ",
        ] {
            assert!(!fits(&SCHEDULE, bad), "{bad}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_where_it_stands() {
        let source = SourceFile::new("recipes/web.yaml", "schedule: daily\ntimezone: \"+2\"\nstart: always\n");
        let mut out = Findings::new(&source);
        let node = crate::yaml::parse(&source).unwrap();
        assert!(read(&node, &mut out).is_some());
        let told: Vec<(&str, String)> = out.into_list().into_iter().map(|found| (found.code, found.message)).collect();
        let expected = [("P027", "`daily` is not a schedule of EventBridge"), ("P027", "`+2` is not a time zone")];
        assert_eq!(told, expected.map(|(code, message)| (code, message.to_owned())));
    }

    #[test]
    fn time_zones_are_names() {
        for (good, zone) in
            [(true, "UTC"), (true, "Europe/Berlin"), (true, "Etc/GMT+5"), (false, "+02:00"), (false, "Europe/")]
        {
            assert_eq!(fits(&ZONE, zone), good, "{zone}");
        }
    }
}

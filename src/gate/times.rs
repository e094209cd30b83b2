//! Times of the evidence, and how old they are.

use crate::event::human_duration;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// How far the service's clock may be ahead of ours before a time counts as one in the future.
const CLOCK_SKEW: Duration = Duration::from_mins(5);

/// The age of something that happened `at` (RFC 3339). `what` begins the sentence when it cannot be told.
pub(super) fn age(what: &str, at: &str, now: OffsetDateTime) -> Result<Duration, String> {
    let Ok(time) = OffsetDateTime::parse(at, &Rfc3339) else {
        return Err(format!("{what} `{at}` is not a time"));
    };
    match Duration::try_from(now - time) {
        Ok(age) => Ok(age),
        // Negative: it is ahead of us.
        Err(_) if time - now <= CLOCK_SKEW => Ok(Duration::ZERO),
        Err(_) => Err(format!("{what} {at} is in the future; check the clock of this machine")),
    }
}

/// A duration in days, hours or minutes, whichever reads best.
pub(super) fn human(duration: Duration) -> String {
    let minutes = duration.as_secs() / 60;
    let unit = |count: u64, name: &str| format!("{count} {name}{}", if count == 1 { "" } else { "s" });
    match minutes {
        0 => human_duration(duration),
        1..120 => unit(minutes, "minute"),
        120..2880 => unit(minutes / 60, "hour"),
        _ => unit(minutes / 1440, "day"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::NOW;
    use super::super::*;
    use super::*;
    use crate::evidence::testing::evidence;
    use crate::project::PatchGate;
    use time::macros::datetime;

    const HOUR: Duration = Duration::from_hours(1);

    #[test]
    fn the_age_is_told_in_every_offset_and_never_negative() {
        let now = datetime!(2026-11-23 12:00 UTC);
        assert_eq!(age("x", "2026-11-23T11:59:00Z", now), Ok(Duration::from_mins(1)));
        assert_eq!(age("x", "2026-11-23T12:59:00+01:00", now), Ok(Duration::from_mins(1)));
        assert_eq!(age("x", "2026-11-23T12:05:00Z", now), Ok(Duration::ZERO), "clocks differ a little");
        assert!(age("x", "2026-11-23T12:05:01Z", now).unwrap_err().contains("is in the future"));
        for bad in ["", "yesterday", "2026-11-23", "2026-11-23T12:00:00", "2026-13-23T12:00:00Z"] {
            assert_eq!(age("the scan's time", bad, now), Err(format!("the scan's time `{bad}` is not a time")));
        }
    }

    #[test]
    fn durations_read_well() {
        let read = |seconds| human(Duration::from_secs(seconds));
        assert_eq!(read(30), "30.0 s");
        assert_eq!(read(60), "1 minute");
        assert_eq!(read(3600), "60 minutes");
        assert_eq!(read(7200), "2 hours");
        assert_eq!(read(86_400 * 14), "14 days");
    }

    /// Gates that ask for no scan: nothing else says how old their evidence may be.
    #[test]
    fn evidence_that_is_too_old_is_stale_for_every_gate() {
        let gates = Gates { patches: None, vulnerabilities: None, ..super::super::tests::policy() };
        let at = |gates: &Gates, hours: u32| {
            let mut evidence = evidence();
            evidence.collected_at = crate::clock::rfc3339(NOW - HOUR * hours);
            judge(gates, &evidence, &Context::at(NOW)).verdicts
        };
        assert!(approved(&at(&gates, 24)));
        let stale = at(&gates, 25);
        assert_eq!(stale.len(), 3);
        for verdict in &stale {
            assert_eq!(
                (verdict.status, verdict.summary.as_str()),
                (VerdictStatus::Stale, "the evidence is 25 hours old, at most 24 hours are allowed"),
                "{}",
                verdict.gate
            );
            assert_eq!(verdict.details.last().map(String::as_str), Some(AGAIN), "{}", verdict.gate);
        }
        let within = |hours| Gates { validated_within: Some(HOUR * hours), ..gates.clone() };
        assert!(approved(&at(&within(48), 48)) && !approved(&at(&within(48), 49)) && !approved(&at(&within(1), 2)));
        // Whoever allows an old scan allows the evidence it stands in.
        let patches = Some(PatchGate { scanned_within: HOUR * 72, ..super::super::tests::patch_gate() });
        let scanned = Gates { patches, ..gates.clone() };
        assert!(approved(&at(&scanned, 72)) && !approved(&at(&scanned, 73)));
        assert!(!approved(&at(&Gates { validated_within: Some(HOUR), ..scanned }, 2)));
    }

    #[test]
    fn evidence_of_which_the_time_is_not_known_is_an_error_for_every_gate() {
        for at in ["", "yesterday", "2026-11-23T12:06:00Z"] {
            let evidence = Evidence { collected_at: at.into(), ..evidence() };
            let verdicts = judge(&super::super::tests::policy(), &evidence, &Context::at(NOW)).verdicts;
            assert!(verdicts.iter().all(|verdict| verdict.status == VerdictStatus::Error), "{at}: {verdicts:?}");
            assert!(verdicts[0].summary.starts_with("the evidence's time"), "{}", verdicts[0].summary);
        }
    }
}

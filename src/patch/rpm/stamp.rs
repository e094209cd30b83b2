//! Points in time as repositories write them.

use time::format_description::well_known::Rfc3339;
use time::{Date, Month, OffsetDateTime, PrimitiveDateTime, Time};

/// A date of an advisory. What could not be understood is kept, so that nobody takes it for no date, or for an old one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stamp {
    /// A point in time; what says no zone is UTC, and what says no time of day is midnight.
    At(OffsetDateTime),
    /// The text as it stands there.
    Unreadable(String),
}

impl Stamp {
    /// Reads `YYYY-MM-DD[ HH[:MM[:SS]]][ UTC]` (Amazon, the Red Hat family, Fedora), the same with `T` and `Z`, seconds
    /// since 1970 (SUSE; the DNF payload of 2021 took those for 1970), and RFC 3339 (patch-baselines.md 3.3 and 10.1).
    #[must_use]
    pub fn read(text: &str) -> Self {
        let text = text.trim();
        read(text).map_or_else(|| Self::Unreadable(text.chars().take(60).collect()), Self::At)
    }

    /// The point in time, if it could be understood.
    #[must_use]
    pub fn time(&self) -> Option<OffsetDateTime> {
        match self {
            Self::At(time) => Some(*time),
            Self::Unreadable(_) => None,
        }
    }
}

fn read(text: &str) -> Option<OffsetDateTime> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return OffsetDateTime::from_unix_timestamp(text.parse().ok()?).ok();
    }
    if let Ok(at) = OffsetDateTime::parse(text, &Rfc3339) {
        return Some(at);
    }
    let text = ["UTC", "GMT", "Z"].iter().find_map(|zone| text.strip_suffix(zone)).unwrap_or(text).trim_end();
    let (date, time) = text.split_once([' ', 'T']).unwrap_or((text, "00"));
    let [year, month, day] = numbers(date, '-')?[..] else { return None };
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date = Date::from_calendar_date(i32::from(year), month, u8::try_from(day).ok()?).ok()?;
    let time = numbers(time, ':')?;
    let part = |at: usize| u8::try_from(time.get(at).copied().unwrap_or_default()).ok();
    let time = if time.len() > 3 { None } else { Time::from_hms(part(0)?, part(1)?, part(2)?).ok() };
    Some(PrimitiveDateTime::new(date, time?).assume_utc())
}

/// Whole numbers of at most four digits.
fn numbers(text: &str, separator: char) -> Option<Vec<u16>> {
    let number = |part: &str| {
        let plain = (1..=4).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
        if plain { part.parse().ok() } else { None }
    };
    text.split(separator).map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn every_spelling_is_understood() {
        for (text, time) in [
            ("2025-11-09", datetime!(2025-11-09 0:00 UTC)),
            ("2025-11-09 18", datetime!(2025-11-09 18:00 UTC)),
            ("2025-11-09 18:05", datetime!(2025-11-09 18:05 UTC)),
            (" 2025-11-09 18:05:09 ", datetime!(2025-11-09 18:05:09 UTC)),
            ("2025-11-09 18:05:09 UTC", datetime!(2025-11-09 18:05:09 UTC)),
            ("2025-11-09T18:05:09Z", datetime!(2025-11-09 18:05:09 UTC)),
            ("2025-11-09T18:05Z", datetime!(2025-11-09 18:05 UTC)),
            ("2025-11-09T18:05:09+01:00", datetime!(2025-11-09 17:05:09 UTC)),
            ("1762711509", datetime!(2025-11-09 18:05:09 UTC)),
            ("0", datetime!(1970-01-01 0:00 UTC)),
        ] {
            assert_eq!(Stamp::read(text), Stamp::At(time), "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_kept() {
        let texts = [
            "",
            "yesterday",
            "2025-13-01",
            "2025-02-30",
            "2025-11-09 25:00",
            "2025-11",
            "2025-11-09 1:2:3:4",
            "2025-11-09 :",
            "-5",
            "9999999999999999999",
            "2025-11-09 18:05:09 +0200",
            "2025-+1-09",
        ];
        for text in texts {
            assert_eq!(Stamp::read(text), Stamp::Unreadable(text.to_owned()));
            assert_eq!(Stamp::read(text).time(), None);
        }
    }
}

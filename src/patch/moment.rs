//! Dates of update notices, and which of them counts (patch-baselines.md 3.3).

use super::inventory::Advisory;
use super::settings::DateOrder;
use serde::{Deserialize, Serialize};
use time::format_description::well_known::Rfc3339;
use time::{Date, OffsetDateTime, PrimitiveDateTime, Time};

/// The moment that a rule's delay is counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dated {
    /// The moment (UTC).
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Where it is from.
    pub origin: DateOrigin,
}

/// Where the date of a patch is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateOrigin {
    /// `<updated>` of the notice.
    Updated,
    /// `<issued>` of the notice.
    Issued,
    /// The package's build time: there is no notice, or it has no date that can be read.
    BuildTime,
    /// There is no date at all, which counts as 1970-01-01 and passes every delay.
    None,
}

impl std::fmt::Display for Dated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = match self.origin {
            DateOrigin::Updated => "updated",
            DateOrigin::Issued => "issued",
            DateOrigin::BuildTime => "built",
            DateOrigin::None => return f.write_str("without a date, which counts as 1970-01-01"),
        };
        write!(f, "{word} {}", minute(self.at))
    }
}

/// `2025-11-09 18:00 UTC`.
pub(super) fn minute(at: OffsetDateTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    let (date, hour, minute) = (at.date(), at.hour(), at.minute());
    format!("{date} {hour:02}:{minute:02} UTC")
}

/// The date of a notice; nothing when it has none that can be read.
pub(super) fn of_notice(order: DateOrder, notice: &Advisory) -> Option<Dated> {
    let issued = || dated(&notice.issued, DateOrigin::Issued);
    match order {
        DateOrder::IssuedOnly => issued(),
        _ => dated(&notice.updated, DateOrigin::Updated).or_else(issued),
    }
}

/// The date of a version: by its notice's date, where it has a notice and that one a date, and by its build time.
pub(super) fn of(order: DateOrder, noticed: bool, date: Option<Dated>, built_at: Option<i64>) -> Dated {
    let built = built_at.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
    let built = built.map(|at| Dated { at, origin: DateOrigin::BuildTime });
    let nothing = Dated { at: OffsetDateTime::UNIX_EPOCH, origin: DateOrigin::None };
    match order {
        DateOrder::UpdatedFirst => date.or(built).unwrap_or(nothing),
        DateOrder::IssuedOnly if noticed => date.unwrap_or(nothing),
        DateOrder::IssuedOnly => built.unwrap_or(nothing),
        DateOrder::LatestOfNoticeAndBuild => {
            let date = date.unwrap_or(nothing);
            built.filter(|built| built.at > date.at).unwrap_or(date)
        }
    }
}

fn dated(text: &str, origin: DateOrigin) -> Option<Dated> {
    read(text).map(|at| Dated { at, origin })
}

/// Reads a date of a notice: `YYYY-MM-DD`, with ` HH`, ` HH:MM` or ` HH:MM:SS`, with ` UTC` behind it; seconds since
/// 1970; RFC 3339. Without a zone it is UTC. (The DNF payload of 2021 reads seconds as 1970; we read them.)
pub(super) fn read(text: &str) -> Option<OffsetDateTime> {
    let text = text.trim();
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return OffsetDateTime::from_unix_timestamp(text.parse().ok()?).ok();
    }
    if let Ok(at) = OffsetDateTime::parse(text, &Rfc3339) {
        return Some(at);
    }
    let plain = text.strip_suffix(" UTC").or_else(|| text.strip_suffix('Z')).unwrap_or(text);
    let (date, clock) = plain.split_once([' ', 'T']).unwrap_or((plain, ""));
    let date = Date::parse(date, time::macros::format_description!("[year]-[month]-[day]")).ok()?;
    Some(PrimitiveDateTime::new(date, time_of_day(clock.trim())?).assume_utc())
}

/// `HH`, `HH:MM` or `HH:MM:SS`; midnight when empty.
fn time_of_day(clock: &str) -> Option<Time> {
    if clock.is_empty() {
        return Some(Time::MIDNIGHT);
    }
    let mut parts = [0_u8; 3];
    let mut places = parts.iter_mut();
    for word in clock.split(':') {
        if word.is_empty() || word.len() > 2 || !word.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        *places.next()? = word.parse().ok()?;
    }
    Time::from_hms(parts[0], parts[1], parts[2]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use DateOrder::{IssuedOnly, LatestOfNoticeAndBuild, UpdatedFirst};
    use time::macros::datetime;

    #[test]
    fn every_form_of_section_3_3_is_read_as_utc() {
        for (text, expected) in [
            ("2025-11-09", datetime!(2025-11-09 0:00 UTC)),
            ("2025-11-09 18", datetime!(2025-11-09 18:00 UTC)),
            ("2025-11-09 18:05", datetime!(2025-11-09 18:05 UTC)),
            ("2025-11-09 18:05:09", datetime!(2025-11-09 18:05:09 UTC)),
            ("2025-11-09 18:05:09 UTC", datetime!(2025-11-09 18:05:09 UTC)),
            ("2025-11-09T18:05:09Z", datetime!(2025-11-09 18:05:09 UTC)),
            ("2025-11-09T18:05Z", datetime!(2025-11-09 18:05 UTC)),
            ("2025-11-09T18:05:09+01:00", datetime!(2025-11-09 17:05:09 UTC)),
            ("1762711509", datetime!(2025-11-09 18:05:09 UTC)),
            (" 2025-11-09 ", datetime!(2025-11-09 0:00 UTC)),
        ] {
            assert_eq!(read(text), Some(expected), "{text}");
        }
        for bad in
            ["", "soon", "2025-02-30", "2025-11-09 25", "2025-11-09 1:2:3:4", "2025-11-09 :", "99999999999999999999"]
        {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_order_of_dates_is_a_setting_and_its_origin_is_kept() {
        let notice = Advisory { issued: "2025-01-01".into(), updated: "2025-01-03".into(), ..Advisory::default() };
        let undated = Advisory { updated: "?".into(), ..Advisory::default() };
        let built = datetime!(2025-01-05 0:00 UTC).unix_timestamp();
        let case = |order, notice: Option<&Advisory>, built| {
            let Dated { at, origin } =
                of(order, notice.is_some(), notice.and_then(|notice| of_notice(order, notice)), built);
            (at.date().to_string(), origin)
        };
        let is = |date: &str, origin| (date.to_owned(), origin);
        assert_eq!(case(UpdatedFirst, Some(&notice), Some(built)), is("2025-01-03", DateOrigin::Updated));
        assert_eq!(case(IssuedOnly, Some(&notice), Some(built)), is("2025-01-01", DateOrigin::Issued));
        assert_eq!(case(LatestOfNoticeAndBuild, Some(&notice), Some(built)), is("2025-01-05", DateOrigin::BuildTime));
        assert_eq!(case(LatestOfNoticeAndBuild, Some(&notice), Some(0)), is("2025-01-03", DateOrigin::Updated));
        assert_eq!(case(UpdatedFirst, Some(&undated), Some(built)), is("2025-01-05", DateOrigin::BuildTime));
        assert_eq!(case(UpdatedFirst, Some(&undated), None), is("1970-01-01", DateOrigin::None));
        assert_eq!(case(IssuedOnly, Some(&undated), Some(built)), is("1970-01-01", DateOrigin::None));
        assert_eq!(case(IssuedOnly, None, Some(built)), is("2025-01-05", DateOrigin::BuildTime));
    }
}

//! Dates of update notices, and which of them counts (patch-baselines.md 3.3).

use super::inventory::Advisory;
use super::rpm::Stamp;
use super::settings::DateOrder;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

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
    Stamp::read(text).time().map(|at| Dated { at, origin })
}

#[cfg(test)]
mod tests {
    use super::*;
    use DateOrder::{IssuedOnly, LatestOfNoticeAndBuild, UpdatedFirst};
    use time::macros::datetime;

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

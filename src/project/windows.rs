//! When a channel takes releases: `windows` (`Mon-Thu 08:00-16:00`, in UTC) and `freezes` (`2026-12-20` to `2027-01-03`).

use time::macros::format_description;
use time::{Date, OffsetDateTime, Weekday};

const DAYS: [(&str, Weekday); 7] = [
    ("Mon", Weekday::Monday),
    ("Tue", Weekday::Tuesday),
    ("Wed", Weekday::Wednesday),
    ("Thu", Weekday::Thursday),
    ("Fri", Weekday::Friday),
    ("Sat", Weekday::Saturday),
    ("Sun", Weekday::Sunday),
];

/// The form of a window, as a regular expression for editors.
pub(super) const WINDOW: &str = "^((Mon|Tue|Wed|Thu|Fri|Sat|Sun)(-(Mon|Tue|Wed|Thu|Fri|Sat|Sun))? )?\
     ([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$";
/// The same of a day.
pub(super) const DAY: &str = "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$";

/// Hours of some days of the week, in UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// As it is written.
    pub text: String,
    first: u8,
    last: u8,
    from: u16,
    to: u16,
}

/// Days on which nothing moves, both of them included, in UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// First day.
    pub from: Date,
    /// Last day.
    pub to: Date,
    /// Why.
    pub reason: String,
}

impl Window {
    /// Reads one; the reason why not, as the second half of a sentence.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let (days, hours) = match text.split_once(' ') {
            Some((days, hours)) => (days, hours),
            None => ("Mon-Sun", text),
        };
        let (first, last) = days.split_once('-').unwrap_or((days, days));
        let day = |name: &str| {
            let found = DAYS.iter().find(|(known, _)| *known == name);
            found
                .map(|(_, day)| day.number_days_from_monday())
                .ok_or("the days are Mon, Tue, Wed, Thu, Fri, Sat and Sun")
        };
        let (from, to) = hours.split_once('-').ok_or("the hours are two times with a dash between them")?;
        let (from, to) = (minute(from)?, minute(to)?);
        if from >= to {
            return Err("it ends before it begins");
        }
        Ok(Self { text: text.to_owned(), first: day(first)?, last: day(last)?, from, to })
    }

    /// Whether it is open.
    #[must_use]
    pub fn is_open(&self, now: OffsetDateTime) -> bool {
        let now = now.to_offset(time::UtcOffset::UTC);
        let day = now.weekday().number_days_from_monday();
        // `Sat-Mon` goes over the end of the week.
        let in_days = if self.first <= self.last {
            (self.first..=self.last).contains(&day)
        } else {
            day >= self.first || day <= self.last
        };
        let minute = u16::from(now.hour()) * 60 + u16::from(now.minute());
        in_days && (self.from..self.to).contains(&minute)
    }
}

fn minute(text: &str) -> Result<u16, &'static str> {
    const FORM: &str = "a time has the form 08:00";
    let (hour, minute) = text.split_once(':').ok_or(FORM)?;
    let number = |part: &str| {
        let fits = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| part.parse::<u16>().ok()).flatten().ok_or(FORM)
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    let at = hour * 60 + minute;
    if minute > 59 || at > 24 * 60 { Err("a day has 24 hours of 60 minutes") } else { Ok(at) }
}

impl Freeze {
    /// Whether it is on.
    #[must_use]
    pub fn is_on(&self, now: OffsetDateTime) -> bool {
        (self.from..=self.to).contains(&now.to_offset(time::UtcOffset::UTC).date())
    }
}

/// Reads a day.
pub(super) fn day(text: &str) -> Option<Date> {
    let form = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    form.then(|| Date::parse(text, format_description!("[year]-[month]-[day]")).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::{date, datetime};

    #[test]
    fn windows_are_open_on_their_days_in_their_hours() {
        let open = |text: &str, now| Window::parse(text).unwrap().is_open(now);
        // 2026-01-05 is a Monday.
        assert!(open("Mon-Thu 08:00-16:00", datetime!(2026-01-05 08:00 UTC)));
        assert!(!open("Mon-Thu 08:00-16:00", datetime!(2026-01-05 16:00 UTC)));
        assert!(!open("Mon-Thu 08:00-16:00", datetime!(2026-01-09 12:00 UTC)), "a Friday");
        assert!(open("Sat-Mon 00:00-24:00", datetime!(2026-01-04 23:59 UTC)));
        assert!(open("Sat-Mon 00:00-24:00", datetime!(2026-01-05 01:00 +02:00)), "a Sunday in UTC");
        assert!(!open("Sat-Mon 00:00-24:00", datetime!(2026-01-06 12:00 UTC)));
        assert!(open("09:30-10:00", datetime!(2026-01-07 09:59 UTC)));
        assert!(open("Wed 09:30-10:00", datetime!(2026-01-07 09:30 UTC)));
    }

    #[test]
    fn windows_that_are_none_are_refused() {
        for text in [
            "",
            "Mon",
            "Mon 8:00-16:00",
            "Mon 16:00-08:00",
            "Mon 08:00-08:00",
            "Mon 08:00-24:01",
            "Mon 08:60-09:00",
            "Mo 08:00-16:00",
            "Mon-Thu  08:00-16:00",
            "Mon 08:00",
            "08:00-1:00",
            "Mon,Tue 08:00-16:00",
        ] {
            assert!(Window::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_freeze_includes_both_its_days() {
        let freeze = Freeze { from: date!(2026 - 12 - 20), to: date!(2026 - 12 - 31), reason: String::new() };
        assert!(freeze.is_on(datetime!(2026-12-20 00:00 UTC)) && freeze.is_on(datetime!(2026-12-31 23:59 UTC)));
        assert!(!freeze.is_on(datetime!(2027-01-01 00:00 UTC)) && !freeze.is_on(datetime!(2026-12-19 23:59 UTC)));
        assert_eq!(day("2026-02-30"), None);
        assert_eq!(day("2026-2-3"), None);
        assert_eq!(day("2026-02-03"), Some(date!(2026 - 02 - 03)));
    }
}

//! What readers of YAML 1.1 take a plain scalar for, where those of YAML 1.2 see something else.
//!
//! Both kinds read component documents: editors and linters follow 1.2, most libraries that programs use follow 1.1 in
//! part or as a whole.

use super::tree::{Node, Style};

impl Node {
    /// The text of an unquoted scalar.
    fn unquoted(&self) -> Option<&str> {
        self.as_str().filter(|_| self.style() == Some(Style::Plain))
    }

    /// The boolean it is in YAML 1.1 only: `yes`, `off`, `n`.
    pub fn as_old_bool(&self) -> Option<bool> {
        let word = self.unquoted()?;
        let is = |words: [&str; 3]| words.iter().any(|other| word.eq_ignore_ascii_case(other));
        if is(["yes", "on", "y"]) {
            Some(true)
        } else if is(["no", "off", "n"]) {
            Some(false)
        } else {
            None
        }
    }

    /// The integer it is in YAML 1.1, other than one in base 60: `010` is eight, `1_000` a thousand, `0b11` three.
    pub fn as_old_int(&self) -> Option<i64> {
        old_int(self.unquoted()?)
    }

    /// What some reader takes it for although it may be meant as text, as the end of a sentence that begins with "this
    /// is"; `None` if every reader sees text. Nothing at all and `~` are not meant here: they are text to nobody.
    pub fn misread(&self) -> Option<String> {
        const OLD: &str = "to readers of YAML 1.1";
        let text = self.unquoted().filter(|_| !self.is_null())?;
        if let Some(value) = self.as_bool() {
            return Some(format!("the boolean {value}"));
        }
        if let Some(value) = self.as_old_bool() {
            return Some(format!("the boolean {value} {OLD}"));
        }
        match (self.as_int(), self.as_old_int()) {
            (Some(new), Some(old)) if new != old => {
                return Some(format!("the number {new} to some readers and {old} to others"));
            }
            (Some(number), _) => return Some(format!("the number {number}")),
            (None, Some(number)) => return Some(format!("the number {number} {OLD}")),
            (None, None) => {}
        }
        if let Some(number) = self.as_float() {
            return Some(format!("the number {}", shortened(text, number)));
        }
        if is_special_float(text) {
            return Some("a special number".to_owned());
        }
        if is_base_sixty(text) {
            return Some(format!("a number in base 60 {OLD}"));
        }
        if is_date(text) {
            return Some(format!("a date {OLD}"));
        }
        without_underscores(text).map(|number| format!("the number {number} {OLD}"))
    }
}

/// A number as a reader gives it back: without the zeros that say nothing.
fn shortened(text: &str, number: f64) -> String {
    // Large integers are floats only because they fit nowhere else; their digits say more than an exponent.
    if text.bytes().all(|b| b.is_ascii_digit()) { text.to_owned() } else { number.to_string() }
}

fn old_int(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let (base, digits) = match digits.as_bytes() {
        [b'0', b'b', ..] => (2, &digits[2..]),
        [b'0', b'x', ..] => (16, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    let digits = digits.replace('_', "");
    let plain = digits.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric()) && text.bytes().all(|b| b != b' ');
    if !plain || text.starts_with('_') {
        return None;
    }
    i64::from_str_radix(&format!("{sign}{digits}"), base).ok()
}

/// A float with underscores between its digits.
fn without_underscores(text: &str) -> Option<f64> {
    let numeric = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
        && text.contains('_')
        && text.contains('.')
        && text.bytes().all(|b| b.is_ascii_digit() || b"+-._eE".contains(&b))
        && text.bytes().any(|b| b.is_ascii_digit());
    if numeric { text.replace('_', "").parse().ok() } else { None }
}

fn is_special_float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN")
}

/// `12:30`, `190:20:30.15`: digits, then groups of at most 59.
fn is_base_sixty(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').map_or((unsigned, None), |(whole, after)| (whole, Some(after)));
    let mut groups = whole.split(':');
    let first = groups.next().unwrap_or_default();
    let mut rest = groups.peekable();
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let first_is_right = first.starts_with(|c: char| c.is_ascii_digit() && (c != '0' || fraction.is_some()));
    first_is_right
        && digits(first)
        && rest.peek().is_some()
        && rest.all(|group| match group.as_bytes() {
            [digit] | [b'0'..=b'5', digit] => digit.is_ascii_digit(),
            _ => false,
        })
        && fraction.is_none_or(digits)
}

/// `2026-07-28`, `2026-07-28T10:00:00Z`, `2026-7-28 10:00:00.5 +2`.
fn is_date(text: &str) -> bool {
    let (day, time) = text.find(['T', 't', ' ', '\t']).map_or((text, None), |at| (&text[..at], Some(&text[at + 1..])));
    let parts: Vec<&str> = day.split('-').collect();
    let [year, month, day] = parts.as_slice() else { return false };
    let number = |text: &str, most: usize| (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    let least = if time.is_some() { 1 } else { 2 };
    let is_day = year.len() == 4 && number(year, 4) && number(month, 2) && number(day, 2);
    is_day && month.len() >= least && day.len() >= least && time.is_none_or(|time| is_time(time.trim_start()))
}

fn is_time(text: &str) -> bool {
    let clock = text.find(|c: char| !c.is_ascii_digit() && c != ':').unwrap_or(text.len());
    let groups: Vec<&str> = text[..clock].split(':').collect();
    let [hour, minute, second] = groups.as_slice() else { return false };
    let mut zone = &text[clock..];
    if let Some(fraction) = zone.strip_prefix('.') {
        zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    let zone = zone.trim_start();
    let is_zone = zone.is_empty()
        || zone == "Z"
        || zone.strip_prefix(['-', '+']).is_some_and(|rest| {
            !rest.is_empty() && rest.len() <= 5 && rest.bytes().all(|b| b.is_ascii_digit() || b == b':')
        });
    (1..=2).contains(&hour.len()) && minute.len() == 2 && second.len() == 2 && is_zone
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Span;
    use crate::yaml::{Kind, Scalar};
    use proptest::prelude::*;

    fn plain(text: &str) -> Node {
        Node::new(Span::default(), Kind::Scalar(Scalar { text: text.into(), style: Style::Plain }))
    }

    #[test]
    fn what_readers_do_not_agree_on_is_found() {
        for (text, expected) in [
            ("true", "the boolean true"),
            ("yes", "the boolean true to readers of YAML 1.1"),
            ("Off", "the boolean false to readers of YAML 1.1"),
            ("N", "the boolean false to readers of YAML 1.1"),
            ("17", "the number 17"),
            ("-1", "the number -1"),
            ("0755", "the number 755 to some readers and 493 to others"),
            ("08", "the number 8"),
            ("007", "the number 7"),
            ("0o17", "the number 15"),
            ("0x1F", "the number 31"),
            ("0b101", "the number 5 to readers of YAML 1.1"),
            ("1_000", "the number 1000 to readers of YAML 1.1"),
            ("1_", "the number 1 to readers of YAML 1.1"),
            ("1_000.5", "the number 1000.5 to readers of YAML 1.1"),
            ("1.10", "the number 1.1"),
            ("123456789012", "the number 123456789012"),
            ("99999999999999999999", "the number 99999999999999999999"),
            ("1e3", "the number 1000"),
            (".inf", "a special number"),
            ("12:30", "a number in base 60 to readers of YAML 1.1"),
            ("190:20:30.15", "a number in base 60 to readers of YAML 1.1"),
            ("2026-07-28", "a date to readers of YAML 1.1"),
            ("2026-07-28T10:00:00Z", "a date to readers of YAML 1.1"),
            ("2026-7-28 10:00:00.25 +02:00", "a date to readers of YAML 1.1"),
        ] {
            assert_eq!(plain(text).misread().as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_text_to_everybody_is_left_alone() {
        for text in [
            "",
            "~",
            "null",
            "yesterday",
            "none",
            "1.2.3",
            "1.10-1",
            "v1",
            "0:0",
            "12:75",
            "a:30",
            "12:30:",
            "127.0.0.1",
            "2026-07",
            "2026-07-28-1",
            "20-07-28",
            "2026-7-28",
            "2026-07-28T10",
            "_1",
            "0b",
            "0b2",
            "0x",
            "0_",
            "e",
            "-",
            "+",
            ".",
            "...",
            "10%",
            "5m",
            "nano",
            "i-0123",
            "/opt",
            "22/tcp",
            "1:2:3:",
            "0777x",
            "1 000",
            "é",
        ] {
            assert_eq!(plain(text).misread(), None, "{text}");
        }
        let quoted = Node::new(Span::default(), Kind::Scalar(Scalar { text: "yes".into(), style: Style::Double }));
        assert_eq!((quoted.misread(), quoted.as_old_bool(), quoted.as_old_int()), (None, None, None));
    }

    #[test]
    fn old_numbers_have_their_old_values() {
        for (text, value) in [("010", 8), ("-0b11", -3), ("+1_0", 10), ("0x_f", 15), ("0", 0), ("10", 10)] {
            assert_eq!(plain(text).as_old_int(), Some(value), "{text}");
        }
        for text in ["08", "0o7", "1.0", "--1", "-+1", "12:30", "", "_", "_1", "0_", "x"] {
            assert_eq!(plain(text).as_old_int(), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_can_be_asked(text in "(?s)[-+_.:0-9a-fTxobZ \té]{0,24}") {
            let node = plain(&text);
            // What YAML 1.2 takes for a number or boolean is never said to be text to everybody.
            prop_assert_eq!(node.misread().is_some() || node.is_null(), node.misread().is_some() || node.is_typed());
        }
    }
}

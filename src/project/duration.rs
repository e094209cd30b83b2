//! Durations as project files write them: `24h`, `14d`, `1h30m`.

use std::time::Duration;

/// Units, largest first, with their length in seconds.
pub(super) const UNITS: [(char, u64); 5] = [('w', 604_800), ('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// Reads numbers with units, each unit at most once and in falling order: `14d`, `1h30m`. The answer to anything else is
/// the reason why it is refused, as the second half of a sentence.
pub(super) fn parse(text: &str) -> Result<Duration, &'static str> {
    let mut rest = text;
    let mut units = UNITS.iter();
    let mut seconds = 0u64;
    if rest.is_empty() {
        return Err("it is empty");
    }
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: u64 = match rest[..digits].parse() {
            Ok(number) => number,
            Err(_) if digits == 0 => return Err("a number has to stand in front of each unit"),
            Err(_) => return Err("the number is too large"),
        };
        let Some(unit) = rest[digits..].chars().next() else {
            return Err("a unit is missing");
        };
        if !UNITS.iter().any(|(name, _)| *name == unit) {
            return Err("the units are w, d, h, m and s");
        }
        let Some((_, length)) = units.find(|(name, _)| *name == unit) else {
            return Err("each unit may stand once, larger ones first");
        };
        let part = number.checked_mul(*length).ok_or("the number is too large")?;
        seconds = seconds.checked_add(part).ok_or("the number is too large")?;
        rest = &rest[digits + unit.len_utf8()..];
    }
    if seconds == 0 { Err("it is no time at all") } else { Ok(Duration::from_secs(seconds)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_units() {
        for (text, seconds) in [
            ("24h", 86_400),
            ("14d", 1_209_600),
            ("1h30m", 5_400),
            ("2w", 1_209_600),
            ("90s", 90),
            ("1d2h3m4s", 93_784),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "24",
            "h",
            "0h",
            "-1h",
            "1.5h",
            "30m1h",
            "1h1h",
            "1 h",
            "1h ",
            "1y",
            "99999999999999999999h",
            "18446744073709551615w",
            "1ħ",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_answered_without_a_panic(text in "\\PC{0,12}") {
            let _ = parse(&text);
        }

        #[test]
        fn whole_seconds_survive(seconds in 1u64..10_000_000) {
            let text = format!("{}d{}h{}m{}s", seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
            proptest::prop_assert_eq!(parse(&text), Ok(Duration::from_secs(seconds)));
        }
    }
}

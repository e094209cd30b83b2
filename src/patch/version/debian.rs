//! The order of Debian versions: `dpkg --compare-versions` (patch-baselines.md 9.3).

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// A Debian version. Equality and order are dpkg's: `1.0`, `1.0-0` and `0:1.0` are equal.
#[derive(Debug, Clone)]
pub struct DebianVersion {
    epoch: u32,
    upstream: String,
    /// `0` when there is none: the same to dpkg.
    revision: String,
    /// As it was written.
    text: String,
}

/// A text that dpkg refuses as a version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a Debian version: {why}")]
pub struct VersionError {
    /// The text.
    pub text: String,
    /// What dpkg has against it.
    pub why: &'static str,
}

/// dpkg reads the epoch into an `int`.
const GREATEST_EPOCH: u32 = 2_147_483_647;

impl FromStr for DebianVersion {
    type Err = VersionError;

    /// Refuses what dpkg refuses and accepts what it accepts with a warning (an upstream part that does not begin
    /// with a digit, underscores and other odd characters): such versions are installed on real systems.
    ///
    /// Two things are refused that dpkg lets pass: spaces around the version, and characters outside of ASCII, whose
    /// order depends on the machine dpkg was built for.
    fn from_str(text: &str) -> Result<Self, VersionError> {
        let fail = |why| VersionError { text: text.to_owned(), why };
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(fail("it has a character no version may have"));
        }
        let (epoch, rest) = match text.split_once(':') {
            Some((epoch, rest)) => (number(epoch).map_err(fail)?, rest),
            None => (0, text),
        };
        if rest.is_empty() {
            return Err(fail("it is empty"));
        }
        let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, "0"));
        if revision.is_empty() {
            return Err(fail("the revision after the last hyphen is empty"));
        }
        if upstream.is_empty() {
            return Err(fail("the upstream part is empty"));
        }
        let (upstream, revision) = (upstream.to_owned(), revision.to_owned());
        Ok(Self { epoch, upstream, revision, text: text.to_owned() })
    }
}

/// The number of an epoch. dpkg reads it with `strtol`, which takes a sign, too.
fn number(text: &str) -> Result<u32, &'static str> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err("the epoch is not a number");
    }
    let digits = digits.trim_start_matches('0');
    // A number too long for the type is too great as well.
    let epoch = if digits.is_empty() { 0 } else { digits.parse().unwrap_or(u32::MAX) };
    match epoch {
        1.. if negative => Err("the epoch is negative"),
        0..=GREATEST_EPOCH => Ok(epoch),
        _ => Err("the epoch is too great"),
    }
}

/// Compares two upstream parts or two revisions: by turns what comes before a number, character by character, and the
/// number.
fn compare(mut a: &[u8], mut b: &[u8]) -> Ordering {
    let before_number = |text: &[u8]| text.first().is_some_and(|c| !c.is_ascii_digit());
    loop {
        while before_number(a) || before_number(b) {
            let by = rank(a.first()).cmp(&rank(b.first()));
            if by.is_ne() {
                return by;
            }
            // Equal, so both have a character here: nothing else has the rank of one.
            (a, b) = (a.get(1..).unwrap_or_default(), b.get(1..).unwrap_or_default());
        }
        let ((x, rest_of_a), (y, rest_of_b)) = (leading_number(a), leading_number(b));
        let by = x.len().cmp(&y.len()).then_with(|| x.cmp(y));
        if by.is_ne() || (rest_of_a.is_empty() && rest_of_b.is_empty()) {
            return by;
        }
        (a, b) = (rest_of_a, rest_of_b);
    }
}

/// The order of characters: a tilde is older than the end (or a number, which ends what comes before it), then letters,
/// then everything else.
fn rank(c: Option<&u8>) -> i32 {
    match c {
        None | Some(b'0'..=b'9') => 0,
        Some(b'~') => -1,
        Some(c) if c.is_ascii_alphabetic() => i32::from(*c),
        Some(c) => i32::from(*c) + 256,
    }
}

/// The digits at the beginning without leading zeros, and the rest. No digits are the number 0.
fn leading_number(text: &[u8]) -> (&[u8], &[u8]) {
    let digits = text.iter().take_while(|c| c.is_ascii_digit()).count();
    let zeros = text.iter().take_while(|c| **c == b'0').count();
    (text.get(zeros..digits).unwrap_or_default(), text.get(digits..).unwrap_or_default())
}

impl Ord for DebianVersion {
    fn cmp(&self, other: &Self) -> Ordering {
        let upstream = || compare(self.upstream.as_bytes(), other.upstream.as_bytes());
        let revision = || compare(self.revision.as_bytes(), other.revision.as_bytes());
        self.epoch.cmp(&other.epoch).then_with(upstream).then_with(revision)
    }
}

impl PartialOrd for DebianVersion {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for DebianVersion {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for DebianVersion {}

impl fmt::Display for DebianVersion {
    /// As it was written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl DebianVersion {
    /// Compares two texts.
    pub fn compare(a: &str, b: &str) -> Result<Ordering, VersionError> {
        Ok(a.parse::<Self>()?.cmp(&b.parse()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::process::Command;

    /// The vectors of patch-baselines.md 9.3, which were run against dpkg there.
    const VECTORS: &str = "
        1.0-1 < 2.0-2 | 0:0-0-0 > 0-0 | 2.2~rc-4 < 2.2-1 | 1.0 = 1.0-0 | 1.0000-1 = 1.0-1 | 1.0 < 1.0-0+b1
        1 = 0:1 | 1.0 > 1.0-0~ | 0 = 0:0-0 | 009ab5 = 9ab5 | 2:2.5 > 1:7.5 | 1.2a+~bCd3 < 1.2a++ | 0foo > 0fo
        1:2:123 < 1:12:3 | 0foo-0 < 0foo+ | 1.2-5 < 1.2-3-5 | 0foo~1 < 0foo | 5.10.0 > 5.005
        0foo~foo+Bar < 0foo~foo+bar | 3a9.8 < 3.10.2 | 0foo~~ < 0foo~ | 3a9.8 > 3~10 | 1~ < 1
        1.4+OOo3.0.0~ < 1.4+OOo3.0.0-4 | 0foo-0 < 0foo-01 | 2.4.7-1 < 2.4.7-z | 0foo.bar > 0foobar
        1.002-1+b2 > 1.00 | 0foo.bar > 0foo1bar | 2.35-0ubuntu3.8 < 2.35-0ubuntu3.10 | 0foo1bar-1 < 0foobar-1
        2.35-0ubuntu3 < 2.35-0ubuntu3.1 | 0foo2.0 < 0foo2.10 | 1.1.1f-1ubuntu2.22 < 1.1.1f-1ubuntu2.22+esm1
        1.09 = 1.9 | 5.15.0-119.129 > 5.15.0-119.129~20.04.1 | 1.0.8+nmu1 > 1.0.8
        7.81.0-1ubuntu1.16 > 7.81.0-1ubuntu1.16~esm1 | 1.2.0~b7-1 > 1.2.0~b6-1 | 1.0-1 < 1.0-1+deb12u1
        1.011-1 > 1.06-2 | 1.0-1+deb12u1 < 1.0-1+deb12u2 | 1:3.8.1-1 > 3.8.GA-1 | 1.0-1~deb12u1 < 1.0-1
        1.0.1+gpl-1 > 1.0.1-2 | 2:8.2.3995-1ubuntu2.17 > 2:8.2.3995-1ubuntu2.9 | 1a < 1000a | 1.0+dfsg-1 > 1.0-1
        7.6p2-4 > 7.6-0 | 1.0+really0.9-1 > 1.0-1 | 98.1p5-1 < 98.1-pre2-b6-2 | 1.0-1build1 > 1.0-1
        9:1.18.36:5.4-20 < 10:0.5.1-22 | 1.0-1build1 < 1.0-1ubuntu1 | 1.18.36-0.17.35-18 > 1.18.36-19
        1.0.A < 1.0.a | 2.0.7pre1-4 < 2.0.7r-1 | 1.0-1.1 > 1.0-1+b1";

    #[test]
    fn the_vectors_hold_in_both_directions() {
        let vectors: Vec<&str> = VECTORS.split(['|', '\n']).map(str::trim).filter(|v| !v.is_empty()).collect();
        assert_eq!(vectors.len(), 58);
        for vector in vectors {
            let [a, relation, b] = vector.split(' ').collect::<Vec<_>>()[..] else { panic!("{vector}") };
            let expected = match relation {
                "<" => Ordering::Less,
                ">" => Ordering::Greater,
                _ => Ordering::Equal,
            };
            assert_eq!(DebianVersion::compare(a, b).unwrap(), expected, "{vector}");
            assert_eq!(DebianVersion::compare(b, a).unwrap(), expected.reverse(), "{vector}, the other way round");
        }
    }

    #[test]
    fn refuses_what_dpkg_refuses_and_accepts_what_it_only_warns_about() {
        for bad in [
            "",
            "1.0-",
            ":1.0",
            "a:0-0",
            "0:",
            "2147483648:1",
            "99999999999999999999:1",
            "-1",
            "1.0 1",
            "1.0\n",
            "1.α",
            "-1:1",
            "+:1",
        ] {
            assert!(bad.parse::<DebianVersion>().is_err(), "{bad:?}");
        }
        for odd in [
            "abc3-0",
            "1.0_1",
            "2147483647:1",
            "-1-1",
            "1.0~",
            "1-1-1",
            "1^2",
            "+1:1",
            "-0:1",
            "00000000000000000001:1",
        ] {
            assert!(odd.parse::<DebianVersion>().is_ok(), "{odd:?}");
        }
        let error = "1.0-".parse::<DebianVersion>().unwrap_err().to_string();
        assert_eq!(error, "`1.0-` is not a Debian version: the revision after the last hyphen is empty");
    }

    /// What dpkg says: `lt`, `eq` or `gt`; nothing when it refuses one of the two.
    fn dpkg(a: &str, b: &str) -> Option<Ordering> {
        let holds = |relation: &str| {
            let output = Command::new("dpkg").args(["--compare-versions", a, relation, b]).output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            // An error (not a warning) also ends with status 1 in some releases; its text tells.
            (!stderr.contains("error")).then_some(output.status.success())
        };
        if holds("lt")? {
            return Some(Ordering::Less);
        }
        Some(if holds("eq")? { Ordering::Equal } else { Ordering::Greater })
    }

    fn version() -> impl Strategy<Value = String> {
        // Few letters and digits, so that pairs are often nearly equal and every kind of neighbour meets.
        let part = "[0-9]([0-2a~+.]|0[01]|rc|deb|-){0,6}";
        ("([0-2]:)?", part, "(-[0-2a~+.]{1,4})?")
            .prop_map(|(epoch, upstream, revision)| format!("{epoch}{upstream}{revision}"))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(150))]

        #[test]
        fn agrees_with_dpkg(a in version(), b in version()) {
            prop_assert_eq!(DebianVersion::compare(&a, &b).ok(), dpkg(&a, &b), "{} {}", a, b);
        }
    }

    proptest! {
        #[test]
        fn is_a_total_order(a in version(), b in version(), c in version()) {
            let [a, b, c] = [a, b, c].map(|text| text.parse::<DebianVersion>());
            let (Ok(a), Ok(b), Ok(c)) = (a, b, c) else { return Ok(()) };
            prop_assert!(a.cmp(&a).is_eq());
            prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
            prop_assert_eq!(a == b, a.cmp(&b).is_eq());
            if a <= b && b <= c {
                prop_assert!(a <= c);
                prop_assert_eq!(a == c, a == b && b == c);
            }
        }
    }
}

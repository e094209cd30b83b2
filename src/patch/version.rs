//! The order of Debian versions: `dpkg --compare-versions` (patch-baselines.md 9.3).

use std::cmp::Ordering;
use std::str::FromStr;

/// A Debian version. Equality and order are dpkg's: `1.0`, `1.0-0` and `0:1.0` are equal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DebianVersion(debversion::Version);

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
const GREATEST_EPOCH: u64 = 2_147_483_647;

impl FromStr for DebianVersion {
    type Err = VersionError;

    /// Refuses what dpkg refuses and accepts what it accepts with a warning (an upstream part that does not begin
    /// with a digit, underscores): such versions are installed on real systems.
    fn from_str(text: &str) -> Result<Self, VersionError> {
        let fail = |why| VersionError { text: text.to_owned(), why };
        let rest = match text.split_once(':') {
            Some((epoch, rest)) => {
                if epoch.is_empty() || !epoch.bytes().all(|b| b.is_ascii_digit()) {
                    return Err(fail("the epoch is not a number"));
                }
                // A number too long for u64 is too great as well.
                if epoch.parse::<u64>().is_ok_and(|epoch| epoch > GREATEST_EPOCH) || epoch.len() > 19 {
                    return Err(fail("the epoch is too great"));
                }
                rest
            }
            None => text,
        };
        if rest.is_empty() {
            return Err(fail("it is empty"));
        }
        if rest.ends_with('-') {
            return Err(fail("the revision after the last hyphen is empty"));
        }
        if rest.starts_with('-') && !rest[1..].contains('-') {
            return Err(fail("the upstream part is empty"));
        }
        debversion::Version::parse_lenient(text).map(Self).map_err(|_| fail("it has a character no version may have"))
    }
}

impl std::fmt::Display for DebianVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
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
        for bad in ["", "1.0-", ":1.0", "a:0-0", "0:", "2147483648:1", "99999999999999999999:1", "-1", "1.0 1", "1.0\n"]
        {
            assert!(bad.parse::<DebianVersion>().is_err(), "{bad:?}");
        }
        for odd in ["abc3-0", "1.0_1", "2147483647:1", "-1-1", "1.0~", "1-1-1"] {
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
            let (Ok(a), Ok(b), Ok(c)) = (a.parse::<DebianVersion>(), b.parse(), c.parse::<DebianVersion>()) else { return Ok(()) };
            prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
            if a <= b && b <= c {
                prop_assert!(a <= c);
            }
        }
    }
}

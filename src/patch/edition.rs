//! `epoch:version-release` of an RPM package without owning its text (patch-baselines.md 9.2).

use super::version::rpmvercmp;
use std::cmp::Ordering;

/// Epoch, version and release. Order is rpm's; a missing release is lower than any (patch-baselines.md 9.2).
///
/// Equality is that of [`Ord`]: `1.0-1` and `1.0-01` are equal. Whether two texts name the very same package tells
/// [`Edition::is`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Edition<'a> {
    epoch: u64,
    version: &'a str,
    release: Option<&'a str>,
}

impl<'a> Edition<'a> {
    /// Reads `[epoch:]version[-release]`; nothing when the epoch is no number or the version is empty.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let (epoch, rest) = match text.split_once(':') {
            Some(("", rest)) => (0, rest),
            Some((epoch, rest)) if epoch.bytes().all(|b| b.is_ascii_digit()) => (epoch.parse().ok()?, rest),
            Some(_) => return None,
            None => (0, text),
        };
        let (version, release) = match rest.rsplit_once('-') {
            Some((version, release)) => (version, Some(release)),
            None => (rest, None),
        };
        let whole = !version.is_empty() && release != Some("") && !has_white_space(text);
        whole.then_some(Self { epoch, version, release })
    }

    /// Whether both name the same build: same epoch, and version and release letter by letter.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.epoch == other.epoch && self.version == other.version && self.release == other.release
    }

    /// The version proper.
    pub(super) const fn version(&self) -> &'a str {
        self.version
    }

    /// The release; empty without one.
    pub(super) fn release(&self) -> &'a str {
        self.release.unwrap_or_default()
    }

    /// The epoch; 0 without one.
    pub(super) const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// `epoch:version-release`, the epoch always written, as the service's titles have it (patch-baselines.md 5.5).
    pub(super) fn full(&self) -> String {
        match self.release {
            Some(release) => format!("{}:{}-{release}", self.epoch, self.version),
            None => format!("{}:{}", self.epoch, self.version),
        }
    }

    /// Compares as a condition does: a release that one of the two lacks means "any".
    pub(super) fn condition(&self, other: &Self) -> Ordering {
        let release = match (self.release, other.release) {
            (Some(a), Some(b)) => rpmvercmp(a, b),
            _ => Ordering::Equal,
        };
        self.epoch.cmp(&other.epoch).then_with(|| rpmvercmp(self.version, other.version)).then(release)
    }
}

/// Versions are ASCII as a rule, and there are hundreds of thousands of them.
fn has_white_space(text: &str) -> bool {
    if text.is_ascii() {
        return text.bytes().any(|b| b.is_ascii_whitespace() || b == 0x0b);
    }
    text.contains(char::is_whitespace)
}

impl Ord for Edition<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        let release = || match (self.release, other.release) {
            (Some(a), Some(b)) => rpmvercmp(a, b),
            (a, b) => a.is_some().cmp(&b.is_some()),
        };
        self.epoch.cmp(&other.epoch).then_with(|| rpmvercmp(self.version, other.version)).then_with(release)
    }
}

impl PartialOrd for Edition<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Edition<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Edition<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(a: &str, b: &str) -> Ordering {
        Edition::read(a).unwrap().cmp(&Edition::read(b).unwrap())
    }

    #[test]
    fn vectors_of_section_9_2_hold_in_both_directions() {
        for (a, b) in [
            ("1.0", "2.0"),
            ("2.0.1", "2.0.1a"),
            ("1.0~rc1", "1.0"),
            ("1.0", "1.0^"),
            ("1.0^git1", "1.01"),
            ("1.0^20160101", "1.0.1"),
            ("1a", "1.0"),
            ("xyz.4", "8"),
            ("10xyz", "10.1xyz"),
            ("1.0", "1.0-1"),
            ("1.0-1.amzn2.0.1", "1.0-1.amzn2.0.2"),
            ("2.26-64.amzn2.0.2", "2.26-64.amzn2.0.10"),
            ("1.0-1.el8_6.1", "1.0-1.el8_10"),
            ("9.9-9", "1:0.1-1"),
            ("1.0-1.amzn2", "1.0-1.amzn2.0.1"),
            ("1.0~beta-9", "1.0-1"),
            ("1.0-9", "1.0^git1-1"),
        ] {
            assert_eq!((order(a, b), order(b, a)), (Ordering::Less, Ordering::Greater), "{a} {b}");
        }
        for (a, b) in [("1.0-1", "1.0-01"), ("0:1.0-1", "1.0-1"), (":1.0-1", "1.0-1"), ("2_0", "2.0"), ("1.0.", "1.0")]
        {
            assert_eq!(order(a, b), Ordering::Equal, "{a} {b}");
        }
    }

    #[test]
    fn texts_that_are_no_versions_are_refused() {
        for bad in ["", "a:1-1", "1:", "1.0-", "-1", "1 0-1"] {
            assert!(Edition::read(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn the_same_build_is_more_than_equal() {
        let [a, b, c] = ["0:1.0-1", "1.0-1", "1.0-01"].map(|text| Edition::read(text).unwrap());
        assert!(a.is(&b) && !a.is(&c) && a == c);
        assert_eq!((a.full(), Edition::read("3:2").unwrap().full()), ("0:1.0-1".into(), "3:2".into()));
    }

    #[test]
    fn in_conditions_a_missing_release_means_any() {
        let [a, b] = ["1.0", "1.0-5"].map(|text| Edition::read(text).unwrap());
        assert_eq!((a.condition(&b), a.cmp(&b)), (Ordering::Equal, Ordering::Less));
    }
}

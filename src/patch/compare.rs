//! Versions of either kind, by the system they are from (patch-baselines.md 9.4).

use super::edition::Edition;
use super::version::DebianVersion;
use std::cmp::Ordering;

/// Which order versions have: dpkg's or rpm's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Debian,
    Rpm,
}

impl Kind {
    /// By `ID` of an os-release: Debian's relatives, or anything else, which is RPM.
    pub(super) fn of(os_id: &str) -> Self {
        if matches!(os_id, "debian" | "ubuntu" | "raspbian") { Self::Debian } else { Self::Rpm }
    }

    /// The order of two versions; nothing when one of them is no version.
    pub(super) fn order(self, a: &str, b: &str) -> Option<Ordering> {
        match self {
            Self::Debian => DebianVersion::compare(a, b).ok(),
            Self::Rpm => Some(Edition::read(a)?.cmp(&Edition::read(b)?)),
        }
    }

    /// Whether a text is a version.
    pub(super) fn is_version(self, text: &str) -> bool {
        self.order(text, text).is_some()
    }

    /// A version as titles have it: RPM epochs are always written.
    pub(super) fn full(self, text: &str) -> String {
        match self {
            Self::Rpm => Edition::read(text).map_or_else(|| text.to_owned(), |edition| edition.full()),
            Self::Debian => text.to_owned(),
        }
    }
}

/// The order of two versions of packages of a system, by `ID` of its os-release; nothing when one of them is no version.
#[must_use]
pub fn version_order(os_id: &str, a: &str, b: &str) -> Option<Ordering> {
    Kind::of(os_id).order(a, b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_system_has_its_order() {
        assert_eq!(Kind::of("ubuntu").order("1.0+a", "1.0.a"), Some(Ordering::Less));
        assert_eq!(Kind::of("rhel").order("1.0+a-1", "1.0.a-1"), Some(Ordering::Equal));
        assert_eq!(Kind::of("rhel").full("1-1"), "0:1-1");
        assert!(Kind::Debian.is_version("1-1") && !Kind::Debian.is_version("1-") && !Kind::Rpm.is_version(""));
    }
}

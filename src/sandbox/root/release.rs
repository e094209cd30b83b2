//! The releases of Debian and Ubuntu that mmdebstrap makes roots of, and what differs between the two distributions.

/// A release; one row per release, so that adding one is adding a row.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Release {
    /// As users write it, for example `debian-12`.
    pub(super) name: &'static str,
    /// As its archive writes it, for example `bookworm`.
    pub(super) code: &'static str,
    pub(super) distribution: &'static Distribution,
}

/// What all releases of a distribution have in common.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Distribution {
    /// For people.
    pub(super) name: &'static str,
    /// What the path of a mirror calls the archive, for amd64 and for other architectures.
    pub(super) archives: [&'static str; 2],
    /// The keys that the archive is signed with, on this machine and in every root.
    pub(super) keyring: &'static str,
    /// The package that has them.
    pub(super) keyring_package: &'static str,
    /// What brings them onto this machine.
    pub(super) keyring_mend: &'static str,
    /// Parts of the archive that an image of the vendor uses.
    pub(super) components: &'static str,
    /// Whether security updates have an archive of their own beside the main one.
    pub(super) security_apart: bool,
}

const DEBIAN: Distribution = Distribution {
    name: "Debian",
    archives: ["debian", "debian"],
    keyring: "/usr/share/keyrings/debian-archive-keyring.gpg",
    keyring_package: "debian-archive-keyring",
    keyring_mend: "sudo apt-get install -y debian-archive-keyring",
    components: "main",
    security_apart: true,
};

/// UNCONFIRMED: `main` and `universe` are what Canonical's cloud images have enabled and what reference/local-sandbox.md
/// 1.2 used; the archive itself could not be reached from where this was written.
const UBUNTU: Distribution = Distribution {
    name: "Ubuntu",
    archives: ["ubuntu", "ubuntu-ports"],
    keyring: "/usr/share/keyrings/ubuntu-archive-keyring.gpg",
    keyring_package: "ubuntu-keyring",
    // Debian 12 has no package of it; the file is the same on every Ubuntu.
    keyring_mend: "sudo apt-get install -y ubuntu-keyring (where there is no such package, copy \
                   /usr/share/keyrings/ubuntu-archive-keyring.gpg from an Ubuntu machine)",
    components: "main universe",
    security_apart: false,
};

#[rustfmt::skip]
const RELEASES: [Release; 7] = [
    Release { name: "debian-11", code: "bullseye", distribution: &DEBIAN },
    Release { name: "debian-12", code: "bookworm", distribution: &DEBIAN },
    Release { name: "debian-13", code: "trixie", distribution: &DEBIAN },
    Release { name: "debian-sid", code: "sid", distribution: &DEBIAN },
    Release { name: "ubuntu-20.04", code: "focal", distribution: &UBUNTU },
    Release { name: "ubuntu-22.04", code: "jammy", distribution: &UBUNTU },
    Release { name: "ubuntu-24.04", code: "noble", distribution: &UBUNTU },
];

impl Release {
    /// The release of a name (`debian-12`) or code name (`bookworm`).
    pub(super) fn find(word: &str) -> Option<&'static Self> {
        RELEASES.iter().find(|release| release.name == word || release.code == word)
    }

    /// Every release as users write it, for messages.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        RELEASES.iter().map(|release| release.name)
    }

    /// Whether the release is never finished, and has no suites beside its own.
    pub(super) fn is_rolling(&self) -> bool {
        self.code == "sid"
    }
}

impl Distribution {
    /// The archive's name in the path of a mirror, for an architecture in the words of Debian.
    pub(super) fn archive(&self, architecture: &str) -> &'static str {
        self.archives[usize::from(architecture != "amd64")]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_found_by_both_names() {
        for release in &RELEASES {
            assert_eq!(Release::find(release.name), Some(release));
            assert_eq!(Release::find(release.code), Some(release));
        }
        assert_eq!(Release::find("debian-9"), None);
        assert_eq!(Release::find(""), None);
        assert_eq!(Release::names().count(), RELEASES.len());
    }

    #[test]
    fn the_archive_of_other_processors_is_elsewhere_for_ubuntu_only() {
        assert_eq!((UBUNTU.archive("amd64"), UBUNTU.archive("arm64")), ("ubuntu", "ubuntu-ports"));
        assert_eq!((DEBIAN.archive("amd64"), DEBIAN.archive("arm64")), ("debian", "debian"));
    }
}

//! What amiforge knows about the operating systems and CPU architectures it builds for.

use super::{Arch, Os};

/// What is fixed by the operating system alone; one row per system, so that adding one is adding a row.
struct Facts {
    os: Os,
    name: &'static str,
    /// What mmdebstrap calls it; `None` for systems that are no Debian.
    release: Option<&'static str>,
    family: Family,
    version: &'static str,
    /// Prefix of the OS names Image Builder gives to parent images (`supportedOsVersions`, image-builder.md 5).
    supported: &'static str,
    /// The AWS-owned baseline of the system (patch-baselines.md 6).
    baseline: &'static str,
    /// Device name of the root volume in the vendor's AMIs.
    root_device: &'static str,
    /// Size of the root volume in the vendor's AMIs, rounded up to what leaves room for updates.
    root_gib: u32,
}

#[rustfmt::skip]
const FACTS: [Facts; 7] = [
    Facts { os: Os::Debian12, name: "debian-12", release: Some("bookworm"), family: Family::Debian, version: "12", supported: "Debian 12",
            baseline: "AWS-DebianDefaultPatchBaseline", root_device: "/dev/xvda", root_gib: 8 },
    Facts { os: Os::Debian13, name: "debian-13", release: Some("trixie"), family: Family::Debian, version: "13", supported: "Debian 13",
            baseline: "AWS-DebianDefaultPatchBaseline", root_device: "/dev/xvda", root_gib: 8 },
    Facts { os: Os::Ubuntu2404, name: "ubuntu-24.04", release: Some("noble"), family: Family::Ubuntu, version: "24.04", supported: "Ubuntu 24",
            baseline: "AWS-UbuntuDefaultPatchBaseline", root_device: "/dev/sda1", root_gib: 8 },
    Facts { os: Os::AmazonLinux2023, name: "amazon-linux-2023", release: None, family: Family::AmazonLinux, version: "2023",
            supported: "Amazon Linux 2023", baseline: "AWS-AmazonLinux2023DefaultPatchBaseline",
            root_device: "/dev/xvda", root_gib: 8 },
    Facts { os: Os::Rhel9, name: "rhel-9", release: None, family: Family::Rhel, version: "9", supported: "RHEL 9",
            baseline: "AWS-RedHatDefaultPatchBaseline", root_device: "/dev/sda1", root_gib: 10 },
    Facts { os: Os::Sles15, name: "sles-15", release: None, family: Family::Suse, version: "15", supported: "SLES 15",
            baseline: "AWS-SuseDefaultPatchBaseline", root_device: "/dev/sda1", root_gib: 10 },
    Facts { os: Os::WindowsServer2022, name: "windows-server-2022", release: None, family: Family::Windows, version: "2022",
            supported: "Microsoft Windows Server 2022", baseline: "AWS-DefaultPatchBaseline",
            root_device: "/dev/sda1", root_gib: 30 },
];

/// Systems that are handled alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "names say it")]
pub enum Family {
    Debian,
    Ubuntu,
    AmazonLinux,
    Rhel,
    Suse,
    Windows,
}

impl Family {
    /// As templates see it: `debian`, `ubuntu`, `amazon-linux`, `rhel`, `suse` or `windows`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debian => "debian",
            Self::Ubuntu => "ubuntu",
            Self::AmazonLinux => "amazon-linux",
            Self::Rhel => "rhel",
            Self::Suse => "suse",
            Self::Windows => "windows",
        }
    }
}

impl Os {
    /// Every system, in the order in which they are offered to users.
    #[must_use]
    pub fn all() -> Vec<Self> {
        FACTS.iter().map(|facts| facts.os).collect()
    }

    fn facts(self) -> &'static Facts {
        // The table holds each variant once (tested); the first row is never taken for a missing one.
        FACTS.iter().find(|facts| facts.os == self).unwrap_or(&FACTS[0])
    }

    /// The system of a name as recipes write it, for example `debian-12`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        FACTS.iter().find(|facts| facts.name == name).map(|facts| facts.os)
    }

    /// The name recipes use, for example `debian-12`.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// Which systems it is handled like.
    #[must_use]
    pub fn family(self) -> Family {
        self.facts().family
    }

    /// The release to bootstrap for it, for example `bookworm`; `None` if it cannot be bootstrapped.
    #[must_use]
    pub fn release(self) -> Option<&'static str> {
        self.facts().release
    }

    /// The vendor's version number, for example `12` or `24.04`.
    #[must_use]
    pub fn version(self) -> &'static str {
        self.facts().version
    }

    /// The prefix for `supportedOsVersions` of a component, for example `Debian 12`.
    #[must_use]
    pub fn supported_prefix(self) -> &'static str {
        self.facts().supported
    }

    /// Name of the AWS-owned patch baseline.
    #[must_use]
    pub fn default_baseline(self) -> &'static str {
        self.facts().baseline
    }

    /// `deviceName` of the root volume.
    #[must_use]
    pub fn root_device(self) -> &'static str {
        self.facts().root_device
    }

    /// Size of the root volume unless the recipe says otherwise, in GiB.
    #[must_use]
    pub fn default_root_gib(self) -> u32 {
        self.facts().root_gib
    }

    /// Image Builder's platform: `Linux` or `Windows`.
    #[must_use]
    pub fn platform(self) -> &'static str {
        if self.family() == Family::Windows { "Windows" } else { "Linux" }
    }

    /// `apt`, `dnf`, `zypper` or `windows-update`.
    #[must_use]
    pub fn package_manager(self) -> &'static str {
        match self.family() {
            Family::Debian | Family::Ubuntu => "apt",
            Family::AmazonLinux | Family::Rhel => "dnf",
            Family::Suse => "zypper",
            Family::Windows => "windows-update",
        }
    }

    /// The architectures the vendor publishes images for.
    #[must_use]
    pub fn architectures(self) -> &'static [Arch] {
        // EC2 has no Windows on arm64.
        if self.family() == Family::Windows { &[Arch::X86_64] } else { Arch::all() }
    }
}

impl Arch {
    /// Both of them.
    #[must_use]
    pub const fn all() -> &'static [Self] {
        &[Self::X86_64, Self::Arm64]
    }

    /// The architecture of a name in EC2's spelling.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::all().iter().copied().find(|arch| arch.name() == name)
    }

    /// EC2's spelling: `x86_64` or `arm64`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }

    /// Debian's spelling: `amd64` or `arm64`.
    #[must_use]
    pub const fn debian_arch(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_system_has_exactly_one_row_and_is_found_by_its_name() {
        let mut all = Os::all();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), FACTS.len());
        assert_eq!(
            all,
            [
                Os::Debian12,
                Os::Debian13,
                Os::Ubuntu2404,
                Os::AmazonLinux2023,
                Os::Rhel9,
                Os::Sles15,
                Os::WindowsServer2022
            ]
        );
        for os in all {
            assert_eq!(os.facts().os, os);
            assert_eq!(Os::parse(os.name()), Some(os));
        }
        assert_eq!(Os::parse("Debian-12"), None);
        assert_eq!(Os::parse(""), None);
    }

    #[test]
    fn what_follows_from_a_system() {
        let os = Os::Debian12;
        assert_eq!((os.platform(), os.package_manager(), os.root_device()), ("Linux", "apt", "/dev/xvda"));
        assert_eq!((os.supported_prefix(), os.default_baseline()), ("Debian 12", "AWS-DebianDefaultPatchBaseline"));
        assert_eq!((Os::Rhel9.package_manager(), Os::Rhel9.root_device()), ("dnf", "/dev/sda1"));
        let suse = Os::Sles15;
        assert_eq!((suse.package_manager(), suse.family().name(), suse.platform()), ("zypper", "suse", "Linux"));
        assert_eq!((suse.supported_prefix(), suse.default_baseline()), ("SLES 15", "AWS-SuseDefaultPatchBaseline"));
        assert_eq!((Os::WindowsServer2022.platform(), Os::Ubuntu2404.root_device()), ("Windows", "/dev/sda1"));
        assert_eq!(Os::WindowsServer2022.architectures(), [Arch::X86_64]);
    }

    #[test]
    fn architectures_in_both_spellings() {
        assert_eq!(Arch::parse("x86_64"), Some(Arch::X86_64));
        assert_eq!(Arch::parse("amd64"), None);
        assert_eq!((Arch::X86_64.debian_arch(), Arch::Arm64.debian_arch()), ("amd64", "arm64"));
    }
}

//! Systems of Debian and Ubuntu made of dice: what is installed, and what the suites of their archives have.

use crate::apt::Upgrade;
use crate::dice::Dice;
use amiforge::patch::debian::{Reader, trusted_prefixes};
use amiforge::patch::{Inventory, OperatingSystem};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// The architectures of a system, its own first.
pub const ARCHES: [&str; 2] = ["amd64", "i386"];

#[derive(Debug, Clone)]
pub struct Record {
    pub name: String,
    pub arch: &'static str,
    pub version: String,
    pub section: &'static str,
    pub priority: &'static str,
    /// `Multi-Arch: same`: may be installed for both architectures at once.
    pub same: bool,
    /// `Phased-Update-Percentage`.
    pub phased: Option<usize>,
}

impl Record {
    fn stanza(&self, more: &str) -> String {
        let Self { name, arch, version, section, priority, same, phased } = self;
        let same = if *same { "Multi-Arch: same\n" } else { "" };
        let phased = phased.map_or_else(String::new, |percent| format!("Phased-Update-Percentage: {percent}\n"));
        format!(
            "Package: {name}\n{more}Priority: {priority}\nSection: {section}\nInstalled-Size: 1\nMaintainer: Nobody <nobody@localhost>\n\
             Architecture: {arch}\n{same}Version: {version}\n{phased}Description: a package\n"
        )
    }

    fn offered(&self) -> String {
        let Self { name, arch, version, .. } = self;
        let file = format!("pool/{name}_{}_{arch}.deb", version.replace(':', "%3a"));
        self.stanza(&format!("Filename: {file}\nSize: 1\nSHA256: {:064x}\n", 1)) + "\n"
    }
}

/// How a suite is known to be its owner's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    Signed,
    SignedBeside,
    Declared,
    /// Not at all.
    No,
}

#[derive(Debug)]
pub struct Suite {
    /// Host and path.
    pub archive: &'static str,
    /// Its folder below `dists`.
    pub name: &'static str,
    /// `Suite:` of its Release file.
    pub called: &'static str,
    pub codename: &'static str,
    pub origin: &'static str,
    pub component: &'static str,
    pub trust: Trust,
    /// `NotAutomatic: yes`.
    pub backports: bool,
    pub records: Vec<Record>,
}

impl Suite {
    /// By patch-baselines.md 4.5: trusted, and "security" in its name or "security.debian.org" in that of its host.
    pub fn is_security(&self) -> bool {
        self.trust != Trust::No && (self.called.contains("security") || self.archive.contains("security.debian.org"))
    }

    fn stem(&self) -> String {
        format!("{}_dists_{}_", self.archive.replace('/', "_"), self.name)
    }

    fn source(&self) -> String {
        let trust = if self.trust == Trust::Declared { "[trusted=yes] " } else { "" };
        format!("deb {trust}http://{} {} {}\n", self.archive, self.name, self.component)
    }

    /// The files of apt's lists that it has.
    fn lists(&self) -> Vec<(String, String)> {
        let Self { called, codename, origin, component, .. } = self;
        let backports = if self.backports { "NotAutomatic: yes\nButAutomaticUpgrades: yes\n" } else { "" };
        let text = format!(
            "Origin: {origin}\nLabel: {origin}\nSuite: {called}\nCodename: {codename}\n{backports}Architectures: amd64 i386\n\
             Components: {component}\nDate: Thu, 25 Apr 2024 15:10:33 UTC\n"
        );
        let stem = self.stem();
        let mut lists = match self.trust {
            Trust::Signed => {
                let signed = format!(
                    "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{text}-----BEGIN PGP SIGNATURE-----\n\nAAAA\n\
                     -----END PGP SIGNATURE-----\n"
                );
                vec![(format!("{stem}InRelease"), signed)]
            }
            Trust::SignedBeside => vec![(format!("{stem}Release"), text), (format!("{stem}Release.gpg"), "A".into())],
            Trust::Declared | Trust::No => vec![(format!("{stem}Release"), text)],
        };
        for arch in ARCHES {
            // Packages for all architectures are in the index of each.
            let of_arch = self.records.iter().filter(|record| record.arch == arch || record.arch == "all");
            let text = of_arch.map(Record::offered).collect();
            lists.push((format!("{stem}{component}_binary-{arch}_Packages"), text));
        }
        lists
    }
}

#[derive(Debug)]
pub struct System {
    pub distribution: OperatingSystem,
    pub installed: Vec<Record>,
    /// Names on hold.
    pub held: Vec<String>,
    pub suites: Vec<Suite>,
}

/// A version with everything that versions of the two distributions have.
fn version(dice: &mut Dice) -> String {
    let epoch = ["", "", "", "", "", "1:", "1:", "2:", "0:"];
    let upstream = [
        "1.0",
        "1.0",
        "1.0.1",
        "1.1~rc1",
        "1.1",
        "1.10",
        "1.9",
        "2.0~beta2",
        "1.0+dfsg",
        "1.0+really0.9",
        "1.00",
        "1-2",
    ];
    let revision = [
        "",
        "-0",
        "-1",
        "-1",
        "-2",
        "-10",
        "-01",
        "-1+deb12u1",
        "-1+deb12u2",
        "-1+deb12u10",
        "-1~deb12u1",
        "-1~bpo12+1",
        "-1ubuntu1",
        "-1ubuntu1.1",
        "-1ubuntu1.10",
        "-1build1",
        "-1ubuntu0.24.04.1",
        "-1ubuntu2.22+esm1",
        "-1.1",
    ];
    let rebuilt = if dice.chance(10) { "+b1" } else { "" };
    [dice.pick(&epoch), dice.pick(&upstream), dice.pick(&revision), rebuilt].concat()
}

/// Which architectures a version is built for. What may be installed for two cannot become one for all.
fn form(dice: &mut Dice, same: bool) -> &'static [&'static str] {
    match dice.below(100) {
        0..20 if !same => &["all"],
        20..25 => &["amd64"],
        25..30 => &["i386"],
        _ => &ARCHES,
    }
}

fn suites(dice: &mut Dice, system: OperatingSystem) -> Vec<Suite> {
    let mut suite = |archive, name, called, codename, origin| Suite {
        archive,
        name,
        called,
        codename,
        origin,
        component: "main",
        trust: dice.pick(&[Trust::Signed, Trust::SignedBeside, Trust::Declared]),
        backports: false,
        records: vec![],
    };
    let mut suites = if system == OperatingSystem::Ubuntu {
        let ubuntu = "archive.ubuntu.example/ubuntu";
        let mut suites: Vec<Suite> = ["noble", "noble-updates", "noble-security"]
            .map(|name| suite(ubuntu, name, name, "noble", "Ubuntu"))
            .into();
        // As Pro subscriptions bring it: a security suite by the letters of its name.
        let esm = "noble-apps-security";
        suites.push(suite("esm.ubuntu.example/apps/ubuntu", esm, esm, "noble", "UbuntuESMApps"));
        suites
    } else {
        let (debian, security) = ("mirror.example/debian", "mirror.example/debian-security");
        let mut suites = vec![
            suite(debian, "bookworm", "oldstable", "bookworm", "Debian"),
            suite(debian, "bookworm-updates", "oldstable-updates", "bookworm-updates", "Debian"),
            suite(security, "bookworm-security", "oldstable-security", "bookworm-security", "Debian"),
            suite(debian, "bookworm-backports", "oldstable-backports", "bookworm-backports", "Debian Backports"),
        ];
        suites[3].backports = true;
        suites
    };
    // Not signed, and called security: nothing of it is a security update.
    suites.push(suite("third.example/apt", "third-security", "third-security", "third", "Third"));
    suites.last_mut().unwrap().trust = Trust::No;
    suites
}

impl System {
    pub fn generate(dice: &mut Dice, system: OperatingSystem) -> Self {
        let mut made = Self { distribution: system, installed: vec![], held: vec![], suites: suites(dice, system) };
        let names = dice.within(8..24);
        for number in 0..names {
            let kind = dice.pick(&["lib", "g++-", "tool-", "python3.", "x"]);
            made.package(dice, &format!("{kind}{number}"));
        }
        if made.installed.is_empty() {
            made.package(dice, "always");
        }
        // What no system is without tells which architecture is its own, whatever most packages are for.
        let version = "1.21.22".to_owned();
        let (section, priority) = ("admin", "required");
        let dpkg = Record { name: "dpkg".into(), arch: "amd64", version, section, priority, same: false, phased: None };
        made.installed.push(dpkg.clone());
        made.suites[0].records.push(dpkg);
        made
    }

    /// A package: where it is installed, and which versions the suites have.
    fn package(&mut self, dice: &mut Dice, name: &str) {
        let same = dice.chance(30);
        let record = |dice: &mut Dice, arch, version: &str| Record {
            name: name.to_owned(),
            arch,
            version: version.to_owned(),
            section: dice.pick(&["libs", "utils", "universe/admin", "non-free/x11"]),
            priority: dice.pick(&["required", "important", "standard", "optional", "Optional", "extra"]),
            same,
            phased: None,
        };
        let places: &[&str] = match dice.below(100) {
            0..25 if name != "always" => &[],
            0..65 => &["amd64"],
            65..80 if !same => &["all"],
            80..90 => &["i386"],
            _ if same => &ARCHES,
            _ => &["amd64"],
        };
        let first = version(dice);
        for arch in places {
            self.installed.push(record(dice, arch, &first));
        }
        if dice.chance(8) {
            self.held.push(name.to_owned());
        }
        // A version is built for all architectures or for each; what is installed may have been built by somebody else.
        let built: &[&str] = if places == ["all"] { places } else { &ARCHES };
        let mut known = vec![(first, if dice.chance(10) { form(dice, same) } else { built })];
        for suite in &mut self.suites {
            if !dice.chance(60) {
                continue;
            }
            // The same version is in several suites more often than not, and sometimes an older one.
            let (version, built) = if dice.chance(35) {
                known[dice.below(known.len())].clone()
            } else {
                (version(dice), form(dice, same))
            };
            known.push((version.clone(), built));
            let phased = suite.name == "noble-updates" && dice.chance(40);
            let phased = phased.then(|| dice.pick(&[0, 10, 50, 100]));
            let one = record(dice, "all", &version);
            suite.records.extend(built.iter().map(|&arch| Record { arch, phased, ..one.clone() }));
        }
    }

    /// Whether suites have the same version of it in different letters.
    pub fn is_written_differently(&self, upgrade: &Upgrade) -> bool {
        let records = self.suites.iter().flat_map(|suite| &suite.records);
        let same = records.filter(|one| Upgrade::new(&one.name, upgrade.arch.as_str(), &one.version) == *upgrade);
        same.map(|one| &one.version).collect::<BTreeSet<_>>().len() > 1
    }

    fn os_release(&self) -> &'static str {
        match self.distribution {
            OperatingSystem::Ubuntu => "ID=ubuntu\nVERSION_ID=\"24.04\"\nVERSION_CODENAME=noble\n",
            _ => "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n",
        }
    }

    /// Writes it for apt, and gives the same to our own reader.
    pub fn write(&self, dir: &Path) -> Inventory {
        for folder in ["etc/apt/apt.conf.d", "etc/apt/preferences.d", "lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(dir.join(folder)).unwrap();
        }
        let mut status = String::new();
        for record in &self.installed {
            let want = if self.held.contains(&record.name) { "hold" } else { "install" };
            let _ = writeln!(status, "{}", record.stanza(&format!("Status: {want} ok installed\n")));
        }
        fs::write(dir.join("status"), &status).unwrap();
        let of = |wanted: &dyn Fn(&Suite) -> bool| -> String {
            self.suites.iter().filter(|suite| wanted(suite)).map(Suite::source).collect()
        };
        let sources = of(&|_| true);
        fs::write(dir.join("etc/apt/sources.list"), &sources).unwrap();
        fs::write(dir.join("etc/apt/security.list"), of(&Suite::is_security)).unwrap();
        // Patch Manager does not honour pins (patch-baselines.md 3.2), so apt is told to treat all suites alike.
        let alike = "Package: *\nPin: release a=oldstable-backports\nPin-Priority: 500\n";
        fs::write(dir.join("etc/apt/preferences.d/alike"), alike).unwrap();
        let mut reader = Reader::new(self.os_release(), &status).unwrap();
        for prefix in trusted_prefixes("sources.list", &sources) {
            reader.declare_trusted(prefix);
        }
        for (name, text) in self.suites.iter().flat_map(Suite::lists) {
            fs::write(dir.join("lists").join(&name), &text).unwrap();
            reader.add(&name, text.as_bytes()).unwrap();
        }
        reader.finish().unwrap()
    }
}

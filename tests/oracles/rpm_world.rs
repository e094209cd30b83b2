//! Repositories with advisories made of dice, from the pool of packages, and a system that uses them.

use crate::dice::Dice;
use crate::rpm_pool::{POOL, Rpm};
use crate::support::rpm::run;
use amiforge::patch::rpm::{Advisories, Packages, QUERY_FORMAT, Repomd, decompressed, installed};
use amiforge::patch::{Inventory, PackageSource, RpmReader};
use std::fmt::Write as _;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// A line of an advisory: a package, and how its epoch and its architecture are written.
#[derive(Debug)]
struct Line {
    rpm: Rpm,
    epoch: &'static str,
    arch: &'static str,
}

#[derive(Debug)]
struct Notice {
    id: String,
    kind: &'static str,
    severity: &'static str,
    status: &'static str,
    updated: bool,
    cves: Vec<String>,
    collections: Vec<Vec<Line>>,
}

/// What advisories look like to dnf, where it and Patch Manager are known to read them differently.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    Ours,
    /// Types and severities are compared without regard to case (patch-baselines.md 4.4), by dnf letter by letter; and what
    /// is in testing or was withdrawn counts for nothing (10.1), and to dnf does.
    Dnf,
    /// And without severity is what any SEVERITY filter takes (3.5, conflict 2): for dnf it is given one.
    DnfWithSeverity(&'static str),
}

#[derive(Debug)]
pub struct World {
    repositories: Vec<Vec<Rpm>>,
    notices: Vec<Vec<Notice>>,
    installed: Vec<Rpm>,
}

impl Notice {
    fn generate(dice: &mut Dice, number: usize) -> Self {
        let kind = match dice.below(100) {
            0..45 => "security",
            45..65 => "bugfix",
            65..80 => "enhancement",
            80..90 => "newpackage",
            90..95 => "Security",
            _ => "recommended",
        };
        let severities =
            ["Critical", "Important", "Important", "Moderate", "Low", "", "", "None", "important", "CRITICAL"];
        let status = ["final", "final", "final", "final", "stable", "testing", "retracted", ""];
        let collections = (0..dice.within(1..3)).map(|_| Self::lines(dice)).collect();
        Self {
            id: format!("FIX-2026:{number:04}"),
            kind,
            severity: dice.pick(&severities),
            status: if number == 0 { "final" } else { dice.pick(&status) },
            updated: dice.chance(60),
            cves: (0..dice.below(3)).map(|_| format!("CVE-2026-{}", 1000 + dice.below(30))).collect(),
            collections,
        }
    }

    /// Of the versions that a name has, all architectures: some of them are not built, and some are of other machines.
    fn lines(dice: &mut Dice) -> Vec<Line> {
        let mut lines = vec![];
        for _ in 0..dice.within(1..4) {
            let rpm = POOL[dice.below(POOL.len())].clone();
            let same = POOL.iter().filter(|one| (one.name, one.version) == (rpm.name, rpm.version));
            let epoch = if rpm.parts().0 == "0" { dice.pick(&["0", "", "absent"]) } else { rpm.parts().0 };
            lines.extend(same.map(|one| Line { rpm: one.clone(), epoch, arch: one.arch }));
            if dice.chance(40) {
                lines.push(Line { rpm, epoch, arch: dice.pick(&["aarch64", "s390x", "src", "noarch"]) });
            }
        }
        lines
    }

    fn is_in_force(&self) -> bool {
        !["testing", "retracted"].contains(&self.status)
    }

    fn xml(&self, reader: Reader) -> String {
        let (mut kind, mut severity) = (self.kind.to_owned(), self.severity.to_owned());
        if reader != Reader::Ours {
            kind = kind.to_lowercase();
            severity = severity.to_lowercase();
            if let Some(first) = severity.get_mut(..1) {
                first.make_ascii_uppercase();
            }
        }
        if let (Reader::DnfWithSeverity(given), "") = (reader, severity.as_str()) {
            given.clone_into(&mut severity);
        }
        let Self { id, status, .. } = self;
        let status = if status.is_empty() { String::new() } else { format!(" status=\"{status}\"") };
        let severity = if severity.is_empty() { String::new() } else { format!("<severity>{severity}</severity>") };
        let updated = if self.updated { "<updated date=\"2026-02-03 04:05:06\"/>" } else { "" };
        let mut text = format!(
            "<update from=\"fixture\"{status} type=\"{kind}\" version=\"1\"><id>{id}</id><title>{id}</title>\
             <issued date=\"2026-01-02\"/>{updated}{severity}<description>x</description><references>\
             <reference href=\"https://localhost/{id}\" id=\"{id}\" title=\"{id}\" type=\"self\"/>"
        );
        for cve in &self.cves {
            let _ =
                write!(text, "<reference href=\"https://localhost/{cve}\" id=\"{cve}\" title=\"{cve}\" type=\"cve\"/>");
        }
        text += "</references><pkglist>";
        for collection in &self.collections {
            text += "<collection short=\"x\"><name>x</name>";
            text.extend(collection.iter().map(Line::xml));
            text += "</collection>";
        }
        text + "</pkglist></update>\n"
    }
}

impl Line {
    fn xml(&self) -> String {
        let (_, version, release) = self.rpm.parts();
        let (name, arch) = (self.rpm.name, self.arch);
        let epoch = if self.epoch == "absent" { String::new() } else { format!(" epoch=\"{}\"", self.epoch) };
        format!(
            "<package name=\"{name}\"{epoch} version=\"{version}\" release=\"{release}\" arch=\"{arch}\" src=\"{name}.src.rpm\">\
             <filename>{name}-{version}-{release}.{arch}.rpm</filename></package>"
        )
    }
}

impl World {
    pub fn generate(dice: &mut Dice) -> Self {
        let names: Vec<&str> =
            POOL.iter().map(|rpm| rpm.name).collect::<std::collections::BTreeSet<_>>().into_iter().collect();
        let mut installed = vec![];
        for name in names {
            // One that is always there, so that sources and system have something to do with each other.
            if name != "plain" && dice.chance(15) {
                continue;
            }
            let all: Vec<&Rpm> = POOL.iter().filter(|rpm| rpm.name == name).collect();
            let chosen = dice.pick(&all);
            // Both architectures at the same version, or one of them.
            let both =
                all.iter().filter(|rpm| rpm.version == chosen.version && (dice.chance(50) || rpm.arch == chosen.arch));
            installed.extend(both.map(|rpm| (*rpm).clone()));
            let second = dice.pick(&all);
            if name == "kernel" && second.version != chosen.version {
                installed.push(second.clone());
            }
        }
        let mut repositories: Vec<Vec<Rpm>> = vec![];
        for share in [60, 25] {
            let kept = POOL.iter().filter(|rpm| dice.chance(share) || (share == 60 && rpm.name == "plain"));
            repositories.push(kept.cloned().collect());
        }
        let notices = |dice: &mut Dice, from: usize, most| -> Vec<Notice> {
            (from..from + dice.within(3..most)).map(|number| Notice::generate(dice, number)).collect()
        };
        let (first, mut second) = (notices(dice, 0, 20), notices(dice, 500, 8));
        // One advisory may have its packages in two repositories (patch-baselines.md 10.1).
        for notice in &mut second {
            if dice.chance(25) {
                let same = &first[dice.below(first.len())];
                notice.id.clone_from(&same.id);
                (notice.kind, notice.severity, notice.status) = (same.kind, same.severity, same.status);
            }
        }
        let notices = vec![first, second];
        Self { repositories, notices, installed }
    }

    /// Writes repositories, system and settings of dnf. In `home` rpm is told where databases are.
    pub fn write(&self, dir: &Path, reader: Reader) {
        for folder in ["root", "repos.d", "cache", "home"] {
            fs::create_dir_all(dir.join(folder)).unwrap();
        }
        fs::write(dir.join("home/.rpmmacros"), "%_dbpath /var/lib/rpm\n").unwrap();
        let settings =
            format!("[main]\nplugins=0\ngpgcheck=0\nreposdir={0}/repos.d\ncachedir={0}/cache\n", dir.display());
        fs::write(dir.join("dnf.conf"), settings).unwrap();
        for (at, packages) in self.repositories.iter().enumerate() {
            let folder = dir.join(format!("r{at}"));
            fs::create_dir_all(&folder).unwrap();
            for rpm in packages {
                symlink(&rpm.path, folder.join(rpm.path.file_name().unwrap())).unwrap();
            }
            run(Command::new("createrepo_c").args(["--quiet", "--no-database", "--workers=1"]).arg(&folder));
            let path = dir.join("updateinfo.xml");
            fs::write(&path, self.updateinfo(at, reader)).unwrap();
            run(Command::new("modifyrepo_c").arg("--mdtype=updateinfo").arg(&path).arg(folder.join("repodata")));
            let section = format!("[r{at}]\nname=r{at}\nbaseurl=file://{}\nenabled=1\ngpgcheck=0\n", folder.display());
            fs::write(dir.join(format!("repos.d/r{at}.repo")), section).unwrap();
        }
        let all = ["--justdb", "--nodeps", "--nosignature", "--noscripts", "--force-debian", "-i"];
        run(rpm(dir).args(all).args(self.installed.iter().map(|rpm| &rpm.path)));
    }

    fn updateinfo(&self, repository: usize, reader: Reader) -> String {
        let notices = self.notices[repository].iter().filter(|notice| reader == Reader::Ours || notice.is_in_force());
        let notices: String = notices.map(|notice| notice.xml(reader)).collect();
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<updates>\n{notices}</updates>\n")
    }

    /// By our own readers: the database as rpm lists it, the lists of packages as `createrepo_c` wrote them.
    pub fn inventory(&self, dir: &Path, (id, version, name): (&str, &str, &str)) -> Inventory {
        let output = rpm(dir).args(["--query", "--all", "--queryformat", QUERY_FORMAT]).output().unwrap();
        let list = String::from_utf8(output.stdout).unwrap();
        let mut reader = RpmReader::new(id, version, name, &installed(&list).unwrap());
        for at in 0..self.repositories.len() {
            let folder = dir.join(format!("r{at}"));
            let index = fs::read(folder.join("repodata/repomd.xml")).unwrap();
            let repomd = Repomd::read("repomd.xml", &index[..]).unwrap();
            let primary = repomd.primary().unwrap();
            let bytes = fs::read(folder.join(&primary.location)).unwrap();
            let mut plain = Vec::new();
            decompressed(&primary.location, &bytes[..], 1 << 24).unwrap().read_to_end(&mut plain).unwrap();
            let source = PackageSource { id: format!("r{at}"), ..PackageSource::default() };
            let updateinfo = self.updateinfo(at, Reader::Ours);
            let notices = Advisories::new("updateinfo", updateinfo.as_bytes()).unwrap();
            reader.repository(source, Packages::new("primary", &plain[..]).unwrap(), notices).unwrap();
        }
        reader.finish()
    }
}

fn rpm(dir: &Path) -> Command {
    let mut rpm = Command::new("rpm");
    rpm.env("HOME", dir.join("home")).arg("--root").arg(dir.join("root"));
    rpm
}

//! Puts the inventory of an RPM system together from what [`rpm`](super::rpm) reads, one repository at a time.

use super::inventory::{
    Advisory, AdvisoryPackage, Hold, Inventory, Offer, OtherOffer, OtherOffers, Package, PackageSource, Unread,
};
use super::rpm::{self, MetadataError, Stamp};
use std::collections::BTreeSet;
use time::format_description::well_known::Rfc3339;

/// Reads the repositories of an RPM system one after the other. Only records of installed packages are kept whole.
#[derive(Debug)]
pub struct RpmReader {
    inventory: Inventory,
    /// Names of installed packages.
    names: BTreeSet<String>,
}

impl RpmReader {
    /// Begins with os-release's `ID`, `VERSION_ID` and `NAME` and with what is installed. Streams of modules that a
    /// package is installed from are enabled; [`RpmReader::enable_module`] adds others.
    #[must_use]
    pub fn new(os_id: &str, os_version: &str, os_name: &str, installed: &[rpm::InstalledPackage]) -> Self {
        let names = installed.iter().map(|package| package.name.clone()).collect();
        let streams: BTreeSet<String> = installed.iter().filter_map(|package| stream(&package.module)).collect();
        let inventory = Inventory {
            os_id: os_id.to_owned(),
            os_version: os_version.to_owned(),
            os_name: os_name.to_owned(),
            installed: installed.iter().map(present).collect(),
            modules: streams.into_iter().collect(),
            ..Inventory::default()
        };
        Self { inventory, names }
    }

    /// A module stream that is enabled, as `name:stream`.
    pub fn enable_module(&mut self, stream: String) {
        if !self.inventory.modules.contains(&stream) {
            self.inventory.modules.push(stream);
        }
    }

    /// A package that is held. What it means for an evaluation is UNCONFIRMED: it is only named.
    pub fn hold(&mut self, hold: Hold) {
        self.inventory.holds.push(hold);
    }

    /// A repository that is enabled and could not be read. The inventory is then of no use for a verdict.
    pub fn unread(&mut self, name: &str, why: &str) {
        self.inventory.unread.push(Unread { name: name.to_owned(), why: why.to_owned() });
    }

    /// Adds a repository: its packages, and its notices when it has any. The first damage ends it.
    pub fn repository(
        &mut self,
        source: PackageSource,
        packages: impl IntoIterator<Item = Result<rpm::AvailablePackage, MetadataError>>,
        notices: impl IntoIterator<Item = Result<rpm::Advisory, MetadataError>>,
    ) -> Result<(), MetadataError> {
        let from = self.inventory.sources.len();
        let mut group = OtherOffers { priority: String::new(), section: String::new(), from, packages: String::new() };
        let mut offered = vec![];
        for package in packages {
            let package = package?;
            if matches!(package.arch.as_str(), "src" | "nosrc") {
                continue;
            }
            let built_at = package.build_time.and_then(seconds);
            let version = package.evr.to_string();
            // Nothing with white space fits the compact form.
            let odd =
                [&package.name, &package.arch, &version].into_iter().any(|text| text.contains(char::is_whitespace));
            if odd || self.names.contains(&package.name) {
                let rpm::AvailablePackage { name, arch, source_rpm, .. } = package;
                let repository = source.id.clone();
                let package =
                    Package { name, arch, version, source: source_rpm, repository, built_at, ..Package::default() };
                offered.push(Offer { package, from });
            } else {
                group.push(OtherOffer { name: &package.name, arch: &package.arch, version: &version, built_at });
            }
        }
        let notices = notices.into_iter().map(|notice| Ok(advisory(notice?, from)));
        let notices: Vec<Advisory> = notices.collect::<Result<_, MetadataError>>()?;
        // Only now, so that half a repository never looks like a whole one.
        self.inventory.sources.push(source);
        self.inventory.offered.extend(offered);
        self.inventory.others.push(group);
        self.inventory.advisories.extend(notices);
        Ok(())
    }

    /// The inventory of what was added. That something was is [`super::evaluate`]'s to check.
    #[must_use]
    pub fn finish(self) -> Inventory {
        self.inventory
    }
}

/// `name:stream` of a modularity label `name:stream:version:context`.
fn stream(label: &str) -> Option<String> {
    let mut words = label.split(':');
    let (name, stream) = (words.next()?, words.next()?);
    (!name.is_empty() && !stream.is_empty()).then(|| format!("{name}:{stream}"))
}

fn seconds(time: u64) -> Option<i64> {
    i64::try_from(time).ok()
}

fn present(package: &rpm::InstalledPackage) -> Package {
    Package {
        name: package.name.clone(),
        arch: package.arch.clone(),
        version: package.evr.to_string(),
        source: package.source_rpm.clone(),
        repository: package.from_repo.clone().unwrap_or_default(),
        installed_at: seconds(package.install_time),
        built_at: package.build_time.and_then(seconds),
        ..Package::default()
    }
}

/// A date as text that the evaluator reads back as the same moment; what could not be read stays what it is.
fn date(stamp: Option<&Stamp>) -> String {
    match stamp {
        None => String::new(),
        Some(Stamp::At(at)) => at.format(&Rfc3339).unwrap_or_else(|_| at.unix_timestamp().to_string()),
        Some(Stamp::Unreadable(text)) => text.clone(),
    }
}

fn advisory(notice: rpm::Advisory, from: usize) -> Advisory {
    let ids = |kind: &str| -> Vec<String> {
        let of_kind = notice.references.iter().filter(|one| one.kind == kind && !one.id.is_empty());
        let ids: BTreeSet<&String> = of_kind.map(|one| &one.id).collect();
        ids.into_iter().cloned().collect()
    };
    // A notice without a self reference cannot be named on AWS (patch-baselines.md 2.1): an empty one says so.
    let reference = ids("self").into_iter().next().unwrap_or_default();
    let package = |package: &rpm::AdvisedPackage| AdvisoryPackage {
        name: package.name.clone(),
        arch: package.arch.clone(),
        version: package.evr.to_string(),
        module: package.module.as_ref().map(|m| format!("{}:{}", m.name, m.stream)).unwrap_or_default(),
        reboot_suggested: package.reboot_suggested || notice.reboot_suggested,
    };
    Advisory {
        reference_id: (reference != notice.id).then_some(reference),
        from,
        issued: date(notice.issued.as_ref()),
        updated: date(notice.updated.as_ref()),
        cves: ids("cve"),
        bugs: ids("bugzilla"),
        packages: notice.packages.iter().map(package).collect(),
        id: notice.id,
        kind: notice.kind,
        severity: notice.severity,
        status: notice.status,
        title: notice.title,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patch::{Context, State, evaluate, predefined};
    use time::macros::datetime;

    const INSTALLED: &str = "dbus\t1\t1.12.28\t1.amzn2023\tx86_64\t1760000000\t1750000000\tAmazon\tdbus.src.rpm\t(none)\n\
        nodejs\t0\t18\t1\tx86_64\t1760000000\t1750000000\tAmazon\tnodejs.src.rpm\tnodejs:18:1:abc\n";

    const PRIMARY: &str = r#"<metadata xmlns="http://linux.duke.edu/metadata/common" packages="3">
        <package type="rpm"><name>dbus</name><arch>x86_64</arch><version epoch="1" ver="1.12.28" rel="1.amzn2023.0.1"/>
          <time file="1" build="1762000000"/><location href="d.rpm"/><format/></package>
        <package type="rpm"><name>dbus</name><arch>src</arch><version epoch="1" ver="1.12.28" rel="1.amzn2023.0.1"/>
          <time file="1" build="1"/><location href="s.rpm"/><format/></package>
        <package type="rpm"><name>vim</name><arch>x86_64</arch><version epoch="2" ver="9" rel="1"/>
          <time file="1" build="1762000000"/><location href="v.rpm"/><format/></package>
        </metadata>"#;

    const UPDATEINFO: &str = r#"<updates><update status="final" type="security"><id>ALAS2023-2025-123</id><title>dbus</title>
        <issued date="2025-11-09 18:00"/><updated date="2025-11-10 01:23"/><severity>important</severity>
        <references><reference id="CVE-2025-1" type="cve"/><reference id="ALAS2023-2025-123" type="self"/><reference id="1234567" type="bugzilla"/></references>
        <pkglist><collection><package name="dbus" epoch="1" version="1.12.28" release="1.amzn2023.0.1" arch="x86_64"/></collection></pkglist>
        </update></updates>"#;

    fn source() -> PackageSource {
        PackageSource { id: "amazonlinux".into(), release: "latest".into(), ..PackageSource::default() }
    }

    fn reader() -> RpmReader {
        RpmReader::new("amzn", "2023", "Amazon Linux", &rpm::installed(INSTALLED).unwrap())
    }

    fn read(primary: &str, updateinfo: &str) -> Result<Inventory, MetadataError> {
        let mut reader = reader();
        let packages = rpm::Packages::new("primary", primary.as_bytes())?;
        reader.repository(source(), packages, rpm::Advisories::new("updateinfo", updateinfo.as_bytes())?)?;
        Ok(reader.finish())
    }

    #[test]
    fn what_the_readers_read_is_evaluated() {
        let inventory = read(PRIMARY, UPDATEINFO).unwrap();
        assert_eq!(inventory.offered.len(), 1, "source packages are none");
        assert_eq!(inventory.others[0].packages, "vim x86_64 2:9-1 1762000000\n");
        assert_eq!(inventory.modules, ["nodejs:18"]);
        let notice = &inventory.advisories[0];
        assert_eq!((notice.updated.as_str(), &notice.reference_id), ("2025-11-10T01:23:00Z", &None));
        assert_eq!((&notice.cves[..], &notice.bugs[..]), (&["CVE-2025-1".into()][..], &["1234567".into()][..]));
        assert_eq!(Inventory::from_json(&inventory.to_json().unwrap()).unwrap(), inventory);
        let baseline = predefined("AWS-AmazonLinux2023DefaultPatchBaseline").unwrap();
        let context = Context::new(datetime!(2025-12-01 0:00 UTC));
        let evaluation = evaluate(&baseline, &inventory, &context).unwrap();
        assert_eq!((evaluation.patches[0].state, evaluation.counts.missing), (State::Missing, 1));
        assert_eq!(evaluation.patches[0].title(), "dbus.x86_64:1:1.12.28-1.amzn2023.0.1");
    }

    #[test]
    fn half_a_repository_is_none() {
        let mut reader = reader();
        let packages = rpm::Packages::new("primary", PRIMARY.as_bytes()).unwrap();
        let cut = &UPDATEINFO[..UPDATEINFO.len() - 12];
        let notices = rpm::Advisories::new("updateinfo", cut.as_bytes()).unwrap();
        assert!(reader.repository(source(), packages, notices).is_err());
        let inventory = reader.finish();
        assert!(inventory.sources.is_empty() && inventory.offered.is_empty() && inventory.others.is_empty());
    }

    #[test]
    fn a_notice_without_a_self_reference_is_known_by_its_own_id_only() {
        let without = UPDATEINFO.replace(r#"<reference id="ALAS2023-2025-123" type="self"/>"#, "");
        let notice = read(PRIMARY, &without).unwrap().advisories.remove(0);
        assert_eq!(notice.reference_id.as_deref(), Some(""));
    }
}

//! Puts an inventory together, one list file at a time.

use super::lists::{Kind, Known, compressed, path};
use super::release::Release;
use super::stanza::stanzas;
use super::{InventoryError, os_release, status};
use crate::patch::inventory::{Inventory, Offer, OtherOffers, Package};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use time::OffsetDateTime;

/// Reads the files of a Debian-like system one after the other, so that a 50 MB package list need not stay in memory.
#[derive(Debug)]
pub struct Reader {
    inventory: Inventory,
    /// Names of installed packages: records of these are kept whole.
    names: BTreeSet<String>,
    /// Release files by the part of the file name that their indexes share.
    releases: BTreeMap<String, Known>,
    /// File names of the indexes; the position is the index into `sources`.
    indexes: Vec<String>,
    /// Their sizes and checksums.
    sums: Vec<(u64, String)>,
    /// When Release files must still be valid.
    now: Option<OffsetDateTime>,
    /// Records of packages that are not installed: (priority, section, index), lines.
    others: BTreeMap<(String, String, usize), String>,
    trusted: Vec<String>,
}

impl Reader {
    /// Begins with `/etc/os-release` and `/var/lib/dpkg/status`.
    pub fn new(os_release: &str, status: &str) -> Result<Self, InventoryError> {
        let field = |name| os_release::field(os_release, name).ok_or(InventoryError::OsRelease { field: name });
        let installed = status::installed(status)?;
        let inventory = Inventory {
            os_id: field("ID")?.to_owned(),
            // Debian testing has none.
            os_version: field("VERSION_ID").unwrap_or_default().to_owned(),
            os_codename: os_release::codename(os_release)
                .ok_or(InventoryError::OsRelease { field: "VERSION_CODENAME" })?,
            os_name: field("NAME").unwrap_or_default().to_owned(),
            holds: status::held(status),
            installed,
            ..Inventory::default()
        };
        let names = inventory.installed.iter().map(|package| package.name.clone()).collect();
        let (releases, indexes, sums, others, trusted) = Default::default();
        Ok(Self { inventory, names, releases, indexes, sums, now: None, others, trusted })
    }

    /// Lists whose file name begins with `prefix` are declared trusted (`[trusted=yes]`).
    pub fn declare_trusted(&mut self, prefix: impl Into<String>) {
        self.trusted.push(prefix.into());
    }

    /// Release files must be valid at that time (`Valid-Until`); without this call none is ever too old, as for
    /// archives of old states.
    pub fn valid_at(&mut self, now: OffsetDateTime) {
        self.now = Some(now);
    }

    /// Adds one file of `/var/lib/apt/lists`, in any order; files that say nothing about packages are passed over.
    pub fn add(&mut self, name: &str, bytes: &[u8]) -> Result<(), InventoryError> {
        let kind = Kind::of(name);
        if kind != Kind::Other && compressed(bytes) {
            return Err(InventoryError::Compressed { name: name.to_owned() });
        }
        match kind {
            Kind::InRelease(stem) | Kind::Release(stem) => {
                let release = Release::read(name, &String::from_utf8_lossy(bytes))?;
                let known = self.releases.entry(stem.to_owned()).or_default();
                known.signed |= release.clear_signed;
                known.release = release;
            }
            Kind::Signature(stem) => self.releases.entry(stem.to_owned()).or_default().signed = true,
            Kind::Packages => {
                self.packages(name, &String::from_utf8_lossy(bytes))?;
                self.sums.push((bytes.len() as u64, sha256(bytes)));
            }
            Kind::Other => {}
        }
        Ok(())
    }

    /// Adds a package list of which someone else has measured size and SHA-256 before leaving parts of it out.
    pub(in crate::patch) fn add_checked(
        &mut self,
        name: &str,
        text: &str,
        size: u64,
        sha256: &str,
    ) -> Result<(), InventoryError> {
        self.packages(name, text)?;
        self.sums.push((size, sha256.to_owned()));
        Ok(())
    }

    fn packages(&mut self, list: &str, text: &str) -> Result<(), InventoryError> {
        let from = self.indexes.len();
        self.indexes.push(list.to_owned());
        let fields = ["Package", "Version", "Architecture", "Priority", "Section", "Source"];
        // Most records in a row share priority and section: the group is looked up only when they change.
        let mut group = (String::new(), String::new(), from);
        let mut lines = String::new();
        for stanza in stanzas(text, fields) {
            let [name, version, arch, priority, section, source] =
                stanza.map_err(|damage| InventoryError::Damaged { file: list.to_owned(), line: damage.line })?;
            let missing = |field| InventoryError::Record {
                name: list.to_owned(),
                package: name.unwrap_or("?").to_owned(),
                field,
            };
            let name = name.ok_or_else(|| missing("Package"))?;
            let version = version.ok_or_else(|| missing("Version"))?;
            let arch = arch.ok_or_else(|| missing("Architecture"))?;
            if self.names.contains(name) {
                let package: Package = status::package(name, arch, version, (priority, section, source));
                self.inventory.offered.push(Offer { package, from });
                continue;
            }
            let (priority, section) = (priority.unwrap_or_default(), section.unwrap_or_default());
            if !group.0.eq_ignore_ascii_case(priority) || group.1 != section {
                let next = (priority.to_lowercase(), section.to_owned(), from);
                flush(&mut self.others, std::mem::replace(&mut group, next), &mut lines);
            }
            for (word, end) in [(name, ' '), (arch, ' '), (version, '\n')] {
                lines.push_str(word);
                lines.push(end);
            }
        }
        flush(&mut self.others, group, &mut lines);
        Ok(())
    }

    /// The inventory of what was added.
    pub fn finish(mut self) -> Result<Inventory, InventoryError> {
        if self.indexes.is_empty() {
            return Err(InventoryError::NoSources);
        }
        self.check_dates()?;
        for (list, sum) in self.indexes.iter().zip(&self.sums) {
            let declared = self.trusted.iter().any(|prefix| list.starts_with(prefix));
            // The longest shared part: a suite of a repository is never the prefix of another one, because the part
            // ends in an underscore, but a flat repository below a folder of another can be.
            let found =
                self.releases.iter().filter(|(stem, _)| list.starts_with(*stem)).max_by_key(|(stem, _)| stem.len());
            let unknown = Known::default();
            let known = found.map_or(&unknown, |(_, known)| known);
            if let Some((stem, known)) = found {
                check_sum(list, &path(list.get(stem.len()..).unwrap_or_default()), sum, &known.release)?;
            }
            self.inventory.sources.push(known.source(list, declared));
        }
        self.check_security_indexes()?;
        let other = |((priority, section, from), packages)| OtherOffers { priority, section, from, packages };
        self.inventory.others = self.others.into_iter().map(other).collect();
        Ok(self.inventory)
    }

    /// A mirror that is not refreshed any more has no updates to offer, and looks like one with none missing.
    fn check_dates(&self) -> Result<(), InventoryError> {
        let Some(now) = self.now else { return Ok(()) };
        for (stem, known) in &self.releases {
            if let Some(until) = known.release.valid_until.filter(|_| known.release.expired_at(now)) {
                return Err(InventoryError::Expired { release: format!("{stem}Release"), until: until.to_string() });
            }
        }
        Ok(())
    }

    /// A security suite whose index is not there would make everything look patched.
    fn check_security_indexes(&self) -> Result<(), InventoryError> {
        for (stem, release) in &self.releases {
            let security = release.source(stem, true).is_security();
            if security && !self.indexes.iter().any(|list| list.starts_with(stem)) {
                return Err(InventoryError::IndexMissing { release: format!("{stem}InRelease") });
            }
        }
        Ok(())
    }
}

/// Checks an index against its Release file. One that is not listed there, or a Release without SHA-256 sums, leaves
/// nothing to check: apt has refused those that had to be.
fn check_sum(list: &str, path: &str, (size, sum): &(u64, String), release: &Release) -> Result<(), InventoryError> {
    let Some((listed_size, listed_sum)) = release.sums.get(path) else { return Ok(()) };
    let differs = |found, expected| InventoryError::IndexDiffers { name: list.to_owned(), found, expected };
    if size != listed_size {
        return Err(differs(format!("{size} bytes"), listed_size.to_string()));
    }
    if sum != listed_sum {
        return Err(differs(format!("the SHA-256 {sum}"), listed_sum.clone()));
    }
    Ok(())
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn flush(others: &mut BTreeMap<(String, String, usize), String>, group: (String, String, usize), lines: &mut String) {
    if !lines.is_empty() {
        others.entry(group).or_default().push_str(lines);
        lines.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DebianFiles, ListFile, inventory};
    use super::*;

    const OS: &str = "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n";
    const STATUS: &str = "Package: bash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 5.2-1\n";
    const STEM: &str = "mirror.example_debian-security_dists_bookworm-security_";

    /// A list; an `InRelease` is signed, in form.
    fn list(name: &str, text: &str) -> ListFile {
        let signed = format!(
            "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{text}\n-----BEGIN PGP SIGNATURE-----\n\nx\n\
             -----END PGP SIGNATURE-----\n"
        );
        let text = if name == "InRelease" { &signed } else { text };
        ListFile { name: format!("{STEM}{name}"), bytes: text.as_bytes().to_vec() }
    }

    fn files(lists: Vec<ListFile>) -> DebianFiles {
        DebianFiles { os_release: OS.into(), status: STATUS.into(), lists, trusted: vec![] }
    }

    const RELEASE: &str = "Suite: stable-security\nCodename: bookworm-security\nLabel: Debian-Security\n";
    const PACKAGES: &str = "Package: bash\nSource: bash\nVersion: 5.2-2\nArchitecture: amd64\nPriority: required\n\
        Section: shells\n\nPackage: curl\nVersion: 8-1\nArchitecture: amd64\nPriority: Optional\nSection: web\n\n\
        Package: zsh\nVersion: 6-1\nArchitecture: all\nPriority: optional\nSection: web\n";

    #[test]
    fn offers_of_installed_names_are_whole_and_the_others_are_grouped() {
        let inventory =
            inventory(&files(vec![list("InRelease", RELEASE), list("main_binary-amd64_Packages", PACKAGES)])).unwrap();
        assert_eq!(inventory.os_codename, "bookworm");
        assert_eq!(inventory.offered.len(), 1);
        assert_eq!(inventory.offered[0].package.version, "5.2-2");
        let other = &inventory.others[..];
        assert_eq!(other.len(), 1);
        assert_eq!((other[0].priority.as_str(), other[0].section.as_str()), ("optional", "web"));
        assert_eq!(other[0].packages, "curl amd64 8-1\nzsh all 6-1\n");
        assert_eq!(inventory.sources.len(), 1);
        assert!(inventory.sources[0].trusted && inventory.sources[0].is_security());
        assert_eq!(inventory.sources[0].site, "mirror.example");
    }

    #[test]
    fn the_order_of_the_files_does_not_show() {
        let mut lists = vec![
            list("Release", RELEASE),
            list("Release.gpg", "x"),
            list("main_binary-amd64_Packages", PACKAGES),
            list("contrib_binary-amd64_Packages", ""),
        ];
        let forward = inventory(&files(lists.clone())).unwrap();
        lists.reverse();
        assert_eq!(inventory(&files(lists)).unwrap(), forward);
        assert!(forward.sources.iter().all(|source| source.trusted));
    }

    #[test]
    fn an_unsigned_source_is_trusted_only_when_declared() {
        let mut files = files(vec![list("Release", RELEASE), list("main_binary-amd64_Packages", PACKAGES)]);
        assert!(!inventory(&files).unwrap().sources[0].trusted);
        files.trusted = vec![STEM.into()];
        assert!(inventory(&files).unwrap().sources[0].trusted);
    }

    #[test]
    fn missing_and_unreadable_lists_are_errors() {
        assert_eq!(inventory(&files(vec![])), Err(InventoryError::NoSources));
        assert_eq!(inventory(&files(vec![list("lock", "")])), Err(InventoryError::NoSources));
        let other = ListFile { name: "h_dists_bookworm_main_binary-amd64_Packages".into(), bytes: vec![] };
        let error = inventory(&files(vec![list("InRelease", RELEASE), other])).unwrap_err();
        assert!(matches!(&error, InventoryError::IndexMissing { release } if release.starts_with(STEM)), "{error}");
        let compressed = ListFile { bytes: vec![0x1f, 0x8b, 0], ..list("main_binary-amd64_Packages.gz", "") };
        assert!(matches!(inventory(&files(vec![compressed])), Err(InventoryError::Compressed { .. })));
        let error = inventory(&files(vec![list("main_binary-amd64_Packages", "Package: a\n")])).unwrap_err();
        assert!(error.to_string().contains("record of package `a` has no Version"), "{error}");
    }

    #[test]
    fn an_index_that_is_not_that_of_its_release_is_an_error() {
        let with = |sum: &str, size: usize| {
            let release = format!("{RELEASE}SHA256:\n {sum} {size} main/binary-amd64/Packages\n");
            inventory(&files(vec![list("InRelease", &release), list("main_binary-amd64_Packages", PACKAGES)]))
        };
        let sum = sha256(PACKAGES.as_bytes());
        assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert!(with(&sum, PACKAGES.len()).is_ok());
        let cut = with(&sum, PACKAGES.len() + 1).unwrap_err();
        assert!(matches!(&cut, InventoryError::IndexDiffers { found, .. } if found.ends_with("bytes")), "{cut}");
        let other = with(&"0".repeat(64), PACKAGES.len()).unwrap_err();
        assert!(matches!(&other, InventoryError::IndexDiffers { found, .. } if found.contains(&sum)), "{other}");
    }

    #[test]
    fn a_release_that_is_too_old_is_an_error_when_the_time_is_told() {
        let release = format!("{RELEASE}Valid-Until: Thu, 03 Dec 2026 11:00:00 UTC\n");
        let at = |now: Option<OffsetDateTime>| {
            let mut reader = Reader::new(OS, STATUS).unwrap();
            if let Some(now) = now {
                reader.valid_at(now);
            }
            for list in [list("InRelease", &release), list("main_binary-amd64_Packages", PACKAGES)] {
                reader.add(&list.name, &list.bytes).unwrap();
            }
            reader.finish().map(|_| ())
        };
        let until = time::macros::datetime!(2026-12-03 11:00 UTC);
        assert_eq!((at(None), at(Some(until))), (Ok(()), Ok(())));
        let late = at(Some(until + time::Duration::SECOND)).unwrap_err();
        assert!(matches!(&late, InventoryError::Expired { until, .. } if until.starts_with("2026-12-03")), "{late}");
    }

    #[test]
    fn an_empty_or_unsigned_release_is_an_error() {
        let error = |name: &str, text: &str| {
            let release = ListFile { name: format!("{STEM}{name}"), bytes: text.as_bytes().to_vec() };
            inventory(&files(vec![release, list("main_binary-amd64_Packages", PACKAGES)])).unwrap_err()
        };
        for (name, text) in [("InRelease", ""), ("Release", ""), ("InRelease", RELEASE), ("Release", "<html>\n")] {
            assert!(matches!(error(name, text), InventoryError::Release(_)), "{name}: {text}");
        }
    }

    #[test]
    fn an_unknown_system_is_an_error() {
        let error = |os: &str| Reader::new(os, STATUS).unwrap_err();
        assert_eq!(error("NAME=x\n"), InventoryError::OsRelease { field: "ID" });
        assert_eq!(error("ID=debian\n"), InventoryError::OsRelease { field: "VERSION_CODENAME" });
    }
}

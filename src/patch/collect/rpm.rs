//! The sections of an RPM system.

use super::facts::Facts;
use super::sections::{Section, Sections};
use super::{CollectError, field};
use crate::patch::inventory::{Hold, Inventory, PackageSource};
use crate::patch::rpm::{
    self, Advisories, Advisory, AvailablePackage, Data, Lock, LockKind, MetadataError, Packages, Problem, Repomd,
    Repository, Variables,
};
use crate::patch::rpm_inventory::RpmReader;
use base64::Engine as _;
use std::collections::BTreeMap;
use std::io::BufReader;

/// More than any list of a repository has without compression, in bytes: protects memory from one that is not what it seems.
const GREATEST: u64 = 4 << 30;

pub(super) fn read(
    sections: &Sections,
    os_release: &str,
    installed: &str,
    facts: &Facts,
) -> Result<Inventory, CollectError> {
    let mut packages = rpm::installed(installed)?;
    if let Some(origins) = sections.text("rpm-origins") {
        rpm::origins(origins, &mut packages)?;
    }
    let version = field(os_release, "VERSION_ID")?;
    let mut reader = RpmReader::new(field(os_release, "ID")?, version, field(os_release, "NAME")?, &packages);
    for file in sections.of("dnf-module") {
        for stream in enabled_streams(&file.text) {
            reader.enable_module(stream);
        }
    }
    let release = sections.name("releasever").unwrap_or_default();
    let mut holds = locks(sections)?;
    for repository in enabled(sections, if release.is_empty() { version } else { release }, &facts.arch)? {
        add(&mut reader, sections, &repository, release)?;
        holds.extend(repository.exclude.into_iter().map(|name| hold(name, &format!("exclude of {}", repository.id))));
    }
    for hold in holds {
        reader.hold(hold);
    }
    Ok(reader.finish())
}

/// The repositories that are asked, each once: of several with one id the first counts.
fn enabled(sections: &Sections, release: &str, arch: &str) -> Result<Vec<Repository>, CollectError> {
    let mut variables = Variables::new(release, arch);
    for variable in sections.of("dnf-variable").filter(|variable| variable.name != "releasever") {
        variables.add(variable.name, &variable.text);
    }
    let mut all: Vec<Repository> = vec![];
    for file in sections.of("repositories") {
        for repository in rpm::repositories(file.name, &file.text, &variables)? {
            if !all.iter().any(|known| known.id == repository.id) {
                all.push(repository);
            }
        }
    }
    all.retain(|repository| repository.enabled);
    Ok(all)
}

/// Adds a repository, or that it did not come.
fn add(
    reader: &mut RpmReader,
    sections: &Sections,
    repository: &Repository,
    release: &str,
) -> Result<(), CollectError> {
    let id = repository.id.as_str();
    let mut found = sections.of("repository").filter(|section| section.name == id);
    let Some(index) = found.next() else {
        reader.unread(id, &reason(sections, id));
        return Ok(());
    };
    if found.next().is_some() {
        reader.unread(
            id,
            "two states of it lie in the cache of the package manager, and which is the current one is unknown",
        );
        return Ok(());
    }
    let failed = |source: MetadataError| CollectError::Metadata { id: id.to_owned(), source: Box::new(source) };
    let repomd = Repomd::read("repomd.xml", index.text.as_bytes()).map_err(failed)?;
    let primary = repomd.primary().map_err(failed)?;
    let (Some(packages), notices) = (List::find(sections, id, primary)?, notices(sections, id, &repomd)?) else {
        reader.unread(id, "its list of packages did not come");
        return Ok(());
    };
    let source = PackageSource {
        id: id.to_owned(),
        release: release.to_owned(),
        site: site(repository),
        label: repository.name.clone(),
        trusted: repository.gpgcheck.unwrap_or(true),
        notices: notices.total,
        ..PackageSource::default()
    };
    reader.repository(source, packages.packages().map_err(failed)?, notices.read.map_err(failed)?).map_err(failed)
}

/// The notices of a repository; none when it has none (patch-baselines.md 3.2).
struct Notices {
    total: usize,
    read: Result<Box<dyn Iterator<Item = Result<Advisory, MetadataError>>>, MetadataError>,
}

fn notices(sections: &Sections, id: &str, repomd: &Repomd) -> Result<Notices, CollectError> {
    let Some(data) = repomd.updateinfo() else {
        return Ok(Notices { total: 0, read: Ok(Box::new(std::iter::empty())) });
    };
    let failed = |source: MetadataError| CollectError::Metadata { id: id.to_owned(), source: Box::new(source) };
    let Some(list) = List::find(sections, id, data)? else {
        let problem = Problem::Read("the package manager did not fetch it".to_owned());
        let at = MetadataError { file: data.location.clone(), at: 0, element: String::new(), problem };
        return Err(failed(at));
    };
    Ok(Notices { total: list.total, read: list.notices() })
}

/// A list of a repository, checked against repomd.xml.
struct List {
    file: String,
    /// As the collector has counted: of packages those that are here, of notices those before it was narrowed down.
    total: usize,
    content: Content,
}

enum Content {
    /// Elements, without the one around them.
    Narrowed(String),
    /// The file.
    Whole(Vec<u8>),
}

impl List {
    fn find(sections: &Sections, id: &str, data: &Data) -> Result<Option<Self>, CollectError> {
        let failed = |source: MetadataError| CollectError::Metadata { id: id.to_owned(), source: Box::new(source) };
        let mine = |section: &&Section| section.name.split(' ').take(2).eq([id, data.kind.as_str()]);
        let file = data.location.clone();
        if let Some(section) = sections.of("repository-list").find(mine) {
            let words: Vec<&str> = section.name.split(' ').collect();
            let [_, _, size, sum, total] = words[..] else {
                return Err(CollectError::Section(section.name.to_owned()));
            };
            check(data, size, sum).map_err(failed)?;
            let total = total.parse().map_err(|_| CollectError::Section(section.name.to_owned()))?;
            return Ok(Some(Self { file, total, content: Content::Narrowed(section.text.clone()) }));
        }
        let Some(section) = sections.of("repository-file").find(mine) else { return Ok(None) };
        let encoded: String = section.text.split_whitespace().collect();
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(encoded)
            .map_err(|_| CollectError::Section(section.name.to_owned()))?;
        data.check(&bytes).map_err(failed)?;
        Ok(Some(Self { file, total: 1, content: Content::Whole(bytes) }))
    }

    fn packages(self) -> Result<Box<dyn Iterator<Item = Result<AvailablePackage, MetadataError>>>, MetadataError> {
        Ok(match self.content {
            Content::Narrowed(text) => {
                // As many as the collector has counted: the reader refuses fewer.
                let whole = format!("<metadata packages=\"{}\">{text}</metadata>", self.total);
                Box::new(Packages::new(&self.file, BufReader::new(std::io::Cursor::new(whole)))?)
            }
            Content::Whole(bytes) => {
                let bytes = rpm::decompressed(&self.file, BufReader::new(std::io::Cursor::new(bytes)), GREATEST)?;
                Box::new(Packages::new(&self.file, bytes)?)
            }
        })
    }

    fn notices(self) -> Result<Box<dyn Iterator<Item = Result<Advisory, MetadataError>>>, MetadataError> {
        Ok(match self.content {
            Content::Narrowed(text) => {
                let whole = format!("<updates>{text}</updates>");
                Box::new(Advisories::new(&self.file, BufReader::new(std::io::Cursor::new(whole)))?)
            }
            Content::Whole(bytes) => {
                let bytes = rpm::decompressed(&self.file, BufReader::new(std::io::Cursor::new(bytes)), GREATEST)?;
                Box::new(Advisories::new(&self.file, bytes)?)
            }
        })
    }
}

/// What the collector has measured is what repomd.xml says.
fn check(data: &Data, size: &str, sum: &str) -> Result<(), MetadataError> {
    let differs = |what: &str, found: &str, expected: String| MetadataError {
        file: data.location.clone(),
        at: 0,
        element: String::new(),
        problem: Problem::Differs { what: what.to_owned(), found: found.to_owned(), expected },
    };
    if let Some(expected) = data.size.filter(|expected| expected.to_string() != size) {
        return Err(differs("size", &format!("{size} bytes"), expected.to_string()));
    }
    if sum != data.checksum.value {
        return Err(differs(&data.checksum.kind, sum, data.checksum.value.clone()));
    }
    Ok(())
}

/// Why a repository did not come, in the package manager's own words where they name it.
fn reason(sections: &Sections, id: &str) -> String {
    let log = sections.text("refresh-log").unwrap_or_default();
    let lines: Vec<&str> = log.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let named = lines.iter().find(|line| line.contains(id)).or(lines.last());
    named.map_or_else(|| "the package manager has fetched nothing of it".to_owned(), |line| (*line).to_owned())
}

/// The host of the first address, or the path of a folder.
fn site(repository: &Repository) -> String {
    let address = repository.baseurl.first().or(repository.mirrorlist.as_ref()).or(repository.metalink.as_ref());
    let address = address.map(String::as_str).unwrap_or_default();
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    if scheme == "file" {
        return format!("file:{rest}");
    }
    let host = rest.split('/').next().unwrap_or_default();
    host.rsplit_once('@').map_or(host, |(_, host)| host).to_owned()
}

/// `name:stream` of the modules that dnf has written down as enabled.
fn enabled_streams(text: &str) -> Vec<String> {
    let mut streams = vec![];
    let (mut module, mut values) = ("", BTreeMap::new());
    for line in text.lines().map(str::trim).chain(["[]"]) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            if let (Some(&"enabled"), Some(stream)) = (values.get("state"), values.get("stream")) {
                streams.push(format!("{module}:{stream}"));
            }
            module = name;
            values.clear();
        } else if let Some((key, value)) = line.split_once('=') {
            values.insert(key.trim(), value.trim());
        }
    }
    streams
}

fn hold(name: String, by: &str) -> Hold {
    Hold { name, version: None, by: by.to_owned() }
}

/// Everything that keeps packages as they are.
fn locks(sections: &Sections) -> Result<Vec<Hold>, CollectError> {
    let mut holds = vec![];
    for file in sections.of("versionlock") {
        holds.extend(rpm::versionlock(file.name, &file.text)?.iter().map(|lock| of_lock(lock, "versionlock")));
    }
    for file in sections.of("zypper-locks") {
        holds.extend(rpm::zypper_locks(file.name, &file.text)?.iter().map(|lock| of_lock(lock, "zypper")));
    }
    for file in sections.of("dnf-config") {
        let by = format!("exclude of {}", file.name);
        holds.extend(rpm::dnf_excludes(file.name, &file.text)?.iter().map(|lock| of_lock(lock, &by)));
    }
    Ok(holds)
}

/// A lock names a package, with a version or without: what stands before the version is the name.
fn of_lock(lock: &Lock, by: &str) -> Hold {
    let pattern = lock.pattern.as_str();
    if lock.kind != LockKind::Only {
        return Hold { name: pattern.to_owned(), version: None, by: by.to_owned() };
    }
    // `bash-0:5.2.15-1.*` and `0:bash-5.2.15-1.*` are what the plugin writes.
    let rest = pattern.split_once(':').filter(|(epoch, _)| epoch.bytes().all(|b| b.is_ascii_digit()));
    let (epoch, rest) = rest.map_or(("", pattern), |(epoch, rest)| (epoch, rest));
    let mut words = rest.rsplitn(3, '-');
    let (release, version, name) = (words.next(), words.next(), words.next());
    let (Some(release), Some(version), Some(name)) = (release, version, name) else {
        return Hold { name: pattern.to_owned(), version: None, by: by.to_owned() };
    };
    let version =
        if epoch.is_empty() { format!("{version}-{release}") } else { format!("{epoch}:{version}-{release}") };
    Hold { name: name.to_owned(), version: Some(version), by: by.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enabled_streams_are_those_that_say_so() {
        let text = "[nodejs]\nname=nodejs\nstream=18\nprofiles=\nstate=enabled\n\n[php]\nstream = 8.1\nstate = disabled\n\n[ruby]\nstream=3.3\nstate=enabled\n";
        assert_eq!(enabled_streams(text), ["nodejs:18", "ruby:3.3"]);
        assert_eq!(enabled_streams(""), Vec::<String>::new());
    }

    #[test]
    fn locks_have_names() {
        let lock = |pattern: &str| {
            let lock = Lock { kind: LockKind::Only, pattern: pattern.into(), condition: String::new(), line: 1 };
            let hold = of_lock(&lock, "versionlock");
            (hold.name, hold.version.unwrap_or_default())
        };
        let is = |name: &str, version: &str| (name.to_owned(), version.to_owned());
        assert_eq!(lock("bash-0:5.2.15-1.amzn2023.*"), is("bash", "0:5.2.15-1.amzn2023.*"));
        assert_eq!(lock("0:curl-minimal-8.3.0-1.*"), is("curl-minimal", "0:8.3.0-1.*"));
        assert_eq!(lock("kernel"), is("kernel", ""));
    }

    #[test]
    fn the_site_has_no_password() {
        let repository = |baseurl: &str| {
            let text = format!("[a]\nbaseurl={baseurl}\n");
            rpm::repositories("a.repo", &text, &Variables::default()).unwrap().remove(0)
        };
        assert_eq!(site(&repository("https://user:pass@mirror.example:8443/x/y")), "mirror.example:8443");
        assert_eq!(site(&repository("file:///srv/repo")), "file:/srv/repo");
    }
}

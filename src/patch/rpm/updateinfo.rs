//! The list `updateinfo`: advisories, which say of a new version what it is good for (patch-baselines.md 10.1).

use super::error::{MetadataError, Problem};
use super::stamp::Stamp;
use super::xml::{Element, Xml};
use crate::patch::version::Evr;
use std::io::BufRead;

/// An advisory.
///
/// Texts are the vendor's own: types and severities are spelled differently by every vendor, and a baseline compares
/// them without regard to case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advisory {
    /// `ALAS2023-2025-123`, `RHSA-2025:1234`, … Unique within a repository only.
    pub id: String,
    /// `security`, `bugfix`, `enhancement`, `newpackage`, `recommended`, …; empty when the vendor says none.
    pub kind: String,
    /// `final`, `stable`, `testing`, `retracted`, …; empty when the vendor says none.
    pub status: String,
    /// `important`, `Critical`, `None`, …; empty when the vendor says none.
    pub severity: String,
    /// When it was published first.
    pub issued: Option<Stamp>,
    /// When it was changed last.
    pub updated: Option<Stamp>,
    /// Title.
    pub title: String,
    /// The release of the system it is for, in the vendor's words; often empty.
    pub release: String,
    /// What it refers to.
    pub references: Vec<Reference>,
    /// The packages that have what it is about. For all architectures; source packages are left out.
    pub packages: Vec<AdvisedPackage>,
    /// Whether the machine has to be started again, as the advisory itself says; its packages may say so, too.
    pub reboot_suggested: bool,
    /// Where it begins in the list, in bytes.
    pub at: u64,
}

/// Something that an advisory refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// `cve`, `bugzilla`, `self`, …, lower case; empty when the vendor says none.
    pub kind: String,
    /// `CVE-2025-1`, `1234567`, …; may be empty.
    pub id: String,
    /// Where to read it; may be empty.
    pub href: String,
}

/// A package of an advisory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdvisedPackage {
    /// Name.
    pub name: String,
    /// Epoch, version and release.
    pub evr: Evr,
    /// Architecture.
    pub arch: String,
    /// File name of the source package; may be empty.
    pub source_rpm: String,
    /// The module it is a part of: it counts only where this stream is enabled.
    pub module: Option<Module>,
    /// Whether the machine has to be started again.
    pub reboot_suggested: bool,
    /// Whether the package manager has to be started again.
    pub restart_suggested: bool,
    /// Whether users have to log in again.
    pub relogin_suggested: bool,
}

/// A build of a stream of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Name, for example `nodejs`.
    pub name: String,
    /// Stream, for example `18`.
    pub stream: String,
    /// Version.
    pub version: String,
    /// Context.
    pub context: String,
    /// Architecture.
    pub arch: String,
}

/// The advisories of a repository, one after the other. Ends after the first error; the end without an error means that
/// the list was whole.
pub struct Advisories<R> {
    xml: Xml<R>,
    /// The outermost element, when it is an advisory itself: libsolv takes a list of one for that.
    only: Option<Element>,
    done: bool,
}

impl<R: BufRead> Advisories<R> {
    /// Begins to read the list, which must not be compressed any more.
    pub fn new(file: &str, bytes: R) -> Result<Self, MetadataError> {
        let mut xml = Xml::new(file, bytes);
        let root = xml.root(&["updates", "update"])?;
        let only = (root.name == "update").then_some(root);
        Ok(Self { xml, only, done: false })
    }

    fn step(&mut self) -> Result<Option<Advisory>, MetadataError> {
        if let Some(element) = self.only.take() {
            let advisory = advisory(&mut self.xml, &element)?;
            self.xml.finish()?;
            self.done = true;
            return Ok(Some(advisory));
        }
        while let Some(element) = self.xml.child()? {
            if element.name == "update" {
                return advisory(&mut self.xml, &element).map(Some);
            }
            self.xml.skip()?;
        }
        self.xml.finish()?;
        Ok(None)
    }
}

impl<R: BufRead> Iterator for Advisories<R> {
    type Item = Result<Advisory, MetadataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let next = self.step().transpose();
        self.done |= !matches!(next, Some(Ok(_)));
        next
    }
}

impl Advisory {
    /// Whether it is in force: not in testing, and not withdrawn (`retracted`, SUSE) (patch-baselines.md 10.1).
    ///
    /// One that does not say its status is: to leave it out would hide what is missing.
    #[must_use]
    pub fn is_in_force(&self) -> bool {
        ["", "final", "stable"].iter().any(|status| status.eq_ignore_ascii_case(&self.status))
    }

    /// What Patch Manager compares with a baseline's CLASSIFICATION: the type with its first letter upper case
    /// (patch-baselines.md 4.4).
    #[must_use]
    pub fn classification(&self) -> String {
        let mut letters = self.kind.chars();
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    }

    /// The CVEs it names, without duplicates, sorted.
    #[must_use]
    pub fn cves(&self) -> Vec<&str> {
        let of_cves = |one: &&Reference| one.kind == "cve" && !one.id.is_empty();
        let mut ids: Vec<&str> = self.references.iter().filter(of_cves).map(|one| one.id.as_str()).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

fn advisory<R: BufRead>(xml: &mut Xml<R>, element: &Element) -> Result<Advisory, MetadataError> {
    let attribute = |name| element.attribute(name).unwrap_or_default().to_owned();
    let mut read = Advisory {
        id: String::new(),
        kind: attribute("type"),
        status: attribute("status"),
        severity: String::new(),
        issued: None,
        updated: None,
        title: String::new(),
        release: String::new(),
        references: vec![],
        packages: vec![],
        reboot_suggested: false,
        at: element.at,
    };
    while let Some(child) = xml.child()? {
        match child.name.as_ref() {
            "id" => read.id = xml.text()?,
            "severity" => read.severity = xml.text()?,
            "title" => read.title = xml.text()?,
            "release" => read.release = xml.text()?,
            "issued" => read.issued = date(xml, &child)?,
            "updated" => read.updated = date(xml, &child)?,
            "references" => references(xml, &mut read.references)?,
            "pkglist" => packages(xml, &mut read.packages)?,
            "reboot_suggested" => read.reboot_suggested = flag(xml, &child)?,
            _ => xml.skip()?,
        }
    }
    if read.id.is_empty() {
        return Err(xml.error_in(element, Problem::Missing("<id> of an advisory".into())));
    }
    Ok(read)
}

/// A date as an attribute, or, as some tools of third parties have it, as the text.
fn date<R: BufRead>(xml: &mut Xml<R>, element: &Element) -> Result<Option<Stamp>, MetadataError> {
    let text = xml.text()?;
    let text = element.attribute("date").unwrap_or(&text);
    Ok((!text.is_empty()).then(|| Stamp::read(text)))
}

fn references<R: BufRead>(xml: &mut Xml<R>, into: &mut Vec<Reference>) -> Result<(), MetadataError> {
    while let Some(child) = xml.child()? {
        if child.name == "reference" {
            let attribute = |name| child.attribute(name).unwrap_or_default().to_owned();
            into.push(Reference {
                kind: attribute("type").to_ascii_lowercase(),
                id: attribute("id"),
                href: attribute("href"),
            });
        }
        xml.skip()?;
    }
    Ok(())
}

/// The collections of an advisory. A module stands for all packages of its collection.
fn packages<R: BufRead>(xml: &mut Xml<R>, into: &mut Vec<AdvisedPackage>) -> Result<(), MetadataError> {
    while let Some(collection) = xml.child()? {
        if collection.name != "collection" {
            xml.skip()?;
            continue;
        }
        let (first, mut module) = (into.len(), None);
        while let Some(child) = xml.child()? {
            match child.name.as_ref() {
                "module" => {
                    module = Some(self::module(xml, &child)?);
                    xml.skip()?;
                }
                "package" => into.extend(package(xml, &child)?),
                _ => xml.skip()?,
            }
        }
        // It may stand behind the packages.
        for package in into.iter_mut().skip(first) {
            package.module.clone_from(&module);
        }
    }
    Ok(())
}

fn module<R: BufRead>(xml: &Xml<R>, element: &Element) -> Result<Module, MetadataError> {
    let attribute = |name| element.attribute(name).unwrap_or_default().to_owned();
    Ok(Module {
        name: xml.required(element, "name")?.to_owned(),
        stream: xml.required(element, "stream")?.to_owned(),
        version: attribute("version"),
        context: attribute("context"),
        arch: attribute("arch"),
    })
}

/// A package; nothing for a source package, which nobody installs.
fn package<R: BufRead>(xml: &mut Xml<R>, element: &Element) -> Result<Option<AdvisedPackage>, MetadataError> {
    let (version, release) = (xml.required(element, "version")?, xml.required(element, "release")?);
    let failed = |error: crate::patch::EvrError| xml.value(element, "the version", &error.text, error.why);
    let evr = Evr::from_parts(element.attribute("epoch").unwrap_or_default(), version, release).map_err(failed)?;
    let mut read = AdvisedPackage {
        name: xml.required(element, "name")?.to_owned(),
        evr,
        arch: xml.required(element, "arch")?.to_owned(),
        source_rpm: element.attribute("src").unwrap_or_default().to_owned(),
        module: None,
        reboot_suggested: false,
        restart_suggested: false,
        relogin_suggested: false,
    };
    while let Some(child) = xml.child()? {
        match child.name.as_ref() {
            "reboot_suggested" => read.reboot_suggested = flag(xml, &child)?,
            "restart_suggested" => read.restart_suggested = flag(xml, &child)?,
            "relogin_suggested" => read.relogin_suggested = flag(xml, &child)?,
            _ => xml.skip()?,
        }
    }
    Ok(if matches!(read.arch.as_str(), "src" | "nosrc") { None } else { Some(read) })
}

/// `True` (createrepo) or `1`. An empty element says so by being there; anything else is an error, because a restart
/// that is forgotten leaves the old code running.
fn flag<R: BufRead>(xml: &mut Xml<R>, element: &Element) -> Result<bool, MetadataError> {
    let text = xml.text()?;
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "" => Ok(true),
        "false" | "0" | "no" => Ok(false),
        _ => Err(xml.value(element, &element.name, &text, "it is neither true nor false")),
    }
}

#[cfg(test)]
#[path = "updateinfo_tests.rs"]
mod tests;

//! The list `primary`: the packages a repository offers.

use super::checksum::Checksum;
use super::error::{MetadataError, Problem};
use super::repomd::{checksum, relative};
use super::xml::{Element, Xml};
use crate::patch::version::Evr;
use std::io::BufRead;

/// A package that a repository offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AvailablePackage {
    /// Name.
    pub name: String,
    /// Architecture, for example `x86_64` or `noarch`.
    pub arch: String,
    /// Epoch, version and release.
    pub evr: Evr,
    /// When it was built, in seconds since 1970.
    pub build_time: Option<u64>,
    /// When it was put into the repository, in seconds since 1970.
    pub file_time: Option<u64>,
    /// Its sizes, where the list has them.
    pub size: Option<Size>,
    /// Checksum of the package.
    pub checksum: Option<Checksum>,
    /// Path below the repository.
    pub location: String,
    /// File name of the source package; empty for a source package itself.
    pub source_rpm: String,
    /// Who made it; empty when unknown.
    pub vendor: String,
}

/// Sizes of a package in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Of the file.
    pub package: u64,
    /// Of what it installs.
    pub installed: u64,
}

/// The packages of a repository, one after the other.
///
/// Ends after the first error. The end without an error means that the list was whole: it is closed, nothing follows it,
/// and it has as many packages as it says.
pub struct Packages<R> {
    xml: Xml<R>,
    /// As the list says; it always does.
    expected: u64,
    found: u64,
    done: bool,
}

impl<R: BufRead> Packages<R> {
    /// Begins to read the list, which must not be compressed any more.
    pub fn new(file: &str, bytes: R) -> Result<Self, MetadataError> {
        let mut xml = Xml::new(file, bytes);
        let root = xml.root(&["metadata"])?;
        let expected = xml.number(&root, "the number of packages", xml.required(&root, "packages")?)?;
        Ok(Self { xml, expected, found: 0, done: false })
    }

    fn step(&mut self) -> Result<Option<AvailablePackage>, MetadataError> {
        while let Some(element) = self.xml.child()? {
            // `type` is there for kinds of packages that were never made.
            if element.name != "package" || element.attribute("type").is_some_and(|kind| kind != "rpm") {
                self.xml.skip()?;
                continue;
            }
            self.found += 1;
            return package(&mut self.xml, &element).map(Some);
        }
        self.xml.finish()?;
        if self.found != self.expected {
            return Err(self.xml.error(Problem::Count { found: self.found, expected: self.expected }));
        }
        Ok(None)
    }
}

impl<R: BufRead> Iterator for Packages<R> {
    type Item = Result<AvailablePackage, MetadataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let next = self.step().transpose();
        self.done = !matches!(next, Some(Ok(_)));
        next
    }
}

fn package<R: BufRead>(xml: &mut Xml<R>, element: &Element) -> Result<AvailablePackage, MetadataError> {
    let (mut name, mut arch, mut version, mut location) = (None, None, None, None);
    let (mut build_time, mut file_time, mut size, mut sum) = (None, None, None, None);
    let (mut source_rpm, mut vendor) = (String::new(), String::new());
    while let Some(child) = xml.child()? {
        match child.name.as_ref() {
            "name" => name = Some(xml.text()?),
            "arch" => arch = Some(xml.text()?),
            "checksum" => sum = Some(checksum(xml, &child)?),
            "format" => (source_rpm, vendor) = format(xml)?,
            "version" => version = Some(evr(xml, &child)?),
            "location" => location = Some(relative(xml, &child)?),
            "time" => (build_time, file_time) = (optional(xml, &child, "build")?, optional(xml, &child, "file")?),
            "size" => size = sizes(xml, &child)?,
            _ => {}
        }
        // What was not read as text or as children is still open.
        if !matches!(child.name.as_ref(), "name" | "arch" | "checksum" | "format") {
            xml.skip()?;
        }
    }
    let missing = |what: &str| xml.error_in(element, Problem::Missing(format!("<{what}> of a package")));
    let text = |what: &str, value: Option<String>| value.filter(|text| !text.is_empty()).ok_or_else(|| missing(what));
    let (name, arch) = (text("name", name)?, text("arch", arch)?);
    let evr = version.ok_or_else(|| missing("version"))?;
    let location = location.ok_or_else(|| missing("location"))?;
    Ok(AvailablePackage { name, arch, evr, build_time, file_time, size, checksum: sum, location, source_rpm, vendor })
}

/// What is of interest among the package's own headers: source package and vendor.
fn format<R: BufRead>(xml: &mut Xml<R>) -> Result<(String, String), MetadataError> {
    let (mut source_rpm, mut vendor) = (String::new(), String::new());
    while let Some(child) = xml.child()? {
        match child.name.as_ref() {
            "sourcerpm" => source_rpm = xml.text()?,
            "vendor" => vendor = xml.text()?,
            _ => xml.skip()?,
        }
    }
    Ok((source_rpm, vendor))
}

/// Epoch, version and release as attributes.
fn evr<R: BufRead>(xml: &Xml<R>, element: &Element) -> Result<Evr, MetadataError> {
    let (version, release) = (xml.required(element, "ver")?, xml.required(element, "rel")?);
    let failed = |error: crate::patch::EvrError| xml.value(element, "the version", &error.text, error.why);
    Evr::from_parts(element.attribute("epoch").unwrap_or_default(), version, release).map_err(failed)
}

fn optional<R: BufRead>(xml: &Xml<R>, element: &Element, name: &str) -> Result<Option<u64>, MetadataError> {
    element.attribute(name).map(|text| xml.number(element, name, text)).transpose()
}

fn sizes<R: BufRead>(xml: &Xml<R>, element: &Element) -> Result<Option<Size>, MetadataError> {
    let (package, installed) = (optional(xml, element, "package")?, optional(xml, element, "installed")?);
    Ok(package.zip(installed).map(|(package, installed)| Size { package, installed }))
}

#[cfg(test)]
#[path = "primary_tests.rs"]
mod tests;

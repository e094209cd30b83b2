//! `repodata/repomd.xml`: which lists a repository has, and how to know them.

use super::checksum::{Checked, Checksum, check};
use super::error::{MetadataError, Problem};
use super::xml::{Element, Xml};
use std::io::{BufRead, Read};

/// The table of contents of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repomd {
    /// What the file is called in messages.
    file: String,
    /// The repository's name for its own state: a number, often seconds since 1970; empty when it has none.
    pub revision: String,
    /// The lists, as they stand in the file.
    pub data: Vec<Data>,
}

/// One list of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Data {
    /// `primary`, `updateinfo`, `modules`, …
    pub kind: String,
    /// Path below the repository; never absolute and never upwards.
    pub location: String,
    /// Of the file as it is fetched.
    pub checksum: Checksum,
    /// Of its content without compression.
    pub open_checksum: Option<Checksum>,
    /// Bytes of the file as it is fetched.
    pub size: Option<u64>,
    /// Bytes of its content without compression.
    pub open_size: Option<u64>,
    /// When it was made, in seconds since 1970.
    pub timestamp: Option<u64>,
}

/// More lists than any repository has; createrepo knows about a dozen, some twice for two compressions.
const MOST: usize = 200;

impl Repomd {
    /// Reads the file. What it is called is shown in messages, nothing else.
    pub fn read(file: &str, bytes: impl BufRead) -> Result<Self, MetadataError> {
        let mut xml = Xml::new(file, bytes);
        let root = xml.root(&["repomd"])?;
        let mut read = Self { file: file.to_owned(), revision: String::new(), data: vec![] };
        while let Some(element) = xml.child()? {
            match element.name.as_ref() {
                "revision" => read.revision = xml.text()?,
                "data" => read.data.push(data(&mut xml, &element)?),
                _ => xml.skip()?,
            }
            if read.data.len() > MOST {
                let problem = Problem::Limit { what: "the number of lists", limit: MOST as u64 };
                return Err(xml.error_in(&element, problem));
            }
        }
        xml.finish()?;
        if read.data.is_empty() {
            return Err(xml.error_in(&root, Problem::Missing("<data>".into())));
        }
        Ok(read)
    }

    /// The list of packages. A repository always has one.
    pub fn primary(&self) -> Result<&Data, MetadataError> {
        let missing = || MetadataError {
            file: self.file.clone(),
            at: 0,
            element: "repomd".into(),
            problem: Problem::NoData("primary".into()),
        };
        self.find("primary").ok_or_else(missing)
    }

    /// The advisories; none when the repository has none, as those of `CentOS` Stream (patch-baselines.md 3.2).
    #[must_use]
    pub fn updateinfo(&self) -> Option<&Data> {
        self.find("updateinfo")
    }

    /// The first list of that kind.
    #[must_use]
    pub fn find(&self, kind: &str) -> Option<&Data> {
        self.data.iter().find(|data| data.kind == kind)
    }
}

impl Data {
    /// A reader of the file as it is fetched, whose end is an error unless these were the bytes that repomd.xml tells of.
    pub fn checked<R: Read>(&self, reader: R) -> Checked<R> {
        Checked::new(reader, self.checksum.clone(), self.size)
    }

    /// Checks the bytes of the file as it is fetched.
    pub fn check(&self, bytes: &[u8]) -> Result<(), MetadataError> {
        check(&self.location, bytes, &self.checksum, self.size)
    }

    /// Checks the content without compression, as package managers keep it; nothing to check without a checksum of it.
    pub fn check_open(&self, bytes: &[u8]) -> Result<(), MetadataError> {
        self.open_checksum.as_ref().map_or(Ok(()), |sum| check(&self.location, bytes, sum, self.open_size))
    }
}

fn data<R: BufRead>(xml: &mut Xml<R>, element: &Element) -> Result<Data, MetadataError> {
    let kind = xml.required(element, "type")?.to_owned();
    let (mut sum, mut open_checksum, mut location) = (None, None, None);
    let (mut size, mut open_size, mut timestamp) = (None, None, None);
    while let Some(child) = xml.child()? {
        match child.name.as_ref() {
            "checksum" => sum = Some(checksum(xml, &child)?),
            "open-checksum" => open_checksum = Some(checksum(xml, &child)?),
            "location" => {
                location = Some(relative(xml, &child)?);
                xml.skip()?;
            }
            "size" => size = Some(number(xml, &child)?),
            "open-size" => open_size = Some(number(xml, &child)?),
            "timestamp" => timestamp = Some(number(xml, &child)?),
            _ => xml.skip()?,
        }
    }
    let missing = |what: &str| xml.error_in(element, Problem::Missing(format!("<{what}> of `{kind}`")));
    let checksum = sum.ok_or_else(|| missing("checksum"))?;
    let location = location.ok_or_else(|| missing("location"))?;
    Ok(Data { kind, location, checksum, open_checksum, size, open_size, timestamp })
}

/// A checksum with its kind as an attribute.
pub(super) fn checksum<R: BufRead>(xml: &mut Xml<R>, element: &Element) -> Result<Checksum, MetadataError> {
    let kind = xml.required(element, "type")?.to_owned();
    let value = xml.text()?;
    Checksum::read(&kind, &value).map_err(|why| xml.value(element, &format!("the {kind} checksum"), &value, why))
}

fn number<R: BufRead>(xml: &mut Xml<R>, element: &Element) -> Result<u64, MetadataError> {
    let text = xml.text()?;
    // Old versions of createrepo wrote times with a fraction.
    let whole = text.split_once('.').map_or(text.as_str(), |(whole, _)| whole);
    xml.number(element, &element.name, whole)
}

/// The path of a location: it becomes a part of an address or of a file name, so it may not lead anywhere else.
pub(super) fn relative<R: BufRead>(xml: &Xml<R>, element: &Element) -> Result<String, MetadataError> {
    let path = xml.required(element, "href")?;
    let elsewhere = path.starts_with('/') || path.contains("://") || path.split('/').any(|part| part == "..");
    if elsewhere || path.contains(['\\', '\0']) {
        return Err(xml.value(element, "the location", path, "it leads out of the repository"));
    }
    Ok(path.to_owned())
}

#[cfg(test)]
#[path = "repomd_tests.rs"]
mod tests;

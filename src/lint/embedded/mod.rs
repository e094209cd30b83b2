//! Component documents inside of other files: CloudFormation templates and Terraform configurations.
//!
//! [`extract`] says what a file is and takes the documents out of it. Each document becomes a file of its own that the
//! rules read like any other; its [`Map`] brings what they find back to the places of the file the user has. What cannot
//! be looked at, such as a document that is put together by intrinsic functions, is said and never passed over.

mod cloudformation;
mod hcl;
mod map;
mod placeholders;
mod scalar;
mod terraform;
mod unknown;
mod writing;

pub use map::Map;

use crate::component::modules::Platform;
use crate::diagnostic::{Diagnostic, SourceFile, Span};
use crate::yaml::{self, Node};
use map::Draft;
use std::sync::Arc;
use unknown::{Unknown, Words};
use writing::Writing;

/// The largest template that is looked at; CloudFormation refuses larger ones.
pub const MOST_BYTES: usize = 1024 * 1024;

/// The code of what cannot be looked at.
const UNSEEN: &str = "E002";

/// The type of the resource, as it stands in templates.
const RESOURCE: &str = "AWS::ImageBuilder::Component";

/// What kind of file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A component document.
    Component,
    /// A CloudFormation template, in YAML or JSON.
    CloudFormation,
    /// A Terraform configuration.
    Terraform,
    /// Something else.
    Other,
}

/// What was found in a file.
#[derive(Debug, Clone)]
pub struct Extraction {
    /// What kind of file it is.
    pub kind: Kind,
    /// The documents in it, in file order. A component document is the only one of its file.
    pub documents: Vec<Embedded>,
    /// What is to be said about the file around them.
    pub diagnostics: Vec<Diagnostic>,
}

/// A document in a file.
#[derive(Debug, Clone)]
pub struct Embedded {
    /// Which one it is: `Resources.InstallAgent`, `aws_imagebuilder_component.agent`; the name of the file for a file that
    /// is a document.
    pub name: String,
    /// The platform its resource names.
    pub platform: Option<Platform>,
    /// Whether the API gets it as text and not through S3, which limits its size.
    pub inline: bool,
    /// The document as a file of its own.
    pub document: Arc<SourceFile>,
    /// Where its pieces stand in the file around it.
    pub map: Map,
}

impl Embedded {
    /// What is found in the document, as it is to be told about the file around it: findings that would rest on a value
    /// nobody knows yet are left out, the others are [relocated](Map::relocate).
    #[must_use]
    pub fn report(&self, findings: Vec<Diagnostic>) -> Vec<Diagnostic> {
        findings
            .into_iter()
            .filter(|finding| self.map.is_certain(finding))
            .map(|finding| self.map.relocate(finding))
            .collect()
    }
}

impl Extraction {
    fn of(kind: Kind) -> Self {
        Self { kind, documents: Vec::new(), diagnostics: Vec::new() }
    }

    fn component(source: &Arc<SourceFile>) -> Self {
        let document = Embedded {
            name: source.name.clone(),
            platform: None,
            inline: false,
            document: Arc::clone(source),
            map: Map::identity(source),
        };
        Self { documents: vec![document], ..Self::of(Kind::Component) }
    }

    fn add(&mut self, found: Result<Embedded, Box<Diagnostic>>) {
        match found {
            Ok(document) => self.documents.push(document),
            Err(diagnostic) => self.diagnostics.push(*diagnostic),
        }
    }
}

/// Says what a file is, by its name and content, and takes the component documents out of it. Reads nothing but the text.
pub fn extract(source: &Arc<SourceFile>) -> Extraction {
    match source.name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("yaml" | "yml" | "json" | "template") => structured(source),
        Some("tf") => configuration(source),
        // Standard input has no ending.
        None => structured(source),
        Some(_) => Extraction::of(Kind::Other),
    }
}

fn configuration(source: &Arc<SourceFile>) -> Extraction {
    let mut extraction = Extraction::of(Kind::Terraform);
    if source.text.len() <= MOST_BYTES {
        terraform::extract(source, &mut extraction);
    } else if source.text.contains("imagebuilder_component") {
        extraction.diagnostics.push(too_large(source));
    }
    extraction
}

fn structured(source: &Arc<SourceFile>) -> Extraction {
    let text = source.text.as_str();
    let speaks = |word: &str| text.contains(word);
    if text.len() > MOST_BYTES && !looks_like_component(text) {
        // Large files of other programs are common; reading them all would take longer than anybody waits.
        return if speaks(RESOURCE) {
            Extraction { diagnostics: vec![too_large(source)], ..Extraction::of(Kind::CloudFormation) }
        } else {
            Extraction::of(Kind::Other)
        };
    }
    if !["phases", "schemaVersion", "Resources", "AWSTemplateFormatVersion"].into_iter().any(speaks) {
        return Extraction::of(Kind::Other);
    }
    let reading = yaml::read(source, yaml::Options { foreign: true });
    // A duplicate key elsewhere in a template is the business of whoever deploys it.
    let mut faults = reading.diagnostics.into_iter().filter(|fault| !matches!(fault.code, "Y003" | "Y011")).peekable();
    let root = reading.root.as_ref();
    if root.is_some_and(is_template) || (faults.peek().is_some() && speaks(RESOURCE)) {
        let mut extraction = Extraction { diagnostics: faults.collect(), ..Extraction::of(Kind::CloudFormation) };
        if let Some(root) = root {
            cloudformation::extract(source, root, &mut extraction);
        }
        return extraction;
    }
    if root.is_some_and(is_component) || (faults.peek().is_some() && looks_like_component(text)) {
        return Extraction::component(source);
    }
    Extraction::of(Kind::Other)
}

/// Whether a file is a CloudFormation template.
fn is_template(root: &Node) -> bool {
    let of_aws =
        |resource: &Node| resource.get("Type").and_then(Node::as_str).is_some_and(|kind| kind.starts_with("AWS::"));
    root.get("AWSTemplateFormatVersion").is_some()
        || root
            .get("Resources")
            .and_then(Node::entries)
            .is_some_and(|entries| entries.iter().any(|(_, resource)| of_aws(resource)))
}

/// Whether a file is a component document. Build specifications of `CodeBuild` have `phases` too, documents of Systems
/// Manager and workflows of Image Builder a `schemaVersion`.
fn is_component(root: &Node) -> bool {
    let version = root.get("schemaVersion");
    match root.get("phases") {
        Some(phases) => version.is_some() || root.get("version").is_none() || phases.items().is_some(),
        None => {
            version.and_then(Node::as_str).is_some_and(|version| matches!(version, "1.0" | "1"))
                && root.get("steps").is_none()
                && root.get("mainSteps").is_none()
        }
    }
}

/// Whether a text that cannot be read is meant as a component document: one of its outermost lines begins with a key of it.
fn looks_like_component(text: &str) -> bool {
    text.lines().any(|line| line.starts_with("phases:") || line.starts_with("schemaVersion:"))
        || text.trim_start().starts_with('{')
            && text.contains("\"phases\"")
            && text.contains("\"schemaVersion\"")
            && !text.contains(RESOURCE)
}

fn too_large(source: &Arc<SourceFile>) -> Diagnostic {
    let place = source.line_span(1);
    Diagnostic::error(UNSEEN, "the file is larger than 1 MiB, so its component documents were not looked at")
        .at(source, place, format!("{} bytes in all", source.text.len()))
        .note("CloudFormation refuses templates of this size")
        .help("divide it, or check the component documents as files of their own")
}

/// A document that is there but cannot be looked at.
fn unseen(source: &Arc<SourceFile>, span: Span, name: &str, label: impl Into<String>) -> Diagnostic {
    Diagnostic::new(
        UNSEEN,
        crate::diagnostic::Severity::Note,
        format!("the component document of `{name}` was not looked at"),
    )
    .at(source, span, label)
    .note("only a text that stands in the file can be checked")
}

/// What is known of a document besides its text.
struct Resource<'a> {
    name: &'a str,
    platform: Option<Platform>,
    /// What to point at if nothing of it can be looked at.
    place: Span,
}

/// Makes a document of what was put together.
fn embed(
    outer: &Arc<SourceFile>,
    resource: &Resource<'_>,
    draft: Draft,
    words: Words,
    whole: Span,
    writing: Writing,
) -> Result<Embedded, Box<Diagnostic>> {
    let document = SourceFile::new(format!("{}#{}", outer.name, resource.name), draft.text);
    let unknown = Unknown::new(words, &draft.runs, &document);
    let refuse = |label: &str| {
        Box::new(
            unseen(outer, resource.place, resource.name, label)
                .help("check the document as a file of its own, as it is when it is deployed"),
        )
    };
    if unknown.is_everything(&document.text) {
        return Err(refuse("all of it is put in when it is deployed"));
    }
    if unknown.has_whole_lines(&document) && !is_readable(&document) {
        return Err(refuse("whole lines of it are put in when it is deployed"));
    }
    let map = Map { outer: Arc::clone(outer), inner: Arc::clone(&document), whole, runs: draft.runs, writing, unknown };
    Ok(Embedded { name: resource.name.to_owned(), platform: resource.platform, inline: true, document, map })
}

/// Whether a document is valid YAML.
fn is_readable(document: &Arc<SourceFile>) -> bool {
    yaml::parse(document).is_ok()
}

/// The platform a word names.
fn platform(word: &str) -> Option<Platform> {
    [("Linux", Platform::Linux), ("Windows", Platform::Windows), ("macOS", Platform::MacOs)]
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(word))
        .map(|(_, platform)| platform)
}

#[cfg(test)]
mod tests;

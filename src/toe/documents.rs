//! The documents of a run: read from where they are, checked before any of them runs.

use super::ToeError;
use crate::component::model::Document;
use crate::component::modules::{self, Platform};
use crate::component::rules::{self, Levels, Target};
use crate::component::{self, runnable};
use crate::diagnostic::{Diagnostic, Severity, SourceFile};
use crate::runner::outside::Outside;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A document as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// A path, an `s3://` address or the ARN of a component build version.
    pub reference: String,
    /// Values of its own.
    pub parameters: BTreeMap<String, String>,
}

/// A document that was read. It may have errors.
#[derive(Debug)]
pub struct Loaded {
    /// Its text.
    pub source: Arc<SourceFile>,
    /// Values of its own.
    pub given: BTreeMap<String, String>,
    parsed: component::Parsed,
}

impl Loaded {
    fn document(&self) -> Option<&Document> {
        self.parsed.document.as_ref()
    }

    /// The names of its phases.
    pub fn phases(&self) -> impl Iterator<Item = &str> {
        self.document().into_iter().flat_map(|document| document.phases.iter().map(|phase| phase.name.as_str()))
    }

    /// The names of its parameters.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        let document = self.document().into_iter();
        document.flat_map(|document| document.parameters.iter().map(|parameter| parameter.name.as_str()))
    }
}

/// Reads all documents.
pub fn load(wanted: &[Wanted], owner: Option<&str>, outside: &mut dyn Outside) -> Result<Vec<Loaded>, ToeError> {
    if wanted.is_empty() {
        return Err(ToeError::Nothing);
    }
    wanted
        .iter()
        .map(|wanted| {
            let text = text(&wanted.reference, owner, outside)?;
            let source = SourceFile::new(wanted.reference.as_str(), text);
            let parsed = component::parse(&source);
            Ok(Loaded { source, given: wanted.parameters.clone(), parsed })
        })
        .collect()
}

fn text(reference: &str, owner: Option<&str>, outside: &mut dyn Outside) -> Result<String, ToeError> {
    if reference.starts_with("arn:") || reference.starts_with("s3://") {
        let found = outside.document(reference, owner);
        return found.map_err(|reason| ToeError::Unreachable { reference: reference.to_owned(), reason });
    }
    std::fs::read_to_string(reference)
        .map_err(|source| ToeError::Unreadable { reference: reference.to_owned(), source })
}

/// Checks all documents by the rules and for blocked actions. The findings that do not keep them from running.
pub fn check(
    loaded: &[Loaded],
    target: &Target,
    levels: &Levels,
    blocked: &[String],
) -> Result<Vec<Diagnostic>, ToeError> {
    let unknown = |name: &&String| modules::find(name).is_none();
    if let Some(name) = blocked.iter().find(unknown) {
        return Err(ToeError::NoSuchAction(name.clone()));
    }
    let mut findings = Vec::new();
    for document in loaded {
        findings.extend(rules::lint(&document.source, &document.parsed, target, levels));
    }
    if findings.iter().any(|finding| finding.severity == Severity::Error) {
        return Err(ToeError::Findings(findings));
    }
    for document in loaded {
        let steps = document.document().into_iter().flat_map(Document::steps);
        if let Some((_, step)) = steps.into_iter().find(|(_, step)| blocked.iter().any(|name| name == step.module.name))
        {
            let line = document.source.line_column(step.span.start).0;
            return Err(ToeError::Blocked {
                place: format!("{}:{line}", document.source.name),
                step: step.name.clone(),
                action: step.module.name.to_owned(),
            });
        }
    }
    Ok(findings)
}

/// Refuses documents with something that the runner does not do on this machine.
pub fn refuse_unrunnable(loaded: &[Loaded]) -> Result<(), ToeError> {
    let here = loaded.iter().filter_map(|loaded| Some((loaded.document()?, &loaded.source)));
    let refused: Vec<Diagnostic> = here.flat_map(|(document, source)| runnable(document, source)).collect();
    if refused.is_empty() { Ok(()) } else { Err(ToeError::Findings(refused)) }
}

/// The platform of this machine.
pub(super) const HERE: Platform = Platform::Linux;

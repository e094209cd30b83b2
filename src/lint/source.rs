//! One file: the component documents in it, checked.

use super::Checked;
use super::embedded::{self, Embedded, Kind};
use crate::component;
use crate::component::rules::{self, Levels, Target};
use crate::diagnostic::SourceFile;
use std::sync::Arc;

/// Checks a file that is a component document.
#[must_use]
pub fn document(source: &Arc<SourceFile>, target: &Target, levels: &Levels) -> Checked {
    let diagnostics = rules::lint(source, &component::parse(source), target, levels);
    Checked { components: 1, documents: vec![source.name.clone()], diagnostics, ..Checked::default() }
}

/// Checks the component documents in a file: a component document, a CloudFormation template, a Terraform configuration.
/// What is none of these has none, which is for the caller to judge.
#[must_use]
pub fn check(source: &Arc<SourceFile>, target: &Target, levels: &Levels) -> Checked {
    let extraction = embedded::extract(source);
    if extraction.kind == Kind::Component {
        return document(source, target, levels);
    }
    let mut checked = Checked { diagnostics: extraction.diagnostics, ..Checked::default() };
    for embedded in &extraction.documents {
        checked.components += 1;
        checked.diagnostics.extend(inside(embedded, target, levels));
    }
    if checked.components > 0 || !checked.diagnostics.is_empty() {
        checked.documents.push(source.name.clone());
    }
    checked.diagnostics.sort_by_key(|finding| (finding.span().start, finding.span().end));
    checked
}

/// What is found in a document inside of another file. Its resource knows the platform best.
fn inside(embedded: &Embedded, target: &Target, levels: &Levels) -> Vec<crate::diagnostic::Diagnostic> {
    let target = Target {
        platform: embedded.platform.or(target.platform),
        inline: embedded.inline || target.inline,
        ..target.clone()
    };
    let parsed = component::parse(&embedded.document);
    embedded.report(rules::lint(&embedded.document, &parsed, &target, levels))
}

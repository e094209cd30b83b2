//! SARIF 2.1.0, for code scanning and editors.

mod describe;
mod fingerprint;
mod log;

use super::json::pretty;
use super::place::extent;
use super::{Report, sorted, uri, whole_message, word};
use crate::diagnostic::{Diagnostic, Fix, Label, SourceFile, Span};
use fingerprint::Fingerprints;
use log::{
    Artifact, ArtifactChange, ArtifactLocation, Driver, FixProperties, Invocation, Location, Log, PhysicalLocation,
    Region, Replacement, Run, SarifFix, SarifResult, Text, Tool,
};
use std::collections::{BTreeMap, BTreeSet};

/// The schema of the standard, which GitHub asks every file to name. Nothing is fetched from there.
const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// One SARIF log with one run, with a line break at its end.
///
/// Braces in messages are left as they are, although the standard would have them doubled: without arguments the
/// viewers in use show messages as they are, and `{{{{ Name }}}}` would puzzle everybody.
pub fn sarif(report: &Report<'_>) -> String {
    let findings = sorted(report.findings);
    let codes: BTreeSet<&'static str> = findings.iter().map(|finding| finding.code).collect();
    let index: BTreeMap<&'static str, usize> = codes.iter().enumerate().map(|(index, code)| (*code, index)).collect();
    let mut fingerprints = Fingerprints::default();
    let results = findings.into_iter().map(|finding| {
        let rule_index = index.get(finding.code).copied().unwrap_or_default();
        result(finding, rule_index, fingerprints.next(finding))
    });
    let results = results.collect();
    let rules = codes.iter().map(|code| describe::rule(code, report.findings)).collect();
    let driver = Driver { name: env!("CARGO_PKG_NAME"), version: env!("CARGO_PKG_VERSION"), rules };
    let names: BTreeSet<&String> = report.documents.iter().collect();
    let artifacts = names.into_iter().map(|name| Artifact { location: artifact(name), roles: ["analysisTarget"] });
    pretty(&Log {
        schema: SCHEMA,
        version: "2.1.0",
        runs: [Run {
            tool: Tool { driver },
            invocations: [Invocation { execution_successful: true }],
            artifacts: artifacts.collect(),
            column_kind: "unicodeCodePoints",
            results,
        }],
    })
}

fn result(finding: &Diagnostic, rule_index: usize, fingerprint: String) -> SarifResult<'_> {
    let fix = finding.fix.as_ref().zip(finding.primary.as_ref()).filter(|(fix, _)| !fix.edits.is_empty());
    SarifResult {
        rule_id: finding.code,
        rule_index,
        level: word(finding.severity),
        message: Text { text: whole_message(finding) },
        locations: finding.primary.iter().map(|label| location(label, None)).collect(),
        related_locations: finding.secondary.iter().enumerate().map(|(id, label)| location(label, Some(id))).collect(),
        partial_fingerprints: BTreeMap::from([(fingerprint::KEY, fingerprint)]),
        fixes: fix.map(|(fix, label)| mending(fix, &label.source)).into_iter().collect(),
    }
}

fn location(label: &Label, id: Option<usize>) -> Location {
    let text = super::printable::message(&label.message);
    Location {
        id,
        physical_location: PhysicalLocation {
            artifact_location: artifact(&label.source.name),
            region: region(&label.source, label.span),
        },
        message: (!text.is_empty()).then_some(Text { text }),
    }
}

fn mending<'a>(fix: &'a Fix, source: &SourceFile) -> SarifFix<'a> {
    let replacements = fix.edits.iter().map(|edit| Replacement {
        deleted_region: region(source, edit.span),
        inserted_content: (!edit.text.is_empty()).then_some(Text { text: edit.text.as_str() }),
    });
    SarifFix {
        description: Text { text: &fix.title },
        artifact_changes: [ArtifactChange {
            artifact_location: artifact(&source.name),
            replacements: replacements.collect(),
        }],
        properties: FixProperties { safe: fix.safe },
    }
}

fn artifact(name: &str) -> ArtifactLocation {
    ArtifactLocation { uri: uri::from_name(name) }
}

fn region(source: &SourceFile, span: Span) -> Region {
    let (start, end) = extent(source, span);
    Region {
        start_line: start.line,
        start_column: start.column,
        end_line: end.line,
        end_column: end.column,
        char_offset: source.text[..start.offset].chars().count(),
        char_length: source.text[start.offset..end.offset].chars().count(),
    }
}

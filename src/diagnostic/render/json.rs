//! The report for programs.

use super::place::{Place, extent};
use super::{Report, sorted};
use crate::component::rules;
use crate::diagnostic::{Diagnostic, Fix, Label, Severity, SourceFile};
use serde::Serialize;

/// The name and version of the format. Fields may be added to it; anything else needs a new number.
const SCHEMA: &str = "amiforge.lint/1";

/// The whole document. Texts are as they are, control characters included: JSON escapes them, and whoever shows them to a
/// person has to see to it.
#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    summary: Summary,
    findings: Vec<Finding<'a>>,
}

/// How much was looked at, and how much was found.
#[derive(Serialize)]
struct Summary {
    documents: usize,
    errors: usize,
    warnings: usize,
    notes: usize,
}

/// One finding.
#[derive(Serialize)]
struct Finding<'a> {
    /// For example `S014`.
    code: &'static str,
    /// The name of the rule, for example `on-failure-continue`; null where the code is not that of a rule.
    name: Option<&'static str>,
    /// `error`, `warning` or `note`.
    severity: Severity,
    /// Inferred from the documentation, not quoted from it.
    inferred: bool,
    message: &'a str,
    /// What there is to say about the place itself; may be empty.
    label: &'a str,
    /// Null, as are start and end, where no file is involved.
    file: Option<&'a str>,
    start: Option<Place>,
    /// The place after the last character.
    end: Option<Place>,
    related: Vec<Related<'a>>,
    notes: &'a [String],
    help: &'a [String],
    fix: Option<FixOut<'a>>,
}

/// Another place that explains a finding.
#[derive(Serialize)]
struct Related<'a> {
    file: &'a str,
    start: Place,
    end: Place,
    message: &'a str,
}

/// A change that would mend it.
#[derive(Serialize)]
struct FixOut<'a> {
    title: &'a str,
    /// Whether the file means the same to every reader afterwards.
    safe: bool,
    /// All of them or none, in the file of the finding. They do not overlap.
    edits: Vec<EditOut<'a>>,
}

/// What stands from start to end goes, text comes.
#[derive(Serialize)]
struct EditOut<'a> {
    start: Place,
    end: Place,
    text: &'a str,
}

/// One JSON document, with a line break at its end.
pub fn json(report: &Report<'_>) -> String {
    let count = |severity| report.findings.iter().filter(|finding| finding.severity == severity).count();
    let document = Document {
        schema: SCHEMA,
        summary: Summary {
            documents: report.documents.len(),
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            notes: count(Severity::Note),
        },
        findings: sorted(report.findings).into_iter().map(finding).collect(),
    };
    pretty(&document)
}

/// JSON that people can read too.
pub(super) fn pretty(document: &impl Serialize) -> String {
    // Writing texts and numbers into memory cannot fail.
    serde_json::to_string_pretty(document).unwrap_or_default() + "\n"
}

fn finding(diagnostic: &Diagnostic) -> Finding<'_> {
    let place = diagnostic.primary.as_ref().map(|label| extent(&label.source, label.span));
    let source = diagnostic.primary.as_ref().map(|label| &*label.source);
    Finding {
        code: diagnostic.code,
        name: rules::find(diagnostic.code).map(|rule| rule.name),
        severity: diagnostic.severity,
        inferred: diagnostic.inferred,
        message: &diagnostic.message,
        label: diagnostic.primary.as_ref().map_or("", |label| &label.message),
        file: source.map(|source| source.name.as_str()),
        start: place.map(|(start, _)| start),
        end: place.map(|(_, end)| end),
        related: diagnostic.secondary.iter().map(related).collect(),
        notes: &diagnostic.notes,
        help: &diagnostic.help,
        fix: diagnostic.fix.as_ref().zip(source).map(|(fix, source)| fix_out(fix, source)),
    }
}

fn related(label: &Label) -> Related<'_> {
    let (start, end) = extent(&label.source, label.span);
    Related { file: &label.source.name, start, end, message: &label.message }
}

fn fix_out<'a>(fix: &'a Fix, source: &SourceFile) -> FixOut<'a> {
    let edits = fix.edits.iter().map(|edit| {
        let (start, end) = extent(source, edit.span);
        EditOut { start, end, text: &edit.text }
    });
    FixOut { title: &fix.title, safe: fix.safe, edits: edits.collect() }
}

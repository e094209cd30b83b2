//! Reads a file with one baseline or several: a definition in the API's shape, or a `BaselineOverride` file of
//! AWS-RunPatchBaseline, which is a JSON list of definitions, at most one per operating system (patch-baselines.md 7.3).

use super::baseline::{Baseline, OperatingSystem};
use super::parse::Reader;
use crate::diagnostic::{Diagnostic, Severity, SourceFile, Span};
use crate::yaml::{self, Node};
use std::sync::Arc;

/// What is in a file of baselines.
#[derive(Debug, Clone)]
pub struct BaselineFile {
    /// The baselines, in file order; none when a diagnostic is an error.
    pub baselines: Vec<Baseline>,
    /// Whether it is a `BaselineOverride` file.
    pub is_override: bool,
    /// Errors and warnings, in file order where they have a place.
    pub diagnostics: Vec<Diagnostic>,
}

/// The name of an entry of an override file, which has none: `override-debian`.
pub(super) fn name(os: OperatingSystem) -> String {
    format!("override-{}", os.as_str().to_lowercase().replace('_', "-"))
}

/// Reads and checks a file with one definition (YAML or JSON) or with a list of them (JSON).
pub fn check_baseline_file(source: &Arc<SourceFile>) -> BaselineFile {
    let node = match yaml::parse(source) {
        Ok(node) => node,
        Err(diagnostics) => return BaselineFile { baselines: vec![], is_override: false, diagnostics },
    };
    let mut reader = Reader { source, diagnostics: vec![] };
    let (mut baselines, is_override) = match node.items() {
        Some(items) => (list(&mut reader, &node, items), true),
        None => (reader.baseline(&node, false).into_iter().collect(), false),
    };
    let mut diagnostics = reader.diagnostics;
    diagnostics.sort_by_key(|d| d.primary.as_ref().map_or(0, |label| label.span.start));
    if diagnostics.iter().any(|d| d.severity == Severity::Error) {
        baselines.clear();
    }
    BaselineFile { baselines, is_override, diagnostics }
}

fn list(reader: &mut Reader, node: &Node, items: &[Node]) -> Vec<Baseline> {
    json(reader);
    if items.is_empty() {
        let error = Diagnostic::error("B014", "this list of baselines is empty")
            .help("a BaselineOverride file has one definition for every operating system that it is used on");
        reader.say(error, node.span, "");
    }
    let mut baselines: Vec<Baseline> = vec![];
    for item in items {
        let Some(baseline) = reader.baseline(item, true) else { continue };
        let os = baseline.operating_system;
        if baselines.iter().any(|other| other.operating_system == os) {
            let error = Diagnostic::error("B014", format!("there are several definitions for {os}"))
                .note("AWS-RunPatchBaseline fails when a file has more than one for the system it runs on");
            let span = item.get("OperatingSystem").map_or(item.span, |node| node.span);
            reader.say(error, span, "again here");
        }
        baselines.push(baseline);
    }
    baselines
}

/// The payload on the node reads JSON and nothing else, so YAML that means the same would fail there.
fn json(reader: &mut Reader) {
    let source = Arc::clone(reader.source);
    let Err(fault) = serde_json::from_str::<serde::de::IgnoredAny>(&source.text) else { return };
    let start = source.line_span(fault.line()).start + fault.column().saturating_sub(1);
    let start = source.text.floor_char_boundary(start.min(source.text.len()));
    let error = Diagnostic::error("B014", "a list of baselines must be JSON, and this is not")
        .note(format!("the JSON reader says: {fault}"))
        .help("`amiforge baseline show NAME --format override` prints such a file");
    reader.say(error, Span::new(start, start), "");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patch::{all_predefined, predefined};

    fn check(text: &str) -> BaselineFile {
        check_baseline_file(&SourceFile::new("override.json", text))
    }

    fn codes(file: &BaselineFile) -> Vec<(&'static str, String)> {
        file.diagnostics.iter().map(|d| (d.code, d.place().unwrap_or_default())).collect()
    }

    #[test]
    fn a_file_that_is_written_is_read_back() {
        let redhat = predefined("AWS-RedHatDefaultPatchBaseline").unwrap();
        let windows = predefined("AWS-DefaultPatchBaseline").unwrap();
        let file = check(&format!("{:#}", Baseline::to_override_file(&[redhat.clone(), windows.clone()])));
        assert!(file.is_override && file.diagnostics.is_empty(), "{:?}", file.diagnostics);
        let unnamed = |baseline: Baseline, name: &str| Baseline { id: None, name: name.into(), ..baseline };
        assert_eq!(
            file.baselines,
            [unnamed(windows, "override-windows"), unnamed(redhat, "override-redhat-enterprise-linux")]
        );
    }

    #[test]
    fn every_name_that_is_made_up_is_one_the_service_takes() {
        for baseline in all_predefined() {
            let text = Baseline::to_override_file(std::slice::from_ref(baseline)).to_string();
            let request = check(&text).baselines[0].to_create_request().to_string();
            assert_eq!(check(&request).diagnostics, [], "{request}");
        }
    }

    #[test]
    fn one_definition_is_no_list() {
        let debian = predefined("AWS-DebianDefaultPatchBaseline").unwrap();
        for text in [debian.to_yaml(), debian.to_get_answer().to_string()] {
            let file = check(&text);
            assert!(!file.is_override, "{text}");
            assert_eq!(file.baselines[0].rules, debian.rules);
        }
    }

    #[test]
    fn a_list_is_json_with_one_entry_per_system() {
        let debian = Baseline::to_override_file(&[predefined("AWS-DebianDefaultPatchBaseline").unwrap()]);
        let twice = format!("[{0},\n{0}]", debian[0]);
        assert_eq!(codes(&check(&twice)).len(), 1);
        assert!(check(&twice).diagnostics[0].message.contains("several definitions for DEBIAN"));
        assert!(check(&twice).baselines.is_empty());
        assert_eq!(codes(&check("[]")), [("B014", "override.json:1:1".to_owned())]);
        let yaml = format!("- {}", debian[0]);
        assert_eq!(codes(&check(&yaml)), [("B014", "override.json:1:2".to_owned())]);
        let comma = format!("[{},\n]", debian[0]);
        assert_eq!(codes(&check(&comma)), [("B014", "override.json:2:1".to_owned())]);
    }

    #[test]
    fn an_entry_that_is_wrong_is_told_where_it_stands() {
        let text = "[\n  {\"OperatingSystem\": \"DEBIAN\", \"ApprovedPatchs\": [\"bash\"]},\n  7\n]";
        let file = check(text);
        let found = codes(&file);
        assert_eq!(found[0], ("B008", "override.json:2:3".to_owned()));
        assert_eq!(found[1], ("B002", "override.json:2:33".to_owned()));
        assert_eq!(found[2], ("B001", "override.json:3:3".to_owned()));
        assert!(file.baselines.is_empty());
    }
}

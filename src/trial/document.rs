//! A component document that is to be run: checked before anything starts.

use crate::component::modules::Platform;
use crate::component::rules::{self, Levels, Target};
use crate::component::{self, runnable};
use crate::diagnostic::{Diagnostic, Severity, SourceFile, Span};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A document that may be run, with what it is given.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialDocument {
    /// How results name it; no other document of the trial has this name.
    pub name: String,
    /// Its text, under the name that excerpts show.
    pub source: Arc<SourceFile>,
    /// Values of its parameters.
    pub parameters: BTreeMap<String, String>,
    /// All its steps, in order.
    pub steps: Vec<Planned>,
}

/// A step of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Its phase.
    pub phase: String,
    /// Its name.
    pub step: String,
    /// Its action module.
    pub action: &'static str,
    /// Where it stands.
    pub span: Span,
}

impl TrialDocument {
    /// Whether one of the phases is in it.
    pub(super) fn has(&self, phases: &[String]) -> bool {
        self.steps.iter().any(|step| phases.contains(&step.phase))
    }
}

/// Checks a document as the service and the runner will, and tells its steps. Only errors keep it from being run.
pub(super) fn steps(
    source: &Arc<SourceFile>,
    os: Option<&str>,
    levels: &Levels,
) -> Result<Vec<Planned>, Vec<Diagnostic>> {
    let parsed = component::parse(source);
    let target = Target { platform: Some(Platform::Linux), os: os.map(str::to_owned), ..Target::default() };
    let mut refused = rules::lint(source, &parsed, &target, levels);
    refused.retain(|finding| finding.severity == Severity::Error);
    let Some(document) = parsed.document.filter(|_| refused.is_empty()) else {
        if refused.is_empty() {
            let message = format!("`{}` cannot be read as a component document", source.name);
            refused.push(Diagnostic::error("D001", message).at(source, Span::default(), ""));
        }
        return Err(refused);
    };
    let refused = runnable(&document, source);
    if !refused.is_empty() {
        return Err(refused);
    }
    let planned = document.steps().map(|(phase, step)| Planned {
        phase: phase.name.clone(),
        step: step.name.clone(),
        action: step.module.name,
        span: step.span,
    });
    Ok(planned.collect())
}

/// What is wrong with the values given for a document's parameters; the runner would refuse it half-way.
pub(super) fn missing(source: &Arc<SourceFile>, given: &BTreeMap<String, String>) -> Vec<Diagnostic> {
    let Some(document) = component::parse(source).document else { return vec![] };
    let lacks = document
        .parameters
        .iter()
        .filter(|parameter| parameter.default.is_none() && !given.contains_key(&parameter.name));
    lacks
        .map(|parameter| {
            Diagnostic::error("P019", format!("the parameter `{}` has neither a value nor a default", parameter.name))
                .at(source, parameter.span, "needs a value")
                .help(format!("--parameters {}=VALUE", parameter.name))
        })
        .collect()
}

/// The names of a document's parameters.
pub(super) fn parameters(source: &Arc<SourceFile>) -> Vec<String> {
    let document = component::parse(source).readable;
    document
        .map(|document| document.parameters.into_iter().map(|parameter| parameter.name).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "name: a\ndescription: a\nschemaVersion: 1.0\nparameters:\n  - Who: { type: string }\nphases:\n  \
        - name: build\n    steps:\n      - name: One\n        action: ExecuteBash\n        inputs:\n          commands: \
        [\"echo '{{ Who }}'\"]\n";

    #[test]
    fn only_a_document_without_errors_has_steps() {
        let good = SourceFile::new("a.yaml", GOOD);
        let found = steps(&good, Some("debian-12"), &Levels::default()).unwrap();
        assert_eq!((found.len(), found[0].phase.as_str(), found[0].step.as_str()), (1, "build", "One"));
        assert_eq!(good.slice(found[0].span), "One");
        let bad = SourceFile::new("a.yaml", GOOD.replace("ExecuteBash", "ExecuteBahs"));
        let refused = steps(&bad, None, &Levels::default()).unwrap_err();
        assert_eq!(refused[0].place().as_deref(), Some("a.yaml:10:17"));
        let windows = SourceFile::new("a.yaml", GOOD.replace("ExecuteBash", "ExecutePowerShell"));
        assert!(steps(&windows, None, &Levels::default()).is_err());
        assert!(steps(&SourceFile::new("a.yaml", ""), None, &Levels::default()).is_err());
    }

    #[test]
    fn a_parameter_without_a_value_is_told_before_anything_runs() {
        let good = SourceFile::new("a.yaml", GOOD);
        let found = missing(&good, &BTreeMap::new());
        assert_eq!(found[0].place().as_deref(), Some("a.yaml:5:5"));
        assert!(missing(&good, &BTreeMap::from([("Who".to_owned(), "x".to_owned())])).is_empty());
        assert_eq!(parameters(&good), ["Who"]);
    }
}

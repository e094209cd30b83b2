//! Documents, read and checked before anything of them runs.

use crate::component::model::{Document, Phase, Step};
use crate::component::rules::{self, Target};
use crate::component::{self, Expression, Template, modules, runnable};
use crate::diagnostic::{Diagnostic, Severity, SourceFile, render, suggest};
use crate::runner::model::{DocumentRequest, StepPlace};
use crate::runner::values;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A document that can be executed.
pub(super) struct Loaded {
    pub(super) name: String,
    /// Where it came from: a path, an address, an ARN; what it is recognised by if it is to include itself.
    pub(super) origin: String,
    pub(super) source: Arc<SourceFile>,
    pub(super) document: Document,
    pub(super) parameters: BTreeMap<String, String>,
    /// The steps of which other steps use something, by their keys. Of all others nothing has to be kept.
    used: BTreeSet<String>,
}

impl Loaded {
    /// Whether another document is this one: the same place or, because a place can have several names, the same text.
    pub(super) fn is(&self, origin: &str, text: &str) -> bool {
        self.origin == origin || self.source.text == text
    }

    /// Whether another step uses something of this one.
    pub(super) fn uses(&self, key: &str) -> bool {
        self.used.contains(key)
    }

    pub(super) fn place(&self, phase: &Phase, step: &Step) -> StepPlace {
        StepPlace {
            document: self.name.clone(),
            phase: phase.name.clone(),
            step: step.name.clone(),
            action: step.module.name.to_owned(),
            line: self.source.line_column(step.span.start).0,
        }
    }
}

/// Reads a document. An error says all that is wrong with it, with places.
pub(super) fn load(request: &DocumentRequest, origin: &str, blocked: &[String]) -> Result<Loaded, String> {
    let name = request.name.clone();
    let source = SourceFile::new(name.as_str(), request.text.as_str());
    let refused = |why: &str, faults: &[Diagnostic]| {
        Err(format!("Document {name} failed! {why}\n{}", render::text(faults, false)))
    };
    let parsed = component::parse(&source);
    // What the service refuses though it can be read. Rules that a project may switch off do not count here.
    let target = Target { standalone: true, ..Target::default() };
    let mut faults = rules::check(&source, &parsed, &target);
    faults.retain(|found| found.severity == Severity::Error && (parsed.document.is_none() || !found.inferred));
    let Some(document) = parsed.document.filter(|_| faults.is_empty()) else {
        return refused("It is not valid, so nothing was run.", &faults);
    };
    let faults = runnable(&document, &source);
    if !faults.is_empty() {
        return refused("Nothing was run.", &faults);
    }
    let faults = blocked_steps(&document, &source, blocked)?;
    if !faults.is_empty() {
        return refused("Nothing was run.", &faults);
    }
    check_parameters(&name, &document, &request.parameters)?;
    let used = used(&document);
    Ok(Loaded { name, origin: origin.to_owned(), source, document, parameters: request.parameters.clone(), used })
}

fn used(document: &Document) -> BTreeSet<String> {
    let templates = document.steps().flat_map(|(_, step)| step.templates());
    let chained = templates.flat_map(Template::expressions).filter_map(|(expression, _)| match expression {
        Expression::Chain(chain) => Some(values::key(&chain.phase, &chain.step)),
        _ => None,
    });
    chained.collect()
}

/// One error (`E003`) for each step with a module that is blocked.
fn blocked_steps(document: &Document, source: &Arc<SourceFile>, blocked: &[String]) -> Result<Vec<Diagnostic>, String> {
    if let Some(unknown) = blocked.iter().find(|name| modules::find(name).is_none()) {
        // A slip of the pen must not open what was to be closed.
        let names: Vec<&str> = modules::names().collect();
        let near = suggest(unknown, &names).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
        return Err(format!("Nothing was run: no action module is named `{unknown}`, so it cannot be blocked{near}"));
    }
    let steps = document.steps().filter(|(_, step)| blocked.iter().any(|name| name == step.module.name));
    let fault = |(_, step): (&Phase, &Step)| {
        Diagnostic::error("E003", format!("{} is blocked in this execution", step.module.name))
            .at(source, step.action_span, format!("step `{}` needs it", step.name))
            .help("use another module, or run the document where this one is allowed")
    };
    Ok(steps.map(fault).collect())
}

/// The checks that `CreateImageRecipe` makes: no unknown parameters, none missing.
fn check_parameters(name: &str, document: &Document, given: &BTreeMap<String, String>) -> Result<(), String> {
    let declared = |name: &String| document.parameters.iter().any(|parameter| &parameter.name == name);
    let unknown: Vec<&str> = given.keys().filter(|name| !declared(name)).map(String::as_str).collect();
    if !unknown.is_empty() {
        let unknown = unknown.join(", ");
        return Err(format!(
            "Document {name} failed! The following parameters are not defined in the provided component: {unknown}"
        ));
    }
    let missing = document.parameters.iter().filter(|parameter| parameter.default.is_none());
    let missing: Vec<&str> =
        missing.map(|parameter| parameter.name.as_str()).filter(|name| !given.contains_key(*name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let missing = missing.join(", ");
    Err(format!(
        "Document {name} failed! Nothing was run: these parameters have neither a value nor a default: {missing}"
    ))
}

//! What the runner does not execute. It is refused before anything runs, never skipped.

use super::model::Document;
use super::modules::{Action, MODULES, Platform};
use crate::diagnostic::{Diagnostic, SourceFile};
use std::sync::Arc;

/// Whether the runner executes an action: all that exist on Linux.
pub fn executes(action: Action) -> bool {
    MODULES.iter().any(|module| module.action == action && module.runs_on(Platform::Linux))
}

/// One error (`E001`) for each step in a document that cannot be executed on Linux; empty if all of it can.
pub fn runnable(document: &Document, source: &Arc<SourceFile>) -> Vec<Diagnostic> {
    let steps = document.steps().filter(|(_, step)| !executes(step.module.action));
    let fault = |name: &str, span, step: &str| {
        Diagnostic::error("E001", format!("{name} cannot be executed on Linux"))
            .at(source, span, format!("step `{step}` needs Windows"))
            .note("nothing is skipped, so the document is refused as a whole")
            .help("run it on Windows; what is for both systems keeps such steps in a document of its own")
    };
    steps.map(|(_, step)| fault(step.module.name, step.action_span, &step.name)).collect()
}

//! What the runner does not execute yet. It is refused before anything runs, never skipped.

use super::expression::{Chain, Expression, Part, Side};
use super::model::{Document, Phase, Step};
use super::modules::{Action, Platform};
use crate::diagnostic::{Diagnostic, SourceFile, Span};
use std::sync::Arc;

/// Whether the runner executes an action on Linux.
pub fn executes(action: Action) -> bool {
    use Action as A;
    match action {
        A::AppendFile
        | A::CopyFile
        | A::CopyFolder
        | A::CreateFile
        | A::CreateFolder
        | A::CreateSymlink
        | A::DeleteFile
        | A::DeleteFolder
        | A::ExecuteBash
        | A::ExecuteBinary
        | A::ListFiles
        | A::MoveFile
        | A::MoveFolder
        | A::ReadFile
        | A::Reboot
        | A::S3Download
        | A::S3Upload
        | A::SetFileEncoding
        | A::SetFileOwner
        | A::SetFilePermissions
        | A::SetFolderOwner
        | A::SetFolderPermissions
        | A::UpdateOs
        | A::WebDownload => true,
        A::Assert | A::ExecuteDocument | A::ExecutePowerShell | A::InstallMsi | A::SetRegistry | A::UninstallMsi => {
            false
        }
    }
}

/// One error (`E001`) for each thing in a document that the runner cannot execute on this machine; empty if it can
/// execute all of it.
pub fn runnable(document: &Document, source: &Arc<SourceFile>) -> Vec<Diagnostic> {
    let steps: Vec<(&Phase, &Step)> = document.steps().collect();
    let mut faults = Vec::new();
    for (at, (_, step)) in steps.iter().enumerate() {
        let runs_later = |chain: &Chain| {
            let named = |(phase, step): &(&Phase, &Step)| phase.name == chain.phase && step.name == chain.step;
            chain.side == Side::Inputs && steps[at..].iter().any(named)
        };
        faults.extend(step_faults(step, source, &runs_later));
    }
    faults
}

fn step_faults(step: &Step, source: &Arc<SourceFile>, runs_later: &dyn Fn(&Chain) -> bool) -> Vec<Diagnostic> {
    let mut faults = Vec::new();
    let mut refuse = |span: Span, what: &str| {
        faults.push(
            Diagnostic::error("E001", format!("{what} is not executed locally yet"))
                .at(source, span, format!("step `{}` needs it", step.name))
                .note("on AWS the document works as it is; locally nothing is skipped, so it is refused as a whole"),
        );
    };
    let name = step.module.name;
    if !step.module.runs_on(Platform::Linux) {
        refuse(step.action_span, &format!("{name}, which needs Windows,"));
    } else if !executes(step.module.action) {
        refuse(step.action_span, name);
    }
    if let Some(branching) = &step.branching {
        refuse(branching.key, "`if`");
    }
    if let Some(repeat) = &step.repeat {
        refuse(repeat.key, "`loop`");
    }
    for part in step.templates().into_iter().flat_map(|template| &template.parts) {
        let Part::Expression(expression, span) = part else { continue };
        match expression {
            Expression::Chain(chain) if runs_later(chain) => {
                refuse(*span, "an expression with the inputs of a step that has not run");
            }
            Expression::Name(_) | Expression::Chain(_) | Expression::Loop { .. } => {}
            Expression::Ssm(_) => refuse(*span, "an `aws:ssm:` expression"),
            Expression::Imds(_) => refuse(*span, "an `aws:imds:` expression"),
            Expression::Environment(_) => refuse(*span, "an `env:` expression"),
            Expression::Context(_) => refuse(*span, "a `context:` expression"),
        }
    }
    faults
}

//! `ExecuteDocument`: a document inside of a document (reference/component-documents.md 9.1).

use super::load::load;
use super::step::{At, Seen, Went, outputs_json};
use super::{Child, Execution, Frame, World};
use crate::runner::actions::{Machine, Outputs, StepError};
use crate::runner::capture::Sink;
use crate::runner::model::{DocumentRequest, RunEvent, RunStatus, Summary};
use crate::runner::outside::Outside;
use crate::runner::values::Inputs;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::rc::Rc;

/// Documents can be nested this deep below the first one.
const DEEPEST: usize = 3;

/// Longer documents are refused. The quota of the service is 64 KB; it can be raised, and local files have none.
const LONGEST_DOCUMENT: u64 = 1024 * 1024;

impl Execution {
    /// Executes the document that the inputs name, or goes on with it after a reboot. It is checked now, not with the
    /// document around it. Its steps are not counted here: its own summary, which is what this step produces, counts them.
    pub(super) fn nested(
        &mut self,
        world: &mut World<'_>,
        at: &At<'_>,
        inputs: &Inputs,
        seen: &mut Seen,
        sink: &mut Sink<'_>,
    ) -> Result<(Went, Outputs), StepError> {
        let child = match self.frame.current.child.take() {
            Some(saved) => *saved,
            None => self.child(world, at, inputs, sink)?,
        };
        let loaded = load(&child.document, &child.origin, &world.request.blocked_modules).map_err(StepError::Failed)?;
        let mut ancestors = self.ancestors.clone();
        ancestors.push(Rc::clone(at.loaded));
        let mut execution = Self {
            id: child.id.clone(),
            documents: vec![Rc::new(loaded)],
            phases: child.phases.clone(),
            frame: child.frame.clone(),
            ancestors,
            quiet: sink.quiet(),
        };
        let mut tell = |event| sink.event(RunEvent::Nested { event: Box::new(event) });
        let summary = execution.run(world, &mut tell);
        tell(RunEvent::Finished { summary: summary.clone() });
        if summary.status == RunStatus::RebootRequired {
            self.frame.current.child = Some(Box::new(Child { frame: execution.frame, ..child }));
            return Ok((Went::Again, Outputs::new()));
        }
        let outputs = vec![outputs(&summary)];
        if summary.status == RunStatus::Success {
            return Ok((Went::On, outputs));
        }
        // Told, but not kept for later steps: a failed step has produced nothing.
        seen.outputs = outputs_json(at, &outputs);
        Err(StepError::Document {
            message: summary.failure_message,
            timed_out: summary.status == RunStatus::TimedOut,
            last_lines: summary.failure.map(|failure| failure.last_lines).unwrap_or_default(),
        })
    }

    /// A document that has not begun.
    fn child(
        &mut self,
        world: &mut World<'_>,
        at: &At<'_>,
        inputs: &Inputs,
        sink: &Sink<'_>,
    ) -> Result<Child, StepError> {
        let reference = inputs.required("document");
        let around = self.ancestors.iter().chain([at.loaded]);
        if around.clone().count() > DEEPEST {
            return Err(StepError::Failed(format!(
                "{reference} would be nested {} deep; documents can be nested {DEEPEST} deep below the first one",
                DEEPEST + 1
            )));
        }
        let owner = inputs.text("document-s3-bucket-owner").filter(|owner| !owner.is_empty());
        let (origin, text) = fetch(reference, owner, &world.machine, world.outside)?;
        if let Some(same) = around.clone().find(|ancestor| ancestor.is(&origin, &text)) {
            return Err(StepError::Failed(format!(
                "{reference} is the document {}, which is being executed: it would include itself without end",
                same.name
            )));
        }
        let phases = inputs.text("phases").unwrap_or_default().split(',').map(str::trim);
        let phases = phases.filter(|phase| !phase.is_empty()).map(str::to_owned).collect();
        let parameters: BTreeMap<String, String> = inputs.pairs("parameters").iter().cloned().collect();
        self.frame.nested += 1;
        Ok(Child {
            id: format!("{}.{}", self.id, self.frame.nested),
            origin,
            // A part of it may be a secret, and its name is told with every event.
            document: DocumentRequest { name: sink.harmless(reference), text, parameters },
            phases,
            frame: Frame::default(),
        })
    }
}

/// Where a document is, and its text: from S3, from Image Builder, or a file.
fn fetch(
    reference: &str,
    owner: Option<&str>,
    machine: &Machine,
    outside: &mut dyn Outside,
) -> Result<(String, String), StepError> {
    let failed = |reason: String| StepError::Failed(format!("cannot read the document {reference}: {reason}"));
    let too_long = || failed(format!("it is longer than {} KiB", LONGEST_DOCUMENT / 1024));
    if reference.starts_with("s3://") || reference.starts_with("arn:") {
        let text = outside.document(reference, owner).map_err(|error| failed(error.to_string()))?;
        return if text.len() as u64 > LONGEST_DOCUMENT { Err(too_long()) } else { Ok((reference.to_owned(), text)) };
    }
    let path = machine.path(reference)?.canonicalize().map_err(|error| failed(error.to_string()))?;
    // A pipe or a device would have no end.
    if !path.is_file() {
        return Err(failed("it is not a file".to_owned()));
    }
    let mut text = String::new();
    let file = File::open(&path).map_err(|error| failed(error.to_string()))?;
    file.take(LONGEST_DOCUMENT + 1).read_to_string(&mut text).map_err(|error| failed(error.to_string()))?;
    if text.len() as u64 > LONGEST_DOCUMENT {
        return Err(too_long());
    }
    Ok((path.display().to_string(), text))
}

/// A summary as later steps see it, in the fields of the table of modules.
fn outputs(summary: &Summary) -> BTreeMap<String, Option<String>> {
    let status = match summary.status {
        RunStatus::Success => "success",
        RunStatus::TimedOut => "timedOut",
        RunStatus::Failed | RunStatus::RebootRequired => "failed",
    };
    let fields = [
        ("executionId", summary.execution_id.clone()),
        ("status", status.to_owned()),
        ("executedStepCount", summary.executed_step_count.to_string()),
        ("failedStepCount", summary.failed_step_count.to_string()),
        ("ignoredFailedStepCount", summary.ignored_failed_step_count.to_string()),
        ("failureMessage", summary.failure_message.clone()),
        // Logs are written by who listens to the events.
        ("logUrl", String::new()),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), Some(value))).collect()
}

//! A build from PENDING to AVAILABLE, on a thread of its own.

use super::failure::BuildError;
use super::flow::Flow;
use super::notify::notify;
use super::resolve::{self, Component};
use super::stage::StageRun;
use super::workflow::WorkflowStatus;
use super::{IMAGE, ImageRecord, ImageStatus, output};
use super::{distribute, flow};
use crate::local::Local;
use crate::local::compute::state::Shared;
use crate::local::records::Ami;
use crate::local::store::{Scope, StoreError};
use crate::local::wire::ServiceError;
use serde_json::{Value, json};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A build that runs.
#[derive(Debug)]
pub(super) struct Build<'a> {
    pub(super) local: &'a Arc<Local>,
    pub(super) scope: Scope,
    /// As it was at the last change of state.
    pub(super) image: ImageRecord,
}

/// Starts the thread of a build that has been recorded.
pub(super) fn start(local: &Local, scope: &Scope, record: &ImageRecord) -> Result<(), ServiceError> {
    let shared = &local.compute.shared;
    shared.add_build(&record.arn);
    let (image, scope) = (record.clone(), scope.clone());
    let (arn, failed_scope) = (record.arn.clone(), scope.clone());
    let spawned = local
        .compute
        .supervise()
        .and_then(|()| local.compute.spawn("local-build", move |local| run_guarded(local, scope, image)));
    spawned.or_else(|error| {
        shared.remove_build(&arn);
        let reason = format!("The build could not be started: {error}");
        close(local, &failed_scope, &arn, ImageStatus::Failed, Some(&reason), None)?;
        Err(ServiceError::new(500, "ServiceException", reason))
    })
}

/// Runs a build. Should it panic, its instance ends all the same and its image does not stay BUILDING for ever.
fn run_guarded(local: &Arc<Local>, scope: Scope, image: ImageRecord) {
    let (arn, place) = (image.arn.clone(), scope.clone());
    let build = Build { local, scope, image };
    if catch_unwind(AssertUnwindSafe(|| build.run())).is_err() {
        local.compute.shared.cancel_build(&arn);
        let reason = "The build ended by a defect of the local environment; its log says where.";
        if let Err(error) = close(local, &place, &arn, ImageStatus::Failed, Some(reason), None) {
            tracing::error!(image = arn, %error, "the end of a build could not be recorded");
        }
    }
    local.compute.shared.remove_build(&arn);
}

/// Gives a slot back, however the build ends.
struct Slot<'a>(&'a Shared);

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.0.give_slot();
    }
}

/// Writes the end of an image that has not ended yet.
pub(in crate::local::compute) fn close(
    local: &Local,
    scope: &Scope,
    arn: &str,
    status: ImageStatus,
    reason: Option<&str>,
    failure: Option<serde_json::Value>,
) -> Result<(), StoreError> {
    local.store.write(|tx| {
        let Some(mut record) = tx.get::<ImageRecord>(scope, IMAGE, arn)? else { return Ok(()) };
        if !record.status.may_become(status) {
            return Ok(());
        }
        record.status = status;
        record.reason = reason.map(|reason| reason.chars().take(REASON_LIMIT).collect());
        record.failure = failure;
        tx.put(scope, IMAGE, arn, &record)?;
        notify(local, &record);
        Ok(())
    })
}

/// Why a build whose workflows have all run has no image.
const NO_IMAGE: &str = "The workflows of the image have made no AMI.";

/// Characters of `state.reason`.
const REASON_LIMIT: usize = 1_024;

/// How many builds work at once; the others wait in PENDING.
fn slots() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).max(2)
}

impl Build<'_> {
    fn run(mut self) {
        let arn = self.image.arn.clone();
        let result = if self.local.compute.shared.take_slot(&arn, slots()) {
            let _slot = Slot(&self.local.compute.shared);
            self.work()
        } else {
            Err(BuildError::Cancelled)
        };
        let closed = match result {
            Ok(()) => Ok(()),
            // Whatever a build stumbles over after it was cancelled is a consequence of that.
            Err(_) if self.local.compute.shared.is_cancelled(&arn) => self.end(ImageStatus::Cancelled, None, None),
            Err(BuildError::Cancelled) => self.end(ImageStatus::Cancelled, None, None),
            Err(BuildError::Failed(failed)) => {
                let context = failed.context(self.image.status);
                self.end(ImageStatus::Failed, Some(&failed.reason()), Some(context))
            }
            Err(BuildError::Undistributed(failure)) => {
                self.end(ImageStatus::Failed, Some(&failure.reason()), Some(failure.context()))
            }
            Err(BuildError::Service(error)) => {
                let context = json!({"imageStatus": self.image.status.word()});
                self.end(ImageStatus::Failed, Some(&error.message), Some(context))
            }
        };
        if let Err(error) = closed {
            tracing::error!(image = arn, %error, "the end of a build could not be recorded");
        }
    }

    fn end(
        &self,
        status: ImageStatus,
        reason: Option<&str>,
        failure: Option<serde_json::Value>,
    ) -> Result<(), StoreError> {
        close(self.local, &self.scope, &self.image.arn, status, reason, failure)
    }

    fn work(&mut self) -> Result<(), BuildError> {
        self.enter(ImageStatus::Creating)?;
        let parent = resolve::parent(self.local, &self.scope, &self.image)?;
        let components = resolve::components(self.local, &self.scope, &self.image)?;
        let flows = self.local.store.read(|tx| flow::of(tx, &self.scope, &self.image))?;
        let mut context = flow::context(&self.image);
        let mut made = None;
        let (distribution, flows): (Vec<&Flow>, Vec<&Flow>) =
            flows.iter().partition(|flow| flow.kind == "DISTRIBUTION");
        for batch in flow::batches(flows) {
            let status = if batch[0].kind == "TEST" { ImageStatus::Testing } else { ImageStatus::Building };
            if self.image.status != status {
                self.enter(status)?;
            }
            let ami = made.as_ref().unwrap_or(&parent);
            if let Some(new) = self.batch(&batch, (&mut context, ami, &components))? {
                made = Some(new);
            }
        }
        let ami = made.ok_or_else(|| ServiceError::new(400, "InvalidRequestException", NO_IMAGE))?;
        self.enter(ImageStatus::Distributing)?;
        match distribution.first() {
            Some(flow) => self.distribute_by(flow, (&mut context, &ami, &components))?,
            None => self.distribute(ami)?,
        }
        self.enter(ImageStatus::Available)?;
        notify(self.local, &self.image);
        Ok(())
    }

    /// Workflows that run together, a few at a time; the AMI that one of them made. All of them run to their ends before a failure
    /// of one counts.
    fn batch(
        &self,
        batch: &[&Flow],
        (context, ami, components): (&mut Value, &Ami, &[Component]),
    ) -> Result<Option<Ami>, BuildError> {
        let mut ended = Vec::new();
        if let [flow] = batch {
            ended.push((*flow, self.stage(flow, (context, ami, components))));
        } else {
            for some in batch.chunks(flow::TOGETHER) {
                let before = &*context;
                let run = &|flow: &Flow| {
                    let mut context = before.clone();
                    let result = self.stage(flow, (&mut context, ami, components));
                    (result, context)
                };
                let results: Vec<_> = std::thread::scope(|threads| {
                    let running: Vec<_> = some.iter().map(|flow| threads.spawn(move || run(flow))).collect();
                    running.into_iter().map(std::thread::ScopedJoinHandle::join).collect()
                });
                for (flow, result) in some.iter().zip(results) {
                    // A panic in one of them is one of the build.
                    let (result, after) = result.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                    if let Value::Object(outputs) = after["workflowOutputs"].clone() {
                        outputs.into_iter().for_each(|(name, value)| context["workflowOutputs"][name] = value);
                    }
                    ended.push((*flow, result));
                }
            }
        }
        let mut made = None;
        for (flow, result) in ended {
            match result {
                Ok(new) => made = new.or(made),
                Err(BuildError::Failed(failed)) if flow.continues => {
                    tracing::info!(workflow = flow.arn, failure = failed.message, "a test failed; the build goes on");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(made)
    }

    /// Carries out a distribution workflow.
    fn distribute_by(
        &mut self,
        flow: &Flow,
        (context, ami, components): (&mut Value, &Ami, &[Component]),
    ) -> Result<(), BuildError> {
        self.stage(flow, (context, ami, components))?;
        let outputs = distribute::told(context, &output::output(ami, &self.scope));
        self.image.ami = outputs.first().cloned();
        self.image.wishes.copies = outputs.iter().skip(1).cloned().collect();
        Ok(())
    }

    /// Carries out the distribution configuration.
    fn distribute(&mut self, ami: Ami) -> Result<(), BuildError> {
        let now = self.local.config.clock.now();
        let outputs = if self.image.wishes.distribution.is_null() {
            vec![output::output(&ami, &self.scope)]
        } else {
            let outcome =
                self.local.store.write(|tx| distribute::distribute(tx, &self.scope, &self.image, ami, now))?;
            outcome.map_err(|failure| BuildError::Undistributed(Box::new(failure)))?
        };
        self.image.ami = outputs.first().cloned();
        self.image.wishes.copies = outputs.iter().skip(1).cloned().collect();
        if distribute::integrates(&self.image) {
            self.enter(ImageStatus::Integrating)?;
            distribute::integrate(self.local, &self.scope, &self.image, &outputs)
                .map_err(|failure| BuildError::Undistributed(Box::new(failure)))?;
        }
        Ok(())
    }

    /// Moves the image to its next state, unless it was cancelled.
    fn enter(&mut self, status: ImageStatus) -> Result<(), BuildError> {
        if self.local.compute.shared.is_cancelled(&self.image.arn) {
            return Err(BuildError::Cancelled);
        }
        let (ami, copies) = (self.image.ami.clone(), self.image.wishes.copies.clone());
        let (scope, arn) = (&self.scope, &self.image.arn);
        self.image = self.local.store.write(|tx| {
            // Read again: tags may have been changed, and a wish to cancel may have been written by another process.
            let mut record = tx.get::<ImageRecord>(scope, IMAGE, arn)?.ok_or(BuildError::Cancelled)?;
            if record.cancel_requested || !record.status.may_become(status) {
                return Err(BuildError::Cancelled);
            }
            record.status = status;
            record.ami = ami;
            record.wishes.copies = copies;
            tx.put(scope, IMAGE, arn, &record)?;
            Ok(record)
        })?;
        Ok(())
    }

    /// One workflow; the AMI that it made.
    fn stage(
        &self,
        flow: &Flow,
        (context, ami, components): (&mut Value, &Ami, &[Component]),
    ) -> Result<Option<Ami>, BuildError> {
        let mut stage = StageRun::begin(self, flow)?;
        flow.enter(context);
        let result = stage.steps(flow, context, (ami, components));
        stage.finish(result)
    }
}

/// The end of a workflow as its record tells it.
pub(super) const fn workflow_end(cancelled: bool) -> WorkflowStatus {
    if cancelled { WorkflowStatus::Cancelled } else { WorkflowStatus::RollbackCompleted }
}

//! Writes what has become of scripted builds since the last look.

use super::replay::{Effect, Seen, ami_id, digits, replay};
use super::{Decision, SCRIPTED, Scripted};
use crate::component;
use crate::diagnostic::SourceFile;
use crate::local::Local;
use crate::local::builds::{Builds, Script};
use crate::local::compute::command::COMMAND;
use crate::local::compute::image::distribute::{self, Outcome};
use crate::local::compute::image::flow::{self, Flow, FlowStep};
use crate::local::compute::image::notify::notify;
use crate::local::compute::image::resolve::{self, Component};
use crate::local::compute::image::stage::terminates;
use crate::local::compute::image::workflow::{StepStatus, WorkflowExecution};
use crate::local::compute::image::{IMAGE, ImageRecord, ImageStatus, output, workflow};
use crate::local::compute::instance;
use crate::local::records::{AMI, Ami};
use crate::local::store::{Scope, StoreError, Transaction};
use crate::local::wire::ServiceError;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use time::OffsetDateTime;

/// When which build changes next.
#[derive(Debug, Default)]
pub(in crate::local) struct Agenda(Mutex<BTreeSet<(OffsetDateTime, String, String, String)>>);

impl Agenda {
    fn entries(&self) -> MutexGuard<'_, BTreeSet<(OffsetDateTime, String, String, String)>> {
        // A set whose insertions are complete; a panic elsewhere has not broken it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, at: OffsetDateTime, scope: &Scope, arn: &str) {
        self.entries().insert((at, scope.account.clone(), scope.region.clone(), arn.to_owned()));
    }

    /// The first that is due. Taken out, so that of several threads one writes it.
    fn due(&self, now: OffsetDateTime) -> Option<(Scope, String)> {
        let mut entries = self.entries();
        if entries.first().is_none_or(|(at, ..)| *at > now) {
            return None;
        }
        entries.pop_first().map(|(_, account, region, arn)| (Scope { account, region }, arn))
    }
}

/// Puts every scripted build of the state on the agenda, for an environment that has just been opened.
pub(in crate::local::compute) fn reload(local: &Local) -> Result<(), StoreError> {
    local.store.read(|tx| {
        for scope in tx.scopes(SCRIPTED)? {
            for (arn, build) in tx.list::<Scripted>(&scope, SCRIPTED, "")? {
                local.compute.agenda.add(build.begun, &scope, &arn);
            }
        }
        Ok(())
    })
}

/// Whether that image is being built by a script.
pub(in crate::local::compute) fn is_scripted(local: &Local, scope: &Scope, arn: &str) -> Result<bool, StoreError> {
    local.store.read(|tx| Ok(tx.get::<serde_json::Value>(scope, SCRIPTED, arn)?.is_some()))
}

/// What a script needs to know of a build, or nothing when builds are real.
pub(in crate::local::compute::image) fn draft(
    local: &Local,
    scope: &Scope,
    image: &ImageRecord,
    now: OffsetDateTime,
) -> Option<Scripted> {
    let Builds::Scripted(_) = &local.config.builds else { return None };
    let parent = resolve::parent_ami(local, scope, image);
    let components = resolve::components(local, scope, image);
    let flows = local.store.read(|tx| flow::of(tx, scope, image));
    let refused = parent.as_ref().err().or(components.as_ref().err()).or(flows.as_ref().err());
    let refused = refused.map(|error| error.message.clone());
    let (components, flows) = (components.unwrap_or_default(), flows.unwrap_or_default());
    Some(Scripted {
        arn: String::new(),
        script: Script::default(),
        begun: now,
        flows,
        parent: parent.ok(),
        refused,
        component_steps: (steps(&components, &["build", "validate"]), steps(&components, &["test"])),
        cancelled: None,
        decisions: BTreeMap::new(),
        ami: None,
        context: json!({}),
        distributes: (!image.wishes.distribution.is_null(), distribute::integrates(image)),
        distributed: None,
        integrated: None,
        effects: BTreeMap::new(),
        told: None,
    })
}

/// Steps of those phases in all documents.
fn steps(components: &[Component], phases: &[&str]) -> u32 {
    let count = |component: &Component| {
        let document = component::parse(&SourceFile::new("data", &component.data)).document;
        let phases = phases.iter().filter_map(|name| Some(document.as_ref()?.phase(name)?.steps.len()));
        phases.sum::<usize>()
    };
    u32::try_from(components.iter().map(count).sum::<usize>()).unwrap_or(u32::MAX)
}

/// Records a scripted build under the ARN that its image has got.
pub(in crate::local::compute::image) fn begin(
    local: &Local,
    tx: &Transaction<'_>,
    scope: &Scope,
    draft: Scripted,
    image: &ImageRecord,
) -> Result<(), StoreError> {
    let arn = image.arn.as_str();
    let Builds::Scripted(scripts) = &local.config.builds else { return Ok(()) };
    let script = scripts.of(arn);
    let mut flows = draft.flows.clone();
    for wait in &script.waits {
        insert_wait(&mut flows, &wait.after, &wait.name);
    }
    let context = flow::context(image);
    let build = Scripted { arn: arn.to_owned(), script, flows, context, ..draft };
    tx.put(scope, SCRIPTED, arn, &build)?;
    // Should the transaction be given up, the agenda finds nothing there, which is no harm.
    local.compute.agenda.add(build.begun, scope, arn);
    Ok(())
}

fn insert_wait(flows: &mut [Flow], after: &str, name: &str) {
    for flow in flows {
        let Some(place) = flow.steps.iter().position(|step| step.name == after) else { continue };
        flow.steps.insert(place + 1, FlowStep::waiting(name));
    }
}

/// Somebody wishes the build to end; nothing when it is no scripted one.
pub(in crate::local::compute::image) fn cancel(
    local: &Local,
    tx: &Transaction<'_>,
    scope: &Scope,
    arn: &str,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    change(local, tx, scope, arn, now, |build| build.cancelled = build.cancelled.or(Some(now)))
}

/// Somebody answers a waiting step.
pub(in crate::local::compute::image) fn decide(
    local: &Local,
    tx: &Transaction<'_>,
    scope: &Scope,
    (arn, step): (&str, &str),
    decision: Decision,
) -> Result<(), StoreError> {
    let now = decision.at;
    change(local, tx, scope, arn, now, |build| {
        build.decisions.entry(step.to_owned()).or_insert(decision);
    })
}

fn change(
    local: &Local,
    tx: &Transaction<'_>,
    scope: &Scope,
    arn: &str,
    now: OffsetDateTime,
    work: impl FnOnce(&mut Scripted),
) -> Result<(), StoreError> {
    let Some(mut build) = tx.get::<Scripted>(scope, SCRIPTED, arn)? else { return Ok(()) };
    work(&mut build);
    tx.put(scope, SCRIPTED, arn, &build)?;
    local.compute.agenda.add(now, scope, arn);
    Ok(())
}

/// Brings every scripted build whose time has come up to date.
///
/// # Errors
/// When the state cannot be read or written; the build stays on the agenda.
pub(in crate::local) fn settle(local: &Local, now: OffsetDateTime) -> Result<(), ServiceError> {
    while let Some((scope, arn)) = local.compute.agenda.due(now) {
        let next = local.store.write(|tx| one(local, tx, &scope, &arn, now));
        match next {
            Ok(Next::At(next)) => local.compute.agenda.add(next, &scope, &arn),
            Ok(Next::Never) => {}
            Ok(Next::After(effect, at)) => {
                perform(local, &scope, &arn, &effect, at)?;
                local.compute.agenda.add(now, &scope, &arn);
            }
            Err(error) => {
                local.compute.agenda.add(now, &scope, &arn);
                return Err(error.into());
            }
        }
    }
    Ok(())
}

/// Writes where one build stands and tells when it changes next.
fn one(local: &Local, tx: &Transaction<'_>, scope: &Scope, arn: &str, now: OffsetDateTime) -> Result<Next, StoreError> {
    let Some(mut build) = tx.get::<Scripted>(scope, SCRIPTED, arn)? else { return Ok(Next::Never) };
    let Some(mut image) = tx.get::<ImageRecord>(scope, IMAGE, arn)? else {
        tx.delete(scope, SCRIPTED, arn)?;
        return Ok(Next::Never);
    };
    let seen = replay(&build, now);
    for run in &seen.workflows {
        workflow::put(tx, scope, run)?;
    }
    for command in &seen.commands {
        tx.put(scope, COMMAND, &command.key(), command)?;
    }
    let ami = made(tx, scope, &mut build, &image, &seen)?;
    image.status = seen.status;
    image.reason = seen.reason;
    image.failure = seen.failure;
    if matches!(seen.status, ImageStatus::Distributing | ImageStatus::Integrating | ImageStatus::Available) {
        image.ami = ami.map(|ami| output::output(&ami, scope));
        let outputs = build.told.as_ref().or_else(|| build.distributed.as_ref()?.as_ref().ok());
        if let Some(outputs) = outputs {
            image.wishes.copies = outputs.iter().skip(1).cloned().collect();
        }
    }
    tx.put(scope, IMAGE, arn, &image)?;
    if seen.status.is_final() {
        if seen.status == ImageStatus::Failed && !terminates(&image) {
            leave(tx, scope, &build, &image, (&seen.workflows, now))?;
        }
        notify(local, &image);
        tx.delete(scope, SCRIPTED, arn)?;
        return Ok(Next::Never);
    }
    tx.put(scope, SCRIPTED, arn, &build)?;
    Ok(match (seen.effect, seen.next) {
        (Some((effect, at)), _) => Next::After(effect, at),
        (None, Some(next)) => Next::At(next),
        (None, None) => Next::Never,
    })
}

/// Records the instances that the workflow that failed has launched and not ended.
fn leave(
    tx: &Transaction<'_>,
    scope: &Scope,
    build: &Scripted,
    image: &ImageRecord,
    (workflows, now): (&[WorkflowExecution], OffsetDateTime),
) -> Result<(), StoreError> {
    let (Some(run), Some(parent)) = (workflows.last(), &build.parent) else { return Ok(()) };
    let purpose = if run.kind == "TEST" { "Test" } else { "Build" };
    let done = |action: &'static str| {
        run.steps.iter().filter(move |step| step.action == action && step.status == StepStatus::Completed)
    };
    let ended: BTreeSet<&str> =
        done("TerminateInstance").filter_map(|step| step.inputs.get("instanceId")?.as_str()).collect();
    for step in done("LaunchInstance") {
        let Some(id) = step.outputs.get("instanceId").and_then(serde_json::Value::as_str) else { continue };
        if !ended.contains(id) {
            instance::leave(tx, scope, image, (id, purpose, parent), now)?;
        }
    }
    Ok(())
}

/// Does what a build does outside of its own records, and writes down what became of it.
fn perform(local: &Local, scope: &Scope, arn: &str, effect: &Effect, now: OffsetDateTime) -> Result<(), ServiceError> {
    let image = local.store.read(|tx| tx.get::<ImageRecord>(scope, IMAGE, arn))?;
    let Some(image) = image else { return Ok(()) };
    let integrated = match effect {
        Effect::Step(id, action, inputs) => return act(local, scope, &image, (id, action, inputs)),
        Effect::Distribute => Ok(()),
        Effect::Integrate => {
            let outputs: Vec<_> = image.ami.iter().chain(&image.wishes.copies).cloned().collect();
            distribute::integrate(local, scope, &image, &outputs)
        }
    };
    local.store.write(|tx| {
        let Some(mut build) = tx.get::<Scripted>(scope, SCRIPTED, arn)? else { return Ok(()) };
        match effect {
            Effect::Integrate => build.integrated = Some(integrated.map(|()| Vec::new())),
            Effect::Step(..) => {}
            Effect::Distribute if build.distributed.is_some() => {}
            Effect::Distribute => build.distributed = Some(distributed(tx, scope, &image, &build, now)?),
        }
        tx.put(scope, SCRIPTED, arn, &build)
    })?;
    Ok(())
}

/// A step of a distribution workflow.
fn act(
    local: &Local,
    scope: &Scope,
    image: &ImageRecord,
    (id, action, inputs): (&str, &str, &serde_json::Value),
) -> Result<(), ServiceError> {
    let own = local.store.read(|tx| tx.get::<Ami>(scope, AMI, &ami_id(&image.arn)))?;
    let done = match &own {
        Some(ami) => distribute::Work { local, scope, image }.act(action, inputs, ami),
        None => Err("The AMI of the image is gone.".to_owned()),
    };
    local.store.write(|tx| {
        let Some(mut build) = tx.get::<Scripted>(scope, SCRIPTED, &image.arn)? else { return Ok(()) };
        if let (Some(ami), Ok(outputs)) = (&own, &done) {
            let own = output::output(ami, scope);
            let told = distribute::told(&json!({"stepOutputs": {"step": outputs}}), &own);
            if action == "DistributeImage" {
                build.told = Some(told);
            }
        }
        build.effects.entry(id.to_owned()).or_insert(done);
        tx.put(scope, SCRIPTED, &image.arn, &build)
    })?;
    Ok(())
}

fn distributed(
    tx: &Transaction<'_>,
    scope: &Scope,
    image: &ImageRecord,
    build: &Scripted,
    now: OffsetDateTime,
) -> Result<Outcome, StoreError> {
    match tx.get::<Ami>(scope, AMI, &ami_id(&build.arn))? {
        Some(ami) => distribute::distribute(tx, scope, image, ami, now),
        // Deregistered meanwhile by somebody: there is nothing to distribute.
        None => Ok(Ok(Vec::new())),
    }
}

/// When a build has to be looked at again.
enum Next {
    At(OffsetDateTime),
    After(Effect, OffsetDateTime),
    Never,
}

/// The AMI as far as it is made. One that somebody has changed or deregistered meanwhile is left as it is.
fn made(
    tx: &Transaction<'_>,
    scope: &Scope,
    build: &mut Scripted,
    image: &ImageRecord,
    seen: &Seen,
) -> Result<Option<Ami>, StoreError> {
    let (Some((began, done)), Some(parent)) = (seen.ami, &build.parent) else { return Ok(None) };
    let id = ami_id(&build.arn);
    let known = tx.get::<Ami>(scope, AMI, &id)?;
    let mut ami = match (known, &build.ami) {
        (Some(known), _) => known,
        (None, Some(_)) => return Ok(None),
        (None, None) => {
            let snapshot = format!("snap-{}", &digits(&build.arn, "snapshot")[..17]);
            let name = output::unique_name(tx, scope, &image.name, began)?;
            Ami { id: id.clone(), name, snapshot, ..output::draft(began, scope, image, parent) }
        }
    };
    build.ami = Some(id);
    if ami.state == "pending" && done {
        "available".clone_into(&mut ami.state);
    } else if ami.state == "pending" && seen.status.is_final() {
        // Ended in the middle of the step, as a real build does: nothing stays.
        tx.delete(scope, AMI, &ami.id)?;
        return Ok(None);
    }
    tx.put(scope, AMI, &ami.id, &ami)?;
    Ok(Some(ami))
}

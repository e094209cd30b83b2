//! Carries out the steps of a plan, and undoes them when one fails.

use super::error::{PromoteError, StepError};
use super::model::{LOCK_SCHEMA, Lock, Move, ParameterPointer, Placed, Plan, Promotion, Release, TemplatePointer};
use super::planner::expired;
use super::state::{books, image, lock, pointers};
use super::steps::{Step, Undo};
use super::{names, store, template};
use crate::aws::wait::Poller;
use crate::aws::{CallError, Cloud};
use crate::clock::rfc3339;
use crate::event::{Events, Stage};
use std::collections::BTreeMap;
use std::time::Duration;

/// After this time somebody else may take over a lock that is still there. A promotion takes well under a minute.
const LOCK_LIFE: Duration = Duration::from_hours(1);
/// How long it is waited for a pointer to show what was written.
const READ_BACK: Duration = Duration::from_mins(1);
/// Longest time between two looks while reading back.
const READ_EVERY: Duration = Duration::from_secs(2);

/// Carries out a plan.
///
/// # Errors
/// [`PromoteError::Failed`] when everything was put back, [`PromoteError::Stuck`] when that failed as well and
/// [`PromoteError::Untidy`] when the promotion has happened but the journal or the lock is left.
pub async fn execute(cloud: &Cloud, plan: &Plan, events: &Events) -> Result<Promotion, PromoteError> {
    Executor::new(cloud, plan, events).run(&plan.steps(), &[]).await
}

/// A promotion being carried out.
#[derive(Debug)]
pub(super) struct Executor<'a> {
    pub(super) cloud: &'a Cloud,
    pub(super) plan: &'a Plan,
    events: &'a Events,
    templates: BTreeMap<usize, TemplatePointer>,
    parameters: BTreeMap<usize, ParameterPointer>,
}

impl<'a> Executor<'a> {
    pub(super) fn new(cloud: &'a Cloud, plan: &'a Plan, events: &'a Events) -> Self {
        Self { cloud, plan, events, templates: BTreeMap::new(), parameters: BTreeMap::new() }
    }

    /// Performs `steps`; `before` are steps that an earlier process has performed and that are undone with them.
    pub(super) async fn run(mut self, steps: &[Step], before: &[Step]) -> Result<Promotion, PromoteError> {
        let mut begun = before.to_vec();
        for step in steps {
            self.events.progress(Stage::Promote, step.describe(self.plan));
            begun.push(*step);
            // Boxed, because the steps' futures are large and would be part of every caller's.
            if let Err(cause) = Box::pin(self.perform(*step)).await {
                return Err(self.give_up(*step, cause, &begun).await);
            }
        }
        Ok(Promotion::moved(self.release()))
    }

    /// Puts back what the begun steps did, latest first. The failed one is among them: its answer may have been lost.
    async fn give_up(&self, step: Step, cause: StepError, begun: &[Step]) -> PromoteError {
        if step.undo() == Undo::Finish {
            return PromoteError::Untidy { step, cause };
        }
        if let (Step::Lock, StepError::Locked { holder, since }) = (step, &cause) {
            let channel = self.plan.release.channel.clone();
            return PromoteError::Locked { channel, holder: holder.clone(), since: since.clone() };
        }
        match self.undo_all(begun).await {
            Ok(restored) => PromoteError::Failed { step, cause, restored },
            Err((undo, restored)) => PromoteError::Stuck { step, cause, undo, restored },
        }
    }

    /// Undoes steps, latest first; what was put back, and why it could not go on.
    pub(super) async fn undo_all(&self, steps: &[Step]) -> Result<Vec<String>, (StepError, Vec<String>)> {
        let mut restored = Vec::new();
        for step in steps.iter().rev() {
            match Box::pin(self.undo(step.undo())).await {
                Ok(Some(line)) => {
                    self.events.note(Stage::Promote, line.clone());
                    restored.push(line);
                }
                Ok(None) => {}
                Err(error) => return Err((error, restored)),
            }
        }
        Ok(restored)
    }

    async fn perform(&mut self, step: Step) -> Result<(), StepError> {
        match step {
            Step::Lock => self.lock().await,
            Step::Verify => self.verify().await,
            Step::Journal => self.journal().await,
            // Planning refuses every target but home, where the image was built.
            Step::Distribute(_) => Ok(()),
            Step::Stage(target) => self.stage(target).await,
            Step::Prove(target) => self.prove(target).await,
            Step::Hold => self.hold().await,
            Step::FlipTemplate(target) => self.flip_template(target).await,
            Step::FlipParameter(target) => self.flip_parameter(target).await,
            Step::Record => self.record().await,
            Step::Clear => Ok(store::delete(self.cloud, self.cloud.home(), &self.journal_name()).await?),
            Step::Unlock => self.unlock().await,
        }
    }

    pub(super) fn target(&self, target: usize) -> Result<&'a Move, StepError> {
        self.plan.moves.get(target).ok_or_else(|| StepError::Refused(format!("the plan has no target {target}")))
    }

    fn name(&self, of: fn(&str, &str, &str, &str) -> String) -> String {
        let release = &self.plan.release;
        of(&release.project, &release.recipe, &release.arch, &release.channel)
    }

    pub(super) fn lock_name(&self) -> String {
        self.name(names::lock)
    }

    pub(super) fn journal_name(&self) -> String {
        self.name(names::journal)
    }

    pub(super) fn record_name(&self) -> String {
        self.name(names::record)
    }

    /// The lock that is there, if it can be read: one that cannot is somebody's, so it is an error.
    pub(super) async fn current_lock(&self) -> Result<Option<Lock>, StepError> {
        lock(self.cloud, &self.lock_name()).await.map_err(step_error)
    }

    pub(super) fn ours(&self, lock: &Lock) -> bool {
        lock.id == self.plan.release.id
    }

    /// Takes the lock. One that has expired is removed first; whoever removes it has to create it like everybody else.
    pub(super) async fn lock(&self) -> Result<(), StepError> {
        let now = self.cloud.clock().now();
        let lock = Lock {
            schema: LOCK_SCHEMA.to_owned(),
            id: self.plan.release.id.clone(),
            holder: self.plan.release.by.clone(),
            since: rfc3339(now),
            expires: rfc3339(now + LOCK_LIFE),
        };
        let (name, text) = (self.lock_name(), json(&lock)?);
        for attempt in 0..2 {
            let Err(error) = store::create_document(self.cloud, &name, &text).await else { return Ok(()) };
            let doubtful = error.fault.may_have_been_applied();
            if !doubtful && !error.fault.is(&["ParameterAlreadyExists"]) {
                return Err(error.into());
            }
            match self.current_lock().await? {
                Some(found) if self.ours(&found) => return Ok(()),
                Some(found) if attempt == 0 && expired(&found, now) => {
                    store::delete(self.cloud, self.cloud.home(), &name).await?;
                }
                Some(found) => return Err(StepError::Locked { holder: found.holder, since: found.since }),
                None if doubtful => return Err(error.into()),
                None => {}
            }
        }
        Err(StepError::Changed("the lock"))
    }

    /// Everything is as it was when the plan was made.
    async fn verify(&self) -> Result<(), StepError> {
        let release = &self.plan.release;
        let found = books(self.cloud, &release.project, &release.recipe, &release.arch, &release.channel).await;
        let found = found.map_err(step_error)?;
        if found.journal.is_some() {
            return Err(StepError::Changed("the journal"));
        }
        if found.record.map(|(_, text)| text) != self.plan.record_before {
            return Err(StepError::Changed("the channel's record"));
        }
        for one in &self.plan.moves {
            let now = pointers(self.cloud, &one.location(), &one.launch_template, &one.parameter).await?;
            if now.template != one.template_before {
                return Err(StepError::Changed("the launch template"));
            }
            if now.parameter != one.parameter_before {
                return Err(StepError::Changed("the parameter"));
            }
        }
        Ok(())
    }

    async fn journal(&self) -> Result<(), StepError> {
        Ok(store::put_document(self.cloud, &self.journal_name(), &json(self.plan)?).await?)
    }

    async fn stage(&mut self, target: usize) -> Result<(), StepError> {
        let one = self.target(target)?;
        let staged = template::stage(self.cloud, self.plan, one).await?;
        let pointer = TemplatePointer {
            name: one.launch_template.clone(),
            id: staged.id,
            version: staged.version,
            previous: one.template_before.as_ref().map(|before| before.default_version),
        };
        self.templates.insert(target, pointer);
        Ok(())
    }

    async fn prove(&self, target: usize) -> Result<(), StepError> {
        let one = self.target(target)?;
        let found = image(self.cloud, &one.ami).await?;
        if found.state.as_deref() != Some("available") {
            let state = found.state.unwrap_or_else(|| "not there".to_owned());
            return Err(StepError::Refused(format!("{} is {state}", one.ami)));
        }
        if let Some(wanted) = &self.plan.evidence_tag
            && found.evidence.as_ref() != Some(wanted)
        {
            return Err(StepError::Refused(format!("{} no longer carries the evidence {wanted}", one.ami)));
        }
        let staged = template::staged(self.cloud, self.plan, one).await?;
        let staged = staged.ok_or_else(|| StepError::Refused("the staged version is gone".to_owned()))?;
        if staged.ami.as_ref() != Some(&one.ami) {
            return Err(StepError::Refused(format!("the staged version has {:?} instead of {}", staged.ami, one.ami)));
        }
        launchable(self.cloud, one, &staged).await
    }

    pub(super) async fn hold(&self) -> Result<(), StepError> {
        match self.current_lock().await? {
            Some(lock) if self.ours(&lock) => Ok(()),
            Some(lock) => Err(StepError::Locked { holder: lock.holder, since: lock.since }),
            None => Err(StepError::Changed("the lock")),
        }
    }

    async fn flip_template(&self, target: usize) -> Result<(), StepError> {
        let pointer = self.templates.get(&target);
        let pointer = pointer.ok_or_else(|| StepError::Refused("no version was staged".to_owned()))?;
        self.set_default(target, &pointer.id, pointer.version).await
    }

    /// Moves the default version and waits until it shows.
    pub(super) async fn set_default(&self, target: usize, id: &str, version: i64) -> Result<(), StepError> {
        let one = self.target(target)?;
        let place = one.location();
        template::set_default(self.cloud, &place, id, version).await?;
        let mut waiting = self.read_back().start();
        loop {
            let found = template::find(self.cloud, &place, &one.launch_template).await?;
            if found.is_some_and(|found| found.id == id && found.default_version == version) {
                return Ok(());
            }
            let what = format!("default version {version} of launch template {}", one.launch_template);
            waiting.pause().await.map_err(|timed_out| StepError::NotSeen { what, timed_out })?;
        }
    }

    async fn flip_parameter(&mut self, target: usize) -> Result<(), StepError> {
        let one = self.target(target)?;
        let place = one.location();
        let version = match &one.parameter_before {
            Some(_) => store::put_image(self.cloud, &place, &one.parameter, &one.ami).await?,
            None => store::create_image(self.cloud, &place, &one.parameter, &one.ami, &self.plan.release).await?,
        };
        let seen = self.parameter_shows(target, &one.ami, version).await?;
        self.parameters.insert(target, ParameterPointer { name: one.parameter.clone(), version: seen });
        Ok(())
    }

    /// Waits until a parameter shows a value, in that version or a later one; the version it shows.
    pub(super) async fn parameter_shows(&self, target: usize, value: &str, version: i64) -> Result<i64, StepError> {
        let one = self.target(target)?;
        let mut waiting = self.read_back().start();
        loop {
            let found = store::get(self.cloud, &one.location(), &one.parameter).await?;
            if let Some(found) = found.filter(|found| found.value == value && found.version >= version) {
                return Ok(found.version);
            }
            let what = format!("{value} in parameter {}", one.parameter);
            waiting.pause().await.map_err(|timed_out| StepError::NotSeen { what, timed_out })?;
        }
    }

    async fn record(&self) -> Result<(), StepError> {
        let (name, text) = (self.record_name(), json(&self.release())?);
        let Err(error) = store::put_document(self.cloud, &name, &text).await else { return Ok(()) };
        if !error.fault.may_have_been_applied() {
            return Err(error.into());
        }
        let found = store::get(self.cloud, self.cloud.home(), &name).await?;
        if found.is_some_and(|found| found.value == text) { Ok(()) } else { Err(error.into()) }
    }

    /// Removes the lock if it is ours; one that somebody has taken over is theirs.
    pub(super) async fn unlock(&self) -> Result<(), StepError> {
        match self.current_lock().await? {
            Some(lock) if self.ours(&lock) => {
                Ok(store::delete(self.cloud, self.cloud.home(), &self.lock_name()).await?)
            }
            _ => Ok(()),
        }
    }

    fn read_back(&self) -> Poller {
        Poller { every: self.cloud.poll().min(READ_EVERY), deadline: READ_BACK }
    }

    /// The release as it goes into the record.
    fn release(&self) -> Release {
        let placed = |(target, one): (usize, &Move)| {
            Some(Placed {
                account: one.account.clone(),
                region: one.region.clone(),
                ami: one.ami.clone(),
                launch_template: self.templates.get(&target)?.clone(),
                parameter: self.parameters.get(&target)?.clone(),
            })
        };
        Release {
            targets: self.plan.moves.iter().enumerate().filter_map(placed).collect(),
            previous: self.plan.previous.clone().map(Box::new),
            ..self.plan.release.clone()
        }
    }
}

/// A dry run from the staged version: EC2 checks AMI, permission and key, and says that it would have launched.
async fn launchable(cloud: &Cloud, one: &Move, staged: &template::Staged) -> Result<(), StepError> {
    use aws_sdk_ec2::types::{InstanceType, LaunchTemplateSpecification};
    let place = one.location();
    let template = LaunchTemplateSpecification::builder()
        .launch_template_id(&staged.id)
        .version(staged.version.to_string())
        .build();
    let kind = staged.instance_type.is_none().then(|| InstanceType::from(one.instance_type.as_str()));
    let request = cloud.ec2(&place).run_instances().launch_template(template).set_instance_type(kind);
    let answer = request.min_count(1).max_count(1).dry_run(true).send().await;
    match answer.map_err(CallError::of("RunInstances", &place)) {
        Err(error) if error.fault.is(&["DryRunOperation"]) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => Err(StepError::Refused("the dry run of RunInstances did not answer as one".to_owned())),
    }
}

pub(super) fn json<T: serde::Serialize>(value: &T) -> Result<String, StepError> {
    serde_json::to_string(value).map_err(|error| StepError::Refused(error.to_string()))
}

/// Errors of reading our own documents, inside a step.
fn step_error(error: PromoteError) -> StepError {
    match error {
        PromoteError::Call(call) => call.into(),
        other => StepError::Refused(other.to_string()),
    }
}

//! What each step does.

use super::error::{PromoteError, StepError};
use super::execute::{Done, Executor};
use super::model::{LOCK_SCHEMA, Lock, Move, ParameterMove, ParameterPointer, Plan, TemplatePointer};
use super::planner::expired;
use super::revoke::standing;
use super::state::{LANES, books, lock, pointers};
use super::steps::Step;
use super::{document, encryption, image, store, template};
use crate::aws::{CallError, Cloud};
use crate::clock::rfc3339;
use crate::project::Location;
use futures_util::{StreamExt as _, stream};
use std::collections::BTreeSet;
use std::time::Duration;

/// After this time somebody else may take over a lock that is still there and has no journal. A promotion takes well under
/// a minute, not counting the time in which it waits for copies.
const LOCK_LIFE: Duration = Duration::from_hours(1);

impl Executor<'_> {
    pub(super) async fn perform(&self, step: Step) -> Result<Done, StepError> {
        match step {
            Step::Lock => self.lock().await?,
            Step::Verify => self.verify().await?,
            Step::Journal => self.journal(self.plan, 0).await?,
            Step::Distribute(supply) => return self.distribute(supply).await,
            Step::Note => self.journal(&self.known_plan(), 1).await?,
            Step::Stage(target) => return self.stage(target).await.map(Done::Templates),
            Step::Prove(target) => self.prove(target).await?,
            Step::Canary(target) => self.canary(target).await?,
            Step::Hold => self.hold().await?,
            Step::FlipTemplate(target) => self.flip_templates(target).await?,
            Step::FlipParameter(target) => return self.flip_parameters(target).await.map(Done::Parameters),
            Step::RemoveParameter(target) => self.remove_parameters(target).await?,
            Step::Record => self.record().await?,
            Step::Clear => self.remove_journal().await?,
            Step::Unlock => self.unlock().await?,
        }
        Ok(Done::Nothing)
    }

    /// The lock that is there, if it can be read: one that cannot is somebody's, so it is an error.
    async fn current_lock(&self) -> Result<Option<Lock>, StepError> {
        lock(self.cloud, &self.lock_name()).await.map_err(step_error)
    }

    fn ours(&self, lock: &Lock) -> bool {
        lock.id == self.plan.release.id && lock.holder == self.holder
    }

    fn new_lock(&self) -> Result<Lock, StepError> {
        let now = self.cloud.clock().now();
        let copies = self.plan.supplies.iter().any(|one| one.ami.is_none());
        let life = if copies { LOCK_LIFE + image::COPIED_WITHIN } else { LOCK_LIFE };
        let life = life + self.canaries_within();
        Ok(Lock {
            schema: LOCK_SCHEMA.to_owned(),
            id: self.plan.release.id.clone(),
            holder: self.holder.clone(),
            since: rfc3339(now),
            expires: rfc3339(now + life),
            journal_parts: self.journal_parts()?,
            again: self.again.clone(),
        })
    }

    /// Takes the lock. One that has expired is removed first; whoever removes it has to create it like everybody else.
    pub(super) async fn lock(&self) -> Result<(), StepError> {
        let now = self.cloud.clock().now();
        let (name, text) = (self.lock_name(), json(&self.new_lock()?)?);
        for attempt in 0..2 {
            let Err(error) = store::create_document(self.cloud, &name, &text).await else { return Ok(()) };
            let doubtful = error.fault.may_have_been_applied();
            if !doubtful && !error.fault.is(&["ParameterAlreadyExists"]) {
                return Err(error.into());
            }
            match self.current_lock().await? {
                Some(found) if self.ours(&found) => return Ok(()),
                Some(found) if attempt == 0 && expired(&found, now) => self.discard(&found).await?,
                Some(found) => return Err(StepError::Locked { holder: found.holder, since: found.since }),
                None if doubtful => return Err(error.into()),
                None => {}
            }
        }
        Err(StepError::Changed("the lock"))
    }

    /// Removes a lock that is nobody's any more, with what its journal may have left.
    pub(super) async fn discard(&self, lock: &Lock) -> Result<(), StepError> {
        document::remove_journal_parts(self.cloud, &self.journal_name(), &lock.id, lock.journal_parts).await?;
        Ok(store::delete(self.cloud, self.cloud.home(), &self.lock_name()).await?)
    }

    /// Takes the lock of this promotion from the process that is gone, so that it finds its lock taken should it still run; the lock
    /// as it was. Whoever went on with it before stays written down.
    pub(super) async fn take_over(&mut self) -> Result<Option<Lock>, StepError> {
        match self.current_lock().await? {
            Some(found) if found.id == self.plan.release.id => {
                self.again.splice(0..0, found.again.clone());
                self.again.dedup();
                let text = json(&Lock { journal_parts: found.journal_parts, ..self.new_lock()? })?;
                let written = store::put_document(self.cloud, &self.lock_name(), &text).await;
                match (written, self.hold().await) {
                    (_, Ok(())) => Ok(Some(found)),
                    (Err(error), Err(_)) => Err(error.into()),
                    (Ok(()), Err(taken)) => Err(taken),
                }
            }
            Some(found) if !expired(&found, self.cloud.clock().now()) => {
                Err(StepError::Locked { holder: found.holder, since: found.since })
            }
            _ => self.lock().await.map(|()| None),
        }
    }

    /// Gives the lock back as it was.
    pub(super) async fn give_back(&self, found: Option<&Lock>) -> Result<(), StepError> {
        let Some(found) = found else { return self.unlock().await };
        self.hold().await?;
        Ok(store::put_document(self.cloud, &self.lock_name(), &json(found)?).await?)
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
        // Whoever revokes it writes that down before looking at the channel's lock: one of the two sees the other.
        let revoked = standing(self.cloud, &release.project, &release.recipe, &release.arch, &release.ami).await;
        if !release.empty && revoked.map_err(step_error)?.is_some() {
            return Err(StepError::Changed("the standing of the release"));
        }
        let looks = self.plan.moves.iter().map(|one| self.verify_target(one));
        let looks: Vec<_> = stream::iter(looks.collect::<Vec<_>>()).buffered(LANES).collect().await;
        looks.into_iter().collect()
    }

    /// A target that cannot be looked at any more is found by the steps that work in it, if it may be left out.
    async fn verify_target(&self, one: &Move) -> Result<(), StepError> {
        let templates: Vec<&str> = one.launch_templates.iter().map(|one| one.name.as_str()).collect();
        let parameters: Vec<&str> = one.parameters.iter().map(|one| one.name.as_str()).collect();
        let now = match pointers(self.cloud, &one.location(), &templates, &parameters).await {
            Err(_) if self.plan.quorum.is_some() => return Ok(()),
            now => now?,
        };
        if !now.templates.iter().map(|now| &now.before).eq(one.launch_templates.iter().map(|one| &one.before)) {
            return Err(StepError::Changed("the launch template"));
        }
        if !now.parameters.iter().eq(one.parameters.iter().map(|one| &one.before)) {
            return Err(StepError::Changed("the parameter"));
        }
        Ok(())
    }

    /// Writes the journal and reads it back as a whole.
    async fn journal(&self, plan: &Plan, writing: usize) -> Result<(), StepError> {
        let (name, text) = (self.journal_name(), json(plan)?);
        let id = &document::journal_ids(&plan.release.id)[writing];
        let packed = document::pack(id, &text);
        document::write_parts(self.cloud, &name, id, &packed).await?;
        store::put_document(self.cloud, &name, &packed.head).await?;
        let mut waiting = self.read_back().start();
        loop {
            let found = store::get(self.cloud, self.cloud.home(), &name).await?;
            if let Some(found) = found.filter(|found| found.value == packed.head)
                && document::whole(self.cloud, &name, &found.value).await.map_err(step_error)? == text
            {
                return Ok(());
            }
            let what = format!("the journal {name}");
            waiting.pause().await.map_err(|timed_out| StepError::NotSeen { what, timed_out })?;
        }
    }

    /// The parameter itself goes first: what is left of a journal without it can be removed, but a journal that has lost a
    /// part cannot be read.
    pub(super) async fn remove_journal(&self) -> Result<(), StepError> {
        let name = self.journal_name();
        store::delete(self.cloud, self.cloud.home(), &name).await?;
        let parts = self.journal_parts()?;
        Ok(document::remove_journal_parts(self.cloud, &name, &self.plan.release.id, parts).await?)
    }

    /// The image is there, marked as approved and open to whoever uses it. The source is marked before copies are made.
    async fn distribute(&self, index: usize) -> Result<Done, StepError> {
        let supply = self.supply(index)?;
        let place = supply.location();
        let ami = match self.image(index) {
            Some(ami) => ami.to_owned(),
            None => self.copied(index).await?,
        };
        let found = match index {
            // Built and looked at: it does not come into being any more.
            0 => image::look(self.cloud, &place, &ami).await?,
            _ => image::available(self.cloud, &place, &ami).await?,
        };
        if found.state.as_deref() != Some("available") {
            let state = found.state.unwrap_or_else(|| "not there".to_owned());
            return Err(StepError::Refused(format!("{ami} is {state}")));
        }
        image::mark(self.cloud, self.plan, supply, &ami, &found).await?;
        // The key first: who is let launch an image before that only sees launches fail.
        let keys = encryption::keys(self.cloud, &place, &found).await?;
        encryption::open(self.cloud, &self.plan.release.project, supply, &keys).await?;
        image::share(self.cloud, supply, &ami, &found).await?;
        Ok(Done::Image { ami, keys })
    }

    async fn copied(&self, index: usize) -> Result<String, StepError> {
        let supply = self.supply(index)?;
        let (place, source) = (supply.location(), &self.plan.release.ami);
        if let Some(found) = image::find_copy(self.cloud, &place, source, &BTreeSet::new()).await? {
            return Ok(found);
        }
        let source = image::look(self.cloud, self.cloud.home(), &self.plan.release.ami).await?;
        for key in self.keys.get(&0).into_iter().flatten() {
            encryption::usable(self.cloud, &supply.account, key).await?;
        }
        let mut waiting = self.read_back().start();
        loop {
            match image::copy(self.cloud, self.plan, supply, &source).await {
                // The image was opened to this account a moment ago, which need not show yet.
                Err(StepError::Call(error)) if image::unopened(&error) => {
                    waiting.pause().await.map_err(|_| error)?;
                }
                copied => return copied,
            }
        }
    }

    async fn stage(&self, target: usize) -> Result<Vec<TemplatePointer>, StepError> {
        let one = self.target(target)?;
        let (place, ami) = (one.location(), self.ami(one)?);
        let mut pointers = Vec::new();
        for template in &one.launch_templates {
            let staged = template::stage(self.cloud, self.plan, &place, template, ami, self.fresh).await?;
            pointers.push(TemplatePointer {
                name: template.name.clone(),
                id: staged.id,
                version: staged.version,
                previous: template.before.as_ref().map(|before| before.default_version),
            });
        }
        Ok(pointers)
    }

    /// The versions that are staged at a target, in the order of its launch templates.
    pub(super) fn staged(&self, target: usize) -> Result<&[TemplatePointer], StepError> {
        let wanted = self.target(target)?.launch_templates.len();
        match self.templates.get(&target) {
            Some(pointers) if pointers.len() == wanted => Ok(pointers),
            None if wanted == 0 => Ok(&[]),
            _ => Err(StepError::Refused("no version was staged".to_owned())),
        }
    }

    /// By the owner's eyes the image is what was approved; by the target's its keys can be used, and it can be launched from every
    /// staged version: a dry run does not look at keys.
    ///
    /// EC2 is eventually consistent, and what is looked at was written a moment ago: what is missing is waited for.
    async fn prove(&self, target: usize) -> Result<(), StepError> {
        let one = self.target(target)?;
        for key in self.keys.get(&one.supply).into_iter().flatten() {
            encryption::usable(self.cloud, &one.account, key).await?;
        }
        let mut waiting = self.read_back().start();
        loop {
            match self.proof(target).await {
                Ok(()) => return Ok(()),
                Err(Unproven::Never(error)) => return Err(error),
                Err(Unproven::NotYet(error)) if waiting.pause().await.is_err() => return Err(error),
                Err(Unproven::NotYet(_)) => {}
            }
        }
    }

    async fn proof(&self, target: usize) -> Result<(), Unproven> {
        let missing = |text: String| Unproven::NotYet(StepError::Refused(text));
        let one = self.target(target)?;
        let (ami, supply) = (self.ami(one)?, self.supply(one.supply)?);
        let found = image::look(self.cloud, &supply.location(), ami).await?;
        match found.state.as_deref() {
            Some("available") => {}
            None => return Err(missing(format!("{ami} is not there"))),
            Some(other) => return Err(StepError::Refused(format!("{ami} is {other}")).into()),
        }
        if let Some(wanted) = &self.plan.evidence_tag
            && found.evidence.as_ref() != Some(wanted)
        {
            return Err(missing(format!("{ami} does not carry the evidence {wanted}")));
        }
        if found.approved.is_none() {
            return Err(missing(format!("{ami} does not carry the mark of approval")));
        }
        let pointers = self.staged(target)?;
        if pointers.is_empty() {
            return self.permitted(one, ami).await;
        }
        for pointer in pointers {
            let staged = template::version(self.cloud, &one.location(), &pointer.id, pointer.version).await?;
            let staged = staged.ok_or_else(|| missing("the staged version is not there".to_owned()))?;
            // A version never changes.
            if staged.ami.as_deref() != Some(ami) {
                let text = format!("the staged version has {:?} instead of {ami}", staged.ami);
                return Err(StepError::Refused(text).into());
            }
            launchable(self.cloud, one, &staged).await?;
        }
        Ok(())
    }

    /// Where no launch template is moved there is nothing to launch from: the target sees the image, which EC2 shows only to
    /// whom it lets launch it.
    async fn permitted(&self, one: &Move, ami: &str) -> Result<(), Unproven> {
        let seen = image::look(self.cloud, &one.location(), ami).await?;
        match seen.state.as_deref() {
            Some("available") => Ok(()),
            Some(other) => Err(StepError::Refused(format!("{ami} is {other} for this account")).into()),
            None => Err(Unproven::NotYet(StepError::Refused(format!("{ami} is not there for this account")))),
        }
    }

    pub(super) async fn hold(&self) -> Result<(), StepError> {
        match self.current_lock().await? {
            Some(lock) if self.ours(&lock) => Ok(()),
            Some(lock) => Err(StepError::Locked { holder: lock.holder, since: lock.since }),
            None => Err(StepError::Changed("the lock")),
        }
    }

    async fn flip_templates(&self, target: usize) -> Result<(), StepError> {
        let place = self.target(target)?.location();
        for pointer in self.staged(target)? {
            self.set_default(&place, &pointer.name, &pointer.id, pointer.version).await?;
        }
        Ok(())
    }

    /// Moves the default version and waits until it shows.
    pub(super) async fn set_default(
        &self,
        place: &Location,
        name: &str,
        id: &str,
        version: i64,
    ) -> Result<(), StepError> {
        template::set_default(self.cloud, place, id, version).await?;
        let mut waiting = self.read_back().start();
        loop {
            let found = template::find(self.cloud, place, name).await?;
            if found.is_some_and(|found| found.id == id && found.default_version == version) {
                return Ok(());
            }
            let what = format!("default version {version} of launch template {name}");
            waiting.pause().await.map_err(|timed_out| StepError::NotSeen { what, timed_out })?;
        }
    }

    async fn flip_parameters(&self, target: usize) -> Result<Vec<ParameterPointer>, StepError> {
        let one = self.target(target)?;
        let (place, ami) = (one.location(), self.ami(one)?);
        let mut pointers = Vec::new();
        for ParameterMove { name, before } in &one.parameters {
            let version = match before {
                Some(_) => store::put_image(self.cloud, &place, name, ami).await?,
                None => store::create_image(self.cloud, &place, name, ami, &self.plan.release).await?,
            };
            let version = self.parameter_shows(&place, name, ami, version).await?;
            pointers.push(ParameterPointer { name: name.clone(), version });
        }
        Ok(pointers)
    }

    /// A parameter that somebody has moved since is not this release's any more, and stays.
    async fn remove_parameters(&self, target: usize) -> Result<(), StepError> {
        let one = self.target(target)?;
        let place = one.location();
        for ParameterMove { name, before } in &one.parameters {
            let Some(before) = before else { continue };
            let current = store::get(self.cloud, &place, name).await?;
            if current.is_none_or(|current| current.value != *before) {
                continue;
            }
            store::delete(self.cloud, &place, name).await?;
            let mut waiting = self.read_back().start();
            while store::get(self.cloud, &place, name).await?.is_some_and(|current| current.value == *before) {
                let what = format!("the removal of parameter {name}");
                waiting.pause().await.map_err(|timed_out| StepError::NotSeen { what, timed_out })?;
            }
        }
        Ok(())
    }

    /// Waits until a parameter shows a value, in that version or a later one; the version it shows.
    pub(super) async fn parameter_shows(
        &self,
        place: &Location,
        name: &str,
        value: &str,
        version: i64,
    ) -> Result<i64, StepError> {
        let mut waiting = self.read_back().start();
        loop {
            let found = store::get(self.cloud, place, name).await?;
            if let Some(found) = found.filter(|found| found.value == value && found.version >= version) {
                return Ok(found.version);
            }
            let what = format!("{value} in parameter {name}");
            waiting.pause().await.map_err(|timed_out| StepError::NotSeen { what, timed_out })?;
        }
    }

    async fn record(&self) -> Result<(), StepError> {
        let (name, text) = (self.record_name(), json(&self.release())?);
        let packed = document::pack(&self.plan.release.id, &text);
        document::write_parts(self.cloud, &name, &self.plan.release.id, &packed).await?;
        let Err(error) = store::put_document(self.cloud, &name, &packed.head).await else { return Ok(()) };
        if !error.fault.may_have_been_applied() {
            return Err(error.into());
        }
        let found = store::get(self.cloud, self.cloud.home(), &name).await?;
        if found.is_some_and(|found| found.value == packed.head) { Ok(()) } else { Err(error.into()) }
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
}

/// A dry run from the staged version: EC2 checks AMI and permission, and says that it would have launched.
async fn launchable(cloud: &Cloud, one: &Move, staged: &template::Staged) -> Result<(), Unproven> {
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
        Err(error) if error.fault.is(&UNSEEN) => Err(Unproven::NotYet(error.into())),
        Err(error) => Err(error.into()),
        Ok(_) => Err(StepError::Refused("the dry run of RunInstances did not answer as one".to_owned()).into()),
    }
}

/// What a launch says of a version, an image or a permission that is not there, or does not show yet.
const UNSEEN: [&str; 3] =
    ["InvalidLaunchTemplateId.NotFound", "InvalidLaunchTemplateId.VersionNotFound", "InvalidAMIID.NotFound"];

/// Why a target is not proven.
#[derive(Debug)]
enum Unproven {
    /// What was written a moment ago does not show; it may yet.
    NotYet(StepError),
    /// Looking again would show the same.
    Never(StepError),
}

impl From<StepError> for Unproven {
    fn from(error: StepError) -> Self {
        Self::Never(error)
    }
}

impl From<CallError> for Unproven {
    fn from(error: CallError) -> Self {
        Self::Never(error.into())
    }
}

pub(super) fn json<T: serde::Serialize>(value: &T) -> Result<String, StepError> {
    serde_json::to_string(value).map_err(|error| StepError::Refused(error.to_string()))
}

/// Errors of reading our own documents, inside a step.
pub(super) fn step_error(error: PromoteError) -> StepError {
    match error {
        PromoteError::Call(call) => call.into(),
        other => StepError::Refused(other.to_string()),
    }
}

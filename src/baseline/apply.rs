//! Carries out the steps for one baseline in one place. Every step may be done twice without harm.

use super::convert::{self, Parts};
use super::error::{BaselineError, Conflict};
use super::model::{Desired, Registered, Step};
use super::{observe, plan};
use crate::aws::wait::Poller;
use crate::aws::{CallError, Cloud};
use crate::patch::Baseline;
use crate::plan::{digest, token};
use crate::project::Location;
use aws_sdk_ssm::types as ssm;

/// One baseline in one place.
pub(super) struct Site<'a> {
    pub(super) cloud: &'a Cloud,
    pub(super) place: &'a Location,
    pub(super) desired: &'a Desired,
}

impl Site<'_> {
    /// Does the steps in order, beginning with the baseline of that id if there is one. The id is put in its place as soon
    /// as it is known, so that it can be told after a failure, too.
    pub(super) async fn carry_out(&self, steps: &[Step], id: &mut Option<String>) -> Result<(), BaselineError> {
        for step in steps {
            if let Step::Create = step {
                *id = Some(self.create().await?);
                continue;
            }
            let missing = || BaselineError::Answer { operation: "plan", what: "a step without a baseline".to_owned() };
            let id = id.as_deref().ok_or_else(missing)?;
            match step {
                Step::Create => {}
                Step::Update { .. } => self.update(id).await?,
                Step::Tag { tags } => self.tag(id, convert::tags(tags)?).await?,
                Step::Default { .. } => self.make_default(id).await?,
                Step::Group { group, replaces } => self.group(id, group, replaces.as_ref()).await?,
            }
        }
        Ok(())
    }

    fn baseline(&self) -> &Baseline {
        self.desired.baseline()
    }

    async fn create(&self) -> Result<String, BaselineError> {
        let id = self.create_with(&self.token(None)).await?;
        if self.shows(&id).await?.is_ok() {
            return Ok(id);
        }
        // The service remembers what it has answered to a token for a while, also when that baseline was deleted since. Its
        // id makes another token that is as much the same in every run.
        let second = self.create_with(&self.token(Some(&id))).await?;
        match self.shows(&second).await? {
            Ok(()) => Ok(second),
            Err(timed_out) => Err(BaselineError::NotSeen { id: second, timed_out }),
        }
    }

    /// The same content in the same place has the same token, so that the SDK's repetitions, and another process that does
    /// the same at this moment, make one baseline.
    fn token(&self, gone: Option<&str>) -> String {
        let content = digest(&self.baseline().to_create_request());
        let Location { account, region } = self.place;
        let mut parts = vec!["patch-baseline", content.as_str(), account, region, gone.unwrap_or_default()];
        for (key, value) in &self.desired.tags {
            parts.extend([key.as_str(), value.as_str()]);
        }
        token(&parts)
    }

    async fn create_with(&self, token: &str) -> Result<String, BaselineError> {
        let error = match self.send(token).await {
            Ok(id) => return Ok(id),
            Err(BaselineError::Call(error)) if error.fault.may_have_been_applied() => error,
            Err(error) => return Err(error),
        };
        // No answer is no proof that nothing was done.
        let baseline = self.baseline();
        let (name, os) = (&baseline.name, baseline.operating_system);
        let ids = observe::named(self.cloud, self.place, name, Some(os), Some("Self")).await?;
        match ids.as_slice() {
            [] => self.send(token).await,
            [id] if self.equals(id).await? => Ok(id.clone()),
            _ => Err(error.into()),
        }
    }

    async fn send(&self, token: &str) -> Result<String, BaselineError> {
        let baseline = self.baseline();
        let parts = Parts::of(baseline)?;
        let answer = self
            .cloud
            .ssm(self.place)
            .create_patch_baseline()
            .name(&baseline.name)
            .operating_system(baseline.operating_system.as_str().into())
            .set_description(baseline.description.clone())
            .global_filters(parts.global_filters)
            .approval_rules(parts.approval_rules)
            .set_approved_patches(Some(baseline.approved.clone()))
            .approved_patches_compliance_level(parts.approved_level)
            // Only said where it is true: on Windows the service has no use for it.
            .set_approved_patches_enable_non_security(baseline.approved_non_security.then_some(true))
            .set_rejected_patches(Some(baseline.rejected.clone()))
            .rejected_patches_action(parts.rejected_action)
            .set_sources(parts.sources)
            .set_available_security_updates_compliance_status(parts.available_security_updates)
            .set_tags(Some(convert::tags(&self.desired.tags)?))
            .client_token(token)
            .send()
            .await
            .map_err(CallError::of("CreatePatchBaseline", self.place))?;
        let missing = || BaselineError::Answer { operation: "CreatePatchBaseline", what: "no BaselineId".to_owned() };
        answer.baseline_id.ok_or_else(missing)
    }

    /// Waits until a new baseline can be read.
    async fn shows(&self, id: &str) -> Result<Result<(), crate::aws::wait::TimedOut>, BaselineError> {
        let every = self.cloud.poll();
        let mut waiting = Poller { every, deadline: 2 * every }.start();
        while observe::get(self.cloud, self.place, id).await?.is_none() {
            if let Err(timed_out) = waiting.pause().await {
                return Ok(Err(timed_out));
            }
        }
        Ok(Ok(()))
    }

    /// Whether a baseline means what is wanted.
    async fn equals(&self, id: &str) -> Result<bool, BaselineError> {
        let there = observe::get(self.cloud, self.place, id).await?;
        let there = there.and_then(|answer| convert::read(&answer).ok());
        Ok(there.is_some_and(|there| plan::difference(&there, self.baseline()).is_empty()))
    }

    /// Replaces all of the content. The call sets a state, so that doing it twice does no harm.
    async fn update(&self, id: &str) -> Result<(), BaselineError> {
        let baseline = self.baseline();
        let parts = Parts::of(baseline)?;
        self.cloud
            .ssm(self.place)
            .update_patch_baseline()
            .baseline_id(id)
            .replace(true)
            .name(&baseline.name)
            .set_description(baseline.description.clone())
            .global_filters(parts.global_filters)
            .approval_rules(parts.approval_rules)
            .set_approved_patches(Some(baseline.approved.clone()))
            .approved_patches_compliance_level(parts.approved_level)
            .set_approved_patches_enable_non_security(baseline.approved_non_security.then_some(true))
            .set_rejected_patches(Some(baseline.rejected.clone()))
            .rejected_patches_action(parts.rejected_action)
            .set_sources(parts.sources)
            .set_available_security_updates_compliance_status(parts.available_security_updates)
            .send()
            .await
            .map_err(CallError::of("UpdatePatchBaseline", self.place))?;
        Ok(())
    }

    async fn tag(&self, id: &str, tags: Vec<ssm::Tag>) -> Result<(), BaselineError> {
        self.cloud
            .ssm(self.place)
            .add_tags_to_resource()
            .resource_type(ssm::ResourceTypeForTagging::PatchBaseline)
            .resource_id(id)
            .set_tags(Some(tags))
            .send()
            .await
            .map_err(CallError::of("AddTagsToResource", self.place))?;
        Ok(())
    }

    async fn make_default(&self, id: &str) -> Result<(), BaselineError> {
        let request = self.cloud.ssm(self.place).register_default_patch_baseline().baseline_id(id);
        request.send().await.map_err(CallError::of("RegisterDefaultPatchBaseline", self.place))?;
        Ok(())
    }

    /// Takes the group from whoever has it, and registers it. Between the two calls the group has the default baseline; when
    /// the second one fails, the group is given back.
    async fn group(&self, id: &str, group: &str, replaces: Option<&Registered>) -> Result<(), BaselineError> {
        if let Some(old) = replaces {
            let request = self.cloud.ssm(self.place).deregister_patch_baseline_for_patch_group();
            let answer = request.baseline_id(&old.id).patch_group(group).send().await;
            match answer.map_err(CallError::of("DeregisterPatchBaselineForPatchGroup", self.place)) {
                // It was done by an attempt whose answer was lost.
                Err(error) if !error.fault.is(&["DoesNotExistException"]) => return Err(error.into()),
                _ => {}
            }
        }
        let registered = self.register(id, group).await;
        if let (Err(_), Some(old)) = (&registered, replaces) {
            // Best effort: what counts is the first error, and the next run registers it anyway.
            let _ = self.register(&old.id, group).await;
        }
        registered
    }

    async fn register(&self, id: &str, group: &str) -> Result<(), BaselineError> {
        let request = self.cloud.ssm(self.place).register_patch_baseline_for_patch_group();
        let answer = request.baseline_id(id).patch_group(group).send().await;
        let answer = answer.map_err(CallError::of("RegisterPatchBaselineForPatchGroup", self.place));
        let Err(error) = answer else { return Ok(()) };
        if !error.fault.is(&["AlreadyExistsException"]) {
            return Err(error.into());
        }
        let os = self.baseline().operating_system;
        match observe::registered(self.cloud, self.place, group, os).await? {
            Some(holder) if holder.id == id => Ok(()),
            Some(holder) => Err(Conflict::Group { group: group.to_owned(), os, holder }.into()),
            None => Err(error.into()),
        }
    }
}

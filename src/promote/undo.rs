//! Undoes one step. Every undo looks first: it puts back what the promotion wrote, never what somebody else did since.

use super::error::StepError;
use super::execute::Executor;
use super::state::record;
use super::steps::Undo;
use super::{document, image, store, template};
use crate::promote::perform::step_error;

impl Executor<'_> {
    /// Undoes one step; what was put back, for the user.
    pub(super) async fn undo(&self, undo: Undo) -> Result<Option<String>, StepError> {
        match undo {
            Undo::Nothing | Undo::Finish => Ok(None),
            Undo::Unlock => self.unlock().await.map(|()| None),
            Undo::RemoveJournal => self.remove_journal().await.map(|()| None),
            Undo::Unmark(supply) => self.unmark(supply).await,
            Undo::RemoveStaged(target) => self.remove_staged(target).await,
            Undo::TemplateBack(target) => self.template_back(target).await,
            Undo::ParameterBack(target) => self.parameter_back(target).await,
            Undo::RecordBack => self.record_back().await,
        }
    }

    /// A copy whose id is not known yet is looked for: the answer that named it may have been lost.
    async fn unmark(&self, index: usize) -> Result<Option<String>, StepError> {
        let supply = self.supply(index)?;
        let place = supply.location();
        let found = match self.image(index) {
            Some(ami) => Some(ami.to_owned()),
            None => image::find_copy(self.cloud, &place, &self.plan.release.ami).await?,
        };
        let Some(ami) = found else { return Ok(None) };
        let taken = image::unmark(self.cloud, &place, &ami, &self.plan.release.id).await?;
        Ok(taken.then(|| format!("{}/{}: {ami} is not marked as approved any more", place.account, place.region)))
    }

    /// Id and version of what this promotion has staged: as it was answered, or as it is found when another process has done it
    /// or the answer was lost.
    async fn staged(&self, target: usize) -> Result<Option<(String, i64)>, StepError> {
        if let Some(known) = self.templates.get(&target) {
            return Ok(Some((known.id.clone(), known.version)));
        }
        let found = template::staged(self.cloud, self.plan, self.target(target)?).await?;
        Ok(found.map(|staged| (staged.id, staged.version)))
    }

    /// The staged version is removed, because users of `$Latest` would see it; with it the template, when it was made
    /// for this promotion and has nothing else in it.
    async fn remove_staged(&self, target: usize) -> Result<Option<String>, StepError> {
        let one = self.target(target)?;
        // Without an image nothing was staged.
        if self.image(one.supply).is_none() {
            return Ok(None);
        }
        let place = one.location();
        let Some((id, version)) = self.staged(target).await? else { return Ok(None) };
        if one.template_before.is_none() {
            template::remove(self.cloud, &place, &id).await?;
            return Ok(Some(format!("{}: launch template {} is removed again", one.place(), one.launch_template)));
        }
        let current = template::find(self.cloud, &place, &one.launch_template).await?;
        if current.is_some_and(|current| current.default_version == version) {
            let text = format!("version {version} of {} is in use and cannot be removed", one.launch_template);
            return Err(StepError::Refused(text));
        }
        template::remove_version(self.cloud, &place, &id, version).await?;
        let name = &one.launch_template;
        Ok(Some(format!("{}: version {version} of launch template {name} is removed again", one.place())))
    }

    async fn template_back(&self, target: usize) -> Result<Option<String>, StepError> {
        let one = self.target(target)?;
        // A template that was made for this promotion goes away with its version.
        let Some(before) = &one.template_before else { return Ok(None) };
        if self.image(one.supply).is_none() {
            return Ok(None);
        }
        let Some((_, staged)) = self.staged(target).await? else { return Ok(None) };
        let current = template::find(self.cloud, &one.location(), &one.launch_template).await?;
        if current.is_none_or(|current| current.default_version != staged) {
            return Ok(None);
        }
        self.set_default(target, &before.id, before.default_version).await?;
        let (name, version) = (&one.launch_template, before.default_version);
        Ok(Some(format!("{}: default of launch template {name} is {version} again", one.place())))
    }

    async fn parameter_back(&self, target: usize) -> Result<Option<String>, StepError> {
        let one = self.target(target)?;
        let Some(ami) = self.image(one.supply) else { return Ok(None) };
        let place = one.location();
        let current = store::get(self.cloud, &place, &one.parameter).await?;
        let Some(current) = current.filter(|current| current.value == ami) else { return Ok(None) };
        match &one.parameter_before {
            Some(before) if *before == current.value => Ok(None),
            Some(before) => {
                let version = store::put_image(self.cloud, &place, &one.parameter, before).await?;
                self.parameter_shows(target, before, version).await?;
                Ok(Some(format!("{}: parameter {} is {before} again", one.place(), one.parameter)))
            }
            None => {
                store::delete(self.cloud, &place, &one.parameter).await?;
                Ok(Some(format!("{}: parameter {} is removed again", one.place(), one.parameter)))
            }
        }
    }

    async fn record_back(&self) -> Result<Option<String>, StepError> {
        let release = &self.plan.release;
        let (project, recipe, arch, channel) = (&release.project, &release.recipe, &release.arch, &release.channel);
        let found = record(self.cloud, project, recipe, arch, channel).await.map_err(step_error)?;
        let name = self.record_name();
        let ours = found.is_some_and(|(found, _)| found.id == release.id);
        if ours {
            match &self.plan.record_before {
                Some(before) => store::put_document(self.cloud, &name, before).await?,
                None => store::delete(self.cloud, self.cloud.home(), &name).await?,
            }
        }
        // They are written before the record, and by whoever was cut off then: this process need not know what stood in them.
        document::remove_all_parts(self.cloud, &name, &release.id).await?;
        Ok(ours.then(|| format!("the record of channel {channel} is as before")))
    }
}

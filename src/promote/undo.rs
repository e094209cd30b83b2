//! Undoes one step. Every undo looks first: it puts back what the promotion wrote, never what somebody else did since.

use super::error::StepError;
use super::execute::Executor;
use super::steps::Undo;
use super::{store, template};

impl Executor<'_> {
    /// Undoes one step; what was put back, for the user.
    pub(super) async fn undo(&self, undo: Undo) -> Result<Option<String>, StepError> {
        match undo {
            Undo::Nothing | Undo::Finish => Ok(None),
            Undo::Unlock => self.unlock().await.map(|()| None),
            Undo::RemoveJournal => {
                store::delete(self.cloud, self.cloud.home(), &self.journal_name()).await?;
                Ok(None)
            }
            Undo::RemoveStaged(target) => self.remove_staged(target).await,
            Undo::TemplateBack(target) => self.template_back(target).await,
            Undo::ParameterBack(target) => self.parameter_back(target).await,
            Undo::RecordBack => self.record_back().await,
        }
    }

    /// The staged version is removed, because users of `$Latest` would see it; with it the template, when it was made
    /// for this promotion and has nothing else in it.
    async fn remove_staged(&self, target: usize) -> Result<Option<String>, StepError> {
        let one = self.target(target)?;
        let place = one.location();
        let Some(staged) = template::staged(self.cloud, self.plan, one).await? else { return Ok(None) };
        if one.template_before.is_none() {
            template::remove(self.cloud, &place, &staged.id).await?;
            return Ok(Some(format!("launch template {} is removed again", one.launch_template)));
        }
        let current = template::find(self.cloud, &place, &one.launch_template).await?;
        if current.is_some_and(|current| current.default_version == staged.version) {
            let text = format!("version {} of {} is in use and cannot be removed", staged.version, one.launch_template);
            return Err(StepError::Refused(text));
        }
        template::remove_version(self.cloud, &place, &staged.id, staged.version).await?;
        Ok(Some(format!("version {} of launch template {} is removed again", staged.version, one.launch_template)))
    }

    async fn template_back(&self, target: usize) -> Result<Option<String>, StepError> {
        let one = self.target(target)?;
        // A template that was made for this promotion goes away with its version.
        let Some(before) = &one.template_before else { return Ok(None) };
        let Some(staged) = template::staged(self.cloud, self.plan, one).await? else { return Ok(None) };
        let current = template::find(self.cloud, &one.location(), &one.launch_template).await?;
        if current.is_none_or(|current| current.default_version != staged.version) {
            return Ok(None);
        }
        self.set_default(target, &before.id, before.default_version).await?;
        let text = format!("default of launch template {} is {} again", one.launch_template, before.default_version);
        Ok(Some(text))
    }

    async fn parameter_back(&self, target: usize) -> Result<Option<String>, StepError> {
        let one = self.target(target)?;
        let place = one.location();
        let current = store::get(self.cloud, &place, &one.parameter).await?;
        let Some(current) = current.filter(|current| current.value == one.ami) else { return Ok(None) };
        match &one.parameter_before {
            Some(before) if *before == current.value => Ok(None),
            Some(before) => {
                let version = store::put_image(self.cloud, &place, &one.parameter, before).await?;
                self.parameter_shows(target, before, version).await?;
                Ok(Some(format!("parameter {} is {before} again", one.parameter)))
            }
            None => {
                store::delete(self.cloud, &place, &one.parameter).await?;
                Ok(Some(format!("parameter {} is removed again", one.parameter)))
            }
        }
    }

    async fn record_back(&self) -> Result<Option<String>, StepError> {
        let name = self.record_name();
        let current = store::get(self.cloud, self.cloud.home(), &name).await?;
        let ours = current.is_some_and(|current| {
            store::release(&name, &current.value).is_ok_and(|release| release.id == self.plan.release.id)
        });
        if !ours {
            return Ok(None);
        }
        match &self.plan.record_before {
            Some(before) => store::put_document(self.cloud, &name, before).await?,
            None => store::delete(self.cloud, self.cloud.home(), &name).await?,
        }
        Ok(Some(format!("the record of channel {} is as before", self.plan.release.channel)))
    }
}

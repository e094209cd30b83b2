//! Undoes one step. Every undo looks first: it puts back what the promotion wrote, never what somebody else did since.

use super::error::StepError;
use super::execute::Executor;
use super::model::{Move, ParameterMove, TemplateMove};
use super::state::record;
use super::steps::Undo;
use super::{document, image, store, template};
use crate::promote::perform::step_error;
use std::collections::BTreeSet;

/// What became of an undo.
#[derive(Debug, Default)]
pub(super) struct Undone {
    /// What was put back, for the user.
    pub(super) lines: Vec<String>,
    /// Why not all of it could be.
    pub(super) failed: Option<StepError>,
}

impl Undone {
    /// Of one thing that was to be put back.
    pub(super) fn of(result: Result<Option<String>, StepError>) -> Self {
        match result {
            Ok(line) => Self { lines: line.into_iter().collect(), failed: None },
            Err(error) => Self { lines: vec![], failed: Some(error) },
        }
    }

    /// With another thing. One that cannot be put back keeps no other from it.
    pub(super) fn and(&mut self, result: Result<Option<String>, StepError>) {
        let Self { lines, failed } = Self::of(result);
        self.lines.extend(lines);
        self.failed = self.failed.take().or(failed);
    }
}

impl Executor<'_> {
    /// Undoes one step; what was put back.
    pub(super) async fn undo(&self, undo: Undo) -> Undone {
        match undo {
            Undo::Nothing | Undo::Finish => Undone::default(),
            Undo::Unlock => Undone::of(self.unlock().await.map(|()| None)),
            Undo::RemoveJournal => Undone::of(self.remove_journal().await.map(|()| None)),
            Undo::Unmark(supply) => Undone::of(self.unmark(supply).await),
            Undo::EndCanary(target) => self.end_canaries(target).await,
            Undo::RemoveStaged(target) | Undo::TemplateBack(target) | Undo::ParameterBack(target) => {
                self.pointers_back(undo, target).await
            }
            Undo::ParameterAgain(target) => self.parameters_again(target).await,
            Undo::RecordBack => Undone::of(self.record_back().await),
        }
    }

    /// What a step did to each pointer of a target.
    async fn pointers_back(&self, undo: Undo, target: usize) -> Undone {
        let one = match self.target(target) {
            Ok(one) => one,
            Err(error) => return Undone::of(Err(error)),
        };
        let mut undone = Undone::default();
        // Without an image nothing was staged or moved there.
        let Some(ami) = self.image(one.supply) else { return undone };
        if matches!(undo, Undo::ParameterBack(_)) {
            for parameter in &one.parameters {
                undone.and(self.parameter_back(one, parameter, ami).await);
            }
            return undone;
        }
        for template in &one.launch_templates {
            undone.and(match undo {
                Undo::TemplateBack(_) => self.template_back(target, template).await,
                _ => self.remove_version(target, template).await,
            });
        }
        undone
    }

    /// A copy whose id is not known yet is looked for: the answer that named it may have been lost.
    async fn unmark(&self, index: usize) -> Result<Option<String>, StepError> {
        let supply = self.supply(index)?;
        let place = supply.location();
        let found = match self.image(index) {
            Some(ami) => Some(ami.to_owned()),
            None => image::find_copy(self.cloud, &place, &self.plan.release.ami, &BTreeSet::new()).await?,
        };
        let Some(ami) = found else { return Ok(None) };
        let taken = image::unmark(self.cloud, &place, &ami, &self.plan.release.id).await?;
        Ok(taken.then(|| format!("{}/{}: {ami} is not marked as approved any more", place.account, place.region)))
    }

    /// Id and version of what this promotion has made of a launch template: as it was answered, or as it is found when another
    /// process has made it or the answer was lost.
    async fn made(&self, target: usize, template: &TemplateMove) -> Result<Option<(String, i64)>, StepError> {
        let known = self.templates.get(&target).into_iter().flatten().find(|one| one.name == template.name);
        if let Some(known) = known {
            return Ok(Some((known.id.clone(), known.version)));
        }
        let place = self.target(target)?.location();
        let found = template::staged(self.cloud, self.plan, &place, &template.name).await?;
        Ok(found.map(|staged| (staged.id, staged.version)))
    }

    /// The staged version is removed, because users of `$Latest` would see it; with it the template, when it was made
    /// for this promotion and has nothing else in it.
    async fn remove_version(&self, target: usize, template: &TemplateMove) -> Result<Option<String>, StepError> {
        let one = self.target(target)?;
        let (place, name) = (one.location(), &template.name);
        let Some((id, version)) = self.made(target, template).await? else { return Ok(None) };
        if template.before.is_none() {
            template::remove(self.cloud, &place, &id).await?;
            return Ok(Some(format!("{}: launch template {name} is removed again", one.place())));
        }
        let current = template::find(self.cloud, &place, name).await?;
        if current.is_some_and(|current| current.default_version == version) {
            let text = format!("version {version} of {name} is in use and cannot be removed");
            return Err(StepError::Refused(text));
        }
        template::remove_version(self.cloud, &place, &id, version).await?;
        Ok(Some(format!("{}: version {version} of launch template {name} is removed again", one.place())))
    }

    async fn template_back(&self, target: usize, template: &TemplateMove) -> Result<Option<String>, StepError> {
        // A template that was made for this promotion goes away with its version.
        let Some(before) = &template.before else { return Ok(None) };
        let one = self.target(target)?;
        let (place, name) = (one.location(), &template.name);
        let Some((_, made)) = self.made(target, template).await? else { return Ok(None) };
        let current = template::find(self.cloud, &place, name).await?;
        if current.is_none_or(|current| current.default_version != made) {
            return Ok(None);
        }
        let version = before.default_version;
        self.set_default(&place, name, &before.id, version).await?;
        Ok(Some(format!("{}: default of launch template {name} is {version} again", one.place())))
    }

    async fn parameter_back(
        &self,
        one: &Move,
        parameter: &ParameterMove,
        ami: &str,
    ) -> Result<Option<String>, StepError> {
        let (place, name) = (one.location(), &parameter.name);
        let current = store::get(self.cloud, &place, name).await?;
        let Some(current) = current.filter(|current| current.value == ami) else { return Ok(None) };
        match &parameter.before {
            Some(before) if *before == current.value => Ok(None),
            Some(before) => {
                let version = store::put_image(self.cloud, &place, name, before).await?;
                self.parameter_shows(&place, name, before, version).await?;
                Ok(Some(format!("{}: parameter {name} is {before} again", one.place())))
            }
            None => {
                store::delete(self.cloud, &place, name).await?;
                Ok(Some(format!("{}: parameter {name} is removed again", one.place())))
            }
        }
    }

    async fn parameters_again(&self, target: usize) -> Undone {
        let one = match self.target(target) {
            Ok(one) => one,
            Err(error) => return Undone::of(Err(error)),
        };
        let mut undone = Undone::default();
        for parameter in &one.parameters {
            undone.and(self.parameter_again(one, parameter).await);
        }
        undone
    }

    async fn parameter_again(&self, one: &Move, parameter: &ParameterMove) -> Result<Option<String>, StepError> {
        let (place, name) = (one.location(), &parameter.name);
        let Some(before) = &parameter.before else { return Ok(None) };
        if store::get(self.cloud, &place, name).await?.is_some() {
            return Ok(None);
        }
        let version = store::create_image(self.cloud, &place, name, before, &self.plan.release).await?;
        self.parameter_shows(&place, name, before, version).await?;
        Ok(Some(format!("{}: parameter {name} is {before} again", one.place())))
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

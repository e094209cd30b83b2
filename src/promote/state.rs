//! What is there before a promotion.

use super::error::PromoteError;
use super::model::{Candidate, JOURNAL_SCHEMA, LOCK_SCHEMA, Lock, Order, Plan, Release, TemplateBefore};
use super::{names, store, template};
use crate::aws::{CallError, Cloud, tags};
use crate::project::{EnvironmentConfig, Location, Target};

/// What a plan is made from.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// Name of the environment.
    pub(super) environment: String,
    pub(super) config: EnvironmentConfig,
    pub(super) home: Location,
    pub(super) targets: Vec<Target>,
    /// The channel's record, and its text.
    pub(super) record: Option<(Release, String)>,
    /// A journal: an earlier promotion was cut off.
    pub(super) journal: Option<Plan>,
    pub(super) lock: Option<Lock>,
    /// What is in the channel that this one comes `after`.
    pub(super) before: Option<Release>,
    pub(super) image: Image,
    /// The home target's pointers.
    pub(super) pointers: Pointers,
}

/// The AMI to promote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Image {
    /// As the service spells it; absent when there is no such AMI.
    pub(super) state: Option<String>,
    /// The tag with the digest of its evidence.
    pub(super) evidence: Option<String>,
}

/// What one target points to now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Pointers {
    pub(super) template: Option<TemplateBefore>,
    pub(super) template_ami: Option<String>,
    pub(super) parameter: Option<String>,
}

/// Reads what a plan needs. Changes nothing.
///
/// # Errors
/// When a call fails, or a document of ours cannot be read.
pub async fn observe(cloud: &Cloud, order: &Order<'_>, candidate: &Candidate) -> Result<State, PromoteError> {
    let (project, recipe, arch) = (order.project.name.as_str(), order.recipe, order.arch);
    let books = books(cloud, project, recipe, arch, order.channel).await?;
    let after = order.project.channels.iter().find(|one| one.name == order.channel).and_then(|one| one.after.as_ref());
    let before = match after {
        Some(after) => record(cloud, project, recipe, arch, after).await?.map(|(release, _)| release),
        None => None,
    };
    Ok(State {
        environment: cloud.environment().to_owned(),
        config: cloud.config().clone(),
        home: cloud.home().clone(),
        targets: cloud.targets().to_vec(),
        record: books.record,
        journal: books.journal,
        lock: books.lock,
        before,
        image: image(cloud, &candidate.ami).await?,
        pointers: pointers(cloud, cloud.home(), &order.launch_template, &order.parameter).await?,
    })
}

/// The documents about one channel.
#[derive(Debug)]
pub(super) struct Books {
    pub(super) record: Option<(Release, String)>,
    pub(super) journal: Option<Plan>,
    pub(super) lock: Option<Lock>,
}

pub(super) async fn books(
    cloud: &Cloud,
    project: &str,
    recipe: &str,
    arch: &str,
    channel: &str,
) -> Result<Books, PromoteError> {
    let names = [names::journal, names::record, names::lock].map(|name| name(project, recipe, arch, channel));
    let found = store::get_many(cloud, cloud.home(), &names).await?;
    let [journal, record, lock] = &names;
    let text = |name: &String| found.get(name).map(String::as_str);
    Ok(Books {
        journal: text(journal).map(|text| store::read(journal, text, JOURNAL_SCHEMA)).transpose()?,
        record: text(record)
            .map(|text| Ok::<_, PromoteError>((store::release(record, text)?, text.to_owned())))
            .transpose()?,
        lock: text(lock).map(|text| store::read(lock, text, LOCK_SCHEMA)).transpose()?,
    })
}

pub(super) async fn lock(cloud: &Cloud, name: &str) -> Result<Option<Lock>, PromoteError> {
    match store::get(cloud, cloud.home(), name).await? {
        Some(stored) => store::read(name, &stored.value, LOCK_SCHEMA).map(Some),
        None => Ok(None),
    }
}

pub(super) async fn record(
    cloud: &Cloud,
    project: &str,
    recipe: &str,
    arch: &str,
    channel: &str,
) -> Result<Option<(Release, String)>, PromoteError> {
    let name = names::record(project, recipe, arch, channel);
    match store::get(cloud, cloud.home(), &name).await? {
        Some(stored) => Ok(Some((store::release(&name, &stored.value)?, stored.value))),
        None => Ok(None),
    }
}

pub(super) async fn pointers(
    cloud: &Cloud,
    place: &Location,
    launch_template: &str,
    parameter: &str,
) -> Result<Pointers, CallError> {
    let found = template::find(cloud, place, launch_template).await?;
    let template_ami = match &found {
        Some(found) => template::default_ami(cloud, place, &found.id).await?,
        None => None,
    };
    Ok(Pointers {
        template: found.map(|found| TemplateBefore { id: found.id, default_version: found.default_version }),
        template_ami,
        parameter: store::get(cloud, place, parameter).await?.map(|stored| stored.value),
    })
}

/// The AMI's state and evidence, as the home account sees it.
pub(super) async fn image(cloud: &Cloud, ami: &str) -> Result<Image, CallError> {
    let place = cloud.home();
    let answer = cloud.ec2(place).describe_images().image_ids(ami).send().await;
    let answer = answer.map_err(CallError::of("DescribeImages", place));
    let absent = ["InvalidAMIID.NotFound", "InvalidAMIID.Unavailable", "InvalidAMIID.Malformed"];
    if answer.as_ref().is_err_and(|error| error.fault.is(&absent)) {
        return Ok(Image { state: None, evidence: None });
    }
    let Some(found) = answer?.images.unwrap_or_default().into_iter().next() else {
        return Ok(Image { state: None, evidence: None });
    };
    let state = found.state.map_or_else(|| "unknown".to_owned(), |state| state.as_str().to_owned());
    let tag = found.tags.unwrap_or_default().into_iter().find(|tag| tag.key.as_deref() == Some(tags::EVIDENCE));
    Ok(Image { state: Some(state), evidence: tag.and_then(|tag| tag.value) })
}

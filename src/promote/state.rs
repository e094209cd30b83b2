//! What is there before a promotion.

use super::approve::{Builder, Consent, consent};
use super::encryption::{KeyNow, Source};
use super::error::PromoteError;
use super::image::{self, Image};
use super::model::{Candidate, How, LOCK_SCHEMA, LeftOut, Lock, Order, Plan, Release, TemplateBefore};
use super::revoke::{Revocation, standing};
use super::supply::owner;
use super::{document, encryption, names, older, store, template};
use crate::aws::{CallError, Cloud};
use crate::project::{EnvironmentConfig, Location, Target};
use futures_util::StreamExt as _;
use futures_util::stream;
use std::collections::{BTreeMap, BTreeSet};

/// Places that are worked on at the same time: enough to hide the way to the other side of the world, few enough not to
/// drown this process.
pub(super) const LANES: usize = 32;

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
    /// A journal: a promotion is under way, or was cut off.
    pub(super) journal: Option<Plan>,
    pub(super) lock: Option<Lock>,
    /// What is in the channel that this one comes `after`.
    pub(super) before: Option<Release>,
    /// A person's approval of the AMI for the channel.
    pub(super) consent: Option<Consent>,
    /// Who has built it, where that was asked: only a promotion to a channel that wants to know does.
    pub(super) builder: Builder,
    /// That the AMI was revoked.
    pub(super) revoked: Option<Revocation>,
    /// The AMI to promote, at home.
    pub(super) image: Image,
    /// Images of it that are elsewhere already.
    pub(super) copies: BTreeMap<Location, (String, How)>,
    /// Keys that images are or will be encrypted with which somebody else must be able to use.
    pub(super) keys: Vec<KeyNow>,
    /// What every target points to now, in the targets' order; or why that could not be seen.
    pub(super) seen: Vec<Result<Pointers, CallError>>,
}

/// What one target points to now, each kind in the order in which it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Pointers {
    pub(super) templates: Vec<TemplateNow>,
    /// Values; absent where there is no such parameter.
    pub(super) parameters: Vec<Option<String>>,
}

/// A launch template as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct TemplateNow {
    /// Absent when there is none.
    pub(super) before: Option<TemplateBefore>,
    /// The image of its default version.
    pub(super) ami: Option<String>,
}

impl Pointers {
    /// The AMIs that they name.
    pub(super) fn named(&self) -> impl Iterator<Item = &str> {
        let templates = self.templates.iter().filter_map(|one| one.ami.as_deref());
        templates.chain(self.parameters.iter().flatten().map(String::as_str))
    }
}

/// Reads what a plan needs. Changes nothing. A target that cannot be looked at is part of what was seen: the planner
/// decides what that means.
///
/// # Errors
/// When a call at home fails, or a document of ours cannot be read.
pub async fn observe(cloud: &Cloud, order: &Order<'_>, candidate: &Candidate) -> Result<State, PromoteError> {
    observe_with(cloud, order, candidate, BTreeSet::new()).await
}

/// The same by somebody who knows of copies that earlier releases of the image have recorded.
pub(super) async fn observe_with(
    cloud: &Cloud,
    order: &Order<'_>,
    candidate: &Candidate,
    mut recorded: BTreeSet<String>,
) -> Result<State, PromoteError> {
    let (project, recipe, arch) = (order.project.name.as_str(), order.recipe, order.arch);
    let books = books(cloud, project, recipe, arch, order.channel).await?;
    let before = before(cloud, order).await?;
    let image = image::look(cloud, cloud.home(), &candidate.ami).await?;
    let places = cloud.targets().iter().map(|target| target.location.clone());
    let looks =
        places.map(|place| async move { pointers(cloud, &place, &order.launch_templates, &order.parameters).await });
    let seen: Vec<_> = stream::iter(looks.collect::<Vec<_>>()).buffered(LANES).collect().await;
    let releases = books.record.iter().map(|(release, _)| release).chain(&before);
    recorded.extend(images(releases, &candidate.ami));
    let copies = copies(cloud, candidate, &seen, &recorded).await;
    let reached = cloud.targets().iter().zip(&seen).filter(|(_, seen)| seen.is_ok());
    let reached: Vec<Location> = reached.map(|(target, _)| target.location.clone()).collect();
    let keys = encryption::observe(cloud, &candidate.ami, Source::There(&image), &reached, &copies).await?;
    Ok(State {
        environment: cloud.environment().to_owned(),
        config: cloud.config().clone(),
        home: cloud.home().clone(),
        targets: cloud.targets().to_vec(),
        record: books.record,
        journal: books.journal,
        lock: books.lock,
        before,
        consent: consent(cloud, order, &candidate.ami).await?,
        builder: Builder::Unknown,
        revoked: standing(cloud, project, recipe, arch, &candidate.ami).await?,
        copies,
        image,
        keys,
        seen,
    })
}

/// The images that releases of an AMI have in their places.
pub(super) fn images<'a>(releases: impl Iterator<Item = &'a Release>, ami: &str) -> BTreeSet<String> {
    let same = releases.filter(|release| release.ami == ami);
    same.flat_map(|release| &release.targets).map(|placed| placed.ami.clone()).collect()
}

/// What is in the channel that the order's one comes `after`.
pub(super) async fn before(cloud: &Cloud, order: &Order<'_>) -> Result<Option<Release>, PromoteError> {
    let after = order.project.channels.iter().find(|one| one.name == order.channel).and_then(|one| one.after.as_ref());
    let Some(after) = after else { return Ok(None) };
    let found = record(cloud, &order.project.name, order.recipe, order.arch, after).await?;
    Ok(found.map(|(release, _)| release).filter(|release| !release.empty))
}

/// Images of the candidate outside the home Region that are there already. One that is not found is copied, so a look
/// that fails loses time and nothing else: where it matters, the copy fails with its own reason.
async fn copies(
    cloud: &Cloud,
    candidate: &Candidate,
    seen: &[Result<Pointers, CallError>],
    recorded: &BTreeSet<String>,
) -> BTreeMap<Location, (String, How)> {
    let (how, home) = (cloud.config().distribute(), cloud.home());
    let reached = cloud.targets().iter().zip(seen).filter(|(_, seen)| seen.is_ok());
    let owners: BTreeSet<Location> = reached.map(|(target, _)| owner(how, home, &target.location)).collect();
    let wanted: Vec<Location> = owners.into_iter().filter(|owner| owner != home).collect();
    let looks = wanted.iter().map(|place| async move {
        let found = image::find_copy(cloud, place, &candidate.ami, recorded).await.ok().flatten();
        found.map(|ami| (place.clone(), (ami, How::Copied)))
    });
    let found: Vec<_> = stream::iter(looks.collect::<Vec<_>>()).buffered(LANES).collect().await;
    let mut copies: BTreeMap<Location, (String, How)> = found.into_iter().flatten().collect();
    if wanted.iter().any(|place| !copies.contains_key(place)) {
        for (place, ami) in image::distributed(cloud, candidate).await {
            copies.entry(place).or_insert((ami, How::Distributed));
        }
    }
    copies
}

/// The documents about one channel.
#[derive(Debug)]
pub(super) struct Books {
    pub(super) record: Option<(Release, String)>,
    pub(super) journal: Option<Plan>,
    pub(super) lock: Option<Lock>,
}

/// How often a document is read anew that loses its parts while it is read.
const READINGS: usize = 3;

/// Reads them. A journal that is being removed at this moment has lost a part when that is asked for: then it is looked
/// again whether there is one.
pub(super) async fn books(
    cloud: &Cloud,
    project: &str,
    recipe: &str,
    arch: &str,
    channel: &str,
) -> Result<Books, PromoteError> {
    let mut reading = 1;
    loop {
        match read_books(cloud, project, recipe, arch, channel).await {
            Err(PromoteError::Unreadable { .. }) if reading < READINGS => reading += 1,
            read => return read,
        }
    }
}

async fn read_books(
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
        journal: match text(journal) {
            Some(text) => Some(older::journal(journal, &document::whole(cloud, journal, text).await?)?),
            None => None,
        },
        record: match text(record) {
            Some(text) => Some((store::release(cloud, record, text).await?, text.to_owned())),
            None => None,
        },
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
        Some(stored) => Ok(Some((store::release(cloud, &name, &stored.value).await?, stored.value))),
        None => Ok(None),
    }
}

/// What the launch templates and parameters of these names point to in one place.
pub(super) async fn pointers<T: AsRef<str>, P: AsRef<str>>(
    cloud: &Cloud,
    place: &Location,
    launch_templates: &[T],
    parameters: &[P],
) -> Result<Pointers, CallError> {
    let mut now = Pointers::default();
    for name in launch_templates {
        now.templates.push(template_now(cloud, place, name.as_ref()).await?);
    }
    for name in parameters {
        now.parameters.push(store::get(cloud, place, name.as_ref()).await?.map(|stored| stored.value));
    }
    Ok(now)
}

async fn template_now(cloud: &Cloud, place: &Location, name: &str) -> Result<TemplateNow, CallError> {
    let Some((found, ami)) = template::in_use(cloud, place, name).await? else { return Ok(TemplateNow::default()) };
    Ok(TemplateNow { before: Some(TemplateBefore { id: found.id, default_version: found.default_version }), ami })
}

/// The image of a launch template's default version; nothing when there is no such launch template.
pub(crate) async fn default_image(cloud: &Cloud, place: &Location, name: &str) -> Result<Option<String>, CallError> {
    Ok(template_now(cloud, place, name).await?.ami)
}

/// A target that could not be looked at.
pub(super) fn unseen(place: &Location, error: &CallError) -> LeftOut {
    LeftOut { account: place.account.clone(), region: place.region.clone(), reason: error.to_string() }
}

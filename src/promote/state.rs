//! What is there before a promotion.

use super::approve::{Consent, consent};
use super::error::PromoteError;
use super::image::{self, Image};
use super::model::{Candidate, How, JOURNAL_SCHEMA, LOCK_SCHEMA, LeftOut, Lock, Order, Plan, Release, TemplateBefore};
use super::supply::owner;
use super::{document, names, store, template};
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
    /// The AMI to promote, at home.
    pub(super) image: Image,
    /// Images of it that are elsewhere already.
    pub(super) copies: BTreeMap<Location, (String, How)>,
    /// What every target points to now, in the targets' order; or why that could not be seen.
    pub(super) seen: Vec<Result<Pointers, CallError>>,
}

/// What one target points to now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Pointers {
    pub(super) template: Option<TemplateBefore>,
    pub(super) template_ami: Option<String>,
    pub(super) parameter: Option<String>,
}

/// Reads what a plan needs. Changes nothing. A target that cannot be looked at is part of what was seen: the planner
/// decides what that means.
///
/// # Errors
/// When a call at home fails, or a document of ours cannot be read.
pub async fn observe(cloud: &Cloud, order: &Order<'_>, candidate: &Candidate) -> Result<State, PromoteError> {
    let (project, recipe, arch) = (order.project.name.as_str(), order.recipe, order.arch);
    let books = books(cloud, project, recipe, arch, order.channel).await?;
    let after = order.project.channels.iter().find(|one| one.name == order.channel).and_then(|one| one.after.as_ref());
    let before = match after {
        Some(after) => record(cloud, project, recipe, arch, after).await?.map(|(release, _)| release),
        None => None,
    };
    let image = image::look(cloud, cloud.home(), &candidate.ami).await?;
    let places = cloud.targets().iter().map(|target| target.location.clone());
    let looks =
        places.map(|place| async move { pointers(cloud, &place, &order.launch_template, &order.parameter).await });
    let seen: Vec<_> = stream::iter(looks.collect::<Vec<_>>()).buffered(LANES).collect().await;
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
        copies: copies(cloud, candidate, &seen).await,
        image,
        seen,
    })
}

/// Images of the candidate outside the home Region that are there already. One that is not found is copied, so a look
/// that fails loses time and nothing else: where it matters, the copy fails with its own reason.
async fn copies(
    cloud: &Cloud,
    candidate: &Candidate,
    seen: &[Result<Pointers, CallError>],
) -> BTreeMap<Location, (String, How)> {
    let (how, home) = (cloud.config().distribute(), cloud.home());
    let reached = cloud.targets().iter().zip(seen).filter(|(_, seen)| seen.is_ok());
    let owners: BTreeSet<Location> = reached.map(|(target, _)| owner(how, home, &target.location)).collect();
    let wanted: Vec<Location> = owners.into_iter().filter(|owner| owner != home).collect();
    let looks = wanted.iter().map(|place| async move {
        let found = image::find_copy(cloud, place, &candidate.ami).await.ok().flatten();
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
            Some(text) => Some(store::read(journal, &document::whole(cloud, journal, text).await?, JOURNAL_SCHEMA)?),
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

pub(super) async fn pointers(
    cloud: &Cloud,
    place: &Location,
    launch_template: &str,
    parameter: &str,
) -> Result<Pointers, CallError> {
    let (found, template_ami) = template::in_use(cloud, place, launch_template).await?.unzip();
    Ok(Pointers {
        template: found.map(|found| TemplateBefore { id: found.id, default_version: found.default_version }),
        template_ami: template_ami.flatten(),
        parameter: store::get(cloud, place, parameter).await?.map(|stored| stored.value),
    })
}

/// A target that could not be looked at.
pub(super) fn unseen(place: &Location, error: &CallError) -> LeftOut {
    LeftOut { account: place.account.clone(), region: place.region.clone(), reason: error.to_string() }
}

//! One target after the other, in their order: what fails in one is not tried in the next.

use super::error::RefreshError;
use super::group::Job;
use super::look;
use super::model::{Group, Outcome, Point, Preview, Refreshed, Wanted};
use super::plan;
use crate::aws::{CallError, Cloud};
use crate::event::{Events, Stage};
use crate::project::{Location, Refresh};
use crate::promote::ROLLED_BACK;
use crate::promote::model::{Decision, Order, Placed, Plan, Release, place};
use crate::promote::state::LANES;
use futures_util::{StreamExt as _, stream};
use std::collections::{BTreeMap, BTreeSet};

/// What stands for the groups of a target that could not be looked at.
const ALL: &str = "*";

/// Looks before anything is moved: whoever asks for refreshes where there is nothing to refresh, or may not look, learns it now.
///
/// # Errors
/// When there is no group at all, or not the one that was named; or a target cannot be looked at, unless it may be left out.
pub async fn survey(cloud: &Cloud, order: &Order<'_>, wanted: &Wanted) -> Result<(), RefreshError> {
    let places: Vec<Location> = cloud.targets().iter().map(|target| target.location.clone()).collect();
    let looks = places.iter().map(|place| async move {
        let id = look::default_version(cloud, place, &order.launch_template).await?.map(|(id, _)| id);
        let groups = look::every_group(cloud, place).await?.into_iter();
        let template = (id.as_deref(), &*order.launch_template);
        Ok::<_, CallError>(groups.map(|group| (look::uses(&group, template), group.name)).collect::<Vec<_>>())
    });
    let seen: Vec<_> = stream::iter(looks.collect::<Vec<_>>()).buffered(LANES).collect().await;
    let mut all = BTreeSet::new();
    for groups in seen {
        match groups {
            Ok(groups) => all.extend(groups),
            Err(_) if order.quorum.is_some() => {}
            Err(error) => return Err(error.into()),
        }
    }
    check(&all, order, wanted)
}

/// Whether what is wanted is among the groups, of which each says whether it uses the template.
fn check(all: &BTreeSet<(bool, String)>, order: &Order<'_>, wanted: &Wanted) -> Result<(), RefreshError> {
    let known: Vec<String> = all.iter().filter(|(uses, _)| *uses).map(|(_, name)| name.clone()).collect();
    match wanted {
        Wanted::All if known.is_empty() => Err(RefreshError::NoGroups { template: order.launch_template.clone() }),
        Wanted::All => Ok(()),
        Wanted::Named(names) => match names.iter().find(|name| !all.iter().any(|(_, one)| one == *name)) {
            None => Ok(()),
            Some(missing) => Err(RefreshError::NoSuchGroup { name: missing.clone(), known }),
        },
    }
}

/// What [`refresh`] would do after a promotion: to the release that the channel is at, or to the one that is planned.
///
/// # Errors
/// As [`survey`].
pub async fn preview(
    cloud: &Cloud,
    order: &Order<'_>,
    decision: &Decision,
    wanted: &Wanted,
) -> Result<Vec<Preview>, RefreshError> {
    survey(cloud, order, wanted).await?;
    let settings = settings(order);
    let mut all = Vec::new();
    for target in cloud.targets() {
        let there = match decision {
            Decision::Nothing(release) => placed(release, &target.location),
            Decision::Go(_) => None,
        };
        let point = match point(cloud, &target.location, &order.launch_template, there).await {
            Err(_) if order.quorum.is_some() => continue,
            point => point?,
        };
        let (mut point, groups) = fill(cloud, point, wanted).await?;
        if let Decision::Go(plan) = decision {
            point.ami = planned_image(plan, &target.location);
        }
        all.extend(groups.iter().map(|group| plan::preview(&point, &plan::plan(&point, group, &settings))));
    }
    Ok(all)
}

/// The image that a target would get, if it is there already.
fn planned_image(plan: &Plan, place: &Location) -> Option<String> {
    let one = plan.moves.iter().find(|one| one.location() == *place)?;
    plan.supplies.get(one.supply)?.ami.clone()
}

fn placed<'a>(release: &'a Release, place: &Location) -> Option<&'a Placed> {
    release.targets.iter().find(|one| one.account == place.account && one.region == place.region)
}

fn settings(order: &Order<'_>) -> Refresh {
    let channel = order.project.channels.iter().find(|channel| channel.name == order.channel);
    channel.map(|channel| channel.refresh.clone()).unwrap_or_default()
}

/// The launch template of a target. With a release its default version is what groups are brought to.
async fn point(cloud: &Cloud, place: &Location, template: &str, placed: Option<&Placed>) -> Result<Point, CallError> {
    let found = look::default_version(cloud, place, template).await?;
    let (id, default) = found.unzip();
    let previous = match placed {
        Some(placed) => placed.launch_template.previous,
        None => default,
    };
    Ok(Point {
        place: place.clone(),
        template: template.to_owned(),
        template_id: id,
        to: placed.and(default),
        ami: placed.map(|placed| placed.ami.clone()),
        previous,
        versions: BTreeMap::new(),
    })
}

/// The groups of a target as they are, and what their versions are.
async fn fill(cloud: &Cloud, mut point: Point, wanted: &Wanted) -> Result<(Point, Vec<Group>), CallError> {
    let id = point.template_id.clone();
    let mut groups = look::groups(cloud, &point.place, (id.as_deref(), &point.template), wanted).await?;
    for group in &mut groups {
        group.active = look::active(cloud, &point.place, &group.name).await?;
    }
    look::versions(cloud, &mut point, &groups).await?;
    Ok((point, groups))
}

/// Brings the groups of every target to a release that the channel is at. What fails is told, and is no error: the promotion has
/// happened. Dropping the future leaves refreshes running; calling it again joins them.
pub async fn refresh(
    cloud: &Cloud,
    order: &Order<'_>,
    release: &Release,
    wanted: &Wanted,
    events: &Events,
) -> Vec<Refreshed> {
    let settings = settings(order);
    let resume = resume_command(release);
    let wave = Wave { cloud, release, wanted, settings: &settings, events, resume: &resume };
    if settings.parallel {
        let all = release.targets.iter().map(|placed| Box::pin(wave.target(placed)));
        let all: Vec<_> = stream::iter(all.collect::<Vec<_>>()).buffered(LANES).collect().await;
        return all.concat();
    }
    let (mut done, mut stopped) = (Vec::new(), false);
    for placed in &release.targets {
        let these = if stopped { wave.left_alone(placed).await } else { Box::pin(wave.target(placed)).await };
        stopped |= these.iter().any(|one| one.outcome.stops());
        done.extend(these);
    }
    done
}

/// The command that goes on with the refreshes of a release.
#[must_use]
pub fn resume_command(release: &Release) -> String {
    let Release { recipe, channel, ami, .. } = release;
    if release.reason == ROLLED_BACK {
        return format!("amiforge rollback {recipe} --channel {channel} --to {ami} --refresh");
    }
    format!("amiforge promote {recipe} --channel {channel} --refresh")
}

struct Wave<'a> {
    cloud: &'a Cloud,
    release: &'a Release,
    wanted: &'a Wanted,
    settings: &'a Refresh,
    events: &'a Events,
    resume: &'a str,
}

impl Wave<'_> {
    /// Refreshes the groups of one target, all at once.
    async fn target(&self, placed: &Placed) -> Vec<Refreshed> {
        let location = Location { account: placed.account.clone(), region: placed.region.clone() };
        self.events.progress(Stage::Promote, format!("{}: looking for groups", place(&location)));
        let (point, to, groups) = match self.prepare(placed, &location).await {
            Ok(prepared) => prepared,
            Err(failed) => return vec![failed],
        };
        let (cloud, settings, events, resume) = (self.cloud, self.settings, self.events, self.resume);
        let job = Job { cloud, point: &point, to, settings, events, resume };
        let works = groups.iter().map(|group| {
            let planned = plan::plan(&point, group, settings);
            async move { Box::pin(job.run(&planned)).await }
        });
        stream::iter(works.collect::<Vec<_>>()).buffered(LANES).collect().await
    }

    /// Looks at a target, just before its groups are refreshed: since the promotion hours may have passed.
    async fn prepare(&self, placed: &Placed, location: &Location) -> Result<(Point, i64, Vec<Group>), Refreshed> {
        let failed = |error: CallError| Refreshed {
            denied: error.fault.denied,
            ..Refreshed::new(location, ALL, Outcome::Failed).because(error.to_string())
        };
        let template = &placed.launch_template.name;
        let point = point(self.cloud, location, template, Some(placed)).await.map_err(failed)?;
        let (point, groups) = fill(self.cloud, point, self.wanted).await.map_err(failed)?;
        let image = point.to.and_then(|to| point.versions.get(&to)).and_then(|version| version.image.as_ref());
        match point.to {
            Some(to) if image == Some(&placed.ami) => Ok((point, to, groups)),
            _ => {
                let channel = &self.release.channel;
                let why = format!(
                    "the default version of {template} does not have {} any more: channel {channel} was moved since",
                    placed.ami
                );
                Err(Refreshed::new(location, ALL, Outcome::Failed).because(why))
            }
        }
    }

    /// The groups of a target that are not begun.
    async fn left_alone(&self, placed: &Placed) -> Vec<Refreshed> {
        let location = Location { account: placed.account.clone(), region: placed.region.clone() };
        let template = &placed.launch_template;
        let names = look::groups(self.cloud, &location, (Some(&template.id), &template.name), self.wanted).await;
        let names =
            names.map_or_else(|_| vec![ALL.to_owned()], |groups| groups.into_iter().map(|one| one.name).collect());
        let why = "a target before it failed";
        names.iter().map(|name| Refreshed::new(&location, name, Outcome::LeftAlone).because(why)).collect()
    }
}

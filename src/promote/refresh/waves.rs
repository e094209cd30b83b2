//! One target after the other, in their order: what fails in one is not tried in the next.

use super::error::RefreshError;
use super::group::Job;
use super::look::{self, Known};
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
    if order.launch_templates.is_empty() {
        return Err(RefreshError::NoTemplates);
    }
    let places: Vec<Location> = cloud.targets().iter().map(|target| target.location.clone()).collect();
    let looks = places.iter().map(|place| async move {
        let points = points(cloud, place, &order.launch_templates, None).await?;
        let (templates, groups) = (known(&points), look::every_group(cloud, place).await?.into_iter());
        let seen = groups.map(|group| (look::used(&group, &templates).is_some(), group.name));
        Ok::<_, CallError>(seen.collect::<Vec<_>>())
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
        Wanted::All if known.is_empty() => Err(RefreshError::NoGroups { template: order.launch_templates.join(", ") }),
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
        let points = match points(cloud, &target.location, &order.launch_templates, there).await {
            Err(_) if order.quorum.is_some() => continue,
            points => points?,
        };
        for (mut point, groups) in fill(cloud, points, wanted).await? {
            if let Decision::Go(plan) = decision {
                point.ami = planned_image(plan, &target.location);
            }
            all.extend(groups.iter().map(|group| plan::preview(&point, &plan::plan(&point, group, &settings))));
        }
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

/// The launch templates of a target. With a release their default versions are what groups are brought to.
async fn points(
    cloud: &Cloud,
    place: &Location,
    templates: &[String],
    placed: Option<&Placed>,
) -> Result<Vec<Point>, CallError> {
    let mut points = Vec::new();
    for template in templates {
        let (id, default) = look::default_version(cloud, place, template).await?.unzip();
        let pointer = placed.and_then(|placed| placed.launch_templates.iter().find(|one| one.name == *template));
        points.push(Point {
            place: place.clone(),
            template: template.clone(),
            template_id: id,
            to: placed.and(default),
            ami: placed.map(|placed| placed.ami.clone()),
            previous: if placed.is_some() { pointer.and_then(|pointer| pointer.previous) } else { default },
            versions: BTreeMap::new(),
        });
    }
    Ok(points)
}

fn known(points: &[Point]) -> Vec<Known> {
    points.iter().map(|point| Known { name: point.template.clone(), id: point.template_id.clone() }).collect()
}

/// The groups of a target as they are, by launch template, and what their versions are.
async fn fill(cloud: &Cloud, points: Vec<Point>, wanted: &Wanted) -> Result<Vec<(Point, Vec<Group>)>, CallError> {
    let Some(place) = points.first().map(|point| point.place.clone()) else { return Ok(vec![]) };
    let groups = look::groups(cloud, &place, &known(&points), wanted).await?;
    let mut filled: Vec<(Point, Vec<Group>)> = points.into_iter().map(|point| (point, vec![])).collect();
    for (template, mut group) in groups {
        group.active = look::active(cloud, &place, &group.name).await?;
        if let Some((_, groups)) = filled.get_mut(template) {
            groups.push(group);
        }
    }
    for (point, groups) in &mut filled {
        look::versions(cloud, point, groups).await?;
    }
    Ok(filled)
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
        let filled = match self.look(placed, &location).await {
            Ok(filled) => filled,
            Err(failed) => return vec![failed],
        };
        let (cloud, settings, events, resume) = (self.cloud, self.settings, self.events, self.resume);
        let (mut done, mut works) = (Vec::new(), Vec::new());
        for (point, groups) in filled.iter().filter(|(_, groups)| !groups.is_empty()) {
            let to = match self.still(placed, &location, point) {
                Ok(to) => to,
                Err(moved) => {
                    done.push(moved);
                    continue;
                }
            };
            let job = Job { cloud, point, to, settings, events, resume };
            works.extend(groups.iter().map(|group| {
                let planned = plan::plan(point, group, settings);
                async move { Box::pin(job.run(&planned)).await }
            }));
        }
        done.extend(stream::iter(works).buffered(LANES).collect::<Vec<_>>().await);
        done
    }

    /// Looks at a target, just before its groups are refreshed: since the promotion hours may have passed.
    async fn look(&self, placed: &Placed, location: &Location) -> Result<Vec<(Point, Vec<Group>)>, Refreshed> {
        let failed = |error: CallError| Refreshed {
            denied: error.fault.denied,
            ..Refreshed::new(location, ALL, Outcome::Failed).because(error.to_string())
        };
        let names: Vec<String> = placed.launch_templates.iter().map(|one| one.name.clone()).collect();
        let points = points(self.cloud, location, &names, Some(placed)).await.map_err(failed)?;
        fill(self.cloud, points, self.wanted).await.map_err(failed)
    }

    /// The version that groups are brought to, if the launch template still is where the release has put it.
    fn still(&self, placed: &Placed, location: &Location, point: &Point) -> Result<i64, Refreshed> {
        let image = point.to.and_then(|to| point.versions.get(&to)).and_then(|version| version.image.as_ref());
        match point.to {
            Some(to) if image == Some(&placed.ami) => Ok(to),
            _ => {
                let (template, channel) = (&point.template, &self.release.channel);
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
        let templates = placed.launch_templates.iter();
        let templates: Vec<Known> =
            templates.map(|one| Known { name: one.name.clone(), id: Some(one.id.clone()) }).collect();
        let names = look::groups(self.cloud, &location, &templates, self.wanted).await;
        let names =
            names.map_or_else(|_| vec![ALL.to_owned()], |groups| groups.into_iter().map(|(_, one)| one.name).collect());
        let why = "a target before it failed";
        names.iter().map(|name| Refreshed::new(&location, name, Outcome::LeftAlone).because(why)).collect()
    }
}

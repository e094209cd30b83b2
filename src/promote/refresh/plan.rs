//! From what is seen of a group to what is done with it. Pure.

use super::configuration::{Launch, Spot};
use super::model::{Group, Instance, Planned, Point, Preview, Work};
use super::note::Tracks;
use crate::project::Refresh;
use std::collections::BTreeMap;

/// Decides what is done with a group.
pub(super) fn plan(point: &Point, group: &Group, settings: &Refresh) -> Planned {
    let view = View::new(point, group, settings);
    let work = view.work();
    Planned { group: group.clone(), from: view.from, tracks: view.tracks, work }
}

/// A group as its point sees it.
struct View<'a> {
    point: &'a Point,
    group: &'a Group,
    settings: &'a Refresh,
    /// The places in its configuration that name the template.
    spots: Vec<Spot<'a>>,
    /// What it tracks, or tracked before it was pinned.
    tracks: Tracks,
    /// The version that it runs.
    from: Option<i64>,
}

impl<'a> View<'a> {
    fn new(point: &'a Point, group: &'a Group, settings: &'a Refresh) -> Self {
        let spots = group.launch.spots_of(point.template_id.as_deref(), &point.template);
        let tracks = tracks(point, group, &spots);
        let mut view = Self { point, group, settings, spots, tracks, from: None };
        let pinned = view.spots.iter().find_map(Spot::number);
        view.from = pinned.or_else(|| view.majority()).or(point.previous);
        view
    }

    /// The version that most of its outdated instances run.
    fn majority(&self) -> Option<i64> {
        let mut counts: BTreeMap<i64, usize> = BTreeMap::new();
        for instance in self.outdated() {
            if let Some(version) = self.version(instance) {
                *counts.entry(version).or_default() += 1;
            }
        }
        counts.into_iter().max_by_key(|(version, count)| (*count, *version)).map(|(version, _)| version)
    }

    /// The version of the template that an instance was launched from.
    fn version(&self, instance: &Instance) -> Option<i64> {
        let (template, version) = instance.from.as_ref()?;
        (self.point.template_id.as_ref() == Some(template)).then_some(*version)
    }

    /// Instances that do not run the image. Whether it came by another version does not matter: a rollback makes a version of its
    /// own with the image that was there.
    fn outdated(&self) -> impl Iterator<Item = &'a Instance> {
        let runs = |instance: &Instance| {
            let Some(version) = self.version(instance) else { return false };
            let image = self.point.versions.get(&version).and_then(|version| version.image.as_ref());
            self.point.to == Some(version) || (image.is_some() && image == self.point.ami.as_ref())
        };
        self.group.instances.iter().filter(move |instance| !runs(instance)).collect::<Vec<_>>().into_iter()
    }

    fn work(&self) -> Work {
        if let Some(why) = self.never() {
            return Work::Cannot(why);
        }
        if let Some(active) = &self.group.active {
            let there = active.desired.spots_of(self.point.template_id.as_deref(), &self.point.template);
            let same =
                self.point.to.is_some() && !there.is_empty() && there.iter().all(|spot| spot.number() == self.point.to);
            return if same {
                Work::Join(active.id.clone())
            } else {
                Work::Busy(format!("instance refresh {} to another version is {}", active.id, active.status))
            };
        }
        if self.outdated().next().is_none() {
            return if self.is_settled() { Work::Nothing } else { Work::Settle };
        }
        if let Some(why) = self.refused() {
            return Work::Cannot(why);
        }
        let pins = self.settings.rollback && self.spots.iter().any(|spot| spot.number().is_none());
        Work::Start { pin: self.from.filter(|_| pins) }
    }

    /// Whether its configuration is what it is in the end.
    fn is_settled(&self) -> bool {
        let right = |spot: &Spot<'_>| match self.tracks.get(&spot.at) {
            Some(tracked) => spot.version() == tracked,
            None => self.point.to.is_some() && spot.number() == self.point.to,
        };
        self.group.note.is_none() && self.spots.iter().all(right)
    }

    /// Why the release never comes to it, whatever is done.
    fn never(&self) -> Option<String> {
        if let Launch::Configuration(name) = &self.group.launch {
            return Some(format!("it launches from the launch configuration {name}, which has no versions"));
        }
        if self.spots.is_empty() {
            return Some(format!("it does not use the launch template {}", self.point.template));
        }
        let main = self.spots.iter().any(|spot| spot.at == 0);
        let mut overrides = self.group.launch.overrides().iter().enumerate();
        let own = |(index, one): (usize, &aws_sdk_autoscaling::types::LaunchTemplateOverrides)| {
            let ours = match one.launch_template_specification {
                Some(_) => self.spots.iter().any(|spot| spot.at == index + 1),
                None => main,
            };
            ours && one.image_id.is_some()
        };
        overrides.any(own).then(|| "an override of its policy names an image of its own".to_owned())
    }

    /// Why the service would refuse a refresh of it (patch-baselines.md 12.7 and 12.9).
    fn refused(&self) -> Option<String> {
        let version = |number: Option<i64>| number.and_then(|number| self.point.versions.get(&number));
        let both = [version(self.point.to), version(self.from)];
        if self.group.launch.overrides().iter().any(|one| one.instance_requirements.is_some())
            || both.iter().flatten().any(|version| version.by_attributes)
        {
            return Some(
                "it chooses instance types by attributes, and such groups are not refreshed to a version by its number"
                    .to_owned(),
            );
        }
        let by_parameter = |number: Option<i64>| {
            version(number).and_then(|one| one.image.as_ref()).is_some_and(|image| image.starts_with("resolve:"))
        };
        let numbered = self.spots.iter().all(|spot| spot.number().is_some());
        if by_parameter(self.from) && (numbered || self.settings.rollback) {
            let from = self.from.unwrap_or_default();
            return Some(format!(
                "version {from}, which it runs, takes its image from a parameter, and the service does not go back to such a version\
                 {}",
                if numbered { "" } else { " (`rollback: none` goes without)" }
            ));
        }
        if !self.settings.rollback {
            return None;
        }
        let others = self.group.launch.spots().into_iter().filter(|spot| !self.spots.contains(spot));
        if others.into_iter().any(|spot| spot.number().is_none()) {
            return Some(
                "its policy has another launch template without a number, so it could not be rolled back (`rollback: none` goes \
                 without)"
                    .to_owned(),
            );
        }
        (self.from.is_none() && !numbered).then(|| {
            "the version that it runs is not known, so it could not be rolled back (`rollback: none` goes without)"
                .to_owned()
        })
    }
}

/// What a group tracks, or tracked before it was pinned. A note whose numbers the group does not have any more is of the past:
/// somebody has configured it since.
fn tracks(point: &Point, group: &Group, spots: &[Spot<'_>]) -> Tracks {
    let mut tracks = Tracks::new();
    for spot in spots {
        let Some(number) = spot.number() else {
            tracks.insert(spot.at, spot.version().to_owned());
            continue;
        };
        let Some(note) = &group.note else { continue };
        let known = [Some(note.to), note.from, point.to];
        if let Some(tracked) = note.tracks.get(&spot.at).filter(|_| known.contains(&Some(number))) {
            tracks.insert(spot.at, tracked.clone());
        }
    }
    tracks
}

/// What would be done with a group, for people.
pub(super) fn preview(point: &Point, planned: &Planned) -> Preview {
    let id = point.template_id.as_deref();
    let launches = planned.group.launch.versions(id, &point.template);
    let to = point.to.map_or_else(|| "the new version".to_owned(), |to| format!("version {to}"));
    let back = match planned.tracks.values().next() {
        Some(tracked) => format!(", then tracks {tracked} again"),
        None => String::new(),
    };
    let what = match &planned.work {
        Work::Cannot(why) => format!("cannot be refreshed: {why}"),
        Work::Busy(why) => format!("busy: {why}"),
        Work::Nothing => "runs the image already".to_owned(),
        Work::Settle => format!("runs the image already and is configured for {to}{back}"),
        Work::Join(refresh) => format!("is followed: instance refresh {refresh} to {to} is under way{back}"),
        Work::Start { pin: Some(pin) } => format!("is pinned to version {pin}, refreshed to {to}{back}"),
        Work::Start { pin: None } => format!("is refreshed to {to}{back}"),
    };
    Preview {
        account: point.place.account.clone(),
        region: point.place.region.clone(),
        group: planned.group.name.clone(),
        instances: planned.group.instances.len(),
        launches,
        from: planned.from,
        refreshes: matches!(planned.work, Work::Start { .. } | Work::Join(_)),
        what,
    }
}

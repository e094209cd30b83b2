//! Baselines of a project in every target of an environment: planned first, then carried out place by place.

use super::apply::Site;
use super::error::BaselineError;
use super::model::{Definition, Desired, Outcome, PUBLISH_SCHEMA, Publication, PublishedRow, Step, Wishes};
use super::{named, observe, plan};
use crate::aws::{Cloud, tags};
use crate::event::{Ending, Events, Stage};
use crate::patch;
use crate::project::{Location, Project};

/// What is to be done, and everything that is needed to do it.
#[derive(Debug, Clone)]
pub struct Planned {
    desired: Vec<Desired>,
    /// Which of `desired` each row is about.
    of_row: Vec<usize>,
    /// What is to be done, as it is told.
    pub publication: Publication,
}

impl Planned {
    /// The steps that change what instances are patched by, with their row.
    pub fn takeovers(&self) -> impl Iterator<Item = (&PublishedRow, &Step)> {
        let rows = self.publication.rows.iter();
        rows.flat_map(|row| row.steps.iter().filter(|step| step.takes_over()).map(move |step| (row, step)))
    }
}

/// The baselines of these names, as they shall be in accounts.
///
/// # Errors
/// A name that means nothing or a baseline of AWS that would only be created, or two that would be the same thing.
pub fn desired(project: &Project, names: &[String], wishes: &Wishes) -> Result<Vec<Desired>, BaselineError> {
    let mut all: Vec<Desired> = vec![];
    for name in names {
        let found = named::find_known(project, name)?;
        let registers = wishes.default || !wishes.groups.is_empty();
        let definition = match found.origin {
            named::Origin::Predefined if registers => Definition::Predefined(found.baseline),
            _ if is_awss(&found.baseline.name) => return Err(BaselineError::Owned { name: found.baseline.name }),
            _ => Definition::Own(found.baseline),
        };
        let mut own = project.tags.clone();
        own.insert(tags::PROJECT.to_owned(), project.name.clone());
        own.insert(tags::BASELINE.to_owned(), name.clone());
        let desired = Desired { name: name.clone(), definition, tags: own };
        if !all.iter().any(|other| other.name == desired.name) {
            rivals(&all, &desired, wishes)?;
            all.push(desired);
        }
    }
    Ok(all)
}

fn is_awss(name: &str) -> bool {
    patch::predefined(name).is_some() || name.starts_with("AWS-")
}

/// Refuses what only one baseline of an operating system can be.
fn rivals(others: &[Desired], desired: &Desired, wishes: &Wishes) -> Result<(), BaselineError> {
    let os = desired.baseline().operating_system;
    for other in others.iter().filter(|other| other.baseline().operating_system == os) {
        let what = if other.baseline().name == desired.baseline().name {
            "called that"
        } else if wishes.default {
            "the default"
        } else if !wishes.groups.is_empty() {
            "registered for a patch group"
        } else {
            continue;
        };
        let (first, second) = (other.name.clone(), desired.name.clone());
        return Err(BaselineError::Rivals { first, second, os, what });
    }
    Ok(())
}

/// Home and every target, each once.
fn places(cloud: &Cloud) -> Vec<Location> {
    let mut places = vec![cloud.home().clone()];
    for target in cloud.targets() {
        if !places.contains(&target.location) {
            places.push(target.location.clone());
        }
    }
    places
}

/// Looks into every place and plans. A place that cannot be looked into, or forbids what is wanted, becomes a row that failed.
pub async fn observe_all(cloud: &Cloud, desired: Vec<Desired>, wishes: &Wishes, events: &Events) -> Planned {
    events.started(Stage::Plan, format!("patch baselines in environment {}", cloud.environment()));
    let (mut rows, mut of_row) = (vec![], vec![]);
    for place in places(cloud) {
        for (index, one) in desired.iter().enumerate() {
            events.progress(Stage::Plan, format!("{} in {}/{}", one.baseline().name, place.account, place.region));
            let planned = match observe::observe(cloud, &place, one, wishes).await {
                Ok(observed) => plan::plan(one, wishes, &observed).map_err(BaselineError::from),
                Err(error) => Err(error),
            };
            rows.push(row(one, &place, planned));
            of_row.push(index);
        }
    }
    let count: usize = rows.iter().map(|row| row.steps.len()).sum();
    let ending = if count == 0 { Ending::Unchanged } else { Ending::Done };
    events.finished(Stage::Plan, ending, format!("{count} to do in {} places", places(cloud).len()));
    let publication =
        Publication { schema: PUBLISH_SCHEMA, environment: cloud.environment().to_owned(), planned: true, rows };
    Planned { desired, of_row, publication }
}

fn row(
    desired: &Desired,
    place: &Location,
    planned: Result<(Option<String>, Vec<Step>), BaselineError>,
) -> PublishedRow {
    let mut row = PublishedRow {
        baseline: desired.baseline().name.clone(),
        operating_system: desired.baseline().operating_system,
        location: place.clone(),
        id: None,
        outcome: Outcome::Unchanged,
        steps: vec![],
        error: None,
        exit_code: 0,
        next: None,
    };
    match planned {
        Ok((id, steps)) => {
            row.outcome = if steps.is_empty() { Outcome::Unchanged } else { Outcome::Planned };
            (row.id, row.steps) = (id, steps);
        }
        Err(error) => fail(&mut row, &error),
    }
    row
}

fn fail(row: &mut PublishedRow, error: &BaselineError) {
    row.outcome = Outcome::Failed;
    row.error = Some(error.to_string());
    row.exit_code = error.exit_code();
    row.next = error.next();
}

/// Looks for one baseline in one place, and creates or updates it when it is not there as it should be; nothing is registered.
/// Its id.
///
/// # Errors
/// When what is there forbids it, or a call fails.
pub(crate) async fn bring(cloud: &Cloud, place: &Location, desired: &Desired) -> Result<Option<String>, BaselineError> {
    let observed = observe::observe(cloud, place, desired, &Wishes::default()).await?;
    let (mut id, steps) = plan::plan(desired, &Wishes::default(), &observed)?;
    Site { cloud, place, desired }.carry_out(&steps, &mut id).await?;
    Ok(id)
}

/// Carries a plan out. A place that fails does not stop the others.
pub async fn publish(cloud: &Cloud, planned: Planned, events: &Events) -> Publication {
    let Planned { desired, of_row, mut publication } = planned;
    publication.planned = false;
    events.started(Stage::Publish, format!("patch baselines in environment {}", cloud.environment()));
    for (row, index) in publication.rows.iter_mut().zip(of_row) {
        let (PublishedRow { location, baseline, .. }, Some(desired)) = (&*row, desired.get(index)) else { continue };
        if row.outcome != Outcome::Planned {
            continue;
        }
        events.progress(Stage::Publish, format!("{baseline} in {}/{}", location.account, location.region));
        let place = location.clone();
        let site = Site { cloud, place: &place, desired };
        match site.carry_out(&row.steps, &mut row.id).await {
            Ok(()) => row.outcome = Outcome::Done,
            Err(error) => fail(row, &error),
        }
    }
    let failed = publication.failed().count();
    let (ending, text) = match failed {
        0 if !publication.has_changes() => (Ending::Unchanged, "nothing to do".to_owned()),
        0 => (Ending::Done, "done everywhere".to_owned()),
        count => (Ending::Failed, format!("{count} of {} failed", publication.rows.len())),
    };
    events.finished(Stage::Publish, ending, text);
    publication
}

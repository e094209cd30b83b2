//! What to do about the things Image Builder does not version. Pure.
//!
//! Three reasons for an update are told apart: the project's settings changed (the tag has another fingerprint), somebody
//! changed them in the account (the tag has the right fingerprint, the settings differ: drift), and what a pipeline refers
//! to is a new one.

use super::diff::{keep, short};
use super::model::{Action, Change, Desired, DesiredPipeline, Kind};
use super::observed::{Observed, ObservedConfiguration, ObservedPipeline};
use super::settings::Settings;

/// The changes in the order in which they have to happen: what is referred to is made before the pipeline that refers to it
/// and deleted after it.
pub(super) fn configurations(desired: &Desired, observed: &Observed, recipe: &Change) -> Vec<Change> {
    let infrastructure = infrastructure(desired, observed.infrastructure.as_ref());
    let distribution = distribution(desired, observed);
    let pipeline = pipeline(desired, observed, [Some(recipe), Some(&infrastructure), distribution.as_ref()]);
    let mut changes = vec![infrastructure];
    let deleted = |change: &Change| change.action == Action::Delete;
    let later = distribution.as_ref().is_some_and(deleted);
    changes.extend(distribution.clone().filter(|_| !later));
    changes.extend(pipeline);
    changes.extend(distribution.filter(|_| later));
    changes
}

pub(super) fn infrastructure(desired: &Desired, known: Option<&ObservedConfiguration>) -> Change {
    let wanted = &desired.infrastructure;
    let own = Own { kind: Kind::Infrastructure, name: &wanted.name, project: &desired.project };
    own.compare(&wanted.fingerprint, &wanted.settings(), known)
}

fn distribution(desired: &Desired, observed: &Observed) -> Option<Change> {
    let known = observed.distribution.as_ref();
    let own = Own { kind: Kind::Distribution, name: &desired.recipe.resource_name, project: &desired.project };
    match &desired.distribution {
        Some(wanted) => Some(own.compare(&wanted.fingerprint, &wanted.settings(), known)),
        None => known.and_then(|known| own.left_over(known)),
    }
}

fn pipeline(desired: &Desired, observed: &Observed, refers: [Option<&Change>; 3]) -> Option<Change> {
    let known = observed.pipeline.as_ref();
    let own = Own { kind: Kind::Pipeline, name: &desired.recipe.resource_name, project: &desired.project };
    let Some(wanted) = &desired.pipeline else {
        return known.and_then(|known| own.left_over(&known.configuration));
    };
    let mut change = own.compare(&wanted.fingerprint, &wanted.settings(), known.map(|known| &known.configuration));
    if let (Some(known), false) = (known, change.foreign()) {
        stopped_by_itself(wanted, known, &mut change);
        repoint(known, refers, &mut change);
    }
    Some(change)
}

/// A disabled pipeline with failed runs was not disabled by hand; to enable it again without a look would only fail on.
fn stopped_by_itself(wanted: &DesiredPipeline, known: &ObservedPipeline, change: &mut Change) {
    if wanted.enabled && known.failures > 0 {
        for text in change.drift.iter_mut().filter(|text| text.starts_with("status ")) {
            *text = format!("{text} ({} scheduled runs failed in a row)", known.failures);
        }
        change.reason = if change.drift.is_empty() { change.reason.clone() } else { drifted(&change.drift) };
    }
}

/// A pipeline follows what it refers to.
fn repoint(known: &ObservedPipeline, refers: [Option<&Change>; 3], change: &mut Change) {
    let used = [Some(known.recipe.as_str()), Some(known.infrastructure.as_str()), known.distribution.as_deref()];
    let mut reasons = vec![];
    for (target, used) in refers.into_iter().zip(used) {
        match target.filter(|target| target.action != Action::Delete) {
            Some(target) if target.arn.as_deref() != used => {
                let version = target.version.map(|version| format!(" {version}")).unwrap_or_default();
                reasons.push(format!("is pointed to {} {}{version}", target.kind.word(), target.name));
            }
            None if used.is_some() => reasons.push("no longer uses a distribution configuration".to_owned()),
            _ => {}
        }
    }
    if reasons.is_empty() {
        return;
    }
    if change.action == Action::Keep {
        change.action = Action::Update;
        change.reason = reasons.join("; ");
    } else {
        change.reason = format!("{}; {}", change.reason, reasons.join("; "));
    }
}

fn drifted(drift: &[String]) -> String {
    format!("changed by hand, is put back: {}", drift.join("; "))
}

/// A resource of the project.
struct Own<'a> {
    kind: Kind,
    name: &'a str,
    project: &'a str,
}

impl Own<'_> {
    fn compare(&self, fingerprint: &str, wanted: &Settings, known: Option<&ObservedConfiguration>) -> Change {
        let Some(known) = known else {
            return self.change(Action::Create, fingerprint, "new".to_owned(), None);
        };
        if known.project.as_deref() != Some(self.project) {
            return self.foreign(fingerprint, known);
        }
        let differences = wanted.differences(&known.settings);
        let same = known.fingerprint.as_deref() == Some(fingerprint);
        match (same, differences.is_empty()) {
            (true, true) => keep(self.kind, self.name, None, fingerprint, &known.arn),
            (true, false) => {
                // Told from the side of whoever changed it: from what amiforge wrote to what is there now.
                let drift = known.settings.differences(wanted);
                let reason = drifted(&drift);
                Change { drift, ..self.change(Action::Update, fingerprint, reason, Some(&known.arn)) }
            }
            (false, false) => self.change(Action::Update, fingerprint, differences.join("; "), Some(&known.arn)),
            (false, true) => {
                let reason = "settings are right, the tag that says so is not".to_owned();
                self.change(Action::Update, fingerprint, reason, Some(&known.arn))
            }
        }
    }

    /// What somebody else has made is not touched; `publish` refuses before it does anything.
    fn foreign(&self, fingerprint: &str, known: &ObservedConfiguration) -> Change {
        let whose = known.project.as_ref().map_or_else(
            || "was not made by amiforge".to_owned(),
            |project| format!("belongs to the project {project}"),
        );
        let reason = format!("exists already and {whose}: it is left alone");
        self.change(Action::Foreign, fingerprint, reason, Some(&known.arn))
    }

    /// The project had one, and has none any more.
    fn left_over(&self, known: &ObservedConfiguration) -> Option<Change> {
        (known.project.as_deref() == Some(self.project)).then(|| {
            let fingerprint = known.fingerprint.clone().unwrap_or_default();
            self.change(Action::Delete, &fingerprint, "the project has none any more".to_owned(), Some(&known.arn))
        })
    }

    fn change(&self, action: Action, fingerprint: &str, reason: String, arn: Option<&str>) -> Change {
        Change {
            action,
            kind: self.kind,
            name: self.name.to_owned(),
            fingerprint: short(fingerprint),
            reason,
            arn: arn.map(str::to_owned),
            ..Change::default()
        }
    }
}

#[cfg(test)]
#[path = "diff_configuration_tests.rs"]
mod tests;

//! What changes with another baseline, another date or newer package sources.

use super::baseline::{Baseline, Level};
use super::evaluate::{Context, EvaluateError, evaluate};
use super::evaluation::{Evaluation, Patch};
use super::freshen::OffersError;
use super::inventory::Inventory;
use super::outcome::State;
use super::reason::Reason;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use time::OffsetDateTime;

/// The schema of a comparison as a document.
pub const COMPARISON_SCHEMA: &str = "amiforge.patch-comparison/1";

/// What differs between two evaluations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// [`COMPARISON_SCHEMA`].
    pub schema: String,
    /// Baseline and moment of the first one.
    pub before: Occasion,
    /// Baseline and moment of the second one.
    pub after: Occasion,
    /// Patches that differ, sorted by name and architecture.
    pub changes: Vec<Change>,
    /// How many patches are the same in both.
    pub unchanged: usize,
}

/// Which evaluation it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Occasion {
    /// Name of the baseline.
    pub baseline: String,
    /// The moment it was evaluated for.
    #[serde(with = "time::serde::rfc3339")]
    pub now: OffsetDateTime,
    /// Whether it was compliant.
    pub compliant: bool,
}

/// A patch that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// Name.
    pub name: String,
    /// Architecture.
    pub arch: String,
    /// How it was; absent when the package was not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Side>,
    /// How it is; absent when the package is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Side>,
}

/// A patch in one of two evaluations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Side {
    /// State.
    pub state: State,
    /// Version that is installed.
    pub installed: String,
    /// Highest approved version when it is newer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available: Option<String>,
    /// Compliance level.
    pub level: Level,
    /// Why.
    pub reasons: Vec<Reason>,
}

impl From<&Patch> for Side {
    fn from(patch: &Patch) -> Self {
        Self {
            state: patch.state,
            installed: patch.installed.clone(),
            available: patch.available.clone(),
            level: patch.level,
            reasons: patch.reasons.clone(),
        }
    }
}

impl Side {
    fn differs(&self, other: &Self) -> bool {
        let key = |side: &Self| (side.state, side.installed.clone(), side.available.clone(), side.level);
        key(self) != key(other)
    }

    fn sentence(&self) -> String {
        let version = self.available.as_ref().map(|available| format!(" ({available})")).unwrap_or_default();
        let reasons: Vec<String> = self.reasons.iter().map(ToString::to_string).collect();
        format!("{}{version}: {}", self.state.as_str(), reasons.join("; "))
    }
}

impl Change {
    /// Both sides with their reasons, as one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let side = |side: &Option<Side>| side.as_ref().map_or_else(|| "not there".to_owned(), Side::sentence);
        format!("{}.{} was {}. It is {}.", self.name, self.arch, side(&self.before), side(&self.after))
    }
}

/// Which patches change their state, their versions or their level from one evaluation to the other, and why.
#[must_use]
pub fn compare(before: &Evaluation, after: &Evaluation) -> Comparison {
    // Of each package the patches before and after.
    let mut sides: BTreeMap<(&str, &str), [Vec<&Patch>; 2]> = BTreeMap::new();
    for (side, evaluation) in [before, after].into_iter().enumerate() {
        for patch in &evaluation.patches {
            sides.entry((&patch.name, &patch.arch)).or_default()[side].push(patch);
        }
    }
    let (mut changes, mut unchanged) = (vec![], 0);
    for ((name, arch), [before, after]) in sides {
        for index in 0..before.len().max(after.len()) {
            let side = |patches: &[&Patch]| patches.get(index).map(|patch| Side::from(*patch));
            let (before, after) = (side(&before), side(&after));
            match (&before, &after) {
                (Some(a), Some(b)) if !a.differs(b) => unchanged += 1,
                _ => changes.push(Change { name: name.to_owned(), arch: arch.to_owned(), before, after }),
            }
        }
    }
    let (before, after) = (occasion(before), occasion(after));
    Comparison { schema: COMPARISON_SCHEMA.to_owned(), before, after, changes, unchanged }
}

fn occasion(evaluation: &Evaluation) -> Occasion {
    Occasion { baseline: evaluation.baseline.clone(), now: evaluation.now, compliant: evaluation.compliant() }
}

/// Why it cannot be told whether an image needs a rebuild. Never taken for "it needs none".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RebuildError {
    /// The newer package sources are another system's.
    #[error(transparent)]
    Offers(#[from] OffersError),
    /// The baseline says nothing about the image.
    #[error(transparent)]
    Evaluate(#[from] EvaluateError),
}

/// Whether an image needs a rebuild.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuild {
    /// Approved patches the image lacks: with one of them it does.
    pub lacking: Vec<Patch>,
    /// The evaluation that says so.
    pub evaluation: Evaluation,
}

impl Rebuild {
    /// Whether the image lacks an approved patch.
    #[must_use]
    pub fn needed(&self) -> bool {
        !self.lacking.is_empty()
    }
}

/// Which approved patches an image lacks at `context.now`, by the package sources as `fresh` has read them: the
/// inventory of an image is as old as the image, and so is what its sources offered then. `fresh` may be any inventory of
/// the same system.
pub fn rebuild_needed(
    baseline: &Baseline,
    image: &Inventory,
    fresh: &Inventory,
    context: &Context,
) -> Result<Rebuild, RebuildError> {
    let evaluation = evaluate(baseline, &image.with_offers_of(fresh)?, context)?;
    let lacking = evaluation.outstanding().cloned().collect();
    Ok(Rebuild { lacking, evaluation })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patch::{Advisory, AdvisoryPackage, Offer, Package, PackageSource, RejectedAction, predefined};
    use time::Duration;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2025-12-01 0:00 UTC);

    fn image(offered: &str, issued: &str) -> Inventory {
        let package = |version: &str| Package {
            name: "bash".into(),
            arch: "x86_64".into(),
            version: version.into(),
            ..Package::default()
        };
        let line = AdvisoryPackage {
            name: "bash".into(),
            arch: "x86_64".into(),
            version: offered.into(),
            ..AdvisoryPackage::default()
        };
        Inventory {
            os_id: "rhel".into(),
            installed: vec![package("5-1")],
            offered: vec![Offer { package: package(offered), from: 0 }],
            sources: vec![PackageSource::default()],
            advisories: vec![Advisory {
                id: "A-1".into(),
                kind: "security".into(),
                severity: "Critical".into(),
                issued: issued.into(),
                packages: vec![line],
                ..Advisory::default()
            }],
            ..Inventory::default()
        }
    }

    fn redhat() -> Baseline {
        predefined("AWS-RedHatDefaultPatchBaseline").unwrap()
    }

    #[test]
    fn another_date_is_a_comparison_with_both_reasons() {
        let image = image("5-2", "2025-11-28");
        let at = |days| evaluate(&redhat(), &image, &Context::new(NOW + Duration::days(days))).unwrap();
        let comparison = compare(&at(0), &at(7));
        assert_eq!(comparison.changes.len(), 1);
        let sentence = comparison.changes[0].sentence();
        assert!(sentence.starts_with("bash.x86_64 was InstalledOther: 0:5-2 (A-1) waits for rule 1"), "{sentence}");
        assert!(sentence.contains("It is Missing (0:5-2): 0:5-2 (A-1) is approved by rule 1"), "{sentence}");
        assert!(comparison.before.compliant && !comparison.after.compliant);
        assert_eq!(compare(&at(0), &at(1)).changes, []);
        assert_eq!(compare(&at(0), &at(1)).unchanged, 1);
        let text = serde_json::to_string(&comparison).unwrap();
        assert_eq!(serde_json::from_str::<Comparison>(&text).unwrap(), comparison);
    }

    #[test]
    fn another_baseline_is_compared_alike() {
        let image = image("5-2", "2025-11-01");
        let mut rejecting = redhat();
        rejecting.rejected = vec!["bash".into()];
        rejecting.rejected_action = RejectedAction::Block;
        let run = |baseline: &Baseline| evaluate(baseline, &image, &Context::new(NOW)).unwrap();
        let comparison = compare(&run(&redhat()), &run(&rejecting));
        let states = comparison.changes[0].before.as_ref().map(|side| side.state);
        assert_eq!(states, Some(State::Missing));
        assert_eq!(comparison.changes[0].after.as_ref().map(|side| side.state), Some(State::InstalledRejected));
        let back = compare(&run(&rejecting), &run(&redhat()));
        assert_eq!(
            (&back.changes[0].before, &back.changes[0].after),
            (&comparison.changes[0].after, &comparison.changes[0].before)
        );
    }

    #[test]
    fn a_package_that_is_only_in_one_of_two_is_a_change() {
        let one = image("5-2", "2025-11-01");
        let mut two = one.clone();
        two.installed.push(Package { name: "vim".into(), ..one.installed[0].clone() });
        let run = |image| evaluate(&redhat(), image, &Context::new(NOW)).unwrap();
        let comparison = compare(&run(&one), &run(&two));
        assert!(comparison.changes[0].sentence().starts_with("vim.x86_64 was not there. It is InstalledOther"));
    }

    #[test]
    fn a_rebuild_is_needed_when_newer_sources_have_something_approved() {
        let old = image("5-1", "2025-11-01");
        let context = Context::new(NOW);
        let check = |fresh: &Inventory| rebuild_needed(&redhat(), &old, fresh, &context);
        assert!(!check(&old).unwrap().needed());
        let newer = image("5-2", "2025-11-20");
        let rebuild = check(&newer).unwrap();
        assert!(rebuild.needed());
        assert_eq!(rebuild.lacking[0].available.as_deref(), Some("0:5-2"));
        assert!(!check(&image("5-2", "2025-11-29")).unwrap().needed(), "not approved yet");
        assert!(matches!(check(&Inventory { os_id: "rocky".into(), ..newer.clone() }), Err(RebuildError::Offers(_))));
        assert!(matches!(check(&Inventory { sources: vec![], ..newer }), Err(RebuildError::Evaluate(_))));
    }
}

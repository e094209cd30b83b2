//! The patch baseline that a recipe's images are judged by: what should be there, and what is.
//!
//! Only the home Region counts, where `validate` scans. A baseline of the project is created and updated like everything else
//! that the project owns. It is never registered by a plan, neither as a default nor for a patch group: that would change what
//! instances are patched by whose owners have changed nothing, and `baseline publish` asks for consent. That `validate` would
//! use another one is said in the reason.

use super::configuration::tagged;
use super::diff::short;
use super::error::PlanError;
use super::fingerprint::digest;
use super::model::{Action, Change, Desired, DesiredBaseline, Kind};
use crate::aws::{Cloud, tags};
use crate::baseline::{self, Definition, Observed, Step, Wishes};
use crate::diagnostic::SourceFile;
use crate::patch;
use crate::project::{Project, Recipe};
use serde_json::json;

/// Differences that a reason tells before it counts the rest.
const TOLD: usize = 3;

/// The baseline of a recipe. One of AWS has no definition: it is there or it is not.
pub(super) fn desired(project: &Project, recipe: &Recipe) -> Option<DesiredBaseline> {
    let baseline = project.baseline(&recipe.baseline)?;
    let own = project.baselines.contains_key(&recipe.baseline) && !baseline.name.starts_with("AWS-");
    let definition = own.then(|| baseline.to_create_request());
    let fingerprint = digest(&json!({
        "schema": "amiforge.baseline/1", "name": baseline.name, "os": baseline.operating_system.as_str(), "definition": definition,
    }));
    Some(DesiredBaseline {
        name: recipe.baseline.clone(),
        resource_name: baseline.name,
        definition,
        fingerprint,
        tags: tagged(project, &[(tags::BASELINE, &recipe.baseline)]),
    })
}

/// As the room of baselines takes it.
fn wanted(desired: &DesiredBaseline) -> Option<baseline::Desired> {
    let definition = match &desired.definition {
        Some(definition) => {
            let source = SourceFile::new(format!("baselines/{}", desired.name), definition.to_string());
            Definition::Own(patch::parse_baseline(&source).ok()?)
        }
        None => Definition::Predefined(patch::predefined(&desired.resource_name)?),
    };
    Some(baseline::Desired { name: desired.name.clone(), definition, tags: desired.tags.clone() })
}

/// Looks into the home Region; nothing when no baseline is desired.
pub(super) async fn observe(cloud: &Cloud, desired: &Desired) -> Result<Option<Observed>, PlanError> {
    let Some(wanted) = desired.baseline.as_ref().and_then(wanted) else { return Ok(None) };
    // The default is looked at to say whether `validate` would use this one.
    let wishes = Wishes { default: true, ..Wishes::default() };
    Ok(Some(baseline::observe(cloud, cloud.home(), &wanted, &wishes).await?))
}

/// What is to be done about it; nothing when nobody has looked. Pure.
pub(super) fn change(desired: &Desired, observed: Option<&Observed>) -> Option<Change> {
    let (wished, observed) = (desired.baseline.as_ref()?, observed?);
    let wanted = wanted(wished)?;
    let change = |action: Action, reason: String, id: Option<String>| Change {
        action,
        kind: Kind::Baseline,
        name: wished.resource_name.clone(),
        fingerprint: short(&wished.fingerprint),
        reason,
        arn: id,
        ..Change::default()
    };
    let (id, steps) = match baseline::plan(&wanted, &Wishes::default(), observed) {
        Ok(planned) => planned,
        Err(conflict) => return Some(change(Action::Foreign, conflict.to_string(), None)),
    };
    let (action, mut reason) = match steps.as_slice() {
        [] if wished.definition.is_none() => (Action::Keep, "AWS's own".to_owned()),
        [] => (Action::Keep, "unchanged".to_owned()),
        [Step::Create, ..] => (Action::Create, "new".to_owned()),
        some => (Action::Update, some.iter().map(words).collect::<Vec<_>>().join("; ")),
    };
    reason.push_str(&default(&wanted, observed, id.as_deref()));
    Some(change(action, reason, id))
}

/// What one step changes.
fn words(step: &Step) -> String {
    match step {
        Step::Update { difference: Some(difference) } => {
            let lines: Vec<String> = difference.changes.iter().map(patch::BaselineChange::line).collect();
            let more = lines.len().saturating_sub(TOLD);
            let told = lines.iter().take(TOLD).cloned().collect::<Vec<_>>().join(", ");
            let rest = if more > 0 { format!(", and {more} more") } else { String::new() };
            format!("rules differ: {told}{rest}")
        }
        Step::Update { difference: None } => "what is there cannot be read by amiforge".to_owned(),
        Step::Tag { tags } => format!("tags {}", tags.keys().cloned().collect::<Vec<_>>().join(", ")),
        Step::Create => "new".to_owned(),
        Step::Default { .. } | Step::Group { .. } => "registration".to_owned(),
    }
}

/// Whether a fresh instance of an image, which is in no patch group, would be judged by it.
fn default(wanted: &baseline::Desired, observed: &Observed, id: Option<&str>) -> String {
    let os = wanted.baseline().operating_system;
    match &observed.default {
        Some(default) if Some(default.id.as_str()) == id => format!(", default of {os}"),
        Some(default) => format!(
            "; the default of {os} is {}, which `validate` would use: amiforge baseline publish {} --default",
            default.name, wanted.name
        ),
        None => format!("; {os} has no default"),
    }
}

/// Creates or updates the baseline. It looks anew: what was planned may be done already.
pub(super) async fn publish(cloud: &Cloud, desired: &Desired) -> Result<Option<String>, PlanError> {
    let Some(wanted) = desired.baseline.as_ref().and_then(wanted) else { return Ok(None) };
    Ok(baseline::bring(cloud, cloud.home(), &wanted).await?)
}

#[cfg(test)]
mod tests {
    use super::super::desired::tests::{fixture, local};
    use super::*;
    use crate::baseline::{Found, Registered};
    use crate::patch::{OperatingSystem, predefined};
    use std::collections::BTreeMap;

    const DEBIAN: &str = "AWS-DebianDefaultPatchBaseline";

    /// A project whose recipe has a baseline of its own, with these rejected patches.
    fn own(rejected: &[&str]) -> Desired {
        let (mut project, rendered, mut recipe) = fixture(&[("a", "one")]);
        let rejected = rejected.iter().map(|text| (*text).to_owned()).collect();
        let baseline =
            patch::Baseline { name: "acme-golden".into(), id: None, rejected, ..predefined(DEBIAN).unwrap() };
        let text = baseline.to_create_request().to_string();
        project.baselines.insert("golden".into(), SourceFile::new("baselines/golden.json", text));
        recipe.baseline = "golden".into();
        super::super::desired(&project, &rendered, &recipe, &local(), "ami-1")
    }

    fn there(desired: &Desired) -> Found {
        let Definition::Own(baseline) = wanted(desired.baseline.as_ref().unwrap()).unwrap().definition else {
            panic!()
        };
        Found { id: "pb-1".into(), baseline: Some(baseline), tags: desired.baseline.as_ref().unwrap().tags.clone() }
    }

    fn with(found: Vec<Found>, default: &str) -> Observed {
        let default = Registered { id: default.into(), name: format!("name of {default}") };
        Observed { found, default: Some(default), ..Observed::default() }
    }

    fn told(desired: &Desired, observed: &Observed) -> (Action, String) {
        let change = change(desired, Some(observed)).unwrap();
        assert_eq!(change.kind, Kind::Baseline);
        (change.action, change.reason)
    }

    #[test]
    fn one_of_the_project_is_new_kept_or_updated_with_what_differs() {
        let desired = own(&["curl"]);
        let other = "; the default of DEBIAN is name of pb-9, which `validate` would use: amiforge baseline publish golden --default";
        assert_eq!(told(&desired, &with(vec![], "pb-9")), (Action::Create, format!("new{other}")));
        let kept = told(&desired, &with(vec![there(&desired)], "pb-1"));
        assert_eq!(kept, (Action::Keep, "unchanged, default of DEBIAN".into()));
        let (action, reason) = told(&own(&["curl", "vim"]), &with(vec![there(&desired)], "pb-1"));
        assert_eq!(action, Action::Update);
        assert!(reason.starts_with("rules differ: ") && reason.contains("vim"), "{reason}");
        let mut retagged = there(&desired);
        retagged.tags.insert("owner".into(), "others".into());
        assert_eq!(
            told(&desired, &with(vec![retagged], "pb-1")),
            (Action::Update, "tags owner, default of DEBIAN".into())
        );
        assert!(change(&desired, None).is_none(), "nobody looked");
    }

    #[test]
    fn what_is_not_the_projects_is_in_the_way() {
        let desired = own(&[]);
        let mut foreign = there(&desired);
        foreign.tags = BTreeMap::from([(tags::PROJECT.to_owned(), "other".to_owned())]);
        let (action, reason) = told(&desired, &with(vec![foreign.clone()], "pb-9"));
        assert_eq!((action, reason.contains("belongs to the project `other`")), (Action::Foreign, true), "{reason}");
        foreign.tags.clear();
        assert!(told(&desired, &with(vec![foreign], "pb-9")).1.contains("was not made by amiforge"));
        let two = with(vec![there(&desired), there(&desired)], "pb-9");
        assert_eq!(told(&desired, &two).0, Action::Foreign);
    }

    #[test]
    fn one_of_aws_is_kept_or_missing() {
        let (project, rendered, recipe) = fixture(&[("a", "one")]);
        let desired = super::super::desired(&project, &rendered, &recipe, &local(), "ami-1");
        let found = Found { id: "arn:pb-1".into(), baseline: None, tags: BTreeMap::new() };
        let kept = told(&desired, &with(vec![found], "arn:pb-1"));
        assert_eq!(kept, (Action::Keep, "AWS's own, default of DEBIAN".into()));
        let (action, reason) = told(&desired, &with(vec![], "pb-9"));
        assert_eq!(action, Action::Foreign);
        assert!(reason.contains("AWS has no baseline"), "{reason}");
        assert_eq!(OperatingSystem::Debian.to_string(), "DEBIAN");
    }

    #[test]
    fn what_is_kept_in_a_file_means_the_same_again() {
        let desired = own(&["curl"]);
        let kept: DesiredBaseline =
            serde_json::from_value(serde_json::to_value(desired.baseline.as_ref().unwrap()).unwrap()).unwrap();
        assert_eq!(wanted(&kept), wanted(desired.baseline.as_ref().unwrap()));
        assert!(wanted(&kept).is_some());
    }
}

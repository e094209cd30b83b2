//! From what shall be and what is there to what is to be done. Pure.

use super::error::Conflict;
use super::model::{Definition, Desired, Found, Observed, Registered, Step, Wishes};
use crate::aws::tags;
use crate::patch::{Baseline, BaselineDiff, baseline_diff};

/// What has to be done in one place, in order, and the id of the baseline if it is there.
///
/// # Errors
/// What is there forbids it: a baseline of somebody else, several of the name, a patch group that is taken.
pub fn plan(desired: &Desired, wishes: &Wishes, observed: &Observed) -> Result<(Option<String>, Vec<Step>), Conflict> {
    let found = the_one(desired, wishes, observed)?;
    let id = found.map(|found| found.id.clone());
    Ok((id.clone(), steps(desired, wishes, observed, found, id.as_deref())?))
}

/// The baseline that is meant, if it is there.
fn the_one<'a>(desired: &Desired, wishes: &Wishes, observed: &'a Observed) -> Result<Option<&'a Found>, Conflict> {
    let baseline = desired.baseline();
    let (name, os) = (baseline.name.clone(), baseline.operating_system);
    let found = match observed.found.as_slice() {
        [] if matches!(desired.definition, Definition::Predefined(_)) => return Err(Conflict::NotThere { name, os }),
        [] => return Ok(None),
        [found] => found,
        several => {
            let ids = several.iter().map(|found| found.id.clone()).collect();
            return Err(Conflict::Several { name, os, ids });
        }
    };
    if matches!(desired.definition, Definition::Predefined(_)) {
        return Ok(Some(found));
    }
    let id = found.id.clone();
    match (found.tags.get(tags::PROJECT), desired.tags.get(tags::PROJECT)) {
        (Some(theirs), Some(ours)) if theirs == ours => Ok(Some(found)),
        (Some(theirs), _) => Err(Conflict::OtherProject { name, id, project: theirs.clone() }),
        (None, _) if wishes.adopt => Ok(Some(found)),
        (None, _) => Err(Conflict::Foreign { name, id }),
    }
}

/// What has to be done, given the baseline that is meant.
fn steps(
    desired: &Desired,
    wishes: &Wishes,
    observed: &Observed,
    found: Option<&Found>,
    id: Option<&str>,
) -> Result<Vec<Step>, Conflict> {
    let mut steps = vec![];
    if let Definition::Own(baseline) = &desired.definition {
        match found {
            None => steps.push(Step::Create),
            Some(found) => content(baseline, desired, found, &mut steps),
        }
    }
    let is_this = |registered: &Registered| Some(registered.id.as_str()) == id;
    if wishes.default && !observed.default.as_ref().is_some_and(is_this) {
        steps.push(Step::Default { replaces: observed.default.clone() });
    }
    let mut groups = wishes.groups.clone();
    groups.sort();
    groups.dedup();
    for group in groups {
        let holder = observed.groups.get(&group);
        match holder {
            Some(holder) if is_this(holder) => continue,
            Some(holder) if !wishes.replace_group => {
                let (os, holder) = (desired.baseline().operating_system, holder.clone());
                return Err(Conflict::Group { group, os, holder });
            }
            _ => {}
        }
        steps.push(Step::Group { group, replaces: holder.cloned() });
    }
    Ok(steps)
}

/// From what is there to what is wanted. A definition that says nothing about Windows updates that are not approved leaves
/// it to the service, which may answer what it makes of that.
pub(super) fn difference(there: &Baseline, wanted: &Baseline) -> BaselineDiff {
    let mut wanted = wanted.clone();
    wanted.available_security_updates = wanted.available_security_updates.or(there.available_security_updates);
    baseline_diff(there, &wanted)
}

/// What differs in the baseline itself.
fn content(baseline: &Baseline, desired: &Desired, found: &Found, steps: &mut Vec<Step>) {
    let difference = found.baseline.as_ref().map(|there| difference(there, baseline));
    if difference.as_ref().is_none_or(|difference| !difference.is_empty()) {
        steps.push(Step::Update { difference });
    }
    let missing = desired.tags.iter().filter(|(key, value)| found.tags.get(*key) != Some(*value));
    let missing: std::collections::BTreeMap<_, _> = missing.map(|(key, value)| (key.clone(), value.clone())).collect();
    if !missing.is_empty() {
        steps.push(Step::Tag { tags: missing });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patch::predefined;
    use std::collections::BTreeMap;

    fn own() -> Baseline {
        Baseline { name: "golden".into(), id: None, ..predefined("AWS-RedHatDefaultPatchBaseline").unwrap() }
    }

    fn desired() -> Desired {
        let tags = BTreeMap::from([(tags::PROJECT.to_owned(), "acme".to_owned())]);
        Desired { name: "golden".into(), definition: Definition::Own(own()), tags }
    }

    fn found(id: &str) -> Found {
        Found { id: id.into(), baseline: Some(own()), tags: desired().tags }
    }

    fn at(found: Vec<Found>) -> Observed {
        Observed { found, ..Observed::default() }
    }

    fn registered(id: &str) -> Registered {
        Registered { id: id.into(), name: format!("name of {id}") }
    }

    #[test]
    fn an_absent_one_is_created_an_equal_one_left_and_another_updated() {
        let planned = |observed: &Observed| plan(&desired(), &Wishes::default(), observed).unwrap();
        assert_eq!(planned(&at(vec![])), (None, vec![Step::Create]));
        assert_eq!(planned(&at(vec![found("pb-1")])), (Some("pb-1".into()), vec![]));
        let mut other = found("pb-1");
        other.baseline.as_mut().unwrap().rejected.push("curl".into());
        let (_, steps) = planned(&at(vec![other.clone()]));
        assert!(
            matches!(&steps[..], [Step::Update { difference: Some(diff) }] if diff.changes.len() == 1),
            "{steps:?}"
        );
        other.baseline = None;
        assert_eq!(planned(&at(vec![other])).1, [Step::Update { difference: None }]);
    }

    #[test]
    fn what_the_service_fills_in_is_no_difference() {
        let windows = predefined("AWS-DefaultPatchBaseline").unwrap();
        let silent = Baseline { available_security_updates: None, ..windows.clone() };
        assert!(difference(&windows, &silent).is_empty());
        assert_eq!(difference(&silent, &windows).changes.len(), 1);
    }

    #[test]
    fn somebody_elses_is_never_touched() {
        let refused = |found: Vec<Found>, wishes: &Wishes| plan(&desired(), wishes, &at(found)).unwrap_err();
        let several = refused(vec![found("pb-1"), found("pb-2")], &Wishes::default());
        assert!(several.to_string().contains("2 baselines `golden`") && several.to_string().contains("pb-1, pb-2"));
        let mut bare = found("pb-1");
        bare.tags.clear();
        assert!(matches!(refused(vec![bare.clone()], &Wishes::default()), Conflict::Foreign { .. }));
        let adopt = Wishes { adopt: true, ..Wishes::default() };
        assert_eq!(plan(&desired(), &adopt, &at(vec![bare.clone()])).unwrap().1, [Step::Tag { tags: desired().tags }]);
        bare.tags.insert(tags::PROJECT.into(), "other".into());
        assert!(matches!(refused(vec![bare], &adopt), Conflict::OtherProject { .. }));
    }

    #[test]
    fn a_default_is_registered_once() {
        let wishes = Wishes { default: true, ..Wishes::default() };
        let mut observed = at(vec![found("pb-1")]);
        observed.default = Some(registered("pb-9"));
        let planned = plan(&desired(), &wishes, &observed).unwrap().1;
        assert_eq!(planned, [Step::Default { replaces: Some(registered("pb-9")) }]);
        assert!(planned[0].takes_over());
        observed.default = Some(registered("pb-1"));
        assert_eq!(plan(&desired(), &wishes, &observed).unwrap().1, []);
    }

    #[test]
    fn a_group_is_taken_from_another_only_when_that_is_wanted() {
        let mut wishes = Wishes { groups: vec!["b".into(), "a".into(), "b".into()], ..Wishes::default() };
        let mut observed = at(vec![found("pb-1")]);
        let group = |group: &str, replaces: Option<Registered>| Step::Group { group: group.into(), replaces };
        assert_eq!(plan(&desired(), &wishes, &observed).unwrap().1, [group("a", None), group("b", None)]);
        observed.groups.insert("a".into(), registered("pb-1"));
        observed.groups.insert("b".into(), registered("pb-9"));
        let refused = plan(&desired(), &wishes, &observed).unwrap_err();
        assert!(refused.to_string().contains("`b` is registered with name of pb-9 (pb-9)"), "{refused}");
        wishes.replace_group = true;
        let planned = plan(&desired(), &wishes, &observed).unwrap().1;
        assert_eq!(planned, [group("b", Some(registered("pb-9")))]);
        assert!(planned[0].takes_over() && !group("a", None).takes_over());
    }

    #[test]
    fn one_of_awss_is_only_registered() {
        let aws = predefined("AWS-RedHatDefaultPatchBaseline").unwrap();
        let desired = Desired { definition: Definition::Predefined(aws), ..desired() };
        let wishes = Wishes { default: true, ..Wishes::default() };
        assert!(matches!(plan(&desired, &wishes, &at(vec![])), Err(Conflict::NotThere { .. })));
        let there = Found { id: "arn:pb-1".into(), baseline: None, tags: BTreeMap::new() };
        let mut observed = at(vec![there]);
        observed.default = Some(registered("pb-9"));
        assert_eq!(plan(&desired, &wishes, &observed).unwrap().1.len(), 1);
        observed.default = Some(registered("arn:pb-1"));
        assert_eq!(plan(&desired, &wishes, &observed).unwrap().1, []);
    }
}

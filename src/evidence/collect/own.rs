//! What amiforge itself makes of the baseline and the inventory, beside what the service says of the same instance.
//!
//! The service's result is the one that gates look at. This one has the reasons, and where the two differ it says so, with
//! what was assumed (patch-baselines.md 14.1): a disagreement can be explained from the evidence alone.

use crate::clock::rfc3339;
use crate::evidence::model::{OwnEvaluation, PatchNotice, PatchScan};
use crate::patch::{self, Advisory, Baseline, Context, Inventory, Patch, State};
use std::collections::BTreeMap;
use time::OffsetDateTime;

/// What the package sources say of open patches, by `name.arch`.
type Notices = BTreeMap<String, PatchNotice>;

/// Evaluates the inventory; nothing when the baseline is not known here.
pub(super) fn evaluate(
    baseline: Option<&Baseline>,
    inventory: &Inventory,
    scan: &PatchScan,
    now: OffsetDateTime,
) -> Option<(OwnEvaluation, Notices)> {
    let baseline = baseline?;
    let mut notices = Notices::new();
    let mut own = OwnEvaluation { baseline: baseline.name.clone(), ..OwnEvaluation::default() };
    match patch::evaluate(baseline, inventory, &Context::new(now)) {
        Ok(evaluation) => {
            own.counts = Some(evaluation.counts);
            let open: Vec<&Patch> =
                evaluation.patches.iter().filter(|patch| State::OPEN.contains(&patch.state)).collect();
            notices = open.iter().map(|patch| (patch.id(), notice(patch, inventory))).collect();
            own.open = open.iter().map(|patch| patch.sentence()).collect();
            own.differences = differences(&open, scan);
            if !own.differences.is_empty() {
                let lines = evaluation.settings.lines();
                own.notes.extend(lines.iter().map(|line| format!("assumed: {}", line.assumed)));
            }
            own.notes.extend(evaluation.notes);
        }
        Err(error) => own.failed = Some(error.to_string()),
    }
    Some((own, notices))
}

/// What the notices that a patch would bring say of it. Without any, or with one whose date cannot be read, it is not
/// known since when it has been there.
fn notice(patch: &Patch, inventory: &Inventory) -> PatchNotice {
    let since = |id: &String| {
        let mut all = inventory.advisories.iter().filter(|advisory| is_called(advisory, id)).peekable();
        all.peek()?;
        all.map(Advisory::since).collect::<Option<Vec<_>>>()?.into_iter().min()
    };
    let dates: Option<Vec<OffsetDateTime>> = patch.advisories.iter().map(since).collect();
    let level = Some(patch.level.as_str().to_owned()).filter(|_| patch.level != patch::Level::Unspecified);
    PatchNotice {
        released: dates.and_then(|dates| dates.into_iter().min()).map(rfc3339),
        level,
        cves: patch.cves.clone(),
    }
}

/// A patch names notices by the id that Patch Manager knows them by, or by their own.
fn is_called(advisory: &Advisory, id: &str) -> bool {
    advisory.id == id || advisory.reference_id.as_deref() == Some(id)
}

/// Patches that are open for one of the two only, or in another state, or for another version. `Installed` against
/// `InstalledOther` is no difference: neither is open.
fn differences<'a>(own: &[&'a Patch], scan: &'a PatchScan) -> Vec<String> {
    type Side<'s> = BTreeMap<String, (State, Option<&'s str>)>;
    // The epoch of an RPM package stands there even when it is 0.
    let version = |patch: &&'a Patch| patch.available.as_deref().map(|text| text.strip_prefix("0:").unwrap_or(text));
    let here: Side = own.iter().map(|patch| (patch.id(), (patch.state, version(patch)))).collect();
    let there = scan.open.iter();
    let there: Side =
        there.map(|item| (format!("{}.{}", item.name, item.arch), (item.state, item.available.as_deref()))).collect();
    let say = |side: Option<&(State, Option<&str>)>| match side {
        None => "is not open".to_owned(),
        Some((state, Some(version))) => format!("is {} ({version})", state.as_str()),
        Some((state, None)) => format!("is {}", state.as_str()),
    };
    let mut ids: Vec<&String> = here.keys().chain(there.keys()).collect();
    ids.sort();
    ids.dedup();
    ids.into_iter()
        .filter(|id| here.get(*id) != there.get(*id))
        .map(|id| format!("{id} {} for Patch Manager and {} here", say(there.get(id)), say(here.get(id))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::testing::{evidence, item};

    fn patch(name: &str, state: State, available: Option<&str>) -> Patch {
        Patch {
            name: name.into(),
            arch: "amd64".into(),
            installed: "1".into(),
            available: available.map(str::to_owned),
            state,
            classification: String::new(),
            severity: String::new(),
            level: patch::Level::Unspecified,
            installed_at: None,
            advisories: vec![],
            cves: vec![],
            reasons: vec![],
        }
    }

    #[test]
    fn differences_are_named_from_both_sides() {
        let mut scan = evidence().patches.unwrap();
        scan.open = vec![item("bash", State::Missing), item("curl", State::Missing), item("same", State::Missing)];
        let own = [
            patch("curl", State::Missing, Some("0:3")),
            patch("zlib1g", State::InstalledRejected, None),
            patch("same", State::Missing, Some("0:2")),
        ];
        assert_eq!(
            differences(&own.iter().collect::<Vec<_>>(), &scan),
            [
                "bash.amd64 is Missing (2) for Patch Manager and is not open here",
                "curl.amd64 is Missing (2) for Patch Manager and is Missing (3) here",
                "zlib1g.amd64 is not open for Patch Manager and is InstalledRejected here",
            ]
        );
    }

    #[test]
    fn what_cannot_be_evaluated_says_why() {
        let scan = evidence().patches.unwrap();
        let baseline = patch::predefined("AWS-DebianDefaultPatchBaseline").unwrap();
        let now = time::macros::datetime!(2026-11-26 0:00 UTC);
        let (own, notices) = evaluate(Some(&baseline), &Inventory::default(), &scan, now).unwrap();
        assert_eq!(notices, BTreeMap::new());
        assert!(own.failed.is_some() && own.counts.is_none());
        assert_eq!(evaluate(None, &Inventory::default(), &scan, now), None);
    }

    #[test]
    fn a_patch_is_out_since_the_oldest_notice_that_it_brings() {
        let advisory =
            |id: &str, issued: &str| Advisory { id: id.into(), issued: issued.into(), ..Advisory::default() };
        let advisories = vec![advisory("A-1", "2026-11-02"), advisory("A-2", "2026-11-01"), advisory("A-3", "?")];
        let inventory = Inventory { advisories, ..Inventory::default() };
        let released = |ids: &[&str]| {
            let advisories = ids.iter().map(|id| (*id).to_owned()).collect();
            notice(&Patch { advisories, ..patch("x", State::Missing, Some("2")) }, &inventory).released
        };
        assert_eq!(released(&["A-1", "A-2"]).as_deref(), Some("2026-11-01T00:00:00Z"));
        for unknown in [&["A-1", "A-3"][..], &["A-1", "A-9"], &[]] {
            assert_eq!(released(unknown), None, "{unknown:?}");
        }
    }
}

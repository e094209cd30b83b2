//! Which findings are accepted, and what became of the waivers.

use super::verdict::{Found, WaivedBy};
use crate::project::Waiver;
use serde::Serialize;
use time::OffsetDateTime;

/// What became of a waiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum WaiverState {
    /// It accepts a finding.
    Used,
    /// It is for this recipe and for a gate that was evaluated, and nothing it names was found.
    Unused,
    /// It does not count any more.
    Expired,
    /// It names a finding that cannot be waived.
    Refused,
}

/// A waiver and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "the keys of a waiver")]
pub struct WaiverReport {
    pub place: String,
    pub gate: String,
    pub finding: String,
    pub owner: String,
    pub expires: String,
    pub state: WaiverState,
}

impl WaiverReport {
    /// What a reader has to know; nothing of a waiver that does its work.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        let Self { place, gate, finding, owner, expires, state } = self;
        let what = format!("the waiver in {place} for {finding} ({gate}, {owner})");
        match state {
            WaiverState::Used => None,
            WaiverState::Unused => {
                Some(format!("{what} accepts nothing in this image; remove it if that holds for all"))
            }
            WaiverState::Expired => Some(format!("{what} expired on {expires}; what it accepted counts again")),
            WaiverState::Refused => Some(format!("{what} names what cannot be waived")),
        }
    }
}

/// The waivers that are for one recipe, while its findings are looked through.
pub(super) struct Waivers<'a> {
    now: OffsetDateTime,
    unwaivable: &'a [&'static str],
    here: Vec<(&'a Waiver, Option<WaiverState>)>,
}

impl<'a> Waivers<'a> {
    pub(super) fn new(all: &'a [Waiver], recipe: &str, unwaivable: &'a [&'static str], now: OffsetDateTime) -> Self {
        let here = all.iter().filter(|waiver| waiver.recipe.as_ref().is_none_or(|name| name == recipe));
        Self { now, unwaivable, here: here.map(|waiver| (waiver, None)).collect() }
    }

    /// Marks the finding when a waiver accepts it, and says of one that does not count.
    pub(super) fn waive(&mut self, gate: &str, found: &mut Found) -> Option<String> {
        let mut remark = None;
        for (waiver, state) in &mut self.here {
            if !matches(waiver, gate, found) {
                continue;
            }
            if waiver.expired(self.now) {
                *state = Some(WaiverState::Expired);
                remark = Some(format!("the waiver in {} expired on {}", waiver.place, waiver.expires));
            } else if found.fixed || self.unwaivable.contains(&gate) {
                *state = Some(WaiverState::Refused);
                remark = Some(format!("the waiver in {} does not count: this cannot be waived", waiver.place));
            } else {
                *state = Some(WaiverState::Used);
                if found.waived.is_none() {
                    found.waived = Some(accepted(waiver));
                }
            }
        }
        if found.waived.is_some() { None } else { remark }
    }

    /// What became of the waivers of the gates that were evaluated.
    pub(super) fn report(self, evaluated: &[&str]) -> Vec<WaiverReport> {
        let now = self.now;
        let state = |waiver: &Waiver| if waiver.expired(now) { WaiverState::Expired } else { WaiverState::Unused };
        let here = self.here.into_iter().filter(|(waiver, _)| evaluated.contains(&waiver.gate.as_str()));
        here.map(|(waiver, found)| WaiverReport {
            place: waiver.place.clone(),
            gate: waiver.gate.clone(),
            finding: waiver.finding.clone(),
            owner: waiver.owner.clone(),
            expires: waiver.expires.to_string(),
            state: found.unwrap_or_else(|| state(waiver)),
        })
        .collect()
    }
}

/// Exactly what the waiver names, and nothing else.
fn matches(waiver: &Waiver, gate: &str, found: &Found) -> bool {
    let same = |wanted: &Option<String>, has: &Option<String>| wanted.is_none() || wanted == has;
    waiver.gate == gate
        && waiver.finding == found.id
        && same(&waiver.package, &found.package)
        && same(&waiver.version, &found.version)
}

fn accepted(waiver: &Waiver) -> WaivedBy {
    WaivedBy {
        place: waiver.place.clone(),
        owner: waiver.owner.clone(),
        reason: waiver.reason.clone(),
        expires: waiver.expires.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{NOW, vulnerable};
    use super::super::verdict::VerdictStatus::{Fail, Pass, Waived};
    use super::super::{Context, Judgement, judge};
    use super::*;
    use crate::evidence::testing::evidence;
    use time::macros::date;

    fn waiver(finding: &str) -> Waiver {
        Waiver {
            gate: "vulnerabilities".into(),
            finding: finding.into(),
            recipe: None,
            package: None,
            version: None,
            owner: "platform".into(),
            reason: "not reachable".into(),
            expires: date!(2026 - 12 - 31),
            place: "waivers.yaml:2".into(),
        }
    }

    fn judged(unwaivable: Vec<&'static str>, waivers: &[Waiver]) -> Judgement {
        let (mut gates, evidence) = vulnerable();
        gates.unwaivable = unwaivable;
        judge(&gates, &evidence, &Context { waivers, ..Context::at(NOW) })
    }

    fn state(waivers: &[Waiver]) -> (super::super::VerdictStatus, Vec<WaiverState>) {
        let judged = judged(vec![], waivers);
        (judged.verdicts[0].status, judged.waivers.iter().map(|waiver| waiver.state).collect())
    }

    #[test]
    fn all_findings_have_to_be_waived_and_the_verdict_says_by_which() {
        let both = [waiver("CVE-2026-1"), waiver("CVE-2026-2")];
        assert_eq!(state(&both), (Waived, vec![WaiverState::Used; 2]));
        assert_eq!(state(&both[..1]), (Fail, vec![WaiverState::Used]));
        let judged = judged(vec![], &both);
        let verdict = &judged.verdicts[0];
        assert!(
            verdict.details[0].starts_with("waived until 2026-12-31 by platform (waivers.yaml:2): not reachable; ")
        );
        assert_eq!(verdict.findings[0].waived.as_ref().unwrap().owner, "platform");
        assert_eq!(
            verdict.summary,
            "2 findings accepted by waivers; else 2 findings, none worse than allowed (at most low)"
        );
    }

    #[test]
    fn a_waiver_matches_exactly() {
        let narrowed = |change: fn(&mut Waiver)| {
            let mut one = waiver("CVE-2026-1");
            change(&mut one);
            state(&[one, waiver("CVE-2026-2")])
        };
        assert_eq!(narrowed(|w| w.package = Some("openssl".into())).0, Waived);
        assert_eq!(narrowed(|w| w.version = Some("3.0.11".into())).0, Waived);
        for change in [
            (|w| w.package = Some("open".into())) as fn(&mut Waiver),
            |w| w.version = Some("3.0".into()),
            |w| w.finding = "cve-2026-1".into(),
            |w| w.finding = "CVE-2026-*".into(),
            |w| w.finding = "CVE-2026-11".into(),
        ] {
            assert_eq!(narrowed(change), (Fail, vec![WaiverState::Unused, WaiverState::Used]));
        }
        // One of another recipe or of a gate that is not evaluated is not unused: it may be needed elsewhere.
        assert_eq!(narrowed(|w| w.recipe = Some("other".into())), (Fail, vec![WaiverState::Used]));
        assert_eq!(narrowed(|w| w.gate = "patches".into()), (Fail, vec![WaiverState::Used]));
    }

    #[test]
    fn expired_and_refused_waivers_are_reported_and_do_not_count() {
        let old = Waiver { expires: date!(2026 - 11 - 22), ..waiver("CVE-2026-1") };
        let unused = Waiver { expires: date!(2026 - 11 - 22), ..waiver("CVE-1999-1") };
        let all = [old, waiver("CVE-2026-2"), unused];
        assert_eq!(state(&all), (Fail, vec![WaiverState::Expired, WaiverState::Used, WaiverState::Expired]));
        let judged_old = judged(vec![], &all);
        assert!(judged_old.verdicts[0].details[0].ends_with("(the waiver in waivers.yaml:2 expired on 2026-11-22)"));
        assert!(judged_old.waivers[0].note().unwrap().contains("expired on 2026-11-22"));
        let both = [waiver("CVE-2026-1"), waiver("CVE-2026-2")];
        let refused = judged(vec!["vulnerabilities"], &both);
        assert_eq!((refused.verdicts[0].status, refused.waivers[0].state), (Fail, WaiverState::Refused));
    }

    #[test]
    fn an_image_that_cannot_be_used_is_never_waived() {
        let gates = crate::project::Gates {
            image: Some(super::super::tests::image_gate()),
            ..crate::project::Gates::default()
        };
        let mut evidence = evidence();
        evidence.image.state = "failed".into();
        let state = Waiver { gate: "image".into(), ..waiver("state") };
        let judged = judge(&gates, &evidence, &Context { waivers: &[state], ..Context::at(NOW) });
        assert_eq!((judged.verdicts[0].status, judged.waivers[0].state), (Fail, WaiverState::Refused));
        evidence.image.state = "available".into();
        evidence.image.encrypted = false;
        let clear = Waiver { gate: "image".into(), ..waiver("encrypted") };
        let waived = judge(&gates, &evidence, &Context { waivers: std::slice::from_ref(&clear), ..Context::at(NOW) });
        assert_eq!(waived.verdicts[0].status, Waived);
        evidence.image.encrypted = true;
        let needless = judge(&gates, &evidence, &Context { waivers: &[clear], ..Context::at(NOW) });
        assert_eq!((needless.verdicts[0].status, needless.waivers[0].state), (Pass, WaiverState::Unused));
    }
}

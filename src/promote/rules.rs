//! What must hold before a channel takes a candidate. Pure.

use super::approve::{Builder, Consent};
use super::error::PromoteError;
use super::image::Image;
use super::model::{Approval, Order, Release};
use super::state::State;
use crate::event::human_duration;
use crate::gate;
use crate::project::Channel;
use std::time::Duration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The candidate is approved: there are verdicts, all pass, and they are about the evidence that the AMI carries.
pub(super) fn approved(ami: &str, approval: &Approval, image: &Image) -> Result<(), PromoteError> {
    let refuse = |reason: String| Err(PromoteError::NotApproved { ami: ami.to_owned(), reason });
    let Some(tag) = &image.evidence else {
        return refuse("it carries no evidence (tag amiforge:evidence)".to_owned());
    };
    if approval.digest.is_empty() {
        return refuse("there is no evidence".to_owned());
    }
    if *tag != approval.digest {
        return refuse(format!("its tag names evidence {tag}, the verdicts are about {}", approval.digest));
    }
    if approval.verdicts.is_empty() {
        return refuse("no gate was evaluated".to_owned());
    }
    if !gate::approved(&approval.verdicts) {
        let one = |verdict: &gate::Verdict| !gate::approved(std::slice::from_ref(verdict));
        let failing: Vec<_> = approval.verdicts.iter().filter(|verdict| one(verdict)).collect();
        let text: Vec<_> = failing.iter().map(|verdict| format!("{}: {}", verdict.gate, verdict.summary)).collect();
        return refuse(format!(
            "{} of {} gates do not pass ({})",
            failing.len(),
            approval.verdicts.len(),
            text.join("; ")
        ));
    }
    Ok(())
}

/// Most bytes of a reason: with everything else it still fits a standard parameter. That of an override stands in the lock, too,
/// which has room for a few.
pub(super) const LONGEST_REASON: usize = 1_000;

/// What is said of a build that nobody has signed.
pub(super) const BUILDER_UNKNOWN: &str = "it is not known who built it";

/// What the rules of a channel look at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    /// What is in the channel that this one comes `after`.
    pub(super) before: Option<&'a Release>,
    /// A person's approval of the AMI for the channel.
    pub(super) consent: Option<&'a Consent>,
    /// Who has built it, if the channel wants to know.
    pub(super) builder: &'a Builder,
}

impl<'a> From<&'a State> for Known<'a> {
    fn from(state: &'a State) -> Self {
        Self { before: state.before.as_ref(), consent: state.consent.as_ref(), builder: &state.builder }
    }
}

/// The channel's own rules: when it takes releases, where the release must be first, for how long, and who must have
/// approved. `evidence` is the digest of what the verdicts are about.
pub(super) fn channel(
    channel: &Channel,
    (recipe, ami): (&str, &str),
    known: Known<'_>,
    evidence: Option<&str>,
    now: OffsetDateTime,
) -> Result<(), PromoteError> {
    // All of them: whoever passes over rules passes over each, and the record says which.
    let missing: Vec<String> =
        [open(channel, now), order(channel, ami, known.before, now), consent(channel, ami, known, evidence)]
            .into_iter()
            .flatten()
            .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let (channel, recipe, ami) = (channel.name.clone(), recipe.to_owned(), ami.to_owned());
    Err(PromoteError::Rule { channel, recipe, ami, missing: missing.join("; ") })
}

/// Passes over a rule, if somebody says why and the channel allows it: what goes into the record.
pub(super) fn overridden(order: &Order<'_>, channel: &Channel, rule: PromoteError) -> Result<String, PromoteError> {
    let Some(reason) = &order.override_reason else { return Err(rule) };
    if channel.override_forbidden {
        return Err(PromoteError::OverrideForbidden { channel: channel.name.clone() });
    }
    if reason.trim().is_empty() {
        return Err(PromoteError::NoReason);
    }
    if reason.len() > LONGEST_REASON {
        return Err(PromoteError::LongReason { bytes: reason.len(), most: LONGEST_REASON });
    }
    Ok(format!("{reason} (although {rule})"))
}

/// Freezes and windows.
fn open(channel: &Channel, now: OffsetDateTime) -> Option<String> {
    if let Some(freeze) = channel.freezes.iter().find(|freeze| freeze.is_on(now)) {
        return Some(format!("it is frozen from {} to {}: {}", freeze.from, freeze.to, freeze.reason));
    }
    if channel.windows.is_empty() || channel.windows.iter().any(|window| window.is_open(now)) {
        return None;
    }
    let windows: Vec<&str> = channel.windows.iter().map(|window| window.text.as_str()).collect();
    Some(format!("it takes releases {} (UTC) only", windows.join(", ")))
}

fn order(channel: &Channel, ami: &str, before: Option<&Release>, now: OffsetDateTime) -> Option<String> {
    let after = channel.after.as_ref()?;
    let Some(before) = before.filter(|release| release.ami == ami) else {
        let there = before.map_or_else(|| "is empty".to_owned(), |release| format!("holds {}", release.ami));
        return Some(format!("it must be in channel `{after}` first, which {there}"));
    };
    let text = soaking(before, channel.soak?, now)?;
    Some(format!("{text} in channel `{after}`"))
}

/// A person has approved what is promoted now, with the evidence there is now; where the channel wants it, another one than
/// who built it and who brought it to the channel before. Whoever these were must be known.
fn consent(channel: &Channel, ami: &str, known: Known<'_>, evidence: Option<&str>) -> Option<String> {
    if !channel.approval_required {
        return None;
    }
    let Some(consent) = known.consent.filter(|consent| consent.ami == ami) else {
        return Some("a person must approve it".to_owned());
    };
    if Some(consent.evidence.as_str()) != evidence {
        return Some(format!("{} has approved it with other evidence ({})", consent.by, consent.evidence));
    }
    if !channel.approval_by_another {
        return None;
    }
    match known.builder {
        Builder::Unknown => return Some(format!("{BUILDER_UNKNOWN}, so another one cannot be told")),
        Builder::Known(who) if is_same(who, &consent.by) => {
            return Some(format!("{} has approved it, and {who} has built it: another one must", consent.by));
        }
        Builder::Known(_) | Builder::Schedule => {}
    }
    let Some((before, caller)) = known.before.and_then(|before| Some((before, before.caller.as_ref()?))) else {
        return Some("it is not known who brought it to the channel before, so another one cannot be told".to_owned());
    };
    // Whoever finished it has brought it there, too.
    let brought = std::iter::once(caller).chain(&before.resumed_by).find(|who| is_same(who, &consent.by));
    brought.map(|who| {
        format!("{} has approved it, and {who} brought it to the channel before: another one must", consent.by)
    })
}

/// Whether two callers may be the same. Whoever takes on a role chooses the name of the session, so it tells nobody apart; only of
/// roles of IAM Identity Center it is the user, and not for choosing (general knowledge of AWS).
fn is_same(one: &str, other: &str) -> bool {
    let role = |arn: &str| {
        let (role, _) = arn.rsplit_once('/').filter(|(role, _)| role.contains(":assumed-role/"))?;
        (!role.contains(":assumed-role/AWSReservedSSO_")).then(|| role.to_owned())
    };
    one == other || role(one).is_some_and(|first| role(other).as_ref() == Some(&first))
}

/// What is missing of the soak time; `None` when it is over. A time that cannot be read never counts as long ago.
fn soaking(before: &Release, soak: Duration, now: OffsetDateTime) -> Option<String> {
    let Ok(since) = OffsetDateTime::parse(&before.promoted_at, &Rfc3339) else {
        return Some(format!(
            "its time of promotion `{}` cannot be read, it must soak {}",
            before.promoted_at,
            human_duration(soak)
        ));
    };
    let there = Duration::try_from(now - since).unwrap_or(Duration::ZERO);
    if there >= soak {
        return None;
    }
    let until = crate::clock::rfc3339(since + soak);
    Some(format!("it must soak {} (until {until}), it has been {}", human_duration(soak), human_duration(there)))
}

#[cfg(test)]
mod tests {
    use super::super::older;
    use super::*;

    #[test]
    fn another_session_of_a_role_is_nobody_else_unless_identity_center_names_its_user() {
        let role = |role: &str, session: &str| format!("arn:aws:sts::111122223333:assumed-role/{role}/{session}");
        assert!(is_same("arn:a", "arn:a") && !is_same("arn:a", "arn:b"));
        assert!(is_same(&role("deploy", "run-1"), &role("deploy", "run-2")));
        assert!(!is_same(&role("deploy", "run-1"), &role("release", "run-1")));
        let user = |name: &str| role("AWSReservedSSO_Admin_0123456789abcdef", name);
        assert!(is_same(&user("ann"), &user("ann")) && !is_same(&user("ann"), &user("bob")));
        let alice = "arn:aws:iam::111122223333:user/team/alice";
        assert!(!is_same(alice, "arn:aws:iam::111122223333:user/team/bob"), "users are no roles");
    }

    #[test]
    fn another_one_has_neither_built_it_nor_brought_it_there_nor_finished_that() {
        let release = serde_json::json!({
            "schema": "amiforge.release/2", "id": "1", "project": "acme", "recipe": "web", "arch": "x86_64", "channel": "first",
            "ami": "ami-1", "evidence": "sha256:1", "targets": [], "promoted_at": "2026-01-01T00:00:00Z", "by": "host", "reason": "r",
            "caller": "arn:ann", "resumed_by": ["arn:bob"],
        });
        let before = older::release("/p", &release.to_string()).unwrap();
        let channel = Channel { approval_required: true, approval_by_another: true, ..Channel::default() };
        let missing_of = |builder: &Builder, by: &str| {
            let (ami, evidence) = ("ami-1".to_owned(), "sha256:1".to_owned());
            let (by, at, reason) = (by.to_owned(), "2026-01-02T00:00:00Z".to_owned(), "good".to_owned());
            let given = Consent { schema: String::new(), ami, evidence, by, at, reason };
            let known = Known { before: Some(&before), consent: Some(&given), builder };
            consent(&channel, "ami-1", known, Some("sha256:1"))
        };
        let missing = |by: &str| missing_of(&Builder::Schedule, by);
        assert!(missing("arn:ann").is_some_and(|why| why.contains("arn:ann brought it")));
        assert!(missing("arn:bob").is_some_and(|why| why.contains("arn:bob brought it")));
        assert_eq!(missing("arn:cid"), None);
        let cid = Builder::Known("arn:cid".into());
        assert!(missing_of(&cid, "arn:cid").is_some_and(|why| why.contains("arn:cid has built it")));
        assert_eq!(missing_of(&cid, "arn:dan"), None);
        assert!(missing_of(&Builder::Unknown, "arn:dan").is_some_and(|why| why.contains("not known who built it")));
    }
}

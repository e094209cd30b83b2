//! The gate on what an image carries and should not.

use super::AGAIN;
use super::case::{Case, Outcome};
use super::times;
use super::verdict::{Found, Verdict};
use crate::evidence::hygiene::{RULES, VERSION};
use crate::evidence::{Evidence, Hygiene};
use crate::project::HygieneGate;
use time::OffsetDateTime;

const GATE: &str = "hygiene";

/// Too much is each finding of a rule that is not allowed. A rule that was not looked at says nothing.
pub(super) fn check<'a>(gate: &'a HygieneGate, evidence: &'a Evidence, now: OffsetDateTime) -> Outcome<'a> {
    let Some(hygiene) = &evidence.hygiene else {
        return Err(Verdict::error(GATE, "nobody looked at what the image carries").detail(AGAIN));
    };
    times::age("the time of the look at hygiene", &hygiene.looked_at, now).map_err(|why| Verdict::error(GATE, why))?;
    if hygiene.version != VERSION {
        let (is, wanted) = (hygiene.version, VERSION);
        let why = format!("the image was looked at by version {is} of the rules, this program has version {wanted}");
        return Err(Verdict::error(GATE, why).detail(AGAIN));
    }
    let allowed = |rule: &str| gate.allow.iter().any(|allowed| allowed == rule);
    let wanted = RULES.iter().map(|rule| rule.name).filter(|rule| !allowed(rule));
    let unseen: Vec<String> = wanted.clone().filter_map(|rule| not_looked_at(hygiene, rule)).collect();
    let (accepted, open): (Vec<_>, Vec<_>) = hygiene.findings.iter().partition(|finding| allowed(&finding.rule));
    let findings: Vec<Found> = open
        .into_iter()
        .map(|finding| {
            let what = format!("{} {}: {} ({})", finding.severity, finding.rule, finding.path, finding.why);
            Found::new(format!("{}:{}", finding.rule, finding.path), what)
        })
        .collect();
    if !unseen.is_empty() {
        let verdict = Verdict::error(GATE, format!("not looked at: {}", unseen.join("; ")));
        return Err(findings.iter().fold(verdict, |verdict, found| verdict.detail(&found.what)).detail(AGAIN));
    }
    let count = wanted.count();
    let case = Case::limited(GATE, findings, format!("nothing was found by {count} rules"), |open: &[usize]| {
        let noun = if open.len() == 1 { "thing" } else { "things" };
        (!open.is_empty()).then(|| format!("the image carries {} {noun} that it should not", open.len()))
    });
    let names = |rules: &[String]| if rules.is_empty() { String::new() } else { format!(" ({})", rules.join(", ")) };
    let looked = format!(
        "looked at: an instance, at {}, {} findings accepted{}",
        hygiene.looked_at,
        accepted.len(),
        names(&gate.allow)
    );
    Ok(case.looked_at(looked).advice("remove it in the build, or accept its rule with `gates.hygiene.allow`"))
}

/// Why a rule says nothing.
fn not_looked_at(hygiene: &Hygiene, rule: &str) -> Option<String> {
    if let Some(failed) = hygiene.failed.iter().find(|failed| failed.rule == rule) {
        return Some(format!("{rule} ({})", failed.why));
    }
    (!hygiene.rules.iter().any(|looked| looked == rule)).then(|| rule.to_owned())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{NOW, one};
    use super::super::verdict::VerdictStatus::{self, Error, Fail, Pass, Waived};
    use super::super::{Context, judge};
    use super::*;
    use crate::evidence::testing::evidence;
    use crate::evidence::{FailedRule, HygieneFinding};
    use crate::project::{Gates, Waiver};

    fn finding(rule: &str, path: &str) -> HygieneFinding {
        let text = |text: &str| text.to_owned();
        HygieneFinding { rule: text(rule), severity: text("high"), path: text(path), why: text("shared") }
    }

    fn gates(allow: &[&str]) -> Gates {
        let allow = allow.iter().map(|rule| (*rule).to_owned()).collect();
        Gates { hygiene: Some(HygieneGate { allow }), ..Gates::default() }
    }

    fn judged(allow: &[&str], change: impl FnOnce(&mut Hygiene)) -> (VerdictStatus, String) {
        let verdict = one(&gates(allow), NOW, |evidence| change(evidence.hygiene.as_mut().unwrap()));
        (verdict.status, verdict.summary)
    }

    #[test]
    fn what_is_found_fails_unless_its_rule_is_allowed() {
        assert_eq!(judged(&[], |_| ()), (Pass, "nothing was found by 15 rules".into()));
        let dirty = |hygiene: &mut Hygiene| {
            hygiene.findings = vec![finding("host-keys", "/etc/ssh/key"), finding("logs", "/var/log/syslog")];
        };
        assert_eq!(judged(&[], dirty), (Fail, "the image carries 2 things that it should not".into()));
        assert_eq!(judged(&["logs"], dirty), (Fail, "the image carries 1 thing that it should not".into()));
        assert_eq!(judged(&["logs", "host-keys"], dirty).0, Pass);
    }

    #[test]
    fn what_was_not_looked_at_is_not_clean() {
        assert_eq!(one(&gates(&[]), NOW, |evidence| evidence.hygiene = None).status, Error);
        assert_eq!(
            judged(&[], |hygiene| hygiene.rules.retain(|rule| rule != "swap")),
            (Error, "not looked at: swap".into())
        );
        let failed = |hygiene: &mut Hygiene| {
            hygiene.rules.retain(|rule| rule != "swap");
            hygiene.failed.push(FailedRule { rule: "swap".into(), why: "awk: not found".into() });
        };
        assert_eq!(judged(&[], failed), (Error, "not looked at: swap (awk: not found)".into()));
        assert_eq!(judged(&["swap"], failed).0, Pass, "what is accepted need not be looked at");
        assert_eq!(judged(&[], |hygiene| hygiene.version += 1).0, Error);
        assert_eq!(judged(&[], |hygiene| hygiene.looked_at = "2026-11-24T00:00:00Z".into()).0, Error);
    }

    #[test]
    fn a_waiver_names_the_rule_and_the_place() {
        let mut evidence = evidence();
        evidence.hygiene.as_mut().unwrap().findings = vec![finding("sudoers", "/etc/sudoers.d/90-ops")];
        let waived = |name: &str| {
            let waiver = Waiver {
                gate: "hygiene".into(),
                finding: name.into(),
                recipe: None,
                package: None,
                version: None,
                owner: "platform".into(),
                reason: "r".into(),
                expires: time::macros::date!(2026 - 12 - 31),
                place: "waivers.yaml:2".into(),
            };
            let context = Context { waivers: std::slice::from_ref(&waiver), ..Context::at(NOW) };
            judge(&gates(&[]), &evidence, &context).verdicts[0].status
        };
        assert_eq!(waived("sudoers:/etc/sudoers.d/90-ops"), Waived);
        assert_eq!((waived("sudoers"), waived("sudoers:/etc/sudoers.d/91")), (Fail, Fail));
    }
}

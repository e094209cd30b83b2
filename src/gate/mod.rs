//! Evidence and policy in, verdicts out. Pure.
//!
//! Fail closed: what was not scanned, not tested, cannot be read or lies in the future is an error, and an error is
//! never a pass. Each verdict says what it looked at and why. A gate finds what speaks against an image; what a waiver
//! accepts is taken out; the rest is held against the limits of the policy.

mod case;
mod checks;
mod commands;
mod hygiene;
mod origin;
mod packages;
mod patches;
mod size;
mod tested;
mod times;
mod verdict;
mod vulnerabilities;
mod waivers;

pub use verdict::{Found, Verdict, VerdictStatus, WaivedBy};
pub use waivers::{WaiverReport, WaiverState};

use crate::evidence::{Evidence, SCHEMA};
use crate::project::{Gates, Waiver};
use case::Outcome;
use serde::Serialize;
use time::OffsetDateTime;
use waivers::Waivers;

/// What to do when evidence says nothing.
const AGAIN: &str = "run `amiforge validate` again";

/// What gates depend on besides policy and evidence.
#[derive(Debug, Clone)]
pub struct Context<'a> {
    /// The moment that is judged for.
    pub now: OffsetDateTime,
    /// Which image is judged; evidence of another one is an error in every gate.
    pub subject: Option<Subject<'a>>,
    /// The recipe's baseline as it is today; a scan by another one is an error.
    pub baseline: Option<BaselineNow<'a>>,
    /// The release that the image would take the place of.
    pub promoted: Promoted<'a>,
    /// Accepted findings.
    pub waivers: &'a [Waiver],
}

impl Context<'_> {
    /// That moment, and nothing else known: no image in particular, nothing promoted, no waivers.
    #[must_use]
    pub const fn at(now: OffsetDateTime) -> Self {
        Self { now, subject: None, baseline: None, promoted: Promoted::Nothing, waivers: &[] }
    }
}

/// The image that is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the words of DESIGN section 2")]
pub struct Subject<'a> {
    pub project: &'a str,
    pub recipe: &'a str,
    pub arch: &'a str,
    pub account: &'a str,
    pub region: &'a str,
    pub ami: &'a str,
}

/// A baseline as it is today.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaselineNow<'a> {
    /// Its name.
    pub name: &'a str,
    /// Digest of its content, where it is known.
    pub digest: Option<String>,
}

/// What is known of the release that an image would take the place of.
#[derive(Debug, Clone)]
pub enum Promoted<'a> {
    /// There is none yet.
    Nothing,
    /// Its evidence.
    Known(&'a Evidence),
    /// There is one, and why its evidence is not known.
    Unknown(String),
}

/// All verdicts, and what became of the waivers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judgement {
    /// One per gate of the policy, in the policy's order.
    pub verdicts: Vec<Verdict>,
    /// Waivers for this recipe and these gates.
    pub waivers: Vec<WaiverReport>,
}

/// Judges an image: one verdict per gate of the policy, in the policy's order.
#[must_use]
pub fn judge(gates: &Gates, evidence: &Evidence, context: &Context<'_>) -> Judgement {
    let now = context.now;
    let outcomes: [Option<Outcome<'_>>; 10] = [
        gates.patches.as_ref().map(|gate| patches::check(gate, evidence, context)),
        gates.vulnerabilities.as_ref().map(|gate| vulnerabilities::check(gate, evidence, context)),
        gates.image.as_ref().map(|gate| checks::image(gate, evidence)),
        gates.tests.as_ref().map(|gate| tested::check(gate, evidence)),
        gates.packages.as_ref().map(|gate| packages::check(gate, evidence)),
        gates.size.as_ref().map(|gate| size::check(gate, evidence, context)),
        gates.max_age.map(|max| checks::age(max, evidence, now)),
        gates.parent.as_ref().map(|gate| origin::check(gate, evidence, now)),
        gates.hygiene.as_ref().map(|gate| hygiene::check(gate, evidence, now)),
        Some(&gates.commands).filter(|all| !all.is_empty()).map(|all| commands::check(all, evidence)),
    ];
    let old = old(gates, evidence, now);
    let unusable = unusable(evidence, context).or_else(|| old.clone().err().map(|why| (why, AGAIN)));
    let old = old.unwrap_or_default();
    let mut waivers = Waivers::new(context.waivers, &evidence.candidate.recipe, &gates.unwaivable, now);
    let mut verdicts = vec![];
    for outcome in outcomes.into_iter().flatten() {
        let verdict = match outcome {
            Err(verdict) => verdict,
            Ok(case) => {
                let gate = case.gate;
                case.of_evidence(old.as_deref()).decide(|found| waivers.waive(gate, found))
            }
        };
        verdicts.push(match &unusable {
            None => verdict,
            Some((why, advice)) => Verdict::error(&verdict.gate, why.clone()).detail(*advice),
        });
    }
    let evaluated: Vec<&str> = verdicts.iter().map(|verdict| verdict.gate.as_str()).collect();
    let waivers = waivers.report(&evaluated);
    Judgement { verdicts, waivers }
}

/// Whether a candidate may be promoted: there is a verdict, and each is a pass or waived.
#[must_use]
pub fn approved(verdicts: &[Verdict]) -> bool {
    !verdicts.is_empty() && verdicts.iter().all(|verdict| verdict.status.approves())
}

/// Why the evidence as a whole is too old, if it is; or why its age cannot be told.
fn old(gates: &Gates, evidence: &Evidence, now: OffsetDateTime) -> Result<Option<String>, String> {
    let (age, limit) = (times::age("the evidence's time", &evidence.collected_at, now)?, gates.valid_within());
    let (words, most) = (times::human(age), times::human(limit));
    Ok((age > limit).then(|| format!("the evidence is {words} old, at most {most} are allowed")))
}

/// Why this evidence says nothing at all, and what to do.
fn unusable(evidence: &Evidence, context: &Context<'_>) -> Option<(String, &'static str)> {
    // What another version of the document means is not known.
    if evidence.schema != SCHEMA {
        let found = &evidence.schema;
        return Some((format!("the evidence has schema `{found}`, this program reads `{SCHEMA}`"), AGAIN));
    }
    let subject = context.subject?;
    let is = &evidence.candidate;
    let pairs = [
        ("image", is.ami.as_str(), subject.ami),
        ("recipe", &is.recipe, subject.recipe),
        ("architecture", &is.arch, subject.arch),
        ("account", &is.account, subject.account),
        ("Region", &is.region, subject.region),
        ("project", &is.project, subject.project),
    ];
    let other = pairs.into_iter().find(|(_, is, wanted)| is != wanted);
    other.map(|(what, is, wanted)| (format!("the evidence is about {what} `{is}`, not about `{wanted}`"), AGAIN))
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

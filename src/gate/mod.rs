//! Evidence and policy in, verdicts out. Pure.
//!
//! Fail closed: what was not scanned, not tested, cannot be read or lies in the future is an error, and an error is
//! never a pass. Each verdict says what it looked at and why.

mod checks;
mod patches;
mod times;
mod verdict;
mod vulnerabilities;

pub use verdict::{Verdict, VerdictStatus};

use crate::evidence::{Evidence, SCHEMA};
use crate::project::Gates;
use time::OffsetDateTime;

/// One verdict per gate of the policy, in the policy's order: patches, vulnerabilities, image, tests, age.
#[must_use]
pub fn evaluate(gates: &Gates, evidence: &Evidence, now: OffsetDateTime) -> Vec<Verdict> {
    let verdicts = [
        gates.patches.as_ref().map(|gate| patches::check(gate, evidence, now)),
        gates.vulnerabilities.as_ref().map(|gate| vulnerabilities::check(gate, evidence, now)),
        gates.image.as_ref().map(|gate| checks::image(gate, evidence, now)),
        gates.tests.as_ref().map(|gate| checks::tests(gate, evidence, now)),
        gates.max_age.map(|max| checks::age(max, evidence, now)),
    ];
    verdicts.into_iter().flatten().map(|verdict| readable(verdict, evidence)).collect()
}

/// Whether a candidate may be promoted: there is a verdict, and each is a pass or waived.
#[must_use]
pub fn approved(verdicts: &[Verdict]) -> bool {
    !verdicts.is_empty() && verdicts.iter().all(|verdict| verdict.status.approves())
}

/// What another version of the document means is not known, so nothing can be said about it.
fn readable(verdict: Verdict, evidence: &Evidence) -> Verdict {
    if evidence.schema == SCHEMA {
        return verdict;
    }
    let summary = format!("the evidence has schema `{}`, this program reads `{SCHEMA}`", evidence.schema);
    Verdict::new(&verdict.gate, VerdictStatus::Error, summary).detail("run `amiforge validate` again")
}

#[cfg(test)]
mod tests;

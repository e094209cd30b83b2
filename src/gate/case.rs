//! From what speaks against an image to a verdict, the same way for every gate.

use super::verdict::{Found, Verdict, VerdictStatus};

/// Says why these findings, given by their places, are too many; nothing when they are not. Of fewer findings it must
/// never say more.
type Limit<'a> = Box<dyn Fn(&[usize]) -> Option<String> + 'a>;

/// What a gate has found, before waivers.
pub(super) struct Case<'a> {
    pub gate: &'static str,
    /// What speaks against the image.
    pub findings: Vec<Found>,
    /// Whether it is too much.
    pub limit: Limit<'a>,
    /// What to say when it is not.
    pub good: String,
    /// Why what was looked at is too old.
    pub stale: Option<String>,
    /// What was looked at, and what else there is to know.
    pub looked_at: Vec<String>,
    /// What to do when it does not pass.
    pub advice: Vec<String>,
}

/// A case, or a verdict at once because nothing can be said.
pub(super) type Outcome<'a> = Result<Case<'a>, Verdict>;

impl<'a> Case<'a> {
    /// A case in which each finding is too much. The summary of a failure names all of them.
    pub(super) fn strict(gate: &'static str, findings: Vec<Found>, good: impl Into<String>) -> Self {
        let words: Vec<String> = findings.iter().map(|found| found.what.clone()).collect();
        let limit = move |open: &[usize]| {
            let named: Vec<&str> = open.iter().filter_map(|at| words.get(*at)).map(String::as_str).collect();
            (!named.is_empty()).then(|| named.join("; "))
        };
        Self::limited(gate, findings, good, limit)
    }

    /// A case in which some findings are allowed.
    pub(super) fn limited(
        gate: &'static str,
        findings: Vec<Found>,
        good: impl Into<String>,
        limit: impl Fn(&[usize]) -> Option<String> + 'a,
    ) -> Self {
        let good = good.into();
        Self { gate, findings, limit: Box::new(limit), good, stale: None, looked_at: vec![], advice: vec![] }
    }

    pub(super) fn looked_at(mut self, line: impl Into<String>) -> Self {
        self.looked_at.push(line.into());
        self
    }

    pub(super) fn advice(mut self, line: impl Into<String>) -> Self {
        self.advice.push(line.into());
        self
    }

    pub(super) fn stale(mut self, why: Option<String>) -> Self {
        self.stale = why;
        self
    }

    /// The same when the evidence as a whole is too old, unless what was looked at is known to be so itself.
    pub(super) fn of_evidence(mut self, too_old: Option<&str>) -> Self {
        if let (None, Some(why)) = (&self.stale, too_old) {
            (self.stale, self.advice) = (Some(why.to_owned()), vec![super::AGAIN.to_owned()]);
        }
        self
    }

    /// The verdict. `waive` is asked about each finding and marks those that a waiver accepts; what it returns is said of
    /// the finding besides.
    pub(super) fn decide(self, mut waive: impl FnMut(&mut Found) -> Option<String>) -> Verdict {
        let Self { gate, mut findings, limit, good, stale, looked_at, advice } = self;
        let remarks: Vec<Option<String>> = findings.iter_mut().map(&mut waive).collect();
        let all: Vec<usize> = (0..findings.len()).collect();
        let open: Vec<usize> = all.iter().copied().filter(|at| findings[*at].waived.is_none()).collect();
        let (status, summary) = match (stale, limit(&open), limit(&all)) {
            (Some(why), _, _) => (VerdictStatus::Stale, why),
            (None, Some(why), _) => (VerdictStatus::Fail, why),
            (None, None, Some(_)) => {
                let count = findings.len() - open.len();
                let noun = if count == 1 { "finding" } else { "findings" };
                (VerdictStatus::Waived, format!("{count} {noun} accepted by waivers; else {good}"))
            }
            (None, None, None) => (VerdictStatus::Pass, good),
        };
        let mut verdict = Verdict::new(gate, status, summary);
        // What is not accepted comes first.
        let waived = all.iter().copied().filter(|at| findings[*at].waived.is_some());
        for at in open.iter().copied().chain(waived) {
            let remark = remarks[at].as_ref().map_or_else(String::new, |remark| format!(" ({remark})"));
            verdict.details.push(findings[at].line() + &remark);
        }
        verdict.details.extend(looked_at);
        if !status.approves() {
            verdict.details.extend(advice);
        }
        verdict.findings = findings;
        verdict
    }
}

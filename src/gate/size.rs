//! The gate on the size of an image, and on how much larger it is than the promoted one.

use super::AGAIN;
use super::case::{Case, Outcome};
use super::verdict::{Found, Verdict};
use super::{Context, Promoted};
use crate::evidence::Evidence;
use crate::project::SizeGate;

const GATE: &str = "size";

/// Too much is more than the policy allows in all, and more growth than it allows.
pub(super) fn check<'a>(gate: &'a SizeGate, evidence: &'a Evidence, context: &Context<'_>) -> Outcome<'a> {
    let Some(used) = evidence.used_kib.filter(|used| *used > 0) else {
        return Err(Verdict::error(GATE, "it was not measured what the files of the image take").detail(AGAIN));
    };
    let mut wrong = vec![];
    let mut notes = vec![format!("looked at: {} MiB of files in {}", mib(used), evidence.candidate.ami)];
    if let Some(most) = gate.max_mib.filter(|most| used > u64::from(*most) * 1024) {
        wrong.push(Found::new("max_mib", format!("its files take {} MiB, at most {most} are allowed", mib(used))));
    }
    if let Some(most) = gate.max_growth {
        match before(&context.promoted)? {
            None => notes.push("nothing is promoted yet, so there is nothing to have grown from".to_owned()),
            Some((ami, before)) => {
                notes.push(format!("the promoted {ami} has {} MiB", mib(before)));
                if u128::from(used) * 100 > u128::from(before) * (100 + u128::from(most)) {
                    let (now, before) = (mib(used), mib(before));
                    let what = format!("its files grew from {before} to {now} MiB, at most {most} % are allowed");
                    wrong.push(Found::new("max_growth", what));
                }
            }
        }
    }
    let mut case = Case::strict(GATE, wrong, format!("{} MiB", mib(used)));
    case.looked_at = notes;
    Ok(case)
}

/// The promoted image and what its files take; nothing when there is none.
fn before<'a>(promoted: &Promoted<'a>) -> Result<Option<(&'a str, u64)>, Verdict> {
    let unknown = |why: &str| Verdict::error(GATE, format!("it is not known how large the promoted image is: {why}"));
    match promoted {
        Promoted::Nothing => Ok(None),
        Promoted::Unknown(why) => Err(unknown(why)),
        Promoted::Known(evidence) => match evidence.used_kib.filter(|used| *used > 0) {
            Some(used) => Ok(Some((&evidence.candidate.ami, used))),
            None => Err(unknown(&format!("{} was not measured", evidence.candidate.ami))),
        },
    }
}

fn mib(kib: u64) -> u64 {
    kib.div_ceil(1024)
}

#[cfg(test)]
mod tests {
    use super::super::tests::NOW;
    use super::super::verdict::VerdictStatus::{self, Error, Fail, Pass};
    use super::super::{Judgement, judge};
    use super::*;
    use crate::evidence::testing::evidence;
    use crate::project::Gates;

    fn sized(gate: SizeGate, used: Option<u64>, promoted: Promoted<'_>) -> (VerdictStatus, String) {
        let gates = Gates { size: Some(gate), ..Gates::default() };
        let evidence = Evidence { used_kib: used, ..evidence() };
        let Judgement { mut verdicts, .. } = judge(&gates, &evidence, &Context { promoted, ..Context::at(NOW) });
        let verdict = verdicts.remove(0);
        (verdict.status, verdict.summary)
    }

    #[test]
    fn the_limit_is_one_of_the_files() {
        let gate = || SizeGate { max_mib: Some(1000), max_growth: None };
        assert_eq!(sized(gate(), Some(1000 * 1024), Promoted::Nothing), (Pass, "1000 MiB".into()));
        assert_eq!(sized(gate(), Some(1000 * 1024 + 1), Promoted::Nothing).0, Fail);
        assert_eq!(sized(gate(), None, Promoted::Nothing).0, Error);
        assert_eq!(sized(gate(), Some(0), Promoted::Nothing).0, Error, "nothing is not small");
    }

    #[test]
    fn growth_is_measured_from_what_is_promoted() {
        let gate = || SizeGate { max_mib: None, max_growth: Some(10) };
        let before = Evidence { used_kib: Some(100 * 1024), ..evidence() };
        let against = |used| sized(gate(), Some(used), Promoted::Known(&before));
        assert_eq!(against(110 * 1024).0, Pass);
        let grown = against(110 * 1024 + 1);
        assert_eq!(grown, (Fail, "its files grew from 100 to 111 MiB, at most 10 % are allowed".into()));
        assert_eq!(against(50 * 1024).0, Pass);
        assert_eq!(sized(gate(), Some(1), Promoted::Nothing).0, Pass);
        assert_eq!(sized(gate(), Some(1), Promoted::Unknown("the file is gone".into())).0, Error);
        let unmeasured = Evidence { used_kib: None, ..evidence() };
        assert_eq!(sized(gate(), Some(1), Promoted::Known(&unmeasured)).0, Error);
    }
}

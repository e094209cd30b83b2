//! The gates on the image's attributes, its tests and its age.

use super::times;
use super::verdict::{Verdict, VerdictStatus};
use crate::evidence::Evidence;
use crate::project::{ImageGate, TestGate};
use std::time::Duration;
use time::OffsetDateTime;

/// The image can be used and has the attributes the policy asks for.
pub(super) fn image(gate: &ImageGate, evidence: &Evidence, now: OffsetDateTime) -> Verdict {
    const GATE: &str = "image";
    let image = &evidence.image;
    let looked_at = format!(
        "looked at: {} ({}), state {}, imds_v2 {}, encrypted {}, public {}",
        evidence.candidate.ami, image.name, image.state, image.imds_v2, image.encrypted, image.public
    );
    if let Err(why) = times::age("the evidence's time", &evidence.collected_at, now) {
        return Verdict::error(GATE, why).detail(looked_at);
    }
    if image.state.is_empty() || evidence.candidate.ami.is_empty() {
        return Verdict::error(GATE, "the attributes of the image were not read")
            .detail("run `amiforge validate` again");
    }
    let mut wrong = vec![];
    if image.state != "available" {
        wrong.push(format!("the image is {}, not available", image.state));
    }
    if gate.imds_v2 && !image.imds_v2 {
        wrong.push("instances of it would answer IMDSv1".to_owned());
    }
    if gate.encrypted && !image.encrypted {
        wrong.push("its root volume is not encrypted".to_owned());
    }
    if wrong.is_empty() {
        let mut has = vec!["available"];
        has.extend(gate.imds_v2.then_some("IMDSv2 required"));
        has.extend(gate.encrypted.then_some("encrypted"));
        return Verdict::new(GATE, VerdictStatus::Pass, has.join(", ")).detail(looked_at);
    }
    Verdict::new(GATE, VerdictStatus::Fail, wrong.join("; ")).detail(looked_at)
}

/// Tests ran and passed, and what has to be real was.
pub(super) fn tests(gate: &TestGate, evidence: &Evidence, now: OffsetDateTime) -> Verdict {
    const GATE: &str = "tests";
    let Some(tests) = &evidence.tests else {
        let verdict = Verdict::error(GATE, "nothing was tested");
        return verdict.detail(if evidence.candidate.image_arn.is_some() {
            "name components under `test:` in the recipe and build again"
        } else {
            "this image was not built from the recipe, so the recipe's tests have not run on it"
        });
    };
    if let Err(why) = times::age("the evidence's time", &evidence.collected_at, now) {
        return Verdict::error(GATE, why);
    }
    if tests.executed_steps == 0 {
        return Verdict::error(GATE, "nothing was tested: not one test step was executed")
            .detail(tests.message.clone());
    }
    let steps = format!("{} of {} test steps failed", tests.failed_steps, tests.executed_steps);
    if !tests.passed || tests.failed_steps > 0 {
        return Verdict::new(GATE, VerdictStatus::Fail, steps).detail(tests.message.clone());
    }
    let missing: Vec<_> = tests.not_real.iter().filter(|fact| gate.real.contains(&fact.name)).collect();
    if !missing.is_empty() {
        let names: Vec<&str> = missing.iter().map(|fact| fact.name.as_str()).collect();
        let summary = format!("not real where the tests ran: {}", names.join(", "));
        let verdict = Verdict::new(GATE, VerdictStatus::Fail, summary);
        return missing.iter().fold(verdict, |verdict, fact| verdict.detail(format!("{}: {}", fact.name, fact.why)));
    }
    let summary = match tests.skipped_steps {
        0 => format!("{} test steps passed", tests.executed_steps),
        skipped => format!("{} test steps passed, {skipped} skipped", tests.executed_steps),
    };
    let verdict = Verdict::new(GATE, VerdictStatus::Pass, summary);
    if tests.message.is_empty() { verdict } else { verdict.detail(tests.message.clone()) }
}

/// The image is at most `max` old.
pub(super) fn age(max: Duration, evidence: &Evidence, now: OffsetDateTime) -> Verdict {
    const GATE: &str = "age";
    let created = &evidence.candidate.created_at;
    let age = match times::age("the image's creation time", created, now) {
        Ok(age) => age,
        Err(why) => return Verdict::error(GATE, why),
    };
    let (age_words, max_words) = (times::human(age), times::human(max));
    let looked_at = format!("looked at: {} created {created}", evidence.candidate.ami);
    if age > max {
        let summary = format!("the image is {age_words} old, at most {max_words} are allowed");
        return Verdict::new(GATE, VerdictStatus::Fail, summary).detail(looked_at).detail("build a new one");
    }
    Verdict::new(GATE, VerdictStatus::Pass, format!("{age_words} old, at most {max_words} are allowed"))
        .detail(looked_at)
}

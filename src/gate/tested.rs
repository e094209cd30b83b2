//! The gate on the tests of the build.

use super::case::{Case, Outcome};
use super::verdict::{Found, Verdict};
use crate::evidence::{Evidence, TestOutcome, TestResult, TestStep};
use crate::project::{TestGate, TestName};

const GATE: &str = "tests";

/// Tests ran and passed, those that are required by name among them, and what has to be real was.
pub(super) fn check<'a>(gate: &'a TestGate, evidence: &'a Evidence) -> Outcome<'a> {
    let Some(tests) = &evidence.tests else {
        let verdict = Verdict::error(GATE, "nothing was tested");
        return Err(verdict.detail(if evidence.candidate.image_arn.is_some() {
            "name components under `test:` in the recipe and build again"
        } else {
            "this image was not built from the recipe, so the recipe's tests have not run on it"
        }));
    };
    if tests.executed_steps == 0 {
        let why = match tests.skipped_steps {
            0 => "nothing was tested: not one test step was executed".to_owned(),
            skipped => format!("nothing was tested: all {skipped} test steps were skipped"),
        };
        return Err(Verdict::error(GATE, why).detail(tests.message.clone()));
    }
    let mut wrong = counted(gate, tests);
    wrong.extend(named(gate, tests)?);
    for fact in tests.not_real.iter().filter(|fact| gate.real.contains(&fact.name)) {
        wrong.push(Found::new(&fact.name, format!("{}: {}", fact.name, fact.why)));
    }
    let good = match tests.skipped_steps {
        0 => format!("{} test steps passed", tests.executed_steps),
        skipped => format!("{} test steps passed, {skipped} skipped", tests.executed_steps),
    };
    let mut case = Case::limited(GATE, wrong.clone(), good, limit(gate, &wrong));
    case.looked_at.extend(Some(tests.message.clone()).filter(|message| !message.is_empty()));
    case.looked_at.extend(looked_at(gate));
    Ok(case)
}

/// By numbers alone.
fn counted(gate: &TestGate, tests: &TestResult) -> Vec<Found> {
    let mut wrong = vec![];
    if !tests.passed || tests.failed_steps > 0 {
        let steps = format!("{} of {} test steps failed", tests.failed_steps, tests.executed_steps);
        wrong.push(Found::new("failed", steps));
    }
    if let Some(most) = gate.max_skipped.filter(|most| tests.skipped_steps > *most) {
        let what = format!("{} test steps were skipped, which is not passed; {most} allowed", tests.skipped_steps);
        wrong.push(Found::new("max_skipped", what));
    }
    wrong
}

/// Each test that is required by its name and has not passed, all of its steps, wherever it ran.
fn named(gate: &TestGate, tests: &TestResult) -> Result<Vec<Found>, Verdict> {
    if gate.required.is_empty() {
        return Ok(vec![]);
    }
    if let Some(case) = tests.cases.iter().find(|case| case.steps.is_none()) {
        let why = format!("it is not known which steps `{}` ran, so no test can be required by its name", case.name);
        let advice = "set `log_bucket` in the environment, from which the steps are read, and build again";
        return Err(Verdict::error(GATE, why).detail(advice));
    }
    let steps: Vec<&TestStep> = tests.cases.iter().flat_map(|case| case.steps.iter().flatten()).collect();
    Ok(gate.required.iter().filter_map(|name| not_passed(name, &steps)).collect())
}

/// Why a test has not passed: it did not run, or one of its steps did anything else than pass.
fn not_passed(name: &TestName, steps: &[&TestStep]) -> Option<Found> {
    let is_meant = |step: &&&TestStep| {
        step.component == name.component && name.step.as_ref().is_none_or(|wanted| *wanted == step.step)
    };
    let meant: Vec<&&TestStep> = steps.iter().filter(is_meant).collect();
    let found = |what: String| Some(Found::new(name.to_string(), what));
    if meant.is_empty() {
        return found(format!("{name} is required and did not run"));
    }
    let bad = meant.into_iter().filter(|step| step.outcome != TestOutcome::Passed);
    let words: Vec<String> = bad.map(|step| said(step)).collect();
    if words.is_empty() { None } else { found(format!("{name} is required: {}", words.join(", "))) }
}

fn said(step: &TestStep) -> String {
    let name = &step.step;
    match step.outcome {
        TestOutcome::Passed => format!("{name} passed"),
        TestOutcome::Failed if step.message.is_empty() => format!("{name} failed"),
        TestOutcome::Failed => format!("{name} failed ({})", step.message),
        TestOutcome::Skipped => format!("{name} was skipped, which is not passed"),
        TestOutcome::Unknown => format!("it is not known what became of {name}"),
    }
}

/// Everything is too much; what was not real is said in one sentence.
fn limit<'a>(gate: &'a TestGate, wrong: &[Found]) -> impl Fn(&[usize]) -> Option<String> + 'a {
    let words: Vec<(String, String)> = wrong.iter().map(|found| (found.id.clone(), found.what.clone())).collect();
    move |open: &[usize]| {
        let open = open.iter().filter_map(|at| words.get(*at));
        let (unreal, rules): (Vec<_>, Vec<_>) = open.partition(|(id, _)| gate.real.contains(id));
        let mut why: Vec<String> = rules.into_iter().map(|(_, what)| what.clone()).collect();
        if !unreal.is_empty() {
            let names: Vec<&str> = unreal.into_iter().map(|(id, _)| id.as_str()).collect();
            why.push(format!("not real where the tests ran: {}", names.join(", ")));
        }
        (!why.is_empty()).then(|| why.join("; "))
    }
}

fn looked_at(gate: &TestGate) -> Option<String> {
    let names: Vec<String> = gate.required.iter().map(TestName::to_string).collect();
    (!names.is_empty()).then(|| format!("required by name: {}", names.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{NOW, one};
    use super::super::verdict::VerdictStatus::{self, Error, Fail, Pass};
    use super::*;
    use crate::evidence::TestCase;
    use crate::project::Gates;

    fn step(component: &str, step: &str, outcome: TestOutcome) -> TestStep {
        let text = |text: &str| text.to_owned();
        TestStep { component: text(component), phase: text("test"), step: text(step), outcome, message: String::new() }
    }

    fn judged(required: &[&str], steps: Option<Vec<TestStep>>) -> (VerdictStatus, String) {
        let required = required.iter().map(|name| TestName::read(name)).collect();
        let gates = Gates { tests: Some(TestGate { required, ..TestGate::default() }), ..Gates::default() };
        let verdict = one(&gates, NOW, |evidence| {
            let case = TestCase {
                name: "ApplyTestComponents".into(),
                passed: true,
                executed_steps: 4,
                failed_steps: 0,
                skipped_steps: 0,
                message: String::new(),
                steps,
            };
            evidence.tests.as_mut().unwrap().cases = vec![case];
        });
        (verdict.status, verdict.summary)
    }

    #[test]
    fn a_required_test_has_run_and_every_step_of_it_has_passed() {
        use TestOutcome::{Failed, Passed, Skipped, Unknown};
        let steps = |outcome| Some(vec![step("boots", "Ready", Passed), step("boots", "Time", outcome)]);
        assert_eq!(judged(&["boots", "boots/Ready"], steps(Passed)), (Pass, "4 test steps passed".into()));
        assert_eq!(judged(&["boots/Ready"], steps(Failed)).0, Pass, "the others are not asked for");
        let failed = |outcome| judged(&["boots"], steps(outcome));
        assert_eq!(failed(Failed), (Fail, "boots is required: Time failed".into()));
        assert_eq!(failed(Skipped), (Fail, "boots is required: Time was skipped, which is not passed".into()));
        assert_eq!(failed(Unknown), (Fail, "boots is required: it is not known what became of Time".into()));
        assert_eq!(judged(&["patched"], steps(Passed)), (Fail, "patched is required and did not run".into()));
        assert_eq!(judged(&["boots/Other"], steps(Passed)), (Fail, "boots/Other is required and did not run".into()));
        // Run twice, in two workflows, it has to pass twice.
        let twice = Some(vec![step("boots", "Ready", Passed), step("boots", "Ready", Skipped)]);
        assert_eq!(judged(&["boots/Ready"], twice).0, Fail);
    }

    #[test]
    fn without_its_steps_nothing_can_be_said_of_a_test() {
        let (status, why) = judged(&["boots"], None);
        assert_eq!(status, Error);
        assert!(why.contains("not known which steps `ApplyTestComponents` ran"), "{why}");
        assert_eq!(judged(&[], None).0, Pass);
    }
}

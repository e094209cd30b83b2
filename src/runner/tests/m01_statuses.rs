//! Matrix item 1: what failures and skipped steps mean for phases, documents and the run (4.3, 4.4).

use super::*;
use StepStatus as S;

#[test]
fn what_a_failure_means_for_the_rest() {
    use RunStatus as R;
    for (policy, status, counts, document_two_runs) in [
        ("Abort", R::Failed, (1, 2, 0), false),
        ("Continue", R::Failed, (1, 4, 0), true),
        ("Ignore", R::Success, (0, 4, 1), true),
    ] {
        let mut bench = bench();
        let first = bash("One", "true", "")
            + &bash("Two", "echo why >&2; exit 3", &format!(", onFailure: {policy}"))
            + &bash("Three", "true", "");
        let summary = bench.steps(&[&first, &bash("Four", "touch four", "")]);
        assert_eq!(summary.status, status, "{policy}");
        let found = (summary.failed_step_count, summary.executed_step_count, summary.ignored_failed_step_count);
        assert_eq!(found, counts, "{policy}");
        assert_eq!(bench.path("four").exists(), document_two_runs, "{policy}");
        assert_eq!(summary.failure_message.is_empty(), status == R::Success);
        assert_eq!(bench.events.last(), Some(&RunEvent::Finished { summary: summary.clone() }));
        if status == R::Failed {
            let failure = summary.failure.unwrap();
            assert_eq!((failure.line, failure.step.as_str(), failure.message.as_str()), (6, "Two", "exit code 3"));
            assert_eq!(failure.last_lines, ["why"]);
            assert_eq!(
                summary.failure_message,
                "Document doc0 failed! Step Two of phase build (ExecuteBash): exit code 3"
            );
            assert_eq!(bench.statuses()[1], ("Two".to_owned(), StepStatus::Failed));
        } else {
            assert_eq!(bench.statuses()[1], ("Two".to_owned(), StepStatus::IgnoredFailure));
        }
        assert!(!bench.path("state/test.json").exists());
    }
}

#[test]
fn the_first_failure_is_the_one_told() {
    let mut bench = bench();
    let steps = bash("One", "exit 1", ", onFailure: Ignore")
        + &bash("Two", "exit 2", ", onFailure: Continue")
        + &bash("Three", "exit 3", "");
    let summary = bench.steps(&[&steps]);
    assert_eq!((summary.failed_step_count, summary.ignored_failed_step_count), (2, 1));
    assert_eq!(summary.failure.unwrap().step, "Two");
}

/// Phases and documents that ended, with how.
fn endings(bench: &Bench) -> Vec<(String, PhaseStatus)> {
    let ending = |event: &RunEvent| match event {
        RunEvent::PhaseFinished { phase, status, .. } => Some((phase.clone(), *status)),
        RunEvent::DocumentFinished { document, status, .. } => Some((document.clone(), *status)),
        _ => None,
    };
    bench.events.iter().filter_map(ending).collect()
}

#[test]
fn phases_and_documents_have_the_status_of_their_worst_step() {
    use PhaseStatus as P;
    for (policy, build, document_status, others) in [
        ("Ignore", P::SuccessWithIgnoredFailure, P::SuccessWithIgnoredFailure, true),
        ("Continue", P::Failed, P::Failed, true),
        ("Abort", P::Failed, P::Failed, false),
    ] {
        let mut bench = bench();
        let text = document(&(bash("Fail", "exit 1", &format!(", onFailure: {policy}")) + &bash("Then", "true", "")))
            + &phase("validate", &bash("Check", "true", ""));
        let request = bench.request(&[&text, &document(&bash("Other", "true", ""))]);
        bench.run(&request);
        let mut expected = vec![("build", build)];
        if others {
            expected.extend([
                ("validate", P::Success),
                ("doc0", document_status),
                ("build", P::Success),
                ("doc1", P::Success),
            ]);
        } else {
            expected.push(("doc0", document_status));
        }
        let expected: Vec<_> = expected.into_iter().map(|(name, status)| (name.to_owned(), status)).collect();
        assert_eq!(endings(&bench), expected, "{policy}");
    }
}

#[test]
fn what_failed_is_told_of_phase_and_document() {
    let mut bench = bench();
    bench.steps(&[&bash("Fail", "exit 9", "")]);
    let message = |event: &RunEvent| match event {
        RunEvent::PhaseFinished { message, .. } | RunEvent::DocumentFinished { message, .. } => message.clone(),
        _ => None,
    };
    let messages: Vec<String> = bench.events.iter().filter_map(message).collect();
    assert_eq!(messages, ["Step Fail failed: exit code 9", "Phase build failed: Step Fail failed: exit code 9"]);
}

#[test]
fn a_step_that_its_condition_skips_is_counted_and_explained() {
    let mut bench = bench();
    let steps = bash("Skipped", "touch ran", ", if: { stringEquals: a, value: b }")
        + &bash("Turned", "touch ran", ", if: { stringEquals: a, value: a, then: Skip }")
        + &bash("Runs", "true", ", if: { stringEquals: a, value: b, else: Execute }");
    let summary = bench.steps(&[&steps]);
    let counts = (summary.skipped_step_count, summary.executed_step_count, summary.failed_step_count);
    assert_eq!((summary.status, counts), (RunStatus::Success, (2, 1, 0)));
    assert!(!bench.path("ran").exists());
    assert_eq!(bench.message("Skipped"), "`if` is false: stringEquals \"a\" with value \"b\" is false");
    assert_eq!(bench.message("Turned"), "`if` is true: stringEquals \"a\" with value \"a\" is true");
    assert_eq!(bench.statuses()[2], ("Runs".to_owned(), StepStatus::Success));
    assert_eq!(
        endings(&bench),
        [("build".to_owned(), PhaseStatus::Success), ("doc0".to_owned(), PhaseStatus::Success)]
    );
}

#[test]
fn a_condition_that_says_abort_is_a_failure_of_the_step() {
    for (policy, status, last) in [
        ("Abort", RunStatus::Failed, false),
        ("Continue", RunStatus::Failed, true),
        ("Ignore", RunStatus::Success, true),
    ] {
        let mut bench = bench();
        let condition = "if: { fileExists: none, else: Abort }, maxAttempts: 3";
        let steps = bash("Guard", "touch ran", &format!(", {condition}, onFailure: {policy}"))
            + &bash("Last", "touch last", "");
        assert_eq!(bench.steps(&[&steps]).status, status, "{policy}");
        assert_eq!((bench.path("ran").exists(), bench.path("last").exists()), (false, last), "{policy}");
        assert_eq!(bench.message("Guard"), "`if` is false and says Abort: fileExists \"none\" is false");
        assert!(matches!(bench.finished("Guard"), RunEvent::StepFinished { attempts: 0, .. }));
    }
}

#[test]
fn a_step_can_say_that_it_found_nothing_out() {
    let mut bench = bench();
    let steps = bash("Kernel", "echo \"amiforge: skipped: no kernel of its own\"; echo out", "")
        + &bash("Chained", "echo \"<{{ build.Kernel.outputs.stdout }}>\"", "")
        + &bash("Fails", "echo \"amiforge: skipped: but\"; exit 1", ", onFailure: Ignore")
        + &bash(
            "Retried",
            "test -e again || { touch again; echo \"amiforge: skipped: first\"; exit 1; }",
            ", maxAttempts: 2",
        );
    let summary = bench.steps(&[&steps]);
    assert_eq!((summary.status, summary.skipped_step_count, summary.executed_step_count), (RunStatus::Success, 1, 3));
    let statuses: Vec<S> = bench.statuses().into_iter().map(|(_, status)| status).collect();
    assert_eq!(statuses, [S::Skipped, S::Success, S::IgnoredFailure, S::Success]);
    assert_eq!(bench.message("Kernel"), "no kernel of its own");
    assert!(bench.lines().contains(&"out>".to_owned()), "its output is there: {:?}", bench.lines());
    assert!(matches!(bench.finished("Kernel"), RunEvent::StepFinished { attempts: 1, .. }));
}

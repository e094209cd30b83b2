//! From "FAILED" to the line of a component (image-builder.md 11.3), and what the tests of an image said.

use super::Phase;
use super::awstoe;
use super::collect::at_once;
use super::error::{BuildError, Failure};
use super::follow::{executions, steps};
use super::why::{diagnose, redacted};
use crate::aws::Cloud;
use crate::evidence::{TestCase, TestResult};
use aws_sdk_imagebuilder::types as ib;

/// Finds out why a build failed. Whatever cannot be found out is left open: the explanation itself never fails.
pub(super) async fn failure(
    cloud: &Cloud,
    arn: &str,
    phase: Phase,
    state: Option<&ib::ImageState>,
    recipe: Option<&str>,
) -> Failure {
    let (record, _) = redacted(&at_once(cloud, arn, state).await, &[]);
    let found = diagnose(&record, recipe);
    let mut last_lines = found.last_lines;
    last_lines.extend(found.gaps.into_iter().map(|gap| format!("(not looked at: {gap})")));
    let message = Some(found.message).filter(|message| !message.is_empty());
    Failure {
        phase: found.stage.unwrap_or(phase),
        image_arn: arn.to_owned(),
        workflow_step: found.workflow_step,
        component: found.component,
        step: found.step,
        line: found.line,
        message: message.unwrap_or_else(|| "no reason was given".to_owned()),
        last_lines,
        causes: found.causes,
        kept: vec![],
    }
}

/// What the test phase of an available image said; `None` when none ran.
pub(super) async fn tests(cloud: &Cloud, arn: &str) -> Result<Option<TestResult>, BuildError> {
    let mut result: Option<TestResult> = None;
    for execution in executions(cloud, arn).await? {
        if execution.r#type != Some(ib::WorkflowType::Test) || execution.retried == Some(true) {
            continue;
        }
        let completed = execution.status == Some(ib::WorkflowExecutionStatus::Completed);
        let Some(id) = execution.workflow_execution_id else { continue };
        let total = result.get_or_insert_with(|| TestResult {
            passed: true,
            executed_steps: 0,
            failed_steps: 0,
            skipped_steps: 0,
            not_real: vec![],
            message: String::new(),
            cases: vec![],
        });
        total.passed &= completed;
        for step in steps(cloud, &id).await? {
            if let Some(summary) = step.outputs.as_deref().and_then(|text| awstoe::outputs(text).summary) {
                total.executed_steps += summary.executed_step_count;
                total.failed_steps += summary.failed_step_count;
                total.skipped_steps += summary.skipped_step_count;
                total.not_real.extend(
                    summary.not_real.into_iter().filter(|fact| !total.not_real.contains(fact)).collect::<Vec<_>>(),
                );
                let passed = summary.failed_step_count == 0 && summary.status.eq_ignore_ascii_case("success");
                total.passed &= passed;
                total.message.push_str(&summary.failure_message);
                total.cases.push(TestCase {
                    name: step.name.clone().unwrap_or_default(),
                    passed,
                    executed_steps: summary.executed_step_count,
                    failed_steps: summary.failed_step_count,
                    skipped_steps: summary.skipped_step_count,
                    message: summary.failure_message,
                });
            }
        }
    }
    Ok(result)
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;

//! What the tests of an image said: in all from the outputs of the workflow, and step by step from the tree of results.
//!
//! Our own runner puts what became of each step into the outputs. That of AWS does not: there the tree
//! (`detailedoutput.json`) lies in the log bucket, if the build has one. Without it the steps are not known, which is no pass.

use super::awstoe::{self, Summary};
use super::collect::logs::{self, folder};
use super::error::BuildError;
use super::follow::{executions, steps};
use crate::aws::{CallError, Cloud};
use crate::evidence::{TestCase, TestResult, TestStep};
use aws_sdk_imagebuilder::types as ib;
use std::collections::BTreeMap;

/// A step of a test workflow that ran components.
struct Run {
    workflow: String,
    /// Whether the workflow came to its end.
    completed: bool,
    step: String,
    /// Absent when the outputs cannot be read: then the step ran none.
    summary: Option<Summary>,
}

/// What the test phase of an available image said; `None` when none ran.
pub(super) async fn tests(cloud: &Cloud, arn: &str) -> Result<Option<TestResult>, BuildError> {
    let mut result: Option<TestResult> = None;
    for run in runs(cloud, arn).await? {
        let total = result.get_or_insert_with(|| TestResult {
            passed: true,
            executed_steps: 0,
            failed_steps: 0,
            skipped_steps: 0,
            not_real: vec![],
            message: String::new(),
            cases: vec![],
        });
        total.passed &= run.completed;
        if let Some(summary) = run.summary {
            add(total, run.step, summary);
        }
    }
    Ok(result)
}

fn add(total: &mut TestResult, step: String, summary: Summary) {
    total.executed_steps += summary.executed_step_count;
    total.failed_steps += summary.failed_step_count;
    total.skipped_steps += summary.skipped_step_count;
    let unreal: Vec<_> = summary.not_real.into_iter().filter(|fact| !total.not_real.contains(fact)).collect();
    total.not_real.extend(unreal);
    let passed = summary.failed_step_count == 0 && summary.status.eq_ignore_ascii_case("success");
    total.passed &= passed;
    total.message.push_str(&summary.failure_message);
    total.cases.push(TestCase {
        name: step,
        passed,
        executed_steps: summary.executed_step_count,
        failed_steps: summary.failed_step_count,
        skipped_steps: summary.skipped_step_count,
        message: summary.failure_message,
        steps: summary.steps.map(|steps| steps.into_iter().map(TestStep::from).collect()),
    });
}

/// The steps of all test workflows, in the order in which they began; a workflow without any is one without a name.
async fn runs(cloud: &Cloud, arn: &str) -> Result<Vec<Run>, CallError> {
    let mut runs = vec![];
    for execution in executions(cloud, arn).await? {
        if execution.r#type != Some(ib::WorkflowType::Test) || execution.retried == Some(true) {
            continue;
        }
        let completed = execution.status == Some(ib::WorkflowExecutionStatus::Completed);
        let Some(workflow) = execution.workflow_execution_id else { continue };
        let of = |step: String, summary| Run { workflow: workflow.clone(), completed, step, summary };
        let before = runs.len();
        for step in steps(cloud, &workflow).await? {
            let summary = step.outputs.as_deref().and_then(|text| awstoe::outputs(text).summary);
            runs.push(of(step.name.unwrap_or_default(), summary));
        }
        if runs.len() == before {
            runs.push(of(String::new(), None));
        }
    }
    Ok(runs)
}

/// Adds what became of each step of the tests, where it is not known yet, from the log bucket of the build. What cannot be
/// read is a sentence in the answer, and stays unknown.
///
/// # Errors
/// When the workflow of the image cannot be read.
pub async fn add_steps(cloud: &Cloud, arn: &str, tests: &mut TestResult) -> Result<Vec<String>, BuildError> {
    if tests.cases.iter().all(|case| case.steps.is_some()) || cloud.is_local() {
        return Ok(vec![]);
    }
    let answer = cloud.imagebuilder().get_image().image_build_version_arn(arn).send().await;
    let image = answer.map_err(CallError::of("GetImage", cloud.home()))?.image;
    let Some((bucket, folder)) = image.as_ref().and_then(|image| place(arn, image)) else { return Ok(vec![]) };
    let ran = runs(cloud, arn).await?.into_iter().filter(|run| run.summary.is_some());
    let mut gaps = vec![];
    for (case, run) in
        tests.cases.iter_mut().zip(ran).filter(|(case, run)| case.steps.is_none() && case.name == run.step)
    {
        let mut found = BTreeMap::new();
        let prefix = format!("{folder}/{}/{}/", run.workflow, run.step);
        if let Err(error) = logs::fetch(cloud, &mut found, &bucket, &prefix, "test").await {
            gaps.push(format!("the steps of the tests in s3://{bucket}/{prefix}: {error}"));
        }
        case.steps = found.get("test/detailedoutput.json").and_then(|json| awstoe::steps(json));
    }
    Ok(gaps)
}

/// Bucket and folder of the build's files.
fn place(arn: &str, image: &ib::Image) -> Option<(String, String)> {
    let logs = image.infrastructure_configuration()?.logging()?.s3_logs()?;
    Some((logs.s3_bucket_name()?.to_owned(), folder(arn, logs.s3_key_prefix())?))
}

#[cfg(test)]
#[path = "tested_tests.rs"]
mod cases;

//! From "FAILED" to the line of a component (image-builder.md 11.3).

use super::Phase;
use super::collect::at_once;
use super::error::Failure;
use super::why::{diagnose, redacted};
use crate::aws::Cloud;
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

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;

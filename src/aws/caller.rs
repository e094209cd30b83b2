//! Who calls.

use super::{CallError, Cloud};

/// Who calls, as AWS knows it: an ARN.
///
/// # Errors
/// When it cannot be asked.
pub async fn caller(cloud: &Cloud) -> Result<String, CallError> {
    let home = cloud.home();
    let answer = cloud.sts(home).get_caller_identity().send().await;
    let answer = answer.map_err(CallError::of("GetCallerIdentity", home))?;
    Ok(answer.arn.unwrap_or_else(|| "unknown".to_owned()))
}

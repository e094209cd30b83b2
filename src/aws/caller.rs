//! Who calls.

use super::{CallError, Cloud, ServiceFault};
use crate::project::Location;

/// Who calls, as AWS knows it: an ARN.
///
/// # Errors
/// When it cannot be asked, or the answer names nobody: somebody without a name would pass for another one.
pub async fn caller(cloud: &Cloud) -> Result<String, CallError> {
    let home = cloud.home();
    let answer = cloud.sts(home).get_caller_identity().send().await;
    let answer = answer.map_err(CallError::of("GetCallerIdentity", home))?;
    answer.arn.filter(|arn| !arn.is_empty()).ok_or_else(|| nobody(home))
}

fn nobody(home: &Location) -> CallError {
    let message = "the answer names no caller".to_owned();
    let fault = ServiceFault {
        code: None,
        chain: message.clone(),
        message,
        status: None,
        throttled: false,
        denied: false,
        unreachable: false,
    };
    CallError { operation: "GetCallerIdentity", location: home.clone(), fault: Box::new(fault) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::testing;
    use crate::clock::Clock;
    use std::sync::Arc;

    async fn told(arn: &str) -> Result<String, CallError> {
        let result = format!("<GetCallerIdentityResult>{arn}<Account>1</Account></GetCallerIdentityResult>");
        let answer = format!("<GetCallerIdentityResponse>{result}</GetCallerIdentityResponse>");
        let handler = move |_| http::Response::new(answer.clone().into());
        let now = time::macros::datetime!(2026-01-01 00:00 UTC);
        caller(&testing::over(Arc::new(handler), Clock::fixed(now))).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_without_a_name_is_nobody() {
        assert_eq!(told("<Arn>arn:ann</Arn>").await.unwrap(), "arn:ann");
        for none in ["", "<Arn></Arn>"] {
            let error = told(none).await.unwrap_err();
            assert!(error.to_string().contains("names no caller"), "{error}");
        }
    }
}

//! Which answers the SDK should try again beyond those it knows by itself.

use aws_smithy_runtime_api::client::interceptors::context::InterceptorContext;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction, RetryClassifierPriority};

/// HTTP status of Image Builder's `CallRateLimitExceededException`. The SDK's own classifiers know throttling by error
/// code, and that code is not among them (measured: one attempt, then an error).
const TOO_MANY_REQUESTS: u16 = 429;

/// Treats every HTTP 429 as throttling, so that it is tried again after the SDK's backoff for throttling.
#[derive(Debug, Clone, Copy)]
pub(super) struct RateLimit;

impl ClassifyRetry for RateLimit {
    fn classify_retry(&self, ctx: &InterceptorContext) -> RetryAction {
        match ctx.response() {
            Some(response) if response.status().as_u16() == TOO_MANY_REQUESTS => RetryAction::throttling_error(),
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "HTTP 429"
    }

    /// After the SDK's own, so that 429 is throttling whatever they made of it.
    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}

#[cfg(test)]
mod tests {
    use crate::aws::cloud::testing;
    use bytes::Bytes;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn answering(status: u16, code: &'static str, times: u32) -> (Arc<AtomicU32>, crate::aws::Cloud) {
        let calls = Arc::new(AtomicU32::new(0));
        let seen = Arc::clone(&calls);
        let cloud = testing::cloud(Arc::new(move |_request| {
            let builder = http::Response::builder();
            let answer = if seen.fetch_add(1, Ordering::SeqCst) < times {
                builder
                    .status(status)
                    .header("x-amzn-errortype", code)
                    .body(Bytes::from_static(br#"{"message":"slow down"}"#))
            } else {
                builder.status(200).body(Bytes::from_static(br#"{"componentVersionList":[]}"#))
            };
            answer.unwrap()
        }));
        (calls, cloud)
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttled_call_is_tried_again_in_virtual_time() {
        let (calls, cloud) = answering(429, "CallRateLimitExceededException", 2);
        let before = tokio::time::Instant::now();
        let answer = cloud.imagebuilder().list_components().send().await.unwrap();
        assert!(answer.component_version_list().is_empty());
        assert_eq!(calls.load(Ordering::SeqCst), 3);
        assert!(before.elapsed() > std::time::Duration::ZERO, "the SDK waits between attempts");
    }

    #[tokio::test(start_paused = true)]
    async fn throttling_without_end_is_reported_as_throttling() {
        let (calls, cloud) = answering(429, "CallRateLimitExceededException", u32::MAX);
        let error = cloud.imagebuilder().list_components().send().await.unwrap_err();
        let fault = crate::aws::describe(&error);
        assert!(fault.throttled && !fault.denied && !fault.unreachable, "{fault:?}");
        assert_eq!(fault.code.as_deref(), Some("CallRateLimitExceededException"));
        assert_eq!(fault.message, "slow down");
        assert!(calls.load(Ordering::SeqCst) >= 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_is_not_tried_again() {
        let (calls, cloud) = answering(403, "AccessDeniedException", u32::MAX);
        let error = cloud.imagebuilder().list_components().send().await.unwrap_err();
        assert!(crate::aws::describe(&error).denied);
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }
}

//! What a failed call says, in one form for all services.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use std::error::Error;

/// A failed call. At most one of the three flags is set; none set: the service refused for the reason it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceFault {
    /// The service's error code, for example `InvalidAMIID.NotFound`; absent when no service answered.
    pub code: Option<String>,
    /// One sentence: the service's message, or the chain of causes when no service answered.
    pub message: String,
    /// The whole chain of causes, for `--verbose` and logs.
    pub chain: String,
    /// HTTP status, when there was an answer.
    pub status: Option<u16>,
    /// Too many calls; all attempts were used up.
    pub throttled: bool,
    /// Credentials are missing, wrong or not permitted.
    pub denied: bool,
    /// No answer: not connected, timed out, or cut off in the middle.
    pub unreachable: bool,
}

impl ServiceFault {
    /// Whether the call may have had its effect all the same, so that one must look before repeating it: there was no
    /// answer, or the service failed inside (image-builder.md section 4: `ServiceException` may have been applied).
    #[must_use]
    pub fn may_have_been_applied(&self) -> bool {
        self.unreachable || self.status.is_some_and(|status| status >= 500)
    }

    /// Whether the error code is one of `codes`.
    #[must_use]
    pub fn is(&self, codes: &[&str]) -> bool {
        self.code.as_deref().is_some_and(|code| codes.contains(&code))
    }
}

impl std::fmt::Display for ServiceFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.code {
            Some(code) => write!(f, "{code}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

/// Codes by which the three services say that the caller may not do it.
const DENIED: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "ForbiddenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "SignatureDoesNotMatch",
    "UnauthorizedOperation",
    "UnrecognizedClientException",
];

/// Codes by which they say that calls come too fast, beyond the status 429.
const THROTTLED: &[&str] = &[
    "CallRateLimitExceededException",
    "RequestLimitExceeded",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TooManyUpdates",
];

/// Whether an answer says that calls come too fast. `code` may carry a namespace behind a colon, as headers do.
pub(super) fn is_throttling(status: u16, code: &str) -> bool {
    status == 429 || THROTTLED.contains(&code.split(':').next().unwrap_or_default())
}

/// Describes the failure of one call.
pub fn describe<E>(error: &SdkError<E, HttpResponse>) -> ServiceFault
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let chain = DisplayErrorContext(error).to_string();
    let status = error.raw_response().map(|response| response.status().as_u16());
    let metadata = error.as_service_error().map(ProvideErrorMetadata::meta);
    let code = metadata.and_then(|meta| meta.code()).map(str::to_owned);
    let named = |codes: &[&str]| code.as_deref().is_some_and(|code| codes.contains(&code));
    let throttled = is_throttling(status.unwrap_or_default(), code.as_deref().unwrap_or_default());
    let denied = !throttled && (named(DENIED) || without_credentials(error));
    let unreachable = !throttled && !denied && code.is_none() && status.is_none_or(|status| status < 400);
    let message = metadata
        .and_then(|meta| meta.message())
        .filter(|message| !message.trim().is_empty())
        .map_or_else(|| causes(error), str::to_owned);
    ServiceFault { code, message, chain, status, throttled, denied, unreachable }
}

/// Whether the call was never sent because no credentials could be had.
fn without_credentials(error: &(dyn Error + 'static)) -> bool {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if error.is::<aws_credential_types::provider::error::CredentialsError>() {
            return true;
        }
        next = error.source();
    }
    false
}

/// The chain of causes as one sentence, without repetitions.
fn causes(error: &dyn Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !parts.iter().any(|part| part.contains(&text)) {
            parts.push(text);
        }
        next = error.source();
    }
    parts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_runtime_api::client::result::ConnectorError;

    type ListError = aws_sdk_imagebuilder::operation::list_components::ListComponentsError;

    #[test]
    fn a_connection_that_fails_is_unreachable_and_names_every_cause() {
        let error: SdkError<ListError, HttpResponse> =
            SdkError::dispatch_failure(ConnectorError::io("connection reset by peer".into()));
        let fault = describe(&error);
        assert!(fault.unreachable && fault.may_have_been_applied(), "{fault:?}");
        assert_eq!(fault.code, None);
        assert!(fault.message.contains("connection reset by peer"), "{}", fault.message);
        assert!(fault.chain.contains("connection reset by peer"));
    }

    #[test]
    fn a_timeout_is_unreachable() {
        let error: SdkError<ListError, HttpResponse> = SdkError::timeout_error("60 seconds passed");
        let fault = describe(&error);
        assert!(fault.unreachable && !fault.denied && !fault.throttled, "{fault:?}");
    }

    #[test]
    fn missing_credentials_are_denied_and_not_unreachable() {
        let cause = aws_credential_types::provider::error::CredentialsError::not_loaded("no profile");
        let error: SdkError<ListError, HttpResponse> =
            SdkError::dispatch_failure(ConnectorError::other(Box::new(cause), None));
        let fault = describe(&error);
        assert!(fault.denied && !fault.unreachable, "{fault:?}");
        assert!(fault.message.contains("no profile"), "{}", fault.message);
    }
}

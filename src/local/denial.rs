//! How each service refuses a caller. Codes, statuses and most of the words are those that the services are known to answer.

use super::credentials::Denial;
use super::service::Service;
use super::sigv4::Authorization;
use super::wire::ServiceError;
use http::Request;
use time::{Duration, OffsetDateTime};

const MISMATCH: &str = "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
                        Access Key and signing method. Consult the service documentation for details.";
const UNKNOWN: &str = "The security token included in the request is invalid. The keys of this environment are those that \
                       `amiforge local serve` prints.";
const EXPIRED: &str = "The security token included in the request is expired";
const EC2_FAILURE: &str = "AWS was not able to validate the provided access credentials. The keys of this environment are those \
                           that `amiforge local serve` prints.";
const MISSING: &str = "Missing Authentication Token: the request has no Authorization header.";

impl Denial {
    /// The error with which `service` answers.
    pub(super) fn error(&self, service: Service) -> ServiceError {
        match service {
            Service::Ec2 => self.of_ec2(),
            Service::AutoScaling | Service::Sts => self.of_sts(),
            Service::S3 => self.of_s3(),
            Service::Kms | Service::Ssm => self.of_json(400),
            Service::ImageBuilder | Service::Inspector => self.of_json(403),
        }
    }

    fn of_ec2(&self) -> ServiceError {
        match self {
            Self::Missing => ServiceError::new(403, "MissingAuthenticationToken", MISSING),
            Self::Incomplete(text) => ServiceError::new(400, "IncompleteSignature", text),
            Self::Unknown | Self::Mismatch => ServiceError::new(401, "AuthFailure", EC2_FAILURE),
            Self::Stale(_) | Self::Expired => ServiceError::new(400, "RequestExpired", "Request has expired."),
        }
    }

    fn of_sts(&self) -> ServiceError {
        match self {
            Self::Missing => ServiceError::new(403, "MissingAuthenticationToken", MISSING),
            Self::Incomplete(text) => ServiceError::new(400, "IncompleteSignature", text),
            Self::Unknown => ServiceError::new(403, "InvalidClientTokenId", UNKNOWN),
            Self::Mismatch => ServiceError::new(403, "SignatureDoesNotMatch", MISMATCH),
            Self::Stale(text) => ServiceError::new(403, "SignatureDoesNotMatch", text),
            Self::Expired => ServiceError::new(403, "ExpiredToken", EXPIRED),
        }
    }

    fn of_s3(&self) -> ServiceError {
        match self {
            Self::Missing => ServiceError::new(403, "AccessDenied", "Access Denied"),
            Self::Incomplete(text) => ServiceError::new(400, "AuthorizationHeaderMalformed", text),
            Self::Unknown => ServiceError::new(403, "InvalidAccessKeyId", UNKNOWN),
            Self::Mismatch => ServiceError::new(403, "SignatureDoesNotMatch", MISMATCH),
            Self::Stale(text) => ServiceError::new(403, "RequestTimeTooSkewed", text),
            Self::Expired => ServiceError::new(400, "ExpiredToken", EXPIRED),
        }
    }

    fn of_json(&self, status: u16) -> ServiceError {
        match self {
            Self::Missing => ServiceError::new(status, "MissingAuthenticationTokenException", MISSING),
            Self::Incomplete(text) => ServiceError::new(status, "IncompleteSignatureException", text),
            Self::Unknown => ServiceError::new(status, "UnrecognizedClientException", UNKNOWN),
            Self::Mismatch => ServiceError::new(status, "InvalidSignatureException", MISMATCH),
            Self::Stale(text) => ServiceError::new(status, "InvalidSignatureException", text),
            Self::Expired => ServiceError::new(status, "ExpiredTokenException", EXPIRED),
        }
    }
}

/// How far from now a request may have been signed.
fn patience(service: Service) -> Duration {
    match service {
        Service::AutoScaling | Service::Ec2 | Service::S3 | Service::Sts => Duration::minutes(15),
        Service::Kms | Service::Ssm | Service::ImageBuilder | Service::Inspector => Duration::minutes(5),
    }
}

/// Refuses a request that was not signed just now: whoever has overheard one cannot use it later.
///
/// # Errors
/// [`Denial::Stale`]; [`Denial::Incomplete`] without a time.
pub(super) fn fresh<B>(
    service: Service,
    authorization: &Authorization,
    request: &Request<B>,
    now: OffsetDateTime,
) -> Result<(), Denial> {
    let (at, patience) = (authorization.time(request)?, patience(service));
    let shown = |at: OffsetDateTime| crate::clock::rfc3339(at).replace(['-', ':'], "");
    let minutes = patience.whole_minutes();
    if at < now - patience {
        let limit = shown(now - patience);
        let text =
            format!("Signature expired: {} is now earlier than {limit} ({} - {minutes} min.)", shown(at), shown(now));
        return Err(Denial::Stale(text));
    }
    if at > now + patience {
        let limit = shown(now + patience);
        let text = format!(
            "Signature not yet current: {} is still later than {limit} ({} + {minutes} min.)",
            shown(at),
            shown(now)
        );
        return Err(Denial::Stale(text));
    }
    Ok(())
}

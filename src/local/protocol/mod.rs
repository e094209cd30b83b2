//! The wire protocols: HTTP requests in, an operation's name and JSON parameters out; and the way back.

mod inspector;
mod json11;
mod percent;
mod query;
mod rest_json;
mod rest_xml;
mod xml;

use super::service::Service;
use super::wire::ServiceError;
use bytes::Bytes;
use http::{Request, Response};
use serde_json::Value;

/// A request as an operation sees it.
#[derive(Debug, PartialEq)]
pub(super) struct Call {
    /// Name of the operation, for example `CreateImage`.
    pub(super) operation: String,
    /// Its parameters in wire names; always an object.
    pub(super) request: Value,
}

impl Service {
    /// Reads a request in the service's protocol.
    pub(super) fn parse(self, request: &Request<Bytes>) -> Result<Call, ServiceError> {
        match self {
            Self::AutoScaling => query::parse_members(request),
            Self::Ec2 | Self::Sts => query::parse(request),
            Self::ImageBuilder => rest_json::parse(request),
            Self::Inspector => inspector::parse(request),
            Self::S3 => rest_xml::parse(request),
            Self::Kms => json11::parse(request, "TrentService"),
            Self::Ssm => json11::parse(request, "AmazonSSM"),
        }
    }

    /// An operation's answer in the service's protocol. `id` is the request id.
    pub(super) fn success(self, operation: &str, answer: &Value, id: &str) -> Response<Bytes> {
        match self {
            Self::AutoScaling => query::success(query::AUTOSCALING, operation, answer, id),
            Self::Ec2 => query::ec2_success(operation, answer, id),
            Self::Sts => query::success(query::STS, operation, answer, id),
            Self::ImageBuilder => rest_json::success(operation, answer, id),
            Self::Inspector => inspector::success(operation, answer, id),
            Self::S3 => rest_xml::success(answer, id),
            Self::Kms | Self::Ssm => json11::success(answer, id),
        }
    }

    /// An error in the service's protocol. `id` is the request id.
    pub(super) fn fault(self, error: &ServiceError, id: &str) -> Response<Bytes> {
        match self {
            Self::AutoScaling => query::fault(query::AUTOSCALING, error, id),
            Self::Ec2 => query::ec2_fault(error, id),
            Self::Sts => query::fault(query::STS, error, id),
            Self::ImageBuilder => rest_json::fault(error, id),
            Self::Inspector => inspector::fault(error, id),
            Self::S3 => rest_xml::fault(error, id),
            Self::Kms | Self::Ssm => json11::fault(error, id),
        }
    }

    /// The service whose error form a client of this request most likely reads; for requests whose signature does not
    /// tell the service.
    pub(super) fn guess(request: &Request<Bytes>) -> Self {
        if request.headers().contains_key("x-amz-target") {
            return Self::Ssm;
        }
        let form = request
            .headers()
            .get(http::header::CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
        if form { Self::Ec2 } else { Self::ImageBuilder }
    }
}

/// An HTTP response; a header value that cannot be sent is left out.
fn response(status: u16, headers: &[(&'static str, &str)], body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in headers {
        if let Ok(value) = http::HeaderValue::from_str(value) {
            response.headers_mut().insert(*name, value);
        }
    }
    response
}

/// The body as a JSON object; an empty body is the empty object.
fn json_object(body: &Bytes) -> Result<serde_json::Map<String, Value>, ServiceError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(serde_json::Map::new());
    }
    serde_json::from_slice(body).map_err(|error| {
        ServiceError::new(400, "SerializationException", format!("The request body is not a JSON object: {error}"))
    })
}

//! awsJson 1.1: the operation stands in `X-Amz-Target`, parameters and answer are JSON bodies.

use super::super::wire::ServiceError;
use super::{Call, json_object, response};
use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

/// Reads a request; `service` is what stands before the operation.
pub(super) fn parse(request: &Request<Bytes>, service: &str) -> Result<Call, ServiceError> {
    let target = request.headers().get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let named = target.strip_prefix(service).and_then(|rest| rest.strip_prefix('.'));
    let Some(operation) = named.filter(|name| !name.is_empty()) else {
        return Err(ServiceError::new(
            400,
            "UnknownOperationException",
            format!("The header X-Amz-Target is `{target}`; a request to this service has {service}.<operation>."),
        ));
    };
    Ok(Call { operation: operation.to_owned(), request: Value::Object(json_object(request.body())?) })
}

/// An answer; members that are null are left out.
pub(super) fn success(answer: &Value, id: &str) -> Response<Bytes> {
    let mut answer = answer.clone();
    if let Value::Object(members) = &mut answer {
        members.retain(|_, member| !member.is_null());
    }
    response(200, &[("content-type", CONTENT_TYPE), ("x-amzn-requestid", id)], answer.to_string())
}

/// An error.
pub(super) fn fault(error: &ServiceError, id: &str) -> Response<Bytes> {
    let body = json!({ "__type": error.code, "message": error.message });
    let headers = [("content-type", CONTENT_TYPE), ("x-amzn-requestid", id), ("x-amzn-errortype", &*error.code)];
    response(error.status, &headers, body.to_string())
}

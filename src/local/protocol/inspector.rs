//! rest-json as Amazon Inspector uses it for scans on demand: each operation is a `POST` with a path of its own and a body.

use super::super::wire::ServiceError;
use super::{Call, json_object, response};
use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::{Value, json};

const CONTENT_TYPE: &str = "application/json";

/// Paths of the operations that are here.
const PATHS: [(&str, &str); 3] = [
    ("/ondemand/scan", "StartOnDemandScan"),
    ("/ondemand/scan/status", "GetOnDemandScanStatus"),
    ("/ondemand/scans", "ListOnDemandScans"),
];

/// Reads a request.
pub(super) fn parse(request: &Request<Bytes>) -> Result<Call, ServiceError> {
    let (path, method) = (request.uri().path(), request.method());
    let operation = PATHS.iter().find(|(known, _)| *known == path && method == Method::POST).map(|(_, name)| *name);
    let Some(operation) = operation else {
        let text = format!("The operation {method} {path} of inspector2 is not in the local environment.");
        return Err(ServiceError::client("UnknownOperationException", text));
    };
    Ok(Call { operation: operation.to_owned(), request: Value::Object(json_object(request.body())?) })
}

/// An answer. A scan that begins is accepted, not done.
pub(super) fn success(operation: &str, answer: &Value, id: &str) -> Response<Bytes> {
    let status = if operation == "StartOnDemandScan" { 202 } else { 200 };
    response(status, &[("content-type", CONTENT_TYPE), ("x-amzn-requestid", id)], answer.to_string())
}

/// An error, with the members that the model demands of it.
pub(super) fn fault(error: &ServiceError, id: &str) -> Response<Bytes> {
    let mut body = json!({ "__type": error.code, "message": error.message });
    match error.code.as_str() {
        "ValidationException" => body["reason"] = json!("FIELD_VALIDATION_FAILED"),
        "ConflictException" => {
            // The message ends with the id of the image.
            let resource = error.message.rsplit(' ').next().unwrap_or_default().trim_end_matches('.');
            body["resourceId"] = json!(resource);
            body["resourceType"] = json!("AMI");
        }
        _ => {}
    }
    let headers = [("content-type", CONTENT_TYPE), ("x-amzn-requestid", id), ("x-amzn-errortype", &*error.code)];
    response(error.status, &headers, body.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_is_a_path() {
        let request = |method: &str, path: &str| {
            parse(&Request::builder().method(method).uri(path).body(Bytes::from_static(b"{\"scanId\":\"a\"}")).unwrap())
        };
        let call = request("POST", "/ondemand/scan/status").unwrap();
        assert_eq!((call.operation.as_str(), &call.request["scanId"]), ("GetOnDemandScanStatus", &json!("a")));
        for (method, path) in [("GET", "/ondemand/scan"), ("POST", "/findings/list"), ("POST", "/")] {
            assert_eq!(request(method, path).unwrap_err().code, "UnknownOperationException", "{path}");
        }
    }
}

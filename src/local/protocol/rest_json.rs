//! rest-json as Image Builder uses it: `PUT /CreateX`, `POST /ListX`, `GET /GetX?arn`, `DELETE /DeleteX?arn`, and
//! `/tags/{resourceArn}` (image-builder.md section 21).

use super::super::wire::ServiceError;
use super::{Call, json_object, percent, response};
use bytes::Bytes;
use http::{Method, Request, Response};
use serde_json::{Map, Value, json};

const CONTENT_TYPE: &str = "application/json";

/// Operations whose answers have no member `requestId` in the model.
const WITHOUT_REQUEST_ID: [&str; 10] = [
    "CreateWorkflow",
    "DeleteWorkflow",
    "GetWorkflow",
    "ListTagsForResource",
    "ListWaitingWorkflowSteps",
    "ListWorkflowBuildVersions",
    "ListWorkflows",
    "SendWorkflowStepAction",
    "TagResource",
    "UntagResource",
];

/// Reads a request; query and path parameters are merged into the body's.
pub(super) fn parse(request: &Request<Bytes>) -> Result<Call, ServiceError> {
    let path = request.uri().path();
    let mut members = json_object(request.body())?;
    if let Some(arn) = path.strip_prefix("/tags/") {
        let arn = percent::decode(arn, false).ok_or_else(not_utf8)?;
        members.insert("resourceArn".to_owned(), Value::String(arn));
        let operation = match *request.method() {
            Method::GET => "ListTagsForResource",
            Method::POST => "TagResource",
            Method::DELETE => "UntagResource",
            _ => return Err(unknown(request)),
        };
        merge_query(request, &mut members)?;
        return Ok(Call { operation: operation.to_owned(), request: Value::Object(members) });
    }
    let operation = path.trim_matches('/').to_owned();
    if method_of(&operation).as_ref() != Some(request.method()) {
        return Err(unknown(request));
    }
    merge_query(request, &mut members)?;
    Ok(Call { operation, request: Value::Object(members) })
}

/// The method of an operation; none for what cannot be the name of one.
fn method_of(operation: &str) -> Option<Method> {
    if operation.is_empty() || !operation.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    Some(match operation {
        "GetMarketplaceResource" => Method::POST,
        _ if operation.starts_with("Get") => Method::GET,
        _ if operation.starts_with("List") => Method::POST,
        _ if operation.starts_with("Delete") => Method::DELETE,
        _ => Method::PUT,
    })
}

fn merge_query(request: &Request<Bytes>, members: &mut Map<String, Value>) -> Result<(), ServiceError> {
    for (name, value) in percent::pairs(request.uri().query().unwrap_or_default()).ok_or_else(not_utf8)? {
        // The only query parameter of the service that is a list.
        if name == "tagKeys" {
            let keys = members.entry(name).or_insert_with(|| json!([]));
            if let Value::Array(keys) = keys {
                keys.push(Value::String(value));
            }
        } else {
            members.insert(name, Value::String(value));
        }
    }
    Ok(())
}

fn not_utf8() -> ServiceError {
    ServiceError::new(400, "InvalidRequestException", "The request's address is not UTF-8.")
}

fn unknown(request: &Request<Bytes>) -> ServiceError {
    ServiceError::new(
        400,
        "UnknownOperationException",
        format!("Image Builder has no operation {} {}.", request.method(), request.uri().path()),
    )
}

/// An answer. Image Builder repeats the request id in the body, but not where it is about tags.
pub(super) fn success(operation: &str, answer: &Value, id: &str) -> Response<Bytes> {
    let mut answer = answer.clone();
    if let Value::Object(members) = &mut answer
        && !WITHOUT_REQUEST_ID.contains(&operation)
    {
        members.entry("requestId").or_insert_with(|| Value::String(id.to_owned()));
    }
    response(200, &[("content-type", CONTENT_TYPE), ("x-amzn-requestid", id)], answer.to_string())
}

/// An error.
pub(super) fn fault(error: &ServiceError, id: &str) -> Response<Bytes> {
    let body = json!({ "__type": error.code, "message": error.message });
    let headers = [("content-type", CONTENT_TYPE), ("x-amzn-requestid", id), ("x-amzn-errortype", &*error.code)];
    response(error.status, &headers, body.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, uri: &str, body: &str) -> Request<Bytes> {
        Request::builder().method(method).uri(uri).body(Bytes::from(body.to_owned())).unwrap()
    }

    #[test]
    fn bodies_and_queries_are_merged() {
        let call = parse(&request("GET", "/GetComponent?componentBuildVersionArn=arn%3Aaws%3Ax%2F1.0.0%2F1", ""));
        assert_eq!(
            call.unwrap(),
            Call {
                operation: "GetComponent".into(),
                request: json!({ "componentBuildVersionArn": "arn:aws:x/1.0.0/1" })
            }
        );
        let call = parse(&request("PUT", "/CreateComponent", r#"{"name":"a"}"#)).unwrap();
        assert_eq!((&*call.operation, call.request), ("CreateComponent", json!({ "name": "a" })));
    }

    #[test]
    fn tag_operations_take_the_arn_from_the_path() {
        let call = parse(&request("DELETE", "/tags/arn%3Aaws%3Ax%2Fy?tagKeys=a&tagKeys=b%20c", "")).unwrap();
        assert_eq!(call.operation, "UntagResource");
        assert_eq!(call.request, json!({ "resourceArn": "arn:aws:x/y", "tagKeys": ["a", "b c"] }));
    }

    #[test]
    fn a_wrong_method_is_no_operation() {
        for (method, uri) in [("GET", "/CreateComponent"), ("PUT", "/"), ("PATCH", "/tags/x"), ("PUT", "/a/b")] {
            assert_eq!(parse(&request(method, uri, "")).unwrap_err().code, "UnknownOperationException", "{uri}");
        }
    }

    #[test]
    fn a_broken_body_is_named() {
        let error = parse(&request("PUT", "/CreateComponent", "{")).unwrap_err();
        assert_eq!((error.status, &*error.code), (400, "SerializationException"));
    }
}

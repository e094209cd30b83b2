//! rest-xml as S3 uses it: methods on `/bucket/key`, what is wanted of them in the query, much of it in headers.
//!
//! An operation is given `Bucket`, `Key`, `Query`, `Headers` and the `Body` in base64. It answers with `Status`, `Headers`, and
//! either a `Body` in base64 or an `Xml` document: the name of its root, and its elements; lists are repeated elements.

use super::super::wire::ServiceError;
use super::{Call, percent, xml};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use serde_json::{Map, Value, json};

const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";
/// Members of the query that say how something is done and not what.
const ORDINARY: [&str; 13] = [
    "bucket-region",
    "continuation-token",
    "delimiter",
    "encoding-type",
    "fetch-owner",
    "list-type",
    "max-buckets",
    "max-keys",
    "partNumber",
    "prefix",
    "start-after",
    "versionId",
    "x-id",
];

/// Reads a request. What has no name among the operations of the local environment is named by what it looks like.
pub(super) fn parse(request: &Request<Bytes>) -> Result<Call, ServiceError> {
    let not_utf8 = || ServiceError::new(400, "InvalidURI", "Couldn't parse the specified URI.");
    let path = request.uri().path().trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let bucket = percent::decode(bucket, false).ok_or_else(not_utf8)?;
    let key = percent::decode(key, false).ok_or_else(not_utf8)?;
    let query = percent::pairs(request.uri().query().unwrap_or_default()).ok_or_else(not_utf8)?;
    let headers = request.headers();
    let operation = operation(request.method(), (!bucket.is_empty(), !key.is_empty()), &query);
    let operation = match headers.contains_key("x-amz-copy-source") && operation == "PutObject" {
        true => "CopyObject".to_owned(),
        false => operation,
    };
    let text = |(name, value): (&HeaderName, &HeaderValue)| Some((name.to_string(), json!(value.to_str().ok()?)));
    Ok(Call {
        operation,
        request: json!({
            "Bucket": bucket,
            "Key": key,
            "Query": query.into_iter().map(|(name, value)| (name, json!(value))).collect::<Map<_, _>>(),
            "Headers": headers.iter().filter_map(text).collect::<Map<_, _>>(),
            "Body": STANDARD.encode(request.body()),
        }),
    })
}

fn operation(method: &Method, has: (bool, bool), query: &[(String, String)]) -> String {
    let part = query.iter().map(|(name, _)| name.as_str()).find(|name| !ORDINARY.contains(name));
    let lists = query.iter().any(|(name, value)| name == "list-type" && value == "2");
    let name = match (has, method.as_str(), part) {
        ((false, _), "GET", None) => "ListBuckets",
        ((true, false), "PUT", None) => "CreateBucket",
        ((true, false), "HEAD", None) => "HeadBucket",
        ((true, false), "DELETE", None) => "DeleteBucket",
        ((true, false), "GET", None) if lists => "ListObjectsV2",
        ((true, false), "GET", None) => "ListObjects",
        ((true, false), "GET", Some("location")) => "GetBucketLocation",
        ((true, true), "PUT", None) => "PutObject",
        ((true, true), "GET", None) => "GetObject",
        ((true, true), "HEAD", None) => "HeadObject",
        ((true, true), "DELETE", None) => "DeleteObject",
        (_, method, part) => return format!("{method} ?{}", part.unwrap_or_default()),
    };
    name.to_owned()
}

/// An answer.
pub(super) fn success(answer: &Value, id: &str) -> Response<Bytes> {
    let (kind, body) = match (answer["Body"].as_str(), answer["Xml"].as_object()) {
        (Some(body), _) => (None, STANDARD.decode(body).unwrap_or_default()),
        (None, Some(document)) => {
            let parts: Vec<String> = document.iter().map(|(name, inner)| root(name, inner)).collect();
            (Some("application/xml"), format!("{}{}", xml::DECLARATION, parts.concat()).into_bytes())
        }
        (None, None) => (None, Vec::new()),
    };
    let mut response = Response::new(Bytes::from(body));
    let status = answer["Status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap_or(200);
    finish(&mut response, status, id, kind);
    for (name, value) in answer["Headers"].as_object().into_iter().flatten() {
        let name = HeaderName::from_bytes(name.as_bytes());
        let value = value.as_str().map(HeaderValue::from_str);
        if let (Ok(name), Some(Ok(value))) = (name, value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// An error.
pub(super) fn fault(error: &ServiceError, id: &str) -> Response<Bytes> {
    let body = format!(
        "{}<Error><Code>{}</Code><Message>{}</Message><RequestId>{id}</RequestId></Error>",
        xml::DECLARATION,
        xml::escape(&error.code),
        xml::escape(&error.message)
    );
    let mut response = Response::new(Bytes::from(body));
    finish(&mut response, error.status, id, Some("application/xml"));
    response
}

fn finish(response: &mut Response<Bytes>, status: u16, id: &str, kind: Option<&'static str>) {
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert("x-amz-request-id", id);
    }
    if let Some(kind) = kind {
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static(kind));
    }
}

fn root(name: &str, inner: &Value) -> String {
    let mut out = format!("<{name} xmlns=\"{NAMESPACE}\">");
    match inner {
        Value::Object(members) => members.iter().for_each(|(name, value)| element(&mut out, name, value)),
        Value::String(text) => out.push_str(&xml::escape(text)),
        _ => {}
    }
    out + &format!("</{name}>")
}

fn element(out: &mut String, name: &str, value: &Value) {
    match value {
        Value::Null => return,
        Value::Array(items) => return items.iter().for_each(|item| element(out, name, item)),
        _ => {}
    }
    out.extend(["<", name, ">"]);
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| element(out, name, value)),
        Value::String(text) => out.push_str(&xml::escape(text)),
        other => out.push_str(&other.to_string()),
    }
    out.extend(["</", name, ">"]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn called(method: &str, uri: &str) -> Value {
        let request = Request::builder().method(method).uri(uri).body(Bytes::from_static(b"x")).unwrap();
        let call = parse(&request).unwrap();
        json!([call.operation, call.request["Bucket"], call.request["Key"]])
    }

    #[test]
    fn operations_are_told_by_method_path_and_query() {
        for (method, uri, expected) in [
            ("GET", "/", json!(["ListBuckets", "", ""])),
            ("PUT", "/acme", json!(["CreateBucket", "acme", ""])),
            ("GET", "/acme?list-type=2&prefix=a%2F", json!(["ListObjectsV2", "acme", ""])),
            ("GET", "/acme?prefix=a", json!(["ListObjects", "acme", ""])),
            ("GET", "/acme/?location", json!(["GetBucketLocation", "acme", ""])),
            ("PUT", "/acme/a/b%20c.json?x-id=PutObject", json!(["PutObject", "acme", "a/b c.json"])),
            ("HEAD", "/acme/a", json!(["HeadObject", "acme", "a"])),
            ("PUT", "/acme?versioning", json!(["PUT ?versioning", "acme", ""])),
            ("POST", "/acme/a?uploads", json!(["POST ?uploads", "acme", "a"])),
        ] {
            assert_eq!(called(method, uri), expected, "{method} {uri}");
        }
    }

    #[test]
    fn lists_are_repeated_elements() {
        let answer =
            json!({ "Xml": { "List": { "Name": "a<b", "Contents": [{ "Key": "x" }, { "Key": "y" }], "None": null } } });
        let response = success(&answer, "id");
        let text = String::from_utf8(response.body().to_vec()).unwrap();
        assert!(
            text.ends_with(
                "<Contents><Key>x</Key></Contents><Contents><Key>y</Key></Contents><Name>a&lt;b</Name></List>"
            ) || text.ends_with(
                "<Name>a&lt;b</Name><Contents><Key>x</Key></Contents><Contents><Key>y</Key></Contents></List>"
            ),
            "{text}"
        );
        assert!(text.contains("<List xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"), "{text}");
    }
}

//! The query protocol of EC2, and of STS and Auto Scaling: `Action=X&Filter.1.Name=…` in, XML out.

use super::super::wire::ServiceError;
use super::{Call, percent, response, xml};
use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

const CONTENT_TYPE: &str = "text/xml;charset=UTF-8";
/// Deeper names are no parameter of any operation; the limit keeps recursion small.
const MAX_DEPTH: usize = 16;

/// Reads a request from the form body, or from the query string of a GET.
pub(super) fn parse(request: &Request<Bytes>) -> Result<Call, ServiceError> {
    let malformed = || ServiceError::new(400, "MalformedQueryString", "The request's parameters are not UTF-8.");
    let body = std::str::from_utf8(request.body()).map_err(|_| malformed())?;
    let text = if body.trim().is_empty() { request.uri().query().unwrap_or_default() } else { body.trim() };
    let mut pairs = percent::pairs(text).ok_or_else(malformed)?;
    let Some(position) = pairs.iter().position(|(name, _)| name == "Action") else {
        return Err(ServiceError::new(400, "MissingAction", "The request has no parameter Action."));
    };
    let (_, operation) = pairs.remove(position);
    pairs.retain(|(name, _)| name != "Version");
    Ok(Call { operation, request: unflatten(&pairs)? })
}

/// Namespace of STS's answers, with its API version.
pub(super) const STS: &str = "https://sts.amazonaws.com/doc/2011-06-15/";
/// Namespace of Auto Scaling's answers, with its API version.
pub(super) const AUTOSCALING: &str = "http://autoscaling.amazonaws.com/doc/2011-01-01/";

/// The same in the form of all services but EC2, which write lists as `Tags.member.1.Key=…`.
pub(super) fn parse_members(request: &Request<Bytes>) -> Result<Call, ServiceError> {
    let Call { operation, request } = parse(request)?;
    Ok(Call { operation, request: without_members(request) })
}

fn without_members(value: Value) -> Value {
    match value {
        Value::Object(mut members) => match members.remove("member") {
            Some(Value::Array(items)) if members.is_empty() => items.into_iter().map(without_members).collect(),
            // No list at all: left as it is, for the operation to refuse.
            Some(other) => {
                members.insert("member".to_owned(), other);
                Value::Object(members)
            }
            None => members.into_iter().map(|(name, value)| (name, without_members(value))).collect(),
        },
        Value::Array(items) => items.into_iter().map(without_members).collect(),
        other => other,
    }
}

/// A parameter tree before it is known which nodes are lists.
#[derive(Default)]
struct Node {
    value: Option<String>,
    children: BTreeMap<String, Node>,
}

/// `Filter.1.Value.2=x` becomes `{"Filter": [{"Value": ["x"]}]}`. List positions give the order; gaps close.
fn unflatten(pairs: &[(String, String)]) -> Result<Value, ServiceError> {
    let mut root = Node::default();
    for (name, value) in pairs {
        if name.split('.').count() > MAX_DEPTH {
            return Err(unknown_parameter(name));
        }
        let node = name.split('.').fold(&mut root, |node, part| node.children.entry(part.to_owned()).or_default());
        node.value = Some(value.clone());
    }
    let members = root.children.into_iter().map(|(name, node)| {
        let value = build(&name, node)?;
        Ok((name, value))
    });
    Ok(Value::Object(members.collect::<Result<Map<_, _>, ServiceError>>()?))
}

fn build(path: &str, node: Node) -> Result<Value, ServiceError> {
    if node.children.is_empty() {
        return Ok(Value::String(node.value.unwrap_or_default()));
    }
    // `Filter=` beside `Filter.1.Name=…` is how some clients announce a list; any other value contradicts the children.
    if node.value.is_some_and(|value| !value.is_empty()) {
        return Err(unknown_parameter(path));
    }
    let positions: Option<BTreeMap<u64, &String>> =
        node.children.keys().map(|name| Some((name.parse().ok()?, name))).collect();
    if let Some(order) = positions.map(|positions| positions.into_values().cloned().collect::<Vec<_>>()) {
        let mut children = node.children;
        let items = order.into_iter().filter_map(|name| Some((name.clone(), children.remove(&name)?)));
        return items.map(|(name, item)| build(&format!("{path}.{name}"), item)).collect();
    }
    node.children
        .into_iter()
        .map(|(name, child)| {
            let value = build(&format!("{path}.{name}"), child)?;
            Ok((name, value))
        })
        .collect::<Result<Map<_, _>, ServiceError>>()
        .map(Value::Object)
}

fn unknown_parameter(path: &str) -> ServiceError {
    ServiceError::new(400, "UnknownParameter", format!("The parameter {path} is not recognized"))
}

fn answer(status: u16, id: &str, body: String) -> Response<Bytes> {
    response(status, &[("content-type", CONTENT_TYPE), ("x-amzn-requestid", id)], body)
}

/// An EC2 answer, API version 2016-11-15.
pub(super) fn ec2_success(operation: &str, value: &Value, id: &str) -> Response<Bytes> {
    let body = format!(
        "{}<{operation}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>{id}</requestId>{}</{operation}Response>",
        xml::DECLARATION,
        xml::elements(value)
    );
    answer(200, id, body)
}

/// An EC2 error.
pub(super) fn ec2_fault(error: &ServiceError, id: &str) -> Response<Bytes> {
    let body = format!(
        "{}<Response><Errors><Error><Code>{}</Code><Message>{}</Message></Error></Errors><RequestID>{id}</RequestID></Response>",
        xml::DECLARATION,
        xml::escape(&error.code),
        xml::escape(&error.message)
    );
    answer(error.status, id, body)
}

/// An answer of a service whose answers are of that namespace. Lists are of `member`s.
pub(super) fn success(namespace: &str, operation: &str, value: &Value, id: &str) -> Response<Bytes> {
    // An operation without an answer has no element for it.
    let result = match value {
        Value::Null => String::new(),
        value => format!("<{operation}Result>{}</{operation}Result>", xml::elements_of(value, "member")),
    };
    let body = format!(
        "<{operation}Response xmlns=\"{namespace}\">{result}<ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata></{operation}Response>"
    );
    answer(200, id, body)
}

/// An error of such a service.
pub(super) fn fault(namespace: &str, error: &ServiceError, id: &str) -> Response<Bytes> {
    let sender = if error.status < 500 { "Sender" } else { "Receiver" };
    let body = format!(
        "<ErrorResponse xmlns=\"{namespace}\"><Error><Type>{sender}</Type><Code>{}</Code><Message>{}</Message></Error><RequestId>{id}</RequestId></ErrorResponse>",
        xml::escape(&error.code),
        xml::escape(&error.message)
    );
    answer(error.status, id, body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parsed(body: &str) -> Result<Call, ServiceError> {
        parse(&Request::builder().method("POST").uri("/").body(Bytes::from(body.to_owned())).unwrap())
    }

    #[test]
    fn parameters_become_a_tree() {
        let call = parsed(
            "Action=DescribeImages&Version=2016-11-15&Filter.1.Name=name&Filter.1.Value.1=a&Filter.1.Value.2=b%2A\
             &Owner.2=z&Owner.1=self&DryRun=false&LaunchTemplateData.BlockDeviceMapping.1.Ebs.VolumeSize=8",
        )
        .unwrap();
        assert_eq!(call.operation, "DescribeImages");
        assert_eq!(
            call.request,
            json!({
                "Filter": [{ "Name": "name", "Value": ["a", "b*"] }],
                "Owner": ["self", "z"],
                "DryRun": "false",
                "LaunchTemplateData": { "BlockDeviceMapping": [{ "Ebs": { "VolumeSize": "8" } }] },
            })
        );
    }

    #[test]
    fn lists_of_members_become_lists() {
        let body =
            "Action=A&Tags.member.1.Key=k&Tags.member.2.Key=l&P.CheckpointPercentages.member.1=20&Names=&Member=x";
        let request = Request::builder().method("POST").uri("/").body(Bytes::from(body.to_owned())).unwrap();
        let expected = json!({
            "Tags": [{ "Key": "k" }, { "Key": "l" }], "P": { "CheckpointPercentages": ["20"] }, "Names": "", "Member": "x",
        });
        assert_eq!(parse_members(&request).unwrap().request, expected);
        let response = success(AUTOSCALING, "A", &json!({ "Tags": [{ "Key": "k" }] }), "r");
        let body = String::from_utf8(response.body().to_vec()).unwrap();
        assert!(body.contains("<AResult><Tags><member><Key>k</Key></member></Tags></AResult>"), "{body}");
        let body = String::from_utf8(success(AUTOSCALING, "A", &Value::Null, "r").body().to_vec()).unwrap();
        assert!(!body.contains("AResult"), "{body}");
    }

    #[test]
    fn ten_comes_after_nine() {
        let parameters: Vec<String> = (1..=12).rev().map(|n| format!("X.{n}=v{n}")).collect();
        let call = parsed(&format!("Action=A&{}", parameters.join("&"))).unwrap();
        let expected: Vec<String> = (1..=12).map(|n| format!("v{n}")).collect();
        assert_eq!(call.request["X"], json!(expected));
    }

    #[test]
    fn huge_positions_and_depths_do_no_harm() {
        assert_eq!(parsed("Action=A&X.18446744073709551615=v").unwrap().request, json!({ "X": ["v"] }));
        let deep = "a.".repeat(5000);
        assert_eq!(parsed(&format!("Action=A&{deep}b=1")).unwrap_err().code, "UnknownParameter");
        assert_eq!(parsed("Action=A&X=1&X.1=2").unwrap_err().code, "UnknownParameter");
        assert_eq!(parsed("Version=1").unwrap_err().code, "MissingAction");
        assert_eq!(parsed("Action=A&X=%ff").unwrap_err().code, "MalformedQueryString");
    }

    #[test]
    fn errors_escape_what_they_quote() {
        let response = ec2_fault(&ServiceError::new(400, "InvalidID", "no <b> & \"c\""), "r-1");
        let body = String::from_utf8(response.body().to_vec()).unwrap();
        assert!(body.contains("<Message>no &lt;b&gt; &amp; \"c\"</Message>"), "{body}");
        assert!(body.contains("<RequestID>r-1</RequestID>"));
    }
}

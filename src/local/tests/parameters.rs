use super::{Bench, code};
use crate::local::ssm::put_public_parameter;
use serde_json::{Value, json};

const AMI: &str = "ami-0123456789abcdef0";
const OTHER: &str = "ami-0123456789abcdef1";

fn put(bench: &Bench, name: &str, value: &str) -> Result<Value, super::Refusal> {
    bench.ssm("PutParameter", &json!({ "Name": name, "Type": "String", "Value": value, "Overwrite": true }))
}

fn value(bench: &Bench, name: &str) -> String {
    let answer = bench.ssm("GetParameter", &json!({ "Name": name })).unwrap();
    answer["Parameter"]["Value"].as_str().unwrap().to_owned()
}

#[test]
fn a_parameter_is_made_once_and_overwritten_on_request() {
    let bench = Bench::new();
    let create = json!({ "Name": "/a/b", "Type": "String", "Value": "1", "Tags": [{ "Key": "k", "Value": "v" }] });
    assert_eq!(bench.ssm("PutParameter", &create).unwrap(), json!({ "Tier": "Standard", "Version": 1 }));
    assert_eq!(code(bench.ssm("PutParameter", &create)), "ParameterAlreadyExists");
    assert_eq!(put(&bench, "/a/b", "2").unwrap()["Version"], 2);
    let answer = bench.ssm("GetParameter", &json!({ "Name": "/a/b" })).unwrap();
    assert_eq!(
        answer["Parameter"],
        json!({
            "ARN": "arn:aws:ssm:us-east-1:000000000000:parameter/a/b",
            "DataType": "text",
            "LastModifiedDate": 1_772_366_400,
            "Name": "/a/b",
            "Type": "String",
            "Value": "2",
            "Version": 2,
        })
    );
    let tagged = json!({ "Name": "/a/b", "Value": "3", "Overwrite": true, "Tags": [{ "Key": "k", "Value": "v" }] });
    assert!(bench.ssm("PutParameter", &tagged).unwrap_err().message.contains("tags and overwrite"));
    let retyped = json!({ "Name": "/a/b", "Value": "3", "Overwrite": true, "Type": "StringList" });
    assert_eq!(code(bench.ssm("PutParameter", &retyped)), "HierarchyTypeMismatchException");
    assert!(
        bench
            .ssm("PutParameter", &json!({ "Name": "new", "Value": "3" }))
            .unwrap_err()
            .message
            .contains("type is required")
    );
}

#[test]
fn values_are_limited_by_bytes_and_tier() {
    let bench = Bench::new();
    let big = "ä".repeat(2048);
    assert!(put(&bench, "a", &big).is_ok());
    assert!(put(&bench, "a", &format!("{big}x")).unwrap_err().message.contains("4097 bytes"));
    let advanced = json!({ "Name": "b", "Type": "String", "Value": "x".repeat(8192), "Tier": "Advanced" });
    assert_eq!(bench.ssm("PutParameter", &advanced).unwrap()["Tier"], "Advanced");
    let back = json!({ "Name": "b", "Value": "x", "Overwrite": true, "Tier": "Standard" });
    assert!(bench.ssm("PutParameter", &back).is_err());
    let automatic = json!({ "Name": "c", "Type": "String", "Value": "x".repeat(5000), "Tier": "Intelligent-Tiering" });
    assert_eq!(bench.ssm("PutParameter", &automatic).unwrap()["Tier"], "Advanced");
}

#[test]
fn the_allowed_pattern_must_match_now_and_later() {
    let bench = Bench::new();
    let request = |value: &str| json!({ "Name": "a", "Type": "String", "Value": value, "AllowedPattern": "v[0-9]+" });
    assert_eq!(code(bench.ssm("PutParameter", &request("xv1"))), "ParameterPatternMismatchException");
    bench.ssm("PutParameter", &request("v1")).unwrap();
    assert_eq!(code(put(&bench, "a", "w")), "ParameterPatternMismatchException");
    let broken = json!({ "Name": "b", "Type": "String", "Value": "x", "AllowedPattern": "(" });
    assert_eq!(code(bench.ssm("PutParameter", &broken)), "InvalidAllowedPatternException");
}

#[test]
fn an_image_parameter_keeps_its_value_when_the_image_is_not_there() {
    let bench = Bench::new();
    bench.add_ami(AMI, |_| {});
    bench.add_ami(OTHER, |ami| ami.state = "pending".to_owned());
    let request = |value: &str| json!({ "Name": "/g/a", "Type": "String", "DataType": "aws:ec2:image", "Value": value, "Overwrite": true });
    // Never made: the answer has a version all the same.
    assert_eq!(bench.ssm("PutParameter", &request("ami-0000000000000dead")).unwrap()["Version"], 1);
    assert_eq!(code(bench.ssm("GetParameter", &json!({ "Name": "/g/a" }))), "ParameterNotFound");
    assert_eq!(bench.ssm("PutParameter", &request(AMI)).unwrap()["Version"], 1);
    // An image that is not available yet is as good as none.
    assert_eq!(bench.ssm("PutParameter", &request(OTHER)).unwrap()["Version"], 2);
    // And the type stays when an overwrite does not repeat it.
    assert_eq!(put(&bench, "/g/a", "not-an-image").unwrap()["Version"], 2);
    assert_eq!(value(&bench, "/g/a"), AMI);
    // An image of another account counts only when it is shared.
    let other = bench.by("111122223333");
    other.ssm("PutParameter", &request(AMI)).unwrap();
    assert!(other.ssm("GetParameter", &json!({ "Name": "/g/a" })).is_err());
    bench.add_ami(AMI, |ami| ami.launch_permissions = vec!["111122223333".to_owned()]);
    other.ssm("PutParameter", &request(AMI)).unwrap();
    assert_eq!(value(&other, "/g/a"), AMI);
}

#[test]
fn versions_and_labels_select() {
    let bench = Bench::new();
    for number in 1..=3 {
        put(&bench, "a", &number.to_string()).unwrap();
    }
    let label = json!({ "Name": "a", "ParameterVersion": 2, "Labels": ["prod", "1bad", "aws-x"] });
    let answer = bench.ssm("LabelParameterVersion", &label).unwrap();
    assert_eq!(answer, json!({ "InvalidLabels": ["1bad", "aws-x"], "ParameterVersion": 2 }));
    assert_eq!((value(&bench, "a:1"), value(&bench, "a:prod")), ("1".to_owned(), "2".to_owned()));
    let answer = bench.ssm("GetParameter", &json!({ "Name": "a:prod" })).unwrap();
    assert_eq!(answer["Parameter"]["Selector"], ":prod");
    bench.ssm("LabelParameterVersion", &json!({ "Name": "a", "Labels": ["prod"] })).unwrap();
    assert_eq!(value(&bench, "a:prod"), "3");
    for missing in ["a:9", "a:gone"] {
        assert_eq!(code(bench.ssm("GetParameter", &json!({ "Name": missing }))), "ParameterVersionNotFound");
    }
    let unlabel = json!({ "Name": "a", "ParameterVersion": 3, "Labels": ["prod", "other"] });
    let answer = bench.ssm("UnlabelParameterVersion", &unlabel).unwrap();
    assert_eq!(answer, json!({ "RemovedLabels": ["prod"], "InvalidLabels": ["other"] }));
    let history = bench.ssm("GetParameterHistory", &json!({ "Name": "a", "MaxResults": 2 })).unwrap();
    assert_eq!(history["Parameters"].as_array().unwrap().len(), 2);
    let rest = json!({ "Name": "a", "MaxResults": 2, "NextToken": history["NextToken"] });
    let rest = bench.ssm("GetParameterHistory", &rest).unwrap();
    assert_eq!((&rest["Parameters"][0]["Value"], rest.get("NextToken")), (&json!("3"), None));
}

#[test]
fn a_hundred_versions_are_kept_unless_the_oldest_is_labelled() {
    let bench = Bench::new();
    for number in 1..=101 {
        put(&bench, "a", &number.to_string()).unwrap();
    }
    assert_eq!(code(bench.ssm("GetParameter", &json!({ "Name": "a:1" }))), "ParameterVersionNotFound");
    bench.ssm("LabelParameterVersion", &json!({ "Name": "a", "ParameterVersion": 2, "Labels": ["keep"] })).unwrap();
    assert_eq!(code(put(&bench, "a", "102")), "ParameterMaxVersionLimitExceeded");
    assert_eq!(value(&bench, "a"), "101");
}

#[test]
fn many_are_read_by_name_and_by_path() {
    let bench = Bench::new();
    for name in ["/g/a/x", "/g/a/y", "/g/b", "/gh/c", "plain"] {
        put(&bench, name, name).unwrap();
    }
    let answer = bench.ssm("GetParameters", &json!({ "Names": ["plain", "gone", "/g/b:1"] })).unwrap();
    assert_eq!(answer["InvalidParameters"], json!(["gone"]));
    assert_eq!(answer["Parameters"][1]["Selector"], ":1");
    let names = |request: &Value| -> Vec<String> {
        let answer = bench.ssm("GetParametersByPath", request).unwrap();
        answer["Parameters"].as_array().unwrap().iter().map(|p| p["Name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&json!({ "Path": "/g" })), ["/g/b"]);
    assert_eq!(names(&json!({ "Path": "/g/", "Recursive": true })), ["/g/a/x", "/g/a/y", "/g/b"]);
    let first = bench.ssm("GetParametersByPath", &json!({ "Path": "/g", "Recursive": true, "MaxResults": 2 })).unwrap();
    let next = json!({ "Path": "/g", "Recursive": true, "NextToken": first["NextToken"] });
    assert_eq!(names(&next), ["/g/b"]);
    let foreign = json!({ "Path": "/gh", "NextToken": first["NextToken"] });
    assert_eq!(code(bench.ssm("GetParametersByPath", &foreign)), "InvalidNextToken");
    assert_eq!(code(bench.ssm("GetParametersByPath", &json!({ "Path": "g" }))), "ValidationException");
    assert_eq!(
        code(bench.ssm("GetParametersByPath", &json!({ "Path": "/g", "MaxResults": 11 }))),
        "ValidationException"
    );
    let too_many: Vec<String> = (0..11).map(|n| n.to_string()).collect();
    assert_eq!(code(bench.ssm("GetParameters", &json!({ "Names": too_many }))), "ValidationException");
}

#[test]
fn parameters_are_described_by_filters() {
    let bench = Bench::new();
    put(&bench, "/g/a", "1").unwrap();
    put(&bench, "/g/b", "1").unwrap();
    let tags = json!({ "ResourceType": "Parameter", "ResourceId": "/g/b", "Tags": [{ "Key": "team", "Value": "x" }] });
    bench.ssm("AddTagsToResource", &tags).unwrap();
    let names = |filter: Value| -> Vec<String> {
        let answer = bench.ssm("DescribeParameters", &json!({ "ParameterFilters": [filter] })).unwrap();
        answer["Parameters"].as_array().unwrap().iter().map(|p| p["Name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(json!({ "Key": "Name", "Option": "Contains", "Values": ["/b"] })), ["/g/b"]);
    assert_eq!(names(json!({ "Key": "tag:team", "Values": ["x"] })), ["/g/b"]);
    assert_eq!(names(json!({ "Key": "Path", "Values": ["/g"] })), ["/g/a", "/g/b"]);
    let unknown = json!({ "ParameterFilters": [{ "Key": "Colour", "Values": ["x"] }] });
    assert_eq!(code(bench.ssm("DescribeParameters", &unknown)), "ValidationException");
    // A key that the API has, but not for this operation.
    let by_name = json!({ "Path": "/g", "ParameterFilters": [{ "Key": "Name", "Values": ["x"] }] });
    assert_eq!(code(bench.ssm("GetParametersByPath", &by_name)), "InvalidFilterKey");
    bench.ssm("PutParameter", &json!({ "Name": "/g/s", "Type": "SecureString", "Value": "x" })).unwrap();
    assert_eq!(names(json!({ "Key": "KeyId", "Values": ["alias/aws/ssm"] })), ["/g/s"]);
    let listed = bench.ssm("ListTagsForResource", &json!({ "ResourceType": "Parameter", "ResourceId": "/g/b" }));
    assert_eq!(listed.unwrap(), json!({ "TagList": [{ "Key": "team", "Value": "x" }] }));
    let remove = json!({ "ResourceType": "Parameter", "ResourceId": "/g/b", "TagKeys": ["team"] });
    bench.ssm("RemoveTagsFromResource", &remove).unwrap();
    assert!(names(json!({ "Key": "tag:team", "Values": ["x"] })).is_empty());
    let gone = json!({ "ResourceType": "Parameter", "ResourceId": "gone" });
    assert_eq!(code(bench.ssm("ListTagsForResource", &gone)), "InvalidResourceId");
}

#[test]
fn deleting() {
    let bench = Bench::new();
    put(&bench, "a", "1").unwrap();
    put(&bench, "b", "1").unwrap();
    bench.ssm("DeleteParameter", &json!({ "Name": "a" })).unwrap();
    assert_eq!(code(bench.ssm("DeleteParameter", &json!({ "Name": "a" }))), "ParameterNotFound");
    let answer = bench.ssm("DeleteParameters", &json!({ "Names": ["a", "b"] })).unwrap();
    assert_eq!(answer, json!({ "DeletedParameters": ["b"], "InvalidParameters": ["a"] }));
}

#[test]
fn public_parameters_are_everybodys_and_nobodys() {
    let bench = Bench::new();
    let name = "/aws/service/debian/release/12/latest/amd64";
    put_public_parameter(&bench.local, "us-east-1", name, "ami-1").unwrap();
    put_public_parameter(&bench.local, "us-east-1", name, "ami-1").unwrap();
    put_public_parameter(&bench.local, "us-east-1", name, "ami-2").unwrap();
    for account in ["111122223333", "444455556666"] {
        let answer = bench.by(account).ssm("GetParameter", &json!({ "Name": name })).unwrap();
        assert_eq!(answer["Parameter"]["Version"], 2);
        assert_eq!(answer["Parameter"]["ARN"], format!("arn:aws:ssm:us-east-1::parameter{name}"));
    }
    assert_eq!(code(put(&bench, name, "ami-3")), "AccessDeniedException");
    assert_eq!(code(bench.ssm("DeleteParameter", &json!({ "Name": name }))), "AccessDeniedException");
    let answer =
        bench.ssm("GetParametersByPath", &json!({ "Path": "/aws/service/debian", "Recursive": true })).unwrap();
    assert_eq!(answer["Parameters"][0]["Value"], "ami-2");
}

#[test]
fn a_secure_string_is_shown_with_decryption_only() {
    let bench = Bench::new();
    bench.ssm("PutParameter", &json!({ "Name": "s", "Type": "SecureString", "Value": "hush" })).unwrap();
    assert_ne!(value(&bench, "s"), "hush");
    let answer = bench.ssm("GetParameter", &json!({ "Name": "s", "WithDecryption": true })).unwrap();
    assert_eq!(answer["Parameter"]["Value"], "hush");
}

use super::{Bench, Refusal, code, text};
use http::Request;
use serde_json::{Value, json};

pub(super) const BUILD: &str = "name: a\nschemaVersion: 1.0\nphases:\n  - name: build\n    steps: [{ name: Say, action: ExecuteBash, inputs: { commands: [\"true\"] } }]\n";
const TEST: &str = "name: a\nschemaVersion: 1.0\nphases:\n  - name: test\n    steps: [{ name: Say, action: ExecuteBash, inputs: { commands: [\"true\"] } }]\n";
pub(super) const BASE: &str = "arn:aws:imagebuilder:us-east-1:000000000000";

pub(super) fn component(bench: &Bench, name: &str, version: &str, data: &str) -> Result<String, Refusal> {
    let request = json!({ "name": name, "semanticVersion": version, "platform": "Linux", "data": data });
    let answer = bench.builder("CreateComponent", &request)?;
    Ok(answer["componentBuildVersionArn"].as_str().unwrap().to_owned())
}

fn get(bench: &Bench, arn: &str) -> Result<Value, Refusal> {
    Ok(bench.builder("GetComponent", &json!({ "componentBuildVersionArn": arn }))?["component"].clone())
}

#[test]
fn content_that_changes_makes_the_next_build() {
    let bench = Bench::new();
    let first = component(&bench, "Patch Linux", "1.0.0", BUILD).unwrap();
    assert_eq!(first, format!("{BASE}:component/patch-linux/1.0.0/1"));
    let refusal = component(&bench, "Patch Linux", "1.0.0", BUILD).unwrap_err();
    assert_eq!(refusal.code, "ResourceAlreadyExistsException");
    assert!(refusal.message.contains(&first));
    assert_eq!(
        component(&bench, "Patch Linux", "1.0.0", TEST).unwrap(),
        format!("{BASE}:component/patch-linux/1.0.0/2")
    );
    // Another name with the same normalised form.
    assert_eq!(code(component(&bench, "patch_linux", "2.0.0", TEST)), "ResourceAlreadyExistsException");
}

#[test]
fn a_component_is_found_by_version_and_by_wildcard() {
    let bench = Bench::new();
    for version in ["1.9.0", "1.10.0", "1.10.1", "2.0.0"] {
        component(&bench, "abc", version, BUILD).unwrap();
    }
    component(&bench, "abc", "1.10.1", TEST).unwrap();
    let version = |path: &str| get(&bench, &format!("{BASE}:component/abc/{path}")).unwrap()["arn"].clone();
    assert_eq!(version("x.x.x"), format!("{BASE}:component/abc/2.0.0/1"));
    assert_eq!(version("1.x.x"), format!("{BASE}:component/abc/1.10.1/2"));
    assert_eq!(version("1.9.x"), format!("{BASE}:component/abc/1.9.0/1"));
    assert_eq!(version("1.10.1"), format!("{BASE}:component/abc/1.10.1/2"));
    assert_eq!(version("1.10.1/1"), format!("{BASE}:component/abc/1.10.1/1"));
    let refusal = get(&bench, &format!("{BASE}:component/abc/3.x.x")).unwrap_err();
    assert_eq!((refusal.status, &*refusal.code), (404, "ResourceNotFoundException"));
    let answer = bench.builder("GetComponent", &json!({ "componentBuildVersionArn": version("1.9.0") })).unwrap();
    assert_eq!(answer["latestVersionReferences"]["latestMinorVersionArn"], format!("{BASE}:component/abc/1.9.x"));
    assert!(answer["requestId"].is_string());
}

#[test]
fn the_document_decides_type_and_parameters() {
    let bench = Bench::new();
    let data = format!("parameters:\n  - Scope: {{ type: string, default: all, description: what }}\n{TEST}");
    let arn = component(&bench, "abc", "1.0.0", &data).unwrap();
    let found = get(&bench, &arn).unwrap();
    assert_eq!((&found["type"], &found["data"]), (&json!("TEST"), &json!(data)));
    let parameter = json!({ "name": "Scope", "type": "String", "defaultValue": ["all"], "description": "what" });
    assert_eq!(found["parameters"], json!([parameter]));
    assert_eq!(found["dateCreated"], "2026-03-01T12:00:00.000Z");
}

#[test]
fn what_a_component_may_not_be() {
    let bench = Bench::new();
    let good = json!({ "name": "abc", "semanticVersion": "1.0.0", "platform": "Linux", "data": BUILD });
    let with = |name: &str, value: Value| {
        let mut request = good.clone();
        request[name] = value;
        bench.builder("CreateComponent", &request).unwrap_err()
    };
    assert_eq!(
        with("semanticVersion", json!("1.0.x")).message,
        "The value supplied for parameter 'semanticVersion' is not valid. semanticVersion must match pattern ^[0-9]+\\.[0-9]+\\.[0-9]+$"
    );
    for (name, value, expected) in [
        ("name", json!("ab"), "InvalidParameterValueException"),
        ("name", json!("a/b/c"), "InvalidParameterValueException"),
        ("platform", json!("BeOS"), "InvalidParameterValueException"),
        ("data", json!("x".repeat(16_001)), "InvalidParameterValueException"),
        ("data", json!("phases: []"), "InvalidParameterValueException"),
        ("data", Value::Null, "InvalidParameterCombinationException"),
        ("uri", json!("s3://a/b"), "InvalidParameterCombinationException"),
        ("kmsKeyId", json!("k"), "InvalidParameterValueException"),
        ("tags", json!({ "aws:x": "y" }), "InvalidParameterException"),
    ] {
        assert_eq!(with(name, value).code, expected, "{name}");
    }
    assert!(with("data", json!("phases: []")).message.contains("'data' is not valid. "));
    let refusal = with("dryRun", json!(true));
    assert_eq!((refusal.status, &*refusal.code), (412, "DryRunOperationException"));
    assert!(bench.builder("CreateComponent", &good).is_ok(), "nothing of all that was stored");
}

#[test]
fn a_client_token_makes_one_component() {
    let bench = Bench::new();
    let mut request =
        json!({ "name": "abc", "semanticVersion": "1.0.0", "platform": "Linux", "data": BUILD, "clientToken": "t" });
    let first = bench.builder("CreateComponent", &request).unwrap();
    let again = bench.builder("CreateComponent", &request).unwrap();
    assert_eq!(first["componentBuildVersionArn"], again["componentBuildVersionArn"]);
    request["data"] = json!(TEST);
    assert_eq!(code(bench.builder("CreateComponent", &request)), "IdempotentParameterMismatchException");
}

#[test]
fn components_are_listed_by_version_by_name_and_by_build() {
    let bench = Bench::new();
    for version in ["1.9.0", "1.10.0"] {
        component(&bench, "abc", version, BUILD).unwrap();
    }
    component(&bench, "abc", "1.10.0", TEST).unwrap();
    component(&bench, "xyz", "1.0.0", TEST).unwrap();
    let list = |request: Value| -> Vec<String> {
        let answer = bench.builder("ListComponents", &request).unwrap();
        let rows = answer["componentVersionList"].as_array().unwrap();
        rows.iter().map(|row| row["arn"].as_str().unwrap().rsplit(':').next().unwrap().to_owned()).collect()
    };
    assert_eq!(list(json!({})), ["component/abc/1.9.0", "component/abc/1.10.0", "component/xyz/1.0.0"]);
    assert_eq!(list(json!({ "byName": true })), ["component/abc/1.10.0", "component/xyz/1.0.0"]);
    assert_eq!(list(json!({ "owner": "Amazon" })), Vec::<String>::new());
    assert_eq!(list(json!({ "filters": [{ "name": "name", "values": ["xyz"] }] })), ["component/xyz/1.0.0"]);
    assert_eq!(list(json!({ "filters": [{ "name": "type", "values": ["BUILD"] }] })), ["component/abc/1.9.0"]);
    assert_eq!(list(json!({ "filters": [{ "name": "version", "values": ["1.10.x"] }] })), ["component/abc/1.10.0"]);
    let refused = json!({ "filters": [{ "name": "colour", "values": ["x"] }] });
    assert_eq!(code(bench.builder("ListComponents", &refused)), "InvalidRequestException");
    let request = json!({ "componentVersionArn": format!("{BASE}:component/abc/1.10.0") });
    let builds = bench.builder("ListComponentBuildVersions", &request).unwrap();
    assert_eq!(builds["componentSummaryList"].as_array().unwrap().len(), 2);
}

#[test]
fn lists_come_in_pages_of_at_most_25() {
    let bench = Bench::new();
    for patch in 0..30 {
        component(&bench, "abc", &format!("1.0.{patch}"), BUILD).unwrap();
    }
    let first = bench.builder("ListComponents", &json!({})).unwrap();
    assert_eq!(first["componentVersionList"].as_array().unwrap().len(), 25);
    let second = bench.builder("ListComponents", &json!({ "nextToken": first["nextToken"] })).unwrap();
    assert_eq!(second["componentVersionList"].as_array().unwrap().len(), 5);
    assert_eq!(second.get("nextToken"), None);
    assert_eq!(code(bench.builder("ListComponents", &json!({ "maxResults": 26 }))), "InvalidParameterValueException");
    assert_eq!(code(bench.builder("ListComponents", &json!({ "nextToken": "x" }))), "InvalidPaginationTokenException");
    let foreign = json!({ "nextToken": first["nextToken"], "byName": true });
    assert_eq!(code(bench.builder("ListComponents", &foreign)), "InvalidPaginationTokenException");
}

#[test]
fn infrastructure_is_replaced_as_a_whole() {
    let bench = Bench::new();
    let request = json!({
        "name": "My Infra", "instanceProfileName": "p", "instanceTypes": ["m7i.large"], "description": "d",
        "instanceMetadataOptions": { "httpTokens": "required", "httpPutResponseHopLimit": 1 }, "tags": { "a": "b" },
    });
    let arn = format!("{BASE}:infrastructure-configuration/my-infra");
    let answer = bench.builder("CreateInfrastructureConfiguration", &request).unwrap();
    assert_eq!(answer["infrastructureConfigurationArn"], json!(arn));
    assert_eq!(code(bench.builder("CreateInfrastructureConfiguration", &request)), "ResourceAlreadyExistsException");
    let named = json!({ "infrastructureConfigurationArn": arn });
    let get =
        || bench.builder("GetInfrastructureConfiguration", &named).unwrap()["infrastructureConfiguration"].clone();
    assert_eq!((&get()["terminateInstanceOnFailure"], get().get("dateUpdated")), (&json!(true), None));
    let update = json!({ "infrastructureConfigurationArn": arn, "instanceProfileName": "q" });
    bench.builder("UpdateInfrastructureConfiguration", &update).unwrap();
    let found = get();
    assert_eq!(
        (&found["instanceProfileName"], found.get("instanceTypes"), &found["tags"]),
        (&json!("q"), None, &json!({ "a": "b" }))
    );
    assert_eq!(found["dateUpdated"], "2026-03-01T12:00:00.000Z");
    let listed = bench.builder("ListInfrastructureConfigurations", &json!({})).unwrap();
    assert_eq!(listed["infrastructureConfigurationSummaryList"][0]["name"], "My Infra");
    bench.builder("DeleteInfrastructureConfiguration", &named).unwrap();
    assert_eq!(code(bench.builder("GetInfrastructureConfiguration", &named)), "ResourceNotFoundException");
}

#[test]
fn what_infrastructure_may_not_be() {
    let bench = Bench::new();
    for (name, value, expected) in [
        ("instanceProfileName", json!("arn:aws:iam::1:instance-profile/p"), "InvalidParameterValueException"),
        ("subnetId", json!("subnet-1"), "InvalidParameterValueException"),
        ("resourceTags", json!({ "Name": "x" }), "InvalidParameterValueException"),
        ("instanceMetadataOptions", json!({ "httpPutResponseHopLimit": 65 }), "InvalidParameterValueException"),
        ("instanceMetadataOptions", json!({ "httpTokens": "never" }), "InvalidParameterValueException"),
        ("snsTopicArn", json!("topic"), "InvalidParameterValueException"),
        ("placement", json!({ "hostId": "h", "hostResourceGroupArn": "g" }), "InvalidParameterValueException"),
    ] {
        let mut request = json!({ "name": "abc", "instanceProfileName": "p" });
        request[name] = value;
        assert_eq!(code(bench.builder("CreateInfrastructureConfiguration", &request)), expected, "{name}");
    }
}

#[test]
fn every_resource_with_an_arn_has_tags() {
    let bench = Bench::new();
    let arn = component(&bench, "abc", "1.0.0", BUILD).unwrap();
    // An image belongs to the other half; all that is known of it here is that it has tags.
    let image = format!("{BASE}:image/abc/1.0.0/1");
    let document = json!({ "arn": image, "tags": { "x": "y" } });
    bench
        .local
        .store
        .write(|tx| tx.put(&bench.scope(), "imagebuilder-image", &image, &document))
        .map_err(|e: crate::local::store::StoreError| e)
        .unwrap();
    for arn in [&arn, &image] {
        let path = format!("/tags/{}", arn.replace('/', "%2F").replace(':', "%3A"));
        let put = bench.send("imagebuilder", Request::post(&*path), r#"{"tags":{"a":"b","c":"d"}}"#);
        assert_eq!(put.status(), 200, "{}", text(&put));
        let gone = bench.send("imagebuilder", Request::delete(format!("{path}?tagKeys=a&tagKeys=x")), "");
        assert_eq!(gone.status(), 200);
        let body: Value = serde_json::from_slice(bench.send("imagebuilder", Request::get(&*path), "").body()).unwrap();
        assert_eq!(body["tags"], json!({ "c": "d" }));
    }
    let missing = bench.send("imagebuilder", Request::get(format!("/tags/{BASE}:component%2Fgone%2F1.0.0%2F1")), "");
    assert_eq!(missing.status(), 404);
    let nonsense = bench.send("imagebuilder", Request::get("/tags/nonsense"), "");
    assert!(text(&nonsense).contains("InvalidParameterException"));
}

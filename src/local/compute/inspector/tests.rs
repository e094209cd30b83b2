use super::*;
use crate::local::tests::Bench;
use http::Request;

/// Asks as the SDK does; status and body.
fn ask(bench: &Bench, path: &str, body: &Value) -> (u16, Value) {
    let response = bench.send("inspector2", Request::post(path), &body.to_string());
    (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap())
}

/// An environment with an image that has no files.
fn bench() -> (Bench, String) {
    let (bench, ami) = (Bench::new(), "ami-0123456789abcdef0");
    bench.add_ami(ami, |ami| ami.layers.clear());
    (bench, ami.to_owned())
}

fn started(bench: &Bench, ami: &str, token: &str) -> (u16, Value) {
    ask(bench, "/ondemand/scan", &json!({ "resourceId": ami, "resourceType": "AMI", "clientToken": token }))
}

#[test]
fn an_image_without_files_cannot_be_scanned_and_says_so() {
    let (bench, ami) = bench();
    let (status, answer) = started(&bench, &ami, "t-1");
    let id = answer["scanId"].as_str().unwrap().to_owned();
    assert_eq!(status, 202);
    assert_eq!(started(&bench, &ami, "t-1").1["scanId"], id, "the same order again");
    bench.local.compute.join();
    let of_scan = json!({ "scanId": id, "resourceId": ami, "resourceType": "AMI" });
    let (status, scan) = ask(&bench, "/ondemand/scan/status", &of_scan);
    assert_eq!(status, 200);
    assert_eq!((&scan["scanStatus"], &scan["scanStatusReason"]), (&json!("FAILED"), &json!("UNSUPPORTED_OS")));
    assert!(scan["completedAt"].is_string() && scan["startedAt"] == "2026-03-01T12:00:00Z");
    let (_, listed) = ask(&bench, "/ondemand/scans", &json!({ "resourceId": ami, "resourceType": "AMI" }));
    assert_eq!(listed["items"][0], scan);
    // A second order is a second scan.
    assert_ne!(started(&bench, &ami, "t-2").1["scanId"], id);
    bench.local.compute.join();
    let page = json!({ "resourceId": ami, "resourceType": "AMI", "maxResults": 1 });
    let (_, first) = ask(&bench, "/ondemand/scans", &page);
    assert_eq!(first["items"].as_array().unwrap().len(), 1);
    let next = json!({ "resourceId": ami, "resourceType": "AMI", "maxResults": 1, "nextToken": first["nextToken"] });
    assert_eq!(ask(&bench, "/ondemand/scans", &next).1["items"].as_array().unwrap().len(), 1);
}

#[test]
fn what_the_service_refuses_is_refused() {
    let (bench, ami) = bench();
    let code = |(status, answer): (u16, Value)| (status, answer["__type"].as_str().unwrap_or_default().to_owned());
    let refused = |status: u16, code: &str| (status, code.to_owned());
    let invalid = refused(400, "ValidationException");
    for body in [
        json!({}),
        json!({ "resourceId": ami }),
        json!({ "resourceId": ami, "resourceType": "INSTANCE" }),
        json!({ "resourceId": "i-0123456789abcdef0", "resourceType": "AMI" }),
        json!({ "resourceId": "ami-1", "resourceType": "AMI" }),
    ] {
        assert_eq!(code(ask(&bench, "/ondemand/scan", &body)), invalid, "{body}");
    }
    let (_, answer) = ask(&bench, "/ondemand/scan", &json!({}));
    assert_eq!(answer["reason"], "FIELD_VALIDATION_FAILED");
    let denied = refused(403, "AccessDeniedException");
    assert_eq!(code(started(&bench, "ami-0fffffffffffffff0", "t")), denied, "there is none");
    assert_eq!(code(started(&bench.by("111122223333"), &ami, "t")), denied, "it is somebody else's");
    let unknown = json!({ "scanId": "abc", "resourceId": ami, "resourceType": "AMI" });
    assert_eq!(code(ask(&bench, "/ondemand/scan/status", &unknown)), refused(404, "ResourceNotFoundException"));
    let wrong = json!({ "scanId": "A-1", "resourceId": ami, "resourceType": "AMI" });
    assert_eq!(code(ask(&bench, "/ondemand/scan/status", &wrong)), invalid);
    let page = json!({ "resourceId": ami, "resourceType": "AMI", "nextToken": "x" });
    assert_eq!(code(ask(&bench, "/ondemand/scans", &page)), invalid);
}

#[test]
fn one_scan_at_a_time_and_one_whose_process_died_has_failed() {
    let (bench, ami) = bench();
    let scope = bench.scope();
    let running = ScanRecord::new(&ami, time::macros::datetime!(2026-03-01 11:59 UTC)).unwrap();
    let put = |record: &ScanRecord| {
        let kept: Result<(), StoreError> = bench.local.store.write(|tx| tx.put(&scope, SCAN, &record.key(), record));
        kept.unwrap();
    };
    put(&running);
    let (status, conflict) = started(&bench, &ami, "t");
    assert_eq!((status, &conflict["__type"], &conflict["resourceId"]), (409, &json!("ConflictException"), &json!(ami)));
    let mut owner = serde_json::to_value(&running.owner).unwrap();
    owner["started"] = json!(owner["started"].as_u64().unwrap() + 1);
    put(&ScanRecord { owner: serde_json::from_value(owner).unwrap(), ..running.clone() });
    let of_scan = json!({ "scanId": running.id, "resourceId": ami, "resourceType": "AMI" });
    let (_, scan) = ask(&bench, "/ondemand/scan/status", &of_scan);
    assert_eq!((&scan["scanStatus"], &scan["scanStatusReason"]), (&json!("FAILED"), &json!("INTERNAL_ERROR")));
    assert_eq!(started(&bench, &ami, "t").0, 202);
    bench.local.compute.join();
}

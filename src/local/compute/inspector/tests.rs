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

/// What a scan has found is shown by EC2 to whoever may see the image.
#[test]
fn ec2_shows_the_newest_scan() {
    use crate::local::records::{IMAGE_SCAN, ImageFinding, ImageScan};
    use crate::local::tests::{code, elements};
    let (bench, ami) = bench();
    let get = |bench: &Bench, more: &str| bench.ec2(&format!("Action=GetImageFindings&ImageId={ami}{more}"));
    assert_eq!(elements(&get(&bench, "").unwrap(), "title"), Vec::<String>::new());
    let shown = || bench.ec2(&format!("Action=DescribeImages&ImageId.1={ami}")).unwrap();
    assert!(!shown().contains("scanResults"), "never scanned");
    let finding = |title: &str, severity: &str, fix_available: bool| ImageFinding {
        title: title.to_owned(),
        severity: severity.to_owned(),
        fix_available,
        first_observed_at: "2026-02-01T00:00:00Z".to_owned(),
        updated_at: "2026-03-01T00:00:00Z".to_owned(),
    };
    let findings = vec![finding("CVE-2026-1111 - a", "low", true), finding("CVE-2026-2222 - b", "high", false)];
    let scan = ImageScan { scanned_at: "2026-03-01T11:00:00Z".to_owned(), findings };
    let kept: Result<(), StoreError> = bench.local.store.write(|tx| tx.put(&bench.scope(), IMAGE_SCAN, &ami, &scan));
    kept.unwrap();
    let first = get(&bench, "&MaxResults=1").unwrap();
    assert_eq!(elements(&first, "title"), ["CVE-2026-1111 - a"]);
    let token = &elements(&first, "nextToken")[0];
    let second = get(&bench, &format!("&MaxResults=1&NextToken={token}")).unwrap();
    assert_eq!(
        (elements(&second, "severityLabel"), elements(&second, "fixAvailable")),
        (vec!["high".into()], vec!["false".into()])
    );
    let image = shown();
    assert_eq!(elements(&image, "findingScanDate"), ["2026-03-01T11:00:00.000Z"]);
    assert_eq!(elements(&image, "highestFindingSeverityLabel"), ["high"]);
    assert_eq!(elements(&image, "lowFixAvailableSince"), ["2026-02-01T00:00:00.000Z"]);
    assert!(!image.contains("highFixAvailableSince"), "it has no fix");
    assert_eq!(code(get(&bench.by("111122223333"), "")), "InvalidAMIID.NotFound");
    bench.add_ami(&ami, |ami| ami.launch_permissions = vec!["111122223333".to_owned()]);
    assert_eq!(elements(&get(&bench.by("111122223333"), "").unwrap(), "title").len(), 2);
    assert_eq!(code(get(&bench, "&MaxResults=1001")), "InvalidParameterValue");
}

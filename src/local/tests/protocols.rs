use super::{Bench, element, text};
use bytes::Bytes;
use http::Request;

#[test]
fn a_request_without_signature_is_refused_in_the_form_the_client_reads() {
    let bench = Bench::new();
    let request = Request::post("/").header("x-amz-target", "AmazonSSM.GetParameter").body(Bytes::new()).unwrap();
    let response = bench.local.handle(request);
    assert_eq!(response.status(), 400);
    assert!(text(&response).contains(r#""__type":"MissingAuthenticationTokenException""#));
    let request = Request::post("/")
        .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
        .header("authorization", "Basic abc")
        .body(Bytes::from("Action=DescribeImages"))
        .unwrap();
    let response = bench.local.handle(request);
    assert_eq!(response.status(), 400);
    assert_eq!(element(&text(&response), "Code").unwrap(), "IncompleteSignature");
}

#[test]
fn what_is_not_there_is_named_and_not_retried() {
    let bench = Bench::new();
    let refusal = bench.ec2("Action=RunMagic").unwrap_err();
    assert_eq!((refusal.status, &*refusal.code), (400, "InvalidAction"));
    assert!(refusal.message.contains("RunMagic of ec2"), "{}", refusal.message);
    let refusal = bench.ssm("StartMagic", &serde_json::json!({})).unwrap_err();
    assert_eq!((refusal.status, &*refusal.code), (400, "UnknownOperationException"));
    let refusal = bench.builder("CreateContainerRecipe", &serde_json::json!({})).unwrap_err();
    assert_eq!((refusal.status, &*refusal.code), (400, "UnknownOperationException"));
    let response = bench.send("s3", Request::get("/bucket?acl"), "");
    assert!(
        response.status() == 400
            && text(&response).contains("The operation GET ?acl of s3 is not in the local environment")
    );
    let response = bench.send("sns", Request::get("/topic"), "");
    assert!(text(&response).contains("The service `sns` is not in the local environment; it has: autoscaling, ec2, "));
}

#[test]
fn the_caller_learns_who_it_is() {
    let bench = Bench::new().by("111122223333");
    let head = Request::post("/").header("content-type", "application/x-www-form-urlencoded");
    let body = text(&bench.send("sts", head, "Action=GetCallerIdentity&Version=2011-06-15"));
    assert_eq!(element(&body, "Account").unwrap(), "111122223333");
    assert_eq!(element(&body, "Arn").unwrap(), "arn:aws:iam::111122223333:user/local");
    assert!(body.contains("<GetCallerIdentityResult>") && body.contains("<ResponseMetadata><RequestId>"));
    let head = Request::post("/").header("content-type", "application/x-www-form-urlencoded");
    let body = text(&bench.send("sts", head, "Action=AssumeRole"));
    assert!(body.starts_with("<ErrorResponse"));
    assert_eq!(element(&body, "Type").unwrap(), "Sender");
}

#[test]
fn ec2_answers_have_its_namespace_and_a_request_id() {
    let body = Bench::new().ec2("Action=DescribeRegions&RegionName.1=eu-west-1").unwrap();
    assert!(body.contains("<DescribeRegionsResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>"));
    assert_eq!(element(&body, "regionName").unwrap(), "eu-west-1");
}

#[test]
fn a_dry_run_of_ec2_does_nothing() {
    let bench = Bench::new();
    let refusal = bench.ec2("Action=DescribeImages&DryRun=true").unwrap_err();
    assert_eq!((refusal.status, &*refusal.code), (412, "DryRunOperation"));
}

#[test]
fn accounts_and_regions_do_not_see_each_other() {
    let bench = Bench::new();
    let put = serde_json::json!({ "Name": "a", "Type": "String", "Value": "1" });
    bench.ssm("PutParameter", &put).unwrap();
    let get = serde_json::json!({ "Name": "a" });
    assert!(bench.ssm("GetParameter", &get).is_ok());
    assert!(bench.by("111122223333").ssm("GetParameter", &get).is_err());
    assert_eq!(super::code(bench.region("eu-west-1").ssm("GetParameter", &get)), "ParameterNotFound");
}

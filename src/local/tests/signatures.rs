//! Who asks is proved: each service refuses in its own words what is not signed with the environment's keys.

use super::copies::Hands;
use super::{Bench, element, text};
use crate::local::{Builds, sigv4};
use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Value, json};

const OTHER: &str = "111122223333";

/// A harmless request to a service.
fn request(service: &str) -> Request<Bytes> {
    let form = |action: &str| {
        let head = Request::post("/").header("content-type", "application/x-www-form-urlencoded");
        head.body(Bytes::from(format!("Action={action}"))).unwrap()
    };
    match service {
        "ec2" => form("DescribeImages&Version=2016-11-15"),
        "sts" => form("GetCallerIdentity&Version=2011-06-15"),
        "ssm" => {
            Request::post("/").header("x-amz-target", "AmazonSSM.DescribeParameters").body(Bytes::from("{}")).unwrap()
        }
        "s3" => Request::get("/").body(Bytes::new()).unwrap(),
        "kms" => Request::post("/").header("x-amz-target", "TrentService.ListAliases").body(Bytes::from("{}")).unwrap(),
        _ => Request::post("/ListComponents").body(Bytes::from("{}")).unwrap(),
    }
}

/// Status and code of an answer.
fn said(response: &Response<Bytes>) -> (u16, String) {
    let code = match response.headers().get("x-amzn-errortype") {
        Some(code) => code.to_str().unwrap().to_owned(),
        None => element(&text(response), "Code").unwrap_or_default(),
    };
    (response.status().as_u16(), code)
}

#[test]
fn each_service_refuses_in_its_own_words() {
    let hands = Hands::new();
    let bench = Bench::scripted(hands.clock(), Builds::Real);
    let (key, secret) = bench.local.credentials(OTHER);
    for (service, unknown, mismatch, stale) in [
        ("ec2", (401, "AuthFailure"), (401, "AuthFailure"), (400, "RequestExpired")),
        ("sts", (403, "InvalidClientTokenId"), (403, "SignatureDoesNotMatch"), (403, "SignatureDoesNotMatch")),
        (
            "ssm",
            (400, "UnrecognizedClientException"),
            (400, "InvalidSignatureException"),
            (400, "InvalidSignatureException"),
        ),
        ("s3", (403, "InvalidAccessKeyId"), (403, "SignatureDoesNotMatch"), (403, "RequestTimeTooSkewed")),
        (
            "kms",
            (400, "UnrecognizedClientException"),
            (400, "InvalidSignatureException"),
            (400, "InvalidSignatureException"),
        ),
        (
            "imagebuilder",
            (403, "UnrecognizedClientException"),
            (403, "InvalidSignatureException"),
            (403, "InvalidSignatureException"),
        ),
    ] {
        let signed = |key: &str, secret: &str| {
            let mut request = request(service);
            sigv4::sign(&mut request, (key, secret), ("us-east-1", service), bench.local.config.clock.now());
            request
        };
        assert_eq!(bench.local.handle(signed(&key, &secret)).status(), 200, "{service}");
        let mut changed = signed(&key, &secret);
        *changed.body_mut() = Bytes::from_static(b"Action=DeregisterImage&ImageId=ami-0123456789abcdef0");
        for (request, wanted) in [
            (signed("AKIAIOSFODNN7EXAMPLE", &secret), unknown),
            (signed(&key, "guessed"), mismatch),
            (signed(&key, &bench.local.credentials("444455556666").1), mismatch),
            (changed, mismatch),
        ] {
            assert_eq!(said(&bench.local.handle(request)), (wanted.0, wanted.1.to_owned()), "{service}");
        }
        let (early, good) = (signed(&key, &secret), signed(&key, &secret));
        hands.forward(240);
        assert_eq!(bench.local.handle_from_outside(good).status(), 200, "{service}");
        hands.forward(700);
        let late = bench.local.handle_from_outside(early);
        assert_eq!(said(&late), (stale.0, stale.1.to_owned()), "{service}");
        // The clock of a client that is ahead.
        let ahead = signed(&key, &secret);
        hands.forward(-1000);
        assert_eq!(said(&bench.local.handle_from_outside(ahead)), (stale.0, stale.1.to_owned()), "{service}");
        hands.forward(1000);
    }
}

fn assume(bench: &Bench, sign: impl FnOnce(&mut Request<Bytes>)) -> Response<Bytes> {
    let body = "Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::444455556666:role/path/deploy&RoleSessionName=amiforge";
    let head = Request::post("/").header("content-type", "application/x-www-form-urlencoded");
    let mut request = head.body(Bytes::from(body)).unwrap();
    sign(&mut request);
    bench.local.handle(request)
}

#[test]
fn a_role_is_who_it_says_until_its_session_ends() {
    let hands = Hands::new();
    let bench = Bench::scripted(hands.clock(), Builds::Real);
    let answer = text(&assume(&bench, |request| bench.sign("sts", request)));
    let [key, secret, token] =
        ["AccessKeyId", "SecretAccessKey", "SessionToken"].map(|name| element(&answer, name).unwrap());
    let ask = |service: &str, mut request: Request<Bytes>| {
        request.headers_mut().insert("x-amz-security-token", token.parse().unwrap());
        sigv4::sign(&mut request, (&key, &secret), ("us-east-1", service), bench.local.config.clock.now());
        bench.local.handle(request)
    };
    let identity = text(&ask("sts", request("sts")));
    assert_eq!(element(&identity, "Arn").unwrap(), "arn:aws:sts::444455556666:assumed-role/deploy/amiforge");
    assert_eq!(element(&identity, "Account").unwrap(), "444455556666");
    let id = element(&identity, "UserId").unwrap();
    assert!(id.starts_with("AROA") && id.len() == 21 + ":amiforge".len() && id.ends_with(":amiforge"), "{id}");
    // What it does is recorded as its doing.
    let put = json!({ "Name": "a", "Type": "String", "Value": "1" }).to_string();
    let head = |operation: &str| Request::post("/").header("x-amz-target", format!("AmazonSSM.{operation}"));
    assert_eq!(ask("ssm", head("PutParameter").body(Bytes::from(put)).unwrap()).status(), 200);
    let history = ask("ssm", head("GetParameterHistory").body(Bytes::from(r#"{"Name":"a"}"#)).unwrap());
    let history: Value = serde_json::from_slice(history.body()).unwrap();
    assert_eq!(history["Parameters"][0]["LastModifiedUser"], "arn:aws:sts::444455556666:assumed-role/deploy/amiforge");
    hands.forward(3600);
    for (service, code) in [("ec2", "RequestExpired"), ("sts", "ExpiredToken"), ("ssm", "ExpiredTokenException")] {
        assert_eq!(said(&ask(service, request(service))).1, code);
    }
}

#[test]
fn a_signature_must_cover_who_and_what() {
    let bench = Bench::new();
    let mut request = request("ssm");
    bench.sign("ssm", &mut request);
    let header = request.headers()["authorization"].to_str().unwrap().to_owned();
    for (from, to) in [(";x-amz-target", ""), ("host;", "")] {
        let mut request = request.clone();
        request.headers_mut().insert("authorization", header.replace(from, to).parse().unwrap());
        assert_eq!(said(&bench.local.handle(request)).1, "IncompleteSignatureException", "{from}");
    }
    let mut undated = request.clone();
    undated.headers_mut().remove("x-amz-date");
    assert_eq!(said(&bench.local.handle(undated)).1, "IncompleteSignatureException");
}

//! Buckets and objects.

use super::{Bench, element, elements, text};
use bytes::Bytes;
use http::{Request, Response};

const OTHER: &str = "111122223333";

impl Bench {
    fn s3(&self, method: &str, uri: &str, headers: &[(&str, &str)], body: &str) -> Response<Bytes> {
        let mut request = Request::builder().method(method).uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send("s3", request, body)
    }

    fn put(&self, key: &str, headers: &[(&str, &str)], body: &str) -> Response<Bytes> {
        self.s3("PUT", &format!("/acme-evidence/{key}"), headers, body)
    }
}

/// Status and code of an answer.
fn said(response: &Response<Bytes>) -> (u16, String) {
    (response.status().as_u16(), element(&text(response), "Code").unwrap_or_default())
}

fn bucket() -> Bench {
    let bench = Bench::new();
    assert_eq!(bench.s3("PUT", "/acme-evidence", &[], "").status(), 200);
    bench
}

#[test]
fn buckets_are_one_name_space_and_of_one_account() {
    let bench = bucket();
    let other = bench.by(OTHER);
    assert_eq!(bench.s3("PUT", "/acme-evidence", &[], "").status(), 200, "in us-east-1 that is no error");
    assert_eq!(said(&other.s3("PUT", "/acme-evidence", &[], "")), (409, "BucketAlreadyExists".into()));
    assert_eq!(said(&other.s3("GET", "/acme-evidence/x", &[], "")), (403, "AccessDenied".into()));
    assert_eq!(said(&bench.s3("GET", "/acme-nothing/x", &[], "")), (404, "NoSuchBucket".into()));
    let head = bench.s3("HEAD", "/acme-nothing", &[], "");
    assert_eq!((head.status().as_u16(), head.body().len()), (404, 0));
    let there = bench.s3("HEAD", "/acme-evidence", &[], "");
    assert_eq!(
        (there.status().as_u16(), &there.headers()["x-amz-bucket-region"]),
        (200, &"us-east-1".parse().unwrap())
    );
    let west = bench.region("eu-west-1");
    assert_eq!(said(&west.s3("GET", "/acme-evidence/x", &[], "")), (301, "PermanentRedirect".into()));
    let configured = |region: &str| {
        format!(
            "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>{region}</LocationConstraint></CreateBucketConfiguration>"
        )
    };
    assert_eq!(said(&west.s3("PUT", "/acme-west", &[], "")), (400, "IllegalLocationConstraintException".into()));
    assert_eq!(said(&west.s3("PUT", "/acme-west", &[], "<x")), (400, "MalformedXML".into()));
    assert_eq!(west.s3("PUT", "/acme-west", &[], &configured("eu-west-1")).status(), 200);
    assert_eq!(
        said(&west.s3("PUT", "/acme-west", &[], &configured("eu-west-1"))),
        (409, "BucketAlreadyOwnedByYou".into())
    );
    assert_eq!(
        said(&bench.s3("PUT", "/acme-two", &[], &configured("us-east-1"))),
        (400, "InvalidLocationConstraint".into())
    );
    for name in ["Acme", "ab", "acme_x", "10.0.0.1", "-acme", "acme..x"] {
        assert_eq!(said(&bench.s3("PUT", &format!("/{name}"), &[], "")), (400, "InvalidBucketName".into()), "{name}");
    }
    assert_eq!(elements(&text(&bench.s3("GET", "/", &[], "")), "Name"), ["acme-evidence", "acme-west"]);
    assert_eq!(element(&text(&west.s3("GET", "/acme-west?location", &[], "")), "LocationConstraint"), None);
    assert!(text(&west.s3("GET", "/acme-west?location", &[], "")).contains(">eu-west-1<"));
    bench.put("x", &[], "x");
    assert_eq!(said(&bench.s3("DELETE", "/acme-evidence", &[], "")), (409, "BucketNotEmpty".into()));
    assert_eq!(bench.s3("DELETE", "/acme-evidence/x", &[], "").status(), 204);
    assert_eq!(bench.s3("DELETE", "/acme-evidence/x", &[], "").status(), 204, "what is gone is gone");
    assert_eq!(bench.s3("DELETE", "/acme-evidence", &[], "").status(), 204);
}

#[test]
fn an_object_comes_back_as_it_was_put() {
    let bench = bucket();
    let headers =
        [("content-type", "application/json"), ("x-amz-meta-by", "amiforge"), ("x-amz-checksum-crc32", "y/Q5Jg==")];
    let put = bench.put("a/b%20c.json", &headers, "123456789");
    assert_eq!(put.status(), 200);
    let etag = put.headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(etag, "\"25f9e794323b453885f5181f1b624d0b\"");
    let got = bench.s3("GET", "/acme-evidence/a/b%20c.json", &[("x-amz-checksum-mode", "ENABLED")], "");
    assert_eq!((got.status().as_u16(), text(&got).as_str()), (200, "123456789"));
    for (name, value) in [
        ("content-type", "application/json"),
        ("x-amz-meta-by", "amiforge"),
        ("x-amz-checksum-crc32", "y/Q5Jg=="),
        ("x-amz-server-side-encryption", "AES256"),
        ("etag", &etag),
        ("last-modified", "Sun, 01 Mar 2026 12:00:00 GMT"),
    ] {
        assert_eq!(got.headers()[name], value);
    }
    let head = bench.s3("HEAD", "/acme-evidence/a/b%20c.json", &[], "");
    assert_eq!((head.headers()["content-length"].to_str().unwrap(), head.body().len()), ("9", 0));
    assert!(!head.headers().contains_key("x-amz-checksum-crc32"), "only when it is asked for");
    let part = bench.s3("GET", "/acme-evidence/a/b%20c.json", &[("range", "bytes=2-4")], "");
    assert_eq!((part.status().as_u16(), text(&part).as_str()), (206, "345"));
    assert_eq!(said(&bench.s3("GET", "/acme-evidence/none", &[], "")), (404, "NoSuchKey".into()));
    assert_eq!(bench.s3("HEAD", "/acme-evidence/none", &[], "").body().len(), 0);
}

#[test]
fn what_must_not_be_replaced_is_not() {
    let bench = bucket();
    let once = [("if-none-match", "*")];
    assert_eq!(bench.put("x", &once, "1").status(), 200);
    assert_eq!(said(&bench.put("x", &once, "1")), (412, "PreconditionFailed".into()));
    assert_eq!(said(&bench.put("x", &[("if-none-match", "abc")], "1")), (501, "NotImplemented".into()));
    assert_eq!(said(&bench.put("x", &[("if-match", "\"abc\"")], "2")), (412, "PreconditionFailed".into()));
    assert_eq!(said(&bench.put("y", &[("if-match", "\"abc\"")], "2")), (404, "NoSuchKey".into()));
    assert_eq!(text(&bench.s3("GET", "/acme-evidence/x", &[], "")), "1");
    assert_eq!(bench.put("x", &[("if-match", "\"c4ca4238a0b923820dcc509a6f75849b\"")], "2").status(), 200);
    assert_eq!(text(&bench.s3("GET", "/acme-evidence/x", &[], "")), "2");
    for (headers, expected) in [
        (&[("x-amz-checksum-sha256", "x")][..], (400, "BadDigest")),
        (&[("content-md5", "x")], (400, "BadDigest")),
        (&[("x-amz-server-side-encryption", "rot13")], (400, "InvalidEncryptionAlgorithmError")),
        (&[("x-amz-server-side-encryption-aws-kms-key-id", "k")], (400, "InvalidArgument")),
        (&[("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")], (400, "IncompleteBody")),
        (&[("x-amz-copy-source", "/acme-evidence/x")], (400, "NotImplemented")),
    ] {
        assert_eq!(said(&bench.put("z", headers, "body")), (expected.0, expected.1.to_owned()), "{headers:?}");
    }
    assert_eq!(
        said(&bench.s3("GET", "/acme-evidence/z", &[], "")),
        (404, "NoSuchKey".into()),
        "nothing of that was kept"
    );
}

#[test]
fn a_body_in_pieces_is_checked_by_what_stands_behind_it() {
    let bench = bucket();
    let headers = |length: &'static str| {
        [
            ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
            ("content-encoding", "aws-chunked"),
            ("x-amz-trailer", "x-amz-checksum-crc32"),
            ("x-amz-decoded-content-length", length),
        ]
    };
    let body = "4\r\n1234\r\n5\r\n56789\r\n0\r\nx-amz-checksum-crc32:y/Q5Jg==\r\n\r\n";
    assert_eq!(bench.put("x", &headers("9"), body).status(), 200);
    assert_eq!(text(&bench.s3("GET", "/acme-evidence/x", &[], "")), "123456789");
    assert_eq!(said(&bench.put("y", &headers("9"), &body.replace("1234", "1235"))), (400, "BadDigest".into()));
    assert_eq!(said(&bench.put("y", &headers("8"), body)), (400, "IncompleteBody".into()));
    let silent = "9\r\n123456789\r\n0\r\n\r\n";
    assert_eq!(said(&bench.put("y", &headers("9"), silent)), (400, "MalformedTrailerError".into()));
}

#[test]
fn objects_are_listed_in_pages_and_below_prefixes() {
    let bench = bucket();
    for key in ["a/1", "a/2", "a/b/3", "c", "d%20d"] {
        bench.put(key, &[], key);
    }
    let list = |query: &str| text(&bench.s3("GET", &format!("/acme-evidence?list-type=2{query}"), &[], ""));
    assert_eq!(elements(&list(""), "Key"), ["a/1", "a/2", "a/b/3", "c", "d d"]);
    assert_eq!(elements(&list("&encoding-type=url"), "Key")[4], "d%20d");
    let below = list("&prefix=a%2F&delimiter=%2F");
    assert_eq!(elements(&below, "Key"), ["a/1", "a/2"]);
    assert!(below.contains("<CommonPrefixes><Prefix>a/b/</Prefix></CommonPrefixes>"), "{below}");
    let top = list("&delimiter=%2F&max-keys=2");
    assert_eq!(
        (elements(&top, "Key"), element(&top, "IsTruncated").unwrap()),
        (vec!["c".to_owned()], "true".to_owned())
    );
    let token = element(&top, "NextContinuationToken").unwrap();
    let rest = list(&format!("&delimiter=%2F&max-keys=2&continuation-token={token}"));
    assert_eq!(
        (elements(&rest, "Key"), element(&rest, "IsTruncated").unwrap()),
        (vec!["d d".to_owned()], "false".to_owned())
    );
    assert_eq!(elements(&list("&start-after=a%2Fb%2F3"), "Key"), ["c", "d d"]);
    assert_eq!(element(&list("&continuation-token=!"), "Code").unwrap(), "InvalidArgument");
    assert_eq!(
        said(&bench.s3("GET", "/acme-evidence", &[], "")),
        (400, "NotImplemented".into()),
        "the first version of lists"
    );
}

/// The SDK's own client, as the product makes one.
#[tokio::test]
async fn the_sdk_finds_its_way() {
    use aws_sdk_s3::primitives::ByteStream;
    let bench = bucket();
    let cloud = crate::aws::testing::on(&bench.local);
    let s3 = cloud.s3();
    let put = s3.put_object().bucket("acme-evidence").key("a b/c+d=.json").if_none_match("*");
    put.body(ByteStream::from_static(b"{}")).send().await.unwrap();
    let got = s3.get_object().bucket("acme-evidence").key("a b/c+d=.json").send().await.unwrap();
    assert_eq!(got.body.collect().await.unwrap().into_bytes(), Bytes::from_static(b"{}"));
    let again =
        s3.put_object().bucket("acme-evidence").key("a b/c+d=.json").if_none_match("*").send().await.unwrap_err();
    assert_eq!(crate::aws::describe(&again).code.as_deref(), Some("PreconditionFailed"));
    let listed = s3.list_objects_v2().bucket("acme-evidence").prefix("a b/").send().await.unwrap();
    assert_eq!(listed.contents()[0].key(), Some("a b/c+d=.json"));
    assert!(s3.head_bucket().bucket("acme-nothing").send().await.unwrap_err().into_service_error().is_not_found());
    let missing = s3.get_object().bucket("acme-evidence").key("x").send().await.unwrap_err();
    assert!(missing.into_service_error().is_no_such_key());
}

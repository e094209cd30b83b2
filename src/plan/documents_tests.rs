use super::super::desired::tests::of;
use super::super::observed::Observed;
use super::super::{diff, publish};
use super::*;
use crate::aws::testing;
use crate::clock::Clock;
use crate::event::Events;
use crate::project::{AwsConfig, Location};
use bytes::Bytes;
use std::sync::{Arc, Mutex};

fn config(document_bucket: Option<&str>) -> EnvironmentConfig {
    EnvironmentConfig::Aws(AwsConfig {
        document_bucket: document_bucket.map(str::to_owned),
        ..AwsConfig::at(Location { account: testing::ACCOUNT.into(), region: testing::REGION.into() })
    })
}

/// Method, path and body of every request, in order.
type Seen = Arc<Mutex<Vec<(String, String, String)>>>;

/// Answers every creation; S3 says that the object is there already when `there` is set.
fn cloud(bucket: Option<&str>, there: bool) -> (Seen, Cloud) {
    let seen = Seen::default();
    let told = Arc::clone(&seen);
    let handler = move |request: http::Request<Bytes>| {
        let path = request.uri().path().to_owned();
        let body = String::from_utf8_lossy(request.body()).into_owned();
        let dry = body.contains("\"dryRun\":true");
        told.lock().unwrap().push((request.method().to_string(), path.clone(), body));
        let answer = http::Response::builder();
        let (status, code, text) = match path.as_str() {
            "/CreateComponent" if dry => (412, "DryRunOperationException", "{}"),
            "/CreateComponent" => (200, "", r#"{"componentBuildVersionArn":"arn:c"}"#),
            "/CreateImageRecipe" => (200, "", r#"{"imageRecipeArn":"arn:r"}"#),
            "/CreateInfrastructureConfiguration" => (200, "", r#"{"infrastructureConfigurationArn":"arn:i"}"#),
            list if list.starts_with("/List") => (200, "", "{}"),
            _ if there => (412, "", "<Error><Code>PreconditionFailed</Code><Message>it is there</Message></Error>"),
            _ => (200, "", ""),
        };
        answer.status(status).header("x-amzn-errortype", code).body(Bytes::from_static(text.as_bytes())).unwrap()
    };
    let clock = Clock::fixed(time::macros::datetime!(2026-01-02 03:04:05 UTC));
    (seen, testing::configured(Arc::new(handler), clock, &config(bucket)))
}

fn plan(length: usize) -> Plan {
    diff(&of(&[("short", "one"), ("long", &"ä".repeat(length))], "ami-0"), &Observed::default())
}

#[tokio::test]
async fn a_long_document_goes_to_the_bucket_and_the_call_names_it() {
    for there in [false, true] {
        let (seen, cloud) = cloud(Some("documents"), there);
        publish(&cloud, &plan(INLINE_DOCUMENT + 1), &Events::none()).await.unwrap();
        let seen = seen.lock().unwrap().clone();
        // Before it only the quotas are looked at.
        let seen: Vec<_> = seen.into_iter().skip_while(|call| call.1.starts_with("/List")).collect();
        let (method, path, body) = &seen[0];
        assert_eq!(method, "PUT", "first of all, so that a dry run can name it");
        let fingerprint = &plan(INLINE_DOCUMENT + 1).desired().components[1].fingerprint.clone();
        let key = format!("amiforge/acme/components/acme-long/{fingerprint}.yaml");
        assert!(path.ends_with(&key), "{path}");
        assert!(body.contains("ää"), "{body}");
        let calls: Vec<&(String, String, String)> = seen.iter().filter(|call| call.1 == "/CreateComponent").collect();
        assert_eq!(calls.len(), 4, "two dry runs, two creations");
        for (_, _, body) in calls {
            let long = body.contains("acme-long");
            assert_eq!(long, body.contains(&format!("\"uri\":\"s3://documents/{key}\"")), "{body}");
            assert_eq!(!long, body.contains("\"data\":"), "{body}");
        }
    }
}

#[tokio::test]
async fn without_a_bucket_or_beyond_the_quota_nothing_is_sent() {
    for (bucket, length, expected) in [
        (None, INLINE_DOCUMENT + 1, "has 16001 characters"),
        (Some("documents"), LARGEST_DOCUMENT / 2 + 1, "has 65538 bytes"),
    ] {
        let (seen, cloud) = cloud(bucket, false);
        let error = publish(&cloud, &plan(length), &Events::none()).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(error.exit_code(), 2);
        assert!(seen.lock().unwrap().is_empty());
    }
}

use super::*;
use crate::aws::testing;
use bytes::Bytes;
use serde_json::{Value, json};
use std::sync::Arc;

fn arn(name: &str, version: &str) -> String {
    format!("arn:aws:imagebuilder:us-east-1:000000000000:image/{name}/{version}")
}

/// An account with versions of two images; the builds of each as (number, date, state).
fn account() -> Cloud {
    testing::cloud(Arc::new(|request: http::Request<Bytes>| {
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        let answer = if request.uri().path() == "/ListImages" {
            let name = body["filters"][0]["values"][0].as_str().unwrap().to_owned();
            let one = |version: &str| json!({"name": name, "version": version, "arn": arn(&name, version)});
            json!({"imageVersionList": [one("1.0.9"), one("1.0.10"), {"name": "other", "version": "9.0.0", "arn": "arn:x"}]})
        } else {
            let version = body["imageVersionArn"].as_str().unwrap();
            let builds: &[(u32, &str, &str)] = match version {
                version if version.ends_with("/acme-web-x86-64/1.0.10") => &[(1, "2026-01-05T00:00:00Z", "AVAILABLE")],
                version if version.ends_with("/acme-web-x86-64/1.0.9") => &[
                    (2, "2026-01-03T00:00:00Z", "FAILED"),
                    (10, "2026-01-03T00:00:00Z", "CANCELLED"),
                    (1, "2026-01-02T00:00:00Z", "FAILED"),
                ],
                _ => &[(1, "2026-01-04T00:00:00Z", "FAILED")],
            };
            let build = |(number, date, status): &(u32, &str, &str)| json!({"arn": format!("{version}/{number}"), "dateCreated": date, "state": {"status": status}});
            json!({"imageSummaryList": builds.iter().map(build).collect::<Vec<_>>()})
        };
        http::Response::builder().status(200).body(Bytes::from(answer.to_string())).unwrap()
    }))
}

fn candidates(names: &[&str]) -> Candidates {
    let one = |name: &&str| Candidate { recipe: (*name).to_owned(), resource: format!("acme-{name}-x86-64") };
    Candidates(names.iter().map(one).collect())
}

async fn found(names: &[&str], word: Option<&str>) -> Option<(String, Option<String>)> {
    let located = locate(&account(), &candidates(names), word).await.unwrap();
    located.map(|located| (located.arn, located.recipe))
}

#[tokio::test]
async fn the_newest_failure_is_found_over_versions_and_recipes() {
    let web = Some((arn("acme-web-x86-64", "1.0.9/10"), Some("web".to_owned())));
    assert_eq!(found(&["web"], None).await, web, "by number where the dates are the same");
    let other = Some((arn("acme-db-x86-64", "1.0.10/1"), Some("db".to_owned())));
    assert_eq!(found(&["web", "db"], None).await, other);
    assert_eq!(found(&[], None).await, None);
}

#[tokio::test]
async fn a_version_is_found_whatever_became_of_it() {
    let available = Some((arn("acme-web-x86-64", "1.0.10/1"), Some("web".to_owned())));
    assert_eq!(found(&["web"], Some("1.0.10/1")).await, available);
    assert_eq!(found(&["web"], Some("1.0.9")).await.unwrap().0, arn("acme-web-x86-64", "1.0.9/10"));
    assert_eq!(found(&["web"], Some("1.0.9/3")).await, None);
}

#[tokio::test]
async fn an_arn_is_taken_as_it_is_and_its_recipe_recognised() {
    let cloud = testing::cloud(Arc::new(|_| panic!("nothing is asked")));
    let arn = arn("acme-web-x86-64", "1.0.9/1");
    let located = locate(&cloud, &candidates(&["web"]), Some(&arn)).await.unwrap().unwrap();
    assert_eq!((located.arn, located.recipe.as_deref()), (arn, Some("web")));
}

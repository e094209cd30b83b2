use super::super::copies::Copy;
use super::*;
use crate::aws::testing;
use bytes::Bytes;
use std::sync::Arc;

fn found() -> Vec<Found> {
    let (account, region) = (testing::ACCOUNT.into(), testing::REGION.into());
    let copy = Copy { account, region, ami: "ami-1".into(), approved: None, launched_by: vec![] };
    vec![Found { copy, state: "disabled".into(), tagged: true }]
}

fn answer(status: u16, text: String) -> http::Response<Bytes> {
    http::Response::builder().status(status).body(Bytes::from(text)).unwrap()
}

fn document(operation: &str, body: &str) -> String {
    format!("<{operation}Response>{body}</{operation}Response>")
}

fn instance(id: &str, state: &str, tags: &str) -> String {
    format!(
        "<item><instancesSet><item><instanceId>{id}</instanceId><imageId>ami-1</imageId><instanceState><code>16</code>\
         <name>{state}</name></instanceState><launchTime>2026-01-02T03:04:05.000Z</launchTime><tagSet>{tags}</tagSet></item>\
         </instancesSet></item>"
    )
}

#[tokio::test]
async fn instances_of_every_page_and_foreign_templates_are_told() {
    let cloud = testing::cloud(Arc::new(|request: http::Request<Bytes>| {
        let body = String::from_utf8_lossy(request.body()).into_owned();
        assert!(body.contains("Filter.1.Name=image-id&Filter.1.Value.1=ami-1"), "{body}");
        if body.contains("Action=DescribeLaunchTemplateVersions") {
            let version = |id: &str, name: &str| {
                format!(
                    "<item><launchTemplateId>{id}</launchTemplateId><launchTemplateName>{name}</launchTemplateName>\
                     <versionNumber>4</versionNumber><launchTemplateData><imageId>ami-1</imageId></launchTemplateData></item>"
                )
            };
            // The default version is the newest one, too.
            let all = [version("lt-1", "ours"), version("lt-2", "theirs"), version("lt-2", "theirs")].concat();
            let text = document(
                "DescribeLaunchTemplateVersions",
                &format!("<launchTemplateVersionSet>{all}</launchTemplateVersionSet>"),
            );
            return answer(200, text);
        }
        assert!(body.contains("Action=DescribeInstances") && body.contains("stopped"), "{body}");
        let (one, next) = if body.contains("NextToken=more") {
            (instance("i-2", "stopped", "<item><key>Name</key><value>web-2</value></item>"), "")
        } else {
            let tag = "<item><key>aws:autoscaling:groupName</key><value>web</value></item>";
            (instance("i-1", "running", tag), "<nextToken>more</nextToken>")
        };
        answer(200, document("DescribeInstances", &format!("<reservationSet>{one}</reservationSet>{next}")))
    }));
    let users = find(&cloud, &found(), &BTreeSet::from(["ours".to_owned()])).await;
    assert_eq!(users.unseen, []);
    let told: Vec<_> = users
        .instances
        .iter()
        .map(|one| (one.instance.as_str(), one.state.as_str(), one.name.as_deref(), one.group.as_deref()))
        .collect();
    assert_eq!(told, [("i-1", "running", None, Some("web")), ("i-2", "stopped", Some("web-2"), None)]);
    assert_eq!(users.instances[0].launched_at, "2026-01-02T03:04:05Z");
    assert_eq!(users.launch_templates.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["theirs"]);
}

#[tokio::test]
async fn a_place_that_does_not_answer_is_named() {
    let cloud = testing::cloud(Arc::new(|_| {
        let text = "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>no</Message></Error></Errors></Response>";
        answer(403, text.to_owned())
    }));
    let users = find(&cloud, &found(), &BTreeSet::new()).await;
    assert_eq!((users.instances.len(), users.unseen.len()), (0, 1));
    assert!(users.unseen[0].reason.contains("UnauthorizedOperation"), "{:?}", users.unseen);
}

use super::*;
use crate::aws::testing;
use crate::project::{Channel, EnvironmentConfig};
use bytes::Bytes;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

fn project() -> (Project, Recipe) {
    let (mut project, recipe) = crate::plan::project_fixture();
    let channel = |name: &str| Channel { name: name.into(), ..Channel::default() };
    project.channels = vec![channel("candidate"), channel("staging")];
    project.recipes = BTreeMap::from([(recipe.name.clone(), recipe.clone())]);
    project.environments = BTreeMap::<String, EnvironmentConfig>::new();
    (project, recipe)
}

/// A cloud with parameters, and images as `DescribeImages` answers.
fn cloud(parameters: Value, images: Result<&'static str, &'static str>) -> Cloud {
    testing::cloud(Arc::new(move |request| {
        let target = request.headers().get("x-amz-target").map(|target| target.to_str().unwrap().to_owned());
        let body: Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let ok = |value: Value| http::Response::builder().status(200).body(Bytes::from(value.to_string())).unwrap();
        let parameter =
            |name: &str| parameters.get(name).map(|value| json!({"Name": name, "Value": value, "Version": 1}));
        match target.as_deref() {
            Some("AmazonSSM.GetParameter") => match parameter(body["Name"].as_str().unwrap()) {
                Some(parameter) => ok(json!({"Parameter": parameter})),
                None => http::Response::builder()
                    .status(400)
                    .body(Bytes::from_static(br#"{"__type":"ParameterNotFound"}"#))
                    .unwrap(),
            },
            Some("AmazonSSM.GetParameters") => {
                let names = body["Names"].as_array().unwrap();
                assert!(names.len() <= 10);
                let found: Vec<Value> = names.iter().filter_map(|name| parameter(name.as_str().unwrap())).collect();
                ok(json!({"Parameters": found}))
            }
            Some(other) => panic!("unexpected call {other}"),
            None => {
                let (status, text) = match images {
                    Ok(state) => (
                        200,
                        format!(
                            "<DescribeImagesResponse><imagesSet><item><imageId>ami-1</imageId><imageState>{state}</imageState>\
                             </item></imagesSet></DescribeImagesResponse>"
                        ),
                    ),
                    Err(code) => (
                        400,
                        format!(
                            "<Response><Errors><Error><Code>{code}</Code><Message>m</Message></Error></Errors></Response>"
                        ),
                    ),
                };
                http::Response::builder().status(status).body(Bytes::from(text)).unwrap()
            }
        }
    }))
}

async fn resolved(
    parameters: Value,
    images: Result<&'static str, &'static str>,
    channel: &str,
) -> Result<String, ConsumeError> {
    let (project, recipe) = project();
    resolve(&cloud(parameters, images), &project, &recipe, Arch::X86_64, channel).await
}

#[tokio::test]
async fn a_channel_gives_the_ami_of_its_pointer() {
    let ami = resolved(json!({"/golden": "ami-1"}), Ok("available"), "candidate").await.unwrap();
    assert_eq!(ami, "ami-1");
}

#[tokio::test(start_paused = true)]
async fn every_way_to_have_no_ami_is_told_apart_and_none_gives_one() {
    let exit = async |parameters: Value, images, channel: &str| {
        let error = resolved(parameters, images, channel).await.unwrap_err();
        (error.exit_code(), error.to_string())
    };
    let pointer = || json!({"/golden": "ami-1"});
    let (code, text) = exit(pointer(), Ok("available"), "nightly").await;
    assert_eq!((code, text.as_str()), (2, "the project has no channel `nightly`; it has: candidate, staging"));
    let (code, text) = exit(json!({}), Ok("available"), "candidate").await;
    assert!(code == 8 && text.contains("nothing is promoted"), "{text}");
    let (code, text) = exit(pointer(), Err("InvalidAMIID.NotFound"), "candidate").await;
    assert!(code == 10 && text.contains("does not exist"), "{text}");
    let (code, text) = exit(pointer(), Ok("disabled"), "candidate").await;
    assert!(code == 10 && text.contains("is `disabled`"), "{text}");
    let (code, text) = exit(json!({"/golden": "resolve:me"}), Ok("available"), "candidate").await;
    assert!(code == 10 && text.contains("is not an AMI id"), "{text}");
    assert_eq!(exit(pointer(), Err("UnauthorizedOperation"), "candidate").await.0, 12);
    assert_eq!(exit(pointer(), Err("InternalError"), "candidate").await.0, 1);
}

#[tokio::test]
async fn all_channels_are_listed_and_an_unreadable_record_is_no_empty_channel() {
    let (project, recipe) = project();
    let listing = channels(&cloud(json!({}), Ok("available")), &project, None).await.unwrap();
    let names: Vec<_> = listing.iter().map(|entry| (entry.channel.as_str(), entry.release.is_none())).collect();
    assert_eq!(names, [("candidate", true), ("staging", true)]);
    let name = record_name("acme", "debian-12", "x86_64", "staging");
    for text in ["{", r#"{"schema":"amiforge.release/2"}"#, r#"{"schema":"amiforge.release/1"}"#] {
        let error =
            channels(&cloud(json!({ &name: text }), Ok("available")), &project, Some(&recipe)).await.unwrap_err();
        assert!(matches!(error, ConsumeError::Record(PromoteError::Unreadable { .. })), "{error}");
    }
}

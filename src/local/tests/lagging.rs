//! Eventual consistency of EC2: who reads is behind who writes.

use super::copies::Hands;
use super::{Bench, code, element, elements};
use crate::local::Builds;
use serde_json::json;
use std::time::Duration;

const A: &str = "ami-0123456789abcdef0";
const B: &str = "ami-0123456789abcdef1";
const OTHER: &str = "111122223333";

fn lagging() -> (Hands, Bench) {
    let hands = Hands::new();
    let bench = Bench::scripted(hands.clock(), Builds::Real);
    bench.add_ami(A, |_| {});
    bench.local.set_lag(Duration::from_secs(5));
    (hands, bench)
}

#[test]
fn what_was_made_a_moment_ago_is_not_there_yet() {
    let (hands, bench) = lagging();
    let made = bench
        .ec2(&format!("Action=CopyImage&SourceRegion=us-east-1&SourceImageId={A}&Name=golden&ClientToken=t"))
        .unwrap();
    let id = element(&made, "imageId").unwrap();
    let tag = format!("Action=CreateTags&ResourceId.1={id}&Tag.1.Key=a&Tag.1.Value=b");
    for call in [format!("Action=DescribeImages&ImageId.1={id}"), tag.clone()] {
        assert_eq!(code(bench.ec2(&call)), "InvalidAMIID.NotFound");
    }
    assert_eq!(elements(&bench.ec2("Action=DescribeImages").unwrap(), "imageId"), [A]);
    // Client tokens are not behind.
    let again = bench
        .ec2(&format!("Action=CopyImage&SourceRegion=us-east-1&SourceImageId={A}&Name=golden&ClientToken=t"))
        .unwrap();
    assert_eq!(element(&again, "imageId").unwrap(), id);
    hands.forward(4);
    assert_eq!(code(bench.ec2(&tag)), "InvalidAMIID.NotFound");
    hands.forward(1);
    bench.ec2(&tag).unwrap();
    let described = bench.ec2(&format!("Action=DescribeImages&ImageId.1={id}")).unwrap();
    assert_eq!(element(&described, "tagSet").unwrap(), "");
    hands.forward(5);
    assert_eq!(elements(&bench.ec2(&format!("Action=DescribeImages&ImageId.1={id}")).unwrap(), "key"), ["a"]);
}

#[test]
fn launch_templates_and_their_versions_are_behind() {
    let (hands, bench) = lagging();
    let made = bench
        .ec2(&format!("Action=CreateLaunchTemplate&LaunchTemplateName=web&LaunchTemplateData.ImageId={A}"))
        .unwrap();
    let id = element(&made, "launchTemplateId").unwrap();
    let version = format!("Action=CreateLaunchTemplateVersion&LaunchTemplateId={id}&LaunchTemplateData.ImageId={B}");
    assert_eq!(code(bench.ec2(&version)), "InvalidLaunchTemplateId.NotFound");
    let by_name = "Action=DescribeLaunchTemplates&LaunchTemplateName.1=web";
    assert_eq!(code(bench.ec2(by_name)), "InvalidLaunchTemplateName.NotFoundException");
    // It exists all the same.
    let again = format!("Action=CreateLaunchTemplate&LaunchTemplateName=web&LaunchTemplateData.ImageId={A}");
    assert_eq!(code(bench.ec2(&again)), "InvalidLaunchTemplateName.AlreadyExistsException");
    hands.forward(5);
    bench.ec2(&version).unwrap();
    let default = format!("Action=ModifyLaunchTemplate&LaunchTemplateId={id}&SetDefaultVersion=2");
    bench.ec2(&default).unwrap();
    let shown = |parameters: &str| {
        bench.ec2(&format!("Action=DescribeLaunchTemplateVersions&LaunchTemplateId={id}&{parameters}"))
    };
    let versions = |parameters: &str| elements(&shown(parameters).unwrap(), "versionNumber");
    assert_eq!(
        (versions(""), versions("LaunchTemplateVersion.1=$Default")),
        (vec!["1".to_owned()], vec!["1".to_owned()])
    );
    assert_eq!(code(shown("LaunchTemplateVersion.1=2")), "InvalidLaunchTemplateId.VersionNotFound");
    hands.forward(5);
    assert_eq!(
        (versions(""), versions("LaunchTemplateVersion.1=$Default")),
        (vec!["2".to_owned(), "1".to_owned()], vec!["2".to_owned()])
    );
    bench.ec2(&format!("Action=DeleteLaunchTemplate&LaunchTemplateId={id}")).unwrap();
    assert_eq!(versions("LaunchTemplateVersion.1=2"), ["2"], "what was deleted is still shown");
    hands.forward(5);
    assert_eq!(code(shown("")), "InvalidLaunchTemplateId.NotFound");
}

#[test]
fn permissions_are_behind_in_both_directions() {
    let (hands, bench) = lagging();
    let other = bench.by(OTHER);
    let launch = format!("Action=RunInstances&ImageId={A}&InstanceType=m7i.large&MinCount=1&MaxCount=1&DryRun=true");
    let modify = |rest: &str| {
        bench.ec2(&format!("Action=ModifyImageAttribute&ImageId={A}&LaunchPermission.{rest}.1.UserId={OTHER}")).unwrap()
    };
    modify("Add");
    assert_eq!(code(other.ec2(&launch)), "InvalidAMIID.NotFound");
    hands.forward(5);
    assert_eq!(code(other.ec2(&launch)), "DryRunOperation");
    modify("Remove");
    assert_eq!(code(other.ec2(&launch)), "DryRunOperation");
    hands.forward(5);
    assert_eq!(code(other.ec2(&launch)), "InvalidAMIID.NotFound");
}

#[test]
fn changes_build_on_what_is() {
    let (hands, bench) = lagging();
    for key in ["a", "b", "c"] {
        bench.ec2(&format!("Action=CreateTags&ResourceId.1={A}&Tag.1.Key={key}")).unwrap();
        hands.forward(1);
    }
    let tags = || elements(&bench.ec2(&format!("Action=DescribeImages&ImageId.1={A}")).unwrap(), "key");
    assert_eq!(tags(), ["team"]);
    hands.forward(3);
    assert_eq!(tags(), ["a", "b", "team"]);
    bench.local.set_lag(Duration::ZERO);
    assert_eq!(tags(), ["a", "b", "c", "team"]);
}

#[test]
fn parameters_are_not_behind() {
    let (_, bench) = lagging();
    bench.ssm("PutParameter", &json!({ "Name": "a", "Type": "String", "Value": "1" })).unwrap();
    assert_eq!(value(&bench).as_deref(), Some("1"));
}

fn value(bench: &Bench) -> Option<String> {
    let answer = bench.ssm("GetParameter", &json!({ "Name": "a" })).ok()?;
    Some(answer["Parameter"]["Value"].as_str().unwrap().to_owned())
}

#[test]
fn a_parameter_that_names_an_image_is_checked_after_the_call() {
    let (hands, bench) = lagging();
    let put = |value: &str| {
        let request =
            json!({ "Name": "a", "Type": "String", "DataType": "aws:ec2:image", "Value": value, "Overwrite": true });
        bench.ssm("PutParameter", &request).unwrap()["Version"].as_u64().unwrap()
    };
    assert_eq!(put(A), 1);
    assert_eq!(value(&bench), None);
    hands.forward(5);
    assert_eq!(value(&bench).as_deref(), Some(A));
    assert_eq!(put(B), 2);
    hands.forward(5);
    assert_eq!(value(&bench).as_deref(), Some(A), "what names no image never takes effect");
    bench.add_ami(B, |_| {});
    put(B);
    put(A);
    hands.forward(5);
    let history = bench.ssm("GetParameterHistory", &json!({ "Name": "a" })).unwrap();
    let values: Vec<&str> =
        history["Parameters"].as_array().unwrap().iter().map(|one| one["Value"].as_str().unwrap()).collect();
    assert_eq!(values, [A, B, A]);
}

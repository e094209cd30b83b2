//! Auto Scaling groups and their tags.

use super::{Bench, code, element, elements};
use crate::local::{Local, compute::Compute};
use std::sync::Arc;

pub(super) const OLD: &str = "ami-0123456789abcdef0";
pub(super) const NEW: &str = "ami-0123456789abcdef1";

/// Two images, and a launch template whose default version has the old one.
pub(super) fn template(bench: &Bench) -> String {
    bench.add_ami(OLD, |_| {});
    bench.add_ami(NEW, |_| {});
    let create = format!(
        "Action=CreateLaunchTemplate&LaunchTemplateName=web&LaunchTemplateData.ImageId={OLD}&LaunchTemplateData.InstanceType=m7i.large"
    );
    element(&bench.ec2(&create).unwrap(), "launchTemplateId").unwrap()
}

/// A version of it with the new image.
pub(super) fn version(bench: &Bench, image: &str) -> String {
    let create = format!(
        "Action=CreateLaunchTemplateVersion&LaunchTemplateName=web&SourceVersion=1&LaunchTemplateData.ImageId={image}"
    );
    element(&bench.ec2(&create).unwrap(), "versionNumber").unwrap()
}

/// A group of so many instances.
pub(super) fn group(bench: &Bench, name: &str, version: &str, size: u32) {
    let create = format!(
        "Action=CreateAutoScalingGroup&AutoScalingGroupName={name}&LaunchTemplate.LaunchTemplateName=web\
         &LaunchTemplate.Version={version}&MinSize=0&MaxSize=20&DesiredCapacity={size}&AvailabilityZones.member.1=us-east-1a\
         &AvailabilityZones.member.2=us-east-1b&Tags.member.1.Key=team&Tags.member.1.Value=a&Tags.member.1.PropagateAtLaunch=true"
    );
    bench.autoscaling(&create).unwrap();
}

pub(super) fn described(bench: &Bench, name: &str) -> String {
    bench.autoscaling(&format!("Action=DescribeAutoScalingGroups&AutoScalingGroupNames.member.1={name}")).unwrap()
}

/// The images of the instances that run.
pub(super) fn images(bench: &Bench) -> Vec<String> {
    let filter = "Filter.1.Name=instance-state-name&Filter.1.Value.1=running";
    elements(&bench.ec2(&format!("Action=DescribeInstances&{filter}")).unwrap(), "imageId")
}

#[test]
fn a_group_has_instances_that_ec2_shows() {
    let bench = Bench::new();
    let id = template(&bench);
    group(&bench, "fleet", "$Default", 3);
    let shown = described(&bench, "fleet");
    assert_eq!(elements(&shown, "InstanceId").len(), 3);
    assert_eq!(elements(&shown, "LifecycleState"), ["InService"; 3]);
    assert_eq!(elements(&shown, "LaunchTemplateId"), vec![id.clone(); 4]);
    assert_eq!(elements(&shown, "AvailabilityZone"), ["us-east-1a", "us-east-1b", "us-east-1a"]);
    assert!(elements(&shown, "Version").contains(&"$Default".to_owned()), "{shown}");
    let by_tag = "Action=DescribeInstances&Filter.1.Name=tag:aws:autoscaling:groupName&Filter.1.Value.1=fleet";
    let instances = bench.ec2(by_tag).unwrap();
    assert_eq!(elements(&instances, "imageId"), [OLD; 3]);
    assert!(
        instances.contains("aws:ec2launchtemplate:version") && instances.contains("<key>team</key>"),
        "{instances}"
    );
    // No machine runs behind them: they are not managed, and take no commands.
    let nodes = bench.ssm("DescribeInstanceInformation", &serde_json::json!({})).unwrap();
    assert_eq!(nodes["InstanceInformationList"].as_array().unwrap().len(), 0);
    let first = element(&shown, "InstanceId").unwrap();
    let command = serde_json::json!({
        "DocumentName": "AWS-RunShellScript", "InstanceIds": [first], "Parameters": { "commands": ["true"] },
    });
    assert_eq!(code(bench.ssm("SendCommand", &command)), "InvalidInstanceId");
    // One that somebody ends is replaced.
    bench.ec2(&format!("Action=TerminateInstances&InstanceId.1={first}")).unwrap();
    let now = elements(&described(&bench, "fleet"), "InstanceId");
    assert!(now.len() == 3 && !now.contains(&first), "{now:?}");
    assert_eq!(images(&bench).len(), 3);
}

#[test]
fn instances_of_groups_outlive_the_process() {
    let bench = Bench::new();
    template(&bench);
    group(&bench, "fleet", "1", 2);
    let again: Arc<Local> = super::open(bench.folder());
    Compute::recover(&again).unwrap();
    let reopened = Bench { local: again, ..bench.by(super::DEFAULT_ACCOUNT) };
    assert_eq!(images(&reopened), [OLD; 2]);
}

#[test]
fn groups_are_changed_and_removed() {
    let bench = Bench::new();
    template(&bench);
    group(&bench, "fleet", "1", 2);
    let update =
        |rest: &str| bench.autoscaling(&format!("Action=UpdateAutoScalingGroup&AutoScalingGroupName=fleet&{rest}"));
    update("MinSize=4&HealthCheckGracePeriod=60&DefaultInstanceWarmup=30").unwrap();
    let shown = described(&bench, "fleet");
    let field = |name: &str| element(&shown, name).unwrap();
    assert_eq!(
        (field("DesiredCapacity"), field("HealthCheckGracePeriod"), field("DefaultInstanceWarmup")),
        ("4".into(), "60".into(), "30".into())
    );
    assert_eq!(code(update("DesiredCapacity=3")), "ValidationError");
    update("MinSize=0&DesiredCapacity=1").unwrap();
    assert_eq!(images(&bench).len(), 1);
    let set = |size: u32| {
        bench.autoscaling(&format!("Action=SetDesiredCapacity&AutoScalingGroupName=fleet&DesiredCapacity={size}"))
    };
    assert_eq!(code(set(21)), "ValidationError");
    set(2).unwrap();
    let number = version(&bench, NEW);
    update(&format!("LaunchTemplate.LaunchTemplateName=web&LaunchTemplate.Version={number}")).unwrap();
    set(3).unwrap();
    assert_eq!(images(&bench).iter().filter(|image| *image == NEW).count(), 1, "only what is launched from then on");
    let delete =
        |rest: &str| bench.autoscaling(&format!("Action=DeleteAutoScalingGroup&AutoScalingGroupName=fleet{rest}"));
    assert_eq!(code(delete("")), "ResourceInUse");
    delete("&ForceDelete=true").unwrap();
    assert!(images(&bench).is_empty());
    assert_eq!(code(delete("")), "ValidationError");
}

#[test]
fn what_a_group_may_not_be() {
    let bench = Bench::new();
    let id = template(&bench);
    group(&bench, "fleet", "1", 0);
    let create = |rest: &str| {
        let head = "Action=CreateAutoScalingGroup&MinSize=0&MaxSize=2&AvailabilityZones.member.1=us-east-1a";
        bench.autoscaling(&format!("{head}&{rest}")).unwrap_err()
    };
    assert_eq!(create("AutoScalingGroupName=fleet&LaunchTemplate.LaunchTemplateName=web").code, "AlreadyExists");
    for (rest, said) in [
        ("LaunchTemplate.LaunchTemplateName=web", "'AutoScalingGroupName'"),
        ("AutoScalingGroupName=a:b&LaunchTemplate.LaunchTemplateName=web", "without spaces and colons"),
        ("AutoScalingGroupName=a", "must contain either LaunchTemplate"),
        ("AutoScalingGroupName=a&LaunchConfigurationName=x", "launch templates only"),
        ("AutoScalingGroupName=a&LaunchTemplate.LaunchTemplateName=other", "with template name other, does not exist"),
        ("AutoScalingGroupName=a&LaunchTemplate.LaunchTemplateName=web&LaunchTemplate.Version=9", "version 9"),
        (
            &format!(
                "AutoScalingGroupName=a&LaunchTemplate.LaunchTemplateName=web&LaunchTemplate.LaunchTemplateId={id}"
            ),
            "either launchTemplateId or LaunchTemplateName",
        ),
        ("AutoScalingGroupName=a&LaunchTemplate.LaunchTemplateName=web&DesiredCapacity=3", "Desired capacity:3"),
        (
            "AutoScalingGroupName=a&LaunchTemplate.LaunchTemplateName=web&LoadBalancerNames.member.1=x",
            "LoadBalancerNames",
        ),
        ("AutoScalingGroupName=a&LaunchTemplate.LaunchTemplateName=web&Tags.member.1.Key=aws:x", "reserved"),
        (
            "AutoScalingGroupName=a&LaunchTemplate.LaunchTemplateName=web&AvailabilityZones.member.1=eu-west-1a",
            "eu-west-1a",
        ),
    ] {
        let error = create(rest);
        assert!(error.code == "ValidationError" && error.message.contains(said), "{rest}: {error:?}");
    }
    // What could not be launched is refused before there is a group.
    let bare = "Action=CreateLaunchTemplate&LaunchTemplateName=bare&LaunchTemplateData.ImageId=";
    bench.ec2(&format!("{bare}{OLD}")).unwrap();
    assert!(create("AutoScalingGroupName=a&LaunchTemplate.LaunchTemplateName=bare").message.contains("InstanceType"));
    let gone = version(&bench, "ami-0123456789abcdef9");
    let error =
        create(&format!("AutoScalingGroupName=a&LaunchTemplate.LaunchTemplateName=web&LaunchTemplate.Version={gone}"));
    assert!(error.message.contains("ami-0123456789abcdef9"), "{error:?}");
}

#[test]
fn groups_are_listed_in_pages_and_by_tags() {
    let bench = Bench::new();
    template(&bench);
    for name in ["c", "a", "b"] {
        group(&bench, name, "1", 0);
    }
    let list = |rest: &str| bench.autoscaling(&format!("Action=DescribeAutoScalingGroups{rest}"));
    let names = |text: &str| elements(text, "AutoScalingGroupName");
    let first = list("&MaxRecords=2").unwrap();
    assert_eq!(names(&first), ["a", "b"]);
    let token = element(&first, "NextToken").unwrap();
    assert_eq!(names(&list(&format!("&MaxRecords=2&NextToken={token}")).unwrap()), ["c"]);
    assert_eq!(code(list("&NextToken=nonsense")), "InvalidNextToken");
    assert_eq!(code(list("&MaxRecords=101")), "ValidationError");
    let tag = "Tags.member.1.ResourceId=b&Tags.member.1.ResourceType=auto-scaling-group&Tags.member.1.Key=role";
    bench.autoscaling(&format!("Action=CreateOrUpdateTags&{tag}&Tags.member.1.Value=web")).unwrap();
    let filter = |name: &str, value: &str| {
        names(&list(&format!("&Filters.member.1.Name={name}&Filters.member.1.Values.member.1={value}")).unwrap())
    };
    assert_eq!(filter("tag:role", "web"), ["b"]);
    assert_eq!(filter("tag-key", "team"), ["a", "b", "c"]);
    assert_eq!(filter("tag-value", "web"), ["b"]);
    assert_eq!(code(list("&Filters.member.1.Name=colour&Filters.member.1.Values.member.1=x")), "ValidationError");
    let tags = |rest: &str| bench.autoscaling(&format!("Action=DescribeTags{rest}")).unwrap();
    let of_b = tags("&Filters.member.1.Name=auto-scaling-group&Filters.member.1.Values.member.1=b");
    assert_eq!(
        (elements(&of_b, "Key"), elements(&of_b, "PropagateAtLaunch")),
        (vec!["role".into(), "team".into()], vec!["false".into(), "true".into()])
    );
    bench.autoscaling(&format!("Action=DeleteTags&{tag}")).unwrap();
    assert!(filter("tag:role", "web").is_empty());
    let missing = "Action=CreateOrUpdateTags&Tags.member.1.ResourceId=z&Tags.member.1.Key=a";
    assert_eq!(code(bench.autoscaling(missing)), "ValidationError");
    // Accounts and Regions are apart.
    assert!(names(&bench.region("eu-west-1").autoscaling("Action=DescribeAutoScalingGroups").unwrap()).is_empty());
}

#[test]
fn a_policy_may_have_several_templates() {
    let bench = Bench::new();
    template(&bench);
    let create = "Action=CreateAutoScalingGroup&AutoScalingGroupName=mixed&MinSize=2&MaxSize=2&AvailabilityZones.member.1=us-east-1a\
        &MixedInstancesPolicy.LaunchTemplate.LaunchTemplateSpecification.LaunchTemplateName=web\
        &MixedInstancesPolicy.LaunchTemplate.Overrides.member.1.InstanceType=c7i.large\
        &MixedInstancesPolicy.LaunchTemplate.Overrides.member.2.InstanceType=m7i.large\
        &MixedInstancesPolicy.InstancesDistribution.OnDemandPercentageAboveBaseCapacity=100";
    bench.autoscaling(create).unwrap();
    let shown = described(&bench, "mixed");
    assert_eq!(element(&shown, "OnDemandPercentageAboveBaseCapacity").as_deref(), Some("100"));
    assert_eq!(elements(&shown, "InstanceType"), ["c7i.large", "c7i.large", "c7i.large", "m7i.large"]);
    let wrong =
        create.replace("Overrides.member.2.InstanceType", "Overrides.member.2.Colour").replace("mixed", "other");
    assert!(bench.autoscaling(&wrong).unwrap_err().message.contains("Colour"));
}

//! Instances where builds follow scripts: nothing runs, and states follow the clock.

use super::copies::Hands;
use super::{Bench, code, element, elements};
use crate::local::{Builds, Fault, Script};
use serde_json::json;

const A: &str = "ami-0123456789abcdef0";

fn scripted(hands: &Hands) -> Bench {
    let bench = Bench::scripted(hands.clock(), Builds::scripted(|_| Script::default()));
    bench.add_ami(A, |ami| ami.layers.clear());
    let template = format!("Action=CreateLaunchTemplate&LaunchTemplateName=web&LaunchTemplateData.ImageId={A}");
    bench.ec2(&template).unwrap();
    bench
}

fn launch(bench: &Bench, rest: &str) -> String {
    let request = format!(
        "Action=RunInstances&LaunchTemplate.LaunchTemplateName=web&LaunchTemplate.Version=1&InstanceType=m7i.large&\
         MinCount=1&MaxCount=1{rest}"
    );
    element(&bench.ec2(&request).unwrap(), "instanceId").unwrap()
}

/// State and, when there is one, the code of its reason.
fn shown(bench: &Bench, id: &str) -> (String, Option<String>) {
    let body = bench.ec2(&format!("Action=DescribeInstances&InstanceId.1={id}")).unwrap();
    let state = body.split("<instanceState>").nth(1).and_then(|rest| element(rest, "name")).unwrap();
    let reason = body.split("<stateReason>").nth(1).and_then(|rest| element(rest, "code"));
    (state, reason)
}

#[test]
fn an_instance_is_pending_then_running_then_terminated() {
    let hands = Hands::new();
    let bench = scripted(&hands);
    let id = launch(
        &bench,
        "&ClientToken=t&TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=k&TagSpecification.1.Tag.1.Value=v",
    );
    assert_eq!(shown(&bench, &id), ("pending".into(), None));
    assert_eq!(
        launch(
            &bench,
            "&ClientToken=t&TagSpecification.1.ResourceType=instance&TagSpecification.1.Tag.1.Key=k&TagSpecification.1.Tag.1.Value=v"
        ),
        id
    );
    let status = format!("Action=DescribeInstanceStatus&InstanceId.1={id}");
    assert_eq!(elements(&bench.ec2(&status).unwrap(), "instanceId").len(), 0, "only running ones are shown");
    hands.forward(15);
    assert_eq!(shown(&bench, &id), ("running".into(), None));
    assert!(bench.ec2(&status).unwrap().contains("<status>ok</status>"));
    let managed = bench.ssm("DescribeInstanceInformation", &json!({})).unwrap();
    assert_eq!(managed["InstanceInformationList"][0]["PingStatus"], "Online");
    let command = json!({
        "DocumentName": "AWS-RunShellScript", "InstanceIds": [id], "Parameters": { "commands": ["true"] },
    });
    assert_eq!(bench.ssm("SendCommand", &command).unwrap_err().code, "InvalidInstanceId", "nothing runs in it");
    bench.ec2(&format!("Action=TerminateInstances&InstanceId.1={id}")).unwrap();
    assert_eq!(shown(&bench, &id), ("terminated".into(), Some("Client.UserInitiatedShutdown".into())));
    hands.forward(60);
    assert_eq!(shown(&bench, &id).0, "terminated");
}

#[test]
fn one_that_is_ended_while_pending_never_runs() {
    let hands = Hands::new();
    let bench = scripted(&hands);
    let id = launch(&bench, "");
    bench.ec2(&format!("Action=TerminateInstances&InstanceId.1={id}")).unwrap();
    hands.forward(15);
    assert_eq!(shown(&bench, &id).0, "terminated");
}

#[test]
fn one_whose_key_may_not_be_used_ends_by_itself() {
    let hands = Hands::new();
    let bench = scripted(&hands);
    bench.local.set_faults(Some(Box::new(|_, operation, _| (operation == "RunInstances").then_some(Fault::Spoil))));
    let id = launch(&bench, "");
    assert_eq!(shown(&bench, &id), ("pending".into(), None));
    hands.forward(15);
    assert_eq!(shown(&bench, &id), ("terminated".into(), Some("Client.InternalError".into())));
}

#[test]
fn a_console_without_a_word_is_no_output() {
    let hands = Hands::new();
    let bench = scripted(&hands);
    let id = launch(&bench, "");
    let console = bench.ec2(&format!("Action=GetConsoleOutput&InstanceId={id}")).unwrap();
    assert_eq!(element(&console, "instanceId"), Some(id.clone()));
    assert!(element(&console, "output").is_none() && element(&console, "timestamp").is_some(), "{console}");
    let asked = |rest: &str| code(bench.ec2(&format!("Action=GetConsoleOutput{rest}")));
    assert_eq!(asked("&InstanceId=i-0123456789abcdef0"), "InvalidInstanceID.NotFound");
    assert_eq!(asked("&InstanceId=web"), "InvalidInstanceID.Malformed");
    assert_eq!(asked(""), "MissingParameter");
    assert_eq!(asked(&format!("&InstanceId={id}&DryRun=true")), "DryRunOperation");
    let other = bench.by("111122223333");
    assert_eq!(code(other.ec2(&format!("Action=GetConsoleOutput&InstanceId={id}"))), "InvalidInstanceID.NotFound");
}

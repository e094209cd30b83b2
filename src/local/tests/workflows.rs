//! Test workflows that run together, distribution workflows, and what is told when an image has ended.

use super::scripted::{CUSTOM, Hands, bench, distribute, image, pipeline, run, runs, script, start, status, timetable};
use super::{Bench, code};
use crate::local::Script;
use serde_json::{Value, json};
use std::time::Duration;

const LOOK: &str = "schemaVersion: 1.0
steps:
  - { name: NAME, action: LaunchInstance, inputs: { waitFor: ssmAgent } }
";

const DISTRIBUTE: &str = "schemaVersion: 1.0
steps:
  - { name: Spread, action: DistributeImage }
  - { name: Ask, action: WaitForAction }
  - name: Share
    action: ModifyImageAttributes
    inputs: { distributedImages.$: \"$.stepOutputs.Spread.distributedImages\" }
  - name: Point
    action: ApplyImageConfigurations
    inputs: { distributedImages.$: \"$.stepOutputs.Spread.distributedImages\" }
";

fn workflow(bench: &Bench, name: &str, kind: &str, data: &str) -> Value {
    let request = json!({ "name": name, "semanticVersion": "1.0.0", "type": kind, "data": data, "clientToken": name });
    bench.builder("CreateWorkflow", &request).unwrap()["workflowBuildVersionArn"].clone()
}

fn test(bench: &Bench, name: &str, more: Value) -> Value {
    let mut configured = more;
    configured["workflowArn"] = workflow(bench, &format!("look-{name}"), "TEST", &LOOK.replace("NAME", name));
    configured
}

/// An image whose workflows are a build of four minutes and these.
fn build(bench: &Bench, more: &[Value], distribution: Option<Value>) -> String {
    let mut workflows = vec![json!({ "workflowArn": workflow(bench, "mine", "BUILD", CUSTOM) })];
    workflows.extend(more.iter().cloned());
    let mut request = json!({ "workflows": workflows, "executionRole": "role" });
    if let Some(distribution) = distribution {
        request["distributionConfigurationArn"] = distribution;
    }
    run(bench, &pipeline(bench, &request))
}

#[test]
fn tests_of_a_parallel_group_run_together_five_at_a_time() {
    let hands = Hands::new();
    let mut script = script();
    // The first takes three minutes, the others one.
    script.steps.insert("try1".to_owned(), Duration::from_mins(3));
    let bench = bench(&hands, script);
    start(&bench);
    let group = |name: &str| test(&bench, name, json!({ "parallelGroup": "all" }));
    let tests: Vec<Value> = ["try1", "try2", "try3", "try4", "try5", "try6", "try7"].map(group).to_vec();
    let alone = test(&bench, "alone", json!({}));
    let arn = build(&bench, &[tests, vec![alone]].concat(), None);
    hands.to(4);
    assert_eq!(runs(&bench, &arn).iter().filter(|run| run["status"] == "RUNNING").count(), 5);
    hands.to(60);
    assert_eq!(status(&bench, &arn), "AVAILABLE");
    let table = timetable(&bench, &arn);
    let row = |name: &str| table.iter().find(|row| row.starts_with(&format!("{name} "))).unwrap().clone();
    for (name, from, to) in
        [("try1", 4, 7), ("try2", 4, 5), ("try5", 4, 5), ("try6", 5, 6), ("try7", 5, 6), ("alone", 7, 8)]
    {
        assert_eq!(row(name), format!("{name} COMPLETED 12:0{from}:00Z 12:0{to}:00Z"));
    }
    let groups = runs(&bench, &arn);
    assert_eq!(groups.iter().filter(|run| run["parallelGroup"] == "all").count(), 7);
}

#[test]
fn a_test_that_fails_lets_the_others_of_its_group_end() {
    let hands = Hands::new();
    let mut script = script().failing("try1", "No.");
    script.steps.insert("try2".to_owned(), Duration::from_mins(3));
    let bench = bench(&hands, script);
    start(&bench);
    let tests = ["try1", "try2"].map(|name| test(&bench, name, json!({ "parallelGroup": "all" })));
    let arn = build(&bench, &tests, None);
    hands.to(6);
    assert_eq!(status(&bench, &arn), "TESTING");
    hands.to(60);
    let state = image(&bench, &arn)["state"].clone();
    assert_eq!((&state["status"], &state["failureContext"]["failedStep"]), (&json!("FAILED"), &json!("try1")));
    let ends: Vec<Value> = runs(&bench, &arn).iter().map(|run| run["status"].clone()).collect();
    assert_eq!(ends, ["COMPLETED", "ROLLBACK_COMPLETED", "COMPLETED"]);
}

#[test]
fn groups_and_distribution_workflows_are_checked() {
    let hands = Hands::new();
    let bench = bench(&hands, script());
    start(&bench);
    let mine = workflow(&bench, "mine", "BUILD", CUSTOM);
    let look = test(&bench, "look", json!({ "parallelGroup": "-" }));
    let spread = json!({ "workflowArn": workflow(&bench, "spread", "DISTRIBUTION", DISTRIBUTE) });
    let refused = |more: Vec<Value>| {
        let workflows: Vec<Value> = [vec![json!({ "workflowArn": mine })], more].concat();
        let more = json!({
            "name": "p", "imageRecipeArn": "arn:aws:imagebuilder:us-east-1:000000000000:image-recipe/web/1.0.0",
            "infrastructureConfigurationArn": "arn:aws:imagebuilder:us-east-1:000000000000:infrastructure-configuration/infra",
            "clientToken": "p", "workflows": workflows, "executionRole": "role",
        });
        code(bench.builder("CreateImagePipeline", &more))
    };
    let mut grouped = spread.clone();
    grouped["parallelGroup"] = json!("all");
    for wrong in [vec![look], vec![spread.clone(), spread], vec![grouped]] {
        assert_eq!(refused(wrong), "InvalidParameterValueException");
    }
}

#[test]
fn a_distribution_workflow_does_what_the_configuration_says_step_by_step() {
    let hands = Hands::new();
    let bench = bench(&hands, script());
    start(&bench);
    let template = bench
        .ec2("Action=CreateLaunchTemplate&LaunchTemplateName=web&LaunchTemplateData.InstanceType=m7i.large")
        .unwrap();
    let template = super::element(&template, "launchTemplateId").unwrap();
    let distribution = distribute(
        &bench,
        &json!([
            {
                "region": "us-east-1",
                "amiDistributionConfiguration": { "amiTags": { "stage": "new" }, "launchPermission": { "userIds": ["444455556666"] } },
                "launchTemplateConfigurations": [{ "launchTemplateId": template }],
                "ssmParameterConfigurations": [{ "parameterName": "/imagebuilder/web" }],
            },
            { "region": "eu-west-1", "amiDistributionConfiguration": {} },
        ]),
    );
    let spread = json!({ "workflowArn": workflow(&bench, "spread", "DISTRIBUTION", DISTRIBUTE) });
    let arn = build(&bench, &[spread], Some(distribution));
    hands.to(6);
    assert_eq!(status(&bench, &arn), "DISTRIBUTING");
    let copies = bench.region("eu-west-1").ec2("Action=DescribeImages&Owner.1=self").unwrap();
    assert_eq!(super::elements(&copies, "imageId").len(), 1, "the first step is done");
    let ami = super::elements(
        &bench.ec2("Action=DescribeImages&Owner.1=self&Filter.1.Name=tag:stage&Filter.1.Value.1=new").unwrap(),
        "imageId",
    )
    .remove(0);
    let other = bench.by("444455556666");
    let seen = format!("Action=DescribeImages&ImageId.1={ami}");
    assert_eq!(code(other.ec2(&seen)), "InvalidAMIID.NotFound", "the others wait");
    let waiting = bench.builder("ListWaitingWorkflowSteps", &json!({})).unwrap()["steps"][0].clone();
    let answer = json!({
        "stepExecutionId": waiting["stepExecutionId"], "imageBuildVersionArn": arn, "action": "RESUME", "clientToken": "go",
    });
    bench.builder("SendWorkflowStepAction", &answer).unwrap();
    hands.to(60);
    assert_eq!(status(&bench, &arn), "AVAILABLE");
    assert!(other.ec2(&seen).is_ok());
    let parameter = bench.ssm("GetParameter", &json!({ "Name": "/imagebuilder/web" })).unwrap();
    assert_eq!(parameter["Parameter"]["Value"], json!(ami));
    let versions = bench.ec2(&format!("Action=DescribeLaunchTemplates&LaunchTemplateId.1={template}")).unwrap();
    assert!(versions.contains("<defaultVersionNumber>2</defaultVersionNumber>"), "{versions}");
    let amis = image(&bench, &arn)["outputResources"]["amis"].clone();
    let regions: Vec<&str> = amis.as_array().unwrap().iter().map(|ami| ami["region"].as_str().unwrap()).collect();
    assert_eq!(regions, ["us-east-1", "eu-west-1"]);
    let kinds: Vec<Value> = runs(&bench, &arn).iter().map(|run| run["type"].clone()).collect();
    assert_eq!(kinds, ["BUILD", "DISTRIBUTION"]);
}

#[test]
fn a_distribution_that_cannot_be_done_fails_its_step() {
    let hands = Hands::new();
    let bench = bench(&hands, script());
    start(&bench);
    let configured =
        json!([{ "region": "us-east-1", "ssmParameterConfigurations": [{ "parameterName": "/imagebuilder/x" }] }]);
    let distribution = distribute(&bench, &configured);
    let data = DISTRIBUTE.replace("  - { name: Ask, action: WaitForAction }\n", "").replace(
        "  - name: Point\n    action: ApplyImageConfigurations\n    inputs: { ",
        "  - name: Point\n    action: ApplyImageConfigurations\n    inputs: { configurations: [{ region: us-east-1, \
         launchTemplateConfigurations: [{ launchTemplateId: lt-00000000000000000 }] }], ",
    );
    let spread = json!({ "workflowArn": workflow(&bench, "spread", "DISTRIBUTION", &data) });
    let arn = build(&bench, &[spread], Some(distribution));
    hands.to(60);
    let state = image(&bench, &arn)["state"].clone();
    assert_eq!((&state["status"], &state["failureContext"]["failedStep"]), (&json!("FAILED"), &json!("Point")));
    assert_eq!(state["failureContext"]["imageStatus"], "DISTRIBUTING");
    assert!(state["reason"].as_str().unwrap().contains("lt-00000000000000000"), "{state}");
}

#[test]
fn a_distribution_that_takes_too_long_times_out() {
    let hands = Hands::new();
    let bench = bench(&hands, Script { distributing: Duration::from_mins(721), ..script() });
    start(&bench);
    let distribution = distribute(&bench, &json!([{ "region": "us-east-1", "amiDistributionConfiguration": {} }]));
    let arn = build(&bench, &[], Some(distribution));
    hands.to(4 + 719);
    assert_eq!(status(&bench, &arn), "DISTRIBUTING");
    hands.to(4 + 720);
    let failure = image(&bench, &arn)["state"]["failureContext"]["distributionFailure"]["regionFailures"][0].clone();
    assert_eq!((&failure["status"], &failure["region"]), (&json!("TIMED_OUT"), &json!("us-east-1")));
}

#[test]
fn what_a_topic_would_be_told_is_kept() {
    let hands = Hands::new();
    let bench = bench(&hands, script());
    let first = start(&bench);
    let update = json!({
        "infrastructureConfigurationArn": "arn:aws:imagebuilder:us-east-1:000000000000:infrastructure-configuration/infra",
        "instanceProfileName": "p", "snsTopicArn": "arn:aws:sns:us-east-1:000000000000:images", "clientToken": "u",
    });
    bench.builder("UpdateInfrastructureConfiguration", &update).unwrap();
    let arn = run(&bench, &pipeline(&bench, &json!({})));
    hands.to(60);
    assert_eq!((status(&bench, &first), status(&bench, &arn)), ("AVAILABLE".to_owned(), "AVAILABLE".to_owned()));
    let kept = |arn: &str| std::fs::read_to_string(bench.local.build_logs(arn).join("notification.json")).ok();
    assert_eq!(kept(&first), None);
    let kept: Value = serde_json::from_str(&kept(&arn).unwrap()).unwrap();
    assert_eq!(kept["topicArn"], "arn:aws:sns:us-east-1:000000000000:images");
    assert_eq!((&kept["message"]["arn"], &kept["message"]["state"]["status"]), (&json!(arn), &json!("AVAILABLE")));
    assert_eq!(kept["message"]["outputResources"]["amis"][0]["region"], "us-east-1");
}

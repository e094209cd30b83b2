//! Builds that follow a script: every state and step in its time.

use super::{Bench, code};
use crate::clock::Clock;
use crate::local::compute::ParentSpec;
use crate::local::{Builds, Failure, Script};
use crate::project::LocalParent;
use crate::runner::StepFailure;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use time::OffsetDateTime;
use time::macros::datetime;

pub(super) const START: OffsetDateTime = datetime!(2026-03-01 12:00 UTC);
pub(super) const BUILD: &str = "schemaVersion: 1.0\nphases:\n  - name: build\n    steps:\n      - { name: One, action: ExecuteBash, inputs: { commands: [id] } }\n      - { name: Two, action: ExecuteBash, inputs: { commands: [id] } }\n  - name: test\n    steps:\n      - { name: Look, action: ExecuteBash, inputs: { commands: [id] } }\n";

/// A clock that stands until it is moved.
#[derive(Clone)]
pub(super) struct Hands(Arc<Mutex<OffsetDateTime>>);

impl Hands {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(START)))
    }

    fn clock(&self) -> Clock {
        let time = Arc::clone(&self.0);
        Clock::ticking(move || *time.lock().unwrap())
    }

    pub(super) fn to(&self, minutes: u64) {
        *self.0.lock().unwrap() = START + Duration::from_mins(minutes);
    }
}

/// Sixteen minutes: each part of [`Script::lasting`] is one, and one is what goes before.
pub(super) fn script() -> Script {
    let script = Script::lasting(Duration::from_mins(16));
    Script { creating: script.creating + script.distributing, distributing: Duration::ZERO, ..script }
}

pub(super) fn bench(hands: &Hands, script: Script) -> Bench {
    let bench = Bench::scripted(hands.clock(), Builds::scripted(move |_| script.clone()));
    bench.add_ami("ami-0000000000000000a", |ami| ami.layers.clear());
    bench
}

/// Makes what a build needs, and starts one.
pub(super) fn start(bench: &Bench) -> String {
    let component = json!({ "name": "abc", "semanticVersion": "1.0.0", "platform": "Linux", "data": BUILD });
    let component = bench.builder("CreateComponent", &component).unwrap()["componentBuildVersionArn"].clone();
    let recipe = json!({
        "name": "web", "semanticVersion": "1.0.0", "parentImage": "ami-0000000000000000a",
        "components": [{ "componentArn": component }],
    });
    let recipe = bench.builder("CreateImageRecipe", &recipe).unwrap()["imageRecipeArn"].clone();
    let infrastructure = json!({ "name": "infra", "instanceProfileName": "p" });
    let infrastructure = bench.builder("CreateInfrastructureConfiguration", &infrastructure).unwrap();
    build(bench, &recipe, &infrastructure["infrastructureConfigurationArn"])
}

fn build(bench: &Bench, recipe: &Value, infrastructure: &Value) -> String {
    let request = json!({
        "imageRecipeArn": recipe, "infrastructureConfigurationArn": infrastructure, "clientToken": "t",
        "tags": { "a": "b" },
    });
    bench.builder("CreateImage", &request).unwrap()["imageBuildVersionArn"].as_str().unwrap().to_owned()
}

pub(super) fn image(bench: &Bench, arn: &str) -> Value {
    bench.builder("GetImage", &json!({ "imageBuildVersionArn": arn })).unwrap()["image"].clone()
}

pub(super) fn status(bench: &Bench, arn: &str) -> String {
    image(bench, arn)["state"]["status"].as_str().unwrap().to_owned()
}

pub(super) fn runs(bench: &Bench, arn: &str) -> Vec<Value> {
    let answer = bench.builder("ListWorkflowExecutions", &json!({ "imageBuildVersionArn": arn })).unwrap();
    answer["workflowExecutions"].as_array().unwrap().clone()
}

fn steps(bench: &Bench, run: &Value) -> Vec<Value> {
    let request = json!({ "workflowExecutionId": run["workflowExecutionId"] });
    bench.builder("ListWorkflowStepExecutions", &request).unwrap()["steps"].as_array().unwrap().clone()
}

/// Name, status, start and end of every step.
pub(super) fn timetable(bench: &Bench, arn: &str) -> Vec<String> {
    let rows = runs(bench, arn).iter().flat_map(|run| steps(bench, run)).collect::<Vec<_>>();
    let text =
        |row: &Value, key: &str| row[key].as_str().map_or("-", |text| text.rsplit('T').next().unwrap()).to_owned();
    rows.iter()
        .map(|row| {
            let name = row["name"].as_str().unwrap();
            format!("{name} {} {} {}", row["status"].as_str().unwrap(), text(row, "startTime"), text(row, "endTime"))
        })
        .collect()
}

#[test]
fn a_build_goes_through_every_state_in_its_time() {
    let hands = Hands::new();
    let bench = bench(&hands, script());
    let arn = start(&bench);
    let mut states = Vec::new();
    for minute in 0..=16 {
        hands.to(minute);
        let state = status(&bench, &arn);
        if states.last().is_none_or(|(_, last)| *last != state) {
            states.push((minute, state));
        }
    }
    let expected = [(0, "PENDING"), (1, "BUILDING"), (13, "TESTING"), (16, "AVAILABLE")];
    assert_eq!(states, expected.map(|(minute, state)| (minute, state.to_owned())));
    insta::assert_debug_snapshot!(timetable(&bench, &arn), @r#"
    [
        "LaunchBuildInstance COMPLETED 12:01:00Z 12:02:00Z",
        "ApplyBuildComponents COMPLETED 12:02:00Z 12:08:00Z",
        "SanitizeBuildInstance COMPLETED 12:08:00Z 12:09:00Z",
        "CreateOutputImage COMPLETED 12:09:00Z 12:12:00Z",
        "TerminateBuildInstance COMPLETED 12:12:00Z 12:13:00Z",
        "LaunchTestInstance COMPLETED 12:13:00Z 12:14:00Z",
        "ApplyTestComponents COMPLETED 12:14:00Z 12:15:00Z",
        "TerminateTestInstance COMPLETED 12:15:00Z 12:16:00Z",
    ]
    "#);
    let found = image(&bench, &arn);
    let ami = found["outputResources"]["amis"][0]["image"].as_str().unwrap();
    let described = bench.ec2(&format!("Action=DescribeImages&ImageId.1={ami}")).unwrap();
    assert!(described.contains("<imageState>available</imageState>"), "{described}");
    assert!(described.contains(&arn) && described.contains("EC2 Image Builder"), "{described}");
    assert_eq!(found["tags"], json!({ "a": "b" }));
}

#[test]
fn an_ami_is_there_as_soon_as_its_step_has_begun() {
    let hands = Hands::new();
    let bench = bench(&hands, script());
    let arn = start(&bench);
    let described =
        || bench.ec2("Action=DescribeImages&Owner.1=self&Filter.1.Name=name&Filter.1.Value.1=web*").unwrap();
    hands.to(8);
    assert!(!described().contains("imageId"));
    hands.to(9);
    assert!(described().contains("<imageState>pending</imageState>"), "{}", described());
    hands.to(12);
    assert!(described().contains("<imageState>available</imageState>"), "{}", described());
    assert_eq!(image(&bench, &arn)["outputResources"]["amis"], json!([]), "told at the end only");
}

#[test]
fn a_component_that_fails_fails_the_image_as_on_aws() {
    let hands = Hands::new();
    let component = "arn:aws:imagebuilder:us-east-1:000000000000:component/abc/1.0.0/1";
    let failure = Failure {
        step: "ApplyBuildComponents".into(),
        message: format!("Document {component} failed!"),
        log: "Stderr: E: no room".into(),
        component: Some(StepFailure {
            document: component.into(),
            phase: "build".into(),
            step: "Two".into(),
            action: "ExecuteBash".into(),
            line: 5,
            message: "exit code 100".into(),
            last_lines: vec!["E: no room".into()],
        }),
        ..Failure::default()
    };
    let bench = bench(&hands, Script { failure: Some(failure), ..script() });
    let arn = start(&bench);
    hands.to(60);
    let found = image(&bench, &arn);
    let run = &runs(&bench, &arn)[0];
    let id = run["workflowExecutionId"].as_str().unwrap();
    assert_eq!(
        found["state"]["reason"],
        json!(format!("Workflow Execution ID: '{id}' failed with reason: Document {component} failed!"))
    );
    assert_eq!(found["state"]["failureContext"]["componentFailure"]["stepName"], "Two");
    assert_eq!((&run["status"], &run["endTime"]), (&json!("ROLLBACK_COMPLETED"), &json!("2026-03-01T12:08:00Z")));
    let steps = steps(&bench, run);
    assert_eq!(steps[0]["rollbackStatus"], "COMPLETED");
    let outputs: Value = serde_json::from_str(steps[1]["outputs"].as_str().unwrap()).unwrap();
    let launched: Value = serde_json::from_str(steps[0]["outputs"].as_str().unwrap()).unwrap();
    let request = json!({ "CommandId": outputs["runCommandId"], "InstanceId": launched["instanceId"] });
    let command = bench.ssm("GetCommandInvocation", &request).unwrap();
    assert_eq!(
        (&command["Status"], &command["StandardOutputContent"]),
        (&json!("Failed"), &json!("Stderr: E: no room"))
    );
    assert!(!bench.ec2("Action=DescribeImages&Owner.1=self").unwrap().contains("<name>web"));
}

#[test]
fn a_step_longer_than_its_limit_times_out() {
    let hands = Hands::new();
    let mut slow = script();
    slow.steps.insert("LaunchBuildInstance".into(), Duration::from_hours(2));
    let bench = bench(&hands, slow);
    let arn = start(&bench);
    hands.to(75);
    assert_eq!(status(&bench, &arn), "BUILDING");
    hands.to(76);
    assert!(image(&bench, &arn)["state"]["reason"].as_str().unwrap().contains("Step timed out after 4500 seconds"));
}

#[test]
fn a_parent_that_does_not_exist_fails_the_build_before_it_begins() {
    let hands = Hands::new();
    let bench = bench(&hands, script());
    let arn = start(&bench);
    bench.ec2("Action=DeregisterImage&ImageId=ami-0000000000000000a").unwrap();
    let recipe = json!("arn:aws:imagebuilder:us-east-1:000000000000:image-recipe/web/1.0.0");
    let infrastructure = json!("arn:aws:imagebuilder:us-east-1:000000000000:infrastructure-configuration/infra");
    let request = json!({
        "imageRecipeArn": recipe, "infrastructureConfigurationArn": infrastructure, "clientToken": "other",
    });
    let second = bench.builder("CreateImage", &request).unwrap()["imageBuildVersionArn"].as_str().unwrap().to_owned();
    hands.to(1);
    assert_eq!((status(&bench, &arn), status(&bench, &second)), ("BUILDING".to_owned(), "FAILED".to_owned()));
    assert!(image(&bench, &second)["state"]["reason"].as_str().unwrap().contains("does not exist"));
    assert_eq!(runs(&bench, &second), Vec::<Value>::new());
}

#[test]
fn a_build_can_be_cancelled_and_deleted_but_not_deleted_while_it_runs() {
    let hands = Hands::new();
    let bench = bench(&hands, script());
    let arn = start(&bench);
    let named = json!({ "imageBuildVersionArn": arn });
    hands.to(10);
    assert_eq!(code(bench.builder("DeleteImage", &named)), "ResourceDependencyException");
    let request = json!({ "imageBuildVersionArn": arn, "clientToken": "c" });
    bench.builder("CancelImageCreation", &request).unwrap();
    hands.to(11);
    assert_eq!(status(&bench, &arn), "CANCELLED");
    assert_eq!(timetable(&bench, &arn).last().unwrap(), "CreateOutputImage CANCELLED 12:09:00Z 12:10:00Z");
    assert!(!bench.ec2("Action=DescribeImages&Owner.1=self").unwrap().contains("<name>web"), "the half AMI is gone");
    assert_eq!(code(bench.builder("CancelImageCreation", &request)), "ResourceInUseException");
    bench.builder("DeleteImage", &named).unwrap();
    assert_eq!(code(bench.builder("ListWorkflowExecutions", &named)), "ResourceNotFoundException");
}

#[test]
fn a_waiting_step_goes_on_or_stops_when_it_is_told_to() {
    for (action, ends) in [("RESUME", "AVAILABLE"), ("STOP", "FAILED")] {
        let hands = Hands::new();
        let bench = bench(&hands, script().waiting("SanitizeBuildInstance", "Approve"));
        let arn = start(&bench);
        let waiting = || bench.builder("ListWaitingWorkflowSteps", &json!({})).unwrap()["steps"].clone();
        hands.to(8);
        assert_eq!(waiting(), json!([]));
        hands.to(60);
        let step = waiting()[0].clone();
        assert_eq!((&step["name"], &step["imageBuildVersionArn"]), (&json!("Approve"), &json!(arn)));
        assert_eq!(steps(&bench, &runs(&bench, &arn)[0]).last().unwrap()["status"], "WAITING");
        let request = json!({
            "stepExecutionId": step["stepExecutionId"], "imageBuildVersionArn": arn, "action": action,
            "reason": "seen by me", "clientToken": "t",
        });
        bench.builder("SendWorkflowStepAction", &request).unwrap();
        assert_eq!(waiting(), json!([]));
        hands.to(120);
        let found = image(&bench, &arn);
        assert_eq!(found["state"]["status"], ends);
        let mut late = request.clone();
        late["clientToken"] = json!("u");
        assert_eq!(code(bench.builder("SendWorkflowStepAction", &late)), "InvalidRequestException");
    }
}

#[test]
fn nobody_answers_a_waiting_step_for_three_days() {
    let hands = Hands::new();
    let bench = bench(&hands, script().waiting("SanitizeBuildInstance", "Approve"));
    let arn = start(&bench);
    hands.to(9 + 3 * 24 * 60);
    assert!(image(&bench, &arn)["state"]["reason"].as_str().unwrap().contains("timed out after 259200 seconds"));
    assert_eq!(bench.builder("ListWaitingWorkflowSteps", &json!({})).unwrap()["steps"], json!([]));
}

#[test]
fn a_build_goes_on_when_the_state_is_opened_again() {
    let hands = Hands::new();
    let first = bench(&hands, script());
    let arn = start(&first);
    hands.to(5);
    assert_eq!(status(&first, &arn), "BUILDING");
    let config = super::Config { clock: hands.clock(), ..super::config(first.folder()) };
    let second = Bench { local: super::Local::open(config).unwrap(), ..first.by(super::DEFAULT_ACCOUNT) };
    hands.to(16);
    assert_eq!(status(&second, &arn), "AVAILABLE");
    assert_eq!(status(&first, &arn), "AVAILABLE");
}

#[test]
fn a_parent_needs_nothing_of_the_machine() {
    let bench = bench(&Hands::new(), script());
    let spec = ParentSpec {
        parameter: Some("/aws/service/debian/release/12/latest/amd64".into()),
        name: "debian-12".into(),
        arch: "sparc".into(),
        source: LocalParent::Directory { path: PathBuf::from("/nowhere") },
    };
    let id = bench.local.ensure_parent(&spec, &|_| ()).unwrap();
    assert_eq!(bench.local.parent_id(&spec).unwrap(), id);
    let named = json!({ "Name": "/aws/service/debian/release/12/latest/amd64" });
    assert_eq!(bench.ssm("GetParameter", &named).unwrap()["Parameter"]["Value"], json!(id));
    let refused = bench.ec2(&format!("Action=RunInstances&ImageId={id}&MinCount=1&MaxCount=1")).unwrap_err();
    assert_eq!(refused.code, "Unsupported", "{}", refused.message);
}

const REGIONS: [&str; 2] = ["us-east-1", "eu-west-1"];

pub(super) fn distribute(bench: &Bench, entries: &Value) -> Value {
    let request = json!({ "name": "dist", "clientToken": "d", "distributions": entries });
    bench.builder("CreateDistributionConfiguration", &request).unwrap()["distributionConfigurationArn"].clone()
}

/// A pipeline over what [`start`] makes, with more members.
pub(super) fn pipeline(bench: &Bench, more: &Value) -> Value {
    let mut request = json!({
        "name": "nightly", "clientToken": "p",
        "imageRecipeArn": "arn:aws:imagebuilder:us-east-1:000000000000:image-recipe/web/x.x.x",
        "infrastructureConfigurationArn": "arn:aws:imagebuilder:us-east-1:000000000000:infrastructure-configuration/infra",
    });
    for (name, value) in more.as_object().unwrap() {
        request[name] = value.clone();
    }
    bench.builder("CreateImagePipeline", &request).unwrap()["imagePipelineArn"].clone()
}

pub(super) fn run(bench: &Bench, pipeline: &Value) -> String {
    let request = json!({ "imagePipelineArn": pipeline, "clientToken": "r", "tags": { "by": "hand" } });
    let first = bench.builder("StartImagePipelineExecution", &request).unwrap();
    let again = bench.builder("StartImagePipelineExecution", &request).unwrap();
    assert_eq!(first["imageBuildVersionArn"], again["imageBuildVersionArn"], "one build for one token");
    first["imageBuildVersionArn"].as_str().unwrap().to_owned()
}

#[test]
fn a_pipeline_builds_and_distributes() {
    let hands = Hands::new();
    let bench = bench(&hands, script());
    start(&bench);
    let template = bench
        .ec2("Action=CreateLaunchTemplate&LaunchTemplateName=web&LaunchTemplateData.ImageId=ami-00000000")
        .unwrap();
    let template = super::element(&template, "launchTemplateId").unwrap();
    let distribution = distribute(
        &bench,
        &json!([
            {
                "region": REGIONS[0],
                "amiDistributionConfiguration": {
                    "name": "golden {{ imagebuilder:buildDate }}", "amiTags": { "stage": "new" },
                    "launchPermission": { "userIds": ["444455556666"] },
                },
                "launchTemplateConfigurations": [{ "launchTemplateId": template }],
                "ssmParameterConfigurations": [{ "parameterName": "/imagebuilder/web", "dataType": "aws:ec2:image" }],
            },
            {
                "region": REGIONS[1],
                "amiDistributionConfiguration": { "targetAccountIds": ["000000000000", "444455556666"] },
            },
        ]),
    );
    let pipeline = pipeline(&bench, &json!({ "distributionConfigurationArn": distribution }));
    let arn = run(&bench, &pipeline);
    hands.to(17);
    let found = image(&bench, &arn);
    assert_eq!((&found["state"]["status"], &found["tags"]), (&json!("AVAILABLE"), &json!({ "by": "hand" })));
    assert_eq!((&found["sourcePipelineArn"], &found["sourcePipelineName"]), (&pipeline, &json!("nightly")));
    let amis = found["outputResources"]["amis"].as_array().unwrap();
    let places: Vec<_> =
        amis.iter().map(|ami| (ami["region"].as_str().unwrap(), ami["accountId"].as_str().unwrap())).collect();
    assert_eq!(places, [("us-east-1", "000000000000"), ("eu-west-1", "000000000000"), ("eu-west-1", "444455556666")]);
    let ami = amis[0]["image"].as_str().unwrap();
    let described = bench.ec2(&format!("Action=DescribeImages&ImageId.1={ami}")).unwrap();
    assert!(described.contains("<name>golden 2026-03-01T12-16-00.000Z</name>"), "{described}");
    assert!(described.contains("<key>stage</key>") && described.contains(&arn), "{described}");
    assert!(bench.by("444455556666").ec2(&format!("Action=DescribeImages&ImageId.1={ami}")).is_ok(), "shared");
    let parameter = bench.ssm("GetParameter", &json!({ "Name": "/imagebuilder/web" })).unwrap();
    assert_eq!(parameter["Parameter"]["Value"], json!(ami));
    let versions = bench.ec2(&format!("Action=DescribeLaunchTemplates&LaunchTemplateId.1={template}")).unwrap();
    assert!(versions.contains("<defaultVersionNumber>2</defaultVersionNumber>"), "{versions}");
    let listed = bench.builder("ListImagePipelineImages", &json!({ "imagePipelineArn": pipeline })).unwrap();
    assert_eq!(listed["imageSummaryList"].as_array().unwrap().len(), 1);
    let got =
        bench.builder("GetImagePipeline", &json!({ "imagePipelineArn": pipeline })).unwrap()["imagePipeline"].clone();
    assert_eq!((&got["lastRunStatus"], &got["dateLastRun"]), (&json!("AVAILABLE"), &json!("2026-03-01T12:00:00.000Z")));
}

#[test]
fn what_cannot_be_distributed_fails_the_image_with_its_place() {
    let hands = Hands::new();
    let bench = bench(&hands, script());
    start(&bench);
    let distribution = distribute(
        &bench,
        &json!([
            { "region": REGIONS[0], "ssmParameterConfigurations": [{ "parameterName": "/golden/web" }] },
        ]),
    );
    let arn = run(&bench, &pipeline(&bench, &json!({ "distributionConfigurationArn": distribution })));
    hands.to(60);
    let state = image(&bench, &arn)["state"].clone();
    assert_eq!((&state["status"], &state["failureContext"]["imageStatus"]), (&json!("FAILED"), &json!("INTEGRATING")));
    let failure = &state["failureContext"]["distributionFailure"]["regionFailures"][0];
    assert_eq!(
        (&failure["region"], &failure["imageConfigurationStep"]),
        (&json!("us-east-1"), &json!("PUT_SSM_PARAMETERS"))
    );
    assert!(state["reason"].as_str().unwrap().starts_with("Not all distribution jobs are completed. 1) "), "{state}");
}

pub(super) const CUSTOM: &str = "schemaVersion: 1.0
parameters:
  - { name: clean, type: boolean, default: false }
steps:
  - { name: Launch, action: LaunchInstance, inputs: { waitFor: ssmAgent } }
  - name: Clean
    action: SanitizeInstance
    if: { booleanEquals: true, value: \"$.parameters.clean\" }
    inputs: { instanceId.$: \"$.stepOutputs.Launch.instanceId\" }
  - name: Tell
    action: RunCommand
    onFailure: Continue
    inputs:
      instanceId.$: \"$.stepOutputs.Launch.instanceId\"
      documentName: AWS-RunShellScript
      parameters: { commands: [\"echo {{ $.imagebuilder.imageName }}\"] }
  - { name: Make, action: CreateImage, inputs: { instanceId.$: \"$.stepOutputs.Launch.instanceId\" } }
outputs:
  - { name: ImageId, value: \"$.stepOutputs.Make.imageId\" }
";

#[test]
fn a_custom_workflow_runs_as_it_is_written() {
    let hands = Hands::new();
    let bench = bench(&hands, script().failing("Tell", "No such command."));
    start(&bench);
    let request = json!({
        "name": "mine", "semanticVersion": "1.0.0", "type": "BUILD", "data": CUSTOM, "clientToken": "w",
    });
    let workflow = bench.builder("CreateWorkflow", &request).unwrap()["workflowBuildVersionArn"].clone();
    let more = json!({ "workflows": [{ "workflowArn": workflow }], "executionRole": "role" });
    let arn = run(&bench, &pipeline(&bench, &more));
    hands.to(60);
    assert_eq!(status(&bench, &arn), "AVAILABLE");
    assert_eq!(
        timetable(&bench, &arn),
        [
            "Launch COMPLETED 12:01:00Z 12:02:00Z",
            "Clean SKIPPED 12:02:00Z 12:02:00Z",
            "Tell FAILED 12:02:00Z 12:03:00Z",
            "Make COMPLETED 12:03:00Z 12:04:00Z",
        ]
    );
    let run = &runs(&bench, &arn)[0];
    assert_eq!((&run["workflowBuildVersionArn"], &run["totalStepsSkipped"]), (&workflow, &json!(1)));
    let inputs: Value = serde_json::from_str(steps(&bench, run)[2]["inputs"].as_str().unwrap()).unwrap();
    assert_eq!(inputs["parameters"]["commands"], json!(["echo web"]));
    assert_eq!(runs(&bench, &arn).len(), 1, "without a test workflow there is no test stage");
}

#[test]
fn an_action_that_is_not_here_fails_its_step_and_says_so() {
    let hands = Hands::new();
    let bench = bench(&hands, script());
    start(&bench);
    let data = CUSTOM.replace("SanitizeInstance", "RunSysPrep").replace("default: false", "default: true");
    let request =
        json!({ "name": "mine", "semanticVersion": "1.0.0", "type": "BUILD", "data": data, "clientToken": "w" });
    let workflow = bench.builder("CreateWorkflow", &request).unwrap()["workflowBuildVersionArn"].clone();
    let more = json!({ "workflows": [{ "workflowArn": workflow }], "executionRole": "role" });
    let arn = run(&bench, &pipeline(&bench, &more));
    hands.to(60);
    let reason = image(&bench, &arn)["state"]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("does not have the workflow action RunSysPrep. in workflow step Clean"), "{reason}");
}

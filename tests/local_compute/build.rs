//! Image builds, from the parent to the candidate and into every way they can end.

use crate::fixture::{fixture, security_packages};
use crate::instances::{launch, scan, terminate};
use crate::support::image::{self, Image as Made, Layer};
use crate::world::{World, parent_spec};
use amiforge::event::{Event, Stage};
use amiforge::local::compute::ParentSpec;
use amiforge::sandbox::root::{Cache, Policy, State};
use aws_sdk_imagebuilder::types::{Image, ImageStatus, WorkflowExecutionMetadata, WorkflowStepMetadata};
use std::time::SystemTime;

const PATCH: &str = r"
name: patch
schemaVersion: 1.0
phases:
  - name: build
    steps:
      - name: Upgrade
        action: ExecuteBash
        inputs:
          commands:
            - apt-get update
            - apt-get --yes dist-upgrade
            - mkdir -p /root/.ssh && echo key > /root/.ssh/authorized_keys
            - echo built > /var/lib/built-by-component
      - name: Environment
        action: ExecuteBash
        inputs:
          commands:
            - test $IMAGE_PHASE = BUILDING
            - test $IMAGE_VERSION = 1.0.0
            - test -z $HOME
  - name: validate
    steps:
      - name: Look
        action: ExecuteBash
        inputs:
          commands:
            - amifix-web | grep -F '2.4.1-2+deb12u2'
  - name: test
    steps:
      - name: Phase
        action: ExecuteBash
        inputs:
          commands:
            - test $IMAGE_PHASE = TESTING
";

const TEST: &str = r"
name: check
schemaVersion: 1.0
phases:
  - name: test
    steps:
      - name: Patched
        action: ExecuteBash
        inputs:
          commands:
            - test -e /var/lib/built-by-component
            - test ! -e /root/.ssh/authorized_keys
            - amifix-web | grep -F '2.4.1-2+deb12u2'
";

fn one_step(phase: &str, commands: &str) -> String {
    format!(
        "name: one\nschemaVersion: 1.0\nphases:\n  - name: {phase}\n    steps:\n      - name: Only\n        \
         action: ExecuteBash\n        inputs:\n          commands:\n            - |\n              {commands}\n"
    )
}

pub fn status(image: &Image) -> ImageStatus {
    image.state().and_then(|state| state.status()).cloned().expect("a status")
}

pub fn reason(image: &Image) -> String {
    image.state().and_then(|state| state.reason()).unwrap_or_default().to_owned()
}

pub fn workflows(world: &World, arn: &str) -> Vec<WorkflowExecutionMetadata> {
    let answer = world.wait(world.builder.list_workflow_executions().image_build_version_arn(arn).send());
    answer.expect("ListWorkflowExecutions").workflow_executions.unwrap_or_default()
}

fn steps(world: &World, workflow: &WorkflowExecutionMetadata) -> Vec<WorkflowStepMetadata> {
    let id = workflow.workflow_execution_id().expect("an id");
    let answer = world.wait(world.builder.list_workflow_step_executions().workflow_execution_id(id).send());
    answer.expect("ListWorkflowStepExecutions").steps.unwrap_or_default()
}

fn summary(steps: &[WorkflowStepMetadata]) -> Vec<(String, String)> {
    let text = |step: &WorkflowStepMetadata| {
        (
            step.name().unwrap_or_default().to_owned(),
            step.status().map(|status| status.as_str().to_owned()).unwrap_or_default(),
        )
    };
    steps.iter().map(text).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(name, status)| ((*name).to_owned(), (*status).to_owned())).collect()
}

pub fn parent_is_made_once() {
    let world = World::new();
    let first = world.parent();
    assert_eq!(first.len(), "ami-".len() + 17);
    assert_eq!(world.parent(), first, "the id is stable");
    let answer = world.wait(world.ec2.describe_images().image_ids(&first).send()).expect("DescribeImages");
    let image = &answer.images()[0];
    assert_eq!((image.public(), image.owner_id()), (Some(true), Some("136693071363")));
    assert_eq!(image.imds_support().map(|support| support.as_str()), Some("v2.0"));
    let parameter = world.wait(world.ssm.get_parameter().name(crate::world::PARAMETER).send()).expect("GetParameter");
    assert_eq!(parameter.parameter().and_then(|parameter| parameter.value()), Some(first.as_str()));
    let mut foreign = parent_spec(&fixture().root);
    foreign.arch = if foreign.arch == "arm64" { "x86_64".into() } else { "arm64".into() };
    let error = world.local.ensure_parent(&foreign, &|_| ()).expect_err("another architecture");
    assert!(error.to_string().contains("own processor"), "{error}");
}

pub fn parent_of_an_image_stays_in_the_cache() {
    let world = World::new();
    let folder = world.state().with_file_name("layout");
    let parent = |system: &str| {
        let layer = Layer::new().file("etc/os-release", "ID=debian\n").file(system, "Package: bash\n").end();
        image::write_layout(&folder, &[("latest", &Made::new(vec![layer]))]);
        ParentSpec { source: format!("image:{}", folder.display()).parse().expect("a source"), ..parent_spec(&folder) }
    };
    let spec = parent("var/lib/dpkg/status");
    let id = world.local.parent_id(&spec).expect("its id");
    assert_eq!(world.local.ensure_parent(&spec, &|_| ()).expect("the parent"), id);
    assert_eq!(world.local.ensure_parent(&spec, &|line| panic!("{line}")).expect("the parent"), id);
    // The AMI stands on it: nothing takes it away while the state is there.
    let cache = Cache::new(world.state().with_file_name("cache"));
    let everything = Policy { all: true, ..Policy::default() };
    let kept = cache.prune(everything, SystemTime::now()).expect("pruned");
    assert_eq!(kept[0].entry.state, State::StoodOn(vec![world.state()]));
    assert!(!kept[0].remove && kept[0].why.contains("images stand on it"), "{kept:?}");

    let error = world.local.ensure_parent(&parent("etc/motd"), &|_| ()).expect_err("no system");
    assert!(error.to_string().contains("a database of rpm"), "{error}");
}

pub fn whole_way() {
    let world = World::new();
    let parent = world.parent();
    let (missing, names) = scan_image(&world, &parent);
    assert_eq!(names, security_packages(), "the unpatched parent");
    assert_eq!(usize::try_from(missing).ok(), Some(names.len()));

    let arn = world.create("web", &[PATCH, TEST]);
    assert!(arn.ends_with(":image/web/1.0.0/1"), "{arn}");
    let image = world.finished(&arn);
    assert_eq!(status(&image), ImageStatus::Available, "{}", reason(&image));
    let runs = workflows(&world, &arn);
    assert_eq!(runs.iter().filter_map(|run| run.r#type()).map(|t| t.as_str()).collect::<Vec<_>>(), ["BUILD", "TEST"]);
    let build = steps(&world, &runs[0]);
    let expected = [
        "LaunchBuildInstance",
        "ApplyBuildComponents",
        "SanitizeBuildInstance",
        "CreateOutputImage",
        "TerminateBuildInstance",
    ];
    assert_eq!(summary(&build), pairs(&expected.map(|name| (name, "COMPLETED"))));
    let expected = ["LaunchTestInstance", "ApplyTestComponents", "TerminateTestInstance"];
    assert_eq!(summary(&steps(&world, &runs[1])), pairs(&expected.map(|name| (name, "COMPLETED"))));

    let ami = image.output_resources().and_then(|output| output.amis()[0].image()).expect("an AMI").to_owned();
    check_ami(&world, &ami, &arn, &parent);
    check_command(&world, &build);
    check_logs(&world);
    let (missing, names) = scan_image(&world, &ami);
    assert_eq!((missing, names), (0, Vec::new()), "the candidate");
    check_events(&world);
    world.assert_nothing_left();
}

/// Launches an instance of an AMI, scans it, and ends it: the missing count and the names of what is missing.
fn scan_image(world: &World, ami: &str) -> (i32, Vec<String>) {
    let instance = launch(world, ami);
    scan(world, &instance, "Scan").expect("the scan");
    let states = world.wait(world.ssm.describe_instance_patch_states().instance_ids(&instance).send());
    let states = states.expect("DescribeInstancePatchStates");
    let state = states.instance_patch_states().first().expect("a state").clone();
    assert_eq!(state.snapshot_id(), Some(crate::instances::SNAPSHOT));
    assert!(state.baseline_id().contains("pb-"), "{}", state.baseline_id());
    assert!(state.installed_count() + state.installed_other_count() > 50);
    let filter = aws_sdk_ssm::types::PatchOrchestratorFilter::builder().key("State").values("Missing").build();
    let patches = world.wait(world.ssm.describe_instance_patches().instance_id(&instance).filters(filter).send());
    let mut names: Vec<String> = patches
        .expect("DescribeInstancePatches")
        .patches()
        .iter()
        .map(|patch| patch.kb_id().rsplit_once('.').map_or("", |(name, _)| name).to_owned())
        .collect();
    names.sort();
    terminate(world, &instance);
    (state.missing_count(), names)
}

fn check_ami(world: &World, ami: &str, arn: &str, parent: &str) {
    let answer = world.wait(world.ec2.describe_images().image_ids(ami).send()).expect("DescribeImages");
    let image = &answer.images()[0];
    assert_eq!(image.state().map(|state| state.as_str()), Some("available"));
    assert_eq!(image.public(), Some(false));
    assert!(image.name().is_some_and(|name| name.starts_with("web 20")), "{:?}", image.name());
    let tag = |key: &str| image.tags().iter().find(|tag| tag.key() == Some(key)).and_then(|tag| tag.value());
    assert_eq!(tag("CreatedBy"), Some("EC2 Image Builder"));
    assert_eq!(tag("Ec2ImageBuilderArn"), Some(arn));
    assert_eq!(image.source_image_id(), Some(parent));
}

fn check_command(world: &World, build: &[WorkflowStepMetadata]) {
    let json =
        |text: Option<&str>| -> serde_json::Value { serde_json::from_str(text.unwrap_or_default()).expect("JSON") };
    let instance = json(build[0].outputs())["instanceId"].as_str().expect("an instance").to_owned();
    assert_eq!(json(build[1].inputs())["instanceId"], instance.as_str());
    let outputs = json(build[1].outputs());
    let run: serde_json::Value = json(outputs["output"].as_str());
    assert_eq!((&run["status"], &run["executedStepCount"]), (&"success".into(), &3.into()));
    let command = outputs["runCommandId"].as_str().expect("a command");
    let answer = world.wait(world.ssm.get_command_invocation().command_id(command).instance_id(instance).send());
    let output = answer.expect("GetCommandInvocation").standard_output_content.unwrap_or_default();
    assert!(output.contains("Phase build\nStep Upgrade\n"), "{output}");
    assert!(output.contains("TOE has completed execution successfully"), "{output}");
}

fn check_logs(world: &World) {
    let folder = world.state().join("logs/web/1.0.0/1");
    let console = std::fs::read_to_string(folder.join("console.log")).expect("console.log");
    assert!(console.contains("Info Step Upgrade"), "{console}");
    let detail = std::fs::read_to_string(folder.join("detailedoutput.json")).expect("detailedoutput.json");
    let detail: serde_json::Value = serde_json::from_str(&detail).expect("JSON");
    assert_eq!(detail["documents"][0]["phases"][1]["name"], "validate");
    assert!(folder.join("test/console.log").exists());
}

fn check_events(world: &World) {
    let events = world.events.lock().expect("events");
    let progress = |wanted: Stage, text: &str| {
        events.iter().any(
            |event| matches!(event, Event::Progress { stage, message } if *stage == wanted && message.contains(text)),
        )
    };
    assert!(progress(Stage::Build, "CreateOutputImage") && progress(Stage::Build, "build: Upgrade"));
    assert!(progress(Stage::Test, "test: Patched"));
    assert!(events.iter().any(|event| matches!(event, Event::Output { stage: Stage::Build, .. })));
}

pub fn failing_component() {
    let world = World::new();
    let broken = one_step("build", "echo before the end; echo it went wrong >&2; exit 7");
    let arn = world.create("broken", &[&broken, TEST]);
    let image = world.finished(&arn);
    assert_eq!(status(&image), ImageStatus::Failed);
    let reason = reason(&image);
    assert!(reason.starts_with("Workflow Execution ID: 'wf-") && reason.contains("Step Only"), "{reason}");
    let context = image.state().and_then(|state| state.failure_context()).expect("a failure context");
    assert_eq!(context.failed_step(), Some("ApplyBuildComponents"));
    let component = context.component_failure().expect("a component failure");
    assert_eq!((component.phase_name(), component.step_name()), (Some("build"), Some("Only")));
    assert!(component.component_arn().is_some_and(|arn| arn.contains(":component/broken-0/")));
    assert!(image.output_resources().is_none_or(|output| output.amis().is_empty()));
    let runs = workflows(&world, &arn);
    assert_eq!(runs.len(), 1, "no test after a failed build");
    assert_eq!(runs[0].status().map(|status| status.as_str()), Some("ROLLBACK_COMPLETED"));
    let steps = steps(&world, &runs[0]);
    assert_eq!(summary(&steps), pairs(&[("LaunchBuildInstance", "COMPLETED"), ("ApplyBuildComponents", "FAILED")]));
    let outputs: serde_json::Value = serde_json::from_str(steps[1].outputs().expect("outputs")).expect("JSON");
    let run: serde_json::Value = serde_json::from_str(outputs["output"].as_str().expect("output")).expect("JSON");
    assert_eq!(run["failure"]["line"], 6);
    assert!(
        run["failure"]["lastLines"].as_array().is_some_and(|lines| lines.contains(&"it went wrong".into())),
        "{run}"
    );
    world.assert_nothing_left();
}

pub fn failing_test() {
    let world = World::new();
    let arn = world.create("untested", &[&one_step("test", "exit 3")]);
    let image = world.finished(&arn);
    assert_eq!(status(&image), ImageStatus::Failed);
    let context = image.state().and_then(|state| state.failure_context()).expect("a failure context");
    assert_eq!(context.image_status().map(|status| status.as_str()), Some("TESTING"));
    assert_eq!(context.failed_step(), Some("ApplyTestComponents"));
    assert_eq!(workflows(&world, &arn).len(), 2);
    world.assert_nothing_left();
}

pub fn reboots() {
    let world = World::new();
    let once =
        one_step("build", "test -e /var/lib/second && exit 0; touch /var/lib/second; touch /run/first; exit 194");
    let after = one_step("build", "test ! -e /run/first");
    let arn = world.create("rebooting", &[&once, &after]);
    let image = world.finished(&arn);
    assert_eq!(status(&image), ImageStatus::Available, "{}", reason(&image));
    let arn = world.create("endless", &[&one_step("build", "exit 194")]);
    let image = world.finished(&arn);
    assert_eq!(status(&image), ImageStatus::Failed);
    assert!(reason(&image).contains("reboot"), "{}", reason(&image));
    world.assert_nothing_left();
}

/// A component that says that it runs and then takes its time.
pub fn slow() -> String {
    one_step("build", "echo started; sleep 600")
}

/// Waits until the component's own output says that it runs.
pub fn running(world: &World, word: &str) {
    world.until(|| {
        let events = world.events.lock().expect("events");
        events.iter().any(|event| matches!(event, Event::Output { line, .. } if line == word)).then_some(())
    });
}

pub fn cancel() {
    let world = World::new();
    let arn = world.create("slow", &[&slow()]);
    running(&world, "started");
    let cancel = |token: &str| {
        world.wait(world.builder.cancel_image_creation().image_build_version_arn(&arn).client_token(token).send())
    };
    cancel("first").expect("CancelImageCreation");
    let image = world.finished(&arn);
    assert_eq!(status(&image), ImageStatus::Cancelled);
    let runs = workflows(&world, &arn);
    assert_eq!(runs[0].status().map(|status| status.as_str()), Some("CANCELLED"));
    let error = cancel("second").expect_err("it has ended");
    assert!(error.into_service_error().is_resource_in_use_exception());
    world.until(|| world.state().join("instances").read_dir().ok()?.next().is_none().then_some(()));
    world.assert_nothing_left();
}

pub fn shutdown() {
    let world = World::new();
    let idle = launch(&world, &world.parent());
    let arn = world.create("slow", &[&slow()]);
    running(&world, "started");
    world.local.shutdown();
    assert_eq!(status(&world.image(&arn)), ImageStatus::Cancelled);
    let answer = world.wait(world.ec2.describe_instances().instance_ids(idle).send()).expect("DescribeInstances");
    let state = answer.reservations()[0].instances()[0].state().and_then(|state| state.name()).expect("a state");
    assert_eq!(state.as_str(), "terminated");
    world.assert_nothing_left();
}

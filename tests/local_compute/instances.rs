//! Instances, commands and patch scans.

use crate::fixture::security_packages;
use crate::world::World;
use aws_sdk_ec2::types::InstanceType;
use aws_sdk_ssm::operation::get_command_invocation::GetCommandInvocationOutput;
use aws_sdk_ssm::types::CommandInvocationStatus;

/// The snapshot id of every scan here.
pub const SNAPSHOT: &str = "12345678-1234-1234-1234-1234567890ab";

/// Starts one instance and waits until it is managed.
pub fn launch(world: &World, ami: &str) -> String {
    launch_as(world, ami, ("Debian GNU/Linux", "12"))
}

/// An instance that registers as that platform.
pub fn launch_as(world: &World, ami: &str, (name, version): (&str, &str)) -> String {
    let request =
        world.ec2.run_instances().image_id(ami).instance_type(InstanceType::M7iLarge).min_count(1).max_count(1);
    let answer = world.wait(request.send()).expect("RunInstances");
    let instance = answer.instances()[0].instance_id().expect("an id").to_owned();
    let filter = aws_sdk_ssm::types::InstanceInformationStringFilter::builder()
        .key("InstanceIds")
        .values(&instance)
        .build()
        .expect("complete");
    world.until(|| {
        let request = world.ssm.describe_instance_information().filters(filter.clone());
        let answer = world.wait(request.send()).expect("DescribeInstanceInformation");
        let node = answer.instance_information_list().first()?.clone();
        assert_eq!((node.platform_name(), node.platform_version()), (Some(name), Some(version)));
        (node.ping_status()?.as_str() == "Online").then_some(())
    });
    instance
}

pub fn terminate(world: &World, instance: &str) {
    for _ in 0..2 {
        let answer = world.wait(world.ec2.terminate_instances().instance_ids(instance).send());
        assert_eq!(answer.expect("TerminateInstances").terminating_instances().len(), 1, "twice is fine");
    }
    assert_eq!(state(world, instance), "terminated");
}

pub fn state(world: &World, instance: &str) -> String {
    let answer = world.wait(world.ec2.describe_instances().instance_ids(instance).send()).expect("DescribeInstances");
    let instance = &answer.reservations()[0].instances()[0];
    instance.state().and_then(|state| state.name()).map(|name| name.as_str().to_owned()).unwrap_or_default()
}

/// Sends a command and waits for its end.
pub fn send(world: &World, instance: &str, document: &str, parameters: &[(&str, &str)]) -> GetCommandInvocationOutput {
    let command = begin(world, instance, document, parameters);
    finished(world, instance, document, &command)
}

fn begin(world: &World, instance: &str, document: &str, parameters: &[(&str, &str)]) -> String {
    let mut request = world.ssm.send_command().document_name(document).instance_ids(instance);
    for (name, value) in parameters {
        request = request.parameters(*name, vec![(*value).to_owned()]);
    }
    let answer = world.wait(request.send()).expect("SendCommand");
    answer.command().and_then(|command| command.command_id()).expect("an id").to_owned()
}

fn finished(world: &World, instance: &str, document: &str, command: &str) -> GetCommandInvocationOutput {
    world.until(|| {
        let mut request = world.ssm.get_command_invocation().command_id(command).instance_id(instance);
        if document == "AWS-RunPatchBaseline" {
            request = request.plugin_name("PatchLinux");
        }
        let answer = world.wait(request.send()).expect("GetCommandInvocation");
        let status = answer.status().cloned()?;
        let runs = [CommandInvocationStatus::Pending, CommandInvocationStatus::InProgress].contains(&status);
        (!runs).then_some(answer)
    })
}

/// Runs AWS-RunPatchBaseline; the error is what the command said.
pub fn scan(world: &World, instance: &str, operation: &str) -> Result<(), String> {
    let parameters = [("Operation", operation), ("SnapshotId", SNAPSHOT)];
    let answer = send(world, instance, "AWS-RunPatchBaseline", &parameters);
    if answer.status() == Some(&CommandInvocationStatus::Success) {
        return Ok(());
    }
    Err(format!("{:?} {}", answer.status(), answer.standard_error_content().unwrap_or_default()))
}

pub fn run_instances() {
    let world = World::new();
    let ami = world.parent();
    let request = || world.ec2.run_instances().min_count(1).max_count(1);
    let code = |request: aws_sdk_ec2::operation::run_instances::builders::RunInstancesFluentBuilder| {
        let error = world.wait(request.send()).expect_err("refused");
        amiforge::aws::describe(&error).code.unwrap_or_default()
    };
    let large = InstanceType::M7iLarge;
    assert_eq!(code(request().image_id(&ami).instance_type(large.clone()).dry_run(true)), "DryRunOperation");
    assert_eq!(code(request().image_id("ami-00000000000000000")), "InvalidAMIID.NotFound");
    assert_eq!(code(request()), "MissingParameter");
    assert_eq!(code(request().image_id(&ami).instance_type(InstanceType::M7gLarge)), "InvalidParameterValue");
    let resolve = format!("resolve:ssm:{}", crate::world::PARAMETER);
    let start = |token: &str, image: &str| {
        let request = request().image_id(image).instance_type(large.clone()).client_token(token);
        world.wait(request.send()).map(|answer| answer.instances()[0].instance_id().expect("an id").to_owned())
    };
    let first = start("token", &resolve).expect("the first");
    assert_eq!(start("token", &resolve).expect("again"), first, "the same token is the same instance");
    let error = start("token", &ami).expect_err("another request");
    assert_eq!(amiforge::aws::describe(&error).code.as_deref(), Some("IdempotentParameterMismatch"));
    let filter = aws_sdk_ec2::types::Filter::builder().name("image-id").values(&ami).build();
    let answer = world.wait(world.ec2.describe_instances().filters(filter).send()).expect("DescribeInstances");
    assert_eq!(answer.reservations().len(), 1);
    let status = world.wait(world.ec2.describe_instance_status().instance_ids(&first).send());
    let status = status.expect("DescribeInstanceStatus").instance_statuses()[0].clone();
    assert_eq!(status.system_status().and_then(|status| status.status()).map(|status| status.as_str()), Some("ok"));
    from_template(&world, &ami);
    terminate(&world, &first);
    world.local.shutdown();
    world.assert_nothing_left();
}

fn from_template(world: &World, ami: &str) {
    use aws_sdk_ec2::types::{LaunchTemplateSpecification, RequestLaunchTemplateData, ResourceType, Tag};
    let tags = aws_sdk_ec2::types::LaunchTemplateTagSpecificationRequest::builder()
        .resource_type(ResourceType::Instance)
        .tags(Tag::builder().key("from").value("template").build())
        .build();
    let data = RequestLaunchTemplateData::builder()
        .image_id(ami)
        .instance_type(InstanceType::M7iLarge)
        .tag_specifications(tags)
        .build();
    let request = world.ec2.create_launch_template().launch_template_name("web").launch_template_data(data);
    world.wait(request.send()).expect("CreateLaunchTemplate");
    let template = LaunchTemplateSpecification::builder().launch_template_name("web").version("$Latest").build();
    let request = world.ec2.run_instances().launch_template(template).min_count(1).max_count(1);
    let answer = world.wait(request.send()).expect("RunInstances from the template");
    let instance = &answer.instances()[0];
    assert_eq!(instance.image_id(), Some(ami));
    assert_eq!(instance.tags()[0].value(), Some("template"));
}

pub fn commands() {
    let world = World::new();
    let instance = launch(&world, &world.parent());
    let shell = |parameters: &[(&str, &str)]| send(&world, &instance, "AWS-RunShellScript", parameters);
    let fine = shell(&[("commands", "pwd; echo oops >&2; cat"), ("workingDirectory", "/usr")]);
    assert_eq!((fine.status(), fine.response_code()), (Some(&CommandInvocationStatus::Success), 0));
    assert_eq!(fine.standard_output_content(), Some("/usr\n"));
    assert_eq!(fine.standard_error_content(), Some("oops\n"));
    let failed = shell(&[("commands", "exit 9")]);
    assert_eq!((failed.status(), failed.response_code()), (Some(&CommandInvocationStatus::Failed), 9));
    let late = shell(&[("commands", "sleep 600"), ("executionTimeout", "1")]);
    assert_eq!(late.status(), Some(&CommandInvocationStatus::TimedOut));
    let long = shell(&[("commands", "yes 0123456789 | head -n 5000")]);
    assert_eq!(long.standard_output_content().map(str::len), Some(24_000));
    let reboot = shell(&[("commands", "test -e /root/again && exit 0; touch /root/again; exit 194")]);
    assert_eq!(reboot.status(), Some(&CommandInvocationStatus::Success));
    let list = world.wait(world.ssm.list_command_invocations().instance_id(&instance).send());
    assert_eq!(list.expect("ListCommandInvocations").command_invocations().len(), 5);
    let request = world.ssm.send_command().document_name("AWS-RunShellScript").instance_ids("i-00000000000000000");
    let error = world.wait(request.parameters("commands", vec!["true".into()]).send()).expect_err("unknown instance");
    assert!(error.into_service_error().is_invalid_instance_id());
    let request = world.ssm.send_command().document_name("AWS-None").instance_ids(&instance);
    assert!(world.wait(request.send()).expect_err("unknown document").into_service_error().is_invalid_document());
    let request = world.ssm.get_command_invocation().command_id(SNAPSHOT).instance_id(&instance);
    let error = world.wait(request.send()).expect_err("unknown command");
    assert!(error.into_service_error().is_invocation_does_not_exist());
    terminate(&world, &instance);
    world.assert_nothing_left();
}

pub fn terminate_under_a_command() {
    let world = World::new();
    let instance = launch(&world, &world.parent());
    let document = "AWS-RunShellScript";
    let command = begin(&world, &instance, document, &[("commands", "sleep 600")]);
    terminate(&world, &instance);
    let answer = finished(&world, &instance, document, &command);
    assert_eq!(answer.status(), Some(&CommandInvocationStatus::Failed));
    world.assert_nothing_left();
}

pub fn other_process() {
    let world = World::new();
    let instance = launch(&world, &world.parent());
    // A second environment on the same state, as another process has it: it sees the instance, and can only ask.
    let other = world.reopen();
    let answer = send(&other, &instance, "AWS-RunShellScript", &[("commands", "echo carried out by its owner")]);
    assert_eq!(answer.standard_output_content(), Some("carried out by its owner\n"));
    other.wait(other.ec2.terminate_instances().instance_ids(&instance).send()).expect("TerminateInstances");
    other.until(|| (state(&other, &instance) == "terminated").then_some(()));
    world.assert_nothing_left();
}

pub fn unreachable_source() {
    let world = World::new();
    let instance = launch(&world, &world.parent());
    let break_it = "echo 'deb [trusted=yes] file:/nonexistent none main' > /etc/apt/sources.list.d/gone.list";
    send(&world, &instance, "AWS-RunShellScript", &[("commands", break_it)]);
    let error = scan(&world, &instance, "Scan").expect_err("no result");
    assert!(error.contains("package indexes could not be refreshed"), "{error}");
    let states = world.wait(world.ssm.describe_instance_patch_states().instance_ids(&instance).send());
    assert!(states.expect("DescribeInstancePatchStates").instance_patch_states().is_empty(), "and nothing is stored");
    terminate(&world, &instance);
}

pub fn install() {
    let world = World::new();
    let instance = launch(&world, &world.parent());
    scan(&world, &instance, "Install").expect("the install");
    let states = world.wait(world.ssm.describe_instance_patch_states().instance_ids(&instance).send());
    let states = states.expect("DescribeInstancePatchStates");
    let state = &states.instance_patch_states()[0];
    assert_eq!((state.missing_count(), state.failed_count()), (0, 0));
    assert!(usize::try_from(state.installed_count()).is_ok_and(|count| count >= security_packages().len()));
    let version = send(&world, &instance, "AWS-RunShellScript", &[("commands", "amifix-web; amifix-tool")]);
    assert_eq!(version.standard_output_content(), Some("amifix-web 2.4.1-2+deb12u2\namifix-tool 0.9-1\n"));
    terminate(&world, &instance);
    world.assert_nothing_left();
}

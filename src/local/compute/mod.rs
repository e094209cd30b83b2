//! What runs: instances, image builds, commands and patch scans of the local environment.
//!
//! An instance is a sandbox on the layers of an AMI; an image build runs a recipe's component documents in one with the
//! runner, and keeps the upper layer as a new AMI. Every operation writes records to the store, so that other processes
//! on the same state see what this one does; what they ask of an instance or build of this process (to end it, to run a
//! command) they write into its record, and the supervisor of this process carries it out.
//!
//! | part | what it is for |
//! |---|---|
//! | `instance` | `RunInstances` and its relatives |
//! | `command` | `SendCommand` and its relatives |
//! | `patch` | AWS-RunPatchBaseline and what it found |
//! | `image` | Image Builder images and the build |
//! | `parent` | parent images of the local environment |
//! | `state`, `supervisor`, `recover` | what runs in this process, what others ask of it, what the dead have left |
//!
//! # Differences from AWS
//!
//! * An instance has the machine's kernel, network interfaces and ports: two instances cannot listen on the same port.
//!   There is no metadata service; `HttpTokens` is recorded only. `{{ aws:imds:… }}` of components finds the few values
//!   that an instance has here, and an error for the rest. [`Fact`](crate::sandbox::Fact)s tell what else is not real.
//! * Where the image has systemd and the machine permits it, that is process 1 of build and test instances, as on AWS:
//!   services are started, `systemctl` works, restarts are real. Else amiforge's own process 1 runs, and the log says why.
//! * Scripts of packages start no services, in no instance (`policy-rc.d`): ports are the machine's, and an installation
//!   must not fail because the machine uses one of them. What a component starts by itself is started.
//! * An instance that was switched off from inside is still shown as running; commands on it fail.
//! * An instance is managed by Systems Manager as soon as it runs; it needs no agent, profile or network path.
//! * `RunInstances` starts the instance before it answers, and answers `Unsupported` when it cannot be started.
//! * Instances cannot be stopped and started again, only terminated; they end with the process that runs them.
//! * `SendCommand` knows AWS-RunShellScript and AWS-RunPatchBaseline; override lists are not fetched.
//! * `CreateImage` runs the managed workflows; custom workflows, distribution configurations and containers are refused.
//!   As many builds work at once as there are processors (at least two); others wait as PENDING.
//! * `terminateInstanceOnFailure: false` is not honoured: the build instance always ends.
//! * As in the service, an AMI whose test phase failed stays; its image is FAILED and does not tell it.
//! * `outputs` of a component step hold the failed step with its line and last output lines besides awstoe's summary.
//!   `HOME` is not set for components. `{{ aws:ssm:… }}` and component ARNs are those of the local environment; objects of
//!   S3 come from AWS with the credentials of whoever runs the build.

mod ami;
mod command;
mod document;
mod filter;
mod image;
mod instance;
mod parent;
mod patch;
mod peer;
mod process;
mod recover;
mod state;
mod supervisor;

pub use parent::ParentSpec;
pub use state::Compute;

use super::wire::Operation;

/// The operations of `service` (`ec2`, `ssm`, `imagebuilder`) that this part implements.
pub fn operation(service: &str, name: &str) -> Option<Operation> {
    Some(match (service, name) {
        ("ec2", "RunInstances") => instance::run_instances,
        ("ec2", "DescribeInstances") => instance::describe_instances,
        ("ec2", "DescribeInstanceStatus") => instance::describe_instance_status,
        ("ec2", "TerminateInstances") => instance::terminate_instances,
        ("ssm", "DescribeInstanceInformation") => command::describe_instance_information,
        ("ssm", "SendCommand") => command::send_command,
        ("ssm", "GetCommandInvocation") => command::get_command_invocation,
        ("ssm", "ListCommandInvocations") => command::list_command_invocations,
        ("ssm", "DescribeInstancePatchStates") => patch::describe_instance_patch_states,
        ("ssm", "DescribeInstancePatches") => patch::describe_instance_patches,
        ("imagebuilder", "CreateImage") => image::create_image,
        ("imagebuilder", "GetImage") => image::get_image,
        ("imagebuilder", "ListImages") => image::list_images,
        ("imagebuilder", "ListImageBuildVersions") => image::list_image_build_versions,
        ("imagebuilder", "CancelImageCreation") => image::cancel_image_creation,
        ("imagebuilder", "DeleteImage") => image::delete_image,
        ("imagebuilder", "ListWorkflowExecutions") => image::list_workflow_executions,
        ("imagebuilder", "GetWorkflowExecution") => image::get_workflow_execution,
        ("imagebuilder", "ListWorkflowStepExecutions") => image::list_workflow_step_executions,
        ("imagebuilder", "GetWorkflowStepExecution") => image::get_workflow_step_execution,
        _ => return None,
    })
}

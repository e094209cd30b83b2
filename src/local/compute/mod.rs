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
//! | `inspector` | scans of AMIs on demand |
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
//! * Instances have no volumes, network interfaces, subnets and public addresses in answers.
//! * `RunInstances` starts the instance before it answers, and answers `Unsupported` when it cannot be started.
//!   Where builds follow scripts it starts nothing: the instance is a record that is pending for a moment and then running, and takes no
//!   commands. A fault rule `spoil` on `RunInstances` makes it end by itself instead, with `Client.InternalError`, which is how EC2 tells
//!   that the account may not use the key of the snapshots.
//! * Accounts and Regions are all on this machine: an instance in another one is a sandbox beside those of the home account.
//! * `GetConsoleOutput` has never anything to show.
//! * Instances cannot be stopped and started again, only terminated; they end with the process that runs them.
//! * `SendCommand` knows AWS-RunShellScript and AWS-RunPatchBaseline; override lists are not fetched.
//! * Custom workflows run step by step; the managed ones besides `build-image`, `test-image` and `distribute-image` are refused, and
//!   the last one is what is done without a distribution workflow, without an execution of its own. Steps whose action is not here
//!   (`RunSysPrep`, `RegisterImage`, `ExecuteStateMachine`, those for containers and scans) fail when their turn comes. `RunCommand`
//!   runs AWS-RunShellScript; `WaitForAction` sends no notifications. Test workflows of a `parallelGroup` run together, five at a
//!   time, and all of them end before a failure of one ends the image, which AWS's documentation leaves open. While a distribution
//!   workflow runs the image is DISTRIBUTING, never INTEGRATING. An instance that a workflow leaves running ends with it. Containers are refused. As many builds work at once as there are processors (at least two); others wait as PENDING.
//! * Images are not scanned for vulnerabilities: none has a `scanState`, and `ListImageScanFindings` has nothing to tell.
//! * Amazon Inspector has scans on demand and no others, and knows of vulnerabilities what the image's own package sources say:
//!   the CVEs of notices (`updateinfo.xml`) about versions that are newer than the installed ones. Sources without notices, such as
//!   those of Debian and Ubuntu, say nothing, so a scan of an image with them, or of one without files, fails with
//!   `UNSUPPORTED_OS`. Scores and paths are not known. It looks in an instance, which `DescribeInstances` shows, and which ends
//!   with the scan; a scan whose process died has failed with `INTERNAL_ERROR`. There are no events, and scans cost nothing.
//! * As in the service, an AMI whose test phase failed stays; its image is FAILED and does not tell it.
//! * `outputs` of a component step hold the failed step with its line and last output lines besides awstoe's summary.
//!   `HOME` is not set for components. `{{ aws:ssm:… }}` and component ARNs are those of the local environment; objects of
//!   S3 come from AWS with the credentials of whoever runs the build.

mod ami;
mod command;
mod document;
mod filter;
mod image;
mod inspector;
mod instance;
mod parent;
mod patch;
mod peer;
mod process;
mod recover;
mod state;
mod supervisor;

pub(super) use image::scripted::settle;
pub(super) use instance::{fleet, is_due, settle as settle_instances, spoil};
pub use parent::ParentSpec;
pub use state::Compute;

use super::wire::Operation;

/// The operations of EC2 that this part implements.
pub(super) const EC2: &[(&str, Operation)] = &[
    ("DescribeInstanceStatus", instance::describe_instance_status),
    ("DescribeInstances", instance::describe_instances),
    ("GetConsoleOutput", instance::get_console_output),
    ("RunInstances", instance::run_instances),
    ("TerminateInstances", instance::terminate_instances),
];

/// The operations of Image Builder that this part implements.
pub(super) const IMAGEBUILDER: &[(&str, Operation)] = &[
    ("CancelImageCreation", image::cancel_image_creation),
    ("CreateImage", image::create_image),
    ("DeleteImage", image::delete_image),
    ("GetImage", image::get_image),
    ("GetWorkflowExecution", image::get_workflow_execution),
    ("GetWorkflowStepExecution", image::get_workflow_step_execution),
    ("ListImageBuildVersions", image::list_image_build_versions),
    ("ListImagePipelineImages", image::list_image_pipeline_images),
    ("ListImageScanFindings", image::list_image_scan_findings),
    ("ListImages", image::list_images),
    ("ListWaitingWorkflowSteps", image::list_waiting_workflow_steps),
    ("ListWorkflowExecutions", image::list_workflow_executions),
    ("ListWorkflowStepExecutions", image::list_workflow_step_executions),
    ("SendWorkflowStepAction", image::send_workflow_step_action),
    ("StartImagePipelineExecution", image::start_image_pipeline_execution),
];

/// The operations of Amazon Inspector that this part implements.
pub(super) const INSPECTOR: &[(&str, Operation)] = &[
    ("GetOnDemandScanStatus", inspector::status),
    ("ListOnDemandScans", inspector::list),
    ("StartOnDemandScan", inspector::start),
];

/// The operations of Systems Manager that this part implements.
pub(super) const SSM: &[(&str, Operation)] = &[
    ("DescribeInstanceInformation", command::describe_instance_information),
    ("DescribeInstancePatchStates", patch::describe_instance_patch_states),
    ("DescribeInstancePatches", patch::describe_instance_patches),
    ("GetCommandInvocation", command::get_command_invocation),
    ("ListCommandInvocations", command::list_command_invocations),
    ("SendCommand", command::send_command),
];

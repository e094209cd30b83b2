//! The running half of the local environment, for real: builds, tests, scans and terminates on a fixture root, through the
//! SDK's clients.
//!
//! Without the standard harness, because instances are this very program executed again: `main` must be able to become
//! an instance's init before anything else happens.

#![allow(clippy::print_stdout, reason = "a test program")]
#![allow(clippy::result_large_err, reason = "the SDK's errors are of that size")]
#![allow(clippy::redundant_closure_for_method_calls, reason = "the SDK's paths are longer than the closures")]

#[path = "local_compute/build.rs"]
mod build;
#[path = "local_compute/fixture.rs"]
mod fixture;
#[path = "local_compute/instances.rs"]
mod instances;
#[path = "local_compute/killed.rs"]
mod killed;
#[path = "local_compute/lagging.rs"]
mod lagging;
#[path = "local_compute/rpm.rs"]
mod rpm;
#[path = "local_compute/services.rs"]
mod services;
#[path = "support/mod.rs"]
mod support;
#[path = "local_compute/trials.rs"]
mod trials;
#[path = "local_compute/world.rs"]
mod world;

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(code) = amiforge::sandbox::init::main(amiforge::runner::serve) {
        return ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX));
    }
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [hold, state, fixture] = arguments.as_slice()
        && hold == killed::HOLD
    {
        killed::hold(state, fixture);
    }
    let code = trials::run(&[
        ("parent_is_made_once", build::parent_is_made_once),
        ("parent_of_an_image_stays_in_the_cache", build::parent_of_an_image_stays_in_the_cache),
        ("unpatched_parent_has_missing_packages_and_the_candidate_none", build::whole_way),
        ("failing_component_fails_the_image_with_its_step", build::failing_component),
        ("failing_test_fails_the_image", build::failing_test),
        ("reboots_resume_and_are_bounded", build::reboots),
        ("services_of_an_image_with_systemd_are_real", services::real),
        ("cancelled_build_leaves_nothing", build::cancel),
        ("shutdown_cancels_builds", build::shutdown),
        ("killed_process_is_recovered", killed::recover),
        ("run_instances_checks_its_request", instances::run_instances),
        ("commands_end_with_their_status", instances::commands),
        ("terminated_instance_ends_its_command", instances::terminate_under_a_command),
        ("another_process_can_end_an_instance", instances::other_process),
        ("scan_fails_when_an_index_cannot_be_fetched", instances::unreachable_source),
        ("install_patches_what_is_missing", instances::install),
        ("images_are_validated_while_ec2_is_behind", lagging::validated),
        ("dnf_system_is_scanned_and_patched", rpm::scanned_and_installed),
        ("dnf_system_is_scanned_on_demand", rpm::scanned_on_demand),
    ]);
    fixture::remove();
    code
}

//! Cleaning the build instance before the image is made of it.

use crate::local::compute::command::{Capture, Outcome, run_job};
use crate::local::compute::state::Live;
use crate::sandbox::{self, Job};
use std::time::Duration;

/// Our reading of what the service's own script removes.
const SCRIPT: &str = include_str!("sanitize.sh");

/// Runs the script in the instance.
pub(super) fn sanitize(
    live: &Live,
    working_directory: &str,
    timeout: Duration,
    out: &mut Capture,
    err: &mut Capture,
) -> Outcome {
    let mut environment = sandbox::environment();
    environment.insert("WORKING_DIRECTORY".to_owned(), working_directory.to_owned());
    let job = Job::Command {
        argv: vec!["/bin/sh".to_owned(), "-e".to_owned(), "-c".to_owned(), SCRIPT.to_owned()],
        environment,
        directory: "/".to_owned(),
        stdin: Vec::new(),
        timeout: Some(timeout),
    };
    run_job(live, &job, out, err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_marker_of_the_service_is_honoured() {
        for marker in
            ["cloudinit_files", "instance_files", "ssh_files", "instance_log_files", "toe_files", "ssm_log_files"]
        {
            assert!(SCRIPT.contains(&format!("keep skip_cleanup_{marker};")), "{marker}");
        }
    }
}

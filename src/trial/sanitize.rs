//! Cleaning the build instance before an image is made of it: the one reading of what the service's own script removes, for
//! `amiforge test` and for the local environment.

use crate::sandbox::{self, Job};
use std::time::Duration;

/// Our reading of what the service's own script removes.
const SCRIPT: &str = include_str!("sanitize.sh");

/// The job that cleans an instance whose components worked in `working_directory`.
#[must_use]
pub fn job(working_directory: &str, timeout: Duration) -> Job {
    let mut environment = sandbox::environment();
    environment.insert("WORKING_DIRECTORY".to_owned(), working_directory.to_owned());
    Job::Command {
        argv: vec!["/bin/sh".to_owned(), "-e".to_owned(), "-c".to_owned(), SCRIPT.to_owned()],
        environment,
        directory: "/".to_owned(),
        stdin: Vec::new(),
        timeout: Some(timeout),
    }
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

//! Cleaning the build instance before the image is made of it.

use crate::local::compute::command::{Capture, Outcome, run_job};
use crate::local::compute::state::Live;
use crate::trial::sanitize;
use std::time::Duration;

/// Runs the script in the instance.
pub(super) fn sanitize(
    live: &Live,
    working_directory: &str,
    timeout: Duration,
    out: &mut Capture,
    err: &mut Capture,
) -> Outcome {
    run_job(live, &sanitize::job(working_directory, timeout), out, err)
}

//! Executes a component document on the machine it is on (our awstoe).
//!
//! Knows nothing of AWS or of the local environment. Runs synchronously, on `std` alone: inside a sandbox it runs in
//! a forked child of the instance's init (see `sandbox`), where no C library of the image is loaded. So there are no
//! threads, no name services (users and groups are read from the image's own files) and no locale.
//!
//! [`run`] must have its process to itself: it makes the process the one that orphans are handed to, and when a step runs
//! out of time it kills every process that was started since the step began.
//!
//! What is told ([`RunEvent`]) is bounded and harmless whatever a step does: secrets are replaced by `***`, characters that
//! act on a terminal are spelled out, of a step's output the first 16 MiB are told and of every line 64 KiB; of a failure the
//! last 20 lines. Nothing at all of its output, inputs and outputs is told where `disableLogging` says so. Values that are
//! chained from step to step stay as they are.
//!
//! A program of a step that cannot find out what it was to find out (a test of the kernel where the kernel is not that of the
//! image) says so in a line of its own on standard output, `amiforge: skipped: REASON`, and ends with exit code 0. The last
//! such line counts, and the step is told and counted as [`StepStatus::Skipped`].
//!
//! Rules of the language are those of reference/component-documents.md sections 2 to 9; where a source leaves room,
//! the reading is written beside the code.

mod actions;
mod capture;
pub mod channel;
mod clean;
mod conditions;
mod execution;
mod hex;
pub mod host;
mod model;
pub mod output;
pub mod outside;
mod process;
mod secrets;
mod serve;
mod state;
pub mod table;
mod values;
mod visible;

pub use execution::run;
pub use model::{
    Context, DocumentRequest, LoopResult, PhaseStatus, Request, RunEvent, RunStatus, StepFailure, StepPlace,
    StepStatus, Stream, Summary,
};
pub(crate) use secrets::{REDACTED, Secrets};
pub use serve::{serve, serve_between};

#[cfg(test)]
mod tests;

//! Executes a component document on the machine it is on (our awstoe).
//!
//! Knows nothing of AWS or of the local environment. Runs synchronously, on `std` alone: inside a sandbox it runs in
//! a forked child of the instance's init (see `sandbox`), where no C library of the image is loaded. So there are no
//! threads, no name services (users and groups are read from the image's own files) and no locale.
//!
//! [`run`] must have its process to itself: it makes the process the one that orphans are handed to, and when a step runs
//! out of time it kills every process that was started since the step began.
//!
//! Rules of the language are those of reference/component-documents.md sections 2 to 6 and 9; where a source leaves room,
//! the reading is written beside the code.

mod actions;
mod capture;
pub mod channel;
mod clean;
mod execution;
pub mod host;
mod model;
pub mod output;
pub mod outside;
mod process;
mod serve;
mod state;
pub mod table;
mod values;

pub use execution::run;
pub use model::{
    DocumentRequest, LoopResult, PhaseStatus, Request, RunEvent, RunStatus, StepFailure, StepPlace, StepStatus, Stream,
    Summary,
};
pub use serve::{serve, serve_between};

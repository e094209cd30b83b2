//! The files that a run leaves, as awstoe leaves them (reference/component-documents.md section 11), and `JUnit`.
//!
//! A [`Recorder`] takes the events of a run as they come and writes; a run that is killed leaves what had happened.

mod chaining;
mod console;
mod detail;
mod junit;
mod recorder;

pub use console::Said;
pub use junit::{JunitReport, Machine};
pub use recorder::{Recorder, folder_name};

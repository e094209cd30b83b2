//! The runner as a program: a request in, events out, an exit code.

use super::channel::Remote;
use super::model::{Request, RunEvent, RunStatus, Summary};
use std::cell::RefCell;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsFd as _;

/// Exit codes of [`serve`]. 194 asks who started it to restart the machine and send the same request again, as awstoe does.
mod code {
    pub const SUCCESS: i32 = 0;
    pub const FAILED: i32 = 1;
    pub const UNREADABLE: i32 = 2;
    pub const REBOOT: i32 = 194;
}

/// Executes the [`Request`] in `payload` (JSON) and writes each [`RunEvent`] to `out` as one line of JSON, flushed at once.
/// What only the world beyond the machine has, it asks for with lines between them, and reads the answers from the standard
/// input (see [`channel`](super::channel)).
///
/// Returns 0 on success, 194 if the machine must be restarted and the same request sent again, 2 if the request cannot be
/// read, and 1 otherwise, also when `out` no longer takes what happens.
pub fn serve(payload: &[u8], out: &mut dyn Write) -> i32 {
    // The descriptor itself: what the library's own buffer would have read ahead is lost to nobody this way.
    match std::io::stdin().as_fd().try_clone_to_owned() {
        Ok(input) => serve_between(payload, &mut BufReader::new(File::from(input)), out),
        // Without a standard input there is nobody who could answer.
        Err(_) => serve_between(payload, &mut std::io::empty(), out),
    }
}

/// As [`serve`], with the answers from `answers`.
pub fn serve_between(payload: &[u8], answers: &mut dyn BufRead, out: &mut dyn Write) -> i32 {
    let request: Request = match serde_json::from_slice(payload) {
        Ok(request) => request,
        Err(error) => {
            let summary = Summary::refused("", format!("The request cannot be read: {error}"));
            // There is nobody left to tell if this fails; the exit code says it as well.
            let _ = write(out, &RunEvent::Finished { summary });
            return code::UNREADABLE;
        }
    };
    let mut heard = true;
    let out = RefCell::new(out);
    let mut outside = Remote::new(&out, answers);
    let summary = super::run(&request, &mut outside, &mut |event| {
        heard = heard && write(&mut **out.borrow_mut(), &event).is_ok();
    });
    match summary.status {
        _ if !heard => code::FAILED,
        RunStatus::Success => code::SUCCESS,
        RunStatus::RebootRequired => code::REBOOT,
        RunStatus::Failed | RunStatus::TimedOut => code::FAILED,
    }
}

fn write(out: &mut dyn Write, event: &RunEvent) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    out.write_all(&line)?;
    out.flush()
}

impl Summary {
    /// The summary of an execution that was refused before anything ran.
    pub(super) fn refused(execution_id: &str, message: String) -> Self {
        Self {
            execution_id: execution_id.to_owned(),
            status: RunStatus::Failed,
            failed_step_count: 0,
            executed_step_count: 0,
            ignored_failed_step_count: 0,
            skipped_step_count: 0,
            failure_message: message,
            failure: None,
        }
    }
}

//! One request of the runner in an instance, through restarts, to a summary.

use crate::runner::{Request, RunEvent, RunStatus, Summary};
use crate::sandbox::{Exit, Instance, Job, Line, SandboxError};
use std::time::{Duration, Instant};

/// Restarts that the documents of one request may ask for; the local environment allows as many.
const MOST_RESTARTS: u32 = 20;

/// Why there is no summary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum DriveError {
    /// The time was up; everything that ran was killed.
    #[error("it did not end within {seconds} seconds")]
    TimedOut {
        /// The limit.
        seconds: u64,
    },
    /// The instance was killed, or ended by itself.
    #[error("the instance ended by itself")]
    Gone,
    /// Anything else, as a sentence.
    #[error("{0}")]
    Broken(String),
}

/// What is told while a request is carried out.
pub(super) enum Told<'a> {
    /// The runner said so.
    Event(&'a RunEvent),
    /// The instance is being restarted.
    Restarting,
}

/// Runs a request until it needs no more restart. `limit` is for all of it, restarts included.
pub(super) fn drive(
    instance: &Instance,
    request: &Request,
    limit: Option<Duration>,
    on_event: &mut dyn FnMut(Told<'_>),
) -> Result<Summary, DriveError> {
    let payload = serde_json::to_vec(request)
        .map_err(|error| DriveError::Broken(format!("the request for the runner cannot be written: {error}")))?;
    let begun = Instant::now();
    for restarts in 0..=MOST_RESTARTS {
        let timeout = limit.map(|limit| limit.saturating_sub(begun.elapsed()));
        let job = Job::Builtin { payload: payload.clone(), timeout };
        let summary = attempt(instance, &job, limit, on_event)?;
        if summary.status != RunStatus::RebootRequired {
            return Ok(summary);
        }
        if restarts < MOST_RESTARTS {
            on_event(Told::Restarting);
            instance.reboot().map_err(|error| match error {
                SandboxError::Gone => DriveError::Gone,
                error => DriveError::Broken(format!("the instance did not come back from its restart: {error}")),
            })?;
        }
    }
    Err(DriveError::Broken(format!(
        "the documents asked for more than {MOST_RESTARTS} restarts; a step that exits with 194 must be able to tell that \
         it ran before"
    )))
}

fn attempt(
    instance: &Instance,
    job: &Job,
    limit: Option<Duration>,
    on_event: &mut dyn FnMut(Told<'_>),
) -> Result<Summary, DriveError> {
    let (mut summary, mut stray) = (None, None);
    let exit = instance.run(job, &mut |line| match line {
        Line::Out(line) => match serde_json::from_str::<RunEvent>(&line) {
            Ok(RunEvent::Finished { summary: result }) => summary = Some(result),
            Ok(event) => on_event(Told::Event(&event)),
            Err(_) => stray = Some(line),
        },
        Line::Err(line) => stray = Some(line),
    });
    match exit {
        Ok(Exit::TimedOut) => Err(DriveError::TimedOut { seconds: limit.unwrap_or_default().as_secs() }),
        Ok(exit) => summary.ok_or_else(|| {
            let last = stray.map(|line| format!("; its last line was: {line}")).unwrap_or_default();
            DriveError::Broken(format!("the runner ended without a result ({exit:?}){last}"))
        }),
        Err(SandboxError::Gone) => Err(DriveError::Gone),
        Err(error) => Err(DriveError::Broken(format!("the runner could not be started: {error}"))),
    }
}

//! Component documents in an instance, through restarts, to a result.
//!
//! The runner knows no sandbox and the sandbox no runner; this is where they meet. What happens is told as it happens, what
//! the runner asks is answered, a restart it wants is made, and the end is a [`Summary`] or exactly why there is none.

use crate::runner::channel::{self, Question};
use crate::runner::outside::{Outside, OutsideError};
use crate::runner::{Request, RunEvent, RunStatus, Summary};
use crate::sandbox::{Exit, Instance, Job, Line, SandboxError, Vm};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// Restarts that one request may ask for; the runner itself gives up on a step that asks more than 15 times.
const MOST_RESTARTS: u32 = 20;

/// Where documents are run: an instance, or what holds one.
pub trait Place {
    /// As [`Instance::run_answering`].
    fn run_answering(&self, job: &Job, on_line: &mut dyn FnMut(Line) -> Option<Vec<u8>>) -> Result<Exit, SandboxError>;

    /// As [`Instance::reboot`].
    fn reboot(&self) -> Result<(), SandboxError>;
}

impl Place for Vm {
    fn run_answering(&self, job: &Job, on_line: &mut dyn FnMut(Line) -> Option<Vec<u8>>) -> Result<Exit, SandboxError> {
        Vm::run_answering(self, job, on_line)
    }

    fn reboot(&self) -> Result<(), SandboxError> {
        Vm::reboot(self)
    }
}

impl Place for Instance {
    fn run_answering(&self, job: &Job, on_line: &mut dyn FnMut(Line) -> Option<Vec<u8>>) -> Result<Exit, SandboxError> {
        Instance::run_answering(self, job, on_line)
    }

    fn reboot(&self) -> Result<(), SandboxError> {
        Instance::reboot(self)
    }
}

/// What is told while a request is carried out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Told<'a> {
    /// An event of the runner. [`RunEvent::Finished`] comes once for each start of the instance.
    Event(&'a RunEvent),
    /// A line that is none: the runner's own standard error, or what a stranger has written into its output.
    Stray(&'a str),
    /// The instance is restarted now.
    Restarting,
    /// It is there again.
    Restarted,
}

/// Why a request did not come to a result.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// It has no JSON form; a defect of this program.
    #[error("the request for the component runner cannot be written: {0}")]
    Request(serde_json::Error),
    /// The time for all of it was up; what still ran was killed.
    #[error("the components did not end within {seconds} seconds")]
    TimedOut {
        /// The limit.
        seconds: u64,
    },
    /// The instance was stopped or killed.
    #[error("the instance was terminated while the components ran")]
    Gone,
    /// It restarted, and no step had asked for that in the way that lets the run go on.
    #[error(
        "the instance restarted while the components ran; a step that wants a restart exits with 194 or uses the action \
         Reboot, so that the run can go on after it"
    )]
    Restarted,
    /// It was switched off from inside.
    #[error("the instance was switched off from inside while the components ran")]
    SwitchedOff,
    /// It broke down.
    #[error("the machine broke down while the components ran: {0}")]
    Crashed(SandboxError),
    /// The runner could not be started.
    #[error("the component runner could not be started: {0}")]
    NotStarted(SandboxError),
    /// The runner ended and did not say how.
    #[error("the component runner ended without a result ({exit:?}){}", last.as_ref().map(|line| format!("; its last line was: {line}")).unwrap_or_default())]
    NoResult {
        /// How its process ended.
        exit: Exit,
        /// The last line that was no event.
        last: Option<String>,
    },
    /// The instance did not survive a restart.
    #[error("the instance did not come back from its restart: {0}")]
    NotBack(SandboxError),
    /// There was no end to it.
    #[error(
        "the components asked for more than {0} restarts; a step that exits with 194 must be able to tell that it ran before"
    )]
    TooManyRestarts(u32),
}

/// Carries out `request` in `place` within `timeout` (no limit without), restarts included. What the runner asks, `outside`
/// answers, on a thread of its own.
///
/// # Errors
/// Only when there is no result. A step that fails is a result.
pub fn drive(
    place: &dyn Place,
    request: &Request,
    outside: &mut (dyn Outside + Send),
    timeout: Option<Duration>,
    tell: &mut dyn FnMut(Told<'_>),
) -> Result<Summary, DriveError> {
    let payload = serde_json::to_vec(request).map_err(DriveError::Request)?;
    std::thread::scope(|scope| {
        let (asking, questions) = channel::<Question>();
        let (answering, answers) = channel();
        scope.spawn(move || {
            let reply = &mut |answer| {
                // Nobody waits for it any more when the instance has ended in the meantime.
                let _ = answering.send(answer);
            };
            channel::answer_all(outside, &mut || questions.recv().ok(), reply);
        });
        // The thread ends with `asking`.
        Drive { place, payload, timeout, asking, answers, tell }.drive_on()
    })
}

struct Drive<'a, 't> {
    place: &'a dyn Place,
    payload: Vec<u8>,
    timeout: Option<Duration>,
    asking: Sender<Question>,
    answers: Receiver<Vec<u8>>,
    tell: &'a mut (dyn FnMut(Told<'_>) + 't),
}

impl Drive<'_, '_> {
    fn drive_on(mut self) -> Result<Summary, DriveError> {
        let deadline = self.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        for restarts in 0..=MOST_RESTARTS {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let (summary, has_restarted) = self.once(left)?;
            match summary.status {
                RunStatus::RebootRequired => {}
                // UNCONFIRMED: it "may fail" there (component-documents.md section 5). Here it does always, or whether a
                // run passes would depend on whether its last step ends before the machine does.
                RunStatus::Success if has_restarted => return Err(DriveError::Restarted),
                _ => return Ok(summary),
            }
            if restarts < MOST_RESTARTS {
                (self.tell)(Told::Restarting);
                if !has_restarted {
                    self.place.reboot().map_err(DriveError::NotBack)?;
                }
                (self.tell)(Told::Restarted);
            }
        }
        Err(DriveError::TooManyRestarts(MOST_RESTARTS))
    }

    /// One start of the runner: what it says in the end, and whether the machine has restarted by then. The step that wanted
    /// it may have asked for it in both ways, with 194 and by a command.
    fn once(&mut self, left: Option<Duration>) -> Result<(Summary, bool), DriveError> {
        let job = Job::Builtin { payload: self.payload.clone(), timeout: left };
        let (mut summary, mut last) = (None, None);
        let place = self.place;
        let exit = place.run_answering(&job, &mut |line| self.line(line, &mut summary, &mut last));
        match exit {
            Ok(Exit::TimedOut) => Err(DriveError::TimedOut { seconds: self.timeout.unwrap_or_default().as_secs() }),
            Ok(Exit::Restarted) => summary.map(|summary| (summary, true)).ok_or(DriveError::Restarted),
            Ok(exit) => summary.map(|summary| (summary, false)).ok_or(DriveError::NoResult { exit, last }),
            Err(SandboxError::Gone) => Err(DriveError::Gone),
            Err(SandboxError::SwitchedOff) => Err(DriveError::SwitchedOff),
            Err(error @ SandboxError::Crashed { .. }) => Err(DriveError::Crashed(error)),
            Err(error) => Err(DriveError::NotStarted(error)),
        }
    }

    fn line(&mut self, line: Line, summary: &mut Option<Summary>, last: &mut Option<String>) -> Option<Vec<u8>> {
        let line = match line {
            Line::Out(line) => line,
            Line::Err(line) => {
                (self.tell)(Told::Stray(&line));
                *last = Some(line);
                return None;
            }
        };
        if let Some(question) = Question::on(&line) {
            return Some(question.and_then(|question| self.answer(question)).unwrap_or_else(channel::refusal));
        }
        let Ok(event) = serde_json::from_str::<RunEvent>(&line) else {
            (self.tell)(Told::Stray(&line));
            *last = Some(line);
            return None;
        };
        (self.tell)(Told::Event(&event));
        if let RunEvent::Finished { summary: result } = event {
            *summary = Some(result);
        }
        None
    }

    fn answer(&self, question: Question) -> Result<Vec<u8>, OutsideError> {
        let lost = || OutsideError("whoever answers the runner's questions has failed".to_owned());
        self.asking.send(question).map_err(|_| lost())?;
        self.answers.recv().map_err(|_| lost())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::outside::Nowhere;
    use std::cell::RefCell;
    use std::collections::{BTreeMap, VecDeque};

    /// The lines of a run, and how it ends.
    type Run = (Vec<Line>, Result<Exit, SandboxError>);

    /// A place whose runs are written down.
    #[derive(Default)]
    struct Script {
        runs: RefCell<VecDeque<Run>>,
        answers: RefCell<Vec<String>>,
        broken: bool,
    }

    impl Place for Script {
        fn run_answering(
            &self,
            _: &Job,
            on_line: &mut dyn FnMut(Line) -> Option<Vec<u8>>,
        ) -> Result<Exit, SandboxError> {
            let (lines, exit) = self.runs.borrow_mut().pop_front().unwrap();
            for line in lines {
                if let Some(answer) = on_line(line) {
                    self.answers.borrow_mut().push(String::from_utf8(answer).unwrap());
                }
            }
            exit
        }

        fn reboot(&self) -> Result<(), SandboxError> {
            if self.broken { Err(SandboxError::Gone) } else { Ok(()) }
        }
    }

    fn finished(status: &str) -> Line {
        Line::Out(format!(
            r#"{{"type":"finished","summary":{{"executionId":"e","status":"{status}","failedStepCount":0,"executedStepCount":1,"ignoredFailedStepCount":0,"skippedStepCount":0,"failureMessage":"","failure":null}}}}"#
        ))
    }

    fn script(runs: Vec<Run>) -> Script {
        Script { runs: RefCell::new(runs.into()), ..Script::default() }
    }

    fn run(script: &Script) -> (Result<Summary, DriveError>, Vec<String>) {
        let request = Request {
            execution_id: "e".into(),
            documents: Vec::new(),
            phases: Vec::new(),
            state_directory: "/s".into(),
            working_directory: "/".into(),
            environment: BTreeMap::new(),
            ..Request::default()
        };
        let mut told = Vec::new();
        let result = drive(script, &request, &mut Nowhere, Some(Duration::from_mins(1)), &mut |what| {
            told.push(match what {
                Told::Event(event) => serde_json::to_value(event).unwrap()["type"].as_str().unwrap().to_owned(),
                Told::Stray(line) => line.to_owned(),
                Told::Restarting => "restarting".to_owned(),
                Told::Restarted => "restarted".to_owned(),
            });
        });
        (result, told)
    }

    #[test]
    fn a_restart_is_made_and_the_same_request_goes_on() {
        let script = script(vec![
            (vec![finished("rebootRequired")], Ok(Exit::Code(194))),
            (vec![finished("success")], Ok(Exit::Code(0))),
        ]);
        let (result, told) = run(&script);
        assert_eq!(result.unwrap().status, RunStatus::Success);
        assert_eq!(told, ["finished", "restarting", "restarted", "finished"]);
    }

    #[test]
    fn a_restart_that_was_made_already_is_not_made_again() {
        let mut script = script(vec![
            (vec![finished("rebootRequired")], Ok(Exit::Restarted)),
            (vec![finished("success")], Ok(Exit::Code(0))),
        ]);
        script.broken = true; // Another one would fail.
        let (result, told) = run(&script);
        assert_eq!(result.unwrap().status, RunStatus::Success);
        assert_eq!(told, ["finished", "restarting", "restarted", "finished"]);
    }

    #[test]
    fn a_restart_that_no_step_asked_for_is_a_failure_whenever_it_comes() {
        for lines in [vec![], vec![finished("success")]] {
            let result = run(&script(vec![(lines, Ok(Exit::Restarted))])).0;
            assert!(matches!(result, Err(DriveError::Restarted)), "{result:?}");
        }
        // What has failed before says more.
        let failed = run(&script(vec![(vec![finished("failed")], Ok(Exit::Restarted))])).0.unwrap();
        assert_eq!(failed.status, RunStatus::Failed);
    }

    #[test]
    fn what_did_not_come_to_a_result_says_why() {
        let stray = || Line::Err("thread panicked".to_owned());
        for (lines, exit, expected) in [
            (vec![], Ok(Exit::TimedOut), "the components did not end within 60 seconds"),
            (vec![finished("success")], Ok(Exit::TimedOut), "did not end within"),
            (vec![stray()], Ok(Exit::Code(101)), "(Code(101)); its last line was: thread panicked"),
            (vec![], Ok(Exit::Signal(9)), "ended without a result (Signal(9))"),
            (
                vec![],
                Err(SandboxError::SwitchedOff),
                "the instance was switched off from inside while the components ran",
            ),
            (
                vec![],
                Err(SandboxError::Crashed { why: "Kernel panic".into(), console: vec!["RIP: 0010".into()] }),
                "broke down while the components ran: Kernel panic\n  | RIP: 0010",
            ),
            (vec![], Err(SandboxError::Gone), "the instance was terminated while the components ran"),
            (vec![], Err(SandboxError::Spec("x".into())), "could not be started: "),
        ] {
            let error = run(&script(vec![(lines, exit)])).0.unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
        let mut script = script(vec![(vec![finished("rebootRequired")], Ok(Exit::Code(194)))]);
        script.broken = true;
        assert!(matches!(run(&script).0, Err(DriveError::NotBack(_))));
    }

    #[test]
    fn restarts_come_to_an_end() {
        let again = || (vec![finished("rebootRequired")], Ok(Exit::Code(194)));
        let (result, told) = run(&script((0..=MOST_RESTARTS).map(|_| again()).collect()));
        assert!(matches!(result, Err(DriveError::TooManyRestarts(20))), "{result:?}");
        assert_eq!(told.iter().filter(|what| *what == "restarting").count(), 20);
    }

    #[test]
    fn questions_are_answered_and_never_left_open() {
        let ask = |text: &str| Line::Out(text.to_owned());
        let script = script(vec![(
            vec![
                ask(r#"{"type":"ask","kind":"metadata","path":"x"}"#),
                ask(r#"{"type":"ask","kind":"future"}"#),
                ask("noise"),
                finished("success"),
            ],
            Ok(Exit::Code(0)),
        )]);
        let (result, told) = run(&script);
        assert!(result.is_ok());
        let answers = script.answers.borrow();
        assert_eq!(answers.len(), 2);
        assert!(answers[0].contains("no connection to AWS") && answers[1].contains("is not understood"), "{answers:?}");
        assert_eq!(told, ["noise", "finished"]);
    }
}

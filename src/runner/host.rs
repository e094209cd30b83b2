//! Documents on this very machine, as awstoe runs them.
//!
//! [`run`](super::run) needs a process to itself, and one that may be killed with all it has started. So this program executes
//! itself again; the copy runs the request and speaks to us over the [`channel`].

use super::channel::{self, Question};
use super::clean::{self, Before};
use super::model::{Request, RunEvent, Summary};
use super::outside::Outside;
use super::process::pause;
use super::serve::serve_between;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getppid};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Argument by which a copy of this program knows that it is a runner. Private: no user ever types it.
const ARGUMENT: &str = "__amiforge-runner";

/// Before the number of the parent.
const PARENT: &str = "--parent=";

/// Where commands are looked for. Not the caller's `PATH`: what runs here must run the same way on an instance.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Variables of the caller that commands get: how the network is reached, and what Image Builder says about the build.
const PASSED_ON: [&str; 4] = ["http_proxy", "https_proxy", "all_proxy", "no_proxy"];

/// Why a run on this machine did not come to a result.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The request has no JSON form; a defect of this program.
    #[error("the request for the component runner cannot be written: {0}")]
    Request(serde_json::Error),
    /// The copy of this program could not be started or spoken to.
    #[error("the component runner could not be started: {0}")]
    Start(io::Error),
    /// It was ended on request.
    #[error("the run was interrupted; everything it had started was killed")]
    Interrupted,
    /// It was ended on request, but not all of it: processes in an uninterruptible system call cannot be killed.
    #[error("the run was interrupted; {0} of the processes it had started could not be killed")]
    Survivors(usize),
    /// It ended and did not say how.
    #[error("the component runner ended without a result ({0})")]
    NoResult(ExitStatus),
}

/// Ends a run from another thread.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    stopped: bool,
    survivors: usize,
    /// The copy, while it is not waited for, and what there was before it.
    running: Option<(u32, Before)>,
}

impl Stop {
    /// Kills the run and everything it has started; one that has not begun yet will not.
    pub fn now(&self) {
        let mut state = self.state();
        state.stopped = true;
        if let Some((pid, before)) = &state.running {
            state.survivors = clean::kill_all(*pid, before);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The environment of commands on this machine: a fixed `PATH` and no `HOME` (component-documents.md section 12), a locale
/// that every machine has, and what is passed on of the caller's own (proxies, `IMAGE_*`).
pub fn environment(caller: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, String> {
    let passed = |name: &str| name.starts_with("IMAGE_") || PASSED_ON.contains(&name.to_ascii_lowercase().as_str());
    let fixed = [("PATH", PATH), ("LC_ALL", "C.UTF-8")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    caller.into_iter().filter(|(name, _)| passed(name)).chain(fixed).collect()
}

/// To be called first thing in `main`: when this process is the runner of another it does that work and returns the exit code
/// to end with; in every other process it returns `None` at once.
pub fn main() -> Option<i32> {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next()? != ARGUMENT {
        return None;
    }
    let parent = arguments.next().and_then(|text| text.to_str()?.strip_prefix(PARENT)?.parse().ok()).map(Pid::from_raw);
    Some(be_runner(parent).unwrap_or(2))
}

fn be_runner(parent: Option<Pid>) -> io::Result<i32> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    if parent != Some(getppid()) {
        return Err(io::Error::other("the program that started this has ended"));
    }
    let mut input = BufReader::new(File::from(io::stdin().as_fd().try_clone_to_owned()?));
    let mut out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let mut payload = Vec::new();
    input.read_until(b'\n', &mut payload)?;
    Ok(serve_between(&payload, &mut input, &mut out))
}

/// Carries out a request on this machine and tells what happens. What the runner asks, `outside` answers. A restart is for
/// the caller to arrange: the summary then says [`RebootRequired`](super::RunStatus::RebootRequired), and the same request goes
/// on after it.
///
/// From now on this process is the one that orphans below it are handed to.
///
/// # Errors
/// Only when there is no result. A step that fails is a result.
pub fn run(
    request: &Request,
    outside: &mut dyn Outside,
    stop: &Stop,
    tell: &mut dyn FnMut(&RunEvent),
) -> Result<Summary, HostError> {
    let mut payload = serde_json::to_vec(request).map_err(HostError::Request)?;
    payload.push(b'\n');
    clean::adopt_orphans().map_err(|errno| HostError::Start(errno.into()))?;
    let mut child = start(stop)?;
    let summary = converse(&mut child, &payload, outside, tell);
    let status = wait(&mut child, stop);
    let state = stop.state();
    match (state.stopped, state.survivors, summary) {
        (true, 0, _) => Err(HostError::Interrupted),
        (true, survivors, _) => Err(HostError::Survivors(survivors)),
        (false, _, Some(summary)) => Ok(summary),
        (false, _, None) => Err(HostError::NoResult(status.map_err(HostError::Start)?)),
    }
}

fn start(stop: &Stop) -> Result<Child, HostError> {
    let mut state = stop.state();
    if state.stopped {
        return Err(HostError::Interrupted);
    }
    let before = Before::now();
    let child = Command::new("/proc/self/exe")
        .arg0(ARGUMENT)
        .args([ARGUMENT, &format!("{PARENT}{}", std::process::id())])
        .env_clear()
        .env("PATH", PATH)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        // Ctrl-C is for us: whoever is in the middle of a step must not be cut off without a word.
        .process_group(0)
        .spawn()
        .map_err(HostError::Start)?;
    state.running = Some((child.id(), before));
    Ok(child)
}

/// Sends the request, hears events and answers questions until the runner has nothing more to say.
fn converse(
    child: &mut Child,
    payload: &[u8],
    outside: &mut dyn Outside,
    tell: &mut dyn FnMut(&RunEvent),
) -> Option<Summary> {
    let (mut input, output) = (child.stdin.take()?, child.stdout.take()?);
    // One that does not take it has ended; its exit status says why.
    input.write_all(payload).ok()?;
    let input = RefCell::new(input);
    let reply = |answer: Vec<u8>| {
        let _ = input.borrow_mut().write_all(&answer);
    };
    let mut lines = BufReader::new(output);
    let mut summary = None;
    let mut ask = || {
        loop {
            let line = next_line(&mut lines)?;
            match Question::on(&line) {
                Some(Ok(question)) => return Some(question),
                Some(Err(error)) => reply(channel::refusal(error)),
                None => {
                    if let Ok(event) = serde_json::from_str::<RunEvent>(&line) {
                        tell(&event);
                        if let RunEvent::Finished { summary: result } = event {
                            summary = Some(result);
                        }
                    }
                }
            }
        }
    };
    channel::answer_all(outside, &mut ask, &mut |answer| reply(answer));
    summary
}

fn next_line(lines: &mut dyn BufRead) -> Option<String> {
    let mut line = Vec::new();
    let length = lines.read_until(b'\n', &mut line).ok()?;
    (length > 0).then(|| String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(&line)).into_owned())
}

/// Waits for the end of the copy; its number stays its own for as long as [`Stop`] may aim at it.
fn wait(child: &mut Child, stop: &Stop) -> io::Result<ExitStatus> {
    loop {
        let mut state = stop.state();
        match child.try_wait() {
            Ok(None) => {}
            ended => {
                state.running = None;
                return ended.map(Option::unwrap_or_default);
            }
        }
        drop(state);
        pause(Duration::from_millis(2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_get_a_fixed_path_no_home_and_the_proxies() {
        let caller = [
            ("PATH", "/home/me/bin"),
            ("HOME", "/home/me"),
            ("HTTPS_PROXY", "http://p"),
            ("no_proxy", "x"),
            ("IMAGE_PHASE", "BUILDING"),
            ("AWS_SECRET_ACCESS_KEY", "s"),
        ];
        let found = environment(caller.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let names: Vec<&str> = found.keys().map(String::as_str).collect();
        assert_eq!(names, ["HTTPS_PROXY", "IMAGE_PHASE", "LC_ALL", "PATH", "no_proxy"]);
        assert_eq!(found["PATH"], PATH);
    }

    #[test]
    fn what_is_stopped_before_it_began_does_not_begin() {
        let stop = Stop::default();
        stop.now();
        assert!(matches!(start(&stop), Err(HostError::Interrupted)));
    }
}

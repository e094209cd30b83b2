//! Verbs that work in an environment: they get a runtime, and end what they started when they are interrupted.

use super::args::EnvironmentVerb;
use super::exit::Exit;
use super::failure::Failure;
use super::session::{Session, tell};
use super::signal::Signals;
use super::verb;
use crate::aws::{Cloud, Left};
use crate::build::{self, Cancelled};
use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal as _;
use std::time::Duration;

/// Time in which a second Ctrl-C is taken as the wish to cancel.
const SECOND_CTRL_C: Duration = Duration::from_secs(3);
/// Time in which cancelled builds have to end. The service ends their instances first, which takes minutes.
const CANCELLED_WITHIN: Duration = Duration::from_mins(10);

/// Time in which what was started for an inspection has to end once the work is over. EC2 takes an order to end within seconds; a
/// new instance may be unknown to it for a moment.
const RELEASED_WITHIN: Duration = Duration::from_mins(2);

/// Runs the verb.
pub(super) fn run(session: &Session, verb: EnvironmentVerb) -> Result<Exit, Failure> {
    block(session, dispatch(session, verb))
}

/// Runs the work of a verb.
pub(super) fn block(session: &Session, work: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(drive(session, work));
    // What still blocks a thread (a prompt that nobody answered) must not keep the program.
    runtime.shutdown_background();
    outcome
}

/// Waits until the work ends or the user interrupts; then ends what this process runs, in either case.
async fn drive(session: &Session, work: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let mut signals = Signals::new()?;
    let outcome = tokio::select! {
        outcome = work => outcome,
        name = signals.next() => {
            // What the work was doing has been dropped by now, and what it had started is being ended.
            let left = released(session.opened(), Some(name), &mut signals, RELEASED_WITHIN).await;
            if !left.is_empty() {
                session.shutdown().await;
                return Err(left_behind(name, &left));
            }
            let refreshes = session.started.refreshes();
            if !refreshes.is_empty() {
                session.shutdown().await;
                return Err(refreshing(name, &refreshes));
            }
            let started = session.started.arns();
            let terminal = std::io::stderr().is_terminal();
            let again = async {
                // Without somebody at a terminal there is no second Ctrl-C to wait for.
                terminal && tokio::time::timeout(SECOND_CTRL_C, signals.next()).await.is_ok()
            };
            Err(interrupted(session.opened(), name, &started, session.started.cancel(), terminal, again).await)
        }
    };
    // What could not be ended is tried once more in the background.
    for left in released(session.opened(), None, &mut signals, RELEASED_WITHIN).await {
        tell(&format!(
            "{} may still run{}\n",
            left.what,
            left.undo.map_or_else(String::new, |undo| format!("; {undo}"))
        ));
    }
    session.shutdown().await;
    outcome
}

/// Waits until what this process has started for itself is ended, for a while and until the user interrupts (again); what is
/// left.
async fn released(cloud: Option<&Cloud>, signal: Option<&str>, signals: &mut Signals, within: Duration) -> Vec<Left> {
    let Some(duties) = cloud.map(Cloud::duties) else { return vec![] };
    let open: Vec<String> = duties.left().into_iter().filter(|left| !left.given_up).map(|left| left.what).collect();
    if open.is_empty() {
        return duties.left();
    }
    let why = signal.map_or_else(String::new, |signal| format!("{signal}: "));
    tell(&format!("{why}ending {}; Ctrl-C once more leaves that to you\n", open.join(", ")));
    tokio::select! {
        () = duties.settled() => {}
        () = tokio::time::sleep(within) => {}
        _ = signals.next() => {}
    }
    duties.left()
}

/// What an interruption comes to that leaves something behind.
fn left_behind(signal: &str, left: &[Left]) -> Failure {
    let what: Vec<&str> = left.iter().map(|left| left.what.as_str()).collect();
    let failure =
        Failure::new(Exit::Interrupted, format!("interrupted by {signal}; {} may still run", what.join(", ")))
            .why("it was not seen to end; the next `amiforge validate` ends what processes that are gone have left");
    left.iter().filter_map(|left| left.undo.clone()).fold(failure, Failure::next)
}

/// What an interruption comes to. In AWS the builds that this process has started go on, unless they are to be cancelled: from the
/// beginning (`cancel`), or because the user interrupts `again`.
async fn interrupted(
    cloud: Option<&Cloud>,
    signal: &str,
    started: &[String],
    cancel: bool,
    terminal: bool,
    again: impl Future<Output = bool>,
) -> Failure {
    let Some(cloud) = cloud.filter(|cloud| !cloud.is_local()) else {
        return Failure::new(Exit::Interrupted, format!("interrupted by {signal}; nothing is left running or mounted"))
            .next("run the same command again: what was finished is kept, a build that was cut off is started anew");
    };
    if started.is_empty() {
        return Failure::new(Exit::Interrupted, format!("interrupted by {signal}; this command had started no build"))
            .next("run the same command again: what was finished is kept, and a build under way is joined");
    }
    let count = if started.len() == 1 { "1 build goes".to_owned() } else { format!("{} builds go", started.len()) };
    if !cancel && terminal {
        let seconds = SECOND_CTRL_C.as_secs();
        tell(&format!("{signal}: {count} on in AWS. Ctrl-C once more within {seconds} s cancels\n"));
    }
    if cancel || again.await {
        return cancelled(cloud, signal, started).await;
    }
    let failure = Failure::new(Exit::Interrupted, format!("interrupted by {signal}; {count} on in AWS"));
    started.iter().fold(failure, |failure, arn| failure.next(format!("amiforge watch {arn}")))
}

/// Instance refreshes go on wherever they are, in the local environment too, where time does it.
fn refreshing(signal: &str, refreshes: &BTreeMap<String, String>) -> Failure {
    let count = if refreshes.len() == 1 {
        "1 instance refresh goes".to_owned()
    } else {
        format!("{} instance refreshes go", refreshes.len())
    };
    let failure = Failure::new(Exit::Interrupted, format!("interrupted by {signal}; {count} on"))
        .showing(refreshes.keys().cloned())
        .why("the channel was moved; the groups launch from numbered versions until somebody follows them to the end");
    let commands: BTreeSet<&String> = refreshes.values().collect();
    commands.into_iter().fold(failure, |failure, command| failure.next(command.clone()))
}

async fn cancelled(cloud: &Cloud, signal: &str, started: &[String]) -> Failure {
    tell(&format!("{signal}: cancelling {} builds\n", started.len()));
    let ends = build::cancel_all(cloud, started, CANCELLED_WITHIN).await;
    let open = ends.iter().filter(|one| one.end.is_err()).count();
    let message = match open {
        0 => format!("interrupted by {signal}; what it had started has ended"),
        open => format!("interrupted by {signal}; {open} of {} builds may still run", ends.len()),
    };
    let line = |one: &Cancelled| match &one.end {
        Ok(status) => format!("{} {status}", one.image_arn),
        Err(error) => format!("{} {error}", one.image_arn),
    };
    let failure = Failure::new(Exit::Interrupted, message).showing(ends.iter().map(line));
    let left = ends.iter().filter(|one| one.end.is_err());
    left.fold(failure, |failure, one| failure.next(format!("amiforge watch {}", one.image_arn)))
}

async fn dispatch(session: &Session, verb: EnvironmentVerb) -> Result<Exit, Failure> {
    match verb {
        EnvironmentVerb::Plan(args) => verb::plan::run(session, &args).await,
        EnvironmentVerb::Publish(args) => Box::pin(verb::publish::run(session, &args)).await,
        EnvironmentVerb::Build(args) => Box::pin(verb::build::run(session, &args)).await,
        EnvironmentVerb::Status(args) => Box::pin(verb::status::run(session, &args)).await,
        EnvironmentVerb::Watch(args) => Box::pin(verb::watch::run(session, &args)).await,
        EnvironmentVerb::Approve(args) => Box::pin(verb::approve::run(session, &args)).await,
        EnvironmentVerb::Validate(args) => verb::validate::run(session, &args).await,
        EnvironmentVerb::Verify(args) => verb::verify::run(session, &args).await,
        // The futures of the long verbs are large; on the heap they move cheaply.
        EnvironmentVerb::Promote(args) => Box::pin(verb::promote::run(session, &args)).await,
        EnvironmentVerb::Rollback(args) => verb::rollback::run(session, &args).await,
        EnvironmentVerb::Revoke(args) => Box::pin(verb::revoke::run(session, &args)).await,
        EnvironmentVerb::Restore(args) => Box::pin(verb::revoke::restore(session, &args)).await,
        EnvironmentVerb::Resolve(args) => verb::resolve::run(session, &args).await,
        EnvironmentVerb::History(args) => verb::history::run(session, &args).await,
        EnvironmentVerb::Releases(args) => verb::releases::run(session, &args).await,
        EnvironmentVerb::Drift(args) => Box::pin(verb::drift::run(session, &args)).await,
        EnvironmentVerb::Repair(args) => Box::pin(verb::drift::repair(session, &args)).await,
        EnvironmentVerb::Channels(args) => verb::channels::run(session, &args).await,
        EnvironmentVerb::Run(args) => Box::pin(verb::run::run(session, &args)).await,
        EnvironmentVerb::Logs(args) => Box::pin(verb::logs::run(session, &args)).await,
        EnvironmentVerb::Doctor(args) => Box::pin(verb::doctor::run(session, &args)).await,
        EnvironmentVerb::Import(args) => Box::pin(verb::import::run(session, &args)).await,
        EnvironmentVerb::Local(verb) => verb::local::run(session, verb).await,
    }
}

#[cfg(test)]
#[path = "environment_tests.rs"]
mod tests;

//! Verbs that work in an environment: they get a runtime, and end what they started when they are interrupted.

use super::args::EnvironmentVerb;
use super::exit::Exit;
use super::failure::Failure;
use super::session::Session;
use super::{signal, verb};

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
    let outcome = tokio::select! {
        outcome = work => outcome,
        name = signal::interrupted() => Err(interrupted(name?)),
    };
    session.shutdown().await;
    outcome
}

fn interrupted(signal: &str) -> Failure {
    Failure::new(Exit::Interrupted, format!("interrupted by {signal}; nothing is left running or mounted"))
        .next("run the same command again: what was finished is kept, a build that was cut off is started anew")
}

async fn dispatch(session: &Session, verb: EnvironmentVerb) -> Result<Exit, Failure> {
    match verb {
        EnvironmentVerb::Plan(args) => verb::plan::run(session, &args).await,
        EnvironmentVerb::Publish(args) => Box::pin(verb::publish::run(session, &args)).await,
        EnvironmentVerb::Build(args) => verb::build::run(session, &args).await,
        EnvironmentVerb::Validate(args) => verb::validate::run(session, &args).await,
        // The futures of the long verbs are large; on the heap they move cheaply.
        EnvironmentVerb::Promote(args) => Box::pin(verb::promote::run(session, &args)).await,
        EnvironmentVerb::Rollback(args) => verb::rollback::run(session, &args).await,
        EnvironmentVerb::Resolve(args) => verb::resolve::run(session, &args).await,
        EnvironmentVerb::Channels(args) => verb::channels::run(session, &args).await,
        EnvironmentVerb::Run(args) => Box::pin(verb::run::run(session, &args)).await,
        EnvironmentVerb::Logs(args) => Box::pin(verb::logs::run(session, &args)).await,
        EnvironmentVerb::Doctor(args) => Box::pin(verb::doctor::run(session, &args)).await,
        EnvironmentVerb::Import(args) => Box::pin(verb::import::run(session, &args)).await,
        EnvironmentVerb::Local(verb) => verb::local::run(session, verb).await,
    }
}

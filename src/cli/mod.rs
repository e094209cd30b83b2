//! The command line: one file per verb under [`verb`], what they share in [`session`], errors in [`failure`].
//!
//! No logic lives here: a verb parses its arguments, calls the library once and prints what came back.

pub mod args;
pub mod codes;
pub mod exit;
pub mod failure;
mod from;
mod progress;
pub mod session;
mod signal;
pub mod verb;

use args::{Cli, Verb};
use clap::Parser as _;
use exit::Exit;
use failure::Failure;
use session::Session;
use std::ffi::OsString;
use std::io::Write as _;

/// Runs the program with these arguments; the exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            // clap prints help and version through the same door as errors.
            return if error.use_stderr() { Exit::Usage.code() } else { Exit::Done.code() };
        }
    };
    logging();
    let session = Session::new(cli.global.clone());
    let color = session.color_err();
    match execute(&session, cli.verb) {
        Ok(exit) => exit.code(),
        Err(failure) => {
            let ndjson = cli.global.progress == args::Progress::Ndjson;
            let text = if ndjson { failure.json() + "\n" } else { failure.text(color) };
            let _ = std::io::stderr().lock().write_all(text.as_bytes());
            failure.exit.code()
        }
    }
}

/// Verbs that only read files run as they are; the others get a runtime.
fn execute(session: &Session, verb: Verb) -> Result<Exit, Failure> {
    match verb {
        Verb::Init(args) => verb::init::run(&args),
        Verb::Lint(args) => verb::lint::run(session, &args),
        Verb::Render(args) => verb::render::run(session, &args),
        Verb::Explain(args) => verb::explain::run(&args),
        verb => {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            let outcome = runtime.block_on(drive(session, verb));
            // What still blocks a thread (a prompt that nobody answered) must not keep the program.
            runtime.shutdown_background();
            outcome
        }
    }
}

/// Log lines go to stderr and only when asked for: `AMIFORGE_LOG=debug`.
fn logging() {
    use tracing_subscriber::EnvFilter;
    if let Ok(filter) = EnvFilter::try_from_env("AMIFORGE_LOG") {
        let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
    }
}

/// Runs the verb until it ends or the user interrupts; then ends what this process runs, in either case.
async fn drive(session: &Session, verb: Verb) -> Result<Exit, Failure> {
    let outcome = tokio::select! {
        outcome = dispatch(session, verb) => outcome,
        name = signal::interrupted() => Err(interrupted(name?)),
    };
    session.shutdown().await;
    outcome
}

fn interrupted(signal: &str) -> Failure {
    Failure::new(Exit::Interrupted, format!("interrupted by {signal}; nothing is left running or mounted"))
        .next("run the same command again: what was finished is kept, a build that was cut off is started anew")
}

async fn dispatch(session: &Session, verb: Verb) -> Result<Exit, Failure> {
    match verb {
        // The verbs without an environment have been served by `execute`.
        Verb::Init(_) | Verb::Lint(_) | Verb::Render(_) | Verb::Explain(_) => Ok(Exit::Done),
        Verb::Plan(args) => verb::plan::run(session, &args).await,
        Verb::Publish(args) => verb::publish::run(session, &args).await,
        Verb::Build(args) => verb::build::run(session, &args).await,
        Verb::Validate(args) => verb::validate::run(session, &args).await,
        // The futures of the long verbs are large; on the heap they move cheaply.
        Verb::Promote(args) => Box::pin(verb::promote::run(session, &args)).await,
        Verb::Rollback(args) => verb::rollback::run(session, &args).await,
        Verb::Resolve(args) => verb::resolve::run(session, &args).await,
        Verb::Channels(args) => verb::channels::run(session, &args).await,
        Verb::Run(args) => Box::pin(verb::run::run(session, &args)).await,
        Verb::Local(verb) => verb::local::run(session, verb).await,
    }
}

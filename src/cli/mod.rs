//! The command line: one file per verb under [`verb`], what they share in [`session`], errors in [`failure`].
//!
//! No logic lives here: a verb parses its arguments, calls the library once and prints what came back.

pub mod args;
pub mod codes;
#[cfg(feature = "aws")]
mod environment;
pub mod exit;
pub mod failure;
mod from;
mod instance;
mod interrupt;
mod progress;
pub mod session;
mod signal;
mod terminal;
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
        Ok(code) => code,
        Err(failure) => {
            let ndjson = cli.global.progress == args::Progress::Ndjson;
            let text = if ndjson { failure.json() + "\n" } else { failure.text(color) };
            let _ = std::io::stderr().lock().write_all(text.as_bytes());
            failure.exit.code()
        }
    }
}

/// Verbs that only read files run as they are; the others are given a runtime.
fn execute(session: &Session, verb: Verb) -> Result<u8, Failure> {
    let exit = match verb {
        // It ends as the command in the instance has ended.
        Verb::Shell(args) => return verb::shell::run(session, args),
        Verb::Test(args) => verb::test::run(session, &args),
        Verb::Init(args) => verb::init::run(&args),
        Verb::Lint(args) => verb::lint::run(session, &args),
        Verb::Render(args) => verb::render::run(session, &args),
        Verb::Component(verb) => verb::component::run(session, verb),
        Verb::Baseline(verb) => verb::baseline::run(session, verb),
        Verb::Diff(args) => verb::diff::run(session, &args),
        Verb::Cache(verb) => verb::cache::run(session, &verb),
        Verb::Why(args) => verb::why::run(session, &args),
        Verb::IamPolicy(args) => verb::iam_policy::run(session, &args),
        Verb::Schema(args) => verb::schema::run(&args),
        Verb::Explain(args) => verb::explain::run(&args),
        #[cfg(feature = "aws")]
        Verb::Environment(verb) => environment::run(session, verb),
    };
    exit.map(Exit::code)
}

/// Log lines go to stderr and only when asked for: `AMIFORGE_LOG=debug`.
fn logging() {
    use tracing_subscriber::EnvFilter;
    if let Ok(filter) = EnvFilter::try_from_env("AMIFORGE_LOG") {
        let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
    }
}

//! `amiforge baseline`

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::diagnostic::{Diagnostic, render, suggest};
use crate::patch::OperatingSystem;
use crate::project::Project;

mod diff;
mod list;
mod show;
mod test;

#[cfg(feature = "aws")]
mod publish;
#[cfg(feature = "aws")]
mod snapshot;

/// Patch baselines: of the project, of AWS, in files and in accounts.
#[derive(Debug, clap::Subcommand)]
pub enum BaselineVerb {
    /// List the baselines of the project and those that AWS owns. Asks no account.
    List(list::ListArgs),
    /// Say what a baseline approves, rule by rule, or print it in another form.
    Show(show::ShowArgs),
    /// Say what differs between two baselines, by what they mean.
    Diff(diff::DiffArgs),
    /// Say which patches an image lacks by a baseline, which it has, and why.
    Test(Box<test::TestArgs>),
    /// Create or update baselines in every target account and Region of the environment.
    #[cfg(feature = "aws")]
    Publish(publish::PublishArgs),
    /// Freeze a baseline of the account into a file of baselines/, or compare it with the file.
    #[cfg(feature = "aws")]
    Snapshot(snapshot::SnapshotArgs),
}

pub(crate) fn run(session: &Session, verb: BaselineVerb) -> Result<Exit, Failure> {
    match verb {
        BaselineVerb::List(args) => list::run(session, &args),
        BaselineVerb::Show(args) => show::run(session, &args),
        BaselineVerb::Diff(args) => diff::run(session, &args),
        BaselineVerb::Test(args) => test::run(session, &args),
        #[cfg(feature = "aws")]
        BaselineVerb::Publish(args) => crate::cli::environment::block(session, publish::run(session, &args)),
        #[cfg(feature = "aws")]
        BaselineVerb::Snapshot(args) => crate::cli::environment::block(session, snapshot::run(session, &args)),
    }
}

/// The project to find baselines in, if there is one. What else is wrong in it does not matter: in `show NAME --format yaml >
/// baselines/OTHER.yaml` the shell has made an empty file before anything runs.
fn project(session: &Session) -> Result<Option<Project>, Failure> {
    if session.has_project()? { session.lenient_project().map(Some) } else { Ok(None) }
}

/// An operating system in the API's words; letter case does not matter.
fn system(text: &str) -> Result<OperatingSystem, String> {
    let word = text.to_ascii_uppercase().replace('-', "_");
    OperatingSystem::parse(&word).ok_or_else(|| {
        let known: Vec<&str> = OperatingSystem::ALL.iter().map(|os| os.as_str()).collect();
        match suggest(&word, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("possible are {}", known.join(", ")),
        }
    })
}

/// What is doubtful about a baseline, beside the result.
fn warn(session: &Session, warnings: &[Diagnostic]) {
    if !warnings.is_empty() {
        crate::cli::session::tell(&format!("{}\n", render::text(warnings, session.color_err())));
    }
}

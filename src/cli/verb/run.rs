//! `amiforge run`

use crate::cli::args::{Format, Selection};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, print_as, work};

/// Arguments of `run`.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    #[command(flatten)]
    pub(crate) image: Selection,
    /// Build again although nothing changed: patch day, when only the package sources have something new.
    #[arg(long)]
    pub fresh: bool,
    /// When interrupted, cancel the build that this command has started. Otherwise it goes on, and a second Ctrl-C cancels it.
    #[arg(long)]
    pub cancel_on_interrupt: bool,
    /// Publish although a documented quota of the account would be passed: it was raised.
    #[arg(long)]
    pub over_quota: bool,
    /// How the closing block is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

pub(crate) async fn run(session: &Session, args: &RunArgs) -> Result<Exit, Failure> {
    let project = session.project()?;
    let work = work(session, &project, &args.image).await?;
    session.started.cancel_on_interrupt(args.cancel_on_interrupt);
    let report = Box::pin(crate::run::all(&work, args.fresh, args.over_quota, &session.events)).await?;
    print_as(args.format, &report, || crate::report::closing(&report))?;
    Ok(Exit::Done)
}

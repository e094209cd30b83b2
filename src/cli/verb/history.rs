//! `amiforge history`

use crate::cli::args::{Format, Selection};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, print_as, work};
use crate::report;

/// Arguments of `history`.
#[derive(Debug, clap::Args)]
pub struct HistoryArgs {
    #[command(flatten)]
    pub(crate) image: Selection,
    /// The channel; the first one when absent.
    #[arg(long)]
    pub channel: Option<String>,
    /// How the list is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

pub(crate) async fn run(session: &Session, args: &HistoryArgs) -> Result<Exit, Failure> {
    let project = session.project()?;
    let work = work(session, &project, &args.image).await?;
    let channel = match &args.channel {
        Some(name) => work.channel(name)?,
        None => work.first_channel()?,
    };
    let releases = work.history(channel).await?;
    let history = report::History::new(&work.recipe.name, work.arch.name(), &channel.name, &releases);
    print_as(args.format, &history, || history.text())?;
    Ok(Exit::Done)
}

//! `amiforge rollback`

use crate::cli::args::{Format, Selection};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, confirm, print_as, work};

/// Arguments of `rollback`.
#[derive(Debug, clap::Args)]
pub struct RollbackArgs {
    #[command(flatten)]
    pub(crate) image: Selection,
    /// The channel to move back; the first one when absent.
    #[arg(long)]
    pub channel: Option<String>,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

pub(crate) async fn run(session: &Session, args: &RollbackArgs) -> Result<Exit, Failure> {
    let project = session.project()?;
    let work = work(session, &project, &args.image).await?;
    let channel = match &args.channel {
        Some(name) => work.channel(name)?,
        None => work.first_channel()?,
    };
    let question = format!("Move channel {} of {} back to its previous release?", channel.name, args.image.recipe);
    confirm(args.yes, &question).await?;
    let promotion = work.rollback(channel, &session.events).await?;
    print_as(args.format, &promotion, || crate::report::promoted(&promotion))?;
    Ok(Exit::Done)
}

//! `amiforge promote`

use crate::cli::args::{Format, Selection};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, print_as, work};

/// Arguments of `promote`.
#[derive(Debug, clap::Args)]
pub struct PromoteArgs {
    #[command(flatten)]
    pub(crate) image: Selection,
    /// The channel to move; the first one when absent.
    #[arg(long)]
    pub channel: Option<String>,
    /// Finish or undo a promotion that was cut off, from its journal.
    #[arg(long)]
    pub resume: bool,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

pub(crate) async fn run(session: &Session, args: &PromoteArgs) -> Result<Exit, Failure> {
    let project = session.project()?;
    let work = work(session, &project, &args.image).await?;
    let channel = match &args.channel {
        Some(name) => work.channel(name)?,
        None => work.first_channel()?,
    };
    let promotion = if args.resume {
        work.resume(channel, &session.events).await?
    } else {
        let (built, _) = work.candidate(&work.check(&session.events)?).await?;
        let judged = work.approved(&built.ami).await?;
        work.promote(&built, &judged, channel, &session.events).await?
    };
    print_as(args.format, &promotion, || crate::report::promoted(&promotion))?;
    Ok(Exit::Done)
}

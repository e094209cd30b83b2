//! `amiforge promote`

use crate::cli::args::{Format, Selection};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, print, print_as, work};
use crate::promote::Direction;

/// Arguments of `promote`.
#[derive(Debug, clap::Args)]
pub struct PromoteArgs {
    #[command(flatten)]
    pub(crate) image: Selection,
    /// The channel to move; the first one when absent.
    #[arg(long)]
    pub channel: Option<String>,
    /// Finish a promotion that was cut off, from its journal. Only when the process that began it is gone.
    #[arg(long)]
    pub resume: bool,
    /// As --resume, but back to what was before instead of on to the release.
    #[arg(long)]
    pub undo: bool,
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
    if args.resume || args.undo {
        let direction = if args.undo { Direction::Undo } else { Direction::Finish };
        let resumed = work.resume(channel, direction, &session.events).await?;
        print(&crate::report::resumed(&resumed, &channel.name))?;
        return Ok(Exit::Done);
    }
    let (built, _) = work.candidate(&work.check(&session.events)?).await?;
    let judged = work.approved(&built.ami).await?;
    let promotion = work.promote(&built, &judged, channel, &session.events).await?;
    let previous =
        promotion.release.previous.as_ref().filter(|previous| promotion.changed && previous.ami != built.ami);
    let packages = previous.map(|previous| work.package_diff(&previous.ami, &built.ami)).transpose()?.flatten();
    let report = crate::report::Promoted::new(&promotion, packages);
    print_as(args.format, &report, || report.text())?;
    Ok(Exit::Done)
}

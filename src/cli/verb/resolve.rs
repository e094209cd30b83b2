//! `amiforge resolve`

use crate::cli::args::Selection;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, arch, print, recipe, work};
use crate::consume;

/// Arguments of `resolve`.
#[derive(Debug, clap::Args)]
pub struct ResolveArgs {
    #[command(flatten)]
    pub(crate) image: Selection,
    /// The channel.
    #[arg(long)]
    pub channel: String,
    /// The release before the one that the channel holds: the newest that can be launched and is not revoked.
    #[arg(long)]
    pub previous: bool,
}

pub(crate) async fn run(session: &Session, args: &ResolveArgs) -> Result<Exit, Failure> {
    let project = session.project()?;
    if args.previous {
        let work = work(session, &project, &args.image).await?;
        let before = work.previous(work.channel(&args.channel)?, &session.events).await?;
        print(&format!("{}\n", before.ami))?;
        return Ok(Exit::Done);
    }
    let recipe = recipe(&project, &args.image.recipe)?;
    let arch = arch(recipe, args.image.arch.as_deref())?;
    let ami = consume::resolve(session.cloud(&project).await?, &project, recipe, arch, &args.channel).await?;
    print(&format!("{ami}\n"))?;
    Ok(Exit::Done)
}

//! `amiforge resolve`

use crate::cli::args::Selection;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, arch, print, recipe};
use crate::consume;

/// Arguments of `resolve`.
#[derive(Debug, clap::Args)]
pub struct ResolveArgs {
    #[command(flatten)]
    pub(crate) image: Selection,
    /// The channel.
    #[arg(long)]
    pub channel: String,
}

pub(crate) async fn run(session: &Session, args: &ResolveArgs) -> Result<Exit, Failure> {
    let project = session.project()?;
    let recipe = recipe(&project, &args.image.recipe)?;
    let arch = arch(recipe, args.image.arch.as_deref())?;
    let ami = consume::resolve(session.cloud(&project).await?, &project, recipe, arch, &args.channel).await?;
    print(&format!("{ami}\n"))?;
    Ok(Exit::Done)
}

//! `amiforge channels`

use crate::cli::args::Format;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, print_as, recipe};
use crate::consume;

/// Arguments of `channels`.
#[derive(Debug, clap::Args)]
pub struct ChannelsArgs {
    /// Only this recipe.
    pub recipe: Option<String>,
    /// How the list is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

pub(crate) async fn run(session: &Session, args: &ChannelsArgs) -> Result<Exit, Failure> {
    let project = session.project()?;
    let only = args.recipe.as_deref().map(|name| recipe(&project, name)).transpose()?;
    let listing = consume::channels(session.cloud(&project).await?, &project, only).await?;
    print_as(args.format, &listing, || crate::report::channels(&listing))?;
    Ok(Exit::Done)
}

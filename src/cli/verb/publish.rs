//! `amiforge publish`

use crate::cli::args::Selection;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, print, work};

/// Arguments of `publish`.
#[derive(Debug, clap::Args)]
pub struct PublishArgs {
    #[command(flatten)]
    pub(crate) image: Selection,
}

pub(crate) async fn run(session: &Session, args: &PublishArgs) -> Result<Exit, Failure> {
    let project = session.project()?;
    let work = work(session, &project, &args.image).await?;
    let rendered = work.check(&session.events)?;
    let plan = work.plan(&rendered, false, &session.events).await?;
    // The recipe names the parent image: it must exist before the recipe does.
    if !plan.publishes_nothing() {
        work.parent(&rendered, &session.events).await?;
    }
    let published = work.publish(&plan, &session.events).await?;
    print(&crate::report::published(&published))?;
    Ok(Exit::Done)
}

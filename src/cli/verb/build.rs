//! `amiforge build`

use crate::cli::args::{Format, Selection};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, print_as, work};

/// Arguments of `build`.
#[derive(Debug, clap::Args)]
pub struct BuildArgs {
    #[command(flatten)]
    pub(crate) image: Selection,
    /// Build again although nothing changed: patch day, when only the package sources have something new.
    #[arg(long)]
    pub fresh: bool,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

pub(crate) async fn run(session: &Session, args: &BuildArgs) -> Result<Exit, Failure> {
    let project = session.project()?;
    let work = work(session, &project, &args.image).await?;
    let rendered = work.check(&session.events)?;
    let plan = work.plan(&rendered, args.fresh, &session.events).await?;
    let built = work.build(&rendered, &plan, args.fresh, &session.events).await?;
    print_as(args.format, &built, || crate::report::built(&built, &args.image.recipe))?;
    Ok(Exit::Done)
}

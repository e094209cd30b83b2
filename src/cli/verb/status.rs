//! `amiforge status`

use crate::build::{self, BuildError, Reap};
use crate::cli::args::{Format, Images};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, print_as};
use crate::report;
use crate::run::{Fleet, Wanted, select};

/// Arguments of `status`.
#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    /// All recipes when nothing is selected.
    #[command(flatten)]
    pub(crate) images: Images,
    /// End instances that failed builds have left (`build --on-failure keep=TIME`): those whose time has passed, or all.
    #[arg(long, value_enum, value_name = "WHICH", num_args = 0..=1, default_missing_value = "expired")]
    pub cleanup: Option<Cleanup>,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// Which kept instances are ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Cleanup {
    /// Those whose time has passed.
    Expired,
    /// All whose build has ended.
    All,
}

pub(crate) async fn run(session: &Session, args: &StatusArgs) -> Result<Exit, Failure> {
    // Only the names are needed: builds go on while a recipe is being mended.
    let project = session.lenient_project()?;
    let items = select(&project, &or_all(args.images.wanted()))?;
    let cloud = session.cloud(&project).await?;
    if let Some(which) = args.cleanup {
        let which = if which == Cleanup::All { Reap::All } else { Reap::Expired };
        build::reap(cloud, &project.name, which, &session.events).await.map_err(BuildError::from)?;
    }
    let fleet = Fleet { cloud, project: &project, items };
    let status = fleet.status().await?;
    print_as(args.format, &status, || report::status(&status))?;
    Ok(Exit::Done)
}

/// Who only looks and names nothing means everything.
pub(super) fn or_all(wanted: Wanted) -> Wanted {
    let all = wanted.all || (wanted.recipes.is_empty() && wanted.only.is_empty());
    Wanted { all, ..wanted }
}

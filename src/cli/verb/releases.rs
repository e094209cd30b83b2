//! `amiforge releases`

use crate::cli::args::Format;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, print_as, recipe};
use crate::report;
use crate::run::Work;

/// Arguments of `releases`.
#[derive(Debug, clap::Args)]
pub struct ReleasesArgs {
    /// Only this recipe.
    pub recipe: Option<String>,
    /// How the list is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

pub(crate) async fn run(session: &Session, args: &ReleasesArgs) -> Result<Exit, Failure> {
    let project = session.project()?;
    let only = args.recipe.as_deref().map(|name| recipe(&project, name)).transpose()?;
    let cloud = session.cloud(&project).await?;
    let mut report = report::Releases::default();
    for recipe in project.recipes.values().filter(|recipe| only.is_none_or(|only| only.name == recipe.name)) {
        for arch in recipe.architectures.iter().copied() {
            report.add(Work { cloud, project: &project, recipe, arch }.releases().await?);
        }
    }
    print_as(args.format, &report, || report.text())?;
    Ok(Exit::Done)
}

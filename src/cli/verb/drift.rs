//! `amiforge drift` and `amiforge repair`

use super::promote::ending;
use crate::cli::args::{Format, Selection};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, confirm, print_as, recipe, tell, work};
use crate::report;
use crate::run::Work;

/// Arguments of `drift`.
#[derive(Debug, clap::Args)]
pub struct DriftArgs {
    /// Only this recipe.
    pub recipe: Option<String>,
    /// How the list is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// Arguments of `repair`.
#[derive(Debug, clap::Args)]
pub struct RepairArgs {
    #[command(flatten)]
    pub(crate) image: Selection,
    /// The channel; the first one when absent.
    #[arg(long)]
    pub channel: Option<String>,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

pub(crate) async fn run(session: &Session, args: &DriftArgs) -> Result<Exit, Failure> {
    let project = session.project()?;
    let only = args.recipe.as_deref().map(|name| recipe(&project, name)).transpose()?;
    let cloud = session.cloud(&project).await?;
    let mut report = report::Drift::default();
    for recipe in project.recipes.values().filter(|recipe| only.is_none_or(|only| only.name == recipe.name)) {
        for arch in recipe.architectures.iter().copied() {
            let work = Work { cloud, project: &project, recipe, arch };
            for channel in &project.channels {
                if let Some((release, differences)) = work.drift(channel).await? {
                    report.add(&release, differences);
                }
            }
        }
    }
    print_as(args.format, &report, || report.text())?;
    Ok(if report.is_clean() { Exit::Done } else { Exit::Drift })
}

pub(crate) async fn repair(session: &Session, args: &RepairArgs) -> Result<Exit, Failure> {
    let project = session.project()?;
    let work = work(session, &project, &args.image).await?;
    let channel = match &args.channel {
        Some(name) => work.channel(name)?,
        None => work.first_channel()?,
    };
    if !args.yes {
        tell(&report::Preview::new(&work.repairs(channel).await?).text());
        confirm(args.yes, &format!("Put the pointers of channel {} of {} right?", channel.name, args.image.recipe))
            .await?;
    }
    let promotion = work.repair(channel, &session.events).await?;
    print_as(args.format, &promotion, || report::promoted(&promotion))?;
    Ok(ending(&promotion))
}

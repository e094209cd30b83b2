//! `amiforge publish`

use crate::cli::args::Selection;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, print, work};
use crate::plan::{Published, SavedPlan};
use crate::project::Project;
use std::path::Path;

/// Arguments of `publish`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 published, or there already · 11 something that is not this project's is in the way, a quota of the\n\
    account would be passed, or the account has changed since the plan in the file was made; then nothing is created"
)]
pub struct PublishArgs {
    /// Recipe name, or a file that `plan --out` has written.
    #[arg(value_name = "RECIPE|FILE")]
    pub what: String,
    /// CPU architecture; needed when the recipe has more than one.
    #[arg(long, value_name = "ARCH")]
    pub arch: Option<String>,
    /// Publish although a documented quota of the account would be passed: it was raised.
    #[arg(long)]
    pub over_quota: bool,
}

pub(crate) async fn run(session: &Session, args: &PublishArgs) -> Result<Exit, Failure> {
    let project = session.project()?;
    let path = Path::new(&args.what);
    // A recipe's name cannot be mistaken for one: it has no slash, and the project knows it.
    let published = if !project.recipes.contains_key(&args.what) && path.is_file() {
        saved(session, &project, path, args).await?
    } else {
        vec![Box::pin(recipe(session, &project, args)).await?]
    };
    for one in &published {
        print(&crate::report::published(one))?;
    }
    Ok(Exit::Done)
}

async fn saved(
    session: &Session,
    project: &Project,
    path: &Path,
    args: &PublishArgs,
) -> Result<Vec<Published>, Failure> {
    if args.arch.is_some() {
        return Err(Failure::new(Exit::Usage, "--arch has no meaning for a plan in a file, which says it itself"));
    }
    let saved = SavedPlan::read(path)?;
    let cloud = session.cloud(project).await?;
    Ok(crate::run::publish_saved(cloud, project, &saved, args.over_quota, &session.events).await?)
}

async fn recipe(session: &Session, project: &Project, args: &PublishArgs) -> Result<Published, Failure> {
    let selection = Selection { recipe: args.what.clone(), arch: args.arch.clone() };
    let work = work(session, project, &selection).await?;
    let rendered = work.check(&session.events)?;
    let plan = work.plan(&rendered, false, &session.events).await?.despite_quotas(args.over_quota);
    // The recipe names the parent image: it must exist before the recipe does.
    if !plan.publishes_nothing() {
        work.parent(&rendered, &session.events).await?;
    }
    Ok(work.publish(&plan, &session.events).await?)
}

//! `amiforge plan`

use crate::cli::args::{Format, Images};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, print_as, tell};
use crate::plan::{Plan, SavedPlan};
use crate::run::{Item, Work, select};
use std::path::PathBuf;

/// Arguments of `plan`.
#[derive(Debug, clap::Args)]
pub struct PlanArgs {
    #[command(flatten)]
    pub(crate) images: Images,
    /// Keep the plan in a file, for `publish FILE`.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// End with 4 when the plan has changes, with 0 when it has none.
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// How the plan is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

pub(crate) async fn run(session: &Session, args: &PlanArgs) -> Result<Exit, Failure> {
    let project = session.project()?;
    let items = select(&project, &args.images.wanted())?;
    // Nothing is opened, let alone created, for a recipe that cannot be rendered.
    for item in &items {
        crate::render::recipe(&project, item.recipe, item.arch)?;
    }
    let cloud = session.cloud(&project).await?;
    let works: Vec<Work<'_>> =
        items.iter().map(|Item { recipe, arch }| Work { cloud, project: &project, recipe, arch: *arch }).collect();
    // The plan itself is the output; events would tell it twice.
    let planned = crate::run::plans(&works).await?;
    let plans = &planned.plans;
    if let Some(path) = &args.out {
        let now = crate::clock::rfc3339(cloud.clock().now());
        SavedPlan::new(plans, cloud.environment(), cloud.home(), now).write(path)?;
        tell(&format!("the plan is in {0}; to carry it out: amiforge publish {0}\n", path.display()));
    }
    match plans.as_slice() {
        [plan] => print_as(args.format, plan, || crate::report::plan(plan))?,
        _ => print_as(args.format, &crate::report::Plans::new(&planned), || crate::report::plans(&planned))?,
    }
    let changes = plans.iter().any(|plan| !Plan::is_empty(plan));
    Ok(if args.detailed_exitcode && changes { Exit::Changes } else { Exit::Done })
}

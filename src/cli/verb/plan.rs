//! `amiforge plan`

use crate::cli::args::{Format, Selection};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, print_as, tell, work};
use crate::plan::{Plan, SavedPlan};
use crate::project::Project;
use crate::run::Work;
use std::path::PathBuf;

/// Arguments of `plan`.
#[derive(Debug, clap::Args)]
pub struct PlanArgs {
    /// Recipe name.
    #[arg(required_unless_present = "all")]
    pub recipe: Option<String>,
    /// CPU architecture; needed when the recipe has more than one.
    #[arg(long, value_name = "ARCH", conflicts_with = "all")]
    pub arch: Option<String>,
    /// All recipes of the project, for all their architectures.
    #[arg(long, conflicts_with = "recipe")]
    pub all: bool,
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
    let works = chosen(session, &project, args).await?;
    // The plan itself is the output; events would tell it twice.
    let plans = crate::run::plans(&works).await?;
    if let Some(path) = &args.out {
        let cloud = session.cloud(&project).await?;
        let now = crate::clock::rfc3339(cloud.clock().now());
        SavedPlan::new(&plans, cloud.environment(), cloud.home(), now).write(path)?;
        tell(&format!("the plan is in {0}; to carry it out: amiforge publish {0}\n", path.display()));
    }
    match (args.all, plans.as_slice()) {
        (false, [plan]) => print_as(args.format, plan, || crate::report::plan(plan))?,
        _ => print_as(args.format, &crate::report::Plans::new(&plans), || crate::report::plans(&plans))?,
    }
    let changes = plans.iter().any(|plan| !Plan::is_empty(plan));
    Ok(if args.detailed_exitcode && changes { Exit::Changes } else { Exit::Done })
}

async fn chosen<'a>(session: &'a Session, project: &'a Project, args: &PlanArgs) -> Result<Vec<Work<'a>>, Failure> {
    if let Some(recipe) = &args.recipe {
        let selection = Selection { recipe: recipe.clone(), arch: args.arch.clone() };
        return Ok(vec![work(session, project, &selection).await?]);
    }
    let cloud = session.cloud(project).await?;
    let all = project.recipes.values();
    let works: Vec<Work<'a>> = all
        .flat_map(|recipe| recipe.architectures.iter().map(move |arch| Work { cloud, project, recipe, arch: *arch }))
        .collect();
    if works.is_empty() {
        return Err(Failure::new(Exit::Usage, "the project has no recipe").next("amiforge init writes a first one"));
    }
    Ok(works)
}

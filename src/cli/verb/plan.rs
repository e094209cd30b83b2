//! `amiforge plan`

use crate::cli::args::{Format, Selection};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, print_as, work};
use crate::event::Events;

/// Arguments of `plan`.
#[derive(Debug, clap::Args)]
pub struct PlanArgs {
    #[command(flatten)]
    pub(crate) image: Selection,
    /// End with 4 when the plan has changes, with 0 when it has none.
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// How the plan is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

pub(crate) async fn run(session: &Session, args: &PlanArgs) -> Result<Exit, Failure> {
    let project = session.project()?;
    let work = work(session, &project, &args.image).await?;
    // The plan itself is the output; events would tell it twice.
    let plan = work.plan(&work.check(&Events::none())?, false, &Events::none()).await?;
    print_as(args.format, &plan, || crate::report::plan(&plan))?;
    Ok(if args.detailed_exitcode && !plan.is_empty() { Exit::Changes } else { Exit::Done })
}

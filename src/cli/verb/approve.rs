//! `amiforge approve`

use super::why::BuildSelection;
use crate::build::{self, Answer};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, print};
use crate::report;

/// Arguments of `approve`.
#[derive(Debug, clap::Args)]
pub struct ApproveArgs {
    #[command(flatten)]
    pub(crate) build: BuildSelection,
    /// Stop the build instead: the waiting step fails.
    #[arg(long)]
    pub stop: bool,
    /// Why; Image Builder keeps it with the step.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

pub(crate) async fn run(session: &Session, args: &ApproveArgs) -> Result<Exit, Failure> {
    if args.build.build.is_none() {
        return Err(Failure::new(Exit::Usage, "no build was named: an answer is never given to whichever build waits")
            .next("amiforge status says which builds wait, and the command that answers each"));
    }
    let project = session.lenient_project()?;
    let found = super::logs::find(session, &project, &args.build).await?;
    let answer = Answer { stop: args.stop, reason: args.reason.clone() };
    let steps = build::approve(session.cloud(&project).await?, &found.arn, &answer).await?;
    print(&report::answered(&steps, args.stop))?;
    Ok(Exit::Done)
}

//! `amiforge approve`: of a build that waits, or of an image for a channel.

use super::why::BuildSelection;
use crate::build::{self, Answer};
use crate::cli::args::Selection;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, print, work};
use crate::report;

/// Arguments of `approve`.
#[derive(Debug, clap::Args)]
pub struct ApproveArgs {
    #[command(flatten)]
    pub(crate) build: BuildSelection,
    /// Approve an image (its AMI id in place of the build) for this channel instead; needs --recipe and --reason.
    #[arg(long, value_name = "CHANNEL", requires_all = ["recipe", "reason"], conflicts_with = "stop")]
    pub channel: Option<String>,
    /// Stop the build instead: the waiting step fails.
    #[arg(long)]
    pub stop: bool,
    /// Why; it is kept with the step or with the approval.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

pub(crate) async fn run(session: &Session, args: &ApproveArgs) -> Result<Exit, Failure> {
    if args.build.build.is_none() {
        return Err(Failure::new(Exit::Usage, "no build was named: an answer is never given to whichever build waits")
            .next("amiforge status says which builds wait, and the command that answers each"));
    }
    if let Some(channel) = &args.channel {
        return for_channel(session, args, channel).await;
    }
    let project = session.lenient_project()?;
    let found = super::logs::find(session, &project, &args.build).await?;
    let answer = Answer { stop: args.stop, reason: args.reason.clone() };
    let steps = build::approve(session.cloud(&project).await?, &found.arn, &answer).await?;
    print(&report::answered(&steps, args.stop))?;
    Ok(Exit::Done)
}

async fn for_channel(session: &Session, args: &ApproveArgs, channel: &str) -> Result<Exit, Failure> {
    let project = session.project()?;
    let image = Selection { recipe: args.build.recipe.clone().unwrap_or_default(), arch: args.build.arch.clone() };
    let work = work(session, &project, &image).await?;
    let ami = args.build.build.as_deref().unwrap_or_default();
    let consent = work.approve(work.channel(channel)?, ami, args.reason.as_deref().unwrap_or_default()).await?;
    print(&report::consent(&consent, channel, &image.recipe))?;
    Ok(Exit::Done)
}

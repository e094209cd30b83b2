//! `amiforge rollback`

use super::promote::{ending, wanted};
use crate::cli::args::{Format, Selection};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, confirm, print_as, tell, work};
use crate::report;
use crate::run::Moving;

/// Arguments of `rollback`.
#[derive(Debug, clap::Args)]
pub struct RollbackArgs {
    #[command(flatten)]
    pub(crate) image: Selection,
    /// The channel to move back; the first one when absent.
    #[arg(long)]
    pub channel: Option<String>,
    /// Back to this release (AMI id, image version or id of its promotion) instead of the one before.
    #[arg(long, value_name = "RELEASE")]
    pub to: Option<String>,
    /// Say what would be moved where, and change nothing.
    #[arg(long)]
    pub plan: bool,
    /// Leave out targets that fail before anything is moved, if that many are left.
    #[arg(long, value_name = "TARGETS")]
    pub quorum: Option<usize>,
    /// Bring the Auto Scaling groups that use the launch template to the release by instance refreshes, too: all of them, or the
    /// one that is named; may be given several times.
    #[arg(long, value_name = "GROUP", num_args = 0..=1, default_missing_value = "")]
    pub refresh: Vec<String>,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

pub(crate) async fn run(session: &Session, args: &RollbackArgs) -> Result<Exit, Failure> {
    let project = session.project()?;
    let work = work(session, &project, &args.image).await?;
    let channel = match &args.channel {
        Some(name) => work.channel(name)?,
        None => work.first_channel()?,
    };
    let how = Moving { quorum: args.quorum, refresh: wanted(&args.refresh), ..Moving::default() };
    if args.plan || !args.yes {
        let decision = work.back(channel, args.to.as_deref(), args.quorum).await?;
        let preview = report::Preview::new(&decision).with(work.groups(channel, &decision, &how).await?);
        if args.plan {
            print_as(args.format, &preview, || preview.text())?;
            return Ok(Exit::Done);
        }
        tell(&preview.text());
        let question = format!("Move channel {} of {} back?", channel.name, args.image.recipe);
        confirm(args.yes, &question).await?;
    }
    let promotion = work.rollback(channel, args.to.as_deref(), &how, &session.events).await?;
    print_as(args.format, &promotion, || report::promoted(&promotion))?;
    Ok(ending(&promotion))
}

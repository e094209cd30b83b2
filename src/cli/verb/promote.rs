//! `amiforge promote`

use crate::cli::args::{Format, Selection};
use crate::cli::exit::{Exit, exit};
use crate::cli::failure::Failure;
use crate::cli::session::{Session, print, print_as, work};
use crate::promote::{Direction, Promotion, Wanted, refresh_exit_code};
use crate::report;
use crate::run::Moving;

/// Arguments of `promote`.
#[derive(Debug, clap::Args)]
pub struct PromoteArgs {
    #[command(flatten)]
    pub(crate) image: Selection,
    /// The channel to move; the first one when absent.
    #[arg(long)]
    pub channel: Option<String>,
    /// Say what would be moved where, and change nothing.
    #[arg(long, conflicts_with_all = ["resume", "abort"])]
    pub plan: bool,
    /// Leave out targets that fail before anything is moved, if that many are left. Without it a promotion holds
    /// everywhere or nowhere.
    #[arg(long, value_name = "TARGETS", conflicts_with_all = ["resume", "abort"])]
    pub quorum: Option<usize>,
    /// Pass over the channel's rules (order, soak time, windows, freezes, approval), and why; it is recorded. Evidence and
    /// gates are never passed over.
    #[arg(long = "override", value_name = "REASON", conflicts_with = "abort")]
    pub override_reason: Option<String>,
    /// When the channel is moved (or was before), bring the Auto Scaling groups that use the launch template to the release by
    /// instance refreshes: all of them, or the one that is named; may be given several times. How is said by `refresh` of the
    /// channel in amiforge.yaml.
    #[arg(long, value_name = "GROUP", num_args = 0..=1, default_missing_value = "", conflicts_with_all = ["resume", "abort"])]
    pub refresh: Vec<String>,
    /// Finish a promotion that was cut off, from its journal. Only when the process that began it is gone. Evidence, gates and the
    /// channel's rules are looked at again.
    #[arg(long)]
    pub resume: bool,
    /// As --resume, but back to what was before instead of on to the release.
    #[arg(long, alias = "undo")]
    pub abort: bool,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

pub(crate) async fn run(session: &Session, args: &PromoteArgs) -> Result<Exit, Failure> {
    let project = session.project()?;
    let work = work(session, &project, &args.image).await?;
    let channel = match &args.channel {
        Some(name) => work.channel(name)?,
        None => work.first_channel()?,
    };
    if args.resume || args.abort {
        let direction = if args.abort { Direction::Undo } else { Direction::Finish };
        let resumed = work.resume(channel, direction, args.override_reason.clone(), &session.events).await?;
        print(&report::resumed(&resumed, &channel.name))?;
        return Ok(Exit::Done);
    }
    let (built, _) = work.candidate(&work.check(&session.events)?).await?;
    let judged = work.approved(&built.ami).await?;
    let how =
        Moving { quorum: args.quorum, override_reason: args.override_reason.clone(), refresh: wanted(&args.refresh) };
    if args.plan {
        let decision = work.promotion(&built, &judged, channel, &how).await?;
        let preview = report::Preview::new(&decision).with(work.groups(channel, &decision, &how).await?);
        print_as(args.format, &preview, || preview.text())?;
        return Ok(Exit::Done);
    }
    let promotion = work.promote(&built, &judged, channel, &how, &session.events).await?;
    let previous =
        promotion.release.previous.as_ref().filter(|previous| promotion.changed && previous.ami != built.ami);
    let packages = previous.map(|previous| work.package_diff(&previous.ami, &built.ami)).transpose()?.flatten();
    let report = report::Promoted::new(&promotion, packages);
    print_as(args.format, &report, || report.text())?;
    Ok(ending(&promotion))
}

/// The groups of `--refresh`, which may come without a name.
pub(super) fn wanted(names: &[String]) -> Option<Wanted> {
    match names {
        [] => None,
        names if names.iter().any(String::is_empty) => Some(Wanted::All),
        names => Some(Wanted::Named(names.to_vec())),
    }
}

/// A promotion that has left targets out is partly done; groups that do not run the release say why themselves.
pub(super) fn ending(promotion: &Promotion) -> Exit {
    if promotion.is_partial() { Exit::Partly } else { exit(refresh_exit_code(&promotion.refreshes)) }
}

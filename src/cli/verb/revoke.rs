//! `amiforge revoke` and `amiforge restore`

use crate::cli::args::Format;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{Session, confirm, of_release, print_as, tell};
use crate::report;
use crate::run::Withdrawing;

/// Arguments of `revoke`.
#[derive(Debug, clap::Args)]
pub struct RevokeArgs {
    /// The release: AMI id in the home Region, image version, or id of a promotion.
    #[arg(value_name = "RELEASE")]
    pub release: String,
    /// Its recipe; that of the project's recipes whose channels held it when absent.
    #[arg(long, value_name = "RECIPE")]
    pub recipe: Option<String>,
    /// Its CPU architecture; needed when the recipe has more than one.
    #[arg(long, value_name = "ARCH")]
    pub arch: Option<String>,
    /// Why; it is recorded, and stands on every image.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Say what would be done where, and who uses it; change nothing.
    #[arg(long)]
    pub plan: bool,
    /// Leave channels empty that have no earlier release: their parameters are removed, and launches fail.
    #[arg(long)]
    pub allow_empty: bool,
    /// Move channels without targets that fail before anything is moved, if that many are left; images that these targets
    /// use stay as they are.
    #[arg(long, value_name = "TARGETS")]
    pub quorum: Option<usize>,
    /// Take over what another process has locked. Only when that process is gone.
    #[arg(long)]
    pub resume: bool,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

/// Arguments of `restore`.
#[derive(Debug, clap::Args)]
pub struct RestoreArgs {
    /// The release: AMI id in the home Region, image version, or id of a promotion.
    #[arg(value_name = "RELEASE")]
    pub release: String,
    /// Its recipe; that of the project's recipes whose channels held it when absent.
    #[arg(long, value_name = "RECIPE")]
    pub recipe: Option<String>,
    /// Its CPU architecture; needed when the recipe has more than one.
    #[arg(long, value_name = "ARCH")]
    pub arch: Option<String>,
    /// Why.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Take over what another process has locked. Only when that process is gone.
    #[arg(long)]
    pub resume: bool,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

pub(crate) async fn run(session: &Session, args: &RevokeArgs) -> Result<Exit, Failure> {
    let project = session.project()?;
    let work = of_release(session, &project, &args.release, args.recipe.as_deref(), args.arch.as_deref()).await?;
    let how = Withdrawing {
        release: args.release.clone(),
        reason: args.reason.clone(),
        allow_empty: args.allow_empty,
        quorum: args.quorum,
        resume: args.resume,
    };
    if args.plan || !args.yes {
        let plan = work.revocation(&how).await?;
        if args.plan {
            print_as(args.format, &plan, || report::withdrawal(&plan))?;
            return Ok(Exit::Done);
        }
        tell(&report::withdrawal(&plan));
        confirm(args.yes, &format!("Revoke {} of {}?", plan.ami, plan.recipe)).await?;
    }
    let revoked = work.revoke(&how, &session.events).await?;
    print_as(args.format, &revoked, || report::revoked(&revoked))?;
    Ok(if revoked.is_partial() { Exit::Partly } else { Exit::Done })
}

pub(crate) async fn restore(session: &Session, args: &RestoreArgs) -> Result<Exit, Failure> {
    let project = session.project()?;
    let work = of_release(session, &project, &args.release, args.recipe.as_deref(), args.arch.as_deref()).await?;
    let how = Withdrawing {
        release: args.release.clone(),
        reason: args.reason.clone(),
        resume: args.resume,
        ..Withdrawing::default()
    };
    confirm(args.yes, &format!("Let {} of {} be launched again?", args.release, work.recipe.name)).await?;
    let restored = work.restore(&how, &session.events).await?;
    print_as(args.format, &restored, || report::restored(&restored))?;
    Ok(if restored.complete { Exit::Done } else { Exit::Partly })
}

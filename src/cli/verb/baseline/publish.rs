//! `amiforge baseline publish`

use crate::baseline::{self, Planned, Publication, Wishes};
use crate::cli::args::Format;
use crate::cli::exit::{Exit, exit};
use crate::cli::failure::Failure;
use crate::cli::session::{Session, confirm, print_as};
use crate::report;

/// Arguments of `baseline publish`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The places are the home and every target of the environment. A baseline is found again by its name, its \
    operating system and our tags; an equal one is left alone.\n\
    Exit codes: 0 done, or nothing to do · 4 the plan has changes (--plan --detailed-exitcode) · 9 some places failed, the others \
    are done: the same command finishes it · 11 somebody else's baseline or patch group is in the way · 12 permission."
)]
pub struct PublishArgs {
    /// Baselines of the project; with --default or --patch-group those that AWS owns, too.
    #[arg(required = true, value_name = "NAME")]
    pub names: Vec<String>,
    /// Make it the default of its operating system.
    #[arg(long)]
    pub default: bool,
    /// Register it for this patch group. Several times for several.
    #[arg(long = "patch-group", value_name = "GROUP")]
    pub groups: Vec<String>,
    /// Take patch groups from the baselines that they are registered with.
    #[arg(long, requires = "groups")]
    pub replace_group: bool,
    /// Take over a baseline of the same name that amiforge has not made; its content is replaced.
    #[arg(long)]
    pub adopt: bool,
    /// Only say what would be done.
    #[arg(long)]
    pub plan: bool,
    /// With --plan: end with 4 when something would be done.
    #[arg(long, requires = "plan")]
    pub detailed_exitcode: bool,
    /// Do not ask before a default or a patch group is taken from another baseline.
    #[arg(long)]
    pub yes: bool,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

pub(super) async fn run(session: &Session, args: &PublishArgs) -> Result<Exit, Failure> {
    let project = session.project()?;
    let wishes = Wishes {
        default: args.default,
        groups: args.groups.clone(),
        replace_group: args.replace_group,
        adopt: args.adopt,
    };
    let desired = baseline::desired(&project, &args.names, &wishes)?;
    let cloud = session.cloud(&project).await?;
    let planned = baseline::observe_all(cloud, desired, &wishes, &session.events).await;
    if args.plan {
        let publication = &planned.publication;
        print_as(args.format, publication, || report::baseline_plan(publication))?;
        let changes = args.detailed_exitcode && publication.has_changes();
        return ended(publication, if changes { Exit::Changes } else { Exit::Done });
    }
    consent(args.yes, &planned).await?;
    let publication = baseline::publish(cloud, planned, &session.events).await;
    print_as(args.format, &publication, || report::baseline_published(&publication))?;
    ended(&publication, Exit::Done)
}

/// Asks before instances of others are patched by something else than before.
async fn consent(yes: bool, planned: &Planned) -> Result<(), Failure> {
    let lines: Vec<String> = planned.takeovers().map(|(row, step)| report::takeover(row, step)).collect();
    if lines.is_empty() || yes {
        return Ok(());
    }
    let asked =
        confirm(false, &format!("{}\nThis changes what instances are patched by. Go on?", lines.join("\n"))).await;
    asked.map_err(|failure| failure.showing(lines))
}

fn ended(publication: &Publication, otherwise: Exit) -> Result<Exit, Failure> {
    let failed: Vec<_> = publication.failed().collect();
    let Some(first) = failed.first() else { return Ok(otherwise) };
    let count = publication.rows.len();
    let text = format!("{} of {count} could not be published", failed.len());
    let failure =
        Failure::new(exit(publication.exit_code()), text).showing(failed.iter().map(|row| report::failed_row(row)));
    let mut failure = first.next.iter().cloned().fold(failure, Failure::next);
    if failure.exit == Exit::Partly {
        failure = failure.next("the same command finishes it: what is done is not done again");
    }
    Err(failure)
}

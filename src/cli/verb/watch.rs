//! `amiforge watch`

use super::status::or_all;
use crate::build::BuildOptions;
use crate::cli::args::{Format, Images};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::run::{Fleet, builds_of, select};

/// Arguments of `watch`.
#[derive(Debug, clap::Args)]
#[command(
    after_long_help = "In place of recipes, ARNs of image build versions can be given. Without any selection, every \
    build of the project that is under way is followed."
)]
pub struct WatchArgs {
    #[command(flatten)]
    pub(crate) images: Images,
    /// How the result is printed.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
}

pub(crate) async fn run(session: &Session, args: &WatchArgs) -> Result<Exit, Failure> {
    let project = session.lenient_project()?;
    let wanted = args.images.wanted();
    let arns: Vec<String> = wanted.recipes.iter().filter(|word| word.starts_with("arn:")).cloned().collect();
    let options = BuildOptions::default();
    if !arns.is_empty() {
        if arns.len() < wanted.recipes.len() || wanted.all || !wanted.only.is_empty() {
            return Err(Failure::new(Exit::Usage, "builds and recipes cannot be watched in one command")
                .next("give only ARNs, or only recipes"));
        }
        let items = builds_of(&project, &arns)?;
        let fleet = Fleet { cloud: session.cloud(&project).await?, project: &project, items };
        return super::build::show(fleet.watch(Some(&arns), &options, &session.events).await, args.format);
    }
    let nothing = !wanted.all && wanted.recipes.is_empty() && wanted.only.is_empty();
    let items = select(&project, &or_all(wanted))?;
    let mut fleet = Fleet { cloud: session.cloud(&project).await?, project: &project, items };
    if nothing {
        fleet = fleet.in_flight().await?;
        if fleet.items.is_empty() {
            return Err(Failure::new(Exit::NoEvidence, "no build of the project is under way")
                .next("amiforge status says what became of the last builds")
                .next("amiforge watch RECIPE tells how the newest build of a recipe ended"));
        }
    }
    super::build::show(fleet.watch(None, &options, &session.events).await, args.format)
}
